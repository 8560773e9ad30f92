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

/*
 * Open the database that a copy goes to: as store_open_sqlite() where there is
 * none, else as store_open_sqlite_existing(); and an unfinished copy as well.
 */
enum store_result store_open_sqlite_copy(const char *path, struct store **out,
    char error[STORE_ERROR_MAX]) __attribute__((warn_unused_result));

#endif
