/*
 * Behind a proxy: whose word about the client's address is believed, seen in
 * the log, and the service behind the real nginx.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "check.h"
#include "http.h"
#include "nginx.h"
#include "suite.h"
#include "tok.h"

TestSuite(proxy, .timeout = 60);

#define GET       "GET /protected HTTP/1.1\r\nHost: localhost\r\n"
#define XFF       "X-Forwarded-For: "
#define FORWARDED "Forwarded: "

/* The line of a refusal, up to the address. */
#define REFUSED "refused /protected from "

/* Header lines, and the address that is to be found in the log. */
struct hop_row {
	const char *headers;
	const char *address;
};

static char *
refused_from(const struct server *, int, const char *, const char *);
static void expect_rows(
    const struct server *, int, const char *, const struct hop_row *, size_t);
static struct server *start_trusting(const char *);
static size_t sockets_of(int);

/*
 * The address that the log names for a refusal of a request with these header
 * lines, sent from an address to a port: that of the service, or of the proxy
 * before it.
 */
static char *
refused_from(
    const struct server *s, int port, const char *from, const char *headers)
{
	struct raw_response answer;
	struct raw *r = raw_connect_from(port, from);
	char *address, *at, *log, *text;
	long long end;
	size_t before;

	log = server_log(s);
	before = strlen(log);
	free(log);
	text = text_of(GET "%sConnection: close\r\n\r\n", headers);
	cr_expect(raw_send_text(r, text));
	cr_expect(raw_read(r, false, &answer) == RAW_OK, "%s", headers);
	cr_expect_eq(answer.status, 401, "%s: %d", headers, answer.status);
	raw_response_free(&answer);
	raw_close(r);
	free(text);
	address = NULL;
	end = now_ms() + 5000;
	while (address == NULL && now_ms() < end) {
		log = server_log(s);
		at = strstr(log + before, REFUSED);
		if (at != NULL && strchr(at, '\n') != NULL) {
			at += strlen(REFUSED);
			address = strndup(at, strcspn(at, " \n"));
			address[strlen(address) - 1] = '\0';
		}
		free(log);
		if (address == NULL)
			sleep_ms(5);
	}
	return (address == NULL ? strdup("") : address);
}

static void
expect_rows(const struct server *s, int port, const char *from,
    const struct hop_row *rows, size_t n)
{
	char *address;
	size_t i;

	for (i = 0; i < n; i++) {
		address = refused_from(s, port, from, rows[i].headers);
		cr_expect_str_eq(
		    address, rows[i].address, "%s", rows[i].headers);
		free(address);
	}
}

#define ROWS(s, port, rows)                                                    \
	expect_rows((s), (port), NULL, (rows), sizeof(rows) / sizeof((rows)[0]))

static struct server *
start_trusting(const char *proxies)
{
	char *setting = text_of("CORGI_TRUSTED_PROXIES=%s", proxies);
	struct server *s = suite_start_with("flask", setting, NULL);

	free(setting);
	return (s);
}

Test(proxy, without_trusted_proxies_nobody_is_believed)
{
	static const struct hop_row rows[] = {
	    {"", "127.0.0.1"},
	    {XFF "203.0.113.7\r\n", "127.0.0.1"},
	    {FORWARDED "for=203.0.113.7\r\n", "127.0.0.1"},
	    {XFF "203.0.113.7\r\n" FORWARDED "for=203.0.113.7\r\n",
		"127.0.0.1"},
	    {"X-Real-IP: 203.0.113.7\r\n", "127.0.0.1"},
	};
	struct server *s = suite_start("flask");

	ROWS(s, server_port(s), rows);
	cr_expect(server_stop(s) == 0);
}

/* The peer is none of those that are trusted. */
Test(proxy, stranger_is_not_believed)
{
	static const struct hop_row rows[] = {
	    {XFF "203.0.113.7\r\n", "127.0.0.1"},
	    {FORWARDED "for=203.0.113.7\r\n", "127.0.0.1"},
	};
	struct server *s = start_trusting("192.0.2.1,10.0.0.0/8,127.0.0.2");

	ROWS(s, server_port(s), rows);
	cr_expect(server_stop(s) == 0);
}

