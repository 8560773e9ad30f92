/*
 * session_change.c - a session begins or is renewed, in three steps: what is
 * signed costs time that no transaction has to last for.
 */
#include <stdlib.h>
#include <string.h>

#include "auth/session_internal.h"
#include "base/log.h"
#include "base/secret.h"

/*
 * How often successor follows successor within one grace interval, at most,
 * until somebody who comes with the first is refused: far beyond what honest
 * clients do.
 */
#define CHAIN_MAX 64

/* The store knows milliseconds where a second is too coarse. */
#define MS 1000

_Static_assert(STORE_DIGEST_LEN == SECRET_DIGEST_LEN,
    "a refresh token is known by its SHA-256");
_Static_assert(STORE_SESSION_ID_MAX > UUID_LEN, "a session's id is a UUID");

/* A renewal needs more memory than a thread's stack should hold. */
struct session_change {
	const struct session_service *svc;
	struct session_tokens *out;
	struct store_session session;
	int64_t access_expires;
	bool renews;

	/* Of a session that begins. */
	const struct store_user *user; /* the caller's */
	uint8_t digest[STORE_DIGEST_LEN];
	struct store_user current;
	struct store_revocation ended;

	/* Of one that is renewed. */
	const char *token; /* the caller's */
	size_t token_len;
	const char *client;
	struct store_refresh refresh;
	struct store_refresh_result result;
	uint8_t sealed[STORE_SEALED_MAX];
};

static struct session_change *
change_new(const struct session_service *, struct session_tokens *);
static enum error_code find(struct session_change *, struct store *);
static void describe(struct session_change *, int64_t);
static enum error_code complete_begin(struct session_change *);
static enum error_code complete_renewal(
    struct session_change *, struct store *, enum session_refreshed *);
static enum error_code take_successor(struct session_change *, struct store *);
static int open_successor(struct session_change *, const char *, size_t);
static enum error_code describe_refresh(struct session_change *);
static enum error_code carry_out(struct session_change *, struct store *,
    enum error_code, enum session_refreshed *);

static struct session_change *
change_new(const struct session_service *svc, struct session_tokens *out)
{
	struct session_change *change = calloc(1, sizeof(*change));

	memset(out, 0, sizeof(*out));
	if (change != NULL) {
		change->svc = svc;
		change->out = out;
	}
	return (change);
}

void
session_change_free(struct session_change *change)
{
	if (change != NULL)
		secret_free_mem(change, sizeof(*change));
}

enum error_code
session_prepare_begin(const struct session_service *svc,
    const struct store_user *user, const char *client,
    struct session_tokens *out, struct session_change **change)
{
	const struct config *config = svc->policy.config;
	int64_t now = clock_now(&svc->policy.clock);
	struct store_session *session;
	enum error_code code;

	*change = change_new(svc, out);
	if (*change == NULL)
		return (ERR_BUSY);
	(*change)->user = user;
	secret_uuid4(out->session);
	session = &(*change)->session;
	(void)memcpy(session->id, out->session, sizeof(session->id));
	(void)strncpy(session->client, client, sizeof(session->client) - 1);
	session->user_id = user->id;
	session->created_at = session->refreshed_at = now;
	session->ends_at = session_later(now, config->session_expires);
	session->expires_at = session_earlier(
	    session_later(now, config->refresh_expires), session->ends_at);
	(*change)->access_expires =
	    session_access_end(svc, now, session->ends_at);
	session->access_until =
	    session_accepted_until(svc, (*change)->access_expires);
	code = session_issue_refresh(
	    svc, user->subject, user->subject_len, session->expires_at, out);
	if (code == ERR_NONE)
		secret_digest(
		    out->refresh, strlen(out->refresh), (*change)->digest);
	else
		session_tokens_free(out);
	return (code);
}

/*
 * The successor is made before it is known whether this token is the newest:
 * its digest has to be in the transaction that decides. Where it is not, it was
 * made in vain and nobody ever sees it.
 */
