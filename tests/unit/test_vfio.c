/* SPDX-License-Identifier: BSD-2-Clause */
/* Assigned devices: pinned memory, the ring of buffers, and what the SMMU counts for them. */
#include "rig.h"

#include "os/vm_private.h"
#include "run/point.h"
#include "tests/repro/refs.h"
#include "tests/repro/scratch.h"

#define DEVICE                                                                                     \
	"guest.memory=64M device.assigned=streaming device.ring_bytes=4M device.dma_bytes=64K "    \
	"smmu.tlb.ways=full latency.model=fixed latency.fixed_cycles=10 "

enum { RING_PAGES = 1024, RING_BUFFERS = 64 };

static uint64_t stat(const struct rig *rig, enum stat_id id)
{
	struct stats stats = { 0 };

	devices_count(rig->machine.devices, &stats);
	return stats.v[id];
}

static void rounds(struct rig *rig, unsigned count)
{
	for (unsigned i = 0; i < count * RING_BUFFERS; i++)
		devices_dma(rig->machine.devices);
}

/*
 * All memory is mapped before the VM runs, in the blocks of the rule, and no fault follows: what
 * there was comes from the guest's first tables.
 */
static void memory_is_pinned(void **state)
{
	static const struct {
		const char *settings;
		enum stat_id leaves;
		uint64_t count;
	} cases[] = {
		{ DEVICE, STAT_s2_mapped_4k, 64 * 256 },
		{ DEVICE "host.thp=always", STAT_s2_mapped_2m, 32 },
		{ DEVICE "host.backing=2M", STAT_s2_mapped_2m, 32 },
		{ DEVICE "guest.memory=2G host.backing=1G", STAT_s2_mapped_1g, 2 },
		{ DEVICE "guest.memory=2G host.backing=1G host.block_rule=v10", STAT_s2_mapped_4k,
		  2048 * 256 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rig *rig = rig_make(cases[i].settings, 1, 1);
		const uint64_t faults = rig_stats(rig).v[STAT_s2_faults];

		assert_int_equal(rig_stats(rig).v[cases[i].leaves], cases[i].count);
		for (uint64_t va = 0; va < 16 * MIB; va += 4096 * 5)
			rig_load(rig, va);
		assert_int_equal(rig_stats(rig).v[STAT_s2_faults], faults);
		rounds(rig, 1);
		assert_int_equal(stat(rig, STAT_smmu_faults), 0);
		rig_destroy(rig);
	}
}

/* Each round touches each page of the ring once; misses follow from the TLB's reach. */
static void rings(void **state)
{
	static const struct {
		const char *settings;
		uint64_t first, later; /* misses of a round */
		uint64_t reads;	       /* of each without a walk cache, from level 1 */
	} cases[] = {
		{ "smmu.tlb.entries=512", 1024, 1024, 3 }, /* LRU, and a ring twice its size */
		{ "smmu.tlb.entries=1024", 1024, 0, 3 },
		{ "smmu.tlb.entries=2 host.backing=2M", 2, 0, 2 },
		{ "smmu.tlb.entries=1 host.backing=2M", 2, 2, 2 },
		{ "smmu.tlb.entries=1 guest.memory=1G host.backing=1G", 1, 0, 1 },
		/* Splintered, and the block's own descriptor read each time. */
		{ "smmu.tlb.entries=64 smmu.tlb.page_sizes=[4K,64K] guest.memory=1G "
		  "host.backing=1G",
		  64, 0, 1 },
		{ "smmu.tlb.entries=1024 device.assigned=scattered", 1024, 0, 3 },
		{ "smmu.tlb.entries=2 host.backing=2M device.assigned=scattered", 2, 0, 2 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct config config =
			rig_config2(DEVICE "smmu.walk_cache.entries=none ", cases[i].settings);
		struct diag diag = DIAG_INIT;
		struct rig *rig = rig_try(&config, 1, 1, &diag);
		const uint64_t misses = cases[i].first + 2 * cases[i].later;

		if (!rig)
			fail_msg("%s: %s", cases[i].settings, diag.text);
		rounds(rig, 1);
		assert_int_equal(stat(rig, STAT_smmu_tlb_misses), cases[i].first);
		rounds(rig, 2);
		assert_int_equal(stat(rig, STAT_smmu_tlb_misses), misses);
		assert_int_equal(stat(rig, STAT_smmu_accesses), 3 * RING_PAGES);
		assert_int_equal(stat(rig, STAT_smmu_tlb_hits), 3 * RING_PAGES - misses);
		assert_int_equal(stat(rig, STAT_smmu_walk_reads), misses * cases[i].reads);
		assert_int_equal(stat(rig, STAT_smmu_walk_cycles), misses * cases[i].reads * 10);
		assert_int_equal(stat(rig, STAT_smmu_cycles),
				 misses * cases[i].reads * 10 +
					 3 * RING_PAGES * config.smmu.tlb.hit_cycles);
		assert_int_equal(stat(rig, STAT_dma_bytes), 3 * 4 * MIB);
		rig_destroy(rig);
	}
}

/* Buffers next in time are far apart when scattered. */
static void scattered_is_spread(void **state)
{
	struct rig *rig = rig_make(DEVICE "device.assigned=scattered", 1, 1);
	const struct vfio_device *device = &rig->machine.devices->device[0];
	uint64_t before = device->next, seen = 0;

	(void)state;
	for (unsigned i = 0; i < RING_BUFFERS; i++) {
		const uint64_t at = device->next;

		assert_true(i == 0 || (at + RING_BUFFERS - before) % RING_BUFFERS > 8);
		seen |= UINT64_C(1) << at;
		before = at;
		devices_dma(rig->machine.devices);
	}
	assert_int_equal(seen, UINT64_MAX);
	rig_destroy(rig);
}

/* A reset drops the entries of its stream; the other VM's device keeps its own. */
static void resets(void **state)
{
	struct rig *rig = rig_make(DEVICE "host.backing=2M", 1, 2);
	struct devices *devices = rig->machine.devices;

	(void)state;
	rounds(rig, 1);
	assert_int_equal(stat(rig, STAT_smmu_tlb_misses), 2 * 2);
	vfio_reset(&devices->device[1]);
	rounds(rig, 1);
	assert_int_equal(stat(rig, STAT_smmu_tlb_misses), 2 * 2 + 2);
	devices_reset(devices);
	rounds(rig, 1);
	assert_int_equal(stat(rig, STAT_smmu_tlb_misses), 2 * 2 + 2 + 2 * 2);
	assert_int_equal(stat(rig, STAT_device_resets), 3);
	rig_destroy(rig);
}

/* KVM's broadcast TLBIs reach the SMMU; those of one VMID leave the other's entries alone. */
static void tlbis_are_broadcast(void **state)
{
	struct rig *rig = rig_make(DEVICE "host.backing=2M", 2, 2);
	const struct tlb_match all = { .scope = TLB_SCOPE_ALL };
	const struct tlb_match second = { .scope = TLB_SCOPE_VMID, .context = { .vmid = 2 } };
	struct mmu *mmu = &rig->machine.mmu;
	const uint64_t ring = rig->machine.vms[0]->memory_end - 4 * MIB;
	uint64_t misses = 4;

	(void)state;
	machine_run_vm(&rig->machine, 0, 0);
	machine_run_vm(&rig->machine, 1, 1);
	rounds(rig, 1);
	mmu_invalidate(mmu, MMU_ALL_VCPUS, &second, WALK_CACHE_BOTH); /* VMALLS12E1IS */
	rounds(rig, 1);
	assert_int_equal(stat(rig, STAT_smmu_tlb_misses), misses += 2);
	mmu_invalidate(mmu, MMU_ALL_VCPUS, &second, WALK_CACHE_STAGE1); /* VMALLE1IS */
	mmu_invalidate(mmu, 1, &second, WALK_CACHE_BOTH);		/* not broadcast */
	mmu_invalidate_ipa(mmu, 1, 1, WALK_POINTS_ALL, ring, ring + 4095);
	rounds(rig, 1);
	assert_int_equal(stat(rig, STAT_smmu_tlb_misses), misses);
	mmu_invalidate_ipa(mmu, MMU_ALL_VCPUS, 1, WALK_POINTS_ALL, ring, ring + 4095);
	rounds(rig, 1);
	assert_int_equal(stat(rig, STAT_smmu_tlb_misses), misses += 1);
	mmu_invalidate(mmu, MMU_ALL_VCPUS, &all, WALK_CACHE_BOTH); /* ALLE1IS */
	rounds(rig, 1);
	assert_int_equal(stat(rig, STAT_smmu_tlb_misses), misses + 4);
	assert_int_equal(stat(rig, STAT_smmu_faults), 0);
	rig_destroy(rig);
}

/* A VM with a new VMID: its device's entries are made anew under that. */
static void vmids_change(void **state)
{
	struct rig *rig = rig_make(DEVICE "host.backing=2M", 1, 1);
	const struct tlb_match old = { .scope = TLB_SCOPE_VMID, .context = { .vmid = 1 } };
	const struct tlb_match renewed = { .scope = TLB_SCOPE_VMID, .context = { .vmid = 77 } };

	(void)state;
	machine_run_vm(&rig->machine, 0, 0);
	rounds(rig, 1);
	vm_set_vmid(rig->machine.vms[0], 77);
	rounds(rig, 1);
	assert_int_equal(stat(rig, STAT_smmu_tlb_misses), 4);
	mmu_invalidate(&rig->machine.mmu, MMU_ALL_VCPUS, &old, WALK_CACHE_BOTH);
	rounds(rig, 1);
	assert_int_equal(stat(rig, STAT_smmu_tlb_misses), 4);
	mmu_invalidate(&rig->machine.mmu, MMU_ALL_VCPUS, &renewed, WALK_CACHE_BOTH);
	rounds(rig, 1);
	assert_int_equal(stat(rig, STAT_smmu_tlb_misses), 6);
	rig_destroy(rig);
}

/* ---- in a replay --------------------------------------------------------------------------------
 */

static struct trace_reader *random_trace(struct diag *diag)
{
	const struct refs_options options = {
		.seed = 3,
		.n = 30000,
		.vcpus = 2,
		.vms = 2,
		.asids = 2,
		.pages = 60,
		.same_page_percent = 60,
		.store_percent = 30,
		.switch_permille = 2,
	};
	struct refs refs = refs_random(&options);
	struct trace_reader *trace;

	refs_write(&refs, scratch_path("vfio.s2t"), TRACE_PAGE_RUNS);
	refs_free(&refs);
	trace = trace_open(scratch_path("vfio.s2t"), false, diag);
	if (!trace)
		fail_msg("%s", diag->text);
	return trace;
}

static struct stats replay(const char *settings, const struct trace_reader *trace)
{
	const struct config config = rig_config2(DEVICE, settings);
	struct diag diag = DIAG_INIT;
	struct stats stats;

	if (point_run(&config, trace, NULL, &stats, &diag) != STATUS_OK)
		fail_msg("%s: %s", settings, diag.text);
	return stats;
}

/*
 * Bursts and resets come with their periods, one for each VM, and leave no trace in what the CPUs
 * count; nor do ageing and dirty logging touch pinned memory. VM switches go on as ever.
 */
static void replayed(void **state)
{
	struct diag diag = DIAG_INIT;
	struct trace_reader *trace = random_trace(&diag);
	const struct trace_totals *totals = &trace_info(trace)->totals;
	const uint64_t last = trace_accesses(totals) + totals->splits - 1;
	struct stats idle = replay("device.dma_period=1000000000", trace);
	struct stats busy = replay("device.dma_period=1000 device.reset_period=7000", trace);
	const struct stats aged = replay("device.dma_period=1000 host.age_period=3000", trace);

	(void)state;
	assert_int_equal(idle.v[STAT_smmu_accesses], 0);
	assert_int_equal(busy.v[STAT_dma_bytes], 2 * (last / 1000) * 65536);
	assert_int_equal(busy.v[STAT_smmu_accesses], 2 * (last / 1000) * 16);
	assert_int_equal(busy.v[STAT_device_resets], 2 * (last / 7000));
	assert_int_equal(busy.v[STAT_smmu_faults], 0);
	assert_int_equal(busy.v[STAT_s2_walk_faults], 0);
	assert_int_equal(aged.v[STAT_smmu_accesses], busy.v[STAT_smmu_accesses]);
	assert_int_equal(aged.v[STAT_smmu_faults], 0);
	assert_int_equal(aged.v[STAT_walk_reads], idle.v[STAT_walk_reads]);
	for (unsigned id = STAT_dma_bytes; id <= STAT_smmu_tlbis; id++)
		idle.v[id] = busy.v[id] = 0;
	for (unsigned id = 0; id < STAT_COUNT; id++)
		if (idle.v[id] != busy.v[id])
			fail_msg("%s differs", stat_rows[id].name);
	trace_close(trace);
}

/* VMIDs that run out flush the SMMU, and every device goes on finding its own VM's memory. */
static void vmids_roll_over(void **state)
{
	enum { VMS = 12 };
	struct rig *rig = rig_make(DEVICE "guest.memory=16M host.vmid_bits=2", 2, VMS);
	struct machine *machine = &rig->machine;
	struct rng rng = rng_seed(8);

	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		machine_run_vm(machine, pick(&rng, 2), pick(&rng, VMS));
		devices_dma(machine->devices);
		for (uint16_t vm = 0; vm < VMS; vm++) {
			const struct vfio_device *device = &machine->devices->device[vm];
			const uint64_t ipa = device->first + rng_below(&rng, 4 * MIB);
			struct smmu_result result;

			assert_int_equal(
				smmu_access(device->smmu, vm, ipa_of(ipa), ACCESS_LOAD, &result),
				SMMU_TRANSLATED);
			assert_int_equal(result.pa.v, vm_ipa_to_pa(device->vm, ipa).v);
		}
	}
	assert_true(machine->vmids.rollovers > 20);
	assert_int_equal(stat(rig, STAT_smmu_tlbis), machine->vmids.rollovers);
	assert_true(stat(rig, STAT_smmu_tlb_hits) > 0);
	rig_destroy(rig);
}

static void refused(void **state)
{
	static const struct {
		const char *settings, *words;
	} cases[] = {
		{ "guest.memory=0", "guest.memory must say" },
		{ "guest.memory=65G", "guest.memory is 69793218560 bytes" },
		{ "host.memory=32M", "no more than 33554432 can be" },
		{ "device.ring_bytes=128M", "do not fit into guest.memory" },
		{ "device.dma_bytes=48K", "no multiple of device.dma_bytes" },
		{ "smmu.levels=2", "stage 2 has 3 levels (40-bit IPAs, 4K granule)" },
		{ "smmu.levels=3 stage2.ipa_bits=48", "stage 2 has 4 levels (48-bit IPAs" },
		{ "smmu.tlb.page_sizes=2M", "smmu.tlb.page_sizes" },
		{ "smmu.tlb.entries=10 smmu.tlb.ways=4", "no multiple of smmu.tlb.ways" },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct config config = rig_config2(DEVICE, cases[i].settings);
		struct diag diag = DIAG_INIT;

		assert_int_equal(machine_check(&config, &diag), STATUS_BAD_INPUT);
		if (!strstr(diag.text, cases[i].words))
			fail_msg("%s: \"%s\"", cases[i].settings, diag.text);
		assert_null(rig_try(&config, 1, 1, NULL));
	}
}

/* Memory that the host has for one VM, but not for three. */
static void host_too_small(void **state)
{
	const struct config config = rig_config(DEVICE "host.memory=160M");
	struct diag diag = DIAG_INIT;
	struct rig *rig = rig_try(&config, 1, 1, &diag);

	(void)state;
	assert_non_null(rig);
	rig_destroy(rig);
	assert_null(rig_try(&config, 1, 3, &diag));
	assert_int_equal(diag.status, STATUS_BAD_INPUT);
	assert_true(diag.impossible);
	assert_non_null(strstr(diag.text, "cannot hold all"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_pinned),
		cmocka_unit_test(rings),
		cmocka_unit_test(scattered_is_spread),
		cmocka_unit_test(resets),
		cmocka_unit_test(tlbis_are_broadcast),
		cmocka_unit_test(vmids_change),
		cmocka_unit_test(replayed),
		cmocka_unit_test(vmids_roll_over),
		cmocka_unit_test(refused),
		cmocka_unit_test(host_too_small),
	};

	return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
