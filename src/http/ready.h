/*
 * ready.h - GET /ready: whether this worker can serve. Event loop.
 */
#ifndef CORGI_READY_H
#define CORGI_READY_H

#include "http/export.h"

struct http_request;

/* 200 when the store answers, 503 when it does not or the worker is stopping.
 * Event loop. */
CORGI_EXPORT int handle_ready(struct http_request *req);

#endif
