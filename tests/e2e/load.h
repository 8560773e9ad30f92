/*
 * load.h - clients that keep a service busy in all its ways at once: logins,
 * refreshes and guarded requests, each on a connection that is kept. Their
 * answers are counted.
 */
#ifndef CORGI_TEST_LOAD_H
#define CORGI_TEST_LOAD_H

#include <pthread.h>
#include <stdatomic.h>

#include "raw.h"

/* Accounts ("load0" and so on) with DEMO_PASSWORD. */
#define LOAD_ACCOUNTS 16

/* Threads of one load. */
#define LOAD_THREADS 6

/* A connection that is made when it is first needed, and anew when the service
 * has closed it. */
struct load_client {
	int port;
	struct raw *r;
};

/*
 * Ask on it: token and json may be NULL. The status, 0 without an answer; *out
 * (may be NULL) is released with raw_response_free() whatever was returned.
 */
int load_ask(struct load_client *client, const char *method, const char *path,
    const char *token, const char *json, struct raw_response *out);
void load_close(struct load_client *client);

/* Microseconds that never run backwards. */
long long load_now_us(void);

/* The body of a login of one of the accounts; free() it. */
char *load_login_json(unsigned int number);

/* What corgictl user import reads to make them; free() it. */
char *load_accounts(void);

struct load {
	/* Set before the start; the rest zero. */
	int port;

	/* To be read after load_stop(). */
	atomic_uint logins;
	atomic_uint refreshes;
	atomic_uint guarded;
	atomic_uint busy;   /* answered 503 */
	atomic_uint failed; /* anything else */
	atomic_int status;  /* of such a one */

	/* Its own. */
	atomic_bool stop;
	atomic_uint begun;
	pthread_t threads[LOAD_THREADS];
};

/* Put a service that has the accounts under load, until load_stop(). */
void load_start(struct load *load);
void load_stop(struct load *load);

#endif
