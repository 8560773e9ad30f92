#include <sodium.h>
#include <string.h>

#include "auth/password.h"
#include "base/secret.h"

/* Bytes of the hash proper in a hash text. */
#define DIGEST_LEN 32

/* Least memory that libsodium computes with (KiB). */
#define MEMORY_KIB_LEAST (crypto_pwhash_argon2id_MEMLIMIT_MIN / 1024)

/* Length of the password that nobody knows (bytes). */
#define DUMMY_LEN 32

_Static_assert(PASSWORD_HASH_MAX >= crypto_pwhash_STRBYTES,
    "a hash of libsodium has to fit");

/* A hash text taken apart. */
struct parameters {
	unsigned int memory_kib;
	unsigned int passes;
	unsigned char salt[crypto_pwhash_SALTBYTES];
	unsigned char digest[DIGEST_LEN];
};

static bool
parse_number(const char **, const char *, unsigned int, unsigned int *);
static bool parse_bytes(const char **, unsigned char *, size_t);
static bool parse(const char *, struct parameters *);

/*
 * Read "NAME=NUMBER" at *p, a number between 1 and max written in at most
 * seven digits, and move *p behind it.
 */
static bool
parse_number(
    const char **p, const char *name, unsigned int max, unsigned int *value)
{
	size_t len = strlen(name), digits = 0;

	if (strncmp(*p, name, len) != 0)
		return (false);
	*p += len;
	*value = 0;
	for (; **p >= '0' && **p <= '9'; (*p)++) {
		if (++digits > 7)
			return (false);
		*value = *value * 10 + (unsigned int)(**p - '0');
	}
	return (*value >= 1 && *value <= max);
}

/* Read a '$' and exactly len bytes in base64, and move *p behind them. */
static bool
parse_bytes(const char **p, unsigned char *out, size_t len)
{
	size_t got, run;

	if (**p != '$')
		return (false);
	(*p)++;
	run = strcspn(*p, "$");
	if (sodium_base642bin(out, len, *p, run, NULL, &got, NULL,
		sodium_base64_VARIANT_ORIGINAL_NO_PADDING) == -1)
		return (false);
	*p += run;
	return (got == len);
}

/*
 * Take a hash text apart. False unless it is argon2id as libsodium writes it
 * (one lane), at a cost that can be paid.
 */
static bool
parse(const char *hash, struct parameters *out)
{
	static const char prefix[] = "$argon2id$v=19";
	const char *p = hash;
	unsigned int lanes;

	if (strnlen(hash, PASSWORD_HASH_MAX) >= PASSWORD_HASH_MAX ||
	    strncmp(p, prefix, sizeof(prefix) - 1) != 0)
		return (false);
	p += sizeof(prefix) - 1;
	if (!parse_number(
		&p, "$m=", PASSWORD_MEMORY_KIB_MAX, &out->memory_kib) ||
	    !parse_number(&p, ",t=", PASSWORD_PASSES_MAX, &out->passes) ||
	    !parse_number(&p, ",p=", 1, &lanes) ||
	    out->memory_kib < MEMORY_KIB_LEAST)
		return (false);
	return (parse_bytes(&p, out->salt, sizeof(out->salt)) &&
	    parse_bytes(&p, out->digest, sizeof(out->digest)) && *p == '\0');
}

int
password_hash(const struct password_cost *cost, const void *password,
    size_t len, char out[PASSWORD_HASH_MAX])
{
	memset(out, 0, PASSWORD_HASH_MAX);
	if (len > PASSWORD_MAX || cost->memory_kib > PASSWORD_MEMORY_KIB_MAX ||
	    cost->passes > PASSWORD_PASSES_MAX)
		return (-1);
	return (crypto_pwhash_str_alg(out, password, len, cost->passes,
	    (size_t)cost->memory_kib * 1024, crypto_pwhash_ALG_ARGON2ID13));
}

/*
 * crypto_pwhash_str_verify() says the same of a wrong password and of missing
 * memory, so the hash is computed and compared here: after parse(), only
 * missing memory makes crypto_pwhash() fail.
 */
int
password_verify(const char *hash, const void *password, size_t len)
{
	unsigned char digest[DIGEST_LEN];
	struct parameters want;
	int result = -1;

	if (len > PASSWORD_MAX || !parse(hash, &want))
		return (0);
	if (crypto_pwhash(digest, sizeof(digest), password, len, want.salt,
		want.passes, (size_t)want.memory_kib * 1024,
		crypto_pwhash_ALG_ARGON2ID13) == 0)
		result = secret_equal(
		    digest, sizeof(digest), want.digest, sizeof(want.digest));
	secret_wipe(digest, sizeof(digest));
	secret_wipe(&want, sizeof(want));
	return (result);
}

bool
password_hash_usable(const char *hash)
{
	struct parameters parameters;

	return (parse(hash, &parameters));
}

bool
password_needs_rehash(const struct password_cost *cost, const char *hash)
{
	struct parameters parameters;

	if (!parse(hash, &parameters))
		return (true);
	return (parameters.memory_kib < cost->memory_kib ||
	    parameters.passes < cost->passes);
}

int
password_dummy(const struct password_cost *cost, char out[PASSWORD_HASH_MAX])
{
	unsigned char password[DUMMY_LEN];
	int result;

	secret_random(password, sizeof(password));
	result = password_hash(cost, password, sizeof(password), out);
	secret_wipe(password, sizeof(password));
	return (result);
}
