/*
 * guard_rows.c - section 3.2 and 3.3 of the specification as tables.
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

static void strict_segments(int, bool);

/* Pieces of payloads. */
#define JTI  "\"jti\":\"j\""
#define SUB  "\"sub\":\"cosmo\""
#define EXP  "\"exp\":@+900"
#define TYPE "\"type\":\"access\""
#define BASE SUB "," JTI "," TYPE
#define FULL BASE "," EXP

/* A header with more in it, and one with another alg. */
#define HEADER(more) "{\"alg\":\"HS256\",\"typ\":\"JWT\"," more "}"
#define ALG(alg)     "{\"alg\":" alg ",\"typ\":\"JWT\"}"

/* TOK_HEADER and the object {} as segments. */
#define HEADER_SEGMENT "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
#define EMPTY_SEGMENT  "e30"

#define NOT_ALLOWED "The specified alg value is not allowed"
#define IAT_NUMBER  "Issued At claim (iat) must be an integer."
#define NBF_NUMBER  "Not Before claim (nbf) must be an integer."
#define EXP_NUMBER  "Expiration Time claim (exp) must be an integer."

/* Headers, segments, algorithms: rows 1 to 12. */
static const struct token_row structure_rows[] = {
    {"ordinary token", TOKEN_MAKE, TOK_HEADER, TOK_CLAIMS, 200, NULL},

    {"no dot", TOKEN_TEXT, "abc", NULL, 422, "Not enough segments"},
    {"one dot", TOKEN_TEXT, "abc.def", NULL, 422, "Not enough segments"},
    {"a dot alone", TOKEN_TEXT, ".", NULL, 422, "Not enough segments"},
    {"good segments and one dot", TOKEN_TEXT, HEADER_SEGMENT "." EMPTY_SEGMENT,
	NULL, 422, "Not enough segments"},
    {"bytes beyond ASCII", TOKEN_TEXT, "caf\xc3\xa9", NULL, 422,
	"Not enough segments"},

    {"header of 1 character", TOKEN_TEXT, "a.e30.AAAA", NULL, 422,
	"Invalid header padding"},
    {"header of 5 characters", TOKEN_TEXT, "e30AA.e30.AAAA", NULL, 422,
	"Invalid header padding"},
    {"sealed header of 37 characters", TOKEN_SEAL, HEADER_SEGMENT "A",
	EMPTY_SEGMENT, 422, "Invalid header padding"},

    {"two dots alone", TOKEN_TEXT, "..", NULL, 422, "Invalid header string: *"},
    {"header of words", TOKEN_MAKE, "hello", "{" FULL "}", 422,
	"Invalid header string: *"},
    {"header cut short", TOKEN_MAKE, "{\"alg\":\"HS256\"", "{" FULL "}", 422,
	"Invalid header string: *"},
    {"header with something behind", TOKEN_MAKE, TOK_HEADER "x", "{" FULL "}",
	422, "Invalid header string: *"},
    {"header in overlong UTF-8", TOKEN_MAKE,
	"{\"alg\":\"HS256\",\"x\":\"\xc0\xaf\"}", "{" FULL "}", 422,
	"Invalid header string: *"},
    {"header in invalid UTF-8", TOKEN_MAKE,
	"{\"alg\":\"HS256\",\"x\":\"\xff\"}", "{" FULL "}", 422,
	"Invalid header string: *"},
    {"header an array", TOKEN_MAKE, "[]", "{" FULL "}", 422,
	"Invalid header string: must be a json object"},
    {"header a string", TOKEN_MAKE, "\"HS256\"", "{" FULL "}", 422,
	"Invalid header string: must be a json object"},
    {"header a number", TOKEN_MAKE, "42", "{" FULL "}", 422,
	"Invalid header string: must be a json object"},
    {"header null", TOKEN_MAKE, "null", "{" FULL "}", 422,
	"Invalid header string: must be a json object"},

    {"payload of 1 character", TOKEN_SEAL, HEADER_SEGMENT, "a", 422,
	"Invalid payload padding"},
    {"payload of 5 characters", TOKEN_SEAL, HEADER_SEGMENT, "e30AA", 422,
	"Invalid payload padding"},
    {"signature of 1 character", TOKEN_TEXT,
	HEADER_SEGMENT "." EMPTY_SEGMENT ".A", NULL, 422,
	"Invalid crypto padding"},
    {"signature of 5 characters", TOKEN_TEXT,
	HEADER_SEGMENT "." EMPTY_SEGMENT ".AAAAA", NULL, 422,
	"Invalid crypto padding"},

    {"kid a string", TOKEN_MAKE, HEADER("\"kid\":\"../../x\""), "{" FULL "}",
	200, NULL},
    {"kid empty", TOKEN_MAKE, HEADER("\"kid\":\"\""), "{" FULL "}", 200, NULL},
    {"kid a number", TOKEN_MAKE, HEADER("\"kid\":5"), "{" FULL "}", 422,
	"Key ID header parameter must be a string"},
    {"kid null", TOKEN_MAKE, HEADER("\"kid\":null"), "{" FULL "}", 422,
	"Key ID header parameter must be a string"},
    {"kid an object", TOKEN_MAKE, HEADER("\"kid\":{}"), "{" FULL "}", 422,
	"Key ID header parameter must be a string"},

    {"crit an empty array", TOKEN_MAKE, HEADER("\"crit\":[]"), "{" FULL "}",
	422, "Invalid 'crit' header: must be a non-empty list"},
    {"crit a string", TOKEN_MAKE, HEADER("\"crit\":\"exp\""), "{" FULL "}", 422,
	"Invalid 'crit' header: must be a non-empty list"},
    {"crit null", TOKEN_MAKE, HEADER("\"crit\":null"), "{" FULL "}", 422,
	"Invalid 'crit' header: must be a non-empty list"},
    {"crit an object", TOKEN_MAKE, HEADER("\"crit\":{\"exp\":1}"), "{" FULL "}",
	422, "Invalid 'crit' header: must be a non-empty list"},
    {"crit of a number", TOKEN_MAKE, HEADER("\"crit\":[1]"), "{" FULL "}", 422,
	"Invalid 'crit' header: values must be strings"},
    {"crit of null", TOKEN_MAKE, HEADER("\"crit\":[null]"), "{" FULL "}", 422,
	"Invalid 'crit' header: values must be strings"},
    {"crit of exp", TOKEN_MAKE, HEADER("\"crit\":[\"exp\"],\"exp\":1"),
	"{" FULL "}", 422, "Unsupported critical extension: exp"},
    {"crit of another extension", TOKEN_MAKE,
	HEADER("\"crit\":[\"http://example.com/x\"]"), "{" FULL "}", 422,
	"Unsupported critical extension: http://example.com/x"},

    {"payload of words", TOKEN_MAKE, TOK_HEADER, "hello", 422,
	"Invalid payload string: *"},
    {"payload empty", TOKEN_MAKE, TOK_HEADER, "", 422,
	"Invalid payload string: *"},
    {"payload cut short", TOKEN_MAKE, TOK_HEADER, "{" FULL, 422,
	"Invalid payload string: *"},
    {"payload with a trailing comma", TOKEN_MAKE, TOK_HEADER, "{" FULL ",}",
	422, "Invalid payload string: *"},
    {"payload in invalid UTF-8", TOKEN_MAKE, TOK_HEADER,
	"{" FULL ",\"x\":\"\xff\"}", 422, "Invalid payload string: *"},
    {"payload an array", TOKEN_MAKE, TOK_HEADER, "[1]", 422,
	"Invalid payload string: must be a json object"},
    {"payload a string", TOKEN_MAKE, TOK_HEADER, "\"cosmo\"", 422,
	"Invalid payload string: must be a json object"},
    {"payload null", TOKEN_MAKE, TOK_HEADER, "null", 422,
	"Invalid payload string: must be a json object"},

    {"alg none, unsigned", TOKEN_UNSIGNED, ALG("\"none\""), "{" FULL "}", 422,
	NOT_ALLOWED},
    {"alg none, signed", TOKEN_MAKE, ALG("\"none\""), "{" FULL "}", 422,
	NOT_ALLOWED},
    {"alg None", TOKEN_UNSIGNED, ALG("\"None\""), "{" FULL "}", 422,
	NOT_ALLOWED},
    {"alg NONE", TOKEN_UNSIGNED, ALG("\"NONE\""), "{" FULL "}", 422,
	NOT_ALLOWED},
    {"alg nOnE", TOKEN_UNSIGNED, ALG("\"nOnE\""), "{" FULL "}", 422,
	NOT_ALLOWED},
    {"alg in lower case", TOKEN_MAKE, ALG("\"hs256\""), "{" FULL "}", 422,
	NOT_ALLOWED},
    {"alg with a blank", TOKEN_MAKE, ALG("\"HS256 \""), "{" FULL "}", 422,
	NOT_ALLOWED},
    {"alg with a NUL", TOKEN_MAKE, ALG("\"HS256\\u0000\""), "{" FULL "}", 422,
	NOT_ALLOWED},
    {"alg HS384, signed so", TOKEN_HS384, ALG("\"HS384\""), "{" FULL "}", 422,
	NOT_ALLOWED},
    {"alg HS512, signed so", TOKEN_HS512, ALG("\"HS512\""), "{" FULL "}", 422,
	NOT_ALLOWED},
    {"alg RS256", TOKEN_MAKE, ALG("\"RS256\""), "{" FULL "}", 422, NOT_ALLOWED},
    {"alg ES256", TOKEN_MAKE, ALG("\"ES256\""), "{" FULL "}", 422, NOT_ALLOWED},
    {"alg EdDSA", TOKEN_MAKE, ALG("\"EdDSA\""), "{" FULL "}", 422, NOT_ALLOWED},
    {"alg empty", TOKEN_MAKE, ALG("\"\""), "{" FULL "}", 422, NOT_ALLOWED},
    {"alg a number", TOKEN_MAKE, ALG("256"), "{" FULL "}", 422, NOT_ALLOWED},
    {"alg null", TOKEN_MAKE, ALG("null"), "{" FULL "}", 422, NOT_ALLOWED},
    {"alg true", TOKEN_MAKE, ALG("true"), "{" FULL "}", 422, NOT_ALLOWED},
    {"alg an array", TOKEN_MAKE, ALG("[\"HS256\"]"), "{" FULL "}", 422,
	NOT_ALLOWED},
    {"no alg", TOKEN_MAKE, "{\"typ\":\"JWT\"}", "{" FULL "}", 422,
	"Algorithm not specified"},
    {"empty header object", TOKEN_MAKE, "{}", "{" FULL "}", 422,
	"Algorithm not specified"},
    {"alg in another case of the name", TOKEN_MAKE, "{\"Alg\":\"HS256\"}",
	"{" FULL "}", 422, "Algorithm not specified"},

    {"no signature", TOKEN_UNSIGNED, TOK_HEADER, "{" FULL "}", 422,
	"Signature verification failed"},
    {"another secret", TOKEN_FOREIGN, TOK_HEADER, "{" FULL "}", 422,
	"Signature verification failed"},
    {"HS384 under the name HS256", TOKEN_HS384, TOK_HEADER, "{" FULL "}", 422,
	"Signature verification failed"},
    {"HS512 under the name HS256", TOKEN_HS512, TOK_HEADER, "{" FULL "}", 422,
	"Signature verification failed"},

    {"no typ", TOKEN_MAKE, "{\"alg\":\"HS256\"}", "{" FULL "}", 200, NULL},
    {"another typ", TOKEN_MAKE, "{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}",
	"{" FULL "}", 200, NULL},
    {"typ a number, cty, jku, jwk, x5u, x5c", TOKEN_MAKE,
	"{\"alg\":\"HS256\",\"typ\":5,\"cty\":\"JWT\","
	"\"jku\":\"http://127.0.0.1:9/k\",\"x5u\":\"http://127.0.0.1:9/x\","
	"\"jwk\":{\"kty\":\"oct\",\"k\":\"AAAA\"},\"x5c\":[\"AAAA\"]}",
	"{" FULL "}", 200, NULL},
    {"jwk with a key of its own", TOKEN_FOREIGN,
	HEADER("\"jwk\":{\"kty\":\"oct\",\"k\":\"YW5vdGhlci1zZWNyZXQ\"}"),
	"{" FULL "}", 422, "Signature verification failed"},
};

