/*
 * job.h - work of one request on a background thread: the request sleeps
 * meanwhile, and the work does not outlive its use when the client has gone.
 * Event loop.
 */
#ifndef CORGI_JOB_H
#define CORGI_JOB_H

#include <stdbool.h>

#include "http/front.h"
#include "http/offload.h"

struct http_request;

/* The first member of the caller's own struct. */
struct job {
	struct offload_job offload; /* must stay first */
	struct http_request *req;   /* NULL once the request has ended */
	bool finished;
	/* Called once the work is done, before anything is answered; NULL:
	 * nothing to do then. */
	void (*conclude)(struct job *);
	void (*release)(struct job *);
};

/*
 * Queue a job and put its request to sleep; the handler returns what this
 * returns. run() is called on a background thread; then the handler is called
 * again and finds the job by job_of(). release() frees it in any case, after
 * the answer, or after the client has gone; a job that still waits then is not
 * run at all. When the queue is full the request is refused (and the job
 * released).
 */
int job_start(struct http_request *req, struct job *job, enum offload_rank rank,
    void (*run)(struct offload_job *, void **), void (*release)(struct job *));

/* The same in a slot of its own: for a guard, whose job is not the handler's. */
int job_start_in(struct http_request *req, enum front_slot slot,
    struct job *job, enum offload_rank rank,
    void (*run)(struct offload_job *, void **), void (*release)(struct job *));

/* The finished job of a request that is called again, or NULL. */
void *job_of(const struct http_request *req);

#endif
