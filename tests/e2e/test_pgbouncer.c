/*
 * The service behind a real pgbouncer. In session mode it works whole; in the
 * other modes it refuses to start.
 */
#include <sys/prctl.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <postgresql/libpq-fe.h>

#include "check.h"
#include "database.h"
#include "http.h"
#include "ports.h"
#include "sess.h"
#include "suite.h"
#include "tok.h"

/* Logouts that are timed. */
#define LOGOUTS 20

/* How long what has to happen may take at most (milliseconds). */
#define PATIENCE_MS 20000

static void begin(void);
static void end(void);
static void pooler_configure(const char *, int);
static void pooler_exec(void) __attribute__((noreturn));
static void pooler_start(void);
static void pooler_stop(void);
static struct server *start(void);
static bool comes_to(int, const char *, int);
static int compare(const void *, const void *);

TestSuite(pgbouncer, .init = begin, .fini = end, .timeout = 180);

/* The folder that the database goes with; the service's role. */
static char *folder;
static char role[32];

/* The pooler's folder, port and process; how the service finds it. */
static char *pooler;
static int pooler_port;
static pid_t pooler_pid;
static char *setting;

static void
begin(void)
{
	char *name;

	database_need_server();
	folder = scratch_new();
	(void)snprintf(role, sizeof(role), "e2e_p_%d", (int)getpid());
	database_role(folder, role, "pw");
	name = database_name(folder);
	pooler = scratch_new();
	pooler_port = steady_port();
	setting = text_of("CORGI_DATABASE=postgresql://%s:pw@127.0.0.1:%d/%s",
	    role, pooler_port, name);
	free(name);
}

static void
end(void)
{
	if (folder == NULL)
		return;
	pooler_stop();
	scratch_free(pooler);
	scratch_free(folder);
	database_role_drop(role);
	free(setting);
}

/* Its file, and that of the passwords; all of it is its own user's. */
static void
pooler_configure(const char *mode, int size)
{
	char *port = database_parameter("port"), *path, *text;

	path = text_of("%s/pgbouncer.ini", pooler);
	text = text_of("[databases]\n"
		       "* = host=127.0.0.1 port=%s\n"
		       "[pgbouncer]\n"
		       "listen_addr = 127.0.0.1\n"
		       "listen_port = %d\n"
		       "unix_socket_dir =\n"
		       "auth_type = scram-sha-256\n"
		       "auth_file = %s/users\n"
		       "pool_mode = %s\n"
		       "default_pool_size = %d\n",
	    port, pooler_port, pooler, mode, size);
	file_write(path, text, strlen(text));
	free(text);
	free(path);
	path = text_of("%s/users", pooler);
	text = text_of("\"%s\" \"pw\"\n", role);
	file_write(path, text, strlen(text));
	free(text);
	free(path);
	free(port);
	text = text_of("chown -R postgres: %s", pooler);
	cr_assert(getuid() != 0 || system(text) == 0);
	free(text);
}

/* In the child. It refuses to run as root. */
static void
pooler_exec(void)
{
	char *file = text_of("%s/pgbouncer.ini", pooler);
	char *log = text_of("%s.log", pooler);
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	(void)dup2(fd, STDOUT_FILENO);
	(void)dup2(fd, STDERR_FILENO);
	(void)unlink(log);
	(void)close_range(STDERR_FILENO + 1, ~0U, 0);
	(void)setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	if (getuid() == 0)
		(void)execlp("setpriv", "setpriv", "--reuid=postgres",
		    "--regid=postgres", "--clear-groups", "--no-new-privs",
		    "--pdeathsig=KILL", "pgbouncer", file, (char *)NULL);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)execlp("pgbouncer", "pgbouncer", file, (char *)NULL);
	_exit(127);
}

static void
pooler_start(void)
{
	long long until = now_ms() + PATIENCE_MS;
	struct raw *r = NULL;

	pooler_pid = fork();
	cr_assert(pooler_pid != -1);
	if (pooler_pid == 0)
		pooler_exec();
	while ((r = raw_try_connect(pooler_port)) == NULL) {
		cr_assert(
		    waitpid(pooler_pid, NULL, WNOHANG) == 0 && now_ms() < until,
		    "pgbouncer does not start");
		sleep_ms(10);
	}
	raw_close(r);
}

/* As when it crashes: its clients' connections break. */
static void
pooler_stop(void)
{
	if (pooler_pid == 0)
		return;
	(void)kill(pooler_pid, SIGKILL);
	(void)waitpid(pooler_pid, NULL, 0);
	pooler_pid = 0;
}

static struct server *
start(void)
{
	const char *env[] = {"JWT_SECRET_KEY=" TOK_SECRET, setting, NULL};
	struct server_options options = {.environment = env, .workers = 2};

	return (server_start(&options));
}

static bool
comes_to(int port, const char *path, int status)
{
	long long until = now_ms() + PATIENCE_MS;

	while (http_get(port, path, NULL, NULL) != status) {
		if (now_ms() > until)
			return (false);
		sleep_ms(20);
	}
	return (true);
}

static int
compare(const void *x, const void *y)
{
	const long long *l = x, *r = y;

	return ((*l > *r) - (*l < *r));
}

