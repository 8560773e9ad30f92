/*
 * test_framing.h - for the conformance cases of the connection front: rows of
 * raw bytes with the status they must get. A refused row must get exactly one
 * JSON answer and a closed connection, and a good request on a fresh
 * connection must still be answered.
 */
#ifndef CORGI_TEST_FRAMING_H
#define CORGI_TEST_FRAMING_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "check.h"
#include "http.h"
#include "raw.h"
#include "server.h"
#include "tok.h"

/* Beginnings of requests: the lines up to further headers. */
#define HOST "Host: localhost\r\n"
#define GET  "GET /health HTTP/1.1\r\n" HOST
#define POST                                                                   \
	"POST /login HTTP/1.1\r\n" HOST "Content-Type: application/json\r\n"
#define LAST   "GET /last HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"
#define INNER  "GET /inner HTTP/1.1\r\n" HOST "\r\n"
#define LENGTH "Content-Length: "
#define CODING "Transfer-Encoding: "

/* The limits of a head and of a body that the cases run with (bytes). */
#define HEAD_LEN 16384
#define BODY_LEN 16384

/* One request and the status of its answer. */
struct framing_row {
	const char *name;
	const char *text;
	int status;
	size_t len; /* 0: strlen(text) */
};

static inline struct server *
framing_start(void)
{
	static const struct server_options options = {
	    .config = "http_header_max 16384\nhttp_body_max 16384"};

	return (server_start(&options));
}

/* A good request on a connection of its own. */
static inline void
framing_control(int port, const char *name)
{
	struct raw_response answer;

	(void)raw_exchange_text(port, GET "\r\n", &answer);
	check_json(name, &answer, 200, "{\"status\": \"ok\"}");
	raw_response_free(&answer);
}

/* The peer closes, and nothing else comes before. */
static inline void
framing_closed(const char *name, struct raw *r)
{
	size_t extra = 0;

	cr_expect(raw_read_close(r, &extra), "%s: not closed", name);
	cr_expect_eq(extra, 0, "%s: %zu bytes more", name, extra);
}

/* What is sent gets one refusal and the end. */
static inline void
framing_refused(
    int port, const char *name, const void *text, size_t len, int status)
{
	struct raw_response answer;
	struct raw *r = raw_connect(port);

	(void)raw_send(r, text, len);
	(void)raw_read(r, false, &answer);
	check_member(name, &answer, status, "error", "*");
	check_header(name, &answer, "Connection", "close");
	raw_response_free(&answer);
	framing_closed(name, r);
	raw_close(r);
	framing_control(port, name);
}

/* What is sent gets a good answer, and the connection stays usable. */
static inline void
framing_taken(int port, const char *name, const void *text, size_t len)
{
	struct raw_response answers[2];
	struct raw *r = raw_connect(port);
	size_t i, n;

	(void)raw_send(r, text, len);
	(void)raw_send_text(r, LAST);
	n = raw_read_many(r, answers, 2);
	cr_expect_eq(n, 2, "%s: %zu answers, not 2", name, n);
	if (n == 2) {
		check_json(name, &answers[0], 200, "{\"status\": \"ok\"}");
		check_member(name, &answers[1], 404, "error", "Not found");
	}
	for (i = 0; i < n; i++)
		raw_response_free(&answers[i]);
	framing_closed(name, r);
	raw_close(r);
}

static inline void
framing_rows(const struct server *s, const struct framing_row *rows, size_t n)
{
	const struct framing_row *row;
	size_t len;

	for (row = rows; row < rows + n; row++) {
		len = row->len > 0 ? row->len : strlen(row->text);
		if (row->status == 200)
			framing_taken(
			    server_port(s), row->name, row->text, len);
		else
			framing_refused(server_port(s), row->name, row->text,
			    len, row->status);
	}
}

/* All rows of a table against a server of their own. */
static inline void
framing_table(const struct framing_row *rows, size_t n)
{
	struct server *s = framing_start();

	framing_rows(s, rows, n);
	server_stop(s);
}

#define FRAMING_TABLE(rows)                                                    \
	framing_table((rows), sizeof(rows) / sizeof((rows)[0]))

#endif
