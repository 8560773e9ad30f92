#include <stdlib.h>
#include <string.h>

#include "auth/token_claims.h"
#include "base/secret.h"

struct claims {
	unsigned int references;
	struct clock clock;
	int64_t start; /* the later of iat and nbf */
	int64_t expires;
	int64_t issued;
	int64_t fresh_until; /* INT64_MAX: as long as the token */
	size_t subject_len;
	size_t id_len;
	size_t text_len;
	char bytes[]; /* subject, id and payload text, a NUL behind each */
};

static int64_t time_or(const jdoc *payload, const char *name, int64_t absent);
static int64_t fresh_until(const jdoc *payload);
static char *append(char *at, const void *text, size_t len);

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

static char *
append(char *at, const void *text, size_t len)
{
	memcpy(at, text, len);
	at[len] = '\0';
	return (at + len + 1);
}

struct claims *
claims_new(const struct token_policy *policy, const jdoc *payload,
    const void *text, size_t len)
{
	const char *subject, *id;
	size_t subject_len, id_len;
	int64_t nbf;
	struct claims *c;
	char *at;

	subject = jdoc_string(jdoc_member(payload, "sub"), &subject_len);
	id = jdoc_string(jdoc_member(payload, "jti"), &id_len);
	c = malloc(sizeof(*c) + subject_len + id_len + len + 3);
	if (c == NULL)
		return (NULL);
	c->references = 1;
	c->clock = policy->clock;
	c->issued = time_or(payload, "iat", 0);
	c->start = time_or(payload, "iat", INT64_MIN);
	nbf = time_or(payload, "nbf", INT64_MIN);
	if (nbf > c->start)
		c->start = nbf;
	c->expires = time_or(payload, "exp", INT64_MAX);
	c->fresh_until = fresh_until(payload);
	c->subject_len = subject_len;
	c->id_len = id_len;
	c->text_len = len;
	at = append(c->bytes, subject, subject_len);
	at = append(at, id, id_len);
	(void)append(at, text, len);
	return (c);
}

struct claims *
claims_ref(struct claims *c)
{
	c->references++;
	return (c);
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
	return (sizeof(*c) + c->subject_len + c->id_len + c->text_len + 3);
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

char *
claims_json(const struct claims *c)
{
	char error[JDOC_ERROR_MAX], *text;
	jdoc *payload;

	payload = jdoc_parse(c->bytes + c->subject_len + c->id_len + 2,
	    c->text_len, JDOC_REJECT_DUPLICATES, error);
	if (payload == NULL)
		return (NULL);
	text = jdoc_text(payload, NULL);
	jdoc_free(payload);
	return (text);
}
