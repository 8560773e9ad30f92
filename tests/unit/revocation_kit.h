/*
 * revocation_kit.h - what the tests of revocations share: tables, numbered
 * ids, rows of the log.
 */
#ifndef CORGI_TEST_REVOCATION_KIT_H
#define CORGI_TEST_REVOCATION_KIT_H

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "auth/revocation.h"
#include "base/secret.h"

#define KIT_REVOKED_NOW INT64_C(1700000000)

#define REVOCATION_HELPER static __attribute__((unused))

REVOCATION_HELPER struct revocations *
table_new(size_t capacity)
{
	struct revocations *r;

	cr_assert_eq(secret_init(), 0);
	r = revocations_new(capacity);
	cr_assert_not_null(r);
	return (r);
}

/* The key of "id<n>". */
REVOCATION_HELPER struct revocation_key
numbered_key(const struct revocations *r, uint32_t n)
{
	struct revocation_key key;
	char id[16];
	int len;

	len = snprintf(id, sizeof(id), "id%u", n);
	revocation_key(r, REVOKED_TOKEN, id, (size_t)len, &key);
	return (key);
}

/* A value that shows whose entry it is. */
REVOCATION_HELPER uint32_t
numbered_value(uint32_t n)
{
	return (n * 2654435761u + 1);
}

REVOCATION_HELPER int
put_number(struct revocations *r, uint32_t n, int64_t until, int64_t now)
{
	struct revocation_key key = numbered_key(r, n);

	return (revocations_put(r, &key, numbered_value(n), until, now));
}

/* Whether the entry is there, and is the right one. */
REVOCATION_HELPER bool
has_number(const struct revocations *r, uint32_t n, int64_t now)
{
	struct revocation_key key = numbered_key(r, n);
	uint32_t value;

	return (revocations_get(r, &key, now, &value) &&
	    value == numbered_value(n));
}

REVOCATION_HELPER bool
has_text(const struct revocations *r, enum revocation_about about,
    const char *id, int64_t now, uint32_t *value)
{
	struct revocation_key key;

	revocation_key(r, about, id, strlen(id), &key);
	return (revocations_get(r, &key, now, value));
}

REVOCATION_HELPER struct store_revocation
make_row(enum store_revocation_kind kind, const char *key, int64_t until)
{
	struct store_revocation row = {.kind = kind, .until = until};

	row.key_len = strlen(key);
	memcpy(row.key, key, row.key_len);
	return (row);
}

#endif
