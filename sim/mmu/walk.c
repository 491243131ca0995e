/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One loop walks both stages. Stage 1 differs in that each of its descriptors is located through
 * stage 2; everything else that differs is in struct regime_stage and in the functions that turn a
 * leaf into permissions and attributes (walk_leaf.h).
 *
 * A replay may spend half its time here, so what all walks do is kept apart from what few do. The
 * latter are functions that take copies: a variable whose address is known to somebody else cannot
 * stay in a register.
 */
#include "mmu/walk.h"

#include "mmu/walk_known.h"
#include "mmu/walk_leaf.h"
#include "mmu/walk_read.h"
#include "mmu/walk_usual.h"

static const struct walk_hooks no_hooks;

static bool s2_locate(struct walk *w, const struct regime_stage *s1, uint64_t ipa, int level,
		      enum walk_purpose purpose, struct walk_leaf *leaf);

RARE void record_fault(struct walk *w, int stage, uint64_t ia, enum walk_purpose purpose,
		       enum fault_type type, int level)
{
	w->out->fault.type = type;
	w->out->fault.stage = (int8_t)stage;
	w->out->fault.level = (int8_t)level;
	w->out->fault.s1ptw = stage == 2 && purpose != WALK_FOR_ACCESS;
	w->out->fault.ipa = stage == 2 ? ia : 0;
}

/* Returns false, for callers to return in turn. */
PER_STAGE bool fail(struct walk *w, const struct walk_stage *s, const struct walk_request *rq,
		    enum fault_type type, int level)
{
	record_fault(w, s->number, rq->ia, rq->purpose, type, level);
	return false;
}

/* ---- one descriptor ------------------------------------------------------------------------ */

/* Physical address and attributes of the entry at entry->address. */
PER_STAGE bool locate(struct walk *w, const struct walk_stage *s, struct walk_entry *entry)
{
	struct walk_leaf leaf;

	entry->pa = pa_of(entry->address);
	entry->attr = s->st->walk_attr;
	entry->cacheable = s->st->walk_cacheable;
	entry->s2_bits = 0;
	if (s->number == 2 || !w->regime->s2_on)
		return true;
	if (!s2_locate(w, s->st, entry->address, entry->level, WALK_FOR_TABLE_READ, &leaf))
		return false;
	entry->pa = pa_of(leaf.address);
	w->table_attr = entry->attr = leaf.attr;
	entry->cacheable = walk_is_cacheable(leaf.attr);
	entry->s2_bits = leaf.size_bits;
	return true;
}

/*
 * The same for the first entry behind what a walk cache knew. A point of the stage-1 cache serves
 * only if one stage-2 leaf maps the whole table.
 */
PER_STAGE bool locate_known(struct walk *w, const struct walk_stage *s,
			    const struct walk_point *known, struct walk_entry *entry)
{
	if (s->number == 2 || !w->regime->s2_on || known->table_s2_bits < s->granule_bits)
		return locate(w, s, entry);
	entry->pa = pa_of(known->table_pa.v | (entry->address & walk_offset_mask(s->granule_bits)));
	entry->attr = known->table_attr;
	entry->cacheable = walk_is_cacheable(known->table_attr);
	entry->s2_bits = 0;
	return true;
}

/* ---- one stage ----------------------------------------------------------------------------- */

/* Bits of IA below those that the table at `level` resolves. */
static inline unsigned entry_shift(const struct walk_stage *s, int level)
{
	return s->granule_bits + (unsigned)(3 - level) * s->stride_bits;
}

/*
 * Where the descent begins: at the first entry that is to be read, or at the leaf if a walk cache
 * has it. *shift: bits of IA below those that the table resolves.
 */
