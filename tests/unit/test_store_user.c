/*
 * Accounts: who is called by which subject, and what each change of an account
 * ends. A subject that came back would let old tokens speak for a new account.
 */
#include "store_helpers.h"

#include "base/secret.h"

#define HASH_B "$2b$12$cccc"

TestSuite(
    store_user, .init = folder_make, .fini = folder_remove, .timeout = 60);

static struct store_user found(struct store *, const char *);
static bool is_uuid(const struct store_user *);
static enum store_result
rename_account(struct store *, const char *, const char *);
static enum store_result
set_password(struct store *, int64_t, const char *, struct store_revocation *);
static enum store_result
set_roles(struct store *, int64_t, const char *, struct store_revocation *);
static void expect_revoked(
    const struct store_revocation *, const char *, int64_t, int64_t, int64_t);
static int keep_last(const struct store_revocation *, void *);

static struct store_user
found(struct store *s, const char *name)
{
	struct store_user user;

	cr_assert_eq(store_user_find(s, name, strlen(name), &user), STORE_OK,
	    "%s: %s", name, store_error(s));
	return (user);
}

static bool
is_uuid(const struct store_user *user)
{
	return (user->subject_len == UUID_LEN &&
	    strspn(user->subject, "0123456789abcdef-") == UUID_LEN);
}

static enum store_result
rename_account(struct store *s, const char *from, const char *to)
{
	struct store_change change = {.kind = STORE_SET_NAME,
	    .user_id = found(s, from).id,
	    .now = 1500,
	    .name = to,
	    .name_len = strlen(to)};
	struct store_revocation made;
	enum store_result result;

	result = store_user_change(s, &change, &made);
	cr_expect_eq(made.kind, STORE_REVOKE_NONE);
	return (result);
}

static enum store_result
set_password(struct store *s, int64_t id, const char *expected,
    struct store_revocation *made)
{
	struct store_change change = {.kind = STORE_SET_PASSWORD,
	    .user_id = id,
	    .now = 2000,
	    .token_life = 900,
	    .hash = HASH_B,
	    .expected_hash = expected};

	return (store_user_change(s, &change, made));
}

static enum store_result
set_roles(struct store *s, int64_t id, const char *roles,
    struct store_revocation *made)
{
	struct store_change change = {.kind = STORE_SET_ROLES,
	    .user_id = id,
	    .now = 2000,
	    .token_life = 900,
	    .roles = roles};

	return (store_user_change(s, &change, made));
}

static int
keep_last(const struct store_revocation *revocation, void *ctx)
{
	*(struct store_revocation *)ctx = *revocation;
	return (0);
}

static void
expect_revoked(const struct store_revocation *made, const char *subject,
    int64_t version, int64_t before, int64_t until)
{
	cr_expect_eq(made->kind, STORE_REVOKE_USER);
	cr_expect_gt(made->number, 0);
	cr_expect_eq(made->key_len, strlen(subject));
	cr_expect_str_eq(made->key, subject);
	cr_expect_eq(
	    made->version, version, "version %lld", (long long)made->version);
	cr_expect_eq(
	    made->before, before, "before %lld", (long long)made->before);
	cr_expect_eq(made->until, until, "until %lld", (long long)made->until);
}

Test(store_user, an_account_is_found_by_name_and_by_subject_whole)
{
	struct store *s = open_store();
	struct store_user user = {.name = "cosmo",
	    .name_len = 5,
	    .hash = HASH_A,
	    .roles = "admin staff",
	    .disabled = true,
	    .created_at = 7,
	    .updated_at = 8,
	    .version = 99,
	    .id = 99};
	struct store_user other;

	cr_assert_eq(store_user_add(s, &user), STORE_OK);
	cr_expect_neq(user.id, 99);
	cr_expect_eq(user.version, 0);
	cr_expect_eq(user.subject_len, 5);
	cr_expect_str_eq(user.subject, "cosmo");
	cr_assert_eq(store_user_find_subject(s, "cosmo", 5, &other), STORE_OK);
	cr_expect_eq(other.id, user.id);
	cr_expect_str_eq(other.name, "cosmo");
	cr_expect_str_eq(other.hash, HASH_A);
	cr_expect_str_eq(other.roles, "admin staff");
	cr_expect(other.disabled);
	cr_expect_eq(other.version, 0);
	cr_expect_eq(other.created_at, 7);
	cr_expect_eq(other.updated_at, 8);
	cr_expect_eq(
	    store_user_find_subject(s, "Cosmo", 5, &other), STORE_NOT_FOUND);
	cr_expect_eq(store_user_find_subject(s, "", 0, &other), STORE_INVALID);
	store_close(s);
}

