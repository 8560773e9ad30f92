/*
 * Two nodes, each with a data folder of its own, on one PostgreSQL database:
 * what is revoked on one is refused on the other, and a node that has lost the
 * database guesses nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "check.h"
#include "database.h"
#include "http.h"
#include "sess.h"
#include "suite.h"
#include "tok.h"

/* Logouts that are measured, and refreshes at once. */
#define LOGOUTS    100
#define CONCURRENT 20

/* How long the node that is cut off hears nothing before it notices. */
#define SILENCE_SECONDS 3

/* How long what has to happen may take at most (milliseconds). */
#define PATIENCE_MS 20000

static void begin(void);
static void end(void);
static struct server *start(const char *, const char *, const char *);
static void start_both(const char *, const char *);
static void cut_off(void);
static void connect_again(void);
static long long refused_after(const char *);
static int compare(const void *, const void *);
static bool comes_to(int, const char *, const char *, int, int);

TestSuite(nodes, .init = begin, .fini = end, .timeout = 180);

/* The folder that the database goes with; the nodes, each with a role. */
static char *folder;
static char role_a[32], role_b[32];
static struct server *a, *b;

static void
begin(void)
{
	database_need_server();
	folder = scratch_new();
	(void)snprintf(role_a, sizeof(role_a), "e2e_a_%d", (int)getpid());
	(void)snprintf(role_b, sizeof(role_b), "e2e_b_%d", (int)getpid());
	database_role(folder, role_a, "pw-a");
	database_role(folder, role_b, "pw-b");
}

static void
end(void)
{
	if (folder == NULL)
		return;
	scratch_free(folder);
	database_role_drop(role_a);
	database_role_drop(role_b);
}

static struct server *
start(const char *database, const char *setting, const char *text)
{
	const char *env[] = {
	    "JWT_SECRET_KEY=" TOK_SECRET, database, setting, NULL};
	struct server_options options;

	memset(&options, 0, sizeof(options));
	options.environment = env;
	options.routes = text;
	options.workers = 2;
	return (server_start(&options));
}

/* The first makes the tables, and lets the second use them. */
static void
start_both(const char *setting, const char *text)
{
	char *one, *other, *sql;

	one = database_setting(folder, role_a, "pw-a", "127.0.0.1", "");
	other = database_setting(folder, role_b, "pw-b", "127.0.0.1", "");
	a = start(one, setting, text);
	sql = text_of("GRANT %s TO %s", role_a, role_b);
	free(database_query(folder, sql));
	b = start(other, setting, text);
	free(sql);
	free(one);
	free(other);
}

/* Whether a request on a node comes to have this status, and, until then, only
 * the other one. */
static bool
comes_to(int port, const char *path, const char *token, int status, int before)
{
	long long until = now_ms() + PATIENCE_MS;
	int got;

	for (;;) {
		got = http_get_token(port, path, token, NULL);
		if (got == status)
			return (true);
		cr_expect(
		    got == before, "%s: %d, not %d before", path, got, before);
		if (got != before || now_ms() > until)
			return (false);
		sleep_ms(20);
	}
}

/* How long after its answer a logout on the first node is known on the second
 * (milliseconds). */
static long long
refused_after(const char *token)
{
	long long answered;

	cr_assert(
	    http_get_token(server_port(b), "/protected", token, NULL) == 200);
	cr_assert(sess_ask(server_port(a), "DELETE", "/logout", token, NULL,
		      NULL) == 200);
	answered = now_ms();
	while (
	    http_get_token(server_port(b), "/protected", token, NULL) != 401) {
		cr_assert(now_ms() - answered < PATIENCE_MS);
		sleep_ms(1);
	}
	return (now_ms() - answered);
}

static int
compare(const void *x, const void *y)
{
	const long long *l = x, *r = y;

	return ((*l > *r) - (*l < *r));
}

