/*
 * Accounts: who gets in, what the store's failures look like, when a hash is
 * made anew, and what may be added.
 */
#include "store_helpers.h"

#include "auth/account.h"
#include "base/log.h"
#include "base/secret.h"
#include "store/store_sqlite.h"

/* Below what may be configured, and fast. */
static const struct config cheap = {
    .argon2_memory_kib = 64, .argon2_passes = 1};

static int64_t now = 5000;
static struct account_service service;
static struct store *store;

/* What was logged last, and at which level. */
static char logged[LOG_LINE_MAX];
static enum log_level logged_level;

static void keep_line(enum log_level, const char *, void *);
static void set_up(void);
static void tear_down(void);
static enum error_code log_in(const char *, const char *);
static enum store_result
find_then_change(struct store *, const char *, size_t, struct store_user *);
static enum store_result
set_hash(struct store *, int64_t, const char *, const char *, int64_t);

static void
keep_line(enum log_level level, const char *line, void *ctx)
{
	(void)ctx;
	logged_level = level;
	(void)snprintf(logged, sizeof(logged), "%s", line);
}

static void
set_up(void)
{
	folder_make();
	cr_assert_eq(secret_init(), 0);
	log_open(keep_line, NULL, LOG_LEVEL_DEBUG);
	cr_assert_eq(
	    account_service_init(&service, &cheap, clock_fixed(&now)), 0);
	store = open_store();
	cr_assert_eq(
	    account_add(&service, store, "cosmo", 5, "space-corgi", 11),
	    STORE_OK);
}

static void
tear_down(void)
{
	store_close(store);
	folder_remove();
}

TestSuite(account, .init = set_up, .fini = tear_down, .timeout = 30);

static enum error_code
log_in(const char *name, const char *password)
{
	struct store_user user;

	return (account_login(&service, store, name, strlen(name), password,
	    strlen(password), &user));
}

Test(account, only_the_right_name_and_password_get_in)
{
	struct store_user user;

	cr_expect_eq(account_login(
			 &service, store, "cosmo", 5, "space-corgi", 11, &user),
	    ERR_NONE);
	cr_expect_str_eq(user.name, "cosmo");
	cr_expect_eq(user.created_at, 5000);
	cr_expect_eq(log_in("cosmo", "space-corgj"), ERR_CREDENTIALS);
	cr_expect_eq(log_in("cosmo", ""), ERR_CREDENTIALS);
	cr_expect_eq(log_in("Cosmo", "space-corgi"), ERR_CREDENTIALS);
	cr_expect_eq(log_in("", "space-corgi"), ERR_CREDENTIALS);
	cr_expect_eq(log_in("nobody", "space-corgi"), ERR_CREDENTIALS);
	cr_expect_eq(log_in("' OR 1=1 --", "x"), ERR_CREDENTIALS);
}

/* Nothing of the account may leave with a refusal. */
Test(account, a_refused_login_leaves_no_account_behind)
{
	struct store_user user, zero;

	memset(&zero, 0, sizeof(zero));
	memset(&user, 'x', sizeof(user));
	cr_expect_eq(
	    account_login(&service, store, "cosmo", 5, "wrong", 5, &user),
	    ERR_CREDENTIALS);
	cr_expect_arr_eq(&user, &zero, sizeof(user));
}

Test(account, a_nul_ends_neither_name_nor_password)
{
	struct store_user user;

	cr_assert_eq(
	    account_add(&service, store, "a\0b", 3, "p\0q", 3), STORE_OK);
	cr_expect_eq(
	    account_login(&service, store, "a\0b", 3, "p\0q", 3, &user),
	    ERR_NONE);
	cr_expect_eq(
	    account_login(&service, store, "a\0b", 3, "p\0r", 3, &user),
	    ERR_CREDENTIALS);
	cr_expect_eq(account_login(&service, store, "a\0b", 3, "p", 1, &user),
	    ERR_CREDENTIALS);
	cr_expect_eq(account_login(&service, store, "a", 1, "p\0q", 3, &user),
	    ERR_CREDENTIALS);
	cr_expect_eq(account_login(&service, store, "cosmo\0", 6, "space-corgi",
			 11, &user),
	    ERR_CREDENTIALS);
}

/* A password that is cut to the limit must not get in with its beginning. */
Test(account, beyond_the_limits_nobody_gets_in)
{
	char name[STORE_NAME_MAX + 1], password[PASSWORD_MAX + 1];
	struct store_user user;

	memset(name, 'n', sizeof(name));
	memset(password, 'p', sizeof(password));
	cr_assert_eq(account_add(&service, store, name, STORE_NAME_MAX,
			 password, PASSWORD_MAX),
	    STORE_OK);
	cr_expect_eq(account_login(&service, store, name, STORE_NAME_MAX,
			 password, PASSWORD_MAX, &user),
	    ERR_NONE);
	cr_expect_eq(account_login(&service, store, name, STORE_NAME_MAX,
			 password, PASSWORD_MAX + 1, &user),
	    ERR_CREDENTIALS);
	cr_expect_eq(account_login(&service, store, name, STORE_NAME_MAX + 1,
			 password, PASSWORD_MAX, &user),
	    ERR_CREDENTIALS);
}

