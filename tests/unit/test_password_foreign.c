/*
 * Hashes of other programs: each was made by the program that it is named
 * after (Debian 12's packages), or with hashlib where Debian's release does not
 * write that kind yet. Right and wrong passwords, texts that were cut off or
 * tampered with, and texts whose cost nobody should pay.
 */
#include <sys/resource.h>

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "auth/password.h"
#include "base/secret.h"

#define PLAIN "space-corgi"
#define WIDE                                                                   \
	"Gr\xc3\xbc\xc3\x9f"                                                   \
	"e-\xf0\x9f\x90\x95-corgi"

/* Room for a text of these tests (bytes). */
#define TEXT_MAX 1024

struct vector {
	const char *origin;
	const char *password;
	const char *hash;
};

static const struct vector vectors[] = {
    {"python3-bcrypt", PLAIN,
	"$2b$04$aeg8L9/4peVe.YuCXYIqyOmFIELqx7Z3g.g.NnW6nOyBjx5lDxuzy"},
    {"python3-bcrypt", WIDE,
	"$2b$04$m6V1rIEoa9SjP7sYQH7TzOjbSTPCsUdIq0rrPmwWuwugcayJEFm8W"},
    {"python3-bcrypt, $2a$", PLAIN,
	"$2a$04$qWmgRJStDENCTF.clCGaL.lpUWxcx28JUcyxpEgEjn76qMn3MLsiS"},
    {"python3-bcrypt, $2a$", WIDE,
	"$2a$04$nYg3SQGLNU75r.abdFEFsOn08Nv9I9JDYmBJqALnrAltHCRkI69qS"},
    {"passlib, $2y$", PLAIN,
	"$2y$04$DhIazMQxO4plhPrCRxpegOabhQzd7Tel5D.npPd3tYXt5Uq2a.7ru"},
    {"passlib, $2y$", WIDE,
	"$2y$04$guZzsohCzj3hqxZDxCiHgOHmhOXX.ci/3dDV1W1inw6OSrvbXvgEu"},
    {"Werkzeug, SHA-256", PLAIN,
	"pbkdf2:sha256:1000$0Hmz05AHczsvIuQS$0634ba9ab188aeffee52682e"
	"7493e1162c646920f54bc3f52ae66b151cf843f9"},
    {"Werkzeug, SHA-256", WIDE,
	"pbkdf2:sha256:1000$xAxNstsZ5AbHcWak$55673574b154e0b373ee9f54"
	"ba9e5c5581a7a9f04e922aef4850976a81312b9a"},
    {"Werkzeug, SHA-1", PLAIN,
	"pbkdf2:sha1:1000$lqexzofq8kzFXTdm$05b202a62b31afa2c8e2d8aa0a"
	"f3efb9eb5a21dd"},
    {"Werkzeug, SHA-1", WIDE,
	"pbkdf2:sha1:1000$fZOeVqtOBJIO9VWr$016d8813cb03a13991fb532e33"
	"6106b7e2dad334"},
    {"Werkzeug, SHA-512", PLAIN,
	"pbkdf2:sha512:1000$2MJGw3xqn6rJKB03$f57623ebe36db2200967c3ea"
	"c37ca6b8764d7eb2015f67290c61ed0747ae396c24671d7175a05882d581"
	"b9638d8223f0d777330d68cca485bde35d5f4e042204"},
    {"Werkzeug, SHA-512", WIDE,
	"pbkdf2:sha512:1000$L3tWPqlTYUytDdYA$044eca39efac5b20278211d7"
	"aaaf1b95ad018a85e7eeb0eb231a689f57f8f9be094081fb283ffc49cc0b"
	"2a8ca337cd64951693fc0dbaedfa9fd04a25af9a4087"},
    {"hashlib, as Werkzeug writes scrypt", PLAIN,
	"scrypt:1024:8:1$k7WmQzR1xT0aBcDe$f35dc051276615be1eecc9c7eb3"
	"54dad4076d638f7b954eadb418e0ab2ec5cc7ee215b24023e92207d63354"
	"0b52a857782b0cbf47b385b8e2462912842ef9890"},
    {"hashlib, as Werkzeug writes scrypt", WIDE,
	"scrypt:1024:8:1$k7WmQzR1xT0aBcDe$78364dd781728ac05004d871abb"
	"7ccfe90ada342c67eff254c260c992334acf7dce3c5be2cbd9e4e6c323a7"
	"872b6d91191bafcab59a57a9087e25ed51567bc2f"},
    {"hashlib, as Django writes scrypt", PLAIN,
	"scrypt$1024$Vq2nTz81LmXoPaRs7YbC4d$8$2$n7atOo/MHvHPG/1BWxZHe"
	"wvvdgD/2s5atAPBDCbMQFZHqRPhbWoUhX0dvkiybl3TnIr0609K91tYsgAcl"
	"1iNVA=="},
    {"hashlib, as Django writes scrypt", WIDE,
	"scrypt$1024$Vq2nTz81LmXoPaRs7YbC4d$8$2$W9XIU9KIjacYKqyqxeFQP"
	"rSCC0oNbO6qz90MuYBO3LE4vpM9NjxfP+BW3Jo/FypB+/T/93+phkhjVPRvR"
	"/Xl7A=="},
    {"Django, PBKDF2", PLAIN,
	"pbkdf2_sha256$1000$seasaltandpepper$H1hZmNvDxp6b6hgCG9PInW1F"
	"SyUgLiCaiyteVUEoHbU="},
    {"Django, PBKDF2", WIDE,
	"pbkdf2_sha256$1000$seasaltandpepper$NFoq4Bdw7VaMrJznEdhd7XIt"
	"TKAIsfeliKCze5pvA+Q="},
    {"Django, PBKDF2 with SHA-1", PLAIN,
	"pbkdf2_sha1$1000$seasaltandpepper$UhJ76ynJ0juqkPO2zU2f8Zhg8o"
	"M="},
    {"Django, PBKDF2 with SHA-1", WIDE,
	"pbkdf2_sha1$1000$seasaltandpepper$pKX1o+d2Yg4QCfFw3jCcBrTCMo"
	"Q="},
    {"Django, argon2 with eight lanes", PLAIN,
	"argon2$argon2id$v=19$m=1024,t=2,p=8$c2Vhc2FsdGFuZHBlcHBlcg$W"
	"wgv/lgUjzDhKV4cRDVZYg"},
    {"Django, argon2 with eight lanes", WIDE,
	"argon2$argon2id$v=19$m=1024,t=2,p=8$c2Vhc2FsdGFuZHBlcHBlcg$A"
	"VglR3fBiICYCOjryMaxqw"},
    {"Django, bcrypt of the SHA-256", PLAIN,
	"bcrypt_sha256$$2b$04$2tb2Eogl4q6y9Pp/ZKnaiuRQB3Xl7aG.kwrTgxb"
	"Y5zpHKKgWus6t6"},
    {"Django, bcrypt of the SHA-256", WIDE,
	"bcrypt_sha256$$2b$04$4l/tHk4HgQ6VDa0KkR7EJOe8GafBtBDuEBD1VJx"
	"DZid7kzUDFEax2"},
    {"Django, bcrypt", PLAIN,
	"bcrypt$$2b$04$93kqyWhCkZkO7k2qRtN1Iut.7CMNVNDz0eijPsHRHuZwVH"
	"NpFM0WS"},
    {"Django, bcrypt", WIDE,
	"bcrypt$$2b$04$M81ovYCgMio8dFIIJ1BM5ehS1R3NQxpZb0bJiI7J7CnwZn"
	"/kuvUiy"},
    {"argon2-cffi, four lanes", PLAIN,
	"$argon2id$v=19$m=256,t=2,p=4$jI+fiN+OcdC+Vw4i34MNIA$MoWkxOPG"
	"J7XGxbA8XFh8Kg"},
    {"argon2-cffi, four lanes", WIDE,
	"$argon2id$v=19$m=256,t=2,p=4$jIy2EWgUS+aMXzNJSMOIZg$VZuTnJMf"
	"DpsHlEh+N4VlHQ"},
    {"argon2-cffi, argon2i", PLAIN,
	"$argon2i$v=19$m=512,t=2,p=2$RIMtIuG+tCKwRfYcc42wqg$MWfCkvM/9"
	"H97wvICU0cqZA"},
    {"argon2-cffi, argon2i", WIDE,
	"$argon2i$v=19$m=512,t=2,p=2$asiY5UJ5Cxn2GkLcp0LeKg$UmG7oaGyH"
	"s+0nfPkqgSgbg"},
    {"passlib, argon2id", PLAIN,
	"$argon2id$v=19$m=128,t=1,p=1$iVFKyZlTKqU0Rmit9T6nVA$rrMSvVwa"
	"S6lREQPdn5RWWQ"},
    {"passlib, argon2id", WIDE,
	"$argon2id$v=19$m=128,t=1,p=1$Wuud835vzTmnNGYsZYxxDg$eBAsyDcv"
	"tRwSJp+GcvqgWQ"},
    {"passlib, PBKDF2 with SHA-1", PLAIN,
	"$pbkdf2$1000$PQfAWIvxXgvBOAcAQMgZ4w$v0QqunVJ0TJNgCHZzg/jKNni"
	"2eg"},
    {"passlib, PBKDF2 with SHA-1", WIDE,
	"$pbkdf2$1000$kXIO4TyHMGaMsXaulbLW.g$PtpH1pflbbt4N23Zr1nFb1mM"
	"jEs"},
    {"passlib, PBKDF2 with SHA-256", PLAIN,
	"$pbkdf2-sha256$1000$nFPK2XuvVcp57x1jjPFeKw$WnlYzqEFjOmFj3a7M"
	"khgC5.3xrf4ZKb4vp5CacC7MXc"},
    {"passlib, PBKDF2 with SHA-256", WIDE,
	"$pbkdf2-sha256$1000$3bsXIgSAcG7N.R8jZGwt5Q$5ORuFWCImwV0RFDdU"
	"TuM8nUWtcMhmVyMOFQXU8ad2y8"},
    {"passlib, PBKDF2 with SHA-512", PLAIN,
	"$pbkdf2-sha512$1000$vtcao9SaU2qNMYZwbi2lFA$/E6Emk49EbxPnSC.v"
	"VLWa6oKOMjjg4kOjqnn9UM55jYe7aippA4wJ/Bqw5FWWon7FlmyGBfkz2535"
	"LAzz5wfiQ"},
    {"passlib, PBKDF2 with SHA-512", WIDE,
	"$pbkdf2-sha512$1000$aY1RynnvPQdgLAUAYMxZqw$nHP993RaKjcBtwu8I"
	"elIcvpZJrB9sXZ0zXIAEaN3p.Gbhpcq15AzvfCNIj71TIXeM2jm1olBe9Pj8"
	"UyOHxHtHw"},
    {"passlib, as Django writes PBKDF2", PLAIN,
	"pbkdf2_sha256$1000$aGvlMoqHzxwh$foHpb8VfPgtGsVDoKAc51Z/ZmMct"
	"+nZi2ukON4TnNTo="},
    {"passlib, as Django writes PBKDF2", WIDE,
	"pbkdf2_sha256$1000$KBPXYEz5V659$9e5k8kMQoeGKnyzWc03Gp39Tj/KX"
	"qHLQ22ifhj6YImY="},
};

