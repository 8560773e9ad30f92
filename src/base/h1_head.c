/*
 * h1_head.c - the request line and the header lines, byte by byte (RFC 9112,
 * sections 2.2, 3 and 5). A trailer section takes the same way as header
 * lines, but nothing of it is kept.
 */
#include <stdlib.h>
#include <string.h>

#include "base/h1_internal.h"

/* What the first buffer is made for, if that much has arrived (bytes). */
#define BUFFER_FIRST_MAX 2048

static size_t expect_lf(h1_parser *p, uint8_t c, enum h1_place next);
static bool version_byte(h1_parser *p, uint8_t c);
static size_t request_line_end(h1_parser *p);
static bool field_begin(h1_parser *p);
static bool field_end(h1_parser *p);

static size_t
expect_lf(h1_parser *p, uint8_t c, enum h1_place next)
{
	if (c != '\n')
		return (h1_refuse(p, ERR_BAD_REQUEST, "bare CR"));
	p->at = next;
	return (1);
}

size_t
h1_step_start(h1_parser *p, const uint8_t *s, size_t n)
{
	if (*s == '\r' && p->empty_lines < H1_EMPTY_LINES_MAX) {
		p->empty_lines++;
		p->at = AT_START_LF;
		return (1);
	}
	if (!h1_reserve(p, n < BUFFER_FIRST_MAX ? n : BUFFER_FIRST_MAX))
		return (0);
	p->state = H1_HEAD;
	p->at = AT_METHOD;
	return (0);
}

size_t
h1_step_start_lf(h1_parser *p, const uint8_t *s, size_t n)
{
	(void)n;
	return (expect_lf(p, *s, AT_START));
}

size_t
h1_step_method(h1_parser *p, const uint8_t *s, size_t n)
{
	size_t room = H1_METHOD_MAX - p->len;
	size_t run = h1_run(s, n, H1_TOKEN);

	if (run > 0 && room == 0) {
		return (h1_refuse(p, ERR_BAD_REQUEST, "length of the method"));
	}
	if (run > room)
		run = room;
	if (run > 0)
		return (h1_put(p, s, run) ? run : 0);
	if (*s != ' ' || p->len == 0)
		return (h1_refuse_byte(p, *s, "method"));
	if (!h1_put(p, "", 1))
		return (0);
	p->target_at = p->len;
	p->at = AT_TARGET;
	return (1);
}

size_t
h1_step_target(h1_parser *p, const uint8_t *s, size_t n)
{
	size_t run = h1_run(s, n, H1_TARGET);

	if (run > 0)
		return (h1_put(p, s, run) ? run : 0);
	if (*s != ' ' || p->len == p->target_at)
		return (h1_refuse_byte(p, *s, "request target"));
	p->target_len = p->len - p->target_at;
	if (!h1_put(p, "", 1))
		return (0);
	p->fields_at = p->len;
	p->at = AT_VERSION;
	return (1);
}

/* The next byte of "HTTP/1.1". */
static bool
version_byte(h1_parser *p, uint8_t c)
{
	static const char prefix[] = "HTTP/";
	size_t i = p->version_len++;
	bool digit = c >= '0' && c <= '9';

	if (i < sizeof(prefix) - 1)
		return (c == (uint8_t)prefix[i]);
	if (i == sizeof(prefix))
		return (c == '.');
	if (i < sizeof(prefix))
		p->major = c - '0';
	else
		p->minor = c - '0';
	return (digit);
}

size_t
h1_step_version(h1_parser *p, const uint8_t *s, size_t n)
{
	(void)n;
	if (p->version_len == sizeof("HTTP/1.1") - 1) {
		if (*s == '\r')
			return (request_line_end(p));
		return (h1_refuse_byte(p, *s, "HTTP version"));
	}
	if (!version_byte(p, *s))
		return (h1_refuse_byte(p, *s, "HTTP version"));
	return (1);
}

/* The version comes before the target, whose forms depend on it. */
static size_t
request_line_end(h1_parser *p)
{
	if (p->major != 1)
		return (h1_refuse(p, ERR_HTTP_VERSION, "HTTP version"));
	if (p->minor > 1)
		p->minor = 1;
	if (!h1_check_target(p))
		return (0);
	p->at = AT_LINE_LF;
	return (1);
}

size_t
h1_step_line_lf(h1_parser *p, const uint8_t *s, size_t n)
{
	(void)n;
	return (expect_lf(p, *s, AT_FIELD));
}

