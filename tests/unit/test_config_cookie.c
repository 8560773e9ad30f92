/*
 * The options of sessions, cookies and further claims: defaults that are safe,
 * good values that arrive, bad ones that end the start, and those that browsers
 * would drop without a word.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "base/log.h"

/* Up to this many settings in one load. */
#define SETTINGS_MAX 6

#define COUNT(rows) (sizeof(rows) / sizeof(rows[0]))

struct row {
	const char *settings[SETTINGS_MAX];
	const char *error; /* its beginning; NULL: it is taken */
};

static void set_up(void);
static void tear_down(void);
static void drop_line(enum log_level, const char *, void *);
static void load(const char *const *);
static void expect(const struct row *, size_t);
static void expect_long(const char *, size_t, const char *);

static char error[CONFIG_ERROR_MAX];
static struct config c;

static void
set_up(void)
{
	cr_assert_eq(secret_init(), 0);
	log_open(drop_line, NULL, LOG_LEVEL_WARNING);
}

static void
tear_down(void)
{
	config_free(&c);
}

static void
drop_line(enum log_level level, const char *line, void *ctx)
{
	(void)level;
	(void)line;
	(void)ctx;
}

static void
load(const char *const *settings)
{
	config_free(&c);
	cr_assert_eq(
	    config_load((char *const *)settings, CONFIG_PROD, &c, error), 0,
	    "%s", error);
}

#define LOAD(...) load((const char *const[]){__VA_ARGS__, NULL})

/* Each row is taken, or refused with one line that begins so and says what is
 * allowed. */
static void
expect(const struct row *rows, size_t count)
{
	size_t i;
	int ret;

	for (i = 0; i < count; i++) {
		config_free(&c);
		ret = config_load(
		    (char *const *)rows[i].settings, CONFIG_PROD, &c, error);
		if (rows[i].error == NULL) {
			cr_expect_eq(
			    ret, 0, "%s: %s", rows[i].settings[0], error);
			continue;
		}
		cr_expect_eq(ret, -1, "taken: %s", rows[i].settings[0]);
		cr_expect_eq(
		    strncmp(error, rows[i].error, strlen(rows[i].error)), 0,
		    "%s: %s, not %s", rows[i].settings[0], error,
		    rows[i].error);
		cr_expect_not_null(strstr(error, "; allowed: "), "%s", error);
		cr_expect_null(strchr(error, '\n'));
	}
}

#define EXPECT(rows) expect(rows, COUNT(rows))

/* A text of that many letters is refused, one letter less is not. */
static void
expect_long(const char *name, size_t len, const char *start)
{
	const char *settings[2] = {NULL, NULL};
	char entry[2048];

	(void)snprintf(entry, sizeof(entry), "%s=%s", name, start);
	cr_assert_lt(strlen(name) + 2 + len, sizeof(entry));
	memset(entry + strlen(entry), 'x', len - strlen(start));
	entry[strlen(name) + 1 + len] = '\0';
	settings[0] = entry;
	config_free(&c);
	cr_expect_eq(
	    config_load((char *const *)settings, CONFIG_PROD, &c, error), -1);
	cr_expect_eq(strncmp(error, name, strlen(name)), 0, "%s", error);
	cr_expect_not_null(strstr(error, "is too long"), "%s", error);
	entry[strlen(name) + len] = '\0';
	load(settings);
}

TestSuite(config_cookie, .init = set_up, .fini = tear_down);

Test(config_cookie, the_defaults_are_the_safe_ones)
{
	LOAD("HOME=/");
	cr_expect_str_eq(c.access_cookie.name, "access_token_cookie");
	cr_expect_str_eq(c.refresh_cookie.name, "refresh_token_cookie");
	cr_expect_str_eq(c.access_cookie.csrf_name, "csrf_access_token");
	cr_expect_str_eq(c.refresh_cookie.csrf_name, "csrf_refresh_token");
	cr_expect_str_eq(c.access_cookie.csrf_header, "X-CSRF-TOKEN");
	cr_expect_str_eq(c.refresh_cookie.csrf_header, "X-CSRF-TOKEN");
	cr_expect_str_eq(c.access_cookie.path, "/");
	cr_expect_str_eq(c.refresh_cookie.path, "/");
	cr_expect_str_eq(c.access_cookie.csrf_path, "/");
	cr_expect_str_eq(c.refresh_cookie.csrf_path, "/");
	cr_expect_str_eq(c.access_cookie.json_key, "access_token");
	cr_expect_str_eq(c.refresh_cookie.json_key, "refresh_token");
	cr_expect_str_eq(c.query_name, "jwt");
	cr_expect_null(c.cookie_domain);
	cr_expect_eq(c.same_site, SAME_SITE_LAX);
	cr_expect_eq(
	    c.csrf_methods, CSRF_POST | CSRF_PUT | CSRF_PATCH | CSRF_DELETE);
	cr_expect(c.csrf_protect);
	cr_expect(c.csrf_in_cookies);
	cr_expect(c.cookie_secure);
	cr_expect(c.cookie_session);
	cr_expect(!c.cookie_host_prefix);
	cr_expect(!c.login_cookies);
	cr_expect(!c.registration);
	cr_expect_null(c.extra_claims);
}

