/*
 * nginx.c - the real nginx before the service, for one test.
 */
#include <sys/prctl.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "nginx.h"
#include "ports.h"
#include "process.h"
#include "raw.h"

/* How long a start and a stop may take (milliseconds). */
#define NGINX_WAIT_MS 10000

struct nginx {
	pid_t pid;
	int port;
	char *folder;
};

/* One process, so that its pid is all there is to stop, and no path outside
 * its folder, so that nobody's rights matter. */
static const char conf_head[] = "daemon off;\n"
				"master_process off;\n"
				"pid nginx.pid;\n"
				"error_log error.log warn;\n"
				"events { worker_connections 512; }\n"
				"http {\n"
				"access_log off;\n"
				"client_body_temp_path body;\n"
				"proxy_temp_path proxy;\n"
				"fastcgi_temp_path fastcgi;\n"
				"uwsgi_temp_path uwsgi;\n"
				"scgi_temp_path scgi;\n";

static void nginx_write_conf(const struct nginx *, const char *);
static void nginx_exec(const struct nginx *) __attribute__((noreturn));
static bool nginx_ended(struct nginx *, int);

static void
nginx_write_conf(const struct nginx *n, const char *http)
{
	char path[SERVER_PATH_MAX];
	const char *at;
	FILE *fp;

	(void)snprintf(path, sizeof(path), "%.900s/nginx.conf", n->folder);
	fp = fopen(path, "we");
	if (fp == NULL)
		cr_assert_fail("%s cannot be written", path);
	(void)fputs(conf_head, fp);
	while ((at = strstr(http, "@PORT@")) != NULL) {
		(void)fwrite(http, 1, (size_t)(at - http), fp);
		(void)fprintf(fp, "%d", n->port);
		http = at + strlen("@PORT@");
	}
	(void)fprintf(fp, "%s}\n", http);
	(void)fclose(fp);
}

/* In the child. */
static void
nginx_exec(const struct nginx *n)
{
	char prefix[SERVER_PATH_MAX], errors[SERVER_PATH_MAX];
	int log;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)snprintf(prefix, sizeof(prefix), "%.900s/", n->folder);
	(void)snprintf(errors, sizeof(errors), "%.900s/error.log", n->folder);
	log = open(errors, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	(void)dup2(log, STDOUT_FILENO);
	(void)dup2(log, STDERR_FILENO);
	(void)close_range(STDERR_FILENO + 1, ~0U, 0);
	(void)setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	(void)execlp("nginx", "nginx", "-p", prefix, "-c", "nginx.conf", "-e",
	    "error.log", (char *)NULL);
	_exit(127);
}

struct nginx *
nginx_start(const char *http)
{
	struct nginx *n;
	struct raw *r;
	long long end;
	char *log;

	n = calloc(1, sizeof(*n));
	if (n == NULL)
		cr_assert_fail("out of memory");
	n->folder = scratch_new();
	n->port = steady_port();
	nginx_write_conf(n, http);
	n->pid = fork();
	if (n->pid == -1)
		cr_assert_fail("fork");
	if (n->pid == 0)
		nginx_exec(n);
	end = now_ms() + NGINX_WAIT_MS;
	while (now_ms() < end && !nginx_ended(n, 0)) {
		r = raw_try_connect(n->port);
		if (r != NULL) {
			raw_close(r);
			return (n);
		}
		sleep_ms(10);
	}
	log = nginx_log(n);
	(void)fprintf(stderr, "%s", log == NULL ? "" : log);
	free(log);
	cr_assert_fail("nginx did not start");
	return (NULL);
}

/* Whether it has ended, or does within ms milliseconds. */
static bool
nginx_ended(struct nginx *n, int ms)
{
	long long end = now_ms() + ms;

	while (n->pid != -1) {
		if (waitpid(n->pid, NULL, WNOHANG) == n->pid)
			n->pid = -1;
		else if (now_ms() >= end)
			return (false);
		else
			sleep_ms(5);
	}
	return (true);
}

void
nginx_stop(struct nginx *n)
{
	if (n->pid != -1)
		(void)kill(n->pid, SIGTERM);
	if (!nginx_ended(n, NGINX_WAIT_MS)) {
		cr_expect(false, "nginx did not stop");
		(void)kill(n->pid, SIGKILL);
		(void)nginx_ended(n, NGINX_WAIT_MS);
	}
	scratch_free(n->folder);
	free(n);
}

int
nginx_port(const struct nginx *n)
{
	return (n->port);
}

char *
nginx_log(const struct nginx *n)
{
	char path[SERVER_PATH_MAX];

	(void)snprintf(path, sizeof(path), "%.900s/error.log", n->folder);
	return (file_read(path, NULL));
}
