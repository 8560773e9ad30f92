/*
 * front.h - the connection front: between the sockets that Kore accepts and
 * the requests that Kore routes (RFC 9112).
 *
 * Bound in kore.conf ("bind ADDRESS PORT front_connect"). It reads every
 * connection itself, hands Kore exactly one whole, checked request at a time
 * (as a head of its own making, without the client's headers), and answers
 * what needs no handler: refusals, unknown paths, wrong methods, OPTIONS. A
 * handler therefore finds headers and body in front_request(), not in Kore's
 * struct.
 *
 * Event loop of a worker only.
 */
#ifndef CORGI_FRONT_H
#define CORGI_FRONT_H

#include <stdbool.h>

#include "base/config.h"
#include "base/h1.h"
#include "http/reply.h"

struct connection;
struct http_request;

/* Values a guard or handler keeps with the request under way. */
enum front_slot {
	FRONT_CLAIMS, /* the guard's verified claims */
	FRONT_PLACE,  /* where the guard found the token */
	FRONT_TOKEN,  /* its text, where it may be renewed */
	FRONT_JOB,    /* work on a background thread */
	FRONT_CHECK,  /* the same, of the guard */
	FRONT_SLOTS
};

/* Prepare a worker: limits from kore.conf, deadlines, the drain. */
void front_init(const struct config *config);

/* Kore's callbacks for a new connection, named in kore.conf: plain, and with
 * the TLS certificate of the configuration. */
void front_connect(struct connection *c);
void front_connect_tls(struct connection *c);

/* The request behind Kore's; never NULL while a handler runs. */
const struct h1_request *front_request(const struct http_request *req);

/*
 * Keep a value with the request; release(value) is called when the request
 * ends, however it ends (NULL: nothing is to be done). One value per slot.
 */
void front_set(struct http_request *req, enum front_slot slot, void *value,
    void (*release)(void *value));

/* The value kept in a slot, or NULL. */
void *front_get(const struct http_request *req, enum front_slot slot);

/* The client's address, in text (CLIENT_TEXT_MAX bytes). */
void front_client(const struct http_request *req, char *out);

/*
 * Answer the request: exactly once. Returns KORE_RESULT_OK for the handler to
 * return in turn. A client that has gone is no error.
 */
int front_reply(struct http_request *req, const struct reply *reply);
/* 200 with JSON that nobody may store: body is of len bytes, on the heap, and
 * is wiped and released here; NULL: there was no memory for it. */
int front_reply_private(struct http_request *req, char *body, size_t len);
int front_refuse(struct http_request *req, enum error_code code);
int front_refuse_with(struct http_request *req, const struct refusal *refusal);

/*
 * Stop listening and finish what is under way: every connection ends with its
 * next answer, idle ones after a moment's grace; then the worker ends, at the
 * latest after the configured time. Further calls do nothing.
 */
void front_drain(void);

/* Whether front_drain() was called. */
bool front_draining(void);

#endif