Test(config_cookie, the_defaults_of_sessions_and_throttling)
{
	LOAD("HOME=/");
	cr_expect_eq(c.refresh_expires, 30 * 86400);
	cr_expect_eq(c.session_expires, 90 * 86400);
	cr_expect_eq(c.refresh_grace, 10);
	cr_expect_eq(c.sessions_per_user, 1000);
	cr_expect_eq(c.revocations, 1000000);
	cr_expect_eq(c.throttle_account, 20);
	cr_expect_eq(c.throttle_address, 200);
	cr_expect_eq(c.throttle_seconds, 60);
	cr_expect_eq(c.throttle_entries, 65536);
	cr_expect_str_eq(c.audit_log, "audit.log");
}

Test(config_cookie, names_paths_and_keys_reach_their_places)
{
	LOAD("JWT_ACCESS_COOKIE_NAME=a", "JWT_REFRESH_COOKIE_NAME=b",
	    "JWT_ACCESS_CSRF_COOKIE_NAME=c", "JWT_REFRESH_CSRF_COOKIE_NAME=d",
	    "JWT_ACCESS_COOKIE_PATH=/a", "JWT_REFRESH_COOKIE_PATH=/b",
	    "JWT_ACCESS_CSRF_COOKIE_PATH=/c", "JWT_REFRESH_CSRF_COOKIE_PATH=/d",
	    "JWT_ACCESS_CSRF_HEADER_NAME=X-A",
	    "JWT_REFRESH_CSRF_HEADER_NAME=X-B", "JWT_QUERY_STRING_NAME=t",
	    "JWT_JSON_KEY=j", "JWT_REFRESH_JSON_KEY=k",
	    "JWT_COOKIE_DOMAIN=example.com");
	cr_expect_str_eq(c.access_cookie.name, "a");
	cr_expect_str_eq(c.refresh_cookie.name, "b");
	cr_expect_str_eq(c.access_cookie.csrf_name, "c");
	cr_expect_str_eq(c.refresh_cookie.csrf_name, "d");
	cr_expect_str_eq(c.access_cookie.path, "/a");
	cr_expect_str_eq(c.refresh_cookie.path, "/b");
	cr_expect_str_eq(c.access_cookie.csrf_path, "/c");
	cr_expect_str_eq(c.refresh_cookie.csrf_path, "/d");
	cr_expect_str_eq(c.access_cookie.csrf_header, "X-A");
	cr_expect_str_eq(c.refresh_cookie.csrf_header, "X-B");
	cr_expect_str_eq(c.query_name, "t");
	cr_expect_str_eq(c.access_cookie.json_key, "j");
	cr_expect_str_eq(c.refresh_cookie.json_key, "k");
	cr_expect_str_eq(c.cookie_domain, "example.com");
}

Test(config_cookie, switches_and_words_reach_their_places)
{
	LOAD("JWT_COOKIE_SECURE=no", "JWT_SESSION_COOKIE=no",
	    "CORGI_LOGIN_COOKIES=yes", "JWT_COOKIE_CSRF_PROTECT=no",
	    "JWT_CSRF_IN_COOKIES=no", "CORGI_REGISTRATION=yes",
	    "JWT_COOKIE_SAMESITE=Strict");
	cr_expect(!c.cookie_secure);
	cr_expect(!c.cookie_session);
	cr_expect(c.login_cookies);
	cr_expect(!c.csrf_protect);
	cr_expect(!c.csrf_in_cookies);
	cr_expect(c.registration);
	cr_expect_eq(c.same_site, SAME_SITE_STRICT);
	LOAD("JWT_COOKIE_SAMESITE=None", "CORGI_COOKIE_HOST_PREFIX=yes");
	cr_expect_eq(c.same_site, SAME_SITE_NONE);
	cr_expect(c.cookie_host_prefix);
}

