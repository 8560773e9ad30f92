/*
 * The store's log in the table: what each sort of row means, in whatever
 * order the processes come by them.
 */
#include <sys/stat.h>

#include <stdlib.h>
#include <unistd.h>

#include "revocation_kit.h"

#define NOW KIT_REVOKED_NOW

TestSuite(revocation_log, .timeout = 60);

static void
apply(struct revocations *r, const struct store_revocation *row)
{
	cr_assert_eq(revocations_apply(r, row, NOW), 0);
}

static struct store_revocation
user_row(int64_t number, int64_t version, int64_t before, int64_t until)
{
	struct store_revocation row =
	    make_row(STORE_REVOKE_USER, "cosmo", until);

	row.number = number;
	row.version = version;
	row.before = before;
	return (row);
}

static void
expect_user(const struct revocations *r, uint32_t version, uint32_t before)
{
	uint32_t value = 0;

	cr_expect(has_text(r, REVOKED_VERSION, "cosmo", NOW, &value));
	cr_expect_eq(value, version, "version %u", value);
	cr_expect(has_text(r, REVOKED_BEFORE, "cosmo", NOW, &value));
	cr_expect_eq(value, before, "before %u", value);
}

Test(revocation_log, a_row_is_about_what_it_says)
{
	struct revocations *r = table_new(100);
	struct store_revocation row;

	row = make_row(STORE_REVOKE_NONE, "n", NOW + 9);
	apply(r, &row);
	cr_expect(revocations_empty(r));
	row = make_row(STORE_REVOKE_TOKEN, "t", NOW + 9);
	apply(r, &row);
	row = make_row(STORE_REVOKE_SESSION, "s", NOW + 9);
	apply(r, &row);
	cr_expect(has_text(r, REVOKED_TOKEN, "t", NOW + 8, NULL));
	cr_expect_not(has_text(r, REVOKED_TOKEN, "t", NOW + 9, NULL));
	cr_expect_not(has_text(r, REVOKED_SESSION, "t", NOW, NULL));
	cr_expect(has_text(r, REVOKED_SESSION, "s", NOW + 8, NULL));
	cr_expect_not(has_text(r, REVOKED_TOKEN, "s", NOW, NULL));
	cr_expect_not(has_text(r, REVOKED_VERSION, "s", NOW, NULL));

	row = user_row(1, 3, NOW - 5, NOW + 9);
	apply(r, &row);
	expect_user(r, 3, NOW - 5);
	cr_expect_not(has_text(r, REVOKED_VERSION, "cosmo", NOW + 9, NULL));
	cr_expect_not(has_text(r, REVOKED_TOKEN, "cosmo", NOW, NULL));
	revocations_free(r);
}

Test(revocation_log, versions_and_times_are_held_at_their_ends)
{
	static const struct {
		int64_t n;
		uint32_t held;
	} rows[] = {{-1, 0}, {0, 0}, {1, 1}, {UINT32_MAX - 1, UINT32_MAX - 1},
	    {UINT32_MAX, UINT32_MAX}, {INT64_C(1) << 32, UINT32_MAX},
	    {STORE_FOREVER, UINT32_MAX}};
	struct revocations *r = table_new(100);
	struct store_revocation row;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		row = user_row((int64_t)i, rows[i].n, rows[i].n, NOW + 9);
		apply(r, &row);
		expect_user(r, rows[i].held, rows[i].held);
	}
	revocations_free(r);
}

/* Disabled in row 7, after row 5 had enabled it: a process that is late with
 * row 5 must not let the account in again; nor may one that is late with the
 * disabling keep out an account that has been enabled since. */
Test(revocation_log, an_older_row_of_an_account_does_not_undo_a_newer_one)
{
	struct revocations *r = table_new(100);
	struct store_revocation old = user_row(5, 3, NOW - 9, NOW + 900),
				new = user_row(7, STORE_FOREVER, STORE_FOREVER,
				    STORE_FOREVER);

	apply(r, &new);
	expect_user(r, UINT32_MAX, UINT32_MAX);
	apply(r, &old);
	expect_user(r, UINT32_MAX, UINT32_MAX);
	apply(r, &new);
	expect_user(r, UINT32_MAX, UINT32_MAX);

	old = user_row(9, 4, NOW, NOW + 900);
	apply(r, &old);
	expect_user(r, 4, NOW);
	apply(r, &new);
	expect_user(r, 4, NOW);
	cr_expect_not(has_text(r, REVOKED_VERSION, "cosmo", NOW + 900, NULL));
	revocations_free(r);
}

