#include <sys/eventfd.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <kore/kore.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/offload.h"
#include "http/priority.h"

/* Room for argon2id's and SQLite's frames, well beyond what they use. */
#define OFFLOAD_STACK (512 * 1024)

/* How long nobody may have begun a job of a kind, while one waits, before the
 * reserve takes it (milliseconds). */
#define OFFLOAD_PATIENCE_MS 500

/*
 * How long the first of those that follow a long job waits for others
 * (milliseconds), while there are more to come. A transaction with its sync,
 * and a thread that begins with cold caches, cost the same for one and for
 * several; beside the queue that there is then, this is little.
 */
#define OFFLOAD_GATHER_MS 50

/* How late clock_monotonic_ms() may be, at a kernel's slowest tick. */
#define OFFLOAD_CLOCK_LATE_MS 10

TAILQ_HEAD(job_list, offload_job);

/* Threads that do the same kind of work. */
struct crew {
	pthread_cond_t arrival; /* there may be something to do */
	unsigned int waiting;   /* how many wait for that */
};

/*
 * The pool of this worker process. Nobody is woken with the lock held: a thread
 * that runs on leftover time is put aside by whom it wakes, who would then wait
 * for the lock, and for time that nobody else wants.
 */
static struct {
	struct kore_event evt; /* must stay first: what Kore's loop calls */
	int fd;                /* an eventfd: jobs are done */
	pthread_t *threads;
	unsigned int nthreads;
	void (*release)(void *);

	pthread_mutex_t lock;  /* guards all below */
	struct crew work;      /* the threads that do the work */
	struct crew brief;     /* those that do short jobs alone */
	struct crew late;      /* the one that stands by */
	struct job_list longs; /* waiting */
	struct job_list shorts;
	struct job_list done;
	unsigned int nlongs;
	unsigned int nshorts;
	unsigned int npatient; /* of the short ones: they can wait a moment */
	unsigned int together;
	int64_t long_ms; /* when one was last begun, but for the reserve */
	int64_t short_ms;
	unsigned int queue;
	bool stop;
} pool = {
    .fd = -1,
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .work = {.arrival = PTHREAD_COND_INITIALIZER},
};

static void *offload_thread(void *);
static void *offload_brief(void *);
static void *offload_reserve(void *);
static void offload_loop(struct offload_job *(*)(void), struct crew *);
static void offload_wait(struct crew *);
static void offload_wait_until(struct crew *, int64_t);
static struct offload_job *offload_next(void);
static struct offload_job *offload_next_long(void);
static struct offload_job *offload_next_short(void);
static bool offload_gathers(void);
static int64_t offload_due(void);
static void offload_take(struct offload_job *);
static void offload_put(struct offload_job *, enum offload_rank);
static void offload_unlock_and_wake(bool);
static int64_t *offload_begun(const struct offload_job *);
static void offload_run(struct offload_job *, void **);
static void offload_run_one(struct offload_job *, void **);
static void offload_run_together(struct offload_job *, void **);
static void offload_give_back(struct offload_job **, size_t);
static void offload_finished(void *, int);
static int offload_spawn(void *(*)(void *));

int
offload_start(const struct offload_crew *crew, unsigned int queue,
    void (*release)(void *))
{
	pthread_condattr_t monotonic;
	unsigned int i;

	TAILQ_INIT(&pool.longs);
	TAILQ_INIT(&pool.shorts);
	TAILQ_INIT(&pool.done);
	pool.queue = queue;
	pool.together = crew->together < OFFLOAD_TOGETHER_MAX
	    ? crew->together
	    : OFFLOAD_TOGETHER_MAX;
	pool.release = release;
	pool.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (pool.fd == -1)
		return (-1);
	pool.evt.type = KORE_TYPE_TASK;
	pool.evt.handle = offload_finished;
	kore_platform_event_level_read(pool.fd, &pool);

	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&pool.brief.arrival, &monotonic);
	(void)pthread_cond_init(&pool.late.arrival, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);

	pool.threads =
	    calloc(crew->longs + crew->shorts + 1, sizeof(*pool.threads));
	if (pool.threads == NULL)
		return (-1);
	for (i = 0; i < crew->longs; i++)
		if (offload_spawn(offload_thread) == -1)
			return (-1);
	for (i = 0; i < crew->shorts; i++)
		if (offload_spawn(offload_brief) == -1)
			return (-1);
	return (offload_spawn(offload_reserve));
}

int
offload_submit(struct offload_job *job, enum offload_rank rank)
{
	unsigned int count;

	pthread_mutex_lock(&pool.lock);
	count = rank == OFFLOAD_LONG ? pool.nlongs : pool.nshorts;
	if (rank != OFFLOAD_FIRST && count >= pool.queue) {
		pthread_mutex_unlock(&pool.lock);
		return (-1);
	}
	offload_put(job, rank);
	offload_unlock_and_wake(rank == OFFLOAD_LONG);
	return (0);
}

