/*
 * The connection front, requests on one connection: answered in order, each
 * exactly once, however they are cut and whatever an earlier one waits for;
 * and when a connection ends.
 */
#include "test_framing.h"

TestSuite(framing_order, .timeout = 90);

/* Requests in one row, and the one among them that waits for a hash. */
#define PIPELINED 50
#define LOGIN_AT  7

/* Answers in the RFC dialect tell the path they belong to. */
static struct server *
start_problem_style(void)
{
	static const char *const environment[] = {
	    "JWT_ERROR_STYLE=rfc6750", NULL};
	const struct server_options options = {.environment = environment};

	return (server_start(&options));
}

/* Requests for paths that nobody has, the last one closing the connection;
 * with a login among them when asked for. */
static char *
pipeline(bool login)
{
	char *text = text_of("%s", ""), *longer;
	int i;

	for (i = 0; i < PIPELINED; i++) {
		if (login && i == LOGIN_AT)
			longer = text_of("%s" POST LENGTH "%zu\r\n\r\n%s", text,
			    strlen(DEMO_LOGIN), DEMO_LOGIN);
		else
			longer = text_of(
			    "%sGET /n%d HTTP/1.1\r\n" HOST "%s\r\n", text, i,
			    i == PIPELINED - 1 ? "Connection: close\r\n" : "");
		free(text);
		text = longer;
	}
	return (text);
}

/* One answer for each request of a pipeline, in its order, then the end. */
static void
expect_pipeline(const char *name, struct raw *r, bool login)
{
	struct raw_response answers[PIPELINED];
	char path[32];
	size_t i, n;

	n = raw_read_many(r, answers, PIPELINED);
	cr_expect_eq(n, PIPELINED, "%s: %zu answers", name, n);
	for (i = 0; i < n; i++) {
		if (login && i == LOGIN_AT) {
			cr_expect_eq(answers[i].status, 200);
			cr_expect_not_null(
			    strstr(answers[i].body, "access_token"));
		} else {
			snprintf(path, sizeof(path), "\"/n%zu\"", i);
			cr_expect_eq(answers[i].status, 404);
			cr_expect_not_null(strstr(answers[i].body, path),
			    "%s: %s out of order", name, path);
		}
		raw_response_free(&answers[i]);
	}
	framing_closed(name, r);
}

static void
run_pipeline(const char *name, size_t cut, bool login)
{
	struct server *s = start_problem_style();
	struct raw *r = raw_connect(server_port(s));
	char *text = pipeline(login);

	raw_set_wait(r, 20000);
	cr_expect(raw_send_cuts(r, text, strlen(text), cut, 0));
	expect_pipeline(name, r, login);
	raw_close(r);
	free(text);
	server_stop(s);
}

Test(framing_order, fifty_requests_in_one_segment)
{
	run_pipeline("one segment", SIZE_MAX, false);
}

Test(framing_order, fifty_requests_byte_by_byte)
{
	run_pipeline("bytes", 1, false);
}

Test(framing_order, fifty_requests_in_odd_cuts)
{
	run_pipeline("cuts of 7", 7, false);
}

Test(framing_order, requests_behind_a_login_wait_for_it)
{
	run_pipeline("login in one segment", SIZE_MAX, true);
}

Test(framing_order, requests_behind_a_login_wait_for_it_byte_by_byte)
{
	run_pipeline("login in bytes", 1, true);
}

/* The head and body of a login in two segments each, other requests around. */
Test(framing_order, login_cut_within_its_body_is_whole)
{
	static const char head[] = GET "\r\n" POST LENGTH "50\r\n\r\n";
	struct server *s = server_start(NULL);
	struct raw_response answers[2];
	struct raw *r;
	char *text;
	size_t cut, i, n;

	text = text_of("%s%-50s" LAST, head, DEMO_LOGIN);
	for (cut = sizeof(head) - 3; cut < sizeof(head) + 50; cut += 13) {
		r = raw_connect(server_port(s));
		cr_assert(raw_send(r, text, cut));
		cr_assert_eq(raw_read(r, false, &answers[0]), RAW_OK);
		cr_expect_eq(answers[0].status, 200);
		raw_response_free(&answers[0]);
		cr_assert(raw_send_text(r, text + cut));
		n = raw_read_many(r, answers, 2);
		cr_expect_eq(n, 2, "cut at %zu", cut);
		if (n == 2) {
			cr_expect_eq(answers[0].status, 200);
			cr_expect_eq(answers[1].status, 404);
		}
		for (i = 0; i < n; i++)
			raw_response_free(&answers[i]);
		framing_closed("login", r);
		raw_close(r);
	}
	free(text);
	server_stop(s);
}

