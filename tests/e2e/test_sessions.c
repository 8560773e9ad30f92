/*
 * Sessions: two tokens, their renewal, what a thief of one gets, and what of it
 * can be found on the disk.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <criterion/criterion.h>
#include <sqlite3.h>

#include "check.h"
#include "database.h"
#include "http.h"
#include "sess.h"
#include "suite.h"
#include "tok.h"

#define REVOKED    "Token has been revoked"
#define CONCURRENT 20

TestSuite(sessions, .timeout = 120);

static struct server *start_workers(const char *, unsigned int);
static void expect_same_claim(const char *, const char *, const char *, bool);
static long long claim_time(const char *, const char *);
static void reuse(const char *, int);
static size_t files_with(const char *, const char *);
static char *folder_of_schema_1(const char *);

/* A server with that many workers and one more setting. */
static struct server *
start_workers(const char *setting, unsigned int workers)
{
	const char *env[] = {"JWT_SECRET_KEY=" TOK_SECRET, setting, NULL};
	struct server_options options;

	memset(&options, 0, sizeof(options));
	options.environment = env;
	options.workers = workers;
	return (server_start(&options));
}

static void
expect_same_claim(
    const char *name, const char *token, const char *other, bool same)
{
	char *a, *b;

	a = sess_claim(token, name);
	b = sess_claim(other, name);
	cr_expect(a != NULL && b != NULL && (strcmp(a, b) == 0) == same,
	    "%s: %s and %s", name, a, b);
	free(a);
	free(b);
}

static long long
claim_time(const char *token, const char *name)
{
	json_t *claims;
	long long value;

	claims = sess_claims(token);
	value = json_integer_value(json_object_get(claims, name));
	json_decref(claims);
	return (value);
}

Test(sessions, login_gives_a_fresh_access_token_and_a_refresh_token)
{
	struct server *s = suite_start("flask");
	struct raw_response answer;
	struct pair pair;
	json_t *access, *refresh;
	char *type;

	cr_expect(http_login(server_port(s), DEMO_LOGIN, &answer) == 200);
	check_tokens("login", &answer);
	check_header("login", &answer, "cache-control", "no-store");
	cr_assert(pair_take(&answer, &pair));
	raw_response_free(&answer);
	access = sess_claims(pair.access);
	refresh = sess_claims(pair.refresh);
	cr_expect(json_is_true(json_object_get(access, "fresh")));
	cr_expect(json_is_false(json_object_get(refresh, "fresh")));
	type = sess_claim(pair.refresh, "type");
	cr_expect_str_eq(type, "refresh");
	expect_same_claim("sid", pair.access, pair.refresh, true);
	expect_same_claim("sub", pair.access, pair.refresh, true);
	expect_same_claim("jti", pair.access, pair.refresh, false);
	expect_same_claim("csrf", pair.access, pair.refresh, false);
	cr_expect(claim_time(pair.refresh, "exp") ==
	    claim_time(pair.refresh, "iat") + 30 * 86400);
	cr_expect(json_object_get(refresh, "ver") == NULL &&
	    json_object_get(refresh, "roles") == NULL);
	free(type);
	json_decref(access);
	json_decref(refresh);
	pair_free(&pair);
	server_stop(s);
}

/* Row 19, first half. */
Test(sessions, refresh_rotates_and_the_session_goes_on)
{
	struct server *s = start_workers("CORGI_REFRESH_GRACE=0", 2);
	int port = server_port(s), i;
	struct pair first = pair_demo(port), pair, next;
	json_t *claims;

	pair.access = text_of("%s", first.access);
	pair.refresh = text_of("%s", first.refresh);
	for (i = 0; i < 4; i++) {
		cr_assert(pair_refresh(port, pair.refresh, &next) == 200);
		expect_same_claim("sid", first.access, next.access, true);
		expect_same_claim("sid", first.access, next.refresh, true);
		expect_same_claim("jti", pair.refresh, next.refresh, false);
		expect_same_claim("jti", pair.access, next.access, false);
		claims = sess_claims(next.access);
		cr_expect(json_is_false(json_object_get(claims, "fresh")));
		json_decref(claims);
		cr_expect(http_get_token(
			      port, "/protected", next.access, NULL) == 200);
		pair_free(&pair);
		pair = next;
	}
	cr_expect(http_get_token(port, "/protected", first.access, NULL) == 200,
	    "an access token ends with its time, not with the refresh");
	pair_free(&first);
	pair_free(&pair);
	server_stop(s);
}

