/*
 * offload_threads.c - the threads of the pool.
 */
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/turns.h"
#include "http/offload_internal.h"
#include "http/priority.h"

/* How long nobody may have begun a job of a kind, while one waits, before the
 * reserve takes it (milliseconds). */
#define OFFLOAD_PATIENCE_MS 500

/* How late clock_monotonic_ms() may be, at a kernel's slowest tick. */
#define OFFLOAD_CLOCK_LATE_MS 10

static int64_t *offload_begun(const struct offload_job *);
static void offload_wait(struct offload_hands *);
static void offload_wait_until(struct offload_hands *, int64_t);
static void offload_loop(struct offload_job *(*)(void), struct offload_hands *);
static void offload_hash(struct offload_job *(*)(void), struct offload_hands *);
static void offload_run(struct offload_job *, void **);
static void offload_run_one(struct offload_job *, void **);
static void offload_run_together(struct offload_job *, void **);
static void offload_give_back(struct offload_job **, size_t);

/* When a job of this one's kind was last begun; with the lock held. */
static int64_t *
offload_begun(const struct offload_job *job)
{
	return (job->is_long ? &offload_pool.long_ms : &offload_pool.short_ms);
}

/*
 * Until there may be something to do for one of a crew; called and left with
 * the lock held. Short jobs that wait although this thread found nothing to do
 * wait for others: whether they still do must not be asked again, as the clock
 * may have moved on meanwhile, and nobody would wake this thread.
 */
static void
offload_wait(struct offload_hands *crew)
{
	crew->waiting++;
	if (crew == &offload_pool.brief && offload_pool.nshorts > 0)
		offload_wait_until(crew, offload_due());
	else
		pthread_cond_wait(&crew->arrival, &offload_pool.lock);
	crew->waiting--;
}

/*
 * Not longer than until then; as above. The clock that says whether it is then
 * is coarse: woken before it has moved on, this thread would find nothing to do
 * and come back at once, over and over.
 */
