/* SPDX-License-Identifier: BSD-2-Clause */
/* From the settings of a point to the shapes of its machine, and which machines cannot be. */
#include "run/machine_setup.h"

#include <inttypes.h>
#include <string.h>

#include "config/image_file.h"
#include "config/tlb_check.h"
#include "os/kvm_pgtable.h"
#include "run/machine.h"

static struct arch_cpu cpu_of(const struct config *config)
{
	const struct arch_id id = {
		.mmfr0 = config->core.id_aa64mmfr0,
		.mmfr1 = config->core.id_aa64mmfr1,
		.mmfr2 = config->core.id_aa64mmfr2,
		.isar0 = config->core.id_aa64isar0,
	};
	struct arch_cpu cpu;

	cpu_init(&cpu, &id);
	cpu_choose(&cpu, "txsz_out_of_range", config->core.txsz_out_of_range);
	cpu_choose(&cpu, "contiguous_misprogrammed", config->core.contiguous_misprogrammed);
	cpu_choose(&cpu, "nt_block", config->core.nt_block);
	cpu_choose(&cpu, "fetch_device", config->core.fetch_device);
	cpu.ttl_hint = strcmp(config->core.ttl_hint, "level") ? TTL_IGNORE : TTL_KEEP_OTHERS;
	return cpu;
}

static unsigned page_bits(uint64_t page, enum granule granule)
{
	switch (page) {
	case PAGE_SIZE_BASE:
		return granule;
	case PAGE_SIZE_PMD:
		return geometry_pmd_bits(granule);
	case PAGE_SIZE_PUD:
		return geometry_pud_bits(granule);
	default:
		return (unsigned)page;
	}
}

static unsigned kernel_of(const char *name)
{
	return strcmp(name, "6.1") == 0	  ? KVM_KERNEL(6, 1)
	       : strcmp(name, "6.6") == 0 ? KVM_KERNEL(6, 6)
					  : KVM_KERNEL(6, 12);
}

static enum kvm_backing backing_of(const struct config *config, unsigned bits)
{
	if (bits != config->stage2.granule_bits)
		return KVM_BACKING_HUGETLB;
	return strcmp(config->host.thp, "always") == 0 ? KVM_BACKING_THP : KVM_BACKING_ANON;
}

enum dirty_state machine_dirty_state(const struct config *config)
{
	return strcmp(config->guest.dirty_state, "hardware") == 0 ? DIRTY_HARDWARE : DIRTY_PRESET;
}

static enum walk_cacheability walks_of(const char *name)
{
	return strcmp(name, "non-cacheable") == 0 ? WALKS_NON_CACHEABLE : WALKS_WRITE_BACK;
}

static int start_level_of(uint64_t level)
{
	return level == LEVEL_PLAIN_TABLES ? LEVEL_PLAIN : (int)level - 2;
}

struct vm_setup machine_vm_setup(const struct config *config, uint32_t index)
{
	const bool b = config->vm_b.every && (index + 1) % config->vm_b.every == 0;
	const enum granule s1 = (enum granule)config->stage1.granule_bits;
	const enum granule s2 = (enum granule)config->stage2.granule_bits;
	const unsigned backing_bits =
		page_bits(b ? config->vm_b.backing : config->host.backing, s2);

	return (struct vm_setup){
		.cpu = cpu_of(config),
		.s1_granule = s1,
		.s2_granule = s2,
		.va_bits = (unsigned)config->stage1.va_bits,
		.ipa_bits = (unsigned)(b ? config->vm_b.ipa_bits : config->stage2.ipa_bits),
		.s1_walks = walks_of(config->stage1.walks),
		.s2_walks = walks_of(config->stage2.walks),
		.start_level =
			start_level_of(b ? config->vm_b.start_level : config->stage2.start_level),
		.host_va_bits = (unsigned)config->host.va_bits,
		.guest_leaf_bits = page_bits(config->guest.pages, s1),
		.backing = backing_of(config, backing_bits),
		.backing_bits = backing_bits,
		.pool = strcmp(config->host.hugetlb_pool, "reserved") == 0 ? KVM_POOL_RESERVED
									   : KVM_POOL_AMPLE,
		.kernel = kernel_of(config->host.kernel),
		.dic = config->core.dic != 0,
		.era = strcmp(config->host.era, "2014") == 0 ? KVM_ERA_2014 : KVM_ERA_NOW,
		.walker = strcmp(config->host.walker, "fake-pgd") == 0 ? KVM_WALKER_FAKE_PGD
								       : KVM_WALKER_STAGE2,
		.force_broadcast = strcmp(config->host.force_broadcast, "yes") == 0,
		.guest_cnp = strcmp(config->guest.cnp, "yes") == 0,
		.host_cnp = strcmp(config->host.cnp, "yes") == 0,
		.user_skew = config->host.user_skew,
		.split_chunk_bytes = config->host.split_chunk,
		.memory_base = config->guest.memory_base,
		.memory_bytes = config->guest.memory_bytes,
		.dirty_state = machine_dirty_state(config),
		.image = config->guest.image ? image_file_path(config->guest.image) : NULL,
		.guest = guest_find(config->guest.policy),
		.asid_bits = (unsigned)config->guest.asid_bits,
		.thp_permille = (uint32_t)config->guest.thp_permille,
		.contiguous_permille = (uint32_t)config->guest.contiguous_permille,
		.fragmentation_permille = (uint32_t)config->guest.fragmentation_permille,
		.kernel_map = strcmp(config->guest.kernel_map, "blocks") == 0 ? KERNEL_BLOCKS
									      : KERNEL_PAGES,
		.host = host_find(config->host.block_rule),
		.seed = config->seed,
	};
}

