/*
 * corgictl database copy: what it says, what it refuses, and that nothing which
 * interrupts it is more than a delay.
 */
#include "ctl_store.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include <postgresql/libpq-fe.h>
#include <pty.h>
#include <signal.h>
#include <sqlite3.h>
#include <unistd.h>

#include "database.h"

static void begin(void);
static void end(void);
static void fill(int);
static void make_other(void);
static void sql_in(const char *, const char *);
static pid_t start_copy(const char *, const char *);
static void wait_for_rows(const char *, long long);

TestSuite(ctl_database, .init = begin, .fini = end, .timeout = 120);

#define ROLE     "ctl_copy"
#define PASSWORD "s3cr:t@/?%"
#define WRITTEN  "s3cr%3At%40%2F%3F%25"

/* The addresses of the file in the data folder, of another beside it, and of
 * the test's database on the server; and the role that it goes with. */
static char file_at[SERVER_PATH_MAX + 32];
static char other_at[SERVER_PATH_MAX + 32];
static const char *server_at;
static char role[32];

static void
begin(void)
{
	if (getenv("TEST_POSTGRESQL") == NULL)
		cr_skip_test("no server: see scripts/postgresql");
	(void)setenv("TEST_STORE", "postgresql", 1);
	ctl_set_up();
	server_at = database_of(ctl_folder);
	(void)snprintf(role, sizeof(role), "ctl_role_%d", (int)getpid());
	(void)snprintf(
	    file_at, sizeof(file_at), "sqlite:%s/corgi.db", ctl_data);
	(void)snprintf(
	    other_at, sizeof(other_at), "sqlite:%s/other.db", ctl_data);
}

static void
end(void)
{
	if (ctl_folder != NULL)
		ctl_tear_down();
}

/* Run SQL in one of the two files. */
static void
sql_in(const char *where, const char *sql)
{
	char *message = NULL;
	sqlite3 *db;

	cr_assert_eq(sqlite3_open(where + strlen("sqlite:"), &db), SQLITE_OK);
	(void)sqlite3_busy_timeout(db, 10000);
	cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, &message), SQLITE_OK,
	    "%s: %s", sql, message);
	(void)sqlite3_close(db);
}

/* A database with one account in the other file. */
static void
make_other(void)
{
	ctl_env[2] = "CORGI_DATABASE=sqlite:other.db";
	ctl_add("nobody", CTL_PASSWORD "\n");
	ctl_env[2] = NULL;
}

/* Accounts in the data folder: "user-000001" and on, one of them disabled. */
static void
fill(int count)
{
	char sql[512];

	(void)mkdir(ctl_data, 0700);
	store_close(ctl_store_in(ctl_data));
	(void)snprintf(sql, sizeof(sql),
	    "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL"
	    " SELECT n + 1 FROM c WHERE n < %d) INSERT INTO subjects"
	    " SELECT CAST(printf('user-%%06d', n) AS BLOB) FROM c",
	    count);
	sql_in(file_at, sql);
	sql_in(file_at,
	    "INSERT INTO users (name, subject, hash, roles, disabled, version,"
	    " created_at, updated_at) SELECT subject, subject, '" CTL_HASH "',"
	    " 'member', 0, 0, 1000, 1000 FROM subjects ORDER BY subject;"
	    "UPDATE users SET disabled = 1 WHERE id = 2");
}

static void
expect_users(const char *database, bool there)
{
	char entry[SERVER_PATH_MAX + 64];
	struct run_result r;

	(void)snprintf(entry, sizeof(entry), "CORGI_DATABASE=%s", database);
	ctl_env[2] = entry;
	r = ctl_input(NULL, 0, "user", "list", NULL);
	ctl_env[2] = NULL;
	cr_expect_eq(r.status, there ? 0 : 1, "%s", r.out);
	cr_expect_eq(strstr(r.out, "user-000002") != NULL, there, "%s", r.out);
	cr_expect_eq(strstr(r.out, "disabled") != NULL, there, "%s", r.out);
	run_free(&r);
}

Test(ctl_database, goes_to_a_server_and_back)
{
	struct run_result there, back;
	char *digest, *text;

	fill(3);
	there = ctl_input(
	    NULL, 0, "database", "copy", "sqlite:corgi.db", server_at, NULL);
	cr_assert_eq(there.status, 0, "%s", there.out);
	text =
	    strstr(there.out, "users                 3          3          3");
	cr_assert_not_null(text, "%s", there.out);
	digest = strndup(strchr(text, '\n') - 64, 64);
	cr_expect_eq(strlen(digest), 64);
	expect_users(server_at, true);
	cr_expect(ctl_audit_has("\"copied\"", "\"outcome\":\"ok\""));

	/* The same rows have the same sum on the way back. */
	back =
	    ctl_input(NULL, 0, "database", "copy", server_at, other_at, NULL);
	cr_expect_eq(back.status, 0, "%s", back.out);
	cr_expect_not_null(strstr(back.out, digest), "%s", back.out);
	expect_users(other_at, true);
	free(digest);
	run_free(&there);
	run_free(&back);
}

