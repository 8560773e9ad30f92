/*
 * The lines of the audit log: what stands in them, and that no text from
 * outside makes anything but one line of JSON in ASCII.
 */
#include "audit_kit.h"

#include <time.h>

#include "base/clock.h"

#define REPLACED "\xef\xbf\xbd"

static jdoc *only_line(void);
static jdoc *written(const struct audit_event *);
static void expect_member(const jdoc *, const char *, const char *, size_t);
static void fill(char *, size_t, char);

TestSuite(audit, .init = audit_set_up, .fini = audit_tear_down, .timeout = 60);

/* The one line there is; the file is empty afterwards. */
static jdoc *
only_line(void)
{
	size_t len;
	char *bytes = file_bytes(log_path, &len);
	jdoc *doc;

	cr_assert_geq(len, 1);
	cr_assert_leq(len, AUDIT_LINE_MAX);
	cr_assert_eq(memchr(bytes, '\n', len), bytes + len - 1);
	doc = parse_line(bytes, len - 1);
	free(bytes);
	cr_assert_eq(truncate(log_path, 0), 0);
	return (doc);
}

static jdoc *
written(const struct audit_event *event)
{
	cr_assert_eq(audit_write(event), 0);
	return (only_line());
}

/* NULL: not there. */
static void
expect_member(const jdoc *line, const char *name, const char *text, size_t len)
{
	const char *found;
	size_t n;

	found = jdoc_string(jdoc_member(line, name), &n);
	cr_assert_eq(found == NULL, text == NULL, "%s", name);
	if (text == NULL)
		return;
	cr_expect_eq(n, len, "%s: %zu bytes", name, n);
	cr_expect(n == len && memcmp(found, text, len) == 0, "%s is \"%s\"",
	    name, found);
}

static void
fill(char *text, size_t len, char c)
{
	memset(text, c, len);
	text[len] = '\0';
}

Test(audit, every_kind_of_event_has_its_word)
{
	static const char *const words[AUDIT__MAX] = {
	    [AUDIT_START] = "start",
	    [AUDIT_STOP] = "stop",
	    [AUDIT_LOGIN] = "login",
	    [AUDIT_REFRESH] = "refresh",
	    [AUDIT_REUSE] = "reuse",
	    [AUDIT_LOGOUT] = "logout",
	    [AUDIT_LOGOUT_ALL] = "logout_all",
	    [AUDIT_REVOKE] = "revoke",
	    [AUDIT_REGISTER] = "register",
	    [AUDIT_PASSWORD] = "password",
	    [AUDIT_ACCOUNT] = "account",
	    [AUDIT_THROTTLE] = "throttle",
	};
	struct audit_event event;
	jdoc *line;
	int kind;

	open_log();
	for (kind = 0; kind < AUDIT__MAX; kind++) {
		cr_expect_str_eq(
		    audit_kind_name((enum audit_kind)kind), words[kind]);
		memset(&event, 0, sizeof(event));
		event.kind = (enum audit_kind)kind;
		line = written(&event);
		expect_member(line, "event", words[kind], strlen(words[kind]));
		jdoc_free(line);
	}
	cr_expect_str_eq(audit_kind_name(AUDIT__MAX), "unknown");
	cr_expect_str_eq(audit_kind_name((enum audit_kind) - 1), "unknown");
}

Test(audit, a_line_has_all_that_is_known_of_an_event)
{
	const struct audit_event event = {
	    .kind = AUDIT_LOGIN,
	    .outcome = AUDIT_FAILED,
	    .reason = "credentials",
	    .subject = "cosmo",
	    .subject_len = 5,
	    .session = "0a1b2c3d-0000-4000-8000-000000000001",
	    .client = "2001:db8::1",
	    .request = "req-1",
	};
	int64_t pid;
	jdoc *line;

	open_log();
	line = written(&event);
	cr_expect_eq(jdoc_count(line), 9);
	expect_member(line, "event", "login", 5);
	expect_member(line, "outcome", "failed", 6);
	expect_member(line, "reason", "credentials", 11);
	expect_member(line, "subject", "cosmo", 5);
	expect_member(
	    line, "session", "0a1b2c3d-0000-4000-8000-000000000001", 36);
	expect_member(line, "client", "2001:db8::1", 11);
	expect_member(line, "request", "req-1", 5);
	cr_expect(jdoc_time(jdoc_member(line, "pid"), &pid));
	cr_expect_eq(pid, getpid());
	cr_expect_eq(jdoc_type_of(jdoc_member(line, "time")), JDOC_STRING);
	jdoc_free(line);
}

