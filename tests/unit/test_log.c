/*
 * Log lines: nothing from outside can split or forge one.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

struct seen {
	int count;
	enum log_level level;
	char line[LOG_LINE_MAX];
};

static void record(enum log_level, const char *, void *);

static void
record(enum log_level level, const char *line, void *ctx)
{
	struct seen *seen = ctx;

	seen->count++;
	seen->level = level;
	(void)snprintf(seen->line, sizeof(seen->line), "%s", line);
}

Test(log, a_line_reaches_the_sink_with_its_level)
{
	struct seen seen = {0};

	log_open(record, &seen, LOG_LEVEL_DEBUG);
	log_line(LOG_LEVEL_NOTICE, "user %s, %d", "cosmo", 7);
	cr_assert_eq(seen.count, 1);
	cr_assert_eq(seen.level, LOG_LEVEL_NOTICE);
	cr_assert_str_eq(seen.line, "user cosmo, 7");
}

Test(log, a_level_below_the_lowest_is_dropped)
{
	struct seen seen = {0};

	log_open(record, &seen, LOG_LEVEL_WARNING);
	log_line(LOG_LEVEL_NOTICE, "no");
	cr_assert_eq(seen.count, 0);
	log_line(LOG_LEVEL_WARNING, "yes");
	cr_assert_eq(seen.count, 1);
}

Test(log, a_line_end_in_an_argument_cannot_split_the_line)
{
	struct seen seen = {0};

	log_open(record, &seen, LOG_LEVEL_DEBUG);
	log_line(
	    LOG_LEVEL_INFO, "user %s", "a\r\nerror: forged\x1b[0m\xc3\xa4");
	cr_assert_str_eq(
	    seen.line, "user a\\x0d\\x0aerror: forged\\x1b[0m\\xc3\\xa4");
}

Test(log, a_long_line_is_cut_and_ends)
{
	struct seen seen = {0};
	char *text;

	text = malloc(4 * LOG_LINE_MAX);
	cr_assert_not_null(text);
	memset(text, '\n', 4 * LOG_LINE_MAX - 1);
	text[4 * LOG_LINE_MAX - 1] = '\0';
	log_open(record, &seen, LOG_LEVEL_DEBUG);
	log_line(LOG_LEVEL_INFO, "%s", text);
	/* Whole escapes only. */
	cr_assert_eq(strlen(seen.line), (LOG_LINE_MAX - 1) / 4 * 4);
	free(text);
}

Test(log, errno_survives_a_line)
{
	struct seen seen = {0};

	log_open(record, &seen, LOG_LEVEL_DEBUG);
	errno = ENOSPC;
	log_line(LOG_LEVEL_ERR, "x");
	cr_assert_eq(errno, ENOSPC);
}

Test(log, standard_error_gets_one_line_with_a_utc_stamp)
{
	char text[256] = "";
	int ends[2], y, mon, d, h, min, s, n;

	cr_assert_eq(pipe(ends), 0);
	cr_assert_neq(dup2(ends[1], STDERR_FILENO), -1);
	log_open(NULL, NULL, LOG_LEVEL_INFO);
	log_line(LOG_LEVEL_ERR, "disk\nfull");
	cr_assert_gt(read(ends[0], text, sizeof(text) - 1), 0);

	n = 0;
	cr_assert_eq(sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2dZ error: %n", &y,
			 &mon, &d, &h, &min, &s, &n),
	    6, "%s", text);
	cr_assert_str_eq(text + n, "disk\\x0afull\n");
}

Test(log, levels_have_words)
{
	cr_assert_str_eq(log_level_name(LOG_LEVEL_DEBUG), "debug");
	cr_assert_str_eq(log_level_name(LOG_LEVEL_ERR), "error");
	cr_assert_str_eq(log_level_name((enum log_level)99), "unknown");
}

Test(log, escaping_sees_beyond_a_nul)
{
	char out[32];

	cr_assert_eq(log_escape("a\0b", 3, out, sizeof(out)), 6);
	cr_assert_str_eq(out, "a\\x00b");
}

Test(log, escaping_never_writes_beyond_its_room)
{
	char out[16];
	size_t size, len;

	for (size = 1; size < sizeof(out); size++) {
		memset(out, '#', sizeof(out));
		len = log_escape("a\nb\n", 4, out, size);
		cr_assert_lt(len, size);
		cr_assert_eq(out[len], '\0');
		cr_assert_eq(out[size], '#');
	}
	cr_assert_eq(log_escape("a", 1, out, 0), 0);
}