/* Addresses in files; a password is in nothing that is said. */
Test(ctl_database, an_address_may_be_in_a_file)
{
	char path[SERVER_PATH_MAX + 8], source[SERVER_PATH_MAX + 8];
	struct run_result r;
	char *setting;

	fill(2);
	database_role(ctl_folder, role, PASSWORD);
	setting = database_setting(ctl_folder, role, WRITTEN, "127.0.0.1", "");
	(void)snprintf(path, sizeof(path), "%s/to", ctl_folder);
	(void)snprintf(source, sizeof(source), "%s/from", ctl_folder);
	file_write(
	    path, strchr(setting, '=') + 1, strlen(strchr(setting, '=') + 1));
	file_write(source, "sqlite:corgi.db\n", 16);
	r = ctl_input(NULL, 0, "database", "copy", "sqlite:corgi.db",
	    "--to-file", path, NULL);
	cr_expect_eq(r.status, 0, "%s", r.out);
	cr_expect_null(strstr(r.out, "s3cr"), "%s", r.out);
	run_free(&r);
	r = ctl_input(NULL, 0, "database", "copy", "--from-file", source,
	    "--to-file", path, NULL);
	cr_expect_eq(r.status, 1, "%s", r.out);
	cr_expect_not_null(strstr(r.out, "not empty"), "%s", r.out);
	cr_expect_null(strstr(r.out, "s3cr"), "%s", r.out);
	run_free(&r);
	r = ctl_input(
	    NULL, 0, "database", "copy", "--from-file", path, other_at, NULL);
	cr_expect_eq(r.status, 0, "%s", r.out);
	cr_expect_null(strstr(r.out, "s3cr"), "%s", r.out);
	run_free(&r);
	expect_users(other_at, true);
	free(setting);
	database_forget(ctl_folder);
	database_role_drop(role);
}

/* Wrong usage is told without the address that may be in it. */
Test(ctl_database, wrong_usage_is_said_and_no_password)
{
	static const char *const with[] = {"postgresql://u:s3cret@[::1]:1/d",
	    "mysql://u:s3cret@[::1]/d", "s3cret"};
	char empty[SERVER_PATH_MAX + 8];
	struct run_result r;
	size_t i;

	(void)snprintf(empty, sizeof(empty), "%s/empty", ctl_folder);
	file_write(empty, "", 0);
	ctl_expect(2, "FROM and TO are needed", "database", "copy");
	ctl_expect(
	    2, "FROM and TO are needed", "database", "copy", "sqlite:corgi.db");
	ctl_expect(2, "FROM and TO are needed", "database", "copy",
	    "sqlite:a.db", "sqlite:b.db", "--to-file", empty);
	ctl_expect(2, "it is empty", "database", "copy", "sqlite:corgi.db",
	    "--to-file", empty);
	ctl_expect(2, "No such file", "database", "copy", "sqlite:corgi.db",
	    "--to-file", "/nowhere/at/all");
	for (i = 0; i < sizeof(with) / sizeof(with[0]); i++) {
		r = ctl_input(NULL, 0, "database", "copy", "sqlite:a.db",
		    "sqlite:b.db", with[0], NULL);
		cr_expect_eq(r.status, 2, "%s", r.out);
		cr_expect_null(strstr(r.out, "s3cret"), "%s", r.out);
		run_free(&r);
		r = ctl_input(
		    NULL, 0, "database", "copy", with[i], "sqlite:b.db", NULL);
		cr_expect_eq(r.status, i == 0 ? 1 : 2, "%s", r.out);
		cr_expect_null(strstr(r.out, "s3cret"), "%s", r.out);
		run_free(&r);
	}
	r = ctl_input(NULL, 0, "database", with[0], NULL);
	cr_expect_eq(r.status, 2, "%s", r.out);
	cr_expect_null(strstr(r.out, "s3cret"), "%s", r.out);
	run_free(&r);
	ctl_expect(0, "--from-file FILE", "database", "copy", "--help");
}

