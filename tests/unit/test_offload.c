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
	cr_expect_eq(count, 1);
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
