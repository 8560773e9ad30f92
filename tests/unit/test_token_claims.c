/*
 * Rows 13 to 20 of the compatibility specification: what the claims of a well
 * signed token have to say, at a fixed second.
 */
#include "token_kit.h"

#define NOT_YET_IAT "The token is not yet valid (iat)"
#define NOT_YET_NBF "The token is not yet valid (nbf)"
#define BAD_IAT     "Issued At claim (iat) must be an integer."
#define BAD_NBF     "Not Before claim (nbf) must be an integer."
#define BAD_EXP     "Expiration Time claim (exp) must be an integer."
#define EXPIRED     "Token has expired"

#define BASIC "\"sub\":\"cosmo\",\"jti\":\"j\""

static struct kit kit;

static void
setup(void)
{
	kit_hmac(&kit, "HS256");
}

static void
teardown(void)
{
	kit_free(&kit);
}

TestSuite(token_claims, .init = setup, .fini = teardown, .timeout = 60);

/* One claim beside what is needed, and the text that it gives. */
struct row {
	const char *value;
	const char *text;
};

static void
check_rows(const char *basic, const char *name, const struct row *rows)
{
	char payload[1024];

	for (; rows->value != NULL; rows++) {
		(void)snprintf(payload, sizeof(payload), "{%s,\"%s\":%s}",
		    basic, name, rows->value);
		EXPECT(&kit, kit_claims(&kit, payload), rows->text);
	}
}

Test(token_claims, issued_at)
{
	static const struct row rows[] = {
	    {"1700000000", ""},
	    {"1700000001", NOT_YET_IAT},
	    {"1700000000.9", ""},
	    {"1700000001.1", NOT_YET_IAT},
	    {"0", ""},
	    {"-1", ""},
	    {"-9223372036854775809", ""},
	    {"4294967296", NOT_YET_IAT},
	    {"9223372036854775807", NOT_YET_IAT},
	    {"9223372036854775808", NOT_YET_IAT},
	    {"18446744073709551616", NOT_YET_IAT},
	    {"1e30", NOT_YET_IAT},
	    {"1e400", BAD_IAT},
	    {"-1e400", BAD_IAT},
	    {"\"1700000000\"", BAD_IAT},
	    {"\"x\"", BAD_IAT},
	    {"true", BAD_IAT},
	    {"false", BAD_IAT},
	    {"null", BAD_IAT},
	    {"[]", BAD_IAT},
	    {"{}", BAD_IAT},
	    {NULL, NULL},
	};

	check_rows(BASIC ",\"exp\":1700000900", "iat", rows);
}

Test(token_claims, not_before)
{
	static const struct row rows[] = {
	    {"1700000000", ""},
	    {"1700000001", NOT_YET_NBF},
	    {"1700000000.9", ""},
	    {"-1", ""},
	    {"4294967296", NOT_YET_NBF},
	    {"9223372036854775808", NOT_YET_NBF},
	    {"18446744073709551616", NOT_YET_NBF},
	    {"1e400", BAD_NBF},
	    {"\"1700000000\"", BAD_NBF},
	    {"true", BAD_NBF},
	    {"null", BAD_NBF},
	    {"[1]", BAD_NBF},
	    {NULL, NULL},
	};

	check_rows(BASIC ",\"exp\":1700000900", "nbf", rows);
}

Test(token_claims, expiry)
{
	static const struct row rows[] = {
	    {"1700000001", ""},
	    {"1700000000", EXPIRED},
	    {"1699999999", EXPIRED},
	    {"1700000001.5", ""},
	    {"1700000000.9", EXPIRED},
	    {"0", EXPIRED},
	    {"-1", EXPIRED},
	    {"-0.5", EXPIRED},
	    {"-9223372036854775809", EXPIRED},
	    {"4294967296", ""},
	    {"4294967295", ""},
	    {"9223372036854775807", ""},
	    {"9223372036854775808", ""},
	    {"18446744073709551617", ""},
	    {"1e30", ""},
	    {"1.7e9", EXPIRED},
	    {"1.8e9", ""},
	    {"1e400", BAD_EXP},
	    {"-1e400", BAD_EXP},
	    {"\"1700000900\"", BAD_EXP},
	    {"\"x\"", BAD_EXP},
	    {"true", BAD_EXP},
	    {"null", BAD_EXP},
	    {"[1700000900]", BAD_EXP},
	    {"{}", BAD_EXP},
	    {NULL, NULL},
	};

	check_rows(BASIC, "exp", rows);
}

