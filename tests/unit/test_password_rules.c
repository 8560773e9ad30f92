/*
 * Which passwords may be set: too short or long, not text, the account's own
 * name, and those that are tried first.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "auth/password.h"
#include "auth/password_rules.h"

static enum password_fault check(const char *);

static enum password_fault
check(const char *password)
{
	return (password_check(password, strlen(password), "cosmo", 5));
}

Test(password_rules, characters_are_counted_not_bytes)
{
	char text[4 * PASSWORD_CHARACTERS_MAX + 4];
	size_t i;

	cr_expect_eq(check("grey-do"), PASSWORD_TOO_SHORT);
	cr_expect_eq(check("grey-dog"), PASSWORD_ALLOWED);
	cr_expect_eq(check(""), PASSWORD_TOO_SHORT);
	/* Seven and eight dogs of four bytes each. */
	for (i = 0; i <= PASSWORD_CHARACTERS_MAX; i++)
		memcpy(text + 4 * i, "\xf0\x9f\x90\x95", 4);
	cr_expect_eq(password_check(text, 28, "cosmo", 5), PASSWORD_TOO_SHORT);
	cr_expect_eq(password_check(text, 32, "cosmo", 5), PASSWORD_ALLOWED);
	cr_expect_eq(
	    password_check(text, 4 * PASSWORD_CHARACTERS_MAX, "cosmo", 5),
	    PASSWORD_ALLOWED);
	cr_expect_eq(
	    password_check(text, 4 * PASSWORD_CHARACTERS_MAX + 4, "cosmo", 5),
	    PASSWORD_TOO_LONG);
}

Test(password_rules, the_longest_password_can_be_hashed)
{
	char text[PASSWORD_CHARACTERS_MAX + 1];

	cr_assert_leq(4 * PASSWORD_CHARACTERS_MAX, PASSWORD_MAX);
	memset(text, 'x', sizeof(text));
	cr_expect_eq(password_check(text, 64, "cosmo", 5), PASSWORD_ALLOWED);
	cr_expect_eq(password_check(text, PASSWORD_CHARACTERS_MAX, "cosmo", 5),
	    PASSWORD_ALLOWED);
	cr_expect_eq(
	    password_check(text, PASSWORD_CHARACTERS_MAX + 1, "cosmo", 5),
	    PASSWORD_TOO_LONG);
}

Test(password_rules, only_well_formed_utf8_is_text)
{
	cr_expect_eq(check("gr\xc3\xbc\xc3\x9f"
			   "e-corgi"),
	    PASSWORD_ALLOWED);
	cr_expect_eq(check("gr\xfc\xdf"
			   "e-corgi"),
	    PASSWORD_NOT_UTF8);
	cr_expect_eq(check("\xed\xa0\x80"
			   "grey-corgi"),
	    PASSWORD_NOT_UTF8);
	cr_expect_eq(check("\xff"), PASSWORD_NOT_UTF8);
}

Test(password_rules, a_nul_is_a_character)
{
	cr_expect_eq(
	    password_check("password\0", 9, "cosmo", 5), PASSWORD_ALLOWED);
	cr_expect_eq(
	    password_check("password", 8, "cosmo", 5), PASSWORD_COMMON);
	cr_expect_eq(
	    password_check("a\0b\0c\0d", 7, "cosmo", 5), PASSWORD_TOO_SHORT);
	cr_expect_eq(
	    password_check("a\0b\0c\0d\0", 8, "cosmo", 5), PASSWORD_ALLOWED);
}

Test(password_rules, the_account_s_name_is_no_password)
{
	static const char name[] = "Grey-Corgi@Example.org";
	static const char *const same[] = {"Grey-Corgi@Example.org",
	    "grey-corgi@example.org", "GREY-CORGI@EXAMPLE.ORG"};
	static const char *const others[] = {"Grey-Corgi@Example.or",
	    "Grey-Corgi@Example.org1", "grey-corgi_example.org"};
	size_t i;

	for (i = 0; i < 3; i++) {
		cr_expect_eq(password_check(
				 same[i], strlen(same[i]), name, strlen(name)),
		    PASSWORD_IS_NAME, "%s", same[i]);
		cr_expect_eq(check(same[i]), PASSWORD_ALLOWED, "%s", same[i]);
		cr_expect_eq(password_check(others[i], strlen(others[i]), name,
				 strlen(name)),
		    PASSWORD_ALLOWED, "%s", others[i]);
	}
	cr_expect_eq(
	    password_check("grey-corgi", 10, NULL, 0), PASSWORD_ALLOWED);
}

