/*
 * traffic.c - good traffic from one thread.
 */
#include <sys/socket.h>

#include <netinet/in.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <criterion/criterion.h>

#include "http.h"
#include "process.h"
#include "raw.h"
#include "tok.h"
#include "traffic.h"

/* How long a good request may wait for its answer (milliseconds). */
#define ANSWER_MS 20000

/* One connection of a client. */
struct client {
	struct traffic *t;
	struct raw *r;
	int port; /* our end */
	long long opened;
	unsigned int requests;
};

static void *traffic_run(void *);
static bool client_open(struct client *);
static void client_close(struct client *);
static bool
client_ask(struct client *, const char *, const char *, char *, size_t);
static void
client_request(struct client *, const char *, const char *, unsigned int *);

static bool
client_open(struct client *c)
{
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);

	c->r = raw_try_connect(c->t->port);
	if (c->r == NULL)
		return (false);
	raw_set_wait(c->r, ANSWER_MS);
	memset(&sin, 0, sizeof(sin));
	(void)getsockname(raw_fd(c->r), (struct sockaddr *)&sin, &len);
	c->port = ntohs(sin.sin_port);
	c->opened = now_ms();
	c->requests = 0;
	c->t->connections++;
	return (true);
}

static void
client_close(struct client *c)
{
	raw_close(c->r);
	c->r = NULL;
}

/*
 * Send one request and judge the answer. False with words in why; they are
 * empty when the connection ended without an answer.
 */
static bool
client_ask(struct client *c, const char *text, const char *want, char *why,
    size_t size)
{
	struct raw_response answer;
	const char *connection;
	enum raw_result got;
	bool good;

	memset(&answer, 0, sizeof(answer));
	got = RAW_CLOSED;
	if (raw_send_text(c->r, text))
		got = raw_read(c->r, false, &answer);
	good = got == RAW_OK && answer.status == 200 &&
	    strstr(answer.body, want) != NULL;
	*why = '\0';
	if (!good && got != RAW_CLOSED)
		(void)snprintf(why, size, "%.20s: result %d, status %d: %.300s",
		    text, (int)got, answer.status,
		    answer.body == NULL ? "" : answer.body);
	connection = raw_header(&answer, "connection");
	c->requests++;
	if (!good || (connection != NULL && strcmp(connection, "close") == 0) ||
	    (c->t->keep != 0 && c->requests >= c->t->keep))
		client_close(c);
	raw_response_free(&answer);
	return (good);
}

/* One good request: answered, sent again where that is fair, or failed. */
static void
client_request(
    struct client *c, const char *text, const char *want, unsigned int *counter)
{
	struct traffic *t = c->t;
	char why[TRAFFIC_TEXT];

	for (;;) {
		if (c->r == NULL && !client_open(c)) {
			(void)snprintf(why, sizeof(why), "no connection");
			break;
		}
		if (client_ask(c, text, want, why, sizeof(why))) {
			(*counter)++;
			return;
		}
		if (*why != '\0')
			break;
		if (t->lost == NULL || !t->lost(c->port, c->opened)) {
			(void)snprintf(why, sizeof(why),
			    "%.20s: closed without an answer (request %u of "
			    "its connection)",
			    text, c->requests);
			break;
		}
		t->retried++;
	}
	if (t->failed++ == 0)
		(void)snprintf(t->first, sizeof(t->first), "%s", why);
}

static void *
traffic_run(void *arg)
{
	struct traffic *t = arg;
	struct client c = {.t = t};
	char *guarded, *login;
	unsigned int n;

	guarded = text_of("GET /protected HTTP/1.1\r\nHost: localhost\r\n"
			  "Authorization: Bearer %s\r\n\r\n",
	    t->token);
	login = text_of("POST /login HTTP/1.1\r\nHost: localhost\r\n"
			"Content-Type: application/json\r\n"
			"Content-Length: %zu\r\n\r\n%s",
	    strlen(DEMO_LOGIN), DEMO_LOGIN);
	for (n = 0; !t->stop; n++) {
		if (t->login_of != 0 && n % t->login_of == 0)
			client_request(&c, login, "access_token", &t->logins);
		else
			client_request(
			    &c, guarded, "you are authenticated", &t->guarded);
		if (t->pause_ms > 0)
			sleep_ms(t->pause_ms);
	}
	client_close(&c);
	free(guarded);
	free(login);
	return (NULL);
}

void
traffic_start(struct traffic *t, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (pthread_create(&t[i].thread, NULL, traffic_run, &t[i]) != 0)
			cr_assert_fail("no thread can be had");
	}
}

void
traffic_stop(struct traffic *t, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		t[i].stop = true;
	for (i = 0; i < n; i++)
		(void)pthread_join(t[i].thread, NULL);
}
