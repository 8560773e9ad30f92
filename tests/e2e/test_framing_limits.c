/*
 * The connection front, its limits: each to the byte with its own status, and
 * nothing a client sends grows a worker.
 */
#include "test_framing.h"

TestSuite(framing_limits, .timeout = 90);

/* How much a flood sends (bytes), and how much it may cost (kB). */
#define FLOOD_LEN     (8 << 20)
#define FLOOD_COST_KB 1024

/* Refused or answered 200, as wanted. */
static void
expect_status(
    const struct server *s, const char *name, const char *text, int status)
{
	if (status == 200)
		framing_taken(server_port(s), name, text, strlen(text));
	else
		framing_refused(
		    server_port(s), name, text, strlen(text), status);
}

/* before + as many letters as fill len bytes + after. */
static char *
filled(const char *before, const char *after, size_t len)
{
	char *letters, *text;

	letters = text_repeat("a", len - strlen(before) - strlen(after));
	text = text_of("%s%s%s", before, letters, after);
	free(letters);
	return (text);
}

Test(framing_limits, first_byte_too_many_of_the_head_is_refused)
{
	static const char line[] = " HTTP/1.1\r\n" HOST "\r\n";
	struct server *s = framing_start();
	char *text;

	text = filled("GET /health?", line, HEAD_LEN);
	expect_status(s, "head of the limit", text, 200);
	free(text);
	text = filled("GET /health?", line, HEAD_LEN + 1);
	expect_status(s, "head over the limit", text, 431);
	free(text);
	text = filled(GET "X: ", "\r\n\r\n", HEAD_LEN);
	expect_status(s, "field of the limit", text, 200);
	free(text);
	text = filled(GET "X: ", "\r\n\r\n", HEAD_LEN + 1);
	expect_status(s, "field over the limit", text, 431);
	free(text);
	text = filled("GET /", "", HEAD_LEN + 1);
	expect_status(s, "endless target", text, 414);
	free(text);
	text = filled(GET, "", HEAD_LEN + 1);
	expect_status(s, "endless name", text, 431);
	free(text);
	text = filled("GET /health?", line, 2 * HEAD_LEN);
	expect_status(s, "twice the limit", text, 414);
	free(text);
	server_stop(s);
}

Test(framing_limits, hundred_fields_pass_and_a_thousand_do_not)
{
	struct server *s = framing_start();
	char *fields, *text;

	fields = text_repeat("X: a\r\n", 100);
	text = text_of(GET "%s\r\n", fields);
	expect_status(s, "100 fields", text, 200);
	free(text);
	free(fields);
	fields = text_repeat("X: a\r\n", 1000);
	text = text_of(GET "%s\r\n", fields);
	expect_status(s, "1000 fields", text, 431);
	free(text);
	free(fields);
	server_stop(s);
}

Test(framing_limits, first_byte_too_many_of_a_body_is_refused)
{
	struct server *s = framing_start();
	char *body, *text;

	body = text_repeat("a", BODY_LEN);
	text = text_of(GET LENGTH "%d\r\n\r\n%s", BODY_LEN, body);
	expect_status(s, "body of the limit", text, 200);
	free(text);
	text = text_of(
	    GET CODING "chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", BODY_LEN, body);
	expect_status(s, "chunk of the limit", text, 200);
	free(text);
	text = text_of(GET LENGTH "%d\r\n\r\n%sa", BODY_LEN + 1, body);
	expect_status(s, "body over the limit", text, 413);
	free(text);
	text =
	    text_of(GET CODING "chunked\r\n\r\n%x\r\n%s\r\n1\r\na\r\n0\r\n\r\n",
		BODY_LEN, body);
	expect_status(s, "chunks over the limit", text, 413);
	free(text);
	free(body);
	/* All of it is sent before the answer is read: it must not get lost. */
	body = text_repeat("a", 200000);
	text = text_of(POST LENGTH "200000\r\n\r\n%s", body);
	expect_status(s, "whole body sent", text, 413);
	free(text);
	free(body);
	expect_status(
	    s, "announced", GET LENGTH "999999999999999999\r\n\r\n", 413);
	expect_status(s, "chunk announced",
	    GET CODING "chunked\r\n\r\nFFFFFFFF\r\n", 413);
	expect_status(s, "login", POST LENGTH "16385\r\n\r\n", 413);
	server_stop(s);
}

Test(framing_limits, endless_chunk_extensions_and_trailers_are_refused)
{
	struct server *s = framing_start();
	char *text;

	text =
	    filled(GET CODING "chunked\r\n\r\n1;", "\r\na\r\n0\r\n\r\n", 4096);
	expect_status(s, "extension", text, 400);
	free(text);
	text = filled(GET CODING "chunked\r\n\r\n0\r\nX: ", "\r\n\r\n", 20000);
	expect_status(s, "trailer", text, 431);
	free(text);
	text = filled(GET CODING "chunked\r\n\r\n0\r\nX: ", "\r\n\r\n", 1000);
	expect_status(s, "short trailer", text, 200);
	free(text);
	server_stop(s);
}

