#include <stdlib.h>
#include <string.h>

#include <kore/kore.h>
#include <kore/http.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/attempts.h"
#include "http/front.h"
#include "http/heard.h"
#include "http/service.h"
#include "http/session_job.h"
#include "http/session_reply.h"

/* Audit lines in one second of a kind that anybody can have written, without
 * an end. */
#define FLOOD_LINES_MAX 100

/* Those of this worker; counted by all its threads, without a lock. */
static struct {
	int64_t second;
	unsigned int lines;
	unsigned int dropped;
} flood;

/* Jobs that share a transaction. */
struct group {
	struct session_job *jobs[OFFLOAD_TOGETHER_MAX];
	size_t count;
};

static bool is_flood(const struct session_job *);
static void run(struct offload_job *, void **);
static bool step(struct session_job *, session_step, void **);
static void run_then(struct offload_job **, size_t, void **);
static bool run_group(struct group *, void **);
static enum store_result change_all(struct store *, void *);
static void finish(struct session_job *);
static void conclude(struct job *);
static void release(struct job *);
static enum throttle_outcome outcome(const struct session_job *);
static void tell(const struct session_job *, struct store_attempt *);
static void audit_throttle(const struct session_job *);

struct session_job *
session_job_new(struct http_request *req, const struct claims *claims,
    const struct session_steps *steps)
{
	struct session_job *job;

	job = calloc(1, sizeof(*job));
	if (job != NULL && claims != NULL &&
	    (job->claims = claims_copy(claims)) == NULL) {
		free(job);
		job = NULL;
	}
	if (job == NULL) {
		(void)front_refuse(req, ERR_BUSY);
		return (NULL);
	}
	job->steps = steps;
	job->kind = steps->kind;
	job->job.offload.alone = steps->alone;
	origin_take(req, &job->origin);
	return (job);
}

bool
session_job_read(struct http_request *req, struct session_job *job,
    const struct credentials_schema *schema)
{
	const struct h1_request *request = front_request(req);
	const struct h1_field *type;
	struct refusal refusal;
	struct fault fault;
	jdoc *errors;

	type = h1_find(request, "content-type");
	(void)fault_set(&fault,
	    credentials_read(schema, type != NULL ? type->value : NULL,
		request->body, request->body_len, &job->credentials, &errors),
	    NULL);
	if (fault.code == ERR_NONE)
		return (true);

	memset(&refusal, 0, sizeof(refusal));
	refusal.fault = &fault;
	refusal.field_errors = errors;
	(void)front_refuse_with(req, &refusal);
	jdoc_free(errors);
	session_job_release(job);
	return (false);
}

bool
session_job_admit(struct http_request *req, struct session_job *job,
    const void *name, size_t len)
{
	unsigned int wait;
	bool began;

	if (!heard_lately(HEARD_ATTEMPTS)) {
		job->result = ERR_STORE;
		session_job_audit(job);
		(void)session_reply_refuse(req, job, 0);
		session_job_release(job);
		return (false);
	}
	wait = throttle_admit(service_get()->throttle, name, len,
	    &job->origin.address, clock_monotonic_ms(), &job->ticket, &began);
	if (wait == 0)
		return (true);
	if (began)
		audit_throttle(job);
	job->result = ERR_THROTTLED;
	(void)session_reply_refuse(req, job, wait);
	session_job_release(job);
	return (false);
}

int
session_job_start(struct http_request *req, struct session_job *job)
{
	job->job.conclude = conclude;
	job->job.offload.then = run_then;
	if (job->steps->work == NULL)
		return (
		    job_start(req, &job->job, OFFLOAD_SHORT, NULL, release));
	return (job_start(req, &job->job, OFFLOAD_LONG, run, release));
}

/*
 * Whoever holds a token of a session that has ended can show it as often as the
 * line carries, and while the store is out of reach anybody can ask for a
 * login: neither is hashed or throttled, and nothing is known after that which
 * was not known before. That must not fill the disk. A reuse is none of these,
 * as it ends the session, and nothing is that has happened.
 */
