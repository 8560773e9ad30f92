/*
 * The store when things go wrong: killed writers, damaged and foreign files,
 * full disks, locks, folders that may not be written. What was acknowledged
 * stays, and what is not ours is not touched.
 */
#include "store_helpers.h"

#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <signal.h>
#include <time.h>

#include "base/clock.h"
#include "base/secret.h"
#include "store/store_sqlite.h"

/* How long writers are killed (milliseconds). */
#define KILL_MS 2000

/* Writers at a time. */
#define WRITERS 3

TestSuite(damage, .init = folder_make, .fini = folder_remove, .timeout = 60);

/* What a writer says about a change that has returned STORE_OK. */
struct acknowledged {
	uint32_t writer;
	uint32_t number;
	bool removed;
};

static size_t name_of(char[32], uint32_t, uint32_t);
static void write_until_killed(int, uint32_t);
static size_t check_acknowledged(int);
static void skip(const char *);
static void give_up_root(void);
static void fill_accounts(struct store *, int);
static enum store_result try_open(char[STORE_ERROR_MAX]);
static void expect_refused_untouched(enum store_result);
static int count_one(const struct store_user *, void *);
static int fill_up(struct store *, enum store_result *);
static void expect_all_there(struct store *, int);

static size_t
name_of(char name[32], uint32_t writer, uint32_t number)
{
	return ((size_t)snprintf(name, 32, "w%u-%u", writer, number));
}

/* Add accounts and remove every third again, reporting each success. */
static void
write_until_killed(int report, uint32_t writer)
{
	struct acknowledged done = {.writer = writer};
	struct store *s;
	char name[32], error[STORE_ERROR_MAX];
	size_t len;

	if (store_open_sqlite(test_path, &s, error) != STORE_OK) {
		fprintf(stderr, "a writer cannot open: %s\n", error);
		_exit(1);
	}
	for (;; done.number++) {
		len = name_of(name, writer, done.number);
		done.removed = false;
		if (add_account(s, name, len, HASH_A, 1, NULL) != STORE_OK)
			break;
		if (write(report, &done, sizeof(done)) != sizeof(done))
			break;
		if (done.number % 3 != 0)
			continue;
		done.removed = true;
		if (remove_account(s, name, len) != STORE_OK)
			break;
		if (write(report, &done, sizeof(done)) != sizeof(done))
			break;
	}
	fprintf(stderr, "a writer failed: %s\n", store_error(s));
	_exit(1);
}

/* Compare what was acknowledged through a pipe with what is stored. The last
 * word on a name counts; each writer may have been killed between removing an
 * account and saying so, so an addition that is to be removed is not judged. */
static size_t
check_acknowledged(int report)
{
	struct acknowledged done;
	struct store_user user;
	struct store *s = open_store();
	size_t len, checked = 0;
	char name[32];

	while (read(report, &done, sizeof(done)) == sizeof(done)) {
		if (done.number % 3 == 0 && !done.removed)
			continue;
		len = name_of(name, done.writer, done.number);
		cr_expect_eq(store_user_find(s, name, len, &user),
		    done.removed ? STORE_NOT_FOUND : STORE_OK, "%s", name);
		checked++;
	}
	store_close(s);
	return (checked);
}

/* Rounds of writers that all die in the middle of their work. */
Test(damage, nothing_acknowledged_is_lost_when_writers_are_killed)
{
	int64_t until = clock_monotonic_ms() + KILL_MS;
	struct timespec pause = {0};
	pid_t pids[WRITERS];
	uint32_t writer = 0;
	unsigned char random;
	size_t checked = 0;
	int report[2], status, i;

	while (clock_monotonic_ms() < until) {
		cr_assert_eq(pipe(report), 0);
		for (i = 0; i < WRITERS; i++, writer++) {
			if ((pids[i] = fork()) == 0)
				write_until_killed(report[1], writer);
		}
		(void)close(report[1]);
		secret_random(&random, 1);
		pause.tv_nsec = 20000000 + random * 300000L;
		(void)nanosleep(&pause, NULL);
		for (i = 0; i < WRITERS; i++)
			(void)kill(pids[i], SIGKILL);
		for (i = 0; i < WRITERS; i++) {
			cr_assert_eq(waitpid(pids[i], &status, 0), pids[i]);
			cr_expect(WIFSIGNALED(status), "a writer gave up");
		}
		checked += check_acknowledged(report[0]);
		(void)close(report[0]);
		cr_assert_str_eq(
		    query_text(test_path, "PRAGMA integrity_check"), "ok");
	}
	cr_expect_gt(checked, 10, "the writers hardly wrote: %zu", checked);
}

