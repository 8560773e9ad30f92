/*
 * room.h - how many connections a worker has room for: in Kore's pools, and in
 * the number of files it may have open.
 *
 * Kore sets memory aside for worker_max_connections of them, and touches all of
 * it, when a worker starts. Its pools grow by themselves when they are used up,
 * though. So they are made for a few, and the number that is configured holds
 * from the moment when the first connection can come.
 */
#ifndef CORGI_ROOM_H
#define CORGI_ROOM_H

/*
 * See to it that the workers may open as many files as worker_rlimit_nofiles
 * says, or else as many as the system allows. wanted is how many connections
 * each is meant to take. Returns how many it can take, with a word in the log
 * where that is less. Parent, once, before the fork.
 */
unsigned int room_prepare(unsigned int wanted);

/* From here on connections may come. Worker, when Kore's pools are there. */
void room_open(void);

#endif
