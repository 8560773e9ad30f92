#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/jdoc.h"
#include "base/log.h"
#include "base/secret.h"
#include "http/attempts.h"
#include "http/client.h"
#include "http/control.h"
#include "http/follow.h"
#include "http/priority.h"
#include "http/service.h"

/* How often the store is looked at: the longest time that a revocation takes
 * which neither this service nor corgictl made. A store that tells is looked
 * at to see whether it still does. */
#define TICK_MS  100
#define TELLS_MS 500

/* A request's longest line, and how long its client may take. */
#define LINE_MAX_BYTES 4096
#define CLIENT_MS      1000

/* Most entries of a list. */
#define LIST_MAX 1000

/* Room for SQLite's frames, well beyond what they use. */
#define CONTROL_STACK (512 * 1024)

/* The socket, made in the parent; the thread, one per worker. */
static struct {
	int folder; /* descriptor of the data folder */
	char name[sizeof(CONTROL_SOCKET_PREFIX) + 16];
	int fd;
	int stop;
	bool running;
	pthread_t thread;
} control = {.folder = -1, .fd = -1, .stop = -1};

/* A list under construction. */
struct listing {
	jdoc *entries;
	size_t count;
	bool failed;
};

static int address_of(const char *, struct sockaddr_un *);
static void remove_stale(void);
static bool is_stale(const char *);
static void *control_thread(void *);
static void serve(int);
static bool read_line(int, char[LINE_MAX_BYTES], size_t *);
static void write_all(int, const char *, size_t);
static bool run_command(const jdoc *, jdoc *);
static bool run_throttle(const jdoc *, jdoc *);
static bool run_list(jdoc *);
static bool list_entry(const struct throttle_entry *, void *);
static const char *word(const jdoc *, size_t, size_t *);
static bool word_is(const jdoc *, size_t, const char *);
static bool refuse(jdoc *, const char *);

int
control_listen(const char *folder)
{
	struct sockaddr_un address;
	mode_t mask;
	uint64_t number;
	int ret;

	control.folder = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (control.folder == -1)
		return (-1);
	remove_stale();
	secret_random(&number, sizeof(number));
	(void)snprintf(control.name, sizeof(control.name), "%s%08x",
	    CONTROL_SOCKET_PREFIX, (unsigned int)number);
	control.fd =
	    socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (control.fd == -1 || address_of(control.name, &address) == -1)
		return (-1);
	mask = umask(0177);
	ret = bind(control.fd, (struct sockaddr *)&address, sizeof(address));
	(void)umask(mask);
	return (ret == -1 ? -1 : listen(control.fd, 16));
}

/* A socket's path is short, that of a data folder may not be: by way of the
 * open folder it always fits. */
static int
address_of(const char *name, struct sockaddr_un *out)
{
	int len;

	memset(out, 0, sizeof(*out));
	out->sun_family = AF_UNIX;
	len = snprintf(out->sun_path, sizeof(out->sun_path),
	    "/proc/self/fd/%d/%s", control.folder, name);
	if (len >= 0 && (size_t)len < sizeof(out->sun_path))
		return (0);
	errno = ENAMETOOLONG;
	return (-1);
}

/* Sockets nobody listens on any more: left behind by a service that was
 * killed. */
static void
remove_stale(void)
{
	struct dirent *entry;
	DIR *dir;
	int fd;

	fd = openat(control.folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd == -1 ? NULL : fdopendir(fd);
	if (dir == NULL)
		return;
	/* cppcheck-suppress readdirCalled; glibc's is safe on an own stream */
	while ((entry = readdir(dir)) != NULL) {
		if (is_stale(entry->d_name))
			(void)unlinkat(control.folder, entry->d_name, 0);
	}
	(void)closedir(dir);
}

/* Without waiting: a service that hangs takes no connection, and is no reason
 * not to start. Connecting to what is no socket is refused as well. */
static bool
is_stale(const char *name)
{
	struct sockaddr_un address;
	struct stat st;
	bool refused;
	int probe;

	if (strncmp(name, CONTROL_SOCKET_PREFIX,
		sizeof(CONTROL_SOCKET_PREFIX) - 1) != 0 ||
	    fstatat(control.folder, name, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
	    !S_ISSOCK(st.st_mode) || address_of(name, &address) == -1)
		return (false);
	probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (probe == -1)
		return (false);
	refused = connect(probe, (struct sockaddr *)&address,
		      sizeof(address)) == -1 &&
	    errno == ECONNREFUSED;
	(void)close(probe);
	return (refused);
}

void
control_close(void)
{
	if (control.fd == -1)
		return;
	(void)close(control.fd);
	control.fd = -1;
	(void)unlinkat(control.folder, control.name, 0);
	(void)close(control.folder);
	control.folder = -1;
}

int
control_start(void)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int error;

	control.stop = eventfd(0, EFD_CLOEXEC);
	if (control.stop == -1)
		return (-1);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, &old);
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, CONTROL_STACK);
	error = pthread_create(&control.thread, &attr, control_thread, NULL);
	(void)pthread_attr_destroy(&attr);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	control.running = error == 0;
	errno = error;
	return (error == 0 ? 0 : -1);
}

