/*
 * Sealed texts: whoever has the key and the label opens them, whole and
 * unchanged, and nobody else.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/secret.h"

#define SEAL_KEY   "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl"
#define SEAL_LABEL "0a1b2c3d-0000-4000-8000-000000000001"

static void set_up(void);
static void seal(const char *, size_t);
static int unseal(const char *, size_t, const char *, const uint8_t *, size_t);

/* What was sealed last. */
static uint8_t sealed[256];

static void
set_up(void)
{
	cr_assert_eq(secret_init(), 0);
}

TestSuite(secret_seal, .init = set_up);

static void
seal(const char *text, size_t len)
{
	cr_assert_leq(len + SECRET_SEAL_EXTRA, sizeof(sealed));
	secret_seal(SEAL_KEY, strlen(SEAL_KEY), SEAL_LABEL, text, len, sealed);
}

/* In blocks of their exact size; nothing may be written by a refusal. The text
 * has to be "space-corgi" cut to its length. */
static int
unseal(const char *key, size_t key_len, const char *label, const uint8_t *from,
    size_t len)
{
	size_t room = len > SECRET_SEAL_EXTRA ? len - SECRET_SEAL_EXTRA : 0;
	uint8_t *copy = malloc(len > 0 ? len : 1);
	char *text = malloc(room > 0 ? room : 1), zeroes[256] = "";
	int ret;

	cr_assert(copy != NULL && text != NULL);
	memcpy(copy, from, len);
	memset(text, 0, room);
	ret = secret_unseal(key, key_len, label, copy, len, text);
	cr_expect_arr_eq(text, ret == 0 ? "space-corgi" : zeroes, room);
	free(copy);
	free(text);
	return (ret);
}

Test(secret_seal, what_was_sealed_is_opened_by_its_key_and_label)
{
	const size_t key_len = strlen(SEAL_KEY);
	size_t len = 11 + SECRET_SEAL_EXTRA;

	seal("space-corgi", 11);
	cr_expect_null(memmem(sealed, len, "space", 5));
	cr_expect_null(memmem(sealed, len, "corgi", 5));
	cr_expect_eq(unseal(SEAL_KEY, key_len, SEAL_LABEL, sealed, len), 0);
	cr_expect_eq(
	    unseal(SEAL_KEY, key_len - 1, SEAL_LABEL, sealed, len), -1);
	cr_expect_eq(
	    unseal(SEAL_KEY, key_len + 1, SEAL_LABEL, sealed, len), -1);
	cr_expect_eq(unseal("", 0, SEAL_LABEL, sealed, len), -1);
	cr_expect_eq(
	    unseal("f" SEAL_KEY, key_len, SEAL_LABEL, sealed, len), -1);
	cr_expect_eq(unseal(SEAL_KEY, key_len, "", sealed, len), -1);
	cr_expect_eq(
	    unseal(SEAL_KEY, key_len, SEAL_LABEL "1", sealed, len), -1);
	cr_expect_eq(
	    unseal(SEAL_KEY, key_len, &SEAL_LABEL[1], sealed, len), -1);
}

Test(secret_seal, a_sealed_text_with_any_bit_changed_is_not_opened)
{
	const size_t key_len = strlen(SEAL_KEY);
	size_t len = 11 + SECRET_SEAL_EXTRA, i;
	int bit;

	seal("space-corgi", 11);
	for (i = 0; i < len; i++) {
		for (bit = 1; bit < 256; bit *= 2) {
			sealed[i] ^= (uint8_t)bit;
			cr_expect_eq(
			    unseal(SEAL_KEY, key_len, SEAL_LABEL, sealed, len),
			    -1, "byte %zu, bit %d", i, bit);
			sealed[i] ^= (uint8_t)bit;
		}
	}
	for (i = 0; i < len; i++)
		cr_expect_eq(unseal(SEAL_KEY, key_len, SEAL_LABEL, sealed, i),
		    -1, "cut to %zu", i);
	sealed[len] = 0;
	cr_expect_eq(
	    unseal(SEAL_KEY, key_len, SEAL_LABEL, sealed, len + 1), -1);
	cr_expect_eq(
	    unseal(SEAL_KEY, key_len, SEAL_LABEL, sealed + 1, len - 1), -1);
	cr_expect_eq(unseal(SEAL_KEY, key_len, SEAL_LABEL, sealed, len), 0);
}

Test(secret_seal, an_empty_text_can_be_sealed)
{
	const size_t key_len = strlen(SEAL_KEY);

	seal("", 0);
	cr_expect_eq(
	    unseal(SEAL_KEY, key_len, SEAL_LABEL, sealed, SECRET_SEAL_EXTRA),
	    0);
	cr_expect_eq(
	    unseal(SEAL_KEY, key_len, "", sealed, SECRET_SEAL_EXTRA), -1);
	cr_expect_eq(unseal(SEAL_KEY, key_len, SEAL_LABEL, sealed, 0), -1);
}

/* The same text under the same key: nobody sees that it is the same. */
Test(secret_seal, no_two_seals_are_alike)
{
	uint8_t first[11 + SECRET_SEAL_EXTRA];
	size_t i, same = 0;

	seal("space-corgi", 11);
	memcpy(first, sealed, sizeof(first));
	seal("space-corgi", 11);
	for (i = 0; i < sizeof(first); i++)
		same += first[i] == sealed[i];
	cr_expect_lt(same, 10, "%zu bytes", same);
	cr_expect_eq(unseal(SEAL_KEY, strlen(SEAL_KEY), SEAL_LABEL, first,
			 sizeof(first)),
	    0);
	cr_expect_eq(unseal(SEAL_KEY, strlen(SEAL_KEY), SEAL_LABEL, sealed,
			 sizeof(first)),
	    0);
}
