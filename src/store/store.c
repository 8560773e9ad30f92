#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "store/store.h"

/* What a session's id and a role may be made of. */
#define SESSION_CHARACTERS                                                     \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-"
#define ROLE_CHARACTERS SESSION_CHARACTERS "_.:"

static enum store_result invalid(struct store *, const char *, ...)
    __attribute__((format(printf, 2, 3)));
static bool name_fits(struct store *, const char *, size_t);
static bool hash_fits(struct store *, const char *);
static bool roles_fit(struct store *, const char *);
static bool session_fits(struct store *, const char *);
static bool client_fits(struct store *, const char *);
static bool revocation_fits(struct store *, const struct store_revocation *);
static bool change_fits(struct store *, const struct store_change *);
static bool shares_attempts(struct store *);
static bool attempt_fits(struct store *, const struct store_attempt *);
static enum store_result
open_either(const char *, bool, struct store **, char[STORE_ERROR_MAX]);

/* Indexed by enum store_result. */
static const char *const result_texts[] = {
    [STORE_OK] = "done",
    [STORE_NOT_FOUND] = "no such account or session",
    [STORE_EXISTS] = "the name is taken",
    [STORE_INVALID] = "an argument breaks a limit",
    [STORE_BUSY] = "the database is in use",
    [STORE_FULL] = "the disk is full",
    [STORE_DAMAGED] = "the database is damaged",
    [STORE_NEWER] = "the database is newer than this program",
    [STORE_READONLY] = "the database may not be written",
    [STORE_FAILED] = "the database failed",
};

/* How an address begins. */
#define SCHEME_SQLITE "sqlite:"
static const char *const server_schemes[] = {"postgresql://", "postgres://"};

static enum store_result
invalid(struct store *s, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(s->error, sizeof(s->error), fmt, args);
	va_end(args);
	return (STORE_INVALID);
}

/* Whether an argument keeps its limits; each says so in s->error when it does
 * not. */
static bool
name_fits(struct store *s, const char *name, size_t len)
{
	if (name != NULL && len >= 1 && len <= STORE_NAME_MAX)
		return (true);
	(void)invalid(
	    s, "a name has 1 to %d bytes, not %zu", STORE_NAME_MAX, len);
	return (false);
}

static bool
hash_fits(struct store *s, const char *hash)
{
	size_t len;

	len = hash == NULL ? 0 : strnlen(hash, STORE_HASH_MAX);
	if (len >= 1 && len < STORE_HASH_MAX)
		return (true);
	(void)invalid(
	    s, "a password hash has 1 to %d bytes", STORE_HASH_MAX - 1);
	return (false);
}

static bool
roles_fit(struct store *s, const char *roles)
{
	if (roles != NULL && store_roles_valid(roles))
		return (true);
	(void)invalid(s,
	    "roles are words of 1 to %d letters, digits and _.:-, in order, "
	    "%d bytes in all",
	    STORE_ROLE_MAX - 1, STORE_ROLES_MAX - 1);
	return (false);
}

static bool
session_fits(struct store *s, const char *id)
{
	size_t len;

	len = id == NULL ? 0 : strnlen(id, STORE_SESSION_ID_MAX);
	if (len >= 1 && len < STORE_SESSION_ID_MAX &&
	    strspn(id, SESSION_CHARACTERS) == len)
		return (true);
	(void)invalid(s, "a session's id has 1 to %d letters, digits and -",
	    STORE_SESSION_ID_MAX - 1);
	return (false);
}

static bool
client_fits(struct store *s, const char *client)
{
	if (client != NULL &&
	    strnlen(client, STORE_CLIENT_MAX) < STORE_CLIENT_MAX)
		return (true);
	(void)invalid(
	    s, "an address has at most %d bytes", STORE_CLIENT_MAX - 1);
	return (false);
}

static bool
revocation_fits(struct store *s, const struct store_revocation *revocation)
{
	if (revocation->kind >= STORE_REVOKE_TOKEN &&
	    revocation->kind <= STORE_REVOKE_USER && revocation->key_len >= 1 &&
	    revocation->key_len <= STORE_NAME_MAX)
		return (true);
	(void)invalid(s, "a revocation has a kind and a key of 1 to %d bytes",
	    STORE_NAME_MAX);
	return (false);
}

static bool
change_fits(struct store *s, const struct store_change *change)
{
	switch (change->kind) {
	case STORE_SET_PASSWORD:
		return (hash_fits(s, change->hash));
	case STORE_SET_ROLES:
		return (roles_fit(s, change->roles));
	case STORE_SET_NAME:
		return (name_fits(s, change->name, change->name_len));
	case STORE_SET_DISABLED:
	case STORE_SET_ENABLED:
	case STORE_END_SESSIONS:
	case STORE_DELETE_USER:
		return (true);
	}
	(void)invalid(s, "an account is not changed in this way");
	return (false);
}

