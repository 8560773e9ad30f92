/*
 * offload.h - background threads for what the event loop must not wait for:
 * password hashing and the store. One pool per worker process, with a bounded
 * queue.
 */
#ifndef CORGI_OFFLOAD_H
#define CORGI_OFFLOAD_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a job goes. */
enum offload_rank {
	OFFLOAD_LONG,  /* hashes: to the end of their queue, if not full */
	OFFLOAD_SHORT, /* only asks the store: a queue of their own */
	OFFLOAD_FIRST  /* before all others, full or not; for a few */
};

/*
 * One piece of work; the first member of the caller's own struct. run() is
 * called on a background thread with that thread's own pointer, NULL at first
 * and kept between jobs (a store handle, say). done() follows on the event
 * loop, always, and owns the job from then on.
 */
struct offload_job {
	/* NULL: nothing but what follows; not with OFFLOAD_LONG. */
	void (*run)(struct offload_job *job, void **local);
	/*
	 * What follows run(), on the thread for short jobs and behind those
	 * that wait, however many: waiting for the disk there, and not where
	 * passwords are hashed, leaves no processor idle. Those that wait for
	 * the same function are its business together, so that they can share
	 * a transaction, unless they are to be alone: as none is given back
	 * before all are done, those would hold up the others. NULL: nothing;
	 * run() may take it back.
	 */
	void (*then)(struct offload_job **jobs, size_t count, void **local);
	bool alone;
	void (*done)(struct offload_job *job);
	/* The pool's own. */
	int64_t submitted_ms;
	bool waiting;
	bool is_long;
	bool patient;
	TAILQ_ENTRY(offload_job) list;
};

/* How many jobs then() is called for at once, at most. */
#define OFFLOAD_TOGETHER_MAX 32

/* The threads of a pool. */
struct offload_crew {
	unsigned int longs;  /* for long jobs; at least one */
	unsigned int spares; /* more of them, for when turns.h has room */
	unsigned int shorts; /* for short ones; at least one */
	/* Jobs that then() may be called for at once; 1: one by one. With more,
	 * those that follow long jobs wait a moment for others, while there is
	 * a queue of long ones. */
	unsigned int together;
};

/*
 * Start the pool: these threads, and one in reserve; queue jobs at most
 * waiting, of the long and of the short ones each.
 * release() gives back a thread's own pointer when the pool ends. Call once,
 * in the worker. Returns 0, or -1 with errno set.
 */
int offload_start(const struct offload_crew *crew, unsigned int queue,
    void (*release)(void *local)) __attribute__((warn_unused_result));

/* Hand in a job. Returns 0, or -1 when the queue is full. Event loop only. */
int offload_submit(struct offload_job *job, enum offload_rank rank)
    __attribute__((warn_unused_result));

/* Take a job back that nobody has begun. Whether that was so: then neither
 * run() nor done() is called. Event loop only. */
bool
offload_cancel(struct offload_job *job) __attribute__((warn_unused_result));

/* Finish the jobs that run, drop those that wait, end the threads. */
void offload_stop(void);

#endif
