#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>
#include <openssl/params.h>

#include "auth/base64url.h"
#include "auth/key_material.h"
#include "auth/key_pem.h"
#include "auth/signature.h"
#include "base/log.h"

/* RSA keys below this length get a warning (BSI TR-02102-1; bits). */
#define RSA_BITS_ADVISED 3072

static const struct algorithm algorithms[] = {
    {"HS256", FAMILY_HMAC, "SHA256", 32, 0, NULL, 0},
    {"HS384", FAMILY_HMAC, "SHA384", 48, 0, NULL, 0},
    {"HS512", FAMILY_HMAC, "SHA512", 64, 0, NULL, 0},
    {"RS256", FAMILY_RSA, "SHA256", 32, 0, NULL, 0},
    {"RS384", FAMILY_RSA, "SHA384", 48, 0, NULL, 0},
    {"RS512", FAMILY_RSA, "SHA512", 64, 0, NULL, 0},
    {"ES256", FAMILY_EC, "SHA256", 32, NID_X9_62_prime256v1, "P-256", 32},
    {"ES384", FAMILY_EC, "SHA384", 48, NID_secp384r1, "P-384", 48},
    {"ES512", FAMILY_EC, "SHA512", 64, NID_secp521r1, "P-521", 66},
};

static const struct algorithm *find_algorithm(const char *name);
static int
check_secret(const struct algorithm *a, const struct config *c, char *error);
static int make_hmac(struct key *k, const struct config *c, char *error);
static int make_pair(struct key *k, const struct config *c, char *error);
static int add_private(struct key *k, const struct config *c, char *error);
static int add_public(struct key *k, const struct config *c, char *error);
static void make_header(struct key *k);
static int check_works(const struct key *k, char *error);
static void warn_if_short(const struct key *k);

static const struct algorithm *
find_algorithm(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
		if (name != NULL && strcmp(algorithms[i].name, name) == 0)
			return (&algorithms[i]);
	}
	return (NULL);
}

/*
 * A secret that is a PEM text is a public key in the wrong place more often
 * than not, and whoever knows that key could then make tokens (RFC 8725,
 * section 2.1); so it is refused at any length.
 */
static int
check_secret(const struct algorithm *a, const struct config *c, char *error)
{
	const struct secret *s = &c->secret_key;

	if (s->len == 0)
		return (key_refuse(error, NAME_SECRET, "is empty"));
	if (memmem(s->data, s->len, "-----BEGIN ", 11) != NULL)
		return (key_refuse(error, NAME_SECRET,
		    "holds a PEM key or certificate; an HMAC algorithm needs "
		    "a random secret"));
	if (s->len >= a->digest_len)
		return (0);
	(void)snprintf(error, KEY_ERROR_MAX,
	    NAME_SECRET " has %zu bytes; %s needs at least %zu", s->len,
	    a->name, a->digest_len);
	if (c->flavor == CONFIG_PROD)
		return (-1);
	log_line(LOG_LEVEL_WARNING, "%s", error);
	error[0] = '\0';
	return (0);
}

static int
make_hmac(struct key *k, const struct config *c, char *error)
{
	const struct secret *s = &c->secret_key;
	OSSL_PARAM params[2];
	char digest[16];
	EVP_MAC *mac;

	if (check_secret(k->algorithm, c, error) == -1)
		return (-1);
	if (secret_set(&k->signing, s->data, s->len) == -1)
		return (
		    key_refuse(error, NAME_SECRET, "does not fit into memory"));
	(void)snprintf(digest, sizeof(digest), "%s", k->algorithm->digest);
	params[0] =
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
	params[1] = OSSL_PARAM_construct_end();
	mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	if (mac != NULL)
		k->mac = EVP_MAC_CTX_new(mac);
	EVP_MAC_free(mac);
	if (k->mac == NULL ||
	    EVP_MAC_init(k->mac, k->signing.data, k->signing.len, params) != 1)
		return (
		    key_refuse(error, NAME_SECRET, "is not taken by OpenSSL"));
	return (0);
}

/* The private half, and with it a public one. */
static int
add_private(struct key *k, const struct config *c, char *error)
{
	k->private_key = pem_read_private(k->algorithm, &c->private_key, error);
	if (k->private_key == NULL)
		return (-1);
	if (pem_write_private(k->private_key, &k->signing) == -1 ||
	    pem_write_public(k->private_key, &k->verifying) == -1)
		return (key_refuse(error, NAME_PRIVATE, "is damaged"));
	k->public_key = pem_read_public(k->algorithm, &k->verifying, error);
	return (k->public_key == NULL ? -1 : 0);
}

/* The public half; beside a private one it has to be that one's. */
static int
add_public(struct key *k, const struct config *c, char *error)
{
	EVP_PKEY *given;
	int same;

	given = pem_read_public(k->algorithm, &c->public_key, error);
	if (given == NULL)
		return (-1);
	if (k->public_key == NULL) {
		k->public_key = given;
		if (pem_write_public(given, &k->verifying) == -1)
			return (key_refuse(error, NAME_PUBLIC, "is damaged"));
		return (0);
	}
	same = EVP_PKEY_eq(k->public_key, given);
	EVP_PKEY_free(given);
	if (same != 1)
		return (key_refuse(
		    error, NAME_PUBLIC, "does not belong to " NAME_PRIVATE));
	return (0);
}

