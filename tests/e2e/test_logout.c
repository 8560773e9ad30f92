/*
 * What ends tokens before their time: logout, and whatever an administrator
 * does to an account. Once it has been answered no worker takes them.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/pem.h>

#include "check.h"
#include "http.h"
#include "sess.h"
#include "suite.h"
#include "tok.h"

#define REVOKED     "Token has been revoked"
#define WORKERS     3
#define CONNECTIONS 8

/* The order of P-256 (FIPS 186-4, D.1.2.3). */
#define P256_ORDER                                                             \
	"FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551"

TestSuite(logout, .timeout = 120);

static struct server *start(int, const char *);
static void expect_revoked(const char *, int, const struct pair *);
static void
expect_message(const char *, int, const char *, const char *, const char *);

/* Several workers, on a port and a folder that may be given. */
static struct server *
start(int port, const char *folder)
{
	static const char *const env[] = {"JWT_SECRET_KEY=" TOK_SECRET, NULL};
	struct server_options options;

	memset(&options, 0, sizeof(options));
	options.environment = env;
	options.workers = WORKERS;
	options.port = port;
	options.data_dir = folder;
	return (server_start(&options));
}

/* Both tokens of a pair, each where it would be good. */
static void
expect_revoked(const char *row, int port, const struct pair *pair)
{
	struct raw_response answer;

	(void)http_get_token(port, "/protected", pair->access, &answer);
	check_member(row, &answer, 401, "msg", REVOKED);
	raw_response_free(&answer);
	(void)sess_ask(port, "POST", "/refresh", pair->refresh, NULL, &answer);
	check_member(row, &answer, 401, "msg", REVOKED);
	raw_response_free(&answer);
}

/* DELETE with a token is answered with this message. */
static void
expect_message(const char *row, int port, const char *path, const char *token,
    const char *message)
{
	struct raw_response answer;

	(void)sess_ask(port, "DELETE", path, token, NULL, &answer);
	check_member(row, &answer, 200, "message", message);
	check_header(row, &answer, "set-cookie", NULL);
	raw_response_free(&answer);
}

/* Row 16. The connections are there before, so that nothing is fetched anew
 * for them; every token has been used on each of them, so that it is in every
 * worker's cache. */
Test(logout, logout_ends_both_tokens_at_once_on_every_worker)
{
	struct server *s = start(0, NULL);
	int port = server_port(s), i, status;
	struct raw *connections[CONNECTIONS];
	struct pair other = pair_demo(port), pair;

	sess_spread(s, connections, CONNECTIONS);
	for (i = 0; i < CONNECTIONS; i++) {
		pair = pair_demo(port);
		sess_expect_all(
		    "before", connections, CONNECTIONS, pair.access, 200);
		/* Answered by one worker, asked of all the others. */
		status = sess_ask_on(connections[i], "DELETE", "/logout",
		    i % 2 == 0 ? pair.access : pair.refresh, NULL, NULL);
		cr_expect(status == 200, "logout: %d", status);
		sess_expect_all(
		    "after", connections, CONNECTIONS, pair.access, 401);
		expect_revoked("after", port, &pair);
		pair_free(&pair);
	}
	sess_expect_all(
	    "another session", connections, CONNECTIONS, other.access, 200);
	cr_expect(pair_refresh(port, other.refresh, NULL) == 200);
	sess_spread_close(connections, CONNECTIONS);
	pair_free(&other);
	server_stop(s);
}

Test(logout, session_stays_ended_after_a_restart)
{
	char *folder = scratch_new();
	struct server *s = start(0, folder);
	struct pair ended = pair_demo(server_port(s)),
		    kept = pair_demo(server_port(s));

	expect_message(
	    "logout", server_port(s), "/logout", ended.access, "Logged out");
	server_stop(s);
	s = start(0, folder);
	expect_revoked("after the restart", server_port(s), &ended);
	cr_expect(http_get_token(
		      server_port(s), "/protected", kept.access, NULL) == 200);
	cr_expect(pair_refresh(server_port(s), kept.refresh, NULL) == 200);
	server_stop(s);
	pair_free(&ended);
	pair_free(&kept);
	scratch_free(folder);
}

