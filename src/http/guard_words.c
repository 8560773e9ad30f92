/*
 * guard_words.c - what an authentication block asks for, read once at start. A
 * guard that is not understood as a whole is not taken: nothing is guessed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kore/kore.h>

#include "http/guard_internal.h"
#include "store/store.h"

/* Longest max_age (seconds): ten years. */
#define MAX_AGE_MAX 315360000

static int take_words(struct guard *, char *, char *);
static const char *take_word(struct guard *, const char *);
static const char *take_kind(struct guard *, unsigned int, const char *);
static const char *take_optional(struct guard *, unsigned int, const char *);
static const char *take_fresh(struct guard *, unsigned int, const char *);
static const char *take_strict(struct guard *, unsigned int, const char *);
static const char *take_max_age(struct guard *, unsigned int, const char *);
static const char *take_role(struct guard *, unsigned int, const char *);
static const char *take_location(struct guard *, unsigned int, const char *);
static const char *split_roles(struct guard_roles *);
static bool role_valid(const char *);
static const char *contradiction(const struct guard *);
static void set_problem(char *, const char *, const char *);
static char *keep(const char *);

/* What a word does to a guard: take() returns NULL, or what is wrong. */
static const struct word {
	const char *name;
	const char *value; /* what stands behind "="; NULL: nothing may */
	const char *(*take)(struct guard *, unsigned int, const char *);
	unsigned int what;
} words[] = {
    {"access", NULL, take_kind, TOKEN_ACCESS},
    {"refresh", NULL, take_kind, TOKEN_REFRESH},
    {"optional", NULL, take_optional, 0},
    {"fresh", NULL, take_fresh, 0},
    {"max_age", "SECONDS", take_max_age, 0},
    {"role", "A,B", take_role, 0},
    {"headers", NULL, take_location, GUARD_HEADERS},
    {"cookies", NULL, take_location, GUARD_COOKIES},
    {"query", NULL, take_location, GUARD_QUERY},
    {"json", NULL, take_location, GUARD_JSON},
    {"strict", NULL, take_strict, 0},
};

#define NWORDS (sizeof(words) / sizeof(words[0]))

static const char twice[] = "stands there twice";

int
guard_words(
    const char *value, struct guard *out, char problem[GUARD_PROBLEM_MAX])
{
	const char *wrong;
	char *text;
	int ret;

	text = keep(value);
	ret = take_words(out, text, problem);
	free(text);
	if (ret == -1)
		return (-1);
	wrong = contradiction(out);
	if (wrong != NULL) {
		set_problem(problem, "refresh", wrong);
		return (-1);
	}

	if (out->kinds == 0)
		out->kinds = TOKEN_ACCESS;
	if (out->nlocations == 0)
		out->locations[out->nlocations++] = GUARD_HEADERS;
	return (0);
}

static int
take_words(struct guard *g, char *text, char *problem)
{
	const char *wrong;
	char *word, *rest;

	word = strtok_r(text, " \t", &rest);
	if (word == NULL) {
		set_problem(problem, NULL, "asks for nothing");
		return (-1);
	}
	for (; word != NULL; word = strtok_r(NULL, " \t", &rest)) {
		wrong = take_word(g, word);
		if (wrong != NULL) {
			set_problem(problem, word, wrong);
			return (-1);
		}
	}
	return (0);
}

static const char *
take_word(struct guard *g, const char *word)
{
	size_t i, len;

	len = strcspn(word, "=");
	for (i = 0; i < NWORDS; i++)
		if (strlen(words[i].name) == len &&
		    memcmp(words[i].name, word, len) == 0)
			break;
	if (i == NWORDS)
		return ("is not known");
	if (words[i].value == NULL && word[len] != '\0')
		return ("has a value where there is none");
	if (words[i].value != NULL && (word[len] == '\0' || !word[len + 1]))
		return ("has no value");
	return (words[i].take(
	    g, words[i].what, word[len] == '\0' ? NULL : word + len + 1));
}

static const char *
take_kind(struct guard *g, unsigned int kind, const char *value)
{
	(void)value;
	if (g->kinds & kind)
		return (twice);
	g->kinds |= kind;
	return (NULL);
}

