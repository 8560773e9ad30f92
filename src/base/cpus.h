/*
 * cpus.h - how many processors this process may use, which in a container or
 * under taskset is fewer than the machine has.
 */
#ifndef CORGI_CPUS_H
#define CORGI_CPUS_H

/*
 * The processors that the scheduler lets the calling thread run on
 * (sched_getaffinity(2)), or fewer where its control group is given less time
 * than that (cpu.max; of version 1, cpu.cfs_quota_us), rounded down. At least
 * 1. Ask in the parent: it reads files.
 */
unsigned int cpus_usable(void);

/*
 * The same for a group whose files are below root ("/sys/fs/cgroup") and for a
 * number of processors. For tests.
 */
unsigned int cpus_within(const char *root, unsigned int processors);

#endif
