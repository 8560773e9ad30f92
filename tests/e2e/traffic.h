/*
 * traffic.h - good traffic from one thread: guarded requests and logins whose
 * answers are checked, for as long as a test does something to the service.
 */
#ifndef CORGI_TEST_TRAFFIC_H
#define CORGI_TEST_TRAFFIC_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* Room for what went wrong first. */
#define TRAFFIC_TEXT 512

struct traffic {
	/* Set before the start; the rest zero. */
	int port;
	const char *token;     /* of a good login */
	unsigned int login_of; /* one request in so many is a login; 0: none */
	unsigned int keep;     /* requests of one connection; 0: any number */
	int pause_ms;          /* after each request */
	/*
	 * Whether a connection that the service closed without an answer was
	 * lost on purpose: its local port, and when it was opened (now_ms()).
	 * Such a request is sent again on a new connection. NULL: none is.
	 */
	bool (*lost)(int port, long long opened);

	/* What happened; to be read after traffic_stop(). */
	unsigned int guarded;
	unsigned int logins;
	unsigned int connections;
	unsigned int retried;
	unsigned int failed;
	char first[TRAFFIC_TEXT]; /* failure */

	pthread_t thread;
	atomic_bool stop;
};

/* Start n threads with the same settings, one struct each. */
void traffic_start(struct traffic *t, size_t n);

/* Let each finish its request, and end. */
void traffic_stop(struct traffic *t, size_t n);

#endif
