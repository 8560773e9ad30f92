/*
 * jdoc_parse.c - text to document: Jansson does the parsing, this file closes
 * the gaps between what Jansson takes and what RFC 8259 says.
 *
 * Jansson takes too much: a NUL byte behind a number passes for its end, and
 * nesting may go 2048 deep. scan() looks at every byte first.
 *
 * Jansson takes too little: names with a NUL, integers of more than 64 bits
 * and numbers beyond a double are refused, each with an error code of its own.
 * Only then is the text rewritten by widen() into one that Jansson takes, and
 * the names are put right in the result.
 */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/jdoc.h"
#include "base/secret.h"

/*
 * Names in a rewritten text: U+0000 becomes U+0001 '0' and U+0001 becomes
 * U+0001 '1'. JSON can hold either character as an escape only, so every one
 * of them is seen, and the way back is unambiguous.
 */
#define MARK     '\x01'
#define MARK_NUL '0'
#define MARK_ONE '1'

/* Longest text of a number that widen() writes itself. */
#define NUMBER_MAX 32

/*
 * How much longer a rewritten text can be at most: the shortest number that
 * is rewritten has 5 bytes ("1e309"), the longest result fewer than 25.
 */
#define WIDEN_FACTOR 5

/* A text being written. */
struct text {
	char *data;
	size_t len;
	size_t size;
};

static const char *scan(const char *, size_t);
static json_t *load(const char *, size_t, int, json_error_t *);
static json_t *load_widened(const char *, size_t, int, json_error_t *);
static const char *words_for(const json_error_t *);
static void explain(char *, const char *, const json_error_t *);
static void widen(const char *, struct text *);
static const char *widen_string(const char *, struct text *);
static const char *widen_number(const char *, struct text *);
static bool wraps(const char *, size_t);
static bool is_number(const char *, size_t);
static const char *skip_digits(const char *);
static bool restore(json_t *);
static bool restore_names(json_t *, json_t *);
static size_t restore_name(const char *, size_t, char *);
static void append(struct text *, const char *, size_t);

jdoc *
jdoc_parse(const void *data, size_t len, int flags, char error[JDOC_ERROR_MAX])
{
	json_error_t e;
	json_t *doc;
	const char *words;

	error[0] = '\0';
	if (data == NULL)
		data = "";
	if ((words = scan(data, len)) != NULL) {
		explain(error, words, NULL);
		return (NULL);
	}

	if ((doc = load(data, len, flags, &e)) != NULL)
		return ((jdoc *)doc);
	if (json_error_code(&e) != json_error_null_byte_in_key &&
	    json_error_code(&e) != json_error_numeric_overflow) {
		explain(error, words_for(&e), &e);
		return (NULL);
	}

	if ((doc = load_widened(data, len, flags, &e)) == NULL) {
		/* The place in e would be that of another text. */
		explain(error, words_for(&e), NULL);
	}

	return ((jdoc *)doc);
}

/*
 * What has to be ruled out before Jansson sees the text: bytes that are never
 * part of JSON, and nesting that would cost stack. Brackets are counted
 * without regard to their kind; whether they match is Jansson's business.
 * Returns words for what is wrong, or NULL.
 */
static const char *
scan(const char *text, size_t len)
{
	size_t i, depth;
	bool quoted;

	if (!utf8_valid(text, len))
		return ("Not valid UTF-8");

	depth = 0;
	quoted = false;
	for (i = 0; i < len; i++) {
		if (text[i] == '\0')
			return ("Control character in the text");
		if (quoted) {
			if (text[i] == '\\' && i + 1 < len &&
			    text[i + 1] != '\0')
				i++;
			else if (text[i] == '"')
				quoted = false;
		} else if (text[i] == '"') {
			quoted = true;
		} else if (text[i] == '[' || text[i] == '{') {
			if (++depth > JDOC_DEPTH_MAX)
				return ("Nested too deeply");
		} else if (text[i] == ']' || text[i] == '}') {
			if (depth > 0)
				depth--;
		}
	}

	return (NULL);
}

