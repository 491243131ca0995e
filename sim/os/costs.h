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

/* Cycles spent, by what they were spent on. */
struct os_cycles {
	uint64_t guest_faults, exits, faults, zeroing, tables, tlbis, splits, switches, mmio;
};

#endif
