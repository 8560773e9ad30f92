/*
 * log.c - escaped lines to a sink.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

/* Room for the time and the level before a line on standard error. */
#define STAMP_MAX 48

static void sink_stderr(enum log_level, const char *, void *);

/* Where lines go. Set once at start, before there are other threads. */
static log_sink current_sink = sink_stderr;
static void *current_ctx;
static enum log_level current_lowest = LOG_LEVEL_INFO;

void
log_open(log_sink sink, void *ctx, enum log_level lowest)
{
	current_sink = sink != NULL ? sink : sink_stderr;
	current_ctx = ctx;
	current_lowest = lowest;
}

/*
 * The whole line is escaped after it has been put together, so that not even
 * a caller who forgets log_escape() lets a line be split. errno is kept: an
 * error path may log first and look at errno afterwards.
 */
void
log_line(enum log_level level, const char *fmt, ...)
{
	char raw[LOG_LINE_MAX], line[LOG_LINE_MAX];
	int saved = errno;
	int len;
	va_list args;

	if (level < current_lowest)
		return;

	va_start(args, fmt);
	len = vsnprintf(raw, sizeof(raw), fmt, args);
	va_end(args);
	if (len >= 0) {
		if ((size_t)len >= sizeof(raw))
			len = sizeof(raw) - 1;
		log_escape(raw, (size_t)len, line, sizeof(line));
		current_sink(level, line, current_ctx);
	}

	errno = saved;
}

const char *
log_level_name(enum log_level level)
{
	static const char *const names[] = {
	    [LOG_LEVEL_DEBUG] = "debug",
	    [LOG_LEVEL_INFO] = "info",
	    [LOG_LEVEL_NOTICE] = "notice",
	    [LOG_LEVEL_WARNING] = "warning",
	    [LOG_LEVEL_ERR] = "error",
	};

	if ((size_t)level >= sizeof(names) / sizeof(names[0]))
		return ("unknown");

	return (names[level]);
}

size_t
log_escape(const void *text, size_t len, char *out, size_t size)
{
	static const char hex[] = "0123456789abcdef";
	const uint8_t *in = text;
	size_t i, n;

	if (size == 0)
		return (0);

	n = 0;
	for (i = 0; i < len; i++) {
		bool plain = in[i] >= 0x20 && in[i] <= 0x7e;

		/* An escape is written whole or not at all. */
		if (size - n <= (plain ? 1U : 4U))
			break;
		if (plain) {
			out[n++] = (char)in[i];
			continue;
		}
		out[n++] = '\\';
		out[n++] = 'x';
		out[n++] = hex[in[i] >> 4];
		out[n++] = hex[in[i] & 0x0f];
	}
	out[n] = '\0';

	return (n);
}

/*
 * One write per line, so that lines of several threads and processes do not
 * run into each other. A line that cannot be written is lost: there is nobody
 * left to tell.
 */
static void
sink_stderr(enum log_level level, const char *line, void *ctx)
{
	char text[LOG_LINE_MAX + STAMP_MAX];
	char stamp[sizeof("2026-01-01T00:00:00Z") + 8];
	time_t now = time(NULL);
	struct tm tm;
	int len;

	(void)ctx;
	if (gmtime_r(&now, &tm) == NULL ||
	    strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		stamp[0] = '\0';

	len = snprintf(text, sizeof(text), "%s %s: %s\n", stamp,
	    log_level_name(level), line);
	if (len > 0 && write(STDERR_FILENO, text, (size_t)len) < 0)
		return;
}
