/*
 * corgictl_change.c - accounts disabled, enabled, renamed, removed, and their
 * roles.
 */
#include <stdio.h>
#include <string.h>

#include "corgictl_workspace.h"

static enum exit_code change(
    const struct request *, struct store_change *, const char *, const char *);
static enum exit_code print_roles(const struct request *);

/*
 * Make a change of the account that the request names, note it under reason,
 * and have it take effect. taken is the name to speak of when the change says
 * EXISTS.
 */
static enum exit_code
change(const struct request *request, struct store_change *what,
    const char *reason, const char *taken)
{
	const char *name = request->argument;
	enum store_result result;
	struct store_user user;
	enum exit_code code;
	struct workspace w;

	if (workspace_begin(&w, request, true) == -1)
		return (EXIT_FAILED);
	code = workspace_find(&w, name, &user);
	if (code == EXIT_DONE && what->kind == STORE_DELETE_USER)
		code = ask_first(request, "Delete the account", name);
	if (code == EXIT_DONE) {
		what->user_id = user.id;
		result =
		    account_change(&w.accounts, &w.sessions, w.store, what);
		code = workspace_explain(
		    &w, result == STORE_EXISTS ? taken : name, result);
		code = workspace_note(
		    &w, AUDIT_ACCOUNT, reason, &user, NULL, code);
		code =
		    workspace_confirm(&w, what->kind != STORE_SET_NAME, code);
	}
	secret_wipe(&user, sizeof(user));
	workspace_end(&w);
	return (code);
}

enum exit_code
command_user_disable(const struct request *request)
{
	struct store_change what = {.kind = STORE_SET_DISABLED};

	if (!name_allowed(request->argument))
		return (EXIT_USAGE);
	return (change(request, &what, "disabled", ""));
}

enum exit_code
command_user_enable(const struct request *request)
{
	struct store_change what = {.kind = STORE_SET_ENABLED};

	if (!name_allowed(request->argument))
		return (EXIT_USAGE);
	return (change(request, &what, "enabled", ""));
}

enum exit_code
command_user_delete(const struct request *request)
{
	struct store_change what = {.kind = STORE_DELETE_USER};

	if (!name_allowed(request->argument))
		return (EXIT_USAGE);
	return (change(request, &what, "deleted", ""));
}

enum exit_code
command_user_rename(const struct request *request)
{
	struct store_change what = {
	    .kind = STORE_SET_NAME, .name = request->second};

	if (!name_allowed(request->argument) || !name_allowed(request->second))
		return (EXIT_USAGE);
	what.name_len = strlen(request->second);
	return (change(request, &what, "renamed", request->second));
}

/* One role per line: what a shell reads easily. */
static enum exit_code
print_roles(const struct request *request)
{
	const char *role;
	struct store_user user;
	enum exit_code code;
	struct workspace w;
	int len;

	if (workspace_begin(&w, request, false) == -1)
		return (EXIT_FAILED);
	code = workspace_find(&w, request->argument, &user);
	if (code == EXIT_DONE && request->json) {
		code = print_document(jdoc_new_words(user.roles));
	} else if (code == EXIT_DONE) {
		for (role = user.roles; *role != '\0';
		     role += len + (role[len] == ' ')) {
			len = (int)strcspn(role, " ");
			printf("%.*s\n", len, role);
		}
	}
	secret_wipe(&user, sizeof(user));
	workspace_end(&w);
	return (code);
}

enum exit_code
command_user_roles(const struct request *request)
{
	struct store_change what = {.kind = STORE_SET_ROLES};
	char roles[STORE_ROLES_MAX];

	if (!name_allowed(request->argument))
		return (EXIT_USAGE);
	if (request->none && request->second != NULL) {
		complain("--none and roles contradict each other");
		return (EXIT_USAGE);
	}
	if (!request->none && request->second == NULL)
		return (print_roles(request));
	if (!read_roles(request->second, roles))
		return (EXIT_USAGE);
	what.roles = roles;
	return (change(request, &what, "roles", ""));
}
