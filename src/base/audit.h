/*
 * audit.h - the audit log: one line of JSON per event, for those who have to
 * know afterwards who came in and who was sent away.
 *
 *	{"time":"2026-11-24T06:10:11.123Z","event":"login","outcome":"ok",
 *	 "subject":"cosmo","session":"...","client":"192.0.2.1",
 *	 "request":"...","pid":4711}
 *
 * Everything but ASCII letters, digits and signs is escaped, so no text from
 * outside can end a line or look like another one. There is no member for a
 * password, a token or free text.
 *
 * A line is one write at the end of the file. The file is opened anew when it
 * has been moved or removed (rotation by rename) and written on at its end
 * when it has been cut (copy and truncate). When the disk is full a line may be
 * cut off; the next one begins on a line of its own all the same. Any thread of
 * any process; no lock is taken.
 */
#ifndef CORGI_AUDIT_H
#define CORGI_AUDIT_H

#include <stddef.h>
#include <stdint.h>

/* Longest line with its line end (bytes): an event never needs more, with
 * every byte of a subject escaped. The subject of a token from elsewhere may be
 * longer and is left out then. */
#define AUDIT_LINE_MAX 4096

/* Room for a request's id in text, with the NUL (bytes). */
#define AUDIT_REQUEST_MAX 65

enum audit_kind {
	AUDIT_START,
	AUDIT_STOP,
	AUDIT_LOGIN,
	AUDIT_REFRESH,
	AUDIT_REUSE, /* a refresh token came again; its session has ended */
	AUDIT_LOGOUT,
	AUDIT_LOGOUT_ALL,
	AUDIT_REVOKE, /* by an administrator */
	AUDIT_REGISTER,
	AUDIT_PASSWORD, /* changed, or tried to */
	AUDIT_ACCOUNT,  /* added, deleted, disabled, roles: see reason */
	AUDIT_THROTTLE, /* attempts are refused from now on */
	AUDIT__MAX
};

enum audit_outcome {
	AUDIT_OK,
	AUDIT_FAILED /* refused; the reason says why */
};

/* An event. Members that are NULL are left out. */
struct audit_event {
	enum audit_kind kind;
	enum audit_outcome outcome;
	const char *reason; /* a fixed word of the program, e.g. "password" */
	/* The account's subject, once it is known to be one: what a client
	 * merely typed may be a password in the wrong field. */
	const char *subject;
	size_t subject_len;
	const char *session; /* its id */
	const char *client;  /* address in text */
	const char *request; /* id */
};

/*
 * Choose where events go: a file's path (made with mode 0600), "-" for standard
 * output, or "off". Parent, before the fork; corgictl. The path must be
 * absolute when the process changes its folder later. Returns 0, or -1 with
 * errno when the file cannot be opened.
 */
int audit_open(const char *where) __attribute__((warn_unused_result));

/* Have events go to a descriptor that is open, such as standard error, for a
 * program whose standard output is its result. Results as audit_open(). */
int audit_open_descriptor(int fd) __attribute__((warn_unused_result));

/*
 * Write one event. Returns 0, or -1 when the line could not be written whole;
 * that is also said in the log, at most once a second.
 */
int audit_write(const struct audit_event *event);

void audit_close(void);

/* "login", "reuse", ...: the word of an event. */
const char *audit_kind_name(enum audit_kind kind);

#endif
