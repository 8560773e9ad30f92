/*
 * session_job.h - a request about a session or an account: what it brought,
 * what is done about it on a background thread, and what came of it.
 *
 * The handler makes one, reads the body into it, asks the throttle and starts
 * it; when it is called again it finds it by job_of() and answers (see
 * session_reply.h). In between come calls into auth/. What happened
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

struct session_job;

/* One step of what is done; ERR_NONE: on to the next. */
typedef enum error_code (*session_step)(struct session_job *, struct store *);

/* What is done about a kind of request, on background threads. */
struct session_steps {
	enum audit_kind kind;
	/* On a hashing thread: hashes, and what they have to know of the store.
	 * NULL: there is no hash. */
	session_step work;
	/* On the thread for short jobs, before the transaction; NULL:
	 * nothing. */
	session_step prepare;
	/* Within the transaction, which is that of other requests, too, unless
	 * this kind is to be alone (offload.h). It may be undone and called
	 * again, so it leaves no trace but in the store and in the job. */
	session_step change;
	/* When that is kept: make known what has ended, complete the answer.
	 * NULL: nothing. */
	session_step complete;
	bool alone;
};

struct session_job {
	struct job job; /* must stay first */

	/* What the request brought. */
	struct origin origin;
	struct claims *claims; /* a copy of the guard's; NULL: no guard */
	struct credentials credentials;
	struct secret token; /* the refresh token, where it is renewed */
	bool cookies;        /* tokens are answered in cookies */
	struct throttle_ticket ticket;

	const struct session_steps *steps;
	struct session_change *change;
	struct store_revocation made; /* by a logout, to be made known */

	/* What came of it. */
	enum audit_kind kind;
	enum error_code result;
	bool done; /* it has happened, even where the answer is a refusal */
	const char *reason; /* of a failure, for the audit log, where the
			     * result's own name will not do */
	struct store_user user;
	char hash[PASSWORD_HASH_MAX]; /* a new one that is to be kept */
	struct session_tokens tokens;
	enum password_fault fault;
};

/* A new job. Without memory the request is refused, and this is NULL: the
 * handler then returns KORE_RESULT_OK. claims may be NULL. */
struct session_job *
session_job_new(struct http_request *req, const struct claims *claims,
    const struct session_steps *steps) __attribute__((warn_unused_result));

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

/* Start it; the handler returns what this returns. */
int session_job_start(struct http_request *req, struct session_job *job);

/* Write what came of it to the audit log. For refusals without any work. */
void session_job_audit(const struct session_job *job);

/* Settle with the throttle, wipe and release. For a job that was not
 * started. */
void session_job_release(struct session_job *job);

#endif
