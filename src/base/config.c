/*
 * config.c - from the environment to a checked configuration.
 */
#include <sys/stat.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config_internal.h"
#include "base/log.h"

/* Largest file that a name with _FILE may point at (bytes). */
#define VALUE_FILE_MAX 65536

/* The secret made on the first start: random bytes, and the file. */
#define MADE_SECRET_LEN  64
#define MADE_SECRET_FILE "jwt_secret"

static void warn_of_folder(const char *);
static const char *kept_fault(int);
static int read_option(char *const *, size_t, struct config *, char *);
static int fetch(char *const *, const struct config_option *, struct secret *,
    const char **, char *);
static const char *look_up(char *const *, const char *, const char *);
static int
from_file(const struct config_option *, const char *, struct secret *, char *);
static void free_list(struct config_list *);
static void free_cookie(struct config_cookie *);

int
config_load(char *const *environment, enum config_flavor flavor,
    struct config *out, char error[CONFIG_ERROR_MAX])
{
	size_t count, i;

	memset(out, 0, sizeof(*out));
	out->flavor = flavor;
	error[0] = '\0';

	if (config_check_names(environment, error) == -1)
		goto fail;
	(void)config_options(&count);
	for (i = 0; i < count; i++) {
		if (read_option(environment, i, out, error) == -1)
			goto fail;
	}
	if (config_check(out, error) == -1)
		goto fail;

	if (out->access_expires == CONFIG_NEVER)
		log_line(LOG_LEVEL_WARNING,
		    "JWT_ACCESS_TOKEN_EXPIRES is never: tokens do not end");

	return (0);

fail:
	config_free(out);
	return (-1);
}

int
config_secret(
    struct config *c, bool create, bool *created, char error[CONFIG_ERROR_MAX])
{
	char path[FILENAME_MAX];
	int ret;

	*created = false;
	error[0] = '\0';
	if (create)
		warn_of_folder(c->data_dir);
	if (!config_is_hmac(c->algorithm) || c->secret_key.len > 0)
		return (0);

	if (config_path(c, MADE_SECRET_FILE, path, sizeof(path)) == -1)
		return (
		    config_refuse(error, "CORGI_DATA_DIR is too long a path"));

	if (create) {
		if (mkdir(c->data_dir, 0700) == -1 && errno != EEXIST)
			return (config_refuse(error,
			    "CORGI_DATA_DIR: cannot make the folder %s: %s",
			    c->data_dir, strerror(errno)));
		ret = secret_load_or_create(
		    path, MADE_SECRET_LEN, &c->secret_key, created);
	} else {
		ret = secret_read_kept(path, &c->secret_key);
	}
	if (ret == -1 && errno == EKEYREJECTED && c->flavor == CONFIG_DEV) {
		log_line(LOG_LEVEL_WARNING, "%s: %s", path, kept_fault(errno));
		ret = secret_read_exposed(path, &c->secret_key);
	}
	if (ret == -1)
		return (config_refuse(error,
		    "JWT_SECRET_KEY is not set, and the file %s cannot be "
		    "%s: %s",
		    path, create ? "read or made" : "read", kept_fault(errno)));

	return (0);
}

/* Whoever may write there can put another database and another secret in
 * place of ours. */
static void
warn_of_folder(const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && (st.st_mode & 0022) != 0)
		log_line(LOG_LEVEL_WARNING,
		    "the data folder %s (CORGI_DATA_DIR) may be written by "
		    "its group or others; allowed: mode 0700",
		    path);
}

/* What is wrong with the file of the made secret. */
static const char *
kept_fault(int error)
{
	switch (error) {
	case ENODATA:
		return ("it is empty");
	case EKEYREJECTED:
		return ("it belongs to another user, or its group or others "
			"have permissions; allowed: this user or root as the "
			"owner, and mode 0600");
	case ELOOP:
		return ("it is a symbolic link; allowed: a regular file");
	case EINVAL:
	case EISDIR:
		return ("it is no file; allowed: a regular file");
	default:
		return (strerror(error));
	}
}

static void
free_cookie(struct config_cookie *cookie)
{
	free(cookie->name);
	free(cookie->path);
	free(cookie->csrf_name);
	free(cookie->csrf_path);
	free(cookie->csrf_header);
	free(cookie->json_key);
}

void
config_free(struct config *c)
{
	free(c->algorithm);
	secret_free(&c->secret_key);
	secret_free(&c->private_key);
	secret_free(&c->public_key);
	free(c->encode_issuer);
	free(c->decode_issuer);
	free_list(&c->encode_audience);
	free_list(&c->decode_audience);
	free(c->header_name);
	free(c->header_type);
	free(c->error_message_key);
	free(c->extra_claims);
	free_cookie(&c->access_cookie);
	free_cookie(&c->refresh_cookie);
	free(c->cookie_domain);
	free(c->query_name);
	free(c->audit_log);
	free(c->data_dir);
	secret_free(&c->database);
	free_list(&c->trusted_proxies);
	free(c->tls_certificate);
	free(c->tls_key);
	memset(c, 0, sizeof(*c));
}