/* Claims: rows 13 to 20, and what is stricter on purpose. */
static const struct token_row claim_rows[] = {
    {"the least a token needs", TOKEN_MAKE, TOK_HEADER,
	"{" SUB "," JTI "," EXP "}", 200, NULL},

    {"iat a string", TOKEN_MAKE, TOK_HEADER, "{" FULL ",\"iat\":\"@-1\"}", 422,
	IAT_NUMBER},
    {"iat true", TOKEN_MAKE, TOK_HEADER, "{" FULL ",\"iat\":true}", 422,
	IAT_NUMBER},
    {"iat null", TOKEN_MAKE, TOK_HEADER, "{" FULL ",\"iat\":null}", 422,
	IAT_NUMBER},
    {"iat an array", TOKEN_MAKE, TOK_HEADER, "{" FULL ",\"iat\":[1]}", 422,
	IAT_NUMBER},
    {"iat to come", TOKEN_MAKE, TOK_HEADER, "{" FULL ",\"iat\":@+60}", 422,
	"The token is not yet valid (iat)"},
    {"iat beyond 32 bits", TOKEN_MAKE, TOK_HEADER,
	"{" FULL ",\"iat\":4294967297}", 422,
	"The token is not yet valid (iat)"},
    {"iat beyond 64 bits", TOKEN_MAKE, TOK_HEADER,
	"{" FULL ",\"iat\":18446744073709551617}", 422,
	"The token is not yet valid (iat)"},
    {"iat a float in the past", TOKEN_MAKE, TOK_HEADER,
	"{" FULL ",\"iat\":@-2.75}", 200, NULL},
    {"iat negative", TOKEN_MAKE, TOK_HEADER, "{" FULL ",\"iat\":-1}", 200,
	NULL},
    {"iat far below 64 bits", TOKEN_MAKE, TOK_HEADER,
	"{" FULL ",\"iat\":-99999999999999999999}", 200, NULL},

    {"nbf a string", TOKEN_MAKE, TOK_HEADER, "{" FULL ",\"nbf\":\"@-1\"}", 422,
	NBF_NUMBER},
    {"nbf false", TOKEN_MAKE, TOK_HEADER, "{" FULL ",\"nbf\":false}", 422,
	NBF_NUMBER},
    {"nbf null", TOKEN_MAKE, TOK_HEADER, "{" FULL ",\"nbf\":null}", 422,
	NBF_NUMBER},
    {"nbf an object", TOKEN_MAKE, TOK_HEADER, "{" FULL ",\"nbf\":{}}", 422,
	NBF_NUMBER},
    {"nbf to come", TOKEN_MAKE, TOK_HEADER, "{" FULL ",\"nbf\":@+60}", 422,
	"The token is not yet valid (nbf)"},
    {"nbf beyond 32 bits", TOKEN_MAKE, TOK_HEADER,
	"{" FULL ",\"nbf\":4294967297}", 422,
	"The token is not yet valid (nbf)"},
    {"nbf beyond 64 bits", TOKEN_MAKE, TOK_HEADER,
	"{" FULL ",\"nbf\":36893488147419103232}", 422,
	"The token is not yet valid (nbf)"},
    {"nbf a huge float", TOKEN_MAKE, TOK_HEADER, "{" FULL ",\"nbf\":1e300}",
	422, "The token is not yet valid (nbf)"},
    {"nbf a float in the past", TOKEN_MAKE, TOK_HEADER,
	"{" FULL ",\"nbf\":@-2.5}", 200, NULL},

    {"exp a string", TOKEN_MAKE, TOK_HEADER, "{" BASE ",\"exp\":\"@+900\"}",
	422, EXP_NUMBER},
    {"exp true", TOKEN_MAKE, TOK_HEADER, "{" BASE ",\"exp\":true}", 422,
	EXP_NUMBER},
    {"exp null", TOKEN_MAKE, TOK_HEADER, "{" BASE ",\"exp\":null}", 422,
	EXP_NUMBER},
    {"exp an array", TOKEN_MAKE, TOK_HEADER, "{" BASE ",\"exp\":[@+900]}", 422,
	EXP_NUMBER},
    {"exp a float", TOKEN_MAKE, TOK_HEADER, "{" BASE ",\"exp\":@+900.5}", 200,
	NULL},
    {"exp beyond 32 bits", TOKEN_MAKE, TOK_HEADER,
	"{" BASE ",\"exp\":4294967297}", 200, NULL},
    {"exp beyond 64 bits", TOKEN_MAKE, TOK_HEADER,
	"{" BASE ",\"exp\":99999999999999999999}", 200, NULL},
    {"exp 2^64 plus 1", TOKEN_MAKE, TOK_HEADER,
	"{" BASE ",\"exp\":18446744073709551617}", 200, NULL},

    {"sub a number", TOKEN_MAKE, TOK_HEADER, "{\"sub\":5," JTI "," EXP "}", 422,
	"Subject must be a string"},
    {"sub null", TOKEN_MAKE, TOK_HEADER, "{\"sub\":null," JTI "," EXP "}", 422,
	"Subject must be a string"},
    {"sub an array", TOKEN_MAKE, TOK_HEADER,
	"{\"sub\":[\"cosmo\"]," JTI "," EXP "}", 422,
	"Subject must be a string"},
    {"sub true", TOKEN_MAKE, TOK_HEADER, "{\"sub\":true," JTI "," EXP "}", 422,
	"Subject must be a string"},
    {"sub of somebody unknown here", TOKEN_MAKE, TOK_HEADER,
	"{\"sub\":\"n\xc3\xb6\\u0000x\"," JTI "," EXP "}", 200, NULL},
    {"jti a number", TOKEN_MAKE, TOK_HEADER, "{" SUB ",\"jti\":1," EXP "}", 422,
	"JWT ID must be a string"},
    {"jti null", TOKEN_MAKE, TOK_HEADER, "{" SUB ",\"jti\":null," EXP "}", 422,
	"JWT ID must be a string"},

    {"no sub", TOKEN_MAKE, TOK_HEADER, "{" JTI "," EXP "}", 422,
	"Missing claim: sub"},
    {"no sub, expired", TOKEN_MAKE, TOK_HEADER, "{" JTI ",\"exp\":1}", 422,
	"Missing claim: sub"},
    {"no exp", TOKEN_MAKE, TOK_HEADER, "{" BASE "}", 422, "Missing claim: exp"},
    {"no jti", TOKEN_MAKE, TOK_HEADER, "{" SUB "," EXP "}", 422,
	"Missing claim: jti"},
    {"no claims at all", TOKEN_MAKE, TOK_HEADER, "{}", 422, "Missing claim: *"},

    {"expired", TOKEN_MAKE, TOK_HEADER, "{" BASE ",\"exp\":@-1}", 401,
	"Token has expired"},
    {"expires this second", TOKEN_MAKE, TOK_HEADER, "{" BASE ",\"exp\":@+0}",
	401, "Token has expired"},
    {"expired long ago", TOKEN_MAKE, TOK_HEADER, "{" BASE ",\"exp\":1}", 401,
	"Token has expired"},
    {"exp 0", TOKEN_MAKE, TOK_HEADER, "{" BASE ",\"exp\":0}", 401,
	"Token has expired"},
    {"exp negative", TOKEN_MAKE, TOK_HEADER, "{" BASE ",\"exp\":-1}", 401,
	"Token has expired"},
    {"exp far below 64 bits", TOKEN_MAKE, TOK_HEADER,
	"{" BASE ",\"exp\":-99999999999999999999}", 401, "Token has expired"},

    {"a refresh token", TOKEN_MAKE, TOK_HEADER,
	"{" SUB "," JTI "," EXP ",\"type\":\"refresh\"}", 422,
	"Only non-refresh tokens are allowed"},
    {"type in another case", TOKEN_MAKE, TOK_HEADER,
	"{" SUB "," JTI "," EXP ",\"type\":\"Refresh\"}", 200, NULL},

    {"type an array", TOKEN_MAKE, TOK_HEADER,
	"{" SUB "," JTI "," EXP ",\"type\":[\"refresh\"]}", 200, NULL},
    {"type null", TOKEN_MAKE, TOK_HEADER,
	"{" SUB "," JTI "," EXP ",\"type\":null}", 200, NULL},
    {"sub and jti empty", TOKEN_MAKE, TOK_HEADER,
	"{\"sub\":\"\",\"jti\":\"\"," EXP "}", 200, NULL},
    {"a NUL makes another name", TOKEN_MAKE, TOK_HEADER,
	"{\"sub\\u0000\":\"cosmo\"," JTI "," EXP "}", 422,
	"Missing claim: sub"},
    {"white space around", TOKEN_MAKE, " " TOK_HEADER "\n", "\t{" FULL "}\r\n",
	200, NULL},

    {"audience and issuer that nobody asks for", TOKEN_MAKE, TOK_HEADER,
	"{" FULL ",\"aud\":\"x\",\"iss\":\"y\"}", 200, NULL},
    {"unknown claims", TOKEN_MAKE, TOK_HEADER,
	"{" FULL ",\"a\":[1,{}],\"role\":null,\"n\":1e400}", 200, NULL},
};

