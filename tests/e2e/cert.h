/*
 * cert.h - certificates and keys for tests: made on the spot, in files.
 */
#ifndef CORGI_TEST_CERT_H
#define CORGI_TEST_CERT_H

#include "process.h"

/* A self-signed certificate for localhost and 127.0.0.1 with a key of P-256. */
struct cert {
	char *certificate; /* PEM */
	char *key;         /* PEM, not encrypted */
	char *locked;      /* the same key with a passphrase */
};

/* Make one; name becomes its common name. */
struct cert cert_new(const char *name);
void cert_free(struct cert *c);

/* The files of a pair in a folder. */
struct cert_files {
	char certificate[SERVER_PATH_MAX];
	char key[SERVER_PATH_MAX];
};
struct cert_files cert_paths(const char *folder);

/* Put text in place of a file at once, as a renewal does. */
void cert_replace(const char *path, const char *text);

/* Both files of a pair. */
void cert_install(const struct cert_files *files, const struct cert *c);

/* The longest line of a key's PEM text: what no log may hold. free() it. */
char *cert_key_line(const char *pem);

#endif
