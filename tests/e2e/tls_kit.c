/*
 * tls_kit.c - a service with a TLS listener, handshakes, and tunnels.
 */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "check.h"
#include "ports.h"
#include "tls_kit.h"
#include "tok.h"

/* Longest wait for the service within a tunnel (seconds). */
#define TUNNEL_WAIT_S 20

/* A listener, and where its connections are carried to. */
struct tls_tunnel {
	int listener;
	int to;     /* the service */
	size_t cut; /* most bytes of a segment to the service; 0: all */
	SSL_CTX *ctx;
};

/* One connection through a tunnel. */
struct tls_relay {
	const struct tls_tunnel *tunnel;
	int in;  /* the test's end */
	int out; /* the service */
	SSL *ssl;
	BIO *from;
	BIO *to;
	char data[16384]; /* on its way to the service */
	size_t sent;
	size_t pending;
	bool ended; /* the test has, and the service is to be told */
};

static int tls_dial(int);
static SSL_CTX *tls_context(int);
static void tls_describe(SSL *, struct tls_result *);
static bool tls_relay_flush(struct tls_relay *);
static bool tls_relay_take(struct tls_relay *);
static bool tls_relay_handshake(struct tls_relay *);
static bool tls_relay_back(struct tls_relay *);
static bool tls_relay_forth(struct tls_relay *, bool *);
static void *tls_relay_run(void *);
static void *tls_tunnel_run(void *);

struct tls_server
tls_server_start(const char *const *environment, const char *config)
{
	const char *all[16];
	struct server_options options;
	struct tls_server t;
	char listener[256], certificate[SERVER_PATH_MAX + 32];
	char key[SERVER_PATH_MAX + 32];
	size_t n;

	memset(&t, 0, sizeof(t));
	t.folder = scratch_new();
	t.cert = cert_new("first");
	t.files = cert_paths(t.folder);
	cert_install(&t.files, &t.cert);
	t.port = steady_port();
	(void)snprintf(listener, sizeof(listener),
	    "server main {\n\tbind 127.0.0.1 @PORT@ front_connect\n"
	    "\tbind 127.0.0.1 %d front_connect_tls\n\ttls no\n}\n",
	    t.port);
	(void)snprintf(certificate, sizeof(certificate),
	    "CORGI_TLS_CERTIFICATE=%s", t.files.certificate);
	(void)snprintf(key, sizeof(key), "CORGI_TLS_KEY=%s", t.files.key);
	all[0] = "JWT_SECRET_KEY=" TOK_SECRET;
	all[1] = certificate;
	all[2] = key;
	for (n = 3; environment != NULL && environment[n - 3] != NULL; n++) {
		cr_assert_lt(n, 15);
		all[n] = environment[n - 3];
	}
	all[n] = NULL;
	memset(&options, 0, sizeof(options));
	options.environment = all;
	options.config = config;
	options.listener = listener;
	options.workers = 2;
	t.s = server_start(&options);
	return (t);
}

void
tls_server_stop(struct tls_server *t)
{
	char *line, *log;

	line = cert_key_line(t->cert.key);
	log = server_log(t->s);
	cr_expect(strstr(log, line) == NULL, "the log holds the key");
	cr_expect(strstr(log, "PRIVATE KEY") == NULL, "the log holds a key");
	free(log);
	free(line);
	cr_expect(server_stop(t->s) == 0);
	cert_free(&t->cert);
	scratch_free(t->folder);
}

static int
tls_dial(int port)
{
	struct timeval limit = {.tv_sec = TUNNEL_WAIT_S};
	struct sockaddr_in sin;
	int fd, on;

	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sin.sin_port = htons((uint16_t)port);
	on = 1;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return (-1);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1) {
		(void)close(fd);
		return (-1);
	}
	return (fd);
}

/* A client's context for exactly one version; level 0 lets the old ones out. */
static SSL_CTX *
tls_context(int version)
{
	SSL_CTX *ctx;

	ctx = SSL_CTX_new(TLS_client_method());
	if (ctx == NULL ||
	    SSL_CTX_set_cipher_list(ctx, "DEFAULT:@SECLEVEL=0") != 1 ||
	    SSL_CTX_set_min_proto_version(ctx, version) != 1 ||
	    SSL_CTX_set_max_proto_version(ctx, version) != 1)
		cr_assert_fail("libssl cannot be set up");
	return (ctx);
}

