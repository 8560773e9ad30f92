#include <sys/socket.h>

#include <kore/kore.h>
#include <kore/http.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/front_internal.h"

/* How often a draining worker looks whether it may end. */
#define DRAIN_CHECK_MS 10

/* How long idle connections may still bring a request that was on its way when
 * the drain began. */
#define DRAIN_GRACE_MS 100

/* Kore counts two helpers of its own among its workers. */
#define DRAIN_SOLO_COUNT 3

/* Kore's own handler of listening sockets, one for all of them. */
static void (*kore_accept)(void *, int);

static void drain_listener_event(void *, int);
static void drain_listeners(void);
static void drain_check(void *, u_int64_t);
static bool drain_is_idle(const struct front *);

void
front_drain_init(void)
{
	struct kore_server *server;
	struct listener *l;

	LIST_FOREACH(server, &kore_servers, list) {
		LIST_FOREACH(l, &server->listeners, list) {
			kore_accept = l->evt.handle;
			l->evt.handle = drain_listener_event;
		}
	}
}

void
front_drain(void)
{
	if (front_worker.draining)
		return;
	log_line(LOG_LEVEL_NOTICE, "stopping: finishing what is under way");
	front_worker.draining = true;
	front_worker.drain_start = clock_monotonic_ms();
	drain_listeners();
	(void)kore_timer_add(drain_check, DRAIN_CHECK_MS, NULL, 0);
}

bool
front_draining(void)
{
	return (front_worker.draining);
}

/*
 * Another worker has ended the listening, for all. To Kore an error on a
 * listener is a reason to die.
 */
static void
drain_listener_event(void *arg, int error)
{
	if (error)
		front_drain();
	else
		kore_accept(arg, 0);
}

/*
 * Take the connections that wait, then end the listening for all processes,
 * so that clients and proxies that come later are refused by the kernel, before
 * they have sent anything. Kore is kept from listening again by a limit of no
 * connections; where there is one worker alone, it does not look at the limit.
 */
static void
drain_listeners(void)
{
	struct kore_server *server;
	struct listener *l;

	worker_accept_threshold = 0;
	LIST_FOREACH(server, &kore_servers, list) {
		LIST_FOREACH(l, &server->listeners, list) {
			l->evt.flags |= KORE_EVENT_READ;
			kore_accept(l, 0);
			(void)shutdown(l->fd, SHUT_RD);
		}
	}
	worker_max_connections = 0;
	if (worker_count == DRAIN_SOLO_COUNT)
		kore_platform_disable_accept();
}

/* Once nothing is under way any more, let Kore's loop end as on SIGTERM. */
static void
drain_check(void *arg, u_int64_t kore_now)
{
	struct front *fr, *next;
	int64_t passed;
	bool busy;

	(void)arg;
	(void)kore_now;
	passed = clock_monotonic_ms() - front_worker.drain_start;
	if (passed < DRAIN_GRACE_MS)
		return;
	busy = false;
	for (fr = TAILQ_FIRST(&front_worker.fronts); fr != NULL; fr = next) {
		next = TAILQ_NEXT(fr, list);
		if (drain_is_idle(fr))
			front_io_abort(fr);
		else
			busy = true;
	}
	if (!busy ||
	    passed >= (int64_t)front_worker.config->shutdown_seconds * 1000)
		sig_recv = SIGTERM;
}

static bool
drain_is_idle(const struct front *fr)
{
	return (fr->state == FRONT_DISCARDING ||
	    (fr->state == FRONT_READING && h1_state(fr->parser) == H1_IDLE &&
		fr->backlog_len == 0 && !front_io_pending(fr)));
}
