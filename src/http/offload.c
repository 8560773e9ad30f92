#include <sys/eventfd.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <kore/kore.h>

#include "base/log.h"
#include "http/offload.h"
#include "http/priority.h"

/* Room for argon2id's and SQLite's frames, well beyond what they use. */
#define OFFLOAD_STACK (512 * 1024)

TAILQ_HEAD(job_list, offload_job);

/* The pool of this worker process. */
static struct {
	struct kore_event evt; /* must stay first: what Kore's loop calls */
	int fd;                /* an eventfd: jobs are done */
	pthread_t *threads;
	unsigned int nthreads;
	void (*release)(void *);

	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t work;
	struct job_list waiting;
	struct job_list done;
	unsigned int nwaiting;
	unsigned int queue;
	bool stop;
} pool = {
    .fd = -1,
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .work = PTHREAD_COND_INITIALIZER,
};

static void *offload_thread(void *);
static void offload_finished(void *, int);
static int offload_spawn(void);

int
offload_start(unsigned int threads, unsigned int queue, void (*release)(void *))
{
	unsigned int i;

	TAILQ_INIT(&pool.waiting);
	TAILQ_INIT(&pool.done);
	pool.queue = queue;
	pool.release = release;
	pool.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (pool.fd == -1)
		return (-1);
	pool.evt.type = KORE_TYPE_TASK;
	pool.evt.handle = offload_finished;
	kore_platform_event_level_read(pool.fd, &pool);

	pool.threads = calloc(threads, sizeof(*pool.threads));
	if (pool.threads == NULL)
		return (-1);
	for (i = 0; i < threads; i++)
		if (offload_spawn() == -1)
			return (-1);
	return (0);
}

int
offload_submit(struct offload_job *job)
{
	int ret;

	ret = -1;
	pthread_mutex_lock(&pool.lock);
	if (pool.nwaiting < pool.queue) {
		TAILQ_INSERT_TAIL(&pool.waiting, job, list);
		pool.nwaiting++;
		pthread_cond_signal(&pool.work);
		ret = 0;
	}
	pthread_mutex_unlock(&pool.lock);
	return (ret);
}

void
offload_stop(void)
{
	unsigned int i;

	pthread_mutex_lock(&pool.lock);
	pool.stop = true;
	pthread_cond_broadcast(&pool.work);
	pthread_mutex_unlock(&pool.lock);
	for (i = 0; i < pool.nthreads; i++)
		(void)pthread_join(pool.threads[i], NULL);
	free(pool.threads);
	pool.threads = NULL;
	pool.nthreads = 0;
}

/* Signals are the event loop's business: the thread starts with all blocked. */
static int
offload_spawn(void)
{
	sigset_t all, old;
	pthread_attr_t attr;
	int ret;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, &old);
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, OFFLOAD_STACK);
	ret = pthread_create(
	    &pool.threads[pool.nthreads], &attr, offload_thread, NULL);
	(void)pthread_attr_destroy(&attr);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);

	if (ret != 0) {
		errno = ret;
		return (-1);
	}
	pool.nthreads++;
	return (0);
}

static void *
offload_thread(void *arg)
{
	struct offload_job *job;
	void *local;
	uint64_t one;

	(void)arg;
	local = NULL;
	one = 1;
	if (priority_background() == -1)
		log_line(LOG_LEVEL_WARNING,
		    "a hashing thread keeps the event loop's priority");

	pthread_mutex_lock(&pool.lock);
	for (;;) {
		while (!pool.stop && TAILQ_EMPTY(&pool.waiting))
			pthread_cond_wait(&pool.work, &pool.lock);
		if (pool.stop)
			break;
		job = TAILQ_FIRST(&pool.waiting);
		TAILQ_REMOVE(&pool.waiting, job, list);
		pool.nwaiting--;
		pthread_mutex_unlock(&pool.lock);

		job->run(job, &local);

		pthread_mutex_lock(&pool.lock);
		TAILQ_INSERT_TAIL(&pool.done, job, list);
		/* Only fails when the counter is full: then it is readable. */
		if (write(pool.fd, &one, sizeof(one)) == -1)
			errno = 0;
	}
	pthread_mutex_unlock(&pool.lock);
	if (local != NULL)
		pool.release(local);
	return (NULL);
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