/* Only what trusted hops have added counts: read from the right, the first
 * address that is no proxy. */
Test(proxy, right_hop_is_taken_from_x_forwarded_for)
{
	static const struct hop_row rows[] = {
	    {"", "127.0.0.1"},
	    {XFF "203.0.113.7\r\n", "203.0.113.7"},
	    {"x-forwarded-for:203.0.113.7  \r\n", "203.0.113.7"},
	    {XFF "198.51.100.1, 203.0.113.7\r\n", "203.0.113.7"},
	    {XFF "127.0.0.1, 10.0.0.1, 203.0.113.7\r\n", "203.0.113.7"},
	    {XFF "203.0.113.7, 10.1.2.3\r\n", "203.0.113.7"},
	    {XFF "198.51.100.1,203.0.113.7,10.1.2.3,10.9.9.9\r\n",
		"203.0.113.7"},
	    {XFF "10.0.0.1, 10.0.0.2\r\n", "10.0.0.1"},
	    {XFF "203.0.113.7\r\n" XFF "10.0.0.2\r\n", "203.0.113.7"},
	    {XFF "198.51.100.1\r\nX: a\r\n" XFF "203.0.113.7\r\n",
		"203.0.113.7"},
	    {XFF "203.0.113.7, 2001:db8:1::1\r\n", "203.0.113.7"},
	    {XFF "203.0.113.7, 2001:db8:2::1\r\n", "2001:db8:2::1"},
	    {XFF "2001:DB8:2:0::7\r\n", "2001:db8:2::7"},
	    {XFF "[2001:db8:2::7]\r\n", "2001:db8:2::7"},
	    {XFF "[2001:db8:2::7]:443\r\n", "2001:db8:2::7"},
	    {XFF "203.0.113.7:8080\r\n", "203.0.113.7"},
	    {XFF "::ffff:203.0.113.7\r\n", "203.0.113.7"},
	    {XFF "203.0.113.7, ::ffff:10.0.0.1\r\n", "203.0.113.7"},
	};
	struct server *s =
	    start_trusting("127.0.0.1,10.0.0.0/8,2001:db8:1::/48");

	ROWS(s, server_port(s), rows);
	cr_expect(server_stop(s) == 0);
}

Test(proxy, right_hop_is_taken_from_forwarded)
{
	static const struct hop_row rows[] = {
	    {FORWARDED "for=203.0.113.7\r\n", "203.0.113.7"},
	    {FORWARDED "For=\"203.0.113.7\"\r\n", "203.0.113.7"},
	    {FORWARDED "for=203.0.113.7;proto=https;by=10.0.0.1\r\n",
		"203.0.113.7"},
	    {FORWARDED "proto=https; for=203.0.113.7\r\n", "203.0.113.7"},
	    {FORWARDED "for=198.51.100.1, for=203.0.113.7\r\n", "203.0.113.7"},
	    {FORWARDED "for=203.0.113.7, for=10.0.0.1\r\n", "203.0.113.7"},
	    {FORWARDED "for=203.0.113.7\r\n" FORWARDED "for=10.0.0.1\r\n",
		"203.0.113.7"},
	    {FORWARDED "for=\"[2001:db8:2::7]:443\"\r\n", "2001:db8:2::7"},
	    {FORWARDED "for=\"203.0.113.7:80\"\r\n", "203.0.113.7"},
	    {FORWARDED "by=203.0.113.7\r\n", "127.0.0.1"},
	    {FORWARDED "for=unknown\r\n", "127.0.0.1"},
	    {FORWARDED "for=_hidden, for=10.0.0.1\r\n", "10.0.0.1"},
	};
	struct server *s = start_trusting("127.0.0.0/8,10.0.0.0/8");

	ROWS(s, server_port(s), rows);
	cr_expect(server_stop(s) == 0);
}

/* What is no address ends the search at the last hop that was believed; it is
 * never written into the log. */
