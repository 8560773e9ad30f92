/*
 * Bodies with a password in them: media type, JSON, schema, in that order.
 */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "auth/credentials.h"

#define GOOD "{\"username\":\"cosmo\",\"password\":\"space-corgi\"}"

static enum error_code
read_as(const struct credentials_schema *schema, const char *type,
    const char *body, char **errors_text)
{
	struct credentials c;
	enum error_code code;
	jdoc *errors;

	jdoc_init();
	code = credentials_read(schema, type, body, strlen(body), &c, &errors);
	cr_assert_eq(errors != NULL, code == ERR_VALIDATION);
	if (errors_text != NULL)
		*errors_text = errors != NULL ? jdoc_text(errors, NULL) : NULL;
	jdoc_free(errors);
	credentials_free(&c);
	return (code);
}

static enum error_code
read_body(const char *type, const char *body, char **errors_text)
{
	return (read_as(&credentials_login, type, body, errors_text));
}

Test(credentials, media_types_of_json_are_taken_and_no_others)
{
	static const char *const good[] = {"application/json",
	    "APPLICATION/JSON", "application/json; charset=utf-8",
	    "application/json ;x", "application/vnd.api+json",
	    "application/+JSON"};
	static const char *const bad[] = {"", "json", "text/json",
	    "application/jsonx", "application/json+x", "application/",
	    "application/xml", " application/json", "+json"};
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		cr_expect_eq(
		    read_body(good[i], GOOD, NULL), ERR_NONE, "%s", good[i]);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_eq(read_body(bad[i], GOOD, NULL), ERR_MEDIA_TYPE,
		    "%s", bad[i]);
	cr_expect_eq(read_body(NULL, GOOD, NULL), ERR_MEDIA_TYPE);
}

Test(credentials, the_media_type_is_looked_at_before_the_body)
{
	cr_expect_eq(read_body("text/plain", "not json", NULL), ERR_MEDIA_TYPE);
	cr_expect_eq(read_body("application/json", "not json", NULL), ERR_JSON);
	cr_expect_eq(read_body("application/json", "", NULL), ERR_JSON);
}

Test(credentials, all_faults_are_told_at_once)
{
	char *errors;

	cr_expect_eq(
	    read_body("application/json",
		"{\"username\":\"\",\"x\":1,\"Password\":\"y\"}", &errors),
	    ERR_VALIDATION);
	cr_expect_str_eq(errors,
	    "{\"username\":[\"Shorter than minimum length 1.\"],"
	    "\"password\":[\"Missing data for required field.\"],"
	    "\"x\":[\"Unknown field.\"],\"Password\":[\"Unknown field.\"]}");
	free(errors);
	cr_expect_eq(
	    read_body("application/json", "[1]", &errors), ERR_VALIDATION);
	cr_expect_str_eq(errors, "{\"_schema\":[\"Invalid input type.\"]}");
	free(errors);
	cr_expect_eq(read_body("application/json",
			 "{\"username\":null,\"password\":7}", &errors),
	    ERR_VALIDATION);
	cr_expect_str_eq(errors,
	    "{\"username\":[\"Field may not be null.\"],"
	    "\"password\":[\"Not a valid string.\"]}");
	free(errors);
}

Test(credentials, values_are_taken_whole)
{
	static const char body[] =
	    "{\"username\":\"a\\u0000b \",\"password\":\" \\u00e9\"}";
	struct credentials c;
	jdoc *errors;

	jdoc_init();
	cr_assert_eq(credentials_read(&credentials_login, "application/json",
			 body, sizeof(body) - 1, &c, &errors),
	    ERR_NONE);
	cr_expect_eq(c.values[CREDENTIALS_USERNAME].len, 4);
	cr_expect_arr_eq(c.values[CREDENTIALS_USERNAME].data, "a\0b ", 4);
	cr_expect_eq(c.values[CREDENTIALS_PASSWORD].len, 3);
	cr_expect_arr_eq(c.values[CREDENTIALS_PASSWORD].data, " \xc3\xa9", 3);
	credentials_free(&c);
	cr_expect_null(c.values[CREDENTIALS_PASSWORD].data);
}

/* What is missing of it is answered in its own way, not as a fault of the
 * form; anything else about the body is. */
Test(credentials, the_current_password_may_be_absent_and_the_new_one_not)
{
	static const char *const without[] = {"{\"new_password\":\"n\"}",
	    "{\"new_password\":\"n\",\"current_password\":null}",
	    "{\"new_password\":\"n\",\"current_password\":\"\"}"};
	struct credentials c;
	jdoc *errors;
	char *text;
	size_t i;

	jdoc_init();
	for (i = 0; i < sizeof(without) / sizeof(without[0]); i++) {
		cr_expect_eq(
		    credentials_read(&credentials_change, "application/json",
			without[i], strlen(without[i]), &c, &errors),
		    ERR_NONE, "%s", without[i]);
		cr_expect_eq(c.values[CREDENTIALS_CURRENT].len, 0);
		cr_expect_eq(c.values[CREDENTIALS_NEW].len, 1);
		credentials_free(&c);
	}
	cr_expect_eq(read_as(&credentials_change, "application/json",
			 "{\"current_password\":7,\"username\":\"x\"}", &text),
	    ERR_VALIDATION);
	cr_expect_str_eq(text,
	    "{\"current_password\":[\"Not a valid string.\"],"
	    "\"new_password\":[\"Missing data for required field.\"],"
	    "\"username\":[\"Unknown field.\"]}");
	free(text);
	cr_expect_eq(
	    read_as(&credentials_change, "application/json",
		"{\"current_password\":\"c\",\"new_password\":\"\"}", &text),
	    ERR_VALIDATION);
	cr_expect_str_eq(
	    text, "{\"new_password\":[\"Shorter than minimum length 1.\"]}");
	free(text);
}

Test(credentials, both_passwords_are_taken_into_their_places)
{
	static const char body[] =
	    "{\"new_password\":\"new\",\"current_password\":\"old one\"}";
	struct credentials c;
	jdoc *errors;

	jdoc_init();
	cr_assert_eq(credentials_read(&credentials_change, "application/json",
			 body, sizeof(body) - 1, &c, &errors),
	    ERR_NONE);
	cr_expect_str_eq(
	    (const char *)c.values[CREDENTIALS_CURRENT].data, "old one");
	cr_expect_str_eq((const char *)c.values[CREDENTIALS_NEW].data, "new");
	credentials_free(&c);
}

Test(credentials, a_fault_found_later_has_the_same_form)
{
	jdoc *errors;
	char *text;

	errors = credentials_fault("password", "Too common.");
	text = jdoc_text(errors, NULL);
	cr_expect_str_eq(text, "{\"password\":[\"Too common.\"]}");
	free(text);
	jdoc_free(errors);
}
