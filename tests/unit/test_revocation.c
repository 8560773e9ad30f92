/*
 * The table of what has been taken back: an entry is there until its second,
 * whatever is put in beside it; when there is no room, nothing is forgotten.
 */
#include "revocation_kit.h"

#define NOW KIT_REVOKED_NOW

TestSuite(revocation, .timeout = 120);

Test(revocation, an_entry_counts_until_its_second)
{
	struct revocations *r = table_new(100);

	cr_expect(revocations_empty(r));
	cr_expect_not(has_number(r, 1, NOW));
	cr_assert_eq(put_number(r, 1, NOW + 10, NOW), 0);
	cr_expect_not(revocations_empty(r));
	cr_expect(has_number(r, 1, NOW));
	cr_expect(has_number(r, 1, NOW + 9));
	cr_expect_not(has_number(r, 1, NOW + 10));
	cr_expect_not(has_number(r, 2, NOW));
	cr_expect_eq(revocations_count(r, NOW), 1);
	cr_expect_eq(revocations_count(r, NOW + 10), 0);
	revocations_free(r);
	revocations_free(NULL);
}

Test(revocation, an_entry_can_be_changed_in_both_directions)
{
	struct revocations *r = table_new(100);
	struct revocation_key key = numbered_key(r, 1);
	static const struct {
		uint32_t value;
		int64_t until;
	} steps[] = {{7, 10}, {9, 100}, {1, 5}, {0, 50}, {UINT32_MAX, 2}};
	uint32_t value;
	size_t i;

	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		cr_assert_eq(revocations_put(r, &key, steps[i].value,
				 NOW + steps[i].until, NOW),
		    0);
		cr_expect(
		    revocations_get(r, &key, NOW + steps[i].until - 1, &value));
		cr_expect_eq(value, steps[i].value);
		cr_expect(revocations_get(r, &key, NOW, NULL));
		cr_expect_not(
		    revocations_get(r, &key, NOW + steps[i].until, &value));
		cr_expect_eq(revocations_count(r, NOW), 1);
	}
	/* Over at once. */
	cr_assert_eq(revocations_put(r, &key, 1, NOW, NOW), 0);
	cr_expect_not(revocations_get(r, &key, NOW, NULL));
	revocations_free(r);
}

Test(revocation, ends_beyond_32_bits_never_come_and_past_ones_are_past)
{
	static const struct {
		int64_t until;
		bool now, late; /* whether it counts */
	} rows[] = {
	    {INT64_MAX, true, true},
	    {INT64_C(1) << 40, true, true},
	    {UINT32_MAX, true, true},
	    {UINT32_MAX - 1, true, false},
	    {NOW, false, false},
	    {1, false, false},
	    {0, false, false},
	    {-1, false, false},
	    {INT64_MIN, false, false},
	};
	struct revocations *r = table_new(100);
	uint32_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_assert_eq(put_number(r, i, rows[i].until, NOW), 0);
		cr_expect_eq(has_number(r, i, NOW), rows[i].now, "%u", i);
		cr_expect_eq(has_number(r, i, INT64_C(1) << 50), rows[i].late,
		    "%u late", i);
	}
	revocations_free(r);
}

Test(revocation, one_id_may_have_an_entry_of_each_sort)
{
	static const enum revocation_about abouts[] = {REVOKED_TOKEN,
	    REVOKED_SESSION, REVOKED_VERSION, REVOKED_BEFORE, REVOKED_ORDER};
	struct revocations *r = table_new(100);
	struct revocation_key key;
	uint32_t i, j, value;

	for (i = 0; i < 5; i++) {
		revocation_key(r, abouts[i], "x", 1, &key);
		cr_assert_eq(revocations_put(r, &key, i, NOW + 1, NOW), 0);
		for (j = 0; j < 5; j++) {
			cr_expect_eq(
			    has_text(r, abouts[j], "x", NOW, &value), j <= i);
			if (j <= i)
				cr_expect_eq(value, j);
		}
	}
	revocations_free(r);
}

Test(revocation, ids_of_any_length_are_told_apart)
{
	struct revocations *r = table_new(1000);
	char a[300], b[300];
	size_t len;

	memset(a, 'x', sizeof(a));
	memset(b, 'x', sizeof(b));
	for (len = 0; len < sizeof(a); len++) {
		struct revocation_key key, other;

		revocation_key(r, REVOKED_TOKEN, a, len, &key);
		cr_assert_not(revocations_get(r, &key, NOW, NULL));
		cr_assert_eq(revocations_put(r, &key, 0, NOW + 1, NOW), 0);
		cr_assert(revocations_get(r, &key, NOW, NULL));
		if (len == 0)
			continue;
		/* In the last byte, also behind a NUL. */
		b[len - 1] = '\0';
		revocation_key(r, REVOKED_TOKEN, b, len, &other);
		cr_expect_not(
		    revocations_get(r, &other, NOW, NULL), "length %zu", len);
		b[len - 1] = 'x';
		revocation_key(r, REVOKED_TOKEN, b, len, &other);
		cr_expect(revocations_get(r, &other, NOW, NULL));
	}
	revocations_free(r);
}

