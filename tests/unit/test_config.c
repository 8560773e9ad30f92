/*
 * Configuration: good values arrive, bad ones end the start with the name, the
 * fault and what is allowed, and no secret is ever in the words.
 */
#include <criterion/criterion.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/config.h"
#include "base/log.h"

#define SECRET "hunter2-hunter2-hunter2-hunter2-hunter2"
#define PEM    "-----BEGIN X-----\nhunter2\n-----END X-----"

/* The environment of one load, as a list of its strings. */
#define LOAD(...)                                                              \
	load((const char *const[]){"PATH=/bin", "JWTX=1", __VA_ARGS__, NULL})
#define REFUSED(start, ...)                                                    \
	refused(start,                                                         \
	    (const char *const[]){"PATH=/bin", "JWTX=1", __VA_ARGS__, NULL})

static void set_up(void);
static void tear_down(void);
static void count_warning(enum log_level, const char *, void *);
static void load(const char *const *);
static void refused(const char *, const char *const *);
static char *put_file(const char *, const void *, size_t);

static char folder[] = "/tmp/corgi-config-XXXXXX";
static char file[PATH_MAX];
static char error[CONFIG_ERROR_MAX];
static struct config c;
static int warnings;

static void
set_up(void)
{
	cr_assert_eq(secret_init(), 0);
	cr_assert_not_null(mkdtemp(folder));
	(void)snprintf(file, sizeof(file), "%s/value", folder);
	log_open(count_warning, NULL, LOG_LEVEL_WARNING);
}

static void
tear_down(void)
{
	char path[PATH_MAX + 16];

	config_free(&c);
	(void)unlink(file);
	(void)snprintf(path, sizeof(path), "%s/d/jwt_secret", folder);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/d", folder);
	(void)rmdir(path);
	(void)rmdir(folder);
}

static void
count_warning(enum log_level level, const char *line, void *ctx)
{
	(void)level;
	(void)line;
	(void)ctx;
	warnings++;
}

static void
load(const char *const *environment)
{
	config_free(&c);
	cr_assert_eq(
	    config_load((char *const *)environment, CONFIG_PROD, &c, error), 0,
	    "%s", error);
	cr_assert_str_eq(error, "");
}

/* The error begins as said, is one line, holds no secret, and leaves nothing
 * behind. */
static void
refused(const char *start, const char *const *environment)
{
	static const struct config none;

	config_free(&c);
	cr_assert_eq(
	    config_load((char *const *)environment, CONFIG_DEV, &c, error), -1,
	    "taken: %s", start);
	cr_assert_eq(strncmp(error, start, strlen(start)), 0,
	    "expected: %s, got: %s", start, error);
	cr_assert_null(strchr(error, '\n'));
	cr_assert_null(strstr(error, "hunter2"), "%s", error);
	cr_assert_eq(memcmp(&c, &none, sizeof(c)), 0);
}

/* Write the file; returns the string that points the variable at it. */
static char *
put_file(const char *name_of_variable, const void *data, size_t len)
{
	static char entry[2 * PATH_MAX];
	FILE *f = fopen(file, "w");

	cr_assert_not_null(f);
	cr_assert_eq(fwrite(data, 1, len, f), len);
	cr_assert_eq(fclose(f), 0);
	(void)snprintf(
	    entry, sizeof(entry), "%s_FILE=%s", name_of_variable, file);

	return (entry);
}

TestSuite(config, .init = set_up, .fini = tear_down);

