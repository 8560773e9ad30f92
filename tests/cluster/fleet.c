/*
 * fleet.c - two nodes of the service, a PostgreSQL server and nginx.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "database.h"
#include "fleet.h"
#include "http.h"
#include "nginx.h"
#include "ports.h"
#include "tok.h"

/* Worker processes of a node. */
#define WORKERS 2

/* How long what has to happen may take at most (milliseconds). */
#define PATIENCE_MS 30000

/* What CLUSTER_SECONDS may say at most. */
#define SECONDS_MAX 500

/* Times of the examples, made long enough for a machine that has much else to
 * do: nothing here is about how long anything takes. */
#define REPEAT_WITHIN "proxy_next_upstream_timeout 5s;"
#define REPEAT_LONGER "proxy_next_upstream_timeout 60s;"
#define GRACE         "CORGI_REFRESH_GRACE=120"
#define SHUTDOWN      "CORGI_SHUTDOWN_SECONDS=30"

struct fleet {
	char *folder; /* the database's */
	char *secrets;
	char *data[FLEET_NODES];
	char *settings[3];
	struct server *nodes[FLEET_NODES];
	int ports[FLEET_NODES];
	struct nginx *nginx;
	char *log;
};

static char *replaced(char *, const char *, const char *);
static char *without_lines(char *, const char *);
static void run_script(const char *, const char *const *, const char *);
static char *secret_path(const struct fleet *, const char *);
static void make_database(struct fleet *);
static void start_nginx(struct fleet *, const char *);
static void wait_ready(int);
static void note_line(const char *, struct fleet_log *);

/* A text with every "from", of which there has to be one, made "to"; takes the
 * text. */
static char *
replaced(char *text, const char *from, const char *to)
{
	char *at, *result = text_of("%s", ""), *next, *rest = text;

	cr_assert(strstr(text, from) != NULL, "there is no \"%s\"", from);
	while ((at = strstr(rest, from)) != NULL) {
		next = text_of("%s%.*s%s", result, (int)(at - rest), rest, to);
		free(result);
		result = next;
		rest = at + strlen(from);
	}
	next = text_of("%s%s", result, rest);
	free(result);
	free(text);
	return (next);
}

/* A text without the lines that hold a word; takes the text. */
static char *
without_lines(char *text, const char *word)
{
	char *at, *begin, *end;

	while ((at = strstr(text, word)) != NULL) {
		for (begin = at; begin > text && begin[-1] != '\n'; begin--)
			continue;
		end = strchr(at, '\n');
		memmove(begin, end + 1, strlen(end + 1) + 1);
	}
	return (text);
}

/* Run a script of deploy/. */
static void
run_script(const char *name, const char *const *env, const char *argument)
{
	char *path = text_of("%s/deploy/%s", corgi_root(), name);
	const char *argv[] = {path, argument, NULL};
	struct run_result r = run_program(argv, env, NULL, 0);

	if (r.status != 0)
		cr_assert_fail("%s: %s", path, r.out);
	run_free(&r);
	free(path);
}

static char *
secret_path(const struct fleet *f, const char *name)
{
	return (text_of("%s/%s", f->secrets, name));
}

/* A server of the fleet's own; the role and the database as the example for
 * compose makes them, and the address of that example with our server's. */
static void
make_database(struct fleet *f)
{
	char *admin, *host, *port, *password, *path, *text;
	const char *env[] = {"PATH=/usr/bin:/bin", NULL, NULL, NULL, NULL};

	run_script("make-secrets", NULL, f->secrets);
	admin = database_server(f->folder, "start", NULL);
	text = strstr(admin, "&port=") + strlen("&port=");
	port = strndup(text, strcspn(text, "&"));
	free(admin);
	host = text_of("PGHOST=%s", f->folder);
	text = text_of("PGPORT=%s", port);
	path = secret_path(f, "corgi_password");
	password = text_of("CORGI_PASSWORD_FILE=%s", path);
	env[1] = host;
	env[2] = text;
	env[3] = password;
	run_script("postgres-init.sh", env, NULL);
	free(path);
	free(text);
	free(host);
	free(password);

	path = secret_path(f, "database_url");
	host = text_of("@127.0.0.1:%s/", port);
	text = replaced(file_read(path, NULL), "@db/", host);
	cr_assert(remove(path) == 0);
	file_write(path, text, strlen(text));
	free(text);
	free(host);
	free(path);
	free(port);
}

