/*
 * Two nodes on one PostgreSQL database count failed logins together. The
 * counts are small and the waits long, so that no wait ends in the middle of a
 * test; what a node has heard is asked of corgictl, as an attempt would count.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "database.h"
#include "http.h"
#include "nodes.h"
#include "sess.h"
#include "suite.h"
#include "tok.h"

/* The owner's address, an attacker's, and one that nobody knows. */
#define HOME  "127.0.0.2"
#define EVIL  "127.0.0.3"
#define OTHER "127.0.0.4"

/* Failures that are measured. */
#define MEASURED 50

/* How long what has to happen may take at most (milliseconds), and how often a
 * node looks at the log in any case. */
#define PATIENCE_MS  NODES_PATIENCE_MS
#define HEARTBEAT_MS 1000

/* Failures at once. */
#define CONCURRENT 24

/* How long a node that is cut off hears nothing before it notices; also in
 * soon_unsure. */
#define SILENCE_MS 3000

/* Connections that fail at once, and for how long (milliseconds). */
#define FLOODERS 8
#define FLOOD_MS 8000

/* Logins while the database is out of reach, and the lines a worker writes of
 * them in a second. */
#define LOGINS          2000
#define FLOOD_LINES_MAX 100

static void start_both(const char *const *);
static void stop_both(void);
static int log_in(const struct server *, const char *, const char *);
static void fail(const struct server *, const char *, int);
static size_t audit_lines(const struct server *, const char *);

TestSuite(
    nodes_throttle, .init = nodes_begin, .fini = nodes_end, .timeout = 180);

static const char *const four[] = {"CORGI_THROTTLE_ACCOUNT=4",
    "CORGI_THROTTLE_ADDRESS=100", "CORGI_THROTTLE_SECONDS=3600", NULL};
static const char *const five_of_address[] = {
    "CORGI_THROTTLE_ADDRESS=5", "CORGI_THROTTLE_SECONDS=3600", NULL};
static const char *const soon_unsure[] = {"CORGI_THROTTLE_ACCOUNT=4",
    "CORGI_THROTTLE_SECONDS=3600", "CORGI_DATABASE_SILENCE=3", NULL};
static const char *const flooded[] = {"CORGI_THROTTLE_ACCOUNT=1000",
    "CORGI_THROTTLE_ADDRESS=100000", "CORGI_DATABASE_SILENCE=3", NULL};
static const char *const many[] = {
    "CORGI_THROTTLE_ACCOUNT=1000", "CORGI_THROTTLE_ADDRESS=1000", NULL};

static void
start_both(const char *const *settings)
{
	nodes.a = nodes_start(0, settings, NULL);
	nodes.b = nodes_start(1, settings, NULL);
}

static void
stop_both(void)
{
	server_stop(nodes.a);
	server_stop(nodes.b);
}

static int
log_in(const struct server *node, const char *from, const char *password)
{
	return (sess_login_from(
	    server_port(node), from, NULL, DEMO_USER, password, NULL));
}

/* So many failures of the demo account. */
static void
fail(const struct server *node, const char *from, int times)
{
	while (times-- > 0)
		cr_assert(log_in(node, from, "wrong") == 401);
}

/* Lines of a node's audit log with a text in them. */
static size_t
audit_lines(const struct server *node, const char *text)
{
	char *path = text_of("%s/audit.log", server_data_dir(node));
	char *all = file_read(path, NULL), *at;
	size_t count = 0;

	cr_assert(all != NULL, "%s cannot be read", path);
	for (at = all; (at = strstr(at, text)) != NULL; at++)
		count++;
	free(all);
	free(path);
	return (count);
}

Test(nodes_throttle, failures_on_one_hold_up_the_other)
{
	struct raw_response answer;
	const char *after;

	start_both(four);
	nodes_add_account("laika", "laika-in-orbit");
	fail(nodes.a, EVIL, 3);
	cr_expect(nodes_hears(nodes.b, DEMO_USER, 3));
	fail(nodes.b, EVIL, 1);
	cr_expect(nodes_hears(nodes.a, DEMO_USER, 4));
	cr_expect(log_in(nodes.a, OTHER, DEMO_PASSWORD) == 429);
	cr_expect(sess_login_from(server_port(nodes.b), OTHER, NULL, DEMO_USER,
		      DEMO_PASSWORD, &answer) == 429);
	after = raw_header(&answer, "retry-after");
	cr_expect(after != NULL && atoi(after) > 0 && atoi(after) <= 3600);
	raw_response_free(&answer);

	/* Others go on, and below the limit so does everybody. */
	cr_expect(sess_login(server_port(nodes.b), "laika", "wrong") == 401);
	cr_expect(nodes_hears(nodes.a, "laika", 1));
	cr_expect(
	    sess_login(server_port(nodes.a), "laika", "laika-in-orbit") == 200);
	cr_expect(nodes_hears(nodes.b, "laika", 0));
	stop_both();
}

