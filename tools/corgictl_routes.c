#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/routefile.h"
#include "corgictl.h"

/* Read when no file is named: what runs in production. */
#define DEFAULT_FILE "kore.conf"

/* Room for a text of a configuration file in the form of show_text(). */
#define SHOWN_MAX (4 * ROUTEFILE_TEXT_MAX)

static const char *value_of(const struct routefile *, const char *);
static void
print_route(const struct routefile *, const struct routefile_route *);
static jdoc *methods_document(const char *);
static jdoc *
route_document(const struct routefile *, const struct routefile_route *);
static enum exit_code print_json(const struct routefile *);

/* What a block asks for; "" when it does not say. */
static const char *
value_of(const struct routefile *file, const char *block)
{
	const struct routefile_block *found = routefile_block(file, block);

	return (found == NULL ? "" : found->value);
}

static void
print_route(const struct routefile *file, const struct routefile_route *route)
{
	const char *value = value_of(file, route->block);
	char path[SHOWN_MAX], guard[SHOWN_MAX], words[SHOWN_MAX];

	show_text(route->path, strlen(route->path), path, sizeof(path));
	show_text(route->block, strlen(route->block), guard, sizeof(guard));
	show_text(value, strlen(value), words, sizeof(words));
	printf("%-20s %-12s %-22s ", path,
	    route->methods[0] == '\0' ? "(any)" : route->methods,
	    route->handler);
	if (guard[0] == '\0')
		puts("public");
	else
		printf(
		    "%s: %s\n", guard, words[0] == '\0' ? "(no value)" : words);
}

/* The words of a "restrict" line in an array, empty for any method. */
static jdoc *
methods_document(const char *methods)
{
	jdoc *list = jdoc_new_array();
	size_t len;

	for (methods += strspn(methods, " \t"); *methods != '\0';
	     methods += strspn(methods, " \t")) {
		len = strcspn(methods, " \t");
		if (jdoc_append(list, jdoc_new_string(methods, len)) == -1) {
			jdoc_free(list);
			return (NULL);
		}
		methods += len;
	}
	return (list);
}

static jdoc *
route_document(
    const struct routefile *file, const struct routefile_route *route)
{
	bool guarded = route->block[0] != '\0';
	jdoc *doc = jdoc_new_object();

	if (jdoc_set_text(doc, "path", route->path) == -1 ||
	    jdoc_set(doc, "methods", methods_document(route->methods)) == -1 ||
	    jdoc_set_text(doc, "handler", route->handler) == -1 ||
	    jdoc_set(doc, "public", jdoc_new_bool(!guarded)) == -1 ||
	    (guarded &&
		(jdoc_set_text(doc, "authentication", route->block) == -1 ||
		    jdoc_set_text(doc, "value", value_of(file, route->block)) ==
			-1))) {
		jdoc_free(doc);
		return (NULL);
	}
	return (doc);
}

static enum exit_code
print_json(const struct routefile *file)
{
	jdoc *list = jdoc_new_array();
	size_t i;

	for (i = 0; i < file->nroutes; i++) {
		if (jdoc_append(list, route_document(file, &file->routes[i])) ==
		    -1) {
			jdoc_free(list);
			list = NULL;
			break;
		}
	}
	return (print_document(list));
}

/* A route whose block is missing is listed and then complained about: the
 * service would not start with this file. */
enum exit_code
command_routes(const struct request *request)
{
	const char *path = request->argument;
	char error[ROUTEFILE_ERROR_MAX], shown[4 * ROUTEFILE_ERROR_MAX];
	struct routefile file;
	enum exit_code code = EXIT_DONE;
	size_t i;

	if (path == NULL)
		path = DEFAULT_FILE;
	if (routefile_load(path, &file, error) == -1) {
		show_text(error, strlen(error), shown, sizeof(shown));
		complain("%s", shown);
		return (EXIT_FAILED);
	}
	if (request->json)
		code = print_json(&file);
	else
		for (i = 0; i < file.nroutes; i++)
			print_route(&file, &file.routes[i]);
	if (code == EXIT_DONE && routefile_check(&file, error) == -1) {
		show_text(error, strlen(error), shown, sizeof(shown));
		complain("%s", shown);
		code = EXIT_FAILED;
	}
	if (file.nroutes == 0) {
		complain("there is no route in that file");
		code = EXIT_FAILED;
	}
	routefile_free(&file);
	return (code);
}
