/*
 * Sessions: how they begin and are renewed, and what happens to a refresh token
 * that comes a second time.
 */
#include "session_kit.h"

#include <pthread.h>

#define RACERS 20

/* A thread that renews with a store handle of its own. */
struct racer {
	pthread_t thread;
	const char *token;
	struct session_tokens out;
	enum session_refreshed how;
	enum error_code code;
};

static bool folder_has(const void *, size_t);
static void expect_not_kept(const char *);
static void expect_json(unsigned int, const char *, const char *, bool);
static void expect_changed_meanwhile(struct store_change);
static void *race(void *);

static pthread_barrier_t start;

TestSuite(
    session, .init = session_set_up, .fini = session_tear_down, .timeout = 60);

/* Whether any file of the store holds these bytes. */
static bool
folder_has(const void *bytes, size_t len)
{
	char path[PATH_MAX + NAME_MAX];
	DIR *folder = opendir(test_folder);
	struct dirent *entry;
	bool found = false;
	size_t size;
	char *all;

	cr_assert_not_null(folder);
	while ((entry = readdir(folder)) != NULL) {
		(void)snprintf(
		    path, sizeof(path), "%s/%s", test_folder, entry->d_name);
		if (entry->d_name[0] == '.')
			continue;
		all = file_bytes(path, &size);
		found = found || memmem(all, size, bytes, len) != NULL;
		free(all);
	}
	(void)closedir(folder);
	return (found);
}

/* Neither a token nor one of its parts; the part before the first dot is the
 * same in every token. */
static void
expect_not_kept(const char *token)
{
	const char *payload = strchr(token, '.') + 1;
	const char *signature = strrchr(token, '.') + 1;

	cr_expect_not(folder_has(payload, strlen(payload)));
	cr_expect_not(folder_has(payload, (size_t)(signature - payload) - 1));
	cr_expect_not(folder_has(signature, strlen(signature)));
}

static void
expect_json(unsigned int kind, const char *token, const char *part, bool there)
{
	struct claims *claims = claims_of(kind, token);
	char *json = claims_json(claims);

	cr_expect_eq(strstr(json, part) != NULL, there, "%s in %s", part, json);
	free(json);
	claims_free(claims);
}

Test(session, both_tokens_of_a_login_belong_to_its_session)
{
	struct session_tokens tokens;
	struct claims *access, *refresh;
	size_t len;

	change_user((struct store_change){.kind = STORE_SET_ROLES,
			.roles = "admin editor"},
	    true);
	kit.now++;
	user_look_up();
	tokens = begin();
	access = claims_of(TOKEN_ACCESS, tokens.access);
	refresh = claims_of(TOKEN_REFRESH, tokens.refresh);
	cr_expect_eq(strlen(tokens.session), UUID_LEN);
	cr_expect_str_eq(claims_session(access), tokens.session);
	cr_expect_str_eq(claims_session(refresh), tokens.session);
	cr_expect_str_eq(claims_subject(access, &len), "cosmo");
	cr_expect_eq(len, 5);
	cr_expect_str_eq(claims_subject(refresh, NULL), "cosmo");
	cr_expect(claims_fresh(access));
	expect_json(TOKEN_ACCESS, tokens.access, "\"ver\":1}", true);
	cr_expect_str_eq(claims_roles(access), "admin editor");
	cr_expect_eq(claims_issued(access), kit.now);
	cr_expect_eq(claims_expires(access), kit.now + ACCESS_LIFE);
	cr_expect_eq(claims_expires(refresh), kit.now + REFRESH_LIFE);
	cr_expect_str_eq(tokens.access_made.id, claims_id(access));
	cr_expect_str_eq(tokens.refresh_made.id, claims_id(refresh));
	cr_expect_str_neq(tokens.access_made.id, tokens.refresh_made.id);
	cr_expect_str_eq(tokens.refresh_made.csrf, claims_csrf(refresh));
	cr_expect_eq(tokens.refresh_made.expires, kit.now + REFRESH_LIFE);
	claims_free(access);
	claims_free(refresh);
	expect_json(
	    TOKEN_REFRESH, tokens.refresh, "\"type\":\"refresh\"", true);
	expect_json(TOKEN_REFRESH, tokens.refresh, "\"roles\"", false);
	expect_json(TOKEN_REFRESH, tokens.refresh, "\"ver\"", false);
	session_tokens_free(&tokens);
	cr_expect_null(tokens.access);
	session_tokens_free(&tokens);
}

