#include <stdbool.h>
#include <string.h>

#include "auth/account.h"
#include "base/jdoc.h"
#include "base/log.h"
#include "base/secret.h"

/* The demo account of development. */
#define DEMO_NAME     "cosmo"
#define DEMO_PASSWORD "space-corgi"

static bool name_allowed(const char *, size_t);
static enum store_result
look_up(struct store *, const char *, size_t, struct store_user *);
static void make_better_hash(const struct account_service *, const char *,
    size_t, const struct store_user *, char[PASSWORD_HASH_MAX]);
static enum store_result insert(const struct account_service *, struct store *,
    const char *, size_t, const char *, const char *, struct store_user *);
static enum store_result
change_stored(const struct account_service *, const struct session_service *,
    struct store *, struct store_change *, struct store_revocation *);
static enum error_code say_store(struct store *, const char *);

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

/* The store's failure, into the log and into a refusal. */
static enum error_code
say_store(struct store *store, const char *what)
{
	log_line(LOG_LEVEL_ERR, "%s: the store cannot answer: %s", what,
	    store_error(store));
	return (ERR_STORE);
}

/* Find an account by a name of any length and content; NOT_FOUND for one that
 * no account can have. */
static enum store_result
look_up(
    struct store *store, const char *name, size_t len, struct store_user *user)
{
	memset(user, 0, sizeof(*user));
	if (len < 1 || len > STORE_NAME_MAX)
		return (STORE_NOT_FOUND);
	return (store_user_find(store, name, len, user));
}

/*
 * The password is known now and its hash was made at a lower cost than is
 * configured, or by another program: hash it again. Not being able to is no
 * reason to refuse a good login.
 */
static void
make_better_hash(const struct account_service *svc, const char *password,
    size_t len, const struct store_user *user, char hash[PASSWORD_HASH_MAX])
{
	if (!password_needs_rehash(&svc->cost, user->hash))
		return;
	if (password_hash(&svc->cost, password, len, hash) == -1) {
		hash[0] = '\0';
		log_line(LOG_LEVEL_WARNING,
		    "account %lld: its hash was not upgraded: out of memory",
		    (long long)user->id);
	}
}

/* Only while the stored hash is still the one that was verified, so that a
 * password changed meanwhile stays. */
void
account_upgrade(const struct account_service *svc, struct store *store,
    struct store_user *user, const char *hash)
{
	enum store_result result;
	int64_t now = clock_now(&svc->clock);

	if (hash[0] == '\0')
		return;
	result = store_user_set_hash(store, user->id, user->hash, hash, now);
	if (result == STORE_OK) {
		secret_wipe(user->hash, sizeof(user->hash));
		(void)memcpy(user->hash, hash, strlen(hash) + 1);
		user->updated_at = now;
	} else if (result != STORE_NOT_FOUND) {
		log_line(LOG_LEVEL_WARNING,
		    "account %lld: its hash was not upgraded: %s",
		    (long long)user->id, store_error(store));
	}
}

/*
 * Every way through here that ends with "wrong" hashes exactly once: a name
 * that does not exist, a name or password no account can have, a disabled
 * account, a stored hash that cannot be verified and a wrong password are not
 * to be told apart by time. (A stored hash of another cost than the configured
 * one takes its own time until the next good login upgrades it.)
 */
enum error_code
account_login(const struct account_service *svc, struct store *store,
    const char *name, size_t name_len, const char *password,
    size_t password_len, struct store_user *user, char hash[PASSWORD_HASH_MAX])
{
	const char *stored = svc->dummy_hash;
	enum store_result found;
	size_t hashed_len = password_len;
	int match;

	hash[0] = '\0';
	found = look_up(store, name, name_len, user);
	if (found != STORE_OK && found != STORE_NOT_FOUND)
		return (say_store(store, "login"));
	if (found == STORE_OK && password_hash_usable(user->hash)) {
		stored = user->hash;
	} else if (found == STORE_OK) {
		log_line(LOG_LEVEL_ERR,
		    "account %lld: its stored password hash is not usable",
		    (long long)user->id);
	}
	if (hashed_len > PASSWORD_MAX)
		hashed_len = PASSWORD_MAX;
	match = password_verify(stored, password, hashed_len);
	if (match == 1 && stored == user->hash && !user->disabled &&
	    password_len >= 1 && password_len == hashed_len) {
		make_better_hash(svc, password, password_len, user, hash);
		return (ERR_NONE);
	}
	secret_wipe(user->hash, sizeof(user->hash));
	return (match == -1 ? ERR_BUSY : ERR_CREDENTIALS);
}

