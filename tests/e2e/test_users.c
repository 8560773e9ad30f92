/*
 * Accounts while the service runs: corgictl beside it, passwords of any kind,
 * hashes that are upgraded, a store that fails, logins that come too fast.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <sqlite3.h>

#include "check.h"
#include "http.h"
#include "suite.h"
#include "tok.h"

#define FLOOD 20

TestSuite(users, .timeout = 120);

static int ctl(const struct server *, const char *, size_t, const char *,
    const char *, const char *);
static int login(const struct server *, const char *, const char *);
static char *stored_hash(const struct server *, const char *);
static void expect_unavailable(const char *, const struct raw_response *, bool);

/* Run "corgictl user COMMAND NAME [OPTION]" with a password on its standard
 * input; its exit status. */
static int
ctl(const struct server *s, const char *password, size_t len,
    const char *command, const char *name, const char *option)
{
	const char *argv[] = {corgi_ctl(), "user", command, name, option, NULL};
	const char *env[] = {"PATH=/usr/bin:/bin", NULL, NULL};
	struct run_result r;
	char *folder;
	int status;

	folder = text_of("CORGI_DATA_DIR=%s", server_data_dir(s));
	env[1] = folder;
	r = run_program(argv, env, password, len);
	status = r.status;
	run_free(&r);
	free(folder);
	return (status);
}

/* The status of a login; name and password as they stand in JSON. */
static int
login(const struct server *s, const char *name, const char *password)
{
	char *body;
	int status;

	body = text_of(
	    "{\"username\": \"%s\", \"password\": \"%s\"}", name, password);
	status = http_login(server_port(s), body, NULL);
	free(body);
	return (status);
}

Test(users, changes_by_corgictl_count_at_once)
{
	struct server *s = suite_start("flask");
	char *token;

	cr_expect(login(s, "laika", "first-one") == 401);
	cr_expect(ctl(s, "first-one", 9, "add", "laika", NULL) == 0);
	cr_expect(login(s, "laika", "first-one") == 200);
	cr_expect(login(s, "laika", "second-one") == 401);
	cr_expect(ctl(s, "first-one", 9, "add", "laika", NULL) == 4);
	cr_expect(ctl(s, "second-one", 10, "passwd", "laika", NULL) == 0);
	cr_expect(login(s, "laika", "first-one") == 401);
	cr_expect(login(s, "laika", "second-one") == 200);
	token = http_token_for(server_port(s),
	    "{\"username\": \"laika\", \"password\": \"second-one\"}");
	cr_expect(
	    http_get_token(server_port(s), "/protected", token, NULL) == 200);
	cr_expect(ctl(s, NULL, 0, "delete", "laika", "--yes") == 0);
	cr_expect(login(s, "laika", "second-one") == 401);
	cr_expect(ctl(s, NULL, 0, "delete", "laika", "--yes") == 3);
	cr_expect(
	    http_get_token(server_port(s), "/protected", token, NULL) == 401);
	cr_expect(login(s, DEMO_USER, DEMO_PASSWORD) == 200);
	free(token);
	server_stop(s);
}

/* Compared whole: nothing is cut, trimmed, folded or normalised. */
Test(users, names_and_passwords_of_any_text_are_compared_whole)
{
	static const char nul[] = "before\0b";
	static const char composed[] = "gar\xc3\xa7on de laika";
	static const char decomposed[] = "garc\xcc\xa7on de laika";
	struct server *s = suite_start("flask");
	char *text;

	cr_assert(ctl(s, nul, 8, "add", "nul", NULL) == 0);
	cr_expect(login(s, "nul", "before\\u0000b") == 200);
	cr_expect(login(s, "nul", "before") == 401);
	cr_expect(login(s, "nul", "before\\u0000") == 401);
	cr_expect(login(s, "nul", "before\\u0000c") == 401);

	cr_assert(ctl(s, composed, sizeof(composed) - 1, "add", "gar\xc3\xa7on",
		      NULL) == 0);
	cr_expect(login(s, "gar\xc3\xa7on", composed) == 200);
	cr_expect(login(s, "gar\\u00e7on", "gar\\u00e7on de laika") == 200);
	cr_expect(login(s, "garc\xcc\xa7on", composed) == 401);
	cr_expect(login(s, "gar\xc3\xa7on", decomposed) == 401);
	cr_expect(ctl(s, decomposed, sizeof(decomposed) - 1, "add",
		      "garc\xcc\xa7on", NULL) == 0);
	cr_expect(login(s, "garc\xcc\xa7on", decomposed) == 200);

	cr_assert(ctl(s, " padded ", 8, "add", " pad ", NULL) == 0);
	cr_expect(login(s, " pad ", " padded ") == 200);
	cr_expect(login(s, "pad", " padded ") == 401);
	cr_expect(login(s, " pad ", "padded") == 401);

	/* 128 letters that differ in the last one alone. */
	text = text_repeat("p", 128);
	cr_assert(ctl(s, text, 128, "add", "long", NULL) == 0);
	cr_expect(login(s, "long", text) == 200);
	text[127] = 'q';
	cr_expect(login(s, "long", text) == 401);
	free(text);
	server_stop(s);
}

