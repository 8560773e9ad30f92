/*
 * front_kore.c - what bench/front compares the connection front with: a
 * handler behind Kore's own reader and http_response() that answers what
 * Corgi's /health does, once with nothing but what Kore adds by itself, once
 * with the headers that Corgi sends.
 */
#include <time.h>

#include <kore/kore.h>
#include <kore/http.h>

void kore_parent_configure(int, char **);
int handle_plain(struct http_request *);
int handle_same(struct http_request *);

static const char body[] = "{\"status\":\"ok\"}";

static const char *date_now(void);

/* The time zone's file is read here: the workers' sandbox forbids it. */
void
kore_parent_configure(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	(void)date_now();
}

int
handle_plain(struct http_request *req)
{
	http_response(req, 200, body, sizeof(body) - 1);
	return (KORE_RESULT_OK);
}

int
handle_same(struct http_request *req)
{
	http_response_header(req, "Date", date_now());
	http_response_header(req, "Content-Type", "application/json");
	http_response_header(req, "X-Content-Type-Options", "nosniff");
	http_response(req, 200, body, sizeof(body) - 1);
	return (KORE_RESULT_OK);
}

/* Made once a second, as Corgi does. */
static const char *
date_now(void)
{
	static char text[32];
	static time_t made;
	struct tm tm;
	time_t now;

	now = time(NULL);
	if (now != made && gmtime_r(&now, &tm) != NULL) {
		(void)strftime(
		    text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		made = now;
	}
	return (text);
}
