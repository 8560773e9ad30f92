/*
 * A copy that does not go through: interrupted, refused, or found to be wrong.
 */
#include <poll.h>

#include "copy_kit.h"

TestSuite(store_copy_trouble, .init = copy_begin, .fini = folder_remove,
    .timeout = 120);

#define UNFINISHED "unfinished copy"

/* Accounts of a database that takes several batches. */
#define MANY 2500

/* FROM with accounts, of which the first has a session. */
static void
fill(void)
{
	struct store *s = place_open(&from);

	copy_fill_many(s, MANY);
	have_session(s, 1, "one", 2000000, "r0");
	store_close(s);
}

static void
count_in(const struct place *p, const char *table, const char *expected)
{
	char sql[64], text[32];

	(void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", table);
	place_query(p, sql, text, sizeof(text));
	cr_expect_str_eq(text, expected, "%s: %s", table, text);
}

static void
expect_finished(void)
{
	char error[STORE_ERROR_MAX];

	cr_expect_eq(place_state(&to, error), STORE_OK, "%s", error);
	count_in(&to, "users", "2500");
	count_in(&to, "sessions", "1");
}

/* ---- interrupted ---- */

/* After how many batches the process is killed. */
static int batches_left;

static void
die(enum copy_phase phase, int64_t done, int64_t total, void *ctx)
{
	(void)phase;
	(void)done;
	(void)total;
	(void)ctx;
	if (--batches_left == 0)
		(void)kill(getpid(), SIGKILL);
}

/* Copy in a process of its own, which is killed after some batches. */
static void
copy_killed(int batches)
{
	struct store_copy copy = {
	    .from = from.where, .to = to.where, .progress = die};
	int status;
	pid_t pid;

	batches_left = batches;
	cr_assert_neq(pid = fork(), -1);
	if (pid == 0) {
		_exit(store_copy(&copy) == STORE_OK ? 0 : 1);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSIGNALED(status), "%d", status);
}

/* The subjects are whole after three and known to be after four. */
static void
killed_and_resumed(void)
{
	static const int points[] = {1, 3, 6, 12};
	static const int64_t kept[] = {1000, 2500, 4500, 5001};
	char error[STORE_ERROR_MAX];
	struct store_copy copy;
	size_t i;

	fill();
	for (i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
		copy_killed(points[i]);
		cr_expect_eq(place_state(&to, error), STORE_INVALID);
		cr_expect_not_null(strstr(error, UNFINISHED), "%s", error);
		cr_expect_eq(copy_now(&copy), STORE_OK, "%s", copy.error);
		cr_expect_eq(copy.kept, kept[i], "%d: %lld", points[i],
		    (long long)copy.kept);
		cr_expect(!copy.anew);
		expect_finished();
		place_remove(&to);
		place_make(&to, i % 2 == 1 && server_there(), "to");
	}
}

Test(store_copy_trouble, a_killed_copy_goes_on_where_it_was)
{
	each_direction(killed_and_resumed);
}

static bool
stop(void *ctx)
{
	(void)ctx;
	return (--batches_left < 0);
}

/* Asked to stop, before its first batch or in the middle of a table, it ends
 * and says so; the next one goes on. What is there already is read twice. */
static void
stopped_and_resumed(void)
{
	static const int points[] = {0, 4, 10};
	struct store_copy copy = {
	    .from = from.where, .to = to.where, .stop = stop};
	char error[STORE_ERROR_MAX];
	size_t i;

	fill();
	for (i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
		batches_left = points[i];
		cr_expect_eq(store_copy(&copy), STORE_FAILED);
		cr_expect(copy.stopped, "%s", copy.error);
		cr_expect_str_eq(copy.error, "the copy was stopped");
		cr_expect_eq(place_state(&to, error), STORE_INVALID);
		cr_expect_not_null(strstr(error, UNFINISHED), "%s", error);
	}
	count_in(&to, "users", "1000");
	batches_left = 1000;
	copy.stopped = false;
	cr_expect_eq(store_copy(&copy), STORE_OK, "%s", copy.error);
	cr_expect(!copy.stopped);
	cr_expect_eq(copy.kept, 3500);
	expect_finished();
}

Test(store_copy_trouble, a_stopped_copy_says_so_and_goes_on)
{
	each_direction(stopped_and_resumed);
}

/* What was added behind is carried on with; what was changed before is copied
 * anew, and that is said. */
static void
changed_between(void)
{
	struct store_copy copy;
	struct store *s;

	fill();
	copy_killed(6);
	s = place_open(&from);
	(void)have_account(s, "zoe");
	store_close(s);
	cr_expect_eq(copy_now(&copy), STORE_OK, "%s", copy.error);
	cr_expect(!copy.anew);
	cr_expect_eq(copy.kept, 4500);
	count_in(&to, "users", "2501");
	place_remove(&to);
	place_make(&to, false, "to");

	copy_killed(6);
	place_sql(&from, "UPDATE users SET roles = 'admin' WHERE id = 7");
	cr_expect_eq(copy_now(&copy), STORE_OK, "%s", copy.error);
	cr_expect(copy.anew);
	cr_expect_eq(copy.kept, 0);
	count_in(&to, "users WHERE roles = 'admin'", "1");
	count_in(&to, "users", "2501");
}

Test(store_copy_trouble, a_change_between_two_runs_is_carried_or_said)
{
	each_direction(changed_between);
}

/* ---- found to be wrong ---- */

/* What is done, and to what, when all rows have been carried. */
static const char *sabotage;
static const struct place *victim;

static void
interfere(enum copy_phase phase, int64_t done, int64_t total, void *ctx)
{
	(void)ctx;
	if (phase == COPY_PHASE_ROWS && done == total && sabotage != NULL) {
		place_sql(victim, sabotage);
		sabotage = NULL;
	}
}

static enum store_result
copy_sabotaged(
    struct store_copy *copy, const struct place *whose, const char *sql)
{
	memset(copy, 0, sizeof(*copy));
	copy->from = from.where;
	copy->to = to.where;
	copy->progress = interfere;
	victim = whose;
	sabotage = sql;
	return (store_copy(copy));
}

/* One value of one row, or one row, on one side: each is found, by name. */
static void
differences_are_found(void)
{
	/* Where the last rows are missing the next run only adds them. */
	static const struct {
		const char *table;
		const char *sql;
		bool anew;
	} rows[] = {
	    {"subjects",
		"DELETE FROM subjects WHERE subject ="
		" (SELECT subject FROM users WHERE id = 1)",
		true},
	    {"users", "UPDATE users SET roles = 'admin' WHERE id = 3", true},
	    {"sessions", "UPDATE sessions SET ends_at = ends_at + 1", true},
	    {"rotations", "DELETE FROM rotations", false},
	    {"revocations", "UPDATE revocations SET until = until - 1", true},
	};
	char error[STORE_ERROR_MAX], sql[256];
	struct store_refresh_result refreshed;
	struct store_revocation made;
	struct store_copy copy;
	struct store *s = place_open(&from);
	size_t i;

	(void)have_account(s, "one");
	(void)have_account(s, "two");
	have_session(s, have_account(s, "three"), "one", 2000000, "r0");
	cr_assert_eq(
	    refresh_at(s, "one", 2000001, "r0", "r1", &refreshed), STORE_OK);
	cr_assert_eq(store_session_end(s, "over", 0, 3000000, &made), STORE_OK);
	store_close(s);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_expect_eq(copy_sabotaged(&copy, &to, rows[i].sql),
		    STORE_DAMAGED, "%s", rows[i].table);
		(void)snprintf(
		    sql, sizeof(sql), "the table %s is not", rows[i].table);
		cr_expect_not_null(strstr(copy.error, sql), "%s", copy.error);
		cr_expect_eq(place_state(&to, error), STORE_INVALID);
		cr_expect_eq(copy_now(&copy), STORE_OK, "%s", copy.error);
		cr_expect_eq(copy.anew, rows[i].anew, "%s", rows[i].table);
		cr_expect_eq(place_state(&to, error), STORE_OK, "%s", error);
		place_remove(&to);
		place_make(&to, i % 2 == 0 && server_there(), "to");
	}
}

