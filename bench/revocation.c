/*
 * revocation.c - what a token that the cache knows costs, by the number of
 * live revocations, and what they take up. Started by bench/revocation:
 *
 *     revocation REVOCATIONS ROUNDS
 *
 * Every token belongs to a session, so that each verification does the three
 * look-ups. The levels are measured in turn, ROUNDS times, so that whatever
 * else the machine does falls on all of them.
 */
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <linux/perf_event.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "auth/revocation.h"
#include "auth/token_cache.h"
#include "base/jdoc.h"

#define SECRET      "0123456789abcdef0123456789abcdef"
#define TOKENS      1000
#define VERIFIED    300000 /* in a round */
#define LEVELS      5
#define ROUNDS_MAX  99
#define CACHE_BYTES ((size_t)16 << 20)

/* One table, and what was measured with it. */
struct level {
	bool table;
	size_t live;
	struct token_policy policy;
	struct token_cache *cache;
	size_t resident; /* bytes of shared memory that it took */
	double ns[ROUNDS_MAX];
	double instructions[ROUNDS_MAX];
};

static void fail(const char *) __attribute__((noreturn));
static size_t shared_now(void);
static int open_counter(void);
static void prepare_policy(struct token_policy *);
static char *make_token(const struct token_policy *, unsigned int);
static void fill(struct level *, size_t, const struct token_policy *);
static void measure(struct level *, int, char *const *, int, unsigned int);
static int compare(const void *, const void *);
static double median(double *, unsigned int);
static void print_table(struct level *, unsigned int, bool);

static void
fail(const char *what)
{
	(void)fprintf(stderr, "revocation: %s\n", what);
	exit(1);
}

/* Shared memory of this process that is in use (bytes). */
static size_t
shared_now(void)
{
	unsigned long kib = 0;
	char line[256];
	FILE *file;

	if ((file = fopen("/proc/self/status", "re")) == NULL)
		fail("/proc/self/status cannot be read");
	while (fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "RssShmem: %lu kB", &kib) == 1)
			break;
	(void)fclose(file);
	return ((size_t)kib * 1024);
}

/* Counts instructions of this program; -1 where that is not allowed. */
static int
open_counter(void)
{
	struct perf_event_attr what;

	memset(&what, 0, sizeof(what));
	what.type = PERF_TYPE_HARDWARE;
	what.size = sizeof(what);
	what.config = PERF_COUNT_HW_INSTRUCTIONS;
	what.exclude_kernel = 1;
	what.exclude_hv = 1;
	return ((int)syscall(SYS_perf_event_open, &what, 0, -1, -1, 0));
}

static void
prepare_policy(struct token_policy *policy)
{
	static char algorithm[] = "HS256";
	static struct config config;
	char error[KEY_ERROR_MAX];

	config.flavor = CONFIG_PROD;
	config.algorithm = algorithm;
	config.access_expires = 86400;
	if (secret_set(&config.secret_key, SECRET, strlen(SECRET)) == -1)
		fail("out of memory");
	policy->key = key_from_config(&config, error);
	if (policy->key == NULL)
		fail(error);
	policy->config = &config;
	policy->clock = clock_system;
	policy->revocations = NULL;
}

static char *
make_token(const struct token_policy *policy, unsigned int n)
{
	struct token_request request = {.kind = TOKEN_ACCESS, .version = 1};
	char subject[32], session[UUID_LEN + 1], *token;

	secret_uuid4(session);
	request.subject = subject;
	request.subject_len =
	    (size_t)snprintf(subject, sizeof(subject), "user%u", n);
	request.session = session;
	if (token_issue(policy, &request, &token, NULL) != ERR_NONE)
		fail("a token cannot be issued");
	return (token);
}