Test(proxy, garbage_is_never_an_address)
{
	static const struct hop_row rows[] = {
	    {XFF "203.0.113.7\r\n", "203.0.113.7"},
	    {XFF "\r\n", "127.0.0.1"},
	    {XFF ",\r\n", "127.0.0.1"},
	    {XFF "203.0.113.7,\r\n", "127.0.0.1"},
	    {XFF "unknown\r\n", "127.0.0.1"},
	    {XFF "203.0.113.7, unknown\r\n", "127.0.0.1"},
	    {XFF "203.0.113.7, unknown, 10.0.0.1\r\n", "10.0.0.1"},
	    {XFF "999.1.1.1\r\n", "127.0.0.1"},
	    {XFF "1.2.3\r\n", "127.0.0.1"},
	    {XFF "0x7f.1\r\n", "127.0.0.1"},
	    {XFF "203.0.113.7 198.51.100.1\r\n", "127.0.0.1"},
	    {XFF "[2001:db8::7\r\n", "127.0.0.1"},
	    {XFF "fe80::1%eth0\r\n", "127.0.0.1"},
	    {XFF "203.0.113.7/8\r\n", "127.0.0.1"},
	    {XFF "\"203.0.113.7\r\n", "127.0.0.1"},
	    {XFF "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n",
		"127.0.0.1"},
	    {XFF "\xff\xfe\r\n", "127.0.0.1"},
	    {FORWARDED "for=\r\n", "127.0.0.1"},
	    {FORWARDED "for\r\n", "127.0.0.1"},
	    {FORWARDED ";;,;\r\n", "127.0.0.1"},
	    {FORWARDED "for=\"203.0.113.7\r\n", "127.0.0.1"},
	};
	struct server *s = start_trusting("127.0.0.1,10.0.0.0/8");

	ROWS(s, server_port(s), rows);
	cr_expect(server_stop(s) == 0);
}

/* A proxy writes one of the two headers and may let the client's other one
 * pass: where they disagree, neither is believed. */
Test(proxy, two_headers_that_disagree_are_not_believed)
{
	static const struct hop_row rows[] = {
	    {XFF "203.0.113.7\r\n", "203.0.113.7"},
	    {FORWARDED "for=198.51.100.1\r\n", "198.51.100.1"},
	    {XFF "203.0.113.7\r\n" FORWARDED "for=203.0.113.7\r\n",
		"203.0.113.7"},
	    {XFF "203.0.113.7\r\n" FORWARDED "for=198.51.100.1\r\n",
		"127.0.0.1"},
	    {FORWARDED "for=198.51.100.1\r\n" XFF "203.0.113.7\r\n",
		"127.0.0.1"},
	    {FORWARDED "for=unknown\r\n" XFF "203.0.113.7\r\n", "127.0.0.1"},
	};
	struct server *s = start_trusting("127.0.0.1,10.0.0.0/8");

	ROWS(s, server_port(s), rows);
	cr_expect(server_stop(s) == 0);
}

/* The usual set-up: kept connections to the service, the client's address
 * added to X-Forwarded-For; /new is the same without kept connections. */
static struct nginx *
start_nginx(const struct server *s)
{
	static const char headers[] =
	    "proxy_http_version 1.1;\n"
	    "proxy_set_header Host $host;\n"
	    "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n";
	char *conf = text_of("upstream corgi {\n"
			     "	server 127.0.0.1:%d;\n"
			     "	keepalive 4;\n"
			     "}\n"
			     "upstream fresh { server 127.0.0.1:%d; }\n"
			     "large_client_header_buffers 8 16k;\n"
			     "server {\n"
			     "	listen 127.0.0.1:@PORT@;\n"
			     "	location / {\n"
			     "		%s"
			     "		proxy_set_header Connection \"\";\n"
			     "		proxy_pass http://corgi;\n"
			     "	}\n"
			     "	location /new/ {\n"
			     "		%s"
			     "		proxy_set_header Connection close;\n"
			     "		proxy_pass http://fresh/;\n"
			     "	}\n"
			     "}\n",
	    server_port(s), server_port(s), headers, headers);
	struct nginx *n = nginx_start(conf);

	free(conf);
	return (n);
}

