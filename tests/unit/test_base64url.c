#include <string.h>

#include <criterion/criterion.h>

#include "auth/base64url.h"

/* RFC 4648, section 10, without the padding. */
static const struct {
	const char *data;
	const char *text;
} vectors[] = {
    {"", ""},
    {"f", "Zg"},
    {"fo", "Zm8"},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg"},
    {"fooba", "Zm9vYmE"},
    {"foobar", "Zm9vYmFy"},
    {"\xfb\xff\xfe", "-__-"},
};

static int
decode(const char *text, size_t len)
{
	uint8_t out[64];
	size_t n;

	return (base64url_decode(text, len, out, &n));
}

Test(base64url, vectors_go_both_ways)
{
	uint8_t data[16];
	char text[16];
	size_t i, n;

	for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		n = base64url_encode(
		    vectors[i].data, strlen(vectors[i].data), text);
		cr_expect_str_eq(text, vectors[i].text);
		cr_expect_eq(n, strlen(vectors[i].text));
		cr_expect_eq(base64url_decode(text, n, data, &n), 0);
		cr_expect_eq(n, strlen(vectors[i].data));
		cr_expect_arr_eq(data, vectors[i].data, n);
	}
}

Test(base64url, every_length_round_trips_and_fits_its_bounds)
{
	uint8_t data[300], back[300];
	char text[BASE64URL_TEXT_LEN(300) + 1];
	size_t len, n, i;

	for (i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 167 + 13);
	for (len = 0; len <= sizeof(data); len++) {
		memset(text, 'x', sizeof(text));
		n = base64url_encode(data, len, text);
		cr_assert_eq(n, BASE64URL_TEXT_LEN(len));
		cr_assert_eq(text[n], '\0');
		cr_assert_eq(BASE64URL_DATA_LEN(n), len);
		cr_assert_eq(base64url_decode(text, n, back, &n), 0);
		cr_assert_eq(n, len);
		cr_assert_eq(memcmp(data, back, len), 0);
	}
}

Test(base64url, padding_is_refused)
{
	cr_expect_eq(decode("Zg", 2), 0);
	cr_expect_eq(decode("Zg==", 4), -1);
	cr_expect_eq(decode("Zm8=", 4), -1);
	cr_expect_eq(decode("Zm9v====", 8), -1);
	cr_expect_eq(decode("=", 1), -1);
}

Test(base64url, length_of_one_modulo_four_is_refused)
{
	cr_expect_eq(decode("Zm9vY", 5), -1);
	cr_expect_eq(decode("A", 1), -1);
	cr_expect_eq(decode("Zm9vYQ", 6), 0);
}

Test(base64url, only_one_text_stands_for_one_run_of_bytes)
{
	cr_expect_eq(decode("Zg", 2), 0);
	cr_expect_eq(decode("Zh", 2), -1);
	cr_expect_eq(decode("Zv", 2), -1);
	cr_expect_eq(decode("Zm8", 3), 0);
	cr_expect_eq(decode("Zm9", 3), -1);
	cr_expect_eq(decode("Zm-", 3), -1);
}

Test(base64url, every_foreign_byte_is_refused)
{
	const char *ours = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvw"
			   "xyz0123456789-_";
	char text[4] = {'A', 'A', 'A', 'A'};
	int c, want;

	for (c = 0; c < 256; c++) {
		text[2] = (char)c;
		want = c != 0 && strchr(ours, c) != NULL ? 0 : -1;
		cr_expect_eq(decode(text, 4), want, "byte %d", c);
	}
}
