/*
 * front_internal.h - the state of one connection, shared by the parts of
 * the front: front.c (the connection), front_exchange.c (a request and its
 * answer), front_io.c (the socket) and front_peers.c (who has how many of
 * them). Event loop only.
 */
#ifndef CORGI_FRONT_INTERNAL_H
#define CORGI_FRONT_INTERNAL_H

#include <sys/queue.h>

#include <netinet/in.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/front.h"

/* Most bytes taken from a socket in one go. */
#define FRONT_READ_MAX 16384

/* Most steps (a read, a request) for one connection in one turn. */
#define FRONT_STEPS_MAX 64

/* Most TLS records without data in a row. */
#define FRONT_IDLE_RECORDS_MAX 32

/* Most TLS handshakes of a worker at once: one can take 45 kB, which is more
 * than anything else that a connection takes. */
#define FRONT_HANDSHAKES_MAX 4096

/* After the last answer: how much is still read and thrown away, and for how
 * long, so that the answer is not lost to a reset (RFC 9112, section 9.6). */
#define FRONT_DISCARD_MAX (256 * 1024)
#define FRONT_DISCARD_MS  2000

/* What a client has to take (bytes) while answers wait, within the time that
 * it has for a body (http_body_timeout). */
#define FRONT_TAKEN_MIN 4096

/* After how long without a request the last head is not kept any longer. */
#define FRONT_FORGET_MS 1000

/* How often deadlines are looked at. */
#define FRONT_TICK_MS 500

enum front_state {
	FRONT_HANDSHAKE,  /* TLS is being set up */
	FRONT_READING,    /* waiting for, or in the middle of, a request */
	FRONT_EXCHANGE,   /* Kore has the request; nothing is read */
	FRONT_CLOSING,    /* the last answer is on its way out */
	FRONT_DISCARDING, /* answer sent; reading until the client is done */
	FRONT_GONE        /* the connection is over */
};

struct front_value {
	void *value;
	void (*release)(void *);
};

struct front {
	TAILQ_ENTRY(front) list;  /* all of the worker, or the orphans */
	TAILQ_ENTRY(front) ready; /* those that can go on at once */
	LIST_ENTRY(front) peers;  /* those whose addresses hash alike */
	bool is_ready;

	struct connection *c;     /* NULL once the connection is over */
	struct http_request *req; /* Kore's request while in an exchange */
	enum front_state state;

	h1_parser *parser;
	uint8_t *backlog; /* bytes received beyond the request */
	size_t backlog_off;
	size_t backlog_len;

	bool handshaking;          /* is one of the worker's handshakes */
	unsigned int idle_records; /* TLS records without data, in a row */
	bool hangup;           /* the peer ended its side: read on to its end */
	bool answered;         /* the request under way has its answer */
	bool close_after;      /* no further request on this connection */
	unsigned int requests; /* taken so far */
	int64_t deadline;      /* of the current state; 0: none */
	int64_t answered_at;   /* the last request; 0: none was, or forgotten */
	int64_t stalled_at;    /* since when answers wait and next to nothing
				* of them was taken; 0: none waits */
	uint64_t taken;        /* what was by then; see front_io_taken() */
	size_t discarded;      /* bytes */
	struct in6_addr peer;  /* who is connected, proxy or client */

	struct front_value slots[FRONT_SLOTS];
};

TAILQ_HEAD(front_list, front);

/* All that a worker's front shares: one per process. */
extern struct front_worker {
	const struct config *config;
	struct h1_limits limits;
	struct h1_budget memory;   /* of large requests and of what is ahead */
	struct front_list fronts;  /* with a connection */
	struct front_list orphans; /* connection gone, request not yet */
	struct front_list ready;   /* can go on without an event */
	struct front_list dead;    /* to be freed when nobody looks */
	unsigned int count;        /* of fronts */
	unsigned int handshakes;   /* TLS handshakes under way */
	bool ready_armed;          /* a timer will look at the ready ones */
	bool draining;
	int64_t drain_start;
} front_worker;

/* A TLS handshake has ended, one way or the other; otherwise does nothing. */
void front_handshake_over(struct front *fr);

/* Prepare for the drain (front_drain.c). */
void front_drain_init(void);

/* Connections by the address of the peer (front_peers.c). A front is in there
 * for as long as it has a connection. */
void front_peers_init(void);
void front_peers_add(struct front *fr);
void front_peers_remove(struct front *fr);

/* How many connections the address of this one has, itself included. */
unsigned int front_peers_count(const struct front *fr);

/* A request is complete: answer it here, or give it to Kore. */
void front_dispatch(struct front *fr);

/* The bytes are no request, or took too long: say so and close. */
void front_error(struct front *fr, const struct fault *fault);

/*
 * Go on with a connection in the next turn of the event loop: from within a
 * request's end the next request may not be started.
 */
void front_wake(struct front *fr);

/* What a read brought. */
enum front_read {
	FRONT_READ_DATA,
	FRONT_READ_LATER, /* nothing there now */
	FRONT_READ_END,   /* the peer sends no more */
	FRONT_READ_FAILED
};

/* Read up to size bytes from the socket, through TLS where that is on. */
enum front_read
front_io_read(struct front *fr, uint8_t *buf, size_t size, size_t *len);

/*
 * Send what is queued. Returns false when the connection is over, in which
 * case fr->state is FRONT_GONE.
 */
bool front_io_flush(struct front *fr);

/* Go on with the TLS handshake: fr->state says what came of it. Returns false
 * while the peer has to go on first. */
bool front_io_handshake(struct front *fr);

/* Whether the peer has ended the connection altogether. */
bool front_io_is_reset(const struct front *fr);

/* Whether answers still wait to be sent. */
bool front_io_pending(const struct front *fr);

/* How many bytes the peer has received so far, of all that was ever sent to
 * it; for comparing with a later one. 0 when the kernel does not say. */
uint64_t front_io_taken(const struct front *fr);

/* End our side; what the peer still sends is discarded from now on. */
void front_io_shutdown(struct front *fr);

/* Read and throw away, up to the limit; then the connection is over. */
void front_io_discard(struct front *fr);

/* End the connection without further ado. */
void front_io_abort(struct front *fr);

/* Keep bytes that belong to later requests; without memory for them the
 * connection ends. */
void front_backlog_put(struct front *fr, const uint8_t *data, size_t len);
void front_backlog_drop(struct front *fr);

#endif
