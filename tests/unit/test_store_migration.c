/*
 * Databases of earlier versions: nothing is lost, and nothing comes back that
 * had been removed there.
 */
#include "store_helpers.h"

#include <sys/wait.h>

TestSuite(
    store_migration, .init = folder_make, .fini = folder_remove, .timeout = 60);

/* The schema as version 1 wrote it, with two accounts of three left. */
static const char version_1[] =
    "PRAGMA journal_mode = WAL;"
    "CREATE TABLE schema_migrations ("
    "  version    INTEGER PRIMARY KEY,"
    "  applied_at INTEGER NOT NULL"
    ") STRICT;"
    "CREATE TABLE users ("
    "  id         INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  name       BLOB NOT NULL UNIQUE"
    "             CHECK (length(name) BETWEEN 1 AND 255),"
    "  hash       TEXT NOT NULL CHECK (length(hash) BETWEEN 1 AND 127),"
    "  created_at INTEGER NOT NULL,"
    "  updated_at INTEGER NOT NULL"
    ") STRICT;"
    "INSERT INTO schema_migrations VALUES (1, 500);"
    "PRAGMA application_id = 1131377255;"
    "INSERT INTO users VALUES (3, x'636f736d6f', '" HASH_A "', 11, 12);"
    "INSERT INTO users VALUES (7, x'610062', 'second', 13, 14);"
    "INSERT INTO users VALUES (9, x'676f6e65', 'third', 15, 16);"
    "DELETE FROM users WHERE id = 9;";

static void
make_version_1(const char *more)
{
	run_sql(test_path, version_1);
	run_sql(test_path, more);
}

Test(store_migration, accounts_of_version_1_are_as_they_were)
{
	struct store_user user;
	struct store *s;
	int64_t count;

	make_version_1("");
	s = open_store();
	cr_assert_eq(store_user_count(s, &count), STORE_OK);
	cr_expect_eq(count, 2);
	cr_assert_eq(store_user_find(s, "cosmo", 5, &user), STORE_OK, "%s",
	    store_error(s));
	cr_expect_eq(user.id, 3);
	cr_expect_str_eq(user.hash, HASH_A);
	cr_expect_str_eq(user.subject, "cosmo");
	cr_expect_str_eq(user.roles, "");
	cr_expect_not(user.disabled);
	cr_expect_eq(user.version, 0);
	cr_expect_eq(user.created_at, 11);
	cr_expect_eq(user.updated_at, 12);
	cr_assert_eq(store_user_find_subject(s, "a\0b", 3, &user), STORE_OK);
	cr_expect_eq(user.id, 7);
	cr_expect_eq(user.name_len, 3);
	cr_expect_arr_eq(user.name, "a\0b", 4);
	store_close(s);
	cr_expect_str_eq(query_text(test_path, "PRAGMA integrity_check"), "ok");
	cr_expect_str_eq(
	    query_text(test_path,
		"SELECT group_concat(version) FROM schema_migrations"),
	    "1,2,3");
	store_close(open_store());
}

Test(store_migration, the_id_of_an_account_removed_before_never_comes_back)
{
	struct store *s;

	make_version_1("");
	s = open_store();
	cr_expect_eq(have_account(s, "new"), 10);
	cr_assert_eq(remove_account(s, "new", 3), STORE_OK);
	store_close(s);
	s = open_store();
	cr_expect_eq(have_account(s, "newer"), 11);
	store_close(s);
}

Test(store_migration, nor_does_it_when_no_account_is_left)
{
	struct store *s;

	make_version_1("DELETE FROM users");
	s = open_store();
	cr_expect_eq(have_account(s, "new"), 10);
	store_close(s);
}

Test(store_migration, accounts_of_version_1_live_a_full_life)
{
	char hash[STORE_HASH_MAX];
	struct store_user user;
	struct store *s;

	make_version_1("");
	s = open_store();
	memset(hash, 'h', sizeof(hash));
	hash[STORE_HASH_MAX - 1] = '\0';
	cr_expect_eq(add_account(s, "long", 4, hash, 1, NULL), STORE_OK);
	cr_expect_eq(add_account(s, "cosmo", 5, HASH_A, 1, NULL), STORE_EXISTS);
	have_session(s, 3, "s1", 1000, "r1");
	cr_assert_eq(remove_account(s, "cosmo", 5), STORE_OK);
	cr_expect_not(has_session(s, "s1"));
	(void)have_account(s, "cosmo");
	cr_assert_eq(store_user_find(s, "cosmo", 5, &user), STORE_OK);
	cr_expect_str_neq(user.subject, "cosmo");
	store_close(s);
}

Test(store_migration, only_the_opening_that_may_migrates)
{
	char error[STORE_ERROR_MAX];

	make_version_1("");
	cr_expect_eq(
	    open_with(store_open_sqlite_existing, error), STORE_FAILED);
	cr_expect_not_null(strstr(error, "version 1"), "%s", error);
	cr_expect_str_eq(
	    query_text(test_path, "SELECT max(version) FROM schema_migrations"),
	    "1");
	cr_expect_eq(
	    open_with(store_open_sqlite, error), STORE_OK, "%s", error);
	cr_expect_eq(open_with(store_open_sqlite_existing, error), STORE_OK,
	    "%s", error);
}

Test(store_migration, a_step_that_fails_leaves_version_1_as_it_was)
{
	char error[STORE_ERROR_MAX];

	make_version_1("CREATE TABLE revocations (theirs)");
	cr_expect_eq(open_with(store_open_sqlite, error), STORE_DAMAGED);
	cr_expect_str_eq(query_text(test_path,
			     "SELECT count(*) || max(version)"
			     " FROM users, schema_migrations"),
	    "21");
	run_sql(test_path, "DROP TABLE revocations");
	cr_expect_eq(
	    open_with(store_open_sqlite, error), STORE_OK, "%s", error);
}

Test(store_migration, processes_that_migrate_at_once_all_succeed)
{
	char error[STORE_ERROR_MAX], go;
	int gate[2], status, i;
	struct store *s;

	make_version_1("");
	cr_assert_eq(pipe(gate), 0);
	for (i = 0; i < 8; i++) {
		if (fork() != 0)
			continue;
		(void)close(gate[1]);
		(void)!read(gate[0], &go, 1);
		if (store_open_sqlite(test_path, &s, error) == STORE_OK)
			_exit(0);
		fprintf(stderr, "%s\n", error);
		_exit(1);
	}
	(void)close(gate[0]);
	(void)close(gate[1]);
	while (wait(&status) > 0)
		cr_expect_eq(status, 0);
	s = open_store();
	cr_expect_eq(have_account(s, "new"), 10);
	store_close(s);
}
