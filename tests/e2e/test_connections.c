/*
 * How many connections the service holds, with the limits that it comes with
 * and where the system allows fewer; what it costs to be ready for them; and
 * what those can take who send large requests slowly or read no answers.
 */
#include <sys/resource.h>
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "check.h"
#include "crowd.h"
#include "suite.h"

TestSuite(connections, .timeout = 240);

#define HOST  "Host: localhost\r\n"
#define GET   "GET /health HTTP/1.1\r\n" HOST
#define ALIVE "{\"status\": \"ok\"}"

/* What the service is said to hold, and what it says when it cannot. */
#define MANY  10000
#define FEWER " of CORGI_CONNECTIONS_PER_WORKER, because of "

/* Files that the system must allow for the limits in conf/limits.conf:
 * worker_rlimit_nofiles, and what is open before. */
#define FILES_NEEDED (18432 + 128)

/* Clients that send a large request slowly, and the head of each, without its
 * end (bytes). */
#define SLOW_CLIENTS 64
#define SLOW_HEAD    12000

/* Clients that ask for a large answer and do not read it. */
#define UNREAD 100

static void need_files(void);
static struct server *start(unsigned int, unsigned int, const char *);
static void expect_many_held(unsigned int);
static void expect_status(int, int, const char *);
static size_t workers_sockets(const struct server *);
static long idle_pss_kb(const char *);
static void expect_most(unsigned int, size_t);
static void expect_told(const char *, const char *);
static int slow_status(struct raw *);
static int narrow_connect(int);

/* Where the limits cannot be had, nothing would be shown. */
static void
need_files(void)
{
	struct rlimit limit;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max < FILES_NEEDED)
		cr_skip_test("the hard limit of open files (ulimit -Hn) is "
			     "%llu; this needs %d",
		    (unsigned long long)limit.rlim_max, FILES_NEEDED);
}

static struct server *
start(unsigned int workers, unsigned int files, const char *config)
{
	struct server_options options;

	memset(&options, 0, sizeof(options));
	options.workers = workers;
	options.files = files;
	options.config = config;
	return (server_start(&options));
}

static size_t
workers_sockets(const struct server *s)
{
	pid_t pids[8];
	size_t i, n, sum;
	int count;

	sum = 0;
	n = server_workers(s, pids, 8);
	for (i = 0; i < n; i++) {
		count = process_sockets(pids[i]);
		sum += count > 0 ? (size_t)count : 0;
	}
	return (sum);
}

static void
expect_many_held(unsigned int workers)
{
	struct server *s;
	struct crowd *crowd;
	size_t held, again;
	char *log;

	need_files();
	s = start(workers, 0, NULL);
	crowd = crowd_gather(server_port(s), MANY, &held);
	cr_expect_eq(held, (size_t)MANY, "%zu answered", held);
	cr_expect_geq(workers_sockets(s), (size_t)MANY);
	again = crowd_ask(crowd);
	cr_expect_eq(again, (size_t)MANY, "%zu answered again", again);
	expect_status(server_port(s), 200, "one more beside them");
	crowd_leave(crowd);
	expect_status(server_port(s), 200, "after them");
	log = server_log(s);
	cr_expect_null(strstr(log, FEWER), "%s", log);
	free(log);
	cr_expect_eq(server_stop(s), 0);
}

static void
expect_status(int port, int want, const char *name)
{
	int status;

	status = raw_exchange_text(port, GET "\r\n", NULL);
	cr_expect_eq(status, want, "%s: %d", name, status);
}

Test(connections, ten_thousand_are_held_by_two_workers)
{
	expect_many_held(2);
}

/* However the workers share them: one alone could hold them, too. */
Test(connections, ten_thousand_are_held_by_one_worker)
{
	expect_many_held(1);
}

/* It is made from the parent, where Kore's limits have been small from the
 * first worker on. */
