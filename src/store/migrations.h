/*
 * migrations.h - the steps that lead from an empty database to the schema
 * this program works with.
 */
#ifndef CORGI_MIGRATIONS_H
#define CORGI_MIGRATIONS_H

#include <stddef.h>

/* Marks a database file as ours (the letters "Corg"). */
#define STORE_APPLICATION_ID 0x436f7267

/*
 * One step. Runs in a transaction of its own and records itself with a row in
 * schema_migrations. A released step is never edited: a change is a new step.
 */
struct migration {
	int version;
	const char *sql;
};

/* All steps in the order of their versions, which start at 1; *count steps. */
const struct migration *store_migrations(size_t *count);

#endif
