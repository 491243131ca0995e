/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every TLBI operation by its encoding: what it removes and what it keeps. For each operation and
 * each thing that a TLB or walk cache can hold, a machine with that thing alone executes it.
 */
#include "unit.h"

#include "mmu/regime.h"
#include "mmu/tlbi.h"

/* What an operation matches (the Arm ARM's TLBI descriptions). */
enum what { OF_VMID, OF_VMID_BOTH, OF_ASID, BY_VA, BY_VA_ANY_ASID, BY_IPA, ALL, NOT_HERE };

struct op {
	const char *name;
	enum what what;
	bool last_level, range;
	uint32_t op1;
	uint32_t crm[3], op2[3]; /* local, inner shareable, outer shareable */
};

/* The numbers are those that an assembler gives for the names. */
static const struct op ops[] = {
	{ "vmalle1", OF_VMID, false, false, 0, { 7, 3, 1 }, { 0, 0, 0 } },
	{ "vae1", BY_VA, false, false, 0, { 7, 3, 1 }, { 1, 1, 1 } },
	{ "aside1", OF_ASID, false, false, 0, { 7, 3, 1 }, { 2, 2, 2 } },
	{ "vaae1", BY_VA_ANY_ASID, false, false, 0, { 7, 3, 1 }, { 3, 3, 3 } },
	{ "vale1", BY_VA, true, false, 0, { 7, 3, 1 }, { 5, 5, 5 } },
	{ "vaale1", BY_VA_ANY_ASID, true, false, 0, { 7, 3, 1 }, { 7, 7, 7 } },
	{ "rvae1", BY_VA, false, true, 0, { 6, 2, 5 }, { 1, 1, 1 } },
	{ "rvaae1", BY_VA_ANY_ASID, false, true, 0, { 6, 2, 5 }, { 3, 3, 3 } },
	{ "rvale1", BY_VA, true, true, 0, { 6, 2, 5 }, { 5, 5, 5 } },
	{ "rvaale1", BY_VA_ANY_ASID, true, true, 0, { 6, 2, 5 }, { 7, 7, 7 } },
	{ "ipas2e1", BY_IPA, false, false, 4, { 4, 0, 4 }, { 1, 1, 0 } },
	{ "ipas2le1", BY_IPA, true, false, 4, { 4, 0, 4 }, { 5, 5, 4 } },
	{ "ripas2e1", BY_IPA, false, true, 4, { 4, 0, 4 }, { 2, 2, 3 } },
	{ "ripas2le1", BY_IPA, true, true, 4, { 4, 0, 4 }, { 6, 6, 7 } },
	{ "alle1", ALL, false, false, 4, { 7, 3, 1 }, { 4, 4, 4 } },
	{ "vmalls12e1", OF_VMID_BOTH, false, false, 4, { 7, 3, 1 }, { 6, 6, 6 } },
	{ "alle2", NOT_HERE, false, false, 4, { 7, 3, 1 }, { 0, 0, 0 } },
	{ "vae2", NOT_HERE, false, false, 4, { 7, 3, 1 }, { 1, 1, 1 } },
	{ "vale2", NOT_HERE, true, false, 4, { 7, 3, 1 }, { 5, 5, 5 } },
	{ "rvae2", NOT_HERE, false, true, 4, { 6, 2, 5 }, { 1, 1, 1 } },
	{ "rvale2", NOT_HERE, true, true, 4, { 6, 2, 5 }, { 5, 5, 5 } },
	{ "alle3", NOT_HERE, false, false, 6, { 7, 3, 1 }, { 0, 0, 0 } },
	{ "vae3", NOT_HERE, false, false, 6, { 7, 3, 1 }, { 1, 1, 1 } },
	{ "vale3", NOT_HERE, true, false, 6, { 7, 3, 1 }, { 5, 5, 5 } },
	{ "rvae3", NOT_HERE, false, true, 6, { 6, 2, 5 }, { 1, 1, 1 } },
	{ "rvale3", NOT_HERE, true, true, 6, { 6, 2, 5 }, { 5, 5, 5 } },
};

enum { OPS = sizeof(ops) / sizeof(ops[0]) };

static uint32_t encode(uint32_t op1, uint32_t crn, uint32_t crm, uint32_t op2)
{
	return op1 << 11 | crn << 7 | crm << 3 | op2;
}