#define VECTORS (sizeof(vectors) / sizeof(vectors[0]))

static const struct password_cost cheap = {64, 1};

static void prepare(void);
static int fits(const char *, const char *);

static void
prepare(void)
{
	cr_assert_eq(secret_init(), 0);
}

TestSuite(password_foreign, .init = prepare, .timeout = 60);

static int
fits(const char *hash, const char *password)
{
	return (password_verify(hash, password, strlen(password)));
}

Test(password_foreign, the_password_fits_and_no_other)
{
	char other[TEXT_MAX];
	size_t i, len;

	for (i = 0; i < VECTORS; i++) {
		const struct vector *v = &vectors[i];

		cr_expect_eq(fits(v->hash, v->password), 1, "%s", v->origin);
		len = strlen(v->password);
		(void)snprintf(other, sizeof(other), "%s", v->password);
		other[len - 1] ^= 1;
		cr_expect_eq(fits(v->hash, other), 0, "%s", v->origin);
		cr_expect_eq(password_verify(v->hash, v->password, len - 1), 0,
		    "%s", v->origin);
		(void)snprintf(other, sizeof(other), "%s ", v->password);
		cr_expect_eq(fits(v->hash, other), 0, "%s", v->origin);
		cr_expect_eq(
		    password_verify(v->hash, NULL, 0), 0, "%s", v->origin);
	}
}

