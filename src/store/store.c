#include <stdio.h>
#include <string.h>

#include "store/store.h"

static int name_fits(struct store *, const char *, size_t);
static int hash_fits(struct store *, const char *);

/* Indexed by enum store_result. */
static const char *const result_texts[] = {
    [STORE_OK] = "done",
    [STORE_NOT_FOUND] = "no such account",
    [STORE_EXISTS] = "the name is taken",
    [STORE_INVALID] = "an argument breaks a limit",
    [STORE_BUSY] = "the database is in use",
    [STORE_FULL] = "the disk is full",
    [STORE_DAMAGED] = "the database is damaged",
    [STORE_NEWER] = "the database is newer than this program",
    [STORE_READONLY] = "the database may not be written",
    [STORE_FAILED] = "the database failed",
};

/* Whether a name keeps the limits; says so in s->error when it does not. */
static int
name_fits(struct store *s, const char *name, size_t len)
{
	if (name != NULL && len >= 1 && len <= STORE_NAME_MAX)
		return (1);
	(void)snprintf(s->error, sizeof(s->error),
	    "a name has 1 to %d bytes, not %zu", STORE_NAME_MAX, len);
	return (0);
}

/* The same for a password hash. */
static int
hash_fits(struct store *s, const char *hash)
{
	size_t len;

	len = hash == NULL ? 0 : strnlen(hash, STORE_HASH_MAX);
	if (len >= 1 && len < STORE_HASH_MAX)
		return (1);
	(void)snprintf(s->error, sizeof(s->error),
	    "a password hash has 1 to %d bytes", STORE_HASH_MAX - 1);
	return (0);
}

void
store_close(struct store *s)
{
	if (s != NULL)
		s->ops->close(s);
}

enum store_result
store_user_find(
    struct store *s, const char *name, size_t len, struct store_user *user)
{
	memset(user, 0, sizeof(*user));
	if (!name_fits(s, name, len))
		return (STORE_INVALID);
	return (s->ops->user_find(s, name, len, user));
}

enum store_result
store_user_add(struct store *s, const char *name, size_t len, const char *hash,
    int64_t now, int64_t *id)
{
	if (!name_fits(s, name, len) || !hash_fits(s, hash))
		return (STORE_INVALID);
	return (s->ops->user_add(s, name, len, hash, now, id));
}

enum store_result
store_user_set_hash(struct store *s, int64_t id, const char *expected,
    const char *hash, int64_t now)
{
	if (!hash_fits(s, hash))
		return (STORE_INVALID);
	return (s->ops->user_set_hash(s, id, expected, hash, now));
}

enum store_result
store_user_delete(struct store *s, const char *name, size_t len)
{
	if (!name_fits(s, name, len))
		return (STORE_INVALID);
	return (s->ops->user_delete(s, name, len));
}

enum store_result
store_user_each(
    struct store *s, int (*each)(const struct store_user *, void *), void *ctx)
{
	return (s->ops->user_each(s, each, ctx));
}

enum store_result
store_user_count(struct store *s, int64_t *count)
{
	*count = 0;
	return (s->ops->user_count(s, count));
}

enum store_result
store_ping(struct store *s)
{
	return (s->ops->ping(s));
}

const char *
store_error(const struct store *s)
{
	return (s->error);
}

const char *
store_result_text(enum store_result r)
{
	size_t i = (size_t)r;

	if (i >= sizeof(result_texts) / sizeof(result_texts[0]))
		return (result_texts[STORE_FAILED]);
	return (result_texts[i]);
}