bool
store_roles_valid(const char *roles)
{
	const char *role = roles, *last = NULL;
	size_t len, last_len = 0;
	int order;

	if (strnlen(roles, STORE_ROLES_MAX) >= STORE_ROLES_MAX)
		return (false);
	while (*role != '\0') {
		len = strspn(role, ROLE_CHARACTERS);
		if (len < 1 || len >= STORE_ROLE_MAX)
			return (false);
		if (last != NULL) {
			order =
			    memcmp(last, role, len < last_len ? len : last_len);
			if (order > 0 || (order == 0 && last_len >= len))
				return (false);
		}
		last = role;
		last_len = len;
		role += len;
		if (*role == '\0')
			break;
		if (*role != ' ' || role[1] == '\0')
			return (false);
		role++;
	}
	return (true);
}

const char *
store_where_path(const char *where)
{
	size_t len = strlen(SCHEME_SQLITE);

	if (strncmp(where, SCHEME_SQLITE, len) != 0 || where[len] == '\0')
		return (NULL);
	return (where + len);
}

bool
store_where_server(const char *where)
{
	size_t i;

	for (i = 0; i < sizeof(server_schemes) / sizeof(server_schemes[0]);
	     i++) {
		if (strncmp(where, server_schemes[i],
			strlen(server_schemes[i])) == 0)
			return (true);
	}
	return (false);
}

static enum store_result
open_either(const char *where, bool existing, struct store **out,
    char error[STORE_ERROR_MAX])
{
	const char *path = store_where_path(where);

	if (path != NULL)
		return (existing ? store_open_sqlite_existing(path, out, error)
				 : store_open_sqlite(path, out, error));
	if (store_where_server(where))
		return (existing
			? store_open_postgresql_existing(where, out, error)
			: store_open_postgresql(where, out, error));
	*out = NULL;
	(void)snprintf(error, STORE_ERROR_MAX,
	    "a database is sqlite:PATH or postgresql://...");
	return (STORE_INVALID);
}

enum store_result
store_open(const char *where, struct store **out, char error[STORE_ERROR_MAX])
{
	return (open_either(where, false, out, error));
}

