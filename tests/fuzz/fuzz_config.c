/*
 * fuzz_config.c - the configuration. The first byte chooses the flavour; the
 * rest, split at line feeds, is the environment. Names that end in _FILE are
 * left out, since their values would be opened. A configuration that is taken
 * must keep the ranges that the rest of the program relies on.
 */
#include <string.h>

#include "base/config.h"
#include "base/log.h"
#include "fuzz.h"

/* Most variables of one input. */
#define VARIABLES_MAX 32

static void
discard(enum log_level level, const char *line, void *ctx)
{
	(void)level;
	(void)ctx;
	FUZZ_CHECK(strlen(line) < LOG_LINE_MAX);
}

static bool
names_a_file(const char *variable)
{
	static const char suffix[] = "_FILE";
	size_t len = strcspn(variable, "=");

	return (len >= sizeof(suffix) - 1 &&
	    memcmp(variable + len - sizeof(suffix) + 1, suffix,
		sizeof(suffix) - 1) == 0);
}

/* Split text in place into variables; returns how many. */
static size_t
split(char *text, char *variables[VARIABLES_MAX + 1])
{
	size_t count = 0;
	char *line;

	while ((line = strsep(&text, "\n")) != NULL) {
		if (count < VARIABLES_MAX && !names_a_file(line))
			variables[count++] = line;
	}
	variables[count] = NULL;
	return (count);
}

static void
check(const struct config *c)
{
	char path[64];

	FUZZ_CHECK(c->algorithm != NULL && c->header_name != NULL &&
	    c->header_type != NULL && c->error_message_key != NULL);
	FUZZ_CHECK(c->data_dir != NULL && c->data_dir[0] != '\0');
	FUZZ_CHECK(c->access_expires > 0 || c->access_expires == CONFIG_NEVER);
	FUZZ_CHECK(c->leeway >= 0);
	FUZZ_CHECK(c->argon2_memory_kib > 0 && c->argon2_passes > 0);
	FUZZ_CHECK(c->encode_audience.count <= CONFIG_LIST_MAX);
	FUZZ_CHECK(c->decode_audience.count <= CONFIG_LIST_MAX);
	FUZZ_CHECK(strpbrk(c->header_name, " \t\r\n:") == NULL);
	if (config_path(c, "corgi.db", path, sizeof(path)) == 0)
		FUZZ_CHECK(strlen(path) < sizeof(path));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *variables[VARIABLES_MAX + 1], error[CONFIG_ERROR_MAX], *text;
	enum config_flavor flavor;
	struct config config;

	if (size == 0)
		return (0);
	log_open(discard, NULL, LOG_LEVEL_DEBUG);
	flavor = (data[0] & 1) != 0 ? CONFIG_PROD : CONFIG_DEV;
	text = strndup((const char *)data + 1, size - 1);
	FUZZ_CHECK(text != NULL);
	(void)split(text, variables);
	memset(error, 0, sizeof(error));
	if (config_load(variables, flavor, &config, error) == 0) {
		check(&config);
		config_free(&config);
	} else {
		FUZZ_CHECK(error[0] != '\0');
		FUZZ_CHECK(strchr(error, '\n') == NULL);
	}
	free(text);
	return (0);
}
