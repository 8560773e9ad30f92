/*
 * How many connections a worker takes: what is promised with the limits as they
 * are shipped, and that it says so and answers where the system or kore.conf
 * allow less.
 */
#include <arpa/inet.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "http.h"
#include "sess.h"
#include "suite.h"
#include "tok.h"

TestSuite(room, .timeout = 180);

/* Idle connections that two workers hold, whoever takes how many of them. */
#define MANY 10000

/* More than Kore's pools are made for. */
#define SOME 700

/* Files of the test itself. */
#define OWN_FILES 200

#define ASK                                                                    \
	"GET /health HTTP/1.1\r\n"                                             \
	"Host: localhost\r\n\r\n"

static void allow_files(rlim_t, rlim_t);
static int connect_to(int);
static int ask(int);
static size_t hold(int, int *, size_t);
static void let_go(int *, size_t);
static void expect_places(struct server *, size_t);

static void
allow_files(rlim_t soft, rlim_t hard)
{
	const struct rlimit limit = {soft, hard};

	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static int
connect_to(int port)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	struct timeval wait = {.tv_sec = 20};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_port = htons((uint16_t)port);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_geq(fd, 0);
	cr_assert_eq(
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
	cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return (fd);
}

/* The status of an answer; 0: there is none. */
static int
ask(int fd)
{
	char answer[2048];
	ssize_t n;

	if (send(fd, ASK, strlen(ASK), MSG_NOSIGNAL) != (ssize_t)strlen(ASK))
		return (0);
	n = recv(fd, answer, sizeof(answer) - 1, 0);
	if (n < 13)
		return (0);
	answer[n] = '\0';
	return (atoi(answer + 9));
}

/* Connections that have had an answer, up to the first that is refused; how
 * many. */
static size_t
hold(int port, int *fds, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		fds[i] = connect_to(port);
		if (ask(fds[i]) == 200)
			continue;
		(void)close(fds[i]);
		break;
	}
	return (i);
}

static void
let_go(int *fds, size_t n)
{
	while (n > 0)
		(void)close(fds[--n]);
}

Test(room, two_workers_hold_ten_thousand_idle_connections)
{
	struct server_options options = {.workers = 2};
	static int fds[MANY];
	struct rlimit limit;
	struct server *s;
	size_t i, n = MANY;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_max < MANY + OWN_FILES) {
		cr_log_warn("no more than %llu files: fewer connections",
		    (unsigned long long)limit.rlim_max);
		n = limit.rlim_max - OWN_FILES;
	}
	s = server_start(&options);
	allow_files(n + OWN_FILES, limit.rlim_max);
	cr_expect_eq(hold(server_port(s), fds, n), n);
	for (i = 0; i < n; i++)
		cr_assert_eq(ask(fds[i]), 200, "%zu", i);
	let_go(fds, n);
	cr_expect_eq(server_stop(s), 0);
}

/* So many, and one more is told so. */
static void
expect_places(struct server *s, size_t n)
{
	int *fds = calloc(n + 1, sizeof(*fds)), fd;
	size_t held;

	cr_assert_not_null(fds);
	held = hold(server_port(s), fds, n + 1);
	cr_expect_eq(held, n, "%zu", held);
	fd = connect_to(server_port(s));
	cr_expect_eq(ask(fd), 503);
	(void)close(fd);
	cr_expect_eq(ask(fds[0]), 200, "the first");
	let_go(fds, held);
	free(fds);
}

/* 128 of them are for other things, and so many more for what Kore has open
 * when a worker starts. */
Test(room, fewer_files_are_fewer_connections)
{
	struct server *s;

	/* Root would raise the limit. */
	if (geteuid() == 0)
		cr_assert_eq(
		    prctl(PR_CAPBSET_DROP, CAP_SYS_RESOURCE, 0, 0, 0), 0);
	allow_files(600, 600);
	s = server_start(NULL);
	cr_expect(server_log_wait(s,
	    "a worker may open 472 files, so it takes 344 connections", 2000));
	sleep_ms(100); /* for the harness's own connection */
	expect_places(s, 344);
	cr_expect_eq(server_stop(s), 0);
}

Test(room, kores_limit_counts_too)
{
	struct server_options options = {.config = "worker_max_connections 50"};
	struct server *s = server_start(&options);

	cr_expect(server_log_wait(s,
	    "worker_max_connections is 50, so a worker takes 49 connections",
	    2000));
	sleep_ms(100);
	expect_places(s, 49);
	cr_expect_eq(server_stop(s), 0);
}

/* Also in the place of one that was killed. */
Test(room, a_worker_takes_more_than_its_pools_were_made_for)
{
	struct server *s = server_start(NULL);
	pid_t before = 0, after = 0;
	struct rlimit limit;
	int fds[SOME], tries;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	allow_files(SOME + OWN_FILES, limit.rlim_max);
	cr_assert_eq(server_workers(s, &before, 1), 1);
	cr_expect_eq(hold(server_port(s), fds, SOME), SOME);
	let_go(fds, SOME);

	server_expect_crash(s);
	cr_assert_eq(kill(before, SIGKILL), 0);
	for (tries = 0; tries < 200; tries++) {
		if (server_workers(s, &after, 1) == 1 && after != before)
			break;
		sleep_ms(20);
	}
	cr_assert_neq(after, before);
	cr_expect_eq(hold(server_port(s), fds, SOME), SOME);
	let_go(fds, SOME);
	cr_expect_eq(server_stop(s), 0);
}
