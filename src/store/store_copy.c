/*
 * store_copy.c - the course of a copy, whatever the two databases are.
 */
#include "store/store_copy.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/secret.h"
#include "store/store_pg.h"
#include "store/store_sqlite.h"

/* A walk over one table, adding up what it meets. */
struct walk {
	struct store *store;
	enum copy_table table;
	struct copy_key key;
	struct copy_batch batch;
	struct copy_sum sum;
};

/* A copy under way. */
struct run {
	struct store_copy *copy;
	struct store *from;
	struct store *to;
	bool marked; /* this run has made TO an unfinished copy */
	int64_t done;
	int64_t total;
	struct copy_sum carried[COPY__MAX];
};

/* A way to open one of the two. */
typedef enum store_result
opener(const char *, struct store **, char[STORE_ERROR_MAX]);

static const struct store_copy_ops *ops_of(struct store *);
static enum store_result say(struct store_copy *, enum store_result,
    const char *, ...) __attribute__((format(printf, 3, 4)));
static enum store_result told(struct run *, struct store *, enum store_result);
static bool is_stopped(struct store_copy *);
static opener open_from;
static opener open_to;
static enum store_result
open_side(struct store_copy *, opener *, const char *, struct store **);
static void close_side(struct store *);
static enum store_result open_both(struct run *);
static enum store_result claim_marked(struct run *, const char *, const char *);
static enum store_result claim(struct run *);
static size_t sum_batch(struct walk *);
static enum store_result step(struct run *, struct walk *, size_t);
static enum store_result sum_table(
    struct run *, struct store *, enum copy_table, bool, struct copy_sum *);
static enum store_result write_batch(struct run *, const struct walk *);
static bool same_sum(const struct copy_sum *, const struct copy_sum *);
static enum store_result
carry_table(struct run *, enum copy_table, const struct copy_sum *, bool *);
static enum store_result carry_all(struct run *, bool *);
static enum store_result carry_counters(struct run *);
static enum store_result carry(struct run *);
static enum store_result
sum_side(struct run *, struct store *, struct copy_sum[COPY__MAX]);
static enum store_result judge(struct run *);
static enum store_result compare(struct run *);
static enum store_result count_rows(struct run *, int64_t *);
static enum store_result check_count(struct run *);
static void progress(struct run *, enum copy_phase, int64_t);

static const struct store_copy_ops *
ops_of(struct store *s)
{
	return (s->ops->copy);
}

static enum store_result
say(struct store_copy *copy, enum store_result result, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(copy->error, sizeof(copy->error), fmt, args);
	va_end(args);
	return (result);
}

/* Pass a result on with the sentence that goes with it. */
static enum store_result
told(struct run *r, struct store *s, enum store_result result)
{
	if (result == STORE_OK)
		return (STORE_OK);
	return (say(r->copy, result, "%s", store_error(s)));
}

/* Whether it is to end here, which is said then. */
static bool
is_stopped(struct store_copy *copy)
{
	if (copy->stop == NULL || !copy->stop(copy->ctx))
		return (false);
	copy->stopped = true;
	(void)say(copy, STORE_FAILED, "the copy was stopped");
	return (true);
}

static void
progress(struct run *r, enum copy_phase phase, int64_t rows)
{
	r->done += rows;
	if (r->copy->progress != NULL)
		r->copy->progress(phase, r->done, r->total, r->copy->ctx);
}

/* An unfinished copy is refused by the opening itself. */
static enum store_result
open_from(const char *where, struct store **out, char error[STORE_ERROR_MAX])
{
	return (store_open_existing(where, out, error));
}

static enum store_result
open_to(const char *where, struct store **out, char error[STORE_ERROR_MAX])
{
	const char *path = store_where_path(where);

	return (path != NULL ? store_open_sqlite_copy(path, out, error)
			     : store_open_pg_copy(where, out, error));
}

/* A server may still be about to notice that an earlier run was killed. */
static enum store_result
open_side(struct store_copy *copy, opener *open_it, const char *where,
    struct store **out)
{
	const struct timespec pause = {.tv_nsec = 100000000}; /* 100 ms */
	int64_t until = clock_monotonic_ms() + STORE_WAIT_MS;
	char error[STORE_ERROR_MAX];
	enum store_result result;

	for (;;) {
		result = open_it(where, out, error);
		if (result == STORE_OK)
			return (result);
		if (result != STORE_BUSY || clock_monotonic_ms() >= until)
			return (say(copy, result, "%s", error));
		if (is_stopped(copy))
			return (STORE_FAILED);
		(void)nanosleep(&pause, NULL);
	}
}

