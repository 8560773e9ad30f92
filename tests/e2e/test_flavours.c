/*
 * What the two builds begin with: the development one has an account to try
 * things with, the production one has none (row 29).
 */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "check.h"
#include "http.h"
#include "sess.h"
#include "suite.h"
#include "tok.h"

TestSuite(flavours, .timeout = 90);

static struct server *start(const char *, const char *);
static void expect_users(const struct server *, const char *);

static struct server *
start(const char *module, const char *folder)
{
	static const char *const env[] = {
	    "JWT_SECRET_KEY=" TOK_SECRET, "CORGI_THROTTLE_ADDRESS=0", NULL};
	struct server_options options = {
	    .environment = env, .module = module, .data_dir = folder};

	return (server_start(&options));
}

static void
expect_users(const struct server *s, const char *count)
{
	char *found = sess_query(s, "SELECT count(*) FROM users");

	cr_expect_str_eq(found, count);
	free(found);
}

/* Nothing that comes to anybody's mind, and nothing in the database. */
Test(flavours, production_begins_without_accounts)
{
	static const char *const guesses[][2] = {
	    {DEMO_USER, DEMO_PASSWORD},
	    {DEMO_USER, DEMO_USER},
	    {"admin", "admin"},
	    {"admin", "password"},
	    {"administrator", "administrator"},
	    {"root", "root"},
	    {"root", "toor"},
	    {"corgi", "corgi"},
	    {"demo", "demo"},
	    {"test", "test"},
	    {"user", "user"},
	    {"guest", "guest"},
	};
	struct server *s = start(corgi_module_prod(), NULL);
	int port = server_port(s), status;
	struct pair pair;
	char *log;
	size_t i;

	expect_users(s, "0");
	for (i = 0; i < sizeof(guesses) / sizeof(guesses[0]); i++) {
		status = sess_login(port, guesses[i][0], guesses[i][1]);
		cr_expect(status == 401, "%s: %d", guesses[i][0], status);
	}
	expect_users(s, "0");
	log = server_log(s);
	cr_expect(strstr(log, DEMO_USER) == NULL, "%s", log);
	free(log);
	/* Nobody can make one without being asked to. */
	cr_expect(
	    sess_ask(port, "POST", "/register", NULL, DEMO_LOGIN, NULL) == 404);
	/* It is no account that is missing, not the door. */
	cr_assert(
	    sess_ctl(s, "laika-in-orbit", "user", "add", "laika", NULL) == 0);
	pair = pair_login(port, "laika", "laika-in-orbit");
	cr_expect(http_get_token(port, "/protected", pair.access, NULL) == 200);
	pair_free(&pair);
	server_stop(s);
}

/* Row 12. The same secret with one byte more is taken. */
Test(flavours, production_refuses_a_short_secret)
{
	static const char *const secrets[] = {
	    "JWT_SECRET_KEY=0123456789abcdef0123456789abcde",
	    "JWT_SECRET_KEY=0123456789abcdef0123456789abcdef"};
	const char *env[] = {secrets[0], NULL};
	struct server_options options = {
	    .environment = env, .module = corgi_module_prod()};
	struct server *s;

	server_expect_refusal_quiet("31 bytes", &options,
	    strchr(secrets[0], '=') + 1, "JWT_SECRET_KEY", "32", NULL);
	env[0] = secrets[1];
	s = server_start(&options);
	cr_expect(http_get(server_port(s), "/protected", NULL, NULL) == 401);
	server_stop(s);
}

Test(flavours, development_has_its_account_in_an_empty_folder_alone)
{
	char *folder = scratch_new();
	struct server *s = start(NULL, folder);

	cr_expect(sess_login(server_port(s), DEMO_USER, DEMO_PASSWORD) == 200);
	cr_expect(server_log_wait(s, "development build", 2000));
	expect_users(s, "1");
	cr_assert(
	    sess_ctl(s, "laika-in-orbit", "user", "add", "laika", NULL) == 0);
	cr_assert(
	    sess_ctl(s, NULL, "user", "delete", DEMO_USER, "--yes", NULL) == 0);
	server_stop(s);
	s = start(NULL, folder);
	cr_expect(sess_login(server_port(s), DEMO_USER, DEMO_PASSWORD) == 401);
	cr_expect(sess_login(server_port(s), "laika", "laika-in-orbit") == 200);
	expect_users(s, "1");
	server_stop(s);
	scratch_free(folder);
}