Test(config, an_empty_environment_gives_the_defaults)
{
	LOAD("HOME=/");
	cr_assert_eq(c.flavor, CONFIG_PROD);
	cr_assert_eq(c.error_style, STYLE_FLASK);
	cr_assert_str_eq(c.algorithm, "HS256");
	cr_assert_eq(c.secret_key.len + c.private_key.len, 0);
	cr_assert_eq(c.access_expires, 900);
	cr_assert_eq(c.leeway, 0);
	cr_assert_null(c.encode_issuer);
	cr_assert_null(c.decode_issuer);
	cr_assert_eq(c.encode_audience.count + c.decode_audience.count, 0);
	cr_assert_str_eq(c.header_name, "Authorization");
	cr_assert_str_eq(c.header_type, "Bearer");
	cr_assert_str_eq(c.error_message_key, "msg");
	cr_assert_str_eq(c.data_dir, "data");
	cr_assert_eq(c.argon2_memory_kib, 19456);
	cr_assert_eq(c.argon2_passes, 2);
	cr_assert_eq(c.threads, 0);
	cr_assert_eq(c.queue, 128);
	cr_assert_eq(c.requests_per_connection, 10000);
	cr_assert_eq(c.connections_per_address, 0);
	cr_assert_eq(c.shutdown_seconds, 1);
}

Test(config, values_reach_their_places)
{
	LOAD("JWT_SECRET_KEY=" SECRET, "JWT_ALGORITHM=HS512",
	    "JWT_ERROR_STYLE=rfc6750", "JWT_ENCODE_ISSUER=https://a",
	    "JWT_DECODE_ISSUER=https://a", "JWT_HEADER_NAME=X-Token",
	    "JWT_HEADER_TYPE=", "JWT_ERROR_MESSAGE_KEY=k\xc3\xa4se",
	    "CORGI_DATA_DIR=/a b", "CORGI_ARGON2_MEMORY_KIB=65536",
	    "CORGI_ARGON2_PASSES=3", "CORGI_THREADS=64", "CORGI_LOGIN_QUEUE=1",
	    "CORGI_REQUESTS_PER_CONNECTION=0",
	    "CORGI_CONNECTIONS_PER_ADDRESS=5", "CORGI_SHUTDOWN_SECONDS=300");
	cr_assert_eq(c.secret_key.len, strlen(SECRET));
	cr_assert_str_eq((char *)c.secret_key.data, SECRET);
	cr_assert_str_eq(c.algorithm, "HS512");
	cr_assert_eq(c.error_style, STYLE_RFC6750);
	cr_assert_str_eq(c.encode_issuer, "https://a");
	cr_assert_str_eq(c.decode_issuer, "https://a");
	cr_assert_str_eq(c.header_name, "X-Token");
	cr_assert_str_eq(c.header_type, "");
	cr_assert_str_eq(c.error_message_key, "k\xc3\xa4se");
	cr_assert_str_eq(c.data_dir, "/a b");
	cr_assert_eq(c.argon2_memory_kib, 65536);
	cr_assert_eq(c.argon2_passes, 3);
	cr_assert_eq(c.threads, 64);
	cr_assert_eq(c.queue, 1);
	cr_assert_eq(c.requests_per_connection, 0);
	cr_assert_eq(c.connections_per_address, 5);
	cr_assert_eq(c.shutdown_seconds, 300);
}

Test(config, durations_have_units)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} rows[] = {{"1", 1}, {"900", 900}, {"15m", 900}, {"12h", 43200},
	    {"30d", 2592000}, {"3650d", 315360000}, {"never", CONFIG_NEVER}};
	char entry[64];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)snprintf(entry, sizeof(entry),
		    "JWT_ACCESS_TOKEN_EXPIRES=%s", rows[i].text);
		LOAD(entry);
		cr_assert_eq(c.access_expires, rows[i].seconds);
	}
	LOAD("JWT_DECODE_LEEWAY=1m");
	cr_assert_eq(c.leeway, 60);
	LOAD("JWT_DECODE_LEEWAY=0");
	cr_assert_eq(c.leeway, 0);
}

Test(config, tokens_without_end_are_warned_about)
{
	LOAD("JWT_ACCESS_TOKEN_EXPIRES=30d");
	cr_assert_eq(warnings, 0);
	LOAD("JWT_ACCESS_TOKEN_EXPIRES=never");
	cr_assert_eq(warnings, 1);
}

