/*
 * session_reply.h - the answers to requests about sessions and accounts. Each
 * carries the id under which it stands in the audit log (X-Request-Id). Each
 * answers the request and returns KORE_RESULT_OK for the handler to return.
 * Event loop.
 */
#ifndef CORGI_SESSION_REPLY_H
#define CORGI_SESSION_REPLY_H

#include "http/session_job.h"

/*
 * The tokens of job->tokens: {"access_token", "refresh_token"}; or, where the
 * job says so, in cookies, and the body is {"message"}.
 */
int session_reply_tokens(struct http_request *req,
    const struct session_job *job, const char *message);

/* {"message"}; the cookies with tokens are cleared where the job has to do
 * with cookies. */
int session_reply_message(struct http_request *req,
    const struct session_job *job, int status, const char *message);

/* A refusal, by job->result; retry_after as in struct refusal. */
int session_reply_refuse(struct http_request *req,
    const struct session_job *job, unsigned int retry_after);

/* The same with {field: [text]} in place of the result's own words. */
int session_reply_fault(struct http_request *req, const struct session_job *job,
    const char *field, const char *text);

#endif
