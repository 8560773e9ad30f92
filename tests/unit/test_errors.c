/*
 * The table of refusals: every code has a row, and the words are those of the
 * application that is replaced.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "base/errors.h"

static const char *text_of(enum error_code, const char *, const char *);

static char text[512];

static const char *
text_of(enum error_code code, const char *detail, const char *type)
{
	struct fault f;

	cr_assert_eq(fault_set(&f, code, detail), code);
	fault_text(&f, "Authorization", type, text, sizeof(text));

	return (text);
}

Test(errors, every_code_has_a_row_of_its_own)
{
	const struct error_info *row;
	int i, j;

	for (i = ERR_NONE + 1; i < ERR__MAX; i++) {
		row = error_lookup(i);
		cr_assert_not_null(row->name, "code %d", i);
		cr_assert_not_null(row->text, "code %d", i);
		cr_assert(row->status >= 400 && row->status < 600, "%d", i);
		cr_assert(row->rfc_status >= 400 && row->rfc_status < 600);
		cr_assert_str_neq(error_reason(row->status), "Unknown");
		cr_assert_str_neq(error_reason(row->rfc_status), "Unknown");
		for (j = ERR_NONE + 1; j < i; j++)
			cr_assert_str_neq(row->name, error_lookup(j)->name);
	}
}

Test(errors, every_401_carries_a_challenge)
{
	const struct error_info *row;
	int i;

	for (i = ERR_NONE + 1; i < ERR__MAX; i++) {
		row = error_lookup(i);
		cr_assert(
		    row->status != 401 || row->challenge != CHALLENGE_NONE);
		cr_assert(row->rfc_status != 401 ||
		    row->rfc_challenge != CHALLENGE_NONE);
		if (row->challenge == CHALLENGE_ERROR ||
		    row->rfc_challenge == CHALLENGE_ERROR)
			cr_assert_not_null(row->rfc_error, "%s", row->name);
	}
}

Test(errors, missing_credentials_name_no_error_code)
{
	cr_assert_null(error_lookup(ERR_AUTH_MISSING)->rfc_error);
	cr_assert_null(error_lookup(ERR_AUTH_SCHEME)->rfc_error);
	cr_assert_null(error_lookup(ERR_CREDENTIALS)->rfc_error);
	cr_assert_str_eq(
	    error_lookup(ERR_TOKEN_SIGNATURE)->rfc_error, "invalid_token");
	cr_assert_str_eq(
	    error_lookup(ERR_AUTH_REPEATED)->rfc_error, "invalid_request");
}

Test(errors, a_token_fault_is_422_in_flask_and_401_in_the_rfc_dialect)
{
	const struct error_info *row;
	int i;

	for (i = ERR_TOKEN_SEGMENTS; i <= ERR_TOKEN_ISSUER; i++) {
		row = error_lookup(i);
		cr_assert_eq(row->status, i == ERR_TOKEN_EXPIRED ? 401 : 422);
		cr_assert_eq(row->rfc_status, 401);
		cr_assert_eq(row->rfc_challenge, CHALLENGE_ERROR);
		cr_assert_eq(row->body, BODY_MSG);
	}
	cr_assert_eq(
	    error_lookup(ERR_TOKEN_EXPIRED)->challenge, CHALLENGE_ERROR);
}

Test(errors, what_a_guard_asks_for_has_its_status_in_both_dialects)
{
	static const struct {
		enum error_code code;
		int status;
		int rfc_status;
		const char *rfc_error; /* NULL: none */
	} rows[] = {
	    {ERR_COOKIE_MISSING, 401, 401, NULL},
	    {ERR_QUERY_MISSING, 401, 401, NULL},
	    {ERR_JSON_TYPE, 401, 401, NULL},
	    {ERR_JSON_MISSING, 401, 401, NULL},
	    {ERR_LOCATIONS_MISSING, 401, 401, NULL},
	    {ERR_LOCATIONS_SEVERAL, 400, 400, "invalid_request"},
	    {ERR_CSRF_MISSING, 401, 403, NULL},
	    {ERR_CSRF_MISMATCH, 401, 403, NULL},
	    {ERR_TOKEN_ACCESS, 422, 401, "invalid_token"},
	    {ERR_TOKEN_REVOKED, 401, 401, "invalid_token"},
	    {ERR_TOKEN_STALE, 401, 401, "insufficient_user_authentication"},
	    {ERR_ROLE, 403, 403, "insufficient_scope"},
	};
	const struct error_info *row;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		row = error_lookup(rows[i].code);
		cr_expect_eq(row->status, rows[i].status, "%s", row->name);
		cr_expect_eq(
		    row->rfc_status, rows[i].rfc_status, "%s", row->name);
		cr_expect_eq(row->body, BODY_MSG, "%s", row->name);
		if (rows[i].rfc_error != NULL) {
			cr_assert_not_null(row->rfc_error, "%s", row->name);
			cr_expect_str_eq(row->rfc_error, rows[i].rfc_error);
			cr_expect_eq(row->rfc_challenge, CHALLENGE_ERROR);
		} else {
			cr_expect_null(row->rfc_error, "%s", row->name);
			cr_expect_neq(row->rfc_challenge, CHALLENGE_ERROR);
		}
	}
}

