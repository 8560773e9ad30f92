/*
 * token.h - issue and verify access tokens (RFC 7519, RFC 7515), compatible
 * with Flask-JWT-Extended 4.7.
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

/* Longest token taken apart; longer ones have no business here (bytes). */
#define TOKEN_MAX 65536

/* What to issue and what to accept. Points into the config and the key, which
 * must outlive it. */
struct token_policy {
	const struct key *key;
	const struct config *config;
	struct clock clock;
};

/* A token to issue. */
struct token_request {
	const char *subject; /* UTF-8, may hold NULs */
	size_t subject_len;
	bool fresh; /* the "fresh" claim */
};

/*
 * The claims of a token that has been verified. Only token_verify() makes
 * one, so holding one is the proof that the token was good.
 */
struct claims;

/*
 * Issue an access token: iat and nbf now, exp after the configured life,
 * random jti and csrf. Returns ERR_NONE with *token (free() it) or
 * ERR_INTERNAL (out of memory, or a key that cannot sign).
 */
enum error_code token_issue(const struct token_policy *policy,
    const struct token_request *request, char **token)
    __attribute__((warn_unused_result));

/*
 * Verify len bytes as an access token: structure, header, algorithm,
 * signature, claims, in the order of the compatibility specification.
 * Returns ERR_NONE with *out (release with claims_free()), or the code of the
 * first fault, with its detail in fault (may be NULL) and *out NULL.
 */
enum error_code token_verify(const struct token_policy *policy,
    const char *token, size_t len, struct claims **out, struct fault *fault)
    __attribute__((warn_unused_result));

/*
 * Take a token apart without judging it, for people: {"header": ...,
 * "payload": ...} as pretty JSON text (free() it), a part that cannot be read
 * being null. NULL when out of memory. Never a proof of anything.
 */
char *token_describe(const char *token, size_t len);

void claims_free(struct claims *c);

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

/* The whole payload as compact JSON text (free() it); NULL out of memory. */
char *claims_json(const struct claims *c);

#endif
