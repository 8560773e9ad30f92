/*
 * test_h1_body.c - where a request ends: Content-Length, Transfer-Encoding,
 * chunks, and Expect. Two readers of one message must never disagree.
 */
#include "test_h1.h"

#define BAD     ERR_BAD_REQUEST
#define CHUNKED H1_POST "Transfer-Encoding: chunked\r\n\r\n"
#define TE(v)   H1_POST "Transfer-Encoding:" v "\r\n\r\n0\r\n\r\n"
#define CL(v)   H1_POST "Content-Length:" v "\r\n\r\nhello"

#define CODING  "Transfer-Encoding: chunked"
#define BOTH(v) H1_POST v "\r\n\r\n0\r\n\r\n"

/* A text, the body it must give and what must be left of it. */
struct body_row {
	const char *text;
	const char *body;
	const char *left;
};

static void
check_bodies(const struct body_row *rows, size_t n)
{
	size_t i, used, cut;
	h1_parser *p;

	for (i = 0; i < n * 2; i++) {
		const struct body_row *row = &rows[i / 2];

		cut = i % 2 == 0 ? SIZE_MAX : 1;
		p = h1_new(&h1_usual);
		cr_assert_not_null(p);
		used = h1_feed_cuts(p, row->text, strlen(row->text), cut);
		cr_assert_eq(h1_state(p), H1_DONE, "row %zu", i / 2);
		cr_expect_eq(h1_request(p)->body_len, strlen(row->body));
		cr_expect_str_eq((const char *)h1_request(p)->body, row->body);
		cr_expect_str_eq(row->text + used, row->left);
		h1_free(p);
	}
}

Test(h1_body, content_length_is_taken_to_the_byte)
{
	static const struct body_row rows[] = {
	    {CL(" 5"), "hello", ""},
	    {CL(" 4"), "hell", "o"},
	    {CL(" 0"), "", "hello"},
	    {CL("005\t"), "hello", ""},
	    {H1_GET "Content-Length: 3\r\n\r\nabcGET", "abc", "GET"},
	    {H1_POST "\r\nhello", "", "hello"},
	    {"POST / HTTP/1.0\r\nContent-Length: 1\r\n\r\nab", "a", "b"},
	};

	check_bodies(rows, sizeof(rows) / sizeof(rows[0]));
}

Test(h1_body, malformed_or_repeated_lengths_are_refused)
{
	static const struct h1_case cases[] = {
	    {"good", CL(" 5"), ERR_NONE, 0},
	    {"empty", CL(""), BAD, 0},
	    {"plus", CL(" +5"), BAD, 0},
	    {"minus", CL(" -5"), BAD, 0},
	    {"blank inside", CL(" 5 5"), BAD, 0},
	    {"hexadecimal", CL(" 0x5"), BAD, 0},
	    {"fraction", CL(" 5.0"), BAD, 0},
	    {"exponent", CL(" 5e0"), BAD, 0},
	    {"letter behind", CL(" 5a"), BAD, 0},
	    {"8 bit", CL(" 5\xa0"), BAD, 0},
	    {"19 digits", CL(" 0000000000000000005"), BAD, 0},
	    {"wraps 64 bits", CL(" 18446744073709551621"), BAD, 0},
	    {"equal list", CL(" 5, 5"), BAD, 0},
	    {"equal fields", CL(" 5\r\nContent-Length: 5"), BAD, 0},
	    {"unequal list", CL(" 5, 6"), BAD, 0},
	    {"unequal fields", CL(" 5\r\nContent-Length: 6"), BAD, 0},
	    {"comma behind", CL(" 5,"), BAD, 0},
	    {"comma before", CL(" ,5"), BAD, 0},
	};

	H1_CHECK(cases);
}

