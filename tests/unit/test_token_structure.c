/*
 * Rows 1 to 11 of the compatibility specification: what is wrong with a token
 * before its signature is looked at. All tokens here are signed well, so that
 * each refusal is the row's own.
 */
#include "token_kit.h"

#define HS "{\"alg\":\"HS256\""

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

TestSuite(token_structure, .init = setup, .fini = teardown, .timeout = 60);

/* Signed, after the text before the signature was changed as asked. */
static char *
spliced(const char *before_dot, const char *after_dot)
{
	char *token = malloc(4096);

	cr_assert_not_null(token);
	(void)snprintf(token, 4096, "%s.%s", before_dot, after_dot);
	return (kit_sign(&kit, token));
}

/* base64url of a text, one of a few static buffers. */
static const char *
b64(const char *text)
{
	static char out[4][1024];
	static unsigned int next;
	char *o = out[next++ % 4];

	cr_assert(BASE64URL_TEXT_LEN(strlen(text)) < sizeof(out[0]));
	(void)base64url_encode(text, strlen(text), o);
	return (o);
}

Test(token_structure, good_token_passes)
{
	EXPECT(&kit, kit_token(&kit, HS256_HEADER, GOOD_PAYLOAD), "");
	EXPECT(&kit, kit_token(&kit, HS "}", GOOD_PAYLOAD), "");
	EXPECT(
	    &kit, kit_token(&kit, " \n" HS "} ", "\t" GOOD_PAYLOAD "\r\n"), "");
}

Test(token_structure, fewer_than_two_dots_is_refused)
{
	static const char *const tokens[] = {"", "abc", ".", "a.b", "a.", ".b"};
	size_t i;

	for (i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++)
		EXPECT(&kit, strdup(tokens[i]), "Not enough segments");
	EXPECT_PREFIX(&kit, strdup(".."), "Invalid header string: ");
}

Test(token_structure, header_outside_base64url_is_refused)
{
	const char *bad = "Invalid header padding";
	const char *payload = b64(GOOD_PAYLOAD);

	EXPECT(&kit, spliced("a", payload), bad);
	EXPECT(&kit, spliced("eyJhbGciOiJIUzI1NiJ9=", payload), bad);
	EXPECT(&kit, spliced("eyJhbGciOiJIUzI1NiJ9====", payload), bad);
	EXPECT(&kit, spliced("eyJh+GciOiJIUzI1NiJ9", payload), bad);
	EXPECT(&kit, spliced("eyJh/GciOiJIUzI1NiJ9", payload), bad);
	EXPECT(&kit, spliced(" eyJhbGciOiJIUzI1NiJ", payload), bad);
	EXPECT(&kit, spliced("eyJhbGciOiJIUzI1NiJ\xc3\xa9", payload), bad);
	EXPECT(&kit, spliced("eyJhbGciOiJIUzI1NiJ9", payload), "");
	/* A blank behind it makes the last byte's unused bits matter. */
	EXPECT(&kit, spliced("eyJhbGciOiJIUzI1NiJ9IA", payload), "");
	EXPECT(&kit, spliced("eyJhbGciOiJIUzI1NiJ9IB", payload), bad);
}

Test(token_structure, header_that_is_no_json_is_refused)
{
	static const char *const headers[] = {"", "x", "{", "{}{}",
	    "{\"alg\":\"HS256\",}", "{'alg':'HS256'}", "\xff\xfe",
	    "{\"alg\":\"HS256\",\"x\":\"\xc0\x80\"}", "{\"alg\":NaN}",
	    "{\"alg\":\"HS256\"} x", "{\"alg\":\"HS256\",\"n\":01}"};
	size_t i;

	for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		EXPECT_PREFIX(&kit, kit_token(&kit, headers[i], GOOD_PAYLOAD),
		    "Invalid header string: ");
}

Test(token_structure, repeated_member_is_refused)
{
	EXPECT_PREFIX(&kit,
	    kit_token(
		&kit, "{\"alg\":\"none\",\"alg\":\"HS256\"}", GOOD_PAYLOAD),
	    "Invalid header string: ");
	EXPECT_PREFIX(&kit,
	    kit_token(&kit, "{\"alg\":\"HS256\",\"\\u0061lg\":\"HS256\"}",
		GOOD_PAYLOAD),
	    "Invalid header string: ");
	EXPECT_PREFIX(&kit,
	    kit_token(&kit, HS256_HEADER, "{" GOOD_CLAIMS ",\"sub\":\"x\"}"),
	    "Invalid payload string: ");
	EXPECT_PREFIX(&kit,
	    kit_token(&kit, HS256_HEADER,
		"{" GOOD_CLAIMS ",\"o\":{\"a\":1,\"a\":1}}"),
	    "Invalid payload string: ");
	EXPECT(&kit,
	    kit_token(&kit, HS256_HEADER, "{" GOOD_CLAIMS ",\"Sub\":\"x\"}"),
	    "");
}

