/*
 * session_internal.h - what session.c (ends, and what all have in common) and
 * session_change.c (a beginning, a renewal) share.
 */
#ifndef CORGI_SESSION_INTERNAL_H
#define CORGI_SESSION_INTERNAL_H

#include "auth/session.h"

/* A second that comes so many seconds later; FOREVER stays. */
int64_t session_later(int64_t now, int64_t seconds);

int64_t session_earlier(int64_t a, int64_t b);

/* "exp" of an access token that is issued now: within its session, unless it
 * is meant to be for ever. */
int64_t session_access_end(
    const struct session_service *svc, int64_t now, int64_t session_end);

/* Until when a token with that "exp" may be accepted. */
int64_t
session_accepted_until(const struct session_service *svc, int64_t expires);

/* With the roles and the version that the account has in the store's answer:
 * whatever changes them afterwards revokes this token, too. */
enum error_code session_issue_access(const struct session_service *svc,
    const struct store_user *user, bool fresh, int64_t expires,
    struct session_tokens *out);
enum error_code
session_issue_refresh(const struct session_service *svc, const char *subject,
    size_t subject_len, int64_t expires, struct session_tokens *out);

/* The store's failure, into the log; ERR_STORE. */
enum error_code session_say_store(struct store *store);

#endif