/* Whoever took up a row and died half way has only noted its number. */
Test(revocation_log, a_row_half_put_in_is_put_in_whole_the_next_time)
{
	struct revocations *r = table_new(100);
	struct store_revocation row = user_row(7, 3, NOW, NOW + 900);
	struct revocation_key key;

	revocation_key(r, REVOKED_ORDER, "cosmo", 5, &key);
	cr_assert_eq(revocations_put(r, &key, 7, NOW + 900, NOW), 0);
	apply(r, &row);
	expect_user(r, 3, NOW);
	revocations_free(r);
}

/* A newer row may also be one that is over. */
Test(revocation_log, a_newer_row_that_is_over_ends_an_older_one)
{
	struct revocations *r = table_new(100);
	struct store_revocation row =
	    user_row(1, STORE_FOREVER, STORE_FOREVER, STORE_FOREVER);

	apply(r, &row);
	row = user_row(2, 4, NOW - 900, NOW);
	apply(r, &row);
	cr_expect_not(has_text(r, REVOKED_VERSION, "cosmo", NOW, NULL));
	cr_expect_not(has_text(r, REVOKED_BEFORE, "cosmo", NOW, NULL));
	revocations_free(r);
}

Test(revocation_log, a_session_ended_twice_stays_ended_for_the_longer_time)
{
	struct revocations *r = table_new(100);
	struct store_revocation row =
	    make_row(STORE_REVOKE_SESSION, "s", NOW + 900);

	apply(r, &row);
	row.until = NOW + 5;
	apply(r, &row);
	cr_expect(has_text(r, REVOKED_SESSION, "s", NOW + 899, NULL));
	row.until = STORE_FOREVER;
	apply(r, &row);
	row.until = NOW + 5;
	apply(r, &row);
	cr_expect(has_text(r, REVOKED_SESSION, "s", INT64_MAX, NULL));
	revocations_free(r);
}

Test(revocation_log, a_row_without_room_is_refused_and_fits_later)
{
	struct revocations *r = table_new(10);
	struct store_revocation row = user_row(1, 2, NOW, NOW + 900);
	int64_t later = NOW + 1000;
	uint32_t n;

	for (n = 0; n < 100000; n++)
		(void)put_number(r, n, NOW + 100, NOW);
	cr_expect_eq(revocations_apply(r, &row, NOW), -1);
	row.until = later + 900;
	cr_expect_eq(revocations_apply(r, &row, later), 0);
	cr_expect(has_text(r, REVOKED_VERSION, "cosmo", later, NULL));
	cr_expect(has_text(r, REVOKED_BEFORE, "cosmo", later, NULL));
	revocations_free(r);
}

/* A store in a folder of its own. */
struct home {
	char folder[32];
	char path[64];
	struct store *store;
};

static void
home_open(struct home *h)
{
	char error[STORE_ERROR_MAX];

	(void)snprintf(h->folder, sizeof(h->folder), "/tmp/corgi-XXXXXX");
	cr_assert_not_null(mkdtemp(h->folder));
	(void)snprintf(h->path, sizeof(h->path), "%s/corgi.db", h->folder);
	cr_assert_eq(store_open_sqlite(h->path, &h->store, error), STORE_OK,
	    "%s", error);
}

static void
home_close(struct home *h)
{
	static const char *const ends[] = {"", "-wal", "-shm"};
	char path[80];
	size_t i;

	store_close(h->store);
	for (i = 0; i < 3; i++) {
		(void)snprintf(path, sizeof(path), "%s%s", h->path, ends[i]);
		(void)unlink(path);
	}
	(void)rmdir(h->folder);
}

