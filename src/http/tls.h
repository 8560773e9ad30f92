/*
 * tls.h - TLS for listeners bound to front_connect_tls (TLS 1.2 and 1.3 only,
 * RFC 8446, RFC 9325).
 *
 * Kore's own TLS signs in a separate process through key methods that OpenSSL
 * 3.0.22 of Debian 12 no longer calls: every handshake fails there. So the
 * listener is a plain one to Kore ("tls no") and the encryption happens here.
 *
 * tls_start() in the parent, the rest on the event loop of a worker.
 */
#ifndef CORGI_TLS_H
#define CORGI_TLS_H

#include <openssl/ssl.h>

#include <stdbool.h>

#include "base/config.h"

/* Longest explanation, with the NUL (bytes). */
#define TLS_ERROR_MAX 512

/* Load the configured certificate and key, if any. Returns 0, or -1 with a
 * sentence in error. */
int tls_start(const struct config *config, char error[TLS_ERROR_MAX])
    __attribute__((warn_unused_result));

/* Whether there is a certificate to serve with. */
bool tls_ready(void);

/* A new server side for a connected socket, or NULL when out of memory. */
SSL *tls_accept(int fd);

/*
 * Look whether the certificate's files have changed and take the new pair for
 * connections to come; established ones go on as they are. A pair that does
 * not load, or not yet as a pair, is logged and left for the next look.
 */
void tls_renew(void);

#endif