/* Two faults meet: the earlier one is told. */
static const struct token_row order_rows[] = {
    {"header padding before payload padding", TOKEN_TEXT, "a.a.a", NULL, 422,
	"Invalid header padding"},
    {"header string before payload padding", TOKEN_TEXT, "AAAA.a.a", NULL, 422,
	"Invalid header string: *"},
    {"header object before payload padding", TOKEN_TEXT, "W10.a.a", NULL, 422,
	"Invalid header string: must be a json object"},
    {"payload padding before crypto padding", TOKEN_TEXT, HEADER_SEGMENT ".a.a",
	NULL, 422, "Invalid payload padding"},
    {"crypto padding before kid", TOKEN_TEXT,
	"eyJhbGciOiJIUzI1NiIsImtpZCI6NX0." EMPTY_SEGMENT ".a", NULL, 422,
	"Invalid crypto padding"},
    {"crypto padding before the payload string", TOKEN_TEXT,
	HEADER_SEGMENT ".AAAA.a", NULL, 422, "Invalid crypto padding"},
    {"kid before crit", TOKEN_MAKE, HEADER("\"crit\":[],\"kid\":5"),
	"{" FULL "}", 422, "Key ID header parameter must be a string"},
    {"crit before the payload string", TOKEN_MAKE, HEADER("\"crit\":[\"x\"]"),
	"{", 422, "Unsupported critical extension: x"},
    {"crit before alg", TOKEN_MAKE, "{\"alg\":\"none\",\"crit\":[\"x\"]}",
	"{" FULL "}", 422, "Unsupported critical extension: x"},
    {"payload string before alg", TOKEN_MAKE, ALG("\"none\""), "{", 422,
	"Invalid payload string: *"},
    {"payload object before alg", TOKEN_MAKE, ALG("\"none\""), "[]", 422,
	"Invalid payload string: must be a json object"},
    {"alg before signature", TOKEN_FOREIGN, ALG("\"HS384\""), "{" FULL "}", 422,
	NOT_ALLOWED},
    {"signature before claims", TOKEN_FOREIGN, TOK_HEADER,
	"{\"exp\":1,\"iat\":\"x\"}", 422, "Signature verification failed"},
    {"iat before nbf", TOKEN_MAKE, TOK_HEADER,
	"{" FULL ",\"nbf\":\"x\",\"iat\":@+60}", 422,
	"The token is not yet valid (iat)"},
    {"nbf before exp", TOKEN_MAKE, TOK_HEADER,
	"{" BASE ",\"exp\":\"x\",\"nbf\":@+60}", 422,
	"The token is not yet valid (nbf)"},
    {"exp's type before sub", TOKEN_MAKE, TOK_HEADER,
	"{\"sub\":5," JTI ",\"exp\":\"x\"}", 422, EXP_NUMBER},
    {"sub before jti", TOKEN_MAKE, TOK_HEADER, "{\"sub\":5,\"jti\":5," EXP "}",
	422, "Subject must be a string"},
    {"jti's type before sub missing", TOKEN_MAKE, TOK_HEADER,
	"{\"jti\":5," EXP "}", 422, "JWT ID must be a string"},
    {"sub's type before expired", TOKEN_MAKE, TOK_HEADER,
	"{\"sub\":5," JTI ",\"exp\":1}", 422, "Subject must be a string"},
    {"expired before refresh", TOKEN_MAKE, TOK_HEADER,
	"{" SUB "," JTI ",\"exp\":1,\"type\":\"refresh\"}", 401,
	"Token has expired"},
};

