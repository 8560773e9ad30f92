/*
 * Two nodes behind nginx are restarted one after the other, again and again,
 * under load: no request is lost.
 */
#include <stdio.h>

#include <criterion/criterion.h>

#include "customer.h"

#define CUSTOMERS 6

/* How long it goes on, unless CLUSTER_SECONDS says otherwise. */
#define SECONDS 6

/* Between two restarts (milliseconds). */
#define PAUSE_MS 200

TestSuite(rolling, .timeout = 590);

Test(rolling, restart_of_both_nodes_in_turn_loses_no_request)
{
	static struct customer customers[CUSTOMERS];
	struct fleet *f = fleet_start(NULL, NULL);
	long long end = now_ms() + fleet_duration(SECONDS);
	unsigned int restarts, asked;
	struct fleet_log log;
	struct tally all;

	customers_start(f, customers, CUSTOMERS, false);
	for (restarts = 0; restarts < 4 || now_ms() < end; restarts++) {
		sleep_ms(PAUSE_MS);
		fleet_node_stop(f, restarts % FLEET_NODES);
		sleep_ms(PAUSE_MS);
		fleet_node_start(f, restarts % FLEET_NODES);
	}
	all = customers_stop(customers, CUSTOMERS);
	log = fleet_read_log(f);
	asked = customers_verify(f, customers, CUSTOMERS);
	(void)printf("rolling: %u restarts\n", restarts);
	customers_report("rolling", &all, &log, asked);
	cr_expect_eq(all.failed, 0, "%u failed: %s", all.failed, all.first);
	cr_expect_eq(all.unsure, 0);
	cr_expect_eq(all.over, 0);
	cr_expect_eq(log.s500 + log.s502 + log.s503 + log.s504, 0);
	cr_expect_gt(all.guarded, CUSTOMERS);
	cr_expect_gt(all.refreshes, CUSTOMERS);
	cr_expect_gt(all.logouts, 0);
	/* Else nobody was there when a node was away. */
	cr_expect_gt(log.repeated, 0);
	fleet_stop(f);
}

/* The control: with both of them away requests do fail, and it is noticed. */
Test(rolling, absence_of_both_nodes_is_noticed)
{
	static struct customer customers[CUSTOMERS];
	struct fleet *f = fleet_start(NULL, NULL);
	struct fleet_log log;
	struct tally all;
	int i;

	customers_start(f, customers, CUSTOMERS, false);
	sleep_ms(PAUSE_MS);
	for (i = 0; i < FLEET_NODES; i++)
		fleet_node_stop(f, i);
	sleep_ms(PAUSE_MS);
	all = customers_stop(customers, CUSTOMERS);
	log = fleet_read_log(f);
	cr_expect_gt(all.failed, 0);
	cr_expect_gt(log.s502, 0);
	fleet_stop(f);
}
