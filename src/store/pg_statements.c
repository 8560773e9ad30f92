#include "store/pg_statements.h"

#include "store/store_copy.h"

#define USER_COLUMNS                                                           \
	"id, name, subject, hash, roles, disabled, version, created_at,"       \
	" updated_at"

#define SESSION_COLUMNS                                                        \
	"id, user_id, client, created_at, refreshed_at, expires_at, ends_at,"  \
	" access_until, refresh"

/*
 * Advisory locks are known by two numbers, ours by the letters "Corg" and one
 * of these. They are those of one database of the server.
 */
#define LOCK_MIGRATION "1131377255, 1"
#define LOCK_LOG       "1131377255, 2"
#define LOCK_OPEN      "1131377255, 3"
#define LOCK_ATTEMPTS  "1131377255, 4"

/* Locks that nobody waits for: that of a key, its number being the second one,
 * is shared by all connections of services that have it. */
#define LOCK_KEYS "1131377256"

/* The database of this connection, in pg_locks. */
#define THIS_DATABASE                                                          \
	"(SELECT oid FROM pg_catalog.pg_database"                              \
	" WHERE datname = current_database())"

/* Whoever listens to these, in the same database, is told of every row of a
 * log when it can be seen. */
#define CHANNEL          "corgi_revocations"
#define CHANNEL_ATTEMPTS "corgi_attempts"

/* The server's clock as it is now (milliseconds since 1970). */
#define CLOCK_MS "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"

/*
 * Rows are locked in one order: account, session, log. Whoever takes a part of
 * these locks in that order waits for nobody who waits for him; and who only
 * cleans up (PURGE) passes over what is locked.
 */
