/*
 * corgictl - accounts, tokens and routes of Corgi from the command line.
 */
#include <sys/resource.h>
#include <sys/stat.h>

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/version.h"
#include "corgictl.h"

/* Options that a command takes. */
#define TAKES_JSON      0x0001
#define TAKES_YES       0x0002
#define TAKES_DATA_DIR  0x0004
#define TAKES_SERVER    0x0008
#define TAKES_ROLES     0x0010
#define TAKES_NONE      0x0020
#define TAKES_ALL       0x0040
#define TAKES_ADDRESS   0x0080
#define TAKES_DRY_RUN   0x0100
#define TAKES_ON_EXISTS 0x0200
#define TAKES_COPY      0x0400

struct option {
	const char *name;
	unsigned int bit;
	bool has_value;
	size_t place; /* in struct request: a text, or a bool */
};

static const struct option all_options[] = {
    {"--data-dir", TAKES_DATA_DIR, true, offsetof(struct request, data_dir)},
    {"--host", TAKES_SERVER, true, offsetof(struct request, host)},
    {"--port", TAKES_SERVER, true, offsetof(struct request, port)},
    {"--path", TAKES_SERVER, true, offsetof(struct request, path)},
    {"--roles", TAKES_ROLES, true, offsetof(struct request, roles)},
    {"--address", TAKES_ADDRESS, true, offsetof(struct request, address)},
    {"--on-exists", TAKES_ON_EXISTS, true, offsetof(struct request, on_exists)},
    {"--from-file", TAKES_COPY, true, offsetof(struct request, from_file)},
    {"--to-file", TAKES_COPY, true, offsetof(struct request, to_file)},
    {"--restart", TAKES_COPY, false, offsetof(struct request, restart)},
    {"--json", TAKES_JSON, false, offsetof(struct request, json)},
    {"--yes", TAKES_YES, false, offsetof(struct request, yes)},
    {"--none", TAKES_NONE, false, offsetof(struct request, none)},
    {"--all", TAKES_ALL, false, offsetof(struct request, all)},
    {"--dry-run", TAKES_DRY_RUN, false, offsetof(struct request, dry_run)},
};

struct command {
	const char *name; /* one or two words */
	const char *usage;
	const char *help;
	unsigned int options;
	int least; /* arguments */
	int most;
	enum exit_code (*run)(const struct request *);
};

