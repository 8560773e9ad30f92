/*
 * audit_kit.h - what the tests of the audit log share: a file of its own for
 * every test, and its lines, each of which has to be whole.
 */
#ifndef CORGI_TEST_AUDIT_KIT_H
#define CORGI_TEST_AUDIT_KIT_H

#include "store_helpers.h"

#include "base/audit.h"
#include "base/jdoc.h"

#define AUDIT_HELPER static __attribute__((unused))

/* The file that the test writes to. */
static char log_path[PATH_MAX + 16];

AUDIT_HELPER void
audit_set_up(void)
{
	folder_make();
	(void)snprintf(log_path, sizeof(log_path), "%s/audit.log", test_folder);
	jdoc_init();
}

AUDIT_HELPER void
audit_tear_down(void)
{
	audit_close();
	folder_remove();
}

AUDIT_HELPER void
open_log(void)
{
	cr_assert_eq(audit_open(log_path), 0, "%s: %m", log_path);
}

/* One JSON object in ASCII; jdoc_free(). */
AUDIT_HELPER jdoc *
parse_line(const char *line, size_t len)
{
	char error[JDOC_ERROR_MAX];
	jdoc *doc;
	size_t i;

	for (i = 0; i < len; i++)
		cr_assert(line[i] >= ' ' && line[i] <= '~', "0x%02x at %zu",
		    (unsigned char)line[i], i);
	doc = jdoc_parse(line, len, JDOC_REJECT_DUPLICATES, error);
	cr_assert_not_null(doc, "%s: %.*s", error, (int)len, line);
	cr_assert_eq(jdoc_type_of(doc), JDOC_OBJECT);
	return (doc);
}

/* Call each() for every line of a file, which ends with a line end; how many
 * there are. */
AUDIT_HELPER size_t
each_line(const char *path, void (*each)(const jdoc *, void *), void *ctx)
{
	size_t len, count = 0;
	char *bytes = file_bytes(path, &len), *at = bytes, *end;
	jdoc *doc;

	for (; at < bytes + len; at = end + 1) {
		end = memchr(at, '\n', (size_t)(bytes + len - at));
		cr_assert_not_null(end, "a line without an end");
		cr_assert_lt(end - at, AUDIT_LINE_MAX);
		doc = parse_line(at, (size_t)(end - at));
		if (each != NULL)
			each(doc, ctx);
		jdoc_free(doc);
		count++;
	}
	free(bytes);
	return (count);
}

AUDIT_HELPER size_t
count_lines(const char *path)
{
	return (each_line(path, NULL, NULL));
}

/* An event about a subject that ends with its NUL. */
AUDIT_HELPER struct audit_event
login_of(const char *subject)
{
	struct audit_event event = {
	    .kind = AUDIT_LOGIN,
	    .outcome = AUDIT_OK,
	    .subject = subject,
	    .subject_len = strlen(subject),
	};

	return (event);
}

AUDIT_HELPER int
write_login(const char *subject)
{
	struct audit_event event = login_of(subject);

	return (audit_write(&event));
}

#endif
