#include <stdlib.h>
#include <string.h>

#include "auth/revocation.h"
#include "auth/token_claims.h"
#include "base/secret.h"

/* Longest "sid" that may be one of ours (bytes). */
#define SESSION_MAX (STORE_SESSION_ID_MAX - 1)

/* What is looked up among the revocations. */
enum lookup {
	LOOKUP_TOKEN,
	LOOKUP_SESSION,
	LOOKUP_ACCOUNT, /* VERSION with a session, BEFORE without */
	LOOKUP__MAX
};

struct claims {
	unsigned int references;
	struct clock clock;
	enum token_kind kind;
	int64_t start; /* the later of iat and nbf */
	int64_t expires;
	int64_t issued;
	int64_t fresh_until; /* INT64_MAX: as long as the token */
	int64_t version;
	/* The table that the keys are for; NULL: not computed yet. */
	const struct revocations *keyed;
	struct revocation_key keys[LOOKUP__MAX];
	char session[SESSION_MAX + 1]; /* "": none */
	size_t subject_len;
	size_t id_len;
	size_t csrf_len;
	size_t roles_len;
	size_t text_len;
	/* subject, id, csrf, roles and payload text, a NUL behind each */
	char bytes[];
};

/* How many texts there are in bytes. */
#define TEXTS 5

static int64_t time_or(const jdoc *payload, const char *name, int64_t absent);
static int64_t fresh_until(const jdoc *payload);
static const char *text_of(const jdoc *value, size_t *len);
static const char *role_of(const jdoc *roles, size_t index, size_t *len);
static size_t measure_roles(const jdoc *roles);
static char *append(char *at, const void *text, size_t len);
static char *append_roles(char *at, const jdoc *roles);
static void fill(struct claims *c, const jdoc *payload);
static void make_keys(const struct claims *c, const struct revocations *r,
    struct revocation_key keys[LOOKUP__MAX]);
static bool account_refuses(const struct claims *c, const struct revocations *r,
    const struct revocation_key *key, int64_t now);

static int64_t
time_or(const jdoc *payload, const char *name, int64_t absent)
{
	const jdoc *value = jdoc_member(payload, name);
	int64_t time;

	if (value == NULL || !jdoc_time(value, &time))
		return (absent);
	return (time);
}

/* "fresh" is a truth value, or the time until which the token is fresh. */
static int64_t
fresh_until(const jdoc *payload)
{
	const jdoc *fresh = jdoc_member(payload, "fresh");
	int64_t until;

	if (fresh == NULL)
		return (INT64_MIN);
	if (jdoc_time(fresh, &until))
		return (until);
	return (jdoc_true(fresh) ? INT64_MAX : INT64_MIN);
}

/* A string that ends where its text does; NULL for anything else. */
static const char *
text_of(const jdoc *value, size_t *len)
{
	const char *text;

	if (value == NULL || (text = jdoc_string(value, len)) == NULL ||
	    strlen(text) != *len)
		return (NULL);
	return (text);
}

/* A role; NULL for what could not be told from several, or from none, with
 * blanks between. */
static const char *
role_of(const jdoc *roles, size_t index, size_t *len)
{
	const char *role = text_of(jdoc_element(roles, index), len);
	size_t i;

	if (role == NULL || *len == 0)
		return (NULL);
	for (i = 0; i < *len; i++) {
		if ((unsigned char)role[i] <= ' ' || role[i] == 0x7f)
			return (NULL);
	}
	return (role);
}

/* The length of all roles with a blank behind each. */
static size_t
measure_roles(const jdoc *roles)
{
	size_t i, len, sum = 0;

	for (i = 0; i < jdoc_count(roles); i++) {
		if (role_of(roles, i, &len) != NULL)
			sum += len + 1;
	}
	return (sum);
}

static char *
append(char *at, const void *text, size_t len)
{
	memcpy(at, text, len);
	at[len] = '\0';
	return (at + len + 1);
}

