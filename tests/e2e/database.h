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

/* The folder in which the database's files are, as they are now (free() it). */
char *database_folder(const char *data_dir);

#endif
