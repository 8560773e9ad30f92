/*
 * store_copy.h - everything that one database holds, taken to another of either
 * kind: accounts, the subjects that are not given again, sessions with what is
 * known of their refresh tokens, the log of revocations, and the numbers that
 * the databases give.
 *
 * Rows are taken as they are, in the order of their keys, a batch in one
 * transaction. So what an interrupted copy leaves behind is the beginning of
 * each table, and the next run goes on behind it once it has seen that both
 * sides agree so far. A copy that is not finished has a table of its own,
 * "unfinished_copy", and nothing but the next run opens it: see
 * store_open_sqlite().
 */
#ifndef CORGI_STORE_COPY_H
#define CORGI_STORE_COPY_H

#include "store/store.h"

/* Rows of a batch at most, and about how many bytes it may have before it is
 * written. */
#define COPY_ROWS  1000
#define COPY_BYTES (4U << 20)

/* Columns of a table at most. */
#define COPY_COLUMNS_MAX 10

/* Room for what tells one database from another, with the NUL (bytes). */
#define COPY_IDENTITY_MAX 4200

/* Longest wait for a statement of a copy (milliseconds). */
#define COPY_WAIT_MS 60000

/* Longest sentence about a copy, with the NUL (bytes). */
#define COPY_ERROR_MAX (2 * STORE_ERROR_MAX)

/* The tables, in the order in which they refer to each other. */
enum copy_table {
	COPY_SUBJECTS,
	COPY_USERS,
	COPY_SESSIONS,
	COPY_ROTATIONS,
	COPY_REVOCATIONS,
	COPY__MAX
};

/* A table is the same in both back ends. */
struct copy_shape {
	const char *name;
	const char *key;      /* the first column */
	const char *columns;  /* all of them, a comma and a blank between two */
	const char *types;    /* a letter for each: see enum copy_type */
	const char *sequence; /* PostgreSQL's name of what gives the key its
			       * numbers; NULL: nothing does */
};

enum copy_type { COPY_INTEGER = 'i', COPY_TEXT = 't', COPY_BYTES_OF = 'b' };

extern const struct copy_shape copy_shapes[COPY__MAX];

/* Where a walk over a table has come to; all zero: before the first row. */
struct copy_key {
	int64_t integer;
	uint8_t bytes[STORE_NAME_MAX];
	size_t len;
	bool set;
};

/*
 * Rows, one behind the other, in the one form in which they are compared: that
 * of PostgreSQL's binary COPY. A row is the number of its columns (2 bytes),
 * then for each its length (4 bytes) and its bytes, integers being 8 bytes
 * long; all numbers in the network's order. All zero at first; release with
 * copy_batch_free().
 */
struct copy_batch {
	uint8_t *data;
	size_t len;
	size_t room;
	size_t count;
	bool failed; /* out of memory: what was added is not all there */
};

/* One value of a row: bytes for text, too. */
struct copy_field {
	const uint8_t *data;
	size_t len;
	int64_t integer;
};

/* ---- what a back end provides; each leaves a sentence unless STORE_OK ---- */

struct store_copy_ops {
	/* What tells this database from any other, wherever it is asked. */
	enum store_result (*identity)(
	    struct store *, char identity[COPY_IDENTITY_MAX]);

	/* How messages call it, which holds no password. */
	const char *(*shown)(struct store *);

	/*
	 * See that no other process has the database open: BUSY. A server lets
	 * none in afterwards, as long as this handle is there; a file does, so
	 * it is to be asked again.
	 */
	enum store_result (*alone)(struct store *);

	/* Let others in again. */
	void (*leave)(struct store *);

	/* What is read from here to release() is of one moment. */
	enum store_result (*hold)(struct store *);
	enum store_result (*release)(struct store *);

	enum store_result (*count)(
	    struct store *, enum copy_table, int64_t *rows);

	/* Add the next rows behind a key to an empty batch, at most limit.
	 * None: there are no more. */
	enum store_result (*read)(struct store *, enum copy_table,
	    const struct copy_key *after, size_t limit,
	    struct copy_batch *batch);

	/* The highest number that a table has ever given; 0: none. */
	enum store_result (*counter)(
	    struct store *, enum copy_table, int64_t *highest);

	/* Of what database this is an unfinished copy: its identity and how it
	 * was called. Both "" when it is none. */
	enum store_result (*marked)(struct store *,
	    char identity[COPY_IDENTITY_MAX], char shown[STORE_ERROR_MAX]);

