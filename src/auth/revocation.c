#include <stdlib.h>
#include <string.h>

#include "auth/revocation.h"
#include "base/secret.h"
#include "base/shared.h"

/* Slots of a bucket: their tags fill one word, which is read at once. */
#define SLOTS 8

/*
 * Room for twice what has to be kept. An entry goes where there is more room
 * of its two buckets, so both being full takes more than that: with 4 of 8
 * taken on average, the fullest bucket of millions holds 7.
 */
#define SLOTS_PER_ENTRY 2
#define BUCKETS_MIN     64

/* How long an entry that is over keeps its slot: a reader may have asked the
 * clock just before it was (seconds). */
#define LINGER 2

/* One bit per byte, and the highest of each. */
#define EACH_LOW  UINT64_C(0x0101010101010101)
#define EACH_HIGH UINT64_C(0x8080808080808080)

/* A "until" that is never over. */
#define NEVER UINT32_MAX

/*
 * An entry. What it says lies in one word and is replaced in one store, so
 * that an entry is there all the time while it changes.
 */
struct slot {
	uint64_t a;
	uint64_t b;
	uint64_t said; /* value << 32 | until */
};

/*
 * The head of the shared memory; behind it the tags (a byte for each slot, 0
 * for a free one), then the slots.
 *
 * A slot is taken in this order: tag away, nothing said, key, what is said,
 * tag. So whoever reads meanwhile finds either no entry or a whole one, and a
 * writer that dies leaves a free slot or a whole entry.
 */
struct revocations {
	size_t size; /* of the whole memory */
	size_t nbuckets;
	uint8_t key[SECRET_HASH_KEY_LEN];
	uint32_t used; /* whether anything was ever put in */
	struct shared_lock lock;
};

/* Where an entry may stand. */
struct place {
	size_t buckets[2];
	uint8_t tag;
};

/* What a walk over the log carries along. */
struct following {
	struct revocations *r;
	int64_t now;
	int64_t *last;
	bool full;
};

static uint64_t *tags_of(const struct revocations *r);
static struct slot *slots_of(const struct revocations *r);
static uint8_t tag_at(uint64_t tags, size_t slot);
static uint32_t clamp(int64_t n);
static bool is_alive(uint64_t said, int64_t now);
static bool is_reusable(uint64_t said, int64_t now);
static size_t scale(uint64_t hash, size_t n);
static void find_place(const struct revocations *r,
    const struct revocation_key *key, struct place *place);
static bool read_slot(
    const struct slot *s, const struct revocation_key *key, uint64_t *said);
static struct slot *find(const struct revocations *r, const struct place *place,
    const struct revocation_key *key, uint64_t *said);
static size_t count_free(
    const struct revocations *r, size_t bucket, int64_t now, size_t *slot);
static void write_slot(struct revocations *r, size_t index, uint8_t tag,
    const struct revocation_key *key, uint64_t said);
static int put(struct revocations *r, const struct revocation_key *key,
    uint32_t value, int64_t until, int64_t now);
static int put_longer(struct revocations *r, enum revocation_about about,
    const struct store_revocation *row, int64_t now);
static int put_subject(
    struct revocations *r, const struct store_revocation *row, int64_t now);
static int follow_row(const struct store_revocation *row, void *ctx);

static uint64_t *
tags_of(const struct revocations *r)
{
	return ((uint64_t *)(uintptr_t)(r + 1));
}

static struct slot *
slots_of(const struct revocations *r)
{
	return ((struct slot *)(tags_of(r) + r->nbuckets));
}

