/*
 * whoami.c - who is asking, for pages that greet those who are signed in and
 * serve everybody: a handler that can do without a token.
 */
#include <string.h>

#include <kore/kore.h>
#include <kore/http.h>

#include "base/jdoc.h"
#include "http/front.h"
#include "http/guard.h"

static char *describe(const struct claims *, size_t *);

OPTIONAL_HANDLER(handle_whoami)
{
	size_t len = 0;
	char *body = describe(claims, &len);

	return (front_reply_private(req, body, len));
}

/* {"sub": name}, or null for nobody. */
static char *
describe(const struct claims *claims, size_t *len)
{
	const char *subject;
	char *text = NULL;
	size_t subject_len;
	jdoc *doc, *name;

	if (claims == NULL)
		name = jdoc_new_null();
	else {
		subject = claims_subject(claims, &subject_len);
		name = jdoc_new_string(subject, subject_len);
	}
	doc = jdoc_new_object();
	if (jdoc_set(doc, "sub", name) == 0)
		text = jdoc_text(doc, len);
	jdoc_free(doc);
	return (text);
}
