/*
 * sqlite.c - the SQLite back end (3.40): the handle, its errors, its
 * transactions. With sqlite_*.c the only place that knows sqlite3.h.
 *
 * Write-ahead log: readers and one writer at once, in any number of processes.
 * Every operation is one transaction, on the disk when it returns
 * (synchronous=FULL). The file is never opened but through SQLite: closing a
 * descriptor of one's own would drop the POSIX locks of every other handle in
 * the process.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/sqlite_internal.h"
#include "store/store_file.h"

static enum store_result result_of(int, int);
static enum store_result check_batch(struct sqlite_store *);
static void sqlite_close(struct store *);
static enum store_result sqlite_change_mark(struct store *, int64_t *);
static enum store_result sqlite_listen(struct store *, int *);
static enum store_result sqlite_heard(struct store *, bool *);
static enum store_result kept_key(struct sqlite_store *, uint32_t *);
static enum store_result keep_key(struct sqlite_store *, uint32_t, uint32_t *);
static enum store_result
sqlite_key_meet(struct store *, uint32_t, bool, uint32_t *);
static enum store_result sqlite_batch(
    struct store *, enum store_result (*)(struct store *, void *), void *);
static enum store_result sqlite_ping(struct store *);

const struct store_ops sqlite_ops = {
    .name = "SQLite",
    .close = sqlite_close,
    .user_find = sqlite_user_find,
    .user_find_subject = sqlite_user_find_subject,
    .user_add = sqlite_user_add,
    .user_set_hash = sqlite_user_set_hash,
    .user_change = sqlite_user_change,
    .user_each = sqlite_user_each,
    .user_count = sqlite_user_count,
    .session_add = sqlite_session_add,
    .session_refresh = sqlite_session_refresh,
    .session_successor = sqlite_session_successor,
    .session_find = sqlite_session_find,
    .session_end = sqlite_session_end,
    .session_each = sqlite_session_each,
    .revocation_add = sqlite_revocation_add,
    .revocation_each = sqlite_revocation_each,
    .purge = sqlite_purge,
    .change_mark = sqlite_change_mark,
    .listen = sqlite_listen,
    .heard = sqlite_heard,
    .key_meet = sqlite_key_meet,
    .batch = sqlite_batch,
    .ping = sqlite_ping,
    .copy = &sqlite_copy_ops,
};

enum store_result
sqlite_fail_with(
    struct sqlite_store *s, enum store_result result, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	store_sentence(s->base.error, s->path, fmt, args);
	va_end(args);
	return (result);
}

/* The system's reason for a failed commit is not in sqlite3_system_errno() but
 * still in errno. */
