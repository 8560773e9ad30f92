/*
 * token_parts.h - a token in its three parts, decoded and parsed but not yet
 * believed (RFC 7515, section 5.2, steps 1 to 5). Private to auth/token*.c.
 */
#ifndef CORGI_TOKEN_PARTS_H
#define CORGI_TOKEN_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/keys.h"
#include "base/errors.h"
#include "base/jdoc.h"

/* Decoded bytes of one segment. */
struct token_bytes {
	uint8_t *data;
	size_t len;
};

struct token_parts {
	const char *token; /* the caller's */
	size_t len;
	size_t signed_len; /* of "header.payload" */
	struct token_bytes header_text;
	struct token_bytes payload_text;
	struct token_bytes signature;
	/* Whether the header is, letter for letter, the one that tokens of the
	 * key are issued with: then it is not taken apart again. */
	bool plain_header;
	jdoc *header;  /* an object; NULL for a plain header */
	jdoc *payload; /* an object */
};

/*
 * Take a token that is for a key apart: rows 1 to 10 of the compatibility
 * specification, in their order. parts is filled as far as it went;
 * token_parts_free() it in any case.
 */
enum error_code token_parts_read(struct token_parts *parts,
    const struct key *key, const char *token, size_t len, struct fault *fault)
    __attribute__((warn_unused_result));

/* Wipe and release what belongs to parts. */
void token_parts_free(struct token_parts *parts);

/*
 * Decode one segment into out. ERR_NONE, ERR_INTERNAL when out of memory, or
 * otherwise when the segment is no base64url.
 */
enum error_code token_bytes_read(struct token_bytes *out, const char *segment,
    size_t len, enum error_code otherwise) __attribute__((warn_unused_result));

/* Wipe and release. */
void token_bytes_free(struct token_bytes *bytes);

#endif
