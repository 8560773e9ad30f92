/*
 * follow.h - keep the shared memory up with the store: revocations that others
 * have noted and failed logins that they have counted come in, those of this
 * node go out, what is over is removed. The control thread of a worker.
 */
#ifndef CORGI_FOLLOW_H
#define CORGI_FOLLOW_H

#include <stdbool.h>

/*
 * Look whether the store has changed and, if so, follow its log; now and then
 * remove what is over, and look for services with another key. Call often, and
 * when follow_fd() is readable. True: call it again before waiting for
 * anything, as there may be more to do.
 */
bool follow_tick(void);

/* Readable when the store has something to tell (poll.h); -1: it does not tell,
 * or is out of reach. Another one after each tick. */
int follow_fd(void);

/* Follow the log now, changed or not. Whether all of it is in memory. */
bool follow_now(void);

/* Tell the other nodes what they have not been told yet, and give back the
 * store handle. */
void follow_end(void);

#endif
