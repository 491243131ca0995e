/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private to the walker: what it carries along, and what a leaf of either stage means. Inline,
 * since each is called once per walk and stage on the hot path of a replay.
 */
#ifndef TWOSTAGE_MMU_WALK_LEAF_H
#define TWOSTAGE_MMU_WALK_LEAF_H

#include "arch/attr.h"
#include "arch/desc.h"
#include "mmu/regime.h"
#include "mmu/walk.h"

/* Compiled once for each stage and purpose, so that these cost nothing at run time. */
#define PER_STAGE static inline __attribute__((always_inline))
/* One of these, with all registers to itself. */
#define STAGE static __attribute__((noinline))
#define RARE  static __attribute__((cold, noinline))

#define S1_HIERARCHY_SHIFT 59 /* walk_point.hierarchy holds descriptor bits [62:59] */

#define WALK_PERM_ALL (PERM_R1 | PERM_W1 | PERM_X1 | PERM_R0 | PERM_W0 | PERM_X0)

/* What the walk caches may give: anything, or (when a leaf must be read again) nothing. */
enum walk_caches { WALK_CACHES, WALK_NO_CACHES };

/* What an attempt at a translation came to. */
enum walk_outcome {
	WALK_DONE,
	WALK_FAULTED,
	WALK_AGAIN, /* the leaf was not what memory holds */
};

/* What walk caches learn. */
enum walk_wanted { WALK_TABLES, WALK_LEAVES };

/* A stage, with what the walk of a table wants to know of its descriptors most often. */
struct walk_stage {
	const struct regime_stage *st;
	int number; /* 1 or 2 */
	unsigned granule_bits, stride_bits;
	uint64_t index_mask;
	struct desc_format format;
	bool big_endian, sh_from_regs;
};

static inline struct walk_stage walk_stage_of(const struct regime_stage *st, int number)
{
	return (struct walk_stage){ .st = st,
				    .number = number,
				    .granule_bits = st->granule_bits,
				    .stride_bits = st->stride_bits,
				    .index_mask = st->index_mask,
				    .format = st->format,
				    .big_endian = st->big_endian,
				    .sh_from_regs = st->sh_from_regs };
}

/* The same where st->usual is set, so that all of that is constant. */
static inline struct walk_stage walk_stage_usual(const struct regime_stage *st, int number)
{
	return (struct walk_stage){ .st = st,
				    .number = number,
				    .granule_bits = GRANULE_4K,
				    .stride_bits = granule_stride(GRANULE_4K),
				    .index_mask = low_mask(granule_stride(GRANULE_4K)),
				    .format = desc_format_of(GRANULE_4K, false, 48) };
}

/* What one stage is asked. */
struct walk_request {
	uint64_t ia;
	enum walk_purpose purpose;
	uint8_t s1_attr, s1_sh; /* stage 2: attributes that stage 1 gave */
};

/* One descriptor in memory. */
struct walk_entry {
	uint64_t table;	  /* as the descriptor above has it */
	uint64_t address; /* in the table; stage 1: IPA */
	pa_t pa;
	uint64_t desc;
	int level;
	uint8_t attr; /* of the read */
	bool cacheable;
	uint8_t s2_bits; /* log2 of the stage-2 leaf that maps it; 0: none */
};

/* What one stage answers. */
struct walk_leaf {
	uint64_t desc;
	uint64_t address; /* output address of the whole request */
	int level;
	uint8_t size_bits, span_bits; /* span 0: no contiguous hint */
	uint8_t hierarchy;
	uint8_t perms, attr, sh;
	bool cached; /* from a walk cache: no entry of a table was read */
};

/* Leaves that walk_usual() has met, as in struct regime_seen. */
struct walk_tried {
	uint64_t s1_rest, s2_rest, table_rest;
};

struct walk {
	const struct regime *regime;
	struct phys_mem *mem;
	const struct access *access;
	const struct walk_hooks *hooks;
	/* Of the hooks, if all that a read takes is an entry in the log; else NULL. */
	struct walk_log *log;
	struct walk_hints *hints; /* with the log */
	struct translation *out;
	uint8_t needed; /* the one permission that the access needs */
	int8_t for_level;
	uint8_t table_attr; /* of reads of the stage-1 table that was located last */
	bool asked;	    /* the stage-1 walk cache, which told `known` or (not `hit`) nothing */
	bool hit;
	struct walk_point known;
};

/* Almost all tables are write-back with both hints; the rest is for the function to say. */
static inline bool walk_is_cacheable(uint8_t attr)
{
	return attr == ATTR_NORMAL_WB || attr_is_write_back(attr);
}

