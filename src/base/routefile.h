/*
 * routefile.h - read the routes out of a Kore configuration file, without
 * Kore: for listings, and to name the route when a block is missing (Kore
 * itself only names the block).
 *
 * Follows "include" lines as Kore does: paths are relative to the current
 * folder. Pure but for reading files; any thread.
 */
#ifndef CORGI_ROUTEFILE_H
#define CORGI_ROUTEFILE_H

#include <stdbool.h>
#include <stddef.h>

/* Bounds: more than these is refused. */
#define ROUTEFILE_ROUTES_MAX   256
#define ROUTEFILE_BLOCKS_MAX   64
#define ROUTEFILE_INCLUDES_MAX 8 /* nesting */
#define ROUTEFILE_TEXT_MAX     256

/* Longest explanation, with the NUL (bytes). */
#define ROUTEFILE_ERROR_MAX 512

struct routefile_block {
	char name[ROUTEFILE_TEXT_MAX];
	char value[ROUTEFILE_TEXT_MAX]; /* authentication_value, or "" */
};

struct routefile_route {
	char path[ROUTEFILE_TEXT_MAX];
	char handler[ROUTEFILE_TEXT_MAX];
	char block[ROUTEFILE_TEXT_MAX];   /* "" on a public route */
	char methods[ROUTEFILE_TEXT_MAX]; /* of "restrict"; "" for all */
	bool declared;                    /* the block stands above the route */
};

struct routefile {
	struct routefile_route *routes; /* in the order of the file */
	size_t nroutes;
	struct routefile_block *blocks;
	size_t nblocks;
};

/*
 * Read a file and what it includes. Returns 0 with *out filled (release with
 * routefile_free()), or -1 with a sentence in error.
 */
int routefile_load(const char *path, struct routefile *out,
    char error[ROUTEFILE_ERROR_MAX]) __attribute__((warn_unused_result));

void routefile_free(struct routefile *f);

/* The block of a name, or NULL. */
const struct routefile_block *
routefile_block(const struct routefile *f, const char *name);

/*
 * Whether every route's block is declared above it, as Kore needs it. Returns
 * 0, or -1 with a sentence that names the first route at fault.
 */
int routefile_check(const struct routefile *f, char error[ROUTEFILE_ERROR_MAX])
    __attribute__((warn_unused_result));

#endif
