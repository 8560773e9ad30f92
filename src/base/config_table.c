/*
 * config_table.c - all options: what people read about them, and how their
 * values are read.
 */
#include "base/config_internal.h"

/* A day in seconds, and the longest life and leeway taken. */
#define DAY        86400
#define EXPIRY_MAX (3650LL * DAY)
#define LEEWAY_MAX 3600

/* The cost of argon2id may not be below what OWASP asks for, nor so high that
 * no machine of today could log anybody in. */
#define ARGON2_MEMORY_MIN 19456
#define ARGON2_MEMORY_MAX 1048576
#define ARGON2_PASSES_MIN 2
#define ARGON2_PASSES_MAX 100

#define TEXT_MAX   1024 /* issuers, audiences */
#define FOLDER_MAX 3072
#define WORD_MAX   64 /* header name and type, message key */

/* All options, in the order in which people read about them. */
enum {
	OPTION_SECRET_KEY,
	OPTION_ALGORITHM,
	OPTION_PRIVATE_KEY,
	OPTION_PUBLIC_KEY,
	OPTION_ACCESS_TOKEN_EXPIRES,
	OPTION_DECODE_LEEWAY,
	OPTION_ENCODE_ISSUER,
	OPTION_DECODE_ISSUER,
	OPTION_ENCODE_AUDIENCE,
	OPTION_DECODE_AUDIENCE,
	OPTION_HEADER_NAME,
	OPTION_HEADER_TYPE,
	OPTION_ERROR_MESSAGE_KEY,
	OPTION_ERROR_STYLE,
	OPTION_DATA_DIR,
	OPTION_ARGON2_MEMORY_KIB,
	OPTION_ARGON2_PASSES,
	OPTION_THREADS,
	OPTION_LOGIN_QUEUE,
	OPTION_TOKEN_CACHE_KIB,
	OPTION_REQUESTS_PER_CONNECTION,
	OPTION_HEADER_FIELDS,
	OPTION_CONNECTIONS_PER_WORKER,
	OPTION_CONNECTIONS_PER_ADDRESS,
	OPTION_TRUSTED_PROXIES,
	OPTION_TLS_CERTIFICATE,
	OPTION_TLS_KEY,
	OPTION_SHUTDOWN_SECONDS,
	OPTION__MAX
};

