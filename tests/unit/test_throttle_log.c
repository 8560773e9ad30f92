/*
 * What nodes that share a log of attempts count: what one of them has seen
 * counts on the others, once, whatever their clocks say.
 */
#include "throttle_kit.h"

/* Another node, and what it has been told of. */
static struct throttle *other;
static int64_t other_now = -5000000; /* its machine was started just now */

/* The log: what has been appended so far. */
#define ROWS_MAX 64
static struct {
	struct store_attempt rows[ROWS_MAX];
	int64_t ms[ROWS_MAX]; /* by the clock of this node */
	int64_t first;        /* number of the first row */
	size_t count;
	int64_t fail_at; /* a number that cannot be read */
	int64_t asked;   /* after which number */
	unsigned int walks;
} shared_log;

static void set_up(void);
static void tear_down(void);
static void append(const struct store_attempt *);
static bool tell(const char *, const char *, enum throttle_outcome);
static void tell_times(const char *, const char *, int);
static void hear(void);
static unsigned int wait_there(const char *, const char *);
static struct listed list_there(void);
static enum store_result log_mark(struct store *, int64_t *);
static enum store_result log_each(struct store *, int64_t,
    int (*)(const struct store_attempt *, void *), void *);
static enum store_result
log_add(struct store *, const struct store_attempt *, size_t);

static const struct store_ops log_ops = {
    .name = "a log",
    .attempt_add = log_add,
    .attempt_each = log_each,
    .attempt_mark = log_mark,
};
static struct store log_store = {.ops = &log_ops};

TestSuite(throttle_log, .init = set_up, .fini = tear_down, .timeout = 60);

static struct throttle *
another(void)
{
	static const uint8_t key[THROTTLE_COMMON_KEY_LEN] = "of all nodes";
	struct throttle *t = throttle_new(&config);

	cr_assert_not_null(t);
	throttle_share(t, key);
	return (t);
}

static void
set_up(void)
{
	cr_assert_eq(secret_init(), 0);
	memset(&shared_log, 0, sizeof(shared_log));
	shared_log.first = 1;
	throttle = another();
	other = another();
}

static void
tear_down(void)
{
	throttle_tear_down();
	throttle_free(other);
}

static void
append(const struct store_attempt *row)
{
	cr_assert_lt(shared_log.count, ROWS_MAX);
	shared_log.rows[shared_log.count] = *row;
	shared_log.rows[shared_log.count].number =
	    shared_log.first + (int64_t)shared_log.count;
	shared_log.ms[shared_log.count++] = now;
}

static enum store_result
log_add(struct store *s, const struct store_attempt *rows, size_t count)
{
	(void)s;
	while (count-- > 0)
		append(rows++);
	return (STORE_OK);
}

static enum store_result
log_mark(struct store *s, int64_t *mark)
{
	(void)s;
	*mark = shared_log.first + (int64_t)shared_log.count - 1;
	return (STORE_OK);
}

static enum store_result
log_each(struct store *s, int64_t after,
    int (*each)(const struct store_attempt *, void *), void *ctx)
{
	struct store_attempt row;
	size_t i;

	(void)s;
	shared_log.asked = after;
	shared_log.walks++;
	for (i = 0; i < shared_log.count; i++) {
		row = shared_log.rows[i];
		if (row.number <= after)
			continue;
		if (row.number == shared_log.fail_at)
			return (STORE_FAILED);
		row.age_ms = now - shared_log.ms[i];
		if (each(&row, ctx) != 0)
			break;
	}
	return (STORE_OK);
}

/* An attempt on this node, and what it tells of it. */
static bool
tell(const char *name, const char *from, enum throttle_outcome outcome)
{
	struct throttle_ticket ticket;
	struct store_attempt row;

	cr_assert_eq(admit(name, from, &ticket), 0);
	if (!throttle_settle(throttle, &ticket, outcome, now, &row))
		return (false);
	append(&row);
	return (true);
}

static void
tell_times(const char *name, const char *from, int times)
{
	while (times-- > 0)
		cr_assert(tell(name, from, THROTTLE_FAILED));
}

static void
hear(void)
{
	cr_assert_eq(throttle_follow(other, &log_store, other_now), STORE_OK);
}

static unsigned int
wait_there(const char *name, const char *from)
{
	struct throttle *here = throttle;
	int64_t here_now = now;
	unsigned int wait;

	throttle = other;
	now = other_now;
	wait = wait_for(name, from);
	throttle = here;
	now = here_now;
	return (wait);
}

