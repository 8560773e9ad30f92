/*
 * store_pg.h - what the PostgreSQL back end offers beyond store.h.
 */
#ifndef CORGI_STORE_PG_H
#define CORGI_STORE_PG_H

#include "store/store.h"

/*
 * Change how long the operations of a handle from store_open_postgresql() wait
 * for another's lock, in milliseconds, from STORE_WAIT_MS to something else.
 */
enum store_result store_pg_set_wait(struct store *base, int milliseconds)
    __attribute__((warn_unused_result));

/*
 * Open the database that a copy goes to: as store_open_postgresql() where there
 * is none, else as store_open_postgresql_existing(); and an unfinished copy as
 * well.
 */
enum store_result store_open_pg_copy(const char *url, struct store **out,
    char error[STORE_ERROR_MAX]) __attribute__((warn_unused_result));

#endif
