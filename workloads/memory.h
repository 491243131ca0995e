/* SPDX-License-Identifier: BSD-2-Clause */
/* Arguments and big arrays of the workloads. */
#ifndef TWOSTAGE_WORKLOADS_MEMORY_H
#define TWOSTAGE_WORKLOADS_MEMORY_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

/* An array straight from mmap, so that it does not share pages with anything. Exits on failure. */
static inline void *memory_map(size_t n, size_t bytes)
{
	void *p = mmap(NULL, n * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		fprintf(stderr, "cannot map %zu bytes\n", n * bytes);
		exit(1);
	}
	return p;
}

static inline uint64_t argument(int argc, char **argv, int i, uint64_t otherwise)
{
	return i < argc ? strtoull(argv[i], NULL, 0) : otherwise;
}

#endif
