#include <sys/stat.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "corgictl_workspace.h"

static int open_database(struct workspace *);
static int open_audit(struct workspace *);
static void complain_of_none(const char *);
static int make_folder(const struct workspace *);

int
workspace_load(struct workspace *w, const struct request *request)
{
	memset(w, 0, sizeof(*w));
	if (load_config(request, CONFIG_PROD, false, &w->config) == -1)
		return (-1);
	if (config_database(&w->config, w->config.data_dir, w->where) == -1) {
		complain("the path of the data folder is too long");
		config_free(&w->config);
		return (-1);
	}
	if (w->config.access_expires != CONFIG_NEVER &&
	    w->config.access_expires < WORKSPACE_LIFE_MIN)
		w->config.access_expires = WORKSPACE_LIFE_MIN;
	w->accounts.cost.memory_kib = w->config.argon2_memory_kib;
	w->accounts.cost.passes = w->config.argon2_passes;
	w->accounts.clock = clock_system;
	w->sessions.policy.config = &w->config;
	w->sessions.policy.clock = clock_system;
	return (0);
}

static int
open_database(struct workspace *w)
{
	char error[STORE_ERROR_MAX];

	if (store_open(w->where, &w->store, error) == STORE_OK)
		return (0);
	complain("%s", error);
	return (-1);
}

int
workspace_open_existing(const char *where, struct store **store)
{
	const char *path = store_where_path(where);
	char error[STORE_ERROR_MAX];
	enum store_result result;

	*store = NULL;
	if (path != NULL && access(path, F_OK) == -1)
		return (0);
	result = path != NULL ? store_open(where, store, error)
			      : store_open_existing(where, store, error);
	if (result == STORE_OK || result == STORE_NOT_FOUND)
		return (0);
	complain("%s", error);
	return (-1);
}

/*
 * As the service opens it, but for standard output, which is for what was asked
 * for: an export must not hold events. One that root makes here belongs to the
 * owner of the data folder, or the service could not write it.
 */
static int
open_audit(struct workspace *w)
{
	const char *target = w->config.audit_log;
	struct stat folder, file;
	char path[PATH_MAX];
	bool made = false, piped = strcmp(target, "-") == 0;

	if (target[0] != '/' && !piped && strcmp(target, "off") != 0) {
		if (config_path(&w->config, target, path, sizeof(path)) == -1) {
			complain("the path of the audit log is too long");
			return (-1);
		}
		target = path;
		made = lstat(path, &file) == -1 && errno == ENOENT;
	}
	if ((piped ? audit_open_descriptor(STDERR_FILENO)
		   : audit_open(target)) == -1) {
		complain("the audit log %s (CORGI_AUDIT_LOG) cannot be opened: "
			 "%s",
		    target, strerror(errno));
		return (-1);
	}
	if (made && geteuid() == 0 && stat(w->config.data_dir, &folder) == 0 &&
	    lchown(path, folder.st_uid, folder.st_gid) == -1)
		complain("%s: cannot be given to the owner of its folder (%s)",
		    path, strerror(errno));
	return (0);
}

static void
complain_of_none(const char *where)
{
	const char *path = store_where_path(where);

	if (path == NULL)
		complain("there are no accounts in this database yet "
			 "(CORGI_DATABASE)");
	else
		complain(
		    "%s: there is no database (%s)", path, strerror(errno));
}

int
workspace_begin(
    struct workspace *w, const struct request *request, bool changes)
{
	if (workspace_load(w, request) == -1)
		return (-1);
	if (workspace_open_existing(w->where, &w->store) == 0) {
		if (w->store == NULL)
			complain_of_none(w->where);
		else if (!changes || open_audit(w) == 0)
			return (0);
	}
	workspace_end(w);
	return (-1);
}

static int
make_folder(const struct workspace *w)
{
	if (mkdir(w->config.data_dir, 0700) == 0 || errno == EEXIST)
		return (0);
	complain(
	    "%s: cannot be made (%s)", w->config.data_dir, strerror(errno));
	return (-1);
}

int
workspace_begin_audit(struct workspace *w)
{
	return (make_folder(w) == -1 ? -1 : open_audit(w));
}

int
workspace_create(struct workspace *w)
{
	if (make_folder(w) == -1)
		return (-1);
	if (w->store == NULL && open_database(w) == -1)
		return (-1);
	return (open_audit(w));
}

void
workspace_end(struct workspace *w)
{
	audit_close();
	store_close(w->store);
	config_free(&w->config);
	secret_wipe(w->where, sizeof(w->where));
}

bool
name_allowed(const char *name)
{
	size_t len = strlen(name);

	if (len >= 1 && len <= STORE_NAME_MAX && utf8_valid(name, len))
		return (true);
	complain("a name is UTF-8 text of 1 to %d bytes", STORE_NAME_MAX);
	return (false);
}

enum exit_code
workspace_explain(
    const struct workspace *w, const char *name, enum store_result result)
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
		    store_error(w->store)[0] != '\0'
			? store_error(w->store)
			: "there is not enough memory to hash a password");
		return (EXIT_FAILED);
	}
}

enum exit_code
workspace_find(
    const struct workspace *w, const char *name, struct store_user *user)
{
	return (workspace_explain(
	    w, name, store_user_find(w->store, name, strlen(name), user)));
}

enum exit_code
workspace_note(struct workspace *w, enum audit_kind kind, const char *reason,
    const struct store_user *user, const char *session, enum exit_code code)
{
	const struct audit_event event = {
	    .kind = kind,
	    .outcome = code == EXIT_DONE ? AUDIT_OK : AUDIT_FAILED,
	    .reason = reason,
	    .subject = user == NULL ? NULL : user->subject,
	    .subject_len = user == NULL ? 0 : user->subject_len,
	    .session = session,
	};

	if (audit_write(&event) == -1)
		w->unheard = true;
	return (code);
}

enum exit_code
workspace_confirm(struct workspace *w, bool tokens, enum exit_code code)
{
	static const char *const sync[] = {"sync", NULL};
	char error[CONTROL_ERROR_MAX];

	if (w->unheard)
		complain("this could not be written to the audit log%s",
		    code == EXIT_DONE ? "; the change is stored" : "");
	if (code != EXIT_DONE)
		return (code);
	if (tokens &&
	    control_ask(w->config.data_dir, sync, NULL, NULL, error) ==
		CONTROL_FAILED) {
		complain(
		    "the change is stored, but a running service has not "
		    "confirmed it: %s; it may go on accepting tokens that "
		    "have ended until it follows the database or is restarted",
		    error);
		return (EXIT_FAILED);
	}
	return (w->unheard ? EXIT_FAILED : EXIT_DONE);
}

enum exit_code
ask_first(const struct request *request, const char *verb, const char *name)
{
	char shown[SHOWN_NAME_MAX], question[SHOWN_NAME_MAX + 64];

	if (request->yes)
		return (EXIT_DONE);
	if (!isatty(STDIN_FILENO)) {
		complain("without a terminal to ask on, --yes is needed");
		return (EXIT_USAGE);
	}
	show_text(name, strlen(name), shown, sizeof(shown));
	(void)snprintf(question, sizeof(question), "%s \"%s\"?", verb, shown);
	if (confirm(question))
		return (EXIT_DONE);
	complain("nothing was changed");
	return (EXIT_FAILED);
}
