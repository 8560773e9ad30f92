#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>

#include "auth/key_material.h"
#include "auth/signature.h"

/* Longest ECDSA signature in DER: two 66 byte numbers and their frames. */
#define DER_MAX 160

static int hmac(const struct key *k, const void *message, size_t len,
    uint8_t *out, size_t *out_len);
static int sign_digest(const struct key *k, const void *message, size_t len,
    uint8_t *out, size_t *out_len);
static bool verify_digest(const struct key *k, const void *message, size_t len,
    const uint8_t *signature, size_t signature_len);
static int
der_to_raw(const uint8_t *der, size_t der_len, size_t coordinate, uint8_t *out);
static size_t
raw_to_der(const uint8_t *raw, size_t coordinate, uint8_t out[DER_MAX]);

/* The key's HMAC state is set up once; a copy of it takes the message. */
static int
hmac(const struct key *k, const void *message, size_t len, uint8_t *out,
    size_t *out_len)
{
	EVP_MAC_CTX *mac;
	int ok;

	mac = EVP_MAC_CTX_dup(k->mac);
	if (mac == NULL)
		return (-1);
	ok = EVP_MAC_update(mac, message, len) == 1 &&
	    EVP_MAC_final(mac, out, out_len, EVP_MAX_MD_SIZE) == 1;
	EVP_MAC_CTX_free(mac);
	return (ok ? 0 : -1);
}

static int
sign_digest(const struct key *k, const void *message, size_t len, uint8_t *out,
    size_t *out_len)
{
	EVP_MD_CTX *ctx;
	int ok;

	ctx = EVP_MD_CTX_new();
	if (ctx == NULL)
		return (-1);
	*out_len = SIGNATURE_MAX;
	ok = EVP_DigestSignInit(ctx, NULL, k->digest, NULL, k->private_key) ==
		1 &&
	    EVP_DigestSign(ctx, out, out_len, message, len) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return (ok ? 0 : -1);
}

static bool
verify_digest(const struct key *k, const void *message, size_t len,
    const uint8_t *signature, size_t signature_len)
{
	EVP_MD_CTX *ctx;
	bool ok;

	ctx = EVP_MD_CTX_new();
	if (ctx == NULL)
		return (false);
	ok = EVP_DigestVerifyInit(ctx, NULL, k->digest, NULL, k->public_key) ==
		1 &&
	    EVP_DigestVerify(ctx, signature, signature_len, message, len) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return (ok);
}

/* OpenSSL's form of an ECDSA signature to that of RFC 7518, section 3.4. */
static int
der_to_raw(const uint8_t *der, size_t der_len, size_t coordinate, uint8_t *out)
{
	ECDSA_SIG *sig;
	int ok;

	sig = d2i_ECDSA_SIG(NULL, &der, (long)der_len);
	if (sig == NULL)
		return (-1);
	ok = BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, (int)coordinate) >= 0 &&
	    BN_bn2binpad(
		ECDSA_SIG_get0_s(sig), out + coordinate, (int)coordinate) >= 0;
	ECDSA_SIG_free(sig);
	return (ok ? 0 : -1);
}

/* The way back; the length of the DER text, 0 when memory is out. */
static size_t
raw_to_der(const uint8_t *raw, size_t coordinate, uint8_t out[DER_MAX])
{
	ECDSA_SIG *sig;
	BIGNUM *r, *s;
	int len = 0;

	sig = ECDSA_SIG_new();
	r = BN_bin2bn(raw, (int)coordinate, NULL);
	s = BN_bin2bn(raw + coordinate, (int)coordinate, NULL);
	if (sig == NULL || r == NULL || s == NULL ||
	    ECDSA_SIG_set0(sig, r, s) != 1) {
		BN_free(r);
		BN_free(s);
	} else {
		len = i2d_ECDSA_SIG(sig, &out);
	}
	ECDSA_SIG_free(sig);
	return (len > 0 ? (size_t)len : 0);
}

int
signature_make(const struct key *k, const void *message, size_t len,
    uint8_t out[SIGNATURE_MAX], size_t *out_len)
{
	uint8_t der[SIGNATURE_MAX];
	size_t coordinate = k->algorithm->coordinate_len, der_len;

	if (k->algorithm->family == FAMILY_HMAC)
		return (hmac(k, message, len, out, out_len));
	if (k->private_key == NULL)
		return (-1);
	if (k->algorithm->family == FAMILY_RSA)
		return (sign_digest(k, message, len, out, out_len));
	if (sign_digest(k, message, len, der, &der_len) == -1)
		return (-1);
	*out_len = 2 * coordinate;
	return (der_to_raw(der, der_len, coordinate, out));
}

bool
signature_fits(const struct key *k, const void *message, size_t len,
    const uint8_t *signature, size_t signature_len)
{
	uint8_t scratch[EVP_MAX_MD_SIZE > DER_MAX ? EVP_MAX_MD_SIZE : DER_MAX];
	size_t coordinate = k->algorithm->coordinate_len, n;
	bool fits;

	switch (k->algorithm->family) {
	case FAMILY_HMAC:
		if (hmac(k, message, len, scratch, &n) == -1)
			return (false);
		fits = secret_equal(scratch, n, signature, signature_len);
		secret_wipe(scratch, sizeof(scratch));
		return (fits);
	case FAMILY_RSA:
		return (
		    verify_digest(k, message, len, signature, signature_len));
	case FAMILY_EC:
		if (signature_len != 2 * coordinate)
			return (false);
		n = raw_to_der(signature, coordinate, scratch);
		return (n > 0 && verify_digest(k, message, len, scratch, n));
	}
	return (false);
}