static unsigned page_bits_of(const struct config *config)
{
	return (unsigned)(config->stage1.granule_bits < config->stage2.granule_bits
				  ? config->stage1.granule_bits
				  : config->stage2.granule_bits);
}

static struct tlb_shape tlb_shape_of(const struct tlb_config *tlb, const struct config *config,
				     uint64_t stream)
{
	const uint64_t ways = tlb->ways ? tlb->ways : tlb->entries;

	return (struct tlb_shape){
		.sets = ways ? (uint32_t)(tlb->entries / ways) : 0,
		.ways = (uint32_t)ways,
		.page_sizes = tlb->page_sizes,
		.hit_cycles = (uint32_t)tlb->hit_cycles,
		.repl = repl_find(tlb->replacement),
		.seed = config->seed ^ stream << 32,
		.hashed = tlb->index && strcmp(tlb->index, "hashed") == 0,
		.contiguous = tlb->contiguous && strcmp(tlb->contiguous, "yes") == 0,
		.group_bits = tlb->coalesce > 1 ? (uint8_t)__builtin_ctzll(tlb->coalesce) : 0,
		.page_bits = (uint8_t)page_bits_of(config),
		.prefetch = tlb->prefetch && strcmp(tlb->prefetch, "next-page") == 0,
	};
}

static struct walk_cache_shape walk_cache_shape_of(const struct walk_cache_config *cache)
{
	return (struct walk_cache_shape){
		.entries = (uint32_t)cache->entries,
		.ways = (uint32_t)cache->ways,
		.hit_cycles = (uint32_t)cache->hit_cycles,
		.place = !cache->place || !strcmp(cache->place, "own") ? WALK_CACHE_OWN
			 : !strcmp(cache->place, "s1")		       ? WALK_CACHE_IN_S1
								       : WALK_CACHE_IN_L2,
		.serves = !cache->serves || !strcmp(cache->serves, "all") ? WALK_CACHE_SERVES_ALL
			  : !strcmp(cache->serves, "tables")		  ? WALK_CACHE_SERVES_TABLES
								: WALK_CACHE_SERVES_DATA,
		.limits = {
			.no_sizes = cache->page_sizes ? ~cache->page_sizes : 0,
			.no_levels = (uint8_t)~cache->levels,
		},
	};
}

bool machine_simulates_lines(const struct config *config)
{
	return strcmp(config->cache.data, "simulate") == 0;
}

static struct latency_level latency_level_of(const struct cache_config *cache)
{
	return (struct latency_level){
		.size_bytes = cache->size_bytes,
		.ways = (uint32_t)cache->ways,
		.hit_cycles = (uint32_t)cache->hit_cycles,
	};
}

