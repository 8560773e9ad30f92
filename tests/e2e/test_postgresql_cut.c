/*
 * The network between a node and its PostgreSQL server is cut: nothing is
 * refused and nothing answered, packets just do not arrive (far.h).
 */
#include <stdio.h>
#include <stdlib.h>

#include <criterion/criterion.h>

#include "check.h"
#include "database.h"
#include "far.h"
#include "http.h"
#include "sess.h"
#include "suite.h"
#include "tok.h"

/* How long the node goes on without word, and how long the cut lasts
 * (seconds). */
#define SILENCE_SECONDS 3
#define CUT_SECONDS     15

/* How long what has to happen may take at most (milliseconds). */
#define PATIENCE_MS 20000

static void begin(void);
static void end(void);
static void end_session(const char *);

TestSuite(postgresql_cut, .init = begin, .fini = end, .timeout = 120);

static void
begin(void)
{
	database_need_server();
	if (!far_start(1))
		cr_skip_test("no network of its own can be made here");
}

static void
end(void)
{
	far_stop();
}

/* What another node would do, which still has the server. */
static void
end_session(const char *sid)
{
	PGconn *conn = far_administrator();
	char *sql =
	    text_of("BEGIN; SELECT pg_advisory_xact_lock(1131377255, 2);"
		    "DELETE FROM corgi.sessions WHERE id = '%s';"
		    "INSERT INTO corgi.revocations"
		    " (kind, key, version, before, until)"
		    " VALUES (2, '%s', 0, 0, 9223372036854775807);"
		    "NOTIFY corgi_revocations; COMMIT",
		sid, sid);
	PGresult *answer = PQexec(conn, sql);

	cr_assert(PQresultStatus(answer) == PGRES_COMMAND_OK, "%s",
	    PQerrorMessage(conn));
	PQclear(answer);
	PQfinish(conn);
	free(sql);
}

Test(postgresql_cut, a_node_cut_off_serves_no_revoked_token_when_it_is_back)
{
	char *setting = far_setting(0);
	char *silence = text_of("CORGI_DATABASE_SILENCE=%d", SILENCE_SECONDS);
	const char *env[] = {
	    "JWT_SECRET_KEY=" TOK_SECRET, setting, silence, NULL};
	struct server_options options = {.environment = env, .workers = 2};
	struct server *s = server_start(&options);
	int port = server_port(s), status, refused = 0;
	struct pair ended = pair_demo(port), kept = pair_demo(port);
	char *sid = sess_claim(ended.access, "sid");
	long long began, served = 0;

	cr_assert(
	    http_get_token(port, "/protected", ended.access, NULL) == 200);
	far_cut(0);
	began = now_ms();
	end_session(sid);
	while (now_ms() - began < CUT_SECONDS * 1000) {
		status = http_get_token(port, "/protected", ended.access, NULL);
		cr_expect(status == 200 || status == 503, "%d", status);
		if (status == 200) {
			cr_expect(refused == 0, "served again");
			served = now_ms() - began;
		} else
			refused++;
		sleep_ms(50);
	}
	cr_expect(served < SILENCE_SECONDS * 1000 + 500, "served for %lld ms",
	    served);
	cr_expect(http_get(port, "/ready", NULL, NULL) == 503);
	cr_expect(http_login(port, DEMO_LOGIN, NULL) == 503);
	cr_expect(http_get(port, "/health", NULL, NULL) == 200);

	far_mend(0);
	began = now_ms();
	do {
		status = http_get_token(port, "/protected", ended.access, NULL);
		cr_expect(status == 503 || status == 401, "%d", status);
		sleep_ms(10);
	} while (status != 401 && now_ms() - began < PATIENCE_MS);
	cr_expect(status == 401, "%d", status);
	cr_expect(http_get_token(port, "/protected", kept.access, NULL) == 200);
	while (http_login(port, DEMO_LOGIN, NULL) != 200 &&
	    now_ms() - began < PATIENCE_MS)
		sleep_ms(50);
	cr_expect(now_ms() - began < PATIENCE_MS, "it does not come back");
	pair_free(&ended);
	pair_free(&kept);
	free(sid);
	server_stop(s);
	free(silence);
	free(setting);
}
