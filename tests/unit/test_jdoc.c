/*
 * JSON: what RFC 8259 allows is taken, all else is refused, and nothing is
 * lost on the way through the library underneath.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jdoc.h"

#define PARSE(text)  parse(text, sizeof(text) - 1, 0)
#define STRICT(text) parse(text, sizeof(text) - 1, JDOC_REJECT_DUPLICATES)

static void set_up(void);
static jdoc *parse(const char *, size_t, int);
static void same(const char *, const char *);
static int64_t seconds(const char *);
static bool first_name(const char *, size_t, const jdoc *, void *);
static bool collect(const char *, size_t, const jdoc *, void *);
static char *nested(size_t, char, char);
static size_t decode(const char *, size_t, uint32_t *);

static char error[JDOC_ERROR_MAX];

struct name {
	char text[64];
	size_t len;
	int calls;
};

static void
set_up(void)
{
	jdoc_init();
}

/* A reason is always given, and only with a refusal; the input is read from a
 * block of its exact size, so that a sanitizer sees a step beyond it. */
static jdoc *
parse(const char *text, size_t len, int flags)
{
	char *block = malloc(len > 0 ? len : 1);
	jdoc *doc;
	size_t i;

	cr_assert_not_null(block);
	memcpy(block, text, len);
	doc = jdoc_parse(block, len, flags, error);
	free(block);

	cr_assert_eq(doc == NULL, error[0] != '\0');
	for (i = 0; error[i] != '\0'; i++)
		cr_assert(error[i] >= 0x20 && error[i] <= 0x7e);

	return (doc);
}

/* Text that is taken, and how it is written again. */
static void
same(const char *in, const char *out)
{
	jdoc *doc = parse(in, strlen(in), 0);
	char *text;
	size_t len;

	cr_assert_not_null(doc, "%s: %s", in, error);
	text = jdoc_text(doc, &len);
	cr_assert_str_eq(text, out);
	cr_assert_eq(len, strlen(out));
	free(text);
	jdoc_free(doc);
}

static int64_t
seconds(const char *text)
{
	jdoc *doc = parse(text, strlen(text), 0);
	int64_t n = 42;

	cr_assert_not_null(doc, "%s: %s", text, error);
	cr_assert_eq(jdoc_type_of(doc), JDOC_NUMBER);
	cr_assert(jdoc_time(doc, &n));
	jdoc_free(doc);

	return (n);
}

static bool
first_name(const char *name, size_t len, const jdoc *value, void *ctx)
{
	struct name *n = ctx;

	(void)value;
	cr_assert_lt(len, sizeof(n->text));
	memcpy(n->text, name, len);
	n->len = len;
	n->calls++;

	return (false);
}

static bool
collect(const char *name, size_t len, const jdoc *value, void *ctx)
{
	struct name *n = ctx;

	(void)value;
	memcpy(n->text + n->len, name, len);
	n->len += len;

	return (true);
}

/* depth opening brackets with their closing ones. */
static char *
nested(size_t depth, char open, char close)
{
	char *text = malloc(2 * depth + 1);

	cr_assert_not_null(text);
	memset(text, open, depth);
	memset(text + depth, close, depth);
	text[2 * depth] = '\0';

	return (text);
}

TestSuite(jdoc, .init = set_up);

Test(jdoc, valid_json_is_taken)
{
	same("null", "null");
	same(" \t\r\n{ } \n", "{}");
	same("[]", "[]");
	same("\"\"", "\"\"");
	same("{\"\":[1,-0,true,false,null,\"x\"]}",
	    "{\"\":[1,0,true,false,null,\"x\"]}");
	same("\"\\ud83d\\udc36\\u00e4\\/\\b\"",
	    "\"\xf0\x9f\x90\xb6\xc3\xa4/\\b\"");
	same("1E5", "100000.0");
	same("1e-400", "0.0");
	same("\"\xef\xbf\xbf\xf4\x8f\xbf\xbf\"",
	    "\"\xef\xbf\xbf\xf4\x8f\xbf\xbf\"");
}

Test(jdoc, text_that_is_no_json_is_refused)
{
	static const char *const bad[] = {"", " ", "{", "}", "[1,]",
	    "{\"a\":1,}", "{a:1}", "{'a':1}", "[1 2]", "1 2", "{}{}", "{} x",
	    "// c\n1", "/* c */1", "01", "-01", "+1", ".5", "5.", "-", "1e",
	    "1e+", "0x10", "NaN", "Infinity", "-Infinity", "nul", "nulll",
	    "True", "\"abc", "\"a\nb\"", "\"a\tb\"", "\"\\x41\"", "\"\\u12g4\"",
	    "\"\\\"", "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"",
	    "\xef\xbb\xbf{}", "\f1", "\v1",
	    "\xc2\xa0"
	    "1",
	    "[", "]", "{]", "[1}", "{\"a\"}", "{\"a\":}", "{1:2}", ",", ":",
	    "[,1]", "1,"};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_null(parse(bad[i], strlen(bad[i]), 0), "%s", bad[i]);
}

