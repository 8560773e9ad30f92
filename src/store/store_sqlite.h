/*
 * store_sqlite.h - what the SQLite back end offers beyond store.h.
 */
#ifndef CORGI_STORE_SQLITE_H
#define CORGI_STORE_SQLITE_H

#include "store/store.h"

/*
 * Change how long the operations of a handle from store_open_sqlite() wait
 * for another writer, in milliseconds, from STORE_WAIT_MS to something else.
 */
void store_sqlite_set_wait(struct store *base, int milliseconds);

#endif
