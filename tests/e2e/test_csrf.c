/*
 * Cookies and forged requests (row 38): what a browser sends by itself changes
 * nothing without the proof that only a page of the same origin can read.
 */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "check.h"
#include "http.h"
#include "jar.h"
#include "routes.h"
#include "sess.h"
#include "suite.h"
#include "tok.h"

TestSuite(csrf, .timeout = 90);

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define MISSING     "Missing CSRF token"
#define MISMATCH    "CSRF double submit tokens do not match"

static const struct own_route routes[] = {
    {"/cookies", "cookies", NULL},
    {"/both", "headers cookies", NULL},
    {"/maybe", "optional cookies", "handle_whoami"},
    {"/renewal", "refresh cookies", NULL},
    {"/either", "access refresh cookies", NULL},
};

static const char *const methods[] = {
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};

#define SAFE 2 /* the first ones */

static int send(int, const char *, const char *, const char *, const char *,
    struct raw_response *);
static void
expect_refused(const char *, const struct raw_response *, bool, const char *);
static void expect_methods(const struct server *, const char *, const char *);

/* A request with a cookie's line and a line of proof, each with its CRLF or
 * "". */
static int
send(int port, const char *method, const char *path, const char *cookie,
    const char *proof, struct raw_response *out)
{
	char *headers, *text;
	int status;

	headers = text_of("%s%s", cookie, proof);
	text = sess_text(method, path, NULL, headers, NULL);
	status = raw_exchange(
	    port, text, strlen(text), strcmp(method, "HEAD") == 0, out);
	free(text);
	free(headers);
	return (status);
}

static void
expect_refused(const char *row, const struct raw_response *answer, bool rfc,
    const char *text)
{
	if (rfc) {
		check_problem(row, answer, 403, text, NULL);
		check_header(row, answer, "www-authenticate", NULL);
	} else {
		check_member(row, answer, 401, "msg", text);
	}
}

/* Row 38, second half: every method that changes something, and every way not
 * to have the proof. */
static void
proof_rows(const char *style)
{
	static const char *const none[] = {"", "X-CSRF-TOKEN:\r\n",
	    "X-CSRF: $\r\n", "X-XSRF-TOKEN: $\r\n",
	    "Cookie: csrf_access_token=$\r\n"};
	static const char *const wrong[] = {"X-CSRF-TOKEN: x\r\n",
	    "X-CSRF-TOKEN: $x\r\n", "X-CSRF-TOKEN: x$\r\n",
	    "X-CSRF-TOKEN: \"$\"\r\n", "X-CSRF-TOKEN: %\r\n",
	    "X-CSRF-TOKEN: x\r\nX-CSRF-TOKEN: $\r\n"};
	struct server *s =
	    routes_start(style, routes, COUNT(routes), NULL, NULL);
	bool rfc = strcmp(style, "flask") != 0;
	int port = server_port(s);
	struct raw_response answer;
	char *cookie, *proof;
	struct jar jar;
	size_t i, m;

	jar_login(port, "/login?cookies=1", &answer, &jar);
	raw_response_free(&answer);
	cookie = jar_lines(&jar, NULL);
	for (m = SAFE; m < COUNT(methods); m++) {
		for (i = 0; i < COUNT(none); i++) {
			proof = jar_proof(&jar, none[i]);
			(void)send(port, methods[m], "/cookies", cookie, proof,
			    &answer);
			expect_refused(none[i], &answer, rfc, MISSING);
			raw_response_free(&answer);
			free(proof);
		}
		for (i = 0; i < COUNT(wrong); i++) {
			proof = jar_proof(&jar, wrong[i]);
			(void)send(port, methods[m], "/cookies", cookie, proof,
			    &answer);
			expect_refused(wrong[i], &answer, rfc, MISMATCH);
			raw_response_free(&answer);
			free(proof);
		}
		proof = jar_proof(&jar, "x-csrf-token: $\r\n");
		(void)send(
		    port, methods[m], "/cookies", cookie, proof, &answer);
		check_json(methods[m], &answer, 200, PROTECTED_JSON);
		raw_response_free(&answer);
		free(proof);
	}
	free(cookie);
	jar_free(&jar);
	server_stop(s);
}

Test(csrf, methods_that_change_something_need_the_proof_flask)
{
	proof_rows("flask");
}

Test(csrf, methods_that_change_something_need_the_proof_rfc6750)
{
	proof_rows("rfc6750");
}

/* Every method without the proof: 200 for those named, with blanks around each,
 * and refused for the others. */
static void
expect_methods(const struct server *s, const char *row, const char *free_ones)
{
	struct raw_response answer;
	struct jar jar;
	char *cookie, *word;
	size_t m;
	int status, want;

	jar_login(server_port(s), "/login?cookies=1", &answer, &jar);
	raw_response_free(&answer);
	cookie = jar_lines(&jar, NULL);
	for (m = 0; m < COUNT(methods); m++) {
		word = text_of(" %s ", methods[m]);
		want = strstr(free_ones, word) != NULL ? 200 : 401;
		status = send(
		    server_port(s), methods[m], "/cookies", cookie, "", NULL);
		cr_expect(status == want, "%s: %s: %d, not %d", row, methods[m],
		    status, want);
		free(word);
	}
	free(cookie);
	jar_free(&jar);
}