/* Section 3.3. Which words are used is left open where several fit. */
static const struct token_row strict_rows[] = {
    {"exp without end", TOKEN_MAKE, TOK_HEADER, "{" BASE ",\"exp\":1e400}", 422,
	"*"},
    {"iat without end", TOKEN_MAKE, TOK_HEADER, "{" FULL ",\"iat\":-1e400}",
	422, IAT_NUMBER},
    {"nbf without end", TOKEN_MAKE, TOK_HEADER, "{" FULL ",\"nbf\":1e400}", 422,
	"*"},
    {"NaN for a claim", TOKEN_MAKE, TOK_HEADER, "{" FULL ",\"x\":NaN}", 422,
	"Invalid payload string: *"},
    {"byte order mark", TOKEN_MAKE, "\xef\xbb\xbf" TOK_HEADER, "{" FULL "}",
	422, "Invalid header string: *"},
    {"alg twice", TOKEN_MAKE, "{\"alg\":\"HS256\",\"alg\":\"HS256\"}",
	"{" FULL "}", 422, "*"},
    {"alg none, then HS256", TOKEN_MAKE, "{\"alg\":\"none\",\"alg\":\"HS256\"}",
	"{" FULL "}", 422, "*"},
    {"sub twice", TOKEN_MAKE, TOK_HEADER, "{" SUB "," FULL "}", 422, "*"},
    {"exp twice, the last one good", TOKEN_MAKE, TOK_HEADER,
	"{\"exp\":1," FULL "}", 422, "*"},
    {"a member twice, written in two ways", TOKEN_MAKE, TOK_HEADER,
	"{" FULL ",\"\\u0073ub\":\"root\"}", 422, "*"},
    {"three dots", TOKEN_TEXT,
	HEADER_SEGMENT "." EMPTY_SEGMENT "." EMPTY_SEGMENT ".AAAA", NULL, 422,
	"*"},
};

