/*
 * What people do with their own account: change its password, make one.
 */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "check.h"
#include "http.h"
#include "sess.h"
#include "suite.h"
#include "tok.h"

#define NEW_PASSWORD "a-quiet-orbit"

/* 128 characters that differ in the last one. */
#define LONG_PART                                                              \
	"0123456789 abcdefghijklmnopqrst "                                     \
	"0123456789 abcdefghijklmnopqrst "                                     \
	"0123456789 abcdefghijklmnopqrst "                                     \
	"0123456789 abcdefghijklmnopqrst"

TestSuite(accounts, .timeout = 120);

static char *change_json(const char *, const char *);
static int change(int, const char *, const char *, const char *);
static void
expect_fault(const char *, const struct raw_response *, bool, const char *);
static void expect_refusal(
    const char *, const struct raw_response *, bool, int, const char *);

/* The body of POST /password; both as they stand in JSON. */
static char *
change_json(const char *current, const char *password)
{
	return (
	    text_of("{\"current_password\": \"%s\", \"new_password\": \"%s\"}",
		current, password));
}

static int
change(int port, const char *token, const char *current, const char *password)
{
	char *body;
	int status;

	body = change_json(current, password);
	status = sess_ask(port, "POST", "/password", token, body, NULL);
	free(body);
	return (status);
}

/* 422 with one text about one field, in either dialect. */
static void
expect_fault(const char *row, const struct raw_response *answer, bool rfc,
    const char *field)
{
	const json_t *list;
	json_t *body;

	check_house(row, answer);
	if (rfc)
		check_problem(row, answer, 422, "Password not allowed", NULL);
	body = json_loadb(answer->body, answer->body_len, 0, NULL);
	list = json_object_get(
	    json_object_get(body, rfc ? "errors" : "error"), field);
	cr_expect(answer->status == 422 && json_array_size(list) == 1 &&
		json_string_length(json_array_get(list, 0)) > 0,
	    "%s: %d %s", row, answer->status, answer->body);
	json_decref(body);
}

/* One text, in either dialect. */
static void
expect_refusal(const char *row, const struct raw_response *answer, bool rfc,
    int status, const char *text)
{
	if (rfc)
		check_problem(row, answer, status, text, NULL);
	else
		check_member(row, answer, status, "error", text);
}

/* Row 18: the sessions of others who know the old password have ended, and
 * this one's former tokens with them. */
Test(accounts, password_change_ends_all_former_sessions)
{
	struct server *s = suite_start("flask");
	int port = server_port(s);
	struct pair pair = pair_demo(port), thief = pair_demo(port), next;
	struct raw_response answer;
	char *body;

	body = change_json(DEMO_PASSWORD, NEW_PASSWORD);
	(void)sess_ask(port, "POST", "/password", pair.access, body, &answer);
	check_tokens("change", &answer);
	check_header("change", &answer, "cache-control", "no-store");
	cr_assert(pair_take(&answer, &next));
	raw_response_free(&answer);
	cr_expect(
	    http_get_token(port, "/protected", thief.access, NULL) == 401);
	cr_expect(pair_refresh(port, thief.refresh, NULL) == 401);
	cr_expect(http_get_token(port, "/protected", pair.access, NULL) == 401);
	cr_expect(pair_refresh(port, pair.refresh, NULL) == 401);
	cr_expect(http_get_token(port, "/protected", next.access, NULL) == 200);
	cr_expect(pair_refresh(port, next.refresh, NULL) == 200);
	cr_expect(sess_login(port, DEMO_USER, DEMO_PASSWORD) == 401);
	cr_expect(sess_login(port, DEMO_USER, NEW_PASSWORD) == 200);
	free(body);
	pair_free(&pair);
	pair_free(&thief);
	pair_free(&next);
	server_stop(s);
}

/* Row 26. A stolen token alone does not take over an account. */
static void
current_rows(int port, bool rfc)
{
	static const char *const bodies[] = {
	    "{\"new_password\": \"" NEW_PASSWORD "\"}",
	    "{\"new_password\": \"" NEW_PASSWORD
	    "\", \"current_password\": null}",
	    "{\"new_password\": \"" NEW_PASSWORD
	    "\", \"current_password\": \"\"}",
	    "{\"new_password\": \"" NEW_PASSWORD
	    "\", \"current_password\": \"wrong\"}",
	    "{\"new_password\": \"" NEW_PASSWORD
	    "\", \"current_password\": \"" NEW_PASSWORD "\"}",
	};
	struct pair pair = pair_demo(port);
	struct raw_response answer;
	size_t i;

	for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		(void)sess_ask(
		    port, "POST", "/password", pair.access, bodies[i], &answer);
		expect_refusal(bodies[i], &answer, rfc, 403,
		    "The current password is needed");
		raw_response_free(&answer);
	}
	cr_expect(sess_login(port, DEMO_USER, NEW_PASSWORD) == 401);
	cr_expect(http_get_token(port, "/protected", pair.access, NULL) == 200);
	cr_expect(
	    change(port, pair.access, DEMO_PASSWORD, NEW_PASSWORD) == 200);
	pair_free(&pair);
}

