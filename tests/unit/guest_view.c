/* SPDX-License-Identifier: BSD-2-Clause */
#include "guest_view.h"

static void *grow(void *array, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return array;
	*room = *room ? 2 * *room : 64;
	array = realloc(array, *room * size);
	assert_non_null(array);
	return array;
}

static uint64_t word(const struct vm *vm, uint64_t ipa)
{
	return phys_read64(vm->mem, vm_ipa_to_pa(vm, ipa));
}

struct walk {
	const struct vm *vm;
	struct view *view;
	uint16_t asid;
	uint64_t upper; /* bits above the VA */
};

static void walk_table(const struct walk *walk, uint64_t table, int level, uint64_t base)
{
	const struct vm *vm = walk->vm;
	const struct desc_format *format = &vm->high.format;
	const unsigned shift = level_shift(vm->setup.s1_granule, level);
	const unsigned stride = granule_stride(vm->setup.s1_granule);
	struct view *view = walk->view;

	view->table = grow(view->table, view->tables, &view->table_room, sizeof(uint64_t));
	view->table[view->tables++] = table;
	for (uint64_t i = 0;
	     i < UINT64_C(1) << stride && (base + (i << shift)) >> vm->setup.va_bits == 0; i++) {
		const uint64_t desc = word(vm, table + 8 * i), ia = base + (i << shift);

		switch (desc_kind(format, desc, level)) {
		case DESC_KIND_INVALID:
			assert_false(desc & DESC_VALID);
			break;
		case DESC_KIND_TABLE:
			walk_table(walk, desc_address(format, desc), level + 1, ia);
			break;
		case DESC_KIND_LEAF:
			view->leaf = grow(view->leaf, view->leaves, &view->leaf_room,
					  sizeof(struct view_leaf));
			view->leaf[view->leaves++] =
				(struct view_leaf){ .va = ia | walk->upper,
						    .ipa = desc_leaf_address(format, desc, shift),
						    .desc = desc,
						    .bits = shift,
						    .asid = walk->asid };
		}
	}
}

struct view view_take(const struct vm *vm)
{
	const int start = vm->s1_geometry.start_level;
	struct view view = { 0 };
	struct walk walk = { vm, &view, 0, ~low_mask(vm->setup.va_bits) };

	walk_table(&walk, vm->high.root, start, 0);
	walk.upper = 0;
	for (unsigned asid = 0; asid < 1U << ASID_BITS_MAX; asid++) {
		const struct space *space = vm_find_space(vm, (uint16_t)asid);

		walk.asid = (uint16_t)asid;
		if (space)
			walk_table(&walk, space->low.root, start, 0);
	}
	return view;
}

void view_free(struct view *view)
{
	free(view->leaf);
	free(view->table);
}

const struct view_leaf *view_find(const struct view *view, uint16_t asid, uint64_t va)
{
	for (size_t i = 0; i < view->leaves; i++) {
		const struct view_leaf *leaf = &view->leaf[i];

		if ((va >> 63 || leaf->asid == asid) && va - leaf->va <= low_mask(leaf->bits))
			return leaf;
	}
	return NULL;
}

/* ---- checks --------------------------------------------------------------------------------- */

struct range {
	uint64_t first, last;
	bool may_share;
};

static int by_first(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

static bool in_linear_map(const struct vm *vm, const struct view_leaf *leaf)
{
	return leaf->va >> 63 && !(leaf->va >> (vm->setup.va_bits - 1) & 1);
}

static void check_memory(const struct vm *vm, const struct view *view)
{
	struct range *range = calloc(view->leaves + view->tables, sizeof(*range));
	size_t n = 0;
	uint64_t end = 0;
	bool shared = true;

	assert_non_null(range);
	for (size_t i = 0; i < view->leaves; i++) {
		const struct view_leaf *leaf = &view->leaf[i];
		const uint64_t last = leaf->ipa | low_mask(leaf->bits);

		assert_true(leaf->ipa >= vm->memory_first && last < vm->memory_end);
		if (!in_linear_map(vm, leaf))
			range[n++] =
				(struct range){ leaf->ipa, last,
						(leaf->desc & (S1_AP_RO | DESC_DBM)) == S1_AP_RO };
	}
	for (size_t i = 0; i < view->tables; i++)
		range[n++] =
			(struct range){ view->table[i],
					view->table[i] | low_mask(vm->setup.s1_granule), false };
	qsort(range, n, sizeof(*range), by_first);
	for (size_t i = 0; i < n; i++) {
		if (range[i].first < end && !(shared && range[i].may_share))
			fail_msg("IPA 0x%llx is used twice", (unsigned long long)range[i].first);
		if (range[i].last >= end) {
			end = range[i].last + 1;
			shared = range[i].may_share;
		}
	}
	free(range);
}

static void check_contiguous(const struct vm *vm, const struct view *view, size_t i)
{
	const struct view_leaf *leaf = &view->leaf[i];
	const int level = vm_leaf_level(vm->setup.s1_granule, leaf->bits);
	const unsigned span = desc_contiguous_bits(vm->setup.s1_granule, level);
	const size_t place = (size_t)(leaf->va >> leaf->bits & low_mask(span - leaf->bits));
	const struct view_leaf *first = leaf - place;

	assert_int_not_equal(span, 0);
	assert_true(i >= place && i - place + (1u << (span - leaf->bits)) <= view->leaves);
	assert_int_equal(first->ipa & low_mask(span), 0);
	for (uint64_t k = 0; k >> (span - leaf->bits) == 0; k++) {
		const uint64_t offset = k << leaf->bits;

		assert_int_equal(first[k].va, (leaf->va & ~low_mask(span)) + offset);
		assert_int_equal(first[k].asid, leaf->asid);
		assert_int_equal(first[k].ipa, first->ipa + offset);
		assert_int_equal(first[k].desc - desc_put_address(&vm->high.format, first[k].ipa),
				 leaf->desc - desc_put_address(&vm->high.format, leaf->ipa));
	}
}

void view_check(const struct vm *vm, const struct view *view)
{
	check_memory(vm, view);
	for (size_t i = 0; i < view->leaves; i++)
		if (view->leaf[i].desc & DESC_CONTIGUOUS)
			check_contiguous(vm, view, i);
}

/* ---- a guest -------------------------------------------------------------------------------- */

void guest_touch(struct rig *rig, uint16_t asid, uint64_t va, enum access_kind kind)
{
	const struct rig_access access = { .asid = asid, .va = va, .kind = kind };

	if (!rig_access(rig, access))
		fail_msg("0x%llx: %s", (unsigned long long)va, vm_diag(rig->machine.vms[0])->text);
}

struct view_leaf guest_leaf_at(struct rig *rig, uint16_t asid, uint64_t va)
{
	struct view view = view_take(rig->machine.vms[0]);
	const struct view_leaf *found = view_find(&view, asid, va);
	struct view_leaf leaf;

	if (!found)
		fail_msg("0x%llx is not mapped", (unsigned long long)va);
	leaf = *found;
	view_free(&view);
	return leaf;
}

void guest_checked(struct rig *rig)
{
	struct view view = view_take(rig->machine.vms[0]);

	view_check(rig->machine.vms[0], &view);
	view_free(&view);
}

void guest_unmap(struct rig *rig, uint16_t asid, uint64_t va, uint64_t bytes)
{
	vm_unmap(rig->machine.vms[0], asid, va_of(va), bytes);
	rig_flush(rig);
}
