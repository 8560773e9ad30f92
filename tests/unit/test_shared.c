/*
 * Memory and locks that processes have in common: what one writes the other
 * reads, and the death of one does not stop the other.
 */
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/shared.h"

#define PROCESSES 4
#define ROUNDS    20000

/* What the tests keep in shared memory. */
struct common {
	struct shared_lock lock;
	volatile uint64_t counter;
	volatile int inside;
};

TestSuite(shared, .timeout = 60);

static struct common *
common_new(void)
{
	struct common *c = shared_alloc(sizeof(*c));

	cr_assert_not_null(c);
	cr_assert_eq(shared_lock_init(&c->lock), 0);
	return (c);
}

static void
reap(pid_t child, int want)
{
	int status;

	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == want);
}

Test(shared, memory_begins_as_zeroes_and_is_seen_by_all_processes)
{
	size_t i, size = 100000;
	uint8_t *p = shared_alloc(size);
	pid_t child;

	cr_assert_not_null(p);
	for (i = 0; i < size; i++)
		cr_assert_eq(p[i], 0);
	if ((child = fork()) == 0) {
		p[0] = 1;
		p[size - 1] = 2;
		_exit(0);
	}
	reap(child, 0);
	cr_expect_eq(p[0], 1);
	cr_expect_eq(p[size - 1], 2);
	shared_free(p, size);
	shared_free(NULL, size);
}

Test(shared, more_than_there_can_be_is_refused)
{
	errno = 0;
	cr_expect_null(shared_alloc(SIZE_MAX / 2));
	cr_expect_neq(errno, 0);
}

Test(shared, only_one_process_at_a_time_has_the_lock)
{
	struct common *c = common_new();
	pid_t children[PROCESSES];
	int i, n;

	for (i = 0; i < PROCESSES; i++) {
		if ((children[i] = fork()) != 0)
			continue;
		for (n = 0; n < ROUNDS; n++) {
			if (!shared_lock_take(&c->lock) || c->inside++ != 0)
				_exit(1);
			c->counter = c->counter + 1;
			c->inside--;
			shared_lock_release(&c->lock);
		}
		_exit(0);
	}
	for (i = 0; i < PROCESSES; i++)
		reap(children[i], 0);
	cr_expect_eq(c->counter, (uint64_t)PROCESSES * ROUNDS);
	shared_free(c, sizeof(*c));
}

/* Take the lock in a child that dies with it. */
static void
die_with(struct common *c)
{
	pid_t child;
	int status;

	if ((child = fork()) == 0) {
		(void)shared_lock_take(&c->lock);
		(void)kill(getpid(), SIGKILL);
		_exit(0);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFSIGNALED(status));
}

Test(shared, a_lock_whose_holder_was_killed_is_taken_with_a_warning)
{
	struct common *c = common_new();
	pid_t child;
	int i;

	cr_expect(shared_lock_take(&c->lock));
	shared_lock_release(&c->lock);
	for (i = 0; i < 3; i++) {
		die_with(c);
		cr_expect_not(shared_lock_take(&c->lock));
		shared_lock_release(&c->lock);
		cr_expect(shared_lock_take(&c->lock), "only the first one");
		shared_lock_release(&c->lock);
	}
	/* In another process than the one that was warned, too. */
	die_with(c);
	if ((child = fork()) == 0)
		_exit(shared_lock_take(&c->lock) ? 1 : 0);
	reap(child, 0);
	shared_free(c, sizeof(*c));
}