Test(store_copy_trouble, a_difference_is_found_and_the_table_named)
{
	each_direction(differences_are_found);
}

static void
change_meanwhile(void)
{
	struct store_copy copy;

	fill();
	cr_expect_eq(copy_sabotaged(&copy, &from,
			 "UPDATE users SET version = version + 1 WHERE id = 9"),
	    STORE_DAMAGED);
	cr_expect_not_null(
	    strstr(copy.error, "users was changed while"), "%s", copy.error);
	cr_expect_eq(copy_now(&copy), STORE_OK, "%s", copy.error);
	cr_expect(copy.anew);
	expect_finished();
}

Test(store_copy_trouble, a_change_of_from_meanwhile_is_found)
{
	each_direction(change_meanwhile);
}

/* ---- refused ---- */

static void
not_empty(void)
{
	struct store *s;

	fill();
	s = place_open(&to);
	(void)have_account(s, "here");
	store_close(s);
	copy_expect(STORE_EXISTS, "not empty");
	count_in(&to, "users", "1");
	count_in(&to, "subjects", "1");
	place_sql(&to, "DELETE FROM users");
	copy_expect(STORE_EXISTS, "not empty"); /* a subject is there still */
	place_sql(&to, "DELETE FROM subjects");
	copy_expect(STORE_OK, "");
	expect_finished();
}

