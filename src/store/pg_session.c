/*
 * pg_session.c - sessions and their refresh tokens.
 */
#include <string.h>

#include "base/secret.h"
#include "store/pg_internal.h"
#include "store/store_rules.h"

/* A session with the digest of its newest refresh token. */
struct session_row {
	struct store_session session;
	uint8_t refresh[STORE_DIGEST_LEN];
};

static enum store_result
read_session(struct pg_store *, const PGresult *, int, struct session_row *);
static enum store_result find_session(struct pg_store *, enum pg_statement,
    const struct pg_value *, size_t, struct session_row *);
static enum store_result end_session(struct pg_store *,
    const struct store_session *, int64_t, struct store_revocation *);
static enum store_result make_room(struct pg_store *, int64_t, int64_t,
    unsigned int, struct store_revocation *);
static enum store_result add_session(struct pg_store *,
    const struct store_session *, const char *, const uint8_t *, unsigned int,
    struct store_user *, struct store_revocation *);
static enum store_result
rotate(struct pg_store *, const struct store_refresh *, struct store_session *);
static enum store_result find_successor(struct pg_store *, const char *,
    const uint8_t *, int64_t, int64_t, uint8_t *, size_t *);
static enum store_result refresh_session(struct pg_store *,
    const struct store_refresh *, struct store_refresh_result *);
static enum store_result end_by_id(struct pg_store *, const char *, int64_t,
    int64_t, struct store_revocation *);

static enum store_result
read_session(struct pg_store *s, const PGresult *answer, int row,
    struct session_row *out)
{
	struct store_session *session = &out->session;
	size_t len = 0;

	memset(out, 0, sizeof(*out));
	if (!pg_read_text(answer, row, 0, session->id, sizeof(session->id)) ||
	    !pg_read_integer(answer, row, 1, &session->user_id) ||
	    !pg_read_text(
		answer, row, 2, session->client, sizeof(session->client)) ||
	    !pg_read_integer(answer, row, 3, &session->created_at) ||
	    !pg_read_integer(answer, row, 4, &session->refreshed_at) ||
	    !pg_read_integer(answer, row, 5, &session->expires_at) ||
	    !pg_read_integer(answer, row, 6, &session->ends_at) ||
	    !pg_read_integer(answer, row, 7, &session->access_until) ||
	    !pg_read_blob(
		answer, row, 8, out->refresh, sizeof(out->refresh), &len) ||
	    len != sizeof(out->refresh))
		return (pg_fail_with(s, STORE_DAMAGED,
		    "the row of a session is out of its limits"));
	return (STORE_OK);
}

static enum store_result
find_session(struct pg_store *s, enum pg_statement which,
    const struct pg_value *values, size_t count, struct session_row *out)
{
	enum store_result result;
	PGresult *answer;

	result = pg_query(s, which, values, count, &answer);
	if (result != STORE_OK)
		return (result);
	result = read_session(s, answer, 0, out);
	PQclear(answer);
	return (result);
}

enum store_result
pg_session_find(struct store *base, const char *id, struct store_session *out)
{
	const struct pg_value value = PG_TEXT_OF(id);
	enum store_result result;
	struct session_row row;

	result = find_session(
	    (struct pg_store *)base, PG_SESSION_FIND, &value, 1, &row);
	if (result == STORE_OK)
		*out = row.session;
	else
		memset(out, 0, sizeof(*out));
	return (result);
}

/* Remove a session's row, if there is one, and note that its tokens are
 * revoked until the last of them has expired. */
static enum store_result
end_session(struct pg_store *s, const struct store_session *session,
    int64_t until, struct store_revocation *made)
{
	const struct pg_value id = PG_TEXT_OF(session->id);
	enum store_result result;

	store_session_revocation(session, until, made);
	result = pg_change_any(s, PG_SESSION_DELETE, &id, 1);
	return (result == STORE_OK ? pg_log(s, made) : result);
}

/* Before a session is added at now: with too many that live, the one refreshed
 * longest ago goes. */
static enum store_result
make_room(struct pg_store *s, int64_t user_id, int64_t now, unsigned int most,
    struct store_revocation *made)
{
	const struct pg_value values[] = {
	    PG_INTEGER_OF(user_id),
	    PG_INTEGER_OF(now),
	};
	enum store_result result;
	struct session_row row;
	PGresult *answer;
	int64_t count = 0;

