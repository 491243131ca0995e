/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What software does in cycles: exits, faults, page zeroing, TLB maintenance. Kept apart from the
 * cycles of hardware walks, never mixed into them.
 */
#ifndef TWOSTAGE_OS_COSTS_H
#define TWOSTAGE_OS_COSTS_H

#include <stdint.h>

/* All in cycles of the core. */
struct os_costs {
	uint64_t guest_fault; /* of the guest kernel, from exception to return, allocation in it */
	uint64_t exit;	      /* a world switch from the guest to KVM and back */
	uint64_t fault;	      /* user_mem_abort() with get_user_pages(), zeroing and tables apart */
	uint64_t zero_4k;     /* clearing 4 KiB of a fresh page, by host or guest */
	uint64_t table_page;  /* allocating and linking one stage-2 table page */
	uint64_t pte_update;  /* changing one stage-2 entry in place, or making one on a split */
	uint64_t tlbi;	      /* one TLBI with its DSB, on the CPU that sends it */
	uint64_t dvm;	      /* more for one that is broadcast, for each other CPU */
	uint64_t vm_switch;   /* to another VM's vCPU on this CPU */
	uint64_t context_switch; /* of the guest, to another address space */
	uint64_t mmio;		 /* device emulation in userspace behind an exit */
};

/* What was done, each as often as it costs its cycles. */
struct os_work {
	uint64_t guest_faults, exits, faults, zeroed_4k, table_pages, pte_updates, mmio;
	uint64_t tlbis; /* that a barrier waits for */
	uint64_t dvms, vm_switches, context_switches;
};

/* Cycles spent, by what they were spent on. */
struct os_cycles {
	uint64_t guest_faults, exits, faults, zeroing, tables, tlbis, splits, switches, mmio;
};

static inline struct os_cycles os_cycles_of(const struct os_work *work,
					    const struct os_costs *costs)
{
	return (struct os_cycles){
		.guest_faults = work->guest_faults * costs->guest_fault,
		.exits = work->exits * costs->exit,
		.faults = work->faults * costs->fault,
		.zeroing = work->zeroed_4k * costs->zero_4k,
		.tables = work->table_pages * costs->table_page,
		.tlbis = work->tlbis * costs->tlbi + work->dvms * costs->dvm,
		.splits = work->pte_updates * costs->pte_update,
		.switches = work->vm_switches * costs->vm_switch +
			    work->context_switches * costs->context_switch,
		.mmio = work->mmio * costs->mmio,
	};
}

#endif
