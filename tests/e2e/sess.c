/*
 * sess.c - sessions as a client sees them.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "database.h"
#include "http.h"
#include "sess.h"
#include "tok.h"

#define WORKERS_MAX 16
#define WORDS_MAX   8

/* How often connections are opened anew until all workers have one. */
#define SPREAD_TRIES 100

char *
sess_text(const char *method, const char *path, const char *token,
    const char *headers, const char *json)
{
	return (text_of("%s %s HTTP/1.1\r\nHost: localhost\r\n"
			"%s%s%s%s%sContent-Length: %zu\r\n\r\n%s",
	    method, path, token != NULL ? "Authorization: Bearer " : "",
	    token != NULL ? token : "", token != NULL ? "\r\n" : "",
	    headers != NULL ? headers : "",
	    json != NULL ? "Content-Type: application/json\r\n" : "",
	    json != NULL ? strlen(json) : 0, json != NULL ? json : ""));
}

int
sess_ask_with(int port, const char *method, const char *path, const char *token,
    const char *headers, const char *json, struct raw_response *out)
{
	char *text;
	int status;

	text = sess_text(method, path, token, headers, json);
	status = raw_exchange_text(port, text, out);
	free(text);
	return (status);
}

int
sess_ask(int port, const char *method, const char *path, const char *token,
    const char *json, struct raw_response *out)
{
	return (sess_ask_with(port, method, path, token, NULL, json, out));
}

int
sess_ask_on(struct raw *r, const char *method, const char *path,
    const char *token, const char *json, struct raw_response *out)
{
	struct raw_response answer;
	char *text;
	int status = 0;

	memset(&answer, 0, sizeof(answer));
	text = sess_text(method, path, token, NULL, json);
	if (raw_send_text(r, text) && raw_read(r, false, &answer) == RAW_OK)
		status = answer.status;
	free(text);
	if (out != NULL)
		*out = answer;
	else
		raw_response_free(&answer);
	return (status);
}

char *
sess_login_json(const char *name, const char *password)
{
	return (text_of(
	    "{\"username\": \"%s\", \"password\": \"%s\"}", name, password));
}

int
sess_login(int port, const char *name, const char *password)
{
	char *body;
	int status;

	body = sess_login_json(name, password);
	status = sess_ask(port, "POST", "/login", NULL, body, NULL);
	free(body);
	return (status);
}

int
sess_login_from(int port, const char *from, const char *headers,
    const char *name, const char *password, struct raw_response *out)
{
	struct raw_response answer;
	struct raw *r;
	char *text, *body;
	int status = 0;

	memset(&answer, 0, sizeof(answer));
	body = sess_login_json(name, password);
	text = sess_text("POST", "/login", NULL, headers, body);
	r = raw_connect_from(port, from);
	if (raw_send_text(r, text) && raw_read(r, false, &answer) == RAW_OK)
		status = answer.status;
	raw_close(r);
	free(text);
	free(body);
	if (out != NULL)
		*out = answer;
	else
		raw_response_free(&answer);
	return (status);
}

bool
pair_take(const struct raw_response *answer, struct pair *out)
{
	const char *access, *refresh;
	json_t *body;
	bool good;

	memset(out, 0, sizeof(*out));
	body = json_loadb(answer->body, answer->body_len, 0, NULL);
	access = json_string_value(json_object_get(body, "access_token"));
	refresh = json_string_value(json_object_get(body, "refresh_token"));
	good = access != NULL && refresh != NULL && json_object_size(body) == 2;
	if (good) {
		out->access = text_of("%s", access);
		out->refresh = text_of("%s", refresh);
	}
	json_decref(body);
	return (good);
}

struct pair
pair_login(int port, const char *name, const char *password)
{
	struct raw_response answer;
	struct pair pair;
	char *body;

	body = sess_login_json(name, password);
	(void)sess_ask(port, "POST", "/login", NULL, body, &answer);
	if (answer.status != 200 || !pair_take(&answer, &pair))
		cr_assert_fail("login of %s: %d %s", name, answer.status,
		    answer.body != NULL ? answer.body : "");
	raw_response_free(&answer);
	free(body);
	return (pair);
}

struct pair
pair_demo(int port)
{
	return (pair_login(port, DEMO_USER, DEMO_PASSWORD));
}

int
pair_refresh(int port, const char *refresh, struct pair *out)
{
	struct raw_response answer;
	struct pair pair;
	int status;

	status = sess_ask(port, "POST", "/refresh", refresh, NULL, &answer);
	memset(&pair, 0, sizeof(pair));
	if (status == 200 && !pair_take(&answer, &pair))
		cr_assert_fail("refresh: %s", answer.body);
	raw_response_free(&answer);
	if (out != NULL)
		*out = pair;
	else
		pair_free(&pair);
	return (status);
}

