#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "auth/session.h"
#include "base/log.h"
#include "base/secret.h"

/*
 * How often successor follows successor within one grace interval, at most,
 * until somebody who comes with the first is refused: far beyond what honest
 * clients do.
 */
#define CHAIN_MAX 64

/* What a token may be sealed to (see STORE_SEALED_MAX). */
#define SEALED_TOKEN_MAX (STORE_SEALED_MAX - SECRET_SEAL_EXTRA)

/* The store knows milliseconds where a second is too coarse. */
#define MS 1000

_Static_assert(STORE_DIGEST_LEN == SECRET_DIGEST_LEN,
    "a refresh token is known by its SHA-256");
_Static_assert(STORE_SESSION_ID_MAX > UUID_LEN, "a session's id is a UUID");

/* What comes to be renewed. */
struct renewal {
	const char *token;
	size_t token_len;
	const char *subject;
	size_t subject_len;
	const char *client;
};

/* What a refresh needs of memory, too much for a thread's stack. */
struct attempt {
	struct store_refresh refresh;
	struct store_refresh_result result;
	uint8_t sealed[STORE_SEALED_MAX];
};

static int64_t later(int64_t, int64_t);
static int64_t earlier_of(int64_t, int64_t);
static int64_t access_end(const struct session_service *, int64_t, int64_t);
static int64_t accepted_until(const struct session_service *, int64_t);
static enum error_code make_known(const struct session_service *,
    const struct store_revocation *, struct store_revocation *);
static enum error_code issue_access(const struct session_service *,
    const struct store_user *, bool, int64_t, struct session_tokens *);
static enum error_code issue_refresh(const struct session_service *,
    const char *, size_t, int64_t, struct session_tokens *);
static enum error_code say_store(struct store *);
static enum error_code renew(const struct session_service *, struct store *,
    const struct renewal *, struct session_tokens *, enum session_refreshed *,
    struct store_revocation *);
static enum error_code
try_refresh(const struct session_service *, struct store *,
    const struct renewal *, struct attempt *, struct session_tokens *);
static enum error_code conclude(const struct session_service *, struct store *,
    const struct renewal *, struct attempt *, struct session_tokens *,
    enum session_refreshed *, struct store_revocation *);
static enum error_code take_successor(struct store *, const struct renewal *,
    struct attempt *, struct session_tokens *);
static int open_successor(const char *, size_t,
    const struct store_refresh_result *, struct session_tokens *);
static enum error_code
describe_refresh(const struct session_service *, struct session_tokens *);
static enum error_code end_token(const struct session_service *, struct store *,
    const struct claims *, struct store_revocation *);
static bool is_of(struct store *, const struct claims *, int64_t);

/* A second that comes so many seconds later; FOREVER stays. */
static int64_t
later(int64_t now, int64_t seconds)
{
	int64_t then;

	if (seconds == CONFIG_NEVER || seconds == STORE_FOREVER ||
	    now == STORE_FOREVER || __builtin_add_overflow(now, seconds, &then))
		return (STORE_FOREVER);
	return (then);
}

static int64_t
earlier_of(int64_t a, int64_t b)
{
	return (a < b ? a : b);
}

/* "exp" of an access token that is issued now: within its session, unless it
 * is meant to be for ever. */
static int64_t
access_end(const struct session_service *svc, int64_t now, int64_t session_end)
{
	int64_t end = later(now, svc->policy.config->access_expires);

	return (end == STORE_FOREVER ? end : earlier_of(end, session_end));
}

/* Until when a token with that "exp" may be accepted. */
static int64_t
accepted_until(const struct session_service *svc, int64_t expires)
{
	return (later(expires, svc->policy.config->leeway));
}

