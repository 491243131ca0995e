/* SPDX-License-Identifier: BSD-2-Clause */
#include "run/devices.h"

#include <stdlib.h>
#include <string.h>

/* Each page of a pinned VM has a descriptor in simulated memory. */
#define PINNED_LIMIT (UINT64_C(64) << 30)

static uint64_t pinned_limit(const struct config *config)
{
	const uint64_t host = config->host.memory_bytes;

	return host && host < PINNED_LIMIT ? host : PINNED_LIMIT;
}

bool devices_assigned(const struct config *config)
{
	return strcmp(config->device.assigned, "none") != 0;
}

static struct vfio_setup setup_of(const struct config *config)
{
	const bool scattered = strcmp(config->device.assigned, "scattered") == 0;

	return (struct vfio_setup){
		.order = scattered ? VFIO_SCATTERED : VFIO_STREAMING,
		.ring_bytes = config->device.ring_bytes,
		.burst_bytes = config->device.dma_bytes,
		.pinned_limit = pinned_limit(config),
		.smmu_levels = (unsigned)config->smmu.levels,
	};
}

enum exit_status devices_check(const struct config *config, const struct vm_setup *setup,
			       struct diag *diag)
{
	const struct vfio_setup vfio = setup_of(config);
	const uint64_t page_bits = config->stage2.granule_bits;

	if (!devices_assigned(config))
		return STATUS_OK;
	if (!(config->smmu.tlb.page_sizes & low_mask((unsigned)page_bits + 1)))
		return diag_set(diag, STATUS_BAD_INPUT,
				"smmu.tlb.page_sizes: no size of %uK or less, so pages of stage 2 "
				"would not fit",
				1u << (page_bits - 10));
	return vfio_check(setup, &vfio, diag);
}

struct devices *devices_create(const struct config *config, const struct smmu_shape *shape,
			       struct vm **vms, uint32_t count, struct phys_mem *mem,
			       struct diag *diag)
{
	const struct vfio_setup setup = setup_of(config);
	struct devices *devices = calloc(1, sizeof(*devices));

	if (devices)
		devices->device = calloc(count, sizeof(*devices->device));
	if (!devices || !devices->device || !smmu_init(&devices->smmu, shape, mem)) {
		devices_destroy(devices);
		diag_set(diag, STATUS_INTERNAL, "out of memory for the SMMU");
		return NULL;
	}
	for (; devices->count < count; devices->count++)
		if (vfio_assign(&devices->device[devices->count], vms[devices->count],
				&devices->smmu, (uint16_t)devices->count, &setup,
				diag) != STATUS_OK) {
			if (diag)
				diag->impossible = diag->status == STATUS_BAD_INPUT;
			devices_destroy(devices);
			return NULL;
		}
	return devices;
}

void devices_destroy(struct devices *devices)
{
	if (!devices)
		return;
	smmu_fini(&devices->smmu);
	free(devices->device);
	free(devices);
}

void devices_dma(struct devices *devices)
{
	for (uint32_t i = 0; i < devices->count; i++)
		vfio_dma(&devices->device[i]);
}

void devices_reset(struct devices *devices)
{
	for (uint32_t i = 0; i < devices->count; i++)
		vfio_reset(&devices->device[i]);
}

void devices_count(const struct devices *devices, struct stats *stats)
{
	smmu_count(&devices->smmu, stats);
	for (uint32_t i = 0; i < devices->count; i++)
		vfio_count(&devices->device[i], stats);
}