BOTH_STYLES(accounts, password_change_needs_the_current_password, current_rows)

Test(accounts, password_change_needs_a_token_from_a_login)
{
	struct server *s = suite_start("flask");
	int port = server_port(s);
	struct pair pair = pair_demo(port), stale;
	struct raw_response answer;
	char *body;

	body = change_json(DEMO_PASSWORD, NEW_PASSWORD);
	cr_assert(pair_refresh(port, pair.refresh, &stale) == 200);
	(void)sess_ask(port, "POST", "/password", stale.access, body, &answer);
	check_member("stale", &answer, 401, "msg", "Fresh token required");
	raw_response_free(&answer);
	(void)sess_ask(port, "POST", "/password", NULL, body, &answer);
	cr_expect(answer.status == 401);
	check_house("no token", &answer);
	raw_response_free(&answer);
	cr_expect(
	    change(port, pair.access, DEMO_PASSWORD, NEW_PASSWORD) == 200);
	free(body);
	pair_free(&pair);
	pair_free(&stale);
	server_stop(s);
}

/* Rows 24 and 25, when a password is changed. */
static void
rule_rows(int port, bool rfc)
{
	static const char *const refused[] = {"short-7", "password1",
	    "PASSWORD1", "12345678", "qwertyuiop", "\\u00e9\\u00e9\\u00e9"};
	struct pair pair = pair_demo(port);
	struct raw_response answer;
	char *body, *text;
	size_t i;

	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		body = change_json(DEMO_PASSWORD, refused[i]);
		(void)sess_ask(
		    port, "POST", "/password", pair.access, body, &answer);
		expect_fault(refused[i], &answer, rfc, "new_password");
		raw_response_free(&answer);
		free(body);
	}
	text = text_repeat("x y", 100);
	body = change_json(DEMO_PASSWORD, text);
	(void)sess_ask(port, "POST", "/password", pair.access, body, &answer);
	expect_fault("300 characters", &answer, rfc, "new_password");
	raw_response_free(&answer);
	free(body);
	free(text);
	cr_expect(sess_login(port, DEMO_USER, DEMO_PASSWORD) == 200);
	cr_expect(
	    change(port, pair.access, DEMO_PASSWORD, LONG_PART "x") == 200);
	cr_expect(sess_login(port, DEMO_USER, LONG_PART "x") == 200);
	cr_expect(sess_login(port, DEMO_USER, LONG_PART "y") == 401);
	pair_free(&pair);
}

BOTH_STYLES(accounts, new_password_has_to_keep_the_rules, rule_rows)

/* The form is judged as that of a login. */
Test(accounts, other_faults_of_the_form_are_told_as_at_a_login)
{
	static const struct {
		const char *body;
		const char *json;
	} rows[] = {
	    {"{}",
		"{\"error\": {\"new_password\": "
		"[\"Missing data for required field.\"]}}"},
	    {"[]", "{\"error\": {\"_schema\": [\"Invalid input type.\"]}}"},
	    {"{\"current_password\": 1, \"new_password\": null}",
		"{\"error\": {\"current_password\": [\"Not a valid string.\"], "
		"\"new_password\": [\"Field may not be null.\"]}}"},
	    {"{\"current_password\": \"x\", \"new_password\": \"y\", "
	     "\"username\": \"z\"}",
		"{\"error\": {\"username\": [\"Unknown field.\"]}}"},
	    {"{", "{\"error\": \"Malformed JSON\"}"},
	};
	struct server *s = suite_start("flask");
	int port = server_port(s);
	struct pair pair = pair_demo(port);
	struct raw_response answer;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)sess_ask(port, "POST", "/password", pair.access,
		    rows[i].body, &answer);
		check_json(rows[i].body, &answer, 400, rows[i].json);
		raw_response_free(&answer);
	}
	(void)sess_ask_with(port, "POST", "/password", pair.access,
	    "Content-Type: text/plain\r\n", NULL, &answer);
	check_member("text", &answer, 415, "error", "Unsupported media type");
	raw_response_free(&answer);
	pair_free(&pair);
	server_stop(s);
}

/* Where it has not been allowed there is nothing, whatever is sent. */
Test(accounts, registration_is_off_by_default)
{
	static const char *const bodies[] = {
	    "{\"username\": \"laika\", \"password\": \"" NEW_PASSWORD "\"}",
	    "{}", "{"};
	struct server *s = suite_start("flask");
	struct raw_response answer;
	size_t i;

	for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		(void)sess_ask(server_port(s), "POST", "/register", NULL,
		    bodies[i], &answer);
		check_member(bodies[i], &answer, 404, "error", "Not found");
		raw_response_free(&answer);
	}
	cr_expect(sess_login(server_port(s), "laika", NEW_PASSWORD) == 401);
	server_stop(s);
}

