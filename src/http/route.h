/*
 * route.h - what kore.conf's routes say about a request, before Kore is asked.
 *
 * Kore answers an unknown path, a wrong method and OPTIONS with an empty body
 * or not at all as wanted, so the front looks the request up first. The routes
 * are Kore's own; nothing is declared here. Event loop or parent.
 */
#ifndef CORGI_ROUTE_H
#define CORGI_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

struct connection;
struct kore_module_handle;

/* Room for the longest Allow value, with the NUL (bytes). */
#define ROUTE_ALLOW_MAX 64

/*
 * Kore's bit for a method name (case matters, RFC 9110, section 9.1), or 0
 * for one that it does not know.
 */
int route_method(const char *name);

/* The route of a path (without query) on the connection's server and host, or
 * NULL. */
const struct kore_module_handle *
route_find(const struct connection *c, const char *host, const char *path);

/* The methods of a route for an Allow header, OPTIONS among them, in
 * alphabetical order. */
void
route_allow(const struct kore_module_handle *route, char out[ROUTE_ALLOW_MAX]);

/* Whether a route takes the method. */
bool route_takes(const struct kore_module_handle *route, int method);

#endif
