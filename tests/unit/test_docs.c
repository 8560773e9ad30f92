/*
 * What the documents name is there.
 */
#include <criterion/criterion.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/audit.h"
#include "base/errors.h"
#include "base/secret.h"

/* A file of the checkout, from CORGI_ROOT or the current folder. */
static char *
file_of(const char *name)
{
	struct secret text = {NULL, 0};
	const char *root;
	char path[4096];

	root = getenv("CORGI_ROOT");
	(void)snprintf(
	    path, sizeof(path), "%s/%s", root != NULL ? root : ".", name);
	cr_assert_eq(secret_read_file(path, 1 << 20, &text), 0,
	    "%s cannot be read", path);
	return ((char *)text.data);
}

Test(docs, audit_names_every_event)
{
	char *text = file_of("docs/audit.md"), word[64];
	int kind;

	for (kind = 0; kind < AUDIT__MAX; kind++) {
		(void)snprintf(word, sizeof(word), "`%s`",
		    audit_kind_name((enum audit_kind)kind));
		cr_expect_not_null(strstr(text, word), "no %s", word);
	}
	free(text);
}

/* Those errors that a job of a session or an account can end with. */
Test(docs, audit_names_every_reason)
{
	static const enum error_code codes[] = {ERR_CREDENTIALS, ERR_BUSY,
	    ERR_STORE, ERR_REVOCATIONS_FULL, ERR_INTERNAL, ERR_TOKEN_REVOKED,
	    ERR_USERNAME_TAKEN, ERR_PASSWORD_RULES, ERR_VALIDATION,
	    ERR_CURRENT_PASSWORD};
	char *text = file_of("docs/audit.md"), word[64];
	size_t i;

	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		(void)snprintf(
		    word, sizeof(word), "`%s`", error_lookup(codes[i])->name);
		cr_expect_not_null(strstr(text, word), "no %s", word);
	}
	free(text);
}

/* The example in the text is the file, but for the comment at its top. */
Test(docs, audit_shows_the_example_for_logrotate)
{
	char *text = file_of("docs/audit.md");
	char *example = file_of("examples/logrotate/corgi"), *line, *rest;
	char row[256];

	for (line = strtok_r(example, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (line[0] == '#')
			continue;
		(void)snprintf(row, sizeof(row), "\n    %s\n", line);
		cr_expect_not_null(strstr(text, row), "no %s", line);
	}
	free(example);
	free(text);
}

/* The words of a guard, as the table of src/http/guard_words.c has them. */
Test(docs, every_word_of_a_guard_is_described)
{
	static const char *const places[] = {"README.md", "docs/sessions.md",
	    "conf/routes.conf", "src/http/guard.h"};
	char *table = file_of("src/http/guard_words.c"), *texts[4], word[64];
	char name[32], *at;
	size_t i, found = 0;

	for (i = 0; i < 4; i++)
		texts[i] = file_of(places[i]);
	for (at = table; (at = strstr(at, "\n    {\"")) != NULL; at++) {
		cr_assert_eq(sscanf(at, "\n {\"%31[a-z_]\"", name), 1);
		for (i = 0; i < 4; i++) {
			/* The documents have it as code, also before a "=". */
			(void)snprintf(
			    word, sizeof(word), "%s%s", i < 2 ? "`" : "", name);
			cr_expect_not_null(strstr(texts[i], word),
			    "%s does not have %s", places[i], name);
		}
		found++;
	}
	cr_expect_geq(found, 11);
	for (i = 0; i < 4; i++)
		free(texts[i]);
	free(table);
}

/* "file::name": a test of that name is in that file; where there is one for
 * each dialect, the name goes without it. */
static void
expect_test(const char *entry, size_t len)
{
	char copy[512], needle[512], path[520], *name, *text, *at;
	bool found = false;

	cr_assert_lt(len, sizeof(copy));
	memcpy(copy, entry, len);
	copy[len] = '\0';
	name = strstr(copy, "::");
	cr_assert_not_null(name);
	*name = '\0';
	name += 2;
	(void)snprintf(path, sizeof(path), "tests/%s", copy);
	(void)snprintf(needle, sizeof(needle), " %s", name);
	text = file_of(path);
	for (at = text; !found && (at = strstr(at, needle)) != NULL; at++)
		found = strchr("),", at[strlen(needle)]) != NULL ||
		    strncmp(at + strlen(needle), "_flask)", 7) == 0;
	/* A table that a macro runs in both dialects. */
	(void)snprintf(needle, sizeof(needle), "(%s, ", name);
	found = found || strstr(text, needle) != NULL;
	cr_expect(found, "%s has no test %s", path, name);
	free(text);
}

Test(docs, every_test_of_the_security_rows_is_there)
{
	char *text = file_of("docs/security-tests.md"), *at, *end;
	size_t found = 0;

	for (at = text; (at = strchr(at, '`')) != NULL; at = end + 1) {
		end = strchr(at + 1, '`');
		cr_assert_not_null(end);
		if (memmem(at, (size_t)(end - at), "::", 2) == NULL)
			continue;
		expect_test(at + 1, (size_t)(end - at - 1));
		found++;
	}
	cr_expect_gt(found, 30);
	free(text);
}
