/*
 * config.h - what the environment says, checked once at start.
 *
 * Names are Flask-JWT-Extended's where it has them (JWT_*); ours begin with
 * CORGI_. Every name also works with _FILE behind it: the value is then the
 * content of that file, without a line end at its end. A name that is not
 * known, a value that is not allowed or two that contradict each other end the
 * load with one line that holds the name, the fault and what is allowed, and
 * never the value of a secret.
 *
 * Loaded in the parent process before the workers are forked; read-only from
 * then on, so any thread may read it.
 */
#ifndef CORGI_CONFIG_H
#define CORGI_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"

/* Longest explanation of a refused configuration (bytes, with the NUL). */
#define CONFIG_ERROR_MAX 512

/* Most entries of a list such as JWT_DECODE_AUDIENCE. */
#define CONFIG_LIST_MAX 16

/* JWT_ACCESS_TOKEN_EXPIRES=never. */
#define CONFIG_NEVER (-1)

enum config_flavor {
	CONFIG_DEV, /* readable logs, demo account, weak keys warn */
	CONFIG_PROD /* weak keys refuse to start, no accounts */
};

enum config_error_style { STYLE_FLASK, STYLE_RFC6750 };

/* The SameSite attribute of cookies (RFC 6265bis, section 4.1.2.7). */
enum config_same_site { SAME_SITE_LAX, SAME_SITE_STRICT, SAME_SITE_NONE };

/* Bits of csrf_methods. */
#define CSRF_POST   0x01
#define CSRF_PUT    0x02
#define CSRF_PATCH  0x04
#define CSRF_DELETE 0x08

/* The cookie names, headers and paths of one kind of token. */
struct config_cookie {
	char *name;
	char *path;
	char *csrf_name;
	char *csrf_path;
	char *csrf_header;
	char *json_key; /* where a token in a JSON body stands */
};

struct config_list {
	char *items[CONFIG_LIST_MAX];
	size_t count;
};

struct config {
	enum config_flavor flavor;
	enum config_error_style error_style;

	/* Keys. Which of them are set depends on the algorithm's family. */
	char *algorithm;           /* "HS256", ... */
	struct secret secret_key;  /* HS*: see config_secret() */
	struct secret private_key; /* RS*, ES*: PEM text */
	struct secret public_key;  /* RS*, ES*: PEM text */

	/* Claims. Seconds. */
	int64_t access_expires; /* or CONFIG_NEVER */
	char *extra_claims;     /* a JSON object in text, or NULL */
	int64_t leeway;
	char *encode_issuer; /* or NULL */
	char *decode_issuer; /* or NULL */
	struct config_list encode_audience;
	struct config_list decode_audience;

	/* The header that carries the token, and the answer's words. */
	char *header_name;
	char *header_type; /* may be "" */
	char *error_message_key;

	/* Sessions. Seconds. */
	int64_t refresh_expires; /* from one refresh to the next, or never */
	int64_t session_expires; /* from the login on, or CONFIG_NEVER */
	int64_t refresh_grace;
	unsigned int sessions_per_user; /* 0: no limit */
	unsigned int revocations;       /* live ones that can be kept */

	/* Tokens in cookies, the query and bodies. */
	struct config_cookie access_cookie;
	struct config_cookie refresh_cookie;
	char *cookie_domain; /* or NULL */
	char *query_name;
	enum config_same_site same_site;
	unsigned int csrf_methods; /* CSRF_* */
	bool csrf_protect;
	bool csrf_in_cookies;
	bool cookie_secure;
	bool cookie_session;     /* ends with the browser */
	bool cookie_host_prefix; /* "__Host-" before the names */
	bool login_cookies;      /* set by every login */

	/* Accounts and failed logins. */
	bool registration;
	unsigned int throttle_account; /* failures before it begins; 0: off */
	unsigned int throttle_address;
	unsigned int throttle_seconds; /* longest wait of an account */
	unsigned int throttle_entries;

	/* Where audit events go: a file (in the data folder unless absolute),
	 * "-" or "off". */
	char *audit_log;

	/* The store: its folder, and where its database is as given, of
	 * length 0 for corgi.db in that folder; see config_database(). */
	char *data_dir;
	struct secret database;
	unsigned int database_silence; /* of a server, in seconds; 0: any */

	/* Passwords: argon2id's cost. */
	uint64_t argon2_memory_kib;
	uint64_t argon2_passes;
	/* What all hashes of one worker may take up at once; 0: as much as its
	 * threads need. */
	uint64_t hash_memory_kib;

	/* Background threads of one worker, and how many logins may wait. */
	unsigned int threads; /* 0: one per usable core */
	unsigned int queue;

	/* Memory of one worker's cache of verified tokens; 0: none. */
	unsigned int token_cache_kib;

	/* The connection front. Milliseconds, bytes, counts. */
	unsigned int requests_per_connection;
	unsigned int header_fields;
	unsigned int request_memory_kib; /* of large requests, a worker */
	unsigned int connections_per_worker;
	unsigned int connections_per_address; /* 0: no limit */
	unsigned int shutdown_seconds;
	struct config_list trusted_proxies; /* addresses, networks */
	char *tls_certificate;              /* PEM file, or NULL */
	char *tls_key;                      /* PEM file, or NULL */
};

/* One entry of the reference: printed by corgictl and checked against the
 * README's table by a test. */
struct config_option {
	const char *name;
	const char *fallback; /* default in words */
	const char *allowed;
	const char *purpose;
	bool secret; /* never shown */
};

/*
 * Read the environment (NAME=value strings, NULL at the end; pass environ).
 * On success fills *out, to be released with config_free(), and returns 0; a
 * value worth a warning is reported through log_line(). On failure returns -1
 * with one line in error and *out released.
 */
int config_load(char *const *environment, enum config_flavor flavor,
    struct config *out, char error[CONFIG_ERROR_MAX])
    __attribute__((warn_unused_result));

/*
 * Where an HMAC algorithm has no JWT_SECRET_KEY: take the secret kept in the
 * data folder (file "jwt_secret"), making it on the first start when create
 * is set. *created says whether it was made now. Does nothing when a secret is
 * there or none is needed. Returns 0, or -1 with one line in error.
 */
int config_secret(struct config *c, bool create, bool *created,
    char error[CONFIG_ERROR_MAX]) __attribute__((warn_unused_result));

/* Wipe the secrets and release everything. */
void config_free(struct config *c);

/* All options, ordered for people; *count entries. */
const struct config_option *config_options(size_t *count);

/* Room for where a database is, with the closing NUL (bytes). */
#define CONFIG_DATABASE_MAX 4096

/*
 * Where the database is, as store_open() takes it; a file that is in the data
 * folder by way of folder, which is data_dir or another name of it. -1 when
 * that does not fit. May hold a password.
 */
int config_database(const struct config *c, const char *folder,
    char out[CONFIG_DATABASE_MAX]) __attribute__((warn_unused_result));

/* The same for an address that was given elsewhere; -1 also when it names no
 * database. */
int config_database_at(const char *given, const char *folder,
    char out[CONFIG_DATABASE_MAX]) __attribute__((warn_unused_result));

/* data_dir + "/" + file into out; -1 when it does not fit. */
int config_path(const struct config *c, const char *file, char *out,
    size_t size) __attribute__((warn_unused_result));

/* The bit of csrf_methods that stands for a method; 0 for any other. */
unsigned int config_csrf_method(const char *name, size_t len);

/* Whether an algorithm's name is of the HMAC family. */
bool config_is_hmac(const char *algorithm);

#endif