/* With -9, one worker after the other; those that take their places know. */
Test(logout, session_stays_ended_when_workers_are_killed)
{
	struct server *s = start(0, NULL);
	int port = server_port(s);
	struct raw *connections[CONNECTIONS];
	struct pair ended = pair_demo(port), kept = pair_demo(port);
	pid_t pids[8], killed;
	long long end;
	size_t round;

	server_expect_crash(s);
	expect_message("logout", port, "/logout", ended.access, "Logged out");
	for (round = 0; round < WORKERS; round++) {
		cr_assert(server_workers(s, pids, 8) == WORKERS);
		killed = pids[0];
		cr_assert(kill(killed, SIGKILL) == 0);
		cr_expect(process_gone(killed, 1000));
		end = now_ms() + 10000;
		while (server_workers(s, pids, 8) != WORKERS && now_ms() < end)
			sleep_ms(10);
	}
	sess_spread(s, connections, CONNECTIONS);
	sess_expect_all("ended", connections, CONNECTIONS, ended.access, 401);
	sess_expect_all("kept", connections, CONNECTIONS, kept.access, 200);
	sess_spread_close(connections, CONNECTIONS);
	expect_revoked("ended", port, &ended);
	pair_free(&ended);
	pair_free(&kept);
	server_stop(s);
}

/* Killed right after the answer, the whole service: what was acknowledged is
 * on the disk. */
Test(logout, session_stays_ended_when_the_whole_service_is_killed)
{
	char *folder = scratch_new();
	struct server *s = start(0, folder);
	struct pair ended = pair_demo(server_port(s)),
		    kept = pair_demo(server_port(s));

	server_expect_crash(s);
	expect_message(
	    "logout", server_port(s), "/logout", ended.access, "Logged out");
	cr_assert(kill(-server_pid(s), SIGKILL) == 0);
	cr_expect(server_wait(s, 5000) == 128 + SIGKILL);
	(void)server_stop(s);
	s = start(0, folder);
	expect_revoked("after the crash", server_port(s), &ended);
	cr_expect(pair_refresh(server_port(s), kept.refresh, NULL) == 200);
	server_stop(s);
	pair_free(&ended);
	pair_free(&kept);
	scratch_free(folder);
}

Test(logout, logout_all_ends_every_session_of_the_account_alone)
{
	struct server *s = start(0, NULL);
	int port = server_port(s);
	struct raw *connections[CONNECTIONS];
	struct pair first = pair_demo(port), second = pair_demo(port), other,
		    later;
	char *foreign;

	cr_assert(
	    sess_ctl(s, "laika-in-orbit", "user", "add", "laika", NULL) == 0);
	other = pair_login(port, "laika", "laika-in-orbit");
	foreign = tok_good();
	sess_spread(s, connections, CONNECTIONS);
	sess_expect_all("foreign", connections, CONNECTIONS, foreign, 200);
	expect_message("logout-all", port, "/logout-all", first.access,
	    "Logged out everywhere");
	sess_expect_all("first", connections, CONNECTIONS, first.access, 401);
	sess_expect_all("second", connections, CONNECTIONS, second.access, 401);
	sess_expect_all(
	    "another application's", connections, CONNECTIONS, foreign, 401);
	sess_expect_all("other", connections, CONNECTIONS, other.access, 200);
	expect_revoked("first", port, &first);
	expect_revoked("second", port, &second);
	later = pair_demo(port);
	sess_expect_all(
	    "a later login", connections, CONNECTIONS, later.access, 200);
	cr_expect(pair_refresh(port, later.refresh, NULL) == 200);
	cr_expect(pair_refresh(port, other.refresh, NULL) == 200);
	sess_spread_close(connections, CONNECTIONS);
	free(foreign);
	pair_free(&first);
	pair_free(&second);
	pair_free(&other);
	pair_free(&later);
	server_stop(s);
}

