/*
 * soak.c - good traffic beside all that is bad, for SOAK_SECONDS (60): floods,
 * half-open and slow connections, random bytes, too long heads and bodies,
 * garbage behind pipelined requests, clients that vanish or never read, changes
 * of accounts, and kills of workers.
 *
 * No good request may fail. One whose connection belonged to a killed worker
 * is sent again: a victim is stopped before it is killed and the other ends of
 * its sockets are written down (victims.h), so that nothing else is excused.
 * Afterwards memory and files are back where they were, the log tells of no
 * crash but the kills, and the database is whole.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "abuse.h"
#include "cert.h"
#include "http.h"
#include "ports.h"
#include "server.h"
#include "suite.h"
#include "tok.h"
#include "traffic.h"
#include "victims.h"

/* Seconds, unless SOAK_SECONDS says otherwise, and the most it may say. */
#define SECONDS     60
#define SECONDS_MAX 86400

#define WORKERS 2
#define GOOD    4 /* threads of good traffic */
/* Threads of abuse: the first at the TLS listener, the last holds
 * connections. */
#define BAD 5

/* Between two kills (milliseconds). */
#define KILL_MS 5000

/* How long a warming lasts, and how long the service may take to settle. */
#define WARM_MS   3000
#define SETTLE_MS 30000

/* What the process tree may have grown by (kB): malloc's and Kore's pools keep
 * some of what a storm needed. With a sanitizer, what it keeps of freed memory
 * goes on top. */
#define GROWTH_KB           6144
#define GROWTH_SANITIZER_KB 262144

/* Slow clients are ended within the run. */
#define CONF                                                                   \
	"http_header_timeout 3\nhttp_body_timeout 3\nhttp_keepalive_time 10"

TestSuite(soak, .timeout = SECONDS_MAX + 300);

/* What is measured when nothing is going on. */
struct level {
	long pss_kb; /* of parent and workers */
	int fds;     /* the most that a worker has open */
	size_t connections;
};

/* What a storm has left. */
struct toll {
	unsigned int kills;
	unsigned int accounts;
};

static long seconds(void);
static size_t two_workers(const struct server *, pid_t *);
static struct level measure(const struct server *);
static void warm(const struct server *, const char *);
static struct level settle(const struct server *, const struct level *);
static struct toll storm(const struct server *, int, const char *, long);
static int change_accounts(const struct server *, unsigned int);
static void expect_good(const struct traffic *);
static void expect_database(const char *, unsigned int);
static size_t occurrences(const char *, const char *);
static void figures(const char *, const struct level *);

static long
seconds(void)
{
	const char *text = getenv("SOAK_SECONDS");
	long n = SECONDS;

	if (text != NULL && *text != '\0')
		n = strtol(text, NULL, 10);
	cr_assert(n >= 1 && n <= SECONDS_MAX, "SOAK_SECONDS=%s", text);
	return (n);
}

/* The workers, once there are as many as there should be. */
static size_t
two_workers(const struct server *s, pid_t *pids)
{
	long long end = now_ms() + 10000;
	size_t n;

	while ((n = server_workers(s, pids, 8)) != WORKERS && now_ms() < end)
		sleep_ms(10);
	cr_expect_eq(n, WORKERS, "%zu workers", n);
	return (n);
}

static struct level
measure(const struct server *s)
{
	struct level level;
	pid_t pids[8];
	size_t i, n;

	memset(&level, 0, sizeof(level));
	n = two_workers(s, pids);
	level.pss_kb = process_pss_kb(server_pid(s));
	for (i = 0; i < n; i++) {
		level.pss_kb += process_pss_kb(pids[i]);
		level.connections +=
		    victims_connections(pids[i], server_port(s));
		if (process_fds(pids[i]) > level.fds)
			level.fds = process_fds(pids[i]);
	}
	return (level);
}

/* Use every worker and every background thread, many at once. */
static void
warm(const struct server *s, const char *token)
{
	struct traffic t[16];
	size_t i;

	memset(t, 0, sizeof(t));
	for (i = 0; i < 16; i++) {
		t[i].port = server_port(s);
		t[i].token = token;
		t[i].login_of = 2;
		t[i].keep = 10;
	}
	traffic_start(t, 16);
	sleep_ms(WARM_MS);
	traffic_stop(t, 16);
	for (i = 0; i < 16; i++)
		expect_good(&t[i]);
}

