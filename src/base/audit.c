#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
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
#include "base/shared.h"

/* How often it is said in the log that lines are lost (milliseconds). */
#define COMPLAIN_MS 1000

/* Room that a member leaves behind it in its line: for the last one, and, by
 * a subject (bytes). */
#define ROOM_FOR_END  32
#define ROOM_FOR_REST 1024

/* How long a line that has no end yet may be one that is being written. */
#define UNFINISHED_NS 10000000

/* A line under construction; what does not fit is left out whole. */
struct line {
	char text[AUDIT_LINE_MAX];
	size_t len;
	bool full;
};

/*
 * Where events go. Chosen in the parent; its children inherit the open file
 * and each opens it anew for itself, under the same number, when it has been
 * rotated away. No lock: a thread that runs on leftover time could be put
 * aside while it holds one, and the event loop would wait.
 */
static struct {
	char *path; /* NULL: not a file */
	int fd;     /* -1: off */
	/* Shared by all processes: the last line was not written whole. */
	bool *torn;
	int64_t complained_ms;
	unsigned long lost; /* lines since it was said last */
} target = {.fd = -1};

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
static bool ends_torn(int);
static int follow_rotation(void);
static int write_line(const struct line *);
static void complain(int);
static void make_line(struct line *, const struct audit_event *);
static void put(struct line *, const char *, size_t);
static void put_time(struct line *);
static void
put_member(struct line *, const char *, const char *, size_t, size_t);
static void put_text(struct line *, const char *, size_t);
static void put_unit(struct line *, unsigned int);

int
audit_open(const char *where)
{
	audit_close();
	if (strcmp(where, "off") == 0)
		return (0);
	if (strcmp(where, "-") == 0)
		return (audit_open_descriptor(STDOUT_FILENO));
	target.torn = shared_alloc(sizeof(*target.torn));
	if (target.torn == NULL)
		return (-1);
	target.path = strdup(where);
	target.fd = target.path != NULL ? open_file(where) : -1;
	if (target.fd == -1) {
		audit_close();
		return (-1);
	}
	*target.torn = ends_torn(target.fd);
	return (0);
}

int
audit_open_descriptor(int fd)
{
	audit_close();
	target.torn = shared_alloc(sizeof(*target.torn));
	if (target.torn == NULL)
		return (-1);
	target.fd = fd;
	return (0);
}

void
audit_close(void)
{
	int error = errno;

	if (target.path != NULL && target.fd != -1)
		(void)close(target.fd);
	free(target.path);
	shared_free(target.torn, sizeof(*target.torn));
	target.path = NULL;
	target.fd = -1;
	target.torn = NULL;
	errno = error;
}

/* A link in its place is followed for nobody: whoever may write the folder
 * could have events appended to any file. */
static int
open_file(const char *path)
{
	struct stat st;
	int fd;

	fd = open(path,
	    O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
	    0600);
	if (fd == -1)
		return (-1);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return (fd);
	(void)close(fd);
	errno = EINVAL;
	return (-1);
}

/* Whether the last line of a file was cut, by whoever wrote to it before. Some
 * process may be writing it right now, so there is a second look. */
static bool
ends_torn(int fd)
{
	const struct timespec moment = {.tv_nsec = UNFINISHED_NS};
	struct stat st;
	char last;
	int looks;

	for (looks = 0; looks < 2; looks++) {
		if (looks > 0)
			(void)nanosleep(&moment, NULL);
		if (fstat(fd, &st) == -1 || st.st_size == 0 ||
		    pread(fd, &last, 1, st.st_size - 1) != 1 || last == '\n')
			return (false);
	}
	return (true);
}

/* Whether the open file is still the one of that name costs one look per event,
 * and those are few beside what they are about. */
static int
follow_rotation(void)
{
	struct stat here, open_now;
	int fd, moved;

	if (target.path == NULL)
		return (0);
	if (lstat(target.path, &here) == 0 &&
	    fstat(target.fd, &open_now) == 0 &&
	    here.st_dev == open_now.st_dev && here.st_ino == open_now.st_ino)
		return (0);
	fd = open_file(target.path);
	if (fd == -1)
		return (-1);
	moved = dup3(fd, target.fd, O_CLOEXEC);
	(void)close(fd);
	if (moved == -1)
		return (-1);
	__atomic_store_n(target.torn, false, __ATOMIC_RELAXED);
	return (0);
}

int
audit_write(const struct audit_event *event)
{
	struct line line;

	if (target.fd == -1)
		return (0);
	make_line(&line, event);
	if (follow_rotation() == 0 && write_line(&line) == 0)
		return (0);
	complain(errno);
	return (-1);
}

/* In one write, so that lines of several processes do not mix. What a full
 * disk cuts off does not spoil the line that follows. */
static int
write_line(const struct line *line)
{
	bool torn = __atomic_load_n(target.torn, __ATOMIC_RELAXED);
	char text[AUDIT_LINE_MAX + 1];
	size_t len = 0;
	ssize_t n;

	if (torn)
		text[len++] = '\n';
	memcpy(text + len, line->text, line->len);
	len += line->len;
	do
		n = write(target.fd, text, len);
	while (n == -1 && errno == EINTR);
	if (n == (ssize_t)len) {
		if (torn)
			__atomic_store_n(target.torn, false, __ATOMIC_RELAXED);
		return (0);
	}
	if (n > 0) {
		__atomic_store_n(target.torn, true, __ATOMIC_RELAXED);
		errno = ENOSPC;
	}
	return (-1);
}

static void
complain(int error)
{
	int64_t now = clock_monotonic_ms(), last;
	unsigned long lost;

	(void)__atomic_add_fetch(&target.lost, 1, __ATOMIC_RELAXED);
	last = __atomic_load_n(&target.complained_ms, __ATOMIC_RELAXED);
	if ((last != 0 && now - last < COMPLAIN_MS) ||
	    !__atomic_compare_exchange_n(&target.complained_ms, &last, now,
		false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return;
	lost = __atomic_exchange_n(&target.lost, 0, __ATOMIC_RELAXED);
	log_line(LOG_LEVEL_ERR,
	    "the audit log cannot be written: %s (lines lost: %lu)",
	    strerror(error), lost);
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
	put_member(line, "event", audit_kind_name(event->kind), SIZE_MAX,
	    ROOM_FOR_END);
	put_member(line, "outcome",
	    event->outcome == AUDIT_OK ? "ok" : "failed", SIZE_MAX,
	    ROOM_FOR_END);
	put_member(line, "reason", event->reason, SIZE_MAX, ROOM_FOR_REST);
	put_member(
	    line, "subject", event->subject, event->subject_len, ROOM_FOR_REST);
	put_member(line, "session", event->session, SIZE_MAX, ROOM_FOR_END);
	put_member(line, "client", event->client, SIZE_MAX, ROOM_FOR_END);
	put_member(line, "request", event->request, SIZE_MAX, ROOM_FOR_END);
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
 * that would leave less than room behind it is left out. */
static void
put_member(struct line *line, const char *name, const char *text, size_t len,
    size_t room)
{
	size_t before = line->len;

	if (text == NULL)
		return;
	put(line, ",\"", 2);
	put(line, name, strlen(name));
	put(line, "\":\"", 3);
	put_text(line, text, len == SIZE_MAX ? strlen(text) : len);
	put(line, "\"", 1);
	if (line->full || sizeof(line->text) - line->len < room) {
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
