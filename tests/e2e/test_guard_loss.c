/*
 * A guard that is lost, misspelt, moved or weakened in the configuration: the
 * start is refused, the route is named, and nothing is ever answered.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "check.h"
#include "http.h"
#include "suite.h"
#include "tok.h"

TestSuite(guard_loss, .timeout = 60);

#define BLOCK(name, type, validator, value)                                    \
	"authentication " name " {\n"                                          \
	"\tauthentication_type\t" type "\n"                                    \
	"\tauthentication_validator\t" validator "\n"                          \
	"\tauthentication_value\t" value "\n"                                  \
	"}\n"
#define GOOD_BLOCK BLOCK("signed_in", "request", "jwt", "access")

/* One change of conf/routes.conf: all lines that begin with two words are
 * replaced by a text. first NULL ends a list of changes. */
struct change {
	const char *first;
	const char *second; /* NULL: any */
	const char *text;   /* NULL: the line goes */
};

static const char *environment[] = {"JWT_SECRET_KEY=" TOK_SECRET, NULL};

static char *routes(void);
static bool line_begins(const char *, const char *, const char *);
static char *changed(char *, const struct change *);
static char *without_block(char *);
static void refuse(const char *, char *, const char *, const char *);
static void accept_routes(const char *, char *);

/* conf/routes.conf as it is. */
static char *
routes(void)
{
	char path[SERVER_PATH_MAX], *text;

	(void)snprintf(
	    path, sizeof(path), "%.900s/conf/routes.conf", corgi_root());
	text = file_read(path, NULL);
	if (text == NULL)
		cr_assert_fail("%s cannot be read", path);
	return (text);
}

static bool
line_begins(const char *line, const char *first, const char *second)
{
	size_t n;

	line += strspn(line, " \t");
	n = strcspn(line, " \t\n");
	if (n != strlen(first) || strncmp(line, first, n) != 0)
		return (false);
	if (second == NULL)
		return (true);
	line += n;
	line += strspn(line, " \t");
	n = strcspn(line, " \t\n");
	return (n == strlen(second) && strncmp(line, second, n) == 0);
}

/* Apply one change; releases text. A change that finds no line ends the test:
 * it would prove nothing. */
static char *
changed(char *text, const struct change *c)
{
	const char *line, *end;
	char *out;
	size_t size;
	FILE *fp;
	int hits;

	fp = open_memstream(&out, &size);
	if (fp == NULL)
		cr_assert_fail("out of memory");
	hits = 0;
	for (line = text; *line != '\0'; line = end) {
		end = strchrnul(line, '\n');
		end += *end == '\n';
		if (!line_begins(line, c->first, c->second)) {
			(void)fwrite(line, 1, (size_t)(end - line), fp);
			continue;
		}
		hits++;
		if (c->text != NULL)
			(void)fprintf(fp, "%s\n", c->text);
	}
	(void)fclose(fp);
	if (hits == 0)
		cr_assert_fail("no line %s %s", c->first,
		    c->second != NULL ? c->second : "");
	free(text);
	return (out);
}

/* Cut the block signed_in out; releases text. */
static char *
without_block(char *text)
{
	char *block, *end;

	block = strstr(text, "authentication signed_in {");
	if (block == NULL)
		cr_assert_fail("there is no block signed_in");
	end = strstr(block, "}\n");
	cr_assert(end != NULL);
	memmove(block, end + 2, strlen(end + 2) + 1);
	return (text);
}

/* The start is refused and the log says needle and more (NULL: nothing more
 * is asked for); releases text. */
static void
refuse(const char *row, char *text, const char *needle, const char *more)
{
	struct server_options options = {
	    .environment = environment, .routes = text};

	server_expect_refusal(row, &options, needle != NULL ? needle : more,
	    needle != NULL ? more : NULL, NULL);
	free(text);
}

static void
accept_routes(const char *row, char *text)
{
	struct server_options options = {
	    .environment = environment, .routes = text};
	struct raw_response answer;
	struct server *s;
	char *token;

	s = server_start(&options);
	(void)http_get(server_port(s), "/protected", NULL, &answer);
	check_member(row, &answer, 401, "msg", "Missing Authorization Header");
	raw_response_free(&answer);
	token = tok_good();
	(void)http_get_token(server_port(s), "/protected", token, &answer);
	check_json(row, &answer, 200, PROTECTED_JSON);
	raw_response_free(&answer);
	free(token);
	server_stop(s);
	free(text);
}

