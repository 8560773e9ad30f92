/*
 * corgictl user import: what it takes, what it refuses, and what is kept when
 * it does not come to its end.
 */
#include "ctl_store.h"

#include <sys/stat.h>

#include <unistd.h>

#define LINE(rest) "{\"username\":\"cosmo\"," rest "}\n"
#define HASHED     "\"hash\":\"" CTL_HASH "\""

static struct run_result import_text(const char *, const char *);
static void expect_import(int, const char *, const char *, const char *, int);
static size_t write_lines(char *, unsigned int, unsigned int);

TestSuite(ctl_import, .init = ctl_set_up, .fini = ctl_tear_down, .timeout = 90);

/* Import a text from standard input, with one more option or NULL. */
static struct run_result
import_text(const char *text, const char *option)
{
	return (
	    ctl_input(text, strlen(text), "user", "import", "-", option, NULL));
}

static void
expect_import(int status, const char *said, const char *text,
    const char *option, int line)
{
	ctl_expect_of(import_text(text, option), status, said, line);
}

/* Lines for the accounts from first on; how long they are. */
static size_t
write_lines(char *out, unsigned int first, unsigned int count)
{
	unsigned int i;
	size_t len = 0;

	for (i = first; i < first + count; i++)
		len += (size_t)sprintf(
		    out + len, "{\"username\":\"user-%u\"," HASHED "}\n", i);
	return (len);
}

Test(ctl_import, an_account_is_what_its_line_says)
{
	static const char text[] =
	    "{\"username\":\"co\\u0000smo\"," HASHED
	    ",\"roles\":[\"pilot\",\"admin\",\"pilot\"],\"disabled\":true,"
	    "\"subject\":\"c-1\",\"created_at\":1700000000}\n"
	    "{\"username\":\"laika\",\"password\":\"correct horse\"}";
	struct store *s;
	struct store_user user;

	expect_import(
	    0, "2 added, 0 updated, 0 there already\n", text, NULL, __LINE__);
	s = ctl_store_in(ctl_data);
	cr_assert_eq(store_user_find(s, "co\0smo", 6, &user), STORE_OK);
	store_close(s);
	cr_expect_str_eq(user.hash, CTL_HASH);
	cr_expect_str_eq(user.roles, "admin pilot");
	cr_expect(user.disabled);
	cr_expect_str_eq(user.subject, "c-1");
	cr_expect_eq(user.created_at, 1700000000);
	cr_expect_gt(user.updated_at, 1700000000);
	user = ctl_user("laika");
	cr_expect_eq(password_verify(user.hash, "correct horse", 13), 1);
	cr_expect_str_eq(user.roles, "");
	cr_expect_not(user.disabled);
	cr_expect_str_eq(user.subject, "laika");
	cr_expect_gt(user.created_at, 1700000000);
	cr_expect(ctl_audit_has("\"reason\":\"imported\"", "laika"));
	cr_expect(ctl_audit_has("\"reason\":\"imported\"", "c-1"));
}

