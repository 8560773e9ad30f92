/*
 * test_h1_kept.c - a head that comes again is not parsed again, and nothing but
 * that is different. That the result is the same for whatever bytes is shown by
 * test_h1_cuts.c and the fuzz target, whose other ways of feeding never take
 * what is kept.
 */
#include "base/h1_internal.h"
#include "test_h1.h"

/* Other heads in a row, more than enough for a parser to keep none. */
#define OTHERS 20

static const char head[] = H1_GET "Authorization: Bearer a.b.c\r\n\r\n";

/* Feed it whole and take the request; what was kept before is looked at. */
static void
ask(h1_parser *p, const char *text, bool from_kept)
{
	bool valid = p->kept.valid;

	cr_assert_eq(h1_feed(p, text, strlen(text)), strlen(text));
	cr_assert_eq(h1_state(p), H1_DONE, "not taken: %s", text);
	cr_expect_eq(valid && p->kept.misses == 0, from_kept, "%s", text);
}

/* A parser that keeps the head: it has come twice. */
static h1_parser *
keeping(const char *text)
{
	h1_parser *p = h1_new(&h1_usual);

	cr_assert_not_null(p);
	ask(p, text, false);
	cr_expect_not(p->kept.valid, "the first head is kept");
	h1_reset(p);
	ask(p, text, false);
	h1_reset(p);
	return (p);
}

Test(h1_kept, the_same_head_is_the_same_request)
{
	h1_parser *p = keeping(head);
	const struct h1_request *r;
	int i;

	for (i = 0; i < 3; i++) {
		cr_expect_eq(h1_state(p), H1_IDLE);
		cr_expect_null(h1_request(p), "a request before it has come");
		ask(p, head, true);
		r = h1_request(p);
		cr_expect_str_eq(r->method, "GET");
		cr_expect_str_eq(r->target, "/");
		cr_expect_str_eq(r->host, "a");
		cr_expect(r->keep_alive);
		cr_expect_eq(r->nfields, 2);
		cr_expect_str_eq(
		    h1_find(r, "authorization")->value, "Bearer a.b.c");
		h1_reset(p);
	}
	h1_free(p);
}

Test(h1_kept, any_other_head_is_parsed)
{
	static const struct {
		const char *text;
		const char *value;
	} others[] = {
	    {H1_GET "Authorization: Bearer a.b.d\r\n\r\n", "Bearer a.b.d"},
	    {H1_GET "Authorization: Bearer a.b.cd\r\n\r\n", "Bearer a.b.cd"},
	    {H1_GET "Authorization: Bearer a.b\r\n\r\n", "Bearer a.b"},
	    {H1_GET "authorization: Bearer a.b.c\r\n\r\n", "Bearer a.b.c"},
	    {"\r\n" H1_GET "Authorization: Bearer a.b.c\r\n\r\n",
		"Bearer a.b.c"},
	};
	h1_parser *p;
	size_t i;

	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		p = keeping(head);
		ask(p, others[i].text, false);
		cr_expect_str_eq(
		    h1_request(p)->fields[1].value, others[i].value);
		h1_free(p);
	}
}

Test(h1_kept, half_of_the_head_is_not_the_head)
{
	h1_parser *p = keeping(head);
	size_t len = sizeof(head) - 1;

	cr_expect_eq(h1_feed(p, head, len - 1), len - 1);
	cr_expect_eq(h1_state(p), H1_HEAD);
	cr_expect_eq(h1_feed(p, head + len - 1, 1), 1);
	cr_expect_eq(h1_state(p), H1_DONE);
	h1_free(p);
}

Test(h1_kept, what_follows_belongs_to_the_next_request)
{
	h1_parser *p = keeping(head);
	char text[2 * sizeof(head)];

	snprintf(text, sizeof(text), "%s%s", head, head);
	cr_expect_eq(h1_feed(p, text, strlen(text)), strlen(head));
	cr_expect_eq(h1_state(p), H1_DONE);
	h1_free(p);
}

Test(h1_kept, a_body_a_query_and_a_long_head_are_not_kept)
{
	static const char *const texts[] = {
	    H1_POST "Content-Length: 1\r\n\r\nx",
	    H1_POST "Content-Length: 0\r\n\r\n",
	    H1_POST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	    "GET /?jwt=a.b.c HTTP/1.1\r\nHost: a\r\n\r\n",
	};
	char lengthy[4096];
	h1_parser *p;
	size_t i;

	p = keeping(head);
	cr_expect(p->kept.valid, "a plain one is");
	h1_free(p);
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		p = keeping(texts[i]);
		cr_expect_not(p->kept.valid, "%s", texts[i]);
		h1_free(p);
	}
	snprintf(lengthy, sizeof(lengthy), H1_GET "X: %03000d\r\n\r\n", 1);
	p = keeping(lengthy);
	cr_expect_not(p->kept.valid, "a long head is kept");
	h1_free(p);
}

Test(h1_kept, nothing_stays_when_it_is_forgotten)
{
	h1_parser *p = keeping(head);

	h1_forget(p);
	cr_expect_null(p->buf);
	cr_expect_null(p->kept.head);
	cr_expect_eq(h1_state(p), H1_IDLE);
	ask(p, head, false);
	h1_reset(p);
	cr_expect_null(p->buf, "the first head after that is kept");
	h1_forget(p);
	h1_free(p);
}

Test(h1_kept, a_connection_of_many_heads_keeps_none)
{
	h1_parser *p = keeping(head);
	char text[256];
	int i;

	for (i = 0; i < OTHERS; i++) {
		snprintf(text, sizeof(text), H1_GET "X-Request-Id: %d\r\n\r\n",
		    i + 100);
		ask(p, text, false);
		h1_reset(p);
	}
	cr_expect_not(p->kept.valid);
	cr_expect_null(p->buf);
	h1_free(p);

	/* One now and then is no reason to give up. */
	p = keeping(head);
	for (i = 0; i < OTHERS; i++) {
		ask(p, H1_GET "\r\n", false);
		h1_reset(p);
		ask(p, head, false);
		h1_reset(p);
		ask(p, head, true);
		h1_reset(p);
	}
	h1_free(p);
}
