/*
 * config_value.c - reading the value of one option. What is returned about a
 * bad value never repeats it.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/config_internal.h"
#include "base/jdoc.h"

const char config_no_memory[] = "cannot be kept: out of memory";

static bool steers_the_message(const char *);
static const char *check_text(const struct config_rule *, const char *, size_t);
static const char *read_number(const char *, size_t, uint64_t *);
static const char *in_range(const struct config_rule *, uint64_t);

const char *
config_read_algorithm(
    const struct config_rule *rule, struct secret *value, void *place)
{
	static const char *const known[] = {"HS256", "HS384", "HS512", "RS256",
	    "RS384", "RS512", "ES256", "ES384", "ES512"};
	const char *text = (const char *)value->data;
	size_t i;

	(void)rule;
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strlen(text) == value->len && strcmp(text, known[i]) == 0)
			return (config_keep(place, text, value->len));
	}

	return ("is not a known algorithm");
}

const char *
config_read_style(
    const struct config_rule *rule, struct secret *value, void *place)
{
	const char *text = (const char *)value->data;
	enum config_error_style *style = place;

	(void)rule;
	if (strlen(text) == value->len && strcmp(text, "flask") == 0)
		*style = STYLE_FLASK;
	else if (strlen(text) == value->len && strcmp(text, "rfc6750") == 0)
		*style = STYLE_RFC6750;
	else
		return ("is not a known style");

	return (NULL);
}

const char *
config_read_secret(
    const struct config_rule *rule, struct secret *value, void *place)
{
	if (value->len > (size_t)rule->max)
		return ("is too long");
	if (secret_set(place, value->data, value->len) == -1)
		return (config_no_memory);

	return (NULL);
}

/*
 * PEM text has lines. Where the environment cannot hold line ends it is
 * customary to write "\n" for them, which PEM itself never contains.
 */
const char *
config_read_pem(
    const struct config_rule *rule, struct secret *value, void *place)
{
	uint8_t *from = value->data, *to = value->data;
	uint8_t *end = value->data + value->len;

	while (from < end) {
		if (from[0] == '\\' && from + 1 < end && from[1] == 'n') {
			*to++ = '\n';
			from += 2;
		} else {
			*to++ = *from++;
		}
	}
	memset(to, 0, (size_t)(end - to));
	value->len = (size_t)(to - value->data);

	if (memmem(value->data, value->len, "-----BEGIN ", 11) == NULL)
		return ("is not PEM text (a file's path goes into the name "
			"with _FILE behind it)");

	return (config_read_secret(rule, value, place));
}

const char *
config_read_text(
    const struct config_rule *rule, struct secret *value, void *place)
{
	const char *text = (const char *)value->data;
	const char *fault;

	if ((fault = check_text(rule, text, value->len)) != NULL)
		return (fault);

	return (config_keep(place, text, value->len));
}

/* What else is in the address of a server is for its library to judge. */
bool
config_names_database(const char *text)
{
	static const char *const kinds[] = {
	    CONFIG_SQLITE, "postgresql://", "postgres://"};
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strncmp(text, kinds[i], strlen(kinds[i])) == 0 &&
		    text[strlen(kinds[i])] != '\0')
			return (true);
	}
	return (false);
}

const char *
config_read_database(
    const struct config_rule *rule, struct secret *value, void *place)
{
	const char *text = (const char *)value->data, *fault;

	if ((fault = check_text(rule, text, value->len)) != NULL)
		return (fault);
	if (!config_names_database(text))
		return ("names no database");
	return (config_read_secret(rule, value, place));
}

/* Blanks around the entries are not part of them. */
const char *
config_read_list(
    const struct config_rule *rule, struct secret *value, void *place)
{
	struct config_list *list = place;
	const char *fault, *p, *comma, *end;
	size_t len;

	p = (const char *)value->data;
	if (strlen(p) != value->len)
		return ("holds a control character");
	for (;;) {
		comma = strchrnul(p, ',');
		p += strspn(p, " ");
		for (end = comma; end > p && end[-1] == ' '; end--)
			continue;
		len = end > p ? (size_t)(end - p) : 0;

		if (len == 0)
			return ("has an empty entry");
		if (list->count == CONFIG_LIST_MAX)
			return ("has too many entries");
		if ((fault = check_text(rule, p, len)) != NULL ||
		    (fault = config_keep(&list->items[list->count], p, len)) !=
			NULL)
			return (fault);
		list->count++;

		if (*comma == '\0')
			return (NULL);
		p = comma + 1;
	}
}