Test(password_rules, what_is_tried_first_is_refused)
{
	static const char *const common[] = {"password", "password1",
	    "password123", "PASSWORD1", "PassWord", "passw0rd", "P@ssw0rd",
	    "p@$$w0rd", "12345678", "123456789", "1234567890", "87654321",
	    "11111111", "00000000", "99999999", "aaaaaaaa", "12121212",
	    "11223344", "qwertyuiop", "qwerty123", "1q2w3e4r", "1qaz2wsx",
	    "zaq12wsx", "asdfghjkl", "q1w2e3r4", "iloveyou", "iloveyou!",
	    "trustno1", "football", "baseball", "superman", "princess",
	    "sunshine", "letmein1", "welcome1", "admin123", "abc12345",
	    "abcd1234", "starwars", "whatever", "computer", "michelle",
	    "jennifer", "changeme", "passwort", "azertyuiop", "01011990",
	    "19841984", "drowssap", "monkeymonkey", "!@#$%^&*"};
	size_t i;

	for (i = 0; i < sizeof(common) / sizeof(common[0]); i++)
		cr_expect_eq(
		    check(common[i]), PASSWORD_COMMON, "%s", common[i]);
}

Test(password_rules, an_ending_makes_no_other_password_of_a_word)
{
	static const char *const common[] = {"michelle7", "Michelle77",
	    "michelle!", "michelle1984", "Michelle_84", "jordan23", "hunter42",
	    "password!?!?"};
	static const char *const allowed[] = {"michelle73921", "michelle 1984",
	    "michelle-x1", "bob.1999x", "1984-michelle", "space-corgi",
	    "ab83!642", "83!64290"};
	size_t i;

	for (i = 0; i < sizeof(common) / sizeof(common[0]); i++)
		cr_expect_eq(
		    check(common[i]), PASSWORD_COMMON, "%s", common[i]);
	for (i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		cr_expect_eq(
		    check(allowed[i]), PASSWORD_ALLOWED, "%s", allowed[i]);
}

/* Where a search by halves goes wrong first. */
Test(password_rules, both_ends_of_the_list_and_what_lies_beyond)
{
	cr_expect_eq(check("!@#$%^&*()"), PASSWORD_COMMON);
	cr_expect_eq(check("zzzzzzzz"), PASSWORD_COMMON);
	cr_expect_eq(check("zzzzzzzzzzzzzzzz"), PASSWORD_COMMON);
	cr_expect_eq(check("zzzzzzzzzzzzzzzzzzzzzzzzz"), PASSWORD_ALLOWED);
	cr_expect_eq(check("\"\"\"\"\"\"\"\""), PASSWORD_ALLOWED);
	cr_expect_eq(check("~~~~~~~~"), PASSWORD_ALLOWED);
	cr_expect_eq(check("password\npassword1"), PASSWORD_ALLOWED);
}

Test(password_rules, long_passphrases_of_common_words_are_allowed)
{
	cr_expect_eq(check("correct horse battery staple"), PASSWORD_ALLOWED);
	cr_expect_eq(check("password of a corgi in space"), PASSWORD_ALLOWED);
	cr_expect_eq(check("space-corgi"), PASSWORD_ALLOWED);
}

Test(password_rules, each_fault_has_its_own_words)
{
	static const enum password_fault faults[] = {PASSWORD_TOO_SHORT,
	    PASSWORD_TOO_LONG, PASSWORD_NOT_UTF8, PASSWORD_COMMON,
	    PASSWORD_IS_NAME};
	size_t i, j;

	cr_expect_str_eq(password_fault_text(PASSWORD_TOO_SHORT),
	    "Shorter than minimum length 8.");
	cr_expect_str_eq(password_fault_text(PASSWORD_TOO_LONG),
	    "Longer than maximum length 256.");
	for (i = 0; i < 5; i++) {
		for (j = 0; j < i; j++)
			cr_expect_str_neq(password_fault_text(faults[i]),
			    password_fault_text(faults[j]));
	}
}
