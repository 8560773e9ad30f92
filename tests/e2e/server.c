/*
 * server.c - a real kore process with the service in it, for one test.
 */
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "database.h"
#include "raw.h"
#include "server.h"

/* Most entries of kore's environment, and starts on a port that was taken. */
#define ENVIRONMENT_MAX 64
#define START_TRIES     8

/* What is asked to see whether a server answers, and whether one that must
 * refuse ever does. */
#define PROBE    "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define INTRUDER "GET /protected HTTP/1.1\r\nHost: localhost\r\n\r\n"

struct server {
	pid_t pid;
	int port;
	int status;
	bool ended;
	bool crash_expected;
	char *folder;
	char data_dir[SERVER_PATH_MAX];
};

/* Words that no log may hold, and those that only a killed worker brings. */
static const char *const always_wrong[] = {"sandbox violation",
    "seccomp violation", "AddressSanitizer", "LeakSanitizer",
    "runtime error:", NULL};
static const char *const crash_words[] = {"(hdlr: ", "has caused", NULL};

static struct server *server_launch(const struct server_options *);
static void server_conf_file(const struct server *, const char *, const char *);
static void server_write_files(struct server *, const struct server_options *);
static void
server_config(FILE *, const struct server *, const struct server_options *);
static void server_exec(const struct server *, const struct server_options *)
    __attribute__((noreturn));
static void environment_add(const char **, size_t *, const char *);
static void
environment_keep(const char **, size_t *, const char *, const char *);
static bool names_database(const struct server_options *);
static bool server_reap(struct server *);
static bool server_answers(int);
static bool port_was_taken(const struct server *);
static void server_check_log(const struct server *);
static void server_release(struct server *);
static void expect_refusal(
    const char *, const struct server_options *, const char *, va_list);
static void expect_silence(const char *, struct server *);
static int compare_pids(const void *, const void *);

/* Add NAME=value; an earlier entry of that name gives way. */
static void
environment_add(const char **env, size_t *n, const char *entry)
{
	size_t i, name;

	name = strcspn(entry, "=") + 1;
	for (i = 0; i < *n; i++) {
		if (strncmp(env[i], entry, name) == 0) {
			env[i] = entry;
			return;
		}
	}
	if (*n + 1 < ENVIRONMENT_MAX)
		env[(*n)++] = entry;
}

/* Pass a variable of the tests' own environment on, under another name. */
static void
environment_keep(const char **env, size_t *n, const char *from, const char *to)
{
	const char *value;
	char *entry;

	value = getenv(from);
	if (value == NULL || *value == '\0')
		return;
	if (asprintf(&entry, "%s=%s", to, value) != -1)
		environment_add(env, n, entry);
}

/* Whether the test says itself where the accounts are. */
static bool
names_database(const struct server_options *options)
{
	static const char name[] = "CORGI_DATABASE";
	size_t i;

	for (i = 0;
	     options->environment != NULL && options->environment[i] != NULL;
	     i++)
		if (strncmp(options->environment[i], name, strlen(name)) == 0)
			return (true);
	return (false);
}

/* In the child. Everything in kore's file is relative to the folder, so that
 * no path with a blank ever meets kore's splitting at blanks. */
