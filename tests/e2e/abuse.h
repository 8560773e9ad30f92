/*
 * abuse.h - what nobody should send to the service, from threads of its own.
 */
#ifndef CORGI_TEST_ABUSE_H
#define CORGI_TEST_ABUSE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* Connections that one thread keeps open without ever finishing a request. */
#define ABUSE_HELD 60

struct abuse {
	/* Set before the start; the rest zero. */
	int port;
	unsigned int seed;
	bool hold; /* half-open and slow connections instead of attacks */

	/* What was done; to be read after abuse_stop(). */
	unsigned long attacks;
	unsigned long connections;
	unsigned long long bytes; /* sent */

	struct raw *held[ABUSE_HELD];
	pthread_t thread;
	atomic_bool stop;
};

void abuse_start(struct abuse *a, size_t n);
void abuse_stop(struct abuse *a, size_t n);

#endif
