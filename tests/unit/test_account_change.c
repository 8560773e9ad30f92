/*
 * Changes of accounts: passwords that their owners or an administrator change,
 * registrations, and that what they end is known to all workers at once.
 */
#include "account_kit.h"

static enum error_code
change_with(struct store *, const char *, size_t, const struct secret *,
    const struct secret *, struct store_user *, enum password_fault *);
static enum error_code register_with(struct store *, const struct secret *,
    const struct secret *, struct store_user *, enum password_fault *);
static enum error_code change_password(const char *, const char *, const char *,
    struct store_user *, enum password_fault *);
static enum error_code change_to(const char *, const char *);
static enum error_code register_as(const void *, size_t, const char *);
static enum store_result find_subject_then_change(
    struct store *, const char *, size_t, struct store_user *);
static enum store_result change_through(
    struct store *, const struct store_change *, struct store_revocation *);
static enum store_result
find_none(struct store *, const char *, size_t, struct store_user *);
static enum store_result add_through(struct store *, struct store_user *);
static void expect_ended(const struct session_tokens *);

TestSuite(account_change, .init = account_set_up, .fini = session_tear_down,
    .timeout = 60);

/* Both parts of a change, as the service does them. */
static enum error_code
change_with(struct store *s, const char *subject, size_t len,
    const struct secret *old, const struct secret *new, struct store_user *out,
    enum password_fault *fault)
{
	char hash[PASSWORD_HASH_MAX];
	enum error_code code;

	code = account_check_change(
	    &accounts, s, subject, len, old, new, out, fault, hash);
	if (code != ERR_NONE)
		return (code);
	return (account_change_password(&accounts, &service, s, out, hash));
}

/* The same of a registration. */
static enum error_code
register_with(struct store *s, const struct secret *name,
    const struct secret *password, struct store_user *out,
    enum password_fault *fault)
{
	char hash[PASSWORD_HASH_MAX];
	enum error_code code;

	memset(out, 0, sizeof(*out));
	code =
	    account_check_register(&accounts, s, name, password, fault, hash);
	if (code != ERR_NONE)
		return (code);
	return (account_register(&accounts, s, name, hash, out));
}

/* By the account of a subject. */
static enum error_code
change_password(const char *subject, const char *current, const char *password,
    struct store_user *out, enum password_fault *fault)
{
	struct secret old = {NULL, 0}, new = {NULL, 0};
	enum error_code code;

	cr_assert_eq(secret_set(&old, current, strlen(current)), 0);
	cr_assert_eq(secret_set(&new, password, strlen(password)), 0);
	code = change_with(
	    store, subject, strlen(subject), &old, &new, out, fault);
	if (code != ERR_NONE)
		cr_expect_str_eq(out->hash, "");
	cr_expect_eq(*fault != PASSWORD_ALLOWED, code == ERR_PASSWORD_RULES);
	secret_free(&old);
	secret_free(&new);
	return (code);
}

/* The same of cosmo, in short. */
static enum error_code
change_to(const char *current, const char *password)
{
	enum password_fault fault;
	struct store_user out;

	return (change_password("cosmo", current, password, &out, &fault));
}

/* No token of a session is good any more, and the session is gone. */
static void
expect_ended(const struct session_tokens *tokens)
{
	cr_expect_eq(verdict(TOKEN_ACCESS, tokens->access), ERR_TOKEN_REVOKED);
	cr_expect_not(has_session(store, tokens->session));
}

Test(account_change, who_knows_the_password_can_change_it)
{
	struct session_tokens before = begin(), after;
	enum password_fault fault;
	struct store_user out;

	kit.now += 10;
	cr_expect_eq(verdict(TOKEN_ACCESS, before.access), ERR_NONE);
	cr_expect_eq(change_password("cosmo", PASSWORD, CHANGED, &out, &fault),
	    ERR_NONE);
	expect_ended(&before);
	cr_expect_eq(log_in("cosmo", CHANGED), ERR_NONE);
	cr_expect_eq(log_in("cosmo", PASSWORD), ERR_CREDENTIALS);
	user_look_up();
	cr_expect_eq(out.id, user.id);
	cr_expect_str_eq(out.hash, user.hash);
	cr_expect_eq(out.updated_at, kit.now);
	cr_expect_eq(user.updated_at, kit.now);
	cr_expect_eq(out.version, user.version);
	cr_expect_eq(user.version, 1);

	/* Whoever changed it goes on with a session of its own. */
	cr_assert_eq(session_begin(&service, store, &out, "192.0.2.1", &after),
	    ERR_NONE);
	cr_expect_eq(verdict(TOKEN_ACCESS, after.access), ERR_NONE);
	session_tokens_free(&before);
	session_tokens_free(&after);
}

