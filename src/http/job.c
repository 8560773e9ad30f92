#include <kore/kore.h>
#include <kore/http.h>

#include "http/job.h"

static void job_done(struct offload_job *);
static void job_abandon(void *);

int
job_start(struct http_request *req, struct job *job, enum offload_rank rank,
    void (*run)(struct offload_job *, void **), void (*release)(struct job *))
{
	return (job_start_in(req, FRONT_JOB, job, rank, run, release));
}

int
job_start_in(struct http_request *req, enum front_slot slot, struct job *job,
    enum offload_rank rank, void (*run)(struct offload_job *, void **),
    void (*release)(struct job *))
{
	job->req = req;
	job->release = release;
	job->offload.run = run;
	job->offload.done = job_done;
	if (offload_submit(&job->offload, rank) == -1) {
		release(job);
		return (front_refuse(req, ERR_BUSY));
	}
	front_set(req, slot, job, job_abandon);
	http_request_sleep(req);
	return (KORE_RESULT_RETRY);
}

void *
job_of(const struct http_request *req)
{
	return (front_get(req, FRONT_JOB));
}

/* The work is done; the request goes on, if it is still there. */
static void
job_done(struct offload_job *offload)
{
	struct job *job = (struct job *)offload;

	job->finished = true;
	if (job->conclude != NULL)
		job->conclude(job);
	if (job->req == NULL)
		job->release(job);
	else
		http_request_wakeup(job->req);
}

/* The request ends. */
static void
job_abandon(void *value)
{
	struct job *job = value;

	job->req = NULL;
	if (job->finished || offload_cancel(&job->offload))
		job->release(job);
}
