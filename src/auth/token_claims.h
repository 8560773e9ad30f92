/*
 * token_claims.h - the rules for claims, for a payload whose signature has
 * been found good. Private to auth/token*.c.
 */
#ifndef CORGI_TOKEN_CLAIMS_H
#define CORGI_TOKEN_CLAIMS_H

#include "auth/token.h"
#include "base/jdoc.h"

/* Rows 13 to 20 of the compatibility specification, in their order, for a
 * token of one of these kinds (bits of enum token_kind). */
enum error_code token_claims_check(const struct token_policy *policy,
    unsigned int kinds, const jdoc *payload, struct fault *fault)
    __attribute__((warn_unused_result));

/* What "type" says. */
enum token_kind token_kind_of(const jdoc *payload);

/*
 * The part of those rules that the passing of time can change: whether a token
 * that starts at start (the later of iat and nbf, INT64_MIN without) and ends
 * at expires is good now.
 */
bool token_in_time(
    const struct token_policy *policy, int64_t start, int64_t expires);

/*
 * Make the proof of a verified token from its payload, parsed and as text of
 * len bytes; both stay the caller's. One reference. NULL when out of memory.
 */
struct claims *
claims_new(const struct token_policy *policy, const jdoc *payload,
    const void *text, size_t len) __attribute__((warn_unused_result));

/* One reference more; claims_free() gives one back. One thread at a time. */
struct claims *claims_ref(struct claims *c);

/*
 * Look up later under keys that are computed now, once: their look-ups are
 * then all that claims_revoked() costs. Nothing is computed while the policy's
 * table is empty.
 */
void claims_prepare(struct claims *c, const struct token_policy *policy);

/* Whether the token is still good by the clock. */
bool claims_timely(const struct claims *c, const struct token_policy *policy);

/* The memory that claims hold (bytes). */
size_t claims_size(const struct claims *c);

#endif
