/*
 * test_h1_head.c - request lines and header lines: what is taken, what is
 * refused, and what the request then says.
 */
#include "test_h1.h"

#define BAD ERR_BAD_REQUEST

Test(h1_head, request_line_has_exactly_one_form)
{
	static const struct h1_case cases[] = {
	    {"plain", H1_GET "\r\n", ERR_NONE, 0},
	    {"query", "GET /a?b=c HTTP/1.1\r\nHost: a\r\n\r\n", ERR_NONE, 0},
	    {"own method", "F-o_o! / HTTP/1.1\r\nHost: a\r\n\r\n", ERR_NONE, 0},
	    {"method of 32",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1\r\n"
		"Host: a\r\n\r\n",
		ERR_NONE, 0},
	    {"method of 33", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1\r\n",
		BAD, 0},
	    {"no method", " / HTTP/1.1\r\n", BAD, 0},
	    {"comma in method", "GE,T / HTTP/1.1\r\n", BAD, 0},
	    {"8 bit method", "G\xc3\xa9T / HTTP/1.1\r\n", BAD, 0},
	    {"two blanks before the target", "GET  / HTTP/1.1\r\n", BAD, 0},
	    {"two blanks before the version", "GET /  HTTP/1.1\r\n", BAD, 0},
	    {"blank behind the version", "GET / HTTP/1.1 \r\n", BAD, 0},
	    {"tab for a blank", "GET\t/ HTTP/1.1\r\n", BAD, 0},
	    {"tab before the version", "GET /\tHTTP/1.1\r\n", BAD, 0},
	    {"leading blank", " GET / HTTP/1.1\r\n", BAD, 0},
	    {"no version", "GET /\r\n", BAD, 0},
	    {"no target", "GET HTTP/1.1\r\n", BAD, 0},
	    {"method alone", "GET\r\n", BAD, 0},
	    {"NUL in the target", "GET /\0 HTTP/1.1\r\n", BAD, 17},
	    {"8 bit target", "GET /\xc3\xa9 HTTP/1.1\r\n", BAD, 0},
	    {"DEL in the target", "GET /\x7f HTTP/1.1\r\n", BAD, 0},
	    {"fragment", "GET /a#b HTTP/1.1\r\n", BAD, 0},
	};

	H1_CHECK(cases);
}

