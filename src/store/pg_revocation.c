/*
 * pg_revocation.c - the log of revocations, and the removal of what is over.
 */
#include <stdlib.h>
#include <string.h>

#include "store/pg_internal.h"

static enum store_result read_revocation(
    struct pg_store *, const PGresult *, int, struct store_revocation *);
static enum store_result
purge(struct pg_store *, int64_t, int64_t, int, int64_t *);

static enum store_result
read_revocation(struct pg_store *s, const PGresult *answer, int row,
    struct store_revocation *out)
{
	int64_t kind = 0;

	memset(out, 0, sizeof(*out));
	if (!pg_read_integer(answer, row, 0, &out->number) ||
	    !pg_read_integer(answer, row, 1, &kind) ||
	    kind < STORE_REVOKE_TOKEN || kind > STORE_REVOKE_USER ||
	    !pg_read_blob(
		answer, row, 2, out->key, STORE_NAME_MAX, &out->key_len) ||
	    !pg_read_integer(answer, row, 3, &out->version) ||
	    !pg_read_integer(answer, row, 4, &out->before) ||
	    !pg_read_integer(answer, row, 5, &out->until))
		return (pg_fail_with(s, STORE_DAMAGED,
		    "the row of a revocation is out of its limits"));
	out->kind = (enum store_revocation_kind)kind;
	return (STORE_OK);
}

/*
 * Whoever has seen number N has seen all below it. A sequence alone does not
 * give that: of two transactions the one that took the lower number may commit
 * later, and a follower that has read past it would never come back. So the
 * number is taken under a lock of its own, which the server releases after the
 * transaction has become visible: rows appear in the order of their numbers.
 * It is the last lock that a transaction takes and is held for one write to
 * the server's log, so revocations are made one after the other, but nothing
 * else waits for them.
 *
 * Of an account the newest row says all: older ones go.
 */
enum store_result
pg_log(struct pg_store *s, struct store_revocation *revocation)
{
	const struct pg_value values[] = {
	    PG_INTEGER_OF(revocation->kind),
	    PG_BLOB_OF(revocation->key, revocation->key_len),
	    PG_INTEGER_OF(revocation->version),
	    PG_INTEGER_OF(revocation->before),
	    PG_INTEGER_OF(revocation->until),
	};
	enum store_result result;
	PGresult *answer;

	result = pg_run(s, PG_REVOCATION_LOCK, NULL, 0, &answer);
	PQclear(answer);
	if (result == STORE_OK && revocation->kind == STORE_REVOKE_USER)
		result = pg_change_any(s, PG_REVOCATION_REPLACE, values, 2);
	if (result == STORE_OK)
		result = pg_query(
		    s, PG_REVOCATION_ADD, values, PG_COUNT_OF(values), &answer);
	if (result != STORE_OK)
		return (result);
	if (!pg_read_integer(answer, 0, 0, &revocation->number))
		result = pg_fail_with(s, STORE_DAMAGED, "a number is none");
	PQclear(answer);
	return (result);
}

enum store_result
pg_revocation_add(struct store *base, struct store_revocation *revocation)
{
	struct pg_store *s = (struct pg_store *)base;
	enum store_result result;

	if ((result = pg_begin(s)) != STORE_OK)
		return (result);
	return (pg_end(s, pg_log(s, revocation)));
}

/* Page by page: what appears between two of them has a higher number. */
enum store_result
pg_revocation_each(struct store *base, int64_t after, int64_t now,
    int (*each)(const struct store_revocation *, void *), void *ctx)
{
	struct pg_store *s = (struct pg_store *)base;
	struct store_revocation revocation = {.number = after};
	enum store_result result;
	PGresult *answer;
	bool stopped = false;
	int rows, i;

	do {
		const struct pg_value values[] = {
		    PG_INTEGER_OF(revocation.number),
		    PG_INTEGER_OF(now),
		    PG_INTEGER_OF(PG_PAGE),
		};

		result = pg_run(s, PG_REVOCATION_EACH, values,
		    PG_COUNT_OF(values), &answer);
		if (result != STORE_OK)
			return (result);
		rows = PQntuples(answer);
		for (i = 0; i < rows && result == STORE_OK && !stopped; i++) {
			result = read_revocation(s, answer, i, &revocation);
			stopped =
			    result == STORE_OK && each(&revocation, ctx) != 0;
		}
		PQclear(answer);
	} while (rows == PG_PAGE && result == STORE_OK && !stopped);
	return (result);
}

static enum store_result
purge(struct pg_store *s, int64_t now, int64_t since_ms, int limit,
    int64_t *removed)
{
	const struct {
		enum pg_statement which;
		int64_t before;
	} steps[] = {
	    {PG_PURGE_SESSIONS, now},
	    {PG_PURGE_ROTATIONS, since_ms},
	    {PG_PURGE_REVOCATIONS, now - STORE_KEEP_REVOKED},
	};
	enum store_result result;
	PGresult *answer;
	size_t i;

	for (i = 0; i < PG_COUNT_OF(steps); i++) {
		const struct pg_value values[] = {
		    PG_INTEGER_OF(steps[i].before),
		    PG_INTEGER_OF(limit),
		};

		result = pg_run(s, steps[i].which, values, 2, &answer);
		if (result != STORE_OK)
			return (result);
		*removed += strtoll(PQcmdTuples(answer), NULL, 10);
		PQclear(answer);
	}
	return (STORE_OK);
}

enum store_result
pg_purge(struct store *base, int64_t now, int64_t since_ms, int limit,
    int64_t *removed)
{
	struct pg_store *s = (struct pg_store *)base;
	enum store_result result;

	if ((result = pg_begin(s)) != STORE_OK)
		return (result);
	result = pg_end(s, purge(s, now, since_ms, limit, removed));
	if (result != STORE_OK)
		*removed = 0;
	return (result);
}