Test(ctl_import, a_line_that_makes_no_account_is_refused_with_its_number)
{
	static const struct {
		const char *line;
		const char *said;
	} rows[] = {
	    {"", "not JSON"},
	    {"{", "not JSON"},
	    {"[]", "not a JSON object"},
	    {"{} {}", "not JSON"},
	    {"{\"username\":\"a\xff\"," HASHED "}", "not JSON"},
	    {"{" HASHED "}", "\"username\" is missing"},
	    {"{\"username\":\"\"," HASHED "}", "\"username\" has to be"},
	    {"{\"username\":7," HASHED "}", "\"username\" has to be"},
	    {"{\"username\":\"a\"}", "either \"hash\" or \"password\""},
	    {"{\"username\":\"a\",\"password\":\"space-corgi\"," HASHED "}",
		"not both"},
	    {"{\"username\":\"a\",\"username\":\"b\"," HASHED "}", "not JSON"},
	    {"{\"username\":\"a\",\"hash\":\"plain\"}", "no password hash"},
	    {"{\"username\":\"a\",\"hash\":null}", "\"hash\" has to be"},
	    {"{\"username\":\"a\",\"password\":\"short\"}",
		"the password is not taken"},
	    {"{\"username\":\"a\",\"password\":12345678}",
		"\"password\" has to be"},
	    {"{\"username\":\"a\",\"email\":\"x\"," HASHED "}",
		"\"email\" is no member"},
	    {"{\"username\":\"a\",\"e\\u001b\":\"x\"," HASHED "}",
		"\"e\\x1b\" is no member"},
	    {"{\"username\":\"a\",\"roles\":\"admin\"," HASHED "}",
		"\"roles\" has to be an array"},
	    {"{\"username\":\"a\",\"roles\":[\"a b\"]," HASHED "}",
		"\"roles\" has to hold"},
	    {"{\"username\":\"a\",\"roles\":[null]," HASHED "}",
		"\"roles\" has to hold"},
	    {"{\"username\":\"a\",\"disabled\":0," HASHED "}",
		"\"disabled\" has to be"},
	    {"{\"username\":\"a\",\"subject\":\"\"," HASHED "}",
		"\"subject\" has to be"},
	    {"{\"username\":\"a\",\"created_at\":-1," HASHED "}",
		"\"created_at\" has to be"},
	    {"{\"username\":\"a\",\"created_at\":\"now\"," HASHED "}",
		"\"created_at\" has to be"},
	};
	static const char good[] = LINE(HASHED);
	char text[2048], said[256];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)snprintf(
		    text, sizeof(text), "%s%s\n%s", good, rows[i].line, good);
		(void)snprintf(said, sizeof(said), "line 2: ");
		expect_import(1, said, text, NULL, (int)i);
		expect_import(1, rows[i].said, text, NULL, (int)i);
		cr_expect_leq(ctl_count_in(ctl_data), 0, "%zu", i);
	}
	expect_import(0, "1 added", good, NULL, __LINE__);
	cr_expect_eq(ctl_count_in(ctl_data), 1);
}

Test(ctl_import, lines_have_a_limit_and_no_more)
{
	static char text[65536 + 4096];
	static const char head[] = "{\"username\":\"cosmo\"," HASHED;
	size_t len = sizeof(head) - 1;
	struct run_result r;

	memset(text, ' ', sizeof(text));
	(void)memcpy(text, head, len);
	text[65535] = '}';
	text[65536] = '\n';
	r = ctl_input(text, 65537, "user", "import", "-", NULL);
	ctl_expect_of(r, 0, "1 added", __LINE__);
	text[65536] = ' ';
	text[65537] = '\n';
	r = ctl_input(text, 65538, "user", "import", "-", NULL);
	ctl_expect_of(r, 1, "line 1: longer than 65536 bytes", __LINE__);
	r = ctl_input(text, sizeof(text), "user", "import", "-", NULL);
	ctl_expect_of(r, 1, "line 1: longer than", __LINE__);
}

/* Nothing of the batch with the fault, all of those before it. */
Test(ctl_import, a_fault_undoes_its_own_thousand_and_no_other)
{
	static char text[512 * 2600];
	size_t len;

	len = write_lines(text, 0, 2500);
	(void)sprintf(text + len, "broken\n");
	expect_import(1, "line 2501: not JSON", text, NULL, __LINE__);
	expect_import(1, "before: 0 added, 0 updated, 2000 there already", text,
	    NULL, __LINE__);
	cr_expect_eq(ctl_count_in(ctl_data), 2000);
	text[len] = '\0';
	expect_import(0, "500 added, 0 updated, 2000 there already", text, NULL,
	    __LINE__);
	cr_expect_eq(ctl_count_in(ctl_data), 2500);
}