Test(config, bad_durations_are_refused)
{
	static const char *const bad[] = {"0", "0m", "-1", "+1", " 1", "1 ",
	    "1s", "m", "15M", "1.5h", "1e3", "0x10", "3651d", "NEVER", "None",
	    "99999999999999999999", "99999999999999999d",
	    "18446744073709551616"};
	char entry[64];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(entry, sizeof(entry),
		    "JWT_ACCESS_TOKEN_EXPIRES=%s", bad[i]);
		REFUSED("JWT_ACCESS_TOKEN_EXPIRES is ", entry);
		cr_assert_not_null(strstr(error, "; allowed: seconds"));
	}
	REFUSED("JWT_DECODE_LEEWAY is too large", "JWT_DECODE_LEEWAY=2h");
	REFUSED("JWT_DECODE_LEEWAY is not", "JWT_DECODE_LEEWAY=-1");
}

Test(config, flasks_false_is_told_to_be_never)
{
	REFUSED("JWT_ACCESS_TOKEN_EXPIRES is Flask's word for a token without "
		"end: write never",
	    "JWT_ACCESS_TOKEN_EXPIRES=False");
}

Test(config, numbers_outside_their_range_are_refused)
{
	REFUSED("CORGI_ARGON2_MEMORY_KIB is too small; allowed: 19456",
	    "CORGI_ARGON2_MEMORY_KIB=19455");
	REFUSED("CORGI_ARGON2_MEMORY_KIB is too large",
	    "CORGI_ARGON2_MEMORY_KIB=4194305");
	REFUSED("CORGI_ARGON2_PASSES is too small", "CORGI_ARGON2_PASSES=1");
	REFUSED("CORGI_THREADS is too large", "CORGI_THREADS=65");
	REFUSED("CORGI_THREADS is too large", "CORGI_THREADS=4294967296");
	REFUSED("CORGI_THREADS is not a whole", "CORGI_THREADS=two");
	REFUSED("CORGI_THREADS is empty", "CORGI_THREADS=");
	REFUSED("CORGI_LOGIN_QUEUE is too small", "CORGI_LOGIN_QUEUE=0");
	REFUSED("CORGI_SHUTDOWN_SECONDS is too large",
	    "CORGI_SHUTDOWN_SECONDS=301");
	LOAD("CORGI_ARGON2_MEMORY_KIB=19456", "CORGI_ARGON2_PASSES=2");
}

Test(config, words_outside_their_list_are_refused)
{
	static const char *const algorithms[] = {"none", "hs256", "HS1",
	    "HS256 ", "ES256K", "PS256", "EdDSA", "HS256,RS256"};
	char entry[64];
	size_t i;

	for (i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
		(void)snprintf(
		    entry, sizeof(entry), "JWT_ALGORITHM=%s", algorithms[i]);
		REFUSED("JWT_ALGORITHM is not a known algorithm; allowed: HS2",
		    entry);
	}
	REFUSED("JWT_ALGORITHM is empty", "JWT_ALGORITHM=");
	REFUSED("JWT_ERROR_STYLE is not a known", "JWT_ERROR_STYLE=Flask");
}

Test(config, a_header_name_is_a_token_of_rfc_9110)
{
	REFUSED("JWT_HEADER_NAME holds", "JWT_HEADER_NAME=X Token");
	REFUSED("JWT_HEADER_NAME holds", "JWT_HEADER_NAME=X:Y");
	REFUSED("JWT_HEADER_NAME holds", "JWT_HEADER_NAME=X\r\nY: z");
	REFUSED("JWT_HEADER_NAME holds", "JWT_HEADER_NAME=\xc3\xa4");
	REFUSED("JWT_HEADER_NAME is empty", "JWT_HEADER_NAME=");
	REFUSED("JWT_HEADER_TYPE holds", "JWT_HEADER_TYPE=Bearer ");
	REFUSED("JWT_HEADER_TYPE holds", "JWT_HEADER_TYPE=a,b");
	REFUSED("JWT_HEADER_TYPE holds", "JWT_HEADER_TYPE=a\nb");
	LOAD("JWT_HEADER_NAME=x-a.b_c~1", "JWT_HEADER_TYPE=JWT");
	cr_assert_str_eq(c.header_name, "x-a.b_c~1");
}