Test(store_user, the_subject_of_a_removed_account_is_not_given_again)
{
	struct store *s = open_store();
	struct store_user user;
	char first[STORE_NAME_MAX + 1];

	(void)have_account(s, "cosmo");
	cr_assert_eq(remove_account(s, "cosmo", 5), STORE_OK);
	cr_expect_eq(
	    store_user_find_subject(s, "cosmo", 5, &user), STORE_NOT_FOUND);
	(void)have_account(s, "cosmo");
	user = found(s, "cosmo");
	cr_expect(is_uuid(&user), "%s", user.subject);
	(void)snprintf(first, sizeof(first), "%s", user.subject);
	cr_assert_eq(remove_account(s, "cosmo", 5), STORE_OK);
	(void)have_account(s, "cosmo");
	user = found(s, "cosmo");
	cr_expect(is_uuid(&user), "%s", user.subject);
	cr_expect_str_neq(user.subject, first);
	(void)have_account(s, "fresh");
	cr_expect_str_eq(found(s, "fresh").subject, "fresh");
	store_close(s);
}

Test(store_user, a_renamed_account_keeps_its_subject_to_itself)
{
	struct store *s = open_store();
	struct store_user user, other;

	(void)have_account(s, "old");
	cr_assert_eq(rename_account(s, "old", "new"), STORE_OK);
	user = found(s, "new");
	cr_expect_str_eq(user.subject, "old");
	cr_expect_eq(user.version, 0);
	cr_expect_eq(user.updated_at, 1500);
	(void)have_account(s, "old");
	other = found(s, "old");
	cr_expect_neq(other.id, user.id);
	cr_expect(is_uuid(&other), "%s", other.subject);
	cr_assert_eq(store_user_find_subject(s, "old", 3, &other), STORE_OK);
	cr_expect_eq(other.id, user.id);
	cr_expect_eq(rename_account(s, "new", "old"), STORE_EXISTS);
	cr_expect_eq(rename_account(s, "new", "new"), STORE_OK);
	cr_expect_eq(found(s, "new").updated_at, 1500);
	store_close(s);
}

Test(store_user, a_subject_asked_for_is_given_once)
{
	struct store *s = open_store();
	struct store_user user = {.name = "a",
	    .name_len = 1,
	    .subject = "x",
	    .subject_len = 1,
	    .hash = HASH_A};
	struct store_user again = {.name = "b",
	    .name_len = 1,
	    .subject = "x",
	    .subject_len = 1,
	    .hash = HASH_A};

	cr_assert_eq(store_user_add(s, &user), STORE_OK);
	cr_expect_str_eq(found(s, "a").subject, "x");
	cr_expect_eq(store_user_add(s, &again), STORE_EXISTS);
	cr_expect_eq(again.id, 0);
	cr_expect_eq(store_user_find(s, "b", 1, &user), STORE_NOT_FOUND);
	cr_assert_eq(remove_account(s, "a", 1), STORE_OK);
	cr_expect_eq(store_user_add(s, &again), STORE_EXISTS);
	again.subject[0] = 'y';
	cr_expect_eq(store_user_add(s, &again), STORE_OK);
	store_close(s);
}

/* A failed addition must not use the name up as a subject either. */
Test(store_user, a_refused_addition_leaves_no_trace)
{
	struct store *s = open_store();
	struct store_user user = {.name = "old", .name_len = 3, .hash = HASH_A};

	(void)have_account(s, "a");
	cr_assert_eq(rename_account(s, "a", "old"), STORE_OK);
	cr_expect_eq(store_user_add(s, &user), STORE_EXISTS);
	cr_expect_eq(user.id, 0);
	cr_expect_eq(user.subject_len, 0);
	cr_assert_eq(rename_account(s, "old", "away"), STORE_OK);
	cr_expect_eq(store_user_add(s, &user), STORE_OK);
	cr_expect_str_eq(user.subject, "old");
	store_close(s);
}

