/* SPDX-License-Identifier: BSD-2-Clause */
#include "identities.h"

#include <string.h>

#define S(name) (stats->v[STAT_##name])
#define HOLDS(identity)                                                                            \
	do {                                                                                       \
		if (!(identity))                                                                   \
			return #identity;                                                          \
	} while (0)

static const char *accesses(const struct trace_totals *totals, const struct stats *stats)
{
	HOLDS(S(fetches) == totals->fetches);
	HOLDS(S(loads) == totals->loads);
	HOLDS(S(stores) == totals->stores);
	HOLDS(S(page_splits) == totals->splits);
	HOLDS(S(instructions) == totals->instructions);
	HOLDS(S(accesses) == S(fetches) + S(loads) + S(stores));
	return NULL;
}

static const char *tlbs(const struct config *config, const struct stats *stats)
{
	HOLDS(S(l1i_tlb_hits) + S(l1i_tlb_misses) == S(fetches));
	HOLDS(S(l1d_tlb_hits) + S(l1d_tlb_misses) == S(loads) + S(stores) + S(page_splits));
	HOLDS(S(l2_tlb_hits) + S(l2_tlb_misses) == S(l1i_tlb_misses) + S(l1d_tlb_misses));
	HOLDS(config->tlb.l2.entries || S(l2_tlb_hits) == 0);
	HOLDS(S(walks) + S(mmio_exits) == S(l2_tlb_misses) + S(dirty_rewalks));
	HOLDS(S(dirty_rewalks) <= S(fetches) + S(stores) + S(page_splits));
	HOLDS(S(l1i_splintered) <= S(l1i_tlb_misses) + S(prefetch_fills));
	HOLDS(S(l1d_splintered) <= S(l1d_tlb_misses) + S(dirty_rewalks) + S(prefetch_fills));
	HOLDS(S(l2_common_hits) <= (config->tlb.l2.shared_by > 1 ? S(l2_tlb_hits) : 0));
	HOLDS(S(prefetch_hits) <= S(prefetch_fills));
	HOLDS(S(prefetch_drops) <= S(prefetch_walks));
	HOLDS(S(prefetch_fills) <= S(l1i_tlb_misses) + S(l1d_tlb_misses) + S(prefetch_walks));
	HOLDS(S(l2_splintered) <=
	      S(walks) + S(prefetch_fills) +
		      (strcmp(config->tlb.inclusion, "exclusive") == 0
			       ? S(l1i_tlb_misses) + S(l1d_tlb_misses) + S(dirty_rewalks)
			       : 0));
	return NULL;
}

static const char *reads(const struct config *config, const struct stats *stats)
{
	uint64_t s2_translations =
		S(walk_cache_s2_leaf_hits) + S(walk_cache_s2_table_hits) + S(walk_cache_s2_misses);
	uint64_t looked_up_s1 = S(walk_reads_s1) + S(pwc_s1_hits);
	uint64_t expected = looked_up_s1 - S(walk_cache_s1_hits) + S(walks);
	bool dirty = strcmp(config->guest.dirty_state, "preset") != 0;
	bool scattered = config->stage2.granule_bits < config->stage1.granule_bits;
	uint64_t more = (dirty ? S(walks) : 0) + (scattered ? S(walk_cache_s1_hits) : 0);

	HOLDS(S(walk_reads) == S(walk_reads_s1) + S(walk_reads_s2));
	HOLDS(S(walk_reads_s1) == S(walk_reads_s1_lm1) + S(walk_reads_s1_l0) + S(walk_reads_s1_l1) +
					  S(walk_reads_s1_l2) + S(walk_reads_s1_l3));
	HOLDS(S(walk_reads_s2) == S(walk_reads_s2_lm1) + S(walk_reads_s2_l0) + S(walk_reads_s2_l1) +
					  S(walk_reads_s2_l2) + S(walk_reads_s2_l3));
	HOLDS(S(walk_reads) ==
	      S(walk_reads_l1d) + S(walk_reads_l2) + S(walk_reads_llc) + S(walk_reads_dram));
	HOLDS(S(walk_reads_s2_final) <= S(walk_reads_s2));
	HOLDS(S(walk_cycles_s2_final) <= S(walk_cycles));
	HOLDS(looked_up_s1 >= S(walks));
	HOLDS(S(pwc_misses) <= S(walk_reads));
	HOLDS(config->walk_cache.pwc.entries ||
	      S(pwc_s1_hits) + S(pwc_s2_hits) + S(pwc_misses) == 0);
	HOLDS(S(walk_cache_s1_hits) + S(walk_cache_s1_misses) ==
		      (config->walk_cache.s1.entries ? S(walks) : 0) ||
	      S(walk_cache_s1_misses) == S(walks));
	/*
	 * One stage-2 translation for the final IPA, and one for each stage-1 read but the first
	 * behind a hit in the stage-1 cache, which knows that table's PA (not so if the table lies
	 * in several pages of stage 2). With hardware dirty state also one for each update of a
	 * stage-1 leaf, at most one a walk.
	 */
	if (config->walk_cache.s2.entries) {
		HOLDS(s2_translations >= expected);
		HOLDS(s2_translations <= expected + more);
	}
	HOLDS(config->walk_cache.s1.entries || S(walk_cache_s1_hits) == 0);
	HOLDS(config->walk_cache.s2.entries ||
	      S(walk_cache_s2_leaf_hits) + S(walk_cache_s2_table_hits) == 0);
	return NULL;
}

