/*
 * The table under fire: processes read without a lock while others write, are
 * killed in the middle, and write on. Three sorts of ids: some that were put
 * in for ever before it began and are updated all the time, many that come
 * and go and take each other's places, and some that never were put in.
 */
#include <sys/wait.h>

#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/shared.h"
#include "revocation_kit.h"

#define NOW KIT_REVOKED_NOW

#define KEPT       64   /* ids 0 to 63 */
#define PASSING    2048 /* ids from 1000 on */
#define PASSING_AT 1000
#define NEVER_AT   900000
#define PUTS       1500000
#define READERS    2
#define KILLS      150

/* Faults, as exit codes of the children. */
enum fault {
	FAULT_NONE,
	FAULT_LOST = 10, /* an entry that must be there is not */
	FAULT_BACK,      /* an update was undone */
	FAULT_FALSE,     /* an entry that never was, or another's value */
	FAULT_ROOM
};

/* Shared by all processes of a test. */
struct field {
	struct revocations *r;
	volatile int64_t now; /* moved on by the writer */
	volatile int stop;
	/* Keys, so that the time goes into the table. */
	struct revocation_key kept[KEPT];
	struct revocation_key passing[PASSING];
	struct revocation_key never[KEPT];
	volatile uint32_t value[KEPT]; /* at least this has been put in */
};

TestSuite(revocation_fire, .timeout = 300);

static uint32_t
next(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return (*state >> 8);
}

static struct field *
field_new(void)
{
	struct field *f = shared_alloc(sizeof(*f));
	uint32_t n;

	cr_assert_not_null(f);
	f->r = table_new(512);
	f->now = NOW;
	for (n = 0; n < KEPT; n++) {
		f->kept[n] = numbered_key(f->r, n);
		f->never[n] = numbered_key(f->r, NEVER_AT + n);
		cr_assert_eq(
		    revocations_put(f->r, &f->kept[n], 0, INT64_MAX, NOW), 0);
	}
	for (n = 0; n < PASSING; n++)
		f->passing[n] = numbered_key(f->r, PASSING_AT + n);
	return (f);
}

static void
field_free(struct field *f)
{
	revocations_free(f->r);
	shared_free(f, sizeof(*f));
}

/* One look at each sort. */
static enum fault
look(const struct field *f, uint32_t random)
{
	uint32_t value, least, n = random % KEPT;
	int64_t now = f->now;

	least = f->value[n];
	if (!revocations_get(f->r, &f->kept[n], now, &value))
		return (FAULT_LOST);
	if (value < least)
		return (FAULT_BACK);
	if (revocations_get(f->r, &f->never[n], now, NULL))
		return (FAULT_FALSE);
	n = random % PASSING;
	if (revocations_get(f->r, &f->passing[n], now, &value) &&
	    value != numbered_value(PASSING_AT + n))
		return (FAULT_FALSE);
	return (FAULT_NONE);
}

/* Put in what passes, update what stays, and now and then let time go by. */
static enum fault
write_one(struct field *f, uint32_t *state)
{
	uint32_t n, value;

	n = next(state) % PASSING;
	if (revocations_put(f->r, &f->passing[n],
		numbered_value(PASSING_AT + n), f->now + 1 + next(state) % 3,
		f->now) == -1)
		return (FAULT_ROOM);
	n = next(state) % KEPT;
	value = f->value[n] + 1;
	if (revocations_put(f->r, &f->kept[n], value, INT64_MAX - n, f->now) ==
	    -1)
		return (FAULT_LOST);
	f->value[n] = value;
	if (next(state) % 64 == 0)
		f->now = f->now + 1;
	return (FAULT_NONE);
}

static pid_t
start_reader(struct field *f, uint32_t seed)
{
	enum fault fault = FAULT_NONE;
	pid_t child = fork();

	cr_assert_neq(child, -1);
	if (child != 0)
		return (child);
	while (fault == FAULT_NONE && !f->stop)
		fault = look(f, next(&seed));
	_exit(fault);
}

/* Writes for ever, unless puts is not 0. */
static pid_t
start_writer(struct field *f, uint32_t seed, uint32_t puts)
{
	enum fault fault = FAULT_NONE;
	pid_t child = fork();
	uint32_t n;

	cr_assert_neq(child, -1);
	if (child != 0)
		return (child);
	for (n = 0; fault == FAULT_NONE && (puts == 0 || n < puts); n++)
		fault = write_one(f, &seed);
	_exit(fault);
}

static void
expect_end(pid_t child, const char *who)
{
	int status;

	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect(WIFEXITED(status), "%s died", who);
	cr_expect_eq(WEXITSTATUS(status), FAULT_NONE, "%s saw fault %d", who,
	    WEXITSTATUS(status));
}

/* All there is can be found, each entry once. */
static void
expect_sound(struct field *f)
{
	size_t found = 0;
	uint32_t n;

	for (n = 0; n < PASSING; n++) {
		cr_assert_eq(look(f, n), FAULT_NONE);
		found += revocations_get(f->r, &f->passing[n], f->now, NULL);
	}
	cr_assert_eq(revocations_count(f->r, f->now), KEPT + found);
}

Test(revocation_fire, readers_see_whole_entries_only)
{
	struct field *f = field_new();
	pid_t readers[READERS], writer;
	uint32_t i;

	for (i = 0; i < READERS; i++)
		readers[i] = start_reader(f, i + 1);
	writer = start_writer(f, 77, PUTS);
	expect_end(writer, "the writer");
	f->stop = 1;
	for (i = 0; i < READERS; i++)
		expect_end(readers[i], "a reader");
	expect_sound(f);
	cr_expect_gt(f->now, NOW + PUTS / 100);
	field_free(f);
}

Test(revocation_fire, several_writers_lose_nothing)
{
	enum { WRITERS = 3, EACH = 3000 };
	struct revocations *r = table_new(WRITERS * EACH);
	pid_t writers[WRITERS];
	uint32_t i, n;

	for (i = 0; i < WRITERS; i++) {
		if ((writers[i] = fork()) != 0)
			continue;
		for (n = 0; n < EACH; n++)
			if (put_number(r, i * EACH + n, NOW + 1, NOW) == -1)
				_exit(FAULT_ROOM);
		_exit(FAULT_NONE);
	}
	for (i = 0; i < WRITERS; i++)
		expect_end(writers[i], "a writer");
	for (n = 0; n < WRITERS * EACH; n++)
		cr_assert(has_number(r, n, NOW));
	cr_expect_eq(revocations_count(r, NOW), WRITERS * EACH);
	revocations_free(r);
}

Test(revocation_fire, a_writer_that_is_killed_leaves_a_sound_table)
{
	struct field *f = field_new();
	struct timespec wait = {0, 0};
	uint32_t i, n, state = 5, killed = 0;
	pid_t reader, writer;
	int status;

	reader = start_reader(f, 1);
	for (i = 0; i < KILLS; i++) {
		writer = start_writer(f, i, 0);
		wait.tv_nsec = next(&state) % 3000000;
		(void)nanosleep(&wait, NULL);
		cr_assert_eq(kill(writer, SIGKILL), 0);
		cr_assert_eq(waitpid(writer, &status, 0), writer);
		killed += WIFSIGNALED(status);
		expect_sound(f);
		/* Whoever comes next can write at once. */
		for (n = 0; n < 10; n++)
			cr_assert_eq(write_one(f, &state), FAULT_NONE);
	}
	cr_expect_eq(killed, KILLS);
	f->stop = 1;
	expect_end(reader, "the reader");
	expect_sound(f);
	field_free(f);
}
