/*
 * log.h - one line per event, to a sink that the program chooses: the server
 * hands lines to Kore's log, corgictl and the tests to standard error.
 *
 * Control characters and bytes outside ASCII are written as \xHH, so that
 * nothing a client sends can split or forge a line. Never log a secret, a
 * token or a password: there is no function for it.
 *
 * Any thread, provided the sink allows it.
 */
#ifndef CORGI_LOG_H
#define CORGI_LOG_H

#include <stddef.h>

/* Longest line, the closing NUL included; longer ones are cut (bytes). */
#define LOG_LINE_MAX 1024

enum log_level {
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_INFO,
	LOG_LEVEL_NOTICE,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_ERR
};

typedef void (*log_sink)(enum log_level level, const char *line, void *ctx);

/* Choose the sink and the lowest level written. NULL: standard error. */
void log_open(log_sink sink, void *ctx, enum log_level lowest);

/* Write one line. */
void log_line(enum log_level level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* A word for the level: "debug", "info", ... */
const char *log_level_name(enum log_level level);

/*
 * Copy text of len bytes (NULs included) into out in the escaped form used in
 * the log. Returns the length written, without the closing NUL.
 */
size_t log_escape(const void *text, size_t len, char *out, size_t size);

#endif
