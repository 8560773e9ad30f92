/*
 * What `make dev` and `make run` do with the environment, and what an
 * installation leaves behind. Programs of the test's own stand in for kodev,
 * kore, curl and those that install; they tell what they are given.
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

/* For scripts/install: R is the machine, "done" tells that all is installed,
 * and "calls" what was called. The package brings nginx's unit. */
#define STUB_QUERY "#!/bin/sh\n[ ! -e done ] || echo installed\n"
#define STUB_ID    "#!/bin/sh\necho 0\n"
#define STUB_APT                                                               \
	"#!/bin/sh\n"                                                          \
	"case \" $* \" in *\" install \"*) ;; *) exit 0 ;; esac\n"             \
	"R/usr/sbin/policy-rc.d nginx start\n"                                 \
	"echo \"policy $?\" >>calls\n"                                         \
	": >R/lib/systemd/system/nginx.service\n"                              \
	"[ ! -e kill ] || kill -TERM $PPID\n"                                  \
	"[ ! -e fail ] || { echo 'E: no luck'; exit 100; }\n"                  \
	": >done\n"
#define STUB_SYSTEMCTL "#!/bin/sh\necho \"systemctl $*\" >>calls\n"
#define INSTALL        "INSTALL_ROOT=R \"$S/install\" test"
#define OWN_POLICY     "#!/bin/sh\nexit 7\n"

static void set_up(void);
static void set_up_install(void);
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

TestSuite(
    install, .init = set_up_install, .fini = ctl_tear_down, .timeout = 60);

static void
set_up_install(void)
{
	set_up();
	stub("dpkg-query", STUB_QUERY);
	stub("id", STUB_ID);
	stub("apt-get", STUB_APT);
	stub("systemctl", STUB_SYSTEMCTL);
	ctl_expect_of(script("mkdir -p R/var/lib/dpkg R/usr/sbin "
			     "R/lib/systemd/system"),
	    0, "", __LINE__);
}

/* What starts daemons is told not to, and is not told for good. */
Test(install, nothing_is_started_now_or_with_the_machine)
{
	ctl_expect_of(
	    script(INSTALL), 0, "nginx is installed and off", __LINE__);
	ctl_expect_of(script("cat calls"), 0,
	    "policy 101\nsystemctl disable nginx.service\n", __LINE__);
	ctl_expect_of(script("ls R/usr/sbin | wc -l"), 0, "0\n", __LINE__);
}

Test(install, nothing_missing_touches_nothing)
{
	ctl_expect_of(script(": >done; " INSTALL), 0, "", __LINE__);
	ctl_expect_of(script("ls calls"), 2, "No such file", __LINE__);
}

Test(install, a_failure_leaves_nothing_behind_either)
{
	ctl_expect_of(script(": >fail; " INSTALL), 1, "(no luck)", __LINE__);
	ctl_expect_of(script("cat calls"), 0,
	    "policy 101\nsystemctl disable nginx.service\n", __LINE__);
	ctl_expect_of(script("ls R/usr/sbin | wc -l"), 0, "0\n", __LINE__);
}

Test(install, an_interruption_leaves_nothing_behind_either)
{
	ctl_expect_of(script(": >kill; " INSTALL), 143, "", __LINE__);
	ctl_expect_of(script("cat calls"), 0, "policy 101\n", __LINE__);
	ctl_expect_of(script("ls R/usr/sbin | wc -l"), 0, "0\n", __LINE__);
}

/* A machine's own policy, and a service that was there before, are nobody
 * else's business. */
Test(install, what_was_there_before_stays)
{
	ctl_expect_of(script("printf '" OWN_POLICY "' >R/usr/sbin/policy-rc.d; "
			     "chmod 755 R/usr/sbin/policy-rc.d; "
			     ": >R/lib/systemd/system/nginx.service; " INSTALL),
	    0, "", __LINE__);
	ctl_expect_of(script("cat calls R/usr/sbin/policy-rc.d"), 0,
	    "policy 7\n" OWN_POLICY, __LINE__);
	ctl_expect_of(script("! grep systemctl calls"), 0, "", __LINE__);
}

/* Of an installation that was killed with -9. */
Test(install, what_a_killed_one_left_goes)
{
	ctl_expect_of(
	    script("grep '^mark=' \"$S/install\" >m; . ./m; "
		   "echo \"$mark\" >R/usr/sbin/policy-rc.d; " INSTALL),
	    0, "", __LINE__);
	ctl_expect_of(script("cat calls"), 0, "policy 101\n", __LINE__);
	ctl_expect_of(script("ls R/usr/sbin | wc -l"), 0, "0\n", __LINE__);
}
