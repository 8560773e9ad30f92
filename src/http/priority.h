/*
 * priority.h - who runs first: the event loop, which answers in microseconds,
 * before the threads that hash for milliseconds.
 */
#ifndef CORGI_PRIORITY_H
#define CORGI_PRIORITY_H

/*
 * For the calling thread. Both are a help, not a need: what the kernel does not
 * know or allow is left as it is. priority_background() returns -1 when not
 * even the nice value could be raised.
 */
void priority_event_loop(void);
int priority_background(void) __attribute__((warn_unused_result));

#endif
