/*
 * What the words of an authentication block let in and keep out, in both
 * dialects: kinds of tokens, freshness, age, roles, and no token at all.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "check.h"
#include "http.h"
#include "routes.h"
#include "sess.h"
#include "suite.h"
#include "tok.h"

TestSuite(guard_words, .timeout = 90);

#define REVOKED     "Token has been revoked"
#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* An access token of another application, and a refresh token, with more
 * members in them. */
#define ACCESS(more) "{\"jti\":\"x\",\"sub\":\"cosmo\",\"exp\":@+900" more "}"
#define REFRESH(more)                                                              \
	"{\"jti\":\"x\",\"sub\":\"cosmo\",\"exp\":@+900,\"type\":\"refresh\"" more \
	"}"
#define FRESH     ",\"fresh\":true"
#define NOW       ",\"iat\":@-1"
#define ROLES(of) ",\"roles\":[" of "]"

static const struct own_route routes[] = {
    {"/access", "access", NULL},
    {"/unnamed", "headers", NULL},
    {"/refresh", "refresh", NULL},
    {"/either", "access refresh", NULL},
    {"/fresh", "fresh", NULL},
    {"/either_fresh", "refresh access fresh", NULL},
    {"/recent", "max_age=60", NULL},
    {"/ops", "role=ops", NULL},
    {"/some", "role=dev,ops", NULL},
    {"/both", "role=ops role=dev", NULL},
    {"/mixed",
	"headers role=night max_age=60 access role=ops,dev \t fresh cookies",
	NULL},
    {"/maybe", "optional", "handle_whoami"},
    {"/maybe_ops", "access optional role=ops", "handle_whoami"},
    {"/maybe_fresh", "optional fresh", "handle_whoami"},
    {"/never_without", "access", "handle_whoami"},
    {"/renew", "refresh", "handle_refresh"},
    {"/logout", "access", "handle_logout"},
};

/* What becomes of a token. */
enum verdict {
	LET_IN,
	IS_REFRESH, /* 422; 401 invalid_token */
	IS_ACCESS,  /* the same */
	STALE,      /* 401; 401 insufficient_user_authentication (RFC 9470) */
	NO_ROLE,    /* 403; 403 insufficient_scope */
};

