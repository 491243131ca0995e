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

#define S1_HIERARCHY_SHIFT 59 /* walk_point.hierarchy holds descriptor bits [62:59] */
#define HIERARCHY(bit)	   ((uint8_t)((bit) >> S1_HIERARCHY_SHIFT))

#define WALK_PERM_ALL (PERM_R1 | PERM_W1 | PERM_X1 | PERM_R0 | PERM_W0 | PERM_X0)

/* What the walk caches may give: anything, or (when a leaf must be read again) nothing. */
enum walk_caches { WALK_CACHES, WALK_NO_CACHES };

/* What one stage is asked. */
struct walk_request {
	uint64_t ia;
	enum walk_purpose purpose;
	uint8_t s1_attr, s1_sh; /* stage 2: attributes that stage 1 gave */
};

/* One descriptor in memory. */
struct walk_entry {
	uint64_t address; /* stage 1: IPA */
	pa_t pa;
	uint64_t desc;
	int8_t level;
	uint8_t attr;	 /* of the read */
	uint8_t s2_bits; /* log2 of the stage-2 leaf that maps it; 0: none */
};

/* What one stage answers. */
struct walk_leaf {
	uint64_t desc;
	uint64_t address; /* output address of the whole request */
	int8_t level;
	uint8_t size_bits, span_bits; /* span 0: no contiguous hint */
	uint8_t hierarchy;
	uint8_t perms, attr, sh;
	bool cached; /* from a walk cache: no entry of a table was read */
};

struct walk {
	const struct regime *regime;
	struct phys_mem *mem;
	const struct access *access;
	const struct walk_hooks *hooks;
	struct translation *out;
	int8_t for_level;
};

static inline bool walk_unaligned(const struct access *access)
{
	return access->kind != ACCESS_FETCH && (access->va.v & low_mask(access->size_log2));
}

/* The one permission that the access needs. */
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
	bool writes = rq->purpose == WALK_FOR_TABLE_UPDATE ||
		      (rq->purpose == WALK_FOR_ACCESS && w->access->kind == ACCESS_STORE &&
		       !w->access->at);

	if (st->hw_af)
		desc |= DESC_AF;
	if (writes && walk_dbm(st, desc))
		desc = stage == 1 ? desc & ~S1_AP_RO : desc | S2_AP_W;
	return desc;
}

/* Stage-1 permissions but for PAN (AArch64_S1DirectBasePermissions). */
static inline uint8_t walk_s1_perms(const struct regime *regime, const struct regime_stage *st,
				    const struct walk_leaf *leaf)
{
	uint8_t tables = leaf->hierarchy;
	bool writable = (!(leaf->desc & S1_AP_RO) || walk_dbm(st, leaf->desc)) &&
			!(tables & HIERARCHY(S1_TABLE_RO));
	bool el0 = (leaf->desc & S1_AP_EL0) && !(tables & HIERARCHY(S1_TABLE_NO_EL0));
	uint8_t perms = PERM_R1;

	if (writable)
		perms |= PERM_W1;
	if (el0)
		perms |= writable ? PERM_R0 | PERM_W0 : PERM_R0;
	/* What EL0 can write, EL1 cannot execute. */
	if (!(leaf->desc & S1_PXN) && !(tables & HIERARCHY(S1_TABLE_PXN)) && !(perms & PERM_W0))
		perms |= PERM_X1;
	if (!(leaf->desc & S1_UXN) && !(tables & HIERARCHY(S1_TABLE_UXN)))
		perms |= PERM_X0;
	if (regime->wxn && (perms & PERM_W1))
		perms &= (uint8_t)~PERM_X1;
	if (regime->wxn && (perms & PERM_W0))
		perms &= (uint8_t)~PERM_X0;
	return perms;
}

/*
 * PAN: privileged data accesses may not touch what EL0 may read or write, nor with EPAN what it
 * may execute. AT S1E1R and its like do not look at PSTATE.PAN.
 */
static inline bool walk_pan_faults(const struct walk *w, const struct walk_leaf *leaf)
{
	const struct access *access = w->access;
	bool executable = !(leaf->desc & S1_UXN) && !(leaf->hierarchy & HIERARCHY(S1_TABLE_UXN));

	if (!w->regime->pan || access->kind == ACCESS_FETCH || access->el == 0 || access->at)
		return false;
	return (leaf->perms & (PERM_R0 | PERM_W0)) || (w->regime->epan && executable);
}

