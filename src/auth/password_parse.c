#include <string.h>

#include "auth/base64url.h"
#include "auth/password.h"
#include "auth/password_parse.h"
#include "base/secret.h"

/* "$2b$", two digits of cost, "$", 22 characters of salt, 31 of hash. */
#define BCRYPT_LEN 60

/* Bytes that Werkzeug and Django take from scrypt. Fewer would be the beginning
 * of the same: a text that was cut off must not fit. */
#define SCRYPT_LEN 64

/* The two characters in which the kinds of base64 differ, and their '='. */
struct base64_kind {
	char plus, slash;
	bool padded;
};

static const struct base64_kind base64_phc = {'+', '/', false};
static const struct base64_kind base64_django = {'+', '/', true};
static const struct base64_kind base64_passlib = {'.', '/', false};

/* A hash function as others and OpenSSL call it. */
struct function {
	const char *name;
	const char *openssl;
	size_t len;
};

static const struct function functions[] = {
    {"sha1", "SHA1", 20}, {"sha256", "SHA256", 32}, {"sha512", "SHA512", 64}};

/* What a hash text begins with, and who reads what follows. */
struct format {
	const char *prefix;
	bool (*parse)(const char *, struct password_parts *);
};

static bool take(const char **, const char *);
static bool take_number(const char **, uint32_t, uint32_t *);
static bool take_salt_text(const char **, struct password_parts *);
static bool take_hex(const char **, uint8_t *, size_t, size_t *);
static bool take_base64(
    const char **, const struct base64_kind *, uint8_t *, size_t, size_t *);
static bool take_function(const char **, struct password_parts *, size_t *);
static bool argon2_payable(const struct password_parts *);
static bool scrypt_payable(const struct password_parts *);
static bool argon2(const char *, struct password_parts *);
static bool argon2i(const char *, struct password_parts *);
static bool argon2id(const char *, struct password_parts *);
static bool django_argon2i(const char *, struct password_parts *);
static bool django_argon2id(const char *, struct password_parts *);
static bool bcrypt(const char *, struct password_parts *);
static bool bcrypt_bare(const char *, struct password_parts *);
static bool bcrypt_sha256(const char *, struct password_parts *);
static bool pbkdf2_werkzeug(const char *, struct password_parts *);
static bool pbkdf2_django(const char *, struct password_parts *);
static bool pbkdf2_passlib(const char *, struct password_parts *);
static bool pbkdf2_passlib_sha1(const char *, struct password_parts *);
static bool passlib_rest(const char *, size_t, struct password_parts *);
static bool scrypt_werkzeug(const char *, struct password_parts *);
static bool scrypt_django(const char *, struct password_parts *);

static const struct format formats[] = {
    {"$argon2id$", argon2id},
    {"$argon2i$", argon2i},
    {"argon2$argon2id$", django_argon2id},
    {"argon2$argon2i$", django_argon2i},
    {"bcrypt$", bcrypt},
    {"bcrypt_sha256$", bcrypt_sha256},
    {"$2", bcrypt_bare},
    {"pbkdf2:", pbkdf2_werkzeug},
    {"pbkdf2_", pbkdf2_django},
    {"$pbkdf2-", pbkdf2_passlib},
    {"$pbkdf2$", pbkdf2_passlib_sha1},
    {"scrypt:", scrypt_werkzeug},
    {"scrypt$", scrypt_django},
};

/* Move *p behind a literal text. */
static bool
take(const char **p, const char *text)
{
	size_t len = strlen(text);

	if (strncmp(*p, text, len) != 0)
		return (false);
	*p += len;
	return (true);
}

/* Read a number between 1 and max, without leading zeros. */
static bool
take_number(const char **p, uint32_t max, uint32_t *value)
{
	uint64_t number = 0;

	if (**p < '1' || **p > '9')
		return (false);
	for (; **p >= '0' && **p <= '9'; (*p)++) {
		number = number * 10 + (uint64_t)(**p - '0');
		if (number > max)
			return (false);
	}
	*value = (uint32_t)number;
	return (true);
}

/* Read a salt that is taken as it stands, up to the next '$'. */
static bool
take_salt_text(const char **p, struct password_parts *out)
{
	size_t len = strcspn(*p, "$");

	if (len < 1 || len > sizeof(out->salt))
		return (false);
	memcpy(out->salt, *p, len);
	out->salt_len = len;
	*p += len;
	return (true);
}

/* Read what is left as lower-case hexadecimal digits. */
static bool
take_hex(const char **p, uint8_t *out, size_t max, size_t *out_len)
{
	static const char digits[] = "0123456789abcdef";
	const char *digit;
	size_t i, len = strlen(*p);

	if (len % 2 != 0 || len / 2 > max)
		return (false);
	for (i = 0; i < len; i++) {
		if ((digit = strchr(digits, (*p)[i])) == NULL)
			return (false);
		out[i / 2] =
		    (uint8_t)((out[i / 2] << 4) | (uint8_t)(digit - digits));
	}
	*out_len = len / 2;
	*p += len;
	return (true);
}

