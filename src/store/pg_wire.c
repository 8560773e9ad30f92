/*
 * pg_wire.c - a statement to the server and its answer, without ever waiting
 * longer than the operation may: libpq's own calls would wait for a server that
 * is gone as long as TCP does.
 */
#include <endian.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/pg_internal.h"

/* How values are told to the server and to libpq (pg_type.dat). */
#define OID_BYTEA 17
#define OID_INT8  20
#define OID_TEXT  25

/* How much of a COPY is handed to libpq at once (bytes). */
#define COPY_PART 65536

/* Values as libpq wants them. */
struct parameters {
	int64_t integers[PG_VALUES_MAX]; /* in the network's order */
	Oid types[PG_VALUES_MAX];
	const char *data[PG_VALUES_MAX];
	int lengths[PG_VALUES_MAX];
	int formats[PG_VALUES_MAX];
	int count;
};

static void fill(struct parameters *, const struct pg_value *, size_t);
static bool flush(struct pg_store *);
static bool await(struct pg_store *);
static enum store_result collect(struct pg_store *, PGresult **);
static enum store_result lost(struct pg_store *);
static void note_attempts(struct pg_store *, const char *);
static bool is_stale(const PGresult *);
static enum store_result
prepare(struct pg_store *, enum pg_statement, const struct parameters *);
static enum store_result run_once(struct pg_store *, enum pg_statement,
    const struct pg_value *, size_t, PGresult **);

void
pg_give_time(struct pg_store *s, int milliseconds)
{
	s->until = clock_monotonic_ms() + milliseconds;
}

bool
pg_wait(struct pg_store *s, short events)
{
	struct pollfd pfd = {.fd = PQsocket(s->conn), .events = events};
	int64_t left;
	int ready;

	for (;;) {
		left = s->until - clock_monotonic_ms();
		if (left < 0)
			left = 0;
		ready = poll(&pfd, 1, (int)left);
		if (ready > 0)
			return (true);
		if (ready == 0 && left == 0)
			return (false);
	}
}

static void
fill(struct parameters *out, const struct pg_value *values, size_t count)
{
	size_t i;

	memset(out, 0, sizeof(*out));
	out->count = (int)count;
	for (i = 0; i < count; i++) {
		out->data[i] = values[i].data;
		out->formats[i] = 1;
		switch (values[i].type) {
		case PG_INTEGER:
			out->types[i] = OID_INT8;
			out->integers[i] =
			    (int64_t)htobe64((uint64_t)values[i].integer);
			out->data[i] = (const char *)&out->integers[i];
			out->lengths[i] = sizeof(out->integers[i]);
			break;
		case PG_TEXT:
			out->types[i] = OID_TEXT;
			out->lengths[i] = values[i].data == NULL
			    ? 0
			    : (int)strlen(values[i].data);
			break;
		case PG_BLOB:
			out->types[i] = OID_BYTEA;
			out->lengths[i] = (int)values[i].len;
			break;
		}
	}
}

/* Send what is to be sent; meanwhile the server may have to be listened to. */
static bool
flush(struct pg_store *s)
{
	int left;

	while ((left = PQflush(s->conn)) == 1) {
		if (!pg_wait(s, POLLIN | POLLOUT) ||
		    PQconsumeInput(s->conn) == 0)
			return (false);
	}
	return (left == 0);
}

static bool
await(struct pg_store *s)
{
	while (PQisBusy(s->conn)) {
		if (!pg_wait(s, POLLIN) || PQconsumeInput(s->conn) == 0)
			return (false);
	}
	return (true);
}

/* A connection that gave no answer, or none in time, is given up: nobody knows
 * what it would say to the next question. */
static enum store_result
lost(struct pg_store *s)
{
	if (PQstatus(s->conn) != CONNECTION_BAD &&
	    clock_monotonic_ms() >= s->until)
		(void)pg_fail_with(s, STORE_FAILED, "does not answer");
	else
		(void)pg_fail_connection(s);
	pg_disconnect(s);
	return (STORE_FAILED);
}

/* Whether the server does not know a statement that was prepared: behind a
 * pooler it may be another one. That wants a new connection. */
static bool
is_stale(const PGresult *answer)
{
	const char *state = PQresultErrorField(answer, PG_DIAG_SQLSTATE);

	return (state != NULL && strcmp(state, "26000") == 0);
}

