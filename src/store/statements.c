#include "store/statements.h"

#define USER_COLUMNS "id, name, hash, created_at, updated_at"

const char *const statement_sql[STATEMENT__MAX] = {
    [STATEMENT_FIND] = "SELECT " USER_COLUMNS " FROM users WHERE name = ?1",
    [STATEMENT_ADD] = "INSERT INTO users (name, hash, created_at, updated_at)"
		      " VALUES (?1, ?2, ?3, ?3)",
    [STATEMENT_SET_HASH] = "UPDATE users SET hash = ?2, updated_at = ?3"
			   " WHERE id = ?1 AND (?4 IS NULL OR hash = ?4)",
    [STATEMENT_DELETE] = "DELETE FROM users WHERE name = ?1",
    [STATEMENT_EACH] = "SELECT " USER_COLUMNS " FROM users ORDER BY name",
    [STATEMENT_COUNT] = "SELECT count(*) FROM users",
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
