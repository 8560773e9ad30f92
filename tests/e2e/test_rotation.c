/*
 * The audit log is moved, cut and removed under the running service, and no
 * line is lost or torn.
 */
#include <sys/stat.h>

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <jansson.h>

#include "http.h"
#include "sess.h"
#include "suite.h"
#include "tok.h"

TestSuite(rotation, .timeout = 120);

#define CONNECTIONS 8
#define EXAMPLE     "/var/lib/corgi/audit.log"
#define OWNER       "corgi corgi"

/* A service of two workers, a connection to each of them, its audit log. */
struct set_up {
	struct server *server;
	struct raw *connections[CONNECTIONS];
	char *log;
};

static void begin(struct set_up *);
static void end(struct set_up *);
static void fail_on_all(const struct set_up *);
static size_t failures_in(const char *, size_t *);
static char *replaced(char *, const char *, const char *);
static void expect_mode(const char *);

static void
begin(struct set_up *t)
{
	static const char *const env[] = {"JWT_SECRET_KEY=" TOK_SECRET,
	    "CORGI_THROTTLE_ACCOUNT=0", "CORGI_THROTTLE_ADDRESS=0", NULL};
	struct server_options options = {.environment = env, .workers = 2};

	t->server = server_start(&options);
	t->log = text_of("%s/audit.log", server_data_dir(t->server));
	sess_spread(t->server, t->connections, CONNECTIONS);
}

static void
end(struct set_up *t)
{
	sess_spread_close(t->connections, CONNECTIONS);
	server_stop(t->server);
	free(t->log);
}

/* One failed login on each connection: so many lines, from both workers. */
static void
fail_on_all(const struct set_up *t)
{
	size_t i;
	int status;

	for (i = 0; i < CONNECTIONS; i++) {
		status = sess_ask_on(t->connections[i], "POST", "/login", NULL,
		    "{\"username\": \"cosmo\", \"password\": \"wrong\"}", NULL);
		cr_expect(status == 401, "%zu: %d", i, status);
	}
}

/* How many lines of failed logins a file has, and of how many processes; every
 * line has to be whole. */
static size_t
failures_in(const char *path, size_t *pids)
{
	json_int_t pid[CONNECTIONS] = {0};
	char *text = file_read(path, NULL), *line, *rest;
	const char *outcome;
	json_t *event;
	size_t n = 0, i;

	*pids = 0;
	if (text == NULL)
		return (0);
	cr_expect(*text == '\0' || text[strlen(text) - 1] == '\n');
	for (line = strtok_r(text, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest)) {
		event = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
		cr_expect(event != NULL, "%s: %s", path, line);
		outcome = json_string_value(json_object_get(event, "outcome"));
		if (outcome != NULL && strcmp(outcome, "failed") == 0) {
			n++;
			for (i = 0; i < *pids; i++)
				if (pid[i] ==
				    json_integer_value(
					json_object_get(event, "pid")))
					break;
			if (i == *pids && i < CONNECTIONS)
				pid[(*pids)++] = json_integer_value(
				    json_object_get(event, "pid"));
		}
		json_decref(event);
	}
	free(text);
	return (n);
}

#define EXPECT_FILE(path)                                                      \
	do {                                                                   \
		size_t pids_, n_ = failures_in(path, &pids_);                  \
		cr_expect(n_ == CONNECTIONS, "%s: %zu lines", path, n_);       \
		cr_expect(pids_ == 2, "%s: of %zu workers", path, pids_);      \
	} while (0)

static void
expect_mode(const char *path)
{
	struct stat st;

	cr_assert(stat(path, &st) == 0, "%s", path);
	cr_expect((st.st_mode & 07777) == 0600, "%o", st.st_mode);
}

Test(rotation, moved_log_is_begun_anew_by_every_worker)
{
	struct set_up t;
	char *moved;

	begin(&t);
	moved = text_of("%s.1", t.log);
	fail_on_all(&t);
	cr_assert(rename(t.log, moved) == 0);
	fail_on_all(&t);
	EXPECT_FILE(moved);
	EXPECT_FILE(t.log);
	expect_mode(t.log);
	free(moved);
	end(&t);
}