static json_t *
load(const char *text, size_t len, int flags, json_error_t *e)
{
	size_t how = JSON_DECODE_ANY | JSON_ALLOW_NUL;

	if (flags & JDOC_REJECT_DUPLICATES)
		how |= JSON_REJECT_DUPLICATES;

	return (json_loadb(text, len, how, e));
}

/* The second way, for what Jansson has no room for. */
static json_t *
load_widened(const char *text, size_t len, int flags, json_error_t *e)
{
	struct text wide = {NULL, 0, 0};
	json_t *doc = NULL;
	char *copy;

	/* The copy ends with a NUL, and with it every loop over it. */
	copy = strndup(text, len);
	if (len < SIZE_MAX / WIDEN_FACTOR) {
		wide.size = WIDEN_FACTOR * len;
		wide.data = malloc(wide.size);
	}
	if (copy != NULL && wide.data != NULL) {
		widen(copy, &wide);
		doc = load(wide.data, wide.len, flags, e);
		if (doc != NULL && !restore(doc)) {
			json_decref(doc);
			doc = NULL;
		}
	}
	secret_free_mem(copy, len);
	secret_free_mem(wide.data, wide.len);

	return (doc);
}

/* Jansson's own words quote the text, which has no place in an answer. */
static const char *
words_for(const json_error_t *e)
{
	switch (json_error_code(e)) {
	case json_error_premature_end_of_input:
		return (e->position == 0 ? "Expecting value"
					 : "Unexpected end of the text");
	case json_error_end_of_input_expected:
		return ("Extra data");
	case json_error_duplicate_key:
		return ("Repeated member name");
	case json_error_invalid_utf8:
		return ("Not valid UTF-8");
	case json_error_stack_overflow:
		return ("Nested too deeply");
	case json_error_out_of_memory:
		return ("Out of memory");
	default:
		return ("Invalid syntax");
	}
}

/* "Words: line 1 column 2 (char 1)", the place being that of the last
 * character looked at; only the words where there is no place. */
static void
explain(char *error, const char *words, const json_error_t *e)
{
	int character;

	if (e == NULL || e->line < 1 || e->position < 0) {
		(void)snprintf(error, JDOC_ERROR_MAX, "%s", words);
		return;
	}

	character = e->position > 0 ? e->position - 1 : 0;
	(void)snprintf(error, JDOC_ERROR_MAX, "%s: line %d column %d (char %d)",
	    words, e->line, e->column > 0 ? e->column : 1, character);
}

/*
 * Rewrite a NUL-terminated text. Nothing that Jansson would refuse for another
 * reason may become valid, so all but names and well-formed numbers is copied
 * as it is.
 */
static void
widen(const char *p, struct text *out)
{
	while (*p != '\0') {
		if (*p == '"') {
			p = widen_string(p, out);
		} else if (*p == '-' || (*p >= '0' && *p <= '9')) {
			p = widen_number(p, out);
		} else {
			append(out, p, 1);
			p++;
		}
	}
}

/*
 * Copy a string; in a member's name, which is a string before a colon, escape
 * what restore_names() turns back. Returns what comes after the string.
 */
static const char *
widen_string(const char *start, struct text *out)
{
	const char *end, *next, *p;
	size_t n;

	for (end = start + 1; *end != '\0' && *end != '"'; end++) {
		if (*end == '\\' && end[1] != '\0')
			end++;
	}
	if (*end == '"')
		end++;

	next = end + strspn(end, " \t\r\n");
	if (*next != ':') {
		append(out, start, (size_t)(end - start));
		return (end);
	}

	for (p = start; p < end; p += n) {
		n = *p == '\\' && p + 1 < end ? 2 : 1;
		if (strncmp(p, "\\u0000", 6) == 0) {
			append(out, "\\u00010", 7);
			n = 6;
		} else if (strncmp(p, "\\u0001", 6) == 0) {
			append(out, "\\u00011", 7);
			n = 6;
		} else {
			append(out, p, n);
		}
	}

	return (end);
}

