/*
 * jdoc.c - looking into documents, building them and writing them. A jdoc is
 * Jansson's json_t under a name of our own; jdoc_parse.c reads the text.
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/jdoc.h"
#include "base/secret.h"

static json_t *raw(const jdoc *);
static jdoc *wrap(json_t *);
static json_t *copy(json_t *);
static void wipe_and_free(void *);
static char *dump(const jdoc *, size_t, size_t *);

void
jdoc_init(void)
{
	json_set_alloc_funcs(malloc, wipe_and_free);
	json_object_seed(0);
}

void
jdoc_free(jdoc *doc)
{
	json_decref(raw(doc));
}

enum jdoc_type
jdoc_type_of(const jdoc *v)
{
	switch (json_typeof(raw(v))) {
	case JSON_OBJECT:
		return (JDOC_OBJECT);
	case JSON_ARRAY:
		return (JDOC_ARRAY);
	case JSON_STRING:
		return (JDOC_STRING);
	case JSON_INTEGER:
	case JSON_REAL:
		return (JDOC_NUMBER);
	case JSON_TRUE:
	case JSON_FALSE:
		return (JDOC_BOOL);
	case JSON_NULL:
		break;
	}

	return (JDOC_NULL);
}

const jdoc *
jdoc_member(const jdoc *v, const char *name)
{
	return (wrap(json_object_get(raw(v), name)));
}

size_t
jdoc_count(const jdoc *v)
{
	if (json_is_object(raw(v)))
		return (json_object_size(raw(v)));

	return (json_array_size(raw(v)));
}

const jdoc *
jdoc_element(const jdoc *v, size_t index)
{
	return (wrap(json_array_get(raw(v), index)));
}

void
jdoc_each(const jdoc *v,
    bool (*each)(const char *name, size_t len, const jdoc *value, void *ctx),
    void *ctx)
{
	void *iter;

	iter = json_object_iter(raw(v));
	while (iter != NULL) {
		if (!each(json_object_iter_key(iter),
			json_object_iter_key_len(iter),
			wrap(json_object_iter_value(iter)), ctx))
			return;
		iter = json_object_iter_next(raw(v), iter);
	}
}

const char *
jdoc_string(const jdoc *v, size_t *len)
{
	if (!json_is_string(raw(v)))
		return (NULL);
	if (len != NULL)
		*len = json_string_length(raw(v));

	return (json_string_value(raw(v)));
}

bool
jdoc_true(const jdoc *v)
{
	return (json_is_true(raw(v)));
}

bool
jdoc_time(const jdoc *v, int64_t *out)
{
	double d;

	if (json_is_integer(raw(v))) {
		*out = json_integer_value(raw(v));
		return (true);
	}
	if (!json_is_real(raw(v)))
		return (false);

	/* 2^63 is a double; INT64_MAX is not, and casting what lies outside
	 * of int64_t is undefined. */
	d = json_real_value(raw(v));
	if (d >= 0x1p63)
		*out = INT64_MAX;
	else if (d <= -0x1p63)
		*out = INT64_MIN;
	else
		*out = (int64_t)d;

	return (true);
}

jdoc *
jdoc_new_object(void)
{
	return (wrap(json_object()));
}

jdoc *
jdoc_new_array(void)
{
	return (wrap(json_array()));
}

jdoc *
jdoc_new_string(const char *text, size_t len)
{
	return (wrap(json_stringn(text, len)));
}

jdoc *
jdoc_new_integer(int64_t n)
{
	return (wrap(json_integer(n)));
}

jdoc *
jdoc_new_bool(bool b)
{
	return (wrap(json_boolean(b)));
}

jdoc *
jdoc_new_null(void)
{
	return (wrap(json_null()));
}

int
jdoc_set(jdoc *object, const char *name, jdoc *value)
{
	return (jdoc_set_n(object, name, strlen(name), value));
}

int
jdoc_set_n(jdoc *object, const char *name, size_t len, jdoc *value)
{
	return (json_object_setn_new(raw(object), name, len, raw(value)));
}

int
jdoc_set_text(jdoc *object, const char *name, const char *text)
{
	return (jdoc_set(object, name, jdoc_new_string(text, strlen(text))));
}

int
jdoc_append(jdoc *array, jdoc *value)
{
	return (json_array_append_new(raw(array), raw(value)));
}

jdoc *
jdoc_new_words(const char *text)
{
	jdoc *list = jdoc_new_array();
	size_t len;

	for (; list != NULL; text += len) {
		text += strspn(text, " ");
		len = strcspn(text, " ");
		if (len == 0)
			break;
		if (jdoc_append(list, jdoc_new_string(text, len)) == -1) {
			jdoc_free(list);
			list = NULL;
		}
	}
	return (list);
}

jdoc *
jdoc_copy(const jdoc *v)
{
	return (wrap(copy(raw(v))));
}

/*
 * Jansson's own deep copy cuts names at a NUL, so containers are copied here.
 * Recursion is as deep as the document, which the parser bounds.
 */
static json_t *
copy(json_t *v)
{
	json_t *new, *value;
	const char *name;
	size_t len;
	int ret;

	if (!json_is_object(v) && !json_is_array(v))
		return (json_deep_copy(v));

	ret = 0;
	if (json_is_object(v)) {
		new = json_object();
		json_object_keylen_foreach(v, name, len, value)
		{
			ret |=
			    json_object_setn_new(new, name, len, copy(value));
		}
	} else {
		new = json_array();
		json_array_foreach(v, len, value)
		{
			ret |= json_array_append_new(new, copy(value));
		}
	}
	if (ret != 0) {
		json_decref(new);
		return (NULL);
	}

	return (new);
}

char *
jdoc_text(const jdoc *v, size_t *len)
{
	return (dump(v, JSON_COMPACT, len));
}

char *
jdoc_text_pretty(const jdoc *v, size_t *len)
{
	return (dump(v, JSON_INDENT(2), len));
}

/* The text holds no NUL: in strings and names they are escaped. */
static char *
dump(const jdoc *v, size_t flags, size_t *len)
{
	char *text;

	text = json_dumps(raw(v), flags | JSON_ENCODE_ANY);
	if (text != NULL && len != NULL)
		*len = strlen(text);

	return (text);
}

/* Documents hold passwords and tokens, so their memory is wiped. Still free()
 * for the rest of the world: jdoc_text() hands out memory of malloc(). */
static void
wipe_and_free(void *p)
{
	if (p != NULL)
		secret_free_mem(p, malloc_usable_size(p));
}

/* Jansson's functions take values without const even where they only read. */
static json_t *
raw(const jdoc *v)
{
	return ((json_t *)(uintptr_t)v);
}

static jdoc *
wrap(json_t *v)
{
	return ((jdoc *)v);
}
