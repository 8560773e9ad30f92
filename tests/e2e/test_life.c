/*
 * Stop, crash, replacement, and a log that tells no secrets and no lies.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "check.h"
#include "http.h"
#include "suite.h"
#include "tok.h"

/* How long a killed worker may take to be replaced (milliseconds); a bound
 * for the test, no measure. */
#define REPLACE_MS 10000

TestSuite(life, .timeout = 120);

static bool wait_workers(const struct server *, size_t, pid_t);
static char *login_request(void);
static int listen_at(const char *, struct sockaddr_un *);

/* Wait until n workers are there and none of them is the one given. */
static bool
wait_workers(const struct server *s, size_t n, pid_t except)
{
	pid_t pids[16];
	long long end;
	size_t i, found;
	bool other;

	end = now_ms() + REPLACE_MS;
	while (now_ms() < end) {
		found = server_workers(s, pids, 16);
		other = found == n;
		for (i = 0; i < found; i++)
			other = other && pids[i] != except;
		if (other)
			return (true);
		sleep_ms(20);
	}
	return (false);
}

/* A good login as bytes. */
static char *
login_request(void)
{
	return (text_of("POST /login HTTP/1.1\r\nHost: localhost\r\n"
			"Content-Type: application/json\r\n"
			"Content-Length: %zu\r\n\r\n%s",
	    strlen(DEMO_LOGIN), DEMO_LOGIN));
}

/* A socket with hardly any room for connections. */
static int
listen_at(const char *path, struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_lt(strlen(path), sizeof(address->sun_path));
	(void)strcpy(address->sun_path, path);
	cr_assert_eq(bind(fd, (struct sockaddr *)address, sizeof(*address)), 0);
	cr_assert_eq(listen(fd, 0), 0);
	return (fd);
}

Test(life, sigterm_ends_with_status_0_and_leaves_nothing_behind)
{
	struct server *s;
	pid_t workers[8];
	size_t i, n;
	int port;

	s = suite_start("flask");
	port = server_port(s);
	cr_expect(http_get(port, "/health", NULL, NULL) == 200);
	n = server_workers(s, workers, 8);
	cr_expect(n == 1, "%zu workers", n);
	cr_expect(server_stop(s) == 0);
	for (i = 0; i < n; i++)
		cr_expect(process_gone(workers[i], 1000), "a worker is left");
	cr_expect(raw_try_connect(port) == NULL, "the port is still taken");
}

