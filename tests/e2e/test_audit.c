/*
 * The audit log of the running service (row 44): a line for every event, with
 * what one wants to know, and nothing that does not belong there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <jansson.h>

#include "check.h"
#include "http.h"
#include "sess.h"
#include "suite.h"
#include "tok.h"

#define NEW_PASSWORD "a-quiet-orbit"

/* Refreshes in vain, and the lines a worker writes of them in a second. */
#define FLOOD          2000
#define OVER_LINES_MAX 100

TestSuite(audit, .timeout = 120);

/* What a line has to say; NULL: no such member. "*": anything. */
struct expected {
	const char *event;
	const char *outcome;
	const char *reason;
	const char *subject;
	const char *session;
};

static char *audit_text(const struct server *);
static json_t *audit_lines(const struct server *);
static bool member_is(const json_t *, const char *, const char *);
static json_t *find_line(json_t *, const struct expected *);
static void expect_line(const struct server *, const struct expected *);
static char *request_of(const struct raw_response *);
static size_t lines_of(const struct server *, const char *);

static char *
audit_text(const struct server *s)
{
	char *path, *text;

	path = text_of("%s/audit.log", server_data_dir(s));
	text = file_read(path, NULL);
	cr_assert(text != NULL, "%s cannot be read", path);
	free(path);
	return (text);
}

/* All lines, each of which has to be one JSON object with the members that
 * every event has. */
