/*
 * POST /login: validation, then the credentials.
 */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <jansson.h>

#include "check.h"
#include "http.h"
#include "suite.h"
#include "tok.h"

#define U_MISSING      "\"username\": [\"Missing data for required field.\"]"
#define P_MISSING      "\"password\": [\"Missing data for required field.\"]"
#define ERRORS(fields) "{\"error\": {" fields "}}"

/* Two credentials that do. */
#define IN "\"username\": \"cosmo\", \"password\": \"space-corgi\""

TestSuite(login_fields, .timeout = 90);

struct field_row {
	const char *name;
	const char *body;
	const char *json; /* where it is refused by the validation */
};

static void field_rows(int, bool);
static void credential_rows(int, bool);

static const struct field_row invalid[] = {
    {"empty object", "{}", ERRORS(U_MISSING "," P_MISSING)},
    {"no password", "{\"username\": \"cosmo\"}", ERRORS(P_MISSING)},
    {"no username", "{\"password\": \"space-corgi\"}", ERRORS(U_MISSING)},
    {"username null", "{\"username\": null, \"password\": \"x\"}",
	ERRORS("\"username\": [\"Field may not be null.\"]")},
    {"password null", "{\"username\": \"x\", \"password\": null}",
	ERRORS("\"password\": [\"Field may not be null.\"]")},
    {"both null", "{\"username\": null, \"password\": null}",
	ERRORS("\"username\": [\"Field may not be null.\"],"
	       "\"password\": [\"Field may not be null.\"]")},
    {"username true", "{\"username\": true, \"password\": \"x\"}",
	ERRORS("\"username\": [\"Not a valid string.\"]")},
    {"username false", "{\"username\": false, \"password\": \"x\"}",
	ERRORS("\"username\": [\"Not a valid string.\"]")},
    {"username 0", "{\"username\": 0, \"password\": \"x\"}",
	ERRORS("\"username\": [\"Not a valid string.\"]")},
    {"username a float", "{\"username\": -1.5e3, \"password\": \"x\"}",
	ERRORS("\"username\": [\"Not a valid string.\"]")},
    {"username an integer beyond 64 bits",
	"{\"username\": 123456789012345678901234567890, \"password\": \"x\"}",
	ERRORS("\"username\": [\"Not a valid string.\"]")},
    {"username beyond a double", "{\"username\": 1e999, \"password\": \"x\"}",
	ERRORS("\"username\": [\"Not a valid string.\"]")},
    {"username an array", "{\"username\": [\"cosmo\"], \"password\": \"x\"}",
	ERRORS("\"username\": [\"Not a valid string.\"]")},
    {"username an object", "{\"username\": {\"a\": 1}, \"password\": \"x\"}",
	ERRORS("\"username\": [\"Not a valid string.\"]")},
    {"password a number", "{\"username\": \"x\", \"password\": 1}",
	ERRORS("\"password\": [\"Not a valid string.\"]")},
    {"password an empty array", "{\"username\": \"x\", \"password\": []}",
	ERRORS("\"password\": [\"Not a valid string.\"]")},
    {"username empty", "{\"username\": \"\", \"password\": \"x\"}",
	ERRORS("\"username\": [\"Shorter than minimum length 1.\"]")},
    {"password empty", "{\"username\": \"x\", \"password\": \"\"}",
	ERRORS("\"password\": [\"Shorter than minimum length 1.\"]")},
    {"both empty", "{\"username\": \"\", \"password\": \"\"}",
	ERRORS("\"username\": [\"Shorter than minimum length 1.\"],"
	       "\"password\": [\"Shorter than minimum length 1.\"]")},
    {"unknown key beside good credentials", "{" IN ", \"extra\": 1}",
	ERRORS("\"extra\": [\"Unknown field.\"]")},
    {"unknown key with a null value", "{" IN ", \"extra\": null}",
	ERRORS("\"extra\": [\"Unknown field.\"]")},
    {"several unknown keys", "{" IN ", \"b\": 1, \"a\": {}}",
	ERRORS("\"a\": [\"Unknown field.\"], \"b\": [\"Unknown field.\"]")},
    {"another case is another key", "{" IN ", \"Username\": \"cosmo\"}",
	ERRORS("\"Username\": [\"Unknown field.\"]")},
    {"another case alone",
	"{\"USERNAME\": \"cosmo\", \"password\": \"space-corgi\"}",
	ERRORS("\"USERNAME\": [\"Unknown field.\"]," U_MISSING)},
    {"a space makes another key", "{" IN ", \"username \": \"cosmo\"}",
	ERRORS("\"username \": [\"Unknown field.\"]")},
    {"an empty key", "{" IN ", \"\": 1}", ERRORS("\"\": [\"Unknown field.\"]")},
    {"a key beyond ASCII", "{" IN ", \"n\xc3\xa4me \xf0\x9f\x90\xb6\": 1}",
	ERRORS("\"n\xc3\xa4me \xf0\x9f\x90\xb6\": [\"Unknown field.\"]")},
    {"a key written with escapes", "{" IN ", \"\\ud83d\\udc36\": 1}",
	ERRORS("\"\xf0\x9f\x90\xb6\": [\"Unknown field.\"]")},
    {"a known key written with escapes",
	"{\"\\u0075sername\": \"\", \"password\": \"x\"}",
	ERRORS("\"username\": [\"Shorter than minimum length 1.\"]")},
    {"a quote mark and a backslash in a key", "{" IN ", \"a\\\"b\\\\c\": 1}",
	ERRORS("\"a\\\"b\\\\c\": [\"Unknown field.\"]")},
    {"the key _schema", "{" IN ", \"_schema\": 1}",
	ERRORS("\"_schema\": [\"Unknown field.\"]")},
    {"all at once", "{\"username\": 5, \"x\": 1, \"y\": []}",
	ERRORS("\"username\": [\"Not a valid string.\"]," P_MISSING
	       ",\"x\": [\"Unknown field.\"], \"y\": [\"Unknown field.\"]")},
    {"a repeated key: the last one is null", "{" IN ", \"username\": null}",
	ERRORS("\"username\": [\"Field may not be null.\"]")},
    {"array", "[]", ERRORS("\"_schema\": [\"Invalid input type.\"]")},
    {"array of an object", "[{" IN "}]",
	ERRORS("\"_schema\": [\"Invalid input type.\"]")},
    {"string", "\"cosmo\"", ERRORS("\"_schema\": [\"Invalid input type.\"]")},
    {"number", "1", ERRORS("\"_schema\": [\"Invalid input type.\"]")},
    {"true", "true", ERRORS("\"_schema\": [\"Invalid input type.\"]")},
    {"null", "null", ERRORS("\"_schema\": [\"Invalid input type.\"]")},
};

