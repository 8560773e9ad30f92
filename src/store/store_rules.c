#include "store/store_rules.h"

#include <string.h>

int64_t
store_later_by(int64_t a, int64_t b)
{
	int64_t sum;

	return (__builtin_add_overflow(a, b, &sum) ? STORE_FOREVER : sum);
}

bool
store_change_idle(
    const struct store_change *change, const struct store_user *user)
{
	switch (change->kind) {
	case STORE_SET_DISABLED:
		return (user->disabled);
	case STORE_SET_ENABLED:
		return (!user->disabled);
	case STORE_SET_ROLES:
		return (strcmp(change->roles, user->roles) == 0);
	case STORE_SET_NAME:
		return (change->name_len == user->name_len &&
		    memcmp(change->name, user->name, user->name_len) == 0);
	default:
		return (false);
	}
}

bool
store_change_raises(const struct store_change *change)
{
	return (change->kind != STORE_SET_ENABLED);
}

bool
store_change_ends_sessions(const struct store_change *change)
{
	return (change->kind != STORE_SET_ROLES);
}

/*
 * From which version on tokens are good. Of tokens that belong to no session
 * here only the second is known in which they were issued. Those of a disabled
 * or removed account are all refused; enabling it again brings back none that
 * came before, as their version stays behind.
 */
int64_t
store_change_revocation(const struct store_change *change,
    const struct store_user *user, int64_t access_until,
    struct store_revocation *made)
{
	const bool all = change->kind == STORE_SET_DISABLED ||
	    change->kind == STORE_DELETE_USER;
	int64_t until;

	memset(made, 0, sizeof(*made));
	made->kind = STORE_REVOKE_USER;
	(void)memcpy(made->key, user->subject, sizeof(made->key));
	made->key_len = user->subject_len;
	made->version = all
	    ? STORE_FOREVER
	    : store_later_by(user->version, store_change_raises(change));
	made->before = all ? STORE_FOREVER : change->now;
	until = store_later_by(change->now, change->token_life);
	if (access_until > until)
		until = access_until;
	made->until =
	    change->kind == STORE_SET_DISABLED ? STORE_FOREVER : until;
	return (until);
}

void
store_session_revocation(const struct store_session *session, int64_t until,
    struct store_revocation *made)
{
	memset(made, 0, sizeof(*made));
	made->kind = STORE_REVOKE_SESSION;
	made->key_len = strlen(session->id);
	(void)memcpy(made->key, session->id, made->key_len);
	made->until =
	    session->access_until > until ? session->access_until : until;
}