void
control_stop(void)
{
	uint64_t one = 1;

	if (!control.running)
		return;
	if (write(control.stop, &one, sizeof(one)) == -1)
		return;
	(void)pthread_join(control.thread, NULL);
	control.running = false;
}

/* The workers share the socket: whoever comes first takes the client. What is
 * told of a revocation waits for no other work. */
static void *
control_thread(void *arg)
{
	struct pollfd fds[4];
	bool more = false;
	int client, wait;

	(void)arg;
	(void)priority_event_loop();
	memset(fds, 0, sizeof(fds));
	fds[0].fd = control.stop;
	fds[0].events = POLLIN;
	fds[1].fd = control.fd;
	fds[1].events = POLLIN;
	fds[2].fd = attempts_fd();
	fds[2].events = POLLIN;
	fds[3].events = POLLIN;
	for (;;) {
		fds[3].fd = follow_fd();
		wait = fds[3].fd == -1 ? TICK_MS : TELLS_MS;
		if (poll(fds, 4, more ? 0 : wait) == -1 && errno != EINTR)
			break;
		if (fds[0].revents != 0)
			break;
		if (fds[1].revents != 0 &&
		    (client = accept(control.fd, NULL, NULL)) != -1) {
			serve(client);
			(void)close(client);
		}
		attempts_note();
		more = follow_tick();
	}
	follow_end();
	return (NULL);
}

/* One request, one answer. */
static void
serve(int client)
{
	char line[LINE_MAX_BYTES], error[JDOC_ERROR_MAX], *text;
	jdoc *request = NULL, *answer;
	size_t len;

	if (!read_line(client, line, &len))
		return;
	answer = jdoc_new_object();
	request = jdoc_parse(line, len, JDOC_REJECT_DUPLICATES, error);
	if (!run_command(jdoc_member(request, "command"), answer) &&
	    jdoc_member(answer, "error") == NULL)
		(void)refuse(answer, "unknown command");
	jdoc_free(request);

	text = jdoc_text(answer, &len);
	jdoc_free(answer);
	if (text == NULL)
		return;
	text[len] = '\n'; /* in place of the NUL */
	write_all(client, text, len + 1);
	free(text);
}

/* Read up to a line's end, which is cut off. False when there is none in
 * time. */
static bool
read_line(int client, char line[LINE_MAX_BYTES], size_t *len)
{
	int64_t until = clock_monotonic_ms() + CLIENT_MS, left;
	struct pollfd pfd = {.fd = client, .events = POLLIN};
	ssize_t n;

	*len = 0;
	for (;;) {
		left = until - clock_monotonic_ms();
		if (left <= 0 || poll(&pfd, 1, (int)left) <= 0)
			return (false);
		n = recv(
		    client, line + *len, LINE_MAX_BYTES - *len, MSG_DONTWAIT);
		if (n <= 0)
			return (false);
		*len += (size_t)n;
		if (line[*len - 1] == '\n')
			break;
		if (*len == LINE_MAX_BYTES)
			return (false);
	}
	(*len)--;
	return (true);
}

