/*
 * Refresh tokens: each is followed once, whoever and how many ask at the same
 * moment; what comes again late ends the session.
 */
#include "store_helpers.h"

#include <sys/wait.h>

#define CLIENTS 20

TestSuite(
    store_refresh, .init = folder_make, .fini = folder_remove, .timeout = 60);

/* What one of many clients was told. */
struct answer {
	enum store_result result;
	enum store_refresh_verdict verdict;
	char token[16];
};

static struct store_refresh_result *
refresh(struct store *, int64_t, const char *, const char *);
static bool sealed_is(const struct store_refresh_result *, const char *);
static bool newest_is(const char *, const char *);
static void ask(int, int, int, int64_t);
static void storm(int64_t, struct answer[CLIENTS]);

/* Of the session s1; the answer stays until the next call. */
static struct store_refresh_result *
refresh(struct store *s, int64_t at, const char *from, const char *to)
{
	static struct store_refresh_result result;

	cr_assert_eq(refresh_at(s, "s1", at, from, to, &result), STORE_OK, "%s",
	    store_error(s));
	return (&result);
}

static bool
sealed_is(const struct store_refresh_result *result, const char *token)
{
	return (result->sealed_len == strlen(token) &&
	    memcmp(result->sealed, token, result->sealed_len) == 0);
}

/* Whether a session's newest refresh token is that one. */
static bool
newest_is(const char *session, const char *token)
{
	char sql[256];

	(void)snprintf(sql, sizeof(sql),
	    "SELECT count(*) FROM sessions WHERE id = '%s'"
	    " AND %s(refresh%s) LIKE %s('%s'%s) || '00%%'",
	    session, on_postgresql() ? "encode" : "hex",
	    on_postgresql() ? ", 'hex'" : "",
	    on_postgresql() ? "encode" : "hex", token,
	    on_postgresql() ? ", 'hex'" : "");
	return (strcmp(query_text(test_path, sql), "1") == 0);
}

Test(store_refresh, the_newest_token_is_followed_by_its_successor)
{
	struct store *s = open_store();
	struct store_refresh_result *result;
	struct store_session session;
	int64_t id = have_account(s, "cosmo");

	have_session(s, id, "s1", 1000, "r1");
	result = refresh(s, 1500, "r1", "r2");
	cr_expect_eq(result->verdict, STORE_REFRESH_ROTATED);
	cr_expect_eq(result->user.id, id);
	cr_expect_str_eq(result->user.subject, "cosmo");
	cr_expect_eq(result->made.kind, STORE_REVOKE_NONE);
	cr_expect_eq(result->sealed_len, 0);
	cr_assert_eq(store_session_find(s, "s1", &session), STORE_OK);
	cr_expect_eq(session.refreshed_at, 1500);
	cr_expect_eq(session.expires_at, 2500);
	cr_expect_eq(session.access_until, 2400);
	cr_expect_eq(session.created_at, 1000);
	cr_expect_eq(session.ends_at, 6000);
	cr_expect_str_eq(session.client, "127.0.0.2");
	cr_expect_eq(memcmp(&session, &result->session, sizeof(session)), 0);
	cr_expect_eq(
	    refresh(s, 2400, "r2", "r3")->verdict, STORE_REFRESH_ROTATED);
	store_close(s);
}

Test(store_refresh, a_repeated_token_gets_the_same_successor_for_a_while)
{
	struct store *s = open_store();
	struct store_refresh_result *result;
	struct store_session session;
	int64_t id = have_account(s, "cosmo");

	have_session(s, id, "s1", 1000, "r1");
	(void)refresh(s, 1500, "r1", "r2");
	result = refresh(s, 1509, "r1", "other");
	cr_expect_eq(result->verdict, STORE_REFRESH_REPEATED);
	cr_expect(sealed_is(result, "r2"));
	cr_expect_eq(result->user.id, id);
	cr_assert_eq(store_session_find(s, "s1", &session), STORE_OK);
	cr_expect_eq(session.access_until, 2409);
	cr_expect_eq(session.refreshed_at, 1500);
	cr_expect_eq(
	    refresh(s, 1509, "r2", "r3")->verdict, STORE_REFRESH_ROTATED);
	store_close(s);
}

Test(store_refresh, a_token_that_comes_late_ends_the_session)
{
	struct store *s = open_store();
	struct store_refresh_result *result;
	int64_t id = have_account(s, "cosmo");

	have_session(s, id, "s1", 1000, "r1");
	have_session(s, id, "s2", 1000, "x1");
	(void)refresh(s, 1500, "r1", "r2");
	result = refresh(s, 1510, "r1", "other");
	cr_expect_eq(result->verdict, STORE_REFRESH_REUSED);
	cr_expect_eq(result->user.id, id);
	cr_expect_eq(result->made.kind, STORE_REVOKE_SESSION);
	cr_expect_str_eq(result->made.key, "s1");
	cr_expect_eq(result->made.until, 2410);
	cr_expect_gt(result->made.number, 0);
	cr_expect_not(has_session(s, "s1"));
	cr_expect(has_session(s, "s2"));
	cr_expect_eq(
	    refresh_at(s, "s1", 1511, "r2", "r3", result), STORE_NOT_FOUND);
	cr_expect_str_eq(
	    query_text(test_path, "SELECT count(*) FROM rotations"), "0");
	store_close(s);
}

