/*
 * sessions.c - the life of sessions under fire, for SOAK_SECONDS (30) each:
 *
 *  - clients log in, use their tokens and log out, while workers are killed.
 *    Once a logout has been answered, no worker may take one of the session's
 *    tokens again: not at once, not later, not after a restart.
 *  - clients refresh one token at once, over and over, while workers are
 *    killed. All of them get the same successor and nobody is logged out.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <jansson.h>

#include "http.h"
#include "ports.h"
#include "server.h"
#include "suite.h"
#include "tok.h"

#define SECONDS     30
#define SECONDS_MAX 86400

#define WORKERS 3
#define CLIENTS 8

/* Between two kills (milliseconds). */
#define KILL_MS 1500

/* Requests on connections of their own right after a logout: some reach each
 * worker. */
#define PROBES 6

/* Tokens of ended sessions that are tried again later. */
#define ENDED_MAX 65536

/* How long one request is tried again while workers come and go. */
#define PATIENCE_MS 8000

TestSuite(sessions, .timeout = SECONDS_MAX + 300);

/* Tokens that must never be taken again. */
static struct {
	pthread_mutex_t lock;
	char *tokens[ENDED_MAX];
	size_t count;
} ended = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct client {
	pthread_t thread;
	int port;
	unsigned int seed;
	unsigned int logins;
	unsigned int used;
	unsigned int probes;
	unsigned int later;
	unsigned int repeated; /* sent again, for want of an answer */
	unsigned int accepted; /* after the logout: must stay 0 */
	unsigned int failed;
	char first[256]; /* failure in words */
};

static atomic_bool stop;

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

/* Send one request on a connection of its own. Its status; 0: no answer. */
static int
ask_once(int port, const char *method, const char *path, const char *token,
    const char *body, struct raw_response *out)
{
	char *text;
	struct raw *r;
	int status = 0;

	memset(out, 0, sizeof(*out));
	r = raw_try_connect(port);
	if (r == NULL)
		return (0);
	text = text_of("%s %s HTTP/1.1\r\nHost: soak\r\nConnection: close\r\n"
		       "%s%s%sContent-Type: application/json\r\n"
		       "Content-Length: %zu\r\n\r\n%s",
	    method, path, token != NULL ? "Authorization: Bearer " : "",
	    token != NULL ? token : "", token != NULL ? "\r\n" : "",
	    body != NULL ? strlen(body) : 0, body != NULL ? body : "");
	if (raw_send_text(r, text) && raw_read(r, false, out) == RAW_OK)
		status = out->status;
	else
		raw_response_free(out);
	raw_close(r);
	free(text);
	return (status);
}

/* The same until there is an answer, and not only that all are busy. */
static int
ask(struct client *c, const char *method, const char *path, const char *token,
    const char *body, struct raw_response *out)
{
	long long end = now_ms() + PATIENCE_MS;
	int status;

	for (;;) {
		status = ask_once(c->port, method, path, token, body, out);
		if (status != 0 && status != 503)
			return (status);
		if (status == 503)
			raw_response_free(out);
		if (now_ms() > end)
			return (0);
		c->repeated++;
		sleep_ms(20);
	}
}

static void
fail(struct client *c, const char *what, int status)
{
	if (c->failed++ == 0)
		(void)snprintf(
		    c->first, sizeof(c->first), "%s: %d", what, status);
}

/* A member of an answer's JSON; free() it. NULL when there is none. */
static char *
member(const struct raw_response *answer, const char *name)
{
	const char *text;
	json_t *doc;
	char *copy = NULL;

	doc = json_loadb(answer->body, answer->body_len, 0, NULL);
	text = json_string_value(json_object_get(doc, name));
	if (text != NULL)
		copy = strdup(text);
	json_decref(doc);
	return (copy);
}

static void
remember(char *token)
{
	pthread_mutex_lock(&ended.lock);
	if (ended.count < ENDED_MAX)
		ended.tokens[ended.count++] = token;
	else
		free(token);
	pthread_mutex_unlock(&ended.lock);
}

/* One of those that must never be taken again, or NULL. */
static const char *
any_ended(unsigned int *seed)
{
	const char *token = NULL;

	pthread_mutex_lock(&ended.lock);
	if (ended.count > 0)
		token = ended.tokens[(size_t)rand_r(seed) % ended.count];
	pthread_mutex_unlock(&ended.lock);
	return (token);
}

/* GET /protected with a token of an ended session. */
static void
probe(struct client *c, const char *token, unsigned int *count)
{
	struct raw_response answer;
	int status;

	status = ask(c, "GET", "/protected", token, NULL, &answer);
	if (status == 200)
		c->accepted++;
	else if (status != 401)
		fail(c, "probe", status);
	if (status != 0)
		raw_response_free(&answer);
	(*count)++;
}

