/*
 * A copy of a database: nothing of it is forgotten, in all four directions.
 */
#include "copy_kit.h"

static void fill(struct store *);
static void everything_lives_on(void);
static void empty_stays_empty(void);
static void there_and_back(void);

TestSuite(
    store_copy, .init = copy_begin, .fini = folder_remove, .timeout = 120);

#define NOW   INT64_C(2000000)
#define NUL_A "a\0b"

/*
 * Accounts: one as it was added, one with a NUL in its name, one renamed, one
 * disabled, one with roles, two that are gone, the last among them. Sessions:
 * one refreshed just now, one long ago, one that has ended. Revocations: of a
 * token, of a session, of accounts; the newest is gone.
 */
static void
fill(struct store *s)
{
	struct store_revocation made = {.kind = STORE_REVOKE_TOKEN,
	    .key = "a-token",
	    .key_len = 7,
	    .until = NOW + 900};
	struct store_refresh_result refreshed;
	struct store_change change = {.now = NOW, .token_life = 900};
	int64_t cosmo, id, removed;

	cosmo = have_account(s, "cosmo");
	cr_assert_eq(add_account(s, NUL_A, 3, HASH_A, 1001, NULL), STORE_OK);
	change.user_id = have_account(s, "before");
	change.kind = STORE_SET_NAME;
	change.name = "after";
	change.name_len = 5;
	cr_assert_eq(store_user_change(s, &change, &made), STORE_OK);
	(void)have_account(s, "sleeper");
	cr_assert_eq(
	    change_account(s, "sleeper", 7, STORE_SET_DISABLED, NOW, &made),
	    STORE_OK);
	change.user_id = have_account(s, "chief");
	change.kind = STORE_SET_ROLES;
	change.roles = "admin member";
	cr_assert_eq(store_user_change(s, &change, &made), STORE_OK);
	(void)have_account(s, "gone");
	cr_assert_eq(remove_account(s, "gone", 4), STORE_OK);

	have_session(s, cosmo, "live", NOW - 100, "r0");
	cr_assert_eq(
	    refresh_at(s, "live", NOW - 50, "r0", "r1", &refreshed), STORE_OK);
	cr_assert_eq(
	    refresh_at(s, "live", NOW, "r1", "r2", &refreshed), STORE_OK);
	have_session(s, cosmo, "over", NOW - 100, "o0");
	cr_assert_eq(
	    store_session_end(s, "over", cosmo, NOW + 900, &made), STORE_OK);
	made = (struct store_revocation){.kind = STORE_REVOKE_TOKEN,
	    .key = "a-token",
	    .key_len = 7,
	    .until = NOW + 900};
	cr_assert_eq(store_revocation_add(s, &made), STORE_OK);
	made.until = 1;
	cr_assert_eq(store_revocation_add(s, &made), STORE_OK);
	cr_assert_eq(
	    store_purge(s, STORE_KEEP_REVOKED + 2, 0, 100, &removed), STORE_OK);
	cr_assert_eq(removed, 1);
	id = have_account(s, "last");
	cr_assert_gt(id, cosmo);
	cr_assert_eq(remove_account(s, "last", 4), STORE_OK);
}

/* The log, as a text. */
static int
print_revocation(const struct store_revocation *r, void *ctx)
{
	char *text = ctx;
	size_t len = strlen(text);

	(void)snprintf(text + len, 4096 - len, "%lld %d %.*s %lld %lld %lld\n",
	    (long long)r->number, (int)r->kind, (int)r->key_len, r->key,
	    (long long)r->version, (long long)r->before, (long long)r->until);
	return (0);
}

/* The accounts, with all that is known of them. */
static int
print_user(const struct store_user *u, void *ctx)
{
	char *text = ctx;
	size_t len = strlen(text);

	(void)snprintf(text + len, 4096 - len,
	    "%lld %zu %.3s %.*s %s [%s] %d %lld %lld %lld\n", (long long)u->id,
	    u->name_len, u->name + (u->name_len > 2 ? 2 : 0),
	    (int)u->subject_len, u->subject, u->hash, u->roles, u->disabled,
	    (long long)u->version, (long long)u->created_at,
	    (long long)u->updated_at);
	return (0);
}

