/*
 * Guessing passwords: row 28. The counts are small here and the waits long, so
 * that no wait ends in the middle of a test.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "check.h"
#include "http.h"
#include "sess.h"
#include "suite.h"
#include "tok.h"

#define TOO_MANY "Too many failed attempts"

TestSuite(throttle, .timeout = 120);

static struct server *start(const char *, const char *, const char *);
static int fail_until(const struct server *, const char *, int);

/* Two workers, three settings. */
static struct server *
start(const char *account, const char *address, const char *more)
{
	const char *env[] = {"JWT_SECRET_KEY=" TOK_SECRET, account, address,
	    "CORGI_THROTTLE_SECONDS=3600", more, NULL};
	struct server_options options;

	memset(&options, 0, sizeof(options));
	options.environment = env;
	options.workers = 2;
	return (server_start(&options));
}

/* Log in wrongly, at most so often, until that is throttled; how many were
 * refused as wrong. */
static int
fail_until(const struct server *s, const char *name, int most)
{
	int n, status;

	for (n = 0; n < most; n++) {
		status = sess_login(server_port(s), name, "not-the-one");
		if (status == 429)
			return (n);
		cr_expect(status == 401, "%s: %d", name, status);
	}
	return (n);
}

Test(throttle, one_more_failure_than_allowed_is_429_whatever_the_password)
{
	struct server *s =
	    start("CORGI_THROTTLE_ACCOUNT=4", "CORGI_THROTTLE_ADDRESS=0", NULL);
	struct raw_response wrong, right, unknown;
	const char *after;
	int port = server_port(s);

	cr_expect(fail_until(s, DEMO_USER, 20) == 4);
	(void)sess_login_from(
	    server_port(s), "127.0.0.1", NULL, DEMO_USER, "wrong", &wrong);
	(void)sess_login_from(server_port(s), "127.0.0.1", NULL, DEMO_USER,
	    DEMO_PASSWORD, &right);
	check_member("wrong", &wrong, 429, "error", TOO_MANY);
	check_member("right", &right, 429, "error", TOO_MANY);
	cr_expect_str_eq(wrong.body, right.body);
	after = raw_header(&right, "retry-after");
	cr_expect(after != NULL && atoi(after) >= 1 && atoi(after) <= 3600,
	    "Retry-After: %s", after);
	cr_expect(wrong.nfields == right.nfields);

	/* A name that does not exist is throttled like one that does. */
	cr_expect(fail_until(s, "nobody", 20) == 4);
	(void)sess_login_from(
	    server_port(s), "127.0.0.1", NULL, "nobody", "wrong", &unknown);
	cr_expect_str_eq(unknown.body, wrong.body);
	cr_expect(unknown.status == 429);

	/* What is no login is not: faults of the form come first. */
	cr_expect(sess_ask(port, "POST", "/login", NULL, "{}", NULL) == 400);
	raw_response_free(&wrong);
	raw_response_free(&right);
	raw_response_free(&unknown);
	server_stop(s);
}

Test(throttle, rfc6750_says_it_as_a_problem)
{
	struct server *s = start("CORGI_THROTTLE_ACCOUNT=1",
	    "CORGI_THROTTLE_ADDRESS=0", "JWT_ERROR_STYLE=rfc6750");
	struct raw_response answer;

	cr_expect(fail_until(s, DEMO_USER, 5) == 1);
	(void)sess_login_from(
	    server_port(s), "127.0.0.1", NULL, DEMO_USER, "wrong", &answer);
	check_problem("throttled", &answer, 429, TOO_MANY, NULL);
	cr_expect(raw_header(&answer, "retry-after") != NULL);
	raw_response_free(&answer);
	server_stop(s);
}

Test(throttle, other_accounts_are_not_held_up)
{
	struct server *s =
	    start("CORGI_THROTTLE_ACCOUNT=2", "CORGI_THROTTLE_ADDRESS=0", NULL);

	cr_assert(
	    sess_ctl(s, "laika-in-orbit", "user", "add", "laika", NULL) == 0);
	cr_expect(fail_until(s, DEMO_USER, 10) == 2);
	cr_expect(sess_login(server_port(s), DEMO_USER, DEMO_PASSWORD) == 429);
	cr_expect(sess_login(server_port(s), "laika", "laika-in-orbit") == 200);
	cr_expect(sess_login(server_port(s), "laika", "wrong") == 401);
	server_stop(s);
}

