/*
 * The TLS listener itself: which handshakes it takes, what becomes of those
 * that never end or are none, and what is said through it alone.
 */
#include <sys/resource.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <openssl/ssl.h>

#include "check.h"
#include "tls_kit.h"
#include "tok.h"

TestSuite(tls_handshake, .timeout = 60);

#define HOST "Host: localhost\r\n"
#define GET  "GET /health HTTP/1.1\r\n" HOST

/* Most handshakes of a worker at once. */
#define HANDSHAKES_MAX 4096

/* The plain listener beside it never claims to be safe. */
Test(tls_handshake, hsts_is_sent_through_tls_only)
{
	struct tls_server t = tls_server_start(NULL, NULL);
	int port = tls_tunnel(t.port, TLS1_3_VERSION, 0);
	static const char *const texts[] = {GET "\r\n",
	    "GET /protected HTTP/1.1\r\n" HOST "\r\n",
	    "GET /unknown HTTP/1.1\r\n" HOST "\r\n", "GARBAGE\r\n\r\n"};
	struct raw_response answer;
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		(void)raw_exchange_text(port, texts[i], &answer);
		check_header(
		    texts[i], &answer, "strict-transport-security", HSTS);
		raw_response_free(&answer);
		(void)raw_exchange_text(server_port(t.s), texts[i], &answer);
		check_house(texts[i], &answer);
		raw_response_free(&answer);
	}
	tls_server_stop(&t);
}

/* The refusal is the server's: it answers with the alert for versions. */
Test(tls_handshake, versions_before_1_2_are_refused)
{
	static const struct {
		int version;
		const char *name; /* NULL: refused */
	} rows[] = {{TLS1_2_VERSION, "TLSv1.2"}, {TLS1_3_VERSION, "TLSv1.3"},
	    {TLS1_1_VERSION, NULL}, {TLS1_VERSION, NULL}};
	struct tls_server t = tls_server_start(NULL, NULL);
	struct tls_result result;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		result = tls_handshake(t.port, rows[i].version, NULL);
		cr_expect_eq(result.ok, rows[i].name != NULL, "row %zu", i);
		if (rows[i].name != NULL) {
			cr_expect_str_eq(result.version, rows[i].name);
			cr_expect_str_eq(result.name, "first");
		} else {
			cr_expect_eq(result.reason,
			    SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, "reason %d",
			    result.reason);
		}
	}
	tls_server_stop(&t);
}

Test(tls_handshake, http_1_1_is_the_only_protocol_by_alpn)
{
	static const struct {
		const char *offer;
		const char *chosen; /* NULL: refused */
	} rows[] = {{NULL, ""}, {"\x08http/1.1", "http/1.1"},
	    {"\x02h2\x08http/1.1", "http/1.1"}, {"\x02h2", NULL},
	    {"\x08http/1.0", NULL}};
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	struct tls_server t = tls_server_start(NULL, NULL);
	struct tls_result result;
	size_t i, k;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (k = 0; k < 2; k++) {
			result =
			    tls_handshake(t.port, versions[k], rows[i].offer);
			cr_expect_eq(result.ok, rows[i].chosen != NULL,
			    "row %zu: %d", i, result.reason);
			if (rows[i].chosen != NULL)
				cr_expect_str_eq(result.alpn, rows[i].chosen);
			else
				cr_expect_eq(result.reason,
				    SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL,
				    "row %zu: %d", i, result.reason);
		}
	}
	tls_server_stop(&t);
}

