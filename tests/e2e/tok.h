/*
 * tok.h - make tokens of any shape, good and bad, without the service's own
 * code: base64url and HMAC over whatever text is given.
 *
 * Every function returns text on the heap (free() it) and ends the test when
 * there is no memory.
 */
#ifndef CORGI_TEST_TOK_H
#define CORGI_TEST_TOK_H

#include <stddef.h>

/* The secret that the suites give to the service. */
#define TOK_SECRET                                                             \
	"e2e-secret-of-the-test-suites-64-bytes-long-enough-for-hs512-01"

/* An ordinary header and the claims of an ordinary access token. */
#define TOK_HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define TOK_CLAIMS                                                             \
	"{\"fresh\":false,\"iat\":@-1,"                                        \
	"\"jti\":\"0a3c1f5e-9d0b-4a53-8f2d-6f1f0c6f9d11\","                    \
	"\"type\":\"access\",\"sub\":\"cosmo\",\"nbf\":@-1,"                   \
	"\"csrf\":\"5d9d2c51-2a54-4a0e-9a53-0d1e6d0f7a20\",\"exp\":@+900}"

/* base64url without padding (RFC 7515, section 2), and back. tok_decode()
 * returns NULL for foreign bytes; the result has a NUL behind it. */
char *tok_encode(const void *data, size_t len);
char *tok_decode(const char *segment, size_t *len);

/* A template with every @+N and @-N replaced by the time now, plus or minus N
 * seconds. */
char *tok_expand(const char *template);

/* The HMAC of some text, base64url. alg: "HS256", "HS384" or "HS512". */
char *tok_mac(const char *text, const char *secret, const char *alg);

/* A token signed with HS256 whatever its header says, from templates. */
char *tok_make(const char *header, const char *payload, const char *secret);

/* The same with another MAC, and from bytes instead of templates. */
char *tok_make_alg(const char *header, const char *payload, const char *secret,
    const char *alg);
char *tok_make_bytes(const void *header, size_t hlen, const void *payload,
    size_t plen, const char *secret);

/* A good token: TOK_HEADER and TOK_CLAIMS under TOK_SECRET. */
char *tok_good(void);

/* Segments as they are, signed: a good signature over bad segments. */
char *tok_seal(const char *header, const char *payload, const char *secret);

/* One segment of a token (0, 1, 2), as it is. */
char *tok_segment(const char *token, int n);

/* Printed text. */
char *text_of(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* n times the same text. */
char *text_repeat(const char *text, size_t n);

#endif
