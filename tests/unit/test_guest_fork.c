/* SPDX-License-Identifier: BSD-2-Clause */
/* fork() and copy on write: each address space reads what it, or its parent before, wrote. */
#include <stdio.h>

#include "guest_view.h"

enum { SPACES = 4, PAGES = 2048 };

/*
 * The flat model: what each page of each address space holds; 0: nothing was written. And what the
 * guest's physical memory holds, by page: its kernel clears and copies pages when it maps them.
 */
struct model {
	struct rig *rig;
	struct vm *vm;
	unsigned page_bits;
	uint64_t base; /* VA of page 0 */
	uint32_t value[SPACES][PAGES];
	uint32_t *memory;
	uint32_t stores;
};

static uint64_t va_of_page(const struct model *model, unsigned page)
{
	return model->base + ((uint64_t)page << model->page_bits);
}

/* The leaf that maps va in an address space; false: none. */
static bool leaf_of(const struct model *model, unsigned space, uint64_t va,
		    struct pgtable_leaf *leaf, uint64_t *ipa)
{
	if (!vm_find_space(model->vm, space + 1) ||
	    !pgtable_next(&vm_find_space(model->vm, space + 1)->low, va, va, leaf))
		return false;
	*ipa = desc_leaf_address(&model->vm->high.format, leaf->desc, leaf->bits);
	return true;
}

static uint32_t *memory_at(const struct model *model, uint64_t ipa)
{
	assert_true(ipa >= model->vm->memory_first && ipa < model->vm->memory_end);
	return &model->memory[(ipa - model->vm->memory_first) >> model->page_bits];
}

/* What the kernel did to memory when it mapped a leaf: cleared all of it, or copied what was. */
static void kernel_filled(struct model *model, const struct pgtable_leaf *leaf, uint64_t ipa,
			  const uint64_t *copied_from)
{
	const unsigned span = leaf->desc & DESC_CONTIGUOUS
				      ? desc_contiguous_bits(model->vm->setup.s1_granule, 3)
				      : leaf->bits;
	const uint64_t first = ipa & ~low_mask(span);

	for (uint64_t at = 0; at >> span == 0; at += UINT64_C(1) << model->page_bits)
		*memory_at(model, first + at) =
			copied_from ? *memory_at(model, *copied_from + at) : 0;
}

static void step_access(struct model *model, struct rng *rng)
{
	const unsigned space = pick(rng, SPACES), page = pick(rng, PAGES);
	const enum access_kind kind = chance(rng, 1, 2) ? ACCESS_STORE : ACCESS_LOAD;
	const struct rig_access access = { .asid = (uint16_t)(space + 1),
					   .va = va_of_page(model, page) + pick(rng, 4096),
					   .kind = kind };
	struct pgtable_leaf before, after;
	uint64_t old, ipa, offset;
	const bool had = leaf_of(model, space, access.va, &before, &old);
	const struct tlb_leaf *entry = rig_access(model->rig, access);

	if (!entry)
		fail_msg("%s", vm_diag(model->vm)->text);
	assert_true(leaf_of(model, space, access.va, &after, &ipa));
	if (had)
		old += after.ia - before.ia;
	if (!had || old != ipa) {
		/* Nothing moves but by a store to what is shared. */
		assert_true(!had || kind == ACCESS_STORE);
		kernel_filled(model, &after, ipa, had ? &old : NULL);
	}
	offset = access.va - after.ia;
	/* No TLB entry is left of what was there before. */
	assert_int_equal(entry->pa.v | (access.va & low_mask(entry->size_bits)),
			 vm_ipa_to_pa(model->vm, ipa + offset).v);
	if (kind == ACCESS_STORE) {
		assert_int_equal(after.desc & S1_AP_RO, 0);
		*memory_at(model, ipa + offset) = model->value[space][page] = ++model->stores;
	}
	assert_int_equal(*memory_at(model, ipa + offset), model->value[space][page]);
}

static void step_fork(struct model *model, struct rng *rng)
{
	const unsigned parent = pick(rng, SPACES),
		       child = (parent + 1 + pick(rng, SPACES - 1)) % SPACES;
	struct diag diag = DIAG_INIT;

	if (vm_fork(model->vm, (uint16_t)(parent + 1), (uint16_t)(child + 1), &diag) != STATUS_OK)
		fail_msg("%s", diag.text);
	memcpy(model->value[child], model->value[parent], sizeof(model->value[0]));
}

/* As the replay does it. Pages of guest.pages must lie inside altogether. */
static void unmap(struct model *model, unsigned space, unsigned first, unsigned count)
{
	const uint64_t va = va_of_page(model, first);
	struct tlb_match match = { .scope = TLB_SCOPE_VA,
				   .context = { .vmid = model->vm->vmid,
						.asid = (uint16_t)(space + 1) },
				   .first = va,
				   .last = va + ((uint64_t)count << model->page_bits) - 1 };

	mmu_invalidate(
		&model->rig->machine.mmu, MMU_ALL_VCPUS, &match,
		vm_unmap(model->vm, match.context.asid, va_of(va), match.last - match.first + 1));
	for (unsigned i = first; i < first + count; i++)
		model->value[space][i] = 0;
}

