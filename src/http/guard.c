#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kore/kore.h>
#include <kore/http.h>

#include "auth/bearer.h"
#include "auth/token_cache.h"
#include "base/log.h"
#include "http/front.h"
#include "http/guard.h"
#include "http/route.h"
#include "http/service.h"

/* Most authentication blocks a configuration may use. */
#define GUARDS_MAX 64

/* What an authentication block asks for. */
struct guard {
	const struct kore_auth *block;
	bool access;
};

/* The blocks in use, parsed at start; read-only afterwards. */
static struct guard guards[GUARDS_MAX];
static size_t nguards;

/* Tokens this worker has verified. */
static struct token_cache *tokens;

/* The names noted by GUARDED_HANDLER; the linker marks both ends. */
extern const char *const __start_corgi_guarded[]
    __attribute__((visibility("hidden")));
extern const char *const __stop_corgi_guarded[]
    __attribute__((visibility("hidden")));

static const struct guard *guard_find(const struct kore_auth *);
static int
guard_parse(const struct kore_module_handle *, char[GUARD_ERROR_MAX]);
static int guard_parse_words(struct guard *, char *,
    const struct kore_module_handle *, char[GUARD_ERROR_MAX]);
static int check_listeners(const struct kore_server *, char[GUARD_ERROR_MAX]);
static int
check_route(const struct kore_module_handle *, char[GUARD_ERROR_MAX]);
static bool is_guarded(const char *);
static void release_claims(void *);
static void ask_access(struct guard *);

/* The words of authentication_value. */
static const struct {
	const char *word;
	void (*apply)(struct guard *);
} words[] = {
    {"access", ask_access},
};

int
guard_init(void)
{
	const struct service *service = service_get();

	tokens = token_cache_new(
	    &service->policy, (size_t)service->config.token_cache_kib * 1024);
	return (tokens == NULL ? -1 : 0);
}

void
guard_stop(void)
{
	token_cache_free(tokens);
	tokens = NULL;
}

int
guard_verify(struct http_request *req, char *unused)
{
	const struct service *service = service_get();
	struct bearer_rules rules;
	struct refusal refusal;
	struct fault fault;
	struct claims *claims;
	const char *value, *token;
	char *joined;
	size_t len, token_len;

	(void)unused;
	joined = NULL;
	len = 0;
	memset(&refusal, 0, sizeof(refusal));
	refusal.fault = &fault;

	if (guard_find(req->hdlr->auth) == NULL) {
		log_line(LOG_LEVEL_ERR, "route %s: its guard is not known",
		    req->hdlr->path);
		(void)front_refuse(req, ERR_INTERNAL);
		return (KORE_RESULT_ERROR);
	}

	rules.type = service->config.header_type;
	rules.any_case = service->config.error_style == STYLE_RFC6750;
	value = h1_join(
	    front_request(req), service->config.header_name, &len, &joined);
	(void)fault_set(
	    &fault, bearer_find(&rules, value, len, &token, &token_len), NULL);
	if (fault.code == ERR_NONE &&
	    token_cache_verify(tokens, token, token_len, &claims, &fault) ==
		ERR_NONE)
		front_set(req, FRONT_CLAIMS, claims, release_claims);
	free(joined);

	if (fault.code == ERR_NONE)
		return (KORE_RESULT_OK);
	(void)front_refuse_with(req, &refusal);
	return (KORE_RESULT_ERROR);
}

int
guard_run(struct http_request *req, guarded_handler handler)
{
	const struct claims *claims;

	claims = front_get(req, FRONT_CLAIMS);
	if (claims == NULL) {
		log_line(LOG_LEVEL_ERR, "route %s reached without its guard",
		    req->hdlr->path);
		return (front_refuse(req, ERR_INTERNAL));
	}
	return (handler(req, claims));
}