/* ---- what can be held ----------------------------------------------------------------------- */

enum held_in { IN_TLB, IN_S1_CACHE, IN_S2_CACHE };

struct item {
	enum held_in in;
	uint16_t vmid, asid;
	bool global; /* TLB */
	bool table;  /* walk caches: a pointer to a next-level table */
	uint64_t address;
	unsigned bits; /* log2 of what it covers */
};

/* A set-up: granules and DS of both stages. */
struct form {
	enum granule s1, s2;
	bool s1_ds, s2_ds;
};

static struct mmu mmu;
static struct regime regime;
static struct phys_mem *mem;
static struct form form;

static void set_form(struct form f)
{
	form = f;
	memset(&regime, 0, sizeof(regime));
	for (unsigned half = 0; half < 2; half++) {
		regime.s1[half].granule_bits = (uint8_t)f.s1;
		regime.s1[half].sh_from_regs = f.s1_ds;
	}
	regime.s2.granule_bits = (uint8_t)f.s2;
	regime.s2.sh_from_regs = f.s2_ds;
}

static void mmu_make(void)
{
	const struct tlb_shape tlb = {
		.sets = 2, .ways = 2, .page_sizes = UINT64_MAX << 12, .repl = repl_find("lru")
	};
	const struct mmu_shape shape = {
		.vcpus = 2,
		.l1i = tlb,
		.l1d = tlb,
		.l2 = tlb,
		.s1 = { .entries = 4, .ways = 2, .hit_cycles = 1 },
		.s2 = { .entries = 4, .ways = 2, .hit_cycles = 1 },
		.s1_granule = form.s1,
		.s2_granule = form.s2,
		.latency = latency_find("fixed"),
	};
	const struct mmu_os os = { NULL, NULL, NULL };

	assert_true(mmu_init(&mmu, &shape, mem, &os));
}

/* Level of a point that covers 2^bits bytes. */
static int8_t level_of(enum granule g, unsigned bits, bool table)
{
	const int above = (int)((bits - (unsigned)g) / ((unsigned)g - 3));

	return (int8_t)(3 - above + (table ? 1 : 0));
}

static void put(const struct item *item)
{
	const struct tlb_context context = { .vmid = item->vmid, .asid = item->asid };
	const struct tlb_leaf leaf = { .size_bits = (uint8_t)item->bits,
				       .leaf_bits = (uint8_t)item->bits,
				       .global = item->global };
	const enum granule g = item->in == IN_S1_CACHE ? form.s1 : form.s2;
	const struct walk_point point = { .level = level_of(g, item->bits, item->table),
					  .leaf = !item->table };

	for (unsigned v = 0; v < 2; v++) {
		struct mmu_vcpu *vcpu = &mmu.vcpu[v];

		switch (item->in) {
		case IN_TLB:
			tlb_fill(&vcpu->l1[MMU_FETCH], context, va_of(item->address), &leaf);
			tlb_fill(&vcpu->l1[MMU_DATA], context, va_of(item->address), &leaf);
			tlb_fill(vcpu->l2, context, va_of(item->address), &leaf);
			break;
		case IN_S1_CACHE:
			walk_cache_learn(&vcpu->s1, (uint32_t)item->vmid << 16 | item->asid,
					 item->address, &point);
			break;
		case IN_S2_CACHE:
			walk_cache_learn(&vcpu->s2, (uint32_t)item->vmid << 16, item->address,
					 &point);
			break;
		}
	}
}

/* In how many of a vCPU's places that it was put in the item still is. */
static unsigned count_on(const struct item *item, unsigned v)
{
	const struct tlb_context context = { .vmid = item->vmid, .asid = item->asid };
	const va_t va = va_of(item->address);
	unsigned held = 0;

	struct mmu_vcpu *vcpu = &mmu.vcpu[v];
	struct walk_point out;

	switch (item->in) {
	case IN_TLB:
		held += tlb_find(&vcpu->l1[MMU_FETCH], context, va) != TLB_NONE;
		held += tlb_find(&vcpu->l1[MMU_DATA], context, va) != TLB_NONE;
		held += tlb_find(vcpu->l2, context, va) != TLB_NONE;
		break;
	case IN_S1_CACHE:
		held += walk_cache_probe(&vcpu->s1, (uint32_t)item->vmid << 16 | item->asid,
					 item->address, &out);
		break;
	case IN_S2_CACHE:
		held += walk_cache_probe(&vcpu->s2, (uint32_t)item->vmid << 16, item->address,
					 &out);
		break;
	}
	return held;
}

