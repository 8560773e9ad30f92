/*
 * What has been taken back is refused, by whatever name the token has: its
 * own, its session's, its account's; and nothing else is.
 */
#include "token_kit.h"

#include <openssl/bn.h>

#include "auth/revocation.h"
#include "auth/token_cache.h"

#define REVOKED  "Token has been revoked"
#define SID      "0a1b2c3d-0000-4000-8000-000000000001"
#define ACCESS   TOKEN_ACCESS
#define REFRESH  TOKEN_REFRESH
#define ALL_KIND (TOKEN_ACCESS | TOKEN_REFRESH)

/* A token of a session, and one from elsewhere; more claims may follow. */
#define OURS                                                                   \
	"\"sub\":\"cosmo\",\"jti\":\"j\",\"iat\":1700000000,"                  \
	"\"exp\":1700000900,\"sid\":\"" SID "\""
#define FOREIGN                                                                \
	"\"sub\":\"cosmo\",\"jti\":\"j\",\"iat\":1700000000,"                  \
	"\"exp\":1700000900"

static struct kit kit;
static struct revocations *table;

static void
setup_with(const char *algorithm)
{
	kit_any(&kit, algorithm);
	cr_assert_not_null(table = revocations_new(100));
	kit.policy.revocations = table;
	kit.kinds = ALL_KIND;
}

static void
setup(void)
{
	setup_with("HS256");
}

static void
teardown(void)
{
	revocations_free(table);
	kit_free(&kit);
}

TestSuite(token_revocation, .init = setup, .fini = teardown, .timeout = 60);

static void
put_n(enum revocation_about about, const void *id, size_t len, uint32_t value,
    int64_t until)
{
	struct revocation_key key;

	revocation_key(table, about, id, len, &key);
	cr_assert_eq(revocations_put(table, &key, value, until, KIT_NOW), 0);
}

static void
put(enum revocation_about about, const char *id, uint32_t value)
{
	put_n(about, id, strlen(id), value, KIT_NOW + 900);
}

/* Everything there was is forgotten. */
static void
renew_table(void)
{
	revocations_free(table);
	cr_assert_not_null(table = revocations_new(100));
	kit.policy.revocations = table;
}

static void
expect(const char *claims, const char *text)
{
	char payload[KIT_TEXT];

	(void)snprintf(payload, sizeof(payload), "{%s}", claims);
	EXPECT(&kit, kit_claims(&kit, payload), text);
}

Test(token_revocation, a_token_is_refused_by_its_id)
{
	expect(OURS, "");
	expect(FOREIGN, "");
	put(REVOKED_TOKEN, "j", 0);
	expect(OURS, REVOKED);
	expect(FOREIGN, REVOKED);
	expect("\"sub\":\"j\",\"jti\":\"k\",\"exp\":1700000900", "");
	kit.now = KIT_NOW + 899;
	expect(OURS, REVOKED);
}

Test(token_revocation, a_session_ends_with_all_its_tokens)
{
	put(REVOKED_SESSION, SID, 0);
	expect(OURS, REVOKED);
	expect(OURS ",\"type\":\"refresh\"", REVOKED);
	expect(OURS ",\"ver\":99", REVOKED);
	expect(FOREIGN, "");
	expect(FOREIGN ",\"sid\":\"" SID "x\"", "");
	expect(FOREIGN ",\"sid\":\"0A1B2C3D-0000-4000-8000-000000000001\"", "");
}

Test(token_revocation, a_version_ends_older_access_tokens_of_sessions)
{
	put(REVOKED_VERSION, "cosmo", 3);
	expect(OURS, REVOKED);
	expect(OURS ",\"ver\":0", REVOKED);
	expect(OURS ",\"ver\":2", REVOKED);
	expect(OURS ",\"ver\":2.9", REVOKED);
	expect(OURS ",\"ver\":3", "");
	expect(OURS ",\"ver\":4", "");
	expect(OURS ",\"ver\":9223372036854775808", "");
	expect(OURS ",\"ver\":-9223372036854775809", REVOKED);
	/* No number is no version. */
	expect(OURS ",\"ver\":\"4\"", REVOKED);
	expect(OURS ",\"ver\":true", REVOKED);
	expect(OURS ",\"ver\":[4]", REVOKED);
	/* Theirs is the store's to judge. */
	expect(OURS ",\"type\":\"refresh\"", "");
	expect(FOREIGN ",\"ver\":1", "");
	put(REVOKED_VERSION, "cosmo2", 9);
	expect(OURS ",\"ver\":3", "");
}