/* Calls of fdatasync(), which is ours in this program. */
static int syncs;

__attribute__((visibility("default"))) int
fdatasync(int fd) /* NOLINT(readability-inconsistent-declaration-*) */
{
	syncs++;
	return (fsync(fd));
}

/* A kill leaves the system's memory: only this shows that an acknowledged
 * change would also be there after a power cut. */
Test(damage, every_change_is_on_the_disk_when_it_is_acknowledged)
{
	struct store *s = open_store();
	struct store_user user;
	int64_t id;

	syncs = 0;
	cr_assert_eq(add_account(s, "a", 1, HASH_A, 1, &id), STORE_OK);
	cr_expect_gt(syncs, 0, "adding");
	syncs = 0;
	cr_assert_eq(store_user_set_hash(s, id, NULL, "h", 1), STORE_OK);
	cr_expect_gt(syncs, 0, "changing");
	syncs = 0;
	cr_assert_eq(store_user_find(s, "a", 1, &user), STORE_OK);
	cr_expect_eq(syncs, 0, "reading");
	cr_assert_eq(remove_account(s, "a", 1), STORE_OK);
	cr_expect_gt(syncs, 0, "removing");
	store_close(s);
}

/* A skipped test does not come to its end, where the folder is removed. */
static void
skip(const char *reason)
{
	folder_remove();
	cr_skip_test("%s", reason);
}

/* For tests of permissions, which root has always. The folder goes along; its
 * removal takes the rights of root back. */
static void
give_up_root(void)
{
	struct stat st;

	if (geteuid() != 0)
		return;
	cr_assert_eq(chown(test_folder, 65534, 65534), 0);
	cr_assert_eq(setegid(65534), 0);
	cr_assert_eq(seteuid(65534), 0);
	if (stat(test_folder, &st) == -1)
		skip("only root reaches the temporary folder");
}

static void
fill_accounts(struct store *s, int count)
{
	char name[32];
	int i;

	for (i = 0; i < count; i++)
		cr_assert_eq(add_account(s, name, name_of(name, 0, (uint32_t)i),
				 HASH_A, 1, NULL),
		    STORE_OK, "%s", store_error(s));
}

static enum store_result
try_open(char error[STORE_ERROR_MAX])
{
	enum store_result result;
	struct store *s;

	result = store_open_sqlite(test_path, &s, error);
	if (result != STORE_OK) {
		cr_expect_null(s);
		cr_expect(error[0] != '\0');
	} else {
		store_close(s);
	}
	return (result);
}

static void
expect_refused_untouched(enum store_result expected)
{
	char error[STORE_ERROR_MAX], *before, *after;
	size_t before_len, after_len;

	before = file_bytes(test_path, &before_len);
	cr_expect_eq(try_open(error), expected, "%s", error);
	after = file_bytes(test_path, &after_len);
	cr_expect_eq(before_len, after_len);
	cr_expect_arr_eq(before, after, before_len);
	free(before);
	free(after);
}

Test(damage, a_file_that_is_no_database_is_refused_and_untouched)
{
	char noise[8192];

	secret_random(noise, sizeof(noise));
	write_file(test_path, noise, sizeof(noise));
	expect_refused_untouched(STORE_DAMAGED);
	write_file(test_path, "corgi", 5);
	expect_refused_untouched(STORE_DAMAGED);
	write_file(test_path, "", 0);
	store_close(open_store());
}

Test(damage, a_database_of_another_program_is_refused_and_untouched)
{
	run_sql(test_path, "CREATE TABLE users (id INTEGER, name BLOB)");
	expect_refused_untouched(STORE_DAMAGED);
	cr_assert_eq(unlink(test_path), 0);

	run_sql(test_path, "PRAGMA application_id = 77; VACUUM");
	expect_refused_untouched(STORE_DAMAGED);
	cr_assert_eq(unlink(test_path), 0);

	store_close(open_store());
}