static json_t *
audit_lines(const struct server *s)
{
	char *text = audit_text(s), *line, *rest;
	json_t *lines, *value;

	lines = json_array();
	cr_assert(*text == '\0' || text[strlen(text) - 1] == '\n');
	for (line = strtok_r(text, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest)) {
		value = json_loads(
		    line, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
		cr_assert(json_is_object(value), "no JSON object: %s", line);
		cr_expect(
		    json_string_length(json_object_get(value, "time")) == 24 &&
			json_is_string(json_object_get(value, "event")) &&
			json_is_string(json_object_get(value, "outcome")) &&
			json_is_integer(json_object_get(value, "pid")),
		    "incomplete: %s", line);
		cr_assert(json_array_append_new(lines, value) == 0);
	}
	free(text);
	return (lines);
}

static bool
member_is(const json_t *line, const char *name, const char *want)
{
	const char *value = json_string_value(json_object_get(line, name));

	if (want == NULL)
		return (value == NULL);
	return (value != NULL &&
	    (strcmp(want, "*") == 0 || strcmp(value, want) == 0));
}

/* The first line that says this; borrowed. */
static json_t *
find_line(json_t *lines, const struct expected *want)
{
	json_t *line;
	size_t i;

	json_array_foreach(lines, i, line)
	{
		if (member_is(line, "event", want->event) &&
		    member_is(line, "outcome", want->outcome) &&
		    member_is(line, "reason", want->reason) &&
		    member_is(line, "subject", want->subject) &&
		    member_is(line, "session", want->session))
			return (line);
	}
	return (NULL);
}

static void
expect_line(const struct server *s, const struct expected *want)
{
	json_t *lines = audit_lines(s), *line;
	char *text;

	line = find_line(lines, want);
	if (line == NULL) {
		text = audit_text(s);
		cr_expect(false, "no line %s %s %s in:\n%s", want->event,
		    want->outcome, want->reason != NULL ? want->reason : "",
		    text);
		free(text);
	} else {
		cr_expect(member_is(line, "client", "127.0.0.1"));
		cr_expect(member_is(line, "request", "*"));
	}
	json_decref(lines);
}

/* X-Request-Id of an answer; free() it. */
static char *
request_of(const struct raw_response *answer)
{
	const char *id = raw_header(answer, "x-request-id");

	cr_assert(id != NULL, "no X-Request-Id: %s", answer->body);
	return (text_of("%s", id));
}

/* How many lines hold the text. */
static size_t
lines_of(const struct server *s, const char *text)
{
	char *all = audit_text(s), *line, *rest;
	size_t n = 0;

	for (line = strtok_r(all, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest))
		n += strstr(line, text) != NULL;
	free(all);
	return (n);
}

Test(audit, login_refresh_and_logout_have_their_lines)
{
	struct server *s =
	    suite_start_with("flask", "CORGI_REFRESH_GRACE=0", NULL);
	int port = server_port(s);
	struct pair pair = pair_demo(port), next, other;
	char *sid = sess_claim(pair.access, "sid"), *sid2;

	expect_line(s, &(struct expected){"login", "ok", NULL, DEMO_USER, sid});
	cr_expect(sess_login(port, DEMO_USER, "wrong") == 401);
	expect_line(s,
	    &(struct expected){
		"login", "failed", "credentials", DEMO_USER, NULL});
	cr_expect(sess_login(port, "nobody-at-all", "wrong") == 401);
	expect_line(s,
	    &(struct expected){"login", "failed", "credentials", NULL, NULL});
	cr_expect(lines_of(s, "nobody-at-all") == 0);

	cr_assert(pair_refresh(port, pair.refresh, &next) == 200);
	expect_line(
	    s, &(struct expected){"refresh", "ok", NULL, DEMO_USER, sid});
	cr_expect(pair_refresh(port, pair.refresh, NULL) == 401);
	expect_line(
	    s, &(struct expected){"reuse", "failed", "*", DEMO_USER, sid});

	other = pair_demo(port);
	sid2 = sess_claim(other.access, "sid");
	cr_expect(sess_ask(port, "DELETE", "/logout", other.access, NULL,
		      NULL) == 200);
	expect_line(
	    s, &(struct expected){"logout", "ok", NULL, DEMO_USER, sid2});
	pair_free(&other);
	free(sid2);
	other = pair_demo(port);
	sid2 = sess_claim(other.access, "sid");
	cr_expect(sess_ask(port, "DELETE", "/logout-all", other.access, NULL,
		      NULL) == 200);
	expect_line(
	    s, &(struct expected){"logout_all", "ok", NULL, DEMO_USER, sid2});
	pair_free(&pair);
	pair_free(&next);
	pair_free(&other);
	free(sid);
	free(sid2);
	server_stop(s);
}

Test(audit, accounts_and_throttle_have_their_lines)
{
	struct server *s = suite_start_with("flask", "CORGI_REGISTRATION=yes",
	    "CORGI_THROTTLE_ACCOUNT=2", NULL);
	int port = server_port(s), n;
	struct pair pair = pair_demo(port);
	char *body;

	body = sess_login_json("laika", NEW_PASSWORD);
	cr_expect(sess_ask(port, "POST", "/register", NULL, body, NULL) == 201);
	expect_line(
	    s, &(struct expected){"register", "ok", NULL, "laika", NULL});
	cr_expect(sess_ask(port, "POST", "/register", NULL, body, NULL) == 409);
	expect_line(s,
	    &(struct expected){
		"register", "failed", "username_taken", NULL, NULL});
	free(body);

	cr_expect(sess_ask(port, "POST", "/password", pair.access,
		      "{\"new_password\": \"" NEW_PASSWORD "\"}", NULL) == 403);
	expect_line(s,
	    &(struct expected){
		"password", "failed", "current_password", DEMO_USER, "*"});
	cr_expect(sess_ask(port, "POST", "/password", pair.access,
		      "{\"current_password\": \"" DEMO_PASSWORD
		      "\", \"new_password\": \"password1\"}",
		      NULL) == 422);
	expect_line(s,
	    &(struct expected){
		"password", "failed", "password_rules", DEMO_USER, "*"});
	cr_expect(sess_ask(port, "POST", "/password", pair.access,
		      "{\"current_password\": \"" DEMO_PASSWORD
		      "\", \"new_password\": \"" NEW_PASSWORD "\"}",
		      NULL) == 200);
	expect_line(
	    s, &(struct expected){"password", "ok", NULL, DEMO_USER, "*"});

	cr_assert(sess_ctl(s, NULL, "user", "disable", "laika", NULL) == 0);
	cr_expect(sess_login(port, "laika", NEW_PASSWORD) == 401);
	expect_line(s,
	    &(struct expected){"login", "failed", "disabled", "laika", NULL});

	/* One line when it begins, not one per attempt. */
	for (n = 0; n < 6; n++)
		(void)sess_login(port, "nobody", "wrong");
	cr_expect(sess_login(port, "nobody", "wrong") == 429);
	cr_expect(lines_of(s, "\"throttle\"") == 1, "%zu lines",
	    lines_of(s, "\"throttle\""));
	expect_line(
	    s, &(struct expected){"throttle", "failed", "login", NULL, NULL});
	pair_free(&pair);
	server_stop(s);
}

Test(audit, start_and_stop_have_their_lines)
{
	char *folder = scratch_new(), *path, *text;
	struct server_options options;
	struct server *s;

	memset(&options, 0, sizeof(options));
	options.data_dir = folder;
	s = server_start(&options);
	cr_expect(lines_of(s, "\"start\"") == 1);
	cr_expect(lines_of(s, "\"stop\"") == 0);
	server_stop(s);
	path = text_of("%s/audit.log", folder);
	text = file_read(path, NULL);
	cr_assert(text != NULL);
	cr_expect(strstr(text, "\"event\":\"stop\"") != NULL, "%s", text);
	free(text);
	free(path);
	scratch_free(folder);
}

/* In workers, whose sandbox ends whoever does what was not foreseen. */
Test(audit, a_file_that_was_moved_away_is_made_anew)
{
	struct server *s = suite_start("flask");
	char *path = text_of("%s/audit.log", server_data_dir(s));
	char *moved = text_of("%s/audit.log.1", server_data_dir(s)), *text;
	int i;

	for (i = 0; i < 3; i++) {
		cr_assert(rename(path, moved) == 0);
		cr_expect(
		    sess_login(server_port(s), DEMO_USER, "wrong") == 401);
		cr_expect(lines_of(s, "\"login\"") == 1);
		cr_expect(lines_of(s, "") == 1);
	}
	text = file_read(moved, NULL);
	cr_assert(text != NULL);
	cr_expect(strstr(text, "\"login\"") != NULL, "%s", text);
	free(text);
	free(moved);
	free(path);
	server_stop(s);
}

/* An answer and its line belong together; only a trusted proxy names them. */
Test(audit, answers_carry_the_id_of_their_line)
{
	struct server *s =
	    suite_start_with("flask", "CORGI_TRUSTED_PROXIES=127.0.0.2", NULL);
	static const char *const ids[] = {"abc-1.2_3", "has blank", "a\\u000ab",
	    "0123456789012345678901234567890123456789"
	    "0123456789012345678901234"};
	struct raw_response answer;
	struct raw *r;
	char *id, *text, *line, *wrong;
	size_t i;

	(void)http_login(server_port(s), DEMO_LOGIN, &answer);
	id = request_of(&answer);
	cr_expect(
	    strlen(id) == 32 && strspn(id, "0123456789abcdef") == 32, "%s", id);
	cr_expect(lines_of(s, id) == 1);
	raw_response_free(&answer);
	(void)http_login(server_port(s),
	    "{\"username\": \"cosmo\", \"password\": \"x\"}", &answer);
	wrong = request_of(&answer);
	cr_expect_str_neq(wrong, id);
	cr_expect(lines_of(s, wrong) == 1);
	raw_response_free(&answer);
	free(wrong);
	free(id);

	for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		line = text_of("X-Request-Id: %s\r\n", ids[i]);
		text = sess_text("POST", "/login", NULL, line, DEMO_LOGIN);
		r = raw_connect_from(server_port(s), "127.0.0.2");
		cr_expect(raw_send_text(r, text));
		cr_expect(raw_read(r, false, &answer) == RAW_OK);
		id = request_of(&answer);
		cr_expect((strcmp(id, ids[i]) == 0) == (i == 0), "%s", id);
		cr_expect(lines_of(s, id) == 1);
		raw_response_free(&answer);
		raw_close(r);
		free(id);
		free(text);
		free(line);
	}
	/* A client on its own account. */
	text = sess_text(
	    "POST", "/login", NULL, "X-Request-Id: my-own\r\n", DEMO_LOGIN);
	(void)raw_exchange_text(server_port(s), text, &answer);
	id = request_of(&answer);
	cr_expect_str_neq(id, "my-own");
	cr_expect(lines_of(s, "my-own") == 0);
	raw_response_free(&answer);
	free(id);
	free(text);
	server_stop(s);
}

