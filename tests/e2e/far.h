/*
 * far.h - a PostgreSQL server of a test's own in a network of its own, at the
 * other end of one or more wires that the test can cut: nothing is refused then
 * and nothing answered, packets just do not arrive.
 */
#ifndef CORGI_TEST_FAR_H
#define CORGI_TEST_FAR_H

#include <stdbool.h>

#include <postgresql/libpq-fe.h>

/* Most wires. */
#define FAR_WIRES_MAX 4

/*
 * Start the server with so many wires to it and a role for the service. False
 * where no network may be made; what else goes wrong ends the test. The test's
 * process is in a network of its own from then on. Call it from the main
 * thread, before others are started.
 */
bool far_start(unsigned int wires);

/* Stop it; nothing when there is none. */
void far_stop(void);

/* "CORGI_DATABASE=" and the server by way of a wire; free() it. */
char *far_setting(unsigned int wire);

/* Take a wire away, or bring it back. */
void far_cut(unsigned int wire);
void far_mend(unsigned int wire);

/* The server's administrator, by a way that is never cut; PQfinish() it. */
PGconn *far_administrator(void);

#endif
