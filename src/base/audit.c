#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/audit.h"
#include "base/clock.h"
#include "base/jdoc.h"
#include "base/log.h"

/* How often it is said in the log that lines are lost (milliseconds). */
#define COMPLAIN_MS 1000

/* A line under construction; what does not fit is left out whole. */
struct line {
	char text[AUDIT_LINE_MAX];
	size_t len;
	bool full;
};

/*
 * Where events go. Chosen in the parent; its children inherit the open file
 * and each opens it anew for itself when it has been rotated away.
 */
static struct {
	pthread_mutex_t lock; /* of fd, torn and complained_ms */
	char *path;           /* NULL: not a file */
	int fd;               /* -1: off, or not to be opened just now */
	bool torn;            /* the last line was not written whole */
	int64_t complained_ms;
	unsigned long lost; /* lines since it was said last */
} target = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1};

static const char *const kind_names[] = {
    [AUDIT_START] = "start",
    [AUDIT_STOP] = "stop",
    [AUDIT_LOGIN] = "login",
    [AUDIT_REFRESH] = "refresh",
    [AUDIT_REUSE] = "reuse",
    [AUDIT_LOGOUT] = "logout",
    [AUDIT_LOGOUT_ALL] = "logout_all",
    [AUDIT_REVOKE] = "revoke",
    [AUDIT_REGISTER] = "register",
    [AUDIT_PASSWORD] = "password",
    [AUDIT_ACCOUNT] = "account",
    [AUDIT_THROTTLE] = "throttle",
};

static int open_file(const char *);
static int follow_rotation(void);
static int write_line(const struct line *);
static void complain(int);
static void make_line(struct line *, const struct audit_event *);
static void put(struct line *, const char *, size_t);
static void put_time(struct line *);
static void put_member(struct line *, const char *, const char *, size_t);
static void put_text(struct line *, const char *, size_t);
static void put_unit(struct line *, unsigned int);

int
audit_open(const char *where)
{
	audit_close();
	if (strcmp(where, "off") == 0)
		return (0);
	if (strcmp(where, "-") == 0) {
		audit_open_descriptor(STDOUT_FILENO);
		return (0);
	}
	target.path = strdup(where);
	if (target.path == NULL)
		return (-1);
	target.fd = open_file(where);
	if (target.fd != -1)
		return (0);
	free(target.path);
	target.path = NULL;
	return (-1);
}

void
audit_open_descriptor(int fd)
{
	audit_close();
	target.fd = fd;
}

void
audit_close(void)
{
	if (target.path != NULL && target.fd != -1)
		(void)close(target.fd);
	free(target.path);
	target.path = NULL;
	target.fd = -1;
	target.torn = false;
}

/* A link in its place is followed for nobody: whoever may write the folder
 * could have events appended to any file. */
static int
open_file(const char *path)
{
	struct stat st;
	int fd;

	fd = open(path,
	    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
	    0600);
	if (fd == -1)
		return (-1);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return (fd);
	(void)close(fd);
	errno = EINVAL;
	return (-1);
}

/* Under the lock. Whether the open file is still the one of that name costs one
 * look per event, and those are few beside what they are about. */
static int
follow_rotation(void)
{
	struct stat here, open_now;
	int fd;

	if (target.path == NULL)
		return (0);
	if (target.fd != -1 && lstat(target.path, &here) == 0 &&
	    fstat(target.fd, &open_now) == 0 &&
	    here.st_dev == open_now.st_dev && here.st_ino == open_now.st_ino)
		return (0);
	fd = open_file(target.path);
	if (fd == -1)
		return (-1);
	if (target.fd != -1)
		(void)close(target.fd);
	target.fd = fd;
	target.torn = false;
	return (0);
}

int
audit_write(const struct audit_event *event)
{
	struct line line;
	int error = 0;

	if (target.path == NULL && target.fd == -1)
		return (0);
	make_line(&line, event);
	(void)pthread_mutex_lock(&target.lock);
	if (follow_rotation() == -1 || write_line(&line) == -1) {
		error = errno;
		complain(error);
	}
	(void)pthread_mutex_unlock(&target.lock);
	return (error == 0 ? 0 : -1);
}

/* In one write, so that lines of several processes do not mix. What a full
 * disk cuts off does not spoil the line that follows. */
