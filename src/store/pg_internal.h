/*
 * pg_internal.h - what the parts of the PostgreSQL back end share: pg.c
 * (handle, transactions), pg_wire.c (a statement to the server and what comes
 * back), pg_connect.c (from an address to a connection), pg_open.c (a database
 * ready for use), pg_pooler.c (what may stand before the server), pg_error.c
 * (what the server's errors mean), pg_user.c, pg_session.c, pg_revocation.c,
 * pg_attempt.c, pg_copy.c.
 */
#ifndef CORGI_PG_INTERNAL_H
#define CORGI_PG_INTERNAL_H

#include <postgresql/libpq-fe.h>
#include <stdbool.h>

#include "store/pg_statements.h"
#include "store/store.h"

/* Longest wait of a ping (milliseconds; also in pg_statement_ping). */
#define PG_SHORT_WAIT_MS 500

/* Longest wait for a connection to one host, unless the address says so
 * (seconds). */
#define PG_CONNECT_SECONDS 3

/* How much longer than the server is waited for its answer (milliseconds):
 * what it refuses by itself leaves the connection whole. */
#define PG_MARGIN_MS 1000

/* How long a transaction may say nothing before the server undoes it
 * (milliseconds). A node that is cut off in the middle of one holds locks for
 * so long, and all others wait: well below their own patience. */
#define PG_IDLE_MS 1000

/* Rows that are asked for at once. */
#define PG_PAGE 500

struct pg_store {
	struct store base; /* first: the two are cast into each other */
	PGconn *conn;      /* NULL: to be connected anew */
	char *url;         /* may hold a password: never shown */
	char *shown;       /* server and database, for messages */
	int wait;          /* for another's lock (milliseconds) */
	int64_t until;     /* when the running operation gives up */
	bool opening;      /* its tables are still to be looked at */
	bool copying;      /* may be an unfinished copy */
	bool working;      /* in the transaction of an operation */
	bool batching;     /* within batch() */
	bool listening;    /* to the log, on every connection from now on */
	bool news;         /* that nobody has asked for yet */
	int64_t told;      /* the same of attempts: the highest number */
	uint32_t key;      /* whose lock the connection has; 0: none */
	bool prepared[PG__MAX];
};

/* The operations, for the handle that pg_open.c makes. */
extern const struct store_ops pg_ops;
extern const struct store_copy_ops pg_copy_ops;

/* ---- pg_error.c ---- */

