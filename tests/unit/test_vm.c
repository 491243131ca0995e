/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtual machines: both stages' tables as a naive walk finds them, address spaces, unmapping. */
#include <stdio.h>

#include "os/vm_private.h"
#include "rig.h"

#define KERNEL UINT64_C(0xffff000000000000)

/* ---- a naive walk over the tables ----------------------------------------------------------- */

/* PA of an IPA, which must be mapped by stage 2. */
static uint64_t s2_pa(const struct vm *vm, uint64_t ipa, unsigned *leaf_bits)
{
	int level;
	const uint64_t desc = kvm_pgtable_get_leaf(&vm->kvm.pgt, ipa, &level);

	assert_int_not_equal(desc, 0);
	*leaf_bits = level_shift(vm->setup.s2_granule, level);
	return desc_leaf_address(&vm->kvm.pgt.format, desc, *leaf_bits) |
	       (ipa & low_mask(*leaf_bits));
}

/*
 * Stage 1 word by word, each at the PA that stage 2 gives for its IPA. Returns the leaf descriptor
 * and its level; 0 if there is none. Every table on the way must be mapped by stage 2.
 */
static uint64_t s1_leaf(const struct vm *vm, uint64_t root, uint64_t va, int *level)
{
	const unsigned stride = granule_stride(vm->setup.s1_granule);
	const struct desc_format *format = &vm->high.format;
	const uint64_t ia = va & low_mask(vm->setup.va_bits);
	uint64_t table = root;

	for (*level = vm->s1_geometry.start_level; *level <= 3; (*level)++) {
		const unsigned shift = level_shift(vm->setup.s1_granule, *level);
		unsigned bits;
		const uint64_t pa =
			s2_pa(vm, table + ((ia >> shift & low_mask(stride)) << 3), &bits);
		const uint64_t desc = phys_read64(vm->mem, pa_of(pa));

		if (desc_kind(format, desc, *level) != DESC_KIND_TABLE)
			return desc & DESC_VALID ? desc : 0;
		table = desc_address(format, desc);
	}
	return 0;
}

/* IPA of a VA that the guest has mapped. */
static uint64_t naive_ipa(struct vm *vm, uint16_t asid, uint64_t va, unsigned *leaf_bits)
{
	const bool upper = va >> 63;
	const struct pgtable *table = upper ? &vm->high : &vm_find_space(vm, asid)->low;
	struct pgtable_leaf found;
	int level;
	const uint64_t desc = s1_leaf(vm, table->root, va, &level);

	assert_int_not_equal(desc, 0);
	assert_true(pgtable_next(table, va & low_mask(vm->setup.va_bits),
				 va & low_mask(vm->setup.va_bits), &found));
	assert_int_equal(found.desc, desc);
	assert_int_equal(found.level, level);
	*leaf_bits = level_shift(vm->setup.s1_granule, level);
	return desc_leaf_address(&vm->high.format, desc, *leaf_bits) | (va & low_mask(*leaf_bits));
}

static void check_access(struct rig *rig, uint32_t vm_index, uint16_t asid, uint64_t va,
			 enum access_kind kind)
{
	struct vm *vm = rig->machine.vms[vm_index];
	const struct tlb_leaf *leaf = rig_access(
		rig, (struct rig_access){ .vm = vm_index, .asid = asid, .va = va, .kind = kind });
	unsigned s1_bits, s2_bits;
	uint64_t ipa, pa;

	if (!leaf)
		fail_msg("0x%llx: %s", (unsigned long long)va, vm_diag(vm)->text);
	ipa = naive_ipa(vm, asid, va, &s1_bits);
	assert_true(ipa >= vm->memory_first && ipa < vm->memory_end);
	pa = s2_pa(vm, ipa, &s2_bits);
	assert_int_equal(leaf->pa.v | (va & low_mask(leaf->size_bits)), pa);
	assert_int_equal(leaf->s1_bits, s1_bits);
	assert_int_equal(leaf->s2_bits, s2_bits);
	assert_int_equal(leaf->leaf_bits, s1_bits < s2_bits ? s1_bits : s2_bits);
	assert_int_equal(leaf->global, va >> 63);
}

