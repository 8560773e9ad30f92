/*
 * The throttle: when an attempt has to wait, for how long, what counts and
 * what does not, and that nobody can lock out somebody else.
 */
#include "throttle_kit.h"

#include <pthread.h>

#define RACERS 20

static void *race(void *);
static int race_of(void);
static void
expect_waits(const char *, const char *, const unsigned int *, size_t);

static pthread_barrier_t start;

TestSuite(throttle, .init = throttle_set_up, .fini = throttle_tear_down,
    .timeout = 60);

/* One failure after each wait, and the waits that follow. */
static void
expect_waits(
    const char *name, const char *from, const unsigned int *waits, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		cr_expect_eq(wait_for(name, from), waits[i], "wait %zu is %u",
		    i, wait_for(name, from));
		now += (int64_t)waits[i] * 1000;
		cr_expect_eq(fail(name, from), 0, "after wait %zu", i);
	}
}

Test(throttle, so_many_failures_go_through_and_then_one_waits)
{
	fail_times("cosmo", EVIL, LIMIT - 1);
	cr_expect_eq(wait_for("cosmo", EVIL), 0);
	fail_times("cosmo", EVIL, 1);
	cr_expect_eq(wait_for("cosmo", EVIL), 1);
	cr_expect_eq(wait_for("cosmo", HOME), 1, "from everywhere");
	cr_expect_eq(succeed("cosmo", EVIL), 1, "also the right password");
	cr_expect_eq(wait_for("Cosmo", EVIL), 0, "another account");
	cr_expect_eq(wait_for("cosm", EVIL), 0);
}

Test(throttle, each_wait_is_twice_as_long_up_to_the_longest)
{
	static const unsigned int waits[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};

	fail_times("cosmo", EVIL, LIMIT);
	expect_waits("cosmo", EVIL, waits, sizeof(waits) / sizeof(waits[0]));
}

Test(throttle, the_first_wait_is_a_sixtieth_of_the_longest)
{
	static const unsigned int hour[] = {60, 120, 240, 480, 960, 1920, 3600};
	static const unsigned int second[] = {1, 1, 1};

	config.throttle_seconds = 3600;
	throttle_renew();
	fail_times("cosmo", EVIL, LIMIT);
	expect_waits("cosmo", EVIL, hour, 7);
	config.throttle_seconds = 1;
	throttle_renew();
	fail_times("cosmo", EVIL, LIMIT);
	expect_waits("cosmo", EVIL, second, 3);
}

Test(throttle, a_wait_ends_to_the_millisecond)
{
	fail_times("cosmo", EVIL, LIMIT);
	now += 1;
	cr_expect_eq(wait_for("cosmo", EVIL), 1, "never 0 while it lasts");
	now += 998;
	cr_expect_eq(wait_for("cosmo", EVIL), 1);
	now += 1;
	cr_expect_eq(wait_for("cosmo", EVIL), 0);
	cr_expect_eq(succeed("cosmo", EVIL), 0);
}

/* Whoever goes on trying must not hold the account for ever. */
Test(throttle, attempts_that_are_refused_do_not_count)
{
	int i;

	fail_times("cosmo", EVIL, LIMIT);
	for (i = 0; i < 999; i++) {
		cr_assert_eq(fail("cosmo", EVIL), 1);
		now++;
	}
	now++;
	cr_expect_eq(fail("cosmo", EVIL), 0);
	cr_expect_eq(wait_for("cosmo", EVIL), 2);
}

Test(throttle, a_wait_begins_when_the_failure_is_known)
{
	struct throttle_ticket ticket;

	fail_times("cosmo", EVIL, LIMIT - 1);
	cr_assert_eq(admit("cosmo", EVIL, &ticket), 0);
	now += 700;
	throttle_settle(throttle, &ticket, THROTTLE_FAILED, now, NULL);
	now += 999;
	cr_expect_eq(wait_for("cosmo", EVIL), 1);
	now += 1;
	cr_expect_eq(wait_for("cosmo", EVIL), 0);
}

Test(throttle, a_good_login_clears_the_account)
{
	fail_times("cosmo", EVIL, LIMIT - 1);
	cr_expect_eq(succeed("cosmo", HOME), 0);
	fail_times("cosmo", EVIL, LIMIT);
	cr_expect_eq(wait_for("cosmo", EVIL), 1, "from the beginning");

	now += 1000;
	fail_times("nova", HOME, LIMIT - 1);
	cr_expect_eq(succeed("nova", HOME), 0);
	fail_times("nova", HOME, LIMIT);
	cr_expect_eq(wait_for("nova", HOME), 1, "of its own address, too");
}