/* Valid, and not the account. */
static const struct field_row wrong[] = {
    {"wrong password", "{\"username\": \"cosmo\", \"password\": \"x\"}", NULL},
    {"unknown user", "{\"username\": \"x\", \"password\": \"space-corgi\"}",
	NULL},
    {"case of the name",
	"{\"username\": \"Cosmo\", \"password\": \"space-corgi\"}", NULL},
    {"case of the password",
	"{\"username\": \"cosmo\", \"password\": \"Space-Corgi\"}", NULL},
    {"blank before the name",
	"{\"username\": \" cosmo\", \"password\": \"space-corgi\"}", NULL},
    {"blank behind the name",
	"{\"username\": \"cosmo \", \"password\": \"space-corgi\"}", NULL},
    {"blank behind the password",
	"{\"username\": \"cosmo\", \"password\": \"space-corgi \"}", NULL},
    {"line feed behind the password",
	"{\"username\": \"cosmo\", \"password\": \"space-corgi\\n\"}", NULL},
    {"NUL behind the name",
	"{\"username\": \"cosmo\\u0000\", \"password\": \"space-corgi\"}",
	NULL},
    {"NUL and more behind the name",
	"{\"username\": \"cosmo\\u0000x\", \"password\": \"space-corgi\"}",
	NULL},
    {"NUL behind the password",
	"{\"username\": \"cosmo\", \"password\": \"space-corgi\\u0000\"}",
	NULL},
    {"NUL and more behind the password",
	"{\"username\": \"cosmo\", \"password\": \"space-corgi\\u0000x\"}",
	NULL},
    {"name of a NUL alone",
	"{\"username\": \"\\u0000\", \"password\": \"space-corgi\"}", NULL},
    {"password cut short",
	"{\"username\": \"cosmo\", \"password\": \"space-corg\"}", NULL},
    {"strings of white space", "{\"username\": \" \", \"password\": \" \"}",
	NULL},
    {"full-width letters",
	"{\"username\": \"\xef\xbd\x83osmo\", \"password\": \"space-corgi\"}",
	NULL},
    {"zero-width joiner",
	"{\"username\": \"cosmo\\u200d\", \"password\": \"space-corgi\"}",
	NULL},
    {"a repeated key: the last one is wrong", "{" IN ", \"username\": \"x\"}",
	NULL},
    {"SQL in the name",
	"{\"username\": \"' OR '1'='1\", \"password\": \"space-corgi\"}", NULL},
    {"a wildcard as the name",
	"{\"username\": \"cosm%\", \"password\": \"space-corgi\"}", NULL},
};

static const struct field_row right[] = {
    {"plain", "{" IN "}", NULL},
    {"white space around", " \t\r\n{" IN "}\r\n\t ", NULL},
    {"escapes",
	("{\"\\u0075sername\": \"c\\u006fsmo\", \"password\": "
	 "\"space\\u002dcorgi\"}"),
	NULL},
    {"the other order",
	("{\"password\": \"space-corgi\", \"username\": \"cosmo\"}"), NULL},
    {"a repeated key: the last one counts",
	("{\"username\": 1, \"password\": \"x\"," IN "}"), NULL},
};

