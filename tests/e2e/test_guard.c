/*
 * The guard in the Flask dialect, and the settings that bear upon it.
 */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "check.h"
#include "guard_rows.h"
#include "http.h"
#include "suite.h"
#include "tok.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows[0]))

#define PAYLOAD(more) "{\"sub\":\"cosmo\",\"jti\":\"j\",\"exp\":@+900" more "}"

TestSuite(guard, .timeout = 90);

Test(guard, authorization_header_forms)
{
	struct server *s = suite_start("flask");

	guard_header_rows(server_port(s), false);
	server_stop(s);
}

Test(guard, token_faults_in_every_row_of_the_table)
{
	struct server *s = suite_start("flask");

	guard_token_rows(server_port(s), false);
	server_stop(s);
}

Test(guard, of_two_faults_the_earlier_one_is_told)
{
	struct server *s = suite_start("flask");

	guard_order_rows(server_port(s), false);
	server_stop(s);
}

Test(guard, stricter_on_purpose)
{
	struct server *s = suite_start("flask");

	guard_strict_rows(server_port(s), false);
	server_stop(s);
}

/* A 401 for an expired token says so in its challenge. */
Test(guard, expired_token_gets_the_challenge_invalid_token)
{
	struct raw_response answer;
	struct server *s = suite_start("flask");
	const char *value;
	char *token;

	token = tok_make(TOK_HEADER,
	    "{\"sub\":\"cosmo\",\"jti\":\"j\",\"exp\":1}", TOK_SECRET);
	(void)http_get_token(server_port(s), "/protected", token, &answer);
	check_member("expired", &answer, 401, "msg", "Token has expired");
	value = raw_header(&answer, "www-authenticate");
	cr_expect(value != NULL && strncmp(value, "Bearer ", 7) == 0 &&
	    strstr(value, "error=\"invalid_token\"") != NULL &&
	    strstr(value, "error_description=\"") != NULL);
	raw_response_free(&answer);
	free(token);
	server_stop(s);
}

/* Change one thing in a good signature and nothing else. */
Test(guard, signatures_that_do_not_fit)
{
	struct server *s = suite_start("flask");
	char *good, *bad, *sig, *dot;
	size_t i;
	int port;

	port = server_port(s);
	good = tok_good();
	dot = strrchr(good, '.');
	sig = dot + 1;
	guard_expect("untouched", port, false, good, 200, NULL);

	/* The last letter has unused bits: see below. */
	for (i = 0; i + 1 < strlen(sig); i += 7) {
		bad = strdup(good);
		bad[sig - good + (ptrdiff_t)i] = sig[i] == 'A' ? 'B' : 'A';
		guard_expect("one letter", port, false, bad, 422,
		    "Signature verification failed");
		free(bad);
	}
	bad = text_of("%.*s.%.8s", (int)(dot - good), good, sig);
	guard_expect("cut short", port, false, bad, 422,
	    "Signature verification failed");
	free(bad);
	bad = text_of("%sAAA", good);
	guard_expect("longer", port, false, bad, 422, "*");
	free(bad);
	bad = text_of("%s=", good);
	guard_expect("padded", port, false, bad, 422, "*");
	free(bad);
	bad = text_of("%s!", good);
	guard_expect("foreign byte", port, false, bad, 422, "*");
	free(bad);

	/* 32 bytes leave two unused bits in the last of 43 letters. */
	bad = strdup(good);
	bad[strlen(bad) - 1]++;
	guard_expect("unused bits", port, false, bad, 422, "*");
	free(bad);
	free(good);
	server_stop(s);
}

