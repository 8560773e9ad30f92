/*
 * What corgictl says to a running service, and what it makes of the answers: a
 * socket of the test's own stands in for the service.
 */
#include "ctl_store.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <signal.h>
#include <unistd.h>

#define OK_ANSWER "{\"ok\":true}\n"

/* How a stand-in behaves. */
enum manner {
	ANSWERS,
	ANSWERS_SECOND, /* cuts the first connection off */
	CUTS,
	SILENT
};

struct stand_in {
	pid_t pid;
	char asked[SERVER_PATH_MAX + 64]; /* what it was asked, line by line */
};

static int listen_in(const char *, const char *);
static void
serve(int, int, enum manner, const char *) __attribute__((noreturn));
static struct stand_in stand_in(const char *, enum manner, const char *);
static void dismiss(struct stand_in *);
static bool was_asked(const struct stand_in *, const char *);
static void set_up(void);

TestSuite(ctl_control, .init = set_up, .fini = ctl_tear_down, .timeout = 90);

static void
set_up(void)
{
	ctl_set_up();
	ctl_add("cosmo", "space-corgi\n");
}

/* A socket in a folder, by a path that is short whatever the folder's is. */
static int
listen_in(const char *folder, const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	cr_assert_eq(chdir(folder), 0);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", name);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(fd, 8), 0);
	cr_assert_eq(chdir("/"), 0);
	return (fd);
}

static void
serve(int fd, int log, enum manner manner, const char *answer)
{
	char line[4096];
	unsigned int count;
	ssize_t n;
	int client;

	for (count = 0;; count++) {
		if ((client = accept(fd, NULL, NULL)) == -1)
			_exit(1);
		n = read(client, line, sizeof(line));
		if (n > 0 && write(log, line, (size_t)n) != n)
			_exit(1);
		if (manner == SILENT)
			(void)pause();
		if ((manner == ANSWERS ||
			(manner == ANSWERS_SECOND && count > 0)) &&
		    write(client, answer, strlen(answer)) == -1)
			_exit(1);
		(void)close(client);
	}
}

/* Stand in for a service on the data folder under this name. */
static struct stand_in
stand_in(const char *name, enum manner manner, const char *answer)
{
	struct stand_in s;
	FILE *log;
	int fd;

	(void)snprintf(
	    s.asked, sizeof(s.asked), "%s/asked-%s", ctl_folder, name);
	fd = listen_in(ctl_data, name);
	cr_assert_not_null(log = fopen(s.asked, "w"));
	s.pid = fork();
	cr_assert_neq(s.pid, -1);
	if (s.pid == 0)
		serve(fd, fileno(log), manner, answer);
	(void)fclose(log);
	(void)close(fd);
	return (s);
}

/* Leaves the socket behind, as a killed service does. */
static void
dismiss(struct stand_in *s)
{
	(void)kill(s->pid, SIGKILL);
	(void)waitpid(s->pid, NULL, 0);
}

static bool
was_asked(const struct stand_in *s, const char *text)
{
	char *asked;
	size_t len;
	bool found;

	cr_assert_not_null(asked = file_read(s->asked, &len));
	found = strstr(asked, text) != NULL;
	free(asked);
	return (found);
}

Test(ctl_control, whatever_bears_on_tokens_is_told_to_every_service)
{
	static const char *const verbs[][3] = {
	    {"disable", "cosmo", NULL},
	    {"enable", "cosmo", NULL},
	    {"roles", "cosmo", "admin"},
	    {"revoke", "cosmo", "--yes"},
	    {"passwd", "cosmo", NULL},
	    {"delete", "cosmo", "--yes"},
	};
	struct stand_in one, two;
	struct run_result r;
	char name[32];
	size_t i;

	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		(void)snprintf(name, sizeof(name), "control.a%zu", i);
		one = stand_in(name, ANSWERS, OK_ANSWER);
		name[8] = 'b';
		two = stand_in(name, ANSWERS, OK_ANSWER);
		r = ctl_input("other-corgi\n", 12, "user", verbs[i][0],
		    verbs[i][1], verbs[i][2], NULL);
		ctl_expect_of(r, 0, "", __LINE__);
		cr_expect(was_asked(&one, "{\"command\":[\"sync\"]}\n"), "%s",
		    verbs[i][0]);
		cr_expect(was_asked(&two, "sync"), "%s", verbs[i][0]);
		dismiss(&one);
		dismiss(&two);
	}
}