Test(revocation, a_long_id_is_found_under_what_the_log_can_hold)
{
	struct revocations *r = table_new(100);
	uint8_t room[REVOCATION_ID_ROOM], digest[SECRET_DIGEST_LEN];
	struct revocation_key whole, kept;
	char id[1000];
	const void *noted;
	size_t len;

	memset(id, 'j', sizeof(id));
	len = STORE_NAME_MAX;
	cr_expect_eq(revocation_id(id, &len, room), id);
	cr_expect_eq(len, STORE_NAME_MAX);

	len = STORE_NAME_MAX + 1;
	noted = revocation_id(id, &len, room);
	secret_digest(id, STORE_NAME_MAX + 1, digest);
	cr_assert_eq(len, sizeof(digest));
	cr_expect_arr_eq(noted, digest, sizeof(digest));
	revocation_key(r, REVOKED_TOKEN, id, STORE_NAME_MAX + 1, &whole);
	revocation_key(r, REVOKED_TOKEN, noted, len, &kept);
	cr_expect(whole.a == kept.a && whole.b == kept.b);
	revocations_free(r);
}

/* The log can hold no empty key. */
Test(revocation, an_empty_id_is_found_under_what_the_log_can_hold)
{
	struct revocations *r = table_new(100);
	uint8_t room[REVOCATION_ID_ROOM], digest[SECRET_DIGEST_LEN];
	struct revocation_key whole, kept, other;
	const void *noted;
	size_t len = 0;

	noted = revocation_id("", &len, room);
	secret_digest("", 0, digest);
	cr_assert_eq(len, sizeof(digest));
	cr_expect_eq(noted, room);
	cr_expect_arr_eq(noted, digest, sizeof(digest));
	revocation_key(r, REVOKED_TOKEN, "", 0, &whole);
	revocation_key(r, REVOKED_TOKEN, noted, len, &kept);
	cr_expect(whole.a == kept.a && whole.b == kept.b);
	revocation_key(r, REVOKED_TOKEN, "\0", 1, &other);
	cr_expect(whole.a != other.a);
	len = 1;
	cr_expect_neq(revocation_id("j", &len, room), room);
	cr_expect_eq(len, 1);
	revocations_free(r);
}

Test(revocation, each_table_has_its_own_secret_keys)
{
	struct revocations *r = table_new(10), *other = table_new(10);
	struct revocation_key a = numbered_key(r, 1), b;

	b = numbered_key(r, 1);
	cr_expect(a.a == b.a && a.b == b.b);
	b = numbered_key(other, 1);
	cr_expect(a.a != b.a && a.b != b.b);
	revocations_free(r);
	revocations_free(other);
}

Test(revocation, there_is_room_for_what_was_promised)
{
	static const uint32_t capacities[] = {
	    1, 2, 10, 64, 255, 256, 1000, 4099, 65536, 100003, 1000000};
	struct revocations *r;
	uint32_t n;
	size_t i;

	for (i = 0; i < sizeof(capacities) / sizeof(capacities[0]); i++) {
		r = table_new(capacities[i]);
		for (n = 0; n < capacities[i]; n++)
			cr_assert_eq(put_number(r, n, NOW + 1, NOW), 0,
			    "%u of %u", n, capacities[i]);
		for (n = 0; n < capacities[i]; n++)
			cr_assert(has_number(r, n, NOW));
		cr_expect_not(has_number(r, capacities[i], NOW));
		cr_expect_eq(revocations_count(r, NOW), capacities[i]);
		revocations_free(r);
	}
}

/* Shared memory of this process that is in use (bytes). */
static size_t
shared_in_use(void)
{
	unsigned long kib = 0;
	bool found = false;
	char line[256];
	FILE *file;

	cr_assert_not_null(file = fopen("/proc/self/status", "re"));
	while (!found && fgets(line, sizeof(line), file) != NULL)
		found = sscanf(line, "RssShmem: %lu kB", &kib) == 1;
	cr_assert(found);
	(void)fclose(file);
	return ((size_t)kib * 1024);
}

Test(revocation, a_million_take_less_than_64_megabytes)
{
	size_t before = shared_in_use(), taken;
	struct revocations *r = table_new(1000000);
	uint32_t n;

	taken = shared_in_use() - before;
	cr_expect_lt(taken, 100000, "%zu before anything is in it", taken);
	for (n = 0; n < 1000000; n++)
		cr_assert_eq(put_number(r, n, NOW + 1, NOW), 0);
	taken = shared_in_use() - before;
	cr_expect_gt(taken, 1000000 * 24);
	cr_expect_lt(taken, 64000000, "%zu", taken);
	revocations_free(r);
}

