/*
 * routes.c - a routes file of a test's own.
 */
#include <stdio.h>
#include <stdlib.h>

#include <criterion/criterion.h>

#include "routes.h"
#include "tok.h"

#define METHODS "get head post put patch delete"

char *
routes_text(const struct own_route *rows, size_t n)
{
	const char *handler;
	char *text;
	size_t i, size;
	FILE *fp;

	fp = open_memstream(&text, &size);
	if (fp == NULL)
		cr_assert_fail("out of memory");
	(void)fprintf(fp, "validator jwt function guard_verify\n");
	for (i = 0; i < n; i++)
		(void)fprintf(fp,
		    "authentication block_%s {\n"
		    "\tauthentication_type\trequest\n"
		    "\tauthentication_validator\tjwt\n"
		    "\tauthentication_value\t%s\n"
		    "}\n",
		    rows[i].path + 1, rows[i].words);
	(void)fprintf(fp,
	    "domain * {\n\tattach main\n"
	    "\troute /health handle_health\n\trestrict /health get head\n"
	    "\troute /login handle_login\n\trestrict /login post\n");
	for (i = 0; i < n; i++) {
		handler = rows[i].handler;
		(void)fprintf(fp,
		    "\troute %s %s block_%s\n\trestrict %s " METHODS "\n",
		    rows[i].path,
		    handler != NULL ? handler : "handle_protected",
		    rows[i].path + 1, rows[i].path);
	}
	(void)fprintf(fp, "}\n");
	if (fclose(fp) != 0)
		cr_assert_fail("out of memory");
	return (text);
}

struct server *
routes_start(const char *style, const struct own_route *rows, size_t n,
    const char *setting, const char *more)
{
	const char *env[] = {
	    "JWT_SECRET_KEY=" TOK_SECRET, NULL, setting, more, NULL};
	struct server_options options = {.environment = env};
	char *text = routes_text(rows, n), *line;
	struct server *s;

	line = text_of("JWT_ERROR_STYLE=%s", style);
	env[1] = line;
	options.routes = text;
	s = server_start(&options);
	free(text);
	free(line);
	return (s);
}
