/*
 * guard_internal.h - inside of the guard: guard.c (judging a request),
 * guard_words.c (what a block asks for), guard_check.c (the configuration) and
 * guard_locate.c (where a request has its token).
 */
#ifndef CORGI_GUARD_INTERNAL_H
#define CORGI_GUARD_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/config.h"
#include "base/h1.h"
#include "http/guard.h"

struct kore_auth;

/* Most role words of a block, and most roles in one of them. */
#define GUARD_ROLE_WORDS_MAX 8
#define GUARD_ROLES_MAX      16

/* Longest sentence about a word, with the NUL (bytes). */
#define GUARD_PROBLEM_MAX 320

/* Where a token may stand. */
enum guard_location {
	GUARD_HEADERS,
	GUARD_COOKIES,
	GUARD_QUERY,
	GUARD_JSON,
	GUARD_LOCATIONS /* how many; also: nowhere */
};

/* One word role=A,B: one of these. */
struct guard_roles {
	const char *text; /* "A,B" */
	const char *names[GUARD_ROLES_MAX];
	size_t count;
	char *memory; /* what names point into */
};

/* What an authentication block asks for. */
struct guard {
	const struct kore_auth *block;
	unsigned int kinds; /* TOKEN_*, as bits */
	bool optional;
	bool fresh;
	bool strict;
	int64_t max_age;                                /* seconds; 0: any */
	enum guard_location locations[GUARD_LOCATIONS]; /* in order */
	size_t nlocations;
	struct guard_roles roles[GUARD_ROLE_WORDS_MAX];
	size_t nroles;
};

/* A token as a request has it. */
struct guard_token {
	const char *text; /* NULL: there is none, and that is fine */
	size_t len;
	enum guard_location location;
	const struct config_cookie *cookie; /* whose it is, in cookies */
	const char *csrf; /* what the csrf claim must be; NULL: anything */
	size_t csrf_len;
	char *memory; /* what text points into, unless it is the request */
	size_t memory_len;
};

/*
 * Read the words of an authentication_value into *out (zeroed before). Returns
 * 0, or -1 with the end of a sentence that begins with the block's name. What
 * it keeps lives as long as the process. Parent, at start.
 */
int guard_words(const char *value, struct guard *out,
    char problem[GUARD_PROBLEM_MAX]) __attribute__((warn_unused_result));

/* The guard of a block that guard_check() has accepted, or NULL. */
const struct guard *guard_find(const struct kore_auth *block);

/*
 * Find the token that a guard is to judge. Returns ERR_NONE with *out filled
 * (release it with guard_token_free() whatever was returned), or the code of
 * the refusal, which is in *fault, too. Event loop.
 */
enum error_code
guard_locate(const struct guard *guard, const struct config *config,
    const struct h1_request *request, struct guard_token *out,
    struct fault *fault) __attribute__((warn_unused_result));

/* Wipe and release what a token points into; there is none then. */
void guard_token_free(struct guard_token *token);

#endif
