/*
 * account.h - what one does with accounts: log in, add, register, change a
 * password, disable, give roles, rename, remove. The server and corgictl share
 * these.
 *
 * Every function hashes or waits for the store: background threads only (and
 * corgictl). A struct account_service is read-only once made and may be
 * shared by threads; the store handle is the calling thread's own.
 */
#ifndef CORGI_ACCOUNT_H
#define CORGI_ACCOUNT_H

#include <stddef.h>

#include "auth/password.h"
#include "auth/password_rules.h"
#include "auth/session.h"
#include "auth/token.h"
#include "base/clock.h"
#include "store/store.h"

/*
 * What takes a hash and a change of the store comes in two functions, since
 * they may run on two threads: hashing is put aside when there is other work,
 * and whoever is put aside in the middle of a transaction holds up all who
 * write.
 */
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
 * Check credentials. ERR_NONE; ERR_CREDENTIALS for an unknown name, a disabled
 * account and a wrong password alike, after the same work (*user is then the
 * account without its hash where there is one, for the audit log, and its id 0
 * where there is none); ERR_STORE when the store cannot say; ERR_BUSY when
 * there is no memory to hash. On success *user is filled; hash is "", or takes
 * the place of one that was made at a lower cost or by another program: see
 * account_upgrade().
 */
enum error_code account_login(const struct account_service *svc,
    struct store *store, const char *name, size_t name_len,
    const char *password, size_t password_len, struct store_user *user,
    char hash[PASSWORD_HASH_MAX]) __attribute__((warn_unused_result));

/*
 * Keep the new hash of a good login ("": there is none), if the stored one is
 * still that of *user, which has the new one then. A failure is logged and no
 * reason to refuse the login.
 */
void account_upgrade(const struct account_service *svc, struct store *store,
    struct store_user *user, const char *hash);

/*
 * Add an account with roles ("" for none). *user (may be NULL) is the new
 * account. STORE_INVALID when the name or the roles break their limits, or
 * password_check() finds fault; STORE_FAILED when out of memory; otherwise the
 * store's result.
 */
enum store_result account_add(const struct account_service *svc,
    struct store *store, const char *name, size_t name_len,
    const char *password, size_t password_len, const char *roles,
    struct store_user *user) __attribute__((warn_unused_result));

/*
 * Set a password without knowing the old one (an administrator), ending all
 * sessions of the account. Results as account_add().
 */
enum store_result account_set_password(const struct account_service *svc,
    const struct session_service *sessions, struct store *store,
    const char *name, size_t name_len, const char *password,
    size_t password_len) __attribute__((warn_unused_result));

/*
 * Any change of an account, and what it ends, in the store and in the memory
 * of the workers; now and token_life of change are filled in here. STORE_FULL
 * also when the workers' memory has no room (the store has it).
 */
enum store_result account_change(const struct account_service *svc,
    const struct session_service *sessions, struct store *store,
    struct store_change *change) __attribute__((warn_unused_result));

/*
 * Whether somebody who knows the current password may change it to another one:
 * of the account with this subject. ERR_NONE with the account in *user and the
 * new hash; ERR_CURRENT_PASSWORD; ERR_PASSWORD_RULES with *fault;
 * ERR_TOKEN_REVOKED when there is no such account any more, or it is disabled;
 * ERR_STORE; ERR_BUSY.
 */
enum error_code account_check_change(const struct account_service *svc,
    struct store *store, const char *subject, size_t subject_len,
    const struct secret *current, const struct secret *password,
    struct store_user *user, enum password_fault *fault,
    char hash[PASSWORD_HASH_MAX]) __attribute__((warn_unused_result));

/*
 * Then change it, ending all sessions of the account. ERR_NONE with the changed
 * account in *user; ERR_CURRENT_PASSWORD when it is not the one that was
 * checked any more; ERR_STORE; ERR_REVOCATIONS_FULL (the password is changed, but the
 * workers do not know yet what that ended).
 */
enum error_code account_change_password(const struct account_service *svc,
    const struct session_service *sessions, struct store *store,
    struct store_user *user, const char *hash)
    __attribute__((warn_unused_result));

/*
 * Whether whoever asks may have an account of that name. ERR_NONE with the hash
 * of its password; ERR_USERNAME_TAKEN; ERR_PASSWORD_RULES with *fault;
 * ERR_VALIDATION for a name that breaks the limits; ERR_STORE; ERR_BUSY.
 */
enum error_code account_check_register(const struct account_service *svc,
    struct store *store, const struct secret *name,
    const struct secret *password, enum password_fault *fault,
    char hash[PASSWORD_HASH_MAX]) __attribute__((warn_unused_result));

/* Then make it. ERR_NONE with *user; ERR_USERNAME_TAKEN when somebody was
 * faster; ERR_STORE. */
enum error_code account_register(const struct account_service *svc,
    struct store *store, const struct secret *name, const char *hash,
    struct store_user *user) __attribute__((warn_unused_result));

/*
 * Add the demo account cosmo / space-corgi when the store holds no account at
 * all. *added says whether it did. Development only.
 */
enum store_result account_add_demo(const struct account_service *svc,
    struct store *store, int *added) __attribute__((warn_unused_result));

#endif