Test(ctl_database, what_cannot_be_copied_is_left_alone)
{
	/* Nothing is made where there is nothing to copy. */
	ctl_expect(1, "there is no database", "database", "copy",
	    "sqlite:corgi.db", server_at);
	cr_expect_eq(access(ctl_data, F_OK), -1);
	ctl_expect(1, "no accounts of Corgi yet", "database", "copy", server_at,
	    "sqlite:corgi.db");
	cr_expect_eq(ctl_count_in(ctl_data), -1);
	fill(2);
	ctl_expect(1, "the same database", "database", "copy",
	    "sqlite:corgi.db", file_at);
	ctl_expect(
	    0, "holds what", "database", "copy", "sqlite:corgi.db", server_at);
	ctl_expect(
	    1, "not empty", "database", "copy", "sqlite:corgi.db", server_at);
	ctl_expect(1, "not empty", "database", "copy", server_at, file_at);
	cr_expect_eq(ctl_count_in(ctl_data), 2);
	cr_expect(ctl_audit_has("\"copied\"", "\"outcome\":\"failed\""));
}

/* ---- killed ---- */

/* What it says goes to the file "said". */
static pid_t
start_copy(const char *from, const char *to)
{
	char said[SERVER_PATH_MAX + 8];
	pid_t pid;

	(void)snprintf(said, sizeof(said), "%s/said", ctl_folder);
	cr_assert_neq(pid = fork(), -1);
	if (pid != 0)
		return (pid);
	(void)!freopen(said, "w", stderr);
	(void)!freopen("/dev/null", "w", stdout);
	(void)execle(corgi_ctl(), "corgictl", "database", "copy", from, to,
	    (char *)NULL, (char *const *)(const void *)ctl_env);
	_exit(127);
}

/* A signal that is caught is told about, with the status that a shell gives. */
static void
kill_copy(pid_t pid, int signal)
{
	char said[SERVER_PATH_MAX + 8], *text;
	int status;

	cr_assert_eq(kill(pid, signal), 0);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	if (signal == SIGKILL) {
		cr_expect(
		    WIFSIGNALED(status), "it ended by itself: %d", status);
		return;
	}
	cr_expect(WIFEXITED(status), "%d", status);
	cr_expect_eq(WEXITSTATUS(status), 128 + signal, "%d", status);
	(void)snprintf(said, sizeof(said), "%s/said", ctl_folder);
	text = file_read(said, NULL);
	cr_assert_not_null(text);
	cr_expect_not_null(strstr(text, "corgictl: interrupted: "), "%s", text);
	cr_expect_not_null(strstr(text, "run again"), "%s", text);
	free(text);
}

/* Until the server has that many accounts. */
static void
wait_for_rows(const char *query, long long count)
{
	long long until = now_ms() + 60000, rows = -1;
	char *text;

	while (rows != count && now_ms() < until) {
		sleep_ms(20);
		text = database_query(ctl_folder, query);
		rows = text == NULL ? -1 : atoll(text);
		free(text);
	}
	cr_assert_eq(rows, count);
}

/* What a lock holds up is killed there, with all that it has done so far. */
static void
kill_on_server(int signal)
{
	PGconn *conn;
	pid_t pid;

	store_close(ctl_store_in(ctl_data));
	conn = PQconnectdb(server_at);
	cr_assert_eq(PQstatus(conn), CONNECTION_OK);
	PQclear(PQexec(conn, "BEGIN; LOCK TABLE corgi.sessions IN SHARE MODE"));
	pid = start_copy(file_at, server_at);
	wait_for_rows("SELECT count(*) FROM users", 2500);
	kill_copy(pid, signal);
	PQfinish(conn);
}

Test(ctl_database, a_killed_copy_to_a_server_goes_on)
{
	static const int signals[] = {SIGKILL, SIGINT, SIGTERM};
	struct store *s;
	char error[STORE_ERROR_MAX];
	size_t i;

	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		if (i == 0) {
			fill(2500);
			sql_in(file_at,
			    "INSERT INTO sessions VALUES ('s', 1, 'c',"
			    " zeroblob(32), 1, 1, 9999999999, 9999999999, 1)");
			/* An empty database: to have a table to lock. */
			cr_assert_eq(
			    store_open(server_at, &s, error), STORE_OK);
			store_close(s);
		}
		kill_on_server(signals[i]);
		expect_users(server_at, false);
	}
	ctl_expect(0, "went on behind the 5000 rows", "database", "copy",
	    file_at, server_at);
	expect_users(server_at, true);
	wait_for_rows("SELECT count(*) FROM sessions", 1);
}