Test(token_structure, header_that_is_no_object_is_refused)
{
	static const char *const headers[] = {
	    "null", "true", "1", "\"HS256\"", "[]", "[{\"alg\":\"HS256\"}]"};
	size_t i;

	for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		EXPECT(&kit, kit_token(&kit, headers[i], GOOD_PAYLOAD),
		    "Invalid header string: must be a json object");
}

Test(token_structure, payload_outside_base64url_is_refused)
{
	const char *bad = "Invalid payload padding";
	const char *header = b64(HS256_HEADER);

	EXPECT(&kit, spliced(header, "a"), bad);
	EXPECT(&kit, spliced(header, "e30="), bad);
	EXPECT(&kit, spliced(header, "e3+0"), bad);
	EXPECT(&kit, spliced(header, "e31"), bad);
	EXPECT(&kit, spliced(header, "e30 "), bad);
	EXPECT(&kit, spliced(header, "e30"), "Missing claim: sub");
}

Test(token_structure, more_than_two_dots_belong_to_the_payload)
{
	const char *header = b64(HS256_HEADER);
	const char *payload = b64(GOOD_PAYLOAD);
	char *longer = malloc(2048);

	(void)snprintf(longer, 2048, "%s.x", payload);
	EXPECT(&kit, spliced(header, longer), "Invalid payload padding");
	(void)snprintf(longer, 2048, ".%s", payload);
	EXPECT(&kit, spliced(header, longer), "Invalid payload padding");
	free(longer);
	EXPECT(&kit, spliced(header, payload), "");
}

Test(token_structure, signature_outside_base64url_is_refused)
{
	static const char *const bad[] = {
	    "a", "ab==", "abc+", "abc/", "ab c", "abcde", "abd", "ab\n"};
	char token[1024];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(token, sizeof(token), "%s.%s.%s",
		    b64(HS256_HEADER), b64(GOOD_PAYLOAD), bad[i]);
		EXPECT(&kit, strdup(token), "Invalid crypto padding");
	}
}

Test(token_structure, padded_good_signature_is_refused)
{
	char *token = kit_token(&kit, HS256_HEADER, GOOD_PAYLOAD);

	strcat(token, "=");
	EXPECT(&kit, token, "Invalid crypto padding");
}

Test(token_structure, last_character_of_a_signature_cannot_be_bent)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijkl"
				       "mnopqrstuvwxyz0123456789-_";
	char *token = kit_token(&kit, HS256_HEADER, GOOD_PAYLOAD);
	char *last = token + strlen(token) - 1, right = *last;
	size_t i, passed = 0;

	for (i = 0; alphabet[i] != '\0'; i++) {
		*last = alphabet[i];
		if (*kit_text(&kit, token) == '\0') {
			cr_expect_eq(alphabet[i], right);
			passed++;
		}
	}
	cr_expect_eq(passed, 1);
	free(token);
}

Test(token_structure, kid_of_another_type_is_refused)
{
	static const char *const bad[] = {
	    "1", "null", "true", "[]", "{}", "[\"a\"]", "1.5"};
	char header[128];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(
		    header, sizeof(header), HS ",\"kid\":%s}", bad[i]);
		EXPECT(&kit, kit_token(&kit, header, GOOD_PAYLOAD),
		    "Key ID header parameter must be a string");
	}
}

Test(token_structure, hostile_kid_is_only_a_string)
{
	char *header = malloc(12000);
	int n;

	EXPECT(&kit,
	    kit_token(
		&kit, HS ",\"kid\":\"../../../etc/passwd\"}", GOOD_PAYLOAD),
	    "");
	EXPECT(&kit,
	    kit_token(&kit, HS ",\"kid\":\"x' OR '1'='1\"}", GOOD_PAYLOAD), "");
	EXPECT(&kit,
	    kit_token(&kit, HS ",\"kid\":\"a\\u0000b\"}", GOOD_PAYLOAD), "");
	EXPECT(&kit, kit_token(&kit, HS ",\"kid\":\"\"}", GOOD_PAYLOAD), "");
	n = snprintf(header, 12000, HS ",\"kid\":\"");
	memset(header + n, 'k', 10240);
	(void)snprintf(header + n + 10240, 100, "\"}");
	EXPECT(&kit, kit_token(&kit, header, GOOD_PAYLOAD), "");
	free(header);
}

