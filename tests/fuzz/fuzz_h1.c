/*
 * fuzz_h1.c - the HTTP/1.1 parser. Each input is a connection's bytes. It is
 * fed whole, byte by byte and in cuts that depend on the input, under wide and
 * narrow limits; the results must be the same to the bit, and every request
 * that comes out must keep what h1.h promises.
 */
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/h1.h"
#include "fuzz.h"

/* FNV-1a, 64 bits: start and factor. */
#define HASH_START  UINT64_C(0xcbf29ce484222325)
#define HASH_FACTOR UINT64_C(0x100000001b3)

static const struct h1_limits limits[] = {
    {16384, 16384, 128, 16384},
    {48, 160, 5, 24},
};

static void
hash(uint64_t *h, const void *data, size_t len)
{
	const uint8_t *s = data;
	size_t i;

	for (i = 0; i < len; i++)
		*h = (*h ^ s[i]) * HASH_FACTOR;
	*h = (*h ^ 0x100) * HASH_FACTOR;
}

static void
hash_text(uint64_t *h, const char *text)
{
	hash(h, text, strlen(text));
}

/* Text with nothing in it that could end a line or a string early. */
static bool
clean(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if ((uint8_t)text[i] < 0x20 && text[i] != '\t')
			return (false);
		if (text[i] == 0x7f)
			return (false);
	}
	return (text[len] == '\0');
}

static void
check_fields(const struct h1_request *r, uint64_t *h)
{
	const struct h1_field *f;
	size_t hosts = 0, lengths = 0, codings = 0, i;

	for (i = 0; i < r->nfields; i++) {
		f = &r->fields[i];
		FUZZ_CHECK(f->name_len > 0 && clean(f->name, f->name_len));
		FUZZ_CHECK(strpbrk(f->name, " \t:,\"") == NULL);
		FUZZ_CHECK(clean(f->value, f->value_len));
		FUZZ_CHECK(h1_find(r, f->name) != NULL);
		hosts += strcasecmp(f->name, "host") == 0;
		lengths += strcasecmp(f->name, "content-length") == 0;
		codings += strcasecmp(f->name, "transfer-encoding") == 0;
		hash(h, f->name, f->name_len);
		hash(h, f->value, f->value_len);
	}
	FUZZ_CHECK(hosts == 1 || (hosts == 0 && r->minor == 0));
	FUZZ_CHECK(codings == 0 || (lengths == 0 && r->minor == 1));
	FUZZ_CHECK(codings <= 1 && lengths <= 1);
	FUZZ_CHECK(r->body_len == 0 || lengths > 0 || codings > 0);
}

static void
check_request(
    const struct h1_request *r, const struct h1_limits *limit, uint64_t *h)
{
	size_t target_len = strlen(r->target);

	FUZZ_CHECK(r->method[0] != '\0' && strlen(r->method) <= 32);
	FUZZ_CHECK(clean(r->target, target_len));
	FUZZ_CHECK(strpbrk(r->target, " \t#") == NULL);
	FUZZ_CHECK(r->target[0] == '/' || strcmp(r->target, "*") == 0 ||
	    strcmp(r->method, "CONNECT") == 0);
	FUZZ_CHECK(strpbrk(r->host, " \t,/@?#\\") == NULL);
	FUZZ_CHECK(r->minor == 0 || r->minor == 1);
	FUZZ_CHECK(r->minor == 1 || !r->keep_alive);
	FUZZ_CHECK(target_len < limit->target_max);
	FUZZ_CHECK(r->nfields <= limit->fields_max);
	FUZZ_CHECK(r->body != NULL && r->body_len <= limit->body_max);
	hash_text(h, r->method);
	hash_text(h, r->target);
	hash_text(h, r->host);
	hash(h, &r->minor, sizeof(r->minor));
	hash(h, &r->keep_alive, sizeof(r->keep_alive));
	hash(h, r->body, r->body_len);
	check_fields(r, h);
}

/* Take in what one state of the parser says. */
static void
check_state(h1_parser *p, const struct h1_limits *limit, uint64_t *h)
{
	enum h1_state state = h1_state(p);

	hash(h, &state, sizeof(state));
	FUZZ_CHECK((h1_request(p) != NULL) == (state == H1_DONE));
	FUZZ_CHECK((h1_fault(p) != NULL) == (state == H1_ERROR));
	if (state == H1_DONE) {
		FUZZ_CHECK(!h1_wants_continue(p));
		check_request(h1_request(p), limit, h);
	} else if (state == H1_ERROR) {
		FUZZ_CHECK(h1_fault(p)->code != ERR_NONE);
		FUZZ_CHECK(h1_fault(p)->detail[0] != '\0');
		hash(h, &h1_fault(p)->code, sizeof(h1_fault(p)->code));
		hash_text(h, h1_fault(p)->detail);
		FUZZ_CHECK(h1_feed(p, "G", 1) == 0);
	}
}

/*
 * One connection to its end. The cuts are up to most bytes long and drawn
 * from seed; most is 0 for no cuts. Every cut is copied, so that a read beyond
 * it is seen. Returns a hash of all that came out.
 */
static uint64_t
run(const uint8_t *data, size_t size, const struct h1_limits *limit,
    uint64_t seed, size_t most)
{
	h1_parser *p = h1_new(limit);
	uint64_t h = HASH_START;
	size_t used = 0, n, got;
	uint8_t *copy;

	FUZZ_CHECK(p != NULL);
	while (used < size && h1_state(p) != H1_ERROR) {
		seed =
		    seed * UINT64_C(6364136223846793005) + 1442695040888963407;
		n = size - used;
		if (most > 0 && n > (size_t)(seed >> 33) % most + 1)
			n = (size_t)(seed >> 33) % most + 1;
		copy = malloc(n);
		FUZZ_CHECK(copy != NULL);
		memcpy(copy, data + used, n);
		got = h1_feed(p, copy, n);
		free(copy);
		used += got;
		FUZZ_CHECK(got == n || h1_state(p) >= H1_DONE);
		if (h1_state(p) == H1_DONE) {
			check_state(p, limit, &h);
			h1_reset(p);
			hash(&h, &used, sizeof(used));
		}
	}
	check_state(p, limit, &h);
	hash(&h, &used, sizeof(used));
	h1_free(p);
	return (h);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t seed = HASH_START, whole;
	size_t i;

	hash(&seed, data, size);
	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		whole = run(data, size, &limits[i], seed, 0);
		FUZZ_CHECK(run(data, size, &limits[i], seed, 1) == whole);
		FUZZ_CHECK(run(data, size, &limits[i], seed, 16) == whole);
	}
	return (0);
}
