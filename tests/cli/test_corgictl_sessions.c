/*
 * corgictl user sessions and revoke.
 */
#include "ctl_store.h"

#include <time.h>

#define FIRST  "11111111-1111-4111-8111-111111111111"
#define SECOND "22222222-2222-4222-8222-222222222222"
#define OTHER  "33333333-3333-4333-8333-333333333333"

/* Until when a key is in the log of revocations. */
struct until {
	const char *key;
	int64_t until;
};

static int64_t revoked_until(const char *);
static void begin_session(const char *, const char *, int64_t);
static bool lives(const char *);
static void set_up(void);

TestSuite(ctl_sessions, .init = set_up, .fini = ctl_tear_down, .timeout = 60);

/* A session of an account that lives for an hour from now on. */
static void
begin_session(const char *name, const char *id, int64_t now)
{
	struct store_user user = ctl_user(name), again;
	struct store *s = ctl_store_in(ctl_data);
	struct store_session session = {
	    .user_id = user.id,
	    .client = "192.0.2.1",
	    .created_at = now,
	    .refreshed_at = now + 1,
	    .expires_at = now + 3600,
	    .ends_at = STORE_FOREVER,
	    .access_until = now + 900,
	};
	uint8_t digest[STORE_DIGEST_LEN];
	struct store_revocation made;

	secret_random(digest, sizeof(digest));
	(void)snprintf(session.id, sizeof(session.id), "%s", id);
	cr_assert_eq(
	    store_session_add(s, &session, user.hash, digest, 0, &again, &made),
	    STORE_OK, "%s", store_error(s));
	store_close(s);
}

static bool
lives(const char *id)
{
	struct store *s = ctl_store_in(ctl_data);
	struct store_session session;
	enum store_result result;

	result = store_session_find(s, id, &session);
	cr_assert(result == STORE_OK || result == STORE_NOT_FOUND);
	store_close(s);
	return (result == STORE_OK);
}

static int
take_until(const struct store_revocation *row, void *ctx)
{
	struct until *until = ctx;

	if (row->key_len == strlen(until->key) &&
	    memcmp(row->key, until->key, row->key_len) == 0)
		until->until = row->until;
	return (0);
}

static int64_t
revoked_until(const char *key)
{
	struct store *s = ctl_store_in(ctl_data);
	struct until until = {key, 0};

	cr_assert_eq(
	    store_revocation_each(s, 0, 0, take_until, &until), STORE_OK);
	store_close(s);
	return (until.until);
}

static void
set_up(void)
{
	int64_t now = (int64_t)time(NULL);

	ctl_set_up();
	ctl_add("cosmo", "space-corgi\n");
	ctl_add("laika", "space-corgi\n");
	begin_session("cosmo", FIRST, now - 100);
	begin_session("cosmo", SECOND, now - 50);
	begin_session("laika", OTHER, now - 50);
}

Test(ctl_sessions, the_sessions_of_one_account_are_listed)
{
	struct run_result r;
	const jdoc *one;
	jdoc *list;

	r = ctl_input(NULL, 0, "user", "sessions", "cosmo", NULL);
	cr_expect_eq(r.status, 0);
	cr_expect_not_null(strstr(r.out, FIRST), "%s", r.out);
	cr_expect_not_null(strstr(r.out, SECOND), "%s", r.out);
	cr_expect_not_null(strstr(r.out, "192.0.2.1"), "%s", r.out);
	cr_expect_null(strstr(r.out, OTHER), "%s", r.out);
	run_free(&r);

	list = ctl_json("user", "sessions", "cosmo", "--json");
	cr_assert_eq(jdoc_count(list), 2);
	one = jdoc_element(list, 0);
	cr_expect(ctl_member_is(one, "id", SECOND));
	cr_expect(ctl_member_is(one, "client", "192.0.2.1"));
	cr_expect_eq(
	    ctl_number(one, "refreshed_at"), ctl_number(one, "created_at") + 1);
	cr_expect_eq(ctl_number(one, "expires_at"),
	    ctl_number(one, "created_at") + 3600);
	jdoc_free(list);
}

