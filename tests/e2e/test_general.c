/*
 * What holds for every route: methods, paths, headers of every answer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "check.h"
#include "http.h"
#include "server.h"
#include "tok.h"

#define ALLOW_LOGIN "OPTIONS, POST"
#define ALLOW_GET   "GET, HEAD, OPTIONS"

TestSuite(general, .timeout = 90);

struct method_row {
	const char *method;
	const char *path;
	const char *allow;
};

static struct server *start(const char *);
static void expect_refused(
    const char *, int, const struct http_request *, const char *, int);
static void options_rows(int);
static void wrong_methods(int, const char *);
static void unknown_paths(int, const char *);

static const struct method_row wrong[] = {
    {"GET", "/login", ALLOW_LOGIN},
    {"HEAD", "/login", ALLOW_LOGIN},
    {"PUT", "/login", ALLOW_LOGIN},
    {"DELETE", "/login", ALLOW_LOGIN},
    {"PATCH", "/login", ALLOW_LOGIN},
    {"TRACE", "/login", ALLOW_LOGIN},
    {"FOO", "/login", ALLOW_LOGIN},
    {"post", "/login", ALLOW_LOGIN},
    {"POST", "/protected", ALLOW_GET},
    {"PUT", "/protected", ALLOW_GET},
    {"DELETE", "/protected", ALLOW_GET},
    {"PATCH", "/protected", ALLOW_GET},
    {"TRACE", "/protected", ALLOW_GET},
    {"PROPFIND", "/protected", ALLOW_GET},
    {"FOO", "/protected", ALLOW_GET},
    {"get", "/protected", ALLOW_GET},
    {"POST", "/secure-data", ALLOW_GET},
    {"PUT", "/secure-data", ALLOW_GET},
    {"DELETE", "/secure-data", ALLOW_GET},
    {"PATCH", "/secure-data", ALLOW_GET},
    {"TRACE", "/secure-data", ALLOW_GET},
    {"PROPFIND", "/secure-data", ALLOW_GET},
    {"POST", "/health", ALLOW_GET},
    {"DELETE", "/ready", ALLOW_GET},
    {"POST", "/openapi.json", ALLOW_GET},
    {"POST", "/", ALLOW_GET},
};

/* No path is folded, decoded, cut or completed. */
static const char *const nowhere[] = {
    "/nowhere",
    "/login/",
    "/login//",
    "//login",
    "/Login",
    "/LOGIN",
    "/%6Cogin",
    "/login%20",
    "/login;x",
    "/login%00",
    "/./login",
    "/a/../login",
    "/loginx",
    "/protected/",
    "//protected",
    "/Protected",
    "/PROTECTED",
    "/%70rotected",
    "/protected.json",
    "/protected/x",
    "/protecte",
    "/./protected",
    "/secure-data/",
    "/secure_data",
    "/Secure-Data",
    "/secure%2Ddata",
    "/health/",
    "/index.html",
    "/jwt_secret",
    "/data/corgi.db",
    "/../../etc/passwd",
};

static struct server *
start(const char *style)
{
	char setting[64];
	const char *env[] = {"JWT_SECRET_KEY=" TOK_SECRET, setting, NULL};
	struct server_options options = {.environment = env};

	(void)snprintf(setting, sizeof(setting), "JWT_ERROR_STYLE=%s", style);
	return (server_start(&options));
}

/* A 404 or 405 in the dialect asked for; a HEAD's has no body to look at. */
static void
expect_refused(const char *row, int port, const struct http_request *request,
    const char *style, int status)
{
	struct raw_response answer;
	const char *text;

	(void)http_send(port, request, &answer);
	text = status == 404 ? "Not found" : "Method not allowed";
	if (request->method != NULL && strcmp(request->method, "HEAD") == 0) {
		check_house(row, &answer);
		cr_expect(answer.status == status, "%s: status %d", row,
		    answer.status);
		cr_expect(answer.body_len == 0, "%s: a body", row);
	} else if (strcmp(style, "flask") == 0)
		check_member(row, &answer, status, "error", text);
	else
		check_problem(row, &answer, status, text, NULL);
	check_header(row, &answer, "www-authenticate", NULL);
	raw_response_free(&answer);
}

