/*
 * clock.c - the machine's clock and one that stands still.
 */
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

static int64_t now_system(void *);
static int64_t now_ms_system(void *);
static int64_t now_fixed(void *);
static int64_t now_ms_fixed(void *);

const struct clock clock_system = {now_system, now_ms_system, NULL};

struct clock
clock_fixed(int64_t *seconds)
{
	struct clock c = {now_fixed, now_ms_fixed, seconds};

	return (c);
}

int64_t
clock_now(const struct clock *c)
{
	return (c->now(c->ctx));
}

int64_t
clock_now_ms(const struct clock *c)
{
	return (c->now_ms(c->ctx));
}

int64_t
clock_monotonic_ms(void)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_MONOTONIC_COARSE, &ts) != 0)
		abort();

	return ((int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000);
}

int64_t
clock_boot_ms(void)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_BOOTTIME, &ts) != 0)
		abort();

	return ((int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000);
}

static int64_t
now_system(void *ctx)
{
	struct timespec ts;

	(void)ctx;
	if (clock_gettime(CLOCK_REALTIME_COARSE, &ts) != 0)
		abort();

	return (ts.tv_sec);
}

static int64_t
now_ms_system(void *ctx)
{
	struct timespec ts;

	(void)ctx;
	if (clock_gettime(CLOCK_REALTIME_COARSE, &ts) != 0)
		abort();

	return ((int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000);
}

static int64_t
now_fixed(void *ctx)
{
	const int64_t *seconds = ctx;

	return (*seconds);
}

static int64_t
now_ms_fixed(void *ctx)
{
	const int64_t *seconds = ctx;
	int64_t ms;

	if (__builtin_mul_overflow(*seconds, 1000, &ms))
		return (*seconds > 0 ? INT64_MAX : INT64_MIN);
	return (ms);
}
