/*
 * Two nodes, each with a data folder of its own, on one PostgreSQL database:
 * what is revoked on one is refused on the other, and a node that has lost the
 * database guesses nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "check.h"
#include "database.h"
#include "http.h"
#include "nodes.h"
#include "sess.h"
#include "suite.h"
#include "tok.h"

/* Logouts that are measured, and refreshes at once. */
#define LOGOUTS    100
#define CONCURRENT 20

/* How long the node that is cut off hears nothing before it notices. */
#define SILENCE_SECONDS 3

/* How long what has to happen may take at most (milliseconds). */
#define PATIENCE_MS 20000

static long long refused_after(const char *);
static int compare(const void *, const void *);
static bool comes_to(int, const char *, const char *, int, int);

TestSuite(nodes, .init = nodes_begin, .fini = nodes_end, .timeout = 180);

/* Whether a request on a node comes to have this status, and, until then, only
 * the other one. */
static bool
comes_to(int port, const char *path, const char *token, int status, int before)
{
	long long until = now_ms() + PATIENCE_MS;
	int got;

	for (;;) {
		got = http_get_token(port, path, token, NULL);
		if (got == status)
			return (true);
		cr_expect(
		    got == before, "%s: %d, not %d before", path, got, before);
		if (got != before || now_ms() > until)
			return (false);
		sleep_ms(20);
	}
}

/* How long after its answer a logout on the first node is known on the second
 * (milliseconds). */
static long long
refused_after(const char *token)
{
	long long answered;

	cr_assert(http_get_token(
		      server_port(nodes.b), "/protected", token, NULL) == 200);
	cr_assert(sess_ask(server_port(nodes.a), "DELETE", "/logout", token,
		      NULL, NULL) == 200);
	answered = now_ms();
	while (http_get_token(
		   server_port(nodes.b), "/protected", token, NULL) != 401) {
		cr_assert(now_ms() - answered < PATIENCE_MS);
		sleep_ms(1);
	}
	return (now_ms() - answered);
}

static int
compare(const void *x, const void *y)
{
	const long long *l = x, *r = y;

	return ((*l > *r) - (*l < *r));
}

/* Without being told, a node would ask once a second. */
Test(nodes, a_logout_on_one_is_told_to_the_other_at_once)
{
	long long delays[LOGOUTS];
	struct pair pair;
	int i;

	nodes_start_both(NULL, NULL);
	for (i = 0; i < LOGOUTS; i++) {
		pair = pair_demo(server_port(nodes.a));
		delays[i] = refused_after(pair.access);
		pair_free(&pair);
	}
	qsort(delays, LOGOUTS, sizeof(delays[0]), compare);
	(void)fprintf(stderr,
	    "delay of a logout: median %lld ms, p99 %lld ms, longest %lld ms\n",
	    delays[LOGOUTS / 2], delays[(LOGOUTS * 99 - 1) / 100],
	    delays[LOGOUTS - 1]);
	cr_expect(delays[LOGOUTS * 9 / 10] < 100, "%lld ms",
	    delays[LOGOUTS * 9 / 10]);
	server_stop(nodes.a);
	server_stop(nodes.b);
}

Test(nodes, a_strict_guard_knows_of_a_logout_without_delay)
{
	char *text = suite_routes("access strict");
	struct pair pair, other;
	int i;

	nodes_start_both("CORGI_DATABASE_SILENCE=3600", text);
	other = pair_demo(server_port(nodes.a));
	for (i = 0; i < LOGOUTS; i++) {
		pair = pair_demo(server_port(nodes.a));
		cr_assert(http_get_token(server_port(nodes.b), "/protected",
			      pair.access, NULL) == 200);
		cr_assert(sess_ask(server_port(nodes.a), "DELETE", "/logout",
			      pair.access, NULL, NULL) == 200);
		cr_expect(http_get_token(server_port(nodes.b), "/protected",
			      pair.access, NULL) == 401,
		    "accepted after logout %d", i);
		cr_expect(http_get_token(server_port(nodes.b), "/protected",
			      other.access, NULL) == 200);
		pair_free(&pair);
	}
	nodes_cut_off();
	cr_expect(http_get_token(server_port(nodes.b), "/protected",
		      other.access, NULL) == 503,
	    "answered without the database");
	cr_expect(http_get_token(server_port(nodes.b), "/protected", "a.b.c",
		      NULL) == 422);
	cr_expect(http_get_token(
		      server_port(nodes.b), "/me", other.access, NULL) == 200);
	nodes_connect_again();
	cr_expect(comes_to(
	    server_port(nodes.b), "/protected", other.access, 200, 503));
	pair_free(&other);
	server_stop(nodes.a);
	server_stop(nodes.b);
	free(text);
}