Test(store_copy_trouble, what_is_not_empty_is_left_alone)
{
	each_direction(not_empty);
}

static void
of_another(void)
{
	char error[STORE_ERROR_MAX];
	struct store_copy copy = {.to = to.where};
	struct store *s;

	fill();
	copy_killed(2);
	place_make(&other, from.on_server, "other");
	s = place_open(&other);
	store_close(s);
	copy.from = other.where;
	cr_expect_eq(store_copy(&copy), STORE_EXISTS);
	cr_expect_not_null(
	    strstr(copy.error, "of another database"), "%s", copy.error);
	cr_expect_eq(place_state(&to, error), STORE_INVALID);
	count_in(&to, "subjects", "2000");
	copy.restart = true;
	cr_expect_eq(store_copy(&copy), STORE_OK, "%s", copy.error);
	cr_expect_eq(place_state(&to, error), STORE_OK, "%s", error);
	count_in(&to, "subjects", "0");
	place_remove(&other);
}

Test(store_copy_trouble, an_unfinished_copy_of_another_is_left_alone)
{
	each_direction(of_another);
}

static void
odd_places(void)
{
	char error[STORE_ERROR_MAX];
	struct store_copy copy = {.from = to.where, .to = from.where};

	copy_expect(from.on_server ? STORE_NOT_FOUND : STORE_FAILED, "");
	if (!to.on_server)
		cr_expect_eq(access(to.path, F_OK), -1, "TO was made");
	fill();
	copy_killed(2);
	/* As FROM an unfinished copy is none. */
	place_make(&other, false, "other");
	copy.to = other.where;
	cr_expect_eq(store_copy(&copy), STORE_INVALID);
	cr_expect_not_null(strstr(copy.error, UNFINISHED), "%s", copy.error);
	cr_expect_eq(access(other.path, F_OK), -1);
	place_remove(&other);
	copy.from = copy.to = from.where;
	cr_expect_eq(
	    store_copy(&copy), from.on_server ? STORE_BUSY : STORE_INVALID);
	cr_expect_not_null(
	    strstr(copy.error,
		from.on_server ? "as FROM of this one" : "the same database"),
	    "%s", copy.error);
	cr_expect_eq(place_state(&from, error), STORE_OK, "%s", error);
	copy_expect(STORE_OK, "");
	expect_finished();
}

Test(store_copy_trouble, from_has_to_be_a_whole_database_and_not_to)
{
	each_direction(odd_places);
}

/* ---- in use ---- */

/* Another process that has a database open until it is told to end. */
static pid_t
holder(const struct place *p, int *end_it)
{
	struct pollfd ready;
	int told[2], stop[2];
	pid_t pid;

	cr_assert_eq(pipe(told), 0);
	cr_assert_eq(pipe(stop), 0);
	cr_assert_neq(pid = fork(), -1);
	if (pid == 0) {
		char error[STORE_ERROR_MAX], c;
		struct store *s;

		(void)close(stop[1]);
		if (store_open(p->where, &s, error) != STORE_OK ||
		    write(told[1], "x", 1) != 1)
			_exit(1);
		(void)!read(stop[0], &c, 1);
		store_close(s);
		_exit(0);
	}
	(void)close(stop[0]);
	(void)close(told[1]);
	ready = (struct pollfd){.fd = told[0], .events = POLLIN};
	cr_assert_eq(poll(&ready, 1, 30000), 1);
	cr_assert(ready.revents & POLLIN);
	(void)close(told[0]);
	*end_it = stop[1];
	return (pid);
}

static void
in_use(void)
{
	const struct place *each[] = {&from, &to};
	int end_it, status;
	size_t i;
	pid_t pid;

	fill();
	for (i = 0; i < 2; i++) {
		pid = holder(each[i], &end_it);
		copy_expect(STORE_BUSY, "in use");
		if (each[i] == &to)
			count_in(&to, "subjects", "0");
		(void)close(end_it);
		cr_assert_eq(waitpid(pid, &status, 0), pid);
		cr_assert_eq(status, 0);
	}
	copy_expect(STORE_OK, "");
	expect_finished();
}