/* Leave "server: words" as the handle's error and return the result. */
enum store_result pg_fail_with(struct pg_store *s, enum store_result result,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same for an answer that is a refusal. */
enum store_result pg_fail(struct pg_store *s, const PGresult *answer);

/* The same for a connection that was not made or has been lost. */
enum store_result pg_fail_connection(struct pg_store *s);

/* What an SQLSTATE means to a caller. */
enum store_result pg_result_of(const char *state);

/* ---- pg_connect.c ---- */

/*
 * Whether libpq can read this address, without telling anybody what it holds;
 * *shown (free() it) is what may be told. One sentence in error if not.
 */
enum store_result
pg_address_check(const char *url, char **shown, char error[STORE_ERROR_MAX]);

/* Connect, unless another handle of this process failed to a moment ago. */
enum store_result pg_connect(struct pg_store *s);

/* Have the connection told of rows of the log; what came before it was is
 * news, too. */
enum store_result pg_subscribe(struct pg_store *s);

/* Tell the connection how its statements are to be run. */
enum store_result pg_settle(struct pg_store *s);

/* Forget a connection of which no more is expected. */
void pg_disconnect(struct pg_store *s);

/* ---- pg_open.c ---- */

/* See that a new connection leads to tables of this program's version. */
enum store_result pg_check_version(struct pg_store *s);

/* ---- pg_pooler.c ---- */

/*
 * See that a new connection keeps its session of the server. INVALID where a
 * pooler takes it away between transactions, BUSY where one has no connection
 * for a second client.
 */
enum store_result pg_check_pooler(struct pg_store *s);

/* ---- pg_wire.c ---- */

/* A value for a statement: $1 and so on in the order of an array. */
struct pg_value {
	enum { PG_INTEGER, PG_TEXT, PG_BLOB } type;
	int64_t integer;
	const void *data; /* TEXT, BLOB; NULL: NULL */
	size_t len;       /* BLOB */
};
#define PG_INTEGER_OF(n)                                                       \
	{                                                                      \
		.type = PG_INTEGER, .integer = (n)                             \
	}
#define PG_TEXT_OF(t)                                                          \
	{                                                                      \
		.type = PG_TEXT, .data = (t)                                   \
	}
#define PG_BLOB_OF(p, n)                                                       \
	{                                                                      \
		.type = PG_BLOB, .data = (p), .len = (n)                       \
	}
#define PG_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Most values of a statement. */
#define PG_VALUES_MAX 9

/* An operation begins: how long it may wait, counted from now. */
void pg_give_time(struct pg_store *s, int milliseconds);

/* Wait for the socket to be ready for these events (poll.h), or until the
 * operation gives up: false. */
bool pg_wait(struct pg_store *s, short events);

/* Read what has come without being asked for. */
enum store_result pg_read_news(struct pg_store *s);

/* Run SQL without parameters, one or several statements; *answer, unless it is
 * NULL, is the last one's (PQclear() it). */
enum store_result
pg_execute(struct pg_store *s, const char *sql, PGresult **answer);

/* The same for one statement with values that is asked only once. */
enum store_result pg_ask(struct pg_store *s, const char *sql,
    const struct pg_value *values, size_t count, PGresult **answer);

/* Run a COPY ... FROM STDIN with what it is to read. */
enum store_result
pg_send_copy(struct pg_store *s, const char *sql, const void *data, size_t len);

/*
 * Run a prepared statement: OK with *answer (PQclear() it), which may have no
 * row. Outside of a transaction it must only read: when the connection has
 * been lost since it was last used, it is made anew and asked once more.
 */
enum store_result pg_run(struct pg_store *s, enum pg_statement which,
    const struct pg_value *values, size_t count, PGresult **answer);

/* The same for a row: NOT_FOUND without *answer when there is none. */
enum store_result pg_query(struct pg_store *s, enum pg_statement which,
    const struct pg_value *values, size_t count, PGresult **answer);

/* Run a change, within a transaction. NOT_FOUND when it met no row. */
enum store_result pg_change(struct pg_store *s, enum pg_statement which,
    const struct pg_value *values, size_t count);

/* The same where meeting no row is as good. */
enum store_result pg_change_any(struct pg_store *s, enum pg_statement which,
    const struct pg_value *values, size_t count);

/* Columns; false when they are not of this kind or do not fit. */
bool
pg_read_integer(const PGresult *answer, int row, int column, int64_t *value);
bool pg_read_blob(const PGresult *answer, int row, int column, void *out,
    size_t max, size_t *len);
bool pg_read_text(
    const PGresult *answer, int row, int column, char *out, size_t size);

/* The one integer of a statement with one row. */
enum store_result
pg_query_integer(struct pg_store *s, enum pg_statement which, int64_t *value);

/* ---- pg.c ---- */

/*
 * A change of several statements: begin, work, and end with what came of it.
 * What is read in between must be locked when it decides (FOR UPDATE, FOR
 * SHARE): others write at the same time. Within batch() it is a part of that
 * transaction, and is refused when that has been undone.
 */
enum store_result pg_begin(struct pg_store *s);
enum store_result pg_end(struct pg_store *s, enum store_result result);

/* ---- the operations of store_ops that are not in pg.c ---- */

/* The row of an account. */
enum store_result pg_read_user(struct pg_store *s, const PGresult *answer,
    int row, struct store_user *user);

/* The account that a statement with one value finds. */
enum store_result pg_find_user(struct pg_store *s, enum pg_statement which,
    const struct pg_value *value, struct store_user *user);

/* Append to the log, within a transaction and as its last lock; fills
 * number. */
enum store_result
pg_log(struct pg_store *s, struct store_revocation *revocation);

enum store_result
pg_user_find(struct store *, const char *, size_t, struct store_user *);
enum store_result
pg_user_find_subject(struct store *, const char *, size_t, struct store_user *);
enum store_result pg_user_add(struct store *, struct store_user *);
enum store_result
pg_user_set_hash(struct store *, int64_t, const char *, const char *, int64_t);
enum store_result pg_user_change(
    struct store *, const struct store_change *, struct store_revocation *);
enum store_result pg_user_each(
    struct store *, int (*)(const struct store_user *, void *), void *);
enum store_result pg_user_count(struct store *, int64_t *);
enum store_result pg_session_add(struct store *, const struct store_session *,
    const char *, const uint8_t *, unsigned int, struct store_user *,
    struct store_revocation *);
enum store_result pg_session_refresh(struct store *,
    const struct store_refresh *, struct store_refresh_result *);
enum store_result pg_session_successor(struct store *, const char *,
    const uint8_t *, int64_t, int64_t, uint8_t *, size_t *);
enum store_result
pg_session_find(struct store *, const char *, struct store_session *);
enum store_result pg_session_end(
    struct store *, const char *, int64_t, int64_t, struct store_revocation *);
enum store_result pg_session_each(struct store *, int64_t, int64_t,
    int (*)(const struct store_session *, void *), void *);
enum store_result pg_revocation_add(struct store *, struct store_revocation *);
enum store_result pg_revocation_each(struct store *, int64_t, int64_t,
    int (*)(const struct store_revocation *, void *), void *);
enum store_result
pg_attempt_add(struct store *, const struct store_attempt *, size_t);
enum store_result pg_attempt_each(struct store *, int64_t,
    int (*)(const struct store_attempt *, void *), void *);
enum store_result pg_attempt_mark(struct store *, int64_t *);
enum store_result pg_attempt_told(struct store *, int64_t *);
enum store_result
pg_attempt_purge(struct store *, int64_t, int64_t, int, int64_t *);
enum store_result pg_purge(struct store *, int64_t, int64_t, int, int64_t *);

#endif