Test(session, the_store_knows_a_session_as_it_began)
{
	struct session_tokens tokens;
	struct store_session session;

	kit.config.leeway = 7;
	tokens = begin();
	cr_assert_eq(
	    store_session_find(store, tokens.session, &session), STORE_OK);
	cr_expect_eq(session.user_id, user.id);
	cr_expect_str_eq(session.client, "192.0.2.1");
	cr_expect_eq(session.created_at, kit.now);
	cr_expect_eq(session.refreshed_at, kit.now);
	cr_expect_eq(session.expires_at, kit.now + REFRESH_LIFE);
	cr_expect_eq(session.ends_at, kit.now + SESSION_LIFE);
	cr_expect_eq(session.access_until, kit.now + ACCESS_LIFE + 7);
	session_tokens_free(&tokens);
}

Test(session, no_token_outlives_its_session)
{
	struct session_tokens tokens;
	struct claims *claims;

	kit.config.session_expires = 600;
	kit.config.access_expires = 900;
	tokens = begin();
	claims = claims_of(TOKEN_ACCESS, tokens.access);
	cr_expect_eq(claims_expires(claims), kit.now + 600);
	claims_free(claims);
	kit.now += 100;
	rotate(&tokens);
	claims = claims_of(TOKEN_ACCESS, tokens.access);
	cr_expect_eq(claims_expires(claims), kit.now + 500);
	claims_free(claims);
	session_tokens_free(&tokens);

	kit.config.session_expires = 1200;
	tokens = begin();
	claims = claims_of(TOKEN_REFRESH, tokens.refresh);
	cr_expect_eq(claims_expires(claims), kit.now + 1200);
	claims_free(claims);
	session_tokens_free(&tokens);

	kit.config.session_expires = CONFIG_NEVER;
	kit.config.refresh_expires = CONFIG_NEVER;
	kit.config.access_expires = CONFIG_NEVER;
	tokens = begin();
	expect_json(TOKEN_ACCESS, tokens.access, "\"exp\"", false);
	expect_json(TOKEN_REFRESH, tokens.refresh, "\"exp\"", false);
	kit.now += 1000000000;
	rotate(&tokens);
	expect_json(TOKEN_REFRESH, tokens.refresh, "\"exp\"", false);
	session_tokens_free(&tokens);
}

/* Who has the database has no token. */
Test(session, no_refresh_token_can_be_read_in_the_store)
{
	struct session_tokens tokens = begin();
	uint8_t digest[SECRET_DIGEST_LEN];
	char *first = strdup(tokens.refresh), sid[UUID_LEN + 1];

	(void)snprintf(sid, sizeof(sid), "%s", tokens.session);
	rotate(&tokens);
	secret_digest(tokens.refresh, strlen(tokens.refresh), digest);
	cr_expect(folder_has(sid, strlen(sid)), "what is kept is found");
	cr_expect(folder_has(digest, sizeof(digest)));
	secret_digest(first, strlen(first), digest);
	cr_expect(folder_has(digest, sizeof(digest)));
	expect_not_kept(first);
	expect_not_kept(tokens.refresh);
	expect_not_kept(tokens.access);
	free(first);
	session_tokens_free(&tokens);
}

static void
expect_changed_meanwhile(struct store_change change)
{
	static const struct session_tokens nothing;
	struct session_tokens tokens;

	tokens = begin();
	session_tokens_free(&tokens);
	change_user(change, true);
	memset(&tokens, 'x', sizeof(tokens));
	cr_expect_eq(
	    session_begin(&service, store, &user, "192.0.2.1", &tokens),
	    ERR_CREDENTIALS);
	cr_expect_arr_eq(&tokens, &nothing, sizeof(tokens));
	cr_expect_eq(count_rows("sessions"), 0);
}