/* Each asks the clock before it waits for the lock: what comes second may be
 * older by a little. Far older, it came after the clock was set back. */
Test(store_refresh, a_clock_that_is_set_back_makes_the_interval_no_longer)
{
	struct store *s = open_store();
	int64_t id = have_account(s, "cosmo");

	have_session(s, id, "s1", 1000, "r1");
	(void)refresh(s, 1500, "r1", "r2");
	cr_expect_eq(
	    refresh(s, 1490, "r1", "other")->verdict, STORE_REFRESH_REPEATED);
	cr_expect_eq(
	    refresh(s, 1489, "r1", "other")->verdict, STORE_REFRESH_REUSED);
	store_close(s);
}

Test(store_refresh, a_token_of_another_session_ends_the_one_it_claims)
{
	struct store *s = open_store();
	int64_t id = have_account(s, "cosmo");

	have_session(s, id, "s1", 1000, "r1");
	have_session(s, id, "s2", 1000, "x1");
	cr_expect_eq(
	    refresh(s, 1001, "x1", "x2")->verdict, STORE_REFRESH_REUSED);
	cr_expect_not(has_session(s, "s1"));
	cr_expect(has_session(s, "s2"));
	store_close(s);
}

Test(store_refresh, the_chain_leads_to_the_newest_successor)
{
	struct store *s = open_store();
	uint8_t digest[STORE_DIGEST_LEN], sealed[STORE_SEALED_MAX];
	size_t len;

	have_session(s, have_account(s, "cosmo"), "s1", 1000, "r1");
	(void)refresh(s, 1500, "r1", "r2");
	(void)refresh(s, 1501, "r2", "r3");
	digest_of("r2", digest);
	cr_assert_eq(store_session_successor(
			 s, "s1", digest, 1500000, 1510000, sealed, &len),
	    STORE_OK);
	cr_expect_eq(len, 2);
	cr_expect_arr_eq(sealed, "r3", 2);
	cr_expect_eq(store_session_successor(
			 s, "s1", digest, 1501000, 1510000, sealed, &len),
	    STORE_NOT_FOUND);
	cr_expect_eq(len, 0);
	cr_expect_eq(store_session_successor(
			 s, "s1", digest, 1500000, 1500999, sealed, &len),
	    STORE_NOT_FOUND);
	cr_expect_eq(store_session_successor(
			 s, "s2", digest, 1500000, 1510000, sealed, &len),
	    STORE_NOT_FOUND);
	digest_of("r3", digest);
	cr_expect_eq(store_session_successor(
			 s, "s1", digest, 1500000, 1510000, sealed, &len),
	    STORE_NOT_FOUND);
	store_close(s);
}

Test(store_refresh, a_session_is_over_when_it_expires_or_ends)
{
	struct store *s = open_store();
	struct store_refresh_result *result = calloc(1, sizeof(*result));
	struct store_session session;
	char from[16], to[16];
	int i;

	have_session(s, have_account(s, "cosmo"), "s1", 1000, "r0");
	cr_expect_eq(
	    refresh_at(s, "s1", 2000, "r0", "x", result), STORE_NOT_FOUND);
	cr_expect_eq(result->user.hash[0], '\0');
	for (i = 0; i < 5; i++) {
		(void)snprintf(from, sizeof(from), "r%d", i);
		(void)snprintf(to, sizeof(to), "r%d", i + 1);
		cr_expect_eq(refresh(s, 1900 + i * 900, from, to)->verdict,
		    STORE_REFRESH_ROTATED);
	}
	cr_assert_eq(store_session_find(s, "s1", &session), STORE_OK);
	cr_expect_eq(session.refreshed_at, 5500);
	cr_expect_eq(session.expires_at, 6000, "beyond the session's end");
	cr_expect_eq(
	    refresh_at(s, "s1", 6000, "r5", "x", result), STORE_NOT_FOUND);
	cr_expect_eq(
	    refresh(s, 5999, "r5", "x")->verdict, STORE_REFRESH_ROTATED);
	free(result);
	store_close(s);
}

/* The row of a disabled account's session can only be there if somebody put
 * it there. */
Test(store_refresh, a_disabled_account_refreshes_nothing)
{
	struct store *s = open_store();
	struct store_refresh_result *result = calloc(1, sizeof(*result));

	have_session(s, have_account(s, "cosmo"), "s1", 1000, "r1");
	run_sql(test_path, "UPDATE users SET disabled = 1");
	cr_expect_eq(
	    refresh_at(s, "s1", 1001, "r1", "r2", result), STORE_NOT_FOUND);
	cr_expect_eq(
	    refresh_at(s, "s1", 1001, "stolen", "r2", result), STORE_NOT_FOUND);
	run_sql(test_path, "UPDATE users SET disabled = 0");
	cr_expect_eq(
	    refresh(s, 1001, "r1", "r2")->verdict, STORE_REFRESH_ROTATED);
	free(result);
	store_close(s);
}

