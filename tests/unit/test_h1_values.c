/*
 * Field values of every length and with every byte in every place: blocks of
 * them are looked at at once.
 */
#include "test_h1.h"

static size_t compose(char *, const char *, size_t);
static bool is_allowed(unsigned int);

TestSuite(h1_values, .timeout = 60);

static size_t
compose(char *out, const char *value, size_t len)
{
	static const char begin[] = H1_GET "A: ", end[] = "\r\n\r\n";

	memcpy(out, begin, sizeof(begin) - 1);
	memcpy(out + sizeof(begin) - 1, value, len);
	memcpy(out + sizeof(begin) - 1 + len, end, sizeof(end) - 1);
	return (sizeof(begin) - 1 + len + sizeof(end) - 1);
}

/* RFC 9110, section 5.5: no control byte but the tab. */
static bool
is_allowed(unsigned int byte)
{
	return (byte == '\t' || (byte >= 0x20 && byte != 0x7f));
}

Test(h1_values, a_control_byte_is_refused_wherever_it_stands)
{
	char value[70], text[160];
	const struct h1_field *field;
	size_t len, at, n;
	unsigned int byte;
	h1_parser *p;

	for (len = 3; len < sizeof(value); len += 6) {
		for (at = 1; at + 1 < len; at++) {
			for (byte = 0; byte < 256; byte++) {
				memset(value, 'v', len);
				value[at] = (char)byte;
				n = compose(text, value, len);
				p = h1_new(&h1_usual);
				(void)h1_feed(p, text, n);
				cr_assert_eq(h1_state(p) == H1_DONE,
				    is_allowed(byte), "byte %02x at %zu of %zu",
				    byte, at, len);
				if (is_allowed(byte)) {
					field = h1_find(h1_request(p), "a");
					cr_assert_not_null(field);
					cr_assert_eq(field->value_len, len);
					cr_assert_arr_eq(
					    field->value, value, len);
				}
				h1_free(p);
			}
		}
	}
}
