/*
 * The property: whatever the token, the kind that is asked for, the time and
 * what has been revoked meanwhile, the cache gives the verdict, the words and
 * the claims that a verification without it gives.
 */
#include "token_kit.h"

#include "auth/revocation.h"
#include "auth/token_cache.h"

#define TOKENS  64
#define PEOPLE  6
#define REVOKED 4000 /* capacity */

TestSuite(token_lockstep, .timeout = 300);

struct walk {
	struct kit kit;
	struct token_cache *cache;
	struct revocations *r;
	char *tokens[TOKENS];
	uint32_t state;
	unsigned int good, revoked, kind; /* verdicts of these sorts */
};

/* A linear congruential generator: the same tests every time. */
static uint32_t
next(struct walk *w, uint32_t below)
{
	w->state = w->state * 1664525u + 1013904223u;
	return ((w->state >> 8) % below);
}

#define PICK(w, list) ((list)[next((w), sizeof(list) / sizeof((list)[0]))])

/* A payload with most of the claims, some of which are odd. */
static void
compose(struct walk *w, char *out, size_t size)
{
	static const char *const sids[] = {"\"s0\"", "\"s1\"", "\"s2\"",
	    "\"s3\"", "\"\"", "7", "null", "\"s0\\u0000x\"",
	    "\"an-id-of-more-than-36-bytes-is-none-of-ours\""};
	static const char *const versions[] = {"0", "1", "2", "3", "1.9",
	    "\"3\"", "-1", "9223372036854775808", "null"};
	static const char *const types[] = {"\"access\"", "\"access\"",
	    "\"refresh\"", "\"refresh\"", "7", "\"Refresh\""};
	static const char *const roles[] = {"[]", "[\"admin\"]",
	    "[\"a b\",7,\"\",\"c\",null]", "\"admin\"", "{}"};
	char times[2][32];
	struct {
		const char *name;
		const char *value;
	} members[] = {{"iat", times[0]}, {"exp", times[1]},
	    {"sid", PICK(w, sids)}, {"ver", PICK(w, versions)},
	    {"type", PICK(w, types)}, {"roles", PICK(w, roles)}};
	size_t i, at;

	(void)snprintf(
	    times[0], sizeof(times[0]), "%u", KIT_NOW - 50 + next(w, 100));
	(void)snprintf(
	    times[1], sizeof(times[1]), "%u", KIT_NOW + 500 + next(w, 500));
	at = (size_t)snprintf(out, size, "{\"sub\":\"user%u\",\"jti\":\"j%u\"",
	    next(w, PEOPLE), next(w, 20));
	for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		if (next(w, 6) != 0)
			at += (size_t)snprintf(out + at, size - at,
			    ",\"%s\":%s", members[i].name, members[i].value);
	}
	(void)snprintf(out + at, size - at, "}");
}

/* One in four is altered or cut. */
static void
make_tokens(struct walk *w)
{
	char payload[KIT_TEXT];
	size_t i, len;

	for (i = 0; i < TOKENS; i++) {
		compose(w, payload, sizeof(payload));
		w->tokens[i] = kit_claims(&w->kit, payload);
		len = strlen(w->tokens[i]);
		if (i % 8 == 1)
			w->tokens[i][next(w, (uint32_t)len)] ^= 1;
		if (i % 8 == 5)
			w->tokens[i][next(w, (uint32_t)len)] = '\0';
	}
}

