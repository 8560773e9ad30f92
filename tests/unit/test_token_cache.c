/*
 * A token from the cache gets the verdict it would get without it.
 */
#include "token_kit.h"

#include "auth/revocation.h"
#include "auth/token_cache.h"

#define CACHE_BYTES (64 * 1024)

static struct token_cache *
cache_new(const struct kit *kit, size_t bytes)
{
	struct token_cache *cache = token_cache_new(&kit->policy, bytes);

	cr_assert_not_null(cache);
	return (cache);
}

static enum error_code
verify_as(struct token_cache *cache, unsigned int kinds, const char *token)
{
	struct claims *claims;
	enum error_code code;

	code = token_cache_verify(
	    cache, kinds, token, strlen(token), &claims, NULL);
	cr_assert_eq(code == ERR_NONE, claims != NULL);
	claims_free(claims);
	return (code);
}

static enum error_code
verify(struct token_cache *cache, const char *token)
{
	return (verify_as(cache, TOKEN_ACCESS, token));
}

/* A token of the kit's with its own subject. */
static char *
numbered(const struct kit *kit, unsigned int n)
{
	char payload[KIT_TEXT];

	(void)snprintf(payload, sizeof(payload),
	    "{\"sub\":\"user%u\",\"jti\":\"j%u\",\"iat\":1700000000,"
	    "\"nbf\":1700000000,\"exp\":1700000900}",
	    n, n);
	return (kit_claims(kit, payload));
}

Test(token_cache, a_token_seen_before_gives_its_own_claims)
{
	struct token_cache *cache;
	struct claims *first, *second;
	char *a, *b, *json;
	struct kit kit;

	kit_hmac(&kit, "HS256");
	cache = cache_new(&kit, CACHE_BYTES);
	a = numbered(&kit, 1);
	b = numbered(&kit, 2);
	cr_assert_eq(verify(cache, a), ERR_NONE);
	cr_assert_eq(verify(cache, b), ERR_NONE);
	cr_assert_eq(token_cache_count(cache), 2);
	cr_assert_eq(
	    token_cache_verify(cache, TOKEN_ACCESS, a, strlen(a), &first, NULL),
	    ERR_NONE);
	cr_assert_eq(token_cache_verify(
			 cache, TOKEN_ACCESS, b, strlen(b), &second, NULL),
	    ERR_NONE);
	cr_expect_str_eq(claims_subject(first, NULL), "user1");
	cr_expect_str_eq(claims_subject(second, NULL), "user2");
	token_cache_free(cache);

	/* Claims outlive the cache they came from. */
	json = claims_json(first);
	cr_expect_not_null(strstr(json, "\"sub\":\"user1\""));
	free(json);
	claims_free(first);
	claims_free(second);
	free(a);
	free(b);
	kit_free(&kit);
}

Test(token_cache, a_cached_token_expires_to_the_second)
{
	struct token_cache *cache;
	struct kit kit;
	char *token;

	kit_hmac(&kit, "HS256");
	kit.config.leeway = 10;
	cache = cache_new(&kit, CACHE_BYTES);
	token = kit_claims(&kit, GOOD_PAYLOAD);
	cr_assert_eq(verify(cache, token), ERR_NONE);
	kit.now = KIT_NOW + 909;
	cr_expect_eq(verify(cache, token), ERR_NONE);
	kit.now = KIT_NOW + 910;
	cr_expect_eq(verify(cache, token), ERR_TOKEN_EXPIRED);
	cr_expect_eq(token_cache_count(cache), 0);
	token_cache_free(cache);
	free(token);
	kit_free(&kit);
}

Test(token_cache, a_clock_set_back_makes_a_cached_token_too_early)
{
	struct token_cache *cache;
	struct kit kit;
	char *token;

	kit_hmac(&kit, "HS256");
	cache = cache_new(&kit, CACHE_BYTES);
	token = kit_claims(&kit, GOOD_PAYLOAD);
	cr_assert_eq(verify(cache, token), ERR_NONE);
	kit.now = KIT_NOW - 1;
	cr_expect_eq(verify(cache, token), ERR_TOKEN_IAT_FUTURE);
	kit.now = KIT_NOW;
	cr_expect_eq(verify(cache, token), ERR_NONE);
	token_cache_free(cache);
	free(token);
	kit_free(&kit);
}