/*
 * Good segments with one change that a lenient decoder would not mind: nothing
 * else is wrong with any of these tokens.
 */
static void
strict_segments(int port, bool rfc)
{
	static const struct {
		const char *name;
		const char *before; /* the segment */
		const char *behind;
		int bump; /* of its last letter */
	} changes[] = {
	    {"untouched", "", "", 0},
	    {"padded", "", "=", 0},
	    {"padded twice", "", "==", 0},
	    {"foreign byte behind", "", "!", 0},
	    {"foreign byte before", "!", "", 0},
	    {"percent sign", "%", "", 0},
	    {"bytes beyond ASCII", "", "\xc3\xa9", 0},
	    {"unused bits set", "", "", 1},
	};
	char *header, *text, *payload, *changed, *token;
	size_t i;

	/* Both leave unused bits in their last letter. */
	header = tok_encode("{\"alg\":\"HS256\",\"ab\":1}", 22);
	text = text_of("{\"sub\":\"cosmo\",\"jti\":\"j\",\"exp\":9999999999}");
	while (strlen(text) % 3 != 1) {
		changed = text_of(" %s", text);
		free(text);
		text = changed;
	}
	payload = tok_encode(text, strlen(text));
	for (i = 0; i < COUNT(changes); i++) {
		changed = text_of(
		    "%s%s%s", changes[i].before, payload, changes[i].behind);
		changed[strlen(changed) - 1] += (char)changes[i].bump;
		token = tok_seal(header, changed, TOK_SECRET);
		guard_expect(changes[i].name, port, rfc, token,
		    i == 0 ? 200 : 422, i == 0 ? NULL : "*");
		free(token);
		free(changed);
		changed = text_of(
		    "%s%s%s", changes[i].before, header, changes[i].behind);
		changed[strlen(changed) - 1] += (char)changes[i].bump;
		token = tok_seal(changed, payload, TOK_SECRET);
		guard_expect(changes[i].name, port, rfc, token,
		    i == 0 ? 200 : 422, i == 0 ? NULL : "*");
		free(token);
		free(changed);
	}
	free(header);
	free(text);
	free(payload);
}

