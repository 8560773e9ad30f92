/*
 * Accounts: who gets in, what the store's failures look like, when a hash is
 * made anew, and what may be added.
 */
#include "account_kit.h"

#include <time.h>

#include "store/store_sqlite.h"

/* Of "space-corgi", by python3-bcrypt, Werkzeug and hashlib. */
static const char *const foreign_hashes[] = {
    "$2b$04$aeg8L9/4peVe.YuCXYIqyOmFIELqx7Z3g.g.NnW6nOyBjx5lDxuzy",
    "pbkdf2:sha256:1000$0Hmz05AHczsvIuQS$0634ba9ab188aeffee52682e"
    "7493e1162c646920f54bc3f52ae66b151cf843f9",
    "scrypt:1024:8:1$k7WmQzR1xT0aBcDe$f35dc051276615be1eecc9c7eb3"
    "54dad4076d638f7b954eadb418e0ab2ec5cc7ee215b24023e92207d63354"
    "0b52a857782b0cbf47b385b8e2462912842ef9890",
};

static enum store_result
find_then_change(struct store *, const char *, size_t, struct store_user *);
static enum store_result
set_hash(struct store *, int64_t, const char *, const char *, int64_t);
static void expect_like_wrong_password(const char *, const char *);
static int64_t refusal_us(const char *);
static struct account_service better_service(void);

TestSuite(
    account, .init = account_set_up, .fini = session_tear_down, .timeout = 60);

static struct account_service
better_service(void)
{
	struct account_service better;

	cr_assert_eq(account_service_init(&better, &dear, kit.policy.clock), 0);
	return (better);
}

Test(account, only_the_right_name_and_password_get_in)
{
	struct store_user out;

	cr_expect_eq(log_in_as("cosmo", PASSWORD, &out), ERR_NONE);
	cr_expect_str_eq(out.name, "cosmo");
	cr_expect_str_eq(out.subject, "cosmo");
	cr_expect_str_eq(out.hash, user.hash);
	cr_expect_eq(out.id, user.id);
	cr_expect_eq(log_in("cosmo", "space-corgj"), ERR_CREDENTIALS);
	cr_expect_eq(log_in("cosmo", "space-corgi "), ERR_CREDENTIALS);
	cr_expect_eq(log_in("cosmo", "Space-corgi"), ERR_CREDENTIALS);
	cr_expect_eq(log_in("cosmo", ""), ERR_CREDENTIALS);
	cr_expect_eq(log_in("Cosmo", PASSWORD), ERR_CREDENTIALS);
	cr_expect_eq(log_in("", PASSWORD), ERR_CREDENTIALS);
	cr_expect_eq(log_in("nobody", PASSWORD), ERR_CREDENTIALS);
	cr_expect_eq(log_in("' OR 1=1 --", "x"), ERR_CREDENTIALS);
}

/* Who it was about goes into the audit log; the hash goes nowhere. */
Test(account, a_refused_login_names_the_account_but_not_its_hash)
{
	static const char none[STORE_HASH_MAX];
	struct store_user out;

	memset(&out, 'x', sizeof(out));
	cr_expect_eq(log_in_as("cosmo", "wrong", &out), ERR_CREDENTIALS);
	cr_expect_eq(out.id, user.id);
	cr_expect_str_eq(out.subject, "cosmo");
	cr_expect_eq(out.subject_len, 5);
	cr_expect_arr_eq(out.hash, none, sizeof(none));
	memset(&out, 'x', sizeof(out));
	cr_expect_eq(log_in_as("nobody", PASSWORD, &out), ERR_CREDENTIALS);
	cr_expect_eq(out.id, 0);
	cr_expect_eq(out.subject_len, 0);
	memset(&out, 'x', sizeof(out));
	cr_expect_eq(log_in_as("", PASSWORD, &out), ERR_CREDENTIALS);
	cr_expect_eq(out.id, 0);
}

