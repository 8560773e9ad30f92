/*
 * requests.c - what the client sends, made before the clock runs: the same
 * request again and again, one for each token or body of a file, or one for
 * each of many tokens that are made here and were never sent before.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "auth/base64url.h"
#include "drive.h"

#define FILE_MAX      ((size_t)64 << 20)
#define TOKEN_MAX     16384
#define IDENTIFIER    "\"jti\":\""
#define IDENTIFIER_IS 36 /* characters of a UUID */

/* What stands before and behind a token in a request. */
static const char bearer[] = "Authorization: Bearer ";
static const char renewed[] = "\"refresh_token\":";

/* A token whose identifier can be changed. */
struct mould {
	char head[TOKEN_MAX]; /* with its dot */
	size_t head_len;
	unsigned char claims[TOKEN_MAX];
	size_t claims_len;
	size_t identifier; /* where it stands in the claims */
	unsigned char key[TOKEN_MAX];
	size_t key_len;
	unsigned long long run; /* no two runs make the same token */
};

static void add(struct requests *, size_t *, const char *, ...)
    __attribute__((format(printf, 3, 4)));
static void
each_line(struct requests *, const char *, const char *, const char *);
static void read_mould(struct mould *, const char *, const char *);
static void cast(struct mould *, unsigned long long, char[TOKEN_MAX]);