/* On to the queue; with the lock held. */
static void
offload_put(struct offload_job *job, enum offload_rank rank)
{
	job->submitted_ms = clock_monotonic_ms();
	job->waiting = true;
	job->is_long = rank == OFFLOAD_LONG;
	job->patient = false;
	if (rank == OFFLOAD_LONG) {
		TAILQ_INSERT_TAIL(&pool.longs, job, list);
		pool.nlongs++;
		return;
	}
	if (rank == OFFLOAD_FIRST)
		TAILQ_INSERT_HEAD(&pool.shorts, job, list);
	else
		TAILQ_INSERT_TAIL(&pool.shorts, job, list);
	pool.nshorts++;
}

/*
 * Let go of the lock and wake who can do what was put on the queue. Those who
 * are at work look for more when they are done; the reserve, once it has seen
 * that something waits, looks again by itself. So does the thread for short
 * jobs, once it knows until when others may join the first.
 */
static void
offload_unlock_and_wake(bool is_long)
{
	struct crew *crew = is_long ? &pool.work : &pool.brief;
	bool knows = !is_long && pool.npatient > 1 && offload_gathers();
	bool crew_waits = crew->waiting > 0 && !knows,
	     late_waits = pool.late.waiting > 0;

	pthread_mutex_unlock(&pool.lock);
	if (crew_waits)
		pthread_cond_signal(&crew->arrival);
	if (late_waits)
		pthread_cond_signal(&pool.late.arrival);
}

bool
offload_cancel(struct offload_job *job)
{
	bool waiting;

	pthread_mutex_lock(&pool.lock);
	waiting = job->waiting;
	if (waiting)
		offload_take(job);
	pthread_mutex_unlock(&pool.lock);
	return (waiting);
}

/* Off the queue; with the lock held. */
static void
offload_take(struct offload_job *job)
{
	if (job->is_long) {
		TAILQ_REMOVE(&pool.longs, job, list);
		pool.nlongs--;
	} else {
		TAILQ_REMOVE(&pool.shorts, job, list);
		pool.nshorts--;
		if (job->patient)
			pool.npatient--;
	}
	job->waiting = false;
}

/* What is to be done next, or NULL; with the lock held. */
static struct offload_job *
offload_next(void)
{
	struct offload_job *job;

	job = offload_next_short();
	return (job != NULL ? job : offload_next_long());
}

static struct offload_job *
offload_next_short(void)
{
	return (offload_gathers() ? NULL : TAILQ_FIRST(&pool.shorts));
}

/*
 * Whether those that wait had better wait for others: only while there are more
 * to come than have come, and nothing is among them that must not wait. With
 * the lock held.
 */
static bool
offload_gathers(void)
{
	return (pool.npatient > 0 && pool.npatient == pool.nshorts &&
	    pool.npatient < pool.nlongs && pool.npatient < pool.together &&
	    clock_monotonic_ms() < offload_due());
}

/* When the first that waits is done in any case; there is one. */
static int64_t
offload_due(void)
{
	return (TAILQ_FIRST(&pool.shorts)->submitted_ms + OFFLOAD_GATHER_MS);
}

static struct offload_job *
offload_next_long(void)
{
	return (TAILQ_FIRST(&pool.longs));
}

void
offload_stop(void)
{
	unsigned int i;

	pthread_mutex_lock(&pool.lock);
	pool.stop = true;
	pthread_cond_broadcast(&pool.work.arrival);
	pthread_cond_broadcast(&pool.brief.arrival);
	pthread_cond_signal(&pool.late.arrival);
	pthread_mutex_unlock(&pool.lock);
	for (i = 0; i < pool.nthreads; i++)
		(void)pthread_join(pool.threads[i], NULL);
	free(pool.threads);
	pool.threads = NULL;
	pool.nthreads = 0;
}

/* Signals are the event loop's business: the thread starts with all blocked. */
static int
offload_spawn(void *(*body)(void *))
{
	sigset_t all, old;
	pthread_attr_t attr;
	int ret;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, &old);
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, OFFLOAD_STACK);
	ret = pthread_create(&pool.threads[pool.nthreads], &attr, body, NULL);
	(void)pthread_attr_destroy(&attr);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);

	if (ret != 0) {
		errno = ret;
		return (-1);
	}
	pool.nthreads++;
	return (0);
}

/* When a job of this one's kind was last begun; with the lock held. */
static int64_t *
offload_begun(const struct offload_job *job)
{
	return (job->is_long ? &pool.long_ms : &pool.short_ms);
}

/* Until there may be something to do for one of a crew; called and left with
 * the lock held. */
static void
offload_wait(struct crew *crew)
{
	crew->waiting++;
	if (crew == &pool.brief && offload_gathers())
		offload_wait_until(crew, offload_due());
	else
		pthread_cond_wait(&crew->arrival, &pool.lock);
	crew->waiting--;
}

/*
 * Not longer than until then; as above. The clock that says whether it is then
 * is coarse: woken before it has moved on, this thread would find nothing to do
 * and come back at once, over and over.
 */
