/*
 * corgictl_throttle.c - failed logins that the running service remembers. They
 * are in its memory alone: without a service there is nothing to show.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/throttle.h"
#include "corgictl_workspace.h"

/* What the services said, together. */
struct found {
	jdoc *entries; /* NULL: out of memory */
	bool more;
	int64_t cleared;
};

static void take_entries(const jdoc *, void *);
static void take_cleared(const jdoc *, void *);
static void print_entry(const jdoc *);
static int64_t number(const jdoc *, const char *);
static void show_member(const jdoc *, const char *, char *, size_t);
static enum exit_code ask(const struct request *, const char *const *,
    void (*)(const jdoc *, void *), struct found *);

/* A member that is a number, 0 for anything else. */
static int64_t
number(const jdoc *object, const char *name)
{
	const jdoc *value = jdoc_member(object, name);
	int64_t n;

	return (value != NULL && jdoc_time(value, &n) ? n : 0);
}

/*
 * A member that is a text. The service has escaped names already, so a
 * backslash is left as it is.
 */
static void
show_member(const jdoc *object, const char *name, char *out, size_t size)
{
	const jdoc *value = jdoc_member(object, name);
	const char *text;
	size_t len = 0, i;

	text = value == NULL ? NULL : jdoc_string(value, &len);
	for (i = 0; i < len && text[i] >= 0x20 && text[i] < 0x7f; i++)
		continue;
	if (i == len && len < size) {
		(void)memcpy(out, text == NULL ? "" : text, len);
		out[len] = '\0';
	} else {
		show_text(text, len, out, size);
	}
}

static void
take_entries(const jdoc *answer, void *ctx)
{
	const jdoc *list = jdoc_member(answer, "entries"), *more;
	struct found *found = ctx;
	size_t i;

	more = jdoc_member(answer, "more");
	if (more != NULL && jdoc_true(more))
		found->more = true;
	for (i = 0; list != NULL && i < jdoc_count(list); i++) {
		if (jdoc_append(found->entries,
			jdoc_copy(jdoc_element(list, i))) == -1) {
			jdoc_free(found->entries);
			found->entries = NULL;
		}
	}
}

static void
take_cleared(const jdoc *answer, void *ctx)
{
	((struct found *)ctx)->cleared += number(answer, "cleared");
}

static void
print_entry(const jdoc *entry)
{
	char subject[16], name[SHOWN_NAME_MAX], from[THROTTLE_TEXT_MAX];

	show_member(entry, "subject", subject, sizeof(subject));
	show_member(entry, "name", name, sizeof(name));
	show_member(entry, "from", from, sizeof(from));
	printf("%-8s  %8lld  %6lld  %s%s%s\n", subject,
	    (long long)number(entry, "failures"),
	    (long long)number(entry, "wait"), name,
	    from[0] != '\0' ? " from " : "", from);
}

static enum exit_code
ask(const struct request *request, const char *const *words,
    void (*each)(const jdoc *, void *), struct found *found)
{
	enum control_result result = CONTROL_FAILED;
	char error[CONTROL_ERROR_MAX];
	struct config config;

	if (load_config(request, CONFIG_PROD, false, &config) == -1)
		return (EXIT_FAILED);
	result = control_ask(config.data_dir, words, each, found, error);
	if (result == CONTROL_NOBODY)
		complain("no service is running on the data folder %s",
		    config.data_dir);
	else if (result == CONTROL_FAILED)
		complain("the service did not do it: %s", error);
	config_free(&config);
	return (result == CONTROL_DONE ? EXIT_DONE : EXIT_FAILED);
}

enum exit_code
command_throttle_list(const struct request *request)
{
	static const char *const words[] = {"throttle", "list", NULL};
	struct found found = {.entries = jdoc_new_array()};
	enum exit_code code;
	size_t i;

	code = ask(request, words, take_entries, &found);
	if (code != EXIT_DONE) {
		jdoc_free(found.entries);
		return (code);
	}
	if (found.more)
		complain("there are more than these");
	if (request->json || found.entries == NULL)
		return (print_document(found.entries));
	printf("%-8s  %8s  %6s  %s\n", "KIND", "FAILURES", "WAIT", "NAME");
	for (i = 0; i < jdoc_count(found.entries); i++)
		print_entry(jdoc_element(found.entries, i));
	jdoc_free(found.entries);
	return (EXIT_DONE);
}

enum exit_code
command_throttle_clear(const struct request *request)
{
	const char *words[] = {"throttle", "clear", "all", NULL, NULL};
	struct found found = {.cleared = 0};
	enum exit_code code;

	if ((request->argument != NULL) + (request->address != NULL) +
		request->all !=
	    1) {
		complain("one of NAME, --address and --all is needed");
		return (EXIT_USAGE);
	}
	if (request->argument != NULL) {
		if (!name_allowed(request->argument))
			return (EXIT_USAGE);
		words[2] = "account";
		words[3] = request->argument;
	} else if (request->address != NULL) {
		if (!utf8_valid(request->address, strlen(request->address))) {
			complain("this is no address");
			return (EXIT_USAGE);
		}
		words[2] = "address";
		words[3] = request->address;
	}
	code = ask(request, words, take_cleared, &found);
	if (code == EXIT_DONE)
		printf("%lld forgotten\n", (long long)found.cleared);
	return (code);
}