static const char *
take_optional(struct guard *g, unsigned int what, const char *value)
{
	(void)what;
	(void)value;
	if (g->optional)
		return (twice);
	g->optional = true;
	return (NULL);
}

static const char *
take_fresh(struct guard *g, unsigned int what, const char *value)
{
	(void)what;
	(void)value;
	if (g->fresh)
		return (twice);
	g->fresh = true;
	return (NULL);
}

static const char *
take_strict(struct guard *g, unsigned int what, const char *value)
{
	(void)what;
	(void)value;
	if (g->strict)
		return (twice);
	g->strict = true;
	return (NULL);
}

static const char *
take_max_age(struct guard *g, unsigned int what, const char *value)
{
	const char *p;
	int64_t n = 0;

	(void)what;
	if (g->max_age != 0)
		return (twice);
	for (p = value; *p >= '0' && *p <= '9' && n <= MAX_AGE_MAX; p++)
		n = n * 10 + (*p - '0');
	if (*p != '\0' || n < 1 || n > MAX_AGE_MAX)
		return ("is no number of seconds from 1 to 315360000");
	g->max_age = n;
	return (NULL);
}

static const char *
take_role(struct guard *g, unsigned int what, const char *value)
{
	struct guard_roles *roles;
	size_t i;

	(void)what;
	for (i = 0; i < g->nroles; i++)
		if (strcmp(g->roles[i].text, value) == 0)
			return (twice);
	if (g->nroles == GUARD_ROLE_WORDS_MAX)
		return ("is one role word too many");
	roles = &g->roles[g->nroles++];
	roles->text = keep(value);
	return (split_roles(roles));
}

static const char *
take_location(struct guard *g, unsigned int what, const char *value)
{
	size_t i;

	(void)value;
	for (i = 0; i < g->nlocations; i++)
		if (g->locations[i] == what)
			return (twice);
	g->locations[g->nlocations++] = what;
	return (NULL);
}

/* The roles between the commas. */
static const char *
split_roles(struct guard_roles *roles)
{
	char *name, *comma;
	size_t i;

	roles->memory = keep(roles->text);
	for (name = roles->memory; name != NULL; name = comma) {
		comma = strchr(name, ',');
		if (comma != NULL)
			*comma++ = '\0';
		if (!role_valid(name))
			return ("names a role that no account can have");
		for (i = 0; i < roles->count; i++)
			if (strcmp(roles->names[i], name) == 0)
				return ("names a role twice");
		if (roles->count == GUARD_ROLES_MAX)
			return ("names too many roles");
		roles->names[roles->count++] = name;
	}
	return (NULL);
}

/* One role, and not a list of none. */
static bool
role_valid(const char *name)
{
	return (name[0] != '\0' && store_roles_valid(name));
}

/* A refresh token is never fresh and names no roles: a guard that asks for
 * nothing else would let nobody through. */
static const char *
contradiction(const struct guard *g)
{
	if (g->kinds != TOKEN_REFRESH)
		return (NULL);
	if (g->fresh)
		return ("contradicts \"fresh\": only access tokens are");
	if (g->max_age != 0)
		return ("contradicts \"max_age\": only access tokens are "
			"fresh");
	if (g->nroles > 0)
		return ("contradicts \"role\": only access tokens have roles");
	return (NULL);
}

/* What is wrong with a word (NULL: with all of it), and what is known. */
static void
set_problem(char *problem, const char *word, const char *wrong)
{
	size_t i, len;

	if (word == NULL)
		len = (size_t)snprintf(problem, GUARD_PROBLEM_MAX, "%s", wrong);
	else
		len = (size_t)snprintf(problem, GUARD_PROBLEM_MAX,
		    "has a word that is wrong: \"%.64s\" %s", word, wrong);
	for (i = 0; i < NWORDS && len < GUARD_PROBLEM_MAX; i++)
		len += (size_t)snprintf(problem + len, GUARD_PROBLEM_MAX - len,
		    "%s%s%s%s", i == 0 ? "; known are: " : " ", words[i].name,
		    words[i].value != NULL ? "=" : "",
		    words[i].value != NULL ? words[i].value : "");
}

static char *
keep(const char *text)
{
	char *copy = strdup(text);

	if (copy == NULL)
		fatal("out of memory at start");
	return (copy);
}
