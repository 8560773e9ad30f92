#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "database.h"
#include "nodes.h"
#include "sess.h"
#include "tok.h"

static json_t *listed(const struct server *);

struct nodes nodes;

static const char *const passwords[] = {"pw-a", "pw-b"};

void
nodes_begin(void)
{
	int i;

	database_need_server();
	nodes.folder = scratch_new();
	for (i = 0; i < 2; i++) {
		(void)snprintf(nodes.roles[i], sizeof(nodes.roles[i]),
		    "e2e_%c_%d", 'a' + i, (int)getpid());
		database_role(nodes.folder, nodes.roles[i], passwords[i]);
	}
}

void
nodes_end(void)
{
	if (nodes.folder == NULL)
		return;
	scratch_free(nodes.folder);
	database_role_drop(nodes.roles[0]);
	database_role_drop(nodes.roles[1]);
}

struct server *
nodes_start(int which, const char *const *settings, const char *routes)
{
	char *database = database_setting(nodes.folder, nodes.roles[which],
	    passwords[which], "127.0.0.1", "");
	char *key = text_of(
	    "JWT_SECRET_KEY=%s", nodes.key != NULL ? nodes.key : TOK_SECRET);
	const char *env[7] = {key, database};
	size_t n;
	struct server_options options;
	struct server *server;
	char *sql;

	for (n = 0; settings != NULL && settings[n] != NULL; n++)
		env[2 + n] = settings[n];
	memset(&options, 0, sizeof(options));
	options.environment = env;
	options.routes = routes;
	options.workers = nodes.workers != 0 ? nodes.workers : 2;
	server = server_start(&options);
	if (which == 0) {
		sql = text_of("GRANT %s TO %s", nodes.roles[0], nodes.roles[1]);
		free(database_query(nodes.folder, sql));
		free(sql);
	}
	free(database);
	free(key);
	return (server);
}

void
nodes_start_both(const char *setting, const char *routes)
{
	const char *const settings[] = {setting, NULL};

	nodes.a = nodes_start(0, settings, routes);
	nodes.b = nodes_start(1, settings, routes);
}

void
nodes_add_account(const char *name, const char *password)
{
	const char *argv[] = {corgi_ctl(), "user", "add", name, NULL};
	char *folder = text_of("CORGI_DATA_DIR=%s", nodes.folder);
	char *database =
	    text_of("CORGI_DATABASE=%s", database_of(nodes.folder));
	const char *env[] = {"PATH=/usr/bin:/bin", folder, database, NULL};
	struct run_result r;

	r = run_program(argv, env, password, strlen(password));
	cr_assert(r.status == 0, "%s", r.out);
	run_free(&r);
	free(folder);
	free(database);
}

void
nodes_cut_off(void)
{
	char *sql = text_of("ALTER ROLE %s NOLOGIN", nodes.roles[1]);

	/* Not in one transaction: who is ended would be back before it is
	 * over. */
	free(database_query(nodes.folder, sql));
	free(sql);
	sql = text_of("SELECT count(pg_terminate_backend(pid, 5000))"
		      " FROM pg_stat_activity WHERE usename = '%s'",
	    nodes.roles[1]);
	free(database_query(nodes.folder, sql));
	free(sql);
}

void
nodes_connect_again(void)
{
	char *sql = text_of("ALTER ROLE %s LOGIN", nodes.roles[1]);

	free(database_query(nodes.folder, sql));
	free(sql);
}

/* What corgictl says of a node. */
static json_t *
listed(const struct server *node)
{
	const char *argv[] = {corgi_ctl(), "throttle", "list", "--json", NULL};
	char *folder = text_of("CORGI_DATA_DIR=%s", server_data_dir(node));
	const char *env[] = {"PATH=/usr/bin:/bin", folder, NULL};
	struct run_result r = run_program(argv, env, NULL, 0);
	json_t *list = json_loads(r.out, 0, NULL);

	cr_assert(r.status == 0 && json_is_array(list), "%s", r.out);
	run_free(&r);
	free(folder);
	return (list);
}

int
nodes_counted(const struct server *node, const char *name)
{
	json_t *list = listed(node), *entry;
	int failures = 0;
	size_t i;

	json_array_foreach(list, i, entry)
	{
		if (strcmp(json_string_value(json_object_get(entry, "name")),
			name) == 0)
			failures += (int)json_integer_value(
			    json_object_get(entry, "failures"));
	}
	json_decref(list);
	return (failures);
}

bool
nodes_hears(const struct server *node, const char *name, int failures)
{
	long long until = now_ms() + NODES_PATIENCE_MS;
	int got;

	while ((got = nodes_counted(node, name)) != failures) {
		if (now_ms() > until) {
			cr_expect(false, "%s: %d, not %d", name, got, failures);
			return (false);
		}
		sleep_ms(5);
	}
	return (true);
}

void
nodes_ask_at_once(const char *text, struct raw_response *answers, int n)
{
	struct raw **connections = calloc((size_t)n, sizeof(struct raw *));
	int i;

	cr_assert_not_null(connections);
	for (i = 0; i < n; i++)
		connections[i] =
		    raw_connect(server_port(i % 2 ? nodes.a : nodes.b));
	for (i = 0; i < n; i++)
		cr_expect(raw_send_text(connections[i], text));
	for (i = 0; i < n; i++) {
		raw_set_wait(connections[i], NODES_PATIENCE_MS);
		cr_assert(
		    raw_read(connections[i], false, &answers[i]) == RAW_OK);
		raw_close(connections[i]);
	}
	free(connections);
}
