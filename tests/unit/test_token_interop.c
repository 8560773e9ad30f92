/*
 * Tokens go both ways between this service and PyJWT, under all algorithms,
 * and crafted ones get the same verdict in the same words from both.
 * tests/interop/pyjwt.py is the other side; keys and tokens are exchanged as
 * files in a temporary folder.
 */
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <spawn.h>
#include <time.h>
#include <unistd.h>

#include "token_kit.h"

#define PYTHON  "/usr/bin/python3"
#define SESSION "0a1b2c3d-0000-4000-8000-000000000001"

/* As many tokens of each ECDSA algorithm; one in 128 or so begins a number
 * with a zero byte. */
#define ECDSA_ROUNDS 200

extern char **environ;

static const char *const algorithms[] = {"HS256", "HS384", "HS512", "RS256",
    "RS384", "RS512", "ES256", "ES384", "ES512"};

#define ALGORITHMS (sizeof(algorithms) / sizeof(algorithms[0]))

static char folder[64];

static void
setup(void)
{
	(void)snprintf(folder, sizeof(folder), "/tmp/corgi-interop-XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
}

static void
teardown(void)
{
	char path[512];
	struct dirent *entry;
	DIR *dir = opendir(folder);

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		(void)snprintf(
		    path, sizeof(path), "%s/%s", folder, entry->d_name);
		(void)unlink(path);
	}
	if (dir != NULL)
		(void)closedir(dir);
	(void)rmdir(folder);
}

TestSuite(token_interop, .init = setup, .fini = teardown, .timeout = 120);

static FILE *
open_in_folder(const char *name, const char *suffix, const char *mode)
{
	char path[256];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s%s", folder, name, suffix);
	file = fopen(path, mode);
	cr_assert_not_null(file, "%s: %s", path, strerror(errno));
	return (file);
}

static void
write_file(const char *name, const char *suffix, const char *text)
{
	FILE *file = open_in_folder(name, suffix, "we");

	cr_assert_geq(fputs(text, file), 0);
	cr_assert_eq(fclose(file), 0);
}

