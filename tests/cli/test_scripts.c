/*
 * What `make dev` and `make run` do with the environment. Programs of the
 * test's own stand in for kodev, kore and curl; they tell what they are given.
 */
#include "ctl.h"

#include <sys/stat.h>

#include <unistd.h>

#define STUB_KODEV                                                             \
	"#!/bin/sh\n"                                                          \
	"pwd\n"                                                                \
	"echo \"flavour $KORE_BUILD_FLAVOR, $*\"\n"                            \
	"echo \"data ${CORGI_DATA_DIR-none} ${CORGI_DATA_DIR_FILE-none}\"\n"   \
	"echo \"key ${JWT_SECRET_KEY_FILE-none}\"\n"

/* The banner is printed after curl has had its answer. */
#define STUB_KORE                                                              \
	"#!/bin/sh\n"                                                          \
	"i=0\n"                                                                \
	"while [ ! -e asked ] && [ $i -lt 100 ]; do\n"                         \
	"\tsleep 0.1; i=$((i + 1))\n"                                          \
	"done\n"
#define STUB_CURL "#!/bin/sh\n: >asked\n"

static void set_up(void);
static void stub(const char *, const char *);
static struct run_result script(const char *);

static char path_entry[SERVER_PATH_MAX + 64];

TestSuite(scripts, .init = set_up, .fini = ctl_tear_down, .timeout = 60);

static void
set_up(void)
{
	char path[SERVER_PATH_MAX + 32];

	ctl_set_up();
	(void)snprintf(path_entry, sizeof(path_entry),
	    "PATH=%s/bin:/usr/bin:/bin", ctl_folder);
	ctl_env[0] = path_entry;
	ctl_env[1] = NULL;
	(void)snprintf(path, sizeof(path), "%s/bin", ctl_folder);
	cr_assert_eq(mkdir(path, 0700), 0);
	stub("kodev", STUB_KODEV);
	stub("kore", STUB_KORE);
	stub("curl", STUB_CURL);
	(void)snprintf(path, sizeof(path), "%s/build", ctl_folder);
	cr_assert_eq(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/build/corgi", ctl_folder);
	cr_assert_eq(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/conf", ctl_folder);
	cr_assert_eq(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/conf/corgi.conf", ctl_folder);
	file_write(path, "# empty\n", 8);
}

static void
stub(const char *name, const char *text)
{
	char path[SERVER_PATH_MAX + 32];

	(void)snprintf(path, sizeof(path), "%s/bin/%s", ctl_folder, name);
	file_write(path, text, strlen(text));
	cr_assert_eq(chmod(path, 0700), 0);
}

/* Run a line of shell in the test's folder; $S is the folder of scripts. */
static struct run_result
script(const char *line)
{
	char command[3 * SERVER_PATH_MAX];
	const char *const argv[] = {"/bin/sh", "-c", command, NULL};

	(void)snprintf(command, sizeof(command),
	    "S='%s/scripts'; cd '%s' && %s", corgi_root(), ctl_folder, line);
	return (run_program(argv, ctl_env, NULL, 0));
}

Test(scripts, dev_takes_the_data_folder_of_the_checkout)
{
	char expected[2 * SERVER_PATH_MAX];
	struct stat st;

	(void)snprintf(
	    expected, sizeof(expected), "data %s/data none", ctl_folder);
	ctl_expect_of(script("\"$S/dev\" build"), 0, expected, __LINE__);
	cr_assert_eq(stat(ctl_data, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0700);
	ctl_expect_of(
	    script("\"$S/dev\" build"), 0, "flavour dev, run\n", __LINE__);
	(void)snprintf(
	    expected, sizeof(expected), "%s/build/corgi\n", ctl_folder);
	ctl_expect_of(script("\"$S/dev\" build"), 0, expected, __LINE__);
}

Test(scripts, dev_takes_a_relative_folder_from_the_checkout)
{
	char expected[2 * SERVER_PATH_MAX];

	(void)snprintf(
	    expected, sizeof(expected), "data %s/mydata none", ctl_folder);
	ctl_expect_of(script("CORGI_DATA_DIR=mydata \"$S/dev\" build"), 0,
	    expected, __LINE__);
	ctl_expect_of(script("echo mydata >f; CORGI_DATA_DIR_FILE=f "
			     "\"$S/dev\" build"),
	    0, expected, __LINE__);
	ctl_expect_of(script("CORGI_DATA_DIR=/ \"$S/dev\" build"), 0, "data / ",
	    __LINE__);
	ctl_expect_of(script("CORGI_DATA_DIR_FILE=gone \"$S/dev\" build"), 1,
	    "CORGI_DATA_DIR_FILE cannot be read", __LINE__);
	(void)snprintf(expected, sizeof(expected), "key %s/s.key", ctl_folder);
	ctl_expect_of(script("JWT_SECRET_KEY_FILE=s.key \"$S/dev\" build"), 0,
	    expected, __LINE__);
}

Test(scripts, dev_refuses_what_belongs_to_run)
{
	static const char *const names[] = {
	    "PORT", "BIND", "WORKERS", "DATA_DIR"};
	char line[64];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(line, sizeof(line), "%s=1 \"$S/dev\"", names[i]);
		ctl_expect_of(script(line), 1, names[i], __LINE__);
		ctl_expect_of(script(line), 1, "make run takes them", __LINE__);
		(void)snprintf(
		    line, sizeof(line), "%s=1 \"$S/dev\" build", names[i]);
		ctl_expect_of(script(line), 1, names[i], __LINE__);
	}
	ctl_expect_of(script("\"$S/dev\""), 0, "", __LINE__);
}

Test(scripts, run_tells_how_to_add_an_account_in_either_flavour)
{
	char expected[2 * SERVER_PATH_MAX], line[128];

	(void)snprintf(expected, sizeof(expected),
	    "CORGI_DATA_DIR='%s/data' build/corgictl user add NAME\n",
	    ctl_folder);
	(void)snprintf(line, sizeof(line),
	    "rm -f asked; PORT=%d WORKERS=1 \"$S/run\" build dev", free_port());
	ctl_expect_of(script(line), 0, expected, __LINE__);
	ctl_expect_of(script(line), 0, "cosmo / space-corgi", __LINE__);
	(void)snprintf(line, sizeof(line),
	    "rm -f asked; PORT=%d WORKERS=1 \"$S/run\" build prod",
	    free_port());
	ctl_expect_of(script(line), 0, expected, __LINE__);
}
