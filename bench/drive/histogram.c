/*
 * histogram.c - latencies in nanoseconds, counted in classes: the numbers with
 * the same highest eight bits are one.
 */
#include "drive.h"

static size_t class_of(uint64_t);
static double middle_of(size_t);

void
histogram_add(struct histogram *h, int64_t ns)
{
	if (ns < 0)
		ns = 0;
	h->counts[class_of((uint64_t)ns)]++;
	h->total++;
	if (ns > h->most)
		h->most = ns;
}

double
histogram_at(const struct histogram *h, double share)
{
	uint64_t seen = 0, wanted = (uint64_t)((double)h->total * share);
	size_t i;

	for (i = 0; i < HISTOGRAM_CLASSES; i++) {
		seen += h->counts[i];
		if (seen > wanted)
			return (middle_of(i) / 1e3);
	}
	return ((double)h->most / 1e3);
}

static size_t
class_of(uint64_t ns)
{
	unsigned int shift = 0;

	while (ns >> shift >= 2 * HISTOGRAM_STEPS)
		shift++;
	return (shift * HISTOGRAM_STEPS + (size_t)(ns >> shift));
}

static double
middle_of(size_t class)
{
	size_t shift =
	    class < 2 * HISTOGRAM_STEPS ? 0 : class / HISTOGRAM_STEPS - 1;
	double width = (double)((uint64_t)1 << shift);

	return ((double)(class - shift * HISTOGRAM_STEPS) * width + width / 2);
}
