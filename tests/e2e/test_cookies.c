/*
 * Tokens in cookies: set by a login that asks for them, renewed, cleared, and
 * found again in requests (row 38).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "check.h"
#include "http.h"
#include "jar.h"
#include "sess.h"
#include "suite.h"
#include "tok.h"

TestSuite(cookies, .timeout = 90);

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define NO_ME                                                                  \
	"Missing JWT in headers or cookies (Missing Authorization Header; "    \
	"Missing cookie \"access_token_cookie\")"

#define HIDDEN   "; Path=/; Secure; HttpOnly; SameSite=Lax"
#define READABLE "; Path=/; Secure; SameSite=Lax"

static void login_rows(const char *);
static void clears_rows(const char *, const char *);
static int me_with(int, const char *, const char *);

/* Row 38, first half, and row 33: the tokens are in the cookies alone. */
static void
login_rows(const char *style)
{
	struct server *s = suite_start(style);
	struct raw_response answer;
	struct jar jar;
	char *csrf;

	jar_login(server_port(s), "/login?cookies=1", &answer, &jar);
	check_json("login", &answer, 200, "{\"message\": \"Logged in\"}");
	check_header("login", &answer, "cache-control", "no-store");
	cr_expect(raw_header_count(&answer, "set-cookie") == 4);
	jar_expect(&answer, "access_token_cookie", jar.access, HIDDEN);
	jar_expect(&answer, "refresh_token_cookie", jar.refresh, HIDDEN);
	jar_expect(&answer, "csrf_access_token", jar.access_csrf, READABLE);
	jar_expect(&answer, "csrf_refresh_token", jar.refresh_csrf, READABLE);
	csrf = sess_claim(jar.access, "csrf");
	cr_expect_str_eq(csrf, jar.access_csrf);
	free(csrf);
	csrf = sess_claim(jar.refresh, "csrf");
	cr_expect_str_eq(csrf, jar.refresh_csrf);
	cr_expect_str_neq(jar.access_csrf, jar.refresh_csrf);
	free(csrf);
	raw_response_free(&answer);
	jar_free(&jar);
	server_stop(s);
}

Test(cookies, login_sets_four_cookies_with_all_attributes_flask)
{
	login_rows("flask");
}

Test(cookies, login_sets_four_cookies_with_all_attributes_rfc6750)
{
	login_rows("rfc6750");
}

Test(cookies, only_a_login_that_asks_for_them_gets_cookies)
{
	static const struct {
		const char *path;
		bool cookies;
	} rows[] = {
	    {"/login", false},
	    {"/login?", false},
	    {"/login?cookies", false},
	    {"/login?cookies=", false},
	    {"/login?cookies=0", false},
	    {"/login?cookies=11", false},
	    {"/login?Cookies=1", false},
	    {"/login?xcookies=1", false},
	    {"/login?a=cookies=1", false},
	    {"/login?cookies=1", true},
	    {"/login?a=b&cookies=1", true},
	    {"/login?cookies=1&a=b", true},
	};
	struct server *s = suite_start("flask");
	struct raw_response answer;
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		(void)sess_ask(server_port(s), "POST", rows[i].path, NULL,
		    DEMO_LOGIN, &answer);
		if (rows[i].cookies)
			check_json(rows[i].path, &answer, 200,
			    "{\"message\": \"Logged in\"}");
		else
			check_tokens(rows[i].path, &answer);
		cr_expect(raw_header_count(&answer, "set-cookie") ==
			(rows[i].cookies ? 4 : 0),
		    "%s", rows[i].path);
		raw_response_free(&answer);
	}
	/* A login that is refused sets none. */
	(void)sess_ask(server_port(s), "POST", "/login?cookies=1", NULL,
	    "{\"username\": \"cosmo\", \"password\": \"wrong\"}", &answer);
	check_member(
	    "wrong", &answer, 401, "error", "Bad username or password");
	check_header("wrong", &answer, "set-cookie", NULL);
	raw_response_free(&answer);
	server_stop(s);
}

Test(cookies, every_login_gets_them_where_that_is_configured)
{
	struct server *s =
	    suite_start_with("flask", "CORGI_LOGIN_COOKIES=yes", NULL);
	struct raw_response answer;
	struct jar jar;

	jar_login(server_port(s), "/login", &answer, &jar);
	check_json("login", &answer, 200, "{\"message\": \"Logged in\"}");
	raw_response_free(&answer);
	cr_expect(
	    me_with(server_port(s), "access_token_cookie", jar.access) == 200);
	jar_free(&jar);
	server_stop(s);
}

