/*
 * database.c - where the servers of a test keep their accounts.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <postgresql/libpq-fe.h>
#include <sqlite3.h>

#include "database.h"
#include "process.h"

/* Databases that a test may have at once. */
#define DATABASES_MAX 64

/* Databases on the server, by the folder that they go with. */
static struct {
	char *data_dir;
	char *name;
	char *url;
} databases[DATABASES_MAX];

static char *address(const char *);
static char *ask(const char *, const char *);
static char *query_file(const char *, const char *);
static void watch_server(const char *, const char *);

bool
database_on_server(void)
{
	const char *store = getenv("TEST_STORE");

	return (store != NULL && strcmp(store, "postgresql") == 0);
}

/* The address of a database by its name. */
static char *
address(const char *name)
{
	const char *admin = getenv("TEST_POSTGRESQL"), *query;
	char *url;

	query = admin == NULL ? NULL : strchr(admin, '?');
	if (query == NULL)
		cr_assert_fail("TEST_POSTGRESQL is no address");
	if (asprintf(&url, "postgresql:///%s%s", name, query) == -1)
		cr_assert_fail("out of memory");
	return (url);
}

/* Run SQL that has to work; its first value, or NULL. */
static char *
ask(const char *url, const char *sql)
{
	PGconn *conn = PQconnectdb(url);
	PGresult *answer;
	char *value = NULL;

	if (PQstatus(conn) != CONNECTION_OK)
		cr_assert_fail("%s", PQerrorMessage(conn));
	PQclear(PQexec(
	    conn, "SET client_min_messages = error; SET search_path = corgi"));
	answer = PQexec(conn, sql);
	if (PQresultStatus(answer) != PGRES_COMMAND_OK &&
	    PQresultStatus(answer) != PGRES_TUPLES_OK)
		cr_assert_fail("%s: %s", sql, PQerrorMessage(conn));
	if (PQntuples(answer) > 0)
		value = strdup(PQgetvalue(answer, 0, 0));
	PQclear(answer);
	PQfinish(conn);
	return (value);
}

const char *
database_of(const char *data_dir)
{
	static unsigned int count;
	char *admin, *sql;
	size_t i;

	if (!database_on_server())
		return (NULL);
	for (i = 0; i < DATABASES_MAX; i++)
		if (databases[i].data_dir != NULL &&
		    strcmp(databases[i].data_dir, data_dir) == 0)
			return (databases[i].url);
	for (i = 0; i < DATABASES_MAX && databases[i].data_dir != NULL; i++)
		continue;
	if (i == DATABASES_MAX)
		cr_assert_fail("too many databases");
	databases[i].data_dir = strdup(data_dir);
	if (asprintf(&databases[i].name, "e2e_%d_%u", (int)getpid(), count++) ==
		-1 ||
	    asprintf(&sql, "CREATE DATABASE %s", databases[i].name) == -1)
		cr_assert_fail("out of memory");
	databases[i].url = address(databases[i].name);
	admin = address("postgres");
	free(ask(admin, sql));
	free(admin);
	free(sql);
	return (databases[i].url);
}

void
database_forget(const char *data_dir)
{
	char *admin, *sql;
	size_t i;

	for (i = 0; i < DATABASES_MAX; i++) {
		if (databases[i].data_dir == NULL ||
		    strcmp(databases[i].data_dir, data_dir) != 0)
			continue;
		if (asprintf(&sql, "DROP DATABASE %s WITH (FORCE)",
			databases[i].name) == -1)
			cr_assert_fail("out of memory");
		admin = address("postgres");
		free(ask(admin, sql));
		free(admin);
		free(sql);
		free(databases[i].data_dir);
		free(databases[i].name);
		free(databases[i].url);
		memset(&databases[i], 0, sizeof(databases[i]));
	}
}

static char *
query_file(const char *data_dir, const char *sql)
{
	char path[SERVER_PATH_MAX], *value = NULL;
	sqlite3_stmt *stmt;
	sqlite3 *db;

	(void)snprintf(path, sizeof(path), "%.900s/corgi.db", data_dir);
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) !=
	    SQLITE_OK)
		cr_assert_fail("%s: %s", path, sqlite3_errmsg(db));
	(void)sqlite3_busy_timeout(db, 5000);
	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
		cr_assert_fail("%s: %s", sql, sqlite3_errmsg(db));
	if (sqlite3_step(stmt) == SQLITE_ROW)
		value = strdup((const char *)sqlite3_column_text(stmt, 0));
	(void)sqlite3_finalize(stmt);
	(void)sqlite3_close(db);
	return (value);
}

