#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "corgictl_progress.h"

/* Width of the bar (characters). */
#define BAR_WIDTH 40

void
progress_begin(struct progress *p, int64_t total, const char *what)
{
	memset(p, 0, sizeof(*p));
	p->what = what;
	p->total = total;
	p->terminal = isatty(STDERR_FILENO);
}

void
progress_show(struct progress *p, int64_t done, unsigned long long count)
{
	static const char hashes[] = "########################################";
	int percent;

	percent = p->total <= 0 ? 0 : (int)(done * 100 / p->total);
	if (percent > 100)
		percent = 100; /* there came more meanwhile */
	if (p->terminal && p->total > 0) {
		fprintf(stderr, "\r[%-*.*s] %3d %%  %llu %s", BAR_WIDTH,
		    BAR_WIDTH * percent / 100, hashes, percent, count, p->what);
	} else if (p->terminal) {
		fprintf(stderr, "\r%llu %s", count, p->what);
	} else if (percent / 10 > p->tenth && percent < 100) {
		p->tenth = percent / 10;
		fprintf(
		    stderr, "%d %%: %llu %s\n", 10 * p->tenth, count, p->what);
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
