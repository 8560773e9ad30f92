/*
 * The claims of sessions: what is put into access and refresh tokens, and how
 * what is in a token is read, however odd.
 */
#include "auth/revocation.h"
#include "token_kit.h"

#define SID "0a1b2c3d-0000-4000-8000-000000000001"

static struct kit kit;

static void
setup(void)
{
	kit_hmac(&kit, "HS256");
	kit.kinds = TOKEN_ACCESS | TOKEN_REFRESH;
}

static void
teardown(void)
{
	kit_free(&kit);
}

TestSuite(token_session, .init = setup, .fini = teardown, .timeout = 60);

static struct claims *
verified_as(unsigned int kinds, char *token)
{
	struct claims *claims;

	cr_assert_eq(token_verify(&kit.policy, kinds, token, strlen(token),
			 &claims, NULL),
	    ERR_NONE);
	free(token);
	return (claims);
}

/* What a well signed token with these claims besides says. */
static struct claims *
saying(const char *claims)
{
	char payload[2048];

	(void)snprintf(payload, sizeof(payload), "{" GOOD_CLAIMS "%s}", claims);
	return (verified_as(TOKEN_ACCESS, kit_claims(&kit, payload)));
}

/* Issue and read; the payload's text in *json. */
static struct claims *
issued(
    const struct token_request *request, struct token_made *made, char **json)
{
	struct claims *claims;
	char *token;

	cr_assert_eq(token_issue(&kit.policy, request, &token, made), ERR_NONE);
	claims = verified_as(request->kind, token);
	*json = claims_json(claims);
	return (claims);
}

static void
expect_text(const char *text, const char *part, bool there)
{
	cr_expect_eq(strstr(text, part) != NULL, there, "%s in %s", part, text);
}

Test(token_session, an_access_token_holds_session_version_and_roles)
{
	static const struct token_request request = {.kind = TOKEN_ACCESS,
	    .subject = "cosmo",
	    .subject_len = 5,
	    .fresh = true,
	    .session = SID,
	    .version = 7,
	    .roles = "admin editor"};
	struct token_made made;
	struct claims *c;
	char *json;

	c = issued(&request, &made, &json);
	cr_expect_eq(claims_kind(c), TOKEN_ACCESS);
	cr_expect_str_eq(claims_session(c), SID);
	cr_expect_str_eq(claims_roles(c), "admin editor");
	cr_expect(claims_fresh(c));
	cr_expect_str_eq(claims_id(c), made.id);
	cr_expect_str_eq(claims_csrf(c), made.csrf);
	cr_expect_eq(strlen(made.id), UUID_LEN);
	cr_expect_str_neq(made.id, made.csrf);
	cr_expect_eq(made.issued, KIT_NOW);
	cr_expect_eq(made.expires, KIT_NOW + 900);
	cr_expect_eq(claims_expires(c), made.expires);
	expect_text(json, "\"roles\":[\"admin\",\"editor\"]", true);
	expect_text(json, "\"ver\":7", true);
	free(json);
	claims_free(c);
}

Test(token_session, a_refresh_token_holds_neither_roles_nor_version)
{
	static char extra[] = "{\"tier\":\"gold\"}";
	static const struct token_request request = {.kind = TOKEN_REFRESH,
	    .subject = "cosmo",
	    .subject_len = 5,
	    .session = SID,
	    .version = 7,
	    .roles = "admin"};
	struct token_made made;
	struct claims *c;
	char *json;

	kit.config.extra_claims = extra;
	c = issued(&request, &made, &json);
	cr_expect_eq(claims_kind(c), TOKEN_REFRESH);
	cr_expect_str_eq(claims_session(c), SID);
	cr_expect_str_eq(claims_csrf(c), made.csrf);
	cr_expect_str_eq(claims_roles(c), "");
	cr_expect_not(claims_fresh(c));
	cr_expect_eq(made.expires, KIT_NOW + 86400);
	expect_text(json, "\"type\":\"refresh\"", true);
	expect_text(json, "\"ver\"", false);
	expect_text(json, "\"roles\"", false);
	expect_text(json, "\"tier\"", false);
	free(json);
	claims_free(c);
}