Test(token_structure, critical_extensions_are_refused)
{
	static const struct {
		const char *crit;
		const char *text;
	} rows[] = {
	    {"[]", "Invalid 'crit' header: must be a non-empty list"},
	    {"null", "Invalid 'crit' header: must be a non-empty list"},
	    {"\"exp\"", "Invalid 'crit' header: must be a non-empty list"},
	    {"{}", "Invalid 'crit' header: must be a non-empty list"},
	    {"{\"a\":1}", "Invalid 'crit' header: must be a non-empty list"},
	    {"[1]", "Invalid 'crit' header: values must be strings"},
	    {"[null,\"x\"]", "Invalid 'crit' header: values must be strings"},
	    {"[\"x\"]", "Unsupported critical extension: x"},
	    {"[\"exp\"]", "Unsupported critical extension: exp"},
	    {"[\"x\",1]", "Unsupported critical extension: x"},
	    {"[\"\"]", "Unsupported critical extension: "},
	};
	char header[128];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)snprintf(
		    header, sizeof(header), HS ",\"crit\":%s}", rows[i].crit);
		EXPECT(
		    &kit, kit_token(&kit, header, GOOD_PAYLOAD), rows[i].text);
	}
}

Test(token_structure, name_of_an_extension_cannot_forge_text)
{
	EXPECT(&kit,
	    kit_token(&kit, HS ",\"crit\":[\"a\\r\\nb\"]}", GOOD_PAYLOAD),
	    "Unsupported critical extension: a??b");
}

Test(token_structure, payload_that_is_no_json_is_refused)
{
	static const char *const payloads[] = {"", "x", "{\"sub\":}",
	    "{" GOOD_CLAIMS "}}", "{" GOOD_CLAIMS ",}",
	    "{" GOOD_CLAIMS ",\"x\":\"\xed\xa0\x80\"}",
	    "{" GOOD_CLAIMS ",\"x\":Infinity}"};
	size_t i;

	for (i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++)
		EXPECT_PREFIX(&kit, kit_token(&kit, HS256_HEADER, payloads[i]),
		    "Invalid payload string: ");
}

Test(token_structure, payload_that_is_no_object_is_refused)
{
	static const char *const payloads[] = {
	    "null", "7", "\"cosmo\"", "[" GOOD_PAYLOAD "]"};
	size_t i;

	for (i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++)
		EXPECT(&kit, kit_token(&kit, HS256_HEADER, payloads[i]),
		    "Invalid payload string: must be a json object");
}

Test(token_structure, deep_nesting_is_refused)
{
	char payload[4096];
	size_t depth, i, at;

	for (depth = 10; depth <= 1010; depth += 500) {
		at = (size_t)snprintf(
		    payload, sizeof(payload), "{" GOOD_CLAIMS ",\"x\":");
		for (i = 0; i < depth; i++)
			payload[at++] = '[';
		for (i = 0; i < depth; i++)
			payload[at++] = ']';
		(void)snprintf(payload + at, 4, "}");
		if (depth < JDOC_DEPTH_MAX)
			EXPECT(
			    &kit, kit_token(&kit, HS256_HEADER, payload), "");
		else
			EXPECT_PREFIX(&kit,
			    kit_token(&kit, HS256_HEADER, payload),
			    "Invalid payload string: ");
	}
}

Test(token_structure, any_algorithm_but_the_keys_is_refused)
{
	static const char *const bad[] = {"\"none\"", "\"None\"", "\"NONE\"",
	    "\"nOnE\"", "\"\"", "\"hs256\"", "\"HS256 \"", "\"HS384\"",
	    "\"HS512\"", "\"RS256\"", "\"ES256\"", "\"PS256\"", "\"EdDSA\"",
	    "256", "null", "true", "[\"HS256\"]", "{\"HS256\":1}",
	    "\"HS256\\u0000\"", "\"HS256\\u0000none\""};
	char header[128];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(header, sizeof(header), "{\"alg\":%s}", bad[i]);
		EXPECT(&kit, kit_token(&kit, header, GOOD_PAYLOAD),
		    "The specified alg value is not allowed");
	}
	EXPECT(&kit, kit_token(&kit, "{}", GOOD_PAYLOAD),
	    "Algorithm not specified");
	EXPECT(&kit, kit_token(&kit, "{\"ALG\":\"HS256\"}", GOOD_PAYLOAD),
	    "Algorithm not specified");
	EXPECT(&kit,
	    kit_token(&kit, "{\"alg\\u0000\":\"HS256\"}", GOOD_PAYLOAD),
	    "Algorithm not specified");
	EXPECT(&kit,
	    kit_token(&kit, "{\"\\u0061lg\":\"\\u0048S256\"}", GOOD_PAYLOAD),
	    "");
}

