/*
 * priority.h - who runs first: the event loop, which answers in microseconds,
 * before the threads that hash for milliseconds.
 *
 * Each function is for the calling thread. What the kernel does not know or
 * allow is left as it is: -1.
 */
#ifndef CORGI_PRIORITY_H
#define CORGI_PRIORITY_H

/* Before all others, as far as one may ask for it. */
int priority_event_loop(void);

/* After everything else on the machine: whatever time is left over. */
int priority_leftover(void) __attribute__((warn_unused_result));

/* Behind the event loop, but sure of about a tenth of a core. */
int priority_low(void) __attribute__((warn_unused_result));

#endif
