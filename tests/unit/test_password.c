/*
 * Password hashing with argon2id: whole passwords, hash texts that ask for
 * too much, and no memory. The cost is the least that libsodium does quickly,
 * except where the configured floor itself is meant.
 */
#include <sys/resource.h>

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "auth/password.h"
#include "base/secret.h"

/* 64 KiB, 1 pass: below what may be configured, and fast. */
static const struct password_cost cheap = {64, 1};

static void prepare(void);
static void hash_of(const void *, size_t, char[PASSWORD_HASH_MAX]);

static void
prepare(void)
{
	cr_assert_eq(secret_init(), 0);
}

TestSuite(password, .init = prepare, .timeout = 30);

static void
hash_of(const void *password, size_t len, char out[PASSWORD_HASH_MAX])
{
	cr_assert_eq(password_hash(&cheap, password, len, out), 0);
}

Test(password, the_right_password_fits_and_its_neighbours_do_not)
{
	static const struct {
		const char *text;
		size_t len;
	} wrong[] = {{"space-corg", 10}, {"space-corgi ", 12},
	    {" space-corgi", 12}, {"Space-corgi", 11}, {"space-corgi\0", 12},
	    {"", 0}};
	char hash[PASSWORD_HASH_MAX];
	size_t i;

	hash_of("space-corgi", 11, hash);
	cr_expect_eq(password_verify(hash, "space-corgi", 11), 1);
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_expect_eq(password_verify(hash, wrong[i].text, wrong[i].len),
		    0, "case %zu", i);
}

Test(password, the_least_cost_that_may_be_configured_works)
{
	const struct password_cost least = {
	    PASSWORD_MEMORY_KIB_MIN, PASSWORD_PASSES_MIN};
	char hash[PASSWORD_HASH_MAX];

	cr_assert_eq(password_hash(&least, "x", 1, hash), 0);
	cr_expect_eq(strncmp(hash, "$argon2id$v=19$m=19456,t=2,p=1$", 31), 0,
	    "%s", hash);
	cr_expect_eq(password_verify(hash, "x", 1), 1);
	cr_expect_eq(password_verify(hash, "y", 1), 0);
}

/* Hashes that are in a database keep their meaning. */
Test(password, a_hash_that_libsodium_made_in_the_past_fits)
{
	static const char made[] =
	    "$argon2id$v=19$m=64,t=1,p=1$j1HalIRYnkTia0Ao4do+zA$PgKzzMVPw"
	    "1aSt9yXzz4tKeAzXBk4RxE74kQx7mjNR/c";

	cr_expect_eq(password_verify(made, "space-corgi", 11), 1);
	cr_expect_eq(password_verify(made, "space-corgj", 11), 0);
}

Test(password, bytes_after_a_nul_count)
{
	char hash[PASSWORD_HASH_MAX];

	hash_of("a\0b", 3, hash);
	cr_expect_eq(password_verify(hash, "a\0b", 3), 1);
	cr_expect_eq(password_verify(hash, "a\0c", 3), 0);
	cr_expect_eq(password_verify(hash, "a", 1), 0);
}

Test(password, the_last_byte_of_the_longest_password_counts)
{
	char hash[PASSWORD_HASH_MAX], text[PASSWORD_MAX + 1];

	memset(text, 'p', sizeof(text));
	cr_expect_eq(password_hash(&cheap, text, sizeof(text), hash), -1);
	hash_of(text, PASSWORD_MAX, hash);
	cr_expect_eq(password_verify(hash, text, PASSWORD_MAX), 1);
	cr_expect_eq(password_verify(hash, text, sizeof(text)), 0);
	text[PASSWORD_MAX - 1] = 'q';
	cr_expect_eq(password_verify(hash, text, PASSWORD_MAX), 0);
}

Test(password, the_last_of_64_and_of_128_characters_counts)
{
	static const size_t lengths[] = {64, 128};
	char hash[PASSWORD_HASH_MAX], text[128];
	size_t i;

	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		memset(text, 'p', sizeof(text));
		hash_of(text, lengths[i], hash);
		cr_expect_eq(password_verify(hash, text, lengths[i]), 1);
		text[lengths[i] - 1] = 'q';
		cr_expect_eq(password_verify(hash, text, lengths[i]), 0);
	}
}

Test(password, two_hashes_of_one_password_differ)
{
	char one[PASSWORD_HASH_MAX], two[PASSWORD_HASH_MAX];

	hash_of("same", 4, one);
	hash_of("same", 4, two);
	cr_expect_str_neq(one, two);
	cr_expect_eq(password_verify(one, "same", 4), 1);
	cr_expect_eq(password_verify(two, "same", 4), 1);
}