static int
make_pair(struct key *k, const struct config *c, char *error)
{
	if (c->private_key.len == 0 && c->public_key.len == 0)
		return (key_refuse(error, k->algorithm->name,
		    "needs " NAME_PRIVATE " or " NAME_PUBLIC));
	k->digest = EVP_MD_fetch(NULL, k->algorithm->digest, NULL);
	if (k->digest == NULL)
		return (key_refuse(
		    error, k->algorithm->digest, "is missing from OpenSSL"));
	if (c->private_key.len > 0 && add_private(k, c, error) == -1)
		return (-1);
	if (c->public_key.len > 0 && add_public(k, c, error) == -1)
		return (-1);
	warn_if_short(k);
	return (0);
}

static void
warn_if_short(const struct key *k)
{
	int bits = EVP_PKEY_get_bits(k->public_key);

	if (k->algorithm->family == FAMILY_RSA && bits < RSA_BITS_ADVISED)
		log_line(LOG_LEVEL_WARNING,
		    "%s is an RSA key of %d bits; %d or more are advised",
		    k->private_key != NULL ? NAME_PRIVATE : NAME_PUBLIC, bits,
		    RSA_BITS_ADVISED);
}

/* Sign and verify once, so that a damaged key ends the start, not a login. */
static int
check_works(const struct key *k, char *error)
{
	static const char probe[] = "corgi";
	uint8_t signature[SIGNATURE_MAX];
	size_t len;

	if (!key_can_sign(k))
		return (0);
	if (signature_make(k, probe, sizeof(probe), signature, &len) == 0 &&
	    signature_fits(k, probe, sizeof(probe), signature, len))
		return (0);
	return (key_refuse(error,
	    k->algorithm->family == FAMILY_HMAC ? NAME_SECRET : NAME_PRIVATE,
	    "is damaged: what it signs does not verify"));
}

static void
make_header(struct key *k)
{
	char text[BASE64URL_DATA_LEN(KEY_HEADER_MAX)];
	int len;

	len = snprintf(text, sizeof(text), "{\"alg\":\"%s\",\"typ\":\"JWT\"}",
	    k->algorithm->name);
	k->plain_header_len =
	    base64url_encode(text, (size_t)len, k->plain_header);
}

struct key *
key_from_config(const struct config *c, char error[KEY_ERROR_MAX])
{
	const struct algorithm *a = find_algorithm(c->algorithm);
	struct key *k;
	int ok;

	error[0] = '\0';
	if (a == NULL) {
		(void)key_refuse(error, "JWT_ALGORITHM",
		    "is none of HS256, HS384, HS512, RS256, RS384, RS512, "
		    "ES256, ES384, ES512");
		return (NULL);
	}
	k = calloc(1, sizeof(*k));
	if (k == NULL) {
		(void)key_refuse(error, "The key", "does not fit into memory");
		return (NULL);
	}
	k->algorithm = a;
	make_header(k);
	if (a->family == FAMILY_HMAC)
		ok = make_hmac(k, c, error);
	else
		ok = make_pair(k, c, error);
	if (ok == 0)
		ok = check_works(k, error);
	ERR_clear_error();
	if (ok == -1) {
		key_free(k);
		return (NULL);
	}
	return (k);
}

void
key_free(struct key *k)
{
	if (k == NULL)
		return;
	secret_free(&k->signing);
	secret_free(&k->verifying);
	EVP_MD_free(k->digest);
	EVP_MAC_CTX_free(k->mac);
	EVP_PKEY_free(k->private_key);
	EVP_PKEY_free(k->public_key);
	secret_free_mem(k, sizeof(*k));
}

const char *
key_algorithm(const struct key *k)
{
	return (k->algorithm->name);
}

const char *
key_plain_header(const struct key *k, size_t *len)
{
	*len = k->plain_header_len;
	return (k->plain_header);
}

bool
key_can_sign(const struct key *k)
{
	return (k->signing.len > 0);
}

void
key_derive(const struct key *k, const char *purpose, uint8_t *out, size_t len)
{
	const struct secret *from =
	    key_can_sign(k) ? &k->signing : &k->verifying;

	secret_derive(from->data, from->len, purpose, out, len);
}

uint32_t
key_fingerprint(const struct key *k)
{
	const struct secret *from =
	    k->algorithm->family == FAMILY_HMAC ? &k->signing : &k->verifying;
	uint32_t number = 0;
	uint8_t drawn[16];
	char purpose[64];
	size_t i;

	(void)snprintf(purpose, sizeof(purpose), "corgi.fingerprint.v1.%s",
	    k->algorithm->name);
	secret_derive(from->data, from->len, purpose, drawn, sizeof(drawn));
	for (i = 0; i < sizeof(number); i++)
		number = number << 8 | drawn[i];
	secret_wipe(drawn, sizeof(drawn));
	return (number == 0 ? 1 : number);
}
