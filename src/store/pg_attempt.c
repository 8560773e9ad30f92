/*
 * pg_attempt.c - the log of attempts to log in, by which the nodes of a server
 * count them together.
 *
 * As in the log of revocations (pg_log()), whoever has seen a number has seen
 * all below it: numbers are given under a lock of this log's own, so a storm of
 * failed logins holds up no logout.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "store/pg_internal.h"

static void write_hex(FILE *, const char *, const void *, size_t);
static void write_row(FILE *, const struct store_attempt *);
static char *rows_text(const struct store_attempt *, size_t, size_t *);
static bool read_columns(const PGresult *, int, struct store_attempt *);

/* A member that may be null. */
static void
write_hex(FILE *out, const char *member, const void *data, size_t len)
{
	const uint8_t *bytes = data;
	size_t i;

	if (len == 0)
		return;
	(void)fprintf(out, ",\"%s\":\"", member);
	for (i = 0; i < len; i++)
		(void)fprintf(out, "%02x", bytes[i]);
	(void)fputc('"', out);
}

static void
write_row(FILE *out, const struct store_attempt *row)
{
	(void)fprintf(out,
	    "{\"node\":%lld,\"serial\":%lld,\"age\":%lld,\"kind\":%d",
	    (long long)row->node, (long long)row->serial,
	    (long long)row->age_ms, (int)row->kind);
	if (row->has_account)
		write_hex(out, "account", row->account, sizeof(row->account));
	write_hex(out, "address", row->address, sizeof(row->address));
	write_hex(out, "name", row->name, row->name_len);
	(void)fputc('}', out);
}

/* Rows as JSON, *len bytes, for the one value of a statement; NULL: no
 * memory. */
static char *
rows_text(const struct store_attempt *rows, size_t count, size_t *len)
{
	char *text = NULL;
	bool failed;
	FILE *out;
	size_t i;

	if ((out = open_memstream(&text, len)) == NULL)
		return (NULL);
	for (i = 0; i < count; i++) {
		(void)fputc(i == 0 ? '[' : ',', out);
		write_row(out, &rows[i]);
	}
	(void)fputc(']', out);
	failed = ferror(out) != 0;
	if (fclose(out) == 0 && !failed)
		return (text);
	free(text);
	return (NULL);
}

/* It may be asked twice, when the connection was lost: the second time the
 * rows are there, or are not. */
enum store_result
pg_attempt_add(
    struct store *base, const struct store_attempt *rows, size_t count)
{
	struct pg_store *s = (struct pg_store *)base;
	enum store_result result;
	struct pg_value value = PG_TEXT_OF(NULL);
	PGresult *answer;
	size_t len;
	char *text;

	if ((text = rows_text(rows, count, &len)) == NULL)
		return (pg_fail_with(s, STORE_FAILED, "out of memory"));
	value.data = text;
	result = pg_run(s, PG_ATTEMPT_ADD, &value, 1, &answer);
	PQclear(answer);
	secret_free_mem(text, len);
	return (result);
}

static bool
read_columns(const PGresult *answer, int row, struct store_attempt *out)
{
	int64_t kind = 0;
	size_t len;

	out->has_account = !PQgetisnull(answer, row, 5);
	if (!pg_read_integer(answer, row, 0, &out->number) ||
	    !pg_read_integer(answer, row, 1, &out->node) ||
	    !pg_read_integer(answer, row, 2, &out->serial) ||
	    !pg_read_integer(answer, row, 3, &out->age_ms) ||
	    !pg_read_integer(answer, row, 4, &kind) ||
	    kind < STORE_ATTEMPT_FAILED || kind > STORE_ATTEMPT_CLEAR_ALL)
		return (false);
	if (out->has_account &&
	    (!pg_read_blob(
		 answer, row, 5, out->account, STORE_ACCOUNT_LEN, &len) ||
		len != STORE_ACCOUNT_LEN))
		return (false);
	if (!PQgetisnull(answer, row, 7) &&
	    !pg_read_blob(
		answer, row, 7, out->name, STORE_NAME_MAX, &out->name_len))
		return (false);
	out->kind = (enum store_attempt_kind)kind;
	return (pg_read_blob(
		    answer, row, 6, out->address, STORE_ADDRESS_LEN, &len) &&
	    len == STORE_ADDRESS_LEN);
}

/* Page by page: what appears between two of them has a higher number. */
enum store_result
pg_attempt_each(struct store *base, int64_t after,
    int (*each)(const struct store_attempt *, void *), void *ctx)
{
	struct pg_store *s = (struct pg_store *)base;
	enum store_result result = STORE_OK;
	struct store_attempt row;
	bool stopped = false;
	PGresult *answer;
	int rows, i;

	do {
		const struct pg_value values[] = {
		    PG_INTEGER_OF(after),
		    PG_INTEGER_OF(PG_PAGE),
		};

		result = pg_run(
		    s, PG_ATTEMPT_EACH, values, PG_COUNT_OF(values), &answer);
		if (result != STORE_OK)
			return (result);
		rows = PQntuples(answer);
		for (i = 0; i < rows && result == STORE_OK && !stopped; i++) {
			memset(&row, 0, sizeof(row));
			if (!read_columns(answer, i, &row)) {
				result = pg_fail_with(s, STORE_DAMAGED,
				    "the row of an attempt is out of its "
				    "limits");
				break;
			}
			after = row.number;
			stopped = each(&row, ctx) != 0;
		}
		PQclear(answer);
	} while (rows == PG_PAGE && result == STORE_OK && !stopped);
	return (result);
}

enum store_result
pg_attempt_mark(struct store *base, int64_t *mark)
{
	return (
	    pg_query_integer((struct pg_store *)base, PG_ATTEMPT_MARK, mark));
}

enum store_result
pg_attempt_told(struct store *base, int64_t *number)
{
	struct pg_store *s = (struct pg_store *)base;

	*number = s->told;
	s->told = 0;
	return (STORE_OK);
}

enum store_result
pg_attempt_purge(struct store *base, int64_t older_ms, int64_t most, int limit,
    int64_t *removed)
{
	struct pg_store *s = (struct pg_store *)base;
	const struct pg_value values[] = {
	    PG_INTEGER_OF(older_ms),
	    PG_INTEGER_OF(most),
	    PG_INTEGER_OF(limit),
	};
	enum store_result result;
	PGresult *answer;

	result =
	    pg_run(s, PG_ATTEMPT_PURGE, values, PG_COUNT_OF(values), &answer);
	if (result == STORE_OK)
		*removed = strtoll(PQcmdTuples(answer), NULL, 10);
	PQclear(answer);
	return (result);
}
