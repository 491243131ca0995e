/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "config/param_text.h"

/* Choices of the engine itself that no plug-in makes; looked up like plug-ins. */
static const struct choice {
	const char *room, *name, *help;
} choices[] = {
	{ "cache_data", "share", "they leave tables cache.table_share_permille of the ways" },
	{ "cache_data", "simulate",
	  "each line goes through them; wants a trace of line runs or a raw one" },
	{ "cnp", "no", "each vCPU's entries are its own" },
	{ "cnp", "yes", "those of one VMID and ASID are common, as with Linux since 4.20" },
	{ "contiguous", "no", "the bit is ignored" },
	{ "contiguous", "yes", "one entry, as far as both stages have the set or a larger leaf" },
	{ "contiguous_misprogrammed", "fault", "translation fault" },
	{ "contiguous_misprogrammed", "ignore", "the hint is ignored" },
	{ "dirty_state", "hardware",
	  "writable-clean leaves with DBM: FEAT_HAFDBS sets them dirty" },
	{ "dirty_state", "preset", "leaves are mapped writable and dirty" },
	{ "fetch_device", "allow", "as from Normal memory" },
	{ "fetch_device", "fault", "permission fault" },
	{ "age_flush", "no", "TLB entries stay until they are replaced" },
	{ "age_flush", "yes", "TLBs are flushed: clear_flush_young" },
	{ "assigned", "none", "no device" },
	{ "assigned", "scattered", "its buffers come in an order that spreads over the ring" },
	{ "assigned", "streaming", "its buffers follow each other" },
	{ "backend", "analytic", "latencies are added up, no vCPU is in another's way" },
	{ "backend", "systemc", "TLM-2.0 model of cores, interconnect, last-level cache and DRAM" },
	{ "era", "2014", "KVM of v3.18 to v4.6: one IPA size and start level a granule" },
	{ "era", "now", "any VM that KVM creates today" },
	{ "force_broadcast", "no", "they stay on their vCPU" },
	{ "force_broadcast", "yes", "to all vCPUs" },
	{ "hugetlb_pool", "ample", "each at its first touch" },
	{ "hugetlb_pool", "reserved",
	  "all of guest.memory at the start, or the run ends with an error" },
	{ "inclusion", "exclusive", "level 2 gets what level 1 evicts" },
	{ "inclusion", "inclusive", "level 1 loses what level 2 evicts; needs raw traces" },
	{ "inclusion", "none", "both are filled, each evicts for itself" },
	{ "kernel", "6.1", "Linux 6.1" },
	{ "kernel", "6.6", "Linux 6.6" },
	{ "kernel", "6.12", "Linux 6.12" },
	{ "kernel_map", "blocks", "in the largest blocks and contiguous sets that fit" },
	{ "kernel_map", "pages", "by pages, as rodata=full makes the linear map" },
	{ "nt_block", "fault", "translation fault" },
	{ "nt_block", "ignore", "as nT = 0" },
	{ "prefetch", "next-page", "the page behind the one that missed, unless that faults" },
	{ "prefetch", "none", "nothing" },
	{ "probe", "parallel", "all sizes at once" },
	{ "probe", "serial", "one size after the other, those with entries, the smallest first" },
	{ "s1_place", "l2_tlb", "in the level-2 TLB, whose entries it then shares" },
	{ "s1_place", "own", "a structure of its own" },
	{ "s2_place", "l2_tlb", "in the level-2 TLB, whose entries it then shares" },
	{ "s2_place", "own", "a structure of its own" },
	{ "s2_place", "s1", "in the stage-1 walk cache: one unified structure" },
	{ "s2_serves", "all", "all stage-2 translations of walks" },
	{ "s2_serves", "data", "only that of the final IPA" },
	{ "s2_serves", "tables", "only those that locate stage-1 tables: a nested TLB" },
	{ "table_walker", "fake-pgd",
	  "the host's own: levels above the entry level exist for software only" },
	{ "table_walker", "stage2", "those that the hardware has" },
	{ "thp", "always", "a PMD wherever one can be had" },
	{ "thp", "never", "base pages only" },
	{ "tlb_index", "hashed", "by all bits of the page number, folded by exclusive or" },
	{ "tlb_index", "low", "by its low bits: modulo the number of sets" },
	{ "ttl_hint", "ignore", "removes leaves of every level" },
	{ "ttl_hint", "level", "keeps those of other levels" },
	{ "txsz_out_of_range", "clamp", "the nearest legal size" },
	{ "txsz_out_of_range", "fault", "translation fault at level 0" },
	{ "walk_cacheability", "non-cacheable", "each descriptor from DRAM" },
	{ "walk_cacheability", "write-back",
	  "through the caches, as Linux and KVM have it; with guest.image as its guest has it" },
	{ "walker_merge", "no", "makes a walk of its own, as long as that one; needs raw traces" },
	{ "walker_merge", "yes", "waits for that walk" },
};

const char *param_choice(const char *room, size_t index, const char **help)
{
	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
		if (strcmp(choices[i].room, room) != 0 || index-- != 0)
			continue;
		if (help)
			*help = choices[i].help;
		return choices[i].name;
	}
	return NULL;
}
