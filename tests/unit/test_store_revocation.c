/*
 * The log of revocations: followed by number, and emptied of what is over
 * without a number ever coming back, or the followers would miss a row.
 */
#include "store_helpers.h"

TestSuite(store_revocation, .init = folder_make, .fini = folder_remove,
    .timeout = 60);

struct seen {
	char text[128];
	int64_t last;
	size_t count;
	size_t stop_after;
};

static int64_t
note(struct store *, enum store_revocation_kind, const char *, size_t, int64_t);
static int see(const struct store_revocation *, void *);
static const char *seen_after(struct store *, int64_t, int64_t);

static int64_t
note(struct store *s, enum store_revocation_kind kind, const char *key,
    size_t len, int64_t until)
{
	struct store_revocation revocation = {
	    .kind = kind, .key_len = len, .until = until};

	(void)memcpy(revocation.key, key, len);
	cr_assert_eq(store_revocation_add(s, &revocation), STORE_OK, "%s",
	    store_error(s));
	return (revocation.number);
}

static int
see(const struct store_revocation *revocation, void *ctx)
{
	struct seen *seen = ctx;
	size_t used = strlen(seen->text);

	cr_expect_gt(revocation->number, seen->last);
	seen->last = revocation->number;
	(void)snprintf(seen->text + used, sizeof(seen->text) - used, "%s,",
	    revocation->key);
	return (++seen->count == seen->stop_after);
}

static const char *
seen_after(struct store *s, int64_t number, int64_t now)
{
	static struct seen seen;

	memset(&seen, 0, sizeof(seen));
	cr_assert_eq(store_revocation_each(s, number, now, see, &seen),
	    STORE_OK, "%s", store_error(s));
	return (seen.text);
}

Test(store_revocation, rows_come_in_order_after_a_number_while_they_matter)
{
	struct store *s = open_store(), *other = open_store();
	struct seen two = {.stop_after = 2};
	int64_t a, b;

	cr_expect_str_eq(seen_after(s, 0, 0), "");
	a = note(s, STORE_REVOKE_TOKEN, "a", 1, 2000);
	b = note(other, STORE_REVOKE_SESSION, "b", 1, 1000);
	(void)note(s, STORE_REVOKE_TOKEN, "c", 1, STORE_FOREVER);
	cr_expect_str_eq(seen_after(other, 0, 999), "a,b,c,");
	cr_expect_str_eq(seen_after(s, 0, 1000), "a,c,");
	cr_expect_str_eq(seen_after(s, a, 999), "b,c,");
	cr_expect_str_eq(seen_after(s, b, 999), "c,");
	cr_expect_eq(store_revocation_each(s, 0, 0, see, &two), STORE_OK);
	cr_expect_str_eq(two.text, "a,b,");
	store_close(s);
	store_close(other);
}

static int
copy(const struct store_revocation *revocation, void *ctx)
{
	*(struct store_revocation *)ctx = *revocation;
	return (1);
}

Test(store_revocation, a_row_is_kept_whole)
{
	struct store *s = open_store();
	struct store_revocation out,
	    in = {.kind = STORE_REVOKE_USER,
		.key_len = STORE_NAME_MAX,
		.version = 7,
		.before = STORE_FOREVER,
		.until = 1234};

	memset(in.key, 'k', STORE_NAME_MAX);
	in.key[3] = '\0';
	cr_assert_eq(store_revocation_add(s, &in), STORE_OK);
	cr_assert_eq(store_revocation_each(s, 0, 0, copy, &out), STORE_OK);
	cr_expect_eq(out.number, in.number);
	cr_expect_eq(out.kind, STORE_REVOKE_USER);
	cr_expect_eq(out.key_len, STORE_NAME_MAX);
	cr_expect_arr_eq(out.key, in.key, sizeof(in.key));
	cr_expect_eq(out.version, 7);
	cr_expect_eq(out.before, STORE_FOREVER);
	cr_expect_eq(out.until, 1234);
	in.key_len = 0;
	cr_expect_eq(store_revocation_add(s, &in), STORE_INVALID);
	in.key_len = STORE_NAME_MAX + 1;
	cr_expect_eq(store_revocation_add(s, &in), STORE_INVALID);
	in.key_len = 1;
	in.kind = STORE_REVOKE_NONE;
	cr_expect_eq(store_revocation_add(s, &in), STORE_INVALID);
	store_close(s);
}