Test(config_cookie, sessions_may_be_without_end)
{
	LOAD("JWT_REFRESH_TOKEN_EXPIRES=never", "CORGI_SESSION_EXPIRES=never",
	    "CORGI_REFRESH_GRACE=0", "CORGI_SESSIONS_PER_USER=0");
	cr_expect_eq(c.refresh_expires, CONFIG_NEVER);
	cr_expect_eq(c.session_expires, CONFIG_NEVER);
	cr_expect_eq(c.refresh_grace, 0);
	cr_expect_eq(c.sessions_per_user, 0);
}

/* Whatever stands in such a name stands in a header line. */
Test(config_cookie, a_cookie_name_is_a_token)
{
	static const struct row rows[] = {
	    {{"JWT_ACCESS_COOKIE_NAME=a b"}, "JWT_ACCESS_COOKIE_NAME holds"},
	    {{"JWT_ACCESS_COOKIE_NAME=a=b"}, "JWT_ACCESS_COOKIE_NAME holds"},
	    {{"JWT_ACCESS_COOKIE_NAME=a;b"}, "JWT_ACCESS_COOKIE_NAME holds"},
	    {{"JWT_REFRESH_COOKIE_NAME=a\r\nX: y"},
		"JWT_REFRESH_COOKIE_NAME holds"},
	    {{"JWT_ACCESS_CSRF_COOKIE_NAME=\xc3\xa4"},
		"JWT_ACCESS_CSRF_COOKIE_NAME holds"},
	    {{"JWT_REFRESH_CSRF_COOKIE_NAME="},
		"JWT_REFRESH_CSRF_COOKIE_NAME is empty"},
	    {{"JWT_QUERY_STRING_NAME=a b"}, "JWT_QUERY_STRING_NAME holds"},
	    {{"JWT_ACCESS_CSRF_HEADER_NAME=X:Y"},
		"JWT_ACCESS_CSRF_HEADER_NAME holds"},
	    {{"JWT_ACCESS_COOKIE_NAME=a.b-c_d~1"}, NULL},
	};

	EXPECT(rows);
	expect_long("JWT_ACCESS_COOKIE_NAME", 65, "");
}

Test(config_cookie, a_path_and_a_domain_cannot_carry_an_attribute)
{
	static const struct row rows[] = {
	    {{"JWT_ACCESS_COOKIE_PATH=a"},
		"JWT_ACCESS_COOKIE_PATH does not begin with a slash"},
	    {{"JWT_ACCESS_COOKIE_PATH=/;Domain=x"},
		"JWT_ACCESS_COOKIE_PATH holds"},
	    {{"JWT_REFRESH_COOKIE_PATH=/a b"}, "JWT_REFRESH_COOKIE_PATH holds"},
	    {{"JWT_REFRESH_COOKIE_PATH=/\n"}, "JWT_REFRESH_COOKIE_PATH holds"},
	    {{"JWT_ACCESS_CSRF_COOKIE_PATH="},
		"JWT_ACCESS_CSRF_COOKIE_PATH is empty"},
	    {{"JWT_COOKIE_DOMAIN=a;b"}, "JWT_COOKIE_DOMAIN holds"},
	    {{"JWT_COOKIE_DOMAIN=a/b"}, "JWT_COOKIE_DOMAIN holds"},
	    {{"JWT_COOKIE_DOMAIN=a.example:80"}, "JWT_COOKIE_DOMAIN holds"},
	    {{"JWT_COOKIE_DOMAIN="}, "JWT_COOKIE_DOMAIN is empty"},
	    {{"JWT_COOKIE_DOMAIN=.a-1.example"}, NULL},
	    {{"JWT_REFRESH_COOKIE_PATH=/refresh"}, NULL},
	};

	EXPECT(rows);
	expect_long("JWT_ACCESS_COOKIE_PATH", 1025, "/");
	expect_long("JWT_COOKIE_DOMAIN", 254, "");
}

