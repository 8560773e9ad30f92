/*
 * Sessions: who may have one, how many, and that an ended one stays ended.
 */
#include "store_helpers.h"

#include <sys/wait.h>

TestSuite(
    store_session, .init = folder_make, .fini = folder_remove, .timeout = 60);

static enum store_result
add_session(struct store *, const struct store_session *, const char *,
    unsigned int, struct store_revocation *);
static int collect(const struct store_session *, void *);

struct ids {
	char text[128];
	size_t count;
	size_t stop_after;
};

static enum store_result
add_session(struct store *s, const struct store_session *session,
    const char *hash, unsigned int most, struct store_revocation *made)
{
	uint8_t digest[STORE_DIGEST_LEN];
	struct store_user user;

	digest_of("r", digest);
	return (store_session_add(s, session, hash, digest, most, &user, made));
}

static int
collect(const struct store_session *session, void *ctx)
{
	struct ids *ids = ctx;
	size_t used = strlen(ids->text);

	(void)snprintf(
	    ids->text + used, sizeof(ids->text) - used, "%s,", session->id);
	return (++ids->count == ids->stop_after);
}

Test(store_session, what_is_kept_is_found_also_after_opening_again)
{
	struct store *s = open_store();
	struct store_session session, other;
	struct store_revocation made;
	struct store_user user;
	uint8_t digest[STORE_DIGEST_LEN];
	int64_t id = have_account(s, "cosmo");

	session = session_at(id, "f81d4fae-7dec-41d0-a765-00a0c91e6bf6", 1000);
	session.ends_at = STORE_FOREVER;
	digest_of("r1", digest);
	cr_assert_eq(
	    store_session_add(s, &session, HASH_A, digest, 5, &user, &made),
	    STORE_OK);
	cr_expect_eq(made.kind, STORE_REVOKE_NONE);
	cr_expect_eq(user.id, id);
	cr_expect_str_eq(user.subject, "cosmo");
	store_close(s);
	s = open_store();
	cr_assert_eq(store_session_find(s, session.id, &other), STORE_OK);
	cr_expect_str_eq(other.id, session.id);
	cr_expect_eq(other.user_id, id);
	cr_expect_str_eq(other.client, "127.0.0.1");
	cr_expect_eq(other.created_at, 1000);
	cr_expect_eq(other.refreshed_at, 1000);
	cr_expect_eq(other.expires_at, 2000);
	cr_expect_eq(other.ends_at, STORE_FOREVER);
	cr_expect_eq(other.access_until, 1900);
	cr_expect_eq(
	    store_session_find(s, "f81d4fae", &other), STORE_NOT_FOUND);
	cr_expect_eq(other.id[0], '\0');
	store_close(s);
}

/* Between the check of a password and here an account may have changed. */
Test(store_session, only_an_account_as_it_was_checked_gets_one)
{
	struct store *s = open_store();
	struct store_session session;
	struct store_revocation made;
	int64_t id = have_account(s, "cosmo");

	session = session_at(id, "s1", 1000);
	cr_expect_eq(
	    add_session(s, &session, "other", 0, &made), STORE_NOT_FOUND);
	cr_assert_eq(
	    change_account(s, "cosmo", 5, STORE_SET_DISABLED, 1000, &made),
	    STORE_OK);
	cr_expect_eq(
	    add_session(s, &session, HASH_A, 0, &made), STORE_NOT_FOUND);
	cr_expect_eq(made.kind, STORE_REVOKE_NONE);
	cr_assert_eq(
	    change_account(s, "cosmo", 5, STORE_SET_ENABLED, 1000, &made),
	    STORE_OK);
	session.user_id = id + 1;
	cr_expect_eq(
	    add_session(s, &session, HASH_A, 0, &made), STORE_NOT_FOUND);
	cr_expect_not(has_session(s, "s1"));
	session.user_id = id;
	cr_expect_eq(add_session(s, &session, HASH_A, 0, &made), STORE_OK);
	cr_expect_eq(add_session(s, &session, HASH_A, 0, &made), STORE_EXISTS);
	store_close(s);
}

