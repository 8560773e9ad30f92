/*
 * The file a database lives in: what is refused, whose mode is changed, and
 * what happens when its name is swapped meanwhile.
 */
#include "store_helpers.h"

#include <sys/syscall.h>

#include "store/store_file.h"

TestSuite(
    store_file, .init = folder_make, .fini = folder_remove, .timeout = 60);

static void swap_name(void);

Test(store_file, links_and_pipes_are_no_database)
{
	char error[STORE_ERROR_MAX], target[PATH_MAX + 8];

	(void)snprintf(target, sizeof(target), "%s-target", test_path);
	cr_assert_eq(symlink(target, test_path), 0);
	cr_expect_eq(open_with(store_open_sqlite, error), STORE_FAILED);
	cr_expect_not_null(strstr(error, "symbolic link"), "%s", error);
	cr_expect_eq(access(target, F_OK), -1, "made behind the link");
	write_file(target, "", 0);
	cr_assert_eq(chmod(target, 0644), 0);
	cr_expect_eq(open_with(store_open_sqlite, error), STORE_FAILED);
	cr_expect_eq(
	    open_with(store_open_sqlite_existing, error), STORE_FAILED);
	cr_expect_eq(mode_of(target), 0644);
	cr_assert_eq(unlink(test_path), 0);
	cr_assert_eq(mkfifo(test_path, 0644), 0);
	cr_expect_eq(open_with(store_open_sqlite, error), STORE_FAILED);
	cr_expect_eq(
	    open_with(store_open_sqlite_existing, error), STORE_FAILED);
	cr_expect_eq(mode_of(test_path), 0644);
	cr_assert_eq(rename(target, test_path), 0);
	cr_expect_eq(
	    open_with(store_open_sqlite, error), STORE_OK, "%s", error);
}

Test(store_file, a_file_with_another_name_elsewhere_keeps_its_mode)
{
	char error[STORE_ERROR_MAX], second[PATH_MAX + 8];

	store_close(open_store());
	(void)snprintf(second, sizeof(second), "%s-second", test_path);
	cr_assert_eq(link(test_path, second), 0);
	cr_assert_eq(chmod(test_path, 0644), 0);
	cr_expect_eq(open_with(store_open_sqlite, error), STORE_READONLY);
	cr_expect_eq(mode_of(test_path), 0644);
	cr_assert_eq(unlink(second), 0);
	cr_expect_eq(
	    open_with(store_open_sqlite, error), STORE_OK, "%s", error);
	cr_expect_eq(mode_of(test_path), 0600);
}

Test(store_file, a_strangers_file_keeps_its_mode_even_from_root)
{
	char error[STORE_ERROR_MAX];

	if (geteuid() != 0) {
		folder_remove();
		cr_skip_test("only root can give files away");
	}
	store_close(open_store());
	cr_assert_eq(chown(test_path, 65534, 65534), 0);
	cr_assert_eq(chmod(test_path, 0644), 0);
	cr_expect_eq(open_with(store_open_sqlite, error), STORE_READONLY);
	cr_expect_eq(mode_of(test_path), 0644);
	cr_assert_eq(chown(test_folder, 65534, 65534), 0);
	cr_assert_eq(seteuid(65534), 0);
	cr_expect_eq(
	    open_with(store_open_sqlite, error), STORE_OK, "%s", error);
	cr_expect_eq(mode_of(test_path), 0600);
	cr_assert_eq(chmod(test_path, 0644), 0);
	cr_assert_eq(seteuid(0), 0);
	cr_expect_eq(
	    open_with(store_open_sqlite, error), STORE_OK, "%s", error);
	cr_expect_eq(mode_of(test_path), 0600);
}

/* The file that takes the place of a new database, until it has. */
static const char *victim;

/* What the folder's owner may do at any moment. */
static void
swap_name(void)
{
	if (victim == NULL)
		return;
	cr_assert_eq(unlink(test_path), 0);
	cr_assert_eq(symlink(victim, test_path), 0);
	victim = NULL;
}

/* Ours in this program, to strike between a file's making and its mode. */
__attribute__((visibility("default"))) int
chmod(const char *path, mode_t mode)
{
	swap_name();
	return ((int)syscall(SYS_fchmodat, AT_FDCWD, path, mode));
}

__attribute__((visibility("default"))) int
fchmod(int fd, mode_t mode)
{
	swap_name();
	return ((int)syscall(SYS_fchmod, fd, mode));
}

Test(store_file, a_name_swapped_while_the_file_is_made_harms_no_other_file)
{
	char error[STORE_ERROR_MAX], other[PATH_MAX + 8];
	struct stat before, after;

	(void)snprintf(other, sizeof(other), "%s-other", test_path);
	write_file(other, "theirs", 6);
	cr_assert_eq(chmod(other, 0644), 0);
	cr_assert_eq(stat(other, &before), 0);
	if (geteuid() == 0)
		cr_assert_eq(chown(test_folder, 65534, 65534), 0);
	victim = other;
	cr_expect_eq(
	    store_file_prepare(test_path, error), STORE_OK, "%s", error);
	cr_expect_null(victim, "the name was not swapped");
	cr_assert_eq(stat(other, &after), 0);
	cr_expect_eq(after.st_mode, before.st_mode);
	cr_expect_eq(after.st_uid, before.st_uid);
}
