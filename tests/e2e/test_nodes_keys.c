/*
 * Services on one database that have different keys for the tokens say so in
 * their logs, once for each change, and nothing else is different. A service
 * on a file says it when its key is not that of the last start.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "database.h"
#include "http.h"
#include "nodes.h"
#include "suite.h"
#include "tok.h"

/* Another key than TOK_SECRET, and what its services are called. */
#define SECOND_SECRET "a key of another kind: 0123456789abcdef"

/* What the lines of the log have in common, and how each goes on. */
#define KEYS  "keys: "
#define OTHER KEYS "another service on this database has another key ("
#define AGAIN KEYS "all services on this database have the same key again"
#define LAST  KEYS "this service has another key ("
#define LATER KEYS "another service that has started on this database"

TestSuite(nodes_keys, .init = nodes_begin, .fini = nodes_end, .timeout = 180);
TestSuite(keys_of_a_file, .timeout = 120);

static size_t said(const struct server *, const char *);
static bool says(const struct server *, const char *);
static struct server *start_with(const char *, const char *);

/* How often a log has a text. */
static size_t
said(const struct server *s, const char *text)
{
	char *log = server_log(s), *at = log;
	size_t n = 0;

	while ((at = strstr(at, text)) != NULL) {
		at += strlen(text);
		n++;
	}
	free(log);
	return (n);
}

static bool
says(const struct server *s, const char *text)
{
	return (server_log_wait(s, text, NODES_PATIENCE_MS));
}

/* The third node is what shows that the first two have looked around, and that
 * what they had seen was no other key. */
Test(nodes_keys, nodes_with_one_key_meet_one_with_another)
{
	struct server *odd;
	char *token;

	nodes_start_both(NULL, NULL);
	nodes.key = SECOND_SECRET;
	odd = nodes_start(1, NULL, NULL);
	cr_expect(says(odd, OTHER));
	cr_expect(says(nodes.a, OTHER));
	cr_expect(says(nodes.b, OTHER));

	token = http_token(server_port(nodes.a));
	cr_expect(http_get_token(
		      server_port(nodes.b), "/protected", token, NULL) == 200);
	cr_expect(
	    http_get_token(server_port(odd), "/protected", token, NULL) == 422);
	cr_expect(
	    http_get_token(server_port(odd), "/ready", NULL, NULL) == 200);
	free(token);

	cr_expect_eq(said(odd, KEYS), 1);
	server_stop(odd);
	cr_expect(says(nodes.a, AGAIN));
	cr_expect(says(nodes.b, AGAIN));
	/* Each of two workers looks; one of them tells. */
	cr_expect_eq(said(nodes.a, KEYS), 2);
	cr_expect_eq(said(nodes.b, KEYS), 2);
	server_stop(nodes.a);
	server_stop(nodes.b);
}

Test(nodes_keys, key_is_changed_on_one_node_after_the_other)
{
	nodes_start_both(NULL, NULL);
	server_stop(nodes.b);
	nodes.key = SECOND_SECRET;
	nodes.b = nodes_start(1, NULL, NULL);
	cr_expect(says(nodes.b, OTHER));
	cr_expect(says(nodes.a, OTHER));
	cr_expect_eq(said(nodes.a, KEYS), 1);
	server_stop(nodes.a);
	cr_expect(says(nodes.b, AGAIN));
	nodes.a = nodes_start(0, NULL, NULL);
	cr_expect_eq(said(nodes.b, KEYS), 2);
	cr_expect_eq(said(nodes.a, KEYS), 0);
	server_stop(nodes.a);
	server_stop(nodes.b);
}

/* A service of two workers on a folder. */
static struct server *
start_with(const char *folder, const char *key)
{
	char *setting = text_of("JWT_SECRET_KEY=%s", key);
	const char *const env[] = {setting, NULL};
	const struct server_options options = {
	    .environment = env, .data_dir = folder, .workers = 2};
	struct server *s = server_start(&options);

	free(setting);
	return (s);
}

Test(keys_of_a_file, key_of_the_last_start_is_expected)
{
	static const struct {
		const char *key;
		size_t lines;
	} starts[] = {
	    {TOK_SECRET, 0},
	    {TOK_SECRET, 0},
	    {SECOND_SECRET, 1},
	    {SECOND_SECRET, 0},
	    {TOK_SECRET, 1},
	};
	char *folder = scratch_new();
	struct server *s;
	size_t i;

	for (i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		s = start_with(folder, starts[i].key);
		cr_expect_eq(
		    said(s, LAST), starts[i].lines, "start %zu", i + 1);
		cr_expect_eq(said(s, starts[i].key), 0);
		server_stop(s);
	}
	scratch_free(folder);
}

Test(keys_of_a_file, secret_that_was_lost_is_noticed)
{
	char *folder = scratch_new(), *secret;
	const struct server_options options = {.data_dir = folder};
	struct server *s;
	int i;

	secret = text_of("%s/jwt_secret", folder);
	for (i = 0; i < 3; i++) {
		if (i == 2)
			cr_assert(unlink(secret) == 0);
		s = server_start(&options);
		cr_expect_eq(said(s, LAST), i == 2, "start %d", i + 1);
		server_stop(s);
	}
	free(secret);
	scratch_free(folder);
}

Test(keys_of_a_file, one_that_runs_tells_of_one_that_starts)
{
	char *folder = scratch_new();
	struct server *first = start_with(folder, TOK_SECRET), *second;

	second = start_with(folder, SECOND_SECRET);
	cr_expect_eq(said(second, LAST), 1);
	cr_expect(says(first, LATER));
	cr_expect_eq(said(first, KEYS), 1);
	cr_expect_eq(said(second, KEYS), 1);
	server_stop(second);
	server_stop(first);
	scratch_free(folder);
}