/* From login to logout, and what comes after it. */
static void
live_once(struct client *c)
{
	struct raw_response answer;
	char *access = NULL, *refresh = NULL, *renewed = NULL;
	const char *old;
	size_t i;
	int status;

	status = ask(c, "POST", "/login", NULL, DEMO_LOGIN, &answer);
	if (status != 200) {
		fail(c, "login", status);
		goto out;
	}
	access = member(&answer, "access_token");
	refresh = member(&answer, "refresh_token");
	raw_response_free(&answer);
	c->logins++;
	for (i = 0; i < 3; i++, c->used++) {
		status = ask(c, "GET", "/protected", access, NULL, &answer);
		if (status != 200)
			fail(c, "use", status);
		if (status != 0)
			raw_response_free(&answer);
	}
	status = ask(c, "POST", "/refresh", refresh, NULL, &answer);
	if (status != 200)
		fail(c, "refresh", status);
	else
		renewed = member(&answer, "access_token");
	if (status != 0)
		raw_response_free(&answer);

	/* 401: the answer to an earlier try was lost with its worker. */
	status = ask(c, "DELETE", "/logout", access, NULL, &answer);
	if (status != 200 && status != 401)
		fail(c, "logout", status);
	if (status != 0)
		raw_response_free(&answer);
	if (status == 200 || status == 401) {
		for (i = 0; i < PROBES; i++)
			probe(c,
			    i % 2 == 0 || renewed == NULL ? access : renewed,
			    &c->probes);
		remember(access);
		access = NULL;
		if (renewed != NULL)
			remember(renewed);
		renewed = NULL;
	}
	old = any_ended(&c->seed);
	if (old != NULL)
		probe(c, old, &c->later);
out:
	free(access);
	free(refresh);
	free(renewed);
}

static void *
client_thread(void *arg)
{
	struct client *c = arg;

	while (!atomic_load(&stop))
		live_once(c);
	return (NULL);
}

/* Kill a worker now and then, until the time is over; how many. */
static unsigned int
kill_workers(const struct server *s, long duration)
{
	long long end = now_ms() + duration * 1000, next = now_ms() + KILL_MS;
	unsigned int kills = 0;
	pid_t pids[8];
	size_t n;

	while (now_ms() < end) {
		sleep_ms(50);
		if (now_ms() < next)
			continue;
		next = now_ms() + KILL_MS;
		n = server_workers(s, pids, 8);
		if (n < WORKERS)
			continue;
		(void)kill(pids[kills % n], SIGKILL);
		kills++;
	}
	return (kills);
}

static struct server *
start_service(const char *data, const char *grace)
{
	const char *environment[] = {"JWT_SECRET_KEY=" TOK_SECRET, grace,
	    "CORGI_THROTTLE_ACCOUNT=0", "CORGI_THROTTLE_ADDRESS=0",
	    "CORGI_SESSIONS_PER_USER=0", "CORGI_LOGIN_QUEUE=1024", NULL};
	struct server_options options;
	struct server *s;

	memset(&options, 0, sizeof(options));
	options.environment = environment;
	options.data_dir = data;
	options.workers = WORKERS;
	s = server_start(&options);
	server_expect_crash(s);
	return (s);
}

Test(sessions, what_was_logged_out_is_never_accepted_again)
{
	static struct client clients[CLIENTS];
	char *data = scratch_new();
	struct server *s = start_service(data, "CORGI_REFRESH_GRACE=10");
	struct client after = {.seed = 1};
	unsigned int kills;
	size_t i;

	atomic_store(&stop, false);
	for (i = 0; i < CLIENTS; i++) {
		clients[i].port = server_port(s);
		clients[i].seed = (unsigned int)i + 1;
		cr_assert_eq(pthread_create(&clients[i].thread, NULL,
				 client_thread, &clients[i]),
		    0);
	}
	kills = kill_workers(s, seconds());
	atomic_store(&stop, true);
	for (i = 0; i < CLIENTS; i++) {
		struct client *c = &clients[i];

		(void)pthread_join(c->thread, NULL);
		(void)printf("client %zu: %u sessions, used %u times; after "
			     "logout %u tries at once, %u later, %u accepted; "
			     "%u sent again, %u failed\n",
		    i, c->logins, c->used, c->probes, c->later, c->accepted,
		    c->repeated, c->failed);
		cr_expect_eq(c->accepted, 0);
		cr_expect_eq(c->failed, 0, "%s", c->first);
		cr_expect_gt(c->logins, 0);
	}
	cr_expect_gt(kills, 0);
	(void)server_stop(s);

	/* And a restart forgets nothing. */
	s = start_service(data, "CORGI_REFRESH_GRACE=10");
	after.port = server_port(s);
	for (i = 0; i < ended.count; i++)
		probe(&after, ended.tokens[i], &after.later);
	(void)printf("%u workers killed; after a restart %u tokens tried, %u "
		     "accepted\n",
	    kills, after.later, after.accepted);
	cr_expect_eq(after.accepted, 0);
	cr_expect_eq(after.failed, 0, "%s", after.first);
	cr_expect_eq(server_stop(s), 0);
	for (i = 0; i < ended.count; i++)
		free(ended.tokens[i]);
	scratch_free(data);
}

