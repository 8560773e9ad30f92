/*
 * corgictl on a terminal: passwords are not shown, are asked for twice, and
 * the terminal is as it was afterwards, whatever ends the program.
 */
#include "ctl.h"

#include <sys/ioctl.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

/* Longest wait for the program to say something (milliseconds). */
#define PATIENCE_MS 20000

/* A program on the other side of a terminal, and all that it has shown. */
struct session {
	int master;
	pid_t pid;
	char shown[4096];
	size_t len;
	size_t seen; /* what await() has passed */
};

static void start(struct session *, const char *, const char *);
static void
start_with(struct session *, const char *, const char *, const int[2]);
static void read_some(struct session *);
static void await(struct session *, const char *);
static void type(struct session *, const char *);
static int finish(struct session *);
static bool echoes(const struct session *);
static int fill_pipe(int[2]);

TestSuite(
    ctl_terminal, .init = ctl_set_up, .fini = ctl_tear_down, .timeout = 90);

/* Run "corgictl user VERB NAME" on a new terminal. */
static void
start(struct session *s, const char *verb, const char *name)
{
	start_with(s, verb, name, NULL);
}

/* The same with a pipe for standard error; NULL: the terminal. */
static void
start_with(
    struct session *s, const char *verb, const char *name, const int errors[2])
{
	char path[64];
	int slave;

	memset(s, 0, sizeof(*s));
	cr_assert_neq(s->master = posix_openpt(O_RDWR | O_NOCTTY), -1);
	cr_assert_eq(grantpt(s->master), 0);
	cr_assert_eq(unlockpt(s->master), 0);
	cr_assert_eq(ptsname_r(s->master, path, sizeof(path)), 0);
	if ((s->pid = fork()) != 0)
		return;
	(void)setsid();
	slave = open(path, O_RDWR);
	(void)ioctl(slave, TIOCSCTTY, 0);
	(void)dup2(slave, 0);
	(void)dup2(slave, 1);
	(void)dup2(errors == NULL ? slave : errors[1], 2);
	if (errors != NULL) {
		(void)close(errors[0]);
		(void)close(errors[1]);
	}
	(void)execle(corgi_ctl(), "corgictl", "user", verb, name, (char *)NULL,
	    (char *const *)(const void *)ctl_env);
	_exit(127);
}

/* Take what is shown; the end of the program reads as EIO. */
static void
read_some(struct session *s)
{
	struct pollfd pfd = {.fd = s->master, .events = POLLIN};
	ssize_t n;

	cr_assert_eq(
	    poll(&pfd, 1, PATIENCE_MS), 1, "silence after: %s", s->shown);
	n = read(s->master, s->shown + s->len, sizeof(s->shown) - 1 - s->len);
	cr_assert_gt(n, 0, "ended after: %s", s->shown);
	s->len += (size_t)n;
	s->shown[s->len] = '\0';
}

/* Wait for a text that has not been waited for yet. */
static void
await(struct session *s, const char *text)
{
	const char *at;

	while ((at = strstr(s->shown + s->seen, text)) == NULL)
		read_some(s);
	s->seen = (size_t)(at - s->shown) + strlen(text);
}

static void
type(struct session *s, const char *text)
{
	cr_assert_eq(
	    write(s->master, text, strlen(text)), (ssize_t)strlen(text));
}

/* Read to the end; the exit status. */
static int
finish(struct session *s)
{
	struct pollfd pfd = {.fd = s->master, .events = POLLIN};
	ssize_t n;
	int status;

	while (poll(&pfd, 1, PATIENCE_MS) == 1) {
		n = read(s->master, s->shown + s->len,
		    sizeof(s->shown) - 1 - s->len);
		if (n <= 0)
			break;
		s->len += (size_t)n;
	}
	s->shown[s->len] = '\0';
	cr_assert_eq(waitpid(s->pid, &status, 0), s->pid);
	(void)close(s->master);
	return (process_status(status));
}

static bool
echoes(const struct session *s)
{
	struct termios terminal;

	cr_assert_eq(tcgetattr(s->master, &terminal), 0);
	return ((terminal.c_lflag & ECHO) != 0);
}

/* A pipe that holds as much as it can; how much that is. */
static int
fill_pipe(int ends[2])
{
	char byte = 0;
	int held = 0;

	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
	while (write(ends[1], &byte, 1) == 1)
		held++;
	cr_assert_eq(fcntl(ends[1], F_SETFL, 0), 0);
	return (held);
}

Test(ctl_terminal, a_password_is_asked_for_twice_and_never_shown)
{
	struct session s;

	start(&s, "add", "cosmo");
	await(&s, "Password: ");
	cr_expect_not(echoes(&s));
	type(&s, "space-corgi\n");
	await(&s, "Once more: ");
	type(&s, "space-corgi\n");
	cr_expect_eq(finish(&s), 0, "%s", s.shown);
	cr_expect_null(strstr(s.shown, "space"), "%s", s.shown);
	ctl_expect(0, "cosmo", "user", "list");
}

Test(ctl_terminal, two_different_passwords_are_refused)
{
	struct session s;

	start(&s, "add", "cosmo");
	await(&s, "Password: ");
	type(&s, "space-corgi\n");
	await(&s, "Once more: ");
	type(&s, "space-corgj\n");
	cr_expect_eq(finish(&s), 1, "%s", s.shown);
	cr_expect_not_null(strstr(s.shown, "differ"), "%s", s.shown);
	cr_expect_null(strstr(s.shown, "space"), "%s", s.shown);
	ctl_expect(1, "there is no database", "user", "list");
}

