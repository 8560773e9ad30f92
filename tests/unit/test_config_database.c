/*
 * CORGI_DATABASE: a file in the data folder or elsewhere, or an address that
 * is not looked into here; and no word of it in a refusal.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/config.h"

static void tear_down(void);
static const char *where(const char *);
static void expect_refused(const char *);

static struct config c;
static char error[CONFIG_ERROR_MAX];

TestSuite(config_database, .fini = tear_down);

static void
tear_down(void)
{
	config_free(&c);
}

/* Where the database is under one setting. */
static const char *
where(const char *setting)
{
	const char *const environment[] = {setting, NULL};
	static char out[CONFIG_DATABASE_MAX];

	config_free(&c);
	cr_assert_eq(
	    config_load((char *const *)environment, CONFIG_PROD, &c, error), 0,
	    "%s: %s", setting, error);
	cr_assert_eq(config_database(&c, "/folder", out), 0);
	return (out);
}

static void
expect_refused(const char *setting)
{
	const char *const environment[] = {setting, NULL};

	config_free(&c);
	cr_assert_eq(
	    config_load((char *const *)environment, CONFIG_PROD, &c, error), -1,
	    "%s", setting);
	cr_expect_eq(
	    strncmp(error, "CORGI_DATABASE names no database; allowed: ", 43),
	    0, "%s", error);
	cr_expect_null(strstr(error, "s3cret"), "%s", error);
}

Test(config_database, a_file_is_in_the_data_folder_unless_its_path_is_whole)
{
	cr_expect_str_eq(where("HOME=/"), "sqlite:/folder/corgi.db");
	cr_expect_str_eq(where("CORGI_DATABASE=sqlite:sub/other.db"),
	    "sqlite:/folder/sub/other.db");
	cr_expect_str_eq(where("CORGI_DATABASE=sqlite:/elsewhere/a.db"),
	    "sqlite:/elsewhere/a.db");
}

Test(config_database, the_address_of_a_server_stays_as_it_is)
{
	static const char *const urls[] = {"postgresql://h/d",
	    "postgres://u:p%40@h1:5432,h2/d?sslmode=verify-full",
	    "postgresql:///d?host=/run/postgresql"};
	char path[] = "/tmp/corgi-config-XXXXXX", entry[128];
	size_t i;
	int fd;

	cr_assert_neq(fd = mkstemp(path), -1);
	for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		(void)snprintf(
		    entry, sizeof(entry), "CORGI_DATABASE=%s", urls[i]);
		cr_expect_str_eq(where(entry), urls[i]);
		cr_assert_eq(ftruncate(fd, 0), 0);
		cr_assert_eq(dprintf(fd, "%s\n", urls[i]) > 0, 1);
		cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
		(void)snprintf(
		    entry, sizeof(entry), "CORGI_DATABASE_FILE=%s", path);
		cr_expect_str_eq(where(entry), urls[i]);
	}
	(void)close(fd);
	(void)unlink(path);
}

Test(config_database, what_is_neither_is_refused_without_being_repeated)
{
	static const char *const bad[] = {"CORGI_DATABASE=corgi.db",
	    "CORGI_DATABASE=sqlite:", "CORGI_DATABASE=postgresql://",
	    "CORGI_DATABASE=postgresql:/h/d", "CORGI_DATABASE=mysql://s3cret/d",
	    "CORGI_DATABASE=SQLITE:a", "CORGI_DATABASE=host=h password=s3cret"};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect_refused(bad[i]);
}

Test(config_database, a_path_that_does_not_fit_is_told)
{
	char entry[CONFIG_DATABASE_MAX + 32], out[CONFIG_DATABASE_MAX];
	const char *const environment[] = {entry, NULL};

	(void)snprintf(entry, sizeof(entry), "CORGI_DATABASE=sqlite:%0*d",
	    CONFIG_DATABASE_MAX - 8, 0);
	cr_assert_eq(
	    config_load((char *const *)environment, CONFIG_PROD, &c, error), 0,
	    "%s", error);
	cr_expect_eq(config_database(&c, "/folder", out), -1);
}

/* A server that is well is silent for a second. */
Test(config_database, a_silence_that_means_nothing_is_no_limit)
{
	static const char *const good[] = {"CORGI_DATABASE_SILENCE=0",
	    "CORGI_DATABASE_SILENCE=3", "CORGI_DATABASE_SILENCE=3600"};
	static const char *const bad[] = {"CORGI_DATABASE_SILENCE=1",
	    "CORGI_DATABASE_SILENCE=2", "CORGI_DATABASE_SILENCE=3601",
	    "CORGI_DATABASE_SILENCE=-1"};
	const char *environment[2] = {NULL, NULL};
	size_t i;

	(void)where("HOME=/");
	cr_expect_eq(c.database_silence, 10);
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		(void)where(good[i]);
	cr_expect_eq(c.database_silence, 3600);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		environment[0] = bad[i];
		config_free(&c);
		cr_expect_eq(config_load((char *const *)environment,
				 CONFIG_PROD, &c, error),
		    -1, "%s", bad[i]);
		cr_expect_not_null(
		    strstr(error, "allowed: 0 (go on), or 3 to 3600"), "%s",
		    error);
	}
}