Test(token_session, without_session_version_and_roles_there_are_no_such_claims)
{
	static const char *const empty[] = {NULL, "", " "};
	struct token_request request = {
	    .kind = TOKEN_ACCESS, .subject = "cosmo", .subject_len = 5};
	struct claims *c;
	char *json;
	size_t i;

	for (i = 0; i < 3; i++) {
		request.roles = empty[i];
		c = issued(&request, NULL, &json);
		expect_text(json, "\"sid\"", false);
		expect_text(json, "\"ver\"", false);
		expect_text(json, "\"roles\"", false);
		cr_expect_str_eq(claims_session(c), "");
		free(json);
		claims_free(c);
	}
}

Test(token_session, configured_claims_go_into_access_tokens_as_they_are)
{
	static char extra[] =
	    "{\"tier\":\"gold\",\"a\\u0000b\":[1,{\"c\":null}],\"n\":1e400,"
	    "\"big\":123456789012345678901234567890}";
	static char broken[] = "{";
	struct token_request request = {
	    .kind = TOKEN_ACCESS, .subject = "cosmo", .subject_len = 5};
	struct claims *c;
	char *json, *token;

	kit.config.extra_claims = extra;
	c = issued(&request, NULL, &json);
	expect_text(json, "\"tier\":\"gold\"", true);
	expect_text(json, "\"a\\u0000b\":[1,{\"c\":null}]", true);
	expect_text(json, "\"n\":", true);
	expect_text(json, "\"big\":", true);
	free(json);
	claims_free(c);
	kit.config.extra_claims = broken;
	cr_expect_eq(
	    token_issue(&kit.policy, &request, &token, NULL), ERR_INTERNAL);
	cr_expect_null(token);
}

Test(token_session, the_end_is_the_configured_or_the_one_asked_for)
{
	static const struct {
		enum token_kind kind;
		int64_t life; /* configured for that kind */
		int64_t asked;
		int64_t expires;
	} rows[] = {
	    {TOKEN_ACCESS, 60, 0, KIT_NOW + 60},
	    {TOKEN_REFRESH, 60, 0, KIT_NOW + 60},
	    {TOKEN_ACCESS, 60, KIT_NOW + 5, KIT_NOW + 5},
	    {TOKEN_REFRESH, CONFIG_NEVER, KIT_NOW + 5, KIT_NOW + 5},
	    {TOKEN_ACCESS, CONFIG_NEVER, 0, INT64_MAX},
	    {TOKEN_REFRESH, CONFIG_NEVER, 0, INT64_MAX},
	    {TOKEN_REFRESH, CONFIG_NEVER, INT64_MAX, INT64_MAX},
	    {TOKEN_ACCESS, INT64_MAX, 0, INT64_MAX - 1},
	};
	struct token_request request = {.subject = "cosmo", .subject_len = 5};
	struct token_made made;
	struct claims *c;
	char *json;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		request.kind = rows[i].kind;
		request.expires = rows[i].asked;
		kit.config.access_expires = kit.config.refresh_expires = 1;
		if (rows[i].kind == TOKEN_ACCESS)
			kit.config.access_expires = rows[i].life;
		else
			kit.config.refresh_expires = rows[i].life;
		c = issued(&request, &made, &json);
		cr_expect_eq(made.expires, rows[i].expires, "row %zu", i);
		cr_expect_eq(claims_expires(c), rows[i].expires);
		expect_text(json, "\"exp\"", rows[i].expires != INT64_MAX);
		free(json);
		claims_free(c);
	}
}

/* Without an end a token passes only where its own kind never ends. */
Test(token_session, each_kind_without_end_follows_its_own_option)
{
	static const char access[] = "{\"sub\":\"s\",\"jti\":\"j\"}",
			  refresh[] = "{\"sub\":\"s\",\"jti\":\"j\","
				      "\"type\":\"refresh\"}";

	kit.config.access_expires = CONFIG_NEVER;
	EXPECT(&kit, kit_claims(&kit, access), "");
	EXPECT(&kit, kit_claims(&kit, refresh), "Missing claim: exp");
	kit.config.access_expires = 900;
	kit.config.refresh_expires = CONFIG_NEVER;
	EXPECT(&kit, kit_claims(&kit, access), "Missing claim: exp");
	EXPECT(&kit, kit_claims(&kit, refresh), "");
}

