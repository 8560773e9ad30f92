/*
 * corgictl_control.c - a word with the services that run on a data folder. Each
 * listens on a socket of its own there, "control." and a number, and answers
 * one line of JSON with one.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "corgictl_workspace.h"

/* What the sockets' names begin with. */
#define PREFIX "control."

/* Longest time for one service, and the pause before it is tried again
 * (milliseconds). */
#define PATIENCE_MS 5000
#define PAUSE_MS    50

#define SILENCE "it did not answer within %d seconds"

/* Longest answer (bytes): a list of 1,000 entries is far below. */
#define ANSWER_MAX 1048576

/* How an attempt to ask one service ended. */
enum attempt {
	ATTEMPT_DONE,
	ATTEMPT_GONE,   /* nobody listens there any more */
	ATTEMPT_BROKEN, /* cut off: a worker died, or the service stops */
	ATTEMPT_FAILED
};

/* A question and what came of it. */
struct question {
	int folder;  /* descriptor */
	uid_t owner; /* of the folder */
	char *line;  /* with its line end */
	size_t len;
	void (*each)(const jdoc *, void *);
	void *ctx;
	char *error; /* CONTROL_ERROR_MAX; of the first failure */
};

static enum attempt failed(struct question *, const char *, ...)
    __attribute__((format(printf, 2, 3)));
static char *question_line(const char *const *, size_t *);
static enum attempt find_socket(struct question *, const char *, int *);
static enum attempt connect_to(struct question *, const char *, int *);
static enum attempt send_line(struct question *, int, const char *, size_t);
static enum attempt
receive_line(struct question *, int, int64_t, size_t *, char *);
static enum attempt judge(struct question *, const char *, size_t);
static enum attempt attempt(struct question *, const char *, char *, int64_t);
static enum attempt ask_one(struct question *, const char *, char *);
static int is_control(const struct dirent *);
static enum control_result ask_all(struct question *);

/* The first failure is the one to tell of. */
static enum attempt
failed(struct question *q, const char *fmt, ...)
{
	va_list args;

	if (q->error[0] == '\0') {
		va_start(args, fmt);
		(void)vsnprintf(q->error, CONTROL_ERROR_MAX, fmt, args);
		va_end(args);
	}
	return (ATTEMPT_FAILED);
}

static char *
question_line(const char *const *words, size_t *len)
{
	jdoc *doc = jdoc_new_object(), *list = jdoc_new_array();
	char *text = NULL;
	int result = 0;

	for (; *words != NULL && result == 0; words++)
		result =
		    jdoc_append(list, jdoc_new_string(*words, strlen(*words)));
	if (result == -1)
		jdoc_free(list);
	else
		result = jdoc_set(doc, "command", list);
	if (result == 0)
		text = jdoc_text(doc, len);
	jdoc_free(doc);
	if (text != NULL)
		text[(*len)++] = '\n'; /* in place of the NUL */
	return (text);
}

/*
 * The socket under a name, as a descriptor that stands for the very file that
 * was judged: whoever else can write in the folder must not be able to answer
 * in the service's place.
 */
static enum attempt
find_socket(struct question *q, const char *name, int *node)
{
	struct stat st;

	*node = openat(q->folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (*node == -1)
		return (errno == ENOENT
			? ATTEMPT_GONE
			: failed(q, "%s: %s", name, strerror(errno)));
	if (fstat(*node, &st) == -1)
		return (failed(q, "%s: %s", name, strerror(errno)));
	if (!S_ISSOCK(st.st_mode))
		return (ATTEMPT_GONE);
	if (st.st_uid != geteuid() && st.st_uid != 0 &&
	    (geteuid() != 0 || st.st_uid != q->owner))
		return (failed(q,
		    "the socket %s belongs to neither this user nor root",
		    name));
	return (ATTEMPT_DONE);
}

/* The path of a socket has little room, that of a data folder may be long: by
 * way of the descriptor it always fits. */
static enum attempt
connect_to(struct question *q, const char *name, int *fd)
{
	const struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	enum attempt result;
	int node;

	*fd = -1;
	if ((result = find_socket(q, name, &node)) != ATTEMPT_DONE)
		goto out;
	(void)snprintf(address.sun_path, sizeof(address.sun_path),
	    "/proc/self/fd/%d", node);
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fd == -1 ||
	    setsockopt(*fd, SOL_SOCKET, SO_SNDTIMEO, &patience,
		sizeof(patience)) == -1)
		result = failed(q, "%s", strerror(errno));
	else if (connect(*fd, (struct sockaddr *)&address, sizeof(address)) ==
	    0)
		result = ATTEMPT_DONE;
	else if (errno == ECONNREFUSED || errno == ENOENT)
		result = ATTEMPT_GONE;
	else if (errno == EAGAIN || errno == EINPROGRESS)
		result = failed(q, "it took no connection within %d seconds",
		    PATIENCE_MS / 1000);
	else
		result = failed(q, "%s: %s", name, strerror(errno));
out:
	if (node != -1)
		(void)close(node);
	return (result);
}

static enum attempt
send_line(struct question *q, int fd, const char *line, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = send(fd, line, len, MSG_NOSIGNAL);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && (errno == EPIPE || errno == ECONNRESET))
			return (ATTEMPT_BROKEN);
		if (n == -1)
			return (failed(q, "%s", strerror(errno)));
		line += n;
		len -= (size_t)n;
	}
	return (ATTEMPT_DONE);
}

