/*
 * What an attack on the service once brought to light.
 */
#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "check.h"
#include "http.h"
#include "process.h"
#include "raw.h"
#include "server.h"
#include "suite.h"
#include "tls_kit.h"
#include "tok.h"

#define LOGIN_HEAD                                                             \
	"POST /login HTTP/1.1\r\nHost: localhost\r\n"                          \
	"Content-Type: application/json\r\n"

/* A hash that takes some tenths of a second, one thread, a short queue. */
#define SLOW_LOGINS                                                            \
	"CORGI_ARGON2_PASSES=40", "CORGI_THREADS=1", "CORGI_LOGIN_QUEUE=2"

/* Hand in a login that will be refused, and leave without its answer. */
static struct raw *
begin_login(int port)
{
	static const char body[] =
	    "{\"username\":\"nobody\",\"password\":\"x\"}";
	struct raw *r = raw_connect(port);
	char head[256];

	(void)snprintf(head, sizeof(head),
	    LOGIN_HEAD "Content-Length: %zu\r\n\r\n%s", sizeof(body) - 1, body);
	cr_assert(raw_send_text(r, head));
	return (r);
}

Test(hardening, abandoned_logins_leave_the_queue)
{
	struct server *s = suite_start_with("flask", SLOW_LOGINS, NULL);
	int port = server_port(s);
	struct raw *held[3], *gone;
	size_t i;

	/* Control: three that stay fill the thread and the queue. */
	for (i = 0; i < 3; i++) {
		held[i] = begin_login(port);
		sleep_ms(20);
	}
	cr_expect_eq(suite_post_login(port, "application/json", DEMO_LOGIN,
			 strlen(DEMO_LOGIN), NULL),
	    503, "the queue is not full");

	/* Those in the queue go: there is room, whatever the first one does. */
	raw_reset(held[1]);
	raw_reset(held[2]);
	for (i = 0; i < 6; i++) {
		gone = begin_login(port);
		sleep_ms(20);
		raw_reset(gone);
		sleep_ms(20);
	}
	cr_expect_eq(suite_post_login(port, "application/json", DEMO_LOGIN,
			 strlen(DEMO_LOGIN), NULL),
	    200, "abandoned logins still hold the queue");
	raw_close(held[0]);
	cr_expect_eq(server_stop(s), 0);
}

Test(hardening, a_full_login_queue_does_not_make_the_service_unready)
{
	struct server *s = suite_start_with("flask", SLOW_LOGINS, NULL);
	int port = server_port(s);
	struct raw *held[3];
	size_t i;

	for (i = 0; i < 3; i++) {
		held[i] = begin_login(port);
		sleep_ms(20);
	}
	cr_expect_eq(suite_post_login(port, "application/json", DEMO_LOGIN,
			 strlen(DEMO_LOGIN), NULL),
	    503, "the queue is not full");
	cr_expect_eq(http_get(port, "/ready", NULL, NULL), 200);
	for (i = 0; i < 3; i++)
		raw_close(held[i]);
	cr_expect_eq(server_stop(s), 0);
}

/* How often a text stands in another. */
static size_t
occurrences(const char *text, const char *needle)
{
	size_t n = 0;

	while ((text = strstr(text, needle)) != NULL) {
		text += strlen(needle);
		n++;
	}
	return (n);
}

Test(hardening, refusals_cannot_flood_the_log)
{
	struct server *s = suite_start("flask");
	int i, port = server_port(s);
	size_t lines;
	char *log;

	for (i = 0; i < 1500; i++)
		cr_assert_eq(http_get(port, "/protected", NULL, NULL), 401);
	sleep_ms(1100);
	cr_assert_eq(http_get(port, "/protected", NULL, NULL), 401);
	cr_expect(server_log_wait(s, "more refusals were not logged", 2000));
	log = server_log(s);
	lines = occurrences(log, "refused /protected");
	cr_expect_geq(lines, 100, "nothing is logged");
	cr_expect_lt(lines, 1500);
	free(log);
	cr_expect_eq(server_stop(s), 0);
}

