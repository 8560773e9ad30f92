/*
 * clock.c - the machine's clock and one that stands still.
 */
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

static int64_t now_system(void *);
static int64_t now_fixed(void *);

const struct clock clock_system = {now_system, NULL};

struct clock
clock_fixed(int64_t *seconds)
{
	struct clock c = {now_fixed, seconds};

	return (c);
}

int64_t
clock_now(const struct clock *c)
{
	return (c->now(c->ctx));
}

int64_t
clock_monotonic_ms(void)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_MONOTONIC, &ts) != 0)
		abort();

	return ((int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000);
}

static int64_t
now_system(void *ctx)
{
	struct timespec ts;

	(void)ctx;
	if (clock_gettime(CLOCK_REALTIME, &ts) != 0)
		abort();

	return (ts.tv_sec);
}

static int64_t
now_fixed(void *ctx)
{
	const int64_t *seconds = ctx;

	return (*seconds);
}