struct revocations *
revocations_new(size_t capacity)
{
	struct revocations *r;
	size_t nbuckets, size;

	if (__builtin_mul_overflow(capacity, SLOTS_PER_ENTRY, &nbuckets))
		return (NULL);
	nbuckets = nbuckets / SLOTS + 1;
	if (nbuckets < BUCKETS_MIN)
		nbuckets = BUCKETS_MIN;
	if (__builtin_mul_overflow(nbuckets,
		sizeof(uint64_t) + SLOTS * sizeof(struct slot), &size) ||
	    __builtin_add_overflow(size, sizeof(*r), &size))
		return (NULL);
	r = shared_alloc(size);
	if (r == NULL)
		return (NULL);
	r->size = size;
	r->nbuckets = nbuckets;
	secret_random(r->key, sizeof(r->key));
	if (shared_lock_init(&r->lock) == -1) {
		shared_free(r, size);
		return (NULL);
	}
	return (r);
}

void
revocations_free(struct revocations *r)
{
	if (r != NULL)
		shared_free(r, r->size);
}

const void *
revocation_id(const void *id, size_t *len, uint8_t room[REVOCATION_ID_ROOM])
{
	if (*len >= 1 && *len <= STORE_NAME_MAX)
		return (id);
	secret_digest(id, *len, room);
	*len = REVOCATION_ID_ROOM;
	return (room);
}

void
revocation_key(const struct revocations *r, enum revocation_about about,
    const void *id, size_t len, struct revocation_key *key)
{
	uint8_t room[REVOCATION_ID_ROOM], text[1 + STORE_NAME_MAX];
	uint64_t hash[2];

	id = revocation_id(id, &len, room);
	text[0] = (uint8_t)about;
	memcpy(text + 1, id, len);
	secret_hash128(r->key, text, 1 + len, hash);
	key->a = hash[0];
	key->b = hash[1];
	if (key->a == 0 && key->b == 0)
		key->b = 1;
}

/* The tag of one slot of a bucket. */
static uint8_t
tag_at(uint64_t tags, size_t slot)
{
	return ((uint8_t)(tags >> (8 * slot)));
}

/* Held at the ends of the range instead of wrapping. */
static uint32_t
clamp(int64_t n)
{
	if (n <= 0)
		return (0);
	return (n < UINT32_MAX ? (uint32_t)n : UINT32_MAX);
}

static bool
is_alive(uint64_t said, int64_t now)
{
	uint32_t until = (uint32_t)said;

	return (until == NEVER || (int64_t)until > now);
}

static bool
is_reusable(uint64_t said, int64_t now)
{
	uint32_t until = (uint32_t)said;

	return (until != NEVER && now - LINGER >= (int64_t)until);
}

/* A hash to a number below n, every one as likely. */
static size_t
scale(uint64_t hash, size_t n)
{
	return ((size_t)(((unsigned __int128)hash * n) >> 64));
}

/* Two different buckets, and a tag of bits that did not choose them. */
static void
find_place(const struct revocations *r, const struct revocation_key *key,
    struct place *place)
{
	size_t second;

	place->buckets[0] = scale(key->a, r->nbuckets);
	second = place->buckets[0] + 1 + scale(key->b, r->nbuckets - 1);
	place->buckets[1] =
	    second < r->nbuckets ? second : second - r->nbuckets;
	place->tag = (uint8_t)key->b;
	if (place->tag == 0)
		place->tag = 1;
}

/*
 * What a slot says if it is this key's. The key is looked at twice: were the
 * slot given to another between the two, its word would not be this key's.
 */
static bool
read_slot(
    const struct slot *s, const struct revocation_key *key, uint64_t *said)
{
	if (__atomic_load_n(&s->a, __ATOMIC_ACQUIRE) != key->a ||
	    __atomic_load_n(&s->b, __ATOMIC_ACQUIRE) != key->b)
		return (false);
	*said = __atomic_load_n(&s->said, __ATOMIC_ACQUIRE);
	return (__atomic_load_n(&s->a, __ATOMIC_RELAXED) == key->a &&
	    __atomic_load_n(&s->b, __ATOMIC_RELAXED) == key->b);
}

