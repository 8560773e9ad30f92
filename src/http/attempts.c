#include <sys/eventfd.h>

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/attempts.h"
#include "http/heard.h"
#include "http/service.h"

/* Most rows that wait to be appended: those of some seconds of hashing. */
#define WAITING_MAX (16 * STORE_ATTEMPTS_MAX)

/* How often the same trouble is logged. */
#define COMPLAIN_MS 60000

/* The rows of this worker that wait: a ring. */
static struct {
	pthread_mutex_t lock; /* guards all below; held for a moment only */
	struct {
		struct store_attempt row;
		int64_t ms; /* when it happened */
	} rows[WAITING_MAX];
	size_t first;
	size_t count;
	uint64_t dropped;
} waiting = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int wake_fd = -1;

/* When each trouble was last logged; 0: not yet. Control thread. */
static int64_t untold_ms, uncounted_ms;

static size_t peek(struct store_attempt *);
static void drop(size_t);
static bool append(struct store *);
static void complain(int64_t *, const char *, const char *);

int
attempts_start(void)
{
	wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return (wake_fd == -1 ? -1 : 0);
}

int
attempts_fd(void)
{
	return (wake_fd);
}

void
attempts_tell(const struct store_attempt *row)
{
	const uint64_t one = 1;
	size_t at;

	if (!service_get()->on_server)
		return;
	(void)pthread_mutex_lock(&waiting.lock);
	if (waiting.count < WAITING_MAX) {
		at = (waiting.first + waiting.count++) % WAITING_MAX;
		waiting.rows[at].row = *row;
		waiting.rows[at].ms = clock_monotonic_ms();
	} else {
		waiting.dropped++;
	}
	(void)pthread_mutex_unlock(&waiting.lock);
	/* Only fails when the counter is full: then it is readable. */
	if (write(wake_fd, &one, sizeof(one)) == -1)
		return;
}

void
attempts_note(void)
{
	uint64_t count;

	/* Only fails when there is nothing to read. */
	if (read(wake_fd, &count, sizeof(count)) == -1)
		return;
}

/* Copy the rows that wait longest; how many. */
static size_t
peek(struct store_attempt *rows)
{
	int64_t now = clock_monotonic_ms();
	size_t i, at, count;

	(void)pthread_mutex_lock(&waiting.lock);
	count = waiting.count < STORE_ATTEMPTS_MAX ? waiting.count
						   : STORE_ATTEMPTS_MAX;
	for (i = 0; i < count; i++) {
		at = (waiting.first + i) % WAITING_MAX;
		rows[i] = waiting.rows[at].row;
		rows[i].age_ms = now - waiting.rows[at].ms;
	}
	(void)pthread_mutex_unlock(&waiting.lock);
	return (count);
}

static void
drop(size_t count)
{
	uint64_t dropped;

	(void)pthread_mutex_lock(&waiting.lock);
	waiting.first = (waiting.first + count) % WAITING_MAX;
	waiting.count -= count;
	dropped = waiting.dropped;
	waiting.dropped = 0;
	(void)pthread_mutex_unlock(&waiting.lock);
	if (dropped > 0)
		log_line(LOG_LEVEL_WARNING,
		    "%llu failed logins count on this node alone: the "
		    "database did not take them in time",
		    (unsigned long long)dropped);
}

/* The rows that wait longest, as many as go at once; whether the store took
 * any. What it does not take now waits: it is there once in the end. */
static bool
append(struct store *store)
{
	struct store_attempt rows[STORE_ATTEMPTS_MAX];
	size_t count = peek(rows);

	if (count == 0)
		return (false);
	if (store_attempt_add(store, rows, count) != STORE_OK) {
		complain(&untold_ms, "are not told to other nodes",
		    store_error(store));
		return (false);
	}
	drop(count);
	return (true);
}

void
attempts_flush(struct store *store)
{
	size_t left;

	for (left = WAITING_MAX; left > 0 && append(store);
	     left -= STORE_ATTEMPTS_MAX)
		continue;
}

bool
attempts_turn(struct store *store)
{
	enum store_result result;
	int64_t told;
	bool asked;

	asked = append(store);
	if (store_attempt_told(store, &told) != STORE_OK)
		return (asked);
	if (told <= throttle_position(service_get()->throttle) &&
	    heard_ago(HEARD_ATTEMPTS) < HEARD_BEAT_MS)
		return (asked);
	result = attempts_follow(store);
	if (result == STORE_OK)
		return (true);
	complain(&uncounted_ms, "of other nodes are not counted",
	    store_error(store));
	return (asked);
}

/* The time is taken before the question: the answer may be as old as that. */
enum store_result
attempts_follow(struct store *store)
{
	int64_t now = clock_monotonic_ms(), boot = clock_boot_ms();
	enum store_result result;

	result = throttle_follow(service_get()->throttle, store, now);
	/* A server that answers, but not that, is there: a right is missing,
	 * say. Nobody is refused because of it. */
	if (result != STORE_FAILED && result != STORE_BUSY)
		heard_note(HEARD_ATTEMPTS, boot);
	return (result);
}

enum store_result
attempts_purge(struct store *store, int limit, int64_t *removed)
{
	return (store_attempt_purge(store,
	    throttle_keep_ms(service_get()->throttle), THROTTLE_ROWS_MAX, limit,
	    removed));
}

static void
complain(int64_t *last_ms, const char *what, const char *trouble)
{
	int64_t now = clock_monotonic_ms();

	if (*last_ms != 0 && now - *last_ms < COMPLAIN_MS)
		return;
	*last_ms = now;
	log_line(LOG_LEVEL_ERR, "failed logins %s: %s", what, trouble);
}