Test(token_session, a_token_of_the_wrong_kind_is_told_so)
{
	static const struct {
		const char *type;
		enum token_kind kind;
	} rows[] = {{"\"access\"", TOKEN_ACCESS},
	    {"\"refresh\"", TOKEN_REFRESH}, {"\"Refresh\"", TOKEN_ACCESS},
	    {"\"refresh\\u0000\"", TOKEN_ACCESS},
	    {"[\"refresh\"]", TOKEN_ACCESS}, {"null", TOKEN_ACCESS}};
	char payload[512];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)snprintf(payload, sizeof(payload),
		    "{\"sub\":\"s\",\"jti\":\"j\",\"exp\":1700000900,"
		    "\"type\":%s}",
		    rows[i].type);
		kit.kinds = TOKEN_ACCESS;
		EXPECT(&kit, kit_claims(&kit, payload),
		    rows[i].kind == TOKEN_ACCESS
			? ""
			: "Only non-refresh tokens are allowed");
		kit.kinds = TOKEN_REFRESH;
		EXPECT(&kit, kit_claims(&kit, payload),
		    rows[i].kind == TOKEN_REFRESH
			? ""
			: "Only refresh tokens are allowed");
		kit.kinds = TOKEN_ACCESS | TOKEN_REFRESH;
		EXPECT(&kit, kit_claims(&kit, payload), "");
	}
	/* A token that names no kind is an access token. */
	kit.kinds = TOKEN_REFRESH;
	EXPECT(&kit,
	    kit_claims(
		&kit, "{\"sub\":\"s\",\"jti\":\"j\",\"exp\":1700000900}"),
	    "Only refresh tokens are allowed");
}

Test(token_session, only_strings_of_the_right_form_are_roles)
{
	static const struct {
		const char *claim;
		const char *roles;
	} rows[] = {
	    {"[]", ""},
	    {"[\"a\"]", "a"},
	    {"[\"a\",\"b\"]", "a b"},
	    {"[\"a\",7,null,true,[\"x\"],{\"y\":\"z\"},\"b\"]", "a b"},
	    {"[7,\"a\"]", "a"},
	    {"[\"\",\"a\",\"\"]", "a"},
	    {"[\"admin user\",\"a\"]", "a"},
	    {"[\"a\\u0000b\",\"c\\nd\",\"e\\tf\",\"\\u007f\"]", ""},
	    {"[\"K\xc3\xb6rgi\"]", "K\xc3\xb6rgi"},
	    {"\"admin\"", ""},
	    {"{\"admin\":\"admin\"}", ""},
	    {"null", ""},
	};
	char claims[512];
	struct claims *c;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)snprintf(
		    claims, sizeof(claims), ",\"roles\":%s", rows[i].claim);
		c = saying(claims);
		cr_expect_str_eq(claims_roles(c), rows[i].roles, "%s gives %s",
		    rows[i].claim, claims_roles(c));
		cr_expect_not(claims_has_role(c, "admin"));
		cr_expect_not(claims_has_role(c, ""));
		claims_free(c);
	}
}

Test(token_session, a_role_is_had_as_a_whole_or_not)
{
	struct claims *c = saying(",\"roles\":[\"editor\",\"admin\",\"b\"]");

	cr_expect(claims_has_role(c, "editor"));
	cr_expect(claims_has_role(c, "admin"));
	cr_expect(claims_has_role(c, "b"));
	cr_expect_not(claims_has_role(c, "edit"));
	cr_expect_not(claims_has_role(c, "ditor"));
	cr_expect_not(claims_has_role(c, "admins"));
	cr_expect_not(claims_has_role(c, "Admin"));
	cr_expect_not(claims_has_role(c, "editor admin"));
	cr_expect_not(claims_has_role(c, ""));
	claims_free(c);
}