/* Four failures, twice, with a good login between them. */
Test(throttle, good_login_clears_the_count)
{
	struct server *s =
	    start("CORGI_THROTTLE_ACCOUNT=4", "CORGI_THROTTLE_ADDRESS=0", NULL);
	int port = server_port(s), round, n;

	for (round = 0; round < 2; round++) {
		for (n = 0; n < 3; n++)
			cr_expect(sess_login(port, DEMO_USER, "wrong") == 401);
		cr_expect(sess_login(port, DEMO_USER, DEMO_PASSWORD) == 200);
	}
	cr_expect(fail_until(s, DEMO_USER, 10) == 4);
	server_stop(s);
}

/* An attempt counts as a failure until it is decided, and a client that has its
 * answer may come again at once, to another worker. */
Test(throttle, good_login_is_decided_when_it_is_answered)
{
	struct server *s =
	    start("CORGI_THROTTLE_ACCOUNT=1", "CORGI_THROTTLE_ADDRESS=0", NULL);
	struct raw *connections[8];
	int i, status;

	sess_spread(s, connections, 8);
	for (i = 0; i < 160; i++) {
		status = sess_ask_on(connections[i % 8], "POST", "/login", NULL,
		    DEMO_LOGIN, NULL);
		cr_expect(status == 200, "login %d: %d", i, status);
	}
	sess_spread_close(connections, 8);
	server_stop(s);
}

/* Whoever guesses from elsewhere does not lock the owner out. */
Test(throttle, owner_gets_in_from_an_address_known_to_the_account)
{
	struct server *s =
	    start("CORGI_THROTTLE_ACCOUNT=3", "CORGI_THROTTLE_ADDRESS=0", NULL);
	int n;

	cr_expect(sess_login_from(server_port(s), "127.0.0.9", NULL, DEMO_USER,
		      DEMO_PASSWORD, NULL) == 200);
	for (n = 0; n < 3; n++)
		cr_expect(sess_login_from(server_port(s), "127.0.0.7", NULL,
			      DEMO_USER, "wrong", NULL) == 401);
	cr_expect(sess_login_from(server_port(s), "127.0.0.7", NULL, DEMO_USER,
		      DEMO_PASSWORD, NULL) == 429);
	cr_expect(sess_login_from(server_port(s), "127.0.0.8", NULL, DEMO_USER,
		      DEMO_PASSWORD, NULL) == 429);
	cr_expect(sess_login_from(server_port(s), "127.0.0.9", NULL, DEMO_USER,
		      DEMO_PASSWORD, NULL) == 200);
	server_stop(s);
}

/* One address tries one password on many names. */
Test(throttle, address_is_throttled_over_all_names_and_others_are_not)
{
	struct server *s =
	    start("CORGI_THROTTLE_ACCOUNT=0", "CORGI_THROTTLE_ADDRESS=5", NULL);
	char name[32];
	int n, status = 0;

	for (n = 0; n < 10 && status != 429; n++) {
		(void)snprintf(name, sizeof(name), "name-%d", n);
		status = sess_login_from(
		    server_port(s), "127.0.0.3", NULL, name, "guess", NULL);
	}
	cr_expect(status == 429 && n == 6, "%d after %d", status, n);
	cr_expect(sess_login_from(server_port(s), "127.0.0.3", NULL, DEMO_USER,
		      DEMO_PASSWORD, NULL) == 429);
	cr_expect(sess_login_from(server_port(s), "127.0.0.4", NULL, DEMO_USER,
		      DEMO_PASSWORD, NULL) == 200);
	server_stop(s);
}

/* Behind a proxy the client counts and not the proxy; what anybody else says
 * about himself does not. */
