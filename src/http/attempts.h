/*
 * attempts.h - count failed logins together with the other nodes of a server:
 * what is settled here goes to the store's log of attempts, and what the others
 * have put there is counted here (auth/throttle.h). Where the store is a file
 * nothing of this happens.
 */
#ifndef CORGI_ATTEMPTS_H
#define CORGI_ATTEMPTS_H

#include <stdbool.h>

#include "store/store.h"

/* Prepare to wake the control thread. Returns 0, or -1 with errno. Worker,
 * before that is started. */
int attempts_start(void) __attribute__((warn_unused_result));

/* Have a row appended soon, by the control thread: never waits for the store.
 * When too many wait it is dropped, and counts on this node alone. Any
 * thread. */
void attempts_tell(const struct store_attempt *row);

/* Readable when rows have come to wait (poll.h), until they are taken note
 * of. Control thread. */
int attempts_fd(void);
void attempts_note(void);

/*
 * Append rows that wait, as many as go at once and no more: the thread has
 * revocations to follow as well, and whoever fails fast enough sees to it that
 * there are always more. Then follow the log, when it has grown or was not
 * looked at for a while. Whether the store was asked for anything, and
 * answered: meanwhile it may have told of more, and more may wait. Control
 * thread.
 */
bool attempts_turn(struct store *store) __attribute__((warn_unused_result));

/* Append the rows that wait, as far as that is possible: when no more come.
 * Control thread. */
void attempts_flush(struct store *store);

/* Count what the others have counted so far, and note the time (heard.h).
 * Control thread; parent. */
enum store_result
attempts_follow(struct store *store) __attribute__((warn_unused_result));

/* Remove the rows that are of no use any more, at most limit. The same. */
enum store_result attempts_purge(struct store *store, int limit,
    int64_t *removed) __attribute__((warn_unused_result));

#endif