/*
 * FROM first, and alone: of one database under two addresses the second is
 * refused then. Before anything in TO is changed all that can be known about
 * both has been asked.
 */
static enum store_result
open_both(struct run *r)
{
	struct store_copy *copy = r->copy;
	enum store_result result;

	result = open_side(copy, open_from, copy->from, &r->from);
	if (result != STORE_OK)
		return (result);
	(void)snprintf(copy->from_shown, sizeof(copy->from_shown), "%s",
	    ops_of(r->from)->shown(r->from));
	result = ops_of(r->from)->alone(r->from);
	if (result != STORE_OK)
		return (told(r, r->from, result));
	result = open_side(copy, open_to, copy->to, &r->to);
	if (result != STORE_OK)
		return (result);
	(void)snprintf(copy->to_shown, sizeof(copy->to_shown), "%s",
	    ops_of(r->to)->shown(r->to));
	return (told(r, r->to, ops_of(r->to)->alone(r->to)));
}

/* TO is an unfinished copy already. */
static enum store_result
claim_marked(struct run *r, const char *identity, const char *of)
{
	const struct store_copy_ops *ops = ops_of(r->to);
	char there[COPY_IDENTITY_MAX], shown[STORE_ERROR_MAX];
	enum store_result result;

	result = ops->marked(r->to, there, shown);
	if (result != STORE_OK)
		return (told(r, r->to, result));
	if (strcmp(there, identity) == 0 && !r->copy->restart)
		return (STORE_OK);
	if (!r->copy->restart)
		return (say(r->copy, STORE_EXISTS,
		    "%s: holds an unfinished copy of another database, %s; "
		    "finish that one, or forget it (--restart)",
		    r->copy->to_shown, shown));
	result = ops->clear(r->to);
	if (result == STORE_OK)
		result = ops->unmark(r->to);
	if (result == STORE_OK)
		result = ops->mark(r->to, identity, of);
	return (told(r, r->to, result));
}

/*
 * Make TO an unfinished copy of FROM, unless it is one. A service that opened
 * it just before is seen by the second look, one that comes later is refused.
 */
static enum store_result
claim(struct run *r)
{
	const struct store_copy_ops *ops = ops_of(r->to);
	char identity[COPY_IDENTITY_MAX], there[COPY_IDENTITY_MAX];
	char shown[STORE_ERROR_MAX];
	enum store_result result;

	result = ops_of(r->from)->identity(r->from, identity);
	if (result != STORE_OK)
		return (told(r, r->from, result));
	if ((result = ops->identity(r->to, there)) != STORE_OK)
		return (told(r, r->to, result));
	if (strcmp(identity, there) == 0)
		return (say(r->copy, STORE_INVALID,
		    "%s: FROM and TO are the same database",
		    r->copy->from_shown));
	if ((result = ops->marked(r->to, there, shown)) != STORE_OK)
		return (told(r, r->to, result));
	if (there[0] != '\0') {
		result = claim_marked(r, identity, r->copy->from_shown);
	} else {
		result = ops->mark(r->to, identity, r->copy->from_shown);
		r->marked = result == STORE_OK;
		(void)told(r, r->to, result);
	}
	if (result != STORE_OK)
		return (result);
	result = told(r, r->to, ops->alone(r->to));
	if (result != STORE_OK && r->marked)
		(void)ops->unmark(r->to);
	return (result);
}

/*
 * Take the rows of a batch into the digest, each by its own. 0, or the length
 * of a key that no row of ours has (bytes): not every table holds its keys to
 * their limits, and a database can be tampered with.
 */
static size_t
sum_batch(struct walk *w)
{
	uint8_t both[2 * STORE_DIGEST_LEN];
	struct copy_field fields[COPY_COLUMNS_MAX];
	const uint8_t *row = w->batch.data;
	size_t i, len;

	for (i = 0; i < w->batch.count; i++, row += len) {
		len = copy_row_fields(row, w->table, fields);
		if (fields[0].len > sizeof(w->key.bytes))
			return (fields[0].len);
		(void)memcpy(both, w->sum.digest, STORE_DIGEST_LEN);
		secret_digest(row, len, both + STORE_DIGEST_LEN);
		secret_digest(both, sizeof(both), w->sum.digest);
	}
	if (w->batch.count == 0)
		return (0);
	w->key.set = true;
	w->key.integer = fields[0].integer;
	w->key.len = fields[0].len;
	(void)memcpy(w->key.bytes, fields[0].data, fields[0].len);
	w->sum.rows += (int64_t)w->batch.count;
	return (0);
}

