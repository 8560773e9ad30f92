/*
 * pg_user.c - accounts, and what a change of one ends.
 */
#include <string.h>

#include "base/secret.h"
#include "store/pg_internal.h"
#include "store/store_rules.h"

/* UUIDs that are tried for a subject: the first is never taken in earnest. */
#define SUBJECT_TRIES 3

static enum store_result taken(struct pg_store *);
static enum store_result take_subject(struct pg_store *, struct store_user *);
static enum store_result insert(struct pg_store *, struct store_user *);
static enum store_result
set_hash(struct pg_store *, int64_t, const char *, const char *, int64_t);
static enum store_result
write_change(struct pg_store *, const struct store_change *);
static enum store_result revoke(struct pg_store *, const struct store_change *,
    const struct store_user *, struct store_revocation *);
static enum store_result change_user(
    struct pg_store *, const struct store_change *, struct store_revocation *);
static enum store_result each_user(struct pg_store *,
    int (*)(const struct store_user *, void *), void *, struct store_user *);

/* A row that cannot have been written by this program is damage. */
enum store_result
pg_read_user(struct pg_store *s, const PGresult *answer, int row,
    struct store_user *user)
{
	int64_t disabled = 0;

	memset(user, 0, sizeof(*user));
	if (!pg_read_integer(answer, row, 0, &user->id) ||
	    !pg_read_blob(
		answer, row, 1, user->name, STORE_NAME_MAX, &user->name_len) ||
	    !pg_read_blob(answer, row, 2, user->subject, STORE_NAME_MAX,
		&user->subject_len) ||
	    !pg_read_text(answer, row, 3, user->hash, sizeof(user->hash)) ||
	    user->hash[0] == '\0' ||
	    !pg_read_text(answer, row, 4, user->roles, sizeof(user->roles)) ||
	    !store_roles_valid(user->roles) ||
	    !pg_read_integer(answer, row, 5, &disabled) ||
	    !pg_read_integer(answer, row, 6, &user->version) ||
	    !pg_read_integer(answer, row, 7, &user->created_at) ||
	    !pg_read_integer(answer, row, 8, &user->updated_at)) {
		secret_wipe(user, sizeof(*user));
		return (pg_fail_with(s, STORE_DAMAGED,
		    "the row of an account is out of its limits"));
	}
	user->disabled = disabled != 0;
	return (STORE_OK);
}

enum store_result
pg_find_user(struct pg_store *s, enum pg_statement which,
    const struct pg_value *value, struct store_user *user)
{
	enum store_result result;
	PGresult *answer;

	result = pg_query(s, which, value, 1, &answer);
	if (result == STORE_OK) {
		result = pg_read_user(s, answer, 0, user);
		PQclear(answer);
	}
	if (result != STORE_OK)
		secret_wipe(user, sizeof(*user));
	return (result);
}

enum store_result
pg_user_find(
    struct store *base, const char *name, size_t len, struct store_user *user)
{
	const struct pg_value value = PG_BLOB_OF(name, len);

	return (pg_find_user((struct pg_store *)base, PG_FIND, &value, user));
}

enum store_result
pg_user_find_subject(struct store *base, const char *subject, size_t len,
    struct store_user *user)
{
	const struct pg_value value = PG_BLOB_OF(subject, len);

	return (pg_find_user(
	    (struct pg_store *)base, PG_FIND_SUBJECT, &value, user));
}

static enum store_result
taken(struct pg_store *s)
{
	return (pg_fail_with(s, STORE_EXISTS, "the name is taken"));
}

/*
 * The subject that was asked for, which must be free; else the name, and where
 * that was somebody's subject once, a UUID.
 */
static enum store_result
take_subject(struct pg_store *s, struct store_user *user)
{
	bool given = user->subject_len > 0;
	enum store_result result;
	unsigned int i;

	if (!given) {
		memset(user->subject, 0, sizeof(user->subject));
		(void)memcpy(user->subject, user->name, user->name_len);
		user->subject_len = user->name_len;
	}
	for (i = 0;; i++) {
		const struct pg_value value =
		    PG_BLOB_OF(user->subject, user->subject_len);

		result = pg_change(s, PG_SUBJECT_TAKE, &value, 1);
		if (result != STORE_NOT_FOUND)
			return (result);
		if (given || i == SUBJECT_TRIES)
			return (taken(s));
		memset(user->subject, 0, sizeof(user->subject));
		secret_uuid4(user->subject);
		user->subject_len = UUID_LEN;
	}
}

