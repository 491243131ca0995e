/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One loop walks both stages. Stage 1 differs in that each of its descriptors is located through
 * stage 2; everything else that differs is in struct regime_stage and in the functions that turn a
 * leaf into permissions and attributes (walk_leaf.c).
 */
#include "mmu/walk.h"

#include "mmu/walk_hints.h"
#include "mmu/walk_leaf.h"

/* Compiled once for each stage, so that `stage` costs nothing at run time. */
#define PER_STAGE static inline __attribute__((always_inline))

static const struct walk_hooks no_hooks;

static bool s2_translate(struct walk *w, const struct walk_request *rq, struct walk_leaf *leaf);

/* Record a fault; returns false, for callers to return in turn. */
static bool fail(struct walk *w, int stage, const struct walk_request *rq, enum fault_type type,
		 int level)
{
	w->out->fault.type = type;
	w->out->fault.stage = (int8_t)stage;
	w->out->fault.level = (int8_t)level;
	w->out->fault.s1ptw = stage == 2 && rq->purpose != WALK_FOR_ACCESS;
	w->out->fault.ipa = stage == 2 ? rq->ia : 0;
	return false;
}

/* `final`: of stage 2, for the final IPA. */
static inline void log_read(struct walk_log *log, unsigned row, bool final, pa_t pa, bool cacheable)
{
	if (log->reads == WALK_READS_MOST)
		return;
	log->query[log->reads++] = (struct latency_query){ pa, cacheable, (uint8_t)row, final };
}

/* Almost all tables are write-back with both hints; the rest is for the function to say. */
static inline bool is_cacheable(uint8_t attr)
{
	return attr == ATTR_NORMAL_WB || attr_is_write_back(attr);
}

static inline void report_read(const struct walk *w, int stage, const struct walk_request *rq,
			       const struct walk_entry *entry, bool update)
{
	const bool cacheable = is_cacheable(entry->attr);

	if (w->hooks->log) {
		log_read(w->hooks->log, walk_row(stage, entry->level),
			 stage == 2 && w->for_level == WALK_FOR_FINAL, entry->pa, cacheable);
		return;
	}
	if (!w->hooks->read)
		return;
	struct walk_read read = { .pa = entry->pa,
				  .desc = entry->desc,
				  .ia = rq->ia,
				  .stage = (int8_t)stage,
				  .level = entry->level,
				  .for_level = w->for_level,
				  .cacheable = cacheable,
				  .update = update };

	w->hooks->read(w->hooks->ctx, &read);
}

/* The word at pa, among those of its page (NULL: never written). */
static inline uint64_t word_of(const struct regime_stage *st, const uint64_t *words, pa_t pa)
{
	uint64_t desc = words ? words[pa.v >> 3 & 511] : 0;

	return st->big_endian ? __builtin_bswap64(desc) : desc;
}

static inline uint64_t load(const struct walk *w, const struct regime_stage *st, pa_t pa)
{
	return word_of(st, phys_words(w->mem, pa), pa);
}

/*
 * Physical address and attributes of the entry at entry->address. A point of a stage-1 walk cache
 * serves only if one stage-2 leaf maps the whole table.
 */
PER_STAGE bool locate(struct walk *w, const struct regime_stage *st, const int stage,
		      const struct walk_point *at, bool resumed, struct walk_entry *entry)
{
	struct walk_request rq;
	struct walk_leaf leaf;

	entry->s2_bits = 0;
	if (stage == 2 || !w->regime->s2_on) {
		entry->pa = pa_of(entry->address);
		entry->attr = st->walk_attr;
		return true;
	}
	if (resumed && at->table_s2_bits >= st->granule_bits) {
		entry->pa = pa_of(at->table_pa.v | (entry->address & low_mask(st->granule_bits)));
		entry->attr = at->table_attr;
		return true;
	}
	rq = (struct walk_request){ .ia = entry->address,
				    .purpose = WALK_FOR_TABLE_READ,
				    .s1_attr = st->walk_attr,
				    .s1_sh = st->sh };
	w->for_level = at->level;
	if (!s2_translate(w, &rq, &leaf))
		return false;
	w->for_level = WALK_FOR_FINAL;
	entry->pa = pa_of(leaf.address);
	entry->attr = leaf.attr;
	entry->s2_bits = leaf.size_bits;
	return true;
}

