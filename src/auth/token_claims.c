#include <stdlib.h>

#include "auth/token_claims.h"
#include "base/secret.h"

struct claims {
	jdoc *payload;
	struct clock clock;
	/* Looked up once; the texts belong to payload. */
	const char *subject;
	size_t subject_len;
	const char *id;
	int64_t expires;
	int64_t issued;
};

static int64_t time_or(const jdoc *payload, const char *name, int64_t absent);

static int64_t
time_or(const jdoc *payload, const char *name, int64_t absent)
{
	const jdoc *value = jdoc_member(payload, name);
	int64_t time;

	if (value == NULL || !jdoc_time(value, &time))
		return (absent);
	return (time);
}

struct claims *
claims_new(const struct token_policy *policy, jdoc *payload)
{
	struct claims *c;

	c = calloc(1, sizeof(*c));
	if (c == NULL) {
		jdoc_free(payload);
		return (NULL);
	}
	c->payload = payload;
	c->clock = policy->clock;
	c->subject = jdoc_string(jdoc_member(payload, "sub"), &c->subject_len);
	c->id = jdoc_string(jdoc_member(payload, "jti"), NULL);
	c->expires = time_or(payload, "exp", INT64_MAX);
	c->issued = time_or(payload, "iat", 0);
	return (c);
}

void
claims_free(struct claims *c)
{
	if (c == NULL)
		return;
	jdoc_free(c->payload);
	secret_free_mem(c, sizeof(*c));
}

const char *
claims_subject(const struct claims *c, size_t *len)
{
	if (len != NULL)
		*len = c->subject_len;
	return (c->subject);
}

const char *
claims_id(const struct claims *c)
{
	return (c->id);
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
	const jdoc *fresh = jdoc_member(c->payload, "fresh");
	int64_t until;

	if (fresh == NULL)
		return (false);
	if (jdoc_time(fresh, &until))
		return (until > clock_now(&c->clock));
	return (jdoc_true(fresh));
}

char *
claims_json(const struct claims *c)
{
	return (jdoc_text(c->payload, NULL));
}
