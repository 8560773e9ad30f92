/*
 * config_names.c - the names in the environment. A misspelt name would leave
 * its default in force without a word, so what has our prefixes is known or
 * ends the start.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/config_internal.h"

/* Longest name that is looked at whole (bytes, with the NUL). */
#define NAME_MAX_LEN 128

/* Most edits between a name and the one that was probably meant. */
#define EDITS_MAX 3

static bool is_ours(const char *);
static bool is_known(const char *);
static bool is_repeated(char *const *, size_t, const char *);
static bool nearest(const char *, char *, size_t);
static size_t distance(const char *, const char *);

int
config_check_names(char *const *environment, char *error)
{
	char name[NAME_MAX_LEN], known[NAME_MAX_LEN];
	size_t i;

	for (i = 0; environment[i] != NULL; i++) {
		if (!is_ours(environment[i]))
			continue;
		(void)snprintf(name, sizeof(name), "%.*s",
		    (int)strcspn(environment[i], "="), environment[i]);
		if (!is_known(environment[i])) {
			if (nearest(name, known, sizeof(known)))
				return (config_refuse(error,
				    "%s is not an option of this version; the "
				    "nearest known name: %s",
				    name, known));
			return (config_refuse(error,
			    "%s is not an option of this version; `corgictl "
			    "config` lists them",
			    name));
		}
		if (is_repeated(environment, i, name))
			return (config_refuse(
			    error, "%s is set twice; allowed: once", name));
	}

	return (0);
}

const char *
config_match(const char *entry, const char *name, const char *suffix)
{
	size_t name_len = strlen(name), suffix_len = strlen(suffix);

	if (strncmp(entry, name, name_len) != 0 ||
	    strncmp(entry + name_len, suffix, suffix_len) != 0 ||
	    entry[name_len + suffix_len] != '=')
		return (NULL);

	return (entry + name_len + suffix_len + 1);
}

static bool
is_ours(const char *entry)
{
	return (
	    strncmp(entry, "JWT_", 4) == 0 || strncmp(entry, "CORGI_", 6) == 0);
}

static bool
is_known(const char *entry)
{
	const struct config_option *options;
	size_t count, i;

	options = config_options(&count);
	for (i = 0; i < count; i++) {
		if (config_match(entry, options[i].name, "") != NULL ||
		    config_match(entry, options[i].name, CONFIG_FILE_SUFFIX) !=
			NULL)
			return (true);
	}

	return (false);
}

static bool
is_repeated(char *const *environment, size_t index, const char *name)
{
	size_t i;

	for (i = 0; i < index; i++) {
		if (config_match(environment[i], name, "") != NULL)
			return (true);
	}

	return (false);
}

/*
 * The known name with the fewest edits between it and this one, if there are so
 * few that a slip is likely: of what is behind the prefix a third at most.
 */
static bool
nearest(const char *name, char *out, size_t size)
{
	static const char *const suffixes[] = {"", CONFIG_FILE_SUFFIX};
	const struct config_option *options;
	char candidate[NAME_MAX_LEN];
	size_t best, count, edits, i, j, tail;

	tail = strlen(strchr(name, '_') + 1);
	best = (tail / 3 < EDITS_MAX ? tail / 3 : EDITS_MAX) + 1;
	out[0] = '\0';
	options = config_options(&count);
	for (i = 0; i < count; i++) {
		for (j = 0; j < 2; j++) {
			(void)snprintf(candidate, sizeof(candidate), "%s%s",
			    options[i].name, suffixes[j]);
			edits = distance(name, candidate);
			if (edits < best) {
				best = edits;
				(void)snprintf(out, size, "%s", candidate);
			}
		}
	}

	return (out[0] != '\0');
}

/* Levenshtein's distance; names are shorter than NAME_MAX_LEN. */
static size_t
distance(const char *a, const char *b)
{
	size_t row[NAME_MAX_LEN];
	size_t diagonal, i, j, above, len = strlen(b);

	for (j = 0; j <= len; j++)
		row[j] = j;
	for (i = 1; a[i - 1] != '\0'; i++) {
		diagonal = row[0];
		row[0] = i;
		for (j = 1; j <= len; j++) {
			above = row[j];
			row[j] = diagonal + (a[i - 1] != b[j - 1]);
			if (above + 1 < row[j])
				row[j] = above + 1;
			if (row[j - 1] + 1 < row[j])
				row[j] = row[j - 1] + 1;
			diagonal = above;
		}
	}

	return (row[len]);
}