PER_STAGE bool fetch(struct walk *w, const struct regime_stage *st, const int stage,
		     const struct walk_request *rq, struct walk_entry *entry)
{
	const uint64_t *words;

	if (w->mem->abort_ranges && phys_aborts(w->mem, entry->pa))
		return fail(w, stage, rq, FAULT_EXTERNAL_WALK, entry->level);
	words = phys_words(w->mem, entry->pa);
	entry->desc = word_of(st, words, entry->pa);
	/* Tables of the last level are many; the others stay in the host's caches anyway. */
	if (w->hooks->hints && entry->level == 3 && w->for_level == WALK_FOR_FINAL)
		*walk_hint(w->hooks->hints, stage, rq->ia, st->granule_bits) = words;
	report_read(w, stage, rq, entry, false);
	return true;
}

/* Tell the walk caches about the table that holds `entry`. */
static void learn_table(const struct walk *w, const struct regime_stage *st, int stage, uint64_t ia,
			const struct walk_point *at, const struct walk_entry *entry)
{
	struct walk_point point = *at;

	point.leaf = false;
	point.table_pa = pa_of(entry->pa.v & ~low_mask(st->granule_bits));
	point.table_s2_bits = entry->s2_bits;
	point.table_attr = entry->attr;
	w->hooks->learn(w->hooks->ctx, stage, ia, &point);
}

/*
 * Bits of IA below those that the table at `level` resolves. Concatenated start tables resolve
 * more bits than one table.
 */
static inline unsigned entry_shift(const struct regime_stage *st, int level)
{
	return st->granule_bits + (unsigned)(3 - level) * st->stride_bits;
}

static inline uint64_t index_mask(const struct regime_stage *st, int level)
{
	return level == st->start_level ? ~UINT64_C(0) : st->index_mask;
}

/* Do walk caches take part in the translation? */
static inline bool is_served(const struct walk *w, int stage, const struct walk_request *rq)
{
	return stage == 1 || !(w->hooks->unserved >> rq->purpose & 1);
}

/*
 * Descend to the leaf descriptor of rq->ia, and to its `entry` unless a walk cache gave it.
 * Invariant: `at` names the table to read next, reached through descriptors that were all valid and
 * within the output address size.
 */
PER_STAGE bool descend(struct walk *w, const struct regime_stage *st, const int stage,
		       const struct walk_request *rq, enum walk_caches caches,
		       struct walk_leaf *leaf, struct walk_entry *entry)
{
	uint64_t ia = rq->ia & st->ia_mask;
	struct walk_point at = { .level = st->start_level, .table = st->base };
	unsigned shift;
	uint64_t mask;
	const bool served = is_served(w, stage, rq);
	bool resumed = caches == WALK_CACHES && w->hooks->probe && served &&
		       w->hooks->probe(w->hooks->ctx, stage, rq->ia, &at);
	bool learn = false;

	leaf->cached = resumed && at.leaf;
	shift = entry_shift(st, at.level);
	leaf->size_bits = (uint8_t)shift;
	leaf->level = at.level;
	leaf->hierarchy = at.hierarchy;
	if (leaf->cached) {
		leaf->desc = at.desc;
		return true;
	}
	mask = index_mask(st, at.level);
	for (;;) {
		entry->level = at.level;
		entry->address = at.table | (ia >> shift & mask) << 3;
		if (!locate(w, st, stage, &at, resumed, entry))
			return false;
		if (learn)
			learn_table(w, st, stage, rq->ia, &at, entry);
		if (!fetch(w, st, stage, rq, entry))
			return false;
		if (desc_kind(&st->format, entry->desc, at.level) != DESC_KIND_TABLE)
			break;
		at.table = desc_address(&st->format, entry->desc);
		if (at.table >> st->oa_bits)
			return fail(w, stage, rq, FAULT_ADDRESS_SIZE, at.level);
		if (stage == 1 && !st->hpd)
			at.hierarchy |= (uint8_t)(entry->desc >> S1_HIERARCHY_SHIFT & 15);
		at.level++;
		shift -= st->stride_bits;
		mask = st->index_mask;
		resumed = false;
		learn = w->hooks->learn && served &&
			!(w->hooks->unwanted[stage - 1].tables >> (at.level + 1) & 1);
	}
	leaf->desc = entry->desc;
	leaf->level = at.level;
	leaf->size_bits = (uint8_t)shift;
	leaf->hierarchy = at.hierarchy;
	if (desc_kind(&st->format, entry->desc, at.level) == DESC_KIND_INVALID)
		return fail(w, stage, rq, FAULT_TRANSLATION, at.level);
	return true;
}