/* Read the next batch of a walk and add it up; none at the end. */
static enum store_result
step(struct run *r, struct walk *w, size_t limit)
{
	enum store_result result;
	size_t too_long;

	copy_batch_clear(&w->batch);
	if (is_stopped(r->copy))
		return (STORE_FAILED);
	result = ops_of(w->store)->read(
	    w->store, w->table, &w->key, limit, &w->batch);
	if (result != STORE_OK)
		return (told(r, w->store, result));
	if (w->batch.failed)
		return (say(r->copy, STORE_FAILED, "out of memory"));
	if ((too_long = sum_batch(w)) != 0)
		return (say(r->copy, STORE_DAMAGED,
		    "%s: the table %s has a key of %zu bytes, which is too "
		    "long",
		    ops_of(w->store)->shown(w->store),
		    copy_shapes[w->table].name, too_long));
	return (STORE_OK);
}

static enum store_result
sum_table(struct run *r, struct store *s, enum copy_table table, bool tell,
    struct copy_sum *sum)
{
	struct walk w = {.store = s, .table = table};
	enum store_result result;

	do {
		result = step(r, &w, COPY_ROWS);
		if (result == STORE_OK && tell)
			progress(r, COPY_PHASE_SUMS, (int64_t)w.batch.count);
	} while (result == STORE_OK && w.batch.count > 0);
	copy_batch_free(&w.batch);
	*sum = w.sum;
	return (result);
}

static bool
same_sum(const struct copy_sum *a, const struct copy_sum *b)
{
	return (a->rows == b->rows && a->counter == b->counter &&
	    memcmp(a->digest, b->digest, sizeof(a->digest)) == 0);
}

/* What one side takes the other may not: then it helps to know where. */
static enum store_result
write_batch(struct run *r, const struct walk *w)
{
	enum store_result result;

	result = ops_of(r->to)->write(r->to, w->table, &w->batch);
	if (result == STORE_OK)
		return (result);
	return (say(r->copy, result, "%s (in the table %s)", store_error(r->to),
	    copy_shapes[w->table].name));
}

/*
 * Carry a table of which TO has the first rows already, as it seems: what they
 * come to there is known, and FROM's have to come to the same. *fits says
 * whether they do; if not, nothing was written.
 */
static enum store_result
carry_table(struct run *r, enum copy_table table, const struct copy_sum *there,
    bool *fits)
{
	struct walk w = {.store = r->from, .table = table};
	enum store_result result;
	int64_t ahead;
	size_t limit;

	*fits = true;
	do {
		ahead = there->rows - w.sum.rows;
		limit =
		    ahead > 0 && ahead < COPY_ROWS ? (size_t)ahead : COPY_ROWS;
		if ((result = step(r, &w, limit)) != STORE_OK)
			break;
		if (ahead > 0 &&
		    (w.sum.rows == there->rows || w.batch.count == 0))
			*fits = same_sum(&w.sum, there);
		else if (ahead <= 0 && w.batch.count > 0)
			result = write_batch(r, &w);
		if (result == STORE_OK)
			progress(r, COPY_PHASE_ROWS, (int64_t)w.batch.count);
	} while (result == STORE_OK && *fits && w.batch.count > 0);
	copy_batch_free(&w.batch);
	r->carried[table] = w.sum;
	return (result);
}

static enum store_result
carry_all(struct run *r, bool *fits)
{
	struct copy_sum there;
	enum store_result result = STORE_OK;
	enum copy_table table;

	r->copy->kept = 0;
	for (table = 0; table < COPY__MAX; table++) {
		result = sum_table(r, r->to, table, false, &there);
		if (result == STORE_OK)
			result = carry_table(r, table, &there, fits);
		if (result != STORE_OK || !*fits)
			return (result);
		r->copy->kept += there.rows;
	}
	return (result);
}

/* A number that was given once must not be given again, also where its row is
 * gone. */
static enum store_result
carry_counters(struct run *r)
{
	enum store_result result;
	enum copy_table table;
	int64_t highest;

	for (table = 0; table < COPY__MAX; table++) {
		if (copy_shapes[table].sequence == NULL)
			continue;
		result = ops_of(r->from)->counter(r->from, table, &highest);
		if (result != STORE_OK)
			return (told(r, r->from, result));
		r->carried[table].counter = highest;
		result = ops_of(r->to)->set_counter(r->to, table, highest);
		if (result != STORE_OK)
			return (told(r, r->to, result));
	}
	return (STORE_OK);
}

static enum store_result
count_rows(struct run *r, int64_t *total)
{
	enum store_result result = STORE_OK;
	enum copy_table table;
	int64_t rows;

	*total = 0;
	for (table = 0; table < COPY__MAX && result == STORE_OK; table++) {
		rows = 0;
		result = told(
		    r, r->from, ops_of(r->from)->count(r->from, table, &rows));
		*total += rows;
	}
	return (result);
}