Test(token_cache, a_token_that_differs_in_one_character_is_another)
{
	struct token_cache *cache;
	struct kit kit;
	size_t i, len;
	char *token, was;

	kit_hmac(&kit, "HS256");
	cache = cache_new(&kit, CACHE_BYTES);
	token = kit_claims(&kit, GOOD_PAYLOAD);
	cr_assert_eq(verify(cache, token), ERR_NONE);
	len = strlen(token);
	for (i = 0; i < len; i++) {
		was = token[i];
		token[i] = was == 'A' ? 'B' : 'A';
		cr_expect_neq(verify(cache, token), ERR_NONE, "at %zu", i);
		token[i] = was;
	}
	cr_expect_eq(verify(cache, token), ERR_NONE);
	cr_expect_eq(token_cache_count(cache), 1);
	token_cache_free(cache);
	free(token);
	kit_free(&kit);
}

Test(token_cache, a_refused_token_is_not_remembered)
{
	struct token_cache *cache;
	struct kit kit;
	char *token;

	kit_hmac(&kit, "HS256");
	cache = cache_new(&kit, CACHE_BYTES);
	token =
	    kit_claims(&kit, "{" GOOD_CLAIMS ",\"type\":\"refresh\",\"x\":1}");
	cr_expect_neq(verify(cache, token), ERR_NONE);
	cr_expect_eq(token_cache_count(cache), 0);
	free(token);
	token = kit_claims(&kit, GOOD_PAYLOAD);
	cr_expect_eq(verify(cache, token), ERR_NONE);
	cr_expect_eq(token_cache_count(cache), 1);
	token_cache_free(cache);
	free(token);
	kit_free(&kit);
}

Test(token_cache, with_no_memory_it_remembers_nothing_and_verifies_all)
{
	struct token_cache *cache;
	struct kit kit;
	char *token;

	kit_hmac(&kit, "HS256");
	cache = cache_new(&kit, 0);
	token = kit_claims(&kit, GOOD_PAYLOAD);
	cr_expect_eq(verify(cache, token), ERR_NONE);
	cr_expect_eq(verify(cache, token), ERR_NONE);
	cr_expect_eq(token_cache_count(cache), 0);
	token[strlen(token) - 2] ^= 1;
	cr_expect_neq(verify(cache, token), ERR_NONE);
	token_cache_free(cache);
	free(token);
	kit_free(&kit);
}

Test(token_cache, memory_stays_within_its_bound)
{
	struct token_cache *cache;
	struct kit kit;
	unsigned int n;
	char *token;

	kit_hmac(&kit, "HS256");
	cache = cache_new(&kit, CACHE_BYTES);
	for (n = 0; n < 1000; n++) {
		token = numbered(&kit, n);
		cr_assert_eq(verify(cache, token), ERR_NONE);
		cr_assert_leq(token_cache_bytes(cache), CACHE_BYTES);
		free(token);
	}
	cr_expect_gt(token_cache_count(cache), 5);
	token_cache_free(cache);
	kit_free(&kit);
}

Test(token_cache, a_flood_of_new_tokens_does_not_drive_out_those_in_use)
{
	struct token_cache *cache;
	struct kit kit;
	char *used[8], *token;
	unsigned int i, n;
	size_t count;

	kit_hmac(&kit, "HS256");
	cache = cache_new(&kit, CACHE_BYTES);
	for (n = 0; n < 2000; n++) {
		for (i = 0; n % 4 == 0 && i < 8; i++) {
			if (n == 0)
				used[i] = numbered(&kit, 100000 + i);
			cr_assert_eq(verify(cache, used[i]), ERR_NONE);
		}
		token = numbered(&kit, n);
		cr_assert_eq(verify(cache, token), ERR_NONE);
		free(token);
	}
	/* A hit does not change how many are remembered; a miss of a token
	 * driven out would. Refill first, so that one more must evict. */
	for (i = 0; i < 8; i++) {
		count = token_cache_bytes(cache);
		cr_assert_eq(verify(cache, used[i]), ERR_NONE);
		cr_expect_eq(token_cache_bytes(cache), count,
		    "token %u was driven out", i);
		free(used[i]);
	}
	token_cache_free(cache);
	kit_free(&kit);
}

