/*
 * sqlite_open.c - from a path to a SQLite database ready for use: ours, with a
 * write-ahead log, with the schema of this program.
 */
#include <sys/stat.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "store/migrations.h"
#include "store/sqlite_internal.h"
#include "store/store_file.h"
#include "store/store_sqlite.h"

/* Between two looks at a lock (milliseconds). */
#define PAUSE_MS 1

static int wait_for_lock(void *, int);
static enum store_result identify(struct sqlite_store *);
static enum store_result use_wal(struct sqlite_store *, bool);
static enum store_result schema_version(struct sqlite_store *, int64_t *);
static enum store_result
migrate_one(struct sqlite_store *, const struct migration *);
static enum store_result migrate(struct sqlite_store *, bool);
static enum store_result connect_database(struct sqlite_store *, bool);
static enum store_result prepare_statements(struct sqlite_store *);
static enum store_result check_whole(struct sqlite_store *);
static enum store_result
open_file(const char *, bool, bool, struct store **, char[STORE_ERROR_MAX]);

enum store_result
sqlite_select_integer(struct sqlite_store *s, const char *sql, int64_t *value)
{
	enum store_result result;
	sqlite3_stmt *query = NULL;
	int rc;

	rc = sqlite3_prepare_v2(s->db, sql, -1, &query, NULL);
	result = rc == SQLITE_OK ? sqlite_step_integer(s, query, value)
				 : sqlite_fail(s, rc);
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

	result = sqlite_select_integer(s, statement_identify, &id);
	if (result != STORE_OK || id == -1 || id == STORE_APPLICATION_ID)
		return (result);
	return (sqlite_fail_with(s, STORE_DAMAGED,
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
		result = sqlite_execute(s, "PRAGMA journal_mode = WAL");
		if (result != STORE_BUSY || clock_monotonic_ms() >= until)
			break;
		(void)nanosleep(&pause, NULL);
	}
	if (result == STORE_OK)
		result = sqlite_select_integer(s, statement_is_wal, &is_wal);
	if (result == STORE_OK && is_wal == 0)
		result = sqlite_fail_with(
		    s, STORE_FAILED, "keeps no write-ahead log");
	return (result);
}

/* The version of the schema; 0 for an empty database. */
static enum store_result
schema_version(struct sqlite_store *s, int64_t *version)
{
	enum store_result result;

	result = sqlite_select_integer(s, statement_has_schema, version);
	if (result != STORE_OK || *version == 0)
		return (result);
	return (sqlite_select_integer(s, statement_schema_version, version));
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

	if ((result = sqlite_execute(s, "BEGIN IMMEDIATE")) != STORE_OK)
		return (result);
	result = schema_version(s, &version);
	if (result == STORE_OK && version < step->version)
		result = sqlite_execute(s, step->sql);
	if (result == STORE_OK)
		result = sqlite_execute(s, "COMMIT");
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
		return (sqlite_fail_with(s, STORE_NEWER,
		    "has schema version %lld, this program knows %d",
		    (long long)version, steps[count - 1].version));
	if (version == 0 && s->copying)
		existing = false; /* a copy that was interrupted at once */
	if (existing && version < steps[count - 1].version)
		return (sqlite_fail_with(s, STORE_FAILED,
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
		return (sqlite_fail(s, rc));
	store_sqlite_set_wait(
	    &s->base, existing ? SQLITE_SHORT_WAIT_MS : STORE_WAIT_MS);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_db_config(
	    s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if ((result = sqlite_execute(s, statement_connect)) != STORE_OK ||
	    (result = identify(s)) != STORE_OK)
		return (result);
	if (sqlite3_db_readonly(s->db, "main") == 1)
		return (
		    sqlite_fail_with(s, STORE_READONLY, "may not be written"));
	if ((result = use_wal(s, existing)) != STORE_OK ||
	    (result = migrate(s, existing)) != STORE_OK ||
	    (result = check_whole(s)) != STORE_OK)
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
			return (sqlite_fail(s, rc));
	}
	return (STORE_OK);
}

/* What a copy has not brought yet would be missing: accounts, and that a token
 * was taken back. */
static enum store_result
check_whole(struct sqlite_store *s)
{
	enum store_result result;
	int64_t marked = 0;

	result = sqlite_select_integer(s, statement_is_unfinished, &marked);
	if (result != STORE_OK || marked == 0 || s->copying)
		return (result);
	return (sqlite_fail_with(s, STORE_INVALID,
	    "is an unfinished copy of another database; run \"corgictl "
	    "database copy\" once more"));
}

enum store_result
store_open_sqlite(
    const char *path, struct store **out, char error[STORE_ERROR_MAX])
{
	return (open_file(path, false, false, out, error));
}

enum store_result
store_open_sqlite_existing(
    const char *path, struct store **out, char error[STORE_ERROR_MAX])
{
	return (open_file(path, true, false, out, error));
}

/* What is there is not migrated: it may turn out to be none of the copy's. */
enum store_result
store_open_sqlite_copy(
    const char *path, struct store **out, char error[STORE_ERROR_MAX])
{
	struct stat st;
	bool existing = lstat(path, &st) == 0 && st.st_size > 0;

	return (open_file(path, existing, true, out, error));
}

static enum store_result
open_file(const char *path, bool existing, bool copying, struct store **out,
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
	s->copying = copying;
	s->watch = -1;
	result = connect_database(s, existing);
	if (result != STORE_OK) {
		(void)memcpy(error, s->base.error, STORE_ERROR_MAX);
		store_close(&s->base);
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

	s->wait = s->patience = milliseconds;
	(void)sqlite3_busy_handler(s->db, wait_for_lock, s);
}

/*
 * SQLite's own handler doubles its pauses up to a tenth of a second, during
 * which others come and go: who has lost a few times loses for long. A
 * transaction takes less than a millisecond, so look again soon.
 */
static int
wait_for_lock(void *arg, int tries)
{
	struct sqlite_store *s = arg;
	int64_t now = clock_monotonic_ms();

	if (tries == 0)
		s->since = now;
	if (now - s->since >= s->patience)
		return (0);
	(void)sqlite3_sleep(PAUSE_MS);
	return (1);
}
