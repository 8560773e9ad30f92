#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "auth/bearer.h"

struct row {
	const char *value;
	enum error_code code;
	const char *token; /* where code is ERR_NONE */
};

/* Look at a copy that ends where its block ends. */
static void
check(const struct bearer_rules *rules, const struct row *row)
{
	size_t len = strlen(row->value), token_len = 99;
	const char *token = "untouched";
	char *copy = malloc(len == 0 ? 1 : len);
	enum error_code code;

	cr_assert_not_null(copy);
	memcpy(copy, row->value, len);
	code = bearer_find(rules, copy, len, &token, &token_len);
	cr_expect_eq(code, row->code, "\"%s\" gives %d", row->value, code);
	if (code == ERR_NONE && row->token != NULL) {
		cr_expect_eq(
		    token_len, strlen(row->token), "\"%s\"", row->value);
		cr_expect(token_len == strlen(row->token) &&
			memcmp(token, row->token, token_len) == 0,
		    "\"%s\"", row->value);
	} else {
		cr_expect_null(token);
		cr_expect_eq(token_len, 0);
	}
	free(copy);
}

static void
check_all(const struct bearer_rules *rules, const struct row *rows, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		check(rules, &rows[i]);
}

#define CHECK_ALL(rules, rows)                                                 \
	check_all((rules), (rows), sizeof(rows) / sizeof((rows)[0]))

static const struct bearer_rules flask = {"Bearer", false};
static const struct bearer_rules rfc = {"Bearer", true};
static const struct bearer_rules bare = {"", false};
static const struct bearer_rules custom = {"JWT", false};

Test(bearer, no_header_is_missing)
{
	const char *token;
	size_t len;

	cr_expect_eq(
	    bearer_find(&flask, NULL, 0, &token, &len), ERR_AUTH_MISSING);
	cr_expect_eq(
	    bearer_find(&flask, NULL, 5, &token, &len), ERR_AUTH_MISSING);
	cr_expect_null(token);
}

Test(bearer, nothing_but_blanks_and_commas_is_missing)
{
	static const struct row rows[] = {
	    {"", ERR_AUTH_MISSING, NULL},
	    {" ", ERR_AUTH_MISSING, NULL},
	    {"\t \t", ERR_AUTH_MISSING, NULL},
	    {",", ERR_AUTH_MISSING, NULL},
	    {" ,, ", ERR_AUTH_MISSING, NULL},
	    {" , , ,", ERR_AUTH_MISSING, NULL},
	    {" , Bearer T , ", ERR_NONE, "T"},
	};

	CHECK_ALL(&flask, rows);
	check_all(&bare, rows, 6);
}

Test(bearer, one_bearer_field_is_found)
{
	static const struct row rows[] = {
	    {"Bearer T", ERR_NONE, "T"},
	    {"Bearer a.b.c", ERR_NONE, "a.b.c"},
	    {"  Bearer \t  T  ", ERR_NONE, "T"},
	    {"Bearer\tT", ERR_NONE, "T"},
	    {"Basic x, Bearer T", ERR_NONE, "T"},
	    {"Basic x,Bearer T", ERR_NONE, "T"},
	    {"Bearer T, Basic x", ERR_NONE, "T"},
	    {"Bearer T,", ERR_NONE, "T"},
	    {",,Bearer T,,", ERR_NONE, "T"},
	    {"Basic, Bearer T, Digest a b c", ERR_NONE, "T"},
	};

	CHECK_ALL(&flask, rows);
	CHECK_ALL(&rfc, rows);
}

Test(bearer, another_scheme_is_no_bearer_token)
{
	static const struct row rows[] = {
	    {"JWT T", ERR_AUTH_SCHEME, NULL},
	    {"T", ERR_AUTH_SCHEME, NULL},
	    {"Basic x", ERR_AUTH_SCHEME, NULL},
	    {"bearer T", ERR_AUTH_SCHEME, NULL},
	    {"BEARER T", ERR_AUTH_SCHEME, NULL},
	    {"BearerT", ERR_AUTH_SCHEME, NULL},
	    {"Bearer: T", ERR_AUTH_SCHEME, NULL},
	    {"Beare T", ERR_AUTH_SCHEME, NULL},
	    {"Bearerx T", ERR_AUTH_SCHEME, NULL},
	    {"T Bearer", ERR_AUTH_SCHEME, NULL},
	    {"\"Bearer\" T", ERR_AUTH_SCHEME, NULL},
	    {"Bearer\xc2\xa0T", ERR_AUTH_SCHEME, NULL},
	};

	CHECK_ALL(&flask, rows);
}

