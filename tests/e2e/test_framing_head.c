/*
 * The connection front, the head of a request: what RFC 9112 says to refuse is
 * refused with JSON and a closed connection, and its neighbour is taken.
 */
#include "test_framing.h"

TestSuite(framing_head, .timeout = 90);

Test(framing_head, request_line_with_foreign_form_is_refused)
{
	static const struct framing_row rows[] = {
	    {"good", GET "\r\n", 200, 0},
	    {"query", "GET /health?a=b HTTP/1.1\r\n" HOST "\r\n", 200, 0},
	    {"absolute", "GET http://x/health HTTP/1.1\r\n" HOST "\r\n", 200,
		0},
	    {"two blanks", "GET  /health HTTP/1.1\r\n" HOST "\r\n", 400, 0},
	    {"two blanks behind", "GET /health  HTTP/1.1\r\n" HOST "\r\n", 400,
		0},
	    {"blank at the end", "GET /health HTTP/1.1 \r\n" HOST "\r\n", 400,
		0},
	    {"tab", "GET\t/health HTTP/1.1\r\n" HOST "\r\n", 400, 0},
	    {"leading blank", " GET /health HTTP/1.1\r\n" HOST "\r\n", 400, 0},
	    {"no version", "GET /health\r\n\r\n", 400, 0},
	    {"no target", "GET HTTP/1.1\r\n" HOST "\r\n", 400, 0},
	    {"comma in method", "G,T /health HTTP/1.1\r\n" HOST "\r\n", 400, 0},
	    {"no method", " /health HTTP/1.1\r\n" HOST "\r\n", 400, 0},
	    {"endless method",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 400,
		0},
	    {"NUL in target", "GET /hea\0lth HTTP/1.1\r\n" HOST "\r\n", 400,
		sizeof("GET /hea\0lth HTTP/1.1\r\n" HOST "\r\n") - 1},
	    {"8 bit target", "GET /h\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n", 400, 0},
	    {"fragment", "GET /health#a HTTP/1.1\r\n" HOST "\r\n", 400, 0},
	    {"star for GET", "GET * HTTP/1.1\r\n" HOST "\r\n", 400, 0},
	    {"authority for GET", "GET a:80 HTTP/1.1\r\n" HOST "\r\n", 400, 0},
	    {"user in target", "GET http://u@a/ HTTP/1.1\r\n" HOST "\r\n", 400,
		0},
	    {"random bytes", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		400, 11},
	};

	FRAMING_TABLE(rows);
}

Test(framing_head, version_other_than_1_is_refused)
{
	static const struct framing_row rows[] = {
	    {"1.1", GET "\r\n", 200, 0},
	    {"1.2", "GET /health HTTP/1.2\r\n" HOST "\r\n", 200, 0},
	    {"2.0", "GET /health HTTP/2.0\r\n" HOST "\r\n", 505, 0},
	    {"0.9", "GET /health HTTP/0.9\r\n" HOST "\r\n", 505, 0},
	    {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, 0},
	    {"lower case", "GET /health http/1.1\r\n" HOST "\r\n", 400, 0},
	    {"two digits", "GET /health HTTP/1.10\r\n" HOST "\r\n", 400, 0},
	    {"no minor", "GET /health HTTP/1\r\n" HOST "\r\n", 400, 0},
	    {"other protocol", "GET /health FTTP/1.1\r\n" HOST "\r\n", 400, 0},
	};

	FRAMING_TABLE(rows);
}

Test(framing_head, bare_lf_and_bare_cr_are_refused)
{
	static const struct framing_row rows[] = {
	    {"CR LF", GET "\r\n", 200, 0},
	    {"LF behind request line", "GET /health HTTP/1.1\n" HOST "\r\n",
		400, 0},
	    {"LF behind field", GET "X: a\n\r\n", 400, 0},
	    {"LF at the end", GET "\n", 400, 0},
	    {"LF only", "GET /health HTTP/1.1\nHost: a\n\n", 400, 0},
	    {"CR in value", GET "X: a\rY: b\r\n\r\n", 400, 0},
	    {"CR behind request line", "GET /health HTTP/1.1\r" HOST "\r\n",
		400, 0},
	    {"CR CR LF", GET "X: a\r\r\n\r\n", 400, 0},
	    {"empty lines first", "\r\n\r\n" GET "\r\n", 200, 0},
	    {"many empty lines", "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n", 400,
		0},
	};

	FRAMING_TABLE(rows);
}

Test(framing_head, control_byte_in_the_head_is_refused)
{
	static const struct framing_row rows[] = {
	    {"tab within a value", GET "X: a\tb\r\n\r\n", 200, 0},
	    {"NUL in value", GET "X: a\0b\r\n\r\n", 400,
		sizeof(GET "X: a\0b\r\n\r\n") - 1},
	    {"NUL in name", GET "X\0: a\r\n\r\n", 400,
		sizeof(GET "X\0: a\r\n\r\n") - 1},
	    {"BEL", GET "X: a\ab\r\n\r\n", 400, 0},
	    {"ESC", GET "X: a\033b\r\n\r\n", 400, 0},
	    {"DEL", GET "X: a\177b\r\n\r\n", 400, 0},
	    {"form feed", GET "X: a\fb\r\n\r\n", 400, 0},
	};

	FRAMING_TABLE(rows);
}

