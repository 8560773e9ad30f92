/*
 * guard_locate.c - where a request has its token: the Authorization header, a
 * cookie, the query, a JSON body (Flask-JWT-Extended's locations and words).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/bearer.h"
#include "auth/credentials.h"
#include "base/jdoc.h"
#include "http/cookie.h"
#include "http/guard_internal.h"

/* Room for why there is no token in any of the places (bytes). */
#define REASONS_MAX 1024

/* A look at one request. */
struct search {
	const struct guard *guard;
	const struct config *config;
	const struct h1_request *request;
	bool rfc; /* the RFC dialect */
};

/* Text that is put together; what does not fit is cut. */
struct words {
	char text[REASONS_MAX];
	size_t len;
};

static enum error_code
find_first(const struct search *, struct guard_token *, struct fault *);
static enum error_code
find_only(const struct search *, struct guard_token *, struct fault *);
static bool is_absence(const struct search *, enum error_code);
static enum error_code
find_headers(const struct search *, struct guard_token *, struct fault *);
static enum error_code
find_cookies(const struct search *, struct guard_token *, struct fault *);
static enum error_code
find_query(const struct search *, struct guard_token *, struct fault *);
static enum error_code
find_json(const struct search *, struct guard_token *, struct fault *);
static bool pick_parameter(char *, const char *, struct guard_token *);
static size_t decode(char *, size_t);
static bool is_nothing(const jdoc *);
static enum error_code
need_csrf(const struct search *, struct guard_token *, struct fault *);
static enum error_code
none_found(const struct search *, const struct words *, struct fault *);
static void add(struct words *, const char *, const char *);
static void
add_reason(const struct search *, struct words *, const struct fault *);

/* The names are Flask-JWT-Extended's. */
static const struct {
	const char *name;
	enum error_code (*find)(
	    const struct search *, struct guard_token *, struct fault *);
} locations[] = {
    [GUARD_HEADERS] = {"headers", find_headers},
    [GUARD_COOKIES] = {"cookies", find_cookies},
    [GUARD_QUERY] = {"query_string", find_query},
    [GUARD_JSON] = {"json", find_json},
};

enum error_code
guard_locate(const struct guard *guard, const struct config *config,
    const struct h1_request *request, struct guard_token *out,
    struct fault *fault)
{
	const struct search s = {
	    guard, config, request, config->error_style == STYLE_RFC6750};
	enum error_code code;

	memset(out, 0, sizeof(*out));
	out->location = GUARD_LOCATIONS;
	if (s.rfc && guard->nlocations > 1)
		code = find_only(&s, out, fault);
	else
		code = find_first(&s, out, fault);
	if (is_absence(&s, code) && guard->optional)
		return (fault_set(fault, ERR_NONE, NULL));
	if (code == ERR_NONE && out->location == GUARD_COOKIES)
		code = need_csrf(&s, out, fault);
	return (code);
}

void
guard_token_free(struct guard_token *token)
{
	secret_free_mem(token->memory, token->memory_len);
	memset(token, 0, sizeof(*token));
	token->location = GUARD_LOCATIONS;
}

/* The first place that has a token counts, whatever the others have. */
static enum error_code
find_first(const struct search *s, struct guard_token *out, struct fault *fault)
{
	struct words reasons;
	enum error_code code = ERR_NONE;
	size_t i;

	reasons.len = 0;
	for (i = 0; i < s->guard->nlocations; i++) {
		code = locations[s->guard->locations[i]].find(s, out, fault);
		if (code == ERR_NONE)
			out->location = s->guard->locations[i];
		if (!is_absence(s, code))
			return (code);
		if (s->guard->nlocations > 1)
			add_reason(s, &reasons, fault);
	}
	if (s->guard->nlocations > 1)
		code = none_found(s, &reasons, fault);
	return (code);
}

/* A request with two credentials is refused (RFC 6750, section 2): whoever
 * guards what is behind us may have looked at the other one. */