Test(throttle, address_is_the_clients_behind_a_trusted_proxy_alone)
{
	static const char guesser[] = "X-Forwarded-For: 192.0.2.1\r\n";
	static const char other[] = "X-Forwarded-For: 192.0.2.2\r\n";
	struct server *s = start("CORGI_THROTTLE_ACCOUNT=0",
	    "CORGI_THROTTLE_ADDRESS=2", "CORGI_TRUSTED_PROXIES=127.0.0.2");
	int n;

	for (n = 0; n < 2; n++)
		cr_expect(sess_login_from(server_port(s), "127.0.0.2", guesser,
			      DEMO_USER, "wrong", NULL) == 401);
	cr_expect(sess_login_from(server_port(s), "127.0.0.2", guesser,
		      DEMO_USER, DEMO_PASSWORD, NULL) == 429);
	cr_expect(sess_login_from(server_port(s), "127.0.0.2", other, DEMO_USER,
		      DEMO_PASSWORD, NULL) == 200);
	/* No proxy: the header is the client's own invention. */
	cr_expect(sess_login_from(server_port(s), "127.0.0.5", guesser,
		      DEMO_USER, DEMO_PASSWORD, NULL) == 200);
	for (n = 0; n < 2; n++)
		cr_expect(sess_login_from(server_port(s), "127.0.0.5",
			      n == 0 ? guesser : other, DEMO_USER, "wrong",
			      NULL) == 401);
	cr_expect(sess_login_from(server_port(s), "127.0.0.5", other, DEMO_USER,
		      DEMO_PASSWORD, NULL) == 429);
	server_stop(s);
}

/* A stolen fresh token is no way around it. */
Test(throttle, guesses_at_the_current_password_count_too)
{
	static const char body[] = "{\"current_password\": \"wrong\", "
				   "\"new_password\": \"a-quiet-orbit\"}";
	struct server *s =
	    start("CORGI_THROTTLE_ACCOUNT=3", "CORGI_THROTTLE_ADDRESS=0", NULL);
	int port = server_port(s), n;
	struct pair pair = pair_demo(port);
	struct raw_response answer;

	for (n = 0; n < 3; n++)
		cr_expect(sess_ask(port, "POST", "/password", pair.access, body,
			      NULL) == 403);
	(void)sess_ask(port, "POST", "/password", pair.access, body, &answer);
	check_member("password", &answer, 429, "error", TOO_MANY);
	raw_response_free(&answer);
	(void)sess_ask(port, "POST", "/password", pair.access,
	    "{\"current_password\": \"" DEMO_PASSWORD
	    "\", \"new_password\": \"a-quiet-orbit\"}",
	    &answer);
	check_member("right", &answer, 429, "error", TOO_MANY);
	raw_response_free(&answer);
	cr_expect(sess_login(port, DEMO_USER, DEMO_PASSWORD) == 429);
	cr_expect(http_get_token(port, "/protected", pair.access, NULL) == 200);
	pair_free(&pair);
	server_stop(s);
}

/* Accounts by the thousand, and names asked for one by one. */
Test(throttle, registrations_count_for_the_address)
{
	struct server *s = start("CORGI_THROTTLE_ACCOUNT=0",
	    "CORGI_THROTTLE_ADDRESS=3", "CORGI_REGISTRATION=yes");
	int port = server_port(s), n, status;
	char *body;

	for (n = 0; n < 4; n++) {
		body = n == 2 ? sess_login_json("dog-1", "a-quiet-orbit")
			      : text_of("{\"username\": \"dog-%d\", "
					"\"password\": \"a-quiet-orbit\"}",
				    n);
		status = sess_ask(port, "POST", "/register", NULL, body, NULL);
		cr_expect(status ==
			(n == 2          ? 409
				: n == 3 ? 429
					 : 201),
		    "%d: %d", n, status);
		free(body);
	}
	cr_expect(sess_login_from(server_port(s), "127.0.0.6", NULL, "dog-1",
		      "a-quiet-orbit", NULL) == 200);
	server_stop(s);
}

/* Attempts at once do not slip through, whatever worker they reach. */
Test(throttle, attempts_at_once_on_all_workers_do_not_slip_through)
{
	struct server *s =
	    start("CORGI_THROTTLE_ACCOUNT=5", "CORGI_THROTTLE_ADDRESS=0", NULL);
	struct raw *clients[20];
	struct raw_response answer;
	int tried = 0, throttled = 0;
	char *text, *body;
	size_t i;

	body = sess_login_json(DEMO_USER, "wrong");
	text = sess_text("POST", "/login", NULL, NULL, body);
	sess_spread(s, clients, 20);
	for (i = 0; i < 20; i++)
		cr_expect(raw_send_text(clients[i], text));
	for (i = 0; i < 20; i++) {
		raw_set_wait(clients[i], 30000);
		cr_expect(raw_read(clients[i], false, &answer) == RAW_OK);
		tried += answer.status == 401;
		throttled += answer.status == 429;
		raw_response_free(&answer);
	}
	cr_expect(tried == 5 && throttled == 15, "%d tried, %d throttled",
	    tried, throttled);
	sess_spread_close(clients, 20);
	free(text);
	free(body);
	server_stop(s);
}