static void
expect_same(struct store *a, struct store *b)
{
	char left[4096] = "", right[4096] = "";
	struct store_session one, two;

	cr_expect_eq(store_user_each(a, print_user, left), STORE_OK);
	cr_expect_eq(store_user_each(b, print_user, right), STORE_OK);
	cr_expect_str_eq(left, right);
	cr_expect_not_null(strstr(left, "admin member"));
	left[0] = right[0] = '\0';
	cr_expect_eq(
	    store_revocation_each(a, 0, 0, print_revocation, left), STORE_OK);
	cr_expect_eq(
	    store_revocation_each(b, 0, 0, print_revocation, right), STORE_OK);
	cr_expect_str_eq(left, right);
	cr_expect_not_null(strstr(left, "a-token"));
	cr_expect_eq(store_session_find(a, "live", &one), STORE_OK);
	cr_expect_eq(store_session_find(b, "live", &two), STORE_OK);
	cr_expect_eq(memcmp(&one, &two, sizeof(one)), 0);
	cr_expect(!has_session(b, "over"));
}

/* What depends on what is not seen in a list. */
static void
expect_life(struct store *s, int64_t last_id, int64_t last_number)
{
	struct store_refresh_result result;
	struct store_revocation made;
	struct store_user user;
	int64_t id;

	/* The sealed successor, within its grace; the newest token, once. */
	cr_expect_eq(
	    refresh_at(s, "live", NOW + 1, "r1", "x", &result), STORE_OK);
	cr_expect_eq(result.verdict, STORE_REFRESH_REPEATED);
	cr_expect_eq(memcmp(result.sealed, "r2", 2), 0);
	cr_expect_eq(
	    refresh_at(s, "live", NOW + 2, "r2", "r3", &result), STORE_OK);
	cr_expect_eq(result.verdict, STORE_REFRESH_ROTATED);
	cr_expect_eq(
	    refresh_at(s, "live", NOW + 3, "r0", "y", &result), STORE_OK);
	cr_expect_eq(result.verdict, STORE_REFRESH_REUSED);
	cr_expect_gt(result.made.number, last_number);

	/* Numbers and subjects of what is gone do not come back. */
	id = have_account(s, "gone");
	cr_expect_gt(id, last_id);
	cr_expect_eq(store_user_find(s, "gone", 4, &user), STORE_OK);
	cr_expect_eq(user.subject_len, 36, "%s", user.subject);
	id = have_account(s, "never-there");
	cr_expect_eq(store_user_find(s, "never-there", 11, &user), STORE_OK);
	cr_expect_str_eq(user.subject, "never-there");
	cr_expect_eq(store_user_find_subject(s, "before", 6, &user), STORE_OK);
	cr_expect_str_eq(user.name, "after");
	have_session(s, id, "new", NOW, "n0");
	cr_expect_eq(
	    store_session_end(s, "new", id, NOW + 900, &made), STORE_OK);
}

static void
everything_lives_on(void)
{
	char id[32], number[32], rest[32];
	struct store *a, *b;

	a = place_open(&from);
	fill(a);
	store_close(a);
	copy_expect(STORE_OK, "");
	a = place_open(&from);
	b = place_open(&to);
	expect_same(a, b);
	place_query(&from, "SELECT max(id) FROM users", id, sizeof(id));
	place_query(&from, "SELECT max(number) FROM revocations", number,
	    sizeof(number));
	/* "last" had one more, and the token that is over. */
	expect_life(b, atoll(id) + 1, atoll(number) - 1);
	place_query(
	    &to, "SELECT min(access_until) FROM users", rest, sizeof(rest));
	cr_expect_str_eq(rest, "0");
	store_close(a);
	store_close(b);
}

Test(store_copy, everything_lives_on)
{
	each_direction(everything_lives_on);
}

/* A token's number in the log is never given twice, also where nothing is left
 * of it. */
