#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http/cookie.h"

/* What browsers make of a cookie without end, at most: a year (seconds). */
#define NO_END 31536000

/* What goes before a name so that browsers hold to the cookie's limits
 * (RFC 6265bis, section 4.1.3.2). */
#define HOST_PREFIX "__Host-"

/* Header lines under construction: counted first, with text NULL, and then
 * written into memory of that size. */
struct lines {
	char *text;
	size_t size;
	size_t len;
};

/* One cookie. */
struct cookie {
	const char *name;
	const char *value; /* NULL: it goes */
	const char *path;
	int64_t life;  /* seconds */
	bool readable; /* by scripts */
};

static const char *next_pair(const char *, const char **, size_t *);
static bool is_named(const struct config *, const char *, size_t, const char *);
static const char *unquote(const char *, size_t *);
static void
put_all(struct lines *, const struct config *, const struct session_tokens *);
static void put_pair(struct lines *, const struct config *,
    const struct config_cookie *, const char *, const struct token_made *);
static void
put_cookie(struct lines *, const struct config *, const struct cookie *);
static void
put(struct lines *, const char *, ...) __attribute__((format(printf, 2, 3)));
static char *
make(const struct config *, const struct session_tokens *, size_t *);

const char *
cookie_find(const struct config *config, const struct h1_request *request,
    const char *name, size_t *len)
{
	const char *at, *pair, *equals;
	size_t i, n;

	for (i = 0; i < request->nfields; i++) {
		if (strcasecmp(request->fields[i].name, "Cookie") != 0)
			continue;
		at = request->fields[i].value;
		while ((at = next_pair(at, &pair, &n)) != NULL) {
			equals = memchr(pair, '=', n);
			if (equals == NULL ||
			    !is_named(
				config, pair, (size_t)(equals - pair), name))
				continue;
			*len = n - (size_t)(equals - pair) - 1;
			return (unquote(equals + 1, len));
		}
	}
	return (NULL);
}

char *
cookie_lines(const struct config *config, const struct session_tokens *tokens,
    size_t *len)
{
	return (make(config, tokens, len));
}

char *
cookie_lines_clear(const struct config *config, size_t *len)
{
	return (make(config, NULL, len));
}

/* Cut the next "name=value" off a Cookie header; NULL when there is none. */
static const char *
next_pair(const char *at, const char **pair, size_t *len)
{
	at += strspn(at, "; \t");
	if (*at == '\0')
		return (NULL);
	*pair = at;
	at += strcspn(at, ";");
	*len = (size_t)(at - *pair);
	while (*len > 0 && strchr(" \t", (*pair)[*len - 1]) != NULL)
		(*len)--;
	return (at);
}

static bool
is_named(
    const struct config *config, const char *text, size_t len, const char *name)
{
	size_t prefix = strlen(HOST_PREFIX);

	if (config->cookie_host_prefix) {
		if (len < prefix || memcmp(text, HOST_PREFIX, prefix) != 0)
			return (false);
		text += prefix;
		len -= prefix;
	}
	return (len == strlen(name) && memcmp(text, name, len) == 0);
}

/* The value without quotes around it; NULL when it is empty. */
static const char *
unquote(const char *value, size_t *len)
{
	if (*len >= 2 && value[0] == '"' && value[*len - 1] == '"') {
		value++;
		*len -= 2;
	}
	return (*len == 0 ? NULL : value);
}

static char *
make(const struct config *config, const struct session_tokens *tokens,
    size_t *len)
{
	struct lines lines = {NULL, 0, 0};

	put_all(&lines, config, tokens);
	lines.size = lines.len + 1;
	lines.len = 0;
	lines.text = malloc(lines.size);
	if (lines.text == NULL)
		return (NULL);
	put_all(&lines, config, tokens);
	*len = lines.len;
	return (lines.text);
}

static void
put_all(struct lines *lines, const struct config *config,
    const struct session_tokens *tokens)
{
	put_pair(lines, config, &config->access_cookie,
	    tokens != NULL ? tokens->access : NULL,
	    tokens != NULL ? &tokens->access_made : NULL);
	put_pair(lines, config, &config->refresh_cookie,
	    tokens != NULL ? tokens->refresh : NULL,
	    tokens != NULL ? &tokens->refresh_made : NULL);
}

/* A token (NULL: they go), and what a page has to read out and send back with
 * it. */
static void
put_pair(struct lines *lines, const struct config *config,
    const struct config_cookie *names, const char *token,
    const struct token_made *made)
{
	struct cookie cookie;

	memset(&cookie, 0, sizeof(cookie));
	cookie.name = names->name;
	cookie.path = names->path;
	cookie.value = token;
	if (made != NULL)
		cookie.life = made->expires == INT64_MAX
		    ? NO_END
		    : made->expires - made->issued;
	put_cookie(lines, config, &cookie);
	if (!config->csrf_protect || !config->csrf_in_cookies)
		return;
	cookie.name = names->csrf_name;
	cookie.path = names->csrf_path;
	cookie.value = made != NULL ? made->csrf : NULL;
	cookie.readable = true;
	put_cookie(lines, config, &cookie);
}

static void
put_cookie(struct lines *lines, const struct config *config,
    const struct cookie *cookie)
{
	static const char *const same_site[] = {
	    [SAME_SITE_LAX] = "Lax",
	    [SAME_SITE_STRICT] = "Strict",
	    [SAME_SITE_NONE] = "None",
	};

	put(lines, "Set-Cookie: %s%s=%s; Path=%s",
	    config->cookie_host_prefix ? HOST_PREFIX : "", cookie->name,
	    cookie->value != NULL ? cookie->value : "", cookie->path);
	if (config->cookie_domain != NULL)
		put(lines, "; Domain=%s", config->cookie_domain);
	if (cookie->value == NULL)
		put(lines,
		    "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT");
	else if (!config->cookie_session)
		put(lines, "; Max-Age=%" PRId64, cookie->life);
	put(lines, "%s%s; SameSite=%s\r\n",
	    config->cookie_secure ? "; Secure" : "",
	    cookie->readable ? "" : "; HttpOnly", same_site[config->same_site]);
}

static void
put(struct lines *lines, const char *fmt, ...)
{
	char *at = lines->text != NULL ? lines->text + lines->len : NULL;
	size_t room = lines->text != NULL ? lines->size - lines->len : 0;
	va_list args;

	va_start(args, fmt);
	lines->len += (size_t)vsnprintf(at, room, fmt, args);
	va_end(args);
}