static void
wrong_methods(int port, const char *style)
{
	struct raw_response answer;
	struct http_request request;
	char row[128];
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		(void)snprintf(
		    row, sizeof(row), "%s %s", wrong[i].method, wrong[i].path);
		memset(&request, 0, sizeof(request));
		request.method = wrong[i].method;
		request.path = wrong[i].path;
		expect_refused(row, port, &request, style, 405);
		(void)http_send(port, &request, &answer);
		check_header(row, &answer, "allow", wrong[i].allow);
		raw_response_free(&answer);
	}
}

static void
unknown_paths(int port, const char *style)
{
	static const char *const methods[] = {
	    "GET", "HEAD", "POST", "OPTIONS", "DELETE", "FOO"};
	struct http_request request;
	char row[128];
	size_t i, m;

	memset(&request, 0, sizeof(request));
	for (i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++) {
		request.path = nowhere[i];
		expect_refused(nowhere[i], port, &request, style, 404);
	}
	for (m = 0; m < sizeof(methods) / sizeof(methods[0]); m++) {
		(void)snprintf(row, sizeof(row), "%s /nowhere", methods[m]);
		request.method = methods[m];
		request.path = "/nowhere";
		expect_refused(row, port, &request, style, 404);
	}
}

Test(general, wrong_methods_are_405_with_exact_allow_flask)
{
	struct server *s = start("flask");

	wrong_methods(server_port(s), "flask");
	server_stop(s);
}

Test(general, wrong_methods_are_405_with_exact_allow_rfc6750)
{
	struct server *s = start("rfc6750");

	wrong_methods(server_port(s), "rfc6750");
	server_stop(s);
}

Test(general, unknown_paths_are_404_and_nothing_is_decoded_flask)
{
	struct server *s = start("flask");

	unknown_paths(server_port(s), "flask");
	server_stop(s);
}

Test(general, unknown_paths_are_404_and_nothing_is_decoded_rfc6750)
{
	struct server *s = start("rfc6750");

	unknown_paths(server_port(s), "rfc6750");
	server_stop(s);
}

/* With no token, a bad one, a malformed header: none of them counts. */
static void
options_rows(int port)
{
	static const struct {
		const char *path;
		const char *allow;
	} known[] = {
	    {"/login", ALLOW_LOGIN},
	    {"/login?a=b", ALLOW_LOGIN},
	    {"/protected", ALLOW_GET},
	    {"/secure-data", ALLOW_GET},
	    {"/health", ALLOW_GET},
	    {"/ready", ALLOW_GET},
	    {"/openapi.json", ALLOW_GET},
	    {"/", ALLOW_GET},
	};
	static const char *const headers[][2] = {
	    {NULL, NULL},
	    {"Authorization: Bearer bad", NULL},
	    {"Authorization: Bearer", NULL},
	    {"Authorization: Basic Y29zbW86eA==", NULL},
	};
	struct raw_response answer;
	struct http_request request;
	size_t i, h;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		for (h = 0; h < sizeof(headers) / sizeof(headers[0]); h++) {
			memset(&request, 0, sizeof(request));
			request.method = "OPTIONS";
			request.path = known[i].path;
			request.headers = headers[h];
			(void)http_send(port, &request, &answer);
			check_house(known[i].path, &answer);
			cr_expect(answer.status == 200 && answer.body_len == 0,
			    "OPTIONS %s: %d with %zu bytes", known[i].path,
			    answer.status, answer.body_len);
			check_header(
			    known[i].path, &answer, "allow", known[i].allow);
			raw_response_free(&answer);
		}
	}
}

Test(general, options_needs_no_token_and_ignores_a_bad_one_flask)
{
	struct server *s = start("flask");

	options_rows(server_port(s));
	server_stop(s);
}