/* Another may add the same name between the question and the row, which then
 * is not added. */
static enum store_result
insert(struct pg_store *s, struct store_user *user)
{
	const struct pg_value name = PG_BLOB_OF(user->name, user->name_len);
	enum store_result result;
	struct store_user other;
	PGresult *answer;

	result = pg_find_user(s, PG_FIND, &name, &other);
	if (result != STORE_NOT_FOUND) {
		secret_wipe(&other, sizeof(other));
		return (result == STORE_OK ? taken(s) : result);
	}
	if ((result = take_subject(s, user)) != STORE_OK)
		return (result);
	const struct pg_value values[] = {
	    PG_BLOB_OF(user->name, user->name_len),
	    PG_BLOB_OF(user->subject, user->subject_len),
	    PG_TEXT_OF(user->hash),
	    PG_TEXT_OF(user->roles),
	    PG_INTEGER_OF(user->disabled),
	    PG_INTEGER_OF(user->created_at),
	    PG_INTEGER_OF(user->updated_at),
	};
	result = pg_query(s, PG_ADD, values, PG_COUNT_OF(values), &answer);
	if (result != STORE_OK)
		return (result == STORE_NOT_FOUND ? taken(s) : result);
	if (!pg_read_integer(answer, 0, 0, &user->id))
		result = pg_fail_with(s, STORE_DAMAGED, "a number is none");
	PQclear(answer);
	user->version = 0;
	return (result);
}

enum store_result
pg_user_add(struct store *base, struct store_user *user)
{
	struct pg_store *s = (struct pg_store *)base;
	enum store_result result;

	struct store_user added = *user;

	if ((result = pg_begin(s)) != STORE_OK)
		goto out;
	result = pg_end(s, insert(s, &added));
	if (result == STORE_OK)
		*user = added;
out:
	secret_wipe(&added, sizeof(added));
	return (result);
}

static enum store_result
set_hash(struct pg_store *s, int64_t id, const char *expected, const char *hash,
    int64_t now)
{
	const struct pg_value values[] = {
	    PG_INTEGER_OF(id),
	    PG_TEXT_OF(hash),
	    PG_INTEGER_OF(now),
	    PG_TEXT_OF(expected),
	};

	return (pg_change(s, PG_SET_HASH, values, PG_COUNT_OF(values)));
}

enum store_result
pg_user_set_hash(struct store *base, int64_t id, const char *expected,
    const char *hash, int64_t now)
{
	struct pg_store *s = (struct pg_store *)base;
	enum store_result result;

	if ((result = pg_begin(s)) != STORE_OK)
		return (result);
	return (pg_end(s, set_hash(s, id, expected, hash, now)));
}

static enum store_result
write_change(struct pg_store *s, const struct store_change *change)
{
	struct pg_value values[3] = {
	    PG_INTEGER_OF(change->user_id),
	    PG_INTEGER_OF(change->kind == STORE_SET_DISABLED),
	    PG_INTEGER_OF(change->now),
	};

	switch (change->kind) {
	case STORE_SET_PASSWORD:
		return (set_hash(s, change->user_id, change->expected_hash,
		    change->hash, change->now));
	case STORE_SET_DISABLED:
	case STORE_SET_ENABLED:
		return (pg_change(s, PG_SET_DISABLED, values, 3));
	case STORE_SET_ROLES:
		values[1] = (struct pg_value)PG_TEXT_OF(change->roles);
		return (pg_change(s, PG_SET_ROLES, values, 3));
	case STORE_SET_NAME:
		values[1] =
		    (struct pg_value)PG_BLOB_OF(change->name, change->name_len);
		return (pg_change(s, PG_SET_NAME, values, 3));
	case STORE_DELETE_USER:
		return (pg_change(s, PG_DELETE, values, 1));
	case STORE_END_SESSIONS:
		break;
	}
	return (STORE_OK);
}