static int
write_line(const struct line *line)
{
	char text[AUDIT_LINE_MAX + 1];
	size_t len = 0;
	ssize_t n;

	if (target.torn)
		text[len++] = '\n';
	memcpy(text + len, line->text, line->len);
	len += line->len;
	do
		n = write(target.fd, text, len);
	while (n == -1 && errno == EINTR);
	if (n == (ssize_t)len) {
		target.torn = false;
		return (0);
	}
	if (n > 0) {
		target.torn = true;
		errno = ENOSPC;
	}
	return (-1);
}

/* Under the lock. */
static void
complain(int error)
{
	int64_t now = clock_monotonic_ms();

	target.lost++;
	if (target.complained_ms != 0 &&
	    now - target.complained_ms < COMPLAIN_MS)
		return;
	log_line(LOG_LEVEL_ERR,
	    "the audit log cannot be written: %s (lines lost: %lu)",
	    strerror(error), target.lost);
	target.complained_ms = now;
	target.lost = 0;
}

const char *
audit_kind_name(enum audit_kind kind)
{
	if ((size_t)kind >= sizeof(kind_names) / sizeof(kind_names[0]))
		return ("unknown");
	return (kind_names[kind]);
}

static void
make_line(struct line *line, const struct audit_event *event)
{
	char pid[32];
	int len;

	line->len = 0;
	line->full = false;
	put(line, "{\"time\":\"", 9);
	put_time(line);
	put(line, "\"", 1);
	put_member(line, "event", audit_kind_name(event->kind), SIZE_MAX);
	put_member(line, "outcome",
	    event->outcome == AUDIT_OK ? "ok" : "failed", SIZE_MAX);
	put_member(line, "reason", event->reason, SIZE_MAX);
	put_member(line, "subject", event->subject, event->subject_len);
	put_member(line, "session", event->session, SIZE_MAX);
	put_member(line, "client", event->client, SIZE_MAX);
	put_member(line, "request", event->request, SIZE_MAX);
	len = snprintf(pid, sizeof(pid), ",\"pid\":%ld}\n", (long)getpid());
	line->full = false;
	put(line, pid, (size_t)len);
}

/* Room is kept for the end of the line. */
static void
put(struct line *line, const char *text, size_t len)
{
	if (line->full || len > sizeof(line->text) - line->len) {
		line->full = true;
		return;
	}
	memcpy(line->text + line->len, text, len);
	line->len += len;
}

/* RFC 3339 in UTC, with milliseconds. */
static void
put_time(struct line *line)
{
	int64_t now = clock_now_ms(&clock_system);
	time_t seconds = (time_t)(now / 1000);
	char text[64];
	struct tm tm;
	size_t len;

	if (gmtime_r(&seconds, &tm) == NULL)
		return;
	len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	len += (size_t)snprintf(
	    text + len, sizeof(text) - len, ".%03dZ", (int)(now % 1000));
	put(line, text, len);
}

/* ,"name":"text"; nothing for NULL. len is SIZE_MAX for all of it. A member
 * that does not fit is left out. */
static void
put_member(struct line *line, const char *name, const char *text, size_t len)
{
	size_t before = line->len;

	if (text == NULL)
		return;
	put(line, ",\"", 2);
	put(line, name, strlen(name));
	put(line, "\":\"", 3);
	put_text(line, text, len == SIZE_MAX ? strlen(text) : len);
	put(line, "\"", 1);
	if (line->full || sizeof(line->text) - line->len < 32) {
		line->len = before;
		line->full = false;
	}
}

/* Code point for code point; what is not UTF-8 becomes U+FFFD byte by byte. */
static void
put_text(struct line *line, const char *text, size_t len)
{
	uint32_t c;
	size_t i = 0, n;

	while (i < len) {
		n = utf8_decode(text + i, len - i, &c);
		if (n == 0) {
			c = 0xfffd;
			n = 1;
		}
		if (c >= ' ' && c <= '~' && c != '"' && c != '\\') {
			put(line, text + i, 1);
		} else if (c <= 0xffff) {
			put_unit(line, c);
		} else {
			put_unit(line, 0xd800 + ((c - 0x10000) >> 10));
			put_unit(line, 0xdc00 + ((c - 0x10000) & 0x3ff));
		}
		i += n;
	}
}

static void
put_unit(struct line *line, unsigned int unit)
{
	char text[8];

	(void)snprintf(text, sizeof(text), "\\u%04x", unit & 0xffff);
	put(line, text, 6);
}
