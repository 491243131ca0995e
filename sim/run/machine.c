/* SPDX-License-Identifier: BSD-2-Clause */
#include "run/machine.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "run/machine_setup.h"

/* RAM of the host begins at 2 GiB, above devices and firmware. */
enum { HOST_MEMORY_BASE = INT32_MAX };

static struct frames_setup memory_of(const struct config *config, unsigned pa_bits)
{
	return (struct frames_setup){
		.base = pa_of((uint64_t)HOST_MEMORY_BASE + 1),
		.bytes = config->host.memory_bytes,
		.pa_bits = pa_bits,
		.page_bits = (unsigned)config->stage2.granule_bits,
		.fragmentation_permille = (uint32_t)config->host.fragmentation_permille,
		.seed = config->seed,
	};
}

uint32_t machine_vms(const struct config *config, uint32_t recorded)
{
	return config->host.vms ? (uint32_t)config->host.vms : recorded;
}

static enum exit_status add_devices(struct machine *machine, const struct config *config,
				    struct diag *diag)
{
	const struct smmu_shape shape = machine_smmu_shape(config, machine->vms_count);

	if (!devices_assigned(config))
		return STATUS_OK;
	machine->devices = devices_create(config, &shape, machine->vms, machine->vms_count,
					  machine->mem, diag);
	if (!machine->devices) {
		machine_fini(machine);
		return diag ? diag->status : STATUS_BAD_INPUT;
	}
	machine->mmu.smmu = &machine->devices->smmu;
	return STATUS_OK;
}

static enum exit_status add_walkers(struct machine *machine, struct diag *diag)
{
	const struct walkers_config config =
		machine_walkers(&machine->config, machine->mmu.shape.vcpus);

	if (!config.window_instructions)
		return STATUS_OK;
	machine->walkers = walkers_create(&config, &machine->mmu.stats);
	if (machine->walkers) {
		walkers_attach(machine->walkers, &machine->mmu);
		return STATUS_OK;
	}
	machine_fini(machine);
	return diag_set(diag, STATUS_INTERNAL, "out of memory for the simulated machine");
}

enum exit_status machine_init(struct machine *machine, const struct config *config, uint32_t vcpus,
			      uint32_t vms, struct diag *diag)
{
	const struct vm_setup setup = machine_vm_setup(config, 0);
	const struct frames_setup memory = memory_of(config, setup.cpu.pa_bits);
	const struct mmu_shape shape = machine_mmu_shape(config, vcpus);
	const struct mmu_os os = { .s1_fault = vm_s1_fault, .s2_fault = vm_s2_fault };
	enum exit_status status = machine_check(config, diag);

	memset(machine, 0, sizeof(*machine));
	machine->config = *config;
	if (status != STATUS_OK)
		return status;
	if (!id_alloc_init(&machine->vmids, machine_vmid_bits(config, &setup.cpu), vcpus,
			   ID_FLUSH_ALL))
		return diag_set(diag, STATUS_BAD_INPUT,
				"%u vCPUs want as many VMIDs at once, %u bits have %u", vcpus,
				machine_vmid_bits(config, &setup.cpu),
				(1u << machine_vmid_bits(config, &setup.cpu)) - 1);
	machine->mem = phys_create();
	machine->vms = calloc(vms, sizeof(struct vm *));
	machine->vmid = calloc(vms, sizeof(*machine->vmid));
	machine->running = malloc(vcpus * sizeof(*machine->running));
	for (uint32_t i = 0; machine->running && i < vcpus; i++)
		machine->running[i] = MACHINE_NO_VM;
	if (!frames_init(&machine->frames, &memory) || !machine->mem || !machine->vms ||
	    !machine->vmid || !machine->running ||
	    !mmu_init(&machine->mmu, &shape, machine->mem, &os)) {
		machine_fini(machine);
		return diag_set(diag, STATUS_INTERNAL, "out of memory for the simulated machine");
	}
	for (; machine->vms_count < vms; machine->vms_count++) {
		const struct vm_setup own = machine_vm_setup(config, machine->vms_count);

		machine->vms[machine->vms_count] =
			vm_create(&own, machine->mem, &machine->frames, diag);
		if (!machine->vms[machine->vms_count]) {
			machine_fini(machine);
			return diag ? diag->status : STATUS_BAD_INPUT;
		}
		vm_attach(machine->vms[machine->vms_count], &machine->mmu);
	}
	status = add_walkers(machine, diag);
	return status == STATUS_OK ? add_devices(machine, config, diag) : status;
}

void machine_fini(struct machine *machine)
{
	frames_close(&machine->frames);
	devices_destroy(machine->devices);
	walkers_destroy(machine->walkers);
	for (uint32_t i = 0; i < machine->vms_count; i++)
		vm_destroy(machine->vms[i]);
	free(machine->vms);
	free(machine->vmid);
	free(machine->running);
	id_alloc_fini(&machine->vmids);
	frames_fini(&machine->frames);
	mmu_fini(&machine->mmu);
	phys_destroy(machine->mem);
	memset(machine, 0, sizeof(*machine));
}

