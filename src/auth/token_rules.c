#include <stdlib.h>
#include <string.h>

#include "auth/token_claims.h"

/* The largest double in JSON text. */
#define LARGEST_DOUBLE "1.7976931348623157e308"

static int64_t add_held(int64_t a, int64_t b);
static bool is_beyond_double(const jdoc *value);
static bool read_time(const jdoc *payload, const char *name, int64_t *out);
static enum error_code
check_start(const jdoc *payload, int64_t latest, struct fault *fault);
static enum error_code check_strings(const jdoc *payload, struct fault *fault);
static enum error_code check_present(const struct config *c,
    enum token_kind kind, const jdoc *payload, struct fault *fault);
static enum error_code
check_kind(unsigned int kinds, enum token_kind kind, struct fault *fault);
static enum error_code check_audience(
    const struct config *c, const jdoc *payload, struct fault *fault);
static enum error_code
check_issuer(const struct config *c, const jdoc *payload, struct fault *fault);
static bool string_is(const jdoc *value, const char *text);
static bool in_audience(const struct config_list *list, const jdoc *value);

/* a + b, held at the ends of the range instead of wrapping. */
static int64_t
add_held(int64_t a, int64_t b)
{
	int64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return (b < 0 ? INT64_MIN : INT64_MAX);
	return (sum);
}

/*
 * Whether a number is beyond a double, as 1e400 is; documents hold it at the
 * largest double there is. It is no time at all: the application this
 * replaces fails on it, where 2^63 is only very late.
 */
static bool
is_beyond_double(const jdoc *value)
{
	bool beyond;
	char *text;

	text = jdoc_text(value, NULL);
	if (text == NULL)
		return (true);
	beyond = strcmp(text[0] == '-' ? text + 1 : text, LARGEST_DOUBLE) == 0;
	free(text);
	return (beyond);
}

/* Whether a claim that is there is a time; *out is left alone if absent. */
static bool
read_time(const jdoc *payload, const char *name, int64_t *out)
{
	const jdoc *value = jdoc_member(payload, name);

	if (value == NULL)
		return (true);
	if (!jdoc_time(value, out))
		return (false);
	return ((*out != INT64_MAX && *out != INT64_MIN) ||
	    !is_beyond_double(value));
}

/* Rows 13 and 14. */
static enum error_code
check_start(const jdoc *payload, int64_t latest, struct fault *fault)
{
	int64_t issued = INT64_MIN, start = INT64_MIN;

	if (!read_time(payload, "iat", &issued))
		return (fault_set(fault, ERR_TOKEN_IAT_TYPE, NULL));
	if (issued > latest)
		return (fault_set(fault, ERR_TOKEN_IAT_FUTURE, NULL));
	if (!read_time(payload, "nbf", &start))
		return (fault_set(fault, ERR_TOKEN_NBF_TYPE, NULL));
	if (start > latest)
		return (fault_set(fault, ERR_TOKEN_NBF_FUTURE, NULL));
	return (ERR_NONE);
}

/* Row 16. */
static enum error_code
check_strings(const jdoc *payload, struct fault *fault)
{
	const jdoc *sub = jdoc_member(payload, "sub");
	const jdoc *jti = jdoc_member(payload, "jti");

	if (sub != NULL && jdoc_type_of(sub) != JDOC_STRING)
		return (fault_set(fault, ERR_TOKEN_SUB_TYPE, NULL));
	if (jti != NULL && jdoc_type_of(jti) != JDOC_STRING)
		return (fault_set(fault, ERR_TOKEN_JTI_TYPE, NULL));
	return (ERR_NONE);
}

/* Row 17 and what is asked beyond the replaced application: a token has to
 * end (unless none of its kind does here) and to have a name by which to
 * revoke it. */
static enum error_code
check_present(const struct config *c, enum token_kind kind, const jdoc *payload,
    struct fault *fault)
{
	int64_t life =
	    kind == TOKEN_REFRESH ? c->refresh_expires : c->access_expires;

