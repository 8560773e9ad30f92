/*
 * tok.c - make tokens of any shape, good and bad.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <criterion/criterion.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "tok.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

char *
text_of(const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) == -1)
		cr_assert_fail("out of memory");
	va_end(ap);
	return (text);
}

char *
text_repeat(const char *text, size_t n)
{
	size_t len, i;
	char *out;

	len = strlen(text);
	out = malloc(len * n + 1);
	if (out == NULL)
		cr_assert_fail("out of memory");
	for (i = 0; i < n; i++)
		memcpy(out + i * len, text, len);
	out[len * n] = '\0';
	return (out);
}

char *
tok_encode(const void *data, size_t len)
{
	const unsigned char *p;
	unsigned int bits, held;
	char *out, *o;

	p = data;
	out = malloc(len * 2 + 2);
	if (out == NULL)
		cr_assert_fail("out of memory");
	o = out;
	bits = 0;
	held = 0;
	while (len-- > 0) {
		bits = (bits << 8 | *p++) & 0xffff;
		for (held += 8; held >= 6; held -= 6)
			*o++ = alphabet[bits >> (held - 6) & 0x3f];
	}
	if (held > 0)
		*o++ = alphabet[bits << (6 - held) & 0x3f];
	*o = '\0';
	return (out);
}

char *
tok_decode(const char *segment, size_t *len)
{
	const char *at;
	unsigned int bits, held;
	char *out, *o;

	out = malloc(strlen(segment) + 1);
	if (out == NULL)
		cr_assert_fail("out of memory");
	o = out;
	bits = 0;
	held = 0;
	for (; *segment != '\0'; segment++) {
		at = strchr(alphabet, *segment);
		if (at == NULL) {
			free(out);
			return (NULL);
		}
		bits = (bits << 6 | (unsigned int)(at - alphabet)) & 0xffff;
		held += 6;
		if (held >= 8) {
			held -= 8;
			*o++ = (char)(bits >> held & 0xff);
		}
	}
	*o = '\0';
	if (len != NULL)
		*len = (size_t)(o - out);
	return (out);
}

char *
tok_expand(const char *template)
{
	const char *at;
	char *out, *end;
	size_t size;
	FILE *fp;

	fp = open_memstream(&out, &size);
	if (fp == NULL)
		cr_assert_fail("out of memory");
	for (at = template; *at != '\0';) {
		if (*at == '@' && (at[1] == '+' || at[1] == '-')) {
			(void)fprintf(fp, "%lld",
			    (long long)time(NULL) + strtoll(at + 1, &end, 10));
			at = end;
		} else
			(void)fputc(*at++, fp);
	}
	(void)fclose(fp);
	return (out);
}

char *
tok_mac(const char *text, const char *secret, const char *alg)
{
	unsigned char mac[EVP_MAX_MD_SIZE];
	const EVP_MD *md;
	unsigned int len;

	md = EVP_sha256();
	if (strcmp(alg, "HS384") == 0)
		md = EVP_sha384();
	else if (strcmp(alg, "HS512") == 0)
		md = EVP_sha512();
	len = 0;
	if (HMAC(md, secret, (int)strlen(secret), (const unsigned char *)text,
		strlen(text), mac, &len) == NULL)
		cr_assert_fail("no HMAC");
	return (tok_encode(mac, len));
}

static char *
seal(const char *header, const char *payload, const char *secret,
    const char *alg)
{
	char *text, *mac, *token;

	text = text_of("%s.%s", header, payload);
	mac = tok_mac(text, secret, alg);
	token = text_of("%s.%s", text, mac);
	free(text);
	free(mac);
	return (token);
}

char *
tok_seal(const char *header, const char *payload, const char *secret)
{
	return (seal(header, payload, secret, "HS256"));
}

char *
tok_make_alg(const char *header, const char *payload, const char *secret,
    const char *alg)
{
	char *h, *p, *hs, *ps, *token;

	h = tok_expand(header);
	p = tok_expand(payload);
	hs = tok_encode(h, strlen(h));
	ps = tok_encode(p, strlen(p));
	token = seal(hs, ps, secret, alg);
	free(h);
	free(p);
	free(hs);
	free(ps);
	return (token);
}

char *
tok_make(const char *header, const char *payload, const char *secret)
{
	return (tok_make_alg(header, payload, secret, "HS256"));
}

char *
tok_make_bytes(const void *header, size_t hlen, const void *payload,
    size_t plen, const char *secret)
{
	char *h, *p, *token;

	h = tok_encode(header, hlen);
	p = tok_encode(payload, plen);
	token = seal(h, p, secret, "HS256");
	free(h);
	free(p);
	return (token);
}

char *
tok_good(void)
{
	return (tok_make(TOK_HEADER, TOK_CLAIMS, TOK_SECRET));
}

char *
tok_segment(const char *token, int n)
{
	size_t len;

	while (n-- > 0) {
		token += strcspn(token, ".");
		if (*token == '.')
			token++;
	}
	len = strcspn(token, ".");
	return (text_of("%.*s", (int)len, token));
}
