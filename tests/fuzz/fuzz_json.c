/*
 * fuzz_json.c - JSON in and out. The first byte chooses the flags, the rest is
 * the document. One that is taken must survive a round trip through its own
 * text, and everything that can be asked of it is asked.
 */
#include <string.h>

#include "base/jdoc.h"
#include "fuzz.h"

static bool visit(const char *name, size_t len, const jdoc *value, void *ctx);

/* Ask a value and all below it. */
static void
walk(const jdoc *v)
{
	size_t len = 0, i;
	const char *text;
	size_t members = 0;
	int64_t time;

	text = jdoc_string(v, &len);
	FUZZ_CHECK((text != NULL) == (jdoc_type_of(v) == JDOC_STRING));
	if (text != NULL)
		FUZZ_CHECK(utf8_valid(text, len) && text[len] == '\0');
	FUZZ_CHECK(jdoc_time(v, &time) == (jdoc_type_of(v) == JDOC_NUMBER));
	FUZZ_CHECK(!jdoc_true(v) || jdoc_type_of(v) == JDOC_BOOL);
	(void)jdoc_member(v, "username");
	jdoc_each(v, visit, &members);
	if (jdoc_type_of(v) == JDOC_OBJECT)
		FUZZ_CHECK(members == jdoc_count(v));
	if (jdoc_type_of(v) != JDOC_ARRAY)
		return;
	for (i = 0; i < jdoc_count(v); i++) {
		FUZZ_CHECK(jdoc_element(v, i) != NULL);
		walk(jdoc_element(v, i));
	}
	FUZZ_CHECK(jdoc_element(v, i) == NULL);
}

static bool
visit(const char *name, size_t len, const jdoc *value, void *ctx)
{
	size_t *members = ctx;

	FUZZ_CHECK(utf8_valid(name, len));
	(*members)++;
	walk(value);
	return (true);
}

/* The text of a document gives the same text when parsed and written again. */
static void
round_trip(const jdoc *doc, int flags)
{
	char error[JDOC_ERROR_MAX];
	char *first, *second;
	size_t first_len, second_len;
	jdoc *again;

	first = jdoc_text(doc, &first_len);
	FUZZ_CHECK(first != NULL && utf8_valid(first, first_len));
	again = jdoc_parse(first, first_len, flags, error);
	FUZZ_CHECK(again != NULL);
	second = jdoc_text(again, &second_len);
	FUZZ_CHECK(second != NULL && second_len == first_len);
	FUZZ_CHECK(memcmp(first, second, first_len) == 0);
	jdoc_free(again);
	free(first);
	free(second);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	char error[JDOC_ERROR_MAX];
	jdoc *doc, *copy;
	int flags;

	if (!ready) {
		jdoc_init();
		ready = true;
	}
	if (size == 0)
		return (0);
	flags = (data[0] & 1) != 0 ? JDOC_REJECT_DUPLICATES : 0;
	memset(error, 0, sizeof(error));
	doc = jdoc_parse(data + 1, size - 1, flags, error);
	if (doc == NULL) {
		FUZZ_CHECK(error[0] != '\0');
		FUZZ_CHECK(memchr(error, '\0', sizeof(error)) != NULL);
		return (0);
	}
	FUZZ_CHECK(utf8_valid(data + 1, size - 1));
	walk(doc);
	round_trip(doc, flags);
	copy = jdoc_copy(doc);
	FUZZ_CHECK(copy != NULL);
	jdoc_free(doc);
	walk(copy);
	jdoc_free(copy);
	return (0);
}
