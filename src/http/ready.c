#include <stdlib.h>
#include <string.h>

#include <kore/kore.h>
#include <kore/http.h>

#include "http/front.h"
#include "http/heard.h"
#include "http/job.h"
#include "http/ready.h"
#include "http/service.h"

/* Most questions under way before there has been a first answer. */
#define READY_PENDING_MAX 16

struct ready_job {
	struct job job; /* must stay first */
	enum error_code result;
};

/* What the store last said to this worker. */
static struct {
	bool known;
	enum error_code result;
	unsigned int pending; /* questions under way */
} last;

static int answer(struct http_request *, enum error_code);
static void run_ready(struct offload_job *, void **);
static void release_ready(struct job *);

/*
 * Questions to the store go before the logins that wait: a flood of those is no
 * reason to take the service for broken. While one is under way, the answer to
 * the one before counts.
 */
int
handle_ready(struct http_request *req)
{
	const struct ready_job *asked = job_of(req);
	struct ready_job *job;

	if (asked != NULL)
		return (answer(req, asked->result));
	if (front_draining())
		return (front_refuse(req, ERR_BUSY));
	if (!heard_lately(HEARD_REVOCATIONS) || !heard_lately(HEARD_ATTEMPTS))
		return (front_refuse(req, ERR_STORE));
	if (last.known && last.pending > 0)
		return (answer(req, last.result));
	if (last.pending == READY_PENDING_MAX)
		return (front_refuse(req, ERR_BUSY));

	job = calloc(1, sizeof(*job));
	if (job == NULL)
		return (front_refuse(req, ERR_BUSY));
	last.pending++;
	return (
	    job_start(req, &job->job, OFFLOAD_FIRST, run_ready, release_ready));
}

static int
answer(struct http_request *req, enum error_code result)
{
	static const char body[] = "{\"status\":\"ready\"}";
	struct reply reply;

	if (result != ERR_NONE)
		return (front_refuse(req, result));
	memset(&reply, 0, sizeof(reply));
	reply.status = 200;
	reply.type = "application/json";
	reply.body = body;
	reply.len = sizeof(body) - 1;
	reply.no_store = true;
	return (front_reply(req, &reply));
}

/* Background thread: does the store answer? */
static void
run_ready(struct offload_job *offload, void **local)
{
	struct ready_job *job = (struct ready_job *)offload;
	enum store_result result;
	struct store *store;

	job->result = ERR_STORE;
	store = service_store(local);
	if (store == NULL)
		return;
	result = store_ping(store);
	if (result == STORE_OK)
		job->result = ERR_NONE;
	service_store_settle(local, result);
}

/* Event loop: remember the answer, if there was one. */
static void
release_ready(struct job *base)
{
	struct ready_job *job = (struct ready_job *)base;

	last.pending--;
	if (base->finished) {
		last.known = true;
		last.result = job->result;
	}
	free(job);
}
