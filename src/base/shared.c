#include <sys/mman.h>

#include <errno.h>
#include <stdlib.h>

#include "base/shared.h"

void *
shared_alloc(size_t size)
{
	void *p;

	p = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return (NULL);
	return (p);
}

void
shared_free(void *p, size_t size)
{
	if (p != NULL)
		(void)munmap(p, size);
}

int
shared_lock_init(struct shared_lock *lock)
{
	pthread_mutexattr_t attributes;
	int error;

	error = pthread_mutexattr_init(&attributes);
	if (error != 0) {
		errno = error;
		return (-1);
	}
	error =
	    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	if (error == 0)
		error = pthread_mutexattr_setrobust(
		    &attributes, PTHREAD_MUTEX_ROBUST);
	if (error == 0)
		error = pthread_mutex_init(&lock->mutex, &attributes);
	(void)pthread_mutexattr_destroy(&attributes);
	errno = error;
	return (error == 0 ? 0 : -1);
}

/* Anything but the two results is a programming error: whoever went on without
 * the lock would spoil the memory of all processes. */
bool
shared_lock_take(struct shared_lock *lock)
{
	int error;

	error = pthread_mutex_lock(&lock->mutex);
	if (error == EOWNERDEAD) {
		if (pthread_mutex_consistent(&lock->mutex) != 0)
			abort();
		return (false);
	}
	if (error != 0)
		abort();
	return (true);
}

void
shared_lock_release(struct shared_lock *lock)
{
	if (pthread_mutex_unlock(&lock->mutex) != 0)
		abort();
}
