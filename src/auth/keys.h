/*
 * keys.h - signing and verification keys, each bound to exactly one algorithm
 * (RFC 8725, section 3.1).
 *
 * Loaded in the parent, read-only afterwards: any thread may sign and verify
 * with one key at once.
 */
#ifndef CORGI_KEYS_H
#define CORGI_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/config.h"

/* Longest explanation of a refused key, with the closing NUL (bytes). */
#define KEY_ERROR_MAX 256

struct key;

/*
 * Make the key that a configuration describes. HS*: secret_key, at least as
 * long as the hash (RFC 7518, section 3.2): a shorter one is refused in prod
 * and warned about in dev. RS*: PEM keys of at least 2048 bits (below 3072: a
 * warning). ES*: PEM keys on the curve that belongs to the algorithm. With a
 * private key alone the public one is derived; with a public key alone the
 * result verifies only; a pair that does not fit together is refused.
 *
 * Returns the key, to be released with key_free(), or NULL with one sentence
 * in error that never holds key material.
 */
struct key *key_from_config(const struct config *c, char error[KEY_ERROR_MAX])
    __attribute__((warn_unused_result));

/* Wipe and release. NULL is fine. */
void key_free(struct key *k);

/* "HS256", ... */
const char *key_algorithm(const struct key *k);

/*
 * The header of tokens that are issued with the key, {"alg":"...","typ":"JWT"},
 * as they carry it: in base64url, *len characters. Most tokens that come begin
 * with it.
 */
const char *key_plain_header(const struct key *k, size_t *len);

/*
 * A key of len bytes (16 to 64) for another purpose (16 to 64 characters), the
 * same wherever there is this one. From a key that verifies only, it is no
 * secret.
 */
void
key_derive(const struct key *k, const char *purpose, uint8_t *out, size_t len);

/*
 * A number, never 0, that tells the keys of services apart. It is the same for
 * all that verify the same tokens, with the private key or the public one
 * alone, and another one for another algorithm. 32 bits of a one-way function:
 * of a good secret they tell nothing. With them guesses of a bad one can be
 * tested, as with any token, so the number is not for everybody either.
 */
uint32_t key_fingerprint(const struct key *k);

/* Whether the key can sign. */
bool key_can_sign(const struct key *k);

#endif