Test(nodes, one_that_is_cut_off_stops_and_never_serves_what_was_revoked)
{
	char *silence = text_of("CORGI_DATABASE_SILENCE=%d", SILENCE_SECONDS);
	struct raw_response answer;
	struct pair ended, kept;
	long long began;

	nodes_start_both(silence, NULL);
	ended = pair_demo(server_port(nodes.a));
	kept = pair_demo(server_port(nodes.a));
	cr_assert(http_get_token(server_port(nodes.b), "/protected",
		      ended.access, NULL) == 200);
	nodes_cut_off();
	began = now_ms();
	cr_expect(comes_to(
	    server_port(nodes.b), "/protected", kept.access, 503, 200));
	/* The last word was up to a second and a half old. */
	cr_expect(now_ms() - began > SILENCE_SECONDS * 1000 - 2500,
	    "it stopped too soon");
	cr_expect(now_ms() - began < SILENCE_SECONDS * 1000 + 1500,
	    "it stopped too late");
	(void)http_get_token(
	    server_port(nodes.b), "/protected", kept.access, &answer);
	cr_expect(raw_header(&answer, "retry-after") != NULL);
	raw_response_free(&answer);
	cr_expect(http_get(server_port(nodes.b), "/ready", NULL, NULL) == 503);
	cr_expect(http_get(server_port(nodes.b), "/health", NULL, NULL) == 200);
	cr_expect(http_get_token(server_port(nodes.b), "/protected", "a.b.c",
		      NULL) == 422);

	cr_assert(sess_ask(server_port(nodes.a), "DELETE", "/logout",
		      ended.access, NULL, NULL) == 200);
	cr_expect(http_get_token(server_port(nodes.a), "/protected",
		      kept.access, NULL) == 200);
	nodes_connect_again();
	cr_expect(comes_to(
	    server_port(nodes.b), "/protected", ended.access, 401, 503));
	cr_expect(comes_to(
	    server_port(nodes.b), "/protected", kept.access, 200, 503));
	cr_expect(
	    comes_to(server_port(nodes.b), "/ready", kept.access, 200, 503));
	pair_free(&ended);
	pair_free(&kept);
	server_stop(nodes.a);
	server_stop(nodes.b);
	free(silence);
}

/* Its risk is in the documentation. */
Test(nodes, one_that_may_goes_on_serving_and_catches_up)
{
	struct pair ended;
	long long until;

	nodes_start_both("CORGI_DATABASE_SILENCE=0", NULL);
	ended = pair_demo(server_port(nodes.a));
	cr_assert(http_get_token(server_port(nodes.b), "/protected",
		      ended.access, NULL) == 200);
	nodes_cut_off();
	cr_assert(sess_ask(server_port(nodes.a), "DELETE", "/logout",
		      ended.access, NULL, NULL) == 200);
	until = now_ms() + 3000;
	while (now_ms() < until) {
		cr_expect(http_get_token(server_port(nodes.b), "/protected",
			      ended.access, NULL) == 200);
		sleep_ms(100);
	}
	cr_expect(http_get(server_port(nodes.b), "/ready", NULL, NULL) == 503);
	nodes_connect_again();
	cr_expect(comes_to(
	    server_port(nodes.b), "/protected", ended.access, 401, 200));
	pair_free(&ended);
	server_stop(nodes.a);
	server_stop(nodes.b);
}

/* Half of them on each node, all on the wire before the first is answered. */
Test(nodes, refreshes_of_one_token_on_both_leave_one_successor)
{
	struct raw_response answers[CONCURRENT];
	struct pair first, pairs[CONCURRENT];
	char *text, *count;
	int i;

	nodes_start_both("CORGI_REFRESH_GRACE=300", NULL);
	first = pair_demo(server_port(nodes.a));
	text = sess_text("POST", "/refresh", first.refresh, NULL, NULL);
	nodes_ask_at_once(text, answers, CONCURRENT);
	for (i = 0; i < CONCURRENT; i++) {
		cr_assert(answers[i].status == 200 &&
			pair_take(&answers[i], &pairs[i]),
		    "%d: %d %s", i, answers[i].status, answers[i].body);
		raw_response_free(&answers[i]);
		cr_expect_str_eq(pairs[i].refresh, pairs[0].refresh);
	}
	for (i = 0; i < CONCURRENT; i++) {
		cr_expect(http_get_token(server_port(i % 2 ? nodes.b : nodes.a),
			      "/protected", pairs[i].access, NULL) == 200);
		pair_free(&pairs[i]);
	}
	count = database_query(nodes.folder,
	    "SELECT count(*) || ' ' || (SELECT count(*) FROM corgi.rotations)"
	    " FROM corgi.sessions");
	cr_expect_str_eq(count, "1 1");
	free(count);
	free(text);
	pair_free(&first);
	server_stop(nodes.a);
	server_stop(nodes.b);
}
