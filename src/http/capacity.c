/*
 * capacity.c - the limits of a worker, between Kore's and those of the system.
 *
 * Kore 4.1.0 makes its pools (connections, buffers, requests, headers) as large
 * as its limits when a worker starts, and touches all of it: some 760 bytes for
 * each connection that might come. But a pool that is used up grows by a
 * quarter of its first size, as often as it must. So a limit that is small
 * while the pools are made, and has its value when connections are accepted,
 * costs what is in use. A worker that is made later, in place of one that died,
 * gets the small limits from the parent again, where they stay. The array for
 * the events of one turn of the loop is made small as well: what does not fit
 * comes in the next turn, in order.
 */
#include <kore/kore.h>
#include <kore/http.h>

#include "base/files.h"
#include "base/log.h"
#include "http/capacity.h"

/* What the pools are made for: Kore's default of connections, and requests of
 * which few are ever under way at once, as most are answered in the same turn. */
#define POOL_CONNECTIONS 512
#define POOL_REQUESTS    64

/* Files that are open when a worker is made: Kore adds their number to its
 * limit. Two for each worker, listeners, logs, and what was inherited. */
#define FILES_BEFORE 128

/* Files that a worker opens for itself: three of SQLite for each of 64 threads
 * at most, and what else it waits for. */
#define FILES_OWN 256

static struct {
	u_int32_t kore_connections; /* worker_max_connections */
	u_int32_t kore_requests;    /* http_request_limit */
	unsigned int connections;
} capacity;

static bool settle_files(void);
static unsigned int room_of(unsigned int);
static void settle_connections(const struct config *, bool);
static void shrink_pools(void);

void
capacity_settle(const struct config *config)
{
	settle_connections(config, settle_files());
	shrink_pools();
}

void
capacity_restore(void)
{
	worker_max_connections = capacity.kore_connections;
	http_request_limit = capacity.kore_requests;
}

unsigned int
capacity_connections(void)
{
	return (capacity.connections);
}

/*
 * Lower worker_rlimit_nofiles to what the hard limit allows; whether that was
 * necessary. Kore would ask for more, be refused, and leave its workers the
 * soft limit they were started with. The parent gets the limit, too: it is what
 * a worker falls back to, and when a worker is made Kore looks at each number
 * below it, which takes long where the system's limit is in the millions.
 */
static bool
settle_files(void)
{
	rlim_t want, files;

	want = (rlim_t)worker_rlimit_nofiles + FILES_BEFORE;
	files = files_allow(want);
	if (files == want)
		return (false);
	worker_rlimit_nofiles =
	    (u_int32_t)(files > 2 * (rlim_t)FILES_BEFORE ? files - FILES_BEFORE
							 : files / 2);
	return (true);
}

/* Connections for which so many files are enough. */
static unsigned int
room_of(unsigned int files)
{
	return (files > 2 * FILES_OWN ? files - FILES_OWN : files / 2);
}

/*
 * One connection too many is taken all the same, for as long as it takes to say
 * so. Our limit therefore stays below Kore's, and both below that of files: out
 * of files, a worker could neither take a connection nor turn it away.
 */
static void
settle_connections(const struct config *config, bool is_hard)
{
	const char *cause = "worker_max_connections";
	unsigned int room, most = worker_max_connections;

	room = room_of(worker_rlimit_nofiles);
	if (room < most) {
		most = room;
		cause = is_hard
		    ? "the system's hard limit of open files (ulimit -Hn)"
		    : "worker_rlimit_nofiles";
	}
	capacity.kore_requests = http_request_limit;
	capacity.kore_connections = most;
	capacity.connections = config->connections_per_worker;
	if (capacity.connections < most)
		return;
	capacity.connections = most > 1 ? most - most / 16 - 1 : most;
	log_line(LOG_LEVEL_WARNING,
	    "a worker takes %u connections, not the %u of "
	    "CORGI_CONNECTIONS_PER_WORKER, because of %s",
	    capacity.connections, config->connections_per_worker, cause);
}

static void
shrink_pools(void)
{
	if (worker_max_connections > POOL_CONNECTIONS)
		worker_max_connections = POOL_CONNECTIONS;
	if (http_request_limit > POOL_REQUESTS)
		http_request_limit = POOL_REQUESTS;
}
