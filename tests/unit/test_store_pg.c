/*
 * What is PostgreSQL's own in the store: the order of the log while others
 * write, tables that are made or refused, connections that are lost. The
 * contract itself is in test_store.c and its neighbours.
 */
#include "store_helpers.h"

#include <sys/wait.h>

#include <poll.h>

#include "store/pg_statements.h"
#include "store/store_pg.h"

/* What a follower of the log has seen. */
struct seen {
	int64_t last;
	int count;
};

static int count_user(const struct store_user *, void *);
static int see(const struct store_revocation *, void *);
static struct store_revocation row_of(const char *);
static enum store_result open_anew(char[STORE_ERROR_MAX]);
static void terminate(void);
static bool told(struct store *, int);
static void prepare(PGconn *, enum pg_statement, char *, size_t);
static bool may_scan(enum pg_statement);

TestSuite(store_pg, .init = folder_make_on_server, .fini = folder_remove,
    .timeout = 60);

static struct store_revocation
row_of(const char *key)
{
	struct store_revocation row = {
	    .kind = STORE_REVOKE_TOKEN, .until = 9000};

	row.key_len = strlen(key);
	(void)memcpy(row.key, key, row.key_len);
	return (row);
}

/* Of a batch that has added a row: what another handle can do meanwhile. */
static enum store_result
overtake(struct store *s, void *ctx)
{
	struct store_revocation first = row_of("first"), second = row_of("2");
	struct store *other = ctx;
	struct seen seen = {.count = 0};

	cr_assert_eq(store_revocation_add(s, &first), STORE_OK);
	cr_expect_eq(store_revocation_add(other, &second), STORE_BUSY,
	    "a row got past one that nobody sees yet");
	cr_expect_eq(store_revocation_each(other, 0, 0, see, &seen), STORE_OK);
	cr_expect_eq(seen.count, 0);
	return (STORE_OK);
}

static int
see(const struct store_revocation *row, void *ctx)
{
	struct seen *seen = ctx;

	cr_expect_gt(row->number, seen->last);
	seen->last = row->number;
	seen->count++;
	return (0);
}

/* A follower that has read number N never looks below it again. */
Test(store_pg, a_row_of_the_log_never_appears_behind_a_higher_number)
{
	struct store *s = open_store(), *other = open_store();
	struct store_revocation after = row_of("after");
	struct seen seen = {.count = 0};

	cr_assert_eq(store_pg_set_wait(other, 200), STORE_OK);
	cr_assert_eq(store_batch(s, overtake, other), STORE_OK);
	cr_assert_eq(store_revocation_add(other, &after), STORE_OK);
	cr_assert_eq(store_revocation_each(other, 0, 0, see, &seen), STORE_OK);
	cr_expect_eq(seen.count, 2);
	cr_expect_eq(seen.last, after.number);
	store_close(s);
	store_close(other);
}

/* Writers at once; the reader goes on from the highest number it has seen. */
Test(store_pg, a_follower_misses_no_row_of_many_writers)
{
	enum { WRITERS = 4, ROWS = 150 };
	struct store_revocation row = row_of("a");
	struct store *s = open_store();
	struct seen seen = {.last = 0}, before = {.last = -1};
	int i, n, status, ended = 0;

	for (i = 0; i < WRITERS; i++) {
		if (fork() != 0)
			continue;
		s = open_store();
		for (n = 0; n < ROWS; n++) {
			if (store_revocation_add(s, &row) != STORE_OK)
				_exit(1);
		}
		_exit(0);
	}
	while (ended < WRITERS || before.last != seen.last) {
		while (waitpid(-1, &status, WNOHANG) > 0) {
			cr_expect_eq(status, 0);
			ended++;
		}
		before = seen;
		cr_assert_eq(store_revocation_each(s, seen.last, 0, see, &seen),
		    STORE_OK);
	}
	cr_expect_eq(seen.count, WRITERS * ROWS, "%d rows", seen.count);
	store_close(s);
}

static int
count_user(const struct store_user *user, void *ctx)
{
	int *count = ctx;

	cr_expect_eq(atoi(user->name + 1), *count);
	(*count)++;
	return (0);
}

static enum store_result
fill(struct store *s, void *ctx)
{
	const int *count = ctx;
	char name[16];
	int i;

	for (i = 0; i < *count; i++) {
		(void)snprintf(name, sizeof(name), "u%05d", i);
		(void)have_account(s, name);
	}
	return (STORE_OK);
}

