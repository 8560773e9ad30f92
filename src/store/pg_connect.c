/*
 * pg_connect.c - from an address to a connection with the settings that the
 * statements rely on.
 *
 * A server that cannot be reached is not asked by every thread for every
 * request: after a failure the whole process waits, at first a tenth of a
 * second and at most two, and whoever asks meanwhile is told what the last
 * attempt said. Only who opens a database to make its tables, or to copy it,
 * always tries.
 */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/secret.h"
#include "store/pg_internal.h"

/* Pauses between attempts (milliseconds). */
#define PAUSE_FIRST_MS 100
#define PAUSE_MAX_MS   2000

/* Longest search for a host that answers (seconds). */
#define SEARCH_MAX_SECONDS 30

/* Of a password shorter than that a message may hold the letters by chance. */
#define PASSWORD_SHORT 4

static bool plain_address(const char *);
static const char *option(const PQconninfoOption *, const char *);
static void ignore_notice(void *, const char *);
static int search_ms(PGconn *);
static PGconn *begin(const char *);
static enum store_result reach(struct pg_store *);
static void hide_password(struct pg_store *);
static bool may_try(struct pg_store *, enum store_result *);
static void note(const struct pg_store *, enum store_result);

/* The last failures of this process. */
static struct {
	pthread_mutex_t lock;
	uint8_t address[SECRET_DIGEST_LEN]; /* whose they were */
	unsigned int count;
	int64_t next_ms;
	enum store_result result;
	char error[STORE_ERROR_MAX];
} trouble = {.lock = PTHREAD_MUTEX_INITIALIZER};

/*
 * A password with an @ or a / that is not written as %40 or %2F would be taken
 * for a host or a port, and messages name those. So there is one @ at most,
 * and it is before the first slash.
 */
static bool
plain_address(const char *url)
{
	const char *authority = strstr(url, "://"), *slash, *at;

	if (authority == NULL)
		return (false);
	authority += 3;
	slash = authority + strcspn(authority, "/");
	at = strchr(authority, '@');
	if (at == NULL || at > authority + strcspn(authority, "/?"))
		at = NULL;
	if (at != NULL && memchr(at + 1, '@', (size_t)(slash - at - 1)) != NULL)
		return (false);
	return (memchr(slash, '@', strcspn(slash, "?")) == NULL);
}

static const char *
option(const PQconninfoOption *options, const char *name)
{
	for (; options->keyword != NULL; options++) {
		if (strcmp(options->keyword, name) == 0)
			return (options->val == NULL ? "" : options->val);
	}
	return ("");
}

enum store_result
pg_address_check(const char *url, char **shown, char error[STORE_ERROR_MAX])
{
	PQconninfoOption *options = NULL;
	char text[STORE_ERROR_MAX], *words = NULL;

	*shown = NULL;
	if (plain_address(url))
		options = PQconninfoParse(url, &words);
	/* These words may quote a part of the password: nobody sees them. */
	PQfreemem(words);
	if (options == NULL) {
		(void)snprintf(error, STORE_ERROR_MAX,
		    "this is no address of a PostgreSQL database, "
		    "postgresql://USER:PASSWORD@HOST:PORT/DATABASE "
		    "(in a password %%40 stands for @, %%3A for :, %%2F for "
		    "/, %%3F for ?, %%25 for %%)");
		return (STORE_INVALID);
	}
	(void)snprintf(text, sizeof(text), "PostgreSQL %.150s/%.64s",
	    option(options, "host"), option(options, "dbname"));
	PQconninfoFree(options);
	if ((*shown = strdup(text)) != NULL)
		return (STORE_OK);
	(void)snprintf(error, STORE_ERROR_MAX, "out of memory");
	return (STORE_FAILED);
}

