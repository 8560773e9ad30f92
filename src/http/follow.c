#include <stdint.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/follow.h"
#include "http/service.h"

/* How often what is over is removed, and at most how many rows at once, so
 * that nobody waits long for the database. */
#define PURGE_MS    30000
#define PURGE_LIMIT 500

/* How often the same trouble is logged. */
#define COMPLAIN_MS 60000

/* What the one control thread of this worker keeps. */
static struct {
	void *local; /* its store handle */
	bool begun;
	int64_t mark; /* of the database when it was last followed */
	int64_t last; /* number of the last row followed */
	int64_t purged_ms;
	int64_t complained_ms; /* 0: not lately */
} follower;

static bool follow(struct store *);
static void purge(struct store *);
static void complain(const char *);

void
follow_tick(void)
{
	struct store *store;
	int64_t mark;

	store = service_store(&follower.local);
	if (store == NULL)
		return;
	if (store_change_mark(store, &mark) != STORE_OK) {
		service_store_settle(&follower.local, STORE_FAILED);
		return;
	}
	if ((!follower.begun || mark != follower.mark) && follow(store)) {
		follower.begun = true;
		follower.mark = mark;
	}
	if (follower.local != NULL &&
	    clock_monotonic_ms() - follower.purged_ms >= PURGE_MS) {
		follower.purged_ms = clock_monotonic_ms();
		purge(store);
	}
}

bool
follow_now(void)
{
	struct store *store;

	store = service_store(&follower.local);
	return (store != NULL && follow(store));
}

void
follow_end(void)
{
	service_store_release(follower.local);
	follower.local = NULL;
}

/* Rows that do not fit are tried again with the next tick. */
static bool
follow(struct store *store)
{
	const struct service *service = service_get();
	enum store_result result;

	if (follower.last == 0)
		follower.last = service->followed;
	result = revocations_follow(service->revocations, store,
	    clock_now(&service->policy.clock), &follower.last);
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
	int64_t now = clock_now(&service->policy.clock), removed;
	enum store_result result;

	result = store_purge(store, now,
	    (now - service->config.refresh_grace) * 1000, PURGE_LIMIT,
	    &removed);
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
