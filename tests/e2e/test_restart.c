/*
 * Stop, restart, crash: what is under way is finished, nothing is lost behind
 * a proxy, and the service tells whether it is ready. And its bounds: one
 * connection too many is told so and harms no other.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "check.h"
#include "http.h"
#include "nginx.h"
#include "ports.h"
#include "suite.h"
#include "tok.h"
#include "traffic.h"

TestSuite(restart, .timeout = 90);

#define HOST  "Host: localhost\r\n"
#define GET   "GET /health HTTP/1.1\r\n" HOST
#define READY "GET /ready HTTP/1.1\r\n" HOST
#define ALIVE "{\"status\": \"ok\"}"

/* Client threads of a rolling restart, and rounds through the services. */
#define CLIENTS 4
#define ROUNDS  2

/* Within what time a stopped service has ended and a killed worker is back
 * (milliseconds). */
#define STOP_MS 2000
#define BACK_MS 1000

/* Longest wait for the answer of a service that waits for its store. */
#define LOCKED_MS 20000

/* Where SQLite keeps the locks of a write-ahead log in its -shm file. */
#define SHM_LOCKS_AT  120
#define SHM_LOCKS_LEN 8

static struct server *start_one(int, const char *);
static struct nginx *start_nginx(const int *);
static void expect_status(int, const char *, int, const char *);
static char *login_text(void);

static char *
login_text(void)
{
	return (text_of("POST /login HTTP/1.1\r\n" HOST
			"Content-Type: application/json\r\n"
			"Content-Length: %zu\r\n\r\n%s",
	    strlen(DEMO_LOGIN), DEMO_LOGIN));
}

/* One of several services with the same secret and data. */
static struct server *
start_one(int port, const char *data_dir)
{
	/* The traffic logs in to one account all the time. */
	static const char *const environment[] = {
	    "JWT_SECRET_KEY=" TOK_SECRET, "CORGI_SESSIONS_PER_USER=0", NULL};
	const struct server_options options = {.environment = environment,
	    .data_dir = data_dir,
	    .workers = 2,
	    .port = port};

	return (server_start(&options));
}

static struct nginx *
start_nginx(const int *ports)
{
	char *conf = text_of("upstream corgi {\n"
			     "	server 127.0.0.1:%d max_fails=0;\n"
			     "	server 127.0.0.1:%d max_fails=0;\n"
			     "	keepalive 8;\n"
			     "}\n"
			     "server {\n"
			     "	listen 127.0.0.1:@PORT@;\n"
			     "	keepalive_requests 100000;\n"
			     "	location / {\n"
			     "		proxy_http_version 1.1;\n"
			     "		proxy_set_header Connection \"\";\n"
			     "		proxy_next_upstream error timeout;\n"
			     "		proxy_pass http://corgi;\n"
			     "	}\n"
			     "}\n",
	    ports[0], ports[1]);
	struct nginx *n = nginx_start(conf);

	free(conf);
	return (n);
}

/* Two services behind nginx, stopped and started one after the other. */
Test(restart, rolling_restart_behind_nginx_loses_no_request)
{
	struct traffic traffic[CLIENTS];
	char *data = scratch_new(), *log, *token;
	const int ports[2] = {steady_port(), steady_port()};
	struct server *services[2];
	struct nginx *n;
	int i, round;

	for (i = 0; i < 2; i++)
		services[i] = start_one(ports[i], data);
	n = start_nginx(ports);
	token = http_token(nginx_port(n));
	memset(traffic, 0, sizeof(traffic));
	for (i = 0; i < CLIENTS; i++) {
		traffic[i].port = nginx_port(n);
		traffic[i].token = token;
		traffic[i].login_of = 5;
	}
	traffic_start(traffic, CLIENTS);
	for (round = 0; round < ROUNDS * 2; round++) {
		i = round % 2;
		sleep_ms(300);
		cr_expect(server_stop(services[i]) == 0, "round %d", round);
		sleep_ms(100);
		services[i] = start_one(ports[i], data);
	}
	sleep_ms(300);
	traffic_stop(traffic, CLIENTS);
	for (i = 0; i < CLIENTS; i++) {
		cr_expect_eq(traffic[i].failed, 0, "%u failed: %s",
		    traffic[i].failed, traffic[i].first);
		cr_expect_gt(traffic[i].guarded, 10);
		cr_expect_gt(traffic[i].logins, 2);
	}
	log = nginx_log(n);
	for (i = 0; i < CLIENTS && traffic[i].failed == 0; i++)
		continue;
	if (i < CLIENTS)
		(void)fprintf(stderr, "%s", log);
	free(log);
	nginx_stop(n);
	for (i = 0; i < 2; i++)
		cr_expect(server_stop(services[i]) == 0);
	free(token);
	scratch_free(data);
}

