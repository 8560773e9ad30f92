/*
 * The throttle's table: what is listed and cleared, how much it remembers, and
 * that processes share it, also with those that die.
 */
#include "throttle_kit.h"

#include <sys/wait.h>

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static bool count_two(const struct throttle_entry *, void *);
static bool count_all(const struct throttle_entry *, void *);
static size_t listed_count(void);
static void
expect_listed(const char *, const char *, enum throttle_subject, unsigned int);
static void flood(int);
static void reap(pid_t);
static pid_t start_clearing(int);
static unsigned int admit_n(const void *, size_t);

TestSuite(throttle_table, .init = throttle_set_up, .fini = throttle_tear_down,
    .timeout = 120);

static void
expect_listed(const char *text, const char *from, enum throttle_subject subject,
    unsigned int failures)
{
	const struct listed listed = list_all();
	const struct throttle_entry *entry = find_listed(&listed, text, from);

	cr_assert_not_null(entry, "%s from \"%s\"", text, from);
	cr_expect_eq(entry->subject, subject, "%s", text);
	cr_expect_eq(
	    entry->failures, failures, "%s has %u", text, entry->failures);
}

Test(throttle_table, accounts_and_addresses_with_failures_are_listed)
{
	struct listed listed;

	config.throttle_address = 100;
	throttle_renew();
	cr_expect_eq(list_all().count, 0);
	cr_expect_eq(succeed("cosmo", HOME), 0);
	cr_expect_eq(succeed("cosmo", "2001:db8:1:2::1"), 0);
	cr_expect_eq(list_all().count, 0, "a good login is none");
	fail_times("cosmo", EVIL, 3);
	fail_times("cosmo", HOME, LIMIT);
	fail_times("cosmo", "2001:db8:1:2::7", 1);
	listed = list_all();
	cr_expect_eq(listed.count, 6);
	expect_listed("cosmo", "", THROTTLE_ACCOUNT, 3);
	expect_listed("cosmo", HOME, THROTTLE_ACCOUNT, LIMIT);
	expect_listed("cosmo", "2001:db8:1:2::/64", THROTTLE_ACCOUNT, 1);
	expect_listed(EVIL, "", THROTTLE_ADDRESS, 3);
	expect_listed(HOME, "", THROTTLE_ADDRESS, LIMIT);
	expect_listed("2001:db8:1:2::/64", "", THROTTLE_ADDRESS, 1);

	cr_expect_eq(find_listed(&listed, "cosmo", HOME)->wait, 1);
	cr_expect_eq(find_listed(&listed, "cosmo", "")->wait, 0);
	now += 1000;
	listed = list_all();
	cr_expect_eq(find_listed(&listed, "cosmo", HOME)->wait, 0);
	cr_expect_eq(fail("cosmo", HOME), 0);
	now += 500;
	listed = list_all();
	cr_expect_eq(find_listed(&listed, "cosmo", HOME)->wait, 2);
}

static bool
count_two(const struct throttle_entry *entry, void *ctx)
{
	size_t *count = ctx;

	(void)entry;
	return (++*count < 2);
}

Test(throttle_table, a_list_ends_when_it_is_told_to)
{
	size_t count = 0;

	fail_times("a", EVIL, 1);
	fail_times("b", EVIL, 1);
	fail_times("c", EVIL, 1);
	throttle_each(throttle, now, count_two, &count);
	cr_expect_eq(count, 2);
	cr_expect_eq(list_all().count, 3);
}

