#include <sys/socket.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <kore/kore.h>
#include <kore/http.h>

#include "base/log.h"
#include "http/reply.h"

/* Seconds a client waits before it tries a busy service again. */
#define RETRY_AFTER_SECONDS 1

/* Lines about refusals in one second. */
#define REFUSAL_LINES_MAX 100

/* Room for status line and headers: the longest challenge and Allow fit. */
#define HEAD_MAX 4096

/*
 * What the page may do: load its own script and style, talk to its own
 * origin, and nothing else (CSP Level 3).
 */
#define CONTENT_SECURITY_POLICY                                                \
	"default-src 'none'; script-src 'self'; style-src 'self'; "            \
	"connect-src 'self'; img-src 'self' data:; base-uri 'none'; "          \
	"form-action 'self'; frame-ancestors 'none'"

/* Length of "Tue, 24 Nov 2026 03:52:59 GMT". */
#define DATE_LEN 29

/* Text known at compile time. */
#define HEAD_LITERAL(h, text) head_text(h, text, sizeof(text) - 1)

/* A head under construction. Formatted by hand: this is on the way of every
 * request. Too long a head is a programming error. */
struct head {
	char text[HEAD_MAX];
	size_t len;
};

/* The Date header's value, and of which second. */
static struct {
	time_t second;
	char text[DATE_LEN + 1];
} date;

static bool is_plain(const struct reply_mode *);
static bool is_kept(const struct reply *, const struct reply_mode *);
static void
keep(const struct reply *, const struct reply_mode *, const struct head *);
static void send_or_queue(
    struct connection *, const struct reply_mode *, const char *, size_t);
static void queue_body(struct connection *, const struct reply *);
static void head_text(struct head *, const char *, size_t);
static void head_number(struct head *, uint64_t);
static void head_field(struct head *, const char *, const char *);
static const char *date_now(void);
static void challenge_text(const struct fault *, const struct error_info *,
    const struct config *, char *, size_t);
static void add_scope(const struct fault *, char *, size_t);
static char *body_flask(const struct refusal *, const struct error_info *,
    const struct config *, const char *, size_t *);
static char *body_problem(
    const struct refusal *, const struct error_info *, const char *, size_t *);
static bool may_log(void);
static void log_refusal(const struct refusal *, const struct error_info *);

void
reply_write(struct connection *c, const struct reply *reply,
    const struct reply_mode *mode)
{
	const char *reason;
	struct head h;

	if (is_kept(reply, mode)) {
		send_or_queue(c, mode, reply->kept->text, reply->kept->len);
		return;
	}
	h.len = 0;
	reason = error_reason(reply->status);
	HEAD_LITERAL(&h, "HTTP/1.1 ");
	head_number(&h, (uint64_t)reply->status);
	HEAD_LITERAL(&h, " ");
	head_text(&h, reason, strlen(reason));
	HEAD_LITERAL(&h, "\r\nDate: ");
	head_text(&h, date_now(), DATE_LEN);
	HEAD_LITERAL(&h, "\r\nContent-Length: ");
	head_number(&h, reply->len);
	HEAD_LITERAL(&h, "\r\n");
	if (reply->type != NULL) {
		head_field(&h, "Content-Type", reply->type);
		HEAD_LITERAL(&h, "X-Content-Type-Options: nosniff\r\n");
	}
	if (mode->close)
		HEAD_LITERAL(&h, "Connection: close\r\n");
	if (reply->no_store)
		HEAD_LITERAL(&h, "Cache-Control: no-store\r\n");
	if (reply->page)
		HEAD_LITERAL(&h,
		    "Content-Security-Policy: " CONTENT_SECURITY_POLICY "\r\n"
		    "Referrer-Policy: no-referrer\r\n"
		    "Cache-Control: no-cache\r\n");
	if (reply->allow != NULL)
		head_field(&h, "Allow", reply->allow);
	if (reply->challenge != NULL)
		head_field(&h, "WWW-Authenticate", reply->challenge);
	if (reply->retry_after != 0) {
		HEAD_LITERAL(&h, "Retry-After: ");
		head_number(&h, reply->retry_after);
		HEAD_LITERAL(&h, "\r\n");
	}
	if (mode->tls && http_hsts_enable != 0) {
		HEAD_LITERAL(&h, "Strict-Transport-Security: max-age=");
		head_number(&h, http_hsts_enable);
		HEAD_LITERAL(&h, "\r\n");
	}
	if (reply->lines_len > 0) {
		net_send_queue(c, h.text, h.len);
		net_send_queue(c, reply->lines, reply->lines_len);
		h.len = 0;
	}
	HEAD_LITERAL(&h, "\r\n");
	if (mode->head_only || reply->len == 0)
		send_or_queue(c, mode, h.text, h.len);
	else if (reply->len <= sizeof(h.text) - h.len) {
		head_text(&h, reply->body, reply->len);
		send_or_queue(c, mode, h.text, h.len);
		keep(reply, mode, &h);
	} else {
		net_send_queue(c, h.text, h.len);
		queue_body(c, reply);
	}
}

