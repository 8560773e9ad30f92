/*
 * token_claims.h - the rules for claims, for a payload whose signature has
 * been found good. Private to auth/token*.c.
 */
#ifndef CORGI_TOKEN_CLAIMS_H
#define CORGI_TOKEN_CLAIMS_H

#include "auth/token.h"
#include "base/jdoc.h"

/* Rows 13 to 20 of the compatibility specification, in their order. */
enum error_code
token_claims_check(const struct token_policy *policy, const jdoc *payload,
    struct fault *fault) __attribute__((warn_unused_result));

/*
 * Make the proof of a verified token; it takes payload over, even when it
 * fails. NULL when out of memory.
 */
struct claims *claims_new(const struct token_policy *policy, jdoc *payload)
    __attribute__((warn_unused_result));

#endif
