/*
 * password.h - argon2id through libsodium (RFC 9106; OWASP's floor of m = 19
 * MiB, t = 2, p = 1), and, to be verified only, the hashes that accounts bring
 * along from other programs (see password_foreign.h).
 *
 * Slow and hungry on purpose: some tens of milliseconds and argon2_memory_kib
 * of memory per call. Background threads only. Passwords are byte strings:
 * embedded NULs count, nothing is trimmed or cut.
 */
#ifndef CORGI_PASSWORD_H
#define CORGI_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest password in bytes of UTF-8; longer ones never match. */
#define PASSWORD_MAX 1024

/* The least that may be configured (OWASP Password Storage Cheat Sheet). */
#define PASSWORD_MEMORY_KIB_MIN 19456
#define PASSWORD_PASSES_MIN     2

/* The most that is computed, be it configured or asked for by a stored hash:
 * a database that was tampered with must not use up memory or time. */
#define PASSWORD_MEMORY_KIB_MAX 1048576
#define PASSWORD_PASSES_MAX     100

/* Room for a hash in text, with the closing NUL (bytes). */
#define PASSWORD_HASH_MAX 128

struct password_cost {
	uint64_t memory_kib;
	uint64_t passes;
};

/* Hash into out. Returns 0, or -1 when out of memory (see hash_memory.h) or
 * beyond a limit. */
int password_hash(const struct password_cost *cost, const void *password,
    size_t len, char out[PASSWORD_HASH_MAX])
    __attribute__((warn_unused_result));

/*
 * Whether the password belongs to the hash. 1: yes. 0: no, or the hash is of no
 * known kind. -1: there was no memory to find out.
 */
int password_verify(const char *hash, const void *password, size_t len)
    __attribute__((warn_unused_result));

/* Whether a text is a hash of a known kind whose cost can be paid here. */
bool password_hash_usable(const char *hash);

/* Whether a hash was made at a lower cost than cost asks for, or in another way
 * than argon2id as it is made here. */
bool password_needs_rehash(const struct password_cost *cost, const char *hash);

/*
 * A hash of a random password at this cost, for accounts that do not exist:
 * verifying against it takes as long as against a real one. Same results as
 * password_hash().
 */
int password_dummy(const struct password_cost *cost,
    char out[PASSWORD_HASH_MAX]) __attribute__((warn_unused_result));

#endif
