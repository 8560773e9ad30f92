/*
 * Issuing: what is in a token, that it is verified again, under every
 * algorithm and for every subject; and taking tokens apart for people.
 */
#include "token_kit.h"

static const char *const algorithms[] = {"HS256", "HS384", "HS512", "RS256",
    "RS384", "RS512", "ES256", "ES384", "ES512"};

TestSuite(token_issue, .timeout = 120);

static char *
issue_n(const struct kit *kit, const char *subject, size_t len)
{
	struct token_request request = {.subject = subject, .subject_len = len};
	char *token;

	cr_assert_eq(
	    token_issue(&kit->policy, &request, &token, NULL), ERR_NONE);
	cr_assert_not_null(token);
	return (token);
}

static char *
issue(const struct kit *kit)
{
	return (issue_n(kit, "cosmo", 5));
}

/* One part of a token as text; free() it. */
static char *
part(const char *token, int index)
{
	size_t len;
	uint8_t *out;

	for (; index > 0; index--)
		token = strchr(token, '.') + 1;
	len = strcspn(token, ".");
	out = calloc(1, len + 1);
	cr_assert_eq(base64url_decode(token, len, out, &len), 0);
	return ((char *)out);
}

static jdoc *
payload_of(const char *token)
{
	char error[JDOC_ERROR_MAX], *text = part(token, 1);
	jdoc *doc;

	doc = jdoc_parse(text, strlen(text), JDOC_REJECT_DUPLICATES, error);
	cr_assert_not_null(doc, "%s", error);
	free(text);
	return (doc);
}

static void
expect_time(const jdoc *payload, const char *name, int64_t want)
{
	int64_t time = -1;

	cr_expect(jdoc_time(jdoc_member(payload, name), &time));
	cr_expect_eq(time, want, "%s", name);
}

static void
expect_string(const jdoc *payload, const char *name, const char *want)
{
	const char *text = jdoc_string(jdoc_member(payload, name), NULL);

	cr_assert_not_null(text, "%s", name);
	cr_expect_str_eq(text, want);
}

/* xxxxxxxx-xxxx-4xxx-[89ab]xxx-xxxxxxxxxxxx */
static void
expect_uuid4(const jdoc *payload, const char *name)
{
	const char *id = jdoc_string(jdoc_member(payload, name), NULL);
	size_t i;

	cr_assert_not_null(id);
	cr_assert_eq(strlen(id), 36);
	for (i = 0; i < 36; i++) {
		if (i == 8 || i == 13 || i == 18 || i == 23)
			cr_expect_eq(id[i], '-');
		else
			cr_expect_not_null(strchr("0123456789abcdef", id[i]));
	}
	cr_expect_eq(id[14], '4');
	cr_expect_not_null(strchr("89ab", id[19]));
}

Test(token_issue, token_holds_exactly_the_specified_claims)
{
	struct kit kit;
	char *token, *header;
	jdoc *payload;

	kit_hmac(&kit, "HS256");
	token = issue(&kit);
	header = part(token, 0);
	cr_expect(strcmp(header, "{\"alg\":\"HS256\",\"typ\":\"JWT\"}") == 0,
	    "%s", header);
	free(header);
	payload = payload_of(token);
	cr_expect_eq(jdoc_count(payload), 8);
	cr_expect_eq(jdoc_type_of(jdoc_member(payload, "fresh")), JDOC_BOOL);
	cr_expect_not(jdoc_true(jdoc_member(payload, "fresh")));
	expect_time(payload, "iat", KIT_NOW);
	expect_time(payload, "nbf", KIT_NOW);
	expect_time(payload, "exp", KIT_NOW + 900);
	expect_string(payload, "sub", "cosmo");
	expect_string(payload, "type", "access");
	expect_uuid4(payload, "jti");
	expect_uuid4(payload, "csrf");
	cr_expect_str_neq(jdoc_string(jdoc_member(payload, "jti"), NULL),
	    jdoc_string(jdoc_member(payload, "csrf"), NULL));
	jdoc_free(payload);
	EXPECT(&kit, token, "");
	kit_free(&kit);
}

