#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/base64url.h"
#include "auth/signature.h"
#include "auth/token.h"
#include "auth/token_libjwt.h"
#include "base/jdoc.h"
#include "base/secret.h"

static int set_audience(jdoc *claims, const struct config_list *list);
static int set_roles(jdoc *claims, const char *roles);
static bool
set_further(const char *name, size_t len, const jdoc *value, void *ctx);
static int add_further(jdoc *claims, const char *text);
static int64_t end_of(const struct token_policy *policy,
    const struct token_request *request, int64_t now);
static jdoc *make_claims(const struct token_policy *policy,
    const struct token_request *request, const struct token_made *made);
static char *
sign_text(const struct key *k, const char *claims, size_t claims_len);

/* One audience is a string, several are an array (RFC 7519, section 4.1.3). */
static int
set_audience(jdoc *claims, const struct config_list *list)
{
	jdoc *all;
	size_t i;

	if (list->count == 0)
		return (0);
	if (list->count == 1)
		return (jdoc_set_text(claims, "aud", list->items[0]));
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

/* No claim where there are none. */
static int
set_roles(jdoc *claims, const char *roles)
{
	if (roles[strspn(roles, " ")] == '\0')
		return (0);
	return (jdoc_set(claims, "roles", jdoc_new_words(roles)));
}

/* Where further claims go. */
struct further {
	jdoc *claims;
	int bad;
};

static bool
set_further(const char *name, size_t len, const jdoc *value, void *ctx)
{
	struct further *f = ctx;

	f->bad = jdoc_set_n(f->claims, name, len, jdoc_copy(value));
	return (f->bad == 0);
}

/* The configuration has seen to it that none of them is one of ours. */
static int
add_further(jdoc *claims, const char *text)
{
	struct further further = {claims, 0};
	char error[JDOC_ERROR_MAX];
	jdoc *doc;

	doc = jdoc_parse(text, strlen(text), JDOC_REJECT_DUPLICATES, error);
	if (doc == NULL)
		return (-1);
	jdoc_each(doc, set_further, &further);
	jdoc_free(doc);
	return (further.bad);
}

/* "exp", or INT64_MAX for never. */
static int64_t
end_of(const struct token_policy *policy, const struct token_request *request,
    int64_t now)
{
	const struct config *c = policy->config;
	int64_t end,
	    life = request->kind == TOKEN_REFRESH ? c->refresh_expires
						  : c->access_expires;

	if (request->expires != 0)
		return (request->expires);
	if (life == CONFIG_NEVER)
		return (INT64_MAX);
	if (__builtin_add_overflow(now, life, &end) || end == INT64_MAX)
		return (INT64_MAX - 1);
	return (end);
}

/* Flask-JWT-Extended's claims, in its order, then this service's. */
static jdoc *
make_claims(const struct token_policy *policy,
    const struct token_request *request, const struct token_made *made)
{
	bool access = request->kind != TOKEN_REFRESH;
	const struct config *c = policy->config;
	jdoc *claims;
	int bad = 0;

	claims = jdoc_new_object();
	bad |= jdoc_set(claims, "fresh", jdoc_new_bool(request->fresh));
	bad |= jdoc_set(claims, "iat", jdoc_new_integer(made->issued));
	bad |= jdoc_set_text(claims, "jti", made->id);
	bad |= jdoc_set_text(claims, "type", access ? "access" : "refresh");
	bad |= jdoc_set(claims, "sub",
	    jdoc_new_string(request->subject, request->subject_len));
	bad |= jdoc_set(claims, "nbf", jdoc_new_integer(made->issued));
	bad |= jdoc_set_text(claims, "csrf", made->csrf);
	if (made->expires != INT64_MAX)
		bad |= jdoc_set(claims, "exp", jdoc_new_integer(made->expires));
	if (c->encode_issuer != NULL)
		bad |= jdoc_set_text(claims, "iss", c->encode_issuer);
	bad |= set_audience(claims, &c->encode_audience);
	if (request->session != NULL)
		bad |= jdoc_set_text(claims, "sid", request->session);
	if (access && request->version != 0)
		bad |=
		    jdoc_set(claims, "ver", jdoc_new_integer(request->version));
	if (access && request->roles != NULL)
		bad |= set_roles(claims, request->roles);
	if (access && c->extra_claims != NULL)
		bad |= add_further(claims, c->extra_claims);
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
	const char *header;
	char *token;

	header = key_plain_header(k, &len);
	token = malloc(len + BASE64URL_TEXT_LEN(claims_len) +
	    BASE64URL_TEXT_LEN(sizeof(signature)) + 3);
	if (token == NULL)
		return (NULL);
	memcpy(token, header, len);
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
    const struct token_request *request, char **token, struct token_made *made)
{
	struct token_made own;
	char *text = NULL;
	jdoc *claims;
	size_t len = 0;

	*token = NULL;
	secret_uuid4(own.id);
	secret_uuid4(own.csrf);
	own.issued = clock_now(&policy->clock);
	own.expires = end_of(policy, request, own.issued);
	claims = make_claims(policy, request, &own);
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
	if (*token != NULL && made != NULL)
		*made = own;
	secret_wipe(&own, sizeof(own));
	return (*token == NULL ? ERR_INTERNAL : ERR_NONE);
}
