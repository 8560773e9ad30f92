/*
 * A PostgreSQL server that refuses, is in use, full, silent or gone: what each
 * comes to, how long it takes, and that no message holds a password.
 */
#include "store_helpers.h"

#include <sys/socket.h>

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>

#include "base/clock.h"
#include "store/store_pg.h"

/* A password with all that an address could trip over, and as it is written
 * in one. */
#define PASSWORD         "s3cr:t@/?%"
#define PASSWORD_WRITTEN "s3cr%3At%40%2F%3F%25"

static void begin(void);
static void end(void);
static void allow_making(void);
static void tcp_url(const char *, const char *, char[SERVER_URL_MAX]);
static enum store_result try_url(const char *, char[STORE_ERROR_MAX]);
static int listener(int *);
static pid_t backend(void);

TestSuite(store_pg_trouble, .init = begin, .fini = end, .timeout = 60);

/* A role of this test's own, with a password, and the right to make things in
 * this test's database alone. */
static char role[32];

static void
begin(void)
{
	char sql[256];

	folder_make_on_server();
	(void)snprintf(role, sizeof(role), "role_%d", (int)getpid());
	(void)snprintf(sql, sizeof(sql), "CREATE ROLE %s LOGIN PASSWORD '%s'",
	    role, PASSWORD);
	server_admin(sql);
}

static void
end(void)
{
	char sql[256];

	if (role[0] == '\0')
		return;
	folder_remove();
	(void)snprintf(sql, sizeof(sql), "DROP ROLE %s", role);
	server_admin(sql);
}

/* The test's database by way of TCP, where the password is asked for. */
static void
tcp_url(const char *password, const char *more, char url[SERVER_URL_MAX])
{
	(void)snprintf(url, SERVER_URL_MAX,
	    "postgresql://%s:%s@127.0.0.1:%s/%s?sslmode=disable%s", role,
	    password, server_parameter("port"), server_database, more);
}

static void
allow_making(void)
{
	char sql[256];

	(void)snprintf(sql, sizeof(sql), "GRANT CREATE ON DATABASE %s TO %s",
	    server_database, role);
	server_admin(sql);
}

static enum store_result
try_url(const char *url, char error[STORE_ERROR_MAX])
{
	enum store_result result;
	struct store *s;

	result = store_open(url, &s, error);
	cr_expect_eq(s == NULL, result != STORE_OK);
	cr_expect_eq(error[0] == '\0', result == STORE_OK, "%s", error);
	store_close(s);
	return (result);
}

Test(store_pg_trouble, an_address_that_is_none_is_refused_without_a_word_of_it)
{
	static const char *const bad[] = {"postgresql://u:s3@cret@h/d",
	    "postgresql://u:s3/cret@h/d", "postgresql://u:s3cret@h:port/d",
	    "postgresql://u:s3cret@h:99999/d",
	    "postgresql://u:s3cret@h/d?s3cret=1",
	    "postgresql://u:s3cret@h/d?sslmode=s3cret",
	    "postgresql://u:s3cret%zz@h/d", "postgresql://[s3cret@h/d",
	    "host=h password=s3cret", "mysql://u:s3cret@h/d", "sqlite:", ""};
	char error[STORE_ERROR_MAX];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_expect_neq(try_url(bad[i], error), STORE_OK, "%s", bad[i]);
		cr_expect_null(strstr(error, "cret"), "%s: %s", bad[i], error);
	}
	cr_expect_eq(try_url(test_where, error), STORE_OK, "%s", error);
}

Test(store_pg_trouble, a_wrong_password_is_refused_and_in_no_message)
{
	char url[SERVER_URL_MAX], error[STORE_ERROR_MAX];

	tcp_url("s3cret-but-wrong", "", url);
	cr_expect_eq(try_url(url, error), STORE_READONLY, "%s", error);
	cr_expect_not_null(strstr(error, "password"), "%s", error);
	cr_expect_null(strstr(error, "s3cret"), "%s", error);
	allow_making();
	tcp_url(PASSWORD_WRITTEN, "", url);
	cr_expect_eq(try_url(url, error), STORE_OK, "%s", error);
}

