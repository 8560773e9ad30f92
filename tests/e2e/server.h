/*
 * server.h - a real kore process with the service in it, for one test.
 *
 * server_start() makes a temporary folder, writes a configuration file, starts
 * kore in a process group of its own with an environment that holds nothing
 * but what is said here, and waits until /health answers. A server that cannot
 * be had ends the test at once (cr_assert_fail), so no function here returns NULL
 * unless it says so.
 *
 * From the environment of the tests: CORGI_ROOT (top of the checkout; default:
 * found from the current folder upwards), CORGI_MODULE (default:
 * CORGI_ROOT/build/corgi/corgi.so), CORGI_MODULE_PROD (default:
 * CORGI_ROOT/build/prod/corgi/corgi.so), CORGI_CTL (default: CORGI_ROOT/build/
 * corgictl), CORGI_PRELOAD (becomes LD_PRELOAD of kore) and ASAN_OPTIONS,
 * UBSAN_OPTIONS, LSAN_OPTIONS (passed on).
 *
 * Call these from a test's main thread: the server is told to end when the
 * thread that started it is gone.
 */
#ifndef CORGI_TEST_SERVER_H
#define CORGI_TEST_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "process.h"

/* How long a start may take, and a stop (milliseconds). */
#define SERVER_START_MS 10000
#define SERVER_STOP_MS  5000

/* No number of workers in Kore's configuration. */
#define WORKERS_UNSAID 255

/* Every member may be left zero. Nothing is kept after server_start(). */
struct server_options {
	/* NAME=value strings with a NULL at the end, added to the clean
	 * environment; a name given here replaces the harness's own value. */
	const char *const *environment;
	/* Lines of kore's configuration put between conf/limits.conf and
	 * the listener. */
	const char *config;
	/* The "server" block; NULL for a plain one on 127.0.0.1 with the
	 * front. The text @PORT@ is replaced by the port. */
	const char *listener;
	/* The whole text after the listener, in place of conf/routes.conf. */
	const char *routes;
	/* CORGI_DATA_DIR; NULL for a fresh folder that goes with the server.
	 * A folder of the test's own (see scratch_new()) outlives it. */
	const char *data_dir;
	/* The module; NULL for corgi_module(). */
	const char *module;
	/* Worker processes; 0 for one, WORKERS_UNSAID to leave it to Kore. */
	unsigned int workers;
	/* Open files of a process that the system allows and that nobody may
	 * raise; 0: as many as the test itself may have. */
	unsigned int files;
	/* The port; 0 for a free one. */
	int port;
};

struct server;

/* Start a server and wait until it answers. NULL options: all defaults. */
struct server *server_start(const struct server_options *options);

/*
 * Stop a server: SIGTERM to its parent process, SIGKILL to the whole group
 * only when it does not end in time (which fails the test). Fails the test
 * also when the log tells of a crashed worker, a seccomp violation or a
 * sanitizer's report; see server_expect_crash(). Removes the folder and
 * releases the handle. Returns the exit status, or 128 + the signal's number.
 */
int server_stop(struct server *s);

/* The next server_stop() takes words of killed workers in the log as meant:
 * for tests that kill one. Sanitizer reports and seccomp still fail. */
void server_expect_crash(struct server *s);

/*
 * Start a server that must refuse to start: it ends by itself with a non-zero
 * status, its log holds every needle (strings, NULL at the end), and no request
 * on its port was ever answered. (The kernel may take connections: kore listens
 * before the configuration has been judged. A port given in the options may be
 * somebody else's and is left alone.) Failures are reported under the
 * name of the row and the test goes on.
 */
void server_expect_refusal(
    const char *row, const struct server_options *options, ...);

/* The same, and the log must not hold the secret (NULL: no secret). */
void server_expect_refusal_quiet(const char *row,
    const struct server_options *options, const char *secret, ...);

/* Where it listens (127.0.0.1). */
int server_port(const struct server *s);

/* The pid of kore's parent process. */
pid_t server_pid(const struct server *s);

/* The temporary folder and the data folder. */
const char *server_folder(const struct server *s);
const char *server_data_dir(const struct server *s);

/* All that the processes have written so far; free() it. */
char *server_log(const struct server *s);

/* Whether the log comes to hold the text within ms milliseconds. */
bool server_log_wait(const struct server *s, const char *text, int ms);

/*
 * Pids of the worker processes that are there now, in the order of their
 * start; returns how many (at most max).
 */
size_t server_workers(const struct server *s, pid_t *pids, size_t max);

/* Wait until the process has ended by itself. Returns its status as
 * server_stop() does, or -1 when it is still there after ms milliseconds.
 * server_stop() is still due. */
int server_wait(struct server *s, int ms);

#endif
