/*
 * What the environment may say, and what becomes of keys, folders and
 * databases that are not as they should be.
 */
#include <sys/stat.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "check.h"
#include "http.h"
#include "suite.h"
#include "tok.h"

TestSuite(start, .timeout = 120);

struct setting_row {
	const char *name;
	const char *settings[3];
	const char *needle; /* besides the name of the setting */
};

static void refuse_settings(const struct setting_row *, size_t);
static void expect_secret_file(const char *, char **);
static char *path_in(const char *, const char *);

/* Each is refused with its name and the word that says what is wrong. */
static const struct setting_row unknown[] = {
    {"unknown JWT name", {"JWT_SECRET=x"}, "JWT_SECRET"},
    {"known name in lower case", {"JWT_secret_key=" TOK_SECRET},
	"JWT_secret_key"},
    {"misspelt", {"JWT_ALGORITM=HS256"}, "JWT_ALGORITM"},
    {"unknown CORGI name", {"CORGI_PORT=1"}, "CORGI_PORT"},
    {"unknown name with _FILE", {"JWT_KEY_FILE=/nowhere"}, "JWT_KEY_FILE"},
    {"a Flask option that is left out here", {"JWT_TOKEN_LOCATION=headers"},
	"JWT_TOKEN_LOCATION"},
};

static const struct setting_row bad_values[] = {
    {"algorithm none", {"JWT_ALGORITHM=none"}, "JWT_ALGORITHM"},
    {"algorithm in lower case", {"JWT_ALGORITHM=hs256"}, "HS256"},
    {"algorithm unknown", {"JWT_ALGORITHM=HS1"}, "JWT_ALGORITHM"},
    {"style unknown", {"JWT_ERROR_STYLE=rfc"}, "rfc6750"},
    {"life of 0", {"JWT_ACCESS_TOKEN_EXPIRES=0"}, "JWT_ACCESS_TOKEN_EXPIRES"},
    {"life negative", {"JWT_ACCESS_TOKEN_EXPIRES=-1"},
	"JWT_ACCESS_TOKEN_EXPIRES"},
    {"life in words", {"JWT_ACCESS_TOKEN_EXPIRES=soon"}, "never"},
    {"life beyond 64 bits", {"JWT_ACCESS_TOKEN_EXPIRES=99999999999999999999"},
	"JWT_ACCESS_TOKEN_EXPIRES"},
    {"life empty", {"JWT_ACCESS_TOKEN_EXPIRES="}, "JWT_ACCESS_TOKEN_EXPIRES"},
    {"Flask's word for never", {"JWT_ACCESS_TOKEN_EXPIRES=False"}, "never"},
    {"leeway negative", {"JWT_DECODE_LEEWAY=-5"}, "JWT_DECODE_LEEWAY"},
    {"leeway too long", {"JWT_DECODE_LEEWAY=2h"}, "JWT_DECODE_LEEWAY"},
    {"header name with a blank", {"JWT_HEADER_NAME=X Token"},
	"JWT_HEADER_NAME"},
    {"header name with a colon", {"JWT_HEADER_NAME=X:"}, "JWT_HEADER_NAME"},
    {"header name empty", {"JWT_HEADER_NAME="}, "JWT_HEADER_NAME"},
    {"header type with a comma", {"JWT_HEADER_TYPE=a,b"}, "JWT_HEADER_TYPE"},
    {"message key empty", {"JWT_ERROR_MESSAGE_KEY="}, "JWT_ERROR_MESSAGE_KEY"},
    {"audience with an empty entry",
	{"JWT_DECODE_AUDIENCE=a,,b", "JWT_ENCODE_AUDIENCE=a"},
	"JWT_DECODE_AUDIENCE"},
    {"argon2 memory too small", {"CORGI_ARGON2_MEMORY_KIB=19455"},
	"CORGI_ARGON2_MEMORY_KIB"},
    {"argon2 passes too few", {"CORGI_ARGON2_PASSES=1"}, "CORGI_ARGON2_PASSES"},
    {"threads in words", {"CORGI_THREADS=two"}, "CORGI_THREADS"},
    {"queue of 0", {"CORGI_LOGIN_QUEUE=0"}, "CORGI_LOGIN_QUEUE"},
    {"data folder empty", {"CORGI_DATA_DIR="}, "CORGI_DATA_DIR"},
};

