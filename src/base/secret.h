/*
 * secret.h - random numbers, memory that holds secrets, comparison in constant
 * time. The one file besides auth/password.c that knows libsodium.
 *
 * secret_init() once per process before anything else; the rest from any
 * thread.
 */
#ifndef CORGI_SECRET_H
#define CORGI_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Length of a UUID in text, without the closing NUL (RFC 9562, section 4). */
#define UUID_LEN 36

/* A run of secret bytes on the heap. Not NUL-terminated text by contract,
 * though one NUL always follows the last byte. */
struct secret {
	uint8_t *data;
	size_t len;
};

/* Prepare the random source. Returns 0, or -1 when there is none. */
int secret_init(void) __attribute__((warn_unused_result));

/*
 * Copy len bytes into s, which must be empty or zeroed. Returns 0, or -1
 * when out of memory. Release with secret_free().
 */
int secret_set(struct secret *s, const void *data, size_t len)
    __attribute__((warn_unused_result));

/* Wipe, release and zero s. An empty s is fine. */
void secret_free(struct secret *s);

/* Drop one line end ("\n" or "\r\n") at the end, as editors leave it. */
void secret_chomp(struct secret *s);

/* Wipe memory in a way the compiler may not remove. */
void secret_wipe(void *p, size_t len);

/* Wipe and free() a heap block of len bytes. NULL is fine. */
void secret_free_mem(void *p, size_t len);

/* Whether two runs are equal; time depends on the lengths only. */
bool secret_equal(const void *a, size_t alen, const void *b, size_t blen);

/* Length of the key of secret_hash() (bytes). */
#define SECRET_HASH_KEY_LEN 16

/*
 * A short keyed hash (SipHash-2-4) for tables whose keys strangers choose:
 * without the key nobody can aim at a place. No proof of anything.
 */
uint64_t secret_hash(
    const uint8_t key[SECRET_HASH_KEY_LEN], const void *data, size_t len);

/* The same with 128 bits, where the hash stands for the data. */
void secret_hash128(const uint8_t key[SECRET_HASH_KEY_LEN], const void *data,
    size_t len, uint64_t out[2]);

/* Length of secret_digest() (bytes). */
#define SECRET_DIGEST_LEN 32

/* SHA-256 (FIPS 180-4). */
void
secret_digest(const void *data, size_t len, uint8_t out[SECRET_DIGEST_LEN]);

/*
 * A key for another purpose, drawn from a secret of high entropy (keyed
 * BLAKE2b, RFC 7693): whoever has it knows nothing of the secret, nor of keys
 * for other purposes (16 to 64 characters). len: 16 to 64 bytes.
 */
void secret_derive(const void *secret, size_t secret_len, const char *purpose,
    uint8_t *key, size_t len);

/* How much longer a sealed text is than the text (bytes). */
#define SECRET_SEAL_EXTRA 40

/*
 * Seal len bytes of text into out (len + SECRET_SEAL_EXTRA bytes) so that only
 * whoever has the passphrase, a text of high entropy such as a token, can read
 * or change them: XChaCha20-Poly1305 under a key derived from the passphrase
 * by keyed BLAKE2b (RFC 7693). label binds them to what they belong to and has
 * to be the same when they are opened.
 */
void secret_seal(const void *passphrase, size_t passphrase_len,
    const char *label, const void *text, size_t len, uint8_t *out);

/*
 * Open what was sealed, len bytes, into text (len - SECRET_SEAL_EXTRA bytes).
 * Returns 0, or -1 with nothing written when passphrase or label are others,
 * or any byte has been changed.
 */
int secret_unseal(const void *passphrase, size_t passphrase_len,
    const char *label, const uint8_t *sealed, size_t len, void *text)
    __attribute__((warn_unused_result));

/* Fill buf with len random bytes. */
void secret_random(void *buf, size_t len);

/* A version 4 UUID (RFC 9562, section 5.4) in lower case. */
void secret_uuid4(char out[UUID_LEN + 1]);

/*
 * Read a whole regular file of at most max bytes into s, through symbolic
 * links. Returns 0, or -1 with errno set (EFBIG when it is longer, ENODATA when
 * it is empty, EINVAL when it is no regular file, EISDIR for a folder).
 */
int secret_read_file(const char *path, size_t max, struct secret *s)
    __attribute__((warn_unused_result));

/*
 * Read the secret kept in path: the file without one line end at its end. It
 * has to be a regular file of this user or of root, with no permission for
 * anybody else. Returns 0, or -1 with errno set: ENODATA when nothing is left,
 * EKEYREJECTED when owner or mode are others, ELOOP for a symbolic link, else
 * as secret_read_file().
 */
int secret_read_kept(const char *path, struct secret *s)
    __attribute__((warn_unused_result));

/* The same whatever its owner and mode. */
int secret_read_exposed(const char *path, struct secret *s)
    __attribute__((warn_unused_result));

/*
 * Read the secret kept in path, or make one of len random bytes (written as
 * lower-case hexadecimal, mode 0600, complete or not at all, and one only
 * even when several processes ask at once). *created says which. Returns 0,
 * or -1 with errno set as secret_read_kept() does.
 */
int secret_load_or_create(const char *path, size_t len, struct secret *s,
    bool *created) __attribute__((warn_unused_result));

/*
 * Keep this process out of core dumps and out of reach of other processes of
 * the same user (PR_SET_DUMPABLE, RLIMIT_CORE). Returns 0 or -1 with errno.
 */
int secret_harden_process(void) __attribute__((warn_unused_result));

#endif
