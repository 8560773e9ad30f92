/*
 * sessions.c - what the holder of a token does with the session: renew it, end
 * it, ask about it.
 */
#include <string.h>

#include <kore/kore.h>
#include <kore/http.h>

#include "http/front.h"
#include "http/guard.h"
#include "http/service.h"
#include "http/session_reply.h"

static int begin_refresh(struct http_request *, const struct claims *);
static int begin_end(
    struct http_request *, const struct claims *, const struct session_steps *);
static enum error_code prepare_refresh(struct session_job *, struct store *);
static enum error_code change_refresh(struct session_job *, struct store *);
static enum error_code complete_refresh(struct session_job *, struct store *);
static enum error_code
told(struct session_job *, enum error_code, enum session_refreshed);
static enum error_code change_logout(struct session_job *, struct store *);
static enum error_code complete_logout(struct session_job *, struct store *);
static enum error_code change_logout_all(struct session_job *, struct store *);
static char *describe(const struct claims *, size_t *);
static jdoc *time_of(int64_t, int64_t);

static const struct session_steps steps_refresh = {.kind = AUDIT_REFRESH,
    .prepare = prepare_refresh,
    .change = change_refresh,
    .complete = complete_refresh};
static const struct session_steps steps_logout = {
    .kind = AUDIT_LOGOUT, .change = change_logout, .complete = complete_logout};
static const struct session_steps steps_logout_all = {
    .kind = AUDIT_LOGOUT_ALL, .change = change_logout_all, .alone = true};

GUARDED_HANDLER(handle_refresh)
{
	const struct session_job *job = job_of(req);

	if (job == NULL)
		return (begin_refresh(req, claims));
	if (job->result != ERR_NONE)
		return (session_reply_refuse(req, job, 0));
	return (session_reply_tokens(req, job, "Refreshed"));
}

GUARDED_HANDLER(handle_logout)
{
	const struct session_job *job = job_of(req);

	if (job == NULL)
		return (begin_end(req, claims, &steps_logout));
	if (job->result != ERR_NONE)
		return (session_reply_refuse(req, job, 0));
	return (session_reply_message(req, job, 200, "Logged out"));
}

GUARDED_HANDLER(handle_logout_all)
{
	const struct session_job *job = job_of(req);

	if (job == NULL)
		return (begin_end(req, claims, &steps_logout_all));
	if (job->result != ERR_NONE)
		return (session_reply_refuse(req, job, 0));
	return (session_reply_message(req, job, 200, "Logged out everywhere"));
}

/* All of it stands in the token: nobody is asked. */
GUARDED_HANDLER(handle_me)
{
	size_t len = 0;
	char *body = describe(claims, &len);

	return (front_reply_private(req, body, len));
}

static int
begin_refresh(struct http_request *req, const struct claims *claims)
{
	struct session_job *job;
	const char *token;
	size_t len;

	if (!key_can_sign(service_get()->key))
		return (front_refuse(req, ERR_VERIFY_ONLY));
	job = session_job_new(req, claims, &steps_refresh);
	if (job == NULL)
		return (KORE_RESULT_OK);
	token = guard_token(req, &len);
	if (secret_set(&job->token, token, len) == -1) {
		session_job_release(job);
		return (front_refuse(req, ERR_BUSY));
	}
	job->cookies = guard_from_cookie(req);
	return (session_job_start(req, job));
}

static int
begin_end(struct http_request *req, const struct claims *claims,
    const struct session_steps *steps)
{
	struct session_job *job;

	job = session_job_new(req, claims, steps);
	if (job == NULL)
		return (KORE_RESULT_OK);
	job->cookies = guard_from_cookie(req);
	return (session_job_start(req, job));
}

/* Background thread, and those below. */
static enum error_code
prepare_refresh(struct session_job *job, struct store *store)
{
	return (told(job,
	    session_prepare_renewal(&service_get()->sessions, store,
		(const char *)job->token.data, job->token.len, job->claims,
		job->origin.client, &job->tokens, &job->change),
	    SESSION_OVER));
}

static enum error_code
change_refresh(struct session_job *job, struct store *store)
{
	return (told(job, session_change(job->change, store), SESSION_OVER));
}

static enum error_code
complete_refresh(struct session_job *job, struct store *store)
{
	enum session_refreshed how = SESSION_OVER;
	enum error_code code = session_complete(job->change, store, &how);

	return (told(job, code, how));
}

/* What a refusal is called in the audit log. */
static enum error_code
told(struct session_job *job, enum error_code code, enum session_refreshed how)
{
	bool reused = code == ERR_TOKEN_REVOKED && how == SESSION_REUSED;

	job->kind = reused ? AUDIT_REUSE : AUDIT_REFRESH;
	job->reason = code == ERR_TOKEN_REVOKED && !reused ? "over" : NULL;
	return (code);
}

static enum error_code
change_logout(struct session_job *job, struct store *store)
{
	return (session_end(
	    &service_get()->sessions, store, job->claims, &job->made));
}

static enum error_code
complete_logout(struct session_job *job, struct store *store)
{
	(void)store;
	return (session_apply(&service_get()->sessions, &job->made));
}

static enum error_code
change_logout_all(struct session_job *job, struct store *store)
{
	return (session_end_all(&service_get()->sessions, store, job->claims));
}

static char *
describe(const struct claims *claims, size_t *len)
{
	const char *session = claims_session(claims), *subject;
	size_t subject_len;
	jdoc *doc;
	char *text = NULL;

	subject = claims_subject(claims, &subject_len);
	doc = jdoc_new_object();
	if (jdoc_set(doc, "sub", jdoc_new_string(subject, subject_len)) == 0 &&
	    jdoc_set(doc, "roles", jdoc_new_words(claims_roles(claims))) == 0 &&
	    jdoc_set(doc, "session",
		session[0] == '\0'
		    ? jdoc_new_null()
		    : jdoc_new_string(session, strlen(session))) == 0 &&
	    jdoc_set(doc, "issued_at", time_of(claims_issued(claims), 0)) ==
		0 &&
	    jdoc_set(doc, "expires_at",
		time_of(claims_expires(claims), INT64_MAX)) == 0 &&
	    jdoc_set(doc, "fresh", jdoc_new_bool(claims_fresh(claims))) == 0)
		text = jdoc_text(doc, len);
	jdoc_free(doc);
	return (text);
}

/* Seconds, or null for the value that stands for none. */
static jdoc *
time_of(int64_t seconds, int64_t none)
{
	return (seconds == none ? jdoc_new_null() : jdoc_new_integer(seconds));
}