/* The control: without the other service requests do fail meanwhile, and the
 * clients notice. */
Test(restart, restart_of_the_only_service_is_noticed)
{
	struct traffic traffic;
	char *data = scratch_new(), *token;
	const int ports[2] = {steady_port(), steady_port()};
	struct server *s = start_one(ports[0], data);
	struct nginx *n = start_nginx(ports);

	token = http_token(nginx_port(n));
	memset(&traffic, 0, sizeof(traffic));
	traffic.port = nginx_port(n);
	traffic.token = token;
	traffic.pause_ms = 5;
	traffic_start(&traffic, 1);
	sleep_ms(200);
	cr_expect(server_stop(s) == 0);
	sleep_ms(200);
	traffic_stop(&traffic, 1);
	cr_expect_gt(traffic.guarded, 0);
	cr_expect_gt(traffic.failed, 0);
	nginx_stop(n);
	free(token);
	scratch_free(data);
}

/* A login under way is answered, others that never finish are not waited for,
 * and the end comes in time, with status 0. */
Test(restart, stop_answers_the_login_and_ends_in_time)
{
	struct server *s = suite_start("flask");
	int port = server_port(s), i;
	struct raw_response answer;
	struct raw *login, *others[3];
	char *text = login_text();

	login = raw_connect(port);
	for (i = 0; i < 3; i++)
		others[i] = raw_connect(port);
	cr_expect(raw_send_text(others[1], "GET /hea"));
	cr_expect(raw_send_text(others[2],
	    "POST /login HTTP/1.1\r\n" HOST "Content-Length: 9\r\n"
	    "Content-Type: application/json\r\n\r\n{"));
	cr_expect(raw_send_text(login, text));
	expect_status(port, GET "\r\n", 200, ALIVE);
	cr_expect(kill(server_pid(s), SIGTERM) == 0);
	cr_expect(server_wait(s, STOP_MS) == 0, "not ended in time");
	cr_expect(raw_read(login, false, &answer) == RAW_OK, "no answer");
	check_tokens("login", &answer);
	raw_response_free(&answer);
	cr_expect(raw_read_close(login, NULL));
	raw_close(login);
	for (i = 0; i < 3; i++) {
		cr_expect(raw_read_close(others[i], NULL), "%d is open", i);
		raw_close(others[i]);
	}
	free(text);
	cr_expect(server_stop(s) == 0);
}

static void
expect_status(int port, const char *text, int status, const char *json)
{
	struct raw_response answer;

	(void)raw_exchange_text(port, text, &answer);
	if (json != NULL)
		check_json(text, &answer, status, json);
	else
		check_member(text, &answer, status, "error", "*");
	raw_response_free(&answer);
}

/* With -9, again and again: the other worker answers all the while. */
Test(restart, other_worker_answers_until_the_killed_one_is_back)
{
	char *data = scratch_new();
	struct server *s = start_one(0, data);
	pid_t pids[8];
	long long end;
	size_t n;
	int round;

	server_expect_crash(s);
	for (round = 0; round < 3; round++) {
		end = now_ms() + 10000;
		while (server_workers(s, pids, 8) != 2 && now_ms() < end)
			sleep_ms(5);
		cr_assert(server_workers(s, pids, 8) == 2);
		cr_assert(kill(pids[round % 2], SIGKILL) == 0);
		cr_expect(process_gone(pids[round % 2], 1000));
		end = now_ms() + BACK_MS;
		do {
			expect_status(server_port(s), GET "\r\n", 200, ALIVE);
			n = server_workers(s, pids, 8);
		} while (n != 2 && now_ms() < end);
		cr_expect_eq(n, 2, "not back in time");
	}
	cr_expect(server_stop(s) == 0);
	scratch_free(data);
}

