/*
 * corgictl user: what reaches the database, and what every refusal says. The
 * database is looked at through the library, as the service does.
 */
#include "ctl_store.h"

#include <sys/stat.h>
#include <unistd.h>

static enum error_code log_in(const char *, const char *, size_t);

TestSuite(ctl_user, .init = ctl_set_up, .fini = ctl_tear_down, .timeout = 60);

static enum error_code
log_in(const char *name, const char *password, size_t len)
{
	const struct config config = {
	    .argon2_memory_kib = 64, .argon2_passes = 1};
	struct account_service service;
	char hash[PASSWORD_HASH_MAX];
	struct store_user user;
	enum error_code code;
	struct store *s;

	s = ctl_store_in(ctl_data);
	cr_assert_eq(account_service_init(&service, &config, clock_system), 0);
	code = account_login(
	    &service, s, name, strlen(name), password, len, &user, hash);
	store_close(s);
	return (code);
}

Test(ctl_user, an_added_account_can_log_in_and_only_with_its_password)
{
	ctl_add("cosmo", "space-corgi\n");
	cr_expect_eq(log_in("cosmo", "space-corgi", 11), ERR_NONE);
	cr_expect_eq(log_in("cosmo", "space-corgi\n", 12), ERR_CREDENTIALS);
	cr_expect_eq(log_in("cosmo", "", 0), ERR_CREDENTIALS);
}

Test(ctl_user, a_password_is_one_line_with_every_byte_of_it)
{
	struct run_result r;

	r = ctl_input("a\0bcdefg \nsecond\n", 17, "user", "add", "n", NULL);
	cr_expect_eq(r.status, 0, "%s", r.out);
	run_free(&r);
	cr_expect_eq(log_in("n", "a\0bcdefg ", 9), ERR_NONE);
	cr_expect_eq(log_in("n", "a", 1), ERR_CREDENTIALS);
	ctl_add("m", "no line end");
	cr_expect_eq(log_in("m", "no line end", 11), ERR_NONE);
}

Test(ctl_user, the_data_folder_is_made_for_its_owner_alone)
{
	struct stat st;

	cr_expect_eq(stat(ctl_data, &st), -1);
	ctl_add("cosmo", "space-corgi\n");
	cr_assert_eq(stat(ctl_data, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0700);
}

Test(ctl_user, only_adding_makes_a_folder_or_a_database)
{
	struct stat st;

	ctl_expect(1, "there is no database", "user", "list");
	ctl_expect(1, "there is no database", "user", "passwd", "cosmo");
	ctl_expect(1, "there is no database", "user", "delete", "x", "--yes");
	cr_expect_eq(stat(ctl_data, &st), -1);
	ctl_add("cosmo", "space-corgi\n");
	ctl_expect(0, "cosmo", "user", "list");
}

Test(ctl_user, a_refused_name_password_or_role_leaves_nothing_behind)
{
	static const char *const bad[] = {
	    "", "\n", "short\n", "\xff-space-corgi\n", "cosmology\n"};
	struct run_result r;
	struct stat st;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		r = ctl_input(
		    bad[i], strlen(bad[i]), "user", "add", "cosmology", NULL);
		ctl_expect_of(r, 1, "password is", __LINE__);
		cr_expect_eq(stat(ctl_data, &st), -1, "%zu", i);
	}
	r = ctl_input("space-corgi\n", 12, "user", "add", "\xff", NULL);
	ctl_expect_of(r, 2, "a name is", __LINE__);
	r = ctl_input("space-corgi\n", 12, "user", "add", "cosmo", "--roles",
	    "no blank", NULL);
	ctl_expect_of(r, 2, "roles are", __LINE__);
	cr_expect_eq(stat(ctl_data, &st), -1);
	ctl_add("cosmo", "space-corgi\n");
	cr_expect_eq(stat(ctl_data, &st), 0);
}

