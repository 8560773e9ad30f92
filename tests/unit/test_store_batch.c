/*
 * Batches: all or nothing, whatever happens in between; and the plans of the
 * statements, which have to be as good among a million accounts.
 */
#include "store_helpers.h"

#include <sys/resource.h>
#include <sys/wait.h>

#include <signal.h>

#include "store/statements.h"

TestSuite(
    store_batch, .init = folder_make, .fini = folder_remove, .timeout = 60);

/* What the work of a batch is to do. */
struct work {
	const char *twice;        /* a name that is taken; or NULL */
	enum store_result result; /* to return */
	int count;
	bool killed;
};

static enum store_result add_some(struct store *, void *);
static enum store_result nest(struct store *, void *);
static enum store_result fill(struct store *, void *);
static int64_t accounts(struct store *);
static bool may_scan(enum statement);

static enum store_result
add_some(struct store *s, void *ctx)
{
	const struct work *work = ctx;
	char name[16];
	int i;

	for (i = 0; i < work->count; i++) {
		(void)snprintf(name, sizeof(name), "user%d", i);
		(void)have_account(s, name);
	}
	if (work->twice != NULL)
		cr_expect_eq(add_account(s, work->twice, strlen(work->twice),
				 HASH_A, 1, NULL),
		    STORE_EXISTS);
	if (work->killed)
		(void)kill(getpid(), SIGKILL);
	return (work->result);
}

static int64_t
accounts(struct store *s)
{
	int64_t count = -1;

	cr_assert_eq(store_user_count(s, &count), STORE_OK);
	return (count);
}

Test(store_batch, a_batch_is_kept_whole)
{
	struct store *s = open_store(), *other = open_store();
	struct work work = {.count = 50};

	cr_assert_eq(store_batch(s, add_some, &work), STORE_OK);
	cr_expect_eq(accounts(s), 50);
	cr_expect_eq(accounts(other), 50);
	(void)have_account(other, "after");
	cr_expect_eq(accounts(s), 51);
	store_close(s);
	store_close(other);
}

Test(store_batch, a_batch_that_fails_leaves_nothing_and_its_result)
{
	struct store *s = open_store();
	struct work work = {.count = 50, .result = STORE_NOT_FOUND};
	struct store_user user;

	cr_expect_eq(store_batch(s, add_some, &work), STORE_NOT_FOUND);
	cr_expect_eq(accounts(s), 0);
	(void)have_account(s, "user1");
	cr_assert_eq(store_user_find(s, "user1", 5, &user), STORE_OK);
	cr_expect_str_eq(user.subject, "user1");
	store_close(s);
}

Test(store_batch, an_operation_that_fails_is_undone_alone)
{
	struct store *s = open_store();
	struct work work = {.count = 5, .twice = "user3"};

	cr_assert_eq(store_batch(s, add_some, &work), STORE_OK);
	cr_expect_eq(accounts(s), 5);
	cr_expect_str_eq(
	    query_text(test_path, "SELECT count(*) FROM subjects"), "5");
	store_close(s);
}

static enum store_result
nest(struct store *s, void *ctx)
{
	cr_expect_eq(store_batch(s, add_some, ctx), STORE_INVALID);
	(void)have_account(s, "outer");
	return (STORE_OK);
}

Test(store_batch, a_batch_holds_no_other)
{
	struct store *s = open_store();
	struct work work = {.count = 5};

	cr_assert_eq(store_batch(s, nest, &work), STORE_OK);
	cr_expect_eq(accounts(s), 1);
	cr_assert_eq(store_batch(s, add_some, &work), STORE_OK);
	cr_expect_eq(accounts(s), 6);
	store_close(s);
}

