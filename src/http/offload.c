#include <sys/eventfd.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <kore/kore.h>

#include "base/log.h"
#include "http/offload_internal.h"

/* Room for argon2id's and SQLite's frames, well beyond what they use. */
#define OFFLOAD_STACK (512 * 1024)

struct offload_pool offload_pool = {
    .fd = -1,
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .work = {.arrival = PTHREAD_COND_INITIALIZER},
    .spare = {.arrival = PTHREAD_COND_INITIALIZER},
};

/* What Kore's loop calls when the eventfd is readable. */
static struct {
	struct kore_event evt; /* must stay first */
} offload_event;

static int offload_spawn(void *(*)(void *));
static void offload_finished(void *, int);

int
offload_start(const struct offload_crew *crew, unsigned int queue,
    void (*release)(void *))
{
	pthread_condattr_t monotonic;
	unsigned int i;

	TAILQ_INIT(&offload_pool.longs);
	TAILQ_INIT(&offload_pool.shorts);
	TAILQ_INIT(&offload_pool.done);
	offload_pool.queue = queue;
	offload_pool.together = crew->together < OFFLOAD_TOGETHER_MAX
	    ? crew->together
	    : OFFLOAD_TOGETHER_MAX;
	offload_pool.release = release;
	offload_pool.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (offload_pool.fd == -1)
		return (-1);
	offload_event.evt.type = KORE_TYPE_TASK;
	offload_event.evt.handle = offload_finished;
	kore_platform_event_level_read(offload_pool.fd, &offload_event);

	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&offload_pool.brief.arrival, &monotonic);
	(void)pthread_cond_init(&offload_pool.late.arrival, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);

	offload_pool.threads =
	    calloc(crew->longs + crew->spares + crew->shorts + 1,
		sizeof(*offload_pool.threads));
	if (offload_pool.threads == NULL)
		return (-1);
	for (i = 0; i < crew->longs; i++)
		if (offload_spawn(offload_thread) == -1)
			return (-1);
	for (i = 0; i < crew->spares; i++)
		if (offload_spawn(offload_spare) == -1)
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

	pthread_mutex_lock(&offload_pool.lock);
	count =
	    rank == OFFLOAD_LONG ? offload_pool.nlongs : offload_pool.nshorts;
	if (rank != OFFLOAD_FIRST && count >= offload_pool.queue) {
		pthread_mutex_unlock(&offload_pool.lock);
		return (-1);
	}
	offload_put(job, rank);
	offload_unlock_and_wake(rank == OFFLOAD_LONG);
	return (0);
}

bool
offload_cancel(struct offload_job *job)
{
	bool waiting;

	pthread_mutex_lock(&offload_pool.lock);
	waiting = job->waiting;
	if (waiting)
		offload_take(job);
	pthread_mutex_unlock(&offload_pool.lock);
	return (waiting);
}

void
offload_stop(void)
{
	unsigned int i;

	pthread_mutex_lock(&offload_pool.lock);
	offload_pool.stop = true;
	pthread_cond_broadcast(&offload_pool.work.arrival);
	pthread_cond_broadcast(&offload_pool.spare.arrival);
	pthread_cond_broadcast(&offload_pool.brief.arrival);
	pthread_cond_signal(&offload_pool.late.arrival);
	pthread_mutex_unlock(&offload_pool.lock);
	for (i = 0; i < offload_pool.nthreads; i++)
		(void)pthread_join(offload_pool.threads[i], NULL);
	free(offload_pool.threads);
	offload_pool.threads = NULL;
	offload_pool.nthreads = 0;
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
	ret = pthread_create(
	    &offload_pool.threads[offload_pool.nthreads], &attr, body, NULL);
	(void)pthread_attr_destroy(&attr);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);

	if (ret != 0) {
		errno = ret;
		return (-1);
	}
	offload_pool.nthreads++;
	return (0);
}

/* On the event loop: give the finished jobs back. */
static void
offload_finished(void *arg, int error)
{
	struct offload_list done;
	struct offload_job *job;
	uint64_t count;

	(void)arg;
	(void)error;
	if (read(offload_pool.fd, &count, sizeof(count)) == -1 &&
	    errno != EAGAIN)
		log_line(LOG_LEVEL_ERR, "cannot read the pool's eventfd");

	TAILQ_INIT(&done);
	pthread_mutex_lock(&offload_pool.lock);
	TAILQ_CONCAT(&done, &offload_pool.done, list);
	pthread_mutex_unlock(&offload_pool.lock);
	while ((job = TAILQ_FIRST(&done)) != NULL) {
		TAILQ_REMOVE(&done, job, list);
		job->done(job);
	}
}
