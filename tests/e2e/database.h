/*
 * database.h - where the servers of a test keep their accounts: in a SQLite
 * file in the data folder or, with TEST_STORE=postgresql in the environment of
 * the tests, in a database of the PostgreSQL server that scripts/test has
 * started (TEST_POSTGRESQL: its address).
 */
#ifndef CORGI_TEST_DATABASE_H
#define CORGI_TEST_DATABASE_H

#include <stdbool.h>

/* Whether tests run on PostgreSQL. */
bool database_on_server(void);

/*
 * The address of the database that goes with a data folder, made when it is
 * first asked for, so that servers that share the folder share it; NULL: it is
 * the file in the folder.
 */
const char *database_of(const char *data_dir);

/* Remove what goes with a folder; nothing when there is nothing. */
void database_forget(const char *data_dir);

/* The first column of the first row, as text (free() it), of a query that has
 * to work; NULL when there is no row. */
char *database_query(const char *data_dir, const char *sql);

/* Begin a test that needs a server: as with TEST_STORE=postgresql, and skipped
 * where there is none. */
void database_need_server(void);

/* The name of the database of a folder, and a parameter of the server's
 * address: "host" (the folder of its socket) or "port"; free() them. */
char *database_name(const char *data_dir);
char *database_parameter(const char *name);

/*
 * A role that may log in with a password and make its tables in that database.
 * database_role_drop() after database_forget(), or what it owns is in the way.
 */
void
database_role(const char *data_dir, const char *role, const char *password);
void database_role_drop(const char *role);

/* "CORGI_DATABASE=" and that database by way of TCP (free() it): the password
 * as an address has it, options "" or "?name=value&...". */
char *database_setting(const char *data_dir, const char *role,
    const char *password, const char *host, const char *options);

/*
 * Run scripts/postgresql with a command ("start", "stop", "resume"), for a
 * server of the test's own in that folder, with its argument: the address to
 * listen on, or how to stop (NULL: the default). What it says, one line (free()
 * it).
 */
char *
database_server(const char *folder, const char *command, const char *argument);

/* The folder in which the database's files are, as they are now (free() it). */
char *database_folder(const char *data_dir);

#endif
