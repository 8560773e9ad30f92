/*
 * heard.h - how far this node has followed the log of revocations, and whether
 * what it knows is new enough to go by. In memory that its processes share:
 * what one of them has followed all of them know.
 */
#ifndef CORGI_HEARD_H
#define CORGI_HEARD_H

#include <stdbool.h>

#include "store/store.h"

/* Make the memory. Returns 0, or -1 with errno. Parent, before the fork. */
int heard_init(void) __attribute__((warn_unused_result));

/*
 * Put all that was noted in the log until now, anywhere, into the table of
 * revocations, and note the time. What revocations_follow() says. Never on the
 * event loop.
 */
enum store_result
heard_follow(struct store *store) __attribute__((warn_unused_result));

/* Milliseconds since the log was last known whole; INT64_MAX: never. */
int64_t heard_ago(void);

/*
 * Whether tokens may be accepted by what is known here. A file is always at
 * hand; a server may have been out of reach for longer than
 * CORGI_DATABASE_SILENCE, and others may have revoked tokens meanwhile. Event
 * loop.
 */
bool heard_lately(void);

#endif
