/*
 * jar.h - the cookies of an answer, and requests with them.
 */
#ifndef CORGI_TEST_JAR_H
#define CORGI_TEST_JAR_H

#include <stdbool.h>

#include "raw.h"

/* The four cookies of a login, under their usual names; NULL where one was not
 * set. */
struct jar {
	char *access;
	char *refresh;
	char *access_csrf;
	char *refresh_csrf;
};

/* Log the demo account in with a POST to that path and take the two tokens;
 * without them the test ends. Release both. */
void jar_login(
    int port, const char *path, struct raw_response *answer, struct jar *jar);

/* Take the cookies out of an answer; ends the test when there are no tokens.
 * Release with jar_free(). */
void jar_take(const struct raw_response *answer, struct jar *jar);
void jar_free(struct jar *jar);

/* Header lines with both tokens as cookies, as a browser sends them, and
 * X-CSRF-TOKEN (NULL: without); free() it. */
char *jar_lines(const struct jar *jar, const char *csrf);

/* A line with every $ replaced by the access token's CSRF value and every % by
 * the refresh token's; free() it. */
char *jar_proof(const struct jar *jar, const char *line);

/* The value that an answer sets a cookie to; free() it. NULL when it does
 * not. */
char *jar_value(const struct raw_response *answer, const char *name);

/* An answer sets a cookie once, to that value (NULL: any but the empty one),
 * with exactly these attributes ("; Path=/; ..."). */
void jar_expect(const struct raw_response *answer, const char *name,
    const char *value, const char *attributes);

/* An answer removes a cookie with these first attributes. */
void jar_expect_gone(const struct raw_response *answer, const char *name,
    const char *first, bool hidden);

#endif
