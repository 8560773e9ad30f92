/*
 * capacity.h - how many connections a worker takes: what the configuration
 * asks for, or fewer where the system allows fewer open files; and that Kore
 * takes memory for those that are there, not for those that might come.
 */
#ifndef CORGI_CAPACITY_H
#define CORGI_CAPACITY_H

#include "base/config.h"

/*
 * In the parent, after Kore has read its configuration and before it makes the
 * workers. Sets the limits of open files, says in the log when connections
 * have to be fewer than configured, and makes Kore's own limits small until
 * capacity_restore().
 */
void capacity_settle(const struct config *config);

/* In each worker, first of all: Kore has made its pools by then, and accepts
 * nothing yet. Gives Kore's limits their values back. */
void capacity_restore(void);

/* Connections that a worker takes; it refuses more. Any process, after
 * capacity_settle(). */
unsigned int capacity_connections(void);

#endif
