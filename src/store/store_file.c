#include <sys/stat.h>

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/store_file.h"

/* How much of a long path is shown in messages (bytes). */
#define PATH_SHOWN 100

static enum store_result refuse(char error[STORE_ERROR_MAX], enum store_result,
    const char *, const char *, ...) __attribute__((format(printf, 4, 5)));
static enum store_result file_create(const char *, char[STORE_ERROR_MAX]);

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
 * Make an empty file with mode 0600 whatever the umask. mknod() makes it
 * without opening it, and only where there is none. Made by root, it goes to
 * the owner of the folder: the service that runs as that user has to write it.
 */
static enum store_result
file_create(const char *path, char error[STORE_ERROR_MAX])
{
	struct stat folder;
	char copy[PATH_MAX];
	int saved;

	if (mknod(path, S_IFREG | 0600, 0) == -1) {
		if (errno == EEXIST)
			return (STORE_OK);
		saved = errno;
		return (refuse(error, store_result_of_errno(saved), path,
		    "cannot be created (%s)", strerror(saved)));
	}
	(void)memcpy(copy, path, strlen(path) + 1);
	if (chmod(path, 0600) == -1 || stat(dirname(copy), &folder) == -1)
		return (refuse(error, STORE_FAILED, path,
		    "its mode cannot be set (%s)", strerror(errno)));
	if (geteuid() == 0 && folder.st_uid != 0 &&
	    chown(path, folder.st_uid, folder.st_gid) == -1)
		return (refuse(error, STORE_FAILED, path,
		    "cannot be given to the owner of its folder (%s)",
		    strerror(errno)));
	return (STORE_OK);
}

enum store_result
store_file_prepare(const char *path, char error[STORE_ERROR_MAX])
{
	struct stat st;
	int saved;

	if (strlen(path) >= PATH_MAX)
		return (refuse(error, STORE_INVALID, path,
		    "the path is longer than %d bytes", PATH_MAX - 1));
	if (stat(path, &st) == -1) {
		saved = errno;
		if (saved == ENOENT)
			return (file_create(path, error));
		return (refuse(error, store_result_of_errno(saved), path,
		    "cannot be reached (%s)", strerror(saved)));
	}
	if (!S_ISREG(st.st_mode))
		return (
		    refuse(error, STORE_FAILED, path, "is not a regular file"));
	if ((st.st_mode & 0077) != 0 && chmod(path, 0600) == -1)
		return (refuse(error, STORE_READONLY, path,
		    "others may read it and its mode cannot be changed (%s)",
		    strerror(errno)));
	return (STORE_OK);
}