PER_STAGE bool begin(struct walk *w, const struct walk_stage *s, const struct walk_request *rq,
		     enum walk_caches caches, struct walk_leaf *leaf, struct walk_entry *entry,
		     unsigned *shift)
{
	const uint64_t ia = rq->ia & s->st->ia_mask;
	struct walk_point known;
	uint64_t index;

	leaf->cached = false;
	leaf->hierarchy = 0;
	if (!probe(w, s, rq, caches, &known)) {
		/* Concatenated start tables have all that is left of the IA as their index. */
		*shift = s->st->start_shift;
		entry->level = s->st->start_level;
		entry->table = s->st->base;
		entry->address = s->st->base + (ia >> *shift << 3);
		return locate(w, s, entry);
	}
	*shift = entry_shift(s, known.level);
	*entry = (struct walk_entry){ .level = known.level };
	leaf->hierarchy = known.hierarchy;
	leaf->cached = known.leaf;
	leaf->desc = known.desc;
	if (known.leaf)
		return true;
	index = ia >> *shift;
	if (known.level != s->st->start_level)
		index &= s->index_mask;
	entry->table = known.table;
	entry->address = known.table + (index << 3);
	return locate_known(w, s, &known, entry);
}

/*
 * Descend to the leaf descriptor of rq->ia, and to its `entry` unless a walk cache gave it.
 * Invariant: `entry` is in a table that was reached through descriptors that were all valid and
 * within the output address size.
 */
PER_STAGE bool descend(struct walk *w, const struct walk_stage *s, const struct walk_request *rq,
		       enum walk_caches caches, struct walk_leaf *leaf, struct walk_entry *entry)
{
	unsigned shift;

	if (!begin(w, s, rq, caches, leaf, entry, &shift))
		return false;
	while (!leaf->cached) {
		if (!fetch(w, s, rq, entry))
			return fail(w, s, rq, FAULT_EXTERNAL_WALK, entry->level);
		leaf->desc = entry->desc;
		if (!desc_is_table(entry->desc, entry->level))
			break;
		entry->table = desc_address(&s->format, entry->desc);
		if (entry->table & s->st->oa_excess)
			return fail(w, s, rq, FAULT_ADDRESS_SIZE, entry->level);
		if (s->number == 1 && !s->st->hpd)
			leaf->hierarchy |= (uint8_t)(entry->desc >> S1_HIERARCHY_SHIFT & 15);
		entry->level++;
		shift -= s->stride_bits;
		entry->address = entry->table + ((rq->ia >> shift & s->index_mask) << 3);
		if (!locate(w, s, entry))
			return false;
		learn_table(w, s, rq, leaf, entry);
	}
	leaf->level = entry->level;
	leaf->size_bits = (uint8_t)shift;
	if (!leaf->cached && !desc_is_leaf(&s->format, leaf->desc, leaf->level))
		return fail(w, s, rq, FAULT_TRANSLATION, leaf->level);
	return true;
}

/* Is the leaf itself in order? Sets its output address. */
PER_STAGE bool accept_leaf(struct walk *w, const struct walk_stage *s,
			   const struct walk_request *rq, struct walk_leaf *leaf)
{
	enum fault_type fault = FAULT_NONE;
	const uint64_t offset_mask = walk_offset_mask(leaf->size_bits);
	const uint64_t base = desc_address(&s->format, leaf->desc) & ~offset_mask;

	leaf->address = base | (rq->ia & offset_mask);
	leaf->span_bits = 0;
	if (leaf->desc & DESC_CONTIGUOUS)
		leaf->span_bits = (uint8_t)desc_contiguous_bits(s->format.granule, leaf->level);

	if (leaf->span_bits > s->st->ia_bits && s->st->contiguous_fault)
		fault = FAULT_TRANSLATION;
	else if (leaf->level < 3 && (leaf->desc & DESC_NT) && s->st->nt_fault)
		fault = FAULT_TRANSLATION;
	else if (base & s->st->oa_excess) /* of the leaf: it faults as a whole or not at all */
		fault = FAULT_ADDRESS_SIZE;
	else if (!(leaf->desc & DESC_AF) && (!s->st->hw_af || w->access->speculative))
		fault = FAULT_ACCESS_FLAG;
	if (fault != FAULT_NONE)
		return fail(w, s, rq, fault, leaf->level);
	return true;
}

