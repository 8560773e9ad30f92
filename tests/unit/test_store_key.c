/*
 * Which key the services on a database have: a server knows of those that work
 * now, a file of the one that has started last.
 */
#include "store_helpers.h"

/* Numbers as key_fingerprint() gives them, also such as have a sign where they
 * are kept. */
#define KEY   UINT32_C(0x12345678)
#define OTHER UINT32_C(0xfedcba98)

TestSuite(store_key, .init = folder_make, .fini = folder_remove, .timeout = 60);

static uint32_t meet(struct store *, uint32_t, bool);
static void cut_all(void);
static uint32_t met_within(struct store *, uint32_t, uint32_t, int);

static uint32_t
meet(struct store *s, uint32_t key, bool starts)
{
	uint32_t other = 1;

	cr_assert_eq(store_key_meet(s, key, starts, &other), STORE_OK, "%s",
	    store_error(s));
	return (other);
}

/* A server ends a session a moment after its connection. */
static uint32_t
met_within(struct store *s, uint32_t key, uint32_t wanted, int seconds)
{
	uint32_t other;
	int i;

	for (i = 0; (other = meet(s, key, false)) != wanted; i++) {
		if (i == seconds * 100)
			break;
		(void)usleep(10000);
	}
	return (other);
}

Test(store_key, services_with_one_key_meet_no_other)
{
	struct store *a = open_store(), *b = open_store();
	int i;

	for (i = 0; i < 2; i++) {
		cr_expect_eq(meet(a, OTHER, i == 0), 0);
		cr_expect_eq(meet(b, OTHER, i == 0), 0);
	}
	store_close(a);
	cr_expect_eq(meet(b, OTHER, false), 0);
	store_close(b);
}

Test(store_key, services_with_two_keys_learn_of_each_other)
{
	struct store *a = open_store(), *b = open_store();

	cr_expect_eq(meet(a, KEY, true), 0);
	cr_expect_eq(meet(b, OTHER, true), KEY);
	cr_expect_eq(meet(a, KEY, false), OTHER);
	cr_expect_eq(meet(a, KEY, false), OTHER);
	store_close(a);
	a = open_store();
	cr_expect_eq(meet(a, OTHER, true), 0);
	store_close(a);
	store_close(b);
}

Test(store_key, what_is_no_key_is_refused)
{
	struct store *s = open_store();
	uint32_t other = 1;

	cr_expect_eq(store_key_meet(s, 0, true, &other), STORE_INVALID);
	cr_expect_eq(other, 0);
	cr_expect(store_error(s)[0] != '\0');
	cr_expect_eq(meet(s, KEY, true), 0);
	store_close(s);
}

Test(store_key, a_file_keeps_the_key_of_the_last_start)
{
	struct store *s;

	SQLITE_ONLY();
	s = open_store();
	cr_expect_eq(meet(s, KEY, false), 0);
	cr_expect_eq(meet(s, KEY, true), 0);
	store_close(s);
	s = open_store();
	/* Who looks only leaves it as it is. */
	cr_expect_eq(meet(s, OTHER, false), KEY);
	cr_expect_eq(meet(s, OTHER, false), KEY);
	cr_expect_eq(meet(s, OTHER, true), KEY);
	cr_expect_eq(meet(s, OTHER, true), 0);
	store_close(s);
	s = open_store();
	cr_expect_eq(meet(s, KEY, false), OTHER);
	store_close(s);
}

/* Nothing that other programs, or handles that are open, would have to learn. */
Test(store_key, a_file_with_a_key_has_the_schema_of_before)
{
	char before[256];
	struct store *s;

	SQLITE_ONLY();
	s = open_store();
	(void)snprintf(before, sizeof(before), "%s",
	    query_text(test_path, "PRAGMA schema_version"));
	cr_expect_eq(meet(s, KEY, true), 0);
	cr_expect_eq(meet(s, OTHER, true), KEY);
	store_close(s);
	cr_expect_str_eq(
	    query_text(test_path, "PRAGMA schema_version"), before);
}

#define SERVER_ONLY()                                                          \
	do {                                                                   \
		if (!on_postgresql()) {                                        \
			folder_remove();                                       \
			cr_skip_test("this is about the server");              \
		}                                                              \
	} while (0)

Test(store_key, a_server_forgets_the_key_of_a_service_that_has_ended)
{
	struct store *a, *b;

	SERVER_ONLY();
	a = open_store();
	b = open_store();
	cr_expect_eq(meet(a, KEY, true), 0);
	cr_expect_eq(meet(b, OTHER, true), KEY);
	store_close(a);
	cr_expect_eq(met_within(b, OTHER, 0, 20), 0);
	store_close(b);
}

/* Of all but the one that asks. */
static void
cut_all(void)
{
	char text[16];

	server_sql("SELECT count(pg_terminate_backend(pid, 5000))"
		   " FROM pg_stat_activity WHERE datname = current_database()"
		   " AND pid <> pg_backend_pid()",
	    text, sizeof(text));
}

/* A connection is made anew without a word, and the first one's lock is gone. */
Test(store_key, a_server_is_told_again_over_a_new_connection)
{
	struct store *a, *b;

	SERVER_ONLY();
	a = open_store();
	cr_expect_eq(meet(a, KEY, true), 0);
	cut_all();
	b = open_store();
	cr_expect_eq(meet(b, OTHER, true), 0);
	(void)meet(a, KEY, false);
	cr_expect_eq(meet(a, KEY, false), OTHER);
	cr_expect_eq(meet(b, OTHER, false), KEY);
	store_close(a);
	store_close(b);
}

/* Locks have one table for all databases of a server. */
Test(store_key, services_on_another_database_of_the_server_are_none_of_these)
{
	char first[sizeof(server_database)];
	struct store *a, *b;

	SERVER_ONLY();
	a = open_store();
	cr_expect_eq(meet(a, KEY, true), 0);
	(void)snprintf(first, sizeof(first), "%s", server_database);
	server_database_make();
	server_url(server_database, "", test_where);
	b = open_store();
	cr_expect_eq(meet(b, OTHER, true), 0);
	cr_expect_eq(meet(a, KEY, false), 0);
	store_close(b);
	server_database_remove();
	(void)snprintf(server_database, sizeof(server_database), "%s", first);
	store_close(a);
}