Test(logout, refresh_token_ends_one_session_and_not_all)
{
	struct server *s = start(0, NULL);
	int port = server_port(s);
	struct pair pair = pair_demo(port);
	struct raw_response answer;

	(void)sess_ask(
	    port, "DELETE", "/logout-all", pair.refresh, NULL, &answer);
	check_member("logout-all", &answer, 422, "msg",
	    "Only non-refresh tokens are allowed");
	raw_response_free(&answer);
	cr_expect(http_get_token(port, "/protected", pair.access, NULL) == 200);
	expect_message("logout", port, "/logout", pair.refresh, "Logged out");
	expect_revoked("after", port, &pair);
	(void)sess_ask(port, "DELETE", "/logout", pair.access, NULL, &answer);
	check_member("again", &answer, 401, "msg", REVOKED);
	raw_response_free(&answer);
	(void)sess_ask(port, "DELETE", "/logout", NULL, NULL, &answer);
	cr_expect(answer.status == 401, "without: %d", answer.status);
	check_house("without", &answer);
	raw_response_free(&answer);
	pair_free(&pair);
	server_stop(s);
}

/* A revocation is forgotten once no access token of the session can be alive.
 * Its refresh token can be, by its own end: then the store knows that there is
 * no such session. That it was asked is in the audit log. */
Test(logout, refresh_token_of_an_ended_session_stays_refused)
{
	static const char line[] = "\"event\":\"logout\",\"outcome\":"
				   "\"failed\",\"reason\":\"token_revoked\"";
	struct server *s =
	    suite_start_with("flask", "JWT_ACCESS_TOKEN_EXPIRES=1", NULL);
	int port = server_port(s);
	struct pair ended = pair_demo(port), kept = pair_demo(port);
	struct raw_response answer;
	long long end = now_ms() + 15000;
	char *path, *log;
	bool asked = false;

	expect_message("logout", port, "/logout", ended.refresh, "Logged out");
	path = text_of("%s/audit.log", server_data_dir(s));
	while (!asked && now_ms() < end) {
		(void)sess_ask(
		    port, "DELETE", "/logout", ended.refresh, NULL, &answer);
		check_member("logout", &answer, 401, "msg", REVOKED);
		raw_response_free(&answer);
		log = file_read(path, NULL);
		asked = log != NULL && strstr(log, line) != NULL;
		free(log);
		sleep_ms(50);
	}
	cr_expect(asked, "the revocation is never forgotten");
	(void)sess_ask(port, "POST", "/refresh", ended.refresh, NULL, &answer);
	check_member("refresh", &answer, 401, "msg", REVOKED);
	raw_response_free(&answer);
	cr_expect(pair_refresh(port, kept.refresh, NULL) == 200);
	expect_message("kept", port, "/logout", kept.refresh, "Logged out");
	free(path);
	pair_free(&ended);
	pair_free(&kept);
	server_stop(s);
}

/* Another application's token belongs to no session: it ends by itself. */
Test(logout, token_without_a_session_ends_alone)
{
	static const char claims[] =
	    "{\"iat\":@-1,\"jti\":\"%s\",\"type\":\"access\","
	    "\"sub\":\"cosmo\",\"exp\":@+900}";
	struct server *s = start(0, NULL);
	int port = server_port(s);
	char *first, *second, *text, *long_id;

	text = text_of(claims, "first");
	first = tok_make(TOK_HEADER, text, TOK_SECRET);
	free(text);
	long_id = text_repeat("j", 2000);
	text = text_of(claims, long_id);
	second = tok_make(TOK_HEADER, text, TOK_SECRET);
	expect_message("first", port, "/logout", first, "Logged out");
	cr_expect(http_get_token(port, "/protected", first, NULL) == 401);
	cr_expect(http_get_token(port, "/protected", second, NULL) == 200);
	expect_message("second", port, "/logout", second, "Logged out");
	cr_expect(http_get_token(port, "/protected", second, NULL) == 401);
	free(long_id);
	free(first);
	free(second);
	free(text);
	server_stop(s);
}