Test(throttle, an_undecided_attempt_leaves_no_trace)
{
	int i;

	for (i = 0; i < 10 * LIMIT; i++)
		cr_assert_eq(
		    attempt("cosmo", EVIL, THROTTLE_UNDECIDED), 0, "%d", i);
	cr_expect_eq(list_all().count, 0);
	fail_times("cosmo", EVIL, LIMIT);
	cr_expect_eq(wait_for("cosmo", EVIL), 1);
}

/* The store or the queue is to blame, not whoever had waited. */
Test(throttle, an_undecided_attempt_after_a_wait_begins_no_other)
{
	struct throttle_ticket ticket;

	fail_times("cosmo", EVIL, LIMIT);
	now += 1000;
	cr_assert_eq(admit("cosmo", EVIL, &ticket), 0);
	cr_expect_eq(wait_for("cosmo", EVIL), 2, "while it is not known");
	now += 50;
	throttle_settle(throttle, &ticket, THROTTLE_UNDECIDED, now, NULL);
	cr_expect_eq(wait_for("cosmo", EVIL), 0);
	cr_expect_eq(fail("cosmo", EVIL), 0);
	cr_expect_eq(wait_for("cosmo", EVIL), 2);
}

Test(throttle, an_undecided_attempt_does_not_end_the_wait_of_another)
{
	struct throttle_ticket first, second;

	fail_times("cosmo", EVIL, LIMIT - 2);
	cr_assert_eq(admit("cosmo", EVIL, &first), 0);
	now += 10;
	cr_assert_eq(admit("cosmo", EVIL, &second), 0);
	throttle_settle(throttle, &second, THROTTLE_FAILED, now, NULL);
	cr_expect_eq(wait_for("cosmo", EVIL), 1);
	throttle_settle(throttle, &first, THROTTLE_UNDECIDED, now, NULL);
	cr_expect_eq(list_all().entries[0].failures, LIMIT - 1);
	fail_times("cosmo", EVIL, 1);
	cr_expect_eq(wait_for("cosmo", EVIL), 1);
}

Test(throttle, a_ticket_counts_once)
{
	struct throttle_ticket ticket;

	fail_times("cosmo", EVIL, LIMIT - 1);
	cr_assert_eq(admit("cosmo", EVIL, &ticket), 0);
	throttle_settle(throttle, &ticket, THROTTLE_UNDECIDED, now, NULL);
	throttle_settle(throttle, &ticket, THROTTLE_UNDECIDED, now, NULL);
	throttle_settle(throttle, &ticket, THROTTLE_GOOD, now, NULL);
	fail_times("cosmo", EVIL, 1);
	cr_expect_eq(admit("cosmo", EVIL, &ticket), 1);
	throttle_settle(throttle, &ticket, THROTTLE_GOOD, now, NULL);
	cr_expect_eq(wait_for("cosmo", EVIL), 1);
	memset(&ticket, 0, sizeof(ticket));
	throttle_settle(throttle, &ticket, THROTTLE_GOOD, now, NULL);
}

/* One attempt at the same time as all others; whether it was let through. */
static void *
race(void *ctx)
{
	struct throttle_ticket *ticket = ctx;
	struct in6_addr address = address_of(EVIL);

	(void)pthread_barrier_wait(&start);
	return (throttle_admit(
		    throttle, "cosmo", 5, &address, now, ticket, NULL) == 0
		? ctx
		: NULL);
}

/* How many of RACERS come through at once; they all fail. */
static int
race_of(void)
{
	struct throttle_ticket tickets[RACERS];
	pthread_t threads[RACERS];
	int i, through = 0;
	void *came;

	cr_assert_eq(pthread_barrier_init(&start, NULL, RACERS), 0);
	for (i = 0; i < RACERS; i++)
		cr_assert_eq(
		    pthread_create(&threads[i], NULL, race, &tickets[i]), 0);
	for (i = 0; i < RACERS; i++) {
		cr_assert_eq(pthread_join(threads[i], &came), 0);
		through += came != NULL;
	}
	for (i = 0; i < RACERS; i++)
		throttle_settle(
		    throttle, &tickets[i], THROTTLE_FAILED, now, NULL);
	(void)pthread_barrier_destroy(&start);
	return (through);
}

Test(throttle, attempts_at_once_do_not_slip_through)
{
	int i;

	cr_expect_eq(race_of(), LIMIT);
	for (i = 0; i < 6; i++) {
		now += 60000;
		cr_expect_eq(race_of(), 1, "after a wait");
	}
	config.throttle_address = 8;
	config.throttle_account = 0;
	throttle_renew();
	cr_expect_eq(race_of(), 8);
}

