/*
 * h1_fields.c - what the head says about the request: the forms of the target
 * (RFC 9112, section 3.2), Host, Content-Length, Transfer-Encoding, Connection
 * and Expect. Everything on which two readers of one message could disagree
 * is refused here.
 */
#include <string.h>
#include <strings.h>

#include "base/h1_internal.h"

/* Longest port in digits. */
#define PORT_DIGITS_MAX 5

struct text {
	const char *s;
	size_t len;
};

static bool refused(h1_parser *p, enum error_code code, const char *rule);
static bool is(struct text t, const char *word);
static bool is_digit(char c);
static bool host_valid(struct text host, bool need_port);
static size_t host_name_len(struct text host);
static bool absolute_target(h1_parser *p, size_t scheme_len);
static bool next_element(struct text *rest, struct text *element);
static bool take_host(h1_parser *p, struct text value);
static bool take_length(h1_parser *p, struct text value);
static bool take_coding(h1_parser *p, struct text value);
static bool take_connection(h1_parser *p, struct text value);
static bool take_expect(h1_parser *p, struct text value);

#define NAME(text) text, sizeof(text) - 1

static const struct {
	const char *name;
	size_t len;
	bool (*take)(h1_parser *p, struct text value);
} framing_fields[] = {
    {NAME("host"), take_host},
    {NAME("content-length"), take_length},
    {NAME("transfer-encoding"), take_coding},
    {NAME("connection"), take_connection},
    {NAME("expect"), take_expect},
};

static bool
refused(h1_parser *p, enum error_code code, const char *rule)
{
	h1_refuse(p, code, rule);
	return (false);
}

/* Whether t is the word, in any case. */
static bool
is(struct text t, const char *word)
{
	return (t.len == strlen(word) && strncasecmp(t.s, word, t.len) == 0);
}

static bool
is_digit(char c)
{
	return (c >= '0' && c <= '9');
}

bool
h1_check_target(h1_parser *p)
{
	char *t = p->buf + p->target_at;
	struct text target = {t, p->target_len};

	if (t[0] == '/')
		return (true);
	if (strcmp(p->buf, "OPTIONS") == 0 && is(target, "*"))
		return (true);
	if (strcmp(p->buf, "CONNECT") == 0) {
		if (host_valid(target, true))
			return (true);
	} else if (strncasecmp(t, "http://", 7) == 0) {
		return (absolute_target(p, 7));
	} else if (strncasecmp(t, "https://", 8) == 0) {
		return (absolute_target(p, 8));
	}
	return (refused(p, ERR_BAD_REQUEST, "form of the request target"));
}

/*
 * "http://host/path": the host moves to where the scheme was, which leaves
 * room for its closing NUL and for the "/" of an empty path.
 */
static bool
absolute_target(h1_parser *p, size_t scheme_len)
{
	char *start = p->buf + p->target_at;
	struct text host = {start + scheme_len, 0};
	char *path;

	host.len = strcspn(host.s, "/?");
	if (host.len == 0 || !host_valid(host, false)) {
		return (
		    refused(p, ERR_BAD_REQUEST, "host of the request target"));
	}
	path = start + scheme_len + host.len;
	memmove(start, host.s, host.len);
	start[host.len] = '\0';
	p->absolute = true;
	p->host_at = p->target_at;
	if (*path != '/')
		*--path = '/';
	p->target_len -= (size_t)(path - start);
	p->target_at += (size_t)(path - start);
	return (true);
}

/* How much of the text is a name or an address: an IPv6 address stands in
 * brackets, elsewhere a colon ends it. 0 when there is none. */