static unsigned count_held(const struct item *item)
{
	return count_on(item, 0) + count_on(item, 1);
}

/* ---- the rules ------------------------------------------------------------------------------ */

struct operand {
	uint16_t vmid, asid;
	uint64_t first, last; /* addresses it names */
	bool nothing;	      /* a range for another granule */
};

static bool names(const struct operand *o, const struct item *item)
{
	const uint64_t begin = item->address & ~low_mask(item->bits);

	return !o->nothing && begin <= o->last && (begin | low_mask(item->bits)) >= o->first;
}

static bool removes(const struct op *op, const struct operand *o, const struct item *item)
{
	const bool vmid = o->vmid == item->vmid, asid = o->asid == item->asid;
	const bool spared = op->last_level && item->table;

	if (op->what == NOT_HERE)
		return false;
	if (op->what == ALL)
		return true;
	if (!vmid)
		return false;
	if (op->what == OF_VMID_BOTH)
		return true;
	if (item->in == IN_S2_CACHE)
		return op->what == BY_IPA && names(o, item) && !spared;
	switch (op->what) {
	case OF_VMID:
		return true;
	case OF_ASID: /* partial walks have an ASID even where the leaf will be global */
		return asid && !item->global;
	case BY_VA:
		return names(o, item) && (asid || item->global) && !spared;
	case BY_VA_ANY_ASID:
		return names(o, item) && !spared;
	default:
		return false;
	}
}

/* ---- items ---------------------------------------------------------------------------------- */

#define VA  UINT64_C(0x7f12345000)
#define KVA UINT64_C(0xffff800012345000)
#define IPA UINT64_C(0x9876543000)

enum { MAX_ITEMS = 128 };

static unsigned make_items(struct item items[MAX_ITEMS])
{
	static const uint64_t vas[] = { VA, VA + 0x10000, VA ^ UINT64_C(1) << 32, KVA,
					KVA ^ UINT64_C(1) << 32 };
	static const uint64_t ipas[] = { IPA, IPA + 0x10000, IPA ^ UINT64_C(1) << 32 };
	const unsigned s1_block = level_shift(form.s1, 2), s2_block = level_shift(form.s2, 2);
	unsigned n = 0;

	for (unsigned v = 0; v < 5; v++)
		for (unsigned who = 0; who < 4; who++) {
			const uint16_t vmid = who == 3 ? 2 : 1, asid = who == 2 ? 6 : 5;
			const bool global = who == 1;

			items[n++] =
				(struct item){ IN_TLB,		 vmid, asid, global, false, vas[v],
					       (unsigned)form.s1 };
			items[n++] = (struct item){ IN_TLB, vmid,   asid,    global,
						    false,  vas[v], s1_block };
			if (!global)
				items[n++] = (struct item){ IN_S1_CACHE, vmid,	 asid,	  false,
							    true,	 vas[v], s1_block };
		}
	for (unsigned i = 0; i < 3; i++)
		for (uint16_t vmid = 1; vmid <= 2; vmid++) {
			items[n++] =
				(struct item){ IN_S2_CACHE,	 vmid, 0, false, false, ipas[i],
					       (unsigned)form.s2 };
			items[n++] = (struct item){ IN_S2_CACHE, vmid,	  0,	   false,
						    false,	 ipas[i], s2_block };
			items[n++] = (struct item){ IN_S2_CACHE, vmid,	  0,	   false,
						    true,	 ipas[i], s2_block };
		}
	assert_true(n <= MAX_ITEMS);
	return n;
}

static const char *const shareability[] = { "", "is", "os" };