/* Where nothing holds it up it ends in good order, which is on record. */
Test(ctl_database, an_interrupted_copy_ends_between_two_batches)
{
	static const int signals[] = {SIGINT, SIGTERM};
	long long until = now_ms() + 60000;
	char path[SERVER_PATH_MAX + 16];
	struct stat st;
	pid_t pid;
	size_t i;

	fill(100000);
	(void)snprintf(path, sizeof(path), "%s/other.db-wal", ctl_data);
	for (i = 0; i < 2; i++) {
		pid = start_copy(file_at, other_at);
		st.st_size = 0;
		while (st.st_size == 0 && now_ms() < until) {
			sleep_ms(1);
			(void)stat(path, &st);
		}
		kill_copy(pid, signals[i]);
		expect_users(other_at, false);
		cr_expect(
		    ctl_audit_has("\"copied\"", "\"outcome\":\"failed\""));
	}
	ctl_expect(0, "holds what", "database", "copy", file_at, other_at);
	expect_users(other_at, true);
}

/* A row that never ends is what it is killed at. */
Test(ctl_database, a_killed_copy_to_a_file_goes_on)
{
	char path[SERVER_PATH_MAX + 16];
	long long until = now_ms() + 60000;
	struct stat st = {0};
	pid_t pid;

	fill(2500);
	ctl_expect(0, "", "database", "copy", file_at, server_at);
	free(database_query(ctl_folder,
	    "INSERT INTO sessions VALUES ('s', 1, 'c', sha256(''), 1, 1,"
	    " 9999999999, 9999999999, 1)"));
	(void)snprintf(path, sizeof(path), "%s/other.db-wal", ctl_data);
	/* An empty database with the trigger. */
	make_other();
	sql_in(other_at,
	    "DELETE FROM users; DELETE FROM subjects;"
	    "CREATE TRIGGER stop BEFORE INSERT ON sessions BEGIN"
	    " SELECT count(*) FROM users a, users b, users c, users d; END");
	pid = start_copy(server_at, other_at);
	while (st.st_size < 200000 && now_ms() < until) {
		sleep_ms(20);
		(void)stat(path, &st);
	}
	cr_assert_geq(st.st_size, 200000);
	kill_copy(pid, SIGKILL);
	expect_users(other_at, false);
	sql_in(other_at, "DROP TRIGGER stop");
	ctl_expect(0, "rows of an earlier run", "database", "copy", server_at,
	    other_at);
	expect_users(other_at, true);
}

/* ---- found to be wrong ---- */

Test(ctl_database, what_is_not_the_same_is_found)
{
	make_other();
	sql_in(other_at,
	    "DELETE FROM users; DELETE FROM subjects;"
	    "CREATE TRIGGER evil AFTER INSERT ON users WHEN NEW.id = 2 BEGIN"
	    " UPDATE users SET roles = 'admin' WHERE id = 2; END");
	fill(3);
	ctl_expect(1, "DIFFERENT", "database", "copy", file_at, other_at);
	expect_users(other_at, false);
	ctl_expect(1, "the table users is not what it is", "database", "copy",
	    file_at, other_at);
	sql_in(other_at, "DROP TRIGGER evil");
	ctl_expect(0, "copied anew", "database", "copy", file_at, other_at);
	expect_users(other_at, true);
}

Test(ctl_database, another_unfinished_copy_is_only_forgotten_when_told_to)
{
	fill(3);
	make_other();
	sql_in(other_at,
	    "CREATE TABLE unfinished_copy (identity text, shown text);"
	    "INSERT INTO unfinished_copy VALUES ('sqlite:/a', '/a')");
	ctl_expect(1, "of another database, /a", "database", "copy", file_at,
	    other_at);
	expect_users(other_at, false);
	ctl_expect(0, "holds what", "database", "copy", file_at, other_at,
	    "--restart");
	expect_users(other_at, true);
}

/* ---- how far it is ---- */

Test(ctl_database, a_bar_on_a_terminal_lines_elsewhere)
{
	char shown[16384];
	size_t len = 0;
	ssize_t got;
	int master, status;
	pid_t pid;

	fill(2500);
	ctl_expect(
	    0, "%: 2000 rows copied\n", "database", "copy", file_at, other_at);
	pid = forkpty(&master, NULL, NULL, NULL);
	cr_assert_neq(pid, -1);
	if (pid == 0) {
		(void)execle(corgi_ctl(), "corgictl", "database", "copy",
		    file_at, server_at, (char *)NULL,
		    (char *const *)(const void *)ctl_env);
		_exit(127);
	}
	while (len < sizeof(shown) - 1 &&
	    (got = read(master, shown + len, sizeof(shown) - 1 - len)) > 0)
		len += (size_t)got;
	shown[len] = '\0';
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0, "%s", shown);
	cr_expect_not_null(
	    strstr(shown, "] 100 %  5000 rows copied\r\n"), "%s", shown);
	cr_expect_not_null(
	    strstr(shown, "] 100 %  10000 rows compared\r\n"), "%s", shown);
	(void)close(master);
}