/* The second way of parsing must not be a way around the first. */
Test(jdoc, a_number_too_large_for_the_library_excuses_no_other_fault)
{
	static const char *const bad[] = {"[1e999,]", "[1e999,01]",
	    "[1e999,012345678901234567890123]", "[1e999,-]", "[1e999,1.]",
	    "[1e999,.5]", "[1e999,+12345678901234567890123]", "[1e999 1]",
	    "[1e999,1e999e9]", "[1e999,12345678901234567890123.]",
	    "[1e999,--12345678901234567890123]", "[1e999", "1e999 1e999",
	    "[1e999,\"\\x\"]", "[1e999,\"\n\"]", "{\"\\u0000\":1,}",
	    "{\"\\u0000\" 1}", "{\"\\u000\":1,\"\\u0000\":1}",
	    "{\"\\u0000\":\"abc", "{\"\\u0000\":1}\"\\", "[1e999,\"\\ud800\"]",
	    "[1e999,NaN]", "12345678901234567890123abc"};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_null(parse(bad[i], strlen(bad[i]), 0), "%s", bad[i]);
	same("[1e999,1]", "[1.7976931348623157e308,1]");
}

Test(jdoc, a_nul_byte_is_never_white_space)
{
	cr_assert_null(PARSE("1\0"));
	cr_assert_null(PARSE("true\0"));
	cr_assert_null(PARSE("[1\0,2]"));
	cr_assert_null(PARSE("{\"a\":1\0}"));
	cr_assert_null(PARSE("\"a\0b\""));
	cr_assert_null(PARSE("\"\\\0\""));
	cr_assert_null(PARSE("\0"));
	jdoc_free(PARSE("[1 ,2]"));
}

Test(jdoc, invalid_utf8_is_refused)
{
	cr_assert_null(PARSE("\"\xff\""));
	cr_assert_null(PARSE("\"\xc0\xaf\""));
	cr_assert_null(PARSE("\"\xed\xa0\x80\""));
	cr_assert_null(PARSE("\"\xf4\x90\x80\x80\""));
	cr_assert_null(PARSE("\"\xc3"));
	cr_assert_null(PARSE("{\"\xff\":1e999}"));
	cr_assert_null(PARSE("1 \xff"));
	cr_assert_str_eq(error, "Not valid UTF-8");
}

Test(jdoc, nesting_is_bounded)
{
	static const size_t hostile = 1000000;
	char *text;

	text = nested(JDOC_DEPTH_MAX, '[', ']');
	same(text, text);
	free(text);

	text = nested(JDOC_DEPTH_MAX + 1, '[', ']');
	cr_assert_null(parse(text, strlen(text), 0));
	cr_assert_str_eq(error, "Nested too deeply");
	free(text);

	text = nested(hostile, '[', ']');
	cr_assert_null(parse(text, strlen(text), 0));
	cr_assert_null(parse(text, hostile, 0));
	free(text);
	text = nested(hostile, '{', '}');
	cr_assert_null(parse(text, strlen(text), 0));
	free(text);
}

Test(jdoc, brackets_in_strings_do_not_count_as_nesting)
{
	char text[1024] = "[\"\\\"";
	size_t i, n = strlen(text);

	for (i = 0; i < 4 * JDOC_DEPTH_MAX; i++)
		text[n++] = '[';
	(void)snprintf(text + n, sizeof(text) - n, "\\\\\", []]");
	jdoc_free(parse(text, strlen(text), 0));
	cr_assert_str_eq(error, "");
}

Test(jdoc, a_repeated_member_counts_last_or_is_refused)
{
	jdoc *doc = PARSE("{\"a\":1,\"b\":2,\"\\u0061\":3}");
	int64_t n = 0;

	cr_assert(jdoc_time(jdoc_member(doc, "a"), &n));
	cr_assert_eq(n, 3);
	cr_assert_eq(jdoc_count(doc), 2);
	jdoc_free(doc);

	cr_assert_null(STRICT("{\"a\":1,\"\\u0061\":2}"));
	cr_assert_null(STRICT("{\"x\":{\"a\":1,\"a\":1}}"));
	cr_assert_null(STRICT("{\"\\u0000\":1,\"\\u0000\":1}"));
	jdoc_free(STRICT("{\"a\":1,\"A\":2,\"\\u0000\":3,\"\\u0001\":4}"));
	cr_assert_str_eq(error, "");
}

