/*
 * sqlite_user.c - accounts, and what a change of one ends.
 */
#include <string.h>

#include "base/secret.h"
#include "store/sqlite_internal.h"
#include "store/store_rules.h"

/* UUIDs that are tried for a subject: the first is never taken in earnest. */
#define SUBJECT_TRIES 3

static enum store_result find(struct sqlite_store *, enum statement,
    const struct sqlite_value *, struct store_user *);
static enum store_result
take_subject(struct sqlite_store *, struct store_user *);
static enum store_result insert(struct sqlite_store *, struct store_user *);
static enum store_result
write_change(struct sqlite_store *, const struct store_change *);
static enum store_result
revoke(struct sqlite_store *, const struct store_change *,
    const struct store_user *, struct store_revocation *);
static enum store_result change_user(struct sqlite_store *,
    const struct store_change *, struct store_revocation *);

/* A row that cannot have been written by this program is damage. */
enum store_result
sqlite_read_user(
    struct sqlite_store *s, sqlite3_stmt *row, struct store_user *user)
{
	memset(user, 0, sizeof(*user));
	if (!sqlite_read_blob(
		row, 1, user->name, STORE_NAME_MAX, &user->name_len) ||
	    !sqlite_read_blob(
		row, 2, user->subject, STORE_NAME_MAX, &user->subject_len) ||
	    !sqlite_read_text(row, 3, user->hash, sizeof(user->hash)) ||
	    user->hash[0] == '\0' ||
	    !sqlite_read_text(row, 4, user->roles, sizeof(user->roles)) ||
	    !store_roles_valid(user->roles)) {
		secret_wipe(user, sizeof(*user));
		return (sqlite_fail_with(s, STORE_DAMAGED,
		    "the row of an account is out of its limits"));
	}
	user->id = sqlite3_column_int64(row, 0);
	user->disabled = sqlite3_column_int64(row, 5) != 0;
	user->version = sqlite3_column_int64(row, 6);
	user->created_at = sqlite3_column_int64(row, 7);
	user->updated_at = sqlite3_column_int64(row, 8);
	return (STORE_OK);
}

static enum store_result
find(struct sqlite_store *s, enum statement which,
    const struct sqlite_value *value, struct store_user *user)
{
	enum store_result result;
	sqlite3_stmt *row;

	result = sqlite_query(s, which, value, 1, &row);
	if (result == STORE_OK) {
		result = sqlite_read_user(s, row, user);
		sqlite_reset(row);
	}
	result = sqlite_answer(s, result);
	if (result != STORE_OK)
		secret_wipe(user, sizeof(*user));
	return (result);
}

enum store_result
sqlite_user_find(
    struct store *base, const char *name, size_t len, struct store_user *user)
{
	const struct sqlite_value value = SQLITE_BLOB_OF(name, len);

	return (
	    find((struct sqlite_store *)base, STATEMENT_FIND, &value, user));
}

enum store_result
sqlite_user_find_subject(struct store *base, const char *subject, size_t len,
    struct store_user *user)
{
	const struct sqlite_value value = SQLITE_BLOB_OF(subject, len);

	return (find(
	    (struct sqlite_store *)base, STATEMENT_FIND_SUBJECT, &value, user));
}

enum store_result
sqlite_user_find_id(struct sqlite_store *s, int64_t id, struct store_user *user)
{
	const struct sqlite_value value = SQLITE_INTEGER_OF(id);

	return (find(s, STATEMENT_FIND_ID, &value, user));
}

/*
 * The subject that was asked for, which must be free; else the name, and where
 * that was somebody's subject once, a UUID.
 */
static enum store_result
take_subject(struct sqlite_store *s, struct store_user *user)
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
		const struct sqlite_value value =
		    SQLITE_BLOB_OF(user->subject, user->subject_len);

		result = sqlite_change(s, STATEMENT_SUBJECT_TAKE, &value, 1);
		if (result != STORE_EXISTS || given || i == SUBJECT_TRIES)
			return (result);
		memset(user->subject, 0, sizeof(user->subject));
		secret_uuid4(user->subject);
		user->subject_len = UUID_LEN;
	}
}

static enum store_result
insert(struct sqlite_store *s, struct store_user *user)
{
	const struct sqlite_value name =
	    SQLITE_BLOB_OF(user->name, user->name_len);
	enum store_result result;
	struct store_user other;

	result = find(s, STATEMENT_FIND, &name, &other);
	if (result != STORE_NOT_FOUND) {
		secret_wipe(&other, sizeof(other));
		return (result == STORE_OK
			? sqlite_fail_with(s, STORE_EXISTS, "the name is taken")
			: result);
	}
	if ((result = take_subject(s, user)) != STORE_OK)
		return (result);
	const struct sqlite_value values[] = {
	    SQLITE_BLOB_OF(user->name, user->name_len),
	    SQLITE_BLOB_OF(user->subject, user->subject_len),
	    SQLITE_TEXT_OF(user->hash),
	    SQLITE_TEXT_OF(user->roles),
	    SQLITE_INTEGER_OF(user->disabled),
	    SQLITE_INTEGER_OF(user->created_at),
	    SQLITE_INTEGER_OF(user->updated_at),
	};
	result = sqlite_change(s, STATEMENT_ADD, values, SQLITE_COUNT(values));
	user->id = sqlite3_last_insert_rowid(s->db);
	user->version = 0;
	return (result);
}

