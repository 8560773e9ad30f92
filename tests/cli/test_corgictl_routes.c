/*
 * corgictl routes, health and the command line itself.
 */
#include "ctl.h"

#include <sys/socket.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <unistd.h>

#include "base/jdoc.h"
#include "base/version.h"

#define CONFIGURATION                                                          \
	"# route /commented handle_out\n"                                      \
	"authentication signed_in {\n"                                         \
	"\tauthentication_type request\n"                                      \
	"\tauthentication_value  access fresh \n"                              \
	"}\n"                                                                  \
	"domain * {\n"                                                         \
	"\troute /open handle_open\n"                                          \
	"\trestrict /open get head\n"                                          \
	"\troute\t/guarded\thandle_guarded\tsigned_in\n"                       \
	"}\n"

static const char *write_routes(const char *, const char *);
static int serve_once(const char *, pid_t *);
static void expect_health(const char *, int, const char *, int);

TestSuite(ctl_routes, .init = ctl_set_up, .fini = ctl_tear_down, .timeout = 60);

/* Write a file into the test's folder; its path, until the next call. */
static const char *
write_routes(const char *name, const char *text)
{
	static char path[SERVER_PATH_MAX + 32];

	(void)snprintf(path, sizeof(path), "%s/%s", ctl_folder, name);
	file_write(path, text, strlen(text));
	return (path);
}

Test(ctl_routes, every_route_is_listed_with_its_guard)
{
	const char *path = write_routes("kore.conf", CONFIGURATION);
	struct run_result r;

	r = ctl_input(NULL, 0, "routes", path, NULL);
	cr_expect_eq(r.status, 0, "%s", r.out);
	cr_expect_not_null(strstr(r.out,
			       "/open                get head     "
			       "handle_open            public\n"),
	    "%s", r.out);
	cr_expect_not_null(strstr(r.out,
			       "/guarded             (any)        "
			       "handle_guarded         "
			       "signed_in: access fresh\n"),
	    "%s", r.out);
	cr_expect_null(strstr(r.out, "commented"), "%s", r.out);
	run_free(&r);
}

Test(ctl_routes, json_says_the_same)
{
	const char *path = write_routes("kore.conf", CONFIGURATION);
	char error[JDOC_ERROR_MAX];
	const jdoc *open, *guarded;
	struct run_result r;
	jdoc *list;

	r = ctl_input(NULL, 0, "routes", path, "--json", NULL);
	cr_expect_eq(r.status, 0, "%s", r.out);
	list = jdoc_parse(r.out, r.out_len, 0, error);
	cr_assert_not_null(list, "%s", r.out);
	cr_assert_eq(jdoc_count(list), 2);
	open = jdoc_element(list, 0);
	guarded = jdoc_element(list, 1);
	cr_expect(jdoc_true(jdoc_member(open, "public")));
	cr_expect_eq(jdoc_count(jdoc_member(open, "methods")), 2);
	cr_expect_null(jdoc_member(open, "authentication"));
	cr_expect_not(jdoc_true(jdoc_member(guarded, "public")));
	cr_expect_str_eq(
	    jdoc_string(jdoc_member(guarded, "authentication"), NULL),
	    "signed_in");
	cr_expect_str_eq(
	    jdoc_string(jdoc_member(guarded, "value"), NULL), "access fresh");
	cr_expect_eq(jdoc_count(jdoc_member(guarded, "methods")), 0);
	jdoc_free(list);
	run_free(&r);
}

Test(ctl_routes, includes_are_followed)
{
	char text[2 * SERVER_PATH_MAX];

	(void)snprintf(text, sizeof(text), "include %s\n",
	    write_routes("routes.conf", CONFIGURATION));
	ctl_expect(0, "signed_in: access fresh", "routes",
	    write_routes("kore.conf", text));
}

Test(ctl_routes, a_guard_that_is_not_declared_is_a_failure_that_names_it)
{
	ctl_expect(1, "route /guarded", "routes",
	    write_routes("kore.conf",
		"domain * {\nroute /guarded handle_guarded signed_out\n}\n"));
	ctl_expect(1, "there is no route", "routes",
	    write_routes("kore.conf", "workers 2\n"));
}

Test(ctl_routes, a_file_that_cannot_be_read_is_a_failure_that_names_it)
{
	ctl_expect(
	    1, "/nonexistent/kore.conf", "routes", "/nonexistent/kore.conf");
	ctl_expect(1, "/nonexistent/routes.conf", "routes",
	    write_routes("kore.conf", "include /nonexistent/routes.conf\n"));
	ctl_expect(1, "", "routes", ctl_folder);
}

