/*
 * Where passwords are hashed when all clients happen to be connected to one
 * worker: on the processors that the others leave idle, too.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/cpus.h"
#include "http.h"
#include "sess.h"
#include "suite.h"
#include "tok.h"

TestSuite(hashing, .timeout = 120);

/* Clients of one worker, and how often each logs in. */
#define CLIENTS 6
#define ROUNDS  4

/* Connections that are opened at most until one worker has so many. */
#define TRIES 200

/* What a thread has used when it hashed, and surely not when it did not: a hash
 * takes some 10 ms, what else is done for a login a tenth of that. */
#define HASHED_MS 30

static void connect_to_one(const struct server *, pid_t, struct raw **);
static void log_in_on_all(struct raw **);
static int busy_threads(pid_t);
static int threads_of_one_worker(const char *);

/* Connections to the worker of that pid, and to no other. */
static void
connect_to_one(const struct server *s, pid_t pid, struct raw **connections)
{
	struct raw *r;
	int before, tries;
	size_t n = 0;

	for (tries = 0; tries < TRIES && n < CLIENTS; tries++) {
		before = process_sockets(pid);
		r = raw_connect(server_port(s));
		cr_assert_eq(
		    sess_ask_on(r, "GET", "/health", NULL, NULL, NULL), 200);
		if (process_sockets(pid) > before) {
			connections[n++] = r;
			continue;
		}
		raw_close(r);
	}
	cr_assert_eq(n, CLIENTS, "%zu connections", n);
}

static void
log_in_on_all(struct raw **connections)
{
	char *text = sess_text("POST", "/login", NULL, NULL, DEMO_LOGIN);
	struct raw_response answer;
	size_t i;

	for (i = 0; i < CLIENTS; i++)
		cr_assert(raw_send_text(connections[i], text));
	for (i = 0; i < CLIENTS; i++) {
		cr_assert_eq(raw_read(connections[i], false, &answer), RAW_OK);
		cr_expect_eq(answer.status, 200, "%d", answer.status);
		raw_response_free(&answer);
	}
	free(text);
}

/* Threads of a process, but for its first, that have used as much time as those
 * that hash. */
static int
busy_threads(pid_t pid)
{
	char *folder = text_of("/proc/%d/task", (int)pid), *path, *text;
	DIR *tasks = opendir(folder);
	struct dirent *task;
	int busy = 0;

	cr_assert_not_null(tasks, "%s", folder);
	while ((task = readdir(tasks)) != NULL) {
		if (task->d_name[0] == '.' || atoi(task->d_name) == pid)
			continue;
		path = text_of("%s/%s/schedstat", folder, task->d_name);
		text = file_read(path, NULL);
		if (text != NULL && atoll(text) / 1000000 >= HASHED_MS)
			busy++;
		free(text);
		free(path);
	}
	(void)closedir(tasks);
	free(folder);
	return (busy);
}

/* How many threads of one worker of two hash when the other has nothing to. */
static int
threads_of_one_worker(const char *setting)
{
	const char *env[] = {"JWT_SECRET_KEY=" TOK_SECRET,
	    "CORGI_SESSIONS_PER_USER=0", setting, NULL};
	struct server_options options = {.environment = env, .workers = 2};
	struct raw *connections[CLIENTS];
	struct server *s = server_start(&options);
	pid_t workers[2];
	int i, busy;

	cr_assert_eq(server_workers(s, workers, 2), 2);
	connect_to_one(s, workers[0], connections);
	for (i = 0; i < ROUNDS; i++)
		log_in_on_all(connections);
	busy = busy_threads(workers[0]);
	cr_expect_eq(busy_threads(workers[1]), 0, "the other worker");
	sess_spread_close(connections, CLIENTS);
	server_stop(s);
	return (busy);
}

Test(hashing, an_idle_workers_processors_are_used_by_the_other)
{
	unsigned int processors = cpus_usable();
	int busy = threads_of_one_worker(NULL);

	if (processors > 1)
		cr_expect_geq(busy, 2, "%d", busy);
	else
		cr_expect_eq(busy, 1, "%d", busy);
}

Test(hashing, no_more_than_it_was_told_to_have)
{
	cr_expect_eq(threads_of_one_worker("CORGI_THREADS=1"), 1);
}
