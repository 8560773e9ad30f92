/*
 * A database that goes while the service runs: questions that need it are
 * refused at once, again and again, everything else goes on, and it is taken
 * up again when it is back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "check.h"
#include "http.h"
#include "suite.h"
#include "tok.h"

TestSuite(store_lost, .timeout = 90);

/* More than there are threads that could be lost. */
#define QUESTIONS 5

static void expect_unready(int, const char *);
static void expect_ready(int, const char *);

/* Neither ready nor able to sign in, and guarded routes do not care. */
static void
expect_unready(int port, const char *token)
{
	struct raw_response answer;
	int i;

	for (i = 0; i < QUESTIONS; i++) {
		(void)http_get(port, "/ready", NULL, &answer);
		check_member("ready", &answer, 503, "error", "*");
		raw_response_free(&answer);
		(void)http_login(port, DEMO_LOGIN, &answer);
		check_member("login", &answer, 503, "error", "*");
		raw_response_free(&answer);
	}
	(void)http_get_token(port, "/protected", token, &answer);
	check_json("protected", &answer, 200, PROTECTED_JSON);
	raw_response_free(&answer);
	cr_expect_eq(http_get(port, "/health", NULL, NULL), 200);
}

/* Every thread has to have recovered. */
static void
expect_ready(int port, const char *row)
{
	int i;

	for (i = 0; i < QUESTIONS; i++) {
		cr_expect_eq(
		    http_get(port, "/ready", NULL, NULL), 200, "%s", row);
		cr_expect_eq(
		    http_login(port, DEMO_LOGIN, NULL), 200, "%s", row);
	}
}

Test(store_lost, a_database_renamed_away_harms_no_thread_and_comes_back)
{
	struct server *s = suite_start("flask");
	int port = server_port(s);
	char *path = text_of("%s/corgi.db", server_data_dir(s));
	char *away = text_of("%s/away", server_data_dir(s));
	char *token = http_token(port);

	expect_ready(port, "at first");
	cr_assert(rename(path, away) == 0);
	expect_unready(port, token);
	cr_expect(access(path, F_OK) == -1, "a worker made a database");
	file_write(path, "", 0);
	expect_unready(port, token);
	cr_assert(unlink(path) == 0);
	cr_assert(rename(away, path) == 0);
	expect_ready(port, "back");
	free(token);
	free(away);
	free(path);
	cr_expect(server_stop(s) == 0);
}

/* It asks for every token, and takes no silence for an answer. */
Test(store_lost, a_strict_guard_lets_nobody_through_without_the_database)
{
	const char *env[] = {"JWT_SECRET_KEY=" TOK_SECRET, NULL};
	char *text = suite_routes("access strict"), *path, *away, *token;
	struct server_options options = {.environment = env, .routes = text};
	struct server *s = server_start(&options);
	int port = server_port(s), i;

	path = text_of("%s/corgi.db", server_data_dir(s));
	away = text_of("%s/away", server_data_dir(s));
	token = http_token(port);
	for (i = 0; i < QUESTIONS; i++)
		cr_expect_eq(
		    http_get_token(port, "/protected", token, NULL), 200);
	cr_assert(rename(path, away) == 0);
	for (i = 0; i < QUESTIONS; i++)
		cr_expect_eq(
		    http_get_token(port, "/protected", token, NULL), 503);
	cr_expect_eq(http_get_token(port, "/protected", "a.b.c", NULL), 422);
	cr_expect_eq(http_get(port, "/protected", NULL, NULL), 401);
	cr_assert(rename(away, path) == 0);
	for (i = 0; i < QUESTIONS; i++)
		cr_expect_eq(
		    http_get_token(port, "/protected", token, NULL), 200);
	free(token);
	free(away);
	free(path);
	cr_expect(server_stop(s) == 0);
	free(text);
}

/* The new start makes what the workers may not. */
Test(store_lost, a_removed_database_is_made_anew_by_a_restart)
{
	char *folder = scratch_new();
	struct server_options options = {.data_dir = folder};
	struct server *s = server_start(&options);
	char *path = text_of("%s/corgi.db", folder);
	char *token = http_token(server_port(s));

	cr_assert(unlink(path) == 0);
	expect_unready(server_port(s), token);
	cr_expect(server_stop(s) == 0);
	s = server_start(&options);
	expect_ready(server_port(s), "restarted");
	cr_expect(server_stop(s) == 0);
	free(token);
	free(path);
	scratch_free(folder);
}

Test(store_lost, a_data_folder_that_others_may_write_is_in_the_log)
{
	char *folder = scratch_new();
	struct server_options options = {.data_dir = folder};
	struct server *s;
	char *log;

	cr_assert(chmod(folder, 0777) == 0);
	s = server_start(&options);
	cr_expect(server_log_wait(s, "may be written by", 2000));
	cr_expect(server_stop(s) == 0);
	cr_assert(chmod(folder, 0700) == 0);
	s = server_start(&options);
	log = server_log(s);
	cr_expect(strstr(log, "may be written by") == NULL);
	free(log);
	cr_expect(server_stop(s) == 0);
	scratch_free(folder);
}
