/*
 * sqlite_internal.h - what the parts of the SQLite back end share: sqlite.c
 * (handle, errors, transactions), sqlite_open.c (from a path to a database
 * ready for use), sqlite_user.c, sqlite_session.c, sqlite_revocation.c,
 * sqlite_copy.c.
 */
#ifndef CORGI_SQLITE_INTERNAL_H
#define CORGI_SQLITE_INTERNAL_H

#include <sqlite3.h>
#include <stdbool.h>

#include "store/statements.h"
#include "store/store.h"

/* Longest wait of a ping, and of opening what is there (milliseconds). */
#define SQLITE_SHORT_WAIT_MS 500

struct sqlite_store {
	struct store base; /* first: the two are cast into each other */
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENT__MAX];
	char *path;
	int wait;      /* for another writer (milliseconds) */
	int patience;  /* the same, of the statement under way */
	int64_t since; /* when that began to wait; clock_monotonic_ms() */
	bool batching; /* within batch() */
	bool copying;  /* may be an unfinished copy */
	int watch;     /* descriptor of the file with the locks, or -1 */
};

/* The operations, for the handle that sqlite_open.c makes. */
extern const struct store_ops sqlite_ops;
extern const struct store_copy_ops sqlite_copy_ops;

/* The number that a query without values yields which is asked only once. */
enum store_result
sqlite_select_integer(struct sqlite_store *s, const char *sql, int64_t *value);

/* Leave "path: words" as the handle's error and return the result. */
enum store_result
sqlite_fail_with(struct sqlite_store *s, enum store_result result,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same for what SQLite returned. */
enum store_result sqlite_fail(struct sqlite_store *s, int rc);

/* Run SQL without parameters or rows. */
enum store_result sqlite_execute(struct sqlite_store *s, const char *sql);

/* Step to the one row of a query and take its one integer. */
enum store_result sqlite_step_integer(
    struct sqlite_store *s, sqlite3_stmt *query, int64_t *value);

/*
 * Whether the path still leads to the open file. Asked after each operation:
 * in a file that was removed or replaced a change must not be acknowledged,
 * and a deleted account must not be found.
 */
enum store_result sqlite_still_there(struct sqlite_store *s);

/* What came of an operation, or STORE_FAILED when the file is not there any
 * more: then "no such account" is no answer either. */
enum store_result
sqlite_answer(struct sqlite_store *s, enum store_result result);

/* Forget a statement's row and the caller's memory bound to it. */
void sqlite_reset(sqlite3_stmt *query);

/* A value for a statement: bound in the order of an array. */
struct sqlite_value {
	enum { VALUE_INTEGER, VALUE_TEXT, VALUE_BLOB } type;
	int64_t integer;
	const void *data; /* TEXT, BLOB; NULL: NULL */
	size_t len;       /* BLOB */
};
#define SQLITE_INTEGER_OF(n)                                                   \
	{                                                                      \
		.type = VALUE_INTEGER, .integer = (n)                          \
	}
#define SQLITE_TEXT_OF(t)                                                      \
	{                                                                      \
		.type = VALUE_TEXT, .data = (t)                                \
	}
#define SQLITE_BLOB_OF(p, n)                                                   \
	{                                                                      \
		.type = VALUE_BLOB, .data = (p), .len = (n)                    \
	}
#define SQLITE_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Bind values to a statement's parameters; SQLite's result. */
int sqlite_bind(
    sqlite3_stmt *query, const struct sqlite_value *values, size_t count);

/*
 * Run a change with these parameters. NOT_FOUND when it met no row, EXISTS when
 * a row that must be alone was there already.
 */
enum store_result sqlite_change(struct sqlite_store *s, enum statement which,
    const struct sqlite_value *values, size_t count);

/* The same where meeting no row is as good. */
enum store_result sqlite_change_any(struct sqlite_store *s,
    enum statement which, const struct sqlite_value *values, size_t count);

/* Step to the first row: OK with *query on it (sqlite_reset() it), or
 * NOT_FOUND. */
enum store_result sqlite_query(struct sqlite_store *s, enum statement which,
    const struct sqlite_value *values, size_t count, sqlite3_stmt **query);

/*
 * A change of several statements: begin, work, and end with what came of it.
 * Takes the writer's lock at once, so that what is read cannot change before
 * it is written. Within batch() it is a part of that transaction, and is
 * refused when SQLite has undone that.
 */
enum store_result sqlite_begin(struct sqlite_store *s);
enum store_result sqlite_end(struct sqlite_store *s, enum store_result result);

/* Columns into fixed memory; false when they do not fit. */
bool sqlite_read_blob(
    sqlite3_stmt *row, int column, void *out, size_t max, size_t *len);
bool sqlite_read_text(sqlite3_stmt *row, int column, char *out, size_t size);

/* The row of an account, from column first on. */
enum store_result sqlite_read_user(
    struct sqlite_store *s, sqlite3_stmt *row, struct store_user *user);

/* The account with an id. */
enum store_result sqlite_user_find_id(
    struct sqlite_store *s, int64_t id, struct store_user *user);

/* Append to the log; fills number. */
enum store_result
sqlite_log(struct sqlite_store *s, struct store_revocation *revocation);

/* The operations of store_ops that are not in sqlite.c. */
enum store_result
sqlite_user_find(struct store *, const char *, size_t, struct store_user *);
enum store_result sqlite_user_find_subject(
    struct store *, const char *, size_t, struct store_user *);
enum store_result sqlite_user_add(struct store *, struct store_user *);
enum store_result sqlite_user_set_hash(
    struct store *, int64_t, const char *, const char *, int64_t);
enum store_result sqlite_user_change(
    struct store *, const struct store_change *, struct store_revocation *);
enum store_result sqlite_user_each(
    struct store *, int (*)(const struct store_user *, void *), void *);
enum store_result sqlite_user_count(struct store *, int64_t *);
enum store_result sqlite_session_add(struct store *,
    const struct store_session *, const char *, const uint8_t *, unsigned int,
    struct store_user *, struct store_revocation *);
enum store_result sqlite_session_refresh(struct store *,
    const struct store_refresh *, struct store_refresh_result *);
enum store_result sqlite_session_successor(struct store *, const char *,
    const uint8_t *, int64_t, int64_t, uint8_t *, size_t *);
enum store_result
sqlite_session_find(struct store *, const char *, struct store_session *);
enum store_result sqlite_session_end(
    struct store *, const char *, int64_t, int64_t, struct store_revocation *);
enum store_result sqlite_session_each(struct store *, int64_t, int64_t,
    int (*)(const struct store_session *, void *), void *);
enum store_result
sqlite_revocation_add(struct store *, struct store_revocation *);
enum store_result sqlite_revocation_each(struct store *, int64_t, int64_t,
    int (*)(const struct store_revocation *, void *), void *);
enum store_result
sqlite_purge(struct store *, int64_t, int64_t, int, int64_t *);

#endif