Test(account_change, without_the_current_password_nothing_changes)
{
	struct session_tokens tokens = begin();

	cr_expect_eq(change_to("space-corgj", CHANGED), ERR_CURRENT_PASSWORD);
	cr_expect_eq(change_to("", CHANGED), ERR_CURRENT_PASSWORD);
	cr_expect_eq(change_to(CHANGED, PASSWORD), ERR_CURRENT_PASSWORD);
	/* Rules are not told to somebody who does not know it. */
	cr_expect_eq(change_to("wrong", "short"), ERR_CURRENT_PASSWORD);
	cr_expect_eq(log_in("cosmo", PASSWORD), ERR_NONE);
	cr_expect_eq(verdict(TOKEN_ACCESS, tokens.access), ERR_NONE);
	cr_expect_eq(change_to(PASSWORD, CHANGED), ERR_NONE);
	session_tokens_free(&tokens);
}

Test(account_change, the_rules_hold_for_the_new_password)
{
	static const struct {
		const char *password;
		enum password_fault fault;
	} rows[] = {
	    {"seven77", PASSWORD_TOO_SHORT},
	    {"", PASSWORD_TOO_SHORT},
	    {"password1", PASSWORD_COMMON},
	    {"bad utf-8 \xff", PASSWORD_NOT_UTF8},
	};
	char name[] = "a-name-of-its-own", much[PASSWORD_MAX + 2];
	enum password_fault fault;
	struct store_user out;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_expect_eq(change_password("cosmo", PASSWORD,
				 rows[i].password, &out, &fault),
		    ERR_PASSWORD_RULES, "row %zu", i);
		cr_expect_eq(fault, rows[i].fault, "row %zu", i);
	}
	memset(much, 'p', sizeof(much) - 1);
	much[sizeof(much) - 1] = '\0';
	cr_expect_eq(change_password("cosmo", PASSWORD, much, &out, &fault),
	    ERR_PASSWORD_RULES);
	cr_expect_eq(fault, PASSWORD_TOO_LONG);
	cr_assert_eq(
	    add(name, strlen(name), PASSWORD, strlen(PASSWORD)), STORE_OK);
	cr_expect_eq(change_password(name, PASSWORD, name, &out, &fault),
	    ERR_PASSWORD_RULES);
	cr_expect_eq(fault, PASSWORD_IS_NAME);
	cr_expect_eq(change_to(PASSWORD, name), ERR_NONE, "of another one");
}