Test(session, none_begins_with_a_password_changed_meanwhile)
{
	expect_changed_meanwhile((struct store_change){
	    .kind = STORE_SET_PASSWORD, .hash = HASH_A "x"});
}

Test(session, none_begins_with_an_account_disabled_meanwhile)
{
	expect_changed_meanwhile(
	    (struct store_change){.kind = STORE_SET_DISABLED});
}

Test(session, none_begins_with_an_account_removed_meanwhile)
{
	expect_changed_meanwhile(
	    (struct store_change){.kind = STORE_DELETE_USER});
}

/* What changes the roles while the password is checked counts. */
Test(session, one_begins_with_the_roles_of_that_moment)
{
	struct session_tokens tokens;
	struct claims *claims;

	change_user(
	    (struct store_change){.kind = STORE_SET_ROLES, .roles = "editor"},
	    true);
	tokens = begin();
	claims = claims_of(TOKEN_ACCESS, tokens.access);
	cr_expect_str_eq(claims_roles(claims), "editor");
	expect_json(TOKEN_ACCESS, tokens.access, "\"ver\":1}", true);
	claims_free(claims);
	session_tokens_free(&tokens);
}

Test(session, one_too_many_ends_the_one_used_longest_ago)
{
	struct session_tokens tokens[3];
	int i;

	kit.config.sessions_per_user = 2;
	for (i = 0; i < 2; i++) {
		tokens[i] = begin();
		kit.now++;
	}
	rotate(&tokens[0]);
	kit.now++;
	cr_expect_eq(verdict(TOKEN_ACCESS, tokens[1].access), ERR_NONE);
	tokens[2] = begin();
	cr_expect_eq(count_rows("sessions"), 2);
	cr_expect_eq(verdict(TOKEN_ACCESS, tokens[0].access), ERR_NONE);
	cr_expect_eq(
	    verdict(TOKEN_ACCESS, tokens[1].access), ERR_TOKEN_REVOKED);
	cr_expect_eq(
	    verdict(TOKEN_REFRESH, tokens[1].refresh), ERR_TOKEN_REVOKED);
	cr_expect_eq(verdict(TOKEN_ACCESS, tokens[2].access), ERR_NONE);
	for (i = 0; i < 3; i++)
		session_tokens_free(&tokens[i]);
}

Test(session, a_renewal_gives_another_pair_that_is_not_fresh)
{
	struct session_tokens tokens = begin(), next;
	struct claims *access, *refresh;
	struct store_session session;
	enum session_refreshed how;

	change_user(
	    (struct store_change){.kind = STORE_SET_ROLES, .roles = "admin"},
	    true);
	kit.now += 100;
	cr_expect_eq(
	    verdict(TOKEN_ACCESS, tokens.access), ERR_TOKEN_REVOKED, "roles");
	cr_assert_eq(renew(tokens.refresh, &next, &how), ERR_NONE);
	cr_expect_eq(how, SESSION_ROTATED);
	cr_expect_str_eq(next.session, tokens.session);
	cr_expect_str_neq(next.refresh, tokens.refresh);
	access = claims_of(TOKEN_ACCESS, next.access);
	refresh = claims_of(TOKEN_REFRESH, next.refresh);
	cr_expect_not(claims_fresh(access));
	cr_expect_str_eq(claims_roles(access), "admin");
	expect_json(TOKEN_ACCESS, next.access, "\"ver\":1}", true);
	cr_expect_str_eq(claims_session(access), tokens.session);
	cr_expect_str_eq(claims_session(refresh), tokens.session);
	cr_expect_str_neq(claims_id(access), tokens.access_made.id);
	cr_expect_str_neq(claims_id(refresh), tokens.refresh_made.id);
	cr_expect_eq(claims_expires(access), kit.now + ACCESS_LIFE);
	cr_expect_eq(claims_expires(refresh), kit.now + REFRESH_LIFE);
	claims_free(access);
	claims_free(refresh);
	cr_assert_eq(
	    store_session_find(store, tokens.session, &session), STORE_OK);
	cr_expect_str_eq(session.client, "192.0.2.2");
	cr_expect_eq(session.refreshed_at, kit.now);
	cr_expect_eq(session.access_until, kit.now + ACCESS_LIFE);
	session_tokens_free(&tokens);
	session_tokens_free(&next);
}

