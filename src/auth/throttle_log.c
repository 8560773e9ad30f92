/*
 * throttle_log.c - what nodes that share a server tell each other of attempts
 * to log in.
 */
#include <string.h>

#include "auth/throttle_internal.h"
#include "base/log.h"

/* What a walk over the log carries along. */
struct following {
	struct throttle *t;
	int64_t now_ms;
};

static void set_name(struct entry *, const struct store_attempt *);
static void count_failure(struct throttle *, const struct throttle_key *,
    enum throttle_count, const struct store_attempt *, int64_t);
static void know(struct throttle *, const struct throttle_key *,
    const struct store_attempt *, int64_t);
static void apply(struct throttle *, const struct store_attempt *, int64_t);
static int follow_row(const struct store_attempt *, void *);
static int64_t settle_position(struct throttle *, int64_t, int64_t);

void
throttle_log_begin(struct throttle *t, enum store_attempt_kind kind,
    const struct throttle_attempt *attempt, struct store_attempt *row)
{
	_Static_assert(
	    sizeof(attempt->address) == STORE_ADDRESS_LEN, "an address fits");
	row->kind = kind;
	row->node = t->node;
	row->serial = ++t->serial;
	row->has_account = attempt->named;
	memcpy(row->account, attempt->account, sizeof(row->account));
	memcpy(row->address, &attempt->address, sizeof(row->address));
}

size_t
throttle_clear_as(struct throttle *t, enum store_attempt_kind kind,
    const struct throttle_attempt *attempt)
{
	const enum throttle_count count = kind == STORE_ATTEMPT_CLEAR_ADDRESS
	    ? THROTTLE_OF_ADDRESS
	    : THROTTLE_OF_ACCOUNT;
	struct throttle_key key;

	if (kind == STORE_ATTEMPT_CLEAR_ALL)
		return (throttle_forget_matching(t, NULL));
	key = throttle_key_of(t, count, attempt);
	return (throttle_forget_matching(t, &key));
}

/* Only that of an account that there is comes along. */
static void
set_name(struct entry *e, const struct store_attempt *row)
{
	if (e->name[0] != '\0')
		return;
	e->nameless = row->name_len == 0;
	if (!e->nameless)
		(void)log_escape(
		    row->name, row->name_len, e->name, sizeof(e->name));
}

/* As if it had been charged and settled here at that time; what has happened
 * since stays. */
static void
count_failure(struct throttle *t, const struct throttle_key *key,
    enum throttle_count count, const struct store_attempt *row, int64_t at_ms)
{
	struct entry *e;
	int64_t until;

	if (throttle_is_none(key))
		return;
	e = throttle_find_or_make(t, key, count, at_ms);
	if (count != THROTTLE_OF_ADDRESS)
		set_name(e, row);
	memcpy(&e->address, row->address, sizeof(e->address));
	if (e->failures < UINT32_MAX)
		e->failures++;
	e->refused = false;
	if (at_ms > e->last_ms)
		e->last_ms = at_ms;
	until = e->last_ms + throttle_wait(t, e);
	if (until > e->until_ms)
		e->until_ms = until;
}

/* Somebody has logged in to the account from there. */
static void
know(struct throttle *t, const struct throttle_key *keys,
    const struct store_attempt *row, int64_t at_ms)
{
	const struct throttle_key *pair = &keys[THROTTLE_OF_PAIR];
	struct entry *e;

	if (throttle_is_none(pair))
		return;
	e = throttle_find_or_make(t, pair, THROTTLE_OF_PAIR, at_ms);
	set_name(e, row);
	memcpy(&e->address, row->address, sizeof(e->address));
	e->known = true;
	e->account = keys[THROTTLE_OF_ACCOUNT];
	if (at_ms > e->last_ms)
		e->last_ms = at_ms;
	if (at_ms > e->told_ms)
		e->told_ms = at_ms;
}

/* Times before this machine was started are negative, which does no harm. */
static void
apply(struct throttle *t, const struct store_attempt *row, int64_t now_ms)
{
	const int64_t at_ms = now_ms - (row->age_ms > 0 ? row->age_ms : 0);
	enum throttle_count own = THROTTLE_OF_ACCOUNT;
	struct throttle_attempt attempt = {.named = row->has_account};
	struct throttle_key keys[THROTTLE__MAX];
	struct entry *e;

	memcpy(attempt.account, row->account, sizeof(attempt.account));
	memcpy(&attempt.address, row->address, sizeof(attempt.address));
	throttle_keys_of(t, &attempt, keys);
	switch (row->kind) {
	case STORE_ATTEMPT_FAILED_KNOWN:
		know(t, keys, row, at_ms);
		own = THROTTLE_OF_PAIR;
		/* FALLTHROUGH */
	case STORE_ATTEMPT_FAILED:
		count_failure(t, &keys[own], own, row, at_ms);
		count_failure(t, &keys[THROTTLE_OF_ADDRESS],
		    THROTTLE_OF_ADDRESS, row, at_ms);
		break;
	case STORE_ATTEMPT_GOOD:
		e = throttle_find(t, &keys[THROTTLE_OF_ACCOUNT], at_ms);
		if (e != NULL)
			throttle_forget(e);
		know(t, keys, row, at_ms);
		e = throttle_find(t, &keys[THROTTLE_OF_PAIR], at_ms);
		if (e != NULL)
			throttle_forget(e);
		break;
	case STORE_ATTEMPT_CLEAR_ACCOUNT:
	case STORE_ATTEMPT_CLEAR_ADDRESS:
	case STORE_ATTEMPT_CLEAR_ALL:
		(void)throttle_clear_as(t, row->kind, &attempt);
		break;
	case STORE_ATTEMPT_NONE:
		break;
	}
}

/* The number is looked at under the lock: several processes read the same
 * rows. */
void
throttle_apply(
    struct throttle *t, const struct store_attempt *row, int64_t now_ms)
{
	(void)shared_lock_take(&t->lock);
	if (row->number > t->position) {
		t->position = row->number;
		if (row->node != t->node && row->age_ms <= throttle_keep_ms(t))
			apply(t, row, now_ms);
	}
	shared_lock_release(&t->lock);
}

int64_t
throttle_position(struct throttle *t)
{
	int64_t position;

	(void)shared_lock_take(&t->lock);
	position = t->position;
	shared_lock_release(&t->lock);
	return (position);
}

static int
follow_row(const struct store_attempt *row, void *ctx)
{
	struct following *f = ctx;

	throttle_apply(f->t, row, f->now_ms);
	return (0);
}

/*
 * Where to go on in a log that ends with number mark, as was said after the
 * position had been read. A log that ends before that has been emptied, or has
 * begun anew after a crash of the server: then so does its follower, unless
 * another one just did.
 */
static int64_t
settle_position(struct throttle *t, int64_t position, int64_t mark)
{
	if (mark < position) {
		(void)shared_lock_take(&t->lock);
		if (t->position == position)
			t->position = 0;
		position = t->position;
		shared_lock_release(&t->lock);
	}
	return (mark - position > THROTTLE_ROWS_MAX ? mark - THROTTLE_ROWS_MAX
						    : position);
}

enum store_result
throttle_follow(struct throttle *t, struct store *store, int64_t now_ms)
{
	struct following following = {t, now_ms};
	int64_t position = throttle_position(t), mark;
	enum store_result result;

	result = store_attempt_mark(store, &mark);
	if (result != STORE_OK || mark == position)
		return (result);
	position = settle_position(t, position, mark);
	return (store_attempt_each(store, position, follow_row, &following));
}
