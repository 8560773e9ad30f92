/*
 * pg_copy.c - a PostgreSQL database as one side of a copy.
 *
 * Every connection of this program holds a shared lock for as long as it lasts
 * (pg_settle()), a copy an exclusive one. A connection that is lost is not made
 * anew here: the lock and the moment are lost with it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/secret.h"
#include "store/pg_internal.h"
#include "store/store_copy.h"
#include "store/store_pg.h"

/* What a binary COPY begins with (manual, "COPY", "File Formats"): a signature,
 * flags and the length of what else there is; and its end. */
static const uint8_t copy_head[] = {'P', 'G', 'C', 'O', 'P', 'Y', '\n', 0xff,
    '\r', '\n', 0, 0, 0, 0, 0, 0, 0, 0, 0};
static const uint8_t copy_tail[] = {0xff, 0xff};

static enum store_result
ask_integer(struct pg_store *, const char *, int64_t *);
static enum store_result copy_identity(struct store *, char[COPY_IDENTITY_MAX]);
static const char *copy_shown(struct store *);
static enum store_result in_use(struct pg_store *);
static enum store_result copy_alone(struct store *);
static void copy_leave(struct store *);
static enum store_result copy_hold(struct store *);
static enum store_result copy_release(struct store *);
static enum store_result copy_count(struct store *, enum copy_table, int64_t *);
static enum store_result take_row(struct pg_store *, enum copy_table,
    const PGresult *, int, struct copy_batch *);
static enum store_result copy_read(struct store *, enum copy_table,
    const struct copy_key *, size_t, struct copy_batch *);
static enum store_result
copy_counter(struct store *, enum copy_table, int64_t *);
static enum store_result
copy_marked(struct store *, char[COPY_IDENTITY_MAX], char[STORE_ERROR_MAX]);
static enum store_result begin(struct pg_store *);
static enum store_result mark(struct pg_store *, const char *, const char *);
static enum store_result copy_mark(struct store *, const char *, const char *);
static enum store_result
write_rows(struct pg_store *, enum copy_table, const struct copy_batch *);
static enum store_result
copy_write(struct store *, enum copy_table, const struct copy_batch *);
static enum store_result copy_clear(struct store *);
static enum store_result
copy_set_counter(struct store *, enum copy_table, int64_t);
static enum store_result copy_unmark(struct store *);

