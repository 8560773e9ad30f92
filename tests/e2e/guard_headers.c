/*
 * guard_headers.c - section 3.1 of the specification as a table of exact header
 * lines.
 */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "check.h"
#include "guard_rows.h"
#include "suite.h"
#include "tok.h"

#define MISSING "Missing Authorization Header"
#define SCHEME                                                                 \
	"Missing 'Bearer' type in 'Authorization' header. "                    \
	"Expected 'Authorization: Bearer <JWT>'"
#define MALFORMED                                                              \
	"Bad Authorization header. Expected 'Authorization: Bearer <JWT>'"

#define A "Authorization: "
#define E "\r\n"

/* What becomes of a header, and with it its statuses in both dialects. */
enum outcome {
	LET_IN,
	IS_MISSING,   /* 401; 401 with a bare challenge */
	OTHER_SCHEME, /* 401; the same */
	ANY_CASE,     /* 401; let in: a scheme's case does not matter */
	REPEATED,     /* 401; 400 invalid_request */
	IS_MALFORMED, /* 422; 400 invalid_request */
	BAD_TOKEN     /* 422 with any words; 401 invalid_token */
};

/* A $ in the lines stands for a good token. */
static const struct header_row {
	const char *name;
	const char *lines;
	enum outcome outcome;
} rows[] = {
    {"no header", "", IS_MISSING},
    {"empty header", "Authorization:" E, IS_MISSING},
    {"blanks", "Authorization:    " E, IS_MISSING},
    {"tabs", "Authorization:\t\t" E, IS_MISSING},
    {"a comma", A "," E, IS_MISSING},
    {"commas", A ",,," E, IS_MISSING},
    {"commas and blanks", A " , , ,, " E, IS_MISSING},
    {"two empty headers", "Authorization:" E "Authorization:" E, IS_MISSING},
    {"another header", "Proxy-Authorization: Bearer $" E, IS_MISSING},
    {"a header of a longer name", "X-Authorization: Bearer $" E, IS_MISSING},
    {"a header of a shorter name", "Authorizatio: Bearer $" E, IS_MISSING},
    {"a cookie", "Cookie: access_token_cookie=$; jwt=$" E, IS_MISSING},

    {"plain", A "Bearer $" E, LET_IN},
    {"name in lower case", "authorization: Bearer $" E, LET_IN},
    {"name in upper case", "AUTHORIZATION: Bearer $" E, LET_IN},
    {"no blank behind the colon", "Authorization:Bearer $" E, LET_IN},
    {"blanks around", A "  \t Bearer $ \t " E, LET_IN},
    {"two blanks between", A "Bearer  $" E, LET_IN},
    {"a tab between", A "Bearer\t$" E, LET_IN},
    {"blanks and tabs between", A "Bearer \t \t$" E, LET_IN},
    {"comma before", A ",Bearer $" E, LET_IN},
    {"comma and blank before", A ", Bearer $" E, LET_IN},
    {"comma behind", A "Bearer $," E, LET_IN},
    {"blank and comma behind", A "Bearer $ ," E, LET_IN},
    {"commas at both ends", A ",,Bearer $,," E, LET_IN},
    {"another scheme before", A "Basic x, Bearer $" E, LET_IN},
    {"another scheme before, no blank", A "Basic x,Bearer $" E, LET_IN},
    {"another scheme behind", A "Bearer $, Basic x" E, LET_IN},
    {"schemes on both sides", A "Basic x , Bearer $ , Digest a b c" E, LET_IN},
    {"another scheme's header before", A "Basic x" E A "Bearer $" E, LET_IN},
    {"another scheme's header behind", A "Bearer $" E A "Basic x" E, LET_IN},
    {"an empty header before", "Authorization:" E A "Bearer $" E, LET_IN},
    {"an empty header behind", A "Bearer $" E "Authorization:" E, LET_IN},
    {"repeated under names of another case",
	"authorization: Basic x" E "AUTHORIZATION: Bearer $" E, LET_IN},

    {"lower case", A "bearer $" E, ANY_CASE},
    {"upper case", A "BEARER $" E, ANY_CASE},
    {"mixed case", A "bEARER $" E, ANY_CASE},

    {"another scheme", A "JWT $" E, OTHER_SCHEME},
    {"token alone", A "$" E, OTHER_SCHEME},
    {"longer scheme", A "BearerX $" E, OTHER_SCHEME},
    {"shorter scheme", A "Beare $" E, OTHER_SCHEME},
    {"no blank between", A "Bearer$" E, OTHER_SCHEME},
    {"colon between", A "Bearer:$" E, OTHER_SCHEME},
    {"equals sign between", A "Bearer=$" E, OTHER_SCHEME},
    {"Basic alone", A "Basic Y29zbW86c3BhY2UtY29yZ2k=" E, OTHER_SCHEME},
    {"Bearer as the second word", A "x Bearer $" E, OTHER_SCHEME},
    {"quoted", A "\"Bearer $\"" E, OTHER_SCHEME},
    {"no-break space between", A "Bearer\xc2\xa0$" E, OTHER_SCHEME},

    {"twice", A "Bearer $, Bearer $" E, REPEATED},
    {"twice, without a blank", A "Bearer $,Bearer $" E, REPEATED},
    {"twice, with bad ones", A "Bearer a, Bearer b" E, REPEATED},
    {"twice, without a word", A "Bearer, Bearer $" E, REPEATED},
    {"three times", A "Bearer $, Bearer $, Bearer $" E, REPEATED},
    {"two headers", A "Bearer $" E A "Bearer $" E, REPEATED},

    {"scheme alone", A "Bearer" E, IS_MALFORMED},
    {"scheme and a blank", A "Bearer " E, IS_MALFORMED},
    {"three words", A "Bearer $ x" E, IS_MALFORMED},
    {"two tokens", A "Bearer $ $" E, IS_MALFORMED},
    {"the scheme twice before the token", A "Bearer Bearer $" E, IS_MALFORMED},
    {"no word before the comma", A "Bearer, Basic x" E, IS_MALFORMED},
    {"split over two headers", A "Bearer" E A "$" E, IS_MALFORMED},
    {"empty field behind", A "Bearer $,,Basic x" E, IS_MALFORMED},
    {"empty field before", A "Basic x,,Bearer $" E, IS_MALFORMED},
    {"blank field", A "Bearer $, ,Basic x" E, IS_MALFORMED},
    {"tab field", A "Bearer $,\t,Basic x" E, IS_MALFORMED},
    {"empty header between", A "Bearer $" E "Authorization:" E A "Basic x" E,
	IS_MALFORMED},

    {"token in quotes", A "Bearer \"$\"" E, BAD_TOKEN},
    {"token cut by a comma", A "Bearer a,$" E, BAD_TOKEN},
    {"bytes beyond ASCII", A "Bearer \xff\xfe" E, BAD_TOKEN},
    {"a word", A "Bearer null" E, BAD_TOKEN},
};

