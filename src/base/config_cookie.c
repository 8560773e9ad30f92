/*
 * config_cookie.c - reading the values of options about cookies, and further
 * claims.
 */
#include <stdbool.h>
#include <string.h>

#include "base/config_internal.h"
#include "base/jdoc.h"

/* What may stand in a cookie's path or domain: no control character, no
 * semicolon, nothing outside ASCII (RFC 6265, section 4.1.1). */
#define FIRST_PLAIN 0x21
#define LAST_PLAIN  0x7e

static bool is_token(const char *, size_t);
static bool is_plain(const char *, size_t);
static bool is_own_claim(const char *, size_t);
static bool find_own_claim(const char *, size_t, const jdoc *, void *);

/* Whether a text is a token (RFC 9110, section 5.6.2). */
static bool
is_token(const char *text, size_t len)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789!#$%&'*+-.^_`|~";

	return (strspn(text, allowed) == len);
}

static bool
is_plain(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (text[i] < FIRST_PLAIN || text[i] > LAST_PLAIN ||
		    text[i] == ';' || text[i] == ',')
			return (false);
	return (true);
}

const char *
config_read_cookie_name(
    const struct config_rule *rule, struct secret *value, void *place)
{
	const char *text = (const char *)value->data;

	if (value->len > (size_t)rule->max)
		return ("is too long");
	if (!is_token(text, value->len))
		return ("holds a character that such a name cannot have");
	return (config_keep(place, text, value->len));
}

const char *
config_read_cookie_path(
    const struct config_rule *rule, struct secret *value, void *place)
{
	const char *text = (const char *)value->data;

	if (value->len > (size_t)rule->max)
		return ("is too long");
	if (text[0] != '/')
		return ("does not begin with a slash");
	if (!is_plain(text, value->len))
		return ("holds a character that a path cannot have");
	return (config_keep(place, text, value->len));
}

const char *
config_read_cookie_domain(
    const struct config_rule *rule, struct secret *value, void *place)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789.-";
	const char *text = (const char *)value->data;

	if (value->len > (size_t)rule->max)
		return ("is too long");
	if (strspn(text, allowed) != value->len)
		return ("holds a character that a domain cannot have");
	return (config_keep(place, text, value->len));
}

const char *
config_read_same_site(
    const struct config_rule *rule, struct secret *value, void *place)
{
	static const char *const names[] = {
	    [SAME_SITE_LAX] = "Lax",
	    [SAME_SITE_STRICT] = "Strict",
	    [SAME_SITE_NONE] = "None",
	};
	enum config_same_site *same_site = place;
	size_t i;

	(void)rule;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (value->len == strlen(names[i]) &&
		    memcmp(value->data, names[i], value->len) == 0) {
			*same_site = (enum config_same_site)i;
			return (NULL);
		}
	}
	return ("is not Lax, Strict or None");
}

const char *
config_read_switch(
    const struct config_rule *rule, struct secret *value, void *place)
{
	bool *on = place;

	(void)rule;
	if (value->len == 3 && memcmp(value->data, "yes", 3) == 0)
		*on = true;
	else if (value->len == 2 && memcmp(value->data, "no", 2) == 0)
		*on = false;
	else
		return ("is neither yes nor no");
	return (NULL);
}

unsigned int
config_csrf_method(const char *name, size_t len)
{
	static const struct {
		const char *name;
		unsigned int bit;
	} methods[] = {
	    {"POST", CSRF_POST},
	    {"PUT", CSRF_PUT},
	    {"PATCH", CSRF_PATCH},
	    {"DELETE", CSRF_DELETE},
	};
	size_t i;

	for (i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (len == strlen(methods[i].name) &&
		    memcmp(name, methods[i].name, len) == 0)
			return (methods[i].bit);
	return (0);
}

const char *
config_read_methods(
    const struct config_rule *rule, struct secret *value, void *place)
{
	const char *p = (const char *)value->data;
	unsigned int *methods = place, bit;
	size_t len;

	(void)rule;
	if (strlen(p) != value->len)
		return ("holds a NUL");
	*methods = 0;
	for (;;) {
		p += strspn(p, " ");
		len = strcspn(p, ", ");
		bit = config_csrf_method(p, len);
		if (bit == 0)
			return ("names a method that is not one of these");
		*methods |= bit;
		p += len;
		p += strspn(p, " ");
		if (*p == '\0')
			return (NULL);
		if (*p++ != ',')
			return ("has no comma between its entries");
	}
}

/* The claims that only the service sets. */
static bool
is_own_claim(const char *name, size_t len)
{
	static const char *const own[] = {"fresh", "iat", "jti", "type", "sub",
	    "nbf", "csrf", "exp", "iss", "aud", "sid", "ver", "roles"};
	size_t i;

	for (i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (len == strlen(own[i]) && memcmp(name, own[i], len) == 0)
			return (true);
	return (false);
}

static bool
find_own_claim(const char *name, size_t len, const jdoc *value, void *ctx)
{
	bool *found = ctx;

	(void)value;
	*found = is_own_claim(name, len);
	return (!*found);
}

const char *
config_read_claims(
    const struct config_rule *rule, struct secret *value, void *place)
{
	char error[JDOC_ERROR_MAX];
	const char *fault = NULL;
	bool found = false;
	jdoc *doc;

	if (value->len > (size_t)rule->max)
		return ("is too long");
	doc =
	    jdoc_parse(value->data, value->len, JDOC_REJECT_DUPLICATES, error);
	if (doc == NULL || jdoc_type_of(doc) != JDOC_OBJECT)
		fault = "is not a JSON object";
	else
		jdoc_each(doc, find_own_claim, &found);
	if (found)
		fault = "sets a claim that the service sets itself";
	if (fault == NULL)
		fault =
		    config_keep(place, (const char *)value->data, value->len);
	jdoc_free(doc);
	return (fault);
}