/* Take something back for a while. */
static void
revoke(struct walk *w)
{
	static const enum revocation_about abouts[] = {
	    REVOKED_TOKEN, REVOKED_SESSION, REVOKED_VERSION, REVOKED_BEFORE};
	enum revocation_about about = PICK(w, abouts);
	struct revocation_key key;
	uint32_t value = next(w, 4);
	char id[16];

	if (about == REVOKED_TOKEN)
		(void)snprintf(id, sizeof(id), "j%u", next(w, 20));
	else if (about == REVOKED_SESSION)
		(void)snprintf(id, sizeof(id), "s%u", next(w, 4));
	else
		(void)snprintf(id, sizeof(id), "user%u", next(w, PEOPLE));
	if (about == REVOKED_BEFORE)
		value = KIT_NOW - 50 + next(w, 100);
	if (next(w, 20) == 0)
		value = UINT32_MAX;
	revocation_key(w->r, about, id, strlen(id), &key);
	cr_assert_eq(revocations_put(w->r, &key, value,
			 w->kit.now + next(w, 60), w->kit.now),
	    0);
}

static void
compare_claims(struct claims *a, struct claims *b)
{
	char *json_a = claims_json(a), *json_b = claims_json(b);

	cr_assert_str_eq(json_a, json_b);
	cr_assert_str_eq(claims_session(a), claims_session(b));
	cr_assert_str_eq(claims_roles(a), claims_roles(b));
	cr_assert_eq(claims_kind(a), claims_kind(b));
	free(json_a);
	free(json_b);
	claims_free(a);
	claims_free(b);
}

static void
step(struct walk *w, unsigned int round)
{
	unsigned int kinds = 1 + next(w, 3);
	struct fault cached_fault = {ERR_NONE, ""};
	struct fault plain_fault = {ERR_NONE, ""};
	struct claims *cached, *plain;
	enum error_code a, b;
	const char *token;

	token = w->tokens[next(w, next(w, 2) == 0 ? TOKENS : 8)];
	a = token_cache_verify(
	    w->cache, kinds, token, strlen(token), &cached, &cached_fault);
	b = token_verify(
	    &w->kit.policy, kinds, token, strlen(token), &plain, &plain_fault);
	cr_assert_eq(a, b, "round %u: %s, without the cache %s", round,
	    error_lookup(a)->name, error_lookup(b)->name);
	cr_assert_eq(cached_fault.code, plain_fault.code);
	cr_assert_str_eq(cached_fault.detail, plain_fault.detail);
	w->good += a == ERR_NONE;
	w->revoked += a == ERR_TOKEN_REVOKED;
	w->kind += a == ERR_TOKEN_REFRESH || a == ERR_TOKEN_ACCESS;
	if (a == ERR_NONE)
		compare_claims(cached, plain);
	else
		cr_assert(cached == NULL && plain == NULL);
}

static void
lockstep(const char *algorithm, unsigned int rounds)
{
	struct walk w = {.state = 1};
	unsigned int n;

	kit_any(&w.kit, algorithm);
	cr_assert_not_null(w.r = revocations_new(REVOKED));
	w.kit.policy.revocations = w.r;
	cr_assert_not_null(w.cache = token_cache_new(&w.kit.policy, 24 * 1024));
	make_tokens(&w);
	for (n = 0; n < rounds; n++) {
		/* The clock goes back and forth; at first nothing is ever
		 * revoked. */
		w.kit.now += (int64_t)next(&w, 21) - 10;
		if (next(&w, 50) == 0)
			w.kit.now = KIT_NOW + next(&w, 1000) - 50;
		if (n > rounds / 8 && next(&w, 4) == 0)
			revoke(&w);
		step(&w, n);
	}
	cr_expect_gt(w.good, rounds / 20);
	cr_expect_gt(w.revoked, rounds / 20);
	cr_expect_gt(w.kind, rounds / 20);
	for (n = 0; n < TOKENS; n++)
		free(w.tokens[n]);
	token_cache_free(w.cache);
	revocations_free(w.r);
	kit_free(&w.kit);
}

Test(token_lockstep, cached_and_uncached_verdicts_agree_hs256)
{
	lockstep("HS256", 40000);
}

Test(token_lockstep, cached_and_uncached_verdicts_agree_rs256)
{
	lockstep("RS256", 4000);
}

Test(token_lockstep, cached_and_uncached_verdicts_agree_es256)
{
	lockstep("ES256", 4000);
}