/* What came of all that was sent: the first refusal, or the last answer. */
static enum store_result
collect(struct pg_store *s, PGresult **answer)
{
	PGresult *kept = NULL, *next;
	enum store_result result;
	ExecStatusType status = PGRES_COMMAND_OK;

	*answer = NULL;
	if (!flush(s))
		return (lost(s));
	for (;;) {
		if (!await(s)) {
			PQclear(kept);
			return (lost(s));
		}
		if ((next = PQgetResult(s->conn)) == NULL)
			break;
		if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
			PQclear(next);
			continue;
		}
		PQclear(kept);
		kept = next;
		status = PQresultStatus(kept);
	}
	if (kept != NULL &&
	    (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)) {
		*answer = kept;
		return (STORE_OK);
	}
	result = pg_fail(s, kept);
	if (PQstatus(s->conn) == CONNECTION_BAD || is_stale(kept)) {
		pg_disconnect(s);
		result = STORE_FAILED;
	}
	PQclear(kept);
	return (result);
}

/* Another program may say anything there. */
static void
note_attempts(struct pg_store *s, const char *words)
{
	long long number = strtoll(words, NULL, 10);

	if (number > s->told)
		s->told = number;
}

enum store_result
pg_read_news(struct pg_store *s)
{
	PGnotify *note;

	/* The end of a connection may stand behind the server's last words. */
	if (PQconsumeInput(s->conn) == 0 || PQconsumeInput(s->conn) == 0)
		return (lost(s));
	while ((note = PQnotifies(s->conn)) != NULL) {
		if (strcmp(note->relname, pg_statement_channel_attempts) == 0)
			note_attempts(s, note->extra);
		else
			s->news = true;
		PQfreemem(note);
	}
	return (STORE_OK);
}

enum store_result
pg_execute(struct pg_store *s, const char *sql, PGresult **answer)
{
	enum store_result result;
	PGresult *last;

	if (s->conn == NULL)
		return (
		    pg_fail_with(s, STORE_FAILED, "the connection was lost"));
	if (PQsendQuery(s->conn, sql) == 0)
		return (lost(s));
	result = collect(s, &last);
	if (answer != NULL)
		*answer = last;
	else
		PQclear(last);
	return (result);
}

enum store_result
pg_ask(struct pg_store *s, const char *sql, const struct pg_value *values,
    size_t count, PGresult **answer)
{
	struct parameters p;

	*answer = NULL;
	fill(&p, values, count);
	if (PQsendQueryParams(s->conn, sql, p.count, p.types, p.data, p.lengths,
		p.formats, 1) == 0)
		return (lost(s));
	return (collect(s, answer));
}

enum store_result
pg_send_copy(struct pg_store *s, const char *sql, const void *data, size_t len)
{
	const char *p = data;
	enum store_result result;
	PGresult *answer;
	size_t part;

	if (PQsendQuery(s->conn, sql) == 0 || !flush(s) || !await(s))
		return (lost(s));
	answer = PQgetResult(s->conn);
	if (PQresultStatus(answer) != PGRES_COPY_IN) {
		result = pg_fail(s, answer);
		do
			PQclear(answer);
		while (await(s) && (answer = PQgetResult(s->conn)) != NULL);
		if (PQstatus(s->conn) == CONNECTION_BAD)
			pg_disconnect(s);
		return (result);
	}
	PQclear(answer);
	for (; len > 0; p += part, len -= part) {
		part = len < COPY_PART ? len : COPY_PART;
		if (PQputCopyData(s->conn, p, (int)part) != 1 || !flush(s))
			return (lost(s));
	}
	if (PQputCopyEnd(s->conn, NULL) != 1)
		return (lost(s));
	result = collect(s, &answer);
	PQclear(answer);
	return (result);
}

static enum store_result
prepare(struct pg_store *s, enum pg_statement which, const struct parameters *p)
{
	enum store_result result;
	PGresult *answer;
	char name[16];

	if (s->prepared[which])
		return (STORE_OK);
	(void)snprintf(name, sizeof(name), "corgi%d", (int)which);
	if (PQsendPrepare(s->conn, name, pg_statement_sql[which], p->count,
		p->types) == 0)
		return (lost(s));
	result = collect(s, &answer);
	PQclear(answer);
	s->prepared[which] = result == STORE_OK;
	return (result);
}

