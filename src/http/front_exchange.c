#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <kore/kore.h>
#include <kore/http.h>

#include "base/clock.h"
#include "base/secret.h"
#include "http/client.h"
#include "http/front_internal.h"
#include "http/route.h"

/* Kore's own limits for what is handed on. */
#define PATH_MAX_KORE (HTTP_URI_LEN - 2)
#define HOST_MAX_KORE (KORE_DOMAINNAME_LEN - 2)

/* Room for the head that Kore is given. */
#define KORE_HEAD_MAX (PATH_MAX_KORE + HOST_MAX_KORE + 128)

static enum error_code hand_over_fault(const struct front *, const char *);
static size_t
kore_head(char[KORE_HEAD_MAX], const char *, const char *, const char *);
static void
front_hand_over(struct front *fr, const char *host, const char *path);
static void
front_options(struct front *fr, const struct kore_module_handle *route);
static void front_request_end(struct http_request *req);
static void front_next(struct front *fr);
static void front_answer(struct front *fr, const struct reply *reply);
static void front_deny(struct front *fr, const struct refusal *refusal);
static struct reply_mode front_mode(struct front *fr);
static void client_of(const struct front *, char *);
static struct front *front_of(const struct http_request *req);
static const char *host_name(const char *host, char *out, size_t size);

const struct h1_request *
front_request(const struct http_request *req)
{
	return (h1_request(front_of(req)->parser));
}

void
front_set(struct http_request *req, enum front_slot slot, void *value,
    void (*release)(void *))
{
	struct front_value *v;

	v = &front_of(req)->slots[slot];
	if (v->value != NULL)
		fatal("a request's slot %d is set twice", (int)slot);
	v->value = value;
	v->release = release;
}

void *
front_get(const struct http_request *req, enum front_slot slot)
{
	return (front_of(req)->slots[slot].value);
}

void
front_client(const struct http_request *req, char *out)
{
	client_of(front_of(req), out);
}

int
front_reply(struct http_request *req, const struct reply *reply)
{
	front_answer(front_of(req), reply);
	return (KORE_RESULT_OK);
}

int
front_reply_private(struct http_request *req, char *body, size_t len)
{
	struct reply reply;
	int ret;

	if (body == NULL)
		return (front_refuse(req, ERR_BUSY));
	memset(&reply, 0, sizeof(reply));
	reply.status = 200;
	reply.type = "application/json";
	reply.body = body;
	reply.len = len;
	reply.no_store = true;
	ret = front_reply(req, &reply);
	secret_free_mem(body, len);
	return (ret);
}

int
front_refuse(struct http_request *req, enum error_code code)
{
	struct fault fault;
	struct refusal refusal;

	(void)fault_set(&fault, code, NULL);
	memset(&refusal, 0, sizeof(refusal));
	refusal.fault = &fault;
	return (front_refuse_with(req, &refusal));
}

int
front_refuse_with(struct http_request *req, const struct refusal *refusal)
{
	front_deny(front_of(req), refusal);
	return (KORE_RESULT_OK);
}

/* A request is complete: answer it here, or give it to Kore. */
void
front_dispatch(struct front *fr)
{
	const struct kore_module_handle *route;
	const struct h1_request *r;
	struct refusal refusal;
	struct fault fault;
	char host[HOST_MAX_KORE + 1], path[PATH_MAX_KORE + 1];
	char allow[ROUTE_ALLOW_MAX];
	size_t len;

	r = h1_request(fr->parser);
	fr->requests++;
	fr->answered = false;
	fr->deadline = 0;
	memset(&refusal, 0, sizeof(refusal));
	refusal.fault = &fault;

	len = (size_t)(strchrnul(r->target, '?') - r->target);
	if (len > PATH_MAX_KORE ||
	    host_name(r->host, host, sizeof(host)) == NULL) {
		(void)fault_set(&fault,
		    len > PATH_MAX_KORE ? ERR_URI_TOO_LONG : ERR_BAD_REQUEST,
		    NULL);
		front_deny(fr, &refusal);
		front_next(fr);
		return;
	}
	memcpy(path, r->target, len);
	path[len] = '\0';

	route = route_find(fr->c, host, path);
	if (strcmp(r->method, "OPTIONS") == 0 &&
	    (route != NULL || strcmp(path, "*") == 0)) {
		front_options(fr, route);
	} else if (route == NULL) {
		(void)fault_set(&fault, ERR_NOT_FOUND, NULL);
		front_deny(fr, &refusal);
	} else if (!route_takes(route, route_method(r->method))) {
		(void)fault_set(&fault, ERR_METHOD, NULL);
		route_allow(route, allow);
		refusal.allow = allow;
		front_deny(fr, &refusal);
	} else {
		front_hand_over(fr, host, path);
		return;
	}
	front_next(fr);
}

