/*
 * The connection front, the body of a request and where it ends: request
 * smuggling, chunks, Expect. No byte of a body is ever read as a request, and
 * none behind it is swallowed.
 */
#include "test_framing.h"

TestSuite(framing_body, .timeout = 90);

#define CHUNKED GET CODING "chunked\r\n\r\n"

/* The end of a head and an empty chunked body; then what another reader would
 * take for a request. */
#define EMPTY   "\r\n\r\n0\r\n\r\n"
#define SMUGGLE EMPTY INNER

Test(framing_body, length_and_coding_together_are_refused)
{
	static const struct framing_row rows[] = {
	    {"length alone", GET LENGTH "5\r\n\r\nhello", 200, 0},
	    {"coding alone", GET CODING "chunked\r\n\r\n0\r\n\r\n", 200, 0},
	    {"CL.TE", GET LENGTH "5\r\n" CODING "chunked" SMUGGLE, 400, 0},
	    {"TE.CL", GET CODING "chunked\r\n" LENGTH "5" SMUGGLE, 400, 0},
	    {"CL 0.TE", GET LENGTH "0\r\n" CODING "chunked" SMUGGLE, 400, 0},
	    {"CL.TE identity", GET LENGTH "5\r\n" CODING "identity" SMUGGLE,
		400, 0},
	    {"CL.TE on POST", POST LENGTH "5\r\n" CODING "chunked" SMUGGLE, 400,
		0},
	};

	FRAMING_TABLE(rows);
}

Test(framing_body, malformed_or_repeated_lengths_are_refused)
{
	static const struct framing_row rows[] = {
	    {"once", GET LENGTH "5\r\n\r\nhello", 200, 0},
	    {"list of equal ones", GET LENGTH "5, 5\r\n\r\nhello", 400, 0},
	    {"equal fields", GET LENGTH "5\r\n" LENGTH "5\r\n\r\nhello", 400,
		0},
	    {"unequal fields", GET LENGTH "5\r\n" LENGTH "0\r\n\r\n" INNER, 400,
		0},
	    {"unequal list", GET LENGTH "0, 5\r\n\r\n" INNER, 400, 0},
	    {"plus", GET LENGTH "+5\r\n\r\nhello", 400, 0},
	    {"minus", GET LENGTH "-5\r\n\r\nhello", 400, 0},
	    {"hexadecimal", GET LENGTH "0x5\r\n\r\nhello", 400, 0},
	    {"fraction", GET LENGTH "5.0\r\n\r\nhello", 400, 0},
	    {"blank inside", GET LENGTH "5 5\r\n\r\nhello", 400, 0},
	    {"empty", GET LENGTH "\r\n\r\nhello", 400, 0},
	    {"letters", GET LENGTH "five\r\n\r\nhello", 400, 0},
	    {"wraps 64 bits", GET LENGTH "18446744073709551621\r\n\r\nhello",
		400, 0},
	    {"blank before colon", GET "Content-Length : 5\r\n\r\nhello", 400,
		0},
	};

	FRAMING_TABLE(rows);
}

Test(framing_body, transfer_coding_other_than_chunked_is_refused)
{
	static const struct framing_row rows[] = {
	    {"any case", GET CODING "CHUNKed" EMPTY, 200, 0},
	    {"blanks around", GET CODING "\t chunked \t" EMPTY, 200, 0},
	    {"prefix", GET CODING "xchunked" SMUGGLE, 400, 0},
	    {"suffix", GET CODING "chunkedx" SMUGGLE, 400, 0},
	    {"not last", GET CODING "chunked, identity" SMUGGLE, 400, 0},
	    {"twice", GET CODING "chunked, chunked" SMUGGLE, 400, 0},
	    {"two fields", GET CODING "chunked\r\n" CODING "identity" SMUGGLE,
		400, 0},
	    {"identity", GET CODING "identity" SMUGGLE, 400, 0},
	    {"empty", GET CODING "" SMUGGLE, 400, 0},
	    {"quoted", GET CODING "\"chunked\"" SMUGGLE, 400, 0},
	    {"vertical tab", GET CODING "\vchunked" SMUGGLE, 400, 0},
	    {"folded", GET CODING "\r\n chunked" SMUGGLE, 400, 0},
	    {"blank before colon", GET "Transfer-Encoding : chunked" SMUGGLE,
		400, 0},
	    {"gzip", GET CODING "gzip, chunked" SMUGGLE, 501, 0},
	    {"HTTP/1.0",
		"GET /health HTTP/1.0\r\n" HOST CODING "chunked" SMUGGLE, 400,
		0},
	};

	FRAMING_TABLE(rows);
}