/* Wait until the level is that of before; returns the last one seen. */
static struct level
settle(const struct server *s, const struct level *before)
{
	long long end = now_ms() + SETTLE_MS;
	struct level level;

	do {
		sleep_ms(500);
		level = measure(s);
	} while ((level.connections > 0 || level.fds > before->fds ||
		     level.pss_kb > before->pss_kb + GROWTH_KB) &&
	    now_ms() < end);
	return (level);
}

static void
expect_good(const struct traffic *t)
{
	cr_expect_eq(t->failed, 0, "%u failed: %s", t->failed, t->first);
	cr_expect_gt(t->guarded, 0);
	cr_expect_gt(t->logins, 0);
}

/* Add, change and remove an account while everything else goes on. */
static int
change_accounts(const struct server *s, unsigned int n)
{
	static const char password[] = "soak-password\n";
	char *setting = text_of("CORGI_DATA_DIR=%s", server_data_dir(s));
	char *name = text_of("soak-%u", n);
	const char *environment[] = {"PATH=/usr/bin:/bin", setting, NULL};
	static const char *const verbs[] = {"add", "passwd", "delete"};
	const char *argv[] = {corgi_ctl(), "user", NULL, name, NULL, NULL};
	struct run_result result;
	int failed = 0;
	size_t i;

	/* One in three stays. */
	for (i = 0; i < (n % 3 == 0 ? 2 : 3); i++) {
		argv[2] = verbs[i];
		argv[4] = i == 2 ? "--yes" : NULL;
		result = run_program(
		    argv, environment, password, sizeof(password) - 1);
		if (result.status != 0) {
			failed++;
			(void)fprintf(stderr, "corgictl user %s: %s", verbs[i],
			    result.out);
		}
		run_free(&result);
	}
	free(name);
	free(setting);
	return (failed);
}

/* The time itself. */
static struct toll
storm(const struct server *s, int tls_port, const char *token, long duration)
{
	static struct traffic good[GOOD];
	static struct abuse bad[BAD];
	static const unsigned int keeps[GOOD] = {0, 1, 7, 50};
	unsigned int changes_failed = 0, rounds = 0;
	struct toll toll = {.kills = 0};
	long long end, next;
	size_t i, taken = 0;
	pid_t pids[8];

	for (i = 0; i < GOOD; i++) {
		good[i].port = server_port(s);
		good[i].token = token;
		good[i].login_of = 10;
		good[i].keep = keeps[i];
		good[i].pause_ms = 2;
		good[i].lost = victims_lost;
	}
	for (i = 0; i < BAD; i++) {
		bad[i].port = i == 0 ? tls_port : server_port(s);
		bad[i].seed = (unsigned int)i + 1;
		bad[i].hold = i == BAD - 1;
	}
	traffic_start(good, GOOD);
	abuse_start(bad, BAD);
	end = now_ms() + duration * 1000;
	next = now_ms() + KILL_MS;
	while (now_ms() < end) {
		sleep_ms(200);
		rounds++;
		toll.accounts += rounds % 3 == 0;
		changes_failed += (unsigned int)change_accounts(s, rounds);
		if (now_ms() < next)
			continue;
		if (two_workers(s, pids) == WORKERS) {
			taken += victims_kill(
			    pids[toll.kills % WORKERS], server_port(s));
			toll.kills++;
		}
		next = now_ms() + KILL_MS;
	}
	abuse_stop(bad, BAD);
	traffic_stop(good, GOOD);

	for (i = 0; i < GOOD; i++) {
		(void)printf("good traffic %zu: %u guarded, %u logins on %u "
			     "connections; %u sent again, %u failed\n",
		    i, good[i].guarded, good[i].logins, good[i].connections,
		    good[i].retried, good[i].failed);
		expect_good(&good[i]);
	}
	for (i = 0; i < BAD; i++)
		(void)printf("abuse %zu: %lu attacks, %lu connections, "
			     "%llu kB\n",
		    i, bad[i].attacks, bad[i].connections, bad[i].bytes / 1024);
	(void)printf("accounts: %u added, %u kept, %u changes failed\n"
		     "kills: %u, with %zu connections\n",
	    rounds, toll.accounts, changes_failed, toll.kills, taken);
	cr_expect_eq(changes_failed, 0);
	return (toll);
}

