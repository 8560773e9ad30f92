#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "auth/password.h"
#include "base/secret.h"

/* Most lanes that a hash made elsewhere may have; ours have one. */
#define LANES_MAX 16

/* Length of the password that nobody knows (bytes). */
#define DUMMY_LEN 32

_Static_assert(PASSWORD_HASH_MAX >= crypto_pwhash_STRBYTES,
    "a hash of libsodium has to fit");

/* The costs written in a hash text. */
struct parameters {
	unsigned int memory_kib;
	unsigned int passes;
	unsigned int lanes;
};

static bool
parse_number(const char **, const char *, unsigned int, unsigned int *);
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

/* Whether hash is argon2id in the form of RFC 9106's reference, at a cost that
 * can be paid. */
static bool
parse(const char *hash, struct parameters *out)
{
	static const char prefix[] = "$argon2id$v=19";
	const char *p = hash;

	if (strnlen(hash, PASSWORD_HASH_MAX) >= PASSWORD_HASH_MAX ||
	    strncmp(p, prefix, sizeof(prefix) - 1) != 0)
		return (false);
	p += sizeof(prefix) - 1;
	return (parse_number(
		    &p, "$m=", PASSWORD_MEMORY_KIB_MAX, &out->memory_kib) &&
	    parse_number(&p, ",t=", PASSWORD_PASSES_MAX, &out->passes) &&
	    parse_number(&p, ",p=", LANES_MAX, &out->lanes) && *p == '$');
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
 * libsodium reports a mismatch with EINVAL and leaves malloc's ENOMEM where
 * it could not get the memory.
 */
int
password_verify(const char *hash, const void *password, size_t len)
{
	struct parameters parameters;
	char copy[crypto_pwhash_STRBYTES] = {0};

	if (len > PASSWORD_MAX || !parse(hash, &parameters))
		return (0);
	(void)strncpy(copy, hash, sizeof(copy) - 1);
	errno = 0;
	if (crypto_pwhash_str_verify(copy, password, len) == 0)
		return (1);
	return (errno == ENOMEM || errno == EAGAIN ? -1 : 0);
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