/* Answer one connection with a text in a process of its own; the port. */
static int
serve_once(const char *answer, pid_t *pid)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t len = sizeof(address);
	char request[1024];
	int listener, fd;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	cr_assert_neq(listener, -1);
	cr_assert_eq(
	    bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(listener, 1), 0);
	cr_assert_eq(
	    getsockname(listener, (struct sockaddr *)&address, &len), 0);
	if ((*pid = fork()) == 0) {
		(void)alarm(30);
		fd = accept(listener, NULL, NULL);
		len = (socklen_t)recv(fd, request, sizeof(request) - 1, 0);
		request[len] = '\0';
		if (strncmp(request, "GET /health HTTP/1.1\r\nHost: ", 28) != 0)
			_exit(1);
		while (answer == NULL)
			(void)pause();
		(void)send(fd, answer, strlen(answer), MSG_NOSIGNAL);
		_exit(0);
	}
	(void)close(listener);
	return (ntohs(address.sin_port));
}

static void
expect_health(const char *answer, int status, const char *text, int line)
{
	char port[16];
	pid_t pid;

	(void)snprintf(port, sizeof(port), "%d", serve_once(answer, &pid));
	ctl_expect_of(ctl_input(NULL, 0, "health", "--port", port, NULL),
	    status, text, line);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

Test(ctl_routes, only_200_is_healthy)
{
	expect_health("HTTP/1.1 200 OK\r\n\r\n", 0, "healthy", __LINE__);
	expect_health("HTTP/1.0 200 OK\r\n\r\n", 0, "healthy", __LINE__);
	expect_health("HTTP/1.1 503 Service Unavailable\r\n\r\n", 1,
	    "not healthy: HTTP/1.1 503", __LINE__);
	expect_health("HTTP/1.1 2000 OK\r\n\r\n", 1, "not healthy", __LINE__);
	expect_health("HTTP/1.1 200 OK", 1, "not healthy", __LINE__);
	expect_health("\x1b[2J\r\n", 1, "\\x1b[2J", __LINE__);
	expect_health("", 1, "closed", __LINE__);
	expect_health(NULL, 1, "timed out", __LINE__);
}

Test(ctl_routes, nobody_there_is_not_healthy)
{
	char port[16];

	(void)snprintf(port, sizeof(port), "%d", free_port());
	ctl_expect(1, "refused", "health", "--port", port);
}

Test(ctl_routes, an_address_cannot_carry_another_request)
{
	ctl_expect(2, "--port", "health", "--port", "0");
	ctl_expect(2, "--port", "health", "--port", "65536");
	ctl_expect(2, "--port", "health", "--port", "80x");
	ctl_expect(2, "--host", "health", "--host", "a\r\nX: y");
	ctl_expect(2, "--path", "health", "--path", "/a b");
	ctl_expect(2, "--path", "health", "--path", "/a\r\nX: y");
	ctl_expect(2, "--path", "health", "--path", "health");
}

Test(ctl_routes, wrong_usage_is_2_and_says_what_is_right)
{
	ctl_expect(2, "a command is missing", NULL);
	ctl_expect(2, "no such command: fly", "fly");
	ctl_expect(2, "a second word is missing: user", "user");
	ctl_expect(2, "no such command: user fly", "user", "fly");
	ctl_expect(2, "Usage: corgictl user add NAME", "user", "fly");
	ctl_expect(2, "       corgictl user list [--json]", "user");
	ctl_expect(2, "Usage: corgictl user add NAME", "user", "add");
	ctl_expect(2, "one word too many: b", "user", "add", "a", "b");
	ctl_expect(2, "not an option here: --json", "user", "add", "--json");
	ctl_expect(
	    2, "not an option here: --yes=1", "user", "delete", "a", "--yes=1");
	ctl_expect(2, "not an option here: --port", "user", "list", "--port");
	ctl_expect(2, "this option needs a value: --data-dir", "user", "list",
	    "--data-dir");
	ctl_expect(2, "this option needs a value: --data-dir=", "user", "list",
	    "--data-dir=");
	ctl_expect(2, "this option needs a value: --host", "health", "--host");
	ctl_expect(2, "this option needs a value: --port", "health", "--port");
	ctl_expect(2, "this option needs a value: --path", "health", "--path");
	ctl_expect(2, "not an option here: -x", "user", "list", "-x");
}

Test(ctl_routes, help_and_version_work_everywhere)
{
	static const char *const commands[][2] = {{"user", "add"},
	    {"user", "list"}, {"user", "passwd"}, {"user", "delete"},
	    {"token", "inspect"}, {"config", NULL}, {"health", NULL},
	    {"routes", NULL}};
	char usage[64];
	size_t i;

	ctl_expect(0, "Exit status: 0 done", "--help");
	ctl_expect(0, "Exit status: 0 done", "help");
	ctl_expect(0, "Usage: corgictl user add ", "help", "user", "add");
	ctl_expect(0, "Usage: corgictl health ", "help", "health");
	ctl_expect(2, "no such command: fly", "help", "fly");
	ctl_expect(0, "corgictl " CORGI_VERSION "\n", "--version");
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		(void)snprintf(usage, sizeof(usage), "Usage: corgictl %s%s%s ",
		    commands[i][0], commands[i][1] == NULL ? "" : " ",
		    commands[i][1] == NULL ? "" : commands[i][1]);
		if (commands[i][1] == NULL)
			ctl_expect(0, usage, commands[i][0], "--help");
		else
			ctl_expect(
			    0, usage, commands[i][0], commands[i][1], "--help");
	}
}