Test(token_structure, unsigned_token_of_algorithm_none_is_refused)
{
	static const char *const names[] = {"none", "None", "NONE", "nonE"};
	char header[64], *token;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(
		    header, sizeof(header), "{\"alg\":\"%s\"}", names[i]);
		token = kit_compose_n(
		    header, strlen(header), GOOD_PAYLOAD, strlen(GOOD_PAYLOAD));
		strcat(token, ".");
		EXPECT(&kit, token, "The specified alg value is not allowed");
	}
}

/* Where several things are wrong, the row that comes first is answered. */
Test(token_structure, rows_are_checked_in_their_order)
{
	EXPECT(&kit, strdup("a.a.a"), "Invalid header padding");
	EXPECT(&kit, strdup("e30.a.a"), "Invalid payload padding");
	EXPECT(&kit, strdup("e30.e30.a"), "Invalid crypto padding");
	EXPECT(&kit, strdup("bnVsbA.a.a"),
	    "Invalid header string: must be a json object");
	EXPECT(&kit,
	    kit_token(&kit, "{\"kid\":1,\"crit\":1,\"alg\":\"none\"}", "x"),
	    "Key ID header parameter must be a string");
	EXPECT(&kit, kit_token(&kit, "{\"crit\":1,\"alg\":\"none\"}", "x"),
	    "Invalid 'crit' header: must be a non-empty list");
	EXPECT_PREFIX(&kit, kit_token(&kit, "{\"alg\":\"none\"}", "x"),
	    "Invalid payload string: ");
	EXPECT(&kit, kit_token(&kit, "{\"alg\":\"none\"}", "[]"),
	    "Invalid payload string: must be a json object");
	EXPECT(&kit, strdup("e30.e30."), "Algorithm not specified");
}

Test(token_structure, other_header_members_are_ignored)
{
	static const char *const members[] = {"\"typ\":\"JWT\"",
	    "\"typ\":\"jwt\"", "\"typ\":\"at+jwt\"", "\"typ\":\"JWE\"",
	    "\"typ\":\"\"", "\"typ\":7", "\"typ\":null", "\"typ\":[\"JWT\"]",
	    "\"typ\":\"JWT\\u0000\"", "\"cty\":\"JWT\"", "\"b64\":true",
	    "\"x5u\":\"http://127.0.0.1:1/x\"", "\"x5c\":[\"AAAA\"]",
	    "\"jku\":\"http://127.0.0.1:1/jwks\"",
	    "\"jwk\":{\"kty\":\"oct\",\"k\":\"AAAA\"}", "\"n\":1e400",
	    "\"n\":123456789012345678901234567890", "\"a\\u0000b\":1",
	    "\"n\":-0.5e-7"};
	char header[160];
	size_t i;

	for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		(void)snprintf(header, sizeof(header), HS ",%s}", members[i]);
		EXPECT(&kit, kit_token(&kit, header, GOOD_PAYLOAD), "");
	}
}

Test(token_structure, token_of_64_kilobytes_is_taken_and_a_longer_refused)
{
	char *payload = malloc(70000), *token;
	size_t filler, at, len;

	for (filler = 48900; filler < 49200; filler++) {
		at =
		    (size_t)snprintf(payload, 200, "{" GOOD_CLAIMS ",\"x\":\"");
		memset(payload + at, 'x', filler - at);
		(void)snprintf(payload + filler, 3, "\"}");
		token = kit_token(&kit, "{\"alg\":\"HS256\"}", payload);
		len = strlen(token);
		if (len <= TOKEN_MAX && len > TOKEN_MAX - 2)
			EXPECT(&kit, strdup(token), "");
		if (len > TOKEN_MAX) {
			EXPECT(&kit, token, "Request header fields too large");
			break;
		}
		free(token);
	}
	cr_expect_lt(filler, 49200);
	free(payload);
}

Test(token_structure, embedded_nul_byte_is_a_foreign_byte)
{
	char *token = kit_token(&kit, HS256_HEADER, GOOD_PAYLOAD);
	size_t len = strlen(token);

	cr_expect_str_eq(
	    kit_text_n(&kit, token, len + 1), "Invalid crypto padding");
	cr_expect_str_eq(kit_text_n(&kit, token, len), "");
	token[2] = '\0';
	cr_expect_str_eq(
	    kit_text_n(&kit, token, len), "Invalid header padding");
	free(token);
}