enum error_code
session_prepare_renewal(const struct session_service *svc, struct store *store,
    const char *token, size_t len, const struct claims *claims,
    const char *client, struct session_tokens *out,
    struct session_change **change)
{
	int64_t now_ms = clock_now_ms(&svc->policy.clock);
	struct session_change *c = change_new(svc, out);
	const char *subject;
	enum error_code code;
	size_t subject_len;

	*change = c;
	if (claims_session(claims)[0] == '\0')
		return (ERR_TOKEN_REVOKED);
	if (c == NULL)
		return (ERR_BUSY);
	(void)strncpy(
	    out->session, claims_session(claims), sizeof(out->session) - 1);
	c->renews = true;
	c->token = token;
	c->token_len = len;
	c->client = client;
	if ((code = find(c, store)) == ERR_NONE) {
		describe(c, now_ms);
		subject = claims_subject(claims, &subject_len);
		code = session_issue_refresh(
		    svc, subject, subject_len, c->refresh.expires_at, out);
	}
	if (code != ERR_NONE) {
		session_tokens_free(out);
		return (code);
	}
	len = strlen(out->refresh);
	secret_digest(c->token, c->token_len, c->refresh.presented);
	secret_digest(out->refresh, len, c->refresh.successor);
	secret_seal(
	    c->token, c->token_len, out->session, out->refresh, len, c->sealed);
	c->refresh.sealed_len = len + SECRET_SEAL_EXTRA;
	return (ERR_NONE);
}

static enum error_code
find(struct session_change *c, struct store *store)
{
	switch (store_session_find(store, c->out->session, &c->session)) {
	case STORE_OK:
		return (ERR_NONE);
	case STORE_NOT_FOUND:
	case STORE_INVALID:
		return (ERR_TOKEN_REVOKED);
	default:
		return (session_say_store(store));
	}
}

/* What the store is asked to do. */
static void
describe(struct session_change *c, int64_t now_ms)
{
	const struct config *config = c->svc->policy.config;
	int64_t now = now_ms / MS;

	c->access_expires = session_access_end(c->svc, now, c->session.ends_at);
	c->refresh.session = c->session.id;
	c->refresh.client = c->client;
	c->refresh.now_ms = now_ms;
	c->refresh.grace_ms = config->refresh_grace * MS;
	c->refresh.expires_at = session_earlier(
	    session_later(now, config->refresh_expires), c->session.ends_at);
	c->refresh.access_until =
	    session_accepted_until(c->svc, c->access_expires);
	c->refresh.token_life = session_token_life(c->svc);
	c->refresh.sealed = c->sealed;
}

enum error_code
session_change(struct session_change *c, struct store *store)
{
	enum store_result result;

	if (c->renews)
		result = store_session_refresh(store, &c->refresh, &c->result);
	else
		result = store_session_add(store, &c->session, c->user->hash,
		    c->digest, c->svc->policy.config->sessions_per_user,
		    &c->current, &c->ended);
	if (result == STORE_OK)
		return (ERR_NONE);
	if (result != STORE_NOT_FOUND)
		return (session_say_store(store));
	return (c->renews ? ERR_TOKEN_REVOKED : ERR_CREDENTIALS);
}

enum error_code
session_complete(
    struct session_change *c, struct store *store, enum session_refreshed *how)
{
	enum session_refreshed own;
	enum error_code code;

	if (c->renews)
		code = complete_renewal(c, store, how != NULL ? how : &own);
	else
		code = complete_begin(c);
	if (code != ERR_NONE)
		session_tokens_free(c->out);
	return (code);
}

static enum error_code
complete_begin(struct session_change *c)
{
	enum error_code code = session_apply(c->svc, &c->ended);

	if (code != ERR_NONE)
		return (code);
	return (session_issue_access(
	    c->svc, &c->current, true, c->access_expires, c->out));
}

/* What the store's verdict means. */
static enum error_code
complete_renewal(
    struct session_change *c, struct store *store, enum session_refreshed *how)
{
	enum error_code code = ERR_NONE;