static struct listed
list_there(void)
{
	struct listed listed = {.count = 0};

	throttle_each(other, other_now, collect_entry, &listed);
	return (listed);
}

Test(throttle_log, failures_on_one_node_count_on_the_other)
{
	tell_times("cosmo", EVIL, LIMIT - 1);
	hear();
	cr_expect_eq(wait_there("cosmo", EVIL), 0);
	tell_times("cosmo", EVIL, 1);
	cr_expect_eq(wait_there("cosmo", EVIL), 0, "not heard yet");
	hear();
	cr_expect_eq(wait_there("cosmo", EVIL), 1);
	cr_expect_eq(wait_there("cosmo", HOME), 1, "from everywhere");
	cr_expect_eq(wait_there("Cosmo", EVIL), 0, "another account");
	cr_expect_eq(wait_for("cosmo", EVIL), 1);
	other_now += 1000;
	cr_expect_eq(wait_there("cosmo", EVIL), 0, "the wait ends");
}

Test(throttle_log, failures_here_and_there_add_up)
{
	struct throttle_ticket ticket;
	struct in6_addr address = address_of(OFFICE);

	tell_times("cosmo", EVIL, LIMIT - 1);
	hear();
	cr_assert_eq(throttle_admit(
			 other, "cosmo", 5, &address, other_now, &ticket, NULL),
	    0);
	cr_expect(
	    throttle_settle(other, &ticket, THROTTLE_FAILED, other_now, NULL));
	cr_expect_eq(wait_there("cosmo", EVIL), 1);
	cr_expect_eq(list_there().entries[0].failures, LIMIT);
}

Test(throttle_log, addresses_count_on_all_nodes_too)
{
	config.throttle_address = 4;
	tear_down();
	set_up();
	tell_times(NULL, EVIL, 2);
	tell_times("a", EVIL, 1);
	tell_times("b", EVIL, 1);
	hear();
	cr_expect_eq(wait_there("c", EVIL), 1);
	cr_expect_eq(wait_there(NULL, EVIL), 1);
	cr_expect_eq(wait_there("c", HOME), 0);
}

Test(throttle_log, a_row_counts_once_whoever_reads_it)
{
	int i;

	tell_times("cosmo", EVIL, LIMIT - 1);
	for (i = 0; i < 3; i++)
		hear();
	cr_expect_eq(list_there().entries[0].failures, LIMIT - 1);

	/* As two processes that have both read all rows. */
	tell_times("cosmo", EVIL, 1);
	for (i = 0; i < 2 * LIMIT; i++)
		throttle_apply(other, &shared_log.rows[i % LIMIT], other_now);
	cr_expect_eq(list_there().entries[0].failures, LIMIT);
	cr_expect_eq(throttle_position(other), LIMIT);
}

Test(throttle_log, what_a_node_has_told_itself_it_does_not_count_again)
{
	tell_times("cosmo", EVIL, LIMIT - 1);
	cr_assert_eq(throttle_follow(throttle, &log_store, now), STORE_OK);
	cr_expect_eq(throttle_position(throttle), LIMIT - 1);
	cr_expect_eq(list_all().entries[0].failures, LIMIT - 1);

	/* After a restart it does. */
	throttle_free(throttle);
	throttle = another();
	cr_assert_eq(throttle_follow(throttle, &log_store, now), STORE_OK);
	cr_expect_eq(list_all().entries[0].failures, LIMIT - 1);
}

Test(throttle_log, a_good_login_clears_and_makes_the_address_known)
{
	tell_times("cosmo", EVIL, LIMIT);
	hear();
	cr_expect_eq(wait_there("cosmo", EVIL), 1);
	now += 1000;
	cr_expect(tell("cosmo", HOME, THROTTLE_GOOD));
	hear();
	cr_expect_eq(wait_there("cosmo", EVIL), 0);
	cr_expect_eq(list_there().count, 0);
	tell_times("cosmo", EVIL, LIMIT);
	hear();
	cr_expect_eq(wait_there("cosmo", EVIL), 1);
	cr_expect_eq(wait_there("cosmo", OFFICE), 1);
	cr_expect_eq(wait_there("cosmo", HOME), 0, "the owner gets in");
}

