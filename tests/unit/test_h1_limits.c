/*
 * test_h1_limits.c - each limit to the byte, what a reset gives back, and that
 * cuts between the bytes change nothing.
 */
#include <malloc.h>

#include "test_h1.h"

/* Small limits, so that one byte more can be shown. */
static const struct h1_limits small = {32, 64, 4, 8};

/* A text and the number of bytes that are used of it when it is refused. */
struct limit_row {
	const char *name;
	const char *text;
	size_t used;
	enum error_code code;
};

static void
check_limits(const struct limit_row *rows, size_t n)
{
	size_t i, used;
	h1_parser *p;

	for (i = 0; i < n * 2; i++) {
		const struct limit_row *row = &rows[i / 2];

		p = h1_new(&small);
		cr_assert_not_null(p);
		used = h1_feed_cuts(
		    p, row->text, strlen(row->text), i % 2 == 0 ? SIZE_MAX : 1);
		if (row->code == ERR_NONE) {
			cr_expect_eq(h1_state(p), H1_DONE, "%s", row->name);
		} else {
			cr_assert_not_null(h1_fault(p), "%s", row->name);
			cr_expect_eq(
			    h1_fault(p)->code, row->code, "%s", row->name);
		}
		cr_expect_eq(used, row->used, "%s: %zu", row->name, used);
		h1_free(p);
	}
}

Test(h1_limits, first_byte_too_many_of_the_head_is_refused)
{
	static const struct limit_row rows[] = {
	    {"line of 32", "GET /2345678901234567 HTTP/1.1\r\nHost: a\r\n\r\n",
		43, ERR_NONE},
	    {"line of 33", "GET /23456789012345678 HTTP/1.1\r\nHost: a\r\n\r\n",
		32, ERR_URI_TOO_LONG},
	    {"endless target", "GET /2345678901234567890123456789012345678", 32,
		ERR_URI_TOO_LONG},
	    {"head of 64",
		"GET / HTTP/1.1\r\nHost: a\r\nX: 34567890123456789012345678901"
		"234\r\n\r\n",
		64, ERR_NONE},
	    {"head of 65",
		"GET / HTTP/1.1\r\nHost: a\r\nX: 34567890123456789012345678901"
		"2345\r\n\r\n",
		64, ERR_HEAD_TOO_LARGE},
	    {"endless blanks",
		"GET / HTTP/1.1\r\nHost: a\r\nX:                             "
		"                       ",
		64, ERR_HEAD_TOO_LARGE},
	    {"four fields",
		"GET / HTTP/1.1\r\nHost: a\r\nA:\r\nB:\r\nC:\r\n\r\n", 39,
		ERR_NONE},
	    {"five fields",
		"GET / HTTP/1.1\r\nHost: a\r\nA:\r\nB:\r\nC:\r\nD:\r\n\r\n", 37,
		ERR_HEAD_TOO_LARGE},
	};

	check_limits(rows, sizeof(rows) / sizeof(rows[0]));
}

Test(h1_limits, too_large_a_body_is_refused_before_it_comes)
{
	static const struct limit_row rows[] = {
	    {"8 of 8",
		"PUT / HTTP/1.1\r\nHost:\r\nContent-Length:8\r\n\r\n12345678",
		51, ERR_NONE},
	    {"9 of 8", "PUT / HTTP/1.1\r\nHost:\r\nContent-Length:9\r\n\r\n",
		42, ERR_BODY_TOO_LARGE},
	    {"18 digits",
		"PUT / HTTP/1.1\r\nHost:\r\nContent-Length:999999999999999999"
		"\r\n\r\n",
		59, ERR_BODY_TOO_LARGE},
	};

	check_limits(rows, sizeof(rows) / sizeof(rows[0]));
}

#define CHUNKED     "PUT / HTTP/1.1\r\nHost:\r\nTransfer-Encoding:chunked\r\n\r\n"
#define CHUNKED_LEN (sizeof(CHUNKED) - 1)

Test(h1_limits, chunks_count_together)
{
	static const struct limit_row rows[] = {
	    {"8 in two", CHUNKED "5\r\nhello\r\n3\r\nabc\r\n0\r\n\r\n",
		CHUNKED_LEN + 23, ERR_NONE},
	    {"9 in two", CHUNKED "5\r\nhello\r\n4\r\nabcd\r\n",
		CHUNKED_LEN + 10, ERR_BODY_TOO_LARGE},
	    {"9 in one", CHUNKED "9\r\n", CHUNKED_LEN, ERR_BODY_TOO_LARGE},
	    {"digits that grow", CHUNKED "10\r\n", CHUNKED_LEN + 1,
		ERR_BODY_TOO_LARGE},
	    {"wraps 32 bits", CHUNKED "8\r\n12345678\r\nFFFFFFF8\r\n",
		CHUNKED_LEN + 13, ERR_BODY_TOO_LARGE},
	    {"endless trailer", CHUNKED "0\r\nX: 345678901234567890",
		CHUNKED_LEN + 3 + 64 - CHUNKED_LEN, ERR_HEAD_TOO_LARGE},
	    {"trailer fields", CHUNKED "0\r\nA:\r\nB:\r\nC:\r\n",
		CHUNKED_LEN + 3 + 8, ERR_HEAD_TOO_LARGE},
	};

	check_limits(rows, sizeof(rows) / sizeof(rows[0]));
}

