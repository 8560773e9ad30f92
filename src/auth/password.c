#include <sodium.h>
#include <string.h>

#include "auth/hash_memory.h"
#include "auth/password.h"
#include "auth/password_foreign.h"
#include "auth/password_parse.h"
#include "base/secret.h"

/* Bytes of the hash proper in a hash text of libsodium. */
#define DIGEST_LEN 32

/* Length of the password that nobody knows (bytes). */
#define DUMMY_LEN 32

_Static_assert(PASSWORD_HASH_MAX >= crypto_pwhash_STRBYTES,
    "a hash of libsodium has to fit");

static bool is_own(const struct password_parts *);
static bool is_payable(const struct password_parts *);
static bool parse(const char *, struct password_parts *);
static uint64_t memory_of(const struct password_parts *);
static int own_verify(const struct password_parts *, const void *, size_t);

/* Whether a hash is of the kind that password_hash() makes. */
static bool
is_own(const struct password_parts *parts)
{
	return (parts->scheme == SCHEME_ARGON2ID && !parts->django &&
	    parts->lanes == 1 && parts->salt_len == crypto_pwhash_SALTBYTES &&
	    parts->hash_len == DIGEST_LEN);
}

/* What was made here may cost what can be configured; argon2 from elsewhere
 * has a narrower limit. */
static bool
is_payable(const struct password_parts *parts)
{
	return (is_own(parts) ||
	    (uint64_t)parts->memory_kib * parts->count <=
		PASSWORD_ARGON2_WORK_MAX);
}

/* Take a hash text apart; false when it cannot be verified. */
static bool
parse(const char *hash, struct password_parts *out)
{
	return (password_parse(hash, out) && is_payable(out));
}

/*
 * crypto_pwhash_str_verify() says the same of a wrong password and of missing
 * memory, so the hash is computed and compared here: after parse(), only
 * missing memory makes crypto_pwhash() fail.
 */
static int
own_verify(const struct password_parts *parts, const void *password, size_t len)
{
	unsigned char digest[DIGEST_LEN];
	int result = -1;

	if (crypto_pwhash(digest, sizeof(digest), password, len, parts->salt,
		parts->count, (size_t)parts->memory_kib * 1024,
		crypto_pwhash_ALG_ARGON2ID13) == 0)
		result = secret_equal(
		    digest, sizeof(digest), parts->hash, parts->hash_len);
	secret_wipe(digest, sizeof(digest));
	return (result);
}

/* What computing a hash takes up (KiB); next to nothing but for the kinds that
 * mean to. */
static uint64_t
memory_of(const struct password_parts *parts)
{
	switch (parts->scheme) {
	case SCHEME_ARGON2I:
	case SCHEME_ARGON2ID:
		return (parts->memory_kib);
	case SCHEME_SCRYPT: /* 128 * N * r bytes (RFC 7914, section 2) */
		return ((uint64_t)parts->count * parts->block / 8);
	default:
		return (0);
	}
}

int
password_hash(const struct password_cost *cost, const void *password,
    size_t len, char out[PASSWORD_HASH_MAX])
{
	int result;

	memset(out, 0, PASSWORD_HASH_MAX);
	if (len > PASSWORD_MAX || cost->memory_kib > PASSWORD_MEMORY_KIB_MAX ||
	    cost->passes > PASSWORD_PASSES_MAX)
		return (-1);
	if (hash_memory_take(cost->memory_kib) == -1)
		return (-1);
	result = crypto_pwhash_str_alg(out, password, len, cost->passes,
	    (size_t)cost->memory_kib * 1024, crypto_pwhash_ALG_ARGON2ID13);
	hash_memory_give(cost->memory_kib);
	return (result);
}

int
password_verify(const char *hash, const void *password, size_t len)
{
	struct password_parts parts;
	int result;

	if (len > PASSWORD_MAX || !parse(hash, &parts))
		return (0);
	if (hash_memory_take(memory_of(&parts)) == -1) {
		result = -1;
	} else {
		result = is_own(&parts)
		    ? own_verify(&parts, password, len)
		    : password_foreign_verify(&parts, password, len);
		hash_memory_give(memory_of(&parts));
	}
	secret_wipe(&parts, sizeof(parts));
	return (result);
}

bool
password_hash_usable(const char *hash)
{
	struct password_parts parts;
	bool usable = parse(hash, &parts);

	secret_wipe(&parts, sizeof(parts));
	return (usable);
}

bool
password_needs_rehash(const struct password_cost *cost, const char *hash)
{
	struct password_parts parts;
	bool cheaper;

	cheaper = !parse(hash, &parts) || !is_own(&parts) ||
	    parts.memory_kib < cost->memory_kib || parts.count < cost->passes;
	secret_wipe(&parts, sizeof(parts));
	return (cheaper);
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