Test(throttle_log, failures_from_a_known_address_are_its_own_there_too)
{
	cr_expect(tell("cosmo", HOME, THROTTLE_GOOD));
	tell_times("cosmo", HOME, LIMIT);
	hear();
	cr_expect_eq(wait_there("cosmo", HOME), 1);
	cr_expect_eq(wait_there("cosmo", OFFICE), 0);

	/* Also where nobody has heard of the good login. */
	throttle_free(other);
	other = another();
	shared_log.rows[0].kind = STORE_ATTEMPT_NONE;
	hear();
	cr_expect_eq(wait_there("cosmo", HOME), 1);
	cr_expect_eq(wait_there("cosmo", OFFICE), 0);
}

Test(throttle_log, good_logins_are_told_when_they_change_something)
{
	cr_expect(tell("cosmo", HOME, THROTTLE_GOOD), "a new address");
	cr_expect_not(tell("cosmo", HOME, THROTTLE_GOOD));
	cr_expect(tell("cosmo", OFFICE, THROTTLE_GOOD), "another one");
	tell_times("cosmo", HOME, 1);
	cr_expect(tell("cosmo", HOME, THROTTLE_GOOD), "own failures");
	cr_expect_not(tell("cosmo", HOME, THROTTLE_GOOD));
	tell_times("cosmo", EVIL, 1);
	cr_expect(tell("cosmo", HOME, THROTTLE_GOOD), "failures of others");
	now += HOUR_MS - 1;
	cr_expect_not(tell("cosmo", HOME, THROTTLE_GOOD));
	now += 1;
	cr_expect(tell("cosmo", HOME, THROTTLE_GOOD), "now and then");
	cr_expect_not(tell("cosmo", HOME, THROTTLE_GOOD));
	cr_expect_not(tell("cosmo", HOME, THROTTLE_UNDECIDED));

	/* A node that was told need not tell. */
	hear();
	throttle_free(throttle);
	throttle = other;
	now = other_now;
	other = another();
	cr_expect_not(tell("cosmo", HOME, THROTTLE_GOOD));
}

Test(throttle_log, nothing_is_told_where_nothing_counts)
{
	config.throttle_account = 0;
	tear_down();
	set_up();
	cr_expect_not(tell("cosmo", EVIL, THROTTLE_FAILED));
	cr_expect_not(tell("cosmo", EVIL, THROTTLE_GOOD));
	config.throttle_account = LIMIT;
	tear_down();
	set_up();
	cr_expect_not(tell(NULL, EVIL, THROTTLE_FAILED));
	cr_expect(tell("cosmo", EVIL, THROTTLE_FAILED));
	/* The other counts no accounts. */
	throttle_free(other);
	config.throttle_account = 0;
	other = another();
	config.throttle_account = LIMIT;
	hear();
	cr_expect_eq(list_there().count, 0);
}

Test(throttle_log, what_is_cleared_on_one_node_is_cleared_on_the_other)
{
	struct in6_addr address = address_of(EVIL);
	struct store_attempt row;

	config.throttle_address = LIMIT;
	tear_down();
	set_up();
	cr_expect(tell("cosmo", HOME, THROTTLE_GOOD));
	tell_times("cosmo", HOME, LIMIT - 1);
	tell_times("cosmo", EVIL, LIMIT);
	tell_times("laika", "192.0.2.99", LIMIT);
	hear();
	cr_expect_eq(list_there().count, 6);

	cr_expect_eq(throttle_clear_account(throttle, "cosmo", 5, &row), 2);
	append(&row);
	hear();
	cr_expect_eq(list_there().count, 4);
	cr_expect_eq(wait_there("cosmo", OFFICE), 0);
	cr_expect_eq(wait_there("laika", OFFICE), 1);
	cr_expect_eq(wait_there("b", EVIL), 1);

	cr_expect_eq(throttle_clear_address(throttle, &address, &row), 1);
	append(&row);
	hear();
	cr_expect_eq(wait_there("b", EVIL), 0);
	cr_expect_eq(wait_there("laika", OFFICE), 1);

	cr_expect_eq(throttle_clear(throttle, &row), 3);
	append(&row);
	hear();
	cr_expect_eq(list_there().count, 0);
	/* What is cleared here may be counted elsewhere alone. */
	cr_expect_eq(throttle_clear_account(throttle, "nobody", 6, &row), 0);
	cr_expect_eq(row.kind, STORE_ATTEMPT_CLEAR_ACCOUNT);
	/* Known addresses are still known. */
	tell_times("cosmo", OFFICE, LIMIT);
	hear();
	cr_expect_eq(wait_there("cosmo", HOME), 0);
	config.throttle_address = 0;
}

