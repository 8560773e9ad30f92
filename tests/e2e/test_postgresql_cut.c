/*
 * The network between a node and its PostgreSQL server is cut: nothing is
 * refused and nothing answered, packets just do not arrive. The server is in a
 * network of its own at the other end of a wire that the test takes away.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <postgresql/libpq-fe.h>

#include "check.h"
#include "database.h"
#include "http.h"
#include "sess.h"
#include "suite.h"
#include "tok.h"

/* The two ends of the wire. */
#define NODE_ADDRESS   "10.77.0.1"
#define SERVER_ADDRESS "10.77.0.2"

/* How long the node goes on without word, and how long the cut lasts
 * (seconds). */
#define SILENCE_SECONDS 3
#define CUT_SECONDS     15

/* How long what has to happen may take at most (milliseconds). */
#define PATIENCE_MS 20000

static void begin(void);
static void end(void);
static void run(const char *);
static bool far_away(void);
static void be_far_away(int, int) __attribute__((noreturn));
static PGconn *administrator(void);
static void end_session(const char *);

TestSuite(postgresql_cut, .init = begin, .fini = end, .timeout = 120);

/* The server's folder, where it is from there and from here; NULL: none. */
static char *folder, *local, *setting;

static void
run(const char *command)
{
	if (system(command) != 0)
		cr_assert_fail("%s", command);
}

/* In the process whose network the server is in, which goes with it. */
static void
be_far_away(int ready, int go)
{
	char byte = unshare(CLONE_NEWNET) == 0, *url;
	char line[SERVER_PATH_MAX] = "";

	if (write(ready, &byte, 1) != 1 || read(go, &byte, 1) != 1)
		_exit(1);
	run("ip link set lo up; ip link set wire up;"
	    " ip address add " SERVER_ADDRESS "/24 dev wire");
	url = database_server(folder, "start", SERVER_ADDRESS);
	(void)snprintf(line, sizeof(line), "%s", url);
	if (write(ready, line, sizeof(line)) == (ssize_t)sizeof(line))
		(void)!read(go, &byte, 1);
	_exit(0);
}

/* Start the server there. False where no network may be made. */
static bool
far_away(void)
{
	char line[SERVER_PATH_MAX], *command, byte = 0;
	int ready[2], go[2];
	pid_t there;

	if (unshare(CLONE_NEWNET) == -1)
		return (false);
	cr_assert(pipe(ready) == 0 && pipe(go) == 0);
	if ((there = fork()) == 0) {
		(void)close(go[1]);
		be_far_away(ready[1], go[0]);
	}
	cr_assert(read(ready[0], &byte, 1) == 1 && byte == 1);
	command = text_of("ip link set lo up; ip link add node type veth"
			  " peer name wire netns %d && ip link set node up &&"
			  " ip address add " NODE_ADDRESS "/24 dev node",
	    (int)there);
	run(command);
	free(command);
	cr_assert(write(go[1], "", 1) == 1);
	cr_assert(read(ready[0], line, sizeof(line)) == sizeof(line));
	local = strdup(line);
	return (true);
}

static PGconn *
administrator(void)
{
	PGconn *conn = PQconnectdb(local);

	cr_assert(PQstatus(conn) == CONNECTION_OK, "%s", PQerrorMessage(conn));
	return (conn);
}

static void
begin(void)
{
	const char *port;
	PGconn *conn;

	database_need_server();
	folder = scratch_new();
	if (!far_away()) {
		scratch_free(folder);
		cr_skip_test("no network of its own can be made here");
	}
	conn = administrator();
	PQclear(PQexec(conn,
	    "CREATE ROLE corgi LOGIN PASSWORD 'pw';"
	    "GRANT CREATE ON DATABASE postgres TO corgi"));
	PQfinish(conn);
	port = strstr(local, "port=") + 5;
	setting = text_of("CORGI_DATABASE=postgresql://corgi:pw@" SERVER_ADDRESS
			  ":%.*s/postgres",
	    (int)strcspn(port, "&"), port);
}

static void
end(void)
{
	if (local == NULL)
		return;
	free(database_server(folder, "stop", NULL));
	free(setting);
	free(local);
	scratch_free(folder);
}

/* What another node would do, which still has the server. */
static void
end_session(const char *sid)
{
	PGconn *conn = administrator();
	char *sql =
	    text_of("BEGIN; SELECT pg_advisory_xact_lock(1131377255, 2);"
		    "DELETE FROM corgi.sessions WHERE id = '%s';"
		    "INSERT INTO corgi.revocations"
		    " (kind, key, version, before, until)"
		    " VALUES (2, '%s', 0, 0, 9223372036854775807);"
		    "NOTIFY corgi_revocations; COMMIT",
		sid, sid);
	PGresult *answer = PQexec(conn, sql);

	cr_assert(PQresultStatus(answer) == PGRES_COMMAND_OK, "%s",
	    PQerrorMessage(conn));
	PQclear(answer);
	PQfinish(conn);
	free(sql);
}

Test(postgresql_cut, a_node_cut_off_serves_no_revoked_token_when_it_is_back)
{
	char *silence = text_of("CORGI_DATABASE_SILENCE=%d", SILENCE_SECONDS);
	const char *env[] = {
	    "JWT_SECRET_KEY=" TOK_SECRET, setting, silence, NULL};
	struct server_options options = {.environment = env, .workers = 2};
	struct server *s = server_start(&options);
	int port = server_port(s), status, refused = 0;
	struct pair ended = pair_demo(port), kept = pair_demo(port);
	char *sid = sess_claim(ended.access, "sid");
	long long began, served = 0;

	cr_assert(
	    http_get_token(port, "/protected", ended.access, NULL) == 200);
	run("ip link set node down");
	began = now_ms();
	end_session(sid);
	while (now_ms() - began < CUT_SECONDS * 1000) {
		status = http_get_token(port, "/protected", ended.access, NULL);
		cr_expect(status == 200 || status == 503, "%d", status);
		if (status == 200) {
			cr_expect(refused == 0, "served again");
			served = now_ms() - began;
		} else
			refused++;
		sleep_ms(50);
	}
	cr_expect(served < SILENCE_SECONDS * 1000 + 500, "served for %lld ms",
	    served);
	cr_expect(http_get(port, "/ready", NULL, NULL) == 503);
	cr_expect(http_login(port, DEMO_LOGIN, NULL) == 503);
	cr_expect(http_get(port, "/health", NULL, NULL) == 200);

	run("ip link set node up");
	began = now_ms();
	do {
		status = http_get_token(port, "/protected", ended.access, NULL);
		cr_expect(status == 503 || status == 401, "%d", status);
		sleep_ms(10);
	} while (status != 401 && now_ms() - began < PATIENCE_MS);
	cr_expect(status == 401, "%d", status);
	cr_expect(http_get_token(port, "/protected", kept.access, NULL) == 200);
	while (http_login(port, DEMO_LOGIN, NULL) != 200 &&
	    now_ms() - began < PATIENCE_MS)
		sleep_ms(50);
	cr_expect(now_ms() - began < PATIENCE_MS, "it does not come back");
	pair_free(&ended);
	pair_free(&kept);
	free(sid);
	server_stop(s);
	free(silence);
}