/* Silent, stuck in the middle, or trickling: closed at the deadline. */
Test(tls_handshake, handshake_without_an_end_is_closed)
{
	static const char hello[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03";
	struct tls_server t = tls_server_start(NULL, "http_header_timeout 1");
	int port = tls_tunnel(t.port, TLS1_3_VERSION, 0);
	struct raw *clients[3];
	size_t extra;
	int i;

	for (i = 0; i < 3; i++)
		clients[i] = raw_connect(t.port);
	cr_expect(raw_send(clients[1], hello, sizeof(hello) - 1));
	cr_expect(raw_send(clients[2], hello, sizeof(hello) - 1));
	tls_expect_health(port, "beside");
	for (i = 0; i < 100 && !raw_readable(clients[2], 100); i++)
		(void)raw_send(clients[2], "\x03", 1);
	for (i = 0; i < 3; i++) {
		extra = 0;
		cr_expect(raw_read_close(clients[i], &extra), "%d: open", i);
		cr_expect_eq(extra, 0, "%d: %zu bytes", i, extra);
		raw_close(clients[i]);
	}
	tls_expect_health(port, "after");
	tls_server_stop(&t);
}

/* What is no TLS is closed, and nothing of it is taken for a request. */
Test(tls_handshake, plain_http_and_garbage_are_closed_unanswered)
{
	struct tls_server t = tls_server_start(NULL, NULL);
	int port = tls_tunnel(t.port, TLS1_3_VERSION, 0);
	static const struct {
		const char *text;
		size_t len;
	} rows[] = {
	    {GET "\r\n", sizeof(GET "\r\n") - 1},
	    {"POST /login HTTP/1.1\r\n\r\n", 24},
	    {"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", 10},
	    {"\x17\x03\x03\x00\x05hello", 10},
	    {"\x80\x2e\x01\x03\x01", 5},
	    {"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16},
	};
	struct raw_response answer;
	struct raw *r;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		r = raw_connect(t.port);
		(void)raw_send(r, rows[i].text, rows[i].len);
		raw_half_close(r);
		cr_expect(raw_read(r, false, &answer) != RAW_OK, "row %zu", i);
		cr_expect_eq(answer.status, 0, "row %zu is answered", i);
		raw_response_free(&answer);
		cr_expect(raw_read_close(r, NULL), "row %zu: open", i);
		raw_close(r);
		r = raw_connect(t.port);
		(void)raw_send(r, rows[i].text, rows[i].len);
		raw_reset(r);
	}
	tls_expect_health(port, "after");
	tls_server_stop(&t);
}

/* Ordinary clients that check the certificate. */
Test(tls_handshake, curl_and_s_client_are_served)
{
	struct tls_server t = tls_server_start(NULL, NULL);
	char *url = text_of("https://localhost:%d/health", t.port);
	char *at = text_of("127.0.0.1:%d", t.port);
	const char *curl[] = {"curl", "-sS", "-i", "--noproxy", "*",
	    "--max-time", "10", "--cacert", t.files.certificate, url, NULL};
	const char *s_client[] = {"openssl", "s_client", "-quiet",
	    "-verify_return_error", "-CAfile", t.files.certificate,
	    "-verify_hostname", "localhost", "-connect", at, NULL};
	static const char text[] = GET "Connection: close\r\n\r\n";
	struct run_result result;

	result = run_program(curl, NULL, NULL, 0);
	cr_expect_eq(result.status, 0, "curl: %s", result.out);
	cr_expect(strstr(result.out, "HTTP/1.1 200 OK") != NULL &&
		strstr(result.out, HSTS) != NULL,
	    "curl: %s", result.out);
	run_free(&result);
	result = run_program(s_client, NULL, text, sizeof(text) - 1);
	cr_expect(strstr(result.out, "HTTP/1.1 200 OK") != NULL &&
		strstr(result.out, HSTS) != NULL,
	    "s_client: %s", result.out);
	run_free(&result);
	curl[8] = "/dev/null";
	result = run_program(curl, NULL, NULL, 0);
	cr_expect_neq(result.status, 0, "curl trusts anybody");
	run_free(&result);
	free(at);
	free(url);
	tls_server_stop(&t);
}

/* One more than may be under way is closed; nobody else notices. */
Test(tls_handshake, handshakes_at_once_are_bounded)
{
	static struct raw *held[HANDSHAKES_MAX];
	struct raw_response answer;
	struct tls_server t;
	struct rlimit files;
	struct raw *before;
	size_t i;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_max < HANDSHAKES_MAX + 256)
		cr_skip_test("the hard limit of open files (ulimit -Hn) is "
			     "too low to begin %d handshakes",
		    HANDSHAKES_MAX);

	t = tls_server_start(NULL, "workers 1\nhttp_header_timeout 120\n");
	before = raw_connect(tls_tunnel(t.port, TLS1_3_VERSION, 0));
	(void)raw_send_text(before, GET "\r\n");
	(void)raw_read(before, false, &answer);
	cr_expect_eq(answer.status, 200);
	raw_response_free(&answer);

	for (i = 0; i < HANDSHAKES_MAX; i++)
		held[i] = raw_connect(t.port);
	cr_expect(!tls_handshake(t.port, TLS1_3_VERSION, NULL).ok);
	cr_expect(!raw_readable(held[0], 0), "the first was closed");
	cr_expect(!raw_readable(held[HANDSHAKES_MAX - 1], 0), "the last, too");
	(void)raw_send_text(before, GET "\r\n");
	(void)raw_read(before, false, &answer);
	cr_expect_eq(answer.status, 200, "%d", answer.status);
	raw_response_free(&answer);
	cr_expect_eq(raw_exchange_text(server_port(t.s), GET "\r\n", NULL), 200,
	    "the plain listener");

	raw_close(held[0]);
	cr_expect(tls_handshake(t.port, TLS1_3_VERSION, NULL).ok,
	    "the place is not free");
	for (i = 1; i < HANDSHAKES_MAX; i++)
		raw_close(held[i]);
	raw_close(before);
	tls_server_stop(&t);
}
