#include <stdlib.h>
#include <string.h>

#include <kore/kore.h>
#include <kore/http.h>

#include "auth/token_cache.h"
#include "base/log.h"
#include "http/front.h"
#include "http/guard_internal.h"
#include "http/service.h"

/* Tokens this worker has verified. */
static struct token_cache *tokens;

/* What is kept with a request that the guard has let through: where its token
 * was. */
static enum guard_location places[] = {
    [GUARD_HEADERS] = GUARD_HEADERS,
    [GUARD_COOKIES] = GUARD_COOKIES,
    [GUARD_QUERY] = GUARD_QUERY,
    [GUARD_JSON] = GUARD_JSON,
    [GUARD_LOCATIONS] = GUARD_LOCATIONS,
};

static enum error_code judge(const struct guard *, const struct guard_token *,
    struct claims **, struct fault *);
static enum error_code
check_csrf(const struct guard_token *, const struct claims *, struct fault *);
static enum error_code
check_claims(const struct guard *, const struct claims *, struct fault *);
static bool has_one_of(const struct guard_roles *, const struct claims *);
static enum error_code keep(struct http_request *, const struct guard *,
    const struct guard_token *, struct claims *, struct fault *);
static void release_claims(void *);
static void release_token(void *);

int
guard_init(void)
{
	const struct service *service = service_get();

	tokens = token_cache_new(
	    &service->policy, (size_t)service->config.token_cache_kib * 1024);
	return (tokens == NULL ? -1 : 0);
}

void
guard_stop(void)
{
	token_cache_free(tokens);
	tokens = NULL;
}

int
guard_verify(struct http_request *req, char *unused)
{
	const struct guard *guard = guard_find(req->hdlr->auth);
	struct guard_token token;
	struct refusal refusal;
	struct fault fault;
	struct claims *claims = NULL;

	(void)unused;
	if (guard == NULL) {
		log_line(LOG_LEVEL_ERR, "route %s: its guard is not known",
		    req->hdlr->path);
		(void)front_refuse(req, ERR_INTERNAL);
		return (KORE_RESULT_ERROR);
	}

	(void)fault_set(&fault, ERR_NONE, NULL);
	if (guard_locate(guard, &service_get()->config, front_request(req),
		&token, &fault) == ERR_NONE &&
	    (token.text == NULL ||
		judge(guard, &token, &claims, &fault) == ERR_NONE))
		(void)keep(req, guard, &token, claims, &fault);
	guard_token_free(&token);
	if (fault.code == ERR_NONE)
		return (KORE_RESULT_OK);

	memset(&refusal, 0, sizeof(refusal));
	refusal.fault = &fault;
	(void)front_refuse_with(req, &refusal);
	return (KORE_RESULT_ERROR);
}

/* Without claims only where the guard itself has said that it may be. */
int
guard_run(struct http_request *req, guarded_handler handler, bool optional)
{
	const enum guard_location *place = front_get(req, FRONT_PLACE);
	const struct claims *claims = front_get(req, FRONT_CLAIMS);

	if (claims == NULL &&
	    !(optional && place != NULL && *place == GUARD_LOCATIONS)) {
		log_line(LOG_LEVEL_ERR, "route %s reached without its guard",
		    req->hdlr->path);
		return (front_refuse(req, ERR_INTERNAL));
	}
	return (handler(req, claims));
}

bool
guard_from_cookie(const struct http_request *req)
{
	const enum guard_location *place = front_get(req, FRONT_PLACE);

	return (place != NULL && *place == GUARD_COOKIES);
}

const char *
guard_token(const struct http_request *req, size_t *len)
{
	const struct secret *token = front_get(req, FRONT_TOKEN);

	*len = token != NULL ? token->len : 0;
	return (token != NULL ? (const char *)token->data : "");
}

/* Whether the token is good, and good enough; its claims are the caller's. */
static enum error_code
judge(const struct guard *guard, const struct guard_token *token,
    struct claims **claims, struct fault *fault)
{
	enum error_code code;

	code = token_cache_verify(
	    tokens, guard->kinds, token->text, token->len, claims, fault);
	if (code == ERR_NONE && token->csrf != NULL)
		code = check_csrf(token, *claims, fault);
	if (code == ERR_NONE)
		code = check_claims(guard, *claims, fault);
	if (code != ERR_NONE) {
		claims_free(*claims);
		*claims = NULL;
	}
	return (code);
}

/* The double submit: what a header says must be what the token says, and only
 * a page of the same origin can read that out of the other cookie. */
static enum error_code
check_csrf(const struct guard_token *token, const struct claims *claims,
    struct fault *fault)
{
	const char *csrf = claims_csrf(claims);

	if (csrf[0] == '\0')
		return (fault_set(fault, ERR_TOKEN_CLAIM_MISSING, "csrf"));
	if (!secret_equal(csrf, strlen(csrf), token->csrf, token->csrf_len))
		return (fault_set(fault, ERR_CSRF_MISMATCH, NULL));
	return (ERR_NONE);
}

static enum error_code
check_claims(
    const struct guard *guard, const struct claims *claims, struct fault *fault)
{
	size_t i;

	if ((guard->fresh && !claims_fresh(claims)) ||
	    (guard->max_age != 0 && !claims_recent(claims, guard->max_age)))
		return (fault_set(fault, ERR_TOKEN_STALE, NULL));
	for (i = 0; i < guard->nroles; i++)
		if (!has_one_of(&guard->roles[i], claims))
			return (
			    fault_set(fault, ERR_ROLE, guard->roles[i].text));
	return (ERR_NONE);
}

static bool
has_one_of(const struct guard_roles *roles, const struct claims *claims)
{
	size_t i;

	for (i = 0; i < roles->count; i++)
		if (claims_has_role(claims, roles->names[i]))
			return (true);
	return (false);
}

/*
 * Keep with the request what its handler may ask for: the claims (taken over,
 * also when this fails), where the token was, and, where it may be one that is
 * to be renewed, its text.
 */
static enum error_code
keep(struct http_request *req, const struct guard *guard,
    const struct guard_token *token, struct claims *claims, struct fault *fault)
{
	struct secret *text;

	front_set(req, FRONT_PLACE, &places[token->location], NULL);
	if (claims == NULL)
		return (ERR_NONE);
	front_set(req, FRONT_CLAIMS, claims, release_claims);
	if (!(guard->kinds & TOKEN_REFRESH))
		return (ERR_NONE);
	text = calloc(1, sizeof(*text));
	if (text == NULL || secret_set(text, token->text, token->len) == -1) {
		free(text);
		return (fault_set(fault, ERR_BUSY, NULL));
	}
	front_set(req, FRONT_TOKEN, text, release_token);
	return (ERR_NONE);
}

static void
release_claims(void *claims)
{
	claims_free(claims);
}

static void
release_token(void *token)
{
	secret_free(token);
	free(token);
}