Test(password_foreign, what_comes_from_elsewhere_is_hashed_anew)
{
	char own[PASSWORD_HASH_MAX];
	size_t i;

	for (i = 0; i < VECTORS; i++) {
		cr_expect(password_hash_usable(vectors[i].hash), "%s",
		    vectors[i].origin);
		cr_expect(password_needs_rehash(&cheap, vectors[i].hash), "%s",
		    vectors[i].origin);
	}
	cr_assert_eq(password_hash(&cheap, "x", 1, own), 0);
	cr_expect_not(password_needs_rehash(&cheap, own));
}

/* scrypt's and PBKDF2's shorter results are the beginnings of longer ones. */
Test(password_foreign, a_text_that_was_cut_off_does_not_fit)
{
	char cut[TEXT_MAX];
	size_t i, len;

	for (i = 0; i < VECTORS; i += 2) {
		const struct vector *v = &vectors[i];

		for (len = 0; len < strlen(v->hash); len++) {
			(void)snprintf(
			    cut, sizeof(cut), "%.*s", (int)len, v->hash);
			cr_expect_eq(fits(cut, v->password), 0, "%s", cut);
			cr_expect(strstr(cut, "argon2i") != NULL ||
				!password_hash_usable(cut),
			    "%s", cut);
		}
	}
}