Test(cookies, names_paths_and_attributes_can_be_set)
{
	struct server *s = suite_start_with("flask",
	    "JWT_ACCESS_COOKIE_NAME=bone", "JWT_REFRESH_COOKIE_NAME=ball",
	    "JWT_ACCESS_CSRF_COOKIE_NAME=bone-proof",
	    "JWT_REFRESH_COOKIE_PATH=/refresh",
	    "JWT_REFRESH_CSRF_COOKIE_PATH=/app",
	    "JWT_COOKIE_DOMAIN=dogs.example", "JWT_COOKIE_SAMESITE=Strict",
	    "JWT_COOKIE_SECURE=no", NULL);
	struct raw_response answer;

	(void)sess_ask(server_port(s), "POST", "/login?cookies=1", NULL,
	    DEMO_LOGIN, &answer);
	cr_expect(raw_header_count(&answer, "set-cookie") == 4);
	jar_expect(&answer, "bone", NULL,
	    "; Path=/; Domain=dogs.example; HttpOnly; SameSite=Strict");
	jar_expect(&answer, "ball", NULL,
	    "; Path=/refresh; Domain=dogs.example; HttpOnly; "
	    "SameSite=Strict");
	jar_expect(&answer, "bone-proof", NULL,
	    "; Path=/; Domain=dogs.example; SameSite=Strict");
	jar_expect(&answer, "csrf_refresh_token", NULL,
	    "; Path=/app; Domain=dogs.example; SameSite=Strict");
	raw_response_free(&answer);
	server_stop(s);
}

Test(cookies, same_site_none_is_for_secure_cookies)
{
	static const char *const refused[] = {"JWT_SECRET_KEY=" TOK_SECRET,
	    "JWT_COOKIE_SAMESITE=None", "JWT_COOKIE_SECURE=no", NULL};
	struct server_options options = {.environment = refused};
	struct server *s;
	struct raw_response answer;

	server_expect_refusal(
	    "insecure", &options, "JWT_COOKIE_SAMESITE=None", NULL);
	s = suite_start_with("flask", "JWT_COOKIE_SAMESITE=None", NULL);
	(void)sess_ask(server_port(s), "POST", "/login?cookies=1", NULL,
	    DEMO_LOGIN, &answer);
	jar_expect(&answer, "access_token_cookie", NULL,
	    "; Path=/; Secure; HttpOnly; SameSite=None");
	raw_response_free(&answer);
	server_stop(s);
}

/* A browser takes such a cookie from this host alone, and over TLS. */
Test(cookies, host_prefix_is_part_of_the_names)
{
	static const char *const refused[] = {"JWT_SECRET_KEY=" TOK_SECRET,
	    "CORGI_COOKIE_HOST_PREFIX=yes", "JWT_COOKIE_DOMAIN=dogs.example",
	    NULL};
	struct server_options options = {.environment = refused};
	struct server *s =
	    suite_start_with("flask", "CORGI_COOKIE_HOST_PREFIX=yes", NULL);
	struct raw_response answer;
	int port = server_port(s);
	char *access, *csrf, *lines;

	(void)sess_ask(
	    port, "POST", "/login?cookies=1", NULL, DEMO_LOGIN, &answer);
	cr_expect(raw_header_count(&answer, "set-cookie") == 4);
	jar_expect(&answer, "__Host-access_token_cookie", NULL, HIDDEN);
	jar_expect(&answer, "__Host-refresh_token_cookie", NULL, HIDDEN);
	jar_expect(&answer, "__Host-csrf_access_token", NULL, READABLE);
	jar_expect(&answer, "__Host-csrf_refresh_token", NULL, READABLE);
	access = jar_value(&answer, "__Host-access_token_cookie");
	csrf = jar_value(&answer, "__Host-csrf_access_token");
	raw_response_free(&answer);

	cr_expect(me_with(port, "__Host-access_token_cookie", access) == 200);
	/* What a neighbour under the same domain could have set. */
	cr_expect(me_with(port, "access_token_cookie", access) == 401);
	cr_expect(me_with(port, "__host-access_token_cookie", access) == 401);
	cr_expect(me_with(port, "__Secure-access_token_cookie", access) == 401);
	lines = text_of("Cookie: __Host-access_token_cookie=%s\r\n"
			"X-CSRF-TOKEN: %s\r\n",
	    access, csrf);
	(void)sess_ask_with(
	    port, "DELETE", "/logout", NULL, lines, NULL, &answer);
	check_json("logout", &answer, 200, "{\"message\": \"Logged out\"}");
	jar_expect_gone(
	    &answer, "__Host-access_token_cookie", "; Path=/", true);
	raw_response_free(&answer);
	free(lines);
	free(access);
	free(csrf);
	server_stop(s);
	server_expect_refusal(
	    "with a domain", &options, "CORGI_COOKIE_HOST_PREFIX", NULL);
}

