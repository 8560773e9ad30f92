/*
 * password_rules.h - which passwords may be set (NIST SP 800-63B, section
 * 5.1.1.2; OWASP ASVS 6.2). Checked when a password is set, never at a login.
 * Pure; any thread.
 */
#ifndef CORGI_PASSWORD_RULES_H
#define CORGI_PASSWORD_RULES_H

#include <stddef.h>

/* Fewest and most characters (code points). */
#define PASSWORD_CHARACTERS_MIN 8
#define PASSWORD_CHARACTERS_MAX 256

enum password_fault {
	PASSWORD_ALLOWED,
	PASSWORD_TOO_SHORT,
	PASSWORD_TOO_LONG,
	PASSWORD_NOT_UTF8,
	PASSWORD_COMMON, /* in the list of common ones, case aside, also with
			  * up to four digits or marks behind it */
	PASSWORD_IS_NAME /* the name of the account itself, case aside */
};

/* Judge a password for an account of that name. */
enum password_fault password_check(
    const void *password, size_t len, const void *name, size_t name_len);

/* What is wrong, as a sentence for whoever chose it: "Shorter than minimum
 * length 8." and the like. */
const char *password_fault_text(enum password_fault fault);

#endif
