/*
 * token.h - issue and verify access and refresh tokens (RFC 7519, RFC 7515),
 * compatible with Flask-JWT-Extended 4.7.
 *
 * No HTTP, SQL or JSON library types here. Any thread; a policy is read-only
 * once made.
 */
#ifndef CORGI_TOKEN_H
#define CORGI_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/keys.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/errors.h"
#include "base/secret.h"

/* Longest token taken apart; longer ones have no business here (bytes). */
#define TOKEN_MAX 65536

struct revocations;

/* What to issue and what to accept. Points into the config and the key, which
 * must outlive it. */
struct token_policy {
	const struct key *key;
	const struct config *config;
	struct clock clock;
	/* What has been taken back; NULL: nothing is looked up. */
	const struct revocations *revocations;
};

/* The "type" claim; a token without one is an access token. As bits, so that
 * either can be asked for. */
enum token_kind { TOKEN_ACCESS = 0x01, TOKEN_REFRESH = 0x02 };

/* A token to issue. */
struct token_request {
	enum token_kind kind;
	const char *subject; /* UTF-8, may hold NULs */
	size_t subject_len;
	bool fresh;          /* the "fresh" claim */
	const char *session; /* "sid"; NULL: no such claim */
	int64_t version;     /* "ver", of an access token; left out when 0 */
	const char *roles;   /* "roles", of an access token: words with blanks
			      * between them; NULL or "": no such claim */
	int64_t expires;     /* "exp"; 0: by the configured life; INT64_MAX:
			      * never */
};

/* What was put into it. */
struct token_made {
	char id[UUID_LEN + 1];   /* "jti" */
	char csrf[UUID_LEN + 1]; /* "csrf" */
	int64_t issued;
	int64_t expires; /* INT64_MAX: never */
};

/*
 * The claims of a token that has been verified. Only token_verify() makes
 * one, so holding one is the proof that the token was good.
 */
struct claims;

/*
 * Issue a token: iat and nbf now, exp after the configured life, random jti
 * and csrf, the configured issuer and audience, and in access tokens the
 * configured further claims. Returns ERR_NONE with *token (free() it) and
 * *made (may be NULL), or ERR_INTERNAL (out of memory, or a key that cannot
 * sign).
 */
enum error_code token_issue(const struct token_policy *policy,
    const struct token_request *request, char **token, struct token_made *made)
    __attribute__((warn_unused_result));

/*
 * Verify len bytes as a token of one of these kinds (bits): structure, header,
 * algorithm, signature, claims, in the order of the compatibility
 * specification; then that it has not been revoked. Returns ERR_NONE with *out
 * (release with claims_free()), or the code of the first fault, with its
 * detail in fault (may be NULL) and *out NULL.
 */
enum error_code token_verify(const struct token_policy *policy,
    unsigned int kinds, const char *token, size_t len, struct claims **out,
    struct fault *fault) __attribute__((warn_unused_result));

/*
 * Take a token apart without judging it, for people: {"header": ...,
 * "payload": ...} as pretty JSON text (free() it), a part that cannot be read
 * being null. NULL when out of memory. Never a proof of anything.
 */
char *token_describe(const char *token, size_t len);

void claims_free(struct claims *c);

/* The same claims for another thread: claims that are shared belong to one
 * thread. Release with claims_free(); NULL when out of memory. */
struct claims *
claims_copy(const struct claims *c) __attribute__((warn_unused_result));

/* "sub", its length in bytes in *len (may be NULL). Never NULL. */
const char *claims_subject(const struct claims *c, size_t *len);

/* "jti". Never NULL. */
const char *claims_id(const struct claims *c);

/* "exp" in seconds since 1970; INT64_MAX for a token without. */
int64_t claims_expires(const struct claims *c);

/* "iat" in seconds since 1970; 0 when absent. */
int64_t claims_issued(const struct claims *c);

/* Whether "fresh" is true, or a time still to come by the policy's clock. */
bool claims_fresh(const struct claims *c);

/* The kind, by "type". */
enum token_kind claims_kind(const struct claims *c);

/* "sid", or "" for a token that belongs to no session of this service. */
const char *claims_session(const struct claims *c);

/* "csrf", or "" when absent or no string. */
const char *claims_csrf(const struct claims *c);

/* Whether "roles", an array of strings, holds this one. */
bool claims_has_role(const struct claims *c, const char *role);

/* The roles with a blank between two; "" when there are none. Never NULL. */
const char *claims_roles(const struct claims *c);

/* Whether the token comes straight from a login (see claims_fresh()) that is
 * at most seconds ago. */
bool claims_recent(const struct claims *c, int64_t seconds);

/* Whether the token, or its session, or its account's tokens so far, have been
 * taken back. False when the policy knows no revocations. */
bool claims_revoked(const struct claims *c, const struct token_policy *policy);

/* The whole payload as compact JSON text (free() it); NULL out of memory. */
char *claims_json(const struct claims *c);

#endif