Test(throttle_table, names_are_listed_escaped_and_cut)
{
	char name[200];
	struct listed listed;

	fail_times("a\r\n\x1b[31m\xc3\xa4", EVIL, 1);
	listed = list_all();
	cr_assert_eq(listed.count, 1);
	cr_expect_str_eq(
	    listed.entries[0].text, "a\\x0d\\x0a\\x1b[31m\\xc3\\xa4");
	cr_expect_eq(throttle_clear(throttle, NULL), 1);
	memset(name, '\n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	fail_times(name, EVIL, 1);
	listed = list_all();
	cr_assert_eq(listed.count, 1);
	cr_expect_leq(strlen(listed.entries[0].text), THROTTLE_TEXT_MAX - 1);
	cr_expect_geq(strlen(listed.entries[0].text), THROTTLE_TEXT_MAX - 4);
	cr_expect_eq(strspn(listed.entries[0].text, "\\x0a"),
	    strlen(listed.entries[0].text));
}

Test(throttle_table, an_account_is_cleared_with_its_pairs)
{
	cr_expect_eq(succeed("cosmo", HOME), 0);
	cr_expect_eq(succeed("cosmo", OFFICE), 0);
	fail_times("cosmo", HOME, LIMIT);
	fail_times("cosmo", EVIL, LIMIT);
	fail_times("nova", EVIL, LIMIT);
	cr_expect_eq(list_all().count, 3);
	cr_expect_eq(throttle_clear_account(throttle, "cosm", 4, NULL), 0);
	cr_expect_eq(list_all().count, 3);

	cr_expect_eq(throttle_clear_account(throttle, "cosmo", 5, NULL), 2);
	cr_expect_eq(list_all().count, 1);
	cr_expect_eq(wait_for("cosmo", HOME), 0);
	cr_expect_eq(wait_for("cosmo", EVIL), 0);
	cr_expect_eq(wait_for("nova", EVIL), 1);
	cr_expect_eq(throttle_clear_account(throttle, "cosmo", 5, NULL), 0);

	/* Known addresses are still known. */
	fail_times("cosmo", EVIL, LIMIT);
	cr_expect_eq(wait_for("cosmo", HOME), 0);
	cr_expect_eq(wait_for("cosmo", OFFICE), 0);
	cr_expect_eq(wait_for("cosmo", EVIL), 1);
}

Test(throttle_table, an_address_is_cleared_alone)
{
	struct in6_addr address = address_of("2001:db8:1:2:3::");

	config.throttle_address = 3;
	throttle_renew();
	fail_times("a", "2001:db8:1:2::1", 3);
	fail_times("b", HOME, 3);
	cr_expect_eq(throttle_clear_address(throttle, &address, NULL), 1);
	cr_expect_eq(throttle_clear_address(throttle, &address, NULL), 0);
	cr_expect_eq(wait_for("c", "2001:db8:1:2::9"), 0);
	cr_expect_eq(wait_for("c", HOME), 1);
	expect_listed("a", "", THROTTLE_ACCOUNT, 3);
	address = address_of(HOME);
	cr_expect_eq(throttle_clear_address(throttle, &address, NULL), 1);
	cr_expect_eq(wait_for("c", HOME), 0);
}

Test(throttle_table, all_is_cleared_but_what_is_known)
{
	config.throttle_address = 20;
	throttle_renew();
	cr_expect_eq(succeed("cosmo", HOME), 0);
	fail_times("cosmo", HOME, LIMIT);
	fail_times("cosmo", EVIL, LIMIT);
	cr_expect_eq(throttle_clear(throttle, NULL), 4);
	cr_expect_eq(throttle_clear(throttle, NULL), 0);
	cr_expect_eq(list_all().count, 0);
	cr_expect_eq(wait_for("cosmo", HOME), 0);
	fail_times("cosmo", EVIL, LIMIT);
	cr_expect_eq(wait_for("cosmo", EVIL), 1);
	cr_expect_eq(wait_for("cosmo", HOME), 0);
}

Test(throttle_table, what_is_settled_after_a_clearing_does_no_harm)
{
	struct throttle_ticket failed, undecided, good;

	cr_assert_eq(admit("a", EVIL, &failed), 0);
	cr_assert_eq(admit("b", EVIL, &undecided), 0);
	cr_assert_eq(admit("c", EVIL, &good), 0);
	cr_expect_eq(throttle_clear(throttle, NULL), 3);
	throttle_settle(throttle, &failed, THROTTLE_FAILED, now, NULL);
	throttle_settle(throttle, &undecided, THROTTLE_UNDECIDED, now, NULL);
	throttle_settle(throttle, &good, THROTTLE_GOOD, now, NULL);
	cr_expect_eq(list_all().count, 0);
}

static bool
count_all(const struct throttle_entry *entry, void *ctx)
{
	(void)entry;
	++*(size_t *)ctx;
	return (true);
}

static size_t
listed_count(void)
{
	size_t count = 0;

	throttle_each(throttle, now, count_all, &count);
	return (count);
}

/* So many names that fail once. */
static void
flood(int names)
{
	char name[32];
	int i;

	for (i = 0; i < names; i++) {
		(void)snprintf(name, sizeof(name), "random%d", i);
		cr_assert_eq(fail(name, EVIL), 0);
		now += i % 8 == 0;
	}
}

Test(throttle_table, a_flood_of_names_neither_grows_nor_drives_out_failures)
{
	int i;
	char name[32];

	cr_expect_eq(succeed("cosmo", HOME), 0);
	for (i = 0; i < 40; i++) {
		(void)snprintf(name, sizeof(name), "victim%d", i);
		fail_times(name, EVIL, 2);
	}
	flood(100000);
	cr_expect_leq(listed_count(), config.throttle_entries + 8);
	cr_expect_geq(listed_count(), config.throttle_entries / 2);
	for (i = 0; i < 40; i++) {
		(void)snprintf(name, sizeof(name), "victim%d", i);
		fail_times(name, EVIL, LIMIT - 2);
		cr_expect_neq(wait_for(name, EVIL), 0, "%s", name);
	}
	fail_times("cosmo", EVIL, LIMIT);
	cr_expect_neq(wait_for("cosmo", EVIL), 0);
	cr_expect_eq(wait_for("cosmo", HOME), 0, "still known");
	throttle_clear(throttle, NULL);
	cr_expect_eq(listed_count(), 0);
}

/* More users than entries, each with an address that is known for a month. */
Test(throttle_table, known_addresses_leave_room_for_failures)
{
	static const char *const names[] = {"a", "b", "c", "d"};
	char name[32];
	int i, round;

	config.throttle_entries = 8;
	throttle_renew();
	for (i = 0; i < 500; i++) {
		(void)snprintf(name, sizeof(name), "user%d", i);
		cr_assert_eq(succeed(name, HOME), 0);
		now++;
	}
	for (round = 0; round < LIMIT; round++)
		for (i = 0; i < 4; i++)
			cr_expect_eq(fail(names[i], EVIL), 0, "%d", round);
	for (i = 0; i < 4; i++)
		cr_expect_eq(wait_for(names[i], EVIL), 1, "%s", names[i]);

	/* Those who were there last are still known. */
	fail_times("user499", "192.0.2.99", LIMIT);
	cr_expect_eq(wait_for("user499", "192.0.2.99"), 1);
	cr_expect_eq(wait_for("user499", HOME), 0);
}

static unsigned int
admit_n(const void *name, size_t len)
{
	struct in6_addr address = address_of(EVIL);
	struct throttle_ticket ticket;
	unsigned int wait;

	wait =
	    throttle_admit(throttle, name, len, &address, now, &ticket, NULL);
	throttle_settle(throttle, &ticket, THROTTLE_FAILED, now, NULL);
	return (wait);
}

Test(throttle_table, names_of_any_length_and_content_are_told_apart)
{
	size_t size = 65536;
	char *name = malloc(size);
	int i;

	cr_assert_not_null(name);
	memset(name, 'n', size);
	for (i = 0; i < LIMIT; i++) {
		cr_expect_eq(admit_n("a\0b", 3), 0);
		cr_expect_eq(admit_n(name, size), 0);
	}
	cr_expect_eq(admit_n("a\0b", 3), 1);
	cr_expect_eq(admit_n("a\0c", 3), 0);
	cr_expect_eq(admit_n("a", 1), 0);
	cr_expect_eq(admit_n("a\0b\0", 4), 0);
	cr_expect_eq(admit_n(name, size), 1);
	cr_expect_eq(admit_n(name, size - 1), 0);
	name[size - 1] = 'm';
	cr_expect_eq(admit_n(name, size), 0);
	name[size - 1] = 'n';
	cr_expect_eq(throttle_clear_account(throttle, name, size, NULL), 1);
	cr_expect_eq(throttle_clear_account(throttle, "a\0b", 3, NULL), 1);
	cr_expect_eq(admit_n(name, size), 0);
	cr_expect_eq(admit_n("a\0b", 3), 0);
	free(name);
}

static void
reap(pid_t child)
{
	int status;

	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

Test(throttle_table, processes_count_together)
{
	pid_t children[4];
	size_t i;

	config.throttle_account = 1000;
	throttle_renew();
	for (i = 0; i < 4; i++) {
		cr_assert_neq(children[i] = fork(), -1);
		if (children[i] == 0) {
			fail_times("cosmo", EVIL, 200);
			_exit(succeed("nova", HOME) == 0 ? 0 : 1);
		}
	}
	for (i = 0; i < 4; i++)
		reap(children[i]);
	expect_listed("cosmo", "", THROTTLE_ACCOUNT, 800);
	fail_times("cosmo", EVIL, 200);
	cr_expect_eq(wait_for("cosmo", EVIL), 1);
	if ((children[0] = fork()) == 0)
		_exit(wait_for("cosmo", EVIL) == 1 ? 0 : 1);
	reap(children[0]);
	fail_times("nova", EVIL, 1000);
	cr_expect_eq(wait_for("nova", HOME), 0, "known to the parent, too");
}

/* A child that holds the lock nearly all the time, as it walks through a big
 * table; it writes a byte when it has begun. */
static pid_t
start_clearing(int tell)
{
	pid_t child = fork();

	cr_assert_neq(child, -1);
	if (child != 0)
		return (child);
	for (;;) {
		(void)throttle_clear_address(throttle, &in6addr_any, NULL);
		if (tell != -1 && write(tell, "x", 1) == 1)
			tell = -1;
	}
}

Test(throttle_table, who_is_killed_while_he_holds_the_lock_stops_nobody)
{
	pid_t child;
	char byte;
	int i, told[2], status;

	config.throttle_entries = 65536;
	throttle_renew();
	fail_times("cosmo", EVIL, LIMIT);
	cr_assert_eq(pipe(told), 0);
	for (i = 0; i < 20; i++) {
		child = start_clearing(told[1]);
		cr_assert_eq(read(told[0], &byte, 1), 1);
		cr_assert_eq(kill(child, SIGKILL), 0);
		cr_assert_eq(waitpid(child, &status, 0), child);
		cr_assert(WIFSIGNALED(status));
		cr_expect_eq(wait_for("cosmo", EVIL), 1, "round %d", i);
		cr_expect_eq(fail("nova", HOME), i < LIMIT ? 0 : 1);
	}
	expect_listed("nova", "", THROTTLE_ACCOUNT, LIMIT);
	cr_expect_eq(throttle_clear(throttle, NULL), 2);
	cr_expect_eq(wait_for("cosmo", EVIL), 0);
}
