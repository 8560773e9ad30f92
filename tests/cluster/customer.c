/*
 * customer.c - well-behaved clients of a fleet.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "customer.h"
#include "http.h"
#include "sess.h"
#include "tok.h"

/* How long a request may wait for its answer (milliseconds). */
#define ANSWER_MS 90000

/* Before a patient client comes again: less than Retry-After says, so that some
 * are there in the very moment in which it goes on (milliseconds). */
#define AGAIN_MS 100

/* How long a node may take to hear of what it has missed (milliseconds). */
#define TOLD_MS 20000

/* Between two requests of one who only reads (milliseconds). */
#define READ_MS 5

/* Uses of a token, and refreshes of a session. */
#define USES      4
#define REFRESHES 2

/* How a session ends, by its number. */
#define KINDS      8
#define KIND_KEEP  2
#define KIND_KEEP2 5
#define KIND_ALTER 7

static void *customer_run(void *);
static void live(struct customer *, unsigned int);
static void read_on(struct customer *);
static bool log_in(struct customer *, unsigned int, struct pair *);
static void use(struct customer *, const char *);
static bool renew(struct customer *, struct pair *);
static void log_out(struct customer *, const struct pair *);
static void alter(struct customer *, struct pair *);
static void settle(struct customer *);
static int ask(struct customer *, const char *, const char *, const char *,
    const char *, struct raw_response *);
static int insist(struct customer *, const char *, const char *, const char *,
    const char *, struct raw_response *);
static void good(struct customer *, unsigned int *);
static void
failed(struct customer *, const char *, const struct raw_response *);
static char *password_of(const struct customer *, unsigned int);
static char *login_of(const struct customer *, unsigned int);
static void remember(struct tokens *, const char *);
static void forget(struct tokens *);
static void add(struct tally *, const struct tally *);
static void expect_told(struct fleet *, const struct customer *);
static unsigned int expect_tokens(struct fleet *, struct customer *);

/* When anybody had a good answer last, and the longest time between two. */
static atomic_llong last_good, longest_gap;

/* Two of them, in turn. */
static char *
password_of(const struct customer *c, unsigned int which)
{
	return (text_of("a password of %s, %u", c->name, which % 2));
}

static char *
login_of(const struct customer *c, unsigned int which)
{
	char *password = password_of(c, which), *json;

	json = sess_login_json(c->name, password);
	free(password);
	return (json);
}

static void
remember(struct tokens *t, const char *token)
{
	if (t->count < CUSTOMER_TOKENS)
		t->list[t->count++] = text_of("%s", token);
}

static void
forget(struct tokens *t)
{
	while (t->count > 0)
		free(t->list[--t->count]);
}

/* An answer as it should be. */
static void
good(struct customer *c, unsigned int *counter)
{
	long long now = now_ms(), gap = now - atomic_exchange(&last_good, now);
	long long most = atomic_load(&longest_gap);

	while (gap > most &&
	    !atomic_compare_exchange_weak(&longest_gap, &most, gap))
		continue;
	c->tally.requests++;
	(*counter)++;
}

static void
failed(struct customer *c, const char *what, const struct raw_response *answer)
{
	if (c->tally.failed++ == 0)
		(void)snprintf(c->tally.first, sizeof(c->tally.first),
		    "%s: %d %.400s", what, answer->status,
		    answer->body == NULL ? "" : answer->body);
}

/* One request, and once more where HTTP allows it. Its status; 0: none. */
static int
ask(struct customer *c, const char *method, const char *path, const char *token,
    const char *json, struct raw_response *out)
{
	long long began = now_ms();
	const char *connection;
	bool again;
	int status;

	memset(out, 0, sizeof(*out));
	do {
		if (c->connection == NULL) {
			c->connection = raw_try_connect(c->port);
			c->served = 0;
		}
		if (c->connection == NULL)
			return (0);
		raw_set_wait(c->connection, ANSWER_MS);
		status =
		    sess_ask_on(c->connection, method, path, token, json, out);
		again =
		    status == 0 && c->served > 0 && strcmp(method, "POST") != 0;
		c->served++;
		connection = raw_header(out, "connection");
		if (status == 0 ||
		    (connection != NULL && strcmp(connection, "close") == 0)) {
			raw_close(c->connection);
			c->connection = NULL;
		}
		c->tally.again += again;
	} while (again);
	if (now_ms() - began > c->tally.longest)
		c->tally.longest = (int)(now_ms() - began);
	return (status);
}