Test(token_claims, leeway_moves_every_edge_by_itself)
{
	static const struct row iat[] = {
	    {"1700000030", ""}, {"1700000031", NOT_YET_IAT}, {NULL, NULL}};
	static const struct row nbf[] = {
	    {"1700000030", ""}, {"1700000031", NOT_YET_NBF}, {NULL, NULL}};
	static const struct row expiry[] = {{"1699999971", ""},
	    {"1699999970", EXPIRED}, {"1699999970.9", EXPIRED}, {NULL, NULL}};

	kit.config.leeway = 30;
	check_rows(BASIC ",\"exp\":1700000900", "iat", iat);
	check_rows(BASIC ",\"exp\":1700000900", "nbf", nbf);
	check_rows(BASIC, "exp", expiry);
}

Test(token_claims, times_do_not_wrap_at_the_ends_of_the_clock)
{
	static const struct row late[] = {{"9223372036854775807", EXPIRED},
	    {"1700000000", EXPIRED}, {NULL, NULL}};
	static const struct row early[] = {{"1700000000", ""},
	    {"-9223372036854775808", EXPIRED}, {NULL, NULL}};

	kit.config.leeway = 0;
	kit.now = INT64_MAX;
	check_rows(BASIC, "exp", late);
	kit.config.leeway = 3600;
	kit.now = INT64_MIN;
	check_rows(BASIC, "exp", early);
}

Test(token_claims, token_passes_until_the_second_it_ends)
{
	char *token = kit_claims(&kit, GOOD_PAYLOAD);

	kit.now = 1700000000 - 1;
	cr_expect_str_eq(kit_text(&kit, token), NOT_YET_IAT);
	kit.now++;
	cr_expect_str_eq(kit_text(&kit, token), "");
	kit.now = 1700000900 - 1;
	cr_expect_str_eq(kit_text(&kit, token), "");
	kit.now++;
	cr_expect_str_eq(kit_text(&kit, token), EXPIRED);
	free(token);
}

Test(token_claims, subject_and_id_are_strings)
{
	static const char *const bad[] = {
	    "1", "null", "true", "[]", "{\"a\":\"b\"}", "1.5"};
	char payload[512];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(payload, sizeof(payload),
		    "{\"jti\":\"j\",\"exp\":1700000900,\"sub\":%s}", bad[i]);
		EXPECT(&kit, kit_claims(&kit, payload),
		    "Subject must be a string");
		(void)snprintf(payload, sizeof(payload),
		    "{\"sub\":\"s\",\"exp\":1700000900,\"jti\":%s}", bad[i]);
		EXPECT(
		    &kit, kit_claims(&kit, payload), "JWT ID must be a string");
	}
	EXPECT(&kit,
	    kit_claims(&kit, "{\"sub\":\"\",\"jti\":\"\",\"exp\":1700000900}"),
	    "");
}

Test(token_claims, absent_claims_are_named)
{
	EXPECT(&kit, kit_claims(&kit, "{}"), "Missing claim: sub");
	EXPECT(&kit, kit_claims(&kit, "{\"exp\":1}"), "Missing claim: sub");
	EXPECT(&kit, kit_claims(&kit, "{\"sub\":\"s\"}"), "Missing claim: exp");
	EXPECT(&kit, kit_claims(&kit, "{\"sub\":\"s\",\"jti\":\"j\"}"),
	    "Missing claim: exp");
	EXPECT(&kit, kit_claims(&kit, "{\"sub\":\"s\",\"exp\":1}"),
	    "Missing claim: jti");
	EXPECT(&kit,
	    kit_claims(
		&kit, "{\"sub\":\"s\",\"jti\":\"j\",\"exp\":1700000001}"),
	    "");
	EXPECT(&kit,
	    kit_claims(&kit,
		"{\"sub\\u0000\":\"s\",\"jti\":\"j\",\"exp\":1700000001}"),
	    "Missing claim: sub");
}

Test(token_claims, token_without_end_only_where_tokens_never_end)
{
	kit.config.access_expires = CONFIG_NEVER;
	EXPECT(&kit, kit_claims(&kit, "{" BASIC "}"), "");
	EXPECT(&kit, kit_claims(&kit, "{" BASIC ",\"exp\":1}"), EXPIRED);
	EXPECT(&kit, kit_claims(&kit, "{\"sub\":\"s\"}"), "Missing claim: jti");
	kit.config.access_expires = 900;
	EXPECT(&kit, kit_claims(&kit, "{" BASIC "}"), "Missing claim: exp");
}