/* The changes below are refused for what they are: these are not. */
Test(guard_loss, harmless_changes_start)
{
	static const struct change renamed = {
	    "route", "/protected", "\troute /protected handle_protected other"};
	static const struct change spaced = {"authentication_value", "access",
	    "\tauthentication_value \t access \t"};
	char *text, *more;

	accept_routes("unchanged", routes());
	accept_routes("blanks", changed(routes(), &spaced));
	text = routes();
	more = text_of("%s%s",
	    "validator jwt function guard_verify\n" BLOCK(
		"other", "request", "jwt", "access"),
	    strstr(text, "authentication signed_in"));
	free(text);
	accept_routes("a second block", changed(more, &renamed));
}

Test(guard_loss, route_without_its_block_is_named)
{
	static const struct change protected_bare = {
	    "route", "/protected", "\troute /protected handle_protected"};
	static const struct change secure_bare = {
	    "route", "/secure-data", "\troute /secure-data handle_secure_data"};

	refuse("/protected bare", changed(routes(), &protected_bare),
	    "/protected", NULL);
	refuse("/secure-data bare", changed(routes(), &secure_bare),
	    "/secure-data", NULL);
	refuse("both bare",
	    changed(changed(routes(), &protected_bare), &secure_bare),
	    "/protected", NULL);
}

Test(guard_loss, misspelt_and_missing_blocks_name_the_route)
{
	static const struct change misspelt = {"route", "/protected",
	    "\troute /protected handle_protected signed_inn"};
	static const struct change other_case = {"route", "/secure-data",
	    "\troute /secure-data handle_secure_data Signed_in"};
	static const struct change renamed = {
	    "authentication", "signed_in", "authentication signedin {"};

	refuse("misspelt on the route", changed(routes(), &misspelt),
	    "/protected", "signed_inn");
	refuse("another case", changed(routes(), &other_case), "/secure-data",
	    "Signed_in");
	refuse("misspelt in the block", changed(routes(), &renamed),
	    "/protected", "signed_in");
	refuse("block removed", without_block(routes()), "/protected",
	    "signed_in");
}

Test(guard_loss, block_below_its_route_names_the_route)
{
	char *text, *moved;

	text = without_block(routes());
	moved = text_of("%s\n" GOOD_BLOCK, text);
	free(text);
	refuse("at the end of the file", moved, "/protected", NULL);
}

Test(guard_loss, validators_that_are_missing_or_another_function)
{
	static const struct change no_validator = {"validator", "jwt", NULL};
	static const struct change other_function = {
	    "validator", "jwt", "validator jwt function handle_health"};
	static const struct change regex = {
	    "validator", "jwt", "validator jwt regex ^.*$"};
	static const struct change no_such_function = {
	    "validator", "jwt", "validator jwt function guard_verifyy"};
	static const struct change misspelt = {"authentication_validator",
	    "jwt", "\tauthentication_validator jwtt"};
	static const struct change none = {
	    "authentication_validator", "jwt", NULL};

	refuse(
	    "validator removed", changed(routes(), &no_validator), "jwt", NULL);
	refuse("another function", changed(routes(), &other_function),
	    "/protected", "signed_in");
	refuse("a regular expression", changed(routes(), &regex), "/protected",
	    NULL);
	refuse("no such function", changed(routes(), &no_such_function),
	    "guard_verifyy", NULL);
	refuse(
	    "validator misspelt", changed(routes(), &misspelt), "jwtt", NULL);
	refuse("block without validator", changed(routes(), &none), "signed_in",
	    NULL);
}

/* header and cookie compare a value by themselves and answer a bare 403. */
Test(guard_loss, other_types_of_authentication_are_refused)
{
	static const struct change header = {
	    "authentication_type", "request", "\tauthentication_type header"};
	static const struct change cookie = {
	    "authentication_type", "request", "\tauthentication_type cookie"};
	static const struct change unknown = {
	    "authentication_type", "request", "\tauthentication_type none"};

	refuse("header", changed(routes(), &header), "/protected", "signed_in");
	refuse("cookie", changed(routes(), &cookie), "/protected", "signed_in");
	refuse("unknown", changed(routes(), &unknown), NULL, "configuration");
}

