/*
 * nodes.c - two nodes on one PostgreSQL server, under load: sessions are ended
 * on node A while their access tokens are used on node B, where one guard is
 * an ordinary one and another is strict. How late B still took a token is
 * measured; too late fails. Halfway B is cut off from the server for a while.
 *
 * For NODES_SECONDS (5: the short form, without the cut).
 */
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "database.h"
#include "far.h"
#include "http.h"
#include "load.h"
#include "sess.h"
#include "suite.h"
#include "tok.h"

#define SECONDS     5
#define SECONDS_MAX 86400

/* Below so many there is no cut; how long it lasts, and how long a node may go
 * on without word (seconds). */
#define CUT_LEAST_SECONDS 40
#define CUT_SECONDS       15
#define SILENCE_SECONDS   3

/* How long after A's answer a request may begin that B still takes
 * (microseconds): what it knows may be so old, whatever holds it up. */
#define LATE_MAX_US (SILENCE_SECONDS * 1000000)

/* The clock by which B knows how long it has heard nothing is so late at
 * most. */
#define CLOCK_US 10000

/* Who log out; who use the token of each meanwhile, the last one where the
 * guard is strict. */
#define LEAVERS 8
#define USERS   3

/* How long a token is used before it is logged out (milliseconds), and how
 * often after the first refusal. */
#define USE_MS     20
#define AFTERWARDS 3

/* Between two requests of a user: a delay is known so well. */
#define POLL_MS 1

/* Between two requests of those that try what was ended long ago. */
#define PROBE_MS 2

/* Tokens and figures that are kept. */
#define KEPT_MAX 65536

/* Longest wait for B to refuse (microseconds). */
#define PATIENCE_US 20000000

/* A has not been asked yet, or has not answered. */
#define IN_USE  0
#define LEAVING (-1)

TestSuite(nodes_soak, .timeout = SECONDS_MAX + 300);

/* One who uses a token on B until it is refused. */
struct user {
	pthread_t thread;
	struct load_client client;
	bool strict;
	const char *token;
	atomic_llong since;   /* when A had answered, or one of these */
	long long last_us;    /* when the last accepted request began */
	long long refused_us; /* when the first refusal was there; 0: never */
	bool down;            /* B cannot know, and may say so */
};

struct leaver {
	pthread_t thread;
	struct load_client client;
	unsigned int number;
	struct user users[USERS];
};

