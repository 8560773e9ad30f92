/*
 * A PostgreSQL server that is down, crashes, is slow, full or cut off: what is
 * answered meanwhile, that it is noticed in time, and that the service is back
 * by itself, with all that it had acknowledged.
 */
#include <sys/wait.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <postgresql/libpq-fe.h>

#include "check.h"
#include "database.h"
#include "http.h"
#include "nodes.h"
#include "sess.h"
#include "suite.h"
#include "tok.h"

/* How long what has to happen may take at most (milliseconds). */
#define PATIENCE_MS 20000

/* How long the node goes on without the database. */
#define SILENCE         "CORGI_DATABASE_SILENCE=3"
#define SILENCE_SECONDS 3

/* Clients while the server crashes, and how long they work. */
#define CLIENTS 4
#define WORK_MS 4000

/* Logins at once, many more than may wait. */
#define CROWD 30

static void begin(void);
static void end(void);
static void server(const char *);
static struct server *start(const char *, const char *, const char *);
static bool comes_to(int, const char *, const char *, int);
static void log_in(int, struct pair *);
static void work(int, int, long long) __attribute__((noreturn));
static void expect_down(int);
static PGconn *administrator(void);

TestSuite(postgresql_down, .init = begin, .fini = end, .timeout = 180);

/* The test's own server; where it is, as a setting. */
static char *folder;
static char *setting;

static void
begin(void)
{
	char *url;

	database_need_server();
	folder = scratch_new();
	url = database_server(folder, "start", NULL);
	setting = text_of("CORGI_DATABASE=%s", url);
	free(url);
}

static void
end(void)
{
	if (folder == NULL)
		return;
	server("stop");
	free(setting);
	scratch_free(folder);
}

/* Stop the server, as in a crash, or let it come back. */
static void
server(const char *command)
{
	free(database_server(folder, command, NULL));
}

static struct server *
start(const char *database, const char *one, const char *two)
{
	const char *env[] = {"JWT_SECRET_KEY=" TOK_SECRET,
	    "CORGI_REFRESH_GRACE=300", database, one, one == NULL ? NULL : two,
	    NULL};
	struct server_options options;

	memset(&options, 0, sizeof(options));
	options.environment = env;
	return (server_start(&options));
}

/* Whether a request comes to have this status in time. */
static bool
comes_to(int port, const char *path, const char *token, int status)
{
	long long until = now_ms() + PATIENCE_MS;

	while (http_get_token(port, path, token, NULL) != status) {
		if (now_ms() > until)
			return (false);
		sleep_ms(20);
	}
	return (true);
}

/* What does not need the database goes on; the rest says when to come again. */
static void
expect_down(int port)
{
	struct raw_response answer;

	cr_expect(http_get(port, "/health", NULL, NULL) == 200);
	cr_expect(http_get(port, "/ready", NULL, NULL) == 503);
	cr_expect(http_login(port, DEMO_LOGIN, &answer) == 503);
	cr_expect(raw_header(&answer, "retry-after") != NULL);
	raw_response_free(&answer);
	cr_expect(http_get_token(port, "/protected", "a.b.c", NULL) == 422);
}

/* It has never been there: not even its tables have been made. */
Test(postgresql_down, at_the_start_is_told_and_tried_again)
{
	struct server *s;
	char *token;
	int port;

	server("stop");
	s = start(setting, SILENCE, NULL);
	port = server_port(s);
	cr_expect(server_log_wait(s, "trying again", 5000));
	expect_down(port);
	server("resume");
	cr_expect(comes_to(port, "/ready", "any", 200));
	cr_expect(server_log_wait(s, "the database is there", 5000));
	token = http_token(port);
	cr_expect(http_get_token(port, "/protected", token, NULL) == 200);
	server_stop(s);
	free(token);
}

/* Nobody knows what has been revoked while the service was away. */
Test(postgresql_down, a_node_that_has_never_heard_lets_nobody_through)
{
	struct server *s = start(setting, "CORGI_DATABASE_SILENCE=0", NULL);
	char *token = http_token(server_port(s));
	int i;

	server_stop(s);
	server("stop");
	s = start(setting, "CORGI_DATABASE_SILENCE=0", NULL);
	for (i = 0; i < 5; i++)
		cr_expect(http_get_token(server_port(s), "/protected", token,
			      NULL) == 503);
	server("resume");
	cr_expect(comes_to(server_port(s), "/protected", token, 200));
	server_stop(s);
	free(token);
}

