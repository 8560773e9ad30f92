/*
 * h1_kept.c - a head that comes again. A client that keeps its connection
 * mostly sends the same head each time, token included. To compare it with the
 * last one costs a tenth of what it costs to parse it; and since the same bytes
 * under the same limits are the same request, nothing else has to be asked.
 */
#include <stdlib.h>
#include <string.h>

#include "base/h1_internal.h"
#include "base/secret.h"

/* The longest head that is kept (bytes). */
#define KEPT_MAX 2048

/* After so many other heads in a row no more are kept: of a proxy's
 * connection, say, on which each request has a number of its own. */
#define MISSES_MAX 8

static bool is_simple(const h1_parser *p);

/* Whether the request is its head alone, and nobody has a reason to write to
 * it: queries are decoded in place by some. */
static bool
is_simple(const h1_parser *p)
{
	return (!p->has_length && !p->has_coding && p->fields == p->first &&
	    strchr(p->request.target, '?') == NULL);
}

void
h1_keep(h1_parser *p, const uint8_t *s, size_t len)
{
	struct h1_kept *kept = &p->kept;

	/* Most connections that come for one request come for no other. */
	if (!kept->second) {
		kept->second = true;
		return;
	}
	if (kept->misses >= MISSES_MAX || len > KEPT_MAX || !is_simple(p))
		return;
	if (kept->cap < len) {
		secret_free_mem(kept->head, kept->cap);
		kept->head = malloc(len);
		kept->cap = kept->head != NULL ? len : 0;
		if (kept->head == NULL)
			return;
	}
	memcpy(kept->head, s, len);
	kept->len = len;
	kept->valid = true;
}

size_t
h1_take_kept(h1_parser *p, const uint8_t *s, size_t len)
{
	struct h1_kept *kept = &p->kept;

	if (len >= kept->len && memcmp(s, kept->head, kept->len) == 0) {
		kept->misses = 0;
		p->state = H1_DONE;
		return (kept->len);
	}
	kept->misses++;
	kept->valid = false;
	h1_clear(p);
	return (0);
}

void
h1_forget(h1_parser *p)
{
	struct h1_kept *kept = &p->kept;

	if (kept->valid && p->state == H1_IDLE)
		h1_clear(p);
	secret_free_mem(kept->head, kept->cap);
	memset(kept, 0, sizeof(*kept));
}