void machine_run_vm(struct machine *machine, uint32_t vcpu, uint32_t vm)
{
	static const struct tlb_match all = { .scope = TLB_SCOPE_ALL };
	uint16_t index;

	if (machine->running[vcpu] != vm) {
		if (machine->running[vcpu] != MACHINE_NO_VM)
			id_alloc_leave(&machine->vmids, vcpu);
		machine->running[vcpu] = vm;
	}
	if (id_alloc_enter(&machine->vmids, vcpu, &machine->vmid[vm]))
		mmu_invalidate(&machine->mmu, MMU_ALL_VCPUS, &all, WALK_CACHE_BOTH);
	index = id_alloc_index(&machine->vmids, machine->vmid[vm]);
	if (index != vm_vmid(machine->vms[vm]))
		vm_set_vmid(machine->vms[vm], index);
}

void machine_switch_vm(struct machine *machine, uint32_t vcpu, uint32_t vm)
{
	const uint32_t before = machine->running[vcpu];

	machine->vm_switches += before != MACHINE_NO_VM && before != vm;
	machine_run_vm(machine, vcpu, vm);
}

bool machine_vmids_suffice(const struct machine *machine)
{
	return machine->vms_count < UINT32_C(1) << machine->vmids.bits;
}

static struct os_work work_of(const struct machine *machine)
{
	const uint64_t *v = machine->mmu.stats.v;
	struct os_work work = {
		.tlbis = v[STAT_tlbis] - v[STAT_tlbis_unwaited],
		.dvms = v[STAT_tlbis_broadcast] * (machine->mmu.shape.vcpus - 1),
		.vm_switches = machine->vm_switches,
		.context_switches = machine->context_switches,
	};

	for (uint32_t i = 0; i < machine->vms_count; i++)
		vm_add_work(machine->vms[i], &work);
	return work;
}

static uint64_t sum_of(const struct os_cycles *c)
{
	return c->guest_faults + c->exits + c->faults + c->zeroing + c->tables + c->tlbis +
	       c->splits + c->switches + c->mmio;
}

uint64_t machine_software_cycles(const struct machine *machine)
{
	const struct os_work work = work_of(machine);
	const struct os_cycles cycles = os_cycles_of(&work, &machine->config.cost);

	return sum_of(&cycles);
}

/* What VMs do not know. */
static void count_host(const struct machine *machine, struct stats *stats)
{
	if (machine->devices)
		devices_count(machine->devices, stats);
	stats->v[STAT_vm_switches] = machine->vm_switches;
	stats->v[STAT_vmid_rollovers] = machine->vmids.rollovers;
	stats->v[STAT_host_unusable_2m] =
		frames_unusable_permille(&machine->frames, FRAMES_BLOCK_BITS);
}

void machine_tally(struct machine *machine, struct machine_tally *tally)
{
	*tally = (struct machine_tally){ .work = work_of(machine) };
	for (uint32_t i = 0; i < machine->vms_count; i++)
		vm_count(machine->vms[i], &tally->rows);
	count_host(machine, &tally->rows);
}

void machine_tally_count(const struct machine_tally *tally, const struct os_costs *costs,
			 struct stats *stats)
{
	for (unsigned i = 0; i < STAT_COUNT; i++)
		stats->v[i] += tally->rows.v[i];
	machine_work_count(&tally->work, costs, stats);
}

void machine_work_count(const struct os_work *work, const struct os_costs *costs,
			struct stats *stats)
{
	const struct os_cycles cycles = os_cycles_of(work, costs);
	uint64_t *v = stats->v;

	v[STAT_guest_fault_cycles] = cycles.guest_faults;
	v[STAT_exit_cycles] = cycles.exits;
	v[STAT_fault_cycles] = cycles.faults;
	v[STAT_zero_cycles] = cycles.zeroing;
	v[STAT_table_cycles] = cycles.tables;
	v[STAT_split_cycles] = cycles.splits;
	v[STAT_tlbi_cycles] = cycles.tlbis;
	v[STAT_switch_cycles] = cycles.switches;
	v[STAT_mmio_cycles] = cycles.mmio;
	v[STAT_software_cycles] = sum_of(&cycles);
}

void machine_count(struct machine *machine, struct stats *stats)
{
	struct machine_tally tally;

	machine_tally(machine, &tally);
	machine_tally_count(&tally, &machine->config.cost, stats);
}

void machine_count_sums(const struct machine *machine, struct stats *stats)
{
	struct machine_tally tally = { .work = work_of(machine) };

	for (uint32_t i = 0; i < machine->vms_count; i++)
		vm_count_sums(machine->vms[i], &tally.rows);
	count_host(machine, &tally.rows);
	machine_tally_count(&tally, &machine->config.cost, stats);
}