Test(token_cache, a_cached_token_is_good_only_for_its_kind)
{
	static const char *const types[] = {"access", "refresh"};
	static const unsigned int kinds[] = {TOKEN_ACCESS, TOKEN_REFRESH};
	static const enum error_code codes[] = {
	    ERR_TOKEN_ACCESS, ERR_TOKEN_REFRESH};
	struct token_cache *cache;
	char payload[KIT_TEXT], *token;
	struct kit kit;
	int i;

	kit_hmac(&kit, "HS256");
	for (i = 0; i < 2; i++) {
		cache = cache_new(&kit, CACHE_BYTES);
		(void)snprintf(payload, sizeof(payload),
		    "{\"sub\":\"s\",\"jti\":\"j\",\"exp\":1700000900,"
		    "\"type\":\"%s\"}",
		    types[i]);
		token = kit_claims(&kit, payload);
		cr_expect_eq(verify_as(cache, kinds[1 - i], token), codes[i]);
		cr_expect_eq(verify_as(cache, kinds[i], token), ERR_NONE);
		cr_expect_eq(verify_as(cache, kinds[1 - i], token), codes[i]);
		cr_expect_eq(
		    verify_as(cache, kinds[0] | kinds[1], token), ERR_NONE);
		/* Being refused elsewhere does not drive it out. */
		cr_expect_eq(token_cache_count(cache), 1);
		token_cache_free(cache);
		free(token);
	}
	kit_free(&kit);
}

static void
revoke(struct revocations *r, enum revocation_about about, const char *id,
    uint32_t value)
{
	struct revocation_key key;

	revocation_key(r, about, id, strlen(id), &key);
	cr_assert_eq(
	    revocations_put(r, &key, value, KIT_NOW + 100, KIT_NOW), 0);
}

/* Found good before the table held anything, after that, and then refused. */
Test(token_cache, a_cached_token_is_refused_once_it_is_revoked)
{
	static const struct {
		enum revocation_about about;
		const char *id;
	} rows[] = {{REVOKED_TOKEN, "j7"}, {REVOKED_SESSION, "s7"},
	    {REVOKED_VERSION, "user7"}};
	struct token_cache *cache;
	struct revocations *r;
	char *token, *other;
	struct kit kit;
	size_t i, warm;

	kit_hmac(&kit, "HS256");
	other = numbered(&kit, 8);
	token = kit_claims(&kit,
	    "{\"sub\":\"user7\",\"jti\":\"j7\",\"sid\":\"s7\","
	    "\"ver\":3,\"iat\":1700000000,\"exp\":1700000900}");
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (warm = 0; warm < 2; warm++) {
			kit.now = KIT_NOW;
			cr_assert_not_null(r = revocations_new(100));
			kit.policy.revocations = r;
			cache = cache_new(&kit, CACHE_BYTES);
			if (warm)
				revoke(r, REVOKED_TOKEN, "another", 0);
			cr_expect_eq(verify(cache, token), ERR_NONE);
			cr_expect_eq(verify(cache, other), ERR_NONE);
			revoke(r, rows[i].about, rows[i].id, 4);
			cr_expect_eq(
			    verify(cache, token), ERR_TOKEN_REVOKED, "%zu", i);
			cr_expect_eq(verify(cache, token), ERR_TOKEN_REVOKED);
			cr_expect_eq(verify(cache, other), ERR_NONE);
			kit.now = KIT_NOW + 100;
			cr_expect_eq(verify(cache, token), ERR_NONE);
			token_cache_free(cache);
			revocations_free(r);
		}
	}
	free(token);
	free(other);
	kit_free(&kit);
}

/* The end of a token alone is hashed: another beginning is another token. */
Test(token_cache, a_token_with_the_end_of_a_known_one_is_another)
{
	struct claims *claims;
	struct token_cache *cache;
	struct fault fault;
	struct kit kit;
	char *known, *other, *mixed;
	const char *dot;

	kit_hmac(&kit, "HS256");
	cache = token_cache_new(&kit.policy, 1 << 20);
	cr_assert_not_null(cache);
	known = kit_claims(&kit, GOOD_PAYLOAD);
	other = kit_claims(&kit, "{" GOOD_CLAIMS ",\"x\":\"y\"}");
	cr_assert_eq(token_cache_verify(cache, TOKEN_ACCESS, known,
			 strlen(known), &claims, &fault),
	    ERR_NONE);
	claims_free(claims);

	dot = strrchr(other, '.');
	mixed = malloc(strlen(other) + strlen(known));
	cr_assert_not_null(mixed);
	(void)snprintf(mixed, strlen(other) + strlen(known), "%.*s%s",
	    (int)(dot - other), other, strrchr(known, '.'));
	cr_expect_eq(token_cache_verify(cache, TOKEN_ACCESS, mixed,
			 strlen(mixed), &claims, &fault),
	    ERR_TOKEN_SIGNATURE);
	cr_expect_eq(token_cache_verify(cache, TOKEN_ACCESS, other,
			 strlen(other), &claims, &fault),
	    ERR_NONE);
	claims_free(claims);
	free(known);
	free(other);
	free(mixed);
	token_cache_free(cache);
	kit_free(&kit);
}
