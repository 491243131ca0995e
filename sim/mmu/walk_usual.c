/* SPDX-License-Identifier: BSD-2-Clause */
#include "mmu/walk_usual.h"

#include "mmu/walk_hints.h"

#define ADDRESS	  (low_mask(48) & ~low_mask(GRANULE_4K))
#define IS_TABLE  (DESC_TABLE | DESC_VALID)
#define HIERARCHY (UINT64_C(15) << S1_HIERARCHY_SHIFT)

enum { L0_SHIFT = 39, L1_SHIFT = 30, L2_SHIFT = 21, L3_SHIFT = GRANULE_4K };

/* All there is of a walk is in registers: nobody else may know where it is. */
#define PART static inline __attribute__((always_inline))

/* Reads, in the log but not counted there yet. */
struct notes {
	struct latency_query *next;
	uint32_t unasked;
};

/* Tables that are not cacheable go the long way. */
PART void note(struct notes *notes, uint64_t pa, unsigned row, bool final)
{
	*notes->next++ = (struct latency_query){
		.pa = pa_of(pa), .cacheable = true, .row = (uint8_t)row, .final = final
	};
}

PART uint64_t entry_of(uint64_t table, uint64_t ia, unsigned shift)
{
	return table | (ia >> shift & 511) << 3;
}

/* What a regime is said to have seen is no part of what it says. */
static inline struct regime_seen *seen_of(const struct regime *regime, const struct access *access)
{
	return (struct regime_seen *)&regime->seen[regime_half(access->va)][access->kind];
}

STAGE const uint64_t *words_anew(const struct phys_mem *mem, struct walk_hint *hint, uint64_t pa)
{
	const uint64_t *words = phys_words(mem, pa_of(pa));

	if (words)
		*hint = (struct walk_hint){ walk_hint_key(pa_of(pa)), words };
	return words;
}

/* The words of the page of pa; NULL: never written. */
PART const uint64_t *words_of(const struct phys_mem *mem, struct walk_hint *hint, uint64_t pa)
{
	return hint->key == walk_hint_key(pa_of(pa)) ? hint->words : words_anew(mem, hint, pa);
}

/* One step down, to *table. False: there is none, or not in a usual place. */
static bool step_down(const struct phys_mem *mem, const struct regime_stage *s2,
		      struct walk_upper *upper, uint64_t pa, uint64_t *table)
{
	const uint64_t *words = phys_words(mem, pa_of(pa));
	const unsigned i = upper->n++;

	if (!words)
		return false;
	upper->pa[i] = pa_of(pa);
	upper->word[i] = &words[pa >> 3 & 511];
	upper->desc[i] = *upper->word[i];
	*table = upper->desc[i] & ADDRESS;
	return (upper->desc[i] & IS_TABLE) == IS_TABLE && !(*table & s2->oa_excess);
}

/* Of a start table all bits of the IPA that are left choose the entry. */
static bool find_upper(const struct phys_mem *mem, const struct regime_stage *s2,
		       struct walk_upper *upper, uint64_t ipa)
{
	struct walk_upper found = { .key = (ipa >> L1_SHIFT) + 1, .base = s2->base };
	uint64_t table = s2->base + (ipa >> L1_SHIFT << PHYS_PAGE_BITS);

	if (s2->start_level == 0 &&
	    !step_down(mem, s2, &found, s2->base + (ipa >> L0_SHIFT << 3), &table))
		return false;
	if (s2->start_level == 0 &&
	    !step_down(mem, s2, &found, entry_of(table, ipa, L1_SHIFT), &table))
		return false;
	if (s2->start_level == 1 &&
	    !step_down(mem, s2, &found, s2->base + (ipa >> L1_SHIFT << 3), &table))
		return false;
	found.table = table;
	found.words = phys_words(mem, pa_of(table));
	*upper = found;
	return found.words;
}

STAGE bool renew_upper(const struct phys_mem *mem, const struct regime_stage *s2,
		       struct walk_upper *upper, uint64_t ipa)
{
	const bool found = find_upper(mem, s2, upper, ipa);

	if (!found)
		upper->key = 0;
	return found;
}

PART bool is_current(const struct walk_upper *upper)
{
	return upper->n == 0 || (*upper->word[0] == upper->desc[0] &&
				 (upper->n == 1 || *upper->word[1] == upper->desc[1]));
}

