/*
 * errors.c - the one table of refusals, and the words made from it.
 */
#include <stdbool.h>
#include <string.h>

#include "base/errors.h"
#include "base/jdoc.h"

static bool put(char *, size_t, size_t *, const char *, size_t);
static size_t placeholder(const char *, const char *);

/* A refusal that has the same status and no challenge in both dialects. */
#define PLAIN(code, word, http, words, lvl)                                    \
	[code] = {word, http, BODY_ERROR, words, CHALLENGE_NONE, http,         \
	    CHALLENGE_NONE, NULL, lvl}

/* A token with a fault: 422 as Flask-JWT-Extended has it, or RFC 6750's
 * invalid_token. */
#define TOKEN(code, word, words)                                               \
	[code] = {word, 422, BODY_MSG, words, CHALLENGE_NONE, 401,             \
	    CHALLENGE_ERROR, "invalid_token", ERROR_LEVEL_INFO}

/* No token where one may stand. */
#define ABSENT(code, word, words)                                              \
	[code] = {word, 401, BODY_MSG, words, CHALLENGE_BARE, 401,             \
	    CHALLENGE_BARE, NULL, ERROR_LEVEL_INFO}

/* Flask-JWT-Extended's words for a header without exactly one token. */
#define SCHEME_WORDS                                                           \
	"Missing '{type}' type in '{header}' header. "                         \
	"Expected '{header}: {type} <JWT>'"
#define MALFORMED_WORDS "Bad {header} header. Expected '{header}: {type} <JWT>'"