struct mmu_shape machine_mmu_shape(const struct config *config, uint32_t vcpus)
{
	return (struct mmu_shape){
		.vcpus = vcpus,
		.l1i = tlb_shape_of(&config->tlb.l1i, config, 0),
		.l1d = tlb_shape_of(&config->tlb.l1d, config, 1),
		.l2 = tlb_shape_of(&config->tlb.l2, config, 2),
		.l2_sharers = (uint32_t)config->tlb.l2.shared_by,
		.inclusion = !strcmp(config->tlb.inclusion, "inclusive")   ? MMU_INCLUSIVE
			     : !strcmp(config->tlb.inclusion, "exclusive") ? MMU_EXCLUSIVE
									   : MMU_NON_INCLUSIVE,
		.l2_serial = config->tlb.l2.entries && strcmp(config->tlb.l2.probe, "serial") == 0,
		.l2_rehash_cycles = (uint32_t)config->tlb.l2.rehash_cycles,
		.s1 = walk_cache_shape_of(&config->walk_cache.s1),
		.s2 = walk_cache_shape_of(&config->walk_cache.s2),
		.pwc = {
			.entries = (uint32_t)config->walk_cache.pwc.entries,
			.ways = (uint32_t)config->walk_cache.pwc.ways,
			.hit_cycles = (uint32_t)config->walk_cache.pwc.hit_cycles,
			.levels = { (uint8_t)config->walk_cache.pwc.s1_levels,
				    (uint8_t)config->walk_cache.pwc.s2_levels },
		},
		.s1_granule = (enum granule)config->stage1.granule_bits,
		.s2_granule = (enum granule)config->stage2.granule_bits,
		.latency = latency_find(config->latency.model),
		.latency_config = {
			.level = {
				[FOUND_L1D] = latency_level_of(&config->cache.l1d),
				[FOUND_L2] = latency_level_of(&config->cache.l2),
				[FOUND_LLC] = latency_level_of(&config->cache.llc),
			},
			.table_share_permille = machine_simulates_lines(config) ? 1000 :
				(uint32_t)config->cache.table_share_permille,
			.dram_cycles = (uint32_t)config->dram.latency_cycles,
			.fixed_cycles = (uint32_t)config->latency.fixed_cycles,
		},
		.overlap_permille = (uint32_t)config->core.overlap_permille,
		.core_goes_on = config->core.window_instructions != 0,
	};
}

struct timing_config machine_timing(const struct config *config, uint32_t vcpus)
{
	const struct mmu_shape mmu = machine_mmu_shape(config, vcpus);

	return (struct timing_config){
		.vcpus = vcpus,
		.latency = mmu.latency,
		.latency_config = mmu.latency_config,
		.quantum_cycles = config->timing.quantum_cycles,
		.interconnect = {
			.latency_cycles = (uint32_t)config->interconnect.latency_cycles,
			.request_cycles = (uint32_t)config->interconnect.request_cycles,
			.dvm_cycles = (uint32_t)config->interconnect.dvm_cycles,
		},
		.llc = { (uint32_t)config->cache.llc_request_cycles,
			 (uint32_t)config->cache.llc_queue_depth },
		.dram = { (uint32_t)config->dram.line_cycles,
			  (uint32_t)config->dram.queue_depth },
	};
}

struct walkers_config machine_walkers(const struct config *config, uint32_t vcpus)
{
	return (struct walkers_config){
		.vcpus = vcpus,
		.count = (uint32_t)config->walker.count,
		.queue = (uint32_t)config->walker.queue,
		.merge = strcmp(config->walker.merge, "no") == 0 ? WALKERS_REPEAT : WALKERS_MERGE,
		.window_instructions = config->core.window_instructions,
		.cpi_permille = config->core.cpi_permille,
	};
}

struct smmu_shape machine_smmu_shape(const struct config *config, uint32_t vms)
{
	const struct mmu_shape mmu = machine_mmu_shape(config, 1);
	struct smmu_shape shape = {
		.tlb = tlb_shape_of(&config->smmu.tlb, config, 3),
		.walk_cache_entries = (uint32_t)config->smmu.walk_cache.entries,
		.walk_cache_ways = (uint32_t)config->smmu.walk_cache.ways,
		.walk_cache_hit_cycles = (uint32_t)config->smmu.walk_cache.hit_cycles,
		.granule = mmu.s2_granule,
		.levels = (unsigned)config->smmu.levels,
		.streams = vms,
		.latency = mmu.latency,
		.latency_config = mmu.latency_config,
	};

	/* Its walks pass by the cores' own caches; the last level and DRAM are the system's. */
	/* No lines of the guest go through the SMMU's caches. */
	shape.latency_config.table_share_permille = (uint32_t)config->cache.table_share_permille;
	shape.latency_config.level[FOUND_L1D].size_bytes = 0;
	shape.latency_config.level[FOUND_L2].size_bytes = 0;
	return shape;
}

static enum exit_status check_ways(const char *what, uint64_t entries, uint64_t ways,
				   struct diag *diag)
{
	if (!ways || entries % ways == 0)
		return STATUS_OK;
	return diag_set(diag, STATUS_BAD_INPUT, "%s.entries: %lu is no multiple of %s.ways, %lu",
			what, (unsigned long)entries, what, (unsigned long)ways);
}