Test(account_change, who_is_gone_or_disabled_changes_nothing)
{
	struct store_revocation made;
	enum password_fault fault;
	char longest[STORE_NAME_MAX + 2];
	struct store_user out;

	cr_expect_eq(change_password("nobody", PASSWORD, CHANGED, &out, &fault),
	    ERR_TOKEN_REVOKED);
	cr_expect_eq(change_password("", PASSWORD, CHANGED, &out, &fault),
	    ERR_TOKEN_REVOKED);
	memset(longest, 'n', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	cr_expect_eq(change_password(longest, PASSWORD, CHANGED, &out, &fault),
	    ERR_TOKEN_REVOKED);
	cr_assert_eq(change_account(
			 store, "cosmo", 5, STORE_SET_DISABLED, kit.now, &made),
	    STORE_OK);
	cr_expect_eq(change_to(PASSWORD, CHANGED), ERR_TOKEN_REVOKED);
	cr_assert_eq(change_account(
			 store, "cosmo", 5, STORE_SET_ENABLED, kit.now, &made),
	    STORE_OK);
	cr_expect_eq(change_to(PASSWORD, CHANGED), ERR_NONE);
	cr_assert_eq(remove_account(store, "cosmo", 5), STORE_OK);
	cr_expect_eq(change_to(CHANGED, PASSWORD), ERR_TOKEN_REVOKED);
}

/* A token goes by the subject: somebody else may have the name by now. */
Test(account_change, the_account_is_that_of_the_subject)
{
	struct store_change rename = {.kind = STORE_SET_NAME,
	    .user_id = user.id,
	    .name = "orbit",
	    .name_len = 5};

	cr_assert_eq(
	    account_change(&accounts, &service, store, &rename), STORE_OK);
	cr_assert_eq(add("cosmo", 5, "somebody-else", 13), STORE_OK);
	cr_expect_eq(change_to("somebody-else", CHANGED), ERR_CURRENT_PASSWORD);
	cr_expect_eq(change_to(PASSWORD, CHANGED), ERR_NONE);
	cr_expect_eq(log_in("orbit", CHANGED), ERR_NONE);
	cr_expect_eq(log_in("cosmo", "somebody-else"), ERR_NONE);
}

/* The real store, but somebody else is faster. */
static enum store_result
find_subject_then_change(
    struct store *s, const char *subject, size_t len, struct store_user *out)
{
	enum store_result result =
	    store_user_find_subject(store, subject, len, out);

	(void)s;
	if (result == STORE_OK)
		cr_assert_eq(account_set_password(&accounts, &service, store,
				 "cosmo", 5, "was-faster", 10),
		    STORE_OK);
	return (result);
}

static enum store_result
change_through(struct store *s, const struct store_change *change,
    struct store_revocation *made)
{
	(void)s;
	return (store_user_change(store, change, made));
}

Test(account_change, a_password_changed_meanwhile_stays)
{
	const struct store_ops ops = {
	    .user_find_subject = find_subject_then_change,
	    .user_change = change_through,
	};
	struct secret old = {NULL, 0}, new = {NULL, 0};
	struct store racing = {.ops = &ops};
	enum password_fault fault;
	struct store_user out;

	cr_assert_eq(secret_set(&old, PASSWORD, strlen(PASSWORD)), 0);
	cr_assert_eq(secret_set(&new, CHANGED, strlen(CHANGED)), 0);
	cr_expect_eq(change_with(&racing, "cosmo", 5, &old, &new, &out, &fault),
	    ERR_CURRENT_PASSWORD);
	cr_expect_str_eq(out.hash, "");
	cr_expect_eq(log_in("cosmo", "was-faster"), ERR_NONE);
	cr_expect_eq(log_in("cosmo", CHANGED), ERR_CREDENTIALS);
	secret_free(&old);
	secret_free(&new);
}

Test(account_change, a_store_that_cannot_answer_changes_no_password)
{
	struct session_tokens tokens = begin();

	run_sql(test_path, "ALTER TABLE revocations RENAME TO away");
	cr_expect_eq(change_to(PASSWORD, CHANGED), ERR_STORE);
	cr_expect_not_null(strstr(logged, "corgi.db"), "%s", logged);
	run_sql(test_path, "ALTER TABLE away RENAME TO revocations");
	run_sql(test_path, "ALTER TABLE users RENAME TO away");
	cr_expect_eq(change_to(PASSWORD, CHANGED), ERR_STORE);
	run_sql(test_path, "ALTER TABLE away RENAME TO users");
	cr_expect_eq(log_in("cosmo", PASSWORD), ERR_NONE);
	cr_expect_eq(verdict(TOKEN_ACCESS, tokens.access), ERR_NONE);
	cr_expect_eq(change_to(PASSWORD, CHANGED), ERR_NONE);
	session_tokens_free(&tokens);
}

Test(account_change, where_the_workers_have_no_room_the_store_has_it)
{
	fill_revocations();
	cr_expect_eq(change_to(PASSWORD, CHANGED), ERR_REVOCATIONS_FULL);
	cr_expect_eq(log_in("cosmo", CHANGED), ERR_NONE);
	cr_expect_eq(account_set_password(&accounts, &service, store, "cosmo",
			 5, PASSWORD, strlen(PASSWORD)),
	    STORE_FULL);
	cr_expect_eq(log_in("cosmo", PASSWORD), ERR_NONE);
	cr_expect_eq(count_rows("revocations"), 1, "the newest");
}

Test(account_change, an_administrator_sets_a_password_and_ends_all_sessions)
{
	struct session_tokens tokens = begin();

	cr_expect_eq(account_set_password(&accounts, &service, store, "nobody",
			 6, CHANGED, strlen(CHANGED)),
	    STORE_NOT_FOUND);
	cr_expect_eq(account_set_password(
			 &accounts, &service, store, "cosmo", 5, "short", 5),
	    STORE_INVALID);
	cr_expect_eq(
	    account_set_password(&accounts, &service, store, "cosmo", 5, "", 0),
	    STORE_INVALID);
	cr_expect_eq(account_set_password(&accounts, &service, store, "", 0,
			 CHANGED, strlen(CHANGED)),
	    STORE_INVALID);
	cr_expect_eq(verdict(TOKEN_ACCESS, tokens.access), ERR_NONE);
	cr_expect_eq(account_set_password(&accounts, &service, store, "cosmo",
			 5, CHANGED, strlen(CHANGED)),
	    STORE_OK);
	expect_ended(&tokens);
	cr_expect_eq(log_in("cosmo", CHANGED), ERR_NONE);
	cr_expect_eq(log_in("cosmo", PASSWORD), ERR_CREDENTIALS);
	session_tokens_free(&tokens);
}

/* What each kind of change ends, for the workers of this service. */
Test(account_change, what_a_change_ends_is_known_at_once)
{
	static const struct {
		struct store_change change;
		bool access;  /* its tokens go on */
		bool session; /* it goes on */
	} rows[] = {
	    {{.kind = STORE_SET_NAME, .name = "orbit", .name_len = 5}, true,
		true},
	    {{.kind = STORE_SET_ROLES, .roles = "admin"}, false, true},
	    {{.kind = STORE_END_SESSIONS}, false, false},
	    {{.kind = STORE_SET_DISABLED}, false, false},
	    {{.kind = STORE_SET_ENABLED}, false, false},
	    {{.kind = STORE_DELETE_USER}, false, false},
	};
	struct session_tokens tokens, none;
	struct store_change change;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		change = rows[i].change;
		change.user_id = user.id;
		if (change.kind != STORE_SET_ENABLED)
			tokens = begin();
		cr_expect_eq(
		    account_change(&accounts, &service, store, &change),
		    STORE_OK, "row %zu", i);
		cr_expect_eq(change.now, kit.now);
		cr_expect_eq(change.token_life, ACCESS_LIFE);
		cr_expect_eq(verdict(TOKEN_ACCESS, tokens.access),
		    rows[i].access ? ERR_NONE : ERR_TOKEN_REVOKED, "row %zu",
		    i);
		cr_expect_eq(renew(tokens.refresh, &none, NULL),
		    rows[i].session ? ERR_NONE : ERR_TOKEN_REVOKED, "row %zu",
		    i);
		session_tokens_free(&none);
		if (change.kind != STORE_SET_DISABLED)
			session_tokens_free(&tokens);
		kit.now++;
	}
	change.kind = STORE_SET_DISABLED;
	cr_expect_eq(account_change(&accounts, &service, store, &change),
	    STORE_NOT_FOUND);
}

