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

/* Room for a throttled name or address in text, with the NUL (bytes); a longer
 * name is cut in lists. */
#define THROTTLE_TEXT_MAX 64

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
	char text[THROTTLE_TEXT_MAX]; /* the name (escaped) or the address */
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

/* Say how a charged attempt went. A ticket that is not charged is left alone;
 * afterwards it is not charged any more. */
void throttle_settle(struct throttle *t, struct throttle_ticket *ticket,
    enum throttle_outcome outcome, int64_t now_ms);

/* Call each() for every account and address with failures, until it returns
 * false; the lock is not held meanwhile. */
void throttle_each(struct throttle *t, int64_t now_ms,
    bool (*each)(const struct throttle_entry *, void *), void *ctx);

/* Forget the failures of an account, of an address, or of all. Returns of how
 * many entries. Which addresses an account knows is kept. */
size_t throttle_clear_account(struct throttle *t, const void *name, size_t len);
size_t
throttle_clear_address(struct throttle *t, const struct in6_addr *address);
size_t throttle_clear(struct throttle *t);

#endif
