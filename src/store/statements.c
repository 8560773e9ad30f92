#include "store/statements.h"

#include "store/store_copy.h"

#define USER_COLUMNS                                                           \
	"id, name, subject, hash, roles, disabled, version, created_at,"       \
	" updated_at"

#define SESSION_COLUMNS                                                        \
	"id, user_id, client, created_at, refreshed_at, expires_at, ends_at,"  \
	" access_until"

const char *const statement_sql[STATEMENT__MAX] = {
    [STATEMENT_FIND] = "SELECT " USER_COLUMNS " FROM users WHERE name = ?1",
    [STATEMENT_FIND_SUBJECT] =
	"SELECT " USER_COLUMNS " FROM users WHERE subject = ?1",
    [STATEMENT_FIND_ID] = "SELECT " USER_COLUMNS " FROM users WHERE id = ?1",
    [STATEMENT_ADD] = "INSERT INTO users (name, subject, hash, roles, disabled,"
		      " version, created_at, updated_at)"
		      " VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7)",
    [STATEMENT_SET_HASH] = "UPDATE users SET hash = ?2, updated_at = ?3"
			   " WHERE id = ?1 AND (?4 IS NULL OR hash = ?4)",
    [STATEMENT_SET_DISABLED] = "UPDATE users SET disabled = ?2, updated_at = ?3"
			       " WHERE id = ?1",
    [STATEMENT_SET_ROLES] =
	"UPDATE users SET roles = ?2, updated_at = ?3 WHERE id = ?1",
    [STATEMENT_SET_NAME] =
	"UPDATE users SET name = ?2, updated_at = ?3 WHERE id = ?1",
    [STATEMENT_RAISE_VERSION] =
	"UPDATE users SET version = version + ?2,"
	" access_until = max(access_until, ?3) WHERE id = ?1",
    [STATEMENT_DELETE] = "DELETE FROM users WHERE id = ?1",
    [STATEMENT_EACH] = "SELECT " USER_COLUMNS " FROM users ORDER BY name",
    [STATEMENT_COUNT] = "SELECT count(*) FROM users",
    [STATEMENT_SUBJECT_TAKE] = "INSERT INTO subjects (subject) VALUES (?1)",
    [STATEMENT_SESSION_ADD] =
	"INSERT INTO sessions (id, user_id, client, refresh,"
	" created_at, refreshed_at, expires_at, ends_at, access_until)"
	" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [STATEMENT_SESSION_FIND] =
	"SELECT " SESSION_COLUMNS ", refresh FROM sessions WHERE id = ?1",
    [STATEMENT_SESSION_EACH] =
	"SELECT " SESSION_COLUMNS ", refresh FROM sessions"
	" WHERE user_id = ?1 AND expires_at > ?2 AND ends_at > ?2"
	" ORDER BY refreshed_at DESC, created_at DESC, id",
    [STATEMENT_SESSION_COUNT] =
	"SELECT count(*) FROM sessions"
	" WHERE user_id = ?1 AND expires_at > ?2 AND ends_at > ?2",
    [STATEMENT_SESSION_OLDEST] =
	"SELECT " SESSION_COLUMNS ", refresh FROM sessions"
	" WHERE user_id = ?1 AND expires_at > ?2 AND ends_at > ?2"
	" ORDER BY refreshed_at, created_at, id LIMIT 1",
    [STATEMENT_SESSION_ROTATE] =
	"UPDATE sessions SET refresh = ?2, client = ?3,"
	" refreshed_at = ?4, expires_at = ?5,"
	" access_until = max(access_until, ?6) WHERE id = ?1",
    [STATEMENT_SESSION_USED] =
	"UPDATE sessions SET"
	" access_until = max(access_until, ?2) WHERE id = ?1",
    [STATEMENT_SESSION_DELETE] = "DELETE FROM sessions WHERE id = ?1",
    [STATEMENT_ACCESS_UNTIL] =
	"SELECT max(access_until, (SELECT coalesce(max(access_until), 0)"
	" FROM sessions WHERE user_id = ?1)) FROM users WHERE id = ?1",
    [STATEMENT_SESSIONS_DELETE] = "DELETE FROM sessions WHERE user_id = ?1",
    [STATEMENT_ROTATION_ADD] =
	"INSERT OR REPLACE INTO rotations"
	" (digest, session, sealed, followed_at) VALUES (?1, ?2, ?3, ?4)",
    [STATEMENT_ROTATION_FIND] = "SELECT sealed, followed_at FROM rotations"
				" WHERE digest = ?1 AND session = ?2"
				" AND followed_at > ?3 AND followed_at <= ?4",
    [STATEMENT_ROTATION_PRUNE] = "DELETE FROM rotations"
				 " WHERE session = ?1 AND followed_at <= ?2",
    [STATEMENT_REVOCATION_ADD] =
	"INSERT INTO revocations"
	" (kind, key, version, before, until) VALUES (?1, ?2, ?3, ?4, ?5)",
    [STATEMENT_REVOCATION_REPLACE] =
	"DELETE FROM revocations WHERE kind = ?1 AND key = ?2",
    [STATEMENT_REVOCATION_EACH] =
	"SELECT number, kind, key, version, before, until"
	" FROM revocations WHERE number > ?1 AND until > ?2 ORDER BY number",
    [STATEMENT_PURGE_SESSIONS] =
	"DELETE FROM sessions WHERE rowid IN (SELECT rowid FROM sessions"
	" WHERE max(min(expires_at, ends_at), access_until) <= ?1 LIMIT ?2)",
    [STATEMENT_PURGE_ROTATIONS] =
	"DELETE FROM rotations WHERE rowid IN (SELECT rowid"
	" FROM rotations WHERE followed_at <= ?1 LIMIT ?2)",
    [STATEMENT_PURGE_REVOCATIONS] =
	"DELETE FROM revocations WHERE number IN (SELECT"
	" number FROM revocations WHERE until <= ?1 LIMIT ?2)",
    [STATEMENT_CHANGE_MARK] = "PRAGMA data_version",
    /* Four bytes in the head of every SQLite file that SQLite leaves to its
     * user: no program before this one has read or written them. */
    [STATEMENT_KEY_KEPT] = "PRAGMA user_version",
    [STATEMENT_PING] = "SELECT EXISTS (SELECT 1 FROM users)",
};

/* mmap_size 0: a file that shrinks under a mapping would end the process. */
const char statement_connect[] =
    "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;"
    "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -512;"
    "PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL;";

const char statement_identify[] =
    "SELECT CASE WHEN application_id = 0 AND"
    " NOT EXISTS (SELECT 1 FROM sqlite_schema)"
    " THEN -1 ELSE application_id END FROM pragma_application_id";

const char statement_is_wal[] =
    "SELECT journal_mode = 'wal' FROM pragma_journal_mode";

const char statement_has_schema[] =
    "SELECT count(*) FROM sqlite_schema"
    " WHERE type = 'table' AND name = 'schema_migrations'";

const char statement_schema_version[] =
    "SELECT max(version) FROM schema_migrations";

const char statement_is_unfinished[] =
    "SELECT count(*) FROM sqlite_schema"
    " WHERE type = 'table' AND name = '" COPY_MARK "'";