/*
 * Write `desc` over the leaf descriptor `was`, as one atomic compare and swap. For stage 1
 * that is a second stage-2 translation of its IPA, which needs write permission there. The swap can
 * be lost: when tables of both stages share memory, that stage-2 translation may have changed the
 * word.
 */
RARE enum walk_outcome write_back(struct walk *w, const struct regime_stage *st, int stage,
				  uint64_t ia, uint64_t address, struct latency_query query,
				  uint64_t was, uint64_t desc)
{
	struct walk_leaf target;
	uint64_t found;

	if (stage == 1 && w->regime->s2_on) {
		if (!s2_locate(w, st, address, walk_row_level(stage, query.row),
			       WALK_FOR_TABLE_UPDATE, &target))
			return WALK_FAULTED;
		query.pa = pa_of(target.address);
	}
	found = load(look_up(w->mem, query.pa), query.pa, st->big_endian);
	report_read(w, stage, ia, query, found, true);
	if (found != was)
		return WALK_AGAIN;
	/* The page holds a valid descriptor, so the write needs no memory and cannot fail. */
	phys_write64(w->mem, query.pa, st->big_endian ? swapped(desc) : desc);
	return WALK_DONE;
}

/* Find the leaf, check it in the architected order, set access flag and dirty state. */
PER_STAGE enum walk_outcome attempt(struct walk *w, const struct walk_stage *s,
				    const struct walk_request *rq, enum walk_caches caches,
				    struct walk_leaf *leaf)
{
	struct walk_entry entry;
	enum fault_type fault;
	uint64_t updated;

	if (!descend(w, s, rq, caches, leaf, &entry))
		return WALK_FAULTED;
	if (!accept_leaf(w, s, rq, leaf))
		return WALK_FAULTED;
	fault = s->number == 1 ? walk_s1_check(w, s, leaf) : walk_s2_check(w, s, rq, leaf);
	if (fault != FAULT_NONE) {
		fail(w, s, rq, fault, leaf->level);
		return WALK_FAULTED;
	}
	updated = walk_updated(w, s->st, s->number, rq, leaf->desc);
	if (updated == leaf->desc)
		return WALK_DONE;
	/* A cached leaf that needs an update is read again. */
	if (leaf->cached)
		return WALK_AGAIN;
	leaf->desc = updated;
	return write_back(w, s->st, s->number, rq->ia, entry.address, query_of(s, rq, &entry),
			  entry.desc, updated);
}

/*
 * Translate rq->ia by one stage. A lost swap starts again; it ends because each loss follows an
 * update of a stage-2 descriptor, which only ever sets bits.
 */
PER_STAGE bool translate(struct walk *w, const struct walk_stage *s, const struct walk_request *rq,
			 struct walk_leaf *leaf)
{
	enum walk_caches caches = WALK_CACHES;
	enum walk_outcome outcome;

	do {
		outcome = attempt(w, s, rq, caches, leaf);
		caches = WALK_NO_CACHES;
	} while (outcome == WALK_AGAIN);
	if (outcome == WALK_FAULTED)
		return false;
	learn_leaf(w, s, rq, leaf);
	return true;
}

/* ---- both stages --------------------------------------------------------------------------- */

PER_STAGE bool translate_any(struct walk *w, const struct regime_stage *st, const int number,
			     const struct walk_request *rq, struct walk_leaf *leaf)
{
	const struct walk_stage stage = walk_stage_of(st, number);
	struct walk_leaf found;

	if (!translate(w, &stage, rq, &found))
		return false;
	*leaf = found;
	return true;
}

STAGE bool s1_any(struct walk *w, const struct regime_stage *st, struct walk_request rq,
		  struct walk_leaf *leaf)
{
	return translate_any(w, st, 1, &rq, leaf);
}

STAGE bool s2_any(struct walk *w, const struct regime_stage *st, struct walk_request rq,
		  struct walk_leaf *leaf)
{
	return translate_any(w, st, 2, &rq, leaf);
}

