/*
 * token_libjwt.h - the one door to libjwt 1.x. Private to auth/token*.c.
 *
 * What its source shows, and what is done about it:
 *
 *  - jwt_decode() takes the algorithm from the token and compares an HMAC
 *    with strcmp(). So the header has been checked against the key before a
 *    token gets here, the HMAC has been compared in constant time, and the
 *    algorithm is asked for once more afterwards.
 *  - It reads base64 leniently and takes repeated members. So a token is
 *    taken apart strictly before it gets here.
 *  - It refuses a "typ" other than JWT, and its JSON reader neither strings
 *    with a NUL nor numbers beyond 64 bits, all of which have to pass.
 *    libjwt_carries() says beforehand whether a token is of that kind; those
 *    few are verified by OpenSSL with the same key.
 *  - It ends text at a NUL and keeps parts on the stack. So lengths are
 *    bounded by TOKEN_MAX.
 *
 * Where libjwt carries a token, its verdict counts: it can refuse what was
 * found good, never the other way round.
 */
#ifndef CORGI_TOKEN_LIBJWT_H
#define CORGI_TOKEN_LIBJWT_H

#include <stdbool.h>
#include <stddef.h>

#include "auth/keys.h"
#include "auth/token_parts.h"

/* Whether libjwt can read this JSON text. In doubt false. */
bool libjwt_carries_json(const void *text, size_t len);

/* Whether libjwt can read a token that is well-formed. In doubt false. */
bool libjwt_carries(const struct token_parts *parts);

/* Whether libjwt finds a token good under the key and its algorithm. */
bool libjwt_accepts(const struct key *k, const char *token, size_t len)
    __attribute__((warn_unused_result));

/*
 * Have libjwt make a token of claims, a JSON object that it carries. NULL
 * when it cannot; free() the result.
 */
char *libjwt_issue(const struct key *k, const char *claims)
    __attribute__((warn_unused_result));

#endif
