/*
 * The log of attempts that nodes share by way of a PostgreSQL server: once
 * each, in order, for a while, and with no more rights than are documented.
 */
#include "store_helpers.h"

#include <sys/wait.h>

#include <poll.h>

#include "store/pg_migrations.h"
#include "store/store_pg.h"

#define HOUR_MS INT64_C(3600000)

/* What a follower of the log has seen. */
struct seen {
	int64_t last;
	int count;
	struct store_attempt row;
};

static struct store_attempt row_of(int64_t, int64_t);
static void add(struct store *, int64_t, int64_t);
static int see(const struct store_attempt *, void *);
static struct seen read_after(struct store *, int64_t);
static int64_t mark_of(struct store *);
static int64_t told_of(struct store *, int);
static int64_t purge(struct store *, int64_t, int64_t, int);

TestSuite(store_pg_attempt, .init = folder_make_on_server,
    .fini = folder_remove, .timeout = 60);

static struct store_attempt
row_of(int64_t node, int64_t serial)
{
	struct store_attempt row = {
	    .node = node,
	    .serial = serial,
	    .kind = STORE_ATTEMPT_FAILED,
	    .has_account = true,
	};

	memset(row.account, 0xab, sizeof(row.account));
	row.address[15] = 1;
	return (row);
}

static void
add(struct store *s, int64_t node, int64_t serial)
{
	struct store_attempt row = row_of(node, serial);

	cr_assert_eq(
	    store_attempt_add(s, &row, 1), STORE_OK, "%s", store_error(s));
}

static int
see(const struct store_attempt *row, void *ctx)
{
	struct seen *seen = ctx;

	cr_expect_gt(row->number, seen->last);
	seen->last = row->number;
	seen->row = *row;
	seen->count++;
	return (0);
}

static struct seen
read_after(struct store *s, int64_t after)
{
	struct seen seen = {.last = after};

	cr_assert_eq(store_attempt_each(s, after, see, &seen), STORE_OK, "%s",
	    store_error(s));
	return (seen);
}

static int64_t
mark_of(struct store *s)
{
	int64_t mark;

	cr_assert_eq(
	    store_attempt_mark(s, &mark), STORE_OK, "%s", store_error(s));
	return (mark);
}

static int64_t
purge(struct store *s, int64_t older, int64_t most, int limit)
{
	int64_t removed;

	cr_assert_eq(store_attempt_purge(s, older, most, limit, &removed),
	    STORE_OK, "%s", store_error(s));
	return (removed);
}

Test(store_pg_attempt, a_row_comes_back_as_it_went_in)
{
	struct store *s = open_store();
	struct store_attempt rows[2] = {row_of(-5, 1), row_of(INT64_MAX, 2)};
	struct seen seen;

	cr_expect_eq(mark_of(s), 0);
	cr_expect_eq(read_after(s, 0).count, 0);
	rows[0].kind = STORE_ATTEMPT_GOOD;
	rows[0].age_ms = 90000;
	(void)memcpy(rows[0].name, "a\0'\"\\\xff", 6);
	rows[0].name_len = 6;
	rows[1].kind = STORE_ATTEMPT_CLEAR_ALL;
	rows[1].has_account = false;
	cr_assert_eq(
	    store_attempt_add(s, rows, 2), STORE_OK, "%s", store_error(s));
	seen = read_after(s, 0);
	cr_expect_eq(seen.count, 2);
	cr_expect_eq(seen.row.node, INT64_MAX);
	cr_expect_eq(seen.row.kind, STORE_ATTEMPT_CLEAR_ALL);
	cr_expect_not(seen.row.has_account);
	cr_expect_eq(seen.row.name_len, 0);
	cr_expect_eq(mark_of(s), seen.row.number);

	run_sql(test_path, "DELETE FROM attempts WHERE kind = 6");
	seen = read_after(s, 0);
	cr_expect_eq(seen.count, 1);
	cr_expect_eq(seen.row.node, -5);
	cr_expect_eq(seen.row.serial, 1);
	cr_expect_eq(seen.row.kind, STORE_ATTEMPT_GOOD);
	cr_expect(seen.row.has_account);
	cr_expect_arr_eq(
	    seen.row.account, rows[0].account, sizeof(rows[0].account));
	cr_expect_arr_eq(
	    seen.row.address, rows[0].address, sizeof(rows[0].address));
	cr_expect_eq(seen.row.name_len, 6);
	cr_expect_arr_eq(seen.row.name, rows[0].name, 6);
	cr_expect(seen.row.age_ms >= 90000 && seen.row.age_ms < 90000 + 60000);
	store_close(s);
}

