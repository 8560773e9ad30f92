/*
 * accounts.h - POST /register, the public one of the requests about accounts.
 * (The guarded ones are declared by GUARDED_HANDLER.) Event loop.
 */
#ifndef CORGI_ACCOUNTS_H
#define CORGI_ACCOUNTS_H

#include "http/export.h"

struct http_request;

/* Make an account for whoever asks, where the configuration allows it. */
CORGI_EXPORT int handle_register(struct http_request *req);

#endif
