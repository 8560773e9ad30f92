/*
 * accounts.c - what people do with their own account: make one, and change its
 * password.
 */
#include <string.h>

#include <kore/kore.h>
#include <kore/http.h>

#include "http/accounts.h"
#include "http/front.h"
#include "http/guard.h"
#include "http/service.h"
#include "http/session_reply.h"

static int begin_password(struct http_request *, const struct claims *);
static int begin_register(struct http_request *);
static enum error_code work_password(struct session_job *, struct store *);
static enum error_code change_password(struct session_job *, struct store *);
static enum error_code work_register(struct session_job *, struct store *);
static enum error_code change_register(struct session_job *, struct store *);

static const struct session_steps steps_password = {.kind = AUDIT_PASSWORD,
    .work = work_password,
    .change = change_password,
    .alone = true};
static const struct session_steps steps_register = {.kind = AUDIT_REGISTER,
    .work = work_register,
    .change = change_register,
    .alone = true};

GUARDED_HANDLER(handle_password)
{
	const struct session_job *job = job_of(req);

	if (job == NULL)
		return (begin_password(req, claims));
	if (job->result == ERR_PASSWORD_RULES)
		return (session_reply_fault(
		    req, job, "new_password", password_fault_text(job->fault)));
	if (job->result != ERR_NONE)
		return (session_reply_refuse(req, job, 0));
	return (session_reply_tokens(req, job, "Password changed"));
}

int
handle_register(struct http_request *req)
{
	const struct session_job *job = job_of(req);

	if (job == NULL)
		return (begin_register(req));
	if (job->result == ERR_PASSWORD_RULES)
		return (session_reply_fault(
		    req, job, "password", password_fault_text(job->fault)));
	if (job->result == ERR_VALIDATION)
		return (session_reply_fault(
		    req, job, "username", "Longer than maximum length 255."));
	if (job->result != ERR_NONE)
		return (session_reply_refuse(req, job, 0));
	return (session_reply_message(req, job, 201, "Registered"));
}

static int
begin_password(struct http_request *req, const struct claims *claims)
{
	struct session_job *job;
	const char *subject;
	size_t len;

	if (!key_can_sign(service_get()->key))
		return (front_refuse(req, ERR_VERIFY_ONLY));
	job = session_job_new(req, claims, &steps_password);
	if (job == NULL || !session_job_read(req, job, &credentials_change))
		return (KORE_RESULT_OK);
	job->cookies = guard_from_cookie(req);
	if (job->credentials.values[CREDENTIALS_CURRENT].len == 0) {
		job->result = ERR_CURRENT_PASSWORD;
		session_job_audit(job);
		(void)session_reply_refuse(req, job, 0);
		session_job_release(job);
		return (KORE_RESULT_OK);
	}
	subject = claims_subject(claims, &len);
	if (!session_job_admit(req, job, subject, len))
		return (KORE_RESULT_OK);
	return (session_job_start(req, job));
}

static int
begin_register(struct http_request *req)
{
	struct session_job *job;

	if (!service_get()->config.registration)
		return (front_refuse(req, ERR_NOT_FOUND));
	job = session_job_new(req, NULL, &steps_register);
	if (job == NULL || !session_job_read(req, job, &credentials_login) ||
	    !session_job_admit(req, job, NULL, 0))
		return (KORE_RESULT_OK);
	return (session_job_start(req, job));
}

/* Background thread: whether it may be changed, and the new hash. */
static enum error_code
work_password(struct session_job *job, struct store *store)
{
	const struct secret *values = job->credentials.values;
	const char *subject;
	size_t len;

	subject = claims_subject(job->claims, &len);
	return (account_check_change(&service_get()->accounts, store, subject,
	    len, &values[CREDENTIALS_CURRENT], &values[CREDENTIALS_NEW],
	    &job->user, &job->fault, job->hash));
}

/* The change, and a session in place of those it ended. */
static enum error_code
change_password(struct session_job *job, struct store *store)
{
	const struct service *service = service_get();
	enum error_code code;

	code = account_change_password(&service->accounts, &service->sessions,
	    store, &job->user, job->hash);
	if (code != ERR_NONE)
		return (code);
	job->done = true;
	return (session_begin(&service->sessions, store, &job->user,
	    job->origin.client, &job->tokens));
}

/* Background thread, and the next. */
static enum error_code
work_register(struct session_job *job, struct store *store)
{
	const struct secret *values = job->credentials.values;

	return (account_check_register(&service_get()->accounts, store,
	    &values[CREDENTIALS_USERNAME], &values[CREDENTIALS_PASSWORD],
	    &job->fault, job->hash));
}

static enum error_code
change_register(struct session_job *job, struct store *store)
{
	return (account_register(&service_get()->accounts, store,
	    &job->credentials.values[CREDENTIALS_USERNAME], job->hash,
	    &job->user));
}
