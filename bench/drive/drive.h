/*
 * drive.h - the parts of the client that bench/compare times servers with.
 */
#ifndef BENCH_DRIVE_H
#define BENCH_DRIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One request as it goes over the wire. */
struct request {
	char *bytes;
	size_t len;
};

/* What is sent: in turn over all connections, or each connection its own. */
struct requests {
	struct request *all;
	size_t count;
	size_t next;
	bool endless; /* begin again at the end, or stop there */
};

/* An answer, as far as it is of interest. */
struct answer {
	int status;
	bool last; /* the connection ends with it */
	const char *body;
	size_t body_len;
	size_t len; /* head and body */
};

/* Latencies, in classes of less than one per cent. */
#define HISTOGRAM_STEPS   128
#define HISTOGRAM_CLASSES (64 * HISTOGRAM_STEPS)

struct histogram {
	uint64_t counts[HISTOGRAM_CLASSES];
	uint64_t total;
	int64_t most;
};

/* The whole answer in the first len bytes: 1 and the answer, 0 when more is to
 * come, -1 when it cannot be understood. */
int answer_parse(const char *, size_t, struct answer *);

void histogram_add(struct histogram *, int64_t);
/* Microseconds that this share (0 to 1) of all stayed below. */
double histogram_at(const struct histogram *, double);

/* All of these end the program with a message when they fail. */
__attribute__((noreturn, format(printf, 1, 2))) void fail(const char *, ...);
char *read_file(const char *, size_t *);
void requests_get(struct requests *, const char *, const char *);
void requests_post(struct requests *, const char *, const char *);
void requests_refresh(struct requests *, const char *, const char *);
void requests_mint(
    struct requests *, const char *, const char *, const char *, size_t);

/* The token in a member of a JSON answer, copied into the request of a
 * connection; false when there is none. */
bool requests_renew(struct request *, const char *, const struct answer *);
/* Write the token of each request to a file, one a line. */
void requests_save(const struct requests *, const char *);

#endif
