/*
 * turns.h - how many threads of all workers hash at once.
 *
 * More than there are processors would only take turns on them, each with its
 * own memory. So each worker hashes on its part of them, and on more while the
 * others leave theirs idle: connections are not spread so evenly that every
 * worker always has work. In memory that all workers share; any thread.
 */
#ifndef CORGI_TURNS_H
#define CORGI_TURNS_H

#include <stdbool.h>

/* Make the memory for so many workers on so many processors. Returns 0, or -1
 * with errno. Parent, before the fork. */
int turns_init(unsigned int workers, unsigned int processors)
    __attribute__((warn_unused_result));

/* The worker of that index begins: what one in its place has left behind, when
 * it was killed, counts no more. In the worker, before any thread hashes. */
void turns_join(unsigned int worker);

/* One more thread of this worker hashes, or one less. */
void turns_begin(void);
void turns_end(void);

/* Whether fewer threads hash, of all workers, than there are processors. More
 * may for the time of a hash: when two workers ask at the same moment, and when
 * one begins to hash on its own part while another one uses that. */
bool turns_free(void);

#endif