static const struct command commands[] = {
    {"user add", "NAME [--roles ROLE,...] [--data-dir DIR]",
	"Add an account. The password is asked for twice on a terminal;\n"
	"otherwise it is the first line of standard input.",
	TAKES_ROLES | TAKES_DATA_DIR, 1, 1, command_user_add},
    {"user list", "[--json] [--data-dir DIR]",
	"List the accounts. Control characters in a name are shown as \\xHH;\n"
	"--json gives every name exactly.",
	TAKES_JSON | TAKES_DATA_DIR, 0, 0, command_user_list},
    {"user passwd", "NAME [--data-dir DIR]",
	"Set the password of an account, read as by \"user add\". Its sessions\n"
	"end at once.",
	TAKES_DATA_DIR, 1, 1, command_user_passwd},
    {"user disable", "NAME [--data-dir DIR]",
	"Let nobody log in to an account. Its sessions end at once.",
	TAKES_DATA_DIR, 1, 1, command_user_disable},
    {"user enable", "NAME [--data-dir DIR]",
	"Undo \"user disable\". Tokens that were issued before stay refused.",
	TAKES_DATA_DIR, 1, 1, command_user_enable},
    {"user roles", "NAME [ROLE,... | --none] [--json] [--data-dir DIR]",
	"Show the roles of an account, or set them (--none: take all away). Its\n"
	"access tokens end at once, its sessions stay.",
	TAKES_NONE | TAKES_JSON | TAKES_DATA_DIR, 1, 2, command_user_roles},
    {"user rename", "NAME NEW [--data-dir DIR]",
	"Give an account another name to log in with. What its tokens call it\n"
	"stays, and no token ends.",
	TAKES_DATA_DIR, 2, 2, command_user_rename},
    {"user delete", "NAME [--yes] [--data-dir DIR]",
	"Remove an account. Its tokens end at once. Asks on a terminal;\n"
	"elsewhere --yes is needed.",
	TAKES_YES | TAKES_DATA_DIR, 1, 1, command_user_delete},
    {"user sessions", "NAME [--json] [--data-dir DIR]",
	"List the sessions of an account that live, the newest first.",
	TAKES_JSON | TAKES_DATA_DIR, 1, 1, command_user_sessions},
    {"user revoke", "NAME [SESSION] [--yes] [--data-dir DIR]",
	"End one session of an account, or all of them with every token that\n"
	"was issued to it. Asks on a terminal; elsewhere --yes is needed.",
	TAKES_YES | TAKES_DATA_DIR, 1, 2, command_user_revoke},
    {"user import", "FILE|- [--on-exists WHAT] [--dry-run] [--data-dir DIR]",
	"Add the accounts of a file of JSON lines with \"username\", \"hash\" or\n"
	"\"password\" and, if wanted, \"roles\", \"disabled\", \"subject\" and\n"
	"\"created_at\". May be interrupted and run again. Passwords are hashed\n"
	"here, which is slow on purpose; hashes are taken as they are. An account\n"
	"that is there with another password ends the import (--on-exists=fail),\n"
	"is left alone (skip) or changed (update).",
	TAKES_ON_EXISTS | TAKES_DRY_RUN | TAKES_DATA_DIR, 1, 1,
	command_user_import},
    {"user export", "[FILE|-] [--yes] [--data-dir DIR]",
	"Write all accounts, with the hashes of their passwords, in the form\n"
	"that \"user import\" reads. --yes replaces a file that is there.",
	TAKES_YES | TAKES_DATA_DIR, 0, 1, command_user_export},
    {"database copy", "FROM TO [--restart] [--data-dir DIR]",
	"Take accounts, sessions and revocations from one database to another,\n"
	"each sqlite:PATH or postgresql://..., as CORGI_DATABASE has it. FROM is\n"
	"not changed. TO has to be empty. Stop the service first. May be\n"
	"interrupted and run again; done only when both sides agree.\n"
	"--from-file FILE, --to-file FILE: the address is in a file, in place of\n"
	"an argument, which others can see. --restart: forget an unfinished copy\n"
	"that TO holds.",
	TAKES_COPY | TAKES_DATA_DIR, 0, 2, command_database_copy},
    {"throttle list", "[--json] [--data-dir DIR]",
	"List the accounts and addresses with failed logins that the running\n"
	"service remembers, and how long they have to wait.",
	TAKES_JSON | TAKES_DATA_DIR, 0, 0, command_throttle_list},
    {"throttle clear", "NAME | --address ADDRESS | --all [--data-dir DIR]",
	"Have the running service forget failed logins.",
	TAKES_ADDRESS | TAKES_ALL | TAKES_DATA_DIR, 0, 1,
	command_throttle_clear},
    {"token inspect", "[TOKEN|-] [--json] [--data-dir DIR]",
	"Take a token apart and say whether the service would accept it now,\n"
	"and if not, why. With - or without TOKEN it is read from standard\n"
	"input, which keeps it out of the list of processes.",
	TAKES_JSON | TAKES_DATA_DIR, 0, 1, command_token_inspect},
    {"config", "[--json] [--data-dir DIR]",
	"Print every option with its value; secrets only as \"(set)\".",
	TAKES_JSON | TAKES_DATA_DIR, 0, 0, command_config},
    {"health", "[--host HOST] [--port PORT] [--path PATH]",
	"Ask a running service over HTTP whether it is well: status 200 within\n"
	"2 seconds. Default: 127.0.0.1, 8888, /health.",
	TAKES_SERVER, 0, 0, command_health},
    {"routes", "[FILE] [--json]",
	"List the routes of a configuration file (kore.conf) and of what it\n"
	"includes, with methods and guard. Unguarded routes are \"public\".",
	TAKES_JSON, 0, 1, command_routes},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_help(void);
static void print_command_help(const struct command *);
static bool in_group(const struct command *, const char *);
static const struct command *print_group(FILE *, const char *);
static const struct command *find_command(int, char **, int *);
static void show_word(const char *, char[SHOWN_NAME_MAX]);
static enum exit_code
usage_error(const struct command *, const char *, const char *);
static enum exit_code unknown_command(const char *, const char *);
static enum exit_code help_about(int, char **);
static const struct option *find_option(const struct command *, const char *);
static const char *
parse_option(const struct command *, struct request *, char **, int *);
static enum exit_code
parse(const struct command *, char **, struct request *, bool *);
static enum exit_code run(const struct command *, char **);

static void
print_help(void)
{
	size_t i;

	puts("Usage: corgictl COMMAND [ARGUMENT] [OPTIONS]\n"
	     "\n"
	     "Commands:");
	for (i = 0; i < COMMANDS; i++)
		printf("  %-14s %s\n", commands[i].name, commands[i].usage);
	puts(
	    "\n"
	    "Options:\n"
	    "  --data-dir DIR  folder of the database (CORGI_DATA_DIR, or"
	    " data)\n"
	    "  --json          print JSON\n"
	    "  --yes           do not ask; replace a file\n"
	    "  --              what follows is no option\n"
	    "  --help          this text, or that of what stands before it\n"
	    "  --version       the version\n"
	    "\n"
	    "Exit status: 0 done, 1 failed, 2 wrong usage, 3 no such account or\n"
	    "session, 4 the name or the subject is taken.\n"
	    "\n"
	    "The configuration is read from the environment, as the service"
	    " reads it.");
}

static void
print_command_help(const struct command *c)
{
	printf("Usage: corgictl %s %s\n\n%s\n", c->name, c->usage, c->help);
}

/* The command that the first words name; *used says how many they are. */
static const struct command *
find_command(int argc, char **argv, int *used)
{
	const char *blank;
	size_t i, len;

	for (i = 0; i < COMMANDS; i++) {
		blank = strchr(commands[i].name, ' ');
		len = blank == NULL ? strlen(commands[i].name)
				    : (size_t)(blank - commands[i].name);
		if (argc < 2 || strlen(argv[1]) != len ||
		    strncmp(argv[1], commands[i].name, len) != 0)
			continue;
		*used = blank == NULL ? 1 : 2;
		if (blank == NULL ||
		    (argc > 2 && strcmp(argv[2], blank + 1) == 0))
			return (&commands[i]);
	}
	return (NULL);
}

/* The address of a database may hold a password. */
static void
show_word(const char *word, char out[SHOWN_NAME_MAX])
{
	const char *shown = strstr(word, "://") == NULL ? word : "(an address)";

	show_text(shown, strlen(shown), out, SHOWN_NAME_MAX);
}

static enum exit_code
usage_error(const struct command *c, const char *fault, const char *word)
{
	char shown[SHOWN_NAME_MAX];

	show_word(word, shown);
	complain("%s%s%s", fault, shown[0] == '\0' ? "" : ": ", shown);
	if (c == NULL)
		fprintf(stderr, "Try: corgictl --help\n");
	else
		fprintf(stderr, "Usage: corgictl %s %s\n", c->name, c->usage);
	return (EXIT_USAGE);
}

/* Whether a command is of those that begin with this word. */
static bool
in_group(const struct command *c, const char *word)
{
	size_t len = strlen(word);

	return (strncmp(c->name, word, len) == 0 && c->name[len] == ' ');
}

/* Print how the commands of a group are used; the first of them, or NULL when
 * there is none. */
static const struct command *
print_group(FILE *out, const char *word)
{
	const struct command *first = NULL;
	size_t i;

	for (i = 0; i < COMMANDS; i++) {
		if (!in_group(&commands[i], word))
			continue;
		fprintf(out, "%s corgictl %s %s\n",
		    first == NULL ? "Usage:" : "      ", commands[i].name,
		    commands[i].usage);
		if (first == NULL)
			first = &commands[i];
	}
	return (first);
}

/* Shows the commands that begin with the same word, if there are any. */
static enum exit_code
unknown_command(const char *word, const char *second)
{
	char shown[2][SHOWN_NAME_MAX];
	size_t i;

	show_word(word, shown[0]);
	show_word(second, shown[1]);
	for (i = 0; i < COMMANDS && !in_group(&commands[i], word); i++)
		continue;
	if (i == COMMANDS)
		return (usage_error(NULL, "no such command", word));
	if (*second == '\0')
		complain("a second word is missing: %s", shown[0]);
	else
		complain("no such command: %s %s", shown[0], shown[1]);
	(void)print_group(stderr, word);
	return (EXIT_USAGE);
}

/* "help" as argv[0], then the words of a command, of a group, or none. */
static enum exit_code
help_about(int argc, char **argv)
{
	const struct command *c;
	int used;

	if (argc > 1 && strcmp(argv[argc - 1], "--help") == 0)
		argc--;
	if (argc == 1) {
		print_help();
	} else if ((c = find_command(argc, argv, &used)) != NULL) {
		print_command_help(c);
	} else if (argc > 2 || (c = print_group(stdout, argv[1])) == NULL) {
		return (unknown_command(argv[1], argc > 2 ? argv[2] : ""));
	} else {
		printf("\nMore about one of them: corgictl help %s\n", c->name);
	}
	return (fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED);
}

/* NULL when the command takes none such. */
static const struct option *
find_option(const struct command *c, const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(all_options) / sizeof(all_options[0]); i++)
		if ((c->options & all_options[i].bit) &&
		    strcmp(name, all_options[i].name) == 0)
			return (&all_options[i]);
	return (NULL);
}