Test(jdoc, the_reason_does_not_echo_the_text)
{
	cr_assert_null(PARSE("{\"password\":\"hunter2\" oops}"));
	cr_assert_null(strstr(error, "oops"));
	cr_assert_null(strstr(error, "hunter2"));
	cr_assert_str_eq(error, "Invalid syntax: line 1 column 26 (char 25)");
	cr_assert_null(PARSE(""));
	cr_assert_str_eq(error, "Expecting value: line 1 column 1 (char 0)");
	cr_assert_null(jdoc_parse(NULL, 0, 0, error));
	cr_assert_str_eq(error, "Expecting value: line 1 column 1 (char 0)");
}

Test(jdoc, strings_keep_their_nuls)
{
	jdoc *doc = PARSE("\"a\\u0000b\"");
	const char *text;
	size_t len = 0;

	text = jdoc_string(doc, &len);
	cr_assert_eq(len, 3);
	cr_assert_eq(memcmp(text, "a\0b", 4), 0);
	jdoc_free(doc);
}

Test(jdoc, names_keep_their_nuls)
{
	jdoc *doc = PARSE("{\"sub\\u0000x\":1,\"\\u0001\\\\u0000\":2}");
	struct name name = {0};

	cr_assert_not_null(doc, "%s", error);
	jdoc_each(doc, first_name, &name);
	cr_assert_eq(name.calls, 1);
	cr_assert_eq(name.len, 5);
	cr_assert_eq(memcmp(name.text, "sub\0x", 5), 0);
	cr_assert_null(jdoc_member(doc, "sub"));
	cr_assert_not_null(jdoc_member(doc, "\x01\\u0000"));
	jdoc_free(doc);
}

Test(jdoc, names_with_nuls_survive_at_every_depth)
{
	static const char text[] =
	    "{\"a\\u0000\":[{\"\\u0000\\u0001\":{\"\\u00010\":\"\\u0000\"}}],"
	    "\"a\":1,\"\\u0001\":\"\\u0001\"}";

	same(text, text);
}

Test(jdoc, members_come_in_the_order_of_the_text)
{
	jdoc *doc =
	    PARSE("{\"z\":1,\"a\":2,\"m\":3,\"\\u0000\":4,\"b\":1e999}");
	struct name name = {0};

	jdoc_each(doc, collect, &name);
	cr_assert_eq(name.len, 5);
	cr_assert_eq(memcmp(name.text, "zam\0b", 5), 0);
	jdoc_free(doc);

	doc = PARSE("[1]");
	jdoc_each(doc, first_name, &name);
	cr_assert_eq(name.calls, 0);
	jdoc_free(doc);
}

Test(jdoc, a_copy_is_whole_and_outlives_its_original)
{
	jdoc *doc = PARSE("{\"a\\u0000b\":[1,{\"c\":\"d\"}],\"e\":null}");
	jdoc *copy = jdoc_copy(doc);
	char *text;

	jdoc_free(doc);
	text = jdoc_text(copy, NULL);
	cr_assert_str_eq(text, "{\"a\\u0000b\":[1,{\"c\":\"d\"}],\"e\":null}");
	free(text);
	jdoc_free(copy);
}

Test(jdoc, times_never_wrap)
{
	cr_assert_eq(seconds("0"), 0);
	cr_assert_eq(seconds("-0"), 0);
	cr_assert_eq(seconds("1.9"), 1);
	cr_assert_eq(seconds("-1.9"), -1);
	cr_assert_eq(seconds("1e3"), 1000);
	cr_assert_eq(seconds("4294967296"), 4294967296);
	cr_assert_eq(seconds("9223372036854775807"), INT64_MAX);
	cr_assert_eq(seconds("9223372036854775808"), INT64_MAX);
	cr_assert_eq(seconds("-9223372036854775808"), INT64_MIN);
	cr_assert_eq(seconds("-9223372036854775809"), INT64_MIN);
	cr_assert_eq(seconds("18446744073709551616"), INT64_MAX);
	cr_assert_eq(seconds("9223372036854775808.0"), INT64_MAX);
	cr_assert_eq(seconds("9.3e18"), INT64_MAX);
	cr_assert_eq(seconds("-9.3e18"), INT64_MIN);
	cr_assert_eq(seconds("1e400"), INT64_MAX);
	cr_assert_eq(seconds("-1e400"), INT64_MIN);
	cr_assert_eq(seconds("1e-400"), 0);
	cr_assert_eq(seconds("1E+999999999999999999999"), INT64_MAX);
}