Test(store_session, beyond_the_most_the_one_refreshed_longest_ago_ends)
{
	struct store *s = open_store();
	struct store_refresh_result *result = malloc(sizeof(*result));
	struct store_session session;
	struct store_revocation made;
	int64_t id = have_account(s, "cosmo"), other = have_account(s, "b");

	have_session(s, id, "s1", 1000, "r1");
	have_session(s, id, "s2", 1001, "r2");
	have_session(s, other, "s3", 900, "r3");
	cr_assert_eq(refresh_at(s, "s1", 1100, "r1", "x", result), STORE_OK);
	session = session_at(id, "s4", 1200);
	cr_assert_eq(add_session(s, &session, HASH_A, 2, &made), STORE_OK);
	cr_expect_eq(made.kind, STORE_REVOKE_SESSION);
	cr_expect_str_eq(made.key, "s2");
	cr_expect_eq(made.until, 1901);
	cr_expect_gt(made.number, 0);
	cr_expect_not(has_session(s, "s2"));
	cr_expect(has_session(s, "s1") && has_session(s, "s3") &&
	    has_session(s, "s4"));
	session = session_at(id, "s5", 1200);
	cr_assert_eq(add_session(s, &session, HASH_A, 3, &made), STORE_OK);
	cr_expect_eq(made.kind, STORE_REVOKE_NONE);
	free(result);
	store_close(s);
}

/* Those who count the sessions at the same moment must not all find room. */
Test(store_session, of_many_logins_at_once_no_more_stay_than_may)
{
	enum { LOGINS = 8, MOST = 3 };
	struct store *s = open_store();
	struct ids ids = {.count = 0};
	struct store_session session;
	struct store_revocation made;
	int64_t id = have_account(s, "cosmo");
	int gate[2], status, i;
	char go;

	cr_assert_eq(pipe(gate), 0);
	for (i = 0; i < LOGINS; i++) {
		if (fork() != 0)
			continue;
		(void)close(gate[1]);
		s = open_store();
		session = session_at(id, "s0", 1000 + i);
		session.id[1] = (char)('0' + i);
		(void)!read(gate[0], &go, 1);
		_exit(
		    add_session(s, &session, HASH_A, MOST, &made) != STORE_OK);
	}
	(void)close(gate[0]);
	(void)close(gate[1]);
	while (wait(&status) > 0)
		cr_expect_eq(status, 0);
	cr_assert_eq(store_session_each(s, id, 1000, collect, &ids), STORE_OK);
	cr_expect_eq(ids.count, MOST, "%s", ids.text);
	store_close(s);
}

Test(store_session, sessions_that_are_over_count_for_nothing)
{
	struct store *s = open_store();
	struct store_session session;
	struct store_revocation made;
	int64_t id = have_account(s, "cosmo");

	have_session(s, id, "s1", 1000, "r1");
	have_session(s, id, "s2", 1900, "r2");
	session = session_at(id, "s3", 2000);
	cr_assert_eq(add_session(s, &session, HASH_A, 2, &made), STORE_OK);
	cr_expect_eq(made.kind, STORE_REVOKE_NONE);
	session = session_at(id, "s4", 2000);
	cr_assert_eq(add_session(s, &session, HASH_A, 2, &made), STORE_OK);
	cr_expect_str_eq(made.key, "s2");
	store_close(s);
}

Test(store_session, the_living_are_told_the_newest_first)
{
	struct store *s = open_store();
	struct ids all = {.count = 0}, later = {.count = 0};
	struct ids first = {.stop_after = 1}, none = {.count = 0};
	int64_t id = have_account(s, "cosmo"), other = have_account(s, "b");

	have_session(s, id, "s1", 1000, "r1");
	have_session(s, id, "s3", 1200, "r3");
	have_session(s, id, "s2", 1100, "r2");
	have_session(s, other, "s4", 1100, "r4");
	cr_expect_eq(store_session_each(s, id, 1999, collect, &all), STORE_OK);
	cr_expect_str_eq(all.text, "s3,s2,s1,");
	cr_expect_eq(
	    store_session_each(s, id, 2000, collect, &later), STORE_OK);
	cr_expect_str_eq(later.text, "s3,s2,");
	cr_expect_eq(
	    store_session_each(s, id, 1999, collect, &first), STORE_OK);
	cr_expect_str_eq(first.text, "s3,");
	cr_expect_eq(store_session_each(s, 99, 1999, collect, &none), STORE_OK);
	cr_expect_str_eq(none.text, "");
	store_close(s);
}

