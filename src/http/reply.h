/*
 * reply.h - the one place that writes an answer to a connection.
 *
 * Event loop only. Bodies and header values are copied before a call returns,
 * but for bodies that last.
 */
#ifndef CORGI_REPLY_H
#define CORGI_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/config.h"
#include "base/errors.h"
#include "base/jdoc.h"

struct connection;

/* Room for an answer that is kept as it was written (bytes). */
#define REPLY_KEPT_MAX 512

/* An answer that never changes, as it was last written; its Date is good for
 * the second in which that was. Zeroed at first, one per answer. */
struct reply_kept {
	int64_t second;
	size_t len;
	char text[REPLY_KEPT_MAX];
};

/* Room for one additional header line's value (bytes, with the NUL). */
#define REPLY_VALUE_MAX 640

/* An answer. Zeroed members are left out. */
struct reply {
	int status;
	const char *type; /* Content-Type */
	const void *body;
	size_t len;
	bool no_store;         /* Cache-Control: no-store (RFC 9111, 5.2.2.5) */
	bool page;             /* a document for browsers: CSP and friends */
	const char *allow;     /* Allow (RFC 9110, section 10.2.1) */
	const char *challenge; /* WWW-Authenticate (RFC 9110, 11.6.1) */
	unsigned int retry_after; /* Retry-After, seconds */
	/* Whole header lines, each with its CRLF (Set-Cookie and the like). */
	const char *lines;
	size_t lines_len;
	bool lasting; /* the body is there for as long as the process */
	/* Of one that never changes: where it is kept. */
	struct reply_kept *kept;
};

/* How an answer leaves. */
struct reply_mode {
	bool head_only;   /* the request was HEAD */
	bool close;       /* the connection ends after this answer */
	unsigned int tls; /* the connection is encrypted */
	bool last;        /* of those that have been asked for so far */
};

/* What a refusal needs besides its fault. All may be NULL. */
struct refusal {
	const struct fault *fault;
	const char *client;       /* its address, for the log */
	const char *instance;     /* path of the request (RFC 9457, 3.1.5) */
	const char *allow;        /* with ERR_METHOD */
	const jdoc *field_errors; /* {field: [text]}, in place of the text */
	unsigned int retry_after; /* seconds; 0: the usual for the status */
	const char *lines;        /* as in struct reply */
	size_t lines_len;
};

/* Queue an answer on a connection; the caller flushes. What goes into the
 * socket at once is sent and never queued. */
void reply_write(struct connection *c, const struct reply *reply,
    const struct reply_mode *mode);

/* Queue the answer to a refusal, in the configured dialect. */
void reply_refuse(struct connection *c, const struct config *config,
    const struct refusal *refusal, const struct reply_mode *mode);

/* Queue the interim answer 100 (RFC 9110, section 15.2.1). */
void reply_continue(struct connection *c);

#endif