enum store_result
sqlite_fail(struct sqlite_store *s, int rc)
{
	int saved = (rc & 0xff) == SQLITE_IOERR ? errno : 0;
	enum store_result result;

	if (sqlite3_system_errno(s->db) != 0)
		saved = sqlite3_system_errno(s->db);
	result = result_of(rc, saved);
	return (sqlite_fail_with(s, result, "%s (%s%s%s)",
	    store_result_text(result), sqlite3_errmsg(s->db), saved ? ": " : "",
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

enum store_result
sqlite_execute(struct sqlite_store *s, const char *sql)
{
	int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);

	return (rc == SQLITE_OK ? STORE_OK : sqlite_fail(s, rc));
}

enum store_result
sqlite_step_integer(struct sqlite_store *s, sqlite3_stmt *query, int64_t *value)
{
	int rc;

	if ((rc = sqlite3_step(query)) != SQLITE_ROW)
		return (sqlite_fail(s, rc));
	*value = sqlite3_column_int64(query, 0);
	return (STORE_OK);
}

enum store_result
sqlite_still_there(struct sqlite_store *s)
{
	int moved = 0;

	(void)sqlite3_file_control(
	    s->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
	if (!moved)
		return (STORE_OK);
	return (sqlite_fail_with(s, STORE_FAILED, "was removed or replaced"));
}

enum store_result
sqlite_answer(struct sqlite_store *s, enum store_result result)
{
	return (sqlite_still_there(s) == STORE_OK ? result : STORE_FAILED);
}

void
sqlite_reset(sqlite3_stmt *query)
{
	(void)sqlite3_reset(query);
	(void)sqlite3_clear_bindings(query);
}

int
sqlite_bind(
    sqlite3_stmt *query, const struct sqlite_value *values, size_t count)
{
	int at, rc = SQLITE_OK;
	size_t i;

	for (i = 0; i < count && rc == SQLITE_OK; i++) {
		at = (int)i + 1;
		if (values[i].type == VALUE_INTEGER)
			rc = sqlite3_bind_int64(query, at, values[i].integer);
		else if (values[i].data == NULL)
			rc = sqlite3_bind_null(query, at);
		else if (values[i].type == VALUE_TEXT)
			rc = sqlite3_bind_text(
			    query, at, values[i].data, -1, SQLITE_STATIC);
		else
			rc = sqlite3_bind_blob(query, at, values[i].data,
			    (int)values[i].len, SQLITE_STATIC);
	}
	return (rc);
}

enum store_result
sqlite_change(struct sqlite_store *s, enum statement which,
    const struct sqlite_value *values, size_t count)
{
	sqlite3_stmt *query = s->statements[which];
	enum store_result result;
	int rc;

	if ((result = check_batch(s)) != STORE_OK)
		return (result);
	errno = 0;
	rc = sqlite_bind(query, values, count);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(query);
	if (rc == SQLITE_CONSTRAINT_UNIQUE ||
	    rc == SQLITE_CONSTRAINT_PRIMARYKEY)
		result = sqlite_fail_with(s, STORE_EXISTS, "the name is taken");
	else if (rc != SQLITE_DONE)
		result = sqlite_fail(s, rc);
	else if (sqlite3_changes(s->db) == 0)
		result = sqlite_fail_with(s, STORE_NOT_FOUND, "%s",
		    store_result_text(STORE_NOT_FOUND));
	else
		result = sqlite_still_there(s);
	sqlite_reset(query);
	return (result);
}

enum store_result
sqlite_change_any(struct sqlite_store *s, enum statement which,
    const struct sqlite_value *values, size_t count)
{
	enum store_result result;

	result = sqlite_change(s, which, values, count);
	return (result == STORE_NOT_FOUND ? STORE_OK : result);
}

enum store_result
sqlite_query(struct sqlite_store *s, enum statement which,
    const struct sqlite_value *values, size_t count, sqlite3_stmt **query)
{
	enum store_result result;
	int rc;

	errno = 0;
	*query = s->statements[which];
	rc = sqlite_bind(*query, values, count);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(*query);
	if (rc == SQLITE_ROW)
		return (STORE_OK);
	if (rc == SQLITE_DONE)
		result = sqlite_fail_with(s, STORE_NOT_FOUND, "%s",
		    store_result_text(STORE_NOT_FOUND));
	else
		result = sqlite_fail(s, rc);
	sqlite_reset(*query);
	return (result);
}

/*
 * SQLite rolls a whole transaction back on some errors, as when the disk is
 * full. What a batch still had to do would then be kept alone.
 */
static enum store_result
check_batch(struct sqlite_store *s)
{
	if (!s->batching || sqlite3_get_autocommit(s->db) == 0)
		return (STORE_OK);
	return (sqlite_fail_with(
	    s, STORE_FAILED, "the batch was undone after an error"));
}

enum store_result
sqlite_begin(struct sqlite_store *s)
{
	enum store_result result;

	if ((result = check_batch(s)) != STORE_OK)
		return (result);
	errno = 0;
	return (sqlite_execute(
	    s, s->batching ? "SAVEPOINT operation" : "BEGIN IMMEDIATE"));
}

/* Where SQLite has rolled back by itself there is nothing left to. */
enum store_result
sqlite_end(struct sqlite_store *s, enum store_result result)
{
	char error[STORE_ERROR_MAX];

	errno = 0;
	if (result == STORE_OK)
		result = sqlite_execute(
		    s, s->batching ? "RELEASE operation" : "COMMIT");
	if (result != STORE_OK && sqlite3_get_autocommit(s->db) == 0) {
		(void)memcpy(error, s->base.error, sizeof(error));
		(void)sqlite3_exec(s->db,
		    s->batching ? "ROLLBACK TO operation; RELEASE operation"
				: "ROLLBACK",
		    NULL, NULL, NULL);
		(void)memcpy(s->base.error, error, sizeof(error));
	}
	return (sqlite_answer(s, result));
}

bool
sqlite_read_blob(
    sqlite3_stmt *row, int column, void *out, size_t max, size_t *len)
{
	const void *data = sqlite3_column_blob(row, column);
	int got = sqlite3_column_bytes(row, column);

	if (data == NULL || got < 1 || (size_t)got > max)
		return (false);
	(void)memcpy(out, data, (size_t)got);
	*len = (size_t)got;
	return (true);
}

bool
sqlite_read_text(sqlite3_stmt *row, int column, char *out, size_t size)
{
	const void *data = sqlite3_column_text(row, column);
	int got = sqlite3_column_bytes(row, column);

	if (data == NULL || got < 0 || (size_t)got >= size ||
	    strlen(data) != (size_t)got)
		return (false);
	(void)memcpy(out, data, (size_t)got + 1);
	return (true);
}

static enum store_result
sqlite_change_mark(struct store *base, int64_t *mark)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	sqlite3_stmt *query = s->statements[STATEMENT_CHANGE_MARK];
	enum store_result result;

	result = sqlite_step_integer(s, query, mark);
	sqlite_reset(query);
	return (sqlite_answer(s, result));
}

/* A file tells nobody. */
static enum store_result
sqlite_listen(struct store *base, int *fd)
{
	(void)base;
	*fd = -1;
	return (STORE_OK);
}

static enum store_result
sqlite_heard(struct store *base, bool *news)
{
	(void)base;
	*news = false;
	return (STORE_OK);
}

/* 0: no service has started yet. */
static enum store_result
kept_key(struct sqlite_store *s, uint32_t *key)
{
	sqlite3_stmt *query = s->statements[STATEMENT_KEY_KEPT];
	enum store_result result;
	int64_t value = 0;

	result = sqlite_step_integer(s, query, &value);
	sqlite_reset(query);
	*key = (uint32_t)value;
	return (result);
}

/* Keep a key, in a transaction. */
static enum store_result
keep_key(struct sqlite_store *s, uint32_t key, uint32_t *before)
{
	enum store_result result;
	char sql[64];

	(void)snprintf(
	    sql, sizeof(sql), "PRAGMA user_version = %d", (int32_t)key);
	result = kept_key(s, before);
	return (result == STORE_OK ? sqlite_execute(s, sql) : result);
}

/* The same key again, as with most starts, waits for no other writer. */
static enum store_result
sqlite_key_meet(struct store *base, uint32_t key, bool starts, uint32_t *other)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	enum store_result result;
	uint32_t kept;

	result = kept_key(s, &kept);
	if (result == STORE_OK && starts && kept != key) {
		result = sqlite_begin(s);
		if (result == STORE_OK)
			result = sqlite_end(s, keep_key(s, key, &kept));
	}
	if (result == STORE_OK && kept != key)
		*other = kept;
	return (sqlite_answer(s, result));
}

static enum store_result
sqlite_batch(struct store *base,
    enum store_result (*work)(struct store *, void *), void *ctx)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	enum store_result result;

	if (s->batching)
		return (sqlite_fail_with(
		    s, STORE_INVALID, "a batch cannot hold another"));
	if ((result = sqlite_begin(s)) != STORE_OK)
		return (result);
	s->batching = true;
	result = work(base, ctx);
	if (result == STORE_OK)
		result = check_batch(s);
	s->batching = false;
	return (sqlite_end(s, result));
}

static enum store_result
sqlite_ping(struct store *base)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	sqlite3_stmt *query = s->statements[STATEMENT_PING];
	enum store_result result;
	int64_t any;

	if (s->wait > SQLITE_SHORT_WAIT_MS)
		s->patience = SQLITE_SHORT_WAIT_MS;
	if ((result = sqlite_still_there(s)) == STORE_OK)
		result = sqlite_step_integer(s, query, &any);
	sqlite_reset(query);
	s->patience = s->wait;
	return (result);
}

static void
sqlite_close(struct store *base)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	size_t i;

	for (i = 0; i < STATEMENT__MAX; i++)
		(void)sqlite3_finalize(s->statements[i]);
	(void)sqlite3_close(s->db);
	if (s->watch != -1) /* now there is no lock of ours left to lose */
		(void)close(s->watch);
	free(s->path);
	free(s);
}
