#include <stdio.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "auth/key_pem.h"

/* Longest PEM text worth reading (bytes). */
#define PEM_MAX 65536

/* RSA modulus: what is shorter than the first is weak (NIST SP 800-57, part
 * 1), what is longer than the second OpenSSL does not verify with (bits). */
#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 16384

static int refuse_passphrase(char *buf, int size, int writing, void *ctx);
static EVP_PKEY *read_certificate(BIO *bio);
static EVP_PKEY *checked(
    const struct algorithm *a, EVP_PKEY *pkey, const char *name, char *error);
static int check_rsa(const EVP_PKEY *pkey, const char *name, char *error);
static int check_curve(const struct algorithm *a, const EVP_PKEY *pkey,
    const char *name, char *error);
static int check_numbers(EVP_PKEY *pkey, const char *name, char *error);
static int use_whole_point(EVP_PKEY *pkey);
static int take_text(BIO *bio, struct secret *out);

int
key_refuse(char error[KEY_ERROR_MAX], const char *name, const char *text)
{
	(void)snprintf(error, KEY_ERROR_MAX, "%s %s", name, text);
	return (-1);
}

/* Instead of OpenSSL's own callback, which asks on the terminal. */
static int
refuse_passphrase(char *buf, int size, int writing, void *ctx)
{
	bool *asked = ctx;

	(void)buf;
	(void)size;
	(void)writing;
	*asked = true;
	return (-1);
}

EVP_PKEY *
pem_read_private(const struct algorithm *a, const struct secret *pem,
    char error[KEY_ERROR_MAX])
{
	EVP_PKEY *pkey = NULL;
	bool asked = false;
	BIO *bio = NULL;

	if (pem->len <= PEM_MAX)
		bio = BIO_new_mem_buf(pem->data, (int)pem->len);
	if (bio != NULL)
		pkey = PEM_read_bio_PrivateKey(
		    bio, NULL, refuse_passphrase, &asked);
	BIO_free(bio);
	if (pkey != NULL)
		return (checked(a, pkey, NAME_PRIVATE, error));
	(void)key_refuse(error, NAME_PRIVATE,
	    asked ? "is encrypted; only a PEM key without a passphrase can be "
		    "used"
		  : "holds no private key in PEM form");
	return (NULL);
}

static EVP_PKEY *
read_certificate(BIO *bio)
{
	EVP_PKEY *pkey = NULL;
	bool asked = false;
	X509 *cert;

	cert = PEM_read_bio_X509(bio, NULL, refuse_passphrase, &asked);
	if (cert != NULL)
		pkey = X509_get_pubkey(cert);
	X509_free(cert);
	return (pkey);
}

EVP_PKEY *
pem_read_public(const struct algorithm *a, const struct secret *pem,
    char error[KEY_ERROR_MAX])
{
	EVP_PKEY *pkey = NULL;
	bool asked = false;
	BIO *bio = NULL;

	if (memmem(pem->data, pem->len, "PRIVATE KEY-----", 16) != NULL) {
		(void)key_refuse(error, NAME_PUBLIC,
		    "holds a private key, which belongs in " NAME_PRIVATE);
		return (NULL);
	}
	if (pem->len <= PEM_MAX)
		bio = BIO_new_mem_buf(pem->data, (int)pem->len);
	if (bio != NULL) {
		pkey =
		    PEM_read_bio_PUBKEY(bio, NULL, refuse_passphrase, &asked);
		if (pkey == NULL && BIO_reset(bio) == 1)
			pkey = read_certificate(bio);
	}
	BIO_free(bio);
	if (pkey != NULL)
		return (checked(a, pkey, NAME_PUBLIC, error));
	(void)key_refuse(error, NAME_PUBLIC,
	    "holds no public key or certificate in PEM form");
	return (NULL);
}

static int
check_rsa(const EVP_PKEY *pkey, const char *name, char *error)
{
	int bits = EVP_PKEY_get_bits(pkey);

	if (EVP_PKEY_get_id(pkey) != EVP_PKEY_RSA)
		return (key_refuse(error, name, "is no RSA key"));
	if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX) {
		(void)snprintf(error, KEY_ERROR_MAX,
		    "%s is an RSA key of %d bits; allowed are %d to %d", name,
		    bits, RSA_BITS_MIN, RSA_BITS_MAX);
		return (-1);
	}
	return (0);
}

/* The curve has to be named: one spelt out in numbers is not looked into. */
static int
check_curve(const struct algorithm *a, const EVP_PKEY *pkey, const char *name,
    char *error)
{
	char group[64];
	int spelt_out = 0, nid = NID_undef;
	size_t len;

	if (EVP_PKEY_get_id(pkey) != EVP_PKEY_EC)
		return (key_refuse(error, name, "is no elliptic curve key"));
	(void)EVP_PKEY_get_int_param(
	    pkey, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &spelt_out);
	if (EVP_PKEY_get_group_name(pkey, group, sizeof(group), &len) == 1)
		nid = OBJ_sn2nid(group);
	if (spelt_out != 0 || nid != a->curve) {
		(void)snprintf(error, KEY_ERROR_MAX,
		    "%s is not on the named curve %s, which %s needs", name,
		    a->curve_name, a->name);
		return (-1);
	}
	return (0);
}

/* A point off its curve or a modulus that is none. */
static int
check_numbers(EVP_PKEY *pkey, const char *name, char *error)
{
	EVP_PKEY_CTX *ctx;
	int ok;

	ctx = EVP_PKEY_CTX_new(pkey, NULL);
	ok = ctx != NULL && EVP_PKEY_public_check(ctx) == 1;
	EVP_PKEY_CTX_free(ctx);
	if (!ok)
		return (key_refuse(error, name, "is damaged"));
	return (0);
}

/* The key itself when nothing is wrong with it; else it is released. */
static EVP_PKEY *
checked(
    const struct algorithm *a, EVP_PKEY *pkey, const char *name, char *error)
{
	int ok;

	if (a->family == FAMILY_RSA)
		ok = check_rsa(pkey, name, error);
	else
		ok = check_curve(a, pkey, name, error);
	if (ok == 0)
		ok = check_numbers(pkey, name, error);
	if (ok == 0 && a->family == FAMILY_EC && use_whole_point(pkey) == -1)
		ok = key_refuse(error, name, "does not fit into memory");
	if (ok == 0)
		return (pkey);
	EVP_PKEY_free(pkey);
	return (NULL);
}

/* A point may be written in several forms; from here on a key has one. */
static int
use_whole_point(EVP_PKEY *pkey)
{
	return (EVP_PKEY_set_utf8_string_param(pkey,
		    OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
		    OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_UNCOMPRESSED) == 1
		? 0
		: -1);
}

/* Move the text of a memory BIO, which wipes its own copy when released. */
static int
take_text(BIO *bio, struct secret *out)
{
	char *text;
	long len;

	len = BIO_get_mem_data(bio, &text);
	if (len <= 0)
		return (-1);
	return (secret_set(out, text, (size_t)len));
}

int
pem_write_private(EVP_PKEY *pkey, struct secret *out)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int ok = -1;

	if (bio != NULL &&
	    PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL) == 1)
		ok = take_text(bio, out);
	BIO_free(bio);
	return (ok);
}

int
pem_write_public(EVP_PKEY *pkey, struct secret *out)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int ok = -1;

	if (bio != NULL && PEM_write_bio_PUBKEY(bio, pkey) == 1)
		ok = take_text(bio, out);
	BIO_free(bio);
	return (ok);
}
