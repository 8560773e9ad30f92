/*
 * session_kit.h - what the tests of sessions share: a service on a real store
 * with an account, tokens and what they say.
 */
#ifndef CORGI_TEST_SESSION_KIT_H
#define CORGI_TEST_SESSION_KIT_H

#include "store_helpers.h"
#include "token_kit.h"
#include "revocation_kit.h"

#include "auth/session.h"
#include "base/log.h"

#define SESSION_HELPER static __attribute__((unused))

/* Seconds. */
#define ACCESS_LIFE  900
#define REFRESH_LIFE 2000
#define SESSION_LIFE 5000
#define GRACE        10

static struct kit kit;
static struct store *store;
static struct revocations *revoked;
static struct session_service service;
static struct store_user user; /* cosmo */

/* What was logged last. */
static char logged[LOG_LINE_MAX];

SESSION_HELPER void
keep_line(enum log_level level, const char *line, void *ctx)
{
	(void)level;
	(void)ctx;
	(void)snprintf(logged, sizeof(logged), "%s", line);
}

/* The account as the store has it now. */
SESSION_HELPER void
user_look_up(void)
{
	cr_assert_eq(store_user_find(store, "cosmo", 5, &user), STORE_OK, "%s",
	    store_error(store));
}

SESSION_HELPER void
session_set_up(void)
{
	folder_make();
	log_open(keep_line, NULL, LOG_LEVEL_DEBUG);
	kit_hmac(&kit, "HS256");
	kit.config.access_expires = ACCESS_LIFE;
	kit.config.refresh_expires = REFRESH_LIFE;
	kit.config.session_expires = SESSION_LIFE;
	kit.config.refresh_grace = GRACE;
	revoked = table_new(100);
	kit.policy.revocations = revoked;
	service.policy = kit.policy;
	service.revocations = revoked;
	store = open_store();
	(void)have_account(store, "cosmo");
	user_look_up();
}

SESSION_HELPER void
session_tear_down(void)
{
	store_close(store);
	revocations_free(revoked);
	kit_free(&kit);
	folder_remove();
}

/* Begin a session of cosmo, which has to work. */
SESSION_HELPER struct session_tokens
begin(void)
{
	struct session_tokens tokens;

	cr_assert_eq(
	    session_begin(&service, store, &user, "192.0.2.1", &tokens),
	    ERR_NONE, "%s", logged);
	return (tokens);
}

/* Why a token is refused, or ERR_NONE. */
SESSION_HELPER enum error_code
verdict(unsigned int kind, const char *token)
{
	struct claims *claims;
	enum error_code code;

	code = token_verify(
	    &kit.policy, kind, token, strlen(token), &claims, NULL);
	claims_free(claims);
	return (code);
}

/* The claims of a token that has to be good; claims_free(). */
SESSION_HELPER struct claims *
claims_of(unsigned int kind, const char *token)
{
	struct claims *claims;

	cr_assert_eq(token_verify(&kit.policy, kind, token, strlen(token),
			 &claims, NULL),
	    ERR_NONE, "%s", token);
	return (claims);
}

/* A token of another application with the same key, with these members and, in
 * case they are not among them, "iat" and "exp"; free(). */
SESSION_HELPER char *
token_made(const char *members)
{
	char payload[4096];

	(void)snprintf(payload, sizeof(payload), "{%s%s%s}",
	    strstr(members, "\"iat\"") == NULL ? "\"iat\":1700000000," : "",
	    strstr(members, "\"exp\"") == NULL ? "\"exp\":1700004000," : "",
	    members);
	return (kit_claims(&kit, payload));
}

/* The claims of such a token; claims_free(). */
SESSION_HELPER struct claims *
claims_made(const char *members)
{
	char *token = token_made(members);
	struct claims *claims;

	claims = claims_of(TOKEN_ACCESS | TOKEN_REFRESH, token);
	free(token);
	return (claims);
}

/* Present a refresh token, as the service does. */
SESSION_HELPER enum error_code
renew(
    const char *token, struct session_tokens *out, enum session_refreshed *how)
{
	struct claims *claims;
	enum error_code code;

	memset(out, 0, sizeof(*out));
	code = token_verify(
	    &kit.policy, TOKEN_REFRESH, token, strlen(token), &claims, NULL);
	if (code != ERR_NONE)
		return (code);
	code = session_renew(&service, store, token, strlen(token), claims,
	    "192.0.2.2", out, how);
	claims_free(claims);
	cr_expect_eq(code == ERR_NONE, out->access != NULL);
	cr_expect_eq(code == ERR_NONE, out->refresh != NULL);
	return (code);
}

/* One rotation, which has to work: the tokens are replaced. */
SESSION_HELPER void
rotate(struct session_tokens *tokens)
{
	struct session_tokens next;
	enum session_refreshed how;

	cr_assert_eq(
	    renew(tokens->refresh, &next, &how), ERR_NONE, "%s", logged);
	cr_assert_eq(how, SESSION_ROTATED);
	session_tokens_free(tokens);
	*tokens = next;
}

/* Give out a second time what a token was renewed to. */
SESSION_HELPER void
expect_repeated(const char *token, const char *newest)
{
	struct session_tokens again;
	enum session_refreshed how;

	cr_assert_eq(renew(token, &again, &how), ERR_NONE, "%s", logged);
	cr_expect_eq(how, SESSION_REPEATED);
	cr_expect_str_eq(again.refresh, newest);
	cr_expect_eq(verdict(TOKEN_ACCESS, again.access), ERR_NONE);
	session_tokens_free(&again);
}

SESSION_HELPER void
expect_refused(const char *token, enum session_refreshed want)
{
	struct session_tokens none;
	enum session_refreshed how = SESSION_ROTATED;

	cr_expect_eq(renew(token, &none, &how), ERR_TOKEN_REVOKED);
	cr_expect_eq(how, want, "%d", (int)how);
}

/* A change of cosmo in the store, and in the shared memory if apply. */
SESSION_HELPER void
change_user(struct store_change change, bool apply)
{
	struct store_revocation made;

	change.user_id = user.id;
	change.now = kit.now;
	change.token_life = session_token_life(&service);
	cr_assert_eq(store_user_change(store, &change, &made), STORE_OK, "%s",
	    store_error(store));
	if (apply)
		cr_assert_eq(session_apply(&service, &made), ERR_NONE);
}

SESSION_HELPER int64_t
count_rows(const char *table)
{
	char sql[128];

	(void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", table);
	return (atoll(query_text(test_path, sql)));
}

/* Take all the room there is for revocations. */
SESSION_HELPER void
fill_revocations(void)
{
	uint32_t n, full = 0;

	for (n = 0; full < 10000; n++)
		if (put_number(revoked, n, INT64_MAX, kit.now) == -1)
			full++;
}

#endif