/* Row 19, second half: whoever has stolen a refresh token, or been robbed of
 * one, comes second. Another session of the account goes on. */
static void
reuse(const char *setting, int wait_ms)
{
	struct server *s = start_workers(setting, 2);
	int port = server_port(s);
	struct pair other = pair_demo(port), first = pair_demo(port), child;
	struct raw_response answer;

	cr_assert(pair_refresh(port, first.refresh, &child) == 200);
	cr_expect(
	    http_get_token(port, "/protected", child.access, NULL) == 200);
	sleep_ms(wait_ms);
	(void)sess_ask(port, "POST", "/refresh", first.refresh, NULL, &answer);
	check_member("reuse", &answer, 401, "msg", REVOKED);
	raw_response_free(&answer);
	(void)http_get_token(port, "/protected", child.access, &answer);
	check_member("child's access", &answer, 401, "msg", REVOKED);
	raw_response_free(&answer);
	(void)http_get_token(port, "/protected", first.access, &answer);
	check_member("first access", &answer, 401, "msg", REVOKED);
	raw_response_free(&answer);
	(void)sess_ask(port, "POST", "/refresh", child.refresh, NULL, &answer);
	check_member("child's refresh", &answer, 401, "msg", REVOKED);
	raw_response_free(&answer);
	cr_expect(
	    http_get_token(port, "/protected", other.access, NULL) == 200);
	cr_expect(pair_refresh(port, other.refresh, NULL) == 200);
	pair_free(&other);
	pair_free(&first);
	pair_free(&child);
	server_stop(s);
}

Test(sessions, reuse_without_grace_ends_the_family)
{
	reuse("CORGI_REFRESH_GRACE=0", 0);
}

Test(sessions, reuse_after_the_grace_interval_ends_the_family)
{
	reuse("CORGI_REFRESH_GRACE=1", 1300);
}

/* Two tabs, or an answer that was lost, are no theft. */
Test(sessions, repetition_in_the_grace_interval_gets_the_same_successor)
{
	struct server *s = start_workers("CORGI_REFRESH_GRACE=300", 2);
	int port = server_port(s);
	struct pair first = pair_demo(port), child, again, newest, late;

	cr_assert(pair_refresh(port, first.refresh, &child) == 200);
	cr_assert(pair_refresh(port, first.refresh, &again) == 200);
	cr_expect_str_eq(child.refresh, again.refresh);
	cr_expect(
	    http_get_token(port, "/protected", again.access, NULL) == 200);
	/* Whoever is behind by more than one gets the newest. */
	cr_assert(pair_refresh(port, child.refresh, &newest) == 200);
	cr_expect_str_neq(newest.refresh, child.refresh);
	cr_assert(pair_refresh(port, first.refresh, &late) == 200);
	cr_expect_str_eq(late.refresh, newest.refresh);
	cr_expect(pair_refresh(port, newest.refresh, NULL) == 200);
	pair_free(&first);
	pair_free(&child);
	pair_free(&again);
	pair_free(&newest);
	pair_free(&late);
	server_stop(s);
}

/* Row 20: sliding does not go beyond the end that the login set. */
Test(sessions, session_ends_at_its_absolute_lifetime_although_it_slides)
{
	struct server *s = suite_start_with("flask", "CORGI_SESSION_EXPIRES=3",
	    "JWT_REFRESH_TOKEN_EXPIRES=1h", "CORGI_REFRESH_GRACE=0", NULL);
	int port = server_port(s), status = 200;
	struct pair pair = pair_demo(port), next;
	long long cap = claim_time(pair.access, "iat") + 3, until;

	cr_expect(claim_time(pair.refresh, "exp") <= cap);
	until = now_ms() + 15000;
	while (now_ms() < until) {
		status = pair_refresh(port, pair.refresh, &next);
		if (status != 200)
			break;
		cr_expect(claim_time(next.refresh, "exp") <= cap);
		pair_free(&pair);
		pair = next;
		sleep_ms(200);
	}
	cr_expect(status == 401, "still refreshed: %d", status);
	cr_expect((long long)time(NULL) >= cap, "ended before its time");
	cr_expect(pair_refresh(port, pair.refresh, NULL) == 401);
	cr_expect(sess_login(port, DEMO_USER, DEMO_PASSWORD) == 200);
	pair_free(&pair);
	server_stop(s);
}