/* Whichever way it is asked for, the same comes. */
static void
expect_same(const char *wanted, const char *first, const char *second,
    const char *third)
{
	struct run_result r = ctl_input(NULL, 0, first, second, third, NULL);

	cr_expect_eq(r.status, 0, "%s %s: %d", first, second, r.status);
	cr_expect_str_eq(r.out, wanted, "%s %s", first, second);
	run_free(&r);
}

Test(ctl_routes, help_about_a_group_is_the_same_everywhere)
{
	static const char throttle[] =
	    "Usage: corgictl throttle list [--json] [--data-dir DIR]\n"
	    "       corgictl throttle clear NAME | --address ADDRESS | --all"
	    " [--data-dir DIR]\n"
	    "\n"
	    "More about one of them: corgictl help throttle list\n";
	struct run_result copy;

	expect_same(throttle, "help", "throttle", NULL);
	expect_same(throttle, "throttle", "help", NULL);
	expect_same(throttle, "throttle", "--help", NULL);
	expect_same(throttle, "help", "throttle", "--help");
	copy = ctl_input(NULL, 0, "help", "database", "copy", NULL);
	cr_expect_eq(copy.status, 0);
	cr_expect_not_null(
	    strstr(copy.out, "Usage: corgictl database copy FROM TO"));
	expect_same(copy.out, "database", "copy", "--help");
	expect_same(copy.out, "database", "help", "copy");
	run_free(&copy);
	ctl_expect(2, "a second word is missing: throttle", "throttle");
	ctl_expect(
	    2, "no such command: throttle fly", "help", "throttle", "fly");
	ctl_expect(
	    2, "no such command: throttle fly", "throttle", "help", "fly");
	ctl_expect(
	    2, "no such command: throttle fly", "throttle", "fly", "--help");
	ctl_expect(2, "no such command: fly", "fly", "--help");
	ctl_expect(2, "no such command: fly", "fly", "help");
}

Test(ctl_routes, the_description_of_the_interface_has_the_programs_version)
{
	char path[SERVER_PATH_MAX], error[JDOC_ERROR_MAX], *text;
	const char *version;
	size_t len;
	jdoc *doc;

	(void)snprintf(
	    path, sizeof(path), "%s/assets/openapi.json", corgi_root());
	cr_assert_not_null(text = file_read(path, &len), "%s", path);
	cr_assert_not_null(doc = jdoc_parse(text, len, 0, error), "%s", error);
	version =
	    jdoc_string(jdoc_member(jdoc_member(doc, "info"), "version"), NULL);
	cr_assert_not_null(version);
	cr_expect_str_eq(version, CORGI_VERSION);
	jdoc_free(doc);
	free(text);
}

/* "corgictl user list >/dev/full && ..." must not go on. */
Test(ctl_routes, output_that_cannot_be_written_is_a_failure)
{
	char command[SERVER_PATH_MAX + 64];
	const char *const argv[] = {"/bin/sh", "-c", command, NULL};
	struct run_result r;

	(void)snprintf(
	    command, sizeof(command), "'%s' config >/dev/full", corgi_ctl());
	r = run_program(argv, ctl_env, NULL, 0);
	ctl_expect_of(r, 1, "could not be written", __LINE__);
	(void)snprintf(
	    command, sizeof(command), "'%s' config >/dev/null", corgi_ctl());
	r = run_program(argv, ctl_env, NULL, 0);
	ctl_expect_of(r, 0, "", __LINE__);
}