Test(guard_loss, unknown_and_empty_requirements_name_block_and_word)
{
	static const struct change word = {
	    "authentication_value", "access", "\tauthentication_value acces"};
	static const struct change more = {"authentication_value", "access",
	    "\tauthentication_value access admin"};
	static const struct change other_case = {
	    "authentication_value", "access", "\tauthentication_value Access"};
	static const struct change none = {
	    "authentication_value", "access", NULL};

	refuse("misspelt", changed(routes(), &word), "signed_in", "acces\"");
	refuse(
	    "a word too many", changed(routes(), &more), "signed_in", "admin");
	refuse("another case", changed(routes(), &other_case), "signed_in",
	    "Access");
	refuse("no value", changed(routes(), &none), "signed_in", "access");
}

/* The handler again, under a path that nobody guards. */
Test(guard_loss, second_unguarded_path_of_a_handler_is_named)
{
	static const struct change before = {"route", "/protected",
	    "\troute /open handle_protected\n"
	    "\troute /protected handle_protected signed_in"};
	static const struct change after = {"route", "/secure-data",
	    "\troute /secure-data handle_secure_data signed_in\n"
	    "\troute /back-door handle_secure_data"};
	static const struct change pattern = {"route", "/health",
	    "\troute ^/h.*$ handle_protected\n\troute /health handle_health"};
	static const struct change twice = {"route", "/protected",
	    "\troute /protected handle_protected\n"
	    "\troute /protected handle_protected signed_in"};
	static const struct change twice_later = {"route", "/protected",
	    "\troute /protected handle_protected signed_in\n"
	    "\troute /protected handle_protected"};

	refuse("before", changed(routes(), &before), "/open", NULL);
	refuse("after", changed(routes(), &after), "/back-door", NULL);
	refuse("a pattern", changed(routes(), &pattern), "^/h.*$", NULL);
	refuse("the same path before", changed(routes(), &twice), "/protected",
	    NULL);
	refuse("the same path after", changed(routes(), &twice_later),
	    "/protected", NULL);
}

/* Another domain, or another listener, with the handler in the open. */
Test(guard_loss, other_domains_and_servers_are_checked_too)
{
	char *text, *more;

	text = routes();
	more = text_of("%s\ndomain other.example {\n\tattach main\n"
		       "\troute /aside handle_protected\n}\n",
	    text);
	refuse("another domain", more, "/aside", NULL);
	more = text_of("server second {\n\tbind 127.0.0.1 %d front_connect\n"
		       "\ttls no\n}\n%s\ndomain * {\n\tattach second\n"
		       "\troute /aside handle_secure_data\n}\n",
	    free_port(), text);
	refuse("another server", more, "/aside", NULL);
	free(text);
}

/* What comes in beside the front would not be checked by it. */
Test(guard_loss, listener_without_the_front_is_refused)
{
	static const struct {
		const char *name;
		const char *text;
	} listeners[] = {
	    {"no front",
		"server main {\n\tbind 127.0.0.1 @PORT@\n\ttls no\n}\n"},
	    {"misspelt front",
		"server main {\n\tbind 127.0.0.1 @PORT@ "
		"front_connectt\n\ttls no\n}\n"},
	    {"another function",
		"server main {\n\tbind 127.0.0.1 @PORT@ "
		"handle_health\n\ttls no\n}\n"},
	    {"a second address without it",
		"server main {\n\tbind 127.0.0.1 @PORT@ front_connect\n"
		"\tbind 127.0.0.2 @PORT@\n\ttls no\n}\n"},
	};
	struct server_options options = {.environment = environment};
	size_t i;

	for (i = 0; i < sizeof(listeners) / sizeof(listeners[0]); i++) {
		options.listener = listeners[i].text;
		server_expect_refusal(
		    listeners[i].name, &options, "front_connect", NULL);
	}
}

/* The start's log lists every route with its guard. */
Test(guard_loss, the_log_lists_routes_and_their_guards)
{
	struct server *s = suite_start("flask");
	char *log;

	cr_expect(server_log_wait(s, "route /protected", 2000));
	log = server_log(s);
	cr_expect(strstr(log,
		      "route /protected (GET, HEAD, OPTIONS): guard "
		      "signed_in") != NULL);
	cr_expect(strstr(log,
		      "route /secure-data (GET, HEAD, OPTIONS): guard "
		      "signed_in") != NULL);
	cr_expect(strstr(log, "route /login (OPTIONS, POST): public") != NULL);
	free(log);
	server_stop(s);
}
