/*
 * corgictl_progress.h - how far a long command has come: a bar on a terminal,
 * otherwise a line for every tenth of it, on standard error.
 */
#ifndef CORGI_CORGICTL_PROGRESS_H
#define CORGI_CORGICTL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *what; /* that is counted: "accounts" */
	int64_t total;    /* 0: unknown */
	bool terminal;
	bool drawn;
	int tenth; /* the last one told */
};

/* Begin with how much there is to do, in any unit (0: nobody knows), and what
 * things are counted. */
void progress_begin(struct progress *p, int64_t total, const char *what);

/* So much of the total has been done, and so many of the things. */
void progress_show(struct progress *p, int64_t done, unsigned long long count);

/* Leave the line of the bar. */
void progress_end(struct progress *p);

#endif
