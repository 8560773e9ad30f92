/*
 * Where a token may stand: the words headers, cookies, query and json, alone
 * and together, in both dialects, with Flask-JWT-Extended's messages.
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

TestSuite(guard_places, .timeout = 90);

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

#define NO_HEADER "Missing Authorization Header"
#define NO_COOKIE "Missing cookie \"access_token_cookie\""
#define NO_QUERY  "Missing 'jwt' query paramater"
#define NO_JSON   "Invalid content-type. Must be application/json."
#define NO_KEY    "Missing \"access_token\" key in json data."
#define SEGMENTS  "Not enough segments"
#define SCHEME                                                                 \
	"Missing 'Bearer' type in 'Authorization' header. "                    \
	"Expected 'Authorization: Bearer <JWT>'"
#define MALFORMED                                                              \
	"Bad Authorization header. Expected 'Authorization: Bearer <JWT>'"
#define SEVERAL "More than one token in the request"

#define HEADER "Authorization: Bearer $\r\n"
#define COOKIE "Cookie: access_token_cookie=$\r\n"
#define QUERY  "?jwt=$"
#define JSON   "{\"access_token\": \"$\"}"

static const struct own_route routes[] = {
    {"/headers", "headers", NULL},
    {"/cookies", "access cookies", NULL},
    {"/query", "query", NULL},
    {"/json", "json", NULL},
    {"/hc", "headers cookies", NULL},
    {"/ch", "cookies headers", NULL},
    {"/qj", "query json", NULL},
    {"/hqj", "headers query json", NULL},
    {"/all", "headers cookies query json", NULL},
    {"/renewal", "refresh headers cookies json", NULL},
    {"/renewal_json", "refresh json", NULL},
    {"/either", "access refresh cookies json", NULL},
    {"/maybe", "optional headers cookies query json", "handle_whoami"},
    {"/maybe_query", "optional query", "handle_whoami"},
};

/* What a request is answered: by default 401 with a bare challenge and text,
 * in both dialects. */
enum verdict {
	LET_IN,
	ABSENT,           /* 401; the same */
	FAULTY,           /* 422; 401 invalid_token */
	MALFORMED_HEADER, /* 422; 400 invalid_request */
	FIRST_IN,         /* let in; 400 invalid_request */
	FIRST_BAD,        /* 422; 400 invalid_request, with other words */
};

/* A $ stands for a good token, a % for a bad one. json NULL: a GET. */
struct place_row {
	const char *path;
	const char *headers;
	const char *json;
	enum verdict verdict;
	const char *text;
};

static const struct place_row absent[] = {
    {"/headers", "", NULL, ABSENT, NO_HEADER},
    {"/cookies", "", NULL, ABSENT, NO_COOKIE},
    {"/query", "", NULL, ABSENT, NO_QUERY},
    {"/json", "", NULL, ABSENT, NO_JSON},
    {"/json", "", "{}", ABSENT, NO_KEY},
    {"/hc", "", NULL, ABSENT,
	"Missing JWT in headers or cookies (" NO_HEADER "; " NO_COOKIE ")"},
    {"/ch", "", NULL, ABSENT,
	"Missing JWT in cookies or headers (" NO_COOKIE "; " NO_HEADER ")"},
    {"/qj", "", "{}", ABSENT,
	"Missing JWT in query_string or json (" NO_QUERY "; " NO_KEY ")"},
    {"/hqj", "", NULL, ABSENT,
	"Missing JWT in headers, query_string or json (" NO_HEADER "; " NO_QUERY
	"; " NO_JSON ")"},
    {"/all", "Authorization: Basic x\r\n", NULL, ABSENT,
	"Missing JWT in headers, cookies, query_string or json (" SCHEME
	"; " NO_COOKIE "; " NO_QUERY "; " NO_JSON ")"},
    {"/renewal", "", "{}", ABSENT,
	"Missing JWT in headers, cookies or json (" NO_HEADER
	"; Missing cookie \"refresh_token_cookie\"; "
	"Missing \"refresh_token\" key in json data.)"},
};