/* Fill beyond the room; returns how many went in, the rest in refused. */
static uint32_t
overfill(struct revocations *r, uint32_t count, bool *in)
{
	uint32_t n, kept = 0;

	for (n = 0; n < count; n++) {
		in[n] = put_number(r, n, NOW + 100, NOW) == 0;
		kept += in[n];
	}
	return (kept);
}

Test(revocation, a_full_table_refuses_and_forgets_nothing)
{
	enum { TRIED = 5000 };
	struct revocations *r = table_new(1000);
	static bool in[TRIED];
	uint32_t n, kept;

	kept = overfill(r, TRIED, in);
	cr_expect_geq(kept, 1000);
	cr_expect_lt(kept, TRIED);
	for (n = 0; n < TRIED; n++)
		cr_assert_eq(has_number(r, n, NOW + 99), in[n], "%u", n);
	cr_expect_eq(revocations_count(r, NOW), kept);

	/* What is in can still be changed, and still nothing else goes. */
	for (n = 0; n < TRIED; n++)
		cr_assert_eq(put_number(r, n, NOW + 200, NOW) == 0, in[n]);
	for (n = 0; n < TRIED; n++)
		cr_assert_eq(has_number(r, n, NOW + 199), in[n]);
	revocations_free(r);
}

Test(revocation, what_is_over_makes_room)
{
	enum { TRIED = 5000 };
	struct revocations *r = table_new(1000);
	static bool in[TRIED];
	uint32_t n, kept, round;
	int64_t now = NOW + 100;

	kept = overfill(r, TRIED, in);
	for (round = 1; round <= 20; round++) {
		now += 100;
		for (n = 0; n < 1000; n++)
			cr_assert_eq(
			    put_number(r, round * 10000 + n, now + 50, now), 0);
		cr_expect_eq(revocations_count(r, now), 1000);
		for (n = 0; n < 1000; n++)
			cr_assert(has_number(r, round * 10000 + n, now + 49));
	}
	cr_expect_gt(kept, 0);
	revocations_free(r);
}

/* Whoever asked the clock just before the end must not miss the entry. */
Test(revocation, what_is_over_is_kept_for_a_moment)
{
	enum { TRIED = 5000 };
	struct revocations *r = table_new(1000);
	static bool in[TRIED];
	uint32_t n, fresh = 0;

	(void)overfill(r, TRIED, in);
	for (n = 0; n < TRIED; n++)
		(void)put_number(r, TRIED + n, NOW + 500, NOW + 101);
	for (n = 0; n < TRIED; n++)
		cr_assert_eq(has_number(r, n, NOW + 99), in[n]);
	for (n = 0; n < TRIED; n++)
		fresh += put_number(r, TRIED + n, NOW + 500, NOW + 102) == 0;
	cr_expect_geq(fresh, 1000);
	revocations_free(r);
}

/* A clock that was ahead may be set back: as long as there is other room, what
 * seemed to be over is still there. */
Test(revocation, what_seemed_to_be_over_is_found_when_the_clock_is_set_back)
{
	struct revocations *r = table_new(100);
	uint32_t i;

	for (i = 0; i < 50; i++)
		cr_assert_eq(put_number(r, i, NOW + 100, NOW), 0);
	for (i = 50; i < 150; i++)
		cr_assert_eq(put_number(r, i, NOW + 9999, NOW + 5000), 0);
	for (i = 0; i < 50; i++) {
		cr_expect(has_number(r, i, NOW + 50), "%u", i);
		cr_expect_not(has_number(r, i, NOW + 100), "%u", i);
	}
	revocations_free(r);
}

Test(revocation, what_is_over_from_the_start_takes_no_room)
{
	struct revocations *r = table_new(10);
	uint32_t n;

	for (n = 0; n < 100000; n++)
		cr_assert_eq(put_number(r, n, NOW, NOW), 0);
	cr_expect(revocations_empty(r));
	cr_expect_eq(put_number(r, 0, NOW + 1, NOW), 0);
	cr_expect_not(revocations_empty(r));
	revocations_free(r);
}

/* Half of the entries stay for ever while the others come and go. */
Test(revocation, what_lives_long_is_not_driven_out_by_what_lives_short)
{
	struct revocations *r = table_new(2000);
	int64_t now = NOW;
	uint32_t n;

	for (n = 0; n < 1000; n++)
		cr_assert_eq(put_number(r, n, INT64_MAX, now), 0);
	for (n = 1000; n < 200000; n++) {
		cr_assert_eq(put_number(r, n, now + 2, now), 0);
		now += n % 100 == 0;
	}
	for (n = 0; n < 1000; n++)
		cr_assert(has_number(r, n, now));
	revocations_free(r);
}

Test(revocation, a_capacity_beyond_all_memory_is_refused)
{
	cr_assert_eq(secret_init(), 0);
	cr_expect_null(revocations_new(SIZE_MAX));
	cr_expect_null(revocations_new(SIZE_MAX / 2));
	cr_expect_null(revocations_new(SIZE_MAX / 64));
}
