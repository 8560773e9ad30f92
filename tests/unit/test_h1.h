/*
 * test_h1.h - for the tests of the HTTP/1.1 parser: rows of a table, each one
 * request that must be taken or refused, fed whole and byte by byte.
 */
#ifndef CORGI_TEST_H1_H
#define CORGI_TEST_H1_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/h1.h"

/* The request line and Host that most cases begin with. */
#define H1_GET  "GET / HTTP/1.1\r\nHost: a\r\n"
#define H1_POST "POST / HTTP/1.1\r\nHost: a\r\n"

/* One case; code ERR_NONE: the request is taken. */
struct h1_case {
	const char *name;
	const char *text;
	enum error_code code;
	size_t len; /* 0: strlen(text) */
};

static const struct h1_limits h1_usual = {16384, 16384, 200, 16384};

/* Feed in cuts of the given length until all is used or no more is taken;
 * returns the number of bytes used. */
static inline size_t
h1_feed_cuts(h1_parser *p, const char *text, size_t len, size_t cut)
{
	size_t used = 0, n, got;

	while (used < len) {
		n = len - used < cut ? len - used : cut;
		got = h1_feed(p, text + used, n);
		used += got;
		if (got < n)
			break;
	}
	return (used);
}

/* A parser that was given the text whole. */
static inline h1_parser *
h1_given(const char *text)
{
	h1_parser *p = h1_new(&h1_usual);

	cr_assert_not_null(p);
	h1_feed(p, text, strlen(text));
	return (p);
}

/* The request that a text makes; the parser is to be freed. */
static inline const struct h1_request *
h1_taken(const char *text, h1_parser **p)
{
	*p = h1_given(text);
	cr_assert_eq(h1_state(*p), H1_DONE, "not taken: %s", text);
	return (h1_request(*p));
}

static inline void
h1_check_case(
    const struct h1_case *c, const struct h1_limits *limits, size_t cut)
{
	size_t len = c->len > 0 ? c->len : strlen(c->text);
	h1_parser *p = h1_new(limits);

	cr_assert_not_null(p);
	h1_feed_cuts(p, c->text, len, cut);
	if (c->code == ERR_NONE) {
		cr_expect_eq(h1_state(p), H1_DONE, "%s: not taken", c->name);
	} else {
		cr_expect_eq(h1_state(p), H1_ERROR, "%s: not refused", c->name);
		if (h1_fault(p) != NULL) {
			cr_expect_eq(h1_fault(p)->code, c->code,
			    "%s: code %d, not %d (%s)", c->name,
			    (int)h1_fault(p)->code, (int)c->code,
			    h1_fault(p)->detail);
			cr_expect_neq(h1_fault(p)->detail[0], '\0');
		}
	}
	h1_free(p);
}

/* Every row, whole and byte by byte. */
static inline void
h1_check_cases(
    const struct h1_case *cases, size_t n, const struct h1_limits *limits)
{
	size_t i;

	for (i = 0; i < n; i++) {
		h1_check_case(&cases[i], limits, SIZE_MAX);
		h1_check_case(&cases[i], limits, 1);
	}
}

#define H1_CHECK(cases)                                                        \
	h1_check_cases((cases), sizeof(cases) / sizeof((cases)[0]), &h1_usual)

#endif
