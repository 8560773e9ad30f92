/*
 * nodes.h - two nodes, each with a data folder and a role of its own, on one
 * PostgreSQL database.
 */
#ifndef CORGI_TEST_NODES_H
#define CORGI_TEST_NODES_H

#include <stdbool.h>

#include "raw.h"
#include "server.h"

/* How long what has to happen on a node may take at most (milliseconds). */
#define NODES_PATIENCE_MS 20000

struct nodes {
	char *folder; /* that the database goes with */
	char roles[2][32];
	struct server *a;
	struct server *b;
	unsigned int workers; /* of each; 0: two */
	const char *key;      /* of the next one; NULL: TOK_SECRET */
};

/* The nodes of the running test. */
extern struct nodes nodes;

/* Make and remove folder, database and roles: what a suite begins and ends
 * with. Skipped where there is no server. */
void nodes_begin(void);
void nodes_end(void);

/*
 * Start the first (0) or second (1) node with its workers, up to four settings
 * (NULL at the end; NULL: none) and routes (NULL: the usual ones). The first
 * makes the tables, and has to have been there before the second.
 */
struct server *
nodes_start(int which, const char *const *settings, const char *routes);

/* Start both, with one setting. */
void nodes_start_both(const char *setting, const char *routes);

/* Make an account in the database. */
void nodes_add_account(const char *name, const char *password);

/* As when the network between the second node and the database is cut. */
void nodes_cut_off(void);
void nodes_connect_again(void);

/* Send the same request n times, to both nodes in turn and at once, and read the
 * answers; release each. */
void nodes_ask_at_once(const char *text, struct raw_response *answers, int n);

/* How many failed logins of an account or address corgictl knows of on a node,
 * and whether it comes to be so many. */
int nodes_counted(const struct server *node, const char *name);
bool nodes_hears(const struct server *node, const char *name, int failures);

#endif