/* How long until a logout on one node is known on the other, in the median:
 * without being told, that is half a second (milliseconds). */
static long long
median_delay(const struct server *a, const struct server *b)
{
	long long delays[LOGOUTS], answered;
	struct pair pair, next;
	int i;

	for (i = 0; i < LOGOUTS; i++) {
		pair = pair_demo(server_port(a));
		cr_assert(http_get_token(server_port(b), "/protected",
			      pair.access, NULL) == 200);
		cr_assert(
		    pair_refresh(server_port(b), pair.refresh, &next) == 200);
		cr_assert(sess_ask(server_port(a), "DELETE", "/logout",
			      next.access, NULL, NULL) == 200);
		answered = now_ms();
		while (http_get_token(server_port(b), "/protected", next.access,
			   NULL) != 401) {
			cr_assert(now_ms() - answered < PATIENCE_MS);
			sleep_ms(1);
		}
		delays[i] = now_ms() - answered;
		pair_free(&pair);
		pair_free(&next);
	}
	qsort(delays, LOGOUTS, sizeof(delays[0]), compare);
	return (delays[LOGOUTS / 2]);
}

/* Hold a lock that every login needs: the server's own timeout ends the wait. */
static void
expect_timeouts(int port)
{
	char *name = database_name(folder), *host = database_parameter("host");
	char *number = database_parameter("port"), *url;
	long long began;
	PGconn *conn;

	url = text_of("postgresql:///%s?host=%s&port=%s&user=postgres", name,
	    host, number);
	conn = PQconnectdb(url);
	cr_assert(PQstatus(conn) == CONNECTION_OK, "%s", PQerrorMessage(conn));
	PQclear(PQexec(conn, "BEGIN; LOCK TABLE corgi.sessions"));
	began = now_ms();
	cr_expect(http_login(port, DEMO_LOGIN, NULL) == 503);
	cr_expect(now_ms() - began > 4000, "%lld ms", now_ms() - began);
	PQclear(PQexec(conn, "ROLLBACK"));
	PQfinish(conn);
	cr_expect(http_login(port, DEMO_LOGIN, NULL) == 200);
	free(url);
	free(name);
	free(host);
	free(number);
}

Test(pgbouncer, in_session_mode_all_works)
{
	struct server *a, *b;
	struct pair pair;
	long long delay;

	pooler_configure("session", 40);
	pooler_start();
	a = start();
	b = start();
	delay = median_delay(a, b);
	(void)fprintf(stderr, "through pgbouncer: %lld ms\n", delay);
	cr_expect(delay < 250, "%lld ms: it is not told", delay);
	expect_timeouts(server_port(a));

	pair = pair_demo(server_port(a));
	pooler_stop();
	cr_expect(comes_to(server_port(a), "/ready", 503));
	cr_expect(http_get_token(
		      server_port(a), "/protected", pair.access, NULL) == 200);
	pooler_start();
	cr_expect(comes_to(server_port(a), "/ready", 200));
	cr_expect(comes_to(server_port(b), "/ready", 200));
	cr_expect(pair_refresh(server_port(b), pair.refresh, NULL) == 200);
	cr_expect(median_delay(a, b) < 250, "it is not told after a restart");
	pair_free(&pair);
	server_stop(a);
	server_stop(b);
}

Test(pgbouncer, in_transaction_mode_it_refuses_to_start)
{
	const char *env[] = {"JWT_SECRET_KEY=" TOK_SECRET, setting, NULL};
	struct server_options options = {.environment = env};
	struct server *s;

	pooler_configure("transaction", 40);
	pooler_start();
	server_expect_refusal("transaction", &options,
	    "behind a pooler in transaction mode", "session mode", NULL);
	pooler_stop();
	pooler_configure("transaction\nserver_round_robin = 1", 40);
	pooler_start();
	server_expect_refusal("round robin", &options,
	    "behind a pooler in transaction mode", NULL);
	pooler_stop();
	pooler_configure("session", 40);
	pooler_start();
	s = server_start(&options);
	cr_expect(http_login(server_port(s), DEMO_LOGIN, NULL) == 200);
	server_stop(s);
}

Test(pgbouncer, in_statement_mode_it_refuses_to_start)
{
	const char *env[] = {"JWT_SECRET_KEY=" TOK_SECRET, setting, NULL};
	struct server_options options = {.environment = env};

	pooler_configure("statement", 40);
	pooler_start();
	server_expect_refusal("statement", &options,
	    "behind a pooler in statement mode", "session mode", NULL);
}

/* Which may be changed while it runs: that is no reason to end. */
Test(pgbouncer, with_too_small_a_pool_it_says_so_and_waits)
{
	struct server *s;

	pooler_configure("session", 1);
	pooler_start();
	s = start();
	cr_expect(server_log_wait(s, "is its pool too small?", 5000));
	cr_expect(http_get(server_port(s), "/ready", NULL, NULL) == 503);
	pooler_stop();
	pooler_configure("session", 40);
	pooler_start();
	cr_expect(comes_to(server_port(s), "/ready", 200));
	cr_expect(http_login(server_port(s), DEMO_LOGIN, NULL) == 200);
	server_stop(s);
}
