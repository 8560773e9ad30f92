/*
 * client.h - who is at the other end: the peer's address, or, behind a proxy
 * that the configuration trusts, the address that the proxy reports.
 *
 * client_start() in the parent, the rest on the event loop of a worker.
 */
#ifndef CORGI_CLIENT_H
#define CORGI_CLIENT_H

#include <netinet/in.h>
#include <stdbool.h>

#include "base/config.h"
#include "base/h1.h"

struct connection;

/* Room for an address in text, with the NUL (bytes). */
#define CLIENT_TEXT_MAX INET6_ADDRSTRLEN

/* Longest explanation, with the NUL (bytes). */
#define CLIENT_ERROR_MAX 256

/* Parse CORGI_TRUSTED_PROXIES. Returns 0, or -1 with a sentence in error. */
int client_start(const struct config *config, char error[CLIENT_ERROR_MAX])
    __attribute__((warn_unused_result));

/*
 * The address of the client behind a request: the peer, unless the peer is a
 * trusted proxy; then the last address in Forwarded (RFC 7239) or in
 * X-Forwarded-For that is not itself a trusted proxy. A proxy writes one of the
 * two and may let the client's own other one pass: when both are there and
 * disagree, the peer is all that is known. What is no address ends the search
 * at the last one that was believed. request may be NULL (no request yet). IPv4
 * in IPv6 form counts as IPv4.
 */
void client_address(const struct connection *c,
    const struct h1_request *request, struct in6_addr *out);

/* Whether the peer itself is a trusted proxy. */
bool client_is_proxy(const struct connection *c);

/* Read an address from text; IPv4 in its IPv6 form. Pure. */
bool client_parse(const char *text, struct in6_addr *out);

/* An address in text. */
void client_text(const struct in6_addr *address, char out[CLIENT_TEXT_MAX]);

#endif