/* Such a file has a log that its own program still wants to read: closing the
 * last connection must not write it back. */
Test(damage, the_log_of_another_programs_database_is_untouched)
{
	char path[PATH_MAX + 8], *file, *log, *after;
	size_t file_len, log_len, after_len;
	sqlite3 *other;

	cr_assert_eq(sqlite3_open(test_path, &other), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(other,
			 "PRAGMA journal_mode = WAL;"
			 "CREATE TABLE theirs (a)",
			 NULL, NULL, NULL),
	    SQLITE_OK);
	(void)snprintf(path, sizeof(path), "%s-wal", test_path);
	file = file_bytes(test_path, &file_len);
	log = file_bytes(path, &log_len);
	cr_assert_gt(log_len, 0);
	(void)sqlite3_close(other);
	write_file(test_path, file, file_len);
	write_file(path, log, log_len);

	expect_refused_untouched(STORE_DAMAGED);
	after = file_bytes(path, &after_len);
	cr_expect_eq(after_len, log_len);
	cr_expect_arr_eq(after, log, log_len);
	free(file);
	free(log);
	free(after);
}

Test(damage, a_database_without_its_tables_is_refused)
{
	char error[STORE_ERROR_MAX];

	store_close(open_store());
	run_sql(test_path, "ALTER TABLE users RENAME TO users_away");
	cr_expect_eq(try_open(error), STORE_DAMAGED, "%s", error);
	run_sql(test_path, "ALTER TABLE users_away RENAME TO users");
	cr_expect_eq(try_open(error), STORE_OK, "%s", error);
}

Test(damage, a_truncated_or_scribbled_schema_is_refused_and_untouched)
{
	char *bytes;
	size_t len, i;

	store_close(open_store());
	bytes = file_bytes(test_path, &len);
	for (i = 100; i < 4096; i++)
		bytes[i] = (char)0xa5;
	write_file(test_path, bytes, len);
	expect_refused_untouched(STORE_DAMAGED);
	write_file(test_path, bytes, 600);
	expect_refused_untouched(STORE_DAMAGED);
	free(bytes);
}

static int
count_one(const struct store_user *user, void *ctx)
{
	(void)user;
	(*(int *)ctx)++;
	return (0);
}

/* The opening looks at the schema only (the first two pages): what lies behind
 * it is met later. */
Test(damage, damaged_pages_give_an_answer_and_not_a_crash)
{
	struct store_user user;
	struct store *s = open_store();
	char *bytes;
	size_t len, i;
	int seen = 0;

	fill_accounts(s, 200);
	store_close(s);
	bytes = file_bytes(test_path, &len);
	cr_assert_gt(len, 5 * 4096);
	for (i = 2 * 4096; i < len; i++)
		bytes[i] = (char)0xa5;
	write_file(test_path, bytes, len);
	free(bytes);
	s = open_store();
	cr_expect_eq(store_user_find(s, "w0-7", 4, &user), STORE_DAMAGED);
	cr_expect_eq(add_account(s, "new", 3, HASH_A, 1, NULL), STORE_DAMAGED);
	cr_expect_eq(store_user_each(s, count_one, &seen), STORE_DAMAGED);
	cr_expect_eq(store_ping(s), STORE_DAMAGED);
	cr_expect(store_error(s)[0] != '\0');
	store_close(s);
}

Test(damage, a_row_beyond_the_limits_is_damage_and_not_an_overflow)
{
	struct store_user user;
	struct store *s = open_store();
	char name[2] = "";
	int seen = 0;

	fill_accounts(s, 1);
	store_close(s);
	run_sql(test_path,
	    "PRAGMA ignore_check_constraints = ON;"
	    "INSERT INTO users VALUES"
	    " (50, zeroblob(300), x'01', 'h', '', 0, 0, 1, 1, 0),"
	    " (51, x'61', x'02', printf('%900d', 1), '', 0, 0, 1, 1, 0),"
	    " (52, x'62', zeroblob(300), 'h', '', 0, 0, 1, 1, 0),"
	    " (53, x'63', x'03', 'h', printf('%2000d', 1), 0, 0, 1, 1, 0),"
	    " (54, x'64', x'04', 'h', 'b a', 0, 0, 1, 1, 0)");
	s = open_store();
	for (name[0] = 'a'; name[0] <= 'd'; name[0]++)
		cr_expect_eq(store_user_find(s, name, 1, &user), STORE_DAMAGED,
		    "%s", name);
	cr_expect_eq(store_user_each(s, count_one, &seen), STORE_DAMAGED);
	cr_expect_eq(store_user_find(s, "w0-0", 4, &user), STORE_OK);
	store_close(s);
}

