/*
 * sqlite_session.c - sessions and their refresh tokens.
 */
#include <string.h>

#include "base/secret.h"
#include "store/sqlite_internal.h"
#include "store/store_rules.h"

/* A session with the digest of its newest refresh token. */
struct session_row {
	struct store_session session;
	uint8_t refresh[STORE_DIGEST_LEN];
};

static enum store_result
read_session(struct sqlite_store *, sqlite3_stmt *, struct session_row *);
static enum store_result
find_session(struct sqlite_store *, const char *, struct session_row *);
static enum store_result end_session(struct sqlite_store *,
    const struct store_session *, int64_t, struct store_revocation *);
static enum store_result make_room(struct sqlite_store *, int64_t, int64_t,
    unsigned int, struct store_revocation *);
static enum store_result add_session(struct sqlite_store *,
    const struct store_session *, const char *, const uint8_t *, unsigned int,
    struct store_user *, struct store_revocation *);
static enum store_result rotate(struct sqlite_store *,
    const struct store_refresh *, struct store_session *);
static enum store_result find_successor(struct sqlite_store *, const char *,
    const uint8_t *, int64_t, int64_t, uint8_t *, size_t *);
static enum store_result refresh_session(struct sqlite_store *,
    const struct store_refresh *, struct store_refresh_result *);

static enum store_result
read_session(struct sqlite_store *s, sqlite3_stmt *row, struct session_row *out)
{
	size_t len = 0;

	memset(out, 0, sizeof(*out));
	if (!sqlite_read_text(
		row, 0, out->session.id, sizeof(out->session.id)) ||
	    !sqlite_read_text(
		row, 2, out->session.client, sizeof(out->session.client)) ||
	    !sqlite_read_blob(
		row, 8, out->refresh, sizeof(out->refresh), &len) ||
	    len != sizeof(out->refresh))
		return (sqlite_fail_with(s, STORE_DAMAGED,
		    "the row of a session is out of its limits"));
	out->session.user_id = sqlite3_column_int64(row, 1);
	out->session.created_at = sqlite3_column_int64(row, 3);
	out->session.refreshed_at = sqlite3_column_int64(row, 4);
	out->session.expires_at = sqlite3_column_int64(row, 5);
	out->session.ends_at = sqlite3_column_int64(row, 6);
	out->session.access_until = sqlite3_column_int64(row, 7);
	return (STORE_OK);
}

static enum store_result
find_session(struct sqlite_store *s, const char *id, struct session_row *out)
{
	const struct sqlite_value value = SQLITE_TEXT_OF(id);
	enum store_result result;
	sqlite3_stmt *row;

	result = sqlite_query(s, STATEMENT_SESSION_FIND, &value, 1, &row);
	if (result != STORE_OK)
		return (result);
	result = read_session(s, row, out);
	sqlite_reset(row);
	return (result);
}

enum store_result
sqlite_session_find(
    struct store *base, const char *id, struct store_session *out)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	enum store_result result;
	struct session_row row;

	result = find_session(s, id, &row);
	if (result == STORE_OK)
		*out = row.session;
	result = sqlite_answer(s, result);
	if (result != STORE_OK)
		memset(out, 0, sizeof(*out));
	return (result);
}

/* Remove a session's row, if there is one, and note that its tokens are
 * revoked until the last of them has expired. */
static enum store_result
end_session(struct sqlite_store *s, const struct store_session *session,
    int64_t until, struct store_revocation *made)
{
	const struct sqlite_value id = SQLITE_TEXT_OF(session->id);
	enum store_result result;

	store_session_revocation(session, until, made);
	result = sqlite_change_any(s, STATEMENT_SESSION_DELETE, &id, 1);
	return (result == STORE_OK ? sqlite_log(s, made) : result);
}

/* Before a session is added at now: with too many that live, the one refreshed
 * longest ago goes. */
static enum store_result
make_room(struct sqlite_store *s, int64_t user_id, int64_t now,
    unsigned int most, struct store_revocation *made)
{
	const struct sqlite_value values[] = {
	    SQLITE_INTEGER_OF(user_id),
	    SQLITE_INTEGER_OF(now),
	};
	enum store_result result;
	struct session_row row;
	sqlite3_stmt *query;
	int64_t count = 0;

	if (most == 0)
		return (STORE_OK);
	result = sqlite_query(s, STATEMENT_SESSION_COUNT, values, 2, &query);
	if (result != STORE_OK)
		return (result);
	count = sqlite3_column_int64(query, 0);
	sqlite_reset(query);
	if (count < (int64_t)most)
		return (STORE_OK);
	result = sqlite_query(s, STATEMENT_SESSION_OLDEST, values, 2, &query);
	if (result != STORE_OK)
		return (result);
	result = read_session(s, query, &row);
	sqlite_reset(query);
	if (result == STORE_OK)
		result = end_session(s, &row.session, 0, made);
	return (result);
}