/* The same, again and again while it is said to come again later. */
static int
insist(struct customer *c, const char *method, const char *path,
    const char *token, const char *json, struct raw_response *out)
{
	long long end = now_ms() + ANSWER_MS;
	int status;

	for (;;) {
		status = ask(c, method, path, token, json, out);
		if (status != 503 || !c->patient || now_ms() > end ||
		    raw_header(out, "retry-after") == NULL)
			return (status);
		raw_response_free(out);
		c->tally.waited++;
		sleep_ms(AGAIN_MS);
	}
}

static bool
log_in(struct customer *c, unsigned int which, struct pair *pair)
{
	char *json = login_of(c, which);
	struct raw_response answer;
	bool in = insist(c, "POST", "/login", NULL, json, &answer) == 200 &&
	    pair_take(&answer, pair);

	if (in)
		good(c, &c->tally.logins);
	else
		failed(c, "login", &answer);
	raw_response_free(&answer);
	free(json);
	return (in);
}

static void
use(struct customer *c, const char *token)
{
	struct raw_response answer;

	if (ask(c, "GET", "/protected", token, NULL, &answer) == 200)
		good(c, &c->tally.guarded);
	else
		failed(c, "guarded request", &answer);
	raw_response_free(&answer);
}

/* A new pair takes the place of the old one. */
static bool
renew(struct customer *c, struct pair *pair)
{
	struct raw_response answer;
	struct pair next;
	bool done = insist(c, "POST", "/refresh", pair->refresh, NULL,
			&answer) == 200 &&
	    pair_take(&answer, &next);

	if (done) {
		good(c, &c->tally.refreshes);
		pair_free(pair);
		*pair = next;
	} else {
		failed(c, "refresh", &answer);
	}
	raw_response_free(&answer);
	return (done);
}

static void
log_out(struct customer *c, const struct pair *pair)
{
	struct raw_response answer;
	int status =
	    insist(c, "DELETE", "/logout", pair->access, NULL, &answer);
	bool over = status == 401 && strstr(answer.body, "revoked") != NULL;

	if (status == 200 || over) {
		good(c, &c->tally.logouts);
		c->tally.over += over;
		remember(&c->ended_access, pair->access);
		remember(&c->ended_refresh, pair->refresh);
	} else {
		failed(c, "logout", &answer);
	}
	raw_response_free(&answer);
}

/* A new password ends all sessions and begins one. */
static void
alter(struct customer *c, struct pair *pair)
{
	char *from = password_of(c, c->password);
	char *to = password_of(c, c->password + 1);
	char *json = text_of("{\"current_password\": \"%s\", "
			     "\"new_password\": \"%s\"}",
	    from, to);
	struct raw_response answer;
	struct pair next;
	int status = ask(c, "POST", "/password", pair->access, json, &answer);
	unsigned int i;

	if (status == 200 && pair_take(&answer, &next)) {
		good(c, &c->tally.changes);
		c->password++;
		for (i = 0; i < c->kept.count; i++)
			remember(&c->ended_refresh, c->kept.list[i]);
		forget(&c->kept);
		remember(&c->kept, next.refresh);
		pair_free(&next);
	} else if (status == 502 || (status == 503 && c->patient)) {
		c->tally.unsure++;
		settle(c);
	} else {
		failed(c, "new password", &answer);
	}
	raw_response_free(&answer);
	free(json);
	free(from);
	free(to);
}