/* Segments that are good base64url in each other's alphabet. */
Test(guard, the_alphabet_of_base64_with_plus_and_slash_is_refused)
{
	struct server *s = suite_start("flask");
	char *payload, *segment, *header, *token;
	size_t i, changed;
	int port;

	port = server_port(s);
	payload = tok_expand(PAYLOAD(",\"x\":\"~~~>>>~~~\xc3\xbf\xc3\xbe\""));
	header = tok_encode(TOK_HEADER, strlen(TOK_HEADER));
	segment = tok_encode(payload, strlen(payload));
	token = tok_seal(header, segment, TOK_SECRET);
	guard_expect("base64url", port, false, token, 200, NULL);
	free(token);
	changed = 0;
	for (i = 0; segment[i] != '\0'; i++) {
		if (segment[i] != '-' && segment[i] != '_')
			continue;
		segment[i] = segment[i] == '-' ? '+' : '/';
		changed++;
	}
	cr_assert(changed > 0, "nothing to change in %s", segment);
	token = tok_seal(header, segment, TOK_SECRET);
	guard_expect("base64", port, false, token, 422, "*");
	free(token);
	free(payload);
	free(segment);
	free(header);
	server_stop(s);
}

/* Deep nesting in either part, and tokens up to and over the head's limit. */
Test(guard, deep_and_long_tokens_harm_nobody)
{
	struct raw_response answer;
	struct server *s = suite_start("flask");
	char *deep, *text, *token;
	pid_t before, after;
	int port;

	port = server_port(s);
	cr_assert(server_workers(s, &before, 1) == 1);
	deep = text_repeat("[", 3000);
	text = text_of("{\"alg\":\"HS256\",\"x\":%s", deep);
	token = tok_make(text, "{}", TOK_SECRET);
	guard_expect("deep header", port, false, token, 422, "*");
	free(token);
	free(text);
	text = text_of("{\"x\":%s", deep);
	token = tok_make(TOK_HEADER, text, TOK_SECRET);
	guard_expect("deep payload", port, false, token, 422, "*");
	free(token);
	free(text);
	free(deep);

	deep = text_repeat("x", 9000);
	text = text_of("{\"sub\":\"cosmo\",\"jti\":\"j\",\"exp\":@+900,"
		       "\"x\":\"%s\"}",
	    deep);
	token = tok_make(TOK_HEADER, text, TOK_SECRET);
	guard_expect("12 kB", port, false, token, 200, NULL);
	free(token);
	free(text);
	free(deep);

	token = text_repeat("a", 65536);
	cr_expect(http_get_token(port, "/protected", token, &answer) == 431,
	    "64 kB: %d", answer.status);
	check_house("64 kB", &answer);
	raw_response_free(&answer);
	free(token);
	cr_assert(server_workers(s, &after, 1) == 1);
	cr_expect(before == after, "the worker was replaced");
	server_stop(s);
}

/* NULs inside a part are bytes like any other. */
Test(guard, nul_bytes_in_a_part_do_not_end_it)
{
	static const char header[] = TOK_HEADER "\0x";
	static const char payload[] =
	    "{\"sub\":\"a\",\"jti\":\"j\",\"exp\":9999999999}\0x";
	struct server *s = suite_start("flask");
	char *token;
	int port;

	port = server_port(s);
	token = tok_make_bytes(
	    header, strlen(header), payload, strlen(payload), TOK_SECRET);
	guard_expect("without", port, false, token, 200, NULL);
	free(token);
	token = tok_make_bytes(
	    header, sizeof(header) - 1, payload, strlen(payload), TOK_SECRET);
	guard_expect("in the header", port, false, token, 422,
	    "Invalid header string: *");
	free(token);
	token = tok_make_bytes(
	    header, strlen(header), payload, sizeof(payload) - 1, TOK_SECRET);
	guard_expect("in the payload", port, false, token, 422,
	    "Invalid payload string: *");
	free(token);
	server_stop(s);
}

static void
expect_value(int port, const char *row, const char *line, int status,
    const char *name, const char *text)
{
	const char *const headers[] = {line, NULL};
	struct http_request request = {.path = "/protected"};
	struct raw_response answer;

	request.headers = headers;
	(void)http_send(port, &request, &answer);
	if (status == 200)
		check_json(row, &answer, 200, PROTECTED_JSON);
	else
		check_member(row, &answer, status, name, text);
	raw_response_free(&answer);
}