Test(ctl_user, a_taken_name_is_4_and_its_password_stays)
{
	struct run_result r;

	ctl_add("cosmo", "first-corgi\n");
	r = ctl_input("second-corgi\n", 13, "user", "add", "cosmo", NULL);
	ctl_expect_of(r, 4, "already", __LINE__);
	cr_expect_eq(log_in("cosmo", "first-corgi", 11), ERR_NONE);
}

Test(ctl_user, an_unknown_name_is_3)
{
	struct run_result r;

	ctl_add("cosmo", "space-corgi\n");
	r = ctl_input("other-corgi\n", 12, "user", "passwd", "cosm", NULL);
	ctl_expect_of(r, 3, "no account \"cosm\"", __LINE__);
	ctl_expect(3, "no account \"cosm\"", "user", "delete", "cosm", "--yes");
	cr_expect_eq(log_in("cosmo", "space-corgi", 11), ERR_NONE);
}

Test(ctl_user, a_changed_password_counts_at_once)
{
	struct run_result r;

	ctl_add("cosmo", "older-corgi\n");
	r = ctl_input("newer-corgi\n", 12, "user", "passwd", "cosmo", NULL);
	cr_expect_eq(r.status, 0, "%s", r.out);
	run_free(&r);
	cr_expect_eq(log_in("cosmo", "newer-corgi", 11), ERR_NONE);
	cr_expect_eq(log_in("cosmo", "older-corgi", 11), ERR_CREDENTIALS);
}

Test(ctl_user, deleting_needs_a_yes_where_nobody_can_be_asked)
{
	struct run_result r;

	ctl_add("cosmo", "space-corgi\n");
	r = ctl_input("y\n", 2, "user", "delete", "cosmo", NULL);
	ctl_expect_of(r, 2, "--yes", __LINE__);
	cr_expect_eq(log_in("cosmo", "space-corgi", 11), ERR_NONE);
	cr_expect_eq(ctl_status("user", "delete", "cosmo", "--yes"), 0);
	cr_expect_eq(log_in("cosmo", "space-corgi", 11), ERR_CREDENTIALS);
}

/* The words are those of the service's own answers. */
Test(ctl_user, what_is_wrong_with_a_password_is_said)
{
	static const struct {
		const char *text;
		enum password_fault fault;
	} rows[] = {
	    {"short", PASSWORD_TOO_SHORT},
	    {"space\xff"
	     "corgi",
		PASSWORD_NOT_UTF8},
	    {"password", PASSWORD_COMMON},
	    {"CosmoCosmo", PASSWORD_IS_NAME},
	};
	struct run_result r;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		r = ctl_input(rows[i].text, strlen(rows[i].text), "user", "add",
		    "cosmocosmo", NULL);
		ctl_expect_of(
		    r, 1, password_fault_text(rows[i].fault), __LINE__);
	}
	r = ctl_input("", 0, "user", "add", "n", NULL);
	ctl_expect_of(r, 1, "empty", __LINE__);
}

Test(ctl_user, the_longest_password_is_taken_whole_and_no_longer_one)
{
	char longest[PASSWORD_MAX + 2];
	struct run_result r;
	size_t i;

	for (i = 0; i < PASSWORD_MAX; i += 4)
		(void)memcpy(longest + i, "\xf0\x9f\x90\x95", 4);
	longest[PASSWORD_MAX] = 'p';
	longest[PASSWORD_MAX + 1] = '\n';
	r = ctl_input(longest, sizeof(longest), "user", "add", "n", NULL);
	ctl_expect_of(r, 1, password_fault_text(PASSWORD_TOO_LONG), __LINE__);
	longest[PASSWORD_MAX] = '\n';
	r = ctl_input(longest, PASSWORD_MAX + 1, "user", "add", "n", NULL);
	cr_expect_eq(r.status, 0, "%s", r.out);
	run_free(&r);
	cr_expect_eq(log_in("n", longest, PASSWORD_MAX), ERR_NONE);
	cr_expect_eq(log_in("n", longest, PASSWORD_MAX - 4), ERR_CREDENTIALS);
}

