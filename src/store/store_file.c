#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/store_file.h"

/* How much of a long path is shown in messages (bytes). */
#define PATH_SHOWN 100

static enum store_result refuse(char error[STORE_ERROR_MAX], enum store_result,
    const char *, const char *, ...) __attribute__((format(printf, 4, 5)));
static int open_folder(const char *, char[PATH_MAX], const char **);
static enum store_result
file_create(int, const char *, const char *, char[STORE_ERROR_MAX]);
static enum store_result
expect_regular(const struct stat *, const char *, char[STORE_ERROR_MAX]);
static enum store_result
file_adopt(int, const char *, const char *, char[STORE_ERROR_MAX]);

void
store_sentence(char error[STORE_ERROR_MAX], const char *path, const char *fmt,
    va_list args)
{
	size_t len = strlen(path), used;
	const char *shown = path;

	if (len > PATH_SHOWN)
		shown += len - PATH_SHOWN;
	(void)snprintf(error, STORE_ERROR_MAX,
	    "%s%s: ", shown == path ? "" : "...", shown);
	used = strlen(error);
	(void)vsnprintf(error + used, STORE_ERROR_MAX - used, fmt, args);
}

static enum store_result
refuse(char error[STORE_ERROR_MAX], enum store_result result, const char *path,
    const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	store_sentence(error, path, fmt, args);
	va_end(args);
	return (result);
}

enum store_result
store_result_of_errno(int saved)
{
	switch (saved) {
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return (STORE_FULL);
	case EACCES:
	case EPERM:
	case EROFS:
		return (STORE_READONLY);
	default:
		return (STORE_FAILED);
	}
}

/*
 * The folder of path as a descriptor that serves for *at() calls alone, and
 * the name in it, the end of path. -1 with errno set.
 */
static int
open_folder(const char *path, char copy[PATH_MAX], const char **name)
{
	char *slash;

	(void)memcpy(copy, path, strlen(path) + 1);
	if ((slash = strrchr(copy, '/')) == NULL) {
		*name = path;
		return (open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
	}
	*name = path + (slash - copy) + 1;
	slash[slash == copy] = '\0';
	return (open(copy, O_PATH | O_DIRECTORY | O_CLOEXEC));
}

/*
 * Make an empty file with mode 0600 whatever the umask. Made by root, it goes
 * to the owner of the folder: the service that runs as that user has to write
 * it. Another process may be faster: its file is taken. Mode and owner are set
 * on the descriptor, because that user may put something else under the name
 * meanwhile. Nobody holds a lock on a new file, so closing it loses none.
 */
static enum store_result
file_create(
    int folder, const char *name, const char *path, char error[STORE_ERROR_MAX])
{
	enum store_result result = STORE_OK;
	struct stat st;
	int fd, saved;

	fd = openat(folder, name,
	    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1 && errno == EEXIST)
		return (file_adopt(folder, name, path, error));
	if (fd == -1) {
		saved = errno;
		return (refuse(error, store_result_of_errno(saved), path,
		    "cannot be created (%s)", strerror(saved)));
	}
	if (fchmod(fd, 0600) == -1 || fstat(folder, &st) == -1)
		result = refuse(error, STORE_FAILED, path,
		    "its mode cannot be set (%s)", strerror(errno));
	else if (geteuid() == 0 && st.st_uid != 0 &&
	    fchown(fd, st.st_uid, st.st_gid) == -1)
		result = refuse(error, STORE_FAILED, path,
		    "cannot be given to the owner of its folder (%s)",
		    strerror(errno));
	(void)close(fd);
	return (result);
}

/* What is under the name has to be a regular file. */
static enum store_result
expect_regular(
    const struct stat *st, const char *path, char error[STORE_ERROR_MAX])
{
	if (S_ISLNK(st->st_mode))
		return (refuse(error, STORE_FAILED, path,
		    "is a symbolic link; it has to be the file itself"));
	if (!S_ISREG(st->st_mode))
		return (
		    refuse(error, STORE_FAILED, path, "is not a regular file"));
	return (STORE_OK);
}

/*
 * Judge a file that is there and take the rights of others from it. Only from
 * one of the caller's own, or for root one of the folder's owner, and never
 * from one that has a second name elsewhere. The descriptor stands for the file
 * that was judged; being O_PATH it opens nothing, so closing it loses no lock.
 */
static enum store_result
file_adopt(
    int folder, const char *name, const char *path, char error[STORE_ERROR_MAX])
{
	enum store_result result;
	struct stat st, place;
	char proc[32];
	int fd, saved;

	fd = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1 || fstat(fd, &st) == -1 || fstat(folder, &place) == -1) {
		saved = errno;
		result = refuse(error, store_result_of_errno(saved), path,
		    "cannot be reached (%s)", strerror(saved));
		goto cleanup;
	}
	if ((result = expect_regular(&st, path, error)) != STORE_OK ||
	    (st.st_mode & 0077) == 0)
		goto cleanup;
	(void)snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	if (st.st_nlink != 1 ||
	    (st.st_uid != geteuid() &&
		(geteuid() != 0 || st.st_uid != place.st_uid)))
		result = refuse(error, STORE_READONLY, path,
		    "others may read it, and it is not a file of our own");
	else if (chmod(proc, 0600) == -1)
		result = refuse(error, STORE_READONLY, path,
		    "others may read it and its mode cannot be changed (%s)",
		    strerror(errno));
cleanup:
	if (fd != -1)
		(void)close(fd);
	return (result);
}

enum store_result
store_file_prepare(const char *path, char error[STORE_ERROR_MAX])
{
	enum store_result result;
	char copy[PATH_MAX];
	const char *name;
	struct stat st;
	int folder, saved;

	if (strlen(path) >= PATH_MAX)
		return (refuse(error, STORE_INVALID, path,
		    "the path is longer than %d bytes", PATH_MAX - 1));
	if ((folder = open_folder(path, copy, &name)) == -1) {
		saved = errno;
		return (refuse(error, store_result_of_errno(saved), path,
		    "its folder cannot be reached (%s)", strerror(saved)));
	}
	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == -1 &&
	    errno == ENOENT)
		result = file_create(folder, name, path, error);
	else
		result = file_adopt(folder, name, path, error);
	(void)close(folder);
	return (result);
}

/* An empty file would only mean that somebody is still to make it a database,
 * or that the real one is lost. */
enum store_result
store_file_check(const char *path, char error[STORE_ERROR_MAX])
{
	enum store_result result;
	struct stat st;
	int saved;

	if (lstat(path, &st) == -1) {
		saved = errno;
		return (refuse(error,
		    saved == ENOENT ? STORE_FAILED
				    : store_result_of_errno(saved),
		    path, "cannot be reached (%s)", strerror(saved)));
	}
	result = expect_regular(&st, path, error);
	if (result == STORE_OK && st.st_size == 0)
		result = refuse(error, STORE_FAILED, path, "is empty");
	return (result);
}