Test(nodes_throttle, addresses_and_names_that_are_none_count_too)
{
	int n, status;
	char *name;

	start_both(five_of_address);
	for (n = 0; n < 5; n++) {
		name = text_of("typed-%d", n);
		status = sess_login_from(server_port(n % 2 ? nodes.a : nodes.b),
		    EVIL, NULL, name, "wrong", NULL);
		cr_expect(status == 401, "%d: %d", n, status);
		free(name);
	}
	cr_expect(nodes_hears(nodes.a, EVIL, 5));
	cr_expect(nodes_hears(nodes.b, EVIL, 5));
	cr_expect(log_in(nodes.a, EVIL, DEMO_PASSWORD) == 429);
	cr_expect(log_in(nodes.b, EVIL, DEMO_PASSWORD) == 429);
	cr_expect(log_in(nodes.b, HOME, DEMO_PASSWORD) == 200);
	stop_both();
}

/* What was typed for a name may be a password. */
Test(nodes_throttle, only_names_of_accounts_are_in_the_database)
{
	char *names;

	start_both(four);
	cr_expect(sess_login(server_port(nodes.a), "hunter2", "wrong") == 401);
	fail(nodes.a, HOME, 1);
	cr_expect(nodes_hears(nodes.b, DEMO_USER, 1));
	cr_expect(nodes_counted(nodes.b, "hunter2") == 0);
	cr_expect(
	    nodes_counted(nodes.b, "(no account; typed on another node)") == 1);
	names = database_query(nodes.folder,
	    "SELECT string_agg(coalesce(encode(name, 'escape'), '-'), ' '"
	    " ORDER BY number) || ' ' || count(account) FROM corgi.attempts");
	cr_expect_str_eq(names, "- " DEMO_USER " 2");
	free(names);
	stop_both();
}

Test(nodes_throttle, the_owner_gets_in_on_both_from_a_known_address)
{
	start_both(four);
	cr_expect(log_in(nodes.a, HOME, DEMO_PASSWORD) == 200);
	fail(nodes.a, EVIL, 4);
	cr_expect(nodes_hears(nodes.b, DEMO_USER, 4));
	cr_expect(log_in(nodes.b, EVIL, DEMO_PASSWORD) == 429);
	cr_expect(log_in(nodes.b, OTHER, DEMO_PASSWORD) == 429);
	cr_expect(log_in(nodes.b, HOME, DEMO_PASSWORD) == 200);
	/* Which clears the count for everybody. */
	cr_expect(nodes_hears(nodes.a, DEMO_USER, 0));
	cr_expect(log_in(nodes.a, OTHER, DEMO_PASSWORD) == 200);
	stop_both();
}

Test(nodes_throttle, corgictl_clears_on_both)
{
	start_both(four);
	fail(nodes.a, EVIL, 4);
	cr_expect(nodes_hears(nodes.b, DEMO_USER, 4));
	cr_expect(log_in(nodes.b, OTHER, DEMO_PASSWORD) == 429);
	cr_expect(
	    sess_ctl(nodes.a, NULL, "throttle", "clear", DEMO_USER, NULL) == 0);
	cr_expect(nodes_hears(nodes.b, DEMO_USER, 0));
	cr_expect(log_in(nodes.b, OTHER, DEMO_PASSWORD) == 200);

	cr_expect(nodes_counted(nodes.b, EVIL) == 4);
	cr_expect(sess_ctl(nodes.b, NULL, "throttle", "clear", "--address",
		      EVIL, NULL) == 0);
	cr_expect(nodes_hears(nodes.a, EVIL, 0));
	fail(nodes.a, EVIL, 2);
	cr_expect(nodes_hears(nodes.b, EVIL, 2));
	cr_expect(
	    sess_ctl(nodes.b, NULL, "throttle", "clear", "--all", NULL) == 0);
	cr_expect(nodes_hears(nodes.a, EVIL, 0) &&
	    nodes_hears(nodes.a, DEMO_USER, 0));
	stop_both();
}

Test(nodes_throttle, one_that_is_started_later_knows)
{
	nodes.a = nodes_start(0, four, NULL);
	cr_expect(log_in(nodes.a, HOME, DEMO_PASSWORD) == 200);
	fail(nodes.a, EVIL, 4);
	cr_expect(log_in(nodes.a, EVIL, DEMO_PASSWORD) == 429);
	nodes.b = nodes_start(1, four, NULL);
	cr_expect(log_in(nodes.b, EVIL, DEMO_PASSWORD) == 429);
	cr_expect(nodes_counted(nodes.b, DEMO_USER) == 4);

	/* Also when none is left that could tell. */
	stop_both();
	nodes.a = nodes_start(0, four, NULL);
	cr_expect(log_in(nodes.a, EVIL, DEMO_PASSWORD) == 429);
	cr_expect(nodes_counted(nodes.a, DEMO_USER) == 4);
	cr_expect(log_in(nodes.a, HOME, DEMO_PASSWORD) == 200);
	server_stop(nodes.a);
}

