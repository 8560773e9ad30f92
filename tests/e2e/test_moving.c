/*
 * A service that moves from a file to a PostgreSQL server and back: nobody is
 * logged out, and nothing that was taken back counts again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <postgresql/libpq-fe.h>

#include "database.h"
#include "http.h"
#include "sess.h"
#include "suite.h"
#include "tok.h"

static void begin(void);
static void end(void);

TestSuite(moving, .init = begin, .fini = end, .timeout = 180);

#define FILE_AT "sqlite:corgi.db"
#define BACK_AT "sqlite:back.db"

#define OLD_PASSWORD "space-corgi-1"

/* The data folder, which stays, and the database on the server. */
static char *folder;
static const char *server_at;

static void
begin(void)
{
	database_need_server();
	folder = scratch_new();
	server_at = database_of(folder);
}

static void
end(void)
{
	if (folder != NULL)
		scratch_free(folder);
}

static struct server_options
options_for(const char *database, const char *env[4], char **setting)
{
	struct server_options options;

	memset(&options, 0, sizeof(options));
	*setting = text_of("CORGI_DATABASE=%s", database);
	env[0] = "JWT_SECRET_KEY=" TOK_SECRET;
	env[1] = "CORGI_REFRESH_GRACE=0";
	env[2] = *setting;
	env[3] = NULL;
	options.environment = env;
	options.data_dir = folder;
	options.workers = 2;
	return (options);
}

static struct server *
start_on(const char *database)
{
	const char *env[4];
	char *setting;
	struct server_options options = options_for(database, env, &setting);
	struct server *s = server_start(&options);

	free(setting);
	return (s);
}

/* corgictl with the database that the service has. */
static int
ctl_on(const char *database, const char *password, const char *verb,
    const char *name)
{
	const char *argv[] = {corgi_ctl(), "user", verb, name, NULL};
	char *data = text_of("CORGI_DATA_DIR=%s", folder);
	char *setting = text_of("CORGI_DATABASE=%s", database);
	const char *env[] = {"PATH=/usr/bin:/bin", data, setting, NULL};
	struct run_result r;
	int status;

	r = run_program(
	    argv, env, password, password == NULL ? 0 : strlen(password));
	status = r.status;
	cr_expect_eq(status, 0, "%s", r.out);
	run_free(&r);
	free(data);
	free(setting);
	return (status);
}

static void
copy_expect(const char *from, const char *to, int expected, const char *words)
{
	const char *argv[] = {corgi_ctl(), "database", "copy", from, to, NULL};
	char *data = text_of("CORGI_DATA_DIR=%s", folder);
	const char *env[] = {"PATH=/usr/bin:/bin", data, NULL};
	struct run_result r = run_program(argv, env, NULL, 0);

	cr_assert_eq(r.status, expected, "%s", r.out);
	cr_assert_not_null(strstr(r.out, words), "%s", r.out);
	run_free(&r);
	free(data);
}

static int protected(const struct server *s, const char *token)
{
	return (
	    sess_ask(server_port(s), "GET", "/protected", token, NULL, NULL));
}

/* What is carried from one to the other. */
struct state {
	struct pair lives;  /* whose refresh token is used on the other side */
	struct pair stolen; /* whose refresh token has a successor there */
	char *used;         /* that predecessor */
	struct pair over;   /* logged out */
	struct pair locked; /* of an account that is disabled later */
};

static struct state
leave(struct server *s, const char *database, const char *locked)
{
	int port = server_port(s);
	struct state t;

	memset(&t, 0, sizeof(t));
	t.lives = pair_demo(port);
	t.stolen = pair_demo(port);
	t.used = strdup(t.stolen.refresh);
	pair_free(&t.stolen);
	cr_assert_eq(pair_refresh(port, t.used, &t.stolen), 200);
	t.over = pair_demo(port);
	cr_assert_eq(
	    sess_ask(port, "DELETE", "/logout", t.over.access, NULL, NULL),
	    200);
	(void)ctl_on(database, OLD_PASSWORD "\n", "add", locked);
	t.locked = pair_login(port, locked, OLD_PASSWORD);
	(void)ctl_on(database, NULL, "disable", locked);
	cr_assert_eq(protected(s, t.lives.access), 200);
	cr_assert_eq(protected(s, t.stolen.access), 200);
	cr_assert_neq(protected(s, t.over.access), 200);
	cr_assert_neq(protected(s, t.locked.access), 200);
	return (t);
}

