/*
 * corgi.c - the life of the processes: what Kore calls in the parent and in
 * the workers, and nothing else.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <kore/kore.h>
#include <kore/http.h>

#include "base/audit.h"
#include "base/cpus.h"
#include "base/log.h"
#include "base/routefile.h"
#include "base/turns.h"
#include "http/attempts.h"
#include "http/capacity.h"
#include "http/client.h"
#include "http/control.h"
#include "http/export.h"
#include "http/front.h"
#include "http/guard.h"
#include "http/offload.h"
#include "http/priority.h"
#include "http/service.h"
#include "http/tls.h"

/*
 * Threads of a worker for what only asks the store, and how many changes they
 * put into one transaction. A file has one writer at a time, and all that wait
 * for it may as well share a sync; of a server one is asked while another waits
 * for its disk, and it lets those that come at once share a sync by itself.
 */
#define SHORT_FILE      1
#define TOGETHER_FILE   OFFLOAD_TOGETHER_MAX
#define SHORT_SERVER    2
#define TOGETHER_SERVER 1

/* Most threads of a worker that hash when others leave processors idle. None
 * where the store is a server: each would hold a connection to it. */
#define SPARES_MAX 8

/* The hooks, by the names Kore looks for. */
CORGI_EXPORT void kore_parent_configure(int, char **);
CORGI_EXPORT void kore_parent_teardown(void);
CORGI_EXPORT void kore_worker_configure(void);
CORGI_EXPORT void kore_worker_teardown(void);

/*
 * SIGTERM reaches a worker's event loop through this: Kore would end at once
 * and drop what is under way.
 */
static struct {
	struct kore_event evt; /* must stay first: what Kore's loop calls */
	int fd;
} termination = {.fd = -1};

/* Processors that the service may use, counted before Kore gives each worker
 * its own, where it is told to. */
static unsigned int processors;

/* The file without a name that Kore writes its pid to; -1: it has another. */
static int pid_fd = -1;

static void name_lost_guard(void) __attribute__((constructor));
static void hide_pid(void) __attribute__((constructor));
static void forget_pid(void);
static void note_event(enum audit_kind);
static void log_to_kore(enum log_level, const char *, void *);
static void terminate(int);
static void terminated(void *, int);
static unsigned int workers_to_be(void);
static int start_threads(unsigned int);
static unsigned int thread_count(void);
static unsigned int spare_count(void);
static void catch_termination(void);

/*
 * Runs while Kore loads the module, before it reads the routes: of a route
 * whose authentication block is misspelt or stands below it, Kore would name
 * the block alone. What else is wrong with the file is Kore's to say.
 */
static void
name_lost_guard(void)
{
	char error[ROUTEFILE_ERROR_MAX];
	struct routefile routes;
	int ret;

	if (config_file == NULL ||
	    routefile_load(config_file, &routes, error) == -1)
		return;
	ret = routefile_check(&routes, error);
	routefile_free(&routes);
	if (ret == -1)
		fatalx("corgi: %s", error);
}

/*
 * Runs while Kore loads the module, too. Kore cannot be told to write no pid,
 * and writes it before it calls us: through any link, and always to the same
 * place, which two services would share. Where no file is asked for (or
 * Kore's own default is), none is made.
 */
static void
hide_pid(void)
{
	char path[32];

	if (strcmp(kore_pidfile, KORE_PIDFILE_DEFAULT) != 0)
		return;
	pid_fd = memfd_create("pid", MFD_CLOEXEC);
	if (pid_fd == -1)
		return;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", pid_fd);
	kore_pidfile = kore_strdup(path);
}

/* It has been written, and at the end there is nothing to remove. A file that
 * was asked for below the module's own line is left alone. */
static void
forget_pid(void)
{
	if (pid_fd == -1)
		return;
	if (strncmp(kore_pidfile, "/proc/self/fd/", 14) == 0)
		kore_pidfile[0] = '\0';
	(void)close(pid_fd);
	pid_fd = -1;
}

void
kore_parent_configure(int argc, char **argv)
{
	char error[GUARD_ERROR_MAX];

	_Static_assert(GUARD_ERROR_MAX >= TLS_ERROR_MAX &&
		GUARD_ERROR_MAX >= CLIENT_ERROR_MAX,
	    "one buffer for all");
	(void)argc;
	(void)argv;

	/* Whoever reads the log through a pipe wants lines when they happen,
	 * and the workers inherit the setting. */
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	log_open(log_to_kore, NULL, LOG_LEVEL_INFO);
	forget_pid();

	/* A reload would replace this module under the running threads. */
	(void)signal(SIGHUP, SIG_IGN);

	if (guard_check(error) == -1)
		fatalx("corgi: %s", error);
	service_start();
	if (tls_start(&service_get()->config, error) == -1 ||
	    client_start(&service_get()->config, error) == -1)
		fatalx("corgi: %s", error);
	if (control_listen(service_get()->folder) == -1)
		fatal("corgi: cannot listen on a socket in the data folder: "
		      "%s",
		    errno_s);
	if (guard_has_tls_listener() && !tls_ready())
		fatalx("corgi: a listener is bound to front_connect_tls, but "
		       "CORGI_TLS_CERTIFICATE and CORGI_TLS_KEY are not set");
	if (!guard_has_tls_listener() && tls_ready())
		fatalx("corgi: CORGI_TLS_CERTIFICATE is set, but no listener "
		       "is bound to front_connect_tls");
	capacity_settle(&service_get()->config);
	processors = cpus_usable();
	if (turns_init(workers_to_be(), processors) == -1)
		fatal(
		    "corgi: no memory for what the workers share: %s", errno_s);
	note_event(AUDIT_START);
}