/* What it was told last is written also when it ends at once. */
Test(nodes_throttle, one_that_ends_leaves_its_last_words)
{
	start_both(four);
	fail(nodes.b, EVIL, 4);
	server_stop(nodes.b);
	cr_expect(nodes_hears(nodes.a, DEMO_USER, 4));
	cr_expect(log_in(nodes.a, OTHER, DEMO_PASSWORD) == 429);
	server_stop(nodes.a);
}

/* Before it knows what it missed it decides nothing. */
Test(nodes_throttle, one_that_is_cut_off_catches_up_first)
{
	long long until;
	int status;

	start_both(soon_unsure);
	cr_expect(log_in(nodes.b, OTHER, "wrong") == 401);
	cr_expect(nodes_hears(nodes.a, DEMO_USER, 1));
	nodes_cut_off();
	fail(nodes.a, EVIL, 3);
	cr_expect(log_in(nodes.a, OTHER, DEMO_PASSWORD) == 429);
	cr_expect(log_in(nodes.b, OTHER, DEMO_PASSWORD) == 503);
	cr_expect(nodes_counted(nodes.b, DEMO_USER) == 1);
	sleep_ms(SILENCE_MS + 1500);
	cr_expect(http_get(server_port(nodes.b), "/ready", NULL, NULL) == 503);
	nodes_connect_again();
	until = now_ms() + PATIENCE_MS;
	do {
		status = log_in(nodes.b, OTHER, DEMO_PASSWORD);
	} while (status == 503 && now_ms() < until);
	cr_expect(status == 429, "%d", status);
	cr_expect(nodes_counted(nodes.b, DEMO_USER) == 4);
	stop_both();
}

/* Two workers of each node hear of every row. */
Test(nodes_throttle, every_failure_counts_once)
{
	long long delays[MEASURED], longest = 0, sum = 0, began;
	int i;

	start_both(many);
	for (i = 0; i < MEASURED; i++) {
		fail(i % 2 ? nodes.b : nodes.a, EVIL, 1);
		began = now_ms();
		cr_assert(nodes_hears(i % 2 ? nodes.a : nodes.b, EVIL, i + 1));
		delays[i] = now_ms() - began;
		sum += delays[i];
		longest = delays[i] > longest ? delays[i] : longest;
	}
	(void)fprintf(stderr,
	    "a failure is known on the other node, with the time that corgictl "
	    "takes to say so: mean %lld ms, longest %lld ms\n",
	    sum / MEASURED, longest);
	sleep_ms(2 * HEARTBEAT_MS);
	cr_expect(nodes_counted(nodes.a, EVIL) == MEASURED);
	cr_expect(nodes_counted(nodes.b, EVIL) == MEASURED);
	cr_expect(nodes_counted(nodes.a, DEMO_USER) == MEASURED);
	cr_expect(nodes_counted(nodes.b, DEMO_USER) == MEASURED);
	stop_both();
}

/* All on the wire before the first is answered, on both nodes and whatever
 * workers they reach. */
Test(nodes_throttle, failures_at_once_on_both_count_once_each)
{
	struct raw_response answers[CONCURRENT];
	char *body = sess_login_json(DEMO_USER, "wrong");
	char *text = sess_text("POST", "/login", NULL, NULL, body);
	int i;

	start_both(many);
	nodes_ask_at_once(text, answers, CONCURRENT);
	for (i = 0; i < CONCURRENT; i++) {
		cr_expect(
		    answers[i].status == 401, "%d: %d", i, answers[i].status);
		raw_response_free(&answers[i]);
	}
	cr_expect(nodes_hears(nodes.a, DEMO_USER, CONCURRENT));
	cr_expect(nodes_hears(nodes.b, DEMO_USER, CONCURRENT));
	sleep_ms(2 * HEARTBEAT_MS);
	cr_expect(nodes_counted(nodes.a, DEMO_USER) == CONCURRENT);
	cr_expect(nodes_counted(nodes.b, DEMO_USER) == CONCURRENT);
	free(text);
	free(body);
	stop_both();
}

/* Good logins that change nothing are not worth a row. */
Test(nodes_throttle, good_logins_are_told_once)
{
	char *count;
	int i;

	start_both(four);
	for (i = 0; i < 20; i++)
		cr_expect(log_in(i % 2 ? nodes.a : nodes.b, HOME,
			      DEMO_PASSWORD) == 200);
	fail(nodes.a, EVIL, 1);
	cr_expect(nodes_hears(nodes.b, DEMO_USER, 1));
	count = database_query(nodes.folder,
	    "SELECT count(*) FILTER (WHERE kind = 1) || ' ' ||"
	    " (count(*) FILTER (WHERE kind = 3) BETWEEN 1 AND 2)"
	    " FROM corgi.attempts");
	cr_expect_str_eq(count, "1 true");
	free(count);
	stop_both();
}

