/*
 * The thread for short jobs, and a clock that goes on between two looks at it.
 * The rest of the pool needs Kore.
 */
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#include <criterion/criterion.h>

#include "base/clock.h"

static int64_t shown_ms(void);

#define clock_monotonic_ms shown_ms
#include "http/offload_queue.c"
#include "http/offload_threads.c"
#undef clock_monotonic_ms

TestSuite(offload, .timeout = 60);

struct offload_pool offload_pool = {
    .fd = -1,
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .work = {.arrival = PTHREAD_COND_INITIALIZER},
    .spare = {.arrival = PTHREAD_COND_INITIALIZER},
    .late = {.arrival = PTHREAD_COND_INITIALIZER},
};

static _Atomic int looks; /* how often the clock was asked */
static int late_after;    /* the last look at which others may still join */
static sem_t ran;

/* What then() was called for: how many jobs at once, call after call. */
static size_t counts[8], ncalls;

static int64_t
shown_ms(void)
{
	return (
	    atomic_fetch_add(&looks, 1) < late_after ? 0 : OFFLOAD_GATHER_MS);
}

int
priority_leftover(void)
{
	return (0);
}

int
priority_low(void)
{
	return (0);
}

int
priority_event_loop(void)
{
	return (0);
}

static void
then(struct offload_job **jobs, size_t count, void **local)
{
	(void)jobs;
	(void)local;
	counts[ncalls++] = count;
	(void)sem_post(&ran);
}

static void
begin(void)
{
	pthread_condattr_t monotonic;

	TAILQ_INIT(&offload_pool.longs);
	TAILQ_INIT(&offload_pool.shorts);
	TAILQ_INIT(&offload_pool.done);
	offload_pool.together = OFFLOAD_TOGETHER_MAX;
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&offload_pool.brief.arrival, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	(void)sem_init(&ran, 0, 0);
}

/* Whether what waits for others is done, when the clock says after so many
 * looks of the thread that it has waited for long enough. */
static bool
is_done_after(int thread_looks)
{
	struct offload_job hashed[2] = {{0}}, patient = {.then = then};
	struct timespec until;
	pthread_t thread;
	bool done;

	atomic_store(&looks, 0);
	late_after = INT32_MAX;
	offload_put(&hashed[0], OFFLOAD_LONG);
	offload_put(&hashed[1], OFFLOAD_LONG);
	offload_put_patient(&patient);
	late_after = atomic_load(&looks) + thread_looks;

	offload_pool.stop = false;
	cr_assert_eq(pthread_create(&thread, NULL, offload_brief, NULL), 0);
	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 10;
	done = sem_timedwait(&ran, &until) == 0;

	(void)pthread_mutex_lock(&offload_pool.lock);
	offload_pool.stop = true;
	(void)pthread_cond_broadcast(&offload_pool.brief.arrival);
	(void)pthread_mutex_unlock(&offload_pool.lock);
	(void)pthread_join(thread, NULL);
	if (!done)
		offload_take(&patient);
	offload_take(&hashed[0]);
	offload_take(&hashed[1]);
	return (done);
}

/* Nobody wakes it: there is no other thread, and nothing else comes. */
Test(offload, those_that_waited_long_enough_are_done_whenever_the_clock_says_so)
{
	int i;

	begin();
	for (i = 0; i < 4; i++)
		cr_expect(is_done_after(i), "after %d looks", i);
}

/* Those that may be done with others are given back before one that is to be
 * alone is begun, wherever it stands among them. */
Test(offload, one_that_is_to_be_alone_is_not_done_with_others)
{
	static const size_t expected[] = {2, 1, 1, 1};
	struct offload_job jobs[5] = {{.then = then}, {.then = then},
	    {.then = then}, {.then = then}, {.then = then}};
	void *local = NULL;
	size_t i;

	begin();
	jobs[1].alone = jobs[3].alone = true;
	for (i = 0; i < 4; i++)
		offload_put(&jobs[i], OFFLOAD_SHORT);
	(void)pthread_mutex_lock(&offload_pool.lock);
	for (i = 0; i < 4; i++) {
		offload_run(offload_next_short(), &local);
		cr_assert_eq(ncalls, i + 1);
		cr_expect_eq(
		    counts[i], expected[i], "call %zu: %zu jobs", i, counts[i]);
		if (i == 0)
			offload_put(&jobs[4], OFFLOAD_SHORT);
	}
	(void)pthread_mutex_unlock(&offload_pool.lock);
	cr_expect_null(offload_next_short());
}
