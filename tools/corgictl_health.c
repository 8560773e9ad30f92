#include <sys/socket.h>

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "corgictl.h"

/* Longest time for the whole exchange (milliseconds). */
#define PATIENCE_MS 2000

/* Longest request and longest start of an answer that is looked at (bytes). */
#define REQUEST_MAX 1024
#define ANSWER_MAX  512

static bool address_allowed(const char *, const char *, const char *);
static int wait_for(int, short, int64_t);
static int connect_one(const struct addrinfo *, int64_t);
static int connect_any(const char *, const char *, int64_t);
static int exchange(int, const char *, size_t, char[ANSWER_MAX], int64_t);
static enum exit_code judge(const char *);

/* Nothing that could end the request line or the Host line early. */
static bool
address_allowed(const char *host, const char *port, const char *path)
{
	char *end;
	long number;
	const char *p;

	number = strtol(port, &end, 10);
	if (!isdigit((unsigned char)*port) || *end != '\0' || number < 1 ||
	    number > 65535) {
		complain("--port: a number from 1 to 65535 is needed");
		return (false);
	}
	for (p = host; *p != '\0'; p++) {
		if (!isalnum((unsigned char)*p) && strchr(".-:_", *p) == NULL) {
			complain("--host: not a name or an address");
			return (false);
		}
	}
	for (p = path; *p > 0x20 && *p < 0x7f; p++)
		continue;
	if (*path != '/' || *p != '\0' || strlen(host) > 255 ||
	    strlen(path) > 512) {
		complain("--path: a path that begins with / is needed");
		return (false);
	}
	return (true);
}

/* Wait until a socket is ready; -1 with errno when the time is over. */
static int
wait_for(int fd, short events, int64_t until)
{
	struct pollfd pfd = {.fd = fd, .events = events};
	int64_t left;
	int ready;

	for (;;) {
		left = until - clock_monotonic_ms();
		ready = poll(&pfd, 1, left > 0 ? (int)left : 0);
		if (ready > 0)
			return (0);
		if (ready == -1 && errno == EINTR)
			continue;
		if (ready == 0)
			errno = ETIMEDOUT;
		return (-1);
	}
}

static int
connect_one(const struct addrinfo *address, int64_t until)
{
	socklen_t len = sizeof(int);
	int fd, fault = 0, pending = 0;

	fd = socket(address->ai_family,
	    address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return (-1);
	if (connect(fd, address->ai_addr, address->ai_addrlen) == -1)
		fault = errno;
	if (fault == EINPROGRESS && wait_for(fd, POLLOUT, until) == -1)
		fault = errno;
	else if (fault == EINPROGRESS &&
	    getsockopt(fd, SOL_SOCKET, SO_ERROR, &pending, &len) == 0)
		fault = pending;
	if (fault == 0)
		return (fd);
	(void)close(fd);
	errno = fault;
	return (-1);
}

/* Connect to the first address that answers. Complains when none does. */
static int
connect_any(const char *host, const char *port, int64_t until)
{
	const struct addrinfo hints = {
	    .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list, *p;
	int fault, fd = -1;

	if ((fault = getaddrinfo(host, port, &hints, &list)) != 0) {
		complain("%s: %s", host, gai_strerror(fault));
		return (-1);
	}
	for (p = list; p != NULL && fd == -1; p = p->ai_next)
		fd = connect_one(p, until);
	if (fd == -1)
		complain("%s port %s: %s", host, port, strerror(errno));
	freeaddrinfo(list);
	return (fd);
}

/* Send the request and read the answer's first line into answer. */
static int
exchange(int fd, const char *request, size_t len, char answer[ANSWER_MAX],
    int64_t until)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		if (wait_for(fd, POLLOUT, until) == -1)
			return (-1);
		n = send(fd, request + done, len - done, MSG_NOSIGNAL);
		if (n == -1 && errno != EAGAIN && errno != EINTR)
			return (-1);
		done += n > 0 ? (size_t)n : 0;
	}
	for (done = 0; done < ANSWER_MAX - 1;) {
		if (wait_for(fd, POLLIN, until) == -1)
			return (-1);
		n = recv(fd, answer + done, ANSWER_MAX - 1 - done, 0);
		if (n == 0)
			break;
		if (n == -1 && errno != EAGAIN && errno != EINTR)
			return (-1);
		done += n > 0 ? (size_t)n : 0;
		answer[done] = '\0';
		if (strstr(answer, "\r\n") != NULL)
			break;
	}
	answer[done] = '\0';
	return (0);
}

static enum exit_code
judge(const char *answer)
{
	char shown[ANSWER_MAX];
	size_t len = strcspn(answer, "\r\n");

	if (answer[len] != '\0' &&
	    (strncmp(answer, "HTTP/1.1 200 ", 13) == 0 ||
		strncmp(answer, "HTTP/1.0 200 ", 13) == 0)) {
		puts("healthy");
		return (EXIT_DONE);
	}
	show_text(answer, len, shown, sizeof(shown));
	complain("not healthy: %s",
	    shown[0] == '\0' ? "the connection was closed" : shown);
	return (EXIT_FAILED);
}

enum exit_code
command_health(const struct request *r)
{
	const char *host = r->host == NULL ? "127.0.0.1" : r->host;
	const char *port = r->port == NULL ? "8888" : r->port;
	const char *path = r->path == NULL ? "/health" : r->path;
	int64_t until = clock_monotonic_ms() + PATIENCE_MS;
	char text[REQUEST_MAX], answer[ANSWER_MAX] = {0};
	bool v6 = strchr(host, ':') != NULL;
	int fd, len, result;

	if (!address_allowed(host, port, path))
		return (EXIT_USAGE);
	len = snprintf(text, sizeof(text),
	    "GET %s HTTP/1.1\r\nHost: %s%s%s:%s\r\nConnection: close\r\n\r\n",
	    path, v6 ? "[" : "", host, v6 ? "]" : "", port);
	if ((fd = connect_any(host, port, until)) == -1)
		return (EXIT_FAILED);
	result = exchange(fd, text, (size_t)len, answer, until);
	if (result == -1)
		complain("%s port %s: %s", host, port, strerror(errno));
	(void)close(fd);
	return (result == -1 ? EXIT_FAILED : judge(answer));
}
