/*
 * pg.c - the PostgreSQL back end (15, libpq): the handle and its transactions.
 * With pg_*.c the only place that knows libpq-fe.h.
 *
 * A handle is one connection, made anew when it is lost; an operation that was
 * under way then has failed, unless it only reads. Transactions are READ
 * COMMITTED: whatever a change depends on is locked when it is read
 * (pg_statements.c has the order). What has been acknowledged is on the
 * server's disk (synchronous_commit).
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/secret.h"
#include "store/pg_internal.h"

static enum store_result check_batch(struct pg_store *);
static void roll_back(struct pg_store *, const char *);
static void pg_close(struct store *);
static enum store_result pg_change_mark(struct store *, int64_t *);
static enum store_result
pg_batch(struct store *, enum store_result (*)(struct store *, void *), void *);
static enum store_result pg_listen(struct store *, int *);
static enum store_result pg_heard(struct store *, bool *);
static enum store_result
ask_about_key(struct pg_store *, enum pg_statement, int64_t, int64_t *);
static enum store_result
pg_key_meet(struct store *, uint32_t, bool, uint32_t *);
static enum store_result pg_ping(struct store *);

const struct store_ops pg_ops = {
    .name = "PostgreSQL",
    .close = pg_close,
    .user_find = pg_user_find,
    .user_find_subject = pg_user_find_subject,
    .user_add = pg_user_add,
    .user_set_hash = pg_user_set_hash,
    .user_change = pg_user_change,
    .user_each = pg_user_each,
    .user_count = pg_user_count,
    .session_add = pg_session_add,
    .session_refresh = pg_session_refresh,
    .session_successor = pg_session_successor,
    .session_find = pg_session_find,
    .session_end = pg_session_end,
    .session_each = pg_session_each,
    .revocation_add = pg_revocation_add,
    .revocation_each = pg_revocation_each,
    .purge = pg_purge,
    .change_mark = pg_change_mark,
    .listen = pg_listen,
    .heard = pg_heard,
    .key_meet = pg_key_meet,
    .attempt_add = pg_attempt_add,
    .attempt_each = pg_attempt_each,
    .attempt_mark = pg_attempt_mark,
    .attempt_told = pg_attempt_told,
    .attempt_purge = pg_attempt_purge,
    .batch = pg_batch,
    .ping = pg_ping,
    .copy = &pg_copy_ops,
};

/*
 * Some errors undo the whole transaction, as when the connection is lost. What
 * a batch still had to do would then be kept alone.
 */
static enum store_result
check_batch(struct pg_store *s)
{
	if (!s->batching ||
	    (s->conn != NULL &&
		PQtransactionStatus(s->conn) == PQTRANS_INTRANS))
		return (STORE_OK);
	return (pg_fail_with(
	    s, STORE_FAILED, "the batch was undone after an error"));
}

/* Nothing has been done yet when the connection turns out to be lost: then it
 * is made anew, once. */
enum store_result
pg_begin(struct pg_store *s)
{
	bool again = s->conn != NULL;
	enum store_result result;

	if ((result = check_batch(s)) != STORE_OK)
		return (result);
	for (;; again = false) {
		if (s->conn == NULL && (result = pg_connect(s)) != STORE_OK)
			return (result);
		pg_give_time(s, s->wait + PG_MARGIN_MS);
		result = pg_execute(
		    s, s->batching ? "SAVEPOINT operation" : "BEGIN", NULL);
		s->working = result == STORE_OK;
		if (s->conn != NULL || s->batching || !again ||
		    clock_monotonic_ms() >= s->until)
			return (result);
	}
}

/* The error that led here stays. There is always a little time left for it. */
static void
roll_back(struct pg_store *s, const char *sql)
{
	char error[STORE_ERROR_MAX];

	if (s->conn == NULL)
		return;
	(void)memcpy(error, s->base.error, sizeof(error));
	if (s->until < clock_monotonic_ms() + PG_MARGIN_MS)
		pg_give_time(s, PG_MARGIN_MS);
	if (pg_execute(s, sql, NULL) != STORE_OK)
		pg_disconnect(s);
	(void)memcpy(s->base.error, error, sizeof(error));
}

/* A COMMIT of a transaction that had failed is answered as well: by what was
 * done in its stead. */
enum store_result
pg_end(struct pg_store *s, enum store_result result)
{
	PGresult *answer = NULL;

	s->working = false;
	if (result != STORE_OK) {
		roll_back(s,
		    s->batching ? "ROLLBACK TO SAVEPOINT operation;"
				  "RELEASE SAVEPOINT operation"
				: "ROLLBACK");
		return (result);
	}
	if (s->batching) {
		result = pg_execute(s, "RELEASE SAVEPOINT operation", NULL);
	} else {
		result = pg_execute(s, "COMMIT", &answer);
		if (result == STORE_OK &&
		    strcmp(PQcmdStatus(answer), "COMMIT") != 0)
			result = pg_fail_with(s, STORE_FAILED,
			    "the transaction was undone after an error");
	}
	PQclear(answer);
	if (result != STORE_OK)
		roll_back(s, "ROLLBACK");
	return (result);
}

