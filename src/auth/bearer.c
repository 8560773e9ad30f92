#include <string.h>
#include <strings.h>

#include "auth/bearer.h"

/* A run of bytes inside the header value. */
struct span {
	const char *data;
	size_t len;
};

static bool is_blank(char c);
static struct span trim_blanks(struct span s);
static struct span trim_commas(struct span s);
static bool only_blanks_and_commas(struct span s);
static bool next_field(struct span *rest, struct span *field);
static bool next_word(struct span *rest, struct span *word);
static bool is_type(const struct bearer_rules *rules, struct span word);
static enum error_code single_word(struct span value, struct span *token);

/* Optional white space of a header value (RFC 9110, section 5.6.3). */
static bool
is_blank(char c)
{
	return (c == ' ' || c == '\t');
}

static struct span
trim_blanks(struct span s)
{
	while (s.len > 0 && is_blank(s.data[0])) {
		s.data++;
		s.len--;
	}
	while (s.len > 0 && is_blank(s.data[s.len - 1]))
		s.len--;
	return (s);
}

static struct span
trim_commas(struct span s)
{
	while (s.len > 0 && s.data[0] == ',') {
		s.data++;
		s.len--;
	}
	while (s.len > 0 && s.data[s.len - 1] == ',')
		s.len--;
	return (s);
}

static bool
only_blanks_and_commas(struct span s)
{
	size_t i;

	for (i = 0; i < s.len; i++) {
		if (!is_blank(s.data[i]) && s.data[i] != ',')
			return (false);
	}
	return (true);
}

/* Cut the text up to the next comma off rest; false after the last field. */
static bool
next_field(struct span *rest, struct span *field)
{
	const char *comma;

	if (rest->data == NULL)
		return (false);
	*field = *rest;
	comma = memchr(rest->data, ',', rest->len);
	if (comma == NULL) {
		rest->data = NULL;
		rest->len = 0;
	} else {
		field->len = (size_t)(comma - rest->data);
		rest->data = comma + 1;
		rest->len -= field->len + 1;
	}
	return (true);
}

/* Cut the next word off rest; false when only blanks are left. */
static bool
next_word(struct span *rest, struct span *word)
{
	const char *end;

	*rest = trim_blanks(*rest);
	*word = *rest;
	end = memchr(word->data, ' ', word->len);
	if (end != NULL)
		word->len = (size_t)(end - word->data);
	end = memchr(word->data, '\t', word->len);
	if (end != NULL)
		word->len = (size_t)(end - word->data);
	rest->data += word->len;
	rest->len -= word->len;
	return (word->len > 0);
}

static bool
is_type(const struct bearer_rules *rules, struct span word)
{
	if (word.len != strlen(rules->type))
		return (false);
	if (rules->any_case)
		return (strncasecmp(word.data, rules->type, word.len) == 0);
	return (memcmp(word.data, rules->type, word.len) == 0);
}

/* The one word that value has to consist of. */
static enum error_code
single_word(struct span value, struct span *token)
{
	struct span more;

	if (!next_word(&value, token) || next_word(&value, &more))
		return (ERR_AUTH_MALFORMED);
	return (ERR_NONE);
}

/*
 * Commas are taken off the ends once, after the blanks, as the application
 * this replaces does. A field left empty by that ("a, ,b", "a, ,") made it
 * fail; here it is a malformed header, whatever the other fields hold.
 */
enum error_code
bearer_find(const struct bearer_rules *rules, const char *value, size_t len,
    const char **token, size_t *token_len)
{
	struct span rest, field, word, found = {NULL, 0};
	enum error_code code;
	size_t matches = 0;

	*token = NULL;
	*token_len = 0;
	rest.data = value;
	rest.len = value == NULL ? 0 : len;
	if (only_blanks_and_commas(rest))
		return (ERR_AUTH_MISSING);
	rest = trim_commas(trim_blanks(rest));
	if (rules->type[0] == '\0') {
		found = rest;
	} else {
		while (next_field(&rest, &field)) {
			if (!next_word(&field, &word))
				return (ERR_AUTH_MALFORMED);
			if (is_type(rules, word)) {
				found = field;
				matches++;
			}
		}
		if (matches == 0)
			return (ERR_AUTH_SCHEME);
		if (matches > 1)
			return (ERR_AUTH_REPEATED);
	}
	code = single_word(found, &word);
	if (code != ERR_NONE)
		return (code);
	*token = word.data;
	*token_len = word.len;
	return (ERR_NONE);
}