static char *fill(const char *, const char *);
static void expect_flask(
    const struct header_row *, const struct raw_response *, const char *);
static void expect_rfc(
    const struct header_row *, const struct raw_response *, const char *);

/* A whole request with the lines, and the token for each $. */
static char *
fill(const char *path, const char *lines)
{
	char *token, *out, *bigger;
	size_t n;

	token = tok_good();
	out = text_of("GET %s HTTP/1.1\r\nHost: localhost\r\n", path);
	while (*lines != '\0') {
		n = strcspn(lines, "$");
		bigger = text_of("%s%.*s%s", out, (int)n, lines,
		    lines[n] == '$' ? token : "");
		free(out);
		out = bigger;
		lines += n + (lines[n] == '$');
	}
	bigger = text_of("%s\r\n", out);
	free(out);
	free(token);
	return (bigger);
}

static void
expect_flask(const struct header_row *row, const struct raw_response *answer,
    const char *good)
{
	switch (row->outcome) {
	case LET_IN:
		check_json(row->name, answer, 200, good);
		break;
	case IS_MISSING:
		check_member(row->name, answer, 401, "msg", MISSING);
		check_header(row->name, answer, "www-authenticate", "Bearer");
		break;
	case OTHER_SCHEME:
	case ANY_CASE:
	case REPEATED:
		check_member(row->name, answer, 401, "msg", SCHEME);
		check_header(row->name, answer, "www-authenticate", "Bearer");
		break;
	case IS_MALFORMED:
		check_member(row->name, answer, 422, "msg", MALFORMED);
		break;
	case BAD_TOKEN:
		check_member(row->name, answer, 422, "msg", "*");
		break;
	}
}

static void
expect_rfc(const struct header_row *row, const struct raw_response *answer,
    const char *good)
{
	switch (row->outcome) {
	case LET_IN:
	case ANY_CASE:
		check_json(row->name, answer, 200, good);
		break;
	case IS_MISSING:
		check_problem(row->name, answer, 401, MISSING, "");
		break;
	case OTHER_SCHEME:
		check_problem(row->name, answer, 401, NULL, "");
		break;
	case REPEATED:
	case IS_MALFORMED:
		check_problem(row->name, answer, 400, NULL, "invalid_request");
		break;
	case BAD_TOKEN:
		check_problem(row->name, answer, 401, NULL, "invalid_token");
		break;
	}
}

void
guard_header_rows(int port, bool rfc)
{
	static const char *const paths[] = {"/protected", "/secure-data"};
	static const char *const bodies[] = {PROTECTED_JSON, SECURE_DATA_JSON};
	struct raw_response answer;
	char *request;
	size_t i, p;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (p = 0; p < 2; p++) {
			request = fill(paths[p], rows[i].lines);
			(void)raw_exchange_text(port, request, &answer);
			if (rfc)
				expect_rfc(&rows[i], &answer, bodies[p]);
			else
				expect_flask(&rows[i], &answer, bodies[p]);
			raw_response_free(&answer);
			free(request);
		}
	}
}