	if (jdoc_member(payload, "sub") == NULL)
		return (fault_set(fault, ERR_TOKEN_CLAIM_MISSING, "sub"));
	if (jdoc_member(payload, "exp") == NULL && life != CONFIG_NEVER)
		return (fault_set(fault, ERR_TOKEN_CLAIM_MISSING, "exp"));
	if (jdoc_member(payload, "jti") == NULL)
		return (fault_set(fault, ERR_TOKEN_CLAIM_MISSING, "jti"));
	return (ERR_NONE);
}

/* Whether a value is exactly this string; one with a NUL never is. */
static bool
string_is(const jdoc *value, const char *text)
{
	const char *s;
	size_t len;

	s = jdoc_string(value, &len);
	return (s != NULL && len == strlen(text) && memcmp(s, text, len) == 0);
}

/* Whatever does not say that it is a refresh token is an access token. */
enum token_kind
token_kind_of(const jdoc *payload)
{
	const jdoc *type = jdoc_member(payload, "type");

	return (type != NULL && string_is(type, "refresh") ? TOKEN_REFRESH
							   : TOKEN_ACCESS);
}

/* Row 19. */
static enum error_code
check_kind(unsigned int kinds, enum token_kind kind, struct fault *fault)
{
	if ((kinds & kind) != 0)
		return (ERR_NONE);
	return (fault_set(fault,
	    kind == TOKEN_REFRESH ? ERR_TOKEN_REFRESH : ERR_TOKEN_ACCESS,
	    NULL));
}

static bool
in_audience(const struct config_list *list, const jdoc *value)
{
	size_t i;

	for (i = 0; i < list->count; i++) {
		if (string_is(value, list->items[i]))
			return (true);
	}
	return (false);
}

/* Row 20: one of the token's audiences is one of ours. */
static enum error_code
check_audience(const struct config *c, const jdoc *payload, struct fault *fault)
{
	const jdoc *aud = jdoc_member(payload, "aud");
	size_t i;

	if (c->decode_audience.count == 0)
		return (ERR_NONE);
	if (aud != NULL && in_audience(&c->decode_audience, aud))
		return (ERR_NONE);
	for (i = 0; aud != NULL && jdoc_type_of(aud) == JDOC_ARRAY &&
	     i < jdoc_count(aud);
	     i++) {
		if (in_audience(&c->decode_audience, jdoc_element(aud, i)))
			return (ERR_NONE);
	}
	return (fault_set(fault, ERR_TOKEN_AUDIENCE, NULL));
}

/* Row 20. */
static enum error_code
check_issuer(const struct config *c, const jdoc *payload, struct fault *fault)
{
	const jdoc *iss = jdoc_member(payload, "iss");

	if (c->decode_issuer == NULL ||
	    (iss != NULL && string_is(iss, c->decode_issuer)))
		return (ERR_NONE);
	return (fault_set(fault, ERR_TOKEN_ISSUER, NULL));
}

bool
token_in_time(const struct token_policy *policy, int64_t start, int64_t expires)
{
	int64_t now = clock_now(&policy->clock);
	int64_t leeway = policy->config->leeway;

	return (
	    start <= add_held(now, leeway) && expires > add_held(now, -leeway));
}

enum error_code
token_claims_check(const struct token_policy *policy, unsigned int kinds,
    const jdoc *payload, struct fault *fault)
{
	int64_t now = clock_now(&policy->clock), expires = INT64_MAX;
	const struct config *c = policy->config;
	enum token_kind kind = token_kind_of(payload);
	enum error_code code;

	code = check_start(payload, add_held(now, c->leeway), fault);
	if (code != ERR_NONE)
		return (code);
	if (!read_time(payload, "exp", &expires))
		return (fault_set(fault, ERR_TOKEN_EXP_TYPE, NULL));
	code = check_strings(payload, fault);
	if (code == ERR_NONE)
		code = check_present(c, kind, payload, fault);
	if (code != ERR_NONE)
		return (code);
	if (expires <= add_held(now, -c->leeway))
		return (fault_set(fault, ERR_TOKEN_EXPIRED, NULL));
	code = check_kind(kinds, kind, fault);
	if (code == ERR_NONE)
		code = check_audience(c, payload, fault);
	if (code == ERR_NONE)
		code = check_issuer(c, payload, fault);
	return (code);
}
