/* SPDX-License-Identifier: BSD-2-Clause */
/* Between collapse.c and collapse_words.c. */
#ifndef TWOSTAGE_TRACE_COLLAPSE_PRIVATE_H
#define TWOSTAGE_TRACE_COLLAPSE_PRIVATE_H

#include "trace/trace.h"

enum {
	PENDING = 4096,	 /* runs that wait for an older one to close; a power of two */
	BATCH = 1 << 20, /* accesses between two looks at how large the runs are */
};

struct pending {
	struct trace_run run;
	bool open;
};

/* What one vCPU is doing. */
struct vcpu_state {
	uint64_t context;	 /* VM, ASID and exception level of its last access */
	struct pending *open[2]; /* by stream; NULL: none */
};

struct trace_collapser {
	struct trace_writer *writer;
	enum trace_granularity granularity;
	uint64_t unit_mask;    /* offset bits inside a unit */
	uint64_t ordinal;      /* of the next piece */
	uint64_t instructions; /* begun so far ... */
	uint64_t attributed;   /* ... and of these, given to a record */
	struct vcpu_state *vcpus;
	size_t n_vcpus;
	struct pending *newest; /* the run started last, while pending; else NULL */
	size_t head, tail;	/* of the ring: numbers of runs emitted and started */
	struct pending ring[PENDING];
};

#endif