Test(ctl_terminal, an_interrupt_gives_the_terminal_back)
{
	struct session s;
	char path[64];
	int slave, status;

	/* One descriptor stays open: the settings end with the last one. */
	start(&s, "add", "cosmo");
	cr_assert_eq(ptsname_r(s.master, path, sizeof(path)), 0);
	cr_assert_neq(slave = open(path, O_RDWR | O_NOCTTY), -1);
	await(&s, "Password: ");
	cr_expect_not(echoes(&s));
	type(&s, "half\x03");
	await(&s, "\n");
	cr_assert_eq(waitpid(s.pid, &status, 0), s.pid);
	cr_expect(WIFSIGNALED(status));
	cr_expect_eq(WTERMSIG(status), SIGINT);
	cr_expect(echoes(&s));
	(void)close(slave);
	(void)close(s.master);
}

Test(ctl_terminal, deleting_asks_and_takes_anything_but_yes_for_no)
{
	static const char *const noes[] = {"\n", "n\n", "yolo\n"};
	struct session s;
	size_t i;

	ctl_add("cosmo", "space-corgi\n");
	for (i = 0; i < sizeof(noes) / sizeof(noes[0]); i++) {
		start(&s, "delete", "cosmo");
		await(&s, "\"cosmo\"? [y/N] ");
		type(&s, noes[i]);
		cr_expect_eq(finish(&s), 1, "%s", s.shown);
	}
	ctl_expect(0, "cosmo", "user", "list");
	start(&s, "delete", "cosmo");
	await(&s, "\"cosmo\"? [y/N] ");
	type(&s, "y\n");
	cr_expect_eq(finish(&s), 0, "%s", s.shown);
	start(&s, "delete", "cosmo");
	cr_expect_eq(finish(&s), 3, "%s", s.shown);
}

/*
 * A signal between the prompt and the reading must not be lost. The full pipe
 * holds the program there: at its prompt, with the echo off.
 */
Test(ctl_terminal, an_interrupt_before_the_reading_counts)
{
	struct session s;
	char path[64], byte;
	int errors[2], held, i, slave, status;

	held = fill_pipe(errors);
	start_with(&s, "add", "cosmo", errors);
	(void)close(errors[1]);
	cr_assert_eq(ptsname_r(s.master, path, sizeof(path)), 0);
	cr_assert_neq(slave = open(path, O_RDWR | O_NOCTTY), -1);
	for (i = 0; echoes(&s) && i < PATIENCE_MS / 10; i++)
		sleep_ms(10);
	cr_assert_not(echoes(&s));
	type(&s, "\x03");
	sleep_ms(100);
	for (i = 0; i < held; i++)
		cr_assert_eq(read(errors[0], &byte, 1), 1);
	for (i = 0; process_state(s.pid, NULL) != '\0' && i < PATIENCE_MS / 10;
	     i++)
		sleep_ms(10);
	(void)kill(s.pid, SIGKILL);
	cr_assert_eq(waitpid(s.pid, &status, 0), s.pid);
	cr_expect(WIFSIGNALED(status));
	cr_expect_eq(WTERMSIG(status), SIGINT);
	cr_expect(echoes(&s));
	(void)close(slave);
	(void)close(errors[0]);
	(void)close(s.master);
}

Test(ctl_terminal, ending_sessions_asks_and_takes_anything_but_yes_for_no)
{
	struct session s;

	ctl_add("cosmo", "space-corgi\n");
	start(&s, "revoke", "cosmo");
	await(&s, "End all sessions of \"cosmo\"? [y/N] ");
	type(&s, "n\n");
	cr_expect_eq(finish(&s), 1, "%s", s.shown);
	cr_expect_not_null(strstr(s.shown, "nothing was changed"));
	start(&s, "revoke", "cosmo");
	await(&s, "[y/N] ");
	type(&s, "y\n");
	cr_expect_eq(finish(&s), 0, "%s", s.shown);
	start(&s, "revoke", "nobody");
	cr_expect_eq(finish(&s), 3, "%s", s.shown);
}

Test(ctl_terminal, an_import_shows_how_far_it_is)
{
	char path[SERVER_PATH_MAX + 16];
	struct session s;
	FILE *file;
	int i;

	(void)snprintf(path, sizeof(path), "%s/accounts", ctl_folder);
	cr_assert_not_null(file = fopen(path, "w"));
	for (i = 0; i < 1500; i++)
		(void)fprintf(file,
		    "{\"username\":\"user-%d\",\"hash\":\"$argon2id$v=19$m=64,"
		    "t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$"
		    "MjZP1+1U9JUbDWvDvtLyEsZiNXOKEUxfi6O2oe46uxA\"}\n",
		    i);
	cr_assert_eq(fclose(file), 0);
	start(&s, "import", path);
	await(&s, "] ");
	await(&s, "1000 accounts");
	await(&s, "] 100 %  1500 accounts");
	await(&s, "1500 added");
	cr_expect_eq(finish(&s), 0, "%s", s.shown);
	ctl_expect(0, "0 added, 0 updated, 1500 there already", "user",
	    "import", path);
}

Test(ctl_terminal, an_export_says_what_is_in_it)
{
	struct session s;

	ctl_add("cosmo", "space-corgi\n");
	start(&s, "export", "-");
	await(&s, "keep it as safe as the database");
	await(&s, "\"username\":\"cosmo\"");
	cr_expect_eq(finish(&s), 0, "%s", s.shown);
}