Test(bearer, two_tokens_are_refused_not_chosen_from)
{
	static const struct row rows[] = {
	    {"Bearer T, Bearer T", ERR_AUTH_REPEATED, NULL},
	    {"Bearer T,Bearer U", ERR_AUTH_REPEATED, NULL},
	    {"Bearer, Bearer", ERR_AUTH_REPEATED, NULL},
	    {"Bearer a b, Basic x, Bearer T", ERR_AUTH_REPEATED, NULL},
	};

	CHECK_ALL(&flask, rows);
}

Test(bearer, not_exactly_two_words_is_malformed)
{
	static const struct row rows[] = {
	    {"Bearer", ERR_AUTH_MALFORMED, NULL},
	    {"Bearer ", ERR_AUTH_MALFORMED, NULL},
	    {"Bearer a b", ERR_AUTH_MALFORMED, NULL},
	    {"Bearer a\tb", ERR_AUTH_MALFORMED, NULL},
	    {"Bearer Bearer T", ERR_AUTH_MALFORMED, NULL},
	    {"Basic x, Bearer", ERR_AUTH_MALFORMED, NULL},
	};

	CHECK_ALL(&flask, rows);
}

Test(bearer, empty_field_between_commas_is_malformed)
{
	static const struct row rows[] = {
	    {"Bearer T,,Basic x", ERR_AUTH_MALFORMED, NULL},
	    {"Bearer T, ,Basic x", ERR_AUTH_MALFORMED, NULL},
	    {"Basic x,,Basic y", ERR_AUTH_MALFORMED, NULL},
	    {"Bearer T, ,", ERR_AUTH_MALFORMED, NULL},
	    {", ,Bearer T", ERR_AUTH_MALFORMED, NULL},
	};

	CHECK_ALL(&flask, rows);
}

Test(bearer, rfc_dialect_takes_the_scheme_in_any_case)
{
	static const struct row rows[] = {
	    {"bearer T", ERR_NONE, "T"},
	    {"BEARER T", ERR_NONE, "T"},
	    {"bearer T, Bearer T", ERR_AUTH_REPEATED, NULL},
	    {"bearers T", ERR_AUTH_SCHEME, NULL},
	};

	CHECK_ALL(&rfc, rows);
}

Test(bearer, without_a_type_the_header_is_the_token)
{
	static const struct row rows[] = {
	    {"T", ERR_NONE, "T"},
	    {" a.b.c ", ERR_NONE, "a.b.c"},
	    {"T,", ERR_NONE, "T"},
	    {"T,U", ERR_NONE, "T,U"},
	    {"Bearer T", ERR_AUTH_MALFORMED, NULL},
	};

	CHECK_ALL(&bare, rows);
}

Test(bearer, type_is_the_configured_one)
{
	static const struct row rows[] = {
	    {"JWT T", ERR_NONE, "T"},
	    {"Bearer T", ERR_AUTH_SCHEME, NULL},
	    {"Bearer T, JWT U", ERR_NONE, "U"},
	};

	CHECK_ALL(&custom, rows);
}

Test(bearer, embedded_nul_is_part_of_the_word)
{
	static const char value[] = "Bearer\0 T";
	static const char inside[] = "Bearer a\0b";
	const char *token;
	size_t len;

	cr_expect_eq(
	    bearer_find(&flask, value, sizeof(value) - 1, &token, &len),
	    ERR_AUTH_SCHEME);
	cr_expect_eq(
	    bearer_find(&flask, inside, sizeof(inside) - 1, &token, &len),
	    ERR_NONE);
	cr_expect_eq(len, 3);
}