static void
registration(bool rfc)
{
	struct server *s = suite_start_with(
	    rfc ? "rfc6750" : "flask", "CORGI_REGISTRATION=yes", NULL);
	int port = server_port(s);
	struct raw_response answer;
	struct pair pair;
	char *body, *name;

	body = sess_login_json("laika", NEW_PASSWORD);
	(void)sess_ask(port, "POST", "/register", NULL, body, &answer);
	check_json("register", &answer, 201, "{\"message\": \"Registered\"}");
	raw_response_free(&answer);
	pair = pair_login(port, "laika", NEW_PASSWORD);
	(void)http_get_token(port, "/me", pair.access, &answer);
	cr_expect(strstr(answer.body, "\"roles\":[]") != NULL);
	raw_response_free(&answer);
	pair_free(&pair);

	(void)sess_ask(port, "POST", "/register", NULL, body, &answer);
	expect_refusal("again", &answer, rfc, 409, "Username is taken");
	raw_response_free(&answer);
	free(body);
	body = sess_login_json("laika", "another-password");
	(void)sess_ask(port, "POST", "/register", NULL, body, &answer);
	expect_refusal("another's", &answer, rfc, 409, "Username is taken");
	raw_response_free(&answer);
	cr_expect(sess_login(port, "laika", "another-password") == 401);
	free(body);

	body = sess_login_json("belka", "password1");
	(void)sess_ask(port, "POST", "/register", NULL, body, &answer);
	expect_fault("common", &answer, rfc, "password");
	raw_response_free(&answer);
	free(body);
	body = sess_login_json("belka-and-strelka", "belka-and-strelka");
	(void)sess_ask(port, "POST", "/register", NULL, body, &answer);
	expect_fault("the name itself", &answer, rfc, "password");
	raw_response_free(&answer);
	free(body);

	name = text_repeat("n", 256);
	body = sess_login_json(name, NEW_PASSWORD);
	(void)sess_ask(port, "POST", "/register", NULL, body, &answer);
	cr_expect(answer.status == 400 &&
		strstr(answer.body,
		    "{\"username\":[\"Longer than maximum length 255.\"]}"),
	    "%d %s", answer.status, answer.body);
	raw_response_free(&answer);
	free(body);
	free(name);
	(void)sess_ask(port, "POST", "/register", NULL, "{}", &answer);
	cr_expect(answer.status == 400);
	raw_response_free(&answer);
	server_stop(s);
}

Test(accounts, registration_makes_an_account_once_flask)
{
	registration(false);
}

Test(accounts, registration_makes_an_account_once_rfc6750)
{
	registration(true);
}

/* Row 24: nothing is cut off, at either end or at a NUL. */
Test(accounts, passwords_of_any_text_are_kept_whole)
{
	static const struct {
		const char *password;
		const char *other;
	} rows[] = {
	    {LONG_PART "x", LONG_PART "y"},
	    {"before\\u0000after", "before\\u0000other"},
	    {"  eight    ", "eight"},
	    {"gar\\u00e7on-\\ud83d\\udc36-et-chien",
		"garc\\u0327on-\\ud83d\\udc36-et-chien"},
	};
	struct server *s =
	    suite_start_with("flask", "CORGI_REGISTRATION=yes", NULL);
	int port = server_port(s), status;
	char *body, *name;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		name = text_of("dog-%zu", i);
		body = sess_login_json(name, rows[i].password);
		status = sess_ask(port, "POST", "/register", NULL, body, NULL);
		cr_expect(status == 201, "%s: %d", rows[i].password, status);
		cr_expect(sess_login(port, name, rows[i].password) == 200);
		cr_expect(sess_login(port, name, rows[i].other) == 401);
		free(body);
		free(name);
	}
	server_stop(s);
}

/* Of a flood for one name one gets it. */
Test(accounts, one_of_many_registrations_at_once_gets_the_name)
{
	struct server *s =
	    suite_start_with("flask", "CORGI_REGISTRATION=yes", NULL);
	struct raw *clients[8];
	struct raw_response answer;
	char *text, *body;
	int good = 0, taken = 0;
	size_t i;

	body = sess_login_json("laika", NEW_PASSWORD);
	text = sess_text("POST", "/register", NULL, NULL, body);
	for (i = 0; i < 8; i++) {
		clients[i] = raw_connect(server_port(s));
		raw_set_wait(clients[i], 30000);
		cr_expect(raw_send_text(clients[i], text));
	}
	for (i = 0; i < 8; i++) {
		cr_expect(raw_read(clients[i], false, &answer) == RAW_OK);
		good += answer.status == 201;
		taken += answer.status == 409;
		raw_response_free(&answer);
		raw_close(clients[i]);
	}
	cr_expect(good == 1 && taken == 7, "%d made, %d taken", good, taken);
	free(text);
	free(body);
	server_stop(s);
}