static void
arrive(struct server *s, struct state *t, const char *locked)
{
	int port = server_port(s);
	struct pair next;

	cr_expect_eq(protected(s, t->lives.access), 200);
	cr_expect_eq(protected(s, t->stolen.access), 200);
	cr_expect_eq(protected(s, t->over.access), 401);
	cr_expect_eq(pair_refresh(port, t->over.refresh, NULL), 401);
	cr_expect_eq(protected(s, t->locked.access), 401);
	cr_expect_eq(sess_login(port, locked, OLD_PASSWORD), 401);

	/* Each refresh token once. */
	cr_assert_eq(pair_refresh(port, t->lives.refresh, &next), 200);
	cr_expect_eq(protected(s, next.access), 200);
	cr_expect_eq(protected(s, t->lives.access), 200);
	pair_free(&next);

	/* One that had a successor before the move is known to have been
	 * used; with it the session ends. */
	cr_expect_eq(pair_refresh(port, t->used, NULL), 401);
	cr_expect_eq(protected(s, t->stolen.access), 401);
	cr_expect_eq(pair_refresh(port, t->stolen.refresh, NULL), 401);
	next = pair_demo(port);
	cr_expect_eq(protected(s, next.access), 200);
	pair_free(&next);
	pair_free(&t->lives);
	pair_free(&t->stolen);
	pair_free(&t->over);
	pair_free(&t->locked);
	free(t->used);
}

/* Only with the service stopped; and back again. */
Test(moving, there_and_back_nobody_is_logged_out)
{
	struct server *s = start_on(FILE_AT);
	struct state t = leave(s, FILE_AT, "laika");

	copy_expect(FILE_AT, server_at, 1, "in use by another process");
	cr_expect_eq(protected(s, t.lives.access), 200);
	server_stop(s);
	copy_expect(FILE_AT, server_at, 0, "holds what");

	s = start_on(server_at);
	arrive(s, &t, "laika");
	t = leave(s, server_at, "belka");
	copy_expect(server_at, BACK_AT, 1, "stop every service on it");
	copy_expect(FILE_AT, server_at, 1, "stop every service on it");
	cr_expect_eq(protected(s, t.lives.access), 200);
	server_stop(s);
	copy_expect(server_at, BACK_AT, 0, "holds what");

	s = start_on(BACK_AT);
	arrive(s, &t, "belka");
	cr_expect_eq(sess_login(server_port(s), "laika", OLD_PASSWORD), 401);
	server_stop(s);
}

/* Run SQL in the file, or on the server. */
static void
sql_on(bool server, const char *sql)
{
	(void)setenv("TEST_STORE", server ? "postgresql" : "sqlite", 1);
	free(database_query(folder, sql));
	(void)setenv("TEST_STORE", "postgresql", 1);
}

/* What is not whole yet is not served, of either kind. */
Test(moving, an_unfinished_copy_is_not_served)
{
	const char *const databases[] = {FILE_AT, server_at};
	struct server_options options;
	const char *env[4];
	char *setting;
	size_t i;

	for (i = 0; i < 2; i++) {
		server_stop(start_on(databases[i]));
		sql_on(i == 1,
		    "CREATE TABLE unfinished_copy (identity text, shown text)");
		options = options_for(databases[i], env, &setting);
		server_expect_refusal(
		    databases[i], &options, "unfinished copy", NULL);
		sql_on(i == 1, "DROP TABLE unfinished_copy");
		server_stop(start_on(databases[i]));
		free(setting);
	}
}

/* While a copy runs, the server lets no service in; one that has started waits
 * for the end of it. (The lock is what a copy holds.) */
Test(moving, a_service_waits_while_its_database_is_copied)
{
	PGconn *copy = PQconnectdb(server_at);
	long long until = now_ms() + 30000;
	struct server *s;

	cr_assert_eq(PQstatus(copy), CONNECTION_OK);
	server_stop(start_on(server_at));
	PQclear(PQexec(copy, "SELECT pg_advisory_lock(1131377255, 3)"));
	s = start_on(server_at);
	cr_expect(server_log_wait(s, "is being copied", 10000));
	cr_expect_eq(http_get(server_port(s), "/ready", NULL, NULL), 503);
	PQfinish(copy);
	while (http_get(server_port(s), "/ready", NULL, NULL) != 200 &&
	    now_ms() < until)
		sleep_ms(100);
	cr_expect_eq(http_get(server_port(s), "/ready", NULL, NULL), 200);
	server_stop(s);
}