static enum error_code
find_only(const struct search *s, struct guard_token *out, struct fault *fault)
{
	struct guard_token found;
	struct words reasons;
	enum error_code code;
	size_t i;

	reasons.len = 0;
	for (i = 0; i < s->guard->nlocations; i++) {
		memset(&found, 0, sizeof(found));
		code = locations[s->guard->locations[i]].find(s, &found, fault);
		if (code != ERR_NONE) {
			if (!is_absence(s, code))
				return (code);
			add_reason(s, &reasons, fault);
			continue;
		}
		if (out->text != NULL) {
			guard_token_free(&found);
			return (fault_set(fault, ERR_LOCATIONS_SEVERAL, NULL));
		}
		*out = found;
		out->location = s->guard->locations[i];
	}
	if (out->text != NULL)
		return (fault_set(fault, ERR_NONE, NULL));
	return (none_found(s, &reasons, fault));
}

/* Whether a code says that there is no token, and not that one is bad. */
static bool
is_absence(const struct search *s, enum error_code code)
{
	switch (code) {
	case ERR_AUTH_MISSING:
	case ERR_AUTH_SCHEME:
	case ERR_COOKIE_MISSING:
	case ERR_QUERY_MISSING:
	case ERR_JSON_TYPE:
	case ERR_JSON_MISSING:
	case ERR_LOCATIONS_MISSING:
		return (true);
	case ERR_AUTH_REPEATED:
		return (!s->rfc);
	default:
		return (false);
	}
}

static enum error_code
find_headers(
    const struct search *s, struct guard_token *out, struct fault *fault)
{
	const struct bearer_rules rules = {s->config->header_type, s->rfc};
	const char *value;
	char *joined;
	size_t len;

	value = h1_join(s->request, s->config->header_name, &len, &joined);
	(void)fault_set(fault,
	    bearer_find(&rules, value, len, &out->text, &out->len), NULL);
	if (fault->code != ERR_NONE) {
		secret_free_mem(joined, joined != NULL ? len : 0);
		return (fault->code);
	}
	out->memory = joined;
	out->memory_len = joined != NULL ? len : 0;
	return (ERR_NONE);
}

/* With either kind asked for, the access token's cookie comes first: a browser
 * sends both. */
static enum error_code
find_cookies(
    const struct search *s, struct guard_token *out, struct fault *fault)
{
	const struct config_cookie *cookies[] = {
	    &s->config->access_cookie, &s->config->refresh_cookie};
	const unsigned int kinds[] = {TOKEN_ACCESS, TOKEN_REFRESH};
	const char *missing = NULL;
	size_t i;

	for (i = 0; i < 2; i++) {
		if (!(s->guard->kinds & kinds[i]))
			continue;
		out->text = cookie_find(
		    s->config, s->request, cookies[i]->name, &out->len);
		if (out->text != NULL) {
			out->cookie = cookies[i];
			return (fault_set(fault, ERR_NONE, NULL));
		}
		if (missing == NULL)
			missing = cookies[i]->name;
	}
	return (fault_set(fault, ERR_COOKIE_MISSING, missing));
}

static enum error_code
find_query(const struct search *s, struct guard_token *out, struct fault *fault)
{
	const char *name = s->config->query_name, *query;

	query = strchr(s->request->target, '?');
	if (query != NULL) {
		out->memory_len = strlen(query + 1);
		out->memory = strdup(query + 1);
		if (out->memory == NULL)
			return (fault_set(fault, ERR_BUSY, NULL));
		if (pick_parameter(out->memory, name, out))
			return (fault_set(fault, ERR_NONE, NULL));
		guard_token_free(out);
	}
	return (fault_set(fault, ERR_QUERY_MISSING, name));
}

static enum error_code
find_json(const struct search *s, struct guard_token *out, struct fault *fault)
{
	const struct h1_field *type = h1_find(s->request, "Content-Type");
	const char *key, *text;
	char error[JDOC_ERROR_MAX];
	const jdoc *value;
	enum error_code code;
	jdoc *body;

	key = s->guard->kinds == TOKEN_REFRESH
	    ? s->config->refresh_cookie.json_key
	    : s->config->access_cookie.json_key;
	if (type == NULL || !credentials_type_is_json(type->value))
		return (fault_set(fault, ERR_JSON_TYPE, NULL));

	body = jdoc_parse(s->request->body, s->request->body_len, 0, error);
	value = body != NULL ? jdoc_member(body, key) : NULL;
	text = value != NULL ? jdoc_string(value, &out->len) : NULL;
	if (is_nothing(value)) {
		code = fault_set(fault, ERR_JSON_MISSING, key);
	} else if (text == NULL) {
		code = fault_set(fault, ERR_TOKEN_SEGMENTS, NULL);
	} else if ((out->memory = malloc(out->len)) == NULL) {
		code = fault_set(fault, ERR_BUSY, NULL);
	} else {
		memcpy(out->memory, text, out->len);
		out->text = out->memory;
		out->memory_len = out->len;
		code = fault_set(fault, ERR_NONE, NULL);
	}
	jdoc_free(body);
	return (code);
}