/* Row 21: as when many tabs of a browser wake up at once. */
Test(sessions, twenty_refreshes_at_once_leave_one_family_alive)
{
	struct server *s = start_workers("CORGI_REFRESH_GRACE=300", 3);
	int port = server_port(s), i;
	struct raw *connections[CONCURRENT];
	struct raw_response answer;
	struct pair first = pair_demo(port), pairs[CONCURRENT];
	char *text, *count;

	sess_spread(s, connections, CONCURRENT);
	text = sess_text("POST", "/refresh", first.refresh, NULL, NULL);
	for (i = 0; i < CONCURRENT; i++)
		cr_expect(raw_send_text(connections[i], text));
	for (i = 0; i < CONCURRENT; i++) {
		raw_set_wait(connections[i], 20000);
		cr_assert(raw_read(connections[i], false, &answer) == RAW_OK);
		cr_assert(answer.status == 200 && pair_take(&answer, &pairs[i]),
		    "%d: %d %s", i, answer.status, answer.body);
		raw_response_free(&answer);
		cr_expect_str_eq(pairs[i].refresh, pairs[0].refresh);
		cr_expect_str_neq(pairs[i].refresh, first.refresh);
	}
	for (i = 0; i < CONCURRENT; i++)
		cr_expect(http_get_token(port, "/protected", pairs[i].access,
			      NULL) == 200);
	count = sess_query(s, "SELECT count(*) FROM sessions");
	cr_expect_str_eq(count, "1");
	cr_expect(pair_refresh(port, pairs[0].refresh, NULL) == 200);
	for (i = 0; i < CONCURRENT; i++)
		pair_free(&pairs[i]);
	sess_spread_close(connections, CONCURRENT);
	pair_free(&first);
	free(count);
	free(text);
	server_stop(s);
}

Test(sessions, neither_token_stands_in_for_the_other)
{
	struct server *s = suite_start("flask");
	int port = server_port(s);
	struct pair pair = pair_demo(port);
	struct raw_response answer;

	(void)http_get_token(port, "/protected", pair.refresh, &answer);
	check_member("refresh token", &answer, 422, "msg",
	    "Only non-refresh tokens are allowed");
	raw_response_free(&answer);
	(void)sess_ask(port, "POST", "/refresh", pair.access, NULL, &answer);
	check_member("access token", &answer, 422, "msg",
	    "Only refresh tokens are allowed");
	raw_response_free(&answer);
	cr_expect(pair_refresh(port, pair.refresh, NULL) == 200);
	pair_free(&pair);
	server_stop(s);
}

/* A refresh token of another application with the same key: good, but of no
 * session here, so nobody could tell when it is used again. */
Test(sessions, refresh_token_without_a_session_here_is_refused)
{
	struct server *s = suite_start("flask");
	int port = server_port(s);
	struct raw_response answer;
	char *token;

	token = tok_make(TOK_HEADER,
	    "{\"fresh\":false,\"iat\":@-1,\"jti\":\"foreign\","
	    "\"type\":\"refresh\",\"sub\":\"cosmo\",\"nbf\":@-1,"
	    "\"exp\":@+900}",
	    TOK_SECRET);
	(void)sess_ask(port, "POST", "/refresh", token, NULL, &answer);
	check_member("foreign", &answer, 401, "msg", REVOKED);
	raw_response_free(&answer);
	free(token);
	token = tok_make(TOK_HEADER,
	    "{\"fresh\":false,\"iat\":@-1,\"jti\":\"foreign\","
	    "\"sid\":\"c50aa0a8-3ca2-4b07-b1b5-8e6cb0a7ef34\","
	    "\"type\":\"refresh\",\"sub\":\"cosmo\",\"nbf\":@-1,"
	    "\"exp\":@+900}",
	    TOK_SECRET);
	(void)sess_ask(port, "POST", "/refresh", token, NULL, &answer);
	check_member("unknown session", &answer, 401, "msg", REVOKED);
	raw_response_free(&answer);
	free(token);
	server_stop(s);
}