/*
 * Read base64 of one kind up to the next '$': told in base64url, which is
 * read strictly.
 */
static bool
take_base64(const char **p, const struct base64_kind *kind, uint8_t *out,
    size_t max, size_t *out_len)
{
	char url[BASE64URL_TEXT_LEN(PASSWORD_DIGEST_MAX) + 3];
	size_t i, padding = 0, len = strcspn(*p, "$");
	bool ok;

	if (len < 1 || len >= sizeof(url) || (kind->padded && len % 4 != 0))
		return (false);
	while (kind->padded && padding < 2 && (*p)[len - padding - 1] == '=')
		padding++;
	for (i = 0; i < len - padding; i++) {
		url[i] = (*p)[i];
		if (url[i] == kind->plus)
			url[i] = '-';
		else if (url[i] == kind->slash)
			url[i] = '_';
		else if (url[i] == '-' || url[i] == '_')
			return (false);
	}
	ok = BASE64URL_DATA_LEN(i) <= max &&
	    base64url_decode(url, i, out, out_len) == 0;
	secret_wipe(url, sizeof(url));
	*p += len;
	return (ok);
}

/* Read the name of a hash function; *len is what it yields (bytes). */
static bool
take_function(const char **p, struct password_parts *out, size_t *len)
{
	size_t i, run = strcspn(*p, ":$");

	for (i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		if (run != strlen(functions[i].name) ||
		    strncmp(*p, functions[i].name, run) != 0)
			continue;
		out->digest = functions[i].openssl;
		*len = functions[i].len;
		*p += run;
		return (true);
	}
	return (false);
}

/* The least memory is RFC 9106's, eight blocks for each lane. */
static bool
argon2_payable(const struct password_parts *parts)
{
	return (parts->memory_kib >= 8 * parts->lanes && parts->salt_len >= 8 &&
	    parts->hash_len >= 16);
}

/*
 * N is a power of two, and where r is 1 less than 65536 (RFC 7914, section 2).
 * OpenSSL needs 128 * r * (N + p + 2) bytes. No product overflows: each factor
 * is PASSWORD_SCRYPT_MAX at most, and one product is checked before the next.
 */
static bool
scrypt_payable(const struct password_parts *parts)
{
	uint64_t n = parts->count, r = parts->block, p = parts->lanes;

	return (n >= 2 && (n & (n - 1)) == 0 && (r > 1 || n < 65536) &&
	    n * r <= PASSWORD_SCRYPT_MAX && n * r * p <= PASSWORD_SCRYPT_MAX &&
	    r * (n + p + 2) / 8 <= PASSWORD_MEMORY_KIB_MAX &&
	    parts->hash_len == SCRYPT_LEN);
}

/* argon2 in the PHC's string format, version 1.3, from "v=" on. */
static bool
argon2(const char *p, struct password_parts *out)
{
	return (take(&p, "v=19$m=") &&
	    take_number(&p, PASSWORD_MEMORY_KIB_MAX, &out->memory_kib) &&
	    take(&p, ",t=") &&
	    take_number(&p, PASSWORD_PASSES_MAX, &out->count) &&
	    take(&p, ",p=") &&
	    take_number(&p, PASSWORD_LANES_MAX, &out->lanes) && take(&p, "$") &&
	    take_base64(&p, &base64_phc, out->salt, sizeof(out->salt),
		&out->salt_len) &&
	    take(&p, "$") &&
	    take_base64(&p, &base64_phc, out->hash, sizeof(out->hash),
		&out->hash_len) &&
	    *p == '\0' && argon2_payable(out));
}

static bool
argon2i(const char *p, struct password_parts *out)
{
	out->scheme = SCHEME_ARGON2I;
	return (argon2(p, out));
}

static bool
argon2id(const char *p, struct password_parts *out)
{
	out->scheme = SCHEME_ARGON2ID;
	return (argon2(p, out));
}

static bool
django_argon2i(const char *p, struct password_parts *out)
{
	out->django = true;
	return (argon2i(p, out));
}

static bool
django_argon2id(const char *p, struct password_parts *out)
{
	out->django = true;
	return (argon2id(p, out));
}

/* $2x$ is left out: it marks hashes of an implementation that was broken. */
static bool
bcrypt(const char *p, struct password_parts *out)
{
	static const char alphabet[] =
	    "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	unsigned int cost;

	if (strlen(p) != BCRYPT_LEN || p[0] != '$' || p[1] != '2' ||
	    strchr("aby", p[2]) == NULL || p[3] != '$' || p[4] < '0' ||
	    p[4] > '9' || p[5] < '0' || p[5] > '9' || p[6] != '$' ||
	    strspn(p + 7, alphabet) != BCRYPT_LEN - 7)
		return (false);
	cost = (unsigned int)(p[4] - '0') * 10 + (unsigned int)(p[5] - '0');
	out->scheme = SCHEME_BCRYPT;
	out->bcrypt = p;
	return (cost >= 4 && cost <= PASSWORD_BCRYPT_MAX);
}