Test(password_foreign, nothing_may_stand_around_a_hash)
{
	static const char *const behind[] = {
	    "A", "0", "$", "=", "\n", " ", "$a"};
	char text[TEXT_MAX];
	size_t i, j;

	for (i = 0; i < VECTORS; i++) {
		const struct vector *v = &vectors[i];

		for (j = 0; j < sizeof(behind) / sizeof(behind[0]); j++) {
			(void)snprintf(
			    text, sizeof(text), "%s%s", v->hash, behind[j]);
			cr_expect_eq(fits(text, v->password), 0, "%s", text);
		}
		(void)snprintf(text, sizeof(text), " %s", v->hash);
		cr_expect_not(password_hash_usable(text), "%s", text);
		(void)snprintf(text, sizeof(text), "%s%s", v->hash, v->hash);
		cr_expect_not(password_hash_usable(text), "%s", text);
	}
}

/* The last character but two holds bits of the hash in every format. */
Test(password_foreign, a_changed_hash_does_not_fit)
{
	char text[TEXT_MAX];
	size_t i, at;

	for (i = 0; i < VECTORS; i++) {
		const struct vector *v = &vectors[i];

		(void)snprintf(text, sizeof(text), "%s", v->hash);
		at = strlen(text) - 5;
		text[at] = text[at] == 'a' ? 'b' : 'a';
		cr_expect(password_hash_usable(text), "%s", text);
		cr_expect_eq(fits(text, v->password), 0, "%s", text);
	}
}