#define FAMILIES 3
#define TABS     4

/* One session and those who refresh it at once. */
struct family {
	pthread_barrier_t barrier;
	int port;
	unsigned int rounds;
	unsigned int forked; /* rounds with two successors */
	unsigned int out;    /* refreshes that were refused */
	bool over;
	char *token;    /* of this round */
	char *previous; /* of the one before */
	char *got[TABS];
	struct tab {
		pthread_t thread;
		struct family *family;
		size_t index;
		struct client client;
	} tabs[TABS];
};

/* The first tab judges the round for all. */
static void
judge(struct family *f)
{
	size_t i;

	for (i = 0; i < TABS; i++) {
		if (f->got[i] == NULL)
			f->out++;
		else if (f->got[0] != NULL &&
		    strcmp(f->got[i], f->got[0]) != 0 &&
		    /* Whoever came with the token before may be first. */
		    strcmp(f->got[i], f->token) != 0)
			f->forked++;
	}
	f->rounds++;
	f->over = atomic_load(&stop) || f->out > 0 || f->forked > 0;
	free(f->previous);
	f->previous = f->token;
	f->token = f->got[0];
	for (i = 1; i < TABS; i++)
		free(f->got[i]);
}

static void *
tab_thread(void *arg)
{
	struct tab *tab = arg;
	struct family *f = tab->family;
	struct raw_response answer;
	const char *token;
	int status;

	while (!f->over) {
		/* The last tab lags behind: it has the token before. */
		token = tab->index == TABS - 1 && f->previous != NULL
		    ? f->previous
		    : f->token;
		status =
		    ask(&tab->client, "POST", "/refresh", token, NULL, &answer);
		f->got[tab->index] =
		    status == 200 ? member(&answer, "refresh_token") : NULL;
		if (status != 200)
			fail(&tab->client, "refresh", status);
		if (status != 0)
			raw_response_free(&answer);
		(void)pthread_barrier_wait(&f->barrier);
		if (tab->index == 0)
			judge(f);
		(void)pthread_barrier_wait(&f->barrier);
	}
	return (NULL);
}

static void
start_family(struct family *f, int port)
{
	struct client c = {.port = port};
	struct raw_response answer;
	size_t i;

	memset(f, 0, sizeof(*f));
	f->port = port;
	cr_assert_eq(ask(&c, "POST", "/login", NULL, DEMO_LOGIN, &answer), 200);
	f->token = member(&answer, "refresh_token");
	raw_response_free(&answer);
	cr_assert_not_null(f->token);
	(void)pthread_barrier_init(&f->barrier, NULL, TABS);
	for (i = 0; i < TABS; i++) {
		f->tabs[i].family = f;
		f->tabs[i].index = i;
		f->tabs[i].client.port = port;
		cr_assert_eq(pthread_create(&f->tabs[i].thread, NULL,
				 tab_thread, &f->tabs[i]),
		    0);
	}
}

Test(sessions, tabs_that_refresh_at_once_stay_one_family_and_logged_in)
{
	static struct family families[FAMILIES];
	char *data = scratch_new();
	struct server *s = start_service(data, "CORGI_REFRESH_GRACE=30");
	unsigned int kills;
	size_t i, j;

	atomic_store(&stop, false);
	for (i = 0; i < FAMILIES; i++)
		start_family(&families[i], server_port(s));
	kills = kill_workers(s, seconds());
	atomic_store(&stop, true);
	for (i = 0; i < FAMILIES; i++) {
		struct family *f = &families[i];

		for (j = 0; j < TABS; j++) {
			(void)pthread_join(f->tabs[j].thread, NULL);
			cr_expect_eq(f->tabs[j].client.failed, 0, "%s",
			    f->tabs[j].client.first);
		}
		(void)printf("family %zu: %u rounds of %d tabs, %u forked, %u "
			     "logged out\n",
		    i, f->rounds, TABS, f->forked, f->out);
		cr_expect_eq(f->forked, 0);
		cr_expect_eq(f->out, 0);
		cr_expect_gt(f->rounds, 1);
		free(f->token);
		free(f->previous);
	}
	(void)printf("%u workers killed\n", kills);
	cr_expect_gt(kills, 0);
	(void)server_stop(s);
	scratch_free(data);
}