Test(store_user, a_new_password_ends_all_sessions_and_raises_the_version)
{
	struct store *s = open_store();
	struct store_revocation made, logged = {.number = 0};
	int64_t id = have_account(s, "cosmo"), other = have_account(s, "b");

	have_session(s, id, "s1", 1000, "r1");
	have_session(s, id, "s2", 1500, "r2");
	have_session(s, other, "s3", 1500, "r3");
	cr_expect_eq(set_password(s, id, "wrong", &made), STORE_NOT_FOUND);
	cr_expect_eq(made.kind, STORE_REVOKE_NONE);
	cr_expect(has_session(s, "s1"));
	cr_expect_eq(found(s, "cosmo").version, 0);
	cr_expect_str_eq(found(s, "cosmo").hash, HASH_A);

	cr_assert_eq(set_password(s, id, HASH_A, &made), STORE_OK);
	expect_revoked(&made, "cosmo", 1, 2000, 2900);
	cr_expect_eq(found(s, "cosmo").version, 1);
	cr_expect_str_eq(found(s, "cosmo").hash, HASH_B);
	cr_expect_not(has_session(s, "s1"));
	cr_expect_not(has_session(s, "s2"));
	cr_expect(has_session(s, "s3"));
	cr_assert_eq(
	    store_revocation_each(s, 0, 2000, keep_last, &logged), STORE_OK);
	cr_expect_eq(logged.number, made.number);
	expect_revoked(&logged, "cosmo", 1, 2000, 2900);
	cr_expect_eq(set_password(s, id, NULL, &made), STORE_OK);
	cr_expect_eq(set_password(s, id + 50, NULL, &made), STORE_NOT_FOUND);
	store_close(s);
}

/* Else tokens from before a shorter life was configured would come back when
 * the row ends, or when a newer one takes its place. */
Test(store_user, a_revocation_lasts_as_long_as_any_token_it_is_about)
{
	struct store *s = open_store();
	struct store_revocation made;
	struct store_session session;
	struct store_user user;
	uint8_t digest[STORE_DIGEST_LEN];
	int64_t id = have_account(s, "cosmo");

	session = session_at(id, "s1", 1000);
	session.access_until = 90000;
	digest_of("r1", digest);
	cr_assert_eq(
	    store_session_add(s, &session, HASH_A, digest, 0, &user, &made),
	    STORE_OK);
	cr_assert_eq(set_password(s, id, NULL, &made), STORE_OK);
	expect_revoked(&made, "cosmo", 1, 2000, 90000);
	cr_assert_eq(
	    change_account(s, "cosmo", 5, STORE_END_SESSIONS, 3000, &made),
	    STORE_OK);
	expect_revoked(&made, "cosmo", 2, 3000, 90000);
	cr_assert_eq(
	    change_account(s, "cosmo", 5, STORE_SET_DISABLED, 4000, &made),
	    STORE_OK);
	cr_assert_eq(
	    change_account(s, "cosmo", 5, STORE_SET_ENABLED, 5000, &made),
	    STORE_OK);
	expect_revoked(&made, "cosmo", 3, 5000, 90000);
	cr_assert_eq(
	    change_account(s, "cosmo", 5, STORE_END_SESSIONS, 90000, &made),
	    STORE_OK);
	expect_revoked(&made, "cosmo", 4, 90000, 90900);
	store_close(s);
}

Test(store_user, a_disabled_account_is_refused_until_it_is_enabled)
{
	struct store *s = open_store();
	struct store_revocation made, logged = {.number = 0};
	int64_t id = have_account(s, "cosmo"), number;

	have_session(s, id, "s1", 1000, "r1");
	cr_expect_eq(
	    change_account(s, "cosmo", 5, STORE_SET_ENABLED, 1500, &made),
	    STORE_OK);
	cr_expect_eq(made.kind, STORE_REVOKE_NONE);
	cr_expect(has_session(s, "s1"));

	cr_assert_eq(
	    change_account(s, "cosmo", 5, STORE_SET_DISABLED, 2000, &made),
	    STORE_OK);
	expect_revoked(
	    &made, "cosmo", STORE_FOREVER, STORE_FOREVER, STORE_FOREVER);
	number = made.number;
	cr_expect(found(s, "cosmo").disabled);
	cr_expect_eq(found(s, "cosmo").version, 1);
	cr_expect_not(has_session(s, "s1"));
	cr_expect_eq(
	    change_account(s, "cosmo", 5, STORE_SET_DISABLED, 2100, &made),
	    STORE_OK);
	cr_expect_eq(made.kind, STORE_REVOKE_NONE);
	cr_assert_eq(
	    store_revocation_each(s, 0, STORE_FOREVER - 1, keep_last, &logged),
	    STORE_OK);
	cr_expect_eq(logged.number, number);

	cr_assert_eq(
	    change_account(s, "cosmo", 5, STORE_SET_ENABLED, 3000, &made),
	    STORE_OK);
	expect_revoked(&made, "cosmo", 1, 3000, 3900);
	cr_expect_not(found(s, "cosmo").disabled);
	cr_expect_eq(found(s, "cosmo").version, 1);
	cr_expect_gt(made.number, number);
	cr_expect_str_eq(
	    query_text(test_path, "SELECT count(*) FROM revocations"), "1");
	store_close(s);
}

