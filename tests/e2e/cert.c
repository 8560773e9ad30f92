/*
 * cert.c - certificates and keys for tests.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "cert.h"

/* Seconds that a certificate is valid. */
#define VALID_SECONDS 86400L

static char *take_text(BIO *);
static char *key_text(EVP_PKEY *, const EVP_CIPHER *);
static X509 *certificate(EVP_PKEY *, const char *);

/* What was written to a memory BIO, as text; frees the BIO. */
static char *
take_text(BIO *bio)
{
	char *data, *text;
	long len;

	len = BIO_get_mem_data(bio, &data);
	text = len > 0 ? strndup(data, (size_t)len) : NULL;
	(void)BIO_free(bio);
	if (text == NULL)
		cr_assert_fail("no certificate can be made");
	return (text);
}

static char *
key_text(EVP_PKEY *key, const EVP_CIPHER *cipher)
{
	unsigned char passphrase[] = "locked away";
	BIO *bio;

	bio = BIO_new(BIO_s_mem());
	if (bio == NULL ||
	    PEM_write_bio_PrivateKey(bio, key, cipher,
		cipher == NULL ? NULL : passphrase,
		cipher == NULL ? 0 : (int)sizeof(passphrase) - 1, NULL,
		NULL) != 1)
		cr_assert_fail("a key cannot be written");
	return (take_text(bio));
}

static X509 *
certificate(EVP_PKEY *key, const char *name)
{
	static const char hosts[] = "DNS:localhost, IP:127.0.0.1";
	X509_EXTENSION *extension;
	X509_NAME *subject;
	X509 *x;
	uint32_t serial;

	x = X509_new();
	if (x == NULL || RAND_bytes((void *)&serial, sizeof(serial)) != 1)
		cr_assert_fail("no certificate can be made");
	(void)X509_set_version(x, 2);
	(void)ASN1_INTEGER_set(
	    X509_get_serialNumber(x), (long)(serial & 0x7fffffff) + 1);
	(void)X509_gmtime_adj(X509_getm_notBefore(x), -VALID_SECONDS);
	(void)X509_gmtime_adj(X509_getm_notAfter(x), VALID_SECONDS);
	(void)X509_set_pubkey(x, key);
	subject = X509_get_subject_name(x);
	(void)X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
	    (const unsigned char *)name, -1, -1, 0);
	(void)X509_set_issuer_name(x, subject);
	extension =
	    X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, hosts);
	if (extension == NULL || X509_add_ext(x, extension, -1) != 1 ||
	    X509_sign(x, key, EVP_sha256()) == 0)
		cr_assert_fail("a certificate cannot be signed");
	X509_EXTENSION_free(extension);
	return (x);
}

struct cert
cert_new(const char *name)
{
	struct cert c;
	EVP_PKEY *key;
	X509 *x;
	BIO *bio;

	key = EVP_EC_gen("P-256");
	if (key == NULL)
		cr_assert_fail("no key can be made");
	x = certificate(key, name);
	bio = BIO_new(BIO_s_mem());
	if (bio == NULL || PEM_write_bio_X509(bio, x) != 1)
		cr_assert_fail("a certificate cannot be written");
	c.certificate = take_text(bio);
	c.key = key_text(key, NULL);
	c.locked = key_text(key, EVP_aes_128_cbc());
	X509_free(x);
	EVP_PKEY_free(key);
	return (c);
}

void
cert_free(struct cert *c)
{
	free(c->certificate);
	free(c->key);
	free(c->locked);
	memset(c, 0, sizeof(*c));
}

struct cert_files
cert_paths(const char *folder)
{
	struct cert_files files;

	(void)snprintf(files.certificate, sizeof(files.certificate),
	    "%.900s/certificate.pem", folder);
	(void)snprintf(files.key, sizeof(files.key), "%.900s/key.pem", folder);
	return (files);
}

void
cert_replace(const char *path, const char *text)
{
	char fresh[SERVER_PATH_MAX + 8];

	(void)snprintf(fresh, sizeof(fresh), "%s.new", path);
	file_write(fresh, text, strlen(text));
	if (rename(fresh, path) == -1)
		cr_assert_fail("%s cannot be replaced", path);
}

void
cert_install(const struct cert_files *files, const struct cert *c)
{
	cert_replace(files->certificate, c->certificate);
	cert_replace(files->key, c->key);
}

char *
cert_key_line(const char *pem)
{
	const char *best, *line, *end;
	size_t longest;

	longest = 0;
	best = pem;
	for (line = pem; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		if (strncmp(line, "-----", 5) != 0 &&
		    (size_t)(end - line) > longest) {
			longest = (size_t)(end - line);
			best = line;
		}
	}
	cr_assert_gt(longest, 20);
	return (strndup(best, longest));
}
