/* SPDX-License-Identifier: BSD-2-Clause */
#include "mmu/smmu.h"

#include <stdlib.h>

#include "mmu/walk.h"

struct smmu_stream {
	bool attached;
	uint16_t vmid;
	struct regime regime;
};

/* A walk under way. */
struct smmu_walk {
	struct smmu *smmu;
	uint32_t context; /* of the walk cache */
};

static struct tlb_context context_of(const struct smmu *smmu, uint16_t stream)
{
	return (struct tlb_context){ .vmid = smmu->streams[stream].vmid, .asid = stream };
}

static uint32_t walk_context_of(struct tlb_context context)
{
	return (uint32_t)context.vmid << 16 | context.asid;
}

bool smmu_init(struct smmu *smmu, const struct smmu_shape *shape, struct phys_mem *mem)
{
	*smmu = (struct smmu){ .shape = *shape, .mem = mem };
	smmu->streams = calloc(shape->streams, sizeof(*smmu->streams));
	smmu->latency_state = latency_create(shape->latency, &shape->latency_config);
	if (!smmu->streams || !smmu->latency_state || !tlb_init(&smmu->tlb, &shape->tlb) ||
	    !walk_cache_init(&smmu->walk_cache, shape->walk_cache_entries, shape->walk_cache_ways,
			     shape->walk_cache_hit_cycles, shape->granule)) {
		smmu_fini(smmu);
		return false;
	}
	return true;
}

void smmu_fini(struct smmu *smmu)
{
	tlb_fini(&smmu->tlb);
	walk_cache_fini(&smmu->walk_cache);
	free(smmu->streams);
	free(smmu->latency_state);
	*smmu = (struct smmu){ 0 };
}

enum exit_status smmu_check(unsigned levels, const struct s2_geometry *stage2, struct diag *diag)
{
	if (stage2->levels <= levels)
		return STATUS_OK;
	return diag_set(
		diag, STATUS_BAD_INPUT,
		"smmu.levels: the VM's stage 2 has %u levels (%u-bit IPAs, %uK granule), but "
		"that of the SMMU has no more than %u: the device cannot use the VM's tables",
		stage2->levels, stage2->ipa_bits, 1u << ((unsigned)stage2->granule - 10), levels);
}

static enum exit_status check_regime(const struct smmu *smmu, const struct regime *regime,
				     struct diag *diag)
{
	const struct s2_geometry stage2 = {
		.granule = (enum granule)regime->s2.granule_bits,
		.ipa_bits = regime->s2.ia_bits,
		.start_level = regime->s2.start_level,
		.levels = (unsigned)(4 - regime->s2.start_level),
	};

	if (!regime->s2_on || regime->s2.setup_fault != FAULT_NONE)
		return diag_set(diag, STATUS_BAD_INPUT,
				"smmu: the VM of the device has no legal stage 2");
	return smmu_check(smmu->shape.levels, &stage2, diag);
}

enum exit_status smmu_attach(struct smmu *smmu, uint16_t stream, const struct regime *regime,
			     uint16_t vmid, struct diag *diag)
{
	struct smmu_stream *self = &smmu->streams[stream];
	const enum exit_status status = check_regime(smmu, regime, diag);

	smmu_detach(smmu, stream);
	if (status != STATUS_OK)
		return status;
	*self = (struct smmu_stream){ .attached = true, .vmid = vmid, .regime = *regime };
	self->regime.s1_on = false;
	return STATUS_OK;
}

void smmu_detach(struct smmu *smmu, uint16_t stream)
{
	if (smmu->streams[stream].attached)
		smmu_reset_stream(smmu, stream);
	smmu->streams[stream].attached = false;
}

static bool hook_probe(void *ctx, int stage, uint64_t ia, struct walk_point *out)
{
	struct smmu_walk *walk = ctx;
	struct smmu *smmu = walk->smmu;

	if (stage == 1 || !walk_cache_probe(&smmu->walk_cache, walk->context, ia, out))
		return false;
	smmu->walk_cycles += smmu->walk_cache.hit_cycles;
	return true;
}

/* Leaves are the TLB's. */
static void hook_learn(void *ctx, int stage, uint64_t ia, const struct walk_point *point)
{
	struct smmu_walk *walk = ctx;

	if (stage == 2 && !point->leaf)
		walk_cache_learn(&walk->smmu->walk_cache, walk->context, ia, point);
}

static void hook_read(void *ctx, const struct walk_read *read)
{
	struct smmu *smmu = ((struct smmu_walk *)ctx)->smmu;

	smmu->walk_reads++;
	smmu->walk_cycles +=
		smmu->shape.latency->read(smmu->latency_state, read->pa, read->cacheable).cycles;
}

static struct translation walk(struct smmu *smmu, uint16_t stream, ipa_t ipa, enum access_kind kind)
{
	struct smmu_walk self = { smmu, walk_context_of(context_of(smmu, stream)) };
	const bool caches = smmu->walk_cache.ways != 0;
	const struct walk_hooks hooks = {
		.ctx = &self,
		.probe = caches ? hook_probe : NULL,
		.learn = caches ? hook_learn : NULL,
		.read = hook_read,
	};
	const struct access access = { .va = va_of(ipa.v), .kind = kind, .el = 1 };
	struct translation result;

