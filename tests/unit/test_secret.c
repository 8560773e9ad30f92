/*
 * Secrets: randomness, comparison, and files that exist whole or not at all.
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"

#define RACERS 8

static char folder[] = "/tmp/corgi-secret-XXXXXX";
static char path[PATH_MAX];

struct racer {
	pthread_t thread;
	pthread_barrier_t *start;
	struct secret secret;
	bool created;
	int ret;
};

static void set_up(void);
static void tear_down(void);
static void put_file(const void *, size_t);
static int count_files(void);
static void *race(void *);

static void
set_up(void)
{
	cr_assert_eq(secret_init(), 0);
	cr_assert_not_null(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/key", folder);
}

static void
tear_down(void)
{
	(void)unlink(path);
	(void)rmdir(folder);
}

static void
put_file(const void *data, size_t len)
{
	FILE *f = fopen(path, "w");

	cr_assert_not_null(f);
	cr_assert_eq(fwrite(data, 1, len, f), len);
	cr_assert_eq(fclose(f), 0);
}

static int
count_files(void)
{
	struct dirent *entry;
	int n = 0;
	DIR *dir = opendir(folder);

	cr_assert_not_null(dir);
	while ((entry = readdir(dir)) != NULL)
		n += entry->d_name[0] != '.';
	closedir(dir);

	return (n);
}

static void *
race(void *arg)
{
	struct racer *r = arg;

	pthread_barrier_wait(r->start);
	r->ret = secret_load_or_create(path, 32, &r->secret, &r->created);

	return (NULL);
}

TestSuite(secret, .init = set_up, .fini = tear_down);

Test(secret, a_copy_keeps_nuls_and_ends_with_one)
{
	struct secret s = {NULL, 0};

	cr_assert_eq(secret_set(&s, "a\0b", 3), 0);
	cr_assert_eq(s.len, 3);
	cr_assert_eq(memcmp(s.data, "a\0b", 4), 0);
	secret_free(&s);
	cr_assert_null(s.data);
	cr_assert_eq(s.len, 0);
	secret_free(&s);
	cr_assert_eq(secret_set(&s, NULL, SIZE_MAX), -1);
	cr_assert_null(s.data);
}

Test(secret, only_one_line_end_is_dropped)
{
	static const char *const rows[][2] = {
	    {"ab\n", "ab"},
	    {"ab\r\n", "ab"},
	    {"ab\n\n", "ab\n"},
	    {"ab \n", "ab "},
	    {"ab\r", "ab\r"},
	    {"\n", ""},
	    {"", ""},
	};
	struct secret s = {NULL, 0};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_assert_eq(secret_set(&s, rows[i][0], strlen(rows[i][0])), 0);
		secret_chomp(&s);
		cr_assert_str_eq((char *)s.data, rows[i][1]);
		cr_assert_eq(s.len, strlen(rows[i][1]));
		secret_free(&s);
	}
}

Test(secret, wiping_leaves_nothing)
{
	char buf[] = "hunter2";

	secret_wipe(buf, 6);
	cr_assert_eq(memcmp(buf, "\0\0\0\0\0\0002", 8), 0);
	secret_free_mem(NULL, 5);
}

Test(secret, equality_looks_at_length_and_every_byte)
{
	cr_assert(secret_equal("abc", 3, "abc", 3));
	cr_assert(secret_equal("", 0, NULL, 0));
	cr_assert(!secret_equal("abc", 3, "abd", 3));
	cr_assert(!secret_equal("abc", 3, "xbc", 3));
	cr_assert(!secret_equal("abc", 3, "abc\0", 4));
	cr_assert(!secret_equal("a\0b", 3, "a\0c", 3));
}

Test(secret, random_bytes_do_not_repeat)
{
	uint8_t a[32] = {0}, b[32] = {0};

	secret_random(a, sizeof(a));
	secret_random(b, sizeof(b));
	cr_assert_neq(memcmp(a, b, sizeof(a)), 0);
}

Test(secret, uuids_are_version_4_and_unique)
{
	char last[UUID_LEN + 1] = "", uuid[UUID_LEN + 1];
	int i, j;

	for (i = 0; i < 1000; i++) {
		secret_uuid4(uuid);
		cr_assert_eq(strlen(uuid), UUID_LEN);
		for (j = 0; j < UUID_LEN; j++) {
			if (j == 8 || j == 13 || j == 18 || j == 23)
				cr_assert_eq(uuid[j], '-');
			else
				cr_assert_not_null(
				    strchr("0123456789abcdef", uuid[j]));
		}
		cr_assert_eq(uuid[14], '4');
		cr_assert_not_null(strchr("89ab", uuid[19]));
		cr_assert_str_neq(uuid, last);
		memcpy(last, uuid, sizeof(last));
	}
}

Test(secret, a_file_is_read_up_to_its_limit)
{
	struct secret s = {NULL, 0};

	put_file("a\0b\n", 4);
	cr_assert_eq(secret_read_file(path, 4, &s), 0);
	cr_assert_eq(s.len, 4);
	cr_assert_eq(memcmp(s.data, "a\0b\n", 4), 0);
	secret_free(&s);

	errno = 0;
	cr_assert_eq(secret_read_file(path, 3, &s), -1);
	cr_assert_eq(errno, EFBIG);
	cr_assert_null(s.data);
}

Test(secret, an_empty_or_missing_file_and_a_folder_are_refused)
{
	struct secret s = {NULL, 0};

	cr_assert_eq(secret_read_file(path, 10, &s), -1);
	cr_assert_eq(errno, ENOENT);
	put_file("", 0);
	cr_assert_eq(secret_read_file(path, 10, &s), -1);
	cr_assert_eq(errno, ENODATA);
	cr_assert_eq(secret_read_file(folder, 10, &s), -1);
	cr_assert_eq(errno, EISDIR);
}

Test(secret, a_secret_is_made_once_and_for_its_owner_alone)
{
	struct secret a = {NULL, 0}, b = {NULL, 0};
	struct stat st;
	bool created;

	umask(0);
	cr_assert_eq(secret_load_or_create(path, 64, &a, &created), 0);
	cr_assert(created);
	cr_assert_eq(a.len, 128);
	cr_assert_eq(strspn((char *)a.data, "0123456789abcdef"), 128);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0600);
	cr_assert_eq(count_files(), 1, "a temporary file was left");

	cr_assert_eq(secret_load_or_create(path, 64, &b, &created), 0);
	cr_assert(!created);
	cr_assert(secret_equal(a.data, a.len, b.data, b.len));
	secret_free(&a);
	secret_free(&b);
}

Test(secret, a_secret_that_is_there_is_never_replaced)
{
	struct secret s = {NULL, 0};
	bool created;

	put_file("", 0);
	cr_assert_eq(secret_load_or_create(path, 64, &s, &created), -1);
	cr_assert_eq(errno, ENODATA);
	put_file("\n", 1);
	cr_assert_eq(secret_load_or_create(path, 64, &s, &created), -1);
	cr_assert_eq(errno, ENODATA);
	cr_assert_null(s.data);

	put_file("mine\n", 5);
	cr_assert_eq(secret_load_or_create(path, 64, &s, &created), 0);
	cr_assert(!created);
	cr_assert_str_eq((char *)s.data, "mine");
	secret_free(&s);
}

Test(secret, a_folder_that_is_missing_is_reported)
{
	struct secret s = {NULL, 0};
	bool created;

	cr_assert_eq(
	    secret_load_or_create("/nonexistent/x/key", 8, &s, &created), -1);
	cr_assert_eq(errno, ENOENT);
	cr_assert(!created);
}

Test(secret, racing_starts_agree_on_one_secret)
{
	struct racer racers[RACERS] = {0};
	pthread_barrier_t start;
	int i, makers = 0;

	cr_assert_eq(pthread_barrier_init(&start, NULL, RACERS), 0);
	for (i = 0; i < RACERS; i++) {
		racers[i].start = &start;
		cr_assert_eq(
		    pthread_create(&racers[i].thread, NULL, race, &racers[i]),
		    0);
	}
	for (i = 0; i < RACERS; i++) {
		cr_assert_eq(pthread_join(racers[i].thread, NULL), 0);
		cr_assert_eq(racers[i].ret, 0);
		makers += racers[i].created;
		cr_assert_eq(racers[i].secret.len, 64);
		cr_assert_eq(
		    memcmp(racers[i].secret.data, racers[0].secret.data, 64),
		    0);
	}
	cr_assert_eq(makers, 1);
	cr_assert_eq(count_files(), 1);
	for (i = 0; i < RACERS; i++)
		secret_free(&racers[i].secret);
	pthread_barrier_destroy(&start);
}

Test(secret, a_hardened_process_leaves_no_core)
{
	struct rlimit limit;

	cr_assert_eq(prctl(PR_GET_DUMPABLE), 1);
	cr_assert_eq(secret_harden_process(), 0);
	cr_assert_eq(prctl(PR_GET_DUMPABLE), 0);
	cr_assert_eq(getrlimit(RLIMIT_CORE, &limit), 0);
	cr_assert_eq(limit.rlim_max, 0);
}