/* The bits of an address within 2^n bytes, n < 64. */
static inline uint64_t walk_offset_mask(unsigned n)
{
	return ~(~UINT64_C(0) << n);
}

/*
 * The contiguous hint may be used if the whole span lies in the input range and the descriptor's
 * own address agrees with its place in the span.
 */
static inline uint8_t walk_usable_span(const struct regime_stage *st, const struct walk_leaf *leaf,
				       uint64_t ia)
{
	if (leaf->span_bits == 0 || leaf->span_bits > st->ia_bits)
		return leaf->size_bits;
	if ((leaf->address ^ ia) & walk_offset_mask(leaf->span_bits))
		return leaf->size_bits;
	return leaf->span_bits;
}

static inline bool walk_unaligned(const struct access *access)
{
	return access->kind != ACCESS_FETCH && (access->va.v & low_mask(access->size_log2));
}

static inline uint8_t walk_needed(const struct access *access)
{
	static const uint8_t needed[] = {
		[ACCESS_FETCH] = PERM_X1, [ACCESS_LOAD] = PERM_R1, [ACCESS_STORE] = PERM_W1
	};
	uint8_t perm = needed[access->kind];

	return (uint8_t)(access->el == 0 ? perm << 3 : perm);
}

/* With HA and HD, DBM = 1 makes a leaf writable; AP and S2AP then say whether it is dirty. */
static inline bool walk_dbm(const struct regime_stage *st, uint64_t desc)
{
	return st->hw_dirty && (desc & DESC_DBM);
}

static inline bool walk_dirty_clear(const struct regime_stage *st, int stage, uint64_t desc)
{
	if (!walk_dbm(st, desc))
		return false;
	return stage == 1 ? (desc & S1_AP_RO) != 0 : !(desc & S2_AP_W);
}

/*
 * The descriptor as hardware leaves it after an access without fault: access flag and dirty state.
 * AT instructions never set dirty state; the table update that they may cause does at stage 2.
 */
static inline uint64_t walk_updated(const struct walk *w, const struct regime_stage *st, int stage,
				    const struct walk_request *rq, uint64_t desc)
{
	bool writes;

	/* The common case. */
	if ((desc & DESC_AF) && !st->hw_dirty)
		return desc;
	writes = rq->purpose == WALK_FOR_TABLE_UPDATE ||
		 (rq->purpose == WALK_FOR_ACCESS && w->access->kind == ACCESS_STORE &&
		  !w->access->at);

	if (st->hw_af)
		desc |= DESC_AF;
	if (writes && walk_dbm(st, desc))
		desc = stage == 1 ? desc & ~S1_AP_RO : desc | S2_AP_W;
	return desc;
}

/*
 * A stage-1 leaf as it would grant without the tables above it what it grants below them, and once
 * hardware has set the dirty state that it manages.
 */
static inline uint64_t walk_s1_granted(const struct regime_stage *st, const struct walk_leaf *leaf)
{
	uint64_t desc = leaf->desc, tables;

	if (walk_dbm(st, desc))
		desc &= ~S1_AP_RO;
	if (!leaf->hierarchy)
		return desc;
	tables = (uint64_t)leaf->hierarchy << S1_HIERARCHY_SHIFT;
	if (tables & S1_TABLE_RO)
		desc |= S1_AP_RO;
	if (tables & S1_TABLE_NO_EL0)
		desc &= ~S1_AP_EL0;
	if (tables & S1_TABLE_PXN)
		desc |= S1_PXN;
	if (tables & S1_TABLE_UXN)
		desc |= S1_UXN;
	return desc;
}

/*
 * PAN: privileged data accesses may not touch what EL0 may read or write, nor with EPAN what it
 * may execute. AT S1E1R and its like do not look at PSTATE.PAN.
 */
static inline bool walk_pan_faults(const struct walk *w, uint64_t granted, uint8_t perms)
{
	const struct access *access = w->access;

	if (!w->regime->pan || access->kind == ACCESS_FETCH || access->el == 0 || access->at)
		return false;
	return (perms & (PERM_R0 | PERM_W0)) || (w->regime->epan && !(granted & S1_UXN));
}

/* Alignment and permission of a stage-1 leaf; sets perms, attr, sh. */
static inline enum fault_type walk_s1_check(const struct walk *w, const struct walk_stage *s,
					    struct walk_leaf *leaf)
{
	const struct regime *regime = w->regime;
	const struct regime_stage *st = s->st;
	const unsigned index = (unsigned)bits(leaf->desc, 4, 2);
	const uint64_t granted = walk_s1_granted(st, leaf);
	const bool fetch = w->access->kind == ACCESS_FETCH;

