#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/keys.h"
#include "auth/revocation.h"
#include "auth/token.h"
#include "base/clock.h"
#include "base/errors.h"
#include "corgictl.h"

/* Room for a message of the error table. */
#define MESSAGE_MAX 512

/* What became of a token. */
struct verdict {
	const char *unknown; /* why it cannot be judged; NULL: it was */
	enum error_code code;
	enum token_kind kind; /* of a good one */
	char message[MESSAGE_MAX];
};

static int read_token(const struct request *, struct secret *);
static int load_revocations(const struct config *, struct revocations **);
static void judge_with(const struct config *, const struct key *,
    const struct secret *, struct verdict *);
static void
judge(const struct request *, const struct secret *, struct verdict *);
static const char *kind_word(const struct verdict *);
static void print_time(const jdoc *, const char *, const char *);
static enum exit_code print_plain(const jdoc *, const struct verdict *);
static enum exit_code print_json(jdoc *, const struct verdict *);

/* The argument, or standard input; white space around it is no part of it. */
static int
read_token(const struct request *request, struct secret *token)
{
	static const char blanks[] = " \t\r\n";
	struct secret input = {NULL, 0};
	const char *text = request->argument;
	size_t len, start = 0;
	int result;

	if (text == NULL || strcmp(text, "-") == 0) {
		if (read_input(TOKEN_MAX + 2, &input) == -1)
			return (-1);
		text = (const char *)input.data;
		len = input.len;
	} else {
		len = strlen(text);
	}
	while (len > 0 && strchr(blanks, text[len - 1]) != NULL)
		len--;
	while (start < len && strchr(blanks, text[start]) != NULL)
		start++;
	result = -1;
	if (start == len)
		complain("there is no token");
	else if (secret_set(token, text + start, len - start) == -1)
		complain("out of memory");
	else
		result = 0;
	secret_free(&input);
	return (result);
}

/*
 * What has been taken back, as the service's database has it; NULL without a
 * database. Returns 0, or -1 after a complaint.
 */
static int
load_revocations(const struct config *config, struct revocations **out)
{
	char where[CONFIG_DATABASE_MAX], error[STORE_ERROR_MAX];
	enum store_result opened, result = STORE_FAILED;
	struct store *store;
	const char *path;
	int64_t last = 0;

	*out = NULL;
	if (config_database(config, config->data_dir, where) == -1)
		return (0);
	path = store_where_path(where);
	if (path != NULL && access(path, F_OK) == -1)
		return (0);
	opened = store_open_existing(where, &store, error);
	secret_wipe(where, sizeof(where));
	if (opened == STORE_NOT_FOUND)
		return (0);
	if (opened != STORE_OK) {
		complain("%s", error);
		return (-1);
	}
	*out = revocations_new(config->revocations);
	if (*out != NULL)
		result = revocations_follow(
		    *out, store, clock_now(&clock_system), &last);
	if (result != STORE_OK) {
		complain("the revocations cannot be read: %s",
		    *out == NULL ? "out of memory" : store_result_text(result));
		revocations_free(*out);
		*out = NULL;
	}
	store_close(store);
	return (result == STORE_OK ? 0 : -1);
}

/* Verify with this key, as the service would. */
static void
judge_with(const struct config *config, const struct key *key,
    const struct secret *token, struct verdict *v)
{
	struct token_policy policy = {
	    .key = key, .config = config, .clock = clock_system};
	struct fault fault = {.code = ERR_NONE};
	struct claims *claims = NULL;
	struct revocations *revocations;

	if (load_revocations(config, &revocations) == -1) {
		v->unknown = "the revocations cannot be read";
		return;
	}
	policy.revocations = revocations;
	v->unknown = NULL;
	v->code = token_verify(&policy, TOKEN_ACCESS | TOKEN_REFRESH,
	    (const char *)token->data, token->len, &claims, &fault);
	if (v->code == ERR_NONE)
		v->kind = claims_kind(claims);
	else
		(void)fault_text(&fault, config->header_name,
		    config->header_type, v->message, sizeof(v->message));
	claims_free(claims);
	revocations_free(revocations);
}

/*
 * With the configured key. The flavour is the one that warns of a weak key:
 * such a key, too, can tell what it signed.
 */