/* Its prefix belongs to what crypt_r() reads. */
static bool
bcrypt_bare(const char *p, struct password_parts *out)
{
	return (bcrypt(p - strlen("$2"), out));
}

static bool
bcrypt_sha256(const char *p, struct password_parts *out)
{
	bool ok = bcrypt(p, out);

	out->scheme = SCHEME_BCRYPT_SHA256;
	return (ok);
}

static bool
pbkdf2_werkzeug(const char *p, struct password_parts *out)
{
	size_t len;

	out->scheme = SCHEME_PBKDF2;
	if (!take_function(&p, out, &len))
		return (false);
	if (take(&p, ":") && !take_number(&p, PASSWORD_PBKDF2_MAX, &out->count))
		return (false);
	return (take(&p, "$") && take_salt_text(&p, out) && take(&p, "$") &&
	    take_hex(&p, out->hash, sizeof(out->hash), &out->hash_len) &&
	    out->hash_len == len);
}

static bool
pbkdf2_django(const char *p, struct password_parts *out)
{
	size_t len;

	out->scheme = SCHEME_PBKDF2;
	return (take_function(&p, out, &len) && take(&p, "$") &&
	    take_number(&p, PASSWORD_PBKDF2_MAX, &out->count) &&
	    take(&p, "$") && take_salt_text(&p, out) && take(&p, "$") &&
	    take_base64(&p, &base64_django, out->hash, sizeof(out->hash),
		&out->hash_len) &&
	    *p == '\0' && out->hash_len == len);
}

static bool
pbkdf2_passlib(const char *p, struct password_parts *out)
{
	size_t len;

	return (take_function(&p, out, &len) && take(&p, "$") &&
	    passlib_rest(p, len, out));
}

/* "$pbkdf2$", without a name, is SHA-1. */
static bool
pbkdf2_passlib_sha1(const char *p, struct password_parts *out)
{
	const char *name = functions[0].name;
	size_t len;

	return (take_function(&name, out, &len) && passlib_rest(p, len, out));
}

static bool
passlib_rest(const char *p, size_t len, struct password_parts *out)
{
	out->scheme = SCHEME_PBKDF2;
	return (take_number(&p, PASSWORD_PBKDF2_MAX, &out->count) &&
	    take(&p, "$") &&
	    take_base64(&p, &base64_passlib, out->salt, sizeof(out->salt),
		&out->salt_len) &&
	    take(&p, "$") &&
	    take_base64(&p, &base64_passlib, out->hash, sizeof(out->hash),
		&out->hash_len) &&
	    *p == '\0' && out->hash_len == len);
}

static bool
scrypt_werkzeug(const char *p, struct password_parts *out)
{
	out->scheme = SCHEME_SCRYPT;
	return (take_number(&p, PASSWORD_SCRYPT_MAX, &out->count) &&
	    take(&p, ":") &&
	    take_number(&p, PASSWORD_SCRYPT_MAX, &out->block) &&
	    take(&p, ":") &&
	    take_number(&p, PASSWORD_SCRYPT_MAX, &out->lanes) &&
	    take(&p, "$") && take_salt_text(&p, out) && take(&p, "$") &&
	    take_hex(&p, out->hash, sizeof(out->hash), &out->hash_len) &&
	    scrypt_payable(out));
}

static bool
scrypt_django(const char *p, struct password_parts *out)
{
	out->scheme = SCHEME_SCRYPT;
	return (take_number(&p, PASSWORD_SCRYPT_MAX, &out->count) &&
	    take(&p, "$") && take_salt_text(&p, out) && take(&p, "$") &&
	    take_number(&p, PASSWORD_SCRYPT_MAX, &out->block) &&
	    take(&p, "$") &&
	    take_number(&p, PASSWORD_SCRYPT_MAX, &out->lanes) &&
	    take(&p, "$") &&
	    take_base64(&p, &base64_django, out->hash, sizeof(out->hash),
		&out->hash_len) &&
	    *p == '\0' && scrypt_payable(out));
}

bool
password_parse(const char *text, struct password_parts *out)
{
	const char *rest;
	size_t i;

	memset(out, 0, sizeof(*out));
	if (strnlen(text, PASSWORD_TEXT_MAX) >= PASSWORD_TEXT_MAX)
		return (false);
	for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		rest = text;
		if (take(&rest, formats[i].prefix))
			return (formats[i].parse(rest, out));
	}
	return (false);
}
