/*
 * store.h - where accounts, sessions and revocations are kept: one contract,
 * several back ends.
 *
 * A back end is a struct of operations; callers use the store_* functions,
 * which check arguments and call through it. A handle belongs to one thread at
 * a time and to the process that opened it (never carry one over a fork);
 * open one per thread. Several handles, threads and processes may work on one
 * database at once: each operation is one transaction, durable when it returns
 * STORE_OK.
 *
 * Every operation may wait for the disk or for another writer (bounded by
 * STORE_WAIT_MS): never call one from the event loop.
 */
#ifndef CORGI_STORE_H
#define CORGI_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Limits of a username in bytes of UTF-8; embedded NULs count and stay. */
#define STORE_NAME_MAX 255

/* Room for a password hash in text, with the closing NUL (bytes): hashes taken
 * over from other programs are longer than argon2id's. */
#define STORE_HASH_MAX 512

/* Room for the roles of an account, with the closing NUL (bytes), and for one
 * role. */
#define STORE_ROLES_MAX 1024
#define STORE_ROLE_MAX  65

/* Room for a session's id, an address in text, each with the NUL (bytes). */
#define STORE_SESSION_ID_MAX 37
#define STORE_CLIENT_MAX     46

/* Length of the digest by which a refresh token is known (SHA-256, bytes). */
#define STORE_DIGEST_LEN 32

/* Longest sealed successor of a refresh token (bytes). */
#define STORE_SEALED_MAX 16384

/* What stands for an account in the log of attempts, a keyed hash, and an
 * address in the network's order (bytes). */
#define STORE_ACCOUNT_LEN 16
#define STORE_ADDRESS_LEN 16

/* Most attempts that are appended at once. */
#define STORE_ATTEMPTS_MAX 32

/* "Never", and "whatever it is", in times and versions. */
#define STORE_FOREVER INT64_MAX

/* Longest wait for another writer's lock (milliseconds). */
#define STORE_WAIT_MS 5000

/* How long a revocation stays in the store when it is over (seconds): a clock
 * that was ahead and is set back brings tokens back that were revoked. */
#define STORE_KEEP_REVOKED (24 * 3600)

/* How much later than a refresh another one may seem to have been before it:
 * each asks the clock before it waits for the lock. What lies further ahead was
 * written before the clock was set back, and nobody knows how long ago. */
#define STORE_LATER_MS (INT64_C(2) * STORE_WAIT_MS)

/* Longest store_error() text, with the closing NUL (bytes). */
#define STORE_ERROR_MAX 256

enum store_result {
	STORE_OK = 0,
	STORE_NOT_FOUND, /* no such account or session */
	STORE_EXISTS,    /* the name is taken */
	STORE_INVALID,   /* an argument breaks a limit */
	STORE_BUSY,      /* another writer held the lock too long */
	STORE_FULL,      /* no room on the disk; nothing was changed */
	STORE_DAMAGED,   /* the file is no sound database */
	STORE_NEWER,     /* its schema is newer than this program */
	STORE_READONLY,  /* may not be written */
	STORE_FAILED     /* anything else; see store_error() */
};

struct store_user {
	int64_t id;                    /* never used again */
	char name[STORE_NAME_MAX + 1]; /* to log in with; and a NUL behind */
	size_t name_len;
	/*
	 * What tokens call the account. The name it was added with, or a UUID
	 * where that had been another account's subject: a subject is never
	 * given twice, and renaming leaves it alone.
	 */
	char subject[STORE_NAME_MAX + 1];
	size_t subject_len;
	char hash[STORE_HASH_MAX];
	char roles[STORE_ROLES_MAX]; /* in order, a blank between two */
	bool disabled;
	/* Grows with every change that must end access tokens already issued.
	 * Begins at 0. */
	int64_t version;
	int64_t created_at; /* seconds since 1970, UTC */
	int64_t updated_at;
};