Test(rotation, removed_log_is_begun_anew)
{
	struct set_up t;

	begin(&t);
	fail_on_all(&t);
	EXPECT_FILE(t.log);
	cr_assert(unlink(t.log) == 0);
	fail_on_all(&t);
	EXPECT_FILE(t.log);
	expect_mode(t.log);
	end(&t);
}

/* "copytruncate": written on at the end there is now, without a hole. */
Test(rotation, cut_log_is_written_on_from_its_beginning)
{
	struct set_up t;

	begin(&t);
	fail_on_all(&t);
	EXPECT_FILE(t.log);
	cr_assert(truncate(t.log, 0) == 0);
	fail_on_all(&t);
	EXPECT_FILE(t.log);
	end(&t);
}

/* Whoever may write the folder could have lines appended to any file. That they
 * are lost is said; logins go on, and so does the log once the link is gone. */
Test(rotation, link_in_the_place_of_the_log_is_not_followed)
{
	struct set_up t;
	char *target, *text;

	begin(&t);
	target = text_of("%s/target", server_folder(t.server));
	file_write(target, "", 0);
	cr_assert(unlink(t.log) == 0 && symlink(target, t.log) == 0);
	fail_on_all(&t);
	cr_expect(
	    sess_login(server_port(t.server), DEMO_USER, DEMO_PASSWORD) == 200);
	text = file_read(target, NULL);
	cr_expect_str_eq(text, "");
	free(text);
	cr_expect(
	    server_log_wait(t.server, "the audit log cannot be written", 2000));
	cr_assert(unlink(t.log) == 0);
	fail_on_all(&t);
	EXPECT_FILE(t.log);
	free(target);
	end(&t);
}

/* Releases text. */
static char *
replaced(char *text, const char *what, const char *with)
{
	char *at = strstr(text, what), *out;

	cr_assert(at != NULL, "no %s in %s", what, text);
	out = text_of(
	    "%.*s%s%s", (int)(at - text), text, with, at + strlen(what));
	free(text);
	return (out);
}

/* The example as it is, but for the log's place and its owner. */
Test(rotation, the_example_for_logrotate_works)
{
	struct passwd *user = getpwuid(getuid());
	struct group *group = getgrgid(getgid());
	struct set_up t;
	const char *argv[] = {
	    "/usr/sbin/logrotate", "-f", "-s", NULL, NULL, NULL};
	char *path, *state, *text, *owner, *moved;
	struct run_result r;
	int i;

	cr_assert(user != NULL && group != NULL);
	begin(&t);
	path = text_of("%s/examples/logrotate/corgi", corgi_root());
	text = file_read(path, NULL);
	cr_assert(text != NULL, "%s", path);
	free(path);
	owner = text_of("%s %s", user->pw_name, group->gr_name);
	text = replaced(replaced(text, EXAMPLE, t.log), OWNER, owner);
	path = text_of("%s/rotate.conf", server_folder(t.server));
	state = text_of("%s/rotate.state", server_folder(t.server));
	file_write(path, text, strlen(text));
	argv[3] = state;
	argv[4] = path;
	for (i = 0; i < 2; i++) {
		fail_on_all(&t);
		r = run_program(argv, NULL, NULL, 0);
		cr_expect(r.status == 0, "logrotate: %d %s", r.status, r.out);
		run_free(&r);
		moved = text_of("%s.1", t.log);
		EXPECT_FILE(moved);
		free(moved);
		expect_mode(t.log);
	}
	fail_on_all(&t);
	EXPECT_FILE(t.log);
	moved = text_of("%s.2.gz", t.log);
	cr_expect(access(moved, R_OK) == 0, "%s is not there", moved);
	free(moved);
	free(owner);
	free(state);
	free(path);
	free(text);
	end(&t);
}