Test(token_session, session_and_csrf_are_strings_or_nothing)
{
	static const struct {
		const char *claims;
		const char *session;
		const char *csrf;
	} rows[] = {
	    {",\"sid\":\"s\",\"csrf\":\"c\"", "s", "c"},
	    {",\"sid\":\"" SID "\"", SID, ""},
	    {",\"sid\":\"" SID "x\",\"csrf\":7", "", ""},
	    {",\"sid\":\"\",\"csrf\":\"\"", "", ""},
	    {",\"sid\":7,\"csrf\":null", "", ""},
	    {",\"sid\":[\"s\"],\"csrf\":[\"c\"]", "", ""},
	    {",\"sid\":\"a\\u0000b\",\"csrf\":\"a\\u0000b\"", "", ""},
	};
	struct claims *c;
	char *json;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		c = saying(rows[i].claims);
		cr_expect_str_eq(claims_session(c), rows[i].session);
		cr_expect_str_eq(claims_csrf(c), rows[i].csrf);
		cr_expect_str_eq(claims_roles(c), "");
		json = claims_json(c);
		expect_text(json, rows[i].claims, true);
		free(json);
		claims_free(c);
	}
}

/* It is refused from the next one on. */
static void
expect_version(const struct claims *c, uint32_t version)
{
	struct revocations *r = revocations_new(10);
	struct token_policy policy = {.revocations = r};
	struct revocation_key key;

	cr_assert_not_null(r);
	policy.clock = kit.policy.clock;
	revocation_key(r, REVOKED_VERSION, "cosmo", 5, &key);
	cr_assert_eq(revocations_put(r, &key, version, INT64_MAX, KIT_NOW), 0);
	cr_expect_not(claims_revoked(c, &policy));
	cr_assert_eq(
	    revocations_put(r, &key, version + 1, INT64_MAX, KIT_NOW), 0);
	cr_expect(claims_revoked(c, &policy));
	revocations_free(r);
}

Test(token_session, a_copy_of_claims_outlives_them_with_all_they_say)
{
	struct claims *c, *copy;
	char *json, *again;

	c = saying(",\"sid\":\"s\",\"csrf\":\"c\",\"ver\":3,"
		   "\"roles\":[\"a\",\"b\"],\"fresh\":true");
	json = claims_json(c);
	copy = claims_copy(c);
	cr_assert_not_null(copy);
	claims_free(c);
	again = claims_json(copy);
	cr_expect_str_eq(again, json);
	cr_expect_str_eq(claims_subject(copy, NULL), "cosmo");
	cr_expect_str_eq(claims_id(copy), "j");
	cr_expect_str_eq(claims_session(copy), "s");
	cr_expect_str_eq(claims_csrf(copy), "c");
	cr_expect_str_eq(claims_roles(copy), "a b");
	expect_version(copy, 3);
	cr_expect(claims_fresh(copy));
	claims_free(copy);
	free(json);
	free(again);
}

Test(token_session, a_login_is_recent_for_the_seconds_asked_for)
{
	struct claims *c = saying(",\"fresh\":true");

	kit.now = KIT_NOW + 60;
	cr_expect(claims_recent(c, 60));
	cr_expect_not(claims_recent(c, 59));
	cr_expect(claims_recent(c, INT64_MAX));
	kit.now = KIT_NOW;
	cr_expect(claims_recent(c, 0));
	cr_expect_not(claims_recent(c, -1));
	claims_free(c);

	c = saying(",\"fresh\":false");
	cr_expect_not(claims_recent(c, 60));
	claims_free(c);
	c = verified_as(TOKEN_ACCESS,
	    kit_claims(&kit,
		"{\"sub\":\"s\",\"jti\":\"j\",\"exp\":1700000900,"
		"\"fresh\":true}"));
	cr_expect(claims_fresh(c));
	cr_expect_not(claims_recent(c, 1000000), "without a time of issue");
	claims_free(c);
	c = verified_as(TOKEN_ACCESS,
	    kit_claims(&kit,
		"{\"sub\":\"s\",\"jti\":\"j\",\"exp\":1700000900,"
		"\"iat\":-9223372036854775808,\"fresh\":true}"));
	cr_expect_not(claims_recent(c, INT64_MAX), "beyond all numbers");
	claims_free(c);
}
