/*
 * errors.h - every way in which a request can be refused, in one table.
 *
 * One row per refusal: its status and words in the Flask dialect, its status
 * and words in the RFC dialect (RFC 6750, RFC 9457), the challenge that goes
 * with it and the level at which it is logged. Nothing else in the source
 * holds a status code or a message for an error.
 *
 * All functions here are pure and may be called from any thread.
 */
#ifndef CORGI_ERRORS_H
#define CORGI_ERRORS_H

#include <stddef.h>

/* Longest detail kept with a fault, the closing NUL included (bytes). */
#define FAULT_DETAIL_MAX 512

enum error_code {
	ERR_NONE = 0,

	/* The connection front and the router. */
	ERR_BAD_REQUEST,
	ERR_NOT_FOUND,
	ERR_METHOD,
	ERR_TIMEOUT,
	ERR_BODY_TOO_LARGE,
	ERR_URI_TOO_LONG,
	ERR_HEAD_TOO_LARGE,
	ERR_EXPECTATION,
	ERR_MISDIRECTED,
	ERR_TRANSFER_CODING,
	ERR_HTTP_VERSION,
	ERR_INTERNAL,
	ERR_BUSY,
	ERR_CONNECTIONS,
	ERR_STORE,

	/* POST /login. */
	ERR_VERIFY_ONLY,
	ERR_MEDIA_TYPE,
	ERR_JSON,
	ERR_VALIDATION,
	ERR_CREDENTIALS,
	ERR_THROTTLED,

	/* Accounts. */
	ERR_CURRENT_PASSWORD, /* absent or wrong */
	ERR_PASSWORD_RULES,
	ERR_USERNAME_TAKEN,
	ERR_REVOCATIONS_FULL,

	/* Where a token may stand. */
	ERR_COOKIE_MISSING,
	ERR_QUERY_MISSING,
	ERR_JSON_TYPE,
	ERR_JSON_MISSING,
	ERR_LOCATIONS_MISSING,
	ERR_LOCATIONS_SEVERAL, /* RFC dialect: more than one credential */
	ERR_CSRF_MISSING,
	ERR_CSRF_MISMATCH,

	/* The Authorization header. */
	ERR_AUTH_MISSING,
	ERR_AUTH_SCHEME,
	ERR_AUTH_REPEATED,
	ERR_AUTH_MALFORMED,

	/* The token, in the order in which the faults are looked for. */
	ERR_TOKEN_SEGMENTS,
	ERR_TOKEN_HEADER_PADDING,
	ERR_TOKEN_HEADER_STRING,
	ERR_TOKEN_HEADER_OBJECT,
	ERR_TOKEN_PAYLOAD_PADDING,
	ERR_TOKEN_CRYPTO_PADDING,
	ERR_TOKEN_KID,
	ERR_TOKEN_CRIT_LIST,
	ERR_TOKEN_CRIT_VALUE,
	ERR_TOKEN_CRIT_UNKNOWN,
	ERR_TOKEN_PAYLOAD_STRING,
	ERR_TOKEN_PAYLOAD_OBJECT,
	ERR_TOKEN_ALG,
	ERR_TOKEN_ALG_MISSING,
	ERR_TOKEN_SIGNATURE,
	ERR_TOKEN_IAT_TYPE,
	ERR_TOKEN_IAT_FUTURE,
	ERR_TOKEN_NBF_TYPE,
	ERR_TOKEN_NBF_FUTURE,
	ERR_TOKEN_EXP_TYPE,
	ERR_TOKEN_SUB_TYPE,
	ERR_TOKEN_JTI_TYPE,
	ERR_TOKEN_CLAIM_MISSING,
	ERR_TOKEN_EXPIRED,
	ERR_TOKEN_REFRESH,
	ERR_TOKEN_AUDIENCE,
	ERR_TOKEN_ISSUER,
	ERR_TOKEN_ACCESS, /* where a refresh token is asked for */
	ERR_TOKEN_REVOKED,

	/* What a guard asks for beyond a valid token. */
	ERR_TOKEN_STALE,
	ERR_ROLE,

	ERR__MAX
};

/* The key under which the Flask dialect puts a message. */
enum error_body {
	BODY_ERROR, /* {"error": text} */
	BODY_MSG    /* {JWT_ERROR_MESSAGE_KEY: text} */
};

/* What WWW-Authenticate says (RFC 6750, section 3). */
enum error_challenge {
	CHALLENGE_NONE, /* no such header */
	CHALLENGE_BARE, /* Bearer */
	CHALLENGE_ERROR /* Bearer error="...", error_description="..." */
};

enum error_level {
	ERROR_LEVEL_DEBUG, /* a client's everyday mistake */
	ERROR_LEVEL_INFO,  /* worth a line: a refused login or token */
	ERROR_LEVEL_ERR    /* the operator has to act */
};

/*
 * One row of the table. Texts may hold the placeholders {header} and {type}
 * (JWT_HEADER_NAME, JWT_HEADER_TYPE) and {detail} (the fault's detail).
 */
struct error_info {
	const char *name; /* stable word for the log */
	int status;       /* Flask dialect */
	enum error_body body;
	const char *text;
	enum error_challenge challenge;
	int rfc_status; /* RFC dialect */
	enum error_challenge rfc_challenge;
	const char *rfc_error; /* RFC 6750, section 3.1, or NULL */
	enum error_level level;
};

/*
 * A refusal under way: the row and what is special about this one. Its detail
 * is UTF-8 without control characters, short, and never holds a secret or a
 * whole token.
 */
struct fault {
	enum error_code code;
	char detail[FAULT_DETAIL_MAX];
};

/* The row of a code; an unknown code gets the row of ERR_INTERNAL. */
const struct error_info *error_lookup(enum error_code code);

/* The reason phrase of a status this service sends (RFC 9110, section 15). */
const char *error_reason(int status);

/*
 * Fill a fault and return its code, so that a check reads
 * "return (fault_set(f, ERR_TOKEN_ALG, NULL));". A NULL detail is empty;
 * control characters, and what is not UTF-8, are replaced by '?'; too long a
 * detail is cut.
 * f may be NULL when nobody asks for the detail.
 */
enum error_code
fault_set(struct fault *f, enum error_code code, const char *detail);

/*
 * Write the text of a fault with its placeholders filled in. Returns the
 * length written (cut to fit), without the closing NUL.
 */
size_t fault_text(const struct fault *f, const char *header_name,
    const char *header_type, char *out, size_t size);

#endif