/* A login and what was refreshed from it. */
struct store_session {
	char id[STORE_SESSION_ID_MAX]; /* UUID, the "sid" of its tokens */
	int64_t user_id;
	char client[STORE_CLIENT_MAX]; /* address at the last use */
	int64_t created_at;
	int64_t refreshed_at;
	int64_t expires_at;   /* of the newest refresh token */
	int64_t ends_at;      /* whatever is refreshed; or STORE_FOREVER */
	int64_t access_until; /* when the last of its access tokens expires */
};

enum store_revocation_kind {
	STORE_REVOKE_NONE,
	STORE_REVOKE_TOKEN,   /* key: a jti */
	STORE_REVOKE_SESSION, /* key: a session's id */
	STORE_REVOKE_USER     /* key: a subject; the newest one counts */
};

/* One row of the log of revocations, in the order of their numbers. */
struct store_revocation {
	int64_t number; /* grows with every row, in every process */
	enum store_revocation_kind kind;
	char key[STORE_NAME_MAX + 1]; /* and a NUL behind */
	size_t key_len;
	/* Of a user: tokens with a lower "ver" are refused, and of those that
	 * belong to no session here all with "iat" at or before that second.
	 * STORE_FOREVER: all. */
	int64_t version;
	int64_t before;
	/* From then on no token that this is about can be alive. */
	int64_t until;
};

enum store_attempt_kind {
	STORE_ATTEMPT_NONE,
	STORE_ATTEMPT_FAILED,       /* counts for account and address */
	STORE_ATTEMPT_FAILED_KNOWN, /* from an address the account knows */
	STORE_ATTEMPT_GOOD,
	STORE_ATTEMPT_CLEAR_ACCOUNT,
	STORE_ATTEMPT_CLEAR_ADDRESS,
	STORE_ATTEMPT_CLEAR_ALL
};

/*
 * One row of the log of attempts to log in. No clock but the server's is in
 * it: it tells how old a row is by the same clock that has dated it, so those
 * of the nodes need not agree.
 */
struct store_attempt {
	int64_t number; /* grows with every row; the log gives it */
	int64_t node;   /* who appended it, and there */
	int64_t serial; /* the one time only */
	int64_t age_ms; /* when it is appended or read */
	enum store_attempt_kind kind;
	bool has_account;
	uint8_t account[STORE_ACCOUNT_LEN];
	uint8_t address[STORE_ADDRESS_LEN]; /* all zero: none */
	/* Of an account that there is, to be shown; else 0 bytes. */
	char name[STORE_NAME_MAX + 1]; /* and a NUL behind */
	size_t name_len;
};

enum store_change_kind {
	STORE_SET_PASSWORD, /* ends all sessions */
	STORE_SET_DISABLED, /* ends all sessions */
	STORE_SET_ENABLED,
	STORE_SET_ROLES, /* sessions stay, access tokens end */
	STORE_SET_NAME,  /* nothing ends */
	STORE_END_SESSIONS,
	STORE_DELETE_USER /* ends all sessions */
};

/* A change of one account, together with what it ends. */
struct store_change {
	enum store_change_kind kind;
	int64_t user_id;
	int64_t now;
	int64_t token_life; /* longest life of an access token, or FOREVER */
	const char *hash;   /* SET_PASSWORD */
	const char *expected_hash; /* SET_PASSWORD; NULL: whatever it is */
	const char *roles;         /* SET_ROLES */
	const char *name;          /* SET_NAME */
	size_t name_len;
};

/* A refresh, to be done at once and once only. */
struct store_refresh {
	const char *session;
	uint8_t presented[STORE_DIGEST_LEN]; /* of the token that came */
	uint8_t successor[STORE_DIGEST_LEN]; /* of the one to take its place */
	const void *sealed; /* the successor, for whoever has the presented */
	size_t sealed_len;
	const char *client;
	int64_t now_ms;
	int64_t grace_ms;
	int64_t expires_at;   /* of the successor */
	int64_t access_until; /* of the access token that goes with it */
	int64_t token_life;
};

