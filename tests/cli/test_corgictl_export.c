/*
 * corgictl user export, and the way back: what was exported makes the same
 * accounts again, also when the import was killed on its way.
 */
#include "ctl_store.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

/* Accounts that are imported while it is killed. */
#define MANY 20000

static char *exported(const char *);
static char *path_in(const char *);
static char *write_many(const char *, unsigned int);
static pid_t start_import(const char *, int);

TestSuite(
    ctl_export, .init = ctl_set_up, .fini = ctl_tear_down, .timeout = 300);

/* What the export of a data folder prints; free() it. */
static char *
exported(const char *folder)
{
	struct run_result r;

	r = ctl_input(NULL, 0, "user", "export", "--data-dir", folder, NULL);
	cr_assert_eq(r.status, 0, "%s", r.out);
	return (r.out);
}

/* A path in the folder of the test; free() it. */
static char *
path_in(const char *name)
{
	char *path = NULL;

	cr_assert_neq(asprintf(&path, "%s/%s", ctl_folder, name), -1);
	return (path);
}

/* A file with many accounts; free() its path. */
static char *
write_many(const char *name, unsigned int count)
{
	char *path = path_in(name);
	unsigned int i;
	FILE *file;

	cr_assert_not_null(file = fopen(path, "w"));
	for (i = 0; i < count; i++)
		(void)fprintf(file,
		    "{\"username\":\"user-%u\",\"hash\":\"" CTL_HASH
		    "\",\"created_at\":%u}\n",
		    i, 1700000000 + i);
	cr_assert_eq(fclose(file), 0);
	return (path);
}

/* Begin an import of a file, or with "-" of a descriptor. */
static pid_t
start_import(const char *path, int input)
{
	pid_t pid = fork();
	int null;

	cr_assert_neq(pid, -1);
	if (pid != 0)
		return (pid);
	null = open("/dev/null", O_RDWR);
	(void)dup2(input == -1 ? null : input, 0);
	(void)dup2(null, 1);
	(void)dup2(null, 2);
	(void)execle(corgi_ctl(), "corgictl", "user", "import", path,
	    (char *)NULL, (char *const *)(const void *)ctl_env);
	_exit(127);
}

Test(ctl_export, an_export_makes_the_same_accounts_again)
{
	struct run_result r;
	char *first, *second, *other = path_in("other");

	ctl_add("cosmo", "space-corgi\n");
	cr_expect_eq(ctl_status("user", "delete", "cosmo", "--yes"), 0);
	ctl_add("cosmo", "space-corgi\n");
	ctl_add("laika", "space-corgi\n");
	cr_expect_eq(ctl_status("user", "rename", "laika", "astro"), 0);
	cr_expect_eq(ctl_status("user", "roles", "astro", "b,a"), 0);
	ctl_add("laika", "space-corgi\n");
	ctl_add("\xf0\x9f\x90\x95\n\"", "space-corgi\n");
	cr_expect_eq(ctl_status("user", "disable", "laika"), 0);

	first = exported(ctl_data);
	cr_expect_not_null(strstr(first,
	    "\"roles\":[\"a\",\"b\"],\"disabled\":false,\"subject\":\"laika\""));
	r = ctl_input(first, strlen(first), "user", "import", "-", "--data-dir",
	    other, NULL);
	ctl_expect_of(r, 0, "4 added", __LINE__);
	second = exported(other);
	cr_expect_str_eq(first, second);
	cr_expect(ctl_audit_has("\"reason\":\"exported\"", "ok"));
	free(first);
	free(second);
	free(other);
}

Test(ctl_export, a_file_is_for_its_owner_alone_and_not_replaced_by_mistake)
{
	char *path = path_in("accounts"), *text;
	struct stat st;
	size_t len;

	ctl_add("cosmo", "space-corgi\n");
	cr_expect_eq(ctl_status("user", "export", path), 0);
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0600);
	cr_assert_not_null(text = file_read(path, &len));
	cr_expect_not_null(strstr(text, "\"username\":\"cosmo\""));
	free(text);

	file_write(path, "precious\n", 9);
	cr_assert_eq(chmod(path, 0644), 0);
	ctl_expect(1, "is there already", "user", "export", path);
	cr_assert_not_null(text = file_read(path, &len));
	cr_expect_str_eq(text, "precious\n");
	free(text);
	cr_expect_eq(ctl_status("user", "export", path, "--yes"), 0);
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0600);
	cr_assert_not_null(text = file_read(path, &len));
	cr_expect_not_null(strstr(text, "\"username\":\"cosmo\""));
	free(text);
	free(path);
}

