/* SPDX-License-Identifier: BSD-2-Clause */
#include "world.h"

#include <stdio.h>

#include "run/params.h"

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

struct config world_config2(const char *settings, const char *more)
{
	struct diag diag = DIAG_INIT;
	struct config config;

	assert_int_equal(params_defaults(&config, &diag), STATUS_OK);
	apply(&config, settings);
	apply(&config, more);
	return config;
}

struct config world_config(const char *settings)
{
	return world_config2(settings, "");
}

static void count_read(void *ctx, const struct walk_read *read, struct latency_result found)
{
	struct world *world = ctx;

	(void)read;
	(void)found;
	world->reads++;
}

struct world *world_try(const struct config *config, uint32_t vcpus, uint32_t vms,
			struct diag *diag)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	world->diag = (struct diag)DIAG_INIT;
	if (machine_init(&world->machine, config, vcpus, vms, &world->diag) != STATUS_OK) {
		if (diag)
			*diag = world->diag;
		free(world);
		return NULL;
	}
	world->machine.mmu.watch = count_read;
	world->machine.mmu.watch_ctx = world;
	return world;
}

struct world *world_make(const char *settings, uint32_t vcpus, uint32_t vms)
{
	const struct config config = world_config(settings);
	struct diag diag = DIAG_INIT;
	struct world *world = world_try(&config, vcpus, vms, &diag);

	if (!world)
		fail_msg("%s: %s", settings, diag.text);
	return world;
}

void world_destroy(struct world *world)
{
	machine_fini(&world->machine);
	free(world);
}

const struct tlb_leaf *world_access(struct world *world, struct world_access access)
{
	const struct mmu_request request = {
		.space = vm_space(world->machine.vms[access.vm], access.asid, &world->diag),
		.va = va_of(access.va),
		.kind = access.kind,
		.known_ipa = UINT64_MAX,
	};
	struct mmu *mmu = &world->machine.mmu;
	const enum mmu_stream stream = access.kind == ACCESS_FETCH ? MMU_FETCH : MMU_DATA;
	uint32_t slot;

	if (!request.space)
		return NULL;
	slot = mmu_access(mmu, access.vcpu, &request);
	return slot == TLB_NONE ? NULL : &mmu_l1(mmu, access.vcpu, stream)->leaf[slot];
}

uint64_t world_load(struct world *world, uint64_t va)
{
	const struct tlb_leaf *leaf =
		world_access(world, (struct world_access){ 0, 0, 1, va, ACCESS_LOAD });

	if (!leaf)
		fail_msg("no translation: %s", vm_diag(world->machine.vms[0])->text);
	return leaf->pa.v | (va & low_mask(leaf->size_bits));
}

void world_flush(struct world *world)
{
	const struct tlb_match all = { .scope = TLB_SCOPE_ALL };

	mmu_invalidate(&world->machine.mmu, &all, WALK_CACHE_BOTH);
}

struct stats world_stats(const struct world *world)
{
	struct stats stats = world->machine.mmu.stats;

	for (uint32_t i = 0; i < world->machine.vms_count; i++)
		vm_count(world->machine.vms[i], &stats);
	return stats;
}