/* Without being told, a node would ask once a second. */
Test(nodes, a_logout_on_one_is_told_to_the_other_at_once)
{
	long long delays[LOGOUTS];
	struct pair pair;
	int i;

	start_both(NULL, NULL);
	for (i = 0; i < LOGOUTS; i++) {
		pair = pair_demo(server_port(a));
		delays[i] = refused_after(pair.access);
		pair_free(&pair);
	}
	qsort(delays, LOGOUTS, sizeof(delays[0]), compare);
	(void)fprintf(stderr,
	    "delay of a logout: median %lld ms, p99 %lld ms, longest %lld ms\n",
	    delays[LOGOUTS / 2], delays[(LOGOUTS * 99 - 1) / 100],
	    delays[LOGOUTS - 1]);
	cr_expect(delays[LOGOUTS * 9 / 10] < 100, "%lld ms",
	    delays[LOGOUTS * 9 / 10]);
	server_stop(a);
	server_stop(b);
}

Test(nodes, a_strict_guard_knows_of_a_logout_without_delay)
{
	char *text = suite_routes("access strict");
	struct pair pair, other;
	int i;

	start_both("CORGI_DATABASE_SILENCE=3600", text);
	other = pair_demo(server_port(a));
	for (i = 0; i < LOGOUTS; i++) {
		pair = pair_demo(server_port(a));
		cr_assert(http_get_token(server_port(b), "/protected",
			      pair.access, NULL) == 200);
		cr_assert(sess_ask(server_port(a), "DELETE", "/logout",
			      pair.access, NULL, NULL) == 200);
		cr_expect(http_get_token(server_port(b), "/protected",
			      pair.access, NULL) == 401,
		    "accepted after logout %d", i);
		cr_expect(http_get_token(server_port(b), "/protected",
			      other.access, NULL) == 200);
		pair_free(&pair);
	}
	cut_off();
	cr_expect(http_get_token(
		      server_port(b), "/protected", other.access, NULL) == 503,
	    "answered without the database");
	cr_expect(
	    http_get_token(server_port(b), "/protected", "a.b.c", NULL) == 422);
	cr_expect(
	    http_get_token(server_port(b), "/me", other.access, NULL) == 200);
	connect_again();
	cr_expect(
	    comes_to(server_port(b), "/protected", other.access, 200, 503));
	pair_free(&other);
	server_stop(a);
	server_stop(b);
	free(text);
}

/* As when the network between the second node and the database is cut. */
static void
cut_off(void)
{
	char *sql = text_of("ALTER ROLE %s NOLOGIN", role_b);

	/* Not in one transaction: who is ended would be back before it is
	 * over. */
	free(database_query(folder, sql));
	free(sql);
	sql = text_of("SELECT count(pg_terminate_backend(pid, 5000))"
		      " FROM pg_stat_activity WHERE usename = '%s'",
	    role_b);
	free(database_query(folder, sql));
	free(sql);
}

static void
connect_again(void)
{
	char *sql = text_of("ALTER ROLE %s LOGIN", role_b);

	free(database_query(folder, sql));
	free(sql);
}