/* The most memory that all workers ever had resident (kB). */
static long
workers_peak(const struct server *s)
{
	char path[64], *status, *line;
	pid_t pids[8];
	long sum = 0;
	size_t i, n;

	n = server_workers(s, pids, sizeof(pids) / sizeof(pids[0]));
	cr_assert_gt(n, 0);
	for (i = 0; i < n; i++) {
		(void)snprintf(
		    path, sizeof(path), "/proc/%d/status", (int)pids[i]);
		status = file_read(path, NULL);
		cr_assert_not_null(status);
		line = strstr(status, "VmHWM:");
		cr_assert_not_null(line);
		sum += strtol(line + strlen("VmHWM:"), NULL, 10);
		free(status);
	}
	return (sum);
}

/* Send a beginning and then as much more as the server takes. */
static void
flood(const struct server *s, const char *before, const char *letter)
{
	struct raw *r = raw_connect(server_port(s));
	char *letters = text_repeat(letter, 65536 / strlen(letter));
	size_t len = strlen(letters), sent;

	cr_assert(raw_send_text(r, before));
	for (sent = 0; sent < FLOOD_LEN; sent += len) {
		if (!raw_send(r, letters, len))
			break;
	}
	cr_expect(raw_read_close(r, NULL), "%s: not closed", before);
	raw_close(r);
	free(letters);
}

Test(framing_limits, flood_behind_a_request_costs_no_memory)
{
	static const struct {
		const char *before, *letter;
	} rows[] = {
	    {GET LENGTH "5\r\n\r\nhello", "a"},
	    {POST LENGTH "5\r\n\r\nhello", "a"},
	    {GET "\r\n", "\r\n"},
	    {GET "X: ", "a"},
	    {GET LENGTH "8388608\r\n\r\n", "a"},
	    {GET CODING "chunked\r\n\r\n", "1\r\na\r\n"},
	    {GET CODING "chunked\r\n\r\n1;", "a"},
	    {GET, "X:\r\n"},
	};
	struct server *s = framing_start();
	long before, after;
	size_t i;

	framing_control(server_port(s), "before");
	before = workers_peak(s);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		flood(s, rows[i].before, rows[i].letter);
	after = workers_peak(s);
	cr_expect_lt(
	    after - before, FLOOD_COST_KB, "%ld kB -> %ld kB", before, after);
	framing_control(server_port(s), "flood");
	server_stop(s);
}

/* The deadline is for the whole head or body: bytes that trickle in do not
 * move it. */
static void
trickle(const struct server *s, const char *name, const char *before)
{
	struct raw_response answer;
	struct raw *r = raw_connect(server_port(s));
	int i;

	cr_assert(raw_send_text(r, before));
	for (i = 0; i < 100 && !raw_readable(r, 100); i++) {
		if (!raw_send_text(r, "1"))
			break;
	}
	cr_expect_eq(raw_read(r, false, &answer), RAW_OK, "%s", name);
	check_member(name, &answer, 408, "error", "Request timeout");
	check_header(name, &answer, "Connection", "close");
	raw_response_free(&answer);
	framing_closed(name, r);
	raw_close(r);
	framing_control(server_port(s), name);
}

Test(framing_limits, slow_head_or_body_is_ended)
{
	static const struct server_options options = {
	    .config = "http_header_timeout 1\nhttp_body_timeout 1"};
	struct server *s = server_start(&options);

	trickle(s, "slow target", "GET /");
	trickle(s, "slow field", GET "X: ");
	trickle(s, "slow body", POST LENGTH "5000\r\n\r\n");
	server_stop(s);
}

Test(framing_limits, idle_connection_is_closed_without_an_answer)
{
	static const struct server_options options = {
	    .config = "http_keepalive_time 1"};
	struct server *s = server_start(&options);
	struct raw *r = raw_connect(server_port(s));
	struct raw_response answer;

	cr_assert(raw_send_text(r, GET "\r\n"));
	cr_assert_eq(raw_read(r, false, &answer), RAW_OK);
	check_json("first", &answer, 200, "{\"status\": \"ok\"}");
	raw_response_free(&answer);
	framing_closed("idle", r);
	raw_close(r);
	framing_control(server_port(s), "idle");
	server_stop(s);
}

/* A connection ends with its last request; those behind it are not served. */
Test(framing_limits, requests_of_one_connection_are_counted)
{
	static const char *const environment[] = {
	    "CORGI_REQUESTS_PER_CONNECTION=3", NULL};
	const struct server_options options = {.environment = environment};
	struct server *s = server_start(&options);
	struct raw *r = raw_connect(server_port(s));
	struct raw_response answer;
	int i;

	cr_assert(raw_send_text(
	    r, GET "\r\n" GET "\r\n" GET "\r\n" GET "\r\n" GET "\r\n"));
	for (i = 0; i < 3; i++) {
		cr_assert_eq(raw_read(r, false, &answer), RAW_OK);
		check_json("counted", &answer, 200, "{\"status\": \"ok\"}");
		check_header(
		    "counted", &answer, "Connection", i == 2 ? "close" : NULL);
		raw_response_free(&answer);
	}
	framing_closed("counted", r);
	raw_close(r);
	framing_control(server_port(s), "counted");
	server_stop(s);
}