/* Nobody found out whether the password was right: that is no failure. */
Test(throttle, attempts_that_the_store_could_not_decide_do_not_count)
{
	struct server *s =
	    start("CORGI_THROTTLE_ACCOUNT=2", "CORGI_THROTTLE_ADDRESS=0", NULL);
	int port = server_port(s), n;
	char *path, *sound, *junk;
	size_t len;

	path = text_of("%s/corgi.db", server_data_dir(s));
	sound = file_read(path, &len);
	cr_assert(sound != NULL && len > 0);
	junk = text_repeat("x", len);
	file_write(path, junk, len);
	for (n = 0; n < 5; n++)
		cr_expect(sess_login(port, DEMO_USER, "wrong") == 503);
	file_write(path, sound, len);
	cr_expect(fail_until(s, DEMO_USER, 10) == 2);
	free(sound);
	free(junk);
	free(path);
	server_stop(s);
}

/* A client that goes away takes its charge along, when nobody began. */
Test(throttle, attempts_of_clients_that_left_are_settled)
{
	struct server *s = start("CORGI_THROTTLE_ACCOUNT=6",
	    "CORGI_THROTTLE_ADDRESS=0", "CORGI_ARGON2_PASSES=6");
	struct raw *clients[5];
	char *text, *body;
	long long end;
	size_t i;
	int status, failed;

	body = sess_login_json(DEMO_USER, DEMO_PASSWORD);
	text = sess_text("POST", "/login", NULL, NULL, body);
	for (i = 0; i < 5; i++) {
		clients[i] = raw_connect(server_port(s));
		cr_expect(raw_send_text(clients[i], text));
	}
	for (i = 0; i < 5; i++)
		raw_reset(clients[i]);
	/* Those under way end as good ones, the others as if never sent. */
	end = now_ms() + 20000;
	do
		status = sess_login(server_port(s), DEMO_USER, DEMO_PASSWORD);
	while (status != 200 && now_ms() < end);
	cr_expect(status == 200, "%d", status);
	/* None of theirs is left among the six. One that is still under way
	 * ends as a good one and begins the count anew. */
	failed = fail_until(s, DEMO_USER, 20);
	cr_expect(failed >= 6 && failed <= 11, "%d", failed);
	free(text);
	free(body);
	server_stop(s);
}

Test(throttle, corgictl_shows_and_clears_the_counts)
{
	struct server *s =
	    start("CORGI_THROTTLE_ACCOUNT=1", "CORGI_THROTTLE_ADDRESS=0", NULL);
	int port = server_port(s);

	cr_expect(fail_until(s, DEMO_USER, 5) == 1);
	cr_expect(fail_until(s, "nobody", 5) == 1);
	cr_expect(sess_ctl(s, NULL, "throttle", "list", NULL) == 0);
	cr_expect(sess_ctl(s, NULL, "throttle", "clear", DEMO_USER, NULL) == 0);
	cr_expect(sess_login(port, DEMO_USER, DEMO_PASSWORD) == 200);
	cr_expect(sess_login(port, "nobody", "wrong") == 429);
	cr_expect(sess_ctl(s, NULL, "throttle", "clear", "--all", NULL) == 0);
	cr_expect(sess_login(port, "nobody", "wrong") == 401);
	server_stop(s);
}

/* Each has counts of its own: a failed login is not worth a write to the disk.
 * With a server they count together, see test_nodes_throttle.c. */
Test(throttle, services_on_one_folder_count_each_for_itself)
{
	const char *env[] = {"JWT_SECRET_KEY=" TOK_SECRET,
	    "CORGI_THROTTLE_ACCOUNT=2", "CORGI_THROTTLE_SECONDS=3600", NULL};
	struct server_options options = {.environment = env};
	struct server *one, *other;
	char *folder = scratch_new();

	options.data_dir = folder;
	one = server_start(&options);
	other = server_start(&options);
	cr_expect(fail_until(one, DEMO_USER, 10) == 2);
	cr_expect(
	    sess_login(server_port(one), DEMO_USER, DEMO_PASSWORD) == 429);
	cr_expect(
	    sess_login(server_port(other), DEMO_USER, DEMO_PASSWORD) == 200);
	server_stop(one);
	server_stop(other);
	scratch_free(folder);
}