const char *const pg_statement_sql[PG__MAX] = {
    [PG_FIND] = "SELECT " USER_COLUMNS " FROM users WHERE name = $1",
    [PG_FIND_SUBJECT] = "SELECT " USER_COLUMNS " FROM users WHERE subject = $1",
    [PG_LOCK_ID] =
	"SELECT " USER_COLUMNS " FROM users WHERE id = $1 FOR UPDATE",
    [PG_SHARE_SESSION_USER] =
	"SELECT " USER_COLUMNS " FROM users"
	" WHERE id = (SELECT user_id FROM sessions WHERE id = $1) FOR SHARE",
    [PG_ADD] = "INSERT INTO users (name, subject, hash, roles, disabled,"
	       " version, created_at, updated_at)"
	       " VALUES ($1, $2, $3, $4, $5, 0, $6, $7)"
	       " ON CONFLICT DO NOTHING RETURNING id",
    [PG_SET_HASH] = "UPDATE users SET hash = $2, updated_at = $3"
		    " WHERE id = $1 AND ($4::text IS NULL OR hash = $4)",
    [PG_SET_DISABLED] =
	"UPDATE users SET disabled = $2, updated_at = $3 WHERE id = $1",
    [PG_SET_ROLES] =
	"UPDATE users SET roles = $2, updated_at = $3 WHERE id = $1",
    [PG_SET_NAME] = "UPDATE users SET name = $2, updated_at = $3 WHERE id = $1",
    [PG_RAISE_VERSION] =
	"UPDATE users SET version = version + $2,"
	" access_until = greatest(access_until, $3) WHERE id = $1",
    [PG_DELETE] = "DELETE FROM users WHERE id = $1",
    [PG_EACH] = "SELECT " USER_COLUMNS " FROM users WHERE name > $1"
		" ORDER BY name LIMIT $2",
    [PG_COUNT] = "SELECT count(*) FROM users",
    [PG_SUBJECT_TAKE] =
	"INSERT INTO subjects (subject) VALUES ($1) ON CONFLICT DO NOTHING",
    [PG_SESSION_ADD] =
	"INSERT INTO sessions (id, user_id, client, refresh,"
	" created_at, refreshed_at, expires_at, ends_at, access_until)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
    [PG_SESSION_FIND] =
	"SELECT " SESSION_COLUMNS " FROM sessions WHERE id = $1",
    [PG_SESSION_LOCK] =
	"SELECT " SESSION_COLUMNS " FROM sessions WHERE id = $1 FOR UPDATE",
    [PG_SESSION_EACH] =
	"SELECT " SESSION_COLUMNS " FROM sessions"
	" WHERE user_id = $1 AND expires_at > $2 AND ends_at > $2"
	" ORDER BY refreshed_at DESC, created_at DESC, id",
    [PG_SESSION_COUNT] =
	"SELECT count(*) FROM sessions"
	" WHERE user_id = $1 AND expires_at > $2 AND ends_at > $2",
    [PG_SESSION_OLDEST] =
	"SELECT " SESSION_COLUMNS " FROM sessions"
	" WHERE user_id = $1 AND expires_at > $2 AND ends_at > $2"
	" ORDER BY refreshed_at, created_at, id LIMIT 1 FOR UPDATE",
    [PG_SESSION_ROTATE] =
	"UPDATE sessions SET refresh = $2, client = $3,"
	" refreshed_at = $4, expires_at = $5,"
	" access_until = greatest(access_until, $6) WHERE id = $1",
    [PG_SESSION_USED] =
	"UPDATE sessions SET"
	" access_until = greatest(access_until, $2) WHERE id = $1",
    [PG_SESSION_DELETE] = "DELETE FROM sessions WHERE id = $1",
    [PG_ACCESS_UNTIL] =
	"SELECT greatest(access_until, (SELECT max(access_until)"
	" FROM sessions WHERE user_id = $1)) FROM users WHERE id = $1",
    [PG_SESSIONS_DELETE] = "DELETE FROM sessions WHERE user_id = $1",
    [PG_ROTATION_ADD] =
	"INSERT INTO rotations (digest, session, sealed, followed_at)"
	" VALUES ($1, $2, $3, $4) ON CONFLICT (digest) DO UPDATE"
	" SET session = excluded.session, sealed = excluded.sealed,"
	" followed_at = excluded.followed_at",
    [PG_ROTATION_FIND] = "SELECT sealed, followed_at FROM rotations"
			 " WHERE digest = $1 AND session = $2"
			 " AND followed_at > $3 AND followed_at <= $4",
    [PG_ROTATION_PRUNE] =
	"DELETE FROM rotations WHERE session = $1 AND followed_at <= $2",
    [PG_REVOCATION_LOCK] = "SELECT pg_advisory_xact_lock(" LOCK_LOG ")",
    [PG_REVOCATION_ADD] =
	"WITH added AS (INSERT INTO revocations"
	" (kind, key, version, before, until) VALUES ($1, $2, $3, $4, $5)"
	" RETURNING number)"
	" SELECT number, pg_notify('" CHANNEL "', '') FROM added",
    [PG_REVOCATION_REPLACE] =
	"DELETE FROM revocations WHERE kind = $1 AND key = $2",
    [PG_REVOCATION_EACH] =
	"SELECT number, kind, key, version, before, until FROM revocations"
	" WHERE number > $1 AND until > $2 ORDER BY number LIMIT $3",
    [PG_PURGE_SESSIONS] =
	"DELETE FROM sessions WHERE id = ANY (ARRAY (SELECT id FROM sessions"
	" WHERE greatest(least(expires_at, ends_at), access_until) <= $1"
	" LIMIT $2 FOR UPDATE SKIP LOCKED))",
    [PG_PURGE_ROTATIONS] =
	"DELETE FROM rotations WHERE digest = ANY (ARRAY (SELECT digest"
	" FROM rotations WHERE followed_at <= $1"
	" LIMIT $2 FOR UPDATE SKIP LOCKED))",
    [PG_PURGE_REVOCATIONS] =
	"DELETE FROM revocations WHERE number = ANY (ARRAY (SELECT number"
	" FROM revocations WHERE until <= $1"
	" LIMIT $2 FOR UPDATE SKIP LOCKED))",
    [PG_CHANGE_MARK] = "SELECT coalesce(max(number), 0) FROM revocations",
    [PG_KEY_HOLD] = "SELECT CASE WHEN pg_try_advisory_lock_shared(" LOCK_KEYS
		    ", $1::bigint::int4) THEN 1 ELSE 0 END::bigint",
    /* There the number is an oid, which knows no sign. */
    [PG_KEY_OTHER] =
	"SELECT coalesce(min(objid::bigint), 0) FROM pg_catalog.pg_locks"
	" WHERE locktype = 'advisory' AND classid = " LOCK_KEYS
	" AND objsubid = 2 AND objid::bigint <> $1 AND granted"
	" AND database = " THIS_DATABASE,
    /*
     * All in one statement: what the client does, or how far away it is, does
     * not make the lock last. It is had before the first number is given,
     * which happens to rows that have been put in order.
     */
    [PG_ATTEMPT_ADD] =
	"WITH locked AS MATERIALIZED (SELECT"
	" pg_advisory_xact_lock(" LOCK_ATTEMPTS "),"
	" set_config('synchronous_commit', 'off', true)),"
	" added AS (INSERT INTO attempts (node, serial, at, kind, account,"
	" address, name)"
	" SELECT node, serial, " CLOCK_MS " - age, kind,"
	" decode(account, 'hex'), decode(address, 'hex'), decode(name, 'hex')"
	" FROM locked, json_to_recordset($1::json) AS r (node bigint,"
	" serial bigint, age bigint, kind bigint, account text, address text,"
	" name text)"
	" ORDER BY serial ON CONFLICT DO NOTHING RETURNING number)"
	" SELECT pg_notify('" CHANNEL_ATTEMPTS "', max(number)::text)"
	" FROM added HAVING count(*) > 0",
    [PG_ATTEMPT_EACH] = "SELECT number, node, serial, " CLOCK_MS " - at, kind,"
			" account, address, name FROM attempts"
			" WHERE number > $1 ORDER BY number LIMIT $2",
    [PG_ATTEMPT_MARK] = "SELECT coalesce(max(number), 0) FROM attempts",
    /* The lowest first: the highest number that is left says what has been
     * seen, as long as one is left. */
    [PG_ATTEMPT_PURGE] =
	"DELETE FROM attempts WHERE number = ANY (ARRAY (SELECT number"
	" FROM attempts WHERE number <= greatest("
	"(SELECT max(number) FROM attempts) - $2, (SELECT max(number)"
	" FROM attempts WHERE at <= " CLOCK_MS " - $1))"
	" ORDER BY number LIMIT $3 FOR UPDATE SKIP LOCKED))",
};