Test(store_revocation, of_an_account_only_the_newest_row_is_kept)
{
	struct store *s = open_store();
	int64_t first;

	first = note(s, STORE_REVOKE_USER, "ann", 3, 9000);
	(void)note(s, STORE_REVOKE_USER, "bob", 3, 9000);
	(void)note(s, STORE_REVOKE_TOKEN, "ann", 3, 9000);
	(void)note(s, STORE_REVOKE_TOKEN, "ann", 3, 9000);
	cr_expect_str_eq(seen_after(s, 0, 0), "ann,bob,ann,ann,");
	cr_expect_gt(note(s, STORE_REVOKE_USER, "ann", 3, 9000), first);
	cr_expect_str_eq(seen_after(s, 0, 0), "bob,ann,ann,ann,");
	cr_expect_str_eq(
	    query_text(test_path,
		on_postgresql() ? "SELECT count(*) FROM revocations"
				  " WHERE kind = 3 AND key = 'ann'"
				: "SELECT count(*) FROM revocations"
				  " WHERE kind = 3 AND key = x'616e6e'"),
	    "1");
	store_close(s);
}

Test(store_revocation, a_number_never_comes_back_after_a_purge)
{
	struct store *s = open_store();
	int64_t last = 0, removed;
	int i;

	for (i = 0; i < 3; i++)
		last = note(s, STORE_REVOKE_TOKEN, "a", 1, 1000);
	cr_assert_eq(store_purge(s, 1000 + STORE_KEEP_REVOKED, 0, 10, &removed),
	    STORE_OK);
	cr_expect_eq(removed, 3);
	cr_expect_str_eq(
	    query_text(test_path, "SELECT count(*) FROM revocations"), "0");
	store_close(s);
	s = open_store();
	cr_expect_gt(note(s, STORE_REVOKE_TOKEN, "b", 1, 1000), last);
	store_close(s);
}

/* A clock that ran ahead for less than a day has lost nothing when it is set
 * back: the token is refused for as long as it may be accepted. */
Test(store_revocation, a_purge_by_a_clock_that_was_ahead_forgets_nothing)
{
	struct store *s = open_store();
	int64_t removed;

	(void)note(s, STORE_REVOKE_TOKEN, "a", 1, 1000);
	cr_assert_eq(store_purge(s, 999 + STORE_KEEP_REVOKED, 0, 10, &removed),
	    STORE_OK);
	cr_expect_eq(removed, 0);
	cr_expect_str_eq(seen_after(s, 0, 999), "a,");
	cr_expect_str_eq(seen_after(s, 0, 1000), "");
	cr_assert_eq(store_purge(s, 1000 + STORE_KEEP_REVOKED, 0, 10, &removed),
	    STORE_OK);
	cr_expect_eq(removed, 1);
	store_close(s);
}

Test(store_revocation, a_purge_takes_what_is_over_in_bounded_pieces)
{
	struct store *s = open_store();
	struct store_refresh_result *result = malloc(sizeof(*result));
	int64_t id = have_account(s, "cosmo"), removed;
	char name[16];
	int i;

	for (i = 0; i < 5; i++) {
		(void)snprintf(name, sizeof(name), "s%d", i);
		have_session(s, id, name, 1000 + i, name);
		(void)note(s, STORE_REVOKE_TOKEN, name, 2,
		    2000 + i - STORE_KEEP_REVOKED);
		cr_assert_eq(
		    refresh_at(s, name, 1000 + i, name, "x", result), STORE_OK);
	}
	cr_expect_eq(store_purge(s, 2002, 1001000, 0, &removed), STORE_INVALID);
	cr_assert_eq(store_purge(s, 2002, 1000000, 2, &removed), STORE_OK);
	cr_expect_eq(removed, 4);
	cr_expect_str_eq(
	    query_text(test_path, "SELECT count(*) FROM rotations"), "3");
	cr_assert_eq(store_purge(s, 2002, 1003000, 9, &removed), STORE_OK);
	cr_expect_eq(removed, 3);
	cr_expect_str_eq(seen_after(s, 0, -STORE_KEEP_REVOKED), "s3,s4,");
	cr_expect(has_session(s, "s3") && has_session(s, "s4"));
	cr_expect_not(has_session(s, "s2"));
	cr_expect_str_eq(
	    query_text(test_path, "SELECT count(*) FROM rotations"), "1");
	cr_assert_eq(store_purge(s, 2002, 1003000, 9, &removed), STORE_OK);
	cr_expect_eq(removed, 0);
	free(result);
	store_close(s);
}

