/*
 * store_copy_rows.c - the tables that a copy carries, and the one form in which
 * their rows are compared.
 */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "store/store_copy.h"

/* A batch begins with that much room (bytes). */
#define ROOM_FIRST 65536U

static void add(struct copy_batch *, const void *, size_t);

const struct copy_shape copy_shapes[COPY__MAX] = {
    [COPY_SUBJECTS] = {"subjects", "subject", "subject", "b", NULL},
    [COPY_USERS] = {"users", "id",
	"id, name, subject, hash, roles, disabled, version, created_at,"
	" updated_at, access_until",
	"ibbttiiiii", "users_id_seq"},
    [COPY_SESSIONS] = {"sessions", "id",
	"id, user_id, client, refresh, created_at, refreshed_at, expires_at,"
	" ends_at, access_until",
	"titbiiiii", NULL},
    [COPY_ROTATIONS] = {"rotations", "digest",
	"digest, session, sealed, followed_at", "btbi", NULL},
    [COPY_REVOCATIONS] = {"revocations", "number",
	"number, kind, key, version, before, until", "iibiii",
	"revocations_number_seq"},
};

const char copy_sql_any[] =
    "SELECT count(*) FROM (SELECT 1 FROM subjects UNION ALL"
    " SELECT 1 FROM users UNION ALL SELECT 1 FROM sessions UNION ALL"
    " SELECT 1 FROM rotations UNION ALL SELECT 1 FROM revocations"
    " LIMIT 1) AS found";

const char copy_sql_mark[] =
    "CREATE TABLE " COPY_MARK " (identity text NOT NULL, shown text NOT NULL)";
const char copy_sql_mark_row[] = "INSERT INTO " COPY_MARK " VALUES ($1, $2)";
const char copy_sql_marked[] = "SELECT identity, shown FROM " COPY_MARK;
const char copy_sql_unmark[] = "DROP TABLE " COPY_MARK;

void
copy_sql_read(enum copy_table table, char sql[COPY_SQL_MAX])
{
	const struct copy_shape *shape = &copy_shapes[table];

	(void)snprintf(sql, COPY_SQL_MAX,
	    "SELECT %s FROM %s WHERE %s > $1 ORDER BY %s LIMIT $2",
	    shape->columns, shape->name, shape->key, shape->key);
}

void
copy_sql_count(enum copy_table table, char sql[COPY_SQL_MAX])
{
	(void)snprintf(sql, COPY_SQL_MAX, "SELECT count(*) FROM %s",
	    copy_shapes[table].name);
}

/* realloc() would leave hashes behind. */
static void
add(struct copy_batch *batch, const void *data, size_t len)
{
	size_t room = batch->room == 0 ? ROOM_FIRST : batch->room;
	uint8_t *larger;

	if (batch->failed)
		return;
	while (room - batch->len < len)
		room *= 2;
	if (room != batch->room) {
		if ((larger = malloc(room)) == NULL) {
			batch->failed = true;
			return;
		}
		if (batch->len > 0)
			(void)memcpy(larger, batch->data, batch->len);
		secret_free_mem(batch->data, batch->len);
		batch->data = larger;
		batch->room = room;
	}
	if (len > 0)
		(void)memcpy(batch->data + batch->len, data, len);
	batch->len += len;
}

void
copy_row_begin(struct copy_batch *batch, enum copy_table table)
{
	uint16_t count = htobe16((uint16_t)strlen(copy_shapes[table].types));

	add(batch, &count, sizeof(count));
	batch->count++;
}

void
copy_row_integer(struct copy_batch *batch, int64_t value)
{
	uint64_t raw = htobe64((uint64_t)value);

	copy_row_bytes(batch, &raw, sizeof(raw));
}

void
copy_row_bytes(struct copy_batch *batch, const void *data, size_t len)
{
	uint32_t raw = htobe32((uint32_t)len);

	add(batch, &raw, sizeof(raw));
	add(batch, data, len);
}

size_t
copy_row_fields(const uint8_t *row, enum copy_table table,
    struct copy_field fields[COPY_COLUMNS_MAX])
{
	const char *types = copy_shapes[table].types;
	const uint8_t *p = row + sizeof(uint16_t);
	uint32_t len;
	uint64_t raw;
	size_t i;

	for (i = 0; types[i] != '\0'; i++) {
		(void)memcpy(&len, p, sizeof(len));
		p += sizeof(len);
		fields[i].data = p;
		fields[i].len = be32toh(len);
		fields[i].integer = 0;
		if (types[i] == COPY_INTEGER) {
			(void)memcpy(&raw, p, sizeof(raw));
			fields[i].integer = (int64_t)be64toh(raw);
		}
		p += fields[i].len;
	}
	return ((size_t)(p - row));
}

void
copy_batch_clear(struct copy_batch *batch)
{
	if (batch->data != NULL)
		secret_wipe(batch->data, batch->len);
	batch->len = 0;
	batch->count = 0;
	batch->failed = false;
}

void
copy_batch_free(struct copy_batch *batch)
{
	secret_free_mem(batch->data, batch->len);
	memset(batch, 0, sizeof(*batch));
}