/* By one vCPU. Local forms stay there, unless it is EL1's and HCR_EL2.FB is set. */
static void execute_form(const struct op *op, unsigned sh, uint64_t xt, const struct operand *o,
			 const struct item *item)
{
	const uint32_t encoding = encode(op->op1, sh < 3 ? 8 : 9, op->crm[sh % 3], op->op2[sh % 3]);
	const uint32_t self = sh % 2;
	const struct tlbi tlbi = { encoding, xt, o->vmid, self, &regime };
	const bool local = sh % 3 == 0 && !(op->op1 == 0 && regime.force_broadcast);
	const unsigned all = item->in == IN_TLB ? 3 : 1;

	put(item);
	assert_int_equal(count_held(item), 2 * all);
	assert_true(mmu_tlbi(&mmu, &tlbi));
	for (unsigned v = 0; v < 2; v++) {
		const bool gone = removes(op, o, item) && (v == self || !local);

		if (count_on(item, v) != (gone ? 0 : all))
			fail_msg("%s%s%s Xt 0x%llx: item of kind %u at 0x%llx, 2^%u: %u left on %u",
				 op->name, shareability[sh % 3], sh < 3 ? "" : "nxs",
				 (unsigned long long)xt, item->in,
				 (unsigned long long)item->address, item->bits, count_on(item, v),
				 v);
	}
}

static void execute(const struct op *op, uint64_t xt, const struct operand *o,
		    const struct item *items, unsigned n)
{
	const struct tlb_match everything = { .scope = TLB_SCOPE_ALL };

	mmu_make();
	for (unsigned i = 0; i < n; i++)
		for (unsigned sh = 0; sh < 12; sh++) {
			regime.force_broadcast = sh >= 6;
			execute_form(op, sh % 6, xt, o, &items[i]);
			mmu_invalidate(&mmu, MMU_ALL_VCPUS, &everything, WALK_CACHE_BOTH);
			assert_int_equal(count_held(&items[i]), 0);
		}
	mmu_fini(&mmu);
}

static uint64_t page_operand(const struct op *op, uint16_t asid, uint64_t address)
{
	return op->what == BY_IPA ? bits(address, 51, 12)
				  : (uint64_t)asid << 48 | bits(address, 55, 12);
}

static void single_operations(void)
{
	static const uint64_t vas[] = { VA, KVA };
	struct item items[MAX_ITEMS];
	const unsigned n = make_items(items);

	for (unsigned i = 0; i < OPS; i++)
		for (unsigned v = 0; !ops[i].range && v < 2; v++) {
			const bool ipa = ops[i].what == BY_IPA;
			const uint64_t address = ipa ? IPA : vas[v];
			const uint64_t page = low_mask(ipa ? form.s2 : form.s1);
			const struct operand o = { 1, 5, address & ~page, address | page, false };

			execute(&ops[i], page_operand(&ops[i], 5, address), &o, items, n);
		}
}

static const struct form forms[] = {
	{ GRANULE_4K, GRANULE_4K, false, false },  { GRANULE_16K, GRANULE_4K, false, true },
	{ GRANULE_64K, GRANULE_16K, false, true }, { GRANULE_4K, GRANULE_64K, true, false },
	{ GRANULE_16K, GRANULE_16K, true, false },
};

static void pages_and_contexts(void **state)
{
	(void)state;
	for (size_t f = 0; f < sizeof(forms) / sizeof(forms[0]); f++) {
		set_form(forms[f]);
		single_operations();
	}
}

/* ---- ranges --------------------------------------------------------------------------------- */

static unsigned tg_of(enum granule g)
{
	return g == GRANULE_4K ? 1 : g == GRANULE_16K ? 2 : 3;
}

static void range_with(const struct op *op, uint64_t base, unsigned scale, unsigned num,
		       unsigned tg)
{
	const bool ipa = op->what == BY_IPA;
	const enum granule g = ipa ? form.s2 : form.s1;
	const bool ds = ipa ? form.s2_ds : form.s1_ds;
	const unsigned shift = ds ? 16 : (unsigned)g;
	const uint64_t first = base & ~low_mask(shift);
	const uint64_t length = (uint64_t)(num + 1) << (5 * scale + 1 + (unsigned)g);
	const struct operand o = { 1, 5, first,
				   length - 1 > UINT64_MAX - first ? UINT64_MAX
								   : first + length - 1,
				   tg != tg_of(g) };
	const uint64_t xt = (ipa ? 0 : UINT64_C(5) << 48) | (uint64_t)tg << 46 |
			    (uint64_t)scale << 44 | (uint64_t)num << 39 |
			    (base >> shift & low_mask(37));
	struct item items[MAX_ITEMS];
	const unsigned n = make_items(items);

	execute(op, xt, &o, items, n);
}