static uint64_t random_va(struct rng *rng, unsigned va_bits)
{
	const uint64_t spread = chance(rng, 1, 3) ? low_mask(va_bits) : low_mask(24);
	const uint64_t low = rng_next(rng) & spread & low_mask(va_bits);

	return chance(rng, 1, 3) ? low | ~low_mask(va_bits) : low;
}

static void run_rig(const char *settings, unsigned va_bits)
{
	struct rig *rig = rig_make(settings, 1, 2);
	struct rng rng = rng_seed(va_bits);

	for (unsigned i = 0; i < 600; i++)
		check_access(rig, pick(&rng, 2), (uint16_t)(1 + pick(&rng, 3)),
			     random_va(&rng, va_bits), (enum access_kind)pick(&rng, 3));
	rig_destroy(rig);
}

static void walks_agree_with_tables(void **state)
{
	(void)state;
	run_rig("host.backing=4K", 48);
	run_rig("host.backing=2M guest.pages=2M", 48);
	run_rig("host.backing=1G stage2.ipa_bits=48", 48);
	run_rig("stage1.va_bits=39 host.backing=64K", 39);
	run_rig("stage1.va_bits=52 stage2.ipa_bits=52", 52);
	run_rig("stage1.granule=16K stage1.va_bits=47 stage2.granule=16K", 47);
	run_rig("stage1.granule=16K stage1.va_bits=52 stage2.granule=16K stage2.ipa_bits=52", 52);
	run_rig("stage1.granule=64K stage1.va_bits=42 stage2.granule=64K", 42);
	run_rig("stage1.granule=64K stage1.va_bits=52 stage2.granule=64K stage2.ipa_bits=52", 52);
	run_rig("guest.dirty_state=hardware", 48);
}

/* A guest of other pages than the host: its tables and pages lie in pieces in physical memory. */
static void granules_of_stages_differ(void **state)
{
	static const char *const s1[] = { "stage1.granule=4K stage1.va_bits=48",
					  "stage1.granule=16K stage1.va_bits=48",
					  "stage1.granule=64K stage1.va_bits=48" };
	static const char *const s2[] = { "stage2.granule=4K stage2.ipa_bits=40",
					  "stage2.granule=16K stage2.ipa_bits=40",
					  "stage2.granule=64K stage2.ipa_bits=44" };
	char text[256];

	(void)state;
	for (unsigned i = 0; i < 9; i++) {
		snprintf(text, sizeof(text), "%s %s", s1[i / 3], s2[i % 3]);
		run_rig(text, 48);
	}
}

/* The pages of a 64K table over 4K pages of stage 2 do not follow one another. */
static void tables_in_pieces(void **state)
{
	struct rig *rig = rig_make("stage1.granule=64K stage1.va_bits=48 host.backing=4K", 1, 1);
	struct vm *vm = rig->machine.vms[0];
	unsigned gaps = 0, bits;

	(void)state;
	for (uint64_t va = 0x10000; va < 0x400000; va += 0x10000)
		check_access(rig, 0, 1, va, ACCESS_LOAD);
	/* Data in between: what is mapped later lies behind it. */
	check_access(rig, 0, 1, UINT64_C(1) << 45, ACCESS_LOAD);
	check_access(rig, 0, 2, UINT64_C(1) << 44, ACCESS_STORE);
	for (size_t i = 0; i < vm->chunks_count; i++)
		for (uint64_t at = 4096; at < vm->chunks[i]->used; at += 4096) {
			const uint64_t ipa = vm->chunks[i]->ipa + at;
			const uint64_t before = s2_pa(vm, ipa - 4096, &bits);
			const uint64_t here = s2_pa(vm, ipa, &bits);

			assert_int_equal(bits, 12);
			gaps += here != before + 4096;
		}
	assert_true(gaps > 0);
	rig_destroy(rig);
}

/* ---- who shares what ------------------------------------------------------------------------ */