static void
tls_describe(SSL *ssl, struct tls_result *out)
{
	const unsigned char *alpn;
	unsigned int len;
	X509 *x;

	(void)snprintf(
	    out->version, sizeof(out->version), "%s", SSL_get_version(ssl));
	SSL_get0_alpn_selected(ssl, &alpn, &len);
	(void)snprintf(out->alpn, sizeof(out->alpn), "%.*s", (int)len,
	    len > 0 ? (const char *)alpn : "");
	x = SSL_get1_peer_certificate(ssl);
	if (x != NULL)
		(void)X509_NAME_get_text_by_NID(X509_get_subject_name(x),
		    NID_commonName, out->name, sizeof(out->name));
	X509_free(x);
}

struct tls_result
tls_handshake(int port, int version, const char *alpn)
{
	struct tls_result out;
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;

	memset(&out, 0, sizeof(out));
	ctx = tls_context(version);
	ssl = SSL_new(ctx);
	fd = tls_dial(port);
	if (ssl == NULL || fd == -1)
		cr_assert_fail("no connection to the TLS listener");
	(void)SSL_set_fd(ssl, fd);
	if (alpn != NULL)
		(void)SSL_set_alpn_protos(ssl, (const unsigned char *)alpn,
		    (unsigned int)strlen(alpn));
	ERR_clear_error();
	out.ok = SSL_connect(ssl) == 1;
	if (out.ok)
		tls_describe(ssl, &out);
	else
		out.reason = ERR_GET_REASON(ERR_peek_error());
	SSL_free(ssl);
	(void)close(fd);
	SSL_CTX_free(ctx);
	return (out);
}

/*
 * Send what libssl has written, in cuts, as far as the service takes it: the
 * rest stays pending, so that its answers are carried meanwhile.
 */
static bool
tls_relay_flush(struct tls_relay *r)
{
	size_t cut;
	ssize_t n;
	int len;

	for (;;) {
		if (r->sent == r->pending) {
			r->sent = r->pending = 0;
			len = BIO_read(r->to, r->data, sizeof(r->data));
			if (len <= 0)
				return (true);
			r->pending = (size_t)len;
		}
		cut = r->pending - r->sent;
		if (r->tunnel->cut != 0 && cut > r->tunnel->cut)
			cut = r->tunnel->cut;
		n = send(r->out, r->data + r->sent, cut,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n == -1 && errno == EAGAIN)
			return (true);
		if (n <= 0)
			return (false);
		r->sent += (size_t)n;
	}
}

/* Take bytes of the service; false at its end. */
static bool
tls_relay_take(struct tls_relay *r)
{
	char data[16384];
	ssize_t n;

	n = recv(r->out, data, sizeof(data), 0);
	if (n <= 0)
		return (false);
	return (BIO_write(r->from, data, (int)n) == n);
}

static bool
tls_relay_handshake(struct tls_relay *r)
{
	struct pollfd pfd = {.fd = r->out, .events = POLLOUT};
	int n;

	for (;;) {
		n = SSL_connect(r->ssl);
		if (!tls_relay_flush(r))
			return (false);
		while (r->pending > 0) {
			if (poll(&pfd, 1, TUNNEL_WAIT_S * 1000) <= 0 ||
			    !tls_relay_flush(r))
				return (false);
		}
		if (n == 1)
			return (true);
		if (SSL_get_error(r->ssl, n) != SSL_ERROR_WANT_READ ||
		    !tls_relay_take(r))
			return (false);
	}
}

/* From the service to the test; false when it is over. */
static bool
tls_relay_back(struct tls_relay *r)
{
	char data[16384];
	int n;

	if (!tls_relay_take(r))
		return (false);
	while ((n = SSL_read(r->ssl, data, sizeof(data))) > 0) {
		if (send(r->in, data, (size_t)n, MSG_NOSIGNAL) != n)
			return (false);
	}
	return (SSL_get_error(r->ssl, n) == SSL_ERROR_WANT_READ &&
	    tls_relay_flush(r));
}

