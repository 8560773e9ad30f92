/*
 * The body of POST /login: media type, JSON, schema, in that order.
 */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "auth/credentials.h"

#define GOOD "{\"username\":\"cosmo\",\"password\":\"space-corgi\"}"

static enum error_code
read_body(const char *type, const char *body, char **errors_text)
{
	struct credentials c;
	enum error_code code;
	jdoc *errors;

	jdoc_init();
	code = credentials_read(type, body, strlen(body), &c, &errors);
	cr_assert_eq(errors != NULL, code == ERR_VALIDATION);
	if (errors_text != NULL)
		*errors_text = errors != NULL ? jdoc_text(errors, NULL) : NULL;
	jdoc_free(errors);
	credentials_free(&c);
	return (code);
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
	cr_assert_eq(credentials_read("application/json", body,
			 sizeof(body) - 1, &c, &errors),
	    ERR_NONE);
	cr_expect_eq(c.username.len, 4);
	cr_expect_arr_eq(c.username.data, "a\0b ", 4);
	cr_expect_eq(c.password.len, 3);
	cr_expect_arr_eq(c.password.data, " \xc3\xa9", 3);
	credentials_free(&c);
	cr_expect_null(c.password.data);
}
