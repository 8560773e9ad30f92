/*
 * corgictl_reader.c - a file line by line, in bounded memory.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "corgictl_import.h"

static int fill(struct line_reader *);

/* Read more behind what is there. 1, 0 at the end, -1 with errno. */
static int
fill(struct line_reader *r)
{
	ssize_t got;

	if (r->start > 0) {
		memmove(r->buffer, r->buffer + r->start, r->end - r->start);
		r->end -= r->start;
		r->start = 0;
	}
	do
		got =
		    read(r->fd, r->buffer + r->end, sizeof(r->buffer) - r->end);
	while (got == -1 && errno == EINTR);
	if (got > 0)
		r->end += (size_t)got;
	return (got > 0 ? 1 : (int)got);
}

int
line_next(struct line_reader *r, const char **line, size_t *len)
{
	size_t seen = 0;
	char *end;
	int more;

	for (;;) {
		end = memchr(r->buffer + r->start + seen, '\n',
		    r->end - r->start - seen);
		seen = r->end - r->start;
		if (end != NULL || r->over)
			break;
		if (seen > IMPORT_LINE_MAX)
			break;
		if ((more = fill(r)) == -1)
			return (-1);
		r->over = more == 0;
	}
	*line = r->buffer + r->start;
	*len = end != NULL ? (size_t)(end - *line) : seen;
	if (end == NULL && *len == 0)
		return (0);
	r->number++;
	if (*len > IMPORT_LINE_MAX) {
		errno = EMSGSIZE;
		return (-1);
	}
	r->start += *len + (end != NULL);
	r->taken += (off_t)(*len + (end != NULL));
	return (1);
}
