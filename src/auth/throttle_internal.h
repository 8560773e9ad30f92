/*
 * throttle_internal.h - what the parts of the throttle share: throttle.c
 * (attempts), throttle_table.c (what is remembered), throttle_log.c (what nodes
 * tell each other).
 */
#ifndef CORGI_THROTTLE_INTERNAL_H
#define CORGI_THROTTLE_INTERNAL_H

#include "auth/throttle.h"
#include "base/secret.h"
#include "base/shared.h"

/* Entries of a bucket: what is counted may stand in any of them. */
#define WAYS 8

/* When failures are forgotten, counted from the end of the last wait
 * (milliseconds). */
#define FORGET_MS INT64_C(3600000)

/*
 * What is remembered of one account, of one account from one address that it
 * knows, or of one address. Any value of any member is a sound one: who dies
 * while writing leaves at worst a wrong count.
 */
struct entry {
	struct throttle_key key;     /* zero: free */
	struct throttle_key account; /* of a pair: whose it is */
	int64_t until_ms;            /* nobody is let through before */
	int64_t last_ms;             /* of the last failure or good login */
	int64_t told_ms; /* PAIR: when a log last said it is known */
	uint32_t failures;
	uint8_t count;           /* enum throttle_count */
	bool known;              /* PAIR: somebody has logged in from there */
	bool refused;            /* somebody has been, since the last attempt */
	bool nameless;           /* the name is not known here */
	struct in6_addr address; /* PAIR, ADDRESS */
	char name[THROTTLE_TEXT_MAX]; /* ACCOUNT, PAIR; escaped */
};

/* The shared memory: a head, then the buckets. */
struct throttle {
	size_t size;
	size_t nbuckets;
	struct {
		uint32_t failures; /* before the first wait; 0: not counted */
		int64_t longest_ms;
	} limits[THROTTLE__MAX];
	int64_t first_ms;
	uint8_t key[SECRET_HASH_KEY_LEN];
	uint8_t common[SECRET_HASH_KEY_LEN]; /* key of all nodes, of accounts */
	int64_t node;     /* what this one is called in the log */
	int64_t serial;   /* of its last row there */
	int64_t position; /* all rows of others up to it are counted here */
	struct shared_lock lock;
	struct entry entries[];
};

/* ---- throttle_table.c; with the lock held, unless a table is const ---- */

/* What stands for an account on every node: a keyed hash of its name, which
 * may have any length. */
void throttle_account(const struct throttle *t, const void *name, size_t len,
    uint8_t account[STORE_ACCOUNT_LEN]);

/* Whoever has one address of an IPv6 network has all 2^64 of them. */
void throttle_network(const struct in6_addr *address, struct in6_addr *network);

/* Keyed, so that nobody can aim at a place in the table. */
struct throttle_key throttle_key_of(const struct throttle *t,
    enum throttle_count count, const struct throttle_attempt *attempt);

/* The keys of all that counts of an attempt; none for the rest. */
void throttle_keys_of(const struct throttle *t,
    const struct throttle_attempt *attempt,
    struct throttle_key keys[THROTTLE__MAX]);

bool throttle_is_none(const struct throttle_key *key);

/* The entry of a key, or NULL; failures of long ago are forgotten. The other
 * makes one where there is none. */
struct entry *throttle_find(
    struct throttle *t, const struct throttle_key *key, int64_t now_ms);
struct entry *throttle_find_or_make(struct throttle *t,
    const struct throttle_key *key, enum throttle_count count, int64_t now_ms);

/* Failures that are not forgotten yet. */
uint32_t throttle_failures(const struct entry *e, int64_t now_ms);

/* How long to wait after so many failures (milliseconds). */
int64_t throttle_wait(const struct throttle *t, const struct entry *e);

/* Whether an entry makes an attempt wait. */
bool
throttle_holds(const struct throttle *t, const struct entry *e, int64_t now_ms);

/* No failures, but the address stays known. */
void throttle_forget(struct entry *e);

/* The same for all of a key, and the pairs of an account; NULL: for all
 * entries. Of how many. */
size_t
throttle_forget_matching(struct throttle *t, const struct throttle_key *key);

/* ---- throttle_log.c; with the lock held ---- */

/* Make a row that tells the other nodes. */
void throttle_log_begin(struct throttle *t, enum store_attempt_kind kind,
    const struct throttle_attempt *attempt, struct store_attempt *row);

/* Do what a row of one of the kinds that clear says. Of how many entries. */
size_t throttle_clear_as(struct throttle *t, enum store_attempt_kind kind,
    const struct throttle_attempt *attempt);

#endif
