#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include "auth/token_cache.h"
#include "auth/token_claims.h"
#include "base/secret.h"

/* A tenth of the memory is for tokens that have not come again yet. */
#define SMALL_SHARE 10

/* How often a token may be passed over before it goes, at most. */
#define USES_MAX 3

/* Memory of a typical entry, to size the table (bytes). */
#define ENTRY_TYPICAL 1024
#define BUCKETS_MIN   64

struct entry {
	TAILQ_ENTRY(entry) queue;
	LIST_ENTRY(entry) bucket;
	uint64_t hash;
	struct claims *claims;
	size_t size; /* of all that the entry holds */
	unsigned int uses;
	bool in_main;
	size_t len;
	char token[];
};

TAILQ_HEAD(entries, entry);
LIST_HEAD(bucket, entry);

struct token_cache {
	const struct token_policy *policy;
	size_t limit;
	size_t bytes;       /* of all entries */
	size_t small_bytes; /* of those in small */
	size_t count;
	struct entries small; /* new ones, in order of arrival */
	struct entries main;  /* those that came again, as a clock */
	struct bucket *buckets;
	uint64_t *ghosts; /* hashes that left small unused, by bucket */
	size_t nbuckets;  /* a power of two */
	uint64_t key[2];
};

static uint64_t hash_of(const struct token_cache *, const char *, size_t);
static struct entry *
find(const struct token_cache *, uint64_t, const char *, size_t);
static void
insert(struct token_cache *, uint64_t, const char *, size_t, struct claims *);
static bool is_good(const struct token_cache *, struct entry *);
static void evict(struct token_cache *);
static void evict_small(struct token_cache *);
static void evict_main(struct token_cache *);
static void drop(struct token_cache *, struct entry *);

struct token_cache *
token_cache_new(const struct token_policy *policy, size_t bytes)
{
	struct token_cache *cache;

	cache = calloc(1, sizeof(*cache));
	if (cache == NULL)
		return (NULL);
	cache->policy = policy;
	cache->limit = bytes;
	cache->nbuckets = BUCKETS_MIN;
	while (cache->nbuckets < bytes / ENTRY_TYPICAL)
		cache->nbuckets *= 2;
	TAILQ_INIT(&cache->small);
	TAILQ_INIT(&cache->main);
	cache->buckets = calloc(cache->nbuckets, sizeof(*cache->buckets));
	cache->ghosts = calloc(cache->nbuckets, sizeof(*cache->ghosts));
	secret_random(cache->key, sizeof(cache->key));
	if (cache->buckets == NULL || cache->ghosts == NULL) {
		token_cache_free(cache);
		return (NULL);
	}
	return (cache);
}

void
token_cache_free(struct token_cache *cache)
{
	struct entry *e;

	if (cache == NULL)
		return;
	while ((e = TAILQ_FIRST(&cache->small)) != NULL)
		drop(cache, e);
	while ((e = TAILQ_FIRST(&cache->main)) != NULL)
		drop(cache, e);
	free(cache->buckets);
	free(cache->ghosts);
	secret_free_mem(cache, sizeof(*cache));
}

enum error_code
token_cache_verify(struct token_cache *cache, unsigned int kinds,
    const char *token, size_t len, struct claims **out, struct fault *fault)
{
	enum error_code code;
	struct entry *e;
	uint64_t hash;

	if (cache->limit == 0)
		return (
		    token_verify(cache->policy, kinds, token, len, out, fault));
	hash = hash_of(cache, token, len);
	e = find(cache, hash, token, len);
	if (e != NULL && !is_good(cache, e)) {
		drop(cache, e);
		e = NULL;
	}
	if (e != NULL && (claims_kind(e->claims) & kinds) != 0) {
		if (e->uses < USES_MAX)
			e->uses++;
		*out = claims_ref(e->claims);
		return (ERR_NONE);
	}

	code = token_verify(cache->policy, kinds, token, len, out, fault);
	if (code == ERR_NONE)
		insert(cache, hash, token, len, *out);
	return (code);
}

/*
 * A token ends with its signature, and no two that are good have the same: its
 * end alone spreads them, and whoever sends others only finds that they are
 * not there. Only good ones are kept, and nobody who cannot sign can choose the
 * end of one, so a multiplication with two secret numbers is hash enough.
 */
