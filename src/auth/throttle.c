#include <arpa/inet.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/throttle_internal.h"
#include "base/log.h"

/* The first wait is this part of the longest, and at least a second. */
#define FIRST_SHARE 60

/* How many times as long as an account an address may have to wait: behind one
 * may be a whole office, or one machine that tries every name it knows. */
#define ADDRESS_FACTOR 15

/* How often a good login from an address that is known anyhow is told: a node
 * that has begun since then learns it from that. */
#define TELL_AGAIN_MS FORGET_MS

/* What is shown for a name that was typed elsewhere and is no account's. */
#define NAMELESS "(no account; typed on another node)"

#define MS 1000

static void charge(struct throttle *, struct throttle_ticket *,
    enum throttle_count, const void *, size_t, int64_t);
static void uncharge(struct throttle *, const struct throttle_ticket *,
    enum throttle_count, int64_t);
static void renew_wait(struct throttle *, const struct throttle_key *, int64_t);
static bool
settle_good(struct throttle *, const struct throttle_ticket *, int64_t);
static enum throttle_count own_count(const struct throttle_ticket *);
static bool
settle_failed(struct throttle *, const struct throttle_ticket *, int64_t);
static size_t clear(struct throttle *, enum store_attempt_kind,
    const struct throttle_attempt *, struct store_attempt *);
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
	secret_random(t->common, sizeof(t->common));
	secret_random(&t->node, sizeof(t->node));
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

void
throttle_share(struct throttle *t, const uint8_t key[THROTTLE_COMMON_KEY_LEN])
{
	_Static_assert(
	    sizeof(t->common) == THROTTLE_COMMON_KEY_LEN, "a key that fits");
	memcpy(t->common, key, sizeof(t->common));
}

int64_t
throttle_keep_ms(const struct throttle *t)
{
	return (FORGET_MS + t->limits[THROTTLE_OF_ADDRESS].longest_ms);
}

/* One failure more, until it turns out otherwise. */
static void
charge(struct throttle *t, struct throttle_ticket *ticket,
    enum throttle_count count, const void *name, size_t len, int64_t now_ms)
{
	struct throttle_times *times = &ticket->times[count];
	struct entry *e;

	if (throttle_is_none(&ticket->keys[count]))
		return;
	e = throttle_find_or_make(t, &ticket->keys[count], count, now_ms);
	if (count != THROTTLE_OF_ADDRESS && e->name[0] == '\0') {
		(void)log_escape(name, len, e->name, sizeof(e->name));
		e->nameless = false;
	}
	e->address = ticket->attempt.address;
	if (e->failures < UINT32_MAX)
		e->failures++;
	e->refused = false;
	times->before_until_ms = e->until_ms;
	times->before_last_ms = e->last_ms;
	times->until_ms = e->until_ms = now_ms + throttle_wait(t, e);
	times->last_ms = e->last_ms = now_ms;
}

/* It turned out otherwise: all is as it was, unless others were charged
 * meanwhile, who keep their wait. */
static void
uncharge(struct throttle *t, const struct throttle_ticket *ticket,
    enum throttle_count count, int64_t now_ms)
{
	const struct throttle_times *times = &ticket->times[count];
	struct entry *e = throttle_find(t, &ticket->keys[count], now_ms);

	if (e == NULL || e->failures == 0)
		return;
	e->failures--;
	if (e->until_ms == times->until_ms && e->last_ms == times->last_ms) {
		e->until_ms = times->before_until_ms;
		e->last_ms = times->before_last_ms;
	} else
		e->until_ms = e->last_ms + throttle_wait(t, e);
	if (e->failures == 0)
		throttle_forget(e);
}

/* The wait begins when the client learns of the failure. */
static void
renew_wait(struct throttle *t, const struct throttle_key *key, int64_t now_ms)
{
	struct entry *e = throttle_find(t, key, now_ms);

	if (e == NULL)
		return;
	e->last_ms = now_ms;
	e->until_ms = now_ms + throttle_wait(t, e);
}

unsigned int
throttle_admit(struct throttle *t, const void *name, size_t len,
    const struct in6_addr *address, int64_t now_ms,
    struct throttle_ticket *ticket, bool *began)
{
	struct throttle_key *keys = ticket->keys;
	enum throttle_count own = THROTTLE_OF_ACCOUNT;
	struct entry *e, *longest = NULL;
	unsigned int wait = 0, i;

	memset(ticket, 0, sizeof(*ticket));
	if (began != NULL)
		*began = false;
	throttle_network(address, &ticket->attempt.address);
	ticket->attempt.named = name != NULL;
	if (name != NULL)
		throttle_account(t, name, len, ticket->attempt.account);
	throttle_keys_of(t, &ticket->attempt, keys);

