/*
 * corgictl_import.h - accounts from a file of JSON lines: what the files of
 * "user import" share.
 */
#ifndef CORGI_CORGICTL_IMPORT_H
#define CORGI_CORGICTL_IMPORT_H

#include <sys/types.h>

#include "corgictl_progress.h"
#include "corgictl_workspace.h"

/* Longest line, without its end (bytes). */
#define IMPORT_LINE_MAX 65536

/* Longest reason why a line is refused, with the NUL (bytes). */
#define IMPORT_ERROR_MAX (SHOWN_NAME_MAX + 128)

/* What a line says. */
struct import_line {
	unsigned long long number; /* in the file, from 1 */
	struct store_user user;    /* name and what else was given */
	struct secret password;    /* instead of a hash; empty: none */
	bool has_roles;
	bool has_disabled;
	bool has_created;
};

/*
 * Take a line apart. *line is all zero before, its password is to be released
 * in any case. Returns 0, or -1 with the reason in error.
 */
int import_parse(const char *text, size_t len, struct import_line *line,
    char error[IMPORT_ERROR_MAX]) __attribute__((warn_unused_result));

/* corgictl_seen.c */

/* The names and passwords of a file so far. All zero at first. */
struct seen {
	struct seen_line *lines;
	size_t count;
	size_t room;
	uint8_t key[SECRET_HASH_KEY_LEN];
};

/* Take note of a line. -1 when out of memory. */
int seen_add(struct seen *seen, const struct import_line *line)
    __attribute__((warn_unused_result));

/* Whether two lines give one name different passwords, and which. */
bool seen_conflict(
    struct seen *seen, unsigned long long *first, unsigned long long *second);

void seen_free(struct seen *seen);

/* corgictl_reader.c */

/* A file that is read line by line. */
struct line_reader {
	int fd;
	unsigned long long number; /* of the last line, from 1 */
	off_t taken;               /* bytes, up to the end of that line */
	size_t start;
	size_t end;
	bool over;
	char buffer[2 * IMPORT_LINE_MAX];
};

/* The next line, without its end, good until the next call. 1; 0 at the end of
 * the file; -1 when it cannot be read (errno; EMSGSIZE: the line is too long).
 */
int line_next(struct line_reader *reader, const char **line, size_t *len)
    __attribute__((warn_unused_result));

#endif