static void
offload_wait_until(struct crew *crew, int64_t due_ms)
{
	const int64_t ms = due_ms + OFFLOAD_CLOCK_LATE_MS;
	const struct timespec until = {
	    .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	(void)pthread_cond_timedwait(&crew->arrival, &pool.lock, &until);
}

/* Until the pool ends: what next() finds, one after the other. */
static void
offload_loop(struct offload_job *(*next)(void), struct crew *crew)
{
	struct offload_job *job;
	void *local = NULL;

	pthread_mutex_lock(&pool.lock);
	while (!pool.stop) {
		job = next();
		if (job == NULL) {
			offload_wait(crew);
			continue;
		}
		*offload_begun(job) = clock_monotonic_ms();
		offload_run(job, &local);
	}
	pthread_mutex_unlock(&pool.lock);
	if (local != NULL)
		pool.release(local);
}

/*
 * The threads that do the work: they use the processor time that nobody else
 * wants, so that a storm of logins does not hold up guarded requests. Short
 * jobs are never theirs: whoever is put aside in the middle of a transaction
 * keeps its locks, and all who log out would wait for him, on other nodes, too.
 */
static void *
offload_thread(void *arg)
{
	(void)arg;
	if (priority_leftover() == -1)
		log_line(LOG_LEVEL_WARNING,
		    "the hashing threads keep the event loop's priority");
	offload_loop(offload_next_long, &pool.work);
	return (NULL);
}

/*
 * The threads for short jobs alone, at the event loop's own priority: a logout
 * or a refresh must not wait behind passwords, nor for time that nobody wants.
 */
static void *
offload_brief(void *arg)
{
	(void)arg;
	(void)priority_event_loop();
	offload_loop(offload_next_short, &pool.brief);
	return (NULL);
}

/*
 * One thread that stands by: on a machine without time to spare it sees to it
 * that what waits is done all the same. As long as the others get on, however
 * long their queue is, it would only take turns with them and with the event
 * loop.
 */
static void *
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

	pthread_mutex_lock(&pool.lock);
	while (!pool.stop) {
		job = offload_next();
		if (job == NULL) {
			offload_wait(&pool.late);
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
		offload_wait_until(&pool.late, due);
	}
	pthread_mutex_unlock(&pool.lock);
	if (local != NULL)
		pool.release(local);
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
	bool was_long = job->is_long, wake;

	offload_take(job);
	/* With this one begun there may not be enough to come any more. */
	wake = was_long && pool.npatient > 0 && pool.brief.waiting > 0 &&
	    !offload_gathers();
	pthread_mutex_unlock(&pool.lock);
	if (wake)
		pthread_cond_signal(&pool.brief.arrival);

	job->run(job, local);

	pthread_mutex_lock(&pool.lock);
	if (job->then == NULL) {
		offload_give_back(&job, 1);
	} else {
		job->run = NULL;
		offload_put(job, OFFLOAD_SHORT);
		if (was_long && pool.together > 1) {
			job->patient = true;
			pool.npatient++;
		}
		offload_unlock_and_wake(false);
	}
	pthread_mutex_lock(&pool.lock);
}

/* The same for all that wait for what this one waits for. */
static void
offload_run_together(struct offload_job *job, void **local)
{
	struct offload_job *jobs[OFFLOAD_TOGETHER_MAX], *next;
	void (*then)(struct offload_job **, size_t, void **) = job->then;
	size_t count = 0;

	for (; job != NULL && count < pool.together; job = next) {
		next = TAILQ_NEXT(job, list);
		if (job->run != NULL || job->then != then)
			continue;
		offload_take(job);
		jobs[count++] = job;
	}
	pthread_mutex_unlock(&pool.lock);

	then(jobs, count, local);

	pthread_mutex_lock(&pool.lock);
	offload_give_back(jobs, count);
	pthread_mutex_lock(&pool.lock);
}

/* To the event loop; called with the lock held, and lets go of it. */
static void
offload_give_back(struct offload_job **jobs, size_t count)
{
	/* Who put the others there has told of them. */
	bool tell = TAILQ_EMPTY(&pool.done);
	uint64_t one = 1;
	size_t i;

	for (i = 0; i < count; i++)
		TAILQ_INSERT_TAIL(&pool.done, jobs[i], list);
	pthread_mutex_unlock(&pool.lock);
	/* Only fails when the counter is full: then it is readable. */
	if (tell && write(pool.fd, &one, sizeof(one)) == -1)
		errno = 0;
}

/* On the event loop: give the finished jobs back. */
static void
offload_finished(void *arg, int error)
{
	struct job_list done;
	struct offload_job *job;
	uint64_t count;

	(void)arg;
	(void)error;
	if (read(pool.fd, &count, sizeof(count)) == -1 && errno != EAGAIN)
		log_line(LOG_LEVEL_ERR, "cannot read the pool's eventfd");

	TAILQ_INIT(&done);
	pthread_mutex_lock(&pool.lock);
	TAILQ_CONCAT(&done, &pool.done, list);
	pthread_mutex_unlock(&pool.lock);
	while ((job = TAILQ_FIRST(&done)) != NULL) {
		TAILQ_REMOVE(&done, job, list);
		job->done(job);
	}
}
