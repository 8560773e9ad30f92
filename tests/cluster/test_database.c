/*
 * The PostgreSQL server of two nodes is restarted under load, orderly and as in
 * a crash: guarded requests go on, the others are told to come again, and
 * nothing that was acknowledged is lost.
 */
#include <stdio.h>
#include <stdlib.h>

#include <criterion/criterion.h>

#include "customer.h"
#include "http.h"
#include "sess.h"
#include "tok.h"

#define CUSTOMERS 6

/* How long it goes on, unless CLUSTER_SECONDS says otherwise. */
#define SECONDS 8

/* How long the server is away, and between two times (milliseconds). */
#define AWAY_MS 400
#define BACK_MS 1500

/* Accounts that are added meanwhile, at most. */
#define ADDED_MAX 10000

/* How long a node may take to hear again (milliseconds). */
#define HEARS_MS 20000

#define PASSWORD "a password for everybody"

/* Longer than any restart on a busy machine. */
#define SETTINGS "CORGI_DATABASE_SILENCE=60"

TestSuite(database, .timeout = 590);

/* How the server is stopped, in turn: as in a crash, and orderly. */
static const char *const modes[] = {"immediate", "fast"};

/* Somebody who adds accounts all the time. */
struct administrator {
	const struct fleet *fleet;
	unsigned int tried, refused;
	bool added[ADDED_MAX];
	atomic_bool stop;
};

static void *
administrator_run(void *arg)
{
	struct administrator *a = arg;
	char name[32];

	while (!a->stop && a->tried < ADDED_MAX) {
		(void)snprintf(name, sizeof(name), "added-%u", a->tried);
		a->added[a->tried] = fleet_add(a->fleet, name, PASSWORD) == 0;
		a->refused += !a->added[a->tried];
		a->tried++;
		sleep_ms(20);
	}
	return (NULL);
}

/* Each of the accounts whose addition was acknowledged is there. */
static unsigned int
expect_added(struct fleet *f, const struct administrator *a)
{
	unsigned int i, count = 0;
	char *name;

	for (i = 0; i < a->tried; i++) {
		if (!a->added[i])
			continue;
		name = text_of("added-%u", i);
		cr_expect(customer_login(fleet_port(f), name, PASSWORD) == 200,
		    "%s was lost", name);
		free(name);
		count++;
	}
	return (count);
}

static void
expect_all_well(const struct tally *all, const struct fleet_log *log)
{
	cr_expect_eq(all->failed, 0, "%u failed: %s", all->failed, all->first);
	cr_expect_geq(all->logins, CUSTOMERS);
	cr_expect_gt(all->refreshes, CUSTOMERS);
	cr_expect_gt(all->logouts, 0);
	/* Else nobody was there when the database was away. */
	cr_expect_gt(all->waited, 0);
	cr_expect_eq(log->s500 + log->s502 + log->s504, 0);
	cr_expect_eq(log->s503, all->waited + all->unsure);
}

Test(database, restart_and_crash_lose_nothing_acknowledged)
{
	static struct customer customers[CUSTOMERS];
	static struct administrator administrator;
	struct fleet *f = fleet_start(SETTINGS, NULL);
	long long end = now_ms() + fleet_duration(SECONDS);
	unsigned int stops, asked;
	struct fleet_log log;
	struct tally all;
	pthread_t thread;

	customers_start(f, customers, CUSTOMERS, true);
	administrator.fleet = f;
	cr_assert(pthread_create(
		      &thread, NULL, administrator_run, &administrator) == 0);
	for (stops = 0; stops < 2 || now_ms() < end; stops++) {
		sleep_ms(BACK_MS);
		fleet_database_stop(f, modes[stops % 2]);
		sleep_ms(AWAY_MS);
		fleet_database_start(f);
		fleet_ready(f);
	}
	administrator.stop = true;
	(void)pthread_join(thread, NULL);
	all = customers_stop(customers, CUSTOMERS);
	log = fleet_read_log(f);
	asked = customers_verify(f, customers, CUSTOMERS);
	(void)printf("database: %u restarts, every other a crash; %u accounts "
		     "added, %u more refused\n",
	    stops, expect_added(f, &administrator), administrator.refused);
	customers_report("database", &all, &log, asked);
	expect_all_well(&all, &log);
	fleet_stop(f);
}

/* As soon as a node can log somebody out again, the other one hears of it, or
 * when it has found the database as well. */
Test(database, nodes_hear_of_each_other_again_after_a_restart)
{
	struct fleet *f = fleet_start(SETTINGS, NULL);
	struct pair pairs[2];
	long long began;
	int i, first, other, status;

	for (i = 0; i < 2; i++)
		pairs[i] = pair_demo(fleet_port(f));
	for (i = 0; i < 2; i++) {
		first = fleet_node_port(f, i);
		other = fleet_node_port(f, 1 - i);
		fleet_database_stop(f, modes[i]);
		fleet_database_start(f);
		began = now_ms();
		/* 401: it had been done, and the answer was lost. */
		do {
			status = sess_ask(first, "DELETE", "/logout",
			    pairs[i].access, NULL, NULL);
			cr_assert(
			    now_ms() - began < HEARS_MS, "nobody can log out");
			sleep_ms(10);
		} while (status != 200 && status != 401);
		began = now_ms();
		while (http_get_token(
			   other, "/protected", pairs[i].access, NULL) != 401) {
			cr_assert(now_ms() - began < HEARS_MS,
			    "the other node hears nothing");
			sleep_ms(5);
		}
		(void)printf("database: told %lld ms after the logout\n",
		    now_ms() - began);
		pair_free(&pairs[i]);
	}
	fleet_stop(f);
}