/* Beyond the limits nothing is stored and nothing matches. */
Test(users, longer_than_the_limits_never_matches)
{
	struct server *s = suite_start("flask");
	char *text;

	text = text_repeat("\xc3\xa7", 256);
	cr_expect(ctl(s, text, 512, "add", "fits", NULL) == 0);
	cr_expect(login(s, "fits", text) == 200);
	text[511] = '\xa8';
	cr_expect(login(s, "fits", text) == 401);
	free(text);
	text = text_repeat("p", 257);
	cr_expect(ctl(s, text, 257, "add", "over", NULL) != 0);
	cr_expect(login(s, "fits", text) == 401);
	free(text);
	text = text_repeat("p", 1025);
	cr_expect(login(s, "fits", text) == 401);
	free(text);
	text = text_repeat("n", 255);
	cr_expect(ctl(s, "space-dog", 9, "add", text, NULL) == 0);
	cr_expect(login(s, text, "space-dog") == 200);
	free(text);
	text = text_repeat("n", 256);
	cr_expect(ctl(s, "space-dog", 9, "add", text, NULL) != 0);
	cr_expect(login(s, text, "space-dog") == 401);
	free(text);
	server_stop(s);
}

/* Everything is the same but the time of day, and the id of each request. */
Test(users, unknown_user_and_wrong_password_get_the_same_bytes)
{
	struct raw_response unknown, wrong;
	struct server *s = suite_start("flask");
	size_t i;

	(void)http_login(server_port(s),
	    "{\"username\": \"nobody\", \"password\": \"x\"}", &unknown);
	(void)http_login(server_port(s),
	    "{\"username\": \"cosmo\", \"password\": \"x\"}", &wrong);
	cr_expect(unknown.status == 401 && wrong.status == 401);
	cr_expect(unknown.nfields == wrong.nfields);
	cr_expect_str_eq(unknown.body, wrong.body);
	for (i = 0; i < unknown.nfields && i < wrong.nfields; i++) {
		cr_expect_str_eq(unknown.fields[i].name, wrong.fields[i].name);
		if (strcmp(unknown.fields[i].name, "Date") != 0 &&
		    strcmp(unknown.fields[i].name, "X-Request-Id") != 0)
			cr_expect_str_eq(
			    unknown.fields[i].value, wrong.fields[i].value);
	}
	raw_response_free(&unknown);
	raw_response_free(&wrong);
	server_stop(s);
}

/* The hash in the database, through a connection of the test's own. */
static char *
stored_hash(const struct server *s, const char *name)
{
	sqlite3_stmt *stmt;
	sqlite3 *db;
	char *path, *hash;

	path = text_of("%s/corgi.db", server_data_dir(s));
	hash = NULL;
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) !=
	    SQLITE_OK)
		cr_assert_fail("%s: %s", path, sqlite3_errmsg(db));
	(void)sqlite3_busy_timeout(db, 5000);
	if (sqlite3_prepare_v2(db,
		"SELECT hash FROM users WHERE name = CAST(? AS BLOB)", -1,
		&stmt, NULL) != SQLITE_OK)
		cr_assert_fail("%s: %s", path, sqlite3_errmsg(db));
	(void)sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
	if (sqlite3_step(stmt) == SQLITE_ROW)
		hash = strdup((const char *)sqlite3_column_text(stmt, 0));
	(void)sqlite3_finalize(stmt);
	(void)sqlite3_close(db);
	free(path);
	cr_assert(hash != NULL, "%s is not there", name);
	return (hash);
}

