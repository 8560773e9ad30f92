/*
 * The limit of open files: raised, lowered, and where it may not be raised.
 */
#include <sys/syscall.h>

#include <linux/capability.h>

#include <unistd.h>

#include <criterion/criterion.h>

#include "base/files.h"

TestSuite(files, .timeout = 20);

static void set(rlim_t soft, rlim_t hard);
static void expect(rlim_t soft, rlim_t hard);
static void give_up_capabilities(void);

static void
set(rlim_t soft, rlim_t hard)
{
	const struct rlimit limit = {.rlim_cur = soft, .rlim_max = hard};

	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void
expect(rlim_t soft, rlim_t hard)
{
	struct rlimit limit;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_expect_eq(limit.rlim_cur, soft, "soft %lu", limit.rlim_cur);
	cr_expect_eq(limit.rlim_max, hard, "hard %lu", limit.rlim_max);
}

/* Root could raise the hard limit. */
static void
give_up_capabilities(void)
{
	struct __user_cap_header_struct header = {
	    .version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {{0}};

	cr_assert_eq(syscall(SYS_capset, &header, none), 0);
}

Test(files, soft_limit_goes_up_and_down_below_the_hard_one)
{
	set(100, 400);
	cr_expect_eq(files_allow(300), (rlim_t)300);
	expect(300, 400);
	cr_expect_eq(files_allow(200), (rlim_t)200);
	expect(200, 400);
	cr_expect_eq(files_allow(400), (rlim_t)400);
	expect(400, 400);
}

Test(files, hard_limit_that_may_not_be_raised_is_all_there_is)
{
	set(100, 400);
	give_up_capabilities();
	cr_expect_eq(files_allow(401), (rlim_t)400);
	expect(400, 400);
	cr_expect_eq(files_allow((rlim_t)1 << 40), (rlim_t)400);
	expect(400, 400);
}