static uint64_t
hash_of(const struct token_cache *cache, const char *token, size_t len)
{
	uint64_t end[2] = {0, 0};
	unsigned __int128 product;

	if (len >= sizeof(end))
		memcpy(end, token + len - sizeof(end), sizeof(end));
	else
		memcpy(end, token, len);
	product = (unsigned __int128)(end[0] ^ cache->key[0]) *
	    (end[1] ^ cache->key[1]);
	return ((uint64_t)product ^ (uint64_t)(product >> 64));
}

size_t
token_cache_count(const struct token_cache *cache)
{
	return (cache->count);
}

size_t
token_cache_bytes(const struct token_cache *cache)
{
	return (cache->bytes);
}

/* Whether nothing that may have changed has made a token bad. */
static bool
is_good(const struct token_cache *cache, struct entry *e)
{
	claims_prepare(e->claims, cache->policy);
	return (claims_timely(e->claims, cache->policy) &&
	    !claims_revoked(e->claims, cache->policy));
}

static struct entry *
find(const struct token_cache *cache, uint64_t hash, const char *token,
    size_t len)
{
	struct entry *e;

	LIST_FOREACH(e, &cache->buckets[hash & (cache->nbuckets - 1)], bucket) {
		if (e->hash == hash && e->len == len &&
		    memcmp(e->token, token, len) == 0)
			return (e);
	}
	return (NULL);
}

/* Remember a token, if there is memory for it; it is good either way. */
static void
insert(struct token_cache *cache, uint64_t hash, const char *token, size_t len,
    struct claims *claims)
{
	struct entry *e;
	uint64_t *ghost;
	size_t size;

	size = sizeof(*e) + len + claims_size(claims);
	if (size > cache->limit / SMALL_SHARE)
		return;
	e = malloc(sizeof(*e) + len);
	if (e == NULL)
		return;
	e->hash = hash;
	e->claims = claims_ref(claims);
	e->size = size;
	e->uses = 0;
	e->len = len;
	memcpy(e->token, token, len);

	ghost = &cache->ghosts[hash & (cache->nbuckets - 1)];
	e->in_main = *ghost == hash;
	if (e->in_main) {
		*ghost = 0;
		TAILQ_INSERT_HEAD(&cache->main, e, queue);
	} else {
		cache->small_bytes += size;
		TAILQ_INSERT_HEAD(&cache->small, e, queue);
	}
	LIST_INSERT_HEAD(
	    &cache->buckets[hash & (cache->nbuckets - 1)], e, bucket);
	cache->bytes += size;
	cache->count++;
	evict(cache);
}

static void
evict(struct token_cache *cache)
{
	while (cache->bytes > cache->limit) {
		if (cache->small_bytes > cache->limit / SMALL_SHARE ||
		    TAILQ_EMPTY(&cache->main))
			evict_small(cache);
		else
			evict_main(cache);
	}
}

/* The oldest new one: to the others if it has come again, else away. */
static void
evict_small(struct token_cache *cache)
{
	struct entry *e;

	e = TAILQ_LAST(&cache->small, entries);
	if (e->uses == 0) {
		cache->ghosts[e->hash & (cache->nbuckets - 1)] = e->hash;
		drop(cache, e);
		return;
	}
	TAILQ_REMOVE(&cache->small, e, queue);
	cache->small_bytes -= e->size;
	e->in_main = true;
	e->uses = 0;
	TAILQ_INSERT_HEAD(&cache->main, e, queue);
}

static void
evict_main(struct token_cache *cache)
{
	struct entry *e;

	e = TAILQ_LAST(&cache->main, entries);
	if (e->uses == 0) {
		drop(cache, e);
		return;
	}
	e->uses--;
	TAILQ_REMOVE(&cache->main, e, queue);
	TAILQ_INSERT_HEAD(&cache->main, e, queue);
}

static void
drop(struct token_cache *cache, struct entry *e)
{
	LIST_REMOVE(e, bucket);
	if (e->in_main) {
		TAILQ_REMOVE(&cache->main, e, queue);
	} else {
		TAILQ_REMOVE(&cache->small, e, queue);
		cache->small_bytes -= e->size;
	}
	cache->bytes -= e->size;
	cache->count--;
	claims_free(e->claims);
	secret_free_mem(e, sizeof(*e) + e->len);
}