/* Each overwrites the NUL behind the one before with a blank. */
static char *
append_roles(char *at, const jdoc *roles)
{
	const char *role;
	bool first = true;
	size_t i, len;

	for (i = 0; i < jdoc_count(roles); i++) {
		if ((role = role_of(roles, i, &len)) == NULL)
			continue;
		if (!first)
			at[-1] = ' ';
		first = false;
		at = append(at, role, len);
	}
	return (first ? append(at, "", 0) : at);
}

/* All that has a fixed size. */
static void
fill(struct claims *c, const jdoc *payload)
{
	const char *session;
	int64_t nbf;
	size_t len;

	c->references = 1;
	c->kind = token_kind_of(payload);
	c->issued = time_or(payload, "iat", 0);
	c->start = time_or(payload, "iat", INT64_MIN);
	nbf = time_or(payload, "nbf", INT64_MIN);
	if (nbf > c->start)
		c->start = nbf;
	c->expires = time_or(payload, "exp", INT64_MAX);
	c->fresh_until = fresh_until(payload);
	c->version = time_or(payload, "ver", 0);
	session = text_of(jdoc_member(payload, "sid"), &len);
	if (session != NULL && len <= SESSION_MAX)
		(void)append(c->session, session, len);
}

struct claims *
claims_new(const struct token_policy *policy, const jdoc *payload,
    const void *text, size_t len)
{
	const jdoc *roles = jdoc_member(payload, "roles");
	size_t subject_len, id_len, csrf_len = 0, roles_len = 0;
	const char *subject, *id, *csrf;
	struct claims *c;
	char *at;

	if (roles != NULL && jdoc_type_of(roles) == JDOC_ARRAY)
		roles_len = measure_roles(roles);
	subject = jdoc_string(jdoc_member(payload, "sub"), &subject_len);
	id = jdoc_string(jdoc_member(payload, "jti"), &id_len);
	csrf = text_of(jdoc_member(payload, "csrf"), &csrf_len);
	if (csrf == NULL)
		csrf_len = 0;
	c = calloc(1,
	    sizeof(*c) + subject_len + id_len + csrf_len + roles_len + len +
		TEXTS);
	if (c == NULL)
		return (NULL);
	fill(c, payload);
	c->clock = policy->clock;
	c->subject_len = subject_len;
	c->id_len = id_len;
	c->csrf_len = csrf_len;
	c->roles_len = roles_len;
	c->text_len = len;
	at = append(c->bytes, subject, subject_len);
	at = append(at, id, id_len);
	at = append(at, csrf == NULL ? "" : csrf, csrf_len);
	if (roles_len > 0)
		(void)append_roles(at, roles);
	(void)append(at + roles_len + 1, text, len);
	claims_prepare(c, policy);
	return (c);
}

struct claims *
claims_ref(struct claims *c)
{
	c->references++;
	return (c);
}

struct claims *
claims_copy(const struct claims *c)
{
	struct claims *copy;

	copy = malloc(claims_size(c));
	if (copy == NULL)
		return (NULL);
	(void)memcpy(copy, c, claims_size(c));
	copy->references = 1;
	return (copy);
}

void
claims_free(struct claims *c)
{
	if (c == NULL || --c->references > 0)
		return;
	secret_free_mem(c, claims_size(c));
}

size_t
claims_size(const struct claims *c)
{
	return (sizeof(*c) + c->subject_len + c->id_len + c->csrf_len +
	    c->roles_len + c->text_len + TEXTS);
}

bool
claims_timely(const struct claims *c, const struct token_policy *policy)
{
	return (token_in_time(policy, c->start, c->expires));
}

const char *
claims_subject(const struct claims *c, size_t *len)
{
	if (len != NULL)
		*len = c->subject_len;
	return (c->bytes);
}

const char *
claims_id(const struct claims *c)
{
	return (c->bytes + c->subject_len + 1);
}

int64_t
claims_expires(const struct claims *c)
{
	return (c->expires);
}

int64_t
claims_issued(const struct claims *c)
{
	return (c->issued);
}