Test(config, a_token_cannot_travel_in_a_header_that_steers_the_message)
{
	static const char *const names[] = {"Host", "Content-Length",
	    "Transfer-Encoding", "Connection", "Content-Type", "Expect", "Date",
	    "Trailer", "TE", "Upgrade", "host", "CONTENT-LENGTH", "te"};
	char entry[64];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(
		    entry, sizeof(entry), "JWT_HEADER_NAME=%s", names[i]);
		REFUSED("JWT_HEADER_NAME is a header that steers", entry);
	}
	REFUSED("JWT_HEADER_NAME_FILE is a header that steers",
	    put_file("JWT_HEADER_NAME", "Host\n", 5));
	LOAD("JWT_HEADER_NAME=X-Host");
	LOAD("JWT_HEADER_NAME=Tea");
}

Test(config, texts_are_utf8_without_control_characters)
{
	char entry[2048] = "JWT_ERROR_MESSAGE_KEY=";

	REFUSED("JWT_ENCODE_ISSUER holds", "JWT_ENCODE_ISSUER=a\nb");
	REFUSED("JWT_ENCODE_ISSUER is not UTF-8", "JWT_ENCODE_ISSUER=\xff");
	REFUSED("JWT_ENCODE_ISSUER is empty", "JWT_ENCODE_ISSUER=");
	REFUSED("CORGI_DATA_DIR is empty", "CORGI_DATA_DIR=");
	REFUSED("CORGI_DATABASE holds", "CORGI_DATABASE=sqlite:a\nb");
	memset(entry + strlen(entry), 'x', 65);
	REFUSED("JWT_ERROR_MESSAGE_KEY is too long", entry);
}

Test(config, lists_are_split_at_commas)
{
	LOAD("JWT_ENCODE_AUDIENCE=a, b c ,d", "JWT_DECODE_AUDIENCE=d");
	cr_assert_eq(c.encode_audience.count, 3);
	cr_assert_str_eq(c.encode_audience.items[0], "a");
	cr_assert_str_eq(c.encode_audience.items[1], "b c");
	cr_assert_str_eq(c.encode_audience.items[2], "d");

	LOAD("JWT_ENCODE_AUDIENCE=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16");
	cr_assert_eq(c.encode_audience.count, CONFIG_LIST_MAX);
	REFUSED("JWT_ENCODE_AUDIENCE has too many",
	    "JWT_ENCODE_AUDIENCE=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17");
	REFUSED("JWT_ENCODE_AUDIENCE has an empty", "JWT_ENCODE_AUDIENCE=a,");
	REFUSED("JWT_ENCODE_AUDIENCE has an empty", "JWT_ENCODE_AUDIENCE=,a");
	REFUSED("JWT_ENCODE_AUDIENCE has an empty", "JWT_ENCODE_AUDIENCE= , ");
	REFUSED("JWT_ENCODE_AUDIENCE is empty", "JWT_ENCODE_AUDIENCE=");
}

Test(config, an_unknown_name_ends_the_load_and_names_the_nearest)
{
	REFUSED("JWT_SECRET_KY is not an option of this version; the nearest "
		"known name: JWT_SECRET_KEY",
	    "JWT_SECRET_KY=" SECRET);
	REFUSED("CORGI_LOGINQUEUE is not an option of this version; the "
		"nearest known name: CORGI_LOGIN_QUEUE",
	    "CORGI_LOGINQUEUE=1");
	REFUSED("JWT_PRIVATE_KEYFILE is not an option of this version; the "
		"nearest known name: JWT_PRIVATE_KEY_FILE",
	    "JWT_PRIVATE_KEYFILE=/k");
	REFUSED("JWT_ALGORITHM_FILE_FILE is not", "JWT_ALGORITHM_FILE_FILE=x");
	REFUSED("JWT_ is not an option", "JWT_=hunter2");
	REFUSED("CORGI_\\x0aX is not an option", "CORGI_\nX=1");
	LOAD("jwt_secret_ky=x", "MY_JWT_X=1", "CORGIS=1");
}