/* What people read: name, default, what is allowed, what for, secret or not. */
static const struct config_option options[OPTION__MAX] = {
    [OPTION_SECRET_KEY] = {"JWT_SECRET_KEY", "made on the first start",
	"text of 32 bytes or more (48 for HS384, 64 for HS512)",
	"secret that signs and verifies tokens (HS256, HS384, HS512)", true},
    [OPTION_ALGORITHM] = {"JWT_ALGORITHM", "HS256",
	"HS256, HS384, HS512, RS256, RS384, RS512, ES256, ES384, ES512",
	"the one algorithm that tokens are signed with", false},
    [OPTION_PRIVATE_KEY] = {"JWT_PRIVATE_KEY", "none",
	"a private key as PEM text (RS*, ES*)",
	"key that signs tokens; its public half verifies them", true},
    [OPTION_PUBLIC_KEY] = {"JWT_PUBLIC_KEY", "that of JWT_PRIVATE_KEY",
	"a public key as PEM text (RS*, ES*)",
	"key that verifies tokens; alone it makes the service verify only",
	true},
    [OPTION_ACCESS_TOKEN_EXPIRES] = {"JWT_ACCESS_TOKEN_EXPIRES", "15m",
	"seconds above 0, or 15m, 12h, 30d (at most 3650d), or never",
	"life of an access token", false},
    [OPTION_DECODE_LEEWAY] = {"JWT_DECODE_LEEWAY", "0",
	"seconds, or 1m, 1h (at most 1h)",
	"clock difference that is tolerated in exp, nbf and iat", false},
    [OPTION_ENCODE_ISSUER] = {"JWT_ENCODE_ISSUER", "none", "text",
	"the iss claim of tokens issued here", false},
    [OPTION_DECODE_ISSUER] = {"JWT_DECODE_ISSUER", "not checked", "text",
	"the iss claim that a token must have", false},
    [OPTION_ENCODE_AUDIENCE] = {"JWT_ENCODE_AUDIENCE", "none",
	"up to 16 texts with commas between them",
	"the aud claim of tokens issued here", false},
    [OPTION_DECODE_AUDIENCE] = {"JWT_DECODE_AUDIENCE", "not checked",
	"up to 16 texts with commas between them",
	"one of these must be in the aud claim of a token", false},
    [OPTION_HEADER_NAME] = {"JWT_HEADER_NAME", "Authorization",
	"a header's name (letters, digits, hyphens; at most 64)",
	"header that carries the token", false},
    [OPTION_HEADER_TYPE] = {"JWT_HEADER_TYPE", "Bearer",
	"a word without blanks and commas (at most 64), or nothing",
	"word before the token in that header", false},
    [OPTION_ERROR_MESSAGE_KEY] = {"JWT_ERROR_MESSAGE_KEY", "msg",
	"text (at most 64 bytes)",
	"key of the message in the guard's answers (flask style)", false},
    [OPTION_ERROR_STYLE] = {"JWT_ERROR_STYLE", "flask", "flask, rfc6750",
	"statuses and bodies of errors: as the Flask application had "
	"them, or as RFC 6750 and RFC 9457 say",
	false},
    [OPTION_DATA_DIR] = {"CORGI_DATA_DIR", "data", "a folder's path",
	"folder of the database and the secret", false},
    [OPTION_ARGON2_MEMORY_KIB] = {"CORGI_ARGON2_MEMORY_KIB", "19456",
	"19456 to 1048576", "memory of one password hash, in KiB", false},
    [OPTION_ARGON2_PASSES] = {"CORGI_ARGON2_PASSES", "2", "2 to 100",
	"passes of one password hash over its memory", false},
    [OPTION_THREADS] = {"CORGI_THREADS", "0",
	"0 (one per core, shared among the workers) to 64",
	"threads of one worker for passwords and the database", false},
    [OPTION_LOGIN_QUEUE] = {"CORGI_LOGIN_QUEUE", "128", "1 to 65536",
	"logins of one worker that may wait; more get 503", false},
    [OPTION_TOKEN_CACHE_KIB] = {"CORGI_TOKEN_CACHE_KIB", "4096",
	"0 (off) to 1048576",
	"memory of one worker for tokens already verified, in KiB", false},
    [OPTION_REQUESTS_PER_CONNECTION] = {"CORGI_REQUESTS_PER_CONNECTION",
	"10000", "0 (no limit) to 1000000000",
	"requests answered before a connection is closed", false},
    [OPTION_HEADER_FIELDS] = {"CORGI_HEADER_FIELDS", "128", "16 to 4096",
	"header lines of a request; more get 431", false},
    [OPTION_CONNECTIONS_PER_WORKER] = {"CORGI_CONNECTIONS_PER_WORKER", "4096",
	"1 to 1000000", "connections of one worker; more get 503", false},
    [OPTION_CONNECTIONS_PER_ADDRESS] = {"CORGI_CONNECTIONS_PER_ADDRESS", "0",
	"0 (no limit) to 1000000",
	"connections of one client address to one worker; more get 503", false},
    [OPTION_TRUSTED_PROXIES] = {"CORGI_TRUSTED_PROXIES", "none",
	"up to 16 addresses or networks (10.0.0.0/8) with commas between them",
	"peers whose X-Forwarded-For and Forwarded headers are believed",
	false},
    [OPTION_TLS_CERTIFICATE] = {"CORGI_TLS_CERTIFICATE", "none",
	"a file's path (PEM: certificate, then its chain)",
	"certificate of listeners bound to front_connect_tls", false},
    [OPTION_TLS_KEY] = {"CORGI_TLS_KEY", "none", "a file's path (PEM)",
	"private key of that certificate", false},
    [OPTION_SHUTDOWN_SECONDS] = {"CORGI_SHUTDOWN_SECONDS", "1", "1 to 300",
	"time for requests under way when the service stops", false},
};

#define PLACE(member) offsetof(struct config, member)