Test(general, options_needs_no_token_and_ignores_a_bad_one_rfc6750)
{
	struct server *s = start("rfc6750");

	options_rows(server_port(s));
	server_stop(s);
}

/* Ask with GET and HEAD over raw sockets; the same but for the body. */
static void
expect_same_head(int port, const char *path, const char *extra, int status)
{
	static const char *const names[] = {"content-length", "content-type",
	    "www-authenticate", "allow", "cache-control"};
	struct raw_response get, head;
	const char *a, *b;
	char *text;
	size_t i;

	text = text_of(
	    "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", path, extra);
	cr_expect(raw_exchange_text(port, text, &get) == status, "GET %s: %d",
	    path, get.status);
	free(text);
	text = text_of(
	    "HEAD %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", path, extra);
	cr_expect(raw_exchange(port, text, strlen(text), true, &head) == status,
	    "HEAD %s: %d", path, head.status);
	free(text);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		a = raw_header(&get, names[i]);
		b = raw_header(&head, names[i]);
		cr_expect((a == NULL) == (b == NULL) &&
			(a == NULL || strcmp(a, b) == 0),
		    "HEAD %s: %s differs", path, names[i]);
	}
	cr_expect(get.body_len > 0, "GET %s: no body", path);
	raw_response_free(&get);
	raw_response_free(&head);
}

Test(general, head_is_get_without_the_body)
{
	struct raw_response answer;
	struct server *s = start("flask");
	struct raw *r;
	char *token, *header;
	int port;

	port = server_port(s);
	token = tok_good();
	header = text_of("Authorization: Bearer %s\r\n", token);
	expect_same_head(port, "/protected", header, 200);
	expect_same_head(port, "/secure-data", header, 200);
	expect_same_head(port, "/protected", "", 401);
	expect_same_head(port, "/secure-data", "", 401);
	expect_same_head(
	    port, "/protected", "Authorization: Bearer a.b\r\n", 422);
	expect_same_head(port, "/health", "", 200);
	expect_same_head(port, "/openapi.json", "", 200);
	expect_same_head(port, "/", "", 200);
	expect_same_head(port, "/nowhere", "", 404);

	/* Nothing of a body follows a HEAD's answer on its connection. */
	r = raw_connect(port);
	cr_expect(raw_send_text(r,
	    "HEAD /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
	    "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"));
	cr_expect(raw_read(r, true, &answer) == RAW_OK);
	raw_response_free(&answer);
	cr_expect(raw_read(r, false, &answer) == RAW_OK);
	check_json("GET behind HEAD", &answer, 200, "{\"status\": \"ok\"}");
	raw_response_free(&answer);
	raw_close(r);
	free(token);
	free(header);
	server_stop(s);
}

/* The query string plays no part in routing, nor in who is let in. */
Test(general, query_strings_neither_route_nor_authenticate)
{
	struct raw_response answer;
	struct http_request request;
	struct server *s = start("flask");
	const char *const json[] = {"Content-Type: application/json", NULL};
	char *token, *path;
	int port;

	port = server_port(s);
	token = tok_good();
	(void)http_get_token(port, "/protected?a=b&c", token, &answer);
	check_json("query with a token", &answer, 200,
	    "{\"message\": \"This is a protected route, and you are "
	    "authenticated!\"}");
	raw_response_free(&answer);
	(void)http_get_token(port, "/secure-data?", token, &answer);
	check_json("empty query", &answer, 200,
	    "{\"message\": \"This is secure data, and you are "
	    "authenticated!\"}");
	raw_response_free(&answer);

	path = text_of("/protected?jwt=%s&access_token=%s", token, token);
	(void)http_get(port, path, NULL, &answer);
	check_member("token in the query", &answer, 401, "msg",
	    "Missing Authorization Header");
	raw_response_free(&answer);

	memset(&request, 0, sizeof(request));
	request.method = "POST";
	request.path = "/login?username=cosmo&password=space-corgi";
	request.headers = json;
	request.body = "{}";
	request.len = 2;
	(void)http_send(port, &request, &answer);
	check_json("credentials in the query", &answer, 400,
	    "{\"error\": {"
	    "\"username\": [\"Missing data for required field.\"],"
	    "\"password\": [\"Missing data for required field.\"]}}");
	raw_response_free(&answer);
	request.path = "/login?x=/protected";
	request.body = DEMO_LOGIN;
	request.len = strlen(DEMO_LOGIN);
	cr_expect(http_send(port, &request, NULL) == 200);
	free(path);
	free(token);
	server_stop(s);
}