Test(connections, worker_in_place_of_a_dead_one_holds_as_many)
{
	const size_t more = 3000;
	struct server *s;
	struct crowd *crowd;
	long long end;
	pid_t first, second;
	size_t held;

	need_files();
	s = start(1, 0, NULL);
	cr_assert_eq(server_workers(s, &first, 1), (size_t)1);
	server_expect_crash(s);
	cr_assert_eq(kill(first, SIGKILL), 0);
	second = first;
	end = now_ms() + SERVER_START_MS;
	while ((server_workers(s, &second, 1) != 1 || second == first) &&
	    now_ms() < end)
		sleep_ms(10);
	cr_assert_neq(second, first, "no new worker");

	crowd = crowd_gather(server_port(s), more, &held);
	cr_expect_eq(held, more, "%zu answered", held);
	cr_expect_eq(crowd_ask(crowd), more);
	crowd_leave(crowd);
	(void)server_stop(s);
}

static long
idle_pss_kb(const char *config)
{
	struct server *s;
	pid_t pids[2];
	long sum;

	s = start(2, 0, config);
	cr_assert_eq(server_workers(s, pids, 2), (size_t)2);
	sum = process_pss_kb(pids[0]) + process_pss_kb(pids[1]);
	cr_expect_eq(server_stop(s), 0);
	return (sum);
}

/* Kore's pools for as many would be 12 MB a worker, and more for requests. */
Test(connections, limits_cost_no_memory_until_they_are_used)
{
	long few, many;

	need_files();
	few = idle_pss_kb("worker_max_connections 600\n"
			  "http_request_limit 100\n");
	many = idle_pss_kb("worker_max_connections 16384\n"
			   "http_request_limit 16384\n");
	cr_expect(few > 0 && many > 0);
	cr_expect_lt(many, few + 4096, "%ld kB, %ld kB", few, many);
}

/* As many as the files allow, all of them answered; one more is told so. */
static void
expect_most(unsigned int files, size_t most)
{
	struct server *s;
	struct crowd *crowd;
	char said[64];
	size_t held, again;

	s = start(1, files, NULL);
	(void)snprintf(
	    said, sizeof(said), "a worker takes %zu connections", most);
	cr_expect(server_log_wait(s, said, 2000), "%u: %s", files, said);
	cr_expect(server_log_wait(s, "ulimit -Hn", 2000), "%u", files);
	crowd = crowd_gather(server_port(s), most, &held);
	cr_expect_eq(held, most, "%u: %zu answered", files, held);
	expect_status(server_port(s), 503, "one too many");
	expect_status(server_port(s), 503, "and another");
	again = crowd_ask(crowd);
	cr_expect_eq(again, most, "%u: %zu answered again", files, again);
	crowd_leave(crowd);
	cr_expect_eq(server_stop(s), 0);
}

Test(connections, low_hard_limit_of_files_lowers_them_and_is_told)
{
	expect_most(4096, 3479);
	expect_most(1024, 599);
	expect_most(256, 59);
}

/* Told once, and Kore has nothing to complain of. */
static void
expect_told(const char *config, const char *said)
{
	struct server *s;
	char *log, *line;

	s = start(2, 0, config);
	cr_expect(server_log_wait(s, said, 2000), "%s", config);
	log = server_log(s);
	line = strstr(log, FEWER);
	cr_assert_not_null(line);
	cr_expect_null(strstr(line + 1, FEWER), "told twice: %s", log);
	cr_expect_null(strstr(log, "setrlimit"), "%s", log);
	free(log);
	expect_status(server_port(s), 200, config);
	cr_expect_eq(server_stop(s), 0);
}

Test(connections, low_limit_in_the_configuration_lowers_them_as_well)
{
	need_files();
	expect_told("worker_rlimit_nofiles 1000\n",
	    "a worker takes 697 connections, not the 15360" FEWER
	    "worker_rlimit_nofiles");
	expect_told("worker_max_connections 5120\n",
	    "a worker takes 4799 connections, not the 15360" FEWER
	    "worker_max_connections");
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

/* Of 64 KiB for what is beyond 5 KiB, each takes 7 to 11, as it comes. */
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
	cr_expect(waiting >= 5 && waiting <= 9, "%zu wait", waiting);
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
