/*
 * customer.h - well-behaved clients of a fleet: each on a connection that is
 * kept, with an account of its own. They log in, use their tokens, refresh, log
 * out and change their password, and keep account of what they were told. One
 * of them does nothing but use a token.
 *
 * A request fails when its answer is not the one that it deserves. What a
 * client does by itself, because HTTP allows it or docs/deployment.md says so,
 * and what is counted as something else than a failure:
 *
 *  - a request other than POST is sent once more when a kept connection was
 *    closed without an answer;
 *  - a patient client comes again after 503 with Retry-After, but not with a
 *    guarded request, which needs no database;
 *  - a logout that is answered 401 "revoked" is over: it was done before, and
 *    its answer lost;
 *  - a new password is not repeated by anybody: after 502 or 503 the client
 *    looks which of the two it has.
 */
#ifndef CORGI_TEST_CUSTOMER_H
#define CORGI_TEST_CUSTOMER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "fleet.h"
#include "raw.h"

/* Room for what went wrong first. */
#define CUSTOMER_TEXT 512

/* Tokens that a customer remembers; beyond it, it forgets the session. */
#define CUSTOMER_TOKENS 4096

/* What happened to one or all of them. */
struct tally {
	unsigned int requests; /* answered as they deserve */
	unsigned int guarded, logins, refreshes, logouts, changes;
	unsigned int again;  /* sent once more on another connection */
	unsigned int waited; /* 503 with Retry-After, and asked again */
	unsigned int over;   /* logouts that had been done before */
	unsigned int unsure; /* new passwords without an answer */
	unsigned int failed;
	int longest;               /* request, in ms, with its repetitions */
	char first[CUSTOMER_TEXT]; /* failure */
};

struct tokens {
	char *list[CUSTOMER_TOKENS];
	unsigned int count;
};

struct customer {
	/* Set before the start; the rest zero. */
	int port;
	char name[32];
	bool patient;
	bool reads; /* uses one token all the time */

	/* What happened; to be read after customers_stop(). */
	struct tally tally;

	/* Its own. */
	pthread_t thread;
	atomic_bool stop;
	struct raw *connection;
	unsigned int served; /* requests, on this connection */
	unsigned int password;
	struct tokens ended_access, ended_refresh; /* must be refused */
	struct tokens kept;                        /* refresh: must work */
};

/* Make accounts for n customers and start them, at nginx. */
void customers_start(
    struct fleet *f, struct customer *customers, size_t n, bool patient);

/* Let each finish what it does, and end; what happened to all of them. */
struct tally customers_stop(struct customer *customers, size_t n);

/*
 * Ask whether everything that was acknowledged is so: ended sessions are
 * refused by every node, the newest refresh tokens work, the last password is
 * the one that counts. Expectations of the test, and releases what the
 * customers remember. Returns how much was asked.
 */
unsigned int
customers_verify(struct fleet *f, struct customer *customers, size_t n);

/* The status of a refresh and of a login, asked again while it is 503: each
 * worker finds the database again by itself. */
int customer_refresh(int port, const char *token);
int customer_login(int port, const char *name, const char *password);

/* The longest time without any good answer to any of them (milliseconds). */
long long customers_gap(void);

/* Print it all, under a name. */
void customers_report(const char *name, const struct tally *all,
    const struct fleet_log *log, unsigned int asked);

#endif