Test(store_pg_trouble, a_role_or_database_that_is_not_there_is_refused)
{
	char url[SERVER_URL_MAX], error[STORE_ERROR_MAX];

	server_url("no_such_database", "", url);
	cr_expect_eq(try_url(url, error), STORE_INVALID, "%s", error);
	cr_expect_not_null(strstr(error, "no_such_database"), "%s", error);
	(void)snprintf(url, sizeof(url),
	    "postgresql://nobody_here:x@127.0.0.1:%s/%s",
	    server_parameter("port"), server_database);
	cr_expect_eq(try_url(url, error), STORE_READONLY, "%s", error);
	cr_expect_eq(try_url(test_where, error), STORE_OK, "%s", error);
}

/* An administrator may make the schema, and a second role the tables; the
 * service then needs no more than to read and write them. */
Test(store_pg_trouble, missing_rights_are_told_and_few_are_needed)
{
	char url[SERVER_URL_MAX], error[STORE_ERROR_MAX], sql[512];
	struct store_user user;
	struct store *s;

	tcp_url(PASSWORD_WRITTEN, "", url);
	cr_expect_eq(try_url(url, error), STORE_READONLY, "%s", error);
	cr_expect_not_null(strstr(error, "permission"), "%s", error);
	store_close(open_store());
	tcp_url(PASSWORD_WRITTEN, "&application_name=a", url);
	cr_expect_eq(
	    store_open_existing(url, &s, error), STORE_READONLY, "%s", error);

	(void)snprintf(sql, sizeof(sql),
	    "GRANT USAGE ON SCHEMA corgi TO %s;"
	    "GRANT SELECT ON ALL TABLES IN SCHEMA corgi TO %s",
	    role, role);
	run_sql(test_path, sql);
	tcp_url(PASSWORD_WRITTEN, "&application_name=b", url);
	cr_assert_eq(
	    store_open_existing(url, &s, error), STORE_OK, "%s", error);
	cr_expect_eq(store_user_find(s, "a", 1, &user), STORE_NOT_FOUND);
	cr_expect_eq(add_account(s, "a", 1, HASH_A, 1, NULL), STORE_READONLY);
	(void)snprintf(sql, sizeof(sql),
	    "GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA corgi TO %s",
	    role);
	run_sql(test_path, sql);
	have_session(s, have_account(s, "a"), "s1", 1000, "r1");
	cr_assert_eq(remove_account(s, "a", 1), STORE_OK, "%s", store_error(s));
	store_close(s);
}

Test(store_pg_trouble, a_server_that_only_reads_takes_no_change)
{
	struct store *s = open_store();
	struct store_user user;
	char sql[256];

	(void)have_account(s, "a");
	store_close(s);
	(void)snprintf(sql, sizeof(sql),
	    "ALTER DATABASE %s SET default_transaction_read_only = on",
	    server_database);
	server_admin(sql);
	s = open_store();
	cr_expect_eq(add_account(s, "b", 1, HASH_A, 1, NULL), STORE_READONLY,
	    "%s", store_error(s));
	cr_expect_eq(store_user_find(s, "a", 1, &user), STORE_OK);
	cr_expect_eq(store_ping(s), STORE_OK);
	store_close(s);
	(void)snprintf(sql, sizeof(sql),
	    "ALTER DATABASE %s RESET default_transaction_read_only",
	    server_database);
	server_admin(sql);
	s = open_store();
	(void)have_account(s, "b");
	store_close(s);
}

Test(store_pg_trouble, what_another_has_locked_is_busy_after_a_while)
{
	struct store *s = open_store();
	PGconn *other = server_connect(server_database);
	struct store_user user;
	int64_t began;

	(void)have_account(s, "a");
	cr_assert_eq(store_pg_set_wait(s, 300), STORE_OK);
	server_run(other, "BEGIN; LOCK TABLE corgi.users", NULL, 0);
	began = clock_monotonic_ms();
	cr_expect_eq(store_user_find(s, "a", 1, &user), STORE_BUSY);
	cr_expect_eq(add_account(s, "b", 1, HASH_A, 1, NULL), STORE_BUSY);
	cr_expect_eq(remove_account(s, "a", 1), STORE_BUSY);
	cr_expect_lt(clock_monotonic_ms() - began, STORE_WAIT_MS);
	server_run(other, "ROLLBACK", NULL, 0);
	cr_expect_eq(remove_account(s, "a", 1), STORE_OK, "%s", store_error(s));
	PQfinish(other);
	store_close(s);
}