/* What the application that is replaced takes for no token at all. */
static bool
is_nothing(const jdoc *value)
{
	size_t len;

	if (value == NULL)
		return (true);
	switch (jdoc_type_of(value)) {
	case JDOC_NULL:
		return (true);
	case JDOC_BOOL:
		return (!jdoc_true(value));
	case JDOC_STRING:
		return (jdoc_string(value, &len) == NULL || len == 0);
	case JDOC_ARRAY:
	case JDOC_OBJECT:
		return (jdoc_count(value) == 0);
	case JDOC_NUMBER:
		break;
	}
	return (false);
}

/* The first parameter of that name, decoded where it stands; false when there
 * is none or its value is empty. */
static bool
pick_parameter(char *query, const char *name, struct guard_token *out)
{
	char *at, *next, *value;
	size_t len, name_len;

	for (at = query; at != NULL; at = next) {
		next = strchr(at, '&');
		if (next != NULL)
			*next++ = '\0';
		value = strchr(at, '=');
		name_len = value != NULL ? (size_t)(value - at) : strlen(at);
		len = value != NULL ? strlen(value + 1) : 0;
		name_len = decode(at, name_len);
		if (name_len != strlen(name) || memcmp(at, name, name_len) != 0)
			continue;
		if (len == 0)
			return (false);
		out->text = value + 1;
		out->len = decode(value + 1, len);
		return (true);
	}
	return (false);
}

/* Percent and plus signs, in place (WHATWG URL, section 5.1): a percent sign
 * that begins nothing stays. Returns the new length. */
static size_t
decode(char *text, size_t len)
{
	size_t from, to = 0;
	int high, low;

	for (from = 0; from < len; from++, to++) {
		text[to] = text[from] == '+' ? ' ' : text[from];
		if (text[from] != '%' || len - from < 3)
			continue;
		high = h1_hex_digit((uint8_t)text[from + 1]);
		low = h1_hex_digit((uint8_t)text[from + 2]);
		if (high == -1 || low == -1)
			continue;
		text[to] = (char)(high << 4 | low);
		from += 2;
	}
	return (to);
}

/* A browser sends cookies by itself: a request that changes something has to
 * say what only a page of the same origin can know. */
static enum error_code
need_csrf(const struct search *s, struct guard_token *out, struct fault *fault)
{
	const char *method = s->request->method;
	const struct h1_field *field;

	if (!s->config->csrf_protect ||
	    !(config_csrf_method(method, strlen(method)) &
		s->config->csrf_methods))
		return (ERR_NONE);
	field = h1_find(s->request, out->cookie->csrf_header);
	if (field == NULL || field->value_len == 0)
		return (fault_set(fault, ERR_CSRF_MISSING, NULL));
	out->csrf = field->value;
	out->csrf_len = field->value_len;
	return (ERR_NONE);
}

/* "Missing JWT in headers, cookies or json (...; ...)" */
static enum error_code
none_found(
    const struct search *s, const struct words *reasons, struct fault *fault)
{
	size_t i, n = s->guard->nlocations;
	struct words all;

	all.len = 0;
	for (i = 0; i < n; i++)
		add(&all,
		    i == 0          ? "Missing JWT in "
			: i + 1 < n ? ", "
				    : " or ",
		    locations[s->guard->locations[i]].name);
	add(&all, " (", reasons->text);
	add(&all, ")", "");
	return (fault_set(fault, ERR_LOCATIONS_MISSING, all.text));
}

static void
add_reason(
    const struct search *s, struct words *reasons, const struct fault *fault)
{
	char text[REASONS_MAX];

	(void)fault_text(fault, s->config->header_name, s->config->header_type,
	    text, sizeof(text));
	add(reasons, reasons->len == 0 ? "" : "; ", text);
}

static void
add(struct words *words, const char *first, const char *second)
{
	size_t room = sizeof(words->text) - words->len;
	int n;

	n = snprintf(words->text + words->len, room, "%s%s", first, second);
	words->len += (size_t)n < room ? (size_t)n : room - 1;
}