/* The stage-2 descriptor of level 3 for ipa, its reads noted. False: there is no table of it. */
PART bool read_stage2(const struct phys_mem *mem, const struct walk_hooks *hooks,
		      const struct regime_stage *s2, struct notes *notes, uint64_t ipa,
		      enum walk_purpose purpose, uint64_t *desc)
{
	const bool final = purpose == WALK_FOR_ACCESS;
	const uint64_t gib = ipa >> L1_SHIFT;
	struct walk_upper *upper =
		&hooks->hints->stage2[(gib ^ s2->base >> PHYS_PAGE_BITS) & (WALK_UPPERS - 1)];
	const uint64_t *words;
	uint64_t above, pa;

	if (ipa >> s2->ia_bits)
		return false;
	if ((upper->key != gib + 1 || upper->base != s2->base || !is_current(upper)) &&
	    !renew_upper(mem, s2, upper, ipa))
		return false;
	if (upper->n == 2)
		note(notes, upper->pa[0].v, walk_row(2, 0), final);
	if (upper->n)
		note(notes, upper->pa[upper->n - 1].v, walk_row(2, 1), final);
	above = upper->words[ipa >> L2_SHIFT & 511];
	note(notes, entry_of(upper->table, ipa, L2_SHIFT), walk_row(2, 2), final);
	if ((above & IS_TABLE) != IS_TABLE || (above & ADDRESS & s2->oa_excess))
		return false;
	pa = entry_of(above & ADDRESS, ipa, L3_SHIFT);
	words = words_of(mem, walk_hint(hooks->hints, 2, ipa, GRANULE_4K), pa);
	if (!words)
		return false;
	note(notes, pa, walk_row(2, 3), final);
	*desc = words[pa >> 3 & 511];
	notes->unasked += !(hooks->unserved >> purpose & 1);
	return true;
}

/* Bits of a leaf that must be as they are in most, whatever else it says. */
PART bool is_simple(uint64_t desc)
{
	return (desc & (IS_TABLE | DESC_AF | DESC_CONTIGUOUS)) == (IS_TABLE | DESC_AF);
}

/* From the table of level 2 to that of level 3, which is *below. */
PART bool read_table(const struct phys_mem *mem, const struct walk_hooks *hooks,
		     const struct regime *regime, const struct regime_stage *s1,
		     struct notes *notes, uint64_t va, const struct walk_point *known,
		     struct walk_point *below, uint64_t *rest)
{
	const uint64_t pa = entry_of(known->table_pa.v, va, L2_SHIFT);
	const uint64_t *words = words_of(mem, &hooks->hints->upper[0][3], pa);
	uint64_t desc, table, leaf;

	if (!words)
		return false;
	note(notes, pa, walk_row(1, 2), false);
	desc = words[pa >> 3 & 511];
	table = desc & ADDRESS;
	if ((desc & (IS_TABLE | HIERARCHY)) != IS_TABLE || (table & s1->oa_excess))
		return false;
	if (!read_stage2(mem, hooks, &regime->s2, notes, entry_of(table, va, L3_SHIFT),
			 WALK_FOR_TABLE_READ, &leaf) ||
	    !is_simple(leaf) || (leaf & ADDRESS & regime->s2.oa_excess))
		return false;
	*rest = leaf & ~ADDRESS;
	below->level = 3;
	below->table = table;
	below->table_pa = pa_of(leaf & ADDRESS);
	below->table_s2_bits = GRANULE_4K;
	return true;
}

/* The walk is over, and a usual one. `learnt`: the table of level 3 that it came to; NULL: none. */
PART void finish(const struct walk_hooks *hooks, const struct notes *notes, uint64_t va,
		 const struct walk_point *learnt)
{
	struct walk_log *log = hooks->log;

	log->reads = (uint32_t)(notes->next - log->query);
	log->unasked += notes->unasked;
	if (learnt && hooks->learn && !(hooks->unwanted[0].tables >> 4 & 1)) {
		const struct walk_point point = *learnt;

		hooks->learn(hooks->ctx, 1, va, &point);
	}
}

