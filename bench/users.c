/*
 * users.c - what finding an account costs among few and many: stores of 10 and
 * of USERS accounts in FOLDER, looked up in turns, ROUNDS times; and a whole
 * login (look-up and hash) with each.
 *
 *	users FOLDER USERS ROUNDS
 */
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "auth/account.h"
#include "base/config.h"
#include "base/jdoc.h"
#include "base/secret.h"
#include "store/store.h"

#define FEW        10
#define BATCH      10000
#define LOOKUPS    20000
#define LOGINS     20
#define ROUNDS_MAX 50

static const char password[] = "a password of the bench";

struct contestant {
	struct store *store;
	unsigned int users;
	double lookup_us[ROUNDS_MAX];
	double login_ms[ROUNDS_MAX];
};

struct filling {
	const char *hash;
	unsigned int next;
	unsigned int end;
};

static void
fail(const char *what)
{
	fprintf(stderr, "users: %s\n", what);
	exit(1);
}

static double
now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return ((double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3);
}

static size_t
name_of(unsigned int n, char out[32])
{
	return ((size_t)snprintf(out, 32, "user-%08u@example.org", n));
}

static enum store_result
fill_batch(struct store *store, void *ctx)
{
	struct filling *f = ctx;
	enum store_result result = STORE_OK;
	struct store_user user;
	unsigned int i;

	for (i = 0; i < BATCH && f->next < f->end && result == STORE_OK; i++) {
		memset(&user, 0, sizeof(user));
		user.name_len = name_of(f->next++, user.name);
		(void)snprintf(user.hash, sizeof(user.hash), "%s", f->hash);
		user.created_at = user.updated_at = 1700000000;
		result = store_user_add(store, &user);
	}
	return (result);
}

static void
open_filled(struct contestant *c, const char *folder, unsigned int users,
    const char *hash)
{
	struct filling f = {hash, 0, users};
	char path[PATH_MAX], error[STORE_ERROR_MAX];

	(void)snprintf(path, sizeof(path), "%s/users-%u.db", folder, users);
	c->users = users;
	if (store_open_sqlite(path, &c->store, error) != STORE_OK)
		fail(error);
	while (f.next < f.end)
		if (store_batch(c->store, fill_batch, &f) != STORE_OK)
			fail(store_error(c->store));
}

/* Names in an order that no cache knows, the same for both. */
static void
measure_lookups(struct contestant *c, size_t round)
{
	struct store_user user;
	double start = now_us();
	unsigned int i, seed = 1;
	char name[32];
	size_t len;

	for (i = 0; i < LOOKUPS; i++) {
		len = name_of((unsigned int)rand_r(&seed) % c->users, name);
		if (store_user_find(c->store, name, len, &user) != STORE_OK)
			fail(store_error(c->store));
	}
	c->lookup_us[round] = (now_us() - start) / LOOKUPS;
}

static void
measure_logins(
    struct contestant *c, const struct account_service *accounts, size_t round)
{
	struct store_user user;
	double start = now_us();
	unsigned int i, seed = 7;
	char name[32], hash[PASSWORD_HASH_MAX];
	size_t len;

	for (i = 0; i < LOGINS; i++) {
		len = name_of((unsigned int)rand_r(&seed) % c->users, name);
		if (account_login(accounts, c->store, name, len, password,
			sizeof(password) - 1, &user, hash) != ERR_NONE)
			fail("a login was refused");
	}
	c->login_ms[round] = (now_us() - start) / LOGINS / 1e3;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return ((x > y) - (x < y));
}

static void
print(const char *what, double *few, double *many, size_t rounds,
    unsigned int users)
{
	qsort(few, rounds, sizeof(*few), compare);
	qsort(many, rounds, sizeof(*many), compare);
	printf("%-22s %9.2f %8.2f %8.2f\n", what, few[rounds / 2], few[0],
	    few[rounds - 1]);
	printf("  the same, %-10u %9.2f %8.2f %8.2f   %+.1f %%\n", users,
	    many[rounds / 2], many[0], many[rounds - 1],
	    100 * (many[rounds / 2] / few[rounds / 2] - 1));
}

int
main(int argc, char **argv)
{
	static struct contestant few, many;
	char hash[PASSWORD_HASH_MAX], error[CONFIG_ERROR_MAX];
	char *environment[] = {NULL};
	struct account_service accounts;
	struct config config;
	size_t i, rounds;
	unsigned int users;

	users = argc == 4 ? (unsigned int)atoi(argv[2]) : 0;
	rounds = argc == 4 ? (size_t)atoi(argv[3]) : 0;
	if (users <= FEW || rounds == 0 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: users FOLDER USERS ROUNDS\n");
		return (2);
	}
	jdoc_init();
	if (secret_init() == -1 ||
	    config_load(environment, CONFIG_PROD, &config, error) == -1 ||
	    account_service_init(&accounts, &config, clock_system) == -1 ||
	    password_hash(
		&accounts.cost, password, sizeof(password) - 1, hash) == -1)
		fail("no service");
	open_filled(&few, argv[1], FEW, hash);
	open_filled(&many, argv[1], users, hash);
	for (i = 0; i < rounds; i++) {
		measure_lookups(&few, i);
		measure_lookups(&many, i);
		measure_logins(&few, &accounts, i);
		measure_logins(&many, &accounts, i);
	}
	printf("%zu rounds; median, minimum, maximum\n\n", rounds);
	print("look-up (us), 10", few.lookup_us, many.lookup_us, rounds, users);
	print("login (ms), 10", few.login_ms, many.login_ms, rounds, users);
	store_close(few.store);
	store_close(many.store);
	config_free(&config);
	return (0);
}