Test(framing_head, field_line_with_foreign_form_is_refused)
{
	static const struct framing_row rows[] = {
	    {"no blank behind colon", GET "X:a\r\n\r\n", 200, 0},
	    {"blank before colon", GET "X : a\r\n\r\n", 400, 0},
	    {"tab before colon", GET "X\t: a\r\n\r\n", 400, 0},
	    {"empty name", GET ": a\r\n\r\n", 400, 0},
	    {"no colon", GET "X\r\n\r\n", 400, 0},
	    {"blank in name", GET "X Y: a\r\n\r\n", 400, 0},
	    {"parenthesis in name", GET "X(y): a\r\n\r\n", 400, 0},
	    {"8 bit name", GET "\xc3\xa9: a\r\n\r\n", 400, 0},
	    {"folded with a blank", GET "X: a\r\n b\r\n\r\n", 400, 0},
	    {"folded with a tab", GET "X: a\r\n\tb\r\n\r\n", 400, 0},
	    {"blank before the first", "GET /health HTTP/1.1\r\n " HOST "\r\n",
		400, 0},
	    {"tab before the first", "GET /health HTTP/1.1\r\n\t" HOST "\r\n",
		400, 0},
	};

	FRAMING_TABLE(rows);
}

Test(framing_head, host_missing_repeated_or_malformed_is_refused)
{
	static const struct framing_row rows[] = {
	    {"one", "GET /health HTTP/1.1\r\nhOsT:a.b:8888\r\n\r\n", 200, 0},
	    {"IPv6", "GET /health HTTP/1.1\r\nHost: [::1]:8888\r\n\r\n", 200,
		0},
	    {"empty", "GET /health HTTP/1.1\r\nHost:\r\n\r\n", 200, 0},
	    {"similar name beside it", GET "Hostess: b\r\n\r\n", 200, 0},
	    {"none", "GET /health HTTP/1.1\r\n\r\n", 400, 0},
	    {"similar name alone", "GET /health HTTP/1.1\r\nHost1: a\r\n\r\n",
		400, 0},
	    {"two", GET "Host: b\r\n\r\n", 400, 0},
	    {"two equal", GET HOST "\r\n", 400, 0},
	    {"comma", "GET /health HTTP/1.1\r\nHost: a,b\r\n\r\n", 400, 0},
	    {"blank", "GET /health HTTP/1.1\r\nHost: a b\r\n\r\n", 400, 0},
	    {"user", "GET /health HTTP/1.1\r\nHost: u@a\r\n\r\n", 400, 0},
	    {"path", "GET /health HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, 0},
	    {"bad port", "GET /health HTTP/1.1\r\nHost: a:b\r\n\r\n", 400, 0},
	    {"absolute target does not replace it",
		"GET http://a/health HTTP/1.1\r\n\r\n", 400, 0},
	};

	FRAMING_TABLE(rows);
}

Test(framing_head, odd_values_elsewhere_fail_nothing)
{
	static const struct framing_row rows[] = {
	    {"empty value", GET "X:\r\nY: \t \r\n\r\n", 200, 0},
	    {"8 bit value", GET "X: \x80\xff\xc3\xa9\r\n\r\n", 200, 0},
	    {"8 bit Referer", GET "Referer: /\xe4\r\n\r\n", 200, 0},
	    {"odd name", GET "!#$%&'*+-.^_`|~: a\r\n\r\n", 200, 0},
	    {"repeated field", GET "X: a\r\nX: b\r\n\r\n", 200, 0},
	    {"colons", GET "X: ::\r\n\r\n", 200, 0},
	    {"odd Connection", GET "Connection: ,x,\r\n\r\n", 200, 0},
	    {"control for the table", GET "X: \x01\r\n\r\n", 400, 0},
	};

	FRAMING_TABLE(rows);
}

/* A guarded route sees its token behind anything else. */
static char *
guarded_request(const char *before, const char *token)
{
	return (text_of("GET /protected HTTP/1.1\r\n" HOST
			"%sAuthorization: Bearer %s\r\n\r\n",
	    before, token));
}

Test(framing_head, token_counts_behind_a_hundred_fields)
{
	static const char *const environment[] = {
	    "JWT_SECRET_KEY=" TOK_SECRET, NULL};
	const struct server_options options = {.environment = environment};
	struct server *s = server_start(&options);
	char *token = tok_good(), *fields, *text;
	struct raw_response answer;
	const char *before[3];
	size_t i;

	fields = text_repeat("X-Forwarded-Something: a value\r\n", 100);
	before[0] = "";
	before[1] = fields;
	before[2] = "X: \xff\xfe\r\nY:\r\n";
	for (i = 0; i < 3; i++) {
		text = guarded_request(before[i], token);
		(void)raw_exchange_text(server_port(s), text, &answer);
		check_member("with token", &answer, 200, "message",
		    "This is a protected route*");
		raw_response_free(&answer);
		free(text);
	}
	text = guarded_request(fields, "a.b.c");
	(void)raw_exchange_text(server_port(s), text, &answer);
	cr_expect_eq(answer.status, 422);
	raw_response_free(&answer);
	free(text);
	free(fields);
	free(token);
	server_stop(s);
}