void
fail(const char *format, ...)
{
	va_list ap;

	(void)fprintf(stderr, "drive: ");
	va_start(ap, format);
	(void)vfprintf(stderr, format, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
	exit(1);
}

/* With a NUL at its end. */
char *
read_file(const char *path, size_t *len)
{
	char *bytes;
	FILE *file;

	file = fopen(path, "re");
	bytes = malloc(FILE_MAX + 1);
	if (file == NULL || bytes == NULL)
		fail("%s cannot be read", path);
	*len = fread(bytes, 1, FILE_MAX, file);
	bytes[*len] = '\0';
	(void)fclose(file);
	if (*len == 0 || *len == FILE_MAX)
		fail("%s is empty or too large", path);
	return (bytes);
}

/* FILE: tokens, one a line; NULL: none. */
void
requests_get(struct requests *r, const char *path, const char *file)
{
	char head[1024];
	size_t room = 0;

	r->endless = true;
	if (file == NULL) {
		add(r, &room, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n",
		    path);
		return;
	}
	(void)snprintf(head, sizeof(head),
	    "GET %s HTTP/1.1\r\nHost: localhost\r\n%s", path, bearer);
	each_line(r, file, head, "\r\n\r\n");
}

/* FILE: JSON bodies, one a line. */
void
requests_post(struct requests *r, const char *path, const char *file)
{
	size_t len, room = 0;
	char *bytes, *line, *rest;

	r->endless = true;
	rest = bytes = read_file(file, &len);
	while ((line = strsep(&rest, "\n")) != NULL)
		if (*line != '\0')
			add(r, &room,
			    "POST %s HTTP/1.1\r\nHost: localhost\r\n"
			    "Content-Type: application/json\r\n"
			    "Content-Length: %zu\r\n\r\n%s",
			    path, strlen(line), line);
	free(bytes);
}

/* FILE: refresh tokens, one a line and one for each connection. */
void
requests_refresh(struct requests *r, const char *path, const char *file)
{
	char head[1024];

	r->endless = true;
	(void)snprintf(head, sizeof(head),
	    "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n%s",
	    path, bearer);
	each_line(r, file, head, "\r\n\r\n");
}

/* COUNT requests, each with a token like the one in FILE, signed with the key
 * in KEY_FILE. */
void
requests_mint(struct requests *r, const char *path, const char *file,
    const char *key_file, size_t count)
{
	static struct mould mould;
	char token[TOKEN_MAX];
	size_t i, room = 0;

	r->endless = false;
	read_mould(&mould, file, key_file);
	for (i = 0; i < count; i++) {
		cast(&mould, i, token);
		add(r, &room,
		    "GET %s HTTP/1.1\r\nHost: localhost\r\n%s%s\r\n\r\n", path,
		    bearer, token);
	}
}

bool
requests_renew(
    struct request *request, const char *path, const struct answer *answer)
{
	const char *at, *end;
	struct requests one = {NULL, 0, 0, true};
	size_t room = 0;

	at = memmem(
	    answer->body, answer->body_len, renewed, sizeof(renewed) - 1);
	if (at == NULL)
		return (false);
	at = strchr(at + sizeof(renewed) - 1, '"');
	end = at == NULL ? NULL : strchr(at + 1, '"');
	if (end == NULL || end > answer->body + answer->body_len)
		return (false);
	add(&one, &room,
	    "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n"
	    "%s%.*s\r\n\r\n",
	    path, bearer, (int)(end - at - 1), at + 1);
	free(request->bytes);
	*request = one.all[0];
	free(one.all);
	return (true);
}

void
requests_save(const struct requests *r, const char *path)
{
	const char *at;
	FILE *file;
	size_t i;

	if ((file = fopen(path, "we")) == NULL)
		fail("%s cannot be written", path);
	for (i = 0; i < r->count; i++) {
		at = strstr(r->all[i].bytes, bearer) + sizeof(bearer) - 1;
		(void)fprintf(file, "%.*s\n", (int)strcspn(at, "\r"), at);
	}
	if (fclose(file) != 0)
		fail("%s cannot be written", path);
}

static void
add(struct requests *r, size_t *room, const char *format, ...)
{
	struct request *request;
	va_list ap;
	int len;

	if (r->count == *room) {
		*room = *room * 2 + 1;
		r->all = realloc(r->all, *room * sizeof(*r->all));
		if (r->all == NULL)
			fail("out of memory");
	}
	request = &r->all[r->count++];
	va_start(ap, format);
	len = vasprintf(&request->bytes, format, ap);
	va_end(ap);
	if (len < 0)
		fail("out of memory");
	request->len = (size_t)len;
}

static void
each_line(struct requests *r, const char *file, const char *before,
    const char *behind)
{
	char *bytes, *line, *rest;
	size_t len, room = 0;

	rest = bytes = read_file(file, &len);
	while ((line = strsep(&rest, "\n")) != NULL)
		if (*line != '\0')
			add(r, &room, "%s%s%s", before, line, behind);
	free(bytes);
}

static void
read_mould(struct mould *m, const char *file, const char *key_file)
{
	char *token, *dot, *second, *key, *at;
	size_t len;

	token = read_file(file, &len);
	dot = strchr(token, '.');
	second = dot == NULL ? NULL : strchr(dot + 1, '.');
	if (second == NULL || len > TOKEN_MAX)
		fail("%s holds no token", file);
	m->head_len = (size_t)(dot + 1 - token);
	memcpy(m->head, token, m->head_len);
	if (base64url_decode(dot + 1, (size_t)(second - dot - 1), m->claims,
		&m->claims_len) != 0)
		fail("%s holds no token", file);
	m->claims[m->claims_len] = '\0';
	at = strstr((char *)m->claims, IDENTIFIER);
	if (at == NULL || strlen(at) < sizeof(IDENTIFIER) + IDENTIFIER_IS)
		fail("the token in %s has no identifier", file);
	m->identifier =
	    (size_t)(at - (char *)m->claims) + sizeof(IDENTIFIER) - 1;
	free(token);

	key = read_file(key_file, &len);
	m->key_len = strcspn(key, "\n");
	if (m->key_len > sizeof(m->key))
		fail("the key in %s is too long", key_file);
	memcpy(m->key, key, m->key_len);
	free(key);
	m->run =
	    (unsigned long long)time(NULL) << 24 ^ (unsigned long long)getpid();
}

/* The mould's token with another identifier: run and number of the token. */
static void
cast(struct mould *m, unsigned long long number, char token[TOKEN_MAX])
{
	unsigned char mac[EVP_MAX_MD_SIZE];
	char identifier[IDENTIFIER_IS + 1];
	unsigned int mac_len = 0;
	size_t len;

	(void)snprintf(identifier, sizeof(identifier),
	    "%08llx-%04llx-4%03llx-8%03llx-%012llx", m->run >> 28 & 0xffffffff,
	    m->run >> 12 & 0xffff, m->run & 0xfff, number >> 48 & 0xfff,
	    number & 0xffffffffffff);
	memcpy(m->claims + m->identifier, identifier, IDENTIFIER_IS);
	memcpy(token, m->head, m->head_len);
	len = m->head_len;
	len += base64url_encode(m->claims, m->claims_len, token + len);
	if (HMAC(EVP_sha256(), m->key, (int)m->key_len,
		(const unsigned char *)token, len, mac, &mac_len) == NULL)
		fail("a token cannot be signed");
	token[len++] = '.';
	(void)base64url_encode(mac, mac_len, token + len);
}
