/*
 * process.c - files, programs and processes, for tests.
 */
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <linux/capability.h>
#include <netinet/in.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "database.h"
#include "process.h"

/* Longest run of a program (milliseconds). */
#define RUN_MS 30000

/* Scratch folders that may be left when a test ends early. */
#define SCRATCH_MAX 64

/* A child under way, and what has come from it so far. */
struct running {
	pid_t pid;
	int in;
	int out;
	const char *input;
	size_t input_len;
	struct run_result result;
};

/* The folders of this test that are still there; removed when it exits. */
static char *scratch[SCRATCH_MAX];

static void scratch_remove(const char *);
static void scratch_sweep(void);
static int remove_entry(const char *, const struct stat *, int, struct FTW *);
static int count_descriptors(pid_t, const char *);
static long status_field_kb(pid_t, const char *, const char *);
static void run_child(const char *const *, const char *const *, int, int);
static void run_feed(struct running *);
static bool run_drain(struct running *);
static void
run_start(struct running *, const char *const *, const char *const *);
static bool run_pump(struct running *);

void
sleep_ms(int ms)
{
	struct timespec ts;

	ts.tv_sec = ms / 1000;
	ts.tv_nsec = (long)(ms % 1000) * 1000000L;
	while (nanosleep(&ts, &ts) == -1 && errno == EINTR)
		;
}

long long
now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000);
}

int
free_port(void)
{
	struct sockaddr_in sin;
	socklen_t len;
	int fd, port;

	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	len = sizeof(sin);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1 || bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    getsockname(fd, (struct sockaddr *)&sin, &len) == -1)
		cr_assert_fail("no free port: %s", strerror(errno));
	port = ntohs(sin.sin_port);
	(void)close(fd);
	return (port);
}

char *
scratch_new(void)
{
	static bool registered;
	const char *base;
	char *path;
	size_t i;

	base = getenv("TMPDIR");
	if (base == NULL || *base == '\0')
		base = "/tmp";
	if (asprintf(&path, "%s/corgi-e2e.XXXXXX", base) == -1)
		cr_assert_fail("out of memory");
	if (mkdtemp(path) == NULL)
		cr_assert_fail("%s: %s", path, strerror(errno));
	for (i = 0; i < SCRATCH_MAX && scratch[i] != NULL; i++)
		continue;
	if (i < SCRATCH_MAX)
		scratch[i] = strdup(path);
	if (!registered) {
		(void)atexit(scratch_sweep);
		registered = true;
	}
	return (path);
}

static void
scratch_remove(const char *path)
{
	(void)nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* A failed assertion leaves a test in its middle. */
static void
scratch_sweep(void)
{
	size_t i;

	for (i = 0; i < SCRATCH_MAX; i++) {
		if (scratch[i] != NULL)
			scratch_remove(scratch[i]);
	}
}

static int
remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	(void)remove(path);
	return (0);
}

void
scratch_free(char *path)
{
	size_t i;

	if (path == NULL)
		return;
	database_forget(path);
	scratch_remove(path);
	for (i = 0; i < SCRATCH_MAX; i++) {
		if (scratch[i] != NULL && strcmp(scratch[i], path) == 0) {
			free(scratch[i]);
			scratch[i] = NULL;
		}
	}
	free(path);
}

void
file_write(const char *path, const void *data, size_t len)
{
	const char *p;
	ssize_t n;
	int fd;

	p = data;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd == -1)
		cr_assert_fail("%s: %s", path, strerror(errno));
	while (len > 0) {
		n = write(fd, p, len);
		if (n == -1)
			cr_assert_fail("%s: %s", path, strerror(errno));
		p += n;
		len -= (size_t)n;
	}
	(void)close(fd);
}

char *
file_read(const char *path, size_t *len)
{
	size_t used, size, n;
	char *text;
	FILE *fp;

	fp = fopen(path, "re");
	if (fp == NULL)
		return (NULL);
	used = 0;
	size = 4096;
	text = malloc(size);
	if (text == NULL)
		cr_assert_fail("out of memory");
	while ((n = fread(text + used, 1, size - used - 1, fp)) > 0) {
		used += n;
		if (size - used > 1)
			continue;
		size *= 2;
		text = realloc(text, size);
		if (text == NULL)
			cr_assert_fail("out of memory");
	}
	text[used] = '\0';
	(void)fclose(fp);
	if (len != NULL)
		*len = used;
	return (text);
}

