#include <argon2.h>
#include <crypt.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "auth/password.h"
#include "auth/password_foreign.h"
#include "base/secret.h"

/* What bcrypt reads of a password (bytes); libxcrypt takes 511 at most and
 * reports longer ones as it reports everything else. */
#define BCRYPT_PASSWORD_LEN 72

/* Where the hash proper begins in a bcrypt text, and its length. */
#define BCRYPT_HASH_AT  29
#define BCRYPT_HASH_LEN 31

/*
 * How often Werkzeug iterated PBKDF2 when nobody said how often, from 2.1 to
 * today and back: what a text without a count means depends on the release
 * that made it. Together they stay below PASSWORD_PBKDF2_MAX.
 */
static const uint32_t werkzeug_counts[] = {
    260000, 600000, 1000000, 150000, 50000, 1000};

static int
argon2_digest(const struct password_parts *, const void *, size_t, uint8_t *);
static int pbkdf2_digest(
    const struct password_parts *, uint32_t, const void *, size_t, uint8_t *);
static int
scrypt_digest(const struct password_parts *, const void *, size_t, uint8_t *);
static int
pbkdf2_unsaid(const struct password_parts *, const void *, size_t, uint8_t *);
static int bcrypt_verify(const char *, const void *, size_t);
static int bcrypt_sha256_verify(const char *, const void *, size_t);

/*
 * All lanes on this thread: they are independent of each other, and the
 * service has no more cores than background threads.
 */
static int
argon2_digest(const struct password_parts *parts, const void *password,
    size_t len, uint8_t *out)
{
	uint8_t salt[PASSWORD_SALT_MAX], text[PASSWORD_MAX];
	argon2_context context = {.out = out,
	    .outlen = (uint32_t)parts->hash_len,
	    .pwd = text,
	    .pwdlen = (uint32_t)len,
	    .salt = salt,
	    .saltlen = (uint32_t)parts->salt_len,
	    .t_cost = parts->count,
	    .m_cost = parts->memory_kib,
	    .lanes = parts->lanes,
	    .threads = 1,
	    .version = ARGON2_VERSION_13,
	    .flags = ARGON2_DEFAULT_FLAGS};
	int result;

	memcpy(salt, parts->salt, sizeof(salt));
	if (len > 0)
		memcpy(text, password, len);
	result = argon2_ctx(
	    &context, parts->scheme == SCHEME_ARGON2I ? Argon2_i : Argon2_id);
	secret_wipe(text, sizeof(text));
	return (result == ARGON2_OK ? 0 : -1);
}

static int
pbkdf2_digest(const struct password_parts *parts, uint32_t count,
    const void *password, size_t len, uint8_t *out)
{
	return (PKCS5_PBKDF2_HMAC(password, (int)len, parts->salt,
		    (int)parts->salt_len, (int)count,
		    EVP_get_digestbyname(parts->digest), (int)parts->hash_len,
		    out) == 1
		? 0
		: -1);
}

/* password_parse() has counted as OpenSSL does, in whole KiB. */
static int
scrypt_digest(const struct password_parts *parts, const void *password,
    size_t len, uint8_t *out)
{
	return (EVP_PBE_scrypt(password, len, parts->salt, parts->salt_len,
		    parts->count, parts->block, parts->lanes,
		    ((uint64_t)PASSWORD_MEMORY_KIB_MAX + 1) * 1024, out,
		    parts->hash_len) == 1
		? 0
		: -1);
}

/* PBKDF2 without a count: one after the other of those it may have had. */
static int
pbkdf2_unsaid(const struct password_parts *parts, const void *password,
    size_t len, uint8_t *out)
{
	size_t i;

	for (i = 0; i < sizeof(werkzeug_counts) / sizeof(werkzeug_counts[0]);
	     i++) {
		if (pbkdf2_digest(
			parts, werkzeug_counts[i], password, len, out) == -1)
			return (-1);
		if (secret_equal(
			out, parts->hash_len, parts->hash, parts->hash_len))
			return (0);
	}
	return (0);
}

/*
 * bcrypt ends a password at its first NUL and at 72 bytes. The programs whose
 * hashes are taken over refuse a NUL, so such a password fits none. The last
 * character of the salt has bits that belong to nothing and that libxcrypt
 * clears: the hash proper is compared.
 */
static int
bcrypt_verify(const char *want, const void *password, size_t len)
{
	char text[BCRYPT_PASSWORD_LEN + 1];
	struct crypt_data *data;
	const char *got;
	int result = -1;

	if (len > 0 && memchr(password, '\0', len) != NULL)
		return (0);
	data = calloc(1, sizeof(*data));
	if (data == NULL)
		return (-1);
	if (len > BCRYPT_PASSWORD_LEN)
		len = BCRYPT_PASSWORD_LEN;
	if (len > 0)
		memcpy(text, password, len);
	text[len] = '\0';
	got = crypt_r(text, want, data);
	if (got != NULL && got[0] == '$')
		result = secret_equal(got + BCRYPT_HASH_AT,
		    strlen(got + BCRYPT_HASH_AT), want + BCRYPT_HASH_AT,
		    BCRYPT_HASH_LEN);
	secret_wipe(text, sizeof(text));
	secret_free_mem(data, sizeof(*data));
	return (result);
}

/* Django's way around the 72 bytes: bcrypt of the SHA-256 in hexadecimal. */
static int
bcrypt_sha256_verify(const char *want, const void *password, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t digest[SECRET_DIGEST_LEN];
	char hex[2 * SECRET_DIGEST_LEN];
	size_t i;
	int result;

	secret_digest(password, len, digest);
	for (i = 0; i < sizeof(digest); i++) {
		hex[2 * i] = digits[digest[i] >> 4];
		hex[2 * i + 1] = digits[digest[i] & 0x0f];
	}
	result = bcrypt_verify(want, hex, sizeof(hex));
	secret_wipe(digest, sizeof(digest));
	secret_wipe(hex, sizeof(hex));
	return (result);
}

int
password_foreign_verify(
    const struct password_parts *parts, const void *password, size_t len)
{
	uint8_t digest[PASSWORD_DIGEST_MAX];
	int result = -1;

	if (len > PASSWORD_MAX)
		return (0);
	if (len == 0)
		password = "";
	switch (parts->scheme) {
	case SCHEME_BCRYPT:
		return (bcrypt_verify(parts->bcrypt, password, len));
	case SCHEME_BCRYPT_SHA256:
		return (bcrypt_sha256_verify(parts->bcrypt, password, len));
	case SCHEME_ARGON2I:
	case SCHEME_ARGON2ID:
		result = argon2_digest(parts, password, len, digest);
		break;
	case SCHEME_PBKDF2:
		result = parts->count == 0
		    ? pbkdf2_unsaid(parts, password, len, digest)
		    : pbkdf2_digest(parts, parts->count, password, len, digest);
		break;
	case SCHEME_SCRYPT:
		result = scrypt_digest(parts, password, len, digest);
		break;
	}
	if (result == 0)
		result = secret_equal(
		    digest, parts->hash_len, parts->hash, parts->hash_len);
	else
		ERR_clear_error();
	secret_wipe(digest, sizeof(digest));
	return (result);
}