Test(errors, accounts_and_throttling_have_the_same_status_in_both_dialects)
{
	static const struct {
		enum error_code code;
		int status;
	} rows[] = {
	    {ERR_THROTTLED, 429},
	    {ERR_CURRENT_PASSWORD, 403},
	    {ERR_PASSWORD_RULES, 422},
	    {ERR_USERNAME_TAKEN, 409},
	    {ERR_REVOCATIONS_FULL, 503},
	};
	const struct error_info *row;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		row = error_lookup(rows[i].code);
		cr_expect_eq(row->status, rows[i].status, "%s", row->name);
		cr_expect_eq(row->rfc_status, rows[i].status, "%s", row->name);
		cr_expect_eq(row->challenge, CHALLENGE_NONE, "%s", row->name);
	}
}

Test(errors, a_code_out_of_range_is_an_internal_error)
{
	const struct error_info *internal = error_lookup(ERR_INTERNAL);

	cr_assert_eq(internal->status, 500);
	cr_assert_eq(error_lookup(ERR_NONE), internal);
	cr_assert_eq(error_lookup(ERR__MAX), internal);
	cr_assert_eq(error_lookup((enum error_code) - 1), internal);
	cr_assert_neq(error_lookup(ERR_BUSY), internal);
}

Test(errors, the_words_are_those_of_flask_jwt_extended)
{
	static const struct {
		enum error_code code;
		const char *detail;
		const char *words;
	} rows[] = {
	    {ERR_AUTH_MISSING, NULL, "Missing Authorization Header"},
	    {ERR_AUTH_SCHEME, NULL,
		"Missing 'Bearer' type in 'Authorization' header. Expected "
		"'Authorization: Bearer <JWT>'"},
	    {ERR_AUTH_REPEATED, NULL,
		"Missing 'Bearer' type in 'Authorization' header. Expected "
		"'Authorization: Bearer <JWT>'"},
	    {ERR_AUTH_MALFORMED, NULL,
		"Bad Authorization header. Expected 'Authorization: Bearer "
		"<JWT>'"},
	    {ERR_TOKEN_HEADER_STRING, "Extra data",
		"Invalid header string: Extra data"},
	    {ERR_TOKEN_CRIT_UNKNOWN, "b64",
		"Unsupported critical extension: b64"},
	    {ERR_TOKEN_CLAIM_MISSING, "sub", "Missing claim: sub"},
	    {ERR_TOKEN_IAT_TYPE, NULL,
		"Issued At claim (iat) must be an integer."},
	    {ERR_TOKEN_EXPIRED, NULL, "Token has expired"},
	    {ERR_TOKEN_REFRESH, NULL, "Only non-refresh tokens are allowed"},
	    {ERR_TOKEN_ACCESS, NULL, "Only refresh tokens are allowed"},
	    {ERR_TOKEN_REVOKED, NULL, "Token has been revoked"},
	    {ERR_TOKEN_STALE, NULL, "Fresh token required"},
	    {ERR_COOKIE_MISSING, "access_token_cookie",
		"Missing cookie \"access_token_cookie\""},
	    {ERR_QUERY_MISSING, "jwt", "Missing 'jwt' query paramater"},
	    {ERR_JSON_TYPE, NULL,
		"Invalid content-type. Must be application/json."},
	    {ERR_JSON_MISSING, "access_token",
		"Missing \"access_token\" key in json data."},
	    {ERR_LOCATIONS_MISSING, "Missing JWT in headers or json (a; b)",
		"Missing JWT in headers or json (a; b)"},
	    {ERR_CSRF_MISSING, NULL, "Missing CSRF token"},
	    {ERR_CSRF_MISMATCH, NULL, "CSRF double submit tokens do not match"},
	    {ERR_ROLE, "a,b", "Role required: a,b"},
	    {ERR_CREDENTIALS, NULL, "Bad username or password"},
	    {ERR_NOT_FOUND, NULL, "Not found"},
	    {ERR_METHOD, NULL, "Method not allowed"},
	    {ERR_JSON, NULL, "Malformed JSON"},
	    {ERR_MEDIA_TYPE, NULL, "Unsupported media type"},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_assert_str_eq(
		    text_of(rows[i].code, rows[i].detail, "Bearer"),
		    rows[i].words);
}

Test(errors, an_empty_header_type_leaves_no_double_blank)
{
	cr_assert_str_eq(text_of(ERR_AUTH_MALFORMED, NULL, ""),
	    "Bad Authorization header. Expected 'Authorization: <JWT>'");
}

Test(errors, a_detail_is_taken_as_words_and_not_as_a_placeholder)
{
	cr_assert_str_eq(text_of(ERR_TOKEN_CRIT_UNKNOWN, "{header}", "Bearer"),
	    "Unsupported critical extension: {header}");
}

Test(errors, a_detail_cannot_carry_control_characters)
{
	struct fault f;

	fault_set(&f, ERR_JSON, "a\r\nb\x7f\xc3\xa4 ~");
	cr_assert_str_eq(f.detail, "a??b?\xc3\xa4 ~");
	fault_set(&f, ERR_JSON, "no UTF-8: \xc3 \xff");
	cr_assert_str_eq(f.detail, "no UTF-8: ? ?");
	cr_assert_eq(fault_set(NULL, ERR_JSON, "x"), ERR_JSON);
}

Test(errors, a_long_detail_is_cut)
{
	char detail[2 * FAULT_DETAIL_MAX];
	struct fault f;

	memset(detail, 'x', sizeof(detail));
	detail[sizeof(detail) - 1] = '\0';
	fault_set(&f, ERR_JSON, detail);
	cr_assert_eq(strlen(f.detail), FAULT_DETAIL_MAX - 1);

	/* Never in the middle of a character. */
	memcpy(detail + FAULT_DETAIL_MAX - 2, "\xc3\xa4", 2);
	fault_set(&f, ERR_JSON, detail);
	cr_assert_eq(strlen(f.detail), FAULT_DETAIL_MAX - 2);
}

Test(errors, a_text_is_cut_to_what_fits)
{
	char out[17];
	struct fault f;
	size_t len, size;

	fault_set(&f, ERR_TOKEN_CLAIM_MISSING, "sub");
	for (size = 1; size < sizeof(out); size++) {
		memset(out, '#', sizeof(out));
		len = fault_text(&f, "A", "B", out, size);
		cr_assert_eq(len, size - 1);
		cr_assert_eq(strlen(out), len);
		cr_assert_eq(strncmp(out, "Missing claim: sub", len), 0);
		cr_assert_eq(out[size], '#');
	}
	out[0] = '#';
	cr_assert_eq(fault_text(&f, "A", "B", out, 0), 0);
	cr_assert_eq(out[0], '#');
}

Test(errors, reasons_are_those_of_rfc_9110)
{
	cr_assert_str_eq(error_reason(200), "OK");
	cr_assert_str_eq(error_reason(422), "Unprocessable Content");
	cr_assert_str_eq(error_reason(799), "Unknown");
}