enum store_refresh_verdict {
	STORE_REFRESH_ROTATED,  /* the successor counts from now on */
	STORE_REFRESH_REPEATED, /* in the grace interval: see sealed */
	STORE_REFRESH_REUSED    /* the session has been ended */
};

struct store_refresh_result {
	enum store_refresh_verdict verdict;
	struct store_user user;
	struct store_session session;
	uint8_t sealed[STORE_SEALED_MAX]; /* REPEATED */
	size_t sealed_len;
	struct store_revocation made; /* REUSED */
};

struct store;
struct store_copy_ops; /* store_copy.h */

/*
 * What a back end provides. Contract per slot; every one returns a
 * store_result and leaves a sentence in store->error unless STORE_OK. Each is
 * one transaction, except within batch().
 */
struct store_ops {
	/* The word for this back end in messages. */
	const char *name;

	/* Release the handle and the struct itself. */
	void (*close)(struct store *);

	/* Fill *user for a name or a subject, compared byte for byte.
	 * NOT_FOUND if none. */
	enum store_result (*user_find)(struct store *, const char *name,
	    size_t len, struct store_user *user);
	enum store_result (*user_find_subject)(struct store *,
	    const char *subject, size_t len, struct store_user *user);

	/*
	 * Add an account of user's name, hash, roles, disabled, created_at
	 * and updated_at, and of its subject unless that is empty; EXISTS when
	 * the name or that subject is taken. Fills id, subject and version.
	 */
	enum store_result (*user_add)(struct store *, struct store_user *user);

	/*
	 * Replace a hash that has expired: only while the stored hash is still
	 * the expected one (NOT_FOUND otherwise), so that an upgrade never
	 * overwrites a password changed meanwhile. Ends nothing.
	 */
	enum store_result (*user_set_hash)(struct store *, int64_t id,
	    const char *expected, const char *hash, int64_t now);

	/*
	 * Change an account and, in the same transaction, end what the kind
	 * says and note the revocation. made->kind is STORE_REVOKE_NONE when
	 * there was nothing to revoke. EXISTS: the new name is taken.
	 * NOT_FOUND: no such account, or its hash is not the expected one.
	 */
	enum store_result (*user_change)(struct store *,
	    const struct store_change *change, struct store_revocation *made);

	/* Call each() for every account in the order of names, until it
	 * returns non-zero. */
	enum store_result (*user_each)(struct store *,
	    int (*each)(const struct store_user *, void *), void *ctx);

	/* How many accounts there are. */
	enum store_result (*user_count)(struct store *, int64_t *count);

	/*
	 * Keep a new session of an account that is not disabled and whose
	 * hash is still the expected one; NOT_FOUND otherwise. refresh is the
	 * digest of its refresh token. *user is the account as of this
	 * transaction. With most sessions (0: any number) there already, the
	 * one refreshed longest ago ends: *made (else kind NONE).
	 */
	enum store_result (*session_add)(struct store *,
	    const struct store_session *session, const char *expected_hash,
	    const uint8_t refresh[STORE_DIGEST_LEN], unsigned int most,
	    struct store_user *user, struct store_revocation *made);

	/*
	 * Take a refresh token: the newest of its session is followed by its
	 * successor; one that was followed less than grace_ms ago is
	 * REPEATED (with 0 none is); any other has been REUSED: the session
	 * ends and its revocation is noted. NOT_FOUND when there is no such
	 * session any more, it has expired, or the account is disabled.
	 */
	enum store_result (*session_refresh)(struct store *,
	    const struct store_refresh *refresh,
	    struct store_refresh_result *result);

