#include <stdlib.h>
#include <string.h>

#include <kore/kore.h>
#include <kore/http.h>

#include "auth/credentials.h"
#include "base/log.h"
#include "http/client.h"
#include "http/front.h"
#include "http/job.h"
#include "http/login.h"
#include "http/service.h"

struct login_job {
	struct job job; /* must stay first */
	struct credentials credentials;
	enum error_code result;
	int64_t account;
	char *token;
};

static int login_begin(struct http_request *);
static int login_end(struct http_request *, const struct login_job *);
static char *login_body(const char *, size_t *);
static void run_login(struct offload_job *, void **);
static void release_login(struct job *);

int
handle_login(struct http_request *req)
{
	const struct login_job *job = job_of(req);

	return (job == NULL ? login_begin(req) : login_end(req, job));
}

static int
login_begin(struct http_request *req)
{
	const struct h1_request *request;
	const struct h1_field *type;
	struct refusal refusal;
	struct fault fault;
	struct login_job *job;
	jdoc *errors;
	int ret;

	if (!key_can_sign(service_get()->key))
		return (front_refuse(req, ERR_VERIFY_ONLY));
	job = calloc(1, sizeof(*job));
	if (job == NULL)
		return (front_refuse(req, ERR_BUSY));
	request = front_request(req);
	type = h1_find(request, "content-type");
	(void)fault_set(&fault,
	    credentials_read(type != NULL ? type->value : NULL, request->body,
		request->body_len, &job->credentials, &errors),
	    NULL);
	if (fault.code == ERR_NONE)
		return (job_start(
		    req, &job->job, OFFLOAD_QUEUED, run_login, release_login));

	memset(&refusal, 0, sizeof(refusal));
	refusal.fault = &fault;
	refusal.field_errors = errors;
	ret = front_refuse_with(req, &refusal);
	jdoc_free(errors);
	release_login(&job->job);
	return (ret);
}

static int
login_end(struct http_request *req, const struct login_job *job)
{
	char client[CLIENT_TEXT_MAX];
	struct reply reply;
	size_t len;
	char *body;
	int ret;

	if (job->result != ERR_NONE)
		return (front_refuse(req, job->result));
	body = login_body(job->token, &len);
	if (body == NULL)
		return (front_refuse(req, ERR_BUSY));

	front_client(req, client);
	log_line(LOG_LEVEL_INFO, "login of account %lld from %s",
	    (long long)job->account, client);
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

/* Background thread: the password, then the token. */
static void
run_login(struct offload_job *offload, void **local)
{
	const struct service *service = service_get();
	struct login_job *job = (struct login_job *)offload;
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
	job->account = user.id;
	job->result = token_issue(&service->policy, &request, &job->token);
}

static void
release_login(struct job *base)
{
	struct login_job *job = (struct login_job *)base;

	credentials_free(&job->credentials);
	if (job->token != NULL)
		secret_free_mem(job->token, strlen(job->token));
	free(job);
}