int
config_database(
    const struct config *c, const char *folder, char out[CONFIG_DATABASE_MAX])
{
	return (config_database_at(c->database.len == 0
		? CONFIG_SQLITE "corgi.db"
		: (const char *)c->database.data,
	    folder, out));
}

int
config_database_at(
    const char *given, const char *folder, char out[CONFIG_DATABASE_MAX])
{
	size_t kind = strlen(CONFIG_SQLITE);
	int n;

	if (!config_names_database(given))
		return (-1);
	if (strncmp(given, CONFIG_SQLITE, kind) != 0 || given[kind] == '/')
		n = snprintf(out, CONFIG_DATABASE_MAX, "%s", given);
	else
		n = snprintf(out, CONFIG_DATABASE_MAX, "%s%s/%s", CONFIG_SQLITE,
		    folder, given + kind);

	return (n < 0 || n >= CONFIG_DATABASE_MAX ? -1 : 0);
}

int
config_path(const struct config *c, const char *file, char *out, size_t size)
{
	int n;

	n = snprintf(out, size, "%s/%s", c->data_dir, file);

	return (n < 0 || (size_t)n >= size ? -1 : 0);
}

bool
config_is_hmac(const char *algorithm)
{
	return (algorithm[0] == 'H');
}

int
config_refuse(char *error, const char *fmt, ...)
{
	char raw[CONFIG_ERROR_MAX];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(raw, sizeof(raw), fmt, args);
	va_end(args);
	log_escape(raw, strlen(raw), error, CONFIG_ERROR_MAX);

	return (-1);
}

/* Find one option's value, or its default, and read it. */
static int
read_option(
    char *const *environment, size_t index, struct config *c, char *error)
{
	const struct config_rule *rule = config_rule_of(index);
	const struct config_option *option;
	struct secret value = {NULL, 0};
	const char *fault, *suffix;
	size_t count;

	option = &config_options(&count)[index];
	if (fetch(environment, option, &value, &suffix, error) == -1)
		return (-1);
	if (value.data == NULL && rule->initial == NULL)
		return (0);
	if (value.data == NULL &&
	    secret_set(&value, rule->initial, strlen(rule->initial)) == -1)
		return (
		    config_refuse(error, "%s: out of memory", option->name));

	if (value.len == 0 && rule->read != config_read_header_type)
		fault = "is empty";
	else
		fault = rule->read(rule, &value, (char *)c + rule->offset);
	secret_free(&value);
	if (fault != NULL)
		return (config_refuse(error, "%s%s %s; allowed: %s",
		    option->name, suffix, fault, option->allowed));

	return (0);
}

/* The value as it is given, from the environment or from a file; nothing when
 * the option is not set. *suffix tells the two apart in messages. */
static int
fetch(char *const *environment, const struct config_option *option,
    struct secret *value, const char **suffix, char *error)
{
	const char *direct, *path;

	direct = look_up(environment, option->name, "");
	path = look_up(environment, option->name, CONFIG_FILE_SUFFIX);
	*suffix = path != NULL ? CONFIG_FILE_SUFFIX : "";

	if (direct != NULL && path != NULL)
		return (config_refuse(error,
		    "%s and %s%s are both set; allowed: one of them",
		    option->name, option->name, CONFIG_FILE_SUFFIX));
	if (path != NULL)
		return (from_file(option, path, value, error));
	if (direct != NULL && secret_set(value, direct, strlen(direct)) == -1)
		return (
		    config_refuse(error, "%s: out of memory", option->name));

	return (0);
}

static const char *
look_up(char *const *environment, const char *name, const char *suffix)
{
	const char *value;
	size_t i;

	for (i = 0; environment[i] != NULL; i++) {
		value = config_match(environment[i], name, suffix);
		if (value != NULL)
			return (value);
	}

	return (NULL);
}

/* The path is not repeated: it may be a secret put under the wrong name. */
static int
from_file(const struct config_option *option, const char *path,
    struct secret *value, char *error)
{
	if (secret_read_file(path, VALUE_FILE_MAX, value) == -1)
		return (config_refuse(error,
		    "%s%s: the file cannot be read: %s; allowed: the path of "
		    "a file with %s",
		    option->name, CONFIG_FILE_SUFFIX,
		    errno == ENODATA      ? "it is empty"
			: errno == EINVAL ? "it is no regular file"
					  : strerror(errno),
		    option->allowed));
	secret_chomp(value);

	return (0);
}

static void
free_list(struct config_list *list)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		free(list->items[i]);
	list->count = 0;
}
