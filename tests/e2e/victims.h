/*
 * victims.h - kill workers, and know whose connections went with them.
 */
#ifndef CORGI_TEST_VICTIMS_H
#define CORGI_TEST_VICTIMS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Kill a worker with -9. It is stopped first, so that its connections can be
 * written down: the other ends' ports of the sockets that it holds on the
 * service's port. Returns how many there were.
 */
size_t victims_kill(pid_t worker, int service_port);

/* Whether the connection from that local port, opened at that time, was one of
 * them. Any thread. */
bool victims_lost(int port, long long opened);

/* Sockets of a process that are connections on the service's port. */
size_t victims_connections(pid_t worker, int service_port);

#endif