/* The checkout is the nearest folder upwards that holds conf/routes.conf. */
const char *
corgi_root(void)
{
	static char root[SERVER_PATH_MAX];
	char probe[SERVER_PATH_MAX + 32], *slash;
	const char *env;

	env = getenv("CORGI_ROOT");
	if (env != NULL && *env != '\0')
		return (env);
	if (getcwd(root, sizeof(root)) == NULL)
		cr_assert_fail("getcwd: %s", strerror(errno));
	for (;;) {
		(void)snprintf(
		    probe, sizeof(probe), "%s/conf/routes.conf", root);
		if (access(probe, R_OK) == 0)
			return (root);
		slash = strrchr(root, '/');
		if (slash == NULL || slash == root)
			cr_assert_fail("CORGI_ROOT is not set");
		*slash = '\0';
	}
}

const char *
corgi_module(void)
{
	static char path[SERVER_PATH_MAX];
	const char *env;

	env = getenv("CORGI_MODULE");
	if (env != NULL && *env != '\0')
		return (env);
	(void)snprintf(
	    path, sizeof(path), "%.900s/build/corgi/corgi.so", corgi_root());
	return (path);
}

const char *
corgi_module_prod(void)
{
	static char path[SERVER_PATH_MAX];
	const char *env;

	env = getenv("CORGI_MODULE_PROD");
	if (env != NULL && *env != '\0')
		return (env);
	(void)snprintf(path, sizeof(path), "%.900s/build/prod/corgi/corgi.so",
	    corgi_root());
	return (path);
}

const char *
corgi_ctl(void)
{
	static char path[SERVER_PATH_MAX];
	const char *env;

	env = getenv("CORGI_CTL");
	if (env != NULL && *env != '\0')
		return (env);
	(void)snprintf(
	    path, sizeof(path), "%.900s/build/corgictl", corgi_root());
	return (path);
}

/* The number behind a word in /proc/PID/FILE. */
static long
status_field_kb(pid_t pid, const char *file, const char *word)
{
	char path[64], *text, *hit;
	long kb;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	text = file_read(path, NULL);
	if (text == NULL)
		return (0);
	kb = 0;
	hit = strstr(text, word);
	if (hit != NULL)
		kb = strtol(hit + strlen(word), NULL, 10);
	free(text);
	return (kb);
}

long
process_rss_kb(pid_t pid)
{
	return (status_field_kb(pid, "status", "\nVmRSS:"));
}

long
process_pss_kb(pid_t pid)
{
	return (status_field_kb(pid, "smaps_rollup", "\nPss:"));
}

int
process_fds(pid_t pid)
{
	return (count_descriptors(pid, ""));
}

int
process_sockets(pid_t pid)
{
	return (count_descriptors(pid, "socket:"));
}

