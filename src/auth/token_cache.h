/*
 * token_cache.h - remember tokens that have been verified, so that a token
 * that comes again costs a look-up instead of a signature.
 *
 * What may have changed since is still checked every time: exp, nbf and iat
 * against the clock, revocations, and the kind that is asked for. A token that
 * is not found, or not good any more, goes through token_verify(), so the
 * verdict and its words are always the same as without the cache.
 *
 * Tokens are compared whole, under a hash that is keyed at random, so that no
 * client can aim at a place. Memory is bounded. Eviction follows S3-FIFO
 * (Yang et al., SOSP 2023): a token seen once does not drive out one that is
 * in use.
 *
 * One thread at a time; made after the fork, one per worker.
 */
#ifndef CORGI_TOKEN_CACHE_H
#define CORGI_TOKEN_CACHE_H

#include "auth/token.h"

struct token_cache;

/*
 * A cache for one policy (and so for one key), of at most bytes of memory.
 * With bytes 0 it remembers nothing. NULL when out of memory. The policy must
 * outlive it.
 */
struct token_cache *token_cache_new(const struct token_policy *policy,
    size_t bytes) __attribute__((warn_unused_result));

/* Wipe and release. Claims handed out stay good. NULL is fine. */
void token_cache_free(struct token_cache *cache);

/* As token_verify(). *out is a reference; release it with claims_free(). */
enum error_code token_cache_verify(struct token_cache *cache,
    unsigned int kinds, const char *token, size_t len, struct claims **out,
    struct fault *fault) __attribute__((warn_unused_result));

/* How many tokens are remembered, and in how many bytes. */
size_t token_cache_count(const struct token_cache *cache);
size_t token_cache_bytes(const struct token_cache *cache);

#endif