static enum store_result
add_session(struct sqlite_store *s, const struct store_session *session,
    const char *expected_hash, const uint8_t *refresh, unsigned int most,
    struct store_user *user, struct store_revocation *made)
{
	const struct sqlite_value values[] = {
	    SQLITE_TEXT_OF(session->id),
	    SQLITE_INTEGER_OF(session->user_id),
	    SQLITE_TEXT_OF(session->client),
	    SQLITE_BLOB_OF(refresh, STORE_DIGEST_LEN),
	    SQLITE_INTEGER_OF(session->created_at),
	    SQLITE_INTEGER_OF(session->refreshed_at),
	    SQLITE_INTEGER_OF(session->expires_at),
	    SQLITE_INTEGER_OF(session->ends_at),
	    SQLITE_INTEGER_OF(session->access_until),
	};
	enum store_result result;

	result = sqlite_user_find_id(s, session->user_id, user);
	if (result == STORE_OK &&
	    (user->disabled || strcmp(user->hash, expected_hash) != 0))
		result = sqlite_fail_with(
		    s, STORE_NOT_FOUND, "the account has changed");
	if (result == STORE_OK)
		result = make_room(
		    s, session->user_id, session->created_at, most, made);
	if (result == STORE_OK)
		result = sqlite_change(
		    s, STATEMENT_SESSION_ADD, values, SQLITE_COUNT(values));
	return (result);
}

enum store_result
sqlite_session_add(struct store *base, const struct store_session *session,
    const char *expected_hash, const uint8_t *refresh, unsigned int most,
    struct store_user *user, struct store_revocation *made)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	enum store_result result;

	if ((result = sqlite_begin(s)) != STORE_OK)
		return (result);
	result = sqlite_end(s,
	    add_session(s, session, expected_hash, refresh, most, user, made));
	if (result != STORE_OK) {
		secret_wipe(user, sizeof(*user));
		made->kind = STORE_REVOKE_NONE;
	}
	return (result);
}

/* The successor takes the newest token's place; *now is the session from then
 * on. */
static enum store_result
rotate(struct sqlite_store *s, const struct store_refresh *refresh,
    struct store_session *now)
{
	int64_t expires_at = refresh->expires_at < now->ends_at
	    ? refresh->expires_at
	    : now->ends_at;
	const struct sqlite_value rotation[] = {
	    SQLITE_BLOB_OF(refresh->presented, STORE_DIGEST_LEN),
	    SQLITE_TEXT_OF(refresh->session),
	    SQLITE_BLOB_OF(refresh->sealed, refresh->sealed_len),
	    SQLITE_INTEGER_OF(refresh->now_ms),
	};
	const struct sqlite_value session[] = {
	    SQLITE_TEXT_OF(refresh->session),
	    SQLITE_BLOB_OF(refresh->successor, STORE_DIGEST_LEN),
	    SQLITE_TEXT_OF(refresh->client),
	    SQLITE_INTEGER_OF(refresh->now_ms / 1000),
	    SQLITE_INTEGER_OF(expires_at),
	    SQLITE_INTEGER_OF(refresh->access_until),
	};
	const struct sqlite_value old[] = {
	    SQLITE_TEXT_OF(refresh->session),
	    SQLITE_INTEGER_OF(refresh->now_ms - refresh->grace_ms),
	};
	enum store_result result;

	result = sqlite_change_any(s, STATEMENT_ROTATION_PRUNE, old, 2);
	if (result == STORE_OK)
		result = sqlite_change(s, STATEMENT_ROTATION_ADD, rotation,
		    SQLITE_COUNT(rotation));
	if (result == STORE_OK)
		result = sqlite_change(s, STATEMENT_SESSION_ROTATE, session,
		    SQLITE_COUNT(session));
	if (result != STORE_OK)
		return (result);
	(void)memcpy(now->client, refresh->client, strlen(refresh->client) + 1);
	now->refreshed_at = refresh->now_ms / 1000;
	now->expires_at = expires_at;
	if (now->access_until < refresh->access_until)
		now->access_until = refresh->access_until;
	return (STORE_OK);
}

static enum store_result
find_successor(struct sqlite_store *s, const char *session,
    const uint8_t *digest, int64_t since_ms, int64_t until_ms, uint8_t *sealed,
    size_t *len)
{
	const struct sqlite_value values[] = {
	    SQLITE_BLOB_OF(digest, STORE_DIGEST_LEN),
	    SQLITE_TEXT_OF(session),
	    SQLITE_INTEGER_OF(since_ms),
	    SQLITE_INTEGER_OF(until_ms),
	};
	enum store_result result;
	sqlite3_stmt *row;

	result = sqlite_query(
	    s, STATEMENT_ROTATION_FIND, values, SQLITE_COUNT(values), &row);
	if (result != STORE_OK)
		return (result);
	if (!sqlite_read_blob(row, 0, sealed, STORE_SEALED_MAX, len))
		result = sqlite_fail_with(s, STORE_DAMAGED,
		    "the row of a rotation is out of its limits");
	sqlite_reset(row);
	return (result);
}