char *
database_query(const char *data_dir, const char *sql)
{
	const char *url = database_of(data_dir);

	return (url == NULL ? query_file(data_dir, sql) : ask(url, sql));
}

void
database_need_server(void)
{
	if (getenv("TEST_POSTGRESQL") == NULL)
		cr_skip_test("no server: see scripts/postgresql");
	(void)setenv("TEST_STORE", "postgresql", 1);
}

char *
database_name(const char *data_dir)
{
	const char *name = database_of(data_dir) + strlen("postgresql:///");

	return (strndup(name, strcspn(name, "?")));
}

char *
database_parameter(const char *name)
{
	const char *url = getenv("TEST_POSTGRESQL"), *at;
	char wanted[32];

	(void)snprintf(wanted, sizeof(wanted), "%s=", name);
	if (url == NULL || (at = strstr(url, wanted)) == NULL)
		cr_assert_fail("TEST_POSTGRESQL has no %s", name);
	at += strlen(wanted);
	return (strndup(at, strcspn(at, "&")));
}

void
database_role(const char *data_dir, const char *role, const char *password)
{
	char *name = database_name(data_dir), *sql;

	if (asprintf(&sql,
		"CREATE ROLE %s LOGIN PASSWORD '%s';"
		"GRANT CREATE ON DATABASE %s TO %s",
		role, password, name, role) == -1)
		cr_assert_fail("out of memory");
	free(database_query(data_dir, sql));
	free(sql);
	free(name);
}

void
database_role_drop(const char *role)
{
	char *admin = address("postgres"), *sql;

	if (asprintf(&sql, "DROP ROLE %s", role) == -1)
		cr_assert_fail("out of memory");
	free(ask(admin, sql));
	free(sql);
	free(admin);
}

char *
database_setting(const char *data_dir, const char *role, const char *password,
    const char *host, const char *options)
{
	char *port = database_parameter("port");
	char *name = database_name(data_dir), *setting;

	if (asprintf(&setting, "CORGI_DATABASE=postgresql://%s:%s@%s:%s/%s%s",
		role, password, host, port, name, options) == -1)
		cr_assert_fail("out of memory");
	free(name);
	free(port);
	return (setting);
}

/* A server outlives a test that is killed: whoever is told of that by the end
 * of a pipe stops it. */
static void
watch_server(const char *script, const char *folder)
{
	int alive[2];
	char byte;

	if (pipe2(alive, O_CLOEXEC) == -1)
		cr_assert_fail("no pipe");
	if (fork() != 0) {
		(void)close(alive[0]);
		return;
	}
	(void)dup2(alive[0], STDIN_FILENO);
	(void)close_range(STDIN_FILENO + 1, ~0U, 0);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		continue;
	(void)execl(script, script, "stop", folder, (char *)NULL);
	_exit(127);
}

char *
database_server(const char *folder, const char *command, const char *argument)
{
	const char *env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
	char script[SERVER_PATH_MAX], *said;
	const char *argv[] = {script, command, folder, argument, NULL};
	struct run_result r;

	(void)snprintf(
	    script, sizeof(script), "%.900s/scripts/postgresql", corgi_root());
	r = run_program(argv, env, NULL, 0);
	if (r.status != 0)
		cr_assert_fail("%s %s: %s", script, command, r.out);
	if (strcmp(command, "start") == 0)
		watch_server(script, folder);
	said = strndup(r.out, strcspn(r.out, "\n"));
	run_free(&r);
	return (said);
}

/* A server has what is new in its memory until it is told to write it. */
char *
database_folder(const char *data_dir)
{
	const char *url = database_of(data_dir);

	if (url == NULL)
		return (strdup(data_dir));
	free(ask(url, "CHECKPOINT"));
	return (ask(url,
	    "SELECT current_setting('data_directory') || '/base/' || oid"
	    " FROM pg_database WHERE datname = current_database()"));
}
