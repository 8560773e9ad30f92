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
    /*
     * Accounts get a subject, roles, a state and a version; hashes may be as
     * long as those of other programs. AUTOINCREMENT has to go on from where
     * it was, also when the newest account is gone.
     */
    {2,
	"CREATE TABLE users_2 ("
	"  id         INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  name       BLOB NOT NULL UNIQUE"
	"             CHECK (length(name) BETWEEN 1 AND 255),"
	"  subject    BLOB NOT NULL UNIQUE"
	"             CHECK (length(subject) BETWEEN 1 AND 255),"
	"  hash       TEXT NOT NULL CHECK (length(hash) BETWEEN 1 AND 511),"
	"  roles      TEXT NOT NULL CHECK (length(roles) < 1024),"
	"  disabled   INTEGER NOT NULL CHECK (disabled IN (0, 1)),"
	"  version    INTEGER NOT NULL CHECK (version >= 0),"
	"  created_at INTEGER NOT NULL," /* seconds since 1970, UTC */
	"  updated_at INTEGER NOT NULL,"
	/* When the last access token of ended sessions expires. */
	"  access_until INTEGER NOT NULL DEFAULT 0"
	") STRICT;"
	"INSERT INTO users_2"
	"  SELECT id, name, name, hash, '', 0, 0, created_at, updated_at, 0"
	"  FROM users;"
	"DELETE FROM sqlite_sequence WHERE name = 'users_2';"
	"INSERT INTO sqlite_sequence (name, seq)"
	"  SELECT 'users_2', seq FROM sqlite_sequence WHERE name = 'users';"
	"DROP TABLE users;"
	"ALTER TABLE users_2 RENAME TO users;"
	/* Every subject ever given: none is given twice. */
	"CREATE TABLE subjects ("
	"  subject BLOB NOT NULL PRIMARY KEY"
	") STRICT, WITHOUT ROWID;"
	"INSERT INTO subjects SELECT subject FROM users;"
	"CREATE TABLE sessions ("
	"  id           TEXT NOT NULL PRIMARY KEY"
	"               CHECK (length(id) BETWEEN 1 AND 36),"
	"  user_id      INTEGER NOT NULL"
	"               REFERENCES users (id) ON DELETE CASCADE,"
	"  client       TEXT NOT NULL CHECK (length(client) < 46),"
	"  refresh      BLOB NOT NULL CHECK (length(refresh) = 32),"
	"  created_at   INTEGER NOT NULL,"
	"  refreshed_at INTEGER NOT NULL,"
	"  expires_at   INTEGER NOT NULL,"
	"  ends_at      INTEGER NOT NULL,"
	"  access_until INTEGER NOT NULL"
	") STRICT;"
	"CREATE INDEX sessions_user ON sessions (user_id, refreshed_at);"
	"CREATE INDEX sessions_over ON sessions"
	"  (max(min(expires_at, ends_at), access_until));"
	"CREATE TABLE rotations ("
	"  digest      BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),"
	"  session     TEXT NOT NULL"
	"              REFERENCES sessions (id) ON DELETE CASCADE,"
	"  sealed      BLOB NOT NULL CHECK (length(sealed) BETWEEN 1 AND 16384),"
	"  followed_at INTEGER NOT NULL" /* milliseconds since 1970 */
	") STRICT;"
	"CREATE INDEX rotations_session ON rotations (session);"
	"CREATE INDEX rotations_followed ON rotations (followed_at);"
	"CREATE TABLE revocations ("
	"  number  INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  kind    INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 3),"
	"  key     BLOB NOT NULL CHECK (length(key) BETWEEN 1 AND 255),"
	"  version INTEGER NOT NULL,"
	"  before  INTEGER NOT NULL,"
	"  until   INTEGER NOT NULL"
	") STRICT;"
	"CREATE INDEX revocations_key ON revocations (kind, key);"
	"CREATE INDEX revocations_until ON revocations (until);"
	"INSERT INTO schema_migrations VALUES (2, unixepoch());"},
    /*
     * A refresh removes what its session followed long ago. Whoever refreshed
     * over and over had it look at all that was not long ago, too.
     */
    {3,
	"DROP INDEX rotations_session;"
	"CREATE INDEX rotations_session ON rotations (session, followed_at);"
	"INSERT INTO schema_migrations VALUES (3, unixepoch());"},
};

const struct migration *
store_migrations(size_t *count)
{
	*count = sizeof(migrations) / sizeof(migrations[0]);
	return (migrations);
}