Test(postgresql_down, later_on_guarded_routes_go_on_for_the_time_set)
{
	struct server *s = start(setting, SILENCE, NULL);
	int port = server_port(s);
	char *token = http_token(port);
	long long began;

	server("stop");
	began = now_ms();
	cr_expect(http_get_token(port, "/protected", token, NULL) == 200);
	expect_down(port);
	cr_expect(comes_to(port, "/protected", token, 503));
	cr_expect(now_ms() - began < SILENCE_SECONDS * 1000 + 1500);
	expect_down(port);
	server("resume");
	cr_expect(comes_to(port, "/ready", "any", 200));
	cr_expect(comes_to(port, "/protected", token, 200));
	cr_expect(http_login(port, DEMO_LOGIN, NULL) == 200);
	server_stop(s);
	free(token);
}

/* What a client has been told; it ends with how its session stands. */
struct told {
	int refreshes;     /* acknowledged */
	int refused;       /* answered 503 */
	int wrong;         /* answered what cannot be */
	char ended[4096];  /* the access token of a session it has ended */
	char newest[4096]; /* the refresh token of another */
};

/* In a process of its own, as often as it takes. */
static void
log_in(int port, struct pair *out)
{
	struct raw_response answer;
	bool in = false;

	while (!in) {
		in = http_login(port, DEMO_LOGIN, &answer) == 200 &&
		    pair_take(&answer, out);
		raw_response_free(&answer);
		if (!in)
			sleep_ms(10);
	}
}

/* The same: log in, refresh and log out until the time is over,
 * and never take no for an answer. */
static void
work(int port, int report, long long until)
{
	struct told told;
	struct pair pair, next;
	int status;

	memset(&told, 0, sizeof(told));
	log_in(port, &pair);
	if (sess_ask(port, "DELETE", "/logout", pair.access, NULL, NULL) == 200)
		(void)snprintf(
		    told.ended, sizeof(told.ended), "%s", pair.access);
	pair_free(&pair);
	log_in(port, &pair);
	while (now_ms() < until) {
		status = pair_refresh(port, pair.refresh, &next);
		if (status == 200) {
			pair_free(&pair);
			pair = next;
			told.refreshes++;
		} else if (status == 503) {
			told.refused++;
			sleep_ms(10);
		} else {
			told.wrong++;
		}
	}
	(void)snprintf(told.newest, sizeof(told.newest), "%s", pair.refresh);
	_exit(write(report, &told, sizeof(told)) != sizeof(told));
}

Test(postgresql_down, a_crash_under_load_loses_nothing_acknowledged)
{
	struct server *s = start(setting, NULL, NULL);
	int port = server_port(s), report[2], status, i;
	long long until = now_ms() + WORK_MS;
	int refreshes = 0, refused = 0;
	struct told told[CLIENTS];
	pid_t clients[CLIENTS];

	cr_assert(pipe(report) == 0);
	for (i = 0; i < CLIENTS; i++)
		if ((clients[i] = fork()) == 0)
			work(port, report[1], until);
	(void)close(report[1]);
	for (i = 0; i < 2; i++) {
		sleep_ms(WORK_MS / 4);
		server("stop");
		sleep_ms(200);
		server("resume");
	}
	for (i = 0; i < CLIENTS; i++)
		cr_assert(read(report[0], &told[i], sizeof(told[i])) ==
		    sizeof(told[i]));
	for (i = 0; i < CLIENTS; i++)
		cr_expect(
		    waitpid(clients[i], &status, 0) == clients[i] && !status);
	cr_assert(comes_to(port, "/ready", "any", 200));
	for (i = 0; i < CLIENTS; i++) {
		refreshes += told[i].refreshes;
		refused += told[i].refused;
		cr_expect(told[i].wrong == 0, "%d answers", told[i].wrong);
		cr_expect(told[i].ended[0] != '\0');
		cr_expect(http_get_token(
			      port, "/protected", told[i].ended, NULL) == 401);
		cr_expect(pair_refresh(port, told[i].newest, NULL) == 200,
		    "a session was lost or forked");
	}
	cr_expect(refreshes > CLIENTS && refused > 0,
	    "%d refreshes, %d refused", refreshes, refused);
	server_stop(s);
}

static PGconn *
administrator(void)
{
	PGconn *conn = PQconnectdb(strchr(setting, '=') + 1);

	cr_assert(PQstatus(conn) == CONNECTION_OK, "%s", PQerrorMessage(conn));
	return (conn);
}

