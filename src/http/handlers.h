/*
 * handlers.h - the public handlers that answer at once; kore.conf names them.
 * Event loop. (The guarded ones are declared by GUARDED_HANDLER.)
 */
#ifndef CORGI_HANDLERS_H
#define CORGI_HANDLERS_H

#include "http/export.h"

struct http_request;

/* Alive, whatever the store does. */
CORGI_EXPORT int handle_health(struct http_request *req);

/* The page, its script with the module it imports, and its style (assets/). */
CORGI_EXPORT int handle_page(struct http_request *req);
CORGI_EXPORT int handle_page_script(struct http_request *req);
CORGI_EXPORT int handle_page_module(struct http_request *req);
CORGI_EXPORT int handle_page_style(struct http_request *req);

/* The interface's description (assets/openapi.json). */
CORGI_EXPORT int handle_openapi(struct http_request *req);

#endif
