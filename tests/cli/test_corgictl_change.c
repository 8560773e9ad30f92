/*
 * corgictl user disable, enable, roles, rename, delete: what is in the database
 * and in the audit log afterwards.
 */
#include "ctl_store.h"

static int64_t version_of(const char *);
static bool log_holds(const char *, int64_t);

TestSuite(ctl_change, .init = ctl_set_up, .fini = ctl_tear_down, .timeout = 60);

/* What the log of revocations says of a subject, for log_holds(). */
struct search {
	const char *subject;
	struct store_revocation last;
	size_t found;
};

static int
take_row(const struct store_revocation *row, void *ctx)
{
	struct search *search = ctx;

	if (row->kind == STORE_REVOKE_USER &&
	    row->key_len == strlen(search->subject) &&
	    memcmp(row->key, search->subject, row->key_len) == 0) {
		search->last = *row;
		search->found++;
	}
	return (0);
}

static struct search
last_row(const char *subject)
{
	struct search search = {.subject = subject};
	struct store *s = ctl_store_in(ctl_data);

	cr_assert_eq(
	    store_revocation_each(s, 0, 0, take_row, &search), STORE_OK);
	store_close(s);
	return (search);
}

static int64_t
version_of(const char *name)
{
	return (ctl_user(name).version);
}

/* Whether tokens with a lower version than this are refused. */
static bool
log_holds(const char *subject, int64_t version)
{
	struct search search = last_row(subject);

	return (search.found == 1 && search.last.version == version);
}

Test(ctl_change, disabling_refuses_all_tokens_and_enabling_those_of_before)
{
	ctl_add("cosmo", "space-corgi\n");
	cr_expect_eq(last_row("cosmo").found, 0);
	cr_expect_eq(ctl_status("user", "disable", "cosmo"), 0);
	cr_expect(ctl_user("cosmo").disabled);
	cr_expect(log_holds("cosmo", STORE_FOREVER));
	cr_expect(ctl_audit_has("\"reason\":\"disabled\"", "cosmo"));
	ctl_expect(0, "disabled", "user", "list");
	cr_expect_eq(ctl_status("user", "enable", "cosmo"), 0);
	cr_expect_not(ctl_user("cosmo").disabled);
	cr_expect(log_holds("cosmo", version_of("cosmo")));
	cr_expect_gt(version_of("cosmo"), 0);
	cr_expect(ctl_audit_has("\"reason\":\"enabled\"", "cosmo"));
	ctl_expect(0, "active", "user", "list");
}

Test(ctl_change, roles_are_put_in_order_and_end_access_tokens)
{
	struct run_result r;

	r = ctl_input("space-corgi\n", 12, "user", "add", "cosmo", "--roles",
	    "pilot,admin,pilot", NULL);
	ctl_expect_of(r, 0, "", __LINE__);
	cr_expect_str_eq(ctl_user("cosmo").roles, "admin pilot");
	cr_expect_eq(version_of("cosmo"), 0);
	r = ctl_input(NULL, 0, "user", "roles", "cosmo", NULL);
	cr_expect_str_eq(r.out, "admin\npilot\n");
	run_free(&r);
	ctl_expect(0, "admin,pilot", "user", "list");

	cr_expect_eq(ctl_status("user", "roles", "cosmo", "a:b,A.b,_"), 0);
	cr_expect_str_eq(ctl_user("cosmo").roles, "A.b _ a:b");
	cr_expect_gt(version_of("cosmo"), 0);
	cr_expect(log_holds("cosmo", version_of("cosmo")));
	cr_expect(ctl_audit_has("\"reason\":\"roles\"", "cosmo"));
}

Test(ctl_change, all_roles_can_be_taken_away_in_two_ways)
{
	jdoc *roles;

	ctl_add("cosmo", "space-corgi\n");
	cr_expect_eq(ctl_status("user", "roles", "cosmo", "admin"), 0);
	cr_expect_eq(ctl_status("user", "roles", "cosmo", "--none"), 0);
	cr_expect_str_eq(ctl_user("cosmo").roles, "");
	cr_expect_eq(ctl_status("user", "roles", "cosmo", "admin"), 0);
	roles = ctl_json("user", "roles", "cosmo", "--json");
	cr_expect_eq(jdoc_count(roles), 1);
	jdoc_free(roles);
	cr_expect_eq(ctl_status("user", "roles", "cosmo", ""), 0);
	cr_expect_str_eq(ctl_user("cosmo").roles, "");
	roles = ctl_json("user", "roles", "cosmo", "--json");
	cr_expect_eq(jdoc_count(roles), 0);
	jdoc_free(roles);
}