Test(ctl_import, an_account_with_another_password_stops_it_unless_told)
{
	static const char first[] = LINE(HASHED ",\"roles\":[\"admin\"]");
	static const char second[] =
	    "{\"username\":\"laika\"," HASHED
	    "}\n" LINE("\"hash\":\"" CTL_OTHER_HASH
		       "\",\"roles\":[],\"disabled\":true");

	expect_import(0, "1 added", first, NULL, __LINE__);
	expect_import(0, "1 there already", first, NULL, __LINE__);
	expect_import(4, "line 2: there is an account \"cosmo\" already",
	    second, NULL, __LINE__);
	expect_import(4, "already", second, "--on-exists=fail", __LINE__);
	cr_expect_eq(ctl_count_in(ctl_data), 1);
	expect_import(0, "1 added, 0 updated, 1 there already", second,
	    "--on-exists=skip", __LINE__);
	cr_expect_str_eq(ctl_user("cosmo").hash, CTL_HASH);
	cr_expect_eq(ctl_user("cosmo").version, 0);
	expect_import(0, "0 added, 1 updated, 1 there already", second,
	    "--on-exists=update", __LINE__);
	cr_expect_str_eq(ctl_user("cosmo").hash, CTL_OTHER_HASH);
	cr_expect_str_eq(ctl_user("cosmo").roles, "");
	cr_expect(ctl_user("cosmo").disabled);
	cr_expect_gt(ctl_user("cosmo").version, 0);
	cr_expect(ctl_audit_has("\"reason\":\"updated\"", "cosmo"));
	expect_import(2, "--on-exists", first, "--on-exists=perhaps", __LINE__);
}

Test(ctl_import, an_update_leaves_alone_what_a_line_does_not_say)
{
	expect_import(0, "1 added",
	    LINE(HASHED ",\"roles\":[\"admin\"],\"disabled\":true"), NULL,
	    __LINE__);
	expect_import(0, "0 updated, 1 there", LINE(HASHED),
	    "--on-exists=update", __LINE__);
	cr_expect_str_eq(ctl_user("cosmo").roles, "admin");
	cr_expect(ctl_user("cosmo").disabled);
	cr_expect_eq(ctl_user("cosmo").version, 0);
	expect_import(1, "another subject",
	    LINE(HASHED ",\"subject\":\"other\""), "--on-exists=update",
	    __LINE__);
}

/* A login replaces a foreign hash; running the import again is no conflict. */
Test(ctl_import, an_account_is_known_again_after_its_hash_was_upgraded)
{
	static const char text[] =
	    LINE(HASHED ",\"subject\":\"cosmo\",\"created_at\":1700000000");
	struct store_user user;
	struct store *s;

	expect_import(0, "1 added", text, NULL, __LINE__);
	user = ctl_user("cosmo");
	s = ctl_store_in(ctl_data);
	cr_assert_eq(store_user_set_hash(
			 s, user.id, user.hash, CTL_OTHER_HASH, 1800000000),
	    STORE_OK);
	store_close(s);
	expect_import(4, "already", LINE(HASHED), NULL, __LINE__);
	expect_import(0, "1 there already", text, NULL, __LINE__);
	cr_expect_str_eq(ctl_user("cosmo").hash, CTL_OTHER_HASH);
}

Test(ctl_import, a_password_in_clear_is_known_again)
{
	static const char text[] = LINE("\"password\":\"correct horse\"");

	expect_import(0, "1 added", text, NULL, __LINE__);
	expect_import(0, "1 there already", text, NULL, __LINE__);
	expect_import(4, "already", LINE("\"password\":\"battery staple\""),
	    NULL, __LINE__);
	expect_import(0, "1 updated", LINE("\"password\":\"battery staple\""),
	    "--on-exists=update", __LINE__);
	cr_expect_eq(
	    password_verify(ctl_user("cosmo").hash, "battery staple", 14), 1);
}

Test(ctl_import, a_subject_is_never_given_twice)
{
	static const char taken[] =
	    "{\"username\":\"astro\",\"subject\":\"cosmo\"," HASHED "}\n";
	char *audit;

	ctl_add("cosmo", "space-corgi\n");
	expect_import(4, "line 1: the subject is another account's", taken,
	    NULL, __LINE__);
	cr_expect_eq(ctl_status("user", "delete", "cosmo", "--yes"), 0);
	expect_import(4, "line 1: the subject is another account's", taken,
	    NULL, __LINE__);
	expect_import(0, "1 have another subject than their name", LINE(HASHED),
	    NULL, __LINE__);
	cr_expect_eq(ctl_user("cosmo").subject_len, UUID_LEN);
	cr_assert_not_null(audit = ctl_audit());
	cr_expect_null(strstr(audit, "astro"));
	free(audit);
}

