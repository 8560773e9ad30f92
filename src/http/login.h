/*
 * login.h - POST /login and GET /ready: the handlers that need the background
 * threads.
 */
#ifndef CORGI_LOGIN_H
#define CORGI_LOGIN_H

#include "http/export.h"

struct http_request;

/* Check credentials and issue a token. */
CORGI_EXPORT int handle_login(struct http_request *req);

/* Whether this worker can serve: its store answers, and it is not draining. */
CORGI_EXPORT int handle_ready(struct http_request *req);

#endif
