/*
 * store.h - where accounts are kept: one contract, several back ends.
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

#include <stddef.h>
#include <stdint.h>

/* Limits of a username in bytes of UTF-8; embedded NULs count and stay. */
#define STORE_NAME_MAX 255

/* Room for a password hash in text, with the closing NUL (bytes). */
#define STORE_HASH_MAX 128

/* Longest wait for another writer's lock (milliseconds). */
#define STORE_WAIT_MS 5000

/* Longest store_error() text, with the closing NUL (bytes). */
#define STORE_ERROR_MAX 256

enum store_result {
	STORE_OK = 0,
	STORE_NOT_FOUND, /* no such account */
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
	char name[STORE_NAME_MAX + 1]; /* and a NUL behind */
	size_t name_len;
	char hash[STORE_HASH_MAX];
	int64_t created_at; /* seconds since 1970, UTC */
	int64_t updated_at;
};

struct store;

/*
 * What a back end provides. Contract per slot; every one returns a
 * store_result and leaves a sentence in store->error unless STORE_OK.
 */
struct store_ops {
	/* The word for this back end in messages. */
	const char *name;

	/* Release the handle and the struct itself. */
	void (*close)(struct store *);

	/* Fill *user for a name, compared byte for byte. NOT_FOUND if none. */
	enum store_result (*user_find)(struct store *, const char *name,
	    size_t len, struct store_user *user);

	/* Add an account; EXISTS when the name is taken. *id may be NULL. */
	enum store_result (*user_add)(struct store *, const char *name,
	    size_t len, const char *hash, int64_t now, int64_t *id);

	/*
	 * Replace a hash. With expected != NULL only while the stored hash is
	 * still that one (NOT_FOUND otherwise), so that an upgrade never
	 * overwrites a password changed meanwhile.
	 */
	enum store_result (*user_set_hash)(struct store *, int64_t id,
	    const char *expected, const char *hash, int64_t now);

	/* Remove an account; NOT_FOUND when there is none. */
	enum store_result (*user_delete)(
	    struct store *, const char *name, size_t len);

	/* Call each() for every account in the order of names, until it
	 * returns non-zero. */
	enum store_result (*user_each)(struct store *,
	    int (*each)(const struct store_user *, void *), void *ctx);

	/* How many accounts there are. */
	enum store_result (*user_count)(struct store *, int64_t *count);

	/* Whether the database answers; cheap, and soon: BUSY comes much
	 * earlier than after STORE_WAIT_MS. */
	enum store_result (*ping)(struct store *);
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
 * caller's, is refused.
 * On failure *out is NULL and error holds one sentence.
 */
enum store_result store_open_sqlite(const char *path, struct store **out,
    char error[STORE_ERROR_MAX]) __attribute__((warn_unused_result));

/*
 * Open a database that is there, and only that: the file is never made, its
 * mode, owner and schema are never changed. FAILED also when there is none or
 * its schema is older than this program's, NEWER when it is newer; BUSY comes
 * much earlier than after STORE_WAIT_MS. For threads that may not make files; store_open_sqlite() has prepared it before.
 */
enum store_result
store_open_sqlite_existing(const char *path, struct store **out,
    char error[STORE_ERROR_MAX]) __attribute__((warn_unused_result));

void store_close(struct store *s);

enum store_result store_user_find(struct store *s, const char *name, size_t len,
    struct store_user *user) __attribute__((warn_unused_result));
enum store_result
store_user_add(struct store *s, const char *name, size_t len, const char *hash,
    int64_t now, int64_t *id) __attribute__((warn_unused_result));
enum store_result
store_user_set_hash(struct store *s, int64_t id, const char *expected,
    const char *hash, int64_t now) __attribute__((warn_unused_result));
enum store_result store_user_delete(struct store *s, const char *name,
    size_t len) __attribute__((warn_unused_result));
enum store_result
store_user_each(struct store *s, int (*each)(const struct store_user *, void *),
    void *ctx) __attribute__((warn_unused_result));
enum store_result store_user_count(struct store *s, int64_t *count)
    __attribute__((warn_unused_result));
enum store_result
store_ping(struct store *s) __attribute__((warn_unused_result));

/* The last failure in one sentence; "" when there was none. */
const char *store_error(const struct store *s);

/* A word for a result, for messages and logs. */
const char *store_result_text(enum store_result r);

#endif