static size_t
host_name_len(struct text host)
{
	static const char ip6[] = "0123456789abcdefABCDEF:.";
	static const char name[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789-._~%!$&'()*+;=";
	bool bracket = host.len > 0 && host.s[0] == '[';
	const char *allowed = bracket ? ip6 : name;
	size_t i = bracket ? 1 : 0;

	while (i < host.len && strchr(allowed, host.s[i]) != NULL)
		i++;
	if (!bracket)
		return (i);
	return (i > 1 && i < host.len && host.s[i] == ']' ? i + 1 : 0);
}

/* "name", "name:port" or "[address]:port"; the port may be empty where none
 * is needed (RFC 3986, section 3.2). */
static bool
host_valid(struct text host, bool need_port)
{
	size_t name = host_name_len(host), port, i;

	if (name == 0)
		return (false);
	if (name == host.len)
		return (!need_port);
	port = host.len - name - 1;
	if (host.s[name] != ':' || port > PORT_DIGITS_MAX)
		return (false);
	for (i = name + 1; i < host.len; i++) {
		if (!is_digit(host.s[i]))
			return (false);
	}
	return (port > 0 || !need_port);
}

bool
h1_check_field(h1_parser *p, const char *name, size_t name_len,
    const char *value, size_t value_len)
{
	struct text v = {value, value_len};
	size_t i;

	for (i = 0; i < sizeof(framing_fields) / sizeof(framing_fields[0]);
	     i++) {
		if (framing_fields[i].len == name_len &&
		    strncasecmp(framing_fields[i].name, name, name_len) == 0)
			return (framing_fields[i].take(p, v));
	}
	return (true);
}

/*
 * Cut the next element off a comma list, white space around it removed. An
 * empty list has one empty element. rest->s is NULL behind the last one.
 */
static bool
next_element(struct text *rest, struct text *element)
{
	const char *comma;

	if (rest->s == NULL)
		return (false);
	*element = *rest;
	if ((comma = memchr(rest->s, ',', rest->len)) != NULL) {
		element->len = (size_t)(comma - rest->s);
		rest->s = comma + 1;
		rest->len -= element->len + 1;
	} else {
		rest->s = NULL;
	}
	while (
	    element->len > 0 && (*element->s == ' ' || *element->s == '\t')) {
		element->s++;
		element->len--;
	}
	while (element->len > 0 &&
	    (element->s[element->len - 1] == ' ' ||
		element->s[element->len - 1] == '\t'))
		element->len--;
	return (true);
}

static bool
take_host(h1_parser *p, struct text value)
{
	if (p->has_host)
		return (refused(p, ERR_BAD_REQUEST, "second Host"));
	if (value.len > 0 && !host_valid(value, false))
		return (refused(p, ERR_BAD_REQUEST, "Host"));
	p->has_host = true;
	p->host_index = p->request.nfields;
	return (true);
}

/*
 * One number, once: equal ones could be taken as one (RFC 9110, section 8.6),
 * but nobody sends them in good faith.
 */
static bool
take_length(h1_parser *p, struct text value)
{
	size_t i;

	if (p->has_coding) {
		return (refused(p, ERR_BAD_REQUEST,
		    "Content-Length with Transfer-Encoding"));
	}
	if (p->has_length)
		return (refused(p, ERR_BAD_REQUEST, "second Content-Length"));
	if (value.len == 0 || value.len > H1_LENGTH_DIGITS_MAX)
		return (refused(p, ERR_BAD_REQUEST, "Content-Length"));
	for (i = 0; i < value.len; i++) {
		if (!is_digit(value.s[i]))
			return (refused(p, ERR_BAD_REQUEST, "Content-Length"));
		p->length = p->length * 10 + (uint64_t)(value.s[i] - '0');
	}
	p->has_length = true;
	return (true);
}

/*
 * Note which codings are named; h1_check_head() judges them, since several
 * fields make one list.
 */
static bool
take_coding(h1_parser *p, struct text value)
{
	struct text coding;

	if (p->has_length) {
		return (refused(p, ERR_BAD_REQUEST,
		    "Content-Length with Transfer-Encoding"));
	}
	if (p->minor == 0) {
		return (refused(
		    p, ERR_BAD_REQUEST, "Transfer-Encoding in HTTP/1.0"));
	}
	p->has_coding = true;
	while (next_element(&value, &coding)) {
		if (p->chunked || coding.len == 0 ||
		    h1_run((const uint8_t *)coding.s, coding.len, H1_TOKEN) !=
			coding.len)
			return (
			    refused(p, ERR_BAD_REQUEST, "Transfer-Encoding"));
		p->chunked = is(coding, "chunked");
		if (!p->chunked)
			p->coding_other = true;
	}
	return (true);
}

static bool
take_connection(h1_parser *p, struct text value)
{
	struct text option;

	while (next_element(&value, &option)) {
		if (is(option, "close"))
			p->close = true;
	}
	return (true);
}

static bool
take_expect(h1_parser *p, struct text value)
{
	struct text expectation;

	while (next_element(&value, &expectation)) {
		if (is(expectation, "100-continue"))
			p->expect_continue = true;
		else
			p->expect_other = true;
	}
	return (true);
}

bool
h1_check_head(h1_parser *p)
{
	if (!p->has_host && p->minor > 0)
		return (refused(p, ERR_BAD_REQUEST, "no Host"));
	if (p->has_coding && !p->chunked)
		return (refused(p, ERR_BAD_REQUEST, "Transfer-Encoding"));
	if (p->coding_other) {
		return (refused(p, ERR_TRANSFER_CODING, "Transfer-Encoding"));
	}
	if (p->length > p->limits.body_max)
		return (refused(p, ERR_BODY_TOO_LARGE, "Content-Length"));
	if (p->minor == 0 || (!p->has_coding && p->length == 0))
		p->expect_continue = false;
	if (p->expect_other && p->minor > 0)
		return (refused(p, ERR_EXPECTATION, "Expect"));
	return (true);
}
