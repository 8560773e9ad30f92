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
	char path[PATH_MAX]; /* of the database */
	struct store *store; /* NULL until it is opened */
};

static int session_load(struct session *, const struct request *);
static int session_open(struct session *);
static int session_begin(struct session *, const struct request *);
static int session_create(struct session *);
static void session_close(struct session *);
static bool name_allowed(const char *);
static enum exit_code
explain(const struct session *, const char *, enum store_result);
static enum exit_code look_for(const struct session *, const char *, bool);
static int print_account(const struct store_user *, void *);
static int append_account(const struct store_user *, void *);
static enum exit_code with_password(const struct request *, bool,
    enum store_result (*)(const struct account_service *, struct store *,
	const char *, size_t, const char *, size_t));

/* The first step: the configuration and where the database is. */
static int
session_load(struct session *s, const struct request *request)
{
	memset(s, 0, sizeof(*s));
	if (load_config(request, CONFIG_PROD, false, &s->config) == -1)
		return (-1);
	if (config_path(&s->config, DATABASE, s->path, sizeof(s->path)) == 0)
		return (0);
	complain("the path of the data folder is too long");
	config_free(&s->config);
	return (-1);
}

static int
session_open(struct session *s)
{
	char error[STORE_ERROR_MAX];

	if (store_open_sqlite(s->path, &s->store, error) == STORE_OK)
		return (0);
	complain("%s", error);
	return (-1);
}

/*
 * Load the configuration and open the database that is there: a mistyped folder
 * is to be noticed, not filled.
 */
static int
session_begin(struct session *s, const struct request *request)
{
	if (session_load(s, request) == -1)
		return (-1);
	if (access(s->path, F_OK) == -1)
		complain(
		    "%s: there is no database (%s)", s->path, strerror(errno));
	else if (session_open(s) == 0)
		return (0);
	session_close(s);
	return (-1);
}

/* Make the data folder and the database: for "user add" alone. */
static int
session_create(struct session *s)
{
	if (mkdir(s->config.data_dir, 0700) == -1 && errno != EEXIST) {
		complain("%s: cannot be made (%s)", s->config.data_dir,
		    strerror(errno));
		return (-1);
	}
	return (session_open(s));
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

/* Whether an account can be added, or changed, as far as it can be told. */
static enum exit_code
look_for(const struct session *s, const char *name, bool adding)
{
	struct store_user user;
	enum store_result result;

	result = store_user_find(s->store, name, strlen(name), &user);
	secret_wipe(&user, sizeof(user));
	if (adding && result == STORE_NOT_FOUND)
		result = STORE_OK;
	else if (adding && result == STORE_OK)
		result = STORE_EXISTS;
	return (explain(s, name, result));
}

/*
 * "user add" and "user passwd": the same, but for what is done at the end.
 * Whether it can be done is looked up before a password is asked for, and
 * nothing is made before there is a good password.
 */
static enum exit_code
with_password(const struct request *request, bool adding,
    enum store_result (*set)(const struct account_service *, struct store *,
	const char *, size_t, const char *, size_t))
{
	const char *name = request->argument;
	struct account_service service;
	struct secret password = {NULL, 0};
	enum store_result result = STORE_FAILED;
	enum exit_code code = EXIT_FAILED;
	struct session s;

	if (!name_allowed(name))
		return (EXIT_USAGE);
	if ((adding ? session_load(&s, request) : session_begin(&s, request)) ==
	    -1)
		return (EXIT_FAILED);
	if (adding && access(s.path, F_OK) == 0 && session_open(&s) == -1)
		goto done;
	if (s.store != NULL && (code = look_for(&s, name, adding)) != EXIT_DONE)
		goto done;
	code = EXIT_FAILED;
	if (read_password(&password) == -1 ||
	    (s.store == NULL && session_create(&s) == -1))
		goto done;
	if (account_service_init(&service, &s.config, clock_system) == 0)
		result = set(&service, s.store, name, strlen(name),
		    (const char *)password.data, password.len);
	code = explain(&s, name, result);
done:
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
	if (session_begin(&s, request) == -1)
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

	if (session_begin(&s, request) == -1)
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
