/*
 * heard.h - how far this node has followed the logs of the store, and whether
 * what it knows is new enough to go by. In memory that its processes share:
 * what one of them has followed all of them know.
 */
#ifndef CORGI_HEARD_H
#define CORGI_HEARD_H

#include <stdbool.h>

#include "store/store.h"

/* How long after a server was last asked it is asked again, although it has
 * told of nothing (milliseconds). */
#define HEARD_BEAT_MS 1000

enum heard_log { HEARD_REVOCATIONS, HEARD_ATTEMPTS, HEARD__MAX };

/* Make the memory. Returns 0, or -1 with errno. Parent, before the fork. */
int heard_init(void) __attribute__((warn_unused_result));

/*
 * Put all that was noted in the log until now, anywhere, into the table of
 * revocations, and note the time. What revocations_follow() says. Never on the
 * event loop.
 */
enum store_result
heard_follow(struct store *store) __attribute__((warn_unused_result));

/* Note that all of a log until then (clock_boot_ms()) is known. Any thread. */
void heard_note(enum heard_log log, int64_t ms);

/* Milliseconds since a log was last known whole; INT64_MAX: never. Any
 * thread. */
int64_t heard_ago(enum heard_log log);

/*
 * Whether tokens may be accepted, or passwords tried, by what is known here. A
 * file is always at hand; a server may have been out of reach for longer than
 * CORGI_DATABASE_SILENCE, and others may have revoked tokens or counted failed
 * logins meanwhile. Event loop.
 */
bool heard_lately(enum heard_log log);

#endif