Test(token_revocation, a_time_ends_tokens_from_elsewhere_issued_until_then)
{
	static const char without[] =
	    "\"sub\":\"cosmo\",\"jti\":\"j\",\"exp\":1700000900";

	put(REVOKED_BEFORE, "cosmo", KIT_NOW - 1);
	expect(FOREIGN, "");
	expect(OURS, "");
	expect(without, REVOKED);
	put(REVOKED_BEFORE, "cosmo", KIT_NOW);
	expect(FOREIGN, REVOKED);
	expect(FOREIGN ",\"type\":\"refresh\"", REVOKED);
	expect(OURS, "");
	kit.now = KIT_NOW + 1;
	expect("\"sub\":\"cosmo\",\"jti\":\"j\",\"exp\":1700000900,"
	       "\"iat\":1700000001",
	    "");
}

Test(token_revocation, what_is_no_session_id_gives_no_token_a_session)
{
	static const char *const odd[] = {"\"\"", "7", "null", "true", "[]",
	    "{}", "[\"s\"]", "\"s\\u0000\"",
	    "\"0123456789012345678901234567890123456\""};
	char claims[KIT_TEXT];
	size_t i;

	put(REVOKED_BEFORE, "cosmo", KIT_NOW);
	for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		(void)snprintf(
		    claims, sizeof(claims), FOREIGN ",\"sid\":%s", odd[i]);
		expect(claims, REVOKED);
	}
	expect(FOREIGN ",\"sid\":\"s\"", "");
	expect(FOREIGN ",\"sid\":\"012345678901234567890123456789012345\"", "");
}

Test(token_revocation, a_disabled_account_has_no_good_token_at_all)
{
	put(REVOKED_VERSION, "cosmo", UINT32_MAX);
	expect(OURS ",\"ver\":4294967295", REVOKED);
	expect(OURS ",\"ver\":9223372036854775807", REVOKED);
	expect(OURS ",\"type\":\"refresh\"", REVOKED);
	expect(FOREIGN, "");
	renew_table();
	put(REVOKED_BEFORE, "cosmo", UINT32_MAX);
	expect(FOREIGN, REVOKED);
	expect("\"sub\":\"cosmo\",\"jti\":\"j\",\"exp\":1700000900,"
	       "\"iat\":1700000000,\"type\":\"refresh\"",
	    REVOKED);
	expect(OURS, "");
}

Test(token_revocation, odd_ids_and_subjects_are_revoked_like_others)
{
	static char id[2000];
	char payload[3000];

	memset(id, 'j', sizeof(id) - 1);
	(void)snprintf(payload, sizeof(payload),
	    "{\"sub\":\"a\\u0000b\",\"jti\":\"%s\",\"iat\":1700000000,"
	    "\"exp\":1700000900}",
	    id);
	EXPECT(&kit, kit_claims(&kit, payload), "");
	put_n(REVOKED_BEFORE, "a", 1, KIT_NOW, KIT_NOW + 9);
	put(REVOKED_TOKEN, "j", 0);
	EXPECT(&kit, kit_claims(&kit, payload), "");
	put_n(REVOKED_BEFORE, "a\0b", 3, KIT_NOW, KIT_NOW + 9);
	EXPECT(&kit, kit_claims(&kit, payload), REVOKED);
	renew_table();
	put(REVOKED_TOKEN, id, 0);
	EXPECT(&kit, kit_claims(&kit, payload), REVOKED);

	/* An id is named by what stands before a NUL. */
	renew_table();
	expect("\"sub\":\"s\",\"jti\":\"k\\u0000l\",\"exp\":1700000900", "");
	put(REVOKED_TOKEN, "k", 0);
	expect(
	    "\"sub\":\"s\",\"jti\":\"k\\u0000l\",\"exp\":1700000900", REVOKED);
	expect("\"sub\":\"s\",\"jti\":\"kl\",\"exp\":1700000900", "");
}

/* Revocation is asked for last: whoever holds a token that is bad in another
 * way learns nothing about it. */
