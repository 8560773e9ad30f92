#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/log.h"
#include "http/tls.h"

/* What TLS 1.2 may negotiate: forward secrecy and authenticated encryption
 * (RFC 9325, section 4.2). TLS 1.3 has nothing else. */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

/* Tells one state of the two files from another. */
struct stamp {
	struct timespec certificate;
	ino_t certificate_file;
	struct timespec key;
	ino_t key_file;
};

/* The certificate in use: one per process, made in the parent. */
static struct {
	const char *certificate; /* paths, of the configuration */
	const char *key;
	SSL_CTX *ctx;
	struct stamp stamp; /* of the files that were last looked at */
} tls;

static SSL_CTX *load(char[TLS_ERROR_MAX]);
static void explain(const char *, const char *, char[TLS_ERROR_MAX]);
static int take_stamp(struct stamp *);
static int no_passphrase(char *, int, int, void *);
static int choose_protocol(SSL *, const unsigned char **, unsigned char *,
    const unsigned char *, unsigned int, void *);

int
tls_start(const struct config *config, char error[TLS_ERROR_MAX])
{
	if (config->tls_certificate == NULL)
		return (0);
	tls.certificate = config->tls_certificate;
	tls.key = config->tls_key;
	(void)take_stamp(&tls.stamp);
	tls.ctx = load(error);
	return (tls.ctx == NULL ? -1 : 0);
}

bool
tls_ready(void)
{
	return (tls.ctx != NULL);
}

SSL *
tls_accept(int fd)
{
	SSL *ssl;

	ssl = SSL_new(tls.ctx);
	if (ssl == NULL || SSL_set_fd(ssl, fd) != 1) {
		SSL_free(ssl);
		return (NULL);
	}
	SSL_set_accept_state(ssl);
	return (ssl);
}

void
tls_renew(void)
{
	char error[TLS_ERROR_MAX];
	struct stamp stamp;
	SSL_CTX *ctx;

	if (tls.ctx == NULL || take_stamp(&stamp) == -1 ||
	    memcmp(&stamp, &tls.stamp, sizeof(stamp)) == 0)
		return;
	tls.stamp = stamp;
	ctx = load(error);
	if (ctx == NULL) {
		log_line(LOG_LEVEL_ERR,
		    "the renewed certificate is not taken: %s", error);
		return;
	}
	SSL_CTX_free(tls.ctx);
	tls.ctx = ctx;
	log_line(LOG_LEVEL_NOTICE, "the certificate has been renewed");
}

static SSL_CTX *
load(char error[TLS_ERROR_MAX])
{
	const char *what, *path;
	SSL_CTX *ctx;

	ctx = SSL_CTX_new(TLS_server_method());
	if (ctx == NULL) {
		(void)snprintf(error, TLS_ERROR_MAX, "out of memory");
		return (NULL);
	}
	SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
	(void)SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	(void)SSL_CTX_set_options(ctx,
	    SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
		SSL_OP_CIPHER_SERVER_PREFERENCE);
	(void)SSL_CTX_set_mode(ctx,
	    SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	/* Without it OpenSSL goes on reading as long as a peer sends records
	 * that hold no data. */
	(void)SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);

	what = "CORGI_TLS_CERTIFICATE";
	path = tls.certificate;
	if (SSL_CTX_set_cipher_list(ctx, CIPHERS) == 1 &&
	    SSL_CTX_use_certificate_chain_file(ctx, path) == 1) {
		what = "CORGI_TLS_KEY";
		path = tls.key;
		if (SSL_CTX_use_PrivateKey_file(ctx, path, SSL_FILETYPE_PEM) ==
			1 &&
		    SSL_CTX_check_private_key(ctx) == 1)
			return (ctx);
	}
	explain(what, path, error);
	SSL_CTX_free(ctx);
	return (NULL);
}

/* Why a file was not taken: the system's reason, or what OpenSSL found in
 * it. */
static void
explain(const char *what, const char *path, char error[TLS_ERROR_MAX])
{
	const char *reason;
	int fd;

	reason = ERR_reason_error_string(ERR_peek_last_error());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		reason = strerror(errno);
	else
		(void)close(fd);
	if (reason == NULL || strcmp(reason, "PEM lib") == 0 ||
	    strcmp(reason, "no start line") == 0)
		reason = "no usable PEM text";
	(void)snprintf(
	    error, TLS_ERROR_MAX, "%s: %.256s: %s", what, path, reason);
	ERR_clear_error();
}

static int
take_stamp(struct stamp *stamp)
{
	struct stat st;

	memset(stamp, 0, sizeof(*stamp));
	if (stat(tls.certificate, &st) == -1)
		return (-1);
	stamp->certificate = st.st_mtim;
	stamp->certificate_file = st.st_ino;
	if (stat(tls.key, &st) == -1)
		return (-1);
	stamp->key = st.st_mtim;
	stamp->key_file = st.st_ino;
	return (0);
}

/* A key with a passphrase is refused: nobody is there to type it. */
static int
no_passphrase(char *buf, int size, int writing, void *ctx)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)ctx;
	return (-1);
}

/* ALPN (RFC 7301): HTTP/1.1 is all there is. */
static int
choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *len,
    const unsigned char *offered, unsigned int offered_len, void *ctx)
{
	static const unsigned char ours[] = "\x08http/1.1";
	unsigned char *chosen;

	(void)ssl;
	(void)ctx;
	if (SSL_select_next_proto(&chosen, len, ours, sizeof(ours) - 1, offered,
		offered_len) != OPENSSL_NPN_NEGOTIATED)
		return (SSL_TLSEXT_ERR_ALERT_FATAL);
	*out = chosen;
	return (SSL_TLSEXT_ERR_OK);
}
