/*
 * h1.c - the parser's memory, the loop that drives it and the finished
 * request. See h1_internal.h for how the parts fit together.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/h1_internal.h"
#include "base/secret.h"

/* The smallest buffer (bytes). */
#define BUFFER_MIN 256

typedef size_t (*step_function)(h1_parser *p, const uint8_t *s, size_t n);

static void release(h1_parser *p);
static size_t head_room(h1_parser *p, size_t n);
static void place_fields(h1_parser *p);

static const step_function steps[AT__MAX] = {
    [AT_START] = h1_step_start,
    [AT_START_LF] = h1_step_start_lf,
    [AT_METHOD] = h1_step_method,
    [AT_TARGET] = h1_step_target,
    [AT_VERSION] = h1_step_version,
    [AT_LINE_LF] = h1_step_line_lf,
    [AT_FIELD] = h1_step_field,
    [AT_NAME] = h1_step_name,
    [AT_BLANKS] = h1_step_blanks,
    [AT_VALUE] = h1_step_value,
    [AT_FIELD_LF] = h1_step_field_lf,
    [AT_END_LF] = h1_step_end_lf,
    [AT_BODY] = h1_step_body,
    [AT_SIZE] = h1_step_size,
    [AT_SIZE_BLANKS] = h1_step_size_blanks,
    [AT_EXTENSION] = h1_step_extension,
    [AT_SIZE_LF] = h1_step_size_lf,
    [AT_DATA] = h1_step_data,
    [AT_DATA_CR] = h1_step_data_cr,
    [AT_DATA_LF] = h1_step_data_lf,
};

#define T (H1_TOKEN | H1_TARGET | H1_TEXT)
#define G (H1_TARGET | H1_TEXT)

/* The class of every byte; those not named belong to none. */
static const uint8_t byte_classes[256] = {
    ['\t'] = H1_TEXT | H1_BLANK,
    [' '] = H1_TEXT | H1_BLANK,
    ['!'] = T,
    ['"'] = G,
    ['#'] = H1_TOKEN | H1_TEXT,
    ['$' ... '\''] = T,
    ['(' ... ')'] = G,
    ['*' ... '+'] = T,
    [','] = G,
    ['-' ... '.'] = T,
    ['/'] = G,
    ['0' ... '9'] = T,
    [':' ... '@'] = G,
    ['A' ... 'Z'] = T,
    ['[' ... ']'] = G,
    ['^' ... 'z'] = T,
    ['{'] = G,
    ['|'] = T,
    ['}'] = G,
    ['~'] = T,
    [0x80 ... 0xff] = H1_TEXT,
};

#undef T
#undef G

/* Bytes that are looked at at once. */
union block {
	uint8_t bytes __attribute__((vector_size(16)));
	uint64_t words[2];
};

static bool has_control(const uint8_t *s);

h1_parser *
h1_new(const struct h1_limits *limits)
{
	h1_parser *p;

	if ((p = calloc(1, sizeof(*p))) == NULL)
		return (NULL);
	p->limits = *limits;
	return (p);
}

void
h1_free(h1_parser *p)
{
	if (p == NULL)
		return;
	h1_forget(p);
	release(p);
	free(p);
}

/* A request may hold a password or a token: nothing of it stays behind. */
static void
release(h1_parser *p)
{
	secret_free_mem(p->buf, p->cap);
	if (p->fields != p->first)
		free(p->fields);
	if (p->budget != NULL)
		h1_budget_give(p->budget, h1_shared_part(p->held));
	p->held = 0;
}

void
h1_share(h1_parser *p, struct h1_budget *budget)
{
	p->budget = budget;
}

bool
h1_budget_take(struct h1_budget *budget, size_t size)
{
	if (size > budget->max - budget->used)
		return (false);
	budget->used += size;
	return (true);
}

void
h1_budget_give(struct h1_budget *budget, size_t size)
{
	budget->used -= size;
}

size_t
h1_shared_part(size_t held)
{
	return (held > H1_OWN ? held - H1_OWN : 0);
}