enum store_result
store_open_existing(
    const char *where, struct store **out, char error[STORE_ERROR_MAX])
{
	return (open_either(where, true, out, error));
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
store_user_find_subject(
    struct store *s, const char *subject, size_t len, struct store_user *user)
{
	memset(user, 0, sizeof(*user));
	if (!name_fits(s, subject, len))
		return (STORE_INVALID);
	return (s->ops->user_find_subject(s, subject, len, user));
}

enum store_result
store_user_add(struct store *s, struct store_user *user)
{
	if (!name_fits(s, user->name, user->name_len) ||
	    (user->subject_len > 0 &&
		!name_fits(s, user->subject, user->subject_len)) ||
	    !hash_fits(s, user->hash) || !roles_fit(s, user->roles))
		return (STORE_INVALID);
	return (s->ops->user_add(s, user));
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
store_user_change(struct store *s, const struct store_change *change,
    struct store_revocation *made)
{
	memset(made, 0, sizeof(*made));
	if (!change_fits(s, change))
		return (STORE_INVALID);
	return (s->ops->user_change(s, change, made));
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
store_session_add(struct store *s, const struct store_session *session,
    const char *expected_hash, const uint8_t refresh[STORE_DIGEST_LEN],
    unsigned int most, struct store_user *user, struct store_revocation *made)
{
	memset(user, 0, sizeof(*user));
	memset(made, 0, sizeof(*made));
	if (!session_fits(s, session->id) || !client_fits(s, session->client) ||
	    !hash_fits(s, expected_hash))
		return (STORE_INVALID);
	return (s->ops->session_add(
	    s, session, expected_hash, refresh, most, user, made));
}

enum store_result
store_session_refresh(struct store *s, const struct store_refresh *refresh,
    struct store_refresh_result *result)
{
	memset(result, 0, sizeof(*result));
	if (!session_fits(s, refresh->session) ||
	    !client_fits(s, refresh->client))
		return (STORE_INVALID);
	if (refresh->sealed_len < 1 || refresh->sealed_len > STORE_SEALED_MAX)
		return (invalid(s, "a sealed successor has 1 to %d bytes",
		    STORE_SEALED_MAX));
	return (s->ops->session_refresh(s, refresh, result));
}

enum store_result
store_session_successor(struct store *s, const char *session,
    const uint8_t digest[STORE_DIGEST_LEN], int64_t since_ms, int64_t until_ms,
    uint8_t sealed[STORE_SEALED_MAX], size_t *len)
{
	*len = 0;
	if (!session_fits(s, session))
		return (STORE_INVALID);
	return (s->ops->session_successor(
	    s, session, digest, since_ms, until_ms, sealed, len));
}

enum store_result
store_session_find(
    struct store *s, const char *id, struct store_session *session)
{
	memset(session, 0, sizeof(*session));
	if (!session_fits(s, id))
		return (STORE_INVALID);
	return (s->ops->session_find(s, id, session));
}

enum store_result
store_session_end(struct store *s, const char *session, int64_t user_id,
    int64_t until, struct store_revocation *made)
{
	memset(made, 0, sizeof(*made));
	if (!session_fits(s, session))
		return (STORE_INVALID);
	return (s->ops->session_end(s, session, user_id, until, made));
}

enum store_result
store_session_each(struct store *s, int64_t user_id, int64_t now,
    int (*each)(const struct store_session *, void *), void *ctx)
{
	return (s->ops->session_each(s, user_id, now, each, ctx));
}

enum store_result
store_revocation_add(struct store *s, struct store_revocation *revocation)
{
	if (!revocation_fits(s, revocation))
		return (STORE_INVALID);
	return (s->ops->revocation_add(s, revocation));
}

enum store_result
store_revocation_each(struct store *s, int64_t after, int64_t now,
    int (*each)(const struct store_revocation *, void *), void *ctx)
{
	return (s->ops->revocation_each(s, after, now, each, ctx));
}

enum store_result
store_purge(
    struct store *s, int64_t now, int64_t since_ms, int limit, int64_t *removed)
{
	*removed = 0;
	if (limit < 1)
		return (invalid(s, "nothing can be removed in 0 rows"));
	return (s->ops->purge(s, now, since_ms, limit, removed));
}

enum store_result
store_change_mark(struct store *s, int64_t *mark)
{
	*mark = 0;
	return (s->ops->change_mark(s, mark));
}

enum store_result
store_listen(struct store *s, int *fd)
{
	*fd = -1;
	return (s->ops->listen(s, fd));
}

enum store_result
store_heard(struct store *s, bool *news)
{
	*news = false;
	return (s->ops->heard(s, news));
}

enum store_result
store_key_meet(struct store *s, uint32_t key, bool starts, uint32_t *other)
{
	*other = 0;
	if (key == 0)
		return (invalid(s, "this is no key"));
	return (s->ops->key_meet(s, key, starts, other));
}

static bool
shares_attempts(struct store *s)
{
	if (s->ops->attempt_add != NULL)
		return (true);
	(void)invalid(s, "%s keeps no log of attempts", s->ops->name);
	return (false);
}

static bool
attempt_fits(struct store *s, const struct store_attempt *attempt)
{
	if (attempt->kind >= STORE_ATTEMPT_FAILED &&
	    attempt->kind <= STORE_ATTEMPT_CLEAR_ALL &&
	    attempt->name_len <= STORE_NAME_MAX)
		return (true);
	(void)invalid(s, "this is no attempt to log in");
	return (false);
}

enum store_result
store_attempt_add(
    struct store *s, const struct store_attempt *attempts, size_t count)
{
	size_t i;

	if (!shares_attempts(s))
		return (STORE_INVALID);
	if (count < 1 || count > STORE_ATTEMPTS_MAX)
		return (invalid(s, "1 to %d attempts are appended at once",
		    STORE_ATTEMPTS_MAX));
	for (i = 0; i < count; i++)
		if (!attempt_fits(s, &attempts[i]))
			return (STORE_INVALID);
	return (s->ops->attempt_add(s, attempts, count));
}

enum store_result
store_attempt_each(struct store *s, int64_t after,
    int (*each)(const struct store_attempt *, void *), void *ctx)
{
	if (!shares_attempts(s))
		return (STORE_INVALID);
	return (s->ops->attempt_each(s, after, each, ctx));
}

enum store_result
store_attempt_mark(struct store *s, int64_t *mark)
{
	*mark = 0;
	if (!shares_attempts(s))
		return (STORE_INVALID);
	return (s->ops->attempt_mark(s, mark));
}

enum store_result
store_attempt_told(struct store *s, int64_t *number)
{
	*number = 0;
	if (!shares_attempts(s))
		return (STORE_INVALID);
	return (s->ops->attempt_told(s, number));
}

enum store_result
store_attempt_purge(struct store *s, int64_t older_ms, int64_t most, int limit,
    int64_t *removed)
{
	*removed = 0;
	if (!shares_attempts(s))
		return (STORE_INVALID);
	if (limit < 1 || older_ms < 0 || most < 0)
		return (invalid(s, "nothing can be removed like that"));
	return (s->ops->attempt_purge(s, older_ms, most, limit, removed));
}

enum store_result
store_batch(struct store *s, enum store_result (*work)(struct store *, void *),
    void *ctx)
{
	return (s->ops->batch(s, work, ctx));
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
