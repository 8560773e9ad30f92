/*
 * Row 12 of the compatibility specification and the attacks on it: forged,
 * missing, cut and swapped signatures, and keys used for what they are not.
 */
#include <openssl/core_names.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>

#include "token_kit.h"
#include "../vectors/rfc7515.h"

#define REFUSED "Signature verification failed"

static const char *const algorithms[] = {"HS256", "HS384", "HS512", "RS256",
    "RS384", "RS512", "ES256", "ES384", "ES512"};

#define ALGORITHMS (sizeof(algorithms) / sizeof(algorithms[0]))

TestSuite(token_signature, .timeout = 120);

/* token with its signature replaced by len bytes; free() it. */
static char *
with_signature(const char *token, const uint8_t *signature, size_t len)
{
	size_t at = (size_t)(strrchr(token, '.') - token) + 1;
	char *other = malloc(at + BASE64URL_TEXT_LEN(len) + 1);

	cr_assert_not_null(other);
	memcpy(other, token, at);
	(void)base64url_encode(signature, len, other + at);
	return (other);
}

static size_t
signature_of(const char *token, uint8_t out[SIGNATURE_MAX])
{
	const char *text = strrchr(token, '.') + 1;
	size_t len;

	cr_assert_eq(base64url_decode(text, strlen(text), out, &len), 0);
	return (len);
}

/* Make another base64url character of one. */
static void
bend(char *c)
{
	*c = *c == 'B' ? 'C' : 'B';
}

/* Every algorithm: the good token passes, no changed one does. */
Test(token_signature, changed_signatures_are_refused)
{
	uint8_t good[SIGNATURE_MAX + 64], bad[SIGNATURE_MAX + 64];
	struct kit kit;
	size_t i, n, bit;
	char *token;

	for (i = 0; i < ALGORITHMS; i++) {
		kit_any(&kit, algorithms[i]);
		token = kit_claims(&kit, GOOD_PAYLOAD);
		EXPECT(&kit, strdup(token), "");
		memset(good, 0, sizeof(good));
		n = signature_of(token, good);
		for (bit = 0; bit < 8 * n; bit += 37) {
			memcpy(bad, good, n);
			bad[bit / 8] ^= (uint8_t)(1U << (bit % 8));
			EXPECT(&kit, with_signature(token, bad, n), REFUSED);
		}
		EXPECT(&kit, with_signature(token, good, 0), REFUSED);
		EXPECT(&kit, with_signature(token, good, 1), REFUSED);
		EXPECT(&kit, with_signature(token, good, n - 1), REFUSED);
		EXPECT(&kit, with_signature(token, good, n / 2), REFUSED);
		EXPECT(&kit, with_signature(token, good, n + 1), REFUSED);
		EXPECT(&kit, with_signature(token, good, n + 64), REFUSED);
		memset(bad, 0, sizeof(bad));
		EXPECT(&kit, with_signature(token, bad, n), REFUSED);
		memset(bad, 0xff, sizeof(bad));
		EXPECT(&kit, with_signature(token, bad, n), REFUSED);
		free(token);
		kit_free(&kit);
	}
}

Test(token_signature, changed_payload_is_refused)
{
	struct kit kit;
	char *token, *other;
	size_t i;

	for (i = 0; i < ALGORITHMS; i++) {
		kit_any(&kit, algorithms[i]);
		token = kit_claims(&kit, GOOD_PAYLOAD);
		other =
		    kit_claims(&kit, "{" GOOD_CLAIMS ",\"role\":\"admin\"}");
		strcpy(strrchr(other, '.'), strrchr(token, '.'));
		EXPECT(&kit, other, REFUSED);
		EXPECT(&kit, token, "");
		kit_free(&kit);
	}
}

Test(token_signature, signature_precedes_every_claim)
{
	struct kit kit;
	char *token;

	kit_hmac(&kit, "HS256");
	token = kit_compose_n("{\"alg\":\"HS256\"}", 15, "{\"exp\":1}", 9);
	strcat(token, ".AAAA");
	EXPECT(&kit, token, REFUSED);
	EXPECT(&kit, kit_claims(&kit, "{\"exp\":1}"), "Missing claim: sub");
	kit_free(&kit);
}

