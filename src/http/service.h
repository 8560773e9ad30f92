/*
 * service.h - what one process of the service works with: configuration, key,
 * policy, accounts. Made in the parent before the fork, read-only afterwards;
 * any thread.
 */
#ifndef CORGI_SERVICE_H
#define CORGI_SERVICE_H

#include <limits.h>

#include "auth/account.h"
#include "auth/keys.h"
#include "auth/session.h"
#include "auth/throttle.h"
#include "auth/token.h"
#include "base/config.h"
#include "store/store.h"

struct service {
	struct config config;
	struct key *key;
	struct token_policy policy;
	struct account_service accounts;
	struct session_service sessions;
	struct revocations *revocations; /* shared by all processes */
	struct throttle *throttle;       /* the same */
	bool on_server;        /* the database; it may be out of reach */
	bool prepared;         /* it was opened, at the start */
	char folder[PATH_MAX]; /* the data folder; absolute: workers change
				  * theirs */
	char database[CONFIG_DATABASE_MAX]; /* for store_open(); may hold a
					     * password */
};

/* The service of this process; service_start() came first. */
const struct service *service_get(void);

/*
 * Read the environment, load or make the key, create and check the store, add
 * the demo account in a development build. Parent only. Ends the process with
 * one line when the service cannot run.
 */
void service_start(void);

/*
 * What the start could not do because the database was out of reach: make or
 * migrate its tables, add the demo account. Whether that is done. Waits for the
 * server: control thread.
 */
bool service_prepare(void) __attribute__((warn_unused_result));

/* Wipe the secrets. */
void service_stop(void);

/*
 * The calling thread's store handle, kept in *local and opened anew after a
 * failure. NULL (logged) when the store cannot be opened. Background threads.
 */
struct store *service_store(void **local);

/* Give such a handle back. */
void service_store_release(void *local);

/*
 * To be called after an operation on the handle: one that met a damaged or
 * vanished database is closed, so that the next job starts afresh.
 */
void service_store_settle(void **local, enum store_result result);

#endif