/*
 * pg_temp comes last, or a table in it would hide ours. synchronous_commit: what
 * has been acknowledged is on the disk, whatever the server's default; a
 * stricter one stays.
 */
const char pg_statement_settings[] =
    "SELECT set_config('search_path', 'corgi, pg_temp', false),"
    " set_config('statement_timeout', $1, false),"
    " set_config('lock_timeout', $1, false),"
    " set_config('idle_in_transaction_session_timeout', $2, false),"
    " set_config('default_transaction_isolation', 'read committed', false),"
    " set_config('synchronous_commit',"
    " CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'"
    " ELSE current_setting('synchronous_commit') END, false),"
    " CASE WHEN pg_try_advisory_lock_shared(" LOCK_OPEN ")"
    " THEN 1 ELSE 0 END::bigint";

const char pg_statement_session[] = "SELECT pg_backend_pid()::bigint";

/*
 * By the catalog's rows. to_regclass() answers from what the session remembers,
 * and what another has made while this one waited for the lock is not in there.
 */
const char pg_statement_has_schema[] =
    "SELECT count(*), count(c.oid) FROM pg_catalog.pg_namespace n"
    " LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid"
    " AND c.relname = 'schema_migrations' WHERE n.nspname = 'corgi'";

const char pg_statement_schema_version[] =
    "SELECT coalesce(max(version), 0) FROM corgi.schema_migrations";

const char pg_statement_migration_lock[] =
    "SELECT pg_advisory_xact_lock(" LOCK_MIGRATION ")";

const char pg_statement_is_unfinished[] =
    "SELECT count(*) FROM pg_catalog.pg_class c"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = 'corgi' AND c.relname = '" COPY_MARK "'";

const char pg_statement_alone[] =
    "SELECT CASE WHEN pg_try_advisory_lock(" LOCK_OPEN ")"
    " THEN 1 ELSE 0 END::bigint";

/* One number of the lock is its class, the other its object. */
const char pg_statement_others[] =
    "SELECT count(*) FROM pg_catalog.pg_locks WHERE locktype = 'advisory'"
    " AND (classid, objid) = (" LOCK_OPEN ") AND granted"
    " AND pid <> pg_backend_pid() AND database = " THIS_DATABASE;

/* A copy of the server's files has the same two numbers. */
const char pg_statement_identity[] =
    "SELECT 'postgresql:' ||"
    " (SELECT system_identifier FROM pg_catalog.pg_control_system())"
    " || '/' || " THIS_DATABASE;

const char pg_statement_listen[] =
    "LISTEN " CHANNEL "; LISTEN " CHANNEL_ATTEMPTS;
const char pg_statement_channel_attempts[] = CHANNEL_ATTEMPTS;

const char pg_statement_ping[] =
    "SET LOCAL statement_timeout = 500; SET LOCAL lock_timeout = 500;"
    " SELECT EXISTS (SELECT 1 FROM users)";