static enum store_result
run_once(struct pg_store *s, enum pg_statement which,
    const struct pg_value *values, size_t count, PGresult **answer)
{
	enum store_result result;
	struct parameters p;
	char name[16];

	fill(&p, values, count);
	if ((result = prepare(s, which, &p)) != STORE_OK)
		return (result);
	(void)snprintf(name, sizeof(name), "corgi%d", (int)which);
	if (PQsendQueryPrepared(
		s->conn, name, p.count, p.data, p.lengths, p.formats, 1) == 0)
		return (lost(s));
	return (collect(s, answer));
}

enum store_result
pg_run(struct pg_store *s, enum pg_statement which,
    const struct pg_value *values, size_t count, PGresult **answer)
{
	const bool alone = !s->working && !s->batching;
	bool again = alone && s->conn != NULL;
	enum store_result result;

	*answer = NULL;
	for (;; again = false) {
		if (alone && s->conn == NULL &&
		    (result = pg_connect(s)) != STORE_OK)
			return (result);
		if (s->conn == NULL)
			return (pg_fail_with(
			    s, STORE_FAILED, "the connection was lost"));
		if (!s->working)
			pg_give_time(s, s->wait + PG_MARGIN_MS);
		result = run_once(s, which, values, count, answer);
		if (s->conn != NULL || !again ||
		    clock_monotonic_ms() >= s->until)
			return (result);
	}
}

enum store_result
pg_query(struct pg_store *s, enum pg_statement which,
    const struct pg_value *values, size_t count, PGresult **answer)
{
	enum store_result result;

	result = pg_run(s, which, values, count, answer);
	if (result != STORE_OK || PQntuples(*answer) > 0)
		return (result);
	PQclear(*answer);
	*answer = NULL;
	return (pg_fail_with(
	    s, STORE_NOT_FOUND, "%s", store_result_text(STORE_NOT_FOUND)));
}

enum store_result
pg_change(struct pg_store *s, enum pg_statement which,
    const struct pg_value *values, size_t count)
{
	enum store_result result;
	PGresult *answer;

	result = pg_run(s, which, values, count, &answer);
	if (result == STORE_OK && strcmp(PQcmdTuples(answer), "0") == 0)
		result = pg_fail_with(s, STORE_NOT_FOUND, "%s",
		    store_result_text(STORE_NOT_FOUND));
	PQclear(answer);
	return (result);
}

enum store_result
pg_change_any(struct pg_store *s, enum pg_statement which,
    const struct pg_value *values, size_t count)
{
	enum store_result result;

	result = pg_change(s, which, values, count);
	return (result == STORE_NOT_FOUND ? STORE_OK : result);
}

bool
pg_read_integer(const PGresult *answer, int row, int column, int64_t *value)
{
	uint64_t raw;

	if (PQgetisnull(answer, row, column) ||
	    PQgetlength(answer, row, column) != (int)sizeof(raw))
		return (false);
	(void)memcpy(&raw, PQgetvalue(answer, row, column), sizeof(raw));
	*value = (int64_t)be64toh(raw);
	return (true);
}

bool
pg_read_blob(const PGresult *answer, int row, int column, void *out, size_t max,
    size_t *len)
{
	int got = PQgetlength(answer, row, column);

	if (got < 1 || (size_t)got > max)
		return (false);
	(void)memcpy(out, PQgetvalue(answer, row, column), (size_t)got);
	*len = (size_t)got;
	return (true);
}

bool
pg_read_text(
    const PGresult *answer, int row, int column, char *out, size_t size)
{
	const char *data = PQgetvalue(answer, row, column);
	int got = PQgetlength(answer, row, column);

	if (PQgetisnull(answer, row, column) || (size_t)got >= size ||
	    strlen(data) != (size_t)got)
		return (false);
	(void)memcpy(out, data, (size_t)got + 1);
	return (true);
}

enum store_result
pg_query_integer(struct pg_store *s, enum pg_statement which, int64_t *value)
{
	enum store_result result;
	PGresult *answer;

	result = pg_query(s, which, NULL, 0, &answer);
	if (result != STORE_OK)
		return (result);
	if (!pg_read_integer(answer, 0, 0, value))
		result = pg_fail_with(s, STORE_DAMAGED, "a number is none");
	PQclear(answer);
	return (result);
}
