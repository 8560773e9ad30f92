/*
 * A node, or one of its workers, is killed with -9 behind nginx: what can be
 * repeated without harm is repeated, and no client sees anything of it.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "customer.h"
#include "http.h"
#include "sess.h"

#define CUSTOMERS 6

/* How long it goes on, unless CLUSTER_SECONDS says otherwise. */
#define SECONDS 8

/* Between two kills (milliseconds). */
#define PAUSE_MS 500

/* Requests under way when a node is killed; of each two one is on that node. */
#define UNDER_WAY 8

/* How long the living node may take for its share (milliseconds). */
#define SHARE_MS 50000

/* What nginx.conf has for /login and /refresh alone. */
#define REPEATED " non_idempotent"

TestSuite(kill, .timeout = 590);

Test(kill, node_or_worker_that_is_killed_fails_no_request)
{
	static struct customer customers[CUSTOMERS];
	struct fleet *f = fleet_start(NULL, NULL);
	long long end = now_ms() + fleet_duration(SECONDS);
	unsigned int kills, asked;
	struct fleet_log log;
	struct tally all;
	int node;

	customers_start(f, customers, CUSTOMERS, false);
	for (kills = 0; kills < 4 || now_ms() < end; kills++) {
		node = kills % FLEET_NODES;
		sleep_ms(PAUSE_MS);
		fleet_node_kill(f, node);
		sleep_ms(PAUSE_MS);
		fleet_node_start(f, node);
		sleep_ms(PAUSE_MS);
		fleet_worker_kill(f, node);
	}
	all = customers_stop(customers, CUSTOMERS);
	log = fleet_read_log(f);
	asked = customers_verify(f, customers, CUSTOMERS);
	(void)printf("kill: %u nodes and %u workers killed\n", kills, kills);
	customers_report("kill", &all, &log, asked);
	cr_expect_eq(all.failed, 0, "%u failed: %s", all.failed, all.first);
	/* Nothing but a new password that was under way. */
	cr_expect_eq(log.s502, all.unsure);
	cr_expect_eq(log.s500 + log.s503 + log.s504, 0);
	cr_expect_geq(all.logins, CUSTOMERS);
	cr_expect_gt(all.refreshes, CUSTOMERS);
	cr_expect_gt(log.repeated, 0);
	fleet_stop(f);
}

/* Connections with that request on them, all under way, half of them on the
 * first node, which hangs: those of the other have been answered. */
static void
send_all(struct fleet *f, struct raw **connections, const char *text)
{
	long long end;
	int i, open;

	for (i = 0; i < UNDER_WAY; i++) {
		connections[i] = raw_connect(fleet_port(f));
		cr_assert(raw_send_text(connections[i], text));
	}
	end = now_ms() + SHARE_MS;
	do {
		sleep_ms(20);
		for (i = 0, open = 0; i < UNDER_WAY; i++)
			open += !raw_readable(connections[i], 0);
	} while (open > UNDER_WAY / 2 && now_ms() < end);
	cr_assert_eq(open, UNDER_WAY / 2, "%d hang", open);
}

/* How many of these requests are answered 200 when the node that has half of
 * them is killed. */
static int
answered(struct fleet *f, const char *text)
{
	struct raw *connections[UNDER_WAY];
	struct raw_response answer;
	int i, count = 0;

	cr_assert(kill(-server_pid(fleet_node(f, 0)), SIGSTOP) == 0);
	send_all(f, connections, text);
	fleet_node_kill(f, 0);
	for (i = 0; i < UNDER_WAY; i++) {
		raw_set_wait(connections[i], SHARE_MS);
		cr_expect(raw_read(connections[i], false, &answer) == RAW_OK);
		cr_expect(answer.status == 200 || answer.status == 502, "%d",
		    answer.status);
		count += answer.status == 200;
		raw_response_free(&answer);
		raw_close(connections[i]);
	}
	fleet_node_start(f, 0);
	return (count);
}

/* The same requests through the same nginx with and without what lets it
 * repeat a POST. */
static void
expect_answered(const char *without, int posts)
{
	struct fleet *f = fleet_start(NULL, without);
	char *json = sess_login_json(DEMO_USER, DEMO_PASSWORD);
	char *login = sess_text("POST", "/login", NULL, NULL, json);
	struct pair pair = pair_demo(fleet_port(f));
	char *guarded = sess_text("GET", "/protected", pair.access, NULL, NULL);
	char *refresh = sess_text("POST", "/refresh", pair.refresh, NULL, NULL);

	cr_expect_eq(answered(f, guarded), UNDER_WAY);
	cr_expect_eq(answered(f, login), posts);
	cr_expect_eq(answered(f, refresh), posts);
	pair_free(&pair);
	free(refresh);
	free(guarded);
	free(login);
	free(json);
	fleet_stop(f);
}

Test(kill, what_hangs_on_a_killed_node_is_answered_by_the_other)
{
	expect_answered(NULL, UNDER_WAY);
}

/* The control. */
Test(kill, without_leave_to_repeat_them_posts_are_lost)
{
	expect_answered(REPEATED, UNDER_WAY / 2);
}
