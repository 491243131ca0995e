/* SPDX-License-Identifier: BSD-2-Clause */
/* Synthetic traces (docs/formats.md): the same specification and seed give the same bytes anywhere.
 */
#ifndef TWOSTAGE_TRACE_GEN_H
#define TWOSTAGE_TRACE_GEN_H

#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "trace/trace.h"

enum gen_pattern {
	GEN_STRIDE,  /* every `stride` bytes, over and over */
	GEN_UNIFORM, /* any element with equal chance */
	GEN_ZIPF,    /* items by Zipf's law, scattered; any element of the item */
	GEN_CHASE,   /* the nodes of one random cycle through all of them */
	GEN_GUPS,    /* load and store of a random element */
	GEN_STENCIL, /* five-point stencil from one grid to another */
};

enum { GEN_MAX_PHASES = 64 };

/* One phase: what the vCPUs do together. Sizes in bytes. */
struct gen_phase {
	uint64_t pattern;  /* enum gen_pattern */
	uint64_t accesses; /* loads and stores of all vCPUs */
	uint64_t footprint, base;
	uint64_t size;	      /* of an access */
	uint64_t stride;      /* stride */
	uint64_t item;	      /* zipf, chase; 0: 4096 and 64 */
	uint64_t row;	      /* stencil: one row of the grid */
	uint64_t stores;      /* stride, uniform, zipf: percent of the accesses */
	uint64_t skew;	      /* zipf: exponent in thousandths */
	uint64_t fetches;     /* instruction fetches before each access */
	uint64_t code;	      /* the loop that they run through */
	uint64_t fork_every;  /* accesses of a process from fork to fork; 0: none */
	uint64_t unmap_every; /* accesses of a process between unmaps; 0: none */
	uint64_t unmap;	      /* how much it unmaps, the footprint part by part */
};

struct gen_spec {
	uint64_t seed, repeat;
	uint64_t vcpus, vms;
	uint64_t slice;		  /* accesses of a vCPU before the next one has its turn */
	uint64_t quantum;	  /* accesses of a vCPU before it switches to its next VM */
	uint64_t processes;	  /* of each VM */
	uint64_t process_quantum; /* accesses of a vCPU in a VM before the next process's turn */
	size_t n_phases;
	struct gen_phase phases[GEN_MAX_PHASES];
};

/* A key of the specification, also an option of `trace gen`. */
struct gen_key {
	const char *name, *unit, *help;
	enum { GEN_KEY_SPEC, GEN_KEY_PHASE } where;
	enum { GEN_NUMBER, GEN_BYTES, GEN_THOUSANDTHS, GEN_NAME } kind;
	size_t offset; /* of the uint64_t in gen_spec or gen_phase */
	uint64_t min, max, initial;
};

/* Ends with a key without a name. */
extern const struct gen_key gen_keys[];

enum { GEN_RANGE_BYTES = 48 };

/* One phase with the initial values. */
void gen_spec_init(struct gen_spec *spec);

/*
 * Set `key` of the specification, or of phase `phase`, from text. Counts may end in k, M, G
 * (thousands), bytes in K, M, G, T (1024s). Returns NULL or what was expected, perhaps in `range`.
 */
const char *gen_set(struct gen_spec *spec, size_t phase, const struct gen_key *key,
		    const char *text, char range[GEN_RANGE_BYTES]);

/* NULL with the nearest name in *nearest (or NULL there too). */
const struct gen_key *gen_find_key(const char *name, const char **nearest);

/* Read a YAML specification: keys, and `phases`, a list of maps that override them. */
enum exit_status gen_load(struct gen_spec *spec, const char *path, struct diag *diag);

/* Do the values of all phases go together? */
enum exit_status gen_check(const struct gen_spec *spec, struct diag *diag);

/* The specification as provenance lines; the caller frees. NULL: no memory. */
char *gen_describe(const struct gen_spec *spec);

/* Make the trace. `spec` has been checked. */
enum exit_status gen_run(const struct gen_spec *spec, struct trace_collapser *collapser,
			 struct diag *diag);

#endif