/* Attributes of stage 1 as they go to stage 2 (the end of AArch64_S1Translate). */
static inline uint8_t walk_s1_output_attr(const struct walk *w, uint8_t attr)
{
	if (w->access->kind == ACCESS_FETCH)
		return attr_is_device(attr) || !w->regime->s1_icache ? ATTR_NORMAL_NC : attr;
	return attr_is_device(attr) || w->regime->s1_dcache ? attr : ATTR_NORMAL_NC;
}

/* Alignment and permission of a stage-1 leaf; sets perms, attr, sh. */
static inline enum fault_type walk_s1_check(const struct walk *w, const struct regime_stage *st,
					    struct walk_leaf *leaf)
{
	const struct regime *regime = w->regime;
	uint8_t attr = attr_from_mair(regime->mair, (unsigned)bits(leaf->desc, 4, 2));
	bool fetch = w->access->kind == ACCESS_FETCH;

	leaf->perms = walk_s1_perms(regime, st, leaf);
	leaf->sh = st->sh_from_regs ? st->sh : (uint8_t)bits(leaf->desc, 9, 8);
	leaf->attr = walk_s1_output_attr(w, attr);
	if (attr_is_device(attr) && walk_unaligned(w->access))
		return FAULT_ALIGNMENT;
	if (fetch && attr_is_device(attr) && regime->fetch_device_faults)
		return FAULT_PERMISSION;
	if (!(leaf->perms & walk_needed(w->access)) || walk_pan_faults(w, leaf))
		return FAULT_PERMISSION;
	return FAULT_NONE;
}

/* Stage-2 permissions (AArch64_S2DirectBasePermissions); execution does not need read. */
static inline uint8_t walk_s2_perms(const struct regime_stage *st, uint64_t desc)
{
	static const uint8_t execute[] = { PERM_X1 | PERM_X0, PERM_X0, 0, PERM_X1 };
	unsigned xn = (unsigned)(desc >> S2_XN_SHIFT & 3);
	uint8_t perms = execute[st->xnx ? xn : xn & 2];

	if (desc & S2_AP_R)
		perms |= PERM_R1 | PERM_R0;
	if ((desc & S2_AP_W) || walk_dbm(st, desc))
		perms |= PERM_W1 | PERM_W0;
	return perms;
}

/* Attributes of both stages (the end of AArch64_S2Translate). Returns those of stage 2 alone. */
static inline uint8_t walk_s2_attributes(const struct walk *w, const struct regime_stage *st,
					 const struct walk_request *rq, struct walk_leaf *leaf)
{
	unsigned memattr = (unsigned)bits(leaf->desc, 5, 2);
	bool fetch = rq->purpose == WALK_FOR_ACCESS && w->access->kind == ACCESS_FETCH;
	uint8_t sh = st->sh_from_regs ? st->sh : (uint8_t)bits(leaf->desc, 9, 8);
	uint8_t own = st->fwb ? attr_apply_fwb(rq->s1_attr, memattr) : attr_from_s2(memattr);
	uint8_t used = own;

	if (attr_is_device(own)) {
		/* Fetches and walks through Device memory are Non-cacheable, not Device. */
		if (fetch || rq->purpose != WALK_FOR_ACCESS)
			used = ATTR_NORMAL_NC;
	} else if (fetch ? st->disable_fetch_cache : st->disable_cache) {
		used = ATTR_NORMAL_NC;
	}
	leaf->sh = attr_combine_sh(rq->s1_sh, sh);
	leaf->attr = st->fwb ? used : attr_combine(rq->s1_attr, used);
	return own;
}

/* Alignment and permission of a stage-2 leaf; sets perms, attr, sh. */
static inline enum fault_type walk_s2_check(const struct walk *w, const struct regime_stage *st,
					    const struct walk_request *rq, struct walk_leaf *leaf)
{
	uint8_t needed = walk_needed(w->access);
	bool device = attr_is_device(walk_s2_attributes(w, st, rq, leaf));

	leaf->perms = walk_s2_perms(st, leaf->desc);
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
