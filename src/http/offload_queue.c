/*
 * offload_queue.c - what waits for the threads of the pool, and who is to do it.
 */
#include "base/clock.h"
#include "base/turns.h"
#include "http/offload_internal.h"

/*
 * How long the first of those that follow a long job waits for others
 * (milliseconds), while there are more to come. A transaction with its sync,
 * and a thread that begins with cold caches, cost the same for one and for
 * several; beside the queue that there is then, this is little.
 */
#define OFFLOAD_GATHER_MS 50

static struct offload_hands *offload_hashers(void);

void
offload_put(struct offload_job *job, enum offload_rank rank)
{
	job->submitted_ms = clock_monotonic_ms();
	job->waiting = true;
	job->is_long = rank == OFFLOAD_LONG;
	job->patient = false;
	if (rank == OFFLOAD_LONG) {
		TAILQ_INSERT_TAIL(&offload_pool.longs, job, list);
		offload_pool.nlongs++;
		return;
	}
	if (rank == OFFLOAD_FIRST)
		TAILQ_INSERT_HEAD(&offload_pool.shorts, job, list);
	else
		TAILQ_INSERT_TAIL(&offload_pool.shorts, job, list);
	offload_pool.nshorts++;
}

void
offload_put_patient(struct offload_job *job)
{
	offload_put(job, OFFLOAD_SHORT);
	if (offload_pool.together < 2)
		return;
	job->patient = true;
	offload_pool.npatient++;
}

/* Off the queue; with the lock held. */
void
offload_take(struct offload_job *job)
{
	if (job->is_long) {
		TAILQ_REMOVE(&offload_pool.longs, job, list);
		offload_pool.nlongs--;
	} else {
		TAILQ_REMOVE(&offload_pool.shorts, job, list);
		offload_pool.nshorts--;
		if (job->patient)
			offload_pool.npatient--;
	}
	job->waiting = false;
}

/* What is to be done next, or NULL; with the lock held. */
struct offload_job *
offload_next(void)
{
	struct offload_job *job;

	job = offload_next_short();
	return (job != NULL ? job : offload_next_long());
}

struct offload_job *
offload_next_short(void)
{
	return (offload_gathers() ? NULL : TAILQ_FIRST(&offload_pool.shorts));
}

struct offload_job *
offload_next_long(void)
{
	return (TAILQ_FIRST(&offload_pool.longs));
}

struct offload_job *
offload_next_spare(void)
{
	return (turns_free() ? offload_next_long() : NULL);
}

/*
 * Whether those that wait had better wait for others: only while there are more
 * to come than have come, and nothing is among them that must not wait. With
 * the lock held.
 */
bool
offload_gathers(void)
{
	return (offload_pool.npatient > 0 &&
	    offload_pool.npatient == offload_pool.nshorts &&
	    offload_pool.npatient < offload_pool.nlongs &&
	    offload_pool.npatient < offload_pool.together &&
	    clock_monotonic_ms() < offload_due());
}

/* When the first that waits is done in any case; there is one. */
int64_t
offload_due(void)
{
	return (TAILQ_FIRST(&offload_pool.shorts)->submitted_ms +
	    OFFLOAD_GATHER_MS);
}

/*
 * Let go of the lock and wake who can do what was put on the queue. Those who
 * are at work look for more when they are done; the reserve, once it has seen
 * that something waits, looks again by itself. So does the thread for short
 * jobs, once it knows until when others may join the first.
 */
void
offload_unlock_and_wake(bool is_long)
{
	struct offload_hands *crew =
	    is_long ? offload_hashers() : &offload_pool.brief;
	bool knows = !is_long && offload_pool.npatient > 1 && offload_gathers();
	bool crew_waits = crew->waiting > 0 && !knows,
	     late_waits = offload_pool.late.waiting > 0;

	pthread_mutex_unlock(&offload_pool.lock);
	if (crew_waits)
		pthread_cond_signal(&crew->arrival);
	if (late_waits)
		pthread_cond_signal(&offload_pool.late.arrival);
}

/* Who is to hash what was put on the queue: a spare thread where all others are
 * at work and there is room for one more. With the lock held. */
static struct offload_hands *
offload_hashers(void)
{
	if (offload_pool.work.waiting == 0 && offload_pool.spare.waiting > 0 &&
	    turns_free())
		return (&offload_pool.spare);
	return (&offload_pool.work);
}