/* By default the browser's end is the cookies' end; otherwise that of their
 * tokens, also after a refresh. */
Test(cookies, max_age_is_the_life_of_the_token)
{
	struct server *s = suite_start_with("flask", "JWT_SESSION_COOKIE=no",
	    "JWT_ACCESS_TOKEN_EXPIRES=10m", "JWT_REFRESH_TOKEN_EXPIRES=7d",
	    NULL);
	struct raw_response answer;
	struct jar jar;
	char *lines;
	int i;

	jar_login(server_port(s), "/login?cookies=1", &answer, &jar);
	for (i = 0; i < 2; i++) {
		jar_expect(&answer, "access_token_cookie", NULL,
		    "; Path=/; Max-Age=600; Secure; HttpOnly; SameSite=Lax");
		jar_expect(&answer, "refresh_token_cookie", NULL,
		    "; Path=/; Max-Age=604800; Secure; HttpOnly; "
		    "SameSite=Lax");
		jar_expect(&answer, "csrf_access_token", NULL,
		    "; Path=/; Max-Age=600; Secure; SameSite=Lax");
		jar_expect(&answer, "csrf_refresh_token", NULL,
		    "; Path=/; Max-Age=604800; Secure; SameSite=Lax");
		raw_response_free(&answer);
		lines = jar_lines(&jar, jar.refresh_csrf);
		(void)sess_ask_with(server_port(s), "POST", "/refresh", NULL,
		    lines, NULL, &answer);
		cr_expect(answer.status == 200, "%s", answer.body);
		free(lines);
	}
	raw_response_free(&answer);
	jar_free(&jar);
	server_stop(s);
	s = suite_start_with("flask", "JWT_SESSION_COOKIE=no",
	    "JWT_ACCESS_TOKEN_EXPIRES=never", NULL);
	(void)sess_ask(server_port(s), "POST", "/login?cookies=1", NULL,
	    DEMO_LOGIN, &answer);
	jar_expect(&answer, "access_token_cookie", NULL,
	    "; Path=/; Max-Age=31536000; Secure; HttpOnly; SameSite=Lax");
	raw_response_free(&answer);
	server_stop(s);
}

/* GET /me with one cookie; its status. */
static int
me_with(int port, const char *name, const char *value)
{
	char *line;
	int status;

	line = text_of("Cookie: %s=%s\r\n", name, value);
	status = sess_ask_with(port, "GET", "/me", NULL, line, NULL, NULL);
	free(line);
	return (status);
}

/* Kore's own look-up, for one, takes a longer name that begins the same. */
Test(cookies, a_cookie_is_found_by_its_exact_name)
{
	static const struct {
		const char *line; /* $ stands for the token */
		int status;
	} rows[] = {
	    {"Cookie: access_token_cookie=$\r\n", 200},
	    {"cookie: access_token_cookie=$\r\n", 200},
	    {"Cookie: a=1; access_token_cookie=$; b=2\r\n", 200},
	    {"Cookie: a=1;access_token_cookie=$;b=2\r\n", 200},
	    {"Cookie: ; ;access_token_cookie=$ ;\r\n", 200},
	    {"Cookie: alone; access_token_cookie=$\r\n", 200},
	    {"Cookie: access_token_cookie=\"$\"\r\n", 200},
	    {"Cookie: a=1\r\nCookie: access_token_cookie=$\r\n", 200},
	    {"Cookie: a=1\r\nHost2: x\r\nCookie: b=2; "
	     "access_token_cookie=$\r\n",
		200},
	    {"Cookie: access_token_cookie=$; access_token_cookie=bad\r\n", 200},
	    {"Cookie: access_token_cookie=$\r\n"
	     "Cookie: access_token_cookie=bad\r\n",
		200},
	    {"Cookie: access_token_cookie=bad; access_token_cookie=$\r\n", 422},
	    {"Cookie: access_token_cookie=\"$\r\n", 422},
	    {"Cookie: access_token_cookie=$, a=1\r\n", 422},
	    {"Cookie: access_token_cookie2=$\r\n", 401},
	    {"Cookie: access_token_cookie_=bad; access_token_cookie=$\r\n",
		200},
	    {"Cookie: xaccess_token_cookie=$\r\n", 401},
	    {"Cookie: access_token_cooki=$\r\n", 401},
	    {"Cookie: Access_Token_Cookie=$\r\n", 401},
	    {"Cookie: access_token_cookie\r\n", 401},
	    {"Cookie: access_token_cookie=\r\n", 401},
	    {"Cookie: access_token_cookie=\"\"\r\n", 401},
	    {"Cookie: a=access_token_cookie=$\r\n", 401},
	    {"Cookie: a=\"; access_token_cookie=$\"\r\n", 422},
	    {"Cookie: __Host-access_token_cookie=$\r\n", 401},
	    {"Cookie2: access_token_cookie=$\r\n", 401},
	    {"Set-Cookie: access_token_cookie=$\r\n", 401},
	};
	struct server *s = suite_start("flask");
	char *token = tok_good(), *text, *at;
	struct raw_response answer;
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		at = strchr(rows[i].line, '$');
		text = at == NULL
		    ? text_of("%s", rows[i].line)
		    : text_of("%.*s%s%s", (int)(at - rows[i].line),
			  rows[i].line, token, at + 1);
		(void)sess_ask_with(
		    server_port(s), "GET", "/me", NULL, text, NULL, &answer);
		cr_expect(answer.status == rows[i].status, "%s: %d, not %d",
		    rows[i].line, answer.status, rows[i].status);
		if (rows[i].status == 401)
			check_member(rows[i].line, &answer, 401, "msg", NO_ME);
		raw_response_free(&answer);
		free(text);
	}
	free(token);
	server_stop(s);
}