PART bool fault_at_last(struct translation *out, int stage, uint64_t ipa)
{
	out->fault = (struct fault){
		.type = FAULT_TRANSLATION, .stage = (int8_t)stage, .level = 3, .ipa = ipa
	};
	out->ipa = ipa_of(ipa);
	return true;
}

PART bool give(const struct regime_seen *seen, uint64_t pa, uint64_t ipa, struct translation *out)
{
	*out = (struct translation){ .pa = pa_of(pa),
				     .ipa = ipa_of(ipa),
				     .s1_bits = GRANULE_4K,
				     .s2_bits = GRANULE_4K,
				     .s1_span_bits = GRANULE_4K,
				     .s2_span_bits = GRANULE_4K,
				     .global = seen->global,
				     .perms = seen->perms,
				     .attr = seen->attr,
				     .sh = seen->sh };
	return true;
}

bool walk_usual(const struct regime *regime, struct phys_mem *mem, const struct access *access,
		const struct walk_hooks *hooks, uint64_t va, const struct walk_point *known,
		struct translation *out, struct walk_tried *tried)
{
	const struct regime_stage *s1 = &regime->s1[regime_half(access->va)], *s2 = &regime->s2;
	const struct regime_seen *seen = seen_of(regime, access);
	const uint64_t offset = va & low_mask(GRANULE_4K);
	struct notes notes = { .next = hooks->log->query };
	struct walk_point below = { .table_attr = seen->table_attr };
	const struct walk_point *learnt = NULL;
	uint64_t table_rest = seen->table_rest, pa, desc, ipa, leaf;
	const uint64_t *words;
	bool same;

	if (known->leaf || known->hierarchy || known->table_s2_bits < GRANULE_4K ||
	    !walk_is_cacheable(known->table_attr) || !s2->walk_cacheable)
		return false;
	if (known->level == 2) {
		if (!read_table(mem, hooks, regime, s1, &notes, va, known, &below, &table_rest))
			return false;
		learnt = known = &below;
	}
	if (known->level != 3)
		return false;
	pa = entry_of(known->table_pa.v, va, L3_SHIFT);
	words = words_of(mem, walk_hint(hooks->hints, 1, va, GRANULE_4K), pa);
	if (!words)
		return false;
	note(&notes, pa, walk_row(1, 3), false);
	desc = words[pa >> 3 & 511];
	same = table_rest == seen->table_rest && (!learnt || walk_is_cacheable(below.table_attr));
	if (!(desc & DESC_VALID) && same) {
		finish(hooks, &notes, va, learnt);
		return fault_at_last(out, 1, 0);
	}
	ipa = (desc & ADDRESS) | offset;
	same = same && (desc & ~ADDRESS) == seen->s1_rest && seen->el == access->el;
	if (!is_simple(desc) || (desc & ADDRESS & s1->oa_excess) ||
	    !read_stage2(mem, hooks, s2, &notes, ipa, WALK_FOR_ACCESS, &leaf))
		return false;
	if (!(leaf & DESC_VALID) && same) {
		finish(hooks, &notes, va, learnt);
		return fault_at_last(out, 2, ipa);
	}
	if (!is_simple(leaf) || (leaf & ADDRESS & s2->oa_excess))
		return false;
	if (!same || (leaf & ~ADDRESS) != seen->s2_rest) {
		*tried = (struct walk_tried){ desc & ~ADDRESS, leaf & ~ADDRESS,
					      learnt ? table_rest : 0 };
		return false;
	}
	finish(hooks, &notes, va, learnt);
	return give(seen, (leaf & ADDRESS) | offset, ipa, out);
}

void walk_usual_learn(const struct walk *w, const struct walk_tried *tried)
{
	struct regime_seen *seen = seen_of(w->regime, w->access);
	const struct translation *out = w->out;

	if (out->s1_bits != GRANULE_4K || out->s2_bits != GRANULE_4K)
		return;
	seen->s1_rest = tried->s1_rest;
	seen->s2_rest = tried->s2_rest;
	seen->el = w->access->el;
	seen->perms = out->perms;
	seen->attr = out->attr;
	seen->sh = out->sh;
	seen->global = out->global;
	if (!tried->table_rest)
		return;
	seen->table_rest = tried->table_rest;
	seen->table_attr = w->table_attr;
}
