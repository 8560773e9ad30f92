#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/keys.h"
#include "auth/token.h"
#include "base/clock.h"
#include "base/errors.h"
#include "corgictl.h"

/* Room for a message of the error table. */
#define MESSAGE_MAX 512

/* What became of a token. */
struct verdict {
	bool known; /* whether there was a key to judge with */
	enum error_code code;
	char message[MESSAGE_MAX];
};

static int read_token(const struct request *, struct secret *);
static void
judge(const struct request *, const struct secret *, struct verdict *);
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
 * Verify with the configured key, as the service would. The flavour is the
 * one that warns of a weak key: such a key, too, can tell what it signed.
 */
static void
judge(const struct request *request, const struct secret *token,
    struct verdict *v)
{
	struct token_policy policy = {.clock = clock_system};
	char error[CONFIG_ERROR_MAX], key_error[KEY_ERROR_MAX];
	struct fault fault = {.code = ERR_NONE};
	struct claims *claims = NULL;
	struct config config;
	struct key *key = NULL;
	bool created;

	memset(v, 0, sizeof(*v));
	if (load_config(request, CONFIG_DEV, true, &config) == -1)
		return;
	if (config_secret(&config, false, &created, error) == -1) {
		complain("%s", error);
	} else if ((key = key_from_config(&config, key_error)) == NULL) {
		complain("%s", key_error);
	} else {
		policy.key = key;
		policy.config = &config;
		v->known = true;
		v->code = token_verify(&policy, (const char *)token->data,
		    token->len, &claims, &fault);
		if (v->code != ERR_NONE)
			(void)fault_text(&fault, config.header_name,
			    config.header_type, v->message, sizeof(v->message));
	}
	claims_free(claims);
	key_free(key);
	config_free(&config);
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
	if (!v->known) {
		puts("Unknown whether it would be accepted: there is no key"
		     " to judge with.");
		return (EXIT_FAILED);
	}
	if (v->code == ERR_NONE) {
		puts("Accepted: the service would take it now.");
		return (EXIT_DONE);
	}
	printf("Refused: %s (%s).\n", v->message, error_lookup(v->code)->name);
	return (EXIT_FAILED);
}

/* Adds the verdict to the parts, which are released. */
static enum exit_code
print_json(jdoc *parts, const struct verdict *v)
{
	bool refused = v->known && v->code != ERR_NONE;

	if ((v->known &&
		jdoc_set(parts, "accepted",
		    jdoc_new_bool(v->code == ERR_NONE)) == -1) ||
	    (refused &&
		set_text(parts, "error", error_lookup(v->code)->name) == -1) ||
	    (refused && set_text(parts, "message", v->message) == -1)) {
		jdoc_free(parts);
		parts = NULL;
	}
	if (print_document(parts) != EXIT_DONE || !v->known || refused)
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
