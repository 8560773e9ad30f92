#include <string.h>

#include "auth/throttle_internal.h"

/* How many entries of a bucket addresses that an account knows may keep for
 * themselves. */
#define WAYS_KNOWN (WAYS / 2)

/* When addresses that an account knows are forgotten, counted from the last
 * login (milliseconds). */
#define KNOWN_MS (INT64_C(30) * 24 * 3600000)

/* Bytes of an IPv6 address that are one customer's. */
#define NETWORK_LEN (THROTTLE_NETWORK_BITS / 8)

static bool is_same(const struct throttle_key *, const struct throttle_key *);
static struct entry *bucket_of(struct throttle *, const struct throttle_key *);
static struct entry *
make_room(struct throttle *, const struct throttle_key *, int64_t);
static int64_t weight(const struct throttle *, const struct entry *, int64_t);
static int64_t age_of(const struct entry *, int64_t);
static bool is_over(const struct entry *, int64_t);

void
throttle_network(const struct in6_addr *address, struct in6_addr *network)
{
	*network = *address;
	if (!IN6_IS_ADDR_V4MAPPED(address))
		memset(&network->s6_addr[NETWORK_LEN], 0,
		    sizeof(network->s6_addr) - NETWORK_LEN);
}

void
throttle_account(const struct throttle *t, const void *name, size_t len,
    uint8_t account[STORE_ACCOUNT_LEN])
{
	uint64_t hash[2];

	_Static_assert(sizeof(hash) == STORE_ACCOUNT_LEN, "128 bits");
	secret_hash128(t->common, name, len, hash);
	memcpy(account, hash, sizeof(hash));
}

struct throttle_key
throttle_key_of(const struct throttle *t, enum throttle_count count,
    const struct throttle_attempt *attempt)
{
	struct {
		uint8_t account[STORE_ACCOUNT_LEN];
		struct in6_addr address;
		uint64_t count;
	} what;
	struct throttle_key key;
	uint64_t hash[2];

	memset(&what, 0, sizeof(what));
	what.count = count;
	if (count != THROTTLE_OF_ADDRESS)
		memcpy(what.account, attempt->account, sizeof(what.account));
	if (count != THROTTLE_OF_ACCOUNT)
		what.address = attempt->address;
	secret_hash128(t->key, &what, sizeof(what), hash);
	key.a = hash[0];
	key.b = hash[1] != 0 ? hash[1] : 1;
	return (key);
}

void
throttle_keys_of(const struct throttle *t,
    const struct throttle_attempt *attempt,
    struct throttle_key keys[THROTTLE__MAX])
{
	unsigned int i;

	memset(keys, 0, THROTTLE__MAX * sizeof(keys[0]));
	for (i = 0; i < THROTTLE__MAX; i++)
		if (t->limits[i].failures != 0 &&
		    (attempt->named || i == THROTTLE_OF_ADDRESS))
			keys[i] = throttle_key_of(t, i, attempt);
}

bool
throttle_is_none(const struct throttle_key *key)
{
	return (key->a == 0 && key->b == 0);
}

static bool
is_same(const struct throttle_key *a, const struct throttle_key *b)
{
	return (a->a == b->a && a->b == b->b);
}

static struct entry *
bucket_of(struct throttle *t, const struct throttle_key *key)
{
	return (&t->entries[key->a % t->nbuckets * WAYS]);
}

/* How long ago the last thing happened that an entry remembers. */
static int64_t
age_of(const struct entry *e, int64_t now_ms)
{
	return (now_ms - (e->until_ms > e->last_ms ? e->until_ms : e->last_ms));
}

/* Whether nothing in an entry matters any more. */
static bool
is_over(const struct entry *e, int64_t now_ms)
{
	return (age_of(e, now_ms) > (e->known ? KNOWN_MS : FORGET_MS));
}

/* Those that are not forgotten yet. */
uint32_t
throttle_failures(const struct entry *e, int64_t now_ms)
{
	return (age_of(e, now_ms) > FORGET_MS ? 0 : e->failures);
}

/* The entry of a key, or NULL. Failures of long ago are forgotten here. */
struct entry *
throttle_find(
    struct throttle *t, const struct throttle_key *key, int64_t now_ms)
{
	struct entry *e = bucket_of(t, key), *end = e + WAYS;

