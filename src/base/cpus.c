#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cpus.h"

/* Where a container sees its own group. */
#define GROUP_ROOT "/sys/fs/cgroup"

/* Length of a path below it, with the NUL. */
#define PATH_LEN 256

/* Length of a line with two numbers. */
#define LINE_LEN 64

/* Processors that a set can hold: the most a kernel can be built for. */
#define CPUS_MAX 8192

static bool read_quota(const char *, long long *, long long *);
static int read_numbers(const char *, const char *, long long *, long long *);

unsigned int
cpus_usable(void)
{
	cpu_set_t *set;
	size_t size;
	int count = 0;

	set = CPU_ALLOC(CPUS_MAX);
	if (set != NULL) {
		size = CPU_ALLOC_SIZE(CPUS_MAX);
		CPU_ZERO_S(size, set);
		if (sched_getaffinity(0, size, set) == 0)
			count = CPU_COUNT_S(size, set);
		CPU_FREE(set);
	}
	return (cpus_within(GROUP_ROOT, count > 0 ? (unsigned int)count : 1));
}

/* A part of a processor is none that a thread could have for itself. */
unsigned int
cpus_within(const char *root, unsigned int processors)
{
	long long quota, period, whole;

	if (read_quota(root, &quota, &period) && quota > 0 && period > 0) {
		whole = quota / period;
		if (whole < (long long)processors)
			processors = (unsigned int)whole;
	}
	return (processors > 0 ? processors : 1);
}

/* The time that a group may use in each period (microseconds); false where it
 * may use all there is ("max"; of version 1, a quota of -1). */
static bool
read_quota(const char *root, long long *quota, long long *period)
{
	long long none;

	if (read_numbers(root, "cpu.max", quota, period) == 2)
		return (true);
	return (read_numbers(root, "cpu/cpu.cfs_quota_us", quota, &none) == 1 &&
	    read_numbers(root, "cpu/cpu.cfs_period_us", period, &none) == 1);
}

/* How many of two numbers a file begins with. */
static int
read_numbers(
    const char *root, const char *name, long long *first, long long *second)
{
	long long *const numbers[] = {first, second};
	char path[PATH_LEN], line[LINE_LEN], *at = line, *end;
	FILE *file;
	int found = 0;

	(void)snprintf(path, sizeof(path), "%s/%s", root, name);
	file = fopen(path, "re");
	if (file == NULL)
		return (0);
	if (fgets(line, sizeof(line), file) == NULL)
		line[0] = '\0';
	(void)fclose(file);
	for (; found < 2; found++, at = end) {
		*numbers[found] = strtoll(at, &end, 10);
		if (end == at)
			break;
	}
	return (found);
}
