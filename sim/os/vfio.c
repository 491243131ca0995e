/* SPDX-License-Identifier: BSD-2-Clause */
#include "os/vfio.h"

#include <inttypes.h>

#include "os/vm_private.h"

/* What one transaction stays within. */
enum { DMA_PAGE_BITS = 12 };

static enum exit_status check_memory(const struct vm_setup *vm, const struct vfio_setup *setup,
				     struct diag *diag)
{
	if (vm->memory_bytes == 0)
		return diag_set(diag, STATUS_BAD_INPUT,
				"device.assigned: all memory of the VM is pinned, so guest.memory "
				"must say how much that is");
	if (vm->memory_bytes > setup->pinned_limit)
		return diag_set(diag, STATUS_BAD_INPUT,
				"device.assigned: all memory of the VM is pinned, and guest.memory "
				"is %" PRIu64 " bytes; no more than %" PRIu64 " can be",
				vm->memory_bytes, setup->pinned_limit);
	return STATUS_OK;
}

static enum exit_status check_ring(const struct vm_setup *vm, const struct vfio_setup *setup,
				   struct diag *diag)
{
	if (setup->ring_bytes % setup->burst_bytes)
		return diag_set(diag, STATUS_BAD_INPUT,
				"device.ring_bytes: %" PRIu64 " is no multiple of "
				"device.dma_bytes, %" PRIu64,
				setup->ring_bytes, setup->burst_bytes);
	if (setup->ring_bytes <= vm->memory_bytes)
		return STATUS_OK;
	return diag_set(diag, STATUS_BAD_INPUT,
			"device.ring_bytes: %" PRIu64
			" bytes do not fit into guest.memory, %" PRIu64,
			setup->ring_bytes, vm->memory_bytes);
}

enum exit_status vfio_check(const struct vm_setup *vm, const struct vfio_setup *setup,
			    struct diag *diag)
{
	struct s1_geometry s1;
	struct s2_geometry s2;
	enum exit_status status = vm_check_setup(vm, &s1, &s2, diag);

	if (status == STATUS_OK)
		status = check_memory(vm, setup, diag);
	if (status == STATUS_OK)
		status = check_ring(vm, setup, diag);
	return status == STATUS_OK ? smmu_check(setup->smmu_levels, &s2, diag) : status;
}

/* KVM's tables are the SMMU's, so all that VFIO pins has to be in them from the start. */
static enum exit_status pin(struct vm *vm, struct diag *diag)
{
	if (kvm_mmu_map_all(vm->slot) == KVM_E_NONE)
		return STATUS_OK;
	return diag_set(diag, STATUS_BAD_INPUT,
			"device.assigned: the host's memory cannot hold all of the VM's (%" PRIu64
			" bytes), which is pinned",
			vm->slot->setup.bytes);
}

static enum exit_status attach(struct vfio_device *device, struct diag *diag)
{
	struct vm *vm = device->vm;
	struct regime regime;

	regime_init(&regime, &vm->setup.cpu, &vm->regs, REGIME_EL10);
	device->vmid = vm->vmid;
	return smmu_attach(device->smmu, device->stream, &regime, vm->vmid, diag);
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
	while (b) {
		const uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* Near the golden section of the ring and without a common divisor: each buffer once in a round. */
static uint64_t stride_of(enum vfio_order order, uint64_t buffers)
{
	uint64_t stride = buffers - buffers * 382 / 1000;

	if (order == VFIO_STREAMING || buffers < 4)
		return 1;
	while (common_divisor(stride, buffers) != 1)
		stride--;
	return stride;
}

enum exit_status vfio_assign(struct vfio_device *device, struct vm *vm, struct smmu *smmu,
			     uint16_t stream, const struct vfio_setup *setup, struct diag *diag)
{
	enum exit_status status = vfio_check(&vm->setup, setup, diag);

	*device = (struct vfio_device){ .vm = vm, .smmu = smmu, .stream = stream, .setup = *setup };
	if (status == STATUS_OK)
		status = pin(vm, diag);
	if (status != STATUS_OK)
		return status;
	device->first = vm->memory_end - setup->ring_bytes;
	device->buffers = setup->ring_bytes / setup->burst_bytes;
	device->stride = stride_of(setup->order, device->buffers);
	return attach(device, diag);
}

/* The host writes the stream's table entry anew when the VM has got another VMID. */
static void follow_vmid(struct vfio_device *device)
{
	if (device->vmid != device->vm->vmid)
		attach(device, NULL);
}

void vfio_dma(struct vfio_device *device)
{
	const uint64_t first = device->first + device->next * device->setup.burst_bytes;
	const uint64_t end = first + device->setup.burst_bytes;
	struct smmu_result result;

	follow_vmid(device);
	for (uint64_t at = first; at < end; at = (at | low_mask(DMA_PAGE_BITS)) + 1)
		smmu_access(device->smmu, device->stream, ipa_of(at), ACCESS_STORE, &result);
	device->next = (device->next + device->stride) % device->buffers;
	device->dma_bytes += device->setup.burst_bytes;
}

void vfio_reset(struct vfio_device *device)
{
	device->next = 0;
	device->resets++;
	smmu_reset_stream(device->smmu, device->stream);
}

void vfio_count(const struct vfio_device *device, struct stats *stats)
{
	stats->v[STAT_dma_bytes] += device->dma_bytes;
	stats->v[STAT_device_resets] += device->resets;
}