static enum error_code
register_as(const void *name, size_t len, const char *password)
{
	struct secret who = {NULL, 0}, what = {NULL, 0};
	enum password_fault fault;
	struct store_user out;
	enum error_code code;

	cr_assert_eq(secret_set(&who, name, len), 0);
	cr_assert_eq(secret_set(&what, password, strlen(password)), 0);
	code = register_with(store, &who, &what, &out, &fault);
	cr_expect_eq(out.id != 0, code == ERR_NONE);
	cr_expect_eq(fault != PASSWORD_ALLOWED, code == ERR_PASSWORD_RULES);
	if (code == ERR_NONE) {
		cr_expect_eq(out.name_len, len);
		cr_expect_str_eq(out.roles, "");
		cr_expect_eq(out.created_at, kit.now);
	}
	secret_free(&who);
	secret_free(&what);
	return (code);
}

Test(account_change, a_registration_makes_an_account_without_roles)
{
	cr_expect_eq(register_as("nova", 4, PASSWORD), ERR_NONE);
	cr_expect_eq(log_in("nova", PASSWORD), ERR_NONE);
	cr_expect_eq(register_as("nova", 4, CHANGED), ERR_USERNAME_TAKEN);
	cr_expect_eq(register_as("cosmo", 5, CHANGED), ERR_USERNAME_TAKEN);
	cr_expect_eq(log_in("nova", CHANGED), ERR_CREDENTIALS);
	cr_expect_eq(register_as("Nova", 4, PASSWORD), ERR_NONE);
	cr_expect_eq(register_as("n\0v", 3, PASSWORD), ERR_NONE);
}

