/*
 * rfc7515.h - the signed tokens of RFC 7515, appendix A.1 to A.3, with their
 * public or shared keys. Their payload has no "sub" and ended in 2011.
 */
#ifndef CORGI_TEST_RFC7515_H
#define CORGI_TEST_RFC7515_H

/* One second before their "exp". */
#define RFC7515_NOW 1300819379

#define RFC7515_PAYLOAD                                                        \
	"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"     \
	"cGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

/* A.1: HS256. */
#define RFC7515_A1_TOKEN                                                       \
	"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." RFC7515_PAYLOAD            \
	".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define RFC7515_A1_KEY                                                         \
	"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0i"     \
	"PS4hcgUuTwjAzZr1Z9CAow"

/* A.2: RS256. */
#define RFC7515_A2_TOKEN                                                       \
	"eyJhbGciOiJSUzI1NiJ9." RFC7515_PAYLOAD                                \
	".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7"    \
	"AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4"     \
	"BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K"     \
	"0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqv"     \
	"hJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrB"     \
	"p0igcN_IoypGlUPQGe77Rw"
#define RFC7515_A2_N                                                           \
	"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp"     \
	"-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOW"     \
	"vG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUs"     \
	"LA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9k"     \
	"G4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2"     \
	"PAcDTW9gb54h4FRWyuXpoQ"
#define RFC7515_A2_E "AQAB"

/* A.3: ES256. */
#define RFC7515_A3_TOKEN                                                       \
	"eyJhbGciOiJFUzI1NiJ9." RFC7515_PAYLOAD                                \
	".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSA"    \
	"pmWQxfKTUJqPP3-Kg6NU1Q"
#define RFC7515_A3_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define RFC7515_A3_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"

#endif
