#include <stdint.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/agree.h"
#include "http/attempts.h"
#include "http/follow.h"
#include "http/heard.h"
#include "http/service.h"

/* How often what is over is removed, and at most how many rows at once, so
 * that nobody waits long for the database. */
#define PURGE_MS    30000
#define PURGE_LIMIT 500

/* How often the same trouble is logged. */
#define COMPLAIN_MS 60000

/* How often a server is tried that could not be reached at the start. */
#define PREPARE_MS 1000

/* How long it is asked at most before others have their turn, while it goes on
 * telling or being told (milliseconds). */
#define TURNS_MS 200

/* What the one control thread of this worker keeps. */
static struct {
	void *local; /* its store handle */
	bool begun;
	int64_t mark; /* of the database when it was last followed */
	int64_t purged_ms;
	int64_t prepared_ms;   /* when that was last tried */
	int64_t complained_ms; /* 0: not lately */
} follower;

static bool prepared(void);
static void look(struct store *);
static bool hear(struct store *);
static bool follow(struct store *);
static void purge(struct store *);
static void complain(const char *);

bool
follow_tick(void)
{
	if (!prepared() || service_store(&follower.local) == NULL)
		return (false);
	/* First what is asked for other reasons: what the server tells
	 * meanwhile comes with its answers, and is heard below. */
	agree_look(follower.local);
	if (clock_monotonic_ms() - follower.purged_ms >= PURGE_MS) {
		follower.purged_ms = clock_monotonic_ms();
		purge(follower.local);
	}
	if (follower.local == NULL)
		return (false);
	if (service_get()->on_server)
		return (hear(follower.local));
	look(follower.local);
	return (false);
}

int
follow_fd(void)
{
	int fd = -1;

	if (follower.local == NULL || !service_get()->on_server)
		return (-1);
	if (store_listen(follower.local, &fd) == STORE_OK)
		return (fd);
	service_store_settle(&follower.local, STORE_FAILED);
	return (-1);
}

/* Whether there is a database to follow; one that was out of reach at the
 * start is tried now and then. */
static bool
prepared(void)
{
	int64_t now = clock_monotonic_ms();

	if (!service_get()->prepared && now - follower.prepared_ms < PREPARE_MS)
		return (follower.begun);
	follower.prepared_ms = now;
	return (service_prepare());
}

/* A file tells nobody when it changes. */
static void
look(struct store *store)
{
	int64_t mark;

	if (store_change_mark(store, &mark) != STORE_OK) {
		service_store_settle(&follower.local, STORE_FAILED);
		return;
	}
	if ((!follower.begun || mark != follower.mark) && follow(store)) {
		follower.begun = true;
		follower.mark = mark;
	}
}

/*
 * A server tells of every row of both logs. It is asked for the rows also when
 * none of this node's workers has done so for a while: what came of that is the
 * sign that it can still be heard, and what was told to a connection that is
 * gone is in the log all the same. While it is asked more may be told: so after
 * each thing that is done for the throttle it is revocations' turn again. True:
 * it was left although there may be more.
 */
static bool
hear(struct store *store)
{
	int64_t until = clock_monotonic_ms() + TURNS_MS;
	bool news, asked;
	int fd;

	do {
		if (store_listen(store, &fd) != STORE_OK ||
		    store_heard(store, &news) != STORE_OK) {
			complain(store_error(store));
			service_store_settle(&follower.local, STORE_FAILED);
			return (false);
		}
		asked = false;
		if (news || heard_ago(HEARD_REVOCATIONS) >= HEARD_BEAT_MS) {
			asked = follow(store);
			if (follower.local == NULL)
				return (false);
			follower.begun = follower.begun || asked;
		}
		if (!attempts_turn(store) && !asked)
			return (false);
	} while (clock_monotonic_ms() < until);
	return (true);
}

bool
follow_now(void)
{
	struct store *store;

	if (!prepared())
		return (false);
	store = service_store(&follower.local);
	return (store != NULL && follow(store));
}

void
follow_end(void)
{
	if (follower.local != NULL && service_get()->on_server)
		attempts_flush(follower.local);
	service_store_release(follower.local);
	follower.local = NULL;
}

/* Rows that do not fit are tried again with the next tick. */
static bool
follow(struct store *store)
{
	enum store_result result;

	result = heard_follow(store);
	if (result == STORE_OK) {
		follower.complained_ms = 0;
		return (true);
	}
	complain(result == STORE_FULL
		? "no room for a revocation: raise CORGI_REVOCATIONS"
		: store_error(store));
	if (result != STORE_FULL)
		service_store_settle(&follower.local, result);
	return (false);
}

/* Not being able to is no trouble yet: the next one will. */
static void
purge(struct store *store)
{
	const struct service *service = service_get();
	int64_t now = clock_now(&service->policy.clock), removed, more = 0;
	enum store_result result;

	result = store_purge(store, now,
	    (now - service->config.refresh_grace) * 1000, PURGE_LIMIT,
	    &removed);
	if (result == STORE_OK && service->on_server &&
	    attempts_purge(store, PURGE_LIMIT, &more) == STORE_OK)
		removed += more;
	if (result == STORE_OK && removed >= PURGE_LIMIT)
		follower.purged_ms = 0;
	service_store_settle(&follower.local, result);
}

static void
complain(const char *trouble)
{
	int64_t now = clock_monotonic_ms();

	if (follower.complained_ms != 0 &&
	    now - follower.complained_ms < COMPLAIN_MS)
		return;
	follower.complained_ms = now;
	log_line(LOG_LEVEL_ERR, "revocations of others are not followed: %s",
	    trouble);
}