Test(session, a_repeated_renewal_gives_the_same_successor)
{
	struct session_tokens tokens = begin(), again;
	char *first = strdup(tokens.refresh);
	enum session_refreshed how;
	struct token_made made;

	rotate(&tokens);
	made = tokens.refresh_made;
	kit.now += GRACE - 1;
	expect_repeated(first, tokens.refresh);
	cr_assert_eq(renew(first, &again, &how), ERR_NONE);
	cr_expect_str_eq(again.refresh_made.id, made.id);
	cr_expect_str_eq(again.refresh_made.csrf, made.csrf);
	cr_expect_eq(again.refresh_made.issued, made.issued);
	cr_expect_eq(again.refresh_made.expires, made.expires);
	cr_expect_eq(again.access_made.expires, kit.now + ACCESS_LIFE);
	session_tokens_free(&again);
	rotate(&tokens);
	free(first);
	session_tokens_free(&tokens);
}

/* Else whoever gets the older successor would soon count as a thief. */
Test(session, a_repeated_renewal_gives_the_newest_of_a_chain)
{
	struct session_tokens tokens = begin();
	char *first = strdup(tokens.refresh), *second;

	rotate(&tokens);
	second = strdup(tokens.refresh);
	kit.now += 3;
	rotate(&tokens);
	expect_repeated(first, tokens.refresh);
	expect_repeated(second, tokens.refresh);
	kit.now += 3;
	rotate(&tokens);
	expect_repeated(first, tokens.refresh);
	kit.now += 4;
	expect_repeated(second, tokens.refresh);
	expect_refused(first, SESSION_REUSED);
	cr_expect_eq(verdict(TOKEN_ACCESS, tokens.access), ERR_TOKEN_REVOKED);
	free(first);
	free(second);
	session_tokens_free(&tokens);
}

Test(session, a_chain_without_end_is_not_followed)
{
	struct session_tokens tokens = begin(), none;
	char *first = strdup(tokens.refresh);
	int i;

	for (i = 0; i < 64; i++)
		rotate(&tokens);
	expect_repeated(first, tokens.refresh);
	rotate(&tokens);
	cr_expect_eq(renew(first, &none, NULL), ERR_BUSY);
	cr_expect_not_null(strstr(logged, "too many"), "%s", logged);
	rotate(&tokens);
	cr_expect_eq(verdict(TOKEN_ACCESS, tokens.access), ERR_NONE);
	free(first);
	session_tokens_free(&tokens);
}

Test(session, a_reused_token_ends_its_session_and_no_other)
{
	struct session_tokens tokens = begin(), other = begin();
	char *first = strdup(tokens.refresh), *access = strdup(tokens.access);

	rotate(&tokens);
	kit.now += GRACE;
	cr_expect_eq(verdict(TOKEN_ACCESS, access), ERR_NONE);
	cr_expect_eq(verdict(TOKEN_ACCESS, tokens.access), ERR_NONE);
	expect_refused(first, SESSION_REUSED);
	cr_expect_eq(verdict(TOKEN_ACCESS, access), ERR_TOKEN_REVOKED);
	cr_expect_eq(verdict(TOKEN_ACCESS, tokens.access), ERR_TOKEN_REVOKED);
	cr_expect_eq(verdict(TOKEN_REFRESH, tokens.refresh), ERR_TOKEN_REVOKED);
	cr_expect_not(has_session(store, tokens.session));
	cr_expect_eq(count_rows("rotations"), 0);
	rotate(&other);
	cr_expect_eq(verdict(TOKEN_ACCESS, other.access), ERR_NONE);

	/* When the workers have forgotten it, the store has not. */
	kit.now += ACCESS_LIFE;
	cr_expect_eq(verdict(TOKEN_REFRESH, tokens.refresh), ERR_NONE);
	expect_refused(tokens.refresh, SESSION_OVER);
	free(first);
	free(access);
	session_tokens_free(&tokens);
	session_tokens_free(&other);
}

