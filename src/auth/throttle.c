#include <arpa/inet.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/throttle.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/shared.h"

/* Entries of a bucket: what is counted may stand in any of them. */
#define WAYS 8

/* How many of them addresses that an account knows may keep for themselves. */
#define WAYS_KNOWN (WAYS / 2)

/* The first wait is this part of the longest, and at least a second. */
#define FIRST_SHARE 60

/* How many times as long as an account an address may have to wait: behind one
 * may be a whole office, or one machine that tries every name it knows. */
#define ADDRESS_FACTOR 15

/* When failures are forgotten, counted from the end of the last wait, and
 * addresses that an account knows, from the last login (milliseconds). */
#define FORGET_MS INT64_C(3600000)
#define KNOWN_MS  (INT64_C(30) * 24 * 3600000)

/* Bytes of an IPv6 address that are one customer's. */
#define NETWORK_LEN 8

#define MS 1000

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
	uint32_t failures;
	uint8_t count;           /* enum throttle_count */
	bool known;              /* PAIR: somebody has logged in from there */
	bool refused;            /* somebody has been, since the last attempt */
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
	struct shared_lock lock;
	struct entry entries[];
};

/* What an attempt is about. */
struct attempt {
	const void *name;
	size_t len;
	struct in6_addr address; /* its network */
};

static void network_of(const struct in6_addr *, struct in6_addr *);
static struct throttle_key
key_of(const struct throttle *, enum throttle_count, const struct attempt *);
static bool is_none(const struct throttle_key *);
static bool is_same(const struct throttle_key *, const struct throttle_key *);
static struct entry *bucket_of(struct throttle *, const struct throttle_key *);
static struct entry *
find(struct throttle *, const struct throttle_key *, int64_t);
static struct entry *find_or_make(struct throttle *,
    const struct throttle_key *, enum throttle_count, int64_t);
static struct entry *
make_room(struct throttle *, const struct throttle_key *, int64_t);
static int64_t weight(const struct throttle *, const struct entry *, int64_t);
static int64_t age_of(const struct entry *, int64_t);
static bool is_over(const struct entry *, int64_t);
static uint32_t failures_of(const struct entry *, int64_t);
static int64_t wait_of(const struct throttle *, const struct entry *);
static bool holds(const struct throttle *, const struct entry *, int64_t);
static void charge(struct throttle *, struct throttle_ticket *,
    enum throttle_count, const struct attempt *, int64_t);
static void uncharge(struct throttle *, const struct throttle_ticket *,
    enum throttle_count, int64_t);
static void renew_wait(struct throttle *, const struct throttle_key *, int64_t);
static void clear(struct entry *);
static void
settle_good(struct throttle *, const struct throttle_ticket *, int64_t);
static size_t clear_matching(struct throttle *, const struct throttle_key *);
static void describe(const struct entry *, int64_t, struct throttle_entry *);
static void address_text(const struct in6_addr *, char[THROTTLE_TEXT_MAX]);

struct throttle *
throttle_new(const struct config *config)
{
	size_t nbuckets = config->throttle_entries / WAYS + 1, size;
	int64_t longest = (int64_t)config->throttle_seconds * MS;
	struct throttle *t;

	size = sizeof(*t) + nbuckets * WAYS * sizeof(struct entry);
	t = shared_alloc(size);
	if (t == NULL)
		return (NULL);
	t->size = size;
	t->nbuckets = nbuckets;
	t->limits[THROTTLE_OF_ACCOUNT].failures = config->throttle_account;
	t->limits[THROTTLE_OF_ACCOUNT].longest_ms = longest;
	t->limits[THROTTLE_OF_PAIR] = t->limits[THROTTLE_OF_ACCOUNT];
	t->limits[THROTTLE_OF_ADDRESS].failures = config->throttle_address;
	t->limits[THROTTLE_OF_ADDRESS].longest_ms = longest * ADDRESS_FACTOR;
	t->first_ms = longest / FIRST_SHARE > MS ? longest / FIRST_SHARE : MS;
	secret_random(t->key, sizeof(t->key));
	if (shared_lock_init(&t->lock) == -1) {
		shared_free(t, size);
		return (NULL);
	}
	return (t);
}

