/*
 * check.h - expectations about one answer, reported under the name of a row of
 * a table; the test goes on and fails at its end.
 */
#ifndef CORGI_TEST_CHECK_H
#define CORGI_TEST_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "raw.h"

/*
 * What every answer of the service keeps to, whatever it is: Date, no banner,
 * no Strict-Transport-Security on plain HTTP, JSON (or a problem document)
 * with its exact type wherever there is a body, Allow on 405, a challenge on
 * 401 and nowhere but on refusals, no-store where a token is.
 */
void check_house(const char *row, const struct raw_response *answer);

/* The house rules, the status, and the body as parsed JSON. */
void check_json(const char *row, const struct raw_response *answer, int status,
    const char *json);

/*
 * The house rules, the status, and a body of one member: the text exactly, or
 * with its beginning when text ends in "*".
 */
void check_member(const char *row, const struct raw_response *answer,
    int status, const char *name, const char *text);

/* The house rules, 200, and a body of an access and a refresh token. */
void check_tokens(const char *row, const struct raw_response *answer);

/*
 * The house rules and a problem document (RFC 9457): its five members, status
 * the same as the answer's, detail as in check_member() (NULL: any), and the
 * challenge with that error of RFC 6750 (NULL: none is asked for; "": a bare
 * one).
 */
void check_problem(const char *row, const struct raw_response *answer,
    int status, const char *detail, const char *error);

/* The value of a header, exactly; NULL: it is not there. */
void check_header(const char *row, const struct raw_response *answer,
    const char *name, const char *value);

/* Whether text equals want, or begins with it where want ends in "*". */
bool text_matches(const char *text, const char *want);

#endif
