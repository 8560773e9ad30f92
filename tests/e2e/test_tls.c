/*
 * Requests through TLS 1.2 and 1.3: the same service, the same framing and the
 * same limits as on a plain listener.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <openssl/ssl.h>

#include "check.h"
#include "http.h"
#include "suite.h"
#include "tls_kit.h"
#include "tok.h"

TestSuite(tls, .timeout = 60);

#define HOST   "Host: localhost\r\n"
#define GET    "GET /health HTTP/1.1\r\n" HOST
#define LENGTH "Content-Length: "
#define CODING "Transfer-Encoding: "
#define POST                                                                   \
	"POST /login HTTP/1.1\r\n" HOST "Content-Type: application/json\r\n"
#define ALIVE "{\"status\": \"ok\"}"

/* Define a case twice, for each version: rows(server, version). */
#define BOTH_VERSIONS(name, rows)                                              \
	Test(tls, name##_1_2)                                                  \
	{                                                                      \
		rows(TLS1_2_VERSION);                                          \
	}                                                                      \
	Test(tls, name##_1_3)                                                  \
	{                                                                      \
		rows(TLS1_3_VERSION);                                          \
	}

/* One request and the status of its only answer. */
struct row {
	const char *name;
	const char *text;
	int status;
};

static char *login_request(const char *);
static char *guarded_request(const char *);
static void expect_row(int, const struct row *);

static char *
login_request(const char *more)
{
	return (text_of(POST "%s" LENGTH "%zu\r\n\r\n%s", more,
	    strlen(DEMO_LOGIN), DEMO_LOGIN));
}

static char *
guarded_request(const char *token)
{
	return (text_of("GET /protected HTTP/1.1\r\n" HOST
			"Authorization: Bearer %s\r\n\r\n",
	    token));
}

/* One refusal and the end, or one good answer. */
static void
expect_row(int port, const struct row *row)
{
	struct raw_response answer;
	struct raw *r = raw_connect(port);
	size_t extra = 0;

	(void)raw_send_text(r, row->text);
	(void)raw_read(r, false, &answer);
	tls_check_hsts(row->name, &answer);
	if (row->status == 200) {
		check_json(row->name, &answer, 200, ALIVE);
	} else {
		check_member(row->name, &answer, row->status, "error", "*");
		check_header(row->name, &answer, "Connection", "close");
		cr_expect(raw_read_close(r, &extra), "%s: open", row->name);
		cr_expect_eq(extra, 0, "%s: %zu bytes more", row->name, extra);
	}
	raw_response_free(&answer);
	raw_close(r);
}

/* A token is had and used; without it the route stays closed. */
static void
login_and_guarded(int version)
{
	struct tls_server t = tls_server_start(NULL, NULL);
	int port = tls_tunnel(t.port, version, 0);
	struct raw_response answer;
	char *text, *token;

	text = login_request("");
	(void)raw_exchange_text(port, text, &answer);
	tls_check_hsts("login", &answer);
	check_tokens("login", &answer);
	raw_response_free(&answer);
	free(text);
	token = http_token(server_port(t.s));
	text = guarded_request(token);
	(void)raw_exchange_text(port, text, &answer);
	tls_check_hsts("guarded", &answer);
	check_json("guarded", &answer, 200, PROTECTED_JSON);
	raw_response_free(&answer);
	free(text);
	text = guarded_request("a.b.c");
	(void)raw_exchange_text(port, text, &answer);
	tls_check_hsts("bad token", &answer);
	check_member("bad token", &answer, 422, "msg", "*");
	raw_response_free(&answer);
	(void)raw_exchange_text(
	    port, "GET /protected HTTP/1.1\r\n" HOST "\r\n", &answer);
	tls_check_hsts("no token", &answer);
	check_member("no token", &answer, 401, "msg", "*");
	raw_response_free(&answer);
	free(text);
	free(token);
	tls_server_stop(&t);
}

BOTH_VERSIONS(login_opens_the_guarded_route, login_and_guarded)

/* All in one record: a login that has to wait, and what comes behind it. */
static void
pipelined(int version)
{
	struct tls_server t = tls_server_start(NULL, NULL);
	struct raw *r = raw_connect(tls_tunnel(t.port, version, 0));
	struct raw_response answers[22];
	char *login, *many, *text;
	size_t i, n;

	login = login_request("");
	many = text_repeat(GET "\r\n", 20);
	text = text_of("%s%sGET /last HTTP/1.1\r\n" HOST "\r\n", login, many);
	cr_assert(raw_send_text(r, text));
	n = raw_read_many(r, answers, 22);
	cr_expect_eq(n, 22, "%zu answers", n);
	for (i = 0; i < n; i++) {
		tls_check_hsts("pipelined", &answers[i]);
		if (i == 0)
			check_tokens("first", &answers[i]);
		else if (i == 21)
			check_member("last", &answers[i], 404, "error", "*");
		else
			check_json("between", &answers[i], 200, ALIVE);
		raw_response_free(&answers[i]);
	}
	cr_expect(!raw_readable(r, 100), "more than was asked for");
	raw_close(r);
	free(text);
	free(many);
	free(login);
	tls_server_stop(&t);
}

BOTH_VERSIONS(pipelined_requests_are_answered_in_order, pipelined)

/* Every byte of handshake and records in a segment of its own, and every byte
 * of a request in a record of its own. */
static void
in_cuts(int version)
{
	struct tls_server t = tls_server_start(NULL, NULL);
	struct raw_response answer;
	char *text = login_request("");
	struct raw *r;
	int cut;

	for (cut = 0; cut < 2; cut++) {
		r = raw_connect(tls_tunnel(t.port, version, (size_t)cut));
		if (cut == 1)
			cr_expect(raw_send_text(r, text));
		else
			cr_expect(raw_send_cuts(r, text, strlen(text), 1, 200));
		cr_expect(raw_read(r, false, &answer) == RAW_OK);
		tls_check_hsts("login", &answer);
		check_tokens("login", &answer);
		raw_response_free(&answer);
		cr_expect(raw_send_text(r, GET "\r\n"));
		cr_expect(raw_read(r, false, &answer) == RAW_OK);
		tls_check_hsts("next", &answer);
		check_json("next", &answer, 200, ALIVE);
		raw_response_free(&answer);
		raw_close(r);
	}
	free(text);
	tls_server_stop(&t);
}

BOTH_VERSIONS(cuts_of_one_byte_change_nothing, in_cuts)

/* A body of the limit fills a record; what is behind it starts the next. */
static void
large_records(int version)
{
	struct tls_server t = tls_server_start(NULL, NULL);
	struct raw *r = raw_connect(tls_tunnel(t.port, version, 0));
	struct raw_response answers[3];
	char *body, *text;
	size_t i, n;

	body = text_repeat("a", 16384);
	text = text_of(GET LENGTH "16384\r\n\r\n%s" GET LENGTH
				  "16384\r\n\r\n%s" GET "\r\n",
	    body, body);
	cr_assert(raw_send_text(r, text));
	n = raw_read_many(r, answers, 3);
	cr_expect_eq(n, 3, "%zu answers", n);
	for (i = 0; i < n; i++) {
		tls_check_hsts("large", &answers[i]);
		check_json("large", &answers[i], 200, ALIVE);
		raw_response_free(&answers[i]);
	}
	raw_close(r);
	free(text);
	free(body);
	tls_server_stop(&t);
}

BOTH_VERSIONS(bodies_larger_than_a_record_are_read, large_records)

static void
smuggled(int version)
{
	static const struct row rows[] = {
	    {"control", GET "\r\n", 200},
	    {"length and coding",
		GET LENGTH "4\r\n" CODING "chunked\r\n\r\n0\r\n\r\n", 400},
	    {"coding and length",
		GET CODING "chunked\r\n" LENGTH "4\r\n\r\n0\r\n\r\n", 400},
	    {"unequal lengths", GET LENGTH "4\r\n" LENGTH "5\r\n\r\nabcde",
		400},
	    {"signed length", GET LENGTH "+4\r\n\r\nabcd", 400},
	    {"chunked twice", GET CODING "chunked, chunked\r\n\r\n0\r\n\r\n",
		400},
	    {"blank before colon", GET "Content-Length : 4\r\n\r\nabcd", 400},
	    {"folded", GET "X: a\r\n b\r\n\r\n", 400},
	    {"bare LF", GET "X: a\n\r\n", 400},
	    {"two hosts", GET "Host: b\r\n\r\n", 400},
	    {"no host", "GET /health HTTP/1.1\r\n\r\n", 400},
	    {"bad chunk", GET CODING "chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n",
		400},
	    {"good chunk", GET CODING "chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
		200},
	};
	struct tls_server t = tls_server_start(NULL, NULL);
	int port = tls_tunnel(t.port, version, 0);
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_row(port, &rows[i]);
	tls_expect_health(port, "after");
	tls_server_stop(&t);
}

BOTH_VERSIONS(smuggling_is_refused, smuggled)

static void
over_the_limits(int version)
{
	struct tls_server t = tls_server_start(NULL, NULL);
	int port = tls_tunnel(t.port, version, 0);
	struct row row;
	char *long_text, *text;

	long_text = text_repeat("a", 40000);
	row.name = "target";
	row.status = 414;
	text = text_of("GET /%s HTTP/1.1\r\n" HOST "\r\n", long_text);
	row.text = text;
	expect_row(port, &row);
	free(text);
	row.name = "field";
	row.status = 431;
	text = text_of(GET "X: %s\r\n\r\n", long_text);
	row.text = text;
	expect_row(port, &row);
	free(text);
	row.name = "body";
	row.status = 413;
	text = text_of(POST LENGTH "40000\r\n\r\n%s", long_text);
	row.text = text;
	expect_row(port, &row);
	free(text);
	free(long_text);
	tls_expect_health(port, "after");
	tls_server_stop(&t);
}

BOTH_VERSIONS(too_large_requests_are_refused, over_the_limits)

/* A client that ends its side behind its request still gets the answer. */
static void
half_closed(int version)
{
	struct tls_server t = tls_server_start(NULL, NULL);
	int port = tls_tunnel(t.port, version, 0);
	struct raw_response answer;
	char *text = login_request("");
	struct raw *r = raw_connect(port);

	cr_expect(raw_send_text(r, text));
	raw_half_close(r);
	cr_expect(raw_read(r, false, &answer) == RAW_OK, "no answer");
	tls_check_hsts("login", &answer);
	check_tokens("login", &answer);
	raw_response_free(&answer);
	cr_expect(raw_read_close(r, NULL), "not closed");
	raw_close(r);
	r = raw_connect(port);
	cr_expect(raw_send_text(r, GET "\r\n" GET "\r\n"));
	raw_half_close(r);
	cr_expect(raw_read(r, false, &answer) == RAW_OK);
	raw_response_free(&answer);
	cr_expect(raw_read(r, false, &answer) == RAW_OK, "no second answer");
	raw_response_free(&answer);
	raw_close(r);
	free(text);
	tls_server_stop(&t);
}

BOTH_VERSIONS(half_closed_connection_gets_its_answers, half_closed)

/* Deadlines are those of a plain listener. */
static void
too_slow(int version)
{
	struct tls_server t = tls_server_start(NULL,
	    "http_header_timeout 1\nhttp_body_timeout 1\n"
	    "http_keepalive_time 1");
	int port = tls_tunnel(t.port, version, 0);
	struct raw_response answer;
	struct raw *r = raw_connect(port);
	int i;

	cr_expect(raw_send_text(r, GET "X: "));
	for (i = 0; i < 100 && !raw_readable(r, 100); i++)
		(void)raw_send_text(r, "1");
	cr_expect(raw_read(r, false, &answer) == RAW_OK, "slow head");
	tls_check_hsts("slow head", &answer);
	check_member("slow head", &answer, 408, "error", "Request timeout");
	raw_response_free(&answer);
	raw_close(r);
	r = raw_connect(port);
	cr_expect(raw_send_text(r, GET "\r\n"));
	cr_expect(raw_read(r, false, &answer) == RAW_OK);
	raw_response_free(&answer);
	cr_expect(raw_read_close(r, NULL), "idle and open");
	raw_close(r);
	tls_expect_health(port, "after");
	tls_server_stop(&t);
}

BOTH_VERSIONS(slow_head_and_idle_connection_are_ended, too_slow)

/* A client that takes no answers is not given more of them, and holds nobody
 * up; once it reads, it gets what it asked for. */
static void
unread(int version)
{
	static const char *const environment[] = {
	    "CORGI_REQUESTS_PER_CONNECTION=0", NULL};
	struct tls_server t = tls_server_start(environment, NULL);
	int port = tls_tunnel(t.port, version, 0);
	struct raw *r = raw_connect(port);
	char *text = text_repeat(GET "\r\n", 500);
	struct raw_response answer;
	int status = 0;
	size_t n;

	raw_set_wait(r, 500);
	for (n = 0; n < 3000 && raw_send_text(r, text); n++)
		continue;
	cr_expect_lt(n, 3000, "everything was taken");
	tls_expect_health(port, "beside");
	raw_set_wait(r, RAW_WAIT_MS);
	for (n = 0; n < 5000; n++) {
		status =
		    raw_read(r, false, &answer) == RAW_OK ? answer.status : 0;
		raw_response_free(&answer);
		if (status != 200)
			break;
	}
	cr_expect_eq(n, 5000, "answer %zu: %d", n, status);
	raw_close(r);
	free(text);
	tls_server_stop(&t);
}

BOTH_VERSIONS(client_that_does_not_read_is_not_sent_more, unread)

/* SIGTERM: a login under way is answered, and the connection ends. */
static void
drained(int version)
{
	static const char *const environment[] = {
	    "CORGI_ARGON2_PASSES=12", "CORGI_SHUTDOWN_SECONDS=10", NULL};
	struct tls_server t = tls_server_start(environment, NULL);
	struct raw *r = raw_connect(tls_tunnel(t.port, version, 0));
	struct raw_response answer;
	char *text = login_request("");
	char *pair = text_of(GET "\r\n%s", text);

	raw_set_wait(r, 20000);
	cr_expect(raw_send_text(r, pair));
	cr_expect(raw_read(r, false, &answer) == RAW_OK);
	raw_response_free(&answer);
	cr_expect(kill(server_pid(t.s), SIGTERM) == 0);
	cr_expect(raw_read(r, false, &answer) == RAW_OK, "no answer");
	tls_check_hsts("login", &answer);
	check_tokens("login", &answer);
	check_header("login", &answer, "Connection", "close");
	raw_response_free(&answer);
	cr_expect(raw_read_close(r, NULL));
	raw_close(r);
	cr_expect(server_wait(t.s, 10000) == 0);
	free(pair);
	free(text);
	tls_server_stop(&t);
}

BOTH_VERSIONS(login_under_way_is_answered_at_the_stop, drained)
