/*
 * test_h1_cuts.c - the property that carries the connection front: whatever
 * the bytes, the cuts in which they arrive change nothing about the result.
 */
#include "test_h1.h"

/* Most requests looked at in one run of bytes. */
#define REQUESTS_MAX 8

/* Good and bad input of every kind; the test damages it further. */
static const char *const seeds[] = {
    H1_GET "Authorization: Bearer a.b.c\r\nX:\r\nY: \xff \r\n\r\n",
    "\r\n" H1_POST "Content-Length: 5\r\nExpect: 100-continue\r\n\r\nhello"
    "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
    H1_POST "Transfer-Encoding: chunked\r\n\r\n"
	    "5;x=y\r\nhello\r\n0\r\nT: u\r\n\r\n" H1_GET "\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\nConnection: close\r\n\r\n",
    "GET http://b:1/p?q HTTP/1.1\r\nHost: a\r\n\r\n",
    /* Those that come again are kept where they come whole. */
    H1_GET "A: b\r\n\r\n" H1_GET "A: b\r\n\r\n" H1_GET "A: b\r\n\r\n" H1_GET
	   "A: b\r\n\r\n" H1_GET "A: c\r\n\r\n",
    H1_GET "A: b\r\n\r\n" H1_GET "A: b\r\n\r\n" H1_POST
	   "Content-Length: 2\r\n\r\nhi" H1_GET "A: b\r\n\r\n",
    H1_POST "Content-Length: 5, 5\r\nContent-Length: 05\r\n\r\nhello",
    H1_POST "Transfer-Encoding: gzip, chunked\r\n\r\n",
};

/* Everything about a parser's result, in words. */
static size_t
describe(const h1_parser *p, char *out, size_t size)
{
	const struct h1_request *r = h1_request(p);
	size_t at = 0, i;

	at += (size_t)snprintf(out, size, "[%d", (int)h1_state(p));
	if (h1_fault(p) != NULL) {
		at += (size_t)snprintf(out + at, size - at, " %d %s",
		    (int)h1_fault(p)->code, h1_fault(p)->detail);
	}
	if (r != NULL) {
		at += (size_t)snprintf(out + at, size - at,
		    " %s %s %s %d %d %.*s", r->method, r->target, r->host,
		    r->minor, r->keep_alive, (int)r->body_len,
		    (const char *)r->body);
		for (i = 0; i < r->nfields; i++) {
			at += (size_t)snprintf(out + at, size - at, " %s=%s",
			    r->fields[i].name, r->fields[i].value);
		}
	}
	return (at + (size_t)snprintf(out + at, size - at, "]"));
}

/* Feed in cuts drawn from *seed (0: whole) and describe all that comes. */
static void
run(const char *text, size_t len, unsigned int seed, char *out, size_t size)
{
	h1_parser *p = h1_new(&h1_usual);
	size_t used = 0, at = 0, n, got;
	int requests = 0;

	cr_assert_not_null(p);
	while (used < len && h1_state(p) != H1_ERROR) {
		n = len - used;
		if (seed != 0)
			n = (size_t)rand_r(&seed) % (n < 9 ? n : 9) + 1;
		got = h1_feed(p, text + used, n);
		used += got;
		if (h1_state(p) != H1_DONE)
			continue;
		at += describe(p, out + at, size - at);
		h1_reset(p);
		if (++requests == REQUESTS_MAX)
			break;
	}
	at += describe(p, out + at, size - at);
	snprintf(out + at, size - at, " used %zu", used);
	h1_free(p);
}

/* Overwrite up to two bytes, or cut one out, or leave all as it is. */
static size_t
damage(char *text, size_t len, unsigned int *seed)
{
	static const char bytes[] = "\r\n\t :,;0159aAg\x01\x7f\x80/*[]";
	size_t at, times = (size_t)rand_r(seed) % 3;

	while (times-- > 0) {
		at = (size_t)rand_r(seed) % len;
		text[at] = bytes[(size_t)rand_r(seed) % sizeof(bytes)];
	}
	if (rand_r(seed) % 4 == 0) {
		at = (size_t)rand_r(seed) % len;
		memmove(text + at, text + at + 1, len - at - 1);
		len--;
	}
	return (len);
}

Test(h1_cuts, cuts_change_nothing)
{
	unsigned int seed = 1, round;
	char text[512], whole[4096], cut[4096];
	size_t len;

	for (round = 0; round < 20000; round++) {
		const char *from =
		    seeds[round % (sizeof(seeds) / sizeof(seeds[0]))];

		len = strlen(from);
		memcpy(text, from, len);
		len = damage(text, len, &seed);
		run(text, len, 0, whole, sizeof(whole));
		run(text, len, round + 1, cut, sizeof(cut));
		cr_assert_str_eq(cut, whole, "round %u", round);
	}
}
