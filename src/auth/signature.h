/*
 * signature.h - make and check JWS signatures (RFC 7515; RFC 7518, section 3)
 * with a key, straight through OpenSSL. The algorithm is the key's; nothing
 * in a message has a say in it. Any thread.
 */
#ifndef CORGI_SIGNATURE_H
#define CORGI_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/keys.h"

/* Longest signature: that of an RSA key of 16384 bits (bytes). */
#define SIGNATURE_MAX 2048

/*
 * Sign len bytes into out, *out_len bytes long. Returns 0, or -1 when the key
 * cannot sign or memory is out.
 */
int signature_make(const struct key *k, const void *message, size_t len,
    uint8_t out[SIGNATURE_MAX], size_t *out_len)
    __attribute__((warn_unused_result));

/*
 * Whether a signature belongs to the message. Of an HMAC the time depends on
 * the lengths only. False too when memory is out.
 */
bool signature_fits(const struct key *k, const void *message, size_t len,
    const uint8_t *signature, size_t signature_len)
    __attribute__((warn_unused_result));

#endif
