/*
 * When there is no room for another revocation: nothing is forgotten, nobody is
 * told that he is logged out who is not, and everything else goes on.
 */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "check.h"
#include "http.h"
#include "sess.h"
#include "suite.h"
#include "tok.h"

TestSuite(full, .timeout = 180);

/* What is promised, and more than the table can hold: it has twice the room, and
 * is full before that by chance. */
#define ROOM 1000
#define MORE 2200

static struct server *start(const char *, const char *);
static char *token_of(int);

static struct server *
start(const char *folder, const char *room)
{
	const char *env[] = {"JWT_SECRET_KEY=" TOK_SECRET, room, NULL};
	struct server_options options = {
	    .environment = env, .data_dir = folder, .workers = 2};

	return (server_start(&options));
}

/* A token of no session, so that each takes an entry of its own. */
static char *
token_of(int n)
{
	char *claims, *token;

	claims = text_of("{\"jti\":\"token-%d\",\"sub\":\"cosmo\","
			 "\"exp\":4000000000}",
	    n);
	token = tok_make(TOK_HEADER, claims, TOK_SECRET);
	free(claims);
	return (token);
}

Test(full, a_logout_without_room_is_refused_and_nothing_is_forgotten)
{
	static const char *const small[] = {
	    "JWT_SECRET_KEY=" TOK_SECRET, "CORGI_REVOCATIONS=1000", NULL};
	struct server_options options = {.environment = small};
	char *folder = scratch_new(), *token = NULL, *first = token_of(0);
	char *more;
	struct server *s = start(folder, small[1]);
	int port = server_port(s), status = 200, n;
	struct raw *r = raw_connect(port);
	struct raw_response answer;
	struct pair pair;

	for (n = 0; n < MORE; n++) {
		token = token_of(n);
		status =
		    sess_ask_on(r, "DELETE", "/logout", token, NULL, &answer);
		if (status != 200)
			break;
		raw_response_free(&answer);
		free(token);
	}
	cr_assert(status == 503, "%d after %d", status, n);
	cr_expect(n >= ROOM, "no room after %d", n);
	check_member("full", &answer, 503, "error", "Service unavailable");
	cr_expect(raw_header(&answer, "retry-after") != NULL);
	raw_response_free(&answer);
	cr_expect(server_log_wait(s, "CORGI_REVOCATIONS", 2000));

	cr_expect(http_get_token(port, "/protected", first, NULL) == 401);
	cr_expect(http_get_token(port, "/protected", token, NULL) == 200,
	    "the client was told that it is not logged out");
	pair = pair_demo(port);
	cr_expect(http_get_token(port, "/protected", pair.access, NULL) == 200);
	cr_expect(pair_refresh(port, pair.refresh, NULL) == 200);
	pair_free(&pair);

	/* All of it is in the store: less than that is not served. */
	for (n++; n < MORE; n++) {
		more = token_of(n);
		status = sess_ask_on(r, "DELETE", "/logout", more, NULL, NULL);
		cr_expect(status == 503 || status == 200, "%d", status);
		free(more);
	}
	raw_close(r);
	server_stop(s);
	options.data_dir = folder;
	server_expect_refusal("too small", &options, "CORGI_REVOCATIONS", NULL);
	s = start(folder, "CORGI_REVOCATIONS=16000");
	port = server_port(s);
	cr_expect(http_get_token(port, "/protected", first, NULL) == 401);
	cr_expect(http_get_token(port, "/protected", token, NULL) == 401);
	free(token);
	token = token_of(MORE);
	cr_expect(http_get_token(port, "/protected", token, NULL) == 200);
	server_stop(s);
	free(token);
	free(first);
	scratch_free(folder);
}