#define BCRYPT22 "aeg8L9/4peVe.YuCXYIqyOmFIELqx7Z3g.g.NnW6nOyBjx5lDxuzy"
#define HEX64    "0634ba9ab188aeffee52682e7493e1162c646920f54bc3f52ae66b151cf843f9"
#define BASE44   "H1hZmNvDxp6b6hgCG9PInW1FSyUgLiCaiyteVUEoHbU="
#define BASE43   "H1hZmNvDxp6b6hgCG9PInW1FSyUgLiCaiyteVUEoHbU"
#define SALT22   "c2Vhc2FsdGFuZHBlcHBlcg"
#define BASE88                                                                 \
	"n7atOo/MHvHPG/1BWxZHewvvdgD/2s5atAPBDCbMQFZHqRPhbWoUhX0dvkiybl3T"     \
	"nIr0609K91tYsgAcl1iNVA=="

/* Were one computed, the test would end for want of memory or time. */
Test(password_foreign, a_cost_beyond_the_limits_is_not_paid)
{
	static const struct {
		const char *before, *payable, *bomb, *after;
	} cases[] = {
	    {"$2b$", "16", "17", "$" BCRYPT22},
	    {"$2a$", "04", "31", "$" BCRYPT22},
	    {"$2y$", "10", "99", "$" BCRYPT22},
	    {"$2y$", "04", "03", "$" BCRYPT22},
	    {"bcrypt$$2b$", "12", "20", "$" BCRYPT22},
	    {"bcrypt_sha256$$2b$", "12", "17", "$" BCRYPT22},
	    {"pbkdf2:sha256:", "10000000", "10000001", "$salt$" HEX64},
	    {"pbkdf2:sha256:", "1", "4294967297", "$salt$" HEX64},
	    {"pbkdf2:sha256:", "1", "18446744073709551617", "$salt$" HEX64},
	    {"pbkdf2:sha256:", "1", "0", "$salt$" HEX64},
	    {"pbkdf2:sha256:", "1", "-1", "$salt$" HEX64},
	    {"pbkdf2:sha256:", "1", "", "$salt$" HEX64},
	    {"pbkdf2_sha256$", "1200000", "2000000000", "$salt$" BASE44},
	    {"$pbkdf2-sha256$", "29000", "10000001", "$" SALT22 "$" BASE43},
	    {"scrypt:", "32768:8:1", "33554432:8:1", "$salt$" HEX64 HEX64},
	    {"scrypt:", "131072:8:16", "131072:8:17", "$salt$" HEX64 HEX64},
	    {"scrypt:", "65536:8:3", "65536:8:1000000", "$salt$" HEX64 HEX64},
	    {"scrypt:", "524288:15:1", "524288:16:1", "$salt$" HEX64 HEX64},
	    {"scrypt:", "2:1000:1", "2:8000000:1", "$salt$" HEX64 HEX64},
	    {"scrypt:", "2:8:1", "16777216:16777216:16777216",
		"$salt$" HEX64 HEX64},
	    {"scrypt:", "2:8:1", "4294967298:8:1", "$salt$" HEX64 HEX64},
	    {"scrypt:", "32768:1:1", "65536:1:1", "$salt$" HEX64 HEX64},
	    {"scrypt:", "1024:8:1", "1023:8:1", "$salt$" HEX64 HEX64},
	    {"scrypt:", "2:8:1", "1:8:1", "$salt$" HEX64 HEX64},
	    {"scrypt$", "16384", "16777216", "$salt$8$5$" BASE88},
	    {"scrypt$16384$salt$", "8$5", "8$1000000", "$" BASE88},
	    {"argon2$argon2id$v=19$m=", "102400,t=2,p=8", "1048577,t=2,p=8",
		"$" SALT22 "$" SALT22},
	    {"$argon2id$v=19$m=", "65536,t=3,p=4", "65536,t=101,p=4",
		"$" SALT22 "$" SALT22},
	    {"$argon2id$v=19$m=", "1048576,t=8,p=4", "1048576,t=9,p=4",
		"$" SALT22 "$" SALT22},
	    {"$argon2i$v=19$m=", "1024,t=1,p=64", "1024,t=1,p=65",
		"$" SALT22 "$" SALT22},
	    {"$argon2i$v=19$m=", "32,t=1,p=4", "31,t=1,p=4",
		"$" SALT22 "$" SALT22},
	};
	char text[TEXT_MAX];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		(void)snprintf(text, sizeof(text), "%s%s%s", cases[i].before,
		    cases[i].payable, cases[i].after);
		cr_expect(password_hash_usable(text), "%s", text);
		(void)snprintf(text, sizeof(text), "%s%s%s", cases[i].before,
		    cases[i].bomb, cases[i].after);
		cr_expect_not(password_hash_usable(text), "%s", text);
		cr_expect_eq(fits(text, PLAIN), 0, "%s", text);
		cr_expect(password_needs_rehash(&cheap, text), "%s", text);
	}
}

