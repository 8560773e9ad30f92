/*
 * sqlite_copy.c - a SQLite database as one side of a copy.
 *
 * Whether somebody else has it open is in the locks: with a write-ahead log
 * every connection holds one on the file beside it, "-shm", for as long as it
 * is there. (Format: "WAL-mode File Format", section 2.2; the byte is the one
 * that SQLite 3.40 calls UNIX_SHM_DMS.)
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/sqlite_internal.h"
#include "store/store_copy.h"

/* The byte of "-shm" that every connection has a lock on. */
#define LOCK_OPEN 128

static enum store_result copy_identity(struct store *, char[COPY_IDENTITY_MAX]);
static const char *copy_shown(struct store *);
static enum store_result copy_alone(struct store *);
static void copy_leave(struct store *);
static enum store_result copy_hold(struct store *);
static enum store_result copy_release(struct store *);
static enum store_result copy_count(struct store *, enum copy_table, int64_t *);
static enum store_result take_row(struct sqlite_store *, enum copy_table,
    sqlite3_stmt *, struct copy_batch *);
static int bind_key(sqlite3_stmt *, enum copy_table, const struct copy_key *);
static enum store_result copy_read(struct store *, enum copy_table,
    const struct copy_key *, size_t, struct copy_batch *);
static enum store_result
copy_counter(struct store *, enum copy_table, int64_t *);
static enum store_result
copy_marked(struct store *, char[COPY_IDENTITY_MAX], char[STORE_ERROR_MAX]);
static enum store_result run_with(
    struct sqlite_store *, const char *, const struct sqlite_value *, size_t);
static enum store_result
mark(struct sqlite_store *, const char *, const char *);
static enum store_result copy_mark(struct store *, const char *, const char *);
static enum store_result insert_row(struct sqlite_store *, sqlite3_stmt *,
    enum copy_table, const struct copy_field *);
static enum store_result
write_rows(struct sqlite_store *, enum copy_table, const struct copy_batch *);
static enum store_result
copy_write(struct store *, enum copy_table, const struct copy_batch *);
static enum store_result clear(struct sqlite_store *);
static enum store_result copy_clear(struct store *);
static enum store_result
set_counter(struct sqlite_store *, enum copy_table, int64_t);
static enum store_result
copy_set_counter(struct store *, enum copy_table, int64_t);
static enum store_result copy_unmark(struct store *);

const struct store_copy_ops sqlite_copy_ops = {
    .identity = copy_identity,
    .shown = copy_shown,
    .alone = copy_alone,
    .leave = copy_leave,
    .hold = copy_hold,
    .release = copy_release,
    .count = copy_count,
    .read = copy_read,
    .counter = copy_counter,
    .marked = copy_marked,
    .mark = copy_mark,
    .write = copy_write,
    .clear = copy_clear,
    .set_counter = copy_set_counter,
    .unmark = copy_unmark,
};

/* A file is known by its place. What is in it is compared anyhow. */
static enum store_result
copy_identity(struct store *base, char identity[COPY_IDENTITY_MAX])
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	char path[PATH_MAX];

	if (realpath(s->path, path) == NULL)
		return (sqlite_fail_with(s, STORE_FAILED,
		    "cannot be reached (%s)", strerror(errno)));
	(void)snprintf(identity, COPY_IDENTITY_MAX, "sqlite:%s", path);
	return (STORE_OK);
}

static const char *
copy_shown(struct store *base)
{
	return (((struct sqlite_store *)base)->path);
}

/*
 * The descriptor stays open as long as the database: closing it drops every
 * lock that this process has on the file. Reading begins with the file, so that
 * there is one.
 */