/* Whether the new password counts or the old one; sessions of before are over
 * in the one case, and not in the other. */
static void
settle(struct customer *c)
{
	char *json = login_of(c, c->password + 1);
	struct raw_response answer;
	struct pair pair;
	int status = insist(c, "POST", "/login", NULL, json, &answer);

	if (status == 200) {
		good(c, &c->tally.logins);
		c->password++;
	} else if (status != 401) {
		failed(c, "login after a lost answer", &answer);
	} else if (log_in(c, c->password, &pair)) {
		pair_free(&pair);
	}
	forget(&c->kept);
	raw_response_free(&answer);
	free(json);
}

/* One session. */
static void
live(struct customer *c, unsigned int n)
{
	struct pair pair;
	int i, j;

	if (!log_in(c, c->password, &pair))
		return;
	if (n % KINDS == KIND_ALTER) {
		alter(c, &pair);
		pair_free(&pair);
		return;
	}
	for (i = 0; i <= REFRESHES; i++) {
		for (j = 0; j < USES; j++)
			use(c, pair.access);
		if (i < REFRESHES && !renew(c, &pair))
			break;
	}
	if (n % KINDS != KIND_KEEP && n % KINDS != KIND_KEEP2)
		log_out(c, &pair);
	else if (i > REFRESHES)
		remember(&c->kept, pair.refresh);
	pair_free(&pair);
}

/* One session, and nothing but guarded requests. */
static void
read_on(struct customer *c)
{
	struct pair pair;

	if (!log_in(c, c->password, &pair))
		return;
	while (!c->stop) {
		use(c, pair.access);
		sleep_ms(READ_MS);
	}
	remember(&c->kept, pair.refresh);
	pair_free(&pair);
}

static void *
customer_run(void *arg)
{
	struct customer *c = arg;
	unsigned int n;

	if (c->reads)
		read_on(c);
	for (n = 0; !c->stop; n++)
		live(c, n);
	if (c->connection != NULL)
		raw_close(c->connection);
	c->connection = NULL;
	return (NULL);
}

void
customers_start(
    struct fleet *f, struct customer *customers, size_t n, bool patient)
{
	struct customer *c;
	char *json;
	size_t i;

	memset(customers, 0, n * sizeof(*customers));
	for (i = 0; i < n; i++) {
		c = &customers[i];
		c->port = fleet_port(f);
		c->patient = patient;
		c->reads = i == 0;
		(void)snprintf(c->name, sizeof(c->name), "customer-%zu", i);
		json = login_of(c, c->password);
		cr_assert(sess_ask(c->port, "POST", "/register", NULL, json,
			      NULL) == 201);
		free(json);
	}
	atomic_store(&last_good, now_ms());
	atomic_store(&longest_gap, 0);
	for (i = 0; i < n; i++)
		cr_assert(pthread_create(&customers[i].thread, NULL,
			      customer_run, &customers[i]) == 0);
}

static void
add(struct tally *all, const struct tally *one)
{
	all->requests += one->requests;
	all->guarded += one->guarded;
	all->logins += one->logins;
	all->refreshes += one->refreshes;
	all->logouts += one->logouts;
	all->changes += one->changes;
	all->again += one->again;
	all->waited += one->waited;
	all->over += one->over;
	all->unsure += one->unsure;
	if (one->longest > all->longest)
		all->longest = one->longest;
	if (one->failed > 0 && all->failed == 0)
		(void)snprintf(
		    all->first, sizeof(all->first), "%s", one->first);
	all->failed += one->failed;
}

struct tally
customers_stop(struct customer *customers, size_t n)
{
	struct tally all;
	size_t i;

	memset(&all, 0, sizeof(all));
	for (i = 0; i < n; i++)
		customers[i].stop = true;
	for (i = 0; i < n; i++) {
		(void)pthread_join(customers[i].thread, NULL);
		add(&all, &customers[i].tally);
	}
	return (all);
}

long long
customers_gap(void)
{
	return (atomic_load(&longest_gap));
}

