/*
 * replay.c - run a fuzz target over files without libFuzzer: every input of
 * the corpus once, in `make test`. Each is named before it is tried, so that
 * the name of one that ends the program is the last.
 */
#include <sys/stat.h>

#include <errno.h>
#include <string.h>

#include "fuzz.h"

static int complain(const char *path);
static int replay(const char *path);

/* Say what is wrong with a path; returns -1. */
static int
complain(const char *path)
{
	(void)fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
	return (-1);
}

/* The copy is exactly as long as the input, so that a sanitizer sees a read
 * beyond it. */
static int
replay(const char *path)
{
	struct stat st;
	uint8_t *data;
	size_t size;
	FILE *file;
	int ret = -1;

	if ((file = fopen(path, "rbe")) == NULL)
		return (complain(path));
	size = fstat(fileno(file), &st) == 0 ? (size_t)st.st_size : 0;
	data = malloc(size > 0 ? size : 1);
	if (data == NULL || fread(data, 1, size, file) != size) {
		(void)complain(path);
	} else {
		(void)printf("%s\n", path);
		(void)fflush(stdout);
		(void)LLVMFuzzerTestOneInput(data, size);
		ret = 0;
	}
	free(data);
	(void)fclose(file);
	return (ret);
}

int
main(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++) {
		if (replay(argv[i]) == -1)
			return (1);
	}
	if (argc < 2) {
		(void)fprintf(stderr, "replay: no input\n");
		return (1);
	}
	(void)printf("%d inputs\n", argc - 1);
	return (0);
}