/* Add an account whose name and roles have been judged. *user is wiped unless
 * it was added. */
static enum store_result
insert(const struct account_service *svc, struct store *store, const char *name,
    size_t name_len, const char *hash, const char *roles,
    struct store_user *user)
{
	enum store_result result;

	memset(user, 0, sizeof(*user));
	(void)memcpy(user->name, name, name_len);
	user->name_len = name_len;
	(void)memcpy(user->hash, hash, strlen(hash) + 1);
	(void)memcpy(user->roles, roles, strlen(roles) + 1);
	user->created_at = user->updated_at = clock_now(&svc->clock);
	result = store_user_add(store, user);
	if (result != STORE_OK)
		secret_wipe(user, sizeof(*user));
	return (result);
}

enum store_result
account_add(const struct account_service *svc, struct store *store,
    const char *name, size_t name_len, const char *password,
    size_t password_len, const char *roles, struct store_user *user)
{
	enum store_result result = STORE_FAILED;
	char hash[PASSWORD_HASH_MAX];
	struct store_user added;

	memset(&added, 0, sizeof(added));
	if (!name_allowed(name, name_len) || !store_roles_valid(roles) ||
	    password_check(password, password_len, name, name_len) !=
		PASSWORD_ALLOWED)
		return (STORE_INVALID);
	if (password_hash(&svc->cost, password, password_len, hash) == 0)
		result =
		    insert(svc, store, name, name_len, hash, roles, &added);
	if (user != NULL)
		*user = added;
	secret_wipe(&added, sizeof(added));
	secret_wipe(hash, sizeof(hash));
	return (result);
}

/* A change in the store alone. */
static enum store_result
change_stored(const struct account_service *svc,
    const struct session_service *sessions, struct store *store,
    struct store_change *change, struct store_revocation *made)
{
	change->now = clock_now(&svc->clock);
	change->token_life = session_token_life(sessions);
	return (store_user_change(store, change, made));
}

enum store_result
account_change(const struct account_service *svc,
    const struct session_service *sessions, struct store *store,
    struct store_change *change)
{
	struct store_revocation made;
	enum store_result result;

	result = change_stored(svc, sessions, store, change, &made);
	if (result == STORE_OK && session_apply(sessions, &made) != ERR_NONE)
		result = STORE_FULL;
	return (result);
}

enum store_result
account_set_password(const struct account_service *svc,
    const struct session_service *sessions, struct store *store,
    const char *name, size_t name_len, const char *password,
    size_t password_len)
{
	struct store_change change = {.kind = STORE_SET_PASSWORD};
	char hash[PASSWORD_HASH_MAX];
	enum store_result result;
	struct store_user user;

	if (!name_allowed(name, name_len) ||
	    password_check(password, password_len, name, name_len) !=
		PASSWORD_ALLOWED)
		return (STORE_INVALID);
	result = store_user_find(store, name, name_len, &user);
	if (result != STORE_OK)
		return (result);
	change.user_id = user.id;
	change.hash = hash;
	if (password_hash(&svc->cost, password, password_len, hash) == -1)
		result = STORE_FAILED;
	else
		result = account_change(svc, sessions, store, &change);
	secret_wipe(hash, sizeof(hash));
	secret_wipe(&user, sizeof(user));
	return (result);
}

enum error_code
account_check_change(const struct account_service *svc, struct store *store,
    const char *subject, size_t subject_len, const struct secret *current,
    const struct secret *password, struct store_user *user,
    enum password_fault *fault, char hash[PASSWORD_HASH_MAX])
{
	enum store_result found = STORE_NOT_FOUND;
	enum error_code code = ERR_NONE;
	int match;