Test(jdoc, a_number_of_many_digits_is_taken)
{
	char *text = malloc(100001);

	cr_assert_not_null(text);
	memset(text, '9', 100000);
	text[100000] = '\0';
	cr_assert_eq(seconds(text), INT64_MAX);
	text[0] = '-';
	cr_assert_eq(seconds(text), INT64_MIN);
	text[0] = '0';
	cr_assert_null(parse(text, 100000, 0));
	free(text);
}

Test(jdoc, the_largest_growth_of_a_rewritten_text_fits)
{
	size_t i, len = 0, count = 10000;
	char *text = malloc(6 * count + 2);
	jdoc *doc;

	cr_assert_not_null(text);
	text[len++] = '[';
	for (i = 0; i < count; i++) {
		memcpy(text + len, "1e309,", 6);
		len += 6;
	}
	text[len - 1] = ']';
	doc = parse(text, len, 0);
	cr_assert_eq(jdoc_count(doc), count);
	jdoc_free(doc);
	doc = parse("1e309", 5, 0);
	cr_assert_not_null(doc);
	jdoc_free(doc);
	free(text);
}

Test(jdoc, only_numbers_are_times)
{
	jdoc *doc = PARSE("[\"1\",true,null,[],{}]");
	int64_t n;
	size_t i;

	for (i = 0; i < 5; i++)
		cr_assert(!jdoc_time(jdoc_element(doc, i), &n));
	jdoc_free(doc);
}

Test(jdoc, looking_into_the_wrong_type_finds_nothing)
{
	jdoc *doc = PARSE("[1,\"x\",true,{\"a\":null}]");
	size_t len;

	cr_assert_eq(jdoc_count(doc), 4);
	cr_assert_null(jdoc_member(doc, "a"));
	cr_assert_null(jdoc_element(doc, 4));
	cr_assert_eq(jdoc_count(jdoc_element(doc, 0)), 0);
	cr_assert_null(jdoc_string(jdoc_element(doc, 0), &len));
	cr_assert_not_null(jdoc_string(jdoc_element(doc, 1), &len));
	cr_assert(jdoc_true(jdoc_element(doc, 2)));
	cr_assert(!jdoc_true(jdoc_element(doc, 0)));
	cr_assert_eq(jdoc_type_of(jdoc_element(doc, 2)), JDOC_BOOL);
	cr_assert_null(jdoc_element(jdoc_element(doc, 3), 0));
	cr_assert_eq(
	    jdoc_type_of(jdoc_member(jdoc_element(doc, 3), "a")), JDOC_NULL);
	jdoc_free(doc);
}

Test(jdoc, a_document_is_built_and_written_in_order)
{
	jdoc *o = jdoc_new_object(), *a = jdoc_new_array();
	char *text;

	cr_assert_eq(jdoc_append(a, jdoc_new_integer(INT64_MIN)), 0);
	cr_assert_eq(jdoc_append(a, jdoc_new_bool(false)), 0);
	cr_assert_eq(jdoc_set(o, "z", jdoc_new_string("a\0\"\n", 4)), 0);
	cr_assert_eq(jdoc_set_n(o, "k\0", 2, a), 0);
	cr_assert_eq(jdoc_set(o, "b", jdoc_new_bool(true)), 0);
	text = jdoc_text(o, NULL);
	cr_assert_str_eq(text,
	    "{\"z\":\"a\\u0000\\\"\\n\",\"k\\u0000\":"
	    "[-9223372036854775808,false],\"b\":true}");
	free(text);
	text = jdoc_text_pretty(jdoc_member(o, "b"), NULL);
	cr_assert_str_eq(text, "true");
	free(text);
	text = jdoc_text_pretty(o, NULL);
	cr_assert_not_null(strchr(text, '\n'));
	free(text);
	jdoc_free(o);
}

Test(jdoc, a_failed_piece_makes_the_whole_fail)
{
	jdoc *o = jdoc_new_object();

	cr_assert_null(jdoc_new_string("\xff", 1));
	cr_assert_eq(jdoc_set(o, "a", jdoc_new_string("\xff", 1)), -1);
	cr_assert_eq(jdoc_set(o, "\xff", jdoc_new_integer(1)), -1);
	cr_assert_eq(jdoc_set(NULL, "a", jdoc_new_integer(1)), -1);
	cr_assert_eq(jdoc_append(NULL, jdoc_new_integer(1)), -1);
	cr_assert_eq(jdoc_set(o, "a", jdoc_new_integer(1)), 0);
	jdoc_free(o);
	jdoc_free(NULL);
}