/* They are fetched page by page. */
Test(store_pg, all_accounts_come_also_when_they_are_many)
{
	static const int counts[] = {499, 500, 501, 1200};
	struct store *s;
	size_t i;
	int seen;

	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		s = open_store();
		cr_assert_eq(
		    store_batch(s, fill, (void *)(uintptr_t)&counts[i]),
		    STORE_OK);
		seen = 0;
		cr_assert_eq(store_user_each(s, count_user, &seen), STORE_OK);
		cr_expect_eq(seen, counts[i]);
		store_close(s);
		folder_renew();
	}
}

/* Open what exists, by an address that was not used before: after a failure it
 * is not asked again at once. */
static enum store_result
open_anew(char error[STORE_ERROR_MAX])
{
	static int count;
	char more[32], url[SERVER_URL_MAX];
	enum store_result result;
	struct store *s;

	(void)snprintf(more, sizeof(more), "&application_name=%d", count++);
	server_url(server_database, more, url);
	result = store_open_existing(url, &s, error);
	cr_expect_eq(s == NULL, result != STORE_OK);
	store_close(s);
	return (result);
}

Test(store_pg, opening_what_exists_makes_and_migrates_nothing)
{
	char error[STORE_ERROR_MAX];
	struct store *s;

	cr_expect_eq(open_anew(error), STORE_NOT_FOUND);
	cr_expect_not_null(strstr(error, "no accounts"), "%s", error);
	cr_expect_str_eq(query_text(test_path,
			     "SELECT count(*) FROM pg_namespace"
			     " WHERE nspname = 'corgi'"),
	    "0");
	store_close(open_store());
	run_sql(test_path,
	    "DELETE FROM schema_migrations WHERE version > 1;"
	    "UPDATE schema_migrations SET version = 0");
	cr_expect_eq(open_anew(error), STORE_NOT_FOUND);
	run_sql(test_path, "UPDATE schema_migrations SET version = 99");
	cr_expect_eq(open_anew(error), STORE_NEWER);
	cr_expect_not_null(strstr(error, "99"), "%s", error);
	cr_expect_eq(store_open(test_where, &s, error), STORE_NEWER);
	cr_expect_str_eq(
	    query_text(test_path, "SELECT max(version) FROM schema_migrations"),
	    "99");
	run_sql(test_path, "UPDATE schema_migrations SET version = 3");
	cr_expect_eq(open_anew(error), STORE_OK, "%s", error);
}

Test(store_pg, tables_of_another_program_in_our_schema_are_left_alone)
{
	char error[STORE_ERROR_MAX];
	struct store *s;

	run_sql(test_path,
	    "CREATE SCHEMA corgi; CREATE TABLE corgi.sessions (theirs int)");
	cr_expect_eq(store_open(test_where, &s, error), STORE_DAMAGED);
	cr_expect_str_eq(query_text(test_path,
			     "SELECT count(*) FROM pg_class"
			     " WHERE relnamespace = 'corgi'::regnamespace"),
	    "1");
	run_sql(test_path, "DROP TABLE corgi.sessions");
	cr_expect_eq(store_open(test_where, &s, error), STORE_OK, "%s", error);
	store_close(s);
}

/* Other objects of the same names, which an application may have. */
Test(store_pg, tables_elsewhere_in_the_database_are_no_concern)
{
	struct store *s;

	run_sql(test_path,
	    "CREATE TABLE public.users (id int);"
	    "CREATE TABLE public.schema_migrations (version text);"
	    "INSERT INTO public.schema_migrations VALUES ('2019')");
	s = open_store();
	(void)have_account(s, "cosmo");
	store_close(s);
	cr_expect_str_eq(
	    query_text(test_path, "SELECT count(*) FROM public.users"), "0");
	cr_expect_str_eq(
	    query_text(test_path, "SELECT count(*) FROM corgi.users"), "1");
}

/* End all connections to the test's database but the one that asks. */
static void
terminate(void)
{
	run_sql(test_path,
	    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
	    " WHERE datname = current_database()"
	    " AND pid <> pg_backend_pid()");
}

Test(store_pg, a_lost_connection_is_made_anew_when_nothing_was_under_way)
{
	struct store *s = open_store();
	struct store_revocation made;
	struct store_user user;
	int64_t count;

	(void)have_account(s, "cosmo");
	terminate();
	cr_expect_eq(store_user_find(s, "cosmo", 5, &user), STORE_OK, "%s",
	    store_error(s));
	terminate();
	(void)have_account(s, "second");
	terminate();
	cr_expect_eq(store_ping(s), STORE_OK, "%s", store_error(s));
	terminate();
	cr_expect_eq(
	    change_account(s, "cosmo", 5, STORE_SET_DISABLED, 1000, &made),
	    STORE_OK, "%s", store_error(s));
	cr_expect_eq(store_user_count(s, &count), STORE_OK);
	cr_expect_eq(count, 2);
	store_close(s);
}