/* Nobody can lock another user out for good. */
Test(throttle, the_owner_is_not_locked_out_of_a_known_address)
{
	int i;

	cr_expect_eq(succeed("cosmo", HOME), 0);
	fail_times("cosmo", EVIL, LIMIT);
	for (i = 0; i < 10; i++) {
		cr_expect_neq(wait_for("cosmo", EVIL), 0);
		cr_expect_neq(wait_for("cosmo", OFFICE), 0);
		cr_expect_eq(wait_for("cosmo", HOME), 0);
		now += 60000;
		cr_expect_eq(fail("cosmo", EVIL), 0);
	}
	cr_expect_eq(succeed("cosmo", HOME), 0);
	cr_expect_eq(wait_for("cosmo", EVIL), 0, "cleared by a good login");
}

Test(throttle, a_known_address_is_counted_by_itself)
{
	static const unsigned int waits[] = {1, 2, 4};

	cr_expect_eq(succeed("cosmo", HOME), 0);
	fail_times("cosmo", HOME, LIMIT);
	cr_expect_eq(wait_for("cosmo", HOME), 1);
	cr_expect_eq(wait_for("cosmo", OFFICE), 0);
	expect_waits("cosmo", HOME, waits, 3);
	cr_expect_eq(wait_for("nova", HOME), 0, "only this account's");
	cr_expect_eq(fail("cosmo", OFFICE), 0);
}

Test(throttle, an_address_stays_known_for_30_days)
{
	cr_expect_eq(succeed("cosmo", HOME), 0);
	now += 30 * DAY_MS;
	fail_times("cosmo", EVIL, LIMIT);
	cr_expect_eq(wait_for("cosmo", EVIL), 1);
	cr_expect_eq(wait_for("cosmo", HOME), 0);
	now += 1;
	cr_expect_eq(wait_for("cosmo", HOME), 1);
}

Test(throttle, a_login_that_is_not_good_makes_no_address_known)
{
	fail_times("cosmo", HOME, 1);
	cr_expect_eq(attempt("cosmo", HOME, THROTTLE_UNDECIDED), 0);
	fail_times("cosmo", EVIL, LIMIT - 1);
	cr_expect_eq(wait_for("cosmo", EVIL), 1);
	cr_expect_eq(wait_for("cosmo", HOME), 1);
}

Test(throttle, an_address_has_its_own_limit_and_waits_15_times_as_long)
{
	static const unsigned int waits[] = {
	    1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900};
	char name[32];
	int i;

	config.throttle_address = 30;
	throttle_renew();
	for (i = 0; i < 30; i++) {
		(void)snprintf(name, sizeof(name), "user%d", i);
		cr_assert_eq(fail(name, EVIL), 0, "%d", i);
	}
	cr_expect_eq(wait_for("somebody", EVIL), 1);
	cr_expect_eq(wait_for("somebody", HOME), 0);
	for (i = 0; i < 12; i++) {
		(void)snprintf(name, sizeof(name), "more%d", i);
		expect_waits(name, EVIL, &waits[i], 1);
	}
}

/* Behind an address may be a whole office. */
Test(throttle, a_good_login_neither_clears_nor_burdens_its_address)
{
	int i;

	config.throttle_address = 3;
	throttle_renew();
	for (i = 0; i < 20; i++)
		cr_assert_eq(succeed("cosmo", OFFICE), 0, "%d", i);
	fail_times("a", OFFICE, 1);
	fail_times("b", OFFICE, 1);
	cr_expect_eq(succeed("cosmo", OFFICE), 0);
	fail_times("c", OFFICE, 1);
	cr_expect_eq(wait_for("d", OFFICE), 1, "three failures");
	cr_expect_eq(wait_for("cosmo", OFFICE), 1, "holds for all");
	now += 1000;
	for (i = 0; i < 20; i++)
		cr_assert_eq(succeed("cosmo", OFFICE), 0, "%d", i);
	fail_times("d", OFFICE, 1);
	cr_expect_eq(wait_for("cosmo", OFFICE), 2);
}

Test(throttle, an_ipv6_network_is_one_address_and_ipv4_addresses_are_many)
{
	static const struct {
		const char *first;
		const char *second;
		bool same;
	} rows[] = {
	    {"2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true},
	    {"2001:db8:1:2::1", "2001:db8:1:3::1", false},
	    {"2001:db8:1:2::1", "2001:db8:1:2::1", true},
	    {"192.0.2.1", "192.0.2.2", false},
	    {"192.0.2.1", "::ffff:192.0.2.1", true},
	    {"::1", "::2", true},
	    {"192.0.2.1", "::192.0.2.1", false},
	};
	size_t i;

	config.throttle_address = 2;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		throttle_renew();
		fail_times("a", rows[i].first, 1);
		fail_times("b", rows[i].first, 1);
		cr_expect_eq(wait_for("c", rows[i].first), 1);
		cr_expect_eq(wait_for("c", rows[i].second),
		    rows[i].same ? 1 : 0, "row %zu", i);
	}
	/* What an account knows is a network, too. */
	throttle_renew();
	cr_expect_eq(succeed("cosmo", "2001:db8:1:2::1"), 0);
	fail_times("cosmo", EVIL, 2);
	fail_times("cosmo", HOME, 2);
	fail_times("cosmo", OFFICE, 1);
	cr_expect_eq(wait_for("cosmo", "2001:db8:1:3::9"), 1);
	cr_expect_eq(wait_for("cosmo", "2001:db8:1:2::9"), 0);
}