/* Names that are none may be passwords: they are told to nobody. */
Test(throttle_log, names_of_accounts_alone_are_told)
{
	struct listed listed;
	struct throttle_ticket ticket;
	struct in6_addr address = address_of(EVIL);

	tell_times("hunter2", EVIL, 1);
	tell_times("cosmo", HOME, 1);
	(void)memcpy(shared_log.rows[1].name, "cosmo", 5);
	shared_log.rows[1].name_len = 5;
	cr_expect_eq(shared_log.rows[0].name_len, 0);
	cr_expect_null(memmem(
	    &shared_log.rows[0], sizeof(shared_log.rows[0]), "hunter2", 7));
	hear();
	listed = list_there();
	cr_expect_eq(listed.count, 2);
	cr_expect_not_null(find_listed(&listed, "cosmo", ""));
	cr_expect_not_null(
	    find_listed(&listed, "(no account; typed on another node)", ""));

	/* Unless they are typed there, too. */
	cr_assert_eq(throttle_admit(other, "hunter2", 7, &address, other_now,
			 &ticket, NULL),
	    0);
	listed = list_there();
	cr_expect_not_null(find_listed(&listed, "hunter2", ""));
	cr_expect_eq(throttle_clear_account(other, "hunter2", 7, NULL), 1);
}

Test(throttle_log, nodes_without_a_common_key_do_not_take_accounts_for_others)
{
	throttle_free(other);
	other = throttle_new(&config);
	tell_times("cosmo", EVIL, LIMIT);
	hear();
	cr_expect_eq(wait_there("cosmo", EVIL), 0);
	cr_expect_eq(wait_for("cosmo", EVIL), 1);
}

/* A node that was cut off, or was not there yet. */
Test(throttle_log, who_comes_late_knows_the_rest_of_the_wait)
{
	tell_times("cosmo", EVIL, LIMIT);
	now += 1000;
	tell_times("cosmo", EVIL, 1);
	now += 2000;
	tell_times("cosmo", EVIL, 1);
	now += 1500;
	hear();
	cr_expect_eq(wait_for("cosmo", EVIL), 3);
	cr_expect_eq(wait_there("cosmo", EVIL), 3);
	other_now += 2500;
	cr_expect_eq(wait_there("cosmo", EVIL), 0);
}

Test(throttle_log, what_is_forgotten_here_is_forgotten_there)
{
	tell_times("cosmo", EVIL, LIMIT - 1);
	now += HOUR_MS;
	hear();
	cr_expect_eq(list_there().count, 1);
	other_now += 1;
	cr_expect_eq(list_there().count, 0);

	/* Too old to matter, whatever it says. */
	now += throttle_keep_ms(throttle);
	throttle_free(other);
	other = another();
	hear();
	cr_expect_eq(list_there().count, 0);
	cr_expect_eq(throttle_position(other), LIMIT - 1);
}

/* The server's clock was set back. */
Test(throttle_log, what_comes_from_the_future_happens_now)
{
	tell_times("cosmo", EVIL, LIMIT);
	now -= 10 * HOUR_MS;
	hear();
	cr_expect_eq(wait_there("cosmo", EVIL), 1);
	other_now += 1000;
	cr_expect_eq(wait_there("cosmo", EVIL), 0);
}

/* Rows that come late must not shorten a wait, nor make it begin anew. */
Test(throttle_log, an_older_failure_lengthens_the_wait_of_a_newer_one)
{
	struct throttle_ticket ticket;
	struct in6_addr address = address_of(EVIL);

	tell_times("cosmo", EVIL, LIMIT);
	now += 500;
	cr_assert_eq(throttle_admit(
			 other, "cosmo", 5, &address, other_now, &ticket, NULL),
	    0);
	(void)throttle_settle(other, &ticket, THROTTLE_FAILED, other_now, NULL);
	hear();
	cr_expect_eq(list_there().entries[0].failures, LIMIT + 1);
	cr_expect_eq(wait_there("cosmo", EVIL), 2);
	other_now += 2000;
	cr_expect_eq(wait_there("cosmo", EVIL), 0);
}

