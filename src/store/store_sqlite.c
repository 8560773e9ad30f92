/*
 * The SQLite back end (3.40), the one file that knows sqlite3.h.
 *
 * Write-ahead log: readers and one writer at once, in any number of processes.
 * Every operation is one statement and so one transaction of its own, on the
 * disk when it returns (synchronous=FULL). The file is never opened but through
 * SQLite: closing a descriptor of one's own would drop the POSIX locks of every
 * other handle in the process.
 */
#include <errno.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/secret.h"
#include "store/migrations.h"
#include "store/statements.h"
#include "store/store.h"
#include "store/store_file.h"
#include "store/store_sqlite.h"

/* Longest wait of a ping, and of opening what is there (milliseconds). */
#define SHORT_WAIT_MS 500

struct sqlite_store {
	struct store base; /* first: the two are cast into each other */
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENT__MAX];
	char *path;
	int wait; /* for another writer (milliseconds) */
};

static enum store_result fail_with(struct sqlite_store *, enum store_result,
    const char *, ...) __attribute__((format(printf, 3, 4)));
static enum store_result fail(struct sqlite_store *, int);
static enum store_result result_of(int, int);
static enum store_result execute(struct sqlite_store *, const char *);
static enum store_result
select_integer(struct sqlite_store *, const char *, int64_t *);
static enum store_result identify(struct sqlite_store *);
static enum store_result use_wal(struct sqlite_store *, bool);
static enum store_result schema_version(struct sqlite_store *, int64_t *);
static enum store_result
migrate_one(struct sqlite_store *, const struct migration *);
static enum store_result migrate(struct sqlite_store *, bool);
static enum store_result connect_database(struct sqlite_store *, bool);
static enum store_result
open_file(const char *, bool, struct store **, char[STORE_ERROR_MAX]);
static enum store_result prepare_statements(struct sqlite_store *);
static enum store_result still_there(struct sqlite_store *);
static enum store_result change(struct sqlite_store *, enum statement, int);
static enum store_result
read_user(struct sqlite_store *, sqlite3_stmt *, struct store_user *);
static void reset(sqlite3_stmt *);

static void sqlite_close(struct store *);
static enum store_result
sqlite_user_find(struct store *, const char *, size_t, struct store_user *);
static enum store_result sqlite_user_add(
    struct store *, const char *, size_t, const char *, int64_t, int64_t *);
static enum store_result sqlite_user_set_hash(
    struct store *, int64_t, const char *, const char *, int64_t);
static enum store_result
sqlite_user_delete(struct store *, const char *, size_t);
static enum store_result sqlite_user_each(
    struct store *, int (*)(const struct store_user *, void *), void *);
static enum store_result sqlite_user_count(struct store *, int64_t *);
static enum store_result sqlite_ping(struct store *);

static const struct store_ops sqlite_ops = {
    .name = "SQLite",
    .close = sqlite_close,
    .user_find = sqlite_user_find,
    .user_add = sqlite_user_add,
    .user_set_hash = sqlite_user_set_hash,
    .user_delete = sqlite_user_delete,
    .user_each = sqlite_user_each,
    .user_count = sqlite_user_count,
    .ping = sqlite_ping,
};

/* Leave "path: words" as the handle's error and return the result. */
static enum store_result
fail_with(
    struct sqlite_store *s, enum store_result result, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	store_sentence(s->base.error, s->path, fmt, args);
	va_end(args);
	return (result);
}

/* The same for what SQLite returned. The system's reason for a failed commit
 * is not in sqlite3_system_errno() but still in errno. */
static enum store_result
fail(struct sqlite_store *s, int rc)
{
	int saved = (rc & 0xff) == SQLITE_IOERR ? errno : 0;
	enum store_result result;

	if (sqlite3_system_errno(s->db) != 0)
		saved = sqlite3_system_errno(s->db);
	result = result_of(rc, saved);
	return (fail_with(s, result, "%s (%s%s%s)", store_result_text(result),
	    sqlite3_errmsg(s->db), saved ? ": " : "",
	    saved ? strerror(saved) : ""));
}

/*
 * What a result code of SQLite means to a caller. A missing table or column
 * (SQLITE_ERROR) is damage too: the statements are fixed and fit the schema.
 */
static enum store_result
result_of(int rc, int saved)
{
	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL:
		return (STORE_BUSY);
	case SQLITE_FULL:
		return (STORE_FULL);
	case SQLITE_IOERR:
		return (store_result_of_errno(saved));
	case SQLITE_ERROR:
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return (STORE_DAMAGED);
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return (STORE_READONLY);
	case SQLITE_CANTOPEN:
		return (
		    saved == 0 ? STORE_READONLY : store_result_of_errno(saved));
	default:
		return (STORE_FAILED);
	}
}