Test(config_cookie, words_outside_their_list_are_refused)
{
	static const struct row rows[] = {
	    {{"JWT_COOKIE_SECURE=True"},
		"JWT_COOKIE_SECURE is neither yes nor no"},
	    {{"JWT_COOKIE_SECURE=YES"}, "JWT_COOKIE_SECURE is neither"},
	    {{"JWT_SESSION_COOKIE=1"}, "JWT_SESSION_COOKIE is neither"},
	    {{"CORGI_REGISTRATION="}, "CORGI_REGISTRATION is empty"},
	    {{"CORGI_LOGIN_COOKIES=on"}, "CORGI_LOGIN_COOKIES is neither"},
	    {{"JWT_COOKIE_SAMESITE=lax"},
		"JWT_COOKIE_SAMESITE is not Lax, Strict or None"},
	    {{"JWT_COOKIE_SAMESITE=Laxx"}, "JWT_COOKIE_SAMESITE is not"},
	    {{"JWT_COOKIE_SAMESITE="}, "JWT_COOKIE_SAMESITE is empty"},
	};

	EXPECT(rows);
}

Test(config_cookie, csrf_methods_are_those_that_change_something)
{
	static const struct row rows[] = {
	    {{"JWT_CSRF_METHODS=GET"}, "JWT_CSRF_METHODS names a method"},
	    {{"JWT_CSRF_METHODS=post"}, "JWT_CSRF_METHODS names a method"},
	    {{"JWT_CSRF_METHODS=POST,"}, "JWT_CSRF_METHODS names a method"},
	    {{"JWT_CSRF_METHODS=,POST"}, "JWT_CSRF_METHODS names a method"},
	    {{"JWT_CSRF_METHODS=POST PUT"}, "JWT_CSRF_METHODS has no comma"},
	    {{"JWT_CSRF_METHODS="}, "JWT_CSRF_METHODS is empty"},
	};

	EXPECT(rows);
	LOAD("JWT_CSRF_METHODS=DELETE, POST");
	cr_expect_eq(c.csrf_methods, CSRF_DELETE | CSRF_POST);
	cr_expect_eq(config_csrf_method("PATCH", 5), CSRF_PATCH);
	cr_expect_eq(config_csrf_method("PUT", 3), CSRF_PUT);
	cr_expect_eq(config_csrf_method("GET", 3), 0);
	cr_expect_eq(config_csrf_method("POSTS", 5), 0);
	cr_expect_eq(config_csrf_method("post", 4), 0);
}

/* Nobody may say of a token what only the service can know. */
Test(config_cookie, further_claims_cannot_be_the_services_own)
{
	static const struct row rows[] = {
	    {{"CORGI_CLAIMS={\"sub\": 1}"}, "CORGI_CLAIMS sets a claim"},
	    {{"CORGI_CLAIMS={\"x\": 1, \"roles\": []}"},
		"CORGI_CLAIMS sets a claim"},
	    {{"CORGI_CLAIMS={\"exp\": 1}"}, "CORGI_CLAIMS sets a claim"},
	    {{"CORGI_CLAIMS={\"sid\": \"\"}"}, "CORGI_CLAIMS sets a claim"},
	    {{"CORGI_CLAIMS={\"ver\": 0}"}, "CORGI_CLAIMS sets a claim"},
	    {{"CORGI_CLAIMS={\"fresh\": true}"}, "CORGI_CLAIMS sets a claim"},
	    {{"CORGI_CLAIMS=[]"}, "CORGI_CLAIMS is not a JSON object"},
	    {{"CORGI_CLAIMS=x"}, "CORGI_CLAIMS is not a JSON object"},
	    {{"CORGI_CLAIMS={} {}"}, "CORGI_CLAIMS is not a JSON object"},
	    {{"CORGI_CLAIMS={\"a\":1,\"a\":2}"},
		"CORGI_CLAIMS is not a JSON object"},
	    {{"CORGI_CLAIMS="}, "CORGI_CLAIMS is empty"},
	    {{"CORGI_CLAIMS={\"Sub\": 1, \"tenant\": \"a\"}"}, NULL},
	    {{"CORGI_CLAIMS={}"}, NULL},
	};

	EXPECT(rows);
	LOAD("CORGI_CLAIMS={\"tenant\": \"a\"}");
	cr_expect_str_eq(c.extra_claims, "{\"tenant\": \"a\"}");
}