static uint64_t pa_of_load(struct rig *rig, uint32_t vm, uint16_t asid, uint64_t va)
{
	const struct tlb_leaf *leaf = rig_access(
		rig, (struct rig_access){ .vm = vm, .asid = asid, .va = va, .kind = ACCESS_LOAD });

	assert_non_null(leaf);
	return leaf->pa.v | (va & low_mask(leaf->size_bits));
}

static void vms_do_not_share(void **state)
{
	struct rig *rig = rig_make("", 1, 2);
	const uint64_t *v = rig->machine.mmu.stats.v;

	(void)state;
	for (uint64_t i = 0; i < 16; i++) {
		const uint64_t va = (i % 2 ? KERNEL : 0) + 0x5000 + (i << 12);
		const uint64_t first = pa_of_load(rig, 0, 1, va);
		const uint64_t misses = v[STAT_l2_tlb_misses];

		assert_int_not_equal(pa_of_load(rig, 1, 1, va), first);
		assert_int_equal(v[STAT_l2_tlb_misses], misses + 1);
		assert_int_equal(pa_of_load(rig, 0, 1, va), first);
		assert_int_equal(v[STAT_l2_tlb_misses], misses + 1);
	}
	rig_destroy(rig);
}

static void address_spaces(void **state)
{
	struct rig *rig = rig_make("", 1, 1);
	const uint64_t *v = rig->machine.mmu.stats.v;
	const uint64_t user = pa_of_load(rig, 0, 1, 0x5000);
	const uint64_t kernel = pa_of_load(rig, 0, 1, KERNEL + 0x5000);
	const uint64_t misses = v[STAT_l1d_tlb_misses];

	(void)state;
	/* The same kernel page by the same entry, another user page. */
	assert_int_equal(pa_of_load(rig, 0, 2, KERNEL + 0x5000), kernel);
	assert_int_equal(v[STAT_l1d_tlb_misses], misses);
	assert_int_not_equal(pa_of_load(rig, 0, 2, 0x5000), user);
	assert_int_equal(v[STAT_l1d_tlb_misses], misses + 1);
	assert_int_equal(pa_of_load(rig, 0, 1, 0x5000), user);
	/* After all entries are gone each still has its own. */
	rig_flush(rig);
	assert_int_equal(pa_of_load(rig, 0, 1, 0x5000), user);
	assert_int_equal(pa_of_load(rig, 0, 65535, KERNEL + 0x5000), kernel);
	rig_destroy(rig);
}

/* ---- unmapping ------------------------------------------------------------------------------ */

static void flush_vm(struct rig *rig)
{
	rig_flush(rig);
}

static void unmap_faults_again(void **state)
{
	struct rig *rig = rig_make("", 1, 1);
	struct vm *vm = rig->machine.vms[0];
	uint64_t pa[8];

	(void)state;
	for (uint64_t i = 0; i < 8; i++)
		pa[i] = rig_load(rig, 0x1000 * (i + 1));
	assert_int_equal(vm->s1_faults, 8);
	vm_unmap(vm, 1, va_of(0x3000), 0x2000);
	vm_unmap(vm, 2, va_of(0x1000), 0x8000); /* a space that does not exist */
	assert_int_equal(rig_stats(rig).v[STAT_s1_mapped_4k], 6);
	flush_vm(rig);
	for (uint64_t i = 0; i < 8; i++) {
		const uint64_t now = rig_load(rig, 0x1000 * (i + 1));

		/* New pages in place of the two; none is given out twice. */
		assert_int_equal(now != pa[i], i == 2 || i == 3);
		for (uint64_t j = 0; now != pa[i] && j < 8; j++)
			assert_int_not_equal(now, pa[j]);
	}
	assert_int_equal(vm->s1_faults, 10);
	assert_int_equal(rig_stats(rig).v[STAT_s1_mapped_4k], 8);
	rig_destroy(rig);
}

