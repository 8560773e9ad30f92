/*
 * corgictl_reader.c - a file line by line, in bounded memory, and how far that
 * has come.
 */
#include <sys/stat.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "corgictl_import.h"

/* Width of the bar (characters). */
#define BAR_WIDTH 40

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

void
progress_begin(struct progress *p, int fd)
{
	struct stat st;

	memset(p, 0, sizeof(*p));
	p->terminal = isatty(STDERR_FILENO);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		p->total = st.st_size;
}

void
progress_show(struct progress *p, off_t done, unsigned long long accounts)
{
	static const char hashes[] = "########################################";
	int percent;

	percent = p->total <= 0 ? 0 : (int)(done * 100 / p->total);
	if (percent > 100)
		percent = 100; /* the file grew meanwhile */
	if (p->terminal && p->total > 0) {
		fprintf(stderr, "\r[%-*.*s] %3d %%  %llu accounts", BAR_WIDTH,
		    BAR_WIDTH * percent / 100, hashes, percent, accounts);
	} else if (p->terminal) {
		fprintf(stderr, "\r%llu accounts", accounts);
	} else if (percent / 10 > p->tenth && percent < 100) {
		p->tenth = percent / 10;
		fprintf(
		    stderr, "%d %%: %llu accounts\n", 10 * p->tenth, accounts);
	}
	p->drawn = p->terminal;
	(void)fflush(stderr);
}

void
progress_end(struct progress *p)
{
	if (p->drawn)
		fputc('\n', stderr);
	p->drawn = false;
}