/* The example for nginx, with our addresses, without TLS, and with room for
 * many logins from one address. */
static void
start_nginx(struct fleet *f, const char *without)
{
	static const char *const addresses[FLEET_NODES] = {
	    "172.28.80.11:8888", "172.28.80.12:8888"};
	char *path = text_of("%s/deploy/nginx.conf", corgi_root());
	char *conf = file_read(path, NULL), *to;
	int i;

	cr_assert(conf != NULL, "%s", path);
	for (i = 0; i < FLEET_NODES; i++) {
		to = text_of("127.0.0.1:%d", f->ports[i]);
		conf = replaced(conf, addresses[i], to);
		free(to);
	}
	conf = replaced(conf, "listen 8443 ssl;", "listen 127.0.0.1:@PORT@;");
	conf = without_lines(conf, "    ssl_");
	conf = replaced(conf, "/var/log/nginx/access.log", f->log);
	conf = replaced(conf, "rate=2r/s", "rate=1000r/s");
	conf = replaced(conf, "burst=10 ", "burst=1000 ");
	conf = replaced(conf, REPEAT_WITHIN, REPEAT_LONGER);
	if (without != NULL)
		conf = replaced(conf, without, "");
	f->nginx = nginx_start(conf);
	free(conf);
	free(path);
}

struct fleet *
fleet_start(const char *setting, const char *without)
{
	struct fleet *f = calloc(1, sizeof(*f));
	char *path;
	int i;

	if (f == NULL)
		cr_assert_fail("out of memory");
	f->folder = scratch_new();
	f->secrets = scratch_new();
	f->log = secret_path(f, "access.log");
	make_database(f);
	path = secret_path(f, "database_url");
	f->settings[0] = text_of("CORGI_DATABASE_FILE=%s", path);
	free(path);
	path = secret_path(f, "jwt_secret");
	f->settings[1] = text_of("JWT_SECRET_KEY_FILE=%s", path);
	free(path);
	f->settings[2] = setting == NULL ? NULL : text_of("%s", setting);
	for (i = 0; i < FLEET_NODES; i++) {
		f->data[i] = scratch_new();
		f->ports[i] = steady_port();
		fleet_node_start(f, i);
	}
	start_nginx(f, without);
	return (f);
}

void
fleet_stop(struct fleet *f)
{
	size_t i;

	nginx_stop(f->nginx);
	for (i = 0; i < FLEET_NODES; i++) {
		if (f->nodes[i] != NULL)
			cr_expect(server_stop(f->nodes[i]) == 0);
		scratch_free(f->data[i]);
	}
	fleet_database_stop(f, "immediate");
	for (i = 0; i < sizeof(f->settings) / sizeof(f->settings[0]); i++)
		free(f->settings[i]);
	scratch_free(f->folder);
	scratch_free(f->secrets);
	free(f->log);
	free(f);
}

int
fleet_port(const struct fleet *f)
{
	return (nginx_port(f->nginx));
}

int
fleet_node_port(const struct fleet *f, int i)
{
	return (f->ports[i]);
}

struct server *
fleet_node(const struct fleet *f, int i)
{
	return (f->nodes[i]);
}

static void
wait_ready(int port)
{
	long long end = now_ms() + PATIENCE_MS;

	while (raw_exchange_text(port,
		   "GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n",
		   NULL) != 200) {
		cr_assert(now_ms() < end, "a node does not become ready");
		sleep_ms(20);
	}
}

