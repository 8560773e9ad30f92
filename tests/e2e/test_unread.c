/*
 * Answers that a client is slow to take: one that takes them steadily gets all
 * of them, however long that lasts; one that takes nothing, or as good as
 * nothing, is cut off.
 */
#include <poll.h>
#include <stdlib.h>

#include <criterion/criterion.h>

#include "check.h"
#include "http.h"
#include "raw.h"
#include "server.h"
#include "tok.h"

TestSuite(unread, .timeout = 90);

/* All that is bounded by a time, to this one (seconds). */
#define SECONDS 3
#define CONFIG                                                                 \
	"http_header_timeout 3\nhttp_body_timeout 3\nhttp_keepalive_time 3"

/* A large answer, and how many of them: more than the kernel keeps for a
 * client, and more requests than are read in one go. */
#define ASK   "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define COUNT 400

static struct server *
unread_start(void)
{
	static const struct server_options options = {.config = CONFIG};

	return (server_start(&options));
}

static struct raw *
ask(struct raw *r)
{
	char *text = text_repeat(ASK, COUNT);

	cr_assert(raw_send_text(r, text));
	free(text);
	return (r);
}

/* Whether the server ends the connection within ms; nothing is read. */
static bool
is_ended(const struct raw *r, int ms)
{
	struct pollfd pfd = {.fd = raw_fd(r)};

	return (poll(&pfd, 1, ms) == 1);
}

/* Take up to size bytes every 100 ms, for so many seconds. Whether the
 * connection is still there then. */
static bool
take_slowly(struct raw *r, size_t size, int seconds)
{
	int i;

	for (i = 0; i < seconds * 10; i++) {
		raw_take(r, size);
		if (is_ended(r, 100))
			return (false);
	}
	return (true);
}

/* Take what is left at once. How many whole answers there are. */
static size_t
take_all(struct raw *r)
{
	struct raw_response answer;
	enum raw_result result;
	size_t n;

	for (n = 0; n < COUNT; n++) {
		result = raw_read(r, false, &answer);
		if (result == RAW_OK)
			check_header("answer", &answer, "Connection", NULL);
		raw_response_free(&answer);
		if (result != RAW_OK)
			break;
	}
	return (n);
}

Test(unread, steady_client_gets_all_of_its_answers)
{
	struct server *s = unread_start();
	struct raw *r = ask(raw_connect(server_port(s)));
	size_t n;

	cr_expect(take_slowly(r, 16384, 4 * SECONDS), "it was cut off");
	n = take_all(r);
	cr_expect_eq(n, COUNT, "%zu answers", n);
	raw_close(r);
	server_stop(s);
}

/* Once all is taken nothing is left of the wait. */
Test(unread, client_that_is_done_at_last_may_go_on)
{
	struct server *s = unread_start();
	struct raw *r = ask(raw_connect(server_port(s)));
	struct raw_response answer;

	cr_expect(!is_ended(r, SECONDS * 500), "it was cut off at once");
	cr_expect_eq(take_all(r), COUNT);
	cr_expect(raw_send_text(r, ASK));
	cr_expect_eq(raw_read(r, false, &answer), RAW_OK);
	cr_expect_eq(answer.status, 200);
	raw_response_free(&answer);
	raw_close(r);
	server_stop(s);
}

Test(unread, client_that_takes_nothing_is_cut_off)
{
	struct server *s = unread_start();
	struct raw *r = ask(raw_connect(server_port(s)));

	cr_expect(is_ended(r, 10 * SECONDS * 1000), "it is still there");
	raw_close(r);
	server_stop(s);
}

/* 1 kB a second: there is always something taken, and never enough. */
Test(unread, client_that_takes_next_to_nothing_is_cut_off)
{
	struct server *s = unread_start();
	struct raw *r = ask(raw_connect_narrow(server_port(s)));

	cr_expect(!take_slowly(r, 100, 10 * SECONDS), "it is still there");
	raw_close(r);
	server_stop(s);
}