/* A block goes only when all of it is unmapped; holes and large ranges cost no time. */
static void unmap_ranges(void **state)
{
	struct rig *rig = rig_make("guest.pages=2M host.backing=2M", 1, 1);
	struct vm *vm = rig->machine.vms[0];

	(void)state;
	for (uint64_t i = 0; i < 4; i++)
		rig_load(rig, 2 * MIB * i);
	rig_load(rig, UINT64_C(0x7ffffff00000));
	rig_load(rig, KERNEL + 2 * MIB);
	rig_load(rig, UINT64_MAX);
	assert_int_equal(rig_stats(rig).v[STAT_s1_mapped_2m], 7);
	vm_unmap(vm, 1, va_of(0), 0);
	vm_unmap(vm, 1, va_of(0x1000), 2 * MIB - 0x1000);
	vm_unmap(vm, 1, va_of(0), 2 * MIB - 1);
	assert_int_equal(rig_stats(rig).v[STAT_s1_mapped_2m], 7);
	vm_unmap(vm, 1, va_of(0x1000), 4 * MIB); /* the second block alone is inside */
	assert_int_equal(rig_stats(rig).v[STAT_s1_mapped_2m], 6);
	vm_unmap(vm, 1, va_of(UINT64_MAX - 2 * MIB + 1), 2 * MIB);
	assert_int_equal(rig_stats(rig).v[STAT_s1_mapped_2m], 5);
	vm_unmap(vm, 1, va_of(0), UINT64_C(1) << 48);
	assert_int_equal(rig_stats(rig).v[STAT_s1_mapped_2m], 1);
	vm_unmap(vm, 7, va_of(KERNEL), UINT64_MAX); /* one kernel for all spaces */
	assert_int_equal(rig_stats(rig).v[STAT_s1_mapped_2m], 0);
	rig_destroy(rig);
}

/* ---- counts --------------------------------------------------------------------------------- */

static void faults_and_pages(void **state)
{
	struct rig *rig = rig_make("host.backing=4K", 1, 1);
	struct stats s;

	(void)state;
	for (uint64_t i = 0; i < 1000; i++)
		rig_load(rig, 0x40000000 + (i << 12));
	s = rig_stats(rig);
	assert_int_equal(s.v[STAT_s1_faults], 1000);
	assert_int_equal(s.v[STAT_s1_mapped_4k], 1000);
	/* Roots of both halves; tables of levels 1, 2 and two of level 3. */
	assert_int_equal(s.v[STAT_table_pages_s1], 6);
	assert_int_equal(s.v[STAT_s2_table_faults], 6);
	assert_int_equal(s.v[STAT_s2_faults], 1006);
	assert_int_equal(s.v[STAT_s2_mapped_4k], 1006);
	/* Two concatenated roots, one level 2, level 3: the chunk of tables and 1000 pages above.
	 */
	assert_int_equal(s.v[STAT_table_pages_s2], 2 + 1 + 1 + 2);
	assert_int_equal(s.v[STAT_walk_retries], 2 * 1000);
	rig_destroy(rig);
}

/* ---- what cannot be ------------------------------------------------------------------------- */

static void refused(const char *settings, const char *text)
{
	const struct config config = rig_config(settings);
	struct diag diag = DIAG_INIT;
	struct rig *rig = rig_try(&config, 1, 1, &diag);

	if (rig)
		fail_msg("%s: not refused", settings);
	assert_int_equal(diag.status, STATUS_BAD_INPUT);
	if (!strstr(diag.text, text))
		fail_msg("%s: \"%s\" does not hold \"%s\"", settings, diag.text, text);
	assert_null(strchr(diag.text, '\n'));
}

