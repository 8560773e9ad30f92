/*
 * token_kit.h - what the tests of tokens share: policies at a fixed second,
 * tokens made of any header and payload, and verdicts in words.
 */
#ifndef CORGI_TEST_TOKEN_KIT_H
#define CORGI_TEST_TOKEN_KIT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <criterion/criterion.h>

#include "auth/base64url.h"
#include "auth/signature.h"
#include "auth/token.h"
#include "base/jdoc.h"

#define KIT_NOW  1700000000
#define KIT_TEXT 512
#define KIT_SECRET                                                             \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* Headers and claims that pass. */
#define HS256_HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define GOOD_CLAIMS                                                            \
	"\"sub\":\"cosmo\",\"jti\":\"j\",\"iat\":1700000000,"                  \
	"\"nbf\":1700000000,\"exp\":1700000900,\"type\":\"access\""
#define GOOD_PAYLOAD "{" GOOD_CLAIMS "}"

struct kit {
	char algorithm[8];
	struct config config;
	struct key *key;
	int64_t now;
	unsigned int kinds; /* asked for */
	struct token_policy policy;
};

#define KIT_HELPER static __attribute__((unused))

KIT_HELPER void
kit_ready(struct kit *kit)
{
	char error[KEY_ERROR_MAX];

	kit->key = key_from_config(&kit->config, error);
	cr_assert_not_null(kit->key, "%s", error);
	kit->policy.key = kit->key;
	kit->policy.config = &kit->config;
	kit->policy.clock = clock_fixed(&kit->now);
}

/* A development configuration without a key. */
KIT_HELPER void
kit_config(struct kit *kit, const char *algorithm)
{
	memset(kit, 0, sizeof(*kit));
	cr_assert_eq(secret_init(), 0);
	jdoc_init();
	(void)snprintf(kit->algorithm, sizeof(kit->algorithm), "%s", algorithm);
	kit->config.flavor = CONFIG_DEV;
	kit->config.algorithm = kit->algorithm;
	kit->config.access_expires = 900;
	kit->config.refresh_expires = 86400;
	kit->kinds = TOKEN_ACCESS;
	kit->now = KIT_NOW;
}

KIT_HELPER void
kit_hmac(struct kit *kit, const char *algorithm)
{
	kit_config(kit, algorithm);
	cr_assert_eq(
	    secret_set(&kit->config.secret_key, KIT_SECRET, strlen(KIT_SECRET)),
	    0);
	kit_ready(kit);
}

/* The PEM text of a key's private or public half; free() it. */
KIT_HELPER char *
kit_pem(EVP_PKEY *pkey, bool private_part)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data, *text;
	long len;

	if (private_part)
		cr_assert_eq(PEM_write_bio_PrivateKey(
				 bio, pkey, NULL, NULL, 0, NULL, NULL),
		    1);
	else
		cr_assert_eq(PEM_write_bio_PUBKEY(bio, pkey), 1);
	len = BIO_get_mem_data(bio, &data);
	text = strndup(data, (size_t)len);
	BIO_free(bio);
	cr_assert_not_null(text);
	return (text);
}

/* A fresh key for an algorithm's name. */
KIT_HELPER EVP_PKEY *
kit_generate(const char *algorithm)
{
	EVP_PKEY *pkey;

	if (algorithm[0] == 'R')
		pkey = EVP_RSA_gen(2048);
	else if (strcmp(algorithm, "ES256") == 0)
		pkey = EVP_EC_gen("P-256");
	else if (strcmp(algorithm, "ES384") == 0)
		pkey = EVP_EC_gen("P-384");
	else
		pkey = EVP_EC_gen("P-521");
	cr_assert_not_null(pkey);
	return (pkey);
}

/* Ready with a fresh private key of the algorithm. */
KIT_HELPER void
kit_pair(struct kit *kit, const char *algorithm)
{
	EVP_PKEY *pkey = kit_generate(algorithm);
	char *pem = kit_pem(pkey, true);

	kit_config(kit, algorithm);
	cr_assert_eq(secret_set(&kit->config.private_key, pem, strlen(pem)), 0);
	kit_ready(kit);
	free(pem);
	EVP_PKEY_free(pkey);
}