enum store_result
sqlite_session_successor(struct store *base, const char *session,
    const uint8_t *digest, int64_t since_ms, int64_t until_ms, uint8_t *sealed,
    size_t *len)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	enum store_result result;

	result =
	    find_successor(s, session, digest, since_ms, until_ms, sealed, len);
	result = sqlite_answer(s, result);
	if (result != STORE_OK) {
		secret_wipe(sealed, STORE_SEALED_MAX);
		*len = 0;
	}
	return (result);
}

/* What a refresh token is worth, decided under the writer's lock. */
static enum store_result
refresh_session(struct sqlite_store *s, const struct store_refresh *refresh,
    struct store_refresh_result *out)
{
	const struct sqlite_value used[] = {
	    SQLITE_TEXT_OF(refresh->session),
	    SQLITE_INTEGER_OF(refresh->access_until),
	};
	int64_t now = refresh->now_ms / 1000;
	enum store_result result;
	struct session_row row;

	if ((result = find_session(s, refresh->session, &row)) != STORE_OK)
		return (result);
	result = sqlite_user_find_id(s, row.session.user_id, &out->user);
	if (result != STORE_OK)
		return (result);
	out->session = row.session;
	if (out->user.disabled || row.session.expires_at <= now ||
	    row.session.ends_at <= now)
		return (sqlite_fail_with(
		    s, STORE_NOT_FOUND, "the session is over"));

	if (secret_equal(row.refresh, sizeof(row.refresh), refresh->presented,
		sizeof(refresh->presented))) {
		out->verdict = STORE_REFRESH_ROTATED;
		return (rotate(s, refresh, &out->session));
	}
	/* Not even at the same moment, nor at one before: what came first may
	 * have waited longer for the lock. */
	result = STORE_NOT_FOUND;
	if (refresh->grace_ms > 0)
		result = find_successor(s, refresh->session, refresh->presented,
		    refresh->now_ms - refresh->grace_ms,
		    refresh->now_ms + STORE_LATER_MS, out->sealed,
		    &out->sealed_len);
	if (result == STORE_OK) {
		out->verdict = STORE_REFRESH_REPEATED;
		return (sqlite_change(s, STATEMENT_SESSION_USED, used, 2));
	}
	if (result != STORE_NOT_FOUND)
		return (result);
	out->verdict = STORE_REFRESH_REUSED;
	return (end_session(s, &row.session,
	    store_later_by(now, refresh->token_life), &out->made));
}

enum store_result
sqlite_session_refresh(struct store *base, const struct store_refresh *refresh,
    struct store_refresh_result *out)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	enum store_result result;

	if ((result = sqlite_begin(s)) != STORE_OK)
		return (result);
	result = sqlite_end(s, refresh_session(s, refresh, out));
	if (result != STORE_OK)
		secret_wipe(out, sizeof(*out));
	return (result);
}

enum store_result
sqlite_session_end(struct store *base, const char *id, int64_t user_id,
    int64_t until, struct store_revocation *made)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	enum store_result result;
	struct session_row row;

	memset(&row, 0, sizeof(row));
	if ((result = sqlite_begin(s)) != STORE_OK)
		return (result);
	result = find_session(s, id, &row);
	if (result == STORE_NOT_FOUND && user_id == 0) {
		(void)strncpy(row.session.id, id, sizeof(row.session.id) - 1);
		result = STORE_OK;
	}
	if (result == STORE_OK && user_id != 0 &&
	    row.session.user_id != user_id)
		result = sqlite_fail_with(
		    s, STORE_NOT_FOUND, "no such session of this account");
	if (result == STORE_OK)
		result = end_session(s, &row.session, until, made);
	result = sqlite_end(s, result);
	if (result != STORE_OK)
		made->kind = STORE_REVOKE_NONE;
	return (result);
}

enum store_result
sqlite_session_each(struct store *base, int64_t user_id, int64_t now,
    int (*each)(const struct store_session *, void *), void *ctx)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	const struct sqlite_value values[] = {
	    SQLITE_INTEGER_OF(user_id),
	    SQLITE_INTEGER_OF(now),
	};
	enum store_result result;
	struct session_row session;
	sqlite3_stmt *row;
	int rc = SQLITE_ROW;

	result = sqlite_query(
	    s, STATEMENT_SESSION_EACH, values, SQLITE_COUNT(values), &row);
	if (result != STORE_OK)
		return (sqlite_answer(
		    s, result == STORE_NOT_FOUND ? STORE_OK : result));
	for (; rc == SQLITE_ROW; rc = sqlite3_step(row)) {
		result = read_session(s, row, &session);
		if (result != STORE_OK || each(&session.session, ctx) != 0)
			break;
	}
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		result = sqlite_fail(s, rc);
	sqlite_reset(row);
	return (sqlite_answer(s, result));
}