/* Another key of the same kind is not enough. */
Test(token_signature, token_of_another_key_is_refused)
{
	struct kit ours, theirs;
	size_t i;

	for (i = 0; i < ALGORITHMS; i++) {
		kit_any(&ours, algorithms[i]);
		if (i < 3) {
			kit_config(&theirs, algorithms[i]);
			cr_assert_eq(secret_set(&theirs.config.secret_key,
					 KIT_SECRET "0", 65),
			    0);
			kit_ready(&theirs);
		} else {
			kit_pair(&theirs, algorithms[i]);
		}
		EXPECT(&ours, kit_claims(&theirs, GOOD_PAYLOAD), REFUSED);
		EXPECT(&theirs, kit_claims(&theirs, GOOD_PAYLOAD), "");
		kit_free(&ours);
		kit_free(&theirs);
	}
}

/* The classic: an HMAC keyed with the text of our public key. */
Test(token_signature, hs256_with_public_pem_is_refused)
{
	static const char *const pairs[] = {"RS256", "ES256"};
	struct kit ours, forger;
	EVP_PKEY *pkey;
	char *pem, *token;
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned int mac_len;
	size_t i, at;

	for (i = 0; i < 2; i++) {
		pkey = kit_generate(pairs[i]);
		pem = kit_pem(pkey, false);
		kit_config(&ours, pairs[i]);
		cr_assert_eq(
		    secret_set(&ours.config.public_key, pem, strlen(pem)), 0);
		kit_ready(&ours);
		token = kit_compose_n(HS256_HEADER, strlen(HS256_HEADER),
		    GOOD_PAYLOAD, strlen(GOOD_PAYLOAD));
		at = strlen(token);
		cr_assert_not_null(HMAC(EVP_sha256(), pem, (int)strlen(pem),
		    (const uint8_t *)token, at, mac, &mac_len));
		token[at++] = '.';
		(void)base64url_encode(mac, mac_len, token + at);
		EXPECT(&ours, token, "The specified alg value is not allowed");

		/* The same bytes under the right name do not help either. */
		token = kit_compose_n("{\"alg\":\"RS256\"}", 15, GOOD_PAYLOAD,
		    strlen(GOOD_PAYLOAD));
		strcat(token, ".");
		(void)base64url_encode(mac, mac_len, token + strlen(token));
		EXPECT(&ours, token,
		    i == 0 ? REFUSED
			   : "The specified alg value is not allowed");

		kit_config(&forger, pairs[i]);
		free(pem);
		pem = kit_pem(pkey, true);
		cr_assert_eq(
		    secret_set(&forger.config.private_key, pem, strlen(pem)),
		    0);
		kit_ready(&forger);
		EXPECT(&ours, kit_claims(&forger, GOOD_PAYLOAD), "");
		kit_free(&forger);
		kit_free(&ours);
		free(pem);
		EVP_PKEY_free(pkey);
	}
}

/* One RSA key, two digests: the family alone is not the algorithm. */
Test(token_signature, rs512_under_an_rs256_key_is_refused)
{
	struct kit rs256, rs512;
	EVP_PKEY *pkey = kit_generate("RS256");
	char *pem = kit_pem(pkey, true);

	kit_config(&rs256, "RS256");
	kit_config(&rs512, "RS512");
	cr_assert_eq(
	    secret_set(&rs256.config.private_key, pem, strlen(pem)), 0);
	cr_assert_eq(
	    secret_set(&rs512.config.private_key, pem, strlen(pem)), 0);
	kit_ready(&rs256);
	kit_ready(&rs512);
	EXPECT(&rs256, kit_claims(&rs512, GOOD_PAYLOAD),
	    "The specified alg value is not allowed");
	EXPECT(&rs256, kit_token(&rs512, "{\"alg\":\"RS256\"}", GOOD_PAYLOAD),
	    REFUSED);
	EXPECT(&rs512, kit_claims(&rs512, GOOD_PAYLOAD), "");
	EXPECT(&rs256, kit_claims(&rs256, GOOD_PAYLOAD), "");
	kit_free(&rs256);
	kit_free(&rs512);
	free(pem);
	EVP_PKEY_free(pkey);
}

