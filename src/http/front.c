#include <stdlib.h>

#include <kore/kore.h>
#include <kore/http.h>

#include "base/clock.h"
#include "base/secret.h"
#include "http/capacity.h"
#include "http/client.h"
#include "http/export.h"
#include "http/front_internal.h"
#include "http/tls.h"

struct front_worker front_worker;

static void front_event(void *arg, int error);
static void front_gone(struct connection *c);
static void front_run(struct front *fr);
static bool front_step(struct front *fr);
static bool
front_feed(struct front *fr, const uint8_t *data, size_t len, size_t *used);
static void front_run_ready(void *arg, u_int64_t now);
static void front_tick(void *arg, u_int64_t kore_now);
static bool front_is_stalled(struct front *fr, int64_t now);
static void front_expire(struct front *fr, int64_t now);
static void front_release(struct front *fr);
static void front_reap(void);
static struct front *front_take(struct connection *c, enum front_state state);
static bool front_is_full(const struct front *fr);

void
front_init(const struct config *config)
{
	front_worker.config = config;
	front_worker.limits.target_max = http_header_max;
	front_worker.limits.head_max = http_header_max;
	front_worker.limits.fields_max = config->header_fields;
	front_worker.limits.body_max = http_body_max;
	front_worker.memory.max = (size_t)config->request_memory_kib * 1024;
	TAILQ_INIT(&front_worker.fronts);
	TAILQ_INIT(&front_worker.orphans);
	TAILQ_INIT(&front_worker.ready);
	TAILQ_INIT(&front_worker.dead);
	front_peers_init();
	front_drain_init();
	(void)kore_timer_add(front_tick, FRONT_TICK_MS, NULL, 0);
}

CORGI_EXPORT void
front_connect(struct connection *c)
{
	(void)front_take(c, FRONT_READING);
}

CORGI_EXPORT void
front_connect_tls(struct connection *c)
{
	struct front *fr;

	fr = front_take(c, FRONT_HANDSHAKE);
	if (fr == NULL)
		return;
	c->ssl = tls_accept(c->fd);
	if (c->ssl == NULL) {
		front_io_abort(fr);
		return;
	}
	c->read = net_read_tls;
	c->write = net_write_tls;
}

/*
 * Take a connection over from Kore. One too many is told so and closed, or,
 * where that would cost a handshake, just closed. NULL when it is over.
 */
static struct front *
front_take(struct connection *c, enum front_state state)
{
	struct fault fault;
	struct front *fr;

	fr = calloc(1, sizeof(*fr));
	if (fr == NULL || (fr->parser = h1_new(&front_worker.limits)) == NULL) {
		free(fr);
		kore_connection_disconnect(c);
		return (NULL);
	}
	h1_share(fr->parser, &front_worker.memory);
	fr->c = c;
	fr->state = state;
	fr->deadline = clock_monotonic_ms() + http_header_timeout * 1000;
	client_address(c, NULL, &fr->peer);
	TAILQ_INSERT_TAIL(&front_worker.fronts, fr, list);
	front_peers_add(fr);
	front_worker.count++;
	if (state == FRONT_HANDSHAKE) {
		fr->handshaking = true;
		front_worker.handshakes++;
	}

	c->proto = CONN_PROTO_HTTP;
	c->state = CONN_STATE_ESTABLISHED;
	c->http_timeout = 0;
	c->idle_timer.length = UINT64_MAX;
	c->hdlr_extra = fr;
	c->disconnect = front_gone;
	c->evt.handle = front_event;

	if (!front_is_full(fr))
		return (fr);
	if (state == FRONT_HANDSHAKE) {
		front_io_abort(fr);
		return (NULL);
	}
	(void)fault_set(&fault, ERR_CONNECTIONS, NULL);
	front_error(fr, &fault);
	return (fr);
}

void
front_handshake_over(struct front *fr)
{
	if (!fr->handshaking)
		return;
	fr->handshaking = false;
	front_worker.handshakes--;
}

/* Whether this connection is one more than its worker or address may have. */
static bool
front_is_full(const struct front *fr)
{
	unsigned int max;

	if (front_worker.count > capacity_connections() ||
	    (fr->handshaking && front_worker.handshakes > FRONT_HANDSHAKES_MAX))
		return (true);
	max = front_worker.config->connections_per_address;
	return (max != 0 && front_peers_count(fr) > max);
}

