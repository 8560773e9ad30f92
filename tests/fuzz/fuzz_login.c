/*
 * fuzz_login.c - the body of a login, and of a change of password. The input up
 * to the first NUL is the Content-Type, the rest the body. Whatever comes is
 * either credentials that keep the schema's rules, or a refusal with its
 * reasons.
 */
#include <stdlib.h>
#include <string.h>

#include "auth/credentials.h"
#include "fuzz.h"

static void
check_taken(
    const struct credentials_schema *schema, const struct credentials *c)
{
	size_t i;

	for (i = 0; i < CREDENTIALS_FIELDS; i++) {
		FUZZ_CHECK(c->values[i].len > 0 || schema->fields[i].optional);
		FUZZ_CHECK(c->values[i].len == 0 ||
		    utf8_valid(c->values[i].data, c->values[i].len));
	}
}

static void
check_schema(const struct credentials_schema *schema, const char *type,
    const uint8_t *body, size_t len)
{
	struct credentials credentials;
	enum error_code code;
	jdoc *errors;

	code = credentials_read(schema, type, body, len, &credentials, &errors);
	switch (code) {
	case ERR_NONE:
		check_taken(schema, &credentials);
		break;
	case ERR_VALIDATION:
		FUZZ_CHECK(jdoc_count(errors) > 0);
		break;
	default:
		FUZZ_CHECK(code == ERR_MEDIA_TYPE || code == ERR_JSON);
	}
	FUZZ_CHECK((errors != NULL) == (code == ERR_VALIDATION));
	credentials_free(&credentials);
	jdoc_free(errors);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul;
	char *type;
	size_t len;

	nul = memchr(data, '\0', size);
	if (nul == NULL)
		return (0);
	len = (size_t)(nul - data);
	type = strndup((const char *)data, len);
	FUZZ_CHECK(type != NULL);
	jdoc_init();
	check_schema(&credentials_login, type, nul + 1, size - len - 1);
	check_schema(&credentials_change, type, nul + 1, size - len - 1);
	free(type);
	return (0);
}
