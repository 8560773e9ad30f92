/*
 * agree.h - whether all services on one database have the same key. With
 * different ones each refuses the other's tokens, behind a proxy now and then
 * and as if at random, and no client can tell why: so the log does, of every
 * service and once for each change. Nothing else changes, as services differ
 * also while a key is replaced on one after the other.
 *
 * What is compared is key_fingerprint(); the lines of the log show half of it,
 * so that whoever reads them can say which service is the odd one.
 */
#ifndef CORGI_AGREE_H
#define CORGI_AGREE_H

#include "auth/keys.h"
#include "store/store.h"

/* Make the memory that the processes share. Returns 0, or -1 with errno.
 * Parent, before the fork. */
int agree_init(const struct key *key) __attribute__((warn_unused_result));

/* A service starts on this database: say so, and log what differs. Parent. */
void agree_start(struct store *store);

/* Look again, now and then; call often. A failure is no trouble: the next look
 * will tell. Control thread. */
void agree_look(struct store *store);

#endif