Test(config, an_unknown_name_far_from_all_suggests_nothing)
{
	static const char *const names[] = {"JWT_TOKEN_LOCATION", "JWT_FOO",
	    "JWT_", "JWT_DECODE_ALGORITHMS", "CORGI_PORT", "CORGI_"};
	char entry[64], expected[128];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(entry, sizeof(entry), "%s=x", names[i]);
		(void)snprintf(expected, sizeof(expected),
		    "%s is not an option of this version; `corgictl config` "
		    "lists them",
		    names[i]);
		REFUSED(expected, entry);
		cr_assert_str_eq(error, expected);
	}
}

Test(config, a_very_long_unknown_name_is_cut)
{
	char entry[4096];

	memset(entry, 'Y', sizeof(entry));
	memcpy(entry, "JWT_", 4);
	memcpy(entry + sizeof(entry) - 3, "=1", 3);
	REFUSED("JWT_YYYY", entry);
	cr_assert_not_null(strstr(error, "is not an option"));
}

Test(config, a_name_set_twice_is_refused)
{
	REFUSED("JWT_ALGORITHM is set twice", "JWT_ALGORITHM=HS256",
	    "JWT_ALGORITHM=HS384");
}

Test(config, every_value_can_come_from_a_file)
{
	LOAD(put_file("JWT_SECRET_KEY", "a\0b\n\n", 5));
	cr_assert_eq(c.secret_key.len, 4);
	cr_assert_eq(memcmp(c.secret_key.data, "a\0b\n", 5), 0);
	LOAD(put_file("JWT_ACCESS_TOKEN_EXPIRES", "1h\r\n", 4));
	cr_assert_eq(c.access_expires, 3600);
	LOAD(put_file("CORGI_THREADS", "3", 1));
	cr_assert_eq(c.threads, 3);
	LOAD(put_file("JWT_HEADER_TYPE", "\n", 1));
	cr_assert_str_eq(c.header_type, "");
}

Test(config, bad_files_are_refused)
{
	REFUSED("JWT_ALGORITHM_FILE is not a known",
	    put_file("JWT_ALGORITHM", "HS256\0x", 7));
	REFUSED("JWT_HEADER_NAME_FILE holds",
	    put_file("JWT_HEADER_NAME", "A\0B", 3));
	REFUSED(
	    "CORGI_THREADS_FILE is not", put_file("CORGI_THREADS", "3\0", 2));
	REFUSED("JWT_ENCODE_AUDIENCE_FILE holds",
	    put_file("JWT_ENCODE_AUDIENCE", "a\0,b", 4));
	REFUSED("JWT_SECRET_KEY_FILE is empty",
	    put_file("JWT_SECRET_KEY", "\n", 1));
	REFUSED("JWT_SECRET_KEY_FILE: the file cannot be read: it is empty",
	    put_file("JWT_SECRET_KEY", "", 0));
}

/* Whoever mixes up the two names must not find the secret in the log. */
Test(config, a_secret_given_as_a_path_is_not_repeated)
{
	REFUSED("JWT_SECRET_KEY_FILE: the file cannot be read: No such file",
	    "JWT_SECRET_KEY_FILE=" SECRET);
	REFUSED("JWT_SECRET_KEY_FILE: the file cannot be read: ",
	    "JWT_SECRET_KEY_FILE=");
	REFUSED("JWT_PRIVATE_KEY is not PEM text", "JWT_ALGORITHM=RS256",
	    "JWT_PRIVATE_KEY=/run/hunter2.pem");
}

Test(config, a_name_and_its_file_contradict_each_other)
{
	REFUSED("JWT_SECRET_KEY and JWT_SECRET_KEY_FILE are both set",
	    "JWT_SECRET_KEY=" SECRET, "JWT_SECRET_KEY_FILE=/x");
}

