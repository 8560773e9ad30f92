/*
 * How many threads of all workers hash at once.
 */
#include <sys/wait.h>

#include <stdlib.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/turns.h"

TestSuite(turns, .timeout = 20);

/* In a process of its own: a worker in which so many threads hash, and that is
 * gone then without having ended one. */
static void
be_worker(unsigned int worker, unsigned int threads)
{
	pid_t pid = fork();
	int status;

	cr_assert_neq(pid, -1);
	if (pid == 0) {
		turns_join(worker);
		while (threads-- > 0)
			turns_begin();
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
}

Test(turns, what_other_workers_do_counts)
{
	cr_assert_eq(turns_init(3, 4), 0);
	turns_join(0);
	cr_expect(turns_free());
	turns_begin();
	be_worker(1, 2);
	cr_expect(turns_free(), "three of four");
	be_worker(2, 1);
	cr_expect(!turns_free(), "four of four");
	turns_end();
	cr_expect(turns_free());
}

/* Each worker has its own part in any case, so there may be more than four. */
Test(turns, more_than_there_are_processors_leave_no_room)
{
	cr_assert_eq(turns_init(2, 1), 0);
	turns_join(0);
	turns_begin();
	be_worker(1, 2);
	cr_expect(!turns_free());
	turns_end();
	cr_expect(!turns_free());
}

Test(turns, what_a_killed_worker_leaves_behind_is_forgotten_by_the_next)
{
	cr_assert_eq(turns_init(2, 2), 0);
	turns_join(0);
	be_worker(1, 2);
	cr_expect(!turns_free());
	be_worker(1, 1);
	cr_expect(turns_free());
}
