/*
 * sess.h - sessions as a client sees them: two tokens, and requests with them
 * on connections that are spread over the workers.
 *
 * What ends a test is said where it is so; everything else is told by return
 * values.
 */
#ifndef CORGI_TEST_SESS_H
#define CORGI_TEST_SESS_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "raw.h"
#include "server.h"

/* The two tokens of an answer. */
struct pair {
	char *access;
	char *refresh;
};

/* Log in; a refusal ends the test. pair_demo() is the demo account's. Release
 * with pair_free(). */
struct pair pair_login(int port, const char *name, const char *password);
struct pair pair_demo(int port);

/* Take them out of a good answer, whose body has to hold them alone. False
 * when it has not. */
bool pair_take(const struct raw_response *answer, struct pair *out);

/* POST /refresh with a token in the header. Its status; with 200 *out (may be
 * NULL) is filled. */
int pair_refresh(int port, const char *refresh, struct pair *out);

void pair_free(struct pair *pair);

/*
 * A request on a connection of its own: token (NULL: none) as Bearer, json
 * (NULL: no body) as application/json, headers (NULL: none) as whole lines with
 * their CRLF. Its status, 0 without an answer; *out (may be NULL) is released
 * with raw_response_free().
 */
int sess_ask(int port, const char *method, const char *path, const char *token,
    const char *json, struct raw_response *out);
int
sess_ask_with(int port, const char *method, const char *path, const char *token,
    const char *headers, const char *json, struct raw_response *out);

/* The same on a connection that is there and stays. */
int sess_ask_on(struct raw *r, const char *method, const char *path,
    const char *token, const char *json, struct raw_response *out);

/* The text of that request; free() it. */
char *sess_text(const char *method, const char *path, const char *token,
    const char *headers, const char *json);

/* {"username", "password"} in JSON; both as they stand there. free() it. */
char *sess_login_json(const char *name, const char *password);

/* The status of a login; name and password as they stand in JSON. */
int sess_login(int port, const char *name, const char *password);

/* The same from a loopback address, with header lines (NULL: none). *out (may
 * be NULL) is released with raw_response_free(). */
int sess_login_from(int port, const char *from, const char *headers,
    const char *name, const char *password, struct raw_response *out);

/*
 * Open connections until every worker holds at least one of them: each has been
 * answered once. Ends the test when that cannot be had.
 */
void sess_spread(const struct server *s, struct raw **connections, size_t n);
void sess_spread_close(struct raw **connections, size_t n);

/* Show a token on each of them to a guarded route: every status has to be this
 * one. */
void sess_expect_all(const char *row, struct raw **connections, size_t n,
    const char *token, int status);

/* The payload of a token; json_decref() it. Ends the test when there is
 * none. */
json_t *sess_claims(const char *token);

/* A text claim; free() it. NULL when it is not there. */
char *sess_claim(const char *token, const char *name);

/* A text member of an answer's body; free() it. NULL when it is not there. */
char *sess_member(const struct raw_response *answer, const char *name);

/*
 * Run corgictl with a password (NULL: none) on its standard input and up to
 * eight words, NULL at the end; its exit status.
 */
int sess_ctl(const struct server *s, const char *password, ...);

/* The first column of the first row of a query on the service's database, as
 * text; free() it. NULL without a row. */
char *sess_query(const struct server *s, const char *sql);

#endif