/* Chunks of one byte with an extension of 99 each. */
Test(h1_limits, chunk_extensions_are_bounded_over_the_whole_body)
{
	char chunk[128];
	h1_parser *p = h1_given(H1_POST "Transfer-Encoding: chunked\r\n\r\n");
	int i, n;

	memset(chunk, 'e', sizeof(chunk));
	chunk[0] = '1';
	chunk[1] = ';';
	n = 2 + 99 + snprintf(chunk + 101, sizeof(chunk) - 101, "\r\na\r\n");
	for (i = 0; i < 10; i++)
		cr_assert_eq(h1_feed(p, chunk, (size_t)n), n);
	h1_feed(p, chunk, (size_t)n);
	cr_assert_eq(h1_state(p), H1_ERROR);
	cr_expect_eq(h1_fault(p)->code, ERR_BAD_REQUEST);
	h1_free(p);
}

Test(h1_limits, blanks_behind_a_chunk_size_are_bounded)
{
	char blanks[1100];
	h1_parser *p = h1_given(H1_POST "Transfer-Encoding: chunked\r\n\r\n1");

	memset(blanks, ' ', sizeof(blanks));
	cr_assert_eq(h1_state(p), H1_BODY);
	h1_feed(p, blanks, sizeof(blanks));
	cr_assert_eq(h1_state(p), H1_ERROR);
	h1_free(p);
}

Test(h1_limits, hundred_fields_pass_with_authorization_last)
{
	char text[8192];
	const struct h1_field *f;
	const struct h1_request *r;
	h1_parser *p;
	size_t at = 0;
	int i;

	at += (size_t)snprintf(text, sizeof(text), H1_GET);
	for (i = 0; i < 120; i++) {
		at += (size_t)snprintf(text + at, sizeof(text) - at,
		    "X-Field-%d: value %d\r\n", i, i);
	}
	snprintf(
	    text + at, sizeof(text) - at, "Authorization: Bearer x\r\n\r\n");
	r = h1_taken(text, &p);
	cr_expect_eq(r->nfields, 122);
	cr_expect_str_eq(r->fields[100].value, "value 99");
	f = h1_find(r, "authorization");
	cr_assert_not_null(f);
	cr_expect_str_eq(f->value, "Bearer x");
	h1_free(p);
}

Test(h1_limits, pipelined_requests_come_out_one_by_one)
{
	static const char text[] = "\r\nGET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
				   "POST /2 HTTP/1.1\r\nHost: a\r\n"
				   "Content-Length: 4\r\n\r\nGET "
				   "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n";
	char target[] = "/0";
	size_t at = 0;
	h1_parser *p = h1_new(&h1_usual);
	int i;

	cr_assert_not_null(p);
	cr_expect_eq(h1_state(p), H1_IDLE);
	for (i = 1; i <= 3; i++) {
		at += h1_feed(p, text + at, sizeof(text) - 1 - at);
		cr_assert_eq(h1_state(p), H1_DONE);
		target[1] = (char)('0' + i);
		cr_expect_str_eq(h1_request(p)->target, target);
		cr_expect_eq(h1_feed(p, "x", 1), 0, "taken while done");
		h1_reset(p);
		cr_expect_eq(h1_state(p), H1_IDLE);
		cr_expect_null(h1_request(p));
	}
	cr_expect_eq(at, sizeof(text) - 1);
	h1_free(p);
}

Test(h1_limits, states_follow_the_bytes)
{
	h1_parser *p = h1_new(&h1_usual);

	cr_assert_not_null(p);
	h1_feed(p, "\r\n", 2);
	cr_expect_eq(h1_state(p), H1_IDLE, "an empty line is no request");
	h1_feed(p, "P", 1);
	cr_expect_eq(h1_state(p), H1_HEAD);
	h1_feed(p, H1_POST + 1, sizeof(H1_POST) - 2);
	h1_feed(p, "Content-Length: 2\r\n\r", 20);
	cr_expect_eq(h1_state(p), H1_HEAD);
	h1_feed(p, "\n", 1);
	cr_expect_eq(h1_state(p), H1_BODY);
	cr_expect_null(h1_request(p));
	h1_feed(p, "ab", 2);
	cr_expect_eq(h1_state(p), H1_DONE);
	cr_expect_null(h1_fault(p));
	h1_reset(p);
	h1_feed(p, "\n", 1);
	cr_expect_eq(h1_state(p), H1_ERROR);
	cr_expect_eq(h1_feed(p, "GET", 3), 0, "taken after an error");
	h1_reset(p);
	cr_expect_eq(h1_state(p), H1_IDLE);
	h1_free(p);
}

/* Sum of what is handed out by malloc(), large blocks included (bytes). */
static size_t
allocated(void)
{
	struct mallinfo2 info = mallinfo2();

	return (info.uordblks + info.hblkhd);
}

