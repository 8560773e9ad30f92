/*
 * The store's contract: names as bytes, ids that never come back, hashes that
 * are replaced only where they are expected, many handles at once, and the
 * file itself (mode, owner, schema).
 */
#include "store_helpers.h"

#include <sys/wait.h>

#include <time.h>

#define HASH_B "$argon2id$v=19$m=19456,t=2,p=1$cccc$dddd"

TestSuite(store, .init = folder_make, .fini = folder_remove, .timeout = 60);

/* Where SQLite keeps the locks of a write-ahead log in its -shm file, and the
 * two copies of the index's head. */
#define SHM_LOCKS_AT  120
#define SHM_LOCKS_LEN 8
#define SHM_HEAD_LEN  96

static int64_t add(struct store *, const char *, size_t);
static int collect(const struct store_user *, void *);
static pid_t hold_index(int *);

/* Names in the order in which they came. */
struct names {
	char text[64];
	size_t count;
	size_t stop_after;
};

static int64_t
add(struct store *s, const char *name, size_t len)
{
	int64_t id = -1;

	cr_assert_eq(add_account(s, name, len, HASH_A, 1000, &id), STORE_OK,
	    "%s", store_error(s));
	return (id);
}

static int
collect(const struct store_user *user, void *ctx)
{
	struct names *names = ctx;
	size_t used = strlen(names->text);

	(void)snprintf(
	    names->text + used, sizeof(names->text) - used, "%s,", user->name);
	return (++names->count == names->stop_after);
}

Test(store, what_is_added_is_found_also_after_opening_again)
{
	struct store *s = open_store();
	struct store_user user;
	int64_t id;

	id = add(s, "cosmo", 5);
	store_close(s);
	s = open_store();
	cr_expect_eq(store_user_find(s, "cosmo", 5, &user), STORE_OK);
	cr_expect_eq(user.id, id);
	cr_expect_eq(user.name_len, 5);
	cr_expect_str_eq(user.name, "cosmo");
	cr_expect_str_eq(user.hash, HASH_A);
	cr_expect_eq(user.created_at, 1000);
	cr_expect_eq(user.updated_at, 1000);
	store_close(s);
}

Test(store, names_are_compared_byte_for_byte)
{
	static const struct {
		const char *name;
		size_t len;
	} others[] = {{"Cosmo", 5}, {"cosmo ", 6}, {" cosmo", 6}, {"cosm", 4},
	    {"cosmo\0", 6}, {"cosmo\0x", 7}, {"c%", 2}, {"c_smo", 5},
	    {"c\xc3\xb6smo", 6}};
	struct store *s = open_store();
	struct store_user user;
	size_t i;

	(void)add(s, "cosmo", 5);
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		cr_expect_eq(
		    store_user_find(s, others[i].name, others[i].len, &user),
		    STORE_NOT_FOUND, "case %zu", i);
	cr_expect_eq(store_user_find(s, "cosmo", 5, &user), STORE_OK);
	store_close(s);
}

Test(store, a_nul_in_a_name_neither_ends_nor_merges_it)
{
	struct store *s = open_store();
	struct store_user user;
	int64_t first, second;

	first = add(s, "a\0b", 3);
	second = add(s, "a\0c", 3);
	cr_expect_neq(first, second);
	cr_expect_eq(store_user_find(s, "a", 1, &user), STORE_NOT_FOUND);
	cr_expect_eq(store_user_find(s, "a\0b", 3, &user), STORE_OK);
	cr_expect_eq(user.id, first);
	cr_expect_eq(user.name_len, 3);
	cr_expect_arr_eq(user.name, "a\0b", 4);
	store_close(s);
}

Test(store, a_taken_name_is_refused_and_the_account_stays_as_it_was)
{
	struct store *s = open_store();
	struct store_user user;
	int64_t id = -1;

	(void)add(s, "cosmo", 5);
	cr_expect_eq(
	    add_account(s, "cosmo", 5, HASH_B, 2000, &id), STORE_EXISTS);
	cr_expect_eq(id, -1);
	cr_expect(store_error(s)[0] != '\0');
	cr_expect_eq(store_user_find(s, "cosmo", 5, &user), STORE_OK);
	cr_expect_str_eq(user.hash, HASH_A);
	cr_expect_eq(add_account(s, "Cosmo", 5, HASH_B, 2000, NULL), STORE_OK);
	store_close(s);
}

