/*
 * load.c - clients for the login benchmark: some that log in as fast as they
 * are answered, some that use a guarded route at a steady pace, all keeping
 * their connection. Loopback only, bounded in time.
 *
 *	load PORT TOKEN SECONDS LOGINS GUARDED PACE
 *
 * LOGINS and GUARDED are numbers of clients, PACE is requests per second of
 * each guarded client (0: as fast as they are answered). The account is the
 * demo account. Prints one line of name=value pairs, latencies in
 * microseconds.
 */
#include <pthread.h>
#include <stdbool.h>

#include "client.h"

#define CLIENTS_MAX 64
#define SAMPLES_MAX 400000
#define ANSWER_MAX  8192

static const char credentials[] =
    "{\"username\":\"cosmo\",\"password\":\"space-corgi\"}";

struct client {
	pthread_t thread;
	char request[ANSWER_MAX];
	size_t request_len;
	int port;
	unsigned int pace;
	int64_t end_ns;
	uint32_t *samples; /* microseconds */
	size_t count;
	size_t refused; /* answers other than 200 */
	bool failed;    /* the connection broke */
};

/* One request and its whole answer; the status, or -1. *last says whether the
 * connection ends with it. */
static int
ask(int fd, const struct client *c, bool *last)
{
	char buf[ANSWER_MAX + 1];
	const char *body, *length;
	size_t have;
	ssize_t n;

	if (send(fd, c->request, c->request_len, MSG_NOSIGNAL) !=
	    (ssize_t)c->request_len)
		return (-1);
	for (have = 0; have < ANSWER_MAX; have += (size_t)n) {
		n = recv(fd, buf + have, ANSWER_MAX - have, 0);
		if (n <= 0)
			return (-1);
		buf[have + (size_t)n] = '\0';
		body = strstr(buf, "\r\n\r\n");
		length = strstr(buf, "Content-Length: ");
		if (body != NULL && length != NULL &&
		    (size_t)(body + 4 - buf) + strtoul(length + 16, NULL, 10) <=
			have + (size_t)n) {
			*last = strstr(buf, "Connection: close") != NULL;
			return ((int)strtol(buf + 9, NULL, 10));
		}
	}
	return (-1);
}

static void *
client_run(void *arg)
{
	struct client *c = arg;
	struct timespec ts;
	int64_t start, next;
	int fd, status;
	bool last;

	fd = dial_or_exit(c->port, 0);
	next = now_ns();
	while ((start = now_ns()) < c->end_ns && c->count < SAMPLES_MAX) {
		status = ask(fd, c, &last);
		if (status == -1) {
			c->failed = true;
			break;
		}
		/* What is answered later is not of this time. */
		if (now_ns() > c->end_ns)
			break;
		c->samples[c->count++] = (uint32_t)((now_ns() - start) / 1000);
		if (status != 200)
			c->refused++;
		if (last) {
			(void)close(fd);
			fd = dial_or_exit(c->port, 0);
		}
		if (c->pace == 0)
			continue;
		next += 1000000000 / c->pace;
		ts.tv_sec = next / 1000000000;
		ts.tv_nsec = next % 1000000000;
		(void)clock_nanosleep(
		    CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
	}
	(void)close(fd);
	return (NULL);
}

static int
ascending(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x < y ? -1 : x > y);
}

/* Sum up clients [first, last) under a name. */
static int
report(const char *name, struct client *clients, size_t first, size_t last,
    double seconds)
{
	size_t i, n, refused;
	uint32_t *all;
	int failed;

	n = refused = 0;
	failed = 0;
	for (i = first; i < last; i++) {
		n += clients[i].count;
		refused += clients[i].refused;
		failed |= clients[i].failed;
	}
	all = calloc(n + 1, sizeof(*all));
	if (all == NULL)
		return (1);
	n = 0;
	for (i = first; i < last; i++) {
		memcpy(all + n, clients[i].samples,
		    clients[i].count * sizeof(*all));
		n += clients[i].count;
	}
	qsort(all, n, sizeof(*all), ascending);
	printf("%s_rate=%.1f %s_p50=%u %s_p99=%u %s_max=%u %s_refused=%zu ",
	    name, (double)n / seconds, name, n ? all[n / 2] : 0, name,
	    n ? all[n * 99 / 100] : 0, name, n ? all[n - 1] : 0, name, refused);
	free(all);
	return (failed);
}

int
main(int argc, char **argv)
{
	static struct client clients[CLIENTS_MAX];
	size_t i, logins, guarded;
	double seconds;
	int failed;

	if (argc != 7) {
		fprintf(stderr,
		    "usage: load PORT TOKEN SECONDS LOGINS GUARDED PACE\n");
		return (2);
	}
	seconds = atof(argv[3]);
	logins = strtoul(argv[4], NULL, 10);
	guarded = strtoul(argv[5], NULL, 10);
	if (seconds <= 0 || seconds > 300 || logins + guarded > CLIENTS_MAX)
		return (2);

	for (i = 0; i < logins + guarded; i++) {
		struct client *c = &clients[i];

		c->port = atoi(argv[1]);
		c->samples = malloc(SAMPLES_MAX * sizeof(*c->samples));
		if (c->samples == NULL)
			return (1);
		c->end_ns = now_ns() + (int64_t)(seconds * 1e9);
		if (i < logins) {
			c->request_len =
			    (size_t)snprintf(c->request, sizeof(c->request),
				"POST /login HTTP/1.1\r\nHost: localhost\r\n"
				"Content-Type: application/json\r\n"
				"Content-Length: %zu\r\n\r\n%s",
				sizeof(credentials) - 1, credentials);
		} else {
			c->pace = (unsigned int)strtoul(argv[6], NULL, 10);
			c->request_len =
			    (size_t)snprintf(c->request, sizeof(c->request),
				"GET /protected HTTP/1.1\r\nHost: localhost\r\n"
				"Authorization: Bearer %s\r\n\r\n",
				argv[2]);
		}
		if (pthread_create(&c->thread, NULL, client_run, c) != 0)
			return (1);
	}
	for (i = 0; i < logins + guarded; i++)
		(void)pthread_join(clients[i].thread, NULL);

	failed = report("login", clients, 0, logins, seconds);
	failed |= report("guarded", clients, logins, logins + guarded, seconds);
	printf("\n");
	return (failed);
}