/* Names with line ends, quotes and escapes, of accounts that are there. */
Test(audit, no_name_can_split_a_line_or_forge_one)
{
	static const char *const names[] = {
	    "a\\r\\nb\\u0000c",
	    "x\\n{\\\"event\\\":\\\"login\\\",\\\"outcome\\\":\\\"ok\\\"}",
	    "\\u2028\\u0085\\u001b[2J",
	    "\\\",\\\"subject\\\":\\\"cosmo",
	};
	struct server *s =
	    suite_start_with("flask", "CORGI_REGISTRATION=yes", NULL);
	int port = server_port(s);
	size_t i, before, after;
	json_t *lines;
	char *body, *text;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		lines = audit_lines(s);
		before = json_array_size(lines);
		json_decref(lines);
		body = sess_login_json(names[i], NEW_PASSWORD);
		cr_expect(sess_ask(port, "POST", "/register", NULL, body,
			      NULL) == 201,
		    "%s", names[i]);
		free(body);
		cr_expect(sess_login(port, names[i], NEW_PASSWORD) == 200);
		cr_expect(sess_login(port, names[i], "wrong") == 401);
		lines = audit_lines(s);
		after = json_array_size(lines);
		cr_expect(after == before + 3, "%s: %zu lines", names[i],
		    after - before);
		json_decref(lines);
	}
	text = audit_text(s);
	for (i = 0; text[i] != '\0'; i++)
		cr_assert(text[i] == '\n' || (text[i] >= ' ' && text[i] <= '~'),
		    "byte %02x", (unsigned char)text[i]);
	free(text);
	server_stop(s);
}

