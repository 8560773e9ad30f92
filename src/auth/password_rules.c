#include <string.h>

#include "auth/password.h"
#include "auth/password_rules.h"
#include "base/jdoc.h"
#include "base/secret.h"

/* The longest entry of the list of common passwords (bytes). */
#define COMMON_MAX 32

/* How many digits and marks behind an entry make no other password of it, and
 * the shortest entry that this goes for (bytes). */
#define ENDING_MAX 4
#define STEM_MIN   3

/* In order, in lower case, each with a line end behind it: what nobody may set,
 * and words that make none with an ending. */
static const char common[] =
#include "auth/password_common.inc"
    ;

static char lower(char);
static bool same_text(const char *, size_t, const char *, size_t);
static size_t characters(const char *, size_t);
static bool is_ending(char);
static bool is_listed(const char *, size_t);
static bool is_common(const char *, size_t);
static int compare(const char *, size_t, const char *, size_t);

/* Only ASCII has a case here; whatever the locale. */
static char
lower(char c)
{
	return (c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c);
}

static bool
same_text(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t i;

	if (a_len != b_len)
		return (false);
	for (i = 0; i < a_len; i++) {
		if (lower(a[i]) != lower(b[i]))
			return (false);
	}
	return (true);
}

/* Code points of well-formed UTF-8: bytes that continue none. */
static size_t
characters(const char *text, size_t len)
{
	size_t i, count = 0;

	for (i = 0; i < len; i++)
		count += ((unsigned char)text[i] & 0xc0) != 0x80;
	return (count);
}

static int
compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return (order != 0 ? order : (a_len > b_len) - (a_len < b_len));
}

/* Whether a character is what people put behind a word: printable ASCII that
 * is neither a letter nor a space. */
static bool
is_ending(char c)
{
	return (c > ' ' && c < 0x7f && (c < 'a' || c > 'z'));
}

/* Halve the text of the list between two line ends until the place is found. */
static bool
is_listed(const char *folded, size_t len)
{
	size_t low = 0, high = sizeof(common) - 1, start, end;
	int order;

	while (low < high) {
		start = low + (high - low) / 2;
		while (start > low && common[start - 1] != '\n')
			start--;
		for (end = start; common[end] != '\n'; end++)
			;
		order = compare(folded, len, common + start, end - start);
		if (order == 0)
			return (true);
		if (order < 0)
			high = start;
		else
			low = end + 1;
	}
	return (false);
}

/* A listed password, or a listed word with an ending. */
static bool
is_common(const char *password, size_t len)
{
	char folded[COMMON_MAX + ENDING_MAX];
	size_t i, stem = len;
	bool found;

	if (len > sizeof(folded))
		return (false);
	for (i = 0; i < len; i++)
		folded[i] = lower(password[i]);
	found = is_listed(folded, len);
	while (!found && len - stem < ENDING_MAX && stem > STEM_MIN &&
	    is_ending(folded[stem - 1]))
		found = is_listed(folded, --stem);
	secret_wipe(folded, sizeof(folded));
	return (found);
}

enum password_fault
password_check(
    const void *password, size_t len, const void *name, size_t name_len)
{
	size_t count;

	if (!utf8_valid(password, len))
		return (PASSWORD_NOT_UTF8);
	count = characters(password, len);
	if (count < PASSWORD_CHARACTERS_MIN)
		return (PASSWORD_TOO_SHORT);
	if (count > PASSWORD_CHARACTERS_MAX || len > PASSWORD_MAX)
		return (PASSWORD_TOO_LONG);
	if (same_text(password, len, name, name_len))
		return (PASSWORD_IS_NAME);
	if (is_common(password, len))
		return (PASSWORD_COMMON);
	return (PASSWORD_ALLOWED);
}

const char *
password_fault_text(enum password_fault fault)
{
	switch (fault) {
	case PASSWORD_TOO_SHORT:
		return ("Shorter than minimum length 8.");
	case PASSWORD_TOO_LONG:
		return ("Longer than maximum length 256.");
	case PASSWORD_NOT_UTF8:
		return ("Not a valid utf-8 string.");
	case PASSWORD_COMMON:
		return ("Too common: one of the first that are tried.");
	case PASSWORD_IS_NAME:
		return ("The same as the username.");
	case PASSWORD_ALLOWED:
		break;
	}
	return ("Allowed.");
}
