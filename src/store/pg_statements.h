/*
 * pg_statements.h - the words of SQL that the PostgreSQL back end speaks,
 * besides the steps of pg_migrations.h. Knows nothing of libpq.
 */
#ifndef CORGI_PG_STATEMENTS_H
#define CORGI_PG_STATEMENTS_H

enum pg_statement {
	PG_FIND,
	PG_FIND_SUBJECT,
	PG_LOCK_ID,
	PG_SHARE_SESSION_USER,
	PG_ADD,
	PG_SET_HASH,
	PG_SET_DISABLED,
	PG_SET_ROLES,
	PG_SET_NAME,
	PG_RAISE_VERSION,
	PG_DELETE,
	PG_EACH,
	PG_COUNT,
	PG_SUBJECT_TAKE,
	PG_SESSION_ADD,
	PG_SESSION_FIND,
	PG_SESSION_LOCK,
	PG_SESSION_EACH,
	PG_SESSION_COUNT,
	PG_SESSION_OLDEST,
	PG_SESSION_ROTATE,
	PG_SESSION_USED,
	PG_SESSION_DELETE,
	PG_ACCESS_UNTIL,
	PG_SESSIONS_DELETE,
	PG_ROTATION_ADD,
	PG_ROTATION_FIND,
	PG_ROTATION_PRUNE,
	PG_REVOCATION_LOCK,
	PG_REVOCATION_ADD,
	PG_REVOCATION_REPLACE,
	PG_REVOCATION_EACH,
	PG_PURGE_SESSIONS,
	PG_PURGE_ROTATIONS,
	PG_PURGE_REVOCATIONS,
	PG_CHANGE_MARK,
	PG_KEY_HOLD,
	PG_KEY_OTHER,
	PG_ATTEMPT_ADD,
	PG_ATTEMPT_EACH,
	PG_ATTEMPT_MARK,
	PG_ATTEMPT_PURGE,
	PG__MAX
};

/* Every statement that runs after the opening, prepared by a connection when
 * it first needs it. */
extern const char *const pg_statement_sql[PG__MAX];

/*
 * The settings of a connection. $1: how long the server tries a statement; $2:
 * how long it waits for the next one of a transaction (milliseconds). The last
 * column of its row is an integer: whether the connection is let in, being 0
 * while the database is copied.
 */
#define PG_SETTINGS_LET_IN 6
extern const char pg_statement_settings[];

/* One integer: the server's process that is asked. */
extern const char pg_statement_session[];

/* One integer each: whether the connection is the only one of ours now, and
 * none is let in any more until it ends; and how many others there are. */
extern const char pg_statement_alone[];
extern const char pg_statement_others[];

/* One integer: whether this is a copy that is not finished. */
extern const char pg_statement_is_unfinished[];

/* One text: what tells this database from any other. */
extern const char pg_statement_identity[];

/* Two integers: whether there is a schema, and whether with our tables. */
extern const char pg_statement_has_schema[];

/* One integer: which version of our tables. */
extern const char pg_statement_schema_version[];

/* One row, whoever migrates first; held until the transaction ends. */
extern const char pg_statement_migration_lock[];

/* Be told of rows of both logs; what a notification of attempts says is the
 * number of the highest row, in text. */
extern const char pg_statement_listen[];
extern const char pg_statement_channel_attempts[];

/* Whether the database answers, within the half second that it is given. */
extern const char pg_statement_ping[];

#endif