Test(ctl_user, names_beyond_the_limits_are_refused)
{
	char name[STORE_NAME_MAX + 2];

	memset(name, 'n', sizeof(name));
	name[STORE_NAME_MAX + 1] = '\0';
	ctl_expect(2, "1 to 255", "user", "add", name);
	ctl_expect(2, "1 to 255", "user", "add", "");
	ctl_expect(2, "1 to 255", "user", "add", "\xc3");
	name[STORE_NAME_MAX] = '\0';
	ctl_add(name, "space-corgi\n");
	ctl_add("\xf0\x9f\x90\x95 \xe4\xb8\xad", "space-corgi\n");
	ctl_add("--json", "space-corgi\n");
	cr_expect_eq(log_in("--json", "space-corgi", 11), ERR_NONE);
}

/* A name must not be able to paint over another line of the list. */
Test(ctl_user, a_list_shows_no_control_characters_and_json_the_exact_name)
{
	static const char name[] = "e\x1b[2Jv\xc2\x9b\xe2\x80\xae\n\xc3\xa4";
	struct run_result r;
	char error[JDOC_ERROR_MAX];
	const char *text;
	jdoc *list;
	size_t len;

	ctl_add(name, "space-corgi\n");
	r = ctl_input(NULL, 0, "user", "list", NULL);
	cr_expect_eq(r.status, 0);
	cr_expect_not_null(
	    strstr(r.out, "e\\x1b[2Jv\\xc2\\x9b\\xe2\\x80\\xae\\x0a\xc3\xa4\n"),
	    "%s", r.out);
	cr_expect_null(strchr(r.out, '\x1b'));
	run_free(&r);

	r = ctl_input(NULL, 0, "user", "list", "--json", NULL);
	cr_assert_not_null(
	    list = jdoc_parse(r.out, r.out_len, 0, error), "%s", r.out);
	cr_assert_eq(jdoc_count(list), 1);
	text = jdoc_string(jdoc_member(jdoc_element(list, 0), "name"), &len);
	cr_assert_not_null(text);
	cr_expect_eq(len, sizeof(name) - 1);
	cr_expect_str_eq(text, name);
	jdoc_free(list);
	run_free(&r);
}

Test(ctl_user, a_broken_key_does_not_stand_between_an_operator_and_accounts)
{
	ctl_env[2] = "JWT_ALGORITHM=RS256";
	ctl_add("cosmo", "space-corgi\n");
	ctl_expect(0, "cosmo", "user", "list");
	ctl_env[3] = "CORGI_ARGON2_PASSES=1";
	ctl_expect(1, "CORGI_ARGON2_PASSES", "user", "list");
}

Test(ctl_user, the_option_for_the_folder_goes_before_the_environment)
{
	char other[SERVER_PATH_MAX + 16];

	(void)snprintf(other, sizeof(other), "%s/other", ctl_folder);
	ctl_add("cosmo", "space-corgi\n");
	ctl_expect(
	    1, "there is no database", "user", "list", "--data-dir", other);
	ctl_expect(0, "cosmo", "user", "list", "--data-dir", ctl_data);
	ctl_env[1] = "CORGI_DATA_DIR=/nonexistent";
	ctl_expect(0, "cosmo", "user", "list", "--data-dir", ctl_data);
	ctl_expect(1, "/nonexistent/corgi.db", "user", "list");
}

Test(ctl_user, a_damaged_database_is_named_and_left_alone)
{
	char path[SERVER_PATH_MAX + 16], *after;
	size_t len;

	ctl_add("cosmo", "space-corgi\n");
	(void)snprintf(path, sizeof(path), "%s/corgi.db", ctl_data);
	file_write(path, "no database at all", 18);
	ctl_expect(1, "corgi.db: the database is damaged", "user", "list");
	cr_assert_not_null(after = file_read(path, &len));
	cr_expect_str_eq(after, "no database at all");
	free(after);
}