Test(guard, settings_name_the_header_its_type_and_the_key_of_messages)
{
	struct server *s;
	char *token, *line;
	int port;

	s = suite_start_with("flask", "JWT_HEADER_NAME=X-Token",
	    "JWT_HEADER_TYPE=JWT", "JWT_ERROR_MESSAGE_KEY=message", NULL);
	port = server_port(s);
	token = tok_good();
	line = text_of("X-Token: JWT %s", token);
	expect_value(port, "as set", line, 200, NULL, NULL);
	free(line);
	line = text_of("X-Token: Bearer %s", token);
	expect_value(port, "the usual type", line, 401, "message",
	    "Missing 'JWT' type in 'X-Token' header. "
	    "Expected 'X-Token: JWT <JWT>'");
	free(line);
	line = text_of("Authorization: JWT %s", token);
	expect_value(port, "the usual header", line, 401, "message",
	    "Missing X-Token Header");
	free(line);
	expect_value(port, "one word", "X-Token: JWT", 422, "message",
	    "Bad X-Token header. Expected 'X-Token: JWT <JWT>'");
	expect_value(port, "bad token", "X-Token: JWT a.b", 422, "message",
	    "Not enough segments");
	free(token);
	server_stop(s);
}

Test(guard, an_empty_type_takes_the_token_alone)
{
	struct server *s;
	char *token, *line;

	s = suite_start_with("flask", "JWT_HEADER_TYPE=", NULL);
	token = tok_good();
	line = text_of("Authorization: %s", token);
	expect_value(server_port(s), "alone", line, 200, NULL, NULL);
	free(line);
	line = text_of("Authorization: Bearer %s", token);
	expect_value(server_port(s), "two words", line, 422, "msg", "*");
	free(line);
	free(token);
	server_stop(s);
}

Test(guard, leeway_stretches_every_time)
{
	static const struct token_row rows[] = {
	    {"expired within", TOKEN_MAKE, TOK_HEADER,
		"{\"sub\":\"a\",\"jti\":\"j\",\"exp\":@-30}", 200, NULL},
	    {"expired beyond", TOKEN_MAKE, TOK_HEADER,
		"{\"sub\":\"a\",\"jti\":\"j\",\"exp\":@-60}", 401,
		"Token has expired"},
	    {"iat within", TOKEN_MAKE, TOK_HEADER, PAYLOAD(",\"iat\":@+30"),
		200, NULL},
	    {"iat beyond", TOKEN_MAKE, TOK_HEADER, PAYLOAD(",\"iat\":@+120"),
		422, "The token is not yet valid (iat)"},
	    {"nbf within", TOKEN_MAKE, TOK_HEADER, PAYLOAD(",\"nbf\":@+30"),
		200, NULL},
	    {"nbf beyond", TOKEN_MAKE, TOK_HEADER, PAYLOAD(",\"nbf\":@+120"),
		422, "The token is not yet valid (nbf)"},
	    {"exp far below 64 bits", TOKEN_MAKE, TOK_HEADER,
		"{\"sub\":\"a\",\"jti\":\"j\",\"exp\":-9223372036854775808}",
		401, "Token has expired"},
	    {"exp at the end of 64 bits", TOKEN_MAKE, TOK_HEADER,
		"{\"sub\":\"a\",\"jti\":\"j\",\"exp\":9223372036854775807}",
		200, NULL},
	};
	struct server *s;

	s = suite_start_with("flask", "JWT_DECODE_LEEWAY=60", NULL);
	guard_rows(server_port(s), false, rows, 1);
	server_stop(s);
	s = suite_start_with("flask", "JWT_DECODE_LEEWAY=45", NULL);
	guard_rows(server_port(s), false, rows, COUNT(rows));
	server_stop(s);
}