/* Of two at once, the one that asked the clock first may get the lock last. */
Test(session, without_grace_a_token_works_once)
{
	struct session_tokens tokens;
	int64_t earlier;
	char *first;

	kit.config.refresh_grace = 0;
	for (earlier = 0; earlier < 2; earlier++) {
		tokens = begin();
		first = strdup(tokens.refresh);
		kit.now += earlier;
		rotate(&tokens);
		kit.now -= earlier;
		expect_refused(first, SESSION_REUSED);
		kit.now += earlier;
		cr_expect_eq(
		    verdict(TOKEN_ACCESS, tokens.access), ERR_TOKEN_REVOKED);
		free(first);
		session_tokens_free(&tokens);
	}
}

Test(session, a_session_lives_while_it_is_renewed_and_ends_all_the_same)
{
	struct session_tokens tokens = begin();
	int64_t begun = kit.now;
	struct claims *claims;

	kit.now = begun + 1999;
	rotate(&tokens);
	kit.now = begun + 3998;
	rotate(&tokens);
	claims = claims_of(TOKEN_REFRESH, tokens.refresh);
	cr_expect_eq(claims_expires(claims), begun + SESSION_LIFE);
	claims_free(claims);
	kit.now = begun + SESSION_LIFE - 1;
	rotate(&tokens);
	kit.now = begun + SESSION_LIFE;
	cr_expect_eq(verdict(TOKEN_REFRESH, tokens.refresh), ERR_TOKEN_EXPIRED);
	kit.config.leeway = 100;
	cr_expect_eq(verdict(TOKEN_REFRESH, tokens.refresh), ERR_NONE);
	expect_refused(tokens.refresh, SESSION_OVER);
	session_tokens_free(&tokens);
}

Test(session, a_session_that_is_not_renewed_ends)
{
	struct session_tokens tokens = begin();

	kit.now += REFRESH_LIFE;
	cr_expect_eq(verdict(TOKEN_REFRESH, tokens.refresh), ERR_TOKEN_EXPIRED);
	session_tokens_free(&tokens);
}

Test(session, only_tokens_of_a_session_here_are_renewed)
{
	static const char *const sessions[] = {"",
	    ",\"sid\":\"0a1b2c3d-0000-4000-8000-000000000001\"",
	    ",\"sid\":\"not/ours at all\"", ",\"sid\":\"\"", ",\"sid\":7"};
	struct session_tokens tokens = begin();
	char payload[512], *token;
	size_t i;

	for (i = 0; i < sizeof(sessions) / sizeof(sessions[0]); i++) {
		(void)snprintf(payload, sizeof(payload),
		    "{\"sub\":\"cosmo\",\"jti\":\"j\",\"iat\":1700000000,"
		    "\"exp\":1700000900,\"type\":\"refresh\"%s}",
		    sessions[i]);
		token = kit_claims(&kit, payload);
		cr_expect_eq(verdict(TOKEN_REFRESH, token), ERR_NONE);
		expect_refused(token, SESSION_OVER);
		free(token);
	}
	/* Well signed and of this session, but never given out. */
	(void)snprintf(payload, sizeof(payload),
	    "{\"sub\":\"cosmo\",\"jti\":\"j\",\"iat\":1700000000,"
	    "\"exp\":1700000900,\"type\":\"refresh\",\"sid\":\"%s\"}",
	    tokens.session);
	token = kit_claims(&kit, payload);
	expect_refused(token, SESSION_REUSED);
	free(token);
	session_tokens_free(&tokens);
}