/* The slot of a key, or NULL. Takes no lock. */
static struct slot *
find(const struct revocations *r, const struct place *place,
    const struct revocation_key *key, uint64_t *said)
{
	uint64_t tags, differ, hits;
	struct slot *s;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		tags = __atomic_load_n(
		    tags_of(r) + place->buckets[i], __ATOMIC_ACQUIRE);
		/* The high bit of every byte that is zero, and perhaps of
		 * some more: the slot decides. */
		differ = tags ^ (EACH_LOW * place->tag);
		hits = (differ - EACH_LOW) & ~differ & EACH_HIGH;
		for (; hits != 0; hits &= hits - 1) {
			s = slots_of(r) + place->buckets[i] * SLOTS +
			    (unsigned int)__builtin_ctzll(hits) / 8;
			if (read_slot(s, key, said))
				return (s);
		}
	}
	return (NULL);
}

bool
revocations_get(const struct revocations *r, const struct revocation_key *key,
    int64_t now, uint32_t *value)
{
	struct place place;
	uint64_t said;

	find_place(r, key, &place);
	if (find(r, &place, key, &said) == NULL || !is_alive(said, now))
		return (false);
	if (value != NULL)
		*value = (uint32_t)(said >> 32);
	return (true);
}

bool
revocations_empty(const struct revocations *r)
{
	return (__atomic_load_n(&r->used, __ATOMIC_ACQUIRE) == 0);
}

/* How many slots of a bucket may be taken; the first of them in *slot. One that
 * was never used goes before an entry that is over: a clock that is set back
 * finds it again. */
static size_t
count_free(
    const struct revocations *r, size_t bucket, int64_t now, size_t *slot)
{
	uint64_t tags = tags_of(r)[bucket];
	const struct slot *slots = slots_of(r) + bucket * SLOTS;
	bool unused = false, empty;
	size_t i, count = 0;

	for (i = SLOTS; i-- > 0;) {
		empty = tag_at(tags, i) == 0;
		if (!empty && !is_reusable(slots[i].said, now))
			continue;
		count++;
		if (empty || !unused)
			*slot = bucket * SLOTS + i;
		unused = unused || empty;
	}
	return (count);
}

/* Under the lock; the order is what readers and sudden death ask for. */
static void
write_slot(struct revocations *r, size_t index, uint8_t tag,
    const struct revocation_key *key, uint64_t said)
{
	uint64_t *tags = tags_of(r) + index / SLOTS, others;
	unsigned int shift = (unsigned int)(index % SLOTS) * 8;
	struct slot *s = slots_of(r) + index;

	others = *tags & ~(UINT64_C(0xff) << shift);
	__atomic_store_n(tags, others, __ATOMIC_RELAXED);
	__atomic_store_n(&s->said, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&s->a, key->a, __ATOMIC_RELEASE);
	__atomic_store_n(&s->b, key->b, __ATOMIC_RELEASE);
	__atomic_store_n(&s->said, said, __ATOMIC_RELEASE);
	__atomic_store_n(
	    tags, others | (uint64_t)tag << shift, __ATOMIC_RELEASE);
}

/* Under the lock. */
static int
put(struct revocations *r, const struct revocation_key *key, uint32_t value,
    int64_t until, int64_t now)
{
	uint64_t said = (uint64_t)value << 32 | clamp(until), before;
	size_t slots[2] = {0, 0}, room[2];
	struct place place;
	struct slot *s;

	find_place(r, key, &place);
	s = find(r, &place, key, &before);
	if (s != NULL) {
		__atomic_store_n(&s->said, said, __ATOMIC_RELEASE);
		return (0);
	}
	if (!is_alive(said, now))
		return (0);
	room[0] = count_free(r, place.buckets[0], now, &slots[0]);
	room[1] = count_free(r, place.buckets[1], now, &slots[1]);
	if (room[0] == 0 && room[1] == 0)
		return (-1);
	__atomic_store_n(&r->used, 1, __ATOMIC_RELEASE);
	write_slot(r, slots[room[1] > room[0]], place.tag, key, said);
	return (0);
}

