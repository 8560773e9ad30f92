/*
 * The service with its accounts on a PostgreSQL server: by name, with TLS and a
 * password, from within the workers' sandbox. (What it answers does not depend
 * on where the accounts are: the other suites run on both.)
 */
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "check.h"
#include "database.h"
#include "http.h"
#include "sess.h"
#include "suite.h"
#include "tok.h"

/* A password with all that an address could trip over, and as it is written
 * in one. */
#define PASSWORD         "s3cr:t@/?%"
#define PASSWORD_WRITTEN "s3cr%3At%40%2F%3F%25"

static void begin(void);
static void end(void);
static struct server *start(const char *);
static void expect_quiet(const struct server *);
static bool alone_in_the_network(void);

TestSuite(postgresql, .init = begin, .fini = end, .timeout = 120);

/* The folder that the test's database goes with, and a role for it. */
static char *folder;
static char role[32];

static void
begin(void)
{
	database_need_server();
	folder = scratch_new();
	(void)snprintf(role, sizeof(role), "e2e_role_%d", (int)getpid());
	database_role(folder, role, PASSWORD);
}

static void
end(void)
{
	if (folder == NULL)
		return;
	scratch_free(folder);
	database_role_drop(role);
}

static struct server *
start(const char *database)
{
	const char *env[] = {"JWT_SECRET_KEY=" TOK_SECRET, database, NULL};
	struct server_options options;

	memset(&options, 0, sizeof(options));
	options.environment = env;
	options.data_dir = folder;
	options.workers = 2;
	return (server_start(&options));
}

/* Nothing that was written holds the password, as it is or as it was given. */
static void
expect_quiet(const struct server *s)
{
	char *log = server_log(s);

	cr_expect(strstr(log, PASSWORD) == NULL, "%s", log);
	cr_expect(strstr(log, PASSWORD_WRITTEN) == NULL, "%s", log);
	free(log);
}

Test(postgresql, is_reached_by_name_with_tls_and_a_password)
{
	char *host = database_parameter("host"), *options, *database;
	struct server *s;
	struct pair pair;

	options = text_of(
	    "?sslmode=verify-full&sslrootcert=%s/data/server.crt", host);
	database = database_setting(
	    folder, role, PASSWORD_WRITTEN, "localhost", options);
	s = start(database);
	cr_expect(http_get(server_port(s), "/ready", NULL, NULL) == 200);
	pair = pair_demo(server_port(s));
	cr_expect(pair_refresh(server_port(s), pair.refresh, NULL) == 200);
	pair_free(&pair);
	expect_quiet(s);
	server_stop(s);
	free(database);
	free(options);
	free(host);
}

Test(postgresql, is_named_by_a_file_as_well)
{
	char *database =
	    database_setting(folder, role, PASSWORD_WRITTEN, "127.0.0.1", "");
	char *path = text_of("%s.url", folder), *setting;
	const char *text = strchr(database, '=') + 1;
	struct server *s;

	file_write(path, text, strlen(text));
	setting = text_of("CORGI_DATABASE_FILE=%s", path);
	s = start(setting);
	cr_expect(sess_login(server_port(s), DEMO_USER, DEMO_PASSWORD) == 200);
	expect_quiet(s);
	server_stop(s);
	cr_assert(unlink(path) == 0);
	free(setting);
	free(path);
	free(database);
}

/* What will not be better in a moment ends the start. */
Test(postgresql, a_server_that_refuses_keeps_the_service_from_starting)
{
	char *wrong =
	    database_setting(folder, role, "s3cret-but-wrong", "127.0.0.1", "");
	char *broken =
	    database_setting(folder, role, "s3c@ret", "127.0.0.1", "");
	char *right =
	    database_setting(folder, role, PASSWORD_WRITTEN, "127.0.0.1", "");
	const char *env[] = {"JWT_SECRET_KEY=" TOK_SECRET, wrong, NULL};
	struct server_options options;
	struct server *s;
	char *sql;

	memset(&options, 0, sizeof(options));
	options.environment = env;
	options.data_dir = folder;
	server_expect_refusal_quiet("wrong password", &options,
	    "s3cret-but-wrong", "password authentication failed", NULL);
	env[1] = broken;
	server_expect_refusal_quiet("an address that is none", &options, "ret@",
	    "%40 stands for @", NULL);
	env[1] = right;
	s = start(right);
	server_stop(s);
	free(database_query(
	    folder, "INSERT INTO corgi.schema_migrations VALUES (99, 1)"));
	server_expect_refusal_quiet(
	    "a newer schema", &options, PASSWORD, "schema version 99", NULL);
	free(database_query(
	    folder, "DELETE FROM corgi.schema_migrations WHERE version = 99"));
	sql = text_of("ALTER TABLE corgi.users OWNER TO postgres");
	free(database_query(folder, sql));
	free(sql);
	server_expect_refusal_quiet(
	    "missing rights", &options, PASSWORD, "permission denied", NULL);
	free(wrong);
	free(broken);
	free(right);
}

/* A network of this test's own, with nothing in it but itself, where names are
 * looked for in vain. False where that may not be made. */
static bool
alone_in_the_network(void)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	char *names = text_of("%s.resolv", folder);
	char *hosts = text_of("%s.hosts", folder);
	static const char resolver[] =
	    "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n";
	static const char several[] =
	    "127.0.0.1 localhost\n127.0.0.1 several\n::1 several\n";
	bool alone;
	int fd;

	file_write(names, resolver, strlen(resolver));
	file_write(hosts, several, strlen(several));
	alone = unshare(CLONE_NEWNET | CLONE_NEWNS) == 0 &&
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount(names, "/etc/resolv.conf", NULL, MS_BIND, NULL) == 0 &&
	    mount(hosts, "/etc/hosts", NULL, MS_BIND, NULL) == 0;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	alone = alone && ioctl(fd, SIOCSIFFLAGS, &lo) == 0;
	(void)close(fd);
	(void)unlink(names);
	(void)unlink(hosts);
	free(names);
	free(hosts);
	return (alone);
}

/* The search for an address asks the kernel for things of its own. */
Test(postgresql, a_name_that_has_to_be_looked_up_ends_no_worker)
{
	char *name = database_name(folder), *host = database_parameter("host");
	char *port = database_parameter("port"), *database;
	struct server *s;
	int i;

	if (!alone_in_the_network())
		cr_skip_test("no network of its own can be made here");
	database = text_of("CORGI_DATABASE=postgresql:///%s?user=postgres"
			   "&host=several,nowhere.invalid,%s&port=1,2,%s",
	    name, host, port);
	s = start(database);
	for (i = 0; i < 4; i++)
		cr_expect(sess_login(
			      server_port(s), DEMO_USER, DEMO_PASSWORD) == 200);
	cr_expect(http_get(server_port(s), "/ready", NULL, NULL) == 200);
	server_stop(s);
	free(database);
	free(port);
	free(host);
	free(name);
}