Test(ctl_change, what_is_no_role_is_refused)
{
	static const char *const bad[] = {
	    "a b", "a,,b", ",a", "a,", "\xc3\xa4", "a;b", "a\nb"};
	char name[STORE_ROLE_MAX + 1];
	size_t i;

	ctl_add("cosmo", "space-corgi\n");
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ctl_expect(2, "roles are", "user", "roles", "cosmo", bad[i]);
	memset(name, 'r', sizeof(name));
	name[STORE_ROLE_MAX] = '\0';
	ctl_expect(2, "roles are", "user", "roles", "cosmo", name);
	ctl_expect(2, "contradict", "user", "roles", "cosmo", "a", "--none");
	cr_expect_str_eq(ctl_user("cosmo").roles, "");
	name[STORE_ROLE_MAX - 1] = '\0';
	cr_expect_eq(ctl_status("user", "roles", "cosmo", name), 0);
	cr_expect_str_eq(ctl_user("cosmo").roles, name);
}

Test(ctl_change, the_longest_list_of_roles_is_taken_and_no_longer_one)
{
	char list[STORE_ROLES_MAX + 8];
	size_t i, len = 0;

	ctl_add("cosmo", "space-corgi\n");
	for (i = 0; len < STORE_ROLES_MAX - 16; i++)
		len += (size_t)sprintf(
		    list + len, "%srole-%04zu", i == 0 ? "" : ",", i);
	memset(list + len, 'x', STORE_ROLES_MAX - 1 - len);
	list[STORE_ROLES_MAX - 1] = '\0';
	cr_expect_eq(ctl_status("user", "roles", "cosmo", list), 0);
	cr_expect_eq(strlen(ctl_user("cosmo").roles), STORE_ROLES_MAX - 1);
	list[STORE_ROLES_MAX - 1] = 'x';
	list[STORE_ROLES_MAX] = '\0';
	ctl_expect(2, "1023 bytes", "user", "roles", "cosmo", list);
}

Test(ctl_change, a_rename_changes_the_name_and_not_the_subject)
{
	struct store_user user;
	jdoc *list;

	ctl_add("cosmo", "space-corgi\n");
	ctl_add("laika", "space-corgi\n");
	ctl_expect(4, "\"laika\" already", "user", "rename", "cosmo", "laika");
	ctl_expect(2, "a name is", "user", "rename", "cosmo", "");
	ctl_expect(2, "argument is missing", "user", "rename", "cosmo");
	ctl_expect(3, "no account \"x\"", "user", "rename", "x", "y");
	cr_expect_eq(ctl_status("user", "rename", "cosmo", "astro"), 0);
	user = ctl_user("astro");
	cr_expect_str_eq(user.subject, "cosmo");
	cr_expect_eq(user.version, 0);
	cr_expect(ctl_audit_has("\"reason\":\"renamed\"", "cosmo"));
	ctl_expect(0, "subject cosmo\n", "user", "list");
	list = ctl_json("user", "list", "--json");
	cr_expect(ctl_member_is(jdoc_element(list, 0), "name", "astro"));
	cr_expect(ctl_member_is(jdoc_element(list, 0), "subject", "cosmo"));
	jdoc_free(list);
}

