/*
 * POST /login: the answer to good credentials, and the token in it.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <criterion/criterion.h>
#include <jansson.h>

#include "check.h"
#include "http.h"
#include "suite.h"
#include "tok.h"

TestSuite(login_token, .timeout = 90);

static void lesson(int, const char *, const char *);
static json_t *segment_json(const char *, int);
static bool is_uuid4(const json_t *);
static void expect_claims(json_t *, long long);

/* The steps of the original lesson. */
static void
lesson(int port, const char *path, const char *message)
{
	struct raw_response answer;
	char *token;

	(void)http_get(port, path, NULL, &answer);
	check_member(path, &answer, 401, "msg", "Missing Authorization Header");
	raw_response_free(&answer);
	token = http_token(port);
	(void)http_get_token(port, path, token, &answer);
	check_member(path, &answer, 200, "message", message);
	raw_response_free(&answer);
	free(token);
}

Test(login_token, the_three_steps_of_the_lesson)
{
	struct server *s = suite_start("flask");

	lesson(server_port(s), "/protected",
	    "This is a protected route, and you are authenticated!");
	lesson(server_port(s), "/secure-data",
	    "This is secure data, and you are authenticated!");
	server_stop(s);
}

static json_t *
segment_json(const char *token, int n)
{
	char *segment, *text;
	size_t len;
	json_t *v;

	segment = tok_segment(token, n);
	text = tok_decode(segment, &len);
	v = text == NULL ? NULL : json_loadb(text, len, 0, NULL);
	free(segment);
	free(text);
	return (v);
}

static bool
is_uuid4(const json_t *v)
{
	const char *text;
	size_t i;

	text = json_string_value(v);
	if (text == NULL || strlen(text) != 36 || text[14] != '4' ||
	    strchr("89ab", text[19]) == NULL)
		return (false);
	for (i = 0; i < 36; i++) {
		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (text[i] != '-')
				return (false);
		} else if (strchr("0123456789abcdef", text[i]) == NULL)
			return (false);
	}
	return (true);
}

static void
expect_claims(json_t *claims, long long life)
{
	long long iat, now;

	now = (long long)time(NULL);
	iat = json_integer_value(json_object_get(claims, "iat"));
	cr_expect(json_object_size(claims) == 9, "another set of claims");
	cr_expect(json_is_true(json_object_get(claims, "fresh")));
	cr_expect(is_uuid4(json_object_get(claims, "sid")));
	cr_expect(json_is_integer(json_object_get(claims, "iat")));
	cr_expect(iat <= now && iat > now - 60);
	cr_expect(json_is_integer(json_object_get(claims, "nbf")));
	cr_expect(json_integer_value(json_object_get(claims, "nbf")) == iat);
	cr_expect(json_is_integer(json_object_get(claims, "exp")));
	cr_expect(
	    json_integer_value(json_object_get(claims, "exp")) == iat + life);
	cr_expect(is_uuid4(json_object_get(claims, "jti")));
	cr_expect(is_uuid4(json_object_get(claims, "csrf")));
	cr_expect_str_eq(
	    json_string_value(json_object_get(claims, "type")), "access");
	cr_expect_str_eq(
	    json_string_value(json_object_get(claims, "sub")), "cosmo");
}

Test(login_token, the_token_holds_exactly_the_specified_claims)
{
	struct server *s = suite_start("flask");
	char *token, *other, *body, *mac, *sent;
	json_t *header, *claims, *more;

	token = http_token(server_port(s));
	other = http_token(server_port(s));
	header = segment_json(token, 0);
	claims = segment_json(token, 1);
	more = segment_json(other, 1);
	cr_assert(claims != NULL && more != NULL && header != NULL);
	cr_expect(json_object_size(header) == 2);
	cr_expect_str_eq(
	    json_string_value(json_object_get(header, "alg")), "HS256");
	cr_expect_str_eq(
	    json_string_value(json_object_get(header, "typ")), "JWT");
	expect_claims(claims, 900);
	cr_expect(!json_equal(
	    json_object_get(claims, "jti"), json_object_get(more, "jti")));
	cr_expect(!json_equal(
	    json_object_get(claims, "csrf"), json_object_get(more, "csrf")));
	cr_expect(!json_equal(
	    json_object_get(claims, "csrf"), json_object_get(claims, "jti")));

	/* The signature is what OpenSSL makes of it with the same secret. */
	body = text_of("%.*s", (int)(strrchr(token, '.') - token), token);
	mac = tok_mac(body, TOK_SECRET, "HS256");
	sent = tok_segment(token, 2);
	cr_expect_str_eq(sent, mac);
	json_decref(header);
	json_decref(claims);
	json_decref(more);
	free(body);
	free(mac);
	free(sent);
	free(token);
	free(other);
	server_stop(s);
}

/* The answer has the two tokens and nothing that was not asked for. */
Test(login_token, the_answer_holds_the_tokens_alone)
{
	struct raw_response answer;
	struct server *s = suite_start("flask");

	cr_expect(http_login(server_port(s), DEMO_LOGIN, &answer) == 200);
	check_tokens("login", &answer);
	check_header("login", &answer, "cache-control", "no-store");
	check_header("login", &answer, "content-type", "application/json");
	check_header("login", &answer, "set-cookie", NULL);
	raw_response_free(&answer);
	server_stop(s);
}
