/*
 * token_libjwt.h - the one door to libjwt 1.x, which makes the tokens. Private
 * to auth/token*.c.
 *
 * Tokens that come are not given to it. jwt_decode() takes the algorithm from
 * the token, compares an HMAC with strcmp(), reads base64 leniently, takes
 * repeated members and checks no claim, so all of that is done before and
 * without it; and what it would do once more (parse, set the key up, compute
 * the signature) costs more than all the rest. A test holds its verdict
 * against ours.
 *
 * Its JSON reader takes neither strings with a NUL nor numbers beyond 64 bits,
 * and it keeps parts on the stack: libjwt_carries_json() says beforehand
 * whether claims are of that kind; those few tokens are made with OpenSSL and
 * the same key.
 */
#ifndef CORGI_TOKEN_LIBJWT_H
#define CORGI_TOKEN_LIBJWT_H

#include <stdbool.h>
#include <stddef.h>

#include "auth/keys.h"

/* Whether libjwt can read this JSON text. In doubt false. */
bool libjwt_carries_json(const void *text, size_t len);

/*
 * Have libjwt make a token of claims, a JSON object that it carries. NULL
 * when it cannot; free() the result.
 */
char *libjwt_issue(const struct key *k, const char *claims)
    __attribute__((warn_unused_result));

#endif