/* Before the workers have heard of it. */
Test(session, a_disabled_account_renews_nothing)
{
	struct session_tokens tokens = begin();

	run_sql(test_path, "UPDATE users SET disabled = 1");
	expect_refused(tokens.refresh, SESSION_OVER);
	run_sql(test_path, "UPDATE users SET disabled = 0");
	rotate(&tokens);
	change_user((struct store_change){.kind = STORE_SET_DISABLED}, false);
	expect_refused(tokens.refresh, SESSION_OVER);
	session_tokens_free(&tokens);
}

static void *
race(void *ctx)
{
	struct racer *racer = ctx;
	char error[STORE_ERROR_MAX];
	struct claims *claims;
	struct store *own;
	size_t len = strlen(racer->token);

	racer->code = ERR_INTERNAL;
	if (store_open_sqlite(test_path, &own, error) != STORE_OK)
		own = NULL;
	(void)pthread_barrier_wait(&start);
	if (own == NULL)
		return (NULL);
	racer->code = token_verify(
	    &kit.policy, TOKEN_REFRESH, racer->token, len, &claims, NULL);
	if (racer->code == ERR_NONE)
		racer->code = session_renew(&service, own, racer->token, len,
		    claims, "192.0.2.3", &racer->out, &racer->how);
	claims_free(claims);
	store_close(own);
	return (NULL);
}

Test(session, twenty_renewals_at_once_have_one_successor)
{
	static struct racer racers[RACERS];
	struct session_tokens tokens = begin();
	int i, rotated = 0;

	cr_assert_eq(pthread_barrier_init(&start, NULL, RACERS), 0);
	for (i = 0; i < RACERS; i++) {
		racers[i].token = tokens.refresh;
		cr_assert_eq(
		    pthread_create(&racers[i].thread, NULL, race, &racers[i]),
		    0);
	}
	for (i = 0; i < RACERS; i++) {
		cr_assert_eq(pthread_join(racers[i].thread, NULL), 0);
		cr_assert_eq(racers[i].code, ERR_NONE, "%d: %s", i, logged);
		rotated += racers[i].how == SESSION_ROTATED;
		cr_expect_str_eq(racers[i].out.refresh, racers[0].out.refresh);
		cr_expect_eq(
		    verdict(TOKEN_ACCESS, racers[i].out.access), ERR_NONE);
	}
	cr_expect_eq(rotated, 1);
	cr_expect_eq(count_rows("sessions"), 1);
	cr_expect_eq(count_rows("rotations"), 1);
	cr_expect_eq(count_rows("revocations"), 0);
	rotate(&racers[0].out);
	for (i = 0; i < RACERS; i++)
		session_tokens_free(&racers[i].out);
	session_tokens_free(&tokens);
	(void)pthread_barrier_destroy(&start);
}

Test(session, a_store_that_cannot_answer_begins_and_renews_nothing)
{
	struct session_tokens tokens = begin(), none;
	enum session_refreshed how;

	run_sql(test_path, "ALTER TABLE sessions RENAME TO away");
	cr_expect_eq(session_begin(&service, store, &user, "192.0.2.1", &none),
	    ERR_STORE);
	cr_expect_null(none.access);
	cr_expect_null(none.refresh);
	cr_expect_eq(renew(tokens.refresh, &none, &how), ERR_STORE);
	cr_expect_not_null(strstr(logged, "corgi.db"), "%s", logged);
	run_sql(test_path, "ALTER TABLE away RENAME TO sessions");
	rotate(&tokens);
	session_tokens_free(&tokens);
}

Test(session, a_damaged_successor_is_not_given_out)
{
	struct session_tokens tokens = begin(), none;
	char *first = strdup(tokens.refresh);

	rotate(&tokens);
	run_sql(test_path, "UPDATE rotations SET sealed = zeroblob(100)");
	cr_expect_eq(renew(first, &none, NULL), ERR_STORE);
	cr_expect_not_null(strstr(logged, "damaged"), "%s", logged);
	run_sql(test_path, "UPDATE rotations SET sealed = x'01'");
	cr_expect_eq(renew(first, &none, NULL), ERR_STORE);
	rotate(&tokens);
	free(first);
	session_tokens_free(&tokens);
}
