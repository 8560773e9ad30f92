#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/shared.h"
#include "http/heard.h"
#include "http/service.h"

/* In shared memory. */
struct heard {
	_Atomic int64_t number; /* all revocations up to it are in the table */
	_Atomic int64_t ms[HEARD__MAX]; /* known whole then; 0: never */
};

static struct heard *heard;

static void raise_to(_Atomic int64_t *, int64_t);

int
heard_init(void)
{
	heard = shared_alloc(sizeof(*heard));
	return (heard == NULL ? -1 : 0);
}

/* Several follow at once; none takes back what another knows. */
static void
raise_to(_Atomic int64_t *value, int64_t to)
{
	int64_t was = atomic_load(value);

	while (was < to && !atomic_compare_exchange_weak(value, &was, to))
		continue;
}

/*
 * The time is taken before the question: the answer may be as old as that. Rows
 * are put in one after the other, so what was reached before a failure counts.
 */
enum store_result
heard_follow(struct store *store)
{
	const struct service *service = service_get();
	int64_t now = clock_boot_ms(), last = atomic_load(&heard->number);
	enum store_result result;

	result = revocations_follow(service->revocations, store,
	    clock_now(&service->policy.clock), &last);
	raise_to(&heard->number, last);
	if (result == STORE_OK)
		heard_note(HEARD_REVOCATIONS, now);
	return (result);
}

void
heard_note(enum heard_log log, int64_t ms)
{
	raise_to(&heard->ms[log], ms);
}

int64_t
heard_ago(enum heard_log log)
{
	int64_t ms = atomic_load(&heard->ms[log]);

	return (ms == 0 ? INT64_MAX : clock_boot_ms() - ms);
}

bool
heard_lately(enum heard_log log)
{
	const struct service *service = service_get();
	int64_t limit = service->config.database_silence;

	if (!service->on_server)
		return (true);
	if (limit == 0)
		return (atomic_load(&heard->ms[log]) != 0);
	return (heard_ago(log) <= limit * 1000);
}