Test(damage, a_file_that_may_not_be_written_is_refused)
{
	char error[STORE_ERROR_MAX];

	give_up_root();
	store_close(open_store());
	cr_assert_eq(chmod(test_path, 0400), 0);
	cr_expect_eq(try_open(error), STORE_READONLY, "%s", error);
	cr_assert_eq(chmod(test_path, 0600), 0);
	cr_expect_eq(try_open(error), STORE_OK, "%s", error);
	(void)unlink(test_path);
}

Test(damage, a_folder_that_may_not_be_written_is_refused)
{
	char error[STORE_ERROR_MAX];

	cr_assert_eq(
	    chown(test_folder, geteuid() == 0 ? 65534 : geteuid(), (gid_t)-1),
	    0);
	give_up_root();
	cr_assert_eq(chmod(test_folder, 0500), 0);
	cr_expect_eq(try_open(error), STORE_READONLY, "%s", error);
	cr_assert_eq(chmod(test_folder, 0700), 0);
	cr_expect_eq(try_open(error), STORE_OK, "%s", error);
	cr_assert_eq(chmod(test_folder, 0500), 0);
	cr_expect_eq(try_open(error), STORE_READONLY, "%s", error);
	cr_assert_eq(chmod(test_folder, 0700), 0);
	(void)unlink(test_path);
}

Test(damage, a_path_that_leads_nowhere_is_refused)
{
	char error[STORE_ERROR_MAX], path[PATH_MAX + 16];
	struct store *s;

	cr_expect_eq(store_open_sqlite(test_folder, &s, error), STORE_FAILED);
	(void)snprintf(path, sizeof(path), "%s/none/corgi.db", test_folder);
	cr_expect_eq(store_open_sqlite(path, &s, error), STORE_FAILED);
	cr_expect_not_null(strstr(error, "none/corgi.db: "), "%s", error);
	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	cr_expect_eq(store_open_sqlite(path, &s, error), STORE_INVALID);
	cr_expect_lt(strlen(error), STORE_ERROR_MAX);
}

/* Add accounts until the disk is full, then see that all of them are there
 * and that it goes on once there is room again. */
static int
fill_up(struct store *s, enum store_result *last)
{
	char name[32];
	int i;

	for (i = 0; i < 100000; i++) {
		*last = add_account(
		    s, name, name_of(name, 7, (uint32_t)i), HASH_A, 1, NULL);
		if (*last != STORE_OK)
			break;
	}
	return (i);
}

static void
expect_all_there(struct store *s, int count)
{
	struct store_user user;
	char name[32];
	int i;

	for (i = 0; i < count; i++)
		cr_assert_eq(store_user_find(
				 s, name, name_of(name, 7, (uint32_t)i), &user),
		    STORE_OK, "%s of %d is lost", name, count);
	cr_expect_eq(
	    store_user_find(s, name, name_of(name, 7, (uint32_t)i), &user),
	    STORE_NOT_FOUND);
}

Test(damage, a_full_disk_is_reported_and_loses_nothing)
{
	struct rlimit limit;
	enum store_result last;
	struct store *s = open_store();
	int count;

	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	(void)signal(SIGXFSZ, SIG_IGN);
	limit.rlim_cur = 300000;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	count = fill_up(s, &last);
	cr_expect_eq(last, STORE_FULL, "%s", store_error(s));
	cr_expect_gt(count, 0);
	expect_all_there(s, count);
	limit.rlim_cur = limit.rlim_max;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_expect_eq(add_account(s, "more", 4, HASH_A, 1, NULL), STORE_OK);
	expect_all_there(s, count);
	store_close(s);
	cr_expect_str_eq(query_text(test_path, "PRAGMA integrity_check"), "ok");
}