/* libpq would print it. */
static void
ignore_notice(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

/* How long all hosts of an address may take together (milliseconds). libpq
 * goes on to the next one when one does not answer at all. */
static int
search_ms(PGconn *conn)
{
	PQconninfoOption *options = PQconninfo(conn);
	long seconds = 0;
	const char *p;

	if (options != NULL) {
		seconds = strtol(option(options, "connect_timeout"), NULL, 10);
		if (seconds <= 0 || seconds > SEARCH_MAX_SECONDS)
			seconds = PG_CONNECT_SECONDS;
		for (p = option(options, "host"); *p != '\0'; p++)
			seconds += *p == ',' ? PG_CONNECT_SECONDS : 0;
		PQconninfoFree(options);
	}
	return (1000 *
	    (int)(seconds > SEARCH_MAX_SECONDS ? SEARCH_MAX_SECONDS : seconds));
}

/*
 * What stands before the address can be overruled by it. A host that is gone
 * is noticed by TCP itself, also while it is connected to and also where this
 * program only listens. Kerberos would look for files that a worker may not
 * see.
 */
static PGconn *
begin(const char *url)
{
	static const char *const keywords[] = {"fallback_application_name",
	    "connect_timeout", "tcp_user_timeout", "keepalives_idle",
	    "keepalives_interval", "keepalives_count", "gssencmode", "dbname",
	    "client_encoding", NULL};
	const char *const values[] = {
	    "corgi", "3", "3000", "5", "2", "2", "disable", url, "UTF8", NULL};
	PGconn *conn;

	conn = PQconnectStartParams(keywords, values, 1);
	if (conn == NULL)
		return (NULL);
	(void)PQsetNoticeProcessor(conn, ignore_notice, NULL);
	/* Only so is the SQLSTATE of a refused connection told. */
	(void)PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
	return (conn);
}

static enum store_result
reach(struct pg_store *s)
{
	PostgresPollingStatusType want = PGRES_POLLING_WRITING;
	enum store_result result;

	if ((s->conn = begin(s->url)) == NULL)
		return (pg_fail_with(s, STORE_FAILED, "out of memory"));
	pg_give_time(s, search_ms(s->conn));
	while (PQstatus(s->conn) != CONNECTION_BAD) {
		if (!pg_wait(
			s, want == PGRES_POLLING_READING ? POLLIN : POLLOUT)) {
			result = pg_fail_with(
			    s, STORE_FAILED, "cannot be reached in time");
			pg_disconnect(s);
			return (result);
		}
		want = PQconnectPoll(s->conn);
		if (want == PGRES_POLLING_OK) {
			(void)PQsetErrorVerbosity(s->conn, PQERRORS_DEFAULT);
			if (PQsetnonblocking(s->conn, 1) == 0)
				return (STORE_OK);
			break;
		}
		if (want == PGRES_POLLING_FAILED)
			break;
	}
	result = pg_fail_connection(s);
	hide_password(s);
	pg_disconnect(s);
	return (result);
}

/* No message that is known of names the password; this is for the others. */
static void
hide_password(struct pg_store *s)
{
	const char *password = PQpass(s->conn);
	size_t len = password == NULL ? 0 : strlen(password);
	char *p;

	if (len < PASSWORD_SHORT)
		return;
	while ((p = strstr(s->base.error, password)) != NULL) {
		memset(p, '*', 3);
		(void)memmove(p + 3, p + len, strlen(p + len) + 1);
	}
}

enum store_result
pg_subscribe(struct pg_store *s)
{
	enum store_result result;

	result = pg_execute(s, pg_statement_listen, NULL);
	s->listening = true;
	s->news = true;
	s->told = STORE_FOREVER;
	return (result);
}

enum store_result
pg_settle(struct pg_store *s)
{
	enum store_result result;
	PGresult *answer;
	char wait[16], idle[16];
	const struct pg_value values[] = {PG_TEXT_OF(wait), PG_TEXT_OF(idle)};
	int64_t let_in = 0;

	(void)snprintf(wait, sizeof(wait), "%d", s->wait);
	(void)snprintf(idle, sizeof(idle), "%d",
	    s->wait < PG_IDLE_MS ? s->wait : PG_IDLE_MS);
	result = pg_ask(s, pg_statement_settings, values, 2, &answer);
	if (result == STORE_OK &&
	    (!pg_read_integer(answer, 0, PG_SETTINGS_LET_IN, &let_in) ||
		let_in == 0))
		result = pg_fail_with(s, STORE_BUSY,
		    "is being copied (\"corgictl database copy\")%s",
		    s->copying ? ", by another run or as FROM of this one"
			       : "");
	PQclear(answer);
	return (result);
}

/* Of several threads that wait for the pause's end one tries; to the others
 * the pause goes on until it knows. */
static bool
may_try(struct pg_store *s, enum store_result *result)
{
	uint8_t address[SECRET_DIGEST_LEN];
	int64_t now = clock_monotonic_ms();
	bool may = true;

	secret_digest(s->url, strlen(s->url), address);
	(void)pthread_mutex_lock(&trouble.lock);
	if (memcmp(address, trouble.address, sizeof(address)) != 0) {
		(void)memcpy(trouble.address, address, sizeof(address));
		trouble.count = 0;
	}
	if (trouble.count > 0 && now < trouble.next_ms) {
		(void)memcpy(s->base.error, trouble.error, STORE_ERROR_MAX);
		*result = trouble.result;
		may = false;
	} else if (trouble.count > 0) {
		trouble.next_ms = now + PAUSE_MAX_MS;
	}
	(void)pthread_mutex_unlock(&trouble.lock);
	return (may);
}

static void
note(const struct pg_store *s, enum store_result result)
{
	int64_t pause = PAUSE_FIRST_MS;
	uint8_t part;

	(void)pthread_mutex_lock(&trouble.lock);
	if (result == STORE_OK) {
		trouble.count = 0;
	} else {
		if (trouble.count < 8)
			trouble.count++;
		pause <<= trouble.count - 1;
		if (pause > PAUSE_MAX_MS)
			pause = PAUSE_MAX_MS;
		/* Not all processes at the same moment. */
		secret_random(&part, sizeof(part));
		pause -= pause * part / 1024;
		trouble.next_ms = clock_monotonic_ms() + pause;
		trouble.result = result;
		(void)memcpy(trouble.error, s->base.error, STORE_ERROR_MAX);
	}
	(void)pthread_mutex_unlock(&trouble.lock);
}

enum store_result
pg_connect(struct pg_store *s)
{
	enum store_result result = STORE_FAILED;

	if (!s->opening && !s->copying && !may_try(s, &result))
		return (result);
	memset(s->prepared, 0, sizeof(s->prepared));
	result = reach(s);
	if (result == STORE_OK)
		result = pg_settle(s);
	if (result == STORE_OK && !s->opening)
		result = pg_check_version(s);
	if (result == STORE_OK && s->listening)
		result = pg_subscribe(s);
	if (result != STORE_OK)
		pg_disconnect(s);
	note(s, result);
	return (result);
}

void
pg_disconnect(struct pg_store *s)
{
	PQfinish(s->conn);
	s->conn = NULL;
	s->key = 0;
}
