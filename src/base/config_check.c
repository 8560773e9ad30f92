/*
 * config_check.c - options that are each right but not together. The rule
 * behind most of them: a service must accept the tokens that it issues.
 */
#include <string.h>

#include "base/config_internal.h"

/* Shortest silence of a server that means something (seconds). */
#define DATABASE_SILENCE_MIN 3

static int check_keys(const struct config *, char *);
static int check_tls(const struct config *, char *);
static int check_hash_memory(const struct config *, char *);
static int check_silence(const struct config *, char *);
static int check_cookies(const struct config *, char *);
static int check_issuer(const struct config *, char *);
static int check_audience(const struct config *, char *);
static bool
share_an_entry(const struct config_list *, const struct config_list *);

int
config_check(const struct config *c, char *error)
{
	if (check_keys(c, error) == -1 || check_tls(c, error) == -1 ||
	    check_hash_memory(c, error) == -1 ||
	    check_silence(c, error) == -1 || check_cookies(c, error) == -1)
		return (-1);

	/* With a public key alone nothing is issued here. */
	if (!config_is_hmac(c->algorithm) && c->private_key.len == 0)
		return (0);

	if (check_issuer(c, error) == -1)
		return (-1);

	return (check_audience(c, error));
}

/* The keys of one family, and none of the other: a leftover of another set-up
 * would be one that somebody believes to be in use. */
static int
check_keys(const struct config *c, char *error)
{
	bool hmac = config_is_hmac(c->algorithm);

	if (hmac && c->private_key.len > 0)
		return (config_refuse(error,
		    "JWT_PRIVATE_KEY contradicts JWT_ALGORITHM=%s; allowed: "
		    "with an RS or ES algorithm only",
		    c->algorithm));
	if (hmac && c->public_key.len > 0)
		return (config_refuse(error,
		    "JWT_PUBLIC_KEY contradicts JWT_ALGORITHM=%s; allowed: "
		    "with an RS or ES algorithm only",
		    c->algorithm));
	if (!hmac && c->secret_key.len > 0)
		return (config_refuse(error,
		    "JWT_SECRET_KEY contradicts JWT_ALGORITHM=%s; allowed: "
		    "with an HS algorithm only",
		    c->algorithm));
	if (!hmac && c->private_key.len == 0 && c->public_key.len == 0)
		return (config_refuse(error,
		    "JWT_ALGORITHM=%s has no key; allowed: with "
		    "JWT_PRIVATE_KEY, or with JWT_PUBLIC_KEY to verify only",
		    c->algorithm));

	return (0);
}

static int
check_tls(const struct config *c, char *error)
{
	if ((c->tls_certificate == NULL) == (c->tls_key == NULL))
		return (0);

	return (config_refuse(error,
	    "CORGI_TLS_CERTIFICATE and CORGI_TLS_KEY belong together; "
	    "allowed: both or neither"));
}

/* Nobody could log in. */
static int
check_hash_memory(const struct config *c, char *error)
{
	if (c->hash_memory_kib == 0 ||
	    c->hash_memory_kib >= c->argon2_memory_kib)
		return (0);
	return (config_refuse(error,
	    "CORGI_HASH_MEMORY_KIB is below CORGI_ARGON2_MEMORY_KIB, what one "
	    "hash takes; allowed: 0, or as much and more"));
}

/* A server is asked once a second, and may take its time to answer: less than
 * that would be silence when all is well. */
static int
check_silence(const struct config *c, char *error)
{
	if (c->database_silence == 0 ||
	    c->database_silence >= DATABASE_SILENCE_MIN)
		return (0);

	return (config_refuse(error,
	    "CORGI_DATABASE_SILENCE is too short; allowed: 0 (go on), or %d "
	    "to 3600",
	    DATABASE_SILENCE_MIN));
}

/* What browsers would drop without a word. */
static int
check_cookies(const struct config *c, char *error)
{
	if (c->cookie_host_prefix &&
	    (!c->cookie_secure || c->cookie_domain != NULL ||
		strcmp(c->access_cookie.path, "/") != 0 ||
		strcmp(c->refresh_cookie.path, "/") != 0 ||
		strcmp(c->access_cookie.csrf_path, "/") != 0 ||
		strcmp(c->refresh_cookie.csrf_path, "/") != 0))
		return (config_refuse(error,
		    "CORGI_COOKIE_HOST_PREFIX contradicts other options; "
		    "allowed: with JWT_COOKIE_SECURE=yes, no JWT_COOKIE_DOMAIN "
		    "and / as every cookie's path"));
	if (c->same_site == SAME_SITE_NONE && !c->cookie_secure)
		return (config_refuse(error,
		    "JWT_COOKIE_SAMESITE=None contradicts JWT_COOKIE_SECURE; "
		    "allowed: with JWT_COOKIE_SECURE=yes"));
	if (strcmp(c->access_cookie.name, c->refresh_cookie.name) == 0 ||
	    strcmp(c->access_cookie.csrf_name, c->refresh_cookie.csrf_name) ==
		0 ||
	    strcmp(c->access_cookie.name, c->access_cookie.csrf_name) == 0 ||
	    strcmp(c->access_cookie.name, c->refresh_cookie.csrf_name) == 0 ||
	    strcmp(c->refresh_cookie.name, c->access_cookie.csrf_name) == 0 ||
	    strcmp(c->refresh_cookie.name, c->refresh_cookie.csrf_name) == 0)
		return (config_refuse(error,
		    "JWT_ACCESS_COOKIE_NAME, JWT_REFRESH_COOKIE_NAME and the "
		    "CSRF cookies' names are not all different; allowed: four "
		    "names"));
	return (0);
}

static int
check_issuer(const struct config *c, char *error)
{
	if (c->decode_issuer == NULL)
		return (0);
	if (c->encode_issuer == NULL ||
	    strcmp(c->encode_issuer, c->decode_issuer) != 0)
		return (config_refuse(error,
		    "JWT_DECODE_ISSUER contradicts JWT_ENCODE_ISSUER: tokens "
		    "issued here would be refused here; allowed: the same "
		    "text in both"));

	return (0);
}

static int
check_audience(const struct config *c, char *error)
{
	if (c->decode_audience.count == 0 ||
	    share_an_entry(&c->decode_audience, &c->encode_audience))
		return (0);

	return (config_refuse(error,
	    "JWT_DECODE_AUDIENCE contradicts JWT_ENCODE_AUDIENCE: tokens "
	    "issued here would be refused here; allowed: at least one entry "
	    "in both"));
}

static bool
share_an_entry(const struct config_list *a, const struct config_list *b)
{
	size_t i, j;

	for (i = 0; i < a->count; i++) {
		for (j = 0; j < b->count; j++) {
			if (strcmp(a->items[i], b->items[j]) == 0)
				return (true);
		}
	}

	return (false);
}