Test(h1_head, version_is_checked_to_the_byte)
{
	static const struct h1_case cases[] = {
	    {"1.1", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", ERR_NONE, 0},
	    {"1.0", "GET / HTTP/1.0\r\n\r\n", ERR_NONE, 0},
	    {"1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", ERR_NONE, 0},
	    {"1.9", "GET / HTTP/1.9\r\nHost: a\r\n\r\n", ERR_NONE, 0},
	    {"2.0", "GET / HTTP/2.0\r\n", ERR_HTTP_VERSION, 0},
	    {"0.9", "GET / HTTP/0.9\r\n", ERR_HTTP_VERSION, 0},
	    {"HTTP/2 preface", "PRI * HTTP/2.0\r\n", ERR_HTTP_VERSION, 0},
	    {"lower case", "GET / http/1.1\r\n", BAD, 0},
	    {"two digits", "GET / HTTP/1.10\r\n", BAD, 0},
	    {"two major digits", "GET / HTTP/11.1\r\n", BAD, 0},
	    {"leading zero", "GET / HTTP/01.1\r\n", BAD, 0},
	    {"no minor", "GET / HTTP/1\r\n", BAD, 0},
	    {"dot alone", "GET / HTTP/1.\r\n", BAD, 0},
	    {"comma", "GET / HTTP/1,1\r\n", BAD, 0},
	    {"letter", "GET / HTTP/x.1\r\n", BAD, 0},
	    {"other protocol", "GET / HTTQ/1.1\r\n", BAD, 0},
	    {"nothing", "GET / \r\n", BAD, 0},
	};

	H1_CHECK(cases);
}

Test(h1_head, later_minor_versions_are_taken_as_1_1)
{
	const struct h1_request *r;
	h1_parser *p;

	r = h1_taken("GET / HTTP/1.0\r\n\r\n", &p);
	cr_expect_eq(r->minor, 0);
	cr_expect_str_eq(r->host, "");
	h1_free(p);
	r = h1_taken("GET / HTTP/1.9\r\nHost: a\r\n\r\n", &p);
	cr_expect_eq(r->minor, 1);
	h1_free(p);
}

Test(h1_head, each_method_has_its_forms_of_target)
{
	static const struct h1_case cases[] = {
	    {"star", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", ERR_NONE, 0},
	    {"star for GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", BAD, 0},
	    {"two stars", "OPTIONS ** HTTP/1.1\r\nHost: a\r\n\r\n", BAD, 0},
	    {"star and path", "OPTIONS */a HTTP/1.1\r\n", BAD, 0},
	    {"authority", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", ERR_NONE,
		0},
	    {"authority for GET", "GET a:1 HTTP/1.1\r\n", BAD, 0},
	    {"authority without port", "CONNECT a HTTP/1.1\r\n", BAD, 0},
	    {"authority with empty port", "CONNECT a: HTTP/1.1\r\n", BAD, 0},
	    {"CONNECT and absolute", "CONNECT http://a/ HTTP/1.1\r\n", BAD, 0},
	    {"no slash", "GET index.html HTTP/1.1\r\n", BAD, 0},
	    {"query alone", "GET ?a HTTP/1.1\r\n", BAD, 0},
	    {"absolute", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", ERR_NONE,
		0},
	    {"absolute without Host", "GET http://b/ HTTP/1.1\r\n\r\n", BAD, 0},
	    {"other scheme", "GET ftp://b/ HTTP/1.1\r\n", BAD, 0},
	    {"no host", "GET http:///a HTTP/1.1\r\n", BAD, 0},
	    {"port alone", "GET http://:80/ HTTP/1.1\r\n", BAD, 0},
	    {"one slash", "GET http:/b HTTP/1.1\r\n", BAD, 0},
	    {"user", "GET http://u@b/ HTTP/1.1\r\n", BAD, 0},
	    {"letters in port", "GET http://b:8x/ HTTP/1.1\r\n", BAD, 0},
	    {"port of 6 digits", "GET http://b:123456/ HTTP/1.1\r\n", BAD, 0},
	    {"backslash in host", "GET http://b\\c/ HTTP/1.1\r\n", BAD, 0},
	};

	H1_CHECK(cases);
}

Test(h1_head, absolute_target_is_cut_down)
{
	static const struct {
		const char *sent, *target, *host;
	} rows[] = {
	    {"/x?y=http://z/", "/x?y=http://z/", "a"},
	    {"//x//", "//x//", "a"},
	    {"http://b/p?q", "/p?q", "b"},
	    {"http://b", "/", "b"},
	    {"http://b?q", "/?q", "b"},
	    {"HTTP://B:80/", "/", "B:80"},
	    {"https://b.c:8443/d/e", "/d/e", "b.c:8443"},
	    {"http://[::1]:8/x", "/x", "[::1]:8"},
	};
	const struct h1_request *r;
	char text[256];
	h1_parser *p;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text),
		    "GET %s HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n", rows[i].sent);
		r = h1_taken(text, &p);
		cr_expect_str_eq(r->target, rows[i].target);
		cr_expect_str_eq(r->host, rows[i].host);
		cr_expect_str_eq(r->method, "GET");
		cr_expect_eq(r->nfields, 2);
		cr_expect_str_eq(r->fields[1].value, "y");
		h1_free(p);
	}
}