/* From the test to the service; *open tells whether more may come. */
static bool
tls_relay_forth(struct tls_relay *r, bool *open)
{
	char data[16384];
	ssize_t n;

	n = recv(r->in, data, sizeof(data), 0);
	if (n > 0)
		return (
		    SSL_write(r->ssl, data, (int)n) == n && tls_relay_flush(r));
	*open = false;
	r->ended = true;
	(void)SSL_shutdown(r->ssl);
	return (n == 0 && tls_relay_flush(r));
}

/* Carry one connection until the service ends it. */
static void *
tls_relay_run(void *arg)
{
	struct tls_relay *r = arg;
	struct pollfd fds[2];
	bool going, open, waits;

	ERR_clear_error();
	open = true;
	going = tls_relay_handshake(r);
	while (going) {
		waits = r->pending > 0;
		if (!waits && r->ended)
			(void)shutdown(r->out, SHUT_WR);
		fds[0] = (struct pollfd){
		    .fd = open && !waits ? r->in : -1, .events = POLLIN};
		fds[1] = (struct pollfd){.fd = r->out,
		    .events = (short)(POLLIN | (waits ? POLLOUT : 0))};
		if (poll(fds, 2, TUNNEL_WAIT_S * 1000) <= 0)
			break;
		if (fds[1].revents & POLLOUT)
			going = tls_relay_flush(r);
		if (fds[0].revents != 0)
			going = going && tls_relay_forth(r, &open);
		if (fds[1].revents & ~POLLOUT)
			going = going && tls_relay_back(r);
	}
	(void)close(r->out);
	(void)shutdown(r->in, SHUT_WR);
	(void)close(r->in);
	SSL_free(r->ssl);
	free(r);
	return (NULL);
}

static void *
tls_tunnel_run(void *arg)
{
	const struct tls_tunnel *tunnel = arg;
	struct tls_relay *r;
	pthread_t thread;
	int fd;

	while ((fd = accept(tunnel->listener, NULL, NULL)) != -1) {
		r = calloc(1, sizeof(*r));
		if (r == NULL)
			break;
		r->tunnel = tunnel;
		r->in = fd;
		r->out = tls_dial(tunnel->to);
		r->ssl = SSL_new(tunnel->ctx);
		r->from = BIO_new(BIO_s_mem());
		r->to = BIO_new(BIO_s_mem());
		(void)BIO_set_mem_eof_return(r->from, -1);
		SSL_set_bio(r->ssl, r->from, r->to);
		SSL_set_connect_state(r->ssl);
		if (pthread_create(&thread, NULL, tls_relay_run, r) == 0)
			(void)pthread_detach(thread);
	}
	return (NULL);
}

int
tls_tunnel(int port, int version, size_t cut)
{
	struct sockaddr_in sin;
	struct tls_tunnel *t;
	socklen_t len;
	pthread_t thread;

	t = calloc(1, sizeof(*t));
	cr_assert_not_null(t);
	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	len = sizeof(sin);
	t->to = port;
	t->cut = cut;
	t->ctx = tls_context(version);
	t->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(t->listener, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    listen(t->listener, 64) == -1 ||
	    getsockname(t->listener, (struct sockaddr *)&sin, &len) == -1 ||
	    pthread_create(&thread, NULL, tls_tunnel_run, t) != 0)
		cr_assert_fail("no tunnel can be had");
	(void)pthread_detach(thread);
	return (ntohs(sin.sin_port));
}

void
tls_check_hsts(const char *row, struct raw_response *answer)
{
	size_t i;

	if (answer->status == 0)
		return;
	check_header(row, answer, "strict-transport-security", HSTS);
	cr_expect(raw_header_count(answer, "strict-transport-security") == 1,
	    "%s", row);
	for (i = 0; i < answer->nfields; i++) {
		if (strcasecmp(answer->fields[i].name,
			"strict-transport-security") == 0)
			answer->fields[i].name[0] = '-';
	}
}

void
tls_expect_health(int port, const char *row)
{
	struct raw_response answer;

	(void)raw_exchange_text(
	    port, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n", &answer);
	tls_check_hsts(row, &answer);
	check_json(row, &answer, 200, "{\"status\": \"ok\"}");
	raw_response_free(&answer);
}