int64_t
session_token_life(const struct session_service *svc)
{
	return (accepted_until(svc, access_end(svc, 0, STORE_FOREVER)));
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

static enum error_code
say_store(struct store *store)
{
	log_line(LOG_LEVEL_ERR, "session: the store cannot answer: %s",
	    store_error(store));
	return (ERR_STORE);
}

/* With the roles and the version that the account has in the store's answer:
 * whatever changes them afterwards revokes this token, too. */
static enum error_code
issue_access(const struct session_service *svc, const struct store_user *user,
    bool fresh, int64_t expires, struct session_tokens *out)
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

static enum error_code
issue_refresh(const struct session_service *svc, const char *subject,
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

enum error_code
session_begin(const struct session_service *svc, struct store *store,
    const struct store_user *user, const char *client,
    struct session_tokens *out, struct store_revocation *made)
{
	const struct config *config = svc->policy.config;
	int64_t now = clock_now(&svc->policy.clock), access_expires;
	uint8_t digest[STORE_DIGEST_LEN];
	struct store_session session;
	struct store_revocation ended;
	enum store_result result;
	struct store_user current;
	enum error_code code;

	memset(out, 0, sizeof(*out));
	if (made != NULL)
		made->kind = STORE_REVOKE_NONE;
	secret_uuid4(out->session);
	memset(&session, 0, sizeof(session));
	(void)memcpy(session.id, out->session, sizeof(session.id));
	(void)strncpy(session.client, client, sizeof(session.client) - 1);
	session.user_id = user->id;
	session.created_at = session.refreshed_at = now;
	session.ends_at = later(now, config->session_expires);
	session.expires_at =
	    earlier_of(later(now, config->refresh_expires), session.ends_at);
	access_expires = access_end(svc, now, session.ends_at);
	session.access_until = accepted_until(svc, access_expires);
	code = issue_refresh(
	    svc, user->subject, user->subject_len, session.expires_at, out);
	if (code != ERR_NONE)
		goto out;

	secret_digest(out->refresh, strlen(out->refresh), digest);
	result = store_session_add(store, &session, user->hash, digest,
	    config->sessions_per_user, &current, &ended);
	if (result == STORE_NOT_FOUND)
		code = ERR_CREDENTIALS;
	else if (result != STORE_OK)
		code = say_store(store);
	else if ((code = make_known(svc, &ended, made)) == ERR_NONE)
		code = issue_access(svc, &current, true, access_expires, out);
	secret_wipe(&current, sizeof(current));
out:
	if (code != ERR_NONE)
		session_tokens_free(out);
	return (code);
}

enum error_code
session_renew(const struct session_service *svc, struct store *store,
    const char *token, size_t len, const struct claims *claims,
    const char *client, struct session_tokens *out, enum session_refreshed *how,
    struct store_revocation *made)
{
	struct renewal renewal = {
	    .token = token, .token_len = len, .client = client};
	enum session_refreshed own;
	enum error_code code;

	if (how == NULL)
		how = &own;
	*how = SESSION_OVER;
	if (made != NULL)
		made->kind = STORE_REVOKE_NONE;
	memset(out, 0, sizeof(*out));
	if (claims_session(claims)[0] == '\0')
		return (ERR_TOKEN_REVOKED);
	(void)strncpy(
	    out->session, claims_session(claims), sizeof(out->session) - 1);
	renewal.subject = claims_subject(claims, &renewal.subject_len);
	code = renew(svc, store, &renewal, out, how, made);
	if (code != ERR_NONE)
		session_tokens_free(out);
	return (code);
}

/*
 * The successor is made before it is known whether this token is the newest:
 * its digest has to be in the transaction that decides. Where it is not, it was
 * made in vain and nobody ever sees it.
 */
static enum error_code
renew(const struct session_service *svc, struct store *store,
    const struct renewal *renewal, struct session_tokens *out,
    enum session_refreshed *how, struct store_revocation *made)
{
	const struct config *config = svc->policy.config;
	int64_t now_ms = clock_now_ms(&svc->policy.clock);
	int64_t now = now_ms / MS, access_expires;
	struct store_session session;
	struct attempt *attempt;
	enum store_result found;
	enum error_code code;

	found = store_session_find(store, out->session, &session);
	if (found == STORE_NOT_FOUND || found == STORE_INVALID)
		return (ERR_TOKEN_REVOKED);
	if (found != STORE_OK)
		return (say_store(store));
	access_expires = access_end(svc, now, session.ends_at);
	attempt = calloc(1, sizeof(*attempt));
	if (attempt == NULL)
		return (ERR_BUSY);
	attempt->refresh.session = session.id;
	attempt->refresh.client = renewal->client;
	attempt->refresh.now_ms = now_ms;
	attempt->refresh.grace_ms = config->refresh_grace * MS;
	attempt->refresh.expires_at =
	    earlier_of(later(now, config->refresh_expires), session.ends_at);
	attempt->refresh.access_until = accepted_until(svc, access_expires);
	attempt->refresh.token_life = session_token_life(svc);
	code = try_refresh(svc, store, renewal, attempt, out);
	if (code == ERR_NONE)
		code = conclude(svc, store, renewal, attempt, out, how, made);
	if (code == ERR_NONE)
		code = issue_access(
		    svc, &attempt->result.user, false, access_expires, out);
	secret_free_mem(attempt, sizeof(*attempt));
	return (code);
}

/* Make a successor and have the store decide. */
static enum error_code
try_refresh(const struct session_service *svc, struct store *store,
    const struct renewal *renewal, struct attempt *attempt,
    struct session_tokens *out)
{
	enum store_result result;
	enum error_code code;
	size_t len;

	code = issue_refresh(svc, renewal->subject, renewal->subject_len,
	    attempt->refresh.expires_at, out);
	if (code != ERR_NONE)
		return (code);
	len = strlen(out->refresh);
	secret_digest(
	    renewal->token, renewal->token_len, attempt->refresh.presented);
	secret_digest(out->refresh, len, attempt->refresh.successor);
	secret_seal(renewal->token, renewal->token_len, out->session,
	    out->refresh, len, attempt->sealed);
	attempt->refresh.sealed = attempt->sealed;
	attempt->refresh.sealed_len = len + SECRET_SEAL_EXTRA;
	result =
	    store_session_refresh(store, &attempt->refresh, &attempt->result);
	if (result == STORE_OK)
		return (ERR_NONE);
	return (
	    result == STORE_NOT_FOUND ? ERR_TOKEN_REVOKED : say_store(store));
}

/* What the store's verdict means. */
static enum error_code
conclude(const struct session_service *svc, struct store *store,
    const struct renewal *renewal, struct attempt *attempt,
    struct session_tokens *out, enum session_refreshed *how,
    struct store_revocation *made)
{
	enum error_code code;

	switch (attempt->result.verdict) {
	case STORE_REFRESH_ROTATED:
		*how = SESSION_ROTATED;
		return (ERR_NONE);
	case STORE_REFRESH_REPEATED:
		*how = SESSION_REPEATED;
		code = take_successor(store, renewal, attempt, out);
		return (code == ERR_NONE ? describe_refresh(svc, out) : code);
	case STORE_REFRESH_REUSED:
		break;
	}
	*how = SESSION_REUSED;
	code = make_known(svc, &attempt->result.made, made);
	return (code == ERR_NONE ? ERR_TOKEN_REVOKED : code);
}

/*
 * The successor that the first one to come has got. If that has been followed
 * in turn, whoever gets it now would soon come with a token that counts as
 * stolen: so the newest of them is given out, each being the key to the next.
 */
static enum error_code
take_successor(struct store *store, const struct renewal *renewal,
    struct attempt *attempt, struct session_tokens *out)
{
	int64_t since = attempt->refresh.now_ms - attempt->refresh.grace_ms;
	int64_t until = attempt->refresh.now_ms + STORE_LATER_MS;
	struct store_refresh_result *found = &attempt->result;
	uint8_t digest[STORE_DIGEST_LEN];
	enum store_result result;
	size_t i;

	if (open_successor(renewal->token, renewal->token_len, found, out) ==
	    -1)
		return (ERR_STORE);
	for (i = 0; i < CHAIN_MAX; i++) {
		secret_digest(out->refresh, strlen(out->refresh), digest);
		result = store_session_successor(store, out->session, digest,
		    since, until, found->sealed, &found->sealed_len);
		if (result == STORE_NOT_FOUND)
			return (ERR_NONE);
		if (result != STORE_OK)
			return (say_store(store));
		if (open_successor(
			out->refresh, strlen(out->refresh), found, out) == -1)
			return (ERR_STORE);
	}
	/* The store is in order: what others change in the same transaction
	 * has to be kept. */
	log_line(LOG_LEVEL_ERR, "session %s: too many refreshes at once",
	    out->session);
	return (ERR_BUSY);
}

/* Open a sealed successor with its predecessor; it takes the place of
 * out->refresh. */
static int
open_successor(const char *key, size_t key_len,
    const struct store_refresh_result *found, struct session_tokens *out)
{
	size_t len = found->sealed_len - SECRET_SEAL_EXTRA;
	char *text;

	if (found->sealed_len <= SECRET_SEAL_EXTRA ||
	    (text = calloc(1, len + 1)) == NULL)
		return (-1);
	if (secret_unseal(key, key_len, out->session, found->sealed,
		found->sealed_len, text) == -1) {
		log_line(LOG_LEVEL_ERR,
		    "session %s: a successor in the store is damaged",
		    out->session);
		free(text);
		return (-1);
	}
	secret_free_mem(out->refresh, strlen(out->refresh));
	out->refresh = text;
	return (0);
}

/* What cookies have to say of a refresh token that was made before. */
static enum error_code
describe_refresh(const struct session_service *svc, struct session_tokens *out)
{
	struct token_made *made = &out->refresh_made;
	enum error_code code;
	struct claims *claims;

	code = token_verify(&svc->policy, TOKEN_REFRESH, out->refresh,
	    strlen(out->refresh), &claims, NULL);
	if (code != ERR_NONE)
		return (code);
	memset(made, 0, sizeof(*made));
	(void)strncpy(made->id, claims_id(claims), sizeof(made->id) - 1);
	(void)strncpy(made->csrf, claims_csrf(claims), sizeof(made->csrf) - 1);
	made->issued = claims_issued(claims);
	made->expires = claims_expires(claims);
	claims_free(claims);
	return (ERR_NONE);
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
	ended.until = accepted_until(svc, claims_expires(claims));
	if (store_revocation_add(store, &ended) != STORE_OK)
		return (say_store(store));
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
	until = later(clock_now(&svc->policy.clock), session_token_life(svc));
	if (claims_kind(claims) == TOKEN_REFRESH) {
		result = store_session_find(store, id, &session);
	} else {
		own = accepted_until(svc, claims_expires(claims));
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
		return (say_store(store));
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
		return (say_store(store));
	code = session_apply(svc, &made);
	if (code == ERR_NONE && !ours)
		code = end_token(svc, store, claims, NULL);
	return (code);
}
