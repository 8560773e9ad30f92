/*
 * ctl_store.h - look at what corgictl has left in the data folder of the test.
 */
#ifndef CORGI_TEST_CTL_STORE_H
#define CORGI_TEST_CTL_STORE_H

#include "ctl.h"

#include "auth/account.h"
#include "base/jdoc.h"
#include "base/secret.h"
#include "store/store.h"

/* A password that may be set. */
#define CTL_PASSWORD "space-corgi"

/* Cheap argon2id hashes of "correct horse" and of "battery staple". */
#define CTL_HASH                                                               \
	"$argon2id$v=19$m=64,t=1,p=1$"                                         \
	"MDEyMzQ1Njc4OWFiY2RlZg$"                                              \
	"MjZP1+1U9JUbDWvDvtLyEsZiNXOKEUxfi6O2oe46uxA"
#define CTL_OTHER_HASH                                                         \
	"$argon2id$v=19$m=64,t=1,p=1$"                                         \
	"ZmVkY2JhOTg3NjU0MzIxMA$"                                              \
	"dWd+12Ma6wdSAon55nUvI2Ge/qrLM68mFCAKALQdtu0"

/* Open the database of a data folder. */
CTL_HELPER struct store *
ctl_store_in(const char *folder)
{
	char path[SERVER_PATH_MAX + 16], error[STORE_ERROR_MAX];
	struct store *s;

	cr_assert_eq(secret_init(), 0);
	(void)snprintf(path, sizeof(path), "%s/corgi.db", folder);
	cr_assert_eq(store_open_sqlite(path, &s, error), STORE_OK, "%s", error);
	return (s);
}

/* The account of that name, which has to be there. */
CTL_HELPER struct store_user
ctl_user(const char *name)
{
	struct store *s = ctl_store_in(ctl_data);
	struct store_user user;

	cr_assert_eq(store_user_find(s, name, strlen(name), &user), STORE_OK,
	    "%s: %s", name, store_error(s));
	store_close(s);
	return (user);
}

/* How many accounts there are in a data folder; -1 without a database. */
CTL_HELPER int64_t
ctl_count_in(const char *folder)
{
	char path[SERVER_PATH_MAX + 16], error[STORE_ERROR_MAX];
	enum store_result result;
	struct store *s;
	int64_t count = -1;

	(void)snprintf(path, sizeof(path), "%s/corgi.db", folder);
	if (store_open_sqlite_existing(path, &s, error) != STORE_OK)
		return (-1);
	result = store_user_count(s, &count);
	store_close(s);
	return (result == STORE_OK ? count : -1);
}

/* Run, expect status 0, and take the printed JSON. */
#define ctl_json(...) ctl_json_of(ctl_input(NULL, 0, __VA_ARGS__, NULL))

CTL_HELPER jdoc *
ctl_json_of(struct run_result r)
{
	char error[JDOC_ERROR_MAX];
	jdoc *doc;

	cr_assert_eq(r.status, 0, "%s", r.out);
	doc = jdoc_parse(r.out, r.out_len, 0, error);
	cr_assert_not_null(doc, "%s: %s", error, r.out);
	run_free(&r);
	return (doc);
}

/* Whether a member is this text. */
CTL_HELPER bool
ctl_member_is(const jdoc *object, const char *name, const char *text)
{
	const jdoc *value = jdoc_member(object, name);
	const char *found;
	size_t len;

	found = value == NULL ? NULL : jdoc_string(value, &len);
	return (found != NULL && len == strlen(text) &&
	    memcmp(found, text, len) == 0);
}

/* A member that is a number. */
CTL_HELPER int64_t
ctl_number(const jdoc *object, const char *name)
{
	const jdoc *value = jdoc_member(object, name);
	int64_t n;

	cr_assert_not_null(value, "%s", name);
	cr_assert(jdoc_time(value, &n), "%s", name);
	return (n);
}

/* The text of the audit log; free() it. */
CTL_HELPER char *
ctl_audit(void)
{
	char path[SERVER_PATH_MAX + 16];
	size_t len;

	(void)snprintf(path, sizeof(path), "%s/audit.log", ctl_data);
	return (file_read(path, &len));
}

/* Whether the audit log has a line with both texts. */
CTL_HELPER bool
ctl_audit_has(const char *one, const char *other)
{
	char *text = ctl_audit(), *line, *rest = NULL;
	bool found = false;

	cr_assert_not_null(text);
	for (line = strtok_r(text, "\n", &rest); line != NULL && !found;
	     line = strtok_r(NULL, "\n", &rest))
		found =
		    strstr(line, one) != NULL && strstr(line, other) != NULL;
	free(text);
	return (found);
}

#endif