/* A connection that has shaken hands. */
static SSL *
tls_client(SSL_CTX *ctx, int port)
{
	struct timeval patience = {.tv_sec = 5};
	struct sockaddr_in sin;
	SSL *ssl;
	int fd;

	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_port = htons((uint16_t)port);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	(void)setsockopt(
	    fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	ssl = SSL_new(ctx);
	cr_assert_not_null(ssl);
	(void)SSL_set_fd(ssl, fd);
	cr_assert_eq(SSL_connect(ssl), 1);
	return (ssl);
}

/* Send so many key updates, then a request; whether it is answered. */
static bool
answered_after_updates(int port, unsigned int updates)
{
	static const char request[] = "GET /health HTTP/1.1\r\n"
				      "Host: localhost\r\n\r\n";
	char answer[64];
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = tls_client(ctx, port);
	unsigned int i;
	bool ok = true;
	int n = 0;

	for (i = 0; ok && i < updates; i++)
		ok = SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1 &&
		    SSL_do_handshake(ssl) == 1;
	if (ok && SSL_write(ssl, request, sizeof(request) - 1) > 0)
		n = SSL_read(ssl, answer, sizeof(answer) - 1);
	answer[n > 0 ? n : 0] = '\0';
	(void)close(SSL_get_fd(ssl));
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	return (strncmp(answer, "HTTP/1.1 200", 12) == 0);
}

Test(hardening, a_flood_of_key_updates_is_cut_off)
{
	struct tls_server t;

	(void)signal(SIGPIPE, SIG_IGN);
	t = tls_server_start(NULL, NULL);
	cr_expect(answered_after_updates(t.port, 0));
	cr_expect(answered_after_updates(t.port, 3), "a few are refused");
	cr_expect_not(answered_after_updates(t.port, 20000));
	cr_expect(answered_after_updates(t.port, 3), "not there afterwards");
	tls_server_stop(&t);
}

Test(hardening, a_certificate_without_a_tls_listener_refuses_to_start)
{
	struct cert cert;
	struct cert_files files;
	char *folder = scratch_new(), certificate[1100], key[1100];
	const char *environment[] = {certificate, key, NULL};
	struct server_options options = {.environment = environment};

	cert = cert_new("localhost");
	files = cert_paths(folder);
	cert_install(&files, &cert);
	cert_free(&cert);
	(void)snprintf(certificate, sizeof(certificate),
	    "CORGI_TLS_CERTIFICATE=%s", files.certificate);
	(void)snprintf(key, sizeof(key), "CORGI_TLS_KEY=%s", files.key);
	server_expect_refusal("certificate, plain listener", &options,
	    "CORGI_TLS_CERTIFICATE", "front_connect_tls", NULL);
	scratch_free(folder);
}

Test(hardening, with_a_public_key_alone_login_is_501_for_all)
{
	static const char *const bodies[] = {DEMO_LOGIN,
	    "{\"username\":\"cosmo\",\"password\":\"wrong\"}", "no json"};
	struct raw_response answer;
	struct server *s;
	char *folder = scratch_new(), command[1024], file[512];
	size_t i;

	(void)snprintf(command, sizeof(command),
	    "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 "
	    "2>/dev/null | openssl pkey -pubout -out %s/public.pem",
	    folder);
	cr_assert_eq(system(command), 0);
	(void)snprintf(
	    file, sizeof(file), "JWT_PUBLIC_KEY_FILE=%s/public.pem", folder);
	{
		const char *environment[] = {"JWT_ALGORITHM=ES256", file, NULL};
		struct server_options options = {.environment = environment};

		s = server_start(&options);
	}
	for (i = 0; i < 3; i++) {
		cr_expect_eq(
		    suite_post_login(server_port(s), "application/json",
			bodies[i], strlen(bodies[i]), &answer),
		    501);
		cr_expect_str_eq(
		    answer.body, "{\"error\":\"Tokens are not issued here\"}");
		raw_response_free(&answer);
	}
	cr_expect_eq(http_get(server_port(s), "/protected", NULL, NULL), 401);
	cr_expect(server_log_wait(s, "POST /login answers 501", 1000));
	cr_expect_eq(server_stop(s), 0);
	scratch_free(folder);
}

/* The status of a request with so many header lines, Host among them. */
static int
status_with_fields(int port, unsigned int fields)
{
	char request[4096];
	size_t len;
	unsigned int i;

	len = (size_t)snprintf(request, sizeof(request),
	    "GET /health HTTP/1.1\r\nHost: localhost\r\n");
	for (i = 1; i < fields; i++)
		len += (size_t)snprintf(
		    request + len, sizeof(request) - len, "X-%u: y\r\n", i);
	(void)snprintf(request + len, sizeof(request) - len, "\r\n");
	return (raw_exchange_text(port, request, NULL));
}

Test(hardening, the_number_of_header_lines_can_be_set)
{
	struct server *s =
	    suite_start_with("flask", "CORGI_HEADER_FIELDS=16", NULL);

	cr_expect_eq(status_with_fields(server_port(s), 16), 200);
	cr_expect_eq(status_with_fields(server_port(s), 17), 431);
	cr_expect_eq(server_stop(s), 0);
}
