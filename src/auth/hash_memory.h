/*
 * hash_memory.h - how much memory the password hashes of one process may take
 * up at once, whatever stored hashes ask for.
 *
 * Taking waits: background threads and corgictl, never the event loop.
 */
#ifndef CORGI_HASH_MEMORY_H
#define CORGI_HASH_MEMORY_H

#include <stdint.h>

/* Set the limit (KiB; 0: none). Parent, before the fork: each worker then has
 * so much for itself. */
void hash_memory_limit(uint64_t kib);

/* Wait until so much is free, and take it. Returns 0, or -1 when it is more
 * than there can ever be. */
int hash_memory_take(uint64_t kib) __attribute__((warn_unused_result));

/* Give back what was taken. */
void hash_memory_give(uint64_t kib);

#endif
