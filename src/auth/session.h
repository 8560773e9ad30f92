/*
 * session.h - the life of a login: its tokens, their renewal, its end.
 *
 * A session begins with a login and has one refresh token at a time. A refresh
 * replaces it (rotation; RFC 9700, section 4.14.2); one that comes again
 * outside the grace interval ends the session, its access tokens included.
 * Within the grace interval it gets the successor that the first one got: two
 * tabs of one browser, or a client that did not receive the answer, are no
 * theft. Refresh tokens are never stored: the store knows the newest by its
 * SHA-256, and keeps a successor sealed under a key that only the holder of its
 * predecessor can derive.
 *
 * Whatever ends tokens is committed in the store, then in the memory that all
 * workers share, and only then answered.
 *
 * Every function waits for the store: background threads and corgictl. A
 * struct session_service is read-only once made and may be shared by threads
 * and, through fork, processes; the store handle is the calling thread's own.
 */
#ifndef CORGI_SESSION_H
#define CORGI_SESSION_H

#include "auth/revocation.h"
#include "auth/token.h"
#include "store/store.h"

struct session_service {
	struct token_policy policy;
	/* Where revocations are made known; NULL (corgictl): the store alone,
	 * and the service follows its log. */
	struct revocations *revocations;
};

/* What a client gets. */
struct session_tokens {
	char *access; /* session_tokens_free() */
	char *refresh;
	struct token_made access_made;
	struct token_made refresh_made;
	char session[STORE_SESSION_ID_MAX];
};

/* How a refresh went, for the audit log. */
enum session_refreshed {
	SESSION_ROTATED,
	SESSION_REPEATED, /* in the grace interval */
	SESSION_REUSED,   /* ERR_TOKEN_REVOKED; the session has ended */
	SESSION_OVER      /* ERR_TOKEN_REVOKED; there is no session */
};

/*
 * Begin a session for an account whose password has just been verified (user
 * as the store had it then); client is an address in text. ERR_NONE with *out;
 * ERR_CREDENTIALS when the account has been disabled, removed or given another
 * password meanwhile; ERR_STORE; ERR_REVOCATIONS_FULL; ERR_INTERNAL.
 */
enum error_code session_begin(const struct session_service *svc,
    struct store *store, const struct store_user *user, const char *client,
    struct session_tokens *out) __attribute__((warn_unused_result));

/*
 * Renew a session: token is a refresh token of len bytes that token_verify()
 * has found good, claims are its claims. ERR_NONE with *out (an access token
 * that is not fresh, and the refresh token's successor); ERR_TOKEN_REVOKED,
 * see *how (may be NULL); ERR_STORE; ERR_REVOCATIONS_FULL; ERR_BUSY when out of
 * memory, or when the token has had more successors in the grace interval than
 * are followed; ERR_INTERNAL. A refresh token without a session of ours (one
 * issued by another application with the same key) is ERR_TOKEN_REVOKED, too:
 * nobody could tell its reuse.
 */
enum error_code session_renew(const struct session_service *svc,
    struct store *store, const char *token, size_t len,
    const struct claims *claims, const char *client, struct session_tokens *out,
    enum session_refreshed *how) __attribute__((warn_unused_result));

/*
 * The same in three steps, for whoever puts several changes into one
 * transaction. What is signed is signed before it and after it, so that nobody
 * waits for its lock meanwhile.
 *
 * Before: *change, to be released by session_change_free() in any case (it may
 * be NULL). What is given stays the caller's and has to stay where it is until
 * then; *out gets the tokens in the end. Results as those of session_begin()
 * and session_renew().
 */
struct session_change;
enum error_code session_prepare_begin(const struct session_service *svc,
    const struct store_user *user, const char *client,
    struct session_tokens *out, struct session_change **change)
    __attribute__((warn_unused_result));
enum error_code session_prepare_renewal(const struct session_service *svc,
    struct store *store, const char *token, size_t len,
    const struct claims *claims, const char *client, struct session_tokens *out,
    struct session_change **change) __attribute__((warn_unused_result));

/* The change: one operation of the store. When the transaction that it was part
 * of has been undone, it may be done again. */
enum error_code session_change(struct session_change *change,
    struct store *store) __attribute__((warn_unused_result));

/* After a change that went well, once it is kept: make known what it ended, and
 * complete the tokens. how: of a renewal; may be NULL. */
enum error_code
session_complete(struct session_change *change, struct store *store,
    enum session_refreshed *how) __attribute__((warn_unused_result));

void session_change_free(struct session_change *change);

/*
 * End the session that a token belongs to, with all its tokens; of a token
 * without a session of ours the token itself. ERR_NONE; ERR_TOKEN_REVOKED for
 * the refresh token of a session that has ended already (of such a session the
 * workers know only until its last access token has expired); ERR_STORE;
 * ERR_REVOCATIONS_FULL (the store has it, the workers do not yet).
 * Where made is not NULL, what was ended is not made known yet, as this is part
 * of a transaction: it is there for session_apply(), once that is kept.
 */
enum error_code session_end(const struct session_service *svc,
    struct store *store, const struct claims *claims,
    struct store_revocation *made) __attribute__((warn_unused_result));

/*
 * End every session of the account that a token names, and refuse whatever
 * was issued to it until now. A token of somebody who has no account here only
 * ends itself. Results as session_end().
 */
enum error_code
session_end_all(const struct session_service *svc, struct store *store,
    const struct claims *claims) __attribute__((warn_unused_result));

/* The seconds for which an access token can live: STORE_FOREVER for never. */
int64_t session_token_life(const struct session_service *svc);

/* Make a revocation known to all workers; of kind NONE there is nothing to.
 * ERR_NONE or ERR_REVOCATIONS_FULL. */
enum error_code session_apply(const struct session_service *svc,
    const struct store_revocation *made) __attribute__((warn_unused_result));

/* Wipe and release what a struct session_tokens holds. */
void session_tokens_free(struct session_tokens *tokens);

#endif
