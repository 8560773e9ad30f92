/*
 * fuzz_token.c - tokens under an HS256 key at a fixed second. An input is
 * tried as a token as it is; one of two lines is besides signed as header and
 * payload, which gets it past the signature. Such a token may be refused for
 * many reasons, but never for its signature: that would be a payload that
 * libjwt was thought to read and does not. What passes is read through and
 * taken back; then it must not pass any more.
 */
#include <string.h>

#include "auth/base64url.h"
#include "auth/revocation.h"
#include "auth/signature.h"
#include "auth/token.h"
#include "base/jdoc.h"
#include "fuzz.h"

#define SECRET "0123456789abcdef0123456789abcdef"

static struct config config;
static int64_t now = 1700000000;
static struct token_policy policy;
static struct revocations *table;

static void
prepare(void)
{
	static char algorithm[] = "HS256";
	char error[KEY_ERROR_MAX];

	FUZZ_CHECK(secret_init() == 0);
	jdoc_init();
	config.flavor = CONFIG_PROD;
	config.algorithm = algorithm;
	config.access_expires = 900;
	config.refresh_expires = CONFIG_NEVER;
	FUZZ_CHECK(secret_set(&config.secret_key, SECRET, strlen(SECRET)) == 0);
	policy.key = key_from_config(&config, error);
	FUZZ_CHECK(policy.key != NULL);
	policy.config = &config;
	policy.clock = clock_fixed(&now);
	table = revocations_new(100);
	FUZZ_CHECK(table != NULL);
	policy.revocations = table;
}

/* Take back what has this name, see that it is, and give it back. */
static void
check_name(const struct claims *claims, enum revocation_about about,
    const char *id, size_t len)
{
	struct revocation_key key;

	revocation_key(table, about, id, len, &key);
	FUZZ_CHECK(!claims_revoked(claims, &policy));
	FUZZ_CHECK(revocations_put(table, &key, UINT32_MAX, now + 1, now) == 0);
	FUZZ_CHECK(claims_revoked(claims, &policy));
	FUZZ_CHECK(revocations_put(table, &key, 0, now - 10, now) == 0);
	FUZZ_CHECK(!claims_revoked(claims, &policy));
}

static void
check_revocation(const struct claims *claims)
{
	const char *id = claims_id(claims), *subject;
	const char *session = claims_session(claims);
	size_t len;

	subject = claims_subject(claims, &len);
	check_name(claims, REVOKED_TOKEN, id, strlen(id));
	if (session[0] == '\0') {
		check_name(claims, REVOKED_BEFORE, subject, len);
		return;
	}
	check_name(claims, REVOKED_SESSION, session, strlen(session));
	check_name(claims, REVOKED_VERSION, subject, len);
}

static void
check_words(const struct claims *claims)
{
	const char *roles = claims_roles(claims), *csrf = claims_csrf(claims);
	size_t len = strlen(roles);

	FUZZ_CHECK(utf8_valid(roles, len) && utf8_valid(csrf, strlen(csrf)));
	FUZZ_CHECK(len == 0 || (roles[0] != ' ' && roles[len - 1] != ' '));
	FUZZ_CHECK(strstr(roles, "  ") == NULL);
	FUZZ_CHECK(!claims_has_role(claims, ""));
	FUZZ_CHECK(strchr(roles, ' ') != NULL || len == 0 ||
	    claims_has_role(claims, roles));
	FUZZ_CHECK(strlen(claims_session(claims)) <= UUID_LEN);
	FUZZ_CHECK(!claims_recent(claims, INT64_MAX) || claims_fresh(claims));
}

/* Verify, and ask claims for all they hold. */
static enum error_code
verify(const char *token, size_t len)
{
	struct claims *claims;
	struct fault fault = {ERR_NONE, ""};
	enum error_code code;
	const char *subject;
	char text[512], *json;
	size_t n;

	code = token_verify(
	    &policy, TOKEN_ACCESS | TOKEN_REFRESH, token, len, &claims, &fault);
	FUZZ_CHECK((code == ERR_NONE) == (claims != NULL));
	FUZZ_CHECK(code == fault.code);
	if (claims == NULL) {
		n = fault_text(
		    &fault, "Authorization", "Bearer", text, sizeof(text));
		FUZZ_CHECK(n > 0 && utf8_valid(text, n));
		return (code);
	}
	FUZZ_CHECK(claims_expires(claims) > now);
	FUZZ_CHECK(claims_issued(claims) <= now);
	FUZZ_CHECK(claims_id(claims) != NULL);
	subject = claims_subject(claims, &n);
	FUZZ_CHECK(utf8_valid(subject, n));
	check_words(claims);
	check_revocation(claims);
	json = claims_json(claims);
	FUZZ_CHECK(json != NULL);
	free(json);
	claims_free(claims);
	return (code);
}

/* Sign the two lines of an input and verify what comes out. */
static void
sign_and_verify(const char *header, size_t header_len, const char *payload,
    size_t payload_len)
{
	uint8_t signature[SIGNATURE_MAX];
	size_t len, n;
	char *token;

	token = malloc(BASE64URL_TEXT_LEN(header_len) +
	    BASE64URL_TEXT_LEN(payload_len) +
	    BASE64URL_TEXT_LEN(sizeof(signature)) + 3);
	FUZZ_CHECK(token != NULL);
	len = base64url_encode(header, header_len, token);
	token[len++] = '.';
	len += base64url_encode(payload, payload_len, token + len);
	FUZZ_CHECK(signature_make(policy.key, token, len, signature, &n) == 0);
	token[len++] = '.';
	len += base64url_encode(signature, n, token + len);
	FUZZ_CHECK(verify(token, len) != ERR_TOKEN_SIGNATURE);
	free(token);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *line;
	char *described;

	if (policy.key == NULL)
		prepare();
	(void)verify(text, size);
	described = token_describe(text, size);
	FUZZ_CHECK(described != NULL);
	free(described);
	line = size > 0 ? memchr(text, '\n', size) : NULL;
	if (line != NULL)
		sign_and_verify(text, (size_t)(line - text), line + 1,
		    size - (size_t)(line - text) - 1);
	return (0);
}
