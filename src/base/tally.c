#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "base/tally.h"

/* Places at first; always a power of two, and half of them free. */
#define PLACES_FIRST 64

struct place {
	unsigned int count; /* 0: free */
	uint8_t thing[TALLY_LEN_MAX];
};

struct tally {
	struct place *places;
	size_t size;
	size_t used;
	size_t len;
	uint8_t key[SECRET_HASH_KEY_LEN];
};

static size_t home_of(const struct tally *, const void *);
static size_t find(const struct tally *, const void *);
static int grow(struct tally *);

struct tally *
tally_new(size_t len)
{
	struct tally *t;

	assert(len <= TALLY_LEN_MAX);
	if ((t = calloc(1, sizeof(*t))) == NULL)
		return (NULL);
	t->len = len;
	t->size = PLACES_FIRST;
	t->places = calloc(t->size, sizeof(*t->places));
	if (t->places == NULL) {
		free(t);
		return (NULL);
	}
	secret_random(t->key, sizeof(t->key));
	return (t);
}

void
tally_free(struct tally *t)
{
	if (t == NULL)
		return;
	free(t->places);
	free(t);
}

/* Where it would be if it were alone. */
static size_t
home_of(const struct tally *t, const void *thing)
{
	return (secret_hash(t->key, thing, t->len) & (t->size - 1));
}

/* Where it is, or the free place where it belongs. */
static size_t
find(const struct tally *t, const void *thing)
{
	size_t i = home_of(t, thing);

	while (t->places[i].count > 0 &&
	    memcmp(t->places[i].thing, thing, t->len) != 0)
		i = (i + 1) & (t->size - 1);
	return (i);
}

unsigned int
tally_add(struct tally *t, const void *thing)
{
	size_t i = find(t, thing);

	if (t->places[i].count == 0) {
		if (2 * (t->used + 1) > t->size) {
			if (grow(t) == -1)
				return (0);
			i = find(t, thing);
		}
		(void)memcpy(t->places[i].thing, thing, t->len);
		t->used++;
	}
	return (++t->places[i].count);
}

static int
grow(struct tally *t)
{
	struct place *old = t->places;
	size_t size = t->size, i;

	t->places = calloc(2 * size, sizeof(*t->places));
	if (t->places == NULL) {
		t->places = old;
		return (-1);
	}
	t->size = 2 * size;
	for (i = 0; i < size; i++)
		if (old[i].count > 0)
			t->places[find(t, old[i].thing)] = old[i];
	free(old);
	return (0);
}

/*
 * What comes behind a place that becomes free, and is not at home there, moves
 * up: a search ends at the first free place.
 */
void
tally_remove(struct tally *t, const void *thing)
{
	size_t mask = t->size - 1, hole = find(t, thing), i, home;

	if (t->places[hole].count == 0 || --t->places[hole].count > 0)
		return;
	t->used--;
	for (i = (hole + 1) & mask; t->places[i].count > 0;
	     i = (i + 1) & mask) {
		home = home_of(t, t->places[i].thing);
		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		t->places[hole] = t->places[i];
		t->places[i].count = 0;
		hole = i;
	}
}