Test(store, arguments_beyond_a_limit_are_refused_and_the_limit_itself_is_not)
{
	struct store *s = open_store();
	struct store_user user;
	char name[STORE_NAME_MAX + 1], hash[STORE_HASH_MAX + 1] = {0};
	int64_t id = 0;

	memset(name, 'n', sizeof(name));
	memset(hash, 'h', STORE_HASH_MAX);
	cr_expect_eq(add_account(s, name, 0, HASH_A, 1, NULL), STORE_INVALID);
	cr_expect_eq(
	    add_account(s, name, sizeof(name), HASH_A, 1, NULL), STORE_INVALID);
	cr_expect_eq(add_account(s, "a", 1, hash, 1, NULL), STORE_INVALID);
	cr_expect_eq(add_account(s, "a", 1, "", 1, NULL), STORE_INVALID);
	cr_expect_eq(
	    store_user_find(s, name, sizeof(name), &user), STORE_INVALID);

	hash[STORE_HASH_MAX - 1] = '\0';
	cr_expect_eq(
	    add_account(s, name, STORE_NAME_MAX, hash, 1, &id), STORE_OK);
	cr_expect_eq(store_user_find(s, name, STORE_NAME_MAX, &user), STORE_OK);
	cr_expect_eq(user.name_len, STORE_NAME_MAX);
	cr_expect_str_eq(user.hash, hash);
	cr_expect_eq(store_user_set_hash(s, id, NULL, "", 1), STORE_INVALID);
	store_close(s);
}

Test(store, a_hash_is_replaced_only_while_it_is_the_expected_one)
{
	struct store *s = open_store();
	struct store_user user;
	int64_t id;

	id = add(s, "cosmo", 5);
	cr_expect_eq(
	    store_user_set_hash(s, id, "other", HASH_B, 2000), STORE_NOT_FOUND);
	cr_assert_eq(store_user_find(s, "cosmo", 5, &user), STORE_OK);
	cr_expect_str_eq(user.hash, HASH_A);
	cr_expect_eq(
	    store_user_set_hash(s, id, HASH_A, HASH_B, 3000), STORE_OK);
	cr_assert_eq(store_user_find(s, "cosmo", 5, &user), STORE_OK);
	cr_expect_str_eq(user.hash, HASH_B);
	cr_expect_eq(user.created_at, 1000);
	cr_expect_eq(user.updated_at, 3000);
	cr_expect_eq(store_user_set_hash(s, id, NULL, HASH_A, 4000), STORE_OK);
	cr_expect_eq(store_user_set_hash(s, id + 1, NULL, HASH_A, 4000),
	    STORE_NOT_FOUND);
	store_close(s);
}

Test(store, the_id_of_a_removed_account_never_comes_back)
{
	struct store *s = open_store();
	struct store_user user;
	int64_t first, second;

	first = add(s, "cosmo", 5);
	cr_expect_eq(remove_account(s, "cosm", 4), STORE_NOT_FOUND);
	cr_expect_eq(remove_account(s, "cosmo", 5), STORE_OK);
	cr_expect_eq(remove_account(s, "cosmo", 5), STORE_NOT_FOUND);
	cr_expect_eq(store_user_find(s, "cosmo", 5, &user), STORE_NOT_FOUND);
	second = add(s, "cosmo", 5);
	cr_expect_gt(second, first);
	store_close(s);
}

