/*
 * bare.c - the least that a Kore application can be: one handler. What
 * bench/start compares the service with.
 */
#include <kore/kore.h>
#include <kore/http.h>

int handle_bare(struct http_request *);

int
handle_bare(struct http_request *req)
{
	http_response(req, 200, "ok\n", 3);
	return (KORE_RESULT_OK);
}
