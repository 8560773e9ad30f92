/*
 * secret.c - randomness, wiped memory and files that hold secrets.
 */
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "base/secret.h"

/* Largest file taken for a kept secret (bytes). */
#define KEPT_SECRET_MAX 65536

/* XChaCha20-Poly1305: the nonce is long enough to be drawn at random. */
#define SEAL_KEY_LEN   crypto_aead_xchacha20poly1305_ietf_KEYBYTES
#define SEAL_NONCE_LEN crypto_aead_xchacha20poly1305_ietf_NPUBBYTES

static void derive_key(const void *, size_t, uint8_t[SEAL_KEY_LEN]);
static int open_regular(const char *, int, struct stat *);
static int read_open(int, size_t, struct secret *);
static bool is_private(const struct stat *);
static int read_kept(const char *, struct secret *, bool);
static int create_kept(const char *, size_t);
static int random_suffix(const char *, char *, size_t);
static int write_random(const char *, size_t);
static int write_all(int, const char *, size_t);
static int sync_folder_of(const char *);
static void close_keep_errno(int);

int
secret_init(void)
{
	return (sodium_init() < 0 ? -1 : 0);
}

int
secret_set(struct secret *s, const void *data, size_t len)
{
	uint8_t *copy;

	if (len == SIZE_MAX || (copy = malloc(len + 1)) == NULL)
		return (-1);
	if (len > 0)
		memcpy(copy, data, len);
	copy[len] = '\0';
	s->data = copy;
	s->len = len;

	return (0);
}

void
secret_free(struct secret *s)
{
	secret_free_mem(s->data, s->len);
	s->data = NULL;
	s->len = 0;
}

void
secret_chomp(struct secret *s)
{
	if (s->len > 0 && s->data[s->len - 1] == '\n') {
		s->data[--s->len] = '\0';
		if (s->len > 0 && s->data[s->len - 1] == '\r')
			s->data[--s->len] = '\0';
	}
}

void
secret_wipe(void *p, size_t len)
{
	if (len > 0)
		sodium_memzero(p, len);
}

void
secret_free_mem(void *p, size_t len)
{
	if (p == NULL)
		return;
	secret_wipe(p, len);
	free(p);
}

bool
secret_equal(const void *a, size_t alen, const void *b, size_t blen)
{
	if (alen != blen)
		return (false);

	return (alen == 0 || sodium_memcmp(a, b, alen) == 0);
}

uint64_t
secret_hash(
    const uint8_t key[SECRET_HASH_KEY_LEN], const void *data, size_t len)
{
	uint64_t hash;

	_Static_assert(crypto_shorthash_siphash24_BYTES == sizeof(hash) &&
		crypto_shorthash_siphash24_KEYBYTES == SECRET_HASH_KEY_LEN,
	    "SipHash-2-4 with its own sizes");
	(void)crypto_shorthash_siphash24(
	    (unsigned char *)&hash, data, len, key);
	return (hash);
}

void
secret_hash128(const uint8_t key[SECRET_HASH_KEY_LEN], const void *data,
    size_t len, uint64_t out[2])
{
	_Static_assert(
	    crypto_shorthash_siphashx24_BYTES == 2 * sizeof(uint64_t) &&
		crypto_shorthash_siphashx24_KEYBYTES == SECRET_HASH_KEY_LEN,
	    "SipHash-2-4-128 with its own sizes");
	(void)crypto_shorthash_siphashx24((unsigned char *)out, data, len, key);
}

void
secret_digest(const void *data, size_t len, uint8_t out[SECRET_DIGEST_LEN])
{
	_Static_assert(crypto_hash_sha256_BYTES == SECRET_DIGEST_LEN,
	    "SHA-256 with its own size");
	(void)crypto_hash_sha256(out, data, len);
}

void
secret_derive(const void *secret, size_t secret_len, const char *purpose,
    uint8_t *key, size_t len)
{
	(void)crypto_generichash(key, len, secret, secret_len,
	    (const unsigned char *)purpose, strlen(purpose));
}

/* The digest by which a token is known in the database is a plain SHA-256: a
 * key made in any other way tells nothing about it, nor it about the key. */
static void
derive_key(const void *passphrase, size_t len, uint8_t key[SEAL_KEY_LEN])
{
	static const char purpose[] = "corgi.secret_seal.v1";

	_Static_assert(sizeof(purpose) - 1 >= crypto_generichash_KEYBYTES_MIN &&
		sizeof(purpose) - 1 <= crypto_generichash_KEYBYTES_MAX,
	    "a key that BLAKE2b takes");
	secret_derive(passphrase, len, purpose, key, SEAL_KEY_LEN);
}