bool
process_limit_files(unsigned int files)
{
	const struct rlimit limit = {.rlim_cur = files, .rlim_max = files};

	/* Root loses this with the next program; others do not have it. */
	(void)prctl(PR_CAPBSET_DROP, CAP_SYS_RESOURCE, 0, 0, 0);
	return (setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

/* Those whose link begins so. */
static int
count_descriptors(pid_t pid, const char *begin)
{
	char path[64], link[32];
	struct dirent *d;
	ssize_t len;
	DIR *dir;
	int n;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (dir == NULL)
		return (-1);
	n = 0;
	while ((d = readdir(dir)) != NULL) {
		if (d->d_name[0] == '.')
			continue;
		len = readlinkat(dirfd(dir), d->d_name, link, sizeof(link));
		if (len >= (ssize_t)strlen(begin) &&
		    memcmp(link, begin, strlen(begin)) == 0)
			n++;
	}
	(void)closedir(dir);
	return (n);
}

char
process_state(pid_t pid, pid_t *parent)
{
	char path[64], state, *text, *after;
	int ppid;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	text = file_read(path, NULL);
	if (text == NULL)
		return ('\0');
	state = '\0';
	after = strrchr(text, ')');
	if (after == NULL || sscanf(after + 1, " %c %d", &state, &ppid) != 2 ||
	    state == 'Z' || state == 'X')
		state = '\0';
	if (state != '\0' && parent != NULL)
		*parent = (pid_t)ppid;
	free(text);
	return (state);
}

bool
process_gone(pid_t pid, int ms)
{
	long long end;

	end = now_ms() + ms;
	while (process_state(pid, NULL) != '\0') {
		if (now_ms() >= end)
			return (false);
		sleep_ms(10);
	}
	return (true);
}

int
process_status(int status)
{
	if (WIFSIGNALED(status))
		return (128 + WTERMSIG(status));
	return (WEXITSTATUS(status));
}

/* In the child: never returns. */
static void
run_child(const char *const *argv, const char *const *env, int in, int out)
{
	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)dup2(in, STDIN_FILENO);
	(void)dup2(out, STDOUT_FILENO);
	(void)dup2(out, STDERR_FILENO);
	(void)close_range(STDERR_FILENO + 1, ~0U, 0);
	(void)execvpe(
	    argv[0], (char *const *)(void *)argv, (char *const *)(void *)env);
	_exit(127);
}

/* Write some of the input; closes the pipe after the last byte. */
static void
run_feed(struct running *r)
{
	ssize_t n;

	n = write(r->in, r->input, r->input_len);
	if (n > 0) {
		r->input += n;
		r->input_len -= (size_t)n;
	}
	if (n == -1 || r->input_len == 0) {
		(void)close(r->in);
		r->in = -1;
	}
}

/* Read some of the output; false at its end. */
static bool
run_drain(struct running *r)
{
	char buf[4096], *bigger;
	ssize_t n;

	n = read(r->out, buf, sizeof(buf));
	if (n <= 0)
		return (false);
	bigger = realloc(r->result.out, r->result.out_len + (size_t)n + 1);
	if (bigger == NULL)
		cr_assert_fail("out of memory");
	r->result.out = bigger;
	memcpy(bigger + r->result.out_len, buf, (size_t)n);
	r->result.out_len += (size_t)n;
	bigger[r->result.out_len] = '\0';
	return (true);
}

/* Start a program with pipes to and from it. */
static void
run_start(struct running *r, const char *const *argv, const char *const *env)
{
	static const char *const path_only[] = {
	    "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
	int in[2], out[2];

	(void)signal(SIGPIPE, SIG_IGN);
	if (pipe2(in, O_CLOEXEC) == -1 || pipe2(out, O_CLOEXEC) == -1)
		cr_assert_fail("pipe: %s", strerror(errno));
	r->pid = fork();
	if (r->pid == -1)
		cr_assert_fail("fork: %s", strerror(errno));
	if (r->pid == 0)
		run_child(argv, env != NULL ? env : path_only, in[0], out[1]);
	(void)close(in[0]);
	(void)close(out[1]);
	r->in = in[1];
	r->out = out[0];
	if (r->input_len == 0) {
		(void)close(r->in);
		r->in = -1;
	}
}

/* Move bytes until the program closes its output; false out of time. */
static bool
run_pump(struct running *r)
{
	struct pollfd fds[2];
	long long end;

	end = now_ms() + RUN_MS;
	while (now_ms() < end) {
		fds[0] = (struct pollfd){.fd = r->out, .events = POLLIN};
		fds[1] = (struct pollfd){.fd = r->in, .events = POLLOUT};
		if (poll(fds, 2, 100) == -1)
			continue;
		if (fds[1].revents != 0 && r->in != -1)
			run_feed(r);
		if (fds[0].revents != 0 && !run_drain(r))
			return (true);
	}
	return (false);
}

struct run_result
run_program(const char *const *argv, const char *const *env, const void *input,
    size_t input_len)
{
	struct running r;
	int status;

	memset(&r, 0, sizeof(r));
	r.input = input;
	r.input_len = input == NULL ? 0 : input_len;
	r.result.out = calloc(1, 1);
	run_start(&r, argv, env);
	if (!run_pump(&r)) {
		(void)kill(-r.pid, SIGKILL);
		cr_expect(false, "%s did not end", argv[0]);
	}
	if (r.in != -1)
		(void)close(r.in);
	(void)close(r.out);
	while (waitpid(r.pid, &status, 0) == -1 && errno == EINTR)
		;
	r.result.status = process_status(status);
	return (r.result);
}

void
run_free(struct run_result *r)
{
	free(r->out);
	memset(r, 0, sizeof(*r));
}
