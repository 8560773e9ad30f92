/*
 * session_job.h - a request about a session or an account: what it brought,
 * what is done about it on a background thread, and what came of it.
 *
 * The handler makes one, reads the body into it, asks the throttle and starts
 * it; when it is called again it finds it by job_of() and answers (see
 * session_reply.h). In between the work is one call into auth/. What happened
 * goes to the audit log before the answer goes out, also when the client has
 * gone. Event loop, unless it says otherwise.
 */
#ifndef CORGI_SESSION_JOB_H
#define CORGI_SESSION_JOB_H

#include "auth/credentials.h"
#include "auth/session.h"
#include "auth/throttle.h"
#include "base/audit.h"
#include "http/job.h"
#include "http/origin.h"

struct session_job {
	struct job job; /* must stay first */

	/* What the request brought. */
	struct origin origin;
	struct claims *claims; /* a copy of the guard's; NULL: no guard */
	struct credentials credentials;
	struct secret token; /* the refresh token, where it is renewed */
	bool cookies;        /* tokens are answered in cookies */
	struct throttle_ticket ticket;

	/*
	 * What is done about it on a background thread. work: hashes, and what
	 * they have to know of the store; NULL: no hash. then, when that went
	 * well: what changes the store, on the thread for short jobs, in one
	 * transaction with what other requests change unless the job is to be
	 * alone (offload.h). It may be undone and called again, so what it does beside the store
	 * is to leave the same result, and what it ended is in made.
	 */
	enum audit_kind kind;
	enum error_code (*work)(struct session_job *, struct store *);
	enum error_code (*then)(struct session_job *, struct store *);
	struct store_revocation made;

	/* What came of it. */
	enum error_code result;
	bool done; /* it has happened, even where the answer is a refusal */
	const char *reason; /* of a failure, for the audit log, where the
			     * result's own name will not do */
	struct store_user user;
	char hash[PASSWORD_HASH_MAX]; /* a new one that is to be kept */
	struct session_tokens tokens;
	enum password_fault fault;
};

/* A new job, with what is to be done about it. Without memory the request is
 * refused, and this is NULL: the handler then returns KORE_RESULT_OK. claims and
 * work may be NULL. */
struct session_job *session_job_new(struct http_request *req,
    const struct claims *claims, enum audit_kind kind,
    enum error_code (*work)(struct session_job *, struct store *),
    enum error_code (*then)(struct session_job *, struct store *))
    __attribute__((warn_unused_result));

/*
 * Read the body into job->credentials. False when it is at fault: the request
 * has been refused and the job released; the handler returns KORE_RESULT_OK.
 */
bool session_job_read(struct http_request *req, struct session_job *job,
    const struct credentials_schema *schema)
    __attribute__((warn_unused_result));

/*
 * Ask the throttle before a password is checked for the account of that name
 * (NULL: it is the address alone that counts). False when it has to wait, or
 * when this node does not know what others have counted: as above.
 */
bool session_job_admit(struct http_request *req, struct session_job *job,
    const void *name, size_t len) __attribute__((warn_unused_result));

/* Begin a session for job->user: for what follows where a password has been
 * found right. What that ended is in job->made. Background thread. */
enum error_code session_job_begin(struct session_job *job, struct store *store);

/* Start it; the handler returns what this returns. */
int session_job_start(struct http_request *req, struct session_job *job);

/* Write what came of it to the audit log. For refusals without any work. */
void session_job_audit(const struct session_job *job);

/* Settle with the throttle, wipe and release. For a job that was not
 * started. */
void session_job_release(struct session_job *job);

#endif
