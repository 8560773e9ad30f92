/*
 * GET /me: who one is, for the holder of an access token wherever it stands.
 */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "check.h"
#include "http.h"
#include "jar.h"
#include "sess.h"
#include "suite.h"
#include "tok.h"

TestSuite(me, .timeout = 90);

static char *me_of(const char *, const char *);
static void refused_rows(int, bool);

/* What /me says of a token of the service, with these roles; free() it. */
static char *
me_of(const char *token, const char *roles)
{
	json_t *claims = sess_claims(token);
	char *text;

	text = text_of(
	    "{\"sub\": \"%s\", \"roles\": [%s], \"session\": \"%s\", "
	    "\"issued_at\": %lld, \"expires_at\": %lld, \"fresh\": %s}",
	    json_string_value(json_object_get(claims, "sub")), roles,
	    json_string_value(json_object_get(claims, "sid")),
	    (long long)json_integer_value(json_object_get(claims, "iat")),
	    (long long)json_integer_value(json_object_get(claims, "exp")),
	    json_is_true(json_object_get(claims, "fresh")) ? "true" : "false");
	json_decref(claims);
	return (text);
}

Test(me, subject_roles_session_and_times_are_those_of_the_token)
{
	struct server *s = suite_start("flask");
	int port = server_port(s);
	struct raw_response answer;
	struct pair pair, next;
	char *want;

	cr_assert(
	    sess_ctl(s, "laika-in-orbit", "user", "add", "laika", NULL) == 0);
	cr_assert(
	    sess_ctl(s, NULL, "user", "roles", "laika", "ops,dev", NULL) == 0);
	cr_assert(
	    sess_ctl(s, NULL, "user", "rename", "laika", "belka", NULL) == 0);
	pair = pair_login(port, "belka", "laika-in-orbit");
	/* The subject stays when the name changes. */
	want = me_of(pair.access, "\"dev\", \"ops\"");
	cr_expect(strstr(want, "\"laika\"") != NULL, "%s", want);
	(void)http_get_token(port, "/me", pair.access, &answer);
	check_json("login", &answer, 200, want);
	check_header("login", &answer, "cache-control", "no-store");
	raw_response_free(&answer);
	free(want);
	cr_assert(pair_refresh(port, pair.refresh, &next) == 200);
	want = me_of(next.access, "\"dev\", \"ops\"");
	cr_expect(strstr(want, "\"fresh\": false") != NULL, "%s", want);
	(void)http_get_token(port, "/me", next.access, &answer);
	check_json("refreshed", &answer, 200, want);
	raw_response_free(&answer);
	free(want);
	pair_free(&pair);
	pair_free(&next);
	server_stop(s);
}

Test(me, token_without_an_end_has_none)
{
	struct server *s =
	    suite_start_with("flask", "JWT_ACCESS_TOKEN_EXPIRES=never", NULL);
	struct pair pair = pair_demo(server_port(s));
	struct raw_response answer;

	(void)http_get_token(server_port(s), "/me", pair.access, &answer);
	cr_expect(answer.status == 200 &&
		strstr(answer.body, "\"expires_at\":null") != NULL,
	    "%s", answer.body);
	raw_response_free(&answer);
	pair_free(&pair);
	server_stop(s);
}

/* A browser asks with the cookie alone, and a GET needs no proof. */
Test(me, a_cookie_is_as_good_as_a_header)
{
	struct server *s = suite_start("flask");
	struct raw_response answer;
	struct jar jar;
	char *lines, *want;

	jar_login(server_port(s), "/login?cookies=1", &answer, &jar);
	raw_response_free(&answer);
	lines = jar_lines(&jar, NULL);
	want = me_of(jar.access, "");
	(void)sess_ask_with(
	    server_port(s), "GET", "/me", NULL, lines, NULL, &answer);
	check_json("cookie", &answer, 200, want);
	check_header("cookie", &answer, "set-cookie", NULL);
	raw_response_free(&answer);
	free(want);
	free(lines);
	jar_free(&jar);
	server_stop(s);
}

Test(me, head_is_the_same_without_the_body)
{
	struct server *s = suite_start("flask");
	struct pair pair = pair_demo(server_port(s));
	struct raw_response get, head;
	char *text, *length;

	(void)http_get_token(server_port(s), "/me", pair.access, &get);
	text = sess_text("HEAD", "/me", pair.access, NULL, NULL);
	(void)raw_exchange(server_port(s), text, strlen(text), true, &head);
	cr_expect(get.status == 200 && head.status == 200);
	cr_expect(head.body_len == 0);
	length = text_of("%zu", get.body_len);
	check_header("HEAD", &head, "content-length", length);
	check_header("HEAD", &head, "content-type", "application/json");
	check_header("HEAD", &head, "cache-control", "no-store");
	raw_response_free(&get);
	raw_response_free(&head);
	free(text);
	text = sess_text("HEAD", "/me", NULL, NULL, NULL);
	(void)raw_exchange(server_port(s), text, strlen(text), true, &head);
	cr_expect(head.status == 401 && head.body_len == 0);
	cr_expect(raw_header(&head, "www-authenticate") != NULL);
	raw_response_free(&head);
	free(length);
	free(text);
	pair_free(&pair);
	server_stop(s);
}

Test(me, options_needs_no_token_and_other_methods_are_refused)
{
	static const char *const others[] = {"POST", "PUT", "PATCH", "DELETE"};
	struct server *s = suite_start("flask");
	int port = server_port(s);
	struct pair pair = pair_demo(port);
	struct raw_response answer;
	size_t i;

	(void)sess_ask(port, "OPTIONS", "/me", NULL, NULL, &answer);
	cr_expect(answer.status == 200 && answer.body_len == 0);
	check_header("OPTIONS", &answer, "allow", "GET, HEAD, OPTIONS");
	raw_response_free(&answer);
	(void)sess_ask(port, "OPTIONS", "/me", "bad", NULL, &answer);
	cr_expect(answer.status == 200);
	raw_response_free(&answer);
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		(void)sess_ask(
		    port, others[i], "/me", pair.access, NULL, &answer);
		check_member(
		    others[i], &answer, 405, "error", "Method not allowed");
		check_header(others[i], &answer, "allow", "GET, HEAD, OPTIONS");
		raw_response_free(&answer);
	}
	pair_free(&pair);
	server_stop(s);
}

static void
refused_rows(int port, bool rfc)
{
	struct pair pair = pair_demo(port);
	struct raw_response answer;

	(void)http_get(port, "/me", NULL, &answer);
	if (rfc)
		check_problem("none", &answer, 401, "Missing JWT in *", "");
	else
		check_member("none", &answer, 401, "msg", "Missing JWT in *");
	raw_response_free(&answer);
	(void)http_get_token(port, "/me", pair.refresh, &answer);
	if (rfc)
		check_problem(
		    "refresh token", &answer, 401, NULL, "invalid_token");
	else
		check_member("refresh token", &answer, 422, "msg",
		    "Only non-refresh tokens are allowed");
	raw_response_free(&answer);
	cr_expect(http_get_token(port, "/me", pair.access, NULL) == 200);
	cr_expect(sess_ask(port, "DELETE", "/logout", pair.access, NULL,
		      NULL) == 200);
	(void)http_get_token(port, "/me", pair.access, &answer);
	if (rfc)
		check_problem("ended", &answer, 401, "Token has been revoked",
		    "invalid_token");
	else
		check_member(
		    "ended", &answer, 401, "msg", "Token has been revoked");
	raw_response_free(&answer);
	pair_free(&pair);
}

BOTH_STYLES(me, nobody_is_told_without_a_good_token, refused_rows)
