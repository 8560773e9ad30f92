#include <sys/resource.h>

#include <kore/kore.h>

#include "base/log.h"
#include "http/room.h"

/* What the pools are made for; they grow by a quarter of that. */
#define ROOM_POOLS 512

/* Files of a worker that are no connections: libraries' and Kore's own, three
 * of each database handle. Kore adds those to its limit that are open when a
 * worker starts. */
#define ROOM_FILES 128

/* What kore.conf says. */
static u_int32_t configured;

static void find_files(void);
static unsigned int less(unsigned int, unsigned int);

unsigned int
room_prepare(unsigned int wanted)
{
	unsigned int room = wanted;

	find_files();
	if (room > less(worker_rlimit_nofiles, ROOM_FILES)) {
		room = less(worker_rlimit_nofiles, ROOM_FILES);
		log_line(LOG_LEVEL_WARNING,
		    "a worker may open %u files, so it takes %u connections "
		    "and not CORGI_CONNECTIONS_PER_WORKER (%u): raise "
		    "worker_rlimit_nofiles and the system's limit (ulimit -n, "
		    "LimitNOFILE, --ulimit nofile)",
		    worker_rlimit_nofiles, room, wanted);
	}
	if (room > less(worker_max_connections, 1)) {
		room = less(worker_max_connections, 1);
		log_line(LOG_LEVEL_WARNING,
		    "worker_max_connections is %u, so a worker takes %u "
		    "connections and not CORGI_CONNECTIONS_PER_WORKER (%u)",
		    worker_max_connections, room, wanted);
	}
	configured = worker_max_connections;
	if (worker_max_connections > ROOM_POOLS)
		worker_max_connections = ROOM_POOLS;
	return (room);
}

/* What can be had of worker_rlimit_nofiles. Were it more than that, Kore would
 * leave it at what the process began with. */
static void
find_files(void)
{
	struct rlimit limit, higher;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return;
	higher = limit;
	higher.rlim_max = (rlim_t)worker_rlimit_nofiles + ROOM_FILES;
	if (limit.rlim_max >= higher.rlim_max ||
	    setrlimit(RLIMIT_NOFILE, &higher) == 0)
		return;
	worker_rlimit_nofiles = less((unsigned int)limit.rlim_max, ROOM_FILES);
}

/* What is left of a number, and half of it at the least. */
static unsigned int
less(unsigned int number, unsigned int by)
{
	return (number / 2 > by ? number - by : number - number / 2);
}

void
room_open(void)
{
	worker_max_connections = configured;
}