Test(config, an_empty_secret_is_refused)
{
	REFUSED("JWT_SECRET_KEY is empty", "JWT_SECRET_KEY=");
}

Test(config, pem_text_may_have_written_line_ends)
{
	LOAD("JWT_ALGORITHM=ES256",
	    "JWT_PRIVATE_KEY=-----BEGIN X-----\\nab\\n-----END X-----");
	cr_assert_str_eq((char *)c.private_key.data,
	    "-----BEGIN X-----\nab\n-----END X-----");
	cr_assert_eq(c.private_key.len, strlen((char *)c.private_key.data));
	LOAD("JWT_ALGORITHM=ES256", "JWT_PUBLIC_KEY=" PEM);
	cr_assert_str_eq((char *)c.public_key.data, PEM);
}

Test(config, keys_of_the_wrong_family_are_refused)
{
	REFUSED("JWT_SECRET_KEY contradicts JWT_ALGORITHM=RS256",
	    "JWT_ALGORITHM=RS256", "JWT_PRIVATE_KEY=" PEM,
	    "JWT_SECRET_KEY=" SECRET);
	REFUSED("JWT_PRIVATE_KEY contradicts JWT_ALGORITHM=HS256",
	    "JWT_PRIVATE_KEY=" PEM);
	REFUSED("JWT_PUBLIC_KEY contradicts JWT_ALGORITHM=HS384",
	    "JWT_ALGORITHM=HS384", "JWT_PUBLIC_KEY=" PEM,
	    "JWT_SECRET_KEY=" SECRET);
	REFUSED("JWT_ALGORITHM=ES256 has no key", "JWT_ALGORITHM=ES256");
	LOAD("JWT_ALGORITHM=RS256", "JWT_PRIVATE_KEY=" PEM,
	    "JWT_PUBLIC_KEY=" PEM);
}

Test(config, a_service_must_accept_its_own_tokens)
{
	REFUSED("JWT_DECODE_ISSUER contradicts JWT_ENCODE_ISSUER",
	    "JWT_DECODE_ISSUER=a");
	REFUSED("JWT_DECODE_ISSUER contradicts JWT_ENCODE_ISSUER",
	    "JWT_DECODE_ISSUER=a", "JWT_ENCODE_ISSUER=b");
	REFUSED("JWT_DECODE_AUDIENCE contradicts JWT_ENCODE_AUDIENCE",
	    "JWT_DECODE_AUDIENCE=a");
	REFUSED("JWT_DECODE_AUDIENCE contradicts JWT_ENCODE_AUDIENCE",
	    "JWT_DECODE_AUDIENCE=a,b", "JWT_ENCODE_AUDIENCE=c,B");
	LOAD("JWT_DECODE_AUDIENCE=a,b", "JWT_ENCODE_AUDIENCE=c,b");
	LOAD("JWT_ENCODE_AUDIENCE=c", "JWT_ENCODE_ISSUER=i");
}

Test(config, a_verifier_may_expect_what_others_issue)
{
	LOAD("JWT_ALGORITHM=RS256", "JWT_PUBLIC_KEY=" PEM,
	    "JWT_DECODE_ISSUER=a", "JWT_DECODE_AUDIENCE=b");
	REFUSED("JWT_DECODE_ISSUER contradicts", "JWT_ALGORITHM=RS256",
	    "JWT_PRIVATE_KEY=" PEM, "JWT_DECODE_ISSUER=a");
}

Test(config, every_option_is_known_and_described)
{
	const struct config_option *options;
	char entry[256];
	size_t count, i, j;

	options = config_options(&count);
	cr_assert_gt(count, 0);
	for (i = 0; i < count; i++) {
		cr_assert(options[i].fallback[0] != '\0');
		cr_assert(options[i].allowed[0] != '\0');
		cr_assert(options[i].purpose[0] != '\0');
		for (j = 0; j < i; j++)
			cr_assert_str_neq(options[i].name, options[j].name);

		/* A folder has no value to read. */
		(void)snprintf(
		    entry, sizeof(entry), "%s_FILE=/", options[i].name);
		REFUSED(options[i].name, entry);
		cr_assert_not_null(
		    strstr(error, options[i].allowed), "%s", options[i].name);
	}
}

