#include <string.h>

#include "auth/base64url.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* The six bits of each character, and one added, so that 0 is left for those
 * outside the alphabet. */
/* clang-format off */
static const uint8_t sextets[256] = {
    ['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6,
    ['G'] = 7, ['H'] = 8, ['I'] = 9, ['J'] = 10, ['K'] = 11, ['L'] = 12,
    ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18,
    ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30,
    ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36,
    ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42,
    ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54,
    ['2'] = 55, ['3'] = 56, ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60,
    ['8'] = 61, ['9'] = 62, ['-'] = 63, ['_'] = 64,
};
/* clang-format on */

/* The bits of four characters in a row; all set when one is foreign. */
static uint32_t
quartet(const char *text)
{
	const uint8_t *s = (const uint8_t *)text;
	uint32_t a = sextets[s[0]], b = sextets[s[1]], c = sextets[s[2]],
		 d = sextets[s[3]];

	if (a == 0 || b == 0 || c == 0 || d == 0)
		return (UINT32_MAX);
	return ((a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1));
}

/*
 * Four characters are three bytes; of two or three at the end, 4 or 2 bits
 * belong to no byte; were they free, several texts would stand for one token.
 */
int
base64url_decode(const char *text, size_t len, uint8_t *out, size_t *out_len)
{
	char last[4] = {'A', 'A', 'A', 'A'};
	size_t rest = len % 4, n = 0;
	const char *end = text + len - rest;
	uint32_t bits;

	*out_len = 0;
	if (rest == 1)
		return (-1);
	for (; text < end; text += 4) {
		bits = quartet(text);
		if (bits == UINT32_MAX)
			return (-1);
		out[n++] = (uint8_t)(bits >> 16);
		out[n++] = (uint8_t)(bits >> 8);
		out[n++] = (uint8_t)bits;
	}
	if (rest > 0) {
		memcpy(last, text, rest);
		bits = quartet(last);
		if (bits == UINT32_MAX ||
		    (bits & (rest == 2 ? 0xffff : 0xff)) != 0)
			return (-1);
		out[n++] = (uint8_t)(bits >> 16);
		if (rest == 3)
			out[n++] = (uint8_t)(bits >> 8);
	}
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