Test(store_copy_trouble, a_database_in_use_is_neither_read_nor_written)
{
	each_direction(in_use);
}

/* A server lets nobody in as long as it is copied; an unfinished copy is never
 * opened. */
static void
try_both(enum copy_phase phase, int64_t done, int64_t total, void *ctx)
{
	char error[STORE_ERROR_MAX];
	struct store *s;

	(void)ctx;
	if (phase != COPY_PHASE_ROWS || done != total)
		return;
	cr_expect_eq(store_open(to.where, &s, error),
	    to.on_server ? STORE_BUSY : STORE_INVALID);
	cr_expect_not_null(
	    strstr(error, to.on_server ? "is being copied" : UNFINISHED), "%s",
	    error);
	if (!from.on_server)
		return;
	cr_expect_eq(store_open(from.where, &s, error), STORE_BUSY);
	cr_expect_not_null(strstr(error, "is being copied"), "%s", error);
}

static void
nobody_is_let_in(void)
{
	struct store_copy copy = {
	    .from = from.where, .to = to.where, .progress = try_both};
	char error[STORE_ERROR_MAX];

	fill();
	cr_expect_eq(store_copy(&copy), STORE_OK, "%s", copy.error);
	cr_expect_eq(place_state(&from, error), STORE_OK, "%s", error);
	expect_finished();
}

Test(store_copy_trouble, nobody_is_let_in_meanwhile)
{
	each_direction(nobody_is_let_in);
}

/* FROM's file stays what it is, to the byte. */
Test(store_copy_trouble, from_is_not_changed)
{
	char *before, *after;
	size_t len, more;

	place_make(&from, false, "from");
	place_make(&to, server_there(), "to");
	fill();
	before = file_bytes(from.path, &len);
	copy_expect(STORE_OK, "");
	after = file_bytes(from.path, &more);
	cr_expect_eq(len, more);
	cr_expect_eq(memcmp(before, after, len), 0);
	free(before);
	free(after);
	place_remove(&from);
	place_remove(&to);
}

/* Not every table holds its keys to their limits. One that no buffer is made
 * for ends the copy, and so does one that a walk does not meet. */
static void
odd_keys(void)
{
	char error[STORE_ERROR_MAX];
	struct store *s = place_open(&from);

	(void)have_account(s, "one");
	store_close(s);
	place_sql(&from,
	    from.on_server ? "INSERT INTO subjects VALUES"
			     " (decode(repeat('61', 255), 'hex'))"
			   : "INSERT INTO subjects VALUES (zeroblob(255))");
	place_sql(&from,
	    from.on_server ? "INSERT INTO subjects VALUES"
			     " (decode(repeat('7a', 2000), 'hex'))"
			   : "INSERT INTO subjects VALUES (CAST(replace("
			     "hex(zeroblob(1000)), '0', 'z') AS BLOB))");
	copy_expect(STORE_DAMAGED, "subjects has a key of 2000 bytes");
	cr_expect_eq(place_state(&to, error), STORE_INVALID);
	place_sql(&from, "DELETE FROM subjects WHERE length(subject) = 2000");

	place_sql(&from,
	    from.on_server ? "INSERT INTO subjects VALUES ('')"
			   : "INSERT INTO subjects VALUES (zeroblob(0))");
	copy_expect(STORE_DAMAGED, "of 4 rows 3 are found");
	cr_expect_eq(place_state(&to, error), STORE_INVALID);
	place_sql(&from, "DELETE FROM subjects WHERE length(subject) = 0");
	copy_expect(STORE_OK, "");
	count_in(&to, "subjects", "2");
}

Test(store_copy_trouble, a_key_that_is_out_of_bounds_ends_it)
{
	each_direction(odd_keys);
}

/* What only a file takes, as it was written by another hand, is refused by the
 * server; the sentence says where. */
Test(store_copy_trouble, what_the_other_side_does_not_take_is_named)
{
	char error[STORE_ERROR_MAX];

	place_make(&from, false, "from");
	place_make(&to, server_there(), "to");
	if (server_there()) {
		fill();
		place_sql(
		    &from, "UPDATE sessions SET client = CAST(x'ff' AS TEXT)");
		copy_expect(STORE_INVALID, "(in the table sessions)");
		cr_expect_eq(place_state(&to, error), STORE_INVALID);
		place_sql(&from, "UPDATE sessions SET client = '::1'");
		copy_expect(STORE_OK, "");
		expect_finished();
	}
	place_remove(&from);
	place_remove(&to);
}