static bool
is_flood(const struct session_job *job)
{
	int64_t now = clock_monotonic_ms() / 1000, second;
	unsigned int dropped;

	if (job->done || job->kind == AUDIT_REUSE ||
	    (job->result != ERR_TOKEN_REVOKED && job->result != ERR_STORE))
		return (false);
	second = __atomic_load_n(&flood.second, __ATOMIC_RELAXED);
	if (second != now &&
	    __atomic_compare_exchange_n(&flood.second, &second, now, false,
		__ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
		__atomic_store_n(&flood.lines, 0, __ATOMIC_RELAXED);
		dropped =
		    __atomic_exchange_n(&flood.dropped, 0, __ATOMIC_RELAXED);
		if (dropped > 0)
			log_line(LOG_LEVEL_NOTICE,
			    "%u more requests with tokens of ended sessions, "
			    "or that the database could not answer, have no "
			    "line in the audit log",
			    dropped);
	}
	if (__atomic_add_fetch(&flood.lines, 1, __ATOMIC_RELAXED) <=
	    FLOOD_LINES_MAX)
		return (false);
	(void)__atomic_add_fetch(&flood.dropped, 1, __ATOMIC_RELAXED);
	return (true);
}

/* The account is named only where there is one: by what the store said, or by
 * a token that was found good. */
void
session_job_audit(const struct session_job *job)
{
	struct audit_event event;

	if (is_flood(job))
		return;
	memset(&event, 0, sizeof(event));
	event.kind = job->kind;
	event.outcome = job->done ? AUDIT_OK : AUDIT_FAILED;
	if (!job->done)
		event.reason = job->reason != NULL
		    ? job->reason
		    : error_lookup(job->result)->name;
	if (job->user.id != 0) {
		event.subject = job->user.subject;
		event.subject_len = job->user.subject_len;
	} else if (job->claims != NULL)
		event.subject = claims_subject(job->claims, &event.subject_len);
	if (job->tokens.session[0] != '\0')
		event.session = job->tokens.session;
	else if (job->claims != NULL && claims_session(job->claims)[0] != '\0')
		event.session = claims_session(job->claims);
	origin_audit(&job->origin, &event);
}

void
session_job_release(struct session_job *job)
{
	release(&job->job);
}

/* Background thread, and all below down to finish(). */
static void
run(struct offload_job *offload, void **local)
{
	struct session_job *job = (struct session_job *)offload;

	if (step(job, job->steps->work, local))
		return;
	offload->then = NULL;
	finish(job);
}

/* Take one step; whether the next is due. */
static bool
step(struct session_job *job, session_step what, void **local)
{
	struct store *store = service_store(local);

	job->result = ERR_STORE;
	job->reason = NULL;
	if (store == NULL)
		return (false);
	job->result = what(job, store);
	if (job->result == ERR_STORE)
		service_store_settle(local, STORE_FAILED);
	return (job->result == ERR_NONE);
}

/*
 * What several requests change becomes one transaction with one sync. Where
 * that fails, for whatever reason, nothing of it is kept, and each goes its own
 * way: then one that cannot be kept does not take the others along.
 */
static void
run_then(struct offload_job **jobs, size_t count, void **local)
{
	struct group group = {.count = 0};
	struct session_job *job;
	bool together;
	size_t i;

	for (i = 0; i < count; i++) {
		job = (struct session_job *)jobs[i];
		if (job->steps->prepare == NULL ||
		    step(job, job->steps->prepare, local))
			group.jobs[group.count++] = job;
		else
			finish(job);
	}
	together = group.count > 1 && run_group(&group, local);
	for (i = 0; i < group.count; i++) {
		job = group.jobs[i];
		if (!together)
			(void)step(job, job->steps->change, local);
		if (job->result == ERR_NONE && job->steps->complete != NULL)
			(void)step(job, job->steps->complete, local);
		finish(job);
	}
}

/* All of them in one transaction. False when they have to be tried one by one;
 * true, too, when they are not to be tried again. */
static bool
run_group(struct group *group, void **local)
{
	struct store *store = service_store(local);
	enum store_result result;
	size_t i;

	if (store == NULL)
		return (false);
	result = store_batch(store, change_all, group);
	if (result == STORE_OK)
		return (true);
	if (result != STORE_BUSY)
		return (false);
	/* Another writer was waited for long enough. */
	log_line(LOG_LEVEL_ERR, "%zu requests: the store cannot answer: %s",
	    group->count, store_error(store));
	for (i = 0; i < group->count; i++) {
		group->jobs[i]->result = ERR_STORE;
		group->jobs[i]->reason = NULL;
	}
	return (true);
}

/* Within the transaction. */
static enum store_result
change_all(struct store *store, void *ctx)
{
	const struct group *group = ctx;
	struct session_job *job;
	size_t i;

	for (i = 0; i < group->count; i++) {
		job = group->jobs[i];
		job->result = job->steps->change(job, store);
		if (job->result == ERR_STORE)
			return (STORE_FAILED);
	}
	return (STORE_OK);
}

/* Nothing more is done about it. */
static void
finish(struct session_job *job)
{
	session_change_free(job->change);
	job->change = NULL;
	if (job->result == ERR_NONE)
		job->done = true;
	else
		session_tokens_free(&job->tokens);
	session_job_audit(job);
}

/* Event loop; the request may be gone. Before the answer leaves: whoever has it
 * may come again at once, and another worker would count an attempt that is not
 * decided as a failure. */
static void
conclude(struct job *base)
{
	struct session_job *job = (struct session_job *)base;
	struct store_attempt row;

	if (throttle_settle(service_get()->throttle, &job->ticket, outcome(job),
		clock_monotonic_ms(), &row))
		tell(job, &row);
}

/* The name goes along where there is such an account: what else was typed may
 * be a password in the wrong place. */
static void
tell(const struct session_job *job, struct store_attempt *row)
{
	const char *name = job->user.name;
	size_t len = job->user.id != 0 ? job->user.name_len : 0;

	if (job->claims != NULL)
		name = claims_subject(job->claims, &len);
	if (row->has_account && len <= STORE_NAME_MAX) {
		memcpy(row->name, name, len);
		row->name_len = len;
	}
	attempts_tell(row);
}

/* Event loop; the request may be gone. A job that was never done takes its
 * charge along. */
static void
release(struct job *base)
{
	struct session_job *job = (struct session_job *)base;

	conclude(base);
	claims_free(job->claims);
	credentials_free(&job->credentials);
	secret_free(&job->token);
	session_change_free(job->change);
	session_tokens_free(&job->tokens);
	secret_free_mem(job, sizeof(*job));
}

/*
 * What the throttle is told. There is no right or wrong in a registration: each
 * one counts, and so does each name that was found to be taken.
 */
static enum throttle_outcome
outcome(const struct session_job *job)
{
	if (!job->job.finished)
		return (THROTTLE_UNDECIDED);
	switch (job->result) {
	case ERR_CREDENTIALS:
	case ERR_CURRENT_PASSWORD:
	case ERR_USERNAME_TAKEN:
		return (THROTTLE_FAILED);
	case ERR_NONE:
		return (job->kind == AUDIT_REGISTER ? THROTTLE_FAILED
						    : THROTTLE_GOOD);
	default:
		return (THROTTLE_UNDECIDED);
	}
}

/* Once, when the waiting begins: not for every attempt that is turned away. */
static void
audit_throttle(const struct session_job *job)
{
	struct audit_event event;

	memset(&event, 0, sizeof(event));
	event.kind = AUDIT_THROTTLE;
	event.outcome = AUDIT_FAILED;
	event.reason = audit_kind_name(job->kind);
	if (job->claims != NULL)
		event.subject = claims_subject(job->claims, &event.subject_len);
	origin_audit(&job->origin, &event);
}
