#include <stdbool.h>
#include <string.h>

#include "auth/session_internal.h"
#include "base/log.h"
#include "base/secret.h"

/* What a token may be sealed to (see STORE_SEALED_MAX). */
#define SEALED_TOKEN_MAX (STORE_SEALED_MAX - SECRET_SEAL_EXTRA)

static enum error_code make_known(const struct session_service *,
    const struct store_revocation *, struct store_revocation *);
static enum error_code end_token(const struct session_service *, struct store *,
    const struct claims *, struct store_revocation *);
static bool is_of(struct store *, const struct claims *, int64_t);

/* A second that comes so many seconds later; FOREVER stays. */
int64_t
session_later(int64_t now, int64_t seconds)
{
	int64_t then;

	if (seconds == CONFIG_NEVER || seconds == STORE_FOREVER ||
	    now == STORE_FOREVER || __builtin_add_overflow(now, seconds, &then))
		return (STORE_FOREVER);
	return (then);
}

int64_t
session_earlier(int64_t a, int64_t b)
{
	return (a < b ? a : b);
}

/* "exp" of an access token that is issued now: within its session, unless it
 * is meant to be for ever. */
int64_t
session_access_end(
    const struct session_service *svc, int64_t now, int64_t session_end)
{
	int64_t end = session_later(now, svc->policy.config->access_expires);

	return (end == STORE_FOREVER ? end : session_earlier(end, session_end));
}

/* Until when a token with that "exp" may be accepted. */
int64_t
session_accepted_until(const struct session_service *svc, int64_t expires)
{
	return (session_later(expires, svc->policy.config->leeway));
}

int64_t
session_token_life(const struct session_service *svc)
{
	return (session_accepted_until(
	    svc, session_access_end(svc, 0, STORE_FOREVER)));
}

enum error_code
session_apply(
    const struct session_service *svc, const struct store_revocation *made)
{
	if (svc->revocations == NULL || made->kind == STORE_REVOKE_NONE)
		return (ERR_NONE);
	if (revocations_apply(
		svc->revocations, made, clock_now(&svc->policy.clock)) == 0)
		return (ERR_NONE);
	log_line(
	    LOG_LEVEL_ERR, "no room for a revocation: raise CORGI_REVOCATIONS");
	return (ERR_REVOCATIONS_FULL);
}

/* Now, or by the caller when it asks for it. */
static enum error_code
make_known(const struct session_service *svc,
    const struct store_revocation *what, struct store_revocation *made)
{
	if (made == NULL)
		return (session_apply(svc, what));
	*made = *what;
	return (ERR_NONE);
}

void
session_tokens_free(struct session_tokens *tokens)
{
	if (tokens->access != NULL)
		secret_free_mem(tokens->access, strlen(tokens->access));
	if (tokens->refresh != NULL)
		secret_free_mem(tokens->refresh, strlen(tokens->refresh));
	secret_wipe(tokens, sizeof(*tokens));
}

enum error_code
session_say_store(struct store *store)
{
	log_line(LOG_LEVEL_ERR, "session: the store cannot answer: %s",
	    store_error(store));
	return (ERR_STORE);
}

/* With the roles and the version that the account has in the store's answer:
 * whatever changes them afterwards revokes this token, too. */
enum error_code
session_issue_access(const struct session_service *svc,
    const struct store_user *user, bool fresh, int64_t expires,
    struct session_tokens *out)
{
	const struct token_request request = {
	    .kind = TOKEN_ACCESS,
	    .subject = user->subject,
	    .subject_len = user->subject_len,
	    .fresh = fresh,
	    .session = out->session,
	    .version = user->version,
	    .roles = user->roles,
	    .expires = expires,
	};

	return (token_issue(
	    &svc->policy, &request, &out->access, &out->access_made));
}

enum error_code
session_issue_refresh(const struct session_service *svc, const char *subject,
    size_t subject_len, int64_t expires, struct session_tokens *out)
{
	const struct token_request request = {
	    .kind = TOKEN_REFRESH,
	    .subject = subject,
	    .subject_len = subject_len,
	    .session = out->session,
	    .expires = expires,
	};
	enum error_code code;

	code = token_issue(
	    &svc->policy, &request, &out->refresh, &out->refresh_made);
	if (code == ERR_NONE && strlen(out->refresh) > SEALED_TOKEN_MAX) {
		log_line(
		    LOG_LEVEL_ERR, "a refresh token is too long to be renewed");
		code = ERR_INTERNAL;
	}
	return (code);
}