/* Raise the version and note from which one on tokens are good. */
static enum store_result
revoke(struct pg_store *s, const struct store_change *change,
    const struct store_user *user, struct store_revocation *made)
{
	struct pg_value values[3] = {
	    PG_INTEGER_OF(user->id),
	    PG_INTEGER_OF(store_change_raises(change)),
	};
	int64_t access_until = 0, until;
	enum store_result result;
	PGresult *answer;

	result = pg_query(s, PG_ACCESS_UNTIL, values, 1, &answer);
	if (result != STORE_OK)
		return (result);
	(void)pg_read_integer(answer, 0, 0, &access_until);
	PQclear(answer);
	until = store_change_revocation(change, user, access_until, made);
	values[2] = (struct pg_value)PG_INTEGER_OF(until);

	result = pg_change(s, PG_RAISE_VERSION, values, 3);
	if (result == STORE_OK && store_change_ends_sessions(change))
		result = pg_change_any(s, PG_SESSIONS_DELETE, values, 1);
	if (result == STORE_OK)
		result = pg_log(s, made);
	return (result);
}

/*
 * A removed account's row goes last: the rest of the change is about it. Its
 * lock keeps logins and refreshes out, so no session appears that is not
 * ended.
 */
static enum store_result
change_user(struct pg_store *s, const struct store_change *change,
    struct store_revocation *made)
{
	const struct pg_value id = PG_INTEGER_OF(change->user_id);
	enum store_result result;
	struct store_user user;

	memset(&user, 0, sizeof(user));
	result = pg_find_user(s, PG_LOCK_ID, &id, &user);
	if (result != STORE_OK || store_change_idle(change, &user))
		goto out;
	if (change->kind == STORE_DELETE_USER) {
		result = revoke(s, change, &user, made);
		if (result == STORE_OK)
			result = write_change(s, change);
		goto out;
	}
	result = write_change(s, change);
	if (result == STORE_OK && change->kind != STORE_SET_NAME)
		result = revoke(s, change, &user, made);
out:
	secret_wipe(&user, sizeof(user));
	return (result);
}

enum store_result
pg_user_change(struct store *base, const struct store_change *change,
    struct store_revocation *made)
{
	struct pg_store *s = (struct pg_store *)base;
	enum store_result result;

	if ((result = pg_begin(s)) != STORE_OK)
		return (result);
	result = pg_end(s, change_user(s, change, made));
	if (result != STORE_OK)
		made->kind = STORE_REVOKE_NONE;
	return (result);
}

static enum store_result
each_user(struct pg_store *s, int (*each)(const struct store_user *, void *),
    void *ctx, struct store_user *user)
{
	enum store_result result;
	PGresult *answer;
	bool stopped = false;
	int rows, i;

	do {
		/* Of length 0 at first: before all names. */
		const struct pg_value values[] = {
		    PG_BLOB_OF(user->name, user->name_len),
		    PG_INTEGER_OF(PG_PAGE),
		};

		result = pg_run(s, PG_EACH, values, 2, &answer);
		if (result != STORE_OK)
			return (result);
		rows = PQntuples(answer);
		for (i = 0; i < rows && result == STORE_OK && !stopped; i++) {
			result = pg_read_user(s, answer, i, user);
			stopped = result == STORE_OK && each(user, ctx) != 0;
		}
		PQclear(answer);
	} while (rows == PG_PAGE && result == STORE_OK && !stopped);
	return (result);
}

/* All pages show one moment. each() may take its time between two. */
enum store_result
pg_user_each(struct store *base, int (*each)(const struct store_user *, void *),
    void *ctx)
{
	struct pg_store *s = (struct pg_store *)base;
	enum store_result result = STORE_OK;
	struct store_user user;

	memset(&user, 0, sizeof(user));
	if (s->batching) {
		result = each_user(s, each, ctx, &user);
	} else if ((result = pg_begin(s)) == STORE_OK) {
		result = pg_execute(s,
		    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;"
		    "SET LOCAL idle_in_transaction_session_timeout = 0",
		    NULL);
		if (result == STORE_OK)
			result = each_user(s, each, ctx, &user);
		result = pg_end(s, result);
	}
	secret_wipe(&user, sizeof(user));
	return (result);
}

enum store_result
pg_user_count(struct store *base, int64_t *count)
{
	return (pg_query_integer((struct pg_store *)base, PG_COUNT, count));
}
