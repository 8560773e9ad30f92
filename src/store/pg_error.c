/*
 * pg_error.c - what the errors of a server mean to the caller of a store, in
 * sentences that hold no password.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "store/pg_internal.h"
#include "store/store_file.h"

/* Length of an SQLSTATE. */
#define STATE_LEN 5

static const char *state_in(const char *);
static void one_line(const char *, char *, size_t);

/* By the beginning of the SQLSTATE (appendix A of PostgreSQL's manual); the
 * first that fits. What is not here has failed. */
static const struct {
	const char *state;
	enum store_result result;
} meanings[] = {
    {"22021", STORE_INVALID},  /* no text in the database's encoding */
    {"23505", STORE_EXISTS},   /* unique_violation */
    {"25006", STORE_READONLY}, /* a standby, or told to be */
    {"28", STORE_READONLY},    /* wrong password, no such role, no entry */
    {"3D000", STORE_INVALID},  /* no such database */
    {"40001", STORE_BUSY},     /* serialization_failure */
    {"40P01", STORE_BUSY},     /* deadlock_detected */
    {"42501", STORE_READONLY}, /* insufficient_privilege */
    /* A missing table or column: the statements are fixed and fit the
     * schema. */
    {"42", STORE_DAMAGED},
    {"3F000", STORE_DAMAGED},
    {"53100", STORE_FULL}, /* disk_full */
    {"53300", STORE_BUSY}, /* too_many_connections */
    {"55P03", STORE_BUSY}, /* lock_not_available */
    {"57014", STORE_BUSY}, /* query_canceled: the time was over */
    {"XX001", STORE_DAMAGED},
    {"XX002", STORE_DAMAGED},
};

enum store_result
pg_result_of(const char *state)
{
	size_t i;

	if (state == NULL)
		return (STORE_FAILED);
	for (i = 0; i < PG_COUNT_OF(meanings); i++) {
		if (strncmp(state, meanings[i].state,
			strlen(meanings[i].state)) == 0)
			return (meanings[i].result);
	}
	return (STORE_FAILED);
}

enum store_result
pg_fail_with(struct pg_store *s, enum store_result result, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	store_sentence(s->base.error, s->shown, fmt, args);
	va_end(args);
	return (result);
}

enum store_result
pg_fail(struct pg_store *s, const PGresult *answer)
{
	const char *state = PQresultErrorField(answer, PG_DIAG_SQLSTATE);
	const char *words = PQresultErrorField(answer, PG_DIAG_MESSAGE_PRIMARY);
	enum store_result result = pg_result_of(state);

	return (pg_fail_with(s, result, "%s (%s)", store_result_text(result),
	    words == NULL ? "an answer that is none" : words));
}

/* The SQLSTATE in the words of libpq, which tells it in no other way while it
 * connects; the last one, as there may be several hosts. Or NULL. */
static const char *
state_in(const char *words)
{
	const char *found = NULL, *p;

	for (p = strstr(words, ":  "); p != NULL; p = strstr(p + 1, ":  ")) {
		if (strspn(p + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") ==
			STATE_LEN &&
		    strncmp(p + 3 + STATE_LEN, ": ", 2) == 0)
			found = p + 3;
	}
	return (found);
}

/* The first line of a text, in memory of its own. */
static void
one_line(const char *text, char *out, size_t size)
{
	(void)snprintf(out, size, "%.*s", (int)strcspn(text, "\r\n"), text);
}

enum store_result
pg_fail_connection(struct pg_store *s)
{
	const char *words = PQerrorMessage(s->conn), *state, *last, *next;
	enum store_result result = STORE_FAILED;
	char line[STORE_ERROR_MAX];

	if ((state = state_in(words)) != NULL) {
		result = pg_result_of(state);
		words = state + STATE_LEN + 2;
	} else {
		/* libpq begins with what is shown anyhow: who it asked. */
		for (last = words; (next = strstr(last, "failed: ")) != NULL;)
			last = next + 8;
		words = last;
	}
	one_line(words, line, sizeof(line));
	return (pg_fail_with(s, result, "cannot be reached (%s)",
	    line[0] == '\0' ? "no reason is known" : line));
}
