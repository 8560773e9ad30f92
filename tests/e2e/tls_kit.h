/*
 * tls_kit.h - a service with a plain and a TLS listener beside each other,
 * handshakes, and tunnels.
 *
 * A tunnel is a local port whose connections are carried to the service
 * through TLS, each in a connection of its own, so that raw.h speaks TLS: what
 * is sent goes into records, the end of sending becomes a close_notify and a
 * half-closed connection.
 */
#ifndef CORGI_TEST_TLS_KIT_H
#define CORGI_TEST_TLS_KIT_H

#include <stdbool.h>
#include <stddef.h>

#include "cert.h"
#include "raw.h"
#include "server.h"

#define HSTS "max-age=31536000"

/* A service with a TLS listener. */
struct tls_server {
	struct server *s;
	int port; /* of the TLS listener */
	char *folder;
	struct cert cert;
	struct cert_files files;
};

/* What became of a handshake. */
struct tls_result {
	bool ok;
	char version[16];
	char alpn[16]; /* "": none was chosen */
	char name[64]; /* the common name of the certificate */
	int reason;    /* of the failure, as in SSL_R_* */
};

/* Start one with two workers; environment (NULL at the end) and config as in
 * server.h. */
struct tls_server
tls_server_start(const char *const *environment, const char *config);

/* Stop it: status 0, and not a word of the key in its log. */
void tls_server_stop(struct tls_server *t);

/* A handshake with exactly one version (TLS1_2_VERSION and the like) and a
 * list of protocols in ALPN's form (NULL: none). */
struct tls_result tls_handshake(int port, int version, const char *alpn);

/*
 * A tunnel to a TLS listener, there until the test ends: the port to connect
 * to. cut: the most bytes of a segment to the service; 0: no cuts.
 */
int tls_tunnel(int port, int version, size_t cut);

/* What came through TLS says so; without that header it has to keep to the
 * same rules as any other answer, and it is taken away for that. */
void tls_check_hsts(const char *row, struct raw_response *answer);

/* Others are served, through a tunnel, on a connection of their own. */
void tls_expect_health(int port, const char *row);

#endif