static const struct error_info table[] = {
    PLAIN(ERR_NONE, "none", 500, "Internal server error", ERROR_LEVEL_ERR),

    PLAIN(
	ERR_BAD_REQUEST, "bad_request", 400, "Bad request", ERROR_LEVEL_DEBUG),
    PLAIN(ERR_NOT_FOUND, "not_found", 404, "Not found", ERROR_LEVEL_DEBUG),
    PLAIN(ERR_METHOD, "method", 405, "Method not allowed", ERROR_LEVEL_DEBUG),
    PLAIN(ERR_TIMEOUT, "timeout", 408, "Request timeout", ERROR_LEVEL_DEBUG),
    PLAIN(ERR_BODY_TOO_LARGE, "body_too_large", 413, "Request body too large",
	ERROR_LEVEL_DEBUG),
    PLAIN(ERR_URI_TOO_LONG, "uri_too_long", 414, "Request target too long",
	ERROR_LEVEL_DEBUG),
    PLAIN(ERR_HEAD_TOO_LARGE, "head_too_large", 431,
	"Request header fields too large", ERROR_LEVEL_DEBUG),
    PLAIN(ERR_EXPECTATION, "expectation", 417, "Expectation failed",
	ERROR_LEVEL_DEBUG),
    PLAIN(ERR_MISDIRECTED, "misdirected", 421, "Misdirected request",
	ERROR_LEVEL_DEBUG),
    PLAIN(ERR_TRANSFER_CODING, "transfer_coding", 501,
	"Transfer coding not supported", ERROR_LEVEL_DEBUG),
    PLAIN(ERR_HTTP_VERSION, "http_version", 505, "HTTP version not supported",
	ERROR_LEVEL_DEBUG),
    PLAIN(ERR_INTERNAL, "internal", 500, "Internal server error",
	ERROR_LEVEL_ERR),
    PLAIN(ERR_BUSY, "busy", 503, "Service busy", ERROR_LEVEL_INFO),
    PLAIN(ERR_CONNECTIONS, "connections", 503, "Too many connections",
	ERROR_LEVEL_INFO),
    PLAIN(ERR_STORE, "store", 503, "Service unavailable", ERROR_LEVEL_ERR),

    PLAIN(ERR_VERIFY_ONLY, "verify_only", 501, "Tokens are not issued here",
	ERROR_LEVEL_INFO),
    PLAIN(ERR_MEDIA_TYPE, "media_type", 415, "Unsupported media type",
	ERROR_LEVEL_DEBUG),
    PLAIN(ERR_JSON, "json", 400, "Malformed JSON", ERROR_LEVEL_DEBUG),
    PLAIN(
	ERR_VALIDATION, "validation", 400, "Invalid input", ERROR_LEVEL_DEBUG),
    [ERR_CREDENTIALS] = {"credentials", 401, BODY_ERROR,
	"Bad username or password", CHALLENGE_BARE, 401, CHALLENGE_BARE, NULL,
	ERROR_LEVEL_INFO},
    PLAIN(ERR_THROTTLED, "throttled", 429, "Too many failed attempts",
	ERROR_LEVEL_DEBUG),

    PLAIN(ERR_CURRENT_PASSWORD, "current_password", 403,
	"The current password is needed", ERROR_LEVEL_INFO),
    PLAIN(ERR_PASSWORD_RULES, "password_rules", 422, "Password not allowed",
	ERROR_LEVEL_DEBUG),
    PLAIN(ERR_USERNAME_TAKEN, "username_taken", 409, "Username is taken",
	ERROR_LEVEL_DEBUG),
    PLAIN(ERR_REVOCATIONS_FULL, "revocations_full", 503, "Service unavailable",
	ERROR_LEVEL_ERR),

    ABSENT(ERR_COOKIE_MISSING, "cookie_missing", "Missing cookie \"{detail}\""),
    ABSENT(ERR_QUERY_MISSING, "query_missing",
	"Missing '{detail}' query paramater"),
    ABSENT(ERR_JSON_TYPE, "json_type",
	"Invalid content-type. Must be application/json."),
    ABSENT(ERR_JSON_MISSING, "json_missing",
	"Missing \"{detail}\" key in json data."),
    ABSENT(ERR_LOCATIONS_MISSING, "locations_missing", "{detail}"),
    [ERR_LOCATIONS_SEVERAL] = {"locations_several", 400, BODY_MSG,
	"More than one token in the request", CHALLENGE_NONE, 400,
	CHALLENGE_ERROR, "invalid_request", ERROR_LEVEL_INFO},
    [ERR_CSRF_MISSING] = {"csrf_missing", 401, BODY_MSG, "Missing CSRF token",
	CHALLENGE_BARE, 403, CHALLENGE_NONE, NULL, ERROR_LEVEL_INFO},
    [ERR_CSRF_MISMATCH] = {"csrf_mismatch", 401, BODY_MSG,
	"CSRF double submit tokens do not match", CHALLENGE_BARE, 403,
	CHALLENGE_NONE, NULL, ERROR_LEVEL_INFO},

    [ERR_AUTH_MISSING] = {"auth_missing", 401, BODY_MSG,
	"Missing {header} Header", CHALLENGE_BARE, 401, CHALLENGE_BARE, NULL,
	ERROR_LEVEL_INFO},
    [ERR_AUTH_SCHEME] = {"auth_scheme", 401, BODY_MSG, SCHEME_WORDS,
	CHALLENGE_BARE, 401, CHALLENGE_BARE, NULL, ERROR_LEVEL_INFO},
    [ERR_AUTH_REPEATED] = {"auth_repeated", 401, BODY_MSG, SCHEME_WORDS,
	CHALLENGE_BARE, 400, CHALLENGE_ERROR, "invalid_request",
	ERROR_LEVEL_INFO},
    [ERR_AUTH_MALFORMED] = {"auth_malformed", 422, BODY_MSG, MALFORMED_WORDS,
	CHALLENGE_NONE, 400, CHALLENGE_ERROR, "invalid_request",
	ERROR_LEVEL_INFO},

    TOKEN(ERR_TOKEN_SEGMENTS, "token_segments", "Not enough segments"),
    TOKEN(ERR_TOKEN_HEADER_PADDING, "token_header_padding",
	"Invalid header padding"),
    TOKEN(ERR_TOKEN_HEADER_STRING, "token_header_string",
	"Invalid header string: {detail}"),
    TOKEN(ERR_TOKEN_HEADER_OBJECT, "token_header_object",
	"Invalid header string: must be a json object"),
    TOKEN(ERR_TOKEN_PAYLOAD_PADDING, "token_payload_padding",
	"Invalid payload padding"),
    TOKEN(ERR_TOKEN_CRYPTO_PADDING, "token_crypto_padding",
	"Invalid crypto padding"),
    TOKEN(
	ERR_TOKEN_KID, "token_kid", "Key ID header parameter must be a string"),
    TOKEN(ERR_TOKEN_CRIT_LIST, "token_crit_list",
	"Invalid 'crit' header: must be a non-empty list"),
    TOKEN(ERR_TOKEN_CRIT_VALUE, "token_crit_value",
	"Invalid 'crit' header: values must be strings"),
    TOKEN(ERR_TOKEN_CRIT_UNKNOWN, "token_crit_unknown",
	"Unsupported critical extension: {detail}"),
    TOKEN(ERR_TOKEN_PAYLOAD_STRING, "token_payload_string",
	"Invalid payload string: {detail}"),
    TOKEN(ERR_TOKEN_PAYLOAD_OBJECT, "token_payload_object",
	"Invalid payload string: must be a json object"),
    TOKEN(ERR_TOKEN_ALG, "token_alg", "The specified alg value is not allowed"),
    TOKEN(
	ERR_TOKEN_ALG_MISSING, "token_alg_missing", "Algorithm not specified"),
    TOKEN(ERR_TOKEN_SIGNATURE, "token_signature",
	"Signature verification failed"),
    TOKEN(ERR_TOKEN_IAT_TYPE, "token_iat_type",
	"Issued At claim (iat) must be an integer."),
    TOKEN(ERR_TOKEN_IAT_FUTURE, "token_iat_future",
	"The token is not yet valid (iat)"),
    TOKEN(ERR_TOKEN_NBF_TYPE, "token_nbf_type",
	"Not Before claim (nbf) must be an integer."),
    TOKEN(ERR_TOKEN_NBF_FUTURE, "token_nbf_future",
	"The token is not yet valid (nbf)"),
    TOKEN(ERR_TOKEN_EXP_TYPE, "token_exp_type",
	"Expiration Time claim (exp) must be an integer."),
    TOKEN(ERR_TOKEN_SUB_TYPE, "token_sub_type", "Subject must be a string"),
    TOKEN(ERR_TOKEN_JTI_TYPE, "token_jti_type", "JWT ID must be a string"),
    TOKEN(ERR_TOKEN_CLAIM_MISSING, "token_claim_missing",
	"Missing claim: {detail}"),
    [ERR_TOKEN_EXPIRED] = {"token_expired", 401, BODY_MSG, "Token has expired",
	CHALLENGE_ERROR, 401, CHALLENGE_ERROR, "invalid_token",
	ERROR_LEVEL_INFO},
    TOKEN(ERR_TOKEN_REFRESH, "token_refresh",
	"Only non-refresh tokens are allowed"),
    TOKEN(ERR_TOKEN_AUDIENCE, "token_audience", "Invalid audience"),
    TOKEN(ERR_TOKEN_ISSUER, "token_issuer", "Invalid issuer"),
    TOKEN(ERR_TOKEN_ACCESS, "token_access", "Only refresh tokens are allowed"),
    [ERR_TOKEN_REVOKED] = {"token_revoked", 401, BODY_MSG,
	"Token has been revoked", CHALLENGE_ERROR, 401, CHALLENGE_ERROR,
	"invalid_token", ERROR_LEVEL_INFO},

    [ERR_TOKEN_STALE] = {"token_stale", 401, BODY_MSG, "Fresh token required",
	CHALLENGE_ERROR, 401, CHALLENGE_ERROR,
	"insufficient_user_authentication", ERROR_LEVEL_INFO},
    [ERR_ROLE] = {"role", 403, BODY_MSG, "Role required: {detail}",
	CHALLENGE_NONE, 403, CHALLENGE_ERROR, "insufficient_scope",
	ERROR_LEVEL_INFO},
};