Test(token_claims, refresh_token_is_no_access_token)
{
	static const struct row rows[] = {
	    {"\"refresh\"", "Only non-refresh tokens are allowed"},
	    {"\"access\"", ""},
	    {"\"Refresh\"", ""},
	    {"\"refresh\\u0000\"", ""},
	    {"\"other\"", ""},
	    {"null", ""},
	    {"1", ""},
	    {"[\"refresh\"]", ""},
	    {NULL, NULL},
	};

	check_rows(BASIC ",\"exp\":1700000900", "type", rows);
}

Test(token_claims, audience_is_ignored_until_it_is_configured)
{
	static const struct row any[] = {{"\"x\"", ""}, {"[\"x\"]", ""},
	    {"7", ""}, {"null", ""}, {NULL, NULL}};

	check_rows(BASIC ",\"exp\":1700000900", "aud", any);
}

Test(token_claims, one_of_the_audiences_has_to_be_ours)
{
	static char ours[] = "corgi", other[] = "pack";
	static const struct row rows[] = {
	    {"\"corgi\"", ""},
	    {"\"pack\"", ""},
	    {"[\"x\",\"pack\"]", ""},
	    {"[\"corgi\"]", ""},
	    {"[7,\"corgi\"]", ""},
	    {"\"x\"", "Invalid audience"},
	    {"\"Corgi\"", "Invalid audience"},
	    {"\"corgi \"", "Invalid audience"},
	    {"\"corgi\\u0000\"", "Invalid audience"},
	    {"\"corg\"", "Invalid audience"},
	    {"\"\"", "Invalid audience"},
	    {"[]", "Invalid audience"},
	    {"[\"x\",\"y\"]", "Invalid audience"},
	    {"[[\"corgi\"]]", "Invalid audience"},
	    {"{\"corgi\":\"corgi\"}", "Invalid audience"},
	    {"7", "Invalid audience"},
	    {"null", "Invalid audience"},
	    {NULL, NULL},
	};

	kit.config.decode_audience.items[0] = ours;
	kit.config.decode_audience.items[1] = other;
	kit.config.decode_audience.count = 2;
	check_rows(BASIC ",\"exp\":1700000900", "aud", rows);
	EXPECT(&kit, kit_claims(&kit, GOOD_PAYLOAD), "Invalid audience");
}

Test(token_claims, issuer_is_ignored_until_it_is_configured)
{
	static const struct row any[] = {
	    {"\"x\"", ""}, {"7", ""}, {"null", ""}, {NULL, NULL}};

	check_rows(BASIC ",\"exp\":1700000900", "iss", any);
}

Test(token_claims, issuer_has_to_be_the_configured_one)
{
	static char ours[] = "https://id.example";
	static const struct row rows[] = {
	    {"\"https://id.example\"", ""},
	    {"\"https://id.example/\"", "Invalid issuer"},
	    {"\"https://id.exampl\"", "Invalid issuer"},
	    {"\"https://id.example\\u0000\"", "Invalid issuer"},
	    {"\"HTTPS://ID.EXAMPLE\"", "Invalid issuer"},
	    {"[\"https://id.example\"]", "Invalid issuer"},
	    {"\"\"", "Invalid issuer"},
	    {"null", "Invalid issuer"},
	    {NULL, NULL},
	};

	kit.config.decode_issuer = ours;
	check_rows(BASIC ",\"exp\":1700000900", "iss", rows);
	EXPECT(&kit, kit_claims(&kit, GOOD_PAYLOAD), "Invalid issuer");
}

