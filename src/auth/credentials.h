/*
 * credentials.h - the body of POST /login: media type, JSON, schema, in the
 * order and words of marshmallow 3. No HTTP types here. Pure; any thread.
 */
#ifndef CORGI_CREDENTIALS_H
#define CORGI_CREDENTIALS_H

#include "base/errors.h"
#include "base/jdoc.h"
#include "base/secret.h"

struct credentials {
	struct secret username;
	struct secret password;
};

/*
 * Take the credentials out of a request: its Content-Type (NULL when it has
 * none) and its body. ERR_NONE with *out filled (release
 * with credentials_free()); ERR_MEDIA_TYPE; ERR_JSON; ERR_VALIDATION with
 * *errors an object {field: [text]} that the caller frees; ERR_INTERNAL when
 * out of memory.
 */
enum error_code
credentials_read(const char *content_type, const void *body, size_t len,
    struct credentials *out, jdoc **errors) __attribute__((warn_unused_result));

/* Wipe and release. */
void credentials_free(struct credentials *c);

#endif