Test(ctl_sessions, one_session_can_be_ended_and_the_others_live)
{
	ctl_expect(
	    3, "no such session", "user", "revoke", "laika", FIRST, "--yes");
	cr_expect(lives(FIRST));
	ctl_expect(
	    1, "session's id", "user", "revoke", "cosmo", "no id!", "--yes");
	cr_expect_eq(ctl_status("user", "revoke", "cosmo", FIRST, "--yes"), 0);
	cr_expect_not(lives(FIRST));
	cr_expect(lives(SECOND));
	cr_expect(lives(OTHER));
	cr_expect_eq(ctl_user("cosmo").version, 0);
	cr_expect(ctl_audit_has("\"event\":\"revoke\"", FIRST));
	ctl_expect(
	    3, "no such session", "user", "revoke", "cosmo", FIRST, "--yes");
}

Test(ctl_sessions, all_sessions_of_an_account_can_be_ended)
{
	jdoc *list;

	cr_expect_eq(ctl_status("user", "revoke", "cosmo", "--yes"), 0);
	cr_expect_not(lives(FIRST));
	cr_expect_not(lives(SECOND));
	cr_expect(lives(OTHER));
	cr_expect_gt(ctl_user("cosmo").version, 0);
	cr_expect_eq(ctl_user("laika").version, 0);
	cr_expect(ctl_audit_has("\"event\":\"revoke\"", "cosmo"));
	list = ctl_json("user", "sessions", "cosmo", "--json");
	cr_expect_eq(jdoc_count(list), 0);
	jdoc_free(list);
}

Test(ctl_sessions, ending_sessions_needs_a_yes_where_nobody_can_be_asked)
{
	ctl_expect(2, "--yes", "user", "revoke", "cosmo");
	ctl_expect(2, "--yes", "user", "revoke", "cosmo", FIRST);
	cr_expect(lives(FIRST));
	cr_expect(lives(SECOND));
}

/* A revocation has to last as long as any token can: also where the service
 * was told of a longer life than corgictl. */
Test(ctl_sessions, a_revocation_lasts_a_day_or_the_configured_life)
{
	static const struct {
		const char *entry;
		int64_t least;
	} rows[] = {
	    {NULL, 86400},
	    {"JWT_ACCESS_TOKEN_EXPIRES=60", 86400},
	    {"JWT_ACCESS_TOKEN_EXPIRES=604800", 604800},
	};
	int64_t before;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ctl_env[2] = rows[i].entry;
		before = (int64_t)time(NULL);
		cr_expect_eq(ctl_status("user", "revoke", "laika", "--yes"), 0);
		cr_expect_geq(revoked_until("laika"), before + rows[i].least);
		cr_expect_lt(
		    revoked_until("laika"), before + rows[i].least + 3600);
	}
	ctl_env[2] = "JWT_ACCESS_TOKEN_EXPIRES=never";
	cr_expect_eq(ctl_status("user", "revoke", "laika", "--yes"), 0);
	cr_expect_eq(revoked_until("laika"), STORE_FOREVER);
}

Test(ctl_sessions, every_change_that_must_end_sessions_does)
{
	int64_t now = (int64_t)time(NULL);
	struct run_result r;

	cr_expect_eq(ctl_status("user", "disable", "cosmo"), 0);
	cr_expect_not(lives(FIRST));
	cr_expect_eq(ctl_status("user", "enable", "cosmo"), 0);
	begin_session("cosmo", FIRST, now);
	cr_expect_eq(ctl_status("user", "roles", "cosmo", "admin"), 0);
	cr_expect_eq(ctl_status("user", "rename", "cosmo", "astro"), 0);
	cr_expect(lives(FIRST));
	r = ctl_input("other-corgi\n", 12, "user", "passwd", "astro", NULL);
	ctl_expect_of(r, 0, "", __LINE__);
	cr_expect_not(lives(FIRST));
	begin_session("astro", FIRST, now);
	cr_expect_eq(ctl_status("user", "delete", "astro", "--yes"), 0);
	cr_expect_not(lives(FIRST));
	cr_expect(lives(OTHER));
}
