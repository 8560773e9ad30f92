/*
 * The guard in the RFC dialect: the same decisions with the statuses of RFC
 * 6750 and the bodies of RFC 9457.
 */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <jansson.h>

#include "check.h"
#include "guard_rows.h"
#include "http.h"
#include "suite.h"
#include "tok.h"

TestSuite(rfc6750, .timeout = 90);

static void
expect_members(int, const char *, const char *, const char *, const char *);

Test(rfc6750, authorization_header_forms)
{
	struct server *s = suite_start("rfc6750");

	guard_header_rows(server_port(s), true);
	server_stop(s);
}

Test(rfc6750, every_fault_of_a_token_is_invalid_token)
{
	struct server *s = suite_start("rfc6750");

	guard_token_rows(server_port(s), true);
	server_stop(s);
}

Test(rfc6750, of_two_faults_the_earlier_one_is_told)
{
	struct server *s = suite_start("rfc6750");

	guard_order_rows(server_port(s), true);
	server_stop(s);
}

Test(rfc6750, stricter_on_purpose)
{
	struct server *s = suite_start("rfc6750");

	guard_strict_rows(server_port(s), true);
	server_stop(s);
}

/* The members of a problem, and nothing else but what RFC 9457 allows. */
static void
expect_members(int port, const char *row, const char *path,
    const char *authorization, const char *title)
{
	struct raw_response answer;
	json_t *body;

	(void)http_get(port, path, authorization, &answer);
	body = json_loadb(answer.body, answer.body_len, 0, NULL);
	cr_expect(json_object_size(body) == 5, "%s: %s", row, answer.body);
	cr_expect_str_eq(json_string_value(json_object_get(body, "title")),
	    title, "%s: %s", row, answer.body);
	cr_expect_str_eq(json_string_value(json_object_get(body, "instance")),
	    path, "%s: %s", row, answer.body);
	json_decref(body);
	raw_response_free(&answer);
}

Test(rfc6750, problems_name_type_title_status_detail_and_instance)
{
	struct raw_response first, second;
	struct server *s = suite_start("rfc6750");
	json_t *a, *b;
	int port;

	port = server_port(s);
	expect_members(port, "no token", "/protected", NULL, "Unauthorized");
	expect_members(
	    port, "bad token", "/secure-data", "Bearer x", "Unauthorized");
	expect_members(
	    port, "malformed", "/protected", "Bearer", "Bad Request");
	expect_members(port, "no such path", "/nowhere", NULL, "Not Found");

	/* One type per problem, another for another problem. */
	(void)http_get(port, "/protected", NULL, &first);
	(void)http_get(port, "/protected", "Bearer x", &second);
	a = json_loadb(first.body, first.body_len, 0, NULL);
	b = json_loadb(second.body, second.body_len, 0, NULL);
	cr_expect(!json_equal(
	    json_object_get(a, "type"), json_object_get(b, "type")));
	json_decref(a);
	json_decref(b);
	raw_response_free(&first);
	raw_response_free(&second);
	server_stop(s);
}

/* The description is a quoted-string: what a token holds cannot end it. */
Test(rfc6750, a_challenge_cannot_be_broken_out_of)
{
	static const char *const names[] = {"x\\\" realm=\\\"y", "x\\\\",
	    "x\\r\\nX-Injected: 1", "x\\u0000y", "\xc3\xa9"};
	struct raw_response answer;
	struct server *s = suite_start("rfc6750");
	const char *value, *p;
	char *header, *token;
	size_t i, quotes;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		header =
		    text_of("{\"alg\":\"HS256\",\"crit\":[\"%s\"]}", names[i]);
		token = tok_make(header, "{}", TOK_SECRET);
		(void)http_get_token(
		    server_port(s), "/protected", token, &answer);
		check_problem(names[i], &answer, 401, NULL, "invalid_token");
		cr_expect(raw_header(&answer, "x-injected") == NULL);
		value = raw_header(&answer, "www-authenticate");
		quotes = 0;
		for (p = value; p != NULL && *p != '\0'; p++) {
			quotes += *p == '"';
			cr_expect(*p >= ' ' && *p <= '~' && *p != '\\',
			    "%s: %s", names[i], value);
		}
		cr_expect(quotes == 4, "%s: %s", names[i], value);
		raw_response_free(&answer);
		free(header);
		free(token);
	}
	server_stop(s);
}

Test(rfc6750, a_good_login_and_a_good_token_are_the_same_in_both_dialects)
{
	struct raw_response answer;
	struct server *s = suite_start("rfc6750");
	char *token;

	token = http_token(server_port(s));
	(void)http_get_token(server_port(s), "/protected", token, &answer);
	check_json("/protected", &answer, 200, PROTECTED_JSON);
	raw_response_free(&answer);
	(void)http_get_token(server_port(s), "/secure-data", token, &answer);
	check_json("/secure-data", &answer, 200, SECURE_DATA_JSON);
	raw_response_free(&answer);
	free(token);
	server_stop(s);
}