/* Is the leaf itself in order? Sets its output address. */
PER_STAGE bool accept_leaf(struct walk *w, const struct regime_stage *st, const int stage,
			   const struct walk_request *rq, struct walk_leaf *leaf)
{
	enum fault_type fault = FAULT_NONE;
	const uint64_t offset_mask = low_mask(leaf->size_bits);
	const uint64_t base = desc_address(&st->format, leaf->desc) & ~offset_mask;

	leaf->address = base | (rq->ia & offset_mask);
	leaf->span_bits = 0;
	if (leaf->desc & DESC_CONTIGUOUS)
		leaf->span_bits = (uint8_t)desc_contiguous_bits(st->format.granule, leaf->level);

	if (leaf->span_bits > st->ia_bits && st->contiguous_fault)
		fault = FAULT_TRANSLATION;
	else if (leaf->level < 3 && (leaf->desc & DESC_NT) && st->nt_fault)
		fault = FAULT_TRANSLATION;
	else if (base >> st->oa_bits) /* of the leaf: it faults as a whole or not at all */
		fault = FAULT_ADDRESS_SIZE;
	else if (!(leaf->desc & DESC_AF) && (!st->hw_af || w->access->speculative))
		fault = FAULT_ACCESS_FLAG;
	if (fault != FAULT_NONE)
		return fail(w, stage, rq, fault, leaf->level);
	return true;
}

/*
 * Write `desc` over the leaf descriptor, as one atomic compare and swap. For stage 1 that is a
 * second stage-2 translation of its IPA, which needs write permission there. The swap can be lost:
 * when tables of both stages share memory, that stage-2 translation may have changed the word.
 */
PER_STAGE bool write_back(struct walk *w, const struct regime_stage *st, const int stage,
			  const struct walk_request *rq, struct walk_leaf *leaf,
			  struct walk_entry *entry, uint64_t desc, bool *lost)
{
	struct walk_request update = { .ia = entry->address,
				       .purpose = WALK_FOR_TABLE_UPDATE,
				       .s1_attr = st->walk_attr,
				       .s1_sh = st->sh };
	struct walk_leaf target;

	if (stage == 1 && w->regime->s2_on) {
		w->for_level = leaf->level;
		if (!s2_translate(w, &update, &target))
			return false;
		w->for_level = WALK_FOR_FINAL;
		entry->pa = pa_of(target.address);
	}
	entry->desc = load(w, st, entry->pa);
	report_read(w, stage, rq, entry, true);
	*lost = entry->desc != leaf->desc;
	if (*lost)
		return true;
	/* The page holds a valid descriptor, so the write needs no memory and cannot fail. */
	phys_write64(w->mem, entry->pa, st->big_endian ? __builtin_bswap64(desc) : desc);
	leaf->desc = desc;
	return true;
}

/*
 * Translate rq->ia by one stage: find the leaf, check it in the architected order, set access flag
 * and dirty state. A lost swap starts again; it ends because each loss follows an update of a
 * stage-2 descriptor, which only ever sets bits.
 */
PER_STAGE bool stage_translate(struct walk *w, const struct regime_stage *st, const int stage,
			       const struct walk_request *rq, struct walk_leaf *leaf)
{
	enum walk_caches caches = WALK_CACHES;

	for (;;) {
		struct walk_entry entry = { 0 };
		enum fault_type fault;
		uint64_t desc;
		bool lost;

		if (!descend(w, st, stage, rq, caches, leaf, &entry))
			return false;
		if (!accept_leaf(w, st, stage, rq, leaf))
			return false;
		fault = stage == 1 ? walk_s1_check(w, st, leaf) : walk_s2_check(w, st, rq, leaf);
		if (fault != FAULT_NONE)
			return fail(w, stage, rq, fault, leaf->level);
		desc = walk_updated(w, st, stage, rq, leaf->desc);
		if (desc == leaf->desc)
			break;
		/* A cached leaf that needs an update is read again. */
		if (!leaf->cached) {
			if (!write_back(w, st, stage, rq, leaf, &entry, desc, &lost))
				return false;
			if (!lost)
				break;
		}
		caches = WALK_NO_CACHES;
	}
	if (w->hooks->learn && !leaf->cached && is_served(w, stage, rq) &&
	    !(w->hooks->unwanted[stage - 1].leaves >> (leaf->level + 1) & 1)) {
		/* All fields, so that the compiler does not clear it first. */
		struct walk_point point = { .level = leaf->level,
					    .leaf = true,
					    .desc = leaf->desc,
					    .table_pa = pa_of(0),
					    .hierarchy = leaf->hierarchy,
					    .table_s2_bits = 0,
					    .table_attr = 0 };

		w->hooks->learn(w->hooks->ctx, stage, rq->ia, &point);
	}
	return true;
}