bool
h1_hold(h1_parser *p, size_t size, size_t older)
{
	size_t held = p->held - older + size;

	if (p->budget != NULL &&
	    !h1_budget_take(
		p->budget, h1_shared_part(held) - h1_shared_part(p->held))) {
		h1_refuse(p, ERR_BUSY, "memory of large requests");
		return (false);
	}
	p->held = held;
	return (true);
}

void
h1_reset(h1_parser *p)
{
	if (p->kept.valid)
		p->state = H1_IDLE;
	else
		h1_clear(p);
}

void
h1_clear(h1_parser *p)
{
	release(p);
	memset(&p->state, 0,
	    offsetof(struct h1_parser, fault) -
		offsetof(struct h1_parser, state));
}

size_t
h1_feed(h1_parser *p, const void *data, size_t len)
{
	const uint8_t *s = data;
	size_t used = 0, n;
	bool head, fresh;

	if (p->kept.valid && p->state == H1_IDLE &&
	    (n = h1_take_kept(p, s, len)) > 0)
		return (n);
	fresh = p->at == AT_START && p->empty_lines == 0;
	while (used < len && p->state != H1_DONE && p->state != H1_ERROR) {
		n = len - used;
		head = p->at >= AT_METHOD && p->at <= AT_END_LF;
		if (head && (n = head_room(p, n)) == 0)
			break;
		n = steps[p->at](p, s + used, n);
		if (head)
			p->head_len += n;
		used += n;
	}
	if (fresh && p->state == H1_DONE)
		h1_keep(p, s, used);
	return (used);
}

/*
 * How many of n bytes the limits of the head still let in. A limit that is
 * used up ends the request at the first byte beyond it.
 */
static size_t
head_room(h1_parser *p, size_t n)
{
	size_t room;

	if (p->at <= AT_LINE_LF) {
		if (p->head_len >= p->limits.target_max)
			return (h1_refuse(p, ERR_URI_TOO_LONG, "request line"));
		room = p->limits.target_max - p->head_len;
		n = n < room ? n : room;
	}
	if (p->head_len >= p->limits.head_max)
		return (h1_refuse(p, ERR_HEAD_TOO_LARGE, "size of the head"));
	room = p->limits.head_max - p->head_len;
	return (n < room ? n : room);
}

size_t
h1_refuse(h1_parser *p, enum error_code code, const char *rule)
{
	fault_set(&p->fault, code, rule);
	p->state = H1_ERROR;
	return (0);
}

size_t
h1_refuse_byte(h1_parser *p, uint8_t c, const char *rule)
{
	if (c == '\n')
		rule = "bare LF";
	else if ((c < 0x20 && c != '\t' && c != '\r') || c == 0x7f)
		rule = "control byte";
	return (h1_refuse(p, ERR_BAD_REQUEST, rule));
}

/*
 * The buffer at least doubles, so that copying stays in proportion to what
 * arrived. The old one is wiped, which realloc() would not do.
 */
bool
h1_reserve(h1_parser *p, size_t more)
{
	size_t cap = p->cap * 2;
	char *buf;

	if (p->cap - p->len >= more)
		return (true);
	if (cap < BUFFER_MIN)
		cap = BUFFER_MIN;
	if (cap < p->len + more)
		cap = p->len + more;
	else if (cap > H1_OWN_TEXT && p->len + more <= H1_OWN_TEXT)
		cap = H1_OWN_TEXT;
	if (!h1_hold(p, cap, p->cap))
		return (false);
	if ((buf = malloc(cap)) == NULL) {
		h1_refuse(p, ERR_BUSY, "memory");
		return (false);
	}
	if (p->buf != NULL)
		memcpy(buf, p->buf, p->len);
	secret_free_mem(p->buf, p->cap);
	p->buf = buf;
	p->cap = cap;
	return (true);
}

bool
h1_put(h1_parser *p, const void *data, size_t len)
{
	if (!h1_reserve(p, len))
		return (false);
	memcpy(p->buf + p->len, data, len);
	p->len += len;
	return (true);
}

