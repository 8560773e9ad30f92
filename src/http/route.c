#include <string.h>

#include <kore/kore.h>
#include <kore/http.h>

#include "http/route.h"

/* In alphabetical order, the order in which Allow names them. */
static const struct {
	const char *name;
	int bit;
} methods[] = {
    {"DELETE", HTTP_METHOD_DELETE},
    {"GET", HTTP_METHOD_GET},
    {"HEAD", HTTP_METHOD_HEAD},
    {"OPTIONS", HTTP_METHOD_OPTIONS},
    {"PATCH", HTTP_METHOD_PATCH},
    {"POST", HTTP_METHOD_POST},
    {"PUT", HTTP_METHOD_PUT},
};

/* What was looked for last, and found (NULL: nothing). */
static struct {
	const struct kore_server *server;
	const struct kore_module_handle *route;
	size_t host_len;
	size_t path_len;
	char host[64];
	char path[64];
} last;

static const struct kore_module_handle *
look_up(struct kore_server *, const char *, const char *);

#define METHODS (sizeof(methods) / sizeof(methods[0]))

int
route_method(const char *name)
{
	size_t i;

	for (i = 0; i < METHODS; i++)
		if (strcmp(methods[i].name, name) == 0)
			return (methods[i].bit);
	return (0);
}

/* Routes do not change while a worker lives, and most requests ask for what
 * was asked for just now. */
const struct kore_module_handle *
route_find(const struct connection *c, const char *host, const char *path)
{
	struct kore_server *server = c->owner->server;
	const struct kore_module_handle *route;
	size_t host_len = strlen(host), path_len = strlen(path);

	if (last.server == server && last.host_len == host_len &&
	    last.path_len == path_len &&
	    memcmp(last.host, host, host_len) == 0 &&
	    memcmp(last.path, path, path_len) == 0)
		return (last.route);
	route = look_up(server, host, path);
	if (host_len <= sizeof(last.host) && path_len <= sizeof(last.path)) {
		last.server = server;
		last.route = route;
		last.host_len = host_len;
		last.path_len = path_len;
		memcpy(last.host, host, host_len);
		memcpy(last.path, path, path_len);
	}
	return (route);
}

static const struct kore_module_handle *
look_up(struct kore_server *server, const char *host, const char *path)
{
	struct kore_module_handle *route;
	struct kore_domain *domain;

	domain = kore_domain_lookup(server, host);
	if (domain == NULL)
		return (NULL);

	TAILQ_FOREACH(route, &domain->handlers, list) {
		if (route->type == HANDLER_TYPE_STATIC
			? strcmp(route->path, path) == 0
			: regexec(&route->rctx, path, 0, NULL, 0) == 0)
			return (route);
	}
	return (NULL);
}

void
route_allow(const struct kore_module_handle *route, char out[ROUTE_ALLOW_MAX])
{
	size_t i, len;

	len = 0;
	for (i = 0; i < METHODS; i++) {
		if (methods[i].bit != HTTP_METHOD_OPTIONS &&
		    !route_takes(route, methods[i].bit))
			continue;
		if (len > 0) {
			memcpy(out + len, ", ", 2);
			len += 2;
		}
		memcpy(out + len, methods[i].name, strlen(methods[i].name));
		len += strlen(methods[i].name);
	}
	out[len] = '\0';
}

bool
route_takes(const struct kore_module_handle *route, int method)
{
	return ((route->methods & method) != 0);
}