/* The same on a real file system without room, where one may be mounted. */
Test(damage, a_full_file_system_is_reported_and_loses_nothing)
{
	enum store_result last;
	struct store *s;
	int count;

	if (mount("none", test_folder, "tmpfs", 0, "size=400k") != 0)
		skip("no file system can be mounted here");
	s = open_store();
	count = fill_up(s, &last);
	cr_expect_eq(last, STORE_FULL, "%s", store_error(s));
	cr_expect_gt(count, 0);
	expect_all_there(s, count);
	store_close(s);
	s = open_store();
	expect_all_there(s, count);
	store_close(s);
	cr_expect_str_eq(query_text(test_path, "PRAGMA integrity_check"), "ok");
	(void)umount2(test_folder, MNT_DETACH);
}

Test(damage, another_writer_makes_busy_and_readers_go_on)
{
	struct store_user user;
	struct store *s = open_store();
	sqlite3 *other;

	fill_accounts(s, 1);
	store_sqlite_set_wait(s, 30);
	cr_assert_eq(sqlite3_open(test_path, &other), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(other, "BEGIN EXCLUSIVE", NULL, NULL, NULL),
	    SQLITE_OK);
	cr_expect_eq(add_account(s, "b", 1, HASH_A, 1, NULL), STORE_BUSY);
	cr_expect_eq(remove_account(s, "w0-0", 4), STORE_BUSY);
	cr_expect_eq(store_user_find(s, "w0-0", 4, &user), STORE_OK);
	cr_expect_eq(store_ping(s), STORE_OK);
	cr_assert_eq(
	    sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	cr_expect_eq(add_account(s, "b", 1, HASH_A, 1, NULL), STORE_OK);
	(void)sqlite3_close(other);
	store_close(s);
}

/* Takes STORE_WAIT_MS: nothing can be set before the opening. */
Test(damage, a_database_held_by_another_program_is_busy_to_open)
{
	char error[STORE_ERROR_MAX];
	sqlite3 *other;

	store_close(open_store());
	cr_assert_eq(sqlite3_open(test_path, &other), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(other,
			 "PRAGMA locking_mode = EXCLUSIVE;"
			 "CREATE TABLE held (a)",
			 NULL, NULL, NULL),
	    SQLITE_OK);
	cr_expect_eq(try_open(error), STORE_BUSY, "%s", error);
	(void)sqlite3_close(other);
	cr_expect_eq(try_open(error), STORE_OK, "%s", error);
}

Test(damage, a_change_to_a_removed_file_is_not_acknowledged)
{
	struct store *s = open_store();

	fill_accounts(s, 1);
	cr_expect_eq(store_ping(s), STORE_OK);
	cr_assert_eq(unlink(test_path), 0);
	cr_expect_eq(store_ping(s), STORE_FAILED);
	cr_expect_eq(add_account(s, "b", 1, HASH_A, 1, NULL), STORE_FAILED);
	cr_expect_not_null(strstr(store_error(s), "removed"));
	store_close(s);
}

/* An account deleted in the new file must not sign in by the old one. */
Test(damage, a_removed_or_replaced_file_answers_no_lookup)
{
	struct store *s = open_store();
	char away[PATH_MAX + 8];
	struct store_user user;
	int64_t count;
	int seen = 0;

	fill_accounts(s, 1);
	(void)snprintf(away, sizeof(away), "%s-away", test_path);
	cr_assert_eq(rename(test_path, away), 0);
	cr_expect_eq(store_user_find(s, "w0-0", 4, &user), STORE_FAILED);
	cr_expect_eq(user.hash[0], '\0');
	cr_expect_eq(store_user_find(s, "b", 1, &user), STORE_FAILED);
	cr_expect_eq(store_user_each(s, count_one, &seen), STORE_FAILED);
	cr_expect_eq(store_user_count(s, &count), STORE_FAILED);
	write_file(test_path, "", 0);
	cr_expect_eq(store_user_find(s, "w0-0", 4, &user), STORE_FAILED);
	cr_assert_eq(rename(away, test_path), 0);
	cr_expect_eq(store_user_find(s, "w0-0", 4, &user), STORE_OK);
	cr_expect_eq(store_user_find(s, "b", 1, &user), STORE_NOT_FOUND);
	cr_expect_eq(store_user_count(s, &count), STORE_OK);
	store_close(s);
}