char *
token_of(const struct token_row *row)
{
	char *made, *cut;

	switch (row->kind) {
	case TOKEN_MAKE:
		return (tok_make(row->header, row->payload, TOK_SECRET));
	case TOKEN_HS384:
		return (tok_make_alg(
		    row->header, row->payload, TOK_SECRET, "HS384"));
	case TOKEN_HS512:
		return (tok_make_alg(
		    row->header, row->payload, TOK_SECRET, "HS512"));
	case TOKEN_FOREIGN:
		return (tok_make(row->header, row->payload, "another-secret"));
	case TOKEN_SEAL:
		return (tok_seal(row->header, row->payload, TOK_SECRET));
	case TOKEN_UNSIGNED:
		made = tok_make(row->header, row->payload, TOK_SECRET);
		cut = strrchr(made, '.');
		cut[1] = '\0';
		return (made);
	case TOKEN_TEXT:
		break;
	}
	return (strdup(row->header));
}

/* In the RFC dialect every fault of a token is 401 invalid_token. */
void
guard_expect(const char *name, int port, bool rfc, const char *token,
    int status, const char *msg)
{
	static const char *const paths[] = {"/protected", "/secure-data"};
	static const char *const bodies[] = {PROTECTED_JSON, SECURE_DATA_JSON};
	struct raw_response answer;
	size_t i;

	for (i = 0; i < COUNT(paths); i++) {
		(void)http_get_token(port, paths[i], token, &answer);
		if (status == 200)
			check_json(name, &answer, 200, bodies[i]);
		else if (rfc)
			check_problem(name, &answer, 401, msg, "invalid_token");
		else
			check_member(name, &answer, status, "msg", msg);
		raw_response_free(&answer);
	}
}

void
guard_rows(int port, bool rfc, const struct token_row *rows, size_t count)
{
	char *token;
	size_t i;

	for (i = 0; i < count; i++) {
		token = token_of(&rows[i]);
		guard_expect(rows[i].name, port, rfc, token, rows[i].status,
		    rows[i].msg);
		free(token);
	}
}

void
guard_token_rows(int port, bool rfc)
{
	guard_rows(port, rfc, structure_rows, COUNT(structure_rows));
	guard_rows(port, rfc, claim_rows, COUNT(claim_rows));
}

void
guard_order_rows(int port, bool rfc)
{
	guard_rows(port, rfc, order_rows, COUNT(order_rows));
}

void
guard_strict_rows(int port, bool rfc)
{
	guard_rows(port, rfc, strict_rows, COUNT(strict_rows));
	strict_segments(port, rfc);
}