static void
note(struct home *h, enum store_revocation_kind kind, uint32_t n, int64_t until)
{
	struct store_revocation row;
	char id[16];

	(void)snprintf(id, sizeof(id), "id%u", n);
	row = make_row(kind, id, until);
	cr_assert_eq(store_revocation_add(h->store, &row), STORE_OK, "%s",
	    store_error(h->store));
}

static bool
follows(const struct revocations *r, uint32_t n, int64_t now)
{
	struct revocation_key key = numbered_key(r, n);

	return (revocations_get(r, &key, now, NULL));
}

Test(revocation_log, following_takes_up_where_it_left_off)
{
	struct revocations *r = table_new(100);
	int64_t last = 0, before;
	struct home h;

	home_open(&h);
	cr_expect_eq(revocations_follow(r, h.store, NOW, &last), STORE_OK);
	cr_expect_eq(last, 0);
	note(&h, STORE_REVOKE_TOKEN, 1, NOW + 9);
	note(&h, STORE_REVOKE_TOKEN, 2, NOW + 9);
	cr_expect_not(follows(r, 1, NOW));
	cr_expect_eq(revocations_follow(r, h.store, NOW, &last), STORE_OK);
	cr_expect(follows(r, 1, NOW) && follows(r, 2, NOW));

	before = last;
	note(&h, STORE_REVOKE_TOKEN, 3, NOW + 9);
	cr_expect_eq(revocations_follow(r, h.store, NOW, &last), STORE_OK);
	cr_expect_gt(last, before);
	cr_expect(follows(r, 3, NOW));
	before = last;
	cr_expect_eq(revocations_follow(r, h.store, NOW, &last), STORE_OK);
	cr_expect_eq(last, before);
	home_close(&h);
	revocations_free(r);
}

Test(revocation_log, a_new_table_finds_all_that_is_alive_in_the_log)
{
	struct revocations *r = table_new(100);
	int64_t last = 0;
	struct home h;
	uint32_t n;

	home_open(&h);
	for (n = 0; n < 50; n++)
		note(&h, STORE_REVOKE_TOKEN, n, NOW + n);
	cr_expect_eq(revocations_follow(r, h.store, NOW + 20, &last), STORE_OK);
	for (n = 0; n < 50; n++)
		cr_expect_eq(follows(r, n, NOW + 20), n > 20, "%u", n);
	home_close(&h);
	revocations_free(r);
}

Test(revocation_log, without_room_following_stops_and_goes_on_later)
{
	struct revocations *r = table_new(1);
	int64_t last = 0, before, later = NOW + 1000;
	struct home h;
	uint32_t n;

	home_open(&h);
	for (n = 1000; n < 100000; n++)
		(void)put_number(r, n, NOW + 100, NOW);
	for (n = 0; n < 3; n++)
		note(&h, STORE_REVOKE_TOKEN, n, later + 9);
	before = last;
	cr_expect_eq(revocations_follow(r, h.store, NOW, &last), STORE_FULL);
	cr_expect_eq(last, before);
	cr_expect_eq(revocations_follow(r, h.store, later, &last), STORE_OK);
	for (n = 0; n < 3; n++)
		cr_expect(follows(r, n, later));
	home_close(&h);
	revocations_free(r);
}

static enum store_result
each_busy(struct store *store, int64_t after, int64_t now,
    int (*each)(const struct store_revocation *, void *), void *ctx)
{
	struct store_revocation row =
	    make_row(STORE_REVOKE_TOKEN, "t", now + 1);

	(void)store;
	row.number = after + 1;
	(void)each(&row, ctx);
	return (STORE_BUSY);
}

Test(revocation_log, what_came_before_the_store_failed_is_in)
{
	static const struct store_ops ops = {.revocation_each = each_busy};
	struct store store = {.ops = &ops};
	struct revocations *r = table_new(1);
	int64_t last = 4;

	cr_expect_eq(revocations_follow(r, &store, NOW, &last), STORE_BUSY);
	cr_expect_eq(last, 5);
	cr_expect(has_text(r, REVOKED_TOKEN, "t", NOW, NULL));
	revocations_free(r);
}
