/*
 * clock.h - where the time comes from. Passed to whatever needs the time, so
 * that a test can stand at any second it likes.
 */
#ifndef CORGI_CLOCK_H
#define CORGI_CLOCK_H

#include <stdint.h>

/* now() returns whole seconds since 1970-01-01T00:00:00Z, now_ms()
 * milliseconds. Any thread. */
struct clock {
	int64_t (*now)(void *ctx);
	int64_t (*now_ms)(void *ctx);
	void *ctx;
};

/* The machine's clock. */
extern const struct clock clock_system;

/* A clock that stands where *seconds says. The caller owns *seconds. */
struct clock clock_fixed(int64_t *seconds);

/* Shorthand for c->now(c->ctx) and c->now_ms(c->ctx). */
int64_t clock_now(const struct clock *c);
int64_t clock_now_ms(const struct clock *c);

/* Milliseconds from an arbitrary start that never runs backwards. */
int64_t clock_monotonic_ms(void);

/* The same, and the time counts in which the machine slept. */
int64_t clock_boot_ms(void);

#endif