const struct store_copy_ops pg_copy_ops = {
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

/* The one integer of a query that is asked now and then. */
static enum store_result
ask_integer(struct pg_store *s, const char *sql, int64_t *value)
{
	enum store_result result;
	PGresult *answer;

	pg_give_time(s, COPY_WAIT_MS + PG_MARGIN_MS);
	result = pg_ask(s, sql, NULL, 0, &answer);
	if (result == STORE_OK &&
	    (PQntuples(answer) != 1 || !pg_read_integer(answer, 0, 0, value)))
		result = pg_fail_with(s, STORE_DAMAGED, "a number is none");
	PQclear(answer);
	return (result);
}

static enum store_result
copy_identity(struct store *base, char identity[COPY_IDENTITY_MAX])
{
	struct pg_store *s = (struct pg_store *)base;
	enum store_result result;
	PGresult *answer;

	pg_give_time(s, s->wait + PG_MARGIN_MS);
	result = pg_ask(s, pg_statement_identity, NULL, 0, &answer);
	if (result == STORE_OK &&
	    !pg_read_text(answer, 0, 0, identity, COPY_IDENTITY_MAX))
		result = pg_fail_with(
		    s, STORE_FAILED, "does not say which database it is");
	PQclear(answer);
	return (result);
}

static const char *
copy_shown(struct store *base)
{
	return (((struct pg_store *)base)->shown);
}

static enum store_result
in_use(struct pg_store *s)
{
	enum store_result result;
	int64_t others = 0;

	result = ask_integer(s, pg_statement_others, &others);
	if (result != STORE_OK)
		return (result);
	return (pg_fail_with(s, STORE_BUSY,
	    "is in use (%lld connections of Corgi); stop every service on it "
	    "first",
	    (long long)others));
}

/* The server may be a moment behind when a service, or an earlier copy, has
 * just ended. From here on statements may take as long as a batch does. */
static enum store_result
copy_alone(struct store *base)
{
	const struct timespec pause = {.tv_nsec = 50000000}; /* 50 ms */
	struct pg_store *s = (struct pg_store *)base;
	int64_t until = clock_monotonic_ms() + STORE_WAIT_MS, alone = 0;
	enum store_result result;

	for (;;) {
		result = ask_integer(s, pg_statement_alone, &alone);
		if (result != STORE_OK)
			return (result);
		if (alone != 0)
			return (store_pg_set_wait(base, COPY_WAIT_MS));
		if (clock_monotonic_ms() >= until)
			return (in_use(s));
		(void)nanosleep(&pause, NULL);
	}
}

/* The server would do it, too, but a moment after the connection has ended. */
static void
copy_leave(struct store *base)
{
	struct pg_store *s = (struct pg_store *)base;

	if (s->conn == NULL)
		return;
	pg_give_time(s, PG_MARGIN_MS);
	(void)pg_execute(s, "SELECT pg_advisory_unlock_all()", NULL);
}

/* Between two batches the other side is written. */
static enum store_result
copy_hold(struct store *base)
{
	struct pg_store *s = (struct pg_store *)base;

	pg_give_time(s, s->wait + PG_MARGIN_MS);
	return (pg_execute(s,
	    "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;"
	    "SET LOCAL idle_in_transaction_session_timeout = 0",
	    NULL));
}

static enum store_result
copy_release(struct store *base)
{
	struct pg_store *s = (struct pg_store *)base;

	pg_give_time(s, s->wait + PG_MARGIN_MS);
	return (pg_execute(s, "COMMIT", NULL));
}

static enum store_result
copy_count(struct store *base, enum copy_table table, int64_t *rows)
{
	char sql[COPY_SQL_MAX];

	copy_sql_count(table, sql);
	return (ask_integer((struct pg_store *)base, sql, rows));
}

/* The columns come as they stand in a row of a batch. */
static enum store_result
take_row(struct pg_store *s, enum copy_table table, const PGresult *answer,
    int row, struct copy_batch *batch)
{
	const char *types = copy_shapes[table].types;
	int i, len;

	copy_row_begin(batch, table);
	for (i = 0; types[i] != '\0'; i++) {
		len = PQgetlength(answer, row, i);
		if (PQgetisnull(answer, row, i) ||
		    (types[i] == COPY_INTEGER && len != (int)sizeof(int64_t)))
			return (pg_fail_with(s, STORE_DAMAGED,
			    "the table %s has a value of another kind",
			    copy_shapes[table].name));
		copy_row_bytes(batch, PQgetvalue(answer, row, i), (size_t)len);
	}
	return (STORE_OK);
}

/* No key is empty, so all are behind the empty one. */
static enum store_result
copy_read(struct store *base, enum copy_table table,
    const struct copy_key *after, size_t limit, struct copy_batch *batch)
{
	struct pg_store *s = (struct pg_store *)base;
	struct pg_value values[2] = {
	    PG_BLOB_OF(after->bytes, after->len),
	    PG_INTEGER_OF((int64_t)limit),
	};
	char text[STORE_NAME_MAX + 1] = "", sql[COPY_SQL_MAX];
	enum store_result result;
	PGresult *answer;
	int i;

	if (copy_shapes[table].types[0] == COPY_INTEGER) {
		values[0] = (struct pg_value)PG_INTEGER_OF(
		    after->set ? after->integer : INT64_MIN);
	} else if (copy_shapes[table].types[0] == COPY_TEXT) {
		(void)memcpy(text, after->bytes, after->len);
		values[0] = (struct pg_value)PG_TEXT_OF(text);
	}
	copy_sql_read(table, sql);
	pg_give_time(s, s->wait + PG_MARGIN_MS);
	result = pg_ask(s, sql, values, 2, &answer);
	for (i = 0; i < PQntuples(answer) && result == STORE_OK; i++)
		result = take_row(s, table, answer, i, batch);
	PQclear(answer);
	return (result);
}

static enum store_result
copy_counter(struct store *base, enum copy_table table, int64_t *highest)
{
	char sql[COPY_SQL_MAX];

	(void)snprintf(sql, sizeof(sql),
	    "SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1"
	    " END FROM %s",
	    copy_shapes[table].sequence);
	return (ask_integer((struct pg_store *)base, sql, highest));
}

static enum store_result
copy_marked(struct store *base, char identity[COPY_IDENTITY_MAX],
    char shown[STORE_ERROR_MAX])
{
	struct pg_store *s = (struct pg_store *)base;
	enum store_result result;
	int64_t marked = 0;
	PGresult *answer;

	identity[0] = '\0';
	shown[0] = '\0';
	result = ask_integer(s, pg_statement_is_unfinished, &marked);
	if (result != STORE_OK || marked == 0)
		return (result);
	result = pg_ask(s, copy_sql_marked, NULL, 0, &answer);
	if (result == STORE_OK &&
	    (PQntuples(answer) != 1 ||
		!pg_read_text(answer, 0, 0, identity, COPY_IDENTITY_MAX) ||
		!pg_read_text(answer, 0, 1, shown, STORE_ERROR_MAX)))
		result = pg_fail_with(
		    s, STORE_DAMAGED, "does not say of what it is a copy");
	PQclear(answer);
	return (result);
}

/* pg_begin() would make a lost connection anew. */
static enum store_result
begin(struct pg_store *s)
{
	enum store_result result;

	pg_give_time(s, s->wait + PG_MARGIN_MS);
	result = pg_execute(s, "BEGIN", NULL);
	s->working = result == STORE_OK;
	return (result);
}

static enum store_result
mark(struct pg_store *s, const char *identity, const char *shown)
{
	const struct pg_value values[] = {
	    PG_TEXT_OF(identity),
	    PG_TEXT_OF(shown),
	};
	enum store_result result;
	PGresult *answer;
	int64_t any = 0;

	result = ask_integer(s, copy_sql_any, &any);
	if (result == STORE_OK && any != 0)
		return (pg_fail_with(
		    s, STORE_EXISTS, "is not empty; it was left as it is"));
	if (result == STORE_OK)
		result = pg_execute(s, copy_sql_mark, NULL);
	if (result != STORE_OK)
		return (result);
	result = pg_ask(s, copy_sql_mark_row, values, 2, &answer);
	PQclear(answer);
	return (result);
}

static enum store_result
copy_mark(struct store *base, const char *identity, const char *shown)
{
	struct pg_store *s = (struct pg_store *)base;
	enum store_result result;

	if ((result = begin(s)) != STORE_OK)
		return (result);
	return (pg_end(s, mark(s, identity, shown)));
}

static enum store_result
write_rows(
    struct pg_store *s, enum copy_table table, const struct copy_batch *batch)
{
	size_t len = sizeof(copy_head) + batch->len + sizeof(copy_tail);
	enum store_result result;
	char sql[COPY_SQL_MAX];
	uint8_t *data, *p;

	if ((p = data = malloc(len)) == NULL)
		return (pg_fail_with(s, STORE_FAILED, "out of memory"));
	(void)memcpy(p, copy_head, sizeof(copy_head));
	p += sizeof(copy_head);
	(void)memcpy(p, batch->data, batch->len);
	(void)memcpy(p + batch->len, copy_tail, sizeof(copy_tail));
	(void)snprintf(sql, sizeof(sql),
	    "COPY %s (%s) FROM STDIN (FORMAT binary)", copy_shapes[table].name,
	    copy_shapes[table].columns);
	result = pg_send_copy(s, sql, data, len);
	secret_free_mem(data, len);
	return (result);
}

static enum store_result
copy_write(
    struct store *base, enum copy_table table, const struct copy_batch *batch)
{
	struct pg_store *s = (struct pg_store *)base;
	enum store_result result;

	if ((result = begin(s)) != STORE_OK)
		return (result);
	return (pg_end(s, write_rows(s, table, batch)));
}

static enum store_result
copy_clear(struct store *base)
{
	struct pg_store *s = (struct pg_store *)base;
	enum store_result result;

	if ((result = begin(s)) != STORE_OK)
		return (result);
	return (pg_end(s,
	    pg_execute(s,
		"TRUNCATE subjects, users, sessions, rotations, revocations",
		NULL)));
}

static enum store_result
copy_set_counter(struct store *base, enum copy_table table, int64_t highest)
{
	struct pg_store *s = (struct pg_store *)base;
	char sql[COPY_SQL_MAX];
	int64_t now = 0;

	(void)snprintf(sql, sizeof(sql), "SELECT setval('%s', %lld, %s)",
	    copy_shapes[table].sequence, (long long)(highest > 0 ? highest : 1),
	    highest > 0 ? "true" : "false");
	return (ask_integer(s, sql, &now));
}

static enum store_result
copy_unmark(struct store *base)
{
	struct pg_store *s = (struct pg_store *)base;
	enum store_result result;

	if ((result = begin(s)) != STORE_OK)
		return (result);
	return (pg_end(s, pg_execute(s, copy_sql_unmark, NULL)));
}