enum store_result
sqlite_user_add(struct store *base, struct store_user *user)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	enum store_result result;

	struct store_user added = *user;

	if ((result = sqlite_begin(s)) != STORE_OK)
		goto out;
	result = sqlite_end(s, insert(s, &added));
	if (result == STORE_OK)
		*user = added;
out:
	secret_wipe(&added, sizeof(added));
	return (result);
}

enum store_result
sqlite_user_set_hash(struct store *base, int64_t id, const char *expected,
    const char *hash, int64_t now)
{
	const struct sqlite_value values[] = {
	    SQLITE_INTEGER_OF(id),
	    SQLITE_TEXT_OF(hash),
	    SQLITE_INTEGER_OF(now),
	    SQLITE_TEXT_OF(expected),
	};

	return (sqlite_change((struct sqlite_store *)base, STATEMENT_SET_HASH,
	    values, SQLITE_COUNT(values)));
}

static enum store_result
write_change(struct sqlite_store *s, const struct store_change *change)
{
	struct sqlite_value values[3] = {
	    SQLITE_INTEGER_OF(change->user_id),
	    SQLITE_INTEGER_OF(change->kind == STORE_SET_DISABLED),
	    SQLITE_INTEGER_OF(change->now),
	};

	switch (change->kind) {
	case STORE_SET_PASSWORD:
		return (sqlite_user_set_hash(&s->base, change->user_id,
		    change->expected_hash, change->hash, change->now));
	case STORE_SET_DISABLED:
	case STORE_SET_ENABLED:
		return (sqlite_change(s, STATEMENT_SET_DISABLED, values, 3));
	case STORE_SET_ROLES:
		values[1] = (struct sqlite_value)SQLITE_TEXT_OF(change->roles);
		return (sqlite_change(s, STATEMENT_SET_ROLES, values, 3));
	case STORE_SET_NAME:
		values[1] = (struct sqlite_value)SQLITE_BLOB_OF(
		    change->name, change->name_len);
		return (sqlite_change(s, STATEMENT_SET_NAME, values, 3));
	case STORE_DELETE_USER:
		return (sqlite_change(s, STATEMENT_DELETE, values, 1));
	case STORE_END_SESSIONS:
		break;
	}
	return (STORE_OK);
}

/* Raise the version and note from which one on tokens are good. */
static enum store_result
revoke(struct sqlite_store *s, const struct store_change *change,
    const struct store_user *user, struct store_revocation *made)
{
	struct sqlite_value values[3] = {
	    SQLITE_INTEGER_OF(user->id),
	    SQLITE_INTEGER_OF(store_change_raises(change)),
	};
	enum store_result result;
	sqlite3_stmt *row;
	int64_t until;

	result = sqlite_query(s, STATEMENT_ACCESS_UNTIL, values, 1, &row);
	if (result != STORE_OK)
		return (result);
	until = store_change_revocation(
	    change, user, sqlite3_column_int64(row, 0), made);
	sqlite_reset(row);
	values[2] = (struct sqlite_value)SQLITE_INTEGER_OF(until);

	result = sqlite_change(s, STATEMENT_RAISE_VERSION, values, 3);
	if (result == STORE_OK && store_change_ends_sessions(change))
		result =
		    sqlite_change_any(s, STATEMENT_SESSIONS_DELETE, values, 1);
	if (result == STORE_OK)
		result = sqlite_log(s, made);
	return (result);
}

/* A removed account's row goes last: the rest of the change is about it. */
static enum store_result
change_user(struct sqlite_store *s, const struct store_change *change,
    struct store_revocation *made)
{
	enum store_result result;
	struct store_user user;

	memset(&user, 0, sizeof(user));
	result = sqlite_user_find_id(s, change->user_id, &user);
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
sqlite_user_change(struct store *base, const struct store_change *change,
    struct store_revocation *made)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	enum store_result result;

	if ((result = sqlite_begin(s)) != STORE_OK)
		return (result);
	result = sqlite_end(s, change_user(s, change, made));
	if (result != STORE_OK)
		made->kind = STORE_REVOKE_NONE;
	return (result);
}

enum store_result
sqlite_user_each(struct store *base,
    int (*each)(const struct store_user *, void *), void *ctx)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	sqlite3_stmt *query = s->statements[STATEMENT_EACH];
	enum store_result result = STORE_OK;
	struct store_user user;
	int rc;

	while ((rc = sqlite3_step(query)) == SQLITE_ROW) {
		result = sqlite_read_user(s, query, &user);
		if (result != STORE_OK || each(&user, ctx) != 0)
			break;
	}
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		result = sqlite_fail(s, rc);
	sqlite_reset(query);
	secret_wipe(&user, sizeof(user));
	return (sqlite_answer(s, result));
}

enum store_result
sqlite_user_count(struct store *base, int64_t *count)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	sqlite3_stmt *query = s->statements[STATEMENT_COUNT];
	enum store_result result;

	result = sqlite_step_integer(s, query, count);
	sqlite_reset(query);
	return (sqlite_answer(s, result));
}