void
throttle_free(struct throttle *t)
{
	if (t != NULL)
		shared_free(t, t->size);
}

/* Whoever has one address of an IPv6 network has all 2^64 of them. */
static void
network_of(const struct in6_addr *address, struct in6_addr *out)
{
	*out = *address;
	if (!IN6_IS_ADDR_V4MAPPED(address))
		memset(&out->s6_addr[NETWORK_LEN], 0,
		    sizeof(out->s6_addr) - NETWORK_LEN);
}

/* Keyed, so that nobody can aim at a place in the table; of any length. */
static struct throttle_key
key_of(const struct throttle *t, enum throttle_count count,
    const struct attempt *attempt)
{
	struct {
		uint64_t name[2];
		struct in6_addr address;
		uint64_t count;
	} what;
	struct throttle_key key;
	uint64_t hash[2];

	memset(&what, 0, sizeof(what));
	what.count = count;
	if (count != THROTTLE_OF_ADDRESS)
		secret_hash128(t->key, attempt->name, attempt->len, what.name);
	if (count != THROTTLE_OF_ACCOUNT)
		what.address = attempt->address;
	secret_hash128(t->key, &what, sizeof(what), hash);
	key.a = hash[0];
	key.b = hash[1] != 0 ? hash[1] : 1;
	return (key);
}

static bool
is_none(const struct throttle_key *key)
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
static uint32_t
failures_of(const struct entry *e, int64_t now_ms)
{
	return (age_of(e, now_ms) > FORGET_MS ? 0 : e->failures);
}

/* The entry of a key, or NULL. Failures of long ago are forgotten here. */
static struct entry *
find(struct throttle *t, const struct throttle_key *key, int64_t now_ms)
{
	struct entry *e = bucket_of(t, key), *end = e + WAYS;

	if (is_none(key))
		return (NULL);
	for (; e < end; e++) {
		if (!is_same(&e->key, key))
			continue;
		if (is_over(e, now_ms))
			return (NULL);
		if (failures_of(e, now_ms) == 0 && e->failures != 0)
			clear(e);
		return (e);
	}
	return (NULL);
}

/* What an entry is worth when one has to go: that an address is known counts
 * as much as failures that lead to a wait. */
