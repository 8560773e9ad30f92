/*
 * account.h - what one does with accounts: log in, add, change a password,
 * remove. The server's login and corgictl share these.
 *
 * Every function hashes or waits for the store: background threads only (and
 * corgictl). A struct account_service is read-only once made and may be
 * shared by threads; the store handle is the calling thread's own.
 */
#ifndef CORGI_ACCOUNT_H
#define CORGI_ACCOUNT_H

#include <stddef.h>

#include "auth/password.h"
#include "auth/token.h"
#include "base/clock.h"
#include "store/store.h"

struct account_service {
	struct password_cost cost;
	struct clock clock;
	char dummy_hash[PASSWORD_HASH_MAX];
};

/* Make a service (hashes once). 0, or -1 when out of memory. */
int
account_service_init(struct account_service *svc, const struct config *config,
    struct clock clock) __attribute__((warn_unused_result));

/*
 * Check credentials. ERR_NONE; ERR_CREDENTIALS for an unknown name as for a
 * wrong password, after the same work; ERR_STORE when the store cannot say;
 * ERR_BUSY when there is no memory to hash. On success *user is filled, and a
 * hash made at a lower cost has been replaced (a failure to do so is logged
 * and does not fail the login).
 */
enum error_code account_login(const struct account_service *svc,
    struct store *store, const char *name, size_t name_len,
    const char *password, size_t password_len, struct store_user *user)
    __attribute__((warn_unused_result));

/*
 * Add an account, or set the password of one. STORE_INVALID when the name or
 * the password is empty, too long, or not UTF-8; STORE_FAILED when out of
 * memory; otherwise the store's result.
 */
enum store_result
account_add(const struct account_service *svc, struct store *store,
    const char *name, size_t name_len, const char *password,
    size_t password_len) __attribute__((warn_unused_result));
enum store_result
account_set_password(const struct account_service *svc, struct store *store,
    const char *name, size_t name_len, const char *password,
    size_t password_len) __attribute__((warn_unused_result));

/*
 * Add the demo account cosmo / space-corgi when the store holds no account at
 * all. *added says whether it did. Development only.
 */
enum store_result account_add_demo(const struct account_service *svc,
    struct store *store, int *added) __attribute__((warn_unused_result));

#endif
