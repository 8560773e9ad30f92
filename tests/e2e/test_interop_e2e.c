/*
 * Tokens go both ways between the running service and PyJWT, and keys of every
 * family do what they should.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "check.h"
#include "guard_rows.h"
#include "http.h"
#include "suite.h"
#include "tok.h"

TestSuite(interop, .timeout = 120);

/* A key pair as PEM text. */
struct pair {
	char *private_key;
	char *public_key;
};

static char *python(const char *, const char *, const char *, const char *);
static struct pair pair_new(const char *);
static void pair_free(struct pair *);
static void both_ways(const char *);
static void both_ways_pem(const char *, const char *);
static struct server *start_pem(const char *, const struct pair *);

/* argv: algorithm, key, token. Prints the claims as JSON. */
static const char decode[] =
    "import json, sys, jwt\n"
    "alg, key, token = sys.argv[1:4]\n"
    "claims = jwt.decode(token, key, algorithms=[alg],\n"
    "    options={'require': ['exp', 'iat', 'nbf', 'sub', 'jti']})\n"
    "assert jwt.get_unverified_header(token) == {'alg': alg, 'typ': 'JWT'}\n"
    "print(json.dumps(claims))\n";

/* argv: algorithm, key, nothing. Prints a token with the claims that
 * Flask-JWT-Extended sets. */
static const char encode[] =
    "import sys, time, uuid, jwt\n"
    "now = int(time.time())\n"
    "claims = {'fresh': False, 'iat': now, 'jti': str(uuid.uuid4()),\n"
    "    'type': 'access', 'sub': 'cosmo', 'nbf': now,\n"
    "    'csrf': str(uuid.uuid4()), 'exp': now + 900}\n"
    "token = jwt.encode(claims, sys.argv[2], algorithm=sys.argv[1],\n"
    "    headers={'typ': 'JWT', 'alg': sys.argv[1]})\n"
    "sys.stdout.write(token)\n";

/* What a script prints; "" when it fails. */
static char *
python(const char *script, const char *alg, const char *key, const char *token)
{
	const char *argv[] = {
	    "/usr/bin/python3", "-c", script, alg, key, token, NULL};
	struct run_result r;
	char *out;

	r = run_program(argv, NULL, NULL, 0);
	cr_expect(r.status == 0, "%s: %s", alg, r.out);
	out = strdup(r.status == 0 ? r.out : "");
	run_free(&r);
	return (out);
}

/* Key pairs are made anew each time: no key lies in the repository. */
static struct pair
pair_new(const char *alg)
{
	struct pair pair;
	EVP_PKEY *key;
	char *text;
	BIO *bio;
	long len;
	int i;

	if (strncmp(alg, "RS", 2) == 0)
		key = EVP_RSA_gen(2048);
	else if (strcmp(alg, "ES256") == 0)
		key = EVP_EC_gen("P-256");
	else
		key = EVP_EC_gen(strcmp(alg, "ES384") == 0 ? "P-384" : "P-521");
	cr_assert(key != NULL);
	for (i = 0; i < 2; i++) {
		bio = BIO_new(BIO_s_mem());
		cr_assert(bio != NULL);
		if (i == 0)
			cr_assert(PEM_write_bio_PrivateKey(
			    bio, key, NULL, NULL, 0, NULL, NULL));
		else
			cr_assert(PEM_write_bio_PUBKEY(bio, key));
		len = BIO_get_mem_data(bio, &text);
		*(i == 0 ? &pair.private_key : &pair.public_key) =
		    strndup(text, (size_t)len);
		BIO_free(bio);
	}
	EVP_PKEY_free(key);
	return (pair);
}

static void
pair_free(struct pair *pair)
{
	free(pair->private_key);
	free(pair->public_key);
}

static void
expect_python_takes(const char *alg, const char *key, const char *token)
{
	json_t *claims;
	char *out;

	out = python(decode, alg, key, token);
	claims = json_loads(out, 0, NULL);
	cr_expect_str_eq(
	    json_string_value(json_object_get(claims, "sub")), "cosmo");
	cr_expect(json_object_size(claims) == 9, "%s: %s", alg, out);
	json_decref(claims);
	free(out);
}

static void
both_ways(const char *alg)
{
	struct server *s;
	char *setting, *theirs, *ours;

	setting = text_of("JWT_ALGORITHM=%s", alg);
	s = suite_start_with("flask", setting, NULL);
	theirs = python(encode, alg, TOK_SECRET, "");
	guard_expect(alg, server_port(s), false, theirs, 200, NULL);
	ours = http_token(server_port(s));
	guard_expect(alg, server_port(s), false, ours, 200, NULL);
	expect_python_takes(alg, TOK_SECRET, ours);
	free(theirs);
	free(ours);
	theirs = python(encode, alg, TOK_SECRET "x", "");
	guard_expect("another secret", server_port(s), false, theirs, 422,
	    "Signature verification failed");
	free(theirs);
	free(setting);
	server_stop(s);
}

