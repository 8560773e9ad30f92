/*
 * statements.h - the words of SQL that the SQLite back end speaks, besides the
 * steps of migrations.h. Knows nothing of SQLite's functions.
 */
#ifndef CORGI_STATEMENTS_H
#define CORGI_STATEMENTS_H

enum statement {
	STATEMENT_FIND,
	STATEMENT_ADD,
	STATEMENT_SET_HASH,
	STATEMENT_DELETE,
	STATEMENT_EACH,
	STATEMENT_COUNT,
	STATEMENT_PING,
	STATEMENT__MAX
};

/* Every statement that runs after the opening, prepared once per handle. */
extern const char *const statement_sql[STATEMENT__MAX];

/* The settings of a connection, before anything is written. */
extern const char statement_connect[];

/* One integer: -1 for an empty file, else whose database it is. */
extern const char statement_identify[];

/* One integer: whether the file keeps a write-ahead log. */
extern const char statement_is_wal[];

/* One integer each: whether there is a schema, and which. */
extern const char statement_has_schema[];
extern const char statement_schema_version[];

#endif