/* Alone: what stands elsewhere does not count. */
static const struct place_row alone[] = {
    {"/headers", HEADER, NULL, LET_IN, NULL},
    {"/headers", COOKIE, NULL, ABSENT, NO_HEADER},
    {"/headers" QUERY, "", NULL, ABSENT, NO_HEADER},
    {"/headers", "", JSON, ABSENT, NO_HEADER},
    {"/cookies", COOKIE, NULL, LET_IN, NULL},
    {"/cookies", HEADER, NULL, ABSENT, NO_COOKIE},
    {"/cookies" QUERY, "", NULL, ABSENT, NO_COOKIE},
    {"/cookies", "", JSON, ABSENT, NO_COOKIE},
    {"/cookies", "Cookie: access_token_cookie=\r\n", NULL, ABSENT, NO_COOKIE},
    {"/cookies", "Cookie: refresh_token_cookie=$\r\n", NULL, ABSENT, NO_COOKIE},
    {"/cookies", "Cookie: access_token_cookie=%\r\n", NULL, FAULTY, SEGMENTS},
    {"/query" QUERY, "", NULL, LET_IN, NULL},
    {"/query", HEADER, NULL, ABSENT, NO_QUERY},
    {"/query", COOKIE, NULL, ABSENT, NO_QUERY},
    {"/query", "", JSON, ABSENT, NO_QUERY},
    {"/query?jwt=", "", NULL, ABSENT, NO_QUERY},
    {"/query?jwt", "", NULL, ABSENT, NO_QUERY},
    {"/query?JWT=$&xjwt=$&jwtx=$", "", NULL, ABSENT, NO_QUERY},
    {"/query?a=1&jwt=$&b=2", "", NULL, LET_IN, NULL},
    {"/query?%6awt=$", "", NULL, LET_IN, NULL},
    {"/query?jwt=$&jwt=%", "", NULL, LET_IN, NULL},
    {"/query?jwt=%&jwt=$", "", NULL, FAULTY, SEGMENTS},
    {"/query?jwt=%", "", NULL, FAULTY, SEGMENTS},
    {"/json", "", JSON, LET_IN, NULL},
    {"/json", HEADER, "{}", ABSENT, NO_KEY},
    {"/json" QUERY, COOKIE, "{}", ABSENT, NO_KEY},
    {"/json", "", "{\"refresh_token\": \"$\"}", ABSENT, NO_KEY},
    {"/json", "", "{\"access_token\": null}", ABSENT, NO_KEY},
    {"/json", "", "{\"access_token\": \"\"}", ABSENT, NO_KEY},
    {"/json", "", "[\"access_token\", \"$\"]", ABSENT, NO_KEY},
    {"/json", "", "{\"access_token\": \"$\"", ABSENT, NO_KEY},
    {"/json", "", "{\"access_token\": 7}", FAULTY, SEGMENTS},
    {"/json", "", "{\"access_token\": \"%\"}", FAULTY, SEGMENTS},
    {"/json", "", "{\"a\": {\"access_token\": \"$\"}}", ABSENT, NO_KEY},
};

/* Row 32, second half, and what the Flask dialect does instead: the first place
 * of the block that has a token counts. */
