#include <sys/stat.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "corgictl.h"

/* Name of the database in the data folder. */
#define DATABASE "corgi.db"

/* What the commands about accounts work with. */
struct session {
	struct config config;
	struct store *store;
};

static int session_open(struct session *, const struct request *, bool);
static void session_close(struct session *);
static bool name_allowed(const char *);
static enum exit_code
explain(const struct session *, const char *, enum store_result);
static int print_account(const struct store_user *, void *);
static int append_account(const struct store_user *, void *);
static enum exit_code with_password(const struct request *, bool,
    enum store_result (*)(const struct account_service *, struct store *,
	const char *, size_t, const char *, size_t));

/*
 * Load the configuration and open the database. Only "user add" makes a data
 * folder and a database: a mistyped folder is to be noticed, not filled.
 */
static int
session_open(struct session *s, const struct request *request, bool create)
{
	char path[PATH_MAX], error[STORE_ERROR_MAX];

	memset(s, 0, sizeof(*s));
	if (load_config(request, CONFIG_PROD, false, &s->config) == -1)
		return (-1);
	if (config_path(&s->config, DATABASE, path, sizeof(path)) == -1) {
		complain("the path of the data folder is too long");
		goto failed;
	}
	if (create && mkdir(s->config.data_dir, 0700) == -1 &&
	    errno != EEXIST) {
		complain("%s: cannot be made (%s)", s->config.data_dir,
		    strerror(errno));
		goto failed;
	}
	if (!create && access(path, F_OK) == -1) {
		complain(
		    "%s: there is no database (%s)", path, strerror(errno));
		goto failed;
	}
	if (store_open_sqlite(path, &s->store, error) != STORE_OK) {
		complain("%s", error);
		goto failed;
	}
	return (0);
failed:
	config_free(&s->config);
	return (-1);
}

static void
session_close(struct session *s)
{
	store_close(s->store);
	config_free(&s->config);
}

static bool
name_allowed(const char *name)
{
	size_t len = strlen(name);

	if (len >= 1 && len <= STORE_NAME_MAX && utf8_valid(name, len))
		return (true);
	complain("a name is UTF-8 text of 1 to %d bytes", STORE_NAME_MAX);
	return (false);
}

/* Put a store's result into words and an exit status. */
static enum exit_code
explain(const struct session *s, const char *name, enum store_result result)
{
	char shown[SHOWN_NAME_MAX];

	show_text(name, strlen(name), shown, sizeof(shown));
	switch (result) {
	case STORE_OK:
		return (EXIT_DONE);
	case STORE_NOT_FOUND:
		complain("there is no account \"%s\"", shown);
		return (EXIT_NOT_FOUND);
	case STORE_EXISTS:
		complain("there is an account \"%s\" already", shown);
		return (EXIT_EXISTS);
	default:
		complain("%s",
		    store_error(s->store)[0] != '\0'
			? store_error(s->store)
			: "there is not enough memory to hash a password");
		return (EXIT_FAILED);
	}
}

/* "user add" and "user passwd": the same, but for what is done at the end.
 * Whether it can be done is looked up before a password is asked for. */
static enum exit_code
with_password(const struct request *request, bool adding,
    enum store_result (*set)(const struct account_service *, struct store *,
	const char *, size_t, const char *, size_t))
{
	const char *name = request->argument;
	struct account_service service;
	struct secret password = {NULL, 0};
	struct store_user user;
	enum store_result result;
	enum exit_code code;
	struct session s;

	if (!name_allowed(name))
		return (EXIT_USAGE);
	if (session_open(&s, request, adding) == -1)
		return (EXIT_FAILED);
	result = store_user_find(s.store, name, strlen(name), &user);
	secret_wipe(&user, sizeof(user));
	if (adding && result == STORE_NOT_FOUND)
		result = STORE_OK;
	else if (adding && result == STORE_OK)
		result = STORE_EXISTS;
	code = explain(&s, name, result);
	if (code == EXIT_DONE && read_password(&password) == -1)
		code = EXIT_FAILED;
	if (code == EXIT_DONE) {
		result = STORE_FAILED;
		if (account_service_init(&service, &s.config, clock_system) ==
		    0)
			result = set(&service, s.store, name, strlen(name),
			    (const char *)password.data, password.len);
		code = explain(&s, name, result);
	}
	secret_free(&password);
	session_close(&s);
	return (code);
}