Test(store_pg_trouble, a_ping_waits_much_shorter_than_other_operations)
{
	struct store *s = open_store();
	PGconn *other = server_connect(server_database);
	int64_t began;

	server_run(other, "BEGIN; LOCK TABLE corgi.users", NULL, 0);
	began = clock_monotonic_ms();
	cr_expect_eq(store_ping(s), STORE_BUSY, "%s", store_error(s));
	cr_expect_lt(clock_monotonic_ms() - began, STORE_WAIT_MS / 4);
	server_run(other, "ROLLBACK", NULL, 0);
	cr_expect_eq(store_ping(s), STORE_OK, "%s", store_error(s));
	PQfinish(other);
	store_close(s);
}

Test(store_pg_trouble, used_up_connections_are_busy)
{
	char url[SERVER_URL_MAX], error[STORE_ERROR_MAX], sql[256];
	struct store *first, *second;

	allow_making();
	(void)snprintf(
	    sql, sizeof(sql), "ALTER ROLE %s CONNECTION LIMIT 1", role);
	server_admin(sql);
	tcp_url(PASSWORD_WRITTEN, "", url);
	cr_assert_eq(store_open(url, &first, error), STORE_OK, "%s", error);
	cr_expect_eq(store_open(url, &second, error), STORE_BUSY, "%s", error);
	cr_expect_not_null(strstr(error, "too many connections"), "%s", error);
	cr_expect_eq(store_ping(first), STORE_OK);
	store_close(first);
	store_close(second);
}

/* The server's process for the one connection of the test's database. */
static pid_t
backend(void)
{
	return (atoi(query_text(test_path,
	    "SELECT pid FROM pg_stat_activity"
	    " WHERE datname = current_database() AND application_name ="
	    " 'corgi'")));
}

/* As when the machine stands still or the network drops all. */
Test(store_pg_trouble, a_server_that_is_silent_is_given_up_in_time)
{
	struct store *s = open_store();
	struct store_user user;
	int64_t began;
	pid_t pid;

	(void)have_account(s, "a");
	cr_assert_eq(store_pg_set_wait(s, 200), STORE_OK);
	cr_assert_gt(pid = backend(), 0);
	cr_assert_eq(kill(pid, SIGSTOP), 0);
	began = clock_monotonic_ms();
	cr_expect_eq(store_user_find(s, "a", 1, &user), STORE_FAILED);
	cr_expect_not_null(
	    strstr(store_error(s), "does not answer"), "%s", store_error(s));
	cr_expect_lt(clock_monotonic_ms() - began, 200 + 2000);
	cr_assert_eq(kill(pid, SIGCONT), 0);
	cr_expect_eq(
	    store_user_find(s, "a", 1, &user), STORE_OK, "%s", store_error(s));
	store_close(s);
}

/* Change the account for ever, each time under the lock of the log. */
static void
change_for_ever(void)
{
	struct store *s = open_store();

	for (;;) {
		(void)have_account(s, "x");
		(void)remove_account(s, "x", 1);
	}
}

/* Whether somebody holds the lock of the log and says nothing. */
static bool
somebody_is_silent(PGconn *conn)
{
	PGresult *answer = PQexec(conn,
	    "SELECT 1 FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
	    " WHERE l.locktype = 'advisory' AND l.granted"
	    " AND a.datname = current_database()"
	    " AND a.state = 'idle in transaction'");
	bool silent = PQntuples(answer) == 1;

	PQclear(answer);
	return (silent);
}

/* As when another node is cut off, or its machine stands still, while it holds
 * what all need. */
