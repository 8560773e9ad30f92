/*
 * credentials.h - bodies with a password in them: media type, JSON, schema, in
 * the order and words of marshmallow 3. No HTTP types here. Pure; any thread.
 */
#ifndef CORGI_CREDENTIALS_H
#define CORGI_CREDENTIALS_H

#include <stdbool.h>

#include "base/errors.h"
#include "base/jdoc.h"
#include "base/secret.h"

/* How many fields a schema has. */
#define CREDENTIALS_FIELDS 2

/* A schema: its fields are non-empty strings, and there are no others. */
struct credentials_schema {
	struct {
		const char *name;
		/* Absent, null and "" are taken, too, as an empty value. */
		bool optional;
	} fields[CREDENTIALS_FIELDS];
};

/* {"username", "password"}: to log in, and to register. */
extern const struct credentials_schema credentials_login;

/* {"current_password", "new_password"}: the former is optional here, since its
 * absence is answered in another way than a fault of the form. */
extern const struct credentials_schema credentials_change;

/* The places of those fields among the values. */
enum { CREDENTIALS_USERNAME = 0, CREDENTIALS_PASSWORD = 1 };
enum { CREDENTIALS_CURRENT = 0, CREDENTIALS_NEW = 1 };

struct credentials {
	struct secret values[CREDENTIALS_FIELDS]; /* in the schema's order */
};

/*
 * Take the credentials out of a request: its Content-Type (NULL when it has
 * none) and its body. ERR_NONE with *out filled (release
 * with credentials_free()); ERR_MEDIA_TYPE; ERR_JSON; ERR_VALIDATION with
 * *errors an object {field: [text]} that the caller frees; ERR_INTERNAL when
 * out of memory.
 */
enum error_code credentials_read(const struct credentials_schema *schema,
    const char *content_type, const void *body, size_t len,
    struct credentials *out, jdoc **errors) __attribute__((warn_unused_result));

/* Whether a Content-Type is application/json or application/<anything>+json,
 * with any parameters. */
bool credentials_type_is_json(const char *type);

/* Wipe and release. */
void credentials_free(struct credentials *c);

/* {field: [text]}, for what is found out about a field later on. jdoc_free()
 * it; NULL when out of memory. */
jdoc *credentials_fault(const char *field, const char *text);

#endif
