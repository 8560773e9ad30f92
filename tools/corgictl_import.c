/*
 * corgictl_import.c - accounts from a file, a batch of lines at a time: each
 * batch is read and its passwords are hashed first, then it is written in one
 * transaction, whole or not at all. An import that was interrupted is run
 * again: what it has added already is known by its hash.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "corgictl_import.h"

/* Most lines of a batch, and most passwords that are hashed for one: what an
 * interruption may cost. */
#define BATCH_LINES  1000
#define BATCH_HASHES 50

/* In place of a hash in what is undone anyway. */
#define NO_HASH "-"

enum on_exists { ON_EXISTS_FAIL, ON_EXISTS_SKIP, ON_EXISTS_UPDATE };

/* What became of a line. */
enum outcome { LINE_ADDED, LINE_UPDATED, LINE_LEFT };

struct import {
	struct workspace *w;
	struct line_reader reader;
	struct progress progress;
	struct seen seen; /* of a dry run */
	enum on_exists on_exists;
	bool dry_run;

	struct import_line lines[BATCH_LINES];
	enum outcome outcomes[BATCH_LINES];
	size_t count;
	size_t hashes;

	unsigned long long added, updated, left, renamed;
	/* Why it ended: the line (0: none) and the reason. */
	unsigned long long at;
	char error[IMPORT_ERROR_MAX];
	enum exit_code code;
};

static bool read_mode(const char *, enum on_exists *);
static enum exit_code
stop(struct import *, unsigned long long, enum exit_code, const char *);
static enum exit_code read_batch(struct import *);
static enum exit_code hash_password(struct import *, struct import_line *);
static enum exit_code hash_batch(struct import *);
static bool is_known(const struct import_line *, const struct store_user *);
static enum store_result change(struct import *, const struct store_user *,
    struct store_change, enum outcome *);
static enum store_result update(struct import *, struct import_line *,
    const struct store_user *, enum outcome *);
static enum store_result add(struct import *, struct import_line *);
static enum store_result
write_line(struct import *, struct import_line *, enum outcome *);
static enum store_result write_lines(struct store *, void *);
static enum exit_code write_batch(struct import *);
static void count_batch(struct import *);
static void clear_batch(struct import *);
static enum exit_code run(struct import *);
static enum exit_code check_names(struct import *);
static enum exit_code report(struct import *, enum exit_code);
static int open_input(const char *);
static int64_t file_size(int);
static int open_store(struct workspace *, bool);

static bool
read_mode(const char *text, enum on_exists *mode)
{
	if (text == NULL || strcmp(text, "fail") == 0)
		*mode = ON_EXISTS_FAIL;
	else if (strcmp(text, "skip") == 0)
		*mode = ON_EXISTS_SKIP;
	else if (strcmp(text, "update") == 0)
		*mode = ON_EXISTS_UPDATE;
	else {
		complain("--on-exists: fail, skip or update is needed");
		return (false);
	}
	return (true);
}

/* Note why the import ends, to be told after the bar. */
static enum exit_code
stop(struct import *im, unsigned long long at, enum exit_code code,
    const char *reason)
{
	im->at = at;
	im->code = code;
	if (reason != im->error)
		(void)snprintf(im->error, sizeof(im->error), "%s", reason);
	return (code);
}

/* Read the next lines; none at the end of the file. */
static enum exit_code
read_batch(struct import *im)
{
	struct import_line *line;
	const char *text;
	size_t len;
	int more;

	while (im->count < BATCH_LINES && im->hashes < BATCH_HASHES) {
		more = line_next(&im->reader, &text, &len);
		if (more == 0)
			break;
		if (more == -1 && errno == EMSGSIZE)
			return (stop(im, im->reader.number, EXIT_FAILED,
			    "longer than 65536 bytes"));
		if (more == -1)
			return (stop(im, 0, EXIT_FAILED, strerror(errno)));
		line = &im->lines[im->count++];
		line->number = im->reader.number;
		if (import_parse(text, len, line, im->error) == -1)
			return (stop(im, line->number, EXIT_FAILED, im->error));
		if (line->password.data != NULL)
			im->hashes++;
		if (im->dry_run && seen_add(&im->seen, line) == -1)
			return (stop(im, 0, EXIT_FAILED, "out of memory"));
	}
	return (EXIT_DONE);
}