/* The first byte of a line: a field, or the end of the section. */
size_t
h1_step_field(h1_parser *p, const uint8_t *s, size_t n)
{
	(void)n;
	if (*s == '\r') {
		p->at = AT_END_LF;
		return (1);
	}
	if (*s == ' ' || *s == '\t') {
		return (h1_refuse(p, ERR_BAD_REQUEST,
		    p->request.nfields == 0 && !p->trailer
			? "white space before the first field"
			: "folded field"));
	}
	if (*s == ':')
		return (h1_refuse(p, ERR_BAD_REQUEST, "empty field name"));
	if (h1_run(s, 1, H1_TOKEN) == 0)
		return (h1_refuse_byte(p, *s, "field name"));
	if (!field_begin(p))
		return (0);
	p->at = AT_NAME;
	return (0);
}

/* Count the field and have a place for it. */
static bool
field_begin(h1_parser *p)
{
	size_t count = p->request.nfields + p->trailers, cap;
	struct h1_field *fields;

	p->item_at = p->len;
	if (count >= p->limits.fields_max) {
		h1_refuse(p, ERR_HEAD_TOO_LARGE, "number of fields");
		return (false);
	}
	if (p->trailer) {
		p->trailers++;
		return (true);
	}
	if (p->fields == NULL) {
		p->fields = p->first;
		p->fields_cap = H1_FIELDS_FIRST;
	}
	if (count < p->fields_cap)
		return (true);
	cap = p->fields_cap * 2;
	if (!h1_hold(p, cap * sizeof(*fields),
		p->fields != p->first ? p->fields_cap * sizeof(*fields) : 0))
		return (false);
	if ((fields = malloc(cap * sizeof(*fields))) == NULL) {
		h1_refuse(p, ERR_BUSY, "memory");
		return (false);
	}
	memcpy(fields, p->fields, count * sizeof(*fields));
	if (p->fields != p->first)
		free(p->fields);
	p->fields = fields;
	p->fields_cap = cap;
	return (true);
}

size_t
h1_step_name(h1_parser *p, const uint8_t *s, size_t n)
{
	size_t run = h1_run(s, n, H1_TOKEN);

	if (run > 0)
		return (p->trailer || h1_put(p, s, run) ? run : 0);
	if (*s == ' ' || *s == '\t') {
		return (h1_refuse(
		    p, ERR_BAD_REQUEST, "white space before the colon"));
	}
	if (*s != ':')
		return (h1_refuse_byte(p, *s, "field name"));
	p->at = AT_BLANKS;
	if (p->trailer)
		return (1);
	p->fields[p->request.nfields].name_len = p->len - p->item_at;
	if (!h1_put(p, "", 1))
		return (0);
	p->item_at = p->len;
	return (1);
}

/* White space before a value. */
size_t
h1_step_blanks(h1_parser *p, const uint8_t *s, size_t n)
{
	size_t run = h1_run(s, n, H1_BLANK);

	if (run < n)
		p->at = AT_VALUE;
	return (run);
}

size_t
h1_step_value(h1_parser *p, const uint8_t *s, size_t n)
{
	size_t run = h1_run(s, n, H1_TEXT);

	if (run > 0)
		return (p->trailer || h1_put(p, s, run) ? run : 0);
	if (*s != '\r')
		return (h1_refuse_byte(p, *s, "field value"));
	if (!p->trailer && !field_end(p))
		return (0);
	p->at = AT_FIELD_LF;
	return (1);
}

/* Cut the white space behind the value off and take the field in. */
static bool
field_end(h1_parser *p)
{
	struct h1_field *f = &p->fields[p->request.nfields];
	const char *name = p->buf + p->item_at - f->name_len - 1;

	while (p->len > p->item_at &&
	    (p->buf[p->len - 1] == ' ' || p->buf[p->len - 1] == '\t'))
		p->len--;
	f->value_len = p->len - p->item_at;
	if (!h1_check_field(
		p, name, f->name_len, p->buf + p->item_at, f->value_len))
		return (false);
	p->request.nfields++;
	return (h1_put(p, "", 1));
}

size_t
h1_step_field_lf(h1_parser *p, const uint8_t *s, size_t n)
{
	(void)n;
	return (expect_lf(p, *s, AT_FIELD));
}

/* The empty line: what follows is a body, or nothing. */
size_t
h1_step_end_lf(h1_parser *p, const uint8_t *s, size_t n)
{
	(void)n;
	if (*s != '\n')
		return (h1_refuse(p, ERR_BAD_REQUEST, "bare CR"));
	if (p->trailer) {
		h1_complete(p);
		return (p->state == H1_DONE ? 1 : 0);
	}
	if (!h1_check_head(p))
		return (0);
	p->body_at = p->len;
	p->left = p->length;
	p->wants_continue = p->expect_continue;
	p->state = H1_BODY;
	p->at = p->has_coding ? AT_SIZE : AT_BODY;
	if (!p->has_coding && p->length == 0)
		h1_complete(p);
	return (p->state == H1_ERROR ? 0 : 1);
}