Test(throttle, nothing_counts_where_the_limit_is_0)
{
	int i;

	config.throttle_account = 0;
	config.throttle_address = 4;
	throttle_renew();
	cr_expect_eq(succeed("cosmo", HOME), 0);
	for (i = 0; i < 100; i++) {
		char from[32];

		(void)snprintf(from, sizeof(from), "10.0.0.%d", i);
		cr_assert_eq(fail("cosmo", from), 0, "%d", i);
	}
	cr_expect_eq(wait_for("cosmo", "10.0.0.5"), 0);
	fail_times("cosmo", HOME, 4);
	cr_expect_eq(wait_for("cosmo", HOME), 1, "addresses count");

	config.throttle_account = LIMIT;
	config.throttle_address = 0;
	throttle_renew();
	for (i = 0; i < 100; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "user%d", i);
		cr_assert_eq(fail(name, EVIL), 0, "%d", i);
	}
	fail_times("cosmo", EVIL, LIMIT);
	cr_expect_eq(wait_for("cosmo", EVIL), 1, "accounts count");

	config.throttle_account = 0;
	throttle_renew();
	for (i = 0; i < 100; i++)
		cr_assert_eq(fail("cosmo", EVIL), 0);
	cr_expect_eq(list_all().count, 0);
}

Test(throttle, without_a_name_the_address_alone_counts)
{
	config.throttle_account = 1;
	config.throttle_address = 3;
	throttle_renew();
	fail_times(NULL, EVIL, 3);
	cr_expect_eq(wait_for(NULL, EVIL), 1);
	cr_expect_eq(wait_for(NULL, HOME), 0);
	cr_expect_eq(list_all().count, 1);
	cr_expect_eq(wait_for("", HOME), 0, "an empty name is another thing");
	fail_times("", HOME, 1);
	cr_expect_eq(wait_for("", OFFICE), 1);
}

Test(throttle, failures_are_forgotten_an_hour_after_the_last_wait)
{
	fail_times("cosmo", EVIL, LIMIT - 1);
	now += HOUR_MS;
	fail_times("cosmo", EVIL, 1);
	cr_expect_eq(wait_for("cosmo", EVIL), 1, "not yet");
	now += 1000 + HOUR_MS;
	fail_times("cosmo", EVIL, 1);
	cr_expect_eq(wait_for("cosmo", EVIL), 2, "not yet");
	now += 2000 + HOUR_MS + 1;
	cr_expect_eq(list_all().count, 0);
	fail_times("cosmo", EVIL, LIMIT);
	cr_expect_eq(wait_for("cosmo", EVIL), 1, "from the beginning");
}

Test(throttle, failures_from_a_known_address_are_forgotten_too)
{
	cr_expect_eq(succeed("cosmo", HOME), 0);
	fail_times("cosmo", HOME, LIMIT);
	cr_expect_eq(list_all().count, 1);
	now += 1000 + HOUR_MS;
	cr_expect_eq(list_all().count, 1);
	now += 1;
	cr_expect_eq(list_all().count, 0, "and are not listed any more");
	fail_times("cosmo", HOME, LIMIT);
	cr_expect_eq(wait_for("cosmo", HOME), 1, "from the beginning");
	fail_times("cosmo", EVIL, LIMIT);
	cr_expect_eq(wait_for("cosmo", EVIL), 1);
	now += 1000;
	cr_expect_eq(wait_for("cosmo", HOME), 0, "the address stays known");
}

Test(throttle, the_first_refusal_of_a_wait_says_so)
{
	struct in6_addr address = address_of(EVIL);
	struct throttle_ticket ticket;
	bool began = true;
	int i, wait;

	for (wait = 0; wait < 3; wait++) {
		for (i = 0; wait == 0 && i < LIMIT; i++) {
			began = true;
			cr_expect_eq(throttle_admit(throttle, "cosmo", 5,
					 &address, now, &ticket, &began),
			    0);
			cr_expect_not(began);
			throttle_settle(
			    throttle, &ticket, THROTTLE_FAILED, now, NULL);
		}
		for (i = 0; i < 3; i++) {
			cr_expect_neq(throttle_admit(throttle, "cosmo", 5,
					  &address, now, &ticket, &began),
			    0);
			cr_expect_eq(
			    began, i == 0, "wait %d, refusal %d", wait, i);
		}
		now += 60000;
		cr_expect_eq(fail("cosmo", EVIL), 0);
	}
}
