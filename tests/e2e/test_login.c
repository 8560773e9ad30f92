/*
 * POST /login: the media type, then the JSON.
 */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <jansson.h>

#include "check.h"
#include "http.h"
#include "suite.h"
#include "tok.h"

/* A body with its length, so that it may hold NULs. */
#define BODY(text) (text), sizeof(text) - 1

TestSuite(login, .timeout = 90);

struct body_row {
	const char *name;
	const char *body;
	size_t len;
};

static void media_rows(int, bool);
static void expect_malformed(const char *, const struct raw_response *, bool);
static void json_rows(int, bool);

static const char *const bad_types[] = {
    "",
    "text/json",
    "text/plain",
    "text/plain; charset=application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/jsonp",
    "application/json5",
    "application/javascript",
    "application/xml",
    "application/jso",
    "application",
    "json",
    "*/*",
    "application/*",
    "image/svg+json",
    "text/x+json",
    "application/+xml",
    "application/json+xml",
    "x; application/json",
    "xapplication/json",
    "application/json, text/plain",
    "application/json/x",
    "application/json x",
    "application / json",
};

static const char *const good_types[] = {
    "application/json",
    "application/json; charset=utf-8",
    "application/json;charset=UTF-8",
    "application/json ; charset=latin1",
    "application/json;",
    "Application/JSON",
    "APPLICATION/JSON; CHARSET=UTF-8",
    "application/vnd.api+json",
    "application/problem+json",
    "Application/Vnd.X+JSON; v=1",
};

/* Two credentials that would do, in a text that is no JSON document. */
#define IN "\"username\": \"cosmo\", \"password\": \"space-corgi\""

static const struct body_row malformed[] = {
    {"empty", BODY("")},
    {"white space alone", BODY(" \t\r\n ")},
    {"byte order mark", BODY("\xef\xbb\xbf{" IN "}")},
    {"lone surrogate", BODY("{\"username\": \"\\ud800\"}")},
    {"surrogates in the wrong order",
	BODY("{\"username\": \"\\udc00\\ud800\"}")},
    {"plain words", BODY("username=cosmo&password=space-corgi")},
    {"trailing garbage", BODY("{" IN "} x")},
    {"a second document", BODY("{" IN "}{" IN "}")},
    {"a second document on a line of its own", BODY("{" IN "}\n{}")},
    {"trailing brace", BODY("{" IN "}}")},
    {"trailing comma", BODY("{" IN ",}")},
    {"trailing NUL", BODY("{" IN "}\0")},
    {"a NUL before", BODY("\0{" IN "}")},
    {"leading comma", BODY("{," IN "}")},
    {"no closing brace", BODY("{" IN)},
    {"no colon", BODY("{\"username\" \"cosmo\"}")},
    {"a key that is no string", BODY("{username: \"cosmo\"}")},
    {"line comment", BODY("{" IN "} // x")},
    {"block comment", BODY("{/* x */" IN "}")},
    {"hash comment", BODY("# x\n{" IN "}")},
    {"single quotes", BODY("{'username': 'cosmo'}")},
    {"raw line feed in a string",
	BODY("{\"username\": \"cos\nmo\", \"password\": \"x\"}")},
    {"raw tab in a string",
	BODY("{\"username\": \"cos\tmo\", \"password\": \"x\"}")},
    {"raw NUL in a string",
	BODY("{\"username\": \"cos\0mo\", \"password\": \"x\"}")},
    {"raw 0x1f in a string",
	BODY("{\"username\": \"cos\x1fmo\", \"password\": \"x\"}")},
    {"unknown escape", BODY("{\"username\": \"\\x63osmo\"}")},
    {"escaped quote mark of another kind", BODY("{\"username\": \"\\'\"}")},
    {"short \\u escape", BODY("{\"username\": \"\\u006\"}")},
    {"\\u escape with a foreign digit", BODY("{\"username\": \"\\u00g1\"}")},
    {"unterminated string", BODY("{\"username\": \"cosmo}")},
    {"escape at the end", BODY("{\"username\": \"cosmo\\")},
    {"leading zero", BODY("{\"username\": 01}")},
    {"minus and leading zero", BODY("{\"username\": -01}")},
    {"plus sign", BODY("{\"username\": +1}")},
    {"no digit before the point", BODY("{\"username\": .5}")},
    {"no digit after the point", BODY("{\"username\": 5.}")},
    {"no digit in the exponent", BODY("{\"username\": 1e}")},
    {"minus alone", BODY("{\"username\": -}")},
    {"hexadecimal", BODY("{\"username\": 0x10}")},
    {"NaN", BODY("{\"username\": NaN}")},
    {"Infinity", BODY("{\"username\": Infinity}")},
    {"minus Infinity", BODY("{\"username\": -Infinity}")},
    {"undefined", BODY("{\"username\": undefined}")},
    {"True", BODY("{\"username\": True}")},
    {"NULL", BODY("{\"username\": NULL}")},
    {"invalid UTF-8", BODY("{\"username\": \"\xff\xfe\"}")},
    {"lone continuation byte", BODY("{\"username\": \"\x80\"}")},
    {"cut UTF-8", BODY("{\"username\": \"\xc3\"}")},
    {"overlong slash", BODY("{\"username\": \"\xc0\xaf\"}")},
    {"overlong NUL", BODY("{\"username\": \"\xc0\x80\"}")},
    {"UTF-8 surrogate", BODY("{\"username\": \"\xed\xa0\x80\"}")},
    {"beyond U+10FFFF", BODY("{\"username\": \"\xf4\x90\x80\x80\"}")},
    {"invalid UTF-8 in a key", BODY("{\"\xff\": 1}")},
    {"invalid UTF-8 behind the value", BODY("{" IN "}\xff")},
    {"UTF-16", BODY("{\0\"\0a\0\"\0:\0001\0}\0")},
    {"open array", BODY("[")},
    {"closing alone", BODY("]")},
    {"array with a trailing comma", BODY("[1,]")},
    {"vertical tab as white space", BODY("\v{" IN "}")},
    {"no-break space as white space", BODY("\xc2\xa0{" IN "}")},
};