/*
 * A line with a password gets its hash: that of the account, when there is one
 * with this password already.
 */
static enum exit_code
hash_password(struct import *im, struct import_line *line)
{
	const struct secret *password = &line->password;
	struct store_user user = {.hash = ""};
	enum store_result found = STORE_NOT_FOUND;
	int same = 0;

	if (im->w->store != NULL)
		found = store_user_find(
		    im->w->store, line->user.name, line->user.name_len, &user);
	if (found == STORE_OK)
		same =
		    password_verify(user.hash, password->data, password->len);
	if (same == 1)
		(void)memcpy(line->user.hash, user.hash, sizeof(user.hash));
	else if (same == 0 && im->dry_run)
		(void)memcpy(line->user.hash, NO_HASH, sizeof(NO_HASH));
	else if (same == 0 &&
	    password_hash(&im->w->accounts.cost, password->data, password->len,
		line->user.hash) == -1)
		same = -1;
	secret_wipe(&user, sizeof(user));
	if (found != STORE_OK && found != STORE_NOT_FOUND)
		return (stop(im, 0, EXIT_FAILED, store_error(im->w->store)));
	if (same == -1)
		return (stop(im, line->number, EXIT_FAILED,
		    "there is not enough memory to hash a password"));
	return (EXIT_DONE);
}

/* Before the transaction, which would hold up the service meanwhile. */
static enum exit_code
hash_batch(struct import *im)
{
	enum exit_code code = EXIT_DONE;
	size_t i;

	for (i = 0; i < im->count && code == EXIT_DONE; i++)
		if (im->lines[i].password.data != NULL)
			code = hash_password(im, &im->lines[i]);
	return (code);
}

/*
 * Whether an account is what an earlier run made of the line: it has its hash,
 * or, where that has been upgraded by a login since, its subject and time.
 */
static bool
is_known(const struct import_line *line, const struct store_user *user)
{
	if (strcmp(line->user.hash, user->hash) == 0)
		return (true);
	return (line->has_created &&
	    line->user.created_at == user->created_at &&
	    line->user.subject_len > 0 &&
	    line->user.subject_len == user->subject_len &&
	    memcmp(line->user.subject, user->subject, user->subject_len) == 0);
}

static enum store_result
change(struct import *im, const struct store_user *user,
    struct store_change what, enum outcome *outcome)
{
	struct store_revocation made;

	*outcome = LINE_UPDATED;
	what.user_id = user->id;
	what.now = clock_now(&clock_system);
	what.token_life = session_token_life(&im->w->sessions);
	return (store_user_change(im->w->store, &what, &made));
}

/* Make an account what its line says; what it does not say stays. */
static enum store_result
update(struct import *im, struct import_line *line,
    const struct store_user *user, enum outcome *outcome)
{
	const struct store_user *to = &line->user;
	enum store_result result = STORE_OK;

	if (to->subject_len > 0 &&
	    (to->subject_len != user->subject_len ||
		memcmp(to->subject, user->subject, to->subject_len) != 0)) {
		(void)stop(im, line->number, EXIT_FAILED,
		    "the account has another subject, which cannot be changed");
		return (STORE_INVALID);
	}
	if (strcmp(to->hash, user->hash) != 0)
		result = change(im, user,
		    (struct store_change){
			.kind = STORE_SET_PASSWORD, .hash = to->hash},
		    outcome);
	if (result == STORE_OK && line->has_roles &&
	    strcmp(to->roles, user->roles) != 0)
		result = change(im, user,
		    (struct store_change){
			.kind = STORE_SET_ROLES, .roles = to->roles},
		    outcome);
	if (result == STORE_OK && line->has_disabled &&
	    to->disabled != user->disabled)
		result = change(im, user,
		    (struct store_change){.kind = to->disabled
			    ? STORE_SET_DISABLED
			    : STORE_SET_ENABLED},
		    outcome);
	(void)memcpy(line->user.subject, user->subject, sizeof(user->subject));
	line->user.subject_len = user->subject_len;
	return (result);
}

