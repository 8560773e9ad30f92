/*
 * bearer.h - find the token in the Authorization header (RFC 6750, section
 * 2.1), the way Flask-JWT-Extended does. Pure; any thread.
 */
#ifndef CORGI_BEARER_H
#define CORGI_BEARER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/errors.h"

struct bearer_rules {
	const char *type; /* JWT_HEADER_TYPE; "" for none */
	bool any_case;    /* RFC dialect: "bearer" will do */
};

/*
 * Look at a header value of len bytes (repeated headers joined with ",";
 * NULL when there was none). On success returns ERR_NONE with *token pointing
 * into value, *token_len bytes long. Otherwise the code of the refusal.
 */
enum error_code
bearer_find(const struct bearer_rules *rules, const char *value, size_t len,
    const char **token, size_t *token_len) __attribute__((warn_unused_result));

#endif
