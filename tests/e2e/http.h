/*
 * http.h - ordinary requests through libcurl, one connection kept alive per
 * test. Responses have the form of raw.h, so that the same checks serve both.
 */
#ifndef CORGI_TEST_HTTP_H
#define CORGI_TEST_HTTP_H

#include <stddef.h>

#include "raw.h"

/* The account that the development flavour makes. */
#define DEMO_USER     "cosmo"
#define DEMO_PASSWORD "space-corgi"
#define DEMO_LOGIN                                                             \
	"{\"username\": \"" DEMO_USER "\", \"password\": \"" DEMO_PASSWORD "\"}"

/* A request; zeroed members are left out. No header is added to those given
 * but Host, Content-Length and Accept. */
struct http_request {
	const char *method;         /* NULL: GET */
	const char *path;           /* with its query, sent as it is */
	const char *const *headers; /* "Name: value", NULL at the end */
	const void *body;           /* NULL: none */
	size_t len;
};

/*
 * Send a request and read the answer. Returns its status, or 0 when there was
 * none. *out (may be NULL) is released with raw_response_free().
 */
int http_send(
    int port, const struct http_request *request, struct raw_response *out);

/* GET with an Authorization value (NULL: without). */
int http_get(int port, const char *path, const char *authorization,
    struct raw_response *out);

/* GET with "Bearer " and a token. */
int http_get_token(
    int port, const char *path, const char *token, struct raw_response *out);

/* POST /login with a body of that text as application/json. */
int http_login(int port, const char *json, struct raw_response *out);

/* The token out of a good login; ends the test when it is refused. free() it.
 * The second form is the demo account's. */
char *http_token_for(int port, const char *json);
char *http_token(int port);

#endif
