/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random reference streams with everything that traces can hold: several vCPUs, VMs, ASIDs,
 * accesses over page boundaries, context switches, TLB invalidations, unmapping. And a plain
 * collapser, which can be told to break one of the conditions of exact page runs (docs/model.md).
 */
#ifndef TWOSTAGE_REPRO_REFS_H
#define TWOSTAGE_REPRO_REFS_H

#include "trace/import.h"
#include "trace/trace.h"

struct refs_item {
	bool is_event;
	struct trace_ref ref;
	struct trace_event event;
};

struct refs {
	struct refs_item *item;
	size_t n;
};

struct refs_options {
	uint64_t seed;
	size_t n;
	unsigned vcpus, vms, asids; /* asids: of each VM */
	unsigned pages;		    /* of each address space and stream */
	unsigned same_page_percent; /* an access stays on the page of its stream */
	unsigned straddle_permille; /* data accesses over a page boundary */
	unsigned store_percent;	    /* of data accesses */
	unsigned switch_permille, tlbi_permille, unmap_permille; /* events */
	unsigned fork_permille; /* likewise; with two ASIDs or more */
	bool low;		/* all addresses below 2^38 and 64 KiB or more apart */
};

/* Exits the program when out of memory. */
struct refs refs_random(const struct refs_options *options);
void refs_free(struct refs *refs);

/* Through the program's own collapser into a trace at `path`; exits the program on failure. */
void refs_write(const struct refs *refs, const char *path, enum trace_granularity granularity);

/* The first n of them written to `path` and opened, the caller's to close; likewise. */
struct trace_reader *refs_open(const struct refs *refs, size_t n, const char *path,
			       enum trace_granularity granularity);

enum refs_break {
	REFS_EXACT,
	REFS_ORDER_BY_END,    /* records in the order of their last access */
	REFS_ACROSS_SWITCHES, /* runs stay open over context switches and TLBIs */
	REFS_NO_SPLITS,	      /* an access over a page boundary counts in its first page only */
	REFS_NO_FIRST_KIND,   /* the order of loads and stores in a run is forgotten */
	REFS_NO_ORDINALS, /* the first store after a load counts as made at the end of the run */
};

/* Page runs by the plain collapser. */
void refs_write_broken(const struct refs *refs, const char *path, enum refs_break how);

#endif