	if (throttle_is_none(key))
		return (NULL);
	for (; e < end; e++) {
		if (!is_same(&e->key, key))
			continue;
		if (is_over(e, now_ms))
			return (NULL);
		if (throttle_failures(e, now_ms) == 0 && e->failures != 0)
			throttle_forget(e);
		return (e);
	}
	return (NULL);
}

/* What an entry is worth when one has to go: that an address is known counts
 * as much as failures that lead to a wait. */
static int64_t
weight(const struct throttle *t, const struct entry *e, int64_t now_ms)
{
	return ((int64_t)throttle_failures(e, now_ms) +
	    (e->known ? t->limits[THROTTLE_OF_PAIR].failures : 0));
}

/*
 * The entry of a key's bucket that is free, or has to go: the one with the
 * fewest and, among those, oldest failures, so that a flood of names and
 * addresses that fail once each drives out its own kind. But where known
 * addresses have more than their share, the oldest of them: else those of many
 * users would leave no room in which failures can add up.
 */
static struct entry *
make_room(struct throttle *t, const struct throttle_key *key, int64_t now_ms)
{
	struct entry *e = bucket_of(t, key), *end = e + WAYS, *least = e;
	struct entry *oldest = NULL;
	unsigned int known = 0;
	int64_t difference;

	for (; e < end; e++) {
		if (throttle_is_none(&e->key) || is_same(&e->key, key) ||
		    is_over(e, now_ms))
			return (e);
		if (e->known && throttle_failures(e, now_ms) == 0) {
			known++;
			if (oldest == NULL || e->last_ms < oldest->last_ms)
				oldest = e;
		}
		difference = weight(t, e, now_ms) - weight(t, least, now_ms);
		if (difference < 0 ||
		    (difference == 0 && e->last_ms < least->last_ms))
			least = e;
	}
	return (known > WAYS_KNOWN ? oldest : least);
}

/* The entry of a key, made when there is none. */
struct entry *
throttle_find_or_make(struct throttle *t, const struct throttle_key *key,
    enum throttle_count count, int64_t now_ms)
{
	struct entry *e = throttle_find(t, key, now_ms);

	if (e != NULL)
		return (e);
	e = make_room(t, key, now_ms);
	memset(e, 0, sizeof(*e));
	e->key = *key;
	e->count = (uint8_t)count;
	e->last_ms = e->until_ms = now_ms;
	return (e);
}

/* How long to wait after so many failures: doubled with each beyond the
 * limit. */
int64_t
throttle_wait(const struct throttle *t, const struct entry *e)
{
	uint32_t limit = t->limits[e->count % THROTTLE__MAX].failures, beyond;
	int64_t longest = t->limits[e->count % THROTTLE__MAX].longest_ms;
	int64_t wait = t->first_ms;

	if (limit == 0 || e->failures < limit)
		return (0);
	for (beyond = e->failures - limit; beyond > 0 && wait < longest;
	     beyond--)
		wait *= 2;
	return (wait < longest ? wait : longest);
}

/* Whether an entry makes an attempt wait. The end alone does not say: without
 * a wait it is when somebody was last here, and another worker may have looked
 * at the clock before that and come to the lock later. */
bool
throttle_holds(const struct throttle *t, const struct entry *e, int64_t now_ms)
{
	return (e->until_ms > now_ms && throttle_wait(t, e) > 0);
}

void
throttle_forget(struct entry *e)
{
	e->failures = 0;
	e->until_ms = e->last_ms;
	e->refused = false;
	if (!e->known)
		memset(e, 0, sizeof(*e));
}

size_t
throttle_forget_matching(struct throttle *t, const struct throttle_key *key)
{
	struct entry *e = t->entries, *end = e + t->nbuckets * WAYS;
	size_t count = 0;

	for (; e < end; e++) {
		if (throttle_is_none(&e->key) ||
		    (key != NULL && !is_same(&e->key, key) &&
			!is_same(&e->account, key)))
			continue;
		count += e->failures > 0;
		throttle_forget(e);
	}
	return (count);
}
