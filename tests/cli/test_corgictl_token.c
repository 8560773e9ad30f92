/*
 * corgictl token inspect: the same verdict as the service, in words, on tokens
 * made by the library at any time.
 */
#include "ctl.h"

#include <sys/stat.h>

#include <unistd.h>

#include "auth/token.h"
#include "base/jdoc.h"
#include "base/secret.h"
#include "store/store.h"

#define SECRET "an-example-secret-of-enough-bytes"

static void set_up(void);
static char *make_token(const char *, int64_t);
static char *make_kind(const char *, int64_t, enum token_kind);
static void make_pem_key(const char *, char *, size_t);

static void
set_up(void)
{
	ctl_set_up();
	ctl_env[2] = "JWT_SECRET_KEY=" SECRET;
}

TestSuite(ctl_token, .init = set_up, .fini = ctl_tear_down, .timeout = 60);

/* Make an RSA key in the test's folder; the entry that names its file. */
static void
make_pem_key(const char *bits, char *entry, size_t size)
{
	char path[SERVER_PATH_MAX];
	const char *const argv[] = {"/usr/bin/openssl", "genpkey", "-quiet",
	    "-algorithm", "RSA", "-pkeyopt", bits, "-out", path, NULL};
	struct run_result r;

	(void)snprintf(path, sizeof(path), "%s/key.pem", ctl_folder);
	(void)snprintf(entry, size, "JWT_PRIVATE_KEY_FILE=%s", path);
	r = run_program(argv, NULL, NULL, 0);
	cr_assert_eq(r.status, 0, "%s", r.out);
	run_free(&r);
}

/* A token for cosmo, issued some seconds from now, with a key of its own. */
static char *
make_token(const char *secret_entry, int64_t from_now)
{
	return (make_kind(secret_entry, from_now, TOKEN_ACCESS));
}

static char *
make_kind(const char *secret_entry, int64_t from_now, enum token_kind kind)
{
	char *environment[] = {strdup(secret_entry), NULL};
	const struct token_request request = {
	    .kind = kind, .subject = "cosmo", .subject_len = 5};
	char error[CONFIG_ERROR_MAX], key_error[KEY_ERROR_MAX], *token;
	int64_t seconds = clock_now(&clock_system) + from_now;
	struct token_policy policy = {.clock = clock_fixed(&seconds)};
	struct config config;
	struct key *key;

	cr_assert_eq(secret_init(), 0);
	cr_assert_eq(config_load(environment, CONFIG_DEV, &config, error), 0,
	    "%s", error);
	cr_assert_not_null(
	    key = key_from_config(&config, key_error), "%s", key_error);
	policy.key = key;
	policy.config = &config;
	cr_assert_eq(token_issue(&policy, &request, &token, NULL), ERR_NONE);
	key_free(key);
	config_free(&config);
	free(environment[0]);
	return (token);
}

Test(ctl_token, a_good_token_is_accepted_from_the_line_and_from_input)
{
	char *token = make_token("JWT_SECRET_KEY=" SECRET, 0), *line;

	ctl_expect(0, "Accepted", "token", "inspect", token);
	ctl_expect(0, "\"sub\": \"cosmo\"", "token", "inspect", token);
	cr_assert_neq(asprintf(&line, " %s\r\n", token), -1);
	ctl_expect_of(ctl_input(line, strlen(line), "token", "inspect", NULL),
	    0, "Accepted", __LINE__);
	ctl_expect_of(
	    ctl_input(line, strlen(line), "token", "inspect", "-", NULL), 0,
	    "Accepted", __LINE__);
	free(line);
	free(token);
}

