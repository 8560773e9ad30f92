#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/routefile.h"

#define BLANKS " \t\r\n"

/* A read under way. */
struct reader {
	struct routefile *out;
	char *error;
	int depth;     /* of includes */
	bool in_block; /* between an authentication block's braces */
};

static int read_file(struct reader *, const char *);
static int read_line(struct reader *, char *);
static int take_route(struct reader *, char *);
static int take_restrict(struct reader *, char *);
static int take_block(struct reader *, char *);
static int take_value(struct reader *, char *);
static int copy(struct reader *, char *, const char *);
static char *trim(char *);
static char *word(char **);

int
routefile_load(
    const char *path, struct routefile *out, char error[ROUTEFILE_ERROR_MAX])
{
	struct reader r = {.out = out, .error = error};

	memset(out, 0, sizeof(*out));
	out->routes = calloc(ROUTEFILE_ROUTES_MAX, sizeof(*out->routes));
	out->blocks = calloc(ROUTEFILE_BLOCKS_MAX, sizeof(*out->blocks));
	if (out->routes == NULL || out->blocks == NULL) {
		(void)snprintf(error, ROUTEFILE_ERROR_MAX, "out of memory");
		routefile_free(out);
		return (-1);
	}
	if (read_file(&r, path) == -1) {
		routefile_free(out);
		return (-1);
	}
	return (0);
}

void
routefile_free(struct routefile *f)
{
	free(f->routes);
	free(f->blocks);
	memset(f, 0, sizeof(*f));
}

const struct routefile_block *
routefile_block(const struct routefile *f, const char *name)
{
	size_t i;

	for (i = 0; i < f->nblocks; i++)
		if (strcmp(f->blocks[i].name, name) == 0)
			return (&f->blocks[i]);
	return (NULL);
}

int
routefile_check(const struct routefile *f, char error[ROUTEFILE_ERROR_MAX])
{
	const struct routefile_route *route;
	size_t i;

	for (i = 0; i < f->nroutes; i++) {
		route = &f->routes[i];
		if (route->block[0] == '\0' || route->declared)
			continue;
		(void)snprintf(error, ROUTEFILE_ERROR_MAX,
		    "route %.128s: no authentication block \"%.128s\" is "
		    "declared above it",
		    route->path, route->block);
		return (-1);
	}
	return (0);
}

static int
read_file(struct reader *r, const char *path)
{
	char *line;
	size_t size;
	FILE *fp;
	int ret;

	if (r->depth == ROUTEFILE_INCLUDES_MAX) {
		(void)snprintf(r->error, ROUTEFILE_ERROR_MAX,
		    "%.256s: includes are nested too deeply", path);
		return (-1);
	}
	fp = fopen(path, "r");
	if (fp == NULL) {
		(void)snprintf(r->error, ROUTEFILE_ERROR_MAX, "%.256s: %s",
		    path, strerror(errno));
		return (-1);
	}

	r->depth++;
	line = NULL;
	size = 0;
	ret = 0;
	errno = 0;
	while (ret == 0 && getline(&line, &size, fp) != -1)
		ret = read_line(r, line);
	if (ret == 0 && ferror(fp)) {
		(void)snprintf(r->error, ROUTEFILE_ERROR_MAX, "%.256s: %s",
		    path, strerror(errno));
		ret = -1;
	}
	free(line);
	(void)fclose(fp);
	r->depth--;
	return (ret);
}

static int
read_line(struct reader *r, char *line)
{
	static const struct {
		const char *name;
		int (*take)(struct reader *, char *);
	} directives[] = {
	    {"route", take_route},
	    {"restrict", take_restrict},
	    {"authentication", take_block},
	    {"authentication_value", take_value},
	};
	const char *name;
	char *path;
	size_t i;

	line += strspn(line, BLANKS);
	if (*line == '#')
		return (0);
	name = word(&line);
	if (name == NULL)
		return (0);
	if (strcmp(name, "}") == 0) {
		r->in_block = false;
		return (0);
	}
	if (strcmp(name, "include") == 0) {
		path = word(&line);
		return (path == NULL ? 0 : read_file(r, path));
	}
	for (i = 0; i < sizeof(directives) / sizeof(directives[0]); i++)
		if (strcmp(directives[i].name, name) == 0)
			return (directives[i].take(r, line));
	return (0);
}

/* route PATH HANDLER [BLOCK] */
static int
take_route(struct reader *r, char *rest)
{
	struct routefile_route *route;
	const char *path, *handler, *block;

	if (r->out->nroutes == ROUTEFILE_ROUTES_MAX) {
		(void)snprintf(r->error, ROUTEFILE_ERROR_MAX,
		    "more than %d routes", ROUTEFILE_ROUTES_MAX);
		return (-1);
	}
	path = word(&rest);
	handler = word(&rest);
	block = word(&rest);
	if (path == NULL || handler == NULL)
		return (0);

	route = &r->out->routes[r->out->nroutes];
	if (copy(r, route->path, path) == -1 ||
	    copy(r, route->handler, handler) == -1 ||
	    copy(r, route->block, block != NULL ? block : "") == -1)
		return (-1);
	route->declared = routefile_block(r->out, route->block) != NULL;
	r->out->nroutes++;
	return (0);
}

/* restrict PATH METHOD ... */
static int
take_restrict(struct reader *r, char *rest)
{
	struct routefile_route *route;
	const char *path;
	size_t i;

	path = word(&rest);
	if (path == NULL)
		return (0);
	rest = trim(rest);

	for (i = 0; i < r->out->nroutes; i++) {
		route = &r->out->routes[i];
		if (strcmp(route->path, path) == 0)
			return (copy(r, route->methods, rest));
	}
	return (0);
}

/* authentication NAME { */
static int
take_block(struct reader *r, char *rest)
{
	const char *name;

	if (r->out->nblocks == ROUTEFILE_BLOCKS_MAX) {
		(void)snprintf(r->error, ROUTEFILE_ERROR_MAX,
		    "more than %d authentication blocks", ROUTEFILE_BLOCKS_MAX);
		return (-1);
	}
	name = word(&rest);
	if (name == NULL)
		return (0);
	if (copy(r, r->out->blocks[r->out->nblocks].name, name) == -1)
		return (-1);
	r->out->nblocks++;
	r->in_block = true;
	return (0);
}

/* authentication_value WORDS ... */
static int
take_value(struct reader *r, char *rest)
{
	if (!r->in_block || r->out->nblocks == 0)
		return (0);
	rest = trim(rest);
	return (copy(r, r->out->blocks[r->out->nblocks - 1].value, rest));
}

static int
copy(struct reader *r, char *to, const char *text)
{
	if (strlen(text) >= ROUTEFILE_TEXT_MAX) {
		(void)snprintf(
		    r->error, ROUTEFILE_ERROR_MAX, "too long: %.128s...", text);
		return (-1);
	}
	memcpy(to, text, strlen(text) + 1);
	return (0);
}

/* The text without the blanks at its ends. */
static char *
trim(char *text)
{
	size_t len;

	text += strspn(text, BLANKS);
	len = strlen(text);
	while (len > 0 && strchr(BLANKS, text[len - 1]) != NULL)
		len--;
	text[len] = '\0';
	return (text);
}

/* Cut the next word off a line; NULL at its end. */
static char *
word(char **line)
{
	char *start;
	size_t len;

	start = *line + strspn(*line, BLANKS);
	len = strcspn(start, BLANKS);
	if (len == 0)
		return (NULL);
	*line = start + len;
	if (**line != '\0')
		*(*line)++ = '\0';
	return (start);
}