Test(account, a_nul_ends_neither_name_nor_password)
{
	struct store_user out;

	cr_assert_eq(add("a\0b", 3, "p\0qqqqqqq", 9), STORE_OK);
	cr_expect_eq(
	    login_with(&accounts, store, "a\0b", 3, "p\0qqqqqqq", 9, &out),
	    ERR_NONE);
	cr_expect_eq(
	    login_with(&accounts, store, "a\0b", 3, "p\0qqqqqqr", 9, &out),
	    ERR_CREDENTIALS);
	cr_expect_eq(login_with(&accounts, store, "a\0b", 3, "p", 1, &out),
	    ERR_CREDENTIALS);
	cr_expect_eq(
	    login_with(&accounts, store, "a", 1, "p\0qqqqqqq", 9, &out),
	    ERR_CREDENTIALS);
	cr_expect_eq(login_with(&accounts, store, "cosmo\0", 6, PASSWORD,
			 strlen(PASSWORD), &out),
	    ERR_CREDENTIALS);
}

/* A password that is cut to the limit must not get in with its beginning. Four
 * bytes make a character, so that the most bytes are as many as may be set. */
Test(account, beyond_the_limits_nobody_gets_in)
{
	char name[STORE_NAME_MAX + 1], password[PASSWORD_MAX + 1];
	struct store_user out;
	size_t i;

	memset(name, 'n', sizeof(name));
	for (i = 0; i + 4 <= PASSWORD_MAX; i += 4)
		memcpy(password + i, "\xf0\x9f\x90\x95", 4);
	password[PASSWORD_MAX] = 'p';
	cr_assert_eq(
	    add(name, STORE_NAME_MAX, password, PASSWORD_MAX), STORE_OK);
	cr_expect_eq(login_with(&accounts, store, name, STORE_NAME_MAX,
			 password, PASSWORD_MAX, &out),
	    ERR_NONE);
	cr_expect_eq(login_with(&accounts, store, name, STORE_NAME_MAX,
			 password, PASSWORD_MAX + 1, &out),
	    ERR_CREDENTIALS);
	cr_expect_eq(login_with(&accounts, store, name, STORE_NAME_MAX,
			 password, PASSWORD_MAX - 4, &out),
	    ERR_CREDENTIALS);
	cr_expect_eq(login_with(&accounts, store, name, STORE_NAME_MAX + 1,
			 password, PASSWORD_MAX, &out),
	    ERR_CREDENTIALS);
}

Test(account, a_hash_of_lower_cost_is_made_anew_at_a_good_login_only)
{
	struct account_service better = better_service();
	struct store_user before = user, out, after;

	kit.now += 100;
	cr_expect_eq(login_with(&better, store, "cosmo", 5, "wrong", 5, &out),
	    ERR_CREDENTIALS);
	user_look_up();
	cr_expect_str_eq(user.hash, before.hash);

	cr_expect_eq(login_with(&better, store, "cosmo", 5, PASSWORD,
			 strlen(PASSWORD), &out),
	    ERR_NONE);
	user_look_up();
	after = user;
	cr_expect_eq(strncmp(after.hash, "$argon2id$v=19$m=128,t=2,", 25), 0,
	    "%s", after.hash);
	cr_expect_str_eq(after.hash, out.hash);
	cr_expect_eq(after.updated_at, kit.now);
	cr_expect_eq(out.updated_at, kit.now);
	cr_expect_eq(after.version, before.version, "ends nothing");
	cr_expect_eq(login_with(&better, store, "cosmo", 5, PASSWORD,
			 strlen(PASSWORD), &out),
	    ERR_NONE);

	/* The other way round nothing is made weaker. */
	cr_expect_eq(log_in("cosmo", PASSWORD), ERR_NONE);
	user_look_up();
	cr_expect_str_eq(after.hash, user.hash);
}

