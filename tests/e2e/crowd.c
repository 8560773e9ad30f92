/*
 * crowd.c - thousands of connections, held by processes of their own.
 */
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <netinet/in.h>

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "crowd.h"

#define ASK    "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define STATUS "HTTP/1.1 200 "
#define END    "\"ok\"}"

/* Files of a process that are no connections of its. */
#define FILES_OWN 64

/* Connections from one address, so that ports do not run out. */
#define FROM_ONE 2000

/* Longest wait for one answer (seconds). */
#define WAIT_S 20

/* Most processes. */
#define MEMBERS_MAX 128

struct member {
	pid_t pid;
	int fd; /* of a stream socket to it */
};

struct crowd {
	struct member members[MEMBERS_MAX];
	size_t count;
};

static size_t files_each(void);
static void member_start(struct crowd *, int, size_t, size_t);
static void member_run(int, int, size_t, size_t) __attribute__((noreturn));
static int member_connect(int, size_t);
static bool member_ask(int);
static size_t told_by_all(const struct crowd *);

/* How many connections one process may have, now that it may have as many as
 * it can. */
static size_t
files_each(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		cr_assert_fail("getrlimit: %s", strerror(errno));
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur <= 2 * FILES_OWN)
		cr_assert_fail("too few open files are allowed");
	return ((size_t)limit.rlim_cur - FILES_OWN);
}

struct crowd *
crowd_gather(int port, size_t count, size_t *answered)
{
	struct crowd *crowd;
	size_t most, begun, n;

	crowd = calloc(1, sizeof(*crowd));
	if (crowd == NULL)
		cr_assert_fail("out of memory");
	most = files_each();
	for (begun = 0; begun < count; begun += n) {
		n = count - begun < most ? count - begun : most;
		member_start(crowd, port, begun, n);
	}
	*answered = told_by_all(crowd);
	return (crowd);
}

size_t
crowd_ask(struct crowd *crowd)
{
	size_t i;

	for (i = 0; i < crowd->count; i++)
		(void)send(crowd->members[i].fd, "", 1, MSG_NOSIGNAL);
	return (told_by_all(crowd));
}

void
crowd_leave(struct crowd *crowd)
{
	size_t i;

	for (i = 0; i < crowd->count; i++)
		(void)close(crowd->members[i].fd);
	for (i = 0; i < crowd->count; i++)
		(void)waitpid(crowd->members[i].pid, NULL, 0);
	free(crowd);
}

static size_t
told_by_all(const struct crowd *crowd)
{
	size_t i, told, sum;

	sum = 0;
	for (i = 0; i < crowd->count; i++) {
		if (recv(crowd->members[i].fd, &told, sizeof(told),
			MSG_WAITALL) == (ssize_t)sizeof(told))
			sum += told;
	}
	return (sum);
}

static void
member_start(struct crowd *crowd, int port, size_t first, size_t count)
{
	struct member *member;
	pid_t self;
	int pair[2];
	size_t i;

	if (crowd->count == MEMBERS_MAX)
		cr_assert_fail("too few open files are allowed");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		cr_assert_fail("socketpair: %s", strerror(errno));
	member = &crowd->members[crowd->count];
	self = getpid();
	member->pid = fork();
	if (member->pid == -1)
		cr_assert_fail("fork: %s", strerror(errno));
	if (member->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != self)
			_exit(1);
		/* Who comes later must not keep the others from their end. */
		for (i = 0; i < crowd->count; i++)
			(void)close(crowd->members[i].fd);
		(void)close(pair[0]);
		member_run(pair[1], port, first, count);
	}
	(void)close(pair[1]);
	member->fd = pair[0];
	crowd->count++;
}

/* Open, tell how many; then ask and tell each time a byte comes. */
static void
member_run(int boss, int port, size_t first, size_t count)
{
	size_t i, there, good;
	int *fds;
	char byte;

	fds = calloc(count, sizeof(*fds));
	if (fds == NULL)
		_exit(1);
	for (there = 0; there < count; there++) {
		fds[there] = member_connect(port, first + there);
		if (fds[there] == -1 || !member_ask(fds[there]))
			break;
	}
	good = there;
	while (send(boss, &good, sizeof(good), MSG_NOSIGNAL) ==
		(ssize_t)sizeof(good) &&
	    recv(boss, &byte, 1, 0) == 1) {
		good = 0;
		for (i = 0; i < there; i++)
			good += member_ask(fds[i]);
	}
	_exit(0);
}

static int
member_connect(int port, size_t number)
{
	const struct timeval wait = {.tv_sec = WAIT_S};
	struct sockaddr_in sin;
	int fd, on = 1;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return (-1);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	(void)setsockopt(
	    fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_addr.s_addr =
	    htonl(INADDR_LOOPBACK + 1 + (in_addr_t)(number / FROM_ONE));
	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1)
		return (-1);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sin.sin_port = htons((uint16_t)port);
	if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1)
		return (-1);
	return (fd);
}

/* Ask and read one answer; whether it is the one there should be. */
static bool
member_ask(int fd)
{
	char answer[1024];
	size_t len;
	ssize_t n;

	if (send(fd, ASK, strlen(ASK), MSG_NOSIGNAL) != (ssize_t)strlen(ASK))
		return (false);
	len = 0;
	do {
		n = recv(fd, answer + len, sizeof(answer) - 1 - len, 0);
		if (n <= 0)
			return (false);
		len += (size_t)n;
		answer[len] = '\0';
	} while (strstr(answer, END) == NULL && len < sizeof(answer) - 1);
	return (strncmp(answer, STATUS, strlen(STATUS)) == 0 &&
	    strstr(answer, END) != NULL);
}
