/*
 * What several requests change at once shares a transaction: each gets its own
 * answer all the same, what one of them cannot have the others do, and nothing
 * is said that is not kept.
 *
 * A test holds the file's lock while the requests come in, so that all but the
 * first wait together.
 */
#include <endian.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <sqlite3.h>

#include "check.h"
#include "http.h"
#include "sess.h"
#include "suite.h"
#include "tok.h"

TestSuite(together, .timeout = 120);

/* Requests that wait together, behind one that waits for the lock. */
#define MANY 12

/* More successors of one token than are followed. */
#define CHAIN 70

/* How long requests have to arrive (milliseconds); well below STORE_WAIT_MS. */
#define ARRIVE_MS 1000

/* The parts of a write-ahead log (sqlite.org/fileformat2.html, section 4.1). */
#define WAL_HEAD  32
#define WAL_FRAME 24

/* One request of a client of its own. */
struct asker {
	struct raw *r;
	struct pair pair; /* of its session, from before */
	struct raw_response answer;
};

struct set_up {
	struct server *server;
	int port;
	char *path; /* of the database */
	sqlite3 *lock;
	struct asker first, all[MANY];
};

static void begin(struct set_up *, const char *, bool);
static void end(struct set_up *);
static void execute(struct set_up *, const char *);
static void send_refresh(struct asker *);
static void hold_and_send(struct set_up *, void (*)(struct asker *));
static void take(struct set_up *, int);
static void take_one(struct asker *);
static uint32_t number_at(const char *);
static size_t commits(const struct set_up *);
static size_t events(const struct set_up *, const char *);
static void expect_renewed(const struct set_up *, const struct asker *);
static void send_login(struct asker *);
static void refuse_one_of(const char *);

/* One worker; with a session for each client where they are wanted. */
static void
begin(struct set_up *t, const char *setting, bool sessions)
{
	const char *env[] = {"JWT_SECRET_KEY=" TOK_SECRET, setting, NULL};
	struct server_options options = {.environment = env};
	size_t i;

	memset(t, 0, sizeof(*t));
	t->server = server_start(&options);
	t->port = server_port(t->server);
	t->path = text_of("%s/corgi.db", server_data_dir(t->server));
	cr_assert_eq(sqlite3_open(t->path, &t->lock), SQLITE_OK);
	t->first.r = raw_connect(t->port);
	t->first.pair = pair_demo(t->port);
	for (i = 0; i < MANY; i++) {
		t->all[i].r = raw_connect(t->port);
		if (sessions)
			t->all[i].pair = pair_demo(t->port);
	}
}

static void
end(struct set_up *t)
{
	size_t i;

	for (i = 0; i < MANY; i++) {
		raw_close(t->all[i].r);
		raw_response_free(&t->all[i].answer);
		pair_free(&t->all[i].pair);
	}
	raw_close(t->first.r);
	raw_response_free(&t->first.answer);
	pair_free(&t->first.pair);
	(void)sqlite3_close(t->lock);
	server_stop(t->server);
	free(t->path);
}

static void
execute(struct set_up *t, const char *sql)
{
	char *error = NULL;

	cr_assert_eq(sqlite3_exec(t->lock, sql, NULL, NULL, &error), SQLITE_OK,
	    "%s: %s", sql, error);
}

static void
send_refresh(struct asker *asker)
{
	char *text;

	text = sess_text("POST", "/refresh", asker->pair.refresh, NULL, NULL);
	cr_assert(raw_send_text(asker->r, text));
	free(text);
}

static void
send_login(struct asker *asker)
{
	char *text;

	text = sess_text("POST", "/login", NULL, NULL, DEMO_LOGIN);
	cr_assert(raw_send_text(asker->r, text));
	free(text);
}

/* One request finds the lock taken, the others come behind it. */
static void
hold_and_send(struct set_up *t, void (*send)(struct asker *))
{
	size_t i;

	execute(t, "BEGIN IMMEDIATE");
	send_refresh(&t->first);
	sleep_ms(ARRIVE_MS);
	for (i = 0; i < MANY; i++)
		send(&t->all[i]);
	sleep_ms(ARRIVE_MS);
}

static void
take_one(struct asker *asker)
{
	raw_response_free(&asker->answer);
	raw_set_wait(asker->r, 30000);
	cr_assert_eq(raw_read(asker->r, false, &asker->answer), RAW_OK);
}