	if (most == 0)
		return (STORE_OK);
	result = pg_query(s, PG_SESSION_COUNT, values, 2, &answer);
	if (result != STORE_OK)
		return (result);
	(void)pg_read_integer(answer, 0, 0, &count);
	PQclear(answer);
	if (count < (int64_t)most)
		return (STORE_OK);
	result = find_session(s, PG_SESSION_OLDEST, values, 2, &row);
	/* It was ended by another since it was counted. */
	if (result == STORE_NOT_FOUND)
		return (STORE_OK);
	if (result == STORE_OK)
		result = end_session(s, &row.session, 0, made);
	return (result);
}

/* The lock of the account keeps changes of it out, and other logins, or two
 * would count the same sessions. */
static enum store_result
add_session(struct pg_store *s, const struct store_session *session,
    const char *expected_hash, const uint8_t *refresh, unsigned int most,
    struct store_user *user, struct store_revocation *made)
{
	const struct pg_value values[] = {
	    PG_TEXT_OF(session->id),
	    PG_INTEGER_OF(session->user_id),
	    PG_TEXT_OF(session->client),
	    PG_BLOB_OF(refresh, STORE_DIGEST_LEN),
	    PG_INTEGER_OF(session->created_at),
	    PG_INTEGER_OF(session->refreshed_at),
	    PG_INTEGER_OF(session->expires_at),
	    PG_INTEGER_OF(session->ends_at),
	    PG_INTEGER_OF(session->access_until),
	};
	const struct pg_value id = PG_INTEGER_OF(session->user_id);
	enum store_result result;

	result = pg_find_user(s, PG_LOCK_ID, &id, user);
	if (result == STORE_OK &&
	    (user->disabled || strcmp(user->hash, expected_hash) != 0))
		result =
		    pg_fail_with(s, STORE_NOT_FOUND, "the account has changed");
	if (result == STORE_OK)
		result = make_room(
		    s, session->user_id, session->created_at, most, made);
	if (result != STORE_OK)
		return (result);
	result = pg_change(s, PG_SESSION_ADD, values, PG_COUNT_OF(values));
	if (result == STORE_NOT_FOUND)
		result = pg_fail_with(s, STORE_EXISTS, "the name is taken");
	return (result);
}

enum store_result
pg_session_add(struct store *base, const struct store_session *session,
    const char *expected_hash, const uint8_t *refresh, unsigned int most,
    struct store_user *user, struct store_revocation *made)
{
	struct pg_store *s = (struct pg_store *)base;
	enum store_result result;

