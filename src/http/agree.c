#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/shared.h"
#include "http/agree.h"
#include "http/service.h"

/* How often each worker looks, and one of them tells. */
#define LOOK_MS 5000

/* In shared memory, but for the key: that is the same in all processes. */
struct agree {
	_Atomic uint32_t told;   /* the other key that was logged; 0: none */
	_Atomic int64_t turn_ms; /* the last one's turn to tell; 0: none yet */
};

static struct agree *agree;
static uint32_t own;

static bool is_my_turn(int64_t);
static unsigned int shown(uint32_t);
static void tell(uint32_t);

int
agree_init(const struct key *key)
{
	own = key_fingerprint(key);
	agree = shared_alloc(sizeof(*agree));
	return (agree == NULL ? -1 : 0);
}

/* A number by which services are told apart; the rest of it is nobody's. */
static unsigned int
shown(uint32_t key)
{
	return (key >> 16);
}

void
agree_start(struct store *store)
{
	uint32_t other;

	if (store_key_meet(store, own, true, &other) != STORE_OK) {
		log_line(LOG_LEVEL_WARNING,
		    "keys: not compared with those of other services: %s",
		    store_error(store));
		return;
	}
	if (service_get()->on_server)
		tell(other);
	else if (other != 0)
		log_line(LOG_LEVEL_WARNING,
		    "keys: this service has another key (%04x) than the one "
		    "that was started last on this database (%04x): tokens of "
		    "that one are refused. If nobody meant to change it, "
		    "compare JWT_SECRET_KEY, the key files or jwt_secret",
		    shown(own), shown(other));
}

/* Each worker looks, so that a server knows of the key as long as one of them is
 * there. */
void
agree_look(struct store *store)
{
	static int64_t looked_ms;
	int64_t now = clock_boot_ms();
	uint32_t other;
	bool mine;

	if (looked_ms != 0 && now - looked_ms < LOOK_MS)
		return;
	looked_ms = now;
	mine = is_my_turn(now);
	if (store_key_meet(store, own, false, &other) == STORE_OK && mine)
		tell(other);
}

/* One worker at a time, so that what has been seen before is not, as a rule, told
 * after what another one saw. */
static bool
is_my_turn(int64_t now)
{
	int64_t last = atomic_load(&agree->turn_ms);

	return ((last == 0 || now - last >= LOOK_MS) &&
	    atomic_compare_exchange_strong(&agree->turn_ms, &last, now));
}

/* Once for each change. */
static void
tell(uint32_t other)
{
	const bool on_server = service_get()->on_server;
	uint32_t told = atomic_exchange(&agree->told, other);

	if (other == told)
		return;
	if (other != 0)
		log_line(LOG_LEVEL_WARNING,
		    "keys: another service %s this database has another key "
		    "(%04x, here %04x): each refuses the other's tokens. It is "
		    "so while a key is changed on one service after the other; "
		    "else give all the same JWT_SECRET_KEY or key files",
		    on_server ? "on" : "that has started on", shown(other),
		    shown(own));
	else if (on_server)
		log_line(LOG_LEVEL_NOTICE,
		    "keys: all services on this database have the same key "
		    "again (%04x)",
		    shown(own));
}