static enum exit_status check_tlb(const char *what, const struct tlb_config *tlb, struct diag *diag)
{
	if (tlb->coalesce && tlb->coalesce & (tlb->coalesce - 1))
		return diag_set(diag, STATUS_BAD_INPUT, "%s.coalesce: %u is no power of two", what,
				(unsigned)tlb->coalesce);
	return check_ways(what, tlb->entries, tlb->ways, diag);
}

/* Every L1 miss must allocate, or runs could not be replayed: the smallest leaf has to fit. */
static enum exit_status check_l1(const char *what, const struct tlb_config *tlb,
				 const struct config *config, struct diag *diag)
{
	const uint64_t page = page_bits_of(config);
	const enum exit_status status = check_tlb(what, tlb, diag);

	if (status != STATUS_OK || tlb->page_sizes & low_mask((unsigned)page + 1))
		return status;
	return diag_set(diag, STATUS_BAD_INPUT,
			"%s.page_sizes: no size of %luK or less, so pages of stage 1 and stage 2 "
			"would not fit",
			what, (unsigned long)(UINT64_C(1) << (page - 10)));
}

static enum exit_status check_walk_caches(const struct config *config, struct diag *diag)
{
	const struct walk_cache_config *s1 = &config->walk_cache.s1, *s2 = &config->walk_cache.s2;
	const bool s1_in_l2 = s1->entries && strcmp(s1->place, "l2_tlb") == 0;
	const bool s2_in_l2 = s2->entries && strcmp(s2->place, "l2_tlb") == 0;
	enum exit_status status = STATUS_OK;

	if ((s1_in_l2 || s2_in_l2) && !config->tlb.l2.entries)
		return diag_set(diag, STATUS_BAD_INPUT,
				"walk_cache.s%d.place: l2_tlb, but tlb.l2.entries says that there "
				"is none",
				s1_in_l2 ? 1 : 2);
	if (s2->entries && !s1->entries && strcmp(s2->place, "s1") == 0)
		return diag_set(diag, STATUS_BAD_INPUT,
				"walk_cache.s2.place: s1, but walk_cache.s1.entries says that "
				"there is none");
	if (!s1_in_l2)
		status = check_ways("walk_cache.s1", s1->entries, s1->ways, diag);
	if (status == STATUS_OK && strcmp(s2->place, "own") == 0)
		status = check_ways("walk_cache.s2", s2->entries, s2->ways, diag);
	if (status == STATUS_OK)
		status = check_ways("walk_cache.pwc", config->walk_cache.pwc.entries,
				    config->walk_cache.pwc.ways, diag);
	return status;
}

/* Other levels than those that each fill for themselves. */
static enum exit_status check_inclusion(const struct config *config, struct diag *diag)
{
	const struct tlb_config *l2 = &config->tlb.l2;

	if (strcmp(config->tlb.inclusion, "none") == 0)
		return STATUS_OK;
	if (config->tlb.l1i.coalesce > 1 || config->tlb.l1d.coalesce > 1 || l2->coalesce > 1)
		return diag_set(diag, STATUS_BAD_INPUT,
				"tlb.inclusion: %s, but groups of pages (tlb.*.coalesce) have no "
				"inclusion",
				config->tlb.inclusion);
	if (strcmp(config->tlb.inclusion, "inclusive") == 0 &&
	    (!l2->entries || !(l2->page_sizes & low_mask(page_bits_of(config) + 1))))
		return diag_set(diag, STATUS_BAD_INPUT,
				"tlb.inclusion: inclusive, but the level-2 TLB cannot hold pages");
	return STATUS_OK;
}

static enum exit_status check_cache(const char *what, const struct cache_config *cache,
				    struct diag *diag)
{
	if (cache->size_bytes % (64 * cache->ways) == 0)
		return STATUS_OK;
	return diag_set(diag, STATUS_BAD_INPUT,
			"%s.size: %" PRIu64 " bytes are no whole number of sets of %" PRIu64
			" 64-byte lines (%s.ways)",
			what, cache->size_bytes, cache->ways, what);
}

