/*
 * key_pem.h - PEM text to OpenSSL's keys and back. Private to keys.c.
 */
#ifndef CORGI_KEY_PEM_H
#define CORGI_KEY_PEM_H

#include <stdbool.h>

#include "auth/key_material.h"

/* Names of the options, for the messages. */
#define NAME_SECRET  "JWT_SECRET_KEY"
#define NAME_PRIVATE "JWT_PRIVATE_KEY"
#define NAME_PUBLIC  "JWT_PUBLIC_KEY"

/*
 * Read a private key, or a public key (a certificate will do), and see that
 * it is of the algorithm's kind, strong enough and sound. Never asks for a
 * passphrase. NULL with the reason in error.
 */
EVP_PKEY *pem_read_private(const struct algorithm *a, const struct secret *pem,
    char error[KEY_ERROR_MAX]) __attribute__((warn_unused_result));
EVP_PKEY *pem_read_public(const struct algorithm *a, const struct secret *pem,
    char error[KEY_ERROR_MAX]) __attribute__((warn_unused_result));

/*
 * Write a key as PKCS#8 or SubjectPublicKeyInfo, the two forms that libjwt
 * reads. 0, or -1 when that is impossible.
 */
int pem_write_private(EVP_PKEY *pkey, struct secret *out)
    __attribute__((warn_unused_result));
int pem_write_public(EVP_PKEY *pkey, struct secret *out)
    __attribute__((warn_unused_result));

/* "NAME: what is wrong with it." Returns -1 for the caller to return. */
int key_refuse(char error[KEY_ERROR_MAX], const char *name, const char *text);

#endif