Test(postgresql_down, a_slow_one_fills_the_queue_and_no_more)
{
	struct server *s =
	    start(setting, "CORGI_THREADS=1", "CORGI_LOGIN_QUEUE=2");
	int port = server_port(s), i, busy = 0;
	PGconn *other = administrator();
	struct raw *connections[CROWD];
	struct raw_response answer;
	char *token = http_token(port), *text, *json;
	long long began;

	PQclear(PQexec(other, "BEGIN; LOCK TABLE corgi.users"));
	json = sess_login_json(DEMO_USER, DEMO_PASSWORD);
	text = sess_text("POST", "/login", NULL, NULL, json);
	began = now_ms();
	for (i = 0; i < CROWD; i++) {
		connections[i] = raw_connect(port);
		cr_assert(raw_send_text(connections[i], text));
	}
	cr_expect(http_get(port, "/health", NULL, NULL) == 200);
	cr_expect(http_get_token(port, "/protected", token, NULL) == 200);
	for (i = 0; i < CROWD; i++) {
		raw_set_wait(connections[i], 300);
		memset(&answer, 0, sizeof(answer));
		if (raw_read(connections[i], false, &answer) == RAW_OK)
			busy += answer.status == 503 &&
			    raw_header(&answer, "retry-after") != NULL;
		raw_response_free(&answer);
	}
	cr_expect(busy >= CROWD - 6, "%d of %d were turned away", busy, CROWD);
	cr_expect(now_ms() - began < 5000, "turned away too late");
	PQclear(PQexec(other, "ROLLBACK"));
	for (i = 0; i < CROWD; i++)
		raw_close(connections[i]);
	cr_expect(comes_to(port, "/ready", "any", 200));
	cr_expect(http_login(port, DEMO_LOGIN, NULL) == 200);
	PQfinish(other);
	server_stop(s);
	free(token);
	free(text);
	free(json);
}

/* One connection is enough to follow the log, and not to log in. */
Test(postgresql_down, one_without_connections_left_is_told_and_recovers)
{
	PGconn *other = administrator();
	struct server *s;
	char *database, *host = text_of("%s", strstr(setting, "?host="));

	PQclear(PQexec(other,
	    "CREATE ROLE few LOGIN; GRANT CREATE ON DATABASE postgres TO few"));
	*strstr(host, "&user=") = '\0';
	database =
	    text_of("CORGI_DATABASE=postgresql:///postgres%s&user=few", host);
	s = start(database, NULL, NULL);
	cr_expect(http_login(server_port(s), DEMO_LOGIN, NULL) == 200);
	PQclear(PQexec(other, "ALTER ROLE few CONNECTION LIMIT 0"));
	PQclear(PQexec(other,
	    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
	    " WHERE usename = 'few'"));
	expect_down(server_port(s));
	cr_expect(server_log_wait(s, "too many connections", 5000));
	PQclear(PQexec(other, "ALTER ROLE few CONNECTION LIMIT 50"));
	cr_expect(comes_to(server_port(s), "/ready", "any", 200));
	cr_expect(http_login(server_port(s), DEMO_LOGIN, NULL) == 200);
	PQfinish(other);
	server_stop(s);
	free(database);
	free(host);
}

/* The log of attempts does not outlive a crash of the server, the nodes' counts
 * do; and what comes after it is told as before. */
Test(postgresql_down, nodes_count_failures_together_again_after_a_crash)
{
	static const char account[] = "CORGI_THROTTLE_ACCOUNT=5",
			  seconds[] = "CORGI_THROTTLE_SECONDS=3600";
	struct server *a = start(setting, account, seconds);
	struct server *b = start(setting, account, seconds);
	int i;

	for (i = 0; i < 3; i++)
		cr_expect(
		    sess_login(server_port(a), DEMO_USER, "wrong") == 401);
	cr_expect(nodes_hears(b, DEMO_USER, 3));
	server("stop");
	cr_expect(sess_login(server_port(b), DEMO_USER, "wrong") == 503);
	server("resume");
	cr_expect(comes_to(server_port(a), "/ready", NULL, 200));
	cr_expect(comes_to(server_port(b), "/ready", NULL, 200));
	cr_expect(nodes_counted(a, DEMO_USER) == 3);
	cr_expect(nodes_counted(b, DEMO_USER) == 3);

	cr_expect(sess_login(server_port(a), DEMO_USER, "wrong") == 401);
	cr_expect(nodes_hears(b, DEMO_USER, 4));
	cr_expect(sess_login(server_port(b), DEMO_USER, "wrong") == 401);
	cr_expect(nodes_hears(a, DEMO_USER, 5));
	cr_expect(sess_login(server_port(a), DEMO_USER, DEMO_PASSWORD) == 429);
	cr_expect(sess_login(server_port(b), DEMO_USER, DEMO_PASSWORD) == 429);
	server_stop(a);
	server_stop(b);
}