Test(h1_body, transfer_encoding_is_chunked_or_nothing)
{
	static const struct h1_case cases[] = {
	    {"plain", TE(" chunked"), ERR_NONE, 0},
	    {"any case", TE("CHUNKed"), ERR_NONE, 0},
	    {"blanks around", TE(" \t chunked \t"), ERR_NONE, 0},
	    {"on GET", H1_GET "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		ERR_NONE, 0},
	    {"form feed",
		TE("\x0c"
		   "chunked"),
		BAD, 0},
	    {"prefix", TE(" xchunked"), BAD, 0},
	    {"suffix", TE(" chunkedx"), BAD, 0},
	    {"empty", TE(""), BAD, 0},
	    {"identity", TE(" identity"), BAD, 0},
	    {"quoted", TE(" \"chunked\""), BAD, 0},
	    {"parameter", TE(" chunked;a=b"), BAD, 0},
	    {"not last", TE(" chunked, identity"), BAD, 0},
	    {"twice", TE(" chunked, chunked"), BAD, 0},
	    {"two fields", TE(" chunked\r\nTransfer-Encoding: chunked"), BAD,
		0},
	    {"two fields, not last", TE(" chunked\r\nTransfer-Encoding: gzip"),
		BAD, 0},
	    {"comma before", TE(" ,chunked"), BAD, 0},
	    {"comma behind", TE(" chunked,"), BAD, 0},
	    {"gzip", TE(" gzip, chunked"), ERR_TRANSFER_CODING, 0},
	    {"gzip, two fields", TE(" gzip\r\nTransfer-Encoding: chunked"),
		ERR_TRANSFER_CODING, 0},
	    {"blank before colon",
		H1_POST "Transfer-Encoding : chunked\r\n\r\n", BAD, 0},
	    {"folded", H1_POST "Transfer-Encoding:\r\n chunked\r\n\r\n", BAD,
		0},
	    {"in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
		BAD, 0},
	};

	H1_CHECK(cases);
}

/* Five bytes that are a whole body for either reader. */
Test(h1_body, length_beside_transfer_encoding_is_refused)
{
	static const struct h1_case cases[] = {
	    {"length alone", BOTH("Content-Length: 5"), ERR_NONE, 0},
	    {"coding alone", BOTH(CODING), ERR_NONE, 0},
	    {"CL TE", BOTH("Content-Length: 5\r\n" CODING), BAD, 0},
	    {"TE CL", BOTH(CODING "\r\nContent-Length: 5"), BAD, 0},
	    {"CL 0 TE", BOTH("Content-Length: 0\r\n" CODING), BAD, 0},
	    {"TE CL 0", BOTH(CODING "\r\nContent-Length: 0"), BAD, 0},
	    {"CL unknown TE", BOTH("Content-Length: 5\r\nTransfer-Encoding: x"),
		BAD, 0},
	    {"TE, then bad CL", BOTH(CODING "\r\nContent-Length: x"), BAD, 0},
	};

	H1_CHECK(cases);
}

Test(h1_body, chunks_are_decoded)
{
	static const struct body_row rows[] = {
	    {CHUNKED "0\r\n\r\nGET", "", "GET"},
	    {CHUNKED "5\r\nhello\r\n0\r\n\r\n", "hello", ""},
	    {CHUNKED "2\r\nhe\r\n3\r\nllo\r\n000\r\n\r\n", "hello", ""},
	    {CHUNKED "00000005\r\nhello\r\n0\r\n\r\n", "hello", ""},
	    {CHUNKED "A\r\n0123456789\r\na\r\n9876543210\r\n0\r\n\r\n",
		"01234567899876543210", ""},
	    {CHUNKED "2;a=b;c=\"d\"\r\nhe\r\n0;x\r\n\r\n", "he", ""},
	    {CHUNKED "2 \t; a\r\nhe\r\n0\r\n\r\n", "he", ""},
	    {CHUNKED "2\r\n\r\n\r\n0\r\n\r\n", "\r\n", ""},
	    {CHUNKED "1\r\na\r\n0\r\nX: y\r\nContent-Length: 9\r\n\r\nb", "a",
		"b"},
	};

	check_bodies(rows, sizeof(rows) / sizeof(rows[0]));
}

Test(h1_body, malformed_chunks_are_refused)
{
	static const struct h1_case cases[] = {
	    {"good", CHUNKED "1\r\na\r\n0\r\n\r\n", ERR_NONE, 0},
	    {"no size", CHUNKED "\r\n", BAD, 0},
	    {"no size but extension", CHUNKED ";a\r\n", BAD, 0},
	    {"prefix 0x", CHUNKED "0x1\r\na\r\n0\r\n\r\n", BAD, 0},
	    {"plus", CHUNKED "+1\r\na\r\n", BAD, 0},
	    {"minus", CHUNKED "-1\r\na\r\n", BAD, 0},
	    {"blank before", CHUNKED " 1\r\na\r\n", BAD, 0},
	    {"blank behind", CHUNKED "1 \r\na\r\n", BAD, 0},
	    {"9 digits", CHUNKED "000000001\r\na\r\n", BAD, 0},
	    {"letter", CHUNKED "g\r\n", BAD, 0},
	    {"LF behind size", CHUNKED "1\na\r\n", BAD, 0},
	    {"CR behind size", CHUNKED "1\ra\r\n", BAD, 0},
	    {"LF in extension", CHUNKED "1;a\nb\r\n", BAD, 0},
	    {"NUL in extension", CHUNKED "1;\0\r\n", BAD,
		sizeof(CHUNKED "1;\0\r\n") - 1},
	    {"longer than said", CHUNKED "1\r\nab\r\n", BAD, 0},
	    {"shorter than said", CHUNKED "2\r\na\r\n0", BAD, 0},
	    {"LF behind data", CHUNKED "1\r\na\n", BAD, 0},
	    {"CR CR behind data", CHUNKED "1\r\na\r\r", BAD, 0},
	    {"folded trailer", CHUNKED "0\r\nX: y\r\n z\r\n\r\n", BAD, 0},
	    {"blank first in trailer", CHUNKED "0\r\n X: y\r\n\r\n", BAD, 0},
	    {"trailer without colon", CHUNKED "0\r\nX\r\n\r\n", BAD, 0},
	    {"blank before colon", CHUNKED "0\r\nX : y\r\n\r\n", BAD, 0},
	    {"control byte in trailer", CHUNKED "0\r\nX: \x01\r\n\r\n", BAD, 0},
	    {"request instead of trailer", CHUNKED "0\r\nGET / HTTP/1.1\r\n",
		BAD, 0},
	};

	H1_CHECK(cases);
}

Test(h1_body, expectations_are_met_or_refused)
{
	static const struct h1_case cases[] = {
	    {"known", CL(" 5\r\nExpect: 100-Continue"), ERR_NONE, 0},
	    {"unknown", CL(" 5\r\nExpect: 200-ok"), ERR_EXPECTATION, 0},
	    {"empty", CL(" 5\r\nExpect:"), ERR_EXPECTATION, 0},
	    {"one of two", CL(" 5\r\nExpect: 100-continue, x"), ERR_EXPECTATION,
		0},
	    {"unknown in 1.0", "GET / HTTP/1.0\r\nExpect: x\r\n\r\n", ERR_NONE,
		0},
	    {"framing first", CL(" 5x\r\nExpect: x"), BAD, 0},
	    {"too large first", CL(" 99999\r\nExpect: 100-continue"),
		ERR_BODY_TOO_LARGE, 0},
	};

	H1_CHECK(cases);
}

Test(h1_body, continue_is_asked_for_once_and_only_where_a_body_is_due)
{
	static const struct {
		const char *text;
		bool wants;
	} rows[] = {
	    {H1_POST "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n", true},
	    {H1_POST
		"Transfer-Encoding: chunked\r\nExpect: 100-CONTINUE\r\n\r\n",
		true},
	    {H1_POST "Content-Length: 1\r\n\r\n", false},
	    {H1_POST "Expect: 100-continue\r\nContent-Length: 1\r\n\r", false},
	    {H1_POST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\na",
		false},
	    {H1_POST "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n",
		false},
	    {H1_POST "Expect: 100-continue\r\n\r\n", false},
	    {"POST / HTTP/1.0\r\nExpect: 100-continue\r\n"
	     "Content-Length: 1\r\n\r\n",
		false},
	};
	h1_parser *p;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		p = h1_given(rows[i].text);
		cr_expect_eq(h1_wants_continue(p), rows[i].wants, "row %zu", i);
		cr_expect_not(h1_wants_continue(p));
		h1_free(p);
	}
}