Test(password_foreign, there_is_one_way_to_write_a_hash)
{
	static const struct {
		const char *right, *wrong;
	} cases[] = {
	    {"pbkdf2:sha256:1000$salt$" HEX64,
		"pbkdf2:sha256:01000$salt$" HEX64},
	    {"pbkdf2:sha256:1000$salt$" HEX64, "pbkdf2:md5:1000$salt$" HEX64},
	    {"pbkdf2:sha256:1000$salt$" HEX64,
		"pbkdf2:sha512:1000$salt$" HEX64},
	    {"pbkdf2:sha256:1000$salt$" HEX64,
		"pbkdf2:sha256:1000:1$salt$" HEX64},
	    {"pbkdf2:sha256:1000$salt$" HEX64, "pbkdf2:sha256:1000$$" HEX64},
	    {"pbkdf2:sha256:1000$salt$" HEX64,
		"pbkdf2:sha256:1000$salt$"
		"0634BA9AB188AEFFEE52682E7493E1162C646920F54BC3F52AE66B151CF8"
		"43F9"},
	    {"pbkdf2_sha256$1$salt$" BASE44, "pbkdf2_sha256$1$salt$" BASE43},
	    {"pbkdf2_sha256$1$salt$" BASE44, "pbkdf2_sha1$1$salt$" BASE44},
	    /* Set bits behind the last byte; a foreign alphabet. */
	    {"pbkdf2_sha256$1$salt$" BASE44,
		"pbkdf2_sha256$1$salt$H1hZmNvDxp6b6hgCG9PInW1FSyUgLiCaiyteVUEo"
		"HbV="},
	    {"pbkdf2_sha256$1$salt$" BASE44,
		"pbkdf2_sha256$1$salt$_1hZmNvDxp6b6hgCG9PInW1FSyUgLiCaiyteVUEo"
		"HbU="},
	    {"$pbkdf2-sha256$1$" SALT22 "$" BASE43,
		"$pbkdf2-sha256$1$" SALT22 "$" BASE44},
	    {"$pbkdf2-sha256$1$" SALT22 "$" BASE43,
		"$pbkdf2-sha256$1$" SALT22
		"$+1hZmNvDxp6b6hgCG9PInW1FSyUgLiCaiyteVUEoHbU"},
	    {"scrypt:16:8:1$salt$" HEX64 HEX64, "scrypt:16:8:1$salt$" HEX64},
	    {"$argon2id$v=19$m=64,t=1,p=2$" SALT22 "$" SALT22,
		"$argon2id$v=16$m=64,t=1,p=2$" SALT22 "$" SALT22},
	    {"$argon2id$v=19$m=64,t=1,p=2$" SALT22 "$" SALT22,
		"$argon2d$v=19$m=64,t=1,p=2$" SALT22 "$" SALT22},
	    {"$argon2id$v=19$m=64,t=1,p=2$" SALT22 "$" SALT22,
		"$argon2id$v=19$t=1,m=64,p=2$" SALT22 "$" SALT22},
	    {"$argon2id$v=19$m=64,t=1,p=2$" SALT22 "$" SALT22,
		"$argon2id$v=19$m=64,t=1,p=2$c2FsdA$" SALT22},
	    {"$2b$04$" BCRYPT22, "$2x$04$" BCRYPT22},
	    {"$2b$04$" BCRYPT22, "$2$04$a" BCRYPT22},
	    {"$2b$04$" BCRYPT22, "bcrypt$2b$04$" BCRYPT22},
	    {"$2b$04$" BCRYPT22,
		"$2b$04$aeg8L9/4peVe.YuCXYIqyOmFIELqx7Z3g.g.NnW6nOyBjx5lDxuz+"},
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_expect(
		    password_hash_usable(cases[i].right), "%s", cases[i].right);
		cr_expect_not(
		    password_hash_usable(cases[i].wrong), "%s", cases[i].wrong);
		cr_expect_eq(fits(cases[i].wrong, PLAIN), 0);
	}
}

