/*
 * The end of sessions: what is refused from then on, also of tokens that other
 * applications made, and for how long.
 */
#include "session_kit.h"

static void end_by(unsigned int, const char *, enum error_code);
static void expect_both(const struct session_tokens *, enum error_code);
static void restart(void);
static const char *last_until(void);
static void end_made(const char *, const char *);

TestSuite(session_end, .init = session_set_up, .fini = session_tear_down,
    .timeout = 60);

/* End the session of a token. */
static void
end_by(unsigned int kind, const char *token, enum error_code want)
{
	struct claims *claims = claims_of(kind, token);

	cr_expect_eq(
	    session_end(&service, store, claims, NULL), want, "%s", logged);
	claims_free(claims);
}

static void
expect_both(const struct session_tokens *tokens, enum error_code want)
{
	cr_expect_eq(verdict(TOKEN_ACCESS, tokens->access), want);
	cr_expect_eq(verdict(TOKEN_REFRESH, tokens->refresh), want);
}

/* New shared memory, filled from the store. */
static void
restart(void)
{
	int64_t last = 0;

	revocations_free(revoked);
	revoked = table_new(100);
	kit.policy.revocations = revoked;
	service.policy.revocations = service.revocations = revoked;
	cr_assert_eq(
	    revocations_follow(revoked, store, kit.now, &last), STORE_OK);
}

/* "until" of the newest row of the log. */
static const char *
last_until(void)
{
	return (query_text(test_path,
	    "SELECT until FROM revocations ORDER BY number DESC LIMIT 1"));
}

/* End one of two such tokens; the other has to go on. */
static void
end_made(const char *ended, const char *other)
{
	char *first = token_made(ended), *second = token_made(other);

	cr_expect_eq(verdict(TOKEN_ACCESS, first), ERR_NONE, "%s", ended);
	end_by(TOKEN_ACCESS, first, ERR_NONE);
	cr_expect_eq(
	    verdict(TOKEN_ACCESS, first), ERR_TOKEN_REVOKED, "%s", ended);
	cr_expect_eq(verdict(TOKEN_ACCESS, second), ERR_NONE, "%s", other);
	restart();
	cr_expect_eq(verdict(TOKEN_ACCESS, first), ERR_TOKEN_REVOKED);
	cr_expect_eq(verdict(TOKEN_ACCESS, second), ERR_NONE);
	free(first);
	free(second);
}

Test(session_end, an_access_token_ends_its_session)
{
	struct session_tokens tokens = begin(), other = begin();
	char *earlier = strdup(tokens.access);

	rotate(&tokens);
	expect_both(&tokens, ERR_NONE);
	end_by(TOKEN_ACCESS, tokens.access, ERR_NONE);
	expect_both(&tokens, ERR_TOKEN_REVOKED);
	cr_expect_eq(verdict(TOKEN_ACCESS, earlier), ERR_TOKEN_REVOKED);
	expect_both(&other, ERR_NONE);
	cr_expect_not(has_session(store, tokens.session));
	restart();
	expect_both(&tokens, ERR_TOKEN_REVOKED);
	expect_both(&other, ERR_NONE);
	free(earlier);
	session_tokens_free(&tokens);
	session_tokens_free(&other);
}

Test(session_end, a_refresh_token_ends_its_session)
{
	struct session_tokens tokens = begin(), other = begin();

	end_by(TOKEN_REFRESH, tokens.refresh, ERR_NONE);
	expect_both(&tokens, ERR_TOKEN_REVOKED);
	expect_both(&other, ERR_NONE);
	session_tokens_free(&tokens);
	session_tokens_free(&other);
}

/* Found good just before somebody else ended it, or after its workers have
 * forgotten that. */