/* Neither the audit log nor the log of the service. */
Test(audit, no_password_and_no_token_stands_in_any_log)
{
	struct server *s = suite_start_with(
	    "flask", "CORGI_REGISTRATION=yes", "CORGI_REFRESH_GRACE=0", NULL);
	int port = server_port(s);
	struct pair pair = pair_demo(port), next;
	const char *secrets[10] = {
	    DEMO_PASSWORD, NEW_PASSWORD, TOK_SECRET, "typed-into-the-name"};
	char *logs[2], *macs[4], *body;
	size_t i, n = 4, l;

	(void)sess_login(port, "typed-into-the-name", DEMO_PASSWORD);
	body = sess_login_json("laika", NEW_PASSWORD);
	(void)sess_ask(port, "POST", "/register", NULL, body, NULL);
	(void)sess_ask(port, "POST", "/register", NULL, body, NULL);
	cr_assert(pair_refresh(port, pair.refresh, &next) == 200);
	(void)pair_refresh(port, pair.refresh, NULL);
	(void)http_get_token(port, "/protected", next.access, NULL);
	(void)sess_ask(port, "DELETE", "/logout", next.refresh, NULL, NULL);
	(void)sess_ask(port, "POST", "/password", pair.access,
	    "{\"current_password\": \"" NEW_PASSWORD
	    "\", \"new_password\": \"" NEW_PASSWORD "\"}",
	    NULL);
	macs[0] = tok_segment(pair.access, 2);
	macs[1] = tok_segment(pair.refresh, 2);
	macs[2] = tok_segment(next.access, 2);
	macs[3] = tok_segment(next.refresh, 2);
	for (i = 0; i < 4; i++)
		secrets[n++] = macs[i];
	logs[0] = audit_text(s);
	logs[1] = server_log(s);
	cr_expect(strstr(logs[0], DEMO_USER) != NULL, "nothing was written");
	for (i = 0; i < n; i++)
		for (l = 0; l < 2; l++)
			cr_expect(strstr(logs[l], secrets[i]) == NULL,
			    "log %zu holds %s", l, secrets[i]);
	for (i = 0; i < 4; i++)
		free(macs[i]);
	free(logs[0]);
	free(logs[1]);
	free(body);
	pair_free(&pair);
	pair_free(&next);
	server_stop(s);
}

