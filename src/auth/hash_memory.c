#include <pthread.h>

#include "auth/hash_memory.h"

/* Of this process; made before the fork, when nobody has taken any. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t freed;
	uint64_t limit; /* KiB; 0: none */
	uint64_t taken;
} memory = {
    .lock = PTHREAD_MUTEX_INITIALIZER, .freed = PTHREAD_COND_INITIALIZER};

void
hash_memory_limit(uint64_t kib)
{
	memory.limit = kib;
}

/* A large one may wait for long while small ones go on: that is rare, and its
 * client is answered late and not never. */
int
hash_memory_take(uint64_t kib)
{
	if (memory.limit == 0)
		return (0);
	if (kib > memory.limit)
		return (-1);
	(void)pthread_mutex_lock(&memory.lock);
	while (memory.limit - memory.taken < kib)
		(void)pthread_cond_wait(&memory.freed, &memory.lock);
	memory.taken += kib;
	(void)pthread_mutex_unlock(&memory.lock);
	return (0);
}

void
hash_memory_give(uint64_t kib)
{
	if (memory.limit == 0)
		return;
	(void)pthread_mutex_lock(&memory.lock);
	memory.taken -= kib;
	(void)pthread_cond_broadcast(&memory.freed);
	(void)pthread_mutex_unlock(&memory.lock);
}
