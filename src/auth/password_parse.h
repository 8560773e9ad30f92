/*
 * password_parse.h - hash texts taken apart: those made here and those that
 * accounts bring along from Flask, Django and passlib. Strict: one way to
 * write each hash, and no cost beyond the limits below, so that a database
 * that was tampered with uses up neither memory nor time. Pure; any thread.
 *
 *   $argon2id$v=19$m=M,t=T,p=P$SALT$HASH    argon2-cffi, passlib, Corgi
 *   argon2$argon2id$v=19$...                Django
 *   $2b$COST$...                            bcrypt ($2a$, $2y$ as well)
 *   bcrypt$$2b$...  bcrypt_sha256$$2b$...   Django
 *   pbkdf2:sha256:COUNT$SALT$HEX            Werkzeug (sha1, sha512 as well)
 *   scrypt:N:r:p$SALT$HEX                   Werkzeug
 *   pbkdf2_sha256$COUNT$SALT$BASE64         Django (pbkdf2_sha1 as well)
 *   scrypt$N$SALT$r$p$BASE64                Django
 *   $pbkdf2-sha256$COUNT$SALT$HASH          passlib (sha512; $pbkdf2$: SHA-1)
 */
#ifndef CORGI_PASSWORD_PARSE_H
#define CORGI_PASSWORD_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for any hash text, with the closing NUL, and for what it holds
 * (bytes). */
#define PASSWORD_TEXT_MAX   512
#define PASSWORD_SALT_MAX   64
#define PASSWORD_DIGEST_MAX 64

/* Memory of argon2 and scrypt: PASSWORD_MEMORY_KIB_MAX in password.h. */
#define PASSWORD_PBKDF2_MAX 10000000 /* iterations */
#define PASSWORD_BCRYPT_MAX 16       /* log2 of the rounds */
#define PASSWORD_LANES_MAX  64       /* argon2's p */
#define PASSWORD_SCRYPT_MAX 16777216 /* N * r * p */

/* Memory times passes of an argon2 hash made elsewhere (KiB): 8 GiB are
 * written at most. */
#define PASSWORD_ARGON2_WORK_MAX 8388608

enum password_scheme {
	SCHEME_ARGON2I,
	SCHEME_ARGON2ID,
	SCHEME_BCRYPT,
	SCHEME_BCRYPT_SHA256, /* of the SHA-256 in hexadecimal */
	SCHEME_PBKDF2,
	SCHEME_SCRYPT
};

/* A hash text taken apart. */
struct password_parts {
	enum password_scheme scheme;
	bool django;         /* has Django's name in front */
	const char *digest;  /* PBKDF2: OpenSSL's name of the hash function */
	uint32_t count;      /* passes, iterations, N; PBKDF2: 0 when unsaid */
	uint32_t memory_kib; /* argon2 */
	uint32_t lanes;      /* argon2; scrypt's p */
	uint32_t block;      /* scrypt's r */
	const char *bcrypt;  /* "$2b$...", inside the text that was parsed */
	uint8_t salt[PASSWORD_SALT_MAX];
	size_t salt_len;
	uint8_t hash[PASSWORD_DIGEST_MAX];
	size_t hash_len;
};

/*
 * Take a hash text apart. False unless it is of a known kind at a cost that
 * can be paid. Wipe *out with secret_wipe() in either case.
 */
bool password_parse(const char *text, struct password_parts *out)
    __attribute__((warn_unused_result));

#endif