/* Row 17, and what else an administrator does. The command has returned: no
 * worker may take the tokens any more. */
Test(logout, changes_by_an_administrator_end_tokens_at_once)
{
	static const struct {
		const char *words[4];
		const char *password;
		int refresh; /* status afterwards */
	} rows[] = {
	    {{"user", "passwd", "laika", NULL}, "another-one", 401},
	    {{"user", "disable", "laika", NULL}, NULL, 401},
	    {{"user", "roles", "laika", "ops"}, NULL, 200},
	    {{"user", "revoke", "laika", "--yes"}, NULL, 401},
	    {{"user", "delete", "laika", "--yes"}, NULL, 401},
	};
	struct server *s = start(0, NULL);
	int port = server_port(s), status;
	struct raw *connections[CONNECTIONS];
	struct pair pair, other = pair_demo(port);
	size_t i;

	sess_spread(s, connections, CONNECTIONS);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)sess_ctl(
		    s, NULL, "user", "delete", "laika", "--yes", NULL);
		cr_assert(sess_ctl(s, "laika-in-orbit", "user", "add", "laika",
			      NULL) == 0);
		pair = pair_login(port, "laika", "laika-in-orbit");
		sess_expect_all(rows[i].words[1], connections, CONNECTIONS,
		    pair.access, 200);
		cr_expect(sess_ctl(s, rows[i].password, rows[i].words[0],
			      rows[i].words[1], rows[i].words[2],
			      rows[i].words[3], NULL) == 0);
		sess_expect_all(rows[i].words[1], connections, CONNECTIONS,
		    pair.access, 401);
		status = pair_refresh(port, pair.refresh, NULL);
		cr_expect(status == rows[i].refresh, "%s: %d", rows[i].words[1],
		    status);
		pair_free(&pair);
	}
	sess_expect_all(
	    "another account", connections, CONNECTIONS, other.access, 200);
	sess_spread_close(connections, CONNECTIONS);
	pair_free(&other);
	server_stop(s);
}

Test(logout, disabled_account_logs_in_again_once_it_is_enabled)
{
	struct server *s = start(0, NULL);
	int port = server_port(s);
	struct pair pair;
	struct raw_response disabled, wrong;

	cr_assert(
	    sess_ctl(s, "laika-in-orbit", "user", "add", "laika", NULL) == 0);
	pair = pair_login(port, "laika", "laika-in-orbit");
	cr_assert(sess_ctl(s, NULL, "user", "disable", "laika", NULL) == 0);
	(void)http_login(port,
	    "{\"username\": \"laika\", \"password\": \"laika-in-orbit\"}",
	    &disabled);
	(void)http_login(
	    port, "{\"username\": \"laika\", \"password\": \"wrong\"}", &wrong);
	check_member(
	    "disabled", &disabled, 401, "error", "Bad username or password");
	cr_expect_str_eq(disabled.body, wrong.body);
	raw_response_free(&disabled);
	raw_response_free(&wrong);
	cr_assert(sess_ctl(s, NULL, "user", "enable", "laika", NULL) == 0);
	expect_revoked("before it was disabled", port, &pair);
	pair_free(&pair);
	pair = pair_login(port, "laika", "laika-in-orbit");
	cr_expect(http_get_token(port, "/protected", pair.access, NULL) == 200);
	pair_free(&pair);
	server_stop(s);
}