/* Whoever does not know whether it was appended appends it again. */
Test(store_pg_attempt, a_row_is_there_once_however_often_it_is_appended)
{
	struct store *s = open_store();
	struct store_attempt rows[2] = {row_of(1, 2), row_of(1, 3)};

	add(s, 1, 1);
	add(s, 1, 1);
	add(s, 1, 2);
	cr_assert_eq(store_attempt_add(s, rows, 2), STORE_OK);
	cr_expect_eq(read_after(s, 0).count, 3);
	add(s, 2, 1);
	cr_expect_eq(read_after(s, 0).count, 4, "of another node");
	store_close(s);
}

Test(store_pg_attempt, rows_are_appended_in_the_order_of_their_serials)
{
	struct store_attempt rows[STORE_ATTEMPTS_MAX];
	struct store *s = open_store();
	char text[32];
	int i;

	for (i = 0; i < STORE_ATTEMPTS_MAX; i++)
		rows[i] = row_of(1, STORE_ATTEMPTS_MAX - i);
	cr_assert_eq(store_attempt_add(s, rows, STORE_ATTEMPTS_MAX), STORE_OK);
	(void)snprintf(text, sizeof(text), "%d",
	    STORE_ATTEMPTS_MAX * (STORE_ATTEMPTS_MAX + 1) / 2);
	cr_expect_str_eq(
	    query_text(test_path,
		"SELECT sum(serial) FILTER (WHERE rank = serial) FROM (SELECT"
		" serial, rank() OVER (ORDER BY number) FROM attempts) AS r"),
	    text);
	store_close(s);
}

Test(store_pg_attempt, what_is_no_attempt_is_not_appended)
{
	struct store *s = open_store();
	struct store_attempt rows[STORE_ATTEMPTS_MAX + 1];
	int64_t removed;

	memset(rows, 0, sizeof(rows));
	rows[0] = row_of(1, 1);
	cr_expect_eq(store_attempt_add(s, rows, 0), STORE_INVALID);
	cr_expect_eq(
	    store_attempt_add(s, rows, STORE_ATTEMPTS_MAX + 1), STORE_INVALID);
	cr_expect_eq(store_attempt_add(s, rows, 2), STORE_INVALID, "kind");
	rows[0].name_len = STORE_NAME_MAX + 1;
	cr_expect_eq(store_attempt_add(s, rows, 1), STORE_INVALID, "name");
	cr_expect_eq(store_attempt_purge(s, 0, 0, 0, &removed), STORE_INVALID);
	cr_expect_eq(read_after(s, 0).count, 0);
	rows[0].name_len = STORE_NAME_MAX;
	cr_expect_eq(store_attempt_add(s, rows, 1), STORE_OK);
	store_close(s);
}

/* Of a batch that has added a row: what another handle can do meanwhile. */
static enum store_result
overtake(struct store *s, void *ctx)
{
	struct store_attempt row = row_of(2, 1);
	struct store_revocation logout = {
	    .kind = STORE_REVOKE_TOKEN, .key_len = 1, .until = 9000};
	struct store *other = ctx;

	add(s, 1, 1);
	cr_expect_eq(store_attempt_add(other, &row, 1), STORE_BUSY,
	    "a row got past one that nobody sees yet");
	cr_expect_eq(read_after(other, 0).count, 0);
	cr_expect_eq(store_revocation_add(other, &logout), STORE_OK,
	    "a logout had to wait");
	return (STORE_OK);
}

Test(store_pg_attempt, a_row_never_appears_behind_a_higher_number)
{
	struct store *s = open_store(), *other = open_store();

	cr_assert_eq(store_pg_set_wait(other, 200), STORE_OK);
	cr_assert_eq(store_batch(s, overtake, other), STORE_OK);
	add(other, 2, 1);
	cr_expect_eq(read_after(other, 0).count, 2);
	store_close(s);
	store_close(other);
}

