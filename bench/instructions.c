/*
 * instructions.c - verify one token COUNT times in one way, so that an
 * instruction counter can tell what one verification costs. Started by
 * bench/instructions:
 *
 *	instructions WAY ALGORITHM COUNT
 *
 * WAY is "warm" (the token is known), "cold" (it is not), "libjwt" (what
 * libjwt alone does with it) or "none" (everything but verifying). The token
 * belongs to a session and is the same in length at every run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jwt.h>

#include "auth/key_material.h"
#include "auth/token_cache.h"
#include "base/jdoc.h"

#define SECRET      "0123456789abcdef0123456789abcdef"
#define CACHE_BYTES ((size_t)4 << 20)
#define NOW         1700000000

static int64_t now = NOW;

static void fail(const char *) __attribute__((noreturn));
static void prepare_policy(struct token_policy *, char *);
static char *make_token(const struct token_policy *);
static void verify(const struct token_policy *, struct token_cache *,
    const char *, const char *);

static void
fail(const char *what)
{
	(void)fprintf(stderr, "instructions: %s\n", what);
	exit(1);
}

static void
prepare_policy(struct token_policy *policy, char *algorithm)
{
	static struct config config;
	char error[KEY_ERROR_MAX];
	const char *pem = getenv("PRIVATE_KEY");

	config.flavor = CONFIG_PROD;
	config.algorithm = algorithm;
	config.access_expires = 900;
	if ((algorithm[0] == 'H'
		    ? secret_set(&config.secret_key, SECRET, strlen(SECRET))
		    : secret_set(&config.private_key, pem != NULL ? pem : "",
			  pem != NULL ? strlen(pem) : 0)) == -1)
		fail("out of memory");
	policy->key = key_from_config(&config, error);
	if (policy->key == NULL)
		fail(error);
	policy->config = &config;
	policy->clock = clock_fixed(&now);
	policy->revocations = NULL;
}

static char *
make_token(const struct token_policy *policy)
{
	const struct token_request request = {
	    .kind = TOKEN_ACCESS,
	    .subject = "cosmo",
	    .subject_len = 5,
	    .fresh = true,
	    .session = "8b0c7f6e-2f3b-4a0e-9a53-0d6f2a1f7a11",
	};
	char *token;

	if (token_issue(policy, &request, &token, NULL) != ERR_NONE)
		fail("no token");
	return (token);
}

static void
verify(const struct token_policy *policy, struct token_cache *cache,
    const char *token, const char *way)
{
	const struct secret *material =
	    policy->key->algorithm->family == FAMILY_HMAC
	    ? &policy->key->signing
	    : &policy->key->verifying;
	struct claims *claims;
	struct fault fault;
	jwt_t *jwt;

	if (strcmp(way, "none") == 0)
		return;
	if (strcmp(way, "libjwt") == 0) {
		if (jwt_decode(
			&jwt, token, material->data, (int)material->len) != 0)
			fail("libjwt refuses the token");
		jwt_free(jwt);
		return;
	}
	if (token_cache_verify(cache, TOKEN_ACCESS, token, strlen(token),
		&claims, &fault) != ERR_NONE)
		fail("the token is refused");
	claims_free(claims);
}

int
main(int argc, char **argv)
{
	struct token_policy policy;
	struct token_cache *cache;
	long i, count;
	char *token;

	if (argc != 4 || (count = strtol(argv[3], NULL, 10)) < 1)
		fail("usage: instructions WAY ALGORITHM COUNT");
	jdoc_init();
	if (secret_init() == -1)
		fail("no random numbers");
	prepare_policy(&policy, argv[2]);
	token = make_token(&policy);
	cache = token_cache_new(
	    &policy, strcmp(argv[1], "warm") == 0 ? CACHE_BYTES : 0);
	if (cache == NULL)
		fail("out of memory");
	for (i = 0; i < count; i++)
		verify(&policy, cache, token, argv[1]);
	token_cache_free(cache);
	free(token);
	return (0);
}