	(void)shared_lock_take(&t->lock);
	e = throttle_find(t, &keys[THROTTLE_OF_PAIR], now_ms);
	ticket->known = e != NULL && e->known;
	if (ticket->known)
		own = THROTTLE_OF_PAIR;
	for (i = 0; i < THROTTLE__MAX; i++) {
		e = i == own || i == THROTTLE_OF_ADDRESS
		    ? throttle_find(t, &keys[i], now_ms)
		    : NULL;
		if (e != NULL && throttle_holds(t, e, now_ms) &&
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
		charge(t, ticket, own, name, len, now_ms);
		charge(t, ticket, THROTTLE_OF_ADDRESS, name, len, now_ms);
		ticket->charged = true;
	}
	shared_lock_release(&t->lock);
	return (wait);
}

/* What an attempt counts for besides its address. */
static enum throttle_count
own_count(const struct throttle_ticket *ticket)
{
	return (ticket->known ? THROTTLE_OF_PAIR : THROTTLE_OF_ACCOUNT);
}

/*
 * The account's count is cleared, and whoever it was may come from there
 * again. What the address did to others stays. Whether other nodes should hear
 * of it: when that changes something, and now and then.
 */
static bool
settle_good(
    struct throttle *t, const struct throttle_ticket *ticket, int64_t now_ms)
{
	const struct throttle_key *pair = &ticket->keys[THROTTLE_OF_PAIR];
	bool news = !ticket->known;
	struct entry *e;

	uncharge(t, ticket, THROTTLE_OF_ADDRESS, now_ms);
	e = throttle_find(t, &ticket->keys[THROTTLE_OF_ACCOUNT], now_ms);
	if (e != NULL) {
		news = true;
		throttle_forget(e);
	}
	if (throttle_is_none(pair))
		return (false);
	e = throttle_find_or_make(t, pair, THROTTLE_OF_PAIR, now_ms);
	/* One of them is this attempt's own. */
	news = news || e->failures > 1 || now_ms - e->told_ms >= TELL_AGAIN_MS;
	if (news)
		e->told_ms = now_ms;
	e->known = true;
	e->account = ticket->keys[THROTTLE_OF_ACCOUNT];
	e->last_ms = now_ms;
	throttle_forget(e);
	return (news);
}

static bool
settle_failed(
    struct throttle *t, const struct throttle_ticket *ticket, int64_t now_ms)
{
	const struct throttle_key *own = &ticket->keys[own_count(ticket)];
	const struct throttle_key *address = &ticket->keys[THROTTLE_OF_ADDRESS];

	renew_wait(t, own, now_ms);
	renew_wait(t, address, now_ms);
	return (!throttle_is_none(own) || !throttle_is_none(address));
}

bool
throttle_settle(struct throttle *t, struct throttle_ticket *ticket,
    enum throttle_outcome outcome, int64_t now_ms, struct store_attempt *row)
{
	enum store_attempt_kind kind = STORE_ATTEMPT_GOOD;
	struct store_attempt unused;
	bool news = false;

	if (row == NULL)
		row = &unused;
	memset(row, 0, sizeof(*row));
	if (!ticket->charged)
		return (false);
	(void)shared_lock_take(&t->lock);
	switch (outcome) {
	case THROTTLE_GOOD:
		news = settle_good(t, ticket, now_ms);
		break;
	case THROTTLE_FAILED:
		kind = ticket->known ? STORE_ATTEMPT_FAILED_KNOWN
				     : STORE_ATTEMPT_FAILED;
		news = settle_failed(t, ticket, now_ms);
		break;
	case THROTTLE_UNDECIDED:
		uncharge(t, ticket, own_count(ticket), now_ms);
		uncharge(t, ticket, THROTTLE_OF_ADDRESS, now_ms);
		break;
	}
	if (news)
		throttle_log_begin(t, kind, &ticket->attempt, row);
	shared_lock_release(&t->lock);
	memset(ticket, 0, sizeof(*ticket));
	return (news);
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
	(void)snprintf(
	    out, THROTTLE_TEXT_MAX, "%s/%d", text, THROTTLE_NETWORK_BITS);
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
	if (e->nameless)
		memcpy(out->text, NAMELESS, sizeof(NAMELESS));
	else
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
			if (throttle_is_none(&copies[i].key) ||
			    throttle_failures(&copies[i], now_ms) == 0)
				continue;
			describe(&copies[i], now_ms, &entry);
			if (!each(&entry, ctx))
				return;
		}
	}
}

size_t
throttle_clear_account(
    struct throttle *t, const void *name, size_t len, struct store_attempt *row)
{
	struct throttle_attempt attempt = {.named = true};

	throttle_account(t, name, len, attempt.account);
	return (clear(t, STORE_ATTEMPT_CLEAR_ACCOUNT, &attempt, row));
}

size_t
throttle_clear_address(struct throttle *t, const struct in6_addr *address,
    struct store_attempt *row)
{
	struct throttle_attempt attempt = {.named = false};

	throttle_network(address, &attempt.address);
	return (clear(t, STORE_ATTEMPT_CLEAR_ADDRESS, &attempt, row));
}

size_t
throttle_clear(struct throttle *t, struct store_attempt *row)
{
	const struct throttle_attempt attempt = {.named = false};

	return (clear(t, STORE_ATTEMPT_CLEAR_ALL, &attempt, row));
}

static size_t
clear(struct throttle *t, enum store_attempt_kind kind,
    const struct throttle_attempt *attempt, struct store_attempt *row)
{
	struct store_attempt unused;
	size_t count;

	if (row == NULL)
		row = &unused;
	memset(row, 0, sizeof(*row));
	(void)shared_lock_take(&t->lock);
	count = throttle_clear_as(t, kind, attempt);
	throttle_log_begin(t, kind, attempt, row);
	shared_lock_release(&t->lock);
	return (count);
}