static void ranges(void **state)
{
	(void)state;
	for (size_t f = 0; f < sizeof(forms) / sizeof(forms[0]); f++) {
		set_form(forms[f]);
		for (unsigned i = 0; i < OPS; i++) {
			const bool ipa = ops[i].what == BY_IPA;
			const unsigned tg = tg_of(ipa ? form.s2 : form.s1);
			const uint64_t low = ipa ? IPA : VA;

			if (!ops[i].range)
				continue;
			range_with(&ops[i], low, 0, 0, tg);	       /* 2 pages */
			range_with(&ops[i], low - 0x20000, 0, 31, tg); /* 64 pages */
			range_with(&ops[i], low & ~low_mask(32), 3, 31, tg);
			range_with(&ops[i], ipa ? 0 : KVA, 1, 0, tg);
			range_with(&ops[i], low, 0, 0, tg % 3 + 1); /* another granule */
			range_with(&ops[i], low, 0, 0, 0);	    /* reserved */
		}
	}
}

/* A range over the end of the address space ends with it and does not wrap to nothing. */
static void range_to_the_end(void **state)
{
	const struct item last = { IN_TLB, 1, 5, false, false, ~low_mask(12), 12 };
	const struct item first = { IN_TLB, 1, 5, false, false, 0, 12 };
	const uint64_t xt = UINT64_C(5) << 48 | UINT64_C(1) << 46 | low_mask(37);
	const struct tlbi tlbi = { encode(0, 8, 2, 1), xt, 1, 0, &regime };

	(void)state;
	set_form(forms[0]);
	mmu_make();
	put(&last);
	put(&first);
	assert_true(mmu_tlbi(&mmu, &tlbi)); /* two pages from the last one */
	assert_int_equal(count_held(&last), 0);
	assert_int_equal(count_held(&first), 6);
	mmu_fini(&mmu);
}

static bool is_operation(uint32_t encoding)
{
	for (unsigned i = 0; i < OPS; i++)
		for (unsigned sh = 0; sh < 6; sh++)
			if (encoding == encode(ops[i].op1, sh < 3 ? 8 : 9, ops[i].crm[sh % 3],
					       ops[i].op2[sh % 3]))
				return true;
	return false;
}

static void unknown_encodings(void **state)
{
	unsigned known = 0;

	(void)state;
	set_form(forms[0]);
	mmu_make();
	for (uint32_t encoding = 0; encoding < 1 << 16; encoding++) {
		const struct tlbi tlbi = { encoding, 0, 1, 0, &regime };

		if (mmu_tlbi(&mmu, &tlbi) != is_operation(encoding))
			fail_msg("op1 %u CRn %u CRm %u op2 %u, bits above 0x%x", encoding >> 11 & 7,
				 encoding >> 7 & 15, encoding >> 3 & 15, encoding & 7,
				 encoding >> 14);
		known += is_operation(encoding);
	}
	assert_int_equal(known, OPS * 6);
	mmu_fini(&mmu);
}

/* A value is sign-extended from VA[55], as the addresses of the upper half are. */
static void sign_extension(void **state)
{
	const struct item kernel = { IN_TLB, 1, 5, true, false, KVA, 12 };
	const struct tlbi vaae1is = { encode(0, 8, 3, 3), bits(KVA, 55, 12), 1, 0, &regime };
	const struct tlbi tagged = { encode(0, 8, 3, 3), bits(KVA & low_mask(48), 55, 12), 1, 0,
				     &regime };

	(void)state;
	set_form(forms[0]);
	mmu_make();
	put(&kernel);
	assert_true(mmu_tlbi(&mmu, &tagged));
	assert_int_equal(count_held(&kernel), 6);
	assert_true(mmu_tlbi(&mmu, &vaae1is));
	assert_int_equal(count_held(&kernel), 0);
	mmu_fini(&mmu);
}

static int make_memory(void **state)
{
	(void)state;
	mem = phys_create();
	return mem ? 0 : -1;
}

static int destroy_memory(void **state)
{
	(void)state;
	phys_destroy(mem);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_and_contexts), cmocka_unit_test(ranges),
		cmocka_unit_test(range_to_the_end),   cmocka_unit_test(unknown_encodings),
		cmocka_unit_test(sign_extension),
	};

	return cmocka_run_group_tests(tests, make_memory, destroy_memory);
}