/* The bytes are no request: say so and close. */
void
front_error(struct front *fr, const struct fault *fault)
{
	struct refusal refusal;

	memset(&refusal, 0, sizeof(refusal));
	refusal.fault = fault;
	fr->answered = false;
	front_deny(fr, &refusal);
	fr->close_after = true;
	fr->state = FRONT_CLOSING;
}

/* What keeps a request that has a route from being given to Kore. */
static enum error_code
hand_over_fault(const struct front *fr, const char *host)
{
	if (http_request_count >= http_request_limit)
		return (ERR_BUSY);
	if (fr->c->tls_sni != NULL && strcasecmp(fr->c->tls_sni, host) != 0)
		return (ERR_MISDIRECTED);
	return (ERR_NONE);
}

/*
 * A head of our own making, without the client's headers; the length. The body
 * stays here, so Kore is told that there is none where it asks for one. The
 * parts have been bounded: a method that Kore knows, a path and a host that fit
 * it.
 */
static size_t
kore_head(char out[KORE_HEAD_MAX], const char *method, const char *path,
    const char *host)
{
	char *p;

	p = stpcpy(out, method);
	p = stpcpy(p, " ");
	p = stpcpy(p, path);
	p = stpcpy(p, " HTTP/1.1\r\nhost: ");
	p = stpcpy(p, host);
	if (method[0] == 'P') /* POST, PUT, PATCH */
		p = stpcpy(p, "\r\ncontent-length: 0");
	p = stpcpy(p, "\r\n\r\n");
	return ((size_t)(p - out));
}

/*
 * Give the request to Kore: it routes, runs the authentication block and calls
 * the handler; it has nothing left to refuse.
 */
static void
front_hand_over(struct front *fr, const char *host, const char *path)
{
	const struct h1_request *r = h1_request(fr->parser);
	struct http_request *req;
	struct refusal refusal;
	struct fault fault;
	struct netbuf nb;
	char head[KORE_HEAD_MAX];
	const char *query;

	if (fault_set(&fault, hand_over_fault(fr, host), NULL) != ERR_NONE) {
		memset(&refusal, 0, sizeof(refusal));
		refusal.fault = &fault;
		front_deny(fr, &refusal);
		front_next(fr);
		return;
	}

	memset(&nb, 0, sizeof(nb));
	nb.owner = fr->c;
	nb.type = NETBUF_RECV;
	nb.s_off = nb.b_len = nb.m_len = kore_head(head, r->method, path, host);
	nb.buf = kore_malloc(nb.m_len);
	memcpy(nb.buf, head, nb.m_len);
	(void)http_header_recv(&nb);
	kore_free(nb.buf);

	if (fr->state == FRONT_GONE)
		return;
	req = TAILQ_FIRST(&fr->c->http_requests);
	if (req == NULL) {
		front_io_abort(fr);
		return;
	}
	fr->req = req;
	fr->state = FRONT_EXCHANGE;
	req->onfree = front_request_end;
	query = strchr(r->target, '?');
	if (query != NULL)
		req->query_string = (char *)(uintptr_t)(query + 1);
}

/* OPTIONS is answered from the routes alone, before any guard. */
static void
front_options(struct front *fr, const struct kore_module_handle *route)
{
	struct reply reply;
	char allow[ROUTE_ALLOW_MAX];

	memset(&reply, 0, sizeof(reply));
	reply.status = 200;
	reply.allow = "GET, HEAD, OPTIONS, POST";
	if (route != NULL) {
		route_allow(route, allow);
		reply.allow = allow;
	}
	front_answer(fr, &reply);
}

