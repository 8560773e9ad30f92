/*
 * What those can take who send large requests slowly or read no answers.
 */
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "check.h"
#include "suite.h"

TestSuite(connections, .timeout = 240);

#define HOST  "Host: localhost\r\n"
#define GET   "GET /health HTTP/1.1\r\n" HOST
#define ALIVE "{\"status\": \"ok\"}"

/* Clients that send a large request slowly, and the head of each, without its
 * end (bytes). */
#define SLOW_CLIENTS 64
#define SLOW_HEAD    12000

/* Clients that ask for a large answer and do not read it. */
#define UNREAD 100

static void expect_status(int, int, const char *);
static int slow_status(struct raw *);
static int narrow_connect(int);

static void
expect_status(int port, int want, const char *name)
{
	int status;

	status = raw_exchange_text(port, GET "\r\n", NULL);
	cr_expect_eq(status, want, "%s: %d", name, status);
}

/* The status of what has come without the request's end; 0: nothing. */
static int
slow_status(struct raw *r)
{
	struct raw_response answer;
	int status;

	if (!raw_readable(r, 0))
		return (0);
	(void)raw_read(r, false, &answer);
	status = answer.status;
	raw_response_free(&answer);
	return (status);
}

/* Of 64 KiB for what is beyond 4 KiB, each takes 8 or 12, as it comes. */
Test(connections, slow_large_requests_take_bounded_memory_from_each_other_only)
{
	static const char begin[] = GET "X: ";
	static char head[SLOW_HEAD];
	struct server *s =
	    suite_start_with("flask", "CORGI_REQUEST_MEMORY_KIB=64", NULL);
	struct raw *slow[SLOW_CLIENTS];
	struct raw_response answer;
	size_t i, waiting, refused;
	int port, status;

	port = server_port(s);
	memset(head, 'x', sizeof(head));
	memcpy(head, begin, sizeof(begin) - 1);
	for (i = 0; i < SLOW_CLIENTS; i++) {
		slow[i] = raw_connect(port);
		(void)raw_send(slow[i], head, sizeof(head));
		/* All that came before has been read by then. */
		expect_status(port, 200, "small request");
	}
	waiting = refused = 0;
	for (i = 0; i < SLOW_CLIENTS; i++) {
		status = slow_status(slow[i]);
		waiting += status == 0;
		refused += status == 503;
	}
	cr_expect(waiting >= 5 && waiting <= 8, "%zu wait", waiting);
	cr_expect_eq(refused, SLOW_CLIENTS - waiting, "%zu", refused);

	/* When they are gone, what they had is there for others. */
	for (i = 1; i < SLOW_CLIENTS; i++)
		raw_close(slow[i]);
	expect_status(port, 200, "small request");
	expect_status(port, 200, "small request");
	(void)raw_send_text(slow[0], "\r\n\r\n");
	(void)raw_read(slow[0], false, &answer);
	check_json("who waited", &answer, 200, ALIVE);
	raw_response_free(&answer);
	raw_close(slow[0]);
	for (i = 0; i < 20; i++) {
		slow[0] = raw_connect(port);
		(void)raw_send(slow[0], head, sizeof(head));
		(void)raw_send_text(slow[0], "\r\n\r\n");
		(void)raw_read(slow[0], false, &answer);
		cr_expect_eq(answer.status, 200, "%zu: %d", i, answer.status);
		raw_response_free(&answer);
		raw_close(slow[0]);
	}
	cr_expect_eq(server_stop(s), 0);
}

/* A connection that takes little at once, so that an answer it does not read
 * stays with the service and not in the kernel. */
static int
narrow_connect(int port)
{
	struct sockaddr_in sin;
	int fd, size = 4096, segment = 536;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_neq(fd, -1);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	(void)setsockopt(
	    fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof(segment));
	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sin.sin_port = htons((uint16_t)port);
	cr_assert_eq(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	return (fd);
}

Test(connections, large_answers_that_nobody_reads_are_not_copied)
{
	static const char ask[] =
	    "GET /openapi.json HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n";
	static char taken[256 * 1024];
	struct server *s = suite_start("flask");
	char path[SERVER_PATH_MAX], *file, *body;
	int fds[UNREAD];
	size_t i, len, want;
	long before, after;
	pid_t pid;
	ssize_t n;

	cr_assert_eq(server_workers(s, &pid, 1), (size_t)1);
	expect_status(server_port(s), 200, "before");
	before = process_pss_kb(pid);
	for (i = 0; i < UNREAD; i++) {
		fds[i] = narrow_connect(server_port(s));
		(void)send(fds[i], ask, sizeof(ask) - 1, MSG_NOSIGNAL);
	}
	expect_status(server_port(s), 200, "beside them");
	after = process_pss_kb(pid);
	cr_expect_lt(after - before, UNREAD * 24, "%ld kB", after - before);

	/* Whoever does read gets it whole. */
	for (len = 0; len < sizeof(taken) - 1; len += (size_t)n) {
		n = recv(fds[0], taken + len, sizeof(taken) - 1 - len, 0);
		if (n <= 0)
			break;
	}
	taken[len] = '\0';
	body = strstr(taken, "\r\n\r\n");
	cr_assert_not_null(body);
	body += 4;
	(void)snprintf(
	    path, sizeof(path), "%.900s/assets/openapi.json", corgi_root());
	file = file_read(path, &want);
	cr_assert_not_null(file);
	cr_expect_eq(len - (size_t)(body - taken), want);
	cr_expect_str_eq(body, file);
	free(file);
	for (i = 0; i < UNREAD; i++)
		(void)close(fds[i]);
	cr_expect_eq(server_stop(s), 0);
}
