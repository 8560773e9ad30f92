#include <openssl/ec.h>
#include <openssl/x509.h>

#include "base/log.h"
#include "token_kit.h"

static char last_line[LOG_LINE_MAX];
static int warnings;

static void
count_line(enum log_level level, const char *line, void *ctx)
{
	(void)ctx;
	if (level == LOG_LEVEL_WARNING)
		warnings++;
	(void)snprintf(last_line, sizeof(last_line), "%s", line);
}

static void
setup(void)
{
	cr_assert_eq(secret_init(), 0);
	jdoc_init();
	warnings = 0;
	last_line[0] = '\0';
	log_open(count_line, NULL, LOG_LEVEL_DEBUG);
}

TestSuite(keys, .init = setup, .timeout = 120);

/* Load a key of these texts (NULL: none). */
static struct key *
load(const char *algorithm, enum config_flavor flavor, const char *secret,
    const char *private_pem, const char *public_pem, char *error)
{
	char name[16];
	struct config c;
	struct key *k;

	memset(&c, 0, sizeof(c));
	(void)snprintf(name, sizeof(name), "%s", algorithm);
	c.flavor = flavor;
	c.algorithm = name;
	if (secret != NULL)
		cr_assert_eq(
		    secret_set(&c.secret_key, secret, strlen(secret)), 0);
	if (private_pem != NULL)
		cr_assert_eq(secret_set(&c.private_key, private_pem,
				 strlen(private_pem)),
		    0);
	if (public_pem != NULL)
		cr_assert_eq(
		    secret_set(&c.public_key, public_pem, strlen(public_pem)),
		    0);
	memset(error, 'x', KEY_ERROR_MAX);
	k = key_from_config(&c, error);
	if (k == NULL)
		cr_expect_lt(strnlen(error, KEY_ERROR_MAX), KEY_ERROR_MAX);
	else
		cr_expect_str_eq(key_algorithm(k), algorithm);
	secret_free(&c.secret_key);
	secret_free(&c.private_key);
	secret_free(&c.public_key);
	return (k);
}

static void
expect_loaded(const char *algorithm, const char *secret,
    const char *private_pem, const char *public_pem, bool signs)
{
	char error[KEY_ERROR_MAX];
	struct key *k;

	k = load(
	    algorithm, CONFIG_PROD, secret, private_pem, public_pem, error);
	cr_assert_not_null(k, "%s", error);
	cr_expect_eq(key_can_sign(k), signs);
	key_free(k);
}

/* Refused in both flavours, with this word in the explanation. */
static void
expect_refused(const char *algorithm, const char *secret,
    const char *private_pem, const char *public_pem, const char *word)
{
	char error[KEY_ERROR_MAX];

	cr_expect_null(load(
	    algorithm, CONFIG_DEV, secret, private_pem, public_pem, error));
	cr_expect_not_null(strstr(error, word), "%s", error);
	cr_expect_null(load(
	    algorithm, CONFIG_PROD, secret, private_pem, public_pem, error));
	cr_expect_not_null(strstr(error, word), "%s", error);
	if (private_pem != NULL && strlen(private_pem) > 100)
		cr_expect_null(strstr(error, "MII"));
}

Test(keys, secret_as_long_as_its_hash_is_taken)
{
	static const struct {
		const char *algorithm;
		size_t least;
	} rows[] = {{"HS256", 32}, {"HS384", 48}, {"HS512", 64}};
	char secret[65], error[KEY_ERROR_MAX];
	struct key *k;
	size_t i;

	for (i = 0; i < 3; i++) {
		memset(secret, 's', sizeof(secret));
		secret[rows[i].least] = '\0';
		expect_loaded(rows[i].algorithm, secret, NULL, NULL, true);
		cr_expect_eq(warnings, (int)i);
		secret[rows[i].least - 1] = '\0';
		k = load(
		    rows[i].algorithm, CONFIG_PROD, secret, NULL, NULL, error);
		cr_expect_null(k);
		cr_expect_not_null(strstr(error, "JWT_SECRET_KEY"));
		cr_expect_null(strstr(error, "sss"));
		k = load(
		    rows[i].algorithm, CONFIG_DEV, secret, NULL, NULL, error);
		cr_expect_not_null(k);
		cr_expect_eq(warnings, (int)i + 1);
		cr_expect_not_null(strstr(last_line, "JWT_SECRET_KEY"));
		cr_expect_null(strstr(last_line, "sss"));
		key_free(k);
	}
	key_free(NULL);
}