int
guard_check(char error[GUARD_ERROR_MAX])
{
	const struct kore_server *server;
	const struct kore_domain *domain;
	const struct kore_module_handle *route;
	char allow[ROUTE_ALLOW_MAX];

	LIST_FOREACH(server, &kore_servers, list) {
		if (check_listeners(server, error) == -1)
			return (-1);
		TAILQ_FOREACH(domain, &server->domains, list) {
			TAILQ_FOREACH(route, &domain->handlers, list) {
				if (check_route(route, error) == -1)
					return (-1);
				if (route->methods == HTTP_METHOD_ALL)
					log_line(LOG_LEVEL_WARNING,
					    "route %s has no restrict line: "
					    "it takes every method",
					    route->path);
				route_allow(route, allow);
				log_line(LOG_LEVEL_NOTICE,
				    "route %s (%s): %s%s", route->path, allow,
				    route->auth != NULL ? "guard " : "public",
				    route->auth != NULL ? route->auth->name
							: "");
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
	const struct kore_auth *block = route->auth;

	if (block == NULL) {
		if (!is_guarded(route->func))
			return (0);
		(void)snprintf(error, GUARD_ERROR_MAX,
		    "route %s: %s serves protected data and needs an "
		    "authentication block on its route",
		    route->path, route->func);
		return (-1);
	}
	if (block->type != KORE_AUTH_TYPE_REQUEST || block->validator == NULL ||
	    block->validator->rcall == NULL ||
	    block->validator->rcall->addr != (void *)(uintptr_t)guard_verify) {
		(void)snprintf(error, GUARD_ERROR_MAX,
		    "route %s: the authentication block %s must have "
		    "authentication_type request and a validator that calls "
		    "guard_verify",
		    route->path, block->name);
		return (-1);
	}
	return (guard_parse(route, error));
}

/* Parse the block of a route, once however many routes share it. */
static int
guard_parse(const struct kore_module_handle *route, char error[GUARD_ERROR_MAX])
{
	struct guard *g;
	char *value;
	int ret;

	if (guard_find(route->auth) != NULL)
		return (0);
	if (nguards == GUARDS_MAX) {
		(void)snprintf(error, GUARD_ERROR_MAX,
		    "route %s: more than %d authentication blocks", route->path,
		    GUARDS_MAX);
		return (-1);
	}

	g = &guards[nguards];
	memset(g, 0, sizeof(*g));
	g->block = route->auth;
	value = strdup(route->auth->value != NULL ? route->auth->value : "");
	if (value == NULL)
		fatal("out of memory at start");
	ret = guard_parse_words(g, value, route, error);
	free(value);
	if (ret == 0)
		nguards++;
	return (ret);
}

static int
guard_parse_words(struct guard *g, char *value,
    const struct kore_module_handle *route, char error[GUARD_ERROR_MAX])
{
	char *word, *rest;
	size_t i, len, n;

	n = sizeof(words) / sizeof(words[0]);
	for (word = strtok_r(value, " \t", &rest); word != NULL;
	     word = strtok_r(NULL, " \t", &rest)) {
		for (i = 0; i < n && strcmp(words[i].word, word) != 0; i++)
			continue;
		if (i == n)
			break;
		words[i].apply(g);
	}
	if (word == NULL && g->access)
		return (0);

	len = (size_t)snprintf(error, GUARD_ERROR_MAX,
	    "route %s: authentication_value of block %s %s%.64s%s; known are:",
	    route->path, route->auth->name,
	    word != NULL ? "has the unknown word \"" : "asks for nothing",
	    word != NULL ? word : "", word != NULL ? "\"" : "");
	for (i = 0; i < n && len < GUARD_ERROR_MAX; i++)
		len += (size_t)snprintf(
		    error + len, GUARD_ERROR_MAX - len, " %s", words[i].word);
	return (-1);
}

static const struct guard *
guard_find(const struct kore_auth *block)
{
	size_t i;

	for (i = 0; i < nguards; i++)
		if (guards[i].block == block)
			return (&guards[i]);
	return (NULL);
}

static bool
is_guarded(const char *handler)
{
	const char *const *name;

	for (name = __start_corgi_guarded; name < __stop_corgi_guarded; name++)
		if (strcmp(*name, handler) == 0)
			return (true);
	return (false);
}

static void
release_claims(void *claims)
{
	claims_free(claims);
}

static void
ask_access(struct guard *g)
{
	g->access = true;
}