Test(ctl_export, nothing_but_a_file_is_replaced)
{
	char *path = path_in("link"), *target = path_in("target");

	ctl_add("cosmo", "space-corgi\n");
	file_write(target, "precious\n", 9);
	cr_assert_eq(symlink(target, path), 0);
	ctl_expect(1, "no regular file", "user", "export", path, "--yes");
	ctl_expect(1, "no regular file", "user", "export", ctl_data, "--yes");
	ctl_expect(1, "/nonexistent/x", "user", "export", "/nonexistent/x");
	ctl_expect(0, "\"cosmo\"", "user", "export", "-");
	free(path);
	free(target);
}

Test(ctl_export, without_a_database_there_is_nothing)
{
	char *path = path_in("accounts");
	struct stat st;

	ctl_expect(1, "there is no database", "user", "export", path);
	cr_expect_eq(stat(path, &st), -1);
	free(path);
}

/* Killed while it waits for the rest of a batch. */
Test(ctl_export, a_killed_import_has_kept_whole_batches_and_goes_on)
{
	char *path = write_many("many", 2500), *text, *whole, *other;
	int ends[2], status, i;
	size_t len;
	pid_t pid;

	cr_assert_not_null(text = file_read(path, &len));
	cr_assert_eq(pipe(ends), 0);
	pid = start_import("-", ends[0]);
	(void)close(ends[0]);
	cr_assert_eq(write(ends[1], text, len), (ssize_t)len);
	for (i = 0; ctl_count_in(ctl_data) < 2000 && i < 3000; i++)
		sleep_ms(10);
	(void)kill(pid, SIGKILL);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect(WIFSIGNALED(status));
	(void)close(ends[1]);
	cr_expect_eq(ctl_count_in(ctl_data), 2000);

	ctl_expect(0, "500 added, 0 updated, 2000 there already", "user",
	    "import", path);
	whole = exported(ctl_data);
	other = path_in("other");
	cr_expect_eq(
	    ctl_status("user", "import", path, "--data-dir", other), 0);
	free(text);
	text = exported(other);
	cr_expect_str_eq(whole, text);
	free(whole);
	free(text);
	free(other);
	free(path);
}

/* Killed wherever it is, again and again, until it is fast enough. */
Test(ctl_export, an_import_killed_anywhere_is_whole_in_the_end)
{
	char *path = write_many("many", MANY), *one, *two, *other;
	int64_t count, last = 0;
	int status, delay = 20, kills = 0;
	pid_t pid;

	for (;; delay += delay / 2) {
		pid = start_import(path, -1);
		sleep_ms(delay);
		(void)kill(pid, SIGKILL);
		cr_assert_eq(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status))
			break;
		kills++;
		/* At first there may be no whole database yet. */
		count = ctl_count_in(ctl_data);
		if (count == -1 && last == 0)
			continue;
		cr_expect_geq(count, last);
		cr_expect_eq(count % 1000, 0, "%lld", (long long)count);
		last = count;
	}
	cr_expect_eq(WEXITSTATUS(status), 0);
	cr_expect_gt(kills, 0);
	cr_expect_eq(ctl_count_in(ctl_data), MANY);
	other = path_in("other");
	cr_expect_eq(
	    ctl_status("user", "import", path, "--data-dir", other), 0);
	one = exported(ctl_data);
	two = exported(other);
	cr_expect_eq(strcmp(one, two), 0);
	free(one);
	free(two);
	free(other);
	free(path);
}

/* Events on standard output would be lines of the export. */
Test(ctl_export, events_for_standard_output_do_not_get_into_an_export)
{
	char *events = path_in("events"), *text;
	const char *argv[] = {"/bin/sh", "-c",
	    "exec \"$0\" user export 2>\"$1\"", corgi_ctl(), events, NULL};
	struct run_result plain, r;

	ctl_add("cosmo", "space-corgi\n");
	plain = ctl_input(NULL, 0, "user", "export", NULL);
	cr_assert_eq(plain.status, 0, "%s", plain.out);
	ctl_env[2] = "CORGI_AUDIT_LOG=-";
	r = run_program(argv, ctl_env, NULL, 0);
	cr_expect_eq(r.status, 0, "%s", r.out);
	cr_expect_str_eq(r.out, plain.out);
	text = file_read(events, NULL);
	cr_assert_not_null(text);
	cr_expect_not_null(strstr(text,
			       "\"event\":\"account\",\"outcome\":\"ok\","
			       "\"reason\":\"exported\""),
	    "%s", text);
	run_free(&plain);
	run_free(&r);
	free(text);
	free(events);
}