/* The table that tells others may be missing, or out of bounds: a service that
 * lets nobody in because of it would be worse. */
Test(nodes_throttle, without_the_log_a_node_counts_for_itself)
{
	char *sql;

	start_both(four);
	sql = text_of("REVOKE ALL ON corgi.attempts FROM %s, %s",
	    nodes.roles[0], nodes.roles[1]);
	free(database_query(nodes.folder, sql));
	fail(nodes.a, EVIL, 4);
	cr_expect(log_in(nodes.a, OTHER, DEMO_PASSWORD) == 429);
	cr_expect(server_log_wait(
	    nodes.a, "failed logins are not told to other nodes", 10000));
	cr_expect(log_in(nodes.b, OTHER, DEMO_PASSWORD) == 200);
	sleep_ms(2 * HEARTBEAT_MS);
	cr_expect(log_in(nodes.b, OTHER, DEMO_PASSWORD) == 200);
	cr_expect(http_get(server_port(nodes.b), "/ready", NULL, NULL) == 200);
	free(sql);
	/* They wait until they can be told. */
	sql = text_of("GRANT SELECT, INSERT, UPDATE, DELETE ON corgi.attempts"
		      " TO %s, %s",
	    nodes.roles[0], nodes.roles[1]);
	free(database_query(nodes.folder, sql));
	cr_expect(nodes_hears(nodes.b, DEMO_USER, 4));
	free(sql);
	stop_both();
}

/* Whoever fails without a pause sees to it that there is always a row to be
 * told, and a server may be slow to take it: neither holds up what else the
 * node has to hear, or its guards would let nobody in. */
Test(nodes_throttle, a_flood_of_failures_is_no_reason_to_be_silent)
{
	char *body = sess_login_json("nobody", "wrong"), *token;
	char *text = sess_text("POST", "/login", NULL, NULL, body);
	struct raw *connections[FLOODERS];
	struct raw_response answer;
	long long end;
	int i, status;

	nodes.workers = 1;
	nodes.a = nodes_start(0, flooded, NULL);
	token = http_token(server_port(nodes.a));
	free(database_query(nodes.folder,
	    "CREATE FUNCTION corgi.slow() RETURNS trigger LANGUAGE plpgsql AS"
	    " $$ BEGIN PERFORM pg_sleep(0.4); RETURN NULL; END $$;"
	    "CREATE TRIGGER slow BEFORE INSERT ON corgi.attempts"
	    " FOR EACH STATEMENT EXECUTE FUNCTION corgi.slow()"));
	for (i = 0; i < FLOODERS; i++) {
		connections[i] = raw_connect(server_port(nodes.a));
		raw_set_wait(connections[i], PATIENCE_MS);
	}
	end = now_ms() + FLOOD_MS;
	do {
		for (i = 0; i < FLOODERS; i++)
			cr_expect(raw_send_text(connections[i], text));
		status = http_get_token(
		    server_port(nodes.a), "/protected", token, NULL);
		cr_expect(status == 200, "a guard: %d", status);
		for (i = 0; i < FLOODERS; i++) {
			cr_assert(
			    raw_read(connections[i], false, &answer) == RAW_OK);
			cr_expect(answer.status == 401, "%d", answer.status);
			status = status == 200 ? answer.status : status;
			raw_response_free(&answer);
		}
	} while (status == 401 && now_ms() < end);
	for (i = 0; i < FLOODERS; i++)
		raw_close(connections[i]);
	free(token);
	free(text);
	free(body);
	server_stop(nodes.a);
}

/* Nothing is hashed then and nobody held up: that must not fill the disk. */
Test(nodes_throttle, a_flood_without_the_database_leaves_few_lines)
{
	char *body = sess_login_json(DEMO_USER, "wrong");
	long long begun;
	size_t lines;
	struct raw *r;
	int i;

	start_both(soon_unsure);
	nodes_cut_off();
	sleep_ms(SILENCE_MS + 1500);
	r = raw_connect(server_port(nodes.b));
	begun = now_ms();
	for (i = 0; i < LOGINS; i++)
		cr_assert(
		    sess_ask_on(r, "POST", "/login", NULL, body, NULL) == 503);
	lines = audit_lines(nodes.b, "\"reason\":\"store\"");
	cr_expect(lines >= 1 &&
		lines <=
		    FLOOD_LINES_MAX * (size_t)((now_ms() - begun) / 1000 + 3),
	    "%zu lines of %d", lines, LOGINS);
	raw_close(r);
	free(body);
	stop_both();
}
