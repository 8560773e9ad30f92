#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "auth/credentials.h"

const struct credentials_schema credentials_login = {
    {{"username", false}, {"password", false}}};

const struct credentials_schema credentials_change = {
    {{"current_password", true}, {"new_password", false}}};

/* What a walk over the members carries along. */
struct unknowns {
	const struct credentials_schema *schema;
	jdoc *errors;
	bool failed; /* out of memory */
};

static enum error_code
validate(const struct credentials_schema *, const jdoc *, jdoc **);
static const char *field_fault(const jdoc *, bool);
static bool note_unknown(const char *, size_t, const jdoc *, void *);
static int add_error(jdoc *, const char *, size_t, const char *);
static int
take(const struct credentials_schema *, const jdoc *, struct credentials *);

enum error_code
credentials_read(const struct credentials_schema *schema,
    const char *content_type, const void *body, size_t len,
    struct credentials *out, jdoc **errors)
{
	char error[JDOC_ERROR_MAX];
	enum error_code code;
	jdoc *doc;

	memset(out, 0, sizeof(*out));
	*errors = NULL;
	if (content_type == NULL || !credentials_type_is_json(content_type))
		return (ERR_MEDIA_TYPE);
	doc = jdoc_parse(body, len, 0, error);
	if (doc == NULL)
		return (ERR_JSON);

	code = validate(schema, doc, errors);
	if (code == ERR_NONE && take(schema, doc, out) == -1) {
		credentials_free(out);
		code = ERR_INTERNAL;
	}
	jdoc_free(doc);
	return (code);
}

void
credentials_free(struct credentials *c)
{
	size_t i;

	for (i = 0; i < CREDENTIALS_FIELDS; i++)
		secret_free(&c->values[i]);
}

jdoc *
credentials_fault(const char *field, const char *text)
{
	jdoc *errors;

	errors = jdoc_new_object();
	if (add_error(errors, field, strlen(field), text) == 0)
		return (errors);
	jdoc_free(errors);
	return (NULL);
}

bool
credentials_type_is_json(const char *type)
{
	static const char prefix[] = "application/", suffix[] = "+json";
	size_t len;

	len = strcspn(type, ";");
	while (len > 0 && (type[len - 1] == ' ' || type[len - 1] == '\t'))
		len--;

	if (len < sizeof(prefix) - 1 ||
	    strncasecmp(type, prefix, sizeof(prefix) - 1) != 0)
		return (false);
	type += sizeof(prefix) - 1;
	len -= sizeof(prefix) - 1;
	if (len == 4 && strncasecmp(type, "json", 4) == 0)
		return (true);
	return (len >= sizeof(suffix) - 1 &&
	    strncasecmp(type + len - (sizeof(suffix) - 1), suffix,
		sizeof(suffix) - 1) == 0);
}

/* All faults at once, as the schema would report them. */
static enum error_code
validate(
    const struct credentials_schema *schema, const jdoc *doc, jdoc **errors)
{
	struct unknowns unknowns;
	const char *name, *text;
	size_t i;

	unknowns.schema = schema;
	unknowns.errors = jdoc_new_object();
	unknowns.failed = unknowns.errors == NULL;
	if (jdoc_type_of(doc) != JDOC_OBJECT) {
		unknowns.failed |= add_error(unknowns.errors, "_schema", 7,
				       "Invalid input type.") == -1;
	} else {
		for (i = 0; i < CREDENTIALS_FIELDS; i++) {
			name = schema->fields[i].name;
			text = field_fault(
			    jdoc_member(doc, name), schema->fields[i].optional);
			if (text != NULL)
				unknowns.failed |=
				    add_error(unknowns.errors, name,
					strlen(name), text) == -1;
		}
		jdoc_each(doc, note_unknown, &unknowns);
	}

	if (unknowns.failed) {
		jdoc_free(unknowns.errors);
		return (ERR_INTERNAL);
	}
	if (jdoc_count(unknowns.errors) == 0) {
		jdoc_free(unknowns.errors);
		return (ERR_NONE);
	}
	*errors = unknowns.errors;
	return (ERR_VALIDATION);
}

/* What is wrong with the value of a field, or NULL. */
static const char *
field_fault(const jdoc *value, bool optional)
{
	size_t len;

	if (value == NULL)
		return (optional ? NULL : "Missing data for required field.");
	if (jdoc_type_of(value) == JDOC_NULL)
		return (optional ? NULL : "Field may not be null.");
	if (jdoc_type_of(value) != JDOC_STRING)
		return ("Not a valid string.");
	(void)jdoc_string(value, &len);
	return (
	    len == 0 && !optional ? "Shorter than minimum length 1." : NULL);
}

static bool
note_unknown(const char *name, size_t len, const jdoc *value, void *ctx)
{
	struct unknowns *unknowns = ctx;
	const char *known;
	size_t i;

	(void)value;
	for (i = 0; i < CREDENTIALS_FIELDS; i++) {
		known = unknowns->schema->fields[i].name;
		if (len == strlen(known) && memcmp(name, known, len) == 0)
			return (true);
	}
	unknowns->failed |=
	    add_error(unknowns->errors, name, len, "Unknown field.") == -1;
	return (!unknowns->failed);
}

static int
add_error(jdoc *errors, const char *name, size_t len, const char *text)
{
	jdoc *list;

	list = jdoc_new_array();
	if (jdoc_append(list, jdoc_new_string(text, strlen(text))) == -1) {
		jdoc_free(list);
		return (-1);
	}
	return (jdoc_set_n(errors, name, len, list));
}

/* What an optional field leaves out is an empty value. */
static int
take(const struct credentials_schema *schema, const jdoc *doc,
    struct credentials *out)
{
	const char *text;
	size_t i, len;

	for (i = 0; i < CREDENTIALS_FIELDS; i++) {
		text =
		    jdoc_string(jdoc_member(doc, schema->fields[i].name), &len);
		if (text != NULL &&
		    secret_set(&out->values[i], text, len) == -1)
			return (-1);
	}
	return (0);
}
