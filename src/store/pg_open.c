/*
 * pg_open.c - from an address to a database ready for use: with the tables of
 * this program's version, which are in a schema of their own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/pg_internal.h"
#include "store/pg_migrations.h"
#include "store/store_pg.h"

/* How long tables may take to be changed, by this process or by the one that
 * was faster (milliseconds). */
#define MIGRATION_MS 60000

static enum store_result read_version(struct pg_store *, int64_t *);
static enum store_result check_whole(struct pg_store *);
static enum store_result make_schema(struct pg_store *);
static enum store_result
migrate_one(struct pg_store *, const struct pg_migration *);
static enum store_result migrate(struct pg_store *);
static enum store_result
open_address(const char *, bool, bool, struct store **, char[STORE_ERROR_MAX]);

/* The version of the tables: 0 when there are none, -1 without a schema. */
static enum store_result
read_version(struct pg_store *s, int64_t *version)
{
	int64_t schema = 0, tables = 0;
	enum store_result result;
	PGresult *answer;
	bool read;

	result = pg_ask(s, pg_statement_has_schema, NULL, 0, &answer);
	if (result != STORE_OK)
		return (result);
	read = pg_read_integer(answer, 0, 0, &schema) &&
	    pg_read_integer(answer, 0, 1, &tables);
	PQclear(answer);
	*version = schema == 0 ? -1 : 0;
	if (!read || tables == 0)
		return (STORE_OK);
	result = pg_ask(s, pg_statement_schema_version, NULL, 0, &answer);
	if (result == STORE_OK && !pg_read_integer(answer, 0, 0, version))
		result =
		    pg_fail_with(s, STORE_DAMAGED, "has no schema version");
	PQclear(answer);
	return (result);
}

enum store_result
pg_check_version(struct pg_store *s)
{
	const struct pg_migration *steps;
	enum store_result result;
	int64_t version = 0;
	size_t count;

	steps = pg_migrations(&count);
	if ((result = read_version(s, &version)) != STORE_OK)
		return (result);
	if (version > steps[count - 1].version)
		return (pg_fail_with(s, STORE_NEWER,
		    "has schema version %lld, this program knows %d",
		    (long long)version, steps[count - 1].version));
	if (version < 1)
		return (pg_fail_with(
		    s, STORE_NOT_FOUND, "holds no accounts of Corgi yet"));
	if (version < steps[count - 1].version)
		return (pg_fail_with(s, STORE_FAILED,
		    "has schema version %lld instead of %d and is not migrated "
		    "here",
		    (long long)version, steps[count - 1].version));
	return (check_whole(s));
}

/* What a copy has not brought yet would be missing: accounts, and that a token
 * was taken back. */
static enum store_result
check_whole(struct pg_store *s)
{
	enum store_result result;
	int64_t marked = 0;
	PGresult *answer;

	if (s->copying)
		return (STORE_OK);
	result = pg_ask(s, pg_statement_is_unfinished, NULL, 0, &answer);
	if (result == STORE_OK && pg_read_integer(answer, 0, 0, &marked) &&
	    marked != 0)
		result = pg_fail_with(s, STORE_INVALID,
		    "is an unfinished copy of another database; run \"corgictl "
		    "database copy\" once more");
	PQclear(answer);
	return (result);
}

/* An administrator may have made it, for a role that may not. */
static enum store_result
make_schema(struct pg_store *s)
{
	enum store_result result;
	int64_t version = 0;

	result = read_version(s, &version);
	if (result == STORE_OK && version == -1)
		result = pg_execute(s, "CREATE SCHEMA corgi", NULL);
	return (result);
}

/*
 * Take one step, unless another process was faster: of any number of them one
 * holds the lock, and each reads the version anew under it.
 */
static enum store_result
migrate_one(struct pg_store *s, const struct pg_migration *step)
{
	enum store_result result;
	char settings[128];
	int64_t version = 0;

	(void)snprintf(settings, sizeof(settings),
	    "BEGIN; SET LOCAL statement_timeout = %d;"
	    " SET LOCAL lock_timeout = %d",
	    MIGRATION_MS, MIGRATION_MS);
	pg_give_time(s, MIGRATION_MS + PG_MARGIN_MS);
	result = pg_execute(s, settings, NULL);
	if (result == STORE_OK)
		result = pg_execute(s, pg_statement_migration_lock, NULL);
	if (result == STORE_OK)
		result = make_schema(s);
	if (result == STORE_OK)
		result = read_version(s, &version);
	if (result == STORE_OK && version < step->version)
		result = pg_execute(s, step->sql, NULL);
	s->working = true;
	return (pg_end(s, result));
}

/* Bring the tables to this program's version; those that are beyond it are
 * left alone. */
static enum store_result
migrate(struct pg_store *s)
{
	const struct pg_migration *steps;
	enum store_result result;
	int64_t version = 0;
	size_t count, i;

	steps = pg_migrations(&count);
	result = read_version(s, &version);
	for (i = 0; i < count && result == STORE_OK; i++) {
		if (steps[i].version > version)
			result = migrate_one(s, &steps[i]);
	}
	return (result == STORE_OK ? pg_check_version(s) : result);
}

enum store_result
store_open_postgresql(
    const char *url, struct store **out, char error[STORE_ERROR_MAX])
{
	return (open_address(url, false, false, out, error));
}

enum store_result
store_open_postgresql_existing(
    const char *url, struct store **out, char error[STORE_ERROR_MAX])
{
	return (open_address(url, true, false, out, error));
}

/* What is there is not migrated: it may turn out to be none of the copy's. */
enum store_result
store_open_pg_copy(
    const char *url, struct store **out, char error[STORE_ERROR_MAX])
{
	enum store_result result;

	result = open_address(url, true, true, out, error);
	if (result == STORE_NOT_FOUND)
		result = open_address(url, false, true, out, error);
	return (result);
}

static enum store_result
open_address(const char *url, bool existing, bool copying, struct store **out,
    char error[STORE_ERROR_MAX])
{
	enum store_result result;
	struct pg_store *s;
	char *shown;

	*out = NULL;
	error[0] = '\0';
	if ((result = pg_address_check(url, &shown, error)) != STORE_OK)
		return (result);
	s = calloc(1, sizeof(*s));
	if (s == NULL || (s->url = strdup(url)) == NULL) {
		free(s);
		free(shown);
		(void)snprintf(error, STORE_ERROR_MAX, "out of memory");
		return (STORE_FAILED);
	}
	s->base.ops = &pg_ops;
	s->shown = shown;
	s->wait = STORE_WAIT_MS;
	s->opening = !existing;
	s->copying = copying;
	result = pg_connect(s);
	if (result == STORE_OK && !existing)
		result = pg_check_pooler(s);
	if (result == STORE_OK && !existing)
		result = migrate(s);
	s->opening = false;
	if (result != STORE_OK) {
		(void)memcpy(error, s->base.error, STORE_ERROR_MAX);
		store_close(&s->base);
		return (result);
	}
	*out = &s->base;
	return (STORE_OK);
}

enum store_result
store_pg_set_wait(struct store *base, int milliseconds)
{
	struct pg_store *s = (struct pg_store *)base;

	s->wait = milliseconds;
	pg_give_time(s, s->wait + PG_MARGIN_MS);
	return (s->conn == NULL ? STORE_OK : pg_settle(s));
}