	/*
	 * The sealed successor of a refresh token of a session that was
	 * followed after since_ms and not after until_ms. NOT_FOUND when it
	 * was not.
	 */
	enum store_result (*session_successor)(struct store *,
	    const char *session, const uint8_t digest[STORE_DIGEST_LEN],
	    int64_t since_ms, int64_t until_ms,
	    uint8_t sealed[STORE_SEALED_MAX], size_t *len);

	/* Fill *session for an id. NOT_FOUND if none. */
	enum store_result (*session_find)(
	    struct store *, const char *id, struct store_session *session);

	/*
	 * End a session and note its revocation, until the later of until and
	 * its access_until; also when it is gone already. user_id 0 or the
	 * account it must belong to (NOT_FOUND otherwise).
	 */
	enum store_result (*session_end)(struct store *, const char *session,
	    int64_t user_id, int64_t until, struct store_revocation *made);

	/* Call each() for the sessions of an account that live at now, the
	 * newest first. */
	enum store_result (*session_each)(struct store *, int64_t user_id,
	    int64_t now, int (*each)(const struct store_session *, void *),
	    void *ctx);

	/* Note that one token is revoked; number is filled. */
	enum store_result (*revocation_add)(
	    struct store *, struct store_revocation *revocation);

	/* Call each() for the revocations after a number that still matter at
	 * now, in their order, until it returns non-zero. */
	enum store_result (*revocation_each)(struct store *, int64_t after,
	    int64_t now, int (*each)(const struct store_revocation *, void *),
	    void *ctx);

	/*
	 * Remove what no longer matters at now: sessions that have ended, the
	 * successors of tokens followed before since_ms, revocations that
	 * have been over for STORE_KEEP_REVOKED; at most limit rows of each.
	 * *removed: rows in all.
	 */
	enum store_result (*purge)(struct store *, int64_t now,
	    int64_t since_ms, int limit, int64_t *removed);

	/* A number that changes when any other handle, of any process, has
	 * appended to the log of revocations, and may change with whatever
	 * else it does. Cheap. */
	enum store_result (*change_mark)(struct store *, int64_t *mark);

	/*
	 * Be told when the log of revocations grows: *fd becomes readable
	 * (poll.h) when there may be something to hear, or the connection is
	 * lost. -1: this back end tells nobody, see change_mark. To be asked
	 * again before each wait: *fd may be another one.
	 */
	enum store_result (*listen)(struct store *, int *fd);

	/* Take what has come: whether the log may have grown since this was
	 * last asked. Never waits. FAILED: the connection is lost. */
	enum store_result (*heard)(struct store *, bool *news);

	/*
	 * Say that a service with this key (not 0) works with the database,
	 * and ask for another key; *other 0: there is none. A server knows it
	 * until the handle is closed or the connection lost, to be said again
	 * then, and *other is that of a service that works now. A file keeps
	 * the key of the service that has started last: that of this one when
	 * it starts, and *other is what was kept until then.
	 */
	enum store_result (*key_meet)(
	    struct store *, uint32_t key, bool starts, uint32_t *other);

	/*
	 * The log of attempts, by which nodes that share a server count failed
	 * logins together. NULL, all five: this back end has none, as what it
	 * keeps is one machine's, and who asks for it is told INVALID.
	 *
	 * Append rows; each is there once, however often it is tried, and as
	 * the log of revocations this one grows in the order of its numbers.
	 * What is appended may be lost when the server crashes: nobody waits
	 * for its disk.
	 */
	enum store_result (*attempt_add)(
	    struct store *, const struct store_attempt *attempts, size_t count);

	/* Call each() for the rows after a number in their order, until it
	 * returns non-zero. */
	enum store_result (*attempt_each)(struct store *, int64_t after,
	    int (*each)(const struct store_attempt *, void *), void *ctx);

	/* The highest number in the log; 0: it is empty. Lower than it was
	 * when all has been removed, or lost in a crash. */
	enum store_result (*attempt_mark)(struct store *, int64_t *mark);