/* How values are read: reader, place, lowest, highest, default. */
static const struct config_rule rules[OPTION__MAX] = {
    [OPTION_SECRET_KEY] = {config_read_secret, PLACE(secret_key), 1, 65536,
	NULL},
    [OPTION_ALGORITHM] = {config_read_algorithm, PLACE(algorithm), 0, 0,
	"HS256"},
    [OPTION_PRIVATE_KEY] = {config_read_pem, PLACE(private_key), 1, 65536,
	NULL},
    [OPTION_PUBLIC_KEY] = {config_read_pem, PLACE(public_key), 1, 65536, NULL},
    [OPTION_ACCESS_TOKEN_EXPIRES] = {config_read_expiry, PLACE(access_expires),
	1, EXPIRY_MAX, "15m"},
    [OPTION_DECODE_LEEWAY] = {config_read_seconds, PLACE(leeway), 0, LEEWAY_MAX,
	"0"},
    [OPTION_ENCODE_ISSUER] = {config_read_text, PLACE(encode_issuer), 1,
	TEXT_MAX, NULL},
    [OPTION_DECODE_ISSUER] = {config_read_text, PLACE(decode_issuer), 1,
	TEXT_MAX, NULL},
    [OPTION_ENCODE_AUDIENCE] = {config_read_list, PLACE(encode_audience), 1,
	TEXT_MAX, NULL},
    [OPTION_DECODE_AUDIENCE] = {config_read_list, PLACE(decode_audience), 1,
	TEXT_MAX, NULL},
    [OPTION_HEADER_NAME] = {config_read_header_name, PLACE(header_name), 1,
	WORD_MAX, "Authorization"},
    [OPTION_HEADER_TYPE] = {config_read_header_type, PLACE(header_type), 0,
	WORD_MAX, "Bearer"},
    [OPTION_ERROR_MESSAGE_KEY] = {config_read_text, PLACE(error_message_key), 1,
	WORD_MAX, "msg"},
    [OPTION_ERROR_STYLE] = {config_read_style, PLACE(error_style), 0, 0,
	"flask"},
    [OPTION_DATA_DIR] = {config_read_text, PLACE(data_dir), 1, FOLDER_MAX,
	"data"},
    [OPTION_ARGON2_MEMORY_KIB] = {config_read_uint64, PLACE(argon2_memory_kib),
	ARGON2_MEMORY_MIN, ARGON2_MEMORY_MAX, "19456"},
    [OPTION_ARGON2_PASSES] = {config_read_uint64, PLACE(argon2_passes),
	ARGON2_PASSES_MIN, ARGON2_PASSES_MAX, "2"},
    [OPTION_THREADS] = {config_read_uint, PLACE(threads), 0, 64, "0"},
    [OPTION_LOGIN_QUEUE] = {config_read_uint, PLACE(queue), 1, 65536, "128"},
    [OPTION_TOKEN_CACHE_KIB] = {config_read_uint, PLACE(token_cache_kib), 0,
	1048576, "4096"},
    [OPTION_REQUESTS_PER_CONNECTION] = {config_read_uint,
	PLACE(requests_per_connection), 0, 1000000000, "10000"},
    [OPTION_HEADER_FIELDS] = {config_read_uint, PLACE(header_fields), 16, 4096,
	"128"},
    [OPTION_CONNECTIONS_PER_WORKER] = {config_read_uint,
	PLACE(connections_per_worker), 1, 1000000, "4096"},
    [OPTION_CONNECTIONS_PER_ADDRESS] = {config_read_uint,
	PLACE(connections_per_address), 0, 1000000, "0"},
    [OPTION_TRUSTED_PROXIES] = {config_read_list, PLACE(trusted_proxies), 1,
	TEXT_MAX, NULL},
    [OPTION_TLS_CERTIFICATE] = {config_read_text, PLACE(tls_certificate), 1,
	FOLDER_MAX, NULL},
    [OPTION_TLS_KEY] = {config_read_text, PLACE(tls_key), 1, FOLDER_MAX, NULL},
    [OPTION_SHUTDOWN_SECONDS] = {config_read_uint, PLACE(shutdown_seconds), 1,
	300, "1"},
};

const struct config_option *
config_options(size_t *count)
{
	*count = OPTION__MAX;

	return (options);
}

const struct config_rule *
config_rule_of(size_t index)
{
	return (&rules[index]);
}