/*
 * The newest number of the log. Rows of the log appear in the order of their
 * numbers (pg_log()), so a row that was not there yet changes it.
 */
static enum store_result
pg_change_mark(struct store *base, int64_t *mark)
{
	return (
	    pg_query_integer((struct pg_store *)base, PG_CHANGE_MARK, mark));
}

static enum store_result
pg_listen(struct store *base, int *fd)
{
	struct pg_store *s = (struct pg_store *)base;
	enum store_result result;

	if (s->conn == NULL && (result = pg_connect(s)) != STORE_OK)
		return (result);
	if (!s->listening) {
		pg_give_time(s, s->wait + PG_MARGIN_MS);
		if ((result = pg_subscribe(s)) != STORE_OK)
			return (result);
	}
	*fd = PQsocket(s->conn);
	return (STORE_OK);
}

static enum store_result
pg_heard(struct store *base, bool *news)
{
	struct pg_store *s = (struct pg_store *)base;
	enum store_result result;

	if (s->conn == NULL)
		return (
		    pg_fail_with(s, STORE_FAILED, "the connection was lost"));
	if ((result = pg_read_news(s)) != STORE_OK)
		return (result);
	*news = s->news;
	s->news = false;
	return (STORE_OK);
}

static enum store_result
ask_about_key(
    struct pg_store *s, enum pg_statement which, int64_t key, int64_t *value)
{
	const struct pg_value values[] = {PG_INTEGER_OF(key)};
	enum store_result result;
	PGresult *answer;

	result = pg_query(s, which, values, 1, &answer);
	if (result != STORE_OK)
		return (result);
	if (!pg_read_integer(answer, 0, 0, value))
		result = pg_fail_with(s, STORE_DAMAGED, "names no key");
	PQclear(answer);
	return (result);
}

/*
 * A lock goes with its connection, and so tells of services that are there now,
 * or of whose end the server does not know yet. It is had before others are
 * looked for: of two that start at once one sees the other.
 */
static enum store_result
pg_key_meet(struct store *base, uint32_t key, bool starts, uint32_t *other)
{
	struct pg_store *s = (struct pg_store *)base;
	enum store_result result;
	int64_t held = 0, met = 0;

	(void)starts;
	if (s->key != key) {
		result = ask_about_key(s, PG_KEY_HOLD, (int32_t)key, &held);
		if (result != STORE_OK)
			return (result);
		s->key = held != 0 ? key : 0;
	}
	result = ask_about_key(s, PG_KEY_OTHER, key, &met);
	if (result == STORE_OK)
		*other = (uint32_t)met;
	return (result);
}

/* The work may think for as long as it likes between two operations. */
static enum store_result
pg_batch(struct store *base, enum store_result (*work)(struct store *, void *),
    void *ctx)
{
	struct pg_store *s = (struct pg_store *)base;
	enum store_result result;

	if (s->batching)
		return (pg_fail_with(
		    s, STORE_INVALID, "a batch cannot hold another"));
	if ((result = pg_begin(s)) != STORE_OK)
		return (result);
	result = pg_execute(
	    s, "SET LOCAL idle_in_transaction_session_timeout = 0", NULL);
	if (result == STORE_OK) {
		s->working = false;
		s->batching = true;
		result = work(base, ctx);
		if (result == STORE_OK)
			result = check_batch(s);
		s->batching = false;
		pg_give_time(s, s->wait + PG_MARGIN_MS);
	}
	return (pg_end(s, result));
}

static enum store_result
pg_ping(struct store *base)
{
	struct pg_store *s = (struct pg_store *)base;
	bool again = s->conn != NULL;
	enum store_result result;

	if (s->batching)
		return (check_batch(s));
	for (;; again = false) {
		if (s->conn == NULL && (result = pg_connect(s)) != STORE_OK)
			return (result);
		pg_give_time(s, 2 * PG_SHORT_WAIT_MS);
		result = pg_execute(s, pg_statement_ping, NULL);
		if (s->conn != NULL || !again ||
		    clock_monotonic_ms() >= s->until)
			return (result);
	}
}

static void
pg_close(struct store *base)
{
	struct pg_store *s = (struct pg_store *)base;

	pg_disconnect(s);
	secret_free_mem(s->url, s->url == NULL ? 0 : strlen(s->url));
	free(s->shown);
	free(s);
}