/* What was ended on one node is known on the other at once; on one that has
 * lost the database, when it hears again, which may be a moment after that is
 * back. Then it stays so. */
static void
expect_told(struct fleet *f, const struct customer *c)
{
	long long began = now_ms(), end = began + TOLD_MS;
	const char *newest;
	int node;

	if (c->ended_access.count == 0)
		return;
	newest = c->ended_access.list[c->ended_access.count - 1];
	for (node = 0; node < FLEET_NODES; node++)
		while (http_get_token(fleet_node_port(f, node), "/protected",
			   newest, NULL) != 401 &&
		    now_ms() < end)
			sleep_ms(20);
	if (now_ms() - began > 100)
		(void)printf("a node was told of the last logout %lld ms "
			     "later\n",
		    now_ms() - began);
}

/* What one of them remembers. */
static unsigned int
expect_tokens(struct fleet *f, struct customer *c)
{
	unsigned int i, asked = 0;
	int node;

	expect_told(f, c);
	for (i = 0; i < c->ended_access.count; i++)
		for (node = 0; node < FLEET_NODES; node++, asked++)
			cr_expect(http_get_token(fleet_node_port(f, node),
				      "/protected", c->ended_access.list[i],
				      NULL) == 401,
			    "node %d accepts session %u of %u that were "
			    "ended",
			    node, i, c->ended_access.count);
	for (i = 0; i < c->ended_refresh.count; i++, asked++)
		cr_expect(
		    customer_refresh(c->port, c->ended_refresh.list[i]) == 401,
		    "a session that was ended is refreshed");
	for (i = 0; i < c->kept.count; i++, asked++)
		cr_expect(customer_refresh(c->port, c->kept.list[i]) == 200,
		    "a session was lost or forked");
	forget(&c->ended_access);
	forget(&c->ended_refresh);
	forget(&c->kept);
	return (asked);
}

int
customer_refresh(int port, const char *token)
{
	long long end = now_ms() + ANSWER_MS;
	int status;

	while (
	    (status = pair_refresh(port, token, NULL)) == 503 && now_ms() < end)
		sleep_ms(AGAIN_MS);
	return (status);
}

int
customer_login(int port, const char *name, const char *password)
{
	long long end = now_ms() + ANSWER_MS;
	int status;

	while ((status = sess_login(port, name, password)) == 503 &&
	    now_ms() < end)
		sleep_ms(AGAIN_MS);
	return (status);
}

unsigned int
customers_verify(struct fleet *f, struct customer *customers, size_t n)
{
	unsigned int asked = 0, which;
	struct customer *c;
	char *password;
	size_t i;

	for (i = 0; i < n; i++) {
		c = &customers[i];
		asked += expect_tokens(f, c);
		for (which = 0; which < 2; which++, asked++) {
			password = password_of(c, c->password + which);
			cr_expect(customer_login(c->port, c->name, password) ==
				(which == 0 ? 200 : 401),
			    "it is not the last password that counts");
			free(password);
		}
	}
	return (asked);
}

void
customers_report(const char *name, const struct tally *all,
    const struct fleet_log *log, unsigned int asked)
{
	(void)printf("%s: %u requests answered (%u guarded, %u logins, "
		     "%u refreshes, %u logouts, %u new passwords), %u failed\n",
	    name, all->requests, all->guarded, all->logins, all->refreshes,
	    all->logouts, all->changes, all->failed);
	(void)printf("%s: repeated %u by nginx, %u by clients; %u told to "
		     "come again; %u logouts done before, %u new passwords "
		     "without an answer\n",
	    name, log->repeated, all->again, all->waited, all->over,
	    all->unsure);
	(void)printf("%s: 500: %u, 502: %u, 503: %u, 504: %u; longest request "
		     "%d ms, longest time without a good answer %lld ms; "
		     "%u verified afterwards\n",
	    name, log->s500, log->s502, log->s503, log->s504, all->longest,
	    customers_gap(), asked);
}
