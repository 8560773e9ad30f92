/*
 * throttle.h - slow down those who guess passwords (OWASP ASVS 6.3.1; NIST SP
 * 800-63B, section 5.2.2), in memory that all workers share.
 *
 * Failures are counted per account (by the name as it was typed, so that names
 * that do not exist look no different) and per client address (IPv4: the
 * address; IPv6: its /64). Beyond a number of failures the next attempt has to
 * wait, twice as long after each further failure, up to a limit. Attempts that
 * are refused do not count, so a wait that is being waited out always ends. A
 * good login clears its account's count. An address from which the account has
 * been logged in to before is counted by itself and not held up by what others
 * do to the account: nobody can lock its owner out. Failures are forgotten an
 * hour after the last wait has ended.
 *
 * An attempt is charged as a failure when it begins and settled when it is
 * known, so that attempts at once do not slip through.
 *
 * Nodes that share a server count together: what is settled here is a row of
 * its log of attempts, and the rows of the others are counted here
 * (throttle_log.c). An account is a keyed hash there, so that nobody reads what
 * was typed for a name by mistake. Charges that are not settled stay here.
 *
 * Made in the parent before the fork. Memory is bounded: when there are more
 * accounts and addresses than entries, those with the fewest and oldest
 * failures are forgotten, and known addresses beyond half of the room. The lock
 * is held for a moment only and survives its holder's death. Take it on threads
 * of ordinary priority only (the event loop waits for it): the event loop, the
 * control thread.
 */
#ifndef CORGI_THROTTLE_H
#define CORGI_THROTTLE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/config.h"
#include "store/store.h"

/* Room for a throttled name or address in text, with the NUL (bytes); a longer
 * name is cut in lists. */
#define THROTTLE_TEXT_MAX 64

/* One customer's part of an IPv6 address (bits). */
#define THROTTLE_NETWORK_BITS 64

/* Length of the key under which nodes know accounts (bytes). */
#define THROTTLE_COMMON_KEY_LEN 16

/* Most rows of the log of attempts that are of use: who is behind begins so
 * many before its end. */
#define THROTTLE_ROWS_MAX 20000

struct throttle;

/* The counts an attempt may bear on. */
enum throttle_count {
	THROTTLE_OF_ACCOUNT, /* from addresses that it does not know */
	THROTTLE_OF_PAIR,    /* of an account from one address it knows */
	THROTTLE_OF_ADDRESS,
	THROTTLE__MAX
};

/* The keyed hash of what is counted; all zero: nothing. */
struct throttle_key {
	uint64_t a;
	uint64_t b;
};

/* What an attempt is about. */
struct throttle_attempt {
	bool named;
	uint8_t account[STORE_ACCOUNT_LEN]; /* keyed hash of the name */
	struct in6_addr address;            /* its network */
};

/* The times that a charge has set, and those that it replaced. */
struct throttle_times {
	int64_t until_ms;
	int64_t last_ms;
	int64_t before_until_ms;
	int64_t before_last_ms;
};

/* A charged attempt, to be settled. All zero: nothing was charged. */
struct throttle_ticket {
	struct throttle_key keys[THROTTLE__MAX];
	struct throttle_times times[THROTTLE__MAX];
	struct throttle_attempt attempt;
	bool charged;
	bool known; /* the address is known to the account */
};

enum throttle_outcome {
	THROTTLE_GOOD,     /* the password was right */
	THROTTLE_FAILED,   /* it was wrong */
	THROTTLE_UNDECIDED /* nobody found out: the charge is taken back */
};

enum throttle_subject { THROTTLE_ACCOUNT, THROTTLE_ADDRESS };

/* An entry as it is listed. */
struct throttle_entry {
	enum throttle_subject subject;
	char text[THROTTLE_TEXT_MAX]; /* the name (escaped) or the address;
				       * words in brackets for a name that
				       * was typed on another node */
	char from[THROTTLE_TEXT_MAX]; /* of an account: the one address that
				       * this is about; "": all others */
	unsigned int failures;
	unsigned int wait; /* seconds from now; 0: none */
};

/* Read thresholds from the configuration, make the table. NULL when out of
 * memory. Parent. */
struct throttle *
throttle_new(const struct config *config) __attribute__((warn_unused_result));

void throttle_free(struct throttle *t);

/* Know accounts by this key, as all nodes that follow one log have to; else it
 * is random. Parent, before anything is counted. */
void
throttle_share(struct throttle *t, const uint8_t key[THROTTLE_COMMON_KEY_LEN]);

/*
 * Ask to check one password. 0: go on, and settle the ticket whatever happens.
 * Otherwise the seconds to wait (at least 1); nothing was charged. *began
 * (may be NULL) says whether this refusal is the first since the last attempt
 * that was let through. now_ms: clock_monotonic_ms().
 */
unsigned int throttle_admit(struct throttle *t, const void *name, size_t len,
    const struct in6_addr *address, int64_t now_ms,
    struct throttle_ticket *ticket, bool *began)
    __attribute__((warn_unused_result));

/*
 * Say how a charged attempt went. A ticket that is not charged is left alone;
 * afterwards it is not charged any more. Whether other nodes should be told:
 * then *row (may be NULL), else zeroed, is the row for their log; name and
 * age_ms are the caller's to fill in.
 */
bool throttle_settle(struct throttle *t, struct throttle_ticket *ticket,
    enum throttle_outcome outcome, int64_t now_ms, struct store_attempt *row);

/* Call each() for every account and address with failures, until it returns
 * false; the lock is not held meanwhile. */
void throttle_each(struct throttle *t, int64_t now_ms,
    bool (*each)(const struct throttle_entry *, void *), void *ctx);

/* Forget the failures of an account, of an address, or of all. Returns of how
 * many entries. Which addresses an account knows is kept. *row (may be NULL)
 * is for the log, as above. */
size_t throttle_clear_account(struct throttle *t, const void *name, size_t len,
    struct store_attempt *row);
size_t throttle_clear_address(struct throttle *t,
    const struct in6_addr *address, struct store_attempt *row);
size_t throttle_clear(struct throttle *t, struct store_attempt *row);

/*
 * Count what a row of the log says that another node has appended, or this one
 * before it was last started: each once, whoever reads it, if rows come in the
 * order of their numbers. It happened row->age_ms before now_ms; nothing
 * happens later than now.
 */
void throttle_apply(
    struct throttle *t, const struct store_attempt *row, int64_t now_ms);

/*
 * Count all rows of the log that are not counted yet, at most the newest
 * THROTTLE_ROWS_MAX. What the store said; what came before a failure counts.
 * Never on the event loop.
 */
enum store_result throttle_follow(struct throttle *t, struct store *store,
    int64_t now_ms) __attribute__((warn_unused_result));

/* The number of the last row that was counted. */
int64_t throttle_position(struct throttle *t);

/* How long a row may matter (milliseconds). */
int64_t throttle_keep_ms(const struct throttle *t);

#endif