static enum exit_status check_host(const struct config *config, const struct arch_cpu *cpu,
				   struct diag *diag)
{
	if (config->host.vmid_bits > cpu->vmid_bits)
		return diag_set(diag, STATUS_BAD_INPUT,
				"host.vmid_bits: this core has %u bits of VMID, not %u",
				cpu->vmid_bits, (unsigned)config->host.vmid_bits);
	if (config->host.log_stop && config->host.log_stop <= config->host.log_start)
		return diag_set(diag, STATUS_BAD_INPUT,
				"host.log_stop: dirty logging cannot stop at access %" PRIu64
				" when it starts at %" PRIu64,
				config->host.log_stop, config->host.log_start);
	if ((config->host.log_stop || config->host.log_sync) && !config->host.log_start)
		return diag_set(diag, STATUS_BAD_INPUT,
				"host.log_stop and host.log_sync need host.log_start");
	return STATUS_OK;
}

static enum exit_status check_lines(const struct config *config, struct diag *diag)
{
	if (!machine_simulates_lines(config))
		return STATUS_OK;
	if (!latency_find(config->latency.model)->guest)
		return diag_set(diag, STATUS_BAD_INPUT,
				"cache.data: simulate, but latency.model: %s has no caches",
				config->latency.model);
	if (strcmp(config->timing.backend, "analytic") != 0)
		return diag_set(diag, STATUS_BAD_INPUT,
				"cache.data: simulate wants timing.backend: analytic");
	return STATUS_OK;
}

/* The window of the core works out what the overlap is a figure for. */
static enum exit_status check_walkers(const struct config *config, struct diag *diag)
{
	if (!config->core.window_instructions)
		return STATUS_OK;
	if (config->core.overlap_permille)
		return diag_set(diag, STATUS_BAD_INPUT,
				"core.overlap_permille: %" PRIu64 ", but core.window_instructions "
				"works out what the core hides; one of them must be 0",
				config->core.overlap_permille);
	if (strcmp(config->timing.backend, "analytic") != 0)
		return diag_set(diag, STATUS_BAD_INPUT,
				"core.window_instructions: %" PRIu64
				" wants timing.backend: analytic, where a walk's latency is known "
				"when it begins",
				config->core.window_instructions);
	return STATUS_OK;
}

/* Both kinds of VM have a device. */
static enum exit_status check_devices(const struct config *config, const struct vm_setup *setup,
				      const struct vm_setup *setup_b, struct diag *diag)
{
	enum exit_status status = check_tlb("smmu.tlb", &config->smmu.tlb, diag);

	if (status == STATUS_OK)
		status = check_ways("smmu.walk_cache", config->smmu.walk_cache.entries,
				    config->smmu.walk_cache.ways, diag);
	if (status == STATUS_OK)
		status = devices_check(config, setup, diag);
	return status == STATUS_OK ? devices_check(config, setup_b, diag) : status;
}

enum exit_status machine_check(const struct config *config, struct diag *diag)
{
	const struct vm_setup setup = machine_vm_setup(config, 0);
	const uint32_t kind_b = config->vm_b.every ? (uint32_t)config->vm_b.every - 1 : 0;
	const struct vm_setup setup_b = machine_vm_setup(config, kind_b);
	enum exit_status status = vm_check(&setup, diag);

	if (status == STATUS_OK)
		status = vm_check(&setup_b, diag);
	if (status == STATUS_OK && config->guest.image && image_file_is_pinned(config->guest.image))
		status = image_file_load(config->guest.image, diag);
	if (status == STATUS_OK)
		status = check_l1("tlb.l1i", &config->tlb.l1i, config, diag);
	if (status == STATUS_OK)
		status = check_l1("tlb.l1d", &config->tlb.l1d, config, diag);
	if (status == STATUS_OK)
		status = check_tlb("tlb.l2", &config->tlb.l2, diag);
	if (status == STATUS_OK)
		status = check_host(config, &setup.cpu, diag);
	if (status == STATUS_OK)
		status = check_walk_caches(config, diag);
	if (status == STATUS_OK)
		status = check_inclusion(config, diag);
	if (status == STATUS_OK)
		status = tlb_check(config, diag);
	if (status == STATUS_OK)
		status = check_cache("cache.l1d", &config->cache.l1d, diag);
	if (status == STATUS_OK)
		status = check_cache("cache.l2", &config->cache.l2, diag);
	if (status == STATUS_OK)
		status = check_cache("cache.llc", &config->cache.llc, diag);
	if (status == STATUS_OK)
		status = check_lines(config, diag);
	if (status == STATUS_OK)
		status = check_walkers(config, diag);
	if (status == STATUS_OK)
		status = check_devices(config, &setup, &setup_b, diag);
	return status;
}

unsigned machine_vmid_bits(const struct config *config, const struct arch_cpu *cpu)
{
	return config->host.vmid_bits ? (unsigned)config->host.vmid_bits : cpu->vmid_bits;
}
