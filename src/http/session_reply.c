#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kore/kore.h>
#include <kore/http.h>

#include "http/cookie.h"
#include "http/front.h"
#include "http/service.h"
#include "http/session_reply.h"

/* Room for the line of a request's id, with the NUL (bytes). */
#define ID_LINE_MAX (sizeof("X-Request-Id: \r\n") + AUDIT_REQUEST_MAX)

static int reply_json(struct http_request *, const struct session_job *, int,
    char *, size_t, char *, size_t);
static int refuse(struct http_request *, const struct session_job *,
    const jdoc *, unsigned int);
static size_t id_line(const struct session_job *, char[ID_LINE_MAX]);
static char *tokens_body(const struct session_tokens *, size_t *);
static char *message_body(const char *, size_t *);

int
session_reply_tokens(struct http_request *req, const struct session_job *job,
    const char *message)
{
	size_t len = 0, lines_len = 0;
	char *body, *lines = NULL;

	if (!job->cookies)
		body = tokens_body(&job->tokens, &len);
	else {
		body = message_body(message, &len);
		lines = cookie_lines(
		    &service_get()->config, &job->tokens, &lines_len);
	}
	if (job->cookies && lines == NULL) {
		free(body);
		body = NULL;
	}
	return (reply_json(req, job, 200, body, len, lines, lines_len));
}

int
session_reply_message(struct http_request *req, const struct session_job *job,
    int status, const char *message)
{
	size_t len = 0, lines_len = 0;
	char *body, *lines = NULL;

	body = message_body(message, &len);
	if (job->cookies)
		lines = cookie_lines_clear(&service_get()->config, &lines_len);
	if (job->cookies && lines == NULL) {
		free(body);
		body = NULL;
	}
	return (reply_json(req, job, status, body, len, lines, lines_len));
}

int
session_reply_refuse(struct http_request *req, const struct session_job *job,
    unsigned int retry_after)
{
	return (refuse(req, job, NULL, retry_after));
}

int
session_reply_fault(struct http_request *req, const struct session_job *job,
    const char *field, const char *text)
{
	jdoc *errors;
	int ret;

	errors = credentials_fault(field, text);
	ret = refuse(req, job, errors, 0);
	jdoc_free(errors);
	return (ret);
}

/* Takes body and lines, which are wiped; a body of NULL: out of memory. */
static int
reply_json(struct http_request *req, const struct session_job *job, int status,
    char *body, size_t len, char *lines, size_t lines_len)
{
	struct reply reply;
	char id[ID_LINE_MAX], *all;
	size_t id_len = id_line(job, id);
	int ret;

	all = body == NULL ? NULL : malloc(id_len + lines_len);
	if (all == NULL)
		ret = front_refuse(req, ERR_BUSY);
	else {
		memcpy(all, id, id_len);
		if (lines_len > 0)
			memcpy(all + id_len, lines, lines_len);
		memset(&reply, 0, sizeof(reply));
		reply.status = status;
		reply.type = "application/json";
		reply.body = body;
		reply.len = len;
		reply.no_store = true;
		reply.lines = all;
		reply.lines_len = id_len + lines_len;
		ret = front_reply(req, &reply);
	}
	secret_free_mem(all, id_len + lines_len);
	secret_free_mem(lines, lines_len);
	secret_free_mem(body, len);
	return (ret);
}

static int
refuse(struct http_request *req, const struct session_job *job,
    const jdoc *errors, unsigned int retry_after)
{
	struct refusal refusal;
	struct fault fault;
	char id[ID_LINE_MAX];

	(void)fault_set(&fault, job->result, NULL);
	memset(&refusal, 0, sizeof(refusal));
	refusal.fault = &fault;
	refusal.field_errors = errors;
	refusal.retry_after = retry_after;
	refusal.lines_len = id_line(job, id);
	refusal.lines = id;
	return (front_refuse_with(req, &refusal));
}

static size_t
id_line(const struct session_job *job, char out[ID_LINE_MAX])
{
	return ((size_t)snprintf(
	    out, ID_LINE_MAX, "X-Request-Id: %s\r\n", job->origin.request));
}

static char *
tokens_body(const struct session_tokens *tokens, size_t *len)
{
	jdoc *doc;
	char *text = NULL;

	doc = jdoc_new_object();
	if (jdoc_set_text(doc, "access_token", tokens->access) == 0 &&
	    jdoc_set_text(doc, "refresh_token", tokens->refresh) == 0)
		text = jdoc_text(doc, len);
	jdoc_free(doc);
	return (text);
}

static char *
message_body(const char *message, size_t *len)
{
	jdoc *doc;
	char *text = NULL;

	doc = jdoc_new_object();
	if (jdoc_set_text(doc, "message", message) == 0)
		text = jdoc_text(doc, len);
	jdoc_free(doc);
	return (text);
}
