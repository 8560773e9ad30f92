/*
 * throttle_kit.h - what the tests of the throttle share: a table, a clock that
 * stands where they say, and attempts in one line.
 */
#ifndef CORGI_TEST_THROTTLE_KIT_H
#define CORGI_TEST_THROTTLE_KIT_H

#include <arpa/inet.h>

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "auth/throttle.h"
#include "base/secret.h"

#define THROTTLE_HELPER static __attribute__((unused))

#define HOUR_MS INT64_C(3600000)
#define DAY_MS  (24 * HOUR_MS)

/* Failures until an account has to wait. */
#define LIMIT 5

#define HOME   "192.0.2.1"
#define OFFICE "192.0.2.2"
#define EVIL   "198.51.100.7"

/* Addresses do not count unless a test says so; the first wait is a second. */
static struct config config = {
    .throttle_account = LIMIT,
    .throttle_address = 0,
    .throttle_seconds = 60,
    .throttle_entries = 1024,
};
static struct throttle *throttle;
static int64_t now = 1000000;

THROTTLE_HELPER void
throttle_set_up(void)
{
	cr_assert_eq(secret_init(), 0);
	throttle = throttle_new(&config);
	cr_assert_not_null(throttle);
}

THROTTLE_HELPER void
throttle_tear_down(void)
{
	throttle_free(throttle);
	throttle = NULL;
}

/* A table with other limits. */
THROTTLE_HELPER void
throttle_renew(void)
{
	throttle_tear_down();
	throttle_set_up();
}

THROTTLE_HELPER struct in6_addr
address_of(const char *text)
{
	struct in6_addr address;

	memset(&address, 0, sizeof(address));
	if (inet_pton(AF_INET6, text, &address) == 1)
		return (address);
	address.s6_addr[10] = address.s6_addr[11] = 0xff;
	cr_assert_eq(inet_pton(AF_INET, text, &address.s6_addr[12]), 1);
	return (address);
}

/* Ask; the ticket is the caller's to settle. */
THROTTLE_HELPER unsigned int
admit(const char *name, const char *from, struct throttle_ticket *ticket)
{
	struct in6_addr address = address_of(from);
	unsigned int wait;

	wait = throttle_admit(throttle, name, name == NULL ? 0 : strlen(name),
	    &address, now, ticket, NULL);
	cr_expect_eq(ticket->charged, wait == 0);
	return (wait);
}

/* A whole attempt, settled at once unless it has to wait. */
THROTTLE_HELPER unsigned int
attempt(const char *name, const char *from, enum throttle_outcome outcome)
{
	struct throttle_ticket ticket;
	unsigned int wait;

	wait = admit(name, from, &ticket);
	throttle_settle(throttle, &ticket, outcome, now, NULL);
	cr_expect_not(ticket.charged);
	return (wait);
}

THROTTLE_HELPER unsigned int
fail(const char *name, const char *from)
{
	return (attempt(name, from, THROTTLE_FAILED));
}

THROTTLE_HELPER unsigned int
succeed(const char *name, const char *from)
{
	return (attempt(name, from, THROTTLE_GOOD));
}

/* So many failures, none of which has to wait. */
THROTTLE_HELPER void
fail_times(const char *name, const char *from, int times)
{
	int i;

	for (i = 0; i < times; i++)
		cr_assert_eq(fail(name, from), 0, "%s, failure %d", name, i);
}

/* The seconds that an attempt would have to wait; it is taken back. */
THROTTLE_HELPER unsigned int
wait_for(const char *name, const char *from)
{
	return (attempt(name, from, THROTTLE_UNDECIDED));
}

/* What is listed. */
struct listed {
	struct throttle_entry entries[64];
	size_t count;
};

THROTTLE_HELPER bool
collect_entry(const struct throttle_entry *entry, void *ctx)
{
	struct listed *listed = ctx;

	if (listed->count < 64)
		listed->entries[listed->count] = *entry;
	listed->count++;
	return (true);
}

THROTTLE_HELPER struct listed
list_all(void)
{
	struct listed listed = {.count = 0};

	throttle_each(throttle, now, collect_entry, &listed);
	return (listed);
}

/* The entry of a name or address, or NULL; from: see struct throttle_entry. */
THROTTLE_HELPER const struct throttle_entry *
find_listed(const struct listed *listed, const char *text, const char *from)
{
	size_t i;

	for (i = 0; i < listed->count && i < 64; i++)
		if (strcmp(listed->entries[i].text, text) == 0 &&
		    strcmp(listed->entries[i].from, from) == 0)
			return (&listed->entries[i]);
	return (NULL);
}

#endif