/* A token of RFC 9110, section 5.6.2. */
const char *
config_read_header_name(
    const struct config_rule *rule, struct secret *value, void *place)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789!#$%&'*+-.^_`|~";
	const char *text = (const char *)value->data;

	if (value->len > (size_t)rule->max)
		return ("is too long");
	if (strspn(text, allowed) != value->len)
		return ("holds a character that a header's name cannot have");
	if (steers_the_message(text))
		return ("is a header that steers the message itself");

	return (config_keep(place, text, value->len));
}

const char *
config_read_header_type(
    const struct config_rule *rule, struct secret *value, void *place)
{
	const char *text = (const char *)value->data;
	size_t i;

	if (value->len > (size_t)rule->max)
		return ("is too long");
	for (i = 0; i < value->len; i++) {
		if (text[i] <= ' ' || text[i] > '~' || text[i] == ',')
			return ("holds a blank, a comma or a character that "
				"is not ASCII");
	}

	return (config_keep(place, text, value->len));
}

const char *
config_read_expiry(
    const struct config_rule *rule, struct secret *value, void *place)
{
	const char *text = (const char *)value->data;
	int64_t *expires = place;

	if (strlen(text) == value->len && strcmp(text, "never") == 0) {
		*expires = CONFIG_NEVER;
		return (NULL);
	}
	if (strcasecmp(text, "false") == 0)
		return ("is Flask's word for a token without end: write never");

	return (config_read_seconds(rule, value, place));
}

const char *
config_read_seconds(
    const struct config_rule *rule, struct secret *value, void *place)
{
	const char *text = (const char *)value->data;
	const char *fault;
	int64_t *seconds = place;
	uint64_t n, unit;
	size_t len = value->len;

	switch (text[len - 1]) {
	case 'm':
		unit = 60;
		break;
	case 'h':
		unit = 3600;
		break;
	case 'd':
		unit = 86400;
		break;
	default:
		unit = 1;
		break;
	}
	if (unit != 1)
		len--;

	if ((fault = read_number(text, len, &n)) != NULL)
		return (fault);
	if (n > INT64_MAX / unit)
		return ("is too large");
	if ((fault = in_range(rule, n * unit)) != NULL)
		return (fault);
	*seconds = (int64_t)(n * unit);

	return (NULL);
}

const char *
config_read_uint(
    const struct config_rule *rule, struct secret *value, void *place)
{
	unsigned int *out = place;
	const char *fault;
	uint64_t n;

	if ((fault = config_read_uint64(rule, value, &n)) == NULL)
		*out = (unsigned int)n;

	return (fault);
}

const char *
config_read_uint64(
    const struct config_rule *rule, struct secret *value, void *place)
{
	uint64_t *out = place;
	const char *fault;
	uint64_t n;

	fault = read_number((const char *)value->data, value->len, &n);
	if (fault == NULL)
		fault = in_range(rule, n);
	if (fault == NULL)
		*out = n;

	return (fault);
}

/*
 * Headers that say where a message ends, how it is to be read or what becomes
 * of the connection: a token in one of them would never get this far.
 */
static bool
steers_the_message(const char *name)
{
	static const char *const names[] = {"Connection", "Content-Length",
	    "Content-Type", "Date", "Expect", "Host", "TE", "Trailer",
	    "Transfer-Encoding", "Upgrade"};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcasecmp(name, names[i]) == 0)
			return (true);
	}

	return (false);
}

/* UTF-8 without control characters and not too long. */
static const char *
check_text(const struct config_rule *rule, const char *text, size_t len)
{
	size_t i;

	if (len > (size_t)rule->max)
		return ("is too long");
	for (i = 0; i < len; i++) {
		if ((uint8_t)text[i] < 0x20 || text[i] == 0x7f)
			return ("holds a control character");
	}
	if (!utf8_valid(text, len))
		return ("is not UTF-8");

	return (NULL);
}

const char *
config_keep(char **place, const char *text, size_t len)
{
	*place = strndup(text, len);

	return (*place == NULL ? config_no_memory : NULL);
}

/* Decimal digits alone: strtoull() would take signs and blanks too. */
static const char *
read_number(const char *text, size_t len, uint64_t *out)
{
	if (len == 0 || strspn(text, "0123456789") != len)
		return ("is not a whole number");

	errno = 0;
	*out = strtoull(text, NULL, 10);

	return (errno == ERANGE ? "is too large" : NULL);
}

static const char *
in_range(const struct config_rule *rule, uint64_t n)
{
	if (n < (uint64_t)rule->min)
		return ("is too small");
	if (n > (uint64_t)rule->max)
		return ("is too large");

	return (NULL);
}