/* Whether one of the bytes of a block is a control byte. */
static bool
has_control(const uint8_t *s)
{
	union block block;

	memcpy(&block, s, sizeof(block));
	block.bytes = (block.bytes < 0x20) | (block.bytes == 0x7f);
#ifdef __SSE2__
	return (_mm_movemask_epi8((__m128i)block.bytes) != 0);
#else
	return ((block.words[0] | block.words[1]) != 0);
#endif
}

/* Field values make up most of a request, and a token most of those: of them
 * whole blocks are passed over, as long as there is no control byte. */
size_t
h1_run(const uint8_t *s, size_t n, uint8_t classes)
{
	size_t i = 0;

	if (classes == H1_TEXT) {
		while (n - i >= sizeof(union block) && !has_control(s + i))
			i += sizeof(union block);
	}
	for (; i < n && (byte_classes[s[i]] & classes) != 0; i++)
		;
	return (i);
}

void
h1_complete(h1_parser *p)
{
	struct h1_request *r = &p->request;
	size_t body_len = p->len - p->body_at;

	/* Text functions find an end behind the body, too. */
	if (!h1_put(p, "", 1))
		return;
	place_fields(p);
	r->method = p->buf;
	r->target = p->buf + p->target_at;
	r->host = "";
	if (p->absolute)
		r->host = p->buf + p->host_at;
	else if (p->has_host)
		r->host = p->fields[p->host_index].value;
	r->minor = p->minor;
	r->keep_alive = p->minor > 0 && !p->close;
	r->fields = p->fields;
	r->body = (const uint8_t *)p->buf + p->body_at;
	r->body_len = body_len;
	p->wants_continue = false;
	p->state = H1_DONE;
}

/* Names and values lie one behind the other: their lengths give the rest. */
static void
place_fields(h1_parser *p)
{
	const char *next = p->buf + p->fields_at;
	struct h1_field *f;
	size_t i;

	for (i = 0; i < p->request.nfields; i++) {
		f = &p->fields[i];
		f->name = next;
		f->value = f->name + f->name_len + 1;
		next = f->value + f->value_len + 1;
	}
}

enum h1_state
h1_state(const h1_parser *p)
{
	return (p->state);
}

const struct h1_request *
h1_request(const h1_parser *p)
{
	return (p->state == H1_DONE ? &p->request : NULL);
}

const struct fault *
h1_fault(const h1_parser *p)
{
	return (p->state == H1_ERROR ? &p->fault : NULL);
}

bool
h1_wants_continue(h1_parser *p)
{
	bool wants = p->wants_continue;

	p->wants_continue = false;
	return (wants);
}

static const struct h1_field *
find_from(const struct h1_request *r, size_t from, const char *name)
{
	size_t i, len = strlen(name);

	for (i = from; i < r->nfields; i++) {
		if (r->fields[i].name_len == len &&
		    (memcmp(r->fields[i].name, name, len) == 0 ||
			strcasecmp(r->fields[i].name, name) == 0))
			return (&r->fields[i]);
	}
	return (NULL);
}

const struct h1_field *
h1_find(const struct h1_request *r, const char *name)
{
	return (find_from(r, 0, name));
}

/* Without memory for the joined text the field counts as absent, which for
 * credentials means refused. */
const char *
h1_join(
    const struct h1_request *r, const char *name, size_t *len, char **joined)
{
	const struct h1_field *first, *f;
	size_t total = 0, at = 0;

	*joined = NULL;
	*len = 0;
	if ((first = h1_find(r, name)) == NULL)
		return (NULL);
	for (f = first; f != NULL;
	     f = find_from(r, (size_t)(f - r->fields) + 1, name))
		total += f->value_len + 1;
	*len = total - 1;
	if (*len == first->value_len)
		return (first->value);
	if ((*joined = malloc(total)) == NULL)
		return (NULL);
	for (f = first; f != NULL;
	     f = find_from(r, (size_t)(f - r->fields) + 1, name)) {
		memcpy(*joined + at, f->value, f->value_len);
		at += f->value_len;
		(*joined)[at++] = ',';
	}
	(*joined)[*len] = '\0';
	return (*joined);
}