/* Signed with a key that the token brings along itself. */
Test(token_signature, embedded_key_is_not_trusted)
{
	static const char header[] =
	    "{\"alg\":\"HS256\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AAAA\"},"
	    "\"jku\":\"http://127.0.0.1:1/\",\"x5u\":\"http://127.0.0.1:1/\"}";
	struct kit ours, theirs;

	kit_hmac(&ours, "HS256");
	kit_config(&theirs, "HS256");
	cr_assert_eq(secret_set(&theirs.config.secret_key, "\0\0\0", 3), 0);
	kit_ready(&theirs);
	EXPECT(&ours, kit_token(&theirs, header, GOOD_PAYLOAD), REFUSED);
	EXPECT(&ours, kit_token(&ours, header, GOOD_PAYLOAD), "");
	kit_free(&ours);
	kit_free(&theirs);
}

/* The DER form that OpenSSL makes is not the one of RFC 7518. */
Test(token_signature, der_encoded_ecdsa_signature_is_refused)
{
	struct kit kit;
	uint8_t raw[SIGNATURE_MAX], der[256], *p = der;
	ECDSA_SIG *sig = ECDSA_SIG_new();
	char *token;
	int len;

	kit_pair(&kit, "ES256");
	token = kit_claims(&kit, GOOD_PAYLOAD);
	cr_assert_eq(signature_of(token, raw), 64);
	cr_assert_eq(ECDSA_SIG_set0(sig, BN_bin2bn(raw, 32, NULL),
			 BN_bin2bn(raw + 32, 32, NULL)),
	    1);
	len = i2d_ECDSA_SIG(sig, &p);
	cr_assert_gt(len, 0);
	EXPECT(&kit, with_signature(token, der, (size_t)len), REFUSED);
	EXPECT(&kit, token, "");
	ECDSA_SIG_free(sig);
	kit_free(&kit);
}

Test(token_signature, ecdsa_of_zeros_or_the_group_order_is_refused)
{
	static const uint8_t order[32] = {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0,
	    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
	    0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63,
	    0x25, 0x51};
	struct kit kit;
	uint8_t bad[64];
	char *token;

	kit_pair(&kit, "ES256");
	token = kit_claims(&kit, GOOD_PAYLOAD);
	memcpy(bad, order, 32);
	memcpy(bad + 32, order, 32);
	EXPECT(&kit, with_signature(token, bad, 64), REFUSED);
	memset(bad, 0, 32);
	EXPECT(&kit, with_signature(token, bad, 64), REFUSED);
	memset(bad, 0, 64);
	bad[31] = bad[63] = 1;
	EXPECT(&kit, with_signature(token, bad, 64), REFUSED);
	EXPECT(&kit, token, "");
	kit_free(&kit);
}

/* Payloads that libjwt cannot read are verified all the same, under every
 * algorithm, and not believed unsigned. */
Test(token_signature, payload_beyond_libjwt_is_verified_all_the_same)
{
	static const char *const payloads[] = {
	    "{" GOOD_CLAIMS ",\"x\":\"a\\u0000b\"}",
	    "{" GOOD_CLAIMS ",\"a\\u0000b\":1}",
	    "{" GOOD_CLAIMS ",\"x\":9223372036854775808}",
	    "{" GOOD_CLAIMS ",\"x\":1e400}",
	    "{" GOOD_CLAIMS ",\"x\":[-123456789012345678901234567890]}",
	    "{" GOOD_CLAIMS ",\"x\":1e-400}",
	    "{" GOOD_CLAIMS ",\"x\":\"\\\\u0000 \\\" 1e999\"}",
	};
	struct kit kit;
	char *token, *cut;
	uint8_t good[SIGNATURE_MAX + 1];
	size_t i, j, n;

	for (i = 0; i < ALGORITHMS; i++) {
		kit_any(&kit, algorithms[i]);
		for (j = 0; j < sizeof(payloads) / sizeof(payloads[0]); j++) {
			token = kit_claims(&kit, payloads[j]);
			cut = strdup(token);
			bend(strrchr(cut, '.') + 1);
			EXPECT(&kit, cut, REFUSED);
			cut = strdup(token);
			strrchr(cut, '.')[1] = '\0';
			EXPECT(&kit, cut, REFUSED);
			memset(good, 0, sizeof(good));
			n = signature_of(token, good);
			EXPECT(
			    &kit, with_signature(token, good, n + 1), REFUSED);
			EXPECT(
			    &kit, with_signature(token, good, n - 1), REFUSED);
			EXPECT(&kit, token, "");
		}
		kit_free(&kit);
	}
}

