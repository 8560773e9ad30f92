/*
 * statements.h - the words of SQL that the SQLite back end speaks, besides the
 * steps of migrations.h. Knows nothing of SQLite's functions.
 */
#ifndef CORGI_STATEMENTS_H
#define CORGI_STATEMENTS_H

enum statement {
	STATEMENT_FIND,
	STATEMENT_FIND_SUBJECT,
	STATEMENT_FIND_ID,
	STATEMENT_ADD,
	STATEMENT_SET_HASH,
	STATEMENT_SET_DISABLED,
	STATEMENT_SET_ROLES,
	STATEMENT_SET_NAME,
	STATEMENT_RAISE_VERSION,
	STATEMENT_DELETE,
	STATEMENT_EACH,
	STATEMENT_COUNT,
	STATEMENT_SUBJECT_TAKE,
	STATEMENT_SESSION_ADD,
	STATEMENT_SESSION_FIND,
	STATEMENT_SESSION_EACH,
	STATEMENT_SESSION_COUNT,
	STATEMENT_SESSION_OLDEST,
	STATEMENT_SESSION_ROTATE,
	STATEMENT_SESSION_USED,
	STATEMENT_SESSION_DELETE,
	STATEMENT_ACCESS_UNTIL,
	STATEMENT_SESSIONS_DELETE,
	STATEMENT_ROTATION_ADD,
	STATEMENT_ROTATION_FIND,
	STATEMENT_ROTATION_PRUNE,
	STATEMENT_REVOCATION_ADD,
	STATEMENT_REVOCATION_REPLACE,
	STATEMENT_REVOCATION_EACH,
	STATEMENT_PURGE_SESSIONS,
	STATEMENT_PURGE_ROTATIONS,
	STATEMENT_PURGE_REVOCATIONS,
	STATEMENT_CHANGE_MARK,
	STATEMENT_KEY_KEPT,
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

/* One integer: whether this is a copy that is not finished. */
extern const char statement_is_unfinished[];

#endif