static const struct word_row {
	const char *path;
	const char *claims;
	enum verdict verdict;
	const char *detail; /* the roles, as the block and as "scope" have
			     * them */
	const char *scope;
} rows[] = {
    {"/access", ACCESS(""), LET_IN, NULL, NULL},
    {"/access", ACCESS(",\"type\":\"access\""), LET_IN, NULL, NULL},
    {"/access", REFRESH(""), IS_REFRESH, NULL, NULL},
    {"/unnamed", ACCESS(""), LET_IN, NULL, NULL},
    {"/unnamed", REFRESH(""), IS_REFRESH, NULL, NULL},
    {"/refresh", REFRESH(""), LET_IN, NULL, NULL},
    {"/refresh", ACCESS(""), IS_ACCESS, NULL, NULL},
    {"/refresh", ACCESS(",\"type\":\"Refresh\""), IS_ACCESS, NULL, NULL},
    {"/either", ACCESS(""), LET_IN, NULL, NULL},
    {"/either", REFRESH(""), LET_IN, NULL, NULL},

    {"/fresh", ACCESS(FRESH), LET_IN, NULL, NULL},
    {"/fresh", ACCESS(",\"fresh\":@+60"), LET_IN, NULL, NULL},
    {"/fresh", ACCESS(",\"fresh\":@-60"), STALE, NULL, NULL},
    {"/fresh", ACCESS(",\"fresh\":false"), STALE, NULL, NULL},
    {"/fresh", ACCESS(""), STALE, NULL, NULL},
    {"/fresh", ACCESS(",\"fresh\":\"true\""), STALE, NULL, NULL},
    {"/fresh", ACCESS(",\"fresh\":null"), STALE, NULL, NULL},
    {"/fresh", REFRESH(FRESH), IS_REFRESH, NULL, NULL},
    {"/either_fresh", ACCESS(FRESH), LET_IN, NULL, NULL},
    {"/either_fresh", ACCESS(""), STALE, NULL, NULL},
    {"/either_fresh", REFRESH(""), STALE, NULL, NULL},

    {"/recent", ACCESS(FRESH NOW), LET_IN, NULL, NULL},
    {"/recent", ACCESS(FRESH ",\"iat\":@-50"), LET_IN, NULL, NULL},
    {"/recent", ACCESS(FRESH ",\"iat\":@-61"), STALE, NULL, NULL},
    {"/recent", ACCESS(FRESH), STALE, NULL, NULL},
    {"/recent", ACCESS(NOW), STALE, NULL, NULL},
    {"/recent", ACCESS(NOW ",\"fresh\":false"), STALE, NULL, NULL},

    {"/ops", ACCESS(ROLES("\"ops\"")), LET_IN, NULL, NULL},
    {"/ops", ACCESS(ROLES("\"dev\",\"ops\",\"x\"")), LET_IN, NULL, NULL},
    {"/ops", ACCESS(""), NO_ROLE, "ops", "ops"},
    {"/ops", ACCESS(ROLES("")), NO_ROLE, "ops", "ops"},
    {"/ops", ACCESS(ROLES("\"dev\"")), NO_ROLE, "ops", "ops"},
    {"/ops", ACCESS(ROLES("\"OPS\"")), NO_ROLE, "ops", "ops"},
    {"/ops", ACCESS(ROLES("\"op\",\"opss\"")), NO_ROLE, "ops", "ops"},
    {"/ops", ACCESS(ROLES("\"dev ops\"")), NO_ROLE, "ops", "ops"},
    {"/ops", ACCESS(ROLES("\"ops\\u0000x\"")), NO_ROLE, "ops", "ops"},
    {"/ops", ACCESS(ROLES("[\"ops\"]")), NO_ROLE, "ops", "ops"},
    {"/ops", ACCESS(",\"roles\":\"ops\""), NO_ROLE, "ops", "ops"},
    {"/ops", ACCESS(",\"roles\":{\"ops\":true}"), NO_ROLE, "ops", "ops"},
    {"/ops", ACCESS(",\"role\":[\"ops\"]"), NO_ROLE, "ops", "ops"},
    {"/some", ACCESS(ROLES("\"ops\"")), LET_IN, NULL, NULL},
    {"/some", ACCESS(ROLES("\"dev\"")), LET_IN, NULL, NULL},
    {"/some", ACCESS(ROLES("\"dev,ops\"")), NO_ROLE, "dev,ops", "dev ops"},
    {"/some", ACCESS(ROLES("\"night\"")), NO_ROLE, "dev,ops", "dev ops"},
    {"/both", ACCESS(ROLES("\"dev\",\"ops\"")), LET_IN, NULL, NULL},
    {"/both", ACCESS(ROLES("\"ops\"")), NO_ROLE, "dev", "dev"},
    {"/both", ACCESS(ROLES("\"dev\"")), NO_ROLE, "ops", "ops"},

    {"/mixed", ACCESS(FRESH NOW ROLES("\"dev\",\"night\"")), LET_IN, NULL,
	NULL},
    {"/mixed", ACCESS(NOW ROLES("\"dev\",\"night\"")), STALE, NULL, NULL},
    {"/mixed", ACCESS(FRESH ",\"iat\":@-61" ROLES("\"dev\",\"night\"")), STALE,
	NULL, NULL},
    {"/mixed", ACCESS(FRESH NOW ROLES("\"dev\"")), NO_ROLE, "night", "night"},
    {"/mixed", ACCESS(FRESH NOW ROLES("\"night\"")), NO_ROLE, "ops,dev",
	"ops dev"},
    {"/mixed", REFRESH(FRESH NOW ROLES("\"dev\",\"night\"")), IS_REFRESH, NULL,
	NULL},

    {"/maybe_ops", ACCESS(ROLES("\"dev\"")), NO_ROLE, "ops", "ops"},
    {"/maybe_fresh", ACCESS(""), STALE, NULL, NULL},
    {"/maybe", REFRESH(""), IS_REFRESH, NULL, NULL},
};

static void expect_refused(
    const char *, const struct raw_response *, const struct word_row *, bool);
static void word_rows(const char *);
static void
expect_whoami(const char *, int, const char *, const char *, const char *);
static void optional_rows(const char *);
static void real_rows(const char *);

