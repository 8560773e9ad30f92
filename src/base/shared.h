/*
 * shared.h - memory that all processes of the service have in common, and a
 * lock that survives the death of whoever holds it.
 *
 * Made in the parent before the fork; its children inherit it, and so does a
 * worker that is started anew. It goes with the last process.
 */
#ifndef CORGI_SHARED_H
#define CORGI_SHARED_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

/* Lies in shared memory. */
struct shared_lock {
	pthread_mutex_t mutex;
};

/* size bytes of zeroes, taken from the system page by page as they are
 * touched. NULL with errno. Parent, before the fork. */
void *shared_alloc(size_t size) __attribute__((warn_unused_result));

/* Give them back (this process's view of them). NULL is fine. */
void shared_free(void *p, size_t size);

/* Prepare a lock in shared memory. Returns 0, or -1 with errno. Parent. */
int
shared_lock_init(struct shared_lock *lock) __attribute__((warn_unused_result));

/*
 * Take the lock. Returns false when its last holder died holding it: the
 * caller has it all the same and must reckon with a change half made. Any
 * thread of any process.
 */
bool shared_lock_take(struct shared_lock *lock);

void shared_lock_release(struct shared_lock *lock);

#endif