/* Whether a handle that listens is told of something within that time. */
static bool
told(struct store *s, int ms)
{
	struct pollfd pfd = {.events = POLLIN};
	bool news = false;

	cr_assert_eq(store_listen(s, &pfd.fd), STORE_OK, "%s", store_error(s));
	if (poll(&pfd, 1, ms) == 1)
		cr_assert_eq(
		    store_heard(s, &news), STORE_OK, "%s", store_error(s));
	return (news);
}

static enum store_result
add_and_fail(struct store *s, void *ctx)
{
	struct store_revocation row = row_of("undone");

	(void)ctx;
	cr_expect_eq(store_revocation_add(s, &row), STORE_OK);
	return (STORE_NOT_FOUND);
}

Test(store_pg, who_listens_is_told_of_every_row_when_it_can_be_seen)
{
	struct store *s = open_store(), *other = open_store();
	struct store_revocation row = row_of("a"), made;
	struct seen seen = {.count = 0};
	bool news;
	int fd;

	cr_assert_eq(store_listen(s, &fd), STORE_OK);
	cr_assert_eq(store_heard(s, &news), STORE_OK);
	cr_expect(news);
	cr_expect_not(told(s, 0));
	cr_assert_eq(store_revocation_add(other, &row), STORE_OK);
	cr_expect(told(s, 5000));
	cr_assert_eq(store_revocation_each(s, 0, 0, see, &seen), STORE_OK);
	cr_expect_eq(seen.count, 1);
	(void)have_account(other, "cosmo");
	cr_expect_eq(store_batch(other, add_and_fail, NULL), STORE_NOT_FOUND);
	cr_expect_not(told(s, 200));
	cr_assert_eq(
	    change_account(other, "cosmo", 5, STORE_SET_DISABLED, 1, &made),
	    STORE_OK);
	cr_expect(told(s, 5000));
	store_close(s);
	store_close(other);
}

/* What was told to nobody meanwhile is in the log. */
Test(store_pg, who_listens_anew_is_told_to_look)
{
	struct store *s = open_store(), *other = open_store();
	struct store_revocation row = row_of("a");
	struct seen seen = {.count = 0};
	bool news;
	int fd;

	cr_assert_eq(store_listen(s, &fd), STORE_OK);
	cr_assert_eq(store_heard(s, &news), STORE_OK);
	terminate();
	cr_assert_eq(store_revocation_add(other, &row), STORE_OK);
	cr_expect_eq(store_heard(s, &news), STORE_FAILED);
	cr_expect_not(news);
	cr_assert_eq(store_listen(s, &fd), STORE_OK, "%s", store_error(s));
	cr_assert_eq(store_heard(s, &news), STORE_OK);
	cr_expect(news);

	/* A question that finds the connection lost makes it anew by itself:
	 * then it listens, too. */
	terminate();
	cr_assert_eq(store_revocation_each(s, 0, 0, see, &seen), STORE_OK);
	cr_expect_eq(seen.count, 1);
	cr_assert_eq(store_heard(s, &news), STORE_OK);
	cr_expect(news);
	cr_assert_eq(store_revocation_add(other, &row), STORE_OK);
	cr_expect(told(s, 5000));
	store_close(s);
	store_close(other);
}

static enum store_result
cut_off(struct store *s, void *ctx)
{
	struct store_revocation row = row_of("a");

	(void)ctx;
	(void)have_account(s, "first");
	terminate();
	cr_expect_eq(add_account(s, "late", 4, HASH_A, 1, NULL), STORE_FAILED);
	cr_expect_eq(store_revocation_add(s, &row), STORE_FAILED);
	cr_expect_eq(store_ping(s), STORE_FAILED);
	return (STORE_OK);
}

Test(store_pg, a_batch_that_was_cut_off_keeps_nothing_of_what_follows)
{
	struct store *s = open_store();
	int64_t count;

	cr_expect_eq(store_batch(s, cut_off, NULL), STORE_FAILED);
	cr_expect_not_null(
	    strstr(store_error(s), "undone"), "%s", store_error(s));
	cr_assert_eq(store_user_count(s, &count), STORE_OK);
	cr_expect_eq(count, 0);
	(void)have_account(s, "first");
	store_close(s);
}