void
fleet_ready(const struct fleet *f)
{
	int i;

	for (i = 0; i < FLEET_NODES; i++)
		wait_ready(f->ports[i]);
}

void
fleet_node_start(struct fleet *f, int i)
{
	const char *env[] = {f->settings[0], f->settings[1],
	    "CORGI_TRUSTED_PROXIES=127.0.0.1", "CORGI_REGISTRATION=yes",
	    "CORGI_SESSIONS_PER_USER=0", GRACE, SHUTDOWN, f->settings[2], NULL};
	const struct server_options options = {.environment = env,
	    .data_dir = f->data[i],
	    .workers = WORKERS,
	    .port = f->ports[i]};

	f->nodes[i] = server_start(&options);
	wait_ready(f->ports[i]);
}

void
fleet_node_stop(struct fleet *f, int i)
{
	cr_assert(kill(server_pid(f->nodes[i]), SIGTERM) == 0);
	cr_expect(server_wait(f->nodes[i], 2 * PATIENCE_MS) == 0, "node %d", i);
	(void)server_stop(f->nodes[i]);
	f->nodes[i] = NULL;
}

void
fleet_node_kill(struct fleet *f, int i)
{
	server_expect_crash(f->nodes[i]);
	cr_assert(kill(-server_pid(f->nodes[i]), SIGKILL) == 0);
	cr_assert(
	    server_wait(f->nodes[i], PATIENCE_MS) == 128 + SIGKILL, "%d", i);
	(void)server_stop(f->nodes[i]);
	f->nodes[i] = NULL;
}

void
fleet_worker_kill(struct fleet *f, int i)
{
	long long end = now_ms() + PATIENCE_MS;
	pid_t pids[8];

	server_expect_crash(f->nodes[i]);
	while (server_workers(f->nodes[i], pids, 8) != WORKERS) {
		cr_assert(now_ms() < end, "a worker does not come back");
		sleep_ms(10);
	}
	cr_assert(kill(pids[0], SIGKILL) == 0);
}

void
fleet_database_stop(struct fleet *f, const char *mode)
{
	free(database_server(f->folder, "stop", mode));
}

void
fleet_database_start(struct fleet *f)
{
	free(database_server(f->folder, "resume", NULL));
}

int
fleet_add(const struct fleet *f, const char *name, const char *password)
{
	const char *argv[] = {corgi_ctl(), "user", "add", name, NULL};
	char *folder = text_of("CORGI_DATA_DIR=%s", f->data[0]);
	const char *env[] = {
	    "PATH=/usr/bin:/bin", folder, f->settings[0], NULL};
	struct run_result r =
	    run_program(argv, env, password, strlen(password));
	int status = r.status;

	run_free(&r);
	free(folder);
	return (status);
}

/* As log_format has it: address [time] "request" status seconds id
 * "addresses" "statuses". */
static void
note_line(const char *line, struct fleet_log *log)
{
	const char *at = strchr(line, '"');
	long status;

	if (at == NULL || (at = strchr(at + 1, '"')) == NULL)
		return;
	status = strtol(at + 1, NULL, 10);
	log->requests++;
	log->repeated += strstr(at, ", ") != NULL;
	log->s500 += status == 500;
	log->s502 += status == 502;
	log->s503 += status == 503;
	log->s504 += status == 504;
}

struct fleet_log
fleet_read_log(const struct fleet *f)
{
	char *text = file_read(f->log, NULL), *line, *rest;
	struct fleet_log log;

	memset(&log, 0, sizeof(log));
	cr_assert(text != NULL, "nginx has written no log");
	for (line = strtok_r(text, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest))
		note_line(line, &log);
	free(text);
	return (log);
}

long long
fleet_duration(int seconds)
{
	const char *text = getenv("CLUSTER_SECONDS");
	long n = seconds;

	if (text != NULL && *text != '\0')
		n = strtol(text, NULL, 10);
	cr_assert(n >= 1 && n <= SECONDS_MAX, "CLUSTER_SECONDS=%s", text);
	return (n * 1000LL);
}