void
secret_seal(const void *passphrase, size_t passphrase_len, const char *label,
    const void *text, size_t len, uint8_t *out)
{
	uint8_t key[SEAL_KEY_LEN];

	_Static_assert(SECRET_SEAL_EXTRA ==
		SEAL_NONCE_LEN + crypto_aead_xchacha20poly1305_ietf_ABYTES,
	    "nonce and tag");
	derive_key(passphrase, passphrase_len, key);
	secret_random(out, SEAL_NONCE_LEN);
	(void)crypto_aead_xchacha20poly1305_ietf_encrypt(out + SEAL_NONCE_LEN,
	    NULL, text, len, (const unsigned char *)label, strlen(label), NULL,
	    out, key);
	secret_wipe(key, sizeof(key));
}

int
secret_unseal(const void *passphrase, size_t passphrase_len, const char *label,
    const uint8_t *sealed, size_t len, void *text)
{
	uint8_t key[SEAL_KEY_LEN];
	int result;

	if (len < SECRET_SEAL_EXTRA)
		return (-1);
	derive_key(passphrase, passphrase_len, key);
	result = crypto_aead_xchacha20poly1305_ietf_decrypt(text, NULL, NULL,
	    sealed + SEAL_NONCE_LEN, len - SEAL_NONCE_LEN,
	    (const unsigned char *)label, strlen(label), sealed, key);
	secret_wipe(key, sizeof(key));
	return (result == 0 ? 0 : -1);
}

void
secret_random(void *buf, size_t len)
{
	randombytes_buf(buf, len);
}

void
secret_uuid4(char out[UUID_LEN + 1])
{
	uint8_t b[16];
	char hex[2 * sizeof(b) + 1];

	randombytes_buf(b, sizeof(b));
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	sodium_bin2hex(hex, sizeof(hex), b, sizeof(b));
	(void)snprintf(out, UUID_LEN + 1, "%.8s-%.4s-%.4s-%.4s-%.12s", hex,
	    hex + 8, hex + 12, hex + 16, hex + 20);
	sodium_memzero(b, sizeof(b));
	sodium_memzero(hex, sizeof(hex));
}

/*
 * A descriptor of a regular file for reading, what it is in *st. Opening
 * anything else must not wait: a pipe may never have a writer.
 */
static int
open_regular(const char *path, int flags, struct stat *st)
{
	int fd;

	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY | flags);
	if (fd == -1)
		return (-1);
	if (fstat(fd, st) == 0) {
		if (S_ISREG(st->st_mode))
			return (fd);
		errno = S_ISDIR(st->st_mode) ? EISDIR : EINVAL;
	}
	close_keep_errno(fd);
	return (-1);
}

/*
 * Reads instead of trusting the file's size, which is 0 in /proc and may grow
 * meanwhile.
 */
