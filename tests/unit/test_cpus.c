/*
 * The processors that may be used: those of the machine, of a set that the
 * process was given, of a control group's time.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/cpus.h"

TestSuite(cpus, .timeout = 20);

static void
write_file(const char *folder, const char *name, const char *text)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	cr_assert_not_null(file, "%s", path);
	fputs(text, file);
	fclose(file);
}

static void
make_folder(char *template)
{
	char path[512];

	cr_assert_not_null(mkdtemp(template));
	snprintf(path, sizeof(path), "%s/cpu", template);
	cr_assert_eq(mkdir(path, 0700), 0);
}

static void
remove_folder(const char *folder)
{
	static const char *const names[] = {"cpu.max", "cpu/cpu.cfs_quota_us",
	    "cpu/cpu.cfs_period_us", "cpu", ""};
	char path[512];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		(void)remove(path);
	}
}

Test(cpus, a_control_group_may_have_less_time)
{
	static const struct {
		const char *text;
		unsigned int want; /* of eight */
	} rows[] = {
	    {"max 100000\n", 8},
	    {"200000 100000\n", 2},
	    {"250000 100000\n", 2},
	    {"50000 100000\n", 1},
	    {"1600000 100000\n", 8},
	    {"99999999999999 100000\n", 8},
	    {"100000\n", 8},
	    {"100000 0\n", 8},
	    {"-1 100000\n", 8},
	    {"", 8},
	    {"x\n", 8},
	};
	char folder[] = "/tmp/corgi-cpus.XXXXXX";
	size_t i;

	make_folder(folder);
	cr_expect_eq(cpus_within(folder, 8), 8, "without a file");
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		write_file(folder, "cpu.max", rows[i].text);
		cr_expect_eq(cpus_within(folder, 8), rows[i].want, "\"%s\"",
		    rows[i].text);
	}
	cr_expect_eq(cpus_within(folder, 0), 1);
	remove_folder(folder);
}

Test(cpus, so_may_one_of_version_1)
{
	char folder[] = "/tmp/corgi-cpus.XXXXXX";

	make_folder(folder);
	write_file(folder, "cpu/cpu.cfs_period_us", "100000\n");
	write_file(folder, "cpu/cpu.cfs_quota_us", "-1\n");
	cr_expect_eq(cpus_within(folder, 8), 8);
	write_file(folder, "cpu/cpu.cfs_quota_us", "300000\n");
	cr_expect_eq(cpus_within(folder, 8), 3);
	remove_folder(folder);
}

Test(cpus, a_process_may_be_given_fewer)
{
	cpu_set_t set;
	int status, cpu;
	pid_t child;

	CPU_ZERO(&set);
	cr_assert_eq(sched_getaffinity(0, sizeof(set), &set), 0);
	cr_expect_leq(cpus_usable(), (unsigned int)CPU_COUNT(&set));
	for (cpu = 0; !CPU_ISSET(cpu, &set); cpu++)
		;
	child = fork();
	cr_assert_neq(child, -1);
	if (child == 0) {
		CPU_ZERO(&set);
		CPU_SET(cpu, &set);
		if (sched_setaffinity(0, sizeof(set), &set) == -1)
			_exit(100);
		_exit((int)cpus_usable());
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 1, "%d", status);
}
