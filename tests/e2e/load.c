/*
 * load.c - clients that keep a service busy in all its ways at once.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <criterion/criterion.h>

#include "http.h"
#include "load.h"
#include "process.h"
#include "sess.h"
#include "tok.h"

/* How long an answer may take (milliseconds). */
#define ANSWER_MS 20000

/* Between two requests of a client; logins have no pause (milliseconds). */
#define PAUSE_MS 2

/* How often a session is refreshed: what is remembered of each refresh for the
 * grace interval makes the next one dearer, and nobody refreshes like that. */
#define SESSION_REFRESHES 50

/* Which thread is of which kind: every so many. */
enum { LOGIN, REFRESH, GUARDED, KINDS };

static void count(struct load *, int, atomic_uint *);
static void log_in(struct load *, struct load_client *, struct pair *);
static void refresh(struct load *, struct load_client *, struct pair *);
static void *run(void *);

long long
load_now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec * 1000000LL + now.tv_nsec / 1000);
}

/* One that was kept may have been closed meanwhile: then once more. */
int
load_ask(struct load_client *client, const char *method, const char *path,
    const char *token, const char *json, struct raw_response *out)
{
	bool kept = client->r != NULL;
	struct raw_response answer;
	int status;

	for (;; kept = false) {
		memset(&answer, 0, sizeof(answer));
		if (client->r == NULL &&
		    (client->r = raw_try_connect(client->port)) == NULL)
			status = 0;
		else {
			raw_set_wait(client->r, ANSWER_MS);
			status = sess_ask_on(
			    client->r, method, path, token, json, &answer);
		}
		if (status == 0)
			load_close(client);
		if (status != 0 || !kept)
			break;
		raw_response_free(&answer);
	}
	if (out != NULL)
		*out = answer;
	else
		raw_response_free(&answer);
	return (status);
}

void
load_close(struct load_client *client)
{
	raw_close(client->r);
	client->r = NULL;
}

char *
load_login_json(unsigned int number)
{
	char name[16];

	(void)snprintf(name, sizeof(name), "load%u", number % LOAD_ACCOUNTS);
	return (sess_login_json(name, DEMO_PASSWORD));
}

char *
load_accounts(void)
{
	char *text = strdup(""), *more, *line;
	unsigned int i;

	for (i = 0; i < LOAD_ACCOUNTS; i++) {
		line = load_login_json(i);
		more = text_of("%s%s\n", text, line);
		free(line);
		free(text);
		text = more;
	}
	return (text);
}

static void
count(struct load *load, int status, atomic_uint *good)
{
	if (status == 200)
		atomic_fetch_add(good, 1);
	else if (status == 503)
		atomic_fetch_add(&load->busy, 1);
	else {
		atomic_fetch_add(&load->failed, 1);
		atomic_store(&load->status, status);
	}
}

/* Replace a session, if one is granted. */
static void
log_in(struct load *load, struct load_client *client, struct pair *pair)
{
	char *json = load_login_json(atomic_fetch_add(&load->begun, 1));
	struct raw_response answer;
	struct pair got;
	int status;

	status = load_ask(client, "POST", "/login", NULL, json, &answer);
	count(load, status, &load->logins);
	if (status == 200 && pair_take(&answer, &got)) {
		pair_free(pair);
		*pair = got;
	}
	raw_response_free(&answer);
	free(json);
}

static void
refresh(struct load *load, struct load_client *client, struct pair *pair)
{
	struct raw_response answer;
	struct pair got;
	int status;

	status =
	    load_ask(client, "POST", "/refresh", pair->refresh, NULL, &answer);
	count(load, status, &load->refreshes);
	if (status == 200 && pair_take(&answer, &got)) {
		pair_free(pair);
		*pair = got;
	}
	raw_response_free(&answer);
}

static void *
run(void *arg)
{
	struct load *load = arg;
	struct load_client client = {.port = load->port};
	unsigned int kind = atomic_fetch_add(&load->begun, 1) % KINDS;
	struct pair pair = {NULL, NULL};
	unsigned int used = 0;

	while (!atomic_load(&load->stop)) {
		if (kind == LOGIN || pair.access == NULL ||
		    (kind == REFRESH && used++ % SESSION_REFRESHES == 0))
			log_in(load, &client, &pair);
		else if (kind == REFRESH)
			refresh(load, &client, &pair);
		else
			count(load,
			    load_ask(
				&client, "GET", "/me", pair.access, NULL, NULL),
			    &load->guarded);
		if (kind != LOGIN || pair.access == NULL)
			sleep_ms(PAUSE_MS);
	}
	pair_free(&pair);
	load_close(&client);
	return (NULL);
}

void
load_start(struct load *load)
{
	size_t i;

	for (i = 0; i < LOAD_THREADS; i++)
		if (pthread_create(&load->threads[i], NULL, run, load) != 0)
			cr_assert_fail("no thread");
}

void
load_stop(struct load *load)
{
	size_t i;

	atomic_store(&load->stop, true);
	for (i = 0; i < LOAD_THREADS; i++)
		(void)pthread_join(load->threads[i], NULL);
}