	if ((result = pg_begin(s)) != STORE_OK)
		return (result);
	result = pg_end(s,
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
rotate(struct pg_store *s, const struct store_refresh *refresh,
    struct store_session *now)
{
	int64_t expires_at = refresh->expires_at < now->ends_at
	    ? refresh->expires_at
	    : now->ends_at;
	const struct pg_value rotation[] = {
	    PG_BLOB_OF(refresh->presented, STORE_DIGEST_LEN),
	    PG_TEXT_OF(refresh->session),
	    PG_BLOB_OF(refresh->sealed, refresh->sealed_len),
	    PG_INTEGER_OF(refresh->now_ms),
	};
	const struct pg_value session[] = {
	    PG_TEXT_OF(refresh->session),
	    PG_BLOB_OF(refresh->successor, STORE_DIGEST_LEN),
	    PG_TEXT_OF(refresh->client),
	    PG_INTEGER_OF(refresh->now_ms / 1000),
	    PG_INTEGER_OF(expires_at),
	    PG_INTEGER_OF(refresh->access_until),
	};
	const struct pg_value old[] = {
	    PG_TEXT_OF(refresh->session),
	    PG_INTEGER_OF(refresh->now_ms - refresh->grace_ms),
	};
	enum store_result result;

	result = pg_change_any(s, PG_ROTATION_PRUNE, old, 2);
	if (result == STORE_OK)
		result = pg_change(
		    s, PG_ROTATION_ADD, rotation, PG_COUNT_OF(rotation));
	if (result == STORE_OK)
		result = pg_change(
		    s, PG_SESSION_ROTATE, session, PG_COUNT_OF(session));
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
find_successor(struct pg_store *s, const char *session, const uint8_t *digest,
    int64_t since_ms, int64_t until_ms, uint8_t *sealed, size_t *len)
{
	const struct pg_value values[] = {
	    PG_BLOB_OF(digest, STORE_DIGEST_LEN),
	    PG_TEXT_OF(session),
	    PG_INTEGER_OF(since_ms),
	    PG_INTEGER_OF(until_ms),
	};
	enum store_result result;
	PGresult *answer;

	result =
	    pg_query(s, PG_ROTATION_FIND, values, PG_COUNT_OF(values), &answer);
	if (result != STORE_OK)
		return (result);
	if (!pg_read_blob(answer, 0, 0, sealed, STORE_SEALED_MAX, len))
		result = pg_fail_with(s, STORE_DAMAGED,
		    "the row of a rotation is out of its limits");
	PQclear(answer);
	return (result);
}

enum store_result
pg_session_successor(struct store *base, const char *session,
    const uint8_t *digest, int64_t since_ms, int64_t until_ms, uint8_t *sealed,
    size_t *len)
{
	enum store_result result;

	result = find_successor((struct pg_store *)base, session, digest,
	    since_ms, until_ms, sealed, len);
	if (result != STORE_OK) {
		secret_wipe(sealed, STORE_SEALED_MAX);
		*len = 0;
	}
	return (result);
}

/*
 * What a refresh token is worth, decided under the lock of its session: of
 * several who bring the same one, the second reads the row as the first has
 * left it. The account is locked before, against changes alone, so that it is
 * still enabled when this is done.
 */
static enum store_result
refresh_session(struct pg_store *s, const struct store_refresh *refresh,
    struct store_refresh_result *out)
{
	const struct pg_value used[] = {
	    PG_TEXT_OF(refresh->session),
	    PG_INTEGER_OF(refresh->access_until),
	};
	int64_t now = refresh->now_ms / 1000;
	enum store_result result;
	struct session_row row;

	result = pg_find_user(s, PG_SHARE_SESSION_USER, used, &out->user);
	if (result == STORE_OK)
		result = find_session(s, PG_SESSION_LOCK, used, 1, &row);
	if (result != STORE_OK)
		return (result);
	out->session = row.session;
	if (out->user.disabled || row.session.expires_at <= now ||
	    row.session.ends_at <= now)
		return (
		    pg_fail_with(s, STORE_NOT_FOUND, "the session is over"));

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
		return (pg_change(s, PG_SESSION_USED, used, 2));
	}
	if (result != STORE_NOT_FOUND)
		return (result);
	out->verdict = STORE_REFRESH_REUSED;
	return (end_session(s, &row.session,
	    store_later_by(now, refresh->token_life), &out->made));
}

enum store_result
pg_session_refresh(struct store *base, const struct store_refresh *refresh,
    struct store_refresh_result *out)
{
	struct pg_store *s = (struct pg_store *)base;
	enum store_result result;

	if ((result = pg_begin(s)) != STORE_OK)
		return (result);
	result = pg_end(s, refresh_session(s, refresh, out));
	if (result != STORE_OK)
		secret_wipe(out, sizeof(*out));
	return (result);
}

static enum store_result
end_by_id(struct pg_store *s, const char *id, int64_t user_id, int64_t until,
    struct store_revocation *made)
{
	const struct pg_value value = PG_TEXT_OF(id);
	enum store_result result;
	struct session_row row;

	memset(&row, 0, sizeof(row));
	result = find_session(s, PG_SESSION_LOCK, &value, 1, &row);
	if (result == STORE_NOT_FOUND && user_id == 0) {
		(void)strncpy(row.session.id, id, sizeof(row.session.id) - 1);
		result = STORE_OK;
	}
	if (result == STORE_OK && user_id != 0 &&
	    row.session.user_id != user_id)
		result = pg_fail_with(
		    s, STORE_NOT_FOUND, "no such session of this account");
	if (result == STORE_OK)
		result = end_session(s, &row.session, until, made);
	return (result);
}

enum store_result
pg_session_end(struct store *base, const char *id, int64_t user_id,
    int64_t until, struct store_revocation *made)
{
	struct pg_store *s = (struct pg_store *)base;
	enum store_result result;

	if ((result = pg_begin(s)) != STORE_OK)
		return (result);
	result = pg_end(s, end_by_id(s, id, user_id, until, made));
	if (result != STORE_OK)
		made->kind = STORE_REVOKE_NONE;
	return (result);
}

enum store_result
pg_session_each(struct store *base, int64_t user_id, int64_t now,
    int (*each)(const struct store_session *, void *), void *ctx)
{
	struct pg_store *s = (struct pg_store *)base;
	const struct pg_value values[] = {
	    PG_INTEGER_OF(user_id),
	    PG_INTEGER_OF(now),
	};
	enum store_result result;
	struct session_row row;
	PGresult *answer;
	int i;

	result =
	    pg_run(s, PG_SESSION_EACH, values, PG_COUNT_OF(values), &answer);
	if (result != STORE_OK)
		return (result);
	for (i = 0; i < PQntuples(answer); i++) {
		result = read_session(s, answer, i, &row);
		if (result != STORE_OK || each(&row.session, ctx) != 0)
			break;
	}
	PQclear(answer);
	return (result);
}