Test(users, an_old_hash_is_upgraded_at_the_next_good_login)
{
	static const char *const env[] = {
	    "JWT_SECRET_KEY=" TOK_SECRET, "CORGI_ARGON2_PASSES=3", NULL};
	struct server_options options;
	struct server *s;
	char *folder, *before, *after;

	memset(&options, 0, sizeof(options));
	folder = scratch_new();
	options.data_dir = folder;
	s = server_start(&options);
	before = stored_hash(s, DEMO_USER);
	cr_expect(strncmp(before, "$argon2id$v=19$m=19456,t=2,p=1$", 31) == 0,
	    "%s", before);
	cr_expect(login(s, DEMO_USER, DEMO_PASSWORD) == 200);
	after = stored_hash(s, DEMO_USER);
	cr_expect_str_eq(before, after, "a good hash was replaced");
	free(after);
	server_stop(s);

	options.environment = env;
	s = server_start(&options);
	cr_expect(login(s, DEMO_USER, "wrong") == 401);
	after = stored_hash(s, DEMO_USER);
	cr_expect_str_eq(before, after, "a refused login changed the hash");
	free(after);
	cr_expect(login(s, DEMO_USER, DEMO_PASSWORD) == 200);
	after = stored_hash(s, DEMO_USER);
	cr_expect(strncmp(after, "$argon2id$v=19$m=19456,t=3,p=1$", 31) == 0,
	    "%s", after);
	free(after);
	cr_expect(login(s, DEMO_USER, DEMO_PASSWORD) == 200);
	cr_expect(login(s, DEMO_USER, "wrong") == 401);
	free(before);
	server_stop(s);
	scratch_free(folder);
}

/* 503 as JSON in either dialect, with a time to come back. */
static void
expect_unavailable(const char *row, const struct raw_response *answer, bool rfc)
{
	const char *value;

	if (rfc)
		check_problem(row, answer, 503, "Service *", NULL);
	else
		check_member(row, answer, 503, "error", "Service *");
	value = raw_header(answer, "retry-after");
	cr_expect(value != NULL && atoi(value) > 0, "%s: Retry-After", row);
}

/* A login writes its session and waits for another writer; whoever needs no
 * more than to read is answered meanwhile. */
Test(users, logins_wait_for_another_program_that_writes_and_go_on)
{
	struct server *s = suite_start("flask");
	int port = server_port(s);
	struct raw_response answer;
	struct raw *r = raw_connect(port);
	sqlite3 *db;
	char *path, *text, *token = tok_good();

	path = text_of("%s/corgi.db", server_data_dir(s));
	cr_assert(sqlite3_open(path, &db) == SQLITE_OK);
	(void)sqlite3_busy_timeout(db, 5000);
	cr_assert(
	    sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL) == SQLITE_OK);
	text = text_of("POST /login HTTP/1.1\r\nHost: localhost\r\n"
		       "Content-Type: application/json\r\n"
		       "Content-Length: %zu\r\n\r\n%s",
	    strlen(DEMO_LOGIN), DEMO_LOGIN);
	cr_expect(raw_send_text(r, text));
	cr_expect(http_get_token(port, "/protected", token, NULL) == 200);
	cr_expect(login(s, DEMO_USER, "x") == 401);
	cr_assert(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL) == SQLITE_OK);
	raw_set_wait(r, 20000);
	cr_expect(raw_read(r, false, &answer) == RAW_OK);
	check_tokens("login", &answer);
	raw_response_free(&answer);
	raw_close(r);
	(void)sqlite3_close(db);
	free(token);
	free(text);
	free(path);
	server_stop(s);
}

/* No session without its row: then the login fails, and says when to come
 * back. */
Test(users, login_whose_session_cannot_be_kept_is_503)
{
	struct server *s = suite_start("flask");
	struct raw_response answer;
	sqlite3 *db;
	char *path;

	path = text_of("%s/corgi.db", server_data_dir(s));
	cr_assert(sqlite3_open(path, &db) == SQLITE_OK);
	(void)sqlite3_busy_timeout(db, 5000);
	cr_assert(
	    sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL) == SQLITE_OK);
	(void)http_login(server_port(s), DEMO_LOGIN, &answer);
	expect_unavailable("locked", &answer, false);
	raw_response_free(&answer);
	cr_assert(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL) == SQLITE_OK);
	cr_expect(login(s, DEMO_USER, DEMO_PASSWORD) == 200);
	(void)sqlite3_close(db);
	free(path);
	server_stop(s);
}