	/* The highest number that heard() was told of since this was last
	 * asked; 0: nothing, STORE_FOREVER: perhaps all. Never waits. */
	enum store_result (*attempt_told)(struct store *, int64_t *number);

	/* Remove the lowest numbers up to those as old as older_ms, and all
	 * but the highest most; at most limit rows. */
	enum store_result (*attempt_purge)(struct store *, int64_t older_ms,
	    int64_t most, int limit, int64_t *removed);

	/*
	 * Run work in one transaction: kept when it returns STORE_OK, undone
	 * and its result returned otherwise. The operations it calls on the
	 * same handle are part of it; those that fail are undone alone.
	 */
	enum store_result (*batch)(struct store *,
	    enum store_result (*work)(struct store *, void *), void *ctx);

	/* Whether the database answers; cheap, and soon: BUSY comes much
	 * earlier than after STORE_WAIT_MS. */
	enum store_result (*ping)(struct store *);

	/* What a copy asks of it. */
	const struct store_copy_ops *copy;
};

/* The head of every back end's handle. */
struct store {
	const struct store_ops *ops;
	char error[STORE_ERROR_MAX];
};

/*
 * Open the SQLite database in path, creating and migrating it when need be
 * (one transaction; many processes may try at once). The file gets mode 0600;
 * a symbolic link, or a file that others may read and that is not the
 * caller's, is refused. So is an unfinished copy of another database
 * (store_copy.h), by all of these: INVALID.
 * On failure *out is NULL and error holds one sentence.
 */
enum store_result store_open_sqlite(const char *path, struct store **out,
    char error[STORE_ERROR_MAX]) __attribute__((warn_unused_result));

/*
 * Open a database that is there, and only that: the file is never made, its
 * mode, owner and schema are never changed. FAILED also when there is none or
 * its schema is older than this program's, NEWER when it is newer; BUSY comes
 * much earlier than after STORE_WAIT_MS. For threads that may not make files;
 * store_open_sqlite() has prepared it before.
 */
enum store_result
store_open_sqlite_existing(const char *path, struct store **out,
    char error[STORE_ERROR_MAX]) __attribute__((warn_unused_result));

/*
 * The same for a PostgreSQL database: url is postgresql://..., whatever libpq
 * understands. Nothing that is left in error holds a password. The schema
 * "corgi" is made when need be, which takes the right to, as the role that the
 * address names. INVALID: no such address, or no such database; READONLY: the
 * server refuses the role, or it may not do this; BUSY: it has no connection
 * left; FAILED: it cannot be reached, and may be a moment later; NOT_FOUND, of
 * a database that is there: it holds nothing of ours yet. BUSY also while it is
 * copied from or to.
 */
enum store_result store_open_postgresql(const char *url, struct store **out,
    char error[STORE_ERROR_MAX]) __attribute__((warn_unused_result));
enum store_result
store_open_postgresql_existing(const char *url, struct store **out,
    char error[STORE_ERROR_MAX]) __attribute__((warn_unused_result));

/*
 * The same for a database of either kind: "sqlite:" and a path, or
 * "postgresql://..." (also "postgres://...").
 */
enum store_result store_open(const char *where, struct store **out,
    char error[STORE_ERROR_MAX]) __attribute__((warn_unused_result));
enum store_result store_open_existing(const char *where, struct store **out,
    char error[STORE_ERROR_MAX]) __attribute__((warn_unused_result));

/* The path of a SQLite database that where names; NULL: it names another. */
const char *store_where_path(const char *where);

/* Whether where names a database that a server keeps, which may be out of
 * reach for a while. */
bool store_where_server(const char *where);

void store_close(struct store *s);

/*
 * The operations, after a check of their arguments (STORE_INVALID with a
 * sentence): see struct store_ops.
 */
#define STORE_CHECKED __attribute__((warn_unused_result))
enum store_result store_user_find(struct store *s, const char *name, size_t len,
    struct store_user *user) STORE_CHECKED;
