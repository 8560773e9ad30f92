/*
 * start.c - how long a Kore service takes from its start to the first answer,
 * and how much memory its processes then hold (PSS of the whole tree, idle).
 *
 *	start NAME CONF PORT PATH ROUNDS
 *
 * Starts "kore -fnr -c CONF" ROUNDS times, one after the other, and asks for
 * PATH on 127.0.0.1:PORT until the answer is 200. Prints median, minimum and
 * maximum of both.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "client.h"

#define ROUNDS_MAX 100
#define WAIT_MS    10000 /* for the first answer */
#define SETTLE_US  500000

static double
now_ms(void)
{
	return ((double)now_ns() / 1e6);
}

static int
answers(int port, const char *path)
{
	char buf[512];
	ssize_t n;
	int fd, len, ok;

	fd = dial(port, 0);
	if (fd == -1)
		return (0);
	len = snprintf(buf, sizeof(buf),
	    "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
	    path);
	ok = 0;
	if (send(fd, buf, (size_t)len, MSG_NOSIGNAL) == len) {
		n = recv(fd, buf, sizeof(buf) - 1, 0);
		buf[n > 0 ? n : 0] = '\0';
		ok = strncmp(buf, "HTTP/1.1 200", 12) == 0;
	}
	(void)close(fd);
	return (ok);
}

/* A number that follows a label in a /proc file; 0 when there is none. */
static long
proc_number(pid_t pid, const char *file, const char *label)
{
	char path[64], line[256];
	long value;
	FILE *fp;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	value = 0;
	fp = fopen(path, "r");
	if (fp == NULL)
		return (0);
	while (fgets(line, sizeof(line), fp) != NULL)
		if (strncmp(line, label, strlen(label)) == 0)
			value = strtol(line + strlen(label), NULL, 10);
	(void)fclose(fp);
	return (value);
}

/* PSS of a process and its children, in kB. */
static long
tree_pss(pid_t parent)
{
	struct dirent *de;
	pid_t pid;
	long sum;
	DIR *dir;

	sum = proc_number(parent, "smaps_rollup", "Pss:");
	dir = opendir("/proc");
	if (dir == NULL)
		return (sum);
	while ((de = readdir(dir)) != NULL) {
		pid = (pid_t)atoi(de->d_name);
		if (pid > 0 && proc_number(pid, "status", "PPid:") == parent)
			sum += proc_number(pid, "smaps_rollup", "Pss:");
	}
	(void)closedir(dir);
	return (sum);
}

static pid_t
start(const char *conf)
{
	pid_t pid;
	int fd;

	pid = fork();
	if (pid != 0)
		return (pid);
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	fd = open("/dev/null", O_WRONLY);
	(void)dup2(fd, STDOUT_FILENO);
	(void)execlp("kore", "kore", "-fnr", "-c", conf, (char *)NULL);
	_exit(127);
}

static int
ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x < y ? -1 : x > y);
}

int
main(int argc, char **argv)
{
	double ms[ROUNDS_MAX], kb[ROUNDS_MAX], begun;
	int i, port, rounds, status;
	pid_t pid;

	rounds = argc == 6 ? atoi(argv[5]) : 0;
	if (rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: start NAME CONF PORT PATH ROUNDS\n");
		return (2);
	}
	port = atoi(argv[3]);

	for (i = 0; i < rounds; i++) {
		begun = now_ms();
		pid = start(argv[2]);
		while (!answers(port, argv[4])) {
			if (now_ms() - begun > WAIT_MS ||
			    waitpid(pid, &status, WNOHANG) == pid) {
				fprintf(stderr, "%s: no answer\n", argv[1]);
				(void)kill(pid, SIGTERM);
				return (1);
			}
			(void)usleep(500);
		}
		ms[i] = now_ms() - begun;
		(void)usleep(SETTLE_US);
		kb[i] = (double)tree_pss(pid);
		(void)kill(pid, SIGTERM);
		(void)waitpid(pid, &status, 0);
	}
	qsort(ms, (size_t)rounds, sizeof(ms[0]), ascending);
	qsort(kb, (size_t)rounds, sizeof(kb[0]), ascending);
	printf("%-12s %9.1f %7.1f %7.1f %13.1f %7.1f %7.1f\n", argv[1],
	    ms[rounds / 2], ms[0], ms[rounds - 1], kb[rounds / 2] / 1024,
	    kb[0] / 1024, kb[rounds - 1] / 1024);
	return (0);
}