static bool s2_translate(struct walk *w, const struct walk_request *rq, struct walk_leaf *leaf)
{
	const struct regime_stage *st = &w->regime->s2;
	struct walk_leaf found; /* not `leaf`, so that it stays in registers across the hooks */

	/* An illegal set-up comes before IPAIsOutOfRange; a bad base after it. */
	if (rq->ia >> st->ia_bits)
		return fail(w, 2, rq, FAULT_TRANSLATION, 0);
	if (st->setup_fault != FAULT_NONE)
		return fail(w, 2, rq, st->setup_fault, 0);
	if (!stage_translate(w, st, 2, rq, &found))
		return false;
	*leaf = found;
	return true;
}

/* Stage 1 off: the VA is the IPA (AArch64_S1DisabledOutput). */
static bool s1_flat(struct walk *w, const struct walk_request *rq, struct walk_leaf *leaf)
{
	*leaf = (struct walk_leaf){ .address = rq->ia, .perms = WALK_PERM_ALL };
	walk_flat_attributes(w, leaf);
	if (rq->ia >> w->regime->pa_bits)
		return fail(w, 1, rq, FAULT_ADDRESS_SIZE, 0);
	if (attr_is_device(leaf->attr) && walk_unaligned(w->access))
		return fail(w, 1, rq, FAULT_ALIGNMENT, 0);
	return true;
}

static bool s1_translate(struct walk *w, const struct walk_request *rq, struct walk_leaf *leaf)
{
	unsigned half = regime_half(w->access->va);
	const struct regime_stage *st = &w->regime->s1[half];
	uint64_t above;

	if (st->setup_fault == FAULT_TRANSLATION)
		return fail(w, 1, rq, FAULT_TRANSLATION, 0);
	above = (half ? ~rq->ia : rq->ia) >> st->ia_bits;
	if (above || st->epd || (st->e0pd && w->access->el == 0))
		return fail(w, 1, rq, FAULT_TRANSLATION, 0);
	if (st->setup_fault != FAULT_NONE)
		return fail(w, 1, rq, st->setup_fault, 0);
	return stage_translate(w, st, 1, rq, leaf);
}

/*
 * The contiguous hint may be used if the whole span lies in the input range and the descriptor's
 * own address agrees with its place in the span.
 */
static uint8_t usable_span(const struct regime_stage *st, const struct walk_leaf *leaf, uint64_t ia)
{
	if (leaf->span_bits == 0 || leaf->span_bits > st->ia_bits)
		return leaf->size_bits;
	if ((leaf->address ^ ia) & low_mask(leaf->span_bits))
		return leaf->size_bits;
	return leaf->span_bits;
}

void mmu_walk(const struct regime *regime, struct phys_mem *mem, const struct access *access,
	      const struct walk_hooks *hooks, struct translation *out)
{
	struct walk w = { .regime = regime,
			  .mem = mem,
			  .access = access,
			  .hooks = hooks ? hooks : &no_hooks,
			  .out = out,
			  .for_level = WALK_FOR_FINAL };
	struct walk_request rq = { .purpose = WALK_FOR_ACCESS };
	const struct regime_stage *s1 = &regime->s1[regime_half(access->va)];
	struct walk_leaf leaf, final;

	*out = (struct translation){ .global = true };
	rq.ia = regime_untag(regime, access->va, access->kind);
	if (!(regime->s1_on ? s1_translate(&w, &rq, &leaf) : s1_flat(&w, &rq, &leaf)))
		return;
	out->ipa = ipa_of(leaf.address);
	out->pa = pa_of(leaf.address);
	out->perms = leaf.perms;
	out->attr = leaf.attr;
	out->sh = leaf.sh;
	if (regime->s1_on) {
		out->s1_bits = leaf.size_bits;
		out->s1_span_bits = usable_span(s1, &leaf, rq.ia);
		out->global = !(leaf.desc & S1_NG);
		out->dirty_clear = walk_dirty_clear(s1, 1, leaf.desc);
	}
	if (regime->s2_on && !access->stage1_only) {
		rq = (struct walk_request){ .ia = leaf.address,
					    .purpose = WALK_FOR_ACCESS,
					    .s1_attr = leaf.attr,
					    .s1_sh = leaf.sh };
		if (!s2_translate(&w, &rq, &final))
			return;
		out->pa = pa_of(final.address);
		out->s2_bits = final.size_bits;
		out->s2_span_bits = usable_span(&regime->s2, &final, rq.ia);
		out->perms &= final.perms;
		out->attr = final.attr;
		out->sh = final.sh;
		out->dirty_clear = out->dirty_clear || walk_dirty_clear(&regime->s2, 2, final.desc);
	}
	out->sh = attr_effective_sh(out->attr, out->sh);
}
