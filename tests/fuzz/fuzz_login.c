/*
 * fuzz_login.c - the body of a login. The input up to the first NUL is the
 * Content-Type, the rest the body. Whatever comes is either credentials that
 * keep the schema's rules, or a refusal with its reasons.
 */
#include <string.h>

#include "auth/credentials.h"
#include "fuzz.h"

static void
check_taken(const struct credentials *c)
{
	FUZZ_CHECK(c->username.len > 0 && c->password.len > 0);
	FUZZ_CHECK(utf8_valid(c->username.data, c->username.len));
	FUZZ_CHECK(utf8_valid(c->password.data, c->password.len));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct credentials credentials;
	enum error_code code;
	const uint8_t *nul;
	jdoc *errors;
	char *type;
	size_t len;

	nul = memchr(data, '\0', size);
	if (nul == NULL)
		return (0);
	len = (size_t)(nul - data);
	type = strndup((const char *)data, len);
	FUZZ_CHECK(type != NULL);
	jdoc_init();
	code = credentials_read(
	    type, nul + 1, size - len - 1, &credentials, &errors);
	switch (code) {
	case ERR_NONE:
		check_taken(&credentials);
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
	free(type);
	return (0);
}
