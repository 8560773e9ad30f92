/*
 * account_kit.h - what the tests of accounts share: a service whose hashes are
 * cheap, and cosmo, whose password is known.
 */
#ifndef CORGI_TEST_ACCOUNT_KIT_H
#define CORGI_TEST_ACCOUNT_KIT_H

#include "session_kit.h"

#include "auth/account.h"

#define ACCOUNT_HELPER static __attribute__((unused))

#define PASSWORD "space-corgi"
#define CHANGED  "a-quiet-orbit"

/* Below what may be configured, and fast; and a little dearer. */
static const struct config cheap = {
    .argon2_memory_kib = 64, .argon2_passes = 1};
static const struct config dear = {
    .argon2_memory_kib = 128, .argon2_passes = 2};

static struct account_service accounts;

/* Give cosmo a password or another hash, which ends nothing. */
ACCOUNT_HELPER void
give_hash(const char *hash)
{
	user_look_up();
	cr_assert_eq(
	    store_user_set_hash(store, user.id, user.hash, hash, kit.now),
	    STORE_OK, "%s", store_error(store));
	user_look_up();
}

ACCOUNT_HELPER void
account_set_up(void)
{
	char hash[PASSWORD_HASH_MAX];

	session_set_up();
	cr_assert_eq(
	    account_service_init(&accounts, &cheap, kit.policy.clock), 0);
	cr_assert_eq(
	    password_hash(&accounts.cost, PASSWORD, strlen(PASSWORD), hash), 0);
	give_hash(hash);
	logged[0] = '\0';
}

/* Both parts of a login, as the service does them. */
ACCOUNT_HELPER enum error_code
login_with(const struct account_service *svc, struct store *s, const char *name,
    size_t name_len, const char *password, size_t len, struct store_user *out)
{
	char hash[PASSWORD_HASH_MAX];
	enum error_code code;

	code = account_login(svc, s, name, name_len, password, len, out, hash);
	if (code == ERR_NONE)
		account_upgrade(svc, s, out, hash);
	else
		cr_expect_str_eq(hash, "");
	return (code);
}

ACCOUNT_HELPER enum error_code
log_in_as(const char *name, const char *password, struct store_user *out)
{
	return (login_with(&accounts, store, name, strlen(name), password,
	    strlen(password), out));
}

ACCOUNT_HELPER enum error_code
log_in(const char *name, const char *password)
{
	struct store_user out;

	return (log_in_as(name, password, &out));
}

ACCOUNT_HELPER enum store_result
add(const char *name, size_t name_len, const char *password, size_t len)
{
	return (account_add(
	    &accounts, store, name, name_len, password, len, "", NULL));
}

#endif