static void step_unmap(struct model *model, struct rng *rng)
{
	const unsigned unit = 1u << (model->vm->setup.guest_leaf_bits - model->page_bits);
	const unsigned space = pick(rng, SPACES), first = pick(rng, PAGES / unit) * unit;
	const unsigned room = PAGES - first, want = (1 + pick(rng, 64)) * unit;

	unmap(model, space, first, want < room ? want : room);
}

static void check(const struct model *model)
{
	struct view view = view_take(model->vm);

	view_check(model->vm, &view);
	view_free(&view);
}

/* Each page that is mapped is mapped as often as page_shares says. */
static void check_shares(const struct model *model)
{
	const size_t pages = (model->vm->memory_end - model->vm->memory_first) >> model->page_bits;
	uint8_t *mapped = calloc(pages, 1);
	struct view view = view_take(model->vm);
	size_t shared = 0;

	assert_non_null(mapped);
	for (size_t i = 0; i < view.leaves; i++)
		for (uint64_t at = 0; at >> view.leaf[i].bits == 0;
		     at += UINT64_C(1) << model->page_bits)
			mapped[(view.leaf[i].ipa + at - model->vm->memory_first) >>
			       model->page_bits]++;
	for (size_t i = 0; i < pages; i++) {
		const ipa_t ipa =
			ipa_of(model->vm->memory_first + ((uint64_t)i << model->page_bits));

		shared += mapped[i] > 1;
		assert_int_equal(page_shares_has(&model->vm->shares, ipa), mapped[i] > 1);
	}
	assert_int_equal(model->vm->shares.count, shared);
	view_free(&view);
	free(mapped);
}

static void run_model(const char *settings, unsigned page_bits)
{
	struct model *model = calloc(1, sizeof(*model));
	struct rng rng = rng_seed(page_bits + strlen(settings));

	assert_non_null(model);
	model->rig = rig_make(settings, 1, 1);
	model->vm = model->rig->machine.vms[0];
	model->page_bits = page_bits;
	model->base = UINT64_C(1) << 32;
	model->memory = calloc((model->vm->memory_end - model->vm->memory_first) >> page_bits,
			       sizeof(*model->memory));
	assert_non_null(model->memory);
	for (unsigned i = 0; i < 8000; i++) {
		if (chance(&rng, 1, 250))
			step_fork(model, &rng);
		else if (chance(&rng, 1, 50))
			step_unmap(model, &rng);
		else
			step_access(model, &rng);
		if (i % 2000 == 1999) {
			check(model);
			if (model->vm->setup.guest_leaf_bits == page_bits)
				check_shares(model);
		}
	}
	assert_true(model->vm->s1_cow_copies > 0);
	assert_true(model->vm->s1_cow_faults > model->vm->s1_cow_copies);
	for (unsigned space = 0; space < SPACES; space++)
		unmap(model, space, 0, PAGES);
	assert_int_equal(model->vm->shares.count, 0);
	check(model);
	rig_destroy(model->rig);
	free(model->memory);
	free(model);
}

static void copies_against_model(void **state)
{
	(void)state;
	run_model("guest.policy=linux guest.memory=256M", 12);
	run_model("guest.policy=linux guest.memory=256M guest.dirty_state=hardware", 12);
	run_model("guest.policy=first_touch guest.memory=1G", 12);
	run_model("guest.policy=recorded guest.memory=1G", 12);
	run_model("guest.policy=linux guest.memory=256M walk_cache.s1.entries=none", 12);
}

static void larger_pages(void **state)
{
	(void)state;
	run_model("guest.policy=linux guest.memory=256M guest.thp_permille=1000", 12);
	run_model("guest.policy=linux guest.memory=256M guest.thp_permille=500 "
		  "guest.contiguous_permille=1000",
		  12);
	run_model("guest.policy=linux guest.memory=256M guest.pages=2M", 12);
	run_model("guest.policy=linux guest.memory=1G stage1.granule=16K stage1.va_bits=47 "
		  "guest.contiguous_permille=700",
		  14);
	run_model("guest.policy=linux guest.memory=2G stage1.granule=64K stage2.granule=64K "
		  "guest.contiguous_permille=700",
		  16);
}

/* ---- by hand -------------------------------------------------------------------------------- */

/* do_wp_page(): the first writer copies, the last one has it alone; one TLBI each, one at a fork.
 */