static void
note_event(enum audit_kind kind)
{
	struct audit_event event;

	memset(&event, 0, sizeof(event));
	event.kind = kind;
	(void)audit_write(&event);
}

void
kore_parent_teardown(void)
{
	note_event(AUDIT_STOP);
	control_close();
	service_stop();
}

void
kore_worker_configure(void)
{
	const struct config *config = &service_get()->config;

	capacity_restore();
	(void)signal(SIGHUP, SIG_IGN);
	/* Kore means to tell a worker that its parent is gone, but the worker
	 * itself holds that end of the pipe open, too. */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) == -1)
		log_line(LOG_LEVEL_WARNING, "prctl: %s", errno_s);
	front_init(config);
	if (start_threads(config->queue) == -1)
		fatal("cannot start the background threads: %s", errno_s);
	if (guard_init() == -1)
		fatal("no memory for the cache of verified tokens");
	if (attempts_start() == -1)
		fatal("eventfd: %s", errno_s);
	if (control_start() == -1)
		fatal("cannot start the control thread: %s", errno_s);
	(void)priority_event_loop();
	catch_termination();
}

void
kore_worker_teardown(void)
{
	offload_stop();
	control_stop();
	guard_stop();
	service_stop();
}

static void
log_to_kore(enum log_level level, const char *line, void *ctx)
{
	static const int priorities[] = {
	    [LOG_LEVEL_DEBUG] = LOG_DEBUG,
	    [LOG_LEVEL_INFO] = LOG_INFO,
	    [LOG_LEVEL_NOTICE] = LOG_NOTICE,
	    [LOG_LEVEL_WARNING] = LOG_WARNING,
	    [LOG_LEVEL_ERR] = LOG_ERR,
	};

	(void)ctx;
	kore_log(priorities[level], "%s: %s", log_level_name(level), line);
}

/* How many workers Kore is going to start: it settles that only later, when its
 * configuration names no number. */
static unsigned int
workers_to_be(void)
{
	return (worker_count > 0 ? worker_count : cpu_count);
}

static int
start_threads(unsigned int queue)
{
	bool on_server = service_get()->on_server;
	const struct offload_crew crew = {
	    .longs = thread_count(),
	    .spares = on_server ? 0 : spare_count(),
	    .shorts = on_server ? SHORT_SERVER : SHORT_FILE,
	    .together = on_server ? TOGETHER_SERVER : TOGETHER_FILE,
	};

	turns_join(worker->id);
	return (offload_start(&crew, queue, service_store_release));
}

/*
 * All workers together hash on as many threads as they have processors: more
 * would only take turns, each with its own memory. Kore counts two helpers of
 * its own among its workers.
 */
static unsigned int
thread_count(void)
{
	unsigned int threads, workers;

	threads = service_get()->config.threads;
	workers = worker_count > 2 ? worker_count - 2u : 1;
	if (threads == 0)
		threads = processors / workers;
	return (threads > 0 ? threads : 1);
}

/* With these a worker can hash on all processors, unless it was told how many
 * threads it may have. */
static unsigned int
spare_count(void)
{
	unsigned int threads = thread_count(), spares = 0;

	if (service_get()->config.threads == 0 && processors > threads)
		spares = processors - threads;
	return (spares < SPARES_MAX ? spares : SPARES_MAX);
}

static void
catch_termination(void)
{
	struct sigaction action;

	termination.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (termination.fd == -1)
		fatal("eventfd: %s", errno_s);
	termination.evt.type = KORE_TYPE_TASK;
	termination.evt.handle = terminated;
	kore_platform_event_level_read(termination.fd, &termination);

	memset(&action, 0, sizeof(action));
	action.sa_handler = terminate;
	(void)sigfillset(&action.sa_mask);
	if (sigaction(SIGTERM, &action, NULL) == -1 ||
	    sigaction(SIGINT, &action, NULL) == -1 ||
	    sigaction(SIGQUIT, &action, NULL) == -1)
		fatal("sigaction: %s", errno_s);
}

/* Signal handler: only what is safe there. */
static void
terminate(int sig)
{
	uint64_t one = 1;
	int saved = errno;

	(void)sig;
	if (write(termination.fd, &one, sizeof(one)) == -1)
		sig_recv = SIGTERM;
	errno = saved;
}

static void
terminated(void *arg, int error)
{
	uint64_t count;

	(void)arg;
	(void)error;
	if (read(termination.fd, &count, sizeof(count)) == -1)
		return;
	front_drain();
}