static void
expect_refused(const char *name, const struct raw_response *answer,
    const struct word_row *row, bool rfc)
{
	static const struct {
		const char *text;
		int status;
		int rfc_status;
		const char *error;
	} refusals[] = {
	    [IS_REFRESH] = {"Only non-refresh tokens are allowed", 422, 401,
		"invalid_token"},
	    [IS_ACCESS] = {"Only refresh tokens are allowed", 422, 401,
		"invalid_token"},
	    [STALE] = {"Fresh token required", 401, 401,
		"insufficient_user_authentication"},
	    [NO_ROLE] = {"Role required: ", 403, 403, "insufficient_scope"},
	};
	char *text, *scope;

	text = text_of("%s%s", refusals[row->verdict].text,
	    row->detail != NULL ? row->detail : "");
	if (!rfc) {
		check_member(
		    name, answer, refusals[row->verdict].status, "msg", text);
	} else {
		check_problem(name, answer, refusals[row->verdict].rfc_status,
		    text, refusals[row->verdict].error);
		if (row->scope != NULL) {
			scope = text_of(", scope=\"%s\"", row->scope);
			cr_expect(strstr(raw_header(answer, "www-authenticate"),
				      scope) != NULL,
			    "%s: %s", name,
			    raw_header(answer, "www-authenticate"));
			free(scope);
		}
	}
	free(text);
}

static void
word_rows(const char *style)
{
	struct server *s =
	    routes_start(style, routes, COUNT(routes), NULL, NULL);
	struct raw_response answer;
	char *token, *name;
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		name = text_of("%s %s", rows[i].path, rows[i].claims);
		token = tok_make(TOK_HEADER, rows[i].claims, TOK_SECRET);
		(void)http_get_token(
		    server_port(s), rows[i].path, token, &answer);
		if (rows[i].verdict == LET_IN)
			check_json(name, &answer, 200, PROTECTED_JSON);
		else
			expect_refused(name, &answer, &rows[i],
			    strcmp(style, "flask") != 0);
		raw_response_free(&answer);
		free(token);
		free(name);
	}
	server_stop(s);
}

/* Row 31 (insufficient_scope), among others. */
Test(guard_words, each_word_lets_in_what_it_names_and_nothing_else_flask)
{
	word_rows("flask");
}

Test(guard_words, each_word_lets_in_what_it_names_and_nothing_else_rfc6750)
{
	word_rows("rfc6750");
}

/* handle_whoami says who it was called for; authorization may be NULL. */
static void
expect_whoami(const char *row, int port, const char *path,
    const char *authorization, const char *json)
{
	struct raw_response answer;

	(void)http_get(port, path, authorization, &answer);
	check_json(row, &answer, 200, json);
	check_header(row, &answer, "cache-control", "no-store");
	raw_response_free(&answer);
}

/* Nobody is somebody's anonymous guest with a token that is no good. What is no
 * token at all is as good as none: another scheme, or (Flask-JWT-Extended's
 * way) a header that does not hold exactly one. */
static void
optional_rows(const char *style)
{
	static const struct {
		const char *name;
		const char *authorization; /* $ stands for a good token */
		int status;                /* 0: let in as nobody */
		int rfc_status;
	} bad[] = {
	    {"no such token", "Bearer x", 422, 401},
	    {"nothing behind the scheme", "Bearer", 422, 400},
	    {"three words", "Bearer $ x", 422, 400},
	    {"another signature", "Bearer $x", 422, 401},
	    {"another scheme", "Basic x", 0, 0},
	    {"two tokens", "Bearer $, Bearer $", 0, 400},
	    {"empty", "", 0, 0},
	};
	struct server *s =
	    routes_start(style, routes, COUNT(routes), NULL, NULL);
	int port = server_port(s), status;
	bool rfc = strcmp(style, "flask") != 0;
	struct raw_response answer;
	char *token = tok_good(), *line, *text;
	size_t i;

	expect_whoami("none", port, "/maybe", NULL, "{\"sub\": null}");
	expect_whoami("none", port, "/maybe_ops", NULL, "{\"sub\": null}");
	expect_whoami("none", port, "/maybe_fresh", NULL, "{\"sub\": null}");
	line = text_of("Bearer %s", token);
	expect_whoami("good", port, "/maybe", line, "{\"sub\": \"cosmo\"}");
	free(line);
	(void)http_get(port, "/never_without", NULL, &answer);
	cr_expect(answer.status == 401, "not optional: %d", answer.status);
	check_house("not optional", &answer);
	raw_response_free(&answer);

	for (i = 0; i < COUNT(bad); i++) {
		text = text_of("%s", bad[i].authorization);
		while ((line = strchr(text, '$')) != NULL) {
			*line = '\0';
			line = text_of("%s%s%s", text, token, line + 1);
			free(text);
			text = line;
		}
		(void)http_get(port, "/maybe", text, &answer);
		status = rfc ? bad[i].rfc_status : bad[i].status;
		check_house(bad[i].name, &answer);
		if (status == 0)
			check_json(
			    bad[i].name, &answer, 200, "{\"sub\": null}");
		else
			cr_expect(answer.status == status, "%s: %d, not %d",
			    bad[i].name, answer.status, status);
		raw_response_free(&answer);
		free(text);
	}
	free(token);
	server_stop(s);
}