static const struct place_row together[] = {
    {"/hc", HEADER, NULL, LET_IN, NULL},
    {"/hc", COOKIE, NULL, LET_IN, NULL},
    {"/hc", HEADER COOKIE, NULL, FIRST_IN, NULL},
    {"/hc", "Authorization: Basic x\r\n" COOKIE, NULL, LET_IN, NULL},
    {"/hc", "Authorization: Bearer\r\n" COOKIE, NULL, MALFORMED_HEADER,
	MALFORMED},
    {"/hc", HEADER "Cookie: access_token_cookie=%\r\n", NULL, FIRST_IN, NULL},
    {"/hc", "Authorization: Bearer %\r\n" COOKIE, NULL, FIRST_BAD, SEGMENTS},
    {"/hc", HEADER "Cookie: other=$\r\n", NULL, LET_IN, NULL},
    {"/hc" QUERY, HEADER, NULL, LET_IN, NULL},
    {"/ch", HEADER, NULL, LET_IN, NULL},
    {"/ch", "Authorization: Bearer %\r\n" COOKIE, NULL, FIRST_IN, NULL},
    {"/ch", HEADER "Cookie: access_token_cookie=%\r\n", NULL, FIRST_BAD,
	SEGMENTS},
    {"/qj" QUERY, "", NULL, LET_IN, NULL},
    {"/qj", "", JSON, LET_IN, NULL},
    {"/qj" QUERY, "", JSON, FIRST_IN, NULL},
    {"/qj?jwt=%", "", JSON, FIRST_BAD, SEGMENTS},
    {"/hqj", "", JSON, LET_IN, NULL},
    {"/hqj" QUERY, HEADER, JSON, FIRST_IN, NULL},
    {"/all", COOKIE, NULL, LET_IN, NULL},
    {"/all" QUERY, "", NULL, LET_IN, NULL},
    {"/all", "", NULL, ABSENT, "Missing JWT in *"},
    {"/all" QUERY, COOKIE, NULL, FIRST_IN, NULL},
    {"/all?jwt=%", COOKIE, NULL, FIRST_IN, NULL},
};

static char *filled(const char *, const char *);
static void
ask(int, const struct place_row *, const char *, struct raw_response *);
static void judge(
    const struct place_row *, const char *, const struct raw_response *, bool);
static void run_rows(const char *, const struct place_row *, size_t);

/* Every $ replaced by a token, and every % that begins no escape by a word
 * that is none; free() it. */
static char *
filled(const char *text, const char *token)
{
	char *out;
	size_t size;
	FILE *fp;

	fp = open_memstream(&out, &size);
	if (fp == NULL)
		cr_assert_fail("out of memory");
	for (; *text != '\0'; text++) {
		if (*text == '$')
			(void)fputs(token, fp);
		else if (*text == '%' && text[1] != '6')
			(void)fputs("bad", fp);
		else
			(void)fputc(*text, fp);
	}
	(void)fclose(fp);
	return (out);
}

static void
ask(int port, const struct place_row *row, const char *token,
    struct raw_response *answer)
{
	char *path, *headers, *json = NULL;

	path = filled(row->path, token);
	headers = filled(row->headers, token);
	if (row->json != NULL)
		json = filled(row->json, token);
	(void)sess_ask_with(port, json == NULL ? "GET" : "POST", path, NULL,
	    headers, json, answer);
	free(path);
	free(headers);
	free(json);
}

static void
judge(const struct place_row *row, const char *name,
    const struct raw_response *answer, bool rfc)
{
	if (row->verdict == LET_IN || (row->verdict == FIRST_IN && !rfc)) {
		check_json(name, answer, 200, PROTECTED_JSON);
		return;
	}
	if (!rfc) {
		check_member(name, answer, row->verdict == ABSENT ? 401 : 422,
		    "msg", row->text);
		return;
	}
	switch (row->verdict) {
	case ABSENT:
		check_problem(name, answer, 401, row->text, "");
		break;
	case FAULTY:
		check_problem(name, answer, 401, row->text, "invalid_token");
		break;
	case MALFORMED_HEADER:
		check_problem(name, answer, 400, row->text, "invalid_request");
		break;
	default:
		check_problem(name, answer, 400, SEVERAL, "invalid_request");
		break;
	}
}

/* CSRF protection is another suite's matter: off, for the POSTs. */
static void
run_rows(const char *style, const struct place_row *table, size_t n)
{
	struct server *s = routes_start(
	    style, routes, COUNT(routes), "JWT_COOKIE_CSRF_PROTECT=no", NULL);
	struct raw_response answer;
	char *token = tok_good(), *name;
	size_t i;

	for (i = 0; i < n; i++) {
		name = text_of("%s [%s] %s", table[i].path, table[i].headers,
		    table[i].json != NULL ? table[i].json : "");
		ask(server_port(s), &table[i], token, &answer);
		judge(&table[i], name, &answer, strcmp(style, "flask") != 0);
		raw_response_free(&answer);
		free(name);
	}
	free(token);
	server_stop(s);
}

