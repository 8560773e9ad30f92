/*
 * Authentication blocks whose words are wrong, or contradict each other: the
 * start ends and names the block and the word. Nothing is guessed.
 */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "check.h"
#include "http.h"
#include "routes.h"
#include "suite.h"
#include "tok.h"

TestSuite(guard_grammar, .timeout = 120);

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

struct wrong_row {
	const char *words;
	const char *word;   /* the one that is named, in quotes */
	const char *reason; /* what is said about it */
};

static void refuse(const struct wrong_row *, size_t);

static void
refuse(const struct wrong_row *rows, size_t n)
{
	static const char *const env[] = {"JWT_SECRET_KEY=" TOK_SECRET, NULL};
	struct server_options options = {.environment = env};
	struct own_route route = {"/watched", NULL, NULL};
	char *text, *quoted;
	size_t i;

	for (i = 0; i < n; i++) {
		route.words = rows[i].words;
		text = routes_text(&route, 1);
		quoted = text_of("\"%s\"", rows[i].word);
		options.routes = text;
		server_expect_refusal(rows[i].words, &options, "block_watched",
		    quoted, rows[i].reason, NULL);
		free(quoted);
		free(text);
	}
}

Test(guard_grammar, unknown_words_are_named)
{
	static const struct wrong_row rows[] = {
	    {"Access", "Access", "is not known"},
	    {"access,fresh", "access,fresh", "is not known"},
	    {"access query_string", "query_string", "is not known"},
	    {"access roles=ops", "roles=ops", "is not known"},
	    {"cookie", "cookie", "is not known"},
	    {"=", "=", "is not known"},
	};

	refuse(rows, COUNT(rows));
}

Test(guard_grammar, values_that_are_missing_or_too_many_are_named)
{
	static const struct wrong_row rows[] = {
	    {"access=", "access=", "has a value where there is none"},
	    {"access fresh=yes", "fresh=yes", "has a value"},
	    {"optional=1", "optional=1", "has a value"},
	    {"cookies=a", "cookies=a", "has a value"},
	    {"max_age", "max_age", "has no value"},
	    {"max_age=", "max_age=", "has no value"},
	    {"max_age= 60", "max_age=", "has no value"},
	    {"access role", "role", "has no value"},
	    {"role= ops", "role=", "has no value"},
	};

	refuse(rows, COUNT(rows));
}

Test(guard_grammar, ages_that_are_no_number_of_seconds_are_named)
{
	static const struct wrong_row rows[] = {
	    {"max_age=0", "max_age=0", "number of seconds"},
	    {"max_age=-1", "max_age=-1", "number of seconds"},
	    {"max_age=+1", "max_age=+1", "number of seconds"},
	    {"max_age=1h", "max_age=1h", "number of seconds"},
	    {"max_age=1.5", "max_age=1.5", "number of seconds"},
	    {"max_age=315360001", "max_age=315360001", "number of seconds"},
	    {"max_age=18446744073709551617", "max_age=18446744073709551617",
		"number of seconds"},
	};

	refuse(rows, COUNT(rows));
}

Test(guard_grammar, roles_that_no_account_can_have_are_named)
{
	static const struct wrong_row rows[] = {
	    {"role=,", "role=,", "no account can have"},
	    {"role=a,", "role=a,", "no account can have"},
	    {"role=a,,b", "role=a,,b", "no account can have"},
	    {"role=a/b", "role=a/b", "no account can have"},
	    {"role=a,b,a", "role=a,b,a", "a role twice"},
	    {"role=a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q",
		"role=a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", "too many roles"},
	    {"role=a role=b role=c role=d role=e role=f role=g role=h role=i",
		"role=i", "one role word too many"},
	};

	refuse(rows, COUNT(rows));
}

Test(guard_grammar, words_that_stand_there_twice_are_named)
{
	static const struct wrong_row rows[] = {
	    {"access fresh access", "access", "twice"},
	    {"refresh refresh", "refresh", "twice"},
	    {"fresh access fresh", "fresh", "twice"},
	    {"optional optional", "optional", "twice"},
	    {"max_age=5 max_age=5", "max_age=5", "twice"},
	    {"max_age=5 max_age=6", "max_age=6", "twice"},
	    {"role=a role=b role=a", "role=a", "twice"},
	    {"headers cookies headers", "headers", "twice"},
	    {"json json", "json", "twice"},
	    {"query headers query", "query", "twice"},
	};

	refuse(rows, COUNT(rows));
}

/* Such a guard would let nobody in. */
Test(guard_grammar, contradictions_are_named)
{
	static const struct wrong_row rows[] = {
	    {"refresh fresh", "refresh", "contradicts \"fresh\""},
	    {"fresh refresh", "refresh", "contradicts \"fresh\""},
	    {"refresh max_age=60", "refresh", "contradicts \"max_age\""},
	    {"headers role=ops refresh", "refresh", "contradicts \"role\""},
	};

	refuse(rows, COUNT(rows));
}

/* A handler that was not written for it would be called with nobody. */
Test(guard_grammar, optional_is_for_handlers_that_can_do_without)
{
	static const struct wrong_row rows[] = {
	    {"optional", "optional", "/watched"},
	    {"access optional headers", "optional", "handle_protected"},
	};

	refuse(rows, COUNT(rows));
}

/* What is refused above is refused for what is wrong in it. */
Test(guard_grammar, the_same_words_when_they_are_right_start)
{
	static const struct own_route routes[] = {
	    {"/kinds", "refresh access", NULL},
	    {"/either_fresh", "access refresh fresh max_age=60 role=ops", NULL},
	    {"/renewal", "refresh headers cookies query json", NULL},
	    {"/shortest", "max_age=1", NULL},
	    {"/longest", "max_age=315360000", NULL},
	    {"/roles", "role=a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p", NULL},
	    {"/words",
		"role=a role=b role=c role=d role=e role=f role=g role=h",
		NULL},
	    {"/characters", "role=Day-shift_2.b:x", NULL},
	    {"/overlapping", "role=a,b role=b,a role=a", NULL},
	    {"/places", "json query cookies headers", NULL},
	    {"/blanks", "  access \t\t fresh  ", NULL},
	    {"/maybe", "optional", "handle_whoami"},
	    {"/surely", "access", "handle_whoami"},
	};
	struct server *s =
	    routes_start("flask", routes, COUNT(routes), NULL, NULL);
	char *token;

	token = tok_make(TOK_HEADER,
	    "{\"jti\":\"x\",\"sub\":\"cosmo\",\"exp\":@+900,\"roles\":["
	    "\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\","
	    "\"Day-shift_2.b:x\"],\"fresh\":true,\"iat\":@-0}",
	    TOK_SECRET);
	cr_expect(http_get_token(server_port(s), "/roles", token, NULL) == 200);
	cr_expect(http_get_token(server_port(s), "/words", token, NULL) == 200);
	cr_expect(
	    http_get_token(server_port(s), "/characters", token, NULL) == 200);
	cr_expect(
	    http_get_token(server_port(s), "/overlapping", token, NULL) == 200);
	cr_expect(
	    http_get_token(server_port(s), "/blanks", token, NULL) == 200);
	cr_expect(
	    http_get_token(server_port(s), "/longest", token, NULL) == 200);
	cr_expect(http_get_token(
		      server_port(s), "/either_fresh", token, NULL) == 403);
	free(token);
	server_stop(s);
}