static enum store_result
execute(struct sqlite_store *s, const char *sql)
{
	int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);

	return (rc == SQLITE_OK ? STORE_OK : fail(s, rc));
}

/* Step to the one row of a query and take its one integer. */
static enum store_result
step_integer(struct sqlite_store *s, sqlite3_stmt *query, int64_t *value)
{
	int rc;

	if ((rc = sqlite3_step(query)) != SQLITE_ROW)
		return (fail(s, rc));
	*value = sqlite3_column_int64(query, 0);
	return (STORE_OK);
}

/* The same for a query that is asked only once. */
static enum store_result
select_integer(struct sqlite_store *s, const char *sql, int64_t *value)
{
	enum store_result result;
	sqlite3_stmt *query = NULL;
	int rc;

	rc = sqlite3_prepare_v2(s->db, sql, -1, &query, NULL);
	result = rc == SQLITE_OK ? step_integer(s, query, value) : fail(s, rc);
	(void)sqlite3_finalize(query);
	return (result);
}

/*
 * Whether the file is ours or still empty, before anything is written to it.
 * One statement and so one view: another process's first migration is seen
 * whole or not at all.
 */
static enum store_result
identify(struct sqlite_store *s)
{
	enum store_result result;
	int64_t id = 0;

	result = select_integer(s, statement_identify, &id);
	if (result != STORE_OK || id == -1 || id == STORE_APPLICATION_ID)
		return (result);
	return (fail_with(s, STORE_DAMAGED,
	    "is the database of another program; it was left alone"));
}

/*
 * Switch to the write-ahead log, which stays switched on in the file. SQLite
 * may report a lock at once here instead of waiting. An existing database is
 * only asked whether it has one.
 */
static enum store_result
use_wal(struct sqlite_store *s, bool existing)
{
	const struct timespec pause = {.tv_nsec = 10000000}; /* 10 ms */
	int64_t until = clock_monotonic_ms() + STORE_WAIT_MS, is_wal = 0;
	enum store_result result = STORE_OK;

	while (!existing) {
		result = execute(s, "PRAGMA journal_mode = WAL");
		if (result != STORE_BUSY || clock_monotonic_ms() >= until)
			break;
		(void)nanosleep(&pause, NULL);
	}
	if (result == STORE_OK)
		result = select_integer(s, statement_is_wal, &is_wal);
	if (result == STORE_OK && is_wal == 0)
		result = fail_with(s, STORE_FAILED, "keeps no write-ahead log");
	return (result);
}

/* The version of the schema; 0 for an empty database. */
static enum store_result
schema_version(struct sqlite_store *s, int64_t *version)
{
	enum store_result result;

	result = select_integer(s, statement_has_schema, version);
	if (result != STORE_OK || *version == 0)
		return (result);
	return (select_integer(s, statement_schema_version, version));
}

/*
 * Take one step, unless another process was faster. The version is read again
 * under the lock.
 */
