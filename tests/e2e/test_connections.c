/*
 * What those who send large requests slowly can take.
 */
#include <string.h>

#include <criterion/criterion.h>

#include "check.h"
#include "suite.h"

TestSuite(connections, .timeout = 240);

#define HOST  "Host: localhost\r\n"
#define GET   "GET /health HTTP/1.1\r\n" HOST
#define ALIVE "{\"status\": \"ok\"}"

/* Clients that send a large request slowly, and the head of each, without its
 * end (bytes). */
#define SLOW_CLIENTS 64
#define SLOW_HEAD    12000

static void expect_status(int, int, const char *);
static int slow_status(struct raw *);

static void
expect_status(int port, int want, const char *name)
{
	int status;

	status = raw_exchange_text(port, GET "\r\n", NULL);
	cr_expect_eq(status, want, "%s: %d", name, status);
}

/* The status of what has come without the request's end; 0: nothing. */
static int
slow_status(struct raw *r)
{
	struct raw_response answer;
	int status;

	if (!raw_readable(r, 0))
		return (0);
	(void)raw_read(r, false, &answer);
	status = answer.status;
	raw_response_free(&answer);
	return (status);
}

/* Of 64 KiB for what is beyond 4 KiB, each takes 8 or 12, as it comes. */
Test(connections, slow_large_requests_take_bounded_memory_from_each_other_only)
{
	static const char begin[] = GET "X: ";
	static char head[SLOW_HEAD];
	struct server *s =
	    suite_start_with("flask", "CORGI_REQUEST_MEMORY_KIB=64", NULL);
	struct raw *slow[SLOW_CLIENTS];
	struct raw_response answer;
	size_t i, waiting, refused;
	int port, status;

	port = server_port(s);
	memset(head, 'x', sizeof(head));
	memcpy(head, begin, sizeof(begin) - 1);
	for (i = 0; i < SLOW_CLIENTS; i++) {
		slow[i] = raw_connect(port);
		(void)raw_send(slow[i], head, sizeof(head));
		/* All that came before has been read by then. */
		expect_status(port, 200, "small request");
	}
	waiting = refused = 0;
	for (i = 0; i < SLOW_CLIENTS; i++) {
		status = slow_status(slow[i]);
		waiting += status == 0;
		refused += status == 503;
	}
	cr_expect(waiting >= 5 && waiting <= 8, "%zu wait", waiting);
	cr_expect_eq(refused, SLOW_CLIENTS - waiting, "%zu", refused);

	/* When they are gone, what they had is there for others. */
	for (i = 1; i < SLOW_CLIENTS; i++)
		raw_close(slow[i]);
	expect_status(port, 200, "small request");
	expect_status(port, 200, "small request");
	(void)raw_send_text(slow[0], "\r\n\r\n");
	(void)raw_read(slow[0], false, &answer);
	check_json("who waited", &answer, 200, ALIVE);
	raw_response_free(&answer);
	raw_close(slow[0]);
	for (i = 0; i < 20; i++) {
		slow[0] = raw_connect(port);
		(void)raw_send(slow[0], head, sizeof(head));
		(void)raw_send_text(slow[0], "\r\n\r\n");
		(void)raw_read(slow[0], false, &answer);
		cr_expect_eq(answer.status, 200, "%zu: %d", i, answer.status);
		raw_response_free(&answer);
		raw_close(slow[0]);
	}
	cr_expect_eq(server_stop(s), 0);
}
