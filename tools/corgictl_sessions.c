/*
 * corgictl_sessions.c - the sessions of an account, shown and ended.
 */
#include <stdio.h>
#include <string.h>

#include "corgictl_workspace.h"

static int print_session(const struct store_session *, void *);
static int append_session(const struct store_session *, void *);
static int64_t session_end_of(const struct store_session *);
static enum store_result
end_one(struct workspace *, const struct store_user *, const char *);
static enum store_result end_all(struct workspace *, const struct store_user *);

/* When it ends unless it is refreshed; FOREVER for never. */
static int64_t
session_end_of(const struct store_session *session)
{
	return (session->ends_at < session->expires_at ? session->ends_at
						       : session->expires_at);
}

static int
print_session(const struct store_session *session, void *ctx)
{
	char client[SHOWN_NAME_MAX], created[SHOWN_TIME_MAX];
	char refreshed[SHOWN_TIME_MAX], expires[SHOWN_TIME_MAX] = "never";
	int64_t end = session_end_of(session);

	(void)ctx;
	show_text(
	    session->client, strlen(session->client), client, sizeof(client));
	show_time(session->created_at, created);
	show_time(session->refreshed_at, refreshed);
	if (end != STORE_FOREVER)
		show_time(end, expires);
	printf("%-36s  %-20s  %-20s  %-20s  %s\n", session->id, created,
	    refreshed, expires, client);
	return (0);
}

/* Add a session to the array *ctx; on failure the array is given up. */
static int
append_session(const struct store_session *session, void *ctx)
{
	int64_t end = session_end_of(session);
	jdoc **list = ctx, *doc = jdoc_new_object();
	bool whole;

	whole = jdoc_set_text(doc, "id", session->id) == 0 &&
	    jdoc_set_text(doc, "client", session->client) == 0 &&
	    jdoc_set(doc, "created_at",
		jdoc_new_integer(session->created_at)) == 0 &&
	    jdoc_set(doc, "refreshed_at",
		jdoc_new_integer(session->refreshed_at)) == 0 &&
	    jdoc_set(doc, "expires_at",
		end == STORE_FOREVER ? jdoc_new_null()
				     : jdoc_new_integer(end)) == 0;
	return (list_add(list, doc, whole));
}

enum exit_code
command_user_sessions(const struct request *request)
{
	jdoc *list = NULL;
	struct store_user user;
	enum exit_code code;
	struct workspace w;
	int64_t now = clock_now(&clock_system);

	if (!name_allowed(request->argument))
		return (EXIT_USAGE);
	if (workspace_begin(&w, request, false) == -1)
		return (EXIT_FAILED);
	if ((code = workspace_find(&w, request->argument, &user)) != EXIT_DONE)
		goto done;
	if (request->json) {
		list = jdoc_new_array();
		code = workspace_explain(&w, "",
		    store_session_each(
			w.store, user.id, now, append_session, &list));
	} else {
		printf("%-36s  %-20s  %-20s  %-20s  %s\n", "SESSION", "CREATED",
		    "REFRESHED", "EXPIRES", "CLIENT");
		code = workspace_explain(&w, "",
		    store_session_each(
			w.store, user.id, now, print_session, NULL));
	}
	if (request->json && code == EXIT_DONE)
		code = print_document(list);
	else
		jdoc_free(list);
done:
	secret_wipe(&user, sizeof(user));
	workspace_end(&w);
	return (code);
}

static enum store_result
end_one(struct workspace *w, const struct store_user *user, const char *id)
{
	int64_t until, life = session_token_life(&w->sessions);
	struct store_revocation made;

	if (__builtin_add_overflow(clock_now(&clock_system), life, &until))
		until = STORE_FOREVER;
	return (store_session_end(w->store, id, user->id, until, &made));
}

static enum store_result
end_all(struct workspace *w, const struct store_user *user)
{
	struct store_change what = {
	    .kind = STORE_END_SESSIONS, .user_id = user->id};

	return (account_change(&w->accounts, &w->sessions, w->store, &what));
}

enum exit_code
command_user_revoke(const struct request *request)
{
	const char *name = request->argument, *id = request->second;
	enum store_result result;
	struct store_user user;
	enum exit_code code;
	struct workspace w;

	if (!name_allowed(name))
		return (EXIT_USAGE);
	if (workspace_begin(&w, request, true) == -1)
		return (EXIT_FAILED);
	code = workspace_find(&w, name, &user);
	if (code == EXIT_DONE)
		code = ask_first(request,
		    id == NULL ? "End all sessions of" : "End the session of",
		    name);
	if (code != EXIT_DONE)
		goto done;
	result = id == NULL ? end_all(&w, &user) : end_one(&w, &user, id);
	if (id != NULL && result == STORE_NOT_FOUND) {
		complain("the account has no such session");
		code = EXIT_NOT_FOUND;
		goto done;
	}
	code = workspace_explain(&w, name, result);
	code = workspace_note(&w, AUDIT_REVOKE, NULL, &user,
	    result == STORE_INVALID ? NULL : id, code);
	code = workspace_confirm(&w, true, code);
done:
	secret_wipe(&user, sizeof(user));
	workspace_end(&w);
	return (code);
}