/* Clients that say nothing, or not all they have to say, hold nothing up. */
Test(life, idle_and_half_open_connections_do_not_hold_the_stop_up)
{
	struct raw_response answer;
	struct server *s = suite_start("flask");
	struct raw *idle, *silent, *half;

	idle = raw_connect(server_port(s));
	cr_expect(raw_send_text(
	    idle, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"));
	cr_expect(raw_read(idle, false, &answer) == RAW_OK);
	raw_response_free(&answer);
	silent = raw_connect(server_port(s));
	half = raw_connect(server_port(s));
	cr_expect(raw_send_text(half,
	    "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n"
	    "Content-Type: application/json\r\n\r\n{\"user"));
	cr_expect(kill(server_pid(s), SIGTERM) == 0);
	cr_expect(raw_read_close(idle, NULL), "an idle connection stays open");
	cr_expect(server_wait(s, SERVER_STOP_MS) == 0);
	raw_close(idle);
	raw_close(silent);
	raw_close(half);
	server_stop(s);
}

/* The worker has read the login once it answers what came behind it. */
Test(life, login_in_flight_is_answered_before_the_exit)
{
	struct raw_response answer;
	struct server *s;
	struct raw *r;
	char *request;

	s = suite_start_with("flask", "CORGI_ARGON2_PASSES=12",
	    "CORGI_SHUTDOWN_SECONDS=4", NULL);
	request = login_request();
	r = raw_connect(server_port(s));
	raw_set_wait(r, 10000);
	cr_expect(raw_send_text(r, request));
	cr_expect(http_get(server_port(s), "/health", NULL, NULL) == 200);
	cr_expect(kill(server_pid(s), SIGTERM) == 0);
	cr_expect(raw_read(r, false, &answer) == RAW_OK, "no answer");
	cr_expect(answer.status == 200, "status %d", answer.status);
	raw_response_free(&answer);
	cr_expect(raw_read_close(r, NULL));
	cr_expect(server_wait(s, SERVER_STOP_MS) == 0);
	raw_close(r);
	free(request);
	server_stop(s);
}

/* Those that wait for a thread count as well as the one that has it. */
Test(life, queued_logins_are_answered_before_the_exit)
{
	struct raw_response answer;
	struct raw *clients[6];
	struct server *s;
	char *request;
	size_t i;

	s = suite_start_with("flask", "CORGI_THREADS=1", "CORGI_LOGIN_QUEUE=50",
	    "CORGI_SHUTDOWN_SECONDS=4", NULL);
	request = login_request();
	for (i = 0; i < 6; i++) {
		clients[i] = raw_connect(server_port(s));
		raw_set_wait(clients[i], 10000);
		cr_expect(raw_send_text(clients[i], request));
	}
	cr_expect(http_get(server_port(s), "/health", NULL, NULL) == 200);
	cr_expect(kill(server_pid(s), SIGTERM) == 0);
	for (i = 0; i < 6; i++) {
		cr_expect(raw_read(clients[i], false, &answer) == RAW_OK,
		    "client %zu: no answer", i);
		cr_expect(answer.status == 200, "client %zu: status %d", i,
		    answer.status);
		raw_response_free(&answer);
		raw_close(clients[i]);
	}
	cr_expect(server_wait(s, SERVER_STOP_MS) == 0);
	free(request);
	server_stop(s);
}

/* Their work comes back to requests that are no more. */
Test(life, clients_that_leave_during_their_login_harm_nobody)
{
	struct server *s;
	struct raw *clients[20];
	char *request;
	pid_t before, after;
	size_t i;
	int round, fds = 0, grown = 1;

	s = suite_start_with("flask", "CORGI_THREADS=1", NULL);
	request = login_request();
	cr_assert(server_workers(s, &before, 1) == 1);
	cr_expect(http_login(server_port(s), DEMO_LOGIN, NULL) == 200);
	/* Threads in reserve open the database when they are first needed, so
	 * the number grows for some rounds, and then no more. */
	for (round = 0; round < 8 && grown > 0; round++) {
		for (i = 0; i < 20; i++) {
			clients[i] = raw_connect(server_port(s));
			cr_expect(raw_send_text(clients[i], request));
		}
		cr_expect(
		    http_get(server_port(s), "/health", NULL, NULL) == 200);
		for (i = 0; i < 20; i++) {
			if (i % 2 == 0)
				raw_reset(clients[i]);
			else
				raw_close(clients[i]);
		}
		cr_expect(http_login(server_port(s), DEMO_LOGIN, NULL) == 200);
		grown = process_fds(before) - fds;
		for (i = 0; i < 100 && grown > 0; i++) {
			sleep_ms(20);
			grown = process_fds(before) - fds;
		}
		fds += grown;
	}
	cr_assert(server_workers(s, &after, 1) == 1);
	cr_expect(before == after, "the worker was replaced");
	cr_expect(grown <= 0, "still growing at %d descriptors", fds);
	free(request);
	cr_expect(server_stop(s) == 0);
}

Test(life, killed_worker_is_replaced_and_the_service_goes_on)
{
	struct server *s = suite_start("flask");
	char *token;
	pid_t pid;
	int i;

	server_expect_crash(s);
	token = http_token(server_port(s));
	for (i = 0; i < 3; i++) {
		cr_assert(server_workers(s, &pid, 1) == 1);
		cr_assert(kill(pid, SIGKILL) == 0);
		cr_expect(wait_workers(s, 1, pid), "not replaced");
		cr_expect(http_get_token(server_port(s), "/protected", token,
			      NULL) == 200);
		cr_expect(http_login(server_port(s), DEMO_LOGIN, NULL) == 200);
	}
	free(token);
	cr_expect(server_stop(s) == 0);
}

Test(life, other_workers_answer_while_one_is_replaced)
{
	static const struct server_options options = {.workers = 3};
	struct server *s;
	pid_t pids[8];
	char *token;
	int i;

	s = server_start(&options);
	server_expect_crash(s);
	token = http_token(server_port(s));
	cr_assert(wait_workers(s, 3, -1));
	cr_assert(server_workers(s, pids, 8) == 3);
	cr_assert(kill(pids[1], SIGKILL) == 0);
	for (i = 0; i < 20; i++)
		cr_expect(raw_exchange_text(server_port(s),
			      "GET /health HTTP/1.1\r\nHost: h\r\n\r\n",
			      NULL) == 200);
	cr_expect(wait_workers(s, 3, pids[1]), "not replaced");
	cr_expect(
	    http_get_token(server_port(s), "/protected", token, NULL) == 200);
	free(token);
	cr_expect(server_stop(s) == 0);
}

/* All have the same key: whoever takes the connection, the answer is one. */
Test(life, many_workers_agree)
{
	static const struct server_options options = {.workers = 4};
	struct raw_response answer;
	struct raw *clients[24];
	struct server *s;
	char *token, *request;
	size_t i;

	s = server_start(&options);
	cr_assert(wait_workers(s, 4, -1));
	token = http_token(server_port(s));
	request = text_of("GET /protected HTTP/1.1\r\nHost: h\r\n"
			  "Authorization: Bearer %s\r\n\r\n",
	    token);
	for (i = 0; i < 24; i++)
		clients[i] = raw_connect(server_port(s));
	for (i = 0; i < 24; i++) {
		cr_expect(raw_send_text(clients[i], request));
		cr_expect(raw_read(clients[i], false, &answer) == RAW_OK);
		check_json("worker", &answer, 200, PROTECTED_JSON);
		raw_response_free(&answer);
		raw_close(clients[i]);
	}
	free(request);
	free(token);
	cr_expect(server_stop(s) == 0);
}

/* Kore then starts one for each processor. */
Test(life, configuration_need_not_say_how_many_workers)
{
	static const struct server_options options = {
	    .workers = WORKERS_UNSAID};
	struct server *s;
	pid_t pids[1];

	s = server_start(&options);
	cr_expect(http_login(server_port(s), DEMO_LOGIN, NULL) == 200);
	cr_expect(server_workers(s, pids, 1) == 1);
	cr_expect(server_stop(s) == 0);
}

/* Without their parent the workers end, or the next start would share its
 * port and database with them. */
Test(life, workers_end_with_their_parent)
{
	struct server *s = suite_start("flask");
	pid_t worker;

	cr_assert(server_workers(s, &worker, 1) == 1);
	cr_assert(kill(server_pid(s), SIGKILL) == 0);
	cr_expect(server_wait(s, SERVER_STOP_MS) == 128 + SIGKILL);
	if (!process_gone(worker, SERVER_STOP_MS)) {
		cr_expect(false, "the worker lives on");
		(void)kill(worker, SIGKILL);
	}
	server_stop(s);
}

/* Kore would load the module anew under the running threads. */
Test(life, sighup_changes_nothing)
{
	struct server *s = suite_start("flask");
	char *token;
	pid_t before, after;
	int i;

	token = http_token(server_port(s));
	cr_assert(server_workers(s, &before, 1) == 1);
	for (i = 0; i < 3; i++) {
		cr_expect(kill(server_pid(s), SIGHUP) == 0);
		cr_expect(http_get_token(server_port(s), "/protected", token,
			      NULL) == 200);
		cr_expect(http_login(server_port(s), DEMO_LOGIN, NULL) == 200);
	}
	cr_assert(server_workers(s, &after, 1) == 1);
	cr_expect(before == after, "the worker was replaced");
	free(token);
	cr_expect(server_stop(s) == 0);
}

/* Line ends and escape sequences that a client sends stay within their line. */
Test(life, nobody_writes_lines_of_their_own_into_the_log)
{
	static const char *const bodies[] = {
	    "{\"username\": \"x\\r\\nFORGED one\", \"password\": \"x\"}",
	    "{\"username\": \"x\\nFORGED two\\u001b[2J\", \"password\": "
	    "\"x\"}",
	    "{\"username\": \"x\\u2028FORGED\\u0085\", \"password\": \"x\"}",
	};
	struct server *s = suite_start("flask");
	char *log, *token;
	const char *p;
	size_t i;

	for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		cr_expect(http_login(server_port(s), bodies[i], NULL) == 401);
	token = tok_make("{\"alg\":\"HS256\",\"crit\":[\"x\\nFORGED three\"]}",
	    "{}", TOK_SECRET);
	cr_expect(
	    http_get_token(server_port(s), "/protected", token, NULL) == 422);
	(void)raw_exchange_text(server_port(s),
	    "GET /x%0d%0aFORGED HTTP/1.1\r\nHost: h\r\n\r\n", NULL);
	(void)raw_exchange_text(server_port(s),
	    "GET /x\x1b[31mFORGED HTTP/1.1\r\nHost: h\r\n\r\n", NULL);
	cr_expect(http_get(server_port(s), "/protected", NULL, NULL) == 401);
	cr_expect(
	    server_log_wait(s, "refused", 2000), "refusals leave no line");
	log = server_log(s);
	for (p = log; (p = strstr(p, "\nFORGED")) != NULL; p++)
		cr_expect(false, "a line of the client's own");
	for (p = log; *p != '\0'; p++)
		cr_expect(*p == '\n' || *p == '\t' || (*p >= ' ' && *p <= '~'),
		    "the log holds byte %02x", (unsigned int)(unsigned char)*p);
	free(log);
	free(token);
	server_stop(s);
}

/* What must never be found in the log, whatever was refused or granted. */
Test(life, the_log_holds_no_password_token_or_secret)
{
	struct server *s = suite_start("flask");
	char *token, *expired, *foreign, *signature, *log;
	int port;

	port = server_port(s);
	token = http_token(port);
	expired = tok_make(TOK_HEADER,
	    "{\"sub\":\"cosmo\",\"jti\":\"j\",\"exp\":1}", TOK_SECRET);
	foreign = tok_make(TOK_HEADER, TOK_CLAIMS, "guessed-secret");
	cr_expect(http_get_token(port, "/protected", token, NULL) == 200);
	cr_expect(http_get_token(port, "/protected", expired, NULL) == 401);
	cr_expect(http_get_token(port, "/protected", foreign, NULL) == 422);
	cr_expect(http_login(port,
		      "{\"username\": \"cosmo\", \"password\": "
		      "\"wrong-guess-77\"}",
		      NULL) == 401);
	cr_expect(http_login(port,
		      "{\"username\": 5, \"password\": \"wrong-guess-78\"}",
		      NULL) == 400);
	cr_expect(
	    http_login(port, "{\"password\": \"wrong-guess-79\"", NULL) == 400);
	cr_expect(http_login(port,
		      "{\"username\": \"wrong-guess-80\", \"password\": "
		      "\"wrong-guess-81\", \"wrong-guess-82\": 1}",
		      NULL) == 400);
	cr_expect(server_log_wait(s, "refused", 2000));
	log = server_log(s);
	signature = tok_segment(token, 2);
	cr_expect(strstr(log, signature) == NULL, "a good token's signature");
	free(signature);
	signature = tok_segment(expired, 2);
	cr_expect(strstr(log, signature) == NULL, "an old token's signature");
	free(signature);
	signature = tok_segment(foreign, 1);
	cr_expect(strstr(log, signature) == NULL, "a bad token's payload");
	free(signature);
	cr_expect(strstr(log, TOK_SECRET) == NULL, "the secret");
	cr_expect(strstr(log, DEMO_PASSWORD) == NULL, "the password");
	cr_expect(strstr(log, "wrong-guess") == NULL, "a wrong password");
	cr_expect(strstr(log, "argon2id$") == NULL, "a hash");
	free(log);
	free(token);
	free(expired);
	free(foreign);
	server_stop(s);
}

/* A service that hangs takes no connection any more, and the names of its
 * sockets are not for everything that begins like them. */
Test(life, what_lies_in_the_data_folder_does_not_hold_the_start_up)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char *folder = scratch_new(), *note, *gone, *hung;
	struct server_options options = {.data_dir = folder};
	int fd, client, i, full = 0;

	note = text_of("%s/control.notes", folder);
	gone = text_of("%s/control.gone", folder);
	hung = text_of("%s/control.hung", folder);
	fd = open(note, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_assert(fd != -1 && close(fd) == 0);
	fd = listen_at(gone, &address);
	cr_assert_eq(close(fd), 0);
	fd = listen_at(hung, &address);
	for (i = 0; i < 8 && !full; i++) {
		client = socket(
		    AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		full = connect(client, (struct sockaddr *)&address,
			   sizeof(address)) == -1 &&
		    errno == EAGAIN;
	}
	cr_assert(full, "the socket takes any number of connections");

	cr_expect(server_stop(server_start(&options)) == 0);
	cr_expect(access(note, F_OK) == 0, "a file is gone");
	cr_expect(access(hung, F_OK) == 0, "a socket in use is gone");
	cr_expect(access(gone, F_OK) == -1, "a left socket is there");
	(void)close(fd);
	free(note);
	free(gone);
	free(hung);
	scratch_free(folder);
}
