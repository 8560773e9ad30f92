#include <sys/syscall.h>

#include <linux/sched.h>
#include <linux/sched/types.h>

#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "http/priority.h"

/*
 * Linux lets a running thread finish its slice even when one of a better nice
 * value wakes up, unless the latter asked for a shorter slice (since 6.12;
 * earlier kernels ignore the wish). A thread of the idle policy is put aside
 * at once. Nanoseconds.
 */
#define SLICE_SHORT 100000
#define SLICE_LONG  100000000

/* A tenth of the weight of nice 0. */
#define NICE_LOW 10

static int set(uint32_t policy, int32_t nice_value, uint64_t slice);

int
priority_event_loop(void)
{
	return (set(SCHED_NORMAL, 0, SLICE_SHORT));
}

int
priority_leftover(void)
{
	return (set(SCHED_IDLE, 0, 0));
}

int
priority_low(void)
{
	return (set(SCHED_NORMAL, NICE_LOW, SLICE_LONG));
}

/* glibc has no function for it. 0: the calling thread. */
static int
set(uint32_t policy, int32_t nice_value, uint64_t slice)
{
	struct sched_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.size = sizeof(attr);
	attr.sched_policy = policy;
	attr.sched_nice = nice_value;
	attr.sched_runtime = slice;
	return ((int)syscall(SYS_sched_setattr, 0, &attr, 0));
}