Test(jdoc, utf8_is_judged_as_rfc_3629_says)
{
	static const char *const good[] = {"", "a", "\x7f", "\xc2\x80",
	    "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
	    "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"};
	static const char *const bad[] = {"\x80", "\xbf", "\xc0\x80",
	    "\xc1\xbf", "\xc2", "\xc2z", "\xe0\x9f\xbf", "\xe1\x80",
	    "\xed\xa0\x80", "\xed\xbf\xbf", "\xe1\x80z", "\xf0\x8f\xbf\xbf",
	    "\xf0\x90\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
	    "\xf8\x88\x80\x80\x80", "\xff", "ok\xfe"};
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		cr_assert(utf8_valid(good[i], strlen(good[i])), "%zu", i);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert(!utf8_valid(bad[i], strlen(bad[i])), "%zu", i);
	cr_assert(utf8_valid("a\0b", 3));
}

/* The text stands in a block of its exact size. */
static size_t
decode(const char *text, size_t len, uint32_t *c)
{
	char *block = malloc(len > 0 ? len : 1);
	size_t n;

	cr_assert_not_null(block);
	memcpy(block, text, len);
	n = utf8_decode(block, len, c);
	free(block);
	return (n);
}

Test(jdoc, utf8_is_taken_apart_code_point_by_code_point)
{
	static const struct {
		const char *text;
		size_t len; /* of the first one */
		uint32_t c;
	} rows[] = {
	    {"\x01", 1, 1},
	    {"az", 1, 'a'},
	    {"\x7f", 1, 0x7f},
	    {"\xc2\x80z", 2, 0x80},
	    {"\xc3\xa4\xc3\xa4", 2, 0xe4},
	    {"\xdf\xbf", 2, 0x7ff},
	    {"\xe0\xa0\x80", 3, 0x800},
	    {"\xe2\x80\xa8", 3, 0x2028},
	    {"\xed\x9f\xbf", 3, 0xd7ff},
	    {"\xee\x80\x80", 3, 0xe000},
	    {"\xef\xbf\xbf", 3, 0xffff},
	    {"\xf0\x90\x80\x80", 4, 0x10000},
	    {"\xf0\x9f\x90\x95!", 4, 0x1f415},
	    {"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
	};
	uint32_t c;
	size_t i, len;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		c = 42;
		cr_expect_eq(decode(rows[i].text, strlen(rows[i].text), &c),
		    rows[i].len, "row %zu", i);
		cr_expect_eq(c, rows[i].c, "row %zu: U+%x", i, c);
		for (len = 0; len < rows[i].len; len++)
			cr_expect_eq(decode(rows[i].text, len, &c), 0,
			    "row %zu cut to %zu", i, len);
	}
	cr_expect_eq(decode("\0z", 2, &c), 1);
	cr_expect_eq(c, 0);
}

Test(jdoc, what_is_not_utf8_is_not_taken_apart)
{
	static const char *const bad[] = {"\x80", "\xbf", "\xc0\x80",
	    "\xc1\xbf", "\xc3z", "\xe0\x9f\xbf", "\xe2\x80z", "\xed\xa0\x80",
	    "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf0\x9f\x90z",
	    "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xfe", "\xff"};
	uint32_t c = 42;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_eq(
		    decode(bad[i], strlen(bad[i]), &c), 0, "row %zu", i);
	cr_expect_eq(c, 42, "is left alone");
	cr_expect_eq(decode("z\xff", 2, &c), 1, "what comes later is not seen");
}

Test(jdoc, words_become_an_array)
{
	static const struct {
		const char *text, *array;
	} rows[] = {
	    {"", "[]"},
	    {" ", "[]"},
	    {"pilot", "[\"pilot\"]"},
	    {"admin pilot", "[\"admin\",\"pilot\"]"},
	    {"  admin   pilot ", "[\"admin\",\"pilot\"]"},
	};
	char *text;
	jdoc *list;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		list = jdoc_new_words(rows[i].text);
		text = jdoc_text(list, NULL);
		cr_expect_str_eq(text, rows[i].array, "row %zu", i);
		free(text);
		jdoc_free(list);
	}
}

Test(jdoc, a_member_that_is_no_utf8_is_refused)
{
	jdoc *doc = jdoc_new_object();
	char *text;

	cr_expect_eq(jdoc_set_text(doc, "a", "b"), 0);
	cr_expect_eq(jdoc_set_text(doc, "c", "\xff"), -1);
	text = jdoc_text(doc, NULL);
	cr_expect_str_eq(text, "{\"a\":\"b\"}");
	free(text);
	jdoc_free(doc);
}