/* In a process of its own: wait at the gate, refresh r1 of s1, report. */
static void
ask(int gate, int report, int number, int64_t at)
{
	static struct store_refresh_result result;
	char error[STORE_ERROR_MAX], go;
	struct answer answer = {.result = STORE_FAILED};
	struct store *s;

	(void)snprintf(answer.token, sizeof(answer.token), "own-%d", number);
	if (store_open_existing(test_where, &s, error) == STORE_OK) {
		(void)!read(gate, &go, 1);
		answer.result =
		    refresh_at(s, "s1", at, "r1", answer.token, &result);
		answer.verdict = result.verdict;
		if (result.sealed_len > 0)
			(void)snprintf(answer.token, sizeof(answer.token),
			    "%.*s", (int)result.sealed_len,
			    (const char *)result.sealed);
		store_close(s);
	}
	_exit(write(report, &answer, sizeof(answer)) != sizeof(answer));
}

static void
storm(int64_t at, struct answer answers[CLIENTS])
{
	int gate[2], report[2], status, i;

	cr_assert(pipe(gate) == 0 && pipe(report) == 0);
	for (i = 0; i < CLIENTS; i++) {
		if (fork() != 0)
			continue;
		(void)close(gate[1]);
		ask(gate[0], report[1], i, at);
	}
	(void)close(gate[0]);
	(void)close(gate[1]);
	for (i = 0; i < CLIENTS; i++)
		cr_assert_eq(read(report[0], &answers[i], sizeof(answers[i])),
		    (ssize_t)sizeof(answers[i]));
	while (wait(&status) > 0)
		cr_expect_eq(status, 0);
	(void)close(report[0]);
	(void)close(report[1]);
}

Test(store_refresh, of_many_processes_at_once_exactly_one_makes_the_successor)
{
	struct answer answers[CLIENTS];
	struct store *s = open_store();
	const char *winner;
	int64_t id = have_account(s, "cosmo");
	int round, i, rotated;

	for (round = 0; round < 3; round++) {
		have_session(s, id, "s1", 1000, "r1");
		store_close(s);
		storm(1001, answers);
		winner = "";
		for (rotated = i = 0; i < CLIENTS; i++) {
			cr_expect_eq(answers[i].result, STORE_OK, "%s",
			    store_result_text(answers[i].result));
			if (answers[i].verdict == STORE_REFRESH_ROTATED) {
				winner = answers[i].token;
				rotated++;
			}
		}
		cr_expect_eq(rotated, 1, "%d families", rotated);
		for (i = 0; i < CLIENTS; i++)
			cr_expect_str_eq(answers[i].token, winner);
		cr_expect(newest_is("s1", winner), "%s", winner);
		cr_expect_str_eq(
		    query_text(test_path, "SELECT count(*) FROM rotations"),
		    "1");
		run_sql(test_path, "DELETE FROM rotations");
		run_sql(test_path, "DELETE FROM sessions");
		s = open_store();
	}
	store_close(s);
}

Test(store_refresh, of_many_late_ones_exactly_one_notes_the_end)
{
	struct answer answers[CLIENTS];
	struct store *s = open_store();
	int i, reused = 0, gone = 0;

	have_session(s, have_account(s, "cosmo"), "s1", 1000, "r1");
	(void)refresh(s, 1001, "r1", "r2");
	store_close(s);
	storm(1100, answers);
	for (i = 0; i < CLIENTS; i++) {
		reused += answers[i].result == STORE_OK &&
		    answers[i].verdict == STORE_REFRESH_REUSED;
		gone += answers[i].result == STORE_NOT_FOUND;
	}
	cr_expect_eq(reused, 1);
	cr_expect_eq(gone, CLIENTS - 1);
	cr_expect_str_eq(
	    query_text(test_path, "SELECT count(*) FROM revocations"), "1");
}

/* Calls of fdatasync(), which is ours in this program. */
static int syncs;

__attribute__((visibility("default"))) int
fdatasync(int fd) /* NOLINT(readability-inconsistent-declaration-*) */
{
	syncs++;
	return (fsync(fd));
}

Test(store_refresh, what_was_answered_is_on_the_disk)
{
	struct store *s = open_store();
	struct store_revocation made;
	struct store_session session;

	SQLITE_ONLY();
	have_session(s, have_account(s, "cosmo"), "s1", 1000, "r1");
	syncs = 0;
	(void)refresh(s, 1001, "r1", "r2");
	cr_expect_gt(syncs, 0, "refreshing");
	syncs = 0;
	cr_assert_eq(store_session_find(s, "s1", &session), STORE_OK);
	cr_expect_eq(syncs, 0, "reading");
	cr_assert_eq(store_session_end(s, "s1", 0, 2000, &made), STORE_OK);
	cr_expect_gt(syncs, 0, "ending");
	store_close(s);
}
