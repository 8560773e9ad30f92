/*
 * utf8.c - well-formed UTF-8 (RFC 3629, section 4).
 */
#include "base/jdoc.h"

static size_t sequence(const uint8_t *, size_t);

bool
utf8_valid(const void *text, size_t len)
{
	const uint8_t *p = text;
	size_t n;

	while (len > 0) {
		if ((n = sequence(p, len)) == 0)
			return (false);
		p += n;
		len -= n;
	}

	return (true);
}

size_t
utf8_decode(const void *text, size_t len, uint32_t *out)
{
	static const uint8_t lead_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	const uint8_t *p = text;
	size_t i, n;

	n = len > 0 ? sequence(p, len) : 0;
	if (n == 0)
		return (0);
	*out = p[0] & lead_bits[n];
	for (i = 1; i < n; i++)
		*out = *out << 6 | (p[i] & 0x3f);
	return (n);
}

/*
 * The length of the character at p, or 0 when it is not well-formed. All that
 * RFC 3629 rules out beyond the lead byte (overlong forms, surrogates, more
 * than U+10FFFF) shows in the range of the second byte.
 */
static size_t
sequence(const uint8_t *p, size_t len)
{
	uint8_t low = 0x80, high = 0xbf;
	size_t i, n;

	if (p[0] < 0x80)
		return (1);
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return (0);
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;

	if (len < n || p[1] < low || p[1] > high)
		return (0);
	for (i = 2; i < n; i++) {
		if (p[i] < 0x80 || p[i] > 0xbf)
			return (0);
	}

	return (n);
}