Test(framing_order, head_request_keeps_the_order)
{
	struct server *s = server_start(NULL);
	struct raw *r = raw_connect(server_port(s));
	struct raw_response answer;

	cr_assert(raw_send_text(
	    r, "HEAD /health HTTP/1.1\r\n" HOST "\r\n" GET "\r\n" LAST));
	cr_assert_eq(raw_read(r, true, &answer), RAW_OK);
	cr_expect_eq(answer.status, 200);
	cr_expect_eq(answer.body_len, 0);
	raw_response_free(&answer);
	cr_assert_eq(raw_read(r, false, &answer), RAW_OK);
	check_json("GET", &answer, 200, "{\"status\": \"ok\"}");
	raw_response_free(&answer);
	cr_assert_eq(raw_read(r, false, &answer), RAW_OK);
	cr_expect_eq(answer.status, 404);
	raw_response_free(&answer);
	framing_closed("HEAD", r);
	raw_close(r);
	server_stop(s);
}

/* What comes behind a refused request is not looked at. */
Test(framing_order, nothing_is_answered_behind_a_refusal)
{
	struct server *s = server_start(NULL);
	struct raw *r = raw_connect(server_port(s));
	struct raw_response answers[2];
	size_t i, n;

	cr_assert(raw_send_text(r, GET "\r\n" GET "X : y\r\n\r\n" INNER INNER));
	n = raw_read_many(r, answers, 2);
	cr_assert_eq(n, 2);
	cr_expect_eq(answers[0].status, 200);
	cr_expect_eq(answers[1].status, 400);
	for (i = 0; i < n; i++)
		raw_response_free(&answers[i]);
	framing_closed("refusal", r);
	raw_close(r);
	framing_control(server_port(s), "refusal");
	server_stop(s);
}

Test(framing_order, connection_ends_when_either_side_asks)
{
	static const struct {
		const char *text;
		bool closed;
	} rows[] = {
	    {GET "\r\n", false},
	    {GET "Connection: keep-alive\r\n\r\n", false},
	    {GET "Connection: close\r\n\r\n", true},
	    {GET "Connection: x, CLOSE\r\n\r\n", true},
	    {GET "Connection: x\r\nConnection: close\r\n\r\n", true},
	    {GET "Connection: closed\r\n\r\n", false},
	    {"GET /health HTTP/1.0\r\n\r\n", true},
	    {"GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true},
	};
	struct server *s = server_start(NULL);
	struct raw_response answer;
	struct raw *r;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		r = raw_connect(server_port(s));
		cr_assert(raw_send_text(r, rows[i].text));
		cr_assert_eq(raw_read(r, false, &answer), RAW_OK);
		check_json(rows[i].text, &answer, 200, "{\"status\": \"ok\"}");
		check_header(rows[i].text, &answer, "Connection",
		    rows[i].closed ? "close" : NULL);
		raw_response_free(&answer);
		if (!rows[i].closed) {
			cr_assert(raw_send_text(r, LAST));
			cr_assert_eq(raw_read(r, false, &answer), RAW_OK);
			cr_expect_eq(answer.status, 404);
			raw_response_free(&answer);
		}
		framing_closed(rows[i].text, r);
		raw_close(r);
	}
	server_stop(s);
}

/* A client may end its side once it has asked (RFC 9112, section 9.6). */
Test(framing_order, half_closed_client_gets_its_answers)
{
	struct server *s = server_start(NULL);
	struct raw *r = raw_connect(server_port(s));
	struct raw_response answers[3];
	size_t i, n;
	char *text;

	text = text_of(GET "\r\n" POST LENGTH "%zu\r\n\r\n%s" GET "\r\n",
	    strlen(DEMO_LOGIN), DEMO_LOGIN);
	cr_assert(raw_send_text(r, text));
	raw_half_close(r);
	n = raw_read_many(r, answers, 3);
	cr_assert_eq(n, 3, "%zu answers", n);
	for (i = 0; i < n; i++) {
		cr_expect_eq(answers[i].status, 200);
		raw_response_free(&answers[i]);
	}
	framing_closed("half-closed", r);
	raw_close(r);
	free(text);
	server_stop(s);
}

/* A request that ends in the middle is no request. */
Test(framing_order, half_a_request_is_not_answered_as_one)
{
	static const char *const rows[] = {GET, "GET /health",
	    GET LENGTH "5\r\n\r\nhell",
	    GET CODING "chunked\r\n\r\n5\r\nhello\r\n"};
	struct server *s = server_start(NULL);
	struct raw_response answer;
	struct raw *r;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		r = raw_connect(server_port(s));
		cr_assert(raw_send_text(r, rows[i]));
		raw_half_close(r);
		(void)raw_read(r, false, &answer);
		cr_expect_neq(answer.status, 200, "%s", rows[i]);
		raw_response_free(&answer);
		framing_closed(rows[i], r);
		raw_close(r);
		framing_control(server_port(s), rows[i]);
	}
	server_stop(s);
}