/* A client that does not read its answer does not get it. */
static void
write_all(int client, const char *text, size_t len)
{
	const struct timeval patience = {.tv_sec = CLIENT_MS / 1000};
	ssize_t n;

	(void)setsockopt(
	    client, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	while (len > 0) {
		n = send(client, text, len, MSG_NOSIGNAL);
		if (n <= 0)
			return;
		text += n;
		len -= (size_t)n;
	}
}

static bool
run_command(const jdoc *command, jdoc *answer)
{
	if (word_is(command, 0, "sync") && jdoc_count(command) == 1) {
		if (!follow_now())
			return (refuse(answer,
			    "the service cannot follow the database; see its "
			    "log"));
		return (jdoc_set(answer, "ok", jdoc_new_bool(true)) == 0);
	}
	if (word_is(command, 0, "throttle"))
		return (run_throttle(command, answer));
	return (false);
}

static bool
run_throttle(const jdoc *command, jdoc *answer)
{
	struct throttle *throttle = service_get()->throttle;
	struct store_attempt row;
	struct in6_addr address;
	const char *name;
	size_t len, cleared;

	if (word_is(command, 1, "list") && jdoc_count(command) == 2)
		return (run_list(answer));
	if (!word_is(command, 1, "clear"))
		return (false);
	name = word(command, 3, &len);
	if (word_is(command, 2, "all") && jdoc_count(command) == 3) {
		cleared = throttle_clear(throttle, &row);
	} else if (name != NULL && word_is(command, 2, "account")) {
		cleared = throttle_clear_account(throttle, name, len, &row);
	} else if (name != NULL && word_is(command, 2, "address")) {
		if (!client_parse(name, &address))
			return (refuse(answer, "this is no address"));
		cleared = throttle_clear_address(throttle, &address, &row);
	} else {
		return (false);
	}
	attempts_tell(&row);
	return (jdoc_set(answer, "ok", jdoc_new_bool(true)) == 0 &&
	    jdoc_set(answer, "cleared", jdoc_new_integer((int64_t)cleared)) ==
		0);
}

static bool
run_list(jdoc *answer)
{
	struct listing listing = {.entries = jdoc_new_array()};

	throttle_each(service_get()->throttle, clock_monotonic_ms(), list_entry,
	    &listing);
	if (listing.failed) {
		jdoc_free(listing.entries);
		return (refuse(answer, "out of memory"));
	}
	return (jdoc_set(answer, "ok", jdoc_new_bool(true)) == 0 &&
	    jdoc_set(answer, "entries", listing.entries) == 0 &&
	    jdoc_set(answer, "more", jdoc_new_bool(listing.count > LIST_MAX)) ==
		0);
}

static bool
list_entry(const struct throttle_entry *entry, void *ctx)
{
	struct listing *listing = ctx;
	const char *subject;
	jdoc *doc;

	if (++listing->count > LIST_MAX)
		return (false);
	subject = entry->subject == THROTTLE_ACCOUNT ? "account" : "address";
	doc = jdoc_new_object();
	listing->failed =
	    jdoc_set(doc, "subject",
		jdoc_new_string(subject, strlen(subject))) == -1 ||
	    jdoc_set(doc, "name",
		jdoc_new_string(entry->text, strlen(entry->text))) == -1 ||
	    (entry->from[0] != '\0' &&
		jdoc_set(doc, "from",
		    jdoc_new_string(entry->from, strlen(entry->from))) == -1) ||
	    jdoc_set(doc, "failures", jdoc_new_integer(entry->failures)) ==
		-1 ||
	    jdoc_set(doc, "wait", jdoc_new_integer(entry->wait)) == -1;
	if (listing->failed)
		jdoc_free(doc);
	else
		listing->failed = jdoc_append(listing->entries, doc) == -1;
	return (!listing->failed);
}

/* A word of a command, or NULL. */
static const char *
word(const jdoc *command, size_t index, size_t *len)
{
	if (command == NULL || jdoc_type_of(command) != JDOC_ARRAY)
		return (NULL);
	return (jdoc_string(jdoc_element(command, index), len));
}

static bool
word_is(const jdoc *command, size_t index, const char *text)
{
	const char *found;
	size_t len;

	found = word(command, index, &len);
	return (found != NULL && len == strlen(text) &&
	    memcmp(found, text, len) == 0);
}

static bool
refuse(jdoc *answer, const char *reason)
{
	if (jdoc_set(answer, "ok", jdoc_new_bool(false)) == -1 ||
	    jdoc_set(
		answer, "error", jdoc_new_string(reason, strlen(reason))) == -1)
		log_line(LOG_LEVEL_ERR, "control: out of memory");
	return (false);
}
