/*
 * h1.h - HTTP/1.1 message framing (RFC 9112), without a socket: bytes in, one
 * whole and checked request out.
 *
 * A parser is fed whatever arrived, in cuts of any size. It takes bytes until
 * one request is complete (head and body) or refused, and never touches the
 * byte after it: what is left belongs to the next request. Refusals come at
 * the first byte that settles them, so that bad input costs little.
 *
 * A parser belongs to one connection and to the thread that runs it.
 */
#ifndef CORGI_H1_H
#define CORGI_H1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/errors.h"

/* Limits of one listener. Lengths in bytes, the line ends included. */
struct h1_limits {
	size_t target_max; /* request line; over it: 414 */
	size_t head_max;   /* request line and headers: 431 */
	size_t fields_max; /* number of header lines: 431 */
	size_t body_max;   /* body after decoding: 413 */
};

/* One header line: name and value without the white space around them. Both
 * are NUL-terminated in place. A value may be empty and may hold any byte but
 * control characters (RFC 9110, section 5.5). */
struct h1_field {
	const char *name;
	size_t name_len;
	const char *value;
	size_t value_len;
};

/* A complete request. Everything points into the parser's memory. */
struct h1_request {
	const char *method; /* as sent, NUL-terminated */
	/* Path and query, NUL-terminated; an absolute form is cut down to
	 * them, "*" stays. */
	const char *target;
	/* Of an absolute form, else of Host; may be "". With its port. */
	const char *host;
	int minor;       /* HTTP/1.minor: 0, or 1 for all later ones */
	bool keep_alive; /* another request may follow */
	const struct h1_field *fields;
	size_t nfields;
	const uint8_t *body;
	size_t body_len;
};

enum h1_state {
	H1_IDLE, /* nothing of a request has come yet */
	H1_HEAD, /* in the head */
	H1_BODY, /* in the body */
	H1_DONE, /* request() is there */
	H1_ERROR /* error() says why; nothing more is taken */
};

typedef struct h1_parser h1_parser;

/* What a parser holds of a request before it has to ask (bytes): a head of 4 kB
 * with 32 header lines, which is more than that of a usual one with its token. */
#define H1_OWN_TEXT 4096
#define H1_OWN      (H1_OWN_TEXT + 1024)

/*
 * Memory that the parsers of one thread share for requests larger than that
 * (bytes). Many clients that each send a large request slowly cannot take more
 * than this together, and smaller requests do not depend on it.
 */
struct h1_budget {
	size_t max;
	size_t used;
};

/* What of so many bytes counts for the budget. */
size_t h1_shared_part(size_t held);

/* Take so much out of a budget, or give it back. False when there is less. */
bool h1_budget_take(struct h1_budget *budget, size_t size);
void h1_budget_give(struct h1_budget *budget, size_t size);

/* A new parser; limits are copied. NULL when out of memory. */
h1_parser *h1_new(const struct h1_limits *limits);
void h1_free(h1_parser *p);

/* Have a new parser share a budget, which must outlive it. A request for which
 * too little is left is refused with ERR_BUSY. */
void h1_share(h1_parser *p, struct h1_budget *budget);

/*
 * Take bytes. Returns how many were used: all of them, or fewer once the
 * state is H1_DONE or H1_ERROR. Memory grows with what has arrived, never
 * with what a header promises.
 */
size_t h1_feed(h1_parser *p, const void *data, size_t len);

enum h1_state h1_state(const h1_parser *p);

/* Only in H1_DONE; stays until h1_reset(). */
const struct h1_request *h1_request(const h1_parser *p);

/* Only in H1_ERROR: the code and, in detail, the rule that was broken. */
const struct fault *h1_fault(const h1_parser *p);

/*
 * True once after a head that asks for "100-continue" with its body still to
 * come (RFC 9110, section 10.1.1): the caller sends the interim response.
 */
bool h1_wants_continue(h1_parser *p);

/*
 * Make ready for the next request; gives back memory. A short head without a
 * body may be kept: when the next one is the same to the byte, as it is from
 * most clients that ask for the same thing again, it is not parsed again, and
 * its request is where it was.
 */
void h1_reset(h1_parser *p);

/* Give back what h1_reset() kept, wiped, so that an idle connection holds next
 * to no memory and no token. Between two requests only. */
void h1_forget(h1_parser *p);

/* The value of a hexadecimal digit of either case, or -1. */
int h1_hex_digit(uint8_t c);

/* The first field of that name (any case), or NULL. */
const struct h1_field *h1_find(const struct h1_request *r, const char *name);

/*
 * All fields of that name joined with "," in order (RFC 9110, section 5.3).
 * Returns NULL when there is none, or no memory to join them. *joined is set
 * when the result had to be made and must be released with free(); otherwise
 * it points into r.
 */
const char *h1_join(
    const struct h1_request *r, const char *name, size_t *len, char **joined);

#endif