#define BOTH(name, table)                                                      \
	Test(guard_places, name##_flask)                                       \
	{                                                                      \
		run_rows("flask", table, COUNT(table));                        \
	}                                                                      \
	Test(guard_places, name##_rfc6750)                                     \
	{                                                                      \
		run_rows("rfc6750", table, COUNT(table));                      \
	}

/* Row 31, first half: without credentials there is no error code. */
BOTH(where_no_token_was_found_is_told, absent)
BOTH(a_place_alone_takes_no_token_from_another, alone)
BOTH(of_several_places_the_first_counts_or_one_alone, together)

/* A guard for refresh tokens looks for them under their own names. */
Test(guard_places, refresh_tokens_have_names_of_their_own)
{
	static const struct place_row rows[] = {
	    {"/renewal", "Cookie: refresh_token_cookie=$\r\n", NULL, LET_IN,
		NULL},
	    {"/renewal", COOKIE, "{}", ABSENT, "Missing JWT in *"},
	    {"/renewal", "", "{\"refresh_token\": \"$\"}", LET_IN, NULL},
	    {"/renewal", "", JSON, ABSENT, "Missing JWT in *"},
	    {"/renewal_json", "", "{\"refresh_token\": \"$\"}", LET_IN, NULL},
	    {"/renewal_json", "", "{}", ABSENT,
		"Missing \"refresh_token\" key in json data."},
	    {"/either", "Cookie: refresh_token_cookie=$\r\n", NULL, LET_IN,
		NULL},
	    {"/either", COOKIE, NULL, LET_IN, NULL},
	    {"/either",
		"Cookie: access_token_cookie=%; "
		"refresh_token_cookie=$\r\n",
		NULL, FAULTY, SEGMENTS},
	    {"/either",
		"Cookie: refresh_token_cookie=%; "
		"access_token_cookie=$\r\n",
		NULL, LET_IN, NULL},
	};
	struct server *s =
	    routes_start("flask", routes, COUNT(routes), NULL, NULL);
	struct raw_response answer;
	char *token;
	size_t i;

	token = tok_make(TOK_HEADER,
	    "{\"jti\":\"x\",\"sub\":\"cosmo\",\"exp\":@+900,"
	    "\"type\":\"refresh\"}",
	    TOK_SECRET);
	for (i = 0; i < COUNT(rows); i++) {
		ask(server_port(s), &rows[i], token, &answer);
		judge(&rows[i], rows[i].path, &answer, false);
		raw_response_free(&answer);
	}
	free(token);
	server_stop(s);
}

Test(guard_places, the_names_of_places_can_be_set)
{
	static const struct place_row rows[] = {
	    {"/query?ticket=$", "", NULL, LET_IN, NULL},
	    {"/query" QUERY, "", NULL, ABSENT,
		"Missing 'ticket' query paramater"},
	    {"/json", "", "{\"bone\": \"$\"}", LET_IN, NULL},
	    {"/json", "", JSON, ABSENT, "Missing \"bone\" key in json data."},
	};
	struct server *s = routes_start("flask", routes, COUNT(routes),
	    "JWT_QUERY_STRING_NAME=ticket", "JWT_JSON_KEY=bone");
	struct raw_response answer;
	char *token = tok_good();
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		ask(server_port(s), &rows[i], token, &answer);
		judge(&rows[i], rows[i].path, &answer, false);
		raw_response_free(&answer);
	}
	free(token);
	server_stop(s);
}

/* "optional" with several places: none has a token, or one has a bad one. */
static void
maybe_rows(const char *style)
{
	static const struct place_row nobody[] = {
	    {"/maybe", "", NULL, LET_IN, NULL},
	    {"/maybe", "", "{}", LET_IN, NULL},
	    {"/maybe?jwt=", "Cookie: other=1\r\n", NULL, LET_IN, NULL},
	    {"/maybe_query", "", NULL, LET_IN, NULL},
	    {"/maybe_query?a=b", "", NULL, LET_IN, NULL},
	};
	static const struct place_row bad[] = {
	    {"/maybe", "Cookie: access_token_cookie=%\r\n", NULL, FAULTY,
		SEGMENTS},
	    {"/maybe?jwt=%", "", NULL, FAULTY, SEGMENTS},
	    {"/maybe", "", "{\"access_token\": \"%\"}", FAULTY, SEGMENTS},
	    {"/maybe_query?jwt=%", "", NULL, FAULTY, SEGMENTS},
	    {"/maybe_query?a&jwt=%", "", NULL, FAULTY, SEGMENTS},
	};
	static const struct place_row good[] = {
	    {"/maybe", COOKIE, NULL, LET_IN, NULL},
	    {"/maybe" QUERY, "", NULL, LET_IN, NULL},
	    {"/maybe", "", JSON, LET_IN, NULL},
	    {"/maybe_query" QUERY, "", NULL, LET_IN, NULL},
	    {"/maybe_query?a=b&jwt=$", "", NULL, LET_IN, NULL},
	};
	struct server *s =
	    routes_start(style, routes, COUNT(routes), NULL, NULL);
	struct raw_response answer;
	char *token = tok_good();
	size_t i;

	for (i = 0; i < COUNT(nobody); i++) {
		ask(server_port(s), &nobody[i], token, &answer);
		check_json(nobody[i].path, &answer, 200, "{\"sub\": null}");
		raw_response_free(&answer);
		ask(server_port(s), &good[i], token, &answer);
		check_json(good[i].path, &answer, 200, "{\"sub\": \"cosmo\"}");
		raw_response_free(&answer);
		ask(server_port(s), &bad[i], token, &answer);
		judge(
		    &bad[i], bad[i].path, &answer, strcmp(style, "flask") != 0);
		raw_response_free(&answer);
	}
	free(token);
	server_stop(s);
}

Test(guard_places, optional_looks_everywhere_flask)
{
	maybe_rows("flask");
}

Test(guard_places, optional_looks_everywhere_rfc6750)
{
	maybe_rows("rfc6750");
}

/* Row 32, first half. */
Test(guard_places, the_schemes_case_matters_in_the_flask_dialect_alone)
{
	static const char *const schemes[] = {"bearer", "BEARER", "bEaReR"};
	struct server *flask =
	    routes_start("flask", routes, COUNT(routes), NULL, NULL);
	struct server *rfc =
	    routes_start("rfc6750", routes, COUNT(routes), NULL, NULL);
	struct raw_response answer;
	char *token = tok_good(), *line;
	size_t i;

	for (i = 0; i < COUNT(schemes); i++) {
		line = text_of("%s %s", schemes[i], token);
		(void)http_get(server_port(rfc), "/hc", line, &answer);
		check_json(schemes[i], &answer, 200, PROTECTED_JSON);
		raw_response_free(&answer);
		(void)http_get(server_port(flask), "/headers", line, &answer);
		check_member(schemes[i], &answer, 401, "msg", SCHEME);
		raw_response_free(&answer);
		free(line);
	}
	free(token);
	server_stop(flask);
	server_stop(rfc);
}

/* An address ends up in logs and answers of others: not in ours. */
Test(guard_places, a_token_in_the_query_is_not_repeated)
{
	struct server *s =
	    routes_start("rfc6750", routes, COUNT(routes), NULL, NULL);
	struct raw_response answer;
	char *token = tok_good(), *mac, *path, *log;

	mac = tok_segment(token, 2);
	path = text_of("/query?jwt=%s.x", token);
	(void)http_get(server_port(s), path, NULL, &answer);
	check_problem("refused", &answer, 401, NULL, "invalid_token");
	cr_expect(strstr(answer.body, mac) == NULL, "%s", answer.body);
	cr_expect(strstr(answer.body, "\"instance\":\"/query\"") != NULL, "%s",
	    answer.body);
	raw_response_free(&answer);
	free(path);
	path = text_of("/query?jwt=%s", token);
	cr_expect(http_get(server_port(s), path, NULL, NULL) == 200);
	log = server_log(s);
	cr_expect(strstr(log, "route /query") != NULL);
	cr_expect(strstr(log, mac) == NULL, "the log holds the token");
	free(log);
	free(path);
	free(token);
	free(mac);
	server_stop(s);
}
