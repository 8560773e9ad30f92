#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/base64url.h"
#include "auth/signature.h"
#include "auth/token.h"
#include "auth/token_libjwt.h"
#include "base/jdoc.h"
#include "base/secret.h"

static int set_uuid(jdoc *claims, const char *name);
static int set_audience(jdoc *claims, const struct config_list *list);
static jdoc *make_claims(
    const struct token_policy *policy, const struct token_request *request);
static char *
sign_text(const struct key *k, const char *claims, size_t claims_len);

static int
set_uuid(jdoc *claims, const char *name)
{
	char uuid[UUID_LEN + 1];

	secret_uuid4(uuid);
	return (jdoc_set(claims, name, jdoc_new_string(uuid, UUID_LEN)));
}

/* One audience is a string, several are an array (RFC 7519, section 4.1.3). */
static int
set_audience(jdoc *claims, const struct config_list *list)
{
	jdoc *all;
	size_t i;

	if (list->count == 0)
		return (0);
	if (list->count == 1)
		return (jdoc_set(claims, "aud",
		    jdoc_new_string(list->items[0], strlen(list->items[0]))));
	all = jdoc_new_array();
	for (i = 0; i < list->count; i++) {
		if (jdoc_append(all,
			jdoc_new_string(
			    list->items[i], strlen(list->items[i]))) == -1) {
			jdoc_free(all);
			return (-1);
		}
	}
	return (jdoc_set(claims, "aud", all));
}

/* Flask-JWT-Extended's claims, in its order. */
static jdoc *
make_claims(
    const struct token_policy *policy, const struct token_request *request)
{
	const struct config *c = policy->config;
	int64_t now = clock_now(&policy->clock), expires;
	jdoc *claims;
	int bad = 0;

	claims = jdoc_new_object();
	bad |= jdoc_set(claims, "fresh", jdoc_new_bool(request->fresh));
	bad |= jdoc_set(claims, "iat", jdoc_new_integer(now));
	bad |= set_uuid(claims, "jti");
	bad |= jdoc_set(claims, "type", jdoc_new_string("access", 6));
	bad |= jdoc_set(claims, "sub",
	    jdoc_new_string(request->subject, request->subject_len));
	bad |= jdoc_set(claims, "nbf", jdoc_new_integer(now));
	bad |= set_uuid(claims, "csrf");
	if (c->access_expires != CONFIG_NEVER) {
		if (__builtin_add_overflow(now, c->access_expires, &expires))
			expires = INT64_MAX;
		bad |= jdoc_set(claims, "exp", jdoc_new_integer(expires));
	}
	if (c->encode_issuer != NULL)
		bad |= jdoc_set(claims, "iss",
		    jdoc_new_string(
			c->encode_issuer, strlen(c->encode_issuer)));
	bad |= set_audience(claims, &c->encode_audience);
	if (bad != 0) {
		jdoc_free(claims);
		return (NULL);
	}
	return (claims);
}

/* The way for claims that libjwt does not carry: the same token by hand. */
static char *
sign_text(const struct key *k, const char *claims, size_t claims_len)
{
	uint8_t signature[SIGNATURE_MAX];
	size_t len, signature_len;
	char header[40], *token;

	len = (size_t)snprintf(header, sizeof(header),
	    "{\"alg\":\"%s\",\"typ\":\"JWT\"}", key_algorithm(k));
	token =
	    malloc(BASE64URL_TEXT_LEN(len) + BASE64URL_TEXT_LEN(claims_len) +
		BASE64URL_TEXT_LEN(sizeof(signature)) + 3);
	if (token == NULL)
		return (NULL);
	len = base64url_encode(header, len, token);
	token[len++] = '.';
	len += base64url_encode(claims, claims_len, token + len);
	if (signature_make(k, token, len, signature, &signature_len) == -1) {
		secret_free_mem(token, len);
		return (NULL);
	}
	token[len++] = '.';
	(void)base64url_encode(signature, signature_len, token + len);
	return (token);
}

/* A token too long to be verified again is not given out. */
enum error_code
token_issue(const struct token_policy *policy,
    const struct token_request *request, char **token)
{
	char *text = NULL;
	jdoc *claims;
	size_t len = 0;

	*token = NULL;
	claims = make_claims(policy, request);
	if (claims != NULL)
		text = jdoc_text(claims, &len);
	if (text != NULL && len <= TOKEN_MAX && key_can_sign(policy->key))
		*token = libjwt_carries_json(text, len)
		    ? libjwt_issue(policy->key, text)
		    : sign_text(policy->key, text, len);
	secret_free_mem(text, len);
	jdoc_free(claims);
	if (*token != NULL && strlen(*token) > TOKEN_MAX) {
		secret_free_mem(*token, strlen(*token));
		*token = NULL;
	}
	return (*token == NULL ? ERR_INTERNAL : ERR_NONE);
}
