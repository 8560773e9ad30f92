/*
 * offload_internal.h - what the files of the pool have in common: offload.c is
 * the event loop's side, offload_queue.c the queue, offload_threads.c the
 * threads.
 */
#ifndef CORGI_OFFLOAD_INTERNAL_H
#define CORGI_OFFLOAD_INTERNAL_H

#include <pthread.h>

#include "http/offload.h"

TAILQ_HEAD(offload_list, offload_job);

/* Threads that do the same kind of work. */
struct offload_hands {
	pthread_cond_t arrival; /* there may be something to do */
	unsigned int waiting;   /* how many wait for that */
};

/*
 * The pool of this worker process. Nobody is woken with the lock held: a thread
 * that runs on leftover time is put aside by whom it wakes, who would then wait
 * for the lock, and for time that nobody else wants.
 */
struct offload_pool {
	int fd; /* an eventfd: jobs are done */
	pthread_t *threads;
	unsigned int nthreads;
	void (*release)(void *);

	pthread_mutex_t lock;       /* guards all below */
	struct offload_hands work;  /* the threads that do the work */
	struct offload_hands spare; /* more, while other workers leave room */
	struct offload_hands brief; /* those that do short jobs alone */
	struct offload_hands late;  /* the one that stands by */
	struct offload_list longs;  /* waiting */
	struct offload_list shorts;
	struct offload_list done;
	unsigned int nlongs;
	unsigned int nshorts;
	unsigned int npatient; /* of the short ones: they can wait a moment */
	unsigned int together;
	int64_t long_ms; /* when one was last begun, but for the reserve */
	int64_t short_ms;
	unsigned int queue;
	bool stop;
};

extern struct offload_pool offload_pool;

/*
 * The queue; all with the lock held.
 */

/* On to it, and off it. */
void offload_put(struct offload_job *job, enum offload_rank rank);
void offload_take(struct offload_job *job);

/* A job that has been put there follows a long one: it can wait for others. */
void offload_put_patient(struct offload_job *job);

/* What is to be done next, or NULL: of either kind, of one, and of the long
 * ones for a spare thread. */
struct offload_job *offload_next(void);
struct offload_job *offload_next_short(void);
struct offload_job *offload_next_long(void);
struct offload_job *offload_next_spare(void);

/* Whether those that wait had better wait for others, and until when the first
 * of them does (by clock_monotonic_ms()). */
bool offload_gathers(void);
int64_t offload_due(void);

/* Let go of the lock and wake who can do what was put there. */
void offload_unlock_and_wake(bool is_long);

/*
 * The bodies of the threads.
 */
void *offload_thread(void *arg);
void *offload_spare(void *arg);
void *offload_brief(void *arg);
void *offload_reserve(void *arg);

#endif
