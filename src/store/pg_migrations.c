#include "store/pg_migrations.h"

/*
 * Names are bytea: compared byte for byte, embedded NULs included, whatever
 * the collation of the database. All numbers are bigint, and the limits of a
 * row are those of store.h, so a row that has been tampered with is found when
 * it is written and not when it is read. An identity never gives a number
 * twice, also not that of a removed account.
 *
 * A sealed successor is as good as random: it is not worth compressing.
 */
static const struct pg_migration migrations[] = {
    {1,
	"CREATE TABLE schema_migrations ("
	"  version    bigint PRIMARY KEY,"
	"  applied_at bigint NOT NULL" /* seconds since 1970, UTC */
	");"
	"CREATE TABLE users ("
	"  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
	"  name         bytea NOT NULL UNIQUE"
	"               CHECK (length(name) BETWEEN 1 AND 255),"
	"  subject      bytea NOT NULL UNIQUE"
	"               CHECK (length(subject) BETWEEN 1 AND 255),"
	"  hash         text COLLATE \"C\" NOT NULL"
	"               CHECK (octet_length(hash) BETWEEN 1 AND 511),"
	"  roles        text COLLATE \"C\" NOT NULL"
	"               CHECK (octet_length(roles) < 1024),"
	"  disabled     bigint NOT NULL CHECK (disabled IN (0, 1)),"
	"  version      bigint NOT NULL CHECK (version >= 0),"
	"  created_at   bigint NOT NULL," /* seconds since 1970, UTC */
	"  updated_at   bigint NOT NULL,"
	/* When the last access token of ended sessions expires. */
	"  access_until bigint NOT NULL DEFAULT 0"
	");"
	/* Every subject ever given: none is given twice. */
	"CREATE TABLE subjects (subject bytea PRIMARY KEY);"
	"CREATE TABLE sessions ("
	"  id           text COLLATE \"C\" PRIMARY KEY"
	"               CHECK (octet_length(id) BETWEEN 1 AND 36),"
	"  user_id      bigint NOT NULL"
	"               REFERENCES users (id) ON DELETE CASCADE,"
	"  client       text NOT NULL CHECK (octet_length(client) < 46),"
	"  refresh      bytea NOT NULL CHECK (length(refresh) = 32),"
	"  created_at   bigint NOT NULL,"
	"  refreshed_at bigint NOT NULL,"
	"  expires_at   bigint NOT NULL,"
	"  ends_at      bigint NOT NULL,"
	"  access_until bigint NOT NULL"
	");"
	"CREATE INDEX sessions_user ON sessions (user_id, refreshed_at);"
	"CREATE INDEX sessions_over ON sessions"
	"  (greatest(least(expires_at, ends_at), access_until));"
	"CREATE TABLE rotations ("
	"  digest       bytea PRIMARY KEY CHECK (length(digest) = 32),"
	"  session      text COLLATE \"C\" NOT NULL"
	"               REFERENCES sessions (id) ON DELETE CASCADE,"
	"  sealed       bytea NOT NULL"
	"               CHECK (length(sealed) BETWEEN 1 AND 16384),"
	"  followed_at  bigint NOT NULL" /* milliseconds since 1970 */
	");"
	"ALTER TABLE rotations ALTER sealed SET STORAGE EXTERNAL;"
	"CREATE INDEX rotations_session ON rotations (session);"
	"CREATE INDEX rotations_followed ON rotations (followed_at);"
	"CREATE TABLE revocations ("
	"  number  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
	"  kind    bigint NOT NULL CHECK (kind BETWEEN 1 AND 3),"
	"  key     bytea NOT NULL CHECK (length(key) BETWEEN 1 AND 255),"
	"  version bigint NOT NULL,"
	"  before  bigint NOT NULL,"
	"  until   bigint NOT NULL"
	");"
	"CREATE INDEX revocations_key ON revocations (kind, key);"
	"CREATE INDEX revocations_until ON revocations (until);"
	"INSERT INTO schema_migrations"
	"  VALUES (1, extract(epoch FROM now())::bigint);"},
    /*
     * Unlogged: what is of use for an hour is not worth the disk, the backups
     * and the standby servers. It is empty after a crash of the server, its
     * numbers begin anew, and who follows it finds that out.
     */
    {2,
	"CREATE UNLOGGED TABLE attempts ("
	"  number  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
	"  node    bigint NOT NULL,"
	"  serial  bigint NOT NULL,"
	"  at      bigint NOT NULL," /* the server's clock; ms since 1970 */
	"  kind    bigint NOT NULL CHECK (kind BETWEEN 1 AND 6),"
	"  account bytea CHECK (length(account) = 16)," /* a keyed hash */
	"  address bytea NOT NULL CHECK (length(address) = 16),"
	"  name    bytea CHECK (length(name) BETWEEN 1 AND 255),"
	"  UNIQUE (node, serial)"
	");"
	"INSERT INTO schema_migrations"
	"  VALUES (2, extract(epoch FROM now())::bigint);"},
    /* A refresh removes what its session followed long ago, and does not look
     * at the rest. */
    {3,
	"DROP INDEX rotations_session;"
	"CREATE INDEX rotations_session ON rotations (session, followed_at);"
	"INSERT INTO schema_migrations"
	"  VALUES (3, extract(epoch FROM now())::bigint);"},
};

const struct pg_migration *
pg_migrations(size_t *count)
{
	*count = sizeof(migrations) / sizeof(migrations[0]);
	return (migrations);
}