/* Who moves here keeps the password. */
Test(account, a_hash_of_another_program_is_replaced_at_the_first_good_login)
{
	struct session_tokens tokens;
	struct store_user out;
	size_t i;

	for (i = 0; i < sizeof(foreign_hashes) / sizeof(foreign_hashes[0]);
	     i++) {
		give_hash(foreign_hashes[i]);
		cr_expect_eq(log_in("cosmo", "space-corgj"), ERR_CREDENTIALS);
		user_look_up();
		cr_expect_str_eq(user.hash, foreign_hashes[i]);
		cr_expect_eq(log_in_as("cosmo", PASSWORD, &out), ERR_NONE, "%s",
		    foreign_hashes[i]);
		user_look_up();
		cr_expect_eq(strncmp(user.hash, "$argon2id$v=19$m=64,t=1,", 24),
		    0, "%s", user.hash);
		cr_expect_eq(log_in("cosmo", PASSWORD), ERR_NONE);
		/* The session of that login begins with the new hash. */
		cr_expect_eq(
		    session_begin(&service, store, &out, "192.0.2.1", &tokens),
		    ERR_NONE);
		session_tokens_free(&tokens);
	}
}

/* The real store, but somebody changes the password right after the account
 * has been looked up. */
static enum store_result
find_then_change(
    struct store *s, const char *name, size_t len, struct store_user *out)
{
	enum store_result result = store_user_find(store, name, len, out);

	(void)s;
	if (result == STORE_OK)
		cr_assert_eq(account_set_password(&accounts, &service, store,
				 name, len, CHANGED, strlen(CHANGED)),
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
	const struct store_ops ops = {
	    .user_find = find_then_change, .user_set_hash = set_hash};
	struct store racing = {.ops = &ops};
	struct account_service better = better_service();
	struct session_tokens tokens;
	struct store_user out;

	cr_expect_eq(login_with(&better, &racing, "cosmo", 5, PASSWORD,
			 strlen(PASSWORD), &out),
	    ERR_NONE);
	cr_expect_eq(session_begin(&service, store, &out, "192.0.2.1", &tokens),
	    ERR_CREDENTIALS);
	cr_expect_eq(log_in("cosmo", CHANGED), ERR_NONE);
	cr_expect_eq(log_in("cosmo", PASSWORD), ERR_CREDENTIALS);
}

/* Even if somebody found out the password of the hash that stands in for an
 * unknown account. */
Test(account, the_dummy_hash_lets_nobody_in)
{
	cr_assert_eq(
	    password_hash(&accounts.cost, "known", 5, accounts.dummy_hash), 0);
	cr_expect_eq(log_in("nobody", "known"), ERR_CREDENTIALS);
	cr_expect_eq(log_in("", "known"), ERR_CREDENTIALS);
	run_sql(test_path, "UPDATE users SET hash = 'x'");
	cr_expect_eq(log_in("cosmo", "known"), ERR_CREDENTIALS);
}

/* A full or locked disk is no reason to turn somebody away. */
Test(account, a_hash_that_cannot_be_replaced_does_not_fail_the_login)
{
	struct account_service better = better_service();
	struct store_user out;
	sqlite3 *other;

	store_sqlite_set_wait(store, 20);
	cr_assert_eq(sqlite3_open(test_path, &other), SQLITE_OK);
	cr_assert_eq(
	    sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), 0);
	cr_expect_eq(login_with(&better, store, "cosmo", 5, PASSWORD,
			 strlen(PASSWORD), &out),
	    ERR_NONE);
	cr_expect_str_eq(out.hash, user.hash, "the one that is stored");
	cr_expect_not_null(strstr(logged, "not upgraded"), "%s", logged);
	(void)sqlite3_close(other);
}

Test(account, a_store_that_cannot_answer_is_no_wrong_password)
{
	cr_expect_eq(log_in("cosmo", PASSWORD), ERR_NONE);
	run_sql(test_path, "ALTER TABLE users RENAME TO away");
	cr_expect_eq(log_in("cosmo", PASSWORD), ERR_STORE);
	cr_expect_not_null(strstr(logged, "corgi.db"), "%s", logged);
	cr_expect_null(strstr(logged, PASSWORD));
	cr_expect_eq(log_in("nobody", PASSWORD), ERR_STORE);
	run_sql(test_path, "ALTER TABLE away RENAME TO users");
	cr_expect_eq(log_in("cosmo", PASSWORD), ERR_NONE);
}

