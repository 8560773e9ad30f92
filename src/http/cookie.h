/*
 * cookie.h - tokens in cookies: found in requests, set and cleared in answers
 * (RFC 6265bis), with Flask-JWT-Extended's names and its double submit
 * protection against CSRF. Event loop.
 */
#ifndef CORGI_COOKIE_H
#define CORGI_COOKIE_H

#include <stdbool.h>
#include <stddef.h>

#include "auth/session.h"
#include "base/config.h"
#include "base/h1.h"

/*
 * The value of a cookie of a request, by its configured name (the __Host-
 * prefix is added here), without quotes around it. The first one counts. Points
 * into the request. NULL when there is none, or when it is empty.
 */
const char *cookie_find(const struct config *config,
    const struct h1_request *request, const char *name, size_t *len);

/*
 * The header lines that give a client its tokens: two cookies, and two for the
 * CSRF values where those are set as cookies. *len bytes; wipe and release with
 * secret_free_mem(). NULL when out of memory.
 */
char *
cookie_lines(const struct config *config, const struct session_tokens *tokens,
    size_t *len) __attribute__((warn_unused_result));

/* The header lines that clear them all. free() it. */
char *cookie_lines_clear(const struct config *config, size_t *len)
    __attribute__((warn_unused_result));

#endif
