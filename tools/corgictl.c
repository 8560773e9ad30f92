/*
 * corgictl - accounts, tokens and routes of Corgi from the command line.
 */
#include <sys/resource.h>
#include <sys/stat.h>

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/version.h"
#include "corgictl.h"

/* Options that a command takes. */
#define TAKES_JSON     0x01
#define TAKES_YES      0x02
#define TAKES_DATA_DIR 0x04
#define TAKES_ADDRESS  0x08

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
    {"user add", "NAME [--data-dir DIR]",
	"Add an account. The password is asked for twice on a terminal;\n"
	"otherwise it is the first line of standard input.",
	TAKES_DATA_DIR, 1, 1, command_user_add},
    {"user list", "[--json] [--data-dir DIR]",
	"List the accounts. Control characters in a name are shown as \\xHH;\n"
	"--json gives every name exactly.",
	TAKES_JSON | TAKES_DATA_DIR, 0, 0, command_user_list},
    {"user passwd", "NAME [--data-dir DIR]",
	"Set the password of an account, read as by \"user add\".",
	TAKES_DATA_DIR, 1, 1, command_user_passwd},
    {"user delete", "NAME [--yes] [--data-dir DIR]",
	"Remove an account. Asks on a terminal; elsewhere --yes is needed.",
	TAKES_YES | TAKES_DATA_DIR, 1, 1, command_user_delete},
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
	TAKES_ADDRESS, 0, 0, command_health},
    {"routes", "[FILE] [--json]",
	"List the routes of a configuration file (kore.conf) and of what it\n"
	"includes, with methods and guard. Unguarded routes are \"public\".",
	TAKES_JSON, 0, 1, command_routes},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_help(void);
static void print_command_help(const struct command *);
static const struct command *find_command(int, char **, int *);
static enum exit_code
usage_error(const struct command *, const char *, const char *);
static const char **
value_option(const struct command *, const char *, struct request *);
static bool *
switch_option(const struct command *, const char *, struct request *);
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
		printf("  %-13s %s\n", commands[i].name, commands[i].usage);
	puts(
	    "\n"
	    "Options:\n"
	    "  --data-dir DIR  folder of the database (CORGI_DATA_DIR, or"
	    " data)\n"
	    "  --json          print JSON\n"
	    "  --yes           do not ask\n"
	    "  --              what follows is no option\n"
	    "  --help          this text, or that of a command\n"
	    "  --version       the version\n"
	    "\n"
	    "Exit status: 0 done, 1 failed, 2 wrong usage, 3 no such account,\n"
	    "4 the name is taken.\n"
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

static enum exit_code
usage_error(const struct command *c, const char *fault, const char *word)
{
	char shown[SHOWN_NAME_MAX];

	show_text(word, strlen(word), shown, sizeof(shown));
	complain("%s%s%s", fault, shown[0] == '\0' ? "" : ": ", shown);
	if (c == NULL)
		fprintf(stderr, "Try: corgictl --help\n");
	else
		fprintf(stderr, "Usage: corgictl %s %s\n", c->name, c->usage);
	return (EXIT_USAGE);
}

/* Where the value of an option goes; NULL when the command takes none such. */
static const char **
value_option(const struct command *c, const char *name, struct request *r)
{
	if ((c->options & TAKES_DATA_DIR) && strcmp(name, "--data-dir") == 0)
		return (&r->data_dir);
	if ((c->options & TAKES_ADDRESS) && strcmp(name, "--host") == 0)
		return (&r->host);
	if ((c->options & TAKES_ADDRESS) && strcmp(name, "--port") == 0)
		return (&r->port);
	if ((c->options & TAKES_ADDRESS) && strcmp(name, "--path") == 0)
		return (&r->path);
	return (NULL);
}

static bool *
switch_option(const struct command *c, const char *name, struct request *r)
{
	if ((c->options & TAKES_JSON) && strcmp(name, "--json") == 0)
		return (&r->json);
	if ((c->options & TAKES_YES) && strcmp(name, "--yes") == 0)
		return (&r->yes);
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
	char name[16];
	const char **value, *equals = strchr(argv[*i], '=');
	size_t len =
	    equals == NULL ? strlen(argv[*i]) : (size_t)(equals - argv[*i]);
	bool *flag;

	if (len >= sizeof(name))
		return (unknown);
	(void)memcpy(name, argv[*i], len);
	name[len] = '\0';
	if ((value = value_option(c, name, r)) != NULL) {
		*value = equals != NULL ? equals + 1 : argv[++*i];
		if (*value == NULL || **value == '\0')
			return ("this option needs a value");
		return (NULL);
	}
	if (equals != NULL || (flag = switch_option(c, name, r)) == NULL)
		return (unknown);
	*flag = true;
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
			r->argument = argv[i];
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
	c = find_command(argc, argv, &used);
	if (c == NULL && argc > 1 && strcmp(argv[argc - 1], "--help") == 0) {
		print_help();
		return (fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED);
	}
	if (c == NULL)
		return (usage_error(NULL,
		    argc < 2 ? "a command is missing" : "no such command",
		    argc < 2 ? "" : argv[1]));
	return (run(c, argv + 1 + used));
}