Test(sessions, refresh_token_is_taken_from_a_json_body)
{
	struct server *s = suite_start("flask");
	int port = server_port(s);
	struct pair pair = pair_demo(port);
	struct raw_response answer;
	char *body;

	body = text_of("{\"refresh_token\": \"%s\"}", pair.refresh);
	(void)sess_ask(port, "POST", "/refresh", NULL, body, &answer);
	check_tokens("json", &answer);
	check_header("json", &answer, "cache-control", "no-store");
	check_header("json", &answer, "set-cookie", NULL);
	raw_response_free(&answer);
	free(body);
	pair_free(&pair);
	server_stop(s);
}

/* CORGI_CLAIMS is for those who read access tokens; of a refresh token there is
 * nothing to read. */
Test(sessions, further_claims_are_in_access_tokens_alone)
{
	struct server *s =
	    suite_start_with("flask", "CORGI_CLAIMS={\"tenant\":\"moon\"}",
		"JWT_REFRESH_JSON_KEY=renewal", NULL);
	int port = server_port(s);
	struct pair pair = pair_demo(port), next;
	struct raw_response answer;
	char *body, *value;

	value = sess_claim(pair.access, "tenant");
	cr_expect_str_eq(value, "moon");
	free(value);
	value = sess_claim(pair.refresh, "tenant");
	cr_expect(value == NULL, "%s", value);
	body = text_of("{\"renewal\": \"%s\"}", pair.refresh);
	(void)sess_ask(port, "POST", "/refresh", NULL, body, &answer);
	cr_assert(answer.status == 200 && pair_take(&answer, &next), "%s",
	    answer.body);
	raw_response_free(&answer);
	value = sess_claim(next.access, "tenant");
	cr_expect_str_eq(value, "moon");
	cr_expect(http_get_token(port, "/protected", next.access, NULL) == 200);
	free(value);
	free(body);
	pair_free(&pair);
	pair_free(&next);
	server_stop(s);
}

/* How many files of a folder hold the text. */
static size_t
files_with(const char *folder, const char *text)
{
	struct dirent *d;
	DIR *dir;
	char *path, *data;
	size_t len, found = 0;

	dir = opendir(folder);
	cr_assert(dir != NULL, "%s", folder);
	while ((d = readdir(dir)) != NULL) {
		path = text_of("%s/%s", folder, d->d_name);
		data = d->d_name[0] == '.' || d->d_type != DT_REG
		    ? NULL
		    : file_read(path, &len);
		if (data != NULL && memmem(data, len, text, strlen(text)))
			found++;
		free(data);
		free(path);
	}
	(void)closedir(dir);
	return (found);
}

/* Row 22: neither the token nor its secret part, its signature, is in a file;
 * what names the session is, so the search can find something. */
Test(sessions, no_refresh_token_is_found_on_the_disk)
{
	struct server *s = suite_start("flask");
	int port = server_port(s);
	struct pair pairs[3];
	char *folder, *mac, *sid, *payload;
	size_t i;

	pairs[0] = pair_demo(port);
	cr_assert(pair_refresh(port, pairs[0].refresh, &pairs[1]) == 200);
	cr_assert(pair_refresh(port, pairs[1].refresh, &pairs[2]) == 200);
	folder = database_folder(server_data_dir(s));
	for (i = 0; i < 3; i++) {
		sid = sess_claim(pairs[i].refresh, "sid");
		cr_expect(files_with(folder, sid) > 0, "no trace at all");
		payload = tok_segment(pairs[i].refresh, 1);
		mac = tok_segment(pairs[i].refresh, 2);
		cr_expect(files_with(folder, pairs[i].refresh) == 0);
		cr_expect(files_with(folder, payload) == 0);
		cr_expect(files_with(folder, mac) == 0);
		cr_expect(files_with(folder, pairs[i].access) == 0);
		free(payload);
		free(sid);
		free(mac);
		pair_free(&pairs[i]);
	}
	free(folder);
	server_stop(s);
}

