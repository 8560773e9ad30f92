/*
 * copy_kit.h - two databases for a test of copies, each of either kind, and what
 * is done to them beside store.h.
 */
#ifndef CORGI_COPY_KIT_H
#define CORGI_COPY_KIT_H

#include <sys/wait.h>

#include <signal.h>

#include "base/secret.h"
#include "store/store_copy.h"
#include "store_helpers.h"

#define KIT static __attribute__((unused))

/* A database that is there or not yet. */
struct place {
	bool on_server;
	char where[SERVER_URL_MAX];
	char path[PATH_MAX];
	char database[64];
};

/* FROM and TO of the running test; a third for when there are two sources. */
static struct place from, to, other;

/* What a suite begins with; folder_remove() ends it. */
KIT void
copy_begin(void)
{
	cr_assert_eq(secret_init(), 0);
	folder_make();
}

KIT void
place_make(struct place *p, bool on_server, const char *name)
{
	memset(p, 0, sizeof(*p));
	p->on_server = on_server;
	if (on_server) {
		server_database_make();
		(void)snprintf(
		    p->database, sizeof(p->database), "%s", server_database);
		server_url(p->database, "", p->where);
		return;
	}
	(void)snprintf(p->path, sizeof(p->path), "%s/%s.db", test_folder, name);
	(void)snprintf(p->where, sizeof(p->where), "sqlite:%.1000s", p->path);
}

KIT void
place_remove(struct place *p)
{
	static const char *const ends[] = {"", "-wal", "-shm"};
	char path[PATH_MAX + 8];
	size_t i;

	if (p->on_server) {
		(void)snprintf(server_database, sizeof(server_database), "%s",
		    p->database);
		server_database_remove();
	} else {
		for (i = 0; i < 3; i++) {
			(void)snprintf(
			    path, sizeof(path), "%s%s", p->path, ends[i]);
			(void)unlink(path);
		}
	}
	memset(p, 0, sizeof(*p));
}

/* Run SQL beside the program, in a connection of its own; the first value of
 * its first row into text, unless that is NULL. */
KIT void
place_query(const struct place *p, const char *sql, char *text, size_t size)
{
	if (text != NULL)
		text[0] = '\0';
	if (p->on_server) {
		(void)snprintf(server_database, sizeof(server_database), "%s",
		    p->database);
		server_sql(sql, text, size);
	} else if (text == NULL) {
		run_sql(p->path, sql);
	} else {
		(void)snprintf(text, size, "%.*s", (int)size - 1,
		    query_text(p->path, sql));
	}
}

KIT void
place_sql(const struct place *p, const char *sql)
{
	place_query(p, sql, NULL, 0);
}

/* Open it in one way. A server may need a moment to notice that a copy was
 * killed. */
KIT enum store_result
place_try(const struct place *p,
    enum store_result (*opener)(const char *, struct store **, char *),
    struct store **s, char error[STORE_ERROR_MAX])
{
	enum store_result result = STORE_BUSY;
	int i;

	for (i = 0; i < 300 && result == STORE_BUSY; i++) {
		if (i > 0)
			(void)usleep(100000);
		result = opener(p->where, s, error);
	}
	return (result);
}

KIT struct store *
place_open(const struct place *p)
{
	char error[STORE_ERROR_MAX];
	struct store *s;

	cr_assert_eq(
	    place_try(p, store_open, &s, error), STORE_OK, "%s", error);
	return (s);
}

/* What both ways say. */
KIT enum store_result
place_state(const struct place *p, char error[STORE_ERROR_MAX])
{
	enum store_result existing, result;
	struct store *s;

	existing = place_try(p, store_open_existing, &s, error);
	store_close(s);
	result = place_try(p, store_open, &s, error);
	store_close(s);
	cr_expect_eq(result, existing);
	return (result);
}

/* One direction after the other: body for each, FROM and TO being there. Only
 * from a file to a file without a server. */
typedef void direction_body(void);

KIT void
each_direction(direction_body *body)
{
	unsigned int i;

	for (i = 0; i < (server_there() ? 4 : 1); i++) {
		place_make(&from, (i & 1) != 0, "from");
		place_make(&to, (i & 2) != 0, "to");
		body();
		place_remove(&from);
		place_remove(&to);
	}
}

/* Copy from FROM to TO. */
KIT enum store_result
copy_now(struct store_copy *copy)
{
	memset(copy, 0, sizeof(*copy));
	copy->from = from.where;
	copy->to = to.where;
	return (store_copy(copy));
}

#define copy_expect(expected, words)                                           \
	do {                                                                   \
		struct store_copy made_;                                       \
		enum store_result got_ = copy_now(&made_);                     \
		cr_expect_eq(                                                  \
		    got_, expected, "%d: %s", (int)got_, made_.error);         \
		cr_expect_not_null(                                            \
		    strstr(made_.error, words), "%s", made_.error);            \
	} while (0)

/* An account with the hash that sessions are begun with. */
KIT void
copy_fill_many(struct store *s, int count)
{
	char sql[1024];

	(void)s;
	(void)snprintf(sql, sizeof(sql),
	    from.on_server
		? "INSERT INTO subjects SELECT"
		  " convert_to('user-' || lpad(n::text, 6, '0'), 'UTF8')"
		  " FROM generate_series(1, %d) n"
		: "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL"
		  " SELECT n + 1 FROM c WHERE n < %d) INSERT INTO subjects"
		  " SELECT CAST(printf('user-%%06d', n) AS BLOB) FROM c",
	    count);
	place_sql(&from, sql);
	place_sql(&from,
	    "INSERT INTO users (name, subject, hash, roles, disabled, version,"
	    " created_at, updated_at) SELECT subject, subject, '" HASH_A "',"
	    " '', 0, 0, 1000, 1000 FROM subjects ORDER BY subject");
}

#endif
