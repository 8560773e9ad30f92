/*
 * The README's table of options is the one the program has, and the program
 * does what it says there.
 */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config_internal.h"
#include "base/secret.h"

/* The README, from CORGI_ROOT or the current folder. */
static char *
readme(void)
{
	struct secret text = {NULL, 0};
	const char *root;
	char path[4096];

	root = getenv("CORGI_ROOT");
	(void)snprintf(
	    path, sizeof(path), "%s/README.md", root != NULL ? root : ".");
	cr_assert_eq(secret_read_file(path, 1 << 20, &text), 0,
	    "%s cannot be read", path);
	return ((char *)text.data);
}

Test(readme, its_table_holds_every_option_as_the_program_has_it)
{
	const struct config_option *options;
	size_t i, count;
	char *text, row[1024];

	text = readme();
	options = config_options(&count);
	for (i = 0; i < count; i++) {
		(void)snprintf(row, sizeof(row), "\n| `%s` | %s | %s | %s |\n",
		    options[i].name, options[i].fallback, options[i].allowed,
		    options[i].purpose);
		cr_expect_not_null(
		    strstr(text, row), "missing or other: %s", row);
	}
	free(text);
}

Test(readme, its_table_holds_no_option_that_the_program_has_not)
{
	const struct config_option *options;
	size_t i, len, count, rows;
	char *text, *at;

	text = readme();
	options = config_options(&count);
	rows = 0;
	for (at = text; (at = strstr(at, "\n| `")) != NULL; at++) {
		if (strncmp(at + 4, "JWT_", 4) != 0 &&
		    strncmp(at + 4, "CORGI_", 6) != 0)
			continue;
		rows++;
		len = strcspn(at + 4, "`");
		for (i = 0; i < count; i++) {
			if (strlen(options[i].name) == len &&
			    memcmp(options[i].name, at + 4, len) == 0)
				break;
		}
		cr_expect_lt(i, count, "not an option: %.*s", (int)len, at + 4);
	}
	cr_expect_eq(rows, count);
	free(text);
}

/* The words that people read and the value that is read must not go apart. */
Test(readme, every_default_is_the_one_that_people_read_about)
{
	const struct config_option *options;
	const char *initial;
	size_t i, count;

	options = config_options(&count);
	for (i = 0; i < count; i++) {
		initial = config_rule_of(i)->initial;
		if (initial != NULL)
			cr_expect_str_eq(initial, options[i].fallback, "%s",
			    options[i].name);
	}
	cr_expect_gt(count, 60);
}