/* A walk goes by the keys: it would pass over a row whose key comes before all
 * that ours have, or that an index which is damaged does not name. */
static enum store_result
check_count(struct run *r)
{
	enum copy_table table;
	int64_t rows = 0;

	for (table = 0; table < COPY__MAX; table++)
		rows += r->carried[table].rows;
	if (rows == r->total)
		return (STORE_OK);
	return (say(r->copy, STORE_DAMAGED,
	    "%s: of %lld rows %lld are found by their keys",
	    r->copy->from_shown, (long long)r->total, (long long)rows));
}

/* What an earlier run has left and FROM has no longer goes, and with it all
 * the rest: there is nothing in an unfinished copy that is not FROM's. */
static enum store_result
carry(struct run *r)
{
	const struct store_copy_ops *from = ops_of(r->from);
	enum store_result result;
	bool fits = true;

	if ((result = from->hold(r->from)) != STORE_OK)
		return (told(r, r->from, result));
	result = count_rows(r, &r->total);
	if (result == STORE_OK)
		result = carry_all(r, &fits);
	if (result == STORE_OK && !fits) {
		r->copy->anew = true;
		r->done = 0;
		result = told(r, r->to, ops_of(r->to)->clear(r->to));
		if (result == STORE_OK)
			result = carry_all(r, &fits);
	}
	if (result == STORE_OK)
		result = check_count(r);
	if (result == STORE_OK)
		result = carry_counters(r);
	if (result != STORE_OK) {
		(void)from->release(r->from);
		return (result);
	}
	return (told(r, r->from, from->release(r->from)));
}

/* What a database comes to, in a moment of its own. */
static enum store_result
sum_side(struct run *r, struct store *s, struct copy_sum sums[COPY__MAX])
{
	const struct store_copy_ops *ops = ops_of(s);
	enum store_result result;
	enum copy_table table;

	if ((result = ops->hold(s)) != STORE_OK)
		return (told(r, s, result));
	for (table = 0; table < COPY__MAX && result == STORE_OK; table++) {
		result = sum_table(r, s, table, true, &sums[table]);
		if (result == STORE_OK && copy_shapes[table].sequence != NULL)
			result = told(
			    r, s, ops->counter(s, table, &sums[table].counter));
	}
	if (result != STORE_OK) {
		(void)ops->release(s);
		return (result);
	}
	return (told(r, s, ops->release(s)));
}

/* FROM as it is now against FROM as it was carried, then against TO. */
static enum store_result
judge(struct run *r)
{
	struct store_copy *copy = r->copy;
	enum copy_table table;

	for (table = 0; table < COPY__MAX; table++) {
		if (!same_sum(&copy->sums_from[table], &r->carried[table]))
			return (say(copy, STORE_DAMAGED,
			    "%s: the table %s was changed while it was copied; "
			    "stop what uses it and run the copy again",
			    copy->from_shown, copy_shapes[table].name));
	}
	for (table = 0; table < COPY__MAX; table++) {
		if (!same_sum(&copy->sums_from[table], &copy->sums_to[table]))
			return (say(copy, STORE_DAMAGED,
			    "%s: the table %s is not what it is in %s; it "
			    "stays an unfinished copy",
			    copy->to_shown, copy_shapes[table].name,
			    copy->from_shown));
	}
	return (STORE_OK);
}

static enum store_result
compare(struct run *r)
{
	struct store_copy *copy = r->copy;
	enum store_result result;

	r->done = 0;
	r->total = 2 * r->total;
	result = sum_side(r, r->from, copy->sums_from);
	if (result == STORE_OK)
		result = sum_side(r, r->to, copy->sums_to);
	if (result != STORE_OK)
		return (result);
	copy->summed = true;
	if ((result = judge(r)) != STORE_OK)
		return (result);
	/* One that has come meanwhile would change what was just compared. */
	return (told(r, r->from, ops_of(r->from)->alone(r->from)));
}

static void
close_side(struct store *s)
{
	if (s != NULL)
		ops_of(s)->leave(s);
	store_close(s);
}

enum store_result
store_copy(struct store_copy *copy)
{
	struct run r = {.copy = copy};
	enum store_result result;

	copy->error[0] = '\0';
	if ((result = open_both(&r)) == STORE_OK)
		result = claim(&r);
	if (result == STORE_OK)
		result = carry(&r);
	if (result == STORE_OK)
		result = compare(&r);
	if (result == STORE_OK)
		result = told(&r, r.to, ops_of(r.to)->unmark(r.to));
	close_side(r.from);
	close_side(r.to);
	return (result);
}
