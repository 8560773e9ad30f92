/*
 * What a stop watch tells about accounts (row 27): nothing. A name that does
 * not exist, a wrong password and a disabled account take the same time.
 *
 * Other programs disturb every measurement, and each login the one behind it.
 * So the kinds take turns in an order that is drawn anew for each round, each is
 * compared with the wrong password of the same round, the medians of that count,
 * and more is measured until they say the same or it is clear that they do not.
 * An account whose hash costs twice as much is measured as well: the stop watch
 * would see a difference.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <criterion/criterion.h>

#include "http.h"
#include "sess.h"
#include "suite.h"
#include "tok.h"

TestSuite(timing, .timeout = 300);

/* Rounds before the first comparison, and at most; how long to go on. */
#define ROUNDS_MIN 40
#define ROUNDS_MAX 2000
#define LONGEST_MS 200000

/* How far the medians may be from one another (row 27). */
#define TOLERANCE 0.05

enum kind { WRONG, UNKNOWN, DISABLED, COSTLY, KINDS };

struct series {
	char *body;
	double took[ROUNDS_MAX]; /* milliseconds */
};

static void add_costly(const struct server *);
static double measure(struct raw *, const char *);
static void draw(int *);
static int compare(const void *, const void *);
static double ratio(const struct series *, int, size_t);
static bool same(double);

/* An account with a hash of twice the passes. */
static void
add_costly(const struct server *s)
{
	const char *argv[] = {corgi_ctl(), "user", "add", "costly", NULL};
	const char *env[] = {
	    "PATH=/usr/bin:/bin", "CORGI_ARGON2_PASSES=4", NULL, NULL};
	struct run_result r;
	char *folder;

	folder = text_of("CORGI_DATA_DIR=%s", server_data_dir(s));
	env[2] = folder;
	r = run_program(argv, env, "laika-in-orbit", 14);
	cr_assert(r.status == 0, "%s", r.out);
	run_free(&r);
	free(folder);
}

static double
measure(struct raw *r, const char *body)
{
	struct timespec begin, end;
	int status;

	(void)clock_gettime(CLOCK_MONOTONIC, &begin);
	status = sess_ask_on(r, "POST", "/login", NULL, body, NULL);
	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	cr_assert(status == 401, "%s: %d", body, status);
	return ((double)(end.tv_sec - begin.tv_sec) * 1e3 +
	    (double)(end.tv_nsec - begin.tv_nsec) / 1e6);
}

/* All kinds in a random order. */
static void
draw(int *order)
{
	static uint64_t state = 88172645463325252U;
	int k, other, kind;

	for (k = 0; k < KINDS; k++)
		order[k] = k;
	for (k = KINDS - 1; k > 0; k--) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		other = (int)(state % (uint64_t)(k + 1));
		kind = order[k];
		order[k] = order[other];
		order[other] = kind;
	}
}

static int
compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return ((*x > *y) - (*x < *y));
}

/* The median of how many times as long as a wrong password a kind takes. */
static double
ratio(const struct series *series, int kind, size_t n)
{
	double sorted[ROUNDS_MAX];
	size_t i;

	for (i = 0; i < n; i++)
		sorted[i] = series[kind].took[i] / series[WRONG].took[i];
	qsort(sorted, n, sizeof(sorted[0]), compare);
	return ((sorted[(n - 1) / 2] + sorted[n / 2]) / 2);
}

static bool
same(double r)
{
	return (r > 1 - TOLERANCE && r < 1 + TOLERANCE);
}

Test(timing, refused_logins_take_the_same_time_whatever_the_reason)
{
	struct server *s = suite_start_with("flask", "CORGI_THROTTLE_ACCOUNT=0",
	    "CORGI_THROTTLE_ADDRESS=0", NULL);
	static struct series series[KINDS];
	long long end = now_ms() + LONGEST_MS;
	struct raw *r;
	size_t n = 0;
	int k, order[KINDS];

	cr_assert(
	    sess_ctl(s, "laika-in-orbit", "user", "add", "laika", NULL) == 0);
	cr_assert(sess_ctl(s, NULL, "user", "disable", "laika", NULL) == 0);
	add_costly(s);
	series[WRONG].body = sess_login_json(DEMO_USER, "wrong");
	series[UNKNOWN].body = sess_login_json("nobody", "wrong");
	series[DISABLED].body = sess_login_json("laika", "laika-in-orbit");
	series[COSTLY].body = sess_login_json("costly", "wrong");

	r = raw_connect(server_port(s));
	raw_set_wait(r, 30000);
	for (k = 0; k < KINDS; k++)
		(void)measure(r, series[k].body);
	while (n < ROUNDS_MAX && now_ms() < end) {
		draw(order);
		for (k = 0; k < KINDS; k++)
			series[order[k]].took[n] =
			    measure(r, series[order[k]].body);
		if (++n >= ROUNDS_MIN && same(ratio(series, UNKNOWN, n)) &&
		    same(ratio(series, DISABLED, n)))
			break;
	}
	cr_assert(n >= ROUNDS_MIN, "too slow to be measured");
	printf("%zu rounds: unknown %.3f, disabled %.3f, costly %.3f times as "
	       "long as wrong\n",
	    n, ratio(series, UNKNOWN, n), ratio(series, DISABLED, n),
	    ratio(series, COSTLY, n));
	cr_expect(same(ratio(series, UNKNOWN, n)), "unknown names are known");
	cr_expect(same(ratio(series, DISABLED, n)), "disabled ones are known");
	cr_expect(ratio(series, COSTLY, n) > 1 + 2 * TOLERANCE,
	    "a difference would not have been seen");
	raw_close(r);
	for (k = 0; k < KINDS; k++)
		free(series[k].body);
	server_stop(s);
}
