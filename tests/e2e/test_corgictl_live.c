/*
 * corgictl beside a running service: what it ends is refused by every worker
 * once it returns.
 */
#include "../cli/ctl_store.h"

#include <unistd.h>

#include "http.h"
#include "server.h"
#include "suite.h"

#define WORKERS 2

/* Requests after a change: with two workers none is left out. */
#define ROUNDS 20

/* A service and two accounts on it, each with a token. */
struct scene {
	struct server *server;
	int port;
	char *token;   /* of cosmo, whom things happen to */
	char *witness; /* of laika, who goes on */
};

static void enter(struct scene *, const char *const *);
static void leave(struct scene *);
static char *log_in(const struct scene *, const char *, const char *);
static int try_log_in(const struct scene *, const char *, const char *);
static void
expect_everywhere(const struct scene *, const char *, const char *, int);

TestSuite(ctl_live, .init = ctl_set_up, .fini = ctl_tear_down, .timeout = 120);

static void
enter(struct scene *scene, const char *const *environment)
{
	const struct server_options options = {.environment = environment,
	    .data_dir = ctl_data,
	    .workers = WORKERS};

	ctl_add("cosmo", "space-corgi\n");
	ctl_add("laika", "space-corgi\n");
	scene->server = server_start(&options);
	scene->port = server_port(scene->server);
	scene->token = log_in(scene, "cosmo", CTL_PASSWORD);
	scene->witness = log_in(scene, "laika", CTL_PASSWORD);
	expect_everywhere(scene, "cosmo", scene->token, 200);
	expect_everywhere(scene, "laika", scene->witness, 200);
}

static void
leave(struct scene *scene)
{
	free(scene->token);
	free(scene->witness);
	server_stop(scene->server);
}

static char *
log_in(const struct scene *scene, const char *name, const char *password)
{
	char body[256];

	(void)snprintf(body, sizeof(body),
	    "{\"username\":\"%s\",\"password\":\"%s\"}", name, password);
	return (http_token_for(scene->port, body));
}

static int
try_log_in(const struct scene *scene, const char *name, const char *password)
{
	char body[256];

	(void)snprintf(body, sizeof(body),
	    "{\"username\":\"%s\",\"password\":\"%s\"}", name, password);
	return (http_login(scene->port, body, NULL));
}

/* Every request on a connection of its own, so that every worker is met. */
static void
expect_everywhere(const struct scene *scene, const char *what,
    const char *token, int expected)
{
	char request[8192];
	struct raw_response response;
	struct raw *raw;
	int i;

	(void)snprintf(request, sizeof(request),
	    "GET /protected HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
	    "Authorization: Bearer %s\r\n\r\n",
	    token);
	for (i = 0; i < ROUNDS; i++) {
		raw = raw_connect(scene->port);
		cr_assert(raw_send_text(raw, request));
		(void)raw_read(raw, false, &response);
		cr_expect_eq(response.status, expected, "%s: %d: %s", what,
		    response.status, response.body);
		raw_response_free(&response);
		raw_close(raw);
	}
}

Test(ctl_live, every_change_is_in_force_when_corgictl_returns)
{
	static const char *const rows[][3] = {
	    {"roles", "cosmo", "admin"},
	    {"revoke", "cosmo", "--yes"},
	    {"passwd", "cosmo", NULL},
	    {"disable", "cosmo", NULL},
	    {"delete", "cosmo", "--yes"},
	};
	struct scene scene;
	struct run_result r;
	size_t i;

	enter(&scene, NULL);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		free(scene.token);
		(void)ctl_status("user", "enable", "cosmo");
		scene.token = log_in(&scene, "cosmo", CTL_PASSWORD);
		expect_everywhere(&scene, rows[i][0], scene.token, 200);
		r = ctl_input(CTL_PASSWORD "\n", sizeof(CTL_PASSWORD), "user",
		    rows[i][0], rows[i][1], rows[i][2], NULL);
		ctl_expect_of(r, 0, "", __LINE__);
		expect_everywhere(&scene, rows[i][0], scene.token, 401);
		expect_everywhere(&scene, "witness", scene.witness, 200);
	}
	leave(&scene);
}

