/*
 * key_material.h - what a struct key is made of; for keys.c, signature.c and
 * token_libjwt.c only.
 */
#ifndef CORGI_KEY_MATERIAL_H
#define CORGI_KEY_MATERIAL_H

#include <stddef.h>

#include <openssl/evp.h>

#include "auth/keys.h"
#include "base/secret.h"

enum key_family { FAMILY_HMAC, FAMILY_RSA, FAMILY_EC };

/* One row per algorithm that may be configured (RFC 7518, section 3.1). */
struct algorithm {
	const char *name;
	enum key_family family;
	const char *digest;
	size_t digest_len; /* bytes; the least length of an HMAC secret */
	int curve;         /* FAMILY_EC: OpenSSL's number of the curve */
	const char *curve_name;
	size_t coordinate_len; /* FAMILY_EC: bytes of r and of s */
};

/* Room for a plain header in base64url, with the NUL (bytes). */
#define KEY_HEADER_MAX 64

struct key {
	const struct algorithm *algorithm;
	/* {"alg":"...","typ":"JWT"} in base64url, as tokens begin with it. */
	char plain_header[KEY_HEADER_MAX];
	size_t plain_header_len;
	/* HMAC: the secret. Otherwise the private key as PKCS#8 PEM, or empty
	 * when the key verifies only. */
	struct secret signing;
	/* RSA, EC: the public key as SubjectPublicKeyInfo PEM. */
	struct secret verifying;
	/* The same, parsed once. Copied or referenced for each use. */
	EVP_MD *digest;
	EVP_MAC_CTX *mac;
	EVP_PKEY *private_key;
	EVP_PKEY *public_key;
};

#endif