Test(ctl_control, what_ends_no_token_asks_nobody)
{
	struct stand_in s = stand_in("control.1", SILENT, "");

	ctl_add("laika", "space-corgi\n");
	cr_expect_eq(ctl_status("user", "rename", "cosmo", "astro"), 0);
	ctl_expect(0, "astro", "user", "list");
	cr_expect_not(was_asked(&s, "command"));
	dismiss(&s);
}

/* A service that was killed leaves its socket: nobody to wait for. */
Test(ctl_control, without_a_service_the_store_is_enough)
{
	struct stand_in s = stand_in("control.1", ANSWERS, OK_ANSWER);
	char path[SERVER_PATH_MAX + 32];
	struct run_result r;

	dismiss(&s);
	(void)snprintf(path, sizeof(path), "%s/control.txt", ctl_data);
	file_write(path, "no socket", 9);
	r = ctl_input(NULL, 0, "user", "disable", "cosmo", NULL);
	cr_expect_eq(r.status, 0);
	cr_expect_str_eq(r.out, "");
	run_free(&r);
}

/* The worker that was asked is killed: another one answers. */
Test(ctl_control, a_connection_that_is_cut_is_tried_again)
{
	struct stand_in s = stand_in("control.1", ANSWERS_SECOND, OK_ANSWER);

	cr_expect_eq(ctl_status("user", "disable", "cosmo"), 0);
	dismiss(&s);
}

Test(ctl_control, a_service_that_does_not_confirm_is_a_failure_and_said)
{
	static const struct {
		enum manner manner;
		const char *answer;
		const char *said;
	} rows[] = {
	    {ANSWERS, "{\"ok\":false,\"error\":\"no room\\u001b\"}\n",
		"it said: no room\\x1b"},
	    {ANSWERS, "{\"ok\":\"true\"}\n", "it said: no"},
	    {ANSWERS, "true\n", "it said: no"},
	    {ANSWERS, "\n", "it said: no"},
	    {CUTS, "", "it did not answer within 5 seconds"},
	    {SILENT, "", "it did not answer within 5 seconds"},
	};
	struct stand_in s;
	struct run_result r;
	char name[32];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)snprintf(name, sizeof(name), "control.%zu", i);
		s = stand_in(name, rows[i].manner, rows[i].answer);
		r = ctl_input(
		    NULL, 0, "user", "revoke", "cosmo", "--yes", NULL);
		cr_expect_eq(r.status, 1, "%zu", i);
		cr_expect_not_null(
		    strstr(r.out, "the change is stored"), "%s", r.out);
		cr_expect_not_null(
		    strstr(r.out, rows[i].said), "%zu: %s", i, r.out);
		run_free(&r);
		cr_expect_gt(ctl_user("cosmo").version, (int64_t)i);
		dismiss(&s);
	}
}

Test(ctl_control, one_service_that_does_not_confirm_is_enough_to_fail)
{
	struct stand_in one = stand_in("control.1", ANSWERS, OK_ANSWER);
	struct stand_in two =
	    stand_in("control.2", ANSWERS, "{\"ok\":false}\n");

	ctl_expect(1, "not confirmed", "user", "disable", "cosmo");
	cr_expect(was_asked(&one, "sync"));
	cr_expect(was_asked(&two, "sync"));
	dismiss(&one);
	dismiss(&two);
}

/* Only root can make a socket of somebody else: without it nothing is seen. */
Test(ctl_control, the_socket_of_a_stranger_is_not_believed)
{
	struct stand_in s = stand_in("control.1", ANSWERS, OK_ANSWER);
	char path[SERVER_PATH_MAX + 32];

	cr_expect_eq(ctl_status("user", "disable", "cosmo"), 0);
	if (geteuid() == 0) {
		(void)snprintf(path, sizeof(path), "%s/control.1", ctl_data);
		cr_assert_eq(chown(path, 12345, 12345), 0);
		ctl_expect(
		    1, "neither this user nor root", "user", "enable", "cosmo");
		cr_assert_eq(chown(ctl_data, 12345, 12345), 0);
		cr_expect_eq(ctl_status("user", "disable", "cosmo"), 0);
	}
	dismiss(&s);
}