/*
 * Take the option at argv[*i], "--name", "--name VALUE" or "--name=VALUE".
 * Returns NULL, or what is wrong with it.
 */
static const char *
parse_option(const struct command *c, struct request *r, char **argv, int *i)
{
	static const char unknown[] = "not an option here";
	const char *equals = strchr(argv[*i], '='), **value;
	size_t len =
	    equals == NULL ? strlen(argv[*i]) : (size_t)(equals - argv[*i]);
	const struct option *option;
	char name[16];

	if (len >= sizeof(name))
		return (unknown);
	(void)memcpy(name, argv[*i], len);
	name[len] = '\0';
	option = find_option(c, name);
	if (option == NULL || (equals != NULL && !option->has_value))
		return (unknown);
	if (!option->has_value) {
		*(bool *)(void *)((char *)r + option->place) = true;
		return (NULL);
	}
	value = (const char **)(void *)((char *)r + option->place);
	*value = equals != NULL ? equals + 1 : argv[++*i];
	if (*value == NULL || **value == '\0')
		return ("this option needs a value");
	return (NULL);
}

/* Read the words behind a command. *help: its help was asked for instead. */
static enum exit_code
parse(const struct command *c, char **argv, struct request *r, bool *help)
{
	const char *fault;
	bool options = true;
	int i, at, count = 0;

	for (i = 0; argv[i] != NULL; i++) {
		if (options && strcmp(argv[i], "--") == 0) {
			options = false;
		} else if (options && strcmp(argv[i], "--help") == 0) {
			*help = true;
			return (EXIT_DONE);
		} else if (options && argv[i][0] == '-' && argv[i][1] != '\0') {
			at = i;
			fault = parse_option(c, r, argv, &i);
			if (fault != NULL)
				return (usage_error(c, fault, argv[at]));
		} else if (count++ < c->most) {
			if (count == 1)
				r->argument = argv[i];
			else
				r->second = argv[i];
		} else {
			return (usage_error(c, "one word too many", argv[i]));
		}
	}
	if (count < c->least)
		return (usage_error(c, "an argument is missing", ""));
	return (EXIT_DONE);
}

