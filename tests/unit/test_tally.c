/*
 * How often each of many things is there.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/secret.h"
#include "base/tally.h"

static void
init(void)
{
	cr_assert_eq(secret_init(), 0);
}

TestSuite(tally, .init = init, .timeout = 20);

/* Things of the random walk, and its steps. */
#define THINGS 500
#define STEPS  200000

Test(tally, each_is_counted_by_itself)
{
	struct tally *t = tally_new(4);

	cr_assert_not_null(t);
	cr_expect_eq(tally_add(t, "abcd"), 1);
	cr_expect_eq(tally_add(t, "abcd"), 2);
	cr_expect_eq(tally_add(t, "abce"), 1);
	tally_remove(t, "abcd");
	cr_expect_eq(tally_add(t, "abcd"), 2);
	tally_remove(t, "abce");
	cr_expect_eq(tally_add(t, "abce"), 1);
	tally_remove(t, "none");
	cr_expect_eq(tally_add(t, "none"), 1);
	tally_free(t);
	tally_free(NULL);
}

/* Beside an array that counts the same. */
Test(tally, nothing_is_lost_when_others_come_and_go)
{
	struct tally *t = tally_new(sizeof(uint64_t));
	unsigned int counts[THINGS] = {0};
	uint64_t thing, state = 1;
	int step, i;

	cr_assert_not_null(t);
	for (step = 0; step < STEPS; step++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		i = (int)((state >> 33) % THINGS);
		thing = (uint64_t)i * 65536;
		if (counts[i] > 0 && (state >> 60) < 9) {
			tally_remove(t, &thing);
			counts[i]--;
		} else {
			cr_assert_eq(tally_add(t, &thing), ++counts[i]);
		}
	}
	for (i = 0; i < THINGS; i++) {
		thing = (uint64_t)i * 65536;
		cr_assert_eq(tally_add(t, &thing), counts[i] + 1);
	}
	tally_free(t);
}