/* Browsers drop such cookies, and nobody could log in. */
Test(config_cookie, what_browsers_would_drop_is_refused)
{
	static const struct row rows[] = {
	    {{"CORGI_COOKIE_HOST_PREFIX=yes"}, NULL},
	    {{"CORGI_COOKIE_HOST_PREFIX=yes", "JWT_COOKIE_SECURE=no"},
		"CORGI_COOKIE_HOST_PREFIX contradicts"},
	    {{"CORGI_COOKIE_HOST_PREFIX=yes", "JWT_COOKIE_DOMAIN=a.example"},
		"CORGI_COOKIE_HOST_PREFIX contradicts"},
	    {{"CORGI_COOKIE_HOST_PREFIX=yes", "JWT_ACCESS_COOKIE_PATH=/a"},
		"CORGI_COOKIE_HOST_PREFIX contradicts"},
	    {{"CORGI_COOKIE_HOST_PREFIX=yes", "JWT_REFRESH_COOKIE_PATH=/a"},
		"CORGI_COOKIE_HOST_PREFIX contradicts"},
	    {{"CORGI_COOKIE_HOST_PREFIX=yes", "JWT_ACCESS_CSRF_COOKIE_PATH=/a"},
		"CORGI_COOKIE_HOST_PREFIX contradicts"},
	    {{"CORGI_COOKIE_HOST_PREFIX=yes",
		 "JWT_REFRESH_CSRF_COOKIE_PATH=/a"},
		"CORGI_COOKIE_HOST_PREFIX contradicts"},
	    {{"JWT_COOKIE_SAMESITE=None"}, NULL},
	    {{"JWT_COOKIE_SAMESITE=None", "JWT_COOKIE_SECURE=no"},
		"JWT_COOKIE_SAMESITE=None contradicts JWT_COOKIE_SECURE"},
	};

	EXPECT(rows);
}

Test(config_cookie, cookies_of_one_name_would_overwrite_each_other)
{
	static const char *const names[] = {"JWT_ACCESS_COOKIE_NAME",
	    "JWT_REFRESH_COOKIE_NAME", "JWT_ACCESS_CSRF_COOKIE_NAME",
	    "JWT_REFRESH_CSRF_COOKIE_NAME"};
	struct row row = {{NULL}, "JWT_ACCESS_COOKIE_NAME, JWT_REFRESH_COOKIE"};
	char first[64], second[64];
	size_t i, j;

	row.settings[0] = first;
	row.settings[1] = second;
	for (i = 0; i < COUNT(names); i++) {
		for (j = 0; j < i; j++) {
			(void)snprintf(
			    first, sizeof(first), "%s=same", names[i]);
			(void)snprintf(
			    second, sizeof(second), "%s=same", names[j]);
			expect(&row, 1);
		}
	}
}

Test(config_cookie, numbers_of_sessions_and_throttling_have_their_range)
{
	static const struct row rows[] = {
	    {{"JWT_REFRESH_TOKEN_EXPIRES=0"}, "JWT_REFRESH_TOKEN_EXPIRES is"},
	    {{"JWT_REFRESH_TOKEN_EXPIRES=3651d"},
		"JWT_REFRESH_TOKEN_EXPIRES is"},
	    {{"CORGI_SESSION_EXPIRES=soon"}, "CORGI_SESSION_EXPIRES is"},
	    {{"CORGI_REFRESH_GRACE=6m"}, "CORGI_REFRESH_GRACE is too large"},
	    {{"CORGI_REFRESH_GRACE=5m"}, NULL},
	    {{"CORGI_SESSIONS_PER_USER=1000001"},
		"CORGI_SESSIONS_PER_USER is too large"},
	    {{"CORGI_REVOCATIONS=999"}, "CORGI_REVOCATIONS is too small"},
	    {{"CORGI_REVOCATIONS=16000001"}, "CORGI_REVOCATIONS is too large"},
	    {{"CORGI_REVOCATIONS=1000"}, NULL},
	    {{"CORGI_HASH_MEMORY_KIB=19455"},
		"CORGI_HASH_MEMORY_KIB is below CORGI_ARGON2_MEMORY_KIB"},
	    {{"CORGI_HASH_MEMORY_KIB=19456"}, NULL},
	    {{"CORGI_THROTTLE_ACCOUNT=1001"},
		"CORGI_THROTTLE_ACCOUNT is too large"},
	    {{"CORGI_THROTTLE_ACCOUNT=0"}, NULL},
	    {{"CORGI_THROTTLE_ADDRESS=100001"},
		"CORGI_THROTTLE_ADDRESS is too large"},
	    {{"CORGI_THROTTLE_SECONDS=0"},
		"CORGI_THROTTLE_SECONDS is too small"},
	    {{"CORGI_THROTTLE_ENTRIES=1023"},
		"CORGI_THROTTLE_ENTRIES is too small"},
	};

	EXPECT(rows);
}
