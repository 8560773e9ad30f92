/*
 * corgictl_workspace.h - what the commands about accounts share: the
 * configuration, the database, the audit log, and the word to the service that
 * something has changed.
 */
#ifndef CORGI_CORGICTL_WORKSPACE_H
#define CORGI_CORGICTL_WORKSPACE_H

#include <limits.h>

#include "auth/account.h"
#include "auth/session.h"
#include "base/audit.h"
#include "corgictl.h"

/*
 * For how long at least a revocation is kept, whatever the environment says of
 * the life of access tokens: the service may have been started with another
 * (seconds).
 */
#define WORKSPACE_LIFE_MIN 86400

struct workspace {
	struct config config;
	char where[CONFIG_DATABASE_MAX]; /* the database; may hold a password */
	struct store *store;             /* NULL until it is opened */
	struct account_service accounts; /* nobody logs in here */
	struct session_service sessions;
	bool unheard; /* an event is missing in the audit log */
};

/* The first step: the configuration and where the database is. This and the
 * next return 0, or -1 after a complaint with nothing left to release. */
int workspace_load(struct workspace *w, const struct request *request)
    __attribute__((warn_unused_result));

/*
 * Load, and open the database that is there: a mistyped folder is to be
 * noticed, not filled. With changes the audit log is opened, too: where it
 * cannot be, nothing is changed.
 */
int workspace_begin(struct workspace *w, const struct request *request,
    bool changes) __attribute__((warn_unused_result));

/*
 * Open the database that is there. *store is NULL, and 0 returned, when there
 * is none; -1 after a complaint. On a server nothing is made or migrated.
 */
int workspace_open_existing(const char *where, struct store **store)
    __attribute__((warn_unused_result));

/* Open the database and the audit log; make the folder and the database first
 * if there are none. 0, or -1 after a complaint (workspace_end() is due). */
int workspace_create(struct workspace *w) __attribute__((warn_unused_result));

/* Make the folder if there is none, and open the audit log alone. Results as
 * workspace_create(). */
int
workspace_begin_audit(struct workspace *w) __attribute__((warn_unused_result));

void workspace_end(struct workspace *w);

/* Whether a name is one that an account can have, else after a complaint. */
bool name_allowed(const char *name);

/* Put a store's result into words and an exit status. */
enum exit_code workspace_explain(
    const struct workspace *w, const char *name, enum store_result result);

/* Fill *user for a name. DONE, or another status after a complaint. */
enum exit_code workspace_find(
    const struct workspace *w, const char *name, struct store_user *user);

/*
 * Write an event about an account (NULL: about none) and a session of it
 * (NULL: none) to the audit log: ok or failed by the code, which is returned.
 */
enum exit_code
workspace_note(struct workspace *w, enum audit_kind kind, const char *reason,
    const struct store_user *user, const char *session, enum exit_code code);

/*
 * The last step of a change that was made (code is DONE; any other is returned
 * as it is): where it bears on tokens, have the running services take note of
 * it. DONE, or FAILED after a complaint that it is stored and what is missing.
 */
enum exit_code
workspace_confirm(struct workspace *w, bool tokens, enum exit_code code);

/*
 * Whether a question is answered with yes: by --yes, or on the terminal.
 * Otherwise a complaint: USAGE when there is no terminal to ask on, FAILED for
 * any other answer.
 */
enum exit_code
ask_first(const struct request *request, const char *verb, const char *name);

/* corgictl_roles.c */

/* Roles under construction. */
struct role_list {
	const char *items[STORE_ROLES_MAX / 2];
	size_t lengths[STORE_ROLES_MAX / 2];
	size_t count;
};

/* Take one more; the text must outlive the list. False when it is no role, or
 * there are too many. */
bool role_list_add(struct role_list *list, const char *role, size_t len);

/* The roles as the store has them: in order, none twice. False when they are
 * too long together. */
bool role_list_text(struct role_list *list, char out[STORE_ROLES_MAX]);

/* Read "A,B" ("" is none) into the form that the store has; false after a
 * complaint. NULL is "". */
bool read_roles(const char *text, char out[STORE_ROLES_MAX]);

/* corgictl_control.c */

/* Longest explanation of a failure, with the NUL (bytes). */
#define CONTROL_ERROR_MAX 512

enum control_result {
	CONTROL_DONE,   /* every service said ok */
	CONTROL_NOBODY, /* no service runs on this folder */
	CONTROL_FAILED  /* one did not, see the error */
};

/*
 * Ask every service on a data folder and hand each good answer to each() (may
 * be NULL). words is the command, NULL at its end.
 */
enum control_result control_ask(const char *folder, const char *const *words,
    void (*each)(const jdoc *answer, void *ctx), void *ctx,
    char error[CONTROL_ERROR_MAX]);

#endif