Test(ctl_control, a_folder_with_a_long_path_is_reached)
{
	char other[SERVER_PATH_MAX];
	struct stand_in s;

	(void)snprintf(other, sizeof(other), "%s/%0200d", ctl_folder, 1);
	cr_assert_eq(rename(ctl_data, other), 0);
	(void)snprintf(ctl_data, sizeof(ctl_data), "%s", other);
	s = stand_in("control.1", ANSWERS, "{\"ok\":false}\n");
	ctl_expect(1, "not confirmed", "user", "disable", "cosmo", "--data-dir",
	    other);
	dismiss(&s);
}

Test(ctl_control, failed_logins_are_listed_as_the_service_tells_them)
{
	static const char answer[] =
	    "{\"ok\":true,\"more\":false,\"entries\":["
	    "{\"subject\":\"account\",\"name\":\"co\\\\x1bsmo\","
	    "\"failures\":21,\"wait\":2},"
	    "{\"subject\":\"address\",\"name\":\"192.0.2.7\\u001b\","
	    "\"failures\":3,\"wait\":0}]}\n";
	struct stand_in s;
	struct run_result r;
	jdoc *list;

	ctl_expect(1, "no service is running", "throttle", "list");
	s = stand_in("control.1", ANSWERS, answer);
	r = ctl_input(NULL, 0, "throttle", "list", NULL);
	cr_expect_eq(r.status, 0, "%s", r.out);
	cr_expect_not_null(strstr(r.out, "co\\x1bsmo\n"), "%s", r.out);
	cr_expect_not_null(strstr(r.out, "192.0.2.7\\x1b\n"), "%s", r.out);
	cr_expect_null(strchr(r.out, '\x1b'), "%s", r.out);
	run_free(&r);
	cr_expect(was_asked(&s, "{\"command\":[\"throttle\",\"list\"]}\n"));
	list = ctl_json("throttle", "list", "--json");
	cr_assert_eq(jdoc_count(list), 2);
	cr_expect_eq(ctl_number(jdoc_element(list, 0), "failures"), 21);
	cr_expect_eq(ctl_number(jdoc_element(list, 0), "wait"), 2);
	jdoc_free(list);
	dismiss(&s);
}

Test(ctl_control, a_list_that_goes_on_says_so)
{
	struct stand_in s = stand_in("control.1", ANSWERS,
	    "{\"ok\":true,\"more\":true,\"entries\":[]}\n");

	ctl_expect(0, "more than these", "throttle", "list");
	dismiss(&s);
}

Test(ctl_control, failed_logins_are_forgotten_one_by_one_or_all)
{
	struct stand_in s;

	ctl_expect(1, "no service is running", "throttle", "clear", "--all");
	s = stand_in("control.1", ANSWERS, "{\"ok\":true,\"cleared\":2}\n");
	ctl_expect(0, "2 forgotten", "throttle", "clear", "--all");
	cr_expect(was_asked(&s, "[\"throttle\",\"clear\",\"all\"]"));
	ctl_expect(0, "2 forgotten", "throttle", "clear", "co\"smo");
	cr_expect(was_asked(
	    &s, "[\"throttle\",\"clear\",\"account\",\"co\\\"smo\"]"));
	ctl_expect(
	    0, "2 forgotten", "throttle", "clear", "--address", "2001:db8::1");
	cr_expect(was_asked(
	    &s, "[\"throttle\",\"clear\",\"address\",\"2001:db8::1\"]"));
	ctl_expect(2, "one of", "throttle", "clear");
	ctl_expect(2, "one of", "throttle", "clear", "cosmo", "--all");
	ctl_expect(2, "one of", "throttle", "clear", "--address=::1", "--all");
	ctl_expect(2, "a name is", "throttle", "clear", "\xff");
	ctl_expect(2, "no address", "throttle", "clear", "--address", "\xff");
	dismiss(&s);
}

Test(ctl_control, what_the_service_refuses_is_said)
{
	struct stand_in s = stand_in("control.1", ANSWERS,
	    "{\"ok\":false,\"error\":\"this is no address\"}\n");

	ctl_expect(1, "it said: this is no address", "throttle", "clear",
	    "--address", "nonsense");
	dismiss(&s);
}
