/*
 * victims.c - kill workers, and know whose connections went with them.
 */
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "process.h"
#include "victims.h"

/* Most sockets of one process that are looked at. */
#define SOCKETS_MAX 4096

/* When the connection from a port was lost last (now_ms()), by port. */
static long long lost_at[65536];
static pthread_mutex_t lost_lock = PTHREAD_MUTEX_INITIALIZER;

static size_t sockets_of(pid_t, unsigned long *, size_t);
static size_t peers_of(pid_t, int, int *, size_t);
static int compare(const void *, const void *);

static int
compare(const void *a, const void *b)
{
	unsigned long x = *(const unsigned long *)a;
	unsigned long y = *(const unsigned long *)b;

	return ((x > y) - (x < y));
}

/* The inodes of a process's sockets, in order. */
static size_t
sockets_of(pid_t pid, unsigned long *inodes, size_t max)
{
	char folder[64], path[SERVER_PATH_MAX], link[64];
	struct dirent *d;
	ssize_t len;
	size_t n;
	DIR *dir;

	(void)snprintf(folder, sizeof(folder), "/proc/%d/fd", (int)pid);
	dir = opendir(folder);
	if (dir == NULL)
		return (0);
	n = 0;
	while ((d = readdir(dir)) != NULL && n < max) {
		(void)snprintf(path, sizeof(path), "%s/%s", folder, d->d_name);
		len = readlink(path, link, sizeof(link) - 1);
		if (len <= 0)
			continue;
		link[len] = '\0';
		if (sscanf(link, "socket:[%lu]", &inodes[n]) == 1)
			n++;
	}
	(void)closedir(dir);
	qsort(inodes, n, sizeof(*inodes), compare);
	return (n);
}

/* The other ends' ports of its connections on the service's port. */
static size_t
peers_of(pid_t pid, int service_port, int *ports, size_t max)
{
	static unsigned long inodes[SOCKETS_MAX];
	unsigned int local, remote;
	char *at, *line, *table;
	unsigned long inode;
	size_t count, n;

	count = sockets_of(pid, inodes, SOCKETS_MAX);
	table = file_read("/proc/net/tcp", NULL);
	if (table == NULL)
		cr_assert_fail("/proc/net/tcp cannot be read");
	n = 0;
	for (line = strtok_r(table, "\n", &at); line != NULL && n < max;
	     line = strtok_r(NULL, "\n", &at)) {
		if (sscanf(line,
			" %*d: %*x:%x %*x:%x %*x %*x:%*x %*x:%*x %*x %*d %*d "
			"%lu",
			&local, &remote, &inode) == 3 &&
		    (int)local == service_port && remote != 0 &&
		    bsearch(&inode, inodes, count, sizeof(inode), compare) !=
			NULL)
			ports[n++] = (int)remote;
	}
	free(table);
	return (n);
}

size_t
victims_kill(pid_t worker, int service_port)
{
	static int ports[SOCKETS_MAX];
	long long end, now;
	size_t i, n;

	(void)kill(worker, SIGSTOP);
	end = now_ms() + 5000;
	while (process_state(worker, NULL) != 'T' && now_ms() < end)
		sleep_ms(1);
	n = peers_of(worker, service_port, ports, SOCKETS_MAX);
	now = now_ms();
	(void)pthread_mutex_lock(&lost_lock);
	for (i = 0; i < n; i++)
		lost_at[ports[i]] = now;
	(void)pthread_mutex_unlock(&lost_lock);
	(void)kill(worker, SIGKILL);
	return (n);
}

bool
victims_lost(int port, long long opened)
{
	bool lost;

	(void)pthread_mutex_lock(&lost_lock);
	lost = port > 0 && port < 65536 && lost_at[port] >= opened;
	(void)pthread_mutex_unlock(&lost_lock);
	return (lost);
}

size_t
victims_connections(pid_t worker, int service_port)
{
	static int ports[SOCKETS_MAX];

	return (peers_of(worker, service_port, ports, SOCKETS_MAX));
}
