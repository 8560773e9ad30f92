/*
 * pg_pooler.c - whether a pooler stands before the server that gives each
 * transaction a connection of its own.
 *
 * Settings, prepared statements and LISTEN belong to a session of the server.
 * Such a pooler takes it away at the end of every transaction, and what comes
 * of that is an error now and then, or another's settings. So it is found out
 * at the start.
 */
#include <string.h>

#include "store/pg_internal.h"

/* How often a connection is asked for its session. The one that was used last
 * may be given out next, or the one that was not for longest. */
#define ASK_COUNT 4

static enum store_result session_of(struct pg_store *, int64_t *);
static enum store_result begin(struct pg_store *, int64_t *);
static enum store_result exchange(struct pg_store *, struct pg_store *);
static enum store_result see_change(struct pg_store *, int64_t);

/* The server's process behind the connection. */
static enum store_result
session_of(struct pg_store *s, int64_t *pid)
{
	enum store_result result;
	PGresult *answer;

	result = pg_ask(s, pg_statement_session, NULL, 0, &answer);
	if (result == STORE_OK && !pg_read_integer(answer, 0, 0, pid))
		result = pg_fail_with(s, STORE_DAMAGED, "a number is none");
	PQclear(answer);
	return (result);
}

/* A pooler in statement mode says so, and ends the connection. */
static enum store_result
begin(struct pg_store *s, int64_t *pid)
{
	enum store_result result;

	result = pg_execute(s, "BEGIN", NULL);
	if (result == STORE_OK)
		return (session_of(s, pid));
	if (strstr(s->base.error, "statement pooling") == NULL)
		return (result);
	return (pg_fail_with(s, STORE_INVALID,
	    "is behind a pooler in statement mode, which allows no "
	    "transactions: it has to be in session mode"));
}

/* Two transactions at once, so that a pooler has two sessions to give out; the
 * first one ends first. */
static enum store_result
exchange(struct pg_store *s, struct pg_store *other)
{
	enum store_result result;
	int64_t mine = 0;

	if (pg_connect(other) != STORE_OK)
		return (pg_fail_with(s, STORE_BUSY,
		    "is behind a pooler that gives no second connection (is "
		    "its pool too small?)"));
	pg_give_time(s, s->wait + PG_MARGIN_MS);
	if ((result = begin(s, &mine)) != STORE_OK)
		return (result);
	if (pg_execute(other, "BEGIN; SELECT 1", NULL) != STORE_OK)
		return (pg_fail_with(s, STORE_FAILED, "does not answer"));
	if ((result = pg_execute(s, "COMMIT", NULL)) != STORE_OK)
		return (result);
	if (pg_execute(other, "COMMIT", NULL) != STORE_OK)
		return (pg_fail_with(s, STORE_FAILED, "does not answer"));
	return (see_change(s, mine));
}

static enum store_result
see_change(struct pg_store *s, int64_t mine)
{
	enum store_result result;
	int64_t now = 0;
	int i;

	for (i = 0; i < ASK_COUNT; i++) {
		if ((result = session_of(s, &now)) != STORE_OK)
			return (result);
		if (now != mine)
			return (pg_fail_with(s, STORE_INVALID,
			    "is behind a pooler in transaction mode, which "
			    "keeps neither settings nor LISTEN: it has to be "
			    "in session mode"));
	}
	return (STORE_OK);
}

/* A pooler answers for the server, with a number of its own making. */
enum store_result
pg_check_pooler(struct pg_store *s)
{
	enum store_result result;
	struct pg_store other;
	int64_t pid = 0;

	pg_give_time(s, s->wait + PG_MARGIN_MS);
	if ((result = session_of(s, &pid)) != STORE_OK ||
	    pid == PQbackendPID(s->conn))
		return (result);
	memset(&other, 0, sizeof(other));
	other.url = s->url;
	other.shown = s->shown;
	other.wait = s->wait;
	other.opening = true;
	result = exchange(s, &other);
	pg_disconnect(&other);
	return (result);
}