/* Run pyjwt.py, from CORGI_ROOT or the current folder; its exit status. */
static int
run_python(const char *action)
{
	const char *root = getenv("CORGI_ROOT");
	char script[4096];
	char *argv[] = {(char *)(uintptr_t)PYTHON, script,
	    (char *)(uintptr_t)action, folder, NULL};
	pid_t pid;
	int status;

	(void)snprintf(script, sizeof(script), "%s/tests/interop/pyjwt.py",
	    root != NULL ? root : ".");
	cr_assert_eq(posix_spawn(&pid, PYTHON, NULL, NULL, argv, environ), 0);
	while (waitpid(pid, &status, 0) == -1)
		cr_assert_eq(errno, EINTR);
	return (WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

/* Keys for all algorithms, at the machine's time, and in the folder. */
static void
make_kits(struct kit kits[ALGORITHMS])
{
	const struct config *c;
	EVP_PKEY *pkey;
	BIO *bio;
	char *pem;
	size_t i;

	for (i = 0; i < ALGORITHMS; i++) {
		kit_any(&kits[i], algorithms[i]);
		kits[i].now = time(NULL);
		c = &kits[i].config;
		if (c->secret_key.len > 0) {
			write_file(algorithms[i], ".key", KIT_SECRET);
			write_file(algorithms[i], ".pub", KIT_SECRET);
			continue;
		}
		write_file(
		    algorithms[i], ".key", (const char *)c->private_key.data);
		bio = BIO_new_mem_buf(
		    c->private_key.data, (int)c->private_key.len);
		pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
		pem = kit_pem(pkey, false);
		write_file(algorithms[i], ".pub", pem);
		free(pem);
		EVP_PKEY_free(pkey);
		BIO_free(bio);
	}
}

static void
free_kits(struct kit kits[ALGORITHMS])
{
	size_t i;

	for (i = 0; i < ALGORITHMS; i++)
		kit_free(&kits[i]);
}

/* The next line's fields, in place; false at the end of the file. */
static bool
next_line(FILE *file, char **line, char **fields, size_t count)
{
	static size_t size;
	char *rest;
	size_t i;

	if (getline(line, &size, file) == -1)
		return (false);
	rest = *line;
	rest[strcspn(rest, "\n")] = '\0';
	for (i = 0; i < count; i++) {
		fields[i] = strsep(&rest, "\t");
		cr_assert_not_null(fields[i]);
	}
	return (true);
}

static void
issue_kind(FILE *file, const struct kit *kit, enum token_kind kind,
    const char *subject, size_t len, const char *session)
{
	struct token_request request = {.kind = kind,
	    .subject = subject,
	    .subject_len = len,
	    .session = session,
	    .version = session != NULL ? 3 : 0,
	    .roles = session != NULL ? "admin editor" : NULL};
	char *token;
	size_t i;

	cr_assert_eq(
	    token_issue(&kit->policy, &request, &token, NULL), ERR_NONE);
	(void)fprintf(file, "%s\t%s\t", key_algorithm(kit->key),
	    kind == TOKEN_REFRESH ? "refresh" : "access");
	for (i = 0; i < len; i++)
		(void)fprintf(file, "%02x", (unsigned char)subject[i]);
	(void)fprintf(
	    file, "\t%s\t%s\n", session != NULL ? session : "", token);
	free(token);
}

static void
issue_to(FILE *file, const struct kit *kit, const char *subject, size_t len)
{
	issue_kind(file, kit, TOKEN_ACCESS, subject, len, NULL);
	issue_kind(file, kit, TOKEN_ACCESS, subject, len, SESSION);
	issue_kind(file, kit, TOKEN_REFRESH, subject, len, SESSION);
}

/* The kind of a word of the other side's. */
static unsigned int
kind_of(const char *word)
{
	return (strcmp(word, "refresh") == 0 ? TOKEN_REFRESH : TOKEN_ACCESS);
}

Test(token_interop, pyjwt_accepts_our_tokens)
{
	struct kit kits[ALGORITHMS];
	size_t i, j, rounds;
	FILE *file;

	make_kits(kits);
	file = open_in_folder("tokens", "", "we");
	for (i = 0; i < ALGORITHMS; i++) {
		issue_to(file, &kits[i], "", 0);
		issue_to(file, &kits[i], "a\0b", 3);
		issue_to(file, &kits[i], "K\xc3\xb6rgi \"\\\n", 10);
		rounds = algorithms[i][0] == 'E' ? ECDSA_ROUNDS : 3;
		for (j = 0; j < rounds; j++)
			issue_to(file, &kits[i], "cosmo", 5);
	}
	cr_assert_eq(fclose(file), 0);
	cr_expect_eq(run_python("accept"), 0);
	free_kits(kits);
}

/* The other side has to be able to say no. */
Test(token_interop, pyjwt_refuses_a_token_of_another_key)
{
	struct kit kits[ALGORITHMS], other;
	FILE *file;
	size_t i;

	make_kits(kits);
	kit_pair(&other, "ES256");
	other.now = time(NULL);
	file = open_in_folder("tokens", "", "we");
	for (i = 0; i < ALGORITHMS; i++)
		issue_to(file,
		    strcmp(algorithms[i], "ES256") == 0 ? &other : &kits[i],
		    "cosmo", 5);
	cr_assert_eq(fclose(file), 0);
	cr_expect_eq(run_python("accept"), 1);
	kit_free(&other);
	free_kits(kits);
}

/* Whether the claims' subject is the one in hexadecimal. */
static bool
subject_is(const struct claims *claims, const char *hex)
{
	const char *subject;
	char pair[3];
	size_t i, len;

	subject = claims_subject(claims, &len);
	if (strlen(hex) != 2 * len)
		return (false);
	for (i = 0; i < len; i++) {
		(void)snprintf(
		    pair, sizeof(pair), "%02x", (unsigned char)subject[i]);
		if (memcmp(pair, hex + 2 * i, 2) != 0)
			return (false);
	}
	return (true);
}

Test(token_interop, we_accept_tokens_of_flask_jwt_extended)
{
	struct kit kits[ALGORITHMS];
	struct claims *claims;
	struct fault fault = {ERR_NONE, ""};
	char *line = NULL, *fields[4];
	size_t i, count = 0;
	FILE *file;

	make_kits(kits);
	cr_assert_eq(run_python("issue"), 0);
	file = open_in_folder("issued", "", "re");
	while (next_line(file, &line, fields, 4)) {
		for (i = 0; i < ALGORITHMS - 1; i++) {
			if (strcmp(fields[0], algorithms[i]) == 0)
				break;
		}
		kits[i].now = time(NULL);
		cr_expect_eq(token_verify(&kits[i].policy, kind_of(fields[1]),
				 fields[3], strlen(fields[3]), &claims, &fault),
		    ERR_NONE, "%s: fault %d", fields[0], (int)fault.code);
		if (claims != NULL)
			cr_expect(subject_is(claims, fields[2]), "%s: %.60s",
			    fields[0], fields[2]);
		claims_free(claims);
		count++;
	}
	cr_expect_eq(count, 2 * 7 * ALGORITHMS);
	free(line);
	(void)fclose(file);
	free_kits(kits);
}

/* Where a message quotes the parser, only what comes before it is compared:
 * the parsers have words of their own. */
static bool
same_verdict(const char *ours, const char *theirs)
{
	static const char *const quoting[] = {
	    "Invalid header string: ", "Invalid payload string: "};
	size_t i, len;

	for (i = 0; i < 2; i++) {
		len = strlen(quoting[i]);
		if (strncmp(theirs, quoting[i], len) == 0 &&
		    strcmp(theirs + len, "must be a json object") != 0)
			return (strncmp(ours, quoting[i], len) == 0 &&
			    strcmp(ours + len, "must be a json object") != 0);
	}
	return (strcmp(ours, theirs) == 0);
}

Test(token_interop, crafted_tokens_get_the_same_verdict)
{
	char *line = NULL, *fields[3];
	size_t count = 0, passed = 0;
	struct kit kit;
	FILE *file;

	kit_hmac(&kit, "HS256");
	write_file("HS256", ".key", KIT_SECRET);
	cr_assert_eq(run_python("verdicts"), 0);
	kit.now = time(NULL);
	file = open_in_folder("verdicts", "", "re");
	while (next_line(file, &line, fields, 3)) {
		kit.kinds = kind_of(fields[1]);
		cr_expect(same_verdict(kit_text(&kit, fields[2]), fields[0]),
		    "%.400s: \"%s\" here, \"%s\" there", fields[2],
		    kit_text(&kit, fields[2]), fields[0]);
		passed += fields[0][0] == '\0';
		count++;
	}
	cr_expect_geq(count, 120);
	cr_expect_geq(passed, 10);
	free(line);
	(void)fclose(file);
	kit_free(&kit);
}