_Static_assert(sizeof(table) / sizeof(table[0]) == ERR__MAX,
    "the table ends with the last code");

const struct error_info *
error_lookup(enum error_code code)
{
	if (code <= ERR_NONE || code >= ERR__MAX)
		code = ERR_INTERNAL;

	return (&table[code]);
}

const char *
error_reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
	    {100, "Continue"},
	    {200, "OK"},
	    {201, "Created"},
	    {304, "Not Modified"},
	    {400, "Bad Request"},
	    {401, "Unauthorized"},
	    {403, "Forbidden"},
	    {404, "Not Found"},
	    {405, "Method Not Allowed"},
	    {408, "Request Timeout"},
	    {409, "Conflict"},
	    {413, "Content Too Large"},
	    {414, "URI Too Long"},
	    {415, "Unsupported Media Type"},
	    {417, "Expectation Failed"},
	    {421, "Misdirected Request"},
	    {422, "Unprocessable Content"},
	    {429, "Too Many Requests"},
	    {431, "Request Header Fields Too Large"},
	    {500, "Internal Server Error"},
	    {501, "Not Implemented"},
	    {503, "Service Unavailable"},
	    {505, "HTTP Version Not Supported"},
	};
	size_t i;

	for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (reasons[i].status == status)
			return (reasons[i].reason);
	}

	return ("Unknown");
}

