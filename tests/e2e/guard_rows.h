/*
 * guard_rows.h - what the guard is shown, and what it must say, as tables: the
 * same decisions in both dialects.
 */
#ifndef CORGI_TEST_GUARD_ROWS_H
#define CORGI_TEST_GUARD_ROWS_H

#include <stdbool.h>

/* How a row's token comes to be. */
enum token_kind {
	TOKEN_MAKE,     /* header and payload are templates; HS256 */
	TOKEN_HS384,    /* the same under HS384 */
	TOKEN_HS512,    /* the same under HS512 */
	TOKEN_UNSIGNED, /* the same with an empty signature */
	TOKEN_FOREIGN,  /* the same under another secret */
	TOKEN_SEAL,     /* header and payload are segments; HS256 */
	TOKEN_TEXT      /* header is the token */
};

struct token_row {
	const char *name;
	enum token_kind kind;
	const char *header;
	const char *payload;
	int status;      /* in the Flask dialect */
	const char *msg; /* the message; "x*": its beginning; NULL with 200 */
};

/* The token of a row; free() it. */
char *token_of(const struct token_row *row);

/* Show a token to both guarded routes and compare with what the dialect says
 * about this outcome. */
void guard_expect(const char *name, int port, bool rfc, const char *token,
    int status, const char *msg);

/* The tables of the specification's sections 3.1, 3.2 and 3.3. */
void guard_header_rows(int port, bool rfc);
void guard_token_rows(int port, bool rfc);
void guard_order_rows(int port, bool rfc);
void guard_strict_rows(int port, bool rfc);

/* One table of the caller's own. */
void guard_rows(int port, bool rfc, const struct token_row *rows, size_t count);

#endif
