#include <sys/syscall.h>

#include <linux/sched.h>
#include <linux/sched/types.h>

#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "http/priority.h"

/*
 * Hashing may use all the processor time that is left over, and a tenth of it
 * when nothing is.
 */
#define BACKGROUND_NICE 10

/*
 * Linux lets a running thread finish its slice even when one of a better nice
 * value wakes up, unless the latter asked for a shorter slice (since 6.12;
 * earlier kernels ignore the wish and go by the nice value alone). Nanoseconds.
 */
#define EVENT_LOOP_SLICE 100000
#define BACKGROUND_SLICE 100000000

static int set(int nice_value, uint64_t slice);

void
priority_event_loop(void)
{
	(void)set(0, EVENT_LOOP_SLICE);
}

int
priority_background(void)
{
	return (set(BACKGROUND_NICE, BACKGROUND_SLICE));
}

/* glibc has no function for it. 0: the calling thread. */
static int
set(int nice_value, uint64_t slice)
{
	struct sched_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.size = sizeof(attr);
	attr.sched_policy = SCHED_NORMAL;
	attr.sched_nice = nice_value;
	attr.sched_runtime = slice;
	return ((int)syscall(SYS_sched_setattr, 0, &attr, 0));
}