static void
offload_wait_until(struct offload_hands *crew, int64_t due_ms)
{
	const int64_t ms = due_ms + OFFLOAD_CLOCK_LATE_MS;
	const struct timespec until = {
	    .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	(void)pthread_cond_timedwait(
	    &crew->arrival, &offload_pool.lock, &until);
}

/* Until the pool ends: what next() finds, one after the other. */
static void
offload_loop(struct offload_job *(*next)(void), struct offload_hands *crew)
{
	struct offload_job *job;
	void *local = NULL;

	pthread_mutex_lock(&offload_pool.lock);
	while (!offload_pool.stop) {
		job = next();
		if (job == NULL) {
			offload_wait(crew);
			continue;
		}
		*offload_begun(job) = clock_monotonic_ms();
		offload_run(job, &local);
	}
	pthread_mutex_unlock(&offload_pool.lock);
	if (local != NULL)
		offload_pool.release(local);
}

/*
 * The threads that do the work: they use the processor time that nobody else
 * wants, so that a storm of logins does not hold up guarded requests. Short
 * jobs are never theirs: whoever is put aside in the middle of a transaction
 * keeps its locks, and all who log out would wait for him, on other nodes, too.
 */
void *
offload_thread(void *arg)
{
	(void)arg;
	offload_hash(offload_next_long, &offload_pool.work);
	return (NULL);
}

/* The same while other workers leave a processor idle. */
void *
offload_spare(void *arg)
{
	(void)arg;
	offload_hash(offload_next_spare, &offload_pool.spare);
	return (NULL);
}

static void
offload_hash(struct offload_job *(*next)(void), struct offload_hands *crew)
{
	if (priority_leftover() == -1)
		log_line(LOG_LEVEL_WARNING,
		    "the hashing threads keep the event loop's priority");
	offload_loop(next, crew);
}

/*
 * The threads for short jobs alone, at the event loop's own priority: a logout
 * or a refresh must not wait behind passwords, nor for time that nobody wants.
 */
void *
offload_brief(void *arg)
{
	(void)arg;
	(void)priority_event_loop();
	offload_loop(offload_next_short, &offload_pool.brief);
	return (NULL);
}

/*
 * One thread that stands by: on a machine without time to spare it sees to it
 * that what waits is done all the same. As long as the others get on, however
 * long their queue is, it would only take turns with them and with the event
 * loop.
 */
void *
offload_reserve(void *arg)
{
	struct offload_job *job;
	int64_t due;
	void *local;

	(void)arg;
	local = NULL;
	if (priority_low() == -1)
		log_line(LOG_LEVEL_WARNING,
		    "the reserve thread keeps the event loop's priority");

	pthread_mutex_lock(&offload_pool.lock);
	while (!offload_pool.stop) {
		job = offload_next();
		if (job == NULL) {
			offload_wait(&offload_pool.late);
			continue;
		}
		due = *offload_begun(job) > job->submitted_ms
		    ? *offload_begun(job)
		    : job->submitted_ms;
		due += OFFLOAD_PATIENCE_MS;
		if (due <= clock_monotonic_ms()) {
			offload_run(job, &local);
			continue;
		}
		offload_wait_until(&offload_pool.late, due);
	}
	pthread_mutex_unlock(&offload_pool.lock);
	if (local != NULL)
		offload_pool.release(local);
	return (NULL);
}

/* Do what waits: the job alone, or with others; called and left with the lock
 * held. */
static void
offload_run(struct offload_job *job, void **local)
{
	if (job->run == NULL)
		offload_run_together(job, local);
	else
		offload_run_one(job, local);
}

/* Take a job off the queue and run it, then give it back to the event loop or
 * put it on the queue again for what follows. */
static void
offload_run_one(struct offload_job *job, void **local)
{
	bool was_long = job->is_long, wake, wake_spare;

	offload_take(job);
	if (was_long)
		turns_begin();
	/* With this one begun there may not be enough to come any more. */
	wake = was_long && offload_pool.npatient > 0 &&
	    offload_pool.brief.waiting > 0 && !offload_gathers();
	/* Another worker may have become idle. */
	wake_spare = was_long && offload_pool.nlongs > 0 &&
	    offload_pool.spare.waiting > 0 && turns_free();
	pthread_mutex_unlock(&offload_pool.lock);
	if (wake)
		pthread_cond_signal(&offload_pool.brief.arrival);
	if (wake_spare)
		pthread_cond_signal(&offload_pool.spare.arrival);

	job->run(job, local);

	if (was_long)
		turns_end();
	pthread_mutex_lock(&offload_pool.lock);
	if (job->then == NULL) {
		offload_give_back(&job, 1);
	} else {
		job->run = NULL;
		if (was_long)
			offload_put_patient(job);
		else
			offload_put(job, OFFLOAD_SHORT);
		offload_unlock_and_wake(false);
	}
	pthread_mutex_lock(&offload_pool.lock);
}

/* The same for all that wait for what this one waits for, and may be done with
 * others. */
static void
offload_run_together(struct offload_job *job, void **local)
{
	struct offload_job *jobs[OFFLOAD_TOGETHER_MAX], *next;
	void (*then)(struct offload_job **, size_t, void **) = job->then;
	size_t most = job->alone ? 1 : offload_pool.together, count = 0;

	for (; job != NULL && count < most; job = next) {
		next = TAILQ_NEXT(job, list);
		if (job->run != NULL || job->then != then ||
		    (job->alone && count > 0))
			continue;
		offload_take(job);
		jobs[count++] = job;
	}
	pthread_mutex_unlock(&offload_pool.lock);

	then(jobs, count, local);

	pthread_mutex_lock(&offload_pool.lock);
	offload_give_back(jobs, count);
	pthread_mutex_lock(&offload_pool.lock);
}

/* To the event loop; called with the lock held, and lets go of it. */
static void
offload_give_back(struct offload_job **jobs, size_t count)
{
	/* Who put the others there has told of them. */
	bool tell = TAILQ_EMPTY(&offload_pool.done);
	uint64_t one = 1;
	size_t i;

	for (i = 0; i < count; i++)
		TAILQ_INSERT_TAIL(&offload_pool.done, jobs[i], list);
	pthread_mutex_unlock(&offload_pool.lock);
	/* Only fails when the counter is full: then it is readable. */
	if (tell && write(offload_pool.fd, &one, sizeof(one)) == -1)
		errno = 0;
}
