/*
 * check.c - expectations about one answer, reported under the name of a row.
 */
#include <string.h>
#include <time.h>

#include <criterion/criterion.h>
#include <jansson.h>

#include "check.h"

static json_t *load(const struct raw_response *);
static void check_date(const char *, const struct raw_response *);
static void check_type(const char *, const struct raw_response *);
static void
check_challenge(const char *, const struct raw_response *, const char *);

/* Any JSON value; NUL characters in strings are meant. */
static json_t *
load(const struct raw_response *answer)
{
	if (answer->body == NULL)
		return (NULL);
	return (json_loadb(answer->body, answer->body_len,
	    JSON_ALLOW_NUL | JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL));
}

bool
text_matches(const char *text, const char *want)
{
	size_t len;

	if (text == NULL)
		return (false);
	len = strlen(want);
	if (len > 0 && want[len - 1] == '*')
		return (strncmp(text, want, len - 1) == 0 &&
		    strlen(text) > len - 1);
	return (strcmp(text, want) == 0);
}

/* One Date in the preferred form (RFC 9110, section 5.6.7), not far off. */
static void
check_date(const char *row, const struct raw_response *answer)
{
	const char *text, *end;
	struct tm tm;
	double off;

	text = raw_header(answer, "date");
	cr_expect(raw_header_count(answer, "date") == 1, "%s: Date", row);
	if (text == NULL)
		return;
	memset(&tm, 0, sizeof(tm));
	end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	cr_expect(end != NULL && *end == '\0' && strlen(text) == 29,
	    "%s: Date: %s", row, text);
	off = difftime(time(NULL), timegm(&tm));
	cr_expect(off > -60 && off < 60, "%s: Date: %s", row, text);
}

static void
check_type(const char *row, const struct raw_response *answer)
{
	const char *type;
	json_t *body;

	if (answer->body_len == 0)
		return;
	type = raw_header(answer, "content-type");
	cr_expect(type != NULL &&
		(strcmp(type, "application/json") == 0 ||
		    (answer->status >= 400 &&
			strcmp(type, "application/problem+json") == 0)),
	    "%s: Content-Type: %s", row, type == NULL ? "(none)" : type);
	cr_expect(raw_header_count(answer, "content-type") == 1,
	    "%s: Content-Type more than once", row);
	body = load(answer);
	cr_expect(json_is_object(body), "%s: body is no JSON object: %s", row,
	    answer->body);
	json_decref(body);
}

void
check_house(const char *row, const struct raw_response *answer)
{
	bool challenge;

	cr_expect(answer->status != 0, "%s: no answer", row);
	if (answer->status == 0)
		return;
	check_date(row, answer);
	check_type(row, answer);
	check_header(row, answer, "server", NULL);
	check_header(row, answer, "x-powered-by", NULL);
	check_header(row, answer, "strict-transport-security", NULL);
	challenge = raw_header(answer, "www-authenticate") != NULL;
	if (answer->status == 401)
		cr_expect(challenge, "%s: 401 without WWW-Authenticate", row);
	if (answer->status < 400)
		cr_expect(!challenge, "%s: WWW-Authenticate", row);
	if (answer->status == 405)
		cr_expect(raw_header(answer, "allow") != NULL,
		    "%s: 405 without Allow", row);
	if (answer->body != NULL &&
	    strstr(answer->body, "\"access_token\":") != NULL)
		check_header(row, answer, "cache-control", "no-store");
}

