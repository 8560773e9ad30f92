/*
 * password_foreign.h - verifies hashes that other programs made, so that their
 * accounts can be taken over with their passwords: bcrypt (libxcrypt), PBKDF2
 * and scrypt (OpenSSL), argon2 with any number of lanes (libargon2). Never
 * makes one. password.c hands over what it has parsed; nobody else calls this.
 *
 * Background threads only, as password.h says.
 */
#ifndef CORGI_PASSWORD_FOREIGN_H
#define CORGI_PASSWORD_FOREIGN_H

#include <stddef.h>

#include "auth/password_parse.h"

/*
 * Whether the password belongs to the hash. 1: yes. 0: no. -1: there was no
 * memory to find out.
 */
int password_foreign_verify(const struct password_parts *parts,
    const void *password, size_t len) __attribute__((warn_unused_result));

#endif
