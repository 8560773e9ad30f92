#include <stdlib.h>
#include <string.h>

#include <kore/kore.h>
#include <kore/http.h>

#include "auth/token_cache.h"
#include "base/log.h"
#include "http/front.h"
#include "http/guard_internal.h"
#include "http/heard.h"
#include "http/job.h"
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

/* What a strict guard waits for before it judges a token for good. */
struct check {
	struct job job;
	enum error_code result;
};

static bool unsure(const struct guard *, const struct check *, struct fault *);
static int check_start(struct http_request *);
static void check_run(struct offload_job *, void **);
static void check_release(struct job *);
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
	const struct check *check = front_get(req, FRONT_CHECK);
	struct guard_token token;
	struct refusal refusal;
	struct fault fault;
	struct claims *claims = NULL;
	bool ask = false;

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
		judge(guard, &token, &claims, &fault) == ERR_NONE)) {
		ask = claims != NULL && guard->strict && check == NULL;
		if (ask || (claims != NULL && unsure(guard, check, &fault)))
			claims_free(claims);
		else
			(void)keep(req, guard, &token, claims, &fault);
	}
	guard_token_free(&token);
	if (ask)
		return (check_start(req));
	if (fault.code == ERR_NONE)
		return (KORE_RESULT_OK);

	memset(&refusal, 0, sizeof(refusal));
	refusal.fault = &fault;
	(void)front_refuse_with(req, &refusal);
	return (KORE_RESULT_ERROR);
}

/*
 * Whether a good token may have been revoked elsewhere without a word of it
 * here. A strict guard has just been told by the database, or not at all.
 */
static bool
unsure(
    const struct guard *guard, const struct check *check, struct fault *fault)
{
	if (guard->strict)
		return (fault_set(fault, check->result, NULL) != ERR_NONE);
	return (!heard_lately(HEARD_REVOCATIONS) &&
	    fault_set(fault, ERR_STORE, NULL) != ERR_NONE);
}

/* The guard is asked again when the job is done. Where it could not be queued
 * the request has been answered, and must not reach its handler. */
static int
check_start(struct http_request *req)
{
	struct check *check;

	check = calloc(1, sizeof(*check));
	if (check == NULL) {
		(void)front_refuse(req, ERR_BUSY);
		return (KORE_RESULT_ERROR);
	}
	return (job_start_in(req, FRONT_CHECK, &check->job, OFFLOAD_SHORT,
		    check_run, check_release) == KORE_RESULT_RETRY
		? KORE_RESULT_RETRY
		: KORE_RESULT_ERROR);
}

/* Background thread: whatever has been revoked until now comes into memory,
 * where the guard looks. */
static void
check_run(struct offload_job *offload, void **local)
{
	struct check *check = (struct check *)offload;
	enum store_result result;
	struct store *store;

	check->result = ERR_STORE;
	store = service_store(local);
	if (store == NULL)
		return;
	result = heard_follow(store);
	if (result == STORE_OK)
		check->result = ERR_NONE;
	if (result != STORE_FULL)
		service_store_settle(local, result);
}

static void
check_release(struct job *job)
{
	free(job);
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
