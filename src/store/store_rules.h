/*
 * store_rules.h - what a change means, for every back end: decided without a
 * database, so that two of them cannot decide differently.
 */
#ifndef CORGI_STORE_RULES_H
#define CORGI_STORE_RULES_H

#include "store/store.h"

/* a + b, held at the end of the range. */
int64_t store_later_by(int64_t a, int64_t b);

/* Whether a change of this account would change nothing, so that nobody's
 * tokens need end. */
bool store_change_idle(
    const struct store_change *change, const struct store_user *user);

/* Whether the change makes the account's version grow, and whether it ends
 * its sessions; both are asked only of a change that ends tokens. */
bool store_change_raises(const struct store_change *change);
bool store_change_ends_sessions(const struct store_change *change);

/*
 * What is revoked when an account, as it was before, is changed: all but the
 * number. access_until: when the last of its access tokens expires that the
 * store knows of. Returns when the last of all of them does, which has to be
 * kept with the account: the next row of the log replaces this one and must
 * not end sooner.
 */
int64_t store_change_revocation(const struct store_change *change,
    const struct store_user *user, int64_t access_until,
    struct store_revocation *made);

/* The same for a session that ends. */
void store_session_revocation(const struct store_session *session,
    int64_t until, struct store_revocation *made);

#endif
