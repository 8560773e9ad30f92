#include "store/migrations.h"

/*
 * STRICT tables hold every column to its type, so a row that has been
 * tampered with is found when it is written and not when it is read. Names
 * are BLOBs: compared byte for byte, embedded NULs included, without case
 * folding. AUTOINCREMENT keeps the id of a removed account from coming back.
 */
static const struct migration migrations[] = {
    {1,
	"CREATE TABLE schema_migrations ("
	"  version    INTEGER PRIMARY KEY,"
	"  applied_at INTEGER NOT NULL" /* seconds since 1970, UTC */
	") STRICT;"
	"CREATE TABLE users ("
	"  id         INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  name       BLOB NOT NULL UNIQUE"
	"             CHECK (length(name) BETWEEN 1 AND 255),"
	"  hash       TEXT NOT NULL CHECK (length(hash) BETWEEN 1 AND 127),"
	"  created_at INTEGER NOT NULL," /* seconds since 1970, UTC */
	"  updated_at INTEGER NOT NULL"
	") STRICT;"
	"INSERT INTO schema_migrations VALUES (1, unixepoch());"
	"PRAGMA application_id = 1131377255;"}, /* STORE_APPLICATION_ID */
};

const struct migration *
store_migrations(size_t *count)
{
	*count = sizeof(migrations) / sizeof(migrations[0]);
	return (migrations);
}