/* Of `n` statistics, each `step` rows behind the one before. */
static uint64_t sum(const struct stats *stats, unsigned first, unsigned n, unsigned step)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < n; i++)
		total += stats->v[first + i * step];
	return total;
}

static const char *cycles(const struct config *config, const struct stats *stats)
{
	uint64_t l1 = S(fetches) * config->tlb.l1i.hit_cycles +
		      (S(loads) + S(stores) + S(page_splits)) * config->tlb.l1d.hit_cycles;
	uint64_t l2 = config->tlb.l2.entries
			      ? (S(l1i_tlb_misses) + S(l1d_tlb_misses)) * config->tlb.l2.hit_cycles
			      : 0;

	HOLDS(S(translation_cycles) ==
	      l1 + l2 + S(l2_rehashes) * config->tlb.l2.rehash_cycles + S(walk_cycles));
	HOLDS(sum(stats, STAT_reads_s1_lm1_l1d, 40, 1) == S(walk_reads));
	HOLDS(sum(stats, STAT_reads_s1_l3_l1d, 4, 1) == S(walk_reads_s1_l3));
	HOLDS(sum(stats, STAT_reads_s2_l2_l1d, 4, 1) == S(walk_reads_s2_l2));
	HOLDS(sum(stats, STAT_reads_s1_lm1_dram, 10, 4) == S(walk_reads_dram));
	HOLDS(sum(stats, STAT_read_cycles_s1_lm1_l1d, 40, 1) +
		      S(walk_cache_s1_hits) * config->walk_cache.s1.hit_cycles +
		      (S(walk_cache_s2_leaf_hits) + S(walk_cache_s2_table_hits)) *
			      config->walk_cache.s2.hit_cycles +
		      (S(pwc_s1_hits) + S(pwc_s2_hits)) * config->walk_cache.pwc.hit_cycles ==
	      S(walk_cycles));
	HOLDS(sum(stats, STAT_walks_page_page, 9, 6) == S(walks));
	HOLDS(sum(stats, STAT_walk_cycles_page_page, 9, 6) == S(walk_cycles));
	HOLDS(S(walk_cycles_page_page_max) <= S(walk_cycles_max));
	HOLDS(S(walk_cycles_p50) <= S(walk_cycles_p90));
	HOLDS(S(walk_cycles_p90) <= S(walk_cycles_p99));
	HOLDS(S(walk_cycles_p99) <= S(walk_cycles_max));
	HOLDS(S(walk_cycles) <= S(walks) * S(walk_cycles_max));
	HOLDS(S(walks) == 0 || S(walk_cycles) >= S(walk_cycles_max));
	/* Half of the walks take the median or more (percentiles are exact to 1 part in 16). */
	HOLDS(S(walk_cycles) * 17 / 16 + 1 >= (S(walks) / 2) * S(walk_cycles_p50) * 15 / 16);
	return NULL;
}

