/*
 * fuzz_bearer.c - the Authorization header. The first byte chooses the rules,
 * the rest is the value. What is found lies inside the value and is one word.
 */
#include <string.h>

#include "auth/bearer.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct bearer_rules rules[] = {
	    {"Bearer", false}, {"Bearer", true}, {"", false}, {"J", true}};
	const struct bearer_rules *rule;
	const char *value = (const char *)data + 1, *token;
	enum error_code code;
	size_t len;

	if (size == 0)
		return (0);
	rule = &rules[data[0] % 4];
	code = bearer_find(rule, value, size - 1, &token, &len);
	if (code != ERR_NONE) {
		FUZZ_CHECK(token == NULL && len == 0);
		FUZZ_CHECK(code == ERR_AUTH_MISSING ||
		    code == ERR_AUTH_SCHEME || code == ERR_AUTH_REPEATED ||
		    code == ERR_AUTH_MALFORMED);
		return (0);
	}
	FUZZ_CHECK(len > 0 && token >= value);
	FUZZ_CHECK((size_t)(token - value) + len <= size - 1);
	FUZZ_CHECK(memchr(token, ' ', len) == NULL);
	FUZZ_CHECK(memchr(token, '\t', len) == NULL);
	FUZZ_CHECK(rule->type[0] == '\0' || memchr(token, ',', len) == NULL);
	return (0);
}