static void
server_exec(const struct server *s, const struct server_options *options)
{
	const char *env[ENVIRONMENT_MAX + 1];
	static char *const argv[] = {(char *)(void *)"kore",
	    (char *)(void *)"-fnr", (char *)(void *)"-c",
	    (char *)(void *)"kore.conf", NULL};
	char *entry;
	size_t i, n;
	int log, null;

	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	(void)signal(SIGPIPE, SIG_DFL);
	if (chdir(s->folder) == -1)
		_exit(126);
	log = open("log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	(void)dup2(null, STDIN_FILENO);
	(void)dup2(log, STDOUT_FILENO);
	(void)dup2(log, STDERR_FILENO);
	(void)close_range(STDERR_FILENO + 1, ~0U, 0);
	if (options->files != 0 && !process_limit_files(options->files))
		_exit(126);

	n = 0;
	environment_add(env, &n, "PATH=/usr/sbin:/usr/bin:/sbin:/bin");
	environment_keep(env, &n, "CORGI_PRELOAD", "LD_PRELOAD");
	environment_keep(env, &n, "ASAN_OPTIONS", "ASAN_OPTIONS");
	environment_keep(env, &n, "UBSAN_OPTIONS", "UBSAN_OPTIONS");
	environment_keep(env, &n, "LSAN_OPTIONS", "LSAN_OPTIONS");
	/* Suites log in wrongly as often as they like; those that are about
	 * that set these anew. */
	environment_add(env, &n, "CORGI_THROTTLE_ACCOUNT=0");
	environment_add(env, &n, "CORGI_THROTTLE_ADDRESS=0");
	if (asprintf(&entry, "CORGI_DATA_DIR=%s", s->data_dir) != -1)
		environment_add(env, &n, entry);
	if (database_on_server() && !names_database(options) &&
	    asprintf(&entry, "CORGI_DATABASE=%s", database_of(s->data_dir)) !=
		-1)
		environment_add(env, &n, entry);
	for (i = 0;
	     options->environment != NULL && options->environment[i] != NULL;
	     i++)
		environment_add(env, &n, options->environment[i]);
	env[n] = NULL;
	(void)execvpe("kore", argv, (char *const *)(void *)env);
	_exit(127);
}

/* The configuration file: the harness's own lines, the listener, the routes. */
static void
server_config(
    FILE *fp, const struct server *s, const struct server_options *options)
{
	const char *at, *text;

	if (options->workers != WORKERS_UNSAID)
		(void)fprintf(fp, "workers %u\n",
		    options->workers == 0 ? 1 : options->workers);
	(void)fputs("load ./corgi.so\n", fp);
	(void)fputs("include limits.conf\n", fp);
	if (options->config != NULL)
		(void)fprintf(fp, "%s\n", options->config);
	text = options->listener;
	if (text == NULL)
		text = "server main {\n"
		       "\tbind 127.0.0.1 @PORT@ front_connect\n"
		       "\ttls no\n"
		       "}\n";
	while ((at = strstr(text, "@PORT@")) != NULL) {
		(void)fwrite(text, 1, (size_t)(at - text), fp);
		(void)fprintf(fp, "%d", s->port);
		text = at + strlen("@PORT@");
	}
	(void)fprintf(fp, "%s\ninclude routes.conf\n", text);
}

/* Put a file of conf/ into the folder, or the text given in its place. */
static void
server_conf_file(const struct server *s, const char *name, const char *text)
{
	char path[SERVER_PATH_MAX], *found;

	found = NULL;
	if (text == NULL) {
		(void)snprintf(
		    path, sizeof(path), "%.900s/conf/%s", corgi_root(), name);
		found = file_read(path, NULL);
		if (found == NULL)
			cr_assert_fail("%s: %s", path, strerror(errno));
		text = found;
	}
	(void)snprintf(path, sizeof(path), "%.900s/%s", s->folder, name);
	file_write(path, text, strlen(text));
	free(found);
}

static void
server_write_files(struct server *s, const struct server_options *options)
{
	const char *module = options->module;
	char path[SERVER_PATH_MAX];
	FILE *fp;

	if (module == NULL)
		module = corgi_module();
	(void)snprintf(path, sizeof(path), "%.900s/kore.conf", s->folder);
	fp = fopen(path, "we");
	if (fp == NULL)
		cr_assert_fail("%s: %s", path, strerror(errno));
	server_config(fp, s, options);
	(void)fclose(fp);

	(void)snprintf(path, sizeof(path), "%.900s/corgi.so", s->folder);
	if (symlink(module, path) == -1)
		cr_assert_fail("%s: %s", path, strerror(errno));
	server_conf_file(s, "limits.conf", NULL);
	server_conf_file(s, "routes.conf", options->routes);
}

/* Make the folder and start kore; whether it comes up is seen elsewhere. */
static struct server *
server_launch(const struct server_options *options)
{
	struct server *s;
	pid_t self;

	(void)signal(SIGPIPE, SIG_IGN);
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		cr_assert_fail("out of memory");
	s->folder = scratch_new();
	s->port = options->port != 0 ? options->port : free_port();
	if (options->data_dir != NULL)
		(void)snprintf(
		    s->data_dir, sizeof(s->data_dir), "%s", options->data_dir);
	else
		(void)snprintf(
		    s->data_dir, sizeof(s->data_dir), "%.900s/data", s->folder);
	server_write_files(s, options);
	if (!names_database(options))
		(void)database_of(s->data_dir);

	self = getpid();
	s->pid = fork();
	if (s->pid == -1)
		cr_assert_fail("fork: %s", strerror(errno));
	if (s->pid == 0) {
		if (getppid() != self)
			_exit(126);
		server_exec(s, options);
	}
	(void)setpgid(s->pid, s->pid);
	return (s);
}

/* Whether the process has ended; remembers how. */
static bool
server_reap(struct server *s)
{
	int status;

	if (!s->ended && waitpid(s->pid, &status, WNOHANG) == s->pid) {
		s->ended = true;
		s->status = process_status(status);
	}
	return (s->ended);
}

static bool
server_answers(int port)
{
	struct raw_response answer;
	struct raw *r;
	bool ok;

	r = raw_try_connect(port);
	if (r == NULL)
		return (false);
	raw_set_wait(r, 500);
	memset(&answer, 0, sizeof(answer));
	ok = raw_send_text(r, PROBE) && raw_read(r, false, &answer) == RAW_OK &&
	    answer.status == 200;
	raw_response_free(&answer);
	raw_close(r);
	return (ok);
}

static bool
port_was_taken(const struct server *s)
{
	char *log;
	bool taken;

	log = server_log(s);
	taken = strstr(log, "bind()") != NULL ||
	    strstr(log, "already in use") != NULL;
	free(log);
	return (taken);
}

struct server *
server_start(const struct server_options *options)
{
	static const struct server_options defaults;
	struct server *s;
	long long end;
	char *log;
	int tries;

	if (options == NULL)
		options = &defaults;
	for (tries = 1;; tries++) {
		s = server_launch(options);
		end = now_ms() + SERVER_START_MS;
		while (!server_reap(s) && now_ms() < end) {
			if (server_answers(s->port) && !server_reap(s))
				return (s);
			sleep_ms(10);
		}
		if (!s->ended || options->port != 0 || tries == START_TRIES ||
		    !port_was_taken(s))
			break;
		server_release(s);
	}
	log = server_log(s);
	(void)fprintf(stderr, "%s", log);
	free(log);
	(void)kill(-s->pid, SIGKILL);
	cr_assert_fail(
	    "the server did not start (status %d)", s->ended ? s->status : -1);
	return (s);
}

static void
server_release(struct server *s)
{
	if (strncmp(s->data_dir, s->folder, strlen(s->folder)) == 0)
		database_forget(s->data_dir);
	scratch_free(s->folder);
	free(s);
}

static void
server_check_log(const struct server *s)
{
	char *log;
	size_t i;
	bool bad;

	log = server_log(s);
	bad = false;
	for (i = 0; always_wrong[i] != NULL; i++) {
		if (strstr(log, always_wrong[i]) != NULL)
			bad = true;
	}
	for (i = 0; crash_words[i] != NULL && !s->crash_expected; i++) {
		if (strstr(log, crash_words[i]) != NULL)
			bad = true;
	}
	if (bad)
		(void)fprintf(stderr, "%s", log);
	cr_expect(!bad, "the server's log tells of a crash or a violation");
	free(log);
}

int
server_stop(struct server *s)
{
	int status;

	if (s == NULL)
		return (-1);
	if (!server_reap(s)) {
		(void)kill(s->pid, SIGTERM);
		(void)server_wait(s, SERVER_STOP_MS);
	}
	if (!s->ended) {
		cr_expect(false, "the server did not stop on SIGTERM");
		(void)kill(-s->pid, SIGKILL);
		(void)server_wait(s, SERVER_STOP_MS);
	}
	server_check_log(s);
	status = s->status;
	server_release(s);
	return (status);
}

void
server_expect_crash(struct server *s)
{
	s->crash_expected = true;
}

/* Ask for protected data until the process has ended; it must never answer. */
static void
expect_silence(const char *row, struct server *s)
{
	struct raw *r;
	long long end;
	size_t bytes;

	end = now_ms() + SERVER_START_MS;
	while (!server_reap(s) && now_ms() < end) {
		r = raw_try_connect(s->port);
		if (r == NULL) {
			sleep_ms(5);
			continue;
		}
		bytes = 0;
		raw_set_wait(r, 500);
		if (raw_send_text(r, INTRUDER))
			(void)raw_read_close(r, &bytes);
		raw_close(r);
		if (bytes == 0)
			continue;
		cr_expect(false, "%s: a request was answered", row);
		return;
	}
}

static void
expect_refusal(const char *row, const struct server_options *options,
    const char *secret, va_list needles)
{
	struct server *s;
	const char *needle;
	char *log;
	bool good;

	s = server_launch(options);
	if (options->port == 0)
		expect_silence(row, s);
	else
		(void)server_wait(s, SERVER_START_MS);
	log = server_log(s);
	good = s->ended && s->status != 0 && s->status < 128;
	cr_expect(s->ended, "%s: the server started", row);
	cr_expect(!s->ended || (s->status != 0 && s->status < 128),
	    "%s: status %d", row, s->status);
	while ((needle = va_arg(needles, const char *)) != NULL) {
		if (strstr(log, needle) != NULL)
			continue;
		good = false;
		cr_expect(false, "%s: the log does not say %s", row, needle);
	}
	if (secret != NULL)
		cr_expect(strstr(log, secret) == NULL,
		    "%s: the log holds the secret", row);
	if (!good)
		(void)fprintf(stderr, "--- %s\n%s", row, log);
	free(log);
	(void)server_stop(s);
}

void
server_expect_refusal(
    const char *row, const struct server_options *options, ...)
{
	va_list needles;

	va_start(needles, options);
	expect_refusal(row, options, NULL, needles);
	va_end(needles);
}

void
server_expect_refusal_quiet(const char *row,
    const struct server_options *options, const char *secret, ...)
{
	va_list needles;

	va_start(needles, secret);
	expect_refusal(row, options, secret, needles);
	va_end(needles);
}

int
server_port(const struct server *s)
{
	return (s->port);
}

pid_t
server_pid(const struct server *s)
{
	return (s->pid);
}

const char *
server_folder(const struct server *s)
{
	return (s->folder);
}

const char *
server_data_dir(const struct server *s)
{
	return (s->data_dir);
}

char *
server_log(const struct server *s)
{
	char path[SERVER_PATH_MAX], *text;

	(void)snprintf(path, sizeof(path), "%.900s/log", s->folder);
	text = file_read(path, NULL);
	if (text == NULL)
		text = strdup("");
	if (text == NULL)
		cr_assert_fail("out of memory");
	return (text);
}

bool
server_log_wait(const struct server *s, const char *text, int ms)
{
	long long end;
	char *log;
	bool found;

	end = now_ms() + ms;
	do {
		log = server_log(s);
		found = strstr(log, text) != NULL;
		free(log);
		if (found)
			return (true);
		sleep_ms(20);
	} while (now_ms() < end);
	return (false);
}

static int
compare_pids(const void *a, const void *b)
{
	pid_t x, y;

	x = *(const pid_t *)a;
	y = *(const pid_t *)b;
	return ((x > y) - (x < y));
}

size_t
server_workers(const struct server *s, pid_t *pids, size_t max)
{
	struct dirent *d;
	DIR *dir;
	size_t n;
	pid_t pid, parent;

	n = 0;
	dir = opendir("/proc");
	if (dir == NULL)
		cr_assert_fail("/proc: %s", strerror(errno));
	while ((d = readdir(dir)) != NULL && n < max) {
		pid = (pid_t)strtol(d->d_name, NULL, 10);
		if (pid > 0 && process_state(pid, &parent) != '\0' &&
		    parent == s->pid)
			pids[n++] = pid;
	}
	(void)closedir(dir);
	qsort(pids, n, sizeof(*pids), compare_pids);
	return (n);
}

int
server_wait(struct server *s, int ms)
{
	long long end;

	end = now_ms() + ms;
	while (!server_reap(s)) {
		if (now_ms() >= end)
			return (-1);
		sleep_ms(5);
	}
	return (s->status);
}