static const char *stalls(const struct config *config, const struct stats *stats)
{
	uint64_t hidden = S(walk_cycles) * config->core.overlap_permille / 1000;

	HOLDS(S(stall_walkers_cycles) <= S(stall_cycles));
	HOLDS(S(stall_cycles) <= S(walk_active_cycles));
	HOLDS(S(walk_active_cycles) <= S(walk_cycles) + S(walk_repeat_cycles));
	HOLDS(S(walk_repeat_cycles) <= S(walks_repeated) * S(walk_cycles_max));
	if (config->core.window_instructions)
		return NULL;
	HOLDS(S(walk_active_cycles) == S(walk_cycles));
	HOLDS(S(stall_cycles) + hidden == S(walk_cycles));
	HOLDS(S(walk_queue_cycles) + S(walks_merged) + S(walks_repeated) == 0);
	return NULL;
}

static const char *software(const struct stats *stats)
{
	HOLDS(S(software_cycles) == S(guest_fault_cycles) + S(exit_cycles) + S(fault_cycles) +
					    S(zero_cycles) + S(table_cycles) + S(split_cycles) +
					    S(tlbi_cycles) + S(switch_cycles) + S(mmio_cycles));
	HOLDS(S(tlbis_broadcast) <= S(tlbis));
	HOLDS(S(tlbis_unwaited) <= S(tlbis_broadcast));
	HOLDS(S(during_lookups) == 0 || S(before_lookups) > 0);
	HOLDS(S(before_lookups) == 0 || S(before_lookups) + S(during_lookups) + S(after_lookups) ==
						S(accesses) + S(page_splits));
	HOLDS(S(before_lookups) == 0 ||
	      S(before_l2_tlb_misses) + S(during_l2_tlb_misses) + S(after_l2_tlb_misses) ==
		      S(l2_tlb_misses));
	HOLDS(S(before_lookups) == 0 ||
	      S(before_walk_cycles) + S(during_walk_cycles) + S(after_walk_cycles) ==
		      S(walk_cycles));
	HOLDS(S(before_lookups) == 0 ||
	      S(before_s2_faults) + S(during_s2_faults) + S(after_s2_faults) == S(s2_faults));
	HOLDS(S(before_lookups) == 0 ||
	      S(before_software_cycles) + S(during_software_cycles) + S(after_software_cycles) ==
		      S(software_cycles));
	return NULL;
}

static const char *faults(const struct stats *stats)
{
	HOLDS(S(s2_table_faults) <= S(s2_faults));
	/* The guest's own writes to its tables fault as well, but outside walks. */
	HOLDS(S(s2_walk_faults) <= S(s2_faults));
	HOLDS(S(walk_retries) == S(s1_faults) + S(s2_walk_faults));
	HOLDS(S(s2_permission_faults) + S(s2_access_flag_faults) <= S(s2_faults));
	HOLDS(S(walks) == 0 || S(s1_faults) > 0);
	HOLDS(S(walks) == 0 || S(table_pages_s1) > 0);
	HOLDS(S(walks) == 0 || S(table_pages_s2) > 0);
	HOLDS(S(s1_mapped_4k) + S(s1_mapped_16k) + S(s1_mapped_64k) + S(s1_mapped_2m) +
		      S(s1_mapped_32m) + S(s1_mapped_512m) + S(s1_mapped_1g) <=
	      S(s1_faults) + S(s1_contiguous_mapped));
	return NULL;
}

const char *identities_broken(const struct config *config, const struct trace_totals *totals,
			      const struct stats *stats)
{
	const char *why = accesses(totals, stats);

	if (!why)
		why = tlbs(config, stats);
	if (!why)
		why = reads(config, stats);
	if (!why)
		why = cycles(config, stats);
	if (!why)
		why = stalls(config, stats);
	if (!why)
		why = faults(stats);
	return why ? why : software(stats);
}