/* All answers; status is what each has to be, 0: the caller looks. */
static void
take(struct set_up *t, int status)
{
	size_t i;

	take_one(&t->first);
	for (i = 0; i < MANY; i++) {
		take_one(&t->all[i]);
		if (status != 0)
			cr_expect_eq(t->all[i].answer.status, status,
			    "%zu: %d %s", i, t->all[i].answer.status,
			    t->all[i].answer.body);
	}
}

static uint32_t
number_at(const char *bytes)
{
	uint32_t number;

	memcpy(&number, bytes, sizeof(number));
	return (be32toh(number));
}

/* Transactions in the write-ahead log: frames that end one, up to the first
 * that is left over from before the log began anew. */
static size_t
commits(const struct set_up *t)
{
	char *path = text_of("%s-wal", t->path), *wal;
	size_t len, at, page, n = 0;

	wal = file_read(path, &len);
	cr_assert(wal != NULL && len >= WAL_HEAD, "%s", path);
	page = number_at(wal + 8);
	for (at = WAL_HEAD; at + WAL_FRAME + page <= len;
	     at += WAL_FRAME + page) {
		if (memcmp(wal + at + 8, wal + 16, 8) != 0)
			break;
		n += number_at(wal + at + 4) != 0;
	}
	free(wal);
	free(path);
	return (n);
}

/* Lines of the audit log that hold a text. */
static size_t
events(const struct set_up *t, const char *what)
{
	char *path = text_of("%s/audit.log", server_data_dir(t->server));
	char *text = file_read(path, NULL), *at;
	size_t n = 0;

	cr_assert(text != NULL);
	for (at = text; (at = strstr(at, what)) != NULL; at++)
		n++;
	free(text);
	free(path);
	return (n);
}

/* 200, and tokens that work. */
static void
expect_renewed(const struct set_up *t, const struct asker *asker)
{
	struct pair next, after;

	cr_assert_eq(asker->answer.status, 200, "%d", asker->answer.status);
	cr_assert(pair_take(&asker->answer, &next));
	cr_expect_eq(
	    http_get_token(t->port, "/protected", next.access, NULL), 200);
	cr_assert_eq(pair_refresh(t->port, next.refresh, &after), 200);
	pair_free(&after);
	pair_free(&next);
}

Test(together, refreshes_that_wait_share_one_transaction)
{
	struct set_up t;
	size_t before, i;

	begin(&t, NULL, true);
	before = commits(&t);
	hold_and_send(&t, send_refresh);
	execute(&t, "ROLLBACK");
	take(&t, 200);
	cr_expect_leq(
	    commits(&t), before + 3, "%zu transactions", commits(&t) - before);
	cr_expect_eq(
	    events(&t, "\"event\":\"refresh\",\"outcome\":\"ok\""), MANY + 1);
	for (i = 0; i < MANY; i++)
		expect_renewed(&t, &t.all[i]);
	end(&t);
}

Test(together, logins_that_wait_share_one_transaction)
{
	struct set_up t;
	size_t before, i;

	begin(&t, "CORGI_SESSIONS_PER_USER=0", false);
	before = commits(&t);
	hold_and_send(&t, send_login);
	sleep_ms(ARRIVE_MS); /* for their hashes */
	execute(&t, "ROLLBACK");
	take(&t, 200);
	cr_expect_lt(commits(&t), before + MANY / 2, "%zu transactions",
	    commits(&t) - before);
	for (i = 0; i < MANY; i++)
		expect_renewed(&t, &t.all[i]);
	end(&t);
}

/* Each is decided by what those before it have done, as if they had come one
 * after the other; what ends is known to the guards when it is answered. */
Test(together, what_ends_in_a_shared_transaction_is_over_for_the_guards)
{
	struct set_up t;
	char *text;

	begin(&t, "CORGI_REFRESH_GRACE=0", true);
	/* 0 and 1 come with one token, 2 goes, the others stay. */
	pair_free(&t.all[1].pair);
	t.all[1].pair.access = text_of("%s", t.all[0].pair.access);
	t.all[1].pair.refresh = text_of("%s", t.all[0].pair.refresh);
	execute(&t, "BEGIN IMMEDIATE");
	send_refresh(&t.first);
	sleep_ms(ARRIVE_MS);
	send_refresh(&t.all[0]);
	sleep_ms(ARRIVE_MS / 4);
	send_refresh(&t.all[1]);
	text = sess_text("DELETE", "/logout", t.all[2].pair.access, NULL, NULL);
	cr_assert(raw_send_text(t.all[2].r, text));
	free(text);
	sleep_ms(ARRIVE_MS);
	execute(&t, "ROLLBACK");

	take_one(&t.first);
	take_one(&t.all[0]);
	take_one(&t.all[1]);
	take_one(&t.all[2]);
	cr_expect_eq(t.first.answer.status, 200);
	cr_expect_eq(t.all[0].answer.status, 200);
	cr_expect_eq(t.all[1].answer.status, 401);
	cr_expect_eq(t.all[2].answer.status, 200);
	cr_expect_eq(events(&t, "\"event\":\"reuse\""), 1);
	cr_expect_eq(events(&t, "\"event\":\"logout\",\"outcome\":\"ok\""), 1);
	cr_expect_eq(
	    http_get_token(t.port, "/protected", t.all[0].pair.access, NULL),
	    401, "the session whose token came twice");
	cr_expect_eq(
	    http_get_token(t.port, "/protected", t.all[2].pair.access, NULL),
	    401, "the session that was logged out");
	cr_expect_eq(
	    http_get_token(t.port, "/protected", t.all[3].pair.access, NULL),
	    200, "another one");
	end(&t);
}