/* Output that did not arrive (a full disk behind ">") is a failure. */
static enum exit_code
run(const struct command *c, char **argv)
{
	struct request request = {0};
	enum exit_code code;
	bool help = false;

	code = parse(c, argv, &request, &help);
	if (code == EXIT_DONE && help)
		print_command_help(c);
	else if (code == EXIT_DONE)
		code = c->run(&request);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		complain("the output could not be written");
		return (EXIT_FAILED);
	}
	return (code);
}

int
main(int argc, char **argv)
{
	const struct rlimit no_core = {0, 0};
	const struct command *c;
	int used;

	(void)setrlimit(RLIMIT_CORE, &no_core);
	(void)umask(077);
	log_open(NULL, NULL, LOG_LEVEL_WARNING);
	if (secret_init() == -1) {
		complain("there is no source of random numbers");
		return (EXIT_FAILED);
	}
	jdoc_init();
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("corgictl " CORGI_VERSION);
		return (fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED);
	}
	if (argc > 1 && strcmp(argv[1], "help") == 0)
		return (help_about(argc - 1, argv + 1));
	c = find_command(argc, argv, &used);
	if (c == NULL && argc > 1 && strcmp(argv[argc - 1], "--help") == 0)
		return (help_about(argc, argv));
	if (c == NULL && argc > 2 && strcmp(argv[2], "help") == 0) {
		argv[2] = argv[1];
		return (help_about(argc - 1, argv + 1));
	}
	if (c == NULL && argc < 2)
		return (usage_error(NULL, "a command is missing", ""));
	if (c == NULL)
		return (unknown_command(argv[1], argc > 2 ? argv[2] : ""));
	return (run(c, argv + 1 + used));
}