Test(session_end, the_refresh_token_of_an_ended_session_is_refused)
{
	struct session_tokens tokens = begin(), none;
	struct claims *refresh = claims_of(TOKEN_REFRESH, tokens.refresh);
	struct claims *access = claims_of(TOKEN_ACCESS, tokens.access);
	enum session_refreshed how;

	cr_expect_eq(session_end(&service, store, access, NULL), ERR_NONE);
	cr_expect_eq(
	    session_end(&service, store, access, NULL), ERR_NONE, "again");
	cr_expect_eq(
	    session_end(&service, store, refresh, NULL), ERR_TOKEN_REVOKED);
	cr_expect_eq(
	    session_renew(&service, store, tokens.refresh,
		strlen(tokens.refresh), refresh, "192.0.2.1", &none, &how),
	    ERR_TOKEN_REVOKED);
	cr_expect_eq(how, SESSION_OVER);
	claims_free(access);
	claims_free(refresh);
	kit.now += ACCESS_LIFE;
	end_by(TOKEN_REFRESH, tokens.refresh, ERR_TOKEN_REVOKED);
	session_tokens_free(&tokens);
}

/* The last second in which a token of the session could be accepted. */
Test(session_end, it_is_remembered_until_the_last_token_has_expired)
{
	struct session_tokens tokens = begin(), other = begin();
	char want[32];

	kit.now += 100;
	rotate(&tokens);
	rotate(&other);
	kit.now += 50;
	end_by(TOKEN_REFRESH, tokens.refresh, ERR_NONE);
	(void)snprintf(
	    want, sizeof(want), "%lld", (long long)kit.now + ACCESS_LIFE);
	cr_expect_str_eq(last_until(), want);
	kit.now += ACCESS_LIFE - 51;
	cr_expect_eq(verdict(TOKEN_ACCESS, other.access), ERR_NONE);
	cr_expect_eq(verdict(TOKEN_ACCESS, tokens.access), ERR_TOKEN_REVOKED);
	kit.now++;
	cr_expect_eq(verdict(TOKEN_ACCESS, other.access), ERR_TOKEN_EXPIRED);
	session_tokens_free(&tokens);
	session_tokens_free(&other);
}

Test(session_end, the_leeway_is_part_of_how_long_that_is)
{
	struct session_tokens tokens, other;
	char want[32];

	kit.config.leeway = 60;
	cr_expect_eq(session_token_life(&service), ACCESS_LIFE + 60);
	tokens = begin();
	other = begin();
	end_by(TOKEN_ACCESS, tokens.access, ERR_NONE);
	(void)snprintf(
	    want, sizeof(want), "%lld", (long long)kit.now + ACCESS_LIFE + 60);
	cr_expect_str_eq(last_until(), want);
	kit.now += ACCESS_LIFE + 59;
	cr_expect_eq(verdict(TOKEN_ACCESS, other.access), ERR_NONE);
	cr_expect_eq(verdict(TOKEN_ACCESS, tokens.access), ERR_TOKEN_REVOKED);
	kit.now++;
	cr_expect_eq(verdict(TOKEN_ACCESS, other.access), ERR_TOKEN_EXPIRED);
	session_tokens_free(&tokens);
	session_tokens_free(&other);
}

Test(session_end, of_tokens_that_never_expire_it_is_remembered_for_ever)
{
	struct session_tokens tokens;

	kit.config.access_expires = CONFIG_NEVER;
	cr_expect_eq(session_token_life(&service), STORE_FOREVER);
	tokens = begin();
	end_by(TOKEN_ACCESS, tokens.access, ERR_NONE);
	cr_expect_str_eq(last_until(), "9223372036854775807");
	kit.now += INT64_C(3000000000);
	cr_expect_eq(verdict(TOKEN_ACCESS, tokens.access), ERR_TOKEN_REVOKED);
	session_tokens_free(&tokens);
}

Test(session_end, a_token_without_a_session_ends_alone)
{
	end_made("\"sub\":\"cosmo\",\"jti\":\"j1\",\"exp\":1700000500",
	    "\"sub\":\"cosmo\",\"jti\":\"j2\",\"exp\":1700000500");
	cr_expect_str_eq(last_until(), "1700000500");
	kit.config.leeway = 30;
	end_made("\"sub\":\"cosmo\",\"jti\":\"j3\",\"exp\":1700005000",
	    "\"sub\":\"cosmo\",\"jti\":\"j4\",\"exp\":1700005000");
	cr_expect_str_eq(last_until(), "1700005030");
}

