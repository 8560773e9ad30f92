/*
 * Clocks: the machine's, one that stands still, and one for durations.
 */
#include <criterion/criterion.h>
#include <time.h>

#include "base/clock.h"

Test(clock, the_system_clock_is_the_machines)
{
	int64_t before, now, after;

	before = time(NULL);
	now = clock_now(&clock_system);
	after = time(NULL);
	/* time() may lag by a tick behind the precise clock. */
	cr_assert(now >= before && now <= after + 1);
	now = clock_now_ms(&clock_system);
	cr_assert(now >= before * 1000 && now <= (after + 2) * 1000);
}

Test(clock, a_fixed_clock_stands_where_it_is_told)
{
	int64_t seconds = 1700000000;
	struct clock c = clock_fixed(&seconds);

	cr_assert_eq(clock_now(&c), 1700000000);
	cr_assert_eq(clock_now_ms(&c), 1700000000000);
	seconds = INT64_MAX;
	cr_assert_eq(clock_now(&c), INT64_MAX);
	cr_assert_eq(clock_now_ms(&c), INT64_MAX);
	seconds = -1;
	cr_assert_eq(clock_now(&c), -1);
}

Test(clock, the_monotonic_clock_never_runs_backwards)
{
	struct timespec nap = {0, 30000000};
	int64_t before, after;

	before = clock_monotonic_ms();
	cr_assert_eq(nanosleep(&nap, NULL), 0);
	after = clock_monotonic_ms();
	cr_assert_gt(after, before);
}