/* Each line keeps the faults of the lines after it. */
Test(token_claims, rows_are_checked_in_their_order)
{
	static char ours[] = "x";

	kit.config.decode_issuer = ours;
	kit.config.decode_audience.items[0] = ours;
	kit.config.decode_audience.count = 1;
	EXPECT(&kit,
	    kit_claims(&kit,
		"{\"iat\":\"\",\"nbf\":\"\",\"exp\":\"\","
		"\"sub\":1,\"jti\":1}"),
	    BAD_IAT);
	EXPECT(&kit,
	    kit_claims(&kit,
		"{\"iat\":1800000000,\"nbf\":\"\","
		"\"exp\":\"\",\"sub\":1,\"jti\":1}"),
	    NOT_YET_IAT);
	EXPECT(&kit, kit_claims(&kit, "{\"nbf\":\"\",\"exp\":\"\",\"sub\":1}"),
	    BAD_NBF);
	EXPECT(&kit,
	    kit_claims(&kit, "{\"nbf\":1800000000,\"exp\":\"\",\"sub\":1}"),
	    NOT_YET_NBF);
	EXPECT(&kit, kit_claims(&kit, "{\"exp\":\"\",\"sub\":1,\"jti\":1}"),
	    BAD_EXP);
	EXPECT(&kit, kit_claims(&kit, "{\"exp\":1,\"sub\":1,\"jti\":1}"),
	    "Subject must be a string");
	EXPECT(&kit, kit_claims(&kit, "{\"exp\":1,\"jti\":1}"),
	    "JWT ID must be a string");
	EXPECT(&kit, kit_claims(&kit, "{\"exp\":1,\"type\":\"refresh\"}"),
	    "Missing claim: sub");
	EXPECT(&kit,
	    kit_claims(&kit, "{" BASIC ",\"exp\":1,\"type\":\"refresh\"}"),
	    EXPIRED);
	EXPECT(&kit,
	    kit_claims(
		&kit, "{" BASIC ",\"exp\":1700000900,\"type\":\"refresh\"}"),
	    "Only non-refresh tokens are allowed");
	EXPECT(&kit, kit_claims(&kit, "{" BASIC ",\"exp\":1700000900}"),
	    "Invalid audience");
	EXPECT(&kit,
	    kit_claims(&kit, "{" BASIC ",\"exp\":1700000900,\"aud\":\"x\"}"),
	    "Invalid issuer");
	EXPECT(&kit,
	    kit_claims(&kit,
		"{" BASIC ",\"exp\":1700000900,"
		"\"aud\":\"x\",\"iss\":\"x\"}"),
	    "");
}

/* What verified claims say; the token is made of a payload. */
static struct claims *
verified(const char *payload)
{
	char *token = kit_claims(&kit, payload);
	struct claims *claims;

	cr_assert_eq(token_verify(&kit.policy, TOKEN_ACCESS | TOKEN_REFRESH,
			 token, strlen(token), &claims, NULL),
	    ERR_NONE);
	free(token);
	return (claims);
}

Test(token_claims, verified_claims_can_be_read)
{
	struct claims *c;
	char *json;
	size_t len;

	c = verified("{" GOOD_CLAIMS ",\"x\":[1,null]}");
	cr_expect_str_eq(claims_subject(c, &len), "cosmo");
	cr_expect_eq(len, 5);
	cr_expect_str_eq(claims_subject(c, NULL), "cosmo");
	cr_expect_str_eq(claims_id(c), "j");
	cr_expect_eq(claims_issued(c), 1700000000);
	cr_expect_eq(claims_expires(c), 1700000900);
	cr_expect_not(claims_fresh(c));
	json = claims_json(c);
	cr_expect_str_eq(json, "{" GOOD_CLAIMS ",\"x\":[1,null]}");
	free(json);
	claims_free(c);
	claims_free(NULL);

	kit.config.access_expires = CONFIG_NEVER;
	c = verified("{\"sub\":\"a\\u0000b\",\"jti\":\"j\"}");
	cr_expect_eq(memcmp(claims_subject(c, &len), "a\0b", 4), 0);
	cr_expect_eq(len, 3);
	cr_expect_eq(claims_issued(c), 0);
	cr_expect_eq(claims_expires(c), INT64_MAX);
	claims_free(c);
}

Test(token_claims, freshness_is_true_or_a_time_still_to_come)
{
	static const struct {
		const char *value;
		bool fresh;
	} rows[] = {
	    {"true", true},
	    {"false", false},
	    {"1700000001", true},
	    {"1700000000", false},
	    {"1699999999", false},
	    {"1e30", true},
	    {"\"true\"", false},
	    {"null", false},
	    {"[]", false},
	    {"1", false},
	};
	struct claims *c;
	char payload[512];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)snprintf(payload, sizeof(payload),
		    "{" GOOD_CLAIMS ",\"fresh\":%s}", rows[i].value);
		c = verified(payload);
		cr_expect_eq(
		    claims_fresh(c), rows[i].fresh, "fresh %s", rows[i].value);
		claims_free(c);
	}
	c = verified("{" GOOD_CLAIMS ",\"fresh\":1700000010}");
	cr_expect(claims_fresh(c));
	kit.now += 10;
	cr_expect_not(claims_fresh(c));
	claims_free(c);
}