Test(sessions, me_says_who_one_is)
{
	struct server *s = suite_start("flask");
	int port = server_port(s);
	struct pair pair = pair_demo(port), stale;
	struct raw_response answer;
	char *want, *sid, *token;

	sid = sess_claim(pair.access, "sid");
	want = text_of("{\"sub\": \"cosmo\", \"roles\": [], \"session\": "
		       "\"%s\", \"issued_at\": %lld, \"expires_at\": %lld, "
		       "\"fresh\": true}",
	    sid, claim_time(pair.access, "iat"),
	    claim_time(pair.access, "exp"));
	(void)http_get_token(port, "/me", pair.access, &answer);
	check_json("me", &answer, 200, want);
	check_header("me", &answer, "cache-control", "no-store");
	raw_response_free(&answer);
	free(want);

	cr_assert(pair_refresh(port, pair.refresh, &stale) == 200);
	(void)http_get_token(port, "/me", stale.access, &answer);
	cr_expect(
	    strstr(answer.body, "\"fresh\":false") != NULL, "%s", answer.body);
	raw_response_free(&answer);

	token = tok_make(TOK_HEADER,
	    "{\"jti\":\"x\",\"sub\":\"a\\u0000b\",\"exp\":4000000000,"
	    "\"roles\":[\"ops\",\"dev\"]}",
	    TOK_SECRET);
	(void)http_get_token(port, "/me", token, &answer);
	check_json("foreign", &answer, 200,
	    "{\"sub\": \"a\\u0000b\", \"roles\": [\"ops\", \"dev\"], "
	    "\"session\": null, \"issued_at\": null, "
	    "\"expires_at\": 4000000000, \"fresh\": false}");
	raw_response_free(&answer);
	(void)http_get(port, "/me", NULL, &answer);
	cr_expect(answer.status == 401);
	check_house("without", &answer);
	raw_response_free(&answer);
	(void)http_get_token(port, "/me", pair.refresh, &answer);
	check_member("refresh token", &answer, 422, "msg",
	    "Only non-refresh tokens are allowed");
	raw_response_free(&answer);
	free(token);
	free(sid);
	pair_free(&pair);
	pair_free(&stale);
	server_stop(s);
}

/* The database of the first schema, with the demo account's hash in it. */
static char *
folder_of_schema_1(const char *hash)
{
	char *folder = scratch_new(), *path, *sql;
	sqlite3 *db;

	path = text_of("%s/corgi.db", folder);
	sql = text_of(
	    "CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY,"
	    " applied_at INTEGER NOT NULL) STRICT;"
	    "CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT,"
	    " name BLOB NOT NULL UNIQUE"
	    "  CHECK (length(name) BETWEEN 1 AND 255),"
	    " hash TEXT NOT NULL CHECK (length(hash) BETWEEN 1 AND 127),"
	    " created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL) STRICT;"
	    "INSERT INTO schema_migrations VALUES (1, unixepoch());"
	    "PRAGMA application_id = 1131377255;"
	    "INSERT INTO users VALUES (7, CAST('laika' AS BLOB), '%s', 1, 1);",
	    hash);
	cr_assert(sqlite3_open(path, &db) == SQLITE_OK);
	cr_assert(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s",
	    sqlite3_errmsg(db));
	(void)sqlite3_close(db);
	cr_assert(chmod(path, 0600) == 0);
	free(path);
	free(sql);
	return (folder);
}

/* An update of the service takes its accounts along. */
Test(sessions, data_folder_of_the_first_version_is_migrated)
{
	static const char *const env[] = {"JWT_SECRET_KEY=" TOK_SECRET, NULL};
	struct server_options options;
	struct server *s;
	struct pair pair;
	char *folder, *hash, *sub;

	if (database_on_server())
		cr_skip_test("the first version kept a file");
	s = suite_start("flask");
	hash = sess_query(s, "SELECT hash FROM users");
	server_stop(s);
	folder = folder_of_schema_1(hash);
	memset(&options, 0, sizeof(options));
	options.environment = env;
	options.data_dir = folder;
	s = server_start(&options);
	pair = pair_login(server_port(s), "laika", DEMO_PASSWORD);
	sub = sess_claim(pair.access, "sub");
	cr_expect_str_eq(sub, "laika");
	cr_expect(pair_refresh(server_port(s), pair.refresh, NULL) == 200);
	cr_expect(sess_login(server_port(s), "laika", "wrong") == 401);
	cr_expect(sess_login(server_port(s), DEMO_USER, DEMO_PASSWORD) == 401,
	    "the demo account was added to a folder with accounts");
	free(sub);
	pair_free(&pair);
	server_stop(s);
	scratch_free(folder);
	free(hash);
}
