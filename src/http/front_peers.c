/*
 * front_peers.c - how many connections an address has. They are found by a
 * hash of the address: with thousands of them, to look at each for every one
 * that comes would be work that strangers could make.
 */
#include <string.h>

#include <kore/kore.h>

#include "base/secret.h"
#include "http/front_internal.h"

#define BUCKETS 1024

LIST_HEAD(bucket, front);

static struct bucket buckets[BUCKETS];
static uint8_t hash_key[SECRET_HASH_KEY_LEN];

static struct bucket *bucket_of(const struct front *);

void
front_peers_init(void)
{
	secret_random(hash_key, sizeof(hash_key));
}

void
front_peers_add(struct front *fr)
{
	LIST_INSERT_HEAD(bucket_of(fr), fr, peers);
}

void
front_peers_remove(struct front *fr)
{
	LIST_REMOVE(fr, peers);
}

unsigned int
front_peers_count(const struct front *fr)
{
	const struct front *other;
	unsigned int count;

	count = 0;
	LIST_FOREACH(other, bucket_of(fr), peers) {
		if (memcmp(&other->peer, &fr->peer, sizeof(fr->peer)) == 0)
			count++;
	}
	return (count);
}

static struct bucket *
bucket_of(const struct front *fr)
{
	return (&buckets[secret_hash(hash_key, &fr->peer, sizeof(fr->peer)) %
	    BUCKETS]);
}