static enum store_result
migrate_one(struct sqlite_store *s, const struct migration *step)
{
	enum store_result result;
	int64_t version = 0;

	if ((result = execute(s, "BEGIN IMMEDIATE")) != STORE_OK)
		return (result);
	result = schema_version(s, &version);
	if (result == STORE_OK && version < step->version)
		result = execute(s, step->sql);
	if (result == STORE_OK)
		result = execute(s, "COMMIT");
	if (sqlite3_get_autocommit(s->db) == 0)
		(void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	return (result);
}

/*
 * Bring the schema to this program's version; refuse one that is beyond, and
 * in a database that is to be left as it is also one that is behind.
 */
static enum store_result
migrate(struct sqlite_store *s, bool existing)
{
	const struct migration *steps;
	enum store_result result;
	int64_t version = 0;
	size_t count, i;

	steps = store_migrations(&count);
	if ((result = schema_version(s, &version)) != STORE_OK)
		return (result);
	if (version > steps[count - 1].version)
		return (fail_with(s, STORE_NEWER,
		    "has schema version %lld, this program knows %d",
		    (long long)version, steps[count - 1].version));
	if (existing && version < steps[count - 1].version)
		return (fail_with(s, STORE_FAILED,
		    "has schema version %lld instead of %d and is not migrated "
		    "here",
		    (long long)version, steps[count - 1].version));
	for (i = 0; i < count && result == STORE_OK; i++) {
		if (steps[i].version > version)
			result = migrate_one(s, &steps[i]);
	}
	return (result);
}

/*
 * From a path to a database ready for use. Until it is known to be ours,
 * closing it must not write its log back either.
 */
static enum store_result
connect_database(struct sqlite_store *s, bool existing)
{
	enum store_result result;
	int rc;

	rc = sqlite3_open_v2(s->path, &s->db,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
	    NULL);
	if (rc != SQLITE_OK)
		return (fail(s, rc));
	store_sqlite_set_wait(
	    &s->base, existing ? SHORT_WAIT_MS : STORE_WAIT_MS);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_db_config(
	    s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if ((result = execute(s, statement_connect)) != STORE_OK ||
	    (result = identify(s)) != STORE_OK)
		return (result);
	if (sqlite3_db_readonly(s->db, "main") == 1)
		return (fail_with(s, STORE_READONLY, "may not be written"));
	if ((result = use_wal(s, existing)) != STORE_OK ||
	    (result = migrate(s, existing)) != STORE_OK)
		return (result);
	(void)sqlite3_db_config(
	    s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	return (prepare_statements(s));
}

static enum store_result
prepare_statements(struct sqlite_store *s)
{
	size_t i;
	int rc;

	for (i = 0; i < STATEMENT__MAX; i++) {
		rc = sqlite3_prepare_v3(s->db, statement_sql[i], -1,
		    SQLITE_PREPARE_PERSISTENT, &s->statements[i], NULL);
		if (rc != SQLITE_OK)
			return (fail(s, rc));
	}
	return (STORE_OK);
}

enum store_result
store_open_sqlite(
    const char *path, struct store **out, char error[STORE_ERROR_MAX])
{
	return (open_file(path, false, out, error));
}

enum store_result
store_open_sqlite_existing(
    const char *path, struct store **out, char error[STORE_ERROR_MAX])
{
	return (open_file(path, true, out, error));
}

static enum store_result
open_file(const char *path, bool existing, struct store **out,
    char error[STORE_ERROR_MAX])
{
	struct sqlite_store *s;
	enum store_result result;

	*out = NULL;
	error[0] = '\0';
	result = existing ? store_file_check(path, error)
			  : store_file_prepare(path, error);
	if (result != STORE_OK)
		return (result);
	s = calloc(1, sizeof(*s));
	if (s == NULL || (s->path = strdup(path)) == NULL) {
		free(s);
		(void)snprintf(error, STORE_ERROR_MAX, "out of memory");
		return (STORE_FAILED);
	}
	s->base.ops = &sqlite_ops;
	result = connect_database(s, existing);
	if (result != STORE_OK) {
		(void)memcpy(error, s->base.error, STORE_ERROR_MAX);
		sqlite_close(&s->base);
		return (result);
	}
	store_sqlite_set_wait(&s->base, STORE_WAIT_MS);
	*out = &s->base;
	return (STORE_OK);
}

void
store_sqlite_set_wait(struct store *base, int milliseconds)
{
	struct sqlite_store *s = (struct sqlite_store *)base;

	s->wait = milliseconds;
	(void)sqlite3_busy_timeout(s->db, milliseconds);
}

static void
sqlite_close(struct store *base)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	size_t i;

	for (i = 0; i < STATEMENT__MAX; i++)
		(void)sqlite3_finalize(s->statements[i]);
	(void)sqlite3_close(s->db);
	free(s->path);
	free(s);
}

/*
 * Whether the path still leads to the open file. Asked after each operation:
 * in a file that was removed or replaced a change must not be acknowledged,
 * and a deleted account must not be found.
 */
static enum store_result
still_there(struct sqlite_store *s)
{
	int moved = 0;

	(void)sqlite3_file_control(
	    s->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
	if (!moved)
		return (STORE_OK);
	return (fail_with(s, STORE_FAILED, "was removed or replaced"));
}

/* Forget a statement's row and the caller's memory bound to it. */
static void
reset(sqlite3_stmt *query)
{
	(void)sqlite3_reset(query);
	(void)sqlite3_clear_bindings(query);
}

/*
 * Run a change whose parameters are bound (rc says how that went). NOT_FOUND
 * when it met no row.
 */
static enum store_result
change(struct sqlite_store *s, enum statement which, int rc)
{
	sqlite3_stmt *query = s->statements[which];
	enum store_result result;

	errno = 0;
	if (rc == SQLITE_OK)
		rc = sqlite3_step(query);
	if (rc == SQLITE_CONSTRAINT_UNIQUE)
		result = fail_with(s, STORE_EXISTS, "the name is taken");
	else if (rc != SQLITE_DONE)
		result = fail(s, rc);
	else if (sqlite3_changes(s->db) == 0)
		result = fail_with(s, STORE_NOT_FOUND, "no such account");
	else
		result = still_there(s);
	reset(query);
	return (result);
}

/* Copy a row; one that cannot have been written by this program is damage. */
static enum store_result
read_user(struct sqlite_store *s, sqlite3_stmt *row, struct store_user *user)
{
	const void *name = sqlite3_column_blob(row, 1);
	const void *hash = sqlite3_column_text(row, 2);
	int name_len = sqlite3_column_bytes(row, 1);
	int hash_len = sqlite3_column_bytes(row, 2);

	memset(user, 0, sizeof(*user));
	if (name == NULL || name_len < 1 || name_len > STORE_NAME_MAX ||
	    hash == NULL || hash_len < 1 || hash_len >= STORE_HASH_MAX)
		return (fail_with(s, STORE_DAMAGED,
		    "the row of an account is out of its limits"));
	user->id = sqlite3_column_int64(row, 0);
	(void)memcpy(user->name, name, (size_t)name_len);
	user->name_len = (size_t)name_len;
	(void)memcpy(user->hash, hash, (size_t)hash_len);
	user->created_at = sqlite3_column_int64(row, 3);
	user->updated_at = sqlite3_column_int64(row, 4);
	return (STORE_OK);
}

static enum store_result
sqlite_user_find(
    struct store *base, const char *name, size_t len, struct store_user *user)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	sqlite3_stmt *query = s->statements[STATEMENT_FIND];
	enum store_result result;
	int rc;

	rc = sqlite3_bind_blob(query, 1, name, (int)len, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(query);
	if (rc == SQLITE_ROW)
		result = read_user(s, query, user);
	else if (rc == SQLITE_DONE)
		result = fail_with(s, STORE_NOT_FOUND, "no such account");
	else
		result = fail(s, rc);
	reset(query);
	if (still_there(s) != STORE_OK) {
		secret_wipe(user, sizeof(*user));
		result = STORE_FAILED;
	}
	return (result);
}

static enum store_result
sqlite_user_add(struct store *base, const char *name, size_t len,
    const char *hash, int64_t now, int64_t *id)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	sqlite3_stmt *query = s->statements[STATEMENT_ADD];
	enum store_result result;
	int rc;

	rc = sqlite3_bind_blob(query, 1, name, (int)len, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(query, 2, hash, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(query, 3, now);
	result = change(s, STATEMENT_ADD, rc);
	if (result == STORE_OK && id != NULL)
		*id = sqlite3_last_insert_rowid(s->db);
	return (result);
}

static enum store_result
sqlite_user_set_hash(struct store *base, int64_t id, const char *expected,
    const char *hash, int64_t now)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	sqlite3_stmt *query = s->statements[STATEMENT_SET_HASH];
	int rc;

	rc = sqlite3_bind_int64(query, 1, id);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(query, 2, hash, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(query, 3, now);
	if (rc == SQLITE_OK && expected != NULL)
		rc = sqlite3_bind_text(query, 4, expected, -1, SQLITE_STATIC);
	return (change(s, STATEMENT_SET_HASH, rc));
}

static enum store_result
sqlite_user_delete(struct store *base, const char *name, size_t len)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	sqlite3_stmt *query = s->statements[STATEMENT_DELETE];

	return (change(s, STATEMENT_DELETE,
	    sqlite3_bind_blob(query, 1, name, (int)len, SQLITE_STATIC)));
}

static enum store_result
sqlite_user_each(struct store *base,
    int (*each)(const struct store_user *, void *), void *ctx)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	sqlite3_stmt *query = s->statements[STATEMENT_EACH];
	enum store_result result = STORE_OK;
	struct store_user user;
	int rc;

	while ((rc = sqlite3_step(query)) == SQLITE_ROW) {
		result = read_user(s, query, &user);
		if (result != STORE_OK || each(&user, ctx) != 0)
			break;
	}
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		result = fail(s, rc);
	reset(query);
	return (result == STORE_OK ? still_there(s) : result);
}

static enum store_result
sqlite_user_count(struct store *base, int64_t *count)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	sqlite3_stmt *query = s->statements[STATEMENT_COUNT];
	enum store_result result;

	result = step_integer(s, query, count);
	reset(query);
	return (result == STORE_OK ? still_there(s) : result);
}

static enum store_result
sqlite_ping(struct store *base)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	sqlite3_stmt *query = s->statements[STATEMENT_PING];
	enum store_result result;
	int64_t any;

	if (s->wait > SHORT_WAIT_MS)
		(void)sqlite3_busy_timeout(s->db, SHORT_WAIT_MS);
	if ((result = still_there(s)) == STORE_OK)
		result = step_integer(s, query, &any);
	reset(query);
	(void)sqlite3_busy_timeout(s->db, s->wait);
	return (result);
}