/* Translate by a stage whose set-up is in order: `usual` is the stage if st->usual. */
PER_STAGE bool translate_by_form(struct walk *w, const struct walk_stage *usual,
				 const struct walk_request *rq, struct walk_leaf *leaf)
{
	struct walk_leaf found;

	if (usual->st->usual)
		return translate(w, usual, rq, leaf);
	if (!(usual->number == 1 ? s1_any : s2_any)(w, usual->st, *rq, &found))
		return false;
	*leaf = found;
	return true;
}

PER_STAGE bool translate_s2(struct walk *w, const struct walk_request *rq, struct walk_leaf *leaf)
{
	const struct regime_stage *st = &w->regime->s2;
	const struct walk_stage stage = walk_stage_usual(st, 2);

	/* An illegal set-up comes before IPAIsOutOfRange; a bad base after it. */
	if (rq->ia >> st->ia_bits)
		return fail(w, &stage, rq, FAULT_TRANSLATION, 0);
	if (st->setup_fault != FAULT_NONE)
		return fail(w, &stage, rq, st->setup_fault, 0);
	return translate_by_form(w, &stage, rq, leaf);
}

/* Stage 2 of the IPA of a stage-1 descriptor at `level`. */
STAGE bool s2_locate(struct walk *w, const struct regime_stage *s1, uint64_t ipa, int level,
		     enum walk_purpose purpose, struct walk_leaf *leaf)
{
	const struct walk_request rq = {
		.ia = ipa,
		.purpose = purpose,
		.s1_attr = s1->walk_attr,
		.s1_sh = s1->sh,
	};
	struct walk_leaf found;

	w->for_level = (int8_t)level;
	if (!translate_s2(w, &rq, &found))
		return false;
	w->for_level = WALK_FOR_FINAL;
	*leaf = found;
	return true;
}

/* Stage 2 of what stage 1 left in *out. */
STAGE bool s2_access(struct walk *w, struct translation *out)
{
	const struct regime_stage *st = &w->regime->s2;
	const struct walk_request rq = {
		.ia = out->ipa.v,
		.purpose = WALK_FOR_ACCESS,
		.s1_attr = out->attr,
		.s1_sh = out->sh,
	};
	struct walk_leaf leaf;

	if (!translate_s2(w, &rq, &leaf))
		return false;
	out->pa = pa_of(leaf.address);
	out->s2_bits = leaf.size_bits;
	out->s2_span_bits = walk_usable_span(st, &leaf, rq.ia);
	out->perms &= leaf.perms;
	out->attr = leaf.attr;
	out->sh = leaf.sh;
	out->dirty_clear |= walk_dirty_clear(st, 2, leaf.desc);
	return true;
}

/* Stage 1 off: the VA is the IPA (AArch64_S1DisabledOutput). */
STAGE bool s1_flat(struct walk *w, uint64_t va, struct translation *out)
{
	const struct walk_request rq = { .ia = va, .purpose = WALK_FOR_ACCESS };
	const struct walk_stage stage = { .number = 1 };
	struct walk_leaf leaf;

	walk_flat_attributes(w, &leaf);
	out->ipa = ipa_of(va);
	out->pa = pa_of(va);
	out->perms = WALK_PERM_ALL;
	out->attr = leaf.attr;
	out->sh = leaf.sh;
	if (va >> w->regime->pa_bits)
		return fail(w, &stage, &rq, FAULT_ADDRESS_SIZE, 0);
	if (attr_is_device(leaf.attr) && walk_unaligned(w->access))
		return fail(w, &stage, &rq, FAULT_ALIGNMENT, 0);
	return true;
}

/* Is it for the set-up alone to refuse the access, before any read? */
RARE enum fault_type s1_refusal(const struct walk *w, const struct regime_stage *st,
				bool out_of_range)
{
	if (st->setup_fault == FAULT_TRANSLATION)
		return FAULT_TRANSLATION;
	if (out_of_range || st->epd || (st->e0pd && w->access->el == 0))
		return FAULT_TRANSLATION;
	return st->setup_fault;
}

