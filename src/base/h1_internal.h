/*
 * h1_internal.h - shared by the parts of the HTTP/1.1 parser only: h1.c
 * (memory, feeding, the finished request), h1_head.c (request line and header
 * lines), h1_fields.c (what the framing fields mean), h1_chunked.c (the body)
 * and h1_kept.c (a head that comes again).
 *
 * The parser is a state machine over bytes. A step looks at the bytes that
 * have arrived, takes a run of them or moves to another place, and returns how
 * many it took; a step that refuses takes nothing. What is kept of the head is
 * packed into one buffer as method, target, name, value, name, value, ..., each
 * followed by a NUL, and the body follows behind the last value. Since that
 * order is fixed, lengths are all that has to be remembered until the request
 * is complete; pointers are made once, when the buffer can no longer move.
 */
#ifndef CORGI_H1_INTERNAL_H
#define CORGI_H1_INTERNAL_H

#include "base/h1.h"

/* Longest method token (bytes); the longest registered one has 17. */
#define H1_METHOD_MAX 32

/* Empty lines taken before a request line (RFC 9112, section 2.2). */
#define H1_EMPTY_LINES_MAX 4

/* Digits of a Content-Length; leaves no way to overflow 64 bits. */
#define H1_LENGTH_DIGITS_MAX 18

/* Digits of a chunk size. */
#define H1_CHUNK_DIGITS_MAX 8

/* Chunk extensions of one whole request (bytes), blanks included. */
#define H1_CHUNK_EXTENSION_MAX 1024

/* Places in the state machine. Those from AT_METHOD to AT_END_LF count towards
 * the limits of the head. */
enum h1_place {
	AT_START,
	AT_START_LF,
	AT_METHOD,
	AT_TARGET,
	AT_VERSION,
	AT_LINE_LF,
	AT_FIELD,
	AT_NAME,
	AT_BLANKS,
	AT_VALUE,
	AT_FIELD_LF,
	AT_END_LF,
	AT_BODY,
	AT_SIZE,
	AT_SIZE_BLANKS,
	AT_EXTENSION,
	AT_SIZE_LF,
	AT_DATA,
	AT_DATA_CR,
	AT_DATA_LF,
	AT__MAX
};

/* Classes of bytes, for h1_run(). */
#define H1_TOKEN  0x01 /* RFC 9110, section 5.6.2 */
#define H1_TARGET 0x02 /* printable ASCII but blank and "#" */
#define H1_TEXT   0x04 /* all that a field value may hold */
#define H1_BLANK  0x08 /* SP and HTAB */

/* Room for the header lines of most requests. */
#define H1_FIELDS_FIRST 16

/* The last head, as it came, while its request is kept. */
struct h1_kept {
	uint8_t *head;
	size_t len;
	size_t cap;
	unsigned int misses; /* heads in a row that were other ones */
	bool second;         /* a request has come before */
	bool valid;
};

struct h1_parser {
	struct h1_limits limits;
	struct h1_budget *budget; /* NULL: none */
	struct h1_kept kept;

	/* From here on to the fault: zero for each new request. */
	enum h1_state state;
	enum h1_place at;
	struct h1_request request;

	/* The packed head and body. */
	char *buf;
	size_t len;
	size_t cap;
	struct h1_field *fields; /* NULL: none yet */
	size_t fields_cap;
	size_t held; /* bytes of both that were allocated */

	/* The head. */
	size_t head_len; /* bytes taken, trailer section included */
	size_t empty_lines;
	size_t target_at;
	size_t target_len;
	size_t fields_at; /* where the first name begins */
	size_t version_len;
	size_t item_at; /* where the name or value under way begins */
	size_t trailers;
	int major;
	int minor;
	bool trailer; /* the lines are a trailer section: check and drop */

	/* What the fields say. */
	bool absolute; /* the target brought its own host */
	size_t host_at;
	bool has_host;
	size_t host_index;
	bool has_length;
	uint64_t length;
	bool has_coding; /* any Transfer-Encoding */
	bool chunked;    /* the last coding named is "chunked" */
	bool coding_other;
	bool close;
	bool expect_continue;
	bool expect_other;
	bool wants_continue;

