/*
 * abuse_flood.c - a client that announces a body of five bytes and then sends
 * MEGABYTES, as fast as they are taken, over and over.
 *
 *	abuse_flood PORT MEGABYTES TIMES EVERY_MS SECONDS
 *
 * The next begins EVERY_MS after the last one did, or when that has ended.
 * Ends after TIMES connections or SECONDS. Prints how many connections there
 * were, and of the bytes that one could get rid of the median, the least and
 * the most, buffers of the kernel included. Loopback only.
 */
#include <errno.h>

#include "client.h"

#define TIMES_MAX  100000
#define PATIENCE_S 10 /* for a service that takes nothing */

static const char head[] = "POST /login HTTP/1.1\r\nHost: localhost\r\n"
			   "Content-Type: application/json\r\n"
			   "Content-Length: 5\r\n\r\n";

static int64_t
now_ms(void)
{
	return (now_ns() / 1000000);
}

/*
 * Send until the service ends the connection, or all of it: the first bytes
 * too many leave together with the head. Returns the bytes sent; -1 when the
 * service neither took more nor ended it.
 */
static int64_t
flood(int port, int64_t bytes, int64_t end)
{
	static char junk[65536];
	struct timeval patience = {.tv_sec = PATIENCE_S};
	int64_t sent;
	ssize_t n;
	int fd;

	memset(junk, 'a', sizeof(junk));
	memcpy(junk, head, sizeof(head) - 1);
	fd = dial_or_exit(port, 0);
	(void)setsockopt(
	    fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	sent = 0;
	while (sent < bytes && now_ms() < end) {
		n = send(fd, junk, sizeof(junk), MSG_NOSIGNAL);
		if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
			sent = -1;
		if (n <= 0)
			break;
		sent += n;
		memset(junk, 'a', sizeof(head) - 1);
	}
	(void)close(fd);
	return (sent);
}

static int
ascending(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x < y ? -1 : x > y);
}

int
main(int argc, char **argv)
{
	static int64_t sent[TIMES_MAX];
	int64_t bytes, end, begun;
	int count, every, port, times;
	double seconds;

	if (argc != 6) {
		fprintf(stderr,
		    "usage: abuse_flood PORT MEGABYTES TIMES "
		    "EVERY_MS SECONDS\n");
		return (2);
	}
	port = atoi(argv[1]);
	bytes = (int64_t)strtoul(argv[2], NULL, 10) * 1000000;
	times = atoi(argv[3]);
	every = atoi(argv[4]);
	seconds = atof(argv[5]);
	if (times < 1 || every < 0 || times > TIMES_MAX || seconds <= 0 ||
	    seconds > 300)
		return (2);

	end = now_ms() + (int64_t)(seconds * 1000);
	for (count = 0; count < times && now_ms() < end; count++) {
		begun = now_ms();
		sent[count] = flood(port, bytes, end);
		if (sent[count] == -1) {
			fprintf(stderr,
			    "abuse_flood: the service neither reads nor ends\n");
			return (1);
		}
		while (count + 1 < times && now_ms() < begun + every)
			(void)usleep(1000);
	}
	qsort(sent, (size_t)count, sizeof(sent[0]), ascending);
	printf("connections=%d median_kb=%lld min_kb=%lld max_kb=%lld\n", count,
	    (long long)sent[count / 2] / 1000, (long long)sent[0] / 1000,
	    (long long)sent[count - 1] / 1000);
	return (0);
}