Test(nodes, one_that_is_cut_off_stops_and_never_serves_what_was_revoked)
{
	char *silence = text_of("CORGI_DATABASE_SILENCE=%d", SILENCE_SECONDS);
	struct raw_response answer;
	struct pair ended, kept;
	long long began;

	start_both(silence, NULL);
	ended = pair_demo(server_port(a));
	kept = pair_demo(server_port(a));
	cr_assert(http_get_token(
		      server_port(b), "/protected", ended.access, NULL) == 200);
	cut_off();
	began = now_ms();
	cr_expect(
	    comes_to(server_port(b), "/protected", kept.access, 503, 200));
	/* The last word was up to a second and a half old. */
	cr_expect(now_ms() - began > SILENCE_SECONDS * 1000 - 2500,
	    "it stopped too soon");
	cr_expect(now_ms() - began < SILENCE_SECONDS * 1000 + 1500,
	    "it stopped too late");
	(void)http_get_token(
	    server_port(b), "/protected", kept.access, &answer);
	cr_expect(raw_header(&answer, "retry-after") != NULL);
	raw_response_free(&answer);
	cr_expect(http_get(server_port(b), "/ready", NULL, NULL) == 503);
	cr_expect(http_get(server_port(b), "/health", NULL, NULL) == 200);
	cr_expect(
	    http_get_token(server_port(b), "/protected", "a.b.c", NULL) == 422);

	cr_assert(sess_ask(server_port(a), "DELETE", "/logout", ended.access,
		      NULL, NULL) == 200);
	cr_expect(http_get_token(
		      server_port(a), "/protected", kept.access, NULL) == 200);
	connect_again();
	cr_expect(
	    comes_to(server_port(b), "/protected", ended.access, 401, 503));
	cr_expect(
	    comes_to(server_port(b), "/protected", kept.access, 200, 503));
	cr_expect(comes_to(server_port(b), "/ready", kept.access, 200, 503));
	pair_free(&ended);
	pair_free(&kept);
	server_stop(a);
	server_stop(b);
	free(silence);
}

/* Its risk is in the documentation. */
Test(nodes, one_that_may_goes_on_serving_and_catches_up)
{
	struct pair ended;
	long long until;

	start_both("CORGI_DATABASE_SILENCE=0", NULL);
	ended = pair_demo(server_port(a));
	cr_assert(http_get_token(
		      server_port(b), "/protected", ended.access, NULL) == 200);
	cut_off();
	cr_assert(sess_ask(server_port(a), "DELETE", "/logout", ended.access,
		      NULL, NULL) == 200);
	until = now_ms() + 3000;
	while (now_ms() < until) {
		cr_expect(http_get_token(server_port(b), "/protected",
			      ended.access, NULL) == 200);
		sleep_ms(100);
	}
	cr_expect(http_get(server_port(b), "/ready", NULL, NULL) == 503);
	connect_again();
	cr_expect(
	    comes_to(server_port(b), "/protected", ended.access, 401, 200));
	pair_free(&ended);
	server_stop(a);
	server_stop(b);
}

/* Half of them on each node, all on the wire before the first is answered. */
Test(nodes, refreshes_of_one_token_on_both_leave_one_successor)
{
	struct raw *connections[CONCURRENT];
	struct raw_response answer;
	struct pair first, pairs[CONCURRENT];
	char *text, *count;
	int i;

	start_both("CORGI_REFRESH_GRACE=300", NULL);
	first = pair_demo(server_port(a));
	text = sess_text("POST", "/refresh", first.refresh, NULL, NULL);
	for (i = 0; i < CONCURRENT; i++)
		connections[i] = raw_connect(server_port(i % 2 ? a : b));
	for (i = 0; i < CONCURRENT; i++)
		cr_expect(raw_send_text(connections[i], text));
	for (i = 0; i < CONCURRENT; i++) {
		raw_set_wait(connections[i], PATIENCE_MS);
		cr_assert(raw_read(connections[i], false, &answer) == RAW_OK);
		cr_assert(answer.status == 200 && pair_take(&answer, &pairs[i]),
		    "%d: %d %s", i, answer.status, answer.body);
		raw_response_free(&answer);
		raw_close(connections[i]);
		cr_expect_str_eq(pairs[i].refresh, pairs[0].refresh);
	}
	for (i = 0; i < CONCURRENT; i++) {
		cr_expect(http_get_token(server_port(i % 2 ? b : a),
			      "/protected", pairs[i].access, NULL) == 200);
		pair_free(&pairs[i]);
	}
	count = database_query(folder,
	    "SELECT count(*) || ' ' || (SELECT count(*) FROM corgi.rotations)"
	    " FROM corgi.sessions");
	cr_expect_str_eq(count, "1 1");
	free(count);
	free(text);
	pair_free(&first);
	server_stop(a);
	server_stop(b);
}
