/*
 * base64url.h - base64url without padding (RFC 4648, section 5; RFC 7515,
 * section 2), strictly: one text for one run of bytes. Pure; any thread.
 */
#ifndef CORGI_BASE64URL_H
#define CORGI_BASE64URL_H

#include <stddef.h>
#include <stdint.h>

/* Characters for n bytes, and the most bytes that n characters can hold. */
#define BASE64URL_TEXT_LEN(n) (((n) / 3) * 4 + (((n) % 3) * 4 + 2) / 3)
#define BASE64URL_DATA_LEN(n) (((n) / 4) * 3 + ((n) % 4) * 3 / 4)

/*
 * Decode len characters into out, which has room for BASE64URL_DATA_LEN(len)
 * bytes. Refuses padding, foreign characters, a length of 1 modulo 4 and set
 * bits behind the last byte. Returns 0 with the length in *out_len, or -1.
 */
int base64url_decode(const char *text, size_t len, uint8_t *out,
    size_t *out_len) __attribute__((warn_unused_result));

/*
 * Encode len bytes into out, which has room for BASE64URL_TEXT_LEN(len) + 1
 * characters; the last is a NUL. Returns the length without it.
 */
size_t base64url_encode(const void *data, size_t len, char *out);

#endif
