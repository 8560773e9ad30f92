/*
 * store_server.h - a database of its own for every test, in the PostgreSQL
 * server that scripts/test has started: TEST_POSTGRESQL is the address at which
 * everything is allowed.
 */
#ifndef CORGI_STORE_SERVER_H
#define CORGI_STORE_SERVER_H

#include <criterion/criterion.h>
#include <postgresql/libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Room for an address. */
#define SERVER_URL_MAX 1024

/* Name of the running test's database, unique among those of this server. */
static char server_database[64];

static inline bool
server_there(void)
{
	const char *url = getenv("TEST_POSTGRESQL");

	return (url != NULL && *url != '\0');
}

/* The address of a database, with more options ("&name=value") or "". */
static inline void
server_url(const char *database, const char *more, char out[SERVER_URL_MAX])
{
	const char *query = strchr(getenv("TEST_POSTGRESQL"), '?');

	cr_assert_not_null(query);
	(void)snprintf(
	    out, SERVER_URL_MAX, "postgresql:///%s%s%s", database, query, more);
}

/* The value of a parameter of that address. */
static inline const char *
server_parameter(const char *name)
{
	static char value[128];
	char wanted[32];
	const char *at;

	(void)snprintf(wanted, sizeof(wanted), "%s=", name);
	cr_assert_not_null(at = strstr(getenv("TEST_POSTGRESQL"), wanted));
	at += strlen(wanted);
	(void)snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, "&"), at);
	return (value);
}

static inline PGconn *
server_connect(const char *database)
{
	char url[SERVER_URL_MAX];
	PGconn *conn;

	server_url(database, "", url);
	conn = PQconnectdb(url);
	cr_assert_eq(PQstatus(conn), CONNECTION_OK, "%s", PQerrorMessage(conn));
	PQclear(PQexec(conn, "SET client_min_messages = error"));
	return (conn);
}

/* Run SQL that has to work; the first column of the first row, if any, goes
 * into text. */
static inline void
server_run(PGconn *conn, const char *sql, char *text, size_t size)
{
	PGresult *answer = PQexec(conn, sql);
	ExecStatusType status = PQresultStatus(answer);

	cr_assert(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK,
	    "%s: %s", sql, PQerrorMessage(conn));
	if (text != NULL) {
		cr_assert_gt(PQntuples(answer), 0, "%s", sql);
		(void)snprintf(text, size, "%s", PQgetvalue(answer, 0, 0));
	}
	PQclear(answer);
}

/* The same through a connection of its own, which sees our tables. */
static inline void
server_sql(const char *sql, char *text, size_t size)
{
	PGconn *conn = server_connect(server_database);

	server_run(conn, "SET search_path = corgi", NULL, 0);
	server_run(conn, sql, text, size);
	PQfinish(conn);
}

/* The same as the server's administrator, elsewhere. */
static inline void
server_admin(const char *sql)
{
	PGconn *conn = server_connect("postgres");

	server_run(conn, sql, NULL, 0);
	PQfinish(conn);
}

static inline void
server_database_make(void)
{
	static unsigned int count;
	char sql[128];

	(void)snprintf(server_database, sizeof(server_database), "test_%d_%u",
	    (int)getpid(), count++);
	(void)snprintf(sql, sizeof(sql), "CREATE DATABASE %s", server_database);
	server_admin(sql);
}

static inline void
server_database_remove(void)
{
	char sql[128];

	(void)snprintf(sql, sizeof(sql),
	    "DROP DATABASE IF EXISTS %s WITH (FORCE)", server_database);
	server_admin(sql);
}

#endif
