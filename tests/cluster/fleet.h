/*
 * fleet.h - two nodes of the service, a PostgreSQL server and nginx, all of a
 * test's own and on loopback, put together from what is in deploy/: the
 * secrets, the database's role and nginx's configuration are made by the files
 * there.
 *
 * What cannot be had ends the test (cr_assert_fail). Call these from a test's
 * main thread.
 */
#ifndef CORGI_TEST_FLEET_H
#define CORGI_TEST_FLEET_H

#include <stdbool.h>

#include "server.h"

#define FLEET_NODES 2

struct fleet;

/* What nginx has written of the requests so far. */
struct fleet_log {
	unsigned int requests;
	unsigned int repeated; /* sent to more than one node, or twice */
	unsigned int s500, s502, s503, s504; /* answered with that status */
};

/*
 * Start all of it. setting: one more NAME=value for the nodes; without: a text
 * of nginx.conf that is left out, as a control (both NULL: none).
 */
struct fleet *fleet_start(const char *setting, const char *without);

/* Stop what still runs and remove all that was made. */
void fleet_stop(struct fleet *f);

/* Where nginx listens, and where a node does (127.0.0.1). */
int fleet_port(const struct fleet *f);
int fleet_node_port(const struct fleet *f, int i);

/* A node's processes; NULL while it is stopped. */
struct server *fleet_node(const struct fleet *f, int i);

/* Stop a node with SIGTERM, which has to end with status 0, or all of its
 * processes with SIGKILL. */
void fleet_node_stop(struct fleet *f, int i);
void fleet_node_kill(struct fleet *f, int i);

/* Start it again, and wait until its /ready answers 200. */
void fleet_node_start(struct fleet *f, int i);

/* Kill one of a node's two workers with SIGKILL, once both are there. */
void fleet_worker_kill(struct fleet *f, int i);

/* End the database's server, mode as for pg_ctl ("fast", "immediate"), or
 * start it again. */
void fleet_database_stop(struct fleet *f, const char *mode);
void fleet_database_start(struct fleet *f);

/* Wait until both nodes' /ready answers 200. */
void fleet_ready(const struct fleet *f);

/* Add an account with corgictl, as on the first node's machine. Its exit
 * status. Any thread. */
int fleet_add(const struct fleet *f, const char *name, const char *password);

struct fleet_log fleet_read_log(const struct fleet *f);

/* How long a test goes on with its rounds: CLUSTER_SECONDS from the
 * environment, or seconds; in milliseconds. */
long long fleet_duration(int seconds);

#endif