Test(token_issue, configuration_decides_on_issuer_audience_and_end)
{
	static char one[] = "corgi", two[] = "pack", issuer[] = "me";
	struct token_request request = {
	    .subject = "cosmo", .subject_len = 5, .fresh = true};
	struct kit kit;
	char *token;
	jdoc *payload;

	kit_hmac(&kit, "HS256");
	kit.config.access_expires = CONFIG_NEVER;
	kit.config.encode_issuer = kit.config.decode_issuer = issuer;
	kit.config.encode_audience.items[0] = one;
	kit.config.encode_audience.count = 1;
	kit.config.decode_audience = kit.config.encode_audience;
	cr_assert_eq(
	    token_issue(&kit.policy, &request, &token, NULL), ERR_NONE);
	payload = payload_of(token);
	cr_expect_null(jdoc_member(payload, "exp"));
	cr_expect(jdoc_true(jdoc_member(payload, "fresh")));
	expect_string(payload, "iss", "me");
	expect_string(payload, "aud", "corgi");
	jdoc_free(payload);
	EXPECT(&kit, token, "");

	kit.config.encode_audience.items[1] = two;
	kit.config.encode_audience.count = 2;
	token = issue(&kit);
	payload = payload_of(token);
	cr_expect_eq(jdoc_count(jdoc_member(payload, "aud")), 2);
	jdoc_free(payload);
	EXPECT(&kit, token, "");
	kit.config.access_expires = INT64_MAX;
	token = issue(&kit);
	payload = payload_of(token);
	expect_time(payload, "exp", INT64_MAX - 1);
	jdoc_free(payload);
	EXPECT(&kit, token, "");
	kit_free(&kit);
}

/* Hundreds each for ECDSA, whose numbers now and then begin with zeros. */
Test(token_issue, every_algorithm_verifies_what_it_issues)
{
	static const char *const subjects[] = {"cosmo", "", " ",
	    "a\"b\\c\n\x01\x7f", "K\xc3\xb6rgi \xf0\x9f\x90\x95"};
	struct kit kit;
	size_t i, j, rounds;

	for (i = 0; i < 9; i++) {
		kit_any(&kit, algorithms[i]);
		for (j = 0; j < sizeof(subjects) / sizeof(subjects[0]); j++)
			EXPECT(&kit,
			    issue_n(&kit, subjects[j], strlen(subjects[j])),
			    "");
		EXPECT(&kit, issue_n(&kit, "a\0b", 3), "");
		EXPECT(&kit, issue_n(&kit, "\0", 1), "");
		rounds = algorithms[i][0] == 'E' ? 300 : 5;
		for (j = 0; j < rounds; j++)
			EXPECT(&kit, issue(&kit), "");
		kit_free(&kit);
	}
}

/* The two ways to sign, through libjwt and by hand, agree to the byte where
 * the signature is deterministic. */
Test(token_issue, libjwt_signs_as_we_do)
{
	struct kit kit;
	char *token, *text, *again;
	size_t i;

	for (i = 0; i < 6; i++) {
		kit_any(&kit, algorithms[i]);
		token = issue(&kit);
		text = strdup(token);
		*strrchr(text, '.') = '\0';
		again = realloc(text, strlen(token) + SIGNATURE_MAX * 2);
		cr_expect_str_eq(kit_sign(&kit, again), token);
		free(again);
		free(token);
		kit_free(&kit);
	}
}

/* A subject comes back as it went in, whatever it is. */
Test(token_issue, subject_round_trips_at_every_length)
{
	static const char tail[] = "\0\xc3\xa9";
	struct kit kit;
	struct claims *claims;
	char subject[600], *token;
	size_t n, len;

	kit_hmac(&kit, "HS256");
	memset(subject, 'x', sizeof(subject));
	for (n = 0; n < 500; n++) {
		memcpy(subject + n, tail, 3);
		len = n + (n % 5 == 0 ? 3 : 0);
		token = issue_n(&kit, subject, len);
		cr_assert_eq(token_verify(&kit.policy, TOKEN_ACCESS, token,
				 strlen(token), &claims, NULL),
		    ERR_NONE, "length %zu", len);
		cr_assert_eq(memcmp(claims_subject(claims, &len), subject,
				 n + (n % 5 == 0 ? 3 : 0)),
		    0);
		cr_assert_eq(len, n + (n % 5 == 0 ? 3 : 0));
		claims_free(claims);
		free(token);
		memset(subject + n, 'x', 3);
	}
	kit_free(&kit);
}

