#include <stdlib.h>
#include <string.h>

#include <jwt.h>

#include "auth/key_material.h"
#include "auth/token.h"
#include "auth/token_libjwt.h"
#include "base/secret.h"

/* A number is carried up to this length: 10^18 fits into 64 bits, and any
 * exponent of two digits into a double (characters). */
#define NUMBER_LEN_MAX   18
#define EXPONENT_LEN_MAX 2

static size_t skip_string(const char *text, size_t len, size_t at);
static bool
number_is_carried(const char *text, size_t len, size_t at, size_t *end);

/* The place behind the string that begins at at, where a quote stands. */
static size_t
skip_string(const char *text, size_t len, size_t at)
{
	for (at++; at < len && text[at] != '"'; at++) {
		if (text[at] == '\\')
			at++;
	}
	return (at + 1);
}

static bool
number_is_carried(const char *text, size_t len, size_t at, size_t *end)
{
	size_t start = at, exponent = 0, exponent_len = 0;

	while (at < len && text[at] != '\0' &&
	    strchr("+-.0123456789eE", text[at]) != NULL) {
		if (exponent != 0 && text[at] != '+' && text[at] != '-')
			exponent_len++;
		if (text[at] == 'e' || text[at] == 'E')
			exponent = at;
		at++;
	}
	*end = at;
	return (
	    at - start <= NUMBER_LEN_MAX && exponent_len <= EXPONENT_LEN_MAX);
}

/*
 * The text has been parsed before, so that this walk needs to tell only
 * strings, numbers and the rest apart. An escaped NUL is looked for in the
 * raw text: "\\u0000", where it is none, is let go to the safe side.
 */
bool
libjwt_carries_json(const void *text, size_t len)
{
	const char *p = text;
	size_t at = 0;

	if (len == 0 || len > TOKEN_MAX || memchr(p, '\0', len) != NULL ||
	    memmem(p, len, "\\u0000", 6) != NULL)
		return (false);
	while (at < len) {
		if (p[at] == '"')
			at = skip_string(p, len, at);
		else if (strchr("-0123456789", p[at]) == NULL)
			at++;
		else if (!number_is_carried(p, len, at, &at))
			return (false);
	}
	return (true);
}

char *
libjwt_issue(const struct key *k, const char *claims)
{
	char *token = NULL;
	jwt_t *jwt;

	if (!key_can_sign(k) || jwt_new(&jwt) != 0)
		return (NULL);
	if (jwt_add_grants_json(jwt, claims) == 0 &&
	    jwt_set_alg(jwt, jwt_str_alg(k->algorithm->name), k->signing.data,
		(int)k->signing.len) == 0)
		token = jwt_encode_str(jwt);
	jwt_free(jwt);
	return (token);
}