Test(store, accounts_come_in_the_order_of_their_bytes_until_told_to_stop)
{
	struct store *s = open_store();
	struct names all = {.stop_after = 0}, two = {.stop_after = 2};
	int64_t count;

	cr_expect_eq(store_user_count(s, &count), STORE_OK);
	cr_expect_eq(count, 0);
	(void)add(s, "b", 1);
	(void)add(s, "\xc3\xa4", 2);
	(void)add(s, "B", 1);
	(void)add(s, "a", 1);
	cr_expect_eq(store_user_each(s, collect, &all), STORE_OK);
	cr_expect_str_eq(all.text, "B,a,b,\xc3\xa4,");
	cr_expect_eq(store_user_each(s, collect, &two), STORE_OK);
	cr_expect_str_eq(two.text, "B,a,");
	cr_expect_eq(store_user_count(s, &count), STORE_OK);
	cr_expect_eq(count, 4);
	cr_expect_eq(store_ping(s), STORE_OK);
	store_close(s);
}

Test(store, two_handles_see_each_others_changes)
{
	struct store *one = open_store(), *two = open_store();
	struct store_user user;

	(void)add(one, "cosmo", 5);
	cr_expect_eq(store_user_find(two, "cosmo", 5, &user), STORE_OK);
	cr_expect_eq(
	    add_account(two, "cosmo", 5, HASH_B, 1, NULL), STORE_EXISTS);
	cr_expect_eq(remove_account(two, "cosmo", 5), STORE_OK);
	cr_expect_eq(store_user_find(one, "cosmo", 5, &user), STORE_NOT_FOUND);
	store_close(one);
	store_close(two);
}

/* The log and the index beside the file hold hashes as well. */
Test(store, nobody_else_may_read_the_files_whatever_the_umask)
{
	static const char *const names[] = {"", "-wal", "-shm"};
	static const mode_t masks[] = {0, 0777};
	char path[PATH_MAX + 8];
	struct store *s;
	struct stat st;
	size_t i, k;

	SQLITE_ONLY();
	for (k = 0; k < 2; k++) {
		(void)umask(masks[k]);
		s = open_store();
		(void)umask(022);
		(void)add(s, "cosmo", 5);
		for (i = 0; i < 3; i++) {
			(void)snprintf(
			    path, sizeof(path), "%s%s", test_path, names[i]);
			cr_assert_eq(stat(path, &st), 0, "%s", path);
			cr_expect_eq(st.st_mode & 07777, 0600, "%s: %o", path,
			    st.st_mode);
		}
		store_close(s);
		cr_assert_eq(unlink(test_path), 0);
	}
}