Test(store_session, an_ended_session_is_revoked_as_long_as_its_tokens_live)
{
	struct store *s = open_store();
	struct store_refresh_result *result = malloc(sizeof(*result));
	struct store_revocation made;
	int64_t id = have_account(s, "cosmo");

	have_session(s, id, "s1", 1000, "r1");
	have_session(s, id, "s2", 1000, "r2");
	cr_expect_eq(
	    store_session_end(s, "s1", id + 1, 1500, &made), STORE_NOT_FOUND);
	cr_expect_eq(made.kind, STORE_REVOKE_NONE);
	cr_expect(has_session(s, "s1"));
	cr_assert_eq(store_session_end(s, "s1", id, 1500, &made), STORE_OK);
	cr_expect_eq(made.kind, STORE_REVOKE_SESSION);
	cr_expect_str_eq(made.key, "s1");
	cr_expect_eq(made.key_len, 2);
	cr_expect_eq(made.until, 1900);
	cr_expect_not(has_session(s, "s1"));
	cr_expect(has_session(s, "s2"));
	cr_expect_eq(
	    refresh_at(s, "s1", 1100, "r1", "x", result), STORE_NOT_FOUND);
	cr_assert_eq(store_session_end(s, "s2", 0, 9000, &made), STORE_OK);
	cr_expect_eq(made.until, 9000);
	free(result);
	store_close(s);
}

/* Its row may have been removed while an access token still lives. */
Test(store_session, a_session_whose_row_is_gone_is_revoked_as_well)
{
	struct store *s = open_store();
	struct store_revocation made;
	int64_t first;

	cr_assert_eq(store_session_end(s, "s1", 0, 1500, &made), STORE_OK);
	cr_expect_eq(made.kind, STORE_REVOKE_SESSION);
	cr_expect_str_eq(made.key, "s1");
	cr_expect_eq(made.until, 1500);
	first = made.number;
	cr_assert_eq(store_session_end(s, "s1", 0, 1500, &made), STORE_OK);
	cr_expect_gt(made.number, first);
	cr_expect_eq(
	    store_session_end(s, "s1", 7, 1500, &made), STORE_NOT_FOUND);
	store_close(s);
}

Test(store_session, arguments_beyond_a_limit_are_refused)
{
	struct store *s = open_store();
	struct store_refresh_result *result = calloc(1, sizeof(*result));
	struct store_session session, found;
	struct store_revocation made;
	char sealed[STORE_SEALED_MAX + 2], id[STORE_SESSION_ID_MAX + 1];
	int64_t user = have_account(s, "cosmo");

	memset(id, 'a', sizeof(id));
	id[STORE_SESSION_ID_MAX] = '\0';
	cr_expect_eq(store_session_find(s, id, &found), STORE_INVALID);
	cr_expect_eq(store_session_find(s, "", &found), STORE_INVALID);
	cr_expect_eq(store_session_find(s, NULL, &found), STORE_INVALID);
	cr_expect_eq(store_session_find(s, "a b", &found), STORE_INVALID);
	cr_expect_eq(store_session_end(s, "a\n", 0, 1, &made), STORE_INVALID);
	id[STORE_SESSION_ID_MAX - 1] = '\0';
	cr_expect_eq(store_session_find(s, id, &found), STORE_NOT_FOUND);

	session = session_at(user, "s1", 1000);
	memset(session.client, 'c', sizeof(session.client));
	cr_expect_eq(add_session(s, &session, HASH_A, 0, &made), STORE_INVALID);
	session.client[STORE_CLIENT_MAX - 1] = '\0';
	cr_expect_eq(add_session(s, &session, "", 0, &made), STORE_INVALID);
	cr_expect_eq(add_session(s, &session, HASH_A, 0, &made), STORE_OK);

	memset(sealed, 's', sizeof(sealed));
	sealed[STORE_SEALED_MAX + 1] = '\0';
	cr_expect_eq(
	    refresh_at(s, "s1", 1001, "r", sealed, result), STORE_INVALID);
	cr_expect_eq(refresh_at(s, "s1", 1001, "r", "", result), STORE_INVALID);
	sealed[STORE_SEALED_MAX] = '\0';
	cr_expect_eq(refresh_at(s, "s1", 1001, "r", sealed, result), STORE_OK);
	cr_expect_eq(result->verdict, STORE_REFRESH_ROTATED);
	cr_assert_eq(refresh_at(s, "s1", 1002, "r", "x", result), STORE_OK);
	cr_expect_eq(result->verdict, STORE_REFRESH_REPEATED);
	cr_expect_eq(result->sealed_len, STORE_SEALED_MAX);
	cr_expect_arr_eq(result->sealed, sealed, STORE_SEALED_MAX);
	free(result);
	store_close(s);
}