Test(csrf, methods_that_need_the_proof_can_be_set)
{
	struct server *s;

	s = routes_start("flask", routes, COUNT(routes), NULL, NULL);
	expect_methods(s, "default", " GET HEAD ");
	server_stop(s);
	s = routes_start(
	    "flask", routes, COUNT(routes), "JWT_CSRF_METHODS=POST", NULL);
	expect_methods(s, "POST", " GET HEAD PUT PATCH DELETE ");
	server_stop(s);
	s = routes_start("flask", routes, COUNT(routes),
	    "JWT_CSRF_METHODS=PATCH, DELETE", NULL);
	expect_methods(s, "two", " GET HEAD POST PUT ");
	server_stop(s);
}

Test(csrf, protection_can_be_turned_off)
{
	struct server *s = routes_start(
	    "flask", routes, COUNT(routes), "JWT_COOKIE_CSRF_PROTECT=no", NULL);
	struct raw_response answer;
	struct jar jar;

	expect_methods(s, "off", " GET HEAD POST PUT PATCH DELETE ");
	jar_login(server_port(s), "/login?cookies=1", &answer, &jar);
	cr_expect(raw_header_count(&answer, "set-cookie") == 2);
	cr_expect(jar.access_csrf == NULL && jar.refresh_csrf == NULL);
	raw_response_free(&answer);
	jar_free(&jar);
	server_stop(s);
}

/* A page may get the value by another way than a cookie; it is needed all the
 * same. */
Test(csrf, the_proof_need_not_be_in_a_cookie)
{
	struct server *s = routes_start(
	    "flask", routes, COUNT(routes), "JWT_CSRF_IN_COOKIES=no", NULL);
	int port = server_port(s);
	struct raw_response answer;
	struct jar jar;
	char *cookie, *csrf, *proof;

	jar_login(port, "/login?cookies=1", &answer, &jar);
	cr_expect(raw_header_count(&answer, "set-cookie") == 2);
	raw_response_free(&answer);
	cookie = jar_lines(&jar, NULL);
	csrf = sess_claim(jar.access, "csrf");
	proof = text_of("X-CSRF-TOKEN: %s\r\n", csrf);
	cr_expect(send(port, "POST", "/cookies", cookie, "", NULL) == 401);
	cr_expect(send(port, "POST", "/cookies", cookie, proof, NULL) == 200);
	free(proof);
	free(csrf);
	free(cookie);
	jar_free(&jar);
	server_stop(s);
}

/* A token in a header was put there by a script: that is proof enough. */
Test(csrf, token_in_a_header_needs_no_proof)
{
	struct server *s =
	    routes_start("flask", routes, COUNT(routes), NULL, NULL);
	int port = server_port(s);
	char *token = tok_good(), *cookie;
	size_t m;

	cookie = text_of("Cookie: access_token_cookie=%s\r\n", token);
	for (m = SAFE; m < COUNT(methods); m++) {
		cr_expect(sess_ask(port, methods[m], "/both", token, NULL,
			      NULL) == 200);
		cr_expect(
		    send(port, methods[m], "/both", cookie, "", NULL) == 401);
	}
	free(cookie);
	free(token);
	server_stop(s);
}

/* What has no proof in it cannot be shown to match one. */
Test(csrf, token_without_the_claim_is_for_reading_alone)
{
	struct server *s =
	    routes_start("flask", routes, COUNT(routes), NULL, NULL);
	int port = server_port(s);
	struct raw_response answer;
	char *token, *cookie;

	token = tok_make(TOK_HEADER,
	    "{\"jti\":\"x\",\"sub\":\"cosmo\",\"exp\":@+900}", TOK_SECRET);
	cookie = text_of("Cookie: access_token_cookie=%s\r\n", token);
	cr_expect(send(port, "GET", "/cookies", cookie, "", NULL) == 200);
	(void)send(
	    port, "POST", "/cookies", cookie, "X-CSRF-TOKEN: x\r\n", &answer);
	check_member("none", &answer, 422, "msg", "Missing claim: csrf");
	raw_response_free(&answer);
	free(cookie);
	free(token);
	token = tok_make(TOK_HEADER,
	    "{\"jti\":\"x\",\"sub\":\"cosmo\",\"exp\":@+900,\"csrf\":\"\"}",
	    TOK_SECRET);
	cookie = text_of("Cookie: access_token_cookie=%s\r\n", token);
	(void)send(
	    port, "POST", "/cookies", cookie, "X-CSRF-TOKEN:\r\n", &answer);
	check_member("empty", &answer, 401, "msg", MISSING);
	raw_response_free(&answer);
	free(cookie);
	free(token);
	server_stop(s);
}

