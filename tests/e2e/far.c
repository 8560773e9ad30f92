/*
 * far.c - a PostgreSQL server in a network of its own.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "database.h"
#include "far.h"
#include "process.h"
#include "tok.h"

static void far_run(char *);
static void far_serve(unsigned int, int, int) __attribute__((noreturn));

/* The server's folder; its address for whoever reaches the folder. NULL: there
 * is none. */
static char *folder, *local;

/* Run a command, and free() its text. */
static void
far_run(char *command)
{
	if (system(command) != 0)
		cr_assert_fail("%s", command);
	free(command);
}

/* In the process whose network the server is in, which goes with it. */
static void
far_serve(unsigned int wires, int ready, int go)
{
	char byte = unshare(CLONE_NEWNET) == 0, *url;
	char line[SERVER_PATH_MAX] = "";
	unsigned int i;

	if (write(ready, &byte, 1) != 1 || read(go, &byte, 1) != 1)
		_exit(1);
	far_run(strdup("ip link set lo up"));
	for (i = 0; i < wires; i++)
		far_run(text_of("ip link set wire%u up; "
				"ip address add 10.77.%u.2/24 dev wire%u",
		    i, i, i));
	url = database_server(folder, "start", "0.0.0.0");
	(void)snprintf(line, sizeof(line), "%s", url);
	if (write(ready, line, sizeof(line)) == (ssize_t)sizeof(line))
		(void)!read(go, &byte, 1);
	_exit(0);
}

bool
far_start(unsigned int wires)
{
	char line[SERVER_PATH_MAX], byte = 0;
	int ready[2], go[2];
	unsigned int i;
	PGconn *conn;
	pid_t there;

	if (unshare(CLONE_NEWNET) == -1)
		return (false);
	folder = scratch_new();
	cr_assert(pipe(ready) == 0 && pipe(go) == 0);
	if ((there = fork()) == 0) {
		(void)close(go[1]);
		far_serve(wires, ready[1], go[0]);
	}
	cr_assert(read(ready[0], &byte, 1) == 1 && byte == 1);
	far_run(strdup("ip link set lo up"));
	for (i = 0; i < wires; i++)
		far_run(text_of("ip link add node%u type veth"
				" peer name wire%u netns %d &&"
				" ip link set node%u up &&"
				" ip address add 10.77.%u.1/24 dev node%u",
		    i, i, (int)there, i, i, i));
	cr_assert(write(go[1], "", 1) == 1);
	cr_assert(read(ready[0], line, sizeof(line)) == sizeof(line));
	local = strdup(line);
	conn = far_administrator();
	PQclear(PQexec(conn,
	    "CREATE ROLE corgi LOGIN PASSWORD 'pw';"
	    "GRANT CREATE ON DATABASE postgres TO corgi"));
	PQfinish(conn);
	return (true);
}

void
far_stop(void)
{
	if (local == NULL)
		return;
	free(database_server(folder, "stop", NULL));
	free(local);
	local = NULL;
	scratch_free(folder);
}

PGconn *
far_administrator(void)
{
	PGconn *conn = PQconnectdb(local);

	cr_assert(PQstatus(conn) == CONNECTION_OK, "%s", PQerrorMessage(conn));
	return (conn);
}

char *
far_setting(unsigned int wire)
{
	const char *port = strstr(local, "port=") + strlen("port=");

	return (text_of("CORGI_DATABASE=postgresql://corgi:pw@10.77.%u.2:%.*s"
			"/postgres",
	    wire, (int)strcspn(port, "&"), port));
}

void
far_cut(unsigned int wire)
{
	far_run(text_of("ip link set node%u down", wire));
}

void
far_mend(unsigned int wire)
{
	far_run(text_of("ip link set node%u up", wire));
}
