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

const struct kore_module_handle *
route_find(const struct connection *c, const char *host, const char *path)
{
	struct kore_module_handle *route;
	struct kore_domain *domain;

	domain = kore_domain_lookup(c->owner->server, host);
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
