#include <string.h>

#include <kore/kore.h>
#include <kore/http.h>

#include "base/log.h"
#include "http/front.h"
#include "http/login.h"
#include "http/service.h"
#include "http/session_reply.h"

static int begin(struct http_request *);
static int end(struct http_request *, const struct session_job *);
static bool asks_for_cookies(struct http_request *);
static enum error_code work(struct session_job *, struct store *);
static enum error_code change(struct session_job *, struct store *);
static enum error_code complete(struct session_job *, struct store *);

static const struct session_steps steps = {
    .kind = AUDIT_LOGIN, .work = work, .change = change, .complete = complete};

int
handle_login(struct http_request *req)
{
	const struct session_job *job = job_of(req);

	return (job == NULL ? begin(req) : end(req, job));
}

static int
begin(struct http_request *req)
{
	const struct secret *name;
	struct session_job *job;

	if (!key_can_sign(service_get()->key))
		return (front_refuse(req, ERR_VERIFY_ONLY));
	job = session_job_new(req, NULL, &steps);
	if (job == NULL || !session_job_read(req, job, &credentials_login))
		return (KORE_RESULT_OK);
	job->cookies = asks_for_cookies(req);
	name = &job->credentials.values[CREDENTIALS_USERNAME];
	if (!session_job_admit(req, job, name->data, name->len))
		return (KORE_RESULT_OK);
	return (session_job_start(req, job));
}

static int
end(struct http_request *req, const struct session_job *job)
{
	if (job->result != ERR_NONE)
		return (session_reply_refuse(req, job, 0));
	log_line(LOG_LEVEL_INFO, "login of account %lld from %s",
	    (long long)job->user.id, job->origin.client);
	return (session_reply_tokens(req, job, "Logged in"));
}

/* "cookies=1" among the words of the query, or always by configuration. */
static bool
asks_for_cookies(struct http_request *req)
{
	static const char wanted[] = "cookies=1";
	const char *at;
	size_t len;

	if (service_get()->config.login_cookies)
		return (true);
	at = strchr(front_request(req)->target, '?');
	while (at != NULL) {
		at++;
		len = strcspn(at, "&");
		if (len == sizeof(wanted) - 1 && memcmp(at, wanted, len) == 0)
			return (true);
		at = strchr(at, '&');
	}
	return (false);
}

/* Hashing thread: the password, and the refresh token of a session that is to
 * begin. */
static enum error_code
work(struct session_job *job, struct store *store)
{
	const struct service *service = service_get();
	const struct secret *values = job->credentials.values;
	enum error_code code;

	code = account_login(&service->accounts, store,
	    (const char *)values[CREDENTIALS_USERNAME].data,
	    values[CREDENTIALS_USERNAME].len,
	    (const char *)values[CREDENTIALS_PASSWORD].data,
	    values[CREDENTIALS_PASSWORD].len, &job->user, job->hash);
	if (code == ERR_CREDENTIALS && job->user.disabled)
		job->reason = "disabled";
	/* A hash that has been replaced is not the one that was checked any
	 * more: that cannot be done twice. */
	job->job.offload.alone = job->hash[0] != '\0';
	if (code == ERR_NONE)
		code = session_prepare_begin(&service->sessions, &job->user,
		    job->origin.client, &job->tokens, &job->change);
	return (code);
}

/* Where the hash was to be replaced, another login of the account may have done
 * so: the password is as good as it was, and would be found so now. */
static enum error_code
change(struct session_job *job, struct store *store)
{
	enum error_code code;

	account_upgrade(&service_get()->accounts, store, &job->user, job->hash);
	code = session_change(job->change, store);
	if (code == ERR_CREDENTIALS && job->hash[0] != '\0')
		code = ERR_BUSY;
	return (code);
}

static enum error_code
complete(struct session_job *job, struct store *store)
{
	return (session_complete(job->change, store, NULL));
}