	mmu_walk(&smmu->streams[stream].regime, smmu->mem, &access, &hooks, &result);
	return result;
}

static enum smmu_outcome refuse(struct smmu *smmu, struct fault fault, struct smmu_result *out)
{
	smmu->faults++;
	out->fault = fault;
	return SMMU_FAULT;
}

/* The pieces of a leaf are invalidated together, as if it were one of stage 1: tlb.c. */
static struct tlb_leaf leaf_of(const struct translation *result)
{
	return (struct tlb_leaf){
		.pa = pa_of(result->pa.v & ~low_mask(result->s2_bits)),
		.size_bits = result->s2_bits,
		.leaf_bits = result->s2_bits,
		.s1_bits = result->s2_bits,
		.s2_bits = result->s2_bits,
		.perms = result->perms,
	};
}

enum smmu_outcome smmu_access(struct smmu *smmu, uint16_t stream, ipa_t ipa, enum access_kind kind,
			      struct smmu_result *out)
{
	const struct tlb_context context = context_of(smmu, stream);
	const va_t tag = va_of(ipa.v);
	struct translation result;
	struct tlb_leaf leaf;
	uint32_t slot;

	*out = (struct smmu_result){ 0 };
	if (!smmu->streams[stream].attached) {
		smmu->faults++;
		return SMMU_NO_STREAM;
	}
	smmu->accesses++;
	slot = tlb_find(&smmu->tlb, context, tag);
	if (slot != TLB_NONE) {
		const struct tlb_leaf *entry = &smmu->tlb.leaf[slot];

		smmu->hits++;
		tlb_touch(&smmu->tlb, slot);
		if (!(entry->perms & (kind == ACCESS_STORE ? PERM_W1 : PERM_R1)))
			return refuse(smmu,
				      (struct fault){
					      .type = FAULT_PERMISSION, .stage = 2, .ipa = ipa.v },
				      out);
		out->pa = pa_of(entry->pa.v | (ipa.v & low_mask(entry->size_bits)));
		return SMMU_TRANSLATED;
	}
	result = walk(smmu, stream, ipa, kind);
	if (result.fault.type != FAULT_NONE)
		return refuse(smmu, result.fault, out);
	leaf = leaf_of(&result);
	tlb_fill(&smmu->tlb, context, tag, &leaf);
	out->pa = result.pa;
	return SMMU_TRANSLATED;
}

void smmu_invalidate(struct smmu *smmu, const struct smmu_tlbi *tlbi)
{
	static const enum tlb_scope scopes[] = {
		[SMMU_SCOPE_ALL] = TLB_SCOPE_ALL,
		[SMMU_SCOPE_VMID] = TLB_SCOPE_VMID,
		[SMMU_SCOPE_IPA] = TLB_SCOPE_VAA,
	};
	const bool by_ipa = tlbi->scope == SMMU_SCOPE_IPA;
	const struct tlb_match match = {
		.scope = scopes[tlbi->scope],
		.context = { .vmid = tlbi->vmid },
		.first = by_ipa ? tlbi->first : 0,
		.last = by_ipa ? tlbi->last : UINT64_MAX,
	};

	smmu->tlbis++;
	tlb_invalidate(&smmu->tlb, &match);
	walk_cache_invalidate(&smmu->walk_cache, walk_context_of(match.context),
			      tlbi->scope == SMMU_SCOPE_ALL ? 0 : UINT32_C(0xffff0000),
			      by_ipa ? tlbi->points : WALK_POINTS_ALL, match.first, match.last);
}

uint32_t smmu_reset_stream(struct smmu *smmu, uint16_t stream)
{
	const struct tlb_match match = { .scope = TLB_SCOPE_ASID,
					 .context = context_of(smmu, stream) };

	walk_cache_invalidate(&smmu->walk_cache, walk_context_of(match.context), UINT32_MAX,
			      WALK_POINTS_ALL, 0, UINT64_MAX);
	return tlb_invalidate(&smmu->tlb, &match);
}

void smmu_count(const struct smmu *smmu, struct stats *stats)
{
	uint64_t *v = stats->v;

	v[STAT_smmu_accesses] += smmu->accesses;
	v[STAT_smmu_tlb_hits] += smmu->hits;
	v[STAT_smmu_tlb_misses] += smmu->accesses - smmu->hits;
	v[STAT_smmu_walk_reads] += smmu->walk_reads;
	v[STAT_smmu_walk_cycles] += smmu->walk_cycles;
	v[STAT_smmu_cycles] += smmu->accesses * smmu->shape.tlb.hit_cycles + smmu->walk_cycles;
	v[STAT_smmu_faults] += smmu->faults;
	v[STAT_smmu_tlbis] += smmu->tlbis;
}
