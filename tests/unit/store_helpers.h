/*
 * store_helpers.h - a folder of its own for every test of the store, and the
 * plain file and SQLite access that the tests need beside store.h.
 */
#ifndef CORGI_STORE_HELPERS_H
#define CORGI_STORE_HELPERS_H

#include <sys/stat.h>

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/store.h"

/* The folder of the running test and the database in it. Each test is a
 * process of its own. */
static char test_folder[PATH_MAX / 2];
static char test_path[PATH_MAX];

static inline void
folder_make(void)
{
	const char *base = getenv("TMPDIR");

	(void)snprintf(test_folder, sizeof(test_folder), "%s/corgi-test-XXXXXX",
	    base == NULL ? "/tmp" : base);
	cr_assert_not_null(mkdtemp(test_folder));
	(void)snprintf(
	    test_path, sizeof(test_path), "%s/corgi.db", test_folder);
}

static inline void
folder_remove(void)
{
	struct dirent *entry;
	char path[PATH_MAX + NAME_MAX];
	DIR *folder;

	cr_assert_eq(seteuid(getuid()), 0);
	if ((folder = opendir(test_folder)) == NULL)
		return;
	while ((entry = readdir(folder)) != NULL) {
		(void)snprintf(
		    path, sizeof(path), "%s/%s", test_folder, entry->d_name);
		(void)unlink(path);
	}
	(void)closedir(folder);
	(void)rmdir(test_folder);
}

/* Open test_path, which has to work. */
static inline struct store *
open_store(void)
{
	char error[STORE_ERROR_MAX];
	struct store *s;

	cr_assert_eq(
	    store_open_sqlite(test_path, &s, error), STORE_OK, "%s", error);
	return (s);
}

/* Open and close test_path by one of the two ways. */
static inline enum store_result
open_with(enum store_result (*opener)(const char *, struct store **, char *),
    char error[STORE_ERROR_MAX])
{
	enum store_result result;
	struct store *s;

	result = opener(test_path, &s, error);
	cr_expect_eq(s == NULL, result != STORE_OK);
	cr_expect_eq(error[0] == '\0', result == STORE_OK, "%s", error);
	store_close(s);
	return (result);
}

static inline mode_t
mode_of(const char *path)
{
	struct stat st;

	cr_assert_eq(lstat(path, &st), 0, "%s", path);
	return (st.st_mode & 07777);
}

/* Run SQL through a connection of the test's own. */
static inline void
run_sql(const char *path, const char *sql)
{
	sqlite3 *db;
	char *message = NULL;

	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, &message), SQLITE_OK,
	    "%s: %s", sql, message);
	(void)sqlite3_close(db);
}

/* The first column of the first row, as text, in a buffer that the next call
 * uses again. */
static inline const char *
query_text(const char *path, const char *sql)
{
	static char text[256];
	sqlite3_stmt *query;
	sqlite3 *db;

	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &query, NULL), SQLITE_OK);
	cr_assert_eq(sqlite3_step(query), SQLITE_ROW, "%s", sql);
	(void)snprintf(text, sizeof(text), "%s",
	    (const char *)sqlite3_column_text(query, 0));
	(void)sqlite3_finalize(query);
	(void)sqlite3_close(db);
	return (text);
}

/* The bytes of a file (free() them), their number in *len. */
static inline char *
file_bytes(const char *path, size_t *len)
{
	struct stat st;
	char *bytes;
	int fd;

	cr_assert_neq(fd = open(path, O_RDONLY), -1);
	cr_assert_eq(fstat(fd, &st), 0);
	*len = (size_t)st.st_size;
	cr_assert_not_null(bytes = malloc(*len + 1));
	cr_assert_eq(read(fd, bytes, *len), st.st_size);
	(void)close(fd);
	return (bytes);
}

static inline void
write_file(const char *path, const void *bytes, size_t len)
{
	int fd;

	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	cr_assert_neq(fd, -1);
	cr_assert_eq(write(fd, bytes, len), (ssize_t)len);
	(void)close(fd);
}

#endif
