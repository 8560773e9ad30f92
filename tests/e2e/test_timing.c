/*
 * What a stop watch tells about accounts (row 27): nothing. A name that does
 * not exist, a wrong password and a disabled account take the same time.
 *
 * Other programs disturb every measurement, so the kinds take turns, medians
 * are compared, and more is measured until they agree or it is clear that they
 * do not. An account whose hash costs twice as much is measured as well: the
 * stop watch would see a difference.
 */
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
#define ROUNDS_MAX 400
#define LONGEST_MS 240000

/* How far two medians may be apart (row 27). */
#define TOLERANCE 0.05

enum kind { WRONG, UNKNOWN, DISABLED, COSTLY, KINDS };

struct series {
	char *body;
	double took[ROUNDS_MAX]; /* milliseconds */
};

static void add_costly(const struct server *);
static double measure(struct raw *, const char *);
static int compare(const void *, const void *);
static double median(const struct series *, size_t);
static bool agree(const struct series *, size_t);

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

static int
compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return ((*x > *y) - (*x < *y));
}

static double
median(const struct series *series, size_t n)
{
	double sorted[ROUNDS_MAX];

	memcpy(sorted, series->took, n * sizeof(sorted[0]));
	qsort(sorted, n, sizeof(sorted[0]), compare);
	return ((sorted[(n - 1) / 2] + sorted[n / 2]) / 2);
}

/* Whether the first three kinds cannot be told apart. */
static bool
agree(const struct series *series, size_t n)
{
	double wrong = median(&series[WRONG], n), other;
	int k;

	for (k = UNKNOWN; k <= DISABLED; k++) {
		other = median(&series[k], n);
		if (other < wrong * (1 - TOLERANCE) ||
		    other > wrong * (1 + TOLERANCE))
			return (false);
	}
	return (true);
}

Test(timing, refused_logins_take_the_same_time_whatever_the_reason)
{
	struct server *s = suite_start_with("flask", "CORGI_THROTTLE_ACCOUNT=0",
	    "CORGI_THROTTLE_ADDRESS=0", NULL);
	static struct series series[KINDS];
	long long end = now_ms() + LONGEST_MS;
	struct raw *r;
	size_t n = 0;
	int k;

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
		/* Each is the first one as often as any other. */
		for (k = 0; k < KINDS; k++)
			series[(n + (size_t)k) % KINDS].took[n] =
			    measure(r, series[(n + (size_t)k) % KINDS].body);
		if (++n >= ROUNDS_MIN && agree(series, n))
			break;
	}
	cr_assert(n >= ROUNDS_MIN, "too slow to be measured");
	printf("medians of %zu rounds: wrong %.2f ms, unknown %.2f ms, "
	       "disabled %.2f ms, costly %.2f ms\n",
	    n, median(&series[WRONG], n), median(&series[UNKNOWN], n),
	    median(&series[DISABLED], n), median(&series[COSTLY], n));
	cr_expect(agree(series, n), "they can be told apart");
	cr_expect(median(&series[COSTLY], n) >
		median(&series[WRONG], n) * (1 + 2 * TOLERANCE),
	    "a difference would not have been seen");
	raw_close(r);
	for (k = 0; k < KINDS; k++)
		free(series[k].body);
	server_stop(s);
}
