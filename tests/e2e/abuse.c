/*
 * abuse.c - what nobody should send to the service.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "abuse.h"
#include "process.h"
#include "raw.h"
#include "tok.h"

#define HOST "Host: localhost\r\n"
#define GET  "GET /health HTTP/1.1\r\n" HOST
#define POST                                                                   \
	"POST /login HTTP/1.1\r\n" HOST "Content-Type: application/json\r\n"
#define WRONG_LOGIN                                                            \
	POST "Content-Length: 44\r\n\r\n"                                      \
	     "{\"username\": \"cosmo\", \"password\": \"wrong!!\"}"

/* How long an attack waits for an answer (milliseconds), and how long it rests
 * afterwards. */
#define PATIENCE_MS 300
#define REST_MS     4

/* The most that one flood sends, and the longest noise (bytes). */
#define FLOOD_LEN (2 << 20)
#define NOISE_LEN 65536

static void flood(struct abuse *, struct raw *);
static void noise(struct abuse *, struct raw *);
static void mutate(struct abuse *, struct raw *);
static void too_long(struct abuse *, struct raw *);
static void garbage_behind(struct abuse *, struct raw *);
static void vanish(struct abuse *, struct raw *);
static void never_read(struct abuse *, struct raw *);
static void wrong_login(struct abuse *, struct raw *);
static void wrong_token(struct abuse *, struct raw *);
static void in_cuts(struct abuse *, struct raw *);

static unsigned int draw(struct abuse *, unsigned int);
static bool put(struct abuse *, struct raw *, const void *, size_t);
static bool put_text(struct abuse *, struct raw *, const char *);
static void answer_of(struct raw *);
static void attack(struct abuse *);
static void hold_one(struct abuse *);
static void *abuse_run(void *);

/* Each has a connection of its own, which it leaves to attack() to close. */
static void (*const attacks[])(struct abuse *, struct raw *) = {flood, noise,
    mutate, too_long, garbage_behind, vanish, never_read, wrong_login,
    wrong_token, in_cuts};

#define ATTACKS (sizeof(attacks) / sizeof(attacks[0]))

static unsigned int
draw(struct abuse *a, unsigned int below)
{
	return ((unsigned int)rand_r(&a->seed) % below);
}

static bool
put(struct abuse *a, struct raw *r, const void *data, size_t len)
{
	a->bytes += len;
	return (raw_send(r, data, len));
}

static bool
put_text(struct abuse *a, struct raw *r, const char *text)
{
	return (put(a, r, text, strlen(text)));
}

/* Take one answer, or none. */
static void
answer_of(struct raw *r)
{
	struct raw_response answer;

	(void)raw_read(r, false, &answer);
	raw_response_free(&answer);
}

/* Far more than was announced, or than anybody asked for. */
static void
flood(struct abuse *a, struct raw *r)
{
	static const char *const begins[] = {GET
	    "Content-Length: 5\r\n\r\nhello",
	    POST "Content-Length: 5\r\n\r\nhello",
	    POST "Content-Length: 999999999\r\n\r\n",
	    POST "Transfer-Encoding: chunked\r\n\r\n", GET "X: ", "GET /",
	    GET "\r\n\r\n\r\n"};
	static const char *const fills[] = {
	    "a", "1\r\na\r\n", "X: y\r\n", "\r\n", GET "\r\n"};
	char *fill;
	size_t len, sent;

	fill = text_repeat(fills[draw(a, 5)], 4096);
	len = strlen(fill);
	if (put_text(a, r, begins[draw(a, 7)])) {
		for (sent = 0; sent < FLOOD_LEN && !a->stop; sent += len) {
			if (!put(a, r, fill, len))
				break;
		}
	}
	free(fill);
	answer_of(r);
}

static void
noise(struct abuse *a, struct raw *r)
{
	unsigned char *bytes;
	size_t i, len;

	len = 1 + draw(a, NOISE_LEN);
	bytes = malloc(len);
	if (bytes == NULL)
		return;
	for (i = 0; i < len; i++)
		bytes[i] = (unsigned char)draw(a, 256);
	(void)put(a, r, bytes, len);
	free(bytes);
	answer_of(r);
}

/* A good request with some bytes changed. */
static void
mutate(struct abuse *a, struct raw *r)
{
	static const char *const texts[] = {GET "\r\n", WRONG_LOGIN,
	    GET "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
	    "OPTIONS * HTTP/1.1\r\n" HOST "\r\n"};
	char text[512];
	size_t len, n;

	(void)snprintf(text, sizeof(text), "%s", texts[draw(a, 4)]);
	len = strlen(text);
	for (n = 1 + draw(a, 4); n > 0; n--)
		text[draw(a, (unsigned int)len)] = (char)draw(a, 256);
	(void)put(a, r, text, len);
	answer_of(r);
}