Test(session_end, a_token_that_never_expires_is_remembered_for_ever)
{
	struct claims *claims;
	char *token;

	kit.config.access_expires = CONFIG_NEVER;
	token = kit_claims(
	    &kit, "{\"sub\":\"x\",\"jti\":\"j1\",\"iat\":1700000000}");
	claims = claims_of(TOKEN_ACCESS, token);
	cr_expect_eq(session_end(&service, store, claims, NULL), ERR_NONE);
	cr_expect_str_eq(last_until(), "9223372036854775807");
	kit.now += INT64_C(3000000000);
	cr_expect_eq(verdict(TOKEN_ACCESS, token), ERR_TOKEN_REVOKED);
	claims_free(claims);
	free(token);
}

Test(session_end, an_id_of_any_length_will_do)
{
	char one[1500], two[1500], id[1001];

	memset(id, 'j', sizeof(id) - 1);
	id[sizeof(id) - 1] = '\0';
	(void)snprintf(one, sizeof(one), "\"sub\":\"x\",\"jti\":\"%sa\"", id);
	(void)snprintf(two, sizeof(two), "\"sub\":\"x\",\"jti\":\"%sb\"", id);
	end_made(one, two);
	id[STORE_NAME_MAX - 1] = '\0';
	(void)snprintf(one, sizeof(one), "\"sub\":\"x\",\"jti\":\"%sa\"", id);
	(void)snprintf(two, sizeof(two), "\"sub\":\"x\",\"jti\":\"%sb\"", id);
	end_made(one, two);
	end_made("\"sub\":\"x\",\"jti\":\"\"", "\"sub\":\"x\",\"jti\":\" \"");
	end_made("\"sub\":\"x\",\"jti\":\"\xc3\xa4\xf0\x9f\x90\x95\"",
	    "\"sub\":\"x\",\"jti\":\"\xc3\xa4\"");
}

/* A session of another application: by its id where it can be one of ours,
 * else the token alone. */
Test(session_end, a_foreign_session_is_ended_as_far_as_it_can_be)
{
	char *same =
	    token_made("\"sub\":\"x\",\"jti\":\"j3\",\"sid\":\"foreign-1\"");

	end_made("\"sub\":\"x\",\"jti\":\"j1\",\"sid\":\"foreign-1\"",
	    "\"sub\":\"x\",\"jti\":\"j2\",\"sid\":\"foreign-2\"");
	cr_expect_eq(verdict(TOKEN_ACCESS, same), ERR_TOKEN_REVOKED);
	free(same);
	same = token_made("\"sub\":\"x\",\"jti\":\"j3\",\"sid\":\"a/b c\"");
	end_made("\"sub\":\"x\",\"jti\":\"j1\",\"sid\":\"a/b c\"",
	    "\"sub\":\"x\",\"jti\":\"j2\",\"sid\":\"a/b c\"");
	cr_expect_eq(verdict(TOKEN_ACCESS, same), ERR_NONE);
	free(same);
	/* One that lives longer than ours do. */
	end_made("\"sub\":\"x\",\"jti\":\"j8\",\"sid\":\"s\","
		 "\"exp\":1700009000",
	    "\"sub\":\"x\",\"jti\":\"j2\",\"sid\":\"t\",\"exp\":1700009000");
	cr_expect_str_eq(last_until(), "1700009000");
}

Test(session_end, all_sessions_of_the_account_end_and_no_others)
{
	struct session_tokens a = begin(), b = begin(), c, later;
	struct store_user cosmo = user;
	struct claims *claims;

	(void)have_account(store, "nova");
	cr_assert_eq(store_user_find(store, "nova", 4, &user), STORE_OK);
	c = begin();
	user = cosmo;
	claims = claims_of(TOKEN_ACCESS, a.access);
	cr_expect_eq(session_end_all(&service, store, claims), ERR_NONE);
	claims_free(claims);
	cr_expect_eq(verdict(TOKEN_ACCESS, a.access), ERR_TOKEN_REVOKED);
	cr_expect_eq(verdict(TOKEN_ACCESS, b.access), ERR_TOKEN_REVOKED);
	expect_refused(a.refresh, SESSION_OVER);
	expect_refused(b.refresh, SESSION_OVER);
	expect_both(&c, ERR_NONE);
	cr_expect_eq(count_rows("sessions"), 1);
	later = begin();
	expect_both(&later, ERR_NONE);
	restart();
	cr_expect_eq(verdict(TOKEN_ACCESS, b.access), ERR_TOKEN_REVOKED);
	expect_both(&c, ERR_NONE);
	expect_both(&later, ERR_NONE);
	rotate(&later);
	session_tokens_free(&a);
	session_tokens_free(&b);
	session_tokens_free(&c);
	session_tokens_free(&later);
}