Test(account, a_stored_hash_of_another_kind_lets_nobody_in_and_is_logged)
{
	run_sql(test_path, "UPDATE users SET hash = 'space-corgi'");
	cr_expect_eq(log_in("cosmo", PASSWORD), ERR_CREDENTIALS);
	cr_expect_not_null(strstr(logged, "not usable"), "%s", logged);
	cr_expect_null(strstr(logged, PASSWORD));
}

/* Processor time of one refusal, the least of a few (microseconds). */
static int64_t
refusal_us(const char *name)
{
	struct account_service better = better_service();
	struct timespec begun, done;
	struct store_user out;
	int64_t us, least = INT64_MAX;
	int i;

	better.cost.memory_kib = 8192;
	better.cost.passes = 2;
	cr_assert_eq(password_dummy(&better.cost, better.dummy_hash), 0);
	for (i = 0; i < 5; i++) {
		cr_assert_eq(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begun), 0);
		cr_expect_neq(login_with(&better, store, name, strlen(name),
				  "wrong", 5, &out),
		    ERR_NONE);
		cr_assert_eq(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &done), 0);
		us = (int64_t)(done.tv_sec - begun.tv_sec) * 1000000 +
		    (done.tv_nsec - begun.tv_nsec) / 1000;
		least = us < least ? us : least;
	}
	return (least);
}

/* Hashing costs some hundred times as much as all the rest together. */
static void
expect_like_wrong_password(const char *name, const char *what)
{
	int64_t wrong = refusal_us("cosmo"), us = refusal_us(name);

	cr_expect(us > wrong / 2 && us < wrong * 2, "%s: %lld us, not %lld",
	    what, (long long)us, (long long)wrong);
}

Test(account, every_refusal_takes_the_work_of_a_wrong_password)
{
	struct account_service better = better_service();
	char hash[PASSWORD_HASH_MAX], name[STORE_NAME_MAX + 2];

	better.cost.memory_kib = 8192;
	cr_assert_eq(
	    password_hash(&better.cost, PASSWORD, strlen(PASSWORD), hash), 0);
	give_hash(hash);
	expect_like_wrong_password("nobody", "an unknown name");
	expect_like_wrong_password("", "no name");
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	expect_like_wrong_password(name, "too long a name");
	cr_assert_eq(add("nova", 4, PASSWORD, strlen(PASSWORD)), STORE_OK);
	cr_assert_eq(change_account(store, "nova", 4, STORE_SET_DISABLED,
			 kit.now, &(struct store_revocation){.number = 0}),
	    STORE_OK);
	run_sql(test_path,
	    "UPDATE users SET hash = (SELECT hash FROM users"
	    " WHERE name = CAST('cosmo' AS BLOB))");
	expect_like_wrong_password("nova", "a disabled account");
	run_sql(test_path,
	    "UPDATE users SET hash = 'x'"
	    " WHERE name = CAST('nova' AS BLOB)");
	expect_like_wrong_password("nova", "a hash of no use");
}

Test(account, a_disabled_account_is_refused_with_the_right_password)
{
	struct account_service better = better_service();
	struct store_revocation made;
	struct store_user out;

	cr_assert_eq(change_account(
			 store, "cosmo", 5, STORE_SET_DISABLED, kit.now, &made),
	    STORE_OK);
	cr_expect_eq(login_with(&better, store, "cosmo", 5, PASSWORD,
			 strlen(PASSWORD), &out),
	    ERR_CREDENTIALS);
	cr_expect_eq(out.id, user.id);
	cr_expect_str_eq(out.hash, "");
	cr_expect_str_eq(query_text(test_path, "SELECT hash FROM users"),
	    user.hash, "nor is its hash made anew");
	cr_assert_eq(change_account(
			 store, "cosmo", 5, STORE_SET_ENABLED, kit.now, &made),
	    STORE_OK);
	cr_expect_eq(log_in("cosmo", PASSWORD), ERR_NONE);
}