/* A fast hash is not taken over, nor what other programs write for "none". */
Test(password_foreign, kinds_that_are_not_taken_over_never_fit)
{
	static const char *const texts[] = {"", "!", "*", "x", PLAIN,
	    "plain$$" PLAIN, "$0$" PLAIN, "$plaintext$" PLAIN,
	    "md5$salt$" HEX64, "sha256$salt$" HEX64, "sha1$$" HEX64,
	    "$1$salt$" SALT22, "$5$salt$" BASE43, "$6$salt$" BASE43,
	    "crypt$$" SALT22, "!Vq2nTz81LmXoPaRs7YbC4d", "$y$j9T$salt$" BASE43};
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		cr_expect_not(password_hash_usable(texts[i]), "%s", texts[i]);
		cr_expect_eq(fits(texts[i], PLAIN), 0, "%s", texts[i]);
		cr_expect_eq(fits(texts[i], ""), 0, "%s", texts[i]);
	}
}

Test(password_foreign, hashes_at_the_cost_of_real_life_fit)
{
	static const char *const hashes[] = {
	    "pbkdf2:sha256:260000$Om180imkSW8807iE$06c93e920898b96bd40511"
	    "bc6ca61c169425e80d85619632951e8a0eac5734a0",
	    "scrypt:32768:8:1$k7WmQzR1xT0aBcDe$c3b127b53a0dd2fb3e5ed0b025"
	    "4762b25e7128b1c6db396ea78d44a45df7249ee3d0713eb15ce54f30c573"
	    "e394af6ba6ba95a37c3dc1bb17b1aecb32ffb0ca16",
	    "argon2$argon2id$v=19$m=102400,t=2,p=8$c2Vhc2FsdGFuZHBlcHBlcg"
	    "$6kBV0uZS4vQVkAHfZllAOw",
	};
	size_t i;

	for (i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
		cr_expect_eq(fits(hashes[i], PLAIN), 1, "%s", hashes[i]);
		cr_expect_eq(fits(hashes[i], "space-corgj"), 0);
	}
}

Test(password_foreign, werkzeug_s_text_without_a_count_means_one_of_its_own)
{
	static const char hash[] =
	    "pbkdf2:sha256$tooSalty$1227628cb4954ee4a19cf55e941fa22f809a4"
	    "cd42476a510c54d9bb128c6325e";

	cr_expect(password_hash_usable(hash));
	cr_expect_eq(fits(hash, PLAIN), 1);
	cr_expect_eq(fits(hash, "space-corgj"), 0);
}

Test(password_foreign, the_last_of_64_and_of_128_characters_counts)
{
	static const struct {
		size_t len;
		const char *hash;
	} cases[] = {
	    {64,
		"bcrypt_sha256$$2b$04$27UJkS.aKYCagmpgk050TecVzcSCEkdUi5Q2BY7"
		"jBYqGMipUUJyTC"},
	    {128,
		"bcrypt_sha256$$2b$04$moxa91OuWZt9.rZgcpe8ZeDhjNhUyz.BoKE9DFS"
		"kl76Iv7m99pg/K"},
	    {64,
		"pbkdf2:sha256:1000$uWDiyaPB9Pw23dlW$6347ac528c84aea3407d8c40"
		"77cfb69e6045fd197eaff84f91bd50432cdbc606"},
	    {128,
		"pbkdf2:sha256:1000$rvnNo0La650cpPM7$6395db487ef6562003f2488f"
		"ea82138af2161bd40c7195cfc878af848ea58dee"},
	};
	char password[128];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(password, 'p', sizeof(password));
		password[cases[i].len - 1] = 'a';
		cr_expect_eq(
		    password_verify(cases[i].hash, password, cases[i].len), 1,
		    "%zu", i);
		password[cases[i].len - 1] = 'b';
		cr_expect_eq(
		    password_verify(cases[i].hash, password, cases[i].len), 0,
		    "%zu", i);
	}
}