Test(h1_head, field_lines_have_exactly_one_form)
{
	static const struct h1_case cases[] = {
	    {"usual", H1_GET "X-A: b\r\n\r\n", ERR_NONE, 0},
	    {"no blank", H1_GET "X-A:b\r\n\r\n", ERR_NONE, 0},
	    {"odd name", H1_GET "!#$%&'*+-.^_`|~09azAZ: b\r\n\r\n", ERR_NONE,
		0},
	    {"colons in value", H1_GET "X: :a:b:\r\n\r\n", ERR_NONE, 0},
	    {"blank before colon", H1_GET "X-A : b\r\n\r\n", BAD, 0},
	    {"tab before colon", H1_GET "X-A\t: b\r\n\r\n", BAD, 0},
	    {"empty name", H1_GET ": b\r\n\r\n", BAD, 0},
	    {"no colon", H1_GET "X-A\r\n\r\n", BAD, 0},
	    {"blank in name", H1_GET "X A: b\r\n\r\n", BAD, 0},
	    {"folded with a blank", H1_GET "X: b\r\n c\r\n\r\n", BAD, 0},
	    {"folded with a tab", H1_GET "X: b\r\n\tc\r\n\r\n", BAD, 0},
	    {"blank before the first", "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
		BAD, 0},
	    {"tab before the first", "GET / HTTP/1.1\r\n\tHost: a\r\n\r\n", BAD,
		0},
	    {"parenthesis in name", H1_GET "X(: b\r\n\r\n", BAD, 0},
	    {"8 bit name", H1_GET "\xc3\xa9: b\r\n\r\n", BAD, 0},
	    {"NUL in name", H1_GET "X\0: b\r\n\r\n", BAD, 34},
	};

	H1_CHECK(cases);
}

Test(h1_head, line_ends_are_cr_lf_and_nothing_else)
{
	static const struct h1_case cases[] = {
	    {"CR LF", H1_GET "\r\n", ERR_NONE, 0},
	    {"LF behind the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n",
		BAD, 0},
	    {"LF behind a field", "GET / HTTP/1.1\r\nHost: a\n\r\n", BAD, 0},
	    {"LF at the end", H1_GET "\n", BAD, 0},
	    {"LF before the request", "\n" H1_GET "\r\n", BAD, 0},
	    {"LF for all", "GET / HTTP/1.1\nHost: a\n\n", BAD, 0},
	    {"CR behind the request line", "GET / HTTP/1.1\rHost: a\r\n\r\n",
		BAD, 0},
	    {"CR in a value", H1_GET "X: a\rb\r\n\r\n", BAD, 0},
	    {"CR in a name", H1_GET "X\r: b\r\n\r\n", BAD, 0},
	    {"CR CR LF", H1_GET "X: a\r\r\n\r\n", BAD, 0},
	    {"CR at the end", H1_GET "\rX", BAD, 0},
	    {"four empty lines first", "\r\n\r\n\r\n\r\n" H1_GET "\r\n",
		ERR_NONE, 0},
	    {"five empty lines first", "\r\n\r\n\r\n\r\n\r\n" H1_GET "\r\n",
		BAD, 0},
	    {"CR alone first", "\rGET / HTTP/1.1\r\n", BAD, 0},
	};

	H1_CHECK(cases);
}

Test(h1_head, every_byte_of_a_value_is_judged)
{
	char text[64];
	bool fine;
	h1_parser *p;
	int c, n;

	for (c = 0; c < 256; c++) {
		n = snprintf(text, sizeof(text), H1_GET "X: a%cb\r\n\r\n", c);
		p = h1_new(&h1_usual);
		cr_assert_not_null(p);
		h1_feed(p, text, (size_t)n);
		fine = c == '\t' || (c >= 0x20 && c != 0x7f);
		cr_expect_eq(
		    h1_state(p), fine ? H1_DONE : H1_ERROR, "byte %d", c);
		h1_free(p);
	}
}

