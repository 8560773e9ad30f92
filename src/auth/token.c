#include <stdlib.h>
#include <string.h>

#include "auth/signature.h"
#include "auth/token.h"
#include "auth/token_claims.h"
#include "auth/token_parts.h"

static enum error_code check_algorithm(
    const struct key *k, const struct token_parts *parts, struct fault *fault);
static jdoc *describe_part(const char *segment, size_t len);

/* Row 11: the algorithm is the key's, whatever else the token would like
 * (RFC 8725, section 3.1). */
static enum error_code
check_algorithm(
    const struct key *k, const struct token_parts *parts, struct fault *fault)
{
	const jdoc *alg;
	const char *name;
	size_t len;

	if (parts->plain_header)
		return (ERR_NONE);
	alg = jdoc_member(parts->header, "alg");
	if (alg == NULL)
		return (fault_set(fault, ERR_TOKEN_ALG_MISSING, NULL));
	name = jdoc_string(alg, &len);
	if (name == NULL || len != strlen(key_algorithm(k)) ||
	    memcmp(name, key_algorithm(k), len) != 0)
		return (fault_set(fault, ERR_TOKEN_ALG, NULL));
	return (ERR_NONE);
}

enum error_code
token_verify(const struct token_policy *policy, unsigned int kinds,
    const char *token, size_t len, struct claims **out, struct fault *fault)
{
	struct token_parts parts;
	enum error_code code;

	*out = NULL;
	if (len > TOKEN_MAX)
		return (fault_set(fault, ERR_HEAD_TOO_LARGE, NULL));
	code = token_parts_read(&parts, policy->key, token, len, fault);
	if (code == ERR_NONE)
		code = check_algorithm(policy->key, &parts, fault);
	if (code == ERR_NONE &&
	    !signature_fits(policy->key, token, parts.signed_len,
		parts.signature.data, parts.signature.len))
		code = fault_set(fault, ERR_TOKEN_SIGNATURE, NULL);
	if (code == ERR_NONE)
		code = token_claims_check(policy, kinds, parts.payload, fault);
	if (code == ERR_NONE) {
		*out = claims_new(policy, parts.payload,
		    parts.payload_text.data, parts.payload_text.len);
		if (*out == NULL)
			code = fault_set(fault, ERR_INTERNAL, NULL);
		else if (claims_revoked(*out, policy))
			code = fault_set(fault, ERR_TOKEN_REVOKED, NULL);
	}
	if (code != ERR_NONE) {
		claims_free(*out);
		*out = NULL;
	}
	token_parts_free(&parts);
	return (code);
}

/* A segment's JSON, or null where there is none. */
static jdoc *
describe_part(const char *segment, size_t len)
{
	static const char null_text[] = "null";
	char error[JDOC_ERROR_MAX];
	struct token_bytes bytes;
	jdoc *part = NULL;

	if (token_bytes_read(&bytes, segment, len, ERR_TOKEN_SEGMENTS) ==
	    ERR_NONE)
		part = jdoc_parse(bytes.data, bytes.len, 0, error);
	token_bytes_free(&bytes);
	if (part == NULL)
		part = jdoc_parse(null_text, strlen(null_text), 0, error);
	return (part);
}

char *
token_describe(const char *token, size_t len)
{
	const char *end = token + len, *payload, *payload_end;
	const char *header_end;
	jdoc *both;
	char *text = NULL;

	header_end = memchr(token, '.', len);
	if (header_end == NULL)
		header_end = end;
	payload = header_end == end ? end : header_end + 1;
	payload_end = memchr(payload, '.', (size_t)(end - payload));
	if (payload_end == NULL)
		payload_end = end;
	both = jdoc_new_object();
	if (both != NULL &&
	    jdoc_set(both, "header",
		describe_part(token, (size_t)(header_end - token))) == 0 &&
	    jdoc_set(both, "payload",
		describe_part(payload, (size_t)(payload_end - payload))) == 0)
		text = jdoc_text_pretty(both, NULL);
	jdoc_free(both);
	return (text);
}