/* Ready for any of the nine algorithms. */
KIT_HELPER void
kit_any(struct kit *kit, const char *algorithm)
{
	if (algorithm[0] == 'H')
		kit_hmac(kit, algorithm);
	else
		kit_pair(kit, algorithm);
}

KIT_HELPER void
kit_free(struct kit *kit)
{
	key_free(kit->key);
	secret_free(&kit->config.secret_key);
	secret_free(&kit->config.private_key);
	secret_free(&kit->config.public_key);
}

/* "header.payload" of any bytes, with room for a signature. */
KIT_HELPER char *
kit_compose_n(
    const void *header, size_t header_len, const void *payload, size_t len)
{
	char *token;
	size_t at;

	token = malloc(BASE64URL_TEXT_LEN(header_len) +
	    BASE64URL_TEXT_LEN(len) + BASE64URL_TEXT_LEN(SIGNATURE_MAX) + 3);
	cr_assert_not_null(token);
	at = base64url_encode(header, header_len, token);
	token[at++] = '.';
	(void)base64url_encode(payload, len, token + at);
	return (token);
}

/* Sign what kit_compose_n() made, with the kit's key whatever the header. */
KIT_HELPER char *
kit_sign(const struct kit *kit, char *token)
{
	uint8_t signature[SIGNATURE_MAX];
	size_t at = strlen(token), len;

	cr_assert_eq(signature_make(kit->key, token, at, signature, &len), 0);
	token[at++] = '.';
	(void)base64url_encode(signature, len, token + at);
	return (token);
}

KIT_HELPER char *
kit_token(const struct kit *kit, const char *header, const char *payload)
{
	return (kit_sign(kit,
	    kit_compose_n(header, strlen(header), payload, strlen(payload))));
}

/* A token under the kit's own algorithm with these claims. */
KIT_HELPER char *
kit_claims(const struct kit *kit, const char *payload)
{
	char header[64];

	(void)snprintf(header, sizeof(header), "{\"alg\":\"%s\"}",
	    key_algorithm(kit->key));
	return (kit_token(kit, header, payload));
}

/* The answer's text for a token of len bytes; "" when it passes. The token
 * is copied to the end of a block, so that reading past it is seen. */
KIT_HELPER const char *
kit_text_n(const struct kit *kit, const char *token, size_t len)
{
	static char text[KIT_TEXT];
	struct claims *claims = NULL;
	struct fault fault;
	char *copy = malloc(len == 0 ? 1 : len);
	enum error_code code;

	cr_assert_not_null(copy);
	memcpy(copy, token, len);
	memset(&fault, 0, sizeof(fault));
	text[0] = '\0';
	code =
	    token_verify(&kit->policy, kit->kinds, copy, len, &claims, &fault);
	free(copy);
	cr_assert_eq(code == ERR_NONE, claims != NULL);
	if (code != ERR_NONE) {
		cr_assert_eq(code, fault.code);
		(void)fault_text(
		    &fault, "Authorization", "Bearer", text, sizeof(text));
	}
	claims_free(claims);
	return (text);
}

KIT_HELPER const char *
kit_text(const struct kit *kit, const char *token)
{
	return (kit_text_n(kit, token, strlen(token)));
}

/* Assert the text for a token, which is released; "" when it has to pass. */
#define EXPECT(kit, token, expected)                                           \
	do {                                                                   \
		char *expect_token_ = (token);                                 \
		cr_expect_str_eq(kit_text((kit), expect_token_), (expected),   \
		    "%.300s gives \"%s\"", expect_token_,                      \
		    kit_text((kit), expect_token_));                           \
		free(expect_token_);                                           \
	} while (0)

/* The same for a text that only begins with expected. */
#define EXPECT_PREFIX(kit, token, expected)                                    \
	do {                                                                   \
		char *expect_token_ = (token);                                 \
		const char *expect_text_ = kit_text((kit), expect_token_);     \
		cr_expect(strncmp(expect_text_, (expected),                    \
			      strlen(expected)) == 0 &&                        \
			strlen(expect_text_) > strlen(expected),               \
		    "%.300s gives \"%s\"", expect_token_, expect_text_);       \
		free(expect_token_);                                           \
	} while (0)

#endif