static enum store_result
copy_alone(struct store *base)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	struct flock lock = {.l_type = F_WRLCK,
	    .l_whence = SEEK_SET,
	    .l_start = LOCK_OPEN,
	    .l_len = 1};
	char path[PATH_MAX + 8], who[32] = "";
	enum store_result result;
	int64_t any;

	result = sqlite_select_integer(s, "PRAGMA schema_version", &any);
	if (result != STORE_OK)
		return (result);
	(void)snprintf(path, sizeof(path), "%s-shm", s->path);
	if (s->watch == -1)
		s->watch = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (s->watch == -1 || fcntl(s->watch, F_GETLK, &lock) == -1)
		return (sqlite_fail_with(s, STORE_FAILED,
		    "whether it is in use cannot be known (%s)",
		    strerror(errno)));
	if (lock.l_type == F_UNLCK)
		return (sqlite_still_there(s));
	if (lock.l_pid > 0) /* not seen from another container */
		(void)snprintf(who, sizeof(who), " (%d)", (int)lock.l_pid);
	return (sqlite_fail_with(s, STORE_BUSY,
	    "is in use by another process%s; stop the service first", who));
}

/* Nobody was kept out. */
static void
copy_leave(struct store *base)
{
	(void)base;
}

static enum store_result
copy_hold(struct store *base)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	enum store_result result;
	int64_t any;

	if ((result = sqlite_execute(s, "BEGIN")) != STORE_OK)
		return (result);
	/* The moment is that of the first reading. */
	return (sqlite_select_integer(s, copy_sql_any, &any));
}

static enum store_result
copy_release(struct store *base)
{
	struct sqlite_store *s = (struct sqlite_store *)base;

	return (sqlite_answer(s, sqlite_execute(s, "COMMIT")));
}

static enum store_result
copy_count(struct store *base, enum copy_table table, int64_t *rows)
{
	char sql[COPY_SQL_MAX];

	copy_sql_count(table, sql);
	return (sqlite_select_integer((struct sqlite_store *)base, sql, rows));
}

/* STRICT tables hold columns to their types, but a file can be tampered with.
 */
static enum store_result
take_row(struct sqlite_store *s, enum copy_table table, sqlite3_stmt *row,
    struct copy_batch *batch)
{
	const char *types = copy_shapes[table].types;
	int i, wanted;

	copy_row_begin(batch, table);
	for (i = 0; types[i] != '\0'; i++) {
		wanted = types[i] == COPY_INTEGER ? SQLITE_INTEGER
		    : types[i] == COPY_TEXT       ? SQLITE_TEXT
						  : SQLITE_BLOB;
		if (sqlite3_column_type(row, i) != wanted)
			return (sqlite_fail_with(s, STORE_DAMAGED,
			    "the table %s has a value of another kind",
			    copy_shapes[table].name));
		if (wanted == SQLITE_INTEGER)
			copy_row_integer(batch, sqlite3_column_int64(row, i));
		else
			copy_row_bytes(batch, sqlite3_column_blob(row, i),
			    (size_t)sqlite3_column_bytes(row, i));
	}
	return (STORE_OK);
}

/* No key is empty, so all are behind the empty one. */
static int
bind_key(sqlite3_stmt *query, enum copy_table table, const struct copy_key *key)
{
	switch ((enum copy_type)copy_shapes[table].types[0]) {
	case COPY_INTEGER:
		return (sqlite3_bind_int64(
		    query, 1, key->set ? key->integer : INT64_MIN));
	case COPY_TEXT:
		return (sqlite3_bind_text(query, 1, (const char *)key->bytes,
		    (int)key->len, SQLITE_STATIC));
	default:
		return (sqlite3_bind_blob(
		    query, 1, key->bytes, (int)key->len, SQLITE_STATIC));
	}
}

