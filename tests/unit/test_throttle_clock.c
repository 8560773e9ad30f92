/*
 * The throttle is asked by several workers, each of which has looked at the
 * clock before it waits for the lock: an attempt may be handled after one that
 * looked later.
 */
#include <criterion/criterion.h>

#include <string.h>

#include "auth/throttle.h"
#include "base/secret.h"

#define NOW     INT64_C(5000000)
#define ACCOUNT 3
#define ADDRESS 5

static struct config config;
static struct in6_addr somewhere;

static struct throttle *
new_throttle(void)
{
	struct throttle *t;

	cr_assert_eq(secret_init(), 0);
	config.throttle_account = ACCOUNT;
	config.throttle_address = ADDRESS;
	config.throttle_seconds = 60;
	config.throttle_entries = 1024;
	somewhere.s6_addr[10] = somewhere.s6_addr[11] = 0xff;
	somewhere.s6_addr[12] = 192;
	t = throttle_new(&config);
	cr_assert_not_null(t);
	return (t);
}

static unsigned int
admit(struct throttle *t, const char *name, int64_t now,
    struct throttle_ticket *ticket)
{
	return (throttle_admit(
	    t, name, strlen(name), &somewhere, now, ticket, NULL));
}

Test(throttle_clock, an_older_look_at_the_clock_is_no_reason_to_wait)
{
	struct throttle *t = new_throttle();
	struct throttle_ticket first, second;

	cr_assert_eq(admit(t, "cosmo", NOW, &first), 0);
	cr_expect_eq(
	    admit(t, "laika", NOW - 1, &second), 0, "of the same address");
	throttle_settle(t, &first, THROTTLE_GOOD, NOW + 5, NULL);
	throttle_settle(t, &second, THROTTLE_GOOD, NOW + 6, NULL);
	/* The address is known now, and the good login was at NOW + 5. */
	cr_expect_eq(
	    admit(t, "cosmo", NOW + 4, &first), 0, "of the same account");
	throttle_settle(t, &first, THROTTLE_UNDECIDED, NOW + 7, NULL);
	throttle_free(t);
}

Test(throttle_clock, a_wait_holds_for_an_older_look_at_the_clock)
{
	struct throttle *t = new_throttle();
	struct throttle_ticket ticket;
	int i;

	for (i = 0; i < ACCOUNT; i++) {
		cr_assert_eq(admit(t, "cosmo", NOW, &ticket), 0);
		throttle_settle(t, &ticket, THROTTLE_FAILED, NOW, NULL);
	}
	cr_expect_gt(admit(t, "cosmo", NOW, &ticket), 0);
	cr_expect_gt(admit(t, "cosmo", NOW - 1, &ticket), 0);
	cr_expect_eq(admit(t, "laika", NOW - 1, &ticket), 0,
	    "another account of the same address");
	throttle_free(t);
}