/* Writers at once; the reader goes on from the highest number it has seen. */
Test(store_pg_attempt, a_follower_misses_no_row_of_many_writers)
{
	enum { WRITERS = 4, ROWS = 150 };
	struct store *s = open_store();
	struct seen seen = {.last = 0}, before = {.last = -1};
	int i, n, status, ended = 0;

	for (i = 0; i < WRITERS; i++) {
		if (fork() != 0)
			continue;
		s = open_store();
		for (n = 0; n < ROWS; n++)
			add(s, i, n);
		_exit(0);
	}
	while (ended < WRITERS || before.last != seen.last) {
		while (waitpid(-1, &status, WNOHANG) > 0) {
			cr_expect_eq(status, 0);
			ended++;
		}
		before = seen;
		cr_assert_eq(
		    store_attempt_each(s, seen.last, see, &seen), STORE_OK);
	}
	cr_expect_eq(seen.count, WRITERS * ROWS, "%d rows", seen.count);
	store_close(s);
}

/* What a handle that listens is told of within that time. */
static int64_t
told_of(struct store *s, int ms)
{
	struct pollfd pfd = {.events = POLLIN};
	int64_t number;
	bool news;

	cr_assert_eq(store_listen(s, &pfd.fd), STORE_OK, "%s", store_error(s));
	(void)poll(&pfd, 1, ms);
	cr_assert_eq(store_heard(s, &news), STORE_OK, "%s", store_error(s));
	cr_expect_not(news, "this was no revocation");
	cr_assert_eq(store_attempt_told(s, &number), STORE_OK);
	return (number);
}

Test(store_pg_attempt, who_listens_is_told_the_highest_number)
{
	struct store *s = open_store(), *other = open_store();
	struct store_revocation logout = {
	    .kind = STORE_REVOKE_TOKEN, .key_len = 1, .until = 9000};
	int64_t number;
	bool news;
	int fd;

	cr_assert_eq(store_listen(s, &fd), STORE_OK);
	cr_assert_eq(store_heard(s, &news), STORE_OK);
	cr_assert_eq(store_attempt_told(s, &number), STORE_OK);
	cr_expect_eq(number, STORE_FOREVER, "what came before, too");
	cr_expect_eq(told_of(s, 0), 0);
	add(other, 1, 1);
	cr_expect_eq(told_of(s, 5000), mark_of(s));
	cr_expect_eq(told_of(s, 0), 0, "once");
	add(other, 1, 1);
	run_sql(test_path, "NOTIFY corgi_attempts, 'nonsense'");
	cr_expect_eq(told_of(s, 500), 0, "nothing was appended");

	/* What was said last may come in two parts. */
	cr_assert_eq(store_revocation_add(other, &logout), STORE_OK);
	for (news = false; !news;) {
		cr_assert_eq(
		    poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 5000),
		    1);
		cr_assert_eq(store_heard(s, &news), STORE_OK);
	}
	cr_assert_eq(store_attempt_told(s, &number), STORE_OK);
	cr_expect_eq(number, 0);
	store_close(s);
	store_close(other);
}

Test(store_pg_attempt, old_rows_go_and_so_do_too_many)
{
	struct store_attempt row;
	struct store *s = open_store();
	int64_t last;
	int i;

	for (i = 0; i < 10; i++) {
		row = row_of(1, i);
		row.age_ms = i < 5 ? HOUR_MS + 60000 : HOUR_MS - 60000;
		cr_assert_eq(store_attempt_add(s, &row, 1), STORE_OK);
	}
	last = mark_of(s);
	cr_expect_eq(purge(s, HOUR_MS, 100, 3), 3);
	cr_expect_eq(purge(s, HOUR_MS, 100, 3), 2);
	cr_expect_eq(purge(s, HOUR_MS, 100, 3), 0);
	cr_expect_eq(read_after(s, last - 5).count, 5);
	cr_expect_eq(purge(s, HOUR_MS, 2, 100), 3);
	cr_expect_eq(read_after(s, 0).count, 2);
	cr_expect_eq(mark_of(s), last);
	cr_expect_eq(purge(s, 0, 100, 100), 2);
	cr_expect_eq(mark_of(s), 0);
	add(s, 1, 100);
	cr_expect_gt(mark_of(s), last, "a number is given once");
	store_close(s);
}

/* One that is older, by a clock that was set back, behind one that is not: the
 * highest number goes last. */