/* What came of it. Times and delays are in microseconds. */
static struct {
	pthread_mutex_t lock;
	long long taken[KEPT_MAX];   /* until the last that was accepted */
	long long refused[KEPT_MAX]; /* until the first refusal was there */
	size_t count;
	char *ended[KEPT_MAX]; /* tokens that must not be taken again */
	long long since[KEPT_MAX];
	size_t nended;
	unsigned int strict; /* logouts that the strict guard refused at once */
	unsigned int cut;    /* logouts while B was cut off */
	unsigned int busy;   /* logouts that A had to be asked for again */
	unsigned int probes;
	long long cut_last;    /* the last accepted after the cut began */
	unsigned int too_late; /* accepted: must stay 0 */
	unsigned int failed;   /* what was no answer to be expected */
	char first[256];       /* of these, in words */
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct server *a, *b;
static atomic_bool stop;

/* When B was cut off, and when it began not to be. */
static atomic_llong cut_us = LLONG_MAX, mended_us = LLONG_MAX;

static long
seconds(void)
{
	const char *text = getenv("NODES_SECONDS");
	long n = SECONDS;

	if (text != NULL && *text != '\0')
		n = strtol(text, NULL, 10);
	cr_assert(n >= 1 && n <= SECONDS_MAX, "NODES_SECONDS=%s", text);
	return (n);
}

/* Until when a request may have begun that an ordinary guard on B takes,
 * although the session had ended on A. */
static long long
deadline(long long since)
{
	long long cut = atomic_load(&cut_us);

	if (cut < since && since < atomic_load(&mended_us))
		since = cut;
	return (since + LATE_MAX_US + CLOCK_US);
}

/* Whether B may say that it does not know. */
static bool
may_be_down(void)
{
	return (load_now_us() > atomic_load(&cut_us) &&
	    load_now_us() - LATE_MAX_US < atomic_load(&mended_us));
}

static void __attribute__((format(printf, 2, 3)))
complain(unsigned int *counter, const char *fmt, ...)
{
	va_list args;

	pthread_mutex_lock(&seen.lock);
	if ((*counter)++ == 0 && seen.first[0] == '\0') {
		va_start(args, fmt);
		(void)vsnprintf(seen.first, sizeof(seen.first), fmt, args);
		va_end(args);
	}
	pthread_mutex_unlock(&seen.lock);
}

/* Use a token that was ended at that time, or not yet, once. The status. */
static int
use(struct load_client *client, bool strict, const char *token,
    atomic_llong *ended, long long *began)
{
	long long since, cut = atomic_load(&cut_us);
	int status;

	*began = load_now_us();
	status = load_ask(
	    client, "GET", strict ? "/protected" : "/me", token, NULL, NULL);
	since = atomic_load(ended);
	if (status == 200 && since > 0 && *began > since &&
	    (strict || *began > deadline(since)))
		complain(&seen.too_late,
		    "%s guard took it %lld ms after the logout",
		    strict ? "the strict" : "the ordinary",
		    (*began - since) / 1000);
	if (status == 200 && *began > cut && since > 0) {
		pthread_mutex_lock(&seen.lock);
		if (*began - cut > seen.cut_last &&
		    *began < atomic_load(&mended_us))
			seen.cut_last = *began - cut;
		pthread_mutex_unlock(&seen.lock);
	}
	if (status != 200 && status != 503 &&
	    (status != 401 || since == IN_USE))
		complain(&seen.failed, "use: %d", status);
	return (status);
}

static void *
user_thread(void *arg)
{
	struct user *u = arg;
	long long began, since;
	int status, left = AFTERWARDS;

	while (left > 0) {
		status =
		    use(&u->client, u->strict, u->token, &u->since, &began);
		since = atomic_load(&u->since);
		if (status == 200)
			u->last_us = began;
		if (status == 401 && u->refused_us == 0)
			u->refused_us = load_now_us();
		if (u->refused_us != 0)
			left--;
		u->down = u->down || may_be_down();
		if (since > 0 && (u->down || began > since + PATIENCE_US))
			break;
		sleep_ms(POLL_MS);
	}
	return (NULL);
}

/* Note what the users saw, and that this token must not be taken again. */
static void
take_down(struct leaver *l, char *token, long long since)
{
	long long taken = 0, refused = 0;
	bool down = false;
	size_t i;

	pthread_mutex_lock(&seen.lock);
	for (i = 0; i < USERS; i++) {
		struct user *u = &l->users[i];

		down = down || u->down;
		if (!u->down && u->refused_us == 0)
			seen.failed++;
		if (u->strict && u->refused_us != 0)
			seen.strict++;
		if (u->strict)
			continue;
		if (u->last_us - since > taken)
			taken = u->last_us - since;
		if (u->refused_us - since > refused)
			refused = u->refused_us - since;
	}
	if (down)
		seen.cut++;
	else if (seen.count < KEPT_MAX) {
		seen.taken[seen.count] = taken;
		seen.refused[seen.count++] = refused;
	}
	if (seen.nended < KEPT_MAX) {
		seen.ended[seen.nended] = token;
		seen.since[seen.nended++] = since;
	} else
		free(token);
	pthread_mutex_unlock(&seen.lock);
}

/* Again and again, while A is too busy. */
static int
log_out(struct leaver *l, const char *token)
{
	long long until = load_now_us() + PATIENCE_US;
	int status;

	for (;;) {
		status = load_ask(
		    &l->client, "DELETE", "/logout", token, NULL, NULL);
		if (status != 503 || load_now_us() > until)
			return (status);
		pthread_mutex_lock(&seen.lock);
		seen.busy++;
		pthread_mutex_unlock(&seen.lock);
		sleep_ms(POLL_MS);
	}
}

/* Let the users go on with this token, or begin. */
static void
tell_users(struct leaver *l, long long since)
{
	size_t i;

	for (i = 0; i < USERS; i++)
		atomic_store(&l->users[i].since, since);
}

static void
start_users(struct leaver *l, const char *token)
{
	struct user *u;
	size_t i;

	tell_users(l, IN_USE);
	for (i = 0; i < USERS; i++) {
		u = &l->users[i];
		u->token = token;
		u->last_us = u->refused_us = 0;
		u->down = false;
		cr_assert(
		    pthread_create(&u->thread, NULL, user_thread, u) == 0);
	}
}

/* From a login to the refusal everywhere. */
static void
leave_once(struct leaver *l)
{
	char *json = load_login_json(l->number++);
	struct raw_response answer;
	struct pair pair;
	long long since;
	int status;
	size_t i;

	status = load_ask(&l->client, "POST", "/login", NULL, json, &answer);
	free(json);
	if (status != 200 || !pair_take(&answer, &pair)) {
		raw_response_free(&answer);
		if (status != 503)
			complain(&seen.failed, "login: %d", status);
		return;
	}
	raw_response_free(&answer);
	start_users(l, pair.access);
	sleep_ms(USE_MS);
	tell_users(l, LEAVING);
	status = log_out(l, pair.access);
	since = load_now_us();
	if (status != 200)
		complain(&seen.failed, "logout: %d", status);
	tell_users(l, since);
	for (i = 0; i < USERS; i++)
		(void)pthread_join(l->users[i].thread, NULL);
	take_down(l, pair.access, since);
	pair.access = NULL;
	pair_free(&pair);
}

static void *
leaver_thread(void *arg)
{
	struct leaver *l = arg;

	while (!atomic_load(&stop))
		leave_once(l);
	return (NULL);
}

/* Try what has been ended, over and over, with both guards in turn. */
static void *
probe_thread(void *arg)
{
	struct load_client *client = arg;
	unsigned int seed = 1, n;
	atomic_llong since;
	long long began;
	const char *token;
	size_t i;

	for (n = 0; !atomic_load(&stop); n++) {
		sleep_ms(PROBE_MS);
		pthread_mutex_lock(&seen.lock);
		i = seen.nended == 0 ? 0 : (size_t)rand_r(&seed) % seen.nended;
		token = seen.ended[i];
		atomic_store(&since, seen.since[i]);
		pthread_mutex_unlock(&seen.lock);
		if (token == NULL)
			continue;
		(void)use(client, n % 2 == 0, token, &since, &began);
		seen.probes++;
	}
	return (NULL);
}

/* Both with the same routes; the first makes the tables. */
static struct server *
start(unsigned int wire, const char *routes)
{
	char *database = far_setting(wire);
	char *silence = text_of("CORGI_DATABASE_SILENCE=%d", SILENCE_SECONDS);
	const char *env[] = {"JWT_SECRET_KEY=" TOK_SECRET, database, silence,
	    "CORGI_THROTTLE_ACCOUNT=0", "CORGI_THROTTLE_ADDRESS=0",
	    "CORGI_SESSIONS_PER_USER=0", "CORGI_REFRESH_GRACE=300", NULL};
	struct server_options options = {
	    .environment = env, .routes = routes, .workers = 2};
	struct server *s = server_start(&options);

	free(database);
	free(silence);
	return (s);
}

/* The accounts that log in and out. */
static void
make_accounts(void)
{
	char *lines = load_accounts(), *setting = far_setting(0);
	const char *argv[] = {corgi_ctl(), "user", "import", "-", NULL};
	char *folder = text_of("CORGI_DATA_DIR=%s", server_data_dir(a));
	const char *env[] = {"PATH=/usr/bin:/bin", folder, setting, NULL};
	struct run_result r = run_program(argv, env, lines, strlen(lines));

	cr_assert(r.status == 0, "%s", r.out);
	run_free(&r);
	free(folder);
	free(setting);
	free(lines);
}

/* Wait so long, and cut B off in the middle of it if there is time enough. */
static void
let_it_run(long n)
{
	if (n < CUT_LEAST_SECONDS) {
		sleep_ms((int)n * 1000);
		return;
	}
	sleep_ms((int)(n - CUT_SECONDS) * 500);
	far_cut(1);
	atomic_store(&cut_us, load_now_us());
	sleep_ms(CUT_SECONDS * 1000);
	atomic_store(&mended_us, load_now_us());
	far_mend(1);
	sleep_ms((int)(n - CUT_SECONDS) * 500);
}

static int
compare(const void *x, const void *y)
{
	const long long *l = x, *r = y;

	return ((*l > *r) - (*l < *r));
}

static void
print_delays(const char *what, long long *delays)
{
	size_t n = seen.count;

	qsort(delays, n, sizeof(delays[0]), compare);
	(void)printf("%s: median %.1f ms, p99 %.1f ms, longest %.1f ms\n", what,
	    (double)delays[n / 2] / 1e3,
	    (double)delays[(n * 99 - 1) / 100] / 1e3,
	    (double)delays[n - 1] / 1e3);
}

static void
print_load(const char *name, const struct load *l, long n)
{
	(void)printf("node %s: %.1f logins/s, %.1f refreshes/s, %.1f guarded "
		     "requests/s beside that; %u answered 503, %u failed\n",
	    name, (double)l->logins / (double)n,
	    (double)l->refreshes / (double)n, (double)l->guarded / (double)n,
	    l->busy, l->failed);
	cr_expect(l->failed == 0, "%s: %d", name, l->status);
}

static void
print_all(long n)
{
	(void)printf("%ld s, %zu logouts on A, and %u more while B was cut "
		     "off\n",
	    n, seen.count, seen.cut);
	cr_assert(seen.count > 0);
	print_delays("ordinary guard, until the start of the last request "
		     "that B took",
	    seen.taken);
	print_delays("ordinary guard, until B's first refusal of each client",
	    seen.refused);
	(void)printf(
	    "strict guard: %u logouts, each known at once\n", seen.strict);
	if (seen.cut > 0)
		(void)printf("cut off for %d s: the last token that had been "
			     "ended was taken %.1f ms after the cut\n",
		    CUT_SECONDS, (double)seen.cut_last / 1e3);
	(void)printf("%u tries of ended tokens later; %u accepted too late\n",
	    seen.probes, seen.too_late);
	(void)printf(
	    "A had to be asked again for a logout %u times\n", seen.busy);
	cr_expect(seen.too_late == 0, "%s", seen.first);
	cr_expect(seen.failed == 0, "%s", seen.first);
}

Test(nodes_soak, what_was_ended_on_one_is_not_taken_on_the_other)
{
	static struct leaver leavers[LEAVERS];
	static struct load loads[2];
	struct load_client prober;
	pthread_t probes;
	char *routes;
	size_t i, j;

	if (getenv("NODES_SECONDS") == NULL)
		database_need_server();
	if (!far_start(2))
		cr_skip_test("no network of its own can be made here");
	routes = suite_routes("access strict");
	a = start(0, routes);
	b = start(1, routes);
	make_accounts();
	loads[0].port = server_port(a);
	loads[1].port = server_port(b);
	prober = (struct load_client){.port = server_port(b)};
	load_start(&loads[0]);
	load_start(&loads[1]);
	for (i = 0; i < LEAVERS; i++) {
		leavers[i].client.port = server_port(a);
		leavers[i].number = (unsigned int)i;
		for (j = 0; j < USERS; j++) {
			leavers[i].users[j].client.port = server_port(b);
			leavers[i].users[j].strict = j == USERS - 1;
		}
		cr_assert(pthread_create(&leavers[i].thread, NULL,
			      leaver_thread, &leavers[i]) == 0);
	}
	cr_assert(pthread_create(&probes, NULL, probe_thread, &prober) == 0);
	let_it_run(seconds());
	atomic_store(&stop, true);
	for (i = 0; i < LEAVERS; i++) {
		(void)pthread_join(leavers[i].thread, NULL);
		load_close(&leavers[i].client);
		for (j = 0; j < USERS; j++)
			load_close(&leavers[i].users[j].client);
	}
	(void)pthread_join(probes, NULL);
	load_close(&prober);
	load_stop(&loads[0]);
	load_stop(&loads[1]);
	print_load("A", &loads[0], seconds());
	print_load("B", &loads[1], seconds());
	print_all(seconds());
	server_stop(a);
	server_stop(b);
	far_stop();
	free(routes);
	for (i = 0; i < seen.nended; i++)
		free(seen.ended[i]);
}
