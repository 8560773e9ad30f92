#include <string.h>

#include "auth/account.h"
#include "base/jdoc.h"
#include "base/log.h"
#include "base/secret.h"

/* The demo account of development. */
#define DEMO_NAME     "cosmo"
#define DEMO_PASSWORD "space-corgi"

static bool name_allowed(const char *, size_t);
static bool password_allowed(const char *, size_t);
static enum store_result
look_up(struct store *, const char *, size_t, struct store_user *);
static void upgrade_hash(const struct account_service *, struct store *,
    const char *, size_t, struct store_user *);

int
account_service_init(struct account_service *svc, const struct config *config,
    struct clock clock)
{
	svc->cost.memory_kib = config->argon2_memory_kib;
	svc->cost.passes = config->argon2_passes;
	svc->clock = clock;
	return (password_dummy(&svc->cost, svc->dummy_hash));
}

static bool
name_allowed(const char *name, size_t len)
{
	return (len >= 1 && len <= STORE_NAME_MAX && utf8_valid(name, len));
}

static bool
password_allowed(const char *password, size_t len)
{
	return (len >= 1 && len <= PASSWORD_MAX && utf8_valid(password, len));
}

/*
 * Find an account by a name of any length and content; NOT_FOUND for one that
 * no account can have. A failure of the store is logged here.
 */
static enum store_result
look_up(
    struct store *store, const char *name, size_t len, struct store_user *user)
{
	enum store_result result;

	memset(user, 0, sizeof(*user));
	if (len < 1 || len > STORE_NAME_MAX)
		return (STORE_NOT_FOUND);
	result = store_user_find(store, name, len, user);
	if (result != STORE_OK && result != STORE_NOT_FOUND)
		log_line(LOG_LEVEL_ERR, "login: the store cannot answer: %s",
		    store_error(store));
	return (result);
}

/*
 * The password is known now and its hash was made at a lower cost than is
 * configured: hash it again. Only while the stored hash is still the one that
 * was verified, so that a password changed meanwhile stays. Not being able to
 * is no reason to refuse a good login.
 */
static void
upgrade_hash(const struct account_service *svc, struct store *store,
    const char *password, size_t len, struct store_user *user)
{
	char hash[PASSWORD_HASH_MAX];
	enum store_result result;
	int64_t now = clock_now(&svc->clock);

	if (!password_needs_rehash(&svc->cost, user->hash))
		return;
	if (password_hash(&svc->cost, password, len, hash) == -1) {
		log_line(LOG_LEVEL_WARNING,
		    "account %lld: its hash was not upgraded: out of memory",
		    (long long)user->id);
		return;
	}
	result = store_user_set_hash(store, user->id, user->hash, hash, now);
	if (result == STORE_OK) {
		(void)memcpy(user->hash, hash, sizeof(hash));
		user->updated_at = now;
	} else if (result != STORE_NOT_FOUND) {
		log_line(LOG_LEVEL_WARNING,
		    "account %lld: its hash was not upgraded: %s",
		    (long long)user->id, store_error(store));
	}
	secret_wipe(hash, sizeof(hash));
}

/*
 * Every way through here that ends with "wrong" hashes exactly once: a name
 * that does not exist, a name or password no account can have, a stored hash
 * that cannot be verified and a wrong password are not to be told apart by
 * time. (A stored hash of another cost than the configured one takes its own
 * time until the next good login upgrades it.)
 */
enum error_code
account_login(const struct account_service *svc, struct store *store,
    const char *name, size_t name_len, const char *password,
    size_t password_len, struct store_user *user)
{
	const char *hash = svc->dummy_hash;
	enum store_result found;
	size_t hashed_len = password_len;
	int match;

	found = look_up(store, name, name_len, user);
	if (found != STORE_OK && found != STORE_NOT_FOUND)
		return (ERR_STORE);
	if (found == STORE_OK && password_hash_usable(user->hash)) {
		hash = user->hash;
	} else if (found == STORE_OK) {
		log_line(LOG_LEVEL_ERR,
		    "account %lld: its stored password hash is not usable",
		    (long long)user->id);
	}
	if (hashed_len > PASSWORD_MAX)
		hashed_len = PASSWORD_MAX;
	match = password_verify(hash, password, hashed_len);
	if (match == 1 && hash == user->hash && password_len >= 1 &&
	    password_len == hashed_len) {
		upgrade_hash(svc, store, password, password_len, user);
		return (ERR_NONE);
	}
	secret_wipe(user, sizeof(*user));
	return (match == -1 ? ERR_BUSY : ERR_CREDENTIALS);
}

enum store_result
account_add(const struct account_service *svc, struct store *store,
    const char *name, size_t name_len, const char *password,
    size_t password_len)
{
	char hash[PASSWORD_HASH_MAX];
	enum store_result result;

	if (!name_allowed(name, name_len) ||
	    !password_allowed(password, password_len))
		return (STORE_INVALID);
	if (password_hash(&svc->cost, password, password_len, hash) == -1)
		return (STORE_FAILED);
	result = store_user_add(
	    store, name, name_len, hash, clock_now(&svc->clock), NULL);
	secret_wipe(hash, sizeof(hash));
	return (result);
}

enum store_result
account_set_password(const struct account_service *svc, struct store *store,
    const char *name, size_t name_len, const char *password,
    size_t password_len)
{
	struct store_user user;
	char hash[PASSWORD_HASH_MAX];
	enum store_result result;

	if (!name_allowed(name, name_len) ||
	    !password_allowed(password, password_len))
		return (STORE_INVALID);
	result = store_user_find(store, name, name_len, &user);
	if (result != STORE_OK)
		return (result);
	if (password_hash(&svc->cost, password, password_len, hash) == -1)
		result = STORE_FAILED;
	else
		result = store_user_set_hash(
		    store, user.id, NULL, hash, clock_now(&svc->clock));
	secret_wipe(hash, sizeof(hash));
	secret_wipe(&user, sizeof(user));
	return (result);
}

/* Several workers may try at once: whoever comes second finds it done. */
enum store_result
account_add_demo(
    const struct account_service *svc, struct store *store, int *added)
{
	enum store_result result;
	int64_t count;

	*added = 0;
	result = store_user_count(store, &count);
	if (result != STORE_OK || count > 0)
		return (result);
	result = account_add(svc, store, DEMO_NAME, strlen(DEMO_NAME),
	    DEMO_PASSWORD, strlen(DEMO_PASSWORD));
	if (result == STORE_EXISTS)
		return (STORE_OK);
	*added = result == STORE_OK;
	return (result);
}