static void
numbers_go_on(void)
{
	struct store_revocation made = {
	    .kind = STORE_REVOKE_TOKEN, .key = "t", .key_len = 1, .until = 1};
	int64_t removed, last;
	struct store *s = place_open(&from);

	(void)have_account(s, "first");
	cr_assert_eq(remove_account(s, "first", 5), STORE_OK);
	cr_assert_eq(store_revocation_add(s, &made), STORE_OK);
	cr_assert_eq(store_revocation_add(s, &made), STORE_OK);
	last = made.number;
	cr_assert_eq(store_purge(s, NOW * 2, 0, 100, &removed), STORE_OK);
	cr_assert_eq(removed, 3);
	store_close(s);
	copy_expect(STORE_OK, "");
	s = place_open(&to);
	cr_assert_eq(store_revocation_add(s, &made), STORE_OK);
	cr_expect_eq(made.number, last + 1);
	cr_expect_eq(have_account(s, "second"), 2);
	store_close(s);
}

Test(store_copy, numbers_go_on_where_they_were)
{
	each_direction(numbers_go_on);
}

static void
empty_stays_empty(void)
{
	struct store *s = place_open(&from);
	int64_t count = -1;

	store_close(s);
	copy_expect(STORE_OK, "");
	s = place_open(&to);
	cr_expect_eq(store_user_count(s, &count), STORE_OK);
	cr_expect_eq(count, 0);
	cr_expect_eq(have_account(s, "first"), 1);
	store_close(s);
}

Test(store_copy, an_empty_database_is_copied_as_well)
{
	each_direction(empty_stays_empty);
}

/* What came back is what went, to the byte: the sums say so. */
static void
there_and_back(void)
{
	struct store_copy first, second;
	struct store *s = place_open(&from);

	fill(s);
	store_close(s);
	place_make(&other, from.on_server, "other");
	cr_assert_eq(copy_now(&first), STORE_OK, "%s", first.error);
	memset(&second, 0, sizeof(second));
	second.from = to.where;
	second.to = other.where;
	cr_assert_eq(store_copy(&second), STORE_OK, "%s", second.error);
	cr_expect_eq(
	    memcmp(first.sums_from, second.sums_to, sizeof(first.sums_from)),
	    0);
	place_remove(&other);
}

Test(store_copy, goes_there_and_back)
{
	each_direction(there_and_back);
}

/* A column or a table that is added to one of the back ends has to be added to
 * the copy, too, or be known here as one that stays behind. */
static void
nothing_is_forgotten(void)
{
	const char *tables = from.on_server
	    ? "SELECT string_agg(table_name, ' ' ORDER BY table_name)"
	      " FROM information_schema.tables WHERE table_schema = 'corgi'"
	    : "SELECT group_concat(name, ' ') FROM (SELECT name FROM"
	      " sqlite_schema WHERE type = 'table'"
	      " AND name <> 'sqlite_sequence' ORDER BY name)";
	char sql[512], text[512];
	size_t i;

	store_close(place_open(&from));
	place_query(&from, tables, text, sizeof(text));
	/* What was tried an hour ago is not taken along. */
	cr_expect_str_eq(text,
	    from.on_server ? "attempts revocations rotations schema_migrations "
			     "sessions subjects users"
			   : "revocations rotations schema_migrations "
			     "sessions subjects users");
	for (i = 0; i < COPY__MAX; i++) {
		(void)snprintf(sql, sizeof(sql),
		    from.on_server ? "SELECT string_agg(column_name, ', '"
				     " ORDER BY ordinal_position) FROM"
				     " information_schema.columns"
				     " WHERE table_schema = 'corgi'"
				     " AND table_name = '%s'"
				   : "SELECT group_concat(name, ', ')"
				     " FROM pragma_table_info('%s')",
		    copy_shapes[i].name);
		place_query(&from, sql, text, sizeof(text));
		cr_expect_str_eq(text, copy_shapes[i].columns);
	}
}

Test(store_copy, no_table_and_no_column_is_forgotten)
{
	each_direction(nothing_is_forgotten);
}