Test(interop, hs256_goes_both_ways)
{
	both_ways("HS256");
}

Test(interop, hs384_goes_both_ways)
{
	both_ways("HS384");
}

Test(interop, hs512_goes_both_ways)
{
	both_ways("HS512");
}

static struct server *
start_pem(const char *alg, const struct pair *pair)
{
	struct server_options options;
	const char *env[3] = {NULL, NULL, NULL};
	struct server *s;
	char *setting, *key;

	memset(&options, 0, sizeof(options));
	setting = text_of("JWT_ALGORITHM=%s", alg);
	key = text_of("JWT_PRIVATE_KEY=%s", pair->private_key);
	env[0] = setting;
	env[1] = key;
	options.environment = env;
	s = server_start(&options);
	free(setting);
	free(key);
	return (s);
}

/* And no token of another algorithm or key, whatever it is signed with. */
static void
both_ways_pem(const char *alg, const char *sibling)
{
	struct pair pair, other;
	struct server *s;
	char *theirs, *ours, *header, *log;
	int port;

	pair = pair_new(alg);
	other = pair_new(alg);
	s = start_pem(alg, &pair);
	port = server_port(s);
	theirs = python(encode, alg, pair.private_key, "");
	guard_expect(alg, port, false, theirs, 200, NULL);
	free(theirs);
	ours = http_token(port);
	guard_expect(alg, port, false, ours, 200, NULL);
	expect_python_takes(alg, pair.public_key, ours);
	free(ours);

	theirs = python(encode, alg, other.private_key, "");
	guard_expect("another key", port, false, theirs, 422,
	    "Signature verification failed");
	free(theirs);
	if (sibling != NULL) {
		theirs = python(encode, sibling, pair.private_key, "");
		guard_expect(sibling, port, false, theirs, 422,
		    "The specified alg value is not allowed");
		free(theirs);
	}

	/* The public key as the secret of an HMAC (CVE-2015-9235). */
	theirs = tok_make(TOK_HEADER, TOK_CLAIMS, pair.public_key);
	guard_expect("public key as secret", port, false, theirs, 422,
	    "The specified alg value is not allowed");
	free(theirs);
	header = text_of("{\"alg\":\"%s\",\"typ\":\"JWT\"}", alg);
	theirs = tok_make(header, TOK_CLAIMS, pair.public_key);
	guard_expect("HMAC under another name", port, false, theirs, 422,
	    "Signature verification failed");
	free(theirs);
	theirs = tok_make(header, TOK_CLAIMS, "");
	guard_expect("empty secret", port, false, theirs, 422,
	    "Signature verification failed");
	free(theirs);
	free(header);

	log = server_log(s);
	cr_expect(strstr(log, "PRIVATE KEY") == NULL);
	free(log);
	server_stop(s);
	pair_free(&pair);
	pair_free(&other);
}

Test(interop, rs256_goes_both_ways_and_is_pinned)
{
	both_ways_pem("RS256", "RS512");
}

Test(interop, es256_goes_both_ways_and_is_pinned)
{
	both_ways_pem("ES256", NULL);
}

Test(interop, es512_goes_both_ways_and_is_pinned)
{
	both_ways_pem("ES512", NULL);
}

/* Where only the public key is there, tokens are taken and none is made. */
Test(interop, a_public_key_alone_verifies_and_does_not_issue)
{
	struct server_options options;
	struct raw_response answer;
	const char *env[3] = {"JWT_ALGORITHM=ES256", NULL, NULL};
	struct pair pair;
	struct server *s;
	char *setting, *theirs;

	memset(&options, 0, sizeof(options));
	pair = pair_new("ES256");
	setting = text_of("JWT_PUBLIC_KEY=%s", pair.public_key);
	env[1] = setting;
	options.environment = env;
	s = server_start(&options);
	theirs = python(encode, "ES256", pair.private_key, "");
	guard_expect("verified", server_port(s), false, theirs, 200, NULL);
	free(theirs);
	(void)http_login(server_port(s), DEMO_LOGIN, &answer);
	check_house("login", &answer);
	cr_expect(
	    answer.status >= 400 && strstr(answer.body, "access_token") == NULL,
	    "%d %s", answer.status, answer.body);
	raw_response_free(&answer);
	free(setting);
	pair_free(&pair);
	server_stop(s);
}
