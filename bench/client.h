/*
 * client.h - what the benchmark clients share: a clock and a connection to
 * loopback.
 */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static inline int64_t
now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec);
}

/* Connect to a port of 127.0.0.1, with a receive buffer of that many bytes (0:
 * the kernel's choice). -1 when nobody listens. */
static inline int
dial(int port, int receive_buffer)
{
	struct sockaddr_in sin;
	int fd, one = 1;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return (-1);
	if (receive_buffer > 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer,
		    sizeof(receive_buffer));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_port = htons((uint16_t)port);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1) {
		(void)close(fd);
		return (-1);
	}
	return (fd);
}

/* The same, ending the program when nobody listens. */
static inline int
dial_or_exit(int port, int receive_buffer)
{
	int fd;

	fd = dial(port, receive_buffer);
	if (fd == -1) {
		perror("connect");
		exit(1);
	}
	return (fd);
}

#endif