/* Each body holds what looks like a request; only what follows it is one. */
Test(framing_body, bytes_of_a_body_are_never_a_request)
{
	static const struct {
		const char *name, *text;
	} rows[] = {
	    {"GET with a length", GET LENGTH "40\r\n\r\n" INNER},
	    {"GET with chunks", CHUNKED "28\r\n" INNER "\r\n0\r\n\r\n"},
	    {"DELETE without handler",
		"DELETE /health HTTP/1.1\r\n" HOST LENGTH "40\r\n\r\n" INNER},
	    {"unknown path",
		"PUT /nowhere HTTP/1.1\r\n" HOST LENGTH "40\r\n\r\n" INNER},
	    {"OPTIONS",
		"OPTIONS /login HTTP/1.1\r\n" HOST LENGTH "40\r\n\r\n" INNER},
	    {"login of another type",
		"POST /login HTTP/1.1\r\n" HOST LENGTH "40\r\n\r\n" INNER},
	    {"guarded route",
		"GET /protected HTTP/1.1\r\n" HOST LENGTH "40\r\n\r\n" INNER},
	    {"trailer", CHUNKED "0\r\nX: GET /inner HTTP/1.1\r\n\r\n"},
	};
	struct server *s = server_start(NULL);
	struct raw_response answers[2];
	struct raw *r;
	size_t i, k, n;

	cr_assert_eq(strlen(INNER), 40);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		r = raw_connect(server_port(s));
		(void)raw_send_text(r, rows[i].text);
		(void)raw_send_text(r,
		    "GET /health HTTP/1.1\r\n" HOST
		    "Connection: close\r\n\r\n");
		n = raw_read_many(r, answers, 2);
		cr_expect_eq(n, 2, "%s", rows[i].name);
		if (n == 2)
			check_json(rows[i].name, &answers[1], 200,
			    "{\"status\": \"ok\"}");
		for (k = 0; k < n; k++)
			raw_response_free(&answers[k]);
		framing_closed(rows[i].name, r);
		raw_close(r);
	}
	server_stop(s);
}

Test(framing_body, malformed_chunks_are_refused)
{
	static const struct framing_row rows[] = {
	    {"good", CHUNKED "5\r\nhello\r\n0\r\n\r\n", 200, 0},
	    {"extension", CHUNKED "5;a=\"b\"\r\nhello\r\n0;c\r\n\r\n", 200, 0},
	    {"trailer", CHUNKED "0\r\nX: y\r\n\r\n", 200, 0},
	    {"no size", CHUNKED "\r\nhello\r\n0\r\n\r\n", 400, 0},
	    {"prefix 0x", CHUNKED "0x5\r\nhello\r\n0\r\n\r\n", 400, 0},
	    {"plus", CHUNKED "+5\r\nhello\r\n0\r\n\r\n", 400, 0},
	    {"minus", CHUNKED "-5\r\nhello\r\n0\r\n\r\n", 400, 0},
	    {"blank before", CHUNKED " 5\r\nhello\r\n0\r\n\r\n", 400, 0},
	    {"blank behind", CHUNKED "5 \r\nhello\r\n0\r\n\r\n", 400, 0},
	    {"9 digits", CHUNKED "000000005\r\nhello\r\n0\r\n\r\n", 400, 0},
	    {"LF behind size", CHUNKED "5\nhello\r\n0\r\n\r\n", 400, 0},
	    {"LF in extension", CHUNKED "5;a\nb\r\nhello\r\n0\r\n\r\n", 400, 0},
	    {"longer than said", CHUNKED "4\r\nhello\r\n0\r\n\r\n", 400, 0},
	    {"LF behind data", CHUNKED "5\r\nhello\n0\r\n\r\n", 400, 0},
	    {"folded trailer", CHUNKED "0\r\nX: y\r\n z\r\n\r\n", 400, 0},
	    {"request for a trailer", CHUNKED "0\r\n" INNER, 400, 0},
	};

	FRAMING_TABLE(rows);
}

Test(framing_body, login_in_chunks_is_a_login)
{
	static const char text[] =
	    POST CODING "chunked\r\n\r\n"
			"14\r\n{\"username\": \"cosmo\"\r\n"
			"1\r\n,\r\n"
			"1a;x\r\n\"password\": \"space-corgi\"}\r\n"
			"0\r\n\r\n";
	struct server *s = server_start(NULL);
	struct raw_response answer;

	cr_expect_eq(raw_exchange_text(server_port(s), text, &answer), 200);
	cr_expect_not_null(strstr(answer.body, "access_token"));
	raw_response_free(&answer);
	server_stop(s);
}

Test(framing_body, expectation_is_met_or_refused)
{
	static const struct framing_row rows[] = {
	    {"without a body", GET "Expect: 100-continue\r\n\r\n", 200, 0},
	    {"unknown", GET LENGTH "5\r\nExpect: 200-ok\r\n\r\n", 417, 0},
	    {"too large", GET LENGTH "99999\r\nExpect: 100-continue\r\n\r\n",
		413, 0},
	};

	FRAMING_TABLE(rows);
}

/* A client that waits for the interim answer before it sends its body. */
Test(framing_body, continue_comes_before_the_body)
{
	static const char *const bodies[] = {GET LENGTH
	    "5\r\nExpect: 100-continue\r\n\r\n",
	    "hello", GET CODING "chunked\r\nExpect: 100-CONTINUE\r\n\r\n",
	    "5\r\nhello\r\n0\r\n\r\n"};
	struct server *s = server_start(NULL);
	struct raw *r = raw_connect(server_port(s));
	struct raw_response answer;
	size_t i;

	for (i = 0; i < 4; i += 2) {
		cr_assert(raw_send_text(r, bodies[i]));
		cr_assert_eq(raw_read(r, false, &answer), RAW_OK);
		cr_expect_eq(answer.status, 100);
		raw_response_free(&answer);
		cr_assert(raw_send_text(r, bodies[i + 1]));
		cr_assert_eq(raw_read(r, false, &answer), RAW_OK);
		check_json("answer", &answer, 200, "{\"status\": \"ok\"}");
		raw_response_free(&answer);
	}
	raw_close(r);
	server_stop(s);
}
