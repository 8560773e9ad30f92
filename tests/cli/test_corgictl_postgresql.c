/*
 * corgictl with the accounts on a PostgreSQL server: the same words, nothing
 * made before it has to be, and no password in what it says.
 */
#include "ctl.h"

#include "database.h"

static void begin(void);
static void end(void);
static bool has_tables(void);

TestSuite(ctl_postgresql, .init = begin, .fini = end, .timeout = 60);

static char database[SERVER_PATH_MAX];

static void
begin(void)
{
	if (getenv("TEST_POSTGRESQL") == NULL)
		cr_skip_test("no server: see scripts/postgresql");
	(void)setenv("TEST_STORE", "postgresql", 1);
	ctl_set_up();
	(void)snprintf(database, sizeof(database), "CORGI_DATABASE=%s",
	    database_of(ctl_folder));
	ctl_env[2] = database;
}

static void
end(void)
{
	if (ctl_folder != NULL)
		ctl_tear_down();
}

static bool
has_tables(void)
{
	char *count = database_query(ctl_folder,
	    "SELECT count(*) FROM pg_namespace WHERE nspname = 'corgi'");
	bool has = strcmp(count, "0") != 0;

	free(count);
	return (has);
}

Test(ctl_postgresql, nothing_is_made_before_there_is_an_account_to_keep)
{
	ctl_expect(1, "no accounts in this database yet", "user", "list");
	ctl_expect_of(ctl_input("short", 5, "user", "add", "cosmo", NULL), 1,
	    "", __LINE__);
	ctl_expect_of(ctl_input("{\"name\":\"a\",\"hash\":\"x\"}\n", 23, "user",
			  "import", "--dry-run", "-", NULL),
	    1, "", __LINE__);
	cr_expect_not(has_tables());
	ctl_add("cosmo", "space-corgi\n");
	cr_expect(has_tables());
	ctl_expect(0, "cosmo", "user", "list");
}

Test(ctl_postgresql, accounts_live_as_they_do_in_a_file)
{
	struct run_result dump;

	ctl_add("cosmo", "space-corgi\n");
	ctl_expect_of(
	    ctl_input("space-corgi\n", 12, "user", "add", "cosmo", NULL), 4,
	    "already", __LINE__);
	ctl_expect(0, "", "user", "disable", "cosmo");
	ctl_expect(0, "disabled", "user", "list");
	ctl_expect(0, "", "user", "enable", "cosmo");
	ctl_expect(0, "", "user", "rename", "cosmo", "laika");
	ctl_expect(3, "no account", "user", "disable", "cosmo");
	ctl_expect(0, "", "user", "revoke", "laika", "--yes");
	dump = ctl_input(NULL, 0, "user", "export", "-", NULL);
	cr_expect_eq(dump.status, 0, "%s", dump.out);
	ctl_expect_of(ctl_input(dump.out, dump.out_len, "user", "import", "-",
			  "--on-exists", "skip", NULL),
	    0, "1 there already", __LINE__);
	ctl_expect(0, "laika", "user", "list");
	ctl_expect(0, "", "user", "delete", "laika", "--yes");
	ctl_expect(3, "no account", "user", "enable", "laika");
	run_free(&dump);
}

Test(ctl_postgresql, an_address_is_judged_without_being_repeated)
{
	struct run_result r;

	ctl_expect(0, "(set)", "config");
	ctl_env[2] = "CORGI_DATABASE=postgresql://u:s3@cret@127.0.0.1/d";
	r = ctl_input(NULL, 0, "user", "list", NULL);
	cr_expect_eq(r.status, 1);
	cr_expect_not_null(strstr(r.out, "%40"), "%s", r.out);
	cr_expect_null(strstr(r.out, "cret"), "%s", r.out);
	run_free(&r);
	ctl_env[2] = "CORGI_DATABASE=postgresql://u:s3cret@127.0.0.1:1/d";
	r = ctl_input(NULL, 0, "user", "list", NULL);
	cr_expect_eq(r.status, 1);
	cr_expect_not_null(strstr(r.out, "cannot be reached"), "%s", r.out);
	cr_expect_null(strstr(r.out, "s3cret"), "%s", r.out);
	run_free(&r);
}