enum store_result store_user_find_subject(struct store *s, const char *subject,
    size_t len, struct store_user *user) STORE_CHECKED;
enum store_result
store_user_add(struct store *s, struct store_user *user) STORE_CHECKED;
enum store_result store_user_set_hash(struct store *s, int64_t id,
    const char *expected, const char *hash, int64_t now) STORE_CHECKED;
enum store_result
store_user_change(struct store *s, const struct store_change *change,
    struct store_revocation *made) STORE_CHECKED;
enum store_result store_user_each(struct store *s,
    int (*each)(const struct store_user *, void *), void *ctx) STORE_CHECKED;
enum store_result
store_user_count(struct store *s, int64_t *count) STORE_CHECKED;
enum store_result store_session_add(struct store *s,
    const struct store_session *session, const char *expected_hash,
    const uint8_t refresh[STORE_DIGEST_LEN], unsigned int most,
    struct store_user *user, struct store_revocation *made) STORE_CHECKED;
enum store_result
store_session_refresh(struct store *s, const struct store_refresh *refresh,
    struct store_refresh_result *result) STORE_CHECKED;
enum store_result store_session_successor(struct store *s, const char *session,
    const uint8_t digest[STORE_DIGEST_LEN], int64_t since_ms, int64_t until_ms,
    uint8_t sealed[STORE_SEALED_MAX], size_t *len) STORE_CHECKED;
enum store_result store_session_find(struct store *s, const char *id,
    struct store_session *session) STORE_CHECKED;
enum store_result
store_session_end(struct store *s, const char *session, int64_t user_id,
    int64_t until, struct store_revocation *made) STORE_CHECKED;
enum store_result
store_session_each(struct store *s, int64_t user_id, int64_t now,
    int (*each)(const struct store_session *, void *), void *ctx) STORE_CHECKED;
enum store_result store_revocation_add(
    struct store *s, struct store_revocation *revocation) STORE_CHECKED;
enum store_result store_revocation_each(struct store *s, int64_t after,
    int64_t now, int (*each)(const struct store_revocation *, void *),
    void *ctx) STORE_CHECKED;
enum store_result store_purge(struct store *s, int64_t now, int64_t since_ms,
    int limit, int64_t *removed) STORE_CHECKED;
enum store_result
store_change_mark(struct store *s, int64_t *mark) STORE_CHECKED;
enum store_result store_listen(struct store *s, int *fd) STORE_CHECKED;
enum store_result store_heard(struct store *s, bool *news) STORE_CHECKED;
enum store_result store_key_meet(
    struct store *s, uint32_t key, bool starts, uint32_t *other) STORE_CHECKED;
enum store_result store_attempt_add(struct store *s,
    const struct store_attempt *attempts, size_t count) STORE_CHECKED;
enum store_result store_attempt_each(struct store *s, int64_t after,
    int (*each)(const struct store_attempt *, void *), void *ctx) STORE_CHECKED;
enum store_result
store_attempt_mark(struct store *s, int64_t *mark) STORE_CHECKED;
enum store_result
store_attempt_told(struct store *s, int64_t *number) STORE_CHECKED;
enum store_result store_attempt_purge(struct store *s, int64_t older_ms,
    int64_t most, int limit, int64_t *removed) STORE_CHECKED;
enum store_result store_batch(struct store *s,
    enum store_result (*work)(struct store *, void *), void *ctx) STORE_CHECKED;

/* Whether a text is a list of roles as struct store_user holds it: each of 1
 * to 64 letters, digits and "_.:-", in order, none twice, one blank between
 * two. */
bool store_roles_valid(const char *roles);

enum store_result
store_ping(struct store *s) __attribute__((warn_unused_result));

/* The last failure in one sentence; "" when there was none. */
const char *store_error(const struct store *s);

/* A word for a result, for messages and logs. */
const char *store_result_text(enum store_result r);

#endif