/* bcrypt itself reads 72 bytes: docs/passwords.md says so. */
Test(password_foreign, bcrypt_counts_72_bytes)
{
	static const char hash[] =
	    "$2b$04$GJo3qI9ARy5TKxsmz.98FOgJrdBrrjf0WLcBQltG0oDXAtM0pLw1a";
	char password[77];

	memset(password, 'x', 71);
	memcpy(password + 71, "ABCDEF", 6);
	cr_expect_eq(password_verify(hash, password, 77), 1);
	password[72] = '?';
	cr_expect_eq(password_verify(hash, password, 77), 1);
	password[71] = '?';
	cr_expect_eq(password_verify(hash, password, 77), 0);
}

Test(password_foreign, bytes_after_a_nul_count)
{
	static const char made[] =
	    "pbkdf2:sha256:1000$eMaPxItmLxdnItld$2d91ed8b53062bdaf32edca0"
	    "a1f72ee3c4a5d151d438a7f2149adb3c851183ed";
	static const char password[] = "nul\0corgi-beside";
	size_t i;

	cr_expect_eq(password_verify(made, password, sizeof(password) - 1), 1);
	cr_expect_eq(password_verify(made, "nul", 3), 0);
	cr_expect_eq(password_verify(made, "nul\0corgi-besidf", 16), 0);
	for (i = 0; i < VECTORS; i += 2)
		cr_expect_eq(password_verify(vectors[i].hash, PLAIN "\0x",
				 strlen(PLAIN) + 2),
		    0, "%s", vectors[i].origin);
}

Test(password_foreign, a_password_beyond_the_limit_never_fits)
{
	char password[PASSWORD_MAX + 1];
	size_t i;

	memset(password, 'p', sizeof(password));
	for (i = 0; i < VECTORS; i += 2) {
		cr_expect_eq(
		    password_verify(vectors[i].hash, password, PASSWORD_MAX), 0,
		    "%s", vectors[i].origin);
		cr_expect_eq(password_verify(
				 vectors[i].hash, password, sizeof(password)),
		    0, "%s", vectors[i].origin);
	}
}

#ifndef __SANITIZE_ADDRESS__ /* which reserves its own memory without limit */
Test(password_foreign, no_memory_is_not_taken_for_a_wrong_password)
{
	static const char *const hashes[] = {
	    "$argon2id$v=19$m=262144,t=1,p=2$6fC7deRXA8phiSQn/4uxVQ$dPXoF"
	    "THRe6Xwn/6+61mI3g",
	    "scrypt:262144:8:1$k7WmQzR1xT0aBcDe$ff122268b8b0737552b0d982f"
	    "98b96992e2cdb53d20f3b710cfb035b9ae9329def8ed9c4922af1c21df33"
	    "a2bc591ec93c6e46bbb40a754a90c0b37fe3fe5f120",
	};
	struct rlimit limit, before;
	int right[2];
	size_t i;

	cr_assert_eq(getrlimit(RLIMIT_AS, &before), 0);
	limit = before;
	limit.rlim_cur = 200 * 1024 * 1024;
	cr_assert_eq(setrlimit(RLIMIT_AS, &limit), 0);
	for (i = 0; i < 2; i++)
		right[i] = fits(hashes[i], PLAIN);
	cr_assert_eq(setrlimit(RLIMIT_AS, &before), 0);
	for (i = 0; i < 2; i++) {
		cr_expect_eq(right[i], -1, "%zu", i);
		cr_expect_eq(fits(hashes[i], PLAIN), 1, "%zu", i);
		cr_expect_eq(fits(hashes[i], "space-corgj"), 0, "%zu", i);
	}
}
#endif