Test(store_pg_attempt, the_lowest_numbers_go_first)
{
	static const int64_t ages[] = {0, 2 * HOUR_MS, 0};
	struct store_attempt row;
	struct store *s = open_store();
	int i;

	for (i = 0; i < 3; i++) {
		row = row_of(1, i);
		row.age_ms = ages[i];
		cr_assert_eq(store_attempt_add(s, &row, 1), STORE_OK);
	}
	cr_expect_eq(purge(s, HOUR_MS, 100, 100), 2);
	cr_expect_eq(read_after(s, 0).row.serial, 2);
	store_close(s);
}

Test(store_pg_attempt, a_row_out_of_its_limits_is_damage)
{
	struct store *s = open_store();
	struct seen seen = {.count = 0};

	add(s, 1, 1);
	run_sql(test_path,
	    "ALTER TABLE attempts DROP CONSTRAINT attempts_address_check;"
	    "UPDATE attempts SET address = 'short'");
	cr_expect_eq(store_attempt_each(s, 0, see, &seen), STORE_DAMAGED);
	cr_expect_eq(seen.count, 0);
	store_close(s);
}

/* As a role that has what docs/deployment.md says, and nothing else. */
Test(store_pg_attempt, the_documented_rights_are_enough)
{
	char error[STORE_ERROR_MAX], sql[1024], more[128];
	char url[SERVER_URL_MAX], role[72];
	struct store *s;
	int64_t removed;
	int fd;

	store_close(open_store());
	(void)snprintf(role, sizeof(role), "few_%s", server_database);
	(void)snprintf(sql, sizeof(sql),
	    "CREATE ROLE %s LOGIN;"
	    "GRANT USAGE ON SCHEMA corgi TO %s;"
	    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA corgi"
	    " TO %s",
	    role, role, role);
	run_sql(test_path, sql);
	(void)snprintf(more, sizeof(more), "&options=-crole%%3D%s", role);
	server_url(server_database, more, url);
	cr_assert_eq(
	    store_open_existing(url, &s, error), STORE_OK, "%s", error);
	cr_expect_str_eq(
	    query_text(test_path, "SELECT count(*) FROM attempts"), "0");
	cr_expect_eq(store_listen(s, &fd), STORE_OK, "%s", store_error(s));
	add(s, 1, 1);
	add(s, 1, 1);
	cr_expect_eq(read_after(s, 0).count, 1);
	cr_expect_gt(mark_of(s), 0);
	cr_expect_eq(store_attempt_purge(s, 0, 0, 10, &removed), STORE_OK, "%s",
	    store_error(s));
	cr_expect_eq(removed, 1);
	(void)snprintf(
	    sql, sizeof(sql), "REVOKE ALL ON corgi.attempts FROM %s", role);
	run_sql(test_path, sql);
	cr_expect_eq(
	    store_attempt_mark(s, &removed), STORE_READONLY, "as that role");
	store_close(s);
	(void)snprintf(
	    sql, sizeof(sql), "DROP OWNED BY %s; DROP ROLE %s", role, role);
	run_sql(test_path, sql);
}

Test(store_pg_attempt, tables_of_the_first_version_are_brought_up_to_date)
{
	const struct pg_migration *steps;
	char error[STORE_ERROR_MAX];
	struct store *s;
	struct store_user user;
	size_t count;

	steps = pg_migrations(&count);
	cr_assert_gt(count, 1);
	run_sql(test_path, "CREATE SCHEMA corgi");
	run_sql(test_path, steps[0].sql);
	run_sql(test_path,
	    "INSERT INTO users (name, subject, hash, roles, disabled, version,"
	    " created_at, updated_at) VALUES ('cosmo', 'cosmo', 'h', '', 0, 0,"
	    " 1, 1)");
	cr_expect_eq(store_open_existing(test_where, &s, error), STORE_FAILED);
	cr_expect_not_null(strstr(error, "not migrated"), "%s", error);
	cr_assert_eq(store_open(test_where, &s, error), STORE_OK, "%s", error);
	cr_expect_eq(store_user_find(s, "cosmo", 5, &user), STORE_OK);
	add(s, 1, 1);
	cr_expect_eq(read_after(s, 0).count, 1);
	cr_expect_str_eq(query_text(test_path,
			     "SELECT string_agg(version::text, ' ' ORDER BY"
			     " version) FROM schema_migrations"),
	    "1 2 3");
	cr_expect_str_eq(query_text(test_path,
			     "SELECT count(*) FROM pg_indexes"
			     " WHERE schemaname = 'corgi'"
			     " AND indexdef LIKE '%(session, followed_at)'"),
	    "1");
	store_close(s);
}
