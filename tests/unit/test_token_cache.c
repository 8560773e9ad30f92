/*
 * A token from the cache gets the verdict it would get without it.
 */
#include "token_kit.h"

#include "auth/token_cache.h"

#define CACHE_BYTES (64 * 1024)

/* A linear congruential generator: the same tests every time. */
static uint32_t
next(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return (*state >> 8);
}

static struct token_cache *
cache_new(const struct kit *kit, size_t bytes)
{
	struct token_cache *cache = token_cache_new(&kit->policy, bytes);

	cr_assert_not_null(cache);
	return (cache);
}

static enum error_code
verify(struct token_cache *cache, const char *token)
{
	struct claims *claims;
	enum error_code code;

	code = token_cache_verify(cache, token, strlen(token), &claims, NULL);
	cr_assert_eq(code == ERR_NONE, claims != NULL);
	claims_free(claims);
	return (code);
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
	    token_cache_verify(cache, a, strlen(a), &first, NULL), ERR_NONE);
	cr_assert_eq(
	    token_cache_verify(cache, b, strlen(b), &second, NULL), ERR_NONE);
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

/*
 * The property: random good, altered and hostile tokens in random order while
 * the clock runs back and forth; the cached verdict is the uncached one.
 */
static void
lockstep(const char *algorithm, unsigned int rounds)
{
	struct token_cache *cache;
	struct fault cached_fault, plain_fault;
	struct claims *cached, *plain;
	enum error_code a, b;
	char *tokens[48], *json_a, *json_b;
	uint32_t state = 1;
	unsigned int n, i, hits = 0;
	struct kit kit;

	kit_any(&kit, algorithm);
	cache = cache_new(&kit, 16 * 1024);
	for (i = 0; i < 48; i++) {
		tokens[i] = numbered(&kit, i);
		if (i % 3 == 1)
			tokens[i][next(&state) % strlen(tokens[i])] ^= 1;
		if (i % 6 == 2)
			tokens[i][strlen(tokens[i]) - 3] = '\0';
	}
	for (n = 0; n < rounds; n++) {
		kit.now = KIT_NOW + (int64_t)(next(&state) % 1000) - 50;
		i = next(&state) % 48;
		if (next(&state) % 2)
			i %= 8;
		a = token_cache_verify(cache, tokens[i], strlen(tokens[i]),
		    &cached, &cached_fault);
		b = token_verify(&kit.policy, tokens[i], strlen(tokens[i]),
		    &plain, &plain_fault);
		cr_assert_eq(a, b, "round %u", n);
		if (a != ERR_NONE) {
			cr_assert_str_eq(
			    cached_fault.detail, plain_fault.detail);
			continue;
		}
		hits++;
		json_a = claims_json(cached);
		json_b = claims_json(plain);
		cr_assert_str_eq(json_a, json_b);
		free(json_a);
		free(json_b);
		claims_free(cached);
		claims_free(plain);
	}
	cr_expect_gt(hits, rounds / 8);
	for (i = 0; i < 48; i++)
		free(tokens[i]);
	token_cache_free(cache);
	kit_free(&kit);
}

Test(token_cache, cached_and_uncached_verdicts_agree_hs256)
{
	lockstep("HS256", 20000);
}

Test(token_cache, cached_and_uncached_verdicts_agree_rs256)
{
	lockstep("RS256", 2000);
}

Test(token_cache, cached_and_uncached_verdicts_agree_es256)
{
	lockstep("ES256", 2000);
}