/* Each token has a proof of its own, and the names can be set. */
Test(csrf, each_token_has_its_own_header_and_proof)
{
	struct server *s = routes_start("flask", routes, COUNT(routes),
	    "JWT_ACCESS_CSRF_HEADER_NAME=X-Access-Proof",
	    "JWT_REFRESH_CSRF_HEADER_NAME=X-Refresh-Proof");
	static const struct {
		const char *path;
		const char *proof; /* $: access, %: refresh */
		const char *text;  /* NULL: let in */
	} rows[] = {
	    {"/cookies", "X-Access-Proof: $\r\n", NULL},
	    {"/cookies", "X-Refresh-Proof: $\r\n", MISSING},
	    {"/cookies", "X-CSRF-TOKEN: $\r\n", MISSING},
	    {"/cookies", "X-Access-Proof: %\r\n", MISMATCH},
	    {"/renewal", "X-Refresh-Proof: %\r\n", NULL},
	    {"/renewal", "X-Access-Proof: %\r\n", MISSING},
	    {"/renewal", "X-Refresh-Proof: $\r\n", MISMATCH},
	    {"/either", "X-Access-Proof: $\r\n", NULL},
	    {"/either", "X-Refresh-Proof: %\r\n", MISSING},
	};
	struct raw_response answer;
	char *cookie, *proof;
	struct jar jar;
	size_t i;

	jar_login(server_port(s), "/login?cookies=1", &answer, &jar);
	raw_response_free(&answer);
	cookie = jar_lines(&jar, NULL);
	for (i = 0; i < COUNT(rows); i++) {
		proof = jar_proof(&jar, rows[i].proof);
		(void)send(server_port(s), "POST", rows[i].path, cookie, proof,
		    &answer);
		if (rows[i].text == NULL)
			check_json(rows[i].proof, &answer, 200, PROTECTED_JSON);
		else
			expect_refused(
			    rows[i].proof, &answer, false, rows[i].text);
		raw_response_free(&answer);
		free(proof);
	}
	free(cookie);
	jar_free(&jar);
	server_stop(s);
}

/* A guest is one without a token, not one whose proof is missing. */
Test(csrf, optional_does_not_spare_the_proof)
{
	struct server *s =
	    routes_start("flask", routes, COUNT(routes), NULL, NULL);
	int port = server_port(s);
	char *token = tok_good(), *cookie;
	struct raw_response answer;

	cookie = text_of("Cookie: access_token_cookie=%s\r\n", token);
	(void)send(port, "POST", "/maybe", "", "", &answer);
	check_json("nobody", &answer, 200, "{\"sub\": null}");
	raw_response_free(&answer);
	(void)send(port, "POST", "/maybe", cookie, "", &answer);
	check_member("no proof", &answer, 401, "msg", MISSING);
	raw_response_free(&answer);
	(void)send(port, "GET", "/maybe", cookie, "", &answer);
	check_json("reading", &answer, 200, "{\"sub\": \"cosmo\"}");
	raw_response_free(&answer);
	free(cookie);
	free(token);
	server_stop(s);
}

/* The service's own routes: nothing has happened without the proof. */
static void
own_rows(const char *style)
{
	static const struct {
		const char *method;
		const char *path;
		bool refresh; /* whose proof counts */
	} rows[] = {
	    {"POST", "/refresh", true},
	    {"POST", "/password", false},
	    {"DELETE", "/logout", false},
	    {"DELETE", "/logout-all", false},
	};
	struct server *s =
	    suite_start_with(style, "CORGI_REFRESH_GRACE=0", NULL);
	bool rfc = strcmp(style, "flask") != 0;
	int port = server_port(s), status;
	struct raw_response answer;
	char *cookie, *proof;
	struct jar jar;
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		jar_login(port, "/login?cookies=1", &answer, &jar);
		raw_response_free(&answer);
		cookie = jar_lines(&jar, NULL);
		(void)send(
		    port, rows[i].method, rows[i].path, cookie, "", &answer);
		expect_refused(rows[i].path, &answer, rfc, MISSING);
		check_header(rows[i].path, &answer, "set-cookie", NULL);
		raw_response_free(&answer);
		proof = jar_proof(&jar,
		    rows[i].refresh ? "X-CSRF-TOKEN: $\r\n"
				    : "X-CSRF-TOKEN: %\r\n");
		(void)send(
		    port, rows[i].method, rows[i].path, cookie, proof, &answer);
		expect_refused(rows[i].path, &answer, rfc, MISMATCH);
		raw_response_free(&answer);
		free(proof);
		cr_expect(send(port, "GET", "/me", cookie, "", NULL) == 200);
		proof = jar_proof(&jar,
		    rows[i].refresh ? "X-CSRF-TOKEN: %\r\n"
				    : "X-CSRF-TOKEN: $\r\n");
		status = send(
		    port, rows[i].method, rows[i].path, cookie, proof, NULL);
		/* A change of password goes on to ask for a body. */
		cr_expect(status ==
			(strcmp(rows[i].path, "/password") == 0 ? 415 : 200),
		    "%s: %d", rows[i].path, status);
		free(proof);
		free(cookie);
		jar_free(&jar);
	}
	server_stop(s);
}

Test(csrf, routes_of_the_service_need_the_proof_flask)
{
	own_rows("flask");
}

Test(csrf, routes_of_the_service_need_the_proof_rfc6750)
{
	own_rows("rfc6750");
}