Test(account_change, a_registration_keeps_the_rules)
{
	char name[STORE_NAME_MAX + 1];

	memset(name, 'n', sizeof(name));
	cr_expect_eq(register_as(name, sizeof(name), PASSWORD), ERR_VALIDATION);
	cr_expect_eq(register_as("", 0, PASSWORD), ERR_VALIDATION);
	cr_expect_eq(register_as("\xff", 1, PASSWORD), ERR_VALIDATION);
	cr_expect_eq(register_as("nova", 4, "seven77"), ERR_PASSWORD_RULES);
	cr_expect_eq(register_as("nova", 4, "password1"), ERR_PASSWORD_RULES);
	cr_expect_eq(
	    register_as("A-Quiet-Orbit", 13, CHANGED), ERR_PASSWORD_RULES);
	cr_expect_eq(count_rows("users"), 1);
	cr_expect_eq(register_as(name, STORE_NAME_MAX, PASSWORD), ERR_NONE);
}

/* A subject is never given twice: tokens of the former owner may be about. */
Test(account_change, a_name_that_was_anothers_subject_gets_another)
{
	struct store_user out;

	cr_assert_eq(remove_account(store, "cosmo", 5), STORE_OK);
	cr_expect_eq(register_as("cosmo", 5, CHANGED), ERR_NONE);
	cr_expect_eq(log_in_as("cosmo", CHANGED, &out), ERR_NONE);
	cr_expect_eq(out.subject_len, UUID_LEN);
	cr_expect_str_neq(out.subject, "cosmo");
}

static enum store_result
find_none(struct store *s, const char *name, size_t len, struct store_user *out)
{
	(void)s;
	(void)name;
	(void)len;
	memset(out, 0, sizeof(*out));
	return (STORE_NOT_FOUND);
}

static enum store_result
add_through(struct store *s, struct store_user *added)
{
	(void)s;
	return (store_user_add(store, added));
}

/* Two at once: neither sees the other's name when it looks. */
Test(account_change, of_two_registrations_at_once_one_is_refused)
{
	const struct store_ops ops = {
	    .user_find = find_none, .user_add = add_through};
	struct store racing = {.ops = &ops};
	struct secret who = {NULL, 0}, what = {NULL, 0};
	enum password_fault fault;
	struct store_user out;

	cr_assert_eq(secret_set(&who, "nova", 4), 0);
	cr_assert_eq(secret_set(&what, PASSWORD, strlen(PASSWORD)), 0);
	cr_expect_eq(
	    register_with(&racing, &who, &what, &out, &fault), ERR_NONE);
	cr_expect_eq(register_with(&racing, &who, &what, &out, &fault),
	    ERR_USERNAME_TAKEN);
	cr_expect_eq(out.id, 0);
	cr_expect_str_eq(out.hash, "");
	secret_free(&who);
	secret_free(&what);
}

Test(account_change, a_store_that_cannot_answer_registers_nobody)
{
	run_sql(test_path, "ALTER TABLE users RENAME TO away");
	cr_expect_eq(register_as("nova", 4, PASSWORD), ERR_STORE);
	cr_expect_not_null(strstr(logged, "corgi.db"), "%s", logged);
	cr_expect_null(strstr(logged, PASSWORD));
	run_sql(test_path, "ALTER TABLE away RENAME TO users");
	run_sql(test_path, "ALTER TABLE subjects RENAME TO away");
	cr_expect_eq(register_as("nova", 4, PASSWORD), ERR_STORE);
	run_sql(test_path, "ALTER TABLE away RENAME TO subjects");
	cr_expect_eq(log_in("nova", PASSWORD), ERR_CREDENTIALS);
	cr_expect_eq(register_as("nova", 4, PASSWORD), ERR_NONE);
}