void
check_json(const char *row, const struct raw_response *answer, int status,
    const char *json)
{
	json_t *want, *got;

	check_house(row, answer);
	cr_expect(answer->status == status, "%s: status %d, not %d: %s", row,
	    answer->status, status,
	    answer->body != NULL ? answer->body : "(no answer)");
	want = json_loads(json, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
	if (want == NULL)
		cr_assert_fail("%s: the row itself is wrong: %s", row, json);
	got = load(answer);
	cr_expect(got != NULL && json_equal(want, got), "%s: %s, not %s", row,
	    answer->body != NULL ? answer->body : "(no answer)", json);
	json_decref(want);
	json_decref(got);
}

void
check_member(const char *row, const struct raw_response *answer, int status,
    const char *name, const char *text)
{
	const char *value;
	json_t *got;

	check_house(row, answer);
	got = load(answer);
	value = json_string_value(json_object_get(got, name));
	cr_expect(answer->status == status, "%s: status %d, not %d: %s", row,
	    answer->status, status,
	    answer->body != NULL ? answer->body : "(no answer)");
	cr_expect(json_object_size(got) == 1 && text_matches(value, text),
	    "%s: %s, not %s: %s", row,
	    answer->body != NULL ? answer->body : "(no answer)", name, text);
	json_decref(got);
}

void
check_tokens(const char *row, const struct raw_response *answer)
{
	json_t *got;

	check_house(row, answer);
	got = load(answer);
	cr_expect(answer->status == 200 && json_object_size(got) == 2 &&
		json_is_string(json_object_get(got, "access_token")) &&
		json_is_string(json_object_get(got, "refresh_token")),
	    "%s: %d, not two tokens: %s", row, answer->status,
	    answer->body != NULL ? answer->body : "(no answer)");
	json_decref(got);
}

/* RFC 6750, section 3. */
static void
check_challenge(
    const char *row, const struct raw_response *answer, const char *error)
{
	const char *value;
	char want[64];

	value = raw_header(answer, "www-authenticate");
	if (error == NULL)
		return;
	if (*error == '\0') {
		cr_expect(value != NULL && strcmp(value, "Bearer") == 0,
		    "%s: WWW-Authenticate: %s", row,
		    value != NULL ? value : "(none)");
		return;
	}
	(void)snprintf(want, sizeof(want), "error=\"%s\"", error);
	cr_expect(value != NULL && strncmp(value, "Bearer ", 7) == 0 &&
		strstr(value, want) != NULL &&
		strstr(value, "error_description=\"") != NULL,
	    "%s: WWW-Authenticate: %s", row, value != NULL ? value : "(none)");
}

void
check_problem(const char *row, const struct raw_response *answer, int status,
    const char *detail, const char *error)
{
	const char *text, *body;
	json_t *got;

	check_house(row, answer);
	check_header(row, answer, "content-type", "application/problem+json");
	check_challenge(row, answer, error);
	body = answer->body != NULL ? answer->body : "(no answer)";
	cr_expect(answer->status == status, "%s: status %d, not %d: %s", row,
	    answer->status, status, body);
	got = load(answer);
	cr_expect(json_integer_value(json_object_get(got, "status")) == status,
	    "%s: member status: %s", row, body);
	text = json_string_value(json_object_get(got, "type"));
	cr_expect(text != NULL && *text != '\0', "%s: type: %s", row, body);
	text = json_string_value(json_object_get(got, "title"));
	cr_expect(text != NULL && *text != '\0', "%s: title: %s", row, body);
	text = json_string_value(json_object_get(got, "instance"));
	cr_expect(text != NULL && *text == '/', "%s: instance: %s", row, body);
	text = json_string_value(json_object_get(got, "detail"));
	cr_expect(
	    text != NULL && (detail == NULL || text_matches(text, detail)),
	    "%s: detail: %s", row, body);
	json_decref(got);
}

void
check_header(const char *row, const struct raw_response *answer,
    const char *name, const char *value)
{
	const char *got;

	got = raw_header(answer, name);
	if (value == NULL) {
		cr_expect(got == NULL, "%s: %s: %s", row, name, got);
		return;
	}
	cr_expect(got != NULL && strcmp(got, value) == 0 &&
		raw_header_count(answer, name) == 1,
	    "%s: %s: %s, not %s", row, name, got != NULL ? got : "(none)",
	    value);
}