	/* The body. */
	size_t body_at;
	uint64_t left; /* of the body, or of the chunk */
	size_t chunk_digits;
	size_t extension_len;

	/* Written before they are read. */
	struct fault fault;
	struct h1_field first[H1_FIELDS_FIRST];
};

/* h1.c */

/* Settle on a refusal; returns 0 for a step to return. */
size_t h1_refuse(h1_parser *p, enum error_code code, const char *rule);

/* Refuse byte c: line feeds and control bytes have rules of their own, for
 * anything else the rule given is the broken one. */
size_t h1_refuse_byte(h1_parser *p, uint8_t c, const char *rule);

/* Append to the buffer; false when refused for want of memory. */
bool h1_put(h1_parser *p, const void *data, size_t len);

/* Make room for as many bytes more. */
bool h1_reserve(h1_parser *p, size_t more);

/* Ask for the bytes of an allocation that takes the place of an older one;
 * false when refused, as they are more than is left. */
bool h1_hold(h1_parser *p, size_t size, size_t older);

/* How many of the bytes at s belong to one of the classes. */
size_t h1_run(const uint8_t *s, size_t n, uint8_t classes);

/* Everything has arrived: make the request. */
void h1_complete(h1_parser *p);

/* Give the request's memory back and begin anew. */
void h1_clear(h1_parser *p);

/* h1_kept.c */

/* A request is complete, and these bytes are the whole of it: keep it if that
 * may be of use. */
void h1_keep(h1_parser *p, const uint8_t *s, size_t len);

/* Between two requests: take the request that is kept if the bytes begin with
 * it, else let go of it. How many bytes it took. */
size_t h1_take_kept(h1_parser *p, const uint8_t *s, size_t len);

/* h1_head.c: one step per place from AT_START to AT_END_LF. */
size_t h1_step_start(h1_parser *p, const uint8_t *s, size_t n);
size_t h1_step_start_lf(h1_parser *p, const uint8_t *s, size_t n);
size_t h1_step_method(h1_parser *p, const uint8_t *s, size_t n);
size_t h1_step_target(h1_parser *p, const uint8_t *s, size_t n);
size_t h1_step_version(h1_parser *p, const uint8_t *s, size_t n);
size_t h1_step_line_lf(h1_parser *p, const uint8_t *s, size_t n);
size_t h1_step_field(h1_parser *p, const uint8_t *s, size_t n);
size_t h1_step_name(h1_parser *p, const uint8_t *s, size_t n);
size_t h1_step_blanks(h1_parser *p, const uint8_t *s, size_t n);
size_t h1_step_value(h1_parser *p, const uint8_t *s, size_t n);
size_t h1_step_field_lf(h1_parser *p, const uint8_t *s, size_t n);
size_t h1_step_end_lf(h1_parser *p, const uint8_t *s, size_t n);

/* h1_fields.c: these return false when they refused. */

/* Check the form of the target and cut an absolute one down. */
bool h1_check_target(h1_parser *p);

/* Take in the field just read, if it is one that matters here. */
bool h1_check_field(h1_parser *p, const char *name, size_t name_len,
    const char *value, size_t value_len);

/* What only the whole head can tell. */
bool h1_check_head(h1_parser *p);

/* h1_chunked.c: one step per place from AT_BODY on. */
size_t h1_step_body(h1_parser *p, const uint8_t *s, size_t n);
size_t h1_step_size(h1_parser *p, const uint8_t *s, size_t n);
size_t h1_step_size_blanks(h1_parser *p, const uint8_t *s, size_t n);
size_t h1_step_extension(h1_parser *p, const uint8_t *s, size_t n);
size_t h1_step_size_lf(h1_parser *p, const uint8_t *s, size_t n);
size_t h1_step_data(h1_parser *p, const uint8_t *s, size_t n);
size_t h1_step_data_cr(h1_parser *p, const uint8_t *s, size_t n);
size_t h1_step_data_lf(h1_parser *p, const uint8_t *s, size_t n);

#endif
