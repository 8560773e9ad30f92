/*
 * h1_chunked.c - the body, of announced length or in chunks (RFC 9112,
 * sections 6 and 7.1).
 */
#include "base/h1_internal.h"

static bool chunk_digit(h1_parser *p, unsigned int digit);
static size_t take(h1_parser *p, const uint8_t *s, size_t n);

/* Bytes of content, no more than are due. */
static size_t
take(h1_parser *p, const uint8_t *s, size_t n)
{
	if (n > p->left)
		n = (size_t)p->left;
	if (!h1_put(p, s, n))
		return (0);
	p->left -= n;
	return (n);
}

size_t
h1_step_body(h1_parser *p, const uint8_t *s, size_t n)
{
	p->wants_continue = false;
	n = take(p, s, n);
	if (p->state == H1_BODY && p->left == 0)
		h1_complete(p);
	return (n);
}

int
h1_hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return (c - '0');
	if (c >= 'a' && c <= 'f')
		return (c - 'a' + 10);
	if (c >= 'A' && c <= 'F')
		return (c - 'A' + 10);
	return (-1);
}

/* One more digit of the size: further ones can only make it larger, so that
 * too much is known at once. */
static bool
chunk_digit(h1_parser *p, unsigned int digit)
{
	size_t have = p->len - p->body_at;

	if (++p->chunk_digits > H1_CHUNK_DIGITS_MAX) {
		h1_refuse(p, ERR_BAD_REQUEST, "chunk size");
		return (false);
	}
	p->left = p->left * 16 + digit;
	if (have + p->left > p->limits.body_max) {
		h1_refuse(p, ERR_BODY_TOO_LARGE, "chunks");
		return (false);
	}
	return (true);
}

size_t
h1_step_size(h1_parser *p, const uint8_t *s, size_t n)
{
	int digit = h1_hex_digit(*s);

	(void)n;
	p->wants_continue = false;
	if (digit >= 0)
		return (chunk_digit(p, (unsigned int)digit) ? 1 : 0);
	if (p->chunk_digits == 0)
		return (h1_refuse_byte(p, *s, "chunk size"));
	if (*s == '\r')
		p->at = AT_SIZE_LF;
	else if (*s == ';')
		p->at = AT_EXTENSION;
	else if (*s == ' ' || *s == '\t')
		p->at = AT_SIZE_BLANKS;
	else
		return (h1_refuse_byte(p, *s, "chunk size"));
	return (1);
}

/* Blanks between a size and its extension (RFC 9112, section 7.1.1); without
 * an extension they are an error. */
size_t
h1_step_size_blanks(h1_parser *p, const uint8_t *s, size_t n)
{
	(void)n;
	if (*s == ';')
		p->at = AT_EXTENSION;
	else if (*s != ' ' && *s != '\t')
		return (h1_refuse_byte(p, *s, "chunk size"));
	if (++p->extension_len > H1_CHUNK_EXTENSION_MAX) {
		return (h1_refuse(
		    p, ERR_BAD_REQUEST, "length of chunk extensions"));
	}
	return (1);
}

/* Extensions mean nothing here; they are bounded over the whole body. */
size_t
h1_step_extension(h1_parser *p, const uint8_t *s, size_t n)
{
	size_t room = H1_CHUNK_EXTENSION_MAX - p->extension_len;
	size_t run = h1_run(s, n, H1_TEXT);

	if (run > room)
		run = room;
	p->extension_len += run;
	if (run > 0)
		return (run);
	if (*s == '\r') {
		p->at = AT_SIZE_LF;
		return (1);
	}
	if (room == 0) {
		return (h1_refuse(
		    p, ERR_BAD_REQUEST, "length of chunk extensions"));
	}
	return (h1_refuse_byte(p, *s, "chunk extension"));
}

size_t
h1_step_size_lf(h1_parser *p, const uint8_t *s, size_t n)
{
	(void)n;
	if (*s != '\n')
		return (h1_refuse(p, ERR_BAD_REQUEST, "bare CR"));
	p->chunk_digits = 0;
	p->at = AT_DATA;
	if (p->left == 0) {
		p->trailer = true;
		p->at = AT_FIELD;
	}
	return (1);
}

size_t
h1_step_data(h1_parser *p, const uint8_t *s, size_t n)
{
	n = take(p, s, n);
	if (p->left == 0)
		p->at = AT_DATA_CR;
	return (n);
}

size_t
h1_step_data_cr(h1_parser *p, const uint8_t *s, size_t n)
{
	(void)n;
	if (*s != '\r')
		return (h1_refuse(p, ERR_BAD_REQUEST, "end of a chunk"));
	p->at = AT_DATA_LF;
	return (1);
}

size_t
h1_step_data_lf(h1_parser *p, const uint8_t *s, size_t n)
{
	(void)n;
	if (*s != '\n')
		return (h1_refuse(p, ERR_BAD_REQUEST, "end of a chunk"));
	p->at = AT_SIZE;
	return (1);
}