	leaf->perms = st->perms[regime_perms_index(granted)];
	leaf->sh = s->sh_from_regs ? st->sh : (uint8_t)bits(leaf->desc, 9, 8);
	leaf->attr = fetch ? regime->s1_fetch_attr[index] : regime->s1_data_attr[index];
	if (attr_is_device(regime->s1_attr[index])) {
		if (walk_unaligned(w->access))
			return FAULT_ALIGNMENT;
		if (fetch && regime->fetch_device_faults)
			return FAULT_PERMISSION;
	}
	if (!(leaf->perms & w->needed) || walk_pan_faults(w, granted, leaf->perms))
		return FAULT_PERMISSION;
	return FAULT_NONE;
}

/* A stage-2 leaf once hardware has set the dirty state that it manages. */
static inline uint64_t walk_s2_granted(const struct regime_stage *st, uint64_t desc)
{
	return walk_dbm(st, desc) ? desc | S2_AP_W : desc;
}

/* What the memory is read for. */
static inline enum regime_use walk_use(const struct walk *w, const struct walk_request *rq)
{
	if (rq->purpose != WALK_FOR_ACCESS)
		return USE_TABLE;
	return w->access->kind == ACCESS_FETCH ? USE_FETCH : USE_DATA;
}

/* HCR_EL2.FWB: attributes of both stages. Not inline, as most cores do without. */
STAGE bool walk_forced_attr(const struct regime_stage *st, uint8_t s1_attr, unsigned memattr,
			    enum regime_use use, uint8_t *attr)
{
	const uint8_t own = attr_apply_fwb(s1_attr, memattr);

	*attr = regime_s2_used(st, own, use);
	return attr_is_device(own);
}

STAGE uint8_t walk_combined_attr(uint8_t s1, uint8_t s2)
{
	return attr_combine(s1, s2);
}

/* Attributes of both stages (the end of AArch64_S2Translate). Is it Device by stage 2 alone? */
static inline bool walk_s2_attributes(const struct walk *w, const struct walk_stage *s,
				      const struct walk_request *rq, struct walk_leaf *leaf)
{
	const struct regime_stage *st = s->st;
	const unsigned memattr = (unsigned)bits(leaf->desc, 5, 2);
	const enum regime_use use = walk_use(w, rq);
	const uint8_t sh = s->sh_from_regs ? st->sh : (uint8_t)bits(leaf->desc, 9, 8);
	uint8_t attr;
	bool device;

	leaf->sh = attr_combine_sh(rq->s1_sh, sh);
	if (st->fwb) {
		device = walk_forced_attr(st, rq->s1_attr, memattr, use, &attr);
		leaf->attr = attr;
		return device;
	}
	leaf->attr = st->s2_attr[use][memattr];
	if (leaf->attr != rq->s1_attr)
		leaf->attr = walk_combined_attr(rq->s1_attr, leaf->attr);
	return memattr < 4;
}

/* Alignment and permission of a stage-2 leaf; sets perms, attr, sh. */
static inline enum fault_type walk_s2_check(const struct walk *w, const struct walk_stage *s,
					    const struct walk_request *rq, struct walk_leaf *leaf)
{
	const struct regime_stage *st = s->st;
	uint8_t needed = w->needed;
	const bool device = walk_s2_attributes(w, s, rq, leaf);

	leaf->perms = st->perms[regime_perms_index(walk_s2_granted(st, leaf->desc))];
	if (rq->purpose != WALK_FOR_ACCESS) {
		needed = rq->purpose == WALK_FOR_TABLE_READ ? PERM_R1 : PERM_R1 | PERM_W1;
		if (device && st->protect_walk)
			return FAULT_PERMISSION;
	} else if (device) {
		if (walk_unaligned(w->access))
			return FAULT_ALIGNMENT;
		if (w->access->kind == ACCESS_FETCH && w->regime->fetch_device_faults)
			return FAULT_PERMISSION;
	}
	return (leaf->perms & needed) == needed ? FAULT_NONE : FAULT_PERMISSION;
}

/* Stage 1 off: Normal write-back with DC, else Device for data and Normal for fetches. */
static inline void walk_flat_attributes(const struct walk *w, struct walk_leaf *leaf)
{
	leaf->sh = SH_OUTER;
	if (w->regime->default_cacheable) {
		leaf->attr = ATTR_NORMAL_WB;
		leaf->sh = SH_NON;
	} else if (w->access->kind == ACCESS_FETCH) {
		leaf->attr = w->regime->s1_icache ? ATTR_NORMAL_WT_RA : ATTR_NORMAL_NC;
	} else {
		leaf->attr = ATTR_DEVICE_NGNRNE;
	}
}

#endif