static enum store_result
copy_read(struct store *base, enum copy_table table,
    const struct copy_key *after, size_t limit, struct copy_batch *batch)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	enum store_result result = STORE_OK;
	sqlite3_stmt *query = NULL;
	char sql[COPY_SQL_MAX];
	int rc;

	copy_sql_read(table, sql);
	errno = 0;
	rc = sqlite3_prepare_v2(s->db, sql, -1, &query, NULL);
	if (rc == SQLITE_OK)
		rc = bind_key(query, table, after);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(query, 2, (int64_t)limit);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(query);
	while (rc == SQLITE_ROW && batch->len < COPY_BYTES) {
		result = take_row(s, table, query, batch);
		if (result != STORE_OK)
			break;
		rc = sqlite3_step(query);
	}
	if (result == STORE_OK && rc != SQLITE_ROW && rc != SQLITE_DONE)
		result = sqlite_fail(s, rc);
	(void)sqlite3_finalize(query);
	return (sqlite_answer(s, result));
}

static enum store_result
copy_counter(struct store *base, enum copy_table table, int64_t *highest)
{
	char sql[COPY_SQL_MAX];

	(void)snprintf(sql, sizeof(sql),
	    "SELECT coalesce(max(seq), 0) FROM sqlite_sequence"
	    " WHERE name = '%s'",
	    copy_shapes[table].name);
	return (
	    sqlite_select_integer((struct sqlite_store *)base, sql, highest));
}

static enum store_result
copy_marked(struct store *base, char identity[COPY_IDENTITY_MAX],
    char shown[STORE_ERROR_MAX])
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	enum store_result result;
	sqlite3_stmt *query = NULL;
	int64_t marked = 0;
	int rc;

	identity[0] = '\0';
	shown[0] = '\0';
	result = sqlite_select_integer(s, statement_is_unfinished, &marked);
	if (result != STORE_OK || marked == 0)
		return (result);
	rc = sqlite3_prepare_v2(s->db, copy_sql_marked, -1, &query, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(query);
	if (rc != SQLITE_ROW)
		result = sqlite_fail(s, rc);
	else if (!sqlite_read_text(query, 0, identity, COPY_IDENTITY_MAX) ||
	    !sqlite_read_text(query, 1, shown, STORE_ERROR_MAX))
		result = sqlite_fail_with(
		    s, STORE_DAMAGED, "does not say of what it is a copy");
	(void)sqlite3_finalize(query);
	return (result);
}

/* Run a change that is made once. */
static enum store_result
run_with(struct sqlite_store *s, const char *sql,
    const struct sqlite_value *values, size_t count)
{
	sqlite3_stmt *query = NULL;
	int rc;

	rc = sqlite3_prepare_v2(s->db, sql, -1, &query, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite_bind(query, values, count);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(query);
	(void)sqlite3_finalize(query);
	return (rc == SQLITE_DONE ? STORE_OK : sqlite_fail(s, rc));
}

static enum store_result
mark(struct sqlite_store *s, const char *identity, const char *shown)
{
	const struct sqlite_value values[] = {
	    SQLITE_TEXT_OF(identity),
	    SQLITE_TEXT_OF(shown),
	};
	enum store_result result;
	int64_t any = 0;

	result = sqlite_select_integer(s, copy_sql_any, &any);
	if (result == STORE_OK && any != 0)
		return (sqlite_fail_with(
		    s, STORE_EXISTS, "is not empty; it was left as it is"));
	if (result == STORE_OK)
		result = sqlite_execute(s, copy_sql_mark);
	if (result == STORE_OK)
		result = run_with(s, copy_sql_mark_row, values, 2);
	return (result);
}

static enum store_result
copy_mark(struct store *base, const char *identity, const char *shown)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	enum store_result result;

	if ((result = sqlite_begin(s)) != STORE_OK)
		return (result);
	return (sqlite_end(s, mark(s, identity, shown)));
}