/* Read a line of at most ANSWER_MAX bytes; its length goes without its end. */
static enum attempt
receive_line(struct question *q, int fd, int64_t until, size_t *len, char *line)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	int64_t left;
	ssize_t n;

	for (*len = 0; *len < ANSWER_MAX; *len += (size_t)n) {
		left = until - clock_monotonic_ms();
		n = poll(&pfd, 1, left > 0 ? (int)left : 0);
		if (n == 0)
			return (failed(q, SILENCE, PATIENCE_MS / 1000));
		if (n == 1)
			n = recv(fd, line + *len, ANSWER_MAX - *len, 0);
		if (n == 0 || (n == -1 && errno == ECONNRESET))
			return (ATTEMPT_BROKEN);
		if (n == -1 && errno != EINTR)
			return (failed(q, "%s", strerror(errno)));
		if (n == -1)
			n = 0;
		if (n > 0 && line[*len + (size_t)n - 1] == '\n') {
			*len += (size_t)n - 1;
			return (ATTEMPT_DONE);
		}
	}
	return (failed(q, "its answer is too long"));
}

static enum attempt
judge(struct question *q, const char *line, size_t len)
{
	char error[JDOC_ERROR_MAX], shown[CONTROL_ERROR_MAX - 32];
	enum attempt result = ATTEMPT_DONE;
	const char *reason;
	size_t reason_len;
	jdoc *answer;

	answer = jdoc_parse(line, len, JDOC_REJECT_DUPLICATES, error);
	if (answer != NULL && jdoc_true(jdoc_member(answer, "ok"))) {
		if (q->each != NULL)
			q->each(answer, q->ctx);
	} else {
		reason = jdoc_string(jdoc_member(answer, "error"), &reason_len);
		show_text(reason == NULL ? "" : reason,
		    reason == NULL ? 0 : reason_len, shown, sizeof(shown));
		result = failed(q, "it said: %s",
		    shown[0] == '\0' ? "no (without a reason)" : shown);
	}
	jdoc_free(answer);
	return (result);
}

static enum attempt
attempt(struct question *q, const char *name, char *buffer, int64_t until)
{
	enum attempt result;
	size_t len = 0;
	int fd;

	result = connect_to(q, name, &fd);
	if (result == ATTEMPT_DONE)
		result = send_line(q, fd, q->line, q->len);
	if (result == ATTEMPT_DONE)
		result = receive_line(q, fd, until, &len, buffer);
	if (result == ATTEMPT_DONE)
		result = judge(q, buffer, len);
	if (fd != -1)
		(void)close(fd);
	return (result);
}

/* One that was cut off is asked again: another worker answers, or the service
 * turns out to be gone. */
static enum attempt
ask_one(struct question *q, const char *name, char *buffer)
{
	const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
	int64_t until = clock_monotonic_ms() + PATIENCE_MS;
	enum attempt result;

	for (;;) {
		result = attempt(q, name, buffer, until);
		if (result != ATTEMPT_BROKEN)
			return (result);
		if (clock_monotonic_ms() >= until)
			return (failed(q, SILENCE, PATIENCE_MS / 1000));
		(void)nanosleep(&pause, NULL);
	}
}

static int
is_control(const struct dirent *entry)
{
	return (strncmp(entry->d_name, PREFIX, sizeof(PREFIX) - 1) == 0);
}

static enum control_result
ask_all(struct question *q)
{
	enum control_result result = CONTROL_NOBODY;
	char *buffer = malloc(ANSWER_MAX);
	struct dirent **names = NULL;
	enum attempt one;
	int count, i;

	count = scandirat(q->folder, ".", &names, is_control, alphasort);
	if (count == -1 || buffer == NULL) {
		(void)failed(q, "%s", strerror(errno));
		result = CONTROL_FAILED;
	}
	for (i = 0; i < count; i++) {
		one = buffer == NULL ? ATTEMPT_FAILED
				     : ask_one(q, names[i]->d_name, buffer);
		if (one == ATTEMPT_FAILED)
			result = CONTROL_FAILED;
		else if (one == ATTEMPT_DONE && result == CONTROL_NOBODY)
			result = CONTROL_DONE;
		free(names[i]);
	}
	free(names);
	free(buffer);
	return (result);
}

enum control_result
control_ask(const char *folder, const char *const *words,
    void (*each)(const jdoc *, void *), void *ctx,
    char error[CONTROL_ERROR_MAX])
{
	struct question q = {.each = each, .ctx = ctx, .error = error};
	enum control_result result = CONTROL_FAILED;
	struct stat st;
	int fd;

	error[0] = '\0';
	fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1 && errno == ENOENT)
		return (CONTROL_NOBODY);
	if (fd == -1 || fstat(fd, &st) == -1) {
		(void)failed(&q, "%s: %s", folder, strerror(errno));
		goto out;
	}
	q.folder = fd;
	q.owner = st.st_uid;
	if ((q.line = question_line(words, &q.len)) == NULL)
		(void)failed(&q, "out of memory");
	else
		result = ask_all(&q);
	free(q.line);
out:
	if (fd != -1)
		(void)close(fd);
	return (result);
}