Test(h1_head, host_is_there_once_and_sane)
{
	static const struct h1_case cases[] = {
	    {"1.1 with", "GET / HTTP/1.1\r\nhOST: a.b:80\r\n\r\n", ERR_NONE, 0},
	    {"1.1 without", "GET / HTTP/1.1\r\n\r\n", BAD, 0},
	    {"1.0 without", "GET / HTTP/1.0\r\n\r\n", ERR_NONE, 0},
	    {"two", H1_GET "Host: b\r\n\r\n", BAD, 0},
	    {"two equal", H1_GET "Host: a\r\n\r\n", BAD, 0},
	    {"two in 1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", BAD,
		0},
	    {"empty", "GET / HTTP/1.1\r\nHost:\r\n\r\n", ERR_NONE, 0},
	    {"similar name", "GET / HTTP/1.1\r\nHost2: a\r\n\r\n", BAD, 0},
	    {"IPv6", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", ERR_NONE, 0},
	    {"IPv6 open", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", BAD, 0},
	    {"IPv6 empty", "GET / HTTP/1.1\r\nHost: []\r\n\r\n", BAD, 0},
	    {"IPv6 and more", "GET / HTTP/1.1\r\nHost: [::1]a\r\n\r\n", BAD, 0},
	    {"blank", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", BAD, 0},
	    {"comma", "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", BAD, 0},
	    {"slash", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", BAD, 0},
	    {"user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", BAD, 0},
	    {"8 bit", "GET / HTTP/1.1\r\nHost: \xc3\xa9\r\n\r\n", BAD, 0},
	    {"two ports", "GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n", BAD, 0},
	    {"bad port", "GET / HTTP/1.1\r\nHost: a:http\r\n\r\n", BAD, 0},
	};

	H1_CHECK(cases);
}

Test(h1_head, fields_are_trimmed_and_keep_their_order)
{
	static const struct {
		const char *name, *value;
	} want[] = {
	    {"Host", "a"},
	    {"Empty", ""},
	    {"Blanks", ""},
	    {"Inner", "a \t b"},
	    {"High", "\xff\x80"},
	    {"Empty", "again"},
	};
	const struct h1_request *r;
	h1_parser *p;
	size_t i;

	r = h1_taken(H1_GET "Empty:\r\nBlanks: \t \r\nInner:\t a \t b \t\r\n"
			    "High: \xff\x80\r\nEmpty: again\r\n\r\n",
	    &p);
	cr_assert_eq(r->nfields, sizeof(want) / sizeof(want[0]));
	for (i = 0; i < r->nfields; i++) {
		cr_expect_str_eq(r->fields[i].name, want[i].name);
		cr_expect_str_eq(r->fields[i].value, want[i].value);
		cr_expect_eq(r->fields[i].name_len, strlen(want[i].name));
		cr_expect_eq(r->fields[i].value_len, strlen(want[i].value));
	}
	cr_expect_eq(h1_find(r, "eMPTY"), &r->fields[1]);
	cr_expect_null(h1_find(r, "Empt"));
	cr_expect_eq(r->body_len, 0);
	cr_expect_not_null(r->body);
	h1_free(p);
}

Test(h1_head, repeated_fields_are_joined_in_order)
{
	const struct h1_request *r;
	const char *text;
	h1_parser *p;
	char *joined;
	size_t len;

	r = h1_taken(H1_GET "A: 1\r\nB: x\r\na:\r\nA: 3\r\n\r\n", &p);
	text = h1_join(r, "A", &len, &joined);
	cr_assert_str_eq(text, "1,,3");
	cr_expect_eq(len, 4);
	cr_expect_eq(text, joined);
	free(joined);
	text = h1_join(r, "b", &len, &joined);
	cr_expect_eq(text, r->fields[2].value);
	cr_expect_eq(len, 1);
	cr_expect_null(joined);
	cr_expect_null(h1_join(r, "C", &len, &joined));
	cr_expect_null(joined);
	h1_free(p);
}

Test(h1_head, connection_says_whether_more_may_follow)
{
	static const struct {
		const char *head;
		bool keep;
	} rows[] = {
	    {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true},
	    {H1_GET "Connection: keep-alive\r\n\r\n", true},
	    {H1_GET "Connection: close\r\n\r\n", false},
	    {H1_GET "Connection: a,\tCLOSE ,b\r\n\r\n", false},
	    {H1_GET "Connection: x\r\nconnection: Close\r\n\r\n", false},
	    {H1_GET "Connection: keep-alive, close\r\n\r\n", false},
	    {H1_GET "Connection: closed, not-close\r\n\r\n", true},
	    {H1_GET "Connection: ,,\r\n\r\n", true},
	    {H1_GET "Connection:\r\n\r\n", true},
	    {"GET / HTTP/1.0\r\n\r\n", false},
	    {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", false},
	};
	const struct h1_request *r;
	h1_parser *p;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		r = h1_taken(rows[i].head, &p);
		cr_expect_eq(r->keep_alive, rows[i].keep, "row %zu", i);
		h1_free(p);
	}
}
