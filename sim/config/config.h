/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The settings of one simulated point. Each field is one row of params.def, which gives its key,
 * type, unit, range, default and help; nothing else may fill or name a field.
 */
#ifndef TWOSTAGE_CONFIG_CONFIG_H
#define TWOSTAGE_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "os/costs.h"

/* stage2.start_level: KVM's choice, one root table; else level + 2 */
enum { LEVEL_AUTO = 0, LEVEL_PLAIN_TABLES = 6 };

/* guest.pages and host.backing: a size by its log2, or by its place in the granule's tables. */
enum page_size {
	PAGE_SIZE_BASE = 0, /* one page of the granule */
	PAGE_SIZE_PMD = 1,  /* one block at level 2 */
	PAGE_SIZE_PUD = 2,  /* one block at level 1 */
			    /* any other value: log2 of the size in bytes */
};

struct image_file; /* run/image_file.h */

struct tlb_config {
	uint64_t entries;
	uint64_t ways;	     /* 0: fully associative */
	uint64_t page_sizes; /* bit n set: holds entries of 2^n bytes */
	uint64_t hit_cycles;
	const char *replacement; /* name of a repl_ops; points into the registry */
	const char *contiguous;	 /* yes or no; NULL: no */
	uint64_t coalesce;	 /* pages; 0: as 1 */
	const char *index;	 /* low or hashed; NULL: low */
	const char *prefetch;	 /* none or next-page; NULL: none */
	const char *probe;	 /* level 2 only: parallel or serial */
	uint64_t rehash_cycles;	 /* level 2 only */
	uint64_t shared_by;	 /* level 2 only: vCPUs */
};

struct walk_cache_config {
	uint64_t entries; /* 0: none */
	uint64_t ways;	  /* 0: fully associative */
	uint64_t hit_cycles;
	const char *place, *serves;
	uint64_t page_sizes; /* stage 2: bit n set: holds leaves of 2^n bytes */
	uint64_t levels;     /* bit n set: holds pointers to tables of level n - 1 */
};

struct cache_config {
	uint64_t size_bytes; /* 0: none */
	uint64_t ways;
	uint64_t hit_cycles;
};

struct config {
	struct {
		uint64_t id_aa64mmfr0, id_aa64mmfr1, id_aa64mmfr2, id_aa64isar0;
		/* The choices of struct arch_cpu, by their names. */
		const char *txsz_out_of_range, *contiguous_misprogrammed, *nt_block, *fetch_device;
		const char *ttl_hint;
		uint64_t dic;
		uint64_t frequency_mhz;
		uint64_t overlap_permille, cpi_permille;
		uint64_t window_instructions; /* 0: the core waits for each walk */
	} core;
	struct {
		uint64_t count, queue;
		const char *merge;
	} walker;
	struct {
		uint64_t granule_bits, va_bits;
		const char *walks;
	} stage1;
	struct {
		uint64_t granule_bits, ipa_bits, start_level;
		const char *walks;
	} stage2;
	struct {
		const char *policy, *dirty_state, *kernel_map, *cnp;
		const struct image_file *image; /* NULL: none */
		uint64_t asid_bits, thp_permille, contiguous_permille, fragmentation_permille;
		uint64_t pages, memory_base, memory_bytes;
	} guest;
	struct {
		const char *block_rule, *kernel, *era, *walker, *thp, *age_flush;
		const char *force_broadcast, *cnp;
		uint64_t backing, va_bits, user_skew, split_chunk;
		uint64_t memory_bytes, fragmentation_permille;
		const char *hugetlb_pool;
		/* In accesses; 0: never. */
		uint64_t log_start, log_sync, log_stop, age_period, scan_period;
		uint64_t scan_bytes;
		uint64_t vms, timeslice, vmid_bits;
	} host;
	struct {
		uint64_t every, ipa_bits, start_level, backing;
	} vm_b;
	struct {
		struct tlb_config l1i, l1d, l2;
		const char *inclusion;
	} tlb;
	struct {
		struct walk_cache_config s1, s2;
		struct {
			uint64_t entries, ways, hit_cycles; /* as above */
			uint64_t s1_levels, s2_levels;	    /* bit n set: level n - 1 */
		} pwc;
	} walk_cache;
	struct {
		const char *model;
		uint64_t fixed_cycles;
	} latency;
	struct {
		struct cache_config l1d, l2, llc;
		uint64_t table_share_permille;
		const char *data;
		uint64_t llc_request_cycles, llc_queue_depth;
	} cache;
	struct {
		uint64_t latency_cycles, line_cycles, queue_depth;
	} dram;
	struct {
		const char *backend;
		uint64_t quantum_cycles;
	} timing;
	struct {
		uint64_t latency_cycles, request_cycles, dvm_cycles;
	} interconnect;
	struct {
		const char *assigned;
		/* Periods in accesses; reset_period 0: never. */
		uint64_t dma_period, dma_bytes, ring_bytes, reset_period;
	} device;
	struct {
		uint64_t levels;
		struct tlb_config tlb;
		struct walk_cache_config walk_cache;
	} smmu;
	struct os_costs cost; /* of software, in models/host-costs.yaml */
	struct {
		uint64_t instructions; /* 0: none */
	} warmup, interval;
	struct {
		/* In accesses. */
		uint64_t period; /* 0: the whole trace counts */
		uint64_t length;
		uint64_t offset; /* 0: drawn */
		uint64_t warm;	 /* 0: all between */
	} sample;
	uint64_t seed;
};

#endif