	/* The following change the database, each in one transaction. */

	/* Make an empty database an unfinished copy; EXISTS: it is not empty.
	 */
	enum store_result (*mark)(
	    struct store *, const char *identity, const char *shown);

	/* Add the rows of a batch. */
	enum store_result (*write)(
	    struct store *, enum copy_table, const struct copy_batch *batch);

	/* Remove every row. */
	enum store_result (*clear)(struct store *);

	/* Go on behind this number. */
	enum store_result (*set_counter)(
	    struct store *, enum copy_table, int64_t highest);

	/* Make an unfinished copy a database. */
	enum store_result (*unmark)(struct store *);
};

/* ---- store_copy_rows.c: rows and the SQL that both back ends speak ---- */

/* Room for that SQL. */
#define COPY_SQL_MAX 512

/* The next rows: $1 the key, $2 how many at most. */
void copy_sql_read(enum copy_table table, char sql[COPY_SQL_MAX]);
void copy_sql_count(enum copy_table table, char sql[COPY_SQL_MAX]);

/* Whether any table has a row: one integer, 0 or 1. */
extern const char copy_sql_any[];

/* The table of an unfinished copy: making it, its one row ($1, $2), reading
 * and removing it. */
#define COPY_MARK "unfinished_copy"
extern const char copy_sql_mark[];
extern const char copy_sql_mark_row[];
extern const char copy_sql_marked[];
extern const char copy_sql_unmark[];

/* Begin a row, and add its columns in their order. */
void copy_row_begin(struct copy_batch *batch, enum copy_table table);
void copy_row_integer(struct copy_batch *batch, int64_t value);
void copy_row_bytes(struct copy_batch *batch, const void *data, size_t len);

/* Take the row at row apart, one that was made by the above; its length. */
size_t copy_row_fields(const uint8_t *row, enum copy_table table,
    struct copy_field fields[COPY_COLUMNS_MAX]);

/* Empty a batch, for another; and release it. Rows hold password hashes, so
 * they are wiped. */
void copy_batch_clear(struct copy_batch *batch);
void copy_batch_free(struct copy_batch *batch);

/* ---- store_copy.c ---- */

/* What a table comes to: how many rows, and a digest (SHA-256) of them all in
 * the order of their keys; and the highest number that it has given. */
struct copy_sum {
	int64_t rows;
	uint8_t digest[STORE_DIGEST_LEN];
	int64_t counter;
};

enum copy_phase { COPY_PHASE_ROWS, COPY_PHASE_SUMS };

struct store_copy {
	const char *from; /* as store_open() takes them */
	const char *to;
	bool restart; /* forget an unfinished copy in TO, whatever it is of */

	/* Told after each batch, how many rows of how many have been carried,
	 * or added up on both sides. May be NULL. */
	void (*progress)(
	    enum copy_phase phase, int64_t done, int64_t total, void *ctx);

	/* Asked before each batch, and while a database is in use by others:
	 * whether to end here, as if interrupted. May be NULL. */
	bool (*stop)(void *ctx);
	void *ctx;

	/* What came of it, filled by store_copy(). */
	char from_shown[STORE_ERROR_MAX]; /* what messages call them */
	char to_shown[STORE_ERROR_MAX];
	int64_t kept; /* rows that an earlier run had carried already */
	bool anew;    /* those did not fit FROM any more, and were removed */
	bool stopped; /* stop() has ended it */
	bool summed;  /* the sums are there */
	struct copy_sum sums_from[COPY__MAX];
	struct copy_sum sums_to[COPY__MAX];
	char error[COPY_ERROR_MAX];
};

/*
 * Copy a database. FROM has to be there, finished and of this program's
 * version, and is never changed. TO is made where there is none; it has to be
 * empty or an unfinished copy of the same FROM. Neither may be in use by
 * another process. OK only when both sides have been read anew afterwards and
 * agree in every table; then TO is a database like any other.
 *
 * BUSY: one of them is in use. EXISTS: TO holds something else; nothing was
 * changed. INVALID: an address is none, both are the same database, or FROM is
 * an unfinished copy itself. DAMAGED: the two sides do not agree at the end.
 * FAILED also when it was stopped: see stopped. Others as those of an opening.
 * One sentence in error unless OK; it holds no password.
 *
 * Interrupted in any way, or failed, it is called again and goes on. May take
 * minutes.
 */
enum store_result
store_copy(struct store_copy *copy) __attribute__((warn_unused_result));

#endif
