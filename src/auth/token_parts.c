#include <stdlib.h>
#include <string.h>

#include "auth/base64url.h"
#include "auth/token.h"
#include "auth/token_parts.h"
#include "base/secret.h"

static enum error_code
read_header(struct token_parts *parts, size_t len, struct fault *fault);
static enum error_code
read_payload(struct token_parts *parts, struct fault *fault);
static enum error_code
check_kid(const struct token_parts *parts, struct fault *fault);
static enum error_code
check_crit(const struct token_parts *parts, struct fault *fault);

enum error_code
token_bytes_read(struct token_bytes *out, const char *segment, size_t len,
    enum error_code otherwise)
{
	out->len = 0;
	out->data = malloc(BASE64URL_DATA_LEN(len) + 1);
	if (out->data == NULL)
		return (ERR_INTERNAL);
	if (base64url_decode(segment, len, out->data, &out->len) == -1)
		return (otherwise);
	return (ERR_NONE);
}

void
token_bytes_free(struct token_bytes *bytes)
{
	secret_free_mem(bytes->data, bytes->len);
	bytes->data = NULL;
	bytes->len = 0;
}

/* Rows 2 to 4: the header, len characters at the token's start. */
static enum error_code
read_header(struct token_parts *parts, size_t len, struct fault *fault)
{
	char error[JDOC_ERROR_MAX];
	enum error_code code;

	code = token_bytes_read(
	    &parts->header_text, parts->token, len, ERR_TOKEN_HEADER_PADDING);
	if (code != ERR_NONE)
		return (fault_set(fault, code, NULL));
	parts->header = jdoc_parse(parts->header_text.data,
	    parts->header_text.len, JDOC_REJECT_DUPLICATES, error);
	if (parts->header == NULL)
		return (fault_set(fault, ERR_TOKEN_HEADER_STRING, error));
	if (jdoc_type_of(parts->header) != JDOC_OBJECT)
		return (fault_set(fault, ERR_TOKEN_HEADER_OBJECT, NULL));
	return (ERR_NONE);
}

/* Row 7. A key ID is not used for anything yet; no more is asked of it. */
static enum error_code
check_kid(const struct token_parts *parts, struct fault *fault)
{
	const jdoc *kid = jdoc_member(parts->header, "kid");

	if (kid != NULL && jdoc_type_of(kid) != JDOC_STRING)
		return (fault_set(fault, ERR_TOKEN_KID, NULL));
	return (ERR_NONE);
}

/* Row 8: no extension is understood here (RFC 7515, section 4.1.11). */
static enum error_code
check_crit(const struct token_parts *parts, struct fault *fault)
{
	const jdoc *crit = jdoc_member(parts->header, "crit");
	const jdoc *first;

	if (crit == NULL)
		return (ERR_NONE);
	if (jdoc_type_of(crit) != JDOC_ARRAY || jdoc_count(crit) == 0)
		return (fault_set(fault, ERR_TOKEN_CRIT_LIST, NULL));
	first = jdoc_element(crit, 0);
	if (jdoc_type_of(first) != JDOC_STRING)
		return (fault_set(fault, ERR_TOKEN_CRIT_VALUE, NULL));
	return (
	    fault_set(fault, ERR_TOKEN_CRIT_UNKNOWN, jdoc_string(first, NULL)));
}

/* Rows 9 and 10. */
static enum error_code
read_payload(struct token_parts *parts, struct fault *fault)
{
	char error[JDOC_ERROR_MAX];

	parts->payload = jdoc_parse(parts->payload_text.data,
	    parts->payload_text.len, JDOC_REJECT_DUPLICATES, error);
	if (parts->payload == NULL)
		return (fault_set(fault, ERR_TOKEN_PAYLOAD_STRING, error));
	if (jdoc_type_of(parts->payload) != JDOC_OBJECT)
		return (fault_set(fault, ERR_TOKEN_PAYLOAD_OBJECT, NULL));
	return (ERR_NONE);
}

/*
 * The header ends at the first dot and the signature begins behind the last;
 * a dot in between is a foreign character of the payload.
 */
enum error_code
token_parts_read(struct token_parts *parts, const struct key *key,
    const char *token, size_t len, struct fault *fault)
{
	const char *first, *last, *plain;
	enum error_code code = ERR_NONE;
	size_t plain_len;

	memset(parts, 0, sizeof(*parts));
	parts->token = token;
	parts->len = len;
	first = memchr(token, '.', len);
	last = memrchr(token, '.', len);
	if (first == last)
		return (fault_set(fault, ERR_TOKEN_SEGMENTS, NULL));
	parts->signed_len = (size_t)(last - token);

	plain = key_plain_header(key, &plain_len);
	parts->plain_header = (size_t)(first - token) == plain_len &&
	    memcmp(token, plain, plain_len) == 0;
	if (!parts->plain_header)
		code = read_header(parts, (size_t)(first - token), fault);
	if (code != ERR_NONE)
		return (code);
	code = token_bytes_read(&parts->payload_text, first + 1,
	    (size_t)(last - first) - 1, ERR_TOKEN_PAYLOAD_PADDING);
	if (code == ERR_NONE)
		code = token_bytes_read(&parts->signature, last + 1,
		    len - parts->signed_len - 1, ERR_TOKEN_CRYPTO_PADDING);
	if (code != ERR_NONE)
		return (fault_set(fault, code, NULL));
	if (!parts->plain_header) {
		code = check_kid(parts, fault);
		if (code == ERR_NONE)
			code = check_crit(parts, fault);
	}
	if (code == ERR_NONE)
		code = read_payload(parts, fault);
	return (code);
}

void
token_parts_free(struct token_parts *parts)
{
	token_bytes_free(&parts->header_text);
	token_bytes_free(&parts->payload_text);
	token_bytes_free(&parts->signature);
	jdoc_free(parts->header);
	jdoc_free(parts->payload);
	memset(parts, 0, sizeof(*parts));
}