Test(token_revocation, every_other_fault_is_named_first)
{
	static char ours[] = "x";

	put(REVOKED_TOKEN, "j", 0);
	expect("\"sub\":\"s\",\"jti\":\"j\",\"exp\":1", "Token has expired");
	kit.kinds = REFRESH;
	expect(FOREIGN, "Only refresh tokens are allowed");
	kit.kinds = ACCESS;
	expect(FOREIGN ",\"type\":\"refresh\"",
	    "Only non-refresh tokens are allowed");
	kit.config.decode_issuer = ours;
	expect(FOREIGN, "Invalid issuer");
	expect(FOREIGN ",\"iss\":\"x\"", REVOKED);
}

Test(token_revocation, claims_learn_of_a_revocation_after_they_were_made)
{
	struct token_policy blind = kit.policy;
	struct claims *before, *unaware;
	char *token;

	blind.revocations = NULL;
	token = kit_claims(&kit, "{" OURS "}");
	cr_assert_eq(token_verify(&kit.policy, ALL_KIND, token, strlen(token),
			 &before, NULL),
	    ERR_NONE);
	cr_assert_eq(token_verify(&blind, ALL_KIND, token, strlen(token),
			 &unaware, NULL),
	    ERR_NONE);
	cr_expect_not(claims_revoked(before, &kit.policy));
	cr_expect_not(claims_revoked(unaware, &kit.policy));
	put(REVOKED_SESSION, SID, 0);
	cr_expect(claims_revoked(before, &kit.policy));
	cr_expect(claims_revoked(unaware, &kit.policy));
	cr_expect_not(claims_revoked(before, &blind));
	cr_expect_not(claims_revoked(unaware, &blind));
	claims_free(before);
	claims_free(unaware);
	free(token);
}

Test(token_revocation, claims_are_looked_up_in_the_table_of_the_policy)
{
	struct token_policy other = kit.policy;
	struct revocations *second;
	struct revocation_key key;
	struct claims *claims;
	char *token;

	cr_assert_not_null(second = revocations_new(100));
	other.revocations = second;
	put(REVOKED_TOKEN, "another", 0);
	token = kit_claims(&kit, "{" OURS "}");
	cr_assert_eq(token_verify(&kit.policy, ALL_KIND, token, strlen(token),
			 &claims, NULL),
	    ERR_NONE);
	revocation_key(second, REVOKED_TOKEN, "j", 1, &key);
	cr_assert_eq(revocations_put(second, &key, 0, KIT_NOW + 9, KIT_NOW), 0);
	cr_expect(claims_revoked(claims, &other));
	cr_expect_not(claims_revoked(claims, &kit.policy));
	claims_free(claims);
	revocations_free(second);
	free(token);
}

/* The other signature that fits an ECDSA token: s becomes n - s. */
static void
turn_signature(char *token)
{
	uint8_t signature[64];
	BIGNUM *n = NULL, *s;
	char *at = strrchr(token, '.') + 1;
	size_t len;

	cr_assert_eq(base64url_decode(at, strlen(at), signature, &len), 0);
	cr_assert_eq(len, 64);
	s = BN_bin2bn(signature + 32, 32, NULL);
	cr_assert_neq(BN_hex2bn(&n,
			  "FFFFFFFF00000000FFFFFFFFFFFFFFFF"
			  "BCE6FAADA7179E84F3B9CAC2FC632551"),
	    0);
	cr_assert_eq(BN_sub(s, n, s), 1);
	cr_assert_eq(BN_bn2binpad(s, signature + 32, 32), 32);
	(void)base64url_encode(signature, 64, at);
	BN_free(s);
	BN_free(n);
}

/* Row 15 of the checklist. */
Test(token_revocation, row_15_a_turned_signature_does_not_revive_a_token)
{
	struct token_cache *cache;
	struct claims *claims;
	char *token, *turned;

	teardown();
	setup_with("ES256");
	cr_assert_not_null(cache = token_cache_new(&kit.policy, 65536));
	token = kit_claims(&kit, "{" OURS "}");
	turned = strdup(token);
	turn_signature(turned);
	cr_assert_str_neq(token, turned);
	cr_expect_str_eq(kit_text(&kit, token), "");
	cr_expect_str_eq(kit_text(&kit, turned), "");
	put(REVOKED_TOKEN, "j", 0);
	cr_expect_str_eq(kit_text(&kit, token), REVOKED);
	cr_expect_str_eq(kit_text(&kit, turned), REVOKED);
	cr_expect_eq(token_cache_verify(cache, ALL_KIND, turned, strlen(turned),
			 &claims, NULL),
	    ERR_TOKEN_REVOKED);
	token_cache_free(cache);
	free(token);
	free(turned);
}