static void impossible_machines(void **state)
{
	(void)state;
	refused("stage1.va_bits=49 core.id_aa64mmfr0=0x1125 core.id_aa64mmfr2=0", "stage 1");
	refused("stage2.ipa_bits=52 core.id_aa64mmfr0=0x1125", "stage 2");
	refused("stage2.ipa_bits=32 stage2.start_level=0", "stage 2");
	refused("stage2.ipa_bits=48 stage2.start_level=1", "16 concatenated");
	refused("stage2.ipa_bits=44 host.va_bits=39", "host.va_bits 39");
	refused("host.backing=512M", "host.backing");
	refused("host.backing=64G", "host.backing");
	refused("host.user_skew=1K", "host.user_skew");
	refused("host.split_chunk=64K", "host.split_chunk");
	refused("host.kernel=6.1 host.split_chunk=2M", "6.5");
	refused("stage2.granule=16K stage1.granule=16K stage1.va_bits=47 host.split_chunk=2M",
		"host.split_chunk");
	refused("guest.pages=64K", "guest.pages");
	refused("guest.asid_bits=16 core.id_aa64mmfr0=0x1105", "guest.asid_bits");
	refused("guest.asid_bits=9", "guest.asid_bits");
	refused("guest.pages=1G stage1.va_bits=30", "guest.pages");
	refused("guest.memory=1T", "beyond 40 bits");
	refused("guest.memory_base=0x10000000000", "leaves no room");
	refused("guest.memory_base=0x800", "multiples of 4K");
	refused("guest.dirty_state=hardware core.id_aa64mmfr1=0", "HAFDBS");
	refused("guest.memory_base=0x40000000 guest.memory=4K", "memory");
}

/* VMID 0 is the host's, so 8 bits serve 255 VMs; the next one flushes all TLBs. */
static void more_vms_than_vmids(void **state)
{
	const struct config config = rig_config("core.id_aa64mmfr1=0x10212102 guest.memory=4M "
						"tlb.l2.ways=full");
	struct diag diag = DIAG_INIT;
	struct rig *rig = rig_try(&config, 1, 256, &diag);
	struct rig_access access = { .asid = 1, .va = 0x1000, .kind = ACCESS_LOAD };

	(void)state;
	assert_non_null(rig);
	for (; access.vm < 255; access.vm++)
		assert_non_null(rig_access(rig, access));
	assert_int_equal(rig->machine.vms[254]->vmid, 255);
	assert_int_equal(rig->machine.vmids.rollovers, 0);
	assert_int_equal(rig->machine.mmu.vcpu[0].l2->used, 255);
	assert_non_null(rig_access(rig, access));
	assert_int_equal(rig->machine.vmids.rollovers, 1);
	assert_int_equal(rig->machine.mmu.vcpu[0].l2->used, 1);
	rig_destroy(rig);
}

/* m * (n + 1) + n reads without caches: each VM's own levels, whichever ran before. */
static void geometries_side_by_side(void **state)
{
	struct rig *rig = rig_make("walk_cache.s1.entries=0 walk_cache.s2.entries=0 vm_b.every=2 "
				   "vm_b.ipa_bits=48 vm_b.backing=4K",
				   1, 3);

	(void)state;
	for (unsigned turn = 0; turn < 3; turn++) {
		for (uint32_t vm = 0; vm < 3; vm++) {
			const struct rig_access access = { .vm = vm, .asid = 1, .va = 0x1000 };
			const struct mmu_regs *regs = &rig->machine.vms[vm]->regs;

			rig_flush(rig);
			assert_non_null(rig_access(rig, access));
			rig_flush(rig);
			rig->reads = 0;
			assert_non_null(rig_access(rig, access));
			assert_int_equal(rig->reads, vm == 1 ? 4 * (4 + 1) + 4 : 4 * (3 + 1) + 3);
			assert_int_equal(64 - (regs->vtcr_el2 & 63), vm == 1 ? 48 : 40);
			assert_int_equal(regs->vtcr_el2 >> 6 & 3, vm == 1 ? 2 : 1);
			assert_int_equal(regs->vttbr_el2 >> 48, vm + 1);
		}
	}
	rig_destroy(rig);
}

static void no_access(const char *settings, uint16_t asid, uint64_t va, const char *text)
{
	struct rig *rig = rig_make(settings, 1, 1);
	const struct rig_access access = { .asid = asid, .va = va, .kind = ACCESS_LOAD };
	const struct diag *why;

	assert_null(rig_access(rig, access));
	why = rig->diag.status ? &rig->diag : vm_diag(rig->machine.vms[0]);
	assert_int_equal(why->status, STATUS_BAD_INPUT);
	if (!strstr(why->text, text))
		fail_msg("%s: \"%s\" does not hold \"%s\"", settings, why->text, text);
	rig_destroy(rig);
}