/* The only worker: who comes meanwhile waits, and is answered by the next. */
Test(restart, killed_only_worker_is_back_in_time)
{
	struct server *s = suite_start("flask");
	struct raw_response answer;
	struct raw *r;
	pid_t pid;

	server_expect_crash(s);
	cr_assert(server_workers(s, &pid, 1) == 1);
	cr_assert(kill(pid, SIGKILL) == 0);
	cr_expect(process_gone(pid, 1000));
	r = raw_connect(server_port(s));
	raw_set_wait(r, BACK_MS);
	cr_expect(raw_send_text(r, GET "\r\n"));
	cr_expect(raw_read(r, false, &answer) == RAW_OK, "not back in time");
	check_json("next", &answer, 200, ALIVE);
	raw_response_free(&answer);
	raw_close(r);
	cr_expect(server_stop(s) == 0);
}

/* Alive until the end, but no longer ready from its beginning. The requests
 * are on connections that were there before, begun and not complete, so that
 * they are waited for. */
Test(restart, draining_service_is_alive_and_not_ready)
{
	struct server *s = suite_start_with("flask", "CORGI_ARGON2_PASSES=12",
	    "CORGI_SHUTDOWN_SECONDS=20", NULL);
	int port = server_port(s);
	struct raw *login = raw_connect(port), *health = raw_connect(port),
		   *ready = raw_connect(port);
	struct raw_response answer;
	char *text = login_text();

	expect_status(port, GET "\r\n", 200, ALIVE);
	expect_status(port, READY "\r\n", 200, "{\"status\": \"ready\"}");
	raw_set_wait(login, 20000);
	cr_expect(raw_send_text(health, GET));
	cr_expect(raw_send_text(ready, READY));
	cr_expect(raw_send_text(login, text));
	expect_status(port, GET "\r\n", 200, ALIVE);
	cr_expect(kill(server_pid(s), SIGTERM) == 0);
	cr_expect(server_log_wait(s, "stopping", 5000));
	cr_expect(raw_send_text(ready, "\r\n"));
	cr_expect(raw_read(ready, false, &answer) == RAW_OK);
	check_member("ready", &answer, 503, "error", "*");
	check_header("ready", &answer, "Connection", "close");
	raw_response_free(&answer);
	cr_expect(raw_send_text(health, "\r\n"));
	cr_expect(raw_read(health, false, &answer) == RAW_OK);
	check_json("health", &answer, 200, ALIVE);
	check_header("health", &answer, "Connection", "close");
	raw_response_free(&answer);
	cr_expect(raw_read(login, false, &answer) == RAW_OK, "no answer");
	check_tokens("login", &answer);
	raw_response_free(&answer);
	cr_expect(raw_try_connect(port) == NULL, "still listening");
	cr_expect(server_wait(s, SERVER_STOP_MS) == 0);
	raw_close(login);
	raw_close(health);
	raw_close(ready);
	free(text);
	cr_expect(server_stop(s) == 0);
}

/* Ready again as soon as the store is. */
Test(restart, service_is_not_ready_while_its_store_is_locked)
{
	struct server *s = suite_start("flask");
	struct flock lock = {.l_type = F_WRLCK,
	    .l_whence = SEEK_SET,
	    .l_start = SHM_LOCKS_AT,
	    .l_len = SHM_LOCKS_LEN};
	struct raw_response answer;
	int fd, port = server_port(s);
	struct raw *r;
	char *path = text_of("%s/corgi.db-shm", server_data_dir(s));

	expect_status(port, READY "\r\n", 200, "{\"status\": \"ready\"}");
	fd = open(path, O_RDWR | O_CLOEXEC);
	cr_assert_neq(fd, -1, "%s", path);
	cr_assert(fcntl(fd, F_SETLKW, &lock) == 0);
	expect_status(port, GET "\r\n", 200, ALIVE);
	r = raw_connect(port);
	raw_set_wait(r, LOCKED_MS);
	cr_expect(raw_send_text(r, READY "\r\n"));
	cr_expect(raw_read(r, false, &answer) == RAW_OK, "no answer");
	check_member("locked", &answer, 503, "error", "*");
	raw_response_free(&answer);
	raw_close(r);
	(void)close(fd);
	expect_status(port, READY "\r\n", 200, "{\"status\": \"ready\"}");
	free(path);
	cr_expect(server_stop(s) == 0);
}

