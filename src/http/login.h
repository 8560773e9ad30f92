/*
 * login.h - POST /login. Event loop.
 */
#ifndef CORGI_LOGIN_H
#define CORGI_LOGIN_H

#include "http/export.h"

struct http_request;

/* Check credentials and begin a session. */
CORGI_EXPORT int handle_login(struct http_request *req);

#endif