/* Kore is done with the request, answered or not. */
static void
front_request_end(struct http_request *req)
{
	struct front *fr = front_of(req);
	size_t i;

	for (i = 0; i < FRONT_SLOTS; i++) {
		if (fr->slots[i].value != NULL && fr->slots[i].release != NULL)
			fr->slots[i].release(fr->slots[i].value);
		memset(&fr->slots[i], 0, sizeof(fr->slots[i]));
	}
	fr->req = NULL;

	if (fr->state == FRONT_GONE) {
		TAILQ_REMOVE(&front_worker.orphans, fr, list);
		TAILQ_INSERT_TAIL(&front_worker.dead, fr, list);
		return;
	}
	if (!fr->answered) {
		front_io_abort(fr);
		return;
	}
	front_next(fr);
	if (fr->state == FRONT_CLOSING || fr->backlog_len > 0 ||
	    (fr->c->evt.flags & KORE_EVENT_READ))
		front_wake(fr);
}

/* After an answer: on to the next request, or to the end. */
static void
front_next(struct front *fr)
{
	if (fr->state == FRONT_GONE || fr->state == FRONT_CLOSING)
		return;
	if (fr->close_after) {
		fr->state = FRONT_CLOSING;
		return;
	}
	h1_reset(fr->parser);
	fr->state = FRONT_READING;
	fr->answered_at = clock_monotonic_ms();
	fr->deadline = fr->answered_at + http_keepalive_time * 1000;
}

static void
front_answer(struct front *fr, const struct reply *reply)
{
	struct reply_mode mode;

	if (fr->answered)
		fatal("a request is answered twice");
	fr->answered = true;
	if (fr->state == FRONT_GONE)
		return;
	mode = front_mode(fr);
	reply_write(fr->c, reply, &mode);
}

static void
front_deny(struct front *fr, const struct refusal *refusal)
{
	struct refusal full = *refusal;
	struct reply_mode mode;
	char client[CLIENT_TEXT_MAX];
	char path[PATH_MAX_KORE + 1];
	size_t len;

	if (fr->answered)
		fatal("a request is answered twice");
	fr->answered = true;
	if (fr->state == FRONT_GONE)
		return;
	if (full.instance == NULL && h1_state(fr->parser) == H1_DONE) {
		len = strcspn(h1_request(fr->parser)->target, "?");
		if (len < sizeof(path)) {
			memcpy(path, h1_request(fr->parser)->target, len);
			path[len] = '\0';
			full.instance = path;
		}
	}
	client_of(fr, client);
	full.client = client;
	mode = front_mode(fr);
	reply_refuse(fr->c, front_worker.config, &full, &mode);
}

/* How the answer under way leaves; settles whether it is the last one. */
static struct reply_mode
front_mode(struct front *fr)
{
	const struct h1_request *r;
	struct reply_mode mode;
	unsigned int max;

	memset(&mode, 0, sizeof(mode));
	max = front_worker.config->requests_per_connection;
	mode.tls = fr->c->ssl != NULL;
	mode.last = fr->backlog_len == 0;
	mode.close = true;
	if (h1_state(fr->parser) == H1_DONE) {
		r = h1_request(fr->parser);
		mode.head_only = strcmp(r->method, "HEAD") == 0;
		mode.close = !r->keep_alive || http_keepalive_time == 0 ||
		    front_worker.draining || (max != 0 && fr->requests >= max);
	}
	fr->close_after = mode.close;
	return (mode);
}

/* The client behind a connection, as far as it is still known. */
static void
client_of(const struct front *fr, char *out)
{
	struct in6_addr address;

	address = fr->peer;
	if (fr->state != FRONT_GONE && h1_state(fr->parser) == H1_DONE)
		client_address(fr->c, h1_request(fr->parser), &address);
	client_text(&address, out);
}

static struct front *
front_of(const struct http_request *req)
{
	struct front *fr;

	if (req->owner != NULL && req->owner->hdlr_extra != NULL)
		return (req->owner->hdlr_extra);
	TAILQ_FOREACH(fr, &front_worker.orphans, list) {
		if (fr->req == req)
			return (fr);
	}
	fatal("a request without a connection front");
}

/*
 * The host of a Host header without its port; "localhost" where a request of
 * HTTP/1.0 has none. NULL when it does not fit.
 */
static const char *
host_name(const char *host, char *out, size_t size)
{
	size_t len;

	if (*host == '[')
		len = strcspn(host, "]") + (strchr(host, ']') != NULL);
	else
		len = (size_t)(strchrnul(host, ':') - host);
	if (len == 0) {
		host = "localhost";
		len = strlen(host);
	}
	if (len >= size)
		return (NULL);
	memcpy(out, host, len);
	out[len] = '\0';
	return (out);
}
