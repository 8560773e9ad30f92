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

#include "base/config.h"
#include "base/log.h"
#include "base/secret.h"

#define RACERS 8

/* A word of the secret that must not get into an error or a log. */
#define KEPT "hunter2-hunter2-hunter2-hunter2"

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
static void count_warning(enum log_level, const char *, void *);
static int load_secret(enum config_flavor, bool);

/* Of the last load_secret(). */
static char error[CONFIG_ERROR_MAX];
static char warning[LOG_LINE_MAX];
static int warnings;

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
	char kept[PATH_MAX + 16];

	(void)snprintf(kept, sizeof(kept), "%s/jwt_secret", folder);
	(void)unlink(kept);
	(void)unlink(path);
	(void)rmdir(folder);
}

static void
put_file(const void *data, size_t len)
{
	FILE *f = fopen(path, "w");

	cr_assert_not_null(f);
	cr_assert_eq(fwrite(data, 1, len, f), len);
	cr_assert_eq(fchmod(fileno(f), 0600), 0);
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

/* A pipe without a writer would hold the start for ever. */
Test(secret, a_pipe_is_refused_at_once_and_a_link_followed, .timeout = 20)
{
	struct secret s = {NULL, 0};
	char target[PATH_MAX + 8];

	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_expect_eq(secret_read_file(path, 10, &s), -1);
	cr_expect_eq(errno, EINVAL);
	cr_expect_eq(secret_read_kept(path, &s), -1);
	cr_expect_eq(errno, EINVAL);
	cr_assert_eq(unlink(path), 0);
	put_file(KEPT, sizeof(KEPT) - 1);
	(void)snprintf(target, sizeof(target), "%s-target", path);
	cr_assert_eq(rename(path, target), 0);
	cr_assert_eq(symlink(target, path), 0);
	cr_expect_eq(secret_read_file(path, 100, &s), 0);
	secret_free(&s);
	cr_expect_eq(secret_read_kept(path, &s), -1);
	cr_expect_eq(errno, ELOOP);
	cr_assert_eq(unlink(target), 0);
}

static void
count_warning(enum log_level level, const char *line, void *ctx)
{
	(void)ctx;
	warnings += level == LOG_LEVEL_WARNING;
	(void)snprintf(warning, sizeof(warning), "%s", line);
}

/* config_secret() on the test's folder, with the warnings it made; whether it
 * came to the secret KEPT. No word of the secret may be in what is said. */
static int
load_secret(enum config_flavor flavor, bool create)
{
	char entry[PATH_MAX + 16];
	char *const environment[] = {entry, NULL};
	struct config c;
	bool created;
	int ret;

	(void)snprintf(entry, sizeof(entry), "CORGI_DATA_DIR=%s", folder);
	log_open(count_warning, NULL, LOG_LEVEL_WARNING);
	cr_assert_eq(
	    config_load(environment, flavor, &c, error), 0, "%s", error);
	warnings = 0;
	warning[0] = '\0';
	ret = config_secret(&c, create, &created, error);
	if (ret == 0)
		cr_expect_str_eq((char *)c.secret_key.data, KEPT);
	cr_expect_null(strstr(error, "hunter2"), "%s", error);
	cr_expect_null(strstr(warning, "hunter2"), "%s", warning);
	config_free(&c);
	return (ret);
}

/* Whoever can read the secret makes tokens, whoever can write it too. */
Test(secret, a_kept_secret_that_others_reach_ends_the_start_in_production)
{
	static const mode_t open_modes[] = {0640, 0604, 0620, 0602, 0610, 0601};
	size_t i;

	(void)snprintf(path, sizeof(path), "%s/jwt_secret", folder);
	put_file(KEPT, sizeof(KEPT) - 1);
	for (i = 0; i < sizeof(open_modes) / sizeof(open_modes[0]); i++) {
		cr_assert_eq(chmod(path, open_modes[i]), 0);
		cr_expect_eq(load_secret(CONFIG_PROD, true), -1, "%zu", i);
		cr_expect_not_null(strstr(error, path), "%s", error);
		cr_expect_not_null(strstr(error, "0600"), "%s", error);
		cr_expect_eq(load_secret(CONFIG_PROD, false), -1, "%zu", i);
		cr_expect_eq(load_secret(CONFIG_DEV, true), 0, "%s", error);
		cr_expect_eq(warnings, 1);
		cr_expect_not_null(strstr(warning, path), "%s", warning);
	}
	cr_assert_eq(chmod(path, 0600), 0);
	cr_expect_eq(load_secret(CONFIG_PROD, true), 0, "%s", error);
	cr_expect_eq(warnings, 0, "%s", warning);
	cr_assert_eq(chmod(path, 0400), 0);
	cr_expect_eq(load_secret(CONFIG_PROD, true), 0, "%s", error);
}

Test(secret, a_strangers_kept_secret_ends_the_start_in_production)
{
	if (geteuid() != 0) {
		tear_down();
		cr_skip_test("only root can give files away");
	}
	(void)snprintf(path, sizeof(path), "%s/jwt_secret", folder);
	put_file(KEPT, sizeof(KEPT) - 1);
	cr_assert_eq(chmod(path, 0600), 0);
	cr_expect_eq(load_secret(CONFIG_PROD, true), 0, "%s", error);
	cr_assert_eq(chown(path, 65534, 65534), 0);
	cr_expect_eq(load_secret(CONFIG_PROD, true), -1);
	cr_expect_not_null(strstr(error, "another user"), "%s", error);
	cr_expect_eq(load_secret(CONFIG_DEV, true), 0, "%s", error);
	cr_expect_eq(warnings, 1);
	cr_assert_eq(chown(folder, 65534, 65534), 0);
	cr_assert_eq(seteuid(65534), 0);
	cr_expect_eq(load_secret(CONFIG_PROD, true), 0, "%s", error);
	cr_assert_eq(seteuid(0), 0);
}

Test(secret, a_kept_secret_is_neither_link_nor_pipe_anywhere, .timeout = 20)
{
	static const enum config_flavor flavors[] = {CONFIG_DEV, CONFIG_PROD};
	char kept[PATH_MAX + 16];
	size_t i;

	put_file(KEPT, sizeof(KEPT) - 1);
	cr_assert_eq(chmod(path, 0600), 0);
	(void)snprintf(kept, sizeof(kept), "%s/jwt_secret", folder);
	for (i = 0; i < 2; i++) {
		cr_assert_eq(symlink(path, kept), 0);
		cr_expect_eq(load_secret(flavors[i], true), -1);
		cr_expect_not_null(strstr(error, "symbolic link"), "%s", error);
		cr_assert_eq(unlink(kept), 0);
		cr_assert_eq(mkfifo(kept, 0600), 0);
		cr_expect_eq(load_secret(flavors[i], true), -1);
		cr_expect_not_null(strstr(error, "regular file"), "%s", error);
		cr_assert_eq(unlink(kept), 0);
	}
	cr_assert_eq(rename(path, kept), 0);
	cr_expect_eq(load_secret(CONFIG_PROD, true), 0, "%s", error);
}

Test(secret, a_data_folder_that_others_may_write_is_warned_of_once)
{
	static const mode_t modes[] = {0770, 0702};
	size_t i;

	(void)snprintf(path, sizeof(path), "%s/jwt_secret", folder);
	put_file(KEPT, sizeof(KEPT) - 1);
	cr_assert_eq(chmod(path, 0600), 0);
	for (i = 0; i < 2; i++) {
		cr_assert_eq(chmod(folder, modes[i]), 0);
		cr_expect_eq(load_secret(CONFIG_PROD, true), 0, "%s", error);
		cr_expect_eq(warnings, 1);
		cr_expect_not_null(strstr(warning, folder), "%s", warning);
	}
	cr_assert_eq(chmod(folder, 0755), 0);
	cr_expect_eq(load_secret(CONFIG_PROD, true), 0, "%s", error);
	cr_expect_eq(warnings, 0, "%s", warning);
}

/* The first vectors of SipHash's authors for the key 00 01 ... 0f. */
Test(secret, the_long_hash_is_siphash_2_4_128)
{
	static const uint8_t data[] = {0},
			     none[] = {0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8,
				 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02,
				 0x93},
			     one[] = {0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf,
				 0x44, 0x34, 0x76, 0x59, 0x11, 0x9b, 0x22, 0xfc,
				 0x45};
	uint8_t key[SECRET_HASH_KEY_LEN];
	uint64_t out[2];
	size_t i;

	for (i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	secret_hash128(key, data, 0, out);
	cr_expect_arr_eq((uint8_t *)out, none, sizeof(none));
	secret_hash128(key, data, 1, out);
	cr_expect_arr_eq((uint8_t *)out, one, sizeof(one));
}

/* The example of FIPS 180-2, appendix B.1. */
Test(secret, the_digest_is_sha_256)
{
	static const uint8_t want[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf,
	    0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03,
	    0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2,
	    0x00, 0x15, 0xad};
	uint8_t digest[SECRET_DIGEST_LEN];

	secret_digest("abc", 3, digest);
	cr_expect_arr_eq(digest, want, sizeof(want));
}
