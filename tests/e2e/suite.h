/*
 * suite.h - what several suites begin with.
 */
#ifndef CORGI_TEST_SUITE_H
#define CORGI_TEST_SUITE_H

#include <stdbool.h>
#include <stddef.h>

#include "raw.h"
#include "server.h"

/* The two bodies of the guarded routes. */
#define PROTECTED_JSON                                                         \
	"{\"message\": \"This is a protected route, and you are "              \
	"authenticated!\"}"
#define SECURE_DATA_JSON                                                       \
	"{\"message\": \"This is secure data, and you are authenticated!\"}"

/* A server with TOK_SECRET and JWT_ERROR_STYLE. */
struct server *suite_start(const char *style);

/* The same with up to eight more NAME=value strings, NULL at the end. */
struct server *suite_start_with(const char *style, ...);

/* POST /login with a body of that type; NULL: no Content-Type header, "": an
 * empty one. */
int suite_post_login(int port, const char *type, const void *body, size_t len,
    struct raw_response *out);

/* Define a test of a suite twice, for each style: rows(port, rfc). */
#define BOTH_STYLES(suite, name, rows)                                         \
	Test(suite, name##_flask)                                              \
	{                                                                      \
		struct server *s = suite_start("flask");                       \
		rows(server_port(s), false);                                   \
		server_stop(s);                                                \
	}                                                                      \
	Test(suite, name##_rfc6750)                                            \
	{                                                                      \
		struct server *s = suite_start("rfc6750");                     \
		rows(server_port(s), true);                                    \
		server_stop(s);                                                \
	}

/* conf/routes.conf with these words in the place of those of the block
 * "signed_in", which guards /protected; free() it. */
char *suite_routes(const char *words);

#endif