/* Everything libjwt is asked to carry it does carry: each length of payload,
 * so that every place in its base64 code is passed. */
Test(token_signature, every_length_of_payload_verifies)
{
	struct kit kit;
	char payload[1024];
	size_t at, n;

	kit_hmac(&kit, "HS256");
	at = (size_t)snprintf(
	    payload, sizeof(payload), "{" GOOD_CLAIMS ",\"x\":\"");
	for (n = 0; n < 400; n++) {
		(void)snprintf(payload + at + n, 3, "\"}");
		EXPECT(&kit, kit_claims(&kit, payload), "");
		payload[at + n] = (char)('a' + n % 26);
	}
	kit_free(&kit);
}

/* base64url text to a big number. */
static BIGNUM *
number(const char *text)
{
	uint8_t data[512];
	size_t len;

	cr_assert_eq(base64url_decode(text, strlen(text), data, &len), 0);
	return (BN_bin2bn(data, (int)len, NULL));
}

static EVP_PKEY *
public_from(const char *type, OSSL_PARAM_BLD *build)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *pkey = NULL;

	cr_assert_eq(EVP_PKEY_fromdata_init(ctx), 1);
	cr_assert_eq(
	    EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params), 1);
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	return (pkey);
}

/* Ready to verify with a public key at the time of RFC 7515's tokens. */
static void
kit_public(struct kit *kit, const char *algorithm, EVP_PKEY *pkey)
{
	char *pem = kit_pem(pkey, false);

	kit_config(kit, algorithm);
	cr_assert_eq(secret_set(&kit->config.public_key, pem, strlen(pem)), 0);
	kit_ready(kit);
	kit->now = RFC7515_NOW;
	free(pem);
	EVP_PKEY_free(pkey);
}

/* A vector gets past its signature, to the claim it lacks, and a changed one
 * does not. */
static void
check_vector(struct kit *kit, const char *token)
{
	char *changed = strdup(token);

	EXPECT(kit, strdup(token), "Missing claim: sub");
	bend(strrchr(changed, '.') + 5);
	EXPECT(kit, changed, REFUSED);
	kit_free(kit);
}

Test(token_signature, rfc7515_a1_hs256)
{
	uint8_t secret[64];
	struct kit kit;
	size_t len;

	cr_assert_eq(base64url_decode(
			 RFC7515_A1_KEY, strlen(RFC7515_A1_KEY), secret, &len),
	    0);
	kit_config(&kit, "HS256");
	cr_assert_eq(secret_set(&kit.config.secret_key, secret, len), 0);
	kit_ready(&kit);
	kit.now = RFC7515_NOW;
	check_vector(&kit, RFC7515_A1_TOKEN);
}

Test(token_signature, rfc7515_a2_rs256)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	BIGNUM *n = number(RFC7515_A2_N), *e = number(RFC7515_A2_E);
	struct kit kit;

	OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n);
	OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e);
	kit_public(&kit, "RS256", public_from("RSA", build));
	check_vector(&kit, RFC7515_A2_TOKEN);
	BN_free(n);
	BN_free(e);
}

Test(token_signature, rfc7515_a3_es256)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	uint8_t point[65] = {4};
	struct kit kit;
	size_t len;

	cr_assert_eq(base64url_decode(
			 RFC7515_A3_X, strlen(RFC7515_A3_X), point + 1, &len),
	    0);
	cr_assert_eq(base64url_decode(
			 RFC7515_A3_Y, strlen(RFC7515_A3_Y), point + 33, &len),
	    0);
	OSSL_PARAM_BLD_push_utf8_string(
	    build, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0);
	OSSL_PARAM_BLD_push_octet_string(
	    build, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point));
	kit_public(&kit, "ES256", public_from("EC", build));
	check_vector(&kit, RFC7515_A3_TOKEN);
}