	*fault = PASSWORD_ALLOWED;
	memset(user, 0, sizeof(*user));
	if (subject_len >= 1 && subject_len <= STORE_NAME_MAX)
		found =
		    store_user_find_subject(store, subject, subject_len, user);
	if (found != STORE_OK && found != STORE_NOT_FOUND)
		return (say_store(store, "password"));
	if (found == STORE_NOT_FOUND || user->disabled) {
		secret_wipe(user->hash, sizeof(user->hash));
		return (ERR_TOKEN_REVOKED);
	}

	match = password_verify(user->hash, current->data, current->len);
	if (match != 1)
		code = match == -1 ? ERR_BUSY : ERR_CURRENT_PASSWORD;
	if (code == ERR_NONE) {
		*fault = password_check(
		    password->data, password->len, user->name, user->name_len);
		if (*fault != PASSWORD_ALLOWED)
			code = ERR_PASSWORD_RULES;
	}
	if (code == ERR_NONE &&
	    password_hash(&svc->cost, password->data, password->len, hash) ==
		-1)
		code = ERR_BUSY;
	if (code != ERR_NONE)
		secret_wipe(user->hash, sizeof(user->hash));
	return (code);
}

/* Only while the hash is the one that was verified. */
enum error_code
account_change_password(const struct account_service *svc,
    const struct session_service *sessions, struct store *store,
    struct store_user *user, const char *hash)
{
	struct store_change change = {.kind = STORE_SET_PASSWORD,
	    .user_id = user->id,
	    .expected_hash = user->hash,
	    .hash = hash};
	struct store_revocation made;
	enum store_result result;
	enum error_code code;

	result = change_stored(svc, sessions, store, &change, &made);
	if (result == STORE_OK) {
		secret_wipe(user->hash, sizeof(user->hash));
		(void)memcpy(user->hash, hash, strlen(hash) + 1);
		user->updated_at = change.now;
		user->version = made.version;
		code = session_apply(sessions, &made);
	} else if (result == STORE_NOT_FOUND) {
		code = ERR_CURRENT_PASSWORD;
	} else {
		code = say_store(store, "password");
	}
	if (code != ERR_NONE)
		secret_wipe(user->hash, sizeof(user->hash));
	return (code);
}

/* A name that is taken is found before anything is hashed: the answer says it
 * anyway, and the throttle counts it. */
enum error_code
account_check_register(const struct account_service *svc, struct store *store,
    const struct secret *name, const struct secret *password,
    enum password_fault *fault, char hash[PASSWORD_HASH_MAX])
{
	const char *text = (const char *)name->data;
	enum store_result result;
	struct store_user user;

	*fault = PASSWORD_ALLOWED;
	if (!name_allowed(text, name->len))
		return (ERR_VALIDATION);
	*fault = password_check(password->data, password->len, text, name->len);
	if (*fault != PASSWORD_ALLOWED)
		return (ERR_PASSWORD_RULES);
	result = store_user_find(store, text, name->len, &user);
	secret_wipe(&user, sizeof(user));
	if (result == STORE_OK)
		return (ERR_USERNAME_TAKEN);
	if (result != STORE_NOT_FOUND)
		return (say_store(store, "register"));
	if (password_hash(&svc->cost, password->data, password->len, hash) ==
	    -1)
		return (ERR_BUSY);
	return (ERR_NONE);
}

enum error_code
account_register(const struct account_service *svc, struct store *store,
    const struct secret *name, const char *hash, struct store_user *user)
{
	enum store_result result;

	result = insert(
	    svc, store, (const char *)name->data, name->len, hash, "", user);
	if (result == STORE_OK)
		return (ERR_NONE);
	return (result == STORE_EXISTS ? ERR_USERNAME_TAKEN
				       : say_store(store, "register"));
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
	    DEMO_PASSWORD, strlen(DEMO_PASSWORD), "", NULL);
	if (result == STORE_EXISTS)
		return (STORE_OK);
	*added = result == STORE_OK;
	return (result);
}