	switch (c->result.verdict) {
	case STORE_REFRESH_ROTATED:
		*how = SESSION_ROTATED;
		break;
	case STORE_REFRESH_REPEATED:
		*how = SESSION_REPEATED;
		code = take_successor(c, store);
		if (code == ERR_NONE)
			code = describe_refresh(c);
		break;
	case STORE_REFRESH_REUSED:
		*how = SESSION_REUSED;
		code = session_apply(c->svc, &c->result.made);
		if (code == ERR_NONE)
			code = ERR_TOKEN_REVOKED;
		break;
	}
	if (code != ERR_NONE)
		return (code);
	return (session_issue_access(
	    c->svc, &c->result.user, false, c->access_expires, c->out));
}

/*
 * The successor that the first one to come has got. If that has been followed
 * in turn, whoever gets it now would soon come with a token that counts as
 * stolen: so the newest of them is given out, each being the key to the next.
 */
static enum error_code
take_successor(struct session_change *c, struct store *store)
{
	int64_t since = c->refresh.now_ms - c->refresh.grace_ms;
	int64_t until = c->refresh.now_ms + STORE_LATER_MS;
	struct session_tokens *out = c->out;
	uint8_t digest[STORE_DIGEST_LEN];
	enum store_result result;
	size_t i;

	if (open_successor(c, c->token, c->token_len) == -1)
		return (ERR_STORE);
	for (i = 0; i < CHAIN_MAX; i++) {
		secret_digest(out->refresh, strlen(out->refresh), digest);
		result = store_session_successor(store, out->session, digest,
		    since, until, c->result.sealed, &c->result.sealed_len);
		if (result == STORE_NOT_FOUND)
			return (ERR_NONE);
		if (result != STORE_OK)
			return (session_say_store(store));
		if (open_successor(c, out->refresh, strlen(out->refresh)) == -1)
			return (ERR_STORE);
	}
	/* The store is in order, and need not be opened anew for this. */
	log_line(LOG_LEVEL_ERR, "session %s: too many refreshes at once",
	    out->session);
	return (ERR_BUSY);
}

/* Open a sealed successor with its predecessor; it takes the place of
 * out->refresh. */
static int
open_successor(struct session_change *c, const char *key, size_t key_len)
{
	const struct store_refresh_result *found = &c->result;
	size_t len = found->sealed_len - SECRET_SEAL_EXTRA;
	struct session_tokens *out = c->out;
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
describe_refresh(struct session_change *c)
{
	struct token_made *made = &c->out->refresh_made;
	enum error_code code;
	struct claims *claims;

	code = token_verify(&c->svc->policy, TOKEN_REFRESH, c->out->refresh,
	    strlen(c->out->refresh), &claims, NULL);
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

/* The steps that are left of one that is a transaction of its own. */
static enum error_code
carry_out(struct session_change *c, struct store *store, enum error_code code,
    enum session_refreshed *how)
{
	if (code == ERR_NONE && (code = session_change(c, store)) != ERR_NONE)
		session_tokens_free(c->out);
	if (code == ERR_NONE)
		code = session_complete(c, store, how);
	session_change_free(c);
	return (code);
}

enum error_code
session_begin(const struct session_service *svc, struct store *store,
    const struct store_user *user, const char *client,
    struct session_tokens *out)
{
	struct session_change *change;
	enum error_code code;

	code = session_prepare_begin(svc, user, client, out, &change);
	return (carry_out(change, store, code, NULL));
}

enum error_code
session_renew(const struct session_service *svc, struct store *store,
    const char *token, size_t len, const struct claims *claims,
    const char *client, struct session_tokens *out, enum session_refreshed *how)
{
	struct session_change *change;
	enum error_code code;

	if (how != NULL)
		*how = SESSION_OVER;
	code = session_prepare_renewal(
	    svc, store, token, len, claims, client, out, &change);
	return (carry_out(change, store, code, how));
}
