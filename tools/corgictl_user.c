/*
 * corgictl_user.c - accounts added and listed, passwords set.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "corgictl_workspace.h"

static enum exit_code begin_adding(struct workspace *, const char *);
static void tell_subject(const struct store_user *);
static void show_roles(const char *, char[STORE_ROLES_MAX]);
static int print_account(const struct store_user *, void *);
static int append_account(const struct store_user *, void *);

/*
 * Whether an account can be added, as far as it can be told before a password
 * is asked for. Nothing is made before there is a good password.
 */
static enum exit_code
begin_adding(struct workspace *w, const char *name)
{
	struct store_user user;
	enum store_result result;

	if (workspace_open_existing(w->where, &w->store) == -1)
		return (EXIT_FAILED);
	if (w->store == NULL)
		return (EXIT_DONE);
	result = store_user_find(w->store, name, strlen(name), &user);
	secret_wipe(&user, sizeof(user));
	if (result == STORE_NOT_FOUND)
		return (EXIT_DONE);
	return (workspace_explain(
	    w, name, result == STORE_OK ? STORE_EXISTS : result));
}

/* A name that an account before had for a subject is no subject again. */
static void
tell_subject(const struct store_user *user)
{
	char shown[SHOWN_NAME_MAX];

	if (user->subject_len == user->name_len &&
	    memcmp(user->subject, user->name, user->name_len) == 0)
		return;
	show_text(user->subject, user->subject_len, shown, sizeof(shown));
	printf("The name was another account's subject. The tokens of this "
	       "one carry\n\"sub\": \"%s\"\n",
	    shown);
}

enum exit_code
command_user_add(const struct request *request)
{
	const char *name = request->argument;
	struct secret password = {NULL, 0};
	char roles[STORE_ROLES_MAX];
	struct store_user user;
	enum exit_code code;
	struct workspace w;

	if (!name_allowed(name) || !read_roles(request->roles, roles))
		return (EXIT_USAGE);
	if (workspace_load(&w, request) == -1)
		return (EXIT_FAILED);
	if ((code = begin_adding(&w, name)) != EXIT_DONE)
		goto done;
	code = EXIT_FAILED;
	if (read_password(name, &password) == -1 || workspace_create(&w) == -1)
		goto done;
	code = workspace_explain(&w, name,
	    account_add(&w.accounts, w.store, name, strlen(name),
		(const char *)password.data, password.len, roles, &user));
	if (code == EXIT_DONE) {
		(void)workspace_note(
		    &w, AUDIT_ACCOUNT, "added", &user, NULL, code);
		tell_subject(&user);
	}
	secret_wipe(&user, sizeof(user));
	code = workspace_confirm(&w, false, code);
done:
	secret_free(&password);
	workspace_end(&w);
	return (code);
}

enum exit_code
command_user_passwd(const struct request *request)
{
	const char *name = request->argument;
	struct secret password = {NULL, 0};
	struct store_user user;
	enum exit_code code;
	struct workspace w;

	if (!name_allowed(name))
		return (EXIT_USAGE);
	if (workspace_begin(&w, request, true) == -1)
		return (EXIT_FAILED);
	if ((code = workspace_find(&w, name, &user)) != EXIT_DONE)
		goto done;
	code = EXIT_FAILED;
	if (read_password(name, &password) == -1)
		goto done;
	code = workspace_explain(&w, name,
	    account_set_password(&w.accounts, &w.sessions, w.store, name,
		strlen(name), (const char *)password.data, password.len));
	code = workspace_note(&w, AUDIT_ACCOUNT, "password", &user, NULL, code);
	code = workspace_confirm(&w, true, code);
done:
	secret_wipe(&user, sizeof(user));
	secret_free(&password);
	workspace_end(&w);
	return (code);
}

/* With commas, as they are typed; "-" for none. */
static void
show_roles(const char *roles, char out[STORE_ROLES_MAX])
{
	char *p;

	(void)snprintf(
	    out, STORE_ROLES_MAX, "%s", *roles == '\0' ? "-" : roles);
	for (p = out; *p != '\0'; p++)
		if (*p == ' ')
			*p = ',';
}

/* The subject gets a line of its own, which no name can pretend to be. */
static int
print_account(const struct store_user *user, void *ctx)
{
	char shown[SHOWN_NAME_MAX], created[SHOWN_TIME_MAX];
	char updated[SHOWN_TIME_MAX], roles[STORE_ROLES_MAX];

	(void)ctx;
	show_text(user->name, user->name_len, shown, sizeof(shown));
	show_time(user->created_at, created);
	show_time(user->updated_at, updated);
	show_roles(user->roles, roles);
	printf("%6lld  %-20s  %-20s  %-8s  %-12s  %s\n", (long long)user->id,
	    created, updated, user->disabled ? "disabled" : "active", roles,
	    shown);
	if (user->subject_len == user->name_len &&
	    memcmp(user->subject, user->name, user->name_len) == 0)
		return (0);
	show_text(user->subject, user->subject_len, shown, sizeof(shown));
	printf("%6s  subject %s\n", "", shown);
	return (0);
}

/* Add an account to the array *ctx; on failure the array is given up. */
static int
append_account(const struct store_user *user, void *ctx)
{
	jdoc **list = ctx, *doc = jdoc_new_object();
	bool whole;

	whole = jdoc_set(doc, "id", jdoc_new_integer(user->id)) == 0 &&
	    jdoc_set(doc, "name",
		jdoc_new_string(user->name, user->name_len)) == 0 &&
	    jdoc_set(doc, "subject",
		jdoc_new_string(user->subject, user->subject_len)) == 0 &&
	    jdoc_set(doc, "roles", jdoc_new_words(user->roles)) == 0 &&
	    jdoc_set(doc, "disabled", jdoc_new_bool(user->disabled)) == 0 &&
	    jdoc_set(doc, "version", jdoc_new_integer(user->version)) == 0 &&
	    jdoc_set(doc, "created_at", jdoc_new_integer(user->created_at)) ==
		0 &&
	    jdoc_set(doc, "updated_at", jdoc_new_integer(user->updated_at)) ==
		0;
	return (list_add(list, doc, whole));
}

enum exit_code
command_user_list(const struct request *request)
{
	jdoc *list = NULL;
	enum store_result result;
	enum exit_code code;
	struct workspace w;

	if (workspace_begin(&w, request, false) == -1)
		return (EXIT_FAILED);
	if (request->json) {
		list = jdoc_new_array();
		result = store_user_each(w.store, append_account, &list);
	} else {
		printf("%6s  %-20s  %-20s  %-8s  %-12s  %s\n", "ID", "CREATED",
		    "CHANGED", "STATE", "ROLES", "NAME");
		result = store_user_each(w.store, print_account, NULL);
	}
	code = workspace_explain(&w, "", result);
	if (request->json && code == EXIT_DONE)
		code = print_document(list);
	else
		jdoc_free(list);
	workspace_end(&w);
	return (code);
}
