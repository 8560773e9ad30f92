/*
 * A head that comes again on a connection is not parsed again (base/h1_kept.c);
 * who sends it is judged again each time.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <criterion/criterion.h>

#include "check.h"
#include "http.h"
#include "sess.h"
#include "suite.h"
#include "tok.h"

/* Often enough for a head to be kept. */
#define TIMES 4

TestSuite(kept, .timeout = 60);

/* Ask for something with a token on a connection, n times; each answer has
 * that status. */
static void
ask(const char *row, struct raw *r, const char *path, const char *token,
    int status, int n)
{
	struct raw_response answer;
	int i;

	for (i = 0; i < n; i++) {
		cr_expect_eq(sess_ask_on(r, "GET", path, token, NULL, &answer),
		    status, "%s: %d, time %d", row, answer.status, i + 1);
		raw_response_free(&answer);
	}
}

Test(kept, a_token_that_is_revoked_is_refused)
{
	struct server *s = suite_start("flask");
	struct raw *r = raw_connect(server_port(s));
	struct pair pair = pair_demo(server_port(s));
	struct raw_response answer;

	ask("before", r, "/protected", pair.access, 200, TIMES);
	(void)sess_ask(
	    server_port(s), "DELETE", "/logout", pair.access, NULL, &answer);
	cr_expect_eq(answer.status, 200);
	raw_response_free(&answer);
	ask("after", r, "/protected", pair.access, 401, TIMES);
	pair_free(&pair);
	raw_close(r);
	server_stop(s);
}

Test(kept, a_token_that_expires_is_refused)
{
	struct server *s = suite_start("flask");
	struct raw *r = raw_connect(server_port(s));
	char *token = tok_make(TOK_HEADER,
	    "{\"fresh\":false,\"iat\":@-1,\"jti\":\"kept\",\"type\":\"access\","
	    "\"sub\":\"cosmo\",\"nbf\":@-1,\"csrf\":\"x\",\"exp\":@+3}",
	    TOK_SECRET);
	time_t end = time(NULL) + 20;
	struct raw_response answer;
	int status;

	ask("before", r, "/protected", token, 200, TIMES);
	do {
		status =
		    sess_ask_on(r, "GET", "/protected", token, NULL, &answer);
		if (status == 401)
			check_member("expired", &answer, 401, "msg",
			    "Token has expired");
		raw_response_free(&answer);
		(void)nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
	} while (status == 200 && time(NULL) < end);
	cr_expect_eq(status, 401);
	free(token);
	raw_close(r);
	server_stop(s);
}

Test(kept, another_token_is_another_subject)
{
	struct server *s = suite_start("flask");
	struct raw *r = raw_connect(server_port(s));
	char *tokens[2], *want, *got;
	struct raw_response answer;
	int i;

	tokens[0] = http_token(server_port(s));
	cr_assert(
	    sess_ctl(s, "laika-in-orbit", "user", "add", "laika", NULL) == 0);
	tokens[1] = http_token_for(server_port(s),
	    "{\"username\": \"laika\", \"password\": \"laika-in-orbit\"}");
	for (i = 0; i < 4 * TIMES; i++) {
		want = sess_claim(tokens[i / TIMES % 2], "sub");
		(void)sess_ask_on(
		    r, "GET", "/me", tokens[i / TIMES % 2], NULL, &answer);
		got = sess_member(&answer, "sub");
		cr_assert_not_null(got, "time %d: %d", i, answer.status);
		cr_expect_str_eq(got, want, "time %d", i);
		raw_response_free(&answer);
		free(want);
		free(got);
	}
	free(tokens[0]);
	free(tokens[1]);
	raw_close(r);
	server_stop(s);
}

Test(kept, many_at_once_are_answered_one_by_one)
{
	struct server *s = suite_start("flask");
	struct raw *r = raw_connect(server_port(s));
	char *token = http_token(server_port(s)), *one, *all;
	struct raw_response answers[TIMES * TIMES];
	size_t n, i;

	one = sess_text("GET", "/protected", token, NULL, NULL);
	all = text_repeat(one, TIMES * TIMES);
	cr_assert(raw_send_text(r, all));
	n = raw_read_many(r, answers, TIMES * TIMES);
	cr_expect_eq(n, TIMES * TIMES);
	for (i = 0; i < n; i++) {
		check_json("pipelined", &answers[i], 200, PROTECTED_JSON);
		raw_response_free(&answers[i]);
	}
	/* Cut anywhere. */
	cr_assert(raw_send_cuts(r, all, strlen(all), 97, 0));
	n = raw_read_many(r, answers, TIMES * TIMES);
	cr_expect_eq(n, TIMES * TIMES);
	for (i = 0; i < n; i++) {
		check_json("in cuts", &answers[i], 200, PROTECTED_JSON);
		raw_response_free(&answers[i]);
	}
	free(one);
	free(all);
	free(token);
	raw_close(r);
	server_stop(s);
}