/* Until then a change of the account has to know of its access tokens. */
Test(store_revocation, a_purge_spares_sessions_whose_access_tokens_live)
{
	struct store *s = open_store();
	struct store_revocation made;
	struct store_session session;
	struct store_user user;
	uint8_t digest[STORE_DIGEST_LEN];
	int64_t removed, id = have_account(s, "cosmo");

	session = session_at(id, "s1", 1000);
	session.ends_at = 1500;
	session.access_until = 3000;
	digest_of("r", digest);
	cr_assert_eq(
	    store_session_add(s, &session, HASH_A, digest, 0, &user, &made),
	    STORE_OK);
	cr_assert_eq(store_purge(s, 2999, 0, 9, &removed), STORE_OK);
	cr_expect_eq(removed, 0);
	cr_assert_eq(store_purge(s, 3000, 0, 9, &removed), STORE_OK);
	cr_expect_eq(removed, 1);
	cr_expect_not(has_session(s, "s1"));
	store_close(s);
}

Test(store_revocation, the_mark_changes_with_every_change_of_another_handle)
{
	struct store *s = open_store(), *other = open_store();
	int64_t before, after;

	cr_assert_eq(store_change_mark(s, &before), STORE_OK);
	cr_assert_eq(store_change_mark(s, &after), STORE_OK);
	cr_expect_eq(after, before);
	(void)note(other, STORE_REVOKE_TOKEN, "a", 1, 9000);
	cr_assert_eq(store_change_mark(s, &after), STORE_OK);
	cr_expect_neq(after, before);
	before = after;
	cr_expect_str_eq(seen_after(s, 0, 0), "a,");
	cr_assert_eq(store_change_mark(s, &after), STORE_OK);
	cr_expect_eq(after, before);
	(void)note(other, STORE_REVOKE_USER, "b", 1, 9000);
	cr_assert_eq(store_change_mark(s, &after), STORE_OK);
	cr_expect_neq(after, before);
	before = after;
	(void)note(other, STORE_REVOKE_USER, "b", 1, 9000);
	cr_assert_eq(store_change_mark(s, &after), STORE_OK);
	cr_expect_neq(after, before);
	before = after;
	(void)have_account(other, "cosmo");
	cr_assert_eq(store_change_mark(s, &after), STORE_OK);
	cr_expect(after != before || on_postgresql());
	store_close(s);
	store_close(other);
}

/* Who is not told has to compare marks. */
Test(store_revocation, a_store_tells_of_rows_or_says_that_it_does_not)
{
	struct store *s = open_store();
	bool news = true;
	int fd = -2;

	cr_assert_eq(store_listen(s, &fd), STORE_OK, "%s", store_error(s));
	cr_expect_eq(fd == -1, !on_postgresql());
	cr_expect_eq(store_heard(s, &news), STORE_OK);
	cr_expect_eq(news, on_postgresql(), "what came before is news");
	cr_expect_eq(store_heard(s, &news), STORE_OK);
	cr_expect_not(news);
	store_close(s);
}