Test(ctl_live, enabling_lets_in_at_once_and_only_anew)
{
	struct scene scene;
	char *token;

	enter(&scene, NULL);
	cr_expect_eq(ctl_status("user", "disable", "cosmo"), 0);
	cr_expect_eq(try_log_in(&scene, "cosmo", CTL_PASSWORD), 401);
	cr_expect_eq(ctl_status("user", "enable", "cosmo"), 0);
	token = log_in(&scene, "cosmo", CTL_PASSWORD);
	expect_everywhere(&scene, "new", token, 200);
	expect_everywhere(&scene, "old", scene.token, 401);
	free(token);
	leave(&scene);
}

Test(ctl_live, one_session_ends_and_the_other_goes_on)
{
	struct scene scene;
	const char *id;
	size_t len;
	char *token;
	jdoc *list;

	enter(&scene, NULL);
	list = ctl_json("user", "sessions", "cosmo", "--json");
	cr_assert_eq(jdoc_count(list), 1);
	id = jdoc_string(jdoc_member(jdoc_element(list, 0), "id"), &len);
	cr_assert_not_null(id);
	cr_expect(ctl_member_is(jdoc_element(list, 0), "client", "127.0.0.1"));
	token = log_in(&scene, "cosmo", CTL_PASSWORD);
	cr_expect_eq(ctl_status("user", "revoke", "cosmo", id, "--yes"), 0);
	expect_everywhere(&scene, "ended", scene.token, 401);
	expect_everywhere(&scene, "other", token, 200);
	jdoc_free(list);
	free(token);
	leave(&scene);
}

Test(ctl_live, a_renamed_account_keeps_its_tokens)
{
	struct scene scene;

	enter(&scene, NULL);
	cr_expect_eq(ctl_status("user", "rename", "cosmo", "astro"), 0);
	expect_everywhere(&scene, "renamed", scene.token, 200);
	cr_expect_eq(try_log_in(&scene, "cosmo", CTL_PASSWORD), 401);
	cr_expect_eq(try_log_in(&scene, "astro", CTL_PASSWORD), 200);
	leave(&scene);
}

Test(ctl_live, an_import_that_updates_is_in_force_too)
{
	static const char line[] =
	    "{\"username\":\"cosmo\",\"hash\":\"" CTL_HASH "\"}\n";
	struct scene scene;
	struct run_result r;

	enter(&scene, NULL);
	r = ctl_input(line, sizeof(line) - 1, "user", "import", "-",
	    "--on-exists=update", NULL);
	ctl_expect_of(r, 0, "1 updated", __LINE__);
	expect_everywhere(&scene, "updated", scene.token, 401);
	expect_everywhere(&scene, "witness", scene.witness, 200);
	cr_expect_eq(try_log_in(&scene, "cosmo", "correct horse"), 200);
	leave(&scene);
}

Test(ctl_live, failed_logins_are_listed_and_forgotten)
{
	static const char *const environment[] = {
	    "CORGI_THROTTLE_ACCOUNT=3", "CORGI_THROTTLE_ADDRESS=200", NULL};
	struct scene scene;
	jdoc *list;
	int i, status = 0;

	enter(&scene, environment);
	for (i = 0; i < 10 && status != 429; i++)
		status = try_log_in(&scene, "cosmo", "wrong-corgi");
	cr_expect_eq(status, 429);
	list = ctl_json("throttle", "list", "--json");
	cr_expect_eq(jdoc_count(list), 2);
	jdoc_free(list);
	ctl_expect(0, "cosmo", "throttle", "list");
	ctl_expect(0, "127.0.0.1", "throttle", "list");
	ctl_expect(1, "no address", "throttle", "clear", "--address", "x");
	cr_expect_eq(ctl_status("throttle", "clear", "cosmo"), 0);
	cr_expect_eq(try_log_in(&scene, "cosmo", CTL_PASSWORD), 200);
	cr_expect_eq(ctl_status("throttle", "clear", "--all"), 0);
	list = ctl_json("throttle", "list", "--json");
	cr_expect_eq(jdoc_count(list), 0);
	jdoc_free(list);
	leave(&scene);
}
