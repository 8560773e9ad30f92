/*
 * corgictl_import_line.c - one account of an import: what its line says, and
 * whether an account can be that.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "corgictl_import.h"

/* The last second of the year 9999. */
#define TIME_MAX 253402300799LL

/* A line being read. */
struct reading {
	struct import_line *line;
	char *error; /* IMPORT_ERROR_MAX */
};

static bool fault(struct reading *, const char *, ...)
    __attribute__((format(printf, 2, 3)));
static bool
take_name(struct reading *, const jdoc *, const char *, char *, size_t *);
static bool take_username(struct reading *, const jdoc *);
static bool take_subject(struct reading *, const jdoc *);
static bool take_hash(struct reading *, const jdoc *);
static bool take_password(struct reading *, const jdoc *);
static bool take_roles(struct reading *, const jdoc *);
static bool take_disabled(struct reading *, const jdoc *);
static bool take_created(struct reading *, const jdoc *);
static bool take_member(const char *, size_t, const jdoc *, void *);
static bool is_whole(struct reading *);

static const struct {
	const char *name;
	bool (*take)(struct reading *, const jdoc *);
} members[] = {
    {"username", take_username},
    {"hash", take_hash},
    {"password", take_password},
    {"roles", take_roles},
    {"disabled", take_disabled},
    {"subject", take_subject},
    {"created_at", take_created},
};

static bool
fault(struct reading *r, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(r->error, IMPORT_ERROR_MAX, fmt, args);
	va_end(args);
	return (false);
}

static bool
take_name(struct reading *r, const jdoc *value, const char *member, char *out,
    size_t *len)
{
	const char *text = jdoc_string(value, len);

	if (text == NULL || *len < 1 || *len > STORE_NAME_MAX)
		return (fault(r, "\"%s\" has to be a text of 1 to %d bytes",
		    member, STORE_NAME_MAX));
	(void)memcpy(out, text, *len);
	return (true);
}

static bool
take_username(struct reading *r, const jdoc *value)
{
	struct store_user *user = &r->line->user;

	return (take_name(r, value, "username", user->name, &user->name_len));
}

static bool
take_subject(struct reading *r, const jdoc *value)
{
	struct store_user *user = &r->line->user;

	return (
	    take_name(r, value, "subject", user->subject, &user->subject_len));
}

static bool
take_hash(struct reading *r, const jdoc *value)
{
	const char *text;
	size_t len;

	text = jdoc_string(value, &len);
	if (text == NULL)
		return (fault(r, "\"hash\" has to be a text"));
	if (len >= STORE_HASH_MAX || strlen(text) != len ||
	    !password_hash_usable(text))
		return (fault(r,
		    "\"hash\" is no password hash that can be "
		    "verified here"));
	(void)memcpy(r->line->user.hash, text, len + 1);
	return (true);
}

static bool
take_password(struct reading *r, const jdoc *value)
{
	const char *text;
	size_t len;

	if ((text = jdoc_string(value, &len)) == NULL)
		return (fault(r, "\"password\" has to be a text"));
	if (secret_set(&r->line->password, text, len) == -1)
		return (fault(r, "out of memory"));
	return (true);
}

static bool
take_roles(struct reading *r, const jdoc *value)
{
	struct role_list list = {.count = 0};
	const char *text;
	size_t i, len;

	if (jdoc_type_of(value) != JDOC_ARRAY)
		return (fault(r, "\"roles\" has to be an array"));
	for (i = 0; i < jdoc_count(value); i++) {
		text = jdoc_string(jdoc_element(value, i), &len);
		if (text == NULL || !role_list_add(&list, text, len))
			return (fault(r,
			    "\"roles\" has to hold words of 1 to "
			    "%d letters, digits and _.:-",
			    STORE_ROLE_MAX - 1));
	}
	if (!role_list_text(&list, r->line->user.roles))
		return (fault(r, "the roles are longer than %d bytes together",
		    STORE_ROLES_MAX - 1));
	r->line->has_roles = true;
	return (true);
}

static bool
take_disabled(struct reading *r, const jdoc *value)
{
	if (jdoc_type_of(value) != JDOC_BOOL)
		return (fault(r, "\"disabled\" has to be true or false"));
	r->line->user.disabled = jdoc_true(value);
	r->line->has_disabled = true;
	return (true);
}

static bool
take_created(struct reading *r, const jdoc *value)
{
	int64_t seconds;

	if (!jdoc_time(value, &seconds) || seconds < 0 || seconds > TIME_MAX)
		return (
		    fault(r, "\"created_at\" has to be seconds since 1970"));
	r->line->user.created_at = seconds;
	r->line->has_created = true;
	return (true);
}

static bool
take_member(const char *name, size_t len, const jdoc *value, void *ctx)
{
	struct reading *r = ctx;
	char shown[SHOWN_NAME_MAX];
	size_t i;

	for (i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (len == strlen(members[i].name) &&
		    memcmp(name, members[i].name, len) == 0)
			return (members[i].take(r, value));
	show_text(name, len, shown, sizeof(shown));
	return (fault(r, "\"%s\" is no member of an account", shown));
}

/* Once all members are known: whether they make an account. */
static bool
is_whole(struct reading *r)
{
	const struct import_line *line = r->line;
	enum password_fault wrong = PASSWORD_TOO_LONG;

	if (line->user.name_len == 0)
		return (fault(r, "\"username\" is missing"));
	if ((line->user.hash[0] == '\0') == (line->password.data == NULL))
		return (fault(
		    r, "either \"hash\" or \"password\" is needed, not both"));
	if (line->password.data == NULL)
		return (true);
	if (line->password.len <= PASSWORD_MAX)
		wrong = password_check(line->password.data, line->password.len,
		    line->user.name, line->user.name_len);
	if (wrong == PASSWORD_ALLOWED)
		return (true);
	return (fault(
	    r, "the password is not taken: %s", password_fault_text(wrong)));
}

int
import_parse(const char *text, size_t len, struct import_line *line,
    char error[IMPORT_ERROR_MAX])
{
	struct reading reading = {line, error};
	char words[JDOC_ERROR_MAX], *place;
	bool good;
	jdoc *doc;

	error[0] = '\0';
	doc = jdoc_parse(text, len, JDOC_REJECT_DUPLICATES, words);
	if (doc == NULL) {
		/* The place counts from the beginning of this line. */
		if ((place = strstr(words, ": line ")) != NULL)
			*place = '\0';
		(void)fault(&reading, "not JSON: %s", words);
		return (-1);
	}
	if (jdoc_type_of(doc) != JDOC_OBJECT) {
		good = fault(&reading, "not a JSON object");
	} else {
		jdoc_each(doc, take_member, &reading);
		good = error[0] == '\0' && is_whole(&reading);
	}
	jdoc_free(doc);
	return (good ? 0 : -1);
}
