/*
 * store_helpers.h - a database of its own for every test of the store, and what
 * the tests do to it beside store.h.
 *
 * The contract is the same for every back end, and so are its tests: with
 * TEST_STORE=postgresql in the environment they run against the server of
 * store_server.h, else against a SQLite file. Those that are about the file
 * begin with SQLITE_ONLY().
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
#include "store_server.h"

/* The password hash of accounts of which nothing else is said. */
#define HASH_A "$argon2id$v=19$m=19456,t=2,p=1$aaaa$bbbb"

/* The folder of the running test, the file in it, and where store_open() finds
 * its database. Each test is a process of its own. */
static char test_folder[PATH_MAX / 2];
static char test_path[PATH_MAX];
static char test_where[PATH_MAX + 8];

static inline bool
on_postgresql(void)
{
	const char *store = getenv("TEST_STORE");

	return (store != NULL && strcmp(store, "postgresql") == 0);
}

static inline void
folder_make(void)
{
	const char *base = getenv("TMPDIR");

	(void)snprintf(test_folder, sizeof(test_folder), "%s/corgi-test-XXXXXX",
	    base == NULL ? "/tmp" : base);
	cr_assert_not_null(mkdtemp(test_folder));
	(void)snprintf(
	    test_path, sizeof(test_path), "%s/corgi.db", test_folder);
	(void)snprintf(test_where, sizeof(test_where), "sqlite:%s", test_path);
	if (on_postgresql()) {
		server_database_make();
		server_url(server_database, "", test_where);
	}
}

/* For tests that are about PostgreSQL alone. */
static inline void
folder_make_on_server(void)
{
	if (!server_there())
		cr_skip_test("no server: see scripts/postgresql");
	(void)setenv("TEST_STORE", "postgresql", 1);
	folder_make();
}

static inline void
folder_remove(void)
{
	struct dirent *entry;
	char path[PATH_MAX + NAME_MAX];
	DIR *folder;

	cr_assert_eq(seteuid(getuid()), 0);
	if (on_postgresql())
		server_database_remove();
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

/* For a test of the file as such. (A skipped test is not torn down.) */
#define SQLITE_ONLY()                                                          \
	do {                                                                   \
		if (on_postgresql()) {                                         \
			folder_remove();                                       \
			cr_skip_test("this is about the file");                \
		}                                                              \
	} while (0)

/* A database as on the first day, after that of a test so far. */
static inline void
folder_renew(void)
{
	folder_remove();
	folder_make();
}

/* Open the test's database, which has to work. */
static inline struct store *
open_store(void)
{
	char error[STORE_ERROR_MAX];
	struct store *s;

	cr_assert_eq(store_open(test_where, &s, error), STORE_OK, "%s", error);
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

/* Add an account; *id, unless it is NULL, is filled. */
static inline enum store_result
add_account(struct store *s, const char *name, size_t len, const char *hash,
    int64_t now, int64_t *id)
{
	enum store_result result;
	struct store_user user;

	memset(&user, 0, sizeof(user));
	(void)memcpy(
	    user.name, name, len < sizeof(user.name) ? len : STORE_NAME_MAX);
	user.name_len = len;
	(void)memcpy(user.hash, hash,
	    strlen(hash) < sizeof(user.hash) ? strlen(hash) + 1
					     : sizeof(user.hash));
	user.created_at = user.updated_at = now;
	result = store_user_add(s, &user);
	if (result == STORE_OK && id != NULL)
		*id = user.id;
	return (result);
}

/* Change the account of a name in one of the ways that need nothing else. */
static inline enum store_result
change_account(struct store *s, const char *name, size_t len,
    enum store_change_kind kind, int64_t now, struct store_revocation *made)
{
	struct store_change change = {
	    .kind = kind, .now = now, .token_life = 900};
	enum store_result result;
	struct store_user user;

	if ((result = store_user_find(s, name, len, &user)) != STORE_OK)
		return (result);
	change.user_id = user.id;
	return (store_user_change(s, &change, made));
}

static inline enum store_result
remove_account(struct store *s, const char *name, size_t len)
{
	struct store_revocation made;

	return (change_account(s, name, len, STORE_DELETE_USER, 1000, &made));
}

/* An account with HASH_A; its id. */
static inline int64_t
have_account(struct store *s, const char *name)
{
	int64_t id = 0;

	cr_assert_eq(add_account(s, name, strlen(name), HASH_A, 1000, &id),
	    STORE_OK, "%s", store_error(s));
	return (id);
}

/* What a refresh token of this name is known by. */
static inline void
digest_of(const char *token, uint8_t digest[STORE_DIGEST_LEN])
{
	size_t len = strlen(token);

	memset(digest, 0, STORE_DIGEST_LEN);
	(void)memcpy(
	    digest, token, len < STORE_DIGEST_LEN ? len : STORE_DIGEST_LEN);
}

/* A session that began at a second, lives 1000 s from there and 5000 s at
 * most, and has an access token of 900 s. */
static inline struct store_session
session_at(int64_t user_id, const char *id, int64_t at)
{
	struct store_session session;

	memset(&session, 0, sizeof(session));
	(void)snprintf(session.id, sizeof(session.id), "%s", id);
	(void)snprintf(session.client, sizeof(session.client), "127.0.0.1");
	session.user_id = user_id;
	session.created_at = session.refreshed_at = at;
	session.expires_at = at + 1000;
	session.ends_at = at + 5000;
	session.access_until = at + 900;
	return (session);
}

/* Begin such a session with a refresh token. */
static inline void
have_session(struct store *s, int64_t user_id, const char *id, int64_t at,
    const char *token)
{
	struct store_session session = session_at(user_id, id, at);
	uint8_t digest[STORE_DIGEST_LEN];
	struct store_revocation made;
	struct store_user user;

	digest_of(token, digest);
	cr_assert_eq(
	    store_session_add(s, &session, HASH_A, digest, 0, &user, &made),
	    STORE_OK, "%s", store_error(s));
	cr_expect_eq(made.kind, STORE_REVOKE_NONE);
}

/* Whether a session is there. */
static inline bool
has_session(struct store *s, const char *id)
{
	struct store_session session;
	enum store_result result;

	result = store_session_find(s, id, &session);
	cr_assert(result == STORE_OK || result == STORE_NOT_FOUND, "%s",
	    store_error(s));
	return (result == STORE_OK);
}

/* A refresh of session at a second from one token to another whose sealed form
 * is its name; 10 s of grace. */
static inline enum store_result
refresh_at(struct store *s, const char *session, int64_t at,
    const char *presented, const char *successor,
    struct store_refresh_result *result)
{
	struct store_refresh refresh = {
	    .session = session,
	    .sealed = successor,
	    .sealed_len = strlen(successor),
	    .client = "127.0.0.2",
	    .now_ms = at * 1000,
	    .grace_ms = 10000,
	    .expires_at = at + 1000,
	    .access_until = at + 900,
	    .token_life = 900,
	};

	digest_of(presented, refresh.presented);
	digest_of(successor, refresh.successor);
	return (store_session_refresh(s, &refresh, result));
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

	if (on_postgresql()) {
		server_sql(sql, NULL, 0);
		return;
	}
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

	if (on_postgresql()) {
		server_sql(sql, text, sizeof(text));
		return (text);
	}
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