/* nginx names itself in Server: the rest is the service's answer. */
static void
hide_server(const char *row, struct raw_response *answer)
{
	size_t i;

	for (i = 0; i < answer->nfields; i++) {
		if (strcmp(answer->fields[i].name, "Server") == 0) {
			cr_expect(
			    strncmp(answer->fields[i].value, "nginx", 5) == 0,
			    "%s: %s", row, answer->fields[i].value);
			answer->fields[i].name[0] = '-';
		}
	}
}

static void
through(int port, const char *row, const char *text, bool head,
    struct raw_response *answer)
{
	(void)raw_exchange(port, text, strlen(text), head, answer);
	hide_server(row, answer);
}

Test(proxy, nginx_carries_every_kind_of_request)
{
	struct server *s = start_trusting("127.0.0.1");
	struct nginx *n = start_nginx(s);
	int port = nginx_port(n);
	struct raw_response answer;
	char *text, *token;

	token = http_token(port);
	text = text_of(GET "Authorization: Bearer %s\r\n\r\n", token);
	through(port, "guarded", text, false, &answer);
	check_json("guarded", &answer, 200, PROTECTED_JSON);
	raw_response_free(&answer);
	free(text);
	through(port, "no token", GET "\r\n", false, &answer);
	check_member(
	    "no token", &answer, 401, "msg", "Missing Authorization Header");
	raw_response_free(&answer);
	text = text_of("HEAD /protected HTTP/1.1\r\nHost: a\r\n"
		       "Authorization: Bearer %s\r\n\r\n",
	    token);
	through(port, "HEAD", text, true, &answer);
	check_house("HEAD", &answer);
	cr_expect_eq(answer.status, 200, "HEAD: %d", answer.status);
	cr_expect(raw_header(&answer, "content-length") != NULL, "HEAD");
	raw_response_free(&answer);
	free(text);
	through(port, "OPTIONS",
	    "OPTIONS /protected HTTP/1.1\r\nHost: a\r\n\r\n", false, &answer);
	cr_expect_eq(answer.status, 200, "OPTIONS: %d", answer.status);
	check_header("OPTIONS", &answer, "Allow", "GET, HEAD, OPTIONS");
	raw_response_free(&answer);
	through(port, "wrong method",
	    "DELETE /protected HTTP/1.1\r\nHost: a\r\n\r\n", false, &answer);
	check_member("wrong method", &answer, 405, "error", "*");
	raw_response_free(&answer);
	through(port, "unknown", "GET /unknown HTTP/1.1\r\nHost: a\r\n\r\n",
	    false, &answer);
	check_member("unknown", &answer, 404, "error", "Not found");
	raw_response_free(&answer);
	free(token);
	nginx_stop(n);
	cr_expect(server_stop(s) == 0);
}

/* Chunked towards nginx; and once more with nginx passing the chunks on. */
Test(proxy, chunked_login_arrives_whole)
{
	struct server *s = start_trusting("127.0.0.1");
	struct nginx *n = start_nginx(s);
	struct raw_response answer;
	char *text;

	text = text_of("POST /login HTTP/1.1\r\nHost: a\r\n"
		       "Content-Type: application/json\r\n"
		       "Transfer-Encoding: chunked\r\n\r\n"
		       "5\r\n%.5s\r\n%zx\r\n%s\r\n0\r\n\r\n",
	    DEMO_LOGIN, strlen(DEMO_LOGIN) - 5, DEMO_LOGIN + 5);
	through(nginx_port(n), "chunked", text, false, &answer);
	check_tokens("chunked", &answer);
	raw_response_free(&answer);
	free(text);
	text = text_of("POST /login HTTP/1.1\r\nHost: a\r\n"
		       "Content-Type: application/json\r\n"
		       "Transfer-Encoding: chunked\r\n\r\n"
		       "%zx\r\n%s \r\n5\r\ntrail\r\n0\r\n\r\n",
	    strlen(DEMO_LOGIN) + 1, DEMO_LOGIN);
	through(nginx_port(n), "trailing", text, false, &answer);
	check_member("trailing", &answer, 400, "error", "*");
	raw_response_free(&answer);
	free(text);
	nginx_stop(n);
	cr_expect(server_stop(s) == 0);
}