Test(config, secrets_are_marked_as_such)
{
	const struct config_option *options;
	size_t count, i;
	int marked = 0;

	options = config_options(&count);
	for (i = 0; i < count; i++) {
		marked += options[i].secret;
		cr_assert(strstr(options[i].name, "SECRET_KEY") == NULL ||
		    options[i].secret);
		cr_assert(strstr(options[i].name, "PRIVATE_KEY") == NULL ||
		    options[i].secret);
		cr_assert(strcmp(options[i].name, "CORGI_DATABASE") != 0 ||
		    options[i].secret);
	}
	cr_assert_eq(marked, 4);
}

Test(config, a_secret_is_made_once_in_the_data_folder)
{
	char entry[PATH_MAX], path[PATH_MAX];
	struct stat st;
	struct secret first = {NULL, 0};
	bool created;

	(void)snprintf(entry, sizeof(entry), "CORGI_DATA_DIR=%s/d", folder);
	LOAD(entry);
	cr_assert_eq(config_secret(&c, false, &created, error), -1);
	cr_assert_eq(strncmp(error, "JWT_SECRET_KEY is not set", 25), 0);
	cr_assert_eq(config_secret(&c, true, &created, error), 0, "%s", error);
	cr_assert(created);
	cr_assert_eq(c.secret_key.len, 128);
	cr_assert_eq(config_path(&c, "jwt_secret", path, sizeof(path)), 0);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0600);
	cr_assert_eq(stat(c.data_dir, &st), 0);
	cr_assert_eq(st.st_mode & 0077, 0);
	cr_assert_eq(
	    secret_set(&first, c.secret_key.data, c.secret_key.len), 0);

	LOAD(entry);
	cr_assert_eq(config_secret(&c, false, &created, error), 0, "%s", error);
	cr_assert(!created);
	cr_assert(secret_equal(
	    first.data, first.len, c.secret_key.data, c.secret_key.len));
	secret_free(&first);
}

Test(config, no_secret_is_made_where_none_is_needed)
{
	char entry[PATH_MAX];
	struct stat st;
	bool created;

	(void)snprintf(entry, sizeof(entry), "CORGI_DATA_DIR=%s/d", folder);
	LOAD(entry, "JWT_SECRET_KEY=" SECRET);
	cr_assert_eq(config_secret(&c, true, &created, error), 0);
	cr_assert(!created);
	cr_assert_str_eq((char *)c.secret_key.data, SECRET);
	LOAD(entry, "JWT_ALGORITHM=RS256", "JWT_PRIVATE_KEY=" PEM);
	cr_assert_eq(config_secret(&c, true, &created, error), 0);
	cr_assert_eq(c.secret_key.len, 0);
	cr_assert_eq(stat(c.data_dir, &st), -1, "the folder was made");
}

Test(config, a_data_folder_that_cannot_be_made_is_named)
{
	bool created;

	LOAD("CORGI_DATA_DIR=/proc/corgi/x");
	cr_assert_eq(config_secret(&c, true, &created, error), -1);
	cr_assert_eq(strncmp(error,
			 "CORGI_DATA_DIR: cannot make the folder "
			 "/proc/corgi/x: ",
			 54),
	    0, "%s", error);
	LOAD("CORGI_DATA_DIR=/dev/null");
	cr_assert_eq(config_secret(&c, true, &created, error), -1);
	cr_assert_eq(strncmp(error, "JWT_SECRET_KEY is not set", 25), 0);
}

Test(config, a_path_that_does_not_fit_is_refused)
{
	char out[11];

	LOAD("CORGI_DATA_DIR=/data");
	cr_assert_eq(config_path(&c, "file", out, sizeof(out)), 0);
	cr_assert_str_eq(out, "/data/file");
	cr_assert_eq(config_path(&c, "file2", out, sizeof(out)), -1);
}
