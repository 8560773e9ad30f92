/*
 * config_internal.h - inside of config, for config*.c alone.
 */
#ifndef CORGI_CONFIG_INTERNAL_H
#define CORGI_CONFIG_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/config.h"
#include "base/secret.h"

struct config_rule;

/*
 * Read a value into its place in the configuration. Returns NULL, or what is
 * wrong with the value, as the end of a sentence that begins with the name.
 * The value has a NUL behind its end and may be changed; only
 * config_read_header_type() is given an empty one.
 */
typedef const char *(*config_reader)(
    const struct config_rule *rule, struct secret *value, void *place);

struct config_rule {
	config_reader read;
	size_t offset; /* of the place in struct config */
	int64_t min;   /* numbers and seconds; lengths of texts */
	int64_t max;
	const char *initial; /* read when the option is not set; NULL: none */
};

/* The rule of the option with the same index in config_options(). */
const struct config_rule *config_rule_of(size_t index);

/* Behind a name: the value is in a file. */
#define CONFIG_FILE_SUFFIX "_FILE"

/* How the address of a database in a file begins. */
#define CONFIG_SQLITE "sqlite:"

/* Write one line for the operator, safe to print; returns -1. */
int config_refuse(char *error, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Refuse names with our prefixes that are not known or come twice
 * (config_names.c). */
int config_check_names(char *const *environment, char *error);

/* Whether an environment string sets name + suffix; its value, or NULL. */
const char *
config_match(const char *entry, const char *name, const char *suffix);

/* Refuse options that contradict each other (config_check.c). */
int config_check(const struct config *c, char *error);

/* What a reader says when there is no memory. */
extern const char config_no_memory[];

/* Keep a copy of len bytes of text, in place of what was there. NULL, or what
 * is wrong. */
const char *config_keep(char **place, const char *text, size_t len);

/* Whether a text begins as the address of a database does. */
bool config_names_database(const char *text);

/* The readers (config_value.c). */
const char *
config_read_algorithm(const struct config_rule *, struct secret *, void *);
const char *
config_read_style(const struct config_rule *, struct secret *, void *);
const char *
config_read_secret(const struct config_rule *, struct secret *, void *);
const char *
config_read_pem(const struct config_rule *, struct secret *, void *);
const char *
config_read_text(const struct config_rule *, struct secret *, void *);
const char *
config_read_database(const struct config_rule *, struct secret *, void *);
const char *
config_read_list(const struct config_rule *, struct secret *, void *);
const char *
config_read_header_name(const struct config_rule *, struct secret *, void *);
const char *
config_read_header_type(const struct config_rule *, struct secret *, void *);
const char *
config_read_expiry(const struct config_rule *, struct secret *, void *);
const char *
config_read_seconds(const struct config_rule *, struct secret *, void *);
const char *
config_read_uint(const struct config_rule *, struct secret *, void *);
const char *
config_read_uint64(const struct config_rule *, struct secret *, void *);

/* Those of cookies and claims (config_cookie.c). */
const char *
config_read_claims(const struct config_rule *, struct secret *, void *);
const char *
config_read_cookie_name(const struct config_rule *, struct secret *, void *);
const char *
config_read_cookie_path(const struct config_rule *, struct secret *, void *);
const char *
config_read_cookie_domain(const struct config_rule *, struct secret *, void *);
const char *
config_read_same_site(const struct config_rule *, struct secret *, void *);
const char *
config_read_switch(const struct config_rule *, struct secret *, void *);
const char *
config_read_methods(const struct config_rule *, struct secret *, void *);

#endif
