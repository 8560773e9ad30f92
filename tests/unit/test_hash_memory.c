/*
 * The memory of password hashes: what is beyond the limit waits, what can never
 * be had is refused, and what was taken comes back.
 */
#include <sys/resource.h>

#include <pthread.h>

#include <criterion/criterion.h>

#include "auth/hash_memory.h"
#include "auth/password.h"
#include "base/secret.h"

#define THREADS  4
#define HASH_KIB 65536

static char hash[PASSWORD_HASH_MAX];

static void set_up(void);
static void *verify(void *);
static long peak_of_all(uint64_t);

TestSuite(hash_memory, .init = set_up, .timeout = 60);

static void
set_up(void)
{
	const struct password_cost cost = {HASH_KIB, 1};

	cr_assert_eq(secret_init(), 0);
	cr_assert_eq(password_hash(&cost, "space-corgi", 11, hash), 0);
}

static void *
verify(void *arg)
{
	int i;

	for (i = 0; i < 3; i++)
		if (password_verify(hash, "space-corgi", 11) != 1)
			return (NULL);
	return (arg);
}

/* The most memory this process had (KiB) after all threads have verified. */
static long
peak_of_all(uint64_t limit)
{
	pthread_t threads[THREADS];
	struct rusage usage;
	void *done;
	int i, token;

	hash_memory_limit(limit);
	for (i = 0; i < THREADS; i++)
		cr_assert_eq(
		    pthread_create(&threads[i], NULL, verify, &token), 0);
	for (i = 0; i < THREADS; i++) {
		cr_assert_eq(pthread_join(threads[i], &done), 0);
		cr_assert_eq(done, &token, "a verification failed");
	}
	cr_assert_eq(getrusage(RUSAGE_SELF, &usage), 0);
	return (usage.ru_maxrss);
}

Test(hash_memory, hashes_beyond_the_limit_wait_for_each_other)
{
	cr_expect_lt(peak_of_all(HASH_KIB + 1), 2 * HASH_KIB);
}

/* The control: without a limit they do not. */
Test(hash_memory, hashes_without_a_limit_run_side_by_side)
{
	cr_expect_gt(peak_of_all(0), 2 * HASH_KIB);
}

Test(hash_memory, a_hash_that_needs_more_than_the_limit_cannot_be_decided)
{
	hash_memory_limit(HASH_KIB - 1);
	cr_expect_eq(password_verify(hash, "space-corgi", 11), -1);
	hash_memory_limit(HASH_KIB);
	cr_expect_eq(password_verify(hash, "space-corgi", 11), 1);
	cr_expect_eq(password_verify(hash, "space-corgj", 11), 0);
}

Test(hash_memory, hashes_of_other_programs_are_limited_too)
{
	/* scrypt:16384:8:1 takes 16 MiB, argon2id as below 32. */
	static const char scrypt[] =
	    "scrypt:16384:8:1$c2FsdHNhbHQ$"
	    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
	    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
	static const char argon[] =
	    "$argon2id$v=19$m=32768,t=1,p=2$c2FsdHNhbHRzYWx0$"
	    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
	static const char pbkdf2[] =
	    "pbkdf2:sha256:1000$salt$"
	    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

	hash_memory_limit(1024);
	cr_expect_eq(password_verify(scrypt, "x", 1), -1);
	cr_expect_eq(password_verify(argon, "x", 1), -1);
	cr_expect_eq(password_verify(pbkdf2, "x", 1), 0);
	hash_memory_limit(65536);
	cr_expect_eq(password_verify(scrypt, "x", 1), 0);
	cr_expect_eq(password_verify(argon, "x", 1), 0);
}
