#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/keys.h"
#include "corgictl.h"

/* Longest name of an option with _FILE behind it, with the closing NUL. */
#define NAME_MAX_LEN 64

/* Longest value that is shown whole (bytes). */
#define VALUE_SHOWN 256

/* What says how long access tokens live, here or with _FILE behind it. */
#define TOKEN_LIFE "JWT_ACCESS_TOKEN_EXPIRES"

/* The secret that the service makes, in the data folder. */
#define MADE_SECRET_FILE "jwt_secret"

/* Where an option's value comes from. */
struct setting {
	const struct config_option *option;
	const char *source; /* "default", "environment" or "file" */
	const char *value;  /* as given, the file's path, or the default */
};

static char **without_keys(void);
static void look_up(const struct config_option *, struct setting *);
static bool is_hidden(const struct setting *);
static jdoc *setting_document(const struct setting *);
static enum exit_code print_json(void);
static void print_plain(void);
static int check_key(struct config *);
static int check_file(const char *, const char *);

/* The environment's CORGI_ entries, and how long access tokens live, in an
 * array of their own (free() it). */
static char **
without_keys(void)
{
	size_t count = 0, kept = 0, i;
	char **list;

	while (environ[count] != NULL)
		count++;
	if ((list = calloc(count + 1, sizeof(*list))) == NULL)
		return (NULL);
	for (i = 0; i < count; i++)
		if (strncmp(environ[i], "CORGI_", 6) == 0 ||
		    strncmp(environ[i], TOKEN_LIFE, sizeof(TOKEN_LIFE) - 1) ==
			0)
			list[kept++] = environ[i];
	return (list);
}

int
load_config(const struct request *request, enum config_flavor flavor,
    bool with_keys, struct config *config)
{
	char error[CONFIG_ERROR_MAX] = "out of memory", **list = NULL;
	int result = -1;

	if (request->data_dir != NULL) {
		(void)unsetenv("CORGI_DATA_DIR_FILE");
		if (setenv("CORGI_DATA_DIR", request->data_dir, 1) == -1)
			goto done;
	}
	if (!with_keys && (list = without_keys()) == NULL)
		goto done;
	result = config_load(with_keys ? environ : list, flavor, config, error);
done:
	free(list);
	if (result == -1)
		complain("%s", error);
	return (result);
}

static void
look_up(const struct config_option *option, struct setting *setting)
{
	char name[NAME_MAX_LEN];

	setting->option = option;
	setting->source = "environment";
	setting->value = getenv(option->name);
	if (setting->value != NULL)
		return;
	(void)snprintf(name, sizeof(name), "%s_FILE", option->name);
	setting->source = "file";
	setting->value = getenv(name);
	if (setting->value != NULL)
		return;
	setting->source = "default";
	setting->value = option->fallback;
}

/* Whether a value must not be shown: that of a secret. The path of its file
 * neither: it may be the secret itself, put under the wrong name. */
static bool
is_hidden(const struct setting *s)
{
	return (s->option->secret && strcmp(s->source, "default") != 0);
}

static jdoc *
setting_document(const struct setting *s)
{
	jdoc *doc = jdoc_new_object();

	if (jdoc_set_text(doc, "name", s->option->name) == -1 ||
	    jdoc_set_text(doc, "source", s->source) == -1 ||
	    (!is_hidden(s) && jdoc_set_text(doc, "value", s->value) == -1) ||
	    jdoc_set(doc, "secret", jdoc_new_bool(s->option->secret)) == -1 ||
	    jdoc_set_text(doc, "default", s->option->fallback) == -1 ||
	    jdoc_set_text(doc, "allowed", s->option->allowed) == -1 ||
	    jdoc_set_text(doc, "purpose", s->option->purpose) == -1) {
		jdoc_free(doc);
		return (NULL);
	}
	return (doc);
}

static enum exit_code
print_json(void)
{
	const struct config_option *options;
	struct setting setting;
	jdoc *list = jdoc_new_array();
	size_t count, i;

	options = config_options(&count);
	for (i = 0; i < count; i++) {
		look_up(&options[i], &setting);
		if (jdoc_append(list, setting_document(&setting)) == -1) {
			jdoc_free(list);
			list = NULL;
		}
	}
	return (print_document(list));
}

static void
print_plain(void)
{
	const struct config_option *options;
	struct setting setting;
	char shown[VALUE_SHOWN];
	const char *value;
	size_t count, i;

	options = config_options(&count);
	for (i = 0; i < count; i++) {
		look_up(&options[i], &setting);
		value = is_hidden(&setting) ? "(set)" : setting.value;
		show_text(value, strlen(value), shown, sizeof(shown));
		printf("%-30s %s", options[i].name, shown);
		if (strcmp(setting.source, "environment") != 0)
			printf(" (%s)", setting.source);
		putchar('\n');
	}
}

/*
 * Make the key as the service would at its start. A secret that is still to be
 * made is no fault; one that was made before is looked at.
 */
static int
check_key(struct config *config)
{
	char error[CONFIG_ERROR_MAX], key_error[KEY_ERROR_MAX], path[PATH_MAX];
	struct key *key;
	bool created;

	if (config_is_hmac(config->algorithm) && config->secret_key.len == 0 &&
	    config_path(config, MADE_SECRET_FILE, path, sizeof(path)) == 0 &&
	    access(path, F_OK) == -1)
		return (0);
	if (config_secret(config, false, &created, error) == -1) {
		complain("%s", error);
		return (-1);
	}
	if ((key = key_from_config(config, key_error)) == NULL) {
		complain("%s", key_error);
		return (-1);
	}
	key_free(key);
	return (0);
}

/* Whether a file that an option names can be read; NULL is none. */
static int
check_file(const char *option, const char *path)
{
	const char *fault = NULL;
	ssize_t got = 0;
	char byte;
	int fd;

	if (path == NULL)
		return (0);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1 || (got = read(fd, &byte, 1)) == -1)
		fault = strerror(errno);
	else if (got == 0)
		fault = "it is empty";
	if (fd != -1)
		(void)close(fd);
	if (fault == NULL)
		return (0);
	complain("%s: the file cannot be read: %s", option, fault);
	return (-1);
}

/* The table comes first, so that it can be seen what is refused. */
enum exit_code
command_config(const struct request *request)
{
	enum exit_code code = EXIT_DONE;
	struct config config;

	if (request->data_dir != NULL &&
	    (unsetenv("CORGI_DATA_DIR_FILE") == -1 ||
		setenv("CORGI_DATA_DIR", request->data_dir, 1) == -1)) {
		complain("out of memory");
		return (EXIT_FAILED);
	}
	if (request->json)
		code = print_json();
	else
		print_plain();
	if (load_config(request, CONFIG_PROD, true, &config) == -1)
		return (EXIT_FAILED);
	if (check_key(&config) == -1 ||
	    check_file("CORGI_TLS_CERTIFICATE", config.tls_certificate) == -1 ||
	    check_file("CORGI_TLS_KEY", config.tls_key) == -1)
		code = EXIT_FAILED;
	config_free(&config);
	return (code);
}