Test(h1_limits, memory_follows_what_came_and_is_given_back)
{
	static const struct h1_limits wide = {1 << 20, 1 << 20, 200, 1 << 30};
	char kilobyte[1024] = {0};
	size_t before, idle;
	h1_parser *p;
	int i;

	before = allocated();
	p = h1_new(&wide);
	cr_assert_not_null(p);
	idle = allocated();
	h1_feed(p, H1_POST, sizeof(H1_POST) - 1);
	h1_feed(p, "Content-Length: 999999999\r\n\r\n", 29);
	cr_expect_lt(allocated() - before, 8192, "a promise took memory");
	for (i = 0; i < 1024; i++)
		h1_feed(p, kilobyte, sizeof(kilobyte));
	cr_expect_eq(h1_state(p), H1_BODY);
	cr_expect_lt(allocated() - before, 3 << 20);
	h1_reset(p);
	cr_expect_leq(allocated(), idle, "a reset kept memory");
	h1_free(p);
}

/* A head of about so many bytes, without its end. */
static size_t
feed_head(h1_parser *p, size_t len)
{
	char byte = 'x';
	size_t i;

	h1_feed(p, H1_GET "X: ", sizeof(H1_GET "X: ") - 1);
	for (i = sizeof(H1_GET "X: ") - 1; i < len; i++) {
		if (h1_feed(p, &byte, 1) == 0)
			break;
	}
	return (i);
}

Test(h1_limits, large_requests_share_a_budget)
{
	/* What a buffer of 16 kB has beyond a parser's own part. */
	struct h1_budget budget = {(size_t)16 * 1024 - H1_OWN, 0};
	h1_parser *large[2], *usual;

	large[0] = h1_new(&h1_usual);
	large[1] = h1_new(&h1_usual);
	usual = h1_new(&h1_usual);
	h1_share(large[0], &budget);
	h1_share(large[1], &budget);
	h1_share(usual, &budget);

	/* The first takes all; the second goes as far as its own part. */
	cr_expect_eq(feed_head(large[0], 10000), (size_t)10000);
	cr_expect_eq(h1_state(large[0]), H1_HEAD);
	cr_expect_eq(budget.used, budget.max, "%zu", budget.used);
	cr_expect_lt(feed_head(large[1], 10000), (size_t)5000);
	cr_assert_not_null(h1_fault(large[1]));
	cr_expect_eq(h1_fault(large[1])->code, ERR_BUSY);
	cr_expect_eq(budget.used, budget.max, "%zu", budget.used);
	cr_expect_eq(feed_head(usual, 2000), (size_t)2000);
	cr_expect_eq(h1_feed(usual, "\r\n\r\n", 4), (size_t)4);
	cr_expect_eq(h1_state(usual), H1_DONE);

	/* Given back by a reset, and by the end of a parser. */
	cr_expect_eq(h1_feed(large[0], "\r\n\r\n", 4), (size_t)4);
	cr_expect_eq(h1_state(large[0]), H1_DONE);
	h1_reset(large[0]);
	cr_expect_eq(budget.used, (size_t)0);
	h1_reset(large[1]);
	cr_expect_eq(feed_head(large[1], 10000), (size_t)10000);
	cr_expect_gt(budget.used, (size_t)0);
	h1_free(large[1]);
	cr_expect_eq(budget.used, (size_t)0);
	h1_free(large[0]);
	h1_free(usual);
}

Test(h1_limits, many_fields_count_for_the_budget)
{
	struct h1_budget budget = {1024, 0};
	h1_parser *p;
	size_t i, used;

	p = h1_new(&h1_usual);
	h1_share(p, &budget);
	h1_feed(p, H1_GET, sizeof(H1_GET) - 1);
	for (i = 1, used = 6; i < 150 && used == 6; i++)
		used = h1_feed(p, "A: b\r\n", 6);
	cr_assert_not_null(h1_fault(p));
	cr_expect_eq(h1_fault(p)->code, ERR_BUSY);
	cr_expect(i > H1_OWN / 64 && i < 150, "%zu", i);
	h1_free(p);
	cr_expect_eq(budget.used, (size_t)0);
}

/* A browser's head with cookies: 20 header lines, 3 to 4 kB, in two pieces. */
Test(h1_limits, usual_heads_take_nothing_of_the_budget)
{
	struct h1_budget budget = {0, 0};
	char text[4096];
	h1_parser *p;
	size_t len, cut;
	int i;

	for (cut = 1000; cut <= 3000; cut += 500) {
		len = (size_t)snprintf(text, sizeof(text), H1_GET);
		for (i = 0; i < 20; i++)
			len += (size_t)snprintf(text + len, sizeof(text) - len,
			    "X-%d: %0170d\r\n", i, i);
		len += (size_t)snprintf(text + len, sizeof(text) - len, "\r\n");
		cr_assert_lt(len, sizeof(text));
		p = h1_new(&h1_usual);
		h1_share(p, &budget);
		cr_expect_eq(h1_feed(p, text, cut), cut);
		cr_expect_eq(h1_feed(p, text + cut, len - cut), len - cut);
		cr_expect_eq(h1_state(p), H1_DONE, "cut at %zu", cut);
		h1_free(p);
	}
}