static void impossible_accesses(void **state)
{
	(void)state;
	no_access("stage1.va_bits=39", 1, UINT64_C(1) << 39, "stage1.va_bits");
	no_access("stage1.va_bits=39", 1, ~low_mask(39) - 1, "stage1.va_bits");
	no_access("stage1.va_bits=48", 1, UINT64_C(1) << 55, "stage1.va_bits");
	no_access("guest.pages=2M guest.memory=2M", 1, 0x1000, "guest");
	no_access("guest.pages=1G guest.memory=1026M", 1, 0x1000, "guest memory exhausted");
}

/* Until guest memory runs out; what was mapped before stays. */
static void memory_runs_out(void **state)
{
	struct rig *rig = rig_make("guest.memory=4M", 1, 1);
	struct rig_access access = { .asid = 1, .kind = ACCESS_STORE };
	uint64_t first, pages = 0;

	(void)state;
	first = rig_load(rig, 0);
	while (rig_access(rig, access)) {
		access.va += 4096;
		pages++;
	}
	/* 2 MiB are for tables. */
	assert_int_equal(pages, 512);
	assert_non_null(strstr(vm_diag(rig->machine.vms[0])->text, "guest.memory"));
	assert_int_equal(rig_load(rig, 0), first);
	rig_destroy(rig);
}

/* The host's own memory: 36 bits of PA hold 31 blocks of 1 GiB and tables. */
static void host_runs_out(void **state)
{
	struct rig *rig = rig_make("core.id_aa64mmfr0=0x1121 stage2.ipa_bits=36 "
				   "host.backing=1G guest.pages=1G guest.memory_base=0",
				   1, 3);
	struct rig_access access = { .asid = 1, .kind = ACCESS_STORE };
	uint64_t pages = 0;

	(void)state;
	for (; pages < 200; pages++) {
		access.vm = (uint32_t)(pages % 3);
		access.va = pages / 3 << 30;
		if (!rig_access(rig, access))
			break;
	}
	assert_true(pages > 40 && pages < 64);
	assert_int_equal(vm_diag(rig->machine.vms[access.vm])->status, STATUS_BAD_INPUT);
	assert_non_null(strstr(vm_diag(rig->machine.vms[access.vm])->text, "host memory"));
	rig_destroy(rig);
}

/* As fragmented as asked for; nothing but small pieces once all blocks are taken. */
static void host_fragmentation(void **state)
{
	struct rig *rig = rig_make("host.memory=4G host.fragmentation=300 guest.memory=1G", 1, 1);
	pa_t frame;

	(void)state;
	assert_in_range(rig_stats(rig).v[STAT_host_unusable_2m], 299, 300);
	while (frames_alloc(&rig->machine.frames, 21, &frame))
		continue;
	assert_int_equal(rig_stats(rig).v[STAT_host_unusable_2m], 1000);
	rig_destroy(rig);
	rig = rig_make("host.memory=4G guest.memory=1G", 1, 1);
	assert_in_range(rig_stats(rig).v[STAT_host_unusable_2m], 0, 1);
	rig_destroy(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(walks_agree_with_tables),
		cmocka_unit_test(granules_of_stages_differ),
		cmocka_unit_test(tables_in_pieces),
		cmocka_unit_test(vms_do_not_share),
		cmocka_unit_test(address_spaces),
		cmocka_unit_test(unmap_faults_again),
		cmocka_unit_test(unmap_ranges),
		cmocka_unit_test(faults_and_pages),
		cmocka_unit_test(impossible_machines),
		cmocka_unit_test(more_vms_than_vmids),
		cmocka_unit_test(geometries_side_by_side),
		cmocka_unit_test(impossible_accesses),
		cmocka_unit_test(memory_runs_out),
		cmocka_unit_test(host_runs_out),
		cmocka_unit_test(host_fragmentation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