/* Clients that do not read their answers cannot have a large one copied for
 * each of them. */
static void
queue_body(struct connection *c, const struct reply *reply)
{
	if (reply->lasting)
		net_send_stream(
		    c, (void *)(uintptr_t)reply->body, reply->len, NULL, NULL);
	else
		net_send_queue(c, reply->body, reply->len);
}

/* Whether an answer goes out in the way in which it is kept. */
static bool
is_plain(const struct reply_mode *mode)
{
	return (!mode->close && !mode->head_only && !mode->tls);
}

static bool
is_kept(const struct reply *reply, const struct reply_mode *mode)
{
	return (reply->kept != NULL && is_plain(mode) &&
	    reply->kept->second == time(NULL));
}

static void
keep(const struct reply *reply, const struct reply_mode *mode,
    const struct head *h)
{
	struct reply_kept *kept = reply->kept;

	if (kept == NULL || !is_plain(mode) || h->len > sizeof(kept->text))
		return;
	memcpy(kept->text, h->text, h->len);
	kept->len = h->len;
	kept->second = date.second;
}

/*
 * Most answers fit into the socket: those need no queue, whose buffers Kore
 * makes anew for each. While more requests of the connection wait, answers are
 * queued, to leave in one piece. What is wrong with the socket is for the
 * flush to find out.
 */
static void
send_or_queue(struct connection *c, const struct reply_mode *mode,
    const char *data, size_t len)
{
	ssize_t n = 0;

	if (mode->last && !mode->tls && TAILQ_EMPTY(&c->send_queue) &&
	    (c->evt.flags & KORE_EVENT_WRITE)) {
		n = send(c->fd, data, len, MSG_NOSIGNAL);
		if (n == -1)
			n = 0;
	}
	if ((size_t)n < len)
		net_send_queue(c, data + n, len - (size_t)n);
}

void
reply_refuse(struct connection *c, const struct config *config,
    const struct refusal *refusal, const struct reply_mode *mode)
{
	const struct error_info *info;
	struct reply reply;
	char text[REPLY_VALUE_MAX], challenge[2 * REPLY_VALUE_MAX];
	char *body;
	bool rfc;

	info = error_lookup(refusal->fault->code);
	rfc = config->error_style == STYLE_RFC6750;
	(void)fault_text(refusal->fault, config->header_name,
	    config->header_type, text, sizeof(text));

	memset(&reply, 0, sizeof(reply));
	if (rfc) {
		reply.status = info->rfc_status;
		reply.type = "application/problem+json";
		body = body_problem(refusal, info, text, &reply.len);
	} else {
		reply.status = info->status;
		reply.type = "application/json";
		body = body_flask(refusal, info, config, text, &reply.len);
	}
	if (body == NULL)
		fatal("out of memory while refusing a request");
	reply.body = body;
	reply.allow = refusal->allow;
	reply.retry_after = refusal->retry_after;
	reply.lines = refusal->lines;
	reply.lines_len = refusal->lines_len;
	if (reply.status == 503 && reply.retry_after == 0)
		reply.retry_after = RETRY_AFTER_SECONDS;

	challenge_text(
	    refusal->fault, info, config, challenge, sizeof(challenge));
	if (challenge[0] != '\0')
		reply.challenge = challenge;

	log_refusal(refusal, info);
	reply_write(c, &reply, mode);
	free(body);
}

void
reply_continue(struct connection *c)
{
	static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";

	net_send_queue(c, interim, sizeof(interim) - 1);
}

static void
head_text(struct head *h, const char *text, size_t len)
{
	if (len > sizeof(h->text) - h->len)
		fatal("the head of an answer is too long");
	memcpy(h->text + h->len, text, len);
	h->len += len;
}

static void
head_number(struct head *h, uint64_t n)
{
	char digits[20], *p;

	p = digits + sizeof(digits);
	do {
		*--p = (char)('0' + n % 10);
		n /= 10;
	} while (n != 0);
	head_text(h, p, (size_t)(digits + sizeof(digits) - p));
}

static void
head_field(struct head *h, const char *name, const char *value)
{
	head_text(h, name, strlen(name));
	HEAD_LITERAL(h, ": ");
	head_text(h, value, strlen(value));
	HEAD_LITERAL(h, "\r\n");
}

/* The Date header's value (RFC 9110, section 5.6.7), made once a second. */
static const char *
date_now(void)
{
	struct tm tm;
	time_t now;

	now = time(NULL);
	if (now != date.second && gmtime_r(&now, &tm) != NULL) {
		(void)strftime(date.text, sizeof(date.text),
		    "%a, %d %b %Y %H:%M:%S GMT", &tm);
		date.second = now;
	}
	return (date.text);
}