/* The file is damaged before the workers' threads first open it. */
static void
damaged_store(bool rfc)
{
	struct raw_response answer;
	struct server *s = suite_start(rfc ? "rfc6750" : "flask");
	char *path, *sound, *junk, *token;
	size_t len;
	int port;

	port = server_port(s);
	path = text_of("%s/corgi.db", server_data_dir(s));
	sound = file_read(path, &len);
	cr_assert(sound != NULL && len > 0);
	junk = text_repeat("x", len);
	file_write(path, junk, len);

	(void)http_login(port, DEMO_LOGIN, &answer);
	expect_unavailable("login", &answer, rfc);
	cr_expect(strstr(answer.body, "corgi.db") == NULL &&
	    strstr(answer.body, server_data_dir(s)) == NULL);
	raw_response_free(&answer);
	(void)http_get(port, "/ready", NULL, &answer);
	expect_unavailable("/ready", &answer, rfc);
	raw_response_free(&answer);
	(void)http_login(port, "{}", &answer);
	cr_expect(answer.status == 400, "validation: %d", answer.status);
	raw_response_free(&answer);
	(void)http_get(port, "/health", NULL, &answer);
	check_json("/health", &answer, 200, "{\"status\": \"ok\"}");
	raw_response_free(&answer);
	token = tok_good();
	cr_expect(http_get_token(port, "/protected", token, NULL) == 200);
	cr_expect(server_log_wait(s, "corgi.db", 2000),
	    "the log does not name the file");

	file_write(path, sound, len);
	cr_expect(http_get(port, "/ready", NULL, NULL) == 200, "not back");
	cr_expect(login(s, DEMO_USER, DEMO_PASSWORD) == 200, "not back");
	free(token);
	free(junk);
	free(sound);
	free(path);
	server_stop(s);
}

Test(users, damaged_store_is_503_until_it_is_mended_flask)
{
	damaged_store(false);
}

Test(users, damaged_store_is_503_until_it_is_mended_rfc6750)
{
	damaged_store(true);
}

/* A table that is gone under a handle that is open. */
Test(users, store_that_fails_while_open_is_503_and_recovers)
{
	struct raw_response answer;
	struct server *s = suite_start("flask");
	sqlite3 *db;
	char *path;

	cr_assert(login(s, DEMO_USER, DEMO_PASSWORD) == 200);
	path = text_of("%s/corgi.db", server_data_dir(s));
	cr_assert(sqlite3_open(path, &db) == SQLITE_OK);
	(void)sqlite3_busy_timeout(db, 5000);
	cr_assert(sqlite3_exec(db, "ALTER TABLE users RENAME TO kept", NULL,
		      NULL, NULL) == SQLITE_OK);
	(void)http_login(server_port(s), DEMO_LOGIN, &answer);
	expect_unavailable("login", &answer, false);
	raw_response_free(&answer);
	cr_assert(sqlite3_exec(db, "ALTER TABLE kept RENAME TO users", NULL,
		      NULL, NULL) == SQLITE_OK);
	cr_expect(login(s, DEMO_USER, DEMO_PASSWORD) == 200, "not back");
	(void)sqlite3_close(db);
	free(path);
	server_stop(s);
}

/* One thread, one place to wait: most of a flood is turned away at once, and
 * nobody else waits for it. */
Test(users, full_queue_is_503_and_others_are_served)
{
	struct raw_response answer;
	struct raw *clients[FLOOD];
	struct server *s;
	char *request, *token;
	int port, good, busy;
	size_t i;

	s = suite_start_with("flask", "CORGI_LOGIN_QUEUE=1", "CORGI_THREADS=1",
	    "CORGI_ARGON2_PASSES=4", NULL);
	port = server_port(s);
	token = tok_good();
	request = text_of("POST /login HTTP/1.1\r\nHost: localhost\r\n"
			  "Content-Type: application/json\r\n"
			  "Content-Length: %zu\r\n\r\n%s",
	    strlen(DEMO_LOGIN), DEMO_LOGIN);
	for (i = 0; i < FLOOD; i++)
		clients[i] = raw_connect(port);
	for (i = 0; i < FLOOD; i++)
		cr_expect(raw_send_text(clients[i], request));
	for (i = 0; i < 5; i++)
		cr_expect(
		    http_get_token(port, "/protected", token, NULL) == 200);

	good = 0;
	busy = 0;
	for (i = 0; i < FLOOD; i++) {
		raw_set_wait(clients[i], 30000);
		cr_expect(raw_read(clients[i], false, &answer) == RAW_OK);
		if (answer.status == 200)
			good++;
		if (answer.status == 503) {
			busy++;
			expect_unavailable("flood", &answer, false);
		}
		raw_response_free(&answer);
		raw_close(clients[i]);
	}
	cr_expect(good >= 1 && busy >= 1 && good + busy == FLOOD,
	    "%d good, %d busy", good, busy);
	cr_expect(login(s, DEMO_USER, DEMO_PASSWORD) == 200, "not back");
	free(request);
	free(token);
	server_stop(s);
}