static int
read_open(int fd, size_t max, struct secret *s)
{
	uint8_t *buf;
	size_t len;
	ssize_t n;
	int ret;

	ret = -1;
	len = 0;
	if ((buf = malloc(max + 1)) == NULL)
		return (-1);

	/* One byte more than allowed tells a longer file from a full one. */
	while (len <= max) {
		n = read(fd, buf + len, max + 1 - len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			goto cleanup;
		if (n == 0)
			break;
		len += (size_t)n;
	}

	if (len > max)
		errno = EFBIG;
	else if (len == 0)
		errno = ENODATA;
	else
		ret = secret_set(s, buf, len);

cleanup:
	secret_free_mem(buf, len);
	return (ret);
}

int
secret_read_file(const char *path, size_t max, struct secret *s)
{
	struct stat st;
	int fd, ret;

	if ((fd = open_regular(path, 0, &st)) == -1)
		return (-1);
	ret = read_open(fd, max, s);
	close_keep_errno(fd);
	return (ret);
}

/* Whether nobody but this user and root can have written or read it. */
static bool
is_private(const struct stat *st)
{
	return ((st->st_uid == geteuid() || st->st_uid == 0) &&
	    (st->st_mode & 0077) == 0);
}

static int
read_kept(const char *path, struct secret *s, bool any)
{
	struct stat st;
	int fd, ret;

	if ((fd = open_regular(path, O_NOFOLLOW, &st)) == -1)
		return (-1);
	ret = -1;
	if (any || is_private(&st))
		ret = read_open(fd, KEPT_SECRET_MAX, s);
	else
		errno = EKEYREJECTED;
	close_keep_errno(fd);
	if (ret == -1)
		return (-1);

	secret_chomp(s);
	if (s->len == 0) {
		secret_free(s);
		errno = ENODATA;
		return (-1);
	}
	return (0);
}

int
secret_read_kept(const char *path, struct secret *s)
{
	return (read_kept(path, s, false));
}

int
secret_read_exposed(const char *path, struct secret *s)
{
	return (read_kept(path, s, true));
}

/*
 * Whoever links its file to the final name first has made the secret; all
 * others find it there. After a few rounds of the file coming and going
 * somebody is removing it, which is reported as it stands.
 */
int
secret_load_or_create(
    const char *path, size_t len, struct secret *s, bool *created)
{
	int tries;

	*created = false;
	for (tries = 0; tries < 3; tries++) {
		if (secret_read_kept(path, s) == 0)
			return (0);
		if (errno != ENOENT)
			return (-1);
		if (create_kept(path, len) == 0) {
			*created = true;
			return (secret_read_kept(path, s));
		}
		if (errno != EEXIST)
			return (-1);
	}

	return (-1);
}

int
secret_harden_process(void)
{
	struct rlimit none = {0, 0};

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		return (-1);

	return (setrlimit(RLIMIT_CORE, &none));
}

/*
 * Write the secret under a name of its own, then give it the final name with
 * link(), which fails with EEXIST instead of replacing. So the final name
 * never stands for half a secret.
 */
static int
create_kept(const char *path, size_t len)
{
	char temporary[PATH_MAX];
	int ret;

	if (random_suffix(path, temporary, sizeof(temporary)) == -1)
		return (-1);
	if (write_random(temporary, len) == -1)
		return (-1);

	ret = link(temporary, path);
	if (ret == 0)
		ret = sync_folder_of(path);
	if (unlink(temporary) == -1 && ret == 0)
		ret = -1;

	return (ret);
}

/* path + ".tmp-" and 64 random bits. */
static int
random_suffix(const char *path, char *out, size_t size)
{
	uint8_t b[8];
	char hex[2 * sizeof(b) + 1];
	int n;

	randombytes_buf(b, sizeof(b));
	sodium_bin2hex(hex, sizeof(hex), b, sizeof(b));
	n = snprintf(out, size, "%s.tmp-%s", path, hex);
	if (n < 0 || (size_t)n >= size) {
		errno = ENAMETOOLONG;
		return (-1);
	}

	return (0);
}

/* A new file with len random bytes in hexadecimal and a line end, on disk when
 * this returns 0, and gone when it returns -1. */
static int
write_random(const char *path, size_t len)
{
	uint8_t *bytes;
	char *hex;
	int fd, saved, ret;

	fd = open(path,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY,
	    0600);
	if (fd == -1)
		return (-1);

	ret = -1;
	bytes = malloc(len + 1);
	hex = malloc(2 * len + 2);
	if (bytes == NULL || hex == NULL)
		goto cleanup;
	randombytes_buf(bytes, len);
	sodium_bin2hex(hex, 2 * len + 1, bytes, len);
	hex[2 * len] = '\n';

	/* The mode is ours, whatever the umask. */
	if (fchmod(fd, 0600) == 0 && write_all(fd, hex, 2 * len + 1) == 0 &&
	    fsync(fd) == 0)
		ret = 0;

cleanup:
	secret_free_mem(bytes, len);
	secret_free_mem(hex, 2 * len + 1);
	close_keep_errno(fd);
	if (ret == -1) {
		saved = errno;
		(void)unlink(path);
		errno = saved;
	}
	return (ret);
}

static int
write_all(int fd, const char *data, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(fd, data, len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return (-1);
		data += n;
		len -= (size_t)n;
	}

	return (0);
}

/* A new name is only safe from a power cut once its folder is on disk. */
static int
sync_folder_of(const char *path)
{
	char folder[PATH_MAX];
	const char *slash;
	size_t len;
	int fd, ret;

	if ((slash = strrchr(path, '/')) == NULL) {
		(void)snprintf(folder, sizeof(folder), ".");
	} else {
		len = slash == path ? 1 : (size_t)(slash - path);
		if (len >= sizeof(folder)) {
			errno = ENAMETOOLONG;
			return (-1);
		}
		memcpy(folder, path, len);
		folder[len] = '\0';
	}

	if ((fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		return (-1);
	ret = fsync(fd);
	close_keep_errno(fd);

	return (ret);
}

static void
close_keep_errno(int fd)
{
	int saved = errno;

	(void)close(fd);
	errno = saved;
}
