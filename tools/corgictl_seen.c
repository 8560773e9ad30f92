/*
 * corgictl_seen.c - names that come twice in a file. A dry run undoes each
 * batch, so the database does not tell it of those that lie far apart.
 */
#include <stdlib.h>
#include <string.h>

#include "corgictl_import.h"

/* A line in short: hashes stand for its name and its password. */
struct seen_line {
	uint64_t name[2];
	uint64_t password;
	unsigned long long number;
};

static int compare(const void *, const void *);

int
seen_add(struct seen *seen, const struct import_line *line)
{
	const struct secret *password = &line->password;
	const struct store_user *user = &line->user;
	struct seen_line *lines, *last;
	size_t room;

	if (seen->count == seen->room) {
		room = seen->room == 0 ? 1024 : 2 * seen->room;
		lines = reallocarray(seen->lines, room, sizeof(*lines));
		if (lines == NULL)
			return (-1);
		seen->lines = lines;
		seen->room = room;
	}
	if (seen->count == 0)
		secret_random(seen->key, sizeof(seen->key));
	last = &seen->lines[seen->count++];
	secret_hash128(seen->key, user->name, user->name_len, last->name);
	last->password = password->data != NULL
	    ? secret_hash(seen->key, password->data, password->len)
	    : secret_hash(seen->key, user->hash, strlen(user->hash));
	last->number = line->number;
	return (0);
}

static int
compare(const void *a, const void *b)
{
	const struct seen_line *x = a, *y = b;
	int order;

	order = memcmp(x->name, y->name, sizeof(x->name));
	if (order != 0)
		return (order);
	return ((x->number > y->number) - (x->number < y->number));
}

bool
seen_conflict(
    struct seen *seen, unsigned long long *first, unsigned long long *second)
{
	const struct seen_line *a, *b;
	size_t i;

	if (seen->count == 0)
		return (false);
	qsort(seen->lines, seen->count, sizeof(*seen->lines), compare);
	for (i = 1; i < seen->count; i++) {
		a = &seen->lines[i - 1];
		b = &seen->lines[i];
		if (memcmp(a->name, b->name, sizeof(a->name)) != 0 ||
		    a->password == b->password)
			continue;
		*first = a->number;
		*second = b->number;
		return (true);
	}
	return (false);
}

void
seen_free(struct seen *seen)
{
	free(seen->lines);
	memset(seen, 0, sizeof(*seen));
}