static void
too_long(struct abuse *a, struct raw *r)
{
	char *letters, *text;

	letters = text_repeat("a", 200000);
	switch (draw(a, 5)) {
	case 0:
		text = text_of("GET /%s HTTP/1.1\r\n" HOST "\r\n", letters);
		break;
	case 1:
		text = text_of(GET "X: %s\r\n\r\n", letters);
		break;
	case 2:
		text = text_of(GET "%s: x\r\n\r\n", letters);
		break;
	case 3:
		text =
		    text_of(POST "Content-Length: 200000\r\n\r\n%s", letters);
		break;
	default:
		text = text_of(
		    POST "Transfer-Encoding: chunked\r\n\r\n1;%s\r\n", letters);
		break;
	}
	(void)put_text(a, r, text);
	free(text);
	free(letters);
	answer_of(r);
}

/* Good requests, and nonsense pipelined behind them. */
static void
garbage_behind(struct abuse *a, struct raw *r)
{
	struct raw_response answers[8];
	char *good, *text;
	size_t i, n;

	good = text_repeat(GET "\r\n", 1 + draw(a, 7));
	text = text_of("%s\x01\x02 nonsense\r\n\r\n" GET "\r\n", good);
	(void)put_text(a, r, text);
	n = raw_read_many(r, answers, 8);
	for (i = 0; i < 8 && i <= n; i++)
		raw_response_free(&answers[i]);
	free(text);
	free(good);
}

/* Gone with a reset, in the middle of it or while a login is under way. */
static void
vanish(struct abuse *a, struct raw *r)
{
	static const char *const texts[] = {"GET /hea", GET,
	    POST "Content-Length: 44\r\n\r\n{", WRONG_LOGIN, GET "\r\n"};

	(void)put_text(a, r, texts[draw(a, 5)]);
	if (draw(a, 2) == 0)
		sleep_ms(2);
}

/* Many requests, and none of the answers is taken. */
static void
never_read(struct abuse *a, struct raw *r)
{
	char *text;
	int i;

	text = text_repeat(GET "\r\n", 500);
	raw_set_wait(r, 50);
	for (i = 0; i < 40 && !a->stop; i++) {
		if (!put_text(a, r, text))
			break;
	}
	free(text);
}

static void
wrong_login(struct abuse *a, struct raw *r)
{
	(void)put_text(a, r, WRONG_LOGIN);
	raw_set_wait(r, PATIENCE_MS * 10);
	answer_of(r);
}

static void
wrong_token(struct abuse *a, struct raw *r)
{
	char *text, *token;
	unsigned int len, n;

	token = tok_good();
	len = (unsigned int)strlen(token);
	for (n = 1 + draw(a, 3); n > 0; n--)
		token[draw(a, len)] = (char)('!' + draw(a, 90));
	text = text_of("GET /protected HTTP/1.1\r\n" HOST
		       "Authorization: Bearer %s\r\n\r\n",
	    token);
	(void)put_text(a, r, text);
	answer_of(r);
	free(text);
	free(token);
}

static void
in_cuts(struct abuse *a, struct raw *r)
{
	a->bytes += strlen(WRONG_LOGIN);
	if (raw_send_cuts(r, WRONG_LOGIN, strlen(WRONG_LOGIN), 1, 100))
		answer_of(r);
}

static void
attack(struct abuse *a)
{
	unsigned int which;
	struct raw *r;

	r = raw_try_connect(a->port);
	if (r == NULL)
		return;
	a->connections++;
	a->attacks++;
	raw_set_wait(r, PATIENCE_MS);
	which = draw(a, ATTACKS);
	attacks[which](a, r);
	if (attacks[which] == vanish || draw(a, 4) == 0)
		raw_reset(r);
	else
		raw_close(r);
	sleep_ms(REST_MS);
}

/* One of the held connections gets a byte, is left, or is made anew. */
static void
hold_one(struct abuse *a)
{
	static const char *const begins[] = {
	    "", "", "GET /", GET "X: ", POST "Content-Length: 9999\r\n\r\n"};
	unsigned int i = draw(a, ABUSE_HELD);

	if (a->held[i] == NULL) {
		a->held[i] = raw_try_connect(a->port);
		if (a->held[i] == NULL)
			return;
		a->connections++;
		raw_set_wait(a->held[i], PATIENCE_MS);
		(void)put_text(a, a->held[i], begins[draw(a, 5)]);
	} else if (!put(a, a->held[i], "1", 1) || draw(a, 50) == 0) {
		raw_close(a->held[i]);
		a->held[i] = NULL;
	}
	sleep_ms(REST_MS);
}

static void *
abuse_run(void *arg)
{
	struct abuse *a = arg;
	size_t i;

	while (!a->stop) {
		if (a->hold)
			hold_one(a);
		else
			attack(a);
	}
	for (i = 0; i < ABUSE_HELD; i++)
		raw_close(a->held[i]);
	return (NULL);
}

void
abuse_start(struct abuse *a, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (pthread_create(&a[i].thread, NULL, abuse_run, &a[i]) != 0)
			cr_assert_fail("no thread can be had");
	}
}

void
abuse_stop(struct abuse *a, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		a[i].stop = true;
	for (i = 0; i < n; i++)
		(void)pthread_join(a[i].thread, NULL);
}
