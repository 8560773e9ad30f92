/*
 * ctl.h - run corgictl in a folder of the test's own.
 */
#ifndef CORGI_TEST_CTL_H
#define CORGI_TEST_CTL_H

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process.h"

#define CTL_WORDS  8
#define CTL_HELPER static __attribute__((unused))

/* The folder of the running test, the data folder in it (not there yet), and
 * the environment that corgictl gets: two entries are the test's to fill. */
static char *ctl_folder;
static char ctl_data[SERVER_PATH_MAX];
static char ctl_data_entry[SERVER_PATH_MAX + 16];
static const char *ctl_env[8] = {"PATH=/usr/bin:/bin", ctl_data_entry};

CTL_HELPER void
ctl_set_up(void)
{
	ctl_folder = scratch_new();
	(void)snprintf(ctl_data, sizeof(ctl_data), "%s/data", ctl_folder);
	(void)snprintf(ctl_data_entry, sizeof(ctl_data_entry),
	    "CORGI_DATA_DIR=%s", ctl_data);
}

CTL_HELPER void
ctl_tear_down(void)
{
	scratch_free(ctl_folder);
}

/* Run corgictl with these words (NULL at the end) and this input. */
CTL_HELPER struct run_result
ctl_input(const void *input, size_t len, ...)
{
	const char *argv[CTL_WORDS + 2] = {corgi_ctl()};
	va_list words;
	size_t i;

	va_start(words, len);
	for (i = 1; i <= CTL_WORDS; i++) {
		argv[i] = va_arg(words, const char *);
		if (argv[i] == NULL)
			break;
	}
	va_end(words);
	return (run_program(argv, ctl_env, input, len));
}

/* The same without input, looking at nothing but the exit status. */
#define ctl_status(...) ctl_status_of(ctl_input(NULL, 0, __VA_ARGS__, NULL))

CTL_HELPER int
ctl_status_of(struct run_result r)
{
	int status = r.status;

	run_free(&r);
	return (status);
}

/* Run and expect a status and a text in what is printed. */
#define ctl_expect(expected, text, ...)                                        \
	ctl_expect_of(                                                         \
	    ctl_input(NULL, 0, __VA_ARGS__, NULL), expected, text, __LINE__)

CTL_HELPER void
ctl_expect_of(struct run_result r, int expected, const char *text, int line)
{
	cr_expect_eq(r.status, expected, "line %d: status %d, not %d: %s", line,
	    r.status, expected, r.out);
	cr_expect_not_null(strstr(r.out, text), "line %d: no \"%s\" in: %s",
	    line, text, r.out);
	run_free(&r);
}

/* Add an account, which has to work. */
CTL_HELPER void
ctl_add(const char *name, const char *password)
{
	struct run_result r;

	r = ctl_input(
	    password, strlen(password), "user", "add", "--", name, NULL);
	cr_assert_eq(r.status, 0, "%s", r.out);
	run_free(&r);
}

#endif