Test(guard_words, optional_takes_no_token_and_no_bad_one_flask)
{
	optional_rows("flask");
}

Test(guard_words, optional_takes_no_token_and_no_bad_one_rfc6750)
{
	optional_rows("rfc6750");
}

/* The same with the service's own tokens: of a login, of a refresh, and of an
 * account with roles; and one that was taken back. */
static void
real_rows(const char *style)
{
	struct server *s =
	    routes_start(style, routes, COUNT(routes), NULL, NULL);
	int port = server_port(s);
	struct raw_response answer;
	struct pair pair, next;
	char *line;

	cr_assert(
	    sess_ctl(s, "laika-in-orbit", "user", "add", "laika", NULL) == 0);
	cr_assert(
	    sess_ctl(s, NULL, "user", "roles", "laika", "ops,dev", NULL) == 0);
	pair = pair_login(port, "laika", "laika-in-orbit");
	(void)sess_ask(port, "POST", "/renew", pair.refresh, NULL, &answer);
	cr_assert(answer.status == 200 && pair_take(&answer, &next));
	raw_response_free(&answer);
	cr_expect(http_get_token(port, "/fresh", pair.access, NULL) == 200);
	cr_expect(http_get_token(port, "/recent", pair.access, NULL) == 200);
	cr_expect(http_get_token(port, "/both", pair.access, NULL) == 200);
	cr_expect(http_get_token(port, "/mixed", pair.access, NULL) == 403);
	cr_expect(http_get_token(port, "/access", next.access, NULL) == 200);
	cr_expect(http_get_token(port, "/both", next.access, NULL) == 200);
	cr_expect(http_get_token(port, "/fresh", next.access, NULL) == 401);
	cr_expect(http_get_token(port, "/recent", next.access, NULL) == 401);
	cr_expect(http_get_token(port, "/refresh", next.refresh, NULL) == 200);
	cr_expect(http_get_token(port, "/either", next.refresh, NULL) == 200);
	cr_expect(http_get_token(port, "/access", next.refresh, NULL) >= 401);

	line = text_of("Bearer %s", pair.access);
	expect_whoami("laika", port, "/maybe", line, "{\"sub\": \"laika\"}");
	cr_expect(sess_ask(port, "DELETE", "/logout", pair.access, NULL,
		      NULL) == 200);
	(void)http_get(port, "/maybe", line, &answer);
	if (strcmp(style, "flask") == 0)
		check_member("revoked", &answer, 401, "msg", REVOKED);
	else
		check_problem(
		    "revoked", &answer, 401, REVOKED, "invalid_token");
	raw_response_free(&answer);
	free(line);
	pair_free(&pair);
	pair_free(&next);
	server_stop(s);
}

Test(guard_words, tokens_of_a_login_and_of_a_refresh_flask)
{
	real_rows("flask");
}

Test(guard_words, tokens_of_a_login_and_of_a_refresh_rfc6750)
{
	real_rows("rfc6750");
}

/* Taking a role away counts at once: the token that names it is no good any
 * more, and the next one does not. */
Test(guard_words, a_role_that_was_taken_away_opens_nothing)
{
	struct server *s =
	    routes_start("flask", routes, COUNT(routes), NULL, NULL);
	int port = server_port(s);
	struct raw_response answer;
	struct pair pair, next;

	cr_assert(
	    sess_ctl(s, NULL, "user", "roles", DEMO_USER, "ops", NULL) == 0);
	pair = pair_demo(port);
	cr_expect(http_get_token(port, "/ops", pair.access, NULL) == 200);
	cr_assert(
	    sess_ctl(s, NULL, "user", "roles", DEMO_USER, "dev", NULL) == 0);
	(void)http_get_token(port, "/ops", pair.access, &answer);
	check_member("before", &answer, 401, "msg", REVOKED);
	raw_response_free(&answer);
	(void)sess_ask(port, "POST", "/renew", pair.refresh, NULL, &answer);
	cr_assert(answer.status == 200 && pair_take(&answer, &next));
	raw_response_free(&answer);
	(void)http_get_token(port, "/ops", next.access, &answer);
	check_member("after", &answer, 403, "msg", "Role required: ops");
	raw_response_free(&answer);
	cr_expect(http_get_token(port, "/some", next.access, NULL) == 200);
	pair_free(&pair);
	pair_free(&next);
	server_stop(s);
}