/* The type is judged before the body, whatever that is. */
static void
media_rows(int port, bool rfc)
{
	static const char *const bodies[] = {DEMO_LOGIN, "{", "", "{}"};
	struct raw_response answer;
	const char *type;
	size_t i, b;

	for (i = 0; i <= sizeof(bad_types) / sizeof(bad_types[0]); i++) {
		type = i == 0 ? NULL : bad_types[i - 1];
		for (b = 0; b < sizeof(bodies) / sizeof(bodies[0]); b++) {
			(void)suite_post_login(
			    port, type, bodies[b], strlen(bodies[b]), &answer);
			if (rfc)
				check_problem(type ? type : "no type", &answer,
				    415, "Unsupported media type", NULL);
			else
				check_member(type ? type : "no type", &answer,
				    415, "error", "Unsupported media type");
			raw_response_free(&answer);
		}
	}
	for (i = 0; i < sizeof(good_types) / sizeof(good_types[0]); i++) {
		(void)suite_post_login(port, good_types[i], "{}", 2, &answer);
		cr_expect(answer.status == 400, "%s: status %d", good_types[i],
		    answer.status);
		raw_response_free(&answer);
	}
	(void)suite_post_login(
	    port, good_types[1], DEMO_LOGIN, strlen(DEMO_LOGIN), &answer);
	cr_expect(answer.status == 200, "charset=utf-8: %d", answer.status);
	raw_response_free(&answer);
	(void)suite_post_login(port, "application/vnd.api+json", DEMO_LOGIN,
	    strlen(DEMO_LOGIN), &answer);
	cr_expect(answer.status == 200, "+json: %d", answer.status);
	raw_response_free(&answer);
}

/* {"error": "Malformed JSON"}, where a detail may stand under another key. */
static void
expect_malformed(const char *row, const struct raw_response *answer, bool rfc)
{
	const char *text;
	json_t *body;

	if (rfc) {
		check_problem(row, answer, 400, NULL, NULL);
		return;
	}
	check_house(row, answer);
	body = json_loadb(answer->body, answer->body_len, JSON_ALLOW_NUL, NULL);
	text = json_string_value(json_object_get(body, "error"));
	cr_expect(answer->status == 400 && text != NULL &&
		strcmp(text, "Malformed JSON") == 0,
	    "%s: %d %s", row, answer->status, answer->body);
	json_decref(body);
}

static void
json_rows(int port, bool rfc)
{
	struct raw_response answer;
	const struct body_row *row;
	size_t i;

	for (i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
		row = &malformed[i];
		(void)suite_post_login(
		    port, "application/json", row->body, row->len, &answer);
		expect_malformed(row->name, &answer, rfc);
		raw_response_free(&answer);
	}
}

BOTH_STYLES(login, other_media_types_are_415_before_the_body, media_rows)
BOTH_STYLES(login, malformed_json_is_400, json_rows)

/* {"a": {"a": ... }} and [[[...]]]: refused, and the worker lives. */
Test(login, deep_nesting_is_400_and_no_crash)
{
	static const size_t depths[] = {100, 1000, 5000};
	struct raw_response answer;
	struct server *s = suite_start("flask");
	pid_t before, after;
	char *open, *close, *body;
	size_t i;

	cr_assert(server_workers(s, &before, 1) == 1);
	for (i = 0; i < sizeof(depths) / sizeof(depths[0]); i++) {
		open = text_repeat("[", depths[i]);
		close = text_repeat("]", depths[i]);
		body = text_of("{\"username\": %s%s}", open, close);
		(void)http_login(server_port(s), body, &answer);
		expect_malformed("deep arrays", &answer, false);
		raw_response_free(&answer);
		free(body);
		(void)http_login(server_port(s), open, &answer);
		expect_malformed("deep and open", &answer, false);
		raw_response_free(&answer);
		free(open);
		free(close);
		open = text_repeat("{\"a\":", depths[i] / 2);
		(void)http_login(server_port(s), open, &answer);
		expect_malformed("deep objects", &answer, false);
		raw_response_free(&answer);
		free(open);
	}
	(void)http_login(
	    server_port(s), "{\"username\": [[[]]], \"password\": 1}", &answer);
	cr_expect(answer.status == 400 &&
		strstr(answer.body, "Not a valid string.") != NULL,
	    "shallow nesting: %s", answer.body);
	raw_response_free(&answer);
	cr_assert(server_workers(s, &after, 1) == 1);
	cr_expect(before == after, "the worker was replaced");
	server_stop(s);
}

Test(login, body_without_content_length_is_an_empty_body)
{
	struct raw_response answer;
	struct server *s = suite_start("flask");

	(void)raw_exchange_text(server_port(s),
	    "POST /login HTTP/1.1\r\nHost: localhost\r\n"
	    "Content-Type: application/json\r\n\r\n",
	    &answer);
	expect_malformed("no length", &answer, false);
	raw_response_free(&answer);
	(void)raw_exchange_text(server_port(s),
	    "POST /login HTTP/1.1\r\nHost: localhost\r\n"
	    "Content-Type: application/json\r\nContent-Length: 0\r\n\r\n",
	    &answer);
	expect_malformed("length 0", &answer, false);
	raw_response_free(&answer);
	server_stop(s);
}