Test(ctl_import, a_dry_run_says_the_same_and_changes_nothing)
{
	static const char good[] = LINE(HASHED);
	static const char other[] = LINE("\"hash\":\"" CTL_OTHER_HASH "\"");
	static const char taken[] =
	    "{\"username\":\"astro\",\"subject\":\"cosmo\"," HASHED "}\n";
	struct stat st;

	expect_import(0, "1 would be added", good, "--dry-run", __LINE__);
	expect_import(1, "line 1: not JSON", "x\n", "--dry-run", __LINE__);
	cr_expect_eq(stat(ctl_data, &st), -1);
	ctl_add("laika", "space-corgi\n");
	expect_import(0, "1 would be added", good, "--dry-run", __LINE__);
	expect_import(0, "1 would be added",
	    LINE("\"password\":\"correct horse\""), "--dry-run", __LINE__);
	cr_expect_eq(ctl_count_in(ctl_data), 1);
	expect_import(0, "1 added", good, NULL, __LINE__);
	expect_import(0, "1 there already", good, "--dry-run", __LINE__);
	expect_import(4, "already", other, "--dry-run", __LINE__);
	expect_import(4, "subject", taken, "--dry-run", __LINE__);
	cr_expect_str_eq(ctl_user("cosmo").hash, CTL_HASH);
	cr_expect_not(ctl_audit_has("updated", "cosmo"));
}

/* Each batch is undone by itself, so nothing in the database tells. */
Test(ctl_import, a_dry_run_sees_a_name_that_comes_twice_far_apart)
{
	static char text[512 * 1100];
	size_t len;

	len = write_lines(text, 0, 1010);
	(void)sprintf(text + len,
	    "{\"username\":\"user-3\",\"hash\":\"" CTL_OTHER_HASH "\"}\n");
	expect_import(4, "lines 4 and 1011", text, "--dry-run", __LINE__);
	expect_import(4, "line 1011: there is an account \"user-3\"", text,
	    NULL, __LINE__);
	(void)sprintf(text + len, "{\"username\":\"user-3\"," HASHED "}\n");
	expect_import(0, "10 would be added, 0 would be updated, 1001 there",
	    text, "--dry-run", __LINE__);
}

Test(ctl_import, a_log_tells_every_tenth_of_a_file_and_no_bar)
{
	static char text[512 * 3000];
	char path[SERVER_PATH_MAX + 16];
	struct run_result r;

	(void)snprintf(path, sizeof(path), "%s/accounts", ctl_folder);
	file_write(path, text, write_lines(text, 10000, 2500));
	r = ctl_input(NULL, 0, "user", "import", path, NULL);
	cr_expect_eq(r.status, 0);
	cr_expect_str_eq(r.out,
	    "40 %: 1000 accounts\n80 %: 2000 accounts\n"
	    "2500 added, 0 updated, 0 there already\n");
	run_free(&r);
}

Test(ctl_import, a_file_that_cannot_be_read_is_named)
{
	ctl_expect(1, "/nonexistent: ", "user", "import", "/nonexistent");
	ctl_expect(1, "directory", "user", "import", ctl_folder);
	ctl_expect(2, "argument is missing", "user", "import");
	expect_import(0, "0 added", "", NULL, __LINE__);
}

/* No password and no hash in what is printed or logged. */
Test(ctl_import, a_refusal_does_not_repeat_secrets)
{
	static const char text[] = "{\"username\":\"a\",\"password\":"
				   "\"very-secret-word\",\"hash\":\"" CTL_HASH
				   "\"}\n{\"password\":\"very-secret-word\n";
	struct run_result r;

	r = import_text(text, NULL);
	cr_expect_eq(r.status, 1);
	cr_expect_null(strstr(r.out, "very-secret"), "%s", r.out);
	cr_expect_null(strstr(r.out, "argon2id"), "%s", r.out);
	run_free(&r);
	r = import_text(strchr(text, '\n') + 1, NULL);
	cr_expect_eq(r.status, 1);
	cr_expect_null(strstr(r.out, "very-secret"), "%s", r.out);
	run_free(&r);
}