/* In the RFC dialect the same map stands under "errors". */
static void
field_rows(int port, bool rfc)
{
	struct raw_response answer;
	json_t *got, *want;
	size_t i;

	for (i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++) {
		(void)http_login(port, invalid[i].body, &answer);
		if (!rfc) {
			check_json(
			    invalid[i].name, &answer, 400, invalid[i].json);
			raw_response_free(&answer);
			continue;
		}
		check_problem(invalid[i].name, &answer, 400, NULL, NULL);
		got = json_loadb(
		    answer.body, answer.body_len, JSON_ALLOW_NUL, NULL);
		want = json_loads(invalid[i].json, JSON_ALLOW_NUL, NULL);
		cr_expect(json_equal(json_object_get(got, "errors"),
			      json_object_get(want, "error")),
		    "%s: %s", invalid[i].name, answer.body);
		json_decref(got);
		json_decref(want);
		raw_response_free(&answer);
	}
}

/* Every refusal the same bytes, whoever asks for whom. */
static void
credential_rows(int port, bool rfc)
{
	struct raw_response answer;
	char *first;
	size_t i;

	first = NULL;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		(void)http_login(port, wrong[i].body, &answer);
		if (rfc)
			check_problem(wrong[i].name, &answer, 401,
			    "Bad username or password", "");
		else
			check_member(wrong[i].name, &answer, 401, "error",
			    "Bad username or password");
		check_header(
		    wrong[i].name, &answer, "www-authenticate", "Bearer");
		if (first == NULL)
			first = strdup(answer.body);
		cr_expect(strcmp(first, answer.body) == 0,
		    "%s: other bytes: %s", wrong[i].name, answer.body);
		raw_response_free(&answer);
	}
	free(first);
	for (i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		(void)http_login(port, right[i].body, &answer);
		check_house(right[i].name, &answer);
		cr_expect(answer.status == 200, "%s: %d %s", right[i].name,
		    answer.status, answer.body);
		check_header(
		    right[i].name, &answer, "cache-control", "no-store");
		raw_response_free(&answer);
	}
}

BOTH_STYLES(login_fields, validation_names_every_field_at_once, field_rows)
BOTH_STYLES(login_fields, credentials_are_compared_code_point_for_code_point,
    credential_rows)

/* Jansson takes no NUL in a key, so this body is compared as text. */
Test(login_fields, a_nul_in_a_key_is_part_of_it)
{
	struct raw_response answer;
	struct server *s = suite_start("flask");

	cr_expect(http_login(server_port(s),
		      "{" IN ", \"username\\u0000x\": 1}", &answer) == 400);
	cr_expect(strncmp(answer.body, "{\"error\":", 9) == 0 &&
		strstr(answer.body, "\"username\\u0000x\"") != NULL &&
		strstr(answer.body, "\"Unknown field.\"") != NULL,
	    "%s", answer.body);
	raw_response_free(&answer);
	cr_expect(http_login(server_port(s),
		      "{\"username\\u0000\": \"cosmo\", "
		      "\"password\": \"space-corgi\"}",
		      &answer) == 400);
	cr_expect(
	    strstr(answer.body, "Missing data for required field.") != NULL,
	    "%s", answer.body);
	raw_response_free(&answer);
	server_stop(s);
}

/* Neither headers nor forms log anybody in; a bad token does not stop a good
 * login. */
Test(login_fields, only_the_json_body_holds_credentials)
{
	static const char *const with_basic[] = {
	    "Authorization: Basic Y29zbW86c3BhY2UtY29yZ2k=",
	    "Content-Type: application/json", NULL};
	static const char *const with_bad_token[] = {
	    "Authorization: Bearer bad", "Content-Type: application/json",
	    NULL};
	static const char *const as_form[] = {
	    "Content-Type: application/x-www-form-urlencoded", NULL};
	struct http_request request = {.method = "POST", .path = "/login"};
	struct raw_response answer;
	struct server *s = suite_start("flask");
	int port;

	port = server_port(s);
	request.headers = with_basic;
	request.body = "{}";
	request.len = 2;
	(void)http_send(port, &request, &answer);
	check_json(
	    "Basic header", &answer, 400, ERRORS(U_MISSING "," P_MISSING));
	raw_response_free(&answer);

	request.headers = as_form;
	request.body = "username=cosmo&password=space-corgi";
	request.len = strlen(request.body);
	(void)http_send(port, &request, &answer);
	check_member("form", &answer, 415, "error", "Unsupported media type");
	raw_response_free(&answer);

	request.headers = with_bad_token;
	request.body = DEMO_LOGIN;
	request.len = strlen(DEMO_LOGIN);
	(void)http_send(port, &request, &answer);
	cr_expect(answer.status == 200, "bad token beside: %d", answer.status);
	raw_response_free(&answer);
	server_stop(s);
}
