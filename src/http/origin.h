/*
 * origin.h - where a request comes from, as the audit log and the throttle
 * want it; taken on the event loop when the request begins and then carried
 * along to background threads.
 */
#ifndef CORGI_ORIGIN_H
#define CORGI_ORIGIN_H

#include <netinet/in.h>

#include "base/audit.h"
#include "http/client.h"

struct http_request;

struct origin {
	struct in6_addr address;
	char client[CLIENT_TEXT_MAX];    /* the same in text */
	char request[AUDIT_REQUEST_MAX]; /* the request's id */
};

/*
 * Take it. The id is the X-Request-Id of a trusted proxy, when that is 1 to 64
 * letters, digits and "._-", else 16 random bytes in hexadecimal. Event loop.
 */
void origin_take(struct http_request *req, struct origin *origin);

/* Write an audit event from there: client and request are filled in. Any
 * thread. */
void origin_audit(const struct origin *origin, struct audit_event *event);

#endif