/* A database that is gone or full of garbage; guarded routes need none. */
Test(restart, service_is_not_ready_while_its_store_is_damaged)
{
	struct server *s = suite_start("flask");
	int port = server_port(s);
	char *path = text_of("%s/corgi.db", server_data_dir(s));
	char *away = text_of("%s/away", server_data_dir(s));
	char *noise = text_repeat("no database", 4000);
	char *token = http_token(port);

	expect_status(port, READY "\r\n", 200, "{\"status\": \"ready\"}");
	cr_assert(rename(path, away) == 0);
	expect_status(port, READY "\r\n", 503, NULL);
	file_write(path, noise, strlen(noise));
	expect_status(port, READY "\r\n", 503, NULL);
	expect_status(port, GET "\r\n", 200, ALIVE);
	cr_expect(http_get_token(port, "/protected", token, NULL) == 200);
	cr_assert(rename(away, path) == 0);
	expect_status(port, READY "\r\n", 200, "{\"status\": \"ready\"}");
	cr_expect(http_login(port, DEMO_LOGIN, NULL) == 200);
	free(token);
	free(noise);
	free(away);
	free(path);
	cr_expect(server_stop(s) == 0);
}

/* Ask on a connection that is there. */
static void
expect_kept(struct raw *r, const char *name)
{
	struct raw_response answer;

	cr_expect(raw_send_text(r, GET "\r\n"), "%s", name);
	cr_expect(raw_read(r, false, &answer) == RAW_OK, "%s", name);
	check_json(name, &answer, 200, ALIVE);
	raw_response_free(&answer);
}

/* A connection too many: told so, whatever it asks, and closed. */
static void
expect_too_many(int port, const char *from)
{
	struct raw *r = raw_connect_from(port, from);
	struct raw_response answer;

	(void)raw_send_text(r, GET "\r\n");
	cr_expect(raw_read(r, false, &answer) == RAW_OK, "%s", from);
	check_member(from, &answer, 503, "error", "Too many connections");
	check_header(from, &answer, "Connection", "close");
	check_header(from, &answer, "Retry-After", "1");
	raw_response_free(&answer);
	cr_expect(raw_read_close(r, NULL), "%s: open", from);
	raw_close(r);
}

/* Ask from an address until a place has become free; whether it has. */
static bool
served_from(int port, const char *from)
{
	long long end = now_ms() + 5000;
	struct raw_response answer;
	struct raw *r;
	int status;

	do {
		r = raw_connect_from(port, from);
		(void)raw_send_text(r, GET "\r\n");
		(void)raw_read(r, false, &answer);
		status = answer.status;
		raw_response_free(&answer);
		raw_close(r);
	} while (status != 200 && now_ms() < end);
	return (status == 200);
}

/* Hold all places: each one is proven by an answer. */
static void
fill(struct raw **held, size_t n, int port, const char *from)
{
	size_t i;

	cr_expect(served_from(port, from));
	for (i = 0; i < n; i++) {
		held[i] = raw_connect_from(port, from);
		expect_kept(held[i], from);
	}
}

Test(restart, connection_too_many_for_a_worker_harms_no_other)
{
	struct server *s =
	    suite_start_with("flask", "CORGI_CONNECTIONS_PER_WORKER=5", NULL);
	int port = server_port(s);
	struct raw *held[5];
	size_t i;

	sleep_ms(100);
	fill(held, 5, port, "127.0.0.1");
	for (i = 0; i < 3; i++)
		expect_too_many(port, "127.0.0.1");
	expect_too_many(port, "127.0.0.2");
	for (i = 0; i < 5; i++)
		expect_kept(held[i], "held");
	raw_close(held[0]);
	cr_expect(served_from(port, "127.0.0.1"), "the place is not free");
	for (i = 1; i < 5; i++) {
		expect_kept(held[i], "held");
		raw_close(held[i]);
	}
	cr_expect(server_stop(s) == 0);
}

Test(restart, connection_too_many_for_an_address_harms_no_other)
{
	struct server *s =
	    suite_start_with("flask", "CORGI_CONNECTIONS_PER_ADDRESS=3", NULL);
	int port = server_port(s);
	struct raw *held[3], *other[3];
	size_t i;

	fill(held, 3, port, "127.0.0.2");
	for (i = 0; i < 3; i++)
		expect_too_many(port, "127.0.0.2");
	fill(other, 3, port, "127.0.0.3");
	for (i = 0; i < 3; i++) {
		expect_kept(held[i], "held");
		expect_kept(other[i], "other");
	}
	expect_too_many(port, "127.0.0.2");
	raw_close(held[0]);
	cr_expect(served_from(port, "127.0.0.2"), "the place is not free");
	for (i = 0; i < 3; i++) {
		if (i > 0)
			raw_close(held[i]);
		raw_close(other[i]);
	}
	cr_expect(server_stop(s) == 0);
}
