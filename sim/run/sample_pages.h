/* SPDX-License-Identifier: BSD-2-Clause */
/* A set of 4 KiB pages: of VM, ASID, stream and VA. */
#ifndef TWOSTAGE_RUN_SAMPLE_PAGES_H
#define TWOSTAGE_RUN_SAMPLE_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/trace.h"

/* 64 neighbouring pages. */
struct sample_page_group {
	uint64_t va; /* group number; the VA's upper bits are part of it */
	uint64_t owner;
	uint64_t pages; /* a bit each; 0: the slot is free */
};

struct sample_pages {
	struct sample_page_group *group; /* owned; open addressing */
	size_t n, room;			 /* room is a power of two, or 0 */
};

void sample_pages_fini(struct sample_pages *set);

/* Empties the set. */
void sample_pages_clear(struct sample_pages *set);

bool sample_pages_have(const struct sample_pages *set, const struct trace_key *key);

/* False: out of memory. */
bool sample_pages_add(struct sample_pages *set, const struct trace_key *key);

#endif
