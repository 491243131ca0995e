/* SPDX-License-Identifier: BSD-2-Clause */
/* Events between the records of a trace. All runs are closed there. */
#include "run/replay_private.h"
#include "run/sample.h"

#include <inttypes.h>

#include "mmu/tlbi.h"

enum { ASID_SHIFT = 48 }; /* in Xt of a TLBI by VA or ASID */

static void unmap(struct replay *replay, const struct trace_event *event, struct vm *vm)
{
	const struct tlb_match match = {
		.scope = TLB_SCOPE_VA,
		.context = { .vmid = vm_vmid(vm), .asid = vm_hardware_asid(vm, event->asid) },
		.first = va_sign_extend(event->args[0]),
		.last = va_sign_extend(event->args[0] + event->args[1] - 1),
	};

	if (!event->args[1])
		return;
	mmu_invalidate(replay->mmu, MMU_ALL_VCPUS, &match,
		       vm_unmap(vm, event->asid, va_of(match.first), event->args[1]));
}

static enum exit_status invalidate(struct replay *replay, const struct trace_event *event,
				   const struct vm *vm, const struct mmu_space *space)
{
	const uint16_t asid = (uint16_t)(event->args[1] >> ASID_SHIFT);
	const uint64_t renamed = (event->args[1] & low_mask(ASID_SHIFT)) |
				 (uint64_t)vm_hardware_asid(vm, asid) << ASID_SHIFT;
	const struct tlbi tlbi = {
		.encoding = (uint32_t)event->args[0],
		.xt = vm_allocates_asids(vm) ? renamed : event->args[1],
		.vmid = space->context.vmid,
		.vcpu = event->vcpu < replay->mmu->shape.vcpus ? event->vcpu : MMU_ALL_VCPUS,
		.regime = space->regime,
	};

	if (event->args[0] <= UINT32_MAX && mmu_tlbi(replay->mmu, &tlbi))
		return STATUS_OK;
	return diag_set(replay->diag, STATUS_BAD_INPUT,
			"a TLBI event has encoding 0x%" PRIx64 ", which no TLBI instruction has",
			event->args[0]);
}

static enum exit_status run_event(struct replay *replay, const struct trace_event *event,
				  uint32_t vm)
{
	struct vm *own = replay->machine->vms[vm];
	const struct mmu_space *space;

	switch (event->type) {
	case EVENT_VM_SWITCH:
		if (!replay->scheduled && event->vcpu < replay->mmu->shape.vcpus)
			machine_switch_vm(replay->machine, event->vcpu, vm);
		return STATUS_OK;
	case EVENT_CONTEXT_SWITCH:
		replay->machine->context_switches++;
		if (vm_allocates_asids(own) && event->vcpu < replay->mmu->shape.vcpus &&
		    !vm_enter(own, event->vcpu, event->asid, replay->diag))
			return replay->diag->status;
		return vm_set_tables(own, event->asid, event->args[0], event->args[1],
				     replay->diag);
	case EVENT_FORK:
		return vm_fork(own, event->asid, (uint16_t)event->args[0], replay->diag);
	case EVENT_TLBI:
	case EVENT_UNMAP:
		break;
	default:
		return STATUS_OK;
	}
	space = vm_space(own, event->asid, replay->diag);
	if (!space)
		return replay->diag->status;
	if (event->type == EVENT_TLBI)
		return invalidate(replay, event, own, space);
	unmap(replay, event, own);
	return STATUS_OK;
}

enum exit_status replay_event(struct replay *replay, const struct trace_event *event)
{
	enum exit_status status = replay_flush_stores(replay, UINT64_MAX);
	const bool known = event->vcpu < replay->mmu->shape.vcpus;

	if (status != STATUS_OK)
		return status;
	if (replay->sampler)
		sampler_forget(replay->sampler, event);
	if (replay->record && replay->record->stream)
		miss_stream_put_event(replay->record->stream, replay->record->budget, event);
	if (replay->timing && known)
		timing_on(replay->timing, event->vcpu);
	if (replay->scheduled && known)
		status = run_event(replay, event, replay->machine->running[event->vcpu]);
	else if (!replay->scheduled && event->vm < replay->machine->vms_count)
		status = run_event(replay, event, event->vm);
	replay->tlbis = replay->mmu->stats.v[STAT_tlbis];
	return status;
}
