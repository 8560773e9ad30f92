#include "auth/base64url.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* The six bits of a character, or -1 for one outside the alphabet. */
static int
sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (c - 'A');
	if (c >= 'a' && c <= 'z')
		return (c - 'a' + 26);
	if (c >= '0' && c <= '9')
		return (c - '0' + 52);
	if (c == '-')
		return (62);
	if (c == '_')
		return (63);
	return (-1);
}

/*
 * Bits are collected from the left and leave eight at a time. What remains at
 * the end is 0, 2 or 4 bits that belong to no byte; were they free, several
 * texts would stand for one token.
 */
int
base64url_decode(const char *text, size_t len, uint8_t *out, size_t *out_len)
{
	uint32_t bits = 0;
	unsigned int held = 0;
	size_t i, n = 0;
	int value;

	*out_len = 0;
	if (len % 4 == 1)
		return (-1);
	for (i = 0; i < len; i++) {
		value = sextet(text[i]);
		if (value < 0)
			return (-1);
		bits = (bits << 6) | (uint32_t)value;
		held += 6;
		if (held >= 8) {
			held -= 8;
			out[n++] = (uint8_t)(bits >> held);
			bits &= (1U << held) - 1;
		}
	}
	if (bits != 0)
		return (-1);
	*out_len = n;
	return (0);
}

size_t
base64url_encode(const void *data, size_t len, char *out)
{
	const uint8_t *in = data;
	uint32_t bits = 0;
	unsigned int held = 0;
	size_t i, n = 0;

	for (i = 0; i < len; i++) {
		bits = (bits << 8) | in[i];
		held += 8;
		while (held >= 6) {
			held -= 6;
			out[n++] = alphabet[(bits >> held) & 0x3f];
		}
		bits &= (1U << held) - 1;
	}
	if (held > 0)
		out[n++] = alphabet[(bits << (6 - held)) & 0x3f];
	out[n] = '\0';
	return (n);
}