void
pair_free(struct pair *pair)
{
	free(pair->access);
	free(pair->refresh);
	memset(pair, 0, sizeof(*pair));
}

static size_t
count_sockets(const struct server *s, int sockets[WORKERS_MAX])
{
	pid_t pids[WORKERS_MAX];
	size_t n, i;

	n = server_workers(s, pids, WORKERS_MAX);
	for (i = 0; i < n; i++)
		sockets[i] = process_sockets(pids[i]);
	return (n);
}

/* A worker that holds more sockets than before has taken a connection; those of
 * the try before may still be closing, and then there are fewer than there
 * should be. */
void
sess_spread(const struct server *s, struct raw **connections, size_t n)
{
	int before[WORKERS_MAX], after[WORKERS_MAX], tries, grown;
	size_t workers, i;
	bool all;

	for (tries = 0; tries < SPREAD_TRIES; tries++) {
		workers = count_sockets(s, before);
		for (i = 0; i < n; i++)
			connections[i] = raw_connect(server_port(s));
		for (i = 0; i < n; i++)
			cr_assert(sess_ask_on(connections[i], "GET", "/health",
				      NULL, NULL, NULL) == 200);
		all = count_sockets(s, after) == workers;
		grown = 0;
		for (i = 0; i < workers; i++) {
			all = all && after[i] > before[i];
			grown += after[i] - before[i];
		}
		if (all && grown == (int)n)
			return;
		sess_spread_close(connections, n);
		sleep_ms(20);
	}
	cr_assert_fail("%zu connections never reached all workers", n);
}

void
sess_spread_close(struct raw **connections, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		raw_close(connections[i]);
		connections[i] = NULL;
	}
}

void
sess_expect_all(const char *row, struct raw **connections, size_t n,
    const char *token, int status)
{
	size_t i;
	int got;

	for (i = 0; i < n; i++) {
		got = sess_ask_on(
		    connections[i], "GET", "/protected", token, NULL, NULL);
		cr_expect(got == status, "%s: connection %zu: %d, not %d", row,
		    i, got, status);
	}
}

json_t *
sess_claims(const char *token)
{
	char *segment, *text;
	json_t *claims;
	size_t len;

	segment = tok_segment(token, 1);
	text = tok_decode(segment, &len);
	claims =
	    text == NULL ? NULL : json_loadb(text, len, JSON_ALLOW_NUL, NULL);
	free(segment);
	free(text);
	if (claims == NULL)
		cr_assert_fail("no payload: %s", token);
	return (claims);
}

char *
sess_claim(const char *token, const char *name)
{
	const char *value;
	json_t *claims;
	char *copy;

	claims = sess_claims(token);
	value = json_string_value(json_object_get(claims, name));
	copy = value == NULL ? NULL : text_of("%s", value);
	json_decref(claims);
	return (copy);
}

char *
sess_member(const struct raw_response *answer, const char *name)
{
	const char *value;
	json_t *body;
	char *copy;

	body = json_loadb(answer->body, answer->body_len, 0, NULL);
	value = json_string_value(json_object_get(body, name));
	copy = value == NULL ? NULL : text_of("%s", value);
	json_decref(body);
	return (copy);
}

int
sess_ctl(const struct server *s, const char *password, ...)
{
	const char *argv[WORDS_MAX + 2];
	const char *env[] = {"PATH=/usr/bin:/bin", NULL, NULL, NULL};
	struct run_result r;
	va_list ap;
	char *folder, *database = NULL;
	size_t n;
	int status;

	argv[0] = corgi_ctl();
	va_start(ap, password);
	for (n = 1; n <= WORDS_MAX; n++) {
		argv[n] = va_arg(ap, const char *);
		if (argv[n] == NULL)
			break;
	}
	va_end(ap);
	argv[n] = NULL;
	folder = text_of("CORGI_DATA_DIR=%s", server_data_dir(s));
	env[1] = folder;
	if (database_of(server_data_dir(s)) != NULL)
		env[2] = database = text_of(
		    "CORGI_DATABASE=%s", database_of(server_data_dir(s)));
	r = run_program(
	    argv, env, password, password == NULL ? 0 : strlen(password));
	status = r.status;
	run_free(&r);
	free(folder);
	free(database);
	return (status);
}

char *
sess_query(const struct server *s, const char *sql)
{
	return (database_query(server_data_dir(s), sql));
}