/* Were one computed, the test would end for want of memory or time. */
Test(password, a_hash_text_that_asks_for_too_much_is_not_computed)
{
	static const char *const texts[] = {
	    "$argon2id$v=19$m=4294967295,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$"
	    "aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g",
	    "$argon2id$v=19$m=1048577,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$"
	    "aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g",
	    "$argon2id$v=19$m=64,t=4294967295,p=1$c2FsdHNhbHRzYWx0c2FsdA$"
	    "aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g",
	    "$argon2id$v=19$m=64,t=101,p=1$c2FsdHNhbHRzYWx0c2FsdA$"
	    "aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g",
	    "$argon2id$v=19$m=99999999999999999999,t=1,p=1$"
	    "c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNo",
	    "$argon2id$v=19$m=64,t=1,p=255$c2FsdHNhbHRzYWx0c2FsdA$"
	    "aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g",
	};
	char hash[PASSWORD_HASH_MAX];
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		cr_expect_eq(password_verify(texts[i], "x", 1), 0, "%zu", i);
		cr_expect_not(password_hash_usable(texts[i]), "%zu", i);
		cr_expect(password_needs_rehash(&cheap, texts[i]), "%zu", i);
	}
	cr_expect(password_hash_usable(
	    "$argon2id$v=19$m=64,t=100,p=1$c2FsdHNhbHRzYWx0c2FsdA$"
	    "aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g"));
	hash_of("x", 1, hash);
	cr_expect(password_hash_usable(hash));
	cr_expect_eq(password_verify(hash, "x", 1), 1);
}

Test(password, a_text_that_is_no_whole_hash_never_fits)
{
	char hash[PASSWORD_HASH_MAX], other[2 * PASSWORD_HASH_MAX];

	hash_of("x", 1, hash);
	cr_expect_eq(password_verify(hash, "x", 1), 1);

	(void)snprintf(
	    other, sizeof(other), "$argon2i$%s", hash + strlen("$argon2id$"));
	cr_expect_eq(password_verify(other, "x", 1), 0);
	(void)snprintf(other, sizeof(other), "%s%s", hash, hash);
	cr_expect_eq(password_verify(other, "x", 1), 0);
	(void)snprintf(other, sizeof(other), " %s", hash);
	cr_expect_eq(password_verify(other, "x", 1), 0);
	(void)snprintf(other, sizeof(other), "%.*s", 40, hash);
	cr_expect_eq(password_verify(other, "x", 1), 0);
	(void)snprintf(other, sizeof(other), "%sA", hash);
	cr_expect_eq(password_verify(other, "x", 1), 0);
	(void)snprintf(other, sizeof(other), "%s", hash);
	other[strlen(other) - 3] ^= 1;
	cr_expect_eq(password_verify(other, "x", 1), 0);
	cr_expect_eq(password_verify("", "x", 1), 0);
	cr_expect_eq(password_verify("x", "x", 1), 0);
	cr_expect_eq(password_verify("$argon2id$", "x", 1), 0);
	cr_expect_eq(
	    password_verify("$2b$10$abcdefghijklmnopqrstuv", "x", 1), 0);
}

Test(password, only_a_lower_cost_asks_for_another_hash)
{
	static const struct {
		struct password_cost cost;
		bool again;
	} cases[] = {{{64, 1}, false}, {{65, 1}, true}, {{64, 2}, true},
	    {{32, 1}, false}, {{19456, 2}, true}};
	char hash[PASSWORD_HASH_MAX];
	size_t i;

	hash_of("x", 1, hash);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(password_needs_rehash(&cases[i].cost, hash),
		    cases[i].again, "case %zu", i);
	cr_expect(password_needs_rehash(&cheap, "no hash"));
}

Test(password, a_cost_beyond_the_limit_is_refused)
{
	const struct password_cost memory = {PASSWORD_MEMORY_KIB_MAX + 1, 1};
	const struct password_cost passes = {64, PASSWORD_PASSES_MAX + 1};
	const struct password_cost none = {0, 0};
	char hash[PASSWORD_HASH_MAX];

	cr_expect_eq(password_hash(&memory, "x", 1, hash), -1);
	cr_expect_eq(password_hash(&passes, "x", 1, hash), -1);
	cr_expect_eq(password_hash(&none, "x", 1, hash), -1);
	cr_expect_eq(password_hash(&cheap, "x", 1, hash), 0);
}

#ifndef __SANITIZE_ADDRESS__ /* which reserves its own memory without limit */
Test(password, no_memory_is_not_taken_for_a_wrong_password)
{
	const struct password_cost large = {262144, 1};
	struct rlimit limit, before;
	char hash[PASSWORD_HASH_MAX];
	int right;

	cr_assert_eq(password_hash(&large, "x", 1, hash), 0);
	cr_assert_eq(getrlimit(RLIMIT_AS, &before), 0);
	limit = before;
	limit.rlim_cur = 200 * 1024 * 1024;
	cr_assert_eq(setrlimit(RLIMIT_AS, &limit), 0);
	right = password_verify(hash, "x", 1);
	cr_expect_eq(password_hash(&large, "x", 1, hash), -1);
	cr_assert_eq(setrlimit(RLIMIT_AS, &before), 0);
	cr_expect_eq(right, -1);
	cr_assert_eq(password_hash(&large, "x", 1, hash), 0);
	cr_expect_eq(password_verify(hash, "x", 1), 1);
	cr_expect_eq(password_verify(hash, "y", 1), 0);
}
#endif

Test(password, nobody_knows_the_password_of_the_dummy)
{
	char one[PASSWORD_HASH_MAX], two[PASSWORD_HASH_MAX];

	cr_assert_eq(password_dummy(&cheap, one), 0);
	cr_assert_eq(password_dummy(&cheap, two), 0);
	cr_expect_str_neq(one, two);
	cr_expect(password_hash_usable(one));
	cr_expect_not(password_needs_rehash(&cheap, one));
	cr_expect_eq(password_verify(one, "", 0), 0);
}