static int64_t
weight(const struct throttle *t, const struct entry *e, int64_t now_ms)
{
	return ((int64_t)failures_of(e, now_ms) +
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
		if (is_none(&e->key) || is_same(&e->key, key) ||
		    is_over(e, now_ms))
			return (e);
		if (e->known && failures_of(e, now_ms) == 0) {
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
static struct entry *
find_or_make(struct throttle *t, const struct throttle_key *key,
    enum throttle_count count, int64_t now_ms)
{
	struct entry *e = find(t, key, now_ms);

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
static int64_t
wait_of(const struct throttle *t, const struct entry *e)
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
static bool
holds(const struct throttle *t, const struct entry *e, int64_t now_ms)
{
	return (e->until_ms > now_ms && wait_of(t, e) > 0);
}

/* One failure more, until it turns out otherwise. */
static void
charge(struct throttle *t, struct throttle_ticket *ticket,
    enum throttle_count count, const struct attempt *attempt, int64_t now_ms)
{
	struct throttle_times *times = &ticket->times[count];
	struct entry *e;

	if (is_none(&ticket->keys[count]))
		return;
	e = find_or_make(t, &ticket->keys[count], count, now_ms);
	if (count != THROTTLE_OF_ADDRESS && e->name[0] == '\0')
		(void)log_escape(
		    attempt->name, attempt->len, e->name, sizeof(e->name));
	e->address = attempt->address;
	if (e->failures < UINT32_MAX)
		e->failures++;
	e->refused = false;
	times->before_until_ms = e->until_ms;
	times->before_last_ms = e->last_ms;
	times->until_ms = e->until_ms = now_ms + wait_of(t, e);
	times->last_ms = e->last_ms = now_ms;
}

/* It turned out otherwise: all is as it was, unless others were charged
 * meanwhile, who keep their wait. */
static void
uncharge(struct throttle *t, const struct throttle_ticket *ticket,
    enum throttle_count count, int64_t now_ms)
{
	const struct throttle_times *times = &ticket->times[count];
	struct entry *e = find(t, &ticket->keys[count], now_ms);

	if (e == NULL || e->failures == 0)
		return;
	e->failures--;
	if (e->until_ms == times->until_ms && e->last_ms == times->last_ms) {
		e->until_ms = times->before_until_ms;
		e->last_ms = times->before_last_ms;
	} else
		e->until_ms = e->last_ms + wait_of(t, e);
	if (e->failures == 0)
		clear(e);
}

/* The wait begins when the client learns of the failure. */
static void
renew_wait(struct throttle *t, const struct throttle_key *key, int64_t now_ms)
{
	struct entry *e = find(t, key, now_ms);

	if (e == NULL)
		return;
	e->last_ms = now_ms;
	e->until_ms = now_ms + wait_of(t, e);
}

/* No failures, but the address stays known. */
static void
clear(struct entry *e)
{
	e->failures = 0;
	e->until_ms = e->last_ms;
	e->refused = false;
	if (!e->known)
		memset(e, 0, sizeof(*e));
}

unsigned int
throttle_admit(struct throttle *t, const void *name, size_t len,
    const struct in6_addr *address, int64_t now_ms,
    struct throttle_ticket *ticket, bool *began)
{
	struct attempt attempt = {.name = name, .len = len};
	struct throttle_key *keys = ticket->keys;
	enum throttle_count own = THROTTLE_OF_ACCOUNT;
	struct entry *e, *longest = NULL;
	unsigned int wait = 0, i;

	memset(ticket, 0, sizeof(*ticket));
	if (began != NULL)
		*began = false;
	network_of(address, &attempt.address);
	for (i = 0; i < THROTTLE__MAX; i++)
		if (t->limits[i].failures != 0 &&
		    (name != NULL || i == THROTTLE_OF_ADDRESS))
			keys[i] = key_of(t, i, &attempt);

	(void)shared_lock_take(&t->lock);
	e = find(t, &keys[THROTTLE_OF_PAIR], now_ms);
	ticket->known = e != NULL && e->known;
	if (ticket->known)
		own = THROTTLE_OF_PAIR;
	for (i = 0; i < THROTTLE__MAX; i++) {
		e = i == own || i == THROTTLE_OF_ADDRESS
		    ? find(t, &keys[i], now_ms)
		    : NULL;
		if (e != NULL && holds(t, e, now_ms) &&
		    (longest == NULL || e->until_ms > longest->until_ms))
			longest = e;
	}
	if (longest != NULL) {
		wait =
		    (unsigned int)((longest->until_ms - now_ms + MS - 1) / MS);
		if (began != NULL)
			*began = !longest->refused;
		longest->refused = true;
	} else {
		charge(t, ticket, own, &attempt, now_ms);
		charge(t, ticket, THROTTLE_OF_ADDRESS, &attempt, now_ms);
		ticket->charged = true;
	}
	shared_lock_release(&t->lock);
	return (wait);
}

/* The account's count is cleared, and whoever it was may come from there
 * again. What the address did to others stays. */
static void
settle_good(
    struct throttle *t, const struct throttle_ticket *ticket, int64_t now_ms)
{
	const struct throttle_key *pair = &ticket->keys[THROTTLE_OF_PAIR];
	struct entry *e;

	e = find(t, &ticket->keys[THROTTLE_OF_ACCOUNT], now_ms);
	if (e != NULL)
		clear(e);
	if (!is_none(pair)) {
		e = find_or_make(t, pair, THROTTLE_OF_PAIR, now_ms);
		e->known = true;
		e->account = ticket->keys[THROTTLE_OF_ACCOUNT];
		e->last_ms = now_ms;
		clear(e);
	}
	uncharge(t, ticket, THROTTLE_OF_ADDRESS, now_ms);
}

void
throttle_settle(struct throttle *t, struct throttle_ticket *ticket,
    enum throttle_outcome outcome, int64_t now_ms)
{
	const enum throttle_count own =
	    ticket->known ? THROTTLE_OF_PAIR : THROTTLE_OF_ACCOUNT;

	if (!ticket->charged)
		return;
	(void)shared_lock_take(&t->lock);
	switch (outcome) {
	case THROTTLE_GOOD:
		settle_good(t, ticket, now_ms);
		break;
	case THROTTLE_FAILED:
		renew_wait(t, &ticket->keys[own], now_ms);
		renew_wait(t, &ticket->keys[THROTTLE_OF_ADDRESS], now_ms);
		break;
	case THROTTLE_UNDECIDED:
		uncharge(t, ticket, own, now_ms);
		uncharge(t, ticket, THROTTLE_OF_ADDRESS, now_ms);
		break;
	}
	shared_lock_release(&t->lock);
	memset(ticket, 0, sizeof(*ticket));
}

static void
address_text(const struct in6_addr *address, char out[THROTTLE_TEXT_MAX])
{
	char text[INET6_ADDRSTRLEN];

	if (IN6_IS_ADDR_V4MAPPED(address)) {
		(void)inet_ntop(
		    AF_INET, &address->s6_addr[12], out, THROTTLE_TEXT_MAX);
		return;
	}
	(void)inet_ntop(AF_INET6, address, text, sizeof(text));
	(void)snprintf(out, THROTTLE_TEXT_MAX, "%s/%d", text, NETWORK_LEN * 8);
}

static void
describe(const struct entry *e, int64_t now_ms, struct throttle_entry *out)
{
	int64_t left = e->until_ms - now_ms;

	memset(out, 0, sizeof(*out));
	out->failures = e->failures;
	out->wait = left > 0 ? (unsigned int)((left + MS - 1) / MS) : 0;
	if (e->count == THROTTLE_OF_ADDRESS) {
		out->subject = THROTTLE_ADDRESS;
		address_text(&e->address, out->text);
		return;
	}
	out->subject = THROTTLE_ACCOUNT;
	memcpy(out->text, e->name, sizeof(out->text));
	out->text[sizeof(out->text) - 1] = '\0';
	if (e->count == THROTTLE_OF_PAIR)
		address_text(&e->address, out->from);
}

/* Bucket by bucket: an attempt never waits for whoever reads the list. */
void
throttle_each(struct throttle *t, int64_t now_ms,
    bool (*each)(const struct throttle_entry *, void *), void *ctx)
{
	struct throttle_entry entry;
	struct entry copies[WAYS];
	size_t bucket, i;

	for (bucket = 0; bucket < t->nbuckets; bucket++) {
		(void)shared_lock_take(&t->lock);
		memcpy(copies, &t->entries[bucket * WAYS], sizeof(copies));
		shared_lock_release(&t->lock);
		for (i = 0; i < WAYS; i++) {
			if (is_none(&copies[i].key) ||
			    failures_of(&copies[i], now_ms) == 0)
				continue;
			describe(&copies[i], now_ms, &entry);
			if (!each(&entry, ctx))
				return;
		}
	}
}

/* Those of a key, and the pairs of an account; all for NULL. */
static size_t
clear_matching(struct throttle *t, const struct throttle_key *key)
{
	struct entry *e = t->entries, *end = e + t->nbuckets * WAYS;
	size_t count = 0;

	(void)shared_lock_take(&t->lock);
	for (; e < end; e++) {
		if (is_none(&e->key) ||
		    (key != NULL && !is_same(&e->key, key) &&
			!is_same(&e->account, key)))
			continue;
		count += e->failures > 0;
		clear(e);
	}
	shared_lock_release(&t->lock);
	return (count);
}

size_t
throttle_clear_account(struct throttle *t, const void *name, size_t len)
{
	const struct attempt attempt = {.name = name, .len = len};
	struct throttle_key key = key_of(t, THROTTLE_OF_ACCOUNT, &attempt);

	return (clear_matching(t, &key));
}

size_t
throttle_clear_address(struct throttle *t, const struct in6_addr *address)
{
	struct attempt attempt = {.name = NULL};
	struct throttle_key key;

	network_of(address, &attempt.address);
	key = key_of(t, THROTTLE_OF_ADDRESS, &attempt);
	return (clear_matching(t, &key));
}

size_t
throttle_clear(struct throttle *t)
{
	return (clear_matching(t, NULL));
}
