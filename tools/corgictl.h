/*
 * corgictl.h - the administrator's program: what its files share.
 */
#ifndef CORGI_CORGICTL_H
#define CORGI_CORGICTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/account.h"
#include "base/config.h"
#include "base/jdoc.h"
#include "base/secret.h"

/* What the program ends with. */
enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NOT_FOUND = 3,
	EXIT_EXISTS = 4,
	EXIT_SIGNAL = 128 /* and the number of the signal that ended it */
};

/* The options and the arguments of a command line. NULL where not given. */
struct request {
	const char *argument;
	const char *second;
	const char *data_dir;
	const char *host;
	const char *port;
	const char *path;
	const char *roles;
	const char *address;
	const char *on_exists;
	const char *from_file;
	const char *to_file;
	bool json;
	bool yes;
	bool none;
	bool all;
	bool dry_run;
	bool restart;
};

/* Room for any name in the form of show_text(), with the closing NUL. */
#define SHOWN_NAME_MAX (4 * STORE_NAME_MAX + 1)

/* Room for a time in the form of show_time(), with the closing NUL. */
#define SHOWN_TIME_MAX 32

/* The commands. */
enum exit_code command_user_add(const struct request *);
enum exit_code command_user_list(const struct request *);
enum exit_code command_user_passwd(const struct request *);
enum exit_code command_user_delete(const struct request *);
enum exit_code command_user_disable(const struct request *);
enum exit_code command_user_enable(const struct request *);
enum exit_code command_user_roles(const struct request *);
enum exit_code command_user_rename(const struct request *);
enum exit_code command_user_sessions(const struct request *);
enum exit_code command_user_revoke(const struct request *);
enum exit_code command_user_import(const struct request *);
enum exit_code command_user_export(const struct request *);
enum exit_code command_database_copy(const struct request *);
enum exit_code command_throttle_list(const struct request *);
enum exit_code command_throttle_clear(const struct request *);
enum exit_code command_token_inspect(const struct request *);
enum exit_code command_config(const struct request *);
enum exit_code command_health(const struct request *);
enum exit_code command_routes(const struct request *);

/* corgictl_output.c */

/* Write "corgictl: ..." and a line end to standard error. */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * Copy text for a terminal: UTF-8 as it is, everything that could steer the
 * terminal or hide from the eye as \xHH. Cut to fit.
 */
void show_text(const void *text, size_t len, char *out, size_t size);

/* A time in UTC as RFC 3339 has it. */
void show_time(int64_t seconds, char out[SHOWN_TIME_MAX]);

/* Print a document and release it. DONE, or FAILED for NULL (no memory). */
enum exit_code print_document(jdoc *doc);

/* Add a document to the array *list when it is whole. 0; else 1, and both are
 * released and *list is NULL. Ends a walk over the store. */
int list_add(jdoc **list, jdoc *doc, bool whole);

/* corgictl_input.c */

/*
 * Ask for a new password for the account of that name: twice without echo on a
 * terminal, otherwise one line of standard input. Returns 0, or -1 after a
 * complaint, also about one that must not be set. Release with secret_free().
 */
int read_password(const char *name, struct secret *password)
    __attribute__((warn_unused_result));

/* Ask a yes-or-no question on the terminal. */
bool confirm(const char *question);

/* Read standard input to its end, at most max bytes. As read_password(). */
int
read_input(size_t max, struct secret *text) __attribute__((warn_unused_result));

/* corgictl_config.c */

/*
 * Load the configuration as the service does, --data-dir going before the
 * environment. Without keys, of the JWT_ names only that of the life of access
 * tokens is looked at. Returns 0, or -1 after a complaint.
 */
int load_config(const struct request *request, enum config_flavor flavor,
    bool with_keys, struct config *config) __attribute__((warn_unused_result));

#endif