Test(token_issue, subject_that_is_no_utf8_or_too_long_is_refused)
{
	struct token_request request = {.subject = "\xff", .subject_len = 1};
	struct kit kit;
	char *token, *longer = malloc(TOKEN_MAX);

	kit_hmac(&kit, "HS256");
	cr_expect_eq(
	    token_issue(&kit.policy, &request, &token, NULL), ERR_INTERNAL);
	cr_expect_null(token);
	memset(longer, 'x', TOKEN_MAX);
	request.subject = longer;
	request.subject_len = TOKEN_MAX;
	cr_expect_eq(
	    token_issue(&kit.policy, &request, &token, NULL), ERR_INTERNAL);
	request.subject_len = 49000;
	cr_expect_eq(
	    token_issue(&kit.policy, &request, &token, NULL), ERR_INTERNAL);
	cr_expect_null(token);
	request.subject_len = 48000;
	cr_expect_eq(
	    token_issue(&kit.policy, &request, &token, NULL), ERR_NONE);
	EXPECT(&kit, token, "");
	free(longer);
	kit_free(&kit);
}

Test(token_issue, verifying_key_does_not_sign)
{
	struct token_request request = {.subject = "cosmo", .subject_len = 5};
	EVP_PKEY *pkey = kit_generate("ES256");
	char *pem = kit_pem(pkey, false), *token;
	struct kit kit;

	kit_config(&kit, "ES256");
	cr_assert_eq(secret_set(&kit.config.public_key, pem, strlen(pem)), 0);
	kit_ready(&kit);
	cr_expect_eq(
	    token_issue(&kit.policy, &request, &token, NULL), ERR_INTERNAL);
	cr_expect_null(token);
	request.subject = "a\0b";
	request.subject_len = 3;
	cr_expect_eq(
	    token_issue(&kit.policy, &request, &token, NULL), ERR_INTERNAL);
	kit_free(&kit);
	free(pem);
	EVP_PKEY_free(pkey);
}

static int
compare(const void *a, const void *b)
{
	return (strcmp(a, b));
}

Test(token_issue, no_two_tokens_share_an_id)
{
	enum { COUNT = 10000 };
	char(*ids)[UUID_LEN + 1] = calloc(COUNT, sizeof(*ids));
	struct kit kit;
	jdoc *payload;
	char *token;
	size_t i;

	cr_assert_not_null(ids);
	kit_hmac(&kit, "HS256");
	for (i = 0; i < COUNT; i++) {
		token = issue(&kit);
		payload = payload_of(token);
		(void)snprintf(ids[i], sizeof(ids[i]), "%s",
		    jdoc_string(jdoc_member(payload, "jti"), NULL));
		jdoc_free(payload);
		free(token);
	}
	qsort(ids, COUNT, sizeof(*ids), compare);
	for (i = 1; i < COUNT; i++)
		cr_assert_str_neq(ids[i - 1], ids[i]);
	free(ids);
	kit_free(&kit);
}

static void
expect_described(const char *token, const char *header, const char *payload)
{
	char error[JDOC_ERROR_MAX], *text, *part_text;
	jdoc *doc;

	text = token_describe(token, strlen(token));
	cr_assert_not_null(text);
	doc = jdoc_parse(text, strlen(text), 0, error);
	cr_assert_not_null(doc, "%s", text);
	cr_expect_eq(jdoc_count(doc), 2);
	part_text = jdoc_text(jdoc_member(doc, "header"), NULL);
	cr_expect_str_eq(part_text, header, "\"%s\"", token);
	free(part_text);
	part_text = jdoc_text(jdoc_member(doc, "payload"), NULL);
	cr_expect_str_eq(part_text, payload, "\"%s\"", token);
	free(part_text);
	jdoc_free(doc);
	free(text);
}

Test(token_issue, anything_can_be_taken_apart_for_people)
{
	struct kit kit;
	char *token;

	kit_hmac(&kit, "HS256");
	token = kit_token(&kit, HS256_HEADER, GOOD_PAYLOAD);
	expect_described(token, HS256_HEADER, GOOD_PAYLOAD);
	free(token);
	kit_free(&kit);
	expect_described("", "null", "null");
	expect_described(".", "null", "null");
	expect_described("..", "null", "null");
	expect_described("e30", "{}", "null");
	expect_described("e30.", "{}", "null");
	expect_described("e30.W10", "{}", "[]");
	expect_described("e30.W10.x", "{}", "[]");
	expect_described("?.W10.x", "null", "[]");
	expect_described("e30.?.x", "{}", "null");
	expect_described("e30.W10.x.y.z", "{}", "[]");
}