/*
 * What happened is noted also when nobody waits for the answer. A job that has
 * not been begun is dropped, so the client leaves later each time; where it was
 * too late, there was an answer and a line that do not count.
 */
Test(audit, login_whose_client_left_is_noted)
{
	static const char good[] = "\"event\":\"login\",\"outcome\":\"ok\"";
	struct server *s =
	    suite_start_with("flask", "CORGI_ARGON2_PASSES=60", NULL);
	size_t answered = 0;
	struct raw *r;
	long long end;
	char *text;
	int tries;

	text = sess_text("POST", "/login", NULL, NULL, DEMO_LOGIN);
	for (tries = 0; lines_of(s, good) == answered && tries < 40; tries++) {
		r = raw_connect(server_port(s));
		cr_expect(raw_send_text(r, text));
		if (raw_readable(r, 50 * (tries % 20 + 1))) {
			answered++;
			raw_close(r);
			continue;
		}
		raw_reset(r);
		end = now_ms() + 2000;
		while (lines_of(s, good) == answered && now_ms() < end)
			sleep_ms(20);
	}
	cr_expect(lines_of(s, good) == answered + 1, "%zu lines, %zu answers",
	    lines_of(s, good), answered);
	free(text);
	server_stop(s);
}

Test(audit, log_can_be_elsewhere_or_off)
{
	struct server *s =
	    suite_start_with("flask", "CORGI_AUDIT_LOG=off", NULL);
	char *path, *text;

	cr_expect(sess_login(server_port(s), DEMO_USER, DEMO_PASSWORD) == 200);
	path = text_of("%s/audit.log", server_data_dir(s));
	text = file_read(path, NULL);
	cr_expect(text == NULL, "there is an audit log");
	free(text);
	free(path);
	server_stop(s);
	s = suite_start_with("flask", "CORGI_AUDIT_LOG=-", NULL);
	cr_expect(sess_login(server_port(s), DEMO_USER, DEMO_PASSWORD) == 200);
	cr_expect(server_log_wait(s, "\"event\":\"login\"", 2000));
	server_stop(s);
}

/* A token that is worth nothing any more must not fill the disk: whoever has
 * one can show it thousands of times a second. */
Test(audit, a_flood_with_an_ended_session_leaves_few_lines)
{
	struct server *s = suite_start("flask");
	struct pair pair = pair_demo(server_port(s));
	struct raw *r = raw_connect(server_port(s));
	long long begun;
	size_t lines, i;

	cr_assert(sess_ask_on(r, "DELETE", "/logout-all", pair.access, NULL,
		      NULL) == 200);
	cr_expect_eq(
	    sess_ask_on(r, "POST", "/refresh", pair.refresh, NULL, NULL), 401);
	cr_expect_eq(lines_of(s, "\"reason\":\"over\""), 1);
	begun = now_ms();
	for (i = 0; i < FLOOD; i++)
		cr_assert_eq(sess_ask_on(r, "POST", "/refresh", pair.refresh,
				 NULL, NULL),
		    401);
	lines = lines_of(s, "\"reason\":\"over\"");
	cr_expect_leq(lines,
	    OVER_LINES_MAX * (size_t)((now_ms() - begun) / 1000 + 3),
	    "%zu lines of %d", lines, FLOOD);
	cr_expect_geq(lines, OVER_LINES_MAX);
	cr_expect_lt(lines, FLOOD);
	sleep_ms(1100);
	cr_expect_eq(
	    sess_ask_on(r, "POST", "/refresh", pair.refresh, NULL, NULL), 401);
	cr_expect(server_log_wait(
	    s, "more requests with tokens of ended sessions", 5000));
	cr_expect_gt(lines_of(s, "\"reason\":\"over\""), lines);
	raw_close(r);
	pair_free(&pair);
	cr_expect(server_stop(s) == 0);
}