/*
 * The end of the peer's side comes as an error from the event loop, together
 * with data that it may have sent before: a client that shuts down after its
 * request still gets its answer.
 */
static void
front_event(void *arg, int error)
{
	struct connection *c = arg;
	struct front *fr = c->hdlr_extra;

	front_reap();
	if (fr == NULL)
		return;
	if (error) {
		fr->hangup = true;
		c->evt.flags |= KORE_EVENT_READ;
	}
	front_run(fr);
}

/* Kore is about to close the connection. */
static void
front_gone(struct connection *c)
{
	struct front *fr = c->hdlr_extra;

	if (fr == NULL)
		return;
	c->hdlr_extra = NULL;
	fr->c = NULL;
	fr->state = FRONT_GONE;
	front_backlog_drop(fr);
	if (fr->is_ready) {
		TAILQ_REMOVE(&front_worker.ready, fr, ready);
		fr->is_ready = false;
	}
	TAILQ_REMOVE(&front_worker.fronts, fr, list);
	front_handshake_over(fr);
	front_peers_remove(fr);
	front_worker.count--;
	if (fr->req != NULL)
		TAILQ_INSERT_TAIL(&front_worker.orphans, fr, list);
	else
		TAILQ_INSERT_TAIL(&front_worker.dead, fr, list);
}

/*
 * Do what can be done on a connection without waiting, but no more than its
 * share: a client that sends one request after the other without a pause is
 * gone on with in the next turn, after the others.
 */
static void
front_run(struct front *fr)
{
	unsigned int steps;

	for (steps = 0; front_io_flush(fr); steps++) {
		if (steps == FRONT_STEPS_MAX) {
			front_wake(fr);
			return;
		}
		switch (fr->state) {
		case FRONT_HANDSHAKE:
			if (!front_io_handshake(fr))
				return;
			break;
		case FRONT_READING:
			/* A client that does not read its answers is not
			 * given more of them. */
			if (front_io_pending(fr) || !front_step(fr))
				return;
			break;
		case FRONT_CLOSING:
			if (front_io_pending(fr))
				return;
			fr->deadline = clock_monotonic_ms() + FRONT_DISCARD_MS;
			front_io_shutdown(fr);
			break;
		case FRONT_DISCARDING:
			front_io_discard(fr);
			return;
		case FRONT_EXCHANGE:
			/* Who has ended only one side still reads. */
			if (fr->hangup && front_io_is_reset(fr))
				front_io_abort(fr);
			return;
		case FRONT_GONE:
			return;
		}
	}
}

/* Take the next bytes, if there are any; returns false when there are not. */
static bool
front_step(struct front *fr)
{
	static uint8_t scratch[FRONT_READ_MAX];
	size_t len, used;

	if (fr->backlog_len > 0) {
		len = fr->backlog_len - fr->backlog_off;
		if (front_feed(fr, fr->backlog + fr->backlog_off, len, &used))
			fr->backlog_off += used;
		if (fr->backlog_off == fr->backlog_len)
			front_backlog_drop(fr);
		return (true);
	}

	switch (front_io_read(fr, scratch, sizeof(scratch), &len)) {
	case FRONT_READ_DATA:
		if (front_feed(fr, scratch, len, &used))
			front_backlog_put(fr, scratch + used, len - used);
		/* There may have been a password in it. */
		secret_wipe(scratch, len);
		return (true);
	case FRONT_READ_LATER:
		return (false);
	case FRONT_READ_END:
	case FRONT_READ_FAILED:
		front_io_abort(fr);
		break;
	}
	return (false);
}

/*
 * Feed the parser and act on a request that is complete or refused. Returns
 * false when the rest of the bytes is of no more use.
 */
static bool
front_feed(struct front *fr, const uint8_t *data, size_t len, size_t *used)
{
	enum h1_state before;

	before = h1_state(fr->parser);
	*used = h1_feed(fr->parser, data, len);

	switch (h1_state(fr->parser)) {
	case H1_DONE:
		front_dispatch(fr);
		break;
	case H1_ERROR:
		front_error(fr, h1_fault(fr->parser));
		break;
	case H1_BODY:
		if (before != H1_BODY)
			fr->deadline =
			    clock_monotonic_ms() + http_body_timeout * 1000;
		if (h1_wants_continue(fr->parser))
			reply_continue(fr->c);
		break;
	case H1_HEAD:
		if (before == H1_IDLE)
			fr->deadline =
			    clock_monotonic_ms() + http_header_timeout * 1000;
		break;
	case H1_IDLE:
		break;
	}
	return (fr->state == FRONT_READING || fr->state == FRONT_EXCHANGE);
}