static enum store_result
add(struct import *im, struct import_line *line)
{
	enum store_result result;

	line->user.updated_at = clock_now(&clock_system);
	if (!line->has_created)
		line->user.created_at = line->user.updated_at;
	result = store_user_add(im->w->store, &line->user);
	if (result == STORE_EXISTS)
		(void)stop(im, line->number, EXIT_EXISTS,
		    "the subject is another account's, or was one's");
	return (result);
}

static enum store_result
write_line(struct import *im, struct import_line *line, enum outcome *outcome)
{
	char shown[SHOWN_NAME_MAX];
	enum store_result result;
	struct store_user user;

	result = store_user_find(
	    im->w->store, line->user.name, line->user.name_len, &user);
	*outcome = LINE_LEFT;
	if (result == STORE_NOT_FOUND) {
		*outcome = LINE_ADDED;
		return (add(im, line));
	}
	if (result == STORE_OK && im->on_exists == ON_EXISTS_UPDATE) {
		result = update(im, line, &user, outcome);
	} else if (result == STORE_OK && im->on_exists == ON_EXISTS_FAIL &&
	    !is_known(line, &user)) {
		show_text(user.name, user.name_len, shown, sizeof(shown));
		(void)snprintf(im->error, sizeof(im->error),
		    "there is an account \"%s\" already, with another password "
		    "(see --on-exists)",
		    shown);
		(void)stop(im, line->number, EXIT_EXISTS, im->error);
		result = STORE_EXISTS;
	}
	secret_wipe(&user, sizeof(user));
	return (result);
}

/* A dry run gives its transaction up once all has gone well. */
static enum store_result
write_lines(struct store *store, void *ctx)
{
	struct import *im = ctx;
	enum store_result result = STORE_OK;
	size_t i;

	(void)store;
	for (i = 0; i < im->count && result == STORE_OK; i++)
		result = write_line(im, &im->lines[i], &im->outcomes[i]);
	if (result != STORE_OK && im->code == EXIT_DONE)
		(void)stop(im, im->lines[i - 1].number, EXIT_FAILED,
		    store_error(im->w->store));
	return (result == STORE_OK && im->dry_run ? STORE_INVALID : result);
}

static enum exit_code
write_batch(struct import *im)
{
	enum store_result result;
	size_t i;

	if (im->w->store == NULL) {
		for (i = 0; i < im->count; i++)
			im->outcomes[i] = LINE_ADDED;
		return (EXIT_DONE);
	}
	result = store_batch(im->w->store, write_lines, im);
	if (im->code != EXIT_DONE || result == STORE_OK)
		return (im->code);
	if (result == STORE_INVALID && im->dry_run)
		return (EXIT_DONE);
	return (stop(im, 0, EXIT_FAILED, store_error(im->w->store)));
}

/* After the commit. */
static void
count_batch(struct import *im)
{
	const struct store_user *user;
	size_t i;

	for (i = 0; i < im->count; i++) {
		user = &im->lines[i].user;
		if (im->outcomes[i] == LINE_LEFT) {
			im->left++;
			continue;
		}
		if (im->outcomes[i] == LINE_UPDATED)
			im->updated++;
		else
			im->added++;
		if (im->dry_run)
			continue;
		(void)workspace_note(im->w, AUDIT_ACCOUNT,
		    im->outcomes[i] == LINE_ADDED ? "imported" : "updated",
		    user, NULL, EXIT_DONE);
		if (im->outcomes[i] == LINE_ADDED &&
		    (user->subject_len != user->name_len ||
			memcmp(user->subject, user->name, user->name_len) != 0))
			im->renamed++;
	}
}