/* A table of the given capacity with the level's revocations in it. */
static void
fill(struct level *level, size_t capacity, const struct token_policy *policy)
{
	int64_t now = clock_now(&clock_system);
	size_t before = shared_now(), i;
	struct revocations *r;
	struct revocation_key key;
	char id[UUID_LEN + 1];

	level->policy = *policy;
	if (level->table) {
		if ((r = revocations_new(capacity)) == NULL)
			fail("out of memory");
		for (i = 0; i < level->live; i++) {
			secret_uuid4(id);
			revocation_key(r, REVOKED_SESSION, id, UUID_LEN, &key);
			if (revocations_put(r, &key, 0, now + 86400, now) == -1)
				fail("there is no room");
		}
		level->policy.revocations = r;
		level->resident = shared_now() - before;
	}
	level->cache = token_cache_new(&level->policy, CACHE_BYTES);
	if (level->cache == NULL)
		fail("out of memory");
}

/* The first pass over the tokens is not counted: it fills the cache. */
static void
measure(struct level *level, int round, char *const *tokens, int counter,
    unsigned int count)
{
	struct timespec start, end;
	struct claims *claims;
	long long instructions = 0;
	unsigned int i;

	for (i = 0; i < TOKENS + count; i++) {
		if (i == TOKENS) {
			(void)ioctl(counter, PERF_EVENT_IOC_RESET, 0);
			(void)clock_gettime(CLOCK_MONOTONIC, &start);
		}
		if (token_cache_verify(level->cache, TOKEN_ACCESS,
			tokens[i % TOKENS], strlen(tokens[i % TOKENS]), &claims,
			NULL) != ERR_NONE)
			fail("a good token is refused");
		claims_free(claims);
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	if (read(counter, &instructions, sizeof(instructions)) !=
	    (ssize_t)sizeof(instructions))
		instructions = 0;
	level->ns[round] = ((double)(end.tv_sec - start.tv_sec) * 1e9 +
			       (double)(end.tv_nsec - start.tv_nsec)) /
	    count;
	level->instructions[round] = (double)instructions / count;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return ((x > y) - (x < y));
}

static double
median(double *values, unsigned int count)
{
	qsort(values, count, sizeof(*values), compare);
	return (values[count / 2]);
}

static void
print_table(struct level *levels, unsigned int rounds, bool counted)
{
	double first = median(levels[0].ns, rounds), ns;
	struct level *level;
	char live[32];

	printf("| live revocations | ns per token | beside none | instructions"
	       " | table (MB) | bytes each |\n"
	       "| ---: | ---: | ---: | ---: | ---: | ---: |\n");
	for (level = levels; level < levels + LEVELS; level++) {
		ns = median(level->ns, rounds);
		(void)snprintf(live, sizeof(live), "%zu", level->live);
		printf("| %s | %.1f | %+.1f | ",
		    level->table ? live : "no table", ns, ns - first);
		if (counted)
			printf("%.0f", median(level->instructions, rounds));
		printf(" | %.1f | ", (double)level->resident / 1e6);
		if (level->live > 0)
			printf("%.1f",
			    (double)level->resident / (double)level->live);
		printf(" |\n");
	}
}

int
main(int argc, char **argv)
{
	struct level levels[LEVELS] = {{.table = false}, {.table = true},
	    {.table = true, .live = 1000}, {.table = true, .live = 100000},
	    {.table = true}};
	static char *tokens[TOKENS];
	struct token_policy policy;
	unsigned int rounds, n;
	size_t capacity, i;
	int counter;

	if (argc != 3 || (capacity = strtoul(argv[1], NULL, 10)) < 100000 ||
	    (rounds = (unsigned int)strtoul(argv[2], NULL, 10)) < 1 ||
	    rounds > ROUNDS_MAX)
		fail("usage: revocation REVOCATIONS ROUNDS (of 100000 or more,"
		     " of 1 to 99)");
	if (secret_init() == -1)
		fail("there are no random numbers");
	jdoc_init();
	prepare_policy(&policy);
	for (n = 0; n < TOKENS; n++)
		tokens[n] = make_token(&policy, n);
	levels[LEVELS - 1].live = capacity;
	for (i = 0; i < LEVELS; i++)
		fill(&levels[i], capacity, &policy);
	counter = open_counter();
	for (n = 0; n < rounds; n++)
		for (i = 0; i < LEVELS; i++)
			measure(&levels[i], (int)n, tokens, counter, VERIFIED);

	print_table(levels, rounds, counter != -1);
	return (0);
}
