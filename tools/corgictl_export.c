/*
 * corgictl_export.c - all accounts in the form that "user import" reads.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "corgictl_workspace.h"

/* A file under construction: it takes its place when it is whole. */
struct output {
	const char *path; /* NULL: standard output */
	char made[PATH_MAX];
	FILE *file;
	bool unwritten; /* an account could not be put into words */
};

static int print_line(const struct store_user *, void *);
static int output_begin(struct output *, const char *, bool);
static int output_end(struct output *, bool, bool);
static void warn(void);

static int
print_line(const struct store_user *user, void *ctx)
{
	struct output *out = ctx;
	jdoc *doc = jdoc_new_object();
	char *text = NULL;
	size_t len = 0;

	if (jdoc_set(doc, "username",
		jdoc_new_string(user->name, user->name_len)) == 0 &&
	    jdoc_set_text(doc, "hash", user->hash) == 0 &&
	    jdoc_set(doc, "roles", jdoc_new_words(user->roles)) == 0 &&
	    jdoc_set(doc, "disabled", jdoc_new_bool(user->disabled)) == 0 &&
	    jdoc_set(doc, "subject",
		jdoc_new_string(user->subject, user->subject_len)) == 0 &&
	    jdoc_set(doc, "created_at", jdoc_new_integer(user->created_at)) ==
		0)
		text = jdoc_text(doc, &len);
	jdoc_free(doc);
	if (text == NULL) {
		out->unwritten = true;
		return (1);
	}
	text[len] = '\n'; /* in place of the NUL */
	(void)fwrite(text, len + 1, 1, out->file);
	secret_free_mem(text, len + 1);
	return (ferror(out->file) != 0);
}

/* An unfinished file beside the one that is wanted; 0, or -1 after a
 * complaint. */
static int
output_begin(struct output *out, const char *path, bool replace)
{
	struct stat st;
	int fd, len;

	memset(out, 0, sizeof(*out));
	out->file = stdout;
	if (path == NULL || strcmp(path, "-") == 0)
		return (0);
	out->path = path;
	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		complain("%s: is there and no regular file", path);
		return (-1);
	}
	if (!replace && access(path, F_OK) == 0) {
		complain("%s: is there already; --yes replaces it", path);
		return (-1);
	}
	len = snprintf(out->made, sizeof(out->made), "%s.XXXXXX", path);
	if (len < 0 || (size_t)len >= sizeof(out->made)) {
		complain("%s: the path is too long", path);
		return (-1);
	}
	if ((fd = mkostemp(out->made, O_CLOEXEC)) == -1 ||
	    (out->file = fdopen(fd, "w")) == NULL) {
		complain("%s: %s", out->made, strerror(errno));
		if (fd != -1) {
			(void)unlink(out->made);
			(void)close(fd);
		}
		return (-1);
	}
	return (0);
}

/* Have it on the disk under its name, or remove it. 0, or -1 after a
 * complaint. */
static int
output_end(struct output *out, bool good, bool replace)
{
	bool failed;

	if (out->path == NULL)
		return (good ? 0 : -1);
	failed = fflush(out->file) != 0 || ferror(out->file) ||
	    fsync(fileno(out->file)) == -1;
	failed = fclose(out->file) != 0 || failed;
	if (good && !failed)
		failed = renameat2(AT_FDCWD, out->made, AT_FDCWD, out->path,
			     replace ? 0 : RENAME_NOREPLACE) == -1;
	if (good && failed)
		complain(
		    "%s: cannot be written (%s)", out->path, strerror(errno));
	if (good && !failed)
		return (0);
	(void)unlink(out->made);
	return (-1);
}

static void
warn(void)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr,
		    "This holds the hash of every password: keep it as safe "
		    "as the database.\n");
}

enum exit_code
command_user_export(const struct request *request)
{
	enum exit_code code;
	struct output out;
	struct workspace w;

	if (workspace_begin(&w, request, true) == -1)
		return (EXIT_FAILED);
	if (output_begin(&out, request->argument, request->yes) == -1) {
		workspace_end(&w);
		return (EXIT_FAILED);
	}
	warn();
	code = workspace_explain(
	    &w, "", store_user_each(w.store, print_line, &out));
	if (out.unwritten) {
		complain("out of memory");
		code = EXIT_FAILED;
	}
	if (output_end(&out, code == EXIT_DONE, request->yes) == -1)
		code = EXIT_FAILED;
	code = workspace_note(&w, AUDIT_ACCOUNT, "exported", NULL, NULL, code);
	code = workspace_confirm(&w, false, code);
	workspace_end(&w);
	return (code);
}
