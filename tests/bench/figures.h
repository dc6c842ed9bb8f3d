/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What benchmarks measure by: a clock in us, and medians. */
#ifndef ARNICA_BENCH_FIGURES_H
#define ARNICA_BENCH_FIGURES_H

#include <stdlib.h>
#include <time.h>

static inline double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec * 1e-3;
}

static inline int order(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return left < right ? -1 : left > right;
}

/* The values are in order after that. */
static inline double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), order);
	return values[count / 2];
}

#endif