Test(store_revocation, a_row_beyond_the_limits_is_damage)
{
	struct store *s = open_store();
	struct store_refresh_result *result = malloc(sizeof(*result));
	struct store_session session;
	struct seen seen = {.count = 0};

	SQLITE_ONLY();
	have_session(s, have_account(s, "cosmo"), "good", 1000, "r1");
	(void)note(s, STORE_REVOKE_TOKEN, "a", 1, 9000);
	run_sql(test_path,
	    "PRAGMA ignore_check_constraints = ON;"
	    "INSERT INTO revocations VALUES (50, 9, x'61', 0, 0, 9000);"
	    "INSERT INTO sessions SELECT 's1', user_id, client, x'00',"
	    " 1, 1, 9000, 9000, 1 FROM sessions;"
	    "INSERT INTO sessions SELECT 's2', user_id, printf('%99d', 1),"
	    " refresh, 1, 1, 9000, 9000, 1 FROM sessions WHERE id = 'good';"
	    "INSERT INTO rotations"
	    " VALUES (zeroblob(32), 'good', zeroblob(20000), 1000000)");
	cr_expect_eq(store_session_find(s, "s1", &session), STORE_DAMAGED);
	cr_expect_eq(store_session_find(s, "s2", &session), STORE_DAMAGED);
	cr_expect_eq(store_session_find(s, "good", &session), STORE_OK);
	cr_expect_eq(store_revocation_each(s, 0, 0, see, &seen), STORE_DAMAGED);
	cr_expect_str_eq(seen.text, "a,");
	cr_expect_eq(
	    refresh_at(s, "s1", 1001, "r1", "r2", result), STORE_DAMAGED);
	cr_expect_eq(
	    refresh_at(s, "good", 1001, "", "r2", result), STORE_DAMAGED);
	cr_expect_eq(refresh_at(s, "good", 1001, "r1", "r2", result), STORE_OK);
	free(result);
	store_close(s);
}

/* A session that was ended in the new file must not live on in the old one. */
Test(store_revocation, a_removed_file_answers_nothing_and_takes_nothing)
{
	struct store *s = open_store();
	struct store_refresh_result *result = malloc(sizeof(*result));
	struct store_revocation made = {.kind = STORE_REVOKE_TOKEN,
	    .key = "a",
	    .key_len = 1,
	    .until = 9000};
	struct store_session session;
	struct seen seen = {.count = 0};
	char away[PATH_MAX + 8];
	int64_t mark, removed;

	SQLITE_ONLY();
	have_session(s, have_account(s, "cosmo"), "s1", 1000, "r1");
	(void)snprintf(away, sizeof(away), "%s-away", test_path);
	cr_assert_eq(rename(test_path, away), 0);
	cr_expect_eq(store_session_find(s, "s1", &session), STORE_FAILED);
	cr_expect_eq(session.id[0], '\0');
	cr_expect_eq(store_session_find(s, "s2", &session), STORE_FAILED);
	cr_expect_eq(
	    refresh_at(s, "s1", 1001, "r1", "r2", result), STORE_FAILED);
	cr_expect_eq(
	    refresh_at(s, "s2", 1001, "r1", "r2", result), STORE_FAILED);
	cr_expect_eq(store_revocation_add(s, &made), STORE_FAILED);
	cr_expect_eq(store_revocation_each(s, 0, 0, see, &seen), STORE_FAILED);
	cr_expect_eq(store_change_mark(s, &mark), STORE_FAILED);
	cr_expect_eq(store_purge(s, 9999, 0, 9, &removed), STORE_FAILED);
	cr_expect_eq(store_session_end(s, "s1", 0, 9, &made), STORE_FAILED);
	cr_assert_eq(rename(away, test_path), 0);
	cr_expect_eq(store_session_find(s, "s1", &session), STORE_OK);
	cr_expect_eq(store_session_find(s, "s2", &session), STORE_NOT_FOUND);
	cr_expect_eq(refresh_at(s, "s1", 1001, "r1", "r2", result), STORE_OK);
	free(result);
	store_close(s);
}

/* What is in a file is one machine's. */
Test(store_revocation, a_file_keeps_no_log_of_attempts_and_says_so)
{
	struct store_attempt row = {.kind = STORE_ATTEMPT_CLEAR_ALL};
	struct store *s;
	int64_t number = 1;

	SQLITE_ONLY();
	s = open_store();
	cr_expect_eq(store_attempt_add(s, &row, 1), STORE_INVALID);
	cr_expect_not_null(
	    strstr(store_error(s), "no log of attempts"), "%s", store_error(s));
	cr_expect_eq(store_attempt_each(s, 0, NULL, NULL), STORE_INVALID);
	cr_expect_eq(store_attempt_mark(s, &number), STORE_INVALID);
	cr_expect_eq(number, 0);
	cr_expect_eq(store_attempt_told(s, &number), STORE_INVALID);
	cr_expect_eq(store_attempt_purge(s, 0, 0, 1, &number), STORE_INVALID);
	store_close(s);
}