Test(store_batch, a_process_killed_in_a_batch_leaves_nothing)
{
	struct work work = {.count = 500, .killed = true};
	struct store *s = open_store();
	int status;
	pid_t pid;

	store_close(s);
	if ((pid = fork()) == 0) {
		s = open_store();
		_exit(store_batch(s, add_some, &work) == STORE_OK);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect(WIFSIGNALED(status));
	s = open_store();
	cr_expect_eq(accounts(s), 0);
	(void)have_account(s, "user1");
	store_close(s);
	if (!on_postgresql())
		cr_expect_str_eq(
		    query_text(test_path, "PRAGMA integrity_check"), "ok");
}

/* Fill the disk; then there is room again, and the work goes on as if nothing
 * had been. */
static enum store_result
fill(struct store *s, void *ctx)
{
	struct store_revocation made = {.kind = STORE_REVOKE_TOKEN,
	    .key = "a",
	    .key_len = 1,
	    .until = 9000};
	struct rlimit limit = *(const struct rlimit *)ctx;
	enum store_result result = STORE_OK;
	char name[16];
	int i;

	for (i = 0; i < 100000 && result == STORE_OK; i++) {
		(void)snprintf(name, sizeof(name), "user%d", i);
		result = add_account(s, name, strlen(name), HASH_A, 1, NULL);
	}
	cr_expect_eq(result, STORE_FULL, "%s", store_error(s));
	limit.rlim_cur = limit.rlim_max;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_expect_eq(add_account(s, "late", 4, HASH_A, 1, NULL), STORE_FAILED);
	cr_expect_eq(store_user_set_hash(s, 1, NULL, "h", 1), STORE_FAILED);
	cr_expect_eq(store_revocation_add(s, &made), STORE_FAILED);
	return (STORE_OK);
}

Test(store_batch, a_batch_that_sqlite_undid_keeps_nothing_of_what_follows)
{
	struct store *s = open_store();
	struct rlimit limit;

	SQLITE_ONLY();
	(void)have_account(s, "before");
	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	(void)signal(SIGXFSZ, SIG_IGN);
	limit.rlim_cur = 300000;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_expect_eq(store_batch(s, fill, &limit), STORE_FAILED);
	cr_expect_not_null(strstr(store_error(s), "undone"));
	cr_expect_eq(accounts(s), 1);
	(void)have_account(s, "late");
	cr_expect_eq(accounts(s), 2);
	store_close(s);
	cr_expect_str_eq(
	    query_text(test_path, "SELECT count(*) FROM revocations"), "0");
}

/* Those that are about all accounts. */
static bool
may_scan(enum statement which)
{
	return (which == STATEMENT_EACH || which == STATEMENT_COUNT ||
	    which == STATEMENT_PING);
}

Test(store_batch, no_statement_looks_through_a_whole_table)
{
	char sql[1024];
	const char *detail;
	sqlite3_stmt *plan;
	sqlite3 *db;
	int i, steps = 0;

	SQLITE_ONLY();
	store_close(open_store());
	cr_assert_eq(sqlite3_open(test_path, &db), SQLITE_OK);
	for (i = 0; i < STATEMENT__MAX; i++) {
		(void)snprintf(sql, sizeof(sql), "EXPLAIN QUERY PLAN %s",
		    statement_sql[i]);
		cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &plan, NULL),
		    SQLITE_OK, "%s", sql);
		while (sqlite3_step(plan) == SQLITE_ROW) {
			detail = (const char *)sqlite3_column_text(plan, 3);
			steps++;
			cr_expect(may_scan((enum statement)i) ||
				(strstr(detail, "SCAN ") == NULL &&
				    strstr(detail, "AUTOMATIC") == NULL),
			    "%s: %s", statement_sql[i], detail);
		}
		(void)sqlite3_finalize(plan);
	}
	cr_expect_gt(steps, 10);
	(void)sqlite3_close(db);
}

/* Whoever refreshes over and over is not to have each refresh look at all that
 * was followed a moment ago. */
Test(store_batch, a_refresh_looks_for_nothing_but_what_it_removes)
{
	const char *detail;
	sqlite3_stmt *plan;
	char sql[1024];
	sqlite3 *db;

	SQLITE_ONLY();
	store_close(open_store());
	(void)snprintf(sql, sizeof(sql), "EXPLAIN QUERY PLAN %s",
	    statement_sql[STATEMENT_ROTATION_PRUNE]);
	cr_assert_eq(sqlite3_open(test_path, &db), SQLITE_OK);
	cr_assert_eq(
	    sqlite3_prepare_v2(db, sql, -1, &plan, NULL), SQLITE_OK, "%s", sql);
	cr_assert_eq(sqlite3_step(plan), SQLITE_ROW);
	detail = (const char *)sqlite3_column_text(plan, 3);
	cr_expect_not_null(
	    strstr(detail, "(session=? AND followed_at<?)"), "%s", detail);
	(void)sqlite3_finalize(plan);
	(void)sqlite3_close(db);
}