Test(store_pg, a_row_beyond_the_limits_is_damage_and_not_an_overflow)
{
	struct store *s = open_store();
	struct store_session session;
	struct store_user user;
	struct seen rows = {.count = 0};
	int seen = 0;

	have_session(s, have_account(s, "u0"), "good", 1000, "r1");
	run_sql(test_path,
	    "ALTER TABLE users DROP CONSTRAINT users_name_check;"
	    "ALTER TABLE users DROP CONSTRAINT users_hash_check;"
	    "ALTER TABLE sessions DROP CONSTRAINT sessions_client_check;"
	    "ALTER TABLE sessions DROP CONSTRAINT sessions_refresh_check;"
	    "ALTER TABLE revocations DROP CONSTRAINT revocations_kind_check;"
	    "INSERT INTO users (name, subject, hash, roles, disabled, version,"
	    " created_at, updated_at) VALUES"
	    " ('u1', 's1', repeat('h', 600), '', 0, 0, 1, 1),"
	    " (convert_to(repeat('n', 300), 'UTF8'), 's2', 'h', '', 0, 0, 1,"
	    " 1), ('u3', 's3', 'h', 'b a', 0, 0, 1, 1);"
	    "INSERT INTO sessions SELECT 's1', user_id, client, 'short',"
	    " 1, 1, 9000, 9000, 1 FROM sessions;"
	    "INSERT INTO sessions SELECT 's2', user_id, repeat('c', 99),"
	    " refresh, 1, 1, 9000, 9000, 1 FROM sessions WHERE id = 'good';"
	    "INSERT INTO revocations (kind, key, version, before, until)"
	    " VALUES (9, 'a', 0, 0, 9000)");
	cr_expect_eq(store_user_find(s, "u1", 2, &user), STORE_DAMAGED);
	cr_expect_eq(user.hash[0], '\0');
	cr_expect_eq(store_user_find(s, "u3", 2, &user), STORE_DAMAGED);
	cr_expect_eq(store_user_find(s, "u0", 2, &user), STORE_OK);
	cr_expect_eq(store_user_each(s, count_user, &seen), STORE_DAMAGED);
	cr_expect_eq(store_session_find(s, "s1", &session), STORE_DAMAGED);
	cr_expect_eq(store_session_find(s, "s2", &session), STORE_DAMAGED);
	cr_expect_eq(store_session_find(s, "good", &session), STORE_OK);
	cr_expect_eq(store_revocation_each(s, 0, 0, see, &rows), STORE_DAMAGED);
	store_close(s);
}

/* Those that are about all accounts. */
static bool
may_scan(enum pg_statement which)
{
	return (which == PG_COUNT);
}

/* EXPLAIN of a statement as it is planned for values that nobody knows yet. */
static void
prepare(PGconn *conn, enum pg_statement which, char *sql, size_t size)
{
	char statement[1500];
	size_t used;
	int i, last = 0;

	for (i = 1; i <= 9; i++) {
		(void)snprintf(statement, sizeof(statement), "$%d", i);
		if (strstr(pg_statement_sql[which], statement) != NULL)
			last = i;
	}
	(void)snprintf(statement, sizeof(statement), "PREPARE p%d AS %s",
	    (int)which, pg_statement_sql[which]);
	server_run(conn, statement, NULL, 0);
	(void)snprintf(sql, size, "EXPLAIN EXECUTE p%d", (int)which);
	for (i = 0; i < last; i++) {
		used = strlen(sql);
		(void)snprintf(sql + used, size - used, "%sNULL%s",
		    i == 0 ? "(" : ", ", i == last - 1 ? ")" : "");
	}
}

Test(store_pg, no_statement_looks_through_a_whole_table)
{
	char sql[256];
	PGresult *plan;
	PGconn *conn;
	int i, row, indexed = 0;

	store_close(open_store());
	conn = server_connect(server_database);
	server_run(conn,
	    "SET search_path = corgi; SET enable_seqscan = off;"
	    "SET plan_cache_mode = force_generic_plan",
	    NULL, 0);
	for (i = 0; i < PG__MAX; i++) {
		prepare(conn, (enum pg_statement)i, sql, sizeof(sql));
		plan = PQexec(conn, sql);
		cr_assert_eq(PQresultStatus(plan), PGRES_TUPLES_OK, "%s",
		    PQerrorMessage(conn));
		for (row = 0; row < PQntuples(plan); row++) {
			indexed +=
			    strstr(PQgetvalue(plan, row, 0), "Index") != NULL;
			cr_expect(may_scan((enum pg_statement)i) ||
				strstr(PQgetvalue(plan, row, 0), "Seq Scan") ==
				    NULL,
			    "%s: %s", pg_statement_sql[i],
			    PQgetvalue(plan, row, 0));
		}
		PQclear(plan);
	}
	cr_expect_gt(indexed, 20);
	PQfinish(conn);
}