Test(account, names_passwords_and_roles_beyond_the_limits_are_not_added)
{
	static const struct {
		const char *name;
		size_t name_len;
		const char *password;
		size_t password_len;
		const char *roles;
		enum store_result result;
	} cases[] = {
	    {"", 0, CHANGED, 13, "", STORE_INVALID},
	    {"n", 1, "", 0, "", STORE_INVALID},
	    {"n", 1, "seven77", 7, "", STORE_INVALID},
	    {"n", 1, "password1", 9, "", STORE_INVALID},
	    {"a-quiet-orbit", 13, CHANGED, 13, "", STORE_INVALID},
	    {"\xff", 1, CHANGED, 13, "", STORE_INVALID},
	    {"\xc0\xaf", 2, CHANGED, 13, "", STORE_INVALID},
	    {"n", 1, "eight..\xed\xa0\x80", 10, "", STORE_INVALID},
	    {"n", 1, CHANGED, 13, "b a", STORE_INVALID},
	    {"n", 1, CHANGED, 13, "a  b", STORE_INVALID},
	    {"n", 1, CHANGED, 13, "a/b", STORE_INVALID},
	    {"cosmo", 5, CHANGED, 13, "", STORE_EXISTS},
	    {"n", 1, CHANGED, 13, "a b", STORE_OK},
	    {"\xf0\x9f\x90\x95", 4, "\xc3\xa4 \xe2\x82\xac vier", 11, "",
		STORE_OK},
	    {" ", 1, "\n\n \n\t\n\n\n", 8, "", STORE_OK},
	};
	char name[STORE_NAME_MAX + 1], password[PASSWORD_MAX + 1];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(account_add(&accounts, store, cases[i].name,
				 cases[i].name_len, cases[i].password,
				 cases[i].password_len, cases[i].roles, NULL),
		    cases[i].result, "case %zu", i);
	memset(name, 'n', sizeof(name));
	memset(password, 'p', sizeof(password));
	cr_expect_eq(add(name, sizeof(name), CHANGED, 13), STORE_INVALID);
	cr_expect_eq(add("long", 4, password, PASSWORD_CHARACTERS_MAX + 1),
	    STORE_INVALID);
	cr_expect_eq(add("long", 4, password, sizeof(password)), STORE_INVALID);
	cr_expect_eq(log_in("cosmo", PASSWORD), ERR_NONE);
}

Test(account, an_added_account_is_given_back)
{
	struct store_user out, stored;

	cr_assert_eq(account_add(&accounts, store, "nova", 4, PASSWORD,
			 strlen(PASSWORD), "admin editor", &out),
	    STORE_OK);
	cr_assert_eq(store_user_find(store, "nova", 4, &stored), STORE_OK);
	cr_expect_eq(out.id, stored.id);
	cr_expect_str_eq(out.subject, "nova");
	cr_expect_str_eq(stored.roles, "admin editor");
	cr_expect_eq(stored.created_at, kit.now);
	cr_expect_not(stored.disabled);
	cr_expect_eq(log_in("nova", PASSWORD), ERR_NONE);
	cr_expect_eq(account_add(&accounts, store, "nova", 4, PASSWORD,
			 strlen(PASSWORD), "", &out),
	    STORE_EXISTS);
	cr_expect_eq(out.id, 0);
}

Test(account, the_demo_account_comes_only_into_an_empty_store)
{
	int added;

	cr_expect_eq(account_add_demo(&accounts, store, &added), STORE_OK);
	cr_expect_eq(added, 0);
	cr_assert_eq(remove_account(store, "cosmo", 5), STORE_OK);
	cr_assert_eq(add("other", 5, CHANGED, strlen(CHANGED)), STORE_OK);
	cr_expect_eq(account_add_demo(&accounts, store, &added), STORE_OK);
	cr_expect_eq(added, 0);
	cr_expect_eq(log_in("cosmo", PASSWORD), ERR_CREDENTIALS);
	cr_assert_eq(remove_account(store, "other", 5), STORE_OK);
	cr_expect_eq(account_add_demo(&accounts, store, &added), STORE_OK);
	cr_expect_eq(added, 1);
	cr_expect_eq(log_in("cosmo", PASSWORD), ERR_NONE);
	run_sql(test_path, "ALTER TABLE users RENAME TO away");
	cr_expect_neq(account_add_demo(&accounts, store, &added), STORE_OK);
	cr_expect_eq(added, 0);
}