/*
 * RFC 6750, section 3: the description is a quoted-string of ASCII characters;
 * what may not stand there is replaced.
 */
static void
challenge_text(const struct fault *fault, const struct error_info *info,
    const struct config *config, char *out, size_t size)
{
	enum error_challenge challenge;
	const char *error;
	char text[REPLY_VALUE_MAX], *p;

	challenge = config->error_style == STYLE_RFC6750 ? info->rfc_challenge
							 : info->challenge;
	error = info->rfc_error != NULL ? info->rfc_error : "invalid_token";
	out[0] = '\0';

	switch (challenge) {
	case CHALLENGE_NONE:
		break;
	case CHALLENGE_BARE:
		(void)snprintf(out, size, "Bearer");
		break;
	case CHALLENGE_ERROR:
		(void)fault_text(fault, config->header_name,
		    config->header_type, text, sizeof(text));
		for (p = text; *p != '\0'; p++)
			if (*p == '"' || *p == '\\' || *p < 0x20 || *p > 0x7e)
				*p = '?';
		(void)snprintf(out, size,
		    "Bearer error=\"%s\", error_description=\"%s\"", error,
		    text);
		if (fault->code == ERR_ROLE)
			add_scope(fault, out, size);
		break;
	}
}

/* The roles of which one is needed, as RFC 6750 writes them: with blanks. */
static void
add_scope(const struct fault *fault, char *out, size_t size)
{
	size_t len = strlen(out);
	char *p;

	(void)snprintf(out + len, size - len, ", scope=\"%s\"", fault->detail);
	for (p = out + len + 1; *p != '\0'; p++)
		if (*p == ',')
			*p = ' ';
}

/* {"error": text}, {"msg": text}, or the fields at fault. */
static char *
body_flask(const struct refusal *refusal, const struct error_info *info,
    const struct config *config, const char *text, size_t *len)
{
	const char *name;
	jdoc *body, *value;
	char *out;

	name = info->body == BODY_MSG ? config->error_message_key : "error";
	if (refusal->field_errors != NULL)
		value = jdoc_copy(refusal->field_errors);
	else
		value = jdoc_new_string(text, strlen(text));

	out = NULL;
	body = jdoc_new_object();
	if (jdoc_set(body, name, value) == 0)
		out = jdoc_text(body, len);
	jdoc_free(body);
	return (out);
}

/* A problem document (RFC 9457, section 3). */
static char *
body_problem(const struct refusal *refusal, const struct error_info *info,
    const char *text, size_t *len)
{
	char type[64];
	const char *title;
	jdoc *body;
	char *out;

	(void)snprintf(type, sizeof(type), "urn:corgi:problem:%s", info->name);
	title = error_reason(info->rfc_status);

	out = NULL;
	body = jdoc_new_object();
	if (jdoc_set(body, "type", jdoc_new_string(type, strlen(type))) == 0 &&
	    jdoc_set(body, "title", jdoc_new_string(title, strlen(title))) ==
		0 &&
	    jdoc_set(body, "status", jdoc_new_integer(info->rfc_status)) == 0 &&
	    jdoc_set(body, "detail", jdoc_new_string(text, strlen(text))) ==
		0 &&
	    (refusal->instance == NULL ||
		jdoc_set(body, "instance",
		    jdoc_new_string(
			refusal->instance, strlen(refusal->instance))) == 0) &&
	    (refusal->field_errors == NULL ||
		jdoc_set(body, "errors", jdoc_copy(refusal->field_errors)) ==
		    0))
		out = jdoc_text(body, len);
	jdoc_free(body);
	return (out);
}

/* So many lines about refusals a second, and one about the rest: whoever can
 * make requests must not be able to fill the log. */
static bool
may_log(void)
{
	static unsigned int lines, dropped;
	static time_t second;
	time_t now;

	now = time(NULL);
	if (now != second) {
		if (dropped > 0)
			log_line(LOG_LEVEL_NOTICE,
			    "%u more refusals were not logged", dropped);
		second = now;
		lines = dropped = 0;
	}
	if (lines == REFUSAL_LINES_MAX) {
		dropped++;
		return (false);
	}
	lines++;
	return (true);
}

static void
log_refusal(const struct refusal *refusal, const struct error_info *info)
{
	static const enum log_level levels[] = {
	    [ERROR_LEVEL_DEBUG] = LOG_LEVEL_DEBUG,
	    [ERROR_LEVEL_INFO] = LOG_LEVEL_INFO,
	    [ERROR_LEVEL_ERR] = LOG_LEVEL_ERR,
	};

	if (info->level != ERROR_LEVEL_DEBUG && !may_log())
		return;
	log_line(levels[info->level], "refused %s from %s: %s%s%s",
	    refusal->instance != NULL ? refusal->instance : "-",
	    refusal->client != NULL ? refusal->client : "-", info->name,
	    refusal->fault->detail[0] != '\0' ? ": " : "",
	    refusal->fault->detail);
}