Test(account, a_hash_of_lower_cost_is_made_anew_at_a_good_login_only)
{
	const struct config dear = {
	    .argon2_memory_kib = 128, .argon2_passes = 2};
	struct account_service better;
	struct store_user before, user, after;

	now = 6000;
	cr_assert_eq(
	    account_service_init(&better, &dear, clock_fixed(&now)), 0);
	cr_assert_eq(store_user_find(store, "cosmo", 5, &before), STORE_OK);

	cr_expect_eq(
	    account_login(&better, store, "cosmo", 5, "wrong", 5, &user),
	    ERR_CREDENTIALS);
	cr_assert_eq(store_user_find(store, "cosmo", 5, &after), STORE_OK);
	cr_expect_str_eq(after.hash, before.hash);

	cr_expect_eq(
	    account_login(&better, store, "cosmo", 5, "space-corgi", 11, &user),
	    ERR_NONE);
	cr_assert_eq(store_user_find(store, "cosmo", 5, &after), STORE_OK);
	cr_expect_eq(strncmp(after.hash, "$argon2id$v=19$m=128,t=2,", 25), 0,
	    "%s", after.hash);
	cr_expect_str_eq(after.hash, user.hash);
	cr_expect_eq(after.updated_at, 6000);
	cr_expect_eq(
	    account_login(&better, store, "cosmo", 5, "space-corgi", 11, &user),
	    ERR_NONE);

	/* The other way round nothing is made weaker. */
	cr_expect_eq(log_in("cosmo", "space-corgi"), ERR_NONE);
	cr_assert_eq(store_user_find(store, "cosmo", 5, &before), STORE_OK);
	cr_expect_str_eq(after.hash, before.hash);
}

/* The real store, but somebody changes the password right after the account
 * has been looked up. */
static enum store_result
find_then_change(
    struct store *s, const char *name, size_t len, struct store_user *user)
{
	enum store_result result = store_user_find(store, name, len, user);

	(void)s;
	if (result == STORE_OK)
		cr_assert_eq(account_set_password(
				 &service, store, name, len, "changed", 7),
		    STORE_OK);
	return (result);
}

static enum store_result
set_hash(struct store *s, int64_t id, const char *expected, const char *hash,
    int64_t at)
{
	(void)s;
	return (store_user_set_hash(store, id, expected, hash, at));
}

Test(account, an_upgrade_never_overwrites_a_password_changed_meanwhile)
{
	const struct config dear = {
	    .argon2_memory_kib = 128, .argon2_passes = 2};
	const struct store_ops ops = {
	    .user_find = find_then_change, .user_set_hash = set_hash};
	struct store racing = {.ops = &ops};
	struct account_service better;
	struct store_user user;

	cr_assert_eq(
	    account_service_init(&better, &dear, clock_fixed(&now)), 0);
	cr_expect_eq(account_login(&better, &racing, "cosmo", 5, "space-corgi",
			 11, &user),
	    ERR_NONE);
	cr_expect_eq(log_in("cosmo", "changed"), ERR_NONE);
	cr_expect_eq(log_in("cosmo", "space-corgi"), ERR_CREDENTIALS);
}

/* Even if somebody found out the password of the hash that stands in for an
 * unknown account. */
Test(account, the_dummy_hash_lets_nobody_in)
{
	cr_assert_eq(
	    password_hash(&service.cost, "known", 5, service.dummy_hash), 0);
	cr_expect_eq(log_in("nobody", "known"), ERR_CREDENTIALS);
	cr_expect_eq(log_in("", "known"), ERR_CREDENTIALS);
	run_sql(test_path, "UPDATE users SET hash = 'x'");
	cr_expect_eq(log_in("cosmo", "known"), ERR_CREDENTIALS);
}

/* A full or locked disk is no reason to turn somebody away. */
Test(account, a_hash_that_cannot_be_replaced_does_not_fail_the_login)
{
	const struct config dear = {
	    .argon2_memory_kib = 128, .argon2_passes = 2};
	struct account_service better;
	struct store_user user;
	sqlite3 *other;

	cr_assert_eq(
	    account_service_init(&better, &dear, clock_fixed(&now)), 0);
	store_sqlite_set_wait(store, 20);
	cr_assert_eq(sqlite3_open(test_path, &other), SQLITE_OK);
	cr_assert_eq(
	    sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), 0);
	cr_expect_eq(
	    account_login(&better, store, "cosmo", 5, "space-corgi", 11, &user),
	    ERR_NONE);
	cr_expect_eq(logged_level, LOG_LEVEL_WARNING);
	cr_expect_not_null(strstr(logged, "not upgraded"), "%s", logged);
	(void)sqlite3_close(other);
}