/* Also one that another application issued, even if its clock is ahead. */
Test(session_end, with_all_sessions_the_token_itself_ends)
{
	static const char *const members[] = {
	    "\"sub\":\"cosmo\",\"jti\":\"j1\"",
	    "\"sub\":\"cosmo\",\"jti\":\"j2\",\"sid\":\"foreign\"",
	    "\"sub\":\"cosmo\",\"jti\":\"j3\",\"sid\":\"a/b c\"",
	    "\"sub\":\"cosmo\",\"jti\":\"j4\",\"sid\":\"foreign\",\"ver\":99",
	    "\"sub\":\"cosmo\",\"jti\":\"j5\",\"sid\":\"a/b c\",\"ver\":99",
	    "\"sub\":\"cosmo\",\"jti\":\"j6\",\"iat\":1700000099",
	    "\"sub\":\"cosmo\",\"jti\":\"j7\",\"type\":\"refresh\"",
	    "\"sub\":\"cosmo\",\"jti\":\"j8\",\"type\":\"refresh\","
	    "\"sid\":\"foreign\"",
	};
	struct claims *claims;
	char *token;
	size_t i;

	kit.config.leeway = 100;
	for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		token = token_made(members[i]);
		claims = claims_of(TOKEN_ACCESS | TOKEN_REFRESH, token);
		cr_expect_eq(session_end_all(&service, store, claims), ERR_NONE,
		    "%s", members[i]);
		cr_expect_eq(verdict(TOKEN_ACCESS | TOKEN_REFRESH, token),
		    ERR_TOKEN_REVOKED, "%s", members[i]);
		claims_free(claims);
		free(token);
		/* Each as the first one. */
		run_sql(test_path,
		    "DELETE FROM revocations; UPDATE users SET version = 0");
		restart();
	}
}

Test(session_end, tokens_of_the_subject_end_that_came_before)
{
	char *before = token_made("\"sub\":\"cosmo\",\"jti\":\"j1\"");
	char *other = token_made("\"sub\":\"nova\",\"jti\":\"j1\"");
	struct session_tokens tokens = begin();
	char *after;
	struct claims *claims;

	after =
	    token_made("\"sub\":\"cosmo\",\"jti\":\"j2\",\"iat\":1700000011");
	kit.now += 10;
	claims = claims_of(TOKEN_ACCESS, tokens.access);
	cr_expect_eq(verdict(TOKEN_ACCESS, before), ERR_NONE);
	cr_expect_eq(session_end_all(&service, store, claims), ERR_NONE);
	claims_free(claims);
	kit.now++;
	cr_expect_eq(verdict(TOKEN_ACCESS, before), ERR_TOKEN_REVOKED);
	cr_expect_eq(verdict(TOKEN_ACCESS, other), ERR_NONE);
	cr_expect_eq(verdict(TOKEN_ACCESS, after), ERR_NONE);
	free(before);
	free(other);
	free(after);
	session_tokens_free(&tokens);
}

Test(session_end, who_has_no_account_here_only_ends_the_token)
{
	static const char *const members[] = {
	    "\"sub\":\"nobody\",\"jti\":\"j1\"",
	    "\"sub\":\"\",\"jti\":\"j2\"",
	    "\"jti\":\"j3\",\"sub\":\"nobody\",\"sid\":\"a/b c\"",
	};
	char *token, *other = token_made("\"sub\":\"nobody\",\"jti\":\"o\"");
	struct claims *claims;
	size_t i;

	for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		token = token_made(members[i]);
		claims = claims_of(TOKEN_ACCESS, token);
		cr_expect_eq(
		    session_end_all(&service, store, claims), ERR_NONE);
		cr_expect_eq(verdict(TOKEN_ACCESS, token), ERR_TOKEN_REVOKED,
		    "%s", members[i]);
		cr_expect_eq(verdict(TOKEN_ACCESS, other), ERR_NONE);
		claims_free(claims);
		free(token);
	}
	free(other);
}