/* Sockets, waiting ones included, with the port at either end. */
static size_t
sockets_of(int port)
{
	char *at, *line, *table, ends[2][16];
	size_t n;

	table = file_read("/proc/net/tcp", NULL);
	cr_assert_not_null(table);
	n = 0;
	(void)snprintf(ends[0], sizeof(ends[0]), "0100007F:%04X", port);
	for (line = strtok_r(table, "\n", &at); line != NULL;
	     line = strtok_r(NULL, "\n", &at)) {
		if (strstr(line, ends[0]) != NULL)
			n++;
	}
	free(table);
	return (n);
}

/* A hundred requests need no hundred connections; where they are not kept,
 * as the control, they do. */
Test(proxy, upstream_connections_are_kept)
{
	struct server *s = start_trusting("127.0.0.1");
	struct nginx *n = start_nginx(s);
	char *kept, *fresh, *token = http_token(server_port(s));
	struct raw_response answer;
	size_t before, between, after;
	int i;

	kept = text_of(GET "Authorization: Bearer %s\r\n\r\n", token);
	fresh = text_of("GET /new/protected HTTP/1.1\r\nHost: a\r\n"
			"Authorization: Bearer %s\r\n\r\n",
	    token);
	before = sockets_of(server_port(s));
	for (i = 0; i < 100; i++) {
		through(nginx_port(n), "kept", kept, false, &answer);
		check_json("kept", &answer, 200, PROTECTED_JSON);
		raw_response_free(&answer);
	}
	between = sockets_of(server_port(s));
	for (i = 0; i < 30; i++) {
		through(nginx_port(n), "fresh", fresh, false, &answer);
		check_json("fresh", &answer, 200, PROTECTED_JSON);
		raw_response_free(&answer);
	}
	after = sockets_of(server_port(s));
	cr_expect_lt(between, before + 10, "%zu -> %zu", before, between);
	cr_expect_geq(after, between + 20, "%zu -> %zu", between, after);
	free(fresh);
	free(kept);
	free(token);
	nginx_stop(n);
	cr_expect(server_stop(s) == 0);
}

Test(proxy, token_is_found_behind_large_headers)
{
	struct server *s = start_trusting("127.0.0.1");
	struct nginx *n = start_nginx(s);
	char *cookie, *large, *text, *token = http_token(server_port(s));
	struct raw_response answer;

	cookie = text_repeat("a", 12000);
	text = text_of(GET "Cookie: %s\r\nAuthorization: Bearer %s\r\n\r\n",
	    cookie, token);
	through(nginx_port(n), "large", text, false, &answer);
	check_json("large", &answer, 200, PROTECTED_JSON);
	raw_response_free(&answer);
	free(text);
	large =
	    text_of(GET "A: %s\r\nB: %s\r\nAuthorization: Bearer %s\r\n\r\n",
		cookie, cookie, token);
	through(nginx_port(n), "too large", large, false, &answer);
	check_member("too large", &answer, 431, "error", "*");
	raw_response_free(&answer);
	free(large);
	free(cookie);
	free(token);
	nginx_stop(n);
	cr_expect(server_stop(s) == 0);
}

/* nginx appends the address of its own client: that is the one. */
Test(proxy, nginx_is_believed_and_its_client_is_not)
{
	static const struct hop_row rows[] = {
	    {"", "127.0.0.3"},
	    {XFF "203.0.113.7\r\n", "127.0.0.3"},
	    {XFF "203.0.113.7, 127.0.0.1\r\n", "127.0.0.3"},
	    {XFF "unknown\r\n", "127.0.0.3"},
	    {"X-Real-IP: 203.0.113.7\r\n", "127.0.0.3"},
	    {FORWARDED "for=127.0.0.3\r\n", "127.0.0.3"},
	    {FORWARDED "for=203.0.113.7\r\n", "127.0.0.1"},
	};
	struct server *s = start_trusting("127.0.0.1");
	struct nginx *n = start_nginx(s);

	expect_rows(s, nginx_port(n), "127.0.0.3", rows,
	    sizeof(rows) / sizeof(rows[0]));
	nginx_stop(n);
	cr_expect(server_stop(s) == 0);
}