static void
expect_document(int port, const char *path, const char *type)
{
	struct raw_response answer;
	const char *got;

	cr_expect(http_get(port, path, NULL, &answer) == 200, "%s: %d", path,
	    answer.status);
	got = raw_header(&answer, "content-type");
	cr_expect(got != NULL && strncmp(got, type, strlen(type)) == 0,
	    "%s: %s", path, got != NULL ? got : "(no type)");
	cr_expect(answer.body_len > 0, "%s: empty", path);
	cr_expect(raw_header_count(&answer, "date") == 1, "%s: Date", path);
	check_header(path, &answer, "server", NULL);
	check_header(path, &answer, "strict-transport-security", NULL);
	check_header(path, &answer, "x-content-type-options", "nosniff");
	raw_response_free(&answer);
}

Test(general, open_routes_answer_without_a_token)
{
	struct raw_response answer;
	struct server *s = start("flask");
	const char *policy;
	int port;

	port = server_port(s);
	(void)http_get(port, "/health", NULL, &answer);
	check_json("/health", &answer, 200, "{\"status\": \"ok\"}");
	raw_response_free(&answer);
	(void)http_get(port, "/ready", NULL, &answer);
	check_json("/ready", &answer, 200, "{\"status\": \"ready\"}");
	raw_response_free(&answer);
	expect_document(port, "/", "text/html");
	expect_document(port, "/app.js", "text/javascript");
	expect_document(port, "/token.js", "text/javascript");
	expect_document(port, "/app.css", "text/css");
	expect_document(port, "/openapi.json", "application/json");

	cr_expect(http_get(port, "/", NULL, &answer) == 200);
	policy = raw_header(&answer, "content-security-policy");
	cr_expect(policy != NULL && strstr(policy, "default-src 'none'") &&
	    strstr(policy, "unsafe") == NULL);
	raw_response_free(&answer);
	server_stop(s);
}

/* Good, bad and unknown ones by turns on one connection: each answer belongs
 * to its request. */
Test(general, answers_on_one_connection_do_not_mix)
{
	static const struct {
		const char *text;
		int status;
	} turns[] = {
	    {"GET /health HTTP/1.1\r\nHost: h\r\n\r\n", 200},
	    {"GET /protected HTTP/1.1\r\nHost: h\r\n\r\n", 401},
	    {"GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n", 404},
	    {"PUT /protected HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n"
	     "GET /",
		405},
	    {"POST /login HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}",
		415},
	    {"POST /login HTTP/1.1\r\nHost: h\r\nContent-Type: "
	     "application/json\r\nContent-Length: 2\r\n\r\n[]",
		400},
	    {"OPTIONS /login HTTP/1.1\r\nHost: h\r\n\r\n", 200},
	    {"GET /protected HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer "
	     "x\r\n\r\n",
		422},
	};
	struct raw_response answer;
	struct server *s = start("flask");
	struct raw *r;
	size_t i, n;

	n = sizeof(turns) / sizeof(turns[0]);
	r = raw_connect(server_port(s));
	for (i = 0; i < 10 * n; i++) {
		cr_expect(raw_send_text(r, turns[i % n].text));
		cr_expect(raw_read(r, false, &answer) == RAW_OK,
		    "turn %zu: no answer", i);
		cr_expect(answer.status == turns[i % n].status,
		    "turn %zu: status %d, not %d", i, answer.status,
		    turns[i % n].status);
		check_house("turn", &answer);
		raw_response_free(&answer);
	}
	raw_close(r);
	server_stop(s);
}