/* A flood of failures must not keep a node from its work for long. */
Test(throttle_log, who_is_far_behind_reads_the_newest_rows_alone)
{
	shared_log.first = 8;
	tell_times("cosmo", EVIL, 1);
	hear();
	cr_expect_eq(shared_log.asked, 0);
	shared_log.count = 0;
	shared_log.first = THROTTLE_ROWS_MAX + 30;
	tell_times("cosmo", EVIL, 2);
	hear();
	cr_expect_eq(shared_log.asked, 31);
	cr_expect_eq(list_there().entries[0].failures, 3);
	cr_expect_eq(throttle_position(other), THROTTLE_ROWS_MAX + 31);
}

/* As those of several processes of one node do. */
Test(throttle_log, rows_in_another_order_count_the_same)
{
	struct store_attempt second;
	struct throttle_ticket ticket[2];

	cr_assert_eq(admit("cosmo", EVIL, &ticket[0]), 0);
	cr_assert_eq(admit("cosmo", EVIL, &ticket[1]), 0);
	cr_expect(throttle_settle(
	    throttle, &ticket[0], THROTTLE_FAILED, now, &second));
	cr_expect(throttle_settle(throttle, &ticket[1], THROTTLE_FAILED, now,
	    &shared_log.rows[ROWS_MAX - 1]));
	append(&shared_log.rows[ROWS_MAX - 1]);
	append(&second);
	hear();
	cr_expect_eq(list_there().entries[0].failures, 2);
}

Test(throttle_log, a_log_that_has_not_grown_is_not_read)
{
	tell_times("cosmo", EVIL, 1);
	hear();
	hear();
	cr_expect_eq(shared_log.walks, 1);
	tell_times("cosmo", EVIL, 1);
	hear();
	cr_expect_eq(shared_log.walks, 2);
	cr_expect_eq(shared_log.asked, 1);
}

/* After a crash of the server it is empty, and counts from the beginning. */
Test(throttle_log, a_log_that_begins_anew_is_followed_from_its_beginning)
{
	tell_times("cosmo", EVIL, LIMIT - 1);
	hear();
	shared_log.count = 0;
	hear();
	cr_expect_eq(throttle_position(other), 0);
	cr_expect_eq(list_there().entries[0].failures, LIMIT - 1);
	tell_times("cosmo", EVIL, 1);
	hear();
	cr_expect_eq(wait_there("cosmo", EVIL), 1);
	hear();
	cr_expect_eq(list_there().entries[0].failures, LIMIT);

	/* Also when it was not looked at while it was empty. */
	tell_times("nova", EVIL, 2);
	hear();
	cr_expect_eq(throttle_position(other), 3);
	shared_log.count = 0;
	tell_times("laika", EVIL, 2);
	hear();
	cr_expect_eq(throttle_position(other), 2);
	cr_expect_eq(list_there().count, 3);
	hear();
	tell_times("laika", EVIL, LIMIT - 2);
	hear();
	cr_expect_eq(wait_there("laika", EVIL), 1);
}

Test(throttle_log, after_a_failure_the_rest_is_read_later)
{
	tell_times("cosmo", EVIL, LIMIT);
	shared_log.fail_at = LIMIT;
	cr_expect_eq(
	    throttle_follow(other, &log_store, other_now), STORE_FAILED);
	cr_expect_eq(throttle_position(other), LIMIT - 1);
	cr_expect_eq(wait_there("cosmo", EVIL), 0);
	shared_log.fail_at = 0;
	hear();
	cr_expect_eq(wait_there("cosmo", EVIL), 1);
	cr_expect_eq(list_there().entries[0].failures, LIMIT);
}

/* The charge of an attempt that is not decided is nobody else's business. */
Test(throttle_log, what_is_undecided_stays_here_and_survives_what_is_heard)
{
	struct throttle_ticket ticket;
	struct in6_addr address = address_of(OFFICE);

	cr_assert_eq(throttle_admit(
			 other, "cosmo", 5, &address, other_now, &ticket, NULL),
	    0);
	tell_times("cosmo", EVIL, LIMIT - 1);
	hear();
	cr_expect_eq(wait_there("cosmo", EVIL), 1, "with the charge");
	cr_expect_not(throttle_settle(
	    other, &ticket, THROTTLE_UNDECIDED, other_now, NULL));
	cr_expect_eq(wait_there("cosmo", EVIL), 0);
	cr_expect_eq(list_there().entries[0].failures, LIMIT - 1);
}