/* Row 11: a name may change hands, a subject never does. */
Test(logout, subject_stays_with_the_account_and_is_not_given_again)
{
	struct server *s = start(0, NULL);
	int port = server_port(s);
	struct pair old, renamed, successor;
	char *sub, *other;

	cr_assert(
	    sess_ctl(s, "laika-in-orbit", "user", "add", "laika", NULL) == 0);
	old = pair_login(port, "laika", "laika-in-orbit");
	cr_assert(
	    sess_ctl(s, NULL, "user", "rename", "laika", "belka", NULL) == 0);
	cr_expect(http_get_token(port, "/protected", old.access, NULL) == 200);
	renamed = pair_login(port, "belka", "laika-in-orbit");
	sub = sess_claim(renamed.access, "sub");
	cr_expect_str_eq(sub, "laika");
	cr_expect(sess_login(port, "laika", "laika-in-orbit") == 401);

	cr_assert(
	    sess_ctl(s, "somebody-else", "user", "add", "laika", NULL) == 0);
	successor = pair_login(port, "laika", "somebody-else");
	other = sess_claim(successor.access, "sub");
	cr_expect_str_neq(other, "laika");
	cr_expect(strlen(other) == 36, "%s", other);
	expect_message("belka", port, "/logout-all", renamed.access,
	    "Logged out everywhere");
	cr_expect(
	    http_get_token(port, "/protected", successor.access, NULL) == 200);
	free(sub);
	free(other);
	pair_free(&old);
	pair_free(&renamed);
	pair_free(&successor);
	server_stop(s);
}

/* The other signature that ECDSA allows for the same token: s for n - s. */
static char *
other_signature(const char *token)
{
	unsigned char *mac;
	char *head, *segment, *encoded, *out;
	BIGNUM *order = NULL, *value;
	size_t len;

	segment = tok_segment(token, 2);
	mac = (unsigned char *)tok_decode(segment, &len);
	cr_assert(mac != NULL && len == 64);
	cr_assert(BN_hex2bn(&order, P256_ORDER) > 0);
	value = BN_bin2bn(mac + 32, 32, NULL);
	cr_assert(value != NULL && BN_sub(value, order, value) == 1 &&
	    BN_bn2binpad(value, mac + 32, 32) == 32);
	encoded = tok_encode(mac, len);
	head = text_of("%.*s", (int)(strrchr(token, '.') - token), token);
	out = text_of("%s.%s", head, encoded);
	BN_free(order);
	BN_free(value);
	free(segment);
	free(encoded);
	free(head);
	free(mac);
	return (out);
}

/* Row 15: what is kept is the token's name, not its bytes. */
Test(logout, revocation_holds_for_another_signature_of_the_same_token)
{
	struct server *s;
	struct pair pair;
	EVP_PKEY *key;
	const char *env[] = {"JWT_ALGORITHM=ES256", NULL, NULL};
	struct server_options options = {.environment = env};
	char *text, *pem, *setting, *twin, *fresh_twin, *refresh_twin;
	struct pair control;
	BIO *bio;
	long len;

	key = EVP_EC_gen("P-256");
	bio = BIO_new(BIO_s_mem());
	cr_assert(key != NULL && bio != NULL &&
	    PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
	len = BIO_get_mem_data(bio, &text);
	pem = strndup(text, (size_t)len);
	setting = text_of("JWT_PRIVATE_KEY=%s", pem);
	env[1] = setting;
	s = server_start(&options);
	pair = pair_demo(server_port(s));
	control = pair_demo(server_port(s));
	twin = other_signature(pair.access);
	refresh_twin = other_signature(pair.refresh);
	fresh_twin = other_signature(control.access);
	cr_expect_str_neq(twin, pair.access);
	cr_expect(http_get_token(
		      server_port(s), "/protected", fresh_twin, NULL) == 200,
	    "the other signature is no good at all");
	expect_message(
	    "logout", server_port(s), "/logout", pair.access, "Logged out");
	cr_expect(
	    http_get_token(server_port(s), "/protected", twin, NULL) == 401);
	cr_expect(pair_refresh(server_port(s), refresh_twin, NULL) == 401);
	BIO_free(bio);
	EVP_PKEY_free(key);
	free(setting);
	free(pem);
	free(twin);
	free(fresh_twin);
	free(refresh_twin);
	pair_free(&pair);
	pair_free(&control);
	server_stop(s);
}