/* A browser that logs out is left without any of them. The token in a header
 * is not a browser's: nothing is cleared. */
static void
clears_rows(const char *path, const char *message)
{
	struct server *s =
	    suite_start_with("flask", "JWT_REFRESH_COOKIE_PATH=/refresh", NULL);
	int port = server_port(s);
	struct raw_response answer;
	struct jar jar, other;
	char *lines, *text;

	jar_login(port, "/login?cookies=1", &answer, &jar);
	raw_response_free(&answer);
	jar_login(port, "/login?cookies=1", &answer, &other);
	raw_response_free(&answer);
	lines = text_of("Cookie: access_token_cookie=%s\r\n"
			"X-CSRF-TOKEN: %s\r\n",
	    jar.access, jar.access_csrf);
	text = text_of("{\"message\": \"%s\"}", message);
	(void)sess_ask_with(port, "DELETE", path, NULL, lines, NULL, &answer);
	check_json("by cookie", &answer, 200, text);
	cr_expect(raw_header_count(&answer, "set-cookie") == 4);
	jar_expect_gone(&answer, "access_token_cookie", "; Path=/", true);
	jar_expect_gone(
	    &answer, "refresh_token_cookie", "; Path=/refresh", true);
	jar_expect_gone(&answer, "csrf_access_token", "; Path=/", false);
	jar_expect_gone(&answer, "csrf_refresh_token", "; Path=/", false);
	raw_response_free(&answer);
	cr_expect(me_with(port, "access_token_cookie", jar.access) == 401);
	cr_expect(pair_refresh(port, jar.refresh, NULL) == 401);
	free(lines);

	if (strcmp(path, "/logout") == 0)
		cr_expect(
		    me_with(port, "access_token_cookie", other.access) == 200);
	else
		cr_expect(
		    me_with(port, "access_token_cookie", other.access) == 401);
	jar_free(&other);
	jar_login(port, "/login?cookies=1", &answer, &other);
	raw_response_free(&answer);
	(void)sess_ask(port, "DELETE", path, other.access, NULL, &answer);
	check_json("by header", &answer, 200, text);
	check_header("by header", &answer, "set-cookie", NULL);
	raw_response_free(&answer);
	free(text);
	jar_free(&jar);
	jar_free(&other);
	server_stop(s);
}

Test(cookies, logout_clears_all_of_them)
{
	clears_rows("/logout", "Logged out");
}

Test(cookies, logout_all_clears_all_of_them)
{
	clears_rows("/logout-all", "Logged out everywhere");
}

/* The refresh token's cookie alone ends the session, too: the access token's
 * may be gone by then. */