static void
judge(const struct request *request, const struct secret *token,
    struct verdict *v)
{
	char error[CONFIG_ERROR_MAX], key_error[KEY_ERROR_MAX];
	struct config config;
	struct key *key;
	bool created;

	memset(v, 0, sizeof(*v));
	v->unknown = "there is no key to judge with";
	if (load_config(request, CONFIG_DEV, true, &config) == -1)
		return;
	if (config_secret(&config, false, &created, error) == -1) {
		complain("%s", error);
	} else if ((key = key_from_config(&config, key_error)) == NULL) {
		complain("%s", key_error);
	} else {
		judge_with(&config, key, token, v);
		key_free(key);
	}
	config_free(&config);
}

static const char *
kind_word(const struct verdict *v)
{
	return (v->kind == TOKEN_REFRESH ? "refresh" : "access");
}

/* One line for a time claim: when, and how far from now. */
static void
print_time(const jdoc *payload, const char *name, const char *words)
{
	const jdoc *value = jdoc_member(payload, name);
	int64_t seconds, now = clock_now(&clock_system);
	char shown[SHOWN_TIME_MAX];

	if (value == NULL || !jdoc_time(value, &seconds))
		return;
	show_time(seconds, shown);
	if (seconds > now)
		printf("%s %s (in %llu s)\n", words, shown,
		    (unsigned long long)seconds - (unsigned long long)now);
	else
		printf("%s %s (%llu s ago)\n", words, shown,
		    (unsigned long long)now - (unsigned long long)seconds);
}

static enum exit_code
print_plain(const jdoc *parts, const struct verdict *v)
{
	const jdoc *payload = jdoc_member(parts, "payload");

	if (payload != NULL && jdoc_type_of(payload) == JDOC_OBJECT) {
		print_time(payload, "iat", "Issued:    ");
		print_time(payload, "nbf", "Not before:");
		print_time(payload, "exp", "Expires:   ");
	}
	if (v->unknown != NULL) {
		printf(
		    "Unknown whether it would be accepted: %s.\n", v->unknown);
		return (EXIT_FAILED);
	}
	if (v->code == ERR_NONE) {
		printf("Accepted: the service would take it now, as %s"
		       " token.\n",
		    v->kind == TOKEN_REFRESH ? "a refresh" : "an access");
		return (EXIT_DONE);
	}
	printf("Refused: %s (%s).\n", v->message, error_lookup(v->code)->name);
	return (EXIT_FAILED);
}

/* Adds the verdict to the parts, which are released. */
static enum exit_code
print_json(jdoc *parts, const struct verdict *v)
{
	bool known = v->unknown == NULL;
	bool refused = known && v->code != ERR_NONE;

	if ((known &&
		jdoc_set(parts, "accepted",
		    jdoc_new_bool(v->code == ERR_NONE)) == -1) ||
	    (known && !refused &&
		jdoc_set_text(parts, "kind", kind_word(v)) == -1) ||
	    (refused &&
		jdoc_set_text(parts, "error", error_lookup(v->code)->name) ==
		    -1) ||
	    (refused && jdoc_set_text(parts, "message", v->message) == -1)) {
		jdoc_free(parts);
		parts = NULL;
	}
	if (print_document(parts) != EXIT_DONE || !known || refused)
		return (EXIT_FAILED);
	return (EXIT_DONE);
}

enum exit_code
command_token_inspect(const struct request *request)
{
	struct secret token = {NULL, 0};
	char error[JDOC_ERROR_MAX], *text;
	enum exit_code code = EXIT_FAILED;
	struct verdict verdict;
	jdoc *parts = NULL;

	if (read_token(request, &token) == -1)
		return (EXIT_USAGE);
	text = token_describe((const char *)token.data, token.len);
	if (text != NULL)
		parts = jdoc_parse(text, strlen(text), 0, error);
	if (parts == NULL) {
		complain("the token cannot be taken apart: out of memory");
		goto done;
	}
	judge(request, &token, &verdict);
	if (request->json) {
		code = print_json(parts, &verdict);
	} else {
		puts(text);
		code = print_plain(parts, &verdict);
		jdoc_free(parts);
	}
done:
	free(text);
	secret_free(&token);
	return (code);
}
