/*
 * suite.c - what several suites begin with.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "http.h"
#include "suite.h"
#include "tok.h"

#define MORE_MAX 8

static struct server *start(const char *, va_list);

static struct server *
start(const char *style, va_list more)
{
	const char *env[MORE_MAX + 3];
	struct server_options options;
	char setting[64];
	size_t n;

	(void)snprintf(setting, sizeof(setting), "JWT_ERROR_STYLE=%s", style);
	env[0] = "JWT_SECRET_KEY=" TOK_SECRET;
	env[1] = setting;
	for (n = 2; n < MORE_MAX + 2; n++) {
		env[n] = va_arg(more, const char *);
		if (env[n] == NULL)
			break;
	}
	env[n] = NULL;
	memset(&options, 0, sizeof(options));
	options.environment = env;
	return (server_start(&options));
}

struct server *
suite_start(const char *style)
{
	return (suite_start_with(style, NULL));
}

struct server *
suite_start_with(const char *style, ...)
{
	struct server *s;
	va_list more;

	va_start(more, style);
	s = start(style, more);
	va_end(more);
	return (s);
}

int
suite_post_login(int port, const char *type, const void *body, size_t len,
    struct raw_response *out)
{
	const char *headers[2] = {NULL, NULL};
	struct http_request request;
	char line[256];

	memset(&request, 0, sizeof(request));
	/* libcurl's way to write an empty header is a semicolon. */
	if (type != NULL && *type == '\0')
		headers[0] = "Content-Type;";
	else if (type != NULL) {
		(void)snprintf(line, sizeof(line), "Content-Type: %s", type);
		headers[0] = line;
	}
	request.method = "POST";
	request.path = "/login";
	request.headers = headers;
	request.body = body;
	request.len = len;
	return (http_send(port, &request, out));
}

char *
suite_routes(const char *words)
{
	static const char word[] = "\tauthentication_value\t\taccess\n";
	char path[SERVER_PATH_MAX], *text, *at, *changed;

	(void)snprintf(
	    path, sizeof(path), "%.900s/conf/routes.conf", corgi_root());
	text = file_read(path, NULL);
	if (text == NULL || (at = strstr(text, word)) == NULL)
		cr_assert_fail("%s: no block to change", path);
	*at = '\0';
	if (asprintf(&changed, "%s\tauthentication_value\t%s\n%s", text, words,
		at + strlen(word)) == -1)
		cr_assert_fail("out of memory");
	free(text);
	return (changed);
}