static const struct setting_row contradictions[] = {
    {"secret under RS256",
	{"JWT_ALGORITHM=RS256", "JWT_SECRET_KEY=" TOK_SECRET},
	"JWT_SECRET_KEY"},
    {"RS256 without a key", {"JWT_ALGORITHM=RS256"}, "JWT_PRIVATE_KEY"},
    {"private key under HS256", {"JWT_PRIVATE_KEY=-----BEGIN PRIVATE KEY-----"},
	"JWT_PRIVATE_KEY"},
    {"value and file", {"JWT_SECRET_KEY=" TOK_SECRET, "JWT_SECRET_KEY_FILE=x"},
	"JWT_SECRET_KEY"},
    {"issuer that is never issued", {"JWT_DECODE_ISSUER=a"},
	"JWT_ENCODE_ISSUER"},
    {"audience that is never issued",
	{"JWT_DECODE_AUDIENCE=a", "JWT_ENCODE_AUDIENCE=b"},
	"JWT_ENCODE_AUDIENCE"},
    {"key file that is not there", {"JWT_SECRET_KEY_FILE=/nowhere/secret"},
	"JWT_SECRET_KEY_FILE"},
    {"key file that is a folder", {"JWT_SECRET_KEY_FILE=/"},
	"JWT_SECRET_KEY_FILE"},
    {"key that is no PEM", {"JWT_ALGORITHM=ES256", "JWT_PRIVATE_KEY=hello"},
	"JWT_PRIVATE_KEY"},
    {"PEM that is no key",
	{"JWT_ALGORITHM=ES256",
	    "JWT_PRIVATE_KEY=-----BEGIN PRIVATE KEY-----\\nAAAA\\n"
	    "-----END PRIVATE KEY-----"},
	"JWT_PRIVATE_KEY"},
};

static void
refuse_settings(const struct setting_row *rows, size_t count)
{
	struct server_options options;
	size_t i, n;

	for (i = 0; i < count; i++) {
		memset(&options, 0, sizeof(options));
		options.environment = rows[i].settings;
		n = strcspn(rows[i].settings[0], "=");
		cr_assert(n > 0);
		server_expect_refusal_quiet(
		    rows[i].name, &options, TOK_SECRET, rows[i].needle, NULL);
	}
}

#define REFUSE(rows) refuse_settings(rows, sizeof(rows) / sizeof(rows[0]))

Test(start, unknown_names_are_refused)
{
	REFUSE(unknown);
}

Test(start, bad_values_are_refused)
{
	REFUSE(bad_values);
}

Test(start, contradictions_and_bad_keys_are_refused)
{
	REFUSE(contradictions);
}

/* The same names with good values: they are not refused by habit. */
Test(start, good_values_of_every_kind_start)
{
	struct server *s;

	s = suite_start_with("rfc6750", "JWT_ALGORITHM=HS512",
	    "JWT_ACCESS_TOKEN_EXPIRES=12h", "JWT_DECODE_LEEWAY=1m",
	    "CORGI_THREADS=2", "CORGI_LOGIN_QUEUE=5",
	    "CORGI_ARGON2_MEMORY_KIB=20000", "PATH=/usr/bin:/bin",
	    "HTTP_PROXY=http://127.0.0.1:9", NULL);
	free(http_token(server_port(s)));
	cr_expect(server_stop(s) == 0);
}

static char *
path_in(const char *folder, const char *file)
{
	return (text_of("%s/%s", folder, file));
}

/* The file has mode 0600 and at least 32 bytes of content. */
static void
expect_secret_file(const char *folder, char **content)
{
	struct stat st;
	char *path;
	size_t len;

	path = path_in(folder, "jwt_secret");
	cr_assert(stat(path, &st) == 0);
	cr_expect(
	    (st.st_mode & 07777) == 0600, "mode %o", (unsigned int)st.st_mode);
	*content = file_read(path, &len);
	cr_expect(len >= 32, "%zu bytes", len);
	free(path);
}