/*
 * Go on with a connection in the next turn of the event loop: from within a
 * request's end the next request may not be started.
 */
void
front_wake(struct front *fr)
{
	if (fr->is_ready)
		return;
	fr->is_ready = true;
	TAILQ_INSERT_TAIL(&front_worker.ready, fr, ready);
	if (!front_worker.ready_armed) {
		front_worker.ready_armed = true;
		(void)kore_timer_add(
		    front_run_ready, 0, NULL, KORE_TIMER_ONESHOT);
	}
}

static void
front_run_ready(void *arg, u_int64_t now)
{
	struct front *fr;
	size_t count;

	(void)arg;
	(void)now;
	/* Those that become ready meanwhile are for the next turn. */
	count = 0;
	TAILQ_FOREACH(fr, &front_worker.ready, ready)
		count++;
	front_worker.ready_armed = false;
	while (count-- > 0 && (fr = TAILQ_FIRST(&front_worker.ready)) != NULL) {
		TAILQ_REMOVE(&front_worker.ready, fr, ready);
		fr->is_ready = false;
		front_run(fr);
	}
}

static void
front_tick(void *arg, u_int64_t kore_now)
{
	struct front *fr, *next;
	int64_t now;

	(void)arg;
	(void)kore_now;
	front_reap();
	tls_renew();
	now = clock_monotonic_ms();
	for (fr = TAILQ_FIRST(&front_worker.fronts); fr != NULL; fr = next) {
		next = TAILQ_NEXT(fr, list);
		front_expire(fr, now);
	}
}

/*
 * Whether answers wait and the client has taken as good as nothing for too
 * long. It is its side of the network that is asked: the kernel keeps megabytes
 * for it, and takes more only when a good part of them has gone.
 */
static bool
front_is_stalled(struct front *fr, int64_t now)
{
	uint64_t taken;

	if (!front_io_pending(fr)) {
		fr->stalled_at = 0;
		return (false);
	}
	taken = front_io_taken(fr);
	if (fr->stalled_at == 0 || taken - fr->taken >= FRONT_TAKEN_MIN) {
		fr->stalled_at = now;
		fr->taken = taken;
		return (false);
	}
	return (now - fr->stalled_at >= http_body_timeout * 1000);
}

/* Hold one connection to its deadlines. */
static void
front_expire(struct front *fr, int64_t now)
{
	struct fault fault;

	if (front_is_stalled(fr, now)) {
		front_io_abort(fr);
		return;
	}
	/* What is not read meanwhile cannot be late. */
	if (fr->stalled_at != 0 && fr->deadline != 0)
		fr->deadline += FRONT_TICK_MS;

	if (fr->state == FRONT_READING && fr->answered_at != 0 &&
	    h1_state(fr->parser) == H1_IDLE &&
	    now - fr->answered_at >= FRONT_FORGET_MS) {
		h1_forget(fr->parser);
		fr->answered_at = 0;
	}

	if (fr->deadline == 0 || now < fr->deadline)
		return;
	if (fr->state == FRONT_READING && h1_state(fr->parser) != H1_IDLE) {
		(void)fault_set(&fault, ERR_TIMEOUT, NULL);
		front_error(fr, &fault);
		front_run(fr);
	} else if (fr->state != FRONT_EXCHANGE && fr->state != FRONT_CLOSING) {
		front_io_abort(fr);
	}
}

static void
front_release(struct front *fr)
{
	front_backlog_drop(fr);
	h1_free(fr->parser);
	free(fr);
}

/* Free what is over. Called where nobody up the stack holds a front. */
static void
front_reap(void)
{
	struct front *fr;

	while ((fr = TAILQ_FIRST(&front_worker.dead)) != NULL) {
		TAILQ_REMOVE(&front_worker.dead, fr, list);
		front_release(fr);
	}
}