Test(store, a_file_that_others_could_read_is_closed_to_them)
{
	struct store *s = open_store();
	struct stat st;

	SQLITE_ONLY();
	store_close(s);
	cr_assert_eq(chmod(test_path, 0644), 0);
	s = open_store();
	cr_assert_eq(stat(test_path, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0600);
	store_close(s);
}

/* Otherwise an administrator's first "user add" would lock the service out. */
Test(store, a_file_made_by_root_belongs_to_the_owner_of_the_folder)
{
	struct store *s;
	struct stat st;
	uid_t owner = geteuid() == 0 ? 65534 : geteuid();

	SQLITE_ONLY();
	cr_assert_eq(chown(test_folder, owner, (gid_t)-1), 0);
	s = open_store();
	cr_assert_eq(stat(test_path, &st), 0);
	cr_expect_eq(st.st_uid, owner);
	store_close(s);
}

Test(store, the_database_has_the_promised_settings)
{
	struct store *s = open_store();

	SQLITE_ONLY();
	store_close(s);
	cr_expect_str_eq(query_text(test_path, "PRAGMA journal_mode"), "wal");
	cr_expect_str_eq(
	    query_text(test_path, "PRAGMA application_id"), "1131377255");
	cr_expect_str_eq(
	    query_text(test_path, "SELECT max(version) FROM schema_migrations"),
	    "3");
	cr_expect_str_eq(query_text(test_path,
			     "SELECT strict FROM pragma_table_list"
			     " WHERE name = 'users'"),
	    "1");
	cr_expect_str_eq(query_text(test_path,
			     "SELECT count(*) FROM pragma_table_list"
			     " WHERE schema = 'main' AND strict = 0"
			     " AND name NOT LIKE 'sqlite_%'"),
	    "0");
}

Test(store, a_newer_schema_is_refused_and_left_alone)
{
	char error[STORE_ERROR_MAX];
	struct store *s = open_store();

	(void)add(s, "cosmo", 5);
	store_close(s);
	run_sql(test_path, "INSERT INTO schema_migrations VALUES (99, 0)");
	cr_expect_eq(store_open(test_where, &s, error), STORE_NEWER);
	cr_expect_null(s);
	cr_expect_not_null(strstr(error, "99"), "%s", error);
	run_sql(test_path, "DELETE FROM schema_migrations WHERE version = 99");
	store_close(open_store());
}

/* Many processes start on an empty folder at the same moment. */
Test(store, processes_that_open_a_new_database_at_once_all_succeed)
{
	char error[STORE_ERROR_MAX], name[16], go;
	int gate[2], status, round, i, failed = 0;
	struct store *s;

	for (round = 0; round < 5; round++) {
		cr_assert_eq(pipe(gate), 0);
		for (i = 0; i < 8; i++) {
			if (fork() != 0)
				continue;
			(void)close(gate[1]);
			(void)!read(gate[0], &go, 1);
			if (store_open(test_where, &s, error) != STORE_OK) {
				fprintf(stderr, "%s\n", error);
				_exit(1);
			}
			(void)snprintf(name, sizeof(name), "user%d", i);
			_exit(add_account(s, name, strlen(name), HASH_A, 1,
				  NULL) == STORE_OK
				? 0
				: 2);
		}
		(void)close(gate[0]);
		(void)close(gate[1]);
		while (wait(&status) > 0)
			failed += status != 0;
		cr_expect_str_eq(
		    query_text(test_path, "SELECT count(*) FROM users"), "8");
		cr_expect_str_eq(query_text(test_path,
				     "SELECT count(*) FROM schema_migrations"),
		    "3");
		folder_renew();
	}
	cr_expect_eq(failed, 0);
}

Test(store, every_result_has_a_word)
{
	int r;

	for (r = STORE_OK; r <= STORE_FAILED; r++)
		cr_expect(store_result_text((enum store_result)r)[0] != '\0');
	cr_expect_str_eq(store_result_text((enum store_result)99),
	    store_result_text(STORE_FAILED));
	cr_expect_str_neq(
	    store_result_text(STORE_FULL), store_result_text(STORE_FAILED));
}

/* A worker's sandbox ends the thread that makes a file. */
Test(store, opening_what_exists_makes_and_changes_nothing)
{
	char error[STORE_ERROR_MAX];

	SQLITE_ONLY();
	cr_expect_eq(
	    open_with(store_open_sqlite_existing, error), STORE_FAILED);
	cr_expect_eq(access(test_path, F_OK), -1, "it was made");
	write_file(test_path, "", 0);
	cr_expect_eq(
	    open_with(store_open_sqlite_existing, error), STORE_FAILED);
	cr_expect_not_null(strstr(error, "empty"), "%s", error);
	store_close(open_store());
	cr_assert_eq(chmod(test_path, 0640), 0);
	cr_expect_eq(open_with(store_open_sqlite_existing, error), STORE_OK,
	    "%s", error);
	cr_expect_eq(mode_of(test_path), 0640);
}

Test(store, opening_what_exists_migrates_nothing)
{
	char error[STORE_ERROR_MAX];

	SQLITE_ONLY();
	store_close(open_store());
	run_sql(test_path,
	    "DELETE FROM schema_migrations WHERE version > 1;"
	    "UPDATE schema_migrations SET version = 0");
	cr_expect_eq(
	    open_with(store_open_sqlite_existing, error), STORE_FAILED);
	cr_expect_not_null(strstr(error, "version 0"), "%s", error);
	cr_expect_str_eq(
	    query_text(test_path, "SELECT max(version) FROM schema_migrations"),
	    "0");
	run_sql(test_path, "UPDATE schema_migrations SET version = 99");
	cr_expect_eq(open_with(store_open_sqlite_existing, error), STORE_NEWER);
	run_sql(test_path, "UPDATE schema_migrations SET version = 3");
	cr_expect_eq(open_with(store_open_sqlite_existing, error), STORE_OK,
	    "%s", error);
	run_sql(test_path, "PRAGMA journal_mode = DELETE");
	cr_expect_eq(
	    open_with(store_open_sqlite_existing, error), STORE_FAILED);
	cr_expect_str_eq(
	    query_text(test_path, "PRAGMA journal_mode"), "delete");
	cr_expect_eq(
	    open_with(store_open_sqlite, error), STORE_OK, "%s", error);
}

/* How long SQLite asked to sleep, in microseconds; ours in this program. */
static int64_t slept;
static useconds_t longest; /* of those pauses */

__attribute__((visibility("default"))) int
usleep(useconds_t time)
{
	const struct timespec pause = {
	    .tv_sec = time / 1000000, .tv_nsec = time % 1000000 * 1000};

	slept += time;
	longest = time > longest ? time : longest;
	return (clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL));
}