static void
clear_batch(struct import *im)
{
	size_t i;

	for (i = 0; i < im->count; i++)
		secret_free(&im->lines[i].password);
	secret_wipe(im->lines, im->count * sizeof(im->lines[0]));
	im->count = 0;
	im->hashes = 0;
}

static enum exit_code
run(struct import *im)
{
	enum exit_code code;

	do {
		clear_batch(im);
		if ((code = read_batch(im)) != EXIT_DONE ||
		    (code = hash_batch(im)) != EXIT_DONE ||
		    (code = write_batch(im)) != EXIT_DONE)
			return (code);
		count_batch(im);
		progress_show(&im->progress, im->reader.taken,
		    im->added + im->updated + im->left);
	} while (im->count > 0);
	return (check_names(im));
}

/* What a real run would meet: the second of two lines for one name. */
static enum exit_code
check_names(struct import *im)
{
	unsigned long long first, second;

	if (!im->dry_run || im->on_exists != ON_EXISTS_FAIL ||
	    !seen_conflict(&im->seen, &first, &second))
		return (EXIT_DONE);
	(void)snprintf(im->error, sizeof(im->error),
	    "lines %llu and %llu give one name different passwords (see "
	    "--on-exists)",
	    first, second);
	return (stop(im, 0, EXIT_EXISTS, im->error));
}

static enum exit_code
report(struct import *im, enum exit_code code)
{
	const char *would = im->dry_run ? "would be " : "";

	progress_end(&im->progress);
	if (code != EXIT_DONE) {
		if (im->at != 0)
			complain("line %llu: %s", im->at, im->error);
		else
			complain("%s", im->error);
		complain("it ended there; before: %llu %sadded, %llu "
			 "%supdated, %llu there already",
		    im->added, would, im->updated, would, im->left);
	} else {
		printf("%llu %sadded, %llu %supdated, %llu there already\n",
		    im->added, would, im->updated, would, im->left);
	}
	if (im->renamed > 0)
		printf("%llu have another subject than their name (see \"user "
		       "list\")\n",
		    im->renamed);
	/* What was updated before a failure counts, too. */
	if (code != EXIT_DONE) {
		(void)workspace_confirm(im->w, im->updated > 0, EXIT_DONE);
		return (code);
	}
	return (
	    workspace_confirm(im->w, im->updated > 0 && !im->dry_run, code));
}

static int
open_input(const char *path)
{
	int fd;

	fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
				    : open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		complain("%s: %s", path, strerror(errno));
	return (fd);
}

/* 0: it is no regular file. */
static int64_t
file_size(int fd)
{
	struct stat st;

	return (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? st.st_size : 0);
}

/* A dry run makes nothing, and needs no database. */
static int
open_store(struct workspace *w, bool dry_run)
{
	if (!dry_run)
		return (workspace_create(w));
	return (workspace_open_existing(w->where, &w->store));
}

enum exit_code
command_user_import(const struct request *request)
{
	enum exit_code code = EXIT_FAILED;
	struct workspace w;
	struct import *im;

	if ((im = calloc(1, sizeof(*im))) == NULL) {
		complain("out of memory");
		return (EXIT_FAILED);
	}
	im->w = &w;
	im->dry_run = request->dry_run;
	if (!read_mode(request->on_exists, &im->on_exists)) {
		free(im);
		return (EXIT_USAGE);
	}
	im->reader.fd = open_input(request->argument);
	if (im->reader.fd == -1 || workspace_load(&w, request) == -1)
		goto out;
	if (open_store(&w, im->dry_run) == 0) {
		progress_begin(
		    &im->progress, file_size(im->reader.fd), "accounts");
		code = report(im, run(im));
	}
	clear_batch(im);
	seen_free(&im->seen);
	workspace_end(&w);
out:
	if (im->reader.fd != -1)
		(void)close(im->reader.fd);
	secret_free_mem(im, sizeof(*im));
	return (code);
}