Test(audit, what_is_not_known_is_left_out)
{
	const struct audit_event nothing = {.kind = AUDIT_STOP};
	const struct audit_event empty = {
	    .kind = AUDIT_STOP, .subject = "", .request = ""};
	jdoc *line;

	open_log();
	line = written(&nothing);
	cr_expect_eq(jdoc_count(line), 4, "time, event, outcome, pid");
	expect_member(line, "outcome", "ok", 2);
	expect_member(line, "subject", NULL, 0);
	expect_member(line, "reason", NULL, 0);
	jdoc_free(line);
	line = written(&empty);
	cr_expect_eq(jdoc_count(line), 6);
	expect_member(line, "subject", "", 0);
	expect_member(line, "request", "", 0);
	jdoc_free(line);
}

Test(audit, no_subject_can_be_anything_but_a_text)
{
#define SUBJECT(in, out)                                                       \
	{                                                                      \
		(in), sizeof(in) - 1, (out), sizeof(out) - 1                   \
	}
	static const struct {
		const char *in;
		size_t len;
		const char *out;
		size_t out_len;
	} rows[] = {
	    SUBJECT("a\"b", "a\"b"),
	    SUBJECT("\",\"event\":\"login", "\",\"event\":\"login"),
	    SUBJECT("a\\", "a\\"),
	    SUBJECT("\\u0041\\n", "\\u0041\\n"),
	    SUBJECT("a\r\n{\"time\":\"x\"}\n", "a\r\n{\"time\":\"x\"}\n"),
	    SUBJECT("a\0b\0", "a\0b\0"),
	    SUBJECT("\x01\x1b[31m\x7f\t\b\f", "\x01\x1b[31m\x7f\t\b\f"),
	    /* U+2028, U+2029 and U+0085 end a line for some. */
	    SUBJECT("a\xe2\x80\xa8\xe2\x80\xa9\xc2\x85",
		"a\xe2\x80\xa8\xe2\x80\xa9\xc2\x85"),
	    SUBJECT("Gr\xc3\xbc\xc3\x9f\x65", "Gr\xc3\xbc\xc3\x9f\x65"),
	    SUBJECT("\xf0\x9f\x90\x95", "\xf0\x9f\x90\x95"),
	    SUBJECT("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf",
		"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"),
	    SUBJECT("\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf",
		"\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"),
	    /* What is not UTF-8, byte by byte. */
	    SUBJECT("\xff", REPLACED),
	    SUBJECT("a\x80z", "a" REPLACED "z"),
	    SUBJECT("\xc0\xaf", REPLACED REPLACED),
	    SUBJECT("\xed\xa0\x80", REPLACED REPLACED REPLACED),
	    SUBJECT("\xf4\x90\x80\x80", REPLACED REPLACED REPLACED REPLACED),
	    SUBJECT("a\xc3", "a" REPLACED),
	    SUBJECT("\xf0\x9f\x90", REPLACED REPLACED REPLACED),
	    SUBJECT("\xf0\x9f\x90\n", REPLACED REPLACED REPLACED "\n"),
	    SUBJECT("\xe2\x80\"", REPLACED REPLACED "\""),
	};
#undef SUBJECT
	struct audit_event event = {.kind = AUDIT_LOGIN};
	jdoc *line;
	size_t i;

	open_log();
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		event.subject = rows[i].in;
		event.subject_len = rows[i].len;
		line = written(&event);
		cr_expect_eq(jdoc_count(line), 5, "row %zu", i);
		expect_member(line, "subject", rows[i].out, rows[i].out_len);
		expect_member(line, "event", "login", 5);
		jdoc_free(line);
	}
}

/* Every byte there is, in every member that has a text from outside. */
Test(audit, every_byte_can_stand_in_every_member)
{
	struct audit_event event;
	char text[2] = "";
	jdoc *line;
	int c;

	open_log();
	for (c = 1; c < 256; c++) {
		text[0] = (char)c;
		memset(&event, 0, sizeof(event));
		event.reason = event.subject = event.session = text;
		event.client = event.request = text;
		event.subject_len = 1;
		line = written(&event);
		cr_expect_eq(jdoc_count(line), 9, "byte %d", c);
		expect_member(line, "client", c < 0x80 ? text : REPLACED,
		    c < 0x80 ? 1 : 3);
		jdoc_free(line);
	}
}

