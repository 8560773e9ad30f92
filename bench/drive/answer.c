/*
 * answer.c - reads an HTTP/1.1 answer with a Content-Length, which is what all
 * contestants send.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "drive.h"

#define STATUS_AT 9 /* behind "HTTP/1.1 " */

static bool is_field(const char *, size_t, const char *);
static bool has_word(const char *, size_t, const char *);

int
answer_parse(const char *bytes, size_t len, struct answer *a)
{
	const char *end, *line, *next;
	size_t length = 0;
	bool sized = false;

	end = memmem(bytes, len, "\r\n\r\n", 4);
	if (end == NULL)
		return (0);
	if (end - bytes < STATUS_AT + 3 || memcmp(bytes, "HTTP/1.", 7) != 0)
		return (-1);
	a->status = (int)strtol(bytes + STATUS_AT, NULL, 10);
	a->last = false;
	for (line = bytes; line < end; line = next) {
		next = memchr(line, '\n', (size_t)(end + 2 - line));
		next = next == NULL ? end : next + 1;
		if ((*line | 0x20) != 'c' && (*line | 0x20) != 't')
			continue;
		if (is_field(line, (size_t)(next - line), "Content-Length:")) {
			length = strtoul(line + 15, NULL, 10);
			sized = true;
		} else if (is_field(line, (size_t)(next - line), "Connection:"))
			a->last |=
			    has_word(line, (size_t)(next - line), "close");
		else if (is_field(
			     line, (size_t)(next - line), "Transfer-Encoding:"))
			return (-1);
	}
	if (!sized)
		return (-1);
	a->body = end + 4;
	a->body_len = length;
	a->len = (size_t)(a->body - bytes) + length;
	return (a->len <= len);
}

static bool
is_field(const char *line, size_t len, const char *name)
{
	size_t n = strlen(name);

	return (len >= n && strncasecmp(line, name, n) == 0);
}

static bool
has_word(const char *line, size_t len, const char *word)
{
	size_t n = strlen(word);

	for (; len >= n; line++, len--)
		if (strncasecmp(line, word, n) == 0)
			return (true);
	return (false);
}