static enum store_result
insert_row(struct sqlite_store *s, sqlite3_stmt *query, enum copy_table table,
    const struct copy_field *fields)
{
	const char *types = copy_shapes[table].types;
	int i, rc = SQLITE_OK;

	for (i = 0; types[i] != '\0' && rc == SQLITE_OK; i++) {
		if (types[i] == COPY_INTEGER)
			rc =
			    sqlite3_bind_int64(query, i + 1, fields[i].integer);
		else if (types[i] == COPY_TEXT)
			rc = sqlite3_bind_text(query, i + 1,
			    (const char *)fields[i].data, (int)fields[i].len,
			    SQLITE_STATIC);
		else
			rc = sqlite3_bind_blob(query, i + 1, fields[i].data,
			    (int)fields[i].len, SQLITE_STATIC);
	}
	if (rc == SQLITE_OK)
		rc = sqlite3_step(query);
	if (rc != SQLITE_DONE)
		return (sqlite_fail(s, rc));
	(void)sqlite3_reset(query);
	return (STORE_OK);
}

static enum store_result
write_rows(struct sqlite_store *s, enum copy_table table,
    const struct copy_batch *batch)
{
	const struct copy_shape *shape = &copy_shapes[table];
	struct copy_field fields[COPY_COLUMNS_MAX];
	const uint8_t *row = batch->data;
	enum store_result result = STORE_OK;
	sqlite3_stmt *query = NULL;
	char sql[COPY_SQL_MAX];
	size_t i;
	int rc;

	/* As many values as there are types, of two characters each. */
	(void)snprintf(sql, sizeof(sql), "INSERT INTO %s (%s) VALUES (%.*s)",
	    shape->name, shape->columns, (int)(2 * strlen(shape->types) - 1),
	    "?,?,?,?,?,?,?,?,?,?");
	rc = sqlite3_prepare_v2(s->db, sql, -1, &query, NULL);
	if (rc != SQLITE_OK)
		result = sqlite_fail(s, rc);
	for (i = 0; i < batch->count && result == STORE_OK; i++) {
		row += copy_row_fields(row, table, fields);
		result = insert_row(s, query, table, fields);
	}
	(void)sqlite3_finalize(query);
	return (result);
}

static enum store_result
copy_write(
    struct store *base, enum copy_table table, const struct copy_batch *batch)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	enum store_result result;

	if ((result = sqlite_begin(s)) != STORE_OK)
		return (result);
	return (sqlite_end(s, write_rows(s, table, batch)));
}

static enum store_result
clear(struct sqlite_store *s)
{
	enum store_result result = STORE_OK;
	char sql[COPY_SQL_MAX];
	int table;

	for (table = COPY__MAX - 1; table >= 0 && result == STORE_OK; table--) {
		(void)snprintf(sql, sizeof(sql), "DELETE FROM %s",
		    copy_shapes[table].name);
		result = sqlite_execute(s, sql);
	}
	return (result);
}

static enum store_result
copy_clear(struct store *base)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	enum store_result result;

	if ((result = sqlite_begin(s)) != STORE_OK)
		return (result);
	return (sqlite_end(s, clear(s)));
}

/* The table of the highest numbers has no key that would keep them single. */
static enum store_result
set_counter(struct sqlite_store *s, enum copy_table table, int64_t highest)
{
	const struct sqlite_value values[] = {
	    SQLITE_TEXT_OF(copy_shapes[table].name),
	    SQLITE_INTEGER_OF(highest),
	};
	enum store_result result;

	result = run_with(
	    s, "DELETE FROM sqlite_sequence WHERE name = ?1", values, 1);
	if (result == STORE_OK && highest > 0)
		result = run_with(s,
		    "INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)",
		    values, 2);
	return (result);
}

static enum store_result
copy_set_counter(struct store *base, enum copy_table table, int64_t highest)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	enum store_result result;

	if ((result = sqlite_begin(s)) != STORE_OK)
		return (result);
	return (sqlite_end(s, set_counter(s, table, highest)));
}

static enum store_result
copy_unmark(struct store *base)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	enum store_result result;

	if ((result = sqlite_begin(s)) != STORE_OK)
		return (result);
	return (sqlite_end(s, sqlite_execute(s, copy_sql_unmark)));
}
