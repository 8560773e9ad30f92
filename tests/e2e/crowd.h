/*
 * crowd.h - thousands of connections that are held open, each of which is
 * proven by an answer. They belong to processes of their own, as many as the
 * limit of open files asks for.
 */
#ifndef CORGI_TEST_CROWD_H
#define CORGI_TEST_CROWD_H

#include <stddef.h>

struct crowd;

/*
 * Open connections to the port, one after the other in each process, and ask
 * for /health on each. *answered says on how many 200 came; a process goes no
 * further when one is not answered. Always to be ended with crowd_leave().
 */
struct crowd *crowd_gather(int port, size_t count, size_t *answered);

/* Ask once more on all of those; how many were answered. */
size_t crowd_ask(struct crowd *crowd);

/* Close all and wait for the processes. */
void crowd_leave(struct crowd *crowd);

#endif
