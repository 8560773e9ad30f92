/*
 * abuse_hold.c - connections that a service has to put up with: IDLE ones
 * that have asked once and then keep silent, and SLOW ones, a third each of
 * which send a head, send a body, and read their answers one byte at a time.
 *
 *	abuse_hold PORT IDLE SLOW EVERY_MS SECONDS
 *
 * A slow one does its next byte EVERY_MS after the last; one that the service
 * ends is replaced. Prints "ready" once all are there, and on SIGTERM, or
 * after SECONDS, how they fared. Fails when an idle one was lost. Loopback
 * only.
 */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "client.h"

#define CONNECTIONS_MAX 20000
#define TURN_MS         10 /* slow ones take turns this often */
#define ASKED           50 /* answers a slow reader asks for */
#define RECEIVE_BUFFER  2048

enum kind { SLOW_HEAD, SLOW_BODY, SLOW_READER, KINDS };

struct slow {
	int fd;
	enum kind kind;
	size_t sent;
};

static const char idle_request[] =
    "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
static const char slow_head[] = "GET /protected HTTP/1.1\r\nHost: localhost\r\n"
				"X-Slow: ";
static const char slow_body[] = "POST /login HTTP/1.1\r\nHost: localhost\r\n"
				"Content-Type: application/json\r\n"
				"Content-Length: 16000\r\n\r\n";
static const char reader_request[] =
    "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n";

static volatile sig_atomic_t stopped;
static int port;
static size_t reopened; /* slow connections that the service has ended */

static void
stop(int sig)
{
	(void)sig;
	stopped = 1;
}

static int64_t
now_ms(void)
{
	return (now_ns() / 1000000);
}

static int
hold(int receive_buffer)
{
	struct timeval patience = {.tv_sec = 5};
	int fd;

	fd = dial_or_exit(port, receive_buffer);
	(void)setsockopt(
	    fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return (fd);
}

/* A connection that has been used once, as those of browsers are. */
static int
open_idle(void)
{
	char buf[1024];
	ssize_t n;
	int fd;

	fd = hold(0);
	n = -1;
	if (send(fd, idle_request, sizeof(idle_request) - 1, MSG_NOSIGNAL) > 0)
		n = recv(fd, buf, sizeof(buf), 0);
	if (n < 12 || memcmp(buf, "HTTP/1.1 200", 12) != 0) {
		fprintf(
		    stderr, "abuse_hold: an idle connection has no answer\n");
		exit(1);
	}
	return (fd);
}

static void
open_slow(struct slow *s)
{
	size_t i;

	s->sent = 0;
	s->fd = hold(s->kind == SLOW_READER ? RECEIVE_BUFFER : 0);
	if (s->kind == SLOW_BODY)
		(void)send(s->fd, slow_body, sizeof(slow_body) - 1,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
	for (i = 0; s->kind == SLOW_READER && i < ASKED; i++)
		(void)send(s->fd, reader_request, sizeof(reader_request) - 1,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* One byte more. An answer to a slow sender is its end: it took too long. */
static void
act(struct slow *s)
{
	char buf[1024], byte;
	ssize_t n;

	n = recv(
	    s->fd, buf, s->kind == SLOW_READER ? 1 : sizeof(buf), MSG_DONTWAIT);
	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EWOULDBLOCK) ||
	    (n > 0 && s->kind != SLOW_READER)) {
		(void)close(s->fd);
		reopened++;
		open_slow(s);
		return;
	}
	if (s->kind == SLOW_READER)
		return;
	byte = 'a';
	if (s->kind == SLOW_HEAD && s->sent < sizeof(slow_head) - 1)
		byte = slow_head[s->sent];
	(void)send(s->fd, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	s->sent++;
}

/* Give the slow ones their turns, spread evenly, until it is time to stop. */
static void
run(struct slow *slow, size_t count, int64_t every, int64_t end)
{
	struct timespec turn = {.tv_nsec = TURN_MS * 1000000L};
	int64_t start;
	size_t done, due, i;

	start = now_ms();
	done = 0;
	while (!stopped && now_ms() < end) {
		due = (size_t)((now_ms() - start) * (int64_t)count / every);
		for (i = 0; done < due && i < count; i++, done++)
			act(&slow[done % count]);
		(void)nanosleep(&turn, NULL);
	}
}

static size_t
still_open(const int *idle, size_t count)
{
	size_t i, alive;
	char byte;

	alive = 0;
	for (i = 0; i < count; i++)
		if (recv(idle[i], &byte, 1, MSG_DONTWAIT) == -1 &&
		    (errno == EAGAIN || errno == EWOULDBLOCK))
			alive++;
	return (alive);
}

static void
catch_stop(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = stop;
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGINT, &action, NULL);
}

int
main(int argc, char **argv)
{
	static struct slow slow[CONNECTIONS_MAX];
	static int idle[CONNECTIONS_MAX];
	struct rlimit files;
	size_t nidle, nslow, i;
	double seconds;
	int64_t every;

	if (argc != 6) {
		fprintf(stderr,
		    "usage: abuse_hold PORT IDLE SLOW EVERY_MS "
		    "SECONDS\n");
		return (2);
	}
	port = atoi(argv[1]);
	nidle = strtoul(argv[2], NULL, 10);
	nslow = strtoul(argv[3], NULL, 10);
	every = strtol(argv[4], NULL, 10);
	seconds = atof(argv[5]);
	if (nidle > CONNECTIONS_MAX || nslow > CONNECTIONS_MAX || every < 1 ||
	    seconds <= 0 || seconds > 300)
		return (2);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	catch_stop();

	for (i = 0; i < nidle; i++)
		idle[i] = open_idle();
	for (i = 0; i < nslow; i++) {
		slow[i].kind = (enum kind)(i % KINDS);
		open_slow(&slow[i]);
	}
	printf("ready\n");
	(void)fflush(stdout);

	run(slow, nslow, every, now_ms() + (int64_t)(seconds * 1000));
	i = still_open(idle, nidle);
	printf("idle=%zu of %zu slow=%zu reopened=%zu\n", i, nidle, nslow,
	    reopened);
	return (i != nidle);
}