Test(keys, empty_or_absent_secret_is_refused)
{
	expect_refused("HS256", NULL, NULL, NULL, "JWT_SECRET_KEY");
	expect_refused("HS256", "", NULL, NULL, "JWT_SECRET_KEY");
}

Test(keys, pem_text_as_hmac_secret_is_refused)
{
	EVP_PKEY *pkey = kit_generate("ES256");
	char *private_pem = kit_pem(pkey, true);
	char *public_pem = kit_pem(pkey, false);

	expect_refused("HS256", public_pem, NULL, NULL, "PEM");
	expect_refused("HS256", private_pem, NULL, NULL, "PEM");
	expect_loaded("ES256", NULL, private_pem, NULL, true);
	free(private_pem);
	free(public_pem);
	EVP_PKEY_free(pkey);
}

Test(keys, unknown_algorithms_are_refused)
{
	static const char *const names[] = {
	    "none", "", "hs256", "HS1", "PS256", "ES256K", "EdDSA", "HS256 "};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		expect_refused(
		    names[i], KIT_SECRET, NULL, NULL, "JWT_ALGORITHM");
}

Test(keys, private_key_public_key_or_both_are_taken)
{
	static const char *const names[] = {
	    "RS256", "RS384", "RS512", "ES256", "ES384", "ES512"};
	char *private_pem, *public_pem;
	EVP_PKEY *pkey;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		pkey = kit_generate(names[i]);
		private_pem = kit_pem(pkey, true);
		public_pem = kit_pem(pkey, false);
		expect_loaded(names[i], NULL, private_pem, NULL, true);
		expect_loaded(names[i], NULL, NULL, public_pem, false);
		expect_loaded(names[i], NULL, private_pem, public_pem, true);
		free(private_pem);
		free(public_pem);
		EVP_PKEY_free(pkey);
	}
}

Test(keys, halves_of_two_keys_are_refused)
{
	EVP_PKEY *one = kit_generate("ES256"), *two = kit_generate("ES256");
	char *private_pem = kit_pem(one, true), *other = kit_pem(two, false);

	expect_refused("ES256", NULL, private_pem, other, "does not belong to");
	free(private_pem);
	free(other);
	EVP_PKEY_free(one);
	EVP_PKEY_free(two);
}

Test(keys, key_of_another_kind_is_refused)
{
	EVP_PKEY *rsa = kit_generate("RS256"), *ec = kit_generate("ES256");
	EVP_PKEY *ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	char *rsa_pem = kit_pem(rsa, true), *ec_pem = kit_pem(ec, true);
	char *ed_pem = kit_pem(ed, true), *rsa_pub = kit_pem(rsa, false);
	char *ec_pub = kit_pem(ec, false);

	expect_refused("RS256", NULL, ec_pem, NULL, "RSA");
	expect_refused("RS256", NULL, NULL, ec_pub, "RSA");
	expect_refused("RS256", NULL, ed_pem, NULL, "RSA");
	expect_refused("ES256", NULL, rsa_pem, NULL, "elliptic");
	expect_refused("ES256", NULL, NULL, rsa_pub, "elliptic");
	expect_refused("ES256", NULL, ed_pem, NULL, "elliptic");
	expect_refused("RS256", NULL, rsa_pem, ec_pub, "RSA");
	expect_loaded("RS256", NULL, rsa_pem, rsa_pub, true);
	expect_loaded("ES256", NULL, ec_pem, ec_pub, true);
	free(rsa_pem);
	free(ec_pem);
	free(ed_pem);
	free(rsa_pub);
	free(ec_pub);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(ec);
	EVP_PKEY_free(ed);
}

