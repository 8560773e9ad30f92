/*
 * pg_migrations.h - the steps that lead from an empty PostgreSQL database to
 * the tables this program works with. Versions of their own: they have nothing
 * to do with those of the SQLite file.
 */
#ifndef CORGI_PG_MIGRATIONS_H
#define CORGI_PG_MIGRATIONS_H

#include <stddef.h>

/*
 * One step. Runs in a transaction of its own, in the schema "corgi", and
 * records itself with a row in schema_migrations. A released step is never
 * edited: a change is a new step.
 */
struct pg_migration {
	int version;
	const char *sql;
};

/* All steps in the order of their versions, which start at 1; *count steps. */
const struct pg_migration *pg_migrations(size_t *count);

#endif