enum exit_code
command_user_add(const struct request *request)
{
	return (with_password(request, true, account_add));
}

enum exit_code
command_user_passwd(const struct request *request)
{
	return (with_password(request, false, account_set_password));
}

enum exit_code
command_user_delete(const struct request *request)
{
	const char *name = request->argument;
	char shown[SHOWN_NAME_MAX], question[SHOWN_NAME_MAX + 32];
	struct store_user user;
	enum exit_code code;
	struct session s;

	if (!name_allowed(name))
		return (EXIT_USAGE);
	if (!request->yes && !isatty(STDIN_FILENO)) {
		complain("without a terminal to ask on, --yes is needed");
		return (EXIT_USAGE);
	}
	if (session_open(&s, request, false) == -1)
		return (EXIT_FAILED);
	code = explain(
	    &s, name, store_user_find(s.store, name, strlen(name), &user));
	secret_wipe(&user, sizeof(user));
	if (code == EXIT_DONE && !request->yes) {
		show_text(name, strlen(name), shown, sizeof(shown));
		(void)snprintf(question, sizeof(question),
		    "Delete the account \"%s\"?", shown);
		if (!confirm(question)) {
			complain("nothing was deleted");
			code = EXIT_FAILED;
		}
	}
	if (code == EXIT_DONE)
		code = explain(
		    &s, name, store_user_delete(s.store, name, strlen(name)));
	session_close(&s);
	return (code);
}

static int
print_account(const struct store_user *user, void *ctx)
{
	char shown[SHOWN_NAME_MAX], created[SHOWN_TIME_MAX];
	char updated[SHOWN_TIME_MAX];

	(void)ctx;
	show_text(user->name, user->name_len, shown, sizeof(shown));
	show_time(user->created_at, created);
	show_time(user->updated_at, updated);
	printf("%6lld  %-20s  %-20s  %s\n", (long long)user->id, created,
	    updated, shown);
	return (0);
}

/* Add an account to the array *ctx; on failure the array is given up. */
static int
append_account(const struct store_user *user, void *ctx)
{
	jdoc **list = ctx, *doc = jdoc_new_object();

	if (jdoc_set(doc, "id", jdoc_new_integer(user->id)) == 0 &&
	    jdoc_set(doc, "name",
		jdoc_new_string(user->name, user->name_len)) == 0 &&
	    jdoc_set(doc, "created_at", jdoc_new_integer(user->created_at)) ==
		0 &&
	    jdoc_set(doc, "updated_at", jdoc_new_integer(user->updated_at)) ==
		0) {
		if (jdoc_append(*list, doc) == 0)
			return (0);
	} else {
		jdoc_free(doc);
	}
	jdoc_free(*list);
	*list = NULL;
	return (1);
}

enum exit_code
command_user_list(const struct request *request)
{
	jdoc *list = NULL;
	enum store_result result;
	enum exit_code code;
	struct session s;

	if (session_open(&s, request, false) == -1)
		return (EXIT_FAILED);
	if (request->json) {
		list = jdoc_new_array();
		result = store_user_each(s.store, append_account, &list);
	} else {
		printf("%6s  %-20s  %-20s  %s\n", "ID", "CREATED", "CHANGED",
		    "NAME");
		result = store_user_each(s.store, print_account, NULL);
	}
	code = explain(&s, "", result);
	if (request->json && code == EXIT_DONE)
		code = print_document(list);
	else
		jdoc_free(list);
	session_close(&s);
	return (code);
}
