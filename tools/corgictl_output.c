#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "corgictl.h"

static size_t sequence_length(const unsigned char *, size_t);
static bool is_plain(const unsigned char *, size_t);

void
complain(const char *fmt, ...)
{
	va_list args;

	(void)fflush(stdout);
	fputs("corgictl: ", stderr);
	va_start(args, fmt);
	(void)vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
}

/* Bytes of the well-formed UTF-8 sequence at p, or 0. */
static size_t
sequence_length(const unsigned char *p, size_t left)
{
	size_t len;

	if (*p < 0x80)
		len = 1;
	else if (*p < 0xe0)
		len = 2;
	else if (*p < 0xf0)
		len = 3;
	else
		len = 4;
	return (len <= left && utf8_valid(p, len) ? len : 0);
}

/*
 * Whether a sequence shows as what it is: no control character (C0, DEL, C1),
 * nothing that changes the direction of writing or has no width, no tag, and
 * no backslash, which begins our own notation.
 */
static bool
is_plain(const unsigned char *p, size_t len)
{
	unsigned int c;

	if (len == 1)
		return (*p >= 0x20 && *p < 0x7f && *p != '\\');
	if (len == 2) {
		c = (p[0] & 0x1fU) << 6 | (p[1] & 0x3fU);
		return (c >= 0xa0 && c != 0xad && c != 0x61c);
	}
	if (len == 3) {
		c = (p[0] & 0x0fU) << 12 | (p[1] & 0x3fU) << 6 | (p[2] & 0x3fU);
		return (!(c >= 0x200b && c <= 0x200f) &&
		    !(c >= 0x2028 && c <= 0x202e) &&
		    !(c >= 0x2060 && c <= 0x206f) && c != 0xfeff);
	}
	return (!(p[0] == 0xf3 && p[1] == 0xa0));
}

void
show_text(const void *text, size_t len, char *out, size_t size)
{
	const unsigned char *p = text, *end = p + len;
	size_t run, used = 0, i;

	while (p < end) {
		run = sequence_length(p, (size_t)(end - p));
		if (run > 0 && is_plain(p, run)) {
			if (used + run >= size)
				break;
			(void)memcpy(out + used, p, run);
			used += run;
		} else {
			run = run == 0 ? 1 : run;
			if (used + 4 * run >= size)
				break;
			for (i = 0; i < run; i++)
				used += (size_t)sprintf(
				    out + used, "\\x%02x", p[i]);
		}
		p += run;
	}
	out[used] = '\0';
}

void
show_time(int64_t seconds, char out[SHOWN_TIME_MAX])
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (seconds < -62135596800LL || seconds > 253402300799LL ||
	    gmtime_r(&t, &tm) == NULL ||
	    strftime(out, SHOWN_TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		(void)snprintf(out, SHOWN_TIME_MAX, "%lld", (long long)seconds);
}

enum exit_code
print_document(jdoc *doc)
{
	char *text = NULL;

	if (doc != NULL)
		text = jdoc_text_pretty(doc, NULL);
	jdoc_free(doc);
	if (text == NULL) {
		complain("the result cannot be written as JSON");
		return (EXIT_FAILED);
	}
	puts(text);
	free(text);
	return (EXIT_DONE);
}

int
list_add(jdoc **list, jdoc *doc, bool whole)
{
	if (!whole)
		jdoc_free(doc);
	else if (jdoc_append(*list, doc) == 0)
		return (0);
	jdoc_free(*list);
	*list = NULL;
	return (1);
}