Test(account, a_store_that_cannot_answer_is_no_wrong_password)
{
	cr_expect_eq(log_in("cosmo", "space-corgi"), ERR_NONE);
	run_sql(test_path, "ALTER TABLE users RENAME TO away");
	cr_expect_eq(log_in("cosmo", "space-corgi"), ERR_STORE);
	cr_expect_eq(logged_level, LOG_LEVEL_ERR);
	cr_expect_not_null(strstr(logged, "corgi.db"), "%s", logged);
	cr_expect_null(strstr(logged, "space-corgi"));
	cr_expect_eq(log_in("nobody", "space-corgi"), ERR_STORE);
	run_sql(test_path, "ALTER TABLE away RENAME TO users");
	cr_expect_eq(log_in("cosmo", "space-corgi"), ERR_NONE);
}

Test(account, a_stored_hash_of_another_kind_lets_nobody_in_and_is_logged)
{
	run_sql(test_path, "UPDATE users SET hash = 'space-corgi'");
	cr_expect_eq(log_in("cosmo", "space-corgi"), ERR_CREDENTIALS);
	cr_expect_eq(logged_level, LOG_LEVEL_ERR);
	cr_expect_not_null(strstr(logged, "not usable"), "%s", logged);
}

Test(account, a_changed_password_replaces_the_old_one)
{
	cr_expect_eq(
	    account_set_password(&service, store, "cosmo", 5, "new", 3),
	    STORE_OK);
	cr_expect_eq(log_in("cosmo", "new"), ERR_NONE);
	cr_expect_eq(log_in("cosmo", "space-corgi"), ERR_CREDENTIALS);
	cr_expect_eq(
	    account_set_password(&service, store, "nobody", 6, "new", 3),
	    STORE_NOT_FOUND);
}

Test(account, names_and_passwords_beyond_the_limits_are_not_added)
{
	static const struct {
		const char *name;
		size_t name_len;
		const char *password;
		size_t password_len;
		enum store_result result;
	} cases[] = {
	    {"", 0, "p", 1, STORE_INVALID},
	    {"n", 1, "", 0, STORE_INVALID},
	    {"\xff", 1, "p", 1, STORE_INVALID},
	    {"\xc0\xaf", 2, "p", 1, STORE_INVALID},
	    {"n", 1, "\xed\xa0\x80", 3, STORE_INVALID},
	    {"cosmo", 5, "p", 1, STORE_EXISTS},
	    {"\xf0\x9f\x90\x95", 4, "\xc3\xa4 \xe2\x82\xac", 6, STORE_OK},
	    {" ", 1, "\n", 1, STORE_OK},
	};
	char name[STORE_NAME_MAX + 1], password[PASSWORD_MAX + 1];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(account_add(&service, store, cases[i].name,
				 cases[i].name_len, cases[i].password,
				 cases[i].password_len),
		    cases[i].result, "case %zu", i);
	memset(name, 'n', sizeof(name));
	memset(password, 'p', sizeof(password));
	cr_expect_eq(account_add(&service, store, name, sizeof(name), "p", 1),
	    STORE_INVALID);
	cr_expect_eq(
	    account_add(&service, store, "long", 4, password, sizeof(password)),
	    STORE_INVALID);
	cr_expect_eq(account_set_password(&service, store, "cosmo", 5, password,
			 sizeof(password)),
	    STORE_INVALID);
	cr_expect_eq(log_in("cosmo", "space-corgi"), ERR_NONE);
}

Test(account, the_demo_account_comes_only_into_an_empty_store)
{
	int added;

	cr_expect_eq(account_add_demo(&service, store, &added), STORE_OK);
	cr_expect_eq(added, 0);
	cr_assert_eq(store_user_delete(store, "cosmo", 5), STORE_OK);
	cr_assert_eq(
	    account_add(&service, store, "other", 5, "p", 1), STORE_OK);
	cr_expect_eq(account_add_demo(&service, store, &added), STORE_OK);
	cr_expect_eq(added, 0);
	cr_expect_eq(log_in("cosmo", "space-corgi"), ERR_CREDENTIALS);
	cr_assert_eq(store_user_delete(store, "other", 5), STORE_OK);
	cr_expect_eq(account_add_demo(&service, store, &added), STORE_OK);
	cr_expect_eq(added, 1);
	cr_expect_eq(log_in("cosmo", "space-corgi"), ERR_NONE);
}
