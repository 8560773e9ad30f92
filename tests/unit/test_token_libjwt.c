/*
 * libjwt as a witness: what it makes is good here, and where its own verdict
 * on a signature can be compared with ours, the two agree.
 */
#include <jwt.h>

#include "auth/key_material.h"
#include "token_kit.h"

static const char *const algorithms[] = {"HS256", "HS384", "HS512", "RS256",
    "RS384", "RS512", "ES256", "ES384", "ES512"};

#define ALGORITHMS (sizeof(algorithms) / sizeof(algorithms[0]))

static bool libjwt_agrees(const struct kit *, const char *);
static char *issue(const struct kit *);
static char *spoilt(const char *, size_t);

TestSuite(token_libjwt, .timeout = 120);

/* Whether libjwt finds a token good under the kit's key. */
static bool
libjwt_agrees(const struct kit *kit, const char *token)
{
	const struct secret *material =
	    kit->key->algorithm->family == FAMILY_HMAC ? &kit->key->signing
						       : &kit->key->verifying;
	jwt_t *jwt = NULL;
	bool good;

	good =
	    jwt_decode(&jwt, token, material->data, (int)material->len) == 0 &&
	    jwt_get_alg(jwt) == jwt_str_alg(kit->algorithm);
	jwt_free(jwt);
	return (good);
}

static char *
issue(const struct kit *kit)
{
	const struct token_request request = {.kind = TOKEN_ACCESS,
	    .subject = "cosmo",
	    .subject_len = 5,
	    .session = "8b0c7f6e-2f3b-4a0e-9a53-0d6f2a1f7a11"};
	char *token;

	cr_assert_eq(
	    token_issue(&kit->policy, &request, &token, NULL), ERR_NONE);
	return (token);
}

/* A token with one character of its signature changed. */
static char *
spoilt(const char *token, size_t at)
{
	char *copy = strdup(token), *signature;

	cr_assert_not_null(copy);
	signature = strrchr(copy, '.') + 1;
	signature[at] = signature[at] == 'A' ? 'B' : 'A';
	return (copy);
}

Test(token_libjwt, both_take_what_was_issued_and_refuse_what_was_spoilt)
{
	char *token, *bad;
	struct kit kit;
	size_t i, at;

	for (i = 0; i < ALGORITHMS; i++) {
		kit_any(&kit, algorithms[i]);
		token = issue(&kit);
		cr_expect_str_eq(
		    kit_text(&kit, token), "", "%s", algorithms[i]);
		cr_expect(libjwt_agrees(&kit, token), "%s", algorithms[i]);
		for (at = 0; at < 40; at += 13) {
			bad = spoilt(token, at);
			cr_expect_str_eq(kit_text(&kit, bad),
			    "Signature verification failed", "%s %zu",
			    algorithms[i], at);
			cr_expect(!libjwt_agrees(&kit, bad), "%s %zu",
			    algorithms[i], at);
			free(bad);
		}
		free(token);
		kit_free(&kit);
	}
}

/* Most tokens begin with the header that this service writes, and that is not
 * taken apart again: any other is. */
Test(token_libjwt, a_header_written_in_another_way_is_as_good)
{
	static const char *const headers[] = {
	    "{\"alg\":\"HS256\",\"typ\":\"JWT\"}",
	    "{\"typ\":\"JWT\",\"alg\":\"HS256\"}",
	    "{ \"alg\": \"HS256\", \"typ\": \"JWT\" }",
	    "{\"alg\":\"HS256\"}",
	    "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"1\"}",
	};
	struct kit kit;
	size_t i;

	kit_hmac(&kit, "HS256");
	for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		EXPECT(&kit, kit_token(&kit, headers[i], GOOD_PAYLOAD), "");
	EXPECT(&kit,
	    kit_token(
		&kit, "{\"alg\":\"HS512\",\"typ\":\"JWT\"}", GOOD_PAYLOAD),
	    "The specified alg value is not allowed");
	EXPECT(&kit,
	    kit_token(&kit,
		"{\"alg\":\"HS256\",\"typ\":\"JWT\",\"crit\":[\"x\"]}",
		GOOD_PAYLOAD),
	    "Unsupported critical extension: x");
	kit_free(&kit);
}
