/*
 * jar.c - the cookies of an answer, and requests with them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <criterion/criterion.h>

#include "http.h"
#include "jar.h"
#include "sess.h"
#include "tok.h"

static const char *
find(const struct raw_response *answer, const char *name, size_t *count)
{
	const char *value, *found = NULL;
	size_t i, len = strlen(name);

	*count = 0;
	for (i = 0; i < answer->nfields; i++) {
		value = answer->fields[i].value;
		if (strcasecmp(answer->fields[i].name, "Set-Cookie") != 0 ||
		    strncmp(value, name, len) != 0 || value[len] != '=')
			continue;
		found = value + len + 1;
		(*count)++;
	}
	return (found);
}

char *
jar_value(const struct raw_response *answer, const char *name)
{
	const char *value;
	size_t count;

	value = find(answer, name, &count);
	if (value == NULL)
		return (NULL);
	return (text_of("%.*s", (int)strcspn(value, ";"), value));
}

void
jar_expect(const struct raw_response *answer, const char *name,
    const char *value, const char *attributes)
{
	const char *line;
	size_t count, len;

	line = find(answer, name, &count);
	cr_expect(count == 1, "%s is set %zu times", name, count);
	if (line == NULL)
		return;
	len = strcspn(line, ";");
	cr_expect(value == NULL
		? len > 0
		: len == strlen(value) && strncmp(line, value, len) == 0,
	    "%s=%s, not %s", name, line, value);
	cr_expect(strcmp(line + len, attributes) == 0, "%s: %s, not %s", name,
	    line + len, attributes);
}

void
jar_expect_gone(const struct raw_response *answer, const char *name,
    const char *first, bool hidden)
{
	char *want;

	want = text_of("%s; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; "
		       "Secure%s; SameSite=Lax",
	    first, hidden ? "; HttpOnly" : "");
	jar_expect(answer, name, "", want);
	free(want);
}

void
jar_take(const struct raw_response *answer, struct jar *jar)
{
	jar->access = jar_value(answer, "access_token_cookie");
	jar->refresh = jar_value(answer, "refresh_token_cookie");
	jar->access_csrf = jar_value(answer, "csrf_access_token");
	jar->refresh_csrf = jar_value(answer, "csrf_refresh_token");
	if (answer->status != 200 || jar->access == NULL ||
	    jar->refresh == NULL)
		cr_assert_fail("no cookies: %d %s", answer->status,
		    answer->body != NULL ? answer->body : "");
}

void
jar_login(
    int port, const char *path, struct raw_response *answer, struct jar *jar)
{
	(void)sess_ask(port, "POST", path, NULL, DEMO_LOGIN, answer);
	jar_take(answer, jar);
}

void
jar_free(struct jar *jar)
{
	free(jar->access);
	free(jar->refresh);
	free(jar->access_csrf);
	free(jar->refresh_csrf);
	memset(jar, 0, sizeof(*jar));
}

char *
jar_lines(const struct jar *jar, const char *csrf)
{
	return (text_of("Cookie: access_token_cookie=%s; "
			"refresh_token_cookie=%s\r\n%s%s%s",
	    jar->access, jar->refresh, csrf != NULL ? "X-CSRF-TOKEN: " : "",
	    csrf != NULL ? csrf : "", csrf != NULL ? "\r\n" : ""));
}

char *
jar_proof(const struct jar *jar, const char *line)
{
	char *out;
	size_t size;
	FILE *fp;

	fp = open_memstream(&out, &size);
	if (fp == NULL)
		cr_assert_fail("out of memory");
	for (; *line != '\0'; line++) {
		if (*line == '$')
			(void)fputs(jar->access_csrf, fp);
		else if (*line == '%')
			(void)fputs(jar->refresh_csrf, fp);
		else
			(void)fputc(*line, fp);
	}
	(void)fclose(fp);
	return (out);
}
