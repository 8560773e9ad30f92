#include <string.h>

#include <kore/kore.h>
#include <kore/http.h>

#include "assets.h"
#include "http/front.h"
#include "http/guard.h"
#include "http/handlers.h"

static int
reply_message(struct http_request *, const char *, size_t, struct reply_kept *);
static int
reply_asset(struct http_request *, const char *, const void *, size_t);

GUARDED_HANDLER(handle_protected)
{
	static const char body[] = "{\"message\":\"This is a protected route, "
				   "and you are authenticated!\"}";
	static struct reply_kept kept;

	(void)claims;
	return (reply_message(req, body, sizeof(body) - 1, &kept));
}

GUARDED_HANDLER(handle_secure_data)
{
	static const char body[] = "{\"message\":\"This is secure data, "
				   "and you are authenticated!\"}";
	static struct reply_kept kept;

	(void)claims;
	return (reply_message(req, body, sizeof(body) - 1, &kept));
}

int
handle_health(struct http_request *req)
{
	static const char body[] = "{\"status\":\"ok\"}";
	static struct reply_kept kept;

	return (reply_message(req, body, sizeof(body) - 1, &kept));
}

int
handle_page(struct http_request *req)
{
	return (reply_asset(req, "text/html; charset=utf-8", asset_index_html,
	    asset_len_index_html));
}

int
handle_page_script(struct http_request *req)
{
	return (reply_asset(req, "text/javascript; charset=utf-8", asset_app_js,
	    asset_len_app_js));
}

int
handle_page_module(struct http_request *req)
{
	return (reply_asset(req, "text/javascript; charset=utf-8",
	    asset_token_js, asset_len_token_js));
}

int
handle_page_style(struct http_request *req)
{
	return (reply_asset(
	    req, "text/css; charset=utf-8", asset_app_css, asset_len_app_css));
}

int
handle_openapi(struct http_request *req)
{
	return (reply_message(req, (const char *)asset_openapi_json,
	    asset_len_openapi_json, NULL));
}

/* The body is static; kept may be NULL. */
static int
reply_message(struct http_request *req, const char *body, size_t len,
    struct reply_kept *kept)
{
	struct reply reply;

	memset(&reply, 0, sizeof(reply));
	reply.status = 200;
	reply.type = "application/json";
	reply.body = body;
	reply.len = len;
	reply.lasting = true;
	reply.kept = kept;
	return (front_reply(req, &reply));
}

static int
reply_asset(
    struct http_request *req, const char *type, const void *body, size_t len)
{
	struct reply reply;

	memset(&reply, 0, sizeof(reply));
	reply.status = 200;
	reply.type = type;
	reply.body = body;
	reply.len = len;
	reply.lasting = true;
	reply.page = true;
	return (front_reply(req, &reply));
}
