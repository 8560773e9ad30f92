/*
 * routes.h - a routes file of a test's own, each route with a block of its own
 * words.
 */
#ifndef CORGI_TEST_ROUTES_H
#define CORGI_TEST_ROUTES_H

#include <stddef.h>

#include "server.h"

/* A guarded route, and what its authentication_value says. */
struct own_route {
	const char *path;
	const char *words;
	const char *handler; /* NULL: handle_protected */
};

/*
 * The text of a routes file: /health and /login, and these. The block of a
 * route is called "block_" and its path without the slash; every route takes
 * GET, HEAD, POST, PUT, PATCH and DELETE. free() it.
 */
char *routes_text(const struct own_route *rows, size_t n);

/* A server with them, TOK_SECRET, JWT_ERROR_STYLE and up to two more settings (NULL:
 * none). */
struct server *routes_start(const char *style, const struct own_route *rows,
    size_t n, const char *setting, const char *more);

#endif