PER_STAGE bool translate_s1(struct walk *w, const struct regime_stage *st,
			    const struct walk_request *rq, struct walk_leaf *leaf)
{
	const bool out_of_range = (regime_half(w->access->va) ? ~rq->ia : rq->ia) >> st->ia_bits;
	const struct walk_stage stage = walk_stage_usual(st, 1);

	if (out_of_range || st->closed) {
		const enum fault_type refusal = s1_refusal(w, st, out_of_range);

		if (refusal != FAULT_NONE)
			return fail(w, &stage, rq, refusal, 0);
	}
	return translate_by_form(w, &stage, rq, leaf);
}

/* Stage 1 of the access. What it gives goes to *out. */
STAGE bool s1_access(struct walk *w, const struct regime_stage *st, uint64_t va,
		     struct translation *out)
{
	const struct walk_request rq = { .ia = va, .purpose = WALK_FOR_ACCESS };
	struct walk_leaf leaf;

	if (!translate_s1(w, st, &rq, &leaf))
		return false;
	out->ipa = ipa_of(leaf.address);
	out->pa = pa_of(leaf.address);
	out->perms = leaf.perms;
	out->attr = leaf.attr;
	out->sh = leaf.sh;
	out->s1_bits = leaf.size_bits;
	out->s1_span_bits = walk_usable_span(st, &leaf, va);
	out->global = !(leaf.desc & S1_NG);
	out->dirty_clear = walk_dirty_clear(st, 1, leaf.desc);
	return true;
}

/* The log if reads can go into it without further ado. */
static inline struct walk_log *plain_log(const struct phys_mem *mem, const struct walk_hooks *hooks)
{
	if (!hooks->hints || mem->abort_ranges)
		return NULL;
	walk_hints_renew(hooks->hints, mem);
	return hooks->log;
}

/* From registers on, but for what the stage-1 walk cache was asked already. */
static inline bool walk_stages(struct walk *w, uint64_t va, struct translation *out)
{
	const struct regime_stage *s1 = &w->regime->s1[regime_half(w->access->va)];

	*out = (struct translation){ .global = true };
	if (!(w->regime->s1_on ? s1_access(w, s1, va, out) : s1_flat(w, va, out)))
		return false;
	if (w->regime->s2_on && !w->access->stage1_only && !s2_access(w, out))
		return false;
	out->sh = attr_effective_sh(out->attr, out->sh);
	return true;
}

/* What the short way has found out. */
struct walk_start {
	struct walk_log *log; /* as in struct walk */
	bool asked, hit;
	struct walk_point known; /* hit */
	struct walk_tried tried; /* hit */
};

STAGE void walk_long(const struct regime *regime, struct phys_mem *mem, const struct access *access,
		     const struct walk_hooks *hooks, const struct walk_start *start,
		     struct translation *out)
{
	const uint64_t va = regime_untag(regime, access->va, access->kind);
	struct walk w = { .regime = regime,
			  .mem = mem,
			  .access = access,
			  .hooks = hooks,
			  .log = start->log,
			  .hints = hooks->hints,
			  .out = out,
			  .needed = walk_needed(access),
			  .for_level = WALK_FOR_FINAL,
			  .asked = start->asked,
			  .hit = start->hit };

	if (start->hit)
		w.known = start->known;
	if (walk_stages(&w, va, out) && start->hit && start->tried.s1_rest)
		walk_usual_learn(&w, &start->tried);
}

void mmu_walk(const struct regime *regime, struct phys_mem *mem, const struct access *access,
	      const struct walk_hooks *hooks, struct translation *out)
{
	const uint64_t va = regime_untag(regime, access->va, access->kind);
	struct walk_start start;

	if (!hooks)
		hooks = &no_hooks;
	start.log = plain_log(mem, hooks);
	start.asked = start.log && walk_is_usual(regime, hooks, access, va);
	start.hit = start.asked && hooks->probe(hooks->ctx, 1, va, &start.known);
	start.tried.s1_rest = 0;
	if (start.hit &&
	    walk_usual(regime, mem, access, hooks, va, &start.known, out, &start.tried))
		return;
	walk_long(regime, mem, access, hooks, &start, out);
}
