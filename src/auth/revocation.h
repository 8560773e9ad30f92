/*
 * revocation.h - what has been taken back, in memory that all workers share:
 * tokens by "jti", sessions by "sid", accounts by subject (RFC 7009; OWASP
 * JSON Web Token Cheat Sheet, "denylist").
 *
 * What is put in is seen by every process at once: the next look-up, anywhere,
 * finds it. An entry leaves when its time is over, never before: when there is
 * no room, putting one in fails. The table knows its entries by a keyed hash
 * of 128 bits, so nobody can aim at a place in it, and a false match is out of
 * the question.
 *
 * Made in the parent before the fork. Looking up takes no lock and may be done
 * on the event loop. Putting in takes a lock that survives the death of its
 * holder: background threads, the parent, corgictl.
 */
#ifndef CORGI_REVOCATION_H
#define CORGI_REVOCATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

/* What an entry is about; one id may have one of each. */
enum revocation_about {
	REVOKED_TOKEN = 1,
	REVOKED_SESSION,
	REVOKED_VERSION, /* of a subject: lowest "ver" that is accepted */
	REVOKED_BEFORE,  /* of a subject: last second of "iat" refused */
	REVOKED_ORDER    /* of a subject: number of the row that said so */
};

/* Room for revocation_id(): SHA-256 (bytes). */
#define REVOCATION_ID_ROOM 32

/* The keyed hash of an id. Never all zero. */
struct revocation_key {
	uint64_t a;
	uint64_t b;
};

struct revocations;

/*
 * What stands for an id of *len bytes in the store's log and here: itself, or
 * its SHA-256, put into room, when it is empty or longer than STORE_NAME_MAX.
 * Whoever notes the revocation of a token that came from elsewhere asks this
 * first.
 */
const void *
revocation_id(const void *id, size_t *len, uint8_t room[REVOCATION_ID_ROOM]);

/* A table for at least capacity live entries (a row about a token or a session
 * makes one, a row about an account three): at most 64 bytes for each of them,
 * taken from the system as it fills. NULL when out of memory. */
struct revocations *
revocations_new(size_t capacity) __attribute__((warn_unused_result));

void revocations_free(struct revocations *r);

/* The key of an id in this table (this does what revocation_id() does,
 * too). To be computed once per token. */
void revocation_key(const struct revocations *r, enum revocation_about about,
    const void *id, size_t len, struct revocation_key *key);

/*
 * Put in an entry, or give the one that is there this value and this end
 * (seconds since 1970; the entry no longer counts from then on; INT64_MAX:
 * never). Returns 0, or -1 when there is no room.
 */
int revocations_put(struct revocations *r, const struct revocation_key *key,
    uint32_t value, int64_t until, int64_t now)
    __attribute__((warn_unused_result));

/* Whether there is an entry at now, and its value (may be NULL). */
bool revocations_get(const struct revocations *r,
    const struct revocation_key *key, int64_t now, uint32_t *value);

/* Whether nothing was ever put in: then no key need be looked up. */
bool revocations_empty(const struct revocations *r);

/* How many entries count at now (walks the table). */
size_t revocations_count(const struct revocations *r, int64_t now);

/*
 * Put in what a row of the store's log says. Doing so twice does no harm, nor
 * does an older row about a subject that comes after a newer one. Returns 0,
 * or -1 when there is no room.
 */
int revocations_apply(struct revocations *r, const struct store_revocation *row,
    int64_t now) __attribute__((warn_unused_result));

/*
 * Put in all rows of the store's log after number *last, which is moved on.
 * STORE_OK; STORE_FULL when the table has no room (what came before is in; try
 * again); else what the store said. Never on the event loop.
 */
enum store_result revocations_follow(struct revocations *r, struct store *store,
    int64_t now, int64_t *last) __attribute__((warn_unused_result));

#endif