Test(keys, rsa_pss_key_is_refused)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
	EVP_PKEY *pkey = NULL;
	char *pem;

	cr_assert_eq(EVP_PKEY_keygen_init(ctx), 1);
	cr_assert_eq(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 2048), 1);
	cr_assert_eq(EVP_PKEY_keygen(ctx, &pkey), 1);
	EVP_PKEY_CTX_free(ctx);
	pem = kit_pem(pkey, true);
	expect_refused("RS256", NULL, pem, NULL, "RSA");
	free(pem);
	EVP_PKEY_free(pkey);
}

Test(keys, curve_has_to_be_the_algorithms)
{
	static const char *const curves[] = {
	    "P-256", "P-384", "P-521", "secp256k1", "brainpoolP256r1"};
	static const char *const names[] = {"ES256", "ES384", "ES512"};
	EVP_PKEY *pkey;
	size_t i, j;
	char *pem;

	for (i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
		pkey = EVP_EC_gen(curves[i]);
		cr_assert_not_null(pkey);
		pem = kit_pem(pkey, true);
		for (j = 0; j < 3; j++) {
			if (i == j)
				expect_loaded(names[j], NULL, pem, NULL, true);
			else
				expect_refused(
				    names[j], NULL, pem, NULL, "curve");
		}
		free(pem);
		EVP_PKEY_free(pkey);
	}
}

Test(keys, curve_spelt_out_in_numbers_is_refused)
{
	EVP_PKEY *pkey = EVP_EC_gen("P-256");
	char *pem;

	cr_assert_eq(
	    EVP_PKEY_set_utf8_string_param(pkey, "encoding", "explicit"), 1);
	pem = kit_pem(pkey, true);
	expect_refused("ES256", NULL, pem, NULL, "curve");
	free(pem);
	EVP_PKEY_free(pkey);
}

Test(keys, short_rsa_keys_are_refused_or_warned_about)
{
	static const struct {
		unsigned int bits;
		bool taken;
		int warnings;
	} rows[] = {{1024, false, 0}, {2047, false, 0}, {2048, true, 1},
	    {3071, true, 1}, {3072, true, 0}};
	char error[KEY_ERROR_MAX], *pem;
	EVP_PKEY *pkey;
	struct key *k;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		pkey = EVP_RSA_gen(rows[i].bits);
		cr_assert_not_null(pkey);
		pem = kit_pem(pkey, true);
		warnings = 0;
		k = load("RS256", CONFIG_PROD, NULL, pem, NULL, error);
		cr_expect_eq(k != NULL, rows[i].taken, "%u bits: %s",
		    rows[i].bits, error);
		cr_expect_eq(warnings, rows[i].warnings);
		key_free(k);
		free(pem);
		EVP_PKEY_free(pkey);
	}
}

/* With a terminal OpenSSL would ask for the passphrase and wait. */
Test(keys, encrypted_key_is_refused_without_a_question)
{
	EVP_PKEY *pkey = kit_generate("ES256");
	BIO *bio = BIO_new(BIO_s_mem());
	char *data, *pem;
	long len;

	cr_assert_eq(PEM_write_bio_PKCS8PrivateKey(
			 bio, pkey, EVP_aes_128_cbc(), "secret", 6, NULL, NULL),
	    1);
	len = BIO_get_mem_data(bio, &data);
	pem = strndup(data, (size_t)len);
	expect_refused("ES256", NULL, pem, NULL, "encrypted");
	free(pem);
	(void)BIO_reset(bio);
	cr_assert_eq(
	    PEM_write_bio_PrivateKey_traditional(bio, pkey, EVP_aes_128_cbc(),
		(const uint8_t *)"secret", 6, NULL, NULL),
	    1);
	len = BIO_get_mem_data(bio, &data);
	pem = strndup(data, (size_t)len);
	expect_refused("ES256", NULL, pem, NULL, "encrypted");
	free(pem);
	BIO_free(bio);
	EVP_PKEY_free(pkey);
}

