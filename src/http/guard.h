/*
 * guard.h - the guard that kore.conf declares, and the handlers behind it.
 *
 * kore.conf binds guard_verify as a validator, an authentication block of type
 * "request" to it, and a route to the block; the block's authentication_value
 * says what is asked for, in words with blanks between them:
 *
 *	access		an access token (also when no kind is named)
 *	refresh		a refresh token; with access: either
 *	optional	no token will do, too (a bad one will not)
 *	fresh		the token comes straight from a login
 *	max_age=SECONDS	... at most so long ago
 *	role=A,B	the account has one of these roles; several such words
 *			must all be met
 *	strict		the database is asked on every request whether the
 *			token has been revoked, wherever that was
 *	headers cookies query json
 *			where a token may come from, looked at in this order;
 *			none named: headers
 *
 * A handler behind the guard is written with GUARDED_HANDLER: it is given the
 * verified claims and cannot be called without them. One that can do without
 * is written with OPTIONAL_HANDLER: claims are NULL when there was no token,
 * and only such a handler may stand behind "optional". guard_check() refuses a
 * configuration in which such a handler stands on a route that has no sound
 * authentication block.
 *
 * What a handler learns about the caller it reads from the claims: see the
 * claims_*() functions of auth/token.h.
 */
#ifndef CORGI_GUARD_H
#define CORGI_GUARD_H

#include <stdbool.h>
#include <stddef.h>

#include "auth/token.h"
#include "http/export.h"

struct http_request;

/* Longest sentence of guard_check(), with the NUL (bytes). */
#define GUARD_ERROR_MAX 512

typedef int (*guarded_handler)(struct http_request *, const struct claims *);

/*
 * Define a handler that serves protected data:
 *
 *	GUARDED_HANDLER(handle_me)
 *	{
 *		return (reply_with_something_about(req, claims));
 *	}
 *
 * kore.conf names it like any handler. Its name is also noted in a section of
 * the module, which is how guard_check() knows that it must be guarded.
 */
#define GUARDED_HANDLER(name) GUARD_HANDLER(name, false)

/* The same for a handler that can do without a token: claims may be NULL. */
#define OPTIONAL_HANDLER(name) GUARD_HANDLER(name, true)

/* What is noted about a handler. */
struct guard_note {
	const char *name;
	bool optional;
};

#define GUARD_HANDLER(name, optional)                                          \
	static int name##_guarded(                                             \
	    struct http_request *, const struct claims *);                     \
	CORGI_EXPORT int name(struct http_request *);                          \
	static const struct guard_note name##_note = {#name, optional};        \
	static const struct guard_note *const name##_noted                     \
	    __attribute__((section("corgi_guarded"), used)) = &name##_note;    \
	CORGI_EXPORT int name(struct http_request *req)                        \
	{                                                                      \
		return (guard_run(req, name##_guarded, optional));             \
	}                                                                      \
	static int name##_guarded(                                             \
	    struct http_request *req, const struct claims *claims)

/* Prepare a worker: its cache of verified tokens. Returns 0, or -1 when out of
 * memory. */
int guard_init(void) __attribute__((warn_unused_result));

/* Wipe and release the cache. */
void guard_stop(void);

/*
 * Kore's validator callback, named in kore.conf. Answers the request itself
 * and returns KORE_RESULT_ERROR when it refuses. Event loop.
 */
CORGI_EXPORT int guard_verify(struct http_request *req, char *unused);

/*
 * Call a handler with the guard's claims. Without them answer 500 and serve
 * nothing, unless the handler can do without and the guard has found that there
 * was no token. Event loop; for GUARDED_HANDLER and OPTIONAL_HANDLER.
 */
int guard_run(struct http_request *req, guarded_handler handler, bool optional);

/* Whether the token came in a cookie. Event loop. */
bool guard_from_cookie(const struct http_request *req);

/*
 * The text of the token, for a handler that renews it; *len bytes, there while
 * the request lives. Kept only where the block asks for refresh tokens, else
 * "". Event loop.
 */
const char *guard_token(const struct http_request *req, size_t *len);

/*
 * Check every listener, route and authentication block of the configuration
 * and log one line per route. Parent, after the configuration is parsed.
 * Returns 0, or -1 with a sentence that names the route or listener at fault.
 */
int
guard_check(char error[GUARD_ERROR_MAX]) __attribute__((warn_unused_result));

/* Whether a listener is bound to front_connect_tls. Parent. */
bool guard_has_tls_listener(void);

#endif