Test(ctl_token, a_refusal_says_why)
{
	static const struct {
		const char *secret;
		int64_t from_now;
		const char *reason;
	} cases[] = {
	    {"JWT_SECRET_KEY=" SECRET, -100000, "Token has expired"},
	    {"JWT_SECRET_KEY=" SECRET, 100000, "not yet valid"},
	    {"JWT_SECRET_KEY=" SECRET "x", 0, "Signature verification failed"},
	};
	char *token;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		token = make_token(cases[i].secret, cases[i].from_now);
		ctl_expect(1, cases[i].reason, "token", "inspect", token);
		ctl_expect(1, "\"sub\": \"cosmo\"", "token", "inspect", token);
		free(token);
	}
}

Test(ctl_token, what_is_no_token_is_refused_in_words)
{
	ctl_expect(1, "Not enough segments", "token", "inspect", "abc");
	ctl_expect(1, "Refused: ", "token", "inspect", "e30.e30.");
	ctl_expect(1, "\"header\": null", "token", "inspect", "a.b.c");
	ctl_expect(2, "there is no token", "token", "inspect", " ");
	ctl_expect(2, "there is no token", "token", "inspect");
}

Test(ctl_token, json_holds_the_parts_and_the_verdict)
{
	char *token = make_token("JWT_SECRET_KEY=" SECRET, 0);
	char *old = make_token("JWT_SECRET_KEY=" SECRET, -100000);
	char error[JDOC_ERROR_MAX];
	struct run_result r;
	jdoc *doc;

	r = ctl_input(NULL, 0, "token", "inspect", "--json", token, NULL);
	cr_expect_eq(r.status, 0);
	doc = jdoc_parse(r.out, r.out_len, 0, error);
	cr_assert_not_null(doc, "%s", r.out);
	cr_expect(jdoc_true(jdoc_member(doc, "accepted")));
	cr_expect_str_eq(
	    jdoc_string(jdoc_member(jdoc_member(doc, "header"), "alg"), NULL),
	    "HS256");
	cr_expect_null(jdoc_member(doc, "error"));
	jdoc_free(doc);
	run_free(&r);

	r = ctl_input(NULL, 0, "token", "inspect", "--json", old, NULL);
	cr_expect_eq(r.status, 1);
	doc = jdoc_parse(r.out, r.out_len, 0, error);
	cr_assert_not_null(doc, "%s", r.out);
	cr_expect_not(jdoc_true(jdoc_member(doc, "accepted")));
	cr_expect_str_eq(jdoc_string(jdoc_member(doc, "message"), NULL),
	    "Token has expired");
	jdoc_free(doc);
	run_free(&r);
	free(token);
	free(old);
}

Test(ctl_token, either_kind_is_accepted_and_told)
{
	char *access = make_token("JWT_SECRET_KEY=" SECRET, 0);
	char *refresh = make_kind("JWT_SECRET_KEY=" SECRET, 0, TOKEN_REFRESH);

	ctl_expect(0, "as an access token", "token", "inspect", access);
	ctl_expect(0, "as a refresh token", "token", "inspect", refresh);
	ctl_expect(
	    0, "\"kind\": \"refresh\"", "token", "inspect", "--json", refresh);
	ctl_expect(
	    0, "\"kind\": \"access\"", "token", "inspect", "--json", access);
	free(access);
	free(refresh);
}

/* Note in the service's database that a token has been taken back. */
static void
note_revoked(const char *token)
{
	struct store_revocation row = {
	    .kind = STORE_REVOKE_TOKEN, .until = STORE_FOREVER};
	char path[SERVER_PATH_MAX + 16], error[STORE_ERROR_MAX], *text;
	const char *id;
	struct store *store;
	jdoc *parts;

	text = token_describe(token, strlen(token));
	parts = jdoc_parse(text, strlen(text), 0, error);
	id = jdoc_string(
	    jdoc_member(jdoc_member(parts, "payload"), "jti"), &row.key_len);
	cr_assert_not_null(id);
	memcpy(row.key, id, row.key_len);
	(void)snprintf(path, sizeof(path), "%s/corgi.db", ctl_data);
	cr_assert_eq(
	    store_open_sqlite(path, &store, error), STORE_OK, "%s", error);
	cr_assert_eq(store_revocation_add(store, &row), STORE_OK);
	store_close(store);
	jdoc_free(parts);
	free(text);
}