/*
 * Copy a number; one that is well-formed but too large for Jansson is written
 * as the nearest double. Returns what comes after the number.
 */
static const char *
widen_number(const char *p, struct text *out)
{
	size_t len = strspn(p, "+-.0123456789Ee");
	char number[NUMBER_MAX];
	double d;
	int n;

	if (!is_number(p, len)) {
		append(out, p, len);
		return (p + len);
	}
	d = strtod(p, NULL);
	if (!isinf(d) && !wraps(p, len)) {
		append(out, p, len);
		return (p + len);
	}

	if (isinf(d))
		d = d > 0 ? DBL_MAX : -DBL_MAX;
	n = snprintf(number, sizeof(number), "%.17g", d);
	append(out, number, (size_t)n);

	return (p + len);
}

/* Whether a number is an integer beyond int64_t. */
static bool
wraps(const char *p, size_t len)
{
	/* With a fraction or an exponent Jansson takes it for a double. */
	if (strspn(p, "-0123456789") != len)
		return (false);

	errno = 0;
	(void)strtoll(p, NULL, 10);

	return (errno == ERANGE);
}

/* Whether the len bytes at p are one number of RFC 8259, section 6. */
static bool
is_number(const char *p, size_t len)
{
	const char *q = p;

	if (*q == '-')
		q++;
	if (*q == '0')
		q++;
	else if (*q >= '1' && *q <= '9')
		q = skip_digits(q);
	else
		return (false);

	if (*q == '.') {
		if (skip_digits(q + 1) == q + 1)
			return (false);
		q = skip_digits(q + 1);
	}
	if (*q == 'e' || *q == 'E') {
		q++;
		if (*q == '+' || *q == '-')
			q++;
		if (skip_digits(q) == q)
			return (false);
		q = skip_digits(q);
	}

	return (q == p + len);
}

static const char *
skip_digits(const char *p)
{
	return (p + strspn(p, "0123456789"));
}

/* Turn the names in a document back to what the client wrote. The depth is
 * bounded by scan(). */
static bool
restore(json_t *v)
{
	json_t *element, *old;
	size_t i;
	bool ok;

	if (json_is_array(v)) {
		json_array_foreach(v, i, element)
		{
			if (!restore(element))
				return (false);
		}
	}
	if (!json_is_object(v))
		return (true);

	if ((old = json_copy(v)) == NULL)
		return (false);
	ok = json_object_clear(v) == 0 && restore_names(old, v);
	json_decref(old);

	return (ok);
}

/* Move all members in their order, each under its own name. */
static bool
restore_names(json_t *from, json_t *to)
{
	json_t *value;
	const char *name;
	char *own;
	size_t len;
	int ret;

	json_object_keylen_foreach(from, name, len, value)
	{
		if (!restore(value) || (own = malloc(len + 1)) == NULL)
			return (false);
		ret = json_object_setn(
		    to, own, restore_name(name, len, own), value);
		free(own);
		if (ret == -1)
			return (false);
	}

	return (true);
}

static size_t
restore_name(const char *name, size_t len, char *own)
{
	size_t i, n;

	n = 0;
	for (i = 0; i < len; i++) {
		if (name[i] == MARK && i + 1 < len) {
			i++;
			own[n++] = name[i] == MARK_NUL ? '\0' : MARK;
		} else {
			own[n++] = name[i];
		}
	}

	return (n);
}

/* Room is there by WIDEN_FACTOR; if it is not, the reckoning was wrong. */
static void
append(struct text *t, const char *data, size_t len)
{
	if (len > t->size - t->len)
		abort();
	memcpy(t->data + t->len, data, len);
	t->len += len;
}