static void one_page(void **state)
{
	struct rig *rig = rig_make("guest.policy=linux guest.memory=1G", 1, 1);
	struct vm *vm = rig->machine.vms[0];
	const uint64_t *v = rig->machine.mmu.stats.v;
	struct diag diag = DIAG_INIT;
	uint64_t ipa, tlbis;

	(void)state;
	guest_touch(rig, 1, 0x5000, ACCESS_STORE);
	ipa = guest_leaf_at(rig, 1, 0x5000).ipa;
	tlbis = v[STAT_tlbis];
	assert_int_equal(vm_fork(vm, 1, 2, &diag), STATUS_OK);
	assert_int_equal(v[STAT_tlbis], tlbis + 1);
	assert_int_equal(guest_leaf_at(rig, 2, 0x5000).ipa, ipa);
	guest_touch(rig, 1, 0x5000, ACCESS_LOAD);
	guest_touch(rig, 2, 0x5000, ACCESS_LOAD);
	assert_int_equal(vm->s1_faults, 1);
	guest_touch(rig, 2, 0x5000, ACCESS_STORE);
	assert_int_equal(vm->s1_cow_faults, 1);
	assert_int_equal(vm->s1_cow_copies, 1);
	assert_int_not_equal(guest_leaf_at(rig, 2, 0x5000).ipa, ipa);
	guest_touch(rig, 1, 0x5000, ACCESS_STORE);
	assert_int_equal(vm->s1_cow_faults, 2);
	assert_int_equal(vm->s1_cow_copies, 1);
	assert_int_equal(guest_leaf_at(rig, 1, 0x5000).ipa, ipa);
	assert_int_equal(v[STAT_tlbis], tlbis + 3);
	guest_touch(rig, 1, 0x5008, ACCESS_STORE);
	guest_touch(rig, 2, 0x5008, ACCESS_STORE);
	assert_int_equal(vm->s1_faults, 3);
	assert_int_equal(rig_stats(rig).v[STAT_s1_cow_faults], 2);
	rig_destroy(rig);
}

/* A huge page that both map is split by the writer; the last one keeps it whole. */
static void huge_page(void **state)
{
	struct rig *rig =
		rig_make("guest.policy=linux guest.memory=1G guest.thp_permille=1000", 1, 1);
	struct vm *vm = rig->machine.vms[0];
	struct diag diag = DIAG_INIT;
	uint64_t ipa;

	(void)state;
	guest_touch(rig, 1, 0x200000, ACCESS_STORE);
	ipa = guest_leaf_at(rig, 1, 0x200000).ipa;
	assert_int_equal(vm_fork(vm, 1, 2, &diag), STATUS_OK);
	guest_touch(rig, 2, 0x234000, ACCESS_STORE);
	assert_int_equal(guest_leaf_at(rig, 1, 0x234000).bits, 21);
	assert_int_equal(guest_leaf_at(rig, 2, 0x234000).bits, 12);
	assert_int_equal(guest_leaf_at(rig, 2, 0x233000).ipa, ipa + 0x33000);
	assert_int_equal(vm->shares.count, 511);
	/* The child ends: nobody shares any more. */
	guest_unmap(rig, 2, 0, UINT64_C(1) << 47);
	assert_int_equal(vm->shares.count, 0);
	guest_touch(rig, 1, 0x234000, ACCESS_STORE);
	assert_int_equal(guest_leaf_at(rig, 1, 0x234000).bits, 21);
	assert_int_equal(guest_leaf_at(rig, 1, 0x200000).ipa, ipa);
	assert_int_equal(vm->s1_cow_copies, 1);
	rig_destroy(rig);
}

static void refused(void **state)
{
	struct rig *rig = rig_make("guest.policy=linux guest.memory=2M", 1, 1);
	struct vm *vm = rig->machine.vms[0];
	struct diag diag = DIAG_INIT;

	(void)state;
	assert_int_equal(vm_fork(vm, 3, 3, &diag), STATUS_BAD_INPUT);
	assert_non_null(strstr(diag.text, "own child"));
	rig_destroy(rig);
}

/* ---- page_shares ---------------------------------------------------------------------------- */

static void shares_against_array(void **state)
{
	enum { N = 3000 };
	struct page_shares shares = { 0 };
	unsigned *others = calloc(N, sizeof(*others));
	struct rng rng = rng_seed(5);
	size_t count = 0;

	(void)state;
	assert_non_null(others);
	for (unsigned i = 0; i < 60000; i++) {
		const unsigned page = pick(&rng, N);
		const ipa_t ipa = ipa_of(UINT64_C(0x40000000) + ((uint64_t)page << 14));

		/* First more and more, then fewer. */
		if (chance(&rng, i < 30000 ? 2 : 1, 3)) {
			assert_true(page_shares_add(&shares, ipa));
			count += others[page]++ == 0;
		} else {
			assert_int_equal(page_shares_drop(&shares, ipa), others[page] > 0);
			if (others[page])
				count -= --others[page] == 0;
		}
		assert_int_equal(shares.count, count);
		assert_int_equal(page_shares_has(&shares, ipa), others[page] > 0);
	}
	for (unsigned page = 0; page < N; page++)
		assert_int_equal(page_shares_has(&shares, ipa_of(UINT64_C(0x40000000) +
								 ((uint64_t)page << 14))),
				 others[page] > 0);
	page_shares_fini(&shares);
	free(others);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_against_model),
		cmocka_unit_test(larger_pages),
		cmocka_unit_test(one_page),
		cmocka_unit_test(huge_page),
		cmocka_unit_test(refused),
		cmocka_unit_test(shares_against_array),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