/* Whoever gets a name that was in use must not get its owner's rights. */
Test(ctl_change, a_name_used_before_gets_another_subject_and_it_is_said)
{
	struct run_result r;
	struct store_user user;

	ctl_add("cosmo", "space-corgi\n");
	cr_expect_eq(ctl_status("user", "delete", "cosmo", "--yes"), 0);
	cr_expect(log_holds("cosmo", STORE_FOREVER));
	cr_expect(ctl_audit_has("\"reason\":\"deleted\"", "cosmo"));
	r = ctl_input("space-corgi\n", 12, "user", "add", "cosmo", NULL);
	cr_expect_eq(r.status, 0, "%s", r.out);
	user = ctl_user("cosmo");
	cr_expect_eq(user.subject_len, UUID_LEN);
	cr_expect_not_null(strstr(r.out, user.subject), "%s", r.out);
	run_free(&r);
	r = ctl_input("space-corgi\n", 12, "user", "add", "laika", NULL);
	cr_expect_str_eq(r.out, "");
	run_free(&r);
	ctl_expect(0, user.subject, "user", "list");
}

Test(ctl_change, a_new_password_ends_tokens)
{
	struct run_result r;

	ctl_add("cosmo", "space-corgi\n");
	r = ctl_input("other-corgi\n", 12, "user", "passwd", "cosmo", NULL);
	ctl_expect_of(r, 0, "", __LINE__);
	cr_expect_gt(version_of("cosmo"), 0);
	cr_expect(log_holds("cosmo", version_of("cosmo")));
	cr_expect(ctl_audit_has("\"reason\":\"password\"", "cosmo"));
}

Test(ctl_change, an_unknown_account_is_3_and_a_wrong_name_2)
{
	static const char *const verbs[] = {
	    "disable", "enable", "roles", "sessions"};
	size_t i;

	ctl_add("cosmo", "space-corgi\n");
	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		ctl_expect(3, "no account \"cosm\"", "user", verbs[i], "cosm");
		ctl_expect(2, "a name is", "user", verbs[i], "\xff");
		ctl_expect(2, "argument is missing", "user", verbs[i]);
		ctl_expect(
		    2, "one word too many", "user", verbs[i], "a", "b", "c");
		cr_expect_eq(ctl_status("user", verbs[i], "cosmo"), 0);
	}
	ctl_expect(3, "no account", "user", "roles", "cosm", "admin");
	ctl_expect(3, "no account", "user", "revoke", "cosm", "--yes");
}

Test(ctl_change, a_list_in_json_has_everything_but_hashes)
{
	struct run_result r;
	jdoc *list;
	const jdoc *one;

	r = ctl_input("space-corgi\n", 12, "user", "add", "cosmo", "--roles",
	    "admin", NULL);
	ctl_expect_of(r, 0, "", __LINE__);
	list = ctl_json("user", "list", "--json");
	one = jdoc_element(list, 0);
	cr_expect_eq(jdoc_count(one), 8);
	cr_expect(ctl_member_is(one, "name", "cosmo"));
	cr_expect(ctl_member_is(one, "subject", "cosmo"));
	cr_expect_eq(jdoc_count(jdoc_member(one, "roles")), 1);
	cr_expect_not(jdoc_true(jdoc_member(one, "disabled")));
	cr_expect_eq(ctl_number(one, "version"), 0);
	cr_expect_gt(ctl_number(one, "created_at"), 0);
	cr_expect_gt(ctl_number(one, "updated_at"), 0);
	cr_expect_null(jdoc_member(one, "hash"));
	jdoc_free(list);
}

/* What is not written down must not happen. */
Test(ctl_change, nothing_is_changed_without_the_audit_log)
{
	struct run_result r;

	ctl_add("cosmo", "space-corgi\n");
	ctl_env[2] = "CORGI_AUDIT_LOG=/nonexistent/audit.log";
	ctl_expect(1, "CORGI_AUDIT_LOG", "user", "disable", "cosmo");
	ctl_expect(1, "CORGI_AUDIT_LOG", "user", "delete", "cosmo", "--yes");
	r = ctl_input("space-corgi\n", 12, "user", "add", "laika", NULL);
	ctl_expect_of(r, 1, "CORGI_AUDIT_LOG", __LINE__);
	cr_expect_not(ctl_user("cosmo").disabled);
	cr_expect_eq(ctl_count_in(ctl_data), 1);
	ctl_expect(0, "cosmo", "user", "list");
	ctl_env[2] = "CORGI_AUDIT_LOG=off";
	cr_expect_eq(ctl_status("user", "disable", "cosmo"), 0);
	cr_expect(ctl_user("cosmo").disabled);
}