Test(guard, audience_and_issuer_when_configured)
{
	static const struct token_row rows[] = {
	    {"both fit", TOKEN_MAKE, TOK_HEADER,
		PAYLOAD(",\"aud\":\"corgi\",\"iss\":\"den\""), 200, NULL},
	    {"audience in a list", TOKEN_MAKE, TOK_HEADER,
		PAYLOAD(",\"aud\":[\"x\",\"corgi\"],\"iss\":\"den\""), 200,
		NULL},
	    {"no audience", TOKEN_MAKE, TOK_HEADER, PAYLOAD(",\"iss\":\"den\""),
		422, "*"},
	    {"another audience", TOKEN_MAKE, TOK_HEADER,
		PAYLOAD(",\"aud\":\"Corgi\",\"iss\":\"den\""), 422,
		"Invalid audience"},
	    {"a list without it", TOKEN_MAKE, TOK_HEADER,
		PAYLOAD(",\"aud\":[\"x\",\"y\"],\"iss\":\"den\""), 422,
		"Invalid audience"},
	    {"an empty list", TOKEN_MAKE, TOK_HEADER,
		PAYLOAD(",\"aud\":[],\"iss\":\"den\""), 422, "*"},
	    {"audience of a number", TOKEN_MAKE, TOK_HEADER,
		PAYLOAD(",\"aud\":5,\"iss\":\"den\""), 422, "*"},
	    {"no issuer", TOKEN_MAKE, TOK_HEADER, PAYLOAD(",\"aud\":\"corgi\""),
		422, "*"},
	    {"another issuer", TOKEN_MAKE, TOK_HEADER,
		PAYLOAD(",\"aud\":\"corgi\",\"iss\":\"denx\""), 422,
		"Invalid issuer"},
	    {"issuer of a number", TOKEN_MAKE, TOK_HEADER,
		PAYLOAD(",\"aud\":\"corgi\",\"iss\":1"), 422, "*"},
	    {"refresh before audience", TOKEN_MAKE, TOK_HEADER,
		PAYLOAD(",\"type\":\"refresh\",\"aud\":\"x\",\"iss\":\"x\""),
		422, "Only non-refresh tokens are allowed"},
	    {"expired before audience", TOKEN_MAKE, TOK_HEADER,
		"{\"sub\":\"a\",\"jti\":\"j\",\"exp\":1,\"aud\":\"x\"}", 401,
		"Token has expired"},
	};
	struct server *s;
	char *token;

	s = suite_start_with("flask", "JWT_DECODE_AUDIENCE=corgi",
	    "JWT_DECODE_ISSUER=den", "JWT_ENCODE_AUDIENCE=corgi",
	    "JWT_ENCODE_ISSUER=den", NULL);
	guard_rows(server_port(s), false, rows, COUNT(rows));
	token = http_token(server_port(s));
	guard_expect("issued here", server_port(s), false, token, 200, NULL);
	free(token);
	server_stop(s);
}

Test(guard, tokens_without_an_end_where_they_are_wanted)
{
	struct server *s;
	char *token, *claims, *segment;
	int port;

	s = suite_start_with("flask", "JWT_ACCESS_TOKEN_EXPIRES=never", NULL);
	port = server_port(s);
	token = tok_make(
	    TOK_HEADER, "{\"sub\":\"cosmo\",\"jti\":\"j\"}", TOK_SECRET);
	guard_expect("no exp", port, false, token, 200, NULL);
	free(token);
	token = tok_make(TOK_HEADER,
	    "{\"sub\":\"cosmo\",\"jti\":\"j\",\"exp\":1}", TOK_SECRET);
	guard_expect("expired", port, false, token, 401, "Token has expired");
	free(token);
	token = http_token(port);
	guard_expect("issued here", port, false, token, 200, NULL);
	segment = tok_segment(token, 1);
	claims = tok_decode(segment, NULL);
	cr_expect(strstr(claims, "\"exp\"") == NULL, "%s", claims);
	free(segment);
	free(claims);
	free(token);
	server_stop(s);
}

Test(guard, a_token_ends_when_its_life_is_over)
{
	struct raw_response answer;
	struct server *s;
	char *token;
	int port, status, tries;

	s = suite_start_with("flask", "JWT_ACCESS_TOKEN_EXPIRES=1", NULL);
	port = server_port(s);
	status = 0;
	for (tries = 0; tries < 5 && status != 200; tries++) {
		token = http_token(port);
		status = http_get_token(port, "/protected", token, NULL);
		if (status != 200)
			free(token);
	}
	cr_assert(status == 200, "never accepted: %d", status);
	for (tries = 0; tries < 40 && status == 200; tries++) {
		sleep_ms(100);
		status = http_get_token(port, "/protected", token, &answer);
		if (status != 200)
			check_member(
			    "over", &answer, 401, "msg", "Token has expired");
		raw_response_free(&answer);
	}
	cr_expect(status == 401, "never ended: %d", status);
	free(token);
	server_stop(s);
}