/*
 * A row that the database refuses does not take the others along, whether only
 * that statement is undone or the whole transaction.
 */
static void
refuse_one_of(const char *how)
{
	char *session, *sql;
	struct set_up t;
	size_t i;

	begin(&t, NULL, true);
	session = sess_claim(t.all[3].pair.access, "sid");
	cr_assert(session != NULL);
	sql = text_of("CREATE TRIGGER refuse BEFORE INSERT ON rotations "
		      "WHEN NEW.session = '%s' BEGIN "
		      "SELECT RAISE(%s, 'not this one'); END",
	    session, how);
	execute(&t, sql);
	free(sql);
	free(session);

	hold_and_send(&t, send_refresh);
	execute(&t, "ROLLBACK");
	take(&t, 0);
	for (i = 0; i < MANY; i++) {
		if (i == 3)
			check_member("refused", &t.all[i].answer, 503, "error",
			    "Service unavailable");
		else
			expect_renewed(&t, &t.all[i]);
	}
	cr_expect_eq(
	    events(&t, "\"event\":\"refresh\",\"outcome\":\"failed\""), 1);

	execute(&t, "DROP TRIGGER refuse");
	send_refresh(&t.all[3]);
	take_one(&t.all[3]);
	expect_renewed(&t, &t.all[3]);
	end(&t);
}

Test(together, one_that_cannot_be_kept_is_refused_alone)
{
	refuse_one_of("ABORT");
}

Test(together, one_that_undoes_all_is_refused_alone)
{
	refuse_one_of("ROLLBACK");
}

/* Nor does a client whose token has had too many successors: it may come again
 * and again. */
Test(together, one_with_too_many_successors_leaves_the_transaction_shared)
{
	struct set_up t;
	struct pair newest, next;
	size_t before, i;

	begin(&t, "CORGI_REFRESH_GRACE=300", true);
	newest.access = text_of("%s", t.all[3].pair.access);
	newest.refresh = text_of("%s", t.all[3].pair.refresh);
	for (i = 0; i < CHAIN; i++) {
		cr_assert_eq(pair_refresh(t.port, newest.refresh, &next), 200);
		pair_free(&newest);
		newest = next;
	}
	pair_free(&newest);

	before = commits(&t);
	hold_and_send(&t, send_refresh);
	execute(&t, "ROLLBACK");
	take(&t, 0);
	cr_expect_leq(
	    commits(&t), before + 3, "%zu transactions", commits(&t) - before);
	for (i = 0; i < MANY; i++) {
		if (i == 3)
			check_member("too many", &t.all[i].answer, 503, "error",
			    "Service busy");
		else
			expect_renewed(&t, &t.all[i]);
	}
	end(&t);
}

/* Nobody waits for as many waits as there are requests; nothing is kept of what
 * was refused. */
Test(together, all_are_refused_when_the_lock_is_not_to_be_had)
{
	long long since;
	struct set_up t;
	size_t before, i;

	begin(&t, NULL, true);
	before = commits(&t);
	hold_and_send(&t, send_refresh);
	since = now_ms();
	take(&t, 503);
	cr_expect_eq(t.first.answer.status, 503);
	cr_expect_lt(
	    now_ms() - since, 25000, "two waits of 5 s, not one for each");
	cr_expect_eq(commits(&t), before);
	cr_expect_eq(events(&t, "\"event\":\"refresh\",\"outcome\":\"ok\""), 0);
	execute(&t, "ROLLBACK");

	for (i = 0; i < MANY; i++) {
		send_refresh(&t.all[i]);
		take_one(&t.all[i]);
		expect_renewed(&t, &t.all[i]);
	}
	end(&t);
}