Test(store_pg_trouble, one_that_falls_silent_in_a_transaction_holds_up_no_other)
{
	struct store *s = open_store();
	PGconn *conn = server_connect(server_database);
	int64_t began, until = clock_monotonic_ms() + 20000;
	bool silent = false;
	pid_t other;

	(void)have_account(s, "a");
	cr_assert_neq(other = fork(), -1);
	if (other == 0)
		change_for_ever();
	while (!silent && clock_monotonic_ms() < until) {
		(void)usleep(2000);
		cr_assert_eq(kill(other, SIGSTOP), 0);
		(void)usleep(2000);
		if (!(silent = somebody_is_silent(conn)))
			cr_assert_eq(kill(other, SIGCONT), 0);
	}
	cr_assert(silent, "it is never caught in the middle");
	began = clock_monotonic_ms();
	cr_expect_eq(remove_account(s, "a", 1), STORE_OK, "%s", store_error(s));
	cr_expect_lt(clock_monotonic_ms() - began, STORE_WAIT_MS - 1000);
	(void)kill(other, SIGKILL);
	PQfinish(conn);
	store_close(s);
}

/* A socket that listens on a free port of 127.0.0.1. */
static int
listener(int *port)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int fd;

	cr_assert_neq(fd = socket(AF_INET, SOCK_STREAM, 0), -1);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, len), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	cr_assert_eq(listen(fd, 64), 0);
	*port = ntohs(address.sin_port);
	return (fd);
}

Test(store_pg_trouble, one_that_takes_connections_and_says_nothing_as_well)
{
	char url[SERVER_URL_MAX], error[STORE_ERROR_MAX];
	int64_t began = clock_monotonic_ms();
	int fd, port;

	fd = listener(&port);
	(void)snprintf(url, sizeof(url),
	    "postgresql://u:s3cret@127.0.0.1:%d/d?connect_timeout=1", port);
	cr_expect_eq(try_url(url, error), STORE_FAILED, "%s", error);
	cr_expect_not_null(strstr(error, "in time"), "%s", error);
	cr_expect_null(strstr(error, "s3cret"), "%s", error);
	cr_expect_lt(clock_monotonic_ms() - began, 2500);
	(void)close(fd);
}

/* However many threads ask, and however often. */
Test(store_pg_trouble, a_server_out_of_reach_is_not_asked_all_the_time)
{
	char url[SERVER_URL_MAX], error[STORE_ERROR_MAX];
	struct pollfd pfd = {.events = POLLIN};
	struct store *s;
	int fd, port, i, asked = 0;

	fd = listener(&port);
	(void)close(fd);
	(void)snprintf(url, sizeof(url), "postgresql://127.0.0.1:%d/d", port);
	cr_expect_eq(store_open_existing(url, &s, error), STORE_FAILED);
	cr_expect_not_null(strstr(error, "refused"), "%s", error);
	pfd.fd = fd = listener(&port);
	(void)snprintf(url, sizeof(url),
	    "postgresql://127.0.0.1:%d/d?connect_timeout=1", port);
	for (i = 0; i < 200; i++) {
		cr_expect_eq(store_open_existing(url, &s, error), STORE_FAILED);
		for (; poll(&pfd, 1, 0) > 0; asked++)
			(void)close(accept(fd, NULL, NULL));
	}
	cr_expect_geq(asked, 1);
	cr_expect_lt(asked, 10, "asked %d times", asked);
	(void)close(fd);
}

/* The first host of several may be gone. */
Test(store_pg_trouble, of_several_hosts_one_that_answers_is_enough)
{
	char url[SERVER_URL_MAX], error[STORE_ERROR_MAX], sql[256];
	int fd, port;

	allow_making();
	fd = listener(&port);
	(void)close(fd);
	(void)snprintf(url, sizeof(url),
	    "postgresql://%s:%s@127.0.0.1:%d,127.0.0.1:%s/%s"
	    "?target_session_attrs=read-write",
	    role, PASSWORD_WRITTEN, port, server_parameter("port"),
	    server_database);
	cr_expect_eq(try_url(url, error), STORE_OK, "%s", error);
	(void)snprintf(sql, sizeof(sql),
	    "ALTER DATABASE %s SET default_transaction_read_only = on",
	    server_database);
	server_admin(sql);
	cr_expect_eq(try_url(url, error), STORE_FAILED, "%s", error);
}
