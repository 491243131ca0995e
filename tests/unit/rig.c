/* SPDX-License-Identifier: BSD-2-Clause */
#include "rig.h"

#include <stdio.h>

#include "config/params.h"

static void apply(struct config *config, const char *settings)
{
	struct diag diag = DIAG_INIT;
	char *copy = strdup(settings), *rest = NULL;

	assert_non_null(copy);
	for (char *s = strtok_r(copy, " ", &rest); s; s = strtok_r(NULL, " ", &rest))
		if (params_set_option(config, s, &diag) != STATUS_OK)
			fail_msg("%s: %s", diag.place, diag.text);
	free(copy);
}

struct config rig_config2(const char *settings, const char *more)
{
	struct diag diag = DIAG_INIT;
	struct config config;

	assert_int_equal(params_defaults(&config, &diag), STATUS_OK);
	apply(&config, settings);
	apply(&config, more);
	return config;
}

struct config rig_config(const char *settings)
{
	return rig_config2(settings, "");
}

static void count_read(void *ctx, const struct walk_read *read, struct latency_result found)
{
	struct rig *rig = ctx;

	(void)read;
	(void)found;
	rig->reads++;
}

struct rig *rig_try(const struct config *config, uint32_t vcpus, uint32_t vms, struct diag *diag)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	rig->diag = (struct diag)DIAG_INIT;
	if (machine_init(&rig->machine, config, vcpus, vms, &rig->diag) != STATUS_OK) {
		if (diag)
			*diag = rig->diag;
		free(rig);
		return NULL;
	}
	rig->machine.mmu.watch = count_read;
	rig->machine.mmu.watch_ctx = rig;
	return rig;
}

struct rig *rig_make(const char *settings, uint32_t vcpus, uint32_t vms)
{
	const struct config config = rig_config(settings);
	struct diag diag = DIAG_INIT;
	struct rig *rig = rig_try(&config, vcpus, vms, &diag);

	if (!rig)
		fail_msg("%s: %s", settings, diag.text);
	return rig;
}

void rig_destroy(struct rig *rig)
{
	machine_fini(&rig->machine);
	free(rig);
}

const struct tlb_leaf *rig_access(struct rig *rig, struct rig_access access)
{
	const struct mmu_request request = {
		.space =
			vm_enter(rig->machine.vms[access.vm], access.vcpu, access.asid, &rig->diag),
		.va = va_of(access.va),
		.kind = access.kind,
		.known_ipa = UINT64_MAX,
	};
	struct mmu *mmu = &rig->machine.mmu;
	const enum mmu_stream stream = access.kind == ACCESS_FETCH ? MMU_FETCH : MMU_DATA;
	uint32_t slot;

	if (!request.space)
		return NULL;
	machine_run_vm(&rig->machine, access.vcpu, access.vm);
	slot = mmu_access(mmu, access.vcpu, &request);
	return slot == TLB_NONE ? NULL : &mmu_l1(mmu, access.vcpu, stream)->leaf[slot];
}

uint64_t rig_load(struct rig *rig, uint64_t va)
{
	const struct tlb_leaf *leaf =
		rig_access(rig, (struct rig_access){ 0, 0, 1, va, ACCESS_LOAD });

	if (!leaf)
		fail_msg("no translation: %s", vm_diag(rig->machine.vms[0])->text);
	return leaf->pa.v | (va & low_mask(leaf->size_bits));
}

void rig_flush(struct rig *rig)
{
	const struct tlb_match all = { .scope = TLB_SCOPE_ALL };

	mmu_invalidate(&rig->machine.mmu, MMU_ALL_VCPUS, &all, WALK_CACHE_BOTH);
}

void rig_finish(struct rig *rig)
{
	struct stats stats;

	mmu_count(&rig->machine.mmu, &stats);
	rig->machine.mmu.stats = stats;
}

struct stats rig_stats(struct rig *rig)
{
	struct stats stats = rig->machine.mmu.stats;

	machine_count(&rig->machine, &stats);
	return stats;
}