static size_t
occurrences(const char *text, const char *word)
{
	size_t n = 0;

	while ((text = strstr(text, word)) != NULL) {
		text += strlen(word);
		n++;
	}
	return (n);
}

/* Whole, with the accounts that were kept beside the demo account. */
static void
expect_database(const char *folder, unsigned int accounts)
{
	char *path = text_of("%s/corgi.db", folder);
	const char *argv[] = {"sqlite3", path, "PRAGMA integrity_check", NULL};
	struct run_result result;

	result = run_program(argv, NULL, NULL, 0);
	(void)printf("integrity_check: %s", result.out);
	cr_expect_str_eq(result.out, "ok\n");
	run_free(&result);
	argv[2] = "SELECT count(*) FROM users";
	result = run_program(argv, NULL, NULL, 0);
	cr_expect_eq(strtoul(result.out, NULL, 10), accounts + 1,
	    "%s accounts, not %u", result.out, accounts + 1);
	run_free(&result);
	free(path);
}

static void
figures(const char *name, const struct level *level)
{
	(void)printf("%s: PSS %ld kB, %d files of a worker, %zu connections\n",
	    name, level->pss_kb, level->fds, level->connections);
}

/* A service with a plain and a TLS listener. */
static struct server *
start_service(const char *data, int tls_port)
{
	const struct cert_files files = cert_paths(data);
	struct cert cert = cert_new("soak");
	const char *environment[4] = {"JWT_SECRET_KEY=" TOK_SECRET};
	struct server_options options;
	char *texts[3];
	struct server *s;
	size_t i;

	texts[0] = text_of("CORGI_TLS_CERTIFICATE=%s", files.certificate);
	texts[1] = text_of("CORGI_TLS_KEY=%s", files.key);
	texts[2] = text_of("server main {\n"
			   "	bind 127.0.0.1 @PORT@ front_connect\n"
			   "	bind 127.0.0.1 %d front_connect_tls\n"
			   "	tls no\n"
			   "}\n",
	    tls_port);
	environment[1] = texts[0];
	environment[2] = texts[1];
	memset(&options, 0, sizeof(options));
	options.environment = environment;
	options.config = CONF;
	options.listener = texts[2];
	options.data_dir = data;
	options.workers = WORKERS;
	cert_install(&files, &cert);
	s = server_start(&options);
	server_expect_crash(s);
	for (i = 0; i < 3; i++)
		free(texts[i]);
	cert_free(&cert);
	return (s);
}

Test(soak, nothing_is_lost_and_nothing_is_left)
{
	char *data = scratch_new(), *log, *token;
	long growth =
	    getenv("CORGI_PRELOAD") == NULL ? GROWTH_KB : GROWTH_SANITIZER_KB;
	struct level before, after;
	int tls_port = steady_port();
	struct server *s = start_service(data, tls_port);
	struct toll toll;

	token = http_token(server_port(s));
	warm(s, token);
	before.fds = 1 << 20;
	before.pss_kb = 1 << 30;
	before = settle(s, &before);
	figures("before", &before);
	toll = storm(s, tls_port, token, seconds());
	warm(s, token);
	after = settle(s, &before);
	figures("after", &after);
	cr_expect_leq(after.pss_kb, before.pss_kb + growth);
	cr_expect_leq(after.fds, before.fds);
	cr_expect_eq(after.connections, 0);

	log = server_log(s);
	(void)printf("log: %zu kB, %zu workers gone\n", strlen(log) / 1024,
	    occurrences(log, "(hdlr: "));
	cr_expect_eq(occurrences(log, "(hdlr: "), toll.kills);
	cr_expect_eq(occurrences(log, "sanitizer"), 0);
	cr_expect_eq(occurrences(log, "internal"), 0);
	free(log);
	cr_expect_eq(server_stop(s), 0);
	expect_database(data, toll.accounts);
	free(token);
	scratch_free(data);
}
