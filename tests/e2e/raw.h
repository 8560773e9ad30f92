/*
 * raw.h - a TCP client that sends exactly the bytes it is given and reads
 * HTTP/1.1 responses strictly.
 *
 * A connection that cannot be made, and memory that is not there, end the test
 * (cr_assert_fail). Everything a server may do is told by return values. Every wait
 * ends after RAW_WAIT_MS, or what raw_set_wait() says.
 *
 * One thread per connection.
 */
#ifndef CORGI_TEST_RAW_H
#define CORGI_TEST_RAW_H

#include <stdbool.h>
#include <stddef.h>

/* Longest wait for the next byte (milliseconds). */
#define RAW_WAIT_MS 5000

/* Most header lines of a response. */
#define RAW_FIELDS_MAX 64

struct raw;

struct raw_field {
	char *name;
	char *value;
};

/* One response. Text is NUL-terminated; the body has a NUL behind it that
 * body_len does not count. */
struct raw_response {
	int status;   /* 0: there is none */
	int minor;    /* HTTP/1.minor */
	char *reason; /* may be "" */
	struct raw_field fields[RAW_FIELDS_MAX];
	size_t nfields;
	char *body;
	size_t body_len;
};

enum raw_result {
	RAW_OK,
	RAW_CLOSED,  /* the peer closed before the first byte of a response */
	RAW_TIMEOUT, /* nothing more came in time */
	RAW_BROKEN   /* closed within a response, or it is no HTTP/1 */
};

/* Connect to 127.0.0.1. */
struct raw *raw_connect(int port);

/* The same from another loopback address, such as "127.0.0.2". */
struct raw *raw_connect_from(int port, const char *address);

/* The same with the smallest buffer that the kernel gives, so that the peer
 * learns early of what was taken, in parts of some hundred bytes. */
struct raw *raw_connect_narrow(int port);

/* Connect to 127.0.0.1, but NULL when the connection is refused. */
struct raw *raw_try_connect(int port);

void raw_close(struct raw *r);

/* The socket, for poll(). */
int raw_fd(const struct raw *r);

/* Longest wait for the next byte from now on. */
void raw_set_wait(struct raw *r, int ms);

/*
 * Send all bytes. False when the peer no longer takes them (closed, reset, or
 * not reading for as long as the wait).
 */
bool raw_send(struct raw *r, const void *data, size_t len);
bool raw_send_text(struct raw *r, const char *text);

/* Send in cuts of at most cut bytes, each in a segment of its own, with a
 * pause (microseconds) between them. */
bool raw_send_cuts(
    struct raw *r, const void *data, size_t len, size_t cut, int pause_us);

/* Say that nothing more will be sent; reading goes on. */
void raw_half_close(struct raw *r);

/* Close with a reset instead of an orderly end. */
void raw_reset(struct raw *r);

/*
 * Read one response, interim ones (1xx) included. head: it answers a HEAD, so
 * no body follows whatever its Content-Length says. What comes after it stays
 * for the next call. *out is zeroed first; release with raw_response_free()
 * whatever was returned.
 */
enum raw_result raw_read(struct raw *r, bool head, struct raw_response *out);

/* Read up to n responses (none of them to a HEAD) into out[]; returns how many
 * came whole. Release each. */
size_t raw_read_many(struct raw *r, struct raw_response *out, size_t n);

/* Take at most max bytes of those that are there, for a later raw_read(). */
void raw_take(struct raw *r, size_t max);

/*
 * Read until the peer closes or the wait is over. Returns whether it closed
 * (orderly or by reset); *extra (may be NULL) gets the number of bytes that
 * came before that.
 */
bool raw_read_close(struct raw *r, size_t *extra);

/* Whether bytes of another response, or a close, come within ms. */
bool raw_readable(struct raw *r, int ms);

void raw_response_free(struct raw_response *out);

/* The value of the first header of that name (any case), or NULL. */
const char *raw_header(const struct raw_response *out, const char *name);

/* How many headers of that name there are. */
size_t raw_header_count(const struct raw_response *out, const char *name);

/*
 * Connect, send, read one response and close. Returns its status; 0 when none
 * came. *out (may be NULL) as in raw_read().
 */
int raw_exchange(int port, const void *data, size_t len, bool head,
    struct raw_response *out);
int raw_exchange_text(int port, const char *text, struct raw_response *out);

#endif
