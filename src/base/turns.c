#include <stdatomic.h>
#include <stddef.h>

#include "base/shared.h"
#include "base/turns.h"

/* In shared memory. */
struct turns {
	unsigned int processors;
	unsigned int workers;
	_Atomic unsigned int hashing[]; /* threads of each worker */
};

static struct turns *turns;
static _Atomic unsigned int *own; /* of this worker */

int
turns_init(unsigned int workers, unsigned int processors)
{
	turns =
	    shared_alloc(sizeof(*turns) + workers * sizeof(turns->hashing[0]));
	if (turns == NULL)
		return (-1);
	turns->processors = processors;
	turns->workers = workers;
	return (0);
}

void
turns_join(unsigned int worker)
{
	own = &turns->hashing[worker % turns->workers];
	atomic_store(own, 0);
}

void
turns_begin(void)
{
	(void)atomic_fetch_add(own, 1);
}

void
turns_end(void)
{
	(void)atomic_fetch_sub(own, 1);
}

bool
turns_free(void)
{
	unsigned int hashing = 0, i;

	for (i = 0; i < turns->workers; i++)
		hashing += atomic_load(&turns->hashing[i]);
	return (hashing < turns->processors);
}