Test(cookies, logout_by_the_refresh_cookie_alone)
{
	struct server *s = suite_start("flask");
	int port = server_port(s);
	struct raw_response answer;
	struct jar jar;
	char *lines;

	jar_login(port, "/login?cookies=1", &answer, &jar);
	raw_response_free(&answer);
	lines = text_of("Cookie: refresh_token_cookie=%s\r\n"
			"X-CSRF-TOKEN: %s\r\n",
	    jar.refresh, jar.refresh_csrf);
	(void)sess_ask_with(
	    port, "DELETE", "/logout", NULL, lines, NULL, &answer);
	check_json("logout", &answer, 200, "{\"message\": \"Logged out\"}");
	cr_expect(raw_header_count(&answer, "set-cookie") == 4);
	raw_response_free(&answer);
	cr_expect(me_with(port, "access_token_cookie", jar.access) == 401);
	free(lines);
	jar_free(&jar);
	server_stop(s);
}

/* A refresh by cookie answers with cookies, and rotates like any other. */
Test(cookies, refresh_by_cookie_sets_new_ones)
{
	struct server *s =
	    suite_start_with("flask", "CORGI_REFRESH_GRACE=0", NULL);
	int port = server_port(s);
	struct raw_response answer;
	struct jar jar, next;
	char *lines;

	jar_login(port, "/login?cookies=1", &answer, &jar);
	raw_response_free(&answer);
	lines = jar_lines(&jar, jar.refresh_csrf);
	(void)sess_ask_with(
	    port, "POST", "/refresh", NULL, lines, NULL, &answer);
	check_json("refresh", &answer, 200, "{\"message\": \"Refreshed\"}");
	check_header("refresh", &answer, "cache-control", "no-store");
	jar_take(&answer, &next);
	raw_response_free(&answer);
	cr_expect_str_neq(next.access, jar.access);
	cr_expect_str_neq(next.refresh, jar.refresh);
	cr_expect_str_neq(next.refresh_csrf, jar.refresh_csrf);
	cr_expect(me_with(port, "access_token_cookie", next.access) == 200);
	/* The first once more: the session has ended. */
	(void)sess_ask_with(
	    port, "POST", "/refresh", NULL, lines, NULL, &answer);
	check_member("reuse", &answer, 401, "msg", "Token has been revoked");
	check_header("reuse", &answer, "set-cookie", NULL);
	raw_response_free(&answer);
	cr_expect(me_with(port, "access_token_cookie", next.access) == 401);
	free(lines);
	jar_free(&jar);
	jar_free(&next);
	server_stop(s);
}

/* In the grace interval the same successor comes with the same proof. */
Test(cookies, repeated_refresh_by_cookie_gets_the_same_cookies)
{
	struct server *s =
	    suite_start_with("flask", "CORGI_REFRESH_GRACE=300", NULL);
	int port = server_port(s);
	struct raw_response answer;
	struct jar jar, first, second;
	char *lines;

	jar_login(port, "/login?cookies=1", &answer, &jar);
	raw_response_free(&answer);
	lines = jar_lines(&jar, jar.refresh_csrf);
	(void)sess_ask_with(
	    port, "POST", "/refresh", NULL, lines, NULL, &answer);
	jar_take(&answer, &first);
	raw_response_free(&answer);
	(void)sess_ask_with(
	    port, "POST", "/refresh", NULL, lines, NULL, &answer);
	jar_take(&answer, &second);
	raw_response_free(&answer);
	cr_expect_str_eq(first.refresh, second.refresh);
	cr_expect_str_eq(first.refresh_csrf, second.refresh_csrf);
	free(lines);
	lines = jar_lines(&second, second.refresh_csrf);
	cr_expect(sess_ask_with(port, "POST", "/refresh", NULL, lines, NULL,
		      NULL) == 200);
	free(lines);
	jar_free(&jar);
	jar_free(&first);
	jar_free(&second);
	server_stop(s);
}

Test(cookies, password_change_by_cookie_sets_new_ones)
{
	static const char body[] =
	    "{\"current_password\": \"" DEMO_PASSWORD "\", "
	    "\"new_password\": \"a-quiet-orbit\"}";
	struct server *s = suite_start("flask");
	int port = server_port(s);
	struct raw_response answer;
	struct jar jar, next;
	char *lines;

	jar_login(port, "/login?cookies=1", &answer, &jar);
	raw_response_free(&answer);
	lines = jar_lines(&jar, jar.access_csrf);
	(void)sess_ask_with(
	    port, "POST", "/password", NULL, lines, body, &answer);
	check_json(
	    "change", &answer, 200, "{\"message\": \"Password changed\"}");
	jar_take(&answer, &next);
	raw_response_free(&answer);
	cr_expect(me_with(port, "access_token_cookie", jar.access) == 401);
	cr_expect(me_with(port, "access_token_cookie", next.access) == 200);
	free(lines);
	jar_free(&jar);
	jar_free(&next);
	server_stop(s);
}
