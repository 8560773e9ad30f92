/*
 * sqlite_revocation.c - the log of revocations, and the removal of what is
 * over.
 */
#include <string.h>

#include "store/sqlite_internal.h"

static enum store_result read_revocation(
    struct sqlite_store *, sqlite3_stmt *, struct store_revocation *);
static enum store_result
purge(struct sqlite_store *, int64_t, int64_t, int, int64_t *);

static enum store_result
read_revocation(
    struct sqlite_store *s, sqlite3_stmt *row, struct store_revocation *out)
{
	memset(out, 0, sizeof(*out));
	out->number = sqlite3_column_int64(row, 0);
	out->kind = (enum store_revocation_kind)sqlite3_column_int(row, 1);
	if (!sqlite_read_blob(
		row, 2, out->key, STORE_NAME_MAX, &out->key_len) ||
	    out->kind < STORE_REVOKE_TOKEN || out->kind > STORE_REVOKE_USER)
		return (sqlite_fail_with(s, STORE_DAMAGED,
		    "the row of a revocation is out of its limits"));
	out->version = sqlite3_column_int64(row, 3);
	out->before = sqlite3_column_int64(row, 4);
	out->until = sqlite3_column_int64(row, 5);
	return (STORE_OK);
}

/* Of an account the newest row says all: older ones go. */
enum store_result
sqlite_log(struct sqlite_store *s, struct store_revocation *revocation)
{
	const struct sqlite_value values[] = {
	    SQLITE_INTEGER_OF(revocation->kind),
	    SQLITE_BLOB_OF(revocation->key, revocation->key_len),
	    SQLITE_INTEGER_OF(revocation->version),
	    SQLITE_INTEGER_OF(revocation->before),
	    SQLITE_INTEGER_OF(revocation->until),
	};
	enum store_result result = STORE_OK;

	if (revocation->kind == STORE_REVOKE_USER)
		result = sqlite_change_any(
		    s, STATEMENT_REVOCATION_REPLACE, values, 2);
	if (result == STORE_OK)
		result = sqlite_change(
		    s, STATEMENT_REVOCATION_ADD, values, SQLITE_COUNT(values));
	if (result == STORE_OK)
		revocation->number = sqlite3_last_insert_rowid(s->db);
	return (result);
}

enum store_result
sqlite_revocation_add(struct store *base, struct store_revocation *revocation)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	enum store_result result;

	if ((result = sqlite_begin(s)) != STORE_OK)
		return (result);
	return (sqlite_end(s, sqlite_log(s, revocation)));
}

enum store_result
sqlite_revocation_each(struct store *base, int64_t after, int64_t now,
    int (*each)(const struct store_revocation *, void *), void *ctx)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	const struct sqlite_value values[] = {
	    SQLITE_INTEGER_OF(after),
	    SQLITE_INTEGER_OF(now),
	};
	struct store_revocation revocation;
	enum store_result result;
	sqlite3_stmt *row;
	int rc = SQLITE_ROW;

	result = sqlite_query(
	    s, STATEMENT_REVOCATION_EACH, values, SQLITE_COUNT(values), &row);
	if (result != STORE_OK)
		return (sqlite_answer(
		    s, result == STORE_NOT_FOUND ? STORE_OK : result));
	for (; rc == SQLITE_ROW; rc = sqlite3_step(row)) {
		result = read_revocation(s, row, &revocation);
		if (result != STORE_OK || each(&revocation, ctx) != 0)
			break;
	}
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		result = sqlite_fail(s, rc);
	sqlite_reset(row);
	return (sqlite_answer(s, result));
}

static enum store_result
purge(struct sqlite_store *s, int64_t now, int64_t since_ms, int limit,
    int64_t *removed)
{
	const struct {
		enum statement which;
		int64_t before;
	} steps[] = {
	    {STATEMENT_PURGE_SESSIONS, now},
	    {STATEMENT_PURGE_ROTATIONS, since_ms},
	    {STATEMENT_PURGE_REVOCATIONS, now - STORE_KEEP_REVOKED},
	};
	enum store_result result;
	size_t i;

	for (i = 0; i < SQLITE_COUNT(steps); i++) {
		const struct sqlite_value values[] = {
		    SQLITE_INTEGER_OF(steps[i].before),
		    SQLITE_INTEGER_OF(limit),
		};

		result = sqlite_change(s, steps[i].which, values, 2);
		if (result == STORE_OK)
			*removed += sqlite3_changes(s->db);
		else if (result != STORE_NOT_FOUND)
			return (result);
	}
	return (STORE_OK);
}

enum store_result
sqlite_purge(struct store *base, int64_t now, int64_t since_ms, int limit,
    int64_t *removed)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	enum store_result result;

	if ((result = sqlite_begin(s)) != STORE_OK)
		return (result);
	result = sqlite_end(s, purge(s, now, since_ms, limit, removed));
	if (result != STORE_OK)
		*removed = 0;
	return (result);
}