Test(start, secret_is_made_once_and_kept_over_a_restart)
{
	struct server_options options;
	struct server *s;
	char *folder, *token, *first, *second, *log;
	int port;

	memset(&options, 0, sizeof(options));
	folder = scratch_new();
	options.data_dir = folder;
	s = server_start(&options);
	token = http_token(server_port(s));
	expect_secret_file(folder, &first);
	log = server_log(s);
	cr_expect(strstr(log, "jwt_secret") != NULL,
	    "the log does not tell of the secret that was made");
	first[strcspn(first, "\n")] = '\0';
	cr_expect(strstr(log, first) == NULL, "the log holds the secret");
	free(log);
	cr_expect(server_stop(s) == 0);

	s = server_start(&options);
	port = server_port(s);
	expect_secret_file(folder, &second);
	second[strcspn(second, "\n")] = '\0';
	cr_expect_str_eq(first, second);
	cr_expect(http_get_token(port, "/protected", token, NULL) == 200,
	    "a token from before the restart is refused");
	log = server_log(s);
	cr_expect(strstr(log, second) == NULL, "the log holds the secret");
	free(log);
	cr_expect(server_stop(s) == 0);

	/* Another folder, another secret. */
	options.data_dir = NULL;
	s = server_start(&options);
	cr_expect(
	    http_get_token(server_port(s), "/protected", token, NULL) == 422,
	    "another server's token is accepted");
	server_stop(s);
	free(first);
	free(second);
	free(token);
	scratch_free(folder);
}

Test(start, secret_from_a_file_without_its_line_end)
{
	struct server_options options;
	const char *env[2] = {NULL, NULL};
	struct server *s;
	char *folder, *path, *setting, *token;

	memset(&options, 0, sizeof(options));
	folder = scratch_new();
	path = path_in(folder, "key");
	file_write(path, TOK_SECRET "\n", strlen(TOK_SECRET) + 1);
	setting = text_of("JWT_SECRET_KEY_FILE=%s", path);
	env[0] = setting;
	options.environment = env;
	s = server_start(&options);
	token = tok_good();
	cr_expect(
	    http_get_token(server_port(s), "/protected", token, NULL) == 200);
	server_stop(s);
	free(token);
	free(setting);
	free(path);
	scratch_free(folder);
}

/* In the development flavour a weak secret is told of, and works. */
Test(start, short_secret_is_warned_about_and_not_shown)
{
	static const char *const env[] = {"JWT_SECRET_KEY=zweig-7", NULL};
	struct server_options options = {.environment = env};
	struct server *s;
	char *log, *token;

	s = server_start(&options);
	log = server_log(s);
	cr_expect(strstr(log, "JWT_SECRET_KEY") != NULL, "no warning");
	cr_expect(strstr(log, "zweig-7") == NULL, "the log holds the secret");
	free(log);
	token = tok_make(TOK_HEADER, TOK_CLAIMS, "zweig-7");
	cr_expect(
	    http_get_token(server_port(s), "/protected", token, NULL) == 200);
	free(token);
	server_stop(s);
}

Test(start, damaged_database_and_secret_are_told_and_left_alone)
{
	static const char junk[] =
	    "This is no database, but it is long enough "
	    "for somebody to take it for one. 0123456789 "
	    "0123456789 0123456789 0123456789 0123456789";
	static const char *const env[] = {"JWT_SECRET_KEY=" TOK_SECRET, NULL};
	struct server_options options;
	char *folder, *path, *text;
	size_t len;

	memset(&options, 0, sizeof(options));
	folder = scratch_new();
	options.data_dir = folder;
	options.environment = env;
	path = path_in(folder, "corgi.db");
	file_write(path, junk, sizeof(junk) - 1);
	server_expect_refusal_quiet(
	    "damaged database", &options, TOK_SECRET, "corgi.db", NULL);
	text = file_read(path, &len);
	cr_expect(len == sizeof(junk) - 1 && memcmp(text, junk, len) == 0,
	    "the damaged file was changed");
	free(text);
	cr_assert(unlink(path) == 0);
	cr_assert(mkdir(path, 0700) == 0);
	server_expect_refusal(
	    "database is a folder", &options, "corgi.db", NULL);
	cr_assert(rmdir(path) == 0);
	free(path);

	path = path_in(folder, "jwt_secret");
	options.environment = NULL;
	file_write(path, "", 0);
	server_expect_refusal(
	    "empty secret file", &options, "jwt_secret", NULL);
	cr_assert(unlink(path) == 0);
	cr_assert(mkdir(path, 0700) == 0);
	server_expect_refusal(
	    "secret file is a folder", &options, "jwt_secret", NULL);
	cr_assert(rmdir(path) == 0);
	free(path);
	scratch_free(folder);
}