/* A token that belongs to no session of ours, by its id. */
static enum error_code
end_token(const struct session_service *svc, struct store *store,
    const struct claims *claims, struct store_revocation *made)
{
	uint8_t room[REVOCATION_ID_ROOM];
	struct store_revocation ended;
	const void *id;

	memset(&ended, 0, sizeof(ended));
	ended.kind = STORE_REVOKE_TOKEN;
	ended.key_len = strlen(claims_id(claims));
	id = revocation_id(claims_id(claims), &ended.key_len, room);
	(void)memcpy(ended.key, id, ended.key_len);
	ended.until = session_accepted_until(svc, claims_expires(claims));
	if (store_revocation_add(store, &ended) != STORE_OK)
		return (session_say_store(store));
	return (make_known(svc, &ended, made));
}

/*
 * An access token of another application may outlive those that are issued
 * here, so its own end counts as well.
 */
enum error_code
session_end(const struct session_service *svc, struct store *store,
    const struct claims *claims, struct store_revocation *made)
{
	const char *id = claims_session(claims);
	struct store_revocation ended;
	struct store_session session;
	enum store_result result = STORE_OK;
	int64_t until, own;

	if (made != NULL)
		made->kind = STORE_REVOKE_NONE;
	if (id[0] == '\0')
		return (end_token(svc, store, claims, made));
	until = session_later(
	    clock_now(&svc->policy.clock), session_token_life(svc));
	if (claims_kind(claims) == TOKEN_REFRESH) {
		result = store_session_find(store, id, &session);
	} else {
		own = session_accepted_until(svc, claims_expires(claims));
		until = until > own ? until : own;
	}
	if (result == STORE_OK)
		result = store_session_end(store, id, 0, until, &ended);
	switch (result) {
	case STORE_OK:
		return (make_known(svc, &ended, made));
	case STORE_NOT_FOUND:
		return (ERR_TOKEN_REVOKED);
	case STORE_INVALID: /* an id that is none of ours */
		return (end_token(svc, store, claims, made));
	default:
		return (session_say_store(store));
	}
}

/* Whether a token belongs to a session that the account has here. */
static bool
is_of(struct store *store, const struct claims *claims, int64_t user_id)
{
	struct store_session session;

	return (claims_session(claims)[0] != '\0' &&
	    store_session_find(store, claims_session(claims), &session) ==
		STORE_OK &&
	    session.user_id == user_id);
}

/*
 * Which second a token of another application was issued in says nothing about
 * the clock of whoever issued it, nor its "sid" and "ver" about what is known
 * here: it is ended by its id, too.
 */
enum error_code
session_end_all(const struct session_service *svc, struct store *store,
    const struct claims *claims)
{
	struct store_change change = {.kind = STORE_END_SESSIONS};
	enum store_result result = STORE_NOT_FOUND;
	struct store_revocation made;
	enum error_code code;
	struct store_user user;
	const char *subject;
	bool ours = false;
	size_t len;

	memset(&user, 0, sizeof(user));
	subject = claims_subject(claims, &len);
	if (len >= 1 && len <= STORE_NAME_MAX)
		result = store_user_find_subject(store, subject, len, &user);
	if (result == STORE_OK) {
		ours = is_of(store, claims, user.id);
		change.user_id = user.id;
		change.now = clock_now(&svc->policy.clock);
		change.token_life = session_token_life(svc);
		secret_wipe(&user, sizeof(user));
		result = store_user_change(store, &change, &made);
	}
	if (result == STORE_NOT_FOUND)
		return (session_end(svc, store, claims, NULL));
	if (result != STORE_OK)
		return (session_say_store(store));
	code = session_apply(svc, &made);
	if (code == ERR_NONE && !ours)
		code = end_token(svc, store, claims, NULL);
	return (code);
}
