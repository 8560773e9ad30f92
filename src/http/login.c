#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <kore/kore.h>
#include <kore/http.h>

#include "base/log.h"
#include "http/credentials.h"
#include "http/front.h"
#include "http/login.h"
#include "http/offload.h"
#include "http/service.h"

/*
 * Work of one request on a background thread. The request may end first (its
 * client is gone): then the job is freed when it comes back.
 */
struct job {
	struct offload_job offload; /* must stay first */
	struct http_request *req;   /* NULL once the request has ended */
	bool finished;
	struct credentials credentials;
	enum error_code result;
	char *token;
};

static int job_start(struct http_request *, struct job *,
    void (*)(struct offload_job *, void **));
static void job_done(struct offload_job *);
static void job_abandon(void *);
static void job_free(struct job *);
static void run_login(struct offload_job *, void **);
static void run_ready(struct offload_job *, void **);
static int login_begin(struct http_request *);
static int login_end(struct http_request *, const struct job *);
static char *login_body(const char *, size_t *);

int
handle_login(struct http_request *req)
{
	const struct job *job;

	job = front_get(req, FRONT_JOB);
	if (job == NULL)
		return (login_begin(req));
	return (login_end(req, job));
}

int
handle_ready(struct http_request *req)
{
	static const char body[] = "{\"status\":\"ready\"}";
	const struct job *job;
	struct reply reply;
	struct job *new;

	job = front_get(req, FRONT_JOB);
	if (job == NULL) {
		if (front_draining())
			return (front_refuse(req, ERR_BUSY));
		new = calloc(1, sizeof(*new));
		return (job_start(req, new, run_ready));
	}
	if (job->result != ERR_NONE)
		return (front_refuse(req, job->result));

	memset(&reply, 0, sizeof(reply));
	reply.status = 200;
	reply.type = "application/json";
	reply.body = body;
	reply.len = sizeof(body) - 1;
	reply.no_store = true;
	return (front_reply(req, &reply));
}

static int
login_begin(struct http_request *req)
{
	struct refusal refusal;
	struct fault fault;
	struct job *job;
	jdoc *errors;
	int ret;

	if (!key_can_sign(service_get()->key))
		return (front_refuse(req, ERR_VERIFY_ONLY));
	job = calloc(1, sizeof(*job));
	if (job == NULL)
		return (front_refuse(req, ERR_BUSY));
	(void)fault_set(&fault,
	    credentials_read(front_request(req), &job->credentials, &errors),
	    NULL);
	if (fault.code == ERR_NONE)
		return (job_start(req, job, run_login));

	memset(&refusal, 0, sizeof(refusal));
	refusal.fault = &fault;
	refusal.field_errors = errors;
	ret = front_refuse_with(req, &refusal);
	jdoc_free(errors);
	job_free(job);
	return (ret);
}

static int
login_end(struct http_request *req, const struct job *job)
{
	struct reply reply;
	size_t len;
	char *body;
	int ret;

	if (job->result != ERR_NONE)
		return (front_refuse(req, job->result));
	body = login_body(job->token, &len);
	if (body == NULL)
		return (front_refuse(req, ERR_BUSY));

	memset(&reply, 0, sizeof(reply));
	reply.status = 200;
	reply.type = "application/json";
	reply.body = body;
	reply.len = len;
	reply.no_store = true;
	ret = front_reply(req, &reply);
	secret_free_mem(body, len);
	return (ret);
}

static char *
login_body(const char *token, size_t *len)
{
	jdoc *doc;
	char *text;

	text = NULL;
	doc = jdoc_new_object();
	if (jdoc_set(doc, "access_token",
		jdoc_new_string(token, strlen(token))) == 0)
		text = jdoc_text(doc, len);
	jdoc_free(doc);
	return (text);
}

/* Queue a job and let its request sleep until it is done. */
static int
job_start(struct http_request *req, struct job *job,
    void (*run)(struct offload_job *, void **))
{
	if (job == NULL)
		return (front_refuse(req, ERR_BUSY));
	job->req = req;
	job->offload.run = run;
	job->offload.done = job_done;
	if (offload_submit(&job->offload) == -1) {
		job_free(job);
		return (front_refuse(req, ERR_BUSY));
	}
	front_set(req, FRONT_JOB, job, job_abandon);
	http_request_sleep(req);
	return (KORE_RESULT_RETRY);
}

/* Event loop: the work is done; the request goes on, if it is still there. */
static void
job_done(struct offload_job *offload)
{
	struct job *job = (struct job *)offload;

	job->finished = true;
	if (job->req == NULL)
		job_free(job);
	else
		http_request_wakeup(job->req);
}

/* Event loop: the request ends. */
static void
job_abandon(void *value)
{
	struct job *job = value;

	job->req = NULL;
	if (job->finished)
		job_free(job);
}

static void
job_free(struct job *job)
{
	credentials_free(&job->credentials);
	if (job->token != NULL)
		secret_free_mem(job->token, strlen(job->token));
	free(job);
}

/* Background thread: the password, then the token. */
static void
run_login(struct offload_job *offload, void **local)
{
	const struct service *service = service_get();
	struct job *job = (struct job *)offload;
	struct token_request request;
	struct store_user user;
	struct store *store;

	store = service_store(local);
	if (store == NULL) {
		job->result = ERR_STORE;
		return;
	}
	job->result = account_login(&service->accounts, store,
	    (const char *)job->credentials.username.data,
	    job->credentials.username.len,
	    (const char *)job->credentials.password.data,
	    job->credentials.password.len, &user);
	if (job->result == ERR_STORE)
		service_store_settle(local, STORE_FAILED);
	if (job->result != ERR_NONE)
		return;

	memset(&request, 0, sizeof(request));
	request.subject = user.name;
	request.subject_len = user.name_len;
	job->result = token_issue(&service->policy, &request, &job->token);
}

/* Background thread: does the store answer? */
static void
run_ready(struct offload_job *offload, void **local)
{
	struct job *job = (struct job *)offload;
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