Test(ctl_token, a_revoked_token_is_refused_and_an_unreadable_list_reported)
{
	char *gone = make_token("JWT_SECRET_KEY=" SECRET, 0);
	char *good = make_token("JWT_SECRET_KEY=" SECRET, 0);
	char path[SERVER_PATH_MAX + 16];
	FILE *file;

	cr_assert_eq(mkdir(ctl_data, 0700), 0);
	ctl_expect(0, "Accepted", "token", "inspect", gone);
	note_revoked(gone);
	ctl_expect(1, "Token has been revoked", "token", "inspect", gone);
	ctl_expect(0, "Accepted", "token", "inspect", good);

	(void)snprintf(path, sizeof(path), "%s/corgi.db", ctl_data);
	cr_assert_not_null(file = fopen(path, "w"));
	(void)fputs("this is no database at all", file);
	(void)fclose(file);
	ctl_expect(1, "revocations cannot be read", "token", "inspect", good);
	free(gone);
	free(good);
}

/* The service keeps a secret that it made itself in the data folder. */
Test(ctl_token, the_secret_kept_in_the_data_folder_is_used_and_not_made)
{
	char path[SERVER_PATH_MAX + 16], entry[200];
	struct stat st;
	char *token, *kept;
	bool created;
	struct secret secret = {NULL, 0};

	cr_assert_eq(mkdir(ctl_data, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/jwt_secret", ctl_data);
	ctl_env[2] = NULL;
	ctl_expect(1, "there is no key", "token", "inspect", "a.b.c");
	cr_expect_eq(stat(path, &st), -1);

	cr_assert_eq(secret_init(), 0);
	cr_assert_eq(secret_load_or_create(path, 64, &secret, &created), 0);
	(void)snprintf(entry, sizeof(entry), "JWT_SECRET_KEY=%.*s",
	    (int)secret.len, (const char *)secret.data);
	token = make_token(entry, 0);
	ctl_expect(0, "Accepted", "token", "inspect", token);
	cr_assert_not_null(kept = file_read(path, NULL));
	free(kept);
	free(token);
	secret_free(&secret);
}

Test(ctl_token, the_secret_is_never_shown)
{
	struct run_result r;

	r = ctl_input(NULL, 0, "config", NULL);
	cr_expect_eq(r.status, 0, "%s", r.out);
	cr_expect_not_null(strstr(r.out, "JWT_SECRET_KEY"), "%s", r.out);
	cr_expect_not_null(strstr(r.out, "(set)"), "%s", r.out);
	cr_expect_null(strstr(r.out, SECRET), "%s", r.out);
	run_free(&r);
	r = ctl_input(NULL, 0, "config", "--json", NULL);
	cr_expect_eq(r.status, 0, "%s", r.out);
	cr_expect_null(strstr(r.out, SECRET), "%s", r.out);
	run_free(&r);
	ctl_env[2] = "JWT_SECRET_KEY_FILE=" SECRET;
	r = ctl_input(NULL, 0, "config", NULL);
	cr_expect_eq(r.status, 1, "%s", r.out);
	cr_expect_not_null(strstr(r.out, "(set) (file)"), "%s", r.out);
	cr_expect_null(strstr(r.out, SECRET), "%s", r.out);
	run_free(&r);
	r = ctl_input(NULL, 0, "config", "--json", NULL);
	cr_expect_null(strstr(r.out, SECRET), "%s", r.out);
	run_free(&r);
	ctl_env[2] = "JWT_SECRET_KEY=short-secret";
	r = ctl_input(NULL, 0, "token", "inspect", "a.b.c", NULL);
	cr_expect_null(strstr(r.out, "short-secret"), "%s", r.out);
	run_free(&r);
}

Test(ctl_token, config_shows_values_sources_and_what_is_refused)
{
	ctl_env[3] = "JWT_DECODE_LEEWAY=17";
	ctl_env[4] = "JWT_ENCODE_ISSUER_FILE=/nonexistent/issuer";
	ctl_expect(1, "JWT_DECODE_LEEWAY              17", "config");
	ctl_expect(1, "/nonexistent/issuer (file)", "config");
	ctl_expect(1, "JWT_ENCODE_ISSUER_FILE: the file cannot", "config");
	ctl_env[4] = NULL;
	ctl_expect(
	    0, "JWT_ALGORITHM                  HS256 (default)", "config");
	ctl_expect(0, "\"source\": \"environment\"", "config", "--json");
	ctl_expect(0, "CORGI_DATA_DIR                 elsewhere", "config",
	    "--data-dir", "elsewhere");
	ctl_env[3] = "JWT_DECODE_LEEWAY=-1";
	ctl_expect(1, "JWT_DECODE_LEEWAY", "config");
}

Test(ctl_token, config_refuses_the_keys_that_the_service_refuses)
{
	char entry[SERVER_PATH_MAX + 32];

	ctl_env[2] = "JWT_SECRET_KEY=short";
	ctl_expect(1, "JWT_SECRET_KEY has 5 bytes; HS256 needs", "config");
	ctl_expect(
	    1, "JWT_SECRET_KEY has 5 bytes; HS256 needs", "config", "--json");
	ctl_env[2] = NULL;
	ctl_expect(0, "JWT_SECRET_KEY", "config");
	make_pem_key("rsa_keygen_bits:1024", entry, sizeof(entry));
	ctl_env[2] = entry;
	ctl_env[3] = "JWT_ALGORITHM=RS256";
	ctl_expect(1, "JWT_PRIVATE_KEY is an RSA key of 1024 bits", "config");
	make_pem_key("rsa_keygen_bits:3072", entry, sizeof(entry));
	ctl_expect(0, "RS256", "config");
}

Test(ctl_token, config_looks_at_the_secret_that_was_made_before)
{
	char path[SERVER_PATH_MAX + 16];

	ctl_env[2] = NULL;
	ctl_expect(0, "made on the first start", "config");
	cr_assert_eq(mkdir(ctl_data, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/jwt_secret", ctl_data);
	file_write(path, "short", 5);
	ctl_expect(1, "JWT_SECRET_KEY has 5 bytes", "config");
	file_write(path, SECRET, strlen(SECRET));
	ctl_expect(0, "JWT_SECRET_KEY", "config");
}

Test(ctl_token, config_names_the_tls_file_that_cannot_be_read)
{
	char certificate[SERVER_PATH_MAX + 64], key[SERVER_PATH_MAX + 64];

	(void)snprintf(certificate, sizeof(certificate),
	    "CORGI_TLS_CERTIFICATE=%s/cert.pem", ctl_folder);
	(void)snprintf(
	    key, sizeof(key), "CORGI_TLS_KEY=%s/key.pem", ctl_folder);
	ctl_env[3] = certificate;
	ctl_env[4] = key;
	ctl_expect(1,
	    "CORGI_TLS_CERTIFICATE: the file cannot be read: No such file",
	    "config");
	file_write(strchr(certificate, '=') + 1, "x", 1);
	ctl_expect(1, "CORGI_TLS_KEY: the file cannot be read: No such file",
	    "config");
	cr_assert_eq(mkdir(strchr(key, '=') + 1, 0700), 0);
	ctl_expect(1, "CORGI_TLS_KEY: the file cannot be read: Is a directory",
	    "config");
	cr_assert_eq(rmdir(strchr(key, '=') + 1), 0);
	file_write(strchr(key, '=') + 1, "x", 1);
	ctl_expect(0, "CORGI_TLS_KEY", "config");
}