/* corgictl: the service follows the log. */
Test(session_end, without_shared_memory_the_store_has_it)
{
	struct session_tokens tokens = begin();
	int64_t last = 0;

	service.revocations = NULL;
	end_by(TOKEN_ACCESS, tokens.access, ERR_NONE);
	cr_expect_eq(verdict(TOKEN_ACCESS, tokens.access), ERR_NONE);
	cr_assert_eq(
	    revocations_follow(revoked, store, kit.now, &last), STORE_OK);
	cr_expect_eq(verdict(TOKEN_ACCESS, tokens.access), ERR_TOKEN_REVOKED);
	session_tokens_free(&tokens);
}

Test(session_end, where_the_workers_have_no_room_the_store_has_it)
{
	struct session_tokens tokens = begin(), other = begin();
	char *token = token_made("\"sub\":\"nobody\",\"jti\":\"j1\"");
	struct claims *claims = claims_of(TOKEN_ACCESS, other.access);

	fill_revocations();
	end_by(TOKEN_ACCESS, tokens.access, ERR_REVOCATIONS_FULL);
	cr_expect_not_null(strstr(logged, "CORGI_REVOCATIONS"), "%s", logged);
	end_by(TOKEN_ACCESS, token, ERR_REVOCATIONS_FULL);
	cr_expect_eq(
	    session_end_all(&service, store, claims), ERR_REVOCATIONS_FULL);
	claims_free(claims);
	cr_expect_eq(count_rows("sessions"), 0);
	cr_expect_eq(count_rows("revocations"), 3);
	restart();
	expect_both(&tokens, ERR_TOKEN_REVOKED);
	cr_expect_eq(verdict(TOKEN_ACCESS, token), ERR_TOKEN_REVOKED);
	cr_expect_eq(verdict(TOKEN_ACCESS, other.access), ERR_TOKEN_REVOKED);
	free(token);
	session_tokens_free(&tokens);
	session_tokens_free(&other);
}

/* Reuse is a theft: it is not to be told from one that was noted. */
Test(session_end, a_reuse_without_room_is_not_a_success)
{
	struct session_tokens tokens = begin(), none;
	char *first = strdup(tokens.refresh);

	rotate(&tokens);
	kit.now += GRACE;
	fill_revocations();
	cr_expect_eq(renew(first, &none, NULL), ERR_REVOCATIONS_FULL);
	cr_expect_not(has_session(store, tokens.session));
	free(first);
	session_tokens_free(&tokens);
}

Test(session_end, a_store_that_cannot_answer_ends_nothing)
{
	struct session_tokens tokens = begin();
	struct claims *access = claims_of(TOKEN_ACCESS, tokens.access);
	struct claims *refresh = claims_of(TOKEN_REFRESH, tokens.refresh);
	struct claims *foreign =
	    claims_made("\"sub\":\"nobody\",\"jti\":\"j1\"");

	run_sql(test_path, "ALTER TABLE revocations RENAME TO away");
	cr_expect_eq(session_end(&service, store, access, NULL), ERR_STORE);
	cr_expect_not_null(strstr(logged, "corgi.db"), "%s", logged);
	cr_expect_eq(session_end(&service, store, refresh, NULL), ERR_STORE);
	cr_expect_eq(session_end(&service, store, foreign, NULL), ERR_STORE);
	cr_expect_eq(session_end_all(&service, store, access), ERR_STORE);
	cr_expect_eq(session_end_all(&service, store, foreign), ERR_STORE);
	expect_both(&tokens, ERR_NONE);
	cr_expect(has_session(store, tokens.session), "undone as a whole");
	run_sql(test_path, "ALTER TABLE away RENAME TO revocations");
	run_sql(test_path, "ALTER TABLE users RENAME TO away");
	cr_expect_eq(session_end_all(&service, store, access), ERR_STORE);
	run_sql(test_path, "ALTER TABLE away RENAME TO users");
	cr_expect_eq(session_end(&service, store, access, NULL), ERR_NONE);
	expect_both(&tokens, ERR_TOKEN_REVOKED);
	claims_free(access);
	claims_free(refresh);
	claims_free(foreign);
	session_tokens_free(&tokens);
}