Test(store_user, new_roles_end_access_tokens_but_no_session)
{
	struct store *s = open_store();
	struct store_revocation made;
	int64_t id = have_account(s, "cosmo");

	have_session(s, id, "s1", 1000, "r1");
	cr_expect_eq(set_roles(s, id, "b a", &made), STORE_INVALID);
	cr_expect_eq(set_roles(s, id, NULL, &made), STORE_INVALID);
	cr_expect_eq(set_roles(s, id, "", &made), STORE_OK);
	cr_expect_eq(made.kind, STORE_REVOKE_NONE);
	cr_assert_eq(set_roles(s, id, "admin staff", &made), STORE_OK);
	expect_revoked(&made, "cosmo", 1, 2000, 2900);
	cr_expect(has_session(s, "s1"));
	cr_expect_str_eq(found(s, "cosmo").roles, "admin staff");
	cr_expect_eq(set_roles(s, id, "admin staff", &made), STORE_OK);
	cr_expect_eq(made.kind, STORE_REVOKE_NONE);
	cr_expect_eq(found(s, "cosmo").version, 1);
	store_close(s);
}

Test(store_user, a_removed_account_ends_with_all_it_had)
{
	struct store *s = open_store();
	struct store_revocation made;
	struct store_refresh_result *result = malloc(sizeof(*result));
	int64_t id = have_account(s, "cosmo");

	have_session(s, id, "s1", 1000, "r1");
	cr_assert_eq(refresh_at(s, "s1", 1200, "r1", "r2", result), STORE_OK);
	cr_assert_eq(
	    change_account(s, "cosmo", 5, STORE_DELETE_USER, 1300, &made),
	    STORE_OK);
	expect_revoked(&made, "cosmo", STORE_FOREVER, STORE_FOREVER, 2200);
	cr_expect_not(has_session(s, "s1"));
	cr_expect_eq(
	    refresh_at(s, "s1", 1400, "r2", "r3", result), STORE_NOT_FOUND);
	cr_expect_str_eq(query_text(test_path,
			     "SELECT (SELECT count(*) FROM users)"
			     " + (SELECT count(*) FROM sessions)"
			     " + (SELECT count(*) FROM rotations)"),
	    "0");
	free(result);
	store_close(s);
}

Test(store_user, sessions_end_on_demand_and_times_stay_in_range)
{
	struct store *s = open_store();
	struct store_revocation made;
	struct store_change change = {.kind = STORE_END_SESSIONS,
	    .user_id = have_account(s, "cosmo"),
	    .now = 2000,
	    .token_life = STORE_FOREVER};

	have_session(s, change.user_id, "s1", 1000, "r1");
	cr_assert_eq(store_user_change(s, &change, &made), STORE_OK);
	expect_revoked(&made, "cosmo", 1, 2000, STORE_FOREVER);
	cr_expect_not(has_session(s, "s1"));
	change.kind = (enum store_change_kind)99;
	cr_expect_eq(store_user_change(s, &change, &made), STORE_INVALID);
	cr_expect_eq(found(s, "cosmo").version, 1);
	store_close(s);
}

Test(store_user, roles_are_words_in_order_each_once)
{
	static const char *const valid[] = {
	    "", "a", "a b", "a ab", "A a", "admin:write x.y_z-1", "a-b a.b"};
	static const char *const invalid[] = {" ", "a ", " a", "a  b", "b a",
	    "a a", "ab a", "a,b", "a\nb", "a\tb", "r\xc3\xb6le", "a\"b"};
	char roles[STORE_ROLES_MAX + 1], *p = roles;
	size_t i;

	for (i = 0; i < sizeof(valid) / sizeof(valid[0]); i++)
		cr_expect(store_roles_valid(valid[i]), "'%s'", valid[i]);
	for (i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++)
		cr_expect_not(
		    store_roles_valid(invalid[i]), "'%s'", invalid[i]);
	memset(roles, 'r', sizeof(roles));
	roles[STORE_ROLE_MAX - 1] = '\0';
	cr_expect(store_roles_valid(roles));
	roles[STORE_ROLE_MAX - 1] = 'r';
	roles[STORE_ROLE_MAX] = '\0';
	cr_expect_not(store_roles_valid(roles));
	for (i = 0; i < 255; i++)
		p += sprintf(p, "%03zu ", i);
	p += sprintf(p, "zzz");
	cr_assert_eq(strlen(roles), STORE_ROLES_MAX - 1);
	cr_expect(store_roles_valid(roles));
	(void)sprintf(p, "z");
	cr_expect_not(store_roles_valid(roles));
}
