/*
 * hash.c - what argon2id alone allows: verifications per second on THREADS
 * threads for SECONDS, at the service's default cost.
 *
 *	hash THREADS SECONDS
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "auth/password.h"
#include "base/secret.h"

#define THREADS_MAX 64

static const char password[] = "space-corgi";
static char hash[PASSWORD_HASH_MAX];
static atomic_bool stop;
static atomic_uint verified;

static void *
verify(void *arg)
{
	while (!atomic_load(&stop)) {
		if (password_verify(hash, password, sizeof(password) - 1) != 1)
			abort();
		(void)atomic_fetch_add(&verified, 1);
	}
	return (arg);
}

int
main(int argc, char **argv)
{
	const struct password_cost cost = {
	    PASSWORD_MEMORY_KIB_MIN, PASSWORD_PASSES_MIN};
	pthread_t threads[THREADS_MAX];
	struct timespec start, end;
	unsigned int i, n, seconds;

	n = argc == 3 ? (unsigned int)atoi(argv[1]) : 0;
	seconds = argc == 3 ? (unsigned int)atoi(argv[2]) : 0;
	if (n == 0 || n > THREADS_MAX || seconds == 0 || seconds > 300) {
		fprintf(stderr, "usage: hash THREADS SECONDS\n");
		return (2);
	}
	if (secret_init() == -1 ||
	    password_hash(&cost, password, sizeof(password) - 1, hash) == -1)
		return (1);

	(void)clock_gettime(CLOCK_MONOTONIC, &start);
	for (i = 0; i < n; i++)
		if (pthread_create(&threads[i], NULL, verify, NULL) != 0)
			return (1);
	(void)nanosleep(&(struct timespec){.tv_sec = seconds}, NULL);
	atomic_store(&stop, true);
	for (i = 0; i < n; i++)
		(void)pthread_join(threads[i], NULL);
	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	printf("hash_rate=%.1f\n",
	    atomic_load(&verified) /
		((double)(end.tv_sec - start.tv_sec) +
		    (double)(end.tv_nsec - start.tv_nsec) / 1e9));
	return (0);
}