bool
claims_fresh(const struct claims *c)
{
	return (c->fresh_until > clock_now(&c->clock));
}

enum token_kind
claims_kind(const struct claims *c)
{
	return (c->kind);
}

const char *
claims_session(const struct claims *c)
{
	return (c->session);
}

const char *
claims_csrf(const struct claims *c)
{
	return (claims_id(c) + c->id_len + 1);
}

const char *
claims_roles(const struct claims *c)
{
	return (claims_csrf(c) + c->csrf_len + 1);
}

bool
claims_has_role(const struct claims *c, const char *role)
{
	const char *word = claims_roles(c);
	size_t len, wanted = strlen(role);

	while (*word != '\0') {
		len = strcspn(word, " ");
		if (len == wanted && memcmp(word, role, len) == 0)
			return (true);
		word += len;
		word += strspn(word, " ");
	}
	return (false);
}

bool
claims_recent(const struct claims *c, int64_t seconds)
{
	int64_t age;

	return (claims_fresh(c) &&
	    !__builtin_sub_overflow(clock_now(&c->clock), c->issued, &age) &&
	    age <= seconds);
}

/*
 * A "jti" counts as far as its first NUL: so it is named on a command line
 * and by claims_id(), and two that differ only behind it end together.
 */
static void
make_keys(const struct claims *c, const struct revocations *r,
    struct revocation_key keys[LOOKUP__MAX])
{
	const char *id = claims_id(c);
	bool ours = c->session[0] != '\0';

	revocation_key(r, REVOKED_TOKEN, id, strlen(id), &keys[LOOKUP_TOKEN]);
	if (ours)
		revocation_key(r, REVOKED_SESSION, c->session,
		    strlen(c->session), &keys[LOOKUP_SESSION]);
	revocation_key(r, ours ? REVOKED_VERSION : REVOKED_BEFORE, c->bytes,
	    c->subject_len, &keys[LOOKUP_ACCOUNT]);
}

void
claims_prepare(struct claims *c, const struct token_policy *policy)
{
	if (policy->revocations == NULL || c->keyed == policy->revocations ||
	    revocations_empty(policy->revocations))
		return;
	make_keys(c, policy->revocations, c->keys);
	c->keyed = policy->revocations;
}

/*
 * Of a session of ours the version counts, and of its refresh tokens, which
 * have none, only that nothing is accepted any more: the store knows whether
 * the session goes on. Of all others the time of issue counts.
 */
static bool
account_refuses(const struct claims *c, const struct revocations *r,
    const struct revocation_key *key, int64_t now)
{
	uint32_t limit;

	if (!revocations_get(r, key, now, &limit))
		return (false);
	if (limit == UINT32_MAX)
		return (true);
	if (c->session[0] == '\0')
		return (c->issued <= (int64_t)limit);
	return (c->kind == TOKEN_ACCESS && c->version < (int64_t)limit);
}

bool
claims_revoked(const struct claims *c, const struct token_policy *policy)
{
	const struct revocations *r = policy->revocations;
	struct revocation_key made[LOOKUP__MAX];
	const struct revocation_key *keys = c->keys;
	int64_t now;

	if (r == NULL || revocations_empty(r))
		return (false);
	if (c->keyed != r) {
		make_keys(c, r, made);
		keys = made;
	}
	now = clock_now(&policy->clock);
	return (revocations_get(r, &keys[LOOKUP_TOKEN], now, NULL) ||
	    (c->session[0] != '\0' &&
		revocations_get(r, &keys[LOOKUP_SESSION], now, NULL)) ||
	    account_refuses(c, r, &keys[LOOKUP_ACCOUNT], now));
}

char *
claims_json(const struct claims *c)
{
	char error[JDOC_ERROR_MAX], *text;
	jdoc *payload;

	payload = jdoc_parse(claims_roles(c) + c->roles_len + 1, c->text_len,
	    JDOC_REJECT_DUPLICATES, error);
	if (payload == NULL)
		return (NULL);
	text = jdoc_text(payload, NULL);
	jdoc_free(payload);
	return (text);
}
