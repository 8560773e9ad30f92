/*
 * tally.h - how often each of many things is there, such as the address of a
 * client among those of all connections. The things are strangers' choice, so
 * they are found by a keyed hash.
 *
 * Belongs to one thread.
 */
#ifndef CORGI_TALLY_H
#define CORGI_TALLY_H

#include <stddef.h>

/* Longest thing (bytes). */
#define TALLY_LEN_MAX 16

struct tally;

/* Of things of so many bytes each; tally_free(). NULL without memory. */
struct tally *tally_new(size_t len) __attribute__((warn_unused_result));
void tally_free(struct tally *t);

/* One more of it. How many there are now; 0 without memory: it is not
 * counted. */
unsigned int tally_add(struct tally *t, const void *thing);

/* One less of what was counted. */
void tally_remove(struct tally *t, const void *thing);

#endif