/* Six bytes for each is the most that escaping makes of one. */
Test(audit, the_longest_subject_fits_with_all_the_rest)
{
	static const char bytes[] = {'\x01', '"', '\\', '\xff', '\x7f', 'a'};
	char subject[STORE_NAME_MAX + 1], session[STORE_SESSION_ID_MAX];
	char client[STORE_CLIENT_MAX], request[AUDIT_REQUEST_MAX];
	struct audit_event event = {
	    .kind = AUDIT_LOGOUT_ALL,
	    .outcome = AUDIT_FAILED,
	    .reason = "current_password",
	    .subject = subject,
	    .subject_len = STORE_NAME_MAX,
	    .session = session,
	    .client = client,
	    .request = request,
	};
	jdoc *line;
	size_t i, n;

	open_log();
	for (i = 0; i < sizeof(bytes); i++) {
		fill(subject, sizeof(subject) - 1, bytes[i]);
		fill(session, sizeof(session) - 1, bytes[i]);
		fill(client, sizeof(client) - 1, bytes[i]);
		fill(request, sizeof(request) - 1, bytes[i]);
		line = written(&event);
		cr_expect_eq(
		    jdoc_count(line), 9, "0x%02x", (unsigned char)bytes[i]);
		cr_assert_not_null(
		    jdoc_string(jdoc_member(line, "subject"), &n));
		cr_expect_eq(
		    n, STORE_NAME_MAX * (bytes[i] == '\xff' ? 3 : 1), "%zu", n);
		jdoc_free(line);
	}
	/* Two units for four bytes, and one byte that is left over. */
	for (i = 0; i + 4 <= STORE_NAME_MAX; i += 4)
		memcpy(subject + i, "\xf0\x9f\x90\x95", 4);
	line = written(&event);
	cr_expect_eq(jdoc_count(line), 9);
	jdoc_free(line);
}

/* A token of another application may have any subject. */
Test(audit, what_does_not_fit_is_left_out_whole)
{
	static const char *const bytes[] = {"a", "\x01", "\xf0\x9f\x90\x95"};
	static char subject[AUDIT_LINE_MAX + 64];
	struct audit_event event = {
	    .kind = AUDIT_LOGIN, .subject = subject, .request = "behind it"};
	size_t i, n, len, width, kept = 0, dropped = 0;
	jdoc *line;

	open_log();
	for (i = 0; i < 3; i++) {
		width = strlen(bytes[i]);
		for (n = 0; n + width <= sizeof(subject); n += width)
			memcpy(subject + n, bytes[i], width);
		for (len = 0; len <= n; len += len < 400 ? 100 : 7 * width) {
			event.subject_len = len;
			line = written(&event);
			expect_member(line, "request", "behind it", 9);
			cr_expect_not_null(jdoc_member(line, "pid"));
			if (jdoc_member(line, "subject") != NULL) {
				expect_member(line, "subject", subject, len);
				kept++;
			} else
				dropped++;
			jdoc_free(line);
		}
	}
	cr_expect_gt(kept, 300);
	cr_expect_gt(dropped, 30);
}

Test(audit, the_time_is_utc_with_milliseconds)
{
	const struct audit_event event = {.kind = AUDIT_START};
	int64_t before, after, ms;
	const char *text, *rest;
	struct tm tm;
	size_t len;
	jdoc *line;

	cr_assert_eq(setenv("TZ", "Pacific/Auckland", 1), 0);
	tzset();
	open_log();
	before = clock_now_ms(&clock_system);
	line = written(&event);
	after = clock_now_ms(&clock_system);
	text = jdoc_string(jdoc_member(line, "time"), &len);
	cr_assert_not_null(text);
	cr_expect_eq(len, strlen("2026-11-24T06:10:11.123Z"), "%s", text);
	memset(&tm, 0, sizeof(tm));
	rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	cr_assert(rest != NULL && rest[0] == '.', "%s", text);
	cr_expect_eq(strspn(rest + 1, "0123456789"), 3, "%s", text);
	cr_expect_str_eq(rest + 4, "Z");
	ms = (int64_t)timegm(&tm) * 1000 + atoi(rest + 1);
	cr_expect(ms >= before && ms <= after, "%s", text);
	jdoc_free(line);
}