/* Whoever died holding the lock has left nothing that would need mending. */
int
revocations_put(struct revocations *r, const struct revocation_key *key,
    uint32_t value, int64_t until, int64_t now)
{
	int result;

	(void)shared_lock_take(&r->lock);
	result = put(r, key, value, until, now);
	shared_lock_release(&r->lock);
	return (result);
}

size_t
revocations_count(const struct revocations *r, int64_t now)
{
	const uint64_t *tags = tags_of(r);
	const struct slot *slots = slots_of(r);
	size_t i, count = 0;

	if (revocations_empty(r))
		return (0);
	for (i = 0; i < r->nbuckets * SLOTS; i++) {
		if (tag_at(__atomic_load_n(&tags[i / SLOTS], __ATOMIC_ACQUIRE),
			i % SLOTS) != 0 &&
		    is_alive(
			__atomic_load_n(&slots[i].said, __ATOMIC_ACQUIRE), now))
			count++;
	}
	return (count);
}

/* What has been taken back once is so for as long as anybody said. */
static int
put_longer(struct revocations *r, enum revocation_about about,
    const struct store_revocation *row, int64_t now)
{
	struct revocation_key key;
	int64_t until = clamp(row->until);
	struct place place;
	uint64_t said;

	revocation_key(r, about, row->key, row->key_len, &key);
	find_place(r, &key, &place);
	if (find(r, &place, &key, &said) != NULL && (uint32_t)said > until)
		until = (uint32_t)said;
	return (put(r, &key, 0, until, now));
}

/*
 * Processes follow the log each at its own pace: one that comes late with an
 * older row must not undo what a newer one said. So the number of the row
 * goes in as well, and it goes first: whoever dies half way has kept older
 * rows out, and the row itself will be found in the log again.
 */
static int
put_subject(
    struct revocations *r, const struct store_revocation *row, int64_t now)
{
	struct revocation_key order, version, before;
	uint32_t number = clamp(row->number);
	struct place place;
	uint64_t said;

	revocation_key(r, REVOKED_ORDER, row->key, row->key_len, &order);
	revocation_key(r, REVOKED_VERSION, row->key, row->key_len, &version);
	revocation_key(r, REVOKED_BEFORE, row->key, row->key_len, &before);
	find_place(r, &order, &place);
	if (find(r, &place, &order, &said) != NULL && is_alive(said, now) &&
	    number < (uint32_t)(said >> 32))
		return (0);
	if (put(r, &order, number, row->until, now) == -1 ||
	    put(r, &version, clamp(row->version), row->until, now) == -1)
		return (-1);
	return (put(r, &before, clamp(row->before), row->until, now));
}

int
revocations_apply(
    struct revocations *r, const struct store_revocation *row, int64_t now)
{
	int result = 0;

	(void)shared_lock_take(&r->lock);
	switch (row->kind) {
	case STORE_REVOKE_NONE:
		break;
	case STORE_REVOKE_TOKEN:
		result = put_longer(r, REVOKED_TOKEN, row, now);
		break;
	case STORE_REVOKE_SESSION:
		result = put_longer(r, REVOKED_SESSION, row, now);
		break;
	case STORE_REVOKE_USER:
		result = put_subject(r, row, now);
		break;
	}
	shared_lock_release(&r->lock);
	return (result);
}

static int
follow_row(const struct store_revocation *row, void *ctx)
{
	struct following *f = ctx;

	if (revocations_apply(f->r, row, f->now) == -1) {
		f->full = true;
		return (1);
	}
	*f->last = row->number;
	return (0);
}

enum store_result
revocations_follow(
    struct revocations *r, struct store *store, int64_t now, int64_t *last)
{
	struct following following = {r, now, last, false};
	enum store_result result;

	result =
	    store_revocation_each(store, *last, now, follow_row, &following);
	return (following.full ? STORE_FULL : result);
}