/* A process that holds the index of the log with a head that has to be made
 * anew, until *gate is closed. */
static pid_t
hold_index(int *gate)
{
	struct flock lock = {.l_type = F_WRLCK,
	    .l_whence = SEEK_SET,
	    .l_start = SHM_LOCKS_AT,
	    .l_len = SHM_LOCKS_LEN};
	char path[PATH_MAX + 8], zeros[SHM_HEAD_LEN] = {0}, byte;
	int held[2], go[2], fd;
	pid_t pid;

	(void)snprintf(path, sizeof(path), "%s-shm", test_path);
	cr_assert(pipe(held) == 0 && pipe(go) == 0);
	if ((pid = fork()) == 0) {
		(void)close(go[1]);
		fd = open(path, O_RDWR);
		if (fcntl(fd, F_SETLKW, &lock) == 0 &&
		    pwrite(fd, zeros, sizeof(zeros), 0) == sizeof(zeros) &&
		    write(held[1], "", 1) == 1)
			(void)!read(go[0], &byte, 1);
		_exit(0);
	}
	(void)close(held[1]);
	(void)close(go[0]);
	cr_assert_eq(read(held[0], &byte, 1), 1);
	(void)close(held[0]);
	*gate = go[1];
	return (pid);
}

/* Otherwise a few questions after the state hold every thread. */
Test(store, a_ping_waits_much_shorter_than_other_operations)
{
	struct store *s = open_store();
	struct store_user user;
	int64_t of_ping;
	pid_t pid;
	int gate;

	SQLITE_ONLY();
	pid = hold_index(&gate);
	slept = 0;
	cr_expect_eq(store_ping(s), STORE_BUSY, "%s", store_error(s));
	of_ping = slept;
	slept = 0;
	cr_expect_eq(store_user_find(s, "a", 1, &user), STORE_BUSY);
	cr_expect_gt(of_ping, 0);
	cr_expect_lt(of_ping, slept / 4, "%lld", (long long)of_ping);
	/* Whoever sleeps through the moment at which it is free loses again. */
	cr_expect_leq(longest, 5000, "a pause of %u us", longest);
	(void)close(gate);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	cr_expect_eq(store_ping(s), STORE_OK, "%s", store_error(s));
	store_close(s);
}

Test(store, opening_what_exists_waits_much_shorter_than_operations)
{
	char error[STORE_ERROR_MAX];
	sqlite3 *other;

	SQLITE_ONLY();
	store_close(open_store());
	cr_assert_eq(sqlite3_open(test_path, &other), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(other,
			 "PRAGMA locking_mode = EXCLUSIVE;"
			 "CREATE TABLE held (a)",
			 NULL, NULL, NULL),
	    SQLITE_OK);
	slept = 0;
	cr_expect_eq(open_with(store_open_sqlite_existing, error), STORE_BUSY);
	cr_expect_gt(slept, 0);
	cr_expect_lt(slept, STORE_WAIT_MS * 1000 / 4);
	(void)sqlite3_close(other);
	cr_expect_eq(open_with(store_open_sqlite_existing, error), STORE_OK,
	    "%s", error);
}