Test(keys, text_that_is_no_key_is_refused)
{
	EVP_PKEY *pkey = kit_generate("ES256");
	char *private_pem = kit_pem(pkey, true), *cut;
	char *public_pem = kit_pem(pkey, false);

	expect_refused("ES256", NULL, NULL, NULL, "JWT_PRIVATE_KEY");
	expect_refused("RS256", KIT_SECRET, NULL, NULL, "JWT_PRIVATE_KEY");
	expect_refused("ES256", NULL, "x", NULL, "JWT_PRIVATE_KEY");
	expect_refused("ES256", NULL, NULL, "x", "JWT_PUBLIC_KEY");
	expect_refused("ES256", NULL, public_pem, NULL, "no private key");
	expect_refused("ES256", NULL, NULL, private_pem, "private key");
	cut = strdup(private_pem);
	cut[strlen(cut) / 2] = '\0';
	expect_refused("ES256", NULL, cut, NULL, "JWT_PRIVATE_KEY");
	free(cut);
	free(private_pem);
	free(public_pem);
	EVP_PKEY_free(pkey);
}

/* The other usual forms of PEM: PKCS#1, SEC1 and a certificate. */
Test(keys, other_forms_of_pem_are_taken)
{
	EVP_PKEY *rsa = kit_generate("RS256"), *ec = kit_generate("ES256");
	BIO *bio = BIO_new(BIO_s_mem());
	X509 *cert = X509_new();
	char *data, *pem;
	long len;

	cr_assert_eq(PEM_write_bio_PrivateKey_traditional(
			 bio, rsa, NULL, NULL, 0, NULL, NULL),
	    1);
	len = BIO_get_mem_data(bio, &data);
	pem = strndup(data, (size_t)len);
	cr_assert_not_null(strstr(pem, "BEGIN RSA PRIVATE KEY"));
	expect_loaded("RS256", NULL, pem, NULL, true);
	free(pem);

	(void)BIO_reset(bio);
	cr_assert_eq(PEM_write_bio_PrivateKey_traditional(
			 bio, ec, NULL, NULL, 0, NULL, NULL),
	    1);
	len = BIO_get_mem_data(bio, &data);
	pem = strndup(data, (size_t)len);
	cr_assert_not_null(strstr(pem, "BEGIN EC PRIVATE KEY"));
	expect_loaded("ES256", NULL, pem, NULL, true);
	free(pem);

	(void)BIO_reset(bio);
	cr_assert_eq(X509_set_pubkey(cert, ec), 1);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	cr_assert_gt(X509_sign(cert, ec, EVP_sha256()), 0);
	cr_assert_eq(PEM_write_bio_X509(bio, cert), 1);
	len = BIO_get_mem_data(bio, &data);
	pem = strndup(data, (size_t)len);
	expect_loaded("ES256", NULL, NULL, pem, false);
	free(pem);
	X509_free(cert);
	BIO_free(bio);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(ec);
}

/* The key of that text, and one drawn from it. */
static void
derive(const char *algorithm, const char *secret, const char *pem,
    const char *purpose, uint8_t out[16])
{
	char error[KEY_ERROR_MAX];
	struct key *k;

	k = load(algorithm, CONFIG_PROD, secret, pem, NULL, error);
	cr_assert_not_null(k, "%s", error);
	key_derive(k, purpose, out, 16);
	key_free(k);
}

/* However it is written down on each of the nodes that have it. */
Test(keys, a_derived_key_is_the_same_wherever_there_is_the_key)
{
	static const char first[] = "0123456789abcdef0123456789abcdef";
	static const char second[] = "0123456789abcdef0123456789abcdeg";
	static const char purpose[] = "a purpose of sixteen";
	EVP_PKEY *ec = EVP_EC_gen("P-256");
	BIO *bio = BIO_new(BIO_s_mem());
	uint8_t keys[2][16];
	char *pem, *data;
	long len;

	derive("HS256", first, NULL, purpose, keys[0]);
	derive("HS256", first, NULL, purpose, keys[1]);
	cr_expect_arr_eq(keys[0], keys[1], 16);
	derive("HS256", second, NULL, purpose, keys[1]);
	cr_expect_arr_neq(keys[0], keys[1], 16);
	derive("HS256", first, NULL, "one other purpose", keys[1]);
	cr_expect_arr_neq(keys[0], keys[1], 16);

	cr_assert_eq(PEM_write_bio_PrivateKey_traditional(
			 bio, ec, NULL, NULL, 0, NULL, NULL),
	    1);
	len = BIO_get_mem_data(bio, &data);
	cr_assert_not_null(pem = strndup(data, (size_t)len));
	derive("ES256", NULL, pem, purpose, keys[0]);
	free(pem);
	(void)BIO_reset(bio);
	cr_assert_eq(
	    PEM_write_bio_PKCS8PrivateKey(bio, ec, NULL, NULL, 0, NULL, NULL),
	    1);
	len = BIO_get_mem_data(bio, &data);
	cr_assert_not_null(pem = strndup(data, (size_t)len));
	derive("ES256", NULL, pem, purpose, keys[1]);
	cr_expect_arr_eq(keys[0], keys[1], 16);
	free(pem);
	BIO_free(bio);
	EVP_PKEY_free(ec);
}