/* Below a regular file nobody can make a folder, root included. */
Test(start, unusable_data_folder_is_named)
{
	struct server_options options;
	char *folder, *file, *below;

	memset(&options, 0, sizeof(options));
	folder = scratch_new();
	file = path_in(folder, "file");
	below = path_in(file, "data");
	file_write(file, "x", 1);
	options.data_dir = below;
	server_expect_refusal("below a file", &options, below, NULL);
	options.data_dir = file;
	server_expect_refusal("a file itself", &options, file, NULL);
	free(below);
	below = path_in(folder, "not/there");
	options.data_dir = below;
	server_expect_refusal("two folders deep", &options, below, NULL);
	free(below);
	free(file);
	scratch_free(folder);
}

/* The one that has the port goes on undisturbed. */
Test(start, port_in_use_is_told)
{
	struct server *s = suite_start("flask");
	struct server_options second;
	char *log;

	memset(&second, 0, sizeof(second));
	second.port = server_port(s);
	server_expect_refusal("port in use", &second, "bind", NULL);
	cr_expect(http_get(server_port(s), "/health", NULL, NULL) == 200);
	log = server_log(s);
	cr_expect(strstr(log, TOK_SECRET) == NULL, "the log holds the secret");
	free(log);
	server_stop(s);
}

/* Nothing but the secret's owner may read what the service keeps. */
/* Kore would write its pid to the same place for every service, and through
 * whatever link stands there. It does so where it is told to. */
Test(start, a_pid_is_written_where_it_is_asked_for_alone)
{
	static const struct server_options asked = {
	    .config = "pidfile asked.pid"};
	struct server *s = server_start(NULL);
	char path[SERVER_PATH_MAX], pid[32], *text;

	(void)snprintf(path, sizeof(path), "%s/kore.pid", server_folder(s));
	cr_expect_eq(access(path, F_OK), -1, "%s is there", path);
	(void)kill(server_pid(s), SIGTERM);
	cr_expect_eq(server_wait(s, SERVER_STOP_MS), 0);
	text = server_log(s);
	cr_expect_null(strstr(text, "pid to"), "%s", text);
	cr_expect_null(strstr(text, "pidfile"), "%s", text);
	free(text);
	server_stop(s);

	s = server_start(&asked);
	(void)snprintf(path, sizeof(path), "%s/asked.pid", server_folder(s));
	(void)snprintf(pid, sizeof(pid), "%d\n", (int)server_pid(s));
	text = file_read(path, NULL);
	cr_assert_not_null(text, "%s", path);
	cr_expect_str_eq(text, pid);
	free(text);
	(void)kill(server_pid(s), SIGTERM);
	cr_expect_eq(server_wait(s, SERVER_STOP_MS), 0);
	cr_expect_eq(access(path, F_OK), -1, "%s is still there", path);
	server_stop(s);
}

Test(start, what_is_kept_is_readable_by_its_owner_alone)
{
	static const char *const files[] = {"corgi.db", "jwt_secret"};
	struct stat st;
	struct server *s;
	char *path;
	size_t i;

	s = server_start(NULL);
	free(http_token(server_port(s)));
	for (i = 0; i < 2; i++) {
		path = path_in(server_data_dir(s), files[i]);
		cr_expect(stat(path, &st) == 0 && (st.st_mode & 077) == 0,
		    "%s: mode %o", files[i], (unsigned int)st.st_mode);
		free(path);
	}
	cr_expect(stat(server_data_dir(s), &st) == 0 && (st.st_mode & 077) == 0,
	    "folder: mode %o", (unsigned int)st.st_mode);
	server_stop(s);
}
