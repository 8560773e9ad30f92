/*
 * guard_check.c - compare the configuration with the handlers at start: no
 * handler that serves protected data may stand in the open.
 */
#include <stdio.h>
#include <string.h>

#include <kore/kore.h>
#include <kore/http.h>

#include "base/log.h"
#include "http/front.h"
#include "http/guard_internal.h"
#include "http/route.h"

/* Most authentication blocks a configuration may use. */
#define GUARDS_MAX 64

/* The blocks in use, parsed at start; read-only afterwards. */
static struct guard guards[GUARDS_MAX];
static size_t nguards;

/* The handlers noted by the macros; the linker marks both ends. */
extern const struct guard_note *const __start_corgi_guarded[]
    __attribute__((visibility("hidden")));
extern const struct guard_note *const __stop_corgi_guarded[]
    __attribute__((visibility("hidden")));

static int check_listeners(const struct kore_server *, char[GUARD_ERROR_MAX]);
static int
check_route(const struct kore_module_handle *, char[GUARD_ERROR_MAX]);
static int
check_block(const struct kore_module_handle *, char[GUARD_ERROR_MAX]);
static int
parse_block(const struct kore_module_handle *, char[GUARD_ERROR_MAX]);
static const struct guard_note *note_of(const char *);
static void log_route(const struct kore_module_handle *);

int
guard_check(char error[GUARD_ERROR_MAX])
{
	const struct kore_server *server;
	const struct kore_domain *domain;
	const struct kore_module_handle *route;

	LIST_FOREACH(server, &kore_servers, list) {
		if (check_listeners(server, error) == -1)
			return (-1);
		TAILQ_FOREACH(domain, &server->domains, list) {
			TAILQ_FOREACH(route, &domain->handlers, list) {
				if (check_route(route, error) == -1)
					return (-1);
				log_route(route);
			}
		}
	}
	return (0);
}

bool
guard_has_tls_listener(void)
{
	const struct kore_server *server;
	const struct listener *l;

	LIST_FOREACH(server, &kore_servers, list) {
		LIST_FOREACH(l, &server->listeners, list) {
			if (l->connect->addr ==
			    (void *)(uintptr_t)front_connect_tls)
				return (true);
		}
	}
	return (false);
}

const struct guard *
guard_find(const struct kore_auth *block)
{
	size_t i;

	for (i = 0; i < nguards; i++)
		if (guards[i].block == block)
			return (&guards[i]);
	return (NULL);
}

/* A request that bypassed the front would bypass its checks. */
static int
check_listeners(const struct kore_server *server, char error[GUARD_ERROR_MAX])
{
	const struct listener *l;
	const void *callback;

	LIST_FOREACH(l, &server->listeners, list) {
		callback = l->connect != NULL ? l->connect->addr : NULL;
		if (callback == (void *)(uintptr_t)front_connect ||
		    (callback == (void *)(uintptr_t)front_connect_tls &&
			!server->tls))
			continue;
		(void)snprintf(error, GUARD_ERROR_MAX,
		    "the listener %s %s of server %s has no connection front: "
		    "write \"bind %s %s front_connect\"",
		    l->host != NULL ? l->host : "-",
		    l->port != NULL ? l->port : "-", server->name,
		    l->host != NULL ? l->host : "-",
		    l->port != NULL ? l->port : "-");
		return (-1);
	}
	return (0);
}

static int
check_route(const struct kore_module_handle *route, char error[GUARD_ERROR_MAX])
{
	const struct guard_note *note = note_of(route->func);

	if (route->auth == NULL) {
		if (note == NULL)
			return (0);
		(void)snprintf(error, GUARD_ERROR_MAX,
		    "route %.128s: %.64s serves protected data and needs an "
		    "authentication block on its route",
		    route->path, route->func);
		return (-1);
	}
	if (check_block(route, error) == -1 || parse_block(route, error) == -1)
		return (-1);
	if (note != NULL && !note->optional &&
	    guard_find(route->auth)->optional) {
		(void)snprintf(error, GUARD_ERROR_MAX,
		    "route %.128s: %.64s cannot do without a token, but the "
		    "authentication_value of block %.64s says \"optional\"",
		    route->path, route->func, route->auth->name);
		return (-1);
	}
	return (0);
}

static int
check_block(const struct kore_module_handle *route, char error[GUARD_ERROR_MAX])
{
	const struct kore_auth *block = route->auth;

	if (block->type == KORE_AUTH_TYPE_REQUEST && block->validator != NULL &&
	    block->validator->rcall != NULL &&
	    block->validator->rcall->addr == (void *)(uintptr_t)guard_verify)
		return (0);
	(void)snprintf(error, GUARD_ERROR_MAX,
	    "route %.128s: the authentication block %.64s must have "
	    "authentication_type request and a validator that calls "
	    "guard_verify",
	    route->path, block->name);
	return (-1);
}

/* Parse the block of a route, once however many routes share it. */
static int
parse_block(const struct kore_module_handle *route, char error[GUARD_ERROR_MAX])
{
	const struct kore_auth *block = route->auth;
	char problem[GUARD_PROBLEM_MAX];
	struct guard *g;

	if (guard_find(block) != NULL)
		return (0);
	if (nguards == GUARDS_MAX) {
		(void)snprintf(error, GUARD_ERROR_MAX,
		    "route %.128s: more than %d authentication blocks",
		    route->path, GUARDS_MAX);
		return (-1);
	}
	g = &guards[nguards];
	memset(g, 0, sizeof(*g));
	g->block = block;
	if (guard_words(block->value != NULL ? block->value : "", g, problem) ==
	    -1) {
		(void)snprintf(error, GUARD_ERROR_MAX,
		    "route %.64s: authentication_value of block %.64s %s",
		    route->path, block->name, problem);
		return (-1);
	}
	nguards++;
	return (0);
}

static const struct guard_note *
note_of(const char *handler)
{
	const struct guard_note *const *note;

	for (note = __start_corgi_guarded; note < __stop_corgi_guarded; note++)
		if (strcmp((*note)->name, handler) == 0)
			return (*note);
	return (NULL);
}

static void
log_route(const struct kore_module_handle *route)
{
	char allow[ROUTE_ALLOW_MAX];

	if (route->methods == HTTP_METHOD_ALL)
		log_line(LOG_LEVEL_WARNING,
		    "route %s has no restrict line: it takes every method",
		    route->path);
	route_allow(route, allow);
	log_line(LOG_LEVEL_NOTICE, "route %s (%s): %s%s", route->path, allow,
	    route->auth != NULL ? "guard " : "public",
	    route->auth != NULL ? route->auth->name : "");
}
