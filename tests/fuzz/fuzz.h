/*
 * fuzz.h - what a fuzz target offers: one function, called with one input by
 * libFuzzer (`make fuzz`) or by replay.c (`make test`). A target that finds
 * something wrong aborts.
 */
#ifndef CORGI_FUZZ_H
#define CORGI_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* End the run, which is how a fuzzer learns of a fault. */
#define FUZZ_CHECK(condition)                                                  \
	do {                                                                   \
		if (!(condition)) {                                            \
			(void)fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, \
			    __LINE__, #condition);                             \
			abort();                                               \
		}                                                              \
	} while (0)

#endif
