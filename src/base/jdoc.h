/*
 * jdoc.h - JSON in and out (RFC 8259). The one interface to Jansson.
 *
 * Documents are parsed strictly: UTF-8 only, one value, nothing after it,
 * nesting bounded, no NaN or Infinity. Strings and member names keep embedded
 * NULs: always use the lengths. Numbers of any size are accepted and never
 * wrap; see jdoc_time().
 *
 * A document belongs to its caller and goes with jdoc_free(); values looked up
 * in it live as long as the document. Different documents may be used from
 * different threads at once; jdoc_init() comes first, once per process.
 */
#ifndef CORGI_JDOC_H
#define CORGI_JDOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Deepest nesting of arrays and objects that is taken. */
#define JDOC_DEPTH_MAX 64

/* Longest explanation of a parse error, the closing NUL included (bytes). */
#define JDOC_ERROR_MAX 128

enum jdoc_type {
	JDOC_NULL,
	JDOC_BOOL,
	JDOC_NUMBER,
	JDOC_STRING,
	JDOC_ARRAY,
	JDOC_OBJECT
};

/* jdoc_parse() flag: a repeated member is an error. Without it the last one
 * counts. */
#define JDOC_REJECT_DUPLICATES 0x01

typedef struct jdoc jdoc; /* a value, and the document it roots */

/* Seed the hash of object keys from the system's randomness, and have the
 * memory of documents wiped when it is released. */
void jdoc_init(void);

/*
 * Parse len bytes. Returns the document, or NULL with the reason, in words fit
 * for a client, in error. Input that is too deep, malformed, or (with the
 * flag) repeats a member is refused. Out of memory also gives NULL.
 */
jdoc *jdoc_parse(const void *data, size_t len, int flags,
    char error[JDOC_ERROR_MAX]) __attribute__((warn_unused_result));

void jdoc_free(jdoc *doc);

enum jdoc_type jdoc_type_of(const jdoc *v);

/* The member of an object, or NULL when v is no object or has none such. */
const jdoc *jdoc_member(const jdoc *v, const char *name);

/* Number of members or elements; 0 for other types. */
size_t jdoc_count(const jdoc *v);

/* The element of an array, or NULL. */
const jdoc *jdoc_element(const jdoc *v, size_t index);

/*
 * Walk an object's members in the order of the text: each() gets name, value
 * and ctx, and ends the walk by returning false.
 */
void jdoc_each(const jdoc *v,
    bool (*each)(const char *name, size_t len, const jdoc *value, void *ctx),
    void *ctx);

/* The string's bytes (NUL-terminated besides) and length; NULL if none. */
const char *jdoc_string(const jdoc *v, size_t *len);

/* True only for the value true. */
bool jdoc_true(const jdoc *v);

/*
 * A number as whole seconds, fractions cut off towards zero, values beyond
 * the range of int64_t held at its ends. Returns false when v is no number.
 */
bool jdoc_time(const jdoc *v, int64_t *out);

/*
 * Building. A new value that is handed to jdoc_set() or jdoc_append() belongs
 * to its container from then on, also when the call fails. Constructors
 * return NULL when out of memory, and containers refuse NULL, so that a chain
 * of calls can be checked once at its end. Text must be UTF-8.
 */
jdoc *jdoc_new_object(void);
jdoc *jdoc_new_array(void);
jdoc *jdoc_new_string(const char *text, size_t len);
/* An array of the words of a text, which have blanks between them. */
jdoc *jdoc_new_words(const char *text);
jdoc *jdoc_new_integer(int64_t n);
jdoc *jdoc_new_bool(bool b);
jdoc *jdoc_new_null(void);
int jdoc_set(jdoc *object, const char *name, jdoc *value)
    __attribute__((warn_unused_result));
int jdoc_set_n(jdoc *object, const char *name, size_t len, jdoc *value)
    __attribute__((warn_unused_result));
int jdoc_set_text(jdoc *object, const char *name, const char *text)
    __attribute__((warn_unused_result));
int jdoc_append(jdoc *array, jdoc *value) __attribute__((warn_unused_result));

/* Replace a value's own copy: a deep copy that the caller owns, or NULL. */
jdoc *jdoc_copy(const jdoc *v);

/*
 * The compact text of a value, members in the order they were set. *len may
 * be NULL. The caller frees it with free(). NULL when out of memory.
 */
char *jdoc_text(const jdoc *v, size_t *len);

/* The same over several lines, for people. */
char *jdoc_text_pretty(const jdoc *v, size_t *len);

/* Whether a run of bytes is well-formed UTF-8 (RFC 3629): no overlong forms,
 * no surrogates, nothing above U+10FFFF. */
bool utf8_valid(const void *text, size_t len);

/* The code point at the beginning of text, in *out, and its length in bytes; 0
 * when what stands there is not well-formed, or nothing does. */
size_t utf8_decode(const void *text, size_t len, uint32_t *out);

#endif