enum error_code
fault_set(struct fault *f, enum error_code code, const char *detail)
{
	unsigned char c;
	bool text;
	size_t i;

	if (f == NULL)
		return (code);
	if (detail == NULL)
		detail = "";

	f->code = code;
	text = utf8_valid(detail, strlen(detail));
	for (i = 0; i < sizeof(f->detail) - 1 && detail[i] != '\0'; i++) {
		c = (unsigned char)detail[i];
		f->detail[i] = detail[i];
		if (c < 0x20 || c == 0x7f || (c >= 0x80 && !text))
			f->detail[i] = '?';
	}
	/* Not in the middle of a character. */
	if (text && detail[i] != '\0')
		while (i > 0 && ((unsigned char)detail[i] & 0xc0) == 0x80)
			i--;
	f->detail[i] = '\0';

	return (code);
}

size_t
fault_text(const struct fault *f, const char *header_name,
    const char *header_type, char *out, size_t size)
{
	const char *p;
	size_t len, skip;

	if (size == 0)
		return (0);

	len = 0;
	p = error_lookup(f->code)->text;
	while (*p != '\0') {
		const char *words = p;
		size_t n = 1;

		skip = 1;
		if (placeholder(p, "{header}") != 0) {
			skip = placeholder(p, "{header}");
			words = header_name;
			n = strlen(words);
		} else if (placeholder(p, "{type}") != 0) {
			skip = placeholder(p, "{type}");
			words = header_type;
			n = strlen(words);
			/* "Authorization: <JWT>" where there is no type. */
			if (n == 0 && p[skip] == ' ')
				skip++;
		} else if (placeholder(p, "{detail}") != 0) {
			skip = placeholder(p, "{detail}");
			words = f->detail;
			n = strlen(words);
		}
		if (!put(out, size, &len, words, n))
			break;
		p += skip;
	}
	out[len] = '\0';

	return (len);
}

/* The length of a placeholder that begins at p, or 0. */
static size_t
placeholder(const char *p, const char *name)
{
	size_t len = strlen(name);

	return (strncmp(p, name, len) == 0 ? len : 0);
}

/* Append what fits; false once out is full. */
static bool
put(char *out, size_t size, size_t *len, const char *words, size_t n)
{
	size_t room = size - 1 - *len;
	bool fits = n <= room;

	if (!fits)
		n = room;
	memcpy(out + *len, words, n);
	*len += n;

	return (fits);
}
