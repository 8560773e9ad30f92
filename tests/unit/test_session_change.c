/*
 * Sessions that begin and are renewed in steps, with other changes in one
 * transaction.
 */
#include "session_kit.h"

TestSuite(session_change, .init = session_set_up, .fini = session_tear_down,
    .timeout = 60);

/* What a transaction is to do, and whether it is kept. */
struct work {
	struct session_change *change;
	enum store_result result;
};

static enum store_result
work(struct store *s, void *ctx)
{
	const struct work *w = ctx;

	cr_expect_eq(session_change(w->change, s), ERR_NONE, "%s", logged);
	return (w->result);
}

/* Undone first, then kept. */
static void
change_twice(struct session_change *change)
{
	struct work undone = {change, STORE_FAILED}, kept = {change, STORE_OK};

	cr_expect_eq(store_batch(store, work, &undone), STORE_FAILED);
	cr_expect_eq(store_batch(store, work, &kept), STORE_OK, "%s",
	    store_error(store));
}

Test(session_change, what_was_undone_may_be_done_again)
{
	struct session_tokens tokens, next;
	struct session_change *change;
	enum session_refreshed how;
	struct claims *claims;

	cr_assert_eq(session_prepare_begin(
			 &service, &user, "192.0.2.1", &tokens, &change),
	    ERR_NONE);
	cr_expect_eq(count_rows("sessions"), 0);
	change_twice(change);
	cr_expect_eq(count_rows("sessions"), 1);
	cr_assert_eq(session_complete(change, store, NULL), ERR_NONE);
	session_change_free(change);
	cr_expect_not_null(tokens.access);

	claims = claims_of(TOKEN_REFRESH, tokens.refresh);
	cr_assert_eq(
	    session_prepare_renewal(&service, store, tokens.refresh,
		strlen(tokens.refresh), claims, "192.0.2.1", &next, &change),
	    ERR_NONE);
	change_twice(change);
	cr_assert_eq(session_complete(change, store, &how), ERR_NONE);
	cr_expect_eq(how, SESSION_ROTATED);
	session_change_free(change);
	claims_free(claims);
	cr_expect_eq(count_rows("rotations"), 1);
	cr_expect_str_neq(next.refresh, tokens.refresh);
	session_tokens_free(&tokens);
	session_tokens_free(&next);
}