/* Of a key that has to be taken. */
static uint32_t
number_of(const char *algorithm, const char *secret, const char *private_pem,
    const char *public_pem)
{
	char error[KEY_ERROR_MAX];
	uint32_t number;
	struct key *k;

	k = load(
	    algorithm, CONFIG_PROD, secret, private_pem, public_pem, error);
	cr_assert_not_null(k, "%s", error);
	number = key_fingerprint(k);
	cr_expect_neq(number, 0);
	key_free(k);
	return (number);
}

Test(keys, fingerprint_of_a_secret_is_that_of_this_secret_and_algorithm)
{
	char secret[65], other[65];
	uint32_t number;

	memset(secret, 's', sizeof(secret));
	secret[64] = '\0';
	(void)memcpy(other, secret, sizeof(other));
	other[63] = 't';
	number = number_of("HS256", secret, NULL, NULL);
	cr_expect_eq(number_of("HS256", secret, NULL, NULL), number);
	cr_expect_neq(number_of("HS256", other, NULL, NULL), number);
	cr_expect_neq(number_of("HS512", secret, NULL, NULL), number);
	/* It is kept in files, and has to be the same in the next release. */
	cr_expect_eq(number, UINT32_C(0xf9c55d14), "%08x", number);
}

Test(keys, fingerprint_of_a_public_key_is_that_of_its_private_key)
{
	static const char *const rows[] = {"RS256", "ES256", "ES384", "ES512"};
	char *private_pem, *public_pem, *other_pem;
	EVP_PKEY *pkey, *other;
	uint32_t number;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		pkey = kit_generate(rows[i]);
		other = kit_generate(rows[i]);
		private_pem = kit_pem(pkey, true);
		public_pem = kit_pem(pkey, false);
		other_pem = kit_pem(other, false);
		number = number_of(rows[i], NULL, private_pem, NULL);
		cr_expect_eq(
		    number_of(rows[i], NULL, NULL, public_pem), number);
		cr_expect_eq(
		    number_of(rows[i], NULL, private_pem, public_pem), number);
		cr_expect_neq(
		    number_of(rows[i], NULL, NULL, other_pem), number);
		free(private_pem);
		free(public_pem);
		free(other_pem);
		EVP_PKEY_free(pkey);
		EVP_PKEY_free(other);
	}
}

/* A point of a curve may be written with one coordinate alone. */
Test(keys, fingerprint_is_the_same_however_a_key_is_written)
{
	EVP_PKEY *pkey = kit_generate("ES256");
	char *whole = kit_pem(pkey, false), *private_pem, *public_pem;
	uint32_t number = number_of("ES256", NULL, NULL, whole);

	cr_assert_eq(
	    EVP_PKEY_set_utf8_string_param(pkey, "point-format", "compressed"),
	    1);
	private_pem = kit_pem(pkey, true);
	public_pem = kit_pem(pkey, false);
	cr_assert_lt(strlen(public_pem), strlen(whole));
	cr_expect_eq(number_of("ES256", NULL, NULL, public_pem), number);
	cr_expect_eq(number_of("ES256", NULL, private_pem, NULL), number);
	cr_expect_eq(number_of("ES256", NULL, private_pem, whole), number);
	free(private_pem);
	free(public_pem);
	free(whole);
	EVP_PKEY_free(pkey);
}
